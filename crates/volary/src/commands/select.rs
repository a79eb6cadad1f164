//! `volary select`: a boundary that was learned, applied to new vectors.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, bail};
use arrow_array::{BooleanArray, UInt32Array};
use serde_json::json;
use volary_ingest::tables::{TableFormat, write_table};
use volary_loop::drift::kolmogorov_smirnov;
use volary_loop::sampling::Candidate;
use volary_loop::sampling::top::{TopAndRest, top_and_rest};
use volary_space::boundary::Row;

use crate::commands::boundary::{ModelName, Opened, Saved, Seen, model_name};
use crate::commands::score::embed;
use crate::consensus_tables::beside;
use crate::estimates::{Sheet, shown};
use crate::pictures::SourceArgs;
use crate::session::{Session, run_json_for};
use crate::summary::{grouped, percent};
use crate::whole_table::WholeTable;

/// Apply a boundary that `volary boundary --save` kept to the vectors of new images, and say how far these are
/// from what it was learned on.
///
/// A boundary that was saved as .tar has its model with it: TABLE may then be a folder of images, or with --pictures a
/// table of them, and is scored first (FILE_scores).
/// Writes a row per subject: probability, whether it is selected, its place. FILE_drift compares the new
/// vectors with the boundary's reference (Kolmogorov–Smirnov) along every component, in what the components
/// lose, and in the probability. With --rest, FILE_sample holds all that is selected and a random draw of the
/// others, each with its chance, so that what the boundary misses can be estimated.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary select taste.json new_embeddings.parquet -o selected.csv
  volary select taste.json new_embeddings.parquet --model models/gan --rest 200 -o selected.csv
  volary select taste.tar new_survey -o selected.csv
  volary select taste.tar subjects.csv --pictures --images cutouts -o selected.csv")]
pub(crate) struct Args {
    /// The boundary.
    #[arg(value_name = "BOUNDARY")]
    boundary: PathBuf,
    /// Table with vectors of the same network (.parquet, .csv, .json, .arrow or .npy), or images.
    #[arg(value_name = "TABLE")]
    table: PathBuf,
    /// Another table, joined by subject_id. May be repeated.
    #[arg(long, value_name = "TABLE")]
    with: Vec<PathBuf>,
    /// Table to write: .parquet, .csv, .json or .arrow.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Select from this probability on, instead of the boundary's own.
    #[arg(long, value_name = "P")]
    from: Option<f64>,
    /// The model that made these vectors: refused if it is not the boundary's.
    #[arg(long, value_name = "MODEL")]
    model: Option<PathBuf>,
    /// TABLE is a table of subjects with images, or a subject export; a folder needs no such word.
    #[arg(long, conflicts_with = "model")]
    pictures: bool,
    /// Folder of the image files, where it is not the table's own.
    #[arg(long, value_name = "DIR", requires = "pictures")]
    images: Option<PathBuf>,
    /// Folder in which decoded pictures are kept for the next run; it can be deleted at any time.
    #[arg(long, value_name = "DIR", default_value = "volary-cache")]
    cache: PathBuf,
    /// Where images are scored: cpu, or gpu in a build that has it.
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: String,
    /// Draw so many of those that are not selected into FILE_sample, beside all that are.
    #[arg(long, value_name = "N")]
    rest: Option<usize>,
    /// Level at which a component counts as drifted, all comparisons together.
    #[arg(long, default_value_t = 0.01, value_name = "SHARE")]
    drift_level: f64,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    TableFormat::of(&args.output)?;
    let opened = Opened::read(&args.boundary)?;
    let saved = &opened.saved;
    session.input_file(&args.boundary)?;
    let from = args.from.unwrap_or(saved.selected_from);
    if !(0.0..=1.0).contains(&from) {
        bail!("--from {from} is no probability; 0.5 is usual");
    }
    if !(args.drift_level > 0.0 && args.drift_level < 1.0) {
        bail!("--drift-level {} must lie between 0 and 1; 0.01 is usual", args.drift_level);
    }
    let table = if args.pictures || args.table.is_dir() {
        scored(args, &opened, &mut session)?
    } else {
        compare_models(args, saved.model.as_ref(), &mut session)?;
        WholeTable::read(&args.table, &args.with, &mut session)?
    };
    let (points, row_of) = table.points(&mut session)?;
    let boundary = saved.boundary()?;
    let seen = Seen::of(&boundary, &points)?;
    let ids: Vec<&str> = row_of.iter().map(|&row| table.ids[row].as_str()).collect();
    write_selected(args, &ids, &seen, from, &mut session)?;
    let n_drifted = write_drift(args, saved, &seen, &mut session)?;
    summarise(args, saved, &seen, from, n_drifted, &mut session);
    if let Some(rest) = args.rest {
        write_sample(args, &ids, &seen, from, rest, &mut session)?;
    }
    session.finish(Some(&run_json_for(&args.output)))
}

