//! ADWIN2: a window over a stream that grows while nothing changes and drops its old part when the mean does.
//!
//! Bifet & Gavaldà 2007 (doi:10.1137/1.9781611972771.42), with the settings and semantics of `river` 0.26:
//! the test every `clock` values, never before `grace_period`, sides of `min_side` at least, and after a
//! detection everything is forgotten at the next value. The window is kept as an exponential histogram, at
//! most `max_buckets` summaries of 1, 2, 4, … values each, so that memory and time grow with the
//! logarithm of the window.
//!
//! The bound of the paper holds for values in 0…1; others work, and alarm at another rate. One value that
//! is no number would spoil all sums and is left out and counted.

use std::collections::VecDeque;

/// Settings; the defaults are those of `river`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdwinParams {
    /// Chance of a false alarm of one test.
    pub delta: f64,
    /// Values between tests.
    pub clock: u64,
    /// Summaries of one size before two are merged.
    pub max_buckets: usize,
    /// Values that each side of a cut must have.
    pub min_side: u64,
    /// No test up to this many values.
    pub grace_period: u64,
}

impl Default for AdwinParams {
    fn default() -> Self {
        Self { delta: 0.002, clock: 32, max_buckets: 5, min_side: 5, grace_period: 10 }
    }
}

/// Some values, summed up.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Summary {
    sum: f64,
    /// Sum of squared distances to their mean.
    squares: f64,
}

/// The detector.
#[derive(Clone, Debug, PartialEq)]
pub struct Adwin {
    params: AdwinParams,
    /// `levels[i]` holds summaries of 2^i values, oldest first.
    levels: Vec<VecDeque<Summary>>,
    n: u64,
    sum: f64,
    squares: f64,
    ticks: u64,
    has_fired: bool,
    /// Values that were no numbers.
    pub n_not_finite: u64,
}

impl Adwin {
    /// A detector that has seen nothing.
    #[must_use]
    pub fn new(params: AdwinParams) -> Self {
        Self {
            params: AdwinParams { clock: params.clock.max(1), ..params },
            levels: vec![VecDeque::new()],
            n: 0,
            sum: 0.0,
            squares: 0.0,
            ticks: 0,
            has_fired: false,
            n_not_finite: 0,
        }
    }

    /// Values in the window.
    #[must_use]
    pub fn width(&self) -> u64 {
        self.n
    }

