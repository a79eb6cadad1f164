//! Which skill model the settings ask for, what goes into it, and what is said about it.

use anyhow::{Result, anyhow, bail};
use serde_json::json;
use volary_core::truth::Truth;
use volary_core::votes::{NO_ANSWER, Question};
use volary_core::{ProblemKind, Votes};
use volary_crowd::Weights;
use volary_crowd::skill::choose::Basis;
use volary_crowd::skill::dawid_skene::{DawidSkene, Variant};
use volary_crowd::skill::dependence::dependence;
use volary_crowd::skill::glad::Glad;
use volary_crowd::skill::ibcc::Ibcc;
use volary_crowd::skill::mace::Mace;
use volary_crowd::skill::model::{
    Extras, GoldProblem, MachineTable, Model, ModelConsensus, Pick, QuestionFit, class_names,
};
use volary_crowd::skill::sequential::Sequential;
use volary_crowd::skill::weighted::Weighted;
use volary_ingest::label_table;

use crate::analysis::read_truth;
use crate::report::ModelReport;
use crate::session::Session;
use crate::settings::ConsensusSettings;
use crate::summary::{Summary, grouped, percent, printable};

/// The methods, as the help lists them.
const METHODS: &str = "fraction, dawid-skene, ibcc, glad, mace, wawa, iwmv, swap, auto";

/// The model that the settings ask for; none for `fraction`.
pub(crate) fn pick(settings: &ConsensusSettings, seed: u64, level: f64) -> Result<Option<Pick>> {
    let method = settings.method.as_deref().unwrap_or("fraction");
    let refuse = |given: bool, option: &str, needs: &str| {
        if given { Err(anyhow!("{option} needs {needs}, not --method {method}")) } else { Ok(()) }
    };
    let is_ds = method == "dawid-skene";
    refuse(settings.variant.is_some() && !is_ds, "--variant", "--method dawid-skene")?;
    refuse(settings.pseudo_votes.is_some() && !is_ds, "--pseudo-votes", "--method dawid-skene")?;
    let is_model = method != "fraction";
    refuse(settings.gold.is_some() && !is_model, "--gold", "a model such as --method dawid-skene")?;
    refuse(
        settings.machine.is_some() && !is_model,
        "--machine",
        "a model such as --method dawid-skene",
    )?;
    let has_floor = is_model && !matches!(method, "wawa" | "iwmv");
    refuse(
        settings.vote_floor.is_some() && !has_floor,
        "--vote-floor",
        "a model of chances (of wawa and iwmv, --weight-floor does it)",
    )?;
    // A weighted vote has no place in SWAP's rule (a volunteer's matrix decides what a vote is worth).
    let has_weights = settings.weights.is_some() || settings.experience.is_some();
    refuse(has_weights && method == "swap", "a weight of votes", "another method")?;
    refuse(!settings.prior.is_empty() && method != "swap", "--prior", "--method swap")?;
    let iterates = is_model && !matches!(method, "auto" | "wawa" | "swap");
    refuse(settings.rounds.is_some() && !iterates, "--rounds", "a model that goes round by round")?;
    let settles = iterates && !matches!(method, "mace" | "iwmv");
    refuse(
        settings.tolerance.is_some() && !settles,
        "--tolerance",
        "--method dawid-skene, ibcc or glad",
    )?;
    if settings.vote_floor.is_some_and(|f| !(f.is_finite() && f >= 0.0)) {
        bail!("--vote-floor is a number of nats that is not negative; 0.05 is little");
    }
    if settings.tolerance.is_some_and(|t| !(t.is_finite() && t >= 0.0)) {
        bail!("--tolerance is a small number that is not negative, such as 1e-9");
    }
    let (rounds, tolerance) = (settings.rounds, settings.tolerance);
    Ok(Some(Pick::Fixed(match method {
        "fraction" => return Ok(None),
        "auto" => return Ok(Some(Pick::Auto { seed })),
        "dawid-skene" => Model::DawidSkene(dawid_skene(settings)?),
        "ibcc" => {
            let model = Ibcc::default();
            Model::Ibcc(Ibcc {
                max_rounds: rounds.unwrap_or(model.max_rounds),
                tolerance: tolerance.unwrap_or(model.tolerance),
                ..model
            })
        }
        "glad" => {
            let model = Glad { level, ..Glad::default() };
            Model::Glad(Glad {
                max_rounds: rounds.unwrap_or(model.max_rounds),
                tolerance: tolerance.unwrap_or(model.tolerance),
                ..model
            })
        }
        "mace" => {
            let model = Mace { level, seed, ..Mace::default() };
            Model::Mace(Mace { rounds: rounds.unwrap_or(model.rounds), ..model })
        }
        "wawa" | "iwmv" => {
            let model = Weighted { iterated: method == "iwmv", level, ..Weighted::default() };
            let floor = settings.weights.is_none().then_some(settings.weight_floor).flatten();
            let floor = match floor {
                None => model.floor,
                Some(0.0) => None,
                Some(floor) if floor > 0.0 && floor.is_finite() => Some(floor),
                Some(floor) => bail!("--weight-floor {floor}: a weight is a positive number"),
            };
            Model::Weighted(Weighted { floor, max_rounds: rounds.unwrap_or(model.max_rounds), ..model })
        }
        "swap" => Model::Swap(Sequential { prior: prior(settings)?, ..Sequential::default() }),
        other => bail!("no method {other:?}; there are {METHODS}"),
    })))
}

