//! Champion and challenger: which model's word counts, and when that changes.
//!
//! The challenger runs in shadow: it sees what the champion sees and its predictions reach nobody.
//! A [`duel::Duel`] compares them on the labels that come in, by [`confidence`] sequences that may be looked at
//! after every label. What it concludes is [`Evidence`], and only with that can a [`Registry`] promote: one
//! swap of a pointer, with who and why. A rollback is the same swap back, without retraining, and
//! happens by itself when the new champion proves worse than the old one.
//!
//! Models are bytes here, known by their hash: what is served after a rollback is what was served before.

pub mod confidence;
pub mod duel;
pub mod registry;

pub use confidence::ConfidenceSequence;
pub use duel::{Duel, DuelParams, Evidence, Outcome, Verdict};
pub use registry::{Registry, RegistryError, Swap};
