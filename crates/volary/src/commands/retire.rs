//! `volary retire`: what retirement rules would have cost and saved.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use serde_json::{Value, json};
use volary_core::{ProblemKind, Votes};
use volary_crowd::interval::wilson;
use volary_crowd::retire::caesar::{CaesarReplay, CaesarSetting, replay};
use volary_crowd::retire::{Figures, Rule, StudyParams};
use volary_ingest::caesar::read_caesar;
use volary_ingest::output::write_whole;
use volary_ingest::panoptes::workflows::Workflows;
use volary_ingest::tables::TableFormat;
use volary_ingest::{Progress, volunteer};

use crate::analysis::read_truth;
use crate::consensus_tables::beside;
use crate::input::{read_input, read_workflow_export};
use crate::report::retirement as figures;
use crate::retirement::{
    Plan, PollStudy, estimates, studies, write_caesar, write_rules, write_subjects,
};
use crate::session::{Session, run_json_for};
use crate::settings::{ConsensusSettings, RowSettings};
use crate::summary::{percent, printable};

/// Questions and answers that are studied at most.
const MOST_POLLS: usize = 200;
/// Tables in the summary.
const MOST_SHOWN: usize = 4;

/// Say what a retirement rule would have cost and saved, by replaying the votes.
///
/// Writes one row per question and rule to FILE, what became of each subject to FILE_subjects, and a
/// figure of votes against accuracy beside them (.svg). With `--caesar` a Zooniverse Caesar configuration
/// is replayed too, and FILE_caesar says how often each of its rules fired.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Rules:
  count:14              14 classifications
  first:3               the first 3 answers are the same
  agree:8:0.8           8 answers or more, 80 % of them the same
  positive:8:0.8:Yes    8 times Yes or more, 80 % of the answers
  beta:0.95[:fitted]    P(share of the leading answer > 1/2), under a flat or a fitted prior
  sprt:0.7:0.99         an answer is 99 % sure if every vote is right with 70 %
  swap:0.99             an answer is 99 % sure by SWAP; add :self, :resurrect, :answer=A, :reject=P,
                        :prior=P

Examples:
  volary retire classifications.csv --truth truth.csv -o retirement.csv
  volary retire classifications.csv --rule count:14 --rule agree:8:0.8 --rule swap:0.99 -o rules.csv
  volary retire labels.csv --gold gold.csv --truth truth.csv --orders 20 -o rules.parquet
  volary retire classifications.csv --caesar caesar.json --workflows workflows.csv -o caesar.csv")]
