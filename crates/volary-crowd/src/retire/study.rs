//! The replay: every rule over the votes of one poll, in the order of time or in random orders.

use rand::RngExt as _;
use rayon::prelude::*;
use volary_core::seed::stream;
use volary_core::votes::NO_ANSWER;

use crate::beta_binomial::BetaBinomial;
use crate::interval::{Interval, wilson};
use crate::polls::{Ballot, Poll};
use crate::retire::figures::{Columns, Figures, Tally, figures};
use crate::retire::machine::{Machine, Setting, find_label};
use crate::retire::rule::Rule;
use crate::skill::swap::SwapError;

/// Longest count that the curve of fixed counts goes to.
const LONGEST_CURVE: usize = 200;
/// A rule that resurrects looks back this often in one replay.
const N_REVIEWS: usize = 20;
/// Scores this close (relative) are a tie.
const TIE: f64 = 1e-12;

/// Why a study cannot be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// A level of intervals outside (0, 1).
    #[error("the level of an interval lies between 0 and 1, not at {level}")]
    Level {
        /// What was asked for.
        level: f64,
    },
    /// Columns that do not fit the poll.
    #[error("{what}: {actual} entries for {expected} subjects")]
    Length {
        /// Which column.
        what: &'static str,
        /// Its length.
        actual: usize,
        /// Subjects of the poll.
        expected: usize,
    },
    /// SWAP refuses.
    #[error(transparent)]
    Swap(#[from] SwapError),
}

/// How a study is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StudyParams {
    /// Retire at this many classifications, whatever the rule says.
    pub cap: Option<u32>,
    /// Random orders to replay besides the order of time.
    pub n_orders: u32,
    /// Seed of the random orders.
    pub seed: u64,
    /// Level of the intervals.
    pub level: f64,
}

impl Default for StudyParams {
    fn default() -> Self {
        Self { cap: None, n_orders: 0, seed: 1, level: 0.95 }
    }
}

/// In which order the votes were replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they came.
    Time,
    /// So many random orders.
    Random(u32),
}

/// Why a subject took no more votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The rule retired it.
    Rule,
    /// The cap did.
    Cap,
    /// There were no more.
    Votes,
}

/// One subject under one rule, in the order of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Stopped {
    /// Index into the poll's subjects.
    pub subject: u32,
    /// Classifications taken.
    pub n_taken: u32,
    /// Classifications that there are.
    pub n_all: u32,
    /// Why it stopped.
    pub ending: Ending,
    /// The answer then; `None` for a tie or nobody.
    pub answer: Option<u32>,
    /// The answer of the vote over all votes.
    pub answer_all: Option<u32>,
    /// Probability of the likeliest answer then, for rules that know one.
    pub probability: Option<f64>,
    /// The same over all votes.
    pub probability_all: Option<f64>,
}

/// One rule over one poll.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleStudy {
    /// The rule.
    pub rule: Rule,
    /// In the order of time.
    pub time: Figures,
    /// Over random orders, where there are some.
    pub random: Option<Figures>,
    /// Every subject that is not gold, in the order of time.
    pub subjects: Vec<Stopped>,
}

/// What a fixed number of votes gives: the yardstick for rules.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// Votes a subject at most.
    pub n: u32,
    /// Mean number of votes a subject, since some have fewer.
    pub mean_votes: f64,
    /// Share of subjects whose answer is that of all votes.
    pub same: f64,
    /// Share that is right, where truth is known; ties as fair draws.
    pub accuracy: Option<f64>,
}

impl CurvePoint {
    /// Adds the figures of another order.
    fn add(&mut self, other: &Self) {
        self.mean_votes += other.mean_votes;
        self.same += other.same;
        self.accuracy = self.accuracy.zip(other.accuracy).map(|(a, b)| a + b);
    }

    fn scale(&mut self, by: f64) {
        self.mean_votes *= by;
        self.same *= by;
        self.accuracy = self.accuracy.map(|a| a * by);
    }
}

