//! One subject's votes in one workflow, and what was announced there.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Chain;
use super::effect::{Retirement, StrandKey};
use crate::alert::{Alert, Voter};
use crate::canon::{Ballot, Tally, set_hash, supports};
use crate::policy::{Policy, Rule};

/// What was announced about a strand, apart from its alerts; stored, because it cannot be recomputed
/// from the set of events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// Its retirement.
    pub retired: Option<Retirement>,
    /// Rules that were first met when it had retired.
    pub late: BTreeSet<String>,
    /// Rules whose alert lost a supporting vote.
    pub support_lost: BTreeSet<String>,
    /// Rules that told somebody, or moved the subject.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub done: BTreeSet<String>,
}

/// Votes of one subject in one workflow.
#[derive(Clone, Debug, Default)]
pub struct Strand {
    pub(super) ballots: Vec<Ballot>,
    pub(super) tally: Tally,
    pub(super) announced: Announced,
    pub(super) alerts: BTreeMap<String, Alert>,
}

impl Strand {
    pub(super) fn crossings(&self) -> Vec<bool> {
        self.tally.rules.iter().map(|rule| rule.crossing.is_some()).collect()
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "each is one part of the record; a struct would be the record"
    )]
    pub(super) fn snapshot(
        &self,
        subject: &str,
        key: &StrandKey,
        at: usize,
        rule: &Rule,
        at_ms: i64,
        policy: &Policy,
        chain: &mut Chain,
    ) -> Alert {
        let crossing = self.tally.rules[at].crossing.expect("asked only where the rule was met");
        let prefix = || self.tally.prefix(&self.ballots, crossing.upto);
        let voter = |b: &Ballot| Voter { actor: b.actor.clone(), vote: b.order.1.clone() };
        let alert = Alert {
            number: chain.n + 1,
            subject: subject.to_owned(),
            workflow: key.workflow.clone(),
            major: key.major.clone(),
            rule: rule.name.clone(),
            policy: policy.version(),
            project: policy.project.clone(),
            at_ms,
            n: crossing.n,
            k: crossing.k,
            p_low: 0.0,
            p_high: 0.0,
            voters: prefix().filter(|b| supports(b, rule, policy)).map(voter).collect(),
            event_set_hash: set_hash(prefix().map(|b| &b.order.1)),
            previous: chain.hash.clone(),
            hash: String::new(),
        }
        .sealed();
        *chain = Chain { n: alert.number, hash: alert.hash.clone() };
        alert
    }

    pub(super) fn lost_support(&self, alert: &Alert, rule: &Rule, policy: &Policy) -> bool {
        let still = |vote: &crate::event::Key| {
            self.ballots
                .iter()
                .find(|b| b.order.1 == *vote)
                .is_some_and(|b| !b.retracted && supports(b, rule, policy))
        };
        !alert.voters.iter().all(|voter| still(&voter.vote))
    }
}
