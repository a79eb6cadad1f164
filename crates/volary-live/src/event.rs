//! What can happen: votes, retractions, corrections, and the facts about subjects and people.
//!
//! An event is what somebody said, with the key by which it is known for ever; [`Logged`] adds when we
//! first heard it. Nothing here has been interpreted: which answer is positive is for a policy to say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::facts::{self, FactError};

/// No id or label is longer, in bytes.
pub const MAX_TEXT_BYTES: usize = 256;
/// No subject has more facts, and no fact more bytes.
pub const MAX_FACTS: usize = 1_000;
/// Longest fact.
pub const MAX_FACT_BYTES: usize = 4_096;
/// No vote answers more tasks, or gives more labels to one.
pub const MAX_ANSWERS: usize = 64;

/// Panoptes' words for why a subject is retired.
pub const REASONS: [&str; 6] =
    ["classification_count", "flagged", "nothing_here", "consensus", "other", "human"];
/// What may be done about an alert.
pub const ACTIONS: [&str; 4] = ["claim", "vet", "known", "note"];

/// By what an event is known: where it comes from and its id there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// Whose id it is ("panoptes", "own").
    pub source: String,
    /// The id.
    pub id: String,
}

/// Who voted. Never an address: exports name anonymous people anew each time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// Logged in; the platform's immutable user id.
    User(String),
    /// Not logged in; a digest of the session. Empty where the session is unknown: all of those count
    /// as one, because nothing tells them apart.
    Anonymous(String),
}

impl Actor {
    /// The anonymous actor of a session, whose key is not kept.
    #[must_use]
    pub fn of_session(session: Option<&str>) -> Self {
        let digest = |s: &str| blake3::hash(s.as_bytes()).to_hex()[..16].to_owned();
        Self::Anonymous(session.map(digest).unwrap_or_default())
    }

    /// As text that sorts and compares like the actor: `user:7`, `anonymous:3f…`.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::User(id) => format!("user:{id}"),
            Self::Anonymous(session) => format!("anonymous:{session}"),
        }
    }
}

/// What was chosen, by task; an empty list is "looked and gave no answer".
pub type Answers = BTreeMap<String, Vec<String>>;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// A classification.
    Vote {
        /// The workflow.
        workflow: String,
        /// Its version, `major.minor`; majors are tallied apart.
        #[serde(default)]
        version: String,
        /// The subject.
        subject: String,
        /// Who.
        actor: Actor,
        /// What.
        answers: Answers,
    },
    /// A vote of the same source is taken back, for ever.
    Retract {
        /// Id of the vote.
        of: String,
    },
    /// A vote of the same source says something else, in its old place.
    Correct {
        /// Id of the vote.
        of: String,
        /// What it says now.
        answers: Answers,
    },
    /// A subject is known.
    Subject {
        /// The subject.
        subject: String,
        /// Its truth is known to us: it never raises an alert.
        #[serde(default)]
        validation: bool,
        /// The truth, by task, where volunteers are told and judged by it. It never leaves before the vote.
        #[serde(default, skip_serializing_if = "Answers::is_empty")]
        truth: Answers,
        /// What reports need, as text: `ra_deg`, `dec_deg`, `name`, ….
        #[serde(default)]
        facts: BTreeMap<String, String>,
    },
    /// A subject was drawn, to be shown to volunteers.
    Drawn {
        /// The subject.
        subject: String,
        /// The stream that drew it (`real-time`, `debiased`, `active`).
        stream: String,
        /// The probability with which it was going to be drawn; absent where nobody can say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        p_included: Option<f64>,
        /// The frozen frame that it was drawn from.
        #[serde(default)]
        frame: String,
        /// The model whose score was used.
        #[serde(default)]
        model: String,
        /// The seed of the draw.
        #[serde(default)]
        seed: u64,
    },
    /// A person retires a subject from a workflow by hand, or opens it again. The latest counts.
    Retirement {
        /// The subject.
        subject: String,
        /// The workflow.
        workflow: String,
        /// Retired, or opened.
        retired: bool,
        /// Panoptes' word for why: [`REASONS`].
        #[serde(default = "other")]
        reason: String,
    },
    /// What a person did about an alert.
    Action {
        /// Hash of the alert.
        alert: String,
        /// What: `claim`, `vet`, `known`, `note`.
        action: String,
        /// Who, as the team calls them.
        #[serde(default)]
        who: String,
        /// A remark.
        #[serde(default)]
        note: String,
    },
    /// A person puts one of the learner's two models in use.
    Promotion {
        /// The fast one; else the safe one.
        fast: bool,
        /// Who decided it.
        #[serde(default)]
        who: String,
        /// Why.
        #[serde(default)]
        why: String,
    },
    /// The rules, from now on.
    Policy {
        /// What they are.
        policy: Box<crate::policy::Policy>,
    },
    /// A person opts out of machine learning, or in again.
    OptOut {
        /// User id.
        user: String,
        /// Out or in.
        out: bool,
    },
    /// A person withdraws from being named, or consents again.
    Credit {
        /// User id.
        user: String,
        /// May be named.
        consents: bool,
    },
    /// What a person is called; the latest counts.
    Name {
        /// User id.
        user: String,
        /// The name to credit.
        #[serde(default)]
        credited: Option<String>,
        /// The display name.
        #[serde(default)]
        display: Option<String>,
        /// The login.
        #[serde(default)]
        login: Option<String>,
    },
    /// The team reported a subject by itself.
    TeamReport {
        /// The subject.
        subject: String,
    },
    /// The commitment to a day's key for the credit draw (SHA-256 of key and nonce, in hexadecimal).
    Commitment {
        /// The day, `2026-11-28`, UTC.
        day: String,
        /// The commitment.
        sha256: String,
    },
}

