//! One subject: its votes in every workflow, and what was announced about it.
//!
//! Two things are kept apart. The [`Tally`] is recomputed over everything known now. What was *announced*
//! (an alert, a retirement) was decided once, on what was known then, and stays; where the two disagree,
//! the summary says `diverged` or `support_lost`. No I/O, no clock: times come with the events.

mod effect;
mod exams;
mod strand;
mod summary;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::effect::done;
pub use self::effect::{Effect, Retirement, StrandKey};
use self::exams::{exam, exam_changes};
pub use self::strand::{Announced, Strand};
pub use self::summary::{Card, Drawn, RuleSummary, Summary};
use crate::alert::Alert;
use crate::canon::{Ballot, Tally, View, set_hash};
use crate::event::{Actor, Answers, Event, Kind, Logged, Order};
use crate::policy::{Policy, Repeats, Rule, Then, UnknownSubjects};
use crate::skill::{ExamChange, Skills};

/// The end of the chain of alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// Alerts so far.
    pub n: u64,
    /// Hash of the last.
    pub hash: String,
}

/// All about one subject.
#[derive(Clone, Debug, Default)]
pub struct Book {
    subject: String,
    /// Place of the latest subject event; later ones win.
    announced_by: Option<Order>,
    validation: bool,
    truth: Arc<Answers>,
    facts: BTreeMap<String, String>,
    team_report_ms: Option<i64>,
    /// What a person last said of each workflow: retired or not.
    by_hand: BTreeMap<String, (Order, bool)>,
    drawn: BTreeMap<Order, Drawn>,
    /// Its card is on disk.
    pub(crate) is_carded: bool,
    strands: BTreeMap<StrandKey, Strand>,
}

impl Book {
    /// A subject of which nothing is known.
    #[must_use]
    pub fn new(subject: &str) -> Self {
        Self { subject: subject.to_owned(), ..Self::default() }
    }

    /// Whose book it is.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Puts an event in its place without recounting or announcing anything; says which strand it
    /// touched. `changes` are retractions and corrections of a vote that came before the vote itself.
    fn place(&mut self, logged: &Logged, changes: &[Logged]) -> Placed {
        match &logged.event.kind {
            Kind::Vote { workflow, version, actor, answers, .. } => {
                let major = version.split('.').next().unwrap_or_default().to_owned();
                let key = StrandKey { workflow: workflow.clone(), major };
                let strand = self.strands.entry(key.clone()).or_default();
                let (order, actor) = (logged.order(), actor.clone());
                let answers = shared(&strand.ballots, answers);
                let mut ballot = Ballot { order, actor, answers, corrected: None, retracted: false };
                changes.iter().for_each(|change| ballot.change(change));
                let at = strand.ballots.partition_point(|b| b.order < ballot.order);
                let is_last = at == strand.ballots.len();
                strand.ballots.insert(at, ballot);
                if is_last { Placed::Last(key) } else { Placed::Within(key) }
            }
            Kind::Retract { of } | Kind::Correct { of, .. } => {
                let source = &logged.event.key.source;
                let is_it = |b: &&mut Ballot| b.order.1.id == *of && b.order.1.source == *source;
                for (key, strand) in &mut self.strands {
                    if let Some(ballot) = strand.ballots.iter_mut().find(is_it) {
                        ballot.change(logged);
                        return Placed::Within(key.clone());
                    }
                }
                Placed::Nowhere
            }
            Kind::Subject { validation, facts, truth, .. } => {
                let order = Some(logged.order());
                if self.announced_by > order {
                    return Placed::Nowhere;
                }
                (self.announced_by, self.validation, self.facts) = (order, *validation, facts.clone());
                self.truth = Arc::new(truth.clone());
                Placed::Everywhere
            }
            Kind::Drawn { stream, p_included, frame, model, seed, .. } => {
                let (stream, frame, model) = (stream.clone(), frame.clone(), model.clone());
                let drawn = Drawn { stream, p_included: *p_included, frame, model, seed: *seed };
                self.drawn.insert(logged.order(), drawn);
                Placed::Nowhere
            }
            Kind::Retirement { workflow, retired, .. } => {
                let order = logged.order();
                if self.by_hand.get(workflow).is_none_or(|(before, _)| *before < order) {
                    self.by_hand.insert(workflow.clone(), (order, *retired));
                    return Placed::ByHand;
                }
                Placed::Nowhere
            }
            Kind::TeamReport { .. } => {
                // Our own clock decides who was first, not the team's.
                let first = self.team_report_ms.unwrap_or(i64::MAX).min(logged.received_ms);
                self.team_report_ms = Some(first);
                Placed::Nowhere
            }
            _ => Placed::Nowhere,
        }
    }

