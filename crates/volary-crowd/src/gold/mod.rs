//! Gold standards out of volunteers' own votes: labels that can be made again from the votes they stand on.
//!
//! A subject with enough votes gets a soft label (the posterior mean of each answer's share) and, where the
//! crowd is sure, a hard one: the interval of the share excludes one half and the share itself is at least
//! `agreement` (or at most one less it). Each label carries the hash of its votes, so that a label and a list
//! of votes that do not belong together are found out. [`mod@mix`] puts gold among other labels.

pub mod mix;

use volary_core::votes::{NO_ANSWER, Vote, VotesBuilder};
use volary_core::{QuestionKind, Votes};

use crate::consensus::{Consensus, Item};
use crate::error::CrowdError;
use crate::interval::Interval;
use crate::repeats::Counted;

/// When a subject is gold, and how sure a hard label is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GoldParams {
    /// Votes that a subject needs.
    pub least: u32,
    /// Share from which on an answer may be a hard label.
    pub agreement: f64,
}

impl Default for GoldParams {
    /// Ten votes, four fifths.
    fn default() -> Self {
        Self { least: 10, agreement: 0.8 }
    }
}

impl GoldParams {
    /// Whether the numbers can be.
    ///
    /// # Errors
    /// [`CrowdError::Share`] for an agreement that is no majority, or more than everybody.
    pub fn check(&self) -> Result<(), CrowdError> {
        if self.agreement > 0.5 && self.agreement <= 1.0 {
            return Ok(());
        }
        let must = "a share above 0.5 and up to 1";
        Err(CrowdError::Share { what: "the agreement of a hard label", must, value: self.agreement })
    }
}

/// What the crowd says of one answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GoldAnswer {
    /// Index into the question's answers.
    pub answer: u32,
    /// Votes for it.
    pub n_votes: u32,
    /// The soft label: a skill model's probability, or the posterior mean of the share under Jeffreys' prior.
    pub p: f64,
    /// Posterior standard deviation of the share; none for a model's probability.
    pub sd: Option<f64>,
    /// Interval of the share or the probability.
    pub interval: Interval,
    /// The hard label: the answer is true, is false, or nobody can be so sure. Of a question with one answer all are
    /// false but the true one, and all are open where none is true.
    pub is_true: Option<bool>,
}

/// A subject of the gold standard.
#[derive(Clone, Debug, PartialEq)]
pub struct GoldItem {
    /// Index into the subjects.
    pub subject: u32,
    /// Classifications that saw the question.
    pub n_seen: u32,
    /// Effective number of votes.
    pub n_effective: f64,
    /// Its answers.
    pub answers: Vec<GoldAnswer>,
    /// Digest of its votes: the same votes have the same one.
    pub vote_set: String,
}

impl GoldItem {
    /// Whether the label is hard: of a question with one answer, whether one is true; of others, whether
    /// every answer is true or false.
    #[must_use]
    pub fn is_hard(&self, kind: QuestionKind) -> bool {
        let mut answers = self.answers.iter();
        match kind.is_multiple() {
            true => answers.all(|a| a.is_true.is_some()),
            false => answers.any(|a| a.is_true == Some(true)),
        }
    }

    /// The answers that are true.
    pub fn truths(&self) -> impl Iterator<Item = &GoldAnswer> {
        self.answers.iter().filter(|a| a.is_true == Some(true))
    }
}

/// The votes of one question that count, of each subject the first `most` to arrive, numbered as they came.
/// Answers that the question offers stay, also where nobody gives them any more.
#[must_use]
pub fn first_votes(votes: &Votes, question: u32, counted: &Counted, most: Option<u32>) -> Votes {
    let asked = &votes.questions[question as usize];
    let mut of_classification: Vec<Vec<Vote>> = vec![Vec::new(); votes.n_classifications()];
    for vote in votes.of_question(question) {
        of_classification[vote.classification as usize].push(*vote);
    }
    let mut builder = VotesBuilder::default();
    let mut n_of_subject = vec![0_u32; votes.subjects.len()];
    for &classification in &votes.arrival {
        let at = classification as usize;
        let n = &mut n_of_subject[votes.subject[at] as usize];
        let is_wanted = !of_classification[at].is_empty() && counted.counts[at];
        if !is_wanted || most.is_some_and(|most| *n >= most) {
            continue;
        }
        *n += 1;
        let created_ms = Some(votes.created_ms[at]).filter(|ms| *ms != i64::MIN);
        let number = builder.n_classifications() as u64 + 1;
        let new = builder.numbered_classification(
            &asked.workflow,
            &votes.subjects[votes.subject[at] as usize],
            &votes.volunteers[votes.volunteer[at] as usize],
            created_ms,
            number,
        );
        for vote in &of_classification[at] {
            let answer =
                (vote.answer != NO_ANSWER).then(|| asked.answers[vote.answer as usize].as_str());
            builder.vote(new, &asked.task, asked.kind, answer);
        }
    }
    for answer in &asked.answers {
        builder.offer(&asked.workflow, &asked.task, asked.kind, answer);
    }
    builder.finish()
}

