//! How the consensus on a subject came about, vote by vote, and at which vote a rule would have retired it.
//!
//! The last share is that of `volary consensus`, and the vote of a rule is that of `volary retire`: rules that look at
//! one subject are replayed over that subject's votes, and those that learn from all (SWAP, a fitted prior) over all
//! of them, once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use utoipa::ToSchema;
use volary_core::votes::{NO_ANSWER, Vote};
use volary_crowd::polls::{Ballot, Poll, polls};
use volary_crowd::retire::{BetaPrior, Ending, Rule, Stopped, StudyError, StudyParams, study};

use super::electorate::Electorate;
use crate::routes::time;

/// The consensus after a vote.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct StepView {
    /// When, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    /// What was answered; empty for one who saw it and chose nothing.
    answers: Vec<String>,
    /// People who have seen it so far.
    n: u64,
    /// Those of them whose votes the shares are of: who answered, where one answer holds; who saw it, where several
    /// may.
    n_of: u64,
    /// Votes for each answer so far, in the order of the answers.
    n_votes: Vec<u64>,
    /// Its share, by answer: the value and the ends of its interval.
    share: Vec<[f64; 3]>,
    /// The same with votes weighed by how often people agree with the others.
    weighted: Vec<[f64; 3]>,
}

/// Where a rule draws its line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct Threshold {
    /// Votes at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) n: Option<u64>,
    /// Share of the answer at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) share: Option<f64>,
    /// The answer that it is about; absent where it is any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) answer: Option<String>,
}

/// When a rule would have retired a subject.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct RuleView {
    /// As `volary retire --rule` takes it.
    rule: String,
    /// The answer that was decided on, of a question with several.
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<String>,
    /// The vote after which it would have; absent where it never would.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<u32>,
    /// The answer then; absent for a tie.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    /// The answer of all votes.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer_all: Option<String>,
    threshold: Threshold,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct QuestionView {
    workflow_id: String,
    task: String,
    /// Whether several answers may hold.
    is_multiple: bool,
    answers: Vec<String>,
    /// Vote by vote.
    steps: Vec<StepView>,
    /// What each rule would have done; none where its answer is known, since such a subject never retires.
    rules: Vec<RuleView>,
}

/// Rules that need all votes, replayed: what became of every subject of every poll.
#[derive(Debug, Default)]
pub(crate) struct Replayed(Mutex<Vec<(String, Arc<Vec<Whole>>)>>);

/// Rules that are kept.
const MOST_KEPT: usize = 8;

#[derive(Debug)]
struct Whole {
    question: u32,
    about: Option<u32>,
    subjects: Vec<u32>,
    labels: Vec<String>,
    stopped: Vec<Stopped>,
}

/// Rules that are shown where none is asked for: those that look at a subject alone.
pub(crate) fn usual() -> Vec<Rule> {
    Rule::defaults().into_iter().filter(|rule| !needs_all(rule)).collect()
}

fn needs_all(rule: &Rule) -> bool {
    matches!(rule, Rule::Swap(_) | Rule::Beta { prior: BetaPrior::Fitted, .. })
}

fn threshold(rule: &Rule) -> Threshold {
    let of = |n: u32, share: f64| Threshold { n: Some(n.into()), share: Some(share), answer: None };
    match rule {
        Rule::Count { n } => Threshold { n: Some((*n).into()), ..Threshold::default() },
        Rule::Agree { n, share } => of(*n, *share),
        Rule::Positive { n, share, answer } => {
            Threshold { answer: Some(answer.clone()), ..of(*n, *share) }
        }
        Rule::First { m } => of(*m, 1.0),
        Rule::Beta { .. } => Threshold { share: Some(0.5), ..Threshold::default() },
        Rule::Sprt { .. } | Rule::Swap(_) => Threshold::default(),
    }
}

