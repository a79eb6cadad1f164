//! Intervals by resampling subjects: as many subjects as there are, drawn with replacement, again and again.
//!
//! Efron 1987 (doi:10.1080/01621459.1987.10478410): bias-corrected and accelerated (BCa), since a plain
//! percentile interval covers too little where answers are rare. Votes of one subject stay together, since
//! they depend on each other; volunteers stay as they are, so the interval says how the value would change on other subjects
//! of the same kind with the same crowd. A replicate draws how often each pattern comes, which is
//! multinomial, one binomial after the other: its cost is the number of patterns, not of subjects. Each
//! replicate has its own stream of random numbers, so that threads change nothing.

use rand::RngExt as _;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use statrs::function::erf::{erfc, erfc_inv};
use volary_core::seed::Rng;

use super::patterns::Patterns;
use super::{Missing, replicate_stream};
use crate::draws;
use crate::interval::Interval;

/// A value and its interval.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    pub(super) value: Result<f64, Missing>,
    pub(super) interval: Result<Interval, Missing>,
}

/// How to resample.
pub(super) struct Bootstrap {
    pub(super) n_replicates: u32,
    pub(super) confidence: f64,
    pub(super) seed: u64,
    pub(super) stream: String,
}

impl Bootstrap {
    /// The measures of the patterns as they are, with intervals.
    pub(super) fn run<const M: usize>(
        &self,
        patterns: &Patterns,
        measure: impl Fn(&[u64]) -> [Result<f64, Missing>; M] + Sync,
    ) -> [Estimate; M] {
        let values = measure(&patterns.n_subjects);
        let is_needed = values.iter().any(Result::is_ok) && self.why_not(patterns).is_none();
        let n = if is_needed { self.n_replicates } else { 0 };
        let replicates: Vec<[Result<f64, Missing>; M]> = (0..n)
            .into_par_iter()
            .map(|replicate| {
                let rng = &mut replicate_stream(self.seed, &self.stream, replicate);
                measure(&resample(rng, &patterns.n_subjects))
            })
            .collect();
        let left_out = if is_needed { self.leave_one_out(patterns, &measure) } else { Vec::new() };
        std::array::from_fn(|m| {
            let interval = match (values[m], self.why_not(patterns)) {
                (Err(missing), _) | (Ok(_), Some(missing)) => Err(missing),
                (Ok(value), None) => {
                    let drawn = replicates.iter().filter_map(|r| r[m].ok()).collect();
                    let without: Option<Vec<(f64, f64)>> =
                        left_out.iter().map(|(n, values)| Some((*n, values[m].ok()?))).collect();
                    self.interval(value, drawn, acceleration(&without.unwrap_or_default()))
                }
            };
            Estimate { value: values[m], interval }
        })
    }

    /// Why resampling would say nothing.
    fn why_not(&self, patterns: &Patterns) -> Option<Missing> {
        if patterns.pairable().0 < 2 {
            return Some(Missing::OneSubject);
        }
        patterns.is_unanimous().then_some(Missing::Unanimous)
    }

    /// The measures without one subject, with the number of subjects that this stands for; none where there
    /// are so many patterns that the distribution has no skew left.
    fn leave_one_out<const M: usize>(
        &self,
        patterns: &Patterns,
        measure: &(impl Fn(&[u64]) -> [Result<f64, Missing>; M] + Sync),
    ) -> Vec<(f64, [Result<f64, Missing>; M])> {
        if patterns.len() > MOST_LEFT_OUT || self.n_replicates == 0 {
            return Vec::new();
        }
        let without = |pattern: usize| {
            let mut weights = patterns.n_subjects.clone();
            weights[pattern] -= 1;
            (patterns.n_subjects[pattern] as f64, measure(&weights))
        };
        (0..patterns.len()).into_par_iter().map(without).collect()
    }

