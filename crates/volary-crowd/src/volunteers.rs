//! One row per volunteer: how much they did, and how often they agree with the others.
//!
//! Agreement is with everybody *else*: a volunteer's own votes are taken out before the others' answer
//! is read, because with few votes a subject one's own vote tips the majority towards oneself. Agreement
//! is no accuracy: whoever sees what the crowd misses agrees less. Skill models live elsewhere.
//!
//! Questions with one answer compare it with the others' plurality; ties, blanks and subjects that
//! nobody else answered are skipped. Questions with several compare each answer by itself with the
//! others' majority (exactly half is skipped). Sliders and survey details are not compared.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;
use volary_core::Votes;
use volary_core::votes::{NO_ANSWER, QuestionKind, Vote};

use crate::beta_binomial::{BetaBinomial, BetaBinomialError};
use crate::error::CrowdError;
use crate::fraction::{FractionParams, Tally, View, check_counted, chunks};
use crate::interval::{Interval, jeffreys};
use crate::repeats::{Counted, same_visit};

/// One volunteer.
#[derive(Clone, Debug, PartialEq)]
pub struct VolunteerRow {
    /// Index into the volunteers.
    pub volunteer: u32,
    /// Classifications, repeats included.
    pub n_classifications: u64,
    /// Those that repeat an earlier one.
    pub n_repeats: u64,
    /// Answers given in the classifications that count.
    pub n_votes: u64,
    /// Questions left blank in the classifications that count.
    pub n_blank: u64,
    /// Time of the first classification, in milliseconds since 1970, where known.
    pub first_ms: Option<i64>,
    /// Time of the last.
    pub last_ms: Option<i64>,
    /// Answers that could be compared with the others'.
    pub n_compared: u64,
    /// Those that agree.
    pub n_agree: u64,
    /// Their share.
    pub agreement: Option<f64>,
    /// Jeffreys interval of the share.
    pub agreement_interval: Interval,
    /// The share, shrunk towards the crowd by the fitted prior.
    pub agreement_shrunk: Option<f64>,
}

/// All volunteers.
#[derive(Clone, Debug, PartialEq)]
pub struct Volunteers {
    /// One row per volunteer, in their order in the votes.
    pub rows: Vec<VolunteerRow>,
    /// How agreement spreads over the volunteers, or why that cannot be said.
    pub prior: Result<BetaBinomial, BetaBinomialError>,
}

/// Describes every volunteer; of `params` only the level matters.
///
/// # Errors
/// [`CrowdError::Length`] when `counted` belongs to other votes.
pub fn volunteers(
    votes: &Votes,
    counted: &Counted,
    params: &FractionParams,
) -> Result<Volunteers, CrowdError> {
    check_counted(votes, counted)?;
    let mut rows: Vec<VolunteerRow> = (0..votes.volunteers.len())
        .map(|at| VolunteerRow::new(u32::try_from(at).expect("volunteers are u32")))
        .collect();
    add_classifications(votes, &mut rows);
    add_votes(votes, counted, &mut rows);
    let agreement = agreements(votes, counted)?;
    for (row, (n_compared, n_agree)) in rows.iter_mut().zip(&agreement) {
        (row.n_compared, row.n_agree) = (n_compared.load(Relaxed), n_agree.load(Relaxed));
    }
    let prior = BetaBinomial::fit(rows.iter().map(|r| (r.n_agree, r.n_compared)));
    let intervals = agreement_intervals(&rows, params.level());
    for row in &mut rows {
        let (k, n) = (row.n_agree as f64, row.n_compared as f64);
        row.agreement = (row.n_compared > 0).then(|| k / n);
        row.agreement_interval = intervals[&(row.n_agree, row.n_compared)];
        row.agreement_shrunk = prior.as_ref().ok().map(|prior| prior.posterior_mean(k, n));
    }
    Ok(Volunteers { rows, prior })
}

