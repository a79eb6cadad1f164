//! The online learner on the log: a model of embeddings that learns as volunteers vote.
//!
//! [`Learning`] takes logged events in order, as [`crate::replay`] does, and keeps two models (of
//! `volary-loop`): the **safe** one learns a subject when it retires, from its consensus; the **fast** one
//! learns from every vote, from the consensus so far, a retirement's worth of votes weighing as much as one
//! consensus. The safe one is in use until a person promotes the other, on evidence from subjects whose truth
//! is known, and it comes back by itself where the other proves worse.
//!
//! Everything is a function of the log and of who has opted out, so that it is made anew by replay: an
//! opt-out means a replay without that person ([`Follower`] does it), which forgets them exactly.
//! Subjects whose truth is known are never learnt from; every other one is predicted before it is learnt.
//!
//! It decides nothing: what to show next asks it, and a veto must be certified first.

mod follow;
mod watch;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;
use volary_loop::champion::{Duel, DuelParams, Outcome, Verdict};
use volary_loop::learner::{
    ActorCap, Embedding, Label, Learner, LearnerError, LearnerParams, Method, Prediction,
};
use volary_loop::prequential::{Prequential, PrequentialParams, Report};
use volary_loop::veto::{Requirement, Veto, VetoError, certify, is_audited};

pub use self::follow::{FollowError, Follower};
pub use self::watch::{Drift, DriftAlarm};
use crate::book::{Effect, StrandKey};
use crate::canon::Tally;
use crate::event::{Actor, Kind, Logged};
use crate::policy::{Policy, Rule, Then};
use crate::replay::Replay;

/// Embeddings of subjects, all by one model.
#[derive(Clone, Debug, Default)]
pub struct Embeddings {
    /// Hash or name of the model.
    pub model: String,
    /// Entries of each.
    pub dimension: usize,
    /// By subject.
    pub of: HashMap<String, Vec<f64>>,
}

/// Settings.
#[derive(Clone, Debug)]
pub struct LearningParams {
    /// The rule whose question is learnt; the first that alerts, if absent.
    pub rule: Option<String>,
    /// How the models learn.
    pub method: Method,
    /// What one person may contribute to the fast model.
    pub actor_cap: Option<ActorCap>,
    /// Probability of real at which a subject passes, for the comparison of both.
    pub pass_at: f64,
    /// What is asked of the fast model.
    pub duel: DuelParams,
    /// Values in a window of the drift watch; the first window is the reference.
    pub drift_window: usize,
    /// A veto against bogus subjects, once it is certified; none if absent.
    pub veto: Option<VetoParams>,
}

/// A veto that is asked for.
#[derive(Clone)]
pub struct VetoParams {
    /// The server's secret: who has it can tell audits from others.
    pub key: [u8; 32],
    /// Share of the vetoed that is shown all the same.
    pub audit_share: f64,
    /// Vetoed below this probability to be real.
    pub below: f64,
    /// Largest share of real subjects that may be vetoed, to be shown before the veto is used.
    pub allowed: f64,
}

impl std::fmt::Debug for VetoParams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VetoParams").field("below", &self.below).finish_non_exhaustive()
    }
}

impl Default for LearningParams {
    fn default() -> Self {
        Self {
            rule: None,
            method: Method::default(),
            actor_cap: Some(ActorCap { window: 10_000, most_weight: 50.0 }),
            pass_at: 0.5,
            duel: DuelParams::default(),
            drift_window: 500,
            veto: None,
        }
    }
}

/// Which model is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// Learns a subject when it retires.
    Safe,
    /// Learns from every vote.
    Fast,
}

/// A change of the model in use.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The event behind it.
    pub seq: i64,
    /// The model in use from then on.
    pub to: Arm,
    /// Who decided it; `volary` where a rule did.
    pub who: String,
    /// Why, or why it was refused.
    pub why: String,
    /// It was refused: the evidence did not carry it.
    pub is_refused: bool,
}

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LearningCounts {
    /// The last event.
    pub cursor: i64,
    /// Votes that the fast model learnt from.
    pub n_votes: u64,
    /// Subjects that the safe model learnt.
    pub n_subjects: u64,
    /// Subjects with a known truth that both predicted.
    pub n_gold: u64,
    /// Votes of people who have opted out: none of them was learnt from.
    pub n_opted_out: u64,
    /// Votes on subjects without an embedding.
    pub n_without_embedding: u64,
    /// Votes that the cap on one person, or a broken embedding, kept out.
    pub n_refused: u64,
    /// Real subjects, of those whose truth is known and of the audited ones.
    pub n_real: u64,
    /// Of these, those that a veto would have put last.
    pub n_real_vetoed: u64,
}

