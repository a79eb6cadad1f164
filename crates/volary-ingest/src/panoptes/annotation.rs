//! The `annotations` cell of one classification: every task type, both classifier generations.
//!
//! The cell does not say what kind of task an annotation answers (only the second generation sometimes
//! does), so the value's own form decides. Where it cannot (`null`, `[]`), a vote of kind
//! [`QuestionKind::Unknown`] without an answer is left, and [`super::resolve`] settles it from what other
//! classifications show. Nothing in a cell is ever evaluated.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value};
use sonic_rs::LazyValue;
use volary_core::extracts::{MarkRow, Shape, ShapeRow, TaskText, TextRow, VoteRow};
use volary_core::{Extracts, ProblemKind, Problems, QuestionKind, Symbol};

use super::depth::{MAX_LEVELS, is_shallow};
use super::drawing;
use super::workflows::Workflows;

/// Combos nest; nothing real nests deeper.
const MAX_DEPTH: u32 = 16;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    task: Option<LazyValue<'a>>,
    #[serde(borrow, default)]
    task_label: Option<LazyValue<'a>>,
    #[serde(borrow, default, alias = "taskType")]
    task_type: Option<LazyValue<'a>>,
    #[serde(borrow, default, rename = "markIndex", alias = "mark_index")]
    mark_index: Option<LazyValue<'a>>,
    #[serde(borrow, default)]
    value: Option<LazyValue<'a>>,
}

/// Reads the annotations of one classification into the columns of `extracts`.
pub(super) struct Annotations<'e> {
    pub(super) extracts: &'e mut Extracts,
    pub(super) problems: &'e mut Problems,
    pub(super) row: u64,
    pub(super) classification: u32,
    pub(super) workflow: Symbol,
    pub(super) version: Symbol,
    pub(super) workflows: Option<&'e Workflows>,
    /// Annotations that were not understood.
    pub(super) n_unknown: u64,
}

