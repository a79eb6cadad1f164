//! `volary confusing`: who is shown to volunteers next, and whom a model lets stop.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, bail};
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, UInt32Array, UInt64Array,
};
use serde_json::json;
use volary_core::ProblemKind;
use volary_ingest::tables::{TableFormat, write_table};
use volary_space::savings::{Asked, Belief, Pending, Plan, Rule, plan};
use volary_space::slice::{Column, Table as _};

use crate::consensus_tables::beside;
use crate::session::{Session, run_json_for};
use crate::summary::grouped;
use crate::whole_table::WholeTable;

/// Show volunteers only what is confusing: a list, most confusing first, and the votes that stopping the
/// rest would save at an error you allow.
///
/// Reads a model's predictions (`volary score`): a row per subject and answer with probability and its
/// interval. Error means a decision that all votes would have changed. Writes FILE and FILE_curve, the votes
/// saved against the error.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary confusing predictions.parquet --votes 10 --error 0.02 -o queue.csv
  volary confusing predictions.parquet --with consensus.parquet --votes 40 --error 0.01 -o queue.parquet")]
pub(crate) struct Args {
    /// Predictions: .parquet, .csv, .json or .arrow.
    #[arg(value_name = "TABLE")]
    table: PathBuf,
    /// A consensus of the votes so far, joined by subject_id.
    #[arg(long, value_name = "TABLE")]
    with: Vec<PathBuf>,
    /// Table to write: .parquet, .csv, .json or .arrow.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Votes after which a subject is done.
    #[arg(long, value_name = "N")]
    votes: u32,
    /// Share of all decisions that may differ from what all votes would have said.
    #[arg(long, default_value_t = 0.02, value_name = "SHARE")]
    error: f64,
    /// A class holds where its share is above this.
    #[arg(long, default_value_t = 0.5, value_name = "SHARE")]
    threshold: f64,
    /// Level of the predictions' intervals.
    #[arg(long, default_value_t = 0.95, value_name = "SHARE")]
    level: f64,
    /// Only these classes decide. May be repeated; all without it.
    #[arg(long, value_name = "CLASS")]
    class: Vec<String>,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    TableFormat::of(&args.output)?;
    let rule = Rule::new(args.votes, args.threshold)?;
    let table = WholeTable::read(&args.table, &args.with, &mut session)?;
    let classes = classes(args, &table)?;
    let (rows, subjects) = pending(args, &table, &classes, &mut session)?;
    let plan = plan(&subjects, &rule, args.error)?;
    let ids: Vec<&str> = rows.iter().map(|&row| table.ids[row].as_str()).collect();
    let n = write_queue(args, &ids, &plan)?;
    session.table_file(&args.output, n);
    let path = beside(&args.output, "curve");
    let n = write_curve(&path, &plan)?;
    session.table_file(&path, n);
    summarise(subjects.len(), &plan, &mut session);
    session.finish(Some(&run_json_for(&args.output)))
}

/// The classes that decide.
fn classes(args: &Args, table: &WholeTable) -> Result<Vec<String>> {
    let inside = |name: &str| Some(name.strip_prefix("predicted(")?.strip_suffix(')')?.to_owned());
    let all: Vec<String> = table.columns.names().into_iter().filter_map(inside).collect();
    if all.is_empty() {
        bail!(
            "no predictions in the table; it needs subject_id, answer, probability, probability_low, \
             probability_high, as `volary score` writes them"
        );
    }
    match args.class.iter().find(|class| !all.contains(class)) {
        Some(class) => bail!("--class {class:?} is not among the predictions: {}", all.join(", ")),
        None if args.class.is_empty() => Ok(all),
        None => Ok(args.class.clone()),
    }
}