    /// Their mean; none while there are none.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.n as f64)
    }

    /// Their sum of squared distances to the mean (`river` calls it the variance).
    #[must_use]
    pub fn sum_of_squares(&self) -> f64 {
        self.squares
    }

    /// Takes one value; whether the mean has changed.
    pub fn push(&mut self, value: f64) -> bool {
        if !value.is_finite() {
            self.n_not_finite += 1;
            return false;
        }
        if self.has_fired {
            *self = Self { n_not_finite: self.n_not_finite, ..Self::new(self.params) };
        }
        self.insert(value);
        self.ticks += 1;
        let is_time = self.ticks.is_multiple_of(self.params.clock) && self.n > self.params.grace_period;
        while is_time && self.has_cut() {
            self.has_fired = true;
            self.drop_oldest();
        }
        self.has_fired
    }

    fn insert(&mut self, value: f64) {
        if self.n > 0 {
            let before = self.n as f64;
            let distance = value - self.sum / before;
            self.squares += before * distance * distance / (before + 1.0);
        }
        self.n += 1;
        self.sum += value;
        self.levels[0].push_back(Summary { sum: value, squares: 0.0 });
        let mut level = 0;
        while self.levels[level].len() > self.params.max_buckets {
            let (Some(a), Some(b)) = (self.levels[level].pop_front(), self.levels[level].pop_front())
            else {
                break;
            };
            let size = (1_u64 << level) as f64;
            let distance = a.sum / size - b.sum / size;
            let squares = a.squares + b.squares + size / 2.0 * distance * distance;
            level += 1;
            if level == self.levels.len() {
                self.levels.push(VecDeque::new());
            }
            self.levels[level].push_back(Summary { sum: a.sum + b.sum, squares });
        }
    }

    /// Whether some cut of the window has two sides with different means.
    fn has_cut(&self) -> bool {
        let (mut n_old, mut sum_old) = (0, 0.0);
        for (level, summaries) in self.levels.iter().enumerate().rev() {
            for summary in summaries {
                n_old += 1_u64 << level;
                sum_old += summary.sum;
                let n_new = self.n - n_old;
                if n_new == 0 || n_old.min(n_new) < self.params.min_side {
                    continue;
                }
                let difference = sum_old / n_old as f64 - (self.sum - sum_old) / n_new as f64;
                if difference.abs() > self.bound(n_old, n_new) {
                    return true;
                }
            }
        }
        false
    }

    /// The difference of means that is allowed (equation 3.1 of the paper; like `river`, with each side
    /// shortened by `min_side` − 1 values and ln(2 ln n / δ)).
    fn bound(&self, n_old: u64, n_new: u64) -> f64 {
        let log = (2.0 * (self.n as f64).ln() / self.params.delta).ln();
        let side = |n: u64| 1.0 / (n + 1 - self.params.min_side) as f64;
        let inverse = side(n_old) + side(n_new);
        let variance = self.squares / self.n as f64;
        (2.0 * inverse * variance * log).sqrt() + 2.0 / 3.0 * log * inverse
    }

    fn drop_oldest(&mut self) {
        let level = self.levels.len() - 1;
        let Some(oldest) = self.levels[level].pop_front() else { return };
        let size = 1_u64 << level;
        self.n -= size;
        self.sum -= oldest.sum;
        let (size, left) = (size as f64, self.n as f64);
        let distance = oldest.sum / size - self.sum / left;
        self.squares -= oldest.squares + size * left * distance * distance / (size + left);
        if self.levels[level].is_empty() && level > 0 {
            self.levels.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lcg;

    #[test]
    fn it_fires_where_river_fires() {
        let golden = crate::golden();
        let cases = golden["adwin"].as_array().unwrap();
        assert!(cases.iter().all(|case| !case["found"].as_array().unwrap().is_empty()));
        for case in cases {
            let is_binary = case["is_binary"].as_bool().unwrap();
            let mut numbers = crate::golden_lcg(11);
            let mut adwin = Adwin::new(AdwinParams::default());
            let (mut found, mut at, mut n_checked) = (Vec::new(), 0_u64, 0);
            for level in case["levels"].as_array().unwrap() {
                let (level, n) = (level[0].as_f64().unwrap(), level[1].as_u64().unwrap());
                for u in numbers.by_ref().take(n as usize) {
                    let value =
                        if is_binary { f64::from(u8::from(u < level)) } else { level + 0.2 * (u - 0.5) };
                    if adwin.push(value) {
                        found.push(at);
                    }
                    let widths = case["widths"].as_array().unwrap();
                    if let Some(row) = widths.iter().find(|row| row[0].as_u64() == Some(at)) {
                        let expected = [1, 2, 3].map(|i| row[i].as_f64().unwrap());
                        let got = [adwin.width() as f64, adwin.mean().unwrap(), adwin.sum_of_squares()];
                        assert!(
                            got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9),
                            "{row} {got:?}"
                        );
                        n_checked += 1;
                    }
                    at += 1;
                }
            }
            assert!(n_checked > 10);
            let expected: Vec<u64> =
                case["found"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).collect();
            assert_eq!(found, expected, "{} {is_binary}", case["name"]);
        }
    }

    #[test]
    fn without_a_change_it_keeps_quiet() {
        let mut n_alarms = 0;
        for seed in 0..100 {
            let mut adwin = Adwin::new(AdwinParams::default());
            n_alarms +=
                lcg(seed).take(3_000).filter(|u| adwin.push(f64::from(u8::from(*u < 0.3)))).count();
        }
        assert!(n_alarms <= 10, "{n_alarms} false alarms in 100 streams");
    }

    #[test]
    fn a_constant_a_clock_of_zero_and_no_numbers() {
        let mut adwin = Adwin::new(AdwinParams { clock: 0, ..AdwinParams::default() });
        assert_eq!(adwin.mean(), None);
        assert!((0..5_000).all(|_| !adwin.push(1.0)));
        assert!(!adwin.push(f64::NAN) && !adwin.push(f64::INFINITY));
        assert_eq!((adwin.n_not_finite, adwin.width(), adwin.mean()), (2, 5_000, Some(1.0)));
        assert!((0..200).any(|_| adwin.push(0.0)), "and a step is found");
        // It holds a few dozen numbers, not thousands.
        assert!(adwin.levels.iter().map(VecDeque::len).sum::<usize>() < 100);
    }
}
