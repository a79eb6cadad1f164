//! An alert: what was known at the crossing, frozen, hashed, and chained to the alert before it.
//!
//! Nothing changes it afterwards. What becomes of the subject stands beside it, in the tally. The share
//! at the crossing is no estimate of anything: voting stopped there *because* it was high.

use serde::{Deserialize, Serialize};
use volary_crowd::interval::{Interval, jeffreys};

use crate::event::{Actor, Key};

/// A vote that spoke for the alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voter {
    /// Who.
    pub actor: Actor,
    /// With which vote.
    pub vote: Key,
}

/// The first alert's `previous`.
pub const NO_ALERT: &str = "";

/// The snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Its number, from 1.
    pub number: u64,
    /// The subject.
    pub subject: String,
    /// The workflow.
    pub workflow: String,
    /// Its major version.
    pub major: String,
    /// The rule.
    pub rule: String,
    /// Version of the policy that holds the rule.
    pub policy: String,
    /// The project, as the policy names it.
    pub project: String,
    /// When the vote that crossed was received; milliseconds since 1970, UTC.
    pub at_ms: i64,
    /// Votes counted at the crossing.
    pub n: u64,
    /// The positive ones.
    pub k: u64,
    /// Jeffreys' 95 % interval of the true share, low end. A posterior does not care why voting
    /// stopped; the plain share k/n does, and is biased upwards.
    pub p_low: f64,
    /// High end.
    pub p_high: f64,
    /// Who spoke for it, in canonical order.
    pub voters: Vec<Voter>,
    /// Hash of the keys of all votes up to the crossing.
    pub event_set_hash: String,
    /// Hash of the alert before; empty for the first.
    pub previous: String,
    /// Hash of everything above; the alert's id.
    pub hash: String,
}

impl Alert {
    /// Fills in the interval and the hash.
    #[must_use]
    pub(crate) fn sealed(mut self) -> Self {
        let Interval { low, high } = jeffreys(self.k as f64, self.n as f64, 0.95);
        // Six digits are more than votes can tell, and the same on every processor.
        self.p_low = (low * 1e6).round() / 1e6;
        self.p_high = (high * 1e6).round() / 1e6;
        self.hash = self.hash_of_content();
        self
    }

    fn hash_of_content(&self) -> String {
        let bare = Self { hash: String::new(), ..self.clone() };
        blake3::hash(bare.to_json().as_bytes()).to_hex().to_string()
    }

    /// One line of JSON; equal alerts give equal bytes.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("text and finite numbers always serialise")
    }
}

/// Why a chain of alerts does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Content and hash differ.
    #[error("alert {0} was changed after it was made; compare it with a backup")]
    Changed(u64),
    /// One is missing or out of place.
    #[error("alert {0} does not follow the one before it; compare with a backup which is missing")]
    Broken(u64),
}

/// Checks that alerts, in order, are as they were made and that none is missing between them.
///
/// # Errors
/// [`ChainError`] names the first that is wrong.
pub fn check_chain<'a>(alerts: impl IntoIterator<Item = &'a Alert>) -> Result<(), ChainError> {
    let mut before = (0, NO_ALERT.to_owned());
    for alert in alerts {
        if alert.hash_of_content() != alert.hash {
            return Err(ChainError::Changed(alert.number));
        }
        if alert.number != before.0 + 1 || alert.previous != before.1 {
            return Err(ChainError::Broken(alert.number));
        }
        before = (alert.number, alert.hash.clone());
    }
    Ok(())
}
