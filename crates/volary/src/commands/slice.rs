//! `volary slice`: the subjects that a filter selects.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use arrow_array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray};
use serde_json::json;
use volary_ingest::tables::{TableFormat, write_table};
use volary_space::ambiguity::{self, Bounds, ClassSplit, Kind, Split};
use volary_space::slice::region::{Op, Region, Shape};
use volary_space::slice::{Column, Columns, Table as _};

use crate::session::{Session, run_json_for};
use crate::summary::grouped;
use crate::whole_table::WholeTable;

/// Count and list the subjects that a filter selects, with examples and why they are confusing.
///
/// The filter compares columns: `consensus(vortex) between 0.3 and 0.7 and consensus(bands) > 0.7`,
/// `kind in ('ring', 'spiral')`, `n_seen >= 10 and not retired`, `"chosen fraction" is missing`. A table with
/// a row per subject and answer (a consensus, predictions) has columns consensus(ANSWER), predicted(ANSWER).
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary slice consensus.parquet \"consensus(vortex) between 0.3 and 0.7\"
  volary slice subjects.csv \"kind = 'ring' and n_seen >= 10\" -o rings.csv
  volary slice map.parquet \"n_seen >= 10\" --within region.json
  volary slice embeddings.parquet --with consensus.parquet \"consensus(bands) > 0.7\" -o bands.parquet")]
pub(crate) struct Args {
    /// Table with a column subject_id: .parquet, .csv, .json or .arrow.
    #[arg(value_name = "TABLE")]
    table: PathBuf,
    /// Which rows.
    #[arg(value_name = "FILTER")]
    filter: String,
    /// Another table, joined by subject_id. May be repeated.
    #[arg(long, value_name = "TABLE")]
    with: Vec<PathBuf>,
    /// Only rows inside this region of the plot of two columns, as the page copies it:
    /// {"x": "x", "y": "y", "shapes": [{"op": "add", "points": [[0, 0], [1, 0], [1, 1]]}]}.
    #[arg(long, value_name = "JSON")]
    within: Option<PathBuf>,
    /// Write the rows that are selected to this table.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How many examples to name.
    #[arg(long, default_value_t = 5, value_name = "N")]
    examples: usize,
    /// Shares from here to --high are middling: the class is confusing.
    #[arg(long, default_value_t = 0.3, value_name = "SHARE")]
    low: f64,
    /// Shares above are high.
    #[arg(long, default_value_t = 0.7, value_name = "SHARE")]
    high: f64,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let bounds = Bounds::new(args.low, args.high)?;
    if let Some(output) = &args.output {
        TableFormat::of(output)?;
    }
    let table = WholeTable::read(&args.table, &args.with, &mut session)?;
    let (filter, slice) = table.select(&args.filter)?;
    let mask = match &args.within {
        Some(path) => region(path)?.select(&table.columns)?.and(&slice.mask),
        None => slice.mask,
    };
    let rows: Vec<usize> = mask.rows().collect();
    let (n, n_all) = (rows.len() as u64, table.ids.len() as u64);
    session.summary.line("filter", "filter", &filter.to_string(), filter.to_string());
    session.summary.count("n_subjects", "subjects", n_all);
    let shown = format!("{} ({:.1} %)", grouped(n), 100.0 * n as f64 / n_all as f64);
    session.summary.line("n_selected", "selected", &shown, n);
    if slice.n_unknown > 0 {
        session.summary.count("n_unknown", "cannot be decided", slice.n_unknown as u64);
        session.summary.note("(a value is missing; add `or COLUMN is missing` to take these too)");
    }
    examples(&table, &rows, args.examples, &mut session)?;
    confusion(&table, &rows, bounds, &mut session)?;
    if let Some(output) = &args.output {
        let batch = picked(&table.columns, &rows)?;
        write_table(output, &batch)?;
        session.table_file(output, n);
        return session.finish(Some(&run_json_for(output)));
    }
    session.finish(None)
}

