//! Token buckets: so many at once, and so many a second. One for all requests, one for each token's, one for
//! each volunteer's votes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How much may come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Requests a second, in the long run.
    pub per_second: f64,
    /// Requests at once.
    pub burst: f64,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    level: f64,
    at_ms: i64,
}

impl Bucket {
    fn level_at(self, now_ms: i64, rate: Rate) -> f64 {
        // A clock that goes back gives nothing and takes nothing.
        let passed_ms = (now_ms - self.at_ms).max(0) as f64;
        (self.level + passed_ms * rate.per_second / 1e3).min(rate.burst)
    }
}

/// Names beyond which full buckets are forgotten: names come from outside.
const MAX_NAMES: usize = 100_000;

/// Buckets by name; full when first asked.
#[derive(Debug)]
pub(crate) struct Buckets {
    rate: Rate,
    levels: Mutex<HashMap<String, Bucket>>,
}

impl Buckets {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, levels: Mutex::default() }
    }

    /// Takes one; `Err(ms)`: none is there for so long.
    pub(crate) fn take(&self, name: &str, now_ms: i64) -> Result<(), u64> {
        self.take_all([(name, 1)], now_ms)
    }

    /// Takes so many of each, or nothing at all; `Err(ms)`: not all are there for so long. More than a burst
    /// counts as a burst, so that a long list goes through when the bucket is full.
    pub(crate) fn take_all<'a>(
        &self,
        wanted: impl IntoIterator<Item = (&'a str, u32)>,
        now_ms: i64,
    ) -> Result<(), u64> {
        let mut levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left = Vec::new();
        for (name, n) in wanted {
            let bucket = levels.get(name).copied();
            let bucket = bucket.unwrap_or(Bucket { level: self.rate.burst, at_ms: now_ms });
            let (level, n) = (bucket.level_at(now_ms, self.rate), f64::from(n).min(self.rate.burst));
            if level < n {
                return Err(((n - level) * 1e3 / self.rate.per_second).ceil() as u64);
            }
            left.push((name, level - n));
        }
        for (name, level) in left {
            let bucket = Bucket { level, at_ms: now_ms };
            match levels.get_mut(name) {
                Some(known) => *known = bucket,
                None => drop(levels.insert(name.to_owned(), bucket)),
            }
        }
        if levels.len() > MAX_NAMES {
            // A full bucket says no more than none.
            levels.retain(|_, bucket| bucket.level_at(now_ms, self.rate) < self.rate.burst);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_the_rate() {
        let buckets = Buckets::new(Rate { per_second: 10.0, burst: 3.0 });
        let taken = |name: &str, ms| buckets.take(name, ms);
        assert!((0..3).all(|_| taken("a", 0).is_ok()));
        assert_eq!(taken("a", 0), Err(100));
        assert_eq!(taken("a", 60), Err(40));
        assert_eq!(taken("b", 60), Ok(()), "others are unaffected");
        assert_eq!(taken("a", 100), Ok(()));
        assert_eq!(taken("a", 50), Err(100), "a clock that goes back gives nothing");
        // In the long run exactly the rate: the last burst and ten a second.
        let n = (0..100_000).filter(|ms| taken("c", *ms).is_ok()).count();
        assert_eq!(n, 3 + 999);
    }

    #[test]
    fn all_or_nothing() {
        let buckets = Buckets::new(Rate { per_second: 10.0, burst: 3.0 });
        assert_eq!(buckets.take_all([("a", 2), ("b", 1)], 0), Ok(()));
        assert_eq!(buckets.take_all([("b", 2), ("a", 2)], 0), Err(100), "a has one left");
        assert_eq!(buckets.take_all([("b", 2), ("a", 1)], 0), Ok(()), "b had kept its two");
        assert_eq!(buckets.take_all([("c", 500)], 0), Ok(()), "a long list takes a full bucket");
        assert_eq!(buckets.take_all([("c", 500)], 0), Err(300));
    }

    #[test]
    fn names_from_outside_do_not_pile_up() {
        let buckets = Buckets::new(Rate { per_second: 10.0, burst: 3.0 });
        for n in 0..2 * MAX_NAMES as i64 {
            assert_eq!(buckets.take(&n.to_string(), n), Ok(()));
        }
        let n = buckets.levels.lock().unwrap().len();
        assert!(n <= MAX_NAMES + 1, "{n}");
    }
}
