//! Flags: volunteers whose votes look unlike those of somebody who looks at the subjects.
//!
//! Five hints per volunteer and question, each against what chance would give *them on their own subjects*:
//! answers that do not depend on the subject, one answer nearly always, long runs of one answer, hardly any
//! time per vote, and agreement with one other volunteer that the subjects do not explain. A flag is a
//! hint to look, not a verdict: nothing here weighs a vote, and every label keeps counting. A volunteer who
//! sees what the crowd misses can look like any of these.
//!
//! Only volunteers with enough votes are judged, so that almost nobody is flagged by chance; how often that
//! happens on honest crowds is measured in `flags/tests.rs`.

mod copies;
mod habits;
mod view;

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use volary_core::Votes;

use self::copies::Partner;
use self::view::View;
use crate::repeats::Counted;

/// When somebody is flagged.
#[derive(Clone, Debug, PartialEq)]
pub struct FlagParams {
    /// Fewest votes on others' subjects, and fewest gaps of time.
    pub min_votes: u32,
    /// Fewest subjects shared with another volunteer.
    pub min_shared: u32,
    /// Subjects with more votes say nothing about pairs: their pairs would be too many.
    pub max_pair_votes: u32,
}

impl Default for FlagParams {
    fn default() -> Self {
        Self { min_votes: 20, min_shared: 10, max_pair_votes: 200 }
    }
}

/// A hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flag {
    /// The answers could as well have been dealt to other subjects.
    NoRelation,
    /// At least 95 % of one answer, far more than the others gave on the same subjects.
    OneAnswer,
    /// A run of one answer that a random order does not give.
    LongRun,
    /// Far less time per vote than the others.
    Fast,
    /// The same answers as one other volunteer, more often than their subjects explain.
    Copies,
}

impl Flag {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::NoRelation, Self::OneAnswer, Self::LongRun, Self::Fast, Self::Copies];

    /// Its name in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoRelation => "no_relation",
            Self::OneAnswer => "one_answer",
            Self::LongRun => "long_run",
            Self::Fast => "fast",
            Self::Copies => "copies",
        }
    }
}

/// One volunteer on one question.
#[derive(Clone, Debug, PartialEq)]
pub struct FlagRow {
    /// Index into the questions.
    pub question: u32,
    /// Index into the volunteers.
    pub volunteer: u32,
    /// Votes on subjects that somebody else answered too.
    pub n_votes: u64,
    /// Entropy of their answers.
    pub entropy_bits: f64,
    /// Entropy of what the others answered on the same subjects.
    pub entropy_others_bits: f64,
    /// Mean share of the others who gave the same answer.
    pub agreement: f64,
    /// The same if their answers were dealt out at random among their own subjects.
    pub agreement_dealt: f64,
    /// The difference in standard deviations of the random deal; `None` where all answers are one.
    pub relation_z: Option<f64>,
    /// What a volunteer like the average would have there.
    pub relation_z_typical: Option<f64>,
    /// Share of the commonest answer.
    pub top_share: f64,
    /// How far that is above the others', in standard deviations.
    pub top_z: f64,
    /// Longest run of one answer in time; 0 where times are unknown.
    pub longest_run: u32,
    /// Bound on the chance of such a run in a random order of the same answers.
    pub longest_run_p: f64,
    /// Median time from one vote to the next, gaps above 30 minutes left out.
    pub seconds_per_vote: Option<f64>,
    /// Its logarithm against the crowd's median, in robust standard deviations.
    pub seconds_z: Option<f64>,
    /// The volunteer with whom agreement is least explained.
    pub partner: Option<u32>,
    /// Subjects shared with them.
    pub partner_n_shared: u64,
    /// Share of those on which both say the same.
    pub partner_agreement: Option<f64>,
    /// The share that the subjects explain.
    pub partner_expected: Option<f64>,
    /// Bound on its chance, times the number of pairs that were looked at.
    pub partner_p: Option<f64>,
    /// What is hinted at.
    pub flags: Vec<Flag>,
}

/// The typical relation must stand out by this for its lack to mean something.
const TYPICAL_Z: f64 = 6.0;
/// Below this there is no sign of a relation.
const NO_RELATION_Z: f64 = 1.5;
/// Share of one answer, and how far above the others'.
const ONE_ANSWER: (f64, f64) = (0.95, 5.0);
/// Chance of a run.
const RUN_P: f64 = 1e-4;
/// How fast is fast.
const FAST_Z: f64 = -4.0;
/// Chance of a pair, after counting all pairs.
const COPY_P: f64 = 0.01;