/// New images by the boundary's own model.
fn scored(args: &Args, opened: &Opened, session: &mut Session) -> Result<WholeTable> {
    let Some(model) = opened.model() else {
        bail!(
            "this boundary has no model with it to score images by; save it as .tar (`volary boundary --save \
             taste.tar --model MODEL`), or score the images with `volary score` and give FILE_embeddings"
        );
    };
    let source = SourceArgs::of(&args.table, args.images.as_deref(), &args.cache);
    let scores = beside(&args.output, "scores");
    let vectors = embed(&model, source, &scores, &args.device, session)?;
    WholeTable::read(&vectors, &[vec![scores], args.with.clone()].concat(), session)
}

fn compare_models(args: &Args, own: Option<&ModelName>, session: &mut Session) -> Result<()> {
    let given = args.model.as_deref().map(model_name).transpose()?;
    match (own, given) {
        (Some(own), Some(given)) if own.blake3 != given.blake3 => bail!(
            "these vectors are of another network than the boundary's ({}, {}…; the boundary: {}, {}…); score the \
             images with that one",
            given.name,
            &given.blake3[..12],
            own.name,
            own.blake3.get(..12).unwrap_or_default()
        ),
        (Some(own), None) => {
            session.summary.note(&format!(
                "(the boundary is for vectors of {:?}; give --model to have that checked)",
                own.name
            ));
        }
        (None, _) => session.summary.note("(the boundary does not say whose vectors it is for)"),
        (Some(_), Some(_)) => {}
    }
    Ok(())
}

fn write_selected(
    args: &Args,
    ids: &[&str],
    seen: &Seen,
    from: f64,
    session: &mut Session,
) -> Result<()> {
    let mut order: Vec<usize> = (0..ids.len()).collect();
    order.sort_by(|&a, &b| seen.probability[b].total_cmp(&seen.probability[a]).then(ids[a].cmp(ids[b])));
    let selected = order.iter().map(|&at| Some(seen.probability[at] >= from));
    let batch = Sheet::default()
        .texts("subject_id", order.iter().map(|&at| ids[at]))
        .numbers("probability", order.iter().map(|&at| seen.probability[at]))
        .column("selected", Arc::new(BooleanArray::from_iter(selected)))
        .column("rank", Arc::new(UInt32Array::from_iter_values((1..).take(ids.len()))))
        .numbers("lost", order.iter().map(|&at| seen.lost[at]))
        .finish()?;
    write_table(&args.output, &batch)?;
    session.table_file(&args.output, batch.num_rows() as u64);
    Ok(())
}

/// Compares with the reference; how many comparisons say drift.
fn write_drift(args: &Args, saved: &Saved, seen: &Seen, session: &mut Session) -> Result<usize> {
    let wide = |values: &Vec<f32>| values.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>();
    let mut compared: Vec<(String, Vec<f64>, Vec<f64>)> = vec![
        ("probability".to_owned(), saved.reference.probability.clone(), seen.probability.clone()),
        ("lost by the components".to_owned(), saved.reference.lost.clone(), seen.lost.clone()),
    ];
    let pairs = saved.reference.components.iter().zip(&seen.components);
    compared.extend(
        pairs
            .enumerate()
            .map(|(at, (old, new))| (format!("component {}", at + 1), wide(old), wide(new))),
    );
    // Bonferroni: one alarm in all comparisons together.
    let limit = args.drift_level / compared.len() as f64;
    let median = |values: &[f64]| {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        volary_crowd::tags::quantile(&sorted, 0.5, 0.95).map_or(f64::NAN, |q| q.value)
    };
    let tests: Vec<_> = compared.iter().map(|(_, old, new)| kolmogorov_smirnov(old, new)).collect();
    let drifted: Vec<bool> = tests.iter().map(|t| t.is_some_and(|t| t.p_value < limit)).collect();
    let batch = Sheet::default()
        .texts("what", compared.iter().map(|c| c.0.as_str()))
        .numbers("distance", tests.iter().map(|t| t.map_or(f64::NAN, |t| t.distance)))
        .numbers("p_value", tests.iter().map(|t| t.map_or(f64::NAN, |t| t.p_value)))
        .numbers("reference_median", compared.iter().map(|c| median(&c.1)))
        .numbers("new_median", compared.iter().map(|c| median(&c.2)))
        .column("drifted", Arc::new(BooleanArray::from_iter(drifted.iter().map(|d| Some(*d)))))
        .finish()?;
    let path = beside(&args.output, "drift");
    write_table(&path, &batch)?;
    session.table_file(&path, batch.num_rows() as u64);
    let mut order: Vec<usize> = (0..compared.len()).collect();
    let distance = |at: usize| tests[at].map_or(0.0, |t| t.distance);
    order.sort_by(|&a, &b| distance(b).total_cmp(&distance(a)));
    let row = |&at: &usize| {
        let p = tests[at].map_or(f64::NAN, |t| t.p_value);
        let word = if drifted[at] { "drifted" } else { "" };
        vec![compared[at].0.clone(), format!("{:.3}", distance(at)), format!("{p:.2e}"), word.to_owned()]
    };
    let rows: Vec<Vec<String>> = order.iter().take(5).map(row).collect();
    let header = ["", "distance", "p", ""];
    session.summary.table("Against what the boundary was learned on, furthest first", &header, &rows);
    session.summary.value("largest_distance", order.first().map(|&at| distance(at)));
    Ok(drifted.iter().filter(|d| **d).count())
}

