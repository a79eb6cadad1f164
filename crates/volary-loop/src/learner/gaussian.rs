//! A Gaussian over each weight, and how a label changes it.
//!
//! Weights w ~ N(m, diag v) with x extended by 1 for the intercept. The activation of a row is then
//! a ~ N(μ, s²), μ = m·x, s² = Σ v_i x_i². A label with class shares y and weight c has the
//! log-likelihood c Σ_k y_k ln p_k(a). Its posterior over the activations has the mode â with
//!
//! > (â_k − μ_k) / s_k² = c (y_k − p_k(â))
//!
//! (Newton's method; the function is concave) and, by Laplace's method, the covariance
//! (diag(1/s²) + c (diag p − p pᵀ))⁻¹, of which the diagonal ŝ² is kept. Since weights and activation are jointly
//! Gaussian before the label, what the label says of the activation carries over exactly:
//!
//! > m_i ← m_i + v_i x_i / s² · (â − μ),   v_i ← v_i + (v_i x_i / s²)² (ŝ² − s²)
//!
//! and keeping only the diagonal is the projection of assumed-density filtering. Variances stay positive,
//! since ŝ² > 0 and v_i x_i² ≤ s².
//!
//! Predictions are means over the posterior: for two classes by the trapezoidal rule, whose error falls
//! exponentially for such integrals (below 1e-9 for s up to 3, about 1e-3 at 10); for more classes over
//! 256 fixed draws of the activations.

use volary_core::seed::stream;

use super::{Embedding, Learner, LearnerError, Method, dot, probabilities, sigmoid};
use crate::draws::normal;

/// Draws of the activations for the prediction of more than two classes.
const N_DRAWS: usize = 256;

impl Learner {
    /// Takes in one label; whether its step was cut short.
    pub(super) fn assimilate(&mut self, x: &[f64], target: &[f64], weight: f64) -> bool {
        let Method::Gaussian { l2, keep, most_logits } = self.params.method else { return false };
        let n_rows = self.n_rows();
        if keep < 1.0 {
            self.variance.iter_mut().for_each(|v| *v = (*v / keep).min(1.0 / l2));
        }
        let mut is_clipped = false;
        if n_rows == 1 {
            let (mu, s2) = self.activation(x, 0);
            let (mode, after) = binary_mode(mu, s2, target[1], weight);
            is_clipped |= self.push_back(x, 0, [mode - mu, s2, after], most_logits);
            return is_clipped;
        }
        let (mu, s2): (Vec<f64>, Vec<f64>) = (0..n_rows).map(|row| self.activation(x, row)).unzip();
        let (mode, after) = softmax_mode(&mu, &s2, target, weight);
        for row in 0..n_rows {
            is_clipped |=
                self.push_back(x, row, [mode[row] - mu[row], s2[row], after[row]], most_logits);
        }
        is_clipped
    }

    /// Mean and variance of an activation.
    fn activation(&self, x: &[f64], row: usize) -> (f64, f64) {
        let (mean, intercept) = self.row(&self.mean, row);
        let (variance, of_intercept) = self.row(&self.variance, row);
        let spread: f64 = variance.iter().zip(x).map(|(v, x)| v * x * x).sum();
        (dot(mean, x) + intercept, spread + of_intercept)
    }

    /// What an activation's change from variance `s2` to `after`, by `step`, means for its weights.
    fn push_back(&mut self, x: &[f64], row: usize, change: [f64; 3], most: f64) -> bool {
        let [step, s2, after] = change;
        let width = self.params.dimension + 1;
        let range = row * width..(row + 1) * width;
        let clipped = step.clamp(-most, most);
        let (by_step, by_variance) = (clipped / s2, (after - s2) / (s2 * s2));
        let means = self.mean[range.clone()].iter_mut();
        let variances = self.variance[range].iter_mut();
        for ((m, v), x) in means.zip(variances).zip(x.iter().chain([&1.0])) {
            let covariance = *v * x;
            *m += covariance * by_step;
            // Rounding must not make a variance zero.
            *v = (*v + covariance * covariance * by_variance).max(f64::MIN_POSITIVE);
        }
        clipped != step
    }