/// The interval of every pair of counts that occurs: most volunteers share theirs with others.
fn agreement_intervals(rows: &[VolunteerRow], level: f64) -> BTreeMap<(u64, u64), Interval> {
    let pairs: BTreeSet<(u64, u64)> = rows.iter().map(|r| (r.n_agree, r.n_compared)).collect();
    let interval = |(k, n)| ((k, n), jeffreys(k as f64, n as f64, level));
    pairs.into_par_iter().map(interval).collect()
}

impl VolunteerRow {
    fn new(volunteer: u32) -> Self {
        Self {
            volunteer,
            n_classifications: 0,
            n_repeats: 0,
            n_votes: 0,
            n_blank: 0,
            first_ms: None,
            last_ms: None,
            n_compared: 0,
            n_agree: 0,
            agreement: None,
            agreement_interval: Interval::WHOLE,
            agreement_shrunk: None,
        }
    }
}

fn add_classifications(votes: &Votes, rows: &mut [VolunteerRow]) {
    for i in 0..votes.n_classifications() {
        let row = &mut rows[votes.volunteer[i] as usize];
        row.n_classifications += 1;
        row.n_repeats += u64::from(i > 0 && same_visit(votes, i - 1, i));
        let time = votes.created_ms[i];
        if time != i64::MIN {
            row.first_ms = Some(row.first_ms.map_or(time, |t| t.min(time)));
            row.last_ms = Some(row.last_ms.map_or(time, |t| t.max(time)));
        }
    }
}

fn add_votes(votes: &Votes, counted: &Counted, rows: &mut [VolunteerRow]) {
    let mut before: Option<Vote> = None;
    for &vote in &votes.votes {
        if before == Some(vote) {
            continue; // the same answer twice is one
        }
        before = Some(vote);
        if counted.counts[vote.classification as usize] {
            let row = &mut rows[votes.volunteer_of(vote) as usize];
            if vote.answer == NO_ANSWER { row.n_blank += 1 } else { row.n_votes += 1 }
        }
    }
}

/// (compared, agreed) per volunteer. Whole numbers add up to the same in any order of threads.
type Agreement = (AtomicU64, AtomicU64);

fn agreements(votes: &Votes, counted: &Counted) -> Result<Vec<Agreement>, CrowdError> {
    let agreement: Vec<Agreement> = votes.volunteers.iter().map(|_| Agreement::default()).collect();
    let add = |(): &mut (), one: Compared| {
        let total = &agreement[one.volunteer as usize];
        total.0.fetch_add(u64::from(one.n), Relaxed);
        total.1.fetch_add(u64::from(one.n_agree), Relaxed);
    };
    compare(votes, counted, |_, _| true, || (), add)?;
    Ok(agreement)
}

/// What somebody said of one subject, held against what everybody else says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Index into the questions.
    pub question: u32,
    /// Index into the subjects.
    pub subject: u32,
    /// Index into the volunteers.
    pub volunteer: u32,
    /// Index into the question's answers: what the others say; of a question with several, the answer
    /// that is looked at.
    pub answer: u32,
    /// Whether the others say so; always true of a question with one answer.
    pub is_yes: bool,
    /// What they said that can be compared: 1, but for repeats that count.
    pub n: u32,
    /// How much of it agrees.
    pub n_agree: u32,
}