/// All rules over one poll.
#[derive(Clone, Debug, PartialEq)]
pub struct Study {
    /// Subjects of the poll.
    pub n_subjects: u64,
    /// Those with gold; they teach SWAP and are left out of every figure.
    pub n_gold: u64,
    /// Ballots of the subjects that the figures are about.
    pub n_ballots: u64,
    /// Subjects with truth that are not gold.
    pub n_truth: u64,
    /// Accuracy of the vote over all votes.
    pub accuracy_all: Option<f64>,
    /// Its interval.
    pub accuracy_all_interval: Option<Interval>,
    /// Ties of the vote over all votes.
    pub n_ties_all: u64,
    /// The rules, as asked.
    pub rules: Vec<RuleStudy>,
    /// Fixed counts from 1 on, in the order of time or, where there are some, over the random orders.
    pub curve: Vec<CurvePoint>,
    /// Per rule: whether this poll has the answer that it is about; else it never retires here.
    pub answered: Vec<bool>,
}

impl Study {
    /// Whether the poll has the answer that a rule is about; rules about any answer always have it.
    #[must_use]
    pub fn has_answer(&self, rule: usize) -> bool {
        self.answered.get(rule).copied().unwrap_or(false)
    }
}

/// Replays the votes of a poll under every rule.
///
/// `gold` and `truth` hold an index into the poll's labels per subject, where known. Subjects of gold
/// teach SWAP rules, are never retired, and are left out of all figures, whatever the rule, so that the
/// figures of all rules are about the same subjects.
///
/// # Errors
/// [`StudyError`], where a parameter or a column does not fit.
pub fn study(
    poll: &Poll,
    n_volunteers: usize,
    (gold, truth): (&[Option<u32>], &[Option<u32>]),
    rules: &[Rule],
    params: &StudyParams,
) -> Result<Study, StudyError> {
    if !(params.level > 0.0 && params.level < 1.0) {
        return Err(StudyError::Level { level: params.level });
    }
    for (what, column) in [("gold", gold), ("truth", truth)] {
        let (actual, expected) = (column.len(), poll.subjects.len());
        if actual != expected {
            return Err(StudyError::Length { what, actual, expected });
        }
    }
    let baseline = Baseline::new(poll, gold, truth);
    let priors = fit_priors(&baseline);
    let setting = Setting {
        labels: &poll.labels,
        n_subjects: poll.subjects.len(),
        n_volunteers,
        gold,
        priors: &priors,
    };
    let by_time = |rule: &Rule| in_time(rule, &setting, &baseline, &poll.ballots, params);
    let mut rules: Vec<RuleStudy> = rules.par_iter().map(by_time).collect::<Result<_, _>>()?;
    let mut yardstick = curve(&poll.ballots, &baseline);
    if params.n_orders > 0 {
        let random = in_random_orders(&rules, &setting, &baseline, &poll.ballots, params)?;
        for (rule, tally) in rules.iter_mut().zip(&random.0) {
            rule.random = Some(baseline.figures(tally, params.level));
        }
        yardstick = random.1;
    }
    let answered = rules.iter().map(|r| !lacks_answer(&r.rule, &poll.labels)).collect();
    let accuracy_all = baseline.accuracy();
    let n_truth = baseline.n_truth();
    let interval = |p: f64| wilson(p * n_truth as f64, n_truth as f64, params.level);
    Ok(Study {
        n_subjects: poll.subjects.len() as u64,
        n_gold: gold.iter().flatten().count() as u64,
        n_ballots: baseline.total.iter().sum::<f64>() as u64,
        n_truth,
        accuracy_all,
        accuracy_all_interval: accuracy_all.map(interval),
        n_ties_all: baseline.kept.iter().filter(|&&s| baseline.leaders[s].len() != 1).count() as u64,
        rules,
        curve: yardstick,
        answered,
    })
}

fn lacks_answer(rule: &Rule, labels: &[String]) -> bool {
    let wanted = match rule {
        Rule::Positive { answer, .. } => Some(answer.as_str()),
        Rule::Swap(rule) => rule.answer.as_deref(),
        _ => None,
    };
    wanted.is_some_and(|w| find_label(labels, w).is_none())
}

/// What the votes say all together.
pub(crate) struct Baseline<'a> {
    k: usize,
    truth: &'a [Option<u32>],
    /// Subjects that the figures are about.
    kept: Vec<usize>,
    counts: Vec<u32>,
    leaders: Vec<Vec<u32>>,
    /// Ballots of each kept subject.
    total: Vec<f64>,
}

