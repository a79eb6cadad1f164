//! Rules at work: what a rule remembers of each subject, and when it has seen enough.
//!
//! Counting rules keep counts per answer; SWAP keeps its engine. A blank (somebody saw the subject and
//! gave no answer) is a classification for `count` and no vote for any rule.

use std::collections::HashMap;

use volary_core::votes::NO_ANSWER;

use crate::beta_binomial::BetaBinomial;
use crate::interval::beta_tail;
use crate::polls::Ballot;
use crate::retire::rule::{BetaPrior, Rule, SwapRule};
use crate::skill::swap::{Learning, Standing, Swap, SwapError, SwapParams, Threshold};

/// A share that equals its threshold but for rounding (0.8 of 15) has reached it.
const ROUNDING: f64 = 1e-9;

/// A rule with what it remembers.
pub(crate) enum Machine {
    Counting(Box<Counting>),
    Swap(Box<Swap>),
}

/// What a machine is told about a poll.
pub(crate) struct Setting<'a> {
    pub(crate) labels: &'a [String],
    pub(crate) n_subjects: usize,
    pub(crate) n_volunteers: usize,
    pub(crate) gold: &'a [Option<u32>],
    /// A beta–binomial fit per answer, where there is one.
    pub(crate) priors: &'a [Option<BetaBinomial>],
}

impl Machine {
    /// A machine that has seen nothing.
    pub(crate) fn new(rule: &Rule, setting: &Setting<'_>) -> Result<Self, SwapError> {
        match rule {
            Rule::Swap(rule) => {
                let params = swap_params(rule, setting);
                let gold = setting.gold.to_vec();
                let engine = Swap::new(setting.labels.len(), setting.n_volunteers, gold, &params)?;
                Ok(Self::Swap(Box::new(engine)))
            }
            _ => Ok(Self::Counting(Box::new(Counting::new(rule, setting)))),
        }
    }

    /// Takes a ballot; says whether its subject has been asked enough.
    pub(crate) fn add(&mut self, ballot: &Ballot) -> bool {
        match self {
            Self::Counting(counting) => counting.add(ballot),
            Self::Swap(swap) => {
                // Ballots come from a poll, whose indices are within.
                let judged = swap.vote(ballot.subject, ballot.volunteer, ballot.answer);
                judged.is_ok_and(|j| j.standing != Standing::Open)
            }
        }
    }

    /// Judges again what was judged before; gives the subjects that are open again.
    pub(crate) fn review(&mut self) -> Vec<u32> {
        match self {
            Self::Counting(_) => Vec::new(),
            Self::Swap(swap) => swap.review(),
        }
    }

    /// How much speaks for each answer: counts or probabilities.
    pub(crate) fn scores(&self, subject: u32) -> Vec<f64> {
        match self {
            Self::Counting(counting) => counting.row(subject).iter().map(|&n| f64::from(n)).collect(),
            Self::Swap(swap) if swap.n_votes()[subject as usize] == 0 => vec![0.0; swap.n_answers()],
            Self::Swap(swap) => swap.posterior(subject),
        }
    }

    /// Probability of the likeliest answer, for rules that know one.
    pub(crate) fn probability(&self, subject: u32) -> Option<f64> {
        match self {
            Self::Counting(_) => None,
            Self::Swap(swap) => swap.posterior(subject).into_iter().max_by(f64::total_cmp),
        }
    }
}

/// Learns from gold where there is some, else from itself.
pub(crate) fn swap_params(rule: &SwapRule, setting: &Setting<'_>) -> SwapParams {
    let has_gold = setting.gold.iter().any(Option::is_some);
    let learning = if has_gold && !rule.self_taught { Learning::Gold } else { Learning::SelfTaught };
    let answer = rule.answer.as_deref().and_then(|a| find_label(setting.labels, a));
    let threshold = match answer {
        None => Threshold::Any(rule.sure),
        Some(answer) => Threshold::Of { answer, detect: rule.sure, reject: rule.reject },
    };
    let prior = rule.prior.zip(answer).map(|(p, answer)| {
        let rest = (1.0 - p) / (setting.labels.len().max(2) - 1) as f64;
        (0..).zip(setting.labels).map(|(at, _)| if at == answer { p } else { rest }).collect()
    });
    SwapParams {
        prior,
        learning,
        threshold: Some(threshold),
        keep_votes: rule.resurrect,
        ..SwapParams::default()
    }
}

