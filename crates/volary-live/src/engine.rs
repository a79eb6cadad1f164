//! Books and people: what an event does, given the books that it touches. No I/O, no clock.
//!
//! [`Engine`] is driven by the store, which lends it the books, or by [`crate::replay`], which holds them.

use std::collections::{BTreeMap, HashMap};

use crate::book::{Book, Chain, Effect, Rules};
use crate::event::{Actor, Key, Kind, Logged, Order};
use crate::policy::Policy;
use crate::skill::{ExamChange, Skills};

/// What is known of people. The latest event in canonical order counts.
#[derive(Clone, Debug, Default)]
pub struct People {
    opted_out: BTreeMap<String, (Order, bool)>,
    consents: BTreeMap<String, (Order, bool)>,
    names: BTreeMap<String, (Order, Names)>,
    /// Commitment to the key of each day: the first that was heard, and its place in the log.
    commitments: BTreeMap<String, (i64, i64, String)>,
}

/// What a person is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The name to credit.
    pub credited: Option<String>,
    /// The display name.
    pub display: Option<String>,
    /// The login.
    pub login: Option<String>,
}

impl People {
    fn apply(&mut self, logged: &Logged) {
        let order = logged.order();
        match &logged.event.kind {
            Kind::OptOut { user, out } => keep_latest(&mut self.opted_out, user, order, *out),
            Kind::Credit { user, consents } => keep_latest(&mut self.consents, user, order, *consents),
            Kind::Name { user, credited, display, login } => {
                let (credited, display, login) = (credited.clone(), display.clone(), login.clone());
                keep_latest(&mut self.names, user, order, Names { credited, display, login });
            }
            Kind::Commitment { day, sha256 } => {
                let said = || (logged.seq, logged.received_ms, sha256.clone());
                self.commitments.entry(day.clone()).or_insert_with(said);
            }
            _ => {}
        }
    }

    /// Whether nothing may be learnt from this actor's votes.
    #[must_use]
    pub fn is_out(&self, actor: &Actor) -> bool {
        matches!(actor, Actor::User(user) if self.opted_out.get(user).is_some_and(|(_, out)| *out))
    }

    /// Whether this person may be named.
    #[must_use]
    pub fn consents(&self, user: &str) -> bool {
        self.consents.get(user).is_none_or(|(_, consents)| *consents)
    }

    /// What this person is called.
    #[must_use]
    pub fn names(&self, user: &str) -> Names {
        self.names.get(user).map(|(_, names)| names.clone()).unwrap_or_default()
    }

    /// The commitment to a day's key and when we heard it.
    #[must_use]
    pub fn commitment(&self, day: &str) -> Option<(i64, &str)> {
        self.commitments.get(day).map(|(_, received_ms, sha256)| (*received_ms, sha256.as_str()))
    }

    /// Who is called this: by login, display name or the name to credit.
    pub fn called<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let is_it = move |names: &Names| {
            [&names.login, &names.display, &names.credited].into_iter().flatten().any(|own| own == name)
        };
        self.names.iter().filter(move |(_, (_, names))| is_it(names)).map(|(user, _)| user.as_str())
    }

    /// Who has opted out.
    pub fn opted_out(&self) -> impl Iterator<Item = &str> {
        self.opted_out.iter().filter(|(_, (_, out))| *out).map(|(user, _)| user.as_str())
    }
}

fn keep_latest<T>(of: &mut BTreeMap<String, (Order, T)>, user: &str, order: Order, value: T) {
    if of.get(user).is_none_or(|(before, _)| *before < order) {
        of.insert(user.to_owned(), (order, value));
    }
}

/// The engine: policy, people, and the books that are in memory.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    policy: Policy,
    policy_order: Option<Order>,
    people: People,
    books: HashMap<String, Book>,
    /// Retractions and corrections that came before their vote, by the vote's key.
    early: HashMap<Key, Vec<Logged>>,
    chain: Chain,
    skills: Skills,
}

impl Engine {
    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What is known of people.
    #[must_use]
    pub fn people(&self) -> &People {
        &self.people
    }