/// Text of a JSON string; `None` for anything else, `null` included. Borrowed where nothing is escaped.
fn string<'v>(value: Option<&'v LazyValue<'_>>) -> Option<Cow<'v, str>> {
    let raw = value?.as_raw_str();
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        sonic_rs::from_str(raw).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

impl Annotations<'_> {
    /// Reads the whole cell.
    ///
    /// # Errors
    /// A message where the cell is not JSON, or not a list of annotations.
    pub(super) fn read(&mut self, json: &str) -> Result<(), String> {
        if !is_shallow(json.as_bytes()) {
            return Err(format!("nested deeper than {MAX_LEVELS} levels"));
        }
        self.read_list(json, 0)
    }

    fn read_list(&mut self, json: &str, depth: u32) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!("combos nested deeper than {MAX_DEPTH}"));
        }
        let list: Vec<Envelope<'_>> =
            sonic_rs::from_str(json).map_err(|e| first_line(&e.to_string()))?;
        let first_shape = self.extracts.shapes.len();
        // Answers to a mark's own questions follow the marks as annotations of their own.
        let (of_marks, plain): (Vec<_>, Vec<_>) = list.into_iter().partition(|a| a.mark_index.is_some());
        for annotation in &plain {
            self.read_one(annotation, depth)?;
        }
        for annotation in &of_marks {
            if !self.attach_to_mark(annotation, first_shape) {
                self.read_one(annotation, depth)?;
            }
        }
        Ok(())
    }

    fn read_one(&mut self, annotation: &Envelope<'_>, depth: u32) -> Result<(), String> {
        // Exports of kSWAP's kind have no task key: one question, unnamed.
        let task = string(annotation.task.as_ref()).unwrap_or(Cow::Borrowed("T0"));
        let task = self.extracts.pool.intern(&task);
        let label = string(annotation.task_label.as_ref());
        if let Some(label) = &label {
            self.note_wording(task, label);
        }
        let kind = string(annotation.task_type.as_ref());
        let raw = annotation.value.as_ref().map_or("null", LazyValue::as_raw_str);
        self.read_value(task, raw, kind.as_deref(), label.is_some(), depth)
    }

    fn read_value(
        &mut self,
        task: Symbol,
        raw: &str,
        kind: Option<&str>,
        has_label: bool,
        depth: u32,
    ) -> Result<(), String> {
        let bad = |e: sonic_rs::Error| first_line(&e.to_string());
        match raw.as_bytes().first() {
            Some(b'"') => {
                let inner = &raw[1..raw.len().max(2) - 1];
                if inner.contains('\\') {
                    let text: String = sonic_rs::from_str(raw).map_err(bad)?;
                    self.text_value(task, &text, kind);
                } else {
                    self.text_value(task, inner, kind);
                }
            }
            Some(b'n') => self.blank(task, kind),
            Some(b'[') => match sonic_rs::from_str::<Vec<Cow<'_, str>>>(raw) {
                Ok(answers) => self.answers(task, answers.iter().map(Cow::as_ref), kind, has_label),
                Err(_) => {
                    let value: Value =
                        serde_json::from_str(raw).map_err(|e| first_line(&e.to_string()))?;
                    self.list(task, raw, value.as_array().map_or(&[], Vec::as_slice), kind, depth)?;
                }
            },
            Some(b'{') => {
                let value: Value = serde_json::from_str(raw).map_err(|e| first_line(&e.to_string()))?;
                self.object(task, &value);
            }
            // A number or a boolean: an answer's index, or a slider that forgot its quotes.
            _ if kind == Some("slider") => self.vote(task, QuestionKind::Slider, Some(raw)),
            _ => {
                let label = self.label_of(task, raw);
                self.vote(task, QuestionKind::Single, Some(&label));
            }
        }
        Ok(())
    }

    fn vote(&mut self, task: Symbol, kind: QuestionKind, answer: Option<&str>) {
        let answer = answer.map(|a| self.extracts.pool.intern(a));
        self.extracts.votes.push(VoteRow { classification: self.classification, task, kind, answer });
    }

    fn text(&mut self, task: Symbol, text: Option<&str>) {
        let text = text.map(|t| self.extracts.pool.intern(t));
        self.extracts.texts.push(TextRow { classification: self.classification, task, text });
    }

    fn shape(&mut self, task: Symbol, mark: Option<Shape>) {
        self.extracts.shapes.push(ShapeRow { classification: self.classification, task, mark });
    }

    fn mark(&mut self, task: Symbol, tool: Option<u16>, range: Option<(f64, f64)>) {
        self.extracts.marks.push(MarkRow { classification: self.classification, task, tool, range });
    }

    /// The volunteer saw the task and said nothing. What kind of nothing is known only with a task type.
    fn blank(&mut self, task: Symbol, kind: Option<&str>) {
        match kind {
            Some("text" | "transcription" | "textFromSubject") => self.text(task, None),
            Some("dataVisAnnotation") => self.mark(task, None, None),
            Some("drawing" | "crop" | "highlighter" | "volumetric" | "geoDrawing") => {
                self.shape(task, None)
            }
            _ => self.vote(task, kind.and_then(question_kind).unwrap_or(QuestionKind::Unknown), None),
        }
    }

    fn text_value(&mut self, task: Symbol, text: &str, kind: Option<&str>) {
        match kind {
            Some("text" | "transcription" | "textFromSubject") => self.text(task, Some(text)),
            Some("slider") => self.vote(task, QuestionKind::Slider, Some(text)),
            _ => self.vote(task, QuestionKind::Single, Some(text)),
        }
    }

    fn answers<'t>(
        &mut self,
        task: Symbol,
        answers: impl ExactSizeIterator<Item = &'t str>,
        kind: Option<&str>,
        has_label: bool,
    ) {
        if answers.len() == 0 {
            return self.blank(task, kind);
        }
        // A shortcut is a list of labels whose task has no wording of its own.
        let shown = if has_label { QuestionKind::Multiple } else { QuestionKind::Shortcut };
        let kind = kind.and_then(question_kind).unwrap_or(shown);
        for answer in answers {
            self.vote(task, kind, Some(answer));
        }
    }

    fn list(
        &mut self,
        task: Symbol,
        raw: &str,
        items: &[Value],
        kind: Option<&str>,
        depth: u32,
    ) -> Result<(), String> {
        let first = items.iter().find_map(Value::as_object);
        let has = |key: &str| first.is_some_and(|o| o.contains_key(key));
        if first.is_none() {
            self.scalars(task, items);
        } else if has("choice") {
            items.iter().for_each(|item| self.survey_choice(task, item));
        } else if has("tool") || has("toolIndex") || has("toolType") {
            self.drawing(task, items);
        } else if has("task") {
            self.read_list(raw, depth + 1)?;
        } else if has("start") && has("end") {
            items.iter().enumerate().for_each(|(i, item)| self.highlight(task, i, item));
        } else if has("select_label") || has("option") {
            items.iter().enumerate().for_each(|(i, item)| self.select(task, i, item));
        } else if has("index") && has("subject") {
            items.iter().for_each(|item| self.group_cell(task, item));
        } else if has("points") || kind == Some("volumetric") {
            items
                .iter()
                .enumerate()
                .for_each(|(i, item)| self.foreign_mark(task, i, "volumetric", item));
        } else {
            self.unknown(task, &format!("a list of objects with {}", key_names(first)));
        }
        Ok(())
    }

    /// A list of numbers (answer indices, as the API writes them) or of mixed scalars.
    fn scalars(&mut self, task: Symbol, items: &[Value]) {
        for item in items {
            match item {
                Value::String(text) => self.vote(task, QuestionKind::Multiple, Some(text)),
                Value::Null | Value::Array(_) => {
                    let detail = format!("{} in a list of answers", kind_of(item));
                    self.problems.add(self.row, "annotations", ProblemKind::OddValue, detail);
                    self.vote(task, QuestionKind::Multiple, None);
                }
                number => {
                    let label = self.label_of(task, &number.to_string());
                    self.vote(task, QuestionKind::Multiple, Some(&label));
                }
            }
        }
    }

    /// The label behind an answer's index, which only a workflow export knows; else the index itself.
    fn label_of(&mut self, task: Symbol, index: &str) -> String {
        let text = |s| self.extracts.pool.text(s);
        let tasks = self.workflows.and_then(|w| w.tasks(text(self.workflow), text(self.version)));
        let Some(known) = tasks.and_then(|t| t.tasks.get(text(task))) else { return index.to_owned() };
        match index.parse::<usize>().ok().and_then(|i| known.answers.get(i)) {
            Some(label) => label.clone(),
            None => {
                let detail = format!("task {}: index {index} of {}", text(task), known.answers.len());
                self.problems.add(self.row, "annotations", ProblemKind::UnknownAnswer, detail);
                // The platform's own words for it.
                format!("unknown answer label {index}")
            }
        }
    }

    fn object(&mut self, task: Symbol, value: &Value) {
        let Some(keys) = value.as_object() else { return };
        let has = |key: &str| keys.contains_key(key);
        if has("select_label") || has("option") || has("selection") {
            self.select(task, 0, value);
        } else if has("x") && has("width") {
            self.foreign_mark(task, 0, "crop", value);
        } else if keys.get("type").and_then(Value::as_str) == Some("FeatureCollection") {
            let features = keys.get("features").and_then(Value::as_array).cloned().unwrap_or_default();
            if features.is_empty() {
                self.shape(task, None);
            }
            for (i, feature) in features.iter().enumerate() {
                self.foreign_mark(task, i, "geoDrawing", feature);
            }
        } else if keys.is_empty() {
            self.blank(task, None);
        } else {
            self.unknown(task, &format!("an object with {}", key_names(Some(keys))));
        }
    }

    fn survey_choice(&mut self, task: Symbol, item: &Value) {
        let Some(choice) = item.get("choice").and_then(Value::as_str) else {
            return self.unknown(task, "a survey entry without a choice");
        };
        self.vote(task, QuestionKind::Survey, Some(choice));
        let Some(answers) = item.get("answers").and_then(Value::as_object) else { return };
        let base = format!("{}/{choice}", self.extracts.pool.text(task));
        for (question, answer) in answers {
            let path = self.extracts.pool.intern(&format!("{base}/{question}"));
            match answer {
                Value::Array(list) if list.is_empty() => self.vote(path, QuestionKind::Detail, None),
                Value::Array(list) => {
                    for one in list {
                        self.vote(path, QuestionKind::Detail, Some(&scalar_text(one)));
                    }
                }
                Value::Null => self.vote(path, QuestionKind::Detail, None),
                one => self.vote(path, QuestionKind::Detail, Some(&scalar_text(one))),
            }
        }
    }

    fn drawing(&mut self, task: Symbol, items: &[Value]) {
        for (i, item) in items.iter().enumerate() {
            let Some(keys) = item.as_object() else {
                self.unknown(task, &format!("{} in a list of marks", kind_of(item)));
                continue;
            };
            let tool = ["tool", "toolIndex"].iter().find_map(|k| keys.get(*k)).and_then(Value::as_u64);
            let tool = tool.and_then(|t| u16::try_from(t).ok());
            if drawing::is_range(keys) {
                match drawing::centred_range(keys) {
                    Some(range) => self.mark(task, tool, Some(range)),
                    None => self.unknown(task, "a range without numbers x and width"),
                }
                continue;
            }
            if let Some(range) = drawing::column_range(keys) {
                self.mark(task, tool, Some(range));
            }
            if let Some(mut shape) = drawing::read_mark(item, i, &mut self.extracts.pool) {
                if let Some(name) = tool.and_then(|tool| self.tool_name(task, tool, keys, shape.name)) {
                    shape.name = name;
                }
                if shape.geometry == volary_core::extracts::Geometry::Other && shape.other.is_none() {
                    let detail = "a mark without numbers";
                    self.problems.add(self.row, "annotations", ProblemKind::OddValue, detail);
                }
                self.shape(task, Some(shape));
            }
        }
    }

    /// The workflow's word for a tool, where its marks look like `inferred` and do not name their tool.
    /// A fallback to another version of the workflow must not turn a circle into a line.
    fn tool_name(
        &mut self,
        task: Symbol,
        tool: u16,
        keys: &serde_json::Map<String, Value>,
        inferred: Symbol,
    ) -> Option<Symbol> {
        if keys.contains_key("toolType") {
            return None;
        }
        let text = |s| self.extracts.pool.text(s);
        let tasks = self.workflows?.tasks(text(self.workflow), text(self.version))?;
        let kind = &tasks.tasks.get(text(task))?.tools.get(usize::from(tool))?.kind;
        let is_same = drawing::looks_like(kind) == text(inferred);
        is_same.then(|| self.extracts.pool.intern(kind))
    }

    /// Tools that are no drawing tools of the classifier: their content is kept as JSON.
    fn foreign_mark(&mut self, task: Symbol, index: usize, name: &str, item: &Value) {
        if let Some(mut shape) = drawing::read_mark(item, index, &mut self.extracts.pool) {
            shape.name = self.extracts.pool.intern(name);
            self.shape(task, Some(shape));
        } else {
            self.unknown(task, &format!("{} where a mark should be", kind_of(item)));
        }
    }

    fn highlight(&mut self, task: Symbol, index: usize, item: &Value) {
        let label = item.pointer("/labelInformation/label").and_then(Value::as_str).map(str::to_owned);
        let before = self.extracts.shapes.len();
        self.foreign_mark(task, index, "highlighter", item);
        let label = label.map(|l| self.extracts.pool.intern(&l));
        for row in &mut self.extracts.shapes[before..] {
            if let Some(mark) = &mut row.mark {
                mark.tool_label = label;
            }
        }
    }

    /// One select of a dropdown: its label, or what was typed; an index where only that is there.
    fn select(&mut self, task: Symbol, index: usize, item: &Value) {
        let given = |key: &str| item.get(key).filter(|v| !v.is_null()).map(scalar_text);
        let base = self.extracts.pool.text(task).to_owned();
        let path = match given("select_label") {
            Some(label) => self.extracts.pool.intern(&format!("{base}/{label}")),
            None if index == 0 && item.get("selection").is_some() => task,
            None => self.extracts.pool.intern(&format!("{base}/{index}")),
        };
        let answer = given("label").or_else(|| given("selection")).or_else(|| given("value"));
        self.vote(path, QuestionKind::Dropdown, answer.as_deref());
    }

    fn group_cell(&mut self, task: Symbol, item: &Value) {
        match item.get("subject").map(scalar_text) {
            Some(subject) => self.vote(task, QuestionKind::Multiple, Some(&subject)),
            None => self.unknown(task, "a group cell without a subject"),
        }
    }

    /// Puts the answer to a mark's own question (`T0.0.1` with `markIndex`) into that mark's details.
    fn attach_to_mark(&mut self, annotation: &Envelope<'_>, first_shape: usize) -> bool {
        let Some(task) = string(annotation.task.as_ref()) else { return false };
        let index = annotation.mark_index.as_ref().and_then(|i| i.as_raw_str().parse::<u32>().ok());
        let Some((parent, _)) = task.split_once('.') else { return false };
        let Some(parent) = self.extracts.pool.get(parent) else { return false };
        let raw = annotation.value.as_ref().map_or("null", LazyValue::as_raw_str);
        let Ok(value) = serde_json::from_str::<Value>(raw) else { return false };
        let Extracts { shapes, pool, .. } = &mut *self.extracts;
        let found = shapes[first_shape..].iter_mut().filter(|row| row.task == parent);
        let found = found.filter_map(|row| row.mark.as_mut()).find(|m| Some(m.index) == index);
        let Some(mark) = found else { return false };
        let known = mark.details.map_or("[]", |d| pool.text(d));
        let details = with_answer(known, &task, value);
        mark.details = Some(pool.intern(&details));
        true
    }

    fn unknown(&mut self, task: Symbol, what: &str) {
        self.n_unknown += 1;
        let detail = format!("task {}: {what}", self.extracts.pool.text(task));
        self.problems.add(self.row, "annotations", ProblemKind::UnknownTask, detail);
        // Whoever answered it did see it.
        self.vote(task, QuestionKind::Unknown, None);
    }

    fn note_wording(&mut self, task: Symbol, label: &str) {
        let Extracts { task_texts, pool, .. } = &mut *self.extracts;
        let (workflow, version) = (self.workflow, self.version);
        // The same few wordings a thousand times a block: comparing is cheaper than interning.
        let same = |t: &&mut TaskText| {
            t.task == task
                && t.version == version
                && t.workflow == workflow
                && pool.text(t.text) == label
        };
        if let Some(known) = task_texts.iter_mut().find(same) {
            known.n += 1;
            return;
        }
        let text = pool.intern(label);
        task_texts.push(TaskText { workflow, version, task, text, n: 1 });
    }
}