/// The two models and how good they are.
#[derive(Debug)]
pub struct Learning {
    params: LearningParams,
    embeddings: Embeddings,
    out: BTreeSet<String>,
    replay: Replay,
    safe: Learner,
    fast: Learner,
    in_use: Arm,
    /// What both said of subjects, before anything was learnt of them.
    predicted: HashMap<String, (f64, f64)>,
    /// Subjects that are done; later votes on them teach nothing.
    done: HashSet<String>,
    evaluation: Prequential,
    duel: Duel,
    /// The former model against the one in use, since a promotion.
    probation: Option<Duel>,
    changes: Vec<Change>,
    drift: Drift,
    counts: LearningCounts,
}

impl Learning {
    /// Two models that know nothing. `out`: user ids of those who have opted out.
    ///
    /// # Errors
    /// [`LearnerError`]: a setting or the embedding's dimension is none.
    pub fn new(
        embeddings: Embeddings,
        out: BTreeSet<String>,
        params: LearningParams,
    ) -> Result<Self, LearnerError> {
        let learner = |actor_cap| {
            Learner::new(LearnerParams {
                embedding: embeddings.model.clone(),
                dimension: embeddings.dimension,
                n_classes: 2,
                method: params.method,
                actor_cap,
            })
        };
        let (safe, fast) = (learner(None)?, learner(params.actor_cap)?);
        let evaluation =
            Prequential::new(PrequentialParams::default()).expect("the default settings are sound");
        Ok(Self {
            duel: Duel::new(params.duel),
            drift: Drift::new(params.drift_window),
            params,
            embeddings,
            out,
            replay: Replay::new(Policy::default()),
            safe,
            fast,
            in_use: Arm::Safe,
            predicted: HashMap::new(),
            done: HashSet::new(),
            evaluation,
            probation: None,
            changes: Vec::new(),
            counts: LearningCounts::default(),
        })
    }

    /// Takes the next event of the log, which belongs to the book of `subject`.
    pub fn take(&mut self, logged: &Logged, subject: Option<&str>) {
        self.counts.cursor = logged.seq;
        if let Kind::Promotion { fast, who, why } = &logged.event.kind {
            self.promote(logged.seq, *fast, who, why);
        }
        // A book that was let go must not begin anew with a late vote.
        if subject.is_some_and(|subject| self.done.contains(subject)) {
            return;
        }
        let effects = self.replay.take(logged, subject);
        if let (Kind::Vote { workflow, actor, .. }, Some(subject)) = (&logged.event.kind, subject) {
            self.vote(logged, subject, workflow, actor);
        }
        for effect in effects {
            if let Effect::Retired { subject, strand, .. } = effect {
                self.retired(logged, &subject, &strand.workflow);
            }
        }
    }

    /// The rule whose question is learnt.
    fn rule(&self) -> Option<(usize, &Rule)> {
        let rules = &self.replay.engine().policy().rules;
        let is_it = |rule: &Rule| match &self.params.rule {
            Some(name) => rule.name == *name,
            None => rule.then == Then::Alert,
        };
        rules.iter().enumerate().find(|(_, rule)| is_it(rule))
    }

    /// Votes counted and positive ones, without those who have opted out.
    fn consensus(&self, subject: &str, workflow: &str) -> Option<(u64, u64)> {
        let (at, rule) = self.rule()?;
        if !rule.looks_at(workflow) {
            return None;
        }
        let engine = self.replay.engine();
        let book = engine.book(subject)?;
        let mut sum = (0, 0);
        let mut add = |key: &StrandKey, tally: &Tally| {
            if let Some(rule) = tally.rules.get(at).filter(|_| key.workflow == workflow) {
                sum = (sum.0 + rule.n, sum.1 + rule.k);
            }
        };
        if self.out.is_empty() {
            // What stands is what may be learnt from; nothing is counted again.
            book.tallies().for_each(|(key, tally)| add(key, tally));
        } else {
            let is_out = |actor: &Actor| matches!(actor, Actor::User(user) if self.out.contains(user));
            let kept = book.tallies_without(is_out, engine.rules());
            kept.iter().for_each(|(key, tally)| add(key, tally));
        }
        Some(sum)
    }