impl<'a> Baseline<'a> {
    pub(crate) fn new(poll: &Poll, gold: &[Option<u32>], truth: &'a [Option<u32>]) -> Self {
        let (k, n) = (poll.labels.len(), poll.subjects.len());
        let (mut counts, mut seen) = (vec![0_u32; n * k], vec![0_u32; n]);
        for ballot in &poll.ballots {
            seen[ballot.subject as usize] += 1;
            if ballot.answer != NO_ANSWER {
                counts[ballot.subject as usize * k + ballot.answer as usize] += 1;
            }
        }
        let kept: Vec<usize> = (0..n).filter(|&s| gold[s].is_none()).collect();
        let total = kept.iter().map(|&s| f64::from(seen[s])).collect();
        let leaders = (0..n)
            .map(|s| {
                leaders(&counts[s * k..(s + 1) * k].iter().map(|&c| f64::from(c)).collect::<Vec<_>>())
            })
            .collect();
        Self { k, truth, kept, counts, leaders, total }
    }

    fn n_truth(&self) -> u64 {
        self.kept.iter().filter(|&&s| self.truth[s].is_some()).count() as u64
    }

    fn accuracy(&self) -> Option<f64> {
        let n = self.n_truth();
        let credits = self.kept.iter().filter_map(|&s| credit(&self.leaders[s], self.truth[s]));
        (n > 0).then(|| credits.sum::<f64>() / n as f64)
    }

    /// The columns of an outcome, where `own` says what the same model says over all votes.
    pub(crate) fn columns(&self, outcome: &Outcome, own: Option<&[Vec<u32>]>) -> Columns {
        let mut columns = Columns::default();
        let number = |yes: bool| f64::from(u8::from(yes));
        for &s in &self.kept {
            let leaders = &outcome.leaders[s];
            columns.taken.push(f64::from(outcome.taken[s]));
            columns.retired.push(number(outcome.ending[s] == Ending::Rule));
            columns.capped.push(number(outcome.ending[s] == Ending::Cap));
            columns.changed.push(number(*leaders != self.leaders[s]));
            let own = own.map_or(&self.leaders[s], |own| &own[s]);
            columns.changed_own.push(number(leaders != own));
            columns.tied.push(number(leaders.len() != 1));
            let credit = credit(leaders, self.truth[s]);
            columns.credit.push(credit.unwrap_or(f64::NAN));
            columns.strict.push(credit.map_or(f64::NAN, |c| number(c == 1.0)));
        }
        columns
    }

    pub(crate) fn figures(&self, tally: &Tally, level: f64) -> Figures {
        figures(tally, &self.total, level)
    }

    /// Every kept subject, in words.
    pub(crate) fn stopped(&self, outcome: &Outcome, probability_all: &[Option<f64>]) -> Vec<Stopped> {
        let only = |leaders: &[u32]| if let [one] = leaders { Some(*one) } else { None };
        let one = |(&s, total): (&usize, &f64)| Stopped {
            subject: u32::try_from(s).expect("u32"),
            n_taken: outcome.taken[s],
            n_all: *total as u32,
            ending: outcome.ending[s],
            answer: only(&outcome.leaders[s]),
            answer_all: only(&self.leaders[s]),
            probability: outcome.probability[s],
            probability_all: probability_all.get(s).copied().flatten(),
        };
        self.kept.iter().zip(&self.total).map(one).collect()
    }
}

/// What one replay left of each subject.
pub(crate) struct Outcome {
    pub(crate) taken: Vec<u32>,
    pub(crate) ending: Vec<Ending>,
    pub(crate) leaders: Vec<Vec<u32>>,
    pub(crate) probability: Vec<Option<f64>>,
}

impl Outcome {
    /// The outcome of having taken some of the ballots and no others (a rule from elsewhere).
    pub(crate) fn of_taken(poll: &Poll, is_taken: impl Fn(&Ballot) -> bool) -> Self {
        let (k, n) = (poll.labels.len(), poll.subjects.len());
        let (mut counts, mut taken) = (vec![0.0; n * k], vec![0; n]);
        for ballot in poll.ballots.iter().filter(|b| is_taken(b)) {
            taken[ballot.subject as usize] += 1;
            if ballot.answer != NO_ANSWER {
                counts[ballot.subject as usize * k + ballot.answer as usize] += 1.0;
            }
        }
        let leaders = (0..n).map(|s| leaders(&counts[s * k..(s + 1) * k])).collect();
        Self { taken, ending: vec![Ending::Votes; n], leaders, probability: vec![None; n] }
    }
}

