//! `volary outliers`: how unusual vectors or images are, without a network.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use volary_ingest::tables::{TableFormat, write_table};
use volary_space::neighbours::Metric;
use volary_space::outliers::forest::ForestParams;
use volary_space::outliers::{Measure, Outliers};
use volary_space::pca::{Pca, PcaParams};
use volary_space::slice::Mask;
use volary_space::{PixelRows, Points, Rows};

use crate::commands::neighbours::metric;
use crate::estimates::Sheet;
use crate::pictures::{PrepareArgs, SourceArgs};
use crate::session::{Session, run_json_for};
use crate::vector_tables::write_embeddings;
use crate::whole_table::WholeTable;

/// Score how unusual subjects are by plain measures that a network has to beat: what principal components
/// lose, the distance to near neighbours, an isolation forest.
///
/// Works on vectors (of any network, as columns, lists or an NPY file) or, with --pixels, on the images
/// themselves. Writes a row per subject with a column per measure, larger is more unusual; `volary compare
/// scorers` compares them with others, `volary sample --top` shows the top to volunteers. With --pixels the
/// components of each picture are in FILE_embeddings: vectors for `volary map` where there is no network.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary outliers embeddings.parquet -o outliers.csv
  volary outliers new.npy --learn-from ordinary.npy --measure knn --k 5 -o outliers.parquet
  volary outliers subjects.csv --pixels --size 48 --components 40 -o outliers.csv
  volary map outliers_embeddings.csv -o map.csv
  volary outliers embeddings.parquet --with subjects.csv --ordinary \"kind != 'artefact'\" -o outliers.csv")]
pub(crate) struct Args {
    /// SUBJECTS are images and not vectors: measure their pixels. The neighbours and the forest then work on
    /// the components.
    #[arg(long)]
    pixels: bool,
    /// Another table, joined by subject_id. May be repeated.
    #[arg(long, value_name = "TABLE", conflicts_with = "pixels")]
    with: Vec<PathBuf>,
    /// pca, knn or forest. May be repeated; all without it.
    #[arg(long, value_name = "NAME", value_parser = ["pca", "knn", "forest"])]
    measure: Vec<String>,
    /// Learn what is ordinary from these vectors instead.
    #[arg(long, value_name = "TABLE", conflicts_with = "pixels")]
    learn_from: Option<PathBuf>,
    /// Learn what is ordinary from the subjects that this filter selects (see `volary slice --help`).
    #[arg(long, value_name = "FILTER", conflicts_with_all = ["pixels", "learn_from"])]
    ordinary: Option<String>,
    /// Principal components [default: 25, or half the vectors' length if that is less; 64 for pixels].
    #[arg(long, value_name = "N")]
    components: Option<usize>,
    /// The distance to which neighbour.
    #[arg(long, default_value_t = 10, value_name = "K")]
    k: usize,
    /// Distance of neighbours: euclidean (default) or cosine.
    #[arg(long, default_value = "euclidean", value_name = "NAME")]
    metric: String,
    /// Trees of the forest.
    #[arg(long, default_value_t = 100, value_name = "N")]
    trees: usize,
    /// Vectors that each tree sees.
    #[arg(long, default_value_t = 256, value_name = "N")]
    sample: usize,
    /// Table to write: .parquet, .csv, .json or .arrow.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    prepare: PrepareArgs,
}

/// Scores by measure, and the ids of the subjects.
struct Scored {
    ids: Vec<String>,
    columns: Vec<(&'static str, Vec<f64>)>,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    TableFormat::of(&args.output)?;
    let metric = metric(&args.metric)?;
    let scored = if args.pixels {
        of_pixels(args, metric, &mut session)?
    } else {
        of_vectors(args, metric, &mut session)?
    };
    let mut sheet = Sheet::default().texts("subject_id", scored.ids.iter().map(String::as_str));
    for (name, values) in &scored.columns {
        sheet = sheet.numbers(name, values.iter().copied());
    }
    let batch = sheet.finish()?;
    write_table(&args.output, &batch)?;
    session.table_file(&args.output, batch.num_rows() as u64);
    let most = |(name, values): &(&'static str, Vec<f64>)| {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
        let shown = |at: &usize| format!("{} ({:.4})", scored.ids[*at], values[*at]);
        vec![(*name).to_owned(), order.iter().take(5).map(shown).collect::<Vec<_>>().join(", ")]
    };
    let rows: Vec<Vec<String>> = scored.columns.iter().map(most).collect();
    session.summary.table("Most unusual", &["measure", "subjects"], &rows);
    session.finish(Some(&run_json_for(&args.output)))
}

impl Args {
    fn wants(&self, name: &str) -> bool {
        self.measure.is_empty() || self.measure.iter().any(|m| m == name)
    }

