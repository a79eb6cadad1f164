//! Intervals around a predicted consensus: what a crowd without end would say, and what so many volunteers
//! would.
//!
//! The encoder gives a normal distribution of each latent number. The classifier is linear, so that a logit
//! is normal as well, with a mean and a variance in closed form; nothing is sampled for a single class.
//! - Binary cross-entropy and binomial: the *probability* interval holds the quantiles of the logit, through
//!   the sigmoid. The *fraction* interval is that of a binomial count of `n` volunteers whose probability
//!   is so distributed.
//! - Dirichlet-multinomial: the network says a distribution of the probabilities itself. Mean and variance
//!   over the latent numbers' distribution are those of a beta distribution (law of total variance), whose
//!   quantiles are taken; the fraction is beta-binomial.
//!
//! Neither knows that the weights could have been others. For the former, `spread` measures on votes that were
//! not learned from how much wider the normal has to be; for both, `levels` measures there at which level an interval has
//! to be drawn to hold as often as it says.

use std::sync::LazyLock;

use statrs::function::beta::{beta_reg, ln_beta};
use statrs::function::erf::erf_inv;
use statrs::function::factorial::ln_binomial;

/// A range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// Values that stand for a normal distribution, equally probable each: the middles of as many equal parts,
/// set apart so far that their variance is 1 (the middles alone have 0.96 of it).
pub(crate) static NODES: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let middles = (0..32).map(|i| normal_quantile((f64::from(i) + 0.5) / 32.0));
    let middles: Vec<f64> = middles.collect();
    let variance = middles.iter().map(|x| x * x).sum::<f64>() / 32.0;
    middles.into_iter().map(|x| x / variance.sqrt()).collect()
});

/// The standard normal's quantile.
pub(crate) fn normal_quantile(p: f64) -> f64 {
    std::f64::consts::SQRT_2 * erf_inv(2.0 * p - 1.0)
}

pub(crate) fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

/// The central range of the probability of a class whose logit is normal.
pub(crate) fn of_logit(mean: f64, sd: f64, confidence: f64) -> Range {
    let z = normal_quantile(0.5 + confidence / 2.0);
    Range { low: sigmoid(mean - z * sd), high: sigmoid(mean + z * sd) }
}

/// The distribution of how many of so many volunteers choose a class: the chance of each count, from 0 on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chances(Vec<f64>);

impl Chances {
    /// Of `n` volunteers, where the logit is normal.
    pub(crate) fn of_binomial(mean: f64, sd: f64, n: u32) -> Self {
        let nodes: Vec<f64> = NODES.iter().map(|node| sigmoid(mean + sd * node)).collect();
        Self::new(n, |k| {
            let ways = ln_binomial(u64::from(n), u64::from(k));
            let chance = |p: &f64| {
                // A probability that rounds to 0 or 1 leaves 0 × log 0, which is none.
                let log = |count: u32, p: f64| if count == 0 { 0.0 } else { f64::from(count) * p.ln() };
                (ways + log(k, *p) + log(n - k, 1.0 - p)).exp()
            };
            nodes.iter().map(chance).sum::<f64>() / nodes.len() as f64
        })
    }

    fn new(n: u32, chance: impl Fn(u32) -> f64) -> Self {
        let chances: Vec<f64> = (0..=n).map(chance).collect();
        let whole: f64 = chances.iter().sum();
        Self(chances.into_iter().map(|c| c / whole).collect())
    }

    /// The central range of the count, as a fraction: the smallest with at most the tail below it, and at most
    /// the tail above.
    pub(crate) fn range(&self, confidence: f64) -> Range {
        let tail = (1.0 - confidence) / 2.0;
        let edge = |mut counts: Box<dyn Iterator<Item = usize>>| {
            let mut below = 0.0;
            counts.by_ref().find(|k| {
                below += self.0[*k];
                below > tail
            })
        };
        let counts = 0..self.0.len();
        let (low, high) = (edge(Box::new(counts.clone())), edge(Box::new(counts.rev())));
        let n = self.0.len().saturating_sub(1).max(1) as f64;
        let share = |k: Option<usize>, otherwise| k.map_or(otherwise, |k| k as f64 / n);
        Range { low: share(low, 0.0), high: share(high, 1.0) }
    }

    /// The confidence above which the range holds a count.
    pub(crate) fn level_of(&self, count: usize) -> f64 {
        let count = count.min(self.0.len().saturating_sub(1));
        let below: f64 = self.0[..=count].iter().sum();
        let above: f64 = self.0[count..].iter().sum();
        (1.0 - 2.0 * below.min(above)).max(0.0)
    }
}

/// A beta distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Beta {
    pub(crate) a: f64,
    pub(crate) b: f64,
}

