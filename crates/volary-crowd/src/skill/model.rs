//! From votes to a consensus by a skill model: one question after the other, every answer of a question
//! with several by itself, with gold subjects, weights and a machine's score.
//!
//! The counted fractions stay as they are; the model adds a probability with an interval to every answer
//! and decides the outcome by it. Questions that no model fits (sliders, questions nobody answered) keep
//! the outcome of the count.

use std::collections::BTreeSet;

use volary_core::Votes;
use volary_core::truth::Truth;
use volary_core::votes::{NO_ANSWER, Question, QuestionKind, compare_ids};

use crate::consensus::{Consensus, Item, Outcome, is_tie};
use crate::error::CrowdError;
use crate::repeats::Counted;
use crate::skill::ballots::{Ballots, Panel};
use crate::skill::choose::{Choice, SLOW, candidates, choose};
use crate::skill::dawid_skene::{DawidSkene, Variant};
use crate::skill::em;
use crate::skill::fit::{Fit, Probability};
use crate::skill::glad::Glad;
use crate::skill::ibcc::Ibcc;
use crate::skill::mace::Mace;
use crate::skill::machine;
use crate::skill::sequential::Sequential;
use crate::skill::weighted::Weighted;
use crate::weights::Weights;

/// A model with its settings.
#[derive(Clone, Debug, PartialEq)]
pub enum Model {
    /// Dawid–Skene, one of five variants.
    DawidSkene(DawidSkene),
    /// Variational IBCC.
    Ibcc(Ibcc),
    /// Ability and easiness.
    Glad(Glad),
    /// Competence and spam.
    Mace(Mace),
    /// Wawa and its iterated form.
    Weighted(Weighted),
    /// SWAP, vote after vote.
    Swap(Sequential),
}

impl Model {
    /// Its name, with the setting that tells it from its relatives.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::DawidSkene(m) if m.variant == Variant::Shrunk && m.pseudo_votes >= 1e6 => {
                "the crowd's pooled matrix".to_owned()
            }
            Self::DawidSkene(m) if m.variant == Variant::Shrunk => {
                format!("dawid-skene shrunk, {} pseudo-votes", m.pseudo_votes)
            }
            Self::DawidSkene(m) => format!("dawid-skene {}", m.variant.as_str()),
            Self::Ibcc(_) => "ibcc".to_owned(),
            Self::Glad(_) => "glad".to_owned(),
            Self::Mace(_) => "mace".to_owned(),
            Self::Weighted(m) if m.iterated => "iwmv".to_owned(),
            Self::Weighted(_) => "wawa".to_owned(),
            Self::Swap(_) => "swap".to_owned(),
        }
    }

    /// Whether it says how likely a vote is that it has not seen.
    #[must_use]
    pub fn predicts_votes(&self) -> bool {
        !matches!(self, Self::Weighted(_) | Self::Swap(_))
    }

    /// Whether a voter may have labels of their own (the bins of a machine's score).
    #[must_use]
    pub fn takes_bins(&self) -> bool {
        matches!(self, Self::DawidSkene(_) | Self::Ibcc(_))
    }

    /// Fits one question's votes.
    ///
    /// # Errors
    /// [`CrowdError::Ballots`] for SWAP, which needs to know the order of the votes: see
    /// [`Model::fit_panel`].
    pub fn fit(&self, ballots: &Ballots) -> Result<Fit, CrowdError> {
        Ok(match self {
            Self::DawidSkene(model) => model.fit(ballots),
            Self::Ibcc(model) => model.fit(ballots),
            Self::Glad(model) => model.fit(ballots),
            Self::Mace(model) => model.fit(ballots),
            Self::Weighted(model) => model.fit(ballots),
            Self::Swap(_) => {
                return Err(CrowdError::Ballots { what: "SWAP needs the order of the votes" });
            }
        })
    }

    /// Fits a panel, whose classes are called `names`.
    ///
    /// # Errors
    /// [`CrowdError::Swap`] for a prior that SWAP cannot start from.
    pub fn fit_panel(&self, panel: &Panel, names: &[String]) -> Result<Fit, CrowdError> {
        match self {
            Self::Swap(model) => Ok(model.fit(panel, names)?),
            other => other.fit(&panel.ballots),
        }
    }
}