    fn vote(&mut self, logged: &Logged, subject: &str, workflow: &str, actor: &Actor) {
        if matches!(actor, Actor::User(user) if self.out.contains(user)) {
            self.counts.n_opted_out += 1;
            return;
        }
        if !self.embeddings.of.contains_key(subject) {
            self.counts.n_without_embedding += 1;
            return;
        }
        if !self.predicted.contains_key(subject) {
            self.predict_both(logged, subject);
        }
        let engine = self.replay.engine();
        let Some(book) = engine.book(subject) else { return };
        if book.is_validation() {
            let truth = self.rule().zip(book.truth()).and_then(|((_, rule), truth)| {
                truth.get(&rule.task).map(|answers| answers.iter().any(|a| rule.is_positive(a)))
            });
            if let Some(is_real) = truth {
                self.judge(logged, subject, is_real);
            }
            return;
        }
        let Some((n, k)) = self.consensus(subject, workflow).filter(|(n, _)| *n > 0) else { return };
        self.drift.vote(logged.seq, k as f64 / n as f64);
        let weight = 1.0 / engine.policy().retire_at as f64;
        let actor = actor.to_text();
        if learn(&mut self.fast, &self.embeddings, logged, subject, (n, k), weight, Some(&actor)) {
            self.counts.n_votes += 1;
        } else {
            self.counts.n_refused += 1;
        }
    }

    fn retired(&mut self, logged: &Logged, subject: &str, workflow: &str) {
        let consensus = self.consensus(subject, workflow).filter(|(n, _)| *n > 0);
        let is_validation = self.replay.engine().book(subject).is_some_and(crate::Book::is_validation);
        if let (Some((n, k)), false) = (consensus, is_validation)
            && self.predicted.contains_key(subject)
        {
            let is_real = 2 * k > n;
            self.count_veto(subject, is_real, false);
            self.drift.label(logged.seq, f64::from(u8::from(is_real)));
            // Scored on what was said before the first vote; only then learnt.
            let is_scored = self.evaluation.label(subject, logged.received_ms, is_real).is_ok();
            let may_learn = is_scored && self.evaluation.train(subject).is_ok();
            if may_learn && learn(&mut self.safe, &self.embeddings, logged, subject, (n, k), 1.0, None) {
                self.counts.n_subjects += 1;
            }
        }
        self.predicted.remove(subject);
        self.done.insert(subject.to_owned());
        self.replay.forget(subject);
    }

    fn predict_both(&mut self, logged: &Logged, subject: &str) {
        let Some(values) = self.embeddings.of.get(subject) else { return };
        let x = Embedding { model: &self.embeddings.model, values };
        let (Ok(safe), Ok(fast)) = (self.safe.predict(&x), self.fast.predict(&x)) else { return };
        let both = (safe.p_class[1], fast.p_class[1]);
        let in_use = match self.in_use {
            Arm::Safe => both.0,
            Arm::Fast => both.1,
        };
        let is_gold = self.replay.engine().book(subject).is_some_and(crate::Book::is_validation);
        let slice = if is_gold { "gold" } else { "consensus" };
        if is_gold {
            // Nothing can have been learnt of it: it has not been predicted before.
            let _ = self.evaluation.hold_out(subject);
        }
        let _ = self.evaluation.predict(subject, logged.received_ms, in_use, &[slice]);
        self.drift.score(logged.seq, in_use);
        self.drift.embedding(logged.seq, values);
        self.predicted.insert(subject.to_owned(), both);
    }

    /// A subject whose truth is known, judged once: at its first vote.
    fn judge(&mut self, logged: &Logged, subject: &str, is_real: bool) {
        let Some((safe, fast)) = self.predicted.get(subject).copied() else { return };
        let Ok(scored) = self.evaluation.label(subject, logged.received_ms, is_real) else { return };
        self.counts.n_gold += 1;
        self.count_veto(subject, is_real, true);
        self.drift.error(logged.seq, scored.brier);
        let passes = |p: f64| p >= self.params.pass_at;
        let (old, new) = match self.in_use {
            Arm::Safe => (safe, fast),
            Arm::Fast => (fast, safe),
        };
        self.duel.push(&Outcome {
            champion: old,
            challenger: new,
            champion_passes: passes(old),
            challenger_passes: passes(new),
            is_real,
        });
        // The former model stands in the champion's place: is the one in use worse?
        let Some(probation) = &mut self.probation else { return };
        probation.push(&Outcome {
            champion: new,
            challenger: old,
            champion_passes: passes(new),
            challenger_passes: passes(old),
            is_real,
        });
        if probation.evidence().is_worse() {
            let why = "it proved worse than the model before it".to_owned();
            self.set(logged.seq, other(self.in_use), "volary", why, None);
        }
    }

    /// Evidence for or against the veto: real subjects whose being shown did not depend on the model.
    fn count_veto(&mut self, subject: &str, is_real: bool, is_gold: bool) {
        let (Some(veto), Some(both)) = (&self.params.veto, self.predicted.get(subject)) else { return };
        let p = match self.in_use {
            Arm::Safe => both.0,
            Arm::Fast => both.1,
        };
        if is_real && (is_gold || is_audited(&veto.key, subject, veto.audit_share)) {
            self.counts.n_real += 1;
            self.counts.n_real_vetoed += u64::from(p < veto.below);
        }
    }

