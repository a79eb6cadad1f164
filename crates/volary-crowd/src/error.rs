//! What the statistics refuse to do.

/// Why a statistic cannot be computed as asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CrowdError {
    /// A level of intervals outside (0, 1).
    #[error("the level of an interval lies between 0 and 1, not at {level}")]
    Level {
        /// What was asked for.
        level: f64,
    },
    /// A share that cannot be.
    #[error("{what} is {must}, not {value}")]
    Share {
        /// Which share.
        what: &'static str,
        /// What it must be.
        must: &'static str,
        /// What was asked for.
        value: f64,
    },
    /// A weight with which a label would not count, or would count without bound.
    #[error(
        "every label counts: the weight of volunteer {volunteer:?} is {weight}, not a positive number"
    )]
    Weight {
        /// The volunteer's key.
        volunteer: String,
        /// The weight.
        weight: f64,
    },
    /// A default weight or a floor that is not a positive number.
    #[error("every label counts: {what} is {weight}, not a positive number")]
    CommonWeight {
        /// Which one.
        what: &'static str,
        /// Its value.
        weight: f64,
    },
    /// A rule of experience that cannot be read.
    #[error("cannot read the experience rule {rule:?}: {why}")]
    ExperienceRule {
        /// The rule as it was written.
        rule: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A column whose length is not the number of classifications.
    #[error("{what}: {actual} entries for {expected} classifications")]
    Length {
        /// Which column.
        what: &'static str,
        /// Its length.
        actual: usize,
        /// The number of classifications.
        expected: usize,
    },
    /// Settings that SWAP cannot start from.
    #[error(transparent)]
    Swap(#[from] crate::skill::swap::SwapError),
    /// Columns of votes that do not fit each other.
    #[error("votes cannot be arranged: {what}")]
    Ballots {
        /// What is wrong.
        what: &'static str,
    },
    /// A parameter of a consensus of shapes out of its range.
    #[error("shapes: {name} is {value}, it must be {must}")]
    Shapes {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        must: &'static str,
    },
    /// A parameter of a simulated crowd out of its range.
    #[error("simulated crowd: {name} is {value}, it must be {must}")]
    Simulation {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        must: &'static str,
    },
    /// A constant of the mark pipeline out of its range.
    #[error("marks: {name} is {value}, it must be {must}")]
    Marks {
        /// The constant.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        must: &'static str,
    },
    /// Answers that are not in the order, or not the numbers, that a level of agreement needs.
    #[error("agreement: {what}{}", answer_of(.task, .answer))]
    AnswerOrder {
        /// The question's task; empty for all.
        task: String,
        /// The answer; empty for all.
        answer: String,
        /// What is wrong.
        what: &'static str,
    },
    /// More slices than can be looked at, or none.
    #[error("slices: {what}")]
    Slices {
        /// What is wrong, and what to do.
        what: String,
    },
    /// A table that merges tags and cannot be followed.
    #[error("the merge table cannot be followed: tag {tag:?}: {why}; give each tag one row")]
    TagMerge {
        /// The raw tag.
        tag: String,
        /// What is wrong.
        why: String,
    },
}

fn answer_of(task: &str, answer: &str) -> String {
    if task.is_empty() { String::new() } else { format!(": answer {answer:?} of task {task:?}") }
}

/// Whether `weight` lets a label count.
pub(crate) fn is_weight(weight: f64) -> bool {
    weight.is_finite() && weight > 0.0
}