fn other() -> String {
    "other".to_owned()
}

/// An event as its source tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// By what it is known.
    #[serde(flatten)]
    pub key: Key,
    /// When it happened, by the source's clock; milliseconds since 1970, UTC.
    pub at_ms: i64,
    /// What happened.
    #[serde(flatten)]
    pub kind: Kind,
}

/// An event in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged {
    /// Place in the log, from 1.
    pub seq: i64,
    /// When we first heard it; kept through backup and replay.
    pub received_ms: i64,
    /// What was heard.
    pub event: Event,
}

/// Canonical order of events: total, and independent of the order in which they are processed.
pub type Order = (i64, Key);

impl Logged {
    /// Its place in canonical order. A clock that runs ahead is held back to when we heard.
    #[must_use]
    pub fn order(&self) -> Order {
        (self.event.at_ms.min(self.received_ms), self.event.key.clone())
    }
}

/// Why an event is refused at the door.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Nothing where something must stand.
    #[error("{field} is empty; give it a value")]
    Empty {
        /// Which field.
        field: &'static str,
    },
    /// More than is sane.
    #[error("{field} has {actual} bytes, more than {MAX_TEXT_BYTES}; shorten it")]
    TooLong {
        /// Which field.
        field: &'static str,
        /// Its length.
        actual: usize,
    },
    /// Control characters are never part of an id, and some databases cannot hold NUL.
    #[error("{field} holds a control character; remove it")]
    Control {
        /// Which field.
        field: &'static str,
    },
    /// More answers than any workflow asks for.
    #[error("{actual} answers in one vote, more than {MAX_ANSWERS}; split it")]
    TooManyAnswers {
        /// How many.
        actual: usize,
    },
    /// More than any report needs.
    #[error(
        "subject {0} has more than {MAX_FACTS} facts, or one longer than {MAX_FACT_BYTES} bytes; leave some out"
    )]
    TooManyFacts(String),
    /// A score or a coordinate that is none.
    #[error("subject {subject}: {reason}")]
    Fact {
        /// The subject.
        subject: String,
        /// What is wrong.
        reason: FactError,
    },
    /// A word that is not one of a few.
    #[error("{field} {given:?} is unknown; write one of {}", .known.join(", "))]
    Word {
        /// Which field.
        field: &'static str,
        /// What it says.
        given: String,
        /// What it may say.
        known: &'static [&'static str],
    },
    /// Not a probability.
    #[error("p_included is {0}; a probability lies above 0 and is at most 1")]
    Probability(String),
    /// A policy that cannot be.
    #[error("the policy cannot be used: {0}")]
    Policy(crate::policy::PolicyError),
}

