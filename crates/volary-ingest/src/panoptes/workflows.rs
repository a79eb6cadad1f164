//! The workflow export: which questions a workflow asked, with which answers, in each of its versions.
//!
//! One row per stored version. `tasks` holds the structure with text keys (`T0.answers.0.label`) and
//! `strings` the texts behind them; a text may be null. Labels of a classification are looked up as the
//! platform does ([`Workflows::tasks`]). Drawing geometry is not here; only which tool has which shape.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};
use volary_core::{ProblemKind, Problems};

use super::version::Version;
use crate::error::IngestError;
use crate::records::{Record, RecordOptions, Records};
use crate::report::{ReadReport, Tally};
use crate::source::Progress;

/// All versions of all workflows of an export.
#[derive(Clone, Debug)]
pub struct Workflows {
    by_id: BTreeMap<String, BTreeMap<Version, WorkflowTasks>>,
    /// What became of the rows.
    pub report: ReadReport,
}

/// One stored version of a workflow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkflowTasks {
    /// Display name.
    pub name: String,
    /// Key of the first task.
    pub first_task: String,
    /// Classifications after which a subject is retired, where the rule is a count.
    pub retirement_count: Option<u64>,
    /// Tasks by key, children of combo tasks included.
    pub tasks: BTreeMap<String, TaskDefinition>,
}

/// One task as it was defined.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskDefinition {
    /// `single`, `multiple`, `drawing`, `survey`, `combo`, `dropdown`…
    pub kind: String,
    /// The question or instruction; empty where there is none or it is null.
    pub text: String,
    /// Answer labels by index.
    pub answers: Vec<String>,
    /// Key of the task that each answer leads to, by index, where it leads to one of its own.
    pub answers_next: Vec<Option<String>>,
    /// Key of the task that comes after this one, whatever is answered.
    pub next: Option<String>,
    /// Drawing tools by index.
    pub tools: Vec<Tool>,
    /// Lists of a dropdown task.
    pub selects: Vec<Select>,
    /// Keys of the tasks that a combo task holds.
    pub children: Vec<String>,
    /// Survey choices: id and label, in the order of the volunteer's page.
    pub choices: Vec<(String, String)>,
    /// Survey questions.
    pub questions: Vec<SurveyQuestion>,
    /// Key of the shortcut task beside this one.
    pub shortcut: Option<String>,
}

/// A drawing tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tool {
    /// `point`, `circle`, `freehandLine`…
    pub kind: String,
    /// Its label.
    pub label: String,
    /// What is asked about each mark.
    pub details: Vec<TaskDefinition>,
}

/// One list of a dropdown task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Select {
    /// Its title.
    pub title: String,
    /// Value and label of each option.
    pub options: Vec<(String, String)>,
}

/// A question asked about each choice of a survey.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SurveyQuestion {
    /// Its id, as in classifications.
    pub id: String,
    /// Its label.
    pub label: String,
    /// Whether several answers may be given.
    pub multiple: bool,
    /// Id and label of each answer.
    pub answers: Vec<(String, String)>,
}

impl TaskDefinition {
    /// The label of a survey choice.
    #[must_use]
    pub fn choice_label(&self, id: &str) -> Option<&str> {
        self.choices.iter().find(|(i, _)| i == id).map(|(_, label)| label.as_str())
    }
}

