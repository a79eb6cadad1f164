//! The votes of a project and who may be told what of those who cast them.
//!
//! Names and keys stop at [`Electorate::new`]: from there on volunteers are numbers, and no answer can hold what is
//! not here. Nobody is judged here: how people agree is `volary-crowd`'s. What is told of several people is of ten
//! or more.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use volary_core::Votes;
use volary_core::truth::Truth;
use volary_core::votes::compare_ids;
use volary_crowd::group::group_share;
use volary_crowd::skill::model::Model;
use volary_crowd::{
    Compared, Counted, CrowdError, FractionParams, Repeats, compare, counted, volunteers,
};

use super::courses::Replayed;
use super::crowd::{ClassGroup, K, QuestionClasses};
use super::what_if::WhatIf;

/// Somebody of whom the electorate knows no name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Voted without an account, so that several of them may be one person.
    pub is_anonymous: bool,
    /// Has opted out: counted, and never told of.
    pub is_out: bool,
}

/// A way of weighing votes by skill.
#[derive(Clone, Debug)]
pub struct SkillMethod {
    /// As `volary consensus --method` calls it.
    pub name: String,
    /// The same with its settings.
    pub model: Model,
}

/// What an electorate is made of.
#[derive(Debug, Default)]
pub struct ElectorateParts {
    /// The votes. Their volunteers' names are taken out of them.
    pub votes: Votes,
    /// One for each volunteer, in the order of the votes.
    pub people: Vec<Standing>,
    /// Which repeats count.
    pub repeats: Repeats,
    /// Intervals.
    pub params: FractionParams,
    /// True answers, as far as they are known.
    pub truth: Option<Truth>,
    /// Those of them that models hold fixed.
    pub gold: Option<Truth>,
    /// Ways of weighing by skill, the one that is shown first the first.
    pub methods: Vec<SkillMethod>,
}

/// The votes, without who cast them.
#[derive(Debug)]
pub struct Electorate {
    pub(crate) votes: Votes,
    pub(crate) people: Vec<Standing>,
    pub(crate) counted: Counted,
    pub(crate) params: FractionParams,
    pub(crate) truth: Option<Truth>,
    pub(crate) gold: Option<Truth>,
    pub(crate) methods: Vec<(SkillMethod, Made)>,
    /// Place of each classification in the order in which they came.
    pub(crate) rank: Vec<u32>,
    /// Classifications of each volunteer.
    pub(crate) n_classifications: Vec<u64>,
    /// Last vote on each subject, ms since 1970; `i64::MIN` where no time is known.
    pub(crate) last_ms: Vec<i64>,
    /// Workflow in which each subject was seen last.
    last_workflow: Vec<u32>,
    pub(crate) replayed: Replayed,
    weights: OnceLock<Result<Vec<f64>, CrowdError>>,
    classes: OnceLock<Result<Vec<QuestionClasses>, CrowdError>>,
    wrong: OnceLock<Result<Wrong, CrowdError>>,
}

/// What a way of weighing changes, once it was asked for.
type Made = OnceLock<Result<Arc<WhatIf>, CrowdError>>;
/// By task and place of the subject: whether the crowd's answer is wrong, of those whose answer is known.
pub(crate) type Wrong = BTreeMap<String, HashMap<u32, bool>>;

/// A group of volunteers on some subjects.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Side {
    /// Classifications of one at least and at most.
    pub(crate) range: (u64, u64),
    pub(crate) found: volary_crowd::group::GroupShare,
}

impl Electorate {
    /// Takes the votes and forgets who cast them.
    #[must_use]
    pub fn new(parts: ElectorateParts) -> Self {
        let ElectorateParts { mut votes, mut people, repeats, params, truth, gold, methods } = parts;
        people.resize(votes.volunteers.len(), Standing::default());
        // In the order in which they were, so that nothing that depends on it changes.
        for (at, name) in votes.volunteers.iter_mut().enumerate() {
            *name = format!("{at:010}");
        }
        let mut rank = vec![0; votes.n_classifications()];
        for (at, &classification) in (0..).zip(&votes.arrival) {
            rank[classification as usize] = at;
        }
        let mut n_classifications = vec![0; votes.volunteers.len()];
        votes.volunteer.iter().for_each(|&v| n_classifications[v as usize] += 1);
        let mut last_ms = vec![i64::MIN; votes.subjects.len()];
        for (&subject, &at_ms) in votes.subject.iter().zip(&votes.created_ms) {
            let last = &mut last_ms[subject as usize];
            *last = (*last).max(at_ms);
        }
        let mut last_workflow = vec![0; votes.subjects.len()];
        for &classification in &votes.arrival {
            let at = classification as usize;
            last_workflow[votes.subject[at] as usize] = votes.workflow[at];
        }
        Self {
            last_workflow,
            counted: counted(&votes, repeats),
            params,
            truth,
            gold,
            methods: methods.into_iter().map(|method| (method, OnceLock::new())).collect(),
            rank,
            n_classifications,
            last_ms,
            replayed: Replayed::default(),
            weights: OnceLock::new(),
            classes: OnceLock::new(),
            wrong: OnceLock::new(),
            votes,
            people,
        }
    }

