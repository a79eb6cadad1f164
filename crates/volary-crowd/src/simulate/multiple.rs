//! A question with several answers: each answer a yes or no of its own.
//!
//! Answer a is true of a subject with chance `prevalence[a]`. A volunteer ticks a true answer with their
//! own chance for it (sensitivity) and an untrue one with one minus their specificity; difficulty d moves
//! both towards a coin: 1 − d of the time they look, else they toss it. Truths of one subject, and errors
//! of one visit, may go together: one-factor Gaussian copulas with the given correlations.

use rand::RngExt as _;
use statrs::function::erf::erfc;
use volary_core::Votes;
use volary_core::seed::{Rng, stream};
use volary_core::truth::Truth;
use volary_core::votes::{QuestionKind, VotesBuilder};

use super::params::{CrowdParams, Effects, VolunteerKind};
use super::{SimulatedCrowd, behaviour, draw_difficulty, draw_gold, visits};
use crate::draws;
use crate::error::CrowdError;

/// Concentration of a spammer's chances.
const SPAM_SHAPE: f64 = 0.7;
/// How common an answer is where nothing is said.
const COMMON: f64 = 0.3;

/// What crowd to simulate.
#[derive(Clone, Debug, PartialEq)]
pub struct MultipleParams {
    /// Subjects, volunteers, who votes when; `n_classes` is the number of answers, from 2; `skill` is the
    /// mean of sensitivity and specificity. Of the effects: kinds `Plain` and `Spammer`, sessions, gold.
    pub crowd: CrowdParams,
    /// Chance that each answer is true; empty for 0.3 each.
    pub prevalence: Vec<f64>,
    /// Correlation of the true answers of one subject, from 0 to 1 (of the normal scores behind them).
    pub correlation: f64,
    /// Correlation of the errors of one visit, likewise.
    pub error_correlation: f64,
}

/// Votes with several answers, and all that is true about them.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatedMultiple {
    /// Answers of the question.
    pub n_answers: u32,
    /// Per visit: subject.
    pub subject: Vec<u32>,
    /// Per visit: volunteer.
    pub volunteer: Vec<u32>,
    /// Per visit: milliseconds since 1970.
    pub created_ms: Vec<i64>,
    /// Per visit and answer: whether it was ticked, `[visit][answer]` flattened.
    pub ticked: Vec<bool>,
    /// Per subject and answer: whether it is true, `[subject][answer]` flattened.
    pub is_true: Vec<bool>,
    /// Per subject: its difficulty.
    pub difficulty: Vec<f64>,
    /// Per subject: whether its truth is given away.
    pub is_gold: Vec<bool>,
    /// Per volunteer: what they are like.
    pub kind: Vec<VolunteerKind>,
    /// Per volunteer and answer: chance to tick it where it is true.
    pub sensitivity: Vec<f64>,
    /// Per volunteer and answer: chance not to tick it where it is not.
    pub specificity: Vec<f64>,
}

/// Simulates a crowd on a question with several answers. The same parameters give the same bytes.
///
/// # Errors
/// [`CrowdError::Simulation`] for a parameter out of its range, or an effect that needs a single answer.
pub fn simulate_multiple(params: &MultipleParams) -> Result<SimulatedMultiple, CrowdError> {
    params.check()?;
    let crowd = &params.crowd;
    let n_answers = crowd.n_classes as usize;
    let difficulties = &mut stream(crowd.seed, "simulate subjects");
    let difficulty: Vec<f64> =
        (0..crowd.n_subjects).map(|_| draw_difficulty(difficulties, crowd)).collect();
    let (kind, sensitivity, specificity) = draw_volunteers(crowd);
    let mut out = SimulatedMultiple {
        n_answers: crowd.n_classes,
        subject: Vec::new(),
        volunteer: Vec::new(),
        created_ms: Vec::new(),
        ticked: Vec::new(),
        is_true: draw_truth(params),
        difficulty,
        is_gold: draw_gold(crowd),
        kind,
        sensitivity,
        specificity,
    };
    let answers = &mut stream(crowd.seed, "simulate ticks");
    let mut uniforms = vec![0.0; n_answers];
    visits(crowd, |_, visit| {
        let (s, v) = (visit.subject as usize * n_answers, visit.volunteer as usize * n_answers);
        let looks = out.kind[visit.volunteer as usize] != VolunteerKind::Spammer;
        let d = if looks { out.difficulty[visit.subject as usize] } else { 0.0 };
        fill_uniforms(answers, params.error_correlation, &mut uniforms);
        for (a, u) in uniforms.iter().enumerate() {
            let is_true = out.is_true[s + a];
            let right = if is_true { out.sensitivity[v + a] } else { out.specificity[v + a] };
            let errs = *u < 1.0 - ((1.0 - d) * right + 0.5 * d);
            out.ticked.push(is_true != errs);
        }
        out.subject.push(visit.subject);
        out.volunteer.push(visit.volunteer);
        out.created_ms.push(visit.created_ms);
    });
    if crowd.effects.session_votes > 0.0 {
        behaviour::work_in_sessions(crowd, &out.volunteer, &mut out.created_ms);
    }
    Ok(out)
}