pub(crate) struct Args {
    /// Exports, a folder of extracts, a votes table, or a label table (task,worker,label).
    #[arg(required = true, value_name = "INPUT")]
    input: Vec<PathBuf>,
    /// Table to write: .parquet, .csv, .json or .arrow.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// A rule (may be given several times) [default: eleven usual ones].
    #[arg(long = "rule", value_name = "RULE")]
    rules: Vec<String>,
    /// True answers: they say how right each rule would have been.
    #[arg(long, value_name = "TABLE")]
    truth: Option<PathBuf>,
    /// Known answers that volunteers' skill is learnt from; these subjects never retire and are left out
    /// of the figures.
    #[arg(long, value_name = "TABLE")]
    gold: Option<PathBuf>,
    /// Replay this many random orders too, for the spread over them.
    #[arg(long, default_value_t = 0, value_name = "N")]
    orders: u32,
    /// Retire at this many classifications, whatever the rule says.
    #[arg(long, value_name = "N")]
    cap: Option<u32>,
    /// Only this task (may be given several times).
    #[arg(long = "task", value_name = "TASK")]
    tasks: Vec<String>,
    /// A Caesar workflow configuration (JSON) to replay.
    #[arg(long, value_name = "JSON")]
    caesar: Option<PathBuf>,
    /// The workflow export: with it answers have the numbers by which Caesar knows them.
    #[arg(long, value_name = "CSV")]
    workflows: Option<PathBuf>,
    /// Level of the intervals.
    #[arg(long, default_value_t = 0.95, value_name = "SHARE")]
    level: f64,
    /// Where a volunteer met a subject more than once: first (default), last or all count. Caesar's
    /// reducers have their own rule.
    #[arg(long, value_name = "RULE")]
    repeats: Option<String>,
    #[command(flatten)]
    rows: RowSettings,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    TableFormat::of(&args.output)?;
    let rules: Vec<Rule> = match args.rules.as_slice() {
        // A configuration alone is a question about that configuration.
        [] if args.caesar.is_some() => Vec::new(),
        [] => Rule::defaults(),
        named => named.iter().map(|r| Rule::parse(r)).collect::<Result<_, _>>()?,
    };
    let consensus = ConsensusSettings { repeats: args.repeats.clone(), ..ConsensusSettings::default() };
    let repeats = consensus.or(&session.settings.consensus).repeats()?;
    if args.cap == Some(0) {
        bail!("--cap 0 would ask nobody; give the number of classifications at most");
    }
    let rows = args.rows.clone().or(&session.settings.rows);
    session.settings.rows = rows.clone();
    let truth = args.truth.clone().or_else(|| session.settings.input.truth.clone());
    let truth = truth.as_ref().map(|p| read_truth(p, &mut session)).transpose()?;
    let gold = args.gold.clone().or_else(|| session.settings.consensus.gold.clone());
    let gold = gold.as_ref().map(|p| read_truth(p, &mut session)).transpose()?;
    let workflows = args.workflows.clone().or_else(|| session.settings.input.workflows.clone());
    let votes = read_input(&args.input, &rows, workflows.as_deref(), &[], &mut session)?;
    let replayed = match &args.caesar {
        None => None,
        Some(path) => Some(replay_caesar(path, workflows.as_deref(), &votes, &rows, &mut session)?),
    };
    let params = StudyParams {
        cap: args.cap,
        n_orders: args.orders,
        seed: session.global.seed,
        level: args.level,
    };
    let plan = Plan {
        rules: &rules,
        gold: gold.as_ref(),
        truth: truth.as_ref(),
        params,
        repeats,
        tasks: &args.tasks,
        caesar: replayed.as_ref(),
        most_polls: MOST_POLLS,
    };
    let sign = session.working("replaying the votes under each rule");
    let (found, n_left) = studies(&votes, &plan)?;
    drop(sign);
    check(&found, &votes, &rules, args)?;
    note_known(&found, &votes, (gold.is_some(), truth.is_some()), &mut session);
    write(&found, &votes, replayed.as_ref(), args, &mut session)?;
    summarise(&found, &votes, args.orders, &mut session);
    if n_left > 0 {
        session.summary.note(&format!(
            "left out: {n_left} answers that nobody or few chose (choose tasks with --task)"
        ));
    }
    if let Some(replayed) = &replayed {
        summarise_caesar(replayed, args.level, &mut session);
    }
    session.finish(Some(&run_json_for(&args.output)))
}

/// What would otherwise give an empty answer without a word.
fn check(found: &[PollStudy], votes: &Votes, rules: &[Rule], args: &Args) -> Result<()> {
    // A configuration may be about drawings alone.
    if found.is_empty() && args.caesar.is_none() {
        let tasks: Vec<&str> = votes.questions.iter().map(|q| q.task.as_str()).collect();
        if args.tasks.is_empty() {
            bail!("nobody answered a question here, so there is nothing to retire by");
        }
        bail!("no answered question of task {}; there are {}", args.tasks.join(", "), tasks.join(", "));
    }
    for (at, rule) in rules.iter().enumerate() {
        if found.iter().any(|f| f.study.has_answer(at)) {
            continue;
        }
        let mut labels: Vec<&str> =
            found.iter().flat_map(|f| f.poll.labels.iter().map(String::as_str)).collect();
        labels.sort_unstable();
        labels.dedup();
        bail!("no question has the answer of {rule}; the answers are {}", labels.join(", "));
    }
    Ok(())
}