/// Answers with the highest score; none where nothing scores.
fn leaders(scores: &[f64]) -> Vec<u32> {
    let most = scores.iter().copied().fold(0.0, f64::max);
    let leads = |score: &f64| *score > 0.0 && *score >= most * (1.0 - TIE);
    (0..).zip(scores).filter(|(_, s)| leads(s)).map(|(at, _)| at).collect()
}

/// Chance that a fair draw among the leaders is right.
fn credit(leaders: &[u32], truth: Option<u32>) -> Option<f64> {
    let truth = truth?;
    Some(if leaders.contains(&truth) { 1.0 / leaders.len() as f64 } else { 0.0 })
}

/// A beta–binomial fit of every answer's counts, where they can show a spread.
fn fit_priors(baseline: &Baseline<'_>) -> Vec<Option<BetaBinomial>> {
    let k = baseline.k;
    let n = |s: usize| baseline.counts[s * k..(s + 1) * k].iter().map(|&c| u64::from(c)).sum::<u64>();
    let totals: Vec<u64> = baseline.kept.iter().map(|&s| n(s)).collect();
    let fit = |answer: usize| {
        let pairs = baseline.kept.iter().zip(&totals);
        BetaBinomial::fit(pairs.map(|(&s, &n)| (u64::from(baseline.counts[s * k + answer]), n))).ok()
    };
    (0..k).map(fit).collect()
}

/// The ballots in one random order (Fisher–Yates, a stream for each).
fn shuffled(ballots: &[Ballot], order: u32, seed: u64) -> Vec<Ballot> {
    let mut rng = stream(seed, &format!("retire order {order}"));
    let mut mixed = ballots.to_vec();
    for i in (1..mixed.len()).rev() {
        let j = (rng.random::<f64>() * (i + 1) as f64) as usize;
        mixed.swap(i, j.min(i));
    }
    mixed
}

/// One rule over ballots: as it stops, and as its model ends with all votes.
fn both_ways(
    rule: &Rule,
    setting: &Setting<'_>,
    ballots: &[Ballot],
    cap: Option<u32>,
) -> Result<(Outcome, Outcome), StudyError> {
    let never = lacks_answer(rule, setting.labels);
    let stopped = replay(rule, setting, ballots, Some((cap, never)))?;
    Ok((stopped, replay(rule, setting, ballots, None)?))
}

fn in_time(
    rule: &Rule,
    setting: &Setting<'_>,
    baseline: &Baseline<'_>,
    ballots: &[Ballot],
    params: &StudyParams,
) -> Result<RuleStudy, StudyError> {
    let (stopped, whole) = both_ways(rule, setting, ballots, params.cap)?;
    let columns = baseline.columns(&stopped, Some(&whole.leaders));
    Ok(RuleStudy {
        rule: rule.clone(),
        time: baseline.figures(&Tally::of(&columns), params.level),
        random: None,
        subjects: baseline.stopped(&stopped, &whole.probability),
    })
}

/// All rules over random orders, a few orders at a time so that memory stays small; sums are taken in
/// the order of the orders, so that threads change nothing.
fn in_random_orders(
    rules: &[RuleStudy],
    setting: &Setting<'_>,
    baseline: &Baseline<'_>,
    ballots: &[Ballot],
    params: &StudyParams,
) -> Result<(Vec<Tally>, Vec<CurvePoint>), StudyError> {
    let mut points: Vec<CurvePoint> = Vec::new();
    let mut tallies = vec![Tally::default(); rules.len()];
    let one = |order: &u32| -> Result<(Vec<Columns>, Vec<CurvePoint>), StudyError> {
        let mixed = shuffled(ballots, *order, params.seed);
        let columns = |rule: &RuleStudy| {
            let (stopped, whole) = both_ways(&rule.rule, setting, &mixed, params.cap)?;
            Ok(baseline.columns(&stopped, Some(&whole.leaders)))
        };
        let columns = rules.iter().map(columns).collect::<Result<_, StudyError>>()?;
        Ok((columns, curve(&mixed, baseline)))
    };
    let orders: Vec<u32> = (0..params.n_orders).collect();
    for some in orders.chunks(rayon::current_num_threads().max(1)) {
        let done: Vec<_> = some.par_iter().map(one).collect::<Result<_, _>>()?;
        for (columns, curve) in done {
            tallies.iter_mut().zip(&columns).for_each(|(tally, columns)| tally.add(columns));
            if points.is_empty() {
                points = curve;
            } else {
                points.iter_mut().zip(&curve).for_each(|(sum, point)| sum.add(point));
            }
        }
    }
    let share = 1.0 / f64::from(params.n_orders);
    points.iter_mut().for_each(|point| point.scale(share));
    Ok((tallies, points))
}

