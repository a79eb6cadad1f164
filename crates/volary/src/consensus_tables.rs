//! A consensus as tables: columns out of `volary-crowd`'s rows, batch by batch so that memory stays
//! small.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use arrow_array::builder::{
    Float64Builder, StringBuilder, TimestampMillisecondBuilder, UInt32Builder, UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::Schema;
use serde_json::{Value, json};
use volary_core::{Votes, schema};
use volary_crowd::{Consensus, Outcome, PairRow, SurveyRow, Volunteers, Weights, survey::AgreedChoice};
use volary_ingest::tables::TableWriter;

pub(crate) const BATCH: usize = 1 << 13;

/// Where the parts of a consensus go: `NAME.ext`, `NAME_subjects.ext`, …
pub(crate) fn beside(path: &Path, part: &str) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}_{part}.{ending}"))
}

pub(crate) fn write_batches(
    path: &Path,
    schema: &Arc<Schema>,
    batches: impl Iterator<Item = Vec<ArrayRef>>,
) -> Result<u64> {
    let mut writer = TableWriter::create(path, schema)?;
    for columns in batches {
        writer.write(&RecordBatch::try_new(schema.clone(), columns)?)?;
    }
    Ok(writer.finish()?)
}

/// One row per subject and answer.
pub(crate) fn write_consensus(path: &Path, votes: &Votes, consensus: &Consensus) -> Result<u64> {
    let batches = consensus.items.chunks(BATCH).map(|items| {
        let mut text: [StringBuilder; 4] = Default::default();
        let mut counts: [UInt32Builder; 3] = Default::default();
        let mut numbers: [Float64Builder; 9] = Default::default();
        for item in items {
            let question = &votes.questions[item.question as usize];
            let rows = consensus.answers_of(item).iter().zip(consensus.probabilities_of(item));
            for (share, probability) in rows {
                text[0].append_value(&question.workflow);
                text[1].append_value(&question.task);
                text[2].append_value(&votes.subjects[item.subject as usize]);
                text[3].append_value(&question.answers[share.answer as usize]);
                counts[0].append_value(item.n_seen);
                counts[1].append_value(item.n_answered);
                counts[2].append_value(share.n_votes);
                numbers[0].append_value(share.weight);
                numbers[1].append_value(item.n_effective);
                numbers[2].append_option(share.fraction.is_finite().then_some(share.fraction));
                numbers[3].append_value(share.interval.low);
                numbers[4].append_value(share.interval.high);
                numbers[5].append_option(share.shrunk);
                numbers[6].append_option(probability.map(|p| p.p));
                numbers[7].append_option(probability.map(|p| p.interval.low));
                numbers[8].append_option(probability.map(|p| p.interval.high));
            }
        }
        finish(&mut text, &mut counts, &mut numbers)
    });
    write_batches(path, &schema::consensus(), batches)
}

fn finish(
    text: &mut [StringBuilder],
    counts: &mut [UInt32Builder],
    numbers: &mut [Float64Builder],
) -> Vec<ArrayRef> {
    let mut columns: Vec<ArrayRef> = text.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef).collect();
    columns.extend(counts.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef));
    columns.extend(numbers.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef));
    columns
}

/// The agreed answers of an item, as one text.
pub(crate) fn agreed_text(votes: &Votes, question: u32, outcome: &Outcome) -> Option<String> {
    let Outcome::Agreed(answers) = outcome else { return None };
    let labels = &votes.questions[question as usize].answers;
    Some(answers.iter().map(|&a| labels[a as usize].as_str()).collect::<Vec<_>>().join(" + "))
}