    /// Takes an event; says what is to be told, and which exams came, changed or went.
    pub(crate) fn apply(
        &mut self,
        logged: &Logged,
        changes: &[Logged],
        rules: Rules<'_>,
        chain: &mut Chain,
    ) -> (Vec<Effect>, Vec<ExamChange>) {
        let mut was = self.exams_before(logged);
        let keys: Vec<StrandKey> = match self.place(logged, changes) {
            Placed::Nowhere => return (Vec::new(), Vec::new()),
            Placed::ByHand => return (self.by_hand(logged), Vec::new()),
            Placed::Last(key) => {
                if let Some(done) = self.push(&key, logged.received_ms, rules, chain) {
                    return done;
                }
                // Its strand has not been recounted, so that these are still the exams before.
                was = self.exams();
                vec![key]
            }
            Placed::Within(key) => vec![key],
            Placed::Everywhere => self.strands.keys().cloned().collect(),
        };
        let effects = self.reconsider(&keys, logged.received_ms, rules, chain);
        (effects, exam_changes(was, self.exams()))
    }

    /// Counts the ballot at the end of a strand, where that is all there is to do.
    fn push(
        &mut self,
        key: &StrandKey,
        at_ms: i64,
        rules: Rules<'_>,
        chain: &mut Chain,
    ) -> Option<(Vec<Effect>, Vec<ExamChange>)> {
        let Rules { policy, skills } = rules;
        let (is_parked, is_exam) = (self.is_parked(policy), self.is_exam());
        let strand = self.strands.get_mut(key)?;
        let is_ready = strand.tally.rules.len() == policy.rules.len();
        if !is_ready || policy.repeats == Repeats::KeepLast || is_parked {
            return None;
        }
        let before = strand.crossings();
        let (at, n) = (strand.ballots.len() - 1, strand.tally.n);
        let view = View { workflow: &key.workflow, policy, facts: &self.facts, skills };
        strand.tally.push(&strand.ballots, at, view);
        let mut exams = Vec::new();
        if is_exam && strand.tally.n > n {
            let (actor, order, exam) = exam(&key.workflow, &strand.ballots[at], &self.truth);
            exams.push(ExamChange { actor, order, exam: Some(exam) });
        }
        Some((self.announce(key, &before, at_ms, policy, chain), exams))
    }

    /// Recounts strands, as where votes changed within or others' skill did, and says what is to be told.
    pub(crate) fn reconsider(
        &mut self,
        keys: &[StrandKey],
        at_ms: i64,
        rules: Rules<'_>,
        chain: &mut Chain,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        for key in keys {
            let before = self.strands.get(key).map(Strand::crossings).unwrap_or_default();
            self.recount(key, rules);
            effects.extend(self.announce(key, &before, at_ms, rules.policy, chain));
            effects.extend(self.check_support(key, rules.policy));
        }
        effects
    }

    /// All strands, for [`Book::reconsider`].
    pub(crate) fn keys(&self) -> Vec<StrandKey> {
        self.strands.keys().cloned().collect()
    }

