//! The log as if some people had never taken part, as a store of its own.
//!
//! An opt-out takes a person out of what is learned, not out of consensus and credit that are in use. Where
//! that is asked for as well, the log itself is told again without them. What was announced stays announced:
//! this store is another one.

use std::collections::{BTreeSet, HashSet};

use super::{Heard, Live, LiveError};
use crate::event::{Actor, Event, Key, Kind};

/// Events read at a time.
const CHUNK: u32 = 4_096;

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Events that are in the other store.
    pub n_kept: u64,
    /// Events that were left out.
    pub n_left_out: u64,
}

impl Live {
    /// Copies the log into an empty store, without everything that the people of `out` (user ids) said or that
    /// is about them: votes, what was done to their votes later, names, opt-outs. Times of receipt stay what
    /// they were, so that the other store is, to the byte of its state, one in which they never took part.
    ///
    /// # Errors
    /// [`LiveError`] of either store; [`LiveError::NotEmpty`] where the other one holds events.
    pub async fn copy_without(&self, out: &BTreeSet<String>, to: &Self) -> Result<Copied, LiveError> {
        if to.counts().await?.n_events > 0 {
            return Err(LiveError::NotEmpty(to.place.to_string()));
        }
        let last = self.last_seq().await?;
        // A retraction may be heard before its vote, so all votes are known before anything is copied.
        let mut theirs: HashSet<Key> = HashSet::new();
        let mut after = 0;
        while after < last {
            let page = self.log(after, CHUNK).await?;
            let Some(end) = page.last() else { break };
            after = end.seq;
            let votes = page.iter().filter(|logged| is_vote_of(&logged.event, out));
            theirs.extend(votes.map(|logged| logged.event.key.clone()));
        }
        let mut copied = Copied::default();
        let mut after = 0;
        while after < last {
            let page = self.log(after, CHUNK).await?;
            let Some(end) = page.last() else { break };
            after = end.seq;
            let n = page.iter().filter(|logged| logged.seq <= last).count() as u64;
            let kept: Vec<Heard> = page
                .into_iter()
                .filter(|logged| logged.seq <= last && !is_theirs(&logged.event, out, &theirs))
                .map(|logged| Heard { received_ms: Some(logged.received_ms), event: logged.event })
                .collect();
            copied.n_kept += kept.len() as u64;
            copied.n_left_out += n - kept.len() as u64;
            to.submit_heard(kept, None).await?;
        }
        Ok(copied)
    }
}

fn is_vote_of(event: &Event, out: &BTreeSet<String>) -> bool {
    matches!(&event.kind, Kind::Vote { actor: Actor::User(user), .. } if out.contains(user))
}

fn is_theirs(event: &Event, out: &BTreeSet<String>, theirs: &HashSet<Key>) -> bool {
    match &event.kind {
        Kind::OptOut { user, .. } | Kind::Credit { user, .. } | Kind::Name { user, .. } => {
            out.contains(user)
        }
        Kind::Retract { of } | Kind::Correct { of, .. } => {
            theirs.contains(&Key { source: event.key.source.clone(), id: of.clone() })
        }
        _ => is_vote_of(event, out),
    }
}