    /// The place of a subject among the votes' subjects.
    pub(crate) fn subject(&self, id: &str) -> Option<u32> {
        let at = self.votes.subjects.binary_search_by(|known| compare_ids(known, id)).ok()?;
        u32::try_from(at).ok()
    }

    /// The workflow in which a subject was seen last, if it was seen.
    pub(crate) fn workflow(&self, id: &str) -> Option<&str> {
        let workflow = self.last_workflow[self.subject(id)? as usize];
        self.votes.workflows.get(workflow as usize).map(String::as_str)
    }

    /// The weight of each volunteer's votes: how often they agree with the others, as the mean over a band of ten
    /// people or more. A weight of one's own would be a name: with it, votes of one person could be found on all
    /// subjects.
    pub(crate) fn weights(&self) -> Result<&[f64], CrowdError> {
        let made = self.weights.get_or_init(|| {
            let rows = volunteers(&self.votes, &self.counted, &self.params)?.rows;
            let (k, n) = rows.iter().fold((0, 0), |(k, n), r| (k + r.n_agree, n + r.n_compared));
            let pooled = if n > 0 { k as f64 / n as f64 } else { 1.0 };
            let own: Vec<f64> = rows.iter().map(|r| r.agreement_shrunk.unwrap_or(pooled)).collect();
            Ok(banded(&own, &self.people))
        });
        made.as_deref().map_err(Clone::clone)
    }

    /// How often people say what the others say, question by question and answer by answer.
    pub(crate) fn classes(&self) -> Result<&[QuestionClasses], CrowdError> {
        let made = self.classes.get_or_init(|| {
            type Sums = BTreeMap<(u32, u32), BTreeMap<u32, (u64, u64)>>;
            let add = |sums: &mut Sums, one: Compared| {
                // Of a question with several answers: whether they see what the others see.
                // Sessions are nobody in particular: ten of them may be one person.
                let person = &self.people[one.volunteer as usize];
                if one.is_yes && !person.is_out && !person.is_anonymous {
                    let of = sums.entry((one.question, one.answer)).or_default();
                    let sum = of.entry(one.volunteer).or_default();
                    *sum = (sum.0 + u64::from(one.n_agree), sum.1 + u64::from(one.n));
                }
            };
            let few =
                |question: u32, _| self.votes.questions[question as usize].answers.len() <= MOST_ANSWERS;
            let mut all = Sums::new();
            for part in compare(&self.votes, &self.counted, few, Sums::new, add)? {
                for (key, of) in part {
                    let to = all.entry(key).or_default();
                    for (volunteer, (k, n)) in of {
                        let sum = to.entry(volunteer).or_default();
                        *sum = (sum.0 + k, sum.1 + n);
                    }
                }
            }
            let mut out: BTreeMap<u32, QuestionClasses> = BTreeMap::new();
            for ((index, answer), people) in all {
                let question = &self.votes.questions[index as usize];
                let found = group_share(people.into_values(), self.params.level());
                let Some(found) = found.filter(|f| f.n_people >= K as u64) else { continue };
                let group = ClassGroup::of(&question.answers[answer as usize], &found);
                let of = out.entry(index).or_insert_with(|| QuestionClasses::of(question));
                of.classes.push(group);
            }
            Ok(out.into_values().collect())
        });
        made.as_deref().map_err(Clone::clone)
    }

    /// Number of classifications from which on somebody with an account is experienced: the one of 10, 30, 100, 300
    /// and 1000 that parts the classifications most evenly, and the same for every slice, so that no two answers
    /// differ by a person.
    fn cut(&self) -> u64 {
        let accounts = || {
            self.n_classifications.iter().zip(&self.people).filter(|(_, p)| !p.is_anonymous && !p.is_out)
        };
        let n: u64 = accounts().map(|(n, _)| n).sum();
        let smaller = |cut: &u64| {
            let below: u64 = accounts().map(|(n, _)| n).filter(|n| *n < cut).sum();
            below.min(n - below)
        };
        // Of equal ones the first.
        [1_000, 300, 100, 30, 10].into_iter().max_by_key(smaller).unwrap_or(30)
    }

