//! Token buckets: so many requests at once, and so many a second. One for everybody, one for each token.

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
        let mut levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        if !levels.contains_key(name) {
            levels.insert(name.to_owned(), Bucket { level: self.rate.burst, at_ms: now_ms });
        }
        let Some(bucket) = levels.get_mut(name) else { return Ok(()) };
        // A clock that goes back gives nothing and takes nothing.
        let passed_ms = (now_ms - bucket.at_ms).max(0) as f64;
        bucket.level = (bucket.level + passed_ms * self.rate.per_second / 1e3).min(self.rate.burst);
        bucket.at_ms = now_ms;
        if bucket.level >= 1.0 {
            bucket.level -= 1.0;
            Ok(())
        } else {
            Err(((1.0 - bucket.level) * 1e3 / self.rate.per_second).ceil() as u64)
        }
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
}
