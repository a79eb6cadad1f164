//! One subject's votes in canonical order, folded vote by vote: counts, agreement, crossing, retirement.
//!
//! The fold looks at votes that stand (not retracted) and count (one per person, by the policy), ordered by
//! (time, source, id). It is evaluated after each of them, so that however votes arrive, the crossing of the
//! Kilonova Seekers rule has exactly eight positive votes. It knows nothing of what was announced: that is
//! [`crate::book`]. No I/O, no clock.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde::Serialize;
use volary_crowd::interval::{Interval, beta_tail, jeffreys};

use crate::event::{Actor, Answers, Key, Order};
use crate::policy::{Anonymous, Counter, Denominator, Policy, Repeats, Rule, Seen, Then};
use crate::skill::Skills;

/// A vote as it stands now.
#[derive(Clone, Debug, PartialEq)]
pub struct Ballot {
    /// Its place.
    pub order: Order,
    /// Who.
    pub actor: Actor,
    /// What it says, after corrections.
    pub answers: Arc<Answers>,
    /// When the last correction was made, if one was.
    pub corrected: Option<Order>,
    /// Taken back.
    pub retracted: bool,
}

/// Where a rule was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Crossing {
    /// Votes that the rule had counted.
    pub n: u64,
    /// The positive ones.
    pub k: u64,
    /// Canonical votes up to there.
    #[serde(skip)]
    pub upto: usize,
}

/// What one rule sees.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RuleTally {
    /// Votes in its denominator.
    pub n: u64,
    /// Positive votes.
    pub k: u64,
    /// Where it was met before retirement.
    pub crossing: Option<Crossing>,
    /// It was first met after retirement.
    pub after_retirement: bool,
    /// Votes for what its condition asks for, one number for each counter; weights in thousandths.
    #[serde(skip)]
    counters: Vec<Counted>,
    /// Sum of the weights in the denominator, in thousandths.
    #[serde(skip)]
    weight: u64,
}

/// Votes for what a condition asks for.
#[derive(Clone, Debug, Default, PartialEq)]
struct Counted {
    k: u64,
    weight: u64,
    log_odds: f64,
}

/// What votes are folded with: where, by which rules, and what else is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) workflow: &'a str,
    pub(crate) policy: &'a Policy,
    pub(crate) facts: &'a BTreeMap<String, String>,
    pub(crate) skills: &'a Skills,
}

/// What is known of one subject in one workflow: a pure function of its votes and the policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Tally {
    /// Canonical votes.
    pub n: u64,
    /// Votes by task and answer.
    pub labels: BTreeMap<String, BTreeMap<String, u64>>,
    /// Canonical votes at which it retired.
    pub retired_at: Option<u64>,
    /// The rule that retired it; `None`: the number of votes did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retired_by: Option<String>,
    /// One per rule of the policy, in its order.
    pub rules: Vec<RuleTally>,
    /// The canonical votes, in order: places among the ballots.
    #[serde(skip)]
    members: Vec<usize>,
    #[serde(skip)]
    seen: HashSet<Actor>,
}

/// The leading type of a subject that alerted.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeStatement {
    /// The answers with most votes; several are a tie.
    pub leaders: Vec<String>,
    /// Probability that the leader is ahead of the second, under a flat prior.
    pub p_ahead: f64,
    /// Whether that is enough.
    pub determined: bool,
}

/// A share of votes with its interval.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelShare {
    /// The task.
    pub task: String,
    /// The answer.
    pub answer: String,
    /// Votes for it.
    pub k: u64,
    /// Votes in all, empty ones included.
    pub n: u64,
    /// Jeffreys' 95 % interval.
    pub interval: Interval,
}

impl Tally {
    /// Folds `ballots`, which are in canonical order.
    pub(crate) fn of(ballots: &[Ballot], view: View<'_>) -> Self {
        let rules = view.policy.rules.iter().map(RuleTally::new).collect();
        let mut tally = Self { rules, ..Self::default() };
        if view.policy.repeats == Repeats::KeepLast {
            for at in last_of_each(ballots, view.policy) {
                tally.count(ballots, at, view);
            }
        } else {
            for at in 0..ballots.len() {
                tally.push(ballots, at, view);
            }
        }
        tally
    }

    /// Takes the ballot at `at`, which comes after all those before it. Not for [`Repeats::KeepLast`],
    /// where a new vote moves an old one.
    pub(crate) fn push(&mut self, ballots: &[Ballot], at: usize, view: View<'_>) {
        let ballot = &ballots[at];
        let is_each = is_each(ballot, view.policy);
        if !ballot.retracted && (is_each || self.is_first_of(ballots, &ballot.actor)) {
            self.count(ballots, at, view);
        }
    }

