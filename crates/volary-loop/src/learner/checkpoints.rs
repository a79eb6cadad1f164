//! Snapshots along the way, to forget exactly: a label that is taken back, or a person who opted out, is
//! forgotten by going back to before and replaying the rest of the log without it.
//!
//! Each keeps its event cursor. Which ones to keep is a schedule of powers of two: all recent ones, and
//! the older the sparser, so that any event can be undone at a cost of about the work since then, with
//! memory that grows with the logarithm of the log.

use super::{Learner, LearnerError};

/// Snapshots of one learner, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoints {
    every: u64,
    kept: Vec<(u64, Vec<u8>)>,
}

impl Checkpoints {
    /// A snapshot each time that so many more events were seen.
    #[must_use]
    pub fn new(every: u64) -> Self {
        Self { every: every.max(1), kept: Vec::new() }
    }

    /// Looks at the learner after an event; whether a snapshot was made.
    pub fn after(&mut self, learner: &Learner) -> bool {
        let last = self.kept.last().map_or(0, |(cursor, _)| cursor / self.every);
        if learner.cursor() / self.every <= last && !self.kept.is_empty() {
            return false;
        }
        self.kept.push((learner.cursor(), learner.to_bytes()));
        self.thin();
        true
    }

    /// Of any three neighbours the middle one goes if the outer ones are closer than their age.
    fn thin(&mut self) {
        let Some(&(now, _)) = self.kept.last() else { return };
        let mut at = 1;
        while at + 1 < self.kept.len() {
            let (before, after) = (self.kept[at - 1].0, self.kept[at + 1].0);
            if 2 * (after - before) <= now - after {
                self.kept.remove(at);
            } else {
                at += 1;
            }
        }
    }

    /// Cursors of the snapshots.
    pub fn cursors(&self) -> impl Iterator<Item = u64> {
        self.kept.iter().map(|(cursor, _)| *cursor)
    }

    /// The newest learner that has not seen event `at`; none if it was learnt before the first snapshot,
    /// so that a new learner has to read the whole log.
    ///
    /// # Errors
    /// [`LearnerError::Snapshot`] if it was damaged.
    pub fn before(&self, at: u64) -> Result<Option<Learner>, LearnerError> {
        let found = self.kept.iter().rev().find(|(cursor, _)| *cursor < at);
        found.map(|(_, bytes)| Learner::from_bytes(bytes)).transpose()
    }

    /// Drops the snapshots that have seen event `at`; to be called when it is taken back.
    pub fn forget_from(&mut self, at: u64) {
        self.kept.retain(|(cursor, _)| *cursor < at);
    }
}
