//! How well what is said meets known answers, before the protection and after it: by the majority and by
//! Dawid–Skene, all together and slice by slice.
//!
//! Dawid–Skene (1979, doi:10.2307/2346806; shrunk to the crowd, as `volary consensus --method dawid-skene` fits it)
//! needs to know whose votes belong together, and that is what protection takes away. Votes that cannot be joined
//! are those of one voter, *somebody*, as anybody who has the package would fit them. Questions with several answers
//! have no Dawid–Skene; nor has a package without votes (tier A).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use volary_crowd::bias::{Column, Condition, slices};
use volary_crowd::skill::ballots::{Ballots, Columns};
use volary_crowd::skill::dawid_skene::{DawidSkene, Variant};
use volary_ingest::Progress;
use volary_ingest::tables::for_each_batch;

use super::inputs::Gold;
use crate::error::ReleaseError;
use crate::votes::{Count, NO_ANSWER, Vote, Votes};

/// A slice with fewer known answers is not judged.
const LEAST: usize = 10;
/// Slices of a number.
const N_BINS: usize = 4;
/// Dawid–Skene is not fitted to questions with more answers, or with more votes: it is to be told what it costs, not
/// to cost more than the release.
const MOST_ANSWERS: usize = 40;
const MOST_VOTES: usize = 3_000_000;
/// No answer is taken for less probable than this: one sure mistake must not be all of the loss.
const LEAST_PROBABLE: f64 = 1e-6;

/// A subject and a question.
type Key = (u32, u32);

/// How a known answer was met.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Met {
    is_right: bool,
    log_loss: f64,
}

/// Every known answer that something was said of.
pub(super) type Judgement = BTreeMap<Key, Met>;

/// Known answers of these votes, and the slices that they lie in.
pub(super) struct Known {
    truth: BTreeMap<Key, BTreeSet<Option<u32>>>,
    /// The answers that each question ever had, sorted.
    answers: BTreeMap<u32, Vec<u32>>,
    /// In words, and whose answers lie in it.
    slices: Vec<(String, BTreeSet<Key>)>,
}

/// Judgements before and after.
#[derive(Default)]
pub(super) struct Beside {
    pub(super) before: Option<Judgement>,
    pub(super) after: Option<Judgement>,
}

impl Known {
    /// The known answers; `all` are the counts of all votes, and `sliced` a table of subjects with its columns.
    pub(super) fn of(
        votes: &Votes,
        all: &[Count],
        gold: &[Gold],
        sliced: Option<(&Path, &[String])>,
        progress: &Progress,
    ) -> Result<Self, ReleaseError> {
        let mut answers: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for count in all {
            answers.entry(count.question).or_default().insert(count.answer);
        }
        let mut truth: BTreeMap<Key, BTreeSet<Option<u32>>> = BTreeMap::new();
        for known in gold {
            let Some(subject) = votes.subject(&known.subject) else { continue };
            let is_meant = |q: &u32| {
                let question = &votes.questions[*q as usize];
                known.task.as_ref().is_none_or(|task| *task == question.task)
                    && known.workflow.as_ref().is_none_or(|w| *w == question.workflow)
            };
            for question in answers.keys().filter(|q| is_meant(q)) {
                truth.entry((subject, *question)).or_default().insert(votes.answer(&known.answer));
            }
        }
        let answers = answers.into_iter().map(|(q, all)| (q, all.into_iter().collect())).collect();
        let mut known = Self { truth, answers, slices: Vec::new() };
        known.slice_by_question(votes);
        if let Some((path, columns)) = sliced {
            known.slice_by_columns(votes, path, columns, progress)?;
        }
        Ok(known)
    }

    fn slice_by_question(&mut self, votes: &Votes) {
        let mut by_question: BTreeMap<u32, BTreeSet<Key>> = BTreeMap::new();
        for key in self.truth.keys() {
            by_question.entry(key.1).or_default().insert(*key);
        }
        if by_question.len() > 1 {
            self.slices.extend(by_question.into_iter().map(|(question, keys)| {
                let question = &votes.questions[question as usize];
                (format!("{} {}", question.workflow, question.task), keys)
            }));
        }
    }