    fn measures(&self, width: usize, metric: Metric) -> Vec<Measure> {
        let n_components = self.components.unwrap_or(25.min(width.div_ceil(2)));
        let all = [
            Measure::Pca { n_components },
            Measure::Knn { k: self.k, metric },
            Measure::Forest(ForestParams { n_trees: self.trees, sample: self.sample }),
        ];
        all.into_iter().filter(|m| self.wants(m.as_str())).collect()
    }
}

fn of_vectors(args: &Args, metric: Metric, session: &mut Session) -> Result<Scored> {
    let table = WholeTable::read(&args.source.subjects, &args.with, session)?;
    let (points, row_of) = table.points(session)?;
    session.summary.count("n_subjects", "subjects", points.len() as u64);
    session.summary.count("n_columns", "numbers of a vector", points.width() as u64);
    let ordinary = ordinary(args, &table, &points, &row_of, session)?;
    if let Some(ordinary) = &ordinary {
        session.summary.count("n_ordinary", "learned from", ordinary.len() as u64);
    }
    let mut columns = Vec::new();
    for measure in args.measures(points.width(), metric) {
        if matches!(measure, Measure::Pca { n_components } if n_components >= points.width()) {
            bail!(
                "--components must be below the vectors' length of {}, or nothing is lost to score by",
                points.width()
            );
        }
        let _sign = session.working(measure.as_str());
        let seed = session.global.seed;
        let scores = match &ordinary {
            None => Outliers::fit(&points, measure, seed)?.score_fitted(&points)?,
            Some(ordinary) => scored_by(ordinary, &points, measure, seed)?,
        };
        columns.push((measure.as_str(), scores));
    }
    Ok(Scored { ids: row_of.iter().map(|&row| table.ids[row].clone()).collect(), columns })
}

/// What is ordinary, where that is not all subjects themselves.
fn ordinary(
    args: &Args,
    table: &WholeTable,
    points: &Points,
    row_of: &[usize],
    session: &mut Session,
) -> Result<Option<Points>> {
    if let Some(path) = &args.learn_from {
        let (ordinary, _) = WholeTable::read(path, &[], session)?.points(session)?;
        return Ok(Some(ordinary));
    }
    let Some(text) = &args.ordinary else { return Ok(None) };
    let (_, slice) = table.select(text)?;
    let mask = Mask::of(row_of.len(), |point| slice.mask.contains(row_of[point]));
    if mask.count() < 2 {
        bail!("--ordinary selects {} subjects with a vector; two or more are needed", mask.count());
    }
    Ok(Some(points.select(&mask.rows().collect::<Vec<_>>())))
}

/// Scores of points by ordinary ones. A point that is among the ordinary ones is at distance 0 of itself, so it
/// looks one neighbour further.
fn scored_by(ordinary: &Points, points: &Points, measure: Measure, seed: u64) -> Result<Vec<f64>> {
    let fitted = Outliers::fit(ordinary, measure, seed)?;
    let mut scores = fitted.score(points)?;
    if let Measure::Knn { k, metric } = measure {
        let nearest = Outliers::fit(ordinary, Measure::Knn { k: 1, metric }, seed)?.score(points)?;
        let further = Outliers::fit(ordinary, Measure::Knn { k: k + 1, metric }, seed)?.score(points)?;
        for (at, score) in scores.iter_mut().enumerate() {
            if nearest[at] <= 0.0 {
                *score = further[at];
            }
        }
    }
    Ok(scores)
}

fn of_pixels(args: &Args, metric: Metric, session: &mut Session) -> Result<Scored> {
    let found = args.source.find(session)?;
    let settings = args.prepare.settings()?;
    let built = args.source.decode(&found.subjects, &settings, session)?;
    let ids: Vec<String> =
        built.subject_idx.iter().map(|&at| found.subjects[at].subject_id.clone()).collect();
    if ids.len() < 3 {
        bail!("{} pictures; components and neighbours need three or more", ids.len());
    }
    let rows = PixelRows(&built.cache);
    let n_components = args.components.unwrap_or(64).min(rows.n_rows() - 2);
    let sign = session.working("components of the pixels");
    let params = PcaParams { seed: session.global.seed, ..PcaParams::new(n_components) };
    let pca = Pca::fit(&rows, &params).context("the components of the pixels")?;
    drop(sign);
    let explained: f64 = pca.explained().iter().sum();
    let text = format!("{:.1} % by {}", 100.0 * explained, pca.n_components());
    session.summary.line("explained", "variance in components", &text, explained);
    let reduced = pca.transform(&rows)?;
    let names: Vec<&str> = ids.iter().map(String::as_str).collect();
    write_embeddings(&args.output, &names, reduced.width(), reduced.values(), session)?;
    let mut columns = Vec::new();
    for measure in args.measures(usize::MAX, metric) {
        let _sign = session.working(measure.as_str());
        let scores = match measure {
            Measure::Pca { .. } => pca.reconstruction_error(&rows)?,
            other => Outliers::fit(&reduced, other, session.global.seed)?.score_fitted(&reduced)?,
        };
        columns.push((measure.as_str(), scores));
    }
    Ok(Scored { ids, columns })
}