/// A region as the page writes it.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RegionFile {
    x: String,
    y: String,
    shapes: Vec<ShapeFile>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ShapeFile {
    op: OpFile,
    points: Vec<[f64; 2]>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum OpFile {
    Add,
    Remove,
}

fn region(path: &Path) -> Result<Region> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("reading the region failed: {}", path.display()))?;
    let file: RegionFile = serde_json::from_str(&text).with_context(|| {
        format!("no region; copy it from the page, or see --help: {}", path.display())
    })?;
    let shape = |shape: ShapeFile| Shape {
        op: match shape.op {
            OpFile::Add => Op::Add,
            OpFile::Remove => Op::Remove,
        },
        corners: shape.points,
    };
    Ok(Region::new(&file.x, &file.y, file.shapes.into_iter().map(shape).collect())?)
}

/// The most typical subjects where there are vectors (nearest to the slice's middle), the first ones else.
fn examples(table: &WholeTable, rows: &[usize], n: usize, session: &mut Session) -> Result<()> {
    if rows.is_empty() || n == 0 {
        return Ok(());
    }
    let mut chosen: Vec<usize> = rows.iter().copied().take(n).collect();
    if table.has_vectors() {
        let (points, row_of) = table.points(session)?;
        let inside: Vec<usize> =
            (0..row_of.len()).filter(|&p| rows.binary_search(&row_of[p]).is_ok()).collect();
        if !inside.is_empty() {
            let mut middle = vec![0.0_f64; points.width()];
            for &p in &inside {
                middle.iter_mut().zip(points.row(p)).for_each(|(m, v)| *m += f64::from(*v));
            }
            middle.iter_mut().for_each(|m| *m /= inside.len() as f64);
            let away = |p: usize| {
                points.row(p).iter().zip(&middle).map(|(v, m)| (f64::from(*v) - m).powi(2)).sum::<f64>()
            };
            let mut near: Vec<(f64, usize)> = inside.iter().map(|&p| (away(p), row_of[p])).collect();
            near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            chosen = near.into_iter().take(n).map(|(_, row)| row).collect();
        }
    }
    let ids: Vec<&str> = chosen.iter().map(|&row| table.ids[row].as_str()).collect();
    let label = if table.has_vectors() { "most typical" } else { "for example" };
    session.summary.line("examples", label, &crate::summary::printable(&ids.join(", ")), json!(ids));
    Ok(())
}

/// The answers of one question, and each one's shares in the selected rows.
#[derive(Default)]
struct Answers {
    names: Vec<String>,
    shares: Vec<Vec<f64>>,
}

/// The columns of a consensus, by the question that they are of; where the table does not say, all are of one.
fn by_question(table: &WholeTable, rows: &[usize]) -> BTreeMap<String, Answers> {
    let mut found: BTreeMap<String, Answers> = BTreeMap::new();
    for (name, column) in table.columns.iter() {
        // A second table's column of the same name carries that table's; its answer is no other one.
        let is_second =
            name.match_indices(" (").any(|(at, _)| table.columns.column(&name[..at]).is_some());
        if is_second && name.ends_with(')') {
            continue;
        }
        let class = name.strip_prefix("consensus(").and_then(|n| n.strip_suffix(')'));
        let class = class.or_else(|| {
            name.strip_prefix("consensus_").filter(|n| !n.starts_with("low") && !n.starts_with("high"))
        });
        let (Some(class), Column::Number(values)) = (class, column) else { continue };
        let of = found.entry(table.questions.get(name).cloned().unwrap_or_default()).or_default();
        of.names.push(class.to_owned());
        of.shares.push(rows.iter().map(|&row| values[row]).collect());
    }
    // One answer alone is confused with nothing.
    if found.len() == 1 {
        found.retain(|_, of| of.names.len() > 1);
    }
    found
}