/// How a model is picked for each question.
#[derive(Clone, Debug, PartialEq)]
pub enum Pick {
    /// The same for all.
    Fixed(Model),
    /// The best of the candidates, by gold or by held-out votes.
    Auto {
        /// Seed of what is hidden.
        seed: u64,
    },
}

/// Everything that goes into a model besides the votes.
#[derive(Clone, Debug, Default)]
pub struct Extras<'a> {
    /// Weights of classifications.
    pub weights: Option<&'a Weights>,
    /// Known answers, held fixed.
    pub gold: Option<&'a Truth>,
    /// A machine's scores: (task, or "" for all; subject; answer; score).
    pub machine: Option<&'a MachineTable>,
    /// Least log-likelihood ratio (nats) by which a vote must speak for its own answer against every
    /// other; `None` lets a model turn a vote round.
    pub vote_floor: Option<f64>,
}

/// A machine's scores by subject and answer.
pub type MachineTable = std::collections::BTreeMap<(String, String), f64>;

/// A model fitted to one question or one answer of it.
#[derive(Clone, Debug)]
pub struct QuestionFit {
    /// The votes.
    pub panel: Panel,
    /// The model.
    pub model: Model,
    /// What it found.
    pub fit: Fit,
    /// How it was chosen, where it was.
    pub choice: Option<Choice>,
}

/// A consensus with the fits behind it.
#[derive(Clone, Debug, Default)]
pub struct ModelConsensus {
    /// Fractions, and probabilities where a model gave some.
    pub consensus: Consensus,
    /// By question and answer.
    pub fits: Vec<QuestionFit>,
    /// What was wrong with the gold subjects.
    pub gold_problems: Vec<GoldProblem>,
    /// Gold subjects used, over all questions.
    pub n_gold: u64,
}

/// Gold that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GoldProblem {
    /// Nobody voted on the subject.
    UnknownSubject {
        /// Its id.
        subject: String,
    },
    /// The task has no such answer.
    UnknownAnswer {
        /// The task.
        task: String,
        /// The subject.
        subject: String,
        /// The answer.
        answer: String,
    },
    /// Two answers to a question that takes one.
    Contradiction {
        /// The task.
        task: String,
        /// The subject.
        subject: String,
    },
}