/// `--prior ANSWER=P`, checked.
fn prior(settings: &ConsensusSettings) -> Result<Vec<(String, f64)>> {
    let read = |text: &String| {
        let (answer, p) = text.rsplit_once('=')?;
        Some((answer.trim().to_owned(), p.trim().parse::<f64>().ok().filter(|p| *p > 0.0 && *p < 1.0)?))
    };
    let all: Option<Vec<(String, f64)>> = settings.prior.iter().map(read).collect();
    let all = all
        .ok_or_else(|| anyhow!("--prior wants ANSWER=P with P between 0 and 1: --prior lens=0.0002"))?;
    if all.iter().map(|(_, p)| p).sum::<f64>() > 1.0 {
        bail!("--prior: the probabilities of the answers add up to more than 1");
    }
    Ok(all)
}

fn dawid_skene(settings: &ConsensusSettings) -> Result<DawidSkene> {
    let name = settings.variant.as_deref().unwrap_or("shrunk");
    let variant = Variant::parse(name).ok_or_else(|| {
        anyhow!("no variant {name:?}; there are {}", Variant::ALL.map(Variant::as_str).join(", "))
    })?;
    let mut model = DawidSkene::new(variant);
    if let Some(pseudo_votes) = settings.pseudo_votes {
        if !matches!(variant, Variant::Shrunk | Variant::Map) {
            bail!("--pseudo-votes needs --variant shrunk or map; {name} has none");
        }
        if !(pseudo_votes.is_finite() && pseudo_votes > 0.0) {
            bail!("--pseudo-votes {pseudo_votes}: a positive number is needed; --variant ml has none");
        }
        model.pseudo_votes = pseudo_votes;
    }
    model.max_rounds = settings.rounds.unwrap_or(model.max_rounds);
    model.tolerance = settings.tolerance.unwrap_or(model.tolerance);
    Ok(model)
}

/// Gold and machine tables of the settings, read.
#[derive(Default)]
pub(crate) struct ModelInputs {
    gold: Option<Truth>,
    machine: Option<MachineTable>,
    vote_floor: Option<f64>,
}

impl ModelInputs {
    /// Reads what the settings name.
    pub(crate) fn read(settings: &ConsensusSettings, session: &mut Session) -> Result<Self> {
        let gold = settings.gold.as_ref().map(|path| read_truth(path, session)).transpose()?;
        let machine = match &settings.machine {
            None => None,
            Some(path) => {
                let (table, report) = label_table::read_scores(path, &session.progress)?;
                session.problems.absorb(&report.problems);
                session.input(report.digest);
                Some(table)
            }
        };
        Ok(Self { gold, machine, vote_floor: settings.vote_floor })
    }

