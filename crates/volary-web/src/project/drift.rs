//! Whether a machine and the crowd agree now as they did: the last week beside the weeks before it.
//!
//! Weeks are counted back from the last vote of the record; a subject belongs to the week of its last vote. The weeks
//! before give a beta–binomial fit (or, where they differ by no more than chance, their pooled share); the band is
//! where the number of the last week would lie 99 times in 100 if it were one more of them. Nothing here knows why
//! agreement changes.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;
use volary_crowd::BetaBinomial;
use volary_crowd::interval::jeffreys;

const DAY_MS: i64 = 86_400_000;
const WINDOW_DAYS: i64 = 7;
/// Weeks before the last one, at least.
const LEAST_WINDOWS: usize = 4;
/// Subjects of the last week, at least.
const LEAST: u64 = 20;
const LEVEL: f64 = 0.95;
/// How often the band holds what has not changed.
const BAND_LEVEL: f64 = 0.99;

/// The last week beside the weeks before it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Drift {
    window_days: i64,
    /// First day of the last week.
    from: String,
    /// Its last day.
    to: String,
    /// Subjects of it.
    n: u64,
    n_agree: u64,
    share: f64,
    /// Jeffreys' interval.
    share_low: f64,
    share_high: f64,
    /// Weeks before it that have subjects, and their subjects.
    n_windows: usize,
    n_before: u64,
    share_before: f64,
    /// Where the share of the last week would lie 99 times in 100.
    band_low: f64,
    band_high: f64,
    /// Whether it does not.
    is_off: bool,
}

/// From the time of each subject (ms since 1970) and whether both agree on it. Nothing where there are too few weeks
/// or subjects to say anything.
pub(crate) fn of(subjects: impl IntoIterator<Item = (i64, bool)>) -> Option<Drift> {
    let subjects: Vec<(i64, bool)> =
        subjects.into_iter().map(|(at_ms, agrees)| (at_ms.div_euclid(DAY_MS), agrees)).collect();
    let last_day = subjects.iter().map(|s| s.0).max()?;
    let mut windows: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
    for (day, agrees) in subjects {
        let window = windows.entry((last_day - day) / WINDOW_DAYS).or_default();
        *window = (window.0 + u64::from(agrees), window.1 + 1);
    }
    let (k, n) = windows.remove(&0)?;
    if windows.len() < LEAST_WINDOWS || n < LEAST {
        return None;
    }
    let (k_before, n_before) = windows.values().fold((0, 0), |(k, n), w| (k + w.0, n + w.1));
    let pooled = (k_before as f64 + 0.5, (n_before - k_before) as f64 + 0.5);
    let fitted = BetaBinomial::fit(windows.values().copied()).ok();
    // No fit knows a share better than all subjects together tell it.
    let fitted = fitted.filter(|fit| fit.alpha + fit.beta < n_before as f64 + 1.0);
    let (alpha, beta) = fitted.map_or(pooled, |fit| (fit.alpha, fit.beta));
    let (low, high) = predicted(n, alpha, beta, BAND_LEVEL);
    let interval = jeffreys(k as f64, n as f64, LEVEL);
    let day = |day: i64| {
        let time = jiff::Timestamp::from_millisecond(day * DAY_MS).unwrap_or_default();
        time.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
    };
    Some(Drift {
        window_days: WINDOW_DAYS,
        from: day(last_day - WINDOW_DAYS + 1),
        to: day(last_day),
        n,
        n_agree: k,
        share: k as f64 / n as f64,
        share_low: interval.low,
        share_high: interval.high,
        n_windows: windows.len(),
        n_before,
        share_before: k_before as f64 / n_before as f64,
        band_low: low as f64 / n as f64,
        band_high: high as f64 / n as f64,
        is_off: k < low || k > high,
    })
}

