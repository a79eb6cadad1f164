//! `volary bias`: where the crowd, or a model, is wrong more often than elsewhere.

mod of_votes;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use serde_json::json;
use volary_core::truth::Truth;
use volary_core::votes::Question;
use volary_core::{ProblemKind, Votes};
use volary_crowd::bias::{
    BiasParams, Case, Column, Condition, Inherited, SliceRate, SmallSlice, Values, bias, bias_among,
    inherited,
    reversal::{Reversal, reversals},
    too_small,
};
use volary_crowd::{Consensus, FractionParams, Outcome, Repeats, counted, fraction};
use volary_ingest::label_table::read_scores;
use volary_ingest::tables::{TableFormat, for_each_batch};

use self::of_votes::Asked;
use crate::analysis::{check_truth, read_truth};
use crate::bias_tables::write_bias;
use crate::input::read_input;
use crate::session::{Session, run_json_for};
use crate::settings::RowSettings;
use crate::summary::printable;
use crate::whole_table::WholeTable;

/// Rows of the summary.
const MOST: usize = 12;

/// Find the kinds of subjects on which the crowd, or a model, is wrong more often than elsewhere.
///
/// False positives and false negatives of one answer, by slices of the columns in --slices (a number in five
/// bins of about equal numbers, or a label): rate with interval, shrunk rate, difference to the rest, Fisher's
/// exact test, and q under false-discovery control over all slices. With --votes the same for single votes, by
/// these columns and by how much the voter had seen; with --scores for a model, and whether it is wrong where the
/// crowd is. Writes one row per slice and error to FILE.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary bias classifications.csv --truth truth.csv --positive Yes --slices subjects.csv --by brightness,sensor -o bias.csv
  volary bias classifications.csv --truth truth.csv --positive Yes --slices subjects.csv --where 'mag > 19' -o bias.csv
  volary bias classifications.csv --truth truth.csv --positive Yes --slices subjects.csv --by mag,sensor,seeing --together 3 -o worst.csv
  volary bias classifications.csv --truth truth.csv --positive Yes --votes -o experience.csv
  volary bias extracts --truth truth.csv --task T0 --positive Smooth --slices subjects.csv --by mag --scores model.csv -o bias.parquet")]
