//! `volary advise`: whether a model should be trained again, and why.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Value, json};
use volary_core::ProblemKind;
use volary_ingest::class_table::{ClassColumns, read_class_table};
use volary_ingest::tables::for_each_batch;
use volary_ingest::volunteer::Without;
use volary_loop::drift::Reference;
use volary_loop::retrain::{Evidence, Missed, Reason, RetrainParams, retrain};
use volary_release::bias::{Registry, State};
use volary_release::cost::{COST_FILE, Ledger};
use volary_release::optout::OptOuts;

use crate::session::Session;

/// Bins of the scores.
const N_BINS: usize = 10;
/// Chance that a window without drift raises an alarm.
const P_FALSE: f64 = 0.01;
const DAY_MS: i64 = 86_400_000;
/// Where fewer than this share of the subjects that a model was trained with have labels, the table is probably not
/// the one that is meant, or not whole.
const FEW_LABELS: f64 = 0.5;

/// Should this model be trained again? Says so with its reasons; a person starts the training.
///
/// Reasons: the labels grew by a tenth; it is half a year old and there are new labels; three windows in a row
/// drift (population stability index of the scores, with a limit that fits their number); it misses more than
/// it did, by a point at least (one-sided, 95 %); somebody who gave more than 0.5 % of its votes opted out.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary advise model --labels gold_soft.csv
  volary advise model --labels gold_soft.csv --votes gold_votes.csv --optouts optouts.toml --biases biases.toml
  volary advise model --reference scores-2026-05.csv --window w1.csv --window w2.csv --window w3.csv --missed-then 12/640 --missed-now 31/655")]
