//! What SWAP can be asked to do, and why it refuses.

use super::maths::ascending_sum;

/// Why SWAP cannot run as asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SwapError {
    /// No classes.
    #[error("SWAP needs at least one answer to choose from")]
    NoAnswers,
    /// A parameter out of its range.
    #[error("SWAP: {name} is {value}, it must be {must}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        must: &'static str,
    },
    /// A prior of another length than there are answers.
    #[error("SWAP: the prior has {actual} entries for {expected} answers")]
    PriorLength {
        /// Entries given.
        actual: usize,
        /// Answers.
        expected: usize,
    },
    /// Columns of unequal length.
    #[error(
        "SWAP: the columns have {n_subjects} subjects, {n_volunteers} volunteers, {n_answers} answers"
    )]
    Columns {
        /// Length of the column of subjects.
        n_subjects: usize,
        /// Of volunteers.
        n_volunteers: usize,
        /// Of answers.
        n_answers: usize,
    },
    /// An index beyond its table.
    #[error("SWAP: vote {vote} names {what} {index}, of {n}")]
    Index {
        /// Which vote, from 0.
        vote: usize,
        /// Subject, volunteer or answer.
        what: &'static str,
        /// The index.
        index: usize,
        /// How many there are.
        n: usize,
    },
    /// Offline SWAP looks at all gold first, so it has nothing to teach itself with.
    #[error("offline SWAP learns from known subjects only; without them, use `online` or dawid-skene")]
    OfflineSelfTaught,
    /// Offline SWAP needs all gold votes before the first one is judged.
    #[error("offline SWAP needs all votes at once and cannot run live: use the online form")]
    OfflineRunning,
    /// A repeat that replaces an earlier vote cannot be taken back in a model that depends on the order.
    #[error(
        "SWAP takes votes one after the other and cannot take one back: use `--repeats first` or `all`"
    )]
    RepeatsLast,
}

/// Whom volunteers learn from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Learning {
    /// Subjects of known class only.
    #[default]
    Gold,
    /// Those, and every other subject as far as its class is believed.
    SelfTaught,
}

/// In which order votes are judged and learnt from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// Each vote is judged by the skill that its volunteer has shown so far.
    #[default]
    Online,
    /// All gold is learnt from first; then each vote is judged by the final skill.
    Offline,
}

/// What a row of counts is divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Denominator {
    /// The row's counts and pseudo-counts: rows sum to one.
    #[default]
    Row,
    /// n + 2γ for any K, as kSWAP's code has it; for K > 2 rows sum to more than one.
    TwoGamma,
}

/// When a subject is settled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Threshold {
    /// Any answer is at least this probable.
    Any(f64),
    /// One answer is at least as probable as `detect`, or at most as probable as `reject`.
    Of {
        /// The answer looked for.
        answer: u32,
        /// Detected from here on.
        detect: f64,
        /// Rejected from here down.
        reject: f64,
    },
}

/// Parameters; [`crate::skill::swap::Swap::new`] checks them.
#[derive(Clone, Debug, PartialEq)]
pub struct SwapParams {
    /// Probability of each answer before any vote, in any scale; `None`: all the same.
    pub prior: Option<Vec<f64>>,
    /// Pseudo-count of a right answer; `None`: 2 (K − 1) times that of a wrong one, two thirds right.
    pub right: Option<f64>,
    /// Pseudo-count γ of each wrong answer.
    pub wrong: f64,
    /// What rows are divided by.
    pub denominator: Denominator,
    /// Whom volunteers learn from.
    pub learning: Learning,
    /// In which order.
    pub pace: Pace,
    /// When a subject is settled; `None`: never.
    pub threshold: Option<Threshold>,
    /// Added to the divisor at every vote, so that probabilities sum to a little less than one: kSWAP
    /// adds 1e-9. 0 adds nothing.
    pub leak: f64,
    /// Least log-likelihood ratio (nats) by which a vote speaks for its own answer against every other;
    /// `None` lets a volunteer's counts turn a vote round.
    pub vote_floor: Option<f64>,
    /// Keep every subject's votes, so that [`crate::skill::swap::Swap::review`] can judge them by today's skill.
    pub keep_votes: bool,
}

impl Default for SwapParams {
    fn default() -> Self {
        Self {
            prior: None,
            right: None,
            wrong: 1.0,
            denominator: Denominator::Row,
            learning: Learning::Gold,
            pace: Pace::Online,
            threshold: None,
            leak: 0.0,
            vote_floor: None,
            keep_votes: false,
        }
    }
}

impl SwapParams {
    /// (hits + 1) / (seen + 2) of Space Warps: everybody starts at chance and learns from gold.
    #[must_use]
    pub fn even_start() -> Self {
        Self { right: Some(1.0), ..Self::default() }
    }
}

/// Checks parameters and gives the log of the normalised prior.
pub(super) fn checked(n_answers: usize, params: &SwapParams) -> Result<Vec<f64>, SwapError> {
    if n_answers == 0 {
        return Err(SwapError::NoAnswers);
    }
    if params.pace == Pace::Offline && params.learning == Learning::SelfTaught {
        return Err(SwapError::OfflineSelfTaught);
    }
    let must = |name, value: f64, ok: bool, must| match ok {
        true => Ok(()),
        false => Err(SwapError::Parameter { name, value, must }),
    };
    let positive = |x: f64| x.is_finite() && x > 0.0;
    must("the pseudo-count of a wrong answer", params.wrong, positive(params.wrong), "above 0")?;
    let right = params.right.unwrap_or(1.0);
    must("the pseudo-count of a right answer", right, positive(right), "above 0")?;
    must("the leak", params.leak, (0.0..1.0).contains(&params.leak), "at least 0 and below 1")?;
    let share = |p: f64| (0.0..=1.0).contains(&p);
    match params.threshold {
        None => {}
        Some(Threshold::Any(p)) => must("the threshold", p, share(p), "between 0 and 1")?,
        Some(Threshold::Of { answer, detect, reject }) => {
            must("the threshold", detect, share(detect), "between 0 and 1")?;
            must("the rejection", reject, share(reject) && reject < detect, "below the threshold")?;
            let index = answer as usize;
            if index >= n_answers {
                return Err(SwapError::Index { vote: 0, what: "answer", index, n: n_answers });
            }
        }
    }
    let prior = match &params.prior {
        None => vec![1.0; n_answers],
        Some(prior) if prior.len() == n_answers => prior.clone(),
        Some(prior) => return Err(SwapError::PriorLength { actual: prior.len(), expected: n_answers }),
    };
    for &p in &prior {
        must("a prior probability", p, positive(p), "above 0")?;
    }
    let total = ascending_sum(&prior, &mut Vec::new());
    Ok(prior.iter().map(|p| (p / total).ln()).collect())
}