pub(crate) struct Args {
    /// Exports, a folder of extracts, a votes table, or a label table (task,worker,label).
    #[arg(required = true, value_name = "INPUT")]
    input: Vec<PathBuf>,
    /// True answers (subject_id,answer or task,label).
    #[arg(long, value_name = "TABLE")]
    truth: PathBuf,
    /// The answer that is to be found.
    #[arg(long, value_name = "ANSWER")]
    positive: String,
    /// The task, where several have that answer.
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// A table with subject_id and the columns to slice by.
    #[arg(long, value_name = "TABLE", required_unless_present = "votes")]
    slices: Option<PathBuf>,
    /// The columns, with commas between them.
    #[arg(
        long,
        value_name = "COLUMN,…",
        value_delimiter = ',',
        required_unless_present_any = ["conditions", "votes"],
        requires = "slices"
    )]
    by: Vec<String>,
    /// A condition on the columns, as `volary slice` reads it; may be given again.
    #[arg(long = "where", value_name = "FILTER", requires = "slices")]
    conditions: Vec<String>,
    /// Count single votes too, by the same columns and by experience: how many classifications the voter had made
    /// before.
    #[arg(long)]
    votes: bool,
    /// A model's scores (subject_id,answer,score): is it wrong where the crowd is?
    #[arg(long, value_name = "TABLE")]
    scores: Option<PathBuf>,
    /// Score from which on the model says yes.
    #[arg(long, value_name = "SCORE", default_value_t = 0.5)]
    threshold: f64,
    /// Slice by up to so many columns together: 1, 2 or 3. All combinations are looked at, and counted against
    /// false alarms.
    #[arg(long, value_name = "N", default_value_t = BiasParams::default().together)]
    together: usize,
    /// The same as --together 2.
    #[arg(long, conflicts_with = "together")]
    pairs: bool,
    /// Slices of a number.
    #[arg(long, value_name = "N", default_value_t = BiasParams::default().n_bins)]
    bins: usize,
    /// Subjects of the truth in question that a slice must hold.
    #[arg(long, value_name = "N", default_value_t = BiasParams::default().least)]
    least: u64,
    /// Level of the intervals.
    #[arg(long, value_name = "SHARE", default_value_t = BiasParams::default().level)]
    level: f64,
    /// Share of false alarms among the slices that are flagged.
    #[arg(long, value_name = "SHARE", default_value_t = BiasParams::default().fdr)]
    fdr: f64,
    /// Table to write: .parquet, .csv, .json or .arrow.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    rows: RowSettings,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    TableFormat::of(&args.output)?;
    let rows = args.rows.clone().or(&session.settings.rows);
    let votes = read_input(&args.input, &rows, None, &[], &mut session)?;
    let truth = read_truth(&args.truth, &mut session)?;
    check_truth(&truth, &votes, &mut session)?;
    let counted = counted(&votes, Repeats::First);
    let consensus = fraction(&votes, &counted, None, &FractionParams::default())?;
    let question = question(&votes, args)?;
    let judged = judge(&votes, &consensus, question, &truth, &args.positive);
    let known: Vec<Column> = match &args.slices {
        Some(path) => columns(path, args, &judged.known, &mut session)?,
        None => Vec::new(),
    };
    let columns: Vec<Column> = known.iter().map(|column| column.of(&judged.places)).collect();
    let params = BiasParams {
        n_bins: args.bins,
        least: args.least,
        level: args.level,
        fdr: args.fdr,
        together: if args.pairs { 2 } else { args.together },
    };
    let crowd = bias(&judged.cases, &columns, &params)?;
    let summary = &mut session.summary;
    summary.count("n_judged", "subjects judged", judged.cases.len() as u64);
    summary.count("n_undetermined", "  left out: undetermined", judged.n_undetermined);
    if args.slices.is_some() {
        let n_sliced = n_known(&columns, judged.cases.len());
        summary.count("n_sliced", "  of which --slices says something", n_sliced);
        if n_sliced == 0 {
            summary.note(
                "no subject of the truth with an agreed answer is in --slices: are its ids the same?",
            );
        }
    }
    summary.count("n_slices", "slices and errors", crowd.len() as u64);
    if args.slices.is_some() {
        let small = too_small(&judged.cases, &columns, &params)?;
        note("crowd", "The crowd", &crowd, &mut session);
        note_small(&small, params.least, &mut session);
        note_reversed(&crowd, params.level, &mut session);
    }
    let mut all: Vec<(&str, &SliceRate)> = crowd.iter().map(|rate| ("crowd", rate)).collect();
    let asked = Asked { votes: &votes, counted: &counted, question, positive: &args.positive };
    let of_votes = match args.votes {
        true => of_votes::rates(&asked, &truth, &judged.known, &known, &params, &mut session)?,
        false => Vec::new(),
    };
    if args.votes {
        if of_votes.is_empty() {
            session.summary.note(&format!(
                "single votes: not enough data. A slice needs {} votes of ten people, and so does the rest",
                params.least
            ));
        }
        note("votes", "Single votes", &of_votes, &mut session);
        all.extend(of_votes.iter().map(|rate| ("votes", rate)));
    }
    let (crowd_there, model) = match &args.scores {
        Some(path) => {
            let scored = by_model(path, &judged, args, &mut session)?;
            let model = bias_among(&scored.cases, &scored.places, &columns, &params)?;
            note("model", "The model", &model, &mut session);
            // Side by side on the same subjects: a model is best asked of those that it did not learn from.
            let there: Vec<Case> = scored.places.iter().map(|&at| judged.cases[at]).collect();
            let is_some = there.len() < judged.cases.len();
            let some =
                is_some.then(|| bias_among(&there, &scored.places, &columns, &params)).transpose()?;
            note_inherited(&inherited(some.as_deref().unwrap_or(&crowd), &model), &mut session);
            (some.unwrap_or_default(), model)
        }
        None => Default::default(),
    };
    all.extend(crowd_there.iter().map(|rate| ("crowd_scored", rate)));
    all.extend(model.iter().map(|rate| ("model", rate)));
    session.rows("bias", write_bias(&args.output, &all)?);
    session.output(&args.output);
    session.finish(Some(&run_json_for(&args.output)))
}

