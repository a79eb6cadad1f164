//! What models of odd pictures have in common when they are used: scoring that goes on where it was stopped, where
//! each score stands among all, and the table of it.

use std::sync::Arc;

use anyhow::{Result, bail};
use arrow_array::{ArrayRef, Float64Array, StringArray};
use arrow_schema::Schema;
use volary_ingest::images::ImageSubject;
use volary_vision::VisionError;

use crate::commands::score::Args;
use crate::commands::score::journal::{Journal, Scored};
use crate::consensus_tables::{BATCH, write_batches};
use crate::pictures::bar;
use crate::session::Session;
use crate::vector_tables::write_embeddings;

/// Pictures between two entries of the journal.
const CHUNK: usize = 1024;

/// Scores rows of pictures; hears from a watcher whether to go on.
pub(super) type Score<'a> =
    dyn FnMut(&[usize], &mut dyn FnMut(usize) -> bool) -> Result<Scored, VisionError> + 'a;

/// Scores all pictures but those that a run before has, each with so many scores and latent numbers. The journal is to
/// be removed when the scores are written.
pub(super) fn scored(
    args: &Args,
    subjects: &[ImageSubject],
    [n_scores, n_latents]: [usize; 2],
    session: &mut Session,
    score: &mut Score<'_>,
) -> Result<(Journal, Scored)> {
    let key = key(args, subjects)?;
    let (mut journal, mut scored) = Journal::open(&args.output, &key, [n_scores, n_latents])?;
    let n_before = scored.n().min(subjects.len());
    if n_before > 0 {
        session.summary.count("n_scored_before", "  scored by a run that was stopped", n_before as u64);
    }
    let rows: Vec<usize> = (n_before..subjects.len()).collect();
    let bar = bar(session, subjects.len() as u64, "scoring {wide_bar} {pos}/{len} {eta}");
    for chunk in rows.chunks(CHUNK) {
        let n_so_far = scored.n();
        let more = score(chunk, &mut |n| {
            bar.set_position((n_so_far + n) as u64);
            !session.progress.is_stopped()
        });
        if session.progress.is_stopped() {
            bail!("stopped after {n_so_far} pictures; the same command goes on from there");
        }
        let more = more?;
        journal.add(&more)?;
        scored.extend(more);
    }
    bar.finish_and_clear();
    Ok((journal, scored))
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

/// Writes the table of scores, `subject_id`, `columns`, and percentile and flag of the last of these, and beside it the
/// latent numbers; notes the oddest.
pub(super) fn write(
    args: &Args,
    schema: &Arc<Schema>,
    subjects: &[ImageSubject],
    columns: &[&[f64]],
    (n_latents, embedding): (usize, &[f32]),
    session: &mut Session,
) -> Result<()> {
    let judged = columns.last().copied().unwrap_or_default();
    let percentiles = percentiles(judged);
    let all: Vec<usize> = (0..subjects.len()).collect();
    let batches = all.chunks(BATCH).map(|rows| {
        let numbers = |of: &[f64]| {
            Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| of[*row]))) as ArrayRef
        };
        let ids = rows.iter().map(|row| subjects[*row].subject_id.as_str());
        let flags = rows.iter().map(|row| flag(percentiles[*row]));
        let mut batch = vec![Arc::new(StringArray::from_iter_values(ids)) as ArrayRef];
        batch.extend(columns.iter().map(|column| numbers(column)));
        batch.push(numbers(&percentiles));
        batch.push(Arc::new(flags.collect::<StringArray>()));
        batch
    });
    let n = write_batches(&args.output, schema, batches)?;
    session.table_file(&args.output, n);
    let ids: Vec<&str> = subjects.iter().map(|s| s.subject_id.as_str()).collect();
    write_embeddings(&args.output, &ids, n_latents, embedding, session)?;

    let name = schema.field(columns.len()).name();
    let mut order = all;
    order.sort_by(|a, b| judged[*b].total_cmp(&judged[*a]));
    let top = |row: &usize| vec![subjects[*row].subject_id.clone(), format!("{:.3}", judged[*row])];
    let rows: Vec<Vec<String>> = order.iter().take(10).map(top).collect();
    session.summary.table("The oddest", &["subject", &name.replace('_', " ")], &rows);
    if let Some(middle) = order.get(order.len() / 2) {
        session.summary.value(&format!("median_{name}"), judged[*middle]);
    }
    Ok(())
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
