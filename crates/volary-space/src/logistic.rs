//! Logistic regression with an L2 penalty: soft labels, weights, balanced classes.
//!
//! Minimises C Σ wᵢ [−qᵢ ln σ(zᵢ) − (1 − qᵢ) ln(1 − σ(zᵢ))] + ½ ‖β‖², z = β·x + b, b without a penalty:
//! `scikit-learn`'s objective and its C. A soft label q counts as q of a positive and 1 − q of a negative.
//! Balanced: positives and negatives weigh as much in sum (King & Zeng 2001), so that a rare class is not
//! passed over. The objective is strictly convex in β; Newton's method with halved steps finds its
//! minimum in a handful of rounds, to rounding. One round costs n d² for d columns: reduce thousands of
//! columns with [`Pca`](crate::pca::Pca) first.

use std::ops::Range;

use faer::linalg::solvers::Solve as _;
use faer::{Col, MatRef, Side};

use crate::blocks;
use crate::check::{check_length, check_range, check_share};
use crate::error::SpaceError;
use crate::points::Points;
use crate::product::transposed_product;

/// Rounds at most; a dozen is usual.
const MAX_ROUNDS: usize = 100;
/// Halvings of a step at most.
const MAX_HALVINGS: usize = 40;

/// How to fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogisticParams {
    /// Inverse strength of the penalty; larger follows the data more closely.
    pub c: f64,
    /// Whether positives and negatives weigh as much in sum.
    pub balanced: bool,
}

impl Default for LogisticParams {
    fn default() -> Self {
        Self { c: 1.0, balanced: false }
    }
}

/// A fitted regression for one class.
#[derive(Clone, Debug, PartialEq)]
pub struct Logistic {
    coefficients: Vec<f64>,
    intercept: f64,
}

impl Logistic {
    /// Fits labels from 0 to 1 to points.
    ///
    /// `weight`: one number a point, or `None` for all alike. `start`: a solution of a similar problem,
    /// from which fewer rounds are needed; the result is the same to rounding.
    ///
    /// # Errors
    /// [`SpaceError::NoRows`], [`SpaceError::Length`], [`SpaceError::Range`]; [`SpaceError::OneClass`] if all
    /// labels are 0 or all are 1; [`SpaceError::Setting`] unless C > 0; [`SpaceError::NotConverged`].
    pub fn fit(
        points: &Points,
        label: &[f64],
        weight: Option<&[f64]>,
        params: &LogisticParams,
        start: Option<&Self>,
    ) -> Result<Self, SpaceError> {
        let problem = Problem::new(points, label, weight, params)?;
        let d = points.width();
        let mut beta = match start {
            Some(start) if start.coefficients.len() == d => start.parameters(),
            _ => problem.prior(),
        };
        let mut loss = problem.loss(&beta);
        for _ in 0..MAX_ROUNDS {
            let (gradient, step) = problem.newton_step(&beta)?;
            // What the step can still gain, to second order, against the loss itself.
            let gain: f64 = gradient.iter().zip(&step).map(|(g, s)| g * s).sum();
            if !gain.is_finite() {
                break;
            }
            let (next, next_loss) = problem.go(&beta, &step, gain, loss);
            let is_done = gain <= 1e-12 * loss.abs().max(1e-300) || next_loss >= loss;
            if next_loss <= loss {
                (beta, loss) = (next, next_loss);
            }
            if is_done {
                let intercept = beta.pop().unwrap_or_default();
                return Ok(Self { coefficients: beta, intercept });
            }
        }
        Err(SpaceError::NotConverged { what: "logistic regression" })
    }

    /// A regression that was fitted earlier.
    ///
    /// # Errors
    /// [`SpaceError::NotFinite`].
    pub fn from_parts(coefficients: Vec<f64>, intercept: f64) -> Result<Self, SpaceError> {
        let bad = coefficients.iter().chain([&intercept]).position(|v| !v.is_finite());
        if let Some(column) = bad {
            let value = coefficients.get(column).copied().unwrap_or(intercept);
            return Err(SpaceError::NotFinite { row: 0, column, value });
        }
        Ok(Self { coefficients, intercept })
    }

    /// One number a column.
    #[must_use]
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// The constant.
    #[must_use]
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// Probability of the class for each point.
    ///
    /// # Errors
    /// [`SpaceError::Width`].
    pub fn predict(&self, points: &Points) -> Result<Vec<f64>, SpaceError> {
        let (actual, expected) = (points.width(), self.coefficients.len());
        if actual != expected {
            return Err(SpaceError::Width { actual, expected });
        }
        let beta = self.parameters();
        blocks::join(points.len(), |range| {
            Ok(range.map(|i| sigmoid(score(points.row(i), &beta))).collect())
        })
    }

    fn parameters(&self) -> Vec<f64> {
        self.coefficients.iter().copied().chain([self.intercept]).collect()
    }
}

/// 1 / (1 + e⁻ᶻ), without overflow.
#[must_use]
pub fn sigmoid(z: f64) -> f64 {
    if z >= 0.0 {
        1.0 / (1.0 + (-z).exp())
    } else {
        let e = z.exp();
        e / (1.0 + e)
    }
}

/// β·x + b; `beta` ends with b.
fn score(x: &[f32], beta: &[f64]) -> f64 {
    let along: f64 = x.iter().zip(beta).map(|(x, b)| f64::from(*x) * b).sum();
    along + beta.last().copied().unwrap_or_default()
}

struct Problem<'a> {
    points: &'a Points,
    /// Weight of a point as a positive and as a negative, C included.
    weights: Vec<(f64, f64)>,
}