/// The question that has the answer.
fn question(votes: &Votes, args: &Args) -> Result<u32> {
    let about = |q: &Question| args.task.as_ref().is_none_or(|task| *task == q.task);
    let has = |q: &Question| q.answers.contains(&args.positive);
    let found: Vec<(u32, &Question)> =
        (0..).zip(&votes.questions).filter(|(_, q)| about(q) && has(q)).collect();
    match found.as_slice() {
        [(index, _)] => Ok(*index),
        [] => {
            bail!("no question has the answer {:?}; `volary consensus` lists the answers", args.positive)
        }
        several => {
            let tasks: Vec<String> =
                several.iter().map(|(_, q)| format!("{}/{}", q.workflow, q.task)).collect();
            bail!(
                "several questions have the answer {:?} ({}); choose with --task or --workflow",
                args.positive,
                tasks.join(", ")
            )
        }
    }
}

/// Subjects with a truth and an agreed answer.
#[derive(Default)]
struct Judged {
    /// All with a truth, those without an agreed answer too.
    known: Vec<String>,
    /// Where among these each judged one is.
    places: Vec<usize>,
    subjects: Vec<String>,
    cases: Vec<Case>,
    n_undetermined: u64,
}

fn judge(votes: &Votes, consensus: &Consensus, index: u32, truth: &Truth, positive: &str) -> Judged {
    let question = &votes.questions[index as usize];
    let known: BTreeSet<&str> = truth
        .iter()
        .filter(|(task, _, answers)| {
            let says = question.kind.is_multiple() || !answers.is_empty();
            (task.is_empty() || *task == question.task) && says
        })
        .map(|(_, subject, _)| subject)
        .collect();
    let mut judged = Judged::default();
    for item in consensus.of_question(index) {
        let subject = &votes.subjects[item.subject as usize];
        if !known.contains(subject.as_str()) {
            continue;
        }
        judged.known.push(subject.clone());
        let Outcome::Agreed(agreed) = &item.outcome else {
            judged.n_undetermined += 1;
            continue;
        };
        let is_positive = truth.answers(&question.task, subject).iter().any(|a| a == positive);
        let said_positive = agreed.iter().any(|&a| question.answers[a as usize] == positive);
        judged.places.push(judged.known.len() - 1);
        judged.subjects.push(subject.clone());
        judged.cases.push(Case { is_positive, said_positive });
    }
    judged
}

/// Named columns and conditions.
fn columns(path: &Path, args: &Args, subjects: &[String], session: &mut Session) -> Result<Vec<Column>> {
    let mut columns = read_columns(path, &args.by, subjects, session)?;
    columns.extend(conditions(path, &args.conditions, subjects, session)?);
    Ok(columns)
}

/// The columns of the subjects; numbers, where every value is one and there are many.
fn read_columns(
    path: &Path,
    names: &[String],
    subjects: &[String],
    session: &mut Session,
) -> Result<Vec<Column>> {
    session.input_file(path)?;
    let place: BTreeMap<&str, usize> = subjects.iter().map(String::as_str).zip(0..).collect();
    let mut cells = vec![vec![None; subjects.len()]; names.len()];
    let needed: Vec<&str> =
        std::iter::once("subject_id").chain(names.iter().map(String::as_str)).collect();
    let mut is_read = vec![false; subjects.len()];
    let mut number = 0;
    let problems = &mut session.problems;
    for_each_batch(path, &needed, &session.progress, |batch| {
        for row in 0..batch.n_rows() {
            number += 1;
            let id = batch.text("subject_id", row).unwrap_or_default();
            let Some(&at) = place.get(id.as_ref()) else { continue };
            if std::mem::replace(&mut is_read[at], true) {
                let detail = format!("subject {id} stands twice; the first row counts");
                problems.add(number, "subject_id", ProblemKind::SubjectTwice, detail);
                continue;
            }
            for (name, column) in names.iter().zip(&mut cells) {
                let cell = batch.text(name, row).map(|c| c.trim().to_owned());
                column[at] = cell.filter(|c| !c.is_empty());
            }
        }
        Ok(())
    })?;
    let mut columns = Vec::new();
    for (name, cells) in names.iter().zip(cells) {
        let n_cells = cells.iter().flatten().count();
        let column = Column::of_cells(name, cells);
        if let Values::Numbers(values) = &column.values {
            let n_words = n_cells - values.iter().filter(|v| v.is_finite()).count();
            if n_words > 0 {
                session.summary.note(&format!(
                    "{}: {n_words} cells say that there is no number (such as NA); they are in no slice of it",
                    printable(name)
                ));
            }
        }
        columns.push(column);
    }
    Ok(columns)
}