/// The details of a mark with one more answer: the reference to the task becomes the answer itself.
fn with_answer(details: &str, task: &str, value: Value) -> String {
    let mut list = match serde_json::from_str(details) {
        Ok(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    let mut entry = Map::new();
    entry.insert("task".to_owned(), Value::from(task));
    entry.insert("value".to_owned(), value);
    let entry = Value::Object(entry);
    match list.iter_mut().find(|e| e.get("task").and_then(Value::as_str) == Some(task)) {
        Some(reference) => *reference = entry,
        None => list.push(entry),
    }
    Value::Array(list).to_string()
}

/// The kind of question behind a task type of the platform.
pub(super) fn question_kind(task_type: &str) -> Option<QuestionKind> {
    match task_type {
        "single" => Some(QuestionKind::Single),
        "multiple" | "subjectGroupComparison" => Some(QuestionKind::Multiple),
        "shortcut" => Some(QuestionKind::Shortcut),
        "survey" => Some(QuestionKind::Survey),
        "dropdown" | "dropdown-simple" => Some(QuestionKind::Dropdown),
        "slider" => Some(QuestionKind::Slider),
        _ => None,
    }
}

fn scalar_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Names of keys for a message: the first few, shortened, since they come from outside.
fn key_names(keys: Option<&Map<String, Value>>) -> String {
    let names =
        keys.into_iter().flat_map(Map::keys).take(6).map(|k| k.chars().take(20).collect::<String>());
    names.collect::<Vec<_>>().join(", ")
}

pub(super) fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().chars().take(160).collect()
}