/// One row per subject.
pub(crate) fn write_subjects(path: &Path, votes: &Votes, consensus: &Consensus) -> Result<u64> {
    let batches = consensus.items.chunks(BATCH).map(|items| {
        let mut text: [StringBuilder; 6] = Default::default();
        let mut counts: [UInt32Builder; 2] = Default::default();
        let mut numbers: [Float64Builder; 6] = Default::default();
        for item in items {
            let question = &votes.questions[item.question as usize];
            text[0].append_value(&question.workflow);
            text[1].append_value(&question.task);
            text[2].append_value(question.kind.as_str());
            text[3].append_value(&votes.subjects[item.subject as usize]);
            text[4].append_value(match item.outcome {
                Outcome::Agreed(_) => "agreed",
                Outcome::Undetermined => "undetermined",
                Outcome::Nobody => "nobody",
            });
            text[5].append_option(agreed_text(votes, item.question, &item.outcome));
            counts[0].append_value(item.n_seen);
            counts[1].append_value(item.n_answered);
            numbers[0].append_value(item.n_effective);
            numbers[1].append_option(item.agreement);
            numbers[2].append_option(item.agreement_interval.map(|i| i.low));
            numbers[3].append_option(item.agreement_interval.map(|i| i.high));
            numbers[4].append_option(item.entropy_bits.is_finite().then_some(item.entropy_bits));
            numbers[5].append_option(item.entropy_sd_bits.is_finite().then_some(item.entropy_sd_bits));
        }
        finish(&mut text, &mut counts, &mut numbers)
    });
    write_batches(path, &schema::consensus_subjects(), batches)
}

/// One row per volunteer.
pub(crate) fn write_volunteers(
    path: &Path,
    votes: &Votes,
    volunteers: &Volunteers,
    weights: Option<&Weights>,
) -> Result<u64> {
    let mean_weight = weights.map(|w| mean_weights(votes, w));
    let utc = || TimestampMillisecondBuilder::new().with_data_type(schema::timestamp());
    let batches = volunteers.rows.chunks(BATCH).map(|rows| {
        let mut name = StringBuilder::new();
        let mut counts: [UInt64Builder; 6] = Default::default();
        let (mut first, mut last) = (utc(), utc());
        let mut numbers: [Float64Builder; 5] = Default::default();
        for row in rows {
            name.append_value(&votes.volunteers[row.volunteer as usize]);
            let ns = [
                row.n_classifications,
                row.n_repeats,
                row.n_votes,
                row.n_blank,
                row.n_compared,
                row.n_agree,
            ];
            counts.iter_mut().zip(ns).for_each(|(c, n)| c.append_value(n));
            first.append_option(row.first_ms);
            last.append_option(row.last_ms);
            numbers[0].append_option(row.agreement);
            numbers[1].append_value(row.agreement_interval.low);
            numbers[2].append_value(row.agreement_interval.high);
            numbers[3].append_option(row.agreement_shrunk);
            numbers[4].append_option(mean_weight.as_ref().and_then(|m| m[row.volunteer as usize]));
        }
        let mut columns: Vec<ArrayRef> = vec![Arc::new(name.finish())];
        columns.extend(counts[..4].iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef));
        columns.push(Arc::new(first.finish()));
        columns.push(Arc::new(last.finish()));
        columns.extend(counts[4..].iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef));
        columns.extend(numbers.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef));
        columns
    });
    write_batches(path, &schema::volunteers(), batches)
}

fn mean_weights(votes: &Votes, weights: &Weights) -> Vec<Option<f64>> {
    let mut sums = vec![(0.0, 0.0); votes.volunteers.len()];
    for (&volunteer, &weight) in votes.volunteer.iter().zip(&weights.per_classification) {
        let (sum, n) = &mut sums[volunteer as usize];
        *sum += weight;
        *n += 1.0;
    }
    sums.into_iter().map(|(sum, n)| (n > 0.0).then(|| sum / n)).collect()
}