/// Fits every question and puts the probabilities beside the fractions of `counted_consensus`.
///
/// # Errors
/// [`CrowdError::Length`] and [`CrowdError::Weight`] for weights that do not belong to the votes or are not
/// positive; [`CrowdError::Swap`] for a prior that SWAP cannot start from.
pub fn model_consensus(
    votes: &Votes,
    counted: &Counted,
    counted_consensus: Consensus,
    pick: &Pick,
    extras: &Extras<'_>,
    level: f64,
) -> Result<ModelConsensus, CrowdError> {
    if let Some(weights) = extras.weights {
        weights.check(votes)?;
    }
    let mut result = ModelConsensus { consensus: counted_consensus, ..ModelConsensus::default() };
    // Two workflows may have a task of the same key: gold about one of them is no problem of the other.
    let mut used = BTreeSet::<(&str, u32)>::new();
    for (index, question) in (0..).zip(&votes.questions) {
        if question.kind == QuestionKind::Slider || result.consensus.of_question(index).is_empty() {
            continue;
        }
        let gold = extras.gold.map(|truth| {
            let gold = gold_of(votes, index, truth, &mut result.gold_problems);
            used.extend(gold.iter().map(|(subject, _)| (question.task.as_str(), *subject)));
            gold
        });
        let gold = gold.unwrap_or_default();
        let scores = extras.machine.map(|table| scores_of(votes, question, table)).unwrap_or_default();
        let mut n_gold = 0;
        let answers: Vec<Option<u32>> = if question.kind.is_multiple() {
            (0..).take(question.answers.len()).map(Some).collect()
        } else {
            vec![None]
        };
        for answer in answers {
            let panel = match answer {
                Some(answer) => {
                    Panel::of_answer(votes, counted, (index, answer), &gold, extras.weights)?
                }
                None => Panel::of_question(votes, counted, index, &gold, extras.weights)?,
            };
            let panel = match pick {
                Pick::Fixed(model) if !model.takes_bins() => machine::add_answers(panel, &scores)?,
                _ => machine::add(panel, &scores)?,
            };
            n_gold =
                panel.ballots.golds().iter().filter(|&&g| g != crate::skill::NO_GOLD).count() as u64;
            let (model, choice) = match pick {
                Pick::Fixed(model) => (model.clone(), None),
                Pick::Auto { seed } => {
                    let few = panel.ballots.n_votes() <= SLOW;
                    let choice = choose(&panel.ballots, candidates(few, *seed, level), *seed)?;
                    (choice.model().clone(), Some(choice))
                }
            };
            // SWAP's later votes stand on earlier ones, so that it has to know of the floor itself.
            let model = match (model, extras.vote_floor) {
                (Model::Swap(swap), Some(_)) => {
                    Model::Swap(Sequential { vote_floor: extras.vote_floor, ..swap })
                }
                (model, _) => model,
            };
            let mut fitted = model.fit_panel(&panel, &class_names(question, &panel))?;
            if let (Some(floor), false) = (extras.vote_floor, matches!(model, Model::Swap(_))) {
                let_every_vote_count(&panel.ballots, &mut fitted, floor);
            }
            let intervals = fitted.intervals(&panel.ballots, level);
            put(&mut result.consensus, &panel, &fitted, &intervals);
            result.fits.push(QuestionFit { panel, model, fit: fitted, choice });
        }
        result.n_gold += n_gold;
    }
    decide(votes, &mut result.consensus);
    result.gold_problems.retain(|problem| match problem {
        GoldProblem::UnknownAnswer { task, subject, .. } => {
            !subject_at(votes, subject).is_some_and(|at| used.contains(&(task.as_str(), at)))
        }
        GoldProblem::UnknownSubject { .. } | GoldProblem::Contradiction { .. } => true,
    });
    result.gold_problems.sort();
    result.gold_problems.dedup();
    result.consensus.method = match pick {
        Pick::Fixed(model) => format!("{}, intervals at {level}", model.name()),
        Pick::Auto { .. } => format!("chosen for each question, intervals at {level}"),
    };
    Ok(result)
}

/// What the classes of a panel are called: answers, or `no` and `yes`.
#[must_use]
pub fn class_names(question: &Question, panel: &Panel) -> Vec<String> {
    match panel.answer {
        Some(_) => crate::polls::NO_YES.map(str::to_owned).to_vec(),
        None => panel.classes.iter().map(|&a| question.answers[a as usize].clone()).collect(),
    }
}

