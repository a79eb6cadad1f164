//! What models say of volunteers and subjects, and how methods fared, as tables.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use arrow_array::builder::{BooleanBuilder, Float64Builder, StringBuilder, UInt64Builder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema};
use volary_core::{Votes, schema};
use volary_crowd::skill::choose::Basis;
use volary_crowd::skill::machine::MACHINE;
use volary_crowd::skill::matrices::{Estimate, Matrices};
use volary_crowd::skill::model::QuestionFit;
use volary_crowd::{Evaluation, Interval};
use volary_ingest::tables::TableWriter;

use crate::consensus_tables::BATCH;
use crate::skill::{about, class_name};

/// A cell of a row.
enum Cell {
    Text(String),
    MaybeText(Option<String>),
    Count(u64),
    Number(Option<f64>),
    Flag(bool),
}

impl From<f64> for Cell {
    fn from(number: f64) -> Self {
        Self::Number(Some(number))
    }
}

/// Columns under construction, by the schema's types.
enum Column {
    Text(StringBuilder),
    Count(UInt64Builder),
    Number(Float64Builder),
    Flag(BooleanBuilder),
}

impl Column {
    fn new(kind: &DataType) -> Self {
        match kind {
            DataType::UInt64 => Self::Count(UInt64Builder::new()),
            DataType::Float64 => Self::Number(Float64Builder::new()),
            DataType::Boolean => Self::Flag(BooleanBuilder::new()),
            _ => Self::Text(StringBuilder::new()),
        }
    }

    fn push(&mut self, cell: Cell) {
        match (self, cell) {
            (Self::Text(column), Cell::Text(text)) => column.append_value(text),
            (Self::Text(column), Cell::MaybeText(text)) => column.append_option(text),
            (Self::Count(column), Cell::Count(n)) => column.append_value(n),
            (Self::Number(column), Cell::Number(x)) => column.append_option(x.filter(|x| x.is_finite())),
            (Self::Flag(column), Cell::Flag(flag)) => column.append_value(flag),
            _ => unreachable!("rows are written in the order of their schema"),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(column) => Arc::new(column.finish()),
            Self::Count(column) => Arc::new(column.finish()),
            Self::Number(column) => Arc::new(column.finish()),
            Self::Flag(column) => Arc::new(column.finish()),
        }
    }
}

/// Writes rows one by one, in batches.
struct Rows {
    writer: TableWriter,
    schema: Arc<Schema>,
    columns: Vec<Column>,
    n: usize,
}

impl Rows {
    fn create(path: &Path, schema: Arc<Schema>) -> Result<Self> {
        let columns = schema.fields().iter().map(|f| Column::new(f.data_type())).collect();
        Ok(Self { writer: TableWriter::create(path, &schema)?, schema, columns, n: 0 })
    }

