//! Volunteers one by one, for admins only: under names that mean nothing outside of this run of the server.
//!
//! A name is the keyed BLAKE3 of a number, with a key that is drawn at the server's start and kept nowhere, so that
//! rows of two runs cannot be held against each other by name. Skill is the share of right answers on subjects whose
//! answer is known, by what is right, with Jeffreys' credible interval (the posterior under a Beta(½, ½) prior); below
//! twenty such answers nothing is said. There is no order by skill.

use std::collections::BTreeMap;

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use volary_core::votes::NO_ANSWER;
use volary_crowd::interval::jeffreys;
use volary_crowd::polls::{NO_YES, polls};

use super::electorate::Electorate;

/// Known answers below which nothing is said of somebody's skill.
pub(crate) const ENOUGH: u64 = 20;

/// By what the rows are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum By {
    /// Most classifications first.
    #[default]
    N,
    /// The widest intervals first; those of whom nothing is said come last.
    Uncertainty,
}

/// How often somebody is right where one answer is.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct ClassSkill {
    task: String,
    /// What is right; of a question with several answers `ANSWER: yes` and `ANSWER: no`.
    class: String,
    /// Subjects.
    n: u64,
    /// Those on which they said so.
    n_right: u64,
    skill: f64,
    skill_low: f64,
    skill_high: f64,
}

/// Somebody.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct OneView {
    /// Means nothing elsewhere, and nothing after the server's next start.
    pseudonym: String,
    n_classifications: u64,
    /// Known answers that they met, over all questions.
    n_gold: u64,
    /// Whether they met enough of them for something to be said.
    has_evidence: bool,
    skills: Vec<ClassSkill>,
}

/// All who voted without an account, as one: nobody knows who of them is who.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct AnonymousView {
    /// Sessions; one person may have several.
    pub(super) n_sessions: u64,
    pub(super) n_classifications: u64,
}

/// Sums of one class: subjects, right ones.
type Class = (u64, u64);
/// By the answer that is looked at (of a question with several) and the right label.
type Classes = BTreeMap<(Option<u32>, u32), Class>;

impl Electorate {
    /// Those who voted without an account.
    pub(crate) fn anonymous(&self) -> AnonymousView {
        let of = self.people.iter().zip(&self.n_classifications).filter(|(p, _)| p.is_anonymous);
        AnonymousView {
            n_sessions: of.clone().count() as u64,
            n_classifications: of.map(|(_, n)| n).sum(),
        }
    }

    /// Everybody with an account who has not opted out.
    pub(crate) fn one_by_one(&self, key: &[u8; 32], by: By) -> Vec<OneView> {
        let skills = self.skills();
        let mut rows: Vec<(f64, OneView)> = (0..self.people.len())
            .filter(|&at| !self.people[at].is_anonymous && !self.people[at].is_out)
            .map(|at| {
                let pseudonym = blake3::keyed_hash(key, &(at as u64).to_le_bytes());
                let pseudonym = BASE32_NOPAD.encode(&pseudonym.as_bytes()[..10]).to_ascii_lowercase();
                let none = BTreeMap::new();
                let of = skills.get(&(at as u32)).unwrap_or(&none);
                let n_gold = of.values().map(evidence).sum();
                let judged = of.iter().filter(|(_, classes)| evidence(classes) >= ENOUGH);
                let skills: Vec<ClassSkill> =
                    judged.flat_map(|(&index, classes)| self.of_task(index, classes)).collect();
                let has_evidence = !skills.is_empty();
                let widths = skills.iter().map(|s| s.skill_high - s.skill_low);
                let width = widths.fold(if has_evidence { 0.0 } else { -1.0 }, f64::max);
                let n_classifications = self.n_classifications[at];
                (width, OneView { pseudonym, n_classifications, n_gold, has_evidence, skills })
            })
            .collect();
        // Of equal ones by the pseudonym, so that the order says nothing either.
        rows.sort_by(|(width_a, a), (width_b, b)| {
            let order = match by {
                By::N => b.n_classifications.cmp(&a.n_classifications),
                By::Uncertainty => width_b.total_cmp(width_a),
            };
            order.then_with(|| a.pseudonym.cmp(&b.pseudonym))
        });
        rows.into_iter().map(|(_, row)| row).collect()
    }

    fn of_task(&self, index: u32, classes: &Classes) -> Vec<ClassSkill> {
        let question = &self.votes.questions[index as usize];
        let answer = |at: u32| question.answers[at as usize].as_str();
        let one = |(&(about, right), &(n, n_right)): (&(Option<u32>, u32), &Class)| {
            let interval = jeffreys(n_right as f64, n as f64, self.params.level());
            ClassSkill {
                task: question.task.clone(),
                class: match about {
                    None => answer(right).to_owned(),
                    Some(about) => format!("{}: {}", answer(about), NO_YES[right as usize]),
                },
                n,
                n_right,
                skill: n_right as f64 / n as f64,
                skill_low: interval.low,
                skill_high: interval.high,
            }
        };
        classes.iter().map(one).collect()
    }

    /// By volunteer, question and what is right: known answers met, and right ones.
    fn skills(&self) -> BTreeMap<u32, BTreeMap<u32, Classes>> {
        let mut out: BTreeMap<u32, BTreeMap<u32, Classes>> = BTreeMap::new();
        let Some(truth) = self.gold.as_ref().or(self.truth.as_ref()) else { return out };
        for poll in polls(&self.votes, &self.counted) {
            let known = poll.known(&self.votes, truth).answers;
            for ballot in &poll.ballots {
                let Some(right) = known[ballot.subject as usize] else { continue };
                if ballot.answer == NO_ANSWER {
                    continue;
                }
                let of = out.entry(ballot.volunteer).or_default().entry(poll.question).or_default();
                let sum = of.entry((poll.about, right)).or_default();
                *sum = (sum.0 + 1, sum.1 + u64::from(ballot.answer == right));
            }
        }
        out
    }
}

/// Known answers of a question that somebody met: where several answers may hold, a subject counts once.
fn evidence(classes: &Classes) -> u64 {
    let mut by_answer: BTreeMap<Option<u32>, u64> = BTreeMap::new();
    for ((about, _), (n, _)) in classes {
        *by_answer.entry(*about).or_default() += n;
    }
    by_answer.into_values().max().unwrap_or(0)
}
