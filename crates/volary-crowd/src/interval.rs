//! Intervals for a share: Wilson, Jeffreys, Clopper–Pearson, and any beta posterior.
//!
//! Wilson 1927 (doi:10.1080/01621459.1927.10502953); Jeffreys' prior Beta(½, ½) as in Brown, Cai &
//! DasGupta 2001 (doi:10.1214/ss/1009213286); Clopper & Pearson 1934 (doi:10.1093/biomet/26.4.404).
//! `k` and `n` are real numbers, because weighted votes count as (Σw)²/Σw² effective ones (Kish 1965).
//! Wald's interval is left out on purpose: it has no width at k = 0, where most subjects are.

use crate::special::{beta_quantile, beta_upper, beta_upper_quantile, two_sided_z};

/// Which interval to put around a share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IntervalKind {
    /// The score interval.
    Wilson,
    /// Equal tails of the posterior under Beta(½, ½).
    #[default]
    Jeffreys,
    /// The exact interval: never covers too little, often too much.
    ClopperPearson,
    /// Equal tails of the posterior under the prior fitted to all subjects.
    BetaBinomial,
}

impl IntervalKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Wilson, Self::Jeffreys, Self::ClopperPearson, Self::BetaBinomial];

    /// The kind of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Its name on the command line and in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wilson => "wilson",
            Self::Jeffreys => "jeffreys",
            Self::ClopperPearson => "clopper-pearson",
            Self::BetaBinomial => "beta-binomial",
        }
    }
}

/// An interval of shares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Where nothing is known.
    pub const WHOLE: Self = Self { low: 0.0, high: 1.0 };

    /// Its width.
    #[must_use]
    pub fn width(self) -> f64 {
        self.high - self.low
    }

    /// Whether `share` lies in it.
    #[must_use]
    pub fn contains(self, share: f64) -> bool {
        self.low <= share && share <= self.high
    }
}

/// Wilson's score interval for `k` of `n` at `level` (0.95, say).
#[must_use]
pub fn wilson(k: f64, n: f64, level: f64) -> Interval {
    if n <= 0.0 {
        return Interval::WHOLE;
    }
    let z = two_sided_z(level);
    let (p, z2) = (k / n, z * z);
    let centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).max(0.0).sqrt();
    // Exactly 0 and 1 at the ends, where rounding would leave 1e-17.
    let low = if k <= 0.0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if k >= n { 1.0 } else { (centre + half).min(1.0) };
    Interval { low, high }
}

/// Jeffreys' interval for `k` of `n`, with low = 0 at k = 0 and high = 1 at k = n.
///
/// The two ends are moved as Brown, Cai & DasGupta advise, so that a share of 0 lies in its own
/// interval; the other end stays the plain quantile. (`statsmodels` does not move them.)
#[must_use]
pub fn jeffreys(k: f64, n: f64, level: f64) -> Interval {
    if n <= 0.0 {
        return Interval::WHOLE;
    }
    let mut interval = beta_interval(k + 0.5, n - k + 0.5, level);
    if k <= 0.0 {
        interval.low = 0.0;
    }
    if k >= n {
        interval.high = 1.0;
    }
    interval
}

/// The exact interval for `k` of `n`.
#[must_use]
pub fn clopper_pearson(k: f64, n: f64, level: f64) -> Interval {
    if n <= 0.0 {
        return Interval::WHOLE;
    }
    let tail = (1.0 - level) / 2.0;
    Interval {
        low: if k <= 0.0 { 0.0 } else { beta_quantile(k, n - k + 1.0, tail) },
        high: if k >= n { 1.0 } else { beta_upper_quantile(k + 1.0, n - k, tail) },
    }
}

/// The equal-tailed interval of Beta(a, b).
#[must_use]
pub fn beta_interval(a: f64, b: f64, level: f64) -> Interval {
    let tail = (1.0 - level) / 2.0;
    Interval { low: beta_quantile(a, b, tail), high: beta_upper_quantile(a, b, tail) }
}

/// z with P(|Z| ≤ z) = `level` for a normal Z: an interval is an estimate ± z standard errors.
#[must_use]
pub fn normal_half_width(level: f64) -> f64 {
    two_sided_z(level)
}

/// t with P(|T| ≤ t) = `level` for Student's T with `freedom` degrees of freedom (more than 0): a mean ± t
/// standard errors.
#[must_use]
pub fn student_half_width(freedom: f64, level: f64) -> f64 {
    // T²/(T² + ν) is Beta(½, ν/2), and its complement Beta(ν/2, ½), which is exact where T is large.
    let rest = beta_quantile(freedom / 2.0, 0.5, 1.0 - level);
    (freedom * (1.0 - rest) / rest).sqrt()
}

/// P(|T| > |t|) for Student's T with `freedom` degrees of freedom (more than 0); exact where it is tiny.
#[must_use]
pub fn student_p(t: f64, freedom: f64) -> f64 {
    let t2 = t * t;
    if t2.is_infinite() { 0.0 } else { beta_upper(0.5, freedom / 2.0, t2 / (t2 + freedom)) }
}

/// P(p > x) for p ~ Beta(a, b): how sure a threshold is passed.
#[must_use]
pub fn beta_tail(a: f64, b: f64, x: f64) -> f64 {
    beta_upper(a, b, x)
}

#[cfg(test)]
#[path = "interval_tests.rs"]
mod tests;