pub(crate) struct Args {
    /// The folder of the model.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// The labels that there are now, as `volary train --consensus` reads them.
    #[arg(long, value_name = "TABLE")]
    labels: Option<PathBuf>,
    /// The task, where the labels have several.
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// The day it was trained [default: what its cost.json says, else the day of its weights' file].
    #[arg(long, value_name = "YYYY-MM-DD")]
    trained: Option<String>,
    /// The day today [default: the clock's].
    #[arg(long, value_name = "YYYY-MM-DD")]
    today: Option<String>,
    /// Its scores of the time of its training (probability or score).
    #[arg(long, value_name = "TABLE", requires = "windows")]
    reference: Option<PathBuf>,
    /// Its scores of a time since, the oldest first.
    #[arg(long = "window", value_name = "TABLE", requires = "reference")]
    windows: Vec<PathBuf>,
    /// Positives that it missed when it was trained, of all: 12/640.
    #[arg(long, value_name = "K/N", requires = "missed_now")]
    missed_then: Option<String>,
    /// Positives that it misses now, at the same rate of false alarms.
    #[arg(long, value_name = "K/N", requires = "missed_then")]
    missed_now: Option<String>,
    /// The votes that its labels stand on (gold_votes).
    #[arg(long, value_name = "TABLE", requires = "optouts")]
    votes: Option<PathBuf>,
    /// Who opted out.
    #[arg(long, value_name = "TOML", requires = "votes")]
    optouts: Option<PathBuf>,
    /// Known biases: open ones are told.
    #[arg(long, value_name = "TOML")]
    biases: Option<PathBuf>,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let config = args.model.join("config.json");
    let text = std::fs::read_to_string(&config).with_context(|| {
        format!("no model; give the folder that `volary train` wrote: {}", args.model.display())
    })?;
    let config: Value = serde_json::from_str(&text)
        .with_context(|| format!("the model's configuration cannot be read: {}", config.display()))?;
    let of = |name: &str| config.get(name).and_then(Value::as_u64).unwrap_or(0);
    let Trained { at_ms: trained, by } = trained(args)?;
    let age_ms = today(args, &session)? - trained;
    let days = u32::try_from(age_ms.div_euclid(DAY_MS)).map_err(|_| {
        anyhow!("the model was trained after --today; give the day that --trained means")
    })?;
    let n_labels_then = of("n_train") + of("n_stop") + of("n_held_out");
    let n_labels_now = match &args.labels {
        Some(path) => {
            let columns = ClassColumns { classes: &[], task: args.task.as_deref() };
            let table = read_class_table(path, &columns, &session.progress)?;
            session.input_file(path)?;
            session.problems.absorb(&table.problems);
            Some(table.subject_ids.len() as u64)
        }
        None => None,
    };
    let evidence = Evidence {
        days,
        n_labels_then,
        n_labels_now: n_labels_now.unwrap_or(n_labels_then),
        drifts: drifts(args, &mut session)?,
        missed: match (&args.missed_then, &args.missed_now) {
            (Some(then), Some(now)) => Some((missed(then)?, missed(now)?)),
            _ => None,
        },
        opted_out: opted_out(args, trained, &mut session)?,
    };
    let reasons = retrain(&evidence, &RetrainParams::default());
    let few = n_labels_now.filter(|now| (*now as f64) < FEW_LABELS * n_labels_then as f64);
    if let Some(n_labels_now) = few {
        let detail = format!(
            "{n_labels_now} subjects have labels, and the model was trained with {n_labels_then}: is the table whole?"
        );
        session.problems.add(0, "", ProblemKind::Suspicious, detail);
    }
    let summary = &mut session.summary;
    let day = day_of(trained)?;
    summary.line("trained", "trained", &format!("{day} ({})", by.words()), day.clone());
    summary.value("trained_by", by.as_str());
    summary.count("days", "days old", u64::from(days));
    summary.count("n_labels_then", "subjects with labels then", n_labels_then);
    if let Some(n_labels_now) = n_labels_now {
        summary.count("n_labels_now", "  and now", n_labels_now);
    }
    summary.value("has_few_labels", few.is_some());
    if !evidence.drifts.is_empty() {
        let n = evidence.drifts.iter().filter(|d| **d).count();
        summary.count("n_drifting", "windows that drift", n as u64);
    }
    let rows: Vec<Vec<String>> =
        reasons.iter().map(|r| vec![r.as_str().to_owned(), words(*r)]).collect();
    summary.table("Train again, because", &["reason", ""], &rows);
    let not_looked_at: Vec<&str> = [
        (args.labels.is_none(), "whether there are more labels (--labels)"),
        (args.windows.is_empty(), "drift (--reference, --window)"),
        (args.missed_then.is_none(), "what it misses (--missed-then, --missed-now)"),
        (args.optouts.is_none(), "opt-outs (--votes, --optouts)"),
    ]
    .into_iter()
    .filter_map(|(is_missing, what)| is_missing.then_some(what))
    .collect();
    if let Some(n_labels_now) = few {
        summary.note(&format!(
            "note: only {n_labels_now} subjects have labels, fewer than half of the {n_labels_then} that the model was \
             trained with: nothing can be said of growth before it is known why"
        ));
    } else if reasons.is_empty() {
        summary.note(match not_looked_at.len() {
            0 => "no reason to train again",
            4 => "nothing was looked at but its age",
            _ => "no reason to train again in what was looked at",
        });
    }
    if by == By::Weights {
        summary.note(
            "note: the model has no record of when it was trained, and a copy of its folder looks new; give --trained",
        );
    }
    if !not_looked_at.is_empty() {
        summary.note(&format!("not looked at: {}", not_looked_at.join("; ")));
    }
    summary.value("not_looked_at", json!(not_looked_at));
    let list: Vec<Value> =
        reasons.iter().map(|r| json!({"reason": r.as_str(), "words": words(*r)})).collect();
    summary.value("reasons", list);
    summary.value("retrain", !reasons.is_empty());
    if let Some(path) = &args.biases {
        let registry = Registry::read(path)?;
        let open: Vec<&str> =
            registry.biases.iter().filter(|b| b.state == State::Open).map(|b| b.id.as_str()).collect();
        if !open.is_empty() {
            summary.note(&format!("biases that nothing helps against yet: {}", open.join(", ")));
        }
        summary.value("open_biases", json!(open));
    }
    session.finish(None)
}

fn words(reason: Reason) -> String {
    match reason {
        Reason::Growth(share) => format!("there are {:.0} % more subjects with labels", 100.0 * share),
        Reason::Age { days, n_new } => {
            format!("it is {days} days old, and {n_new} subjects have labels since")
        }
        Reason::Drift(n) => format!("the last {n} windows drift"),
        Reason::Lost { difference, least } => format!(
            "it misses {:.1} points more of the positives, {:.1} at least",
            100.0 * difference,
            100.0 * least
        ),
        Reason::OptOut { n, largest } => format!(
            "{n} people opted out who gave much of its votes, up to {:.1} %; a rebuild without them is due",
            100.0 * largest
        ),
    }
}

fn day_ms(text: &str) -> Result<i64> {
    let date: jiff::civil::Date =
        text.parse().with_context(|| format!("{text:?} is not a day such as 2026-11-28"))?;
    Ok(date.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp().as_millisecond())
}

