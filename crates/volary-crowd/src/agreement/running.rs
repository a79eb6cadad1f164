//! Krippendorff's α one vote at a time.
//!
//! A vote changes its subject's pairs only. For names and numbers they are two running sums, so that a vote
//! costs the number d of different answers that its subject has. Mid-ranks of grades move with every vote, so
//! for grades the K × K coincidence matrix is kept, and a vote costs d² (d ≤ K, and d ≤ the subject's votes:
//! the change of n_u rescales all its pairs, which no matrix can do in less). The value itself costs K, for
//! grades K². Sums that grow and shrink keep a rounding error of about 10⁻¹⁶ a step.

use super::patterns::{Values, mid_ranks};
use super::{Level, Missing};

/// α over the votes so far.
#[derive(Clone, Debug)]
pub struct RunningAlpha {
    values: Values,
    /// Per subject: (value, count), sorted.
    subjects: Vec<Vec<(u32, u32)>>,
    /// Votes per value on subjects with two votes or more, and in all.
    per_value: Vec<f64>,
    total: f64,
    /// Σ_u Σ n_uc n_uk δ²_ck / (n_u − 1), for names and numbers.
    observed: f64,
    /// Coincidences o_ck, for grades.
    coincidences: Vec<f64>,
}

impl RunningAlpha {
    /// For answers that are names.
    #[must_use]
    pub fn nominal(n_values: u32) -> Self {
        Self::new(Values::Nominal(n_values as usize))
    }

    /// For grades, in their order.
    #[must_use]
    pub fn ordinal(n_values: u32) -> Self {
        Self::new(Values::Ordinal(n_values as usize))
    }

    /// For numbers: value v of a vote is `numbers[v]`.
    #[must_use]
    pub fn interval(numbers: Vec<f64>) -> Self {
        Self::new(Values::Interval(numbers))
    }

    fn new(values: Values) -> Self {
        let k = match &values {
            Values::Nominal(k) | Values::Ordinal(k) => *k,
            Values::Interval(numbers) => numbers.len(),
        };
        let cells = if matches!(values, Values::Ordinal(_)) { k * k } else { 0 };
        Self {
            values,
            subjects: Vec::new(),
            per_value: vec![0.0; k],
            total: 0.0,
            observed: 0.0,
            coincidences: vec![0.0; cells],
        }
    }

    /// Its level.
    #[must_use]
    pub fn level(&self) -> Level {
        match self.values {
            Values::Nominal(_) => Level::Nominal,
            Values::Ordinal(_) => Level::Ordinal,
            Values::Interval(_) => Level::Interval,
        }
    }

    /// Takes in a vote. Subjects are numbered from 0; memory grows with the largest number.
    ///
    /// # Panics
    /// For a value that was not announced.
    pub fn add(&mut self, subject: u32, value: u32) {
        assert!((value as usize) < self.per_value.len(), "value {value} of {}", self.per_value.len());
        let at = subject as usize;
        if at >= self.subjects.len() {
            self.subjects.resize_with(at + 1, Vec::new);
        }
        self.change(at, |cells| match cells.binary_search_by_key(&value, |c| c.0) {
            Ok(found) => cells[found].1 += 1,
            Err(place) => cells.insert(place, (value, 1)),
        });
    }

    /// Takes a vote back, for a volunteer who leaves or votes again; says whether there was one.
    pub fn remove(&mut self, subject: u32, value: u32) -> bool {
        let at = subject as usize;
        let Some(found) =
            self.subjects.get(at).and_then(|cells| cells.binary_search_by_key(&value, |c| c.0).ok())
        else {
            return false;
        };
        self.change(at, |cells| {
            cells[found].1 -= 1;
            if cells[found].1 == 0 {
                cells.remove(found);
            }
        });
        true
    }

    fn change(&mut self, subject: usize, change: impl FnOnce(&mut Vec<(u32, u32)>)) {
        let mut cells = std::mem::take(&mut self.subjects[subject]);
        self.count(&cells, -1.0);
        change(&mut cells);
        self.count(&cells, 1.0);
        self.subjects[subject] = cells;
    }

    /// Adds a subject's pairs, or takes them away.
    fn count(&mut self, cells: &[(u32, u32)], sign: f64) {
        let n: f64 = cells.iter().map(|(_, c)| f64::from(*c)).sum();
        if n < 2.0 {
            return;
        }
        self.total += sign * n;
        for (value, count) in cells {
            self.per_value[*value as usize] += sign * f64::from(*count);
        }
        let pairs = match &self.values {
            Values::Nominal(_) => n * n - cells.iter().map(|(_, c)| f64::from(*c).powi(2)).sum::<f64>(),
            Values::Interval(numbers) => {
                let scored = || cells.iter().map(|(v, c)| (numbers[*v as usize], f64::from(*c)));
                let mean = scored().map(|(s, c)| s * c).sum::<f64>() / n;
                2.0 * n * scored().map(|(s, c)| c * (s - mean).powi(2)).sum::<f64>()
            }
            Values::Ordinal(k) => {
                for (a, count_a) in cells {
                    for (b, count_b) in cells {
                        let same = if a == b { 1.0 } else { 0.0 };
                        let pairs = f64::from(*count_a) * (f64::from(*count_b) - same) / (n - 1.0);
                        self.coincidences[*a as usize * k + *b as usize] += sign * pairs;
                    }
                }
                return;
            }
        };
        if cells.len() > 1 {
            self.observed += sign * pairs / (n - 1.0);
        }
    }

    /// α so far.
    ///
    /// # Errors
    /// [`Missing::NoPairs`] or [`Missing::OneAnswer`] where it has no meaning.
    pub fn alpha(&self) -> Result<f64, Missing> {
        if self.total == 0.0 {
            return Err(Missing::NoPairs);
        }
        if self.per_value.iter().filter(|n| **n > 0.0).count() < 2 {
            return Err(Missing::OneAnswer);
        }
        let spread = |scores: &[f64]| {
            let mean = scores.iter().zip(&self.per_value).map(|(s, n)| s * n).sum::<f64>() / self.total;
            let squares = scores.iter().zip(&self.per_value).map(|(s, n)| n * (s - mean).powi(2));
            2.0 * self.total * squares.sum::<f64>()
        };
        let (observed, expected) = match &self.values {
            Values::Nominal(_) => {
                let squares: f64 = self.per_value.iter().map(|n| n * n).sum();
                (self.observed, self.total * self.total - squares)
            }
            Values::Interval(numbers) => (self.observed, spread(numbers)),
            Values::Ordinal(k) => {
                let ranks = mid_ranks(&self.per_value);
                let cells = self.coincidences.iter().enumerate();
                let squared = |at: usize| (ranks[at / k] - ranks[at % k]).powi(2);
                (cells.map(|(at, o)| o * squared(at)).sum(), spread(&ranks))
            }
        };
        Ok(1.0 - (self.total - 1.0) * observed / expected)
    }
}