    fn push<const N: usize>(&mut self, row: [Cell; N]) -> Result<()> {
        for (column, cell) in self.columns.iter_mut().zip(row) {
            column.push(cell);
        }
        self.n += 1;
        if self.n.is_multiple_of(BATCH) { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let columns = self.columns.iter_mut().map(Column::finish).collect();
        Ok(self.writer.write(&RecordBatch::try_new(self.schema.clone(), columns)?)?)
    }

    fn finish(mut self) -> Result<u64> {
        self.flush()?;
        Ok(self.writer.finish()?)
    }
}

fn volunteer_name(votes: &Votes, volunteer: u32) -> String {
    if volunteer == MACHINE {
        "machine".to_owned()
    } else {
        votes.volunteers[volunteer as usize].clone()
    }
}

/// What every row about a fit begins with: workflow, task, about.
fn head(votes: &Votes, fit: &QuestionFit) -> [Cell; 3] {
    let question = &votes.questions[fit.panel.question as usize];
    [
        Cell::Text(question.workflow.clone()),
        Cell::Text(question.task.clone()),
        Cell::MaybeText(about(votes, fit)),
    ]
}

fn estimate(estimate: Option<Estimate>) -> [Cell; 3] {
    [
        Cell::Number(estimate.map(|e| e.value)),
        Cell::Number(estimate.map(|e| e.interval.low)),
        Cell::Number(estimate.map(|e| e.interval.high)),
    ]
}

/// One row per question and volunteer.
pub(crate) fn write_skill(path: &Path, votes: &Votes, fits: &[QuestionFit], level: f64) -> Result<u64> {
    let mut rows = Rows::create(path, schema::consensus_skill())?;
    for fit in fits {
        let skills = fit.fit.skills(&fit.panel.ballots, level);
        for (&volunteer, skill) in fit.panel.volunteers.iter().zip(skills) {
            let [workflow, task, about] = head(votes, fit);
            let name = Cell::Text(volunteer_name(votes, volunteer));
            let [value, low, high] = estimate(skill.skill);
            let [bits, bits_low, bits_high] = estimate(skill.bits);
            let contribution = Cell::Number(skill.contribution_bits);
            let n = Cell::Count(skill.n_votes);
            rows.push([
                workflow,
                task,
                about,
                name,
                n,
                value,
                low,
                high,
                bits,
                bits_low,
                bits_high,
                contribution,
            ])?;
        }
    }
    rows.finish()
}

/// One row per question, volunteer, true and given answer; none for models without matrices, and none
/// for a machine, whose labels are bins.
pub(crate) fn write_confusion(
    path: &Path,
    votes: &Votes,
    fits: &[QuestionFit],
    level: f64,
) -> Result<u64> {
    let mut rows = Rows::create(path, schema::consensus_confusion())?;
    for fit in fits.iter().filter(|f| f.fit.matrices.n_volunteers() > 0) {
        let question = &votes.questions[fit.panel.question as usize];
        let k = fit.panel.ballots.n_classes();
        let names: Vec<String> = (0..k).map(|class| class_name(question, fit, class)).collect();
        for (w, &volunteer) in fit.panel.volunteers.iter().enumerate().filter(|(_, v)| **v != MACHINE) {
            let (counts, dirichlet) = (fit.fit.matrices.counts(w), fit.fit.matrices.dirichlet(w));
            let chances = fit.fit.matrices.chances(w);
            for at in 0..k * k {
                let (truth, given) = (at / k, at % k);
                let cell = Matrices::cell(&dirichlet[truth * k..(truth + 1) * k], given, level);
                let [workflow, task, about] = head(votes, fit);
                rows.push([
                    workflow,
                    task,
                    about,
                    Cell::Text(volunteer_name(votes, volunteer)),
                    Cell::Text(names[truth].clone()),
                    Cell::Text(names[given].clone()),
                    counts[at].into(),
                    chances[at].into(),
                    cell.interval.low.into(),
                    cell.interval.high.into(),
                ])?;
            }
        }
    }
    rows.finish()
}

/// One row per question and subject with GLAD's easiness.
pub(crate) fn write_easiness(
    path: &Path,
    votes: &Votes,
    fits: &[QuestionFit],
    level: f64,
) -> Result<u64> {
    let mut rows = Rows::create(path, schema::consensus_easiness())?;
    for fit in fits {
        for (&subject, &(log, se)) in fit.panel.subjects.iter().zip(&fit.fit.log_easiness) {
            let half = volary_crowd::interval::normal_half_width(level) * se;
            let [workflow, task, about] = head(votes, fit);
            rows.push([
                workflow,
                task,
                about,
                Cell::Text(votes.subjects[subject as usize].clone()),
                log.exp().into(),
                (log - half).exp().into(),
                (log + half).exp().into(),
            ])?;
        }
    }
    rows.finish()
}

/// One row per question and model that `auto` compared.
pub(crate) fn write_models(path: &Path, votes: &Votes, fits: &[QuestionFit], level: f64) -> Result<u64> {
    let mut rows = Rows::create(path, schema::consensus_models())?;
    for (fit, choice) in fits.iter().filter_map(|f| Some((f, f.choice.as_ref()?))) {
        let on = match choice.basis {
            Basis::Gold => "gold",
            Basis::HeldOutVotes => "held-out votes",
        };
        for (at, score) in choice.scores.iter().enumerate() {
            let right = score.n_right.map(|(n, k)| {
                let interval = volary_crowd::interval::wilson(k as f64, n as f64, level);
                Estimate { value: k as f64 / (n as f64).max(1.0), interval }
            });
            let [workflow, task, about] = head(votes, fit);
            let [accuracy, low, high] = estimate(right);
            rows.push([
                workflow,
                task,
                about,
                Cell::Text(score.model.name()),
                Cell::Flag(at == choice.best),
                Cell::Text(on.to_owned()),
                Cell::Count(choice.n),
                Cell::Number(score.mean_log),
                Cell::Number(score.mean_log.map(|_| score.se)),
                accuracy,
                low,
                high,
            ])?;
        }
    }
    rows.finish()
}

/// What every row about a judged method begins with: workflow, task, method.
fn judged_head(votes: &Votes, method: &str, evaluation: &Evaluation) -> [Cell; 3] {
    let question = &votes.questions[evaluation.question as usize];
    [
        Cell::Text(question.workflow.clone()),
        Cell::Text(question.task.clone()),
        Cell::Text(method.to_owned()),
    ]
}

fn ends(interval: Interval) -> [Cell; 2] {
    [interval.low.into(), interval.high.into()]
}

/// Methods with their evaluations, as the analysis holds them.
pub(crate) type Judged = [(String, Vec<Evaluation>)];

/// One row per question and method.
pub(crate) fn write_evaluation(path: &Path, votes: &Votes, methods: &Judged) -> Result<u64> {
    let mut rows = Rows::create(path, schema::consensus_evaluation())?;
    for (method, e) in methods.iter().flat_map(|(m, all)| all.iter().map(move |e| (m, e))) {
        let [workflow, task, name] = judged_head(votes, method, e);
        let [low, high] = ends(e.accuracy_interval);
        rows.push([
            workflow,
            task,
            name,
            Cell::Count(e.n),
            Cell::Count(e.n_correct),
            Cell::Count(e.n_ties),
            Cell::Number(e.accuracy),
            low,
            high,
            Cell::Number(e.accuracy_random_ties),
            Cell::Number(e.accuracy_first_label),
            Cell::Number(e.log_loss),
            Cell::Number(e.brier),
            Cell::Number(e.ece),
        ])?;
    }
    rows.finish()
}

/// One row per question, method and answer.
pub(crate) fn write_classes(path: &Path, votes: &Votes, methods: &Judged) -> Result<u64> {
    let mut rows = Rows::create(path, schema::consensus_classes())?;
    for (method, e) in methods.iter().flat_map(|(m, all)| all.iter().map(move |e| (m, e))) {
        for class in &e.classes {
            let [workflow, task, name] = judged_head(votes, method, e);
            let [recall_low, recall_high] = ends(class.recall_interval);
            let [precision_low, precision_high] = ends(class.precision_interval);
            let answers = &votes.questions[e.question as usize].answers;
            rows.push([
                workflow,
                task,
                name,
                Cell::Text(answers[class.answer as usize].clone()),
                Cell::Count(class.n_true),
                Cell::Count(class.n_agreed),
                Cell::Count(class.n_both),
                Cell::Number(class.recall),
                recall_low,
                recall_high,
                Cell::Number(class.precision),
                precision_low,
                precision_high,
            ])?;
        }
    }
    rows.finish()
}

/// One row per question, method and bin.
pub(crate) fn write_reliability(path: &Path, votes: &Votes, methods: &Judged) -> Result<u64> {
    let mut rows = Rows::create(path, schema::consensus_reliability())?;
    for (method, e) in methods.iter().flat_map(|(m, all)| all.iter().map(move |e| (m, e))) {
        for bin in &e.reliability {
            let [workflow, task, name] = judged_head(votes, method, e);
            let [low, high] = ends(bin.interval);
            rows.push([
                workflow,
                task,
                name,
                bin.low.into(),
                bin.high.into(),
                Cell::Count(bin.n),
                Cell::Number(bin.mean_fraction),
                Cell::Number(bin.share_true),
                low,
                high,
            ])?;
        }
    }
    rows.finish()
}
