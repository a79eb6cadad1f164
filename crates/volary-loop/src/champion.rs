//! Champion and challenger: which model's word counts, and when that changes.
//!
//! The challenger runs in shadow: it sees what the champion sees and its predictions reach nobody.
//! A [`duel::Duel`] compares them on the labels that come in, by [`confidence`] sequences that may be looked at
//! after every label. What it concludes is [`Evidence`]. Whose word counts is not kept here: `volary-live` moves
//! that pointer, as a function of its log, and only on such evidence.

pub mod confidence;
pub mod duel;

pub use confidence::ConfidenceSequence;
pub use duel::{Duel, DuelParams, Evidence, Outcome, Verdict};
