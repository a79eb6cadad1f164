//! Completeness: the chance that a signal is recovered, as a smooth function of its strength.
//!
//! The paper's equation 8: a generalised logistic with asymptotes 0 and 1 in the single-transit signal to
//! noise, C(x) = \[1 + Q exp(−B x)\]^(−1/ν) with B, Q, ν > 0 (its own parametrisation is lost; ν = 1 is the
//! plain logistic), fitted to the recovered share per bin by non-linear least squares (Levenberg–Marquardt,
//! in the logarithms of the parameters, which keeps them positive). Errors are the square roots of the
//! diagonal of the covariance (JᵀJ)⁻¹, as `scipy.optimize.curve_fit` gives them.
//!
//! Q and ν are nearly interchangeable where few signals lie on the lower shoulder: their errors are then
//! large and the curve is still well known, so read [`Completeness::at`] and [`Completeness::reaching`].

use levenberg_marquardt::{LeastSquaresProblem, LevenbergMarquardt, TerminationReason};
use nalgebra::{DMatrix, DVector, Dyn, Owned};

use super::evaluate::{EvaluateError, RecoveryTable};

/// |ln ν| beyond which the shape says nothing any more.
const MAX_LOG_SHAPE: f64 = 5.0;
/// Fits with the weights of the fit before; ten are usual.
const MAX_REFITS: usize = 60;

/// One bin: signals of about one strength.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompletenessBin {
    /// Strength, the middle of the bin or the mean of its signals.
    pub x: f64,
    /// Signals recovered.
    pub k: u64,
    /// Signals.
    pub n: u64,
}

/// How much each bin counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weighting {
    /// All the same; errors from the scatter of the bins around the curve.
    Equal,
    /// By the binomial error √(p(1 − p)/n) with p = (k + ½)/(n + 1), from the bin's own share. Bins that are
    /// low by chance then weigh more than those that are high by chance, so that the curve comes out low on
    /// its shoulder and its errors cover too little; here to compare with other programs.
    Observed,
    /// By the same error with p from the fitted curve, fitted anew until nothing changes; errors from those.
    #[default]
    Binomial,
}

/// The shape ν.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Shape {
    /// Fitted, where the data decide it; else 1.
    #[default]
    Free,
    /// Kept.
    Fixed(f64),
}

/// A fitted curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Completeness {
    /// Growth rate B.
    pub b: f64,
    /// Its standard error.
    pub b_error: f64,
    /// Q.
    pub q: f64,
    /// Its standard error.
    pub q_error: f64,
    /// Shape ν.
    pub nu: f64,
    /// Its standard error; 0 where it was kept.
    pub nu_error: f64,
    /// Whether the shape was asked to be free but the data do not decide it, so that it stayed at 1.
    pub shape_undecided: bool,
    /// Sum of squared (weighted) residuals.
    pub chi_squared: f64,
    /// Bins less parameters.
    pub degrees_of_freedom: usize,
    /// Covariance of ln B, ln Q, ln ν, row by row.
    log_covariance: [[f64; 3]; 3],
}

impl Completeness {
    /// The completeness at a strength.
    #[must_use]
    pub fn at(&self, x: f64) -> f64 {
        curve(self.b.ln(), self.q.ln(), self.nu.ln(), x).0
    }

    /// Its standard error there, by the delta method.
    #[must_use]
    pub fn error_at(&self, x: f64) -> f64 {
        let (_, slope) = curve(self.b.ln(), self.q.ln(), self.nu.ln(), x);
        self.spread(slope)
    }

    /// The strength at which the completeness reaches `share`, with its standard error; `None` unless
    /// 0 < `share` < 1. Negative where signals of no strength already do better.
    #[must_use]
    pub fn reaching(&self, share: f64) -> Option<(f64, f64)> {
        if !(share > 0.0 && share < 1.0) {
            return None;
        }
        let excess = (-self.nu * share.ln()).exp_m1();
        let x = (self.q.ln() - excess.ln()) / self.b;
        // dx = −dC/(dC/dx), and dC/dx = −(dC/dln B)… written out from z = ln Q − B x.
        let power = -self.nu * share.ln() * (excess + 1.0) / excess;
        let slope = [-x, 1.0 / self.b, -power / self.b];
        Some((x, self.spread(slope)))
    }

    fn spread(&self, slope: [f64; 3]) -> f64 {
        let mut variance = 0.0;
        for (i, a) in slope.iter().enumerate() {
            for (j, b) in slope.iter().enumerate() {
                variance += a * b * self.log_covariance[i][j];
            }
        }
        variance.max(0.0).sqrt()
    }
}

/// C and its slopes in ln B, ln Q, ln ν.
fn curve(log_b: f64, log_q: f64, log_nu: f64, x: f64) -> (f64, [f64; 3]) {
    let (b, nu) = (log_b.exp(), log_nu.exp());
    let z = log_q - b * x;
    // ln(1 + e^z) without overflow.
    let log_sum = z.max(0.0) + (-z.abs()).exp().ln_1p();
    let logistic = 1.0 / (1.0 + (-z).exp());
    let c = (-log_sum / nu).exp();
    let dz = -c * logistic / nu;
    (c, [-b * x * dz, dz, c * log_sum / nu])
}

