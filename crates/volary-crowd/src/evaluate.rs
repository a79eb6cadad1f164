//! How right the consensus is, where the truth is known.
//!
//! Undetermined counts as wrong in the accuracy; beside it stands what a fair draw among the tied
//! answers would give in expectation, because on real sets the rule for ties moves the accuracy by up to
//! five points. Wilson intervals. Reliability (Murphy & Winkler 1977), expected calibration error
//! (ten bins), Brier score 1950 and log loss take the fractions, or a model's
//! probabilities where there are some, as they are: the log clips at [`CLIP`], and fractions are not meant
//! to be calibrated, so these say how far they are from it.
//! Subjects without truth are left out, truth without votes is counted apart.

use volary_core::Votes;
use volary_core::truth::Truth;
use volary_core::votes::{Question, compare_ids};

use crate::consensus::{Consensus, Item, Outcome};
use crate::error::CrowdError;
use crate::fraction::TIE;
use crate::interval::{Interval, wilson};

/// Probabilities are kept this far from 0 in the log loss.
pub const CLIP: f64 = 1e-12;
/// Bins of the reliability table.
pub const BINS: usize = 10;

/// How right one question's consensus is.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Index into the questions.
    pub question: u32,
    /// Subjects with truth and votes.
    pub n: u64,
    /// Subjects with truth that nobody saw.
    pub n_unvoted: u64,
    /// Where the agreed answer is right (all of them, where several may hold).
    pub n_correct: u64,
    /// Ties.
    pub n_ties: u64,
    /// Subjects where nobody answered.
    pub n_nobody: u64,
    /// Share that is right; ties are wrong.
    pub accuracy: Option<f64>,
    /// Its Wilson interval.
    pub accuracy_interval: Interval,
    /// Expected share with ties drawn at random.
    pub accuracy_random_ties: Option<f64>,
    /// Share with ties given to the first label in the order of the answers, as `crowd-kit` does: not a
    /// fair rule, but the one that published tables use.
    pub accuracy_first_label: Option<f64>,
    /// Per answer of the question.
    pub classes: Vec<ClassScore>,
    /// Reliability table, empty bins included.
    pub reliability: Vec<ReliabilityBin>,
    /// Expected calibration error; `None` where no fraction could be judged.
    pub ece: Option<f64>,
    /// Mean Brier score: Σ over answers of (fraction − truth)² (one answer), or its mean over answers
    /// (several).
    pub brier: Option<f64>,
    /// Mean log loss in nats.
    pub log_loss: Option<f64>,
}

/// How well one answer is found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassScore {
    /// Index into the question's answers.
    pub answer: u32,
    /// Subjects where it is true.
    pub n_true: u64,
    /// Subjects where it is agreed.
    pub n_agreed: u64,
    /// Subjects where both hold.
    pub n_both: u64,
    /// Found of the true.
    pub recall: Option<f64>,
    /// Its Wilson interval.
    pub recall_interval: Interval,
    /// True of the agreed.
    pub precision: Option<f64>,
    /// Its Wilson interval.
    pub precision_interval: Interval,
}

/// Fractions of about the same size, and how often they are right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReliabilityBin {
    /// Fractions above this (the first bin holds 0 as well).
    pub low: f64,
    /// Fractions up to this.
    pub high: f64,
    /// How many.
    pub n: u64,
    /// Their mean.
    pub mean_fraction: Option<f64>,
    /// Share that is right; a tie counts as a fair draw.
    pub share_true: Option<f64>,
    /// Its Wilson interval.
    pub interval: Interval,
}

/// Compares a consensus with the truth, one row per question that the truth speaks about.
///
/// A question is spoken about when one of its answers is a true answer of its task; so a truth for
/// every task (`""`) does not judge questions with other answers.
///
/// # Errors
/// [`CrowdError::Level`] unless 0 < `level` < 1.
pub fn evaluate(
    votes: &Votes,
    consensus: &Consensus,
    truth: &Truth,
    level: f64,
) -> Result<Vec<Evaluation>, CrowdError> {
    if !(level > 0.0 && level < 1.0) {
        return Err(CrowdError::Level { level });
    }
    let mut rows = Vec::new();
    for (index, question) in (0..).zip(&votes.questions) {
        let known = known_subjects(question, truth);
        if known.is_empty() {
            continue;
        }
        let mut score = Score::new(question);
        let mut n_unvoted = 0;
        for subject in known {
            let at = votes.subjects.binary_search_by(|s| compare_ids(s, subject)).ok();
            let item =
                at.and_then(|at| consensus.find(index, u32::try_from(at).expect("subjects are u32")));
            match item {
                Some(item) => score.add(consensus, item, truth.answers(&question.task, subject)),
                None => n_unvoted += 1,
            }
        }
        rows.push(score.finish(index, n_unvoted, level));
    }
    Ok(rows)
}

