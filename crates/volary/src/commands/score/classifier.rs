//! Scores of a classifier: how probable each class is, and how sure the network is of it.

use std::sync::Arc;

use anyhow::Result;
use arrow_array::{ArrayRef, Float64Array, StringArray};
use volary_core::schema;
use volary_ingest::images::ImageSubject;
use volary_vision::classifier::{Model, Prediction, Scores, Scoring};

use crate::commands::score::{Args, pictures};
use crate::commands::train::device;
use crate::consensus_tables::{BATCH, write_batches};
use crate::pictures::bar;
use crate::session::Session;
use crate::vector_tables::write_embeddings;

/// Runs it.
pub(super) fn run(args: &Args, session: &mut Session) -> Result<()> {
    let model = Model::open(&args.model, device(&args.device)?)?;
    let (subjects, built) = pictures(args, &model.config().preprocessing, session)?;
    let rows: Vec<usize> = (0..subjects.len()).collect();
    let scoring = Scoring {
        batch_size: args.batch,
        confidence: args.confidence,
        n_passes: args.passes,
        seed: session.global.seed,
    };
    let bar = bar(session, rows.len() as u64, "scoring {wide_bar} {pos}/{len} {eta}");
    let progress = session.progress.clone();
    let scores = model.score(&built.cache, &rows, &scoring, &mut |n| {
        bar.set_position(n as u64);
        !progress.is_stopped()
    })?;
    bar.finish_and_clear();
    write(args, &model, &subjects, &scores, session)?;
    summarise(&model, &scores, session);
    Ok(())
}

fn write(
    args: &Args,
    model: &Model,
    subjects: &[ImageSubject],
    scores: &Scores,
    session: &mut Session,
) -> Result<()> {
    let classes = &model.config().classes;
    let rows: Vec<usize> = (0..subjects.len()).collect();
    let batches = rows.chunks(BATCH / classes.len().max(1) + 1).map(|rows| {
        let cells = || rows.iter().flat_map(|row| scores.of(*row));
        let ids = rows.iter().flat_map(|row| classes.iter().map(|_| subjects[*row].subject_id.as_str()));
        let answers = rows.iter().flat_map(|_| classes.iter().map(String::as_str));
        let number = |of: fn(&Prediction) -> f64| {
            Arc::new(cells().map(|p| Some(of(p))).collect::<Float64Array>()) as ArrayRef
        };
        vec![
            Arc::new(ids.map(Some).collect::<StringArray>()) as ArrayRef,
            Arc::new(answers.map(Some).collect::<StringArray>()),
            number(|p| p.probability),
            number(|p| p.probability_low),
            number(|p| p.probability_high),
            number(|p| p.probability_sd),
            number(|p| p.mutual_information_bits),
        ]
    });
    let n = write_batches(&args.output, &schema::classifier_scores(), batches)?;
    session.table_file(&args.output, n);
    let ids: Vec<&str> = subjects.iter().map(|s| s.subject_id.as_str()).collect();
    write_embeddings(&args.output, &ids, scores.n_features, &scores.embedding, session)
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
            let yes = of().filter(|p| p.probability > 0.5).count();
            let sd = of().map(|p| p.probability_sd).sum::<f64>() / n;
            let told = of().map(|p| p.mutual_information_bits).sum::<f64>() / n;
            let cells =
                [format!("{mean:.3}"), yes.to_string(), format!("{sd:.3}"), format!("{told:.4}")];
            std::iter::once(name.clone()).chain(cells).collect()
        })
        .collect();
    let header =
        ["class", "mean probability", "above 0.5", "mean sd of the passes", "mean information (bits)"];
    session.summary.table("Said by the network", &header, &rows);
}