impl From<crate::policy::PolicyError> for EventError {
    fn from(error: crate::policy::PolicyError) -> Self {
        Self::Policy(error)
    }
}

impl Event {
    /// BLAKE3 of the content: equal for repeats, different for a key that is used twice.
    #[must_use]
    pub fn content_hash(&self) -> String {
        blake3::hash(self.to_json().as_bytes()).to_hex().to_string()
    }

    /// One line of JSON; equal events give equal bytes.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("text keys and plain values always serialise")
    }

    /// The subject that it names, if it names one.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        match &self.kind {
            Kind::Vote { subject, .. }
            | Kind::Subject { subject, .. }
            | Kind::Drawn { subject, .. }
            | Kind::Retirement { subject, .. }
            | Kind::TeamReport { subject } => Some(subject),
            _ => None,
        }
    }

    /// The vote of the same source that it changes, if it changes one.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        match &self.kind {
            Kind::Retract { of } | Kind::Correct { of, .. } => Some(of),
            _ => None,
        }
    }

    /// The name of its kind in the log.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Vote { .. } => "vote",
            Kind::Retract { .. } => "retract",
            Kind::Correct { .. } => "correct",
            Kind::Subject { .. } => "subject",
            Kind::Drawn { .. } => "drawn",
            Kind::Retirement { .. } => "retirement",
            Kind::Action { .. } => "action",
            Kind::Promotion { .. } => "promotion",
            Kind::Policy { .. } => "policy",
            Kind::OptOut { .. } => "opt_out",
            Kind::Credit { .. } => "credit",
            Kind::Name { .. } => "name",
            Kind::TeamReport { .. } => "team_report",
            Kind::Commitment { .. } => "commitment",
        }
    }

    /// Checks ids and sizes, so that nothing behind the door needs to.
    ///
    /// # Errors
    /// [`EventError`] names the field. Names of people are not checked: they are filtered where shown.
    pub fn check(&self) -> Result<(), EventError> {
        id("source", &self.key.source)?;
        id("id", &self.key.id)?;
        if let Some(subject) = self.subject() {
            id("subject", subject)?;
        }
        match &self.kind {
            Kind::Vote { workflow, version, actor, answers: given, .. } => {
                id("workflow", workflow)?;
                text("version", version)?;
                match actor {
                    Actor::User(user) => id("user", user)?,
                    Actor::Anonymous(session) => text("session", session)?,
                }
                answers(given)
            }
            Kind::Retract { of } => id("of", of),
            Kind::Correct { of, answers: given } => id("of", of).and_then(|()| answers(given)),
            Kind::OptOut { user, .. } | Kind::Credit { user, .. } | Kind::Name { user, .. } => {
                id("user", user)
            }
            Kind::Commitment { day, sha256 } => id("day", day).and_then(|()| id("sha256", sha256)),
            Kind::Policy { policy } => Ok(policy.check()?),
            Kind::Drawn { stream, p_included, frame, model, .. } => {
                id("stream", stream)?;
                text("frame", frame)?;
                text("model", model)?;
                match p_included {
                    Some(p) if !(*p > 0.0 && *p <= 1.0) => Err(EventError::Probability(p.to_string())),
                    _ => Ok(()),
                }
            }
            Kind::Retirement { workflow, reason, .. } => {
                id("workflow", workflow)?;
                word("reason", reason, &REASONS)
            }
            Kind::Action { alert, action, who, note } => {
                id("alert", alert)?;
                text("who", who)?;
                if note.len() > MAX_FACT_BYTES {
                    return Err(EventError::TooLong { field: "note", actual: note.len() });
                }
                word("action", action, &ACTIONS)
            }
            Kind::Promotion { who, why, .. } => text("who", who).and_then(|()| text("why", why)),
            Kind::Subject { subject, facts, truth, .. } => {
                answers(truth)?;
                let is_long =
                    |(name, value): (&String, &String)| name.len() + value.len() > MAX_FACT_BYTES;
                if facts.len() > MAX_FACTS || facts.iter().any(is_long) {
                    return Err(EventError::TooManyFacts(subject.clone()));
                }
                facts::check(facts)
                    .map_err(|reason| EventError::Fact { subject: subject.clone(), reason })
            }
            Kind::TeamReport { .. } => Ok(()),
        }
    }
}