    fn slice_by_columns(
        &mut self,
        votes: &Votes,
        path: &Path,
        columns: &[String],
        progress: &Progress,
    ) -> Result<(), ReleaseError> {
        let subjects: Vec<u32> =
            self.truth.keys().map(|key| key.0).collect::<BTreeSet<_>>().into_iter().collect();
        let mut cells = vec![vec![None; subjects.len()]; columns.len()];
        let needed: Vec<&str> =
            std::iter::once("subject_id").chain(columns.iter().map(String::as_str)).collect();
        for_each_batch(path, &needed, progress, |batch| {
            for row in 0..batch.n_rows() {
                let Some(subject) = batch.text("subject_id", row).and_then(|id| votes.subject(&id))
                else {
                    continue;
                };
                let Ok(at) = subjects.binary_search(&subject) else { continue };
                for (name, column) in columns.iter().zip(&mut cells) {
                    let cell = batch.text(name, row).map(|c| c.trim().to_owned());
                    column[at] = cell.filter(|c| !c.is_empty());
                }
            }
            Ok(())
        })?;
        for (name, cells) in columns.iter().zip(cells) {
            let column = slices(&Column::of_cells(name, cells), N_BINS);
            for (at, condition) in column.conditions.iter().enumerate() {
                let is_in = |key: &&Key| {
                    subjects.binary_search(&key.0).is_ok_and(|s| column.of_case[s] == Some(at))
                };
                let words = match condition {
                    Condition::Range { column, low, high } => format!("{column} {low} to {high}"),
                    Condition::Is { column, label } => format!("{column} = {label}"),
                };
                self.slices.push((words, self.truth.keys().filter(is_in).copied().collect()));
            }
        }
        Ok(())
    }

    /// How the majority meets them. The share of an answer is (k + ½) / (n + K/2), K being the answers that the
    /// question ever had. Counts are sorted.
    pub(super) fn by_majority(&self, counts: &[Count]) -> Judgement {
        let judged = |(key, truth): (&Key, &BTreeSet<Option<u32>>)| {
            let from = counts.partition_point(|c| (c.subject, c.question) < *key);
            let own: Vec<&Count> =
                counts[from..].iter().take_while(|c| (c.subject, c.question) == *key).collect();
            let most = own.iter().map(|c| c.n_votes).max()?;
            let total: u64 = own.iter().map(|c| c.n_votes).sum();
            let mut winners = own.iter().filter(|c| c.n_votes == most);
            // A tie is no answer.
            let winner = winners.next().filter(|_| winners.next().is_none());
            let said = own.iter().filter(|c| truth.contains(&Some(c.answer)));
            let k: u64 = said.map(|c| c.n_votes).sum();
            let n_answers = self.answers.get(&key.1).map_or(1, Vec::len).max(1) as f64;
            let p = (k as f64 + 0.5 * truth.len() as f64) / (total as f64 + 0.5 * n_answers);
            let is_right = winner.is_some_and(|w| truth.contains(&Some(w.answer)));
            Some((*key, Met { is_right, log_loss: -p.min(1.0).ln() }))
        };
        self.truth.iter().filter_map(judged).collect()
    }