    /// The veto, if one is asked for; or why it may not be used yet.
    ///
    /// # Errors
    /// [`VetoError`]: the evidence does not carry it, or a setting is none.
    pub fn veto(&self) -> Option<Result<Veto, VetoError>> {
        let VetoParams { key, audit_share, below, allowed } = self.params.veto.clone()?;
        let requirement = Requirement { allowed, level: 0.95 };
        let certificate = certify(self.counts.n_real_vetoed, self.counts.n_real, requirement);
        Some(certificate.and_then(|certificate| Veto::new(key, audit_share, below, certificate)))
    }

    fn promote(&mut self, seq: i64, fast: bool, who: &str, why: &str) {
        let to = if fast { Arm::Fast } else { Arm::Safe };
        if to == self.in_use {
            return;
        }
        // Going back needs no evidence.
        if to == Arm::Fast && self.duel.verdict() != Verdict::Promote {
            let why = format!("the evidence does not show that it is better ({why})");
            self.changes.push(Change { seq, to, who: who.to_owned(), why, is_refused: true });
            return;
        }
        let probation = (to == Arm::Fast).then(|| Duel::new(self.params.duel));
        self.set(seq, to, who, why.to_owned(), probation);
    }

    fn set(&mut self, seq: i64, to: Arm, who: &str, why: String, probation: Option<Duel>) {
        (self.in_use, self.probation, self.duel) = (to, probation, Duel::new(self.params.duel));
        self.changes.push(Change { seq, to, who: who.to_owned(), why, is_refused: false });
    }

    /// What the model in use says of a subject; `None` without an embedding.
    #[must_use]
    pub fn predict(&self, subject: &str) -> Option<Prediction> {
        self.learner(self.in_use).predict(&self.embedding(subject)?).ok()
    }

    /// The embedding of a subject.
    #[must_use]
    pub fn embedding(&self, subject: &str) -> Option<Embedding<'_>> {
        let values = self.embeddings.of.get(subject)?;
        Some(Embedding { model: &self.embeddings.model, values })
    }

    /// One of the models.
    #[must_use]
    pub fn learner(&self, arm: Arm) -> &Learner {
        match arm {
            Arm::Safe => &self.safe,
            Arm::Fast => &self.fast,
        }
    }

    /// The model in use.
    #[must_use]
    pub fn in_use(&self) -> Arm {
        self.in_use
    }

    /// What was counted.
    #[must_use]
    pub fn counts(&self) -> LearningCounts {
        self.counts
    }

    /// How good the model in use was: on `gold`, and on `consensus` at retirement.
    #[must_use]
    pub fn reports(&self) -> BTreeMap<String, Report> {
        self.evaluation.by_slice()
    }

    /// Whether the other model has shown to be better.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.duel.verdict()
    }

    /// Changes of the model in use, and those that were refused.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Alarms of the drift watch, oldest first.
    #[must_use]
    pub fn alarms(&self) -> &[DriftAlarm] {
        self.drift.alarms()
    }

    /// Who was kept out.
    #[must_use]
    pub fn out(&self) -> &BTreeSet<String> {
        &self.out
    }

    /// Forgets everything, to be told the log again without those who have opted out.
    ///
    /// # Errors
    /// [`LearnerError`]; nothing is forgotten then.
    pub(super) fn begin_anew(&mut self, out: BTreeSet<String>) -> Result<(), LearnerError> {
        let embeddings = std::mem::take(&mut self.embeddings);
        *self = Self::new(embeddings, out, self.params.clone())?;
        Ok(())
    }
}

fn other(arm: Arm) -> Arm {
    match arm {
        Arm::Safe => Arm::Fast,
        Arm::Fast => Arm::Safe,
    }
}

/// Learns the consensus (k of n, flat prior) of a subject; `false` if it was refused.
fn learn(
    learner: &mut Learner,
    embeddings: &Embeddings,
    logged: &Logged,
    subject: &str,
    (n, k): (u64, u64),
    weight: f64,
    actor: Option<&str>,
) -> bool {
    let Some(values) = embeddings.of.get(subject) else { return false };
    let p = (k as f64 + 1.0) / (n as f64 + 2.0);
    let p_class = [1.0 - p, p];
    let x = Embedding { model: &embeddings.model, values };
    let label = Label { x, p_class: &p_class, weight, actor };
    let at = u64::try_from(logged.seq).unwrap_or(0);
    learner.learn(at, &label).is_ok_and(|learned| learned.weight > 0.0)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
