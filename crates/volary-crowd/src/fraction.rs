//! Vote fractions with intervals: the consensus that every project reports.
//!
//! What a fraction is of:
//! - One answer (single, drop-down, slider): votes / those who *answered*. Blank answers are reported
//!   beside it (`n_seen − n_answered`), because a blank is no vote for any of the answers. The top answer
//!   wins; an exact tie is [`Outcome::Undetermined`], never the first label.
//! - Several answers (multiple, survey, shortcut, survey details): each answer is a Bernoulli of its own,
//!   votes / those who *saw* the question, so a blank is a no to every answer. Answers with more than
//!   half are agreed, also none of them; an answer at exactly one half leaves the item undetermined.
//!
//! With weights, a fraction is Σw(yes)/Σw and its interval is that of (Σw)²/Σw² votes (Kish 1965).
//! Questions with a closed list of answers have a row for every answer, others for those given.
//! No skill is estimated here; volunteers count by the weights they come with.

use std::collections::HashMap;
use std::ops::Range;

use rayon::prelude::*;
use volary_core::Votes;
use volary_core::votes::{NO_ANSWER, Question, QuestionKind, Vote};

use crate::beta_binomial::{BetaBinomial, Counts};
use crate::consensus::{AnswerShare, Consensus, Item, Outcome, Prior};
use crate::entropy::{entropy_bits, entropy_posterior_bits};
use crate::error::CrowdError;
use crate::interval::{Interval, IntervalKind, clopper_pearson, jeffreys, wilson};
use crate::repeats::Counted;
use crate::weights::Weights;

/// Sums of weights this close (relative) are equal: they differ only by rounding.
pub const TIE: f64 = 1e-12;
/// Votes per unit of parallel work.
const CHUNK: usize = 1 << 14;
/// Units whose results wait to be joined.
const CHUNKS_AT_ONCE: usize = 32;

/// Parameters that have been checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FractionParams {
    interval: IntervalKind,
    level: f64,
}

impl Default for FractionParams {
    fn default() -> Self {
        Self { interval: IntervalKind::Jeffreys, level: 0.95 }
    }
}

impl FractionParams {
    /// Which interval, at which level.
    ///
    /// # Errors
    /// [`CrowdError::Level`] unless 0 < `level` < 1.
    pub fn new(interval: IntervalKind, level: f64) -> Result<Self, CrowdError> {
        if level > 0.0 && level < 1.0 {
            Ok(Self { interval, level })
        } else {
            Err(CrowdError::Level { level })
        }
    }

    /// Which interval.
    #[must_use]
    pub fn interval(&self) -> IntervalKind {
        self.interval
    }

    /// At which level.
    #[must_use]
    pub fn level(&self) -> f64 {
        self.level
    }

    /// The interval of `k` of `n`, which may be effective counts. Beta–binomial intervals need a
    /// `prior`; without one (it could not be fitted) they are Jeffreys'.
    #[must_use]
    pub fn around(&self, k: f64, n: f64, prior: Option<&BetaBinomial>) -> Interval {
        match (self.interval, prior) {
            (IntervalKind::Wilson, _) => wilson(k, n, self.level),
            (IntervalKind::ClopperPearson, _) => clopper_pearson(k, n, self.level),
            (IntervalKind::BetaBinomial, Some(prior)) => prior.posterior_interval(k, n, self.level),
            (IntervalKind::Jeffreys | IntervalKind::BetaBinomial, _) => jeffreys(k, n, self.level),
        }
    }
}

