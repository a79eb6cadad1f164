//! Calibration: what a logit is worth.
//!
//! Platt scaling (Platt 1999; Niculescu-Mizil & Caruana 2005, doi:10.1145/1102351.1102430): of a logit x the
//! calibrated one is a·x + b, with a and b found by logistic regression on pictures that were not learned from.
//! It takes back, too, what the weights of rare classes did to the mean. Labels may be shares.

use serde::{Deserialize, Serialize};

/// Newton's method has long ended by then.
const MOST_STEPS: usize = 100;
/// A slope above this, or below one over it, is hardly a matter of calibration: the logits of a network that learned
/// something are right to within a few times.
const EXTREME_SLOPE: f64 = 10.0;

/// What is done to the logit of a class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// What it is multiplied by.
    pub slope: f64,
    /// What is added then.
    pub intercept: f64,
}

impl Calibration {
    /// That leaves logits as they are.
    pub const NONE: Self = Self { slope: 1.0, intercept: 0.0 };

    /// Whether it changes the network's numbers so much that they say next to nothing by themselves, or that it was
    /// fitted to too few pictures.
    #[must_use]
    pub fn is_extreme(self) -> bool {
        !(1.0 / EXTREME_SLOPE..=EXTREME_SLOPE).contains(&self.slope)
    }

    /// The calibrated probability of an uncalibrated one.
    #[must_use]
    pub fn of(self, p: f64) -> f64 {
        if self == Self::NONE { p } else { sigmoid(self.slope * logit(p) + self.intercept) }
    }

    /// The most probable one for logits and what was true of them (1, 0, or a share), with Platt's targets: of
    /// n that are true, (n + 1) / (n + 2) instead of 1, so that it exists even where the classes are parted.
    /// None where there is nothing to learn from, or where higher logits were true less often.
    pub(crate) fn fit(logits: &[f64], shares: &[f64]) -> Option<Self> {
        let n_yes: f64 = shares.iter().sum();
        let n_no = shares.len() as f64 - n_yes;
        if n_yes <= 0.0 || n_no <= 0.0 {
            return None;
        }
        let (yes, no) = ((n_yes + 1.0) / (n_yes + 2.0), 1.0 / (n_no + 2.0));
        let targets: Vec<f64> = shares.iter().map(|share| share * yes + (1.0 - share) * no).collect();
        let loss = |at: Self| -> f64 {
            let of = |(x, t): (&f64, &f64)| {
                let y = at.slope * x + at.intercept;
                y.max(0.0) + (-y.abs()).exp().ln_1p() - t * y
            };
            logits.iter().zip(&targets).map(of).sum()
        };
        let prior = targets.iter().sum::<f64>() / targets.len() as f64;
        let mut at = Self { slope: 0.0, intercept: logit(prior) };
        let mut least = loss(at);
        for _ in 0..MOST_STEPS {
            let (mut g, mut h) = ([0.0; 2], [0.0; 3]);
            for (x, t) in logits.iter().zip(&targets) {
                let p = sigmoid(at.slope * x + at.intercept);
                let (d, w) = (p - t, p * (1.0 - p));
                g = [g[0] + d * x, g[1] + d];
                h = [h[0] + w * x * x, h[1] + w * x, h[2] + w];
            }
            let determinant = h[0] * h[2] - h[1] * h[1];
            // All logits alike say nothing of the slope.
            if determinant.is_nan() || determinant <= 1e-12 * h[2] * h[2] {
                return None;
            }
            let step =
                [(h[2] * g[0] - h[1] * g[1]) / determinant, (h[0] * g[1] - h[1] * g[0]) / determinant];
            let mut share = 1.0;
            let next = loop {
                let next = Self {
                    slope: at.slope - share * step[0],
                    intercept: at.intercept - share * step[1],
                };
                let found = loss(next);
                if found <= least {
                    least = found;
                    break next;
                }
                share /= 2.0;
                if share < 1e-10 {
                    break at;
                }
            };
            let moved = (next.slope - at.slope).abs() + (next.intercept - at.intercept).abs();
            at = next;
            if moved < 1e-12 * (1.0 + at.slope.abs() + at.intercept.abs()) {
                break;
            }
        }
        (at.slope > 0.0 && at.slope.is_finite() && at.intercept.is_finite()).then_some(at)
    }
}

pub(crate) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Of probabilities that single precision still tells from 0 and 1.
pub(crate) fn logit(p: f64) -> f64 {
    let p = p.clamp(1e-7, 1.0 - 1e-7);
    (p / (1.0 - p)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two logits with known shares leave nothing to fit: a·x + b is the logit of the share, on paper. Platt's
    /// targets are let for that in many pictures.
    #[test]
    fn two_logits_are_met_exactly() {
        let n = 1_000_000;
        let (low, high) = (0.2, 0.7);
        let logits = [vec![-1.5; n], vec![0.5; n]].concat();
        let shares = [vec![low; n], vec![high; n]].concat();
        let found = Calibration::fit(&logits, &shares).unwrap();
        let slope = (logit(high) - logit(low)) / 2.0;
        assert!((found.slope - slope).abs() < 1e-5, "{found:?}");
        assert!((found.intercept - (logit(high) - 0.5 * slope)).abs() < 1e-5, "{found:?}");
        assert!((found.of(sigmoid(0.5)) - high).abs() < 1e-5);
    }

    /// scikit-learn 1.9.1's `_sigmoid_calibration` (Platt with his targets) on x = sin(i), yes where
    /// cos(3 i) + x > 0, i = 0 … 39.
    #[test]
    fn it_is_that_of_scikit_learn() {
        let logits: Vec<f64> = (0..40).map(|i| f64::from(i).sin()).collect();
        let shares: Vec<f64> = (0..40)
            .map(|i| f64::from(u8::from((3.0 * f64::from(i)).cos() + f64::from(i).sin() > 0.0)))
            .collect();
        let found = Calibration::fit(&logits, &shares).unwrap();
        assert!((found.slope - 1.641_976_993).abs() < 1e-5, "{found:?}");
        assert!((found.intercept + 0.053_731_221).abs() < 1e-5, "{found:?}");
    }

    #[test]
    fn a_slope_of_more_than_ten_times_is_extreme_either_way() {
        let of = |slope: f64| Calibration { slope, intercept: -47.9 }.is_extreme();
        assert!(of(393.7) && of(10.01) && of(0.099) && of(f64::NAN));
        assert!(!of(10.0) && !of(1.0) && !of(0.1));
    }

    #[test]
    fn what_cannot_be_calibrated_is_not() {
        assert_eq!(Calibration::fit(&[], &[]), None);
        assert_eq!(Calibration::fit(&[1.0, 2.0], &[1.0, 1.0]), None);
        assert_eq!(Calibration::fit(&[1.0, 1.0], &[0.0, 1.0]), None);
        assert_eq!(Calibration::fit(&[2.0, 1.0, 3.0, 0.0], &[0.0, 1.0, 0.0, 1.0]), None);
        // Parted classes have a calibration, too.
        let found = Calibration::fit(&[-2.0, -1.0, 1.0, 2.0], &[0.0, 0.0, 1.0, 1.0]).unwrap();
        assert!(found.slope > 0.5 && found.slope < 5.0, "{found:?}");
        assert_eq!(Calibration::NONE.of(0.3), 0.3);
    }
}
