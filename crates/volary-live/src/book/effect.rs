//! What is told, once: alerts, retirements, and what else a rule or a person does.

use serde::{Deserialize, Serialize};

use crate::alert::Alert;
use crate::event::Key;
use crate::policy::{Rule, Then};

/// A workflow and its major version: what is tallied by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StrandKey {
    /// The workflow.
    pub workflow: String,
    /// Its version up to the dot.
    pub major: String,
}

/// When a subject's retirement was announced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retirement {
    /// Votes at that moment.
    pub n: u64,
    /// When the last of them was received.
    pub at_ms: i64,
    /// Version of the rules that decided it.
    pub policy: String,
}

/// Something to be told, once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// A rule was met.
    Alert(Box<Alert>),
    /// A subject is done.
    Retired {
        /// The subject.
        subject: String,
        /// Where.
        #[serde(flatten)]
        strand: StrandKey,
        /// Panoptes' word for why.
        reason: String,
        /// Since when, and after how many votes.
        #[serde(flatten)]
        retirement: Retirement,
    },
    /// A rule calls a webhook.
    Webhook {
        /// The subject.
        subject: String,
        /// Where.
        #[serde(flatten)]
        strand: StrandKey,
        /// The rule.
        rule: String,
        /// Whose webhook.
        to: String,
        /// Votes that the rule had counted.
        n: u64,
        /// The positive ones.
        k: u64,
        /// Version of the rules.
        policy: String,
    },
    /// A rule puts the subject into another workflow.
    Moved {
        /// The subject.
        subject: String,
        /// Where it was.
        #[serde(flatten)]
        strand: StrandKey,
        /// The rule.
        rule: String,
        /// The workflow that it goes to.
        to: String,
        /// Version of the rules.
        policy: String,
    },
    /// A person retired it, or opened it again.
    ByHand {
        /// The subject.
        subject: String,
        /// The workflow.
        workflow: String,
        /// Retired, or opened.
        retired: bool,
        /// Panoptes' word for why.
        reason: String,
        /// The event that said so.
        by: Key,
    },
    /// A vote that spoke for an alert was taken back. A person must look; nothing is sent.
    SupportLost {
        /// The subject.
        subject: String,
        /// Hash of the alert.
        alert: String,
    },
    /// A rule was first met after retirement: no discovery, but worth knowing.
    CrossedAfterRetirement {
        /// The subject.
        subject: String,
        /// Where.
        #[serde(flatten)]
        strand: StrandKey,
        /// The rule.
        rule: String,
    },
}

impl Effect {
    /// A name that is the same whenever the same thing is told again.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::Alert(alert) => format!("alert/{}", alert.hash),
            Self::Retired { subject, strand, .. } => {
                format!("retired/{}/{}/{subject}", strand.workflow, strand.major)
            }
            Self::Webhook { subject, strand, rule, .. } => {
                format!("webhook/{}/{}/{rule}/{subject}", strand.workflow, strand.major)
            }
            Self::Moved { subject, strand, rule, .. } => {
                format!("moved/{}/{}/{rule}/{subject}", strand.workflow, strand.major)
            }
            Self::ByHand { by, .. } => format!("by_hand/{}/{}", by.source, by.id),
            Self::SupportLost { alert, .. } => format!("support_lost/{alert}"),
            Self::CrossedAfterRetirement { subject, strand, rule } => {
                format!("crossed_after_retirement/{}/{}/{rule}/{subject}", strand.workflow, strand.major)
            }
        }
    }

    /// One line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("text and finite numbers always serialise")
    }
}

/// What is told where a rule that neither alerts nor retires is met.
pub(super) fn done(
    subject: &str,
    key: &StrandKey,
    rule: &Rule,
    (n, k): (u64, u64),
    policy: String,
) -> Option<Effect> {
    let (subject, strand, to) = (subject.to_owned(), key.clone(), rule.to.clone()?);
    let rule_name = rule.name.clone();
    match rule.then {
        Then::Webhook => Some(Effect::Webhook { subject, strand, rule: rule_name, to, n, k, policy }),
        Then::Move => Some(Effect::Moved { subject, strand, rule: rule_name, to, policy }),
        Then::Alert | Then::Retire => None,
    }
}