/// Vote fractions of every question and subject.
///
/// The answer depends on neither the order of the input nor the number of threads.
///
/// # Errors
/// [`CrowdError::Length`] when `counted` or `weights` belong to other votes; [`CrowdError::Weight`] for
/// a weight that is not positive.
pub fn fraction(
    votes: &Votes,
    counted: &Counted,
    weights: Option<&Weights>,
    params: &FractionParams,
) -> Result<Consensus, CrowdError> {
    check_counted(votes, counted)?;
    if let Some(weights) = weights {
        weights.check(votes)?;
    }
    let weights = weights.map(|w| w.per_classification.as_slice());
    let view = View { votes, counted: &counted.counts, weights };
    let (mut items, mut answers) = count_all(&view);
    let priors = fit_priors(votes, &items, &answers);
    put_intervals(&votes.questions, (&mut items, &mut answers), &priors, params);
    let weighted = if weights.is_some() { ", weighted" } else { "" };
    let method =
        format!("vote fractions{weighted}, {} intervals at {}", params.interval.as_str(), params.level);
    Ok(Consensus { items, answers, probabilities: Vec::new(), priors, method })
}

pub(crate) fn check_counted(votes: &Votes, counted: &Counted) -> Result<(), CrowdError> {
    let (actual, expected) = (counted.counts.len(), votes.n_classifications());
    if actual == expected {
        Ok(())
    } else {
        Err(CrowdError::Length { what: "counted classifications", actual, expected })
    }
}

/// Votes with what decides how they count.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) votes: &'a Votes,
    pub(crate) counted: &'a [bool],
    pub(crate) weights: Option<&'a [f64]>,
}

impl View<'_> {
    pub(crate) fn weight(&self, classification: u32) -> f64 {
        self.weights.map_or(1.0, |w| w[classification as usize])
    }
}

/// Splits the votes into runs of whole subjects of one question, each enough work for a thread.
pub(crate) fn chunks(votes: &Votes) -> Vec<&[Vote]> {
    let mut chunks = Vec::new();
    let same = |a: Vote, b: Vote| a.question == b.question && votes.subject_of(a) == votes.subject_of(b);
    for mut rest in votes.votes.chunk_by(|a, b| a.question == b.question) {
        while rest.len() > CHUNK {
            let last = rest[CHUNK];
            let more = rest[CHUNK..].iter().take_while(|v| same(**v, last)).count();
            let (head, tail) = rest.split_at(CHUNK + more);
            chunks.push(head);
            rest = tail;
        }
        if !rest.is_empty() {
            chunks.push(rest);
        }
    }
    chunks
}

fn count_all(view: &View<'_>) -> (Vec<Item>, Vec<AnswerShare>) {
    let (mut items, mut answers) = (Vec::new(), Vec::new());
    // A few chunks at a time: all of them at once would stand in memory twice while they are joined.
    for some in chunks(view.votes).chunks(CHUNKS_AT_ONCE) {
        let parts: Vec<(Vec<Item>, Vec<AnswerShare>)> =
            some.into_par_iter().map(|chunk| count_chunk(view, chunk)).collect();
        for (mut part_items, mut part_answers) in parts {
            let offset = answers.len();
            for item in &mut part_items {
                item.answers = item.answers.start + offset..item.answers.end + offset;
            }
            items.append(&mut part_items);
            answers.append(&mut part_answers);
        }
    }
    items.shrink_to_fit();
    answers.shrink_to_fit();
    (items, answers)
}

fn count_chunk(view: &View<'_>, chunk: &[Vote]) -> (Vec<Item>, Vec<AnswerShare>) {
    let (mut items, mut answers) = (Vec::new(), Vec::new());
    let Some(first) = chunk.first() else { return (items, answers) };
    let question = &view.votes.questions[first.question as usize];
    let mut tally = Tally::new(question.answers.len());
    for (subject, group) in view.votes.by_subject(chunk) {
        tally.count(view, group);
        if tally.n_seen > 0 {
            items.push(make_item(question, first.question, subject, &tally, &mut answers));
        }
    }
    (items, answers)
}

/// The votes of one item; reused from subject to subject.
pub(crate) struct Tally {
    votes: Vec<u32>,
    weights: Vec<f64>,
    given: Vec<u32>,
    pub(crate) n_seen: u32,
    pub(crate) n_answered: u32,
    seen: Sums,
    answered: Sums,
}