    fn by_hand(&self, logged: &Logged) -> Vec<Effect> {
        let Kind::Retirement { workflow, retired, reason, .. } = &logged.event.kind else {
            return Vec::new();
        };
        vec![Effect::ByHand {
            subject: self.subject.clone(),
            workflow: workflow.clone(),
            retired: *retired,
            reason: reason.clone(),
            by: logged.event.key.clone(),
        }]
    }

    /// Tells of alerts that lost a vote. A vote at the end takes nothing away, so this is asked only after
    /// changes within.
    fn check_support(&mut self, key: &StrandKey, policy: &Policy) -> Vec<Effect> {
        let subject = &self.subject;
        let Some(strand) = self.strands.get_mut(key) else { return Vec::new() };
        let mut effects = Vec::new();
        for rule in &policy.rules {
            let Some(alert) = strand.alerts.get(&rule.name) else { continue };
            if strand.lost_support(alert, rule, policy) {
                let hash = alert.hash.clone();
                if strand.announced.support_lost.insert(rule.name.clone()) {
                    effects.push(Effect::SupportLost { subject: subject.clone(), alert: hash });
                }
            }
        }
        effects
    }

    fn is_parked(&self, policy: &Policy) -> bool {
        policy.unknown_subjects == UnknownSubjects::Park && self.announced_by.is_none()
    }

    fn recount(&mut self, key: &StrandKey, rules: Rules<'_>) {
        let Rules { policy, skills } = rules;
        let is_parked = self.is_parked(policy);
        if let Some(strand) = self.strands.get_mut(key) {
            let ballots = if is_parked { &[] } else { &strand.ballots[..] };
            let view = View { workflow: &key.workflow, policy, facts: &self.facts, skills };
            strand.tally = Tally::of(ballots, view);
        }
    }

    /// Recounts everything, as after a change of policy; announces nothing.
    pub(crate) fn recount_all(&mut self, rules: Rules<'_>) {
        self.keys().iter().for_each(|key| self.recount(key, rules));
    }

    /// Compares the tally with what was announced. `before`: the rules that the tally had met already.
    fn announce(
        &mut self,
        key: &StrandKey,
        before: &[bool],
        at_ms: i64,
        policy: &Policy,
        chain: &mut Chain,
    ) -> Vec<Effect> {
        let (subject, validation) = (self.subject.clone(), self.validation);
        let Some(strand) = self.strands.get_mut(key) else { return Vec::new() };
        let mut effects = Vec::new();
        for (at, rule) in policy.rules.iter().enumerate() {
            let seen = &strand.tally.rules[at];
            let is_new = seen.crossing.is_some() && !before.get(at).copied().unwrap_or(false);
            if validation {
                continue;
            }
            if rule.then != Then::Alert {
                let is_open = strand.announced.retired.is_none();
                if is_new && is_open && strand.announced.done.insert(rule.name.clone()) {
                    let counts = (seen.n, seen.k);
                    effects.extend(done(&subject, key, rule, counts, policy.version()));
                }
                continue;
            }
            let is_late = seen.after_retirement || (is_new && strand.announced.retired.is_some());
            let has_alert = strand.alerts.contains_key(&rule.name);
            if is_late && !has_alert && strand.announced.late.insert(rule.name.clone()) {
                let (strand, rule) = (key.clone(), rule.name.clone());
                effects.push(Effect::CrossedAfterRetirement { subject: subject.clone(), strand, rule });
            } else if is_new && !has_alert && strand.announced.retired.is_none() {
                let alert = strand.snapshot(&subject, key, at, rule, at_ms, policy, chain);
                strand.alerts.insert(rule.name.clone(), alert.clone());
                effects.push(Effect::Alert(Box::new(alert)));
            }
        }
        if strand.tally.retired_at.is_some() && strand.announced.retired.is_none() {
            let retirement = Retirement { n: strand.tally.n, at_ms, policy: policy.version() };
            strand.announced.retired = Some(retirement.clone());
            let reason = strand.tally.reason(policy).to_owned();
            effects.push(Effect::Retired { subject, strand: key.clone(), reason, retirement });
        }
        effects
    }

