//! Single votes: who was wrong more often, by what is known of the subject and by the voter's experience then.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use volary_core::Votes;
use volary_core::truth::Truth;
use volary_core::votes::NO_ANSWER;
use volary_crowd::bias::of_votes::{VoteCase, bias_of_votes};
use volary_crowd::bias::{BiasParams, Case, Column, SliceRate, Values};
use volary_crowd::{Counted, experience_then};

use crate::session::Session;

/// Votes on one answer of one question.
pub(super) struct Asked<'a> {
    pub(super) votes: &'a Votes,
    pub(super) counted: &'a Counted,
    pub(super) question: u32,
    pub(super) positive: &'a str,
}

/// Error rates of votes by `columns` of the subjects, and by experience.
pub(super) fn rates(
    asked: &Asked<'_>,
    truth: &Truth,
    known: &[String],
    columns: &[Column],
    params: &BiasParams,
    session: &mut Session,
) -> Result<Vec<SliceRate>> {
    let judged = asked.judged(truth, known);
    let before = experience_then(asked.votes, asked.counted);
    let has_time = |c: &usize| asked.votes.created_ms[*c] != i64::MIN;
    let experience: Vec<f64> =
        judged
            .iter()
            .map(|vote| {
                if has_time(&vote.classification) {
                    before[vote.classification] as f64
                } else {
                    f64::NAN
                }
            })
            .collect();
    if experience.iter().all(|n| n.is_nan()) && columns.is_empty() {
        bail!(
            "no vote on a subject with a known truth has a time, so that nobody's experience is known; give votes with created_at, or columns with --slices and --by"
        );
    }
    let at: Vec<usize> = judged.iter().map(|vote| vote.at).collect();
    let mut by: Vec<Column> = columns.iter().map(|column| column.of(&at)).collect();
    by.push(Column { name: "experience".to_owned(), values: Values::Numbers(experience) });
    let cases: Vec<VoteCase> = judged.iter().map(|vote| vote.case).collect();
    session.summary.count("n_judged_votes", "votes judged", cases.len() as u64);
    Ok(bias_of_votes(&cases, &by, params)?)
}

struct Judged {
    classification: usize,
    /// Place of the subject among those with a truth.
    at: usize,
    case: VoteCase,
}

impl Asked<'_> {
    /// The votes that count on subjects with a truth, one of each classification.
    fn judged(&self, truth: &Truth, known: &[String]) -> Vec<Judged> {
        let question = &self.votes.questions[self.question as usize];
        let place: BTreeMap<&str, usize> = known.iter().map(String::as_str).zip(0..).collect();
        let is_positive: Vec<bool> = known
            .iter()
            .map(|subject| truth.answers(&question.task, subject).iter().any(|a| a == self.positive))
            .collect();
        let mut said: BTreeMap<u32, bool> = BTreeMap::new();
        for vote in self.votes.votes.iter().filter(|vote| vote.question == self.question) {
            // Nothing chosen of several is an answer; nothing chosen where one must be is none.
            if vote.answer == NO_ANSWER && !question.kind.is_multiple() {
                continue;
            }
            let is_it =
                vote.answer != NO_ANSWER && question.answers[vote.answer as usize] == self.positive;
            *said.entry(vote.classification).or_default() |= is_it;
        }
        let judge = |(classification, said_positive): (u32, bool)| {
            let c = classification as usize;
            let subject = self.votes.subject[c];
            let at = *place.get(self.votes.subjects[subject as usize].as_str())?;
            let case = Case { is_positive: is_positive[at], said_positive };
            self.counted.counts[c].then_some(Judged {
                classification: c,
                at,
                case: VoteCase { volunteer: self.votes.volunteer[c], subject, case },
            })
        };
        said.into_iter().filter_map(judge).collect()
    }
}