    /// Few are looked through, which takes no memory; many are remembered.
    fn is_first_of(&mut self, ballots: &[Ballot], actor: &Actor) -> bool {
        const FEW: usize = 32;
        if self.members.len() < FEW {
            return !self.members.iter().any(|&at| ballots[at].actor == *actor);
        }
        if self.seen.is_empty() {
            self.seen.extend(self.members.iter().map(|&at| ballots[at].actor.clone()));
        }
        self.seen.insert(actor.clone())
    }

    fn count(&mut self, ballots: &[Ballot], at: usize, view: View<'_>) {
        let policy = view.policy;
        let ballot = &ballots[at];
        self.members.push(at);
        self.n += 1;
        for (task, labels) in &*ballot.answers {
            let counts = self.labels.entry(task.clone()).or_default();
            for label in labels {
                *counts.entry(label.clone()).or_default() += 1;
            }
        }
        let is_retired = self.retired_at.is_some();
        for (rule, seen) in policy.rules.iter().zip(&mut self.rules) {
            let counts = rule.then != Then::Alert || may_alert(ballot, policy);
            if rule.looks_at(view.workflow) && counts {
                seen.count(rule, ballot, self.members.len(), is_retired, view);
            }
        }
        if is_retired {
            return;
        }
        let mut rules = policy.rules.iter().zip(&self.rules);
        let retires = rules.find(|(rule, seen)| rule.then == Then::Retire && seen.crossing.is_some());
        if let Some((rule, _)) = retires {
            (self.retired_at, self.retired_by) = (Some(self.n), Some(rule.name.clone()));
        } else if self.is_done(policy) {
            self.retired_at = Some(self.n);
        }
    }

    /// Panoptes' word for why it retired.
    #[must_use]
    pub fn reason<'a>(&self, policy: &'a Policy) -> &'a str {
        let by = self.retired_by.as_ref();
        let rule = policy.rules.iter().find(|rule| by == Some(&rule.name));
        rule.map_or("classification_count", |rule| rule.reason.as_deref().unwrap_or("consensus"))
    }

    fn is_done(&self, policy: &Policy) -> bool {
        let is_open = |(rule, seen): (&Rule, &RuleTally)| {
            seen.crossing.is_some() && self.type_of(rule).is_some_and(|stated| !stated.determined)
        };
        let cap = policy.n_max.unwrap_or(policy.retire_at);
        self.n >= policy.retire_at
            && (self.n >= cap || !policy.rules.iter().zip(&self.rules).any(is_open))
    }

    /// The type that the votes speak for; `None` where the rule states no types.
    #[must_use]
    pub fn type_of(&self, rule: &Rule) -> Option<TypeStatement> {
        let sure = rule.type_sure?;
        let none = BTreeMap::new();
        let votes = self.labels.get(&rule.task).unwrap_or(&none);
        let count = |answer| (votes.get(answer).copied().unwrap_or(0), answer);
        let mut counts: Vec<(u64, &String)> = rule.positives().into_iter().map(count).collect();
        counts.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        let top = counts.first().map_or(0, |c| c.0);
        let leaders = counts.iter().filter(|c| c.0 == top).map(|c| c.1.clone()).collect::<Vec<_>>();
        // Two components of a Dirichlet compare as a Beta does with one half.
        let p_ahead =
            counts.get(1).map_or(1.0, |second| beta_tail(top as f64 + 1.0, second.0 as f64 + 1.0, 0.5));
        Some(TypeStatement { determined: leaders.len() == 1 && p_ahead >= sure, leaders, p_ahead })
    }

    /// The first `upto` canonical ballots.
    pub fn prefix<'a>(&self, ballots: &'a [Ballot], upto: usize) -> impl Iterator<Item = &'a Ballot> {
        self.members[..upto.min(self.members.len())].iter().map(|&at| &ballots[at])
    }

    /// How many of the canonical votes come before and with the last.
    #[must_use]
    pub fn n_members(&self) -> usize {
        self.members.len()
    }

    /// Each answer's share of all votes, with its interval; in the order of tasks and answers.
    #[must_use]
    pub fn shares(&self) -> Vec<LabelShare> {
        let of = |(task, counts): (&String, &BTreeMap<String, u64>)| {
            let share = |(answer, &k): (&String, &u64)| LabelShare {
                task: task.clone(),
                answer: answer.clone(),
                k,
                n: self.n,
                interval: jeffreys(k as f64, self.n as f64, 0.95),
            };
            counts.iter().map(share).collect::<Vec<_>>()
        };
        self.labels.iter().flat_map(of).collect()
    }
}

impl RuleTally {
    fn new(rule: &Rule) -> Self {
        Self { counters: vec![Counted::default(); rule.counters().len()], ..Self::default() }
    }