    /// The truth to judge by: of subjects that were given as gold a model knows the answer, so that they
    /// say nothing of how right it is.
    pub(crate) fn to_judge(&self, truth: &Truth, session: &mut Session) -> Truth {
        let Some(gold) = &self.gold else { return truth.clone() };
        let rest = truth.without(gold);
        let n = (truth.len() - rest.len()) as u64;
        if n > 0 {
            session.summary.count("n_gold_not_judged", "known, but gold: not judged", n);
        }
        if rest.is_empty() && n > 0 {
            let note =
                "every known subject is gold; to see how right the methods are, hold some out of --gold";
            session.summary.note(note);
        }
        rest
    }

    /// As the models want them.
    pub(crate) fn extras<'a>(&'a self, weights: Option<&'a Weights>) -> Extras<'a> {
        Extras {
            weights,
            gold: self.gold.as_ref(),
            machine: self.machine.as_ref(),
            vote_floor: self.vote_floor,
        }
    }
}

/// Puts gold that could not be used into the problems.
pub(crate) fn note_gold(model: &ModelConsensus, session: &mut Session) {
    for problem in &model.gold_problems {
        let detail = match problem {
            GoldProblem::UnknownSubject { subject } => {
                format!("gold subject {subject} has no votes; it is passed over")
            }
            GoldProblem::UnknownAnswer { task, subject, answer } => {
                format!(
                    "gold subject {subject}: task {task:?} has no answer {answer:?}; it is passed over"
                )
            }
            GoldProblem::Contradiction { task, subject } => {
                format!("gold subject {subject} has two answers to {task:?}; it is passed over")
            }
        };
        session.problems.add(0, "gold", ProblemKind::Suspicious, detail);
    }
}

/// The answer that a fit is about, where a question has several.
pub(crate) fn about(votes: &Votes, fit: &QuestionFit) -> Option<String> {
    let answer = fit.panel.answer?;
    Some(votes.questions[fit.panel.question as usize].answers[answer as usize].clone())
}

/// The name of one of a fit's classes.
pub(crate) fn class_name(question: &Question, fit: &QuestionFit, class: usize) -> String {
    class_names(question, &fit.panel).swap_remove(class)
}

fn task_name(votes: &Votes, fit: &QuestionFit) -> String {
    let question = &votes.questions[fit.panel.question as usize];
    let mut name = printable(&question.task);
    if !question.workflow.is_empty() {
        name = format!("{}/{name}", printable(&question.workflow));
    }
    about(votes, fit).map_or(name.clone(), |answer| format!("{name}: {}", printable(&answer)))
}

/// Fits shown in the summary, at most; the tables hold all.
const MOST: usize = 12;

/// The lines that every command prints about a model.
pub(crate) fn summarise(votes: &Votes, model: &ModelConsensus, level: f64, summary: &mut Summary) {
    if model.n_gold > 0 {
        summary.count("n_gold", "gold subjects held fixed", model.n_gold);
    }
    let mut rows = Vec::new();
    let mut values = Vec::new();
    for fit in &model.fits {
        let (ballots, found) = (&fit.panel.ballots, &fit.fit);
        let mut bits: Vec<f64> =
            found.skills(ballots, level).iter().filter_map(|s| Some(s.bits?.value)).collect();
        bits.sort_by(f64::total_cmp);
        let quantile = |q: f64| bits.get(((bits.len() as f64 - 1.0) * q).round() as usize).copied();
        let skill = match (quantile(0.25), quantile(0.5), quantile(0.75)) {
            (Some(low), Some(mid), Some(high)) => format!("{mid:.2} ({low:.2}–{high:.2})"),
            _ => String::new(),
        };
        rows.push(vec![
            task_name(votes, fit),
            fit.model.name(),
            grouped(ballots.n_items() as u64),
            grouped(ballots.n_votes() as u64),
            format!("{}{}", found.history.len(), if found.converged { "" } else { ", not settled" }),
            if found.log_likelihood == 0.0 {
                String::new()
            } else {
                format!("{:.2}", found.log_likelihood)
            },
            skill,
        ]);
        values.push(json!({
            "workflow": votes.questions[fit.panel.question as usize].workflow,
            "task": votes.questions[fit.panel.question as usize].task,
            "about": about(votes, fit),
            "model": fit.model.name(),
            "n_subjects": ballots.n_items(),
            "n_votes": ballots.n_votes(),
            "rounds": found.history.len(),
            "converged": found.converged,
            "log_likelihood": found.log_likelihood,
            "median_skill_bits": quantile(0.5),
        }));
    }
    let header =
        ["task", "model", "subjects", "votes", "rounds", "log-likelihood", "bits a vote (quartiles)"];
    summary.table("Models", &header, &rows[..rows.len().min(MOST)]);
    if rows.len() > MOST {
        summary.note(&format!("… and {} more; the tables hold all", rows.len() - MOST));
    }
    summary.value("models", values);
    summarise_choice(votes, model, summary);
    summarise_dependence(votes, model, summary);
}