/// Subjects with a prediction for every class, and their rows; the others are problems.
fn pending(
    args: &Args,
    table: &WholeTable,
    classes: &[String],
    session: &mut Session,
) -> Result<(Vec<usize>, Vec<Pending>)> {
    let number = |name: String, row: usize| match table.columns.column(&name) {
        Some(Column::Number(values)) => values[row],
        _ => f64::NAN,
    };
    let (mut rows, mut subjects) = (Vec::new(), Vec::new());
    for row in 0..table.ids.len() {
        let n_seen = number("n_seen".to_owned(), row).max(0.0);
        let asked = |class: &String| {
            let of = |measure: &str| number(format!("{measure}({class})"), row);
            let belief = Belief::from_interval(
                of("predicted"),
                of("predicted_low"),
                of("predicted_high"),
                args.level,
            );
            // No votes so far where there is no consensus of them.
            let n_yes = (of("consensus").max(0.0) * n_seen).round() as u32;
            belief.map(|belief| Asked { belief, n_yes })
        };
        match classes.iter().map(asked).collect::<Result<Vec<Asked>, _>>() {
            Ok(classes) => {
                rows.push(row);
                subjects.push(Pending { classes, n_seen: n_seen as u32 });
            }
            Err(error) => {
                let detail = format!("{}: {error}; the subject is left out", table.ids[row]);
                session.problems.add(row as u64 + 1, "probability", ProblemKind::OddValue, detail);
            }
        }
    }
    if subjects.is_empty() {
        bail!("no subject has a prediction with an interval for every class");
    }
    Ok((rows, subjects))
}

fn write_queue(args: &Args, ids: &[&str], plan: &Plan) -> Result<u64> {
    let of = || plan.ranked.iter();
    let columns: [(&str, ArrayRef); 5] = [
        ("subject_id", Arc::new(StringArray::from_iter_values(of().map(|p| ids[p.subject])))),
        ("rank", Arc::new(UInt32Array::from_iter_values((1..).take(plan.ranked.len())))),
        ("error_if_stopped", Arc::new(Float64Array::from_iter_values(of().map(|p| p.error)))),
        ("votes_left", Arc::new(UInt32Array::from_iter_values(of().map(|p| p.n_left)))),
        ("stops", Arc::new(BooleanArray::from_iter(of().map(|p| Some(p.stops))))),
    ];
    let batch = RecordBatch::try_from_iter(columns)?;
    write_table(&args.output, &batch)?;
    Ok(batch.num_rows() as u64)
}

fn write_curve(path: &std::path::Path, plan: &Plan) -> Result<u64> {
    /// Points of the curve at most.
    const LONGEST: usize = 1000;
    let of = || plan.curve.iter().step_by(plan.curve.len().div_ceil(LONGEST).max(1));
    let columns: [(&str, ArrayRef); 4] = [
        ("n_stopped", Arc::new(UInt64Array::from_iter_values(of().map(|s| s.n_stopped as u64)))),
        ("votes_saved", Arc::new(UInt64Array::from_iter_values(of().map(|s| s.votes_saved)))),
        ("expected_error", Arc::new(Float64Array::from_iter_values(of().map(|s| s.expected_error)))),
        ("error_sd", Arc::new(Float64Array::from_iter_values(of().map(|s| s.error_sd)))),
    ];
    let batch = RecordBatch::try_from_iter(columns)?;
    write_table(path, &batch)?;
    Ok(batch.num_rows() as u64)
}

fn summarise(n: usize, plan: &Plan, session: &mut Session) {
    let chosen = plan.chosen;
    session.summary.count("n_subjects", "subjects", n as u64);
    session.summary.count("n_stopped", "can stop", chosen.n_stopped as u64);
    let share = 100.0 * chosen.votes_saved as f64 / plan.votes_left.max(1) as f64;
    let shown =
        format!("{} of {} ({share:.1} %)", grouped(chosen.votes_saved), grouped(plan.votes_left));
    session.summary.line("votes_saved", "votes saved", &shown, chosen.votes_saved);
    session.summary.value("votes_left", plan.votes_left);
    let percent = |v: f64| format!("{:.2} %", 100.0 * v);
    let shown = format!("{} ± {}", percent(chosen.expected_error), percent(chosen.error_sd));
    let value = json!({"expected": chosen.expected_error, "sd": chosen.error_sd});
    session.summary.line("error", "decisions changed", &shown, value);
    session.summary.note("(by the model's own intervals: check on held-out subjects that they cover)");
}