/// Holds everybody's answers against everybody else's, as [`volunteers`] does: of the questions and
/// subjects that `is_wanted` names, and folds them. The parts come in the order of questions and subjects,
/// so that they can be joined in one order.
///
/// # Errors
/// [`CrowdError::Length`] when `counted` belongs to other votes.
pub fn compare<T: Send>(
    votes: &Votes,
    counted: &Counted,
    is_wanted: impl Fn(u32, u32) -> bool + Sync,
    start: impl Fn() -> T + Sync,
    add: impl Fn(&mut T, Compared) + Sync,
) -> Result<Vec<T>, CrowdError> {
    check_counted(votes, counted)?;
    let view = View { votes, counted: &counted.counts, weights: None };
    let part = |chunk: &[Vote]| {
        let mut folded = start();
        let index = chunk[0].question;
        let question = &votes.questions[index as usize];
        if !is_compared(question.kind) {
            return folded;
        }
        // An answer that nobody gave is agreement only where it was on the list.
        let listed: Option<Vec<u32>> =
            question.kind.lists_all_answers().then(|| (0..).take(question.answers.len()).collect());
        let mut tally = Tally::new(question.answers.len());
        let mut own = Own::new(question.answers.len());
        for (subject, group) in votes.by_subject(chunk).filter(|(subject, _)| is_wanted(index, *subject))
        {
            tally.count(&view, group);
            // Within a subject, classifications are sorted by volunteer.
            for mine in group.chunk_by(|a, b| votes.volunteer_of(*a) == votes.volunteer_of(*b)) {
                own.count(&view, mine);
                let volunteer = votes.volunteer_of(mine[0]);
                let mut tell = |answer: u32, is_yes: bool, n: u32, n_agree: u32| {
                    let one =
                        Compared { question: index, subject, volunteer, answer, is_yes, n, n_agree };
                    add(&mut folded, one);
                };
                if question.kind.is_multiple() {
                    several_answers(&tally, &own, listed.as_deref().unwrap_or(tally.given()), &mut tell);
                } else {
                    one_answer(&tally, &own, &mut tell);
                }
            }
        }
        folded
    };
    Ok(chunks(votes).into_par_iter().map(part).collect())
}

fn is_compared(kind: QuestionKind) -> bool {
    use QuestionKind::{Detail, Dropdown, Multiple, Shortcut, Single, Slider, Survey, Unknown};
    match kind {
        Single | Dropdown | Multiple | Shortcut | Survey => true,
        Slider | Detail | Unknown => false,
    }
}

/// A volunteer's own votes on one subject.
struct Own {
    votes: Vec<u32>,
    given: Vec<u32>,
    n_seen: u32,
}

impl Own {
    fn new(n_answers: usize) -> Self {
        Self { votes: vec![0; n_answers], given: Vec::new(), n_seen: 0 }
    }

    fn count(&mut self, view: &View<'_>, mine: &[Vote]) {
        for answer in self.given.drain(..) {
            self.votes[answer as usize] = 0;
        }
        self.n_seen = 0;
        for one in mine.chunk_by(|a, b| a.classification == b.classification) {
            if !view.counted[one[0].classification as usize] {
                continue;
            }
            self.n_seen += 1;
            for same in one.chunk_by(|a, b| a.answer == b.answer) {
                let answer = same[0].answer;
                if answer != NO_ANSWER {
                    if self.votes[answer as usize] == 0 {
                        self.given.push(answer);
                    }
                    self.votes[answer as usize] += 1;
                }
            }
        }
    }
}

fn one_answer(tally: &Tally, own: &Own, tell: &mut impl FnMut(u32, bool, u32, u32)) {
    let others = |answer: u32| tally.votes_for(answer) - own.votes[answer as usize];
    let most = tally.given().iter().map(|&a| others(a)).max().unwrap_or(0);
    let mut leaders = tally.given().iter().filter(|&&a| others(a) == most);
    if let (Some(&leader), None) = (leaders.next(), leaders.next())
        && most > 0
    {
        let n: u32 = own.given.iter().map(|&a| own.votes[a as usize]).sum();
        if n > 0 {
            tell(leader, true, n, own.votes[leader as usize]);
        }
    }
}

fn several_answers(
    tally: &Tally,
    own: &Own,
    answers: &[u32],
    tell: &mut impl FnMut(u32, bool, u32, u32),
) {
    let n_others = tally.n_seen - own.n_seen;
    if n_others == 0 || own.n_seen == 0 {
        return;
    }
    for &answer in answers {
        let mine = own.votes[answer as usize];
        let twice = 2 * u64::from(tally.votes_for(answer) - mine);
        if twice != u64::from(n_others) {
            let yes = twice > u64::from(n_others);
            tell(answer, yes, own.n_seen, if yes { mine } else { own.n_seen - mine });
        }
    }
}

#[cfg(test)]
#[path = "volunteers_tests.rs"]
mod tests;
