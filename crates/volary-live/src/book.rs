//! One subject: its votes in every workflow, and what was announced about it.
//!
//! Two things are kept apart. The [`Tally`] is recomputed over everything known now. What was *announced*
//! (an alert, a retirement) was decided once, on what was known then, and stays; where the two disagree,
//! the summary says `diverged` or `support_lost`. No I/O, no clock: times come with the events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::alert::{Alert, Voter};
use crate::canon::{Ballot, Tally, View, set_hash, supports};
use crate::event::{Actor, Answers, Event, Key, Kind, Logged, Order};
use crate::policy::{Policy, Repeats, Rule, Then, UnknownSubjects};
use crate::skill::{Exam, ExamChange, Skills};

/// A workflow and its major version: what is tallied by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StrandKey {
    /// The workflow.
    pub workflow: String,
    /// Its version up to the dot.
    pub major: String,
}

/// When a subject's retirement was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retirement {
    /// Votes at that moment.
    pub n: u64,
    /// When the last of them was received.
    pub at_ms: i64,
}

/// What was announced about a strand, apart from its alerts; stored, because it cannot be recomputed
/// from the set of events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// Its retirement.
    pub retired: Option<Retirement>,
    /// Rules that were first met when it had retired.
    pub late: BTreeSet<String>,
    /// Rules whose alert lost a supporting vote.
    pub support_lost: BTreeSet<String>,
    /// Rules that told somebody, or moved the subject.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub done: BTreeSet<String>,
}

/// Votes of one subject in one workflow.
#[derive(Clone, Debug, Default)]
pub struct Strand {
    ballots: Vec<Ballot>,
    tally: Tally,
    announced: Announced,
    alerts: BTreeMap<String, Alert>,
}

/// Something to be told, once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// A rule was met.
    Alert(Box<Alert>),
    /// A subject is done.
    Retired {
        /// The subject.
        subject: String,
        /// Where.
        #[serde(flatten)]
        strand: StrandKey,
        /// Panoptes' word for why.
        reason: String,
        /// Since when, and after how many votes.
        #[serde(flatten)]
        retirement: Retirement,
    },
    /// A rule calls a webhook.
    Webhook {
        /// The subject.
        subject: String,
        /// Where.
        #[serde(flatten)]
        strand: StrandKey,
        /// The rule.
        rule: String,
        /// Whose webhook.
        to: String,
        /// Votes that the rule had counted.
        n: u64,
        /// The positive ones.
        k: u64,
    },
    /// A rule puts the subject into another workflow.
    Moved {
        /// The subject.
        subject: String,
        /// Where it was.
        #[serde(flatten)]
        strand: StrandKey,
        /// The rule.
        rule: String,
        /// The workflow that it goes to.
        to: String,
    },
    /// A person retired it, or opened it again.
    ByHand {
        /// The subject.
        subject: String,
        /// The workflow.
        workflow: String,
        /// Retired, or opened.
        retired: bool,
        /// Panoptes' word for why.
        reason: String,
        /// The event that said so.
        by: Key,
    },
    /// A vote that spoke for an alert was taken back. A person must look; nothing is sent.
    SupportLost {
        /// The subject.
        subject: String,
        /// Hash of the alert.
        alert: String,
    },
    /// A rule was first met after retirement: no discovery, but worth knowing.
    CrossedAfterRetirement {
        /// The subject.
        subject: String,
        /// Where.
        #[serde(flatten)]
        strand: StrandKey,
        /// The rule.
        rule: String,
    },
}

impl Effect {
    /// A name that is the same whenever the same thing is told again.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::Alert(alert) => format!("alert/{}", alert.hash),
            Self::Retired { subject, strand, .. } => {
                format!("retired/{}/{}/{subject}", strand.workflow, strand.major)
            }
            Self::Webhook { subject, strand, rule, .. } => {
                format!("webhook/{}/{}/{rule}/{subject}", strand.workflow, strand.major)
            }
            Self::Moved { subject, strand, rule, .. } => {
                format!("moved/{}/{}/{rule}/{subject}", strand.workflow, strand.major)
            }
            Self::ByHand { by, .. } => format!("by_hand/{}/{}", by.source, by.id),
            Self::SupportLost { alert, .. } => format!("support_lost/{alert}"),
            Self::CrossedAfterRetirement { subject, strand, rule } => {
                format!("crossed_after_retirement/{}/{}/{rule}/{subject}", strand.workflow, strand.major)
            }
        }
    }

    /// One line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("text and finite numbers always serialise")
    }
}

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

