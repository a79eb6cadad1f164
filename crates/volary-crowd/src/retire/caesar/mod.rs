//! A Caesar configuration replayed over the classifications of an export: what would it have retired?
//!
//! For each classification, in the order of time: extract, reduce the subject, test the rules, retire.
//! A retired subject takes no more classifications. Semantics follow zooniverse/caesar (2026-01): chains
//! of comparisons, falsy is only `false` and nothing, a missing reduction gives the look-up's default, a
//! rule that compares unlike things does not fire (Caesar raises an error there; here it is counted).
//! `num_votes` of a consensus reducer counts the votes for the likeliest answer alone, as it does in
//! Caesar; for all classifications look up a `count` reducer.
//!
//! Not replayed: rules about volunteers, reducers and extractors on other servers, subject metadata,
//! training filters. A rule that looks one of them up is refused, because its answer would be made up.

mod eval;
mod reduce;

use std::collections::{BTreeMap, BTreeSet};

use volary_core::Votes;
use volary_core::caesar::{
    CaesarConfig, Effect, Expr, ExtractorKind, ReducerKind, RulesApplied, Scalar, SubjectRule,
};
use volary_core::votes::NO_ANSWER;

use crate::polls::Poll;
use crate::retire::figures::{Figures, Tally};
use crate::retire::{Baseline, Ending, Outcome, Stopped};
use eval::{Bindings, evaluate};
use reduce::{Data, Extract, Extracts, Reduction};

/// Why a configuration cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CaesarError {
    /// A rule looks up what no replay can know.
    #[error("{rule} looks up {reducer:?}, {why}; a replay cannot know it")]
    CannotKnow {
        /// The rule.
        rule: String,
        /// What it looks up.
        reducer: String,
        /// Why it is unknown.
        why: String,
    },
    /// The classifications are of several workflows and the configuration names none.
    #[error(
        "the classifications are of workflows {found} and a configuration is about one: choose it with `--workflow`"
    )]
    WhichWorkflow {
        /// Those there are.
        found: String,
    },
    /// The configuration's workflow has no classifications.
    #[error("the configuration is about workflow {wanted}, the classifications are of {found}")]
    NoSuchWorkflow {
        /// The one it is about.
        wanted: String,
        /// Those there are.
        found: String,
    },
    /// No rule retires anything.
    #[error("no rule of the configuration retires subjects (`retire_subject`)")]
    NothingRetires,
    /// Rules look answers up by number and nothing says which number an answer has.
    #[error(
        "{rule} looks up answer {key:?} of {reducer:?} by its number, and the export has labels: give the workflow export with `--workflows`"
    )]
    NumbersUnknown {
        /// The rule.
        rule: String,
        /// The reducer.
        reducer: String,
        /// The number.
        key: String,
    },
}

/// What a replay must be told besides the votes.
pub struct CaesarSetting<'a> {
    /// The number under which Caesar knows an answer of (workflow, task, label); `None`: the label.
    pub answer_key: &'a dyn Fn(&str, &str, &str) -> Option<String>,
    /// Whether a volunteer's key is that of somebody who was not logged in.
    pub is_anonymous: &'a dyn Fn(&str) -> bool,
}

/// One rule's record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleRecord {
    /// Its name or place.
    pub name: String,
    /// Its effects, in words.
    pub effects: Vec<String>,
    /// Subjects on which it ever held.
    pub n_fired: u64,
    /// Subjects on which it was the first to hold.
    pub n_first: u64,
    /// Subjects that it retired.
    pub n_retired: u64,
    /// Median number of classifications when it first held.
    pub median_at: Option<f64>,
    /// Times that it could not be evaluated.
    pub n_errors: u64,
    /// The first reason why.
    pub first_error: Option<String>,
}

/// One subject's fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// Index into [`Votes::subjects`].
    pub subject: u32,
    /// Classifications taken.
    pub n_taken: u32,
    /// Classifications that there are.
    pub n_all: u32,
    /// The rule that retired it, as an index into the records.
    pub retired_by: Option<u32>,
}

/// What a configuration would have done.
#[derive(Clone, Debug, PartialEq)]
pub struct CaesarReplay {
    /// The workflow.
    pub workflow: String,
    /// Subjects, by index.
    pub fates: Vec<Fate>,
    /// The rules, in their order.
    pub rules: Vec<RuleRecord>,
    /// Retired subjects by reason.
    pub reasons: BTreeMap<String, u64>,
    /// Per classification of the votes: whether its subject was still open.
    pub taken: Vec<bool>,
    /// What a reader should know, in sentences.
    pub notes: Vec<String>,
}