/// The smallest and the largest number of n that a beta–binomial gives without cutting off more than half of the rest
/// at either end.
fn predicted(n: u64, alpha: f64, beta: f64, level: f64) -> (u64, u64) {
    // Relative to the likeliest number, so that nothing is too small to be kept: p(k + 1)/p(k) is rational.
    let ratio = |k: u64| {
        let (k, n) = (k as f64, n as f64);
        (n - k) / (k + 1.0) * (k + alpha) / (n - k - 1.0 + beta)
    };
    let start = ((alpha / (alpha + beta) * n as f64) as u64).min(n);
    let mut weights = vec![0.0; n as usize + 1];
    weights[start as usize] = 1.0;
    for k in start..n {
        weights[k as usize + 1] = weights[k as usize] * ratio(k);
    }
    for k in (0..start).rev() {
        weights[k as usize] = weights[k as usize + 1] / ratio(k);
    }
    let tail = (1.0 - level) / 2.0 * weights.iter().sum::<f64>();
    let all = || (0..).zip(weights.iter().copied());
    let low = end(all(), tail).unwrap_or(n);
    let high = end(all().collect::<Vec<_>>().into_iter().rev(), tail).unwrap_or(0);
    (low, high)
}

/// Where the sum of weights passes a tail.
fn end(order: impl IntoIterator<Item = (u64, f64)>, tail: f64) -> Option<u64> {
    let mut sum = 0.0;
    let passes = |(_, weight): &(u64, f64)| {
        sum += weight;
        sum > tail
    };
    order.into_iter().find(passes).map(|(k, _)| k)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers between 0 and 1, the same each time.
    fn noise(seed: u64) -> impl FnMut() -> f64 {
        let mut state = seed;
        move || {
            state =
                state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        }
    }

    #[test]
    fn the_band_is_that_of_known_distributions() {
        // Beta(1, 1) gives every number as often: of 0..=99, one in a hundred at each end is cut off at 98 %.
        assert_eq!(predicted(99, 1.0, 1.0, 0.981), (0, 99));
        assert_eq!(predicted(99, 1.0, 1.0, 0.979), (1, 98));
        // With much known it is the binomial: 100 at ½, by its tables at 95 %.
        assert_eq!(predicted(100, 5e8, 5e8, 0.95), (40, 60));
        assert_eq!(predicted(1, 9.0, 1.0, 0.95), (0, 1));
        let (low, high) = predicted(1_000_000, 9e5, 1e5, 0.95);
        assert!(low > 898_500 && low < 899_500 && high > 900_500 && high < 901_500, "{low} {high}");
    }

    fn weeks(shares: &[f64], each: u32, seed: u64) -> Vec<(i64, bool)> {
        let mut next = noise(seed);
        let mut out = Vec::new();
        for (week, share) in shares.iter().enumerate() {
            for i in 0..each {
                let day = week as i64 * 7 + i64::from(i % 7);
                out.push((day * DAY_MS + 5, next() < *share));
            }
        }
        out
    }

    #[test]
    fn what_stays_is_seldom_flagged_and_what_changes_is() {
        let steady = [0.85; 9];
        let flagged = (0..400).filter(|seed| of(weeks(&steady, 140, *seed)).unwrap().is_off).count();
        assert!(flagged <= 12, "{flagged} of 400, of which 4 are to be expected");
        let mut fallen = steady;
        fallen[8] = 0.6;
        let found = of(weeks(&fallen, 140, 3)).unwrap();
        assert!(found.is_off && found.share < found.band_low, "{found:?}");
        assert_eq!((found.n, found.n_windows, found.n_before), (140, 8, 8 * 140));
        assert_eq!((found.from.as_str(), found.to.as_str()), ("1970-02-26", "1970-03-04"));
        // Where weeks always differed as much, one that differs is nothing new.
        let restless = [0.55, 0.95, 0.6, 0.9, 0.95, 0.55, 0.92, 0.6, 0.6];
        let found = of(weeks(&restless, 140, 3)).unwrap();
        assert!(!found.is_off && found.band_high - found.band_low > 0.3, "{found:?}");
    }

    #[test]
    fn too_little_says_nothing() {
        assert_eq!(of([]), None);
        assert_eq!(of(weeks(&[0.8; 4], 140, 1)), None, "three weeks before");
        assert_eq!(of(weeks(&[0.8; 6], 14, 1)), None, "few in the last week");
        assert!(of(weeks(&[1.0; 6], 70, 1)).is_some_and(|d| !d.is_off && d.band_high == 1.0));
    }
}