    /// The part of the replicates between the corrected quantiles. Those without a value (all drawn votes the
    /// same) stand aside.
    fn interval(&self, value: f64, mut drawn: Vec<f64>, acceleration: f64) -> Result<Interval, Missing> {
        if drawn.len() < 2 {
            return Err(Missing::FewReplicates);
        }
        drawn.sort_by(f64::total_cmp);
        let n = drawn.len() as f64;
        let below = drawn.partition_point(|x| *x < value);
        let equal = drawn.partition_point(|x| *x <= value) - below;
        let bias =
            normal_quantile(((below as f64 + 0.5 * equal as f64) / n).clamp(0.5 / n, 1.0 - 0.5 / n));
        let corrected = |p: f64| {
            let z = bias + normal_quantile(p);
            normal_below(bias + z / (1.0 - acceleration * z).max(0.1))
        };
        let tail = (1.0 - self.confidence) / 2.0;
        Ok(Interval {
            low: quantile(&drawn, corrected(tail)),
            high: quantile(&drawn, corrected(1.0 - tail)),
        })
    }
}

/// Most patterns for which the measures are taken without each in turn.
const MOST_LEFT_OUT: usize = 2048;

/// A sixth of the skewness of the values without one subject, each with its number of subjects.
fn acceleration(without: &[(f64, f64)]) -> f64 {
    let n: f64 = without.iter().map(|(n, _)| n).sum();
    let mean = without.iter().map(|(n, x)| n * x).sum::<f64>() / n;
    let moment = |k: i32| without.iter().map(|(n, x)| n * (mean - x).powi(k)).sum::<f64>();
    let (second, third) = (moment(2), moment(3));
    if second > 0.0 { third / (6.0 * second.powf(1.5)) } else { 0.0 }
}

fn normal_quantile(p: f64) -> f64 {
    -std::f64::consts::SQRT_2 * erfc_inv(2.0 * p)
}

fn normal_below(z: f64) -> f64 {
    0.5 * erfc(-z * std::f64::consts::FRAC_1_SQRT_2)
}

/// Linear between order statistics, at p·(n + 1) as for percentile intervals.
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let last = (sorted.len() - 1) as f64;
    let at = (p * (sorted.len() + 1) as f64 - 1.0).clamp(0.0, last);
    let (below, part) = (at.floor() as usize, at.fract());
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + part * (sorted[above] - sorted[below])
}

/// How often each pattern comes in as many draws as there are subjects.
pub(super) fn resample(rng: &mut Rng, n_subjects: &[u64]) -> Vec<u64> {
    let mut left: u64 = n_subjects.iter().sum();
    let mut draws_left = left;
    let mut weights = Vec::with_capacity(n_subjects.len());
    for n in n_subjects {
        let drawn =
            if *n == left { draws_left } else { binomial(rng, draws_left, *n as f64 / left as f64) };
        weights.push(drawn);
        draws_left -= drawn;
        left -= n;
    }
    weights
}

/// A draw from Binomial(n, p), exact. Large n are halved at a beta-distributed order statistic (Relles 1972,
/// JASA 67, 612) until few successes are expected, which are then counted off.
pub(super) fn binomial(rng: &mut Rng, mut n: u64, mut p: f64) -> u64 {
    let mut sure = 0;
    while n as f64 * p.min(1.0 - p) > 30.0 {
        let middle = n.div_ceil(2);
        let at = draws::beta(rng, middle as f64, (n + 1 - middle) as f64);
        if at <= p {
            // `middle` of the uniforms lie at or below p; the others are uniform above `at`.
            sure += middle;
            n -= middle;
            p = ((p - at) / (1.0 - at)).clamp(0.0, 1.0);
        } else {
            n = middle - 1;
            p = (p / at).clamp(0.0, 1.0);
        }
    }
    if p > 0.5 { sure + n - count_off(rng, n, 1.0 - p) } else { sure + count_off(rng, n, p) }
}