    /// The book of a subject, if it is here.
    #[must_use]
    pub fn book(&self, subject: &str) -> Option<&Book> {
        self.books.get(subject)
    }

    /// An engine under a policy that no event has said.
    #[must_use]
    pub(crate) fn under(policy: Policy) -> Self {
        Self { policy, ..Self::default() }
    }

    pub(crate) fn take(&mut self, subject: &str) -> Option<Book> {
        self.books.remove(subject)
    }

    pub(crate) fn book_mut(&mut self, subject: &str) -> Option<&mut Book> {
        self.books.get_mut(subject)
    }

    /// The books that are in memory, in no order.
    pub(crate) fn books(&self) -> impl Iterator<Item = &Book> {
        self.books.values()
    }

    pub(crate) fn set_chain(&mut self, chain: Chain) {
        self.chain = chain;
    }

    pub(crate) fn put(&mut self, book_of: &str, book: Book) {
        self.books.insert(book_of.to_owned(), book);
    }

    pub(crate) fn n_books(&self) -> usize {
        self.books.len()
    }

    pub(crate) fn take_all(&mut self) -> HashMap<String, Book> {
        std::mem::take(&mut self.books)
    }

    /// Retractions and corrections that came before this vote.
    pub(crate) fn early_changes(&self, vote: &Key) -> &[Logged] {
        self.early.get(vote).map_or(&[], Vec::as_slice)
    }

    /// Takes an event that belongs to no subject's book, or whose effect on it is done already.
    /// `true`: the policy changed, and every book must be recounted.
    pub(crate) fn note(&mut self, logged: &Logged, subject: Option<&str>) -> bool {
        self.people.apply(logged);
        if let (Some(of), None) = (logged.event.target(), subject) {
            let key = Key { source: logged.event.key.source.clone(), id: of.to_owned() };
            self.early.entry(key).or_default().push(logged.clone());
        }
        if let Kind::Policy { policy } = &logged.event.kind {
            let order = Some(logged.order());
            if order > self.policy_order {
                (self.policy_order, self.policy) = (order, (**policy).clone());
                return true;
            }
        }
        false
    }

    /// The volunteers' exams that are in memory.
    #[must_use]
    pub fn skills(&self) -> &Skills {
        &self.skills
    }

    pub(crate) fn skills_mut(&mut self) -> &mut Skills {
        &mut self.skills
    }

    /// What votes are counted by.
    #[must_use]
    pub fn rules(&self) -> Rules<'_> {
        Rules { policy: &self.policy, skills: &self.skills }
    }

    /// Takes an event. `subject`: whose book it belongs to, which must be here; `None` for events about
    /// people and policy, and for changes of a vote that has not come.
    ///
    /// Where exams changed, the subjects that those people voted on afterwards must be reconsidered next.
    pub(crate) fn apply(
        &mut self,
        logged: &Logged,
        subject: Option<&str>,
    ) -> (Vec<Effect>, Vec<ExamChange>) {
        if self.note(logged, subject) {
            let rules = Rules { policy: &self.policy, skills: &self.skills };
            self.books.iter_mut().for_each(|(_, book)| book.recount_all(rules));
        }
        let Some(subject) = subject else { return (Vec::new(), Vec::new()) };
        let changes = self.early.get(&logged.event.key).map_or(&[][..], Vec::as_slice);
        let book = self.books.entry(subject.to_owned()).or_insert_with(|| Book::new(subject));
        let rules = Rules { policy: &self.policy, skills: &self.skills };
        let (effects, exams) = book.apply(logged, changes, rules, &mut self.chain);
        exams.iter().for_each(|change| self.skills.apply(change));
        (effects, exams)
    }

    /// Recounts a subject whose voters' skill changed; it must be here.
    pub(crate) fn reconsider(&mut self, subject: &str, at_ms: i64) -> Vec<Effect> {
        let rules = Rules { policy: &self.policy, skills: &self.skills };
        let Some(book) = self.books.get_mut(subject) else { return Vec::new() };
        book.reconsider(&book.keys(), at_ms, rules, &mut self.chain)
    }
}