impl MultipleParams {
    fn check(&self) -> Result<(), CrowdError> {
        let must = |ok: bool, name, value, must| {
            if ok { Ok(()) } else { Err(CrowdError::Simulation { name, value, must }) }
        };
        self.crowd.check()?;
        let n = self.crowd.prevalence.len() as f64;
        must(n == 0.0, "prevalence of classes", n, "left out: several answers may be true")?;
        let n = self.prevalence.len();
        let fits = n == 0 || n == self.crowd.n_classes as usize;
        must(fits, "prevalence", n as f64, "one per answer")?;
        for p in &self.prevalence {
            must((0.0..=1.0).contains(p), "prevalence", *p, "between 0 and 1")?;
        }
        let both = [("correlation", self.correlation), ("error_correlation", self.error_correlation)];
        for (name, value) in both {
            must((0.0..=1.0).contains(&value), name, value, "between 0 and 1")?;
        }
        self.check_effects()
    }

    /// What needs one answer per vote would be ignored here, so it is refused.
    fn check_effects(&self) -> Result<(), CrowdError> {
        let effects = &self.crowd.effects;
        let only = "left out: it needs a question with one answer";
        let refuse = |is_there: bool, name, value| {
            if is_there { Err(CrowdError::Simulation { name, value, must: only }) } else { Ok(()) }
        };
        for (kind, share) in &effects.kinds {
            let fits = matches!(kind, VolunteerKind::Plain | VolunteerKind::Spammer);
            refuse(!fits && *share > 0.0, kind.as_str(), *share)?;
        }
        let Effects { learning, fatigue, .. } = effects;
        let cells = effects.mean_confusion.len();
        refuse(cells > 0, "mean_confusion", cells as f64)?;
        refuse(
            effects.scale != super::Scale::Nominal,
            "the ordinal scale",
            f64::from(self.crowd.n_classes),
        )?;
        refuse(
            effects.hopeless_skill.is_some(),
            "hopeless_skill",
            effects.hopeless_skill.unwrap_or(0.0),
        )?;
        refuse(!learning.is_none(), "learning", learning.mean)?;
        refuse(!fatigue.is_none(), "fatigue", fatigue.mean)?;
        refuse(
            effects.shared_bias.is_some(),
            "shared_bias",
            effects.shared_bias.map_or(0.0, |b| b.share),
        )?;
        refuse(effects.temptation.is_some(), "temptation", effects.temptation.map_or(0.0, |t| t.share))?;
        refuse(effects.copying > 0.0, "copying", effects.copying)?;
        refuse(effects.machine.is_some(), "machine", effects.machine.map_or(0.0, |m| m.auc))
    }
}

fn draw_truth(params: &MultipleParams) -> Vec<bool> {
    let n_answers = params.crowd.n_classes as usize;
    let rng = &mut stream(params.crowd.seed, "simulate true answers");
    let mut uniforms = vec![0.0; n_answers];
    let mut is_true = Vec::with_capacity(n_answers * params.crowd.n_subjects as usize);
    for _ in 0..params.crowd.n_subjects {
        fill_uniforms(rng, params.correlation, &mut uniforms);
        let share = |a: usize| params.prevalence.get(a).copied().unwrap_or(COMMON);
        is_true.extend(uniforms.iter().enumerate().map(|(a, u)| *u < share(a)));
    }
    is_true
}