/// Reads a workflow export, with or without the column `aggregation`.
///
/// # Errors
/// Where the file cannot be read or lacks `workflow_id`, `version`, `tasks` or `strings`.
pub fn read_workflows(path: &Path, progress: &Progress) -> Result<Workflows, IngestError> {
    let mut records = Records::open(path, RecordOptions::export(), progress)?;
    let [id, major, tasks, strings] =
        records.require(["workflow_id", "version", "tasks", "strings"], "a workflow export")?;
    let header = records.header().clone();
    let minor = header.find("minor_version");
    let mut tally = Tally::default();
    let mut by_id: BTreeMap<String, BTreeMap<Version, WorkflowTasks>> = BTreeMap::new();
    while let Some(record) = records.next_record()? {
        let Some(version) = stored_version(record.get(Some(major)), record.get(minor)) else {
            let detail = "version is no whole number";
            tally.problems.add(record.row, "version", ProblemKind::NotANumber, detail);
            tally.leave_out(detail);
            continue;
        };
        let json = |column: usize, problems: &mut Problems| {
            object(&record, column, &header.names[column], problems)
        };
        let Some(structure) = json(tasks, &mut tally.problems) else {
            tally.leave_out("bad JSON");
            continue;
        };
        let texts = Texts(json(strings, &mut tally.problems).unwrap_or_default());
        let mut workflow = workflow_tasks(&structure, &texts);
        workflow.name = record.get(header.find("display_name")).to_owned();
        workflow.first_task = record.get(header.find("first_task")).to_owned();
        workflow.retirement_count = retirement_count(record.get(header.find("retirement")));
        let known = by_id.entry(record.get(Some(id)).to_owned()).or_default();
        if known.insert(version, workflow).is_some() {
            let detail = format!("version {version} stands twice; the last row holds");
            tally.problems.add(record.row, "version", ProblemKind::DuplicateRow, detail);
        }
        tally.used += 1;
    }
    Ok(Workflows { by_id, report: tally.finish(records)? })
}

impl Workflows {
    /// Workflow ids.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.by_id.keys().map(String::as_str)
    }

    /// The stored versions of a workflow, oldest first.
    pub fn versions(&self, workflow_id: &str) -> impl Iterator<Item = (Version, &WorkflowTasks)> {
        self.by_id.get(workflow_id).into_iter().flatten().map(|(v, tasks)| (*v, tasks))
    }

    /// The tasks behind a classification's `workflow_version`, resolved as the platform does: the next
    /// stored version that is at least as new in both numbers, else the last one.
    #[must_use]
    pub fn tasks(&self, workflow_id: &str, version: &str) -> Option<&WorkflowTasks> {
        let stored = self.by_id.get(workflow_id)?;
        let wanted = Version::parse(version);
        let next = wanted.and_then(|w| {
            stored.iter().find(|(v, _)| v.major >= w.major && v.minor >= w.minor).map(|(_, tasks)| tasks)
        });
        next.or_else(|| stored.last_key_value().map(|(_, tasks)| tasks))
    }
}

/// `16` and `55`; older exports hold `16.55` in one column.
fn stored_version(major: &str, minor: &str) -> Option<Version> {
    let first = Version::parse(major)?;
    match minor.trim() {
        "" => Some(first),
        minor => Some(Version { major: first.major, minor: Version::parse(minor)?.major }),
    }
}

fn object(
    record: &Record,
    column: usize,
    name: &str,
    problems: &mut Problems,
) -> Option<Map<String, Value>> {
    match serde_json::from_str(record.get(Some(column))) {
        Ok(Value::Object(map)) => Some(map),
        Ok(_) => {
            problems.add(record.row, name, ProblemKind::OddValue, "not a JSON object");
            None
        }
        Err(error) => {
            problems.add(record.row, name, ProblemKind::BadJson, error.to_string());
            None
        }
    }
}

fn retirement_count(cell: &str) -> Option<u64> {
    let rule: Value = serde_json::from_str(cell).ok()?;
    (rule.get("criteria")? == "classification_count")
        .then(|| rule.get("options")?.get("count")?.as_u64())?
}

/// The texts of one version.
struct Texts(Map<String, Value>);

impl Texts {
    /// The text behind a key. A key without a text stands for itself (old workflows have their texts in
    /// the structure); a null text is an empty one.
    fn get(&self, key: Option<&Value>) -> String {
        match key {
            Some(Value::String(key)) => match self.0.get(key) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Null) => String::new(),
                Some(other) => other.to_string(),
                None => key.clone(),
            },
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        }
    }
}

fn workflow_tasks(structure: &Map<String, Value>, texts: &Texts) -> WorkflowTasks {
    let tasks = structure.iter().map(|(key, task)| (key.clone(), task_definition(task, texts)));
    WorkflowTasks { tasks: tasks.collect(), ..WorkflowTasks::default() }
}