    /// Means and standard deviations of the class probabilities.
    pub(super) fn moments(&self, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
        if self.n_rows() == 1 {
            let (mu, s2) = self.activation(x, 0);
            let (mean, sd) = sigmoid_moments(mu, s2.sqrt());
            return (vec![1.0 - mean, mean], vec![sd, sd]);
        }
        let draws = self.draw_activations(x, &mut stream(0, "prediction"), N_DRAWS);
        let k = self.params.n_classes;
        let (mut sum, mut squares) = (vec![0.0; k], vec![0.0; k]);
        for p in draws.chunks_exact(k) {
            for ((sum, square), p) in sum.iter_mut().zip(&mut squares).zip(p) {
                *sum += p;
                *square += p * p;
            }
        }
        let n = N_DRAWS as f64;
        let sd = |(sum, square): (&f64, &f64)| (square / n - (sum / n).powi(2)).max(0.0).sqrt();
        let sd = sum.iter().zip(&squares).map(sd).collect();
        (sum.into_iter().map(|s| s / n).collect(), sd)
    }

    /// Class probabilities of drawn activations, row-major `[n, n_classes]`.
    fn draw_activations(&self, x: &[f64], rng: &mut volary_core::seed::Rng, n: usize) -> Vec<f64> {
        let of: Vec<(f64, f64)> = (0..self.n_rows()).map(|row| self.activation(x, row)).collect();
        let mut out = Vec::with_capacity(n * self.params.n_classes);
        for _ in 0..n {
            let drawn: Vec<f64> = of.iter().map(|(mu, s2)| mu + s2.sqrt() * normal(rng)).collect();
            out.extend(probabilities(&drawn));
        }
        out
    }

    /// `n` models out of the posterior, the same for every embedding they are asked about.
    ///
    /// Descent has one model only, `n` times.
    #[must_use]
    pub fn posterior(&self, n: usize, seed: u64) -> Posterior<'_> {
        let mut rng = stream(seed, "posterior");
        let mut weights = Vec::with_capacity(n * self.mean.len());
        for _ in 0..n {
            if self.variance.is_empty() {
                weights.extend_from_slice(&self.mean);
                continue;
            }
            weights.extend(
                self.mean.iter().zip(&self.variance).map(|(m, v)| m + v.sqrt() * normal(&mut rng)),
            );
        }
        Posterior { learner: self, weights }
    }
}

/// Models drawn from the posterior; for [`crate::acquisition::uncertainty`].
#[derive(Clone, Debug)]
pub struct Posterior<'a> {
    learner: &'a Learner,
    /// `[n, n_rows, dimension + 1]`
    weights: Vec<f64>,
}

impl Posterior<'_> {
    /// What each of them says of an embedding: row-major `[n, n_classes]`.
    ///
    /// # Errors
    /// [`LearnerError`].
    pub fn probabilities(&self, x: &Embedding<'_>) -> Result<Vec<f64>, LearnerError> {
        self.learner.check_embedding(x)?;
        let n_rows = self.learner.n_rows();
        let mut out = Vec::new();
        for model in self.weights.chunks_exact(self.learner.mean.len()) {
            let activation = |row| {
                let (weights, intercept) = self.learner.row(model, row);
                dot(weights, x.values) + intercept
            };
            let activations: Vec<f64> = (0..n_rows).map(activation).collect();
            out.extend(probabilities(&activations));
        }
        Ok(out)
    }
}

