//! Plain stochastic gradient descent: w ← w − η (g x + λ w), b ← b − η_b g, with g the clipped gradient
//! of weight times log loss by the activation.
//!
//! For two classes these are the steps of `river` 0.26's `LogisticRegression(SGD(η), l2=λ, intercept_lr=η_b,
//! clip_gradient=…)`, which replaces 1/(1 + e^z) by its limits beyond |z| = 18; we do not, a difference of
//! 1.5e-8 at most in a step.

use super::{Learner, Method, probabilities};

impl Learner {
    /// One step; whether a gradient was clipped.
    pub(super) fn descend(&mut self, x: &[f64], target: &[f64], weight: f64) -> bool {
        let Method::Descent { rate, intercept_rate, l2, clip } = self.params.method else {
            return false;
        };
        let n_rows = self.n_rows();
        let width = self.params.dimension + 1;
        let mut activations = vec![0.0; n_rows];
        for (row, activation) in activations.iter_mut().enumerate() {
            let (weights, intercept) = self.row(&self.mean, row);
            *activation = super::dot(weights, x) + intercept;
        }
        let p = probabilities(&activations);
        let mut is_clipped = false;
        for row in 0..n_rows {
            let class = if n_rows == 1 { 1 } else { row };
            let gradient = weight * (p[class] - target[class]);
            let clipped = gradient.clamp(-clip, clip);
            is_clipped |= clipped != gradient;
            let weights = &mut self.mean[row * width..(row + 1) * width];
            weights[width - 1] -= intercept_rate * clipped;
            for (w, x) in weights[..width - 1].iter_mut().zip(x) {
                *w -= rate * (x * clipped + l2 * *w);
            }
        }
        is_clipped
    }
}