/// What gold and truth said that could not be used, and whether times are missing.
fn note_known(
    found: &[PollStudy],
    votes: &Votes,
    (has_gold, has_truth): (bool, bool),
    session: &mut Session,
) {
    for (is_given, name) in [(has_gold, "gold"), (has_truth, "truth")] {
        if !is_given {
            continue;
        }
        let known = |f: &PollStudy| if name == "gold" { f.gold.clone() } else { f.truth.clone() };
        let n: u64 = found.iter().map(|f| known(f).n()).sum();
        if n == 0 {
            session.summary.note(&format!("{name}: none of it is about these subjects and answers"));
        }
        for one in found {
            // Where nothing is known of a poll, the table is about another task.
            let known = known(one);
            if known.n() == 0 {
                continue;
            }
            let title = printable(&one.title(votes));
            let mut add = |n: u64, what: &str| {
                if n > 0 {
                    let text = format!("{title}: {n} {what}");
                    session.problems.add(0, name, ProblemKind::Suspicious, text);
                }
            };
            add(known.n_contradicting, "subjects have several answers where one can hold; not used");
            add(known.n_unknown_answers, "subjects have an answer that nobody could give; not used");
            add(known.n_unseen, "subjects were seen by nobody");
        }
    }
    let (untimed, all) =
        found.iter().fold((0, 0), |(u, n), f| (u + f.poll.n_untimed, n + f.poll.ballots.len() as u64));
    session.summary.value("n_untimed", untimed);
    if untimed == all && all > 0 {
        session.summary.note("order: by id, since no time is known");
    } else if untimed > 0 {
        session
            .summary
            .note(&format!("order: by time; {untimed} of {all} votes have none and come first, by id"));
    } else {
        session.summary.note("order: by time");
    }
}

/// Reads and replays a configuration.
fn replay_caesar(
    path: &Path,
    workflows: Option<&Path>,
    votes: &Votes,
    rows: &RowSettings,
    session: &mut Session,
) -> Result<CaesarReplay> {
    let mut file = read_caesar(path, &Progress::default())?;
    session.problems.absorb(&file.problems);
    session.input(file.digest.clone());
    if let [only] = rows.workflow.as_slice() {
        file.config.workflow = Some(only.clone());
    }
    let workflows = read_workflow_export(workflows, session)?;
    let answer_key = |workflow: &str, task: &str, label: &str| {
        workflows.as_deref().and_then(|w| answer_number(w, workflow, task, label))
    };
    let setting = CaesarSetting { answer_key: &answer_key, is_anonymous: &volunteer::is_anonymous };
    let replayed = replay(votes, &file.config, &setting)?;
    for rule in replayed.rules.iter().filter(|r| r.n_errors > 0) {
        let why = rule.first_error.as_deref().unwrap_or_default();
        let text = format!("{} could not be evaluated {} times: {why}", rule.name, rule.n_errors);
        session.problems.add(0, "caesar", ProblemKind::Suspicious, text);
    }
    Ok(replayed)
}

/// The number of an answer, in the newest version of the workflow that has it.
fn answer_number(workflows: &Workflows, workflow: &str, task: &str, label: &str) -> Option<String> {
    let versions: Vec<_> = workflows.versions(workflow).collect();
    versions.iter().rev().find_map(|(_, tasks)| {
        let at = tasks.tasks.get(task)?.answers.iter().position(|a| a == label)?;
        Some(at.to_string())
    })
}

fn write(
    found: &[PollStudy],
    votes: &Votes,
    replayed: Option<&CaesarReplay>,
    args: &Args,
    session: &mut Session,
) -> Result<()> {
    let output = &args.output;
    session.rows("retirement", write_rules(output, votes, found, args.orders)?);
    let subjects = write_subjects(&beside(output, "subjects"), votes, found)?;
    session.rows("retirement_subjects", subjects);
    if let Some(replayed) = replayed {
        let n = write_caesar(&beside(output, "caesar"), replayed, args.level)?;
        session.rows("retirement_caesar", n);
    }
    let mut n_figures = 0;
    for one in found.iter().take(figures::MOST_FIGURES) {
        let Some(svg) = figures::svg(one, &one.title(votes))? else { continue };
        let path = match found.len() {
            1 => output.with_extension("svg"),
            _ => beside(output, &format!("figure_{}", n_figures + 1)).with_extension("svg"),
        };
        write_whole(&path, svg.as_bytes())?;
        n_figures += 1;
    }
    session.summary.count("n_figures", "figures", n_figures);
    Ok(())
}