/// Σw and Σw².
#[derive(Clone, Copy, Default)]
struct Sums {
    weight: f64,
    squares: f64,
}

impl Sums {
    fn add(&mut self, weight: f64) {
        self.weight += weight;
        self.squares += weight * weight;
    }

    fn n_effective(self) -> f64 {
        if self.squares > 0.0 { whole(self.weight * self.weight / self.squares) } else { 0.0 }
    }
}

/// A whole number of votes stays whole: 1/49·49 is not 1 in floating point, and "all of n" must be seen.
fn whole(votes: f64) -> f64 {
    if (votes - votes.round()).abs() < 1e-9 { votes.round() } else { votes }
}

impl Tally {
    pub(crate) fn new(n_answers: usize) -> Self {
        Self {
            votes: vec![0; n_answers],
            weights: vec![0.0; n_answers],
            given: Vec::new(),
            n_seen: 0,
            n_answered: 0,
            seen: Sums::default(),
            answered: Sums::default(),
        }
    }

    /// Counts the votes of one subject, sorted by classification and answer.
    pub(crate) fn count(&mut self, view: &View<'_>, group: &[Vote]) {
        self.clear();
        for own in group.chunk_by(|a, b| a.classification == b.classification) {
            let classification = own[0].classification;
            if !view.counted[classification as usize] {
                continue;
            }
            let weight = view.weight(classification);
            self.n_seen += 1;
            self.seen.add(weight);
            if own[0].answer == NO_ANSWER {
                continue;
            }
            self.n_answered += 1;
            self.answered.add(weight);
            // The same answer twice in one classification is one vote.
            for same in own.chunk_by(|a, b| a.answer == b.answer) {
                if same[0].answer != NO_ANSWER {
                    self.add(same[0].answer, weight);
                }
            }
        }
        self.given.sort_unstable();
    }

    fn add(&mut self, answer: u32, weight: f64) {
        let at = answer as usize;
        if self.votes[at] == 0 {
            self.given.push(answer);
        }
        self.votes[at] += 1;
        self.weights[at] += weight;
    }

    fn clear(&mut self) {
        for answer in self.given.drain(..) {
            self.votes[answer as usize] = 0;
            self.weights[answer as usize] = 0.0;
        }
        (self.n_seen, self.n_answered) = (0, 0);
        (self.seen, self.answered) = (Sums::default(), Sums::default());
    }

    /// Answers that somebody gave, ascending.
    pub(crate) fn given(&self) -> &[u32] {
        &self.given
    }

    pub(crate) fn votes_for(&self, answer: u32) -> u32 {
        self.votes[answer as usize]
    }
}

fn make_item(
    question: &Question,
    question_index: u32,
    subject: u32,
    tally: &Tally,
    answers: &mut Vec<AnswerShare>,
) -> Item {
    let several = question.kind.is_multiple();
    let of = if several { tally.seen } else { tally.answered };
    let start = answers.len();
    if question.kind.lists_all_answers() {
        let all = 0..u32::try_from(question.answers.len()).expect("answers are u32");
        answers.extend(all.map(|answer| share(tally, answer, of)));
    } else {
        answers.extend(tally.given.iter().map(|&answer| share(tally, answer, of)));
    }
    let rows = &answers[start..];
    let n_effective = of.n_effective();
    let (entropy_bits, entropy_sd_bits) =
        if several { entropy_of_several(rows, n_effective) } else { entropy_of_one(rows, n_effective) };
    Item {
        question: question_index,
        subject,
        n_seen: tally.n_seen,
        n_answered: tally.n_answered,
        weight_seen: tally.seen.weight,
        n_effective,
        outcome: if several { outcome_of_several(rows) } else { outcome_of_one(rows) },
        entropy_bits,
        entropy_sd_bits,
        agreement: if several { mean_agreement(rows) } else { top(rows).map(|row| row.fraction) },
        agreement_interval: None,
        answers: start..answers.len(),
    }
}

