//! Agreement: how much more than by chance volunteers say the same.
//!
//! Krippendorff's α (2004, "Content Analysis", ch. 11; 2011, "Computing Krippendorff's alpha-reliability")
//! for nominal, ordinal and interval answers, any number of votes per subject; Fleiss' κ (1971,
//! doi:10.1037/h0031619) with Gwet's form for uneven numbers (2014, "Handbook of inter-rater reliability",
//! ch. 2); the share of agreeing pairs. For questions with several answers each answer is a yes or no of
//! its own, and α of the whole sets has Jaccard's and Passonneau's (MASI, 2006) distance. Intervals are
//! bootstrapped over subjects. One vote at a time: [`RunningAlpha`].
//!
//! Agreement is not accuracy: a crowd that is fooled together agrees.

mod bootstrap;
mod patterns;
mod running;
mod sets;

use volary_core::votes::{NO_ANSWER, Question, QuestionKind, Vote};
use volary_core::{Votes, seed};

use self::bootstrap::{Bootstrap, Estimate};
use self::patterns::{Patterns, Values};
pub use self::running::RunningAlpha;

use crate::error::CrowdError;
use crate::interval::Interval;
use crate::repeats::Counted;

/// What the answers of a question are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Names: all different answers are equally different.
    Nominal,
    /// Grades: the difference is the number of votes between them.
    Ordinal,
    /// Numbers: the difference is squared.
    Interval,
}

impl Level {
    /// All levels.
    pub const ALL: [Self; 3] = [Self::Nominal, Self::Ordinal, Self::Interval];

    /// Its name on the command line and in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nominal => "nominal",
            Self::Ordinal => "ordinal",
            Self::Interval => "interval",
        }
    }

    /// The level of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == name)
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Krippendorff's α at a level.
    Alpha(Level),
    /// α of whole sets of answers: distance 1 − |A ∩ B| / |A ∪ B|.
    AlphaJaccard,
    /// α of whole sets: distance 1 − Jaccard · (1 equal, ⅔ one within the other, ⅓ overlapping, 0 apart).
    AlphaMasi,
    /// Fleiss' κ.
    FleissKappa,
    /// Mean over subjects of the share of pairs of votes that agree.
    PairAgreement,
}

impl Measure {
    /// Its name in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alpha(_) | Self::AlphaJaccard | Self::AlphaMasi => "krippendorff_alpha",
            Self::FleissKappa => "fleiss_kappa",
            Self::PairAgreement => "pair_agreement",
        }
    }

    /// The name of its distance in tables.
    #[must_use]
    pub fn distance(self) -> &'static str {
        match self {
            Self::Alpha(level) => level.as_str(),
            Self::AlphaJaccard => "jaccard",
            Self::AlphaMasi => "masi",
            Self::FleissKappa | Self::PairAgreement => "nominal",
        }
    }
}

/// Why a value or its interval is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Missing {
    /// No subject has two votes.
    NoPairs,
    /// All votes are the same answer, so that agreement beyond chance has no meaning.
    OneAnswer,
    /// There are too many different sets of answers to compare each with each.
    TooManySets,
    /// The value stands, but with one subject there is nothing to resample.
    OneSubject,
    /// The value stands, but every subject is unanimous, and a bootstrap sees no error in that.
    Unanimous,
    /// The value stands, but fewer than two replicates were asked for, or have a value.
    FewReplicates,
}

impl Missing {
    /// In words, for tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoPairs => "no subject has two votes",
            Self::OneAnswer => "all votes are the same answer",
            Self::TooManySets => "too many different sets of answers",
            Self::OneSubject => "one subject has no interval",
            Self::Unanimous => "unanimous, so no interval",
            Self::FewReplicates => "too few replicates for an interval",
        }
    }
}

/// Most different sets of answers that are compared each with each.
pub const MAX_SETS: usize = 1024;

/// How agreement is measured.
#[derive(Clone, Debug, PartialEq)]
pub struct AgreementParams {
    /// The level of questions with one answer; without it sliders are intervals and all else nominal.
    pub level: Option<Level>,
    /// The answers in their order, for [`Level::Ordinal`]; empty where the answers are numbers.
    pub order: Vec<String>,
    /// Bootstrap replicates; 0 for no intervals.
    pub n_replicates: u32,
    /// Level of the intervals, 0.95 say.
    pub confidence: f64,
    /// Seed of the bootstrap.
    pub seed: u64,
}

impl Default for AgreementParams {
    fn default() -> Self {
        Self { level: None, order: Vec::new(), n_replicates: 1000, confidence: 0.95, seed: 1 }
    }
}

impl AgreementParams {
    fn bootstrap(&self, stream: String) -> Bootstrap {
        let Self { n_replicates, confidence, seed, .. } = *self;
        Bootstrap { n_replicates, confidence, seed, stream }
    }
}