impl<'a> Problem<'a> {
    fn new(
        points: &'a Points,
        label: &[f64],
        weight: Option<&[f64]>,
        params: &LogisticParams,
    ) -> Result<Self, SpaceError> {
        let n = points.len();
        if n == 0 {
            return Err(SpaceError::NoRows { what: "the regression" });
        }
        check_length("the label", label.len(), n)?;
        check_share("the label", label)?;
        if let Some(weight) = weight {
            check_length("the weight", weight.len(), n)?;
            check_range("the weight", weight, 0.0, f64::MAX)?;
        }
        if !(params.c > 0.0 && params.c.is_finite()) {
            return Err(SpaceError::Setting { name: "C", value: params.c, must: "a positive number" });
        }
        let w = |i: usize| weight.map_or(1.0, |w| w[i]);
        let positive: f64 = label.iter().enumerate().map(|(i, q)| w(i) * q).sum();
        let negative: f64 = label.iter().enumerate().map(|(i, q)| w(i) * (1.0 - q)).sum();
        if positive <= 0.0 || negative <= 0.0 {
            return Err(SpaceError::OneClass { n });
        }
        let half = (positive + negative) / 2.0;
        let (up, down) = if params.balanced { (half / positive, half / negative) } else { (1.0, 1.0) };
        let of = |(i, q): (usize, &f64)| (params.c * w(i) * q * up, params.c * w(i) * (1.0 - q) * down);
        Ok(Self { points, weights: label.iter().enumerate().map(of).collect() })
    }

    /// No slope, and the constant that fits best without one.
    fn prior(&self) -> Vec<f64> {
        let (up, down) = self.weights.iter().fold((0.0, 0.0), |(a, b), (up, down)| (a + up, b + down));
        let mut beta = vec![0.0; self.points.width() + 1];
        if let Some(intercept) = beta.last_mut() {
            *intercept = (up / down).ln();
        }
        beta
    }

    fn loss(&self, beta: &[f64]) -> f64 {
        let data = blocks::sum(self.points.len(), 1, |range| {
            let of = |i: usize| {
                let (z, (up, down)) = (score(self.points.row(i), beta), self.weights[i]);
                // −ln σ(z) = softplus(−z)
                up * softplus(-z) + down * softplus(z)
            };
            Ok::<_, SpaceError>(vec![range.map(of).sum()])
        });
        let penalty: f64 = beta.iter().rev().skip(1).map(|b| b * b / 2.0).sum();
        data.map_or(f64::INFINITY, |data| data.iter().sum::<f64>() + penalty)
    }

    /// The gradient, and the solution of H s = g.
    fn newton_step(&self, beta: &[f64]) -> Result<(Vec<f64>, Vec<f64>), SpaceError> {
        let m = beta.len();
        let sums = blocks::sum(self.points.len(), m * m + m, |range| {
            Ok::<_, SpaceError>(self.part(range, beta))
        })?;
        let (hessian, gradient) = sums.split_at(m * m);
        let (mut hessian, mut gradient) = (hessian.to_vec(), gradient.to_vec());
        for j in 0..m - 1 {
            hessian[j * m + j] += 1.0;
            gradient[j] += beta[j];
        }
        // Where every point is certain, the constant has no curvature left.
        hessian[m * m - 1] += 1e-12 * (1.0 + hessian[m * m - 1]);
        let llt = MatRef::from_row_major_slice(&hessian, m, m)
            .llt(Side::Lower)
            .map_err(|_| SpaceError::NotConverged { what: "logistic regression" })?;
        let step = llt.solve(Col::from_fn(m, |j| gradient[j]).as_mat());
        let step = (0..m).map(|j| step[(j, 0)]).collect();
        Ok((gradient, step))
    }

    /// A block's share of the Hessian and the gradient.
    fn part(&self, range: Range<usize>, beta: &[f64]) -> Vec<f64> {
        let (n, m) = (range.len(), beta.len());
        let mut gradient = vec![0.0; m];
        let mut scaled = Vec::with_capacity(n * m);
        for i in range {
            let (x, (up, down)) = (self.points.row(i), self.weights[i]);
            let p = sigmoid(score(x, beta));
            let slope = (up + down) * p - up;
            let curvature = ((up + down) * p * (1.0 - p)).sqrt();
            let row = || x.iter().map(|x| f64::from(*x)).chain([1.0]);
            gradient.iter_mut().zip(row()).for_each(|(g, x)| *g += slope * x);
            scaled.extend(row().map(|x| curvature * x));
        }
        let mut sums = transposed_product(&scaled, &scaled, (m, n, m));
        sums.extend(gradient);
        sums
    }

    /// Goes along the step, halving it until the loss falls as it should (Armijo 1966).
    fn go(&self, beta: &[f64], step: &[f64], gain: f64, loss: f64) -> (Vec<f64>, f64) {
        let mut length = 1.0;
        for _ in 0..MAX_HALVINGS {
            let next: Vec<f64> = beta.iter().zip(step).map(|(b, s)| b - length * s).collect();
            let next_loss = self.loss(&next);
            if next_loss <= loss - 1e-4 * length * gain {
                return (next, next_loss);
            }
            length /= 2.0;
        }
        (beta.to_vec(), loss)
    }
}

/// ln(1 + eᶻ), without overflow.
fn softplus(z: f64) -> f64 {
    z.max(0.0) + (-z.abs()).exp().ln_1p()
}

#[cfg(test)]
#[path = "logistic_tests.rs"]
mod tests;
