//! A gold standard on disk: labels, the votes that they stand on, and by what they were made.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use arrow_array::builder::{
    BooleanBuilder, Float64Builder, StringBuilder, TimestampMillisecondBuilder, UInt32Builder,
};
use arrow_array::{ArrayRef, RecordBatch};
use serde::{Deserialize, Serialize};
use volary_core::votes::{NO_ANSWER, VotesBuilder};
use volary_core::{QuestionKind, Votes, schema};
use volary_crowd::gold::{GoldItem, GoldParams};
use volary_ingest::output::write_whole;
use volary_ingest::tables::{for_each_batch, write_table};

use super::Made;
use crate::consensus_tables::beside;

const FORMAT: &str = "volary gold";
const FORMAT_VERSION: u32 = 1;

/// How votes became labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Aggregator {
    pub(super) method: String,
    pub(super) interval: Option<String>,
    pub(super) level: Option<f64>,
    pub(super) seed: u64,
    /// The method and its parameters in words.
    pub(super) words: String,
}

/// What a gold standard is, apart from its labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: String,
    format_version: u32,
    pub(super) volary: String,
    workflow: String,
    task: String,
    kind: String,
    /// Answers that were offered, also those that nobody gave.
    answers: Vec<String>,
    pub(super) aggregator: Aggregator,
    least: u32,
    most: Option<u32>,
    agreement: f64,
    pub(super) policy: Option<String>,
    pub(super) n_subjects: u64,
    pub(super) n_hard: u64,
    /// Over subjects, answers, labels and the hashes of the votes, whatever the format of the tables.
    pub(super) label_set_blake3: String,
    /// Of the table of votes.
    votes_blake3: String,
}

impl Manifest {
    pub(super) fn of(
        made: &Made,
        mut aggregator: Aggregator,
        rule: GoldParams,
        most: Option<u32>,
    ) -> Self {
        let question = made.votes.questions.first();
        let kind = question.map_or(QuestionKind::Unknown, |q| q.kind);
        aggregator.words.clone_from(&made.consensus.method);
        Self {
            format: FORMAT.to_owned(),
            format_version: FORMAT_VERSION,
            volary: env!("CARGO_PKG_VERSION").to_owned(),
            workflow: question.map(|q| q.workflow.clone()).unwrap_or_default(),
            task: question.map(|q| q.task.clone()).unwrap_or_default(),
            kind: kind.as_str().to_owned(),
            answers: question.map(|q| q.answers.clone()).unwrap_or_default(),
            aggregator,
            least: rule.least,
            most,
            agreement: rule.agreement,
            policy: None,
            n_subjects: made.items.len() as u64,
            n_hard: made.items.iter().filter(|item| item.is_hard(kind)).count() as u64,
            label_set_blake3: label_set(&made.votes, &made.items),
            votes_blake3: String::new(),
        }
    }

    pub(super) fn rule(&self) -> GoldParams {
        GoldParams { least: self.least, agreement: self.agreement }
    }

    /// Reads the record beside a table of labels.
    pub(super) fn read(labels: &Path) -> Result<Self> {
        let path = manifest_path(labels);
        let text = std::fs::read_to_string(&path).with_context(|| {
            format!("no record of how the labels were made; `volary gold` writes it: {}", path.display())
        })?;
        let manifest: Self = serde_json::from_str(&text)
            .with_context(|| format!("not the record of a gold standard: {}", path.display()))?;
        if manifest.format != FORMAT || manifest.format_version != FORMAT_VERSION {
            bail!("not a record of a gold standard that this volary reads: {}", path.display());
        }
        Ok(manifest)
    }

