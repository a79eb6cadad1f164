//! The log told again, in memory: under the rules as they were, or under others.
//!
//! [`Replay`] takes logged events in order and says what would have been told; two of them side by side say
//! what a change of the rules would change ([`differences`]). [`Memory`] is a store without a database, for
//! tests and simulations. No I/O, no clock.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use crate::alert::Alert;
use crate::book::{Book, Effect, Summary};
use crate::engine::Engine;
use crate::event::{Event, Key, Kind, Logged};
use crate::policy::Policy;
use crate::skill::ExamChange;

/// An engine that holds every book.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    engine: Engine,
    /// Rules in the log are passed over.
    is_fixed: bool,
}

impl Replay {
    /// Under the rules that the log says, and under `policy` until it says any.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { engine: Engine::under(policy), is_fixed: false }
    }

    /// Under `policy` from the first vote on, whatever the log says.
    #[must_use]
    pub fn under(policy: Policy) -> Self {
        Self { engine: Engine::under(policy), is_fixed: true }
    }

    /// Takes the next event of the log, which belongs to the book of `subject`; gives what is told.
    pub fn take(&mut self, logged: &Logged, subject: Option<&str>) -> Vec<Effect> {
        if self.is_fixed && matches!(logged.event.kind, Kind::Policy { .. }) {
            return Vec::new();
        }
        if let Kind::Vote { actor, .. } = &logged.event.kind {
            self.engine.skills_mut().look_up(actor.clone());
        }
        let (mut effects, exams) = self.engine.apply(logged, subject);
        if self.engine.policy().uses_skill() && !exams.is_empty() {
            effects.extend(self.reconsider(&exams, logged.received_ms));
        }
        effects
    }

    /// Recounts what the people voted on after the exams that changed.
    fn reconsider(&mut self, exams: &[ExamChange], at_ms: i64) -> Vec<Effect> {
        let is_touched =
            |book: &&Book| exams.iter().any(|exam| book.has_later_vote(&exam.actor, &exam.order));
        let touched = self.engine.books().filter(is_touched).map(|book| book.subject().to_owned());
        let touched: BTreeSet<String> = touched.collect();
        touched.iter().flat_map(|subject| self.engine.reconsider(subject, at_ms)).collect()
    }

    /// Lets the book of a subject go; a later event on it begins a new one.
    pub fn forget(&mut self, subject: &str) {
        self.engine.take(subject);
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What is said about every subject, sorted.
    #[must_use]
    pub fn summaries(&self) -> Vec<Summary> {
        let policy = self.engine.policy();
        let books: BTreeMap<&str, &Book> =
            self.engine.books().map(|book| (book.subject(), book)).collect();
        books.values().flat_map(|book| book.summaries(policy)).collect()
    }
}

/// When and with which votes something was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// When the vote behind it was received, or where that is not said, nothing.
    pub at_ms: Option<i64>,
    /// Votes counted.
    pub n: Option<u64>,
    /// The positive ones.
    pub k: Option<u64>,
}

/// What was told of a subject before a change of the rules, and after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The subject.
    pub subject: String,
    /// The workflow.
    pub workflow: String,
    /// Its major version.
    pub major: String,
    /// `alert NAME`, `retired`, `webhook NAME`, `moved NAME`.
    pub what: String,
    /// Under the rules as they were.
    pub before: Option<Mark>,
    /// Under the others.
    pub after: Option<Mark>,
}

type Place = (String, String, String, String);

fn mark(effect: &Effect) -> Option<(Place, Mark)> {
    let place = |subject: &str, workflow: &str, major: &str, what: String| {
        (subject.to_owned(), workflow.to_owned(), major.to_owned(), what)
    };
    match effect {
        Effect::Alert(alert) => {
            let what = format!("alert {}", alert.rule);
            let mark = Mark { at_ms: Some(alert.at_ms), n: Some(alert.n), k: Some(alert.k) };
            Some((place(&alert.subject, &alert.workflow, &alert.major, what), mark))
        }
        Effect::Retired { subject, strand, retirement, .. } => {
            let mark = Mark { at_ms: Some(retirement.at_ms), n: Some(retirement.n), k: None };
            Some((place(subject, &strand.workflow, &strand.major, "retired".to_owned()), mark))
        }
        Effect::Webhook { subject, strand, rule, n, k, .. } => {
            let mark = Mark { at_ms: None, n: Some(*n), k: Some(*k) };
            Some((place(subject, &strand.workflow, &strand.major, format!("webhook {rule}")), mark))
        }
        Effect::Moved { subject, strand, rule, .. } => {
            let mark = Mark { at_ms: None, n: None, k: None };
            Some((place(subject, &strand.workflow, &strand.major, format!("moved {rule}")), mark))
        }
        Effect::ByHand { .. } | Effect::SupportLost { .. } | Effect::CrossedAfterRetirement { .. } => {
            None
        }
    }
}

/// What two replays of one log told differently, sorted by subject.
#[must_use]
pub fn differences(before: &[Effect], after: &[Effect]) -> Vec<Difference> {
    let mut all: BTreeMap<Place, (Option<Mark>, Option<Mark>)> = BTreeMap::new();
    for (place, mark) in before.iter().filter_map(mark) {
        all.entry(place).or_default().0 = Some(mark);
    }
    for (place, mark) in after.iter().filter_map(mark) {
        all.entry(place).or_default().1 = Some(mark);
    }
    let differs = |(_, (before, after)): &(Place, (Option<Mark>, Option<Mark>))| before != after;
    let made = |((subject, workflow, major, what), (before, after))| Difference {
        subject,
        workflow,
        major,
        what,
        before,
        after,
    };
    all.into_iter().filter(differs).map(made).collect()
}

/// What became of an event that was offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is in the log.
    New,
    /// It was there already.
    Duplicate,
    /// Another event has its key; this one is quarantined.
    Conflict,
}

/// A replay that keeps its log and knows what it has heard: a store without a database.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    replay: Replay,
    log: Vec<Logged>,
    known: HashMap<Key, (String, Option<String>)>,
    effects: Vec<Effect>,
}

impl Memory {
    /// Under a policy, with nothing in the log.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { replay: Replay::new(policy), ..Self::default() }
    }

    /// Offers an event, first heard at `received_ms`.
    pub fn offer(&mut self, event: Event, received_ms: i64) -> Taken {
        let content = event.content_hash();
        if let Some((known, _)) = self.known.get(&event.key) {
            return if *known == content { Taken::Duplicate } else { Taken::Conflict };
        }
        let target = |of: &str| Key { source: event.key.source.clone(), id: of.to_owned() };
        let subject = match event.target() {
            Some(of) => self.known.get(&target(of)).and_then(|(_, subject)| subject.clone()),
            None => event.subject().map(str::to_owned),
        };
        let of_vote = matches!(event.kind, Kind::Vote { .. }).then(|| subject.clone()).flatten();
        self.known.insert(event.key.clone(), (content, of_vote));
        let seq = self.log.len() as i64 + 1;
        let logged = Logged { seq, received_ms, event };
        self.effects.extend(self.replay.take(&logged, subject.as_deref()));
        self.log.push(logged);
        Taken::New
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        self.replay.engine()
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> &[Logged] {
        &self.log
    }

    /// What was told, in order.
    #[must_use]
    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    /// The alerts that were told, in order.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::Alert(alert) => Some(&**alert),
            _ => None,
        })
    }

    /// What is said about every subject, sorted.
    #[must_use]
    pub fn summaries(&self) -> Vec<Summary> {
        self.replay.summaries()
    }
}
