//! What a simulated crowd was drawn with, as tables: subjects, volunteers, gold, a machine's scores; and
//! the tables of a question with several answers.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use arrow_array::builder::{StringBuilder, TimestampMillisecondBuilder};
use arrow_array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use volary_core::schema;
use volary_crowd::{SimulatedCrowd, SimulatedMultiple, VolunteerKind};
use volary_ingest::tables::{TableWriter, write_table};

const BATCH: usize = 1 << 14;

/// A column with its name and whether it may be null.
type Column = (&'static str, DataType, bool, ArrayRef);

fn texts(name: &'static str, values: impl Iterator<Item = String>) -> Column {
    (name, DataType::Utf8, false, Arc::new(StringArray::from_iter_values(values)))
}

fn numbers(name: &'static str, values: &[f64]) -> Column {
    (name, DataType::Float64, false, Arc::new(Float64Array::from(values.to_vec())))
}

fn counts(name: &'static str, values: Vec<u64>) -> Column {
    (name, DataType::UInt64, false, Arc::new(UInt64Array::from(values)))
}

fn flags(name: &'static str, values: &[bool]) -> Column {
    (name, DataType::Boolean, false, Arc::new(BooleanArray::from(values.to_vec())))
}

fn write(path: &Path, columns: Vec<Column>) -> Result<()> {
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns
        .into_iter()
        .map(|(name, kind, nullable, array)| (Field::new(name, kind, nullable), array))
        .unzip();
    let schema = Arc::new(Schema::new(fields));
    Ok(write_table(path, &RecordBatch::try_new(schema, arrays)?)?)
}

fn name(at: usize) -> String {
    SimulatedCrowd::volunteer_name(u32::try_from(at).unwrap_or(u32::MAX))
}

fn votes_of(volunteer: &[u32], n: usize) -> Vec<u64> {
    let mut votes = vec![0; n];
    volunteer.iter().for_each(|&v| votes[v as usize] += 1);
    votes
}

fn kinds(kinds: &[VolunteerKind]) -> Column {
    texts("kind", kinds.iter().map(|kind| kind.as_str().to_owned()))
}

/// `subjects`: class, difficulty, whether gold, and the wrong answer that tempts.
pub(crate) fn write_subjects(path: &Path, crowd: &SimulatedCrowd) -> Result<()> {
    let tempting: StringArray = crowd.tempting.iter().map(|t| t.map(|t| t.to_string())).collect();
    write(
        path,
        vec![
            texts("task", (0..crowd.true_class.len()).map(|i| i.to_string())),
            texts("label", crowd.true_class.iter().map(ToString::to_string)),
            numbers("difficulty", &crowd.difficulty),
            flags("is_gold", &crowd.is_gold),
            ("tempting", DataType::Utf8, true, Arc::new(tempting)),
        ],
    )
}

/// `volunteers`: kind, skill and what changes it.
pub(crate) fn write_volunteers(path: &Path, crowd: &SimulatedCrowd) -> Result<()> {
    let k = crowd.n_classes as usize;
    let diagonal = |matrix: &[f64]| (0..k).map(|i| matrix[i * k + i]).sum::<f64>() / k as f64;
    let skill: Vec<f64> = crowd.confusion.chunks_exact(k * k).map(diagonal).collect();
    write(
        path,
        vec![
            texts("worker", (0..skill.len()).map(name)),
            kinds(&crowd.kind),
            counts("n_votes", votes_of(&crowd.volunteer, skill.len())),
            numbers("skill", &skill),
            flags("shares_bias", &crowd.shares_bias),
            numbers("learning", &crowd.learning),
            numbers("fatigue", &crowd.fatigue),
        ],
    )
}

/// `gold`: the classes that are given away.
pub(crate) fn write_gold(path: &Path, crowd: &SimulatedCrowd) -> Result<()> {
    let gold: Vec<usize> = (0..crowd.is_gold.len()).filter(|i| crowd.is_gold[*i]).collect();
    write(
        path,
        vec![
            texts("task", gold.iter().map(ToString::to_string)),
            texts("label", gold.iter().map(|i| crowd.true_class[*i].to_string())),
        ],
    )
}

/// `scores`: what the machine says, a row per subject and class.
pub(crate) fn write_scores(path: &Path, crowd: &SimulatedCrowd) -> Result<()> {
    let (n, k) = (crowd.scores.len(), crowd.n_classes as usize);
    write(
        path,
        vec![
            texts("task", (0..n).map(|i| (i / k).to_string())),
            texts("label", (0..n).map(|i| (i % k).to_string())),
            numbers("score", &crowd.scores),
        ],
    )
}

/// `votes` of a question with several answers, as `volary extract` writes them.
pub(crate) fn write_ticks(path: &Path, crowd: &SimulatedMultiple) -> Result<()> {
    let schema = schema::votes();
    let mut writer = TableWriter::create(path, &schema)?;
    let mut met = std::collections::HashSet::new();
    let visits: Vec<usize> = (0..crowd.n_visits()).collect();
    for chunk in visits.chunks(BATCH) {
        let mut ids: [StringBuilder; 4] = Default::default();
        let mut times = TimestampMillisecondBuilder::new().with_data_type(schema::timestamp());
        let mut repeats = Vec::new();
        let mut said: [StringBuilder; 3] = Default::default();
        for &visit in chunk {
            let is_repeat = !met.insert((crowd.subject[visit], crowd.volunteer[visit]));
            let mut answers: Vec<Option<String>> =
                crowd.ticked_of(visit).map(|a| Some(a.to_string())).collect();
            if answers.is_empty() {
                answers.push(None);
            }
            for answer in answers {
                ids[0].append_value(visit.to_string());
                ids[1].append_value("");
                ids[2].append_value(crowd.subject[visit].to_string());
                ids[3].append_value(name(crowd.volunteer[visit] as usize));
                times.append_value(crowd.created_ms[visit]);
                repeats.push(is_repeat);
                said[0].append_value("T0");
                said[1].append_value("multiple");
                said[2].append_option(answer);
            }
        }
        let mut arrays: Vec<ArrayRef> =
            ids.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef).collect();
        arrays.push(Arc::new(times.finish()));
        arrays.push(Arc::new(BooleanArray::from(repeats)));
        arrays.extend(said.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef));
        writer.write(&RecordBatch::try_new(schema.clone(), arrays)?)?;
    }
    writer.finish()?;
    Ok(())
}

