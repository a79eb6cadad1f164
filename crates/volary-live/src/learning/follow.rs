//! The learner behind a store: reads the log where it left off, and begins anew after an opt-out.

use std::collections::BTreeSet;

use volary_loop::learner::LearnerError;

use super::{Embeddings, Learning, LearningParams};
use crate::event::Kind;
use crate::store::{Live, LiveError};

/// Events read at a time.
const CHUNK: u32 = 1_000;

/// A learner that follows a store.
#[derive(Debug)]
pub struct Follower {
    learning: Learning,
}

/// Why it cannot follow.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The store cannot be read.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// The learner cannot be made.
    #[error(transparent)]
    Learner(#[from] LearnerError),
}

impl Follower {
    /// A learner that has read nothing; [`Follower::step`] reads.
    ///
    /// # Errors
    /// [`FollowError`].
    pub async fn new(
        live: &Live,
        embeddings: Embeddings,
        params: LearningParams,
    ) -> Result<Self, FollowError> {
        let out = opted_out(live).await?;
        Ok(Self { learning: Learning::new(embeddings, out, params)? })
    }

    /// Reads what is new; gives how many events that were. After an opt-out it reads all of the log again,
    /// without that person.
    ///
    /// # Errors
    /// [`FollowError`].
    pub async fn step(&mut self, live: &Live) -> Result<usize, FollowError> {
        let events = live.history(self.learning.counts().cursor, CHUNK).await?;
        if events.iter().any(|(logged, _)| matches!(logged.event.kind, Kind::OptOut { .. })) {
            let out = opted_out(live).await?;
            if out != *self.learning.out() {
                self.learning.begin_anew(out)?;
                return Ok(events.len());
            }
        }
        for (logged, subject) in &events {
            self.learning.take(logged, subject.as_deref());
        }
        Ok(events.len())
    }

    /// What it has learnt.
    #[must_use]
    pub fn learning(&self) -> &Learning {
        &self.learning
    }
}

async fn opted_out(live: &Live) -> Result<BTreeSet<String>, LiveError> {
    let people = live.people().await?;
    Ok(people.opted_out().map(str::to_owned).collect())
}
