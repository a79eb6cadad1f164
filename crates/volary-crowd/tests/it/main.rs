//! The skill models against the reference on real crowds; skipped, and said so, where the data are absent.

#![expect(clippy::unwrap_used, reason = "a test that panics has found something")]

mod crowd_sets;
mod golden;
mod sets;
