//! How much each label counts: evenly, from a table, or by the volunteer's experience.
//!
//! After Galaxy Zoo: Weird & Wonderful (2 for volunteers with 100 or more classifications, 1 below).
//! Every label counts: no constructor gives a weight of zero. Weights only enter ratios, so their unit
//! does not matter. Skill against known answers is not weighed here.

use std::collections::BTreeMap;

use volary_core::Votes;

use crate::error::{CrowdError, is_weight};
use crate::repeats::Counted;

/// One positive weight per classification.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    /// Per classification.
    pub per_classification: Vec<f64>,
}

/// Where a volunteer's number of classifications comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ExperienceSource {
    /// All their classifications in this input.
    #[default]
    Total,
    /// Those they made earlier than the one being weighed (unknown times come first).
    Past,
    /// Counts from elsewhere, by volunteer key; 0 where the key is missing.
    Table(BTreeMap<String, u64>),
}

/// From experience (a number of classifications) to weight.
#[derive(Clone, Debug, PartialEq)]
pub enum ExperienceRule {
    /// `(from, weight)` in ascending order: 1 below the first, then each weight from its count on.
    Steps(Vec<(u64, f64)>),
    /// 1 + log10(1 + n).
    Log10,
    /// √(1 + n).
    Sqrt,
    /// 1 + n/(n + half): from 1 to 2, halfway at `half`.
    Saturating {
        /// Where half the rise is reached.
        half: f64,
    },
}

impl ExperienceRule {
    /// Reads "100:2", "10:1.2,100:2", "log10", "sqrt" or "saturating:100".
    ///
    /// # Errors
    /// [`CrowdError::ExperienceRule`] when the text is none of these or a weight is not positive.
    pub fn parse(text: &str) -> Result<Self, CrowdError> {
        let bad = |why| CrowdError::ExperienceRule { rule: text.to_owned(), why };
        match text.trim() {
            "log10" => return Ok(Self::Log10),
            "sqrt" => return Ok(Self::Sqrt),
            _ => {}
        }
        if let Some(half) = text.trim().strip_prefix("saturating:") {
            let half: f64 =
                half.trim().parse().map_err(|_| bad("the half-way count is not a number"))?;
            return if is_weight(half) {
                Ok(Self::Saturating { half })
            } else {
                Err(bad("the half-way count must be positive"))
            };
        }
        let mut steps = Vec::new();
        for step in text.split(',') {
            let (from, weight) = step
                .split_once(':')
                .ok_or_else(|| bad("expected steps such as 100:2, or log10, sqrt or saturating:100"))?;
            let from: u64 = from.trim().parse().map_err(|_| bad("a step starts at a whole number"))?;
            let weight: f64 = weight.trim().parse().map_err(|_| bad("a weight is not a number"))?;
            if !is_weight(weight) {
                return Err(bad("every label counts, so a weight must be positive"));
            }
            if steps.last().is_some_and(|&(before, _)| before >= from) {
                return Err(bad("steps must be in ascending order"));
            }
            steps.push((from, weight));
        }
        Ok(Self::Steps(steps))
    }

    /// The weight of a volunteer with `n` classifications.
    #[must_use]
    pub fn weight(&self, n: u64) -> f64 {
        let real = n as f64;
        match self {
            Self::Steps(steps) => {
                let passed = steps.partition_point(|&(from, _)| from <= n);
                passed.checked_sub(1).map_or(1.0, |last| steps[last].1)
            }
            Self::Log10 => 1.0 + (1.0 + real).log10(),
            Self::Sqrt => (1.0 + real).sqrt(),
            Self::Saturating { half } => 1.0 + real / (real + half),
        }
    }
}

impl Weights {
    /// One for all.
    #[must_use]
    pub fn uniform(votes: &Votes) -> Self {
        Self { per_classification: vec![1.0; votes.n_classifications()] }
    }

