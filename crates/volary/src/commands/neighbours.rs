//! `volary neighbours`: the subjects that are nearest to others.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use arrow_array::{ArrayRef, Float32Array, RecordBatch, StringArray, UInt32Array};
use volary_ingest::tables::{TableFormat, write_table};
use volary_space::Points;
use volary_space::neighbours::{ApproximateParams, Metric, Neighbours, Queries, approximate, exact};
use volary_space::slice::Mask;

use crate::session::{Session, run_json_for};
use crate::summary::percent;
use crate::whole_table::WholeTable;

/// Find the subjects nearest to others in a space of vectors, among those that a filter allows.
///
/// The table holds vectors (columns z0, z1, … or e0, e1, …, a column of lists, or an NPY file). Writes a row
/// per subject and neighbour. A subject is never its own neighbour.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary neighbours embeddings.parquet --query 4711 --query 4712
  volary neighbours embeddings.parquet --with consensus.parquet --query 4711 \\
      --where \"consensus(vortex) > 0.7\" -k 5 -o near.csv
  volary neighbours embeddings.parquet -k 15 -o near.parquet")]
pub(crate) struct Args {
    /// Table with vectors: .parquet, .csv, .json, .arrow or .npy.
    #[arg(value_name = "TABLE")]
    table: PathBuf,
    /// Another table, joined by subject_id. May be repeated.
    #[arg(long, value_name = "TABLE")]
    with: Vec<PathBuf>,
    /// The subject whose neighbours are wanted. May be repeated; without one, all subjects'.
    #[arg(long, value_name = "SUBJECT")]
    query: Vec<String>,
    /// Whose neighbours are wanted, by a filter (see `volary slice --help`).
    #[arg(long, value_name = "FILTER", conflicts_with = "query")]
    query_where: Option<String>,
    /// Only subjects that this filter selects are neighbours.
    #[arg(long = "where", value_name = "FILTER")]
    among: Option<String>,
    /// How many neighbours of each.
    #[arg(short, default_value_t = 5, value_name = "K")]
    k: usize,
    /// euclidean (default) or cosine.
    #[arg(long, default_value = "euclidean", value_name = "NAME")]
    metric: String,
    /// Be content with this share of the true neighbours, which can be much faster for all of a large
    /// table. The share reached is measured and shown.
    #[arg(long, value_name = "SHARE")]
    recall: Option<f64>,
    /// Table to write: .parquet, .csv, .json or .arrow.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let metric = metric(&args.metric)?;
    if let Some(output) = &args.output {
        TableFormat::of(output)?;
    }
    let table = WholeTable::read(&args.table, &args.with, &mut session)?;
    let (points, row_of) = table.points(&mut session)?;
    let asked = asked(args, &table, &row_of)?;
    let among = args.among.as_deref().map(|text| -> Result<Mask> {
        let (_, slice) = table.select(text)?;
        Ok(Mask::of(row_of.len(), |point| slice.mask.contains(row_of[point])))
    });
    let among = among.transpose()?;
    if let Some(among) = &among {
        session.summary.count("n_among", "possible neighbours", among.count() as u64);
    }
    let found = search(args, metric, &points, asked.as_deref(), among.as_ref(), &mut session)?;
    let of = |query: usize| asked.as_ref().map_or(query, |asked| asked[query]);
    let id = |point: usize| table.ids[row_of[point]].as_str();
    session.summary.count("n_queries", "queries", found.len() as u64);
    session.summary.count("n_neighbours", "neighbours of each", found.k() as u64);
    if found.k() < args.k {
        session.summary.note("(fewer than asked for: there are no more)");
    }
    let mut rows = Vec::new();
    for query in 0..found.len().min(5) {
        let near = found.rows(query).iter().zip(found.distances(query));
        let near: Vec<String> =
            near.take(5).map(|(p, d)| format!("{} ({d:.3})", id(*p as usize))).collect();
        rows.push(vec![id(of(query)).to_owned(), near.join(", ")]);
    }
    session.summary.table("Nearest, with their distance", &["subject", ""], &rows);
    let Some(output) = &args.output else { return session.finish(None) };
    let pairs = || (0..found.len()).flat_map(|q| (0..found.k()).map(move |rank| (q, rank)));
    let subject = pairs().map(|(q, _)| Some(id(of(q)))).collect::<StringArray>();
    let rank = UInt32Array::from_iter_values(pairs().map(|(_, rank)| rank as u32 + 1));
    let near = pairs().map(|(q, rank)| Some(id(found.rows(q)[rank] as usize))).collect::<StringArray>();
    let distance = Float32Array::from_iter_values(pairs().map(|(q, rank)| found.distances(q)[rank]));
    let columns: [(&str, ArrayRef); 4] = [
        ("subject_id", Arc::new(subject)),
        ("rank", Arc::new(rank)),
        ("neighbour_id", Arc::new(near)),
        ("distance", Arc::new(distance)),
    ];
    let batch = RecordBatch::try_from_iter(columns)?;
    write_table(output, &batch)?;
    session.table_file(output, batch.num_rows() as u64);
    session.finish(Some(&run_json_for(output)))
}

/// The metric of a name.
pub(crate) fn metric(name: &str) -> Result<Metric> {
    Metric::parse(name).ok_or_else(|| anyhow!("--metric {name:?}; there are euclidean, cosine"))
}

/// The points whose neighbours are wanted; `None` for all.
fn asked(args: &Args, table: &WholeTable, row_of: &[usize]) -> Result<Option<Vec<usize>>> {
    if let Some(text) = &args.query_where {
        let (_, slice) = table.select(text)?;
        let points: Vec<usize> = (0..row_of.len()).filter(|&p| slice.mask.contains(row_of[p])).collect();
        if points.is_empty() {
            bail!("--query-where selects no subject with a vector; look at it with `volary slice`");
        }
        return Ok(Some(points));
    }
    if args.query.is_empty() {
        return Ok(None);
    }
    let point = |id: &String| {
        let found = row_of.iter().position(|&row| table.ids[row] == *id);
        found.ok_or_else(|| {
            anyhow!("no subject {id:?} with a vector in the table; look for it in subject_id")
        })
    };
    args.query.iter().map(point).collect::<Result<_>>().map(Some)
}

fn search(
    args: &Args,
    metric: Metric,
    points: &Points,
    asked: Option<&[usize]>,
    among: Option<&Mask>,
    session: &mut Session,
) -> Result<Neighbours> {
    let sign = session.working("comparing vectors");
    let queries = asked.map_or(Queries::All, Queries::Rows);
    let Some(recall) = args.recall else { return Ok(exact(points, queries, args.k, metric, among)?) };
    if asked.is_some() || among.is_some() {
        bail!(
            "--recall is for all subjects' neighbours among all; leave it out, a few queries are quick anyway"
        );
    }
    let params = ApproximateParams { recall, seed: session.global.seed, ..ApproximateParams::default() };
    let found = approximate(points, args.k, metric, &params)?;
    drop(sign);
    match found.recall {
        Some(r) => {
            session.summary.line("recall", "recall", &percent(r.value, r.low, r.high), r.value);
        }
        None => session.summary.note("compared exactly: by lists it would not be faster at this recall"),
    }
    Ok(found.neighbours)
}