/// The label of a rule: as written, or but for upper and lower case.
pub(crate) fn find_label(labels: &[String], wanted: &str) -> Option<u32> {
    let exact = labels.iter().position(|l| l == wanted);
    let folded = || labels.iter().position(|l| l.to_lowercase() == wanted.to_lowercase());
    exact.or_else(folded).and_then(|at| u32::try_from(at).ok())
}

/// A rule that needs counts only.
pub(crate) struct Counting {
    k: usize,
    test: Test,
    counts: Vec<u32>,
    n_seen: Vec<u32>,
    n_given: Vec<u32>,
}

enum Test {
    Count(u32),
    Agree { n: u32, share: f64 },
    Positive { n: u32, share: f64, answer: Option<u32> },
    First(u32),
    Beta { sure: f64, priors: Vec<(f64, f64)>, known: HashMap<(usize, u32, u32), bool> },
    Sprt { step: f64, sure: f64 },
}

impl Counting {
    fn new(rule: &Rule, setting: &Setting<'_>) -> Self {
        let k = setting.labels.len();
        let test = match rule {
            Rule::Count { n } => Test::Count(*n),
            Rule::Agree { n, share } => Test::Agree { n: *n, share: *share },
            Rule::Positive { n, share, answer } => {
                Test::Positive { n: *n, share: *share, answer: find_label(setting.labels, answer) }
            }
            Rule::First { m } => Test::First(*m),
            Rule::Beta { sure, prior } => {
                let of = |at: usize| match (prior, setting.priors.get(at).and_then(Option::as_ref)) {
                    (BetaPrior::Fitted, Some(fit)) => (fit.alpha, fit.beta),
                    _ => (1.0, 1.0),
                };
                Test::Beta { sure: *sure, priors: (0..k).map(of).collect(), known: HashMap::new() }
            }
            Rule::Sprt { skill, sure } => {
                let others = (k.max(2) - 1) as f64;
                Test::Sprt { step: (skill * others / (1.0 - skill)).ln(), sure: *sure }
            }
            Rule::Swap(_) => Test::Count(u32::MAX),
        };
        let n = setting.n_subjects;
        Self { k, test, counts: vec![0; n * k], n_seen: vec![0; n], n_given: vec![0; n] }
    }

    fn row(&self, subject: u32) -> &[u32] {
        &self.counts[subject as usize * self.k..(subject as usize + 1) * self.k]
    }

    fn add(&mut self, ballot: &Ballot) -> bool {
        let s = ballot.subject as usize;
        self.n_seen[s] += 1;
        if ballot.answer != NO_ANSWER {
            self.n_given[s] += 1;
            self.counts[s * self.k + ballot.answer as usize] += 1;
        }
        let row = &self.counts[s * self.k..(s + 1) * self.k];
        let n = self.n_given[s];
        let (top, most) =
            (0..).zip(row).map(|(at, &c)| (at, c)).max_by_key(|(_, c)| *c).unwrap_or((0, 0));
        let is_share = |k: u32, share: f64| f64::from(k) >= share * f64::from(n) - ROUNDING;
        match &mut self.test {
            Test::Count(wanted) => self.n_seen[s] >= *wanted,
            Test::Agree { n: least, share } => n >= *least && is_share(most, *share),
            Test::Positive { n: least, share, answer } => {
                let yes = answer.map_or(0, |a| row[a as usize]);
                yes >= *least && is_share(yes, *share)
            }
            Test::First(m) => most == *m && n == *m,
            Test::Beta { sure, priors, known } => {
                if n == 0 {
                    return false;
                }
                *known.entry((top, most, n)).or_insert_with(|| {
                    let (a, b) = priors[top];
                    beta_tail(a + f64::from(most), b + f64::from(n - most), 0.5) >= *sure
                })
            }
            Test::Sprt { step, sure } => {
                let others = row.iter().map(|&c| ((f64::from(c) - f64::from(most)) * *step).exp());
                n > 0 && *step > 0.0 && 1.0 / others.sum::<f64>() >= *sure - ROUNDING
            }
        }
    }
}
