//! The extracts of an export as a folder of tables, written while the export is read.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Float64Builder, StringBuilder, TimestampMillisecondBuilder, UInt8Builder,
    UInt16Builder, UInt32Builder, UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::Schema;
use volary_core::extracts::{ClassificationRow, ExternalId, Geometry, Shape};
use volary_core::{Extracts, Pool, Symbol, schema};

use super::TableFormat;
use super::write::TableWriter;
use crate::error::IngestError;
use crate::panoptes::subjects::SubjectExportRow;
use crate::panoptes::{ExtractSink, SubjectRow};

/// Rows gathered before they are written: few, since whoever parses waits for whoever writes.
const BATCH_ROWS: usize = 1 << 13;

/// Writes `classifications`, `votes`, `marks`, `shapes` and `texts` into a folder. A table of which
/// there is no row is not written.
#[derive(Debug)]
pub struct ExtractWriter {
    classifications: Sheet<Classifications>,
    votes: Sheet<Votes>,
    marks: Sheet<Marks>,
    shapes: Sheet<Shapes>,
    texts: Sheet<Texts>,
}

impl ExtractWriter {
    /// Tables of this format in this folder.
    #[must_use]
    pub fn new(folder: &Path, format: TableFormat) -> Self {
        let path = |name: &str| folder.join(format!("{name}.{}", format.extension()));
        Self {
            classifications: Sheet::new(path("classifications"), schema::classifications()),
            votes: Sheet::new(path("votes"), schema::votes()),
            marks: Sheet::new(path("marks"), schema::marks()),
            shapes: Sheet::new(path("shapes"), schema::shapes()),
            texts: Sheet::new(path("texts"), schema::texts()),
        }
    }

    /// Ends all tables and puts them in their places: path and number of rows of each.
    ///
    /// # Errors
    /// Where the last rows cannot be written.
    pub fn finish(self) -> Result<Vec<(PathBuf, u64)>, IngestError> {
        let written = [
            self.classifications.finish()?,
            self.votes.finish()?,
            self.marks.finish()?,
            self.shapes.finish()?,
            self.texts.finish()?,
        ];
        Ok(written.into_iter().flatten().collect())
    }

    fn take_said(&mut self, e: &Extracts) -> Result<(), IngestError> {
        for row in &e.votes {
            let columns = &mut self.votes.columns;
            columns.said.push(e, row.classification, row.task);
            columns.kind.append_value(row.kind.as_str());
            columns.answer.append_option(row.answer.map(|a| e.text(a)));
            self.votes.grown()?;
        }
        for row in &e.marks {
            let columns = &mut self.marks.columns;
            columns.said.push(e, row.classification, row.task);
            columns.tool.append_option(row.tool);
            columns.x_min.append_option(row.range.map(|r| r.0));
            columns.x_max.append_option(row.range.map(|r| r.1));
            self.marks.grown()?;
        }
        for row in &e.shapes {
            let columns = &mut self.shapes.columns;
            columns.said.push(e, row.classification, row.task);
            columns.push(&e.pool, row.mark.as_ref());
            self.shapes.grown()?;
        }
        for row in &e.texts {
            let columns = &mut self.texts.columns;
            columns.said.push(e, row.classification, row.task);
            columns.text.append_option(row.text.map(|t| e.text(t)));
            self.texts.grown()?;
        }
        Ok(())
    }
}

impl ExtractSink for ExtractWriter {
    fn take(&mut self, extracts: &Extracts) -> Result<(), IngestError> {
        for class in &extracts.classifications {
            self.classifications.columns.push(&extracts.pool, class);
            self.classifications.grown()?;
        }
        self.take_said(extracts)
    }

    fn take_late(&mut self, extracts: &Extracts, _ordinals: &[u64]) -> Result<(), IngestError> {
        self.take_said(extracts)
    }
}

/// Columns under construction.
trait ColumnSet: Default {
    fn finish(&mut self) -> Vec<ArrayRef>;
}

