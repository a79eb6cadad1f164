//! `volary score`: a trained model on pictures, also ones that nobody has seen.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use arrow_array::{ArrayRef, Float32Array, Float64Array, StringArray};
use volary_core::schema;
use volary_ingest::images::{ImageSubject, Settings};
use volary_ingest::tables::TableFormat;
use volary_vision::confusion::{Model, Scores, Scoring};

use crate::commands::train::device;
use crate::consensus_tables::{BATCH, beside, write_batches};
use crate::pictures::{SourceArgs, bar};
use crate::session::{Session, run_json_for};

/// Use a trained model: what would volunteers say of these pictures?
///
/// Writes to FILE a row for each subject and class: the predicted consensus, its interval, and the interval
/// in which the fraction of so many volunteers would lie; to FILE_subjects how far each picture is from what
/// the model rebuilds of it; to FILE_embeddings the latent numbers, for maps and neighbours. The pictures
/// are prepared as those that the model learned from.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary score model subjects.csv -o predictions.parquet
  volary score model cutouts -o predictions.csv --volunteers 20 --confidence 0.95")]
pub(crate) struct Args {
    /// The folder that `volary train confusion` wrote.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    #[command(flatten)]
    source: SourceArgs,
    /// Table to write: .parquet, .csv, .json or .arrow.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Share of the distribution inside of an interval.
    #[arg(long, value_name = "SHARE", default_value_t = 0.9)]
    confidence: f64,
    /// Volunteers of a fraction's interval [default: as many as a typical picture of the training had].
    #[arg(long, value_name = "N")]
    volunteers: Option<u32>,
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
    let model = Model::open(&args.model, device(&args.device)?)?;
    session.input_file(&args.model.join("weights.safetensors"))?;
    let prepare = preparation(&model, &args.model)?;
    let found = args.source.find(&mut session)?;
    let built = args.source.decode(&found.subjects, &prepare, &mut session)?;
    let subjects: Vec<&ImageSubject> = built.subject_idx.iter().map(|i| &found.subjects[*i]).collect();
    let rows: Vec<usize> = (0..subjects.len()).collect();
    let scoring = Scoring {
        batch_size: args.batch,
        confidence: args.confidence,
        n_volunteers: args.volunteers,
        seed: session.global.seed,
    };
    let bar = bar(&session, rows.len() as u64, "scoring {wide_bar} {pos}/{len} {eta}");
    let progress = session.progress.clone();
    let scores = model.score(&built.cache, &rows, &scoring, &mut |n| {
        bar.set_position(n as u64);
        !progress.is_stopped()
    })?;
    bar.finish_and_clear();
    write(args, &model, &subjects, &scores, &mut session)?;
    summarise(&model, &scores, &mut session);
    session.finish(Some(&run_json_for(&args.output)))
}

/// How the pictures were prepared that the model learned from.
pub(crate) fn preparation(model: &Model, folder: &Path) -> Result<Settings> {
    serde_json::from_value(model.config().preprocessing.clone()).with_context(|| {
        format!("{} does not say how its pictures were prepared; train again", folder.display())
    })
}

fn write(
    args: &Args,
    model: &Model,
    subjects: &[&ImageSubject],
    scores: &Scores,
    session: &mut Session,
) -> Result<()> {
    let classes = &model.config().classes;
    let rows: Vec<usize> = (0..subjects.len()).collect();
    let ids = |rows: &[usize]| {
        StringArray::from_iter_values(rows.iter().map(|row| subjects[*row].subject_id.as_str()))
    };
    let batches = rows.chunks(BATCH / classes.len().max(1) + 1).map(|rows| {
        let cells = || rows.iter().flat_map(|row| scores.of(*row));
        let ids = rows.iter().flat_map(|row| classes.iter().map(|_| subjects[*row].subject_id.as_str()));
        let answers = rows.iter().flat_map(|_| classes.iter().map(String::as_str));
        let number = |of: fn(&volary_vision::confusion::Prediction) -> Option<f64>| {
            Arc::new(cells().map(of).collect::<Float64Array>()) as ArrayRef
        };
        vec![
            Arc::new(ids.map(Some).collect::<StringArray>()) as ArrayRef,
            Arc::new(answers.map(Some).collect::<StringArray>()),
            number(|p| Some(p.probability)),
            number(|p| Some(p.probability_low)),
            number(|p| Some(p.probability_high)),
            number(|p| p.fraction_range.map(|r| r.0)),
            number(|p| p.fraction_range.map(|r| r.1)),
        ]
    });
    let n = write_batches(&args.output, &schema::predictions(), batches)?;
    session.table_file(&args.output, n);
    let batches = rows.chunks(BATCH).map(|rows| {
        let errors = rows.iter().map(|row| scores.reconstruction_error[*row]);
        vec![
            Arc::new(ids(rows)) as ArrayRef,
            Arc::new(Float64Array::from_iter_values(errors)) as ArrayRef,
        ]
    });
    let path = beside(&args.output, "subjects");
    let n = write_batches(&path, &schema::predictions_subjects(), batches)?;
    session.table_file(&path, n);
    let batches = rows.chunks(1024).map(|rows| {
        let mut columns = vec![Arc::new(ids(rows)) as ArrayRef];
        columns.extend((0..scores.n_latents).map(|i| {
            let column = rows.iter().map(|row| scores.embedding[row * scores.n_latents + i]);
            Arc::new(Float32Array::from_iter_values(column)) as ArrayRef
        }));
        columns
    });
    let path = beside(&args.output, "embeddings");
    let n = write_batches(&path, &schema::embeddings(scores.n_latents), batches)?;
    session.table_file(&path, n);
    Ok(())
}

fn summarise(model: &Model, scores: &Scores, session: &mut Session) {
    let n = scores.n().max(1) as f64;
    let rows: Vec<Vec<String>> = model
        .config()
        .classes
        .iter()
        .enumerate()
        .map(|(class, name)| {
            let of = || (0..scores.n()).map(|row| &scores.of(row)[class]);
            let mean = of().map(|p| p.probability).sum::<f64>() / n;
            let confusing = of().filter(|p| (0.3..=0.7).contains(&p.probability)).count();
            let width = of().map(|p| p.probability_high - p.probability_low).sum::<f64>() / n;
            vec![name.clone(), format!("{mean:.3}"), confusing.to_string(), format!("{width:.3}")]
        })
        .collect();
    let header = ["class", "mean probability", "between 0.3 and 0.7", "mean width of the interval"];
    session.summary.table("Predicted consensus", &header, &rows);
    let mean = scores.reconstruction_error.iter().sum::<f64>() / n;
    session.summary.value("mean_reconstruction_error", mean);
}
