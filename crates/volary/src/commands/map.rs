//! `volary map`: subjects on a plane, those that look alike together.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, bail};
use arrow_array::{ArrayRef, Float32Array, RecordBatch, StringArray};
use serde_json::json;
use volary_ingest::tables::{TableFormat, write_table};
use volary_space::map::{MapQuality, Umap, UmapParams, quality};
use volary_space::neighbours::{ApproximateParams, Metric, Queries, approximate, exact, purity};
use volary_space::pca::{Pca, PcaParams};
use volary_space::slice::{Column, Table as _};
use volary_space::{Bootstrap, Estimate, Points, Units};

use crate::commands::neighbours::metric;
use crate::consensus_tables::beside;
use crate::session::{Session, run_json_for};
use crate::summary::percent;
use crate::whole_table::WholeTable;

/// Points that the map's quality is asked of.
const N_ASKED: usize = 500;

/// Put subjects on a map: those with similar vectors together (UMAP), with a measure of how far to trust it.
///
/// The table holds vectors (columns z0, z1, … or e0, e1, …, a column of lists, or an NPY file). Writes a row
/// per subject with x and y (and z). Subjects that come later are put on the same map by --place. Distances
/// across a map mean little, neighbourhoods much: the summary says how much.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary map embeddings.parquet -o map.parquet
  volary map embeddings.parquet -o map.csv --dimensions 3 --neighbors 30 --class kind
  volary map embeddings.parquet -o map.parquet --place new_embeddings.parquet")]
pub(crate) struct Args {
    /// Table with vectors: .parquet, .csv, .json, .arrow or .npy.
    #[arg(value_name = "TABLE")]
    table: PathBuf,
    /// Table to write: .parquet, .csv, .json or .arrow.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Another table, joined by subject_id. May be repeated.
    #[arg(long, value_name = "TABLE")]
    with: Vec<PathBuf>,
    /// Put these subjects on the finished map, into FILE_placed.
    #[arg(long, value_name = "TABLE")]
    place: Option<PathBuf>,
    /// 2 or 3.
    #[arg(long, default_value_t = 2, value_name = "N")]
    dimensions: usize,
    /// Size of a neighbourhood: smaller shows finer, larger coarser structure.
    #[arg(long, default_value_t = 15, value_name = "N")]
    neighbors: usize,
    /// How close points may lie.
    #[arg(long, default_value_t = 0.1, value_name = "DISTANCE")]
    min_dist: f64,
    /// Rounds; 500 up to 10,000 subjects and 200 above.
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// euclidean (default) or cosine.
    #[arg(long, default_value = "euclidean", value_name = "NAME")]
    metric: String,
    /// Share of the true neighbours that the map is drawn from; 1 compares every pair.
    #[arg(long, default_value_t = 0.98, value_name = "SHARE")]
    recall: f64,
    /// A column of texts: say how often neighbours are of the same class.
    #[arg(long, value_name = "COLUMN")]
    class: Option<String>,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    TableFormat::of(&args.output)?;
    let params = UmapParams {
        n_dimensions: args.dimensions,
        n_neighbors: args.neighbors,
        min_dist: args.min_dist,
        n_epochs: args.epochs,
        metric: metric(&args.metric)?,
        seed: session.global.seed,
        ..UmapParams::default()
    };
    let table = WholeTable::read(&args.table, &args.with, &mut session)?;
    let (points, row_of) = table.points(&mut session)?;
    session.summary.count("n_subjects", "subjects", points.len() as u64);
    session.summary.count("n_columns", "numbers of a vector", points.width() as u64);
    let map = draw(args, &points, &params, &mut session)?;
    let ids: Vec<&str> = row_of.iter().map(|&row| table.ids[row].as_str()).collect();
    let n = write(&args.output, &ids, map.coordinates())?;
    session.table_file(&args.output, n);
    judge(args, &table, &row_of, &points, &map, &mut session)?;
    if let Some(new) = &args.place {
        let new = WholeTable::read(new, &[], &mut session)?;
        let (new_points, new_rows) = new.points(&mut session)?;
        let placed = map.transform(&points, &new_points)?;
        let ids: Vec<&str> = new_rows.iter().map(|&row| new.ids[row].as_str()).collect();
        let path = beside(&args.output, "placed");
        let n = write(&path, &ids, &placed)?;
        session.table_file(&path, n);
    }
    session.finish(Some(&run_json_for(&args.output)))
}