fn summarise(
    args: &Args,
    saved: &Saved,
    seen: &Seen,
    from: f64,
    n_drifted: usize,
    session: &mut Session,
) {
    let n = seen.probability.len();
    let n_selected = seen.probability.iter().filter(|p| **p >= from).count();
    let interval = volary_crowd::interval::jeffreys(n_selected as f64, n as f64, 0.95);
    let share = percent(n_selected as f64 / n as f64, interval.low, interval.high);
    let summary = &mut session.summary;
    summary.count("n_subjects", "subjects", n as u64);
    let text = format!("{}: {share}", grouped(n_selected as u64));
    let value = json!({"n": n_selected, "low": interval.low, "high": interval.high});
    summary.line("selected", "selected", &text, value);
    summary.count("n_drifted", "comparisons that drifted", n_drifted as u64);
    let row: Row = saved.row();
    let at = format!("{} above {}", row.quantity, row.threshold);
    summary.line("learned", "learned to find", &at, at.clone());
    summary.note(&format!("When it was learned it selected {}.", shown(row.selected)));
    if args.from.is_none() {
        let sentence = row.sentence(n);
        summary.note(&format!("If the new images are like the old: {sentence}."));
        summary.value("sentence", sentence);
    }
    if n_drifted > 0 {
        summary.note(
            "The new vectors are unlike those it was learned on, so these shares may not hold: have volunteers \
             look at a sample (--rest), and learn the boundary again with their votes.",
        );
    }
}

/// All that is selected, and a draw from the rest.
fn write_sample(
    args: &Args,
    ids: &[&str],
    seen: &Seen,
    from: f64,
    n_rest: usize,
    session: &mut Session,
) -> Result<()> {
    let n_selected = seen.probability.iter().filter(|p| **p >= from).count();
    let one = |(id, p): (&&str, &f64)| Candidate {
        id: (*id).to_owned(),
        score: *p,
        model: args.boundary.display().to_string(),
    };
    let candidates: Vec<Candidate> = ids.iter().zip(&seen.probability).map(one).collect();
    let top_share = n_selected as f64 / ids.len() as f64;
    let params = TopAndRest { top_share, n_rest, seed: session.global.seed };
    let draw = top_and_rest(&candidates, &std::collections::BTreeSet::new(), &params)?;
    let is_selected = draw.selected.iter().map(|s| Some(s.is_top));
    let batch = Sheet::default()
        .texts("subject_id", draw.selected.iter().map(|s| s.id.as_str()))
        .numbers("probability", draw.selected.iter().map(|s| s.score))
        .column("selected", Arc::new(BooleanArray::from_iter(is_selected)))
        .numbers("p_included", draw.selected.iter().map(|s| s.p_included))
        .finish()?;
    let path = beside(&args.output, "sample");
    write_table(&path, &batch)?;
    session.table_file(&path, batch.num_rows() as u64);
    session.summary.line("p_rest", "chance of the others", &format!("{:.4}", draw.p_rest), draw.p_rest);
    Ok(())
}
