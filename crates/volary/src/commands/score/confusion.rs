//! Scores of a confusion model: what volunteers would say of pictures.

use std::sync::Arc;

use anyhow::Result;
use arrow_array::{ArrayRef, Float64Array, StringArray};
use volary_core::schema;
use volary_ingest::images::ImageSubject;
use volary_vision::confusion::{Model, Scores, Scoring};

use crate::commands::score::{Args, pictures};
use crate::commands::train::device;
use crate::consensus_tables::{BATCH, beside, write_batches};
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
        n_volunteers: args.volunteers,
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
    let ids: Vec<&str> = subjects.iter().map(|s| s.subject_id.as_str()).collect();
    write_embeddings(&args.output, &ids, scores.n_latents, &scores.embedding, session)
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