impl Electorate {
    /// How the consensus on a subject came about, and what these rules would have done.
    pub(crate) fn courses(
        &self,
        id: &str,
        rules: &[Rule],
    ) -> Result<Vec<QuestionView>, volary_crowd::CrowdError> {
        let Some(subject) = self.subject(id) else { return Ok(Vec::new()) };
        let weights = self.weights()?;
        let mut out = Vec::new();
        for (index, question) in (0..).zip(&self.votes.questions) {
            let all = self.votes.of_question(index);
            let from = all.partition_point(|v| self.votes.subject_of(*v) < subject);
            let to = all.partition_point(|v| self.votes.subject_of(*v) <= subject);
            let mut cast: Vec<Vote> = all[from..to].to_vec();
            cast.retain(|v| self.counted.counts[v.classification as usize]);
            cast.sort_by_key(|v| (self.rank[v.classification as usize], v.answer));
            cast.dedup();
            if cast.is_empty() {
                continue;
            }
            let mut given: Vec<u32> =
                cast.iter().map(|v| v.answer).filter(|a| *a != NO_ANSWER).collect();
            given.sort_unstable();
            given.dedup();
            let steps = self.steps(&cast, &given, question.kind.is_multiple(), weights);
            let rules = self.ruled(index, &given, subject, &cast, rules);
            out.push(QuestionView {
                workflow_id: question.workflow.clone(),
                task: question.task.clone(),
                is_multiple: question.kind.is_multiple(),
                answers: given.iter().map(|&a| question.answers[a as usize].clone()).collect(),
                steps,
                rules,
            });
        }
        Ok(out)
    }

    fn steps(&self, cast: &[Vote], given: &[u32], is_multiple: bool, weights: &[f64]) -> Vec<StepView> {
        let mut n_votes = vec![0_u64; given.len()];
        let mut sums = vec![0.0; given.len()];
        let (mut n, mut n_of, mut weight, mut weight_squared) = (0_u64, 0_u64, 0.0, 0.0);
        let mut steps = Vec::new();
        for one in cast.chunk_by(|a, b| a.classification == b.classification) {
            let own = weights[self.votes.volunteer_of(one[0]) as usize];
            let said = one.iter().filter(|v| v.answer != NO_ANSWER);
            let mut answers = Vec::new();
            n += 1;
            if is_multiple || said.clone().next().is_some() {
                (n_of, weight, weight_squared) = (n_of + 1, weight + own, weight_squared + own * own);
            }
            for vote in said {
                let place = given.binary_search(&vote.answer).unwrap_or_default();
                (n_votes[place], sums[place]) = (n_votes[place] + 1, sums[place] + own);
                let question = &self.votes.questions[vote.question as usize];
                answers.push(question.answers[vote.answer as usize].clone());
            }
            let around = |k: f64, n: f64| {
                let interval = self.params.around(k, n, None);
                [if n > 0.0 { k / n } else { 0.0 }, interval.low, interval.high]
            };
            // A weighted share is as sure as that of (Σw)²/Σw² votes (Kish 1965).
            let n_effective = if weight_squared > 0.0 { weight * weight / weight_squared } else { 0.0 };
            let scale = if weight > 0.0 { n_effective / weight } else { 0.0 };
            let at_ms = self.votes.created_ms[one[0].classification as usize];
            steps.push(StepView {
                at: (at_ms != i64::MIN).then(|| time(at_ms)),
                answers,
                n,
                n_of,
                n_votes: n_votes.clone(),
                share: n_votes.iter().map(|&k| around(k as f64, n_of as f64)).collect(),
                weighted: sums
                    .iter()
                    .map(|&sum| around((sum * scale).min(n_effective), n_effective))
                    .collect(),
            });
        }
        steps
    }

