//! What a volunteer is shown next.
//!
//! [`Queue`] is the seam at which a sampling scheme is plugged in. [`FewestVotes`] is the plain one: what
//! was announced, has not retired and was not seen by this volunteer, fewest votes first.

use std::pin::Pin;

use volary_live::{Actor, Live, LiveError};

/// Subjects for a volunteer, or why there are none.
pub type Next<'a> = Pin<Box<dyn Future<Output = Result<Vec<String>, LiveError>> + Send + 'a>>;

/// What a queue says of itself; nothing, if it has nothing to say.
pub type Status<'a> = Pin<Box<dyn Future<Output = Option<serde_json::Value>> + Send + 'a>>;

/// Chooses what to show.
pub trait Queue: Send + Sync {
    /// At most `n` subjects that this volunteer has not voted on, in the order in which to show them; those
    /// that rules moved into `workflow`, if one is named that any were moved into.
    fn next<'a>(
        &'a self,
        live: &'a Live,
        volunteer: &'a Actor,
        workflow: Option<&'a str>,
        n: u32,
    ) -> Next<'a>;

    /// How it chooses now: open subjects by stream, what the learner has learnt.
    fn status(&self) -> Status<'_> {
        Box::pin(async { None })
    }
}

/// Fewest votes first. It looks at all announced subjects each time, which is quick for some ten thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct FewestVotes;

impl Queue for FewestVotes {
    fn next<'a>(
        &'a self,
        live: &'a Live,
        volunteer: &'a Actor,
        _workflow: Option<&'a str>,
        n: u32,
    ) -> Next<'a> {
        Box::pin(async move { live.unseen(&volunteer.to_text(), n).await })
    }
}
