//! What the stages hand to each other, as flat arrays. Indices of subjects, volunteers and marks are
//! those of one [`volary_core::marks::Marks`].

use crate::interval::Interval;

/// Metafeatures: groups of marks of one subject that mean the same thing. Sorted by subject, then
/// midpoint. Times in days.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// Per feature: its id. 1, 2, 3… in order, except under the rule `released`, whose ids have holes.
    pub id: Vec<u64>,
    /// Per feature: its subject, ascending.
    pub subject: Vec<u32>,
    /// Where each subject's features begin: `n_subjects + 1` entries.
    pub start: Vec<u32>,
    /// Per feature: left end.
    pub x_min_days: Vec<f64>,
    /// Per feature: right end.
    pub x_max_days: Vec<f64>,
    /// Where each feature's members begin: `n_features + 1` entries.
    pub member_start: Vec<u32>,
    /// Members of all features: indices of marks, ascending within a feature.
    pub members: Vec<u32>,
}

impl Features {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.subject.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.subject.is_empty()
    }

    /// The features of a subject.
    #[must_use]
    pub fn of(&self, subject: usize) -> std::ops::Range<usize> {
        self.start[subject] as usize..self.start[subject + 1] as usize
    }

    /// The marks of a feature.
    #[must_use]
    pub fn members_of(&self, feature: usize) -> &[u32] {
        &self.members[self.member_start[feature] as usize..self.member_start[feature + 1] as usize]
    }

    /// Width, days.
    #[must_use]
    pub fn duration_days(&self, feature: usize) -> f64 {
        self.x_max_days[feature] - self.x_min_days[feature]
    }

    /// Middle, days: (x_min + x_max) / 2 in double precision, as the golden case defines it.
    #[must_use]
    pub fn midpoint_days(&self, feature: usize) -> f64 {
        midpoint(self.x_min_days[feature], self.x_max_days[feature])
    }
}

/// (a + b) / 2, in this order of operations everywhere: ties at a tolerance depend on the last bit.
#[must_use]
pub fn midpoint(x_min_days: f64, x_max_days: f64) -> f64 {
    (x_min_days + x_max_days) / 2.0
}

/// Who voted on which features: everybody who saw a subject is a voter on each of its features, and
/// says yes by having marked it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ballots {
    /// Where each subject's voters begin: `n_subjects + 1` entries.
    pub voter_start: Vec<u32>,
    /// Volunteers who saw the subject, each once, ascending.
    pub voters: Vec<u32>,
    /// Where each feature's yes-voters begin: `n_features + 1` entries.
    pub yes_start: Vec<u32>,
    /// Volunteers who marked the feature, each once, ascending.
    pub yes: Vec<u32>,
}

impl Ballots {
    /// The voters of a subject.
    #[must_use]
    pub fn voters_of(&self, subject: usize) -> &[u32] {
        &self.voters[self.voter_start[subject] as usize..self.voter_start[subject + 1] as usize]
    }

    /// Those who marked a feature.
    #[must_use]
    pub fn yes_of(&self, feature: usize) -> &[u32] {
        &self.yes[self.yes_start[feature] as usize..self.yes_start[feature + 1] as usize]
    }
}

/// Weights of the volunteers, one entry each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VolunteerWeights {
    /// U: 1 and the scaled upweights of signals found.
    pub upweight: Vec<f64>,
    /// V: 1 and the number of marks on simulations that hit nothing.
    pub downweight: Vec<f64>,
    /// Signals shown, over all views of simulations; 0 for a volunteer who saw none.
    pub n_signals: Vec<u32>,
    /// Signals hit.
    pub n_hits: Vec<u32>,
    /// Seed weight: U/V over its mean; the base weight for a volunteer who saw no simulation.
    pub seed: Vec<f64>,
    /// Final weight, equal to the seed before any iteration.
    pub weight: Vec<f64>,
    /// Features in the subjects that the volunteer saw.
    pub n_features: Vec<u32>,
    /// The weight of a volunteer with U = V = 1.
    pub base: f64,
}

/// Scores of the features, one entry each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// Score from the seed weights.
    pub seed: Vec<f64>,
    /// Final score in 0..=1: the weighted share of the voters who marked the feature.
    pub score: Vec<f64>,
    /// Its interval.
    pub interval: Vec<Interval>,
    /// Effective number of votes: (Σw)² / Σw².
    pub n_effective: Vec<f64>,
    /// Voters who marked it.
    pub n_yes: Vec<u32>,
    /// Voters.
    pub n_voters: Vec<u32>,
}