    /// The votes that the labels stand on, if their table is the one that was written.
    pub(super) fn read_votes(&self, labels: &Path, progress: &volary_ingest::Progress) -> Result<Votes> {
        let path = beside(labels, "votes");
        if checksum(&path)? != self.votes_blake3 {
            bail!("the votes are not those that the labels were made of: {}", path.display());
        }
        let kind = QuestionKind::parse(&self.kind).unwrap_or(QuestionKind::Unknown);
        let mut builder = VotesBuilder::default();
        let mut last: Option<(String, u32)> = None;
        let needed = ["classification_id", "subject_id", "volunteer"];
        for_each_batch(&path, &needed, progress, |cells| {
            for row in 0..cells.n_rows() {
                let text = |name: &str| cells.text(name, row).unwrap_or_default();
                let id = text("classification_id");
                let classification = match &last {
                    Some((before, classification)) if *before == id => *classification,
                    _ => {
                        let time = cells.time_ms("created_at", row);
                        let (subject, volunteer) = (text("subject_id"), text("volunteer"));
                        let new =
                            builder.classification(&self.workflow, &subject, &volunteer, time, &id);
                        last = Some((id.into_owned(), new));
                        new
                    }
                };
                builder.vote(classification, &self.task, kind, cells.text("answer", row).as_deref());
            }
            Ok(())
        })?;
        for answer in &self.answers {
            builder.offer(&self.workflow, &self.task, kind, answer);
        }
        Ok(builder.finish())
    }
}

/// Where the record of a table of labels lies.
pub(super) fn manifest_path(labels: &Path) -> PathBuf {
    let stem = labels.file_stem().unwrap_or_default().to_string_lossy();
    labels.with_file_name(format!("{stem}_gold.json"))
}

/// Writes labels, votes and record; gives the tables and their rows.
pub(super) fn write(output: &Path, made: &Made, manifest: &mut Manifest) -> Result<Vec<(PathBuf, u64)>> {
    let mut files = write_labels(output, made)?;
    let path = beside(output, "votes");
    files.push((path.clone(), write_votes(&path, &made.votes)?));
    manifest.votes_blake3 = checksum(&path)?;
    let text = serde_json::to_string_pretty(manifest)?;
    write_whole(&manifest_path(output), format!("{text}\n").as_bytes())?;
    Ok(files)
}

/// The labels alone.
pub(super) fn write_labels(output: &Path, made: &Made) -> Result<Vec<(PathBuf, u64)>> {
    let n_hard = write_hard(output, &made.votes, &made.items)?;
    let soft = beside(output, "soft");
    let n_soft = write_soft(&soft, &made.votes, &made.items)?;
    Ok(vec![(output.to_owned(), n_hard), (soft, n_soft)])
}

/// BLAKE3 of a file.
pub(super) fn checksum(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("reading failed: {}", path.display()))?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}

/// The set of labels, by subject, whatever the format of the tables.
pub(super) fn label_set(votes: &Votes, items: &[GoldItem]) -> String {
    let mut hasher = blake3::Hasher::new();
    let Some(question) = votes.questions.first() else { return hasher.finalize().to_hex().to_string() };
    for item in items {
        for answer in &item.answers {
            let line = format!(
                "{:?} {:?} {:016x} {:?} {}\n",
                votes.subjects[item.subject as usize],
                question.answers[answer.answer as usize],
                answer.p.to_bits(),
                answer.is_true,
                item.vote_set
            );
            hasher.update(line.as_bytes());
        }
    }
    hasher.finalize().to_hex().to_string()
}

fn write_hard(path: &Path, votes: &Votes, items: &[GoldItem]) -> Result<u64> {
    let mut texts: [StringBuilder; 5] = Default::default();
    let (mut n_seen, mut n_effective) = (UInt32Builder::new(), Float64Builder::new());
    let mut is_hard = BooleanBuilder::new();
    let question = votes.questions.first();
    let mut n = 0;
    for (item, question) in items.iter().filter_map(|item| Some((item, question?))) {
        let truths: Vec<Option<u32>> = item.truths().map(|a| Some(a.answer)).collect();
        let rows = if truths.is_empty() { vec![None] } else { truths };
        for answer in rows {
            n += 1;
            texts[0].append_value(&question.workflow);
            texts[1].append_value(&question.task);
            texts[2].append_value(&votes.subjects[item.subject as usize]);
            texts[3].append_option(answer.map(|a| &question.answers[a as usize]));
            is_hard.append_value(item.is_hard(question.kind));
            n_seen.append_value(item.n_seen);
            n_effective.append_value(item.n_effective);
            texts[4].append_value(&item.vote_set);
        }
    }
    let [workflow, task, subject, answer, vote_set] =
        texts.map(|mut c| Arc::new(c.finish()) as ArrayRef);
    let columns = vec![
        workflow,
        task,
        subject,
        answer,
        Arc::new(is_hard.finish()),
        Arc::new(n_seen.finish()),
        Arc::new(n_effective.finish()),
        vote_set,
    ];
    write_table(path, &RecordBatch::try_new(schema::gold(), columns)?)?;
    Ok(n)
}