    fn count(&mut self, rule: &Rule, ballot: &Ballot, upto: usize, is_retired: bool, view: View<'_>) {
        let chosen = ballot.answers.get(&rule.task).map_or(&[][..], Vec::as_slice);
        let is_positive = chosen.iter().any(|label| rule.is_positive(label));
        let is_decided = is_positive || chosen.iter().any(|label| !rule.neutral.contains(label));
        if rule.denominator == Denominator::Decided && !is_decided {
            return;
        }
        self.n += 1;
        self.k += u64::from(is_positive);
        self.count_condition(rule, ballot, view);
        if self.crossing.is_none() && self.is_met(rule, view) {
            if is_retired {
                self.after_retirement = true;
            } else {
                self.crossing = Some(Crossing { n: self.n, k: self.k, upto });
            }
        }
    }

    fn count_condition(&mut self, rule: &Rule, ballot: &Ballot, view: View<'_>) {
        let rates = |task: &str, is_positive: &dyn Fn(&str) -> bool| {
            view.skills.rates(&ballot.actor, &ballot.order, view.workflow, task, is_positive)
        };
        if rule.uses_skill() {
            self.weight += rates(&rule.task, &|answer| rule.is_positive(answer)).weight();
        }
        for (Counter { task, answers }, seen) in rule.counters().iter().zip(&mut self.counters) {
            let task = task.as_ref().unwrap_or(&rule.task);
            let is_asked = |answer: &str| answers.iter().any(|a| a == answer);
            let chosen = ballot.answers.get(task).map_or(&[][..], Vec::as_slice);
            let is_chosen = chosen.iter().any(|answer| is_asked(answer));
            seen.k += u64::from(is_chosen);
            if rule.uses_skill() {
                seen.log_odds += rates(task, &is_asked).evidence(is_chosen);
                if is_chosen {
                    seen.weight += rates(&rule.task, &|answer| rule.is_positive(answer)).weight();
                }
            }
        }
    }

    fn is_met(&self, rule: &Rule, view: View<'_>) -> bool {
        match (&rule.when, rule.min_positive, rule.min_agreement) {
            (Some(condition), _, _) => {
                let counts: Vec<u64> = self.counters.iter().map(|c| c.k).collect();
                let weights: Vec<u64> = self.counters.iter().map(|c| c.weight).collect();
                let log_odds: Vec<f64> = self.counters.iter().map(|c| c.log_odds).collect();
                condition.is_met(&Seen {
                    n: self.n,
                    counts: &counts,
                    weight: self.weight,
                    weights: &weights,
                    log_odds: &log_odds,
                    prior: view.policy.prior.value(),
                    facts: view.facts,
                })
            }
            (None, Some(k), Some(share)) => self.k >= k && share.reached(self.k, self.n),
            // Refused by the policy's check.
            _ => false,
        }
    }
}

/// Whether each vote of this ballot's actor counts by itself.
fn is_each(ballot: &Ballot, policy: &Policy) -> bool {
    match ballot.actor {
        Actor::User(_) => policy.repeats == Repeats::KeepAll,
        Actor::Anonymous(_) => policy.anonymous == Anonymous::EachEvent,
    }
}

fn may_alert(ballot: &Ballot, policy: &Policy) -> bool {
    !matches!(ballot.actor, Actor::Anonymous(_)) || policy.anonymous != Anonymous::NotForAlerts
}

/// Whether a ballot speaks for an alert by `rule`.
#[must_use]
pub fn supports(ballot: &Ballot, rule: &Rule, policy: &Policy) -> bool {
    let chosen = ballot.answers.get(&rule.task);
    may_alert(ballot, policy) && chosen.is_some_and(|c| c.iter().any(|label| rule.is_positive(label)))
}

fn last_of_each(ballots: &[Ballot], policy: &Policy) -> Vec<usize> {
    let mut seen = HashSet::new();
    let counts = |at: &usize| {
        let ballot = &ballots[*at];
        !ballot.retracted && (is_each(ballot, policy) || seen.insert(&ballot.actor))
    };
    let mut places: Vec<usize> = (0..ballots.len()).rev().filter(counts).collect();
    places.reverse();
    places
}

/// BLAKE3 over the sorted keys: two sets of votes have one hash only if they are one set.
pub fn set_hash<'a>(keys: impl Iterator<Item = &'a Key>) -> String {
    let mut keys: Vec<&Key> = keys.collect();
    keys.sort();
    let mut hasher = blake3::Hasher::new();
    for key in keys {
        // Ids hold no control characters, so that these cannot be confused with them.
        hasher.update(key.source.as_bytes()).update(&[0]).update(key.id.as_bytes()).update(b"\n");
    }
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
#[path = "canon_tests.rs"]
mod tests;
