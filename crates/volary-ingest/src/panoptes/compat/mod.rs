//! Tables as `panoptes_aggregation` 5.3 writes them, so that a team's notebooks go on working.
//!
//! Same files (`question_extractor_<name>.csv`), same columns (`data.*`), read from the same YAML. Not
//! the same: lists are JSON, counts are whole numbers, an empty cell is the only way to say nothing,
//! `user_name` holds the volunteer's key and `user_id` nothing, `data.aggregation_version` says
//! "volary", and what a spreadsheet would take for a formula stands behind an apostrophe (`'=x`). What each extractor does otherwise stands in its module: `answers`, `marks`, `slug`.
//! Marks are clustered by whoever is handed in ([`Clustering`]). Texts are not aligned: asking for one of
//! those reducers is answered with a problem. Gold standard is the export's (the original always says
//! false); annotations within combos are read as any others.
//!
//! Held in memory are the rows of the extractions (not of the export), since the columns of a wide table
//! are known only at its end. For tables without that limit there is [`crate::tables`].

mod answers;
mod auto;
pub mod clustering;
mod datum;
mod literal;
mod marks;
mod reduce;
mod reducers;
pub(in crate::panoptes) mod rows;
mod shapes;
mod slug;
mod table;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use volary_core::{Pool, ProblemKind, Problems, Symbol};

use super::config::{ExtractorConfig, ExtractorEntry, ExtractorTask, PanoptesConfig, read_config};
use crate::error::IngestError;
use crate::report::{ReadReport, Tally};
use crate::source::Progress;
use answers::Unreadable;
use datum::Labels;
use marks::{Form, Marks, NotTaken};
use rows::{Annotation, Row};
use table::Table;

pub use auto::auto_config;
pub use clustering::Clustering;
pub use literal::parse_cell;
pub use reduce::{ReductionReport, RepeatRule, write_reductions};
pub use slug::slugify;
pub use table::TableFile;

/// What stands in `data.aggregation_version`.
pub const AGGREGATION_VERSION: &str = concat!("volary ", env!("CARGO_PKG_VERSION"));

/// What to extract: one selection for each workflow, from a file or from [`auto_config`].
#[derive(Clone, Debug, Default)]
pub struct CompatConfig {
    /// A row of the export is extracted by every selection that takes its workflow and version.
    pub selections: Vec<ExtractorConfig>,
}

impl CompatConfig {
    /// Reads an `Extractor_config_workflow_….yaml`.
    ///
    /// # Errors
    /// Where the file cannot be read or is another of the YAML files.
    pub fn read(path: &Path, progress: &Progress) -> Result<(Self, Problems), IngestError> {
        match read_config(path, progress)? {
            (PanoptesConfig::Extractors(config), problems, _) => {
                Ok((Self { selections: vec![config] }, problems))
            }
            _ => Err(IngestError::Format {
                what: "this YAML has no extractor_config".to_owned(),
                path: path.to_owned(),
            }),
        }
    }
}

/// What became of an export.
#[derive(Clone, Debug)]
pub struct CompatReport {
    /// Rows read, used and left out, and all problems.
    pub input: ReadReport,
    /// The tables; last the names of answers, where there are answers.
    pub files: Vec<TableFile>,
    /// Annotations that an extractor could not read, by extractor.
    pub not_extracted: BTreeMap<String, u64>,
    /// Marks that an extractor passed over, by extractor: another form than asked for.
    pub marks_of_another_form: BTreeMap<String, u64>,
    /// By task: classifications in which it was shown and left blank.
    pub left_blank: BTreeMap<String, u64>,
}

/// Writes `<extractor>_<name>.csv` into `out_dir` for every extractor that found rows, and
/// `answer_names_<name>.csv`, which says what label stands behind each answer's name (by workflow and
/// task; the original does not have it).
///
/// # Errors
/// Where the export cannot be read, a table cannot be written, or `name` is no file name.
pub fn write_extracts(
    export: &Path,
    config: &CompatConfig,
    out_dir: &Path,
    name: &str,
    progress: &Progress,
) -> Result<CompatReport, IngestError> {
    let stem = file_stem(name)?;
    let (mut records, columns) = rows::open(export, progress)?;
    let mut work = Extraction::new(config);
    while let Some(record) = records.next_record()? {
        work.take(&Row::new(&record, &columns));
    }
    let files = work.write(out_dir, &stem)?;
    let Extraction { tally, not_extracted, other_form, left_blank, .. } = work;
    let input = tally.finish(records)?;
    Ok(CompatReport { input, files, not_extracted, marks_of_another_form: other_form, left_blank })
}

/// `extractions.csv` and `extractions` name the same files; a path does not name any.
fn file_stem(name: &str) -> Result<String, IngestError> {
    let stem = name.strip_suffix(".csv").unwrap_or(name);
    if stem.is_empty() || stem.contains(['/', '\\', '\0']) {
        let what = format!("{name:?} is not a name for tables");
        return Err(IngestError::Format { what, path: name.into() });
    }
    Ok(stem.to_owned())
}

