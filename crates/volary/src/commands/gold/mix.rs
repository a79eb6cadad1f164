//! `volary gold mix`: gold among other labels at a stated share.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use arrow_array::builder::{Float64Builder, StringBuilder, UInt32Builder};
use arrow_array::{ArrayRef, RecordBatch};
use serde_json::json;
use volary_core::schema;
use volary_crowd::gold::mix::{Source, mix};
use volary_ingest::label_table::read_truth;
use volary_ingest::tables::{TableFormat, for_each_batch, write_table};
use volary_ingest::volunteer::{self, Without};

use crate::consensus_tables::beside;
use crate::input::note_opted_out;
use crate::session::{Session, run_json_for};
use crate::settings::RowSettings;
use crate::summary::percent;

/// Conflicts that the summary lists.
const MOST: usize = 10;

/// Put gold among other labels at a stated share: a training set.
///
/// All gold is kept, with its votes. Of the other sources as many labels are drawn as the share allows, each
/// source in proportion; where there are too few, gold weighs less (`weight`). A subject that several sources
/// have keeps the label of the first that is named, gold before all; disagreement is listed.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  volary gold mix gold.csv --with planets=planets.csv --with junk=random.csv --share 0.1 -o training.csv")]
pub(super) struct Args {
    /// The table that `volary gold` wrote; its soft labels lie beside it.
    #[arg(value_name = "GOLD")]
    gold: PathBuf,
    /// Another source of labels: its name, and a table (subject_id,answer or task,label).
    #[arg(long = "with", value_name = "NAME=TABLE", required = true)]
    others: Vec<String>,
    /// Share of gold.
    #[arg(long, value_name = "SHARE")]
    share: f64,
    /// Leave out gold with soft labels only.
    #[arg(long)]
    hard: bool,
    /// Leave out what people who opted out gave in the other sources (columns volunteer, user_name or worker; the
    /// gold has to be without them already, by the votes beside it, FILE_votes).
    #[arg(long, value_name = "TOML")]
    optouts: Option<PathBuf>,
    /// Table to write: .parquet, .csv, .json or .arrow.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// What volunteers said of a gold subject.
#[derive(Default)]
struct Gold {
    task: String,
    n_seen: u32,
    votes: BTreeMap<String, u32>,
}

/// Runs it.
pub(super) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    TableFormat::of(&args.output)?;
    let (gold, labels) = read_gold(args, &mut session)?;
    let mut sources = vec![Source { name: "gold".to_owned(), labels }];
    let rows = RowSettings { optouts: args.optouts.clone(), ..RowSettings::default() };
    let without = rows.without()?;
    gold_is_without(args, &without, &mut session)?;
    let mut n_left_out = 0;
    let (mut names, mut tables) = (BTreeSet::new(), BTreeSet::new());
    for other in &args.others {
        let (name, path) = named(other)?;
        // One that is not there is told of by its reader.
        let whole = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if !names.insert(name) || !tables.insert(whole) {
            bail!(
                "--with {other:?}: its name or its table is given twice; a source has one table, and a name of its own"
            );
        }
        sources.push(read_other(name, path, &without, &mut n_left_out, &mut session)?);
    }
    note_opted_out(&rows, n_left_out, &mut session);
    let mixed = mix(&sources, args.share, session.global.seed)?;
    let mut texts: [StringBuilder; 4] = Default::default();
    let mut counts: [UInt32Builder; 2] = Default::default();
    let mut weights = Float64Builder::new();
    let mut n_rows = 0_u64;
    let task = gold.values().next().map(|g| g.task.clone()).unwrap_or_default();
    for ((source, chosen), weight) in sources.iter().zip(&mixed.chosen).zip(&mixed.weights) {
        for subject in chosen {
            let one = BTreeMap::from([(source.labels[subject].clone(), 1)]);
            let (n_seen, votes) = match gold.get(subject).filter(|_| source.name == "gold") {
                Some(gold) => (gold.n_seen, &gold.votes),
                None => (1, &one),
            };
            for (answer, n_votes) in votes {
                n_rows += 1;
                for (column, text) in texts.iter_mut().zip([subject, &task, answer, &source.name]) {
                    column.append_value(text);
                }
                counts[0].append_value(n_seen);
                counts[1].append_value(*n_votes);
                weights.append_value(*weight);
            }
        }
    }
    let [subject, task, answer, source] = texts.map(|mut c| Arc::new(c.finish()) as ArrayRef);
    let [n_seen, n_votes] = counts.map(|mut c| Arc::new(c.finish()) as ArrayRef);
    let columns = vec![subject, task, answer, n_seen, n_votes, source, Arc::new(weights.finish())];
    write_table(&args.output, &RecordBatch::try_new(schema::mixture(), columns)?)?;
    session.table_file(&args.output, n_rows);
    summarise(args, &sources, &mixed, &mut session);
    session.finish(Some(&run_json_for(&args.output)))
}