/// One measure of one question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AgreementRow {
    /// Index into the questions.
    pub question: u32,
    /// Index into the question's answers, where one answer's yes or no is measured.
    pub answer: Option<u32>,
    /// What is measured.
    pub measure: Measure,
    /// Its value: at most 1, 0 by chance (the share of agreeing pairs: by chance above 0).
    pub value: Option<f64>,
    /// Its interval.
    pub interval: Option<Interval>,
    /// Why one of them is missing.
    pub missing: Option<Missing>,
    /// Subjects with two votes or more.
    pub n_subjects: u64,
    /// Their votes.
    pub n_votes: u64,
}

/// Agreement on every question that somebody answered.
///
/// Three rows for a question with one answer: α at its level, κ, the share of agreeing pairs. Of a question
/// with several answers the same three per answer, then α of the sets with both distances. A volunteer who
/// saw a question with one answer and gave none is missing; one who saw a question with several and ticked
/// none said no to each.
///
/// # Errors
/// [`CrowdError::Level`] for a confidence outside (0, 1); [`CrowdError::AnswerOrder`] where the level asks for
/// an order or numbers that the answers do not have.
pub fn agreement(
    votes: &Votes,
    counted: &Counted,
    params: &AgreementParams,
) -> Result<Vec<AgreementRow>, CrowdError> {
    check_confidence(params)?;
    let scales = scales(votes, params)?;
    let mut rows = Vec::new();
    for (index, (question, scale)) in (0..).zip(votes.questions.iter().zip(scales)) {
        let own: Vec<Vote> = votes
            .of_question(index)
            .iter()
            .copied()
            .filter(|v| counted.counts[v.classification as usize])
            .collect();
        if own.is_empty() || question.answers.is_empty() {
            continue;
        }
        match scale {
            Some(scale) => one_answer(votes, index, &own, &scale, params, &mut rows),
            None => several_answers(votes, index, &own, params, &mut rows),
        }
    }
    Ok(rows)
}

/// Agreement where only counts are known: of `n` who saw a subject, `k` selected it, per subject.
///
/// Three rows of question 0: α, κ, the share of agreeing pairs, of a yes or no.
///
/// # Errors
/// [`CrowdError::Level`] for a confidence outside (0, 1).
pub fn agreement_of_counts(
    counts: impl IntoIterator<Item = (u64, u64)>,
    params: &AgreementParams,
) -> Result<Vec<AgreementRow>, CrowdError> {
    check_confidence(params)?;
    let mut builder = Patterns::builder(Values::Nominal(2));
    let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    for (k, n) in counts {
        builder.add_counts(vec![(0, count(n.saturating_sub(k))), (1, count(k.min(n)))]);
    }
    let mut rows = Vec::new();
    let bootstrap = params.bootstrap("agreement of counts".to_owned());
    counts_alone(&builder.finish(), Level::Nominal, &bootstrap, (0, None), &mut rows);
    Ok(rows)
}

fn check_confidence(params: &AgreementParams) -> Result<(), CrowdError> {
    let level = params.confidence;
    if level > 0.0 && level < 1.0 { Ok(()) } else { Err(CrowdError::Level { level }) }
}

/// How the answers of a question with one answer become values.
struct Scale {
    level: Level,
    /// Per answer: its value.
    value_of: Vec<u32>,
    values: Values,
}

/// The scale of each question; `None` for those with several answers.
fn scales(votes: &Votes, params: &AgreementParams) -> Result<Vec<Option<Scale>>, CrowdError> {
    let mut any = false;
    let mut scales = Vec::with_capacity(votes.questions.len());
    for question in &votes.questions {
        if question.kind.is_multiple() {
            scales.push(None);
            continue;
        }
        let wanted = params.level.unwrap_or(match question.kind {
            QuestionKind::Slider => Level::Interval,
            _ => Level::Nominal,
        });
        // Without --level, a slider whose entries are not numbers is no reason to refuse everything.
        let scale = match (scale(question, wanted, &params.order), params.level) {
            (Err(_), None) => None,
            (scale, _) => scale?,
        };
        any |= scale.is_some();
        scales.push(Some(scale.unwrap_or_else(|| nominal(question))));
    }
    let needs = params.level.is_some_and(|level| level != Level::Nominal);
    if needs && !any {
        let what = if params.level == Some(Level::Interval) {
            "no question has numbers for answers"
        } else {
            "no question has numbers for answers, or all its answers in the order given"
        };
        return Err(CrowdError::AnswerOrder { task: String::new(), answer: String::new(), what });
    }
    Ok(scales)
}

fn nominal(question: &Question) -> Scale {
    let value_of = (0..).take(question.answers.len()).collect();
    Scale { level: Level::Nominal, value_of, values: Values::Nominal(question.answers.len()) }
}