/// One table: its columns so far, and the file once there is a first batch.
#[derive(Debug)]
struct Sheet<C> {
    path: PathBuf,
    schema: Arc<Schema>,
    writer: Option<TableWriter>,
    columns: C,
    n_rows: usize,
}

impl<C: ColumnSet> Sheet<C> {
    fn new(path: PathBuf, schema: Arc<Schema>) -> Self {
        Self { path, schema, writer: None, columns: C::default(), n_rows: 0 }
    }

    fn grown(&mut self) -> Result<(), IngestError> {
        self.n_rows += 1;
        if self.n_rows < BATCH_ROWS { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), IngestError> {
        if self.n_rows == 0 {
            return Ok(());
        }
        self.n_rows = 0;
        let table = |what: String| IngestError::Table { what, path: self.path.clone() };
        let batch = RecordBatch::try_new(self.schema.clone(), self.columns.finish())
            .map_err(|e| table(e.to_string()))?;
        match &mut self.writer {
            Some(writer) => writer.write(&batch),
            None => {
                let writer = self.writer.insert(TableWriter::create(&self.path, &self.schema)?);
                writer.write(&batch)
            }
        }
    }

    fn finish(mut self) -> Result<Option<(PathBuf, u64)>, IngestError> {
        self.flush()?;
        match self.writer {
            Some(writer) => Ok(Some((self.path, writer.finish()?))),
            None => Ok(None),
        }
    }
}

/// Text columns know nothing of symbols and numbers; this writes an id without an allocation.
fn push_id(column: &mut StringBuilder, id: ExternalId, pool: &Pool) {
    match id {
        ExternalId::Number(n) => column.append_value(Digits::new(n).as_str()),
        ExternalId::Text(symbol) => column.append_value(pool.text(symbol)),
    }
}

/// A whole number's digits: millions of ids are written, and the general formatter showed in the profile.
struct Digits {
    bytes: [u8; 20],
    start: usize,
}

impl Digits {
    fn new(mut n: u64) -> Self {
        let mut digits = Self { bytes: [b'0'; 20], start: 20 };
        loop {
            digits.start -= 1;
            digits.bytes[digits.start] = b'0' + (n % 10) as u8;
            n /= 10;
            if n == 0 {
                return digits;
            }
        }
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[self.start..]).expect("digits are ASCII")
    }
}

fn utc() -> TimestampMillisecondBuilder {
    TimestampMillisecondBuilder::new().with_data_type(schema::timestamp())
}

#[derive(Debug)]
struct Classifications {
    id: StringBuilder,
    workflow: StringBuilder,
    version: StringBuilder,
    subject: StringBuilder,
    volunteer: StringBuilder,
    logged_in: BooleanBuilder,
    created: TimestampMillisecondBuilder,
    started: TimestampMillisecondBuilder,
    finished: TimestampMillisecondBuilder,
    gold_standard: BooleanBuilder,
    expert: StringBuilder,
    seen_before: BooleanBuilder,
    live: BooleanBuilder,
    classifier: UInt8Builder,
    repeat: BooleanBuilder,
    row: UInt64Builder,
}

impl Default for Classifications {
    fn default() -> Self {
        Self {
            id: StringBuilder::new(),
            workflow: StringBuilder::new(),
            version: StringBuilder::new(),
            subject: StringBuilder::new(),
            volunteer: StringBuilder::new(),
            logged_in: BooleanBuilder::new(),
            created: utc(),
            started: utc(),
            finished: utc(),
            gold_standard: BooleanBuilder::new(),
            expert: StringBuilder::new(),
            seen_before: BooleanBuilder::new(),
            live: BooleanBuilder::new(),
            classifier: UInt8Builder::new(),
            repeat: BooleanBuilder::new(),
            row: UInt64Builder::new(),
        }
    }
}