fn text_of(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn task_definition(task: &Value, texts: &Texts) -> TaskDefinition {
    let text = task.get("question").or_else(|| task.get("instruction"));
    TaskDefinition {
        kind: text_of(task.get("type")),
        text: texts.get(text),
        answers: list(task.get("answers")).iter().map(|a| texts.get(a.get("label"))).collect(),
        answers_next: list(task.get("answers")).iter().map(key_of_next).collect(),
        next: key_of_next(task),
        tools: list(task.get("tools")).iter().map(|tool| tool_definition(tool, texts)).collect(),
        selects: list(task.get("selects"))
            .iter()
            .map(|select| select_definition(select, texts))
            .collect(),
        children: list(task.get("tasks")).iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        choices: choices(task, texts),
        questions: questions(task, texts),
        shortcut: task.get("unlinkedTask").and_then(Value::as_str).map(str::to_owned),
    }
}

/// The task that comes next; an empty key is none.
fn key_of_next(value: &Value) -> Option<String> {
    value.get("next").and_then(Value::as_str).filter(|key| !key.is_empty()).map(str::to_owned)
}

fn tool_definition(tool: &Value, texts: &Texts) -> Tool {
    Tool {
        kind: text_of(tool.get("type")),
        label: texts.get(tool.get("label")),
        details: list(tool.get("details")).iter().map(|d| task_definition(d, texts)).collect(),
    }
}

/// Options are a list, or lists under the values of the select that they depend on.
fn select_definition(select: &Value, texts: &Texts) -> Select {
    let lists: Vec<&Value> = match select.get("options") {
        Some(Value::Object(by_condition)) => by_condition.values().collect(),
        Some(list) => vec![list],
        None => Vec::new(),
    };
    let options = lists.iter().flat_map(|l| list(Some(l)));
    Select {
        title: texts.get(select.get("title")),
        options: options.map(|o| (text_of(o.get("value")), texts.get(o.get("label")))).collect(),
    }
}

/// Keys of a JSON object in the order that a list beside it gives; keys that are not listed follow.
fn ordered<'a>(map: &'a Map<String, Value>, order: Option<&'a Value>) -> Vec<&'a str> {
    let mut keys: Vec<&str> =
        list(order).iter().filter_map(Value::as_str).filter(|k| map.contains_key(*k)).collect();
    let rest: Vec<&str> = map.keys().map(String::as_str).filter(|k| !keys.contains(k)).collect();
    keys.extend(rest);
    keys
}

fn choices(task: &Value, texts: &Texts) -> Vec<(String, String)> {
    let Some(Value::Object(map)) = task.get("choices") else { return Vec::new() };
    ordered(map, task.get("choicesOrder"))
        .into_iter()
        .map(|id| (id.to_owned(), texts.get(map[id].get("label"))))
        .collect()
}

fn questions(task: &Value, texts: &Texts) -> Vec<SurveyQuestion> {
    let Some(Value::Object(map)) = task.get("questions") else { return Vec::new() };
    ordered(map, task.get("questionsOrder"))
        .into_iter()
        .map(|id| survey_question(id, &map[id], texts))
        .collect()
}

fn survey_question(id: &str, question: &Value, texts: &Texts) -> SurveyQuestion {
    let answers = match question.get("answers") {
        Some(Value::Object(map)) => ordered(map, question.get("answersOrder"))
            .into_iter()
            .map(|id| (id.to_owned(), texts.get(map[id].get("label"))))
            .collect(),
        _ => Vec::new(),
    };
    SurveyQuestion {
        id: id.to_owned(),
        label: texts.get(question.get("label")),
        multiple: question.get("multiple").and_then(Value::as_bool).unwrap_or(false),
        answers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rows: &[(&str, &str, &str, &str)]) -> Workflows {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = csv::Writer::from_path(file.path()).unwrap();
        writer
            .write_record([
                "workflow_id",
                "display_name",
                "version",
                "tasks",
                "strings",
                "minor_version",
            ])
            .unwrap();
        for (version, minor, tasks, strings) in rows {
            writer.write_record(["7", "W", version, tasks, strings, minor]).unwrap();
        }
        writer.flush().unwrap();
        read_workflows(file.path(), &Progress::default()).unwrap()
    }

    #[test]
    fn versions_resolve_as_the_platform_does() {
        let task = |label: &str| format!(r#"{{"T0":{{"type":"single","question":"{label}"}}}}"#);
        let rows = [("2", "1", task("a")), ("2", "10", task("b")), ("3", "10", task("c"))];
        let rows: Vec<_> = rows.iter().map(|(a, b, t)| (*a, *b, t.as_str(), "{}")).collect();
        let workflows = read(&rows);
        let text = |version| workflows.tasks("7", version).unwrap().tasks["T0"].text.clone();
        for (version, expected) in [
            ("2.1", "a"),
            ("1.0", "a"),
            ("2.2", "b"),
            ("2.10", "b"),
            ("3.1", "c"),
            ("2.11", "c"),
            ("9.9", "c"),
        ] {
            assert_eq!(text(version), expected, "{version}");
        }
        assert!(workflows.tasks("8", "2.1").is_none());
        assert_eq!(workflows.versions("7").count(), 3);
    }

    #[test]
    fn every_kind_of_task_and_null_texts() {
        let tasks = r#"{
          "T0":{"type":"multiple","question":"T0.question","answers":[{"label":"T0.answers.0.label","next":"T1"},{"label":"T0.answers.1.label","next":""}],"unlinkedTask":"T9","next":"T2"},
          "T1":{"type":"drawing","instruction":"T1.instruction","tools":[{"type":"circle","label":"T1.tools.0.label","details":[{"type":"single","question":"Q","answers":[{"label":"x"}]}]}]},
          "T2":{"type":"combo","tasks":["T0","T1"]},
          "T3":{"type":"dropdown","selects":[{"title":"Country","options":{"*":[{"value":"it","label":"Italy"}]}}]},
          "T4":{"type":"survey","choices":{"LN":{"label":"T4.choices.LN.label"},"GN":{"label":"Gnu"}},"choicesOrder":["GN","LN"],
                "questions":{"HW":{"label":"How many","multiple":true,"answers":{"1":{"label":"one"}},"answersOrder":["1"]}},"questionsOrder":["HW"]},
          "T5":7, "T9":{"type":"shortcut","answers":[{"label":"Nothing"}]}}"#;
        let strings = r#"{"T0.question":"是?","T0.answers.0.label":"< 1","T0.answers.1.label":null,"T4.choices.LN.label":"Lion"}"#;
        let workflows =
            read(&[("1", "1", tasks, strings), ("1", "2", "not json", "{}"), ("x", "", "{}", "{}")]);
        let tasks = &workflows.tasks("7", "1.1").unwrap().tasks;
        assert_eq!(tasks["T0"].text, "是?");
        assert_eq!(tasks["T0"].answers, ["< 1", ""]);
        assert_eq!(tasks["T0"].shortcut.as_deref(), Some("T9"));
        assert_eq!(tasks["T0"].answers_next, [Some("T1".to_owned()), None], "no key is no task");
        assert_eq!((tasks["T0"].next.as_deref(), tasks["T1"].next.as_deref()), (Some("T2"), None));
        assert_eq!(
            (tasks["T1"].tools[0].kind.as_str(), tasks["T1"].tools[0].details[0].answers.len()),
            ("circle", 1)
        );
        assert_eq!(tasks["T2"].children, ["T0", "T1"]);
        assert_eq!(tasks["T3"].selects[0].options, [("it".to_owned(), "Italy".to_owned())]);
        assert_eq!(tasks["T4"].choices[0].0, "GN");
        assert_eq!(tasks["T4"].choice_label("LN"), Some("Lion"));
        assert!(tasks["T4"].questions[0].multiple);
        assert!(workflows.report.adds_up());
        assert_eq!(workflows.report.left_out["bad JSON"], 1);
    }
}
