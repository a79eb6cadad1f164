//! Which extractors an export calls for, told from the export alone: no workflow export, no YAML.
//!
//! The kinds of tasks come from the reader that fills our own tables, which has seen all rows. What the
//! original's `config` leaves out in silence (combos, the second generation's dropdowns) is in; what no
//! extractor can read (crops, ranges on light curves, highlighters) is listed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use volary_core::extracts::Shape;
use volary_core::{Extracts, ProblemKind, Problems, QuestionKind, Symbol};

use super::super::collect::ExtractSink;
use super::super::config::{ExtractorConfig, ExtractorEntry, ExtractorTask};
use super::super::export::{ExportOptions, read_exports};
use super::{CompatConfig, marks};
use crate::error::IngestError;
use crate::source::Progress;

/// Keyword by which a configuration of ours asks for marks of one form only: a tool index may have
/// changed its shape between versions, and a rectangle has the `x, y` of a point too.
pub(super) const EXACT: &str = "volary_exact_shape";

/// Looks through an export and says which extractors to run on which workflows and tasks. Problems list
/// the tasks for which there is none.
///
/// # Errors
/// Where the export cannot be read; standard input cannot be, since it is read again afterwards.
pub fn auto_config(export: &Path, progress: &Progress) -> Result<(CompatConfig, Problems), IngestError> {
    if export == Path::new("-") {
        return Err(IngestError::Format {
            what: "without a configuration the export is read twice, so it cannot be standard input"
                .to_owned(),
            path: export.to_owned(),
        });
    }
    let mut seen = Seen::default();
    let options = ExportOptions::default();
    read_exports(&[export.to_owned()], &options, progress, &mut seen)?;
    let mut problems = Problems::default();
    let selections =
        seen.workflows.iter().map(|(id, tasks)| selection(id, tasks, &mut problems)).collect();
    Ok((CompatConfig { selections }, problems))
}

/// What was seen of a task.
#[derive(Debug, Default)]
struct Task {
    kinds: BTreeSet<QuestionKind>,
    has_text: bool,
    has_ranges: bool,
    // Form of the marks → tool → extractors of its details, by position.
    tools: BTreeMap<String, BTreeMap<u64, BTreeMap<usize, &'static str>>>,
}

#[derive(Debug, Default)]
struct Seen {
    workflows: BTreeMap<String, BTreeMap<String, Task>>,
}

impl Seen {
    fn task(&mut self, extracts: &Extracts, classification: u32, task: Symbol) -> &mut Task {
        let class = &extracts.classifications[classification as usize];
        let workflow = extracts.text(class.workflow);
        // Details of a survey choice or of a select have a path; the task is its first step.
        let task = extracts.text(task).split('/').next().unwrap_or_default();
        if !self.workflows.contains_key(workflow) {
            self.workflows.insert(workflow.to_owned(), BTreeMap::new());
        }
        let tasks = self.workflows.entry(workflow.to_owned()).or_default();
        tasks.entry(task.to_owned()).or_default()
    }

    fn note(&mut self, extracts: &Extracts) {
        for vote in extracts.votes.iter().filter(|v| v.kind != QuestionKind::Detail) {
            self.task(extracts, vote.classification, vote.task).kinds.insert(vote.kind);
        }
        for text in extracts.texts.iter().filter(|t| t.text.is_some()) {
            self.task(extracts, text.classification, text.task).has_text = true;
        }
        for range in extracts.marks.iter().filter(|m| m.range.is_some()) {
            self.task(extracts, range.classification, range.task).has_ranges = true;
        }
        for row in &extracts.shapes {
            let Some(shape) = &row.mark else { continue };
            let name = marks::common_form(extracts.text(shape.name)).to_owned();
            let details = details(extracts, shape);
            let task = self.task(extracts, row.classification, row.task);
            let tool =
                task.tools.entry(name).or_default().entry(shape.tool.unwrap_or(0).into()).or_default();
            for (i, function) in details {
                // Free text among answers makes all of them text.
                let known = tool.entry(i).or_insert(function);
                if function == "text_extractor" {
                    *known = function;
                }
            }
        }
    }
}

impl ExtractSink for Seen {
    fn take(&mut self, extracts: &Extracts) -> Result<(), IngestError> {
        self.note(extracts);
        Ok(())
    }

    fn take_late(&mut self, extracts: &Extracts, _: &[u64]) -> Result<(), IngestError> {
        self.note(extracts);
        Ok(())
    }
}

