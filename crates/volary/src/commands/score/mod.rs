//! `volary score`: a trained model on pictures, also ones that nobody has seen.

mod anomaly;
mod autoencoder;
mod classifier;
mod confusion;
mod journal;
mod odd;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde_json::Value;
use volary_ingest::images::{Built, ImageSubject, Settings};
use volary_ingest::tables::TableFormat;
use volary_vision::{ModelKind, model_kind};

use crate::consensus_tables::beside;
use crate::pictures::SourceArgs;
use crate::session::{Session, run_json_for};

/// Use a trained model: what would volunteers say of these pictures, is it there, or how odd are they?
///
/// The pictures are prepared as those that the model learned from. A confusion model writes to FILE a row for
/// each subject and class: the predicted consensus, its interval, and the interval in which the fraction of so
/// many volunteers would lie; to FILE_subjects how far each picture is from what the model rebuilds of it. A
/// classifier writes the calibrated probability of each class, how far passes with parts of the network left out
/// are apart, and what an answer would tell of the network. An anomaly model writes a row for each subject: image
/// score, feature score, anomaly score, and where that stands among all (percentile, and a flag for the top and
/// bottom of them); an autoencoder the same with its one score; stopped at any moment, the same command goes on. All
/// write to FILE_embeddings numbers of each picture, for maps and neighbours.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary score model subjects.csv -o predictions.parquet
  volary score model cutouts -o predictions.csv --volunteers 20 --confidence 0.95
  volary score rb cutouts -o scores.csv --passes 50
  volary score oddities cutouts -o scores.csv --feature-weight 0.5
  volary score autoencoder cutouts -o rebuilt.csv")]
pub(crate) struct Args {
    /// The folder that `volary train` wrote.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    #[command(flatten)]
    source: SourceArgs,
    /// Table to write: .parquet, .csv, .json or .arrow.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Confusion and classifier: share of the distribution, or of the passes, inside of an interval.
    #[arg(long, value_name = "SHARE", default_value_t = 0.9)]
    confidence: f64,
    /// Confusion: volunteers of a fraction's interval [default: as many as a typical picture of the training
    /// had].
    #[arg(long, value_name = "N")]
    volunteers: Option<u32>,
    /// Classifier: passes with parts of the network left out.
    #[arg(long, value_name = "N", default_value_t = 30)]
    passes: usize,
    /// Anomaly: weight of the image score in the anomaly score [default: that of the training].
    #[arg(long, value_name = "WEIGHT")]
    image_weight: Option<f64>,
    /// Anomaly: weight of the feature score [default: that of the training].
    #[arg(long, value_name = "WEIGHT")]
    feature_weight: Option<f64>,
    /// Pictures at a time.
    #[arg(long, value_name = "N", default_value_t = 64)]
    batch: usize,
    /// Where to compute: cpu, or gpu in a build that has it.
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: String,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    TableFormat::of(&args.output)?;
    let kind = model_kind(&args.model)?;
    session.input_file(&args.model.join("weights.safetensors"))?;
    score(kind, args, &mut session)?;
    session.finish(Some(&run_json_for(&args.output)))
}

/// Scores pictures and writes the tables.
fn score(kind: ModelKind, args: &Args, session: &mut Session) -> Result<()> {
    match kind {
        ModelKind::Confusion => confusion::run(args, session),
        ModelKind::Classifier => classifier::run(args, session),
        ModelKind::Anomaly => anomaly::run(args, session),
        ModelKind::Autoencoder => autoencoder::run(args, session),
    }
}

/// Scores pictures as `volary score` does by itself, for another command. Gives the table of vectors that it wrote.
pub(crate) fn embed(
    model: &Path,
    source: SourceArgs,
    output: &Path,
    device: &str,
    session: &mut Session,
) -> Result<PathBuf> {
    #[derive(clap::Parser)]
    struct Alone {
        #[command(flatten)]
        args: Args,
    }
    // Whatever is not said here is as the command line has it.
    let words = ["score".as_ref(), model.as_os_str(), "-".as_ref(), "-o".as_ref(), output.as_os_str()];
    let mut args = <Alone as clap::Parser>::try_parse_from(words)?.args;
    args.source = source;
    device.clone_into(&mut args.device);
    score(model_kind(model)?, &args, session)?;
    Ok(beside(output, "embeddings"))
}

/// How the pictures were prepared that a model learned from.
pub(crate) fn preparation(preprocessing: &Value, folder: &Path) -> Result<Settings> {
    serde_json::from_value(preprocessing.clone()).with_context(|| {
        format!("{} does not say how its pictures were prepared; train again", folder.display())
    })
}

/// The pictures to score, prepared as those that the model learned from, and whose they are.
fn pictures(
    args: &Args,
    preprocessing: &Value,
    session: &mut Session,
) -> Result<(Vec<ImageSubject>, Built)> {
    let prepare = preparation(preprocessing, &args.model)?;
    let found = args.source.find(session)?;
    let built = args.source.decode(&found.subjects, &prepare, session)?;
    let subjects = built.subject_idx.iter().map(|i| found.subjects[*i].clone()).collect();
    Ok((subjects, built))
}