    /// From a table by volunteer key; `default` for whoever is not in it.
    ///
    /// With a `floor`, smaller weights (zero and negative ones too) are raised to it.
    ///
    /// # Errors
    /// [`CrowdError::Weight`] for a weight that is zero, negative, infinite or not a number (whoever is
    /// in the table, also those who do not appear in `votes`); [`CrowdError::CommonWeight`] for such a
    /// default or floor.
    pub fn from_table(
        votes: &Votes,
        table: &BTreeMap<String, f64>,
        default: f64,
        floor: Option<f64>,
    ) -> Result<Self, CrowdError> {
        let common = |what, weight| {
            if is_weight(weight) { Ok(weight) } else { Err(CrowdError::CommonWeight { what, weight }) }
        };
        let default = common("the default weight", default)?;
        if let Some(floor) = floor {
            common("the least weight", floor)?;
        }
        let mut checked = BTreeMap::new();
        for (volunteer, &weight) in table {
            let raised = floor.map_or(weight, |floor| if weight < floor { floor } else { weight });
            if !is_weight(raised) {
                return Err(CrowdError::Weight { volunteer: volunteer.clone(), weight });
            }
            checked.insert(volunteer.as_str(), raised);
        }
        let of: Vec<f64> = votes
            .volunteers
            .iter()
            .map(|v| checked.get(v.as_str()).copied().unwrap_or(default))
            .collect();
        Ok(Self { per_classification: votes.volunteer.iter().map(|&v| of[v as usize]).collect() })
    }

    /// By experience. Only classifications that count make experience.
    #[must_use]
    pub fn experience(
        votes: &Votes,
        counted: &Counted,
        rule: &ExperienceRule,
        source: &ExperienceSource,
    ) -> Self {
        let per_classification = match source {
            ExperienceSource::Total => {
                let totals = totals(votes, counted);
                votes.volunteer.iter().map(|&v| rule.weight(totals[v as usize])).collect()
            }
            ExperienceSource::Past => {
                experience_then(votes, counted).into_iter().map(|n| rule.weight(n)).collect()
            }
            ExperienceSource::Table(table) => {
                let of = |key: &String| rule.weight(table.get(key).copied().unwrap_or(0));
                let weights: Vec<f64> = votes.volunteers.iter().map(of).collect();
                votes.volunteer.iter().map(|&v| weights[v as usize]).collect()
            }
        };
        Self { per_classification }
    }

    /// Kish's effective share of voices, (Σw)² / (n Σw²), over the classifications that count: 1 where
    /// all count the same.
    #[must_use]
    pub fn effective_share(&self, counted: &Counted) -> Option<f64> {
        let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for (&w, _) in self.per_classification.iter().zip(&counted.counts).filter(|(_, c)| **c) {
            n += 1.0;
            sum += w;
            squares += w * w;
        }
        (n > 0.0).then(|| sum * sum / (n * squares))
    }

    /// Checks that there is one positive weight per classification.
    ///
    /// # Errors
    /// [`CrowdError::Length`] or [`CrowdError::Weight`].
    pub fn check(&self, votes: &Votes) -> Result<(), CrowdError> {
        let (actual, expected) = (self.per_classification.len(), votes.n_classifications());
        if actual != expected {
            return Err(CrowdError::Length { what: "weights", actual, expected });
        }
        match self.per_classification.iter().position(|&w| !is_weight(w)) {
            None => Ok(()),
            Some(i) => Err(CrowdError::Weight {
                volunteer: votes.volunteers[votes.volunteer[i] as usize].clone(),
                weight: self.per_classification[i],
            }),
        }
    }
}

/// Per volunteer: how many of their classifications count.
pub(crate) fn totals(votes: &Votes, counted: &Counted) -> Vec<u64> {
    let mut totals = vec![0; votes.volunteers.len()];
    for (&volunteer, &counts) in votes.volunteer.iter().zip(&counted.counts) {
        totals[volunteer as usize] += u64::from(counts);
    }
    totals
}