impl Classifications {
    fn push(&mut self, pool: &Pool, class: &ClassificationRow) {
        push_id(&mut self.id, class.id, pool);
        self.workflow.append_value(pool.text(class.workflow));
        self.version.append_value(pool.text(class.version));
        self.subject.append_value(pool.text(class.subject));
        self.volunteer.append_value(pool.text(class.volunteer.key));
        self.logged_in.append_value(class.volunteer.logged_in);
        self.created.append_option(class.created_ms);
        self.started.append_option(class.started_ms);
        self.finished.append_option(class.finished_ms);
        self.gold_standard.append_value(class.gold_standard);
        self.expert.append_option(class.expert.map(|e| pool.text(e)));
        self.seen_before.append_value(class.seen_before);
        self.live.append_option(class.live);
        self.classifier.append_value(class.classifier);
        self.repeat.append_value(class.repeat);
        self.row.append_value(class.row);
    }
}

impl ColumnSet for Classifications {
    fn finish(&mut self) -> Vec<ArrayRef> {
        vec![
            Arc::new(self.id.finish()),
            Arc::new(self.workflow.finish()),
            Arc::new(self.version.finish()),
            Arc::new(self.subject.finish()),
            Arc::new(self.volunteer.finish()),
            Arc::new(self.logged_in.finish()),
            Arc::new(self.created.finish()),
            Arc::new(self.started.finish()),
            Arc::new(self.finished.finish()),
            Arc::new(self.gold_standard.finish()),
            Arc::new(self.expert.finish()),
            Arc::new(self.seen_before.finish()),
            Arc::new(self.live.finish()),
            Arc::new(self.classifier.finish()),
            Arc::new(self.repeat.finish()),
            Arc::new(self.row.finish()),
        ]
    }
}

/// Who said it about what: the columns that all tables of extracts share.
#[derive(Debug)]
struct Said {
    id: StringBuilder,
    workflow: StringBuilder,
    subject: StringBuilder,
    volunteer: StringBuilder,
    created: TimestampMillisecondBuilder,
    repeat: BooleanBuilder,
    task: StringBuilder,
}

impl Default for Said {
    fn default() -> Self {
        Self {
            id: StringBuilder::new(),
            workflow: StringBuilder::new(),
            subject: StringBuilder::new(),
            volunteer: StringBuilder::new(),
            created: utc(),
            repeat: BooleanBuilder::new(),
            task: StringBuilder::new(),
        }
    }
}

impl Said {
    fn push(&mut self, e: &Extracts, classification: u32, task: Symbol) {
        let class = &e.classifications[classification as usize];
        push_id(&mut self.id, class.id, &e.pool);
        self.workflow.append_value(e.text(class.workflow));
        self.subject.append_value(e.text(class.subject));
        self.volunteer.append_value(e.text(class.volunteer.key));
        self.created.append_option(class.created_ms);
        self.repeat.append_value(class.repeat);
        self.task.append_value(e.text(task));
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        vec![
            Arc::new(self.id.finish()),
            Arc::new(self.workflow.finish()),
            Arc::new(self.subject.finish()),
            Arc::new(self.volunteer.finish()),
            Arc::new(self.created.finish()),
            Arc::new(self.repeat.finish()),
            Arc::new(self.task.finish()),
        ]
    }
}

#[derive(Debug, Default)]
struct Votes {
    said: Said,
    kind: StringBuilder,
    answer: StringBuilder,
}

impl ColumnSet for Votes {
    fn finish(&mut self) -> Vec<ArrayRef> {
        let mut columns = self.said.finish();
        columns.push(Arc::new(self.kind.finish()));
        columns.push(Arc::new(self.answer.finish()));
        columns
    }
}

#[derive(Debug, Default)]
struct Marks {
    said: Said,
    tool: UInt16Builder,
    x_min: Float64Builder,
    x_max: Float64Builder,
}