/// The gold standard of the first question of `votes`, by subject. `consensus` is of the same votes.
///
/// # Errors
/// As [`GoldParams::check`].
pub fn gold(
    votes: &Votes,
    consensus: &Consensus,
    params: &GoldParams,
) -> Result<Vec<GoldItem>, CrowdError> {
    params.check()?;
    let Some(question) = votes.questions.first() else { return Ok(Vec::new()) };
    let hashes = vote_sets(votes);
    let mut items = Vec::new();
    for item in consensus.of_question(0) {
        let n = if question.kind.is_multiple() { item.n_seen } else { item.n_answered };
        if n < params.least {
            continue;
        }
        let n_answers = if question.kind.is_multiple() { 2 } else { question.answers.len().max(2) };
        items.push(GoldItem {
            subject: item.subject,
            n_seen: item.n_seen,
            n_effective: item.n_effective,
            answers: answers(consensus, item, (n, n_answers), question.kind, params),
            vote_set: hashes[item.subject as usize].clone(),
        });
    }
    Ok(items)
}

fn answers(
    consensus: &Consensus,
    item: &Item,
    (n, n_answers): (u32, usize),
    kind: QuestionKind,
    params: &GoldParams,
) -> Vec<GoldAnswer> {
    let rows = consensus.answers_of(item).iter().zip(consensus.probabilities_of(item));
    let mut all: Vec<GoldAnswer> = rows
        .map(|(row, model)| {
            // Jeffreys' Dirichlet: half a vote for each answer.
            let total = f64::from(n) + n_answers as f64 / 2.0;
            let mean = (f64::from(row.n_votes) + 0.5) / total;
            let (p, sd, interval) = match model {
                Some(model) => (model.p, None, model.interval),
                None => (mean, Some((mean * (1.0 - mean) / (total + 1.0)).sqrt()), row.interval),
            };
            let is_true = if interval.low > 0.5 && row.fraction >= params.agreement {
                Some(true)
            } else if interval.high < 0.5 && row.fraction <= 1.0 - params.agreement {
                Some(false)
            } else {
                None
            };
            GoldAnswer { answer: row.answer, n_votes: row.n_votes, p, sd, interval, is_true }
        })
        .collect();
    if !kind.is_multiple() {
        // Of one answer the others follow: all are false where one is true, and none is where none is. One must be
        // true, so that "all are false" would be a label that nobody gave.
        let has_one = all.iter().any(|a| a.is_true == Some(true));
        for answer in all.iter_mut().filter(|a| a.is_true != Some(true)) {
            answer.is_true = has_one.then_some(false);
        }
    }
    all
}

/// BLAKE3 of the votes on each subject, whatever their order: who, when, what.
fn vote_sets(votes: &Votes) -> Vec<String> {
    let mut lines: Vec<Vec<[u8; 32]>> = vec![Vec::new(); votes.subjects.len()];
    for vote in &votes.votes {
        let at = vote.classification as usize;
        let question = &votes.questions[vote.question as usize];
        let answer = match vote.answer {
            NO_ANSWER => "\u{0}",
            answer => question.answers[answer as usize].as_str(),
        };
        let mut hasher = blake3::Hasher::new();
        let who = votes.volunteers[votes.volunteer[at] as usize].as_str();
        for text in [question.workflow.as_str(), question.task.as_str(), who, answer] {
            // With its length before it no text can pass for two.
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        hasher.update(&votes.created_ms[at].to_le_bytes());
        lines[votes.subject[at] as usize].push(*hasher.finalize().as_bytes());
    }
    let of_subject = |(lines, subject): (&mut Vec<[u8; 32]>, &String)| {
        lines.sort_unstable();
        let mut hasher = blake3::Hasher::new();
        hasher.update(subject.as_bytes());
        lines.iter().for_each(|line| {
            hasher.update(line);
        });
        hasher.finalize().to_hex().to_string()
    };
    lines.iter_mut().zip(&votes.subjects).map(of_subject).collect()
}

#[cfg(test)]
#[path = "gold_tests.rs"]
mod tests;
