//! Percentile-bootstrap intervals (Efron 1979, doi:10.1214/aos/1176344552), resampling subjects or groups.
//!
//! A replicate is a column of counts: how often each subject was drawn. A measure that takes weights is
//! then computed once per replicate without copying a row, and measures computed together share their
//! draws, so that differences between models are paired. Replicate *i* has a random stream of its own:
//! the number of threads changes nothing.

use rand::RngExt as _;
use rayon::prelude::*;
use volary_core::seed::stream;

use crate::error::SpaceError;

/// How to draw replicates and what interval to take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bootstrap {
    pub(crate) replicates: usize,
    pub(crate) level: f64,
    pub(crate) seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { replicates: 1000, level: 0.95, seed: 0 }
    }
}

impl Bootstrap {
    /// `replicates` replicates for intervals at `level`; with none there are no intervals.
    ///
    /// # Errors
    /// [`SpaceError::Setting`] unless 0 < `level` < 1.
    pub fn new(replicates: usize, level: f64, seed: u64) -> Result<Self, SpaceError> {
        if !(level > 0.0 && level < 1.0) {
            return Err(SpaceError::Setting {
                name: "the level",
                value: level,
                must: "between 0 and 1",
            });
        }
        Ok(Self { replicates, level, seed })
    }

    /// The level of the intervals.
    #[must_use]
    pub fn level(&self) -> f64 {
        self.level
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Measures once with every subject counted once, and once per replicate.
    ///
    /// `measure(counts)` gives as many numbers whatever the counts, NaN where one is undefined.
    pub fn run(
        &self,
        units: &Units,
        measure: impl Fn(&[f64]) -> Vec<f64> + Sync,
    ) -> Vec<Option<Estimate>> {
        let values = measure(&vec![1.0; units.len()]);
        let drawn: Vec<Vec<f64>> = (0..self.replicates)
            .into_par_iter()
            .map_init(
                || vec![0.0; units.len()],
                |counts, replicate| {
                    units.draw(self.seed, replicate, counts);
                    measure(counts)
                },
            )
            .collect();
        let estimate = |(at, &value): (usize, &f64)| {
            let replicates = drawn.iter().map(|row| row[at]).filter(|v| !v.is_nan()).collect();
            (!value.is_nan()).then(|| Estimate::new(value, replicates, self.level))
        };
        values.iter().enumerate().map(estimate).collect()
    }
}

/// The mean of values, with its interval.
pub(crate) fn mean(values: &[f64], units: &Units, bootstrap: &Bootstrap) -> Option<Estimate> {
    let measure = |counts: &[f64]| {
        let n: f64 = counts.iter().sum();
        vec![counts.iter().zip(values).map(|(c, v)| c * v).sum::<f64>() / n]
    };
    bootstrap.run(units, measure).first().copied().flatten()
}

/// A value with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The value of the sample itself.
    pub value: f64,
    /// Lower end of the interval; NaN where no replicate had a value.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Estimate {
    fn new(value: f64, mut replicates: Vec<f64>, level: f64) -> Self {
        replicates.sort_unstable_by(f64::total_cmp);
        let tail = (1.0 - level) / 2.0;
        Self { value, low: quantile(&replicates, tail), high: quantile(&replicates, 1.0 - tail) }
    }
}

/// The `p` quantile of sorted values, interpolated linearly (as `numpy.quantile` does); NaN of none.
pub(crate) fn quantile(sorted: &[f64], p: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = p * last as f64;
    let below = (at.floor() as usize).min(last);
    let above = (below + 1).min(last);
    sorted[below] + (at - below as f64) * (sorted[above] - sorted[below])
}

/// z with P(|Z| ≤ z) = `level` for a normal Z.
pub(crate) fn two_sided_z(level: f64) -> f64 {
    use statrs::distribution::{ContinuousCDF as _, Normal};
    Normal::standard().inverse_cdf(0.5 + level / 2.0)
}

/// What is drawn: subjects one by one, or groups of them (copies of one object, frames of one night) as a
/// whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Units {
    n: usize,
    /// Members of each group, one group after the other, and where each group starts.
    groups: Option<(Vec<usize>, Vec<usize>)>,
}

impl Units {
    /// `n` subjects, each for itself.
    #[must_use]
    pub fn subjects(n: usize) -> Self {
        Self { n, groups: None }
    }

    /// Subjects by group: `group_of[i]` names the group of subject i.
    #[must_use]
    pub fn groups(group_of: &[u32]) -> Self {
        let mut members: Vec<usize> = (0..group_of.len()).collect();
        members.sort_by_key(|&i| group_of[i]);
        let mut starts: Vec<usize> = (0..members.len())
            .filter(|&at| at == 0 || group_of[members[at]] != group_of[members[at - 1]])
            .collect();
        starts.push(members.len());
        Self { n: group_of.len(), groups: Some((members, starts)) }
    }

    /// How many subjects.
    #[must_use]
    pub fn len(&self) -> usize {
        self.n
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    fn draw(&self, seed: u64, replicate: usize, counts: &mut [f64]) {
        counts.fill(0.0);
        let mut rng = stream(seed, &format!("bootstrap {replicate}"));
        match &self.groups {
            None => (0..self.n).for_each(|_| counts[rng.random_range(0..self.n)] += 1.0),
            Some((members, starts)) => {
                let n_groups = starts.len() - 1;
                for _ in 0..n_groups {
                    let group = rng.random_range(0..n_groups);
                    members[starts[group]..starts[group + 1]].iter().for_each(|&i| counts[i] += 1.0);
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "resample_tests.rs"]
mod tests;