/// One row per subject of a survey.
pub(crate) fn write_surveys(path: &Path, votes: &Votes, rows: &[SurveyRow]) -> Result<u64> {
    let batches = rows.chunks(BATCH).map(|rows| {
        let mut ids: [StringBuilder; 3] = Default::default();
        let mut counts: [UInt32Builder; 2] = Default::default();
        let (mut blank, mut median, mut evenness) =
            (Float64Builder::new(), UInt32Builder::new(), Float64Builder::new());
        let (mut choice, mut n_votes) = (StringBuilder::new(), UInt32Builder::new());
        let mut numbers: [Float64Builder; 3] = Default::default();
        let mut lists: [StringBuilder; 2] = Default::default();
        for row in rows {
            let question = &votes.questions[row.question as usize];
            ids[0].append_value(&question.workflow);
            ids[1].append_value(&question.task);
            ids[2].append_value(&votes.subjects[row.subject as usize]);
            counts[0].append_value(row.n_seen);
            counts[1].append_value(row.n_blank);
            blank.append_value(row.fraction_blank);
            median.append_value(row.median_choices);
            evenness.append_option(row.evenness);
            let top = row.agreed.first();
            choice.append_option(top.map(|c| question.answers[c.answer as usize].as_str()));
            n_votes.append_option(top.map(|c| c.n_votes));
            numbers[0].append_option(top.map(|c| c.fraction));
            numbers[1].append_option(top.map(|c| c.interval.low));
            numbers[2].append_option(top.map(|c| c.interval.high));
            let list = |choices: &[AgreedChoice]| {
                Value::Array(choices.iter().map(|c| choice_json(votes, row.question, c)).collect())
                    .to_string()
            };
            lists[0].append_value(list(&row.agreed));
            lists[1].append_value(list(&row.undetermined));
        }
        let mut columns: Vec<ArrayRef> =
            ids.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef).collect();
        columns.extend(counts.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef));
        columns.push(Arc::new(blank.finish()));
        columns.push(Arc::new(median.finish()));
        columns.push(Arc::new(evenness.finish()));
        columns.push(Arc::new(choice.finish()));
        columns.push(Arc::new(n_votes.finish()));
        columns.extend(numbers.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef));
        columns.extend(lists.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef));
        columns
    });
    write_batches(path, &schema::consensus_surveys(), batches)
}

fn choice_json(votes: &Votes, question: u32, choice: &AgreedChoice) -> Value {
    let label = |q: u32, a: u32| votes.questions[q as usize].answers[a as usize].clone();
    let details: serde_json::Map<String, Value> = choice
        .details
        .iter()
        .map(|d| {
            let task = &votes.questions[d.question as usize].task;
            let name = task.rsplit('/').next().unwrap_or(task).to_owned();
            let value = json!({
                "answer": d.answer.map(|a| label(d.question, a)),
                "n_votes": d.n_votes, "n_asked": d.n_asked, "fraction": d.fraction,
                "fraction_low": d.interval.low, "fraction_high": d.interval.high,
            });
            (name, value)
        })
        .collect();
    json!({
        "choice": label(question, choice.answer), "n_votes": choice.n_votes, "fraction": choice.fraction,
        "fraction_low": choice.interval.low, "fraction_high": choice.interval.high, "answers": details,
    })
}

/// One row per subject and combination of answers.
pub(crate) fn write_pairs(path: &Path, votes: &Votes, rows: &[PairRow]) -> Result<u64> {
    let batches = rows.chunks(BATCH).map(|rows| {
        let mut text: [StringBuilder; 4] = Default::default();
        let mut counts: [UInt32Builder; 2] = Default::default();
        let mut numbers: [Float64Builder; 3] = Default::default();
        for row in rows {
            let question = &votes.questions[row.question as usize];
            text[0].append_value(&question.workflow);
            text[1].append_value(&question.task);
            text[2].append_value(&votes.subjects[row.subject as usize]);
            text[3].append_value(&row.label);
            counts[0].append_value(row.n_seen);
            counts[1].append_value(row.n_votes);
            numbers[0].append_value(row.fraction);
            numbers[1].append_value(row.interval.low);
            numbers[2].append_value(row.interval.high);
        }
        finish(&mut text, &mut counts, &mut numbers)
    });
    write_batches(path, &schema::consensus_pairs(), batches)
}