/// A column of yes and no for each condition; neither, where a value is missing.
fn conditions(
    path: &Path,
    filters: &[String],
    subjects: &[String],
    session: &mut Session,
) -> Result<Vec<Column>> {
    if filters.is_empty() {
        return Ok(Vec::new());
    }
    let table = WholeTable::read(path, &[], session)?;
    let place: BTreeMap<&str, usize> = table.ids.iter().map(String::as_str).zip(0..).collect();
    let column = |text: &String| {
        let (filter, yes) = table.select(text)?;
        let (_, no) = table.select(&format!("not ({filter})"))?;
        let label = |subject: &String| {
            let row = *place.get(subject.as_str())?;
            match (yes.mask.contains(row), no.mask.contains(row)) {
                (true, _) => Some("yes".to_owned()),
                (_, true) => Some("no".to_owned()),
                _ => None,
            }
        };
        let values = Values::Labels(subjects.iter().map(label).collect());
        Ok(Column { name: filter.to_string(), values })
    };
    filters.iter().map(column).collect()
}

/// Judged subjects of which a model says something.
#[derive(Default)]
struct Scored {
    /// Where among the judged ones each is.
    places: Vec<usize>,
    cases: Vec<Case>,
}

/// What a model says of the same subjects. One without a score was not called negative: it is left out.
fn by_model(path: &Path, judged: &Judged, args: &Args, session: &mut Session) -> Result<Scored> {
    if !args.threshold.is_finite() {
        bail!("--threshold {} is no score; give a number such as 0.5", args.threshold);
    }
    let (scores, report) = read_scores(path, &session.progress)?;
    session.problems.absorb(&report.problems);
    session.input(report.digest);
    let mut scored = Scored::default();
    for (at, (subject, case)) in judged.subjects.iter().zip(&judged.cases).enumerate() {
        if let Some(&score) = scores.get(&(subject.clone(), args.positive.clone())) {
            scored.places.push(at);
            scored.cases.push(Case { said_positive: score >= args.threshold, ..*case });
        }
    }
    if scored.places.is_empty() && !judged.cases.is_empty() {
        let answers: BTreeSet<&str> = scores.keys().map(|(_, answer)| answer.as_str()).collect();
        let answers: Vec<String> =
            answers.iter().take(MOST).map(|answer| format!("{answer:?}")).collect();
        bail!(
            "no subject that is judged has a score for {:?}; the scores are of {}: {}",
            args.positive,
            if answers.is_empty() { "nothing".to_owned() } else { answers.join(", ") },
            path.display()
        );
    }
    let n_without = (judged.cases.len() - scored.places.len()) as u64;
    if n_without > 0 {
        session.summary.count("n_without_score", "left out for the model: no score", n_without);
    }
    Ok(scored)
}