/// Per classification: how many counted ones the volunteer made at strictly earlier times (unknown times come first).
#[must_use]
pub fn experience_then(votes: &Votes, counted: &Counted) -> Vec<u64> {
    let mut order: Vec<usize> = (0..votes.n_classifications()).collect();
    order.sort_by_key(|&i| (votes.volunteer[i], votes.created_ms[i], i));
    let mut past = vec![0; order.len()];
    let same_time = |a: &usize, b: &usize| {
        votes.volunteer[*a] == votes.volunteer[*b] && votes.created_ms[*a] == votes.created_ms[*b]
    };
    let (mut who, mut so_far) = (None, 0);
    for group in order.chunk_by(same_time) {
        let volunteer = votes.volunteer[group[0]];
        if who != Some(volunteer) {
            (who, so_far) = (Some(volunteer), 0);
        }
        for &i in group {
            past[i] = so_far;
        }
        so_far += group.iter().map(|&i| u64::from(counted.counts[i])).sum::<u64>();
    }
    past
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repeats::{Repeats, counted};
    use volary_core::QuestionKind;
    use volary_core::votes::VotesBuilder;

    fn crowd() -> Votes {
        let mut builder = VotesBuilder::default();
        for (subject, volunteer, time) in
            [("1", "ann", 10), ("2", "ann", 20), ("3", "ann", 30), ("1", "ben", 5), ("1", "ann", 40)]
        {
            let c = builder.classification("w", subject, volunteer, Some(time), &time.to_string());
            builder.vote(c, "T0", QuestionKind::Single, Some("yes"));
        }
        builder.finish()
    }

    #[test]
    fn rules_are_read_and_applied() {
        let check = |rule: &str, n, weight: f64| {
            let got = ExperienceRule::parse(rule).unwrap().weight(n);
            assert!((got - weight).abs() < 1e-12, "{rule} at {n}: {got}");
        };
        check("100:2", 99, 1.0);
        check("100:2", 100, 2.0);
        check("10:1.2, 100:2", 50, 1.2);
        check("log10", 9, 2.0);
        check("sqrt", 3, 2.0);
        check("saturating:100", 100, 1.5);
        for bad in ["", "2", "a:2", "10:0", "10:-1", "10:NaN", "10:inf", "100:2,10:1", "saturating:0"] {
            assert!(ExperienceRule::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn experience_is_total_past_or_given() {
        let votes = crowd();
        let counted = counted(&votes, Repeats::First);
        let rule = ExperienceRule::parse("1:1.5,3:3").unwrap();
        let weights = |source: &ExperienceSource| {
            Weights::experience(&votes, &counted, &rule, source).per_classification
        };
        // Rows in canonical order: subject 1 by ann (10), ann (40, a repeat), ben; 2 and 3 by ann.
        assert_eq!(weights(&ExperienceSource::Total), [3.0, 3.0, 1.5, 3.0, 3.0]);
        assert_eq!(weights(&ExperienceSource::Past), [1.0, 3.0, 1.0, 1.5, 1.5]);
        let table = ExperienceSource::Table(BTreeMap::from([("ben".to_owned(), 5)]));
        assert_eq!(weights(&table), [1.0, 1.0, 3.0, 1.0, 1.0]);
    }

    #[test]
    fn every_label_counts() {
        let votes = crowd();
        let table = |weight, floor| {
            let weights = BTreeMap::from([("ben".to_owned(), weight)]);
            Weights::from_table(&votes, &weights, 1.0, floor)
        };
        assert_eq!(table(2.0, None).unwrap().per_classification, [1.0, 1.0, 2.0, 1.0, 1.0]);
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let error = table(bad, None).unwrap_err();
            assert!(error.to_string().contains("\"ben\""), "{error}");
        }
        assert_eq!(table(0.0, Some(0.1)).unwrap().per_classification[2], 0.1);
        assert!(table(f64::NAN, Some(0.1)).is_err());
        assert!(table(1.0, Some(0.0)).is_err());
        assert!(Weights::uniform(&votes).check(&votes).is_ok());
        let zero = Weights { per_classification: vec![1.0, 1.0, 0.0, 1.0, 1.0] };
        assert!(zero.check(&votes).is_err());
    }

    #[test]
    fn effective_share_is_kish() {
        let votes = crowd();
        let counted = counted(&votes, Repeats::First);
        assert_eq!(Weights::uniform(&votes).effective_share(&counted), Some(1.0));
        let weights = Weights { per_classification: vec![1.0, 9.0, 1.0, 2.0, 2.0] };
        assert_eq!(weights.effective_share(&counted), Some(36.0 / 40.0));
    }
}