/// Replays a configuration.
///
/// # Errors
/// [`CaesarError`], where the answer would be made up.
pub fn replay(
    votes: &Votes,
    config: &CaesarConfig,
    setting: &CaesarSetting<'_>,
) -> Result<CaesarReplay, CaesarError> {
    let workflow = which_workflow(votes, config)?;
    check(votes, config, setting, workflow)?;
    let said = said(votes);
    let mut subjects: BTreeMap<u32, State> = BTreeMap::new();
    let mut rules: Vec<RuleRecord> = config.rules.iter().map(record).collect();
    let mut fired_at: Vec<Vec<u32>> = vec![Vec::new(); rules.len()];
    let mut reasons = BTreeMap::new();
    let mut taken = vec![false; votes.n_classifications()];
    let maker = Maker { votes, config, setting, workflow };
    for &c in &votes.arrival {
        let at = c as usize;
        if votes.workflows[votes.workflow[at] as usize] != workflow {
            continue;
        }
        let state = subjects.entry(votes.subject[at]).or_insert_with(|| State::new(config));
        state.n_all += 1;
        if state.retired_by.is_some() {
            continue;
        }
        taken[at] = true;
        state.n_taken += 1;
        let extracts = maker.extracts(at, &said[at]);
        for (reduction, reducer) in state.reductions.iter_mut().zip(&config.reducers) {
            reduction.add(reducer, &extracts);
        }
        let reductions = state.reductions.iter().zip(&config.reducers);
        let data: Vec<Option<Data>> = reductions.map(|(r, reducer)| r.data(reducer)).collect();
        let bindings = Bindings::new(config, &data);
        for (i, rule) in config.rules.iter().enumerate() {
            match evaluate(&rule.condition, &bindings) {
                Ok(value) if value.is_truthy() => {
                    if state.fired.insert(i) {
                        rules[i].n_fired += 1;
                        fired_at[i].push(state.n_taken);
                        rules[i].n_first += u64::from(state.fired.len() == 1);
                    }
                    if let Some(reason) = retires(&rule.effects)
                        && state.retired_by.is_none()
                    {
                        state.retired_by = u32::try_from(i).ok();
                        rules[i].n_retired += 1;
                        *reasons.entry(reason.to_owned()).or_default() += 1;
                    }
                    if config.applied == RulesApplied::FirstMatching {
                        break;
                    }
                }
                Ok(_) => {}
                Err(why) => {
                    rules[i].n_errors += 1;
                    rules[i].first_error.get_or_insert(why);
                }
            }
        }
    }
    for (rule, at) in rules.iter_mut().zip(&mut fired_at) {
        at.sort_unstable();
        let middle = |at: &[u32]| 0.5 * f64::from(at[(at.len() - 1) / 2] + at[at.len() / 2]);
        rule.median_at = (!at.is_empty()).then(|| middle(at));
    }
    let fates = subjects.into_iter().map(|(subject, state)| Fate {
        subject,
        n_taken: state.n_taken,
        n_all: state.n_all,
        retired_by: state.retired_by,
    });
    let fates = fates.collect();
    Ok(CaesarReplay {
        workflow: workflow.to_owned(),
        fates,
        rules,
        reasons,
        taken,
        notes: notes(config),
    })
}

impl CaesarReplay {
    /// What the replay means for one question: the vote over the classifications taken against the vote
    /// over all, and against the truth.
    #[must_use]
    pub fn of_poll(&self, poll: &Poll, truth: &[Option<u32>], level: f64) -> (Figures, Vec<Stopped>) {
        let open = vec![None; poll.subjects.len()];
        let baseline = Baseline::new(poll, &open, truth);
        let mut outcome = Outcome::of_taken(poll, |b| self.taken[b.classification as usize]);
        for (place, subject) in poll.subjects.iter().enumerate() {
            if let Ok(at) = self.fates.binary_search_by_key(subject, |f| f.subject)
                && self.fates[at].retired_by.is_some()
            {
                outcome.ending[place] = Ending::Rule;
            }
        }
        let figures = baseline.figures(&Tally::of(&baseline.columns(&outcome, None)), level);
        (figures, baseline.stopped(&outcome, &[]))
    }

    /// Subjects retired.
    #[must_use]
    pub fn n_retired(&self) -> u64 {
        self.fates.iter().filter(|f| f.retired_by.is_some()).count() as u64
    }

    /// Median number of classifications at which subjects were retired.
    #[must_use]
    pub fn median_at_retirement(&self) -> Option<f64> {
        let mut at: Vec<u32> =
            self.fates.iter().filter(|f| f.retired_by.is_some()).map(|f| f.n_taken).collect();
        at.sort_unstable();
        let n = at.len();
        (n > 0).then(|| 0.5 * f64::from(at[(n - 1) / 2] + at[n / 2]))
    }
}

/// One subject while classifications come in.
struct State {
    n_taken: u32,
    n_all: u32,
    retired_by: Option<u32>,
    fired: BTreeSet<usize>,
    reductions: Vec<Reduction>,
}