fn summarise(found: &[PollStudy], votes: &Votes, n_orders: u32, session: &mut Session) {
    let mut all = Vec::new();
    for (at, one) in found.iter().enumerate() {
        let rows = one.rows(n_orders);
        // Over random orders where there are some: the order of time is one of them.
        let shown = rows.iter().filter(|r| n_orders == 0 || r.1 == "random" || r.0 == "caesar");
        let table: Vec<Vec<String>> = shown.map(|(rule, _, _, f)| row(rule, f)).collect();
        let title = format!("Retirement: {}{}", printable(&one.title(votes)), vote_over_all(one));
        if at < MOST_SHOWN {
            let header = ["rule", "votes a subject", "votes saved", "answer changed", "right"];
            session.summary.table(&title, &header, &table);
        }
        all.extend(rows.iter().map(|(rule, order, _, f)| row_json(one, votes, (rule, order), f)));
    }
    if found.len() > MOST_SHOWN {
        session.summary.note(&format!("and {} more in the table", found.len() - MOST_SHOWN));
    }
    session.summary.value("rules", all);
}

fn vote_over_all(one: &PollStudy) -> String {
    match (one.study.accuracy_all, one.study.accuracy_all_interval) {
        (Some(p), Some(i)) => format!(" (all votes: {} right)", percent(p, i.low, i.high)),
        _ => String::new(),
    }
}

fn row(rule: &str, figures: &Figures) -> Vec<String> {
    let spread = |sd: Option<f64>, by: f64, digits: usize| {
        sd.map_or_else(String::new, |sd| format!(" ± {:.digits$}", sd * by))
    };
    let share = |e: volary_crowd::retire::Estimate| {
        format!("{}{}", percent(e.value, e.low, e.high), spread(e.sd, 100.0, 1))
    };
    let votes = figures.mean_votes;
    vec![
        printable(rule),
        format!("{:.2} ({:.2}–{:.2}){}", votes.value, votes.low, votes.high, spread(votes.sd, 1.0, 2)),
        share(figures.saved),
        share(figures.changed),
        figures.accuracy.map_or_else(String::new, share),
    ]
}

fn row_json(one: &PollStudy, votes: &Votes, (rule, order): (&str, &str), figures: &Figures) -> Value {
    let (workflow, task, about) = one.names(votes);
    let mut value = json!({
        "workflow": workflow, "task": task, "about": about, "rule": rule, "order": order,
        "n_subjects": figures.n_subjects, "n_truth": figures.n_truth,
    });
    for (name, estimate) in volary_core::schema::RETIREMENT_FIGURES.iter().zip(estimates(figures)) {
        if let Some(e) = estimate {
            value[*name] = json!(e.value);
            value[format!("{name}_low")] = json!(e.low);
            value[format!("{name}_high")] = json!(e.high);
            value[format!("{name}_sd")] = json!(e.sd);
        }
    }
    value["accuracy_all_votes"] = json!(one.study.accuracy_all);
    value
}

fn summarise_caesar(replayed: &CaesarReplay, level: f64, session: &mut Session) {
    let (k, n) = (replayed.n_retired() as f64, replayed.fates.len() as f64);
    let interval = wilson(k, n, level);
    let share = percent(k / n.max(1.0), interval.low, interval.high);
    let at = replayed.median_at_retirement();
    let sentence = match at {
        Some(at) => {
            format!("would have retired {share} of subjects at a median of {at} classifications")
        }
        None => "would have retired nothing".to_owned(),
    };
    session.summary.line("caesar_retired", "caesar", &sentence, k / n.max(1.0));
    session.summary.value("caesar_median_at", at);
    session.summary.value("caesar_reasons", json!(replayed.reasons));
    let rows: Vec<Vec<String>> = replayed
        .rules
        .iter()
        .map(|r| {
            vec![
                printable(&r.name),
                printable(&r.effects.join(", ")),
                r.n_fired.to_string(),
                r.n_first.to_string(),
                r.n_retired.to_string(),
                r.median_at.map_or_else(String::new, |m| m.to_string()),
            ]
        })
        .collect();
    let header = ["rule", "effects", "fired on", "first on", "retired", "median at"];
    session.summary.table("Caesar rules, in subjects", &header, &rows);
    for note in &replayed.notes {
        session.summary.note(&format!("note: {}", printable(note)));
    }
    session.summary.value("caesar_notes", json!(replayed.notes));
}