struct Problem {
    x: Vec<f64>,
    y: Vec<f64>,
    weight: Vec<f64>,
    /// ln B, ln Q, and ln ν where it is free.
    log: DVector<f64>,
    fixed_log_nu: f64,
}

impl Problem {
    fn parameters(&self) -> (f64, f64, f64) {
        (self.log[0], self.log[1], self.log.get(2).copied().unwrap_or(self.fixed_log_nu))
    }
}

impl LeastSquaresProblem<f64, Dyn, Dyn> for Problem {
    type ParameterStorage = Owned<f64, Dyn>;
    type ResidualStorage = Owned<f64, Dyn>;
    type JacobianStorage = Owned<f64, Dyn, Dyn>;

    fn set_params(&mut self, log: &DVector<f64>) {
        self.log.copy_from(log);
    }

    fn params(&self) -> DVector<f64> {
        self.log.clone()
    }

    fn residuals(&self) -> Option<DVector<f64>> {
        let (b, q, nu) = self.parameters();
        let value = |i: usize, _| self.weight[i] * (curve(b, q, nu, self.x[i]).0 - self.y[i]);
        let residuals = DVector::from_fn(self.x.len(), value);
        residuals.iter().all(|r| r.is_finite()).then_some(residuals)
    }

    fn jacobian(&self) -> Option<DMatrix<f64>> {
        let (b, q, nu) = self.parameters();
        let value = |i: usize, j: usize| self.weight[i] * curve(b, q, nu, self.x[i]).1[j];
        let jacobian = DMatrix::from_fn(self.x.len(), self.log.len(), value);
        jacobian.iter().all(|r| r.is_finite()).then_some(jacobian)
    }
}

/// Fits the curve to bins; those without signals or with a strength that is no number are left out.
///
/// # Errors
/// [`EvaluateError::TooFewBins`] for no more bins than parameters; [`EvaluateError::NotConverged`] where
/// the recovered shares do not rise with strength at all.
pub fn fit_completeness(
    bins: &[CompletenessBin],
    weighting: Weighting,
    shape: Shape,
) -> Result<Completeness, EvaluateError> {
    let used: Vec<CompletenessBin> =
        bins.iter().filter(|b| b.n > 0 && b.k <= b.n && b.x.is_finite()).copied().collect();
    let needed = if shape == Shape::Free { 4 } else { 3 };
    if used.len() < needed {
        return Err(EvaluateError::TooFewBins { actual: used.len(), needed });
    }
    match shape {
        Shape::Fixed(nu) => best(&used, weighting, Some(nu)),
        Shape::Free => match best(&used, weighting, None) {
            Ok(fit) if fit.nu.ln().abs() < MAX_LOG_SHAPE && fit.nu_error.is_finite() => Ok(fit),
            _ => Ok(Completeness { shape_undecided: true, ..best(&used, weighting, Some(1.0))? }),
        },
    }
}

/// The fit of least residuals from several starts: the surface has a long valley in (Q, ν).
fn best(
    bins: &[CompletenessBin],
    weighting: Weighting,
    nu: Option<f64>,
) -> Result<Completeness, EvaluateError> {
    let shapes: &[f64] = if nu.is_some() { &[1.0] } else { &[1.0, 0.3, 3.0] };
    let mut best: Result<Completeness, EvaluateError> =
        Err(EvaluateError::NotConverged { why: "no start led anywhere".to_owned() });
    for &start in shapes {
        let fit = fit_from(bins, weighting, nu, nu.unwrap_or(start));
        best = match (best, fit) {
            (Ok(a), Ok(b)) => Ok(if b.chi_squared < a.chi_squared * (1.0 - 1e-9) { b } else { a }),
            (Ok(a), Err(_)) => Ok(a),
            (Err(_), fit) => fit,
        };
    }
    best
}

fn fit_from(
    bins: &[CompletenessBin],
    weighting: Weighting,
    fixed: Option<f64>,
    nu: f64,
) -> Result<Completeness, EvaluateError> {
    let (log_b, log_q) = start(bins, nu);
    let mut log = vec![log_b, log_q];
    if fixed.is_none() {
        log.push(nu.ln());
    }
    let problem = Problem {
        x: bins.iter().map(|b| b.x).collect(),
        y: bins.iter().map(|b| b.k as f64 / b.n as f64).collect(),
        weight: bins.iter().map(|b| weight(b, b.k as f64, weighting)).collect(),
        log: DVector::from_vec(log),
        fixed_log_nu: nu.ln(),
    };
    let (mut problem, mut sum) = minimise(problem)?;
    if weighting == Weighting::Binomial {
        for _ in 0..MAX_REFITS {
            let before = problem.log.clone();
            let (b, q, nu) = problem.parameters();
            let expected = |bin: &CompletenessBin| bin.n as f64 * curve(b, q, nu, bin.x).0;
            problem.weight = bins.iter().map(|bin| weight(bin, expected(bin), weighting)).collect();
            (problem, sum) = minimise(problem)?;
            if (&problem.log - before).amax() < 1e-9 {
                break;
            }
        }
    }
    describe(&problem, weighting, sum)
}