fn summarise(
    args: &Args,
    sources: &[Source],
    mixed: &volary_crowd::gold::mix::Mixture,
    session: &mut Session,
) {
    let mut rows = Vec::new();
    let mut by_source = serde_json::Map::new();
    for ((source, chosen), weight) in sources.iter().zip(&mixed.chosen).zip(&mixed.weights) {
        let mut classes: BTreeMap<&str, u64> = BTreeMap::new();
        for subject in chosen {
            *classes.entry(source.labels[subject].as_str()).or_default() += 1;
        }
        let shown: Vec<String> = classes.iter().map(|(class, n)| format!("{class} {n}")).collect();
        rows.push(vec![
            source.name.clone(),
            source.labels.len().to_string(),
            chosen.len().to_string(),
            format!("{weight:.4}"),
            shown.join(", "),
        ]);
        by_source.insert(
            source.name.clone(),
            json!({"n": source.labels.len(), "n_chosen": chosen.len(), "weight": weight, "classes": classes}),
        );
    }
    let summary = &mut session.summary;
    summary.table("Labels", &["source", "has", "chosen", "weight", "by class"], &rows);
    summary.value("sources", by_source);
    let (count, weight) = mixed.shares;
    let shown = format!("{:.1} % by count, {:.1} % by weight", 100.0 * count, 100.0 * weight);
    summary.line(
        "shares",
        "share of gold",
        &shown,
        json!({"count": count, "weight": weight, "asked": args.share}),
    );
    summary.count("n_conflicts", "sources that disagree", mixed.conflicts.len() as u64);
    let rows: Vec<Vec<String>> = mixed
        .conflicts
        .iter()
        .take(MOST)
        .map(|c| {
            let of = |(source, label): &(usize, String)| format!("{}: {label}", sources[*source].name);
            vec![c.subject.clone(), of(&c.kept), of(&c.dropped)]
        })
        .collect();
    summary.table("Disagreement", &["subject", "kept", "dropped"], &rows);
    if count < args.share && weight < args.share - 0.005 {
        summary.note(&format!("less gold than asked for: {}", percent(weight, weight, weight)));
    }
}

/// The gold subjects, and the label of each: the hard one, or the answer with the most votes.
fn read_gold(
    args: &Args,
    session: &mut Session,
) -> Result<(BTreeMap<String, Gold>, BTreeMap<String, String>)> {
    let soft = beside(&args.gold, "soft");
    session.input_file(&args.gold)?;
    session.input_file(&soft)?;
    let mut hard: BTreeMap<String, String> = BTreeMap::new();
    let mut n_several = 0_u64;
    for_each_batch(&args.gold, &["subject_id", "is_hard"], &session.progress, |cells| {
        for row in 0..cells.n_rows() {
            let (Some(subject), Some(answer)) =
                (cells.text("subject_id", row), cells.text("answer", row))
            else {
                continue;
            };
            n_several += u64::from(hard.insert(subject.into_owned(), answer.into_owned()).is_some());
        }
        Ok(())
    })?;
    if n_several > 0 {
        bail!(
            "labels with several true answers cannot be mixed; train on the soft labels: {}",
            soft.display()
        );
    }
    let mut gold: BTreeMap<String, Gold> = BTreeMap::new();
    for_each_batch(&soft, &["subject_id", "answer", "n_seen", "n_votes"], &session.progress, |cells| {
        for row in 0..cells.n_rows() {
            let text = |name: &str| cells.text(name, row).unwrap_or_default().into_owned();
            let of = gold.entry(text("subject_id")).or_default();
            of.task = text("task");
            of.n_seen = text("n_seen").parse().unwrap_or(0);
            of.votes.insert(text("answer"), text("n_votes").parse().unwrap_or(0));
        }
        Ok(())
    })?;
    let labels: BTreeMap<String, String> = gold
        .iter()
        .filter_map(|(subject, of)| match hard.get(subject) {
            Some(answer) => Some((subject.clone(), answer.clone())),
            None if args.hard => None,
            // Of as many votes the first answer, so that the same votes give the same label.
            None => {
                let most = of.votes.values().max()?;
                let answer = of.votes.iter().find(|(_, n)| *n == most)?.0;
                Some((subject.clone(), answer.clone()))
            }
        })
        .collect();
    if labels.is_empty() {
        bail!("no gold: {}", args.gold.display());
    }
    Ok((gold, labels))
}