/// A slice in words.
pub(crate) fn words(conditions: &[Condition]) -> String {
    // To four places, and whole numbers without any.
    let number = |x: f64| {
        let text = format!("{x:.4}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let word = |condition: &Condition| match condition {
        Condition::Range { column, low, high } => {
            format!("{column} {} to {}", number(*low), number(*high))
        }
        Condition::Is { column, label } => format!("{column} = {label}"),
    };
    printable(&conditions.iter().map(word).collect::<Vec<_>>().join(", "))
}

/// Subjects of which any column says something.
fn n_known(columns: &[Column], n_cases: usize) -> u64 {
    let is_known = |column: &Column, at: usize| match &column.values {
        Values::Numbers(values) => values[at].is_finite(),
        Values::Labels(values) => values[at].is_some(),
    };
    (0..n_cases).filter(|at| columns.iter().any(|column| is_known(column, *at))).count() as u64
}

/// Slices of which nothing is said, and why.
fn note_small(small: &[SmallSlice], least: u64, session: &mut Session) {
    let summary = &mut session.summary;
    summary.count("n_too_small", "too small to say anything of", small.len() as u64);
    let row = |one: &SmallSlice| {
        vec![
            words(std::slice::from_ref(&one.condition)),
            one.wrong.as_str().to_owned(),
            "not enough data".to_owned(),
            one.n.to_string(),
            one.n_rest.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = small.iter().take(MOST).map(row).collect();
    let title =
        format!("Too small: a slice and the rest need {least} subjects of that truth each (--least)");
    summary.table(&title, &["slice", "error", "", "subjects", "rest"], &rows);
}

fn note(key: &str, title: &str, rates: &[SliceRate], session: &mut Session) {
    let n_flagged = rates.iter().filter(|r| r.is_flagged).count() as u64;
    let summary = &mut session.summary;
    summary.count(&format!("n_flagged_{key}"), &format!("flagged: {key}"), n_flagged);
    let row = |r: &SliceRate| {
        vec![
            if r.is_flagged { "*" } else { "" }.to_owned(),
            words(&r.conditions),
            r.wrong.as_str().to_owned(),
            format!(
                "{:.1} % of {} ({:.1}–{:.1})",
                100.0 * r.rate,
                r.n,
                100.0 * r.interval.low,
                100.0 * r.interval.high
            ),
            format!(
                "{:+.1} ({:+.1} to {:+.1})",
                100.0 * r.difference,
                100.0 * r.difference_interval.low,
                100.0 * r.difference_interval.high
            ),
            format!("{:.2e}", r.q),
        ]
    };
    let rows: Vec<Vec<String>> = rates.iter().take(MOST).map(row).collect();
    summary.table(title, &["", "slice", "error", "rate", "points to the rest", "q"], &rows);
}

/// Slices whose difference turns round within the slices of another column.
fn note_reversed(crowd: &[SliceRate], level: f64, session: &mut Session) {
    let found = reversals(crowd, level);
    if found.is_empty() {
        return;
    }
    let row = |r: &Reversal<'_>| {
        vec![
            words(&r.slice.conditions),
            r.slice.wrong.as_str().to_owned(),
            format!("{:+.1}", 100.0 * r.slice.difference),
            printable(r.within),
            format!(
                "{:+.1} ({:+.1} to {:+.1})",
                100.0 * r.difference,
                100.0 * r.interval.low,
                100.0 * r.interval.high
            ),
        ]
    };
    let rows: Vec<Vec<String>> = found.iter().take(MOST).map(row).collect();
    let value = |r: &Reversal<'_>| {
        json!({
            "slice": words(&r.slice.conditions), "error": r.slice.wrong.as_str(),
            "difference": r.slice.difference, "within": r.within, "difference_within": r.difference,
            "difference_within_low": r.interval.low, "difference_within_high": r.interval.high,
        })
    };
    let values: Vec<serde_json::Value> = found.iter().map(value).collect();
    session.summary.value("reversed", values);
    session.summary.table(
        "It turns round within the kinds of another column (Simpson's paradox)",
        &["slice", "error", "points to the rest", "within", "points"],
        &rows,
    );
}

fn note_inherited(all: &[Inherited<'_>], session: &mut Session) {
    let n = all.iter().filter(|i| i.is_inherited).count() as u64;
    session.summary.count("n_inherited", "\nflagged slices of the crowd in which the model errs too", n);
    let values: Vec<serde_json::Value> = all
        .iter()
        .map(|i| {
            json!({
                "slice": words(&i.crowd.conditions), "error": i.crowd.wrong.as_str(),
                "crowd_difference": i.crowd.difference, "model_difference": i.model.difference,
                "model_q": i.model.q, "inherited": i.is_inherited,
            })
        })
        .collect();
    session.summary.value("inherited", values);
}
