//! A quantile with an interval that assumes nothing of the distribution.
//!
//! The ends are order statistics: the number of values below the true quantile is binomial (David & Nagaraja
//! 2003, Order Statistics, section 7.1). With few values no pair of them reaches the level, and there is no interval.

/// A quantile of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantile {
    /// Its value, between neighbours linearly, as `numpy.quantile` does.
    pub value: f64,
    /// The interval; `None` where the sample is too small for the level.
    pub interval: Option<(f64, f64)>,
}

/// The quantile at `p` of sorted values; `None` of none.
#[must_use]
pub fn quantile(sorted: &[f64], p: f64, level: f64) -> Option<Quantile> {
    let n = sorted.len();
    let last = n.checked_sub(1)?;
    let at = p.clamp(0.0, 1.0) * last as f64;
    let below = (at.floor() as usize).min(last);
    let above = (below + 1).min(last);
    let value = sorted[below] + (at - below as f64) * (sorted[above] - sorted[below]);
    let tail = (1.0 - level) / 2.0;
    // P(fewer than i values lie below the quantile), i = 1, 2, …
    let mut cumulative = Vec::with_capacity(n + 1);
    let mut sum = 0.0;
    let (log_p, log_q) = (p.ln(), (1.0 - p).ln());
    let mut log_choose = 0.0;
    for i in 0..=n {
        let term = |k: usize, log: f64| if k == 0 { 0.0 } else { k as f64 * log };
        sum += (log_choose + term(i, log_p) + term(n - i, log_q)).exp();
        cumulative.push(sum);
        log_choose += ((n - i) as f64 / (i + 1) as f64).ln();
    }
    // Largest low with P(Bin < low) ≤ tail, counted from 1; smallest high with P(Bin ≥ high) ≤ tail.
    let low = (1..=n).rev().find(|&i| cumulative[i - 1] <= tail);
    let high = (1..=n).find(|&i| 1.0 - cumulative[i - 1] <= tail);
    let interval = low.zip(high).map(|(low, high)| (sorted[low - 1], sorted[high - 1]));
    Some(Quantile { value, interval })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt as _;

    #[test]
    fn ends_of_the_median_are_those_of_the_tables() {
        // Dixon & Massey, table A-25: for n = 10 the 2nd and the 9th (97.9 %), for 25 the 8th and the 18th.
        let of = |n: usize| quantile(&(1..=n).map(|v| v as f64).collect::<Vec<_>>(), 0.5, 0.95).unwrap();
        assert_eq!(of(10), Quantile { value: 5.5, interval: Some((2.0, 9.0)) });
        assert_eq!(of(25), Quantile { value: 13.0, interval: Some((8.0, 18.0)) });
        // Five values reach 93.75 % at most.
        assert_eq!(of(5).interval, None);
        assert_eq!(of(6).interval, Some((1.0, 6.0)));
        assert_eq!(quantile(&[], 0.5, 0.95), None);
        assert_eq!(quantile(&[3.0], 0.5, 0.95), Some(Quantile { value: 3.0, interval: None }));
    }

    #[test]
    fn the_true_median_is_inside_as_often_as_it_says() {
        let mut rng = volary_core::seed::stream(3, "quantile test");
        let mut inside = 0;
        for _ in 0..2000 {
            let mut values: Vec<f64> = (0..40).map(|_| rng.random::<f64>().powi(3)).collect();
            values.sort_unstable_by(f64::total_cmp);
            let (low, high) = quantile(&values, 0.5, 0.95).unwrap().interval.unwrap();
            inside += u32::from(low <= 0.125 && 0.125 <= high);
        }
        // Never less than the level; the discrete law gives 96.2 % at n = 40.
        assert!((1890..1960).contains(&inside), "{inside} of 2,000");
    }
}
