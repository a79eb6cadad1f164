//! The skill models against the reference on real crowds; skipped, and said so, where the data are absent.

mod crowd_sets;
mod golden;
mod sets;
