//! The durable event log and everything that happens on an event: rules, retirement, alerts, credit.
//!
//! The log is the truth: append-only, each event once. What is known of a subject is a pure function of
//! the set of its events, whatever their order, batching or repetition; what was *announced* (alerts,
//! retirement) is a function of the log's order and never changes afterwards. [`Live`] keeps both in a
//! database, SQLite or PostgreSQL, and acknowledges an event when it is on disk.
//!
//! From the inside out: [`event`] and [`policy`] are the vocabulary, [`canon`] folds one subject's votes,
//! [`book`] adds what was announced, [`skill`] says how far a voter is believed, [`engine`] holds the books
//! and the people, [`store`] makes it last, [`replay`] tells it again under other rules.
//! [`incoming`] reads what other systems send, [`credit`] says who is named.
//!
//! It speaks no HTTP and sends nothing to anybody: `volary-web` serves it, and a report to TNS is text.
//! Database types stay inside [`store`].

pub mod alert;
pub mod book;
pub mod canon;
pub mod credit;
pub mod engine;
pub mod event;
pub mod facts;
pub mod incoming;
pub mod learning;
pub mod policy;
pub mod replay;
pub mod skill;
pub mod store;

pub use alert::Alert;
pub use book::{Book, Effect};
pub use engine::Engine;
pub use event::{Actor, Event, Key, Kind, Logged};
pub use policy::{Policy, Rule};
pub use store::{Live, LiveError, Outcome, Told, Verdict};