/// Why the selected subjects are confusing, question by question: answers to different ones do not compete.
fn confusion(table: &WholeTable, rows: &[usize], bounds: Bounds, session: &mut Session) -> Result<()> {
    let questions = by_question(table, rows);
    if rows.is_empty() {
        return Ok(());
    }
    let split = |of: &Answers| {
        let columns: Vec<&[f64]> = of.shares.iter().map(Vec::as_slice).collect();
        ambiguity::split(&columns, bounds)
    };
    if questions.len() == 1 {
        for of in questions.values() {
            of_one(&of.names, &split(of)?, session);
        }
        return Ok(());
    }
    let (mut cells, mut objects) = (Vec::new(), Vec::new());
    for (question, of) in &questions {
        let split = split(of)?;
        let n = Kind::ALL.map(|kind| split.count(kind));
        cells.push(std::iter::once(question.clone()).chain(n.map(|n| grouped(n as u64))).collect());
        let mut object = serde_json::Map::from_iter([("question".to_owned(), json!(question))]);
        object.extend(Kind::ALL.iter().zip(n).map(|(kind, n)| (key_of(*kind), json!(n))));
        object.insert("classes".to_owned(), json!(classes(&of.names, &split)));
        objects.push(serde_json::Value::Object(object));
    }
    let header = ["question", "clear", "ambiguous", "confused", "nothing", "unknown"];
    session.summary.table(
        "Why they are confusing, by question (answer by answer: --json)",
        &header,
        &cells,
    );
    session.summary.value("questions", objects);
    Ok(())
}

/// `n_unknown` is taken: rows that the filter cannot decide.
fn key_of(kind: Kind) -> String {
    match kind {
        Kind::Unknown => "n_without_shares".to_owned(),
        other => format!("n_{}", other.as_str()),
    }
}

/// What the shares of one question say, and of each of its answers.
fn of_one(names: &[String], split: &Split, session: &mut Session) {
    let label = |kind| match kind {
        Kind::Clear => "clear (one class high)",
        Kind::Ambiguous => "ambiguous (none high)",
        Kind::Confused => "confused (two classes)",
        Kind::Nothing => "nothing (all low)",
        Kind::Unknown => "unknown",
    };
    for kind in Kind::ALL {
        session.summary.count(&key_of(kind), label(kind), split.count(kind) as u64);
    }
    let header: Vec<&str> = ["class", "confusing", "none high"]
        .into_iter()
        .chain(names.iter().map(String::as_str))
        .collect();
    let cells = |row: &ClassSplit| {
        let others = row.n_high.iter().map(|n| n.map_or_else(String::new, |n| grouped(n as u64)));
        [names[row.class].clone(), grouped(row.n_confusing as u64), grouped(row.n_none_high as u64)]
            .into_iter()
            .chain(others)
            .collect::<Vec<String>>()
    };
    let table: Vec<Vec<String>> = split.classes.iter().map(cells).collect();
    session.summary.table(
        "Confusing subjects of each class, and where another class is high",
        &header,
        &table,
    );
    session.summary.value("classes", classes(names, split));
}

fn classes(names: &[String], split: &Split) -> Vec<serde_json::Value> {
    let object = |row: &ClassSplit| {
        let high: serde_json::Map<String, serde_json::Value> = names
            .iter()
            .zip(&row.n_high)
            .filter_map(|(name, n)| Some((name.clone(), json!((*n)?))))
            .collect();
        json!({
            "class": names[row.class], "n_confusing": row.n_confusing, "n_none_high": row.n_none_high,
            "n_high": high,
        })
    };
    split.classes.iter().map(object).collect()
}

/// The rows as a table: the id first, then the others by name.
fn picked(columns: &Columns, rows: &[usize]) -> Result<RecordBatch> {
    let wanted: Vec<Option<usize>> = rows.iter().map(|&row| Some(row)).collect();
    let mut named: Vec<(&str, ArrayRef)> = Vec::new();
    for (name, column) in columns.iter() {
        let column = column.pick(&wanted);
        let array: ArrayRef = match &column {
            Column::Number(values) => {
                Arc::new(Float64Array::from_iter(values.iter().map(|v| (!v.is_nan()).then_some(*v))))
            }
            Column::Boolean(values) => Arc::new(BooleanArray::from(values.clone())),
            Column::Text { .. } => {
                Arc::new(StringArray::from_iter((0..column.len()).map(|row| column.text_at(row))))
            }
        };
        named.push((name, array));
    }
    named.sort_by_key(|(name, _)| *name != "subject_id");
    if named.is_empty() {
        bail!("the table has no columns to write");
    }
    Ok(RecordBatch::try_from_iter_with_nullable(named.into_iter().map(|(n, a)| (n, a, true)))?)
}
