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
//! Neither knows that the weights could have been others: how often the fraction of unseen pictures falls
//! into its interval is measured and written into the metrics.

use statrs::function::beta::{beta_reg, ln_beta};
use statrs::function::erf::erf_inv;
use statrs::function::factorial::ln_binomial;

/// A range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// Values of a normal distribution that stand for it, equally probable each.
const N_NODES: usize = 32;

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

/// The central range of the fraction that `n` volunteers would give, where the logit is normal.
pub(crate) fn of_binomial_fraction(mean: f64, sd: f64, n: u32, confidence: f64) -> Range {
    let nodes: Vec<f64> = (0..N_NODES)
        .map(|i| sigmoid(mean + sd * normal_quantile((i as f64 + 0.5) / N_NODES as f64)))
        .collect();
    let of_count = |k: u32| {
        let ways = ln_binomial(u64::from(n), u64::from(k));
        let chance = |p: &f64| {
            // A probability that rounds to 0 or 1 leaves 0 × log 0, which is none.
            let log = |count: u32, p: f64| if count == 0 { 0.0 } else { f64::from(count) * p.ln() };
            (ways + log(k, *p) + log(n - k, 1.0 - p)).exp()
        };
        nodes.iter().map(chance).sum::<f64>() / N_NODES as f64
    };
    of_counts(n, confidence, of_count)
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

    /// The central range of the fraction that `n` volunteers would give.
    pub(crate) fn fraction_range(self, n: u32, confidence: f64) -> Range {
        let whole = ln_beta(self.a, self.b);
        let of_count = |k: u32| {
            let ways = ln_binomial(u64::from(n), u64::from(k));
            (ways + ln_beta(self.a + f64::from(k), self.b + f64::from(n - k)) - whole).exp()
        };
        of_counts(n, confidence, of_count)
    }
}

/// The central range of a count out of `n`, as a fraction: the smallest with at most the tail below it, and
/// at most the tail above.
fn of_counts(n: u32, confidence: f64, chance: impl Fn(u32) -> f64) -> Range {
    let tail = (1.0 - confidence) / 2.0;
    let chances: Vec<f64> = (0..=n).map(chance).collect();
    let whole: f64 = chances.iter().sum();
    let edge = |mut counts: Box<dyn Iterator<Item = usize>>| {
        let mut below = 0.0;
        counts.by_ref().find(|k| {
            below += chances[*k] / whole;
            below > tail
        })
    };
    let counts = 0..chances.len();
    let (low, high) = (edge(Box::new(counts.clone())), edge(Box::new(counts.rev())));
    let share = |k: Option<usize>, otherwise| k.map_or(otherwise, |k| k as f64 / f64::from(n.max(1)));
    Range { low: share(low, 0.0), high: share(high, 1.0) }
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
        let range = of_binomial_fraction((0.3_f64 / 0.7).ln(), 0.0, 50, 0.9);
        assert_eq!(range, Range { low: 0.2, high: 0.4 });
        // With certainty there is no range.
        assert_eq!(of_binomial_fraction(800.0, 0.0, 50, 0.9), Range { low: 1.0, high: 1.0 });
        assert_eq!(of_binomial_fraction(-800.0, 0.0, 50, 0.9), Range { low: 0.0, high: 0.0 });
    }

    #[test]
    fn the_probability_lies_between_the_quantiles_of_its_logit() {
        let range = of_logit(0.4, 0.5, 0.95);
        near(range.low, sigmoid(0.4 - 0.5 * 1.959_963_985), 1e-9);
        near(range.high, sigmoid(0.4 + 0.5 * 1.959_963_985), 1e-9);
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
        assert_eq!(beta.fraction_range(20, 0.9), Range { low: 0.05, high: 0.95 });
    }

    #[test]
    fn fractions_drawn_from_the_model_fall_into_the_interval_as_often_as_it_says() {
        use rand::RngExt as _;
        let mut rng = volary_core::seed::stream(5, "test");
        let (mean, sd, n) = (-0.7, 0.8, 40);
        let range = of_binomial_fraction(mean, sd, n, 0.9);
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