/// Mode and variance of an activation with prior N(mu, s2) after a label with share `y` and weight `c`.
pub(super) fn binary_mode(mu: f64, s2: f64, y: f64, c: f64) -> (f64, f64) {
    let scale = s2 * c;
    // The root lies between these, and f grows.
    let (mut low, mut high) = (mu + scale * (y - 1.0), mu + scale * y);
    // Where the curvature at the prior's mean would lead, kept inside.
    let mut a = mu;
    for _ in 0..100 {
        let p = sigmoid(a);
        let f = a - mu - scale * (y - p);
        if f > 0.0 {
            high = high.min(a)
        } else {
            low = low.max(a)
        }
        let newton = a - f / (1.0 + scale * p * (1.0 - p));
        let next = if newton > low && newton < high { newton } else { (low + high) / 2.0 };
        let is_done = (next - a).abs() <= 1e-13 * (1.0 + a.abs());
        a = next;
        if is_done {
            break;
        }
    }
    let p = sigmoid(a);
    (a, 1.0 / (1.0 / s2 + c * p * (1.0 - p)))
}

/// The same for activations of several classes; variances are the diagonal of the covariance.
fn softmax_mode(mu: &[f64], s2: &[f64], y: &[f64], c: f64) -> (Vec<f64>, Vec<f64>) {
    let objective = |a: &[f64]| {
        let largest = a.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log_total = largest + a.iter().map(|a| (a - largest).exp()).sum::<f64>().ln();
        let likelihood: f64 = a.iter().zip(y).map(|(a, y)| y * (a - log_total)).sum();
        let prior: f64 = a.iter().zip(mu).zip(s2).map(|((a, m), s)| (a - m).powi(2) / s).sum();
        c * likelihood - 0.5 * prior
    };
    let mut a = mu.to_vec();
    let mut value = objective(&a);
    for _ in 0..100 {
        let p = probabilities(&a);
        let gradient: Vec<f64> =
            (0..a.len()).map(|k| c * (y[k] - p[k]) - (a[k] - mu[k]) / s2[k]).collect();
        // (D − c p pᵀ) δ = g with D = 1/s² + c p, by Sherman and Morrison.
        let d: Vec<f64> = s2.iter().zip(&p).map(|(s, p)| 1.0 / s + c * p).collect();
        let by_d: Vec<f64> = gradient.iter().zip(&d).map(|(g, d)| g / d).collect();
        let share =
            c * dot(&p, &by_d) / (1.0 - c * p.iter().zip(&d).map(|(p, d)| p * p / d).sum::<f64>());
        let step: Vec<f64> = (0..a.len()).map(|k| by_d[k] + share * p[k] / d[k]).collect();
        let mut length = 1.0;
        let (next, reached) = loop {
            let next: Vec<f64> = a.iter().zip(&step).map(|(a, s)| a + length * s).collect();
            let reached = objective(&next);
            if reached >= value || length < 1e-6 {
                break (next, reached);
            }
            length *= 0.5;
        };
        let moved = next.iter().zip(&a).map(|(n, a)| (n - a).abs()).fold(0.0, f64::max);
        if reached >= value {
            (a, value) = (next, reached);
        }
        if moved <= 1e-12 || reached < value {
            break;
        }
    }
    let p = probabilities(&a);
    let d: Vec<f64> = s2.iter().zip(&p).map(|(s, p)| 1.0 / s + c * p).collect();
    let rest = 1.0 - c * p.iter().zip(&d).map(|(p, d)| p * p / d).sum::<f64>();
    let after = p.iter().zip(&d).map(|(p, d)| 1.0 / d + c * (p / d).powi(2) / rest).collect();
    (a, after)
}

/// Mean and standard deviation of σ(a) for a ~ N(mu, s²).
pub(super) fn sigmoid_moments(mu: f64, s: f64) -> (f64, f64) {
    const STEP: f64 = 0.2;
    let (mut total, mut mean, mut square) = (0.0, 0.0, 0.0);
    for at in -42..=42 {
        let z = f64::from(at) * STEP;
        let density = (-0.5 * z * z).exp();
        let p = sigmoid(mu + s * z);
        total += density;
        mean += density * p;
        square += density * p * p;
    }
    let mean = mean / total;
    (mean, (square / total - mean * mean).max(0.0).sqrt())
}