/// Subjects with a true answer to this question, if the question's answers appear among them at all.
fn known_subjects<'a>(question: &Question, truth: &'a Truth) -> Vec<&'a str> {
    let about = |task: &str| task.is_empty() || task == question.task;
    // "None of the answers" is something to be right about only where several may be given.
    let says = |answers: &[String]| question.kind.is_multiple() || !answers.is_empty();
    let rows = truth.iter().filter(|(task, _, answers)| about(task) && says(answers));
    let mut speaks = false;
    let mut subjects: Vec<&str> = rows
        .map(|(_, subject, answers)| {
            speaks |= answers.iter().any(|a| question.answers.contains(a));
            subject
        })
        .collect();
    subjects.sort_unstable_by(|a, b| compare_ids(a, b));
    subjects.dedup();
    if speaks { subjects } else { Vec::new() }
}

struct Score<'a> {
    question: &'a Question,
    n: u64,
    n_correct: u64,
    n_ties: u64,
    n_nobody: u64,
    expected: f64,
    n_first_label: u64,
    /// Per answer: true, agreed, both.
    classes: Vec<[u64; 3]>,
    /// Per bin: how many, sum of fractions, sum of hits.
    bins: [(u64, f64, f64); BINS],
    n_scored: u64,
    brier: f64,
    log_loss: f64,
}

impl<'a> Score<'a> {
    fn new(question: &'a Question) -> Self {
        Self {
            question,
            n: 0,
            n_correct: 0,
            n_ties: 0,
            n_nobody: 0,
            expected: 0.0,
            n_first_label: 0,
            classes: vec![[0; 3]; question.answers.len()],
            bins: [(0, 0.0, 0.0); BINS],
            n_scored: 0,
            brier: 0.0,
            log_loss: 0.0,
        }
    }

    fn add(&mut self, consensus: &Consensus, item: &Item, truth: &[String]) {
        let is_true: Vec<bool> = self.question.answers.iter().map(|a| truth.contains(a)).collect();
        self.n += 1;
        self.n_ties += u64::from(item.outcome == Outcome::Undetermined);
        self.n_nobody += u64::from(item.outcome == Outcome::Nobody);
        let agreed: &[u32] = if let Outcome::Agreed(agreed) = &item.outcome { agreed } else { &[] };
        self.add_classes(agreed, &is_true);
        let several = self.question.kind.is_multiple();
        let credit = if several {
            self.credit_several(consensus, item, &is_true, truth)
        } else {
            credit_one(consensus, item, &is_true)
        };
        self.expected += credit;
        self.n_first_label += u64::from(if several {
            item.outcome != Outcome::Undetermined && credit == 1.0
        } else {
            consensus.leaders(item).first().is_some_and(|&a| is_true[a as usize])
        });
        self.n_correct += u64::from(item.outcome != Outcome::Undetermined && credit == 1.0);
        if item.n_answered > 0 || several {
            if several {
                self.score_several(consensus, item, &is_true);
            } else {
                self.score_one(consensus, item, &is_true, credit);
            }
        }
    }

    fn add_classes(&mut self, agreed: &[u32], is_true: &[bool]) {
        for (class, &truth) in self.classes.iter_mut().zip(is_true) {
            class[0] += u64::from(truth);
        }
        for &answer in agreed {
            let class = &mut self.classes[answer as usize];
            class[1] += 1;
            class[2] += u64::from(is_true[answer as usize]);
        }
    }

    /// The chance that a fair draw for every answer at one half gives exactly the true set.
    fn credit_several(
        &self,
        consensus: &Consensus,
        item: &Item,
        is_true: &[bool],
        truth: &[String],
    ) -> f64 {
        let unknown = truth.iter().any(|t| !self.question.answers.contains(t));
        let mut fractions = vec![0.0; is_true.len()];
        for (answer, belief) in consensus.beliefs_of(item) {
            fractions[answer as usize] = belief;
        }
        let one = |(&fraction, &truth): (&f64, &bool)| match fraction {
            f if (f - 0.5_f64).abs() <= TIE => 0.5,
            f if (f > 0.5) == truth => 1.0,
            _ => 0.0,
        };
        if unknown { 0.0 } else { fractions.iter().zip(is_true).map(one).product() }
    }

