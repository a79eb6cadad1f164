//! One rule: which votes it counts, when it is met, and what then happens.

use serde::{Deserialize, Serialize};

use super::{Condition, Counter, Denominator, PolicyError, Share};
use crate::event::REASONS;

/// What happens when a rule is met; each once for a subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// An alert, with its voters.
    #[default]
    Alert,
    /// The subject is done.
    Retire,
    /// Somebody is told, by a webhook.
    Webhook,
    /// The subject goes into another workflow.
    Move,
}

/// When something happens to a subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name; what it does is done once per subject and name.
    pub name: String,
    /// The workflow that it looks at; every workflow if absent.
    #[serde(default)]
    pub workflow: Option<String>,
    /// The task whose answers count.
    #[serde(default = "first_task")]
    pub task: String,
    /// The condition, in CEL; or `min_positive` and `min_agreement`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
    /// What happens then.
    #[serde(default)]
    pub then: Then,
    /// The answers that speak for it. Several classes of "real" are one here. With `when`, those that it
    /// asks for, if absent.
    #[serde(default)]
    pub positive: Vec<String>,
    /// The answers that speak neither for nor against.
    #[serde(default)]
    pub neutral: Vec<String>,
    /// Fewest positive votes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_positive: Option<u64>,
    /// Least agreement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_agreement: Option<Share>,
    /// Who is in the denominator.
    #[serde(default)]
    pub denominator: Denominator,
    /// How sure a type must be before it is stated (0.9); no types if absent. Of `positive`, with a flat
    /// prior: the probability that the leader is really ahead of the second.
    #[serde(default)]
    pub type_sure: Option<f64>,
    /// Panoptes' word for a retirement by this rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where the subject goes (a workflow), or who is told (a webhook's name).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

fn first_task() -> String {
    "T0".to_owned()
}

impl Rule {
    /// At least `min_positive` votes for `positive` and at least `min_agreement` of all: an alert.
    #[must_use]
    pub fn alert(
        name: &str,
        task: &str,
        positive: &str,
        min_positive: u64,
        min_agreement: Share,
    ) -> Self {
        Self {
            name: name.to_owned(),
            workflow: None,
            task: task.to_owned(),
            when: None,
            then: Then::Alert,
            positive: vec![positive.to_owned()],
            neutral: Vec::new(),
            min_positive: Some(min_positive),
            min_agreement: Some(min_agreement),
            denominator: Denominator::All,
            type_sure: None,
            reason: None,
            to: None,
        }
    }

    /// Whether it looks at votes of `workflow`.
    #[must_use]
    pub fn looks_at(&self, workflow: &str) -> bool {
        self.workflow.as_deref().is_none_or(|w| w == workflow)
    }

    /// Whether a vote for `answer` of the rule's task speaks for it.
    #[must_use]
    pub fn is_positive(&self, answer: &str) -> bool {
        if self.positive.is_empty() {
            return self.asked().any(|a| a == answer);
        }
        self.positive.iter().any(|p| p == answer)
    }

    /// The answers of the rule's task that speak for it, each once.
    #[must_use]
    pub fn positives(&self) -> Vec<&String> {
        if !self.positive.is_empty() {
            return self.positive.iter().collect();
        }
        let mut asked: Vec<&String> = self.asked().collect();
        asked.sort();
        asked.dedup();
        asked
    }

    /// What the condition asks of the rule's own task.
    fn asked(&self) -> impl Iterator<Item = &String> {
        let is_own = |c: &&Counter| c.task.as_ref().is_none_or(|task| *task == self.task);
        self.counters().iter().filter(is_own).flat_map(|counter| &counter.answers)
    }

    /// What its condition counts.
    #[must_use]
    pub fn counters(&self) -> &[Counter] {
        self.when.as_ref().map_or(&[], Condition::counters)
    }

    /// Whether it asks for the volunteers' skill.
    #[must_use]
    pub fn uses_skill(&self) -> bool {
        self.when.as_ref().is_some_and(Condition::uses_skill)
    }

    /// Checks what the types leave open.
    pub(super) fn check(&self, retire_at: u64) -> Result<(), PolicyError> {
        let wrong = |what| Err(PolicyError::Rule { rule: self.name.clone(), what });
        if self.name.trim().is_empty() {
            return wrong("it has no name; give it one");
        }
        match (&self.when, self.min_positive, self.min_agreement) {
            (Some(_), None, None) => {}
            (Some(_), _, _) => {
                return wrong("it has `when` and min_positive or min_agreement; put all into `when`");
            }
            (None, Some(0), _) => {
                return wrong(
                    "min_positive is 0, so that one vote for anything may alert; use 1 or more",
                );
            }
            (None, Some(k), Some(_)) if k > retire_at => {
                return wrong("min_positive is beyond retire_at, so that it never alerts; lower it");
            }
            (None, Some(_), Some(_)) => {
                if self.positive.is_empty() {
                    return wrong("no positive answer; name at least one");
                }
            }
            (None, _, _) => {
                return wrong("it has no condition; give `when`, or min_positive and min_agreement");
            }
        }
        if self.then == Then::Alert && self.positive.is_empty() && self.counters().is_empty() {
            return wrong(
                "its condition names no answer, so that nobody can be credited; give `positive`",
            );
        }
        if self.positive.iter().any(|answer| self.neutral.contains(answer)) {
            return wrong("an answer is both positive and neutral; take it out of one list");
        }
        if self.type_sure.is_some_and(|sure| !(sure > 0.5 && sure < 1.0)) {
            return wrong("type_sure must lie between 0.5 and 1; 0.9 is usual");
        }
        if self.reason.as_deref().is_some_and(|reason| !REASONS.contains(&reason)) {
            return wrong(
                "the reason is none of Panoptes': classification_count, flagged, nothing_here, consensus, other, human",
            );
        }
        match (self.then, &self.to) {
            (Then::Move, None) => wrong("it moves subjects nowhere; give `to`, the workflow"),
            (Then::Move, Some(to)) if self.workflow.as_ref() == Some(to) => {
                wrong("it moves subjects to where they are; change `to`")
            }
            (Then::Webhook, None) => wrong("it tells nobody; give `to`, the webhook's name"),
            (Then::Alert | Then::Retire, Some(_)) => {
                wrong("`to` belongs to rules that move or call a webhook; leave it out")
            }
            _ => Ok(()),
        }
    }
}