/// Uniform numbers whose normal scores have this correlation with each other.
fn fill_uniforms(rng: &mut Rng, correlation: f64, uniforms: &mut [f64]) {
    if correlation <= 0.0 {
        uniforms.iter_mut().for_each(|u| *u = rng.random::<f64>());
        return;
    }
    let (common, own) = (correlation.sqrt() * draws::normal(rng), (1.0 - correlation).sqrt());
    for u in uniforms {
        let z = common + own * draws::normal(rng);
        *u = 0.5 * erfc(-z * std::f64::consts::FRAC_1_SQRT_2);
    }
}

fn draw_volunteers(crowd: &CrowdParams) -> (Vec<VolunteerKind>, Vec<f64>, Vec<f64>) {
    let kind = super::people::draw_kinds(crowd);
    let rng = &mut stream(crowd.seed, "simulate volunteers");
    let (mut sensitivity, mut specificity) = (Vec::new(), Vec::new());
    let (right, wrong) = (crowd.concentration * crowd.skill, crowd.concentration * (1.0 - crowd.skill));
    for kind in &kind {
        for _ in 0..crowd.n_classes {
            if *kind == VolunteerKind::Spammer {
                // Ticks as often whether it is true or not.
                let ticks = draws::beta(rng, SPAM_SHAPE, SPAM_SHAPE);
                sensitivity.push(ticks);
                specificity.push(1.0 - ticks);
            } else {
                sensitivity.push(draws::beta(rng, right, wrong));
                specificity.push(draws::beta(rng, right, wrong));
            }
        }
    }
    (kind, sensitivity, specificity)
}

impl SimulatedMultiple {
    /// How many visits.
    #[must_use]
    pub fn n_visits(&self) -> usize {
        self.subject.len()
    }

    /// The answers that a visit ticked.
    pub fn ticked_of(&self, visit: usize) -> impl Iterator<Item = u32> + '_ {
        let n = self.n_answers as usize;
        (0..).zip(&self.ticked[visit * n..(visit + 1) * n]).filter(|(_, is)| **is).map(|(a, _)| a)
    }

    /// The answers that are true of a subject.
    pub fn true_of(&self, subject: usize) -> impl Iterator<Item = u32> + '_ {
        let n = self.n_answers as usize;
        (0..).zip(&self.is_true[subject * n..(subject + 1) * n]).filter(|(_, is)| **is).map(|(a, _)| a)
    }

    /// The votes as every method reads them: question "T0" of workflow "", answers "0", "1", ….
    #[must_use]
    pub fn to_votes(&self) -> Votes {
        let mut builder = VotesBuilder::default();
        let kind = QuestionKind::Multiple;
        for answer in 0..self.n_answers {
            builder.offer("", "T0", kind, &answer.to_string());
        }
        for visit in 0..self.n_visits() {
            let subject = self.subject[visit].to_string();
            let volunteer = SimulatedCrowd::volunteer_name(self.volunteer[visit]);
            let created = Some(self.created_ms[visit]);
            let c = builder.numbered_classification("", &subject, &volunteer, created, visit as u64);
            let mut is_empty = true;
            for answer in self.ticked_of(visit) {
                builder.vote(c, "T0", kind, Some(&answer.to_string()));
                is_empty = false;
            }
            if is_empty {
                builder.vote(c, "T0", kind, None);
            }
        }
        builder.finish()
    }

    /// The true answers of every subject, for task "T0".
    #[must_use]
    pub fn truth(&self) -> Truth {
        let mut truth = Truth::default();
        for subject in 0..self.difficulty.len() {
            let name = subject.to_string();
            truth.know("T0", &name);
            for answer in self.true_of(subject) {
                truth.add("T0", &name, &answer.to_string());
            }
        }
        truth
    }
}

#[cfg(test)]
#[path = "multiple_tests.rs"]
mod tests;