/// Refuses gold that may hold the votes of people who opted out: nobody can be taken out of its labels any more, and
/// the mixture's record will say that it is without them.
fn gold_is_without(args: &Args, without: &Without, session: &mut Session) -> Result<()> {
    if without.is_empty() {
        return Ok(());
    }
    let votes = beside(&args.gold, "votes");
    if !votes.is_file() {
        bail!(
            "people opted out, and whose votes the gold stands on nobody can tell: {} is missing; make the gold again with \
             `volary gold --optouts`",
            votes.display()
        );
    }
    session.input_file(&votes)?;
    let mut n_theirs = 0_u64;
    for_each_batch(&votes, &["volunteer"], &session.progress, |cells| {
        for row in 0..cells.n_rows() {
            n_theirs += u64::from(cells.text("volunteer", row).is_some_and(|who| without.has(&who)));
        }
        Ok(())
    })?;
    if n_theirs > 0 {
        bail!(
            "the gold stands on votes of people who opted out, who cannot be taken out of it any more: {}; make it again \
             with `volary gold --optouts`",
            args.gold.display()
        );
    }
    Ok(())
}

/// NAME=TABLE.
fn named(text: &str) -> Result<(&str, &Path)> {
    text.split_once('=')
        .filter(|(name, path)| !name.trim().is_empty() && *name != "gold" && !path.is_empty())
        .map(|(name, path)| (name, Path::new(path)))
        .with_context(|| format!("--with {text:?}: write NAME=TABLE, and another name than gold"))
}

fn read_other(
    name: &str,
    path: &Path,
    without: &Without,
    n_left_out: &mut u64,
    session: &mut Session,
) -> Result<Source> {
    let (truth, report) = read_truth(path, &session.progress)?;
    session.problems.absorb(&report.problems);
    session.input(report.digest);
    let not_theirs = subjects_of(path, without, session)?;
    let mut labels = BTreeMap::new();
    for (_, subject, answers) in truth.iter() {
        if not_theirs.contains(subject) {
            *n_left_out += 1;
            continue;
        }
        let [answer] = answers else {
            if answers.is_empty() {
                continue;
            }
            bail!("{} has several labels for subject {subject:?}; give it one", path.display());
        };
        labels.insert(subject.to_owned(), answer.clone());
    }
    if labels.is_empty() {
        bail!("no labels are in {}", path.display());
    }
    Ok(Source { name: name.to_owned(), labels })
}

/// Columns in which a table of labels says who gave them.
const WHO: [&str; 4] = ["volunteer", "user_name", "worker", "user"];

/// The subjects whose label somebody gave who is left out.
fn subjects_of(path: &Path, without: &Without, session: &Session) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    if without.is_empty() {
        return Ok(found);
    }
    for_each_batch(path, &[], &session.progress, |cells| {
        for row in 0..cells.n_rows() {
            let subject = ["subject_id", "subject", "task"].iter().find_map(|c| cells.text(c, row));
            // What stands for a name may look like a key, in an export without names above all.
            let is_theirs = |who: &str| without.has(who) || without.has_key(&volunteer::key(who).0);
            let is_out = WHO.iter().any(|column| match cells.text(column, row) {
                Some(who) if *column == "volunteer" => without.has(&who),
                Some(who) => is_theirs(&who),
                None => false,
            });
            if let Some(subject) = subject.filter(|_| is_out) {
                found.insert(subject.into_owned());
            }
        }
        Ok(())
    })?;
    Ok(found)
}