/// Looks at every volunteer on every question. Of a question with several answers the whole set is the
/// answer.
#[must_use]
pub fn flags(votes: &Votes, counted: &Counted, params: &FlagParams) -> Vec<FlagRow> {
    let mut rows = Vec::new();
    for question in 0..u32::try_from(votes.questions.len()).expect("questions are u32") {
        let view = View::new(votes, counted, question);
        rows.extend(of_question(&view, question, params));
    }
    rows
}

fn of_question(view: &View, question: u32, params: &FlagParams) -> Vec<FlagRow> {
    let present: Vec<u32> = view.present();
    let habits: Vec<habits::Habits> =
        present.clone().into_par_iter().map(|v| habits::of(view, v)).collect();
    let total: f64 = habits.iter().map(|h| h.n).sum();
    let gain = habits.iter().map(|h| h.n * (h.agreement - h.dealt)).sum::<f64>() / total.max(1.0);
    let mean_agreement = habits.iter().map(|h| h.n * h.agreement).sum::<f64>() / total.max(1.0);
    let pace = habits::Pace::of(&habits, params.min_votes);
    let mut relative = vec![1.0; view.n_volunteers()];
    for (v, h) in present.iter().zip(&habits) {
        if mean_agreement > 0.0 && h.n > 0.0 {
            relative[*v as usize] = (h.agreement / mean_agreement).max(1.0);
        }
    }
    let (partners, n_pairs) = copies::partners(view, &present, &relative, params);
    let rows = present.iter().zip(&habits).zip(&partners);
    rows.map(|((v, habits), partner)| {
        row((question, *v), habits, (gain, pace), (partner.as_ref(), n_pairs), params)
    })
    .collect()
}

fn row(
    (question, volunteer): (u32, u32),
    h: &habits::Habits,
    (gain, pace): (f64, Option<habits::Pace>),
    (partner, n_pairs): (Option<&Partner>, u64),
    params: &FlagParams,
) -> FlagRow {
    let spread = (h.dealt_sd > 0.0).then_some(h.dealt_sd);
    let mut row = FlagRow {
        question,
        volunteer,
        n_votes: h.n as u64,
        entropy_bits: h.entropy_bits,
        entropy_others_bits: h.entropy_others_bits,
        agreement: h.agreement,
        agreement_dealt: h.dealt,
        relation_z: spread.map(|sd| (h.agreement - h.dealt) / sd),
        relation_z_typical: spread.map(|sd| gain / sd),
        top_share: h.top_share,
        top_z: h.top_z,
        longest_run: h.longest_run,
        longest_run_p: h.longest_run_p,
        seconds_per_vote: h.seconds_per_vote,
        seconds_z: pace.and_then(|pace| pace.z(h)),
        partner: partner.map(|p| p.volunteer),
        partner_n_shared: partner.map_or(0, |p| p.n_shared),
        partner_agreement: partner.map(|p| p.agreement),
        partner_expected: partner.map(|p| p.expected),
        partner_p: partner.map(|p| (p.log_p + (n_pairs as f64).ln()).exp().min(1.0)),
        flags: Vec::new(),
    };
    row.flags = Flag::ALL.into_iter().filter(|flag| is_flagged(&row, *flag, h, params)).collect();
    row
}

fn is_flagged(row: &FlagRow, flag: Flag, habits: &habits::Habits, params: &FlagParams) -> bool {
    if row.n_votes < u64::from(params.min_votes) {
        return false;
    }
    match flag {
        Flag::NoRelation => row
            .relation_z
            .zip(row.relation_z_typical)
            .is_some_and(|(z, typical)| typical >= TYPICAL_Z && z < NO_RELATION_Z),
        Flag::OneAnswer => row.top_share >= ONE_ANSWER.0 && row.top_z >= ONE_ANSWER.1,
        Flag::LongRun => row.longest_run_p < RUN_P,
        Flag::Fast => {
            habits.n_gaps >= params.min_votes as usize && row.seconds_z.is_some_and(|z| z < FAST_Z)
        }
        Flag::Copies => row.partner_p.is_some_and(|p| p < COPY_P),
    }
}

#[cfg(test)]
mod tests;