/// What a task's extractor does.
enum Kind {
    Question,
    Survey,
    Dropdown,
    Slider,
    Text,
    Marks(Form),
}

fn kind_of(entry: &ExtractorEntry, task: &ExtractorTask) -> Result<Kind, String> {
    let name = entry.name.as_str();
    Ok(match name {
        "question_extractor" | "shortcut_extractor" => Kind::Question,
        "survey_extractor" => Kind::Survey,
        "dropdown_extractor" => Kind::Dropdown,
        "slider_extractor" => Kind::Slider,
        "text_extractor" => Kind::Text,
        "point_extractor" => Kind::Marks(Form::Point),
        "point_extractor_by_frame" => Kind::Marks(Form::PointByFrame),
        "rectangle_extractor" => Kind::Marks(Form::Shape(known_shape("rectangle")?)),
        "polygon_extractor" => Kind::Marks(Form::Polygon),
        "bezier_extractor" => Kind::Marks(Form::Bezier),
        _ if name.starts_with("shape_extractor") => {
            let shape = task.shape.as_deref().ok_or("shape_extractor without a shape")?;
            Kind::Marks(Form::Shape(known_shape(shape)?))
        }
        _ => return Err(format!("{name}: no such extractor here")),
    })
}

fn known_shape(name: &str) -> Result<&'static marks::Shape, String> {
    marks::shape(name).ok_or_else(|| format!("there is no shape {name:?}"))
}

/// The file name's first part; shapes are written out, whatever the entry is called.
fn table_name(entry: &ExtractorEntry, kind: &Kind) -> String {
    match kind {
        Kind::Marks(Form::Shape(shape)) if entry.name.starts_with("shape_extractor") => {
            format!("shape_extractor_{}", shape.name)
        }
        _ => entry.name.clone(),
    }
}

struct Step<'c> {
    table: String,
    kind: Kind,
    task: &'c ExtractorTask,
    exact: Option<&'c str>,
}

struct Selection<'c> {
    config: &'c ExtractorConfig,
    steps: Vec<Step<'c>>,
}

/// What a row keeps of its classification.
struct Meta {
    id: String,
    cells: [Symbol; 4],
}

struct Extraction<'c> {
    selections: Vec<Selection<'c>>,
    pool: Pool,
    metas: Vec<Meta>,
    labels: Labels,
    tables: BTreeMap<String, Table>,
    tally: Tally,
    not_extracted: BTreeMap<String, u64>,
    other_form: BTreeMap<String, u64>,
    left_blank: BTreeMap<String, u64>,
}

impl<'c> Extraction<'c> {
    fn new(config: &'c CompatConfig) -> Self {
        let mut tally = Tally::default();
        let selections =
            config.selections.iter().map(|config| selection(config, &mut tally.problems)).collect();
        Self {
            selections,
            pool: Pool::default(),
            metas: Vec::new(),
            labels: Labels::default(),
            tables: BTreeMap::new(),
            tally,
            not_extracted: BTreeMap::new(),
            other_form: BTreeMap::new(),
            left_blank: BTreeMap::new(),
        }
    }

    fn take(&mut self, row: &Row) {
        let of_workflow =
            |s: &&Selection<'_>| s.config.workflow_id.as_ref().is_none_or(|id| *id == row.workflow);
        let selections = std::mem::take(&mut self.selections);
        let mut fitting = selections.iter().filter(of_workflow).peekable();
        if fitting.peek().is_none() {
            self.tally.leave_out("another workflow");
        } else {
            let steps: Vec<&Step<'_>> = fitting
                .filter(|s| s.config.versions.accepts(&row.version))
                .flat_map(|s| &s.steps)
                .collect();
            if steps.is_empty() {
                self.tally.leave_out("version");
            } else {
                self.extract(row, &steps);
            }
        }
        self.selections = selections;
    }