/// The problem at its minimum, and the sum of squares there.
fn minimise(problem: Problem) -> Result<(Problem, f64), EvaluateError> {
    let settings = LevenbergMarquardt::new().with_tol(1e-14).with_patience(400);
    let (problem, report) = settings.minimize(problem);
    // With tolerances this tight "no further improvement" is success too.
    let is_flat = matches!(report.termination, TerminationReason::NoImprovementPossible(_));
    if !report.termination.was_successful() && !is_flat {
        return Err(EvaluateError::NotConverged { why: format!("{:?}", report.termination) });
    }
    Ok((problem, 2.0 * report.objective_function))
}

/// One over the error of a bin of which `k` are recovered or expected to be.
fn weight(bin: &CompletenessBin, k: f64, weighting: Weighting) -> f64 {
    if weighting == Weighting::Equal {
        return 1.0;
    }
    let n = bin.n as f64;
    let p = (k + 0.5) / (n + 1.0);
    (n / (p * (1.0 - p))).sqrt()
}

/// A straight line through ln(C^−ν − 1) = ln Q − B x, weighted by the size of the bins.
fn start(bins: &[CompletenessBin], nu: f64) -> (f64, f64) {
    let point = |b: &CompletenessBin| {
        let p = (b.k as f64 + 0.5) / (b.n as f64 + 1.0);
        (b.x, (-nu * p.ln()).exp_m1().ln(), b.n as f64 * p * (1.0 - p))
    };
    let points: Vec<(f64, f64, f64)> = bins.iter().map(point).collect();
    let sum = |f: &dyn Fn(&(f64, f64, f64)) -> f64| points.iter().map(f).sum::<f64>();
    let total = sum(&|p| p.2);
    let (mx, my) = (sum(&|p| p.2 * p.0) / total, sum(&|p| p.2 * p.1) / total);
    let slope = sum(&|p| p.2 * (p.0 - mx) * (p.1 - my)) / sum(&|p| p.2 * (p.0 - mx).powi(2));
    // A curve that falls, or bins at one strength, still needs a start that rises.
    let spread = points.iter().map(|p| (p.0 - mx).abs()).fold(0.0, f64::max).max(1e-9);
    let b = if slope.is_finite() && slope < 0.0 { -slope } else { 0.1 / spread };
    (b.ln(), my + b * mx)
}

fn describe(
    problem: &Problem,
    weighting: Weighting,
    chi_squared: f64,
) -> Result<Completeness, EvaluateError> {
    let not = |why: &str| EvaluateError::NotConverged { why: why.to_owned() };
    let jacobian = problem.jacobian().ok_or_else(|| not("the curve is not finite"))?;
    let (n, p) = jacobian.shape();
    let degrees_of_freedom = n - p;
    let inverse = (jacobian.transpose() * &jacobian).try_inverse();
    let inverse = inverse.ok_or_else(|| not("the bins do not decide the parameters"))?;
    let scale = match weighting {
        Weighting::Binomial | Weighting::Observed => 1.0,
        Weighting::Equal => chi_squared / degrees_of_freedom.max(1) as f64,
    };
    let mut log_covariance = [[0.0; 3]; 3];
    for (i, row) in log_covariance.iter_mut().enumerate().take(p) {
        for (j, cell) in row.iter_mut().enumerate().take(p) {
            *cell = scale * inverse[(i, j)];
        }
    }
    let (log_b, log_q, log_nu) = problem.parameters();
    let error = |value: f64, i: usize| value * log_covariance[i][i].sqrt();
    let (b, q, nu) = (log_b.exp(), log_q.exp(), log_nu.exp());
    if !(b.is_finite() && b > 0.0 && q.is_finite() && error(b, 0).is_finite()) {
        return Err(not("recovery does not rise with strength"));
    }
    Ok(Completeness {
        b,
        b_error: error(b, 0),
        q,
        q_error: error(q, 1),
        nu,
        nu_error: error(nu, 2),
        shape_undecided: false,
        chi_squared,
        degrees_of_freedom,
        log_covariance,
    })
}

/// Bins of a recovery table by one quantity, each at its middle (the geometric one where `logarithmic`).
#[must_use]
pub fn bins_of(table: &RecoveryTable, logarithmic: bool) -> Vec<CompletenessBin> {
    let middle = |w: &[f64]| if logarithmic { (w[0] * w[1]).sqrt() } else { (w[0] + w[1]) / 2.0 };
    let row = table.cells.first().into_iter().flatten();
    let edges = table.x_edges.windows(2);
    edges.zip(row).map(|(w, share)| CompletenessBin { x: middle(w), k: share.k, n: share.n }).collect()
}

#[cfg(test)]
#[path = "evaluate_logistic_tests.rs"]
mod tests;
