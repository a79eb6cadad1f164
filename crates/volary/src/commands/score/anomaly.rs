//! Scores of an anomaly model: how odd pictures are.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, bail};
use arrow_array::{ArrayRef, Float64Array, StringArray};
use serde_json::json;
use volary_core::schema;
use volary_ingest::images::ImageSubject;
use volary_vision::anomaly::{Model, ScoreWeights};

use crate::commands::score::journal::Journal;
use crate::commands::score::{Args, pictures, write_embeddings};
use crate::commands::train::device;
use crate::consensus_tables::{BATCH, write_batches};
use crate::pictures::bar;
use crate::session::{Session, run_json_for};

/// Pictures between two entries of the journal.
const CHUNK: usize = 1024;

/// Runs it.
pub(super) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let model = Model::open(&args.model, device(&args.device)?)?;
    let usual = model.config().settings.losses.weights;
    let weights = ScoreWeights {
        image: args.image_weight.unwrap_or(usual.image),
        feature: args.feature_weight.unwrap_or(usual.feature),
    };
    weights.check()?;
    let (subjects, built) = pictures(args, &model.config().preprocessing, &mut session)?;

    let n_latents = model.config().shape.latents;
    let key = key(args, &subjects)?;
    let (mut journal, mut scores) = Journal::open(&args.output, &key, n_latents)?;
    let n_before = scores.n().min(subjects.len());
    if n_before > 0 {
        session.summary.count("n_scored_before", "  scored by a run that was stopped", n_before as u64);
    }
    let rows: Vec<usize> = (n_before..subjects.len()).collect();
    let bar = bar(&session, subjects.len() as u64, "scoring {wide_bar} {pos}/{len} {eta}");
    for chunk in rows.chunks(CHUNK) {
        let n_so_far = scores.n();
        let more = model.score(&built.cache, chunk, args.batch, &mut |n| {
            bar.set_position((n_so_far + n) as u64);
            !session.progress.is_stopped()
        });
        if session.progress.is_stopped() {
            bail!("stopped after {n_so_far} pictures; the same command goes on from there");
        }
        let more = more?;
        journal.add(&more)?;
        scores.image.extend(more.image);
        scores.feature.extend(more.feature);
        scores.embedding.extend(more.embedding);
    }
    bar.finish_and_clear();

    let anomaly = scores.anomaly(weights);
    let percentiles = percentiles(&anomaly);
    let all: Vec<usize> = (0..subjects.len()).collect();
    let ids = |rows: &[usize]| {
        Arc::new(StringArray::from_iter_values(
            rows.iter().map(|row| subjects[*row].subject_id.as_str()),
        )) as ArrayRef
    };
    let batches = all.chunks(BATCH).map(|rows| {
        let numbers = |of: &[f64]| {
            Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| of[*row]))) as ArrayRef
        };
        let flags = rows.iter().map(|row| flag(percentiles[*row]));
        vec![
            ids(rows),
            numbers(&scores.image),
            numbers(&scores.feature),
            numbers(&anomaly),
            numbers(&percentiles),
            Arc::new(flags.collect::<StringArray>()),
        ]
    });
    let n = write_batches(&args.output, &schema::anomaly_scores(), batches)?;
    session.table_file(&args.output, n);
    write_embeddings(&args.output, &subjects, n_latents, &scores.embedding, &mut session)?;
    journal.remove()?;
    summarise(&subjects, &anomaly, weights, &mut session);
    session.finish(Some(&run_json_for(&args.output)))
}

/// What scores depend on, as a hash: the weights, and which pictures there are.
fn key(args: &Args, subjects: &[ImageSubject]) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    for name in ["weights.safetensors", "config.json"] {
        hasher.update(&std::fs::read(args.model.join(name))?);
    }
    for subject in subjects {
        hasher.update(subject.subject_id.as_bytes());
        hasher.update(subject.path.to_string_lossy().as_bytes());
        // A picture that was changed in its place is another one.
        if let Ok(about) = std::fs::metadata(&subject.path) {
            hasher.update(format!("{} {:?}", about.len(), about.modified().ok()).as_bytes());
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// Where each score stands: the share of scores below it, in percent; equal ones share the middle of their place.
fn percentiles(scores: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let mut places = vec![0.0; scores.len()];
    let mut first = 0;
    while first < order.len() {
        let same =
            order[first..].iter().take_while(|i| scores[**i] == scores[order[first]]).count().max(1);
        let place = 100.0 * (first as f64 + same as f64 / 2.0) / scores.len() as f64;
        for i in &order[first..first + same] {
            places[*i] = place;
        }
        first += same;
    }
    places
}

/// The flag of a percentile; none in the middle.
fn flag(percentile: f64) -> Option<&'static str> {
    match percentile {
        p if p >= 99.0 => Some("top_1_percent"),
        p if p >= 95.0 => Some("top_5_percent"),
        p if p <= 5.0 => Some("bottom_5_percent"),
        _ => None,
    }
}

fn summarise(subjects: &[ImageSubject], anomaly: &[f64], weights: ScoreWeights, session: &mut Session) {
    let mut order: Vec<usize> = (0..anomaly.len()).collect();
    order.sort_by(|a, b| anomaly[*b].total_cmp(&anomaly[*a]));
    let top = |row: &usize| vec![subjects[*row].subject_id.clone(), format!("{:.3}", anomaly[*row])];
    let rows: Vec<Vec<String>> = order.iter().take(10).map(top).collect();
    session.summary.table("The oddest", &["subject", "anomaly score"], &rows);
    let [image, feature] = [weights.image, weights.feature];
    session.summary.line(
        "weights",
        "anomaly score",
        &format!("{image} image score + {feature} feature score"),
        json!({ "image": image, "feature": feature }),
    );
    if let Some(middle) = order.get(order.len() / 2) {
        session.summary.value("median_anomaly_score", anomaly[*middle]);
    }
}

#[cfg(test)]
mod tests {
    use super::{flag, percentiles};

    #[test]
    fn a_percentile_is_the_share_below() {
        assert_eq!(percentiles(&[4.0, 1.0, 3.0, 2.0]), [87.5, 12.5, 62.5, 37.5]);
        assert_eq!(percentiles(&[5.0; 4]), [50.0; 4]);
        assert_eq!(percentiles(&[1.0, 2.0, 2.0, 3.0]), [12.5, 50.0, 50.0, 87.5]);
        assert!(percentiles(&[]).is_empty());
        assert_eq!(
            [99.5, 96.0, 50.0, 2.0].map(flag),
            [Some("top_1_percent"), Some("top_5_percent"), None, Some("bottom_5_percent")]
        );
    }
}