/// `truth` (or `gold`, where `keep` says so) of a question with several answers, joined by `|`.
pub(crate) fn write_true_answers(
    path: &Path,
    crowd: &SimulatedMultiple,
    keep: impl Fn(usize) -> bool,
) -> Result<()> {
    let kept: Vec<usize> = (0..crowd.difficulty.len()).filter(|i| keep(*i)).collect();
    let answers = |i: &usize| crowd.true_of(*i).map(|a| a.to_string()).collect::<Vec<_>>().join("|");
    let difficulty: Vec<f64> = kept.iter().map(|i| crowd.difficulty[*i]).collect();
    write(
        path,
        vec![
            texts("subject_id", kept.iter().map(ToString::to_string)),
            texts("T0", kept.iter().map(answers)),
            numbers("difficulty", &difficulty),
        ],
    )
}

/// `skill` of a question with several answers: a row per volunteer and answer.
pub(crate) fn write_sensitivity(path: &Path, crowd: &SimulatedMultiple) -> Result<()> {
    let (n, k) = (crowd.sensitivity.len(), crowd.n_answers as usize);
    write(
        path,
        vec![
            texts("worker", (0..n).map(|i| name(i / k))),
            texts("answer", (0..n).map(|i| (i % k).to_string())),
            numbers("sensitivity", &crowd.sensitivity),
            numbers("specificity", &crowd.specificity),
        ],
    )
}

/// `volunteers` of a question with several answers.
pub(crate) fn write_tickers(path: &Path, crowd: &SimulatedMultiple) -> Result<()> {
    let n = crowd.kind.len();
    write(
        path,
        vec![
            texts("worker", (0..n).map(name)),
            kinds(&crowd.kind),
            counts("n_votes", votes_of(&crowd.volunteer, n)),
        ],
    )
}