/// The known (subject, answer) pairs of a question, sorted; see [`Panel`].
pub fn gold_of(
    votes: &Votes,
    question: u32,
    truth: &Truth,
    problems: &mut Vec<GoldProblem>,
) -> Vec<(u32, u32)> {
    let about = &votes.questions[question as usize];
    let mut gold = Vec::new();
    for (task, subject, answers) in truth.iter() {
        if !(task.is_empty() || task == about.task) {
            continue;
        }
        let Some(at) = subject_at(votes, subject) else {
            problems.push(GoldProblem::UnknownSubject { subject: subject.to_owned() });
            continue;
        };
        let known: Vec<u32> = answers.iter().filter_map(|a| answer_of(about, a)).collect();
        if known.len() < answers.len() && !task.is_empty() {
            let missing = answers.iter().find(|a| answer_of(about, a).is_none()).cloned();
            let (task, subject) = (task.to_owned(), subject.to_owned());
            let answer = missing.unwrap_or_default();
            problems.push(GoldProblem::UnknownAnswer { task, subject, answer });
            continue;
        }
        if about.kind.is_multiple() {
            // A truth for every task that names answers of another question says nothing of this one.
            if known.is_empty() && answers.is_empty() {
                gold.push((at, NO_ANSWER));
            }
            gold.extend(known.into_iter().map(|answer| (at, answer)));
        } else {
            match known.as_slice() {
                [] => {}
                [only] => gold.push((at, *only)),
                _ => problems.push(GoldProblem::Contradiction {
                    task: about.task.clone(),
                    subject: subject.to_owned(),
                }),
            }
        }
    }
    gold.sort_unstable();
    gold
}

fn subject_at(votes: &Votes, id: &str) -> Option<u32> {
    let at = votes.subjects.binary_search_by(|s| compare_ids(s, id)).ok()?;
    Some(u32::try_from(at).expect("u32 subjects"))
}

fn answer_of(question: &Question, label: &str) -> Option<u32> {
    let at = question.answers.binary_search_by(|a| compare_ids(a, label)).ok()?;
    Some(u32::try_from(at).expect("u32 answers"))
}

/// A machine's scores of one question, sorted by subject and answer.
fn scores_of(votes: &Votes, question: &Question, table: &MachineTable) -> Vec<(u32, u32, f64)> {
    let mut scores: Vec<(u32, u32, f64)> = table
        .iter()
        .filter_map(|((subject, answer), &score)| {
            Some((subject_at(votes, subject)?, answer_of(question, answer)?, score))
        })
        .collect();
    scores.sort_by_key(|s| (s.0, s.1));
    scores
}

/// Judges the items again with every person's vote speaking for its own answer by at least `floor` nats
/// against every other answer. (SWAP does it while it goes; the weighted votes have a floor of their own.)
fn let_every_vote_count(ballots: &Ballots, fit: &mut Fit, floor: f64) {
    let k = ballots.n_classes();
    let has_ratios = !(fit.log_easiness.is_empty() && fit.spam.is_empty());
    if k < 2 || fit.matrices.n_volunteers() == 0 && !has_ratios {
        return;
    }
    if fit.matrices.n_volunteers() == 0 {
        return judge_by_ratios(ballots, fit, floor);
    }
    let mut rows = vec![0.0; ballots.n_slots() * k];
    let matrices = &fit.matrices;
    em::each_volunteer(ballots, &mut rows, |w, own| {
        let n = matrices.n_labels(w);
        let chances = matrices.chances(w);
        for (slot, row) in ballots.slots_of(w).zip(own.chunks_exact_mut(k)) {
            let label = ballots.label(slot);
            for (truth, cell) in row.iter_mut().enumerate() {
                *cell = chances[truth * n + label].max(1e-10).ln();
            }
            if ballots.is_person(w) {
                let rival = (0..k).filter(|&j| j != label).map(|j| row[j]).fold(f64::MIN, f64::max);
                row[label] = row[label].max(rival + floor);
            }
        }
    });
    let log_prior: Vec<f64> = fit.prevalence.iter().map(|p| p.max(1e-300).ln()).collect();
    em::judge(ballots, &rows, &log_prior, &mut fit.posterior);
}