/// Replays ballots; `stop` holds the cap and whether the rule is never met, or `None` to stop nobody.
fn replay(
    rule: &Rule,
    setting: &Setting<'_>,
    ballots: &[Ballot],
    stop: Option<(Option<u32>, bool)>,
) -> Result<Outcome, SwapError> {
    let mut machine = Machine::new(rule, setting)?;
    let n = setting.n_subjects;
    let mut taken = vec![0_u32; n];
    let mut ending = vec![Ending::Votes; n];
    let every = (ballots.len() / N_REVIEWS).max(1);
    let is_full = |taken: u32| stop.is_some_and(|(cap, _)| cap.is_some_and(|cap| taken >= cap));
    for (i, ballot) in (1..).zip(ballots) {
        let s = ballot.subject as usize;
        if ending[s] == Ending::Votes {
            taken[s] += 1;
            let enough = machine.add(ballot);
            if let (Some((_, never)), None) = (stop, setting.gold[s]) {
                if enough && !never {
                    ending[s] = Ending::Rule;
                } else if is_full(taken[s]) {
                    ending[s] = Ending::Cap;
                }
            }
        }
        if i % every == 0 {
            for open in machine.review() {
                let s = open as usize;
                if ending[s] == Ending::Rule {
                    // Open again, unless the cap holds it.
                    ending[s] = if is_full(taken[s]) { Ending::Cap } else { Ending::Votes };
                }
            }
        }
    }
    let all = 0..u32::try_from(n).expect("u32");
    let leaders = all.clone().map(|s| leaders(&machine.scores(s))).collect();
    let probability = all.map(|s| machine.probability(s)).collect();
    Ok(Outcome { taken, ending, leaders, probability })
}

/// The vote after 1, 2, 3, … ballots of each subject, in the order of time.
fn curve(ballots: &[Ballot], baseline: &Baseline<'_>) -> Vec<CurvePoint> {
    let k = baseline.k;
    let longest = baseline.total.iter().copied().fold(0.0, f64::max) as usize;
    let mut place = vec![usize::MAX; baseline.leaders.len()];
    (0..).zip(&baseline.kept).for_each(|(at, &s)| place[s] = at);
    let mut said: Vec<Vec<u32>> = vec![Vec::new(); baseline.kept.len()];
    for ballot in ballots {
        if let Some(said) = said.get_mut(place[ballot.subject as usize]) {
            said.push(ballot.answer);
        }
    }
    let mut counts = vec![0.0; said.len() * k];
    let n_subjects = said.len().max(1) as f64;
    let n_truth = baseline.n_truth() as f64;
    let mut points = Vec::new();
    for n in 1..=longest.min(LONGEST_CURVE) {
        let (mut votes, mut same, mut right) = (0, 0, 0.0);
        for (at, &s) in baseline.kept.iter().enumerate() {
            if let Some(&answer) = said[at].get(n - 1)
                && answer != NO_ANSWER
            {
                counts[at * k + answer as usize] += 1.0;
            }
            votes += said[at].len().min(n);
            let leaders = leaders(&counts[at * k..(at + 1) * k]);
            same += usize::from(leaders == baseline.leaders[s]);
            right += credit(&leaders, baseline.truth[s]).unwrap_or(0.0);
        }
        points.push(CurvePoint {
            n: u32::try_from(n).expect("u32"),
            mean_votes: votes as f64 / n_subjects,
            same: same as f64 / n_subjects,
            accuracy: (n_truth > 0.0).then(|| right / n_truth),
        });
    }
    points
}

#[cfg(test)]
#[path = "study_tests.rs"]
mod tests;