impl ColumnSet for Marks {
    fn finish(&mut self) -> Vec<ArrayRef> {
        let mut columns = self.said.finish();
        columns.push(Arc::new(self.tool.finish()));
        columns.push(Arc::new(self.x_min.finish()));
        columns.push(Arc::new(self.x_max.finish()));
        columns
    }
}

#[derive(Debug, Default)]
struct Texts {
    said: Said,
    text: StringBuilder,
}

impl ColumnSet for Texts {
    fn finish(&mut self) -> Vec<ArrayRef> {
        let mut columns = self.said.finish();
        columns.push(Arc::new(self.text.finish()));
        columns
    }
}

/// The numbers of a geometry, in the order of the schema.
const N_NUMBERS: usize = 12;

#[derive(Debug, Default)]
struct Shapes {
    said: Said,
    mark: UInt32Builder,
    frame: UInt16Builder,
    tool: UInt16Builder,
    tool_label: StringBuilder,
    shape: StringBuilder,
    numbers: [Float64Builder; N_NUMBERS],
    points: StringBuilder,
    closed: BooleanBuilder,
    other: StringBuilder,
    details: StringBuilder,
}

impl Shapes {
    fn push(&mut self, pool: &Pool, mark: Option<&Shape>) {
        let text = |s: Option<Symbol>| s.map(|s| pool.text(s));
        self.mark.append_option(mark.map(|m| m.index));
        self.frame.append_option(mark.map(|m| m.frame));
        self.tool.append_option(mark.and_then(|m| m.tool));
        self.tool_label.append_option(text(mark.and_then(|m| m.tool_label)));
        self.shape.append_option(text(mark.map(|m| m.name)));
        for (column, number) in self.numbers.iter_mut().zip(numbers(mark.map(|m| &m.geometry))) {
            column.append_option(number);
        }
        match mark.map(|m| &m.geometry) {
            Some(Geometry::Path { points, closed }) => {
                self.points.append_value(points_json(points));
                self.closed.append_value(*closed);
            }
            _ => {
                self.points.append_null();
                self.closed.append_null();
            }
        }
        self.other.append_option(text(mark.and_then(|m| m.other)));
        self.details.append_option(text(mark.and_then(|m| m.details)));
    }
}

/// x, y, width, height, r, rx, ry, angle, x1, y1, x2, y2.
fn numbers(geometry: Option<&Geometry>) -> [Option<f64>; N_NUMBERS] {
    let mut out = [None; N_NUMBERS];
    let mut set = |pairs: &[(usize, f64)]| pairs.iter().for_each(|&(i, v)| out[i] = Some(v));
    match geometry {
        None | Some(Geometry::Path { .. } | Geometry::Other) => {}
        Some(Geometry::Point { x, y }) => set(&[(0, *x), (1, *y)]),
        Some(Geometry::Line { x1, y1, x2, y2 }) => set(&[(8, *x1), (9, *y1), (10, *x2), (11, *y2)]),
        Some(Geometry::Rectangle { x, y, width, height, angle }) => {
            set(&[(0, *x), (1, *y), (2, *width), (3, *height), (7, *angle)]);
        }
        Some(Geometry::Circle { x, y, r }) => set(&[(0, *x), (1, *y), (4, *r)]),
        Some(Geometry::Ellipse { x, y, rx, ry, angle }) => {
            set(&[(0, *x), (1, *y), (5, *rx), (6, *ry), (7, *angle)]);
        }
    }
    out
}

fn points_json(points: &[(f64, f64)]) -> String {
    let mut json = String::with_capacity(points.len() * 16 + 2);
    json.push('[');
    for (i, (x, y)) in points.iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        let _ = write!(json, "{comma}[{x},{y}]");
    }
    json.push(']');
    json
}