/// The same for GLAD and MACE, in which a vote speaks for its own answer against all others alike: by
/// log P(answer | it is true) / P(answer | another is), from the abilities as they were found.
fn judge_by_ratios(ballots: &Ballots, fit: &mut Fit, floor: f64) {
    let (k, owner, person) = (ballots.n_classes(), ballots.volunteer_of_slots(), ballots.person_slots());
    let others = (k - 1) as f64;
    let ratio = |item: usize, slot: usize| {
        let w = owner[slot] as usize;
        let ability = fit.abilities[w].value;
        match fit.log_easiness.get(item) {
            // GLAD: σ(z) against (1 − σ(z)) / (K − 1).
            Some((log_easiness, _)) => ability * log_easiness.exp() + others.ln(),
            None => {
                let spam = ((1.0 - ability) * fit.spam[w * k + ballots.label(slot)]).max(1e-300);
                ((ability + spam) / spam).ln()
            }
        }
    };
    let log_prior: Vec<f64> = fit.prevalence.iter().map(|p| p.max(1e-300).ln()).collect();
    let mut posterior = vec![0.0; fit.posterior.len()];
    for item in 0..ballots.n_items() {
        let mut scores = log_prior.clone();
        match ballots.gold(item) {
            crate::skill::NO_GOLD => {
                for vote in ballots.votes_of(item) {
                    let (slot, weight) = ballots.vote(vote);
                    if person.is_empty() || person[slot] {
                        scores[ballots.label(slot)] += weight * ratio(item, slot).max(floor);
                    }
                }
            }
            gold => {
                scores.fill(f64::NEG_INFINITY);
                scores[gold as usize] = 0.0;
            }
        }
        em::softmax(&scores, &mut posterior[item * k..(item + 1) * k]);
    }
    fit.posterior = posterior;
}

/// Writes the probabilities of one panel into the consensus.
fn put(consensus: &mut Consensus, panel: &Panel, fit: &Fit, intervals: &[crate::Interval]) {
    let k = panel.ballots.n_classes();
    let own = {
        let start = consensus.items.partition_point(|i| i.question < panel.question);
        let end = consensus.items.partition_point(|i| i.question <= panel.question);
        start..end
    };
    consensus.probabilities.resize(consensus.answers.len(), None);
    let mut at = own.start;
    for (item, &subject) in panel.subjects.iter().enumerate() {
        while consensus.items[at].subject < subject {
            at += 1;
        }
        let range = consensus.items[at].answers.clone();
        let probabilities = &mut consensus.probabilities[range.clone()];
        for (row, probability) in consensus.answers[range].iter().zip(probabilities) {
            let class = match panel.answer {
                Some(answer) if row.answer == answer => Some(1),
                Some(_) => None,
                None => match panel.classes.binary_search(&row.answer) {
                    Ok(class) => Some(class),
                    Err(_) => {
                        // An answer that nobody ever gave.
                        let nothing = crate::Interval { low: 0.0, high: 0.0 };
                        *probability = Some(Probability { p: 0.0, interval: nothing });
                        None
                    }
                },
            };
            if let Some(class) = class {
                let cell = item * k + class;
                *probability = Some(Probability { p: fit.posterior[cell], interval: intervals[cell] });
            }
        }
    }
}

/// Outcomes by probability, where there are some.
fn decide(votes: &Votes, consensus: &mut Consensus) {
    let mut items = std::mem::take(&mut consensus.items);
    for item in &mut items {
        if consensus.highest_probability(item).is_none() {
            continue;
        }
        item.outcome = if votes.questions[item.question as usize].kind.is_multiple() {
            outcome_of_several(consensus, item)
        } else {
            let leaders = consensus.leaders(item);
            if leaders.len() == 1 { Outcome::Agreed(leaders) } else { Outcome::Undetermined }
        };
    }
    consensus.items = items;
}

/// The answers more likely than not; undetermined where one stands at exactly one half.
fn outcome_of_several(consensus: &Consensus, item: &Item) -> Outcome {
    let rows = consensus.answers_of(item).iter().zip(consensus.probabilities_of(item));
    let rows = rows.filter_map(|(row, p)| Some((row.answer, p?.p)));
    if rows.clone().any(|(_, p)| is_tie(p, 0.5)) {
        return Outcome::Undetermined;
    }
    Outcome::Agreed(rows.filter(|(_, p)| *p > 0.5).map(|(answer, _)| answer).collect())
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "effects_tests.rs"]
mod effects_tests;