/// A draw that put a subject before volunteers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drawn {
    /// The stream.
    pub stream: String,
    /// The probability with which it was going to be drawn.
    pub p_included: Option<f64>,
    /// The frame that it was drawn from.
    pub frame: String,
    /// The model whose score was used.
    pub model: String,
    /// The seed.
    pub seed: u64,
}

/// What is known of a subject beside its votes; never its truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The subject.
    pub subject: String,
    /// A subject event told of it.
    pub announced: bool,
    /// Its truth is known to us.
    pub validation: bool,
    /// What reports need.
    pub facts: BTreeMap<String, String>,
    /// Workflows that a person retired it from (`true`) or opened (`false`).
    pub by_hand: BTreeMap<String, bool>,
    /// Draws, in canonical order.
    pub drawn: Vec<Drawn>,
    /// When we heard that the team reported it.
    pub team_report_ms: Option<i64>,
}

/// What a strand's summary says about one rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleSummary {
    /// Its name.
    pub rule: String,
    /// Votes in its denominator.
    pub n: u64,
    /// Positive ones.
    pub k: u64,
    /// Votes counted and positive where it was met, over everything known now.
    pub crossed: Option<(u64, u64)>,
    /// First met after retirement.
    pub after_retirement: bool,
    /// Hash of its alert, if one was announced.
    pub alert: Option<String>,
    /// Announced and recomputed disagree on whether there is an alert.
    pub diverged: bool,
    /// A vote that spoke for the alert no longer does.
    pub support_lost: bool,
    /// The answers that lead, where types are stated and it alerted; several are a tie.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leaders: Vec<String>,
    /// Whether the type is determined, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub type_determined: Option<bool>,
}

/// All that is said about a strand; equal states give equal bytes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The subject.
    pub subject: String,
    /// Where.
    #[serde(flatten)]
    pub strand: StrandKey,
    /// Version of the policy.
    pub policy: String,
    /// Votes that count.
    pub n: u64,
    /// Votes by task and answer.
    pub labels: BTreeMap<String, BTreeMap<String, u64>>,
    /// Votes stored: repeats, retracted and parked ones too.
    pub n_stored: u64,
    /// Votes that wait for their subject.
    pub n_parked: u64,
    /// Votes at which it would retire, over everything known now.
    pub retired_at: Option<u64>,
    /// The rule that retires it there; `None`: the number of votes does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retired_by: Option<String>,
    /// Its retirement as announced.
    pub retired: Option<Retirement>,
    /// What a person said last: retired or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_hand: Option<bool>,
    /// Its truth is known to us.
    pub validation: bool,
    /// Rule by rule.
    pub rules: Vec<RuleSummary>,
    /// Hash of the keys of the votes that count.
    pub event_set_hash: String,
}