impl ColumnSet for Shapes {
    fn finish(&mut self) -> Vec<ArrayRef> {
        let mut columns = self.said.finish();
        columns.push(Arc::new(self.mark.finish()));
        columns.push(Arc::new(self.frame.finish()));
        columns.push(Arc::new(self.tool.finish()));
        columns.push(Arc::new(self.tool_label.finish()));
        columns.push(Arc::new(self.shape.finish()));
        columns.extend(self.numbers.iter_mut().map(|n| Arc::new(n.finish()) as ArrayRef));
        columns.push(Arc::new(self.points.finish()));
        columns.push(Arc::new(self.closed.finish()));
        columns.push(Arc::new(self.other.finish()));
        columns.push(Arc::new(self.details.finish()));
        columns
    }
}

/// Writes the `subjects` table: retirement at the time of export, sorted by workflow and subject.
///
/// # Errors
/// Where it cannot be written.
pub fn write_subjects(path: &Path, subjects: &[SubjectRow]) -> Result<(), IngestError> {
    use volary_core::votes::compare_ids;
    let mut order: Vec<&SubjectRow> = subjects.iter().collect();
    order.sort_by(|a, b| {
        compare_ids(&a.workflow, &b.workflow).then_with(|| compare_ids(&a.subject, &b.subject))
    });
    let (mut subject, mut workflow, mut reason) =
        (StringBuilder::new(), StringBuilder::new(), StringBuilder::new());
    let (mut n, mut retired) = (UInt64Builder::new(), utc());
    for row in order {
        subject.append_value(&row.subject);
        workflow.append_value(&row.workflow);
        n.append_value(row.n_classifications);
        retired.append_option(row.retired_ms);
        reason.append_option(row.reason.as_deref());
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(subject.finish()),
        Arc::new(workflow.finish()),
        Arc::new(n.finish()),
        Arc::new(retired.finish()),
        Arc::new(reason.finish()),
    ];
    let batch = RecordBatch::try_new(schema::subjects(), columns)
        .map_err(|e| IngestError::Table { what: e.to_string(), path: path.to_owned() })?;
    super::write_table(path, &batch)
}

/// Writes what a subject export says, in order of workflow and subject.
///
/// # Errors
/// Where it cannot be written.
pub fn write_subject_export(path: &Path, rows: &[SubjectExportRow]) -> Result<(), IngestError> {
    use volary_core::votes::compare_ids;
    let mut order: Vec<&SubjectExportRow> = rows.iter().collect();
    order.sort_by(|a, b| {
        compare_ids(&a.workflow_id, &b.workflow_id)
            .then_with(|| compare_ids(&a.subject_id, &b.subject_id))
            .then_with(|| compare_ids(&a.subject_set_id, &b.subject_set_id))
    });
    let mut text: [StringBuilder; 6] = Default::default();
    let (mut n, mut retired) = (UInt64Builder::new(), utc());
    let known = |cell: &str| (!cell.is_empty()).then(|| cell.to_owned());
    for row in order {
        text[0].append_value(&row.subject_id);
        text[1].append_value(&row.workflow_id);
        text[2].append_option(known(&row.subject_set_id));
        n.append_option(row.classifications_count);
        retired.append_option(row.retired_ms);
        text[3].append_option(known(&row.retirement_reason));
        text[4].append_value(serde_json::Value::from(row.locations.clone()).to_string());
        text[5].append_value(&row.metadata);
    }
    let [subject, workflow, set, reason, locations, metadata] =
        text.map(|mut column| Arc::new(column.finish()) as ArrayRef);
    let (n, retired): (ArrayRef, ArrayRef) = (Arc::new(n.finish()), Arc::new(retired.finish()));
    let columns = vec![subject, workflow, set, n, retired, reason, locations, metadata];
    let batch = RecordBatch::try_new(schema::subject_export(), columns)
        .map_err(|e| IngestError::Table { what: e.to_string(), path: path.to_owned() })?;
    super::write_table(path, &batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_formatter() {
        for n in [0, 7, 10, 99, 500_000_001, u64::MAX - 1, u64::MAX] {
            assert_eq!(Digits::new(n).as_str(), n.to_string());
        }
    }
}