fn share(tally: &Tally, answer: u32, of: Sums) -> AnswerShare {
    let weight = tally.weights[answer as usize];
    AnswerShare {
        answer,
        n_votes: tally.votes[answer as usize],
        weight,
        fraction: if of.weight > 0.0 { (weight / of.weight).min(1.0) } else { 0.0 },
        interval: Interval::WHOLE,
        shrunk: None,
    }
}

/// The first of the rows with the most weight; none where nobody answered.
pub(crate) fn top(rows: &[AnswerShare]) -> Option<&AnswerShare> {
    rows.iter()
        .filter(|r| r.n_votes > 0)
        .reduce(|best, row| if row.weight > best.weight { row } else { best })
}

/// The answers that share the most weight.
pub(crate) fn leaders(rows: &[AnswerShare]) -> impl Iterator<Item = u32> {
    let most = top(rows).map_or(f64::INFINITY, |row| row.weight);
    rows.iter().filter(move |row| row.weight >= most * (1.0 - TIE)).map(|row| row.answer)
}

fn outcome_of_one(rows: &[AnswerShare]) -> Outcome {
    let mut leaders = leaders(rows);
    match (leaders.next(), leaders.next()) {
        (None, _) => Outcome::Nobody,
        (Some(winner), None) => Outcome::Agreed(vec![winner]),
        (Some(_), Some(_)) => Outcome::Undetermined,
    }
}

fn outcome_of_several(rows: &[AnswerShare]) -> Outcome {
    if rows.iter().any(|row| (row.fraction - 0.5).abs() <= TIE) {
        return Outcome::Undetermined;
    }
    Outcome::Agreed(rows.iter().filter(|row| row.fraction > 0.5).map(|row| row.answer).collect())
}

fn entropy_of_one(rows: &[AnswerShare], n_effective: f64) -> (f64, f64) {
    let counts = rows.iter().map(|row| row.fraction * n_effective);
    (entropy_bits(counts.clone()), entropy_posterior_bits(counts).1)
}

/// Mean over the answers of each answer's own entropy. Its spread takes the answers as independent,
/// which is what one Bernoulli per answer says.
fn entropy_of_several(rows: &[AnswerShare], n_effective: f64) -> (f64, f64) {
    let (mut n, mut entropy, mut variance) = (0.0, 0.0, 0.0);
    for row in rows {
        let yes = row.fraction * n_effective;
        let counts = [yes, n_effective - yes].into_iter();
        n += 1.0;
        entropy += entropy_bits(counts.clone());
        variance += entropy_posterior_bits(counts).1.powi(2);
    }
    if n > 0.0 { (entropy / n, variance.sqrt() / n) } else { (0.0, 0.0) }
}

fn mean_agreement(rows: &[AnswerShare]) -> Option<f64> {
    let n = f64::from(u32::try_from(rows.len()).expect("answers are u32"));
    (!rows.is_empty()).then(|| rows.iter().map(|r| r.fraction.max(1.0 - r.fraction)).sum::<f64>() / n)
}

/// Fits the spread of every answer's share over the subjects of its question.
fn fit_priors(votes: &Votes, items: &[Item], answers: &[AnswerShare]) -> Vec<Prior> {
    items
        .chunk_by(|a, b| a.question == b.question)
        .flat_map(|of| fit_question(votes, of, answers))
        .collect()
}