impl Summary {
    /// One line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("text and numbers always serialise")
    }

    /// Whether volunteers are still to see it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.by_hand.unwrap_or(self.retired.is_some())
    }

    /// The part that is a function of the set of events alone.
    #[must_use]
    pub fn canonical(&self) -> Self {
        let mut bare = Self { retired: None, ..self.clone() };
        for rule in &mut bare.rules {
            (rule.alert, rule.diverged, rule.support_lost) = (None, false, false);
        }
        bare
    }
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

    fn is_exam(&self) -> bool {
        self.validation && !self.truth.is_empty()
    }

    /// The exams that its votes are, in canonical order.
    fn exams(&self) -> BTreeMap<Order, (Actor, Exam)> {
        let mut exams = BTreeMap::new();
        if !self.is_exam() {
            return exams;
        }
        for (key, strand) in &self.strands {
            for ballot in strand.tally.prefix(&strand.ballots, strand.tally.n_members()) {
                let (actor, order, exam) = exam(&key.workflow, ballot, &self.truth);
                exams.insert(order, (actor, exam));
            }
        }
        exams
    }

    /// The same before an event that may change them; a vote at the end of its strand does not.
    fn exams_before(&self, logged: &Logged) -> BTreeMap<Order, (Actor, Exam)> {
        let order = logged.order();
        let is_last = |strand: &Strand| strand.ballots.last().is_none_or(|b| b.order < order);
        match &logged.event.kind {
            Kind::Drawn { .. } | Kind::Retirement { .. } | Kind::TeamReport { .. } => BTreeMap::new(),
            Kind::Vote { .. } if self.strands.values().all(is_last) => BTreeMap::new(),
            _ => self.exams(),
        }
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
                    effects.extend(done(&subject, key, rule, seen.n, seen.k));
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
            let retirement = Retirement { n: strand.tally.n, at_ms };
            strand.announced.retired = Some(retirement);
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
            retired: strand.announced.retired,
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

fn exam(workflow: &str, ballot: &Ballot, truth: &Arc<Answers>) -> (Actor, Order, Exam) {
    let (truth, given) = (Arc::clone(truth), Arc::clone(&ballot.answers));
    let exam = Exam { workflow: workflow.to_owned(), truth, given };
    (ballot.actor.clone(), ballot.order.clone(), exam)
}

fn exam_changes(
    was: BTreeMap<Order, (Actor, Exam)>,
    mut now: BTreeMap<Order, (Actor, Exam)>,
) -> Vec<ExamChange> {
    let mut changes = Vec::new();
    for (order, (actor, before)) in was {
        match now.remove(&order) {
            Some((_, exam)) if exam == before => {}
            after => changes.push(ExamChange { actor, order, exam: after.map(|(_, exam)| exam) }),
        }
    }
    let new = |(order, (actor, exam))| ExamChange { actor, order, exam: Some(exam) };
    changes.extend(now.into_iter().map(new));
    changes
}

/// What is told where a rule that neither alerts nor retires is met.
fn done(subject: &str, key: &StrandKey, rule: &Rule, n: u64, k: u64) -> Option<Effect> {
    let (subject, strand, to) = (subject.to_owned(), key.clone(), rule.to.clone()?);
    let rule_name = rule.name.clone();
    match rule.then {
        Then::Webhook => Some(Effect::Webhook { subject, strand, rule: rule_name, to, n, k }),
        Then::Move => Some(Effect::Moved { subject, strand, rule: rule_name, to }),
        Then::Alert | Then::Retire => None,
    }
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

impl Strand {
    fn crossings(&self) -> Vec<bool> {
        self.tally.rules.iter().map(|rule| rule.crossing.is_some()).collect()
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "each is one part of the record; a struct would be the record"
    )]
    fn snapshot(
        &self,
        subject: &str,
        key: &StrandKey,
        at: usize,
        rule: &Rule,
        at_ms: i64,
        policy: &Policy,
        chain: &mut Chain,
    ) -> Alert {
        let crossing = self.tally.rules[at].crossing.expect("asked only where the rule was met");
        let prefix = || self.tally.prefix(&self.ballots, crossing.upto);
        let voter = |b: &Ballot| Voter { actor: b.actor.clone(), vote: b.order.1.clone() };
        let alert = Alert {
            number: chain.n + 1,
            subject: subject.to_owned(),
            workflow: key.workflow.clone(),
            major: key.major.clone(),
            rule: rule.name.clone(),
            policy: policy.version(),
            project: policy.project.clone(),
            at_ms,
            n: crossing.n,
            k: crossing.k,
            p_low: 0.0,
            p_high: 0.0,
            voters: prefix().filter(|b| supports(b, rule, policy)).map(voter).collect(),
            event_set_hash: set_hash(prefix().map(|b| &b.order.1)),
            previous: chain.hash.clone(),
            hash: String::new(),
        }
        .sealed();
        *chain = Chain { n: alert.number, hash: alert.hash.clone() };
        alert
    }

    fn lost_support(&self, alert: &Alert, rule: &Rule, policy: &Policy) -> bool {
        let still = |vote: &crate::event::Key| {
            self.ballots
                .iter()
                .find(|b| b.order.1 == *vote)
                .is_some_and(|b| !b.retracted && supports(b, rule, policy))
        };
        !alert.voters.iter().all(|voter| still(&voter.vote))
    }
}