    fn score_one(&mut self, consensus: &Consensus, item: &Item, is_true: &[bool], credit: f64) {
        let n_true = is_true.iter().filter(|t| **t).count().max(1) as f64;
        let mut brier = is_true.iter().filter(|t| **t).count() as f64 / (n_true * n_true);
        let mut p_true = 0.0;
        for (answer, belief) in consensus.beliefs_of(item) {
            let target = if is_true[answer as usize] { 1.0 / n_true } else { 0.0 };
            // Answers without a row have a fraction of 0 and are in the sum already.
            brier += (belief - target).powi(2) - target * target;
            if is_true[answer as usize] {
                p_true += belief;
            }
        }
        if !is_true.iter().any(|t| *t) {
            brier += 1.0; // the truth is an answer that nobody ever gave
        }
        self.n_scored += 1;
        self.brier += brier;
        self.log_loss -= p_true.clamp(CLIP, 1.0).ln();
        if let Some(fraction) = consensus.highest_probability(item).or(item.agreement) {
            self.bin(fraction, credit);
        }
    }

    fn score_several(&mut self, consensus: &Consensus, item: &Item, is_true: &[bool]) {
        let mut fractions = vec![0.0; is_true.len()];
        for (answer, belief) in consensus.beliefs_of(item) {
            fractions[answer as usize] = belief;
        }
        let n = is_true.len().max(1) as f64;
        self.n_scored += 1;
        for (&fraction, &truth) in fractions.iter().zip(is_true) {
            let target = f64::from(u8::from(truth));
            self.brier += (fraction - target).powi(2) / n;
            let p: f64 = if truth { fraction } else { 1.0 - fraction };
            self.log_loss -= p.clamp(CLIP, 1.0).ln() / n;
            self.bin(fraction, target);
        }
    }

    fn bin(&mut self, fraction: f64, hit: f64) {
        // (low, high]: a tenth of ten votes belongs to the first bin.
        let at = ((fraction * BINS as f64 - 1e-9).ceil().max(1.0) as usize).min(BINS) - 1;
        let bin = &mut self.bins[at];
        bin.0 += 1;
        bin.1 += fraction;
        bin.2 += hit;
    }

    fn finish(self, question: u32, n_unvoted: u64, level: f64) -> Evaluation {
        let n_binned: u64 = self.bins.iter().map(|b| b.0).sum();
        let gaps: f64 = self.bins.iter().map(|&(_, fractions, hits)| (fractions - hits).abs()).sum();
        let mean = |sum: f64, n: u64| (n > 0).then(|| sum / n as f64);
        Evaluation {
            question,
            n: self.n,
            n_unvoted,
            n_correct: self.n_correct,
            n_ties: self.n_ties,
            n_nobody: self.n_nobody,
            accuracy: mean(self.n_correct as f64, self.n),
            accuracy_interval: wilson(self.n_correct as f64, self.n as f64, level),
            accuracy_random_ties: mean(self.expected, self.n),
            accuracy_first_label: mean(self.n_first_label as f64, self.n),
            classes: (0..).zip(&self.classes).map(|(at, c)| class_score(at, *c, level)).collect(),
            reliability: (0..BINS).map(|at| reliability_bin(at, self.bins[at], level)).collect(),
            ece: mean(gaps, n_binned),
            brier: mean(self.brier, self.n_scored),
            log_loss: mean(self.log_loss, self.n_scored),
        }
    }
}

/// The chance that a fair draw among the leading answers is true.
fn credit_one(consensus: &Consensus, item: &Item, is_true: &[bool]) -> f64 {
    let (mut n, mut hits) = (0.0, 0.0);
    for answer in consensus.leaders(item) {
        n += 1.0;
        hits += f64::from(u8::from(is_true[answer as usize]));
    }
    if n > 0.0 { hits / n } else { 0.0 }
}

fn class_score(answer: u32, [n_true, n_agreed, n_both]: [u64; 3], level: f64) -> ClassScore {
    let share = |of: u64| (of > 0).then(|| n_both as f64 / of as f64);
    ClassScore {
        answer,
        n_true,
        n_agreed,
        n_both,
        recall: share(n_true),
        recall_interval: wilson(n_both as f64, n_true as f64, level),
        precision: share(n_agreed),
        precision_interval: wilson(n_both as f64, n_agreed as f64, level),
    }
}

fn reliability_bin(at: usize, (n, fractions, hits): (u64, f64, f64), level: f64) -> ReliabilityBin {
    let mean = |sum: f64| (n > 0).then(|| sum / n as f64);
    ReliabilityBin {
        low: at as f64 / BINS as f64,
        high: (at + 1) as f64 / BINS as f64,
        n,
        mean_fraction: mean(fractions),
        share_true: mean(hits),
        interval: wilson(hits, n as f64, level),
    }
}

#[cfg(test)]
#[path = "evaluate_tests.rs"]
mod tests;