impl State {
    fn new(config: &CaesarConfig) -> Self {
        let reductions = config.reducers.iter().map(Reduction::new).collect();
        Self { n_taken: 0, n_all: 0, retired_by: None, fired: BTreeSet::new(), reductions }
    }
}

/// Makes extracts of classifications.
struct Maker<'a> {
    votes: &'a Votes,
    config: &'a CaesarConfig,
    setting: &'a CaesarSetting<'a>,
    workflow: &'a str,
}

impl Maker<'_> {
    fn extracts(&self, classification: usize, said: &[(u32, u32)]) -> Extracts {
        let volunteer = &self.votes.volunteers[self.votes.volunteer[classification] as usize];
        let made = self.config.extractors.iter().filter_map(|extractor| {
            let data = self.data(&extractor.kind, volunteer, said)?;
            Some(Extract { key: extractor.key.clone(), data })
        });
        let user =
            (!(self.setting.is_anonymous)(volunteer)).then_some(self.votes.volunteer[classification]);
        Extracts { user, made: made.collect() }
    }

    /// The data of one extract; `None` where the task was not asked.
    fn data(&self, kind: &ExtractorKind, volunteer: &str, said: &[(u32, u32)]) -> Option<Data> {
        let of_task = |task: &str| {
            let asked = said.iter().filter(|(q, _)| self.votes.questions[*q as usize].task == task);
            let asked: Vec<(u32, u32)> = asked.copied().collect();
            (!asked.is_empty()).then_some(asked)
        };
        let mut data = Data::new();
        match kind {
            ExtractorKind::Question { task } => {
                for (q, answer) in of_task(task)? {
                    let question = &self.votes.questions[q as usize];
                    if answer == NO_ANSWER {
                        // A question with one answer that is left blank has the answer `null`.
                        if !question.kind.is_multiple() {
                            reduce::add(&mut data, "", 1.0);
                        }
                        continue;
                    }
                    let label = &question.answers[answer as usize];
                    let number = (self.setting.answer_key)(self.workflow, task, label);
                    reduce::add(&mut data, number.as_deref().unwrap_or(label), 1.0);
                }
            }
            ExtractorKind::Survey { task, nothing_here } => {
                for (q, answer) in of_task(task)? {
                    if answer != NO_ANSWER {
                        let label = &self.votes.questions[q as usize].answers[answer as usize];
                        reduce::add(&mut data, label, 1.0);
                    }
                }
                if let (true, Some(choice)) = (data.is_empty(), nothing_here) {
                    reduce::add(&mut data, choice, 1.0);
                }
            }
            ExtractorKind::Blank { task } => {
                let blank = of_task(task).is_none_or(|all| all.iter().all(|(_, a)| *a == NO_ANSWER));
                data.push(("blank".to_owned(), Scalar::Bool(blank)));
            }
            ExtractorKind::Who => {
                let who = if (self.setting.is_anonymous)(volunteer) {
                    Scalar::Null
                } else {
                    Scalar::Text(volunteer.to_owned())
                };
                data.push(("user_id".to_owned(), who));
            }
            ExtractorKind::Outside(_) => return None,
        }
        Some(data)
    }
}

/// Per classification: (question, answer) of each vote.
fn said(votes: &Votes) -> Vec<Vec<(u32, u32)>> {
    let mut said = vec![Vec::new(); votes.n_classifications()];
    for vote in &votes.votes {
        said[vote.classification as usize].push((vote.question, vote.answer));
    }
    said
}

fn which_workflow<'v>(votes: &'v Votes, config: &CaesarConfig) -> Result<&'v str, CaesarError> {
    let found = || votes.workflows.join(", ");
    match (&config.workflow, votes.workflows.as_slice()) {
        // A label table has no workflow; then there is nothing to tell apart.
        (_, [only]) if only.is_empty() => Ok(only),
        (Some(wanted), all) => match all.iter().find(|w| *w == wanted) {
            Some(workflow) => Ok(workflow),
            None => Err(CaesarError::NoSuchWorkflow { wanted: wanted.clone(), found: found() }),
        },
        (None, [only]) => Ok(only),
        (None, []) => Ok(""),
        (None, _) => Err(CaesarError::WhichWorkflow { found: found() }),
    }
}

fn retires(effects: &[Effect]) -> Option<&str> {
    effects.iter().find_map(|effect| match effect {
        Effect::Retire { reason } => Some(reason.as_str()),
        Effect::Other { .. } => None,
    })
}

fn record(rule: &SubjectRule) -> RuleRecord {
    let effects = rule.effects.iter().map(|effect| match effect {
        Effect::Retire { reason } => format!("retire_subject ({reason})"),
        Effect::Other { action } => action.clone(),
    });
    RuleRecord { name: rule.name.clone(), effects: effects.collect(), ..RuleRecord::default() }
}