    /// What rules would have done with a subject.
    fn ruled(
        &self,
        index: u32,
        given: &[u32],
        subject: u32,
        cast: &[Vote],
        rules: &[Rule],
    ) -> Vec<RuleView> {
        let question = &self.votes.questions[index as usize];
        let abouts: Vec<Option<u32>> = match question.kind.is_multiple() {
            true => given.iter().copied().map(Some).collect(),
            false => vec![None],
        };
        let mut out = Vec::new();
        for rule in rules {
            for &about in &abouts {
                let found = match needs_all(rule) {
                    true => {
                        self.replayed(rule).ok().and_then(|all| of_whole(&all, (index, about), subject))
                    }
                    false => self.alone(index, about, subject, cast, rule),
                };
                let Some((stopped, labels)) = found else { continue };
                let label = |at: Option<u32>| at.and_then(|at| labels.get(at as usize).cloned());
                out.push(RuleView {
                    rule: rule.to_string(),
                    about: about.map(|a| question.answers[a as usize].clone()),
                    at: (stopped.ending == Ending::Rule).then_some(stopped.n_taken),
                    answer: label(stopped.answer),
                    answer_all: label(stopped.answer_all),
                    threshold: threshold(rule),
                });
            }
        }
        out
    }

    /// A rule that looks at one subject, over that subject's votes.
    fn alone(
        &self,
        index: u32,
        about: Option<u32>,
        subject: u32,
        cast: &[Vote],
        rule: &Rule,
    ) -> Option<(Stopped, Vec<String>)> {
        let question = &self.votes.questions[index as usize];
        let labels = match about {
            None => question.answers.clone(),
            Some(_) => volary_crowd::polls::NO_YES.map(str::to_owned).to_vec(),
        };
        let ballot = |one: &[Vote]| Ballot {
            classification: one[0].classification,
            subject: 0,
            volunteer: 0,
            answer: match about {
                None => one[0].answer,
                Some(about) => u32::from(one.iter().any(|v| v.answer == about)),
            },
        };
        let ballots = cast.chunk_by(|a, b| a.classification == b.classification).map(ballot).collect();
        let poll =
            Poll { question: index, about, labels, subjects: vec![subject], ballots, n_untimed: 0 };
        let gold = match &self.gold {
            Some(gold) => poll.known(&self.votes, gold).answers,
            None => vec![None],
        };
        let rules = std::slice::from_ref(rule);
        let found = study(&poll, 1, (&gold, &[None]), rules, &StudyParams::default()).ok()?;
        let is_about = found.has_answer(0);
        let stopped = found.rules.first()?.subjects.first().cloned().filter(|_| is_about)?;
        Some((stopped, poll.labels))
    }

    /// A rule that learns from all votes, over all of them; kept for the next subject.
    fn replayed(&self, rule: &Rule) -> Result<Arc<Vec<Whole>>, StudyError> {
        let name = rule.to_string();
        let mut kept = self.replayed.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, found)) = kept.iter().find(|(known, _)| *known == name) {
            return Ok(Arc::clone(found));
        }
        let mut all = Vec::new();
        for poll in polls(&self.votes, &self.counted) {
            let none = vec![None; poll.subjects.len()];
            let gold = match &self.gold {
                Some(gold) => poll.known(&self.votes, gold).answers,
                None => none.clone(),
            };
            let rules = std::slice::from_ref(rule);
            let found = study(
                &poll,
                self.votes.volunteers.len(),
                (&gold, &none),
                rules,
                &StudyParams::default(),
            )?;
            let is_about = found.has_answer(0);
            let stopped = found.rules.into_iter().next().filter(|_| is_about).map(|one| one.subjects);
            let Poll { question, about, subjects, labels, .. } = poll;
            all.push(Whole { question, about, subjects, labels, stopped: stopped.unwrap_or_default() });
        }
        // Somebody who asks for every rule must not fill the memory.
        if kept.len() >= MOST_KEPT {
            kept.remove(0);
        }
        let all = Arc::new(all);
        kept.push((name, Arc::clone(&all)));
        Ok(all)
    }
}

fn of_whole(
    all: &[Whole],
    (index, about): (u32, Option<u32>),
    subject: u32,
) -> Option<(Stopped, Vec<String>)> {
    let whole = all.iter().find(|w| w.question == index && w.about == about)?;
    let place = u32::try_from(whole.subjects.binary_search(&subject).ok()?).ok()?;
    let by_subject: BTreeMap<u32, &Stopped> = whole.stopped.iter().map(|s| (s.subject, s)).collect();
    Some(((*by_subject.get(&place)?).clone(), whole.labels.clone()))
}