    /// How often new and experienced people say what the others say, on subjects; merged where one of the groups has
    /// fewer than ten, and nothing where both together have.
    pub(crate) fn sides(&self, is_meant: &[bool]) -> Result<Vec<Side>, CrowdError> {
        type Sums = BTreeMap<u32, (u64, u64)>;
        let add = |sums: &mut Sums, one: Compared| {
            let person = self.people[one.volunteer as usize];
            if !person.is_anonymous && !person.is_out {
                let sum = sums.entry(one.volunteer).or_default();
                *sum = (sum.0 + u64::from(one.n_agree), sum.1 + u64::from(one.n));
            }
        };
        let is_wanted = |_, subject: u32| is_meant.get(subject as usize).copied().unwrap_or(false);
        let mut people: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
        for part in compare(&self.votes, &self.counted, is_wanted, Sums::new, add)? {
            for (volunteer, (k, n)) in part {
                let sum = people.entry(volunteer).or_default();
                *sum = (sum.0 + k, sum.1 + n);
            }
        }
        people.retain(|_, (_, n)| *n > 0);
        let cut = self.cut();
        let is_new = |volunteer: &u32| self.n_classifications[*volunteer as usize] < cut;
        let side = |range: (u64, u64), keep: &dyn Fn(&u32) -> bool| {
            let of = people.iter().filter(|(volunteer, _)| keep(volunteer)).map(|(_, kn)| *kn);
            let found = group_share(of, self.params.level())?;
            (found.n_people >= K as u64).then_some(Side { range, found })
        };
        let both = [side((1, cut - 1), &is_new), side((cut, u64::MAX), &|v| !is_new(v))];
        Ok(match both {
            [Some(new), Some(old)] => vec![new, old],
            _ => side((1, u64::MAX), &|_| true).into_iter().collect(),
        })
    }

    /// Whether the crowd's answer is wrong, of subjects whose answer is known and on which it has one.
    pub(crate) fn wrong(&self) -> Result<&Wrong, CrowdError> {
        let made = self.wrong.get_or_init(|| {
            let mut out = Wrong::new();
            let Some(truth) = &self.truth else { return Ok(out) };
            let consensus = volary_crowd::fraction(&self.votes, &self.counted, None, &self.params)?;
            let known: std::collections::BTreeSet<&str> =
                truth.iter().map(|(_, subject, _)| subject).collect();
            for item in &consensus.items {
                let question = &self.votes.questions[item.question as usize];
                let id = self.votes.subjects[item.subject as usize].as_str();
                let volary_crowd::Outcome::Agreed(agreed) = &item.outcome else { continue };
                let listed = truth.answers(&question.task, id);
                // An empty list is an answer only where several may hold.
                if !known.contains(id) || (listed.is_empty() && !question.kind.is_multiple()) {
                    continue;
                }
                let mut said: Vec<&str> =
                    agreed.iter().map(|&a| question.answers[a as usize].as_str()).collect();
                let mut right: Vec<&str> = listed.iter().map(String::as_str).collect();
                said.sort_unstable();
                right.sort_unstable();
                out.entry(question.task.clone()).or_default().insert(item.subject, said != right);
            }
            Ok(out)
        });
        made.as_ref().map_err(Clone::clone)
    }
}

/// Questions with more answers than these are not told apart by answer.
const MOST_ANSWERS: usize = 24;

/// Values as the means of bands of people with alike values, ten in each or more; those without an account are one
/// band, however few.
fn banded(own: &[f64], people: &[Standing]) -> Vec<f64> {
    let mut out = vec![1.0; own.len()];
    let (nobody, mut accounts): (Vec<usize>, Vec<usize>) =
        (0..own.len()).partition(|&at| people[at].is_anonymous);
    accounts.sort_by(|&a, &b| own[a].total_cmp(&own[b]).then(a.cmp(&b)));
    let size = K.max(accounts.len() / 10);
    let n_bands = (accounts.len() / size).max(1);
    let bands = (0..n_bands).map(|band| {
        let end = if band + 1 == n_bands { accounts.len() } else { (band + 1) * size };
        &accounts[band * size..end]
    });
    for band in bands.chain([nobody.as_slice()]).filter(|band| !band.is_empty()) {
        let mean = band.iter().map(|&at| own[at]).sum::<f64>() / band.len() as f64;
        band.iter().for_each(|&at| out[at] = mean.max(LEAST_WEIGHT));
    }
    out
}

/// Every vote counts for something.
const LEAST_WEIGHT: f64 = 0.01;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_weight_is_that_of_fewer_than_ten_people(own in prop::collection::vec(0.0_f64..1.0, 1..150), every in 2_usize..9) {
            let people: Vec<Standing> =
                (0..own.len()).map(|at| Standing { is_anonymous: at % every == 0, is_out: false }).collect();
            let weights = banded(&own, &people);
            let accounts: Vec<usize> = (0..own.len()).filter(|at| !people[*at].is_anonymous).collect();
            for &at in &accounts {
                let same = accounts.iter().filter(|&&other| weights[other] == weights[at]).count();
                prop_assert!(same >= K.min(accounts.len()), "{same}");
            }
            // Nobody with the better agreement weighs less.
            for &a in &accounts {
                for &b in &accounts {
                    prop_assert!(own[a] <= own[b] || weights[a] >= weights[b]);
                }
            }
        }
    }
}