    /// How Dawid–Skene meets them, where `voter` says who a vote is known to be of: nobody in particular for None.
    /// None where no question can be fitted.
    pub(super) fn by_dawid_skene(
        &self,
        votes: &Votes,
        voter: &dyn Fn(&Vote) -> Option<u32>,
    ) -> Option<Judgement> {
        let questions: BTreeSet<u32> = self.truth.keys().map(|key| key.1).collect();
        let mut all = Judgement::new();
        let mut is_fitted = false;
        for question in questions {
            let Some(answers) =
                self.answers.get(&question).filter(|a| (2..=MOST_ANSWERS).contains(&a.len()))
            else {
                continue;
            };
            if !matches!(votes.questions[question as usize].kind.as_str(), "single" | "dropdown") {
                continue;
            }
            let rows = votes.rows.iter().filter(|v| v.question == question && v.answer != NO_ANSWER);
            let Some((items, posterior)) = fit(rows, answers, voter) else { continue };
            is_fitted = true;
            let of_question = self.truth.iter().filter(|(key, _)| key.1 == question);
            for (key, truth) in of_question {
                let Ok(item) = items.binary_search(&key.0) else { continue };
                let p = &posterior[item * answers.len()..][..answers.len()];
                let is_true = |class: &usize| truth.contains(&Some(answers[*class]));
                let right: f64 = (0..p.len()).filter(is_true).map(|class| p[class]).sum();
                let most = p.iter().copied().fold(0.0, f64::max);
                let mut winners = (0..p.len()).filter(|class| p[*class] == most);
                let winner = winners.next().filter(|_| winners.next().is_none());
                let log_loss = -right.clamp(LEAST_PROBABLE, 1.0).ln();
                all.insert(*key, Met { is_right: winner.as_ref().is_some_and(is_true), log_loss });
            }
        }
        is_fitted.then_some(all)
    }

    /// What came of both, all together and by slice.
    pub(super) fn report(&self, majority: &Beside, dawid_skene: &Beside) -> Value {
        let of = |keys: Option<&BTreeSet<Key>>, judgement: &Option<Judgement>| match judgement {
            None => Value::Null,
            Some(judgement) => mean(judgement, keys),
        };
        let both = |keys: Option<&BTreeSet<Key>>, of_method: &Beside| json!({"before": of(keys, &of_method.before), "after": of(keys, &of_method.after)});
        let mut slices = Vec::new();
        for (words, keys) in &self.slices {
            let n = keys.len();
            slices.push(if n < LEAST {
                json!({"slice": words, "n": n, "too_few": true})
            } else {
                json!({
                    "slice": words,
                    "n": n,
                    "majority": both(Some(keys), majority),
                    "dawid_skene": both(Some(keys), dawid_skene),
                })
            });
        }
        let mut report = both(None, majority);
        report["dawid_skene"] = both(None, dawid_skene);
        report["slices"] = slices.into();
        report
    }
}

fn mean(judgement: &Judgement, keys: Option<&BTreeSet<Key>>) -> Value {
    let of = |key: &Key| keys.is_none_or(|keys| keys.contains(key));
    let met: Vec<&Met> = judgement.iter().filter(|(key, _)| of(key)).map(|(_, met)| met).collect();
    if met.is_empty() {
        return json!({"n": 0});
    }
    let n = met.len() as f64;
    let right = met.iter().filter(|m| m.is_right).count() as f64;
    let loss = met.iter().map(|m| m.log_loss).sum::<f64>();
    json!({"n": met.len(), "accuracy": right / n, "log_loss": loss / n})
}

/// The subjects of a question, and the probability of each answer, `[subjects, answers]`.
fn fit<'v>(
    rows: impl Iterator<Item = &'v Vote>,
    answers: &[u32],
    voter: &dyn Fn(&Vote) -> Option<u32>,
) -> Option<(Vec<u32>, Vec<f64>)> {
    let mut items: Vec<u32> = Vec::new();
    // Place 0 is somebody.
    let mut voters: BTreeMap<u32, u32> = BTreeMap::new();
    let mut columns = Columns { n_classes: answers.len(), ..Columns::default() };
    for vote in rows {
        let label = answers.binary_search(&vote.answer).ok()? as u32;
        if items.last() != Some(&vote.subject) {
            items.push(vote.subject);
        }
        let next = voters.len() as u32 + 1;
        columns.item.push(items.len() as u32 - 1);
        columns.volunteer.push(voter(vote).map_or(0, |who| *voters.entry(who).or_insert(next)));
        columns.label.push(label);
        if columns.item.len() > MOST_VOTES {
            return None;
        }
    }
    columns.n_items = items.len();
    columns.n_volunteers = voters.len() + 1;
    let ballots = Ballots::new(columns).ok()?;
    Some((items, DawidSkene::new(Variant::Shrunk).fit(&ballots).posterior))
}

#[cfg(test)]
#[path = "on_gold_tests.rs"]
mod tests;