fn draw(args: &Args, points: &Points, params: &UmapParams, session: &mut Session) -> Result<Umap> {
    let sign = session.working("comparing vectors");
    let k = Umap::n_wanted(params, points.len());
    let (neighbours, recall) = if args.recall >= 1.0 {
        (exact(points, Queries::All, k, params.metric, None)?, None)
    } else {
        let wanted =
            ApproximateParams { recall: args.recall, seed: params.seed, ..ApproximateParams::default() };
        let found = approximate(points, k, params.metric, &wanted)?;
        (found.neighbours, found.recall)
    };
    drop(sign);
    if let Some(r) = recall {
        session.summary.line("recall", "neighbours found", &shown(Some(r)), json(Some(r)));
    }
    let sign = session.working("drawing the map");
    let map = Umap::fit(points, &neighbours, params)?;
    drop(sign);
    Ok(map)
}

fn write(path: &Path, ids: &[&str], places: &Points) -> Result<u64> {
    let axis = |at: usize| -> ArrayRef {
        Arc::new(Float32Array::from_iter_values((0..places.len()).map(|row| places.row(row)[at])))
    };
    let mut columns: Vec<(&str, ArrayRef)> =
        vec![("subject_id", Arc::new(StringArray::from_iter_values(ids)))];
    columns.extend(["x", "y", "z"].into_iter().take(places.width()).zip((0..).map(axis)));
    let batch = RecordBatch::try_from_iter(columns)?;
    write_table(path, &batch)?;
    Ok(batch.num_rows() as u64)
}

/// How far to trust the map, beside the plain one of principal components.
fn judge(
    args: &Args,
    table: &WholeTable,
    row_of: &[usize],
    points: &Points,
    map: &Umap,
    session: &mut Session,
) -> Result<()> {
    let sign = session.working("measuring the map");
    let params = map.params();
    let bootstrap = Bootstrap::new(500, 0.95, params.seed)?;
    let k = params.n_neighbors.min((points.len() - 1) / 2);
    if k == 0 {
        return Ok(());
    }
    let pca = Pca::fit(points, &PcaParams::new(params.n_dimensions))?;
    let plain = pca.transform(points)?;
    let of = |map: &Points| quality(points, map, k, params.metric, N_ASKED, &bootstrap);
    let (ours, plain_quality) = (of(map.coordinates())?, of(&plain)?);
    drop(sign);
    let row = |name: &str, q: &MapQuality| {
        [name.to_owned()]
            .into_iter()
            .chain([q.trustworthiness, q.continuity, q.preservation].map(shown))
            .collect::<Vec<String>>()
    };
    let title = format!("Neighbourhoods of {k} kept, asked of {} subjects", ours.n_sampled);
    let header = ["", "trustworthiness", "continuity", "neighbours kept"];
    session.summary.table(
        &title,
        &header,
        &[row("map", &ours), row("principal components", &plain_quality)],
    );
    let object = |q: &MapQuality| {
        json!({
            "trustworthiness": json(q.trustworthiness), "continuity": json(q.continuity),
            "preservation": json(q.preservation), "k": q.k, "n_sampled": q.n_sampled,
        })
    };
    session.summary.value("quality", object(&ours));
    session.summary.value("quality_pca", object(&plain_quality));
    let Some(name) = &args.class else { return Ok(()) };
    let Some(column @ Column::Text { .. }) = table.columns.column(name) else {
        bail!(
            "--class {name:?} is no column of texts; the table has {}",
            table.columns.names().join(", ")
        );
    };
    let Column::Text { codes, .. } = column.pick(&row_of.iter().map(|r| Some(*r)).collect::<Vec<_>>())
    else {
        return Ok(());
    };
    for (key, label, space, metric) in [
        ("purity", "like neighbours", points, params.metric),
        ("purity_map", "like neighbours, on map", map.coordinates(), Metric::Euclidean),
    ] {
        let asked: Vec<usize> = (0..points.len()).step_by(points.len().div_ceil(5000)).collect();
        let near = exact(space, Queries::Rows(&asked), 5, metric, None)?;
        let class: Vec<u32> = asked.iter().map(|&i| codes[i]).collect();
        let found = purity(&near, &class, &codes, &Units::subjects(asked.len()), &bootstrap)?;
        session.summary.line(key, label, &shown(found), json(found));
    }
    Ok(())
}

fn shown(estimate: Option<Estimate>) -> String {
    estimate.map_or_else(|| "–".to_owned(), |e| percent(e.value, e.low, e.high))
}

fn json(estimate: Option<Estimate>) -> serde_json::Value {
    estimate.map_or(serde_json::Value::Null, |e| json!({"value": e.value, "low": e.low, "high": e.high}))
}