fn write_soft(path: &Path, votes: &Votes, items: &[GoldItem]) -> Result<u64> {
    let mut texts: [StringBuilder; 4] = Default::default();
    let mut counts: [UInt32Builder; 2] = Default::default();
    let mut numbers: [Float64Builder; 4] = Default::default();
    let mut is_true = BooleanBuilder::new();
    let question = votes.questions.first();
    let mut n = 0;
    for (item, question) in items.iter().filter_map(|item| Some((item, question?))) {
        for answer in &item.answers {
            n += 1;
            texts[0].append_value(&question.workflow);
            texts[1].append_value(&question.task);
            texts[2].append_value(&votes.subjects[item.subject as usize]);
            texts[3].append_value(&question.answers[answer.answer as usize]);
            counts[0].append_value(item.n_seen);
            counts[1].append_value(answer.n_votes);
            numbers[0].append_value(answer.p);
            numbers[1].append_option(answer.sd);
            numbers[2].append_value(answer.interval.low);
            numbers[3].append_value(answer.interval.high);
            is_true.append_option(answer.is_true);
        }
    }
    let mut columns: Vec<ArrayRef> = texts.map(|mut c| Arc::new(c.finish()) as ArrayRef).into();
    columns.extend(counts.map(|mut c| Arc::new(c.finish()) as ArrayRef));
    columns.extend(numbers.map(|mut c| Arc::new(c.finish()) as ArrayRef));
    columns.push(Arc::new(is_true.finish()));
    write_table(path, &RecordBatch::try_new(schema::gold_soft(), columns)?)?;
    Ok(n)
}

/// The votes, numbered as they came; what one classification said follows each other.
fn write_votes(path: &Path, votes: &Votes) -> Result<u64> {
    let mut number = vec![0_u64; votes.n_classifications()];
    for (n, &classification) in (1..).zip(&votes.arrival) {
        number[classification as usize] = n;
    }
    let mut ids = StringBuilder::new();
    let mut created = TimestampMillisecondBuilder::new().with_data_type(schema::timestamp());
    let mut texts: [StringBuilder; 6] = Default::default();
    for vote in &votes.votes {
        let at = vote.classification as usize;
        let question = &votes.questions[vote.question as usize];
        ids.append_value(number[at].to_string());
        created.append_option(Some(votes.created_ms[at]).filter(|ms| *ms != i64::MIN));
        texts[0].append_value(&question.workflow);
        texts[1].append_value(&votes.subjects[votes.subject[at] as usize]);
        texts[2].append_value(&votes.volunteers[votes.volunteer[at] as usize]);
        texts[3].append_value(&question.task);
        texts[4].append_value(question.kind.as_str());
        let is_answer = vote.answer != NO_ANSWER;
        texts[5].append_option(is_answer.then(|| &question.answers[vote.answer as usize]));
    }
    let [workflow, subject, volunteer, task, kind, answer] =
        texts.map(|mut c| Arc::new(c.finish()) as ArrayRef);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(ids.finish()),
        workflow,
        subject,
        volunteer,
        Arc::new(created.finish()),
        task,
        kind,
        answer,
    ];
    write_table(path, &RecordBatch::try_new(schema::gold_votes(), columns)?)?;
    Ok(votes.votes.len() as u64)
}