/// By what it is known when a model was trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// Whoever asked said it.
    Asker,
    /// The record of what the training cost.
    Record,
    /// The time of the file, which is that of its last copy.
    Weights,
}

impl By {
    fn as_str(self) -> &'static str {
        match self {
            Self::Asker => "option",
            Self::Record => "record",
            Self::Weights => "file",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Asker => "by --trained",
            Self::Record => "by its cost.json",
            Self::Weights => "by the time of its weights' file",
        }
    }
}

/// When a model was trained.
struct Trained {
    at_ms: i64,
    by: By,
}

fn day_of(at_ms: i64) -> Result<String> {
    Ok(jiff::Timestamp::from_millisecond(at_ms)?.strftime("%Y-%m-%d").to_string())
}

fn trained(args: &Args) -> Result<Trained> {
    if let Some(day) = &args.trained {
        return Ok(Trained { at_ms: day_ms(day)?, by: By::Asker });
    }
    let costs = args.model.join(COST_FILE);
    if let Some(ended_at) = Ledger::read(&costs)?.ended_at() {
        let at: jiff::Timestamp = ended_at.parse().with_context(|| {
            format!("`ended_at` {ended_at:?} is no time; give --trained: {}", costs.display())
        })?;
        return Ok(Trained { at_ms: at.as_millisecond(), by: By::Record });
    }
    let path = args.model.join("weights.safetensors");
    let time = std::fs::metadata(&path).and_then(|m| m.modified());
    let time = time.with_context(|| {
        format!("the model does not say when it was trained; give --trained: {}", path.display())
    })?;
    Ok(Trained { at_ms: jiff::Timestamp::try_from(time)?.as_millisecond(), by: By::Weights })
}

fn today(args: &Args, session: &Session) -> Result<i64> {
    args.today.as_deref().map_or_else(|| Ok(session.now_ms()), day_ms)
}

fn missed(text: &str) -> Result<Missed> {
    let parts = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
    match parts {
        Some((k, n)) if k <= n && n > 0 => Ok(Missed { k, n }),
        _ => bail!("{text:?} is not so many of so many, such as 12/640"),
    }
}

/// Whether each window drifts.
fn drifts(args: &Args, session: &mut Session) -> Result<Vec<bool>> {
    let Some(reference) = &args.reference else { return Ok(Vec::new()) };
    let reference = Reference::new(&scores(reference, session)?, N_BINS);
    let mut all = Vec::new();
    for window in &args.windows {
        let psi = reference.compare(&scores(window, session)?, P_FALSE);
        if psi.limit.is_none() {
            let what = "too few scores to tell drift from chance; it is taken not to drift";
            session.summary.note(&format!("note: {}: {what}", window.display()));
        }
        all.push(psi.is_alarm());
    }
    Ok(all)
}

fn scores(path: &Path, session: &mut Session) -> Result<Vec<f64>> {
    session.input_file(path)?;
    let mut all = Vec::new();
    for_each_batch(path, &[], &session.progress, |batch| {
        for row in 0..batch.n_rows() {
            let cell = batch.text("probability", row).or_else(|| batch.text("score", row));
            all.extend(cell.and_then(|c| c.trim().parse::<f64>().ok()));
        }
        Ok(())
    })?;
    if all.is_empty() {
        bail!("no scores; the column is called probability or score: {}", path.display());
    }
    Ok(all)
}

/// What each person gave who opted out since the model was trained, as a share of all votes.
fn opted_out(args: &Args, trained_ms: i64, session: &mut Session) -> Result<Vec<f64>> {
    let (Some(votes), Some(list)) = (&args.votes, &args.optouts) else { return Ok(Vec::new()) };
    let log = OptOuts::read(list)?;
    let trained = day_of(trained_ms)?;
    let out = log.out();
    // Of the day itself nobody can say which came first.
    let since = out.iter().filter(|(_, at)| **at >= trained.as_str()).map(|(who, _)| (*who).to_owned());
    let since = Without::keys(since);
    session.input_file(votes)?;
    let mut n = 0_u64;
    let mut theirs: BTreeMap<String, u64> = BTreeMap::new();
    for_each_batch(votes, &["volunteer"], &session.progress, |batch| {
        for row in 0..batch.n_rows() {
            let Some(who) = batch.text("volunteer", row) else { continue };
            n += 1;
            if let Some(who) = since.who(&who) {
                *theirs.entry(who.to_owned()).or_default() += 1;
            }
        }
        Ok(())
    })?;
    Ok(theirs.into_values().map(|k| k as f64 / n.max(1) as f64).collect())
}