fn id(field: &'static str, value: &str) -> Result<(), EventError> {
    if value.trim().is_empty() { Err(EventError::Empty { field }) } else { text(field, value) }
}

fn text(field: &'static str, value: &str) -> Result<(), EventError> {
    if value.len() > MAX_TEXT_BYTES {
        return Err(EventError::TooLong { field, actual: value.len() });
    }
    if value.chars().any(char::is_control) { Err(EventError::Control { field }) } else { Ok(()) }
}

fn word(field: &'static str, given: &str, known: &'static [&'static str]) -> Result<(), EventError> {
    if known.contains(&given) {
        return Ok(());
    }
    Err(EventError::Word { field, given: given.to_owned(), known })
}

fn answers(given: &Answers) -> Result<(), EventError> {
    let actual = given.len() + given.values().map(Vec::len).sum::<usize>();
    if actual > MAX_ANSWERS {
        return Err(EventError::TooManyAnswers { actual });
    }
    for (task, labels) in given {
        id("task", task)?;
        labels.iter().try_for_each(|label| text("answer", label))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(id: &str) -> Event {
        let key = Key { source: "own".into(), id: id.into() };
        let answers = [("T0".to_owned(), vec!["real".to_owned()])].into();
        let actor = Actor::User("7".into());
        let (workflow, subject) = ("w".to_owned(), "s".to_owned());
        Event {
            key,
            at_ms: 5,
            kind: Kind::Vote { workflow, version: "1.1".into(), subject, actor, answers },
        }
    }

    #[test]
    fn json_is_flat_and_comes_back() {
        let event = vote("1");
        let line = event.to_json();
        assert_eq!(
            line,
            r#"{"source":"own","id":"1","at_ms":5,"kind":"vote","workflow":"w","version":"1.1","subject":"s","actor":{"user":"7"},"answers":{"T0":["real"]}}"#
        );
        assert_eq!(serde_json::from_str::<Event>(&line).expect("parses"), event);
        assert_ne!(event.content_hash(), vote("2").content_hash());
    }

    #[test]
    fn probabilities_come_back_to_the_last_digit() {
        for p in [0.019_851_116_625_310_174, 0.102_564_102_564_102_57, 0.014_545_454_545_454_545] {
            let mut event = vote("1");
            event.kind = Kind::Drawn {
                subject: "s".into(),
                stream: "debiased".into(),
                p_included: Some(p),
                frame: String::new(),
                model: String::new(),
                seed: 0,
            };
            let again: Event = serde_json::from_str(&event.to_json()).expect("parses");
            assert_eq!((again.content_hash(), again), (event.content_hash(), event));
        }
    }

    #[test]
    fn odd_ids_are_refused_with_the_field_named() {
        assert_eq!(vote("").check(), Err(EventError::Empty { field: "id" }));
        assert_eq!(vote("\u{0}").check(), Err(EventError::Control { field: "id" }));
        assert!(matches!(vote(&"x".repeat(300)).check(), Err(EventError::TooLong { actual: 300, .. })));
        // SQL in an id is only text.
        assert_eq!(vote("'; DROP TABLE votes;--").check(), Ok(()));
    }

    #[test]
    fn a_clock_that_runs_ahead_is_held_back() {
        let logged = |received_ms| Logged { seq: 1, received_ms, event: vote("1") };
        assert_eq!(logged(9).order().0, 5);
        assert_eq!(logged(3).order().0, 3);
    }

    #[test]
    fn sessions_are_not_kept() {
        let Actor::Anonymous(digest) = Actor::of_session(Some("secret")) else { panic!("a user") };
        assert!(digest.len() == 16 && !digest.contains("secret"));
        assert_eq!(Actor::of_session(None), Actor::Anonymous(String::new()));
    }
}