fn summarise_choice(votes: &Votes, model: &ModelConsensus, summary: &mut Summary) {
    let mut shown = 0;
    let mut values = Vec::new();
    for fit in &model.fits {
        let Some(choice) = &fit.choice else { continue };
        let on = match choice.basis {
            Basis::Gold => "gold subjects",
            Basis::HeldOutVotes => "held-out votes",
        };
        let rows: Vec<Vec<String>> = choice
            .scores
            .iter()
            .enumerate()
            .map(|(at, score)| {
                let mark = if at == choice.best { "*" } else { "" };
                let log =
                    score.mean_log.map_or("–".to_owned(), |l| format!("{l:.4} ± {:.4}", score.se));
                let right = score.n_right.map_or(String::new(), |(n, k)| {
                    let interval = volary_crowd::interval::wilson(k as f64, n as f64, 0.95);
                    percent(k as f64 / (n as f64).max(1.0), interval.low, interval.high)
                });
                vec![mark.to_owned(), score.model.name(), log, right]
            })
            .collect();
        for (score, at) in choice.scores.iter().zip(0..) {
            values.push(json!({
                "task": task_name(votes, fit), "model": score.model.name(), "chosen": at == choice.best,
                "scored_on": on, "n": choice.n, "mean_log": score.mean_log, "se": score.se,
            }));
        }
        shown += 1;
        if shown <= MOST / 4 {
            let title = format!("Chosen by {} {on}: {}", grouped(choice.n), task_name(votes, fit));
            summary.table(&title, &["", "model", "mean log", "right"], &rows);
        }
    }
    if !values.is_empty() {
        summary.value("choice", values);
    }
}

fn summarise_dependence(votes: &Votes, model: &ModelConsensus, summary: &mut Summary) {
    let mut values = Vec::new();
    for fit in &model.fits {
        let question = &votes.questions[fit.panel.question as usize];
        let signs = dependence(&fit.panel.ballots, &fit.fit);
        let warnings = signs.warnings(|class| class_name(question, fit, class));
        for warning in &warnings {
            if values.len() < MOST {
                summary.note(&format!(
                    "Volunteers may share a bias on {}: {}. Compare with gold subjects (--gold).",
                    task_name(votes, fit),
                    printable(warning)
                ));
            }
            values.push(json!({"task": task_name(votes, fit), "sign": warning}));
        }
    }
    summary.value("shared_bias", values);
}

/// Fits as the report shows them.
pub(crate) fn reports(votes: &Votes, fits: Vec<QuestionFit>, level: f64) -> Vec<ModelReport> {
    let report = |fit: QuestionFit| {
        let question = &votes.questions[fit.panel.question as usize];
        let signs = dependence(&fit.panel.ballots, &fit.fit);
        ModelReport {
            question: fit.panel.question,
            about: about(votes, &fit),
            model: fit.model.name(),
            skills: fit.fit.skills(&fit.panel.ballots, level),
            warnings: signs.warnings(|class| class_name(question, &fit, class)),
            choice: fit.choice,
        }
    };
    fits.into_iter().map(report).collect()
}

/// How many votes a question holds, for what is too slow to try on many.
pub(crate) fn n_votes(votes: &Votes) -> usize {
    votes.votes.iter().filter(|v| v.answer != NO_ANSWER).count()
}