fn fit_question(votes: &Votes, items: &[Item], answers: &[AnswerShare]) -> Vec<Prior> {
    let question_index = items[0].question;
    let question = &votes.questions[question_index as usize];
    if question.kind == QuestionKind::Slider {
        return Vec::new();
    }
    let n_of = |item: &Item| if question.kind.is_multiple() { item.n_seen } else { item.n_answered };
    let mut sizes: Vec<u32> = items.iter().map(n_of).collect();
    sizes.sort_unstable();
    let sizes = run_lengths(&sizes);
    let mut rows: Vec<(u32, u32, u32)> = items
        .iter()
        .flat_map(|item| {
            answers[item.answers.clone()].iter().map(move |r| (r.answer, r.n_votes, n_of(item)))
        })
        .collect();
    rows.par_sort_unstable();
    let groups: Vec<&[(u32, u32, u32)]> = rows.chunk_by(|a, b| a.0 == b.0).collect();
    let fit = |group: &&[(u32, u32, u32)]| Prior {
        question: question_index,
        answer: group[0].0,
        fit: counts_of(group, &sizes).and_then(|counts| BetaBinomial::fit_counts(&counts)),
    };
    groups.par_iter().map(fit).collect()
}

/// (value, how often) of a sorted list.
fn run_lengths<T: Copy + PartialEq>(sorted: &[T]) -> Vec<(T, u64)> {
    sorted.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as u64)).collect()
}

/// Counts of one answer: the rows there are, and zeros for the subjects where nobody gave it.
fn counts_of(
    rows: &[(u32, u32, u32)],
    sizes: &[(u32, u64)],
) -> Result<Counts, crate::beta_binomial::BetaBinomialError> {
    let mut counts = Counts::default();
    for ((_, k, n), times) in run_lengths(rows) {
        counts.add(u64::from(k), u64::from(n), times)?;
    }
    for &(n, times) in sizes {
        let n = u64::from(n);
        let zeros = times - counts.subjects_with(n);
        if n > 0 && zeros > 0 {
            counts.add(0, n, zeros)?;
        }
    }
    Ok(counts)
}

fn put_intervals(
    questions: &[Question],
    (items, answers): (&mut [Item], &mut [AnswerShare]),
    priors: &[Prior],
    params: &FractionParams,
) {
    let mut work: Vec<(&mut [Item], Range<usize>, &mut [AnswerShare])> = Vec::new();
    let mut rest = answers;
    let mut start = 0;
    for chunk in items.chunks_mut(CHUNK) {
        let end = chunk.last().map_or(start, |item| item.answers.end);
        let (own, tail) = rest.split_at_mut(end - start);
        work.push((chunk, start..end, own));
        (rest, start) = (tail, end);
    }
    work.into_par_iter().for_each(|(items, range, answers)| {
        let mut memo = Memo { params, priors, known: HashMap::new() };
        for item in items {
            let rows = &mut answers[item.answers.start - range.start..item.answers.end - range.start];
            for row in rows.iter_mut() {
                (row.interval, row.shrunk) = memo.interval(item, row);
            }
            // With several answers the agreement is a mean, not a share.
            if !questions[item.question as usize].kind.is_multiple() {
                item.agreement_interval = top(rows).map(|row| row.interval);
            }
        }
    });
}

/// Intervals seen before: a project of 20 votes a subject has at most 231 different (k, n).
struct Memo<'a> {
    params: &'a FractionParams,
    priors: &'a [Prior],
    known: HashMap<(usize, u64, u64), Interval>,
}

impl Memo<'_> {
    fn interval(&mut self, item: &Item, row: &AnswerShare) -> (Interval, Option<f64>) {
        let key = (item.question, row.answer);
        let at = self.priors.binary_search_by_key(&key, |p| (p.question, p.answer)).ok();
        let prior = at.and_then(|at| self.priors[at].fit.as_ref().ok());
        let n = item.n_effective;
        let k = whole(row.fraction * n).min(n);
        let shrunk = prior.map(|prior| prior.posterior_mean(k, n));
        let by_prior = self.params.interval == IntervalKind::BetaBinomial;
        let which = if by_prior { at.map_or(0, |at| at + 1) } else { 0 };
        let params = self.params;
        let interval = *self
            .known
            .entry((which, k.to_bits(), n.to_bits()))
            .or_insert_with(|| params.around(k, n, prior));
        (interval, shrunk)
    }
}

#[cfg(test)]
#[path = "fraction_tests.rs"]
mod tests;
