//! What is said about a subject: its votes in a workflow, and its card.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::effect::{Retirement, StrandKey};

/// A draw that put a subject before volunteers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drawn {
    /// The stream.
    pub stream: String,
    /// The probability with which it was going to be drawn.
    pub p_included: Option<f64>,
    /// The frame that it was drawn from.
    pub frame: String,
    /// The model whose score was used.
    pub model: String,
    /// The seed.
    pub seed: u64,
}

/// What is known of a subject beside its votes; never its truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The subject.
    pub subject: String,
    /// A subject event told of it.
    pub announced: bool,
    /// Its truth is known to us.
    pub validation: bool,
    /// What reports need.
    pub facts: BTreeMap<String, String>,
    /// Workflows that a person retired it from (`true`) or opened (`false`).
    pub by_hand: BTreeMap<String, bool>,
    /// Draws, in canonical order.
    pub drawn: Vec<Drawn>,
    /// When we heard that the team reported it.
    pub team_report_ms: Option<i64>,
}

impl Card {
    /// Whether volunteers are still to see it: a person's word counts more than the rules.
    #[must_use]
    pub fn is_open(&self, is_retired: bool) -> bool {
        let by_hand = |closed: bool| self.by_hand.values().any(|c| *c == closed);
        self.announced && !by_hand(true) && (!is_retired || by_hand(false))
    }
}

/// What a strand's summary says about one rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleSummary {
    /// Its name.
    pub rule: String,
    /// Votes in its denominator.
    pub n: u64,
    /// Positive ones.
    pub k: u64,
    /// Votes counted and positive where it was met, over everything known now.
    pub crossed: Option<(u64, u64)>,
    /// First met after retirement.
    pub after_retirement: bool,
    /// Hash of its alert, if one was announced.
    pub alert: Option<String>,
    /// Announced and recomputed disagree on whether there is an alert.
    pub diverged: bool,
    /// A vote that spoke for the alert no longer does.
    pub support_lost: bool,
    /// The answers that lead, where types are stated and it alerted; several are a tie.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leaders: Vec<String>,
    /// Whether the type is determined, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub type_determined: Option<bool>,
}

/// All that is said about a strand; equal states give equal bytes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The subject.
    pub subject: String,
    /// Where.
    #[serde(flatten)]
    pub strand: StrandKey,
    /// Version of the policy.
    pub policy: String,
    /// Votes that count.
    pub n: u64,
    /// Votes by task and answer.
    pub labels: BTreeMap<String, BTreeMap<String, u64>>,
    /// Votes stored: repeats, retracted and parked ones too.
    pub n_stored: u64,
    /// Votes that wait for their subject.
    pub n_parked: u64,
    /// Votes at which it would retire, over everything known now.
    pub retired_at: Option<u64>,
    /// The rule that retires it there; `None`: the number of votes does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retired_by: Option<String>,
    /// Its retirement as announced.
    pub retired: Option<Retirement>,
    /// What a person said last: retired or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_hand: Option<bool>,
    /// Its truth is known to us.
    pub validation: bool,
    /// Rule by rule.
    pub rules: Vec<RuleSummary>,
    /// Hash of the keys of the votes that count.
    pub event_set_hash: String,
}

impl Summary {
    /// One line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("text and numbers always serialise")
    }

    /// Whether volunteers are still to see it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.by_hand.unwrap_or(self.retired.is_some())
    }

    /// The part that is a function of the set of events alone.
    #[must_use]
    pub fn canonical(&self) -> Self {
        let mut bare = Self { retired: None, ..self.clone() };
        for rule in &mut bare.rules {
            (rule.alert, rule.diverged, rule.support_lost) = (None, false, false);
        }
        bare
    }
}