/// `None` where the question's answers have nothing of what the level needs.
fn scale(question: &Question, level: Level, order: &[String]) -> Result<Option<Scale>, CrowdError> {
    let has_order = level == Level::Ordinal && !order.is_empty();
    let place = |answer: &String| -> Option<f64> {
        if has_order {
            return order.iter().position(|o| o == answer).map(|at| at as f64);
        }
        answer.trim().parse::<f64>().ok().filter(|x| x.is_finite())
    };
    if level == Level::Nominal {
        return Ok(Some(nominal(question)));
    }
    let places: Vec<Option<f64>> = question.answers.iter().map(place).collect();
    if places.iter().all(Option::is_none) {
        return Ok(None);
    }
    if let Some(at) = places.iter().position(Option::is_none) {
        return Err(CrowdError::AnswerOrder {
            task: question.task.clone(),
            answer: question.answers[at].clone(),
            what: if has_order { "it is not in the order given" } else { "it is not a number" },
        });
    }
    let mut distinct: Vec<f64> = places.iter().flatten().copied().collect();
    distinct.sort_by(f64::total_cmp);
    // −0 and 0 are one number.
    distinct.dedup_by(|a, b| a == b);
    let rank = |x: &f64| u32::try_from(distinct.partition_point(|y| y < x)).expect("answers are u32");
    let value_of = places.iter().flatten().map(rank).collect();
    let values = match level {
        Level::Interval => Values::Interval(distinct),
        _ => Values::Ordinal(distinct.len()),
    };
    Ok(Some(Scale { level, value_of, values }))
}

fn one_answer(
    votes: &Votes,
    question: u32,
    own: &[Vote],
    scale: &Scale,
    params: &AgreementParams,
    rows: &mut Vec<AgreementRow>,
) {
    let mut patterns = Patterns::builder(scale.values.clone());
    for (_, group) in votes.by_subject(own) {
        let given = group.iter().filter(|v| v.answer != NO_ANSWER);
        patterns.add(given.map(|v| scale.value_of[v.answer as usize]).collect());
    }
    let bootstrap = bootstrap_of(votes, question, None, params);
    counts_alone(&patterns.finish(), scale.level, &bootstrap, (question, None), rows);
}

/// The three measures that need counts only.
fn counts_alone(
    patterns: &Patterns,
    level: Level,
    bootstrap: &Bootstrap,
    place: (u32, Option<u32>),
    rows: &mut Vec<AgreementRow>,
) {
    let measures = [Measure::Alpha(level), Measure::FleissKappa, Measure::PairAgreement];
    let estimates = bootstrap.run(patterns, |weights| patterns.measure(weights).as_array());
    push(rows, place, &measures, &estimates, patterns);
}

fn several_answers(
    votes: &Votes,
    question: u32,
    own: &[Vote],
    params: &AgreementParams,
    rows: &mut Vec<AgreementRow>,
) {
    let answers = 0..u32::try_from(votes.questions[question as usize].answers.len()).expect("u32");
    let visits = sets::visits(votes, own);
    for answer in answers {
        let mut builder = Patterns::builder(Values::Nominal(2));
        for (n, ticks) in visits.ticks_of(answer) {
            builder.add_counts(vec![(0, n - ticks), (1, ticks)]);
        }
        let bootstrap = bootstrap_of(votes, question, Some(answer), params);
        counts_alone(&builder.finish(), Level::Nominal, &bootstrap, (question, Some(answer)), rows);
    }
    let measures = [Measure::AlphaJaccard, Measure::AlphaMasi];
    let (patterns, all_sets) = visits.patterns();
    if all_sets.len() > MAX_SETS {
        let missing = Estimate { value: Err(Missing::TooManySets), interval: Err(Missing::TooManySets) };
        push(rows, (question, None), &measures, &[missing, missing], &patterns);
        return;
    }
    let distances = sets::Distances::new(&all_sets, &patterns);
    let bootstrap = bootstrap_of(votes, question, None, params);
    let estimates = bootstrap.run(&patterns, |weights| distances.alphas(&patterns, weights));
    push(rows, (question, None), &measures, &estimates, &patterns);
}

fn bootstrap_of(
    votes: &Votes,
    question: u32,
    answer: Option<u32>,
    params: &AgreementParams,
) -> Bootstrap {
    let q = &votes.questions[question as usize];
    let answer = answer.map_or("", |a| q.answers[a as usize].as_str());
    // A stream of its own for each question, whatever other questions there are.
    params.bootstrap(format!("agreement {} {} {answer}", q.workflow, q.task))
}

fn push<const M: usize>(
    rows: &mut Vec<AgreementRow>,
    (question, answer): (u32, Option<u32>),
    measures: &[Measure; M],
    estimates: &[Estimate; M],
    patterns: &Patterns,
) {
    let (n_subjects, n_votes) = patterns.pairable();
    rows.extend(measures.iter().zip(estimates).map(|(measure, estimate)| AgreementRow {
        question,
        answer,
        measure: *measure,
        value: estimate.value.ok(),
        interval: estimate.interval.ok(),
        missing: estimate.value.err().or(estimate.interval.err()),
        n_subjects,
        n_votes,
    }));
}

/// The generator of one replicate.
fn replicate_stream(seed: u64, stream: &str, replicate: u32) -> seed::Rng {
    seed::stream(seed, &format!("{stream} {replicate}"))
}

#[cfg(test)]
mod coverage_tests;
#[cfg(test)]
mod tests;
