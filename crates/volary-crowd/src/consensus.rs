//! What every consensus method returns: one item per question and subject, one row per answer.
//!
//! No method lives here; see [`mod@crate::fraction`] and [`mod@crate::skill`].

use std::ops::Range;

use crate::beta_binomial::{BetaBinomial, BetaBinomialError};
use crate::fraction::{TIE, leaders};
use crate::interval::Interval;
use crate::skill::fit::Probability;

/// What the crowd says on one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nobody answered.
    Nobody,
    /// A tie: the votes do not decide, and no rule of ours shall.
    Undetermined,
    /// The answers agreed on: one for questions with one answer; any number, also none, where each
    /// answer is a yes or no of its own.
    Agreed(Vec<u32>),
}

/// One question on one subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Index into the questions.
    pub question: u32,
    /// Index into the subjects.
    pub subject: u32,
    /// Classifications that count and hold the question (one per volunteer unless repeats count).
    pub n_seen: u32,
    /// Those of them that give an answer.
    pub n_answered: u32,
    /// Sum of the weights of those who saw it.
    pub weight_seen: f64,
    /// Effective number of votes behind the fractions, (Σw)²/Σw².
    pub n_effective: f64,
    /// What the crowd says.
    pub outcome: Outcome,
    /// Entropy of the answers in bits (one answer), or the mean of each answer's own (several).
    pub entropy_bits: f64,
    /// Its posterior standard deviation under Jeffreys' prior.
    pub entropy_sd_bits: f64,
    /// Share of the top answer (one answer), or mean of max(f, 1 − f) (several).
    pub agreement: Option<f64>,
    /// Interval of the share of the top answer.
    pub agreement_interval: Option<Interval>,
    /// Rows of [`Consensus::answers`].
    pub answers: Range<usize>,
}

/// One answer to one question on one subject.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnswerShare {
    /// Index into the question's answers.
    pub answer: u32,
    /// Votes.
    pub n_votes: u32,
    /// Sum of their weights.
    pub weight: f64,
    /// Weighted share of those who answered (one answer) or saw (several answers).
    pub fraction: f64,
    /// Interval of the share.
    pub interval: Interval,
    /// Posterior mean of the share under the prior fitted to all subjects, where one was fitted.
    pub shrunk: Option<f64>,
}

/// Whether two shares or probabilities are the same but for rounding.
pub(crate) fn is_tie(a: f64, b: f64) -> bool {
    (a - b).abs() <= TIE
}

/// How one answer's share spreads over the subjects.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prior {
    /// Index into the questions.
    pub question: u32,
    /// Index into the question's answers.
    pub answer: u32,
    /// The fit, to unweighted counts, or why there is none.
    pub fit: Result<BetaBinomial, BetaBinomialError>,
}

/// The result of a consensus method.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Consensus {
    /// Sorted by question, then subject.
    pub items: Vec<Item>,
    /// Sorted by item, then answer.
    pub answers: Vec<AnswerShare>,
    /// What a skill model says of each row of `answers`; empty where no model was asked, since millions
    /// of rows without one should not pay for it.
    pub probabilities: Vec<Option<Probability>>,
    /// Sorted by question, then answer; none for sliders and questions nobody answered.
    pub priors: Vec<Prior>,
    /// The method and its parameters, in words.
    pub method: String,
}

impl Consensus {
    /// The answers of an item.
    #[must_use]
    pub fn answers_of(&self, item: &Item) -> &[AnswerShare] {
        &self.answers[item.answers.clone()]
    }

    /// What a skill model says of each of [`Consensus::answers_of`], where one was asked.
    pub fn probabilities_of(&self, item: &Item) -> impl Iterator<Item = Option<Probability>> + Clone {
        item.answers.clone().map(|row| self.probabilities.get(row).copied().flatten())
    }

    /// By answer: the model's probability, or the fraction where no model was asked.
    pub fn beliefs_of(&self, item: &Item) -> impl Iterator<Item = (u32, f64)> + Clone {
        let rows = self.answers_of(item).iter().zip(self.probabilities_of(item));
        rows.map(|(row, model)| (row.answer, model.map_or(row.fraction, |p| p.p)))
    }

    /// The highest probability that a model gave an answer of the item, if one was asked.
    #[must_use]
    pub fn highest_probability(&self, item: &Item) -> Option<f64> {
        self.probabilities_of(item).flatten().map(|p| p.p).reduce(f64::max)
    }

    /// The answers that share the highest probability, or the most weight where no model was asked.
    #[must_use]
    pub fn leaders(&self, item: &Item) -> Vec<u32> {
        let rows = self.answers_of(item);
        let Some(highest) = self.highest_probability(item) else { return leaders(rows).collect() };
        let leads = |p: Option<Probability>| p.is_some_and(|p| is_tie(p.p, highest));
        let of_all = rows.iter().zip(self.probabilities_of(item));
        of_all.filter(|(_, p)| leads(*p)).map(|(row, _)| row.answer).collect()
    }

    /// The items of one question.
    #[must_use]
    pub fn of_question(&self, question: u32) -> &[Item] {
        let start = self.items.partition_point(|i| i.question < question);
        let end = self.items.partition_point(|i| i.question <= question);
        &self.items[start..end]
    }

    /// The item of a question and subject.
    #[must_use]
    pub fn find(&self, question: u32, subject: u32) -> Option<&Item> {
        let key = |i: &Item| (i.question, i.subject);
        self.items.binary_search_by_key(&(question, subject), key).ok().map(|at| &self.items[at])
    }
}