    /// Builds a book from the log and from what was announced; tells nothing.
    pub(crate) fn load<'a>(
        subject: &str,
        events: impl Iterator<Item = (&'a Logged, &'a [Logged])>,
        announced: impl Iterator<Item = (StrandKey, Announced)>,
        alerts: impl Iterator<Item = Alert>,
        rules: Rules<'_>,
    ) -> Self {
        let mut book = Self::new(subject);
        for (logged, changes) in events {
            book.place(logged, changes);
            book.is_carded = true;
        }
        for (key, announced) in announced {
            book.strands.entry(key).or_default().announced = announced;
        }
        for alert in alerts {
            let key = StrandKey { workflow: alert.workflow.clone(), major: alert.major.clone() };
            book.strands.entry(key).or_default().alerts.insert(alert.rule.clone(), alert);
        }
        book.recount_all(rules);
        book
    }

    /// The votes that count, strand by strand in canonical order.
    pub fn counted(&self) -> impl Iterator<Item = &Ballot> {
        self.strands
            .values()
            .flat_map(|strand| strand.tally.prefix(&strand.ballots, strand.tally.n_members()))
    }

    /// Who voted on it, each as often as they did.
    pub(crate) fn actors(&self) -> impl Iterator<Item = &Actor> {
        self.strands.values().flat_map(|strand| &strand.ballots).map(|ballot| &ballot.actor)
    }

    /// Whether `actor` voted on it after `order`.
    pub(crate) fn has_later_vote(&self, actor: &Actor, order: &Order) -> bool {
        let is_later = |b: &Ballot| b.actor == *actor && b.order > *order;
        self.strands.values().flat_map(|strand| &strand.ballots).any(is_later)
    }

    /// What is known of it beside its votes.
    #[must_use]
    pub fn card(&self) -> Card {
        Card {
            subject: self.subject.clone(),
            announced: self.announced_by.is_some(),
            validation: self.validation,
            facts: self.facts.clone(),
            by_hand: self.by_hand.iter().map(|(to, (_, retired))| (to.clone(), *retired)).collect(),
            drawn: self.drawn.values().cloned().collect(),
            team_report_ms: self.team_report_ms,
        }
    }

    /// Whether its truth is known to us.
    #[must_use]
    pub fn is_validation(&self) -> bool {
        self.validation
    }

    /// What is true, where volunteers may be told after their vote.
    #[must_use]
    pub fn truth(&self) -> Option<&Answers> {
        self.is_exam().then_some(&*self.truth)
    }

    /// What is said about each strand.
    #[must_use]
    pub fn summaries(&self, policy: &Policy) -> Vec<Summary> {
        self.summaries_under(policy, &policy.version())
    }

    /// The same for many books, for which the version is worked out once.
    pub(crate) fn summaries_under(&self, policy: &Policy, version: &str) -> Vec<Summary> {
        self.strands.iter().map(|(key, strand)| self.summary(key, strand, policy, version)).collect()
    }

    fn summary(&self, key: &StrandKey, strand: &Strand, policy: &Policy, version: &str) -> Summary {
        let is_parked = self.is_parked(policy);
        let of_rule = |(at, rule): (usize, &Rule)| {
            let seen = strand.tally.rules.get(at).cloned().unwrap_or_default();
            // Whether a crossing is an alert depends on the subject, not on its votes.
            let crossing = seen.crossing.filter(|_| !self.validation);
            let alert = strand.alerts.get(&rule.name);
            let stated = strand.tally.type_of(rule).filter(|_| crossing.is_some());
            RuleSummary {
                rule: rule.name.clone(),
                n: seen.n,
                k: seen.k,
                crossed: crossing.map(|c| (c.n, c.k)),
                after_retirement: seen.after_retirement,
                alert: alert.map(|a| a.hash.clone()),
                diverged: alert.is_some() != crossing.is_some(),
                support_lost: strand.announced.support_lost.contains(&rule.name),
                type_determined: stated.as_ref().map(|s| s.determined),
                leaders: stated.map(|s| s.leaders).unwrap_or_default(),
            }
        };
        let counted = strand.tally.prefix(&strand.ballots, strand.tally.n_members());
        Summary {
            subject: self.subject.clone(),
            strand: key.clone(),
            policy: version.to_owned(),
            n: strand.tally.n,
            labels: strand.tally.labels.clone(),
            n_stored: strand.ballots.len() as u64,
            n_parked: if is_parked { strand.ballots.len() as u64 } else { 0 },
            retired_at: strand.tally.retired_at,
            retired_by: strand.tally.retired_by.clone(),
            retired: strand.announced.retired.clone(),
            by_hand: self.by_hand.get(&key.workflow).map(|(_, retired)| *retired),
            validation: self.validation,
            rules: policy.rules.iter().enumerate().map(of_rule).collect(),
            event_set_hash: set_hash(counted.map(|b| &b.order.1)),
        }
    }

    /// What was announced, strand by strand.
    pub(crate) fn announced(&self) -> impl Iterator<Item = (&StrandKey, &Announced)> {
        self.strands.iter().map(|(key, strand)| (key, &strand.announced))
    }

    /// The tally of each strand.
    pub fn tallies(&self) -> impl Iterator<Item = (&StrandKey, &Tally)> {
        self.strands.iter().map(|(key, strand)| (key, &strand.tally))
    }

    /// The votes of each strand in canonical order.
    pub fn ballots(&self) -> impl Iterator<Item = (&StrandKey, &[Ballot])> {
        self.strands.iter().map(|(key, strand)| (key, &strand.ballots[..]))
    }

    /// The tallies as if the people for whom `is_out` holds had never voted: what may be learnt from.
    #[must_use]
    pub fn tallies_without(
        &self,
        is_out: impl Fn(&Actor) -> bool,
        rules: Rules<'_>,
    ) -> Vec<(StrandKey, Tally)> {
        let Rules { policy, skills } = rules;
        let of = |(key, strand): (&StrandKey, &Strand)| {
            let kept: Vec<Ballot> =
                strand.ballots.iter().filter(|b| !is_out(&b.actor)).cloned().collect();
            let view = View { workflow: &key.workflow, policy, facts: &self.facts, skills };
            (key.clone(), Tally::of(&kept, view))
        };
        self.strands.iter().map(of).collect()
    }

    /// Its alerts.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.strands.values().flat_map(|strand| strand.alerts.values())
    }

    /// What a subject event said of it.
    #[must_use]
    pub fn facts(&self) -> &BTreeMap<String, String> {
        &self.facts
    }

    /// When we heard that the team reported it.
    #[must_use]
    pub fn team_report_ms(&self) -> Option<i64> {
        self.team_report_ms
    }
}

/// What votes are counted by.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The rules.
    pub policy: &'a Policy,
    /// The volunteers' exams.
    pub skills: &'a Skills,
}

enum Placed {
    Nowhere,
    /// A person retired it or opened it.
    ByHand,
    /// After all other votes of its strand.
    Last(StrandKey),
    Within(StrandKey),
    Everywhere,
}

/// The same answers are kept once: most votes on a subject say one of two things.
fn shared(ballots: &[Ballot], answers: &Answers) -> Arc<Answers> {
    let before = ballots.iter().rev().take(8).find(|ballot| *ballot.answers == *answers);
    before.map_or_else(|| Arc::new(answers.clone()), |ballot| Arc::clone(&ballot.answers))
}

impl Ballot {
    /// Takes a retraction or correction; the order in which they come does not matter.
    fn change(&mut self, change: &Logged) {
        match &change.event {
            Event { kind: Kind::Retract { .. }, .. } => self.retracted = true,
            Event { kind: Kind::Correct { answers, .. }, .. } => {
                let order = Some(change.order());
                if order > self.corrected {
                    (self.corrected, self.answers) = (order, Arc::new(answers.clone()));
                }
            }
            _ => {}
        }
    }
}