/// Which extractor reads each answer to the mark's own questions.
fn details(extracts: &Extracts, shape: &Shape) -> Vec<(usize, &'static str)> {
    let json = shape.details.map_or("[]", |d| extracts.text(d));
    let list = match serde_json::from_str(json) {
        Ok(Value::Array(list)) => list,
        _ => return Vec::new(),
    };
    let function = |item: &Value| match item.get("value")? {
        Value::String(_) => Some("text_extractor"),
        Value::Array(items) if items.iter().any(Value::is_object) => Some("dropdown_extractor"),
        Value::Object(_) => Some("dropdown_extractor"),
        _ => Some("question_extractor"),
    };
    list.iter().enumerate().filter_map(|(i, item)| Some((i, function(item)?))).collect()
}

fn selection(
    workflow: &str,
    tasks: &BTreeMap<String, Task>,
    problems: &mut Problems,
) -> ExtractorConfig {
    let mut by_name = BTreeMap::<String, Vec<ExtractorTask>>::new();
    for (key, task) in tasks {
        let plain = || ExtractorTask { task: key.clone(), ..ExtractorTask::default() };
        for name in answer_extractors(task) {
            by_name.entry(name.to_owned()).or_default().push(plain());
        }
        if task.has_ranges && !task.tools.contains_key("column") {
            let detail =
                format!("workflow {workflow}, task {key}: no extractor for ranges on light curves");
            problems.add(0, "annotations", ProblemKind::UnknownTask, detail);
        }
        for (form, tools) in &task.tools {
            let Some(name) = mark_extractor(form) else {
                let form: String = form.chars().take(40).collect();
                let detail = format!("workflow {workflow}, task {key}: no extractor for {form:?}");
                problems.add(0, "annotations", ProblemKind::UnknownTask, detail);
                continue;
            };
            by_name.entry(name).or_default().push(mark_task(key, form, tools));
        }
    }
    let extractors = by_name.into_iter().map(|(name, tasks)| ExtractorEntry { name, tasks }).collect();
    ExtractorConfig { workflow_id: Some(workflow.to_owned()), extractors, ..ExtractorConfig::default() }
}

fn answer_extractors(task: &Task) -> BTreeSet<&'static str> {
    let mut names: BTreeSet<&str> = task
        .kinds
        .iter()
        .filter_map(|kind| match kind {
            QuestionKind::Single | QuestionKind::Multiple => Some("question_extractor"),
            QuestionKind::Shortcut => Some("shortcut_extractor"),
            QuestionKind::Survey => Some("survey_extractor"),
            QuestionKind::Dropdown => Some("dropdown_extractor"),
            QuestionKind::Slider => Some("slider_extractor"),
            QuestionKind::Unknown | QuestionKind::Detail => None,
        })
        .collect();
    // Some versions of a question have no wording, and then look like a shortcut.
    if names.contains("question_extractor") {
        names.remove("shortcut_extractor");
    }
    if task.has_text {
        names.insert("text_extractor");
    }
    // Nobody ever answered: the blank rows still say who was asked.
    if names.is_empty() && task.tools.is_empty() && !task.has_ranges {
        names.insert("question_extractor");
    }
    names
}

fn mark_extractor(form: &str) -> Option<String> {
    match form {
        "point" => Some("point_extractor_by_frame".to_owned()),
        "polygon" => Some("polygon_extractor".to_owned()),
        name => marks::shape(name).map(|shape| format!("shape_extractor_{}", shape.name)),
    }
}

fn mark_task(
    key: &str,
    form: &str,
    tools: &BTreeMap<u64, BTreeMap<usize, &'static str>>,
) -> ExtractorTask {
    let mut task = ExtractorTask {
        task: key.to_owned(),
        shape: marks::shape(form).map(|shape| shape.name.to_owned()),
        tools: Some(tools.keys().copied().collect()),
        ..ExtractorTask::default()
    };
    for (tool, details) in tools.iter().filter(|(_, details)| !details.is_empty()) {
        let n = details.keys().last().map_or(0, |last| last + 1);
        let functions = (0..n).map(|i| details.get(&i).map(|name| (*name).to_owned())).collect();
        task.details.insert(format!("{key}_tool{tool}"), functions);
    }
    task.other.insert(EXACT.to_owned(), Value::from(form));
    task
}