/// Refuses rules whose answer would be made up.
fn check(
    votes: &Votes,
    config: &CaesarConfig,
    setting: &CaesarSetting<'_>,
    workflow: &str,
) -> Result<(), CaesarError> {
    if !config.rules.iter().any(|r| retires(&r.effects).is_some()) {
        return Err(CaesarError::NothingRetires);
    }
    let has_numbers = has_numbers(votes, config, setting, workflow);
    for rule in &config.rules {
        let mut failed = None;
        rule.condition.walk(&mut |expr| {
            let (reducer, key) = match expr {
                Expr::Lookup { reducer, key, .. } => (reducer, key.as_deref()),
                Expr::Any(reducer, _) | Expr::All(reducer, _) => (reducer, None),
                _ => return,
            };
            let problem = cannot_know(config, reducer).map(|why| CaesarError::CannotKnow {
                rule: rule.name.clone(),
                reducer: reducer.clone(),
                why,
            });
            let numbers = || {
                let key = key.filter(|k| !k.is_empty() && k.bytes().all(|b| b.is_ascii_digit()))?;
                let known = has_numbers || !sums_answers(config, reducer);
                (!known).then(|| CaesarError::NumbersUnknown {
                    rule: rule.name.clone(),
                    reducer: reducer.clone(),
                    key: key.to_owned(),
                })
            };
            if failed.is_none() {
                failed = problem.or_else(numbers);
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
    }
    Ok(())
}

fn cannot_know(config: &CaesarConfig, name: &str) -> Option<String> {
    // The names that `any` and `all` bind.
    if matches!(name, "key" | "value") {
        return None;
    }
    if name == "subject" {
        return Some("the subject's metadata, which votes do not hold".to_owned());
    }
    let Some(reducer) = config.reducers.iter().find(|r| r.key == name) else {
        return Some("a reducer that the configuration does not have".to_owned());
    };
    if let ReducerKind::Outside(kind) = &reducer.kind {
        return Some(format!("a reducer of type {kind}, which works on another server"));
    }
    if reducer.by_user {
        return Some("a reducer about volunteers".to_owned());
    }
    let keys = &reducer.filters.extractor_keys;
    let outside = config.extractors.iter().find_map(|e| match &e.kind {
        ExtractorKind::Outside(kind) if keys.is_empty() || keys.contains(&e.key) => Some((&e.key, kind)),
        _ => None,
    });
    let (key, kind) = outside?;
    Some(format!("a reducer of extractor {key:?} of type {kind}, which a replay does not have"))
}

/// Whether a reducer gives data by answer.
fn sums_answers(config: &CaesarConfig, reducer: &str) -> bool {
    let Some(reducer) = config.reducers.iter().find(|r| r.key == reducer) else { return false };
    let of_answers = matches!(reducer.kind, ReducerKind::Stats | ReducerKind::FirstExtract);
    let keys = &reducer.filters.extractor_keys;
    of_answers
        && config.extractors.iter().any(|e| {
            matches!(e.kind, ExtractorKind::Question { .. })
                && (keys.is_empty() || keys.contains(&e.key))
        })
}

/// Whether the answers' numbers are known: from the workflow, or because labels are numbers.
fn has_numbers(
    votes: &Votes,
    config: &CaesarConfig,
    setting: &CaesarSetting<'_>,
    workflow: &str,
) -> bool {
    let tasks: Vec<&str> = config
        .extractors
        .iter()
        .filter_map(|e| match &e.kind {
            ExtractorKind::Question { task } => Some(task.as_str()),
            _ => None,
        })
        .collect();
    let asked =
        votes.questions.iter().filter(|q| q.workflow == workflow && tasks.contains(&q.task.as_str()));
    let mut labels = asked.flat_map(|q| q.answers.iter().map(|a| (q.task.as_str(), a)));
    labels.all(|(task, label)| {
        (setting.answer_key)(workflow, task, label).is_some()
            || label.bytes().all(|b| b.is_ascii_digit())
    })
}

/// Sentences about what people get wrong.
fn notes(config: &CaesarConfig) -> Vec<String> {
    let mut notes = BTreeSet::new();
    for rule in &config.rules {
        rule.condition.walk(&mut |expr| {
            let Expr::Lookup { reducer, key: Some(key), .. } = expr else { return };
            let is_consensus =
                config.reducers.iter().any(|r| r.key == *reducer && r.kind == ReducerKind::Consensus);
            if key == "num_votes" && is_consensus {
                notes.insert(format!(
                    "{reducer}.num_votes counts the votes for the likeliest answer, not all votes; a count \
                     reducer's `classifications` counts all"
                ));
            }
        });
    }
    notes.into_iter().collect()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