impl Beta {
    /// The one with this mean and variance; a variance that no beta distribution with this mean has is taken
    /// as the nearest that one has.
    pub(crate) fn with_moments(mean: f64, variance: f64) -> Self {
        let mean = mean.clamp(1e-6, 1.0 - 1e-6);
        let most = mean * (1.0 - mean);
        let variance = variance.clamp(most * 1e-9, most * 0.999);
        let sum = most / variance - 1.0;
        Self { a: mean * sum, b: (1.0 - mean) * sum }
    }

    /// The central range of the probability.
    pub(crate) fn range(self, confidence: f64) -> Range {
        let quantile = |p: f64| {
            let (mut low, mut high) = (0.0, 1.0);
            for _ in 0..40 {
                let middle = f64::midpoint(low, high);
                if beta_reg(self.a, self.b, middle) < p { low = middle } else { high = middle }
            }
            f64::midpoint(low, high)
        };
        let tail = (1.0 - confidence) / 2.0;
        Range { low: quantile(tail), high: quantile(1.0 - tail) }
    }

    /// How many of `n` volunteers choose the class.
    pub(crate) fn chances(self, n: u32) -> Chances {
        let whole = ln_beta(self.a, self.b);
        Chances::new(n, |k| {
            let ways = ln_binomial(u64::from(n), u64::from(k));
            (ways + ln_beta(self.a + f64::from(k), self.b + f64::from(n - k)) - whole).exp()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64, tolerance: f64) {
        assert!((a - b).abs() < tolerance, "{a} and {b}");
    }

    #[test]
    fn a_logit_without_spread_gives_the_binomial_interval() {
        // scipy.stats.binom.ppf([0.05, 0.95], 50, 0.3) = 10, 20 (SciPy 1.16).
        let range = Chances::of_binomial((0.3_f64 / 0.7).ln(), 0.0, 50).range(0.9);
        assert_eq!(range, Range { low: 0.2, high: 0.4 });
        // With certainty there is no range.
        let certain = |logit| Chances::of_binomial(logit, 0.0, 50).range(0.9);
        assert_eq!(certain(800.0), Range { low: 1.0, high: 1.0 });
        assert_eq!(certain(-800.0), Range { low: 0.0, high: 0.0 });
    }

    #[test]
    fn the_probability_lies_between_the_quantiles_of_its_logit() {
        let range = of_logit(0.4, 0.5, 0.95);
        near(range.low, sigmoid(0.4 - 0.5 * 1.959_963_985), 1e-9);
        near(range.high, sigmoid(0.4 + 0.5 * 1.959_963_985), 1e-9);
    }

    #[test]
    fn a_range_holds_a_count_just_above_its_level() {
        for (mean, sd, n) in [(0.4, 0.5, 20), (-3.0, 1.2, 50), (0.0, 0.0, 7)] {
            let chances = Chances::of_binomial(mean, sd, n);
            for count in 0..=n as usize {
                let level = chances.level_of(count);
                let holds = |level: f64| {
                    let Range { low, high } = chances.range(level);
                    let fraction = count as f64 / f64::from(n);
                    low - 1e-9 <= fraction && fraction <= high + 1e-9
                };
                assert!(holds(level + 1e-9), "{count} of {n} at {level}");
                assert!(level == 0.0 || !holds(level - 1e-9), "{count} of {n} at {level}");
            }
        }
    }

    #[test]
    fn a_uniform_beta_is_uniform() {
        let beta = Beta::with_moments(0.5, 1.0 / 12.0);
        near(beta.a, 1.0, 1e-12);
        near(beta.b, 1.0, 1e-12);
        let range = beta.range(0.9);
        near(range.low, 0.05, 1e-9);
        near(range.high, 0.95, 1e-9);
        // A uniform probability makes every count of 0 to 20 as probable as another: 1/21 each, so that
        // one lies below the range and one above.
        assert_eq!(beta.chances(20).range(0.9), Range { low: 0.05, high: 0.95 });
    }

    #[test]
    fn fractions_drawn_from_the_model_fall_into_the_interval_as_often_as_it_says() {
        use rand::RngExt as _;
        let mut rng = volary_core::seed::stream(5, "test");
        let (mean, sd, n) = (-0.7, 0.8, 40);
        let range = Chances::of_binomial(mean, sd, n).range(0.9);
        let draws = crate::random::normals(4000, &mut rng);
        let mut n_inside = 0;
        for draw in &draws {
            let p = sigmoid(mean + sd * f64::from(*draw));
            let votes = (0..n).filter(|_| rng.random::<f64>() < p).count() as f64 / f64::from(n);
            n_inside += usize::from((range.low..=range.high).contains(&votes));
        }
        // Counts are whole, so that a range holds a little more than it says.
        let share = n_inside as f64 / draws.len() as f64;
        assert!((0.885..0.935).contains(&share), "{share}");
    }
}