    fn extract(&mut self, row: &Row, steps: &[&Step<'_>]) {
        let Some(annotations) = row.annotations(&mut self.tally.problems) else {
            return self.tally.leave_out("bad JSON");
        };
        let is_second = row.metadata(&mut self.tally.problems).is_second_generation;
        let classification = u32::try_from(self.metas.len()).unwrap_or(u32::MAX);
        let cells = [&row.volunteer, &row.workflow, &row.created_at, &row.subject];
        self.metas.push(Meta { id: row.id.clone(), cells: cells.map(|c| self.pool.intern(c)) });
        self.tally.used += 1;
        for step in steps {
            let mine: Vec<&Annotation> =
                annotations.iter().filter(|a| belongs(a, &step.task.task)).collect();
            if let Err(what) = self.step(row, step, &mine, classification, is_second) {
                *self.not_extracted.entry(step.table.clone()).or_default() += 1;
                let detail = format!("{} for {}: {what}", step.table, step.task.task);
                self.tally.problems.add(row.row, "annotations", ProblemKind::OddValue, detail);
            }
        }
    }

    fn step(
        &mut self,
        row: &Row,
        step: &Step<'_>,
        mine: &[&Annotation],
        classification: u32,
        is_second: bool,
    ) -> Result<(), Unreadable> {
        let key = &step.task.task;
        let scope = format!("{}/{key}", row.workflow);
        let whole: Vec<&Annotation> = mine.iter().copied().filter(|a| a.mark.is_none()).collect();
        if !whole.is_empty() && whole.iter().all(|a| is_blank(&a.value)) {
            *self.left_blank.entry(key.clone()).or_default() += 1;
        }
        let labels = &mut self.labels;
        let cells = match &step.kind {
            Kind::Question => answers::question(&whole, &scope, labels)?,
            Kind::Dropdown => answers::dropdown(&whole, &scope, labels)?,
            Kind::Slider => answers::slider(&whole)?,
            Kind::Text => answers::text(&whole, row.gold_standard)?,
            Kind::Survey => {
                let choices = answers::survey(&whole, &scope, labels)?;
                let table = self.tables.entry(step.table.clone()).or_default();
                choices.into_iter().for_each(|cells| table.push(classification, key, cells));
                return Ok(());
            }
            Kind::Marks(form) => self.marks(row, step, form, mine, is_second)?,
        };
        let table = self.tables.entry(step.table.clone()).or_default();
        table.push(classification, key, cells);
        Ok(())
    }

    fn marks(
        &mut self,
        row: &Row,
        step: &Step<'_>,
        form: &Form,
        mine: &[&Annotation],
        is_second: bool,
    ) -> Result<answers::Cells, Unreadable> {
        let marks = Marks {
            form: form.clone(),
            tools: step.task.tools.as_deref(),
            details: &step.task.details,
            exact: step.exact,
            gold_standard: row.gold_standard,
            scope: row.workflow.clone(),
        };
        let mut not_taken = NotTaken::default();
        let mut cells = marks.read(mine, &mut self.labels, &mut not_taken)?;
        if is_second && *form != Form::Point {
            cells.push((datum::named("classifier_version"), datum::Datum::Text("2.0".to_owned())));
        }
        if not_taken.of_another_form > 0 {
            *self.other_form.entry(step.table.clone()).or_default() += not_taken.of_another_form;
        }
        let problems = &mut self.tally.problems;
        for _ in 0..not_taken.without_tool {
            problems.add(row.row, "annotations", ProblemKind::OddValue, "a mark without a tool index");
        }
        for why in not_taken.details {
            problems.add(row.row, "annotations", ProblemKind::OddValue, why);
        }
        Ok(cells)
    }

    fn write(&mut self, out_dir: &Path, stem: &str) -> Result<Vec<TableFile>, IngestError> {
        const HEADER: [&str; 8] = [
            "classification_id",
            "user_name",
            "user_id",
            "workflow_id",
            "task",
            "created_at",
            "subject_id",
            "extractor",
        ];
        let names = self.labels.names(&mut self.tally.problems);
        let mut files = Vec::new();
        for (extractor, table) in &self.tables {
            let mut before = |classification: u32, task: &str| {
                let meta = &self.metas[classification as usize];
                let [user, workflow, created, subject] =
                    meta.cells.map(|c| self.pool.text(c).to_owned());
                let id = meta.id.clone();
                vec![
                    id,
                    user,
                    String::new(),
                    workflow,
                    task.to_owned(),
                    created,
                    subject,
                    extractor.clone(),
                ]
            };
            let path = out_dir.join(format!("{extractor}_{stem}.csv"));
            let version = ("data.aggregation_version", AGGREGATION_VERSION);
            files.push(table.write(&path, &HEADER, version, &names, &mut before)?);
        }
        let labels = self.labels.named(&names);
        if !labels.is_empty() {
            let path = out_dir.join(format!("answer_names_{stem}.csv"));
            files.push(table::write_all(&path, ["question", "label", "name"], &labels)?);
        }
        Ok(files)
    }
}

fn selection<'c>(config: &'c ExtractorConfig, problems: &mut Problems) -> Selection<'c> {
    let mut steps = Vec::new();
    for entry in &config.extractors {
        for task in &entry.tasks {
            match kind_of(entry, task) {
                Ok(kind) => {
                    for keyword in task.other.keys().filter(|k| *k != auto::EXACT) {
                        let detail = format!("{}: the keyword {keyword} is not followed", entry.name);
                        problems.add(0, "extractor_config", ProblemKind::Suspicious, detail);
                    }
                    let exact = task.other.get(auto::EXACT).and_then(Value::as_str);
                    steps.push(Step { table: table_name(entry, &kind), kind, task, exact });
                }
                Err(detail) => problems.add(0, "extractor_config", ProblemKind::UnknownTask, detail),
            }
        }
    }
    Selection { config, steps }
}

/// Whether an annotation is of this task or of a subtask of it (`T0.1.0` of `T0`).
fn belongs(annotation: &Annotation, task: &str) -> bool {
    let key = annotation.task.as_str();
    task == "all" || key == task || key.split('.').next() == Some(task)
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}