/// Inversion: adds up the chances from 0 on.
fn count_off(rng: &mut Rng, n: u64, p: f64) -> u64 {
    if n == 0 || p <= 0.0 {
        return 0;
    }
    let odds = p / (1.0 - p);
    // n·p ≤ 30 and p ≤ ½, so this is at least (½)^60.
    let mut chance = (n as f64 * (-p).ln_1p()).exp();
    let mut u = rng.random::<f64>();
    for k in 0..n {
        if u < chance {
            return k;
        }
        u -= chance;
        chance *= (n - k) as f64 / (k + 1) as f64 * odds;
        if chance == 0.0 {
            return k;
        }
    }
    n
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binomial_draws_have_the_right_moments_and_shape() {
        let rng = &mut volary_core::seed::stream(3, "binomial test");
        for (n, p) in [(1_u64, 0.3), (12, 0.5), (40, 0.9), (1000, 0.01), (1000, 0.4), (1_000_000, 0.7)] {
            let draws: Vec<f64> = (0..20_000).map(|_| binomial(rng, n, p) as f64).collect();
            let mean = draws.iter().sum::<f64>() / 2e4;
            let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 2e4;
            let (m, v) = (n as f64 * p, n as f64 * p * (1.0 - p));
            assert!((mean - m).abs() < 4.5 * (v / 2e4).sqrt(), "{n} {p}: {mean}");
            assert!((variance / v - 1.0).abs() < 0.06, "{n} {p}: {variance}");
            assert!(draws.iter().all(|x| *x <= n as f64));
        }
        assert_eq!((binomial(rng, 7, 0.0), binomial(rng, 7, 1.0), binomial(rng, 0, 0.5)), (0, 7, 0));
        // X² of Binomial(100, 0.5), which takes the halving, against its chances.
        let mut counts = vec![0.0; 101];
        (0..100_000).for_each(|_| counts[binomial(rng, 100, 0.5) as usize] += 1.0);
        let mut chance = 0.5_f64.powi(100);
        let mut x2 = 0.0;
        for (k, count) in counts.iter().enumerate() {
            if (38..=62).contains(&k) {
                x2 += (count - 1e5 * chance).powi(2) / (1e5 * chance);
            }
            chance *= (100 - k) as f64 / (k + 1) as f64;
        }
        assert!(x2 < 25.0 + 4.5 * 50.0_f64.sqrt(), "{x2}");
    }

    #[test]
    fn a_replicate_draws_as_many_subjects_as_there_are() {
        let rng = &mut volary_core::seed::stream(4, "resample test");
        let n_subjects = [5, 0, 1, 30, 10_000, 1];
        let mut sums = [0.0; 6];
        for _ in 0..2_000 {
            let weights = resample(rng, &n_subjects);
            assert_eq!(weights.iter().sum::<u64>(), n_subjects.iter().sum::<u64>());
            sums.iter_mut().zip(&weights).for_each(|(s, w)| *s += *w as f64 / 2e3);
        }
        for (sum, n) in sums.iter().zip(n_subjects) {
            assert!((sum - n as f64).abs() <= 4.5 * (n as f64 / 2e3).sqrt(), "{sum} for {n}");
        }
    }

    #[test]
    fn corrections_follow_the_formulas() {
        assert!((normal_quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-9);
        assert!((normal_below(-1.0) - 0.158_655_253_931_457).abs() < 1e-9);
        // Two values of three subjects: mean 1, second moment 2·1 + 4 = 6, third 2·1³ − 2³ = −6.
        let a = acceleration(&[(2.0, 0.0), (1.0, 3.0)]);
        assert!((a + 6.0 / (6.0 * 6.0_f64.powf(1.5))).abs() < 1e-15, "{a}");
        assert_eq!((acceleration(&[]), acceleration(&[(5.0, 1.0)])), (0.0, 0.0));
        // Without bias and skew the interval is the percentile's.
        let bootstrap = Bootstrap { n_replicates: 0, confidence: 0.9, seed: 0, stream: String::new() };
        let drawn: Vec<f64> = (1..=999).map(f64::from).collect();
        let plain = bootstrap.interval(500.0, drawn.clone(), 0.0).unwrap();
        assert!((plain.low - 50.0).abs() < 1e-6 && (plain.high - 950.0).abs() < 1e-6, "{plain:?}");
        // Replicates that lie low on average shift the interval up, and so does a positive skew.
        assert!(bootstrap.interval(600.0, drawn.clone(), 0.0).unwrap().low > 60.0);
        assert!(bootstrap.interval(500.0, drawn, 0.1).unwrap().high > 955.0);
    }

    #[test]
    fn quantiles_lie_between_the_order_statistics() {
        let values: Vec<f64> = (1..=999).map(f64::from).collect();
        assert!((quantile(&values, 0.025) - 25.0).abs() < 1e-9);
        assert!((quantile(&values, 0.975) - 975.0).abs() < 1e-9);
        assert_eq!((quantile(&[3.0, 4.0], 0.001), quantile(&[3.0, 4.0], 0.999)), (3.0, 4.0));
    }
}
