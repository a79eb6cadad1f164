//! The YAML files of `panoptes_aggregation`, read as they are: which extractors and reducers a team uses.
//!
//! Nothing in them is ever executed: YAML tags such as `!!python/object` are listed and passed over. Names
//! of extractors and reducers are kept whether we have them or not; [`super::compat`] says which it can
//! run.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};
use serde_yaml_ng::Value as Yaml;
use volary_core::{ProblemKind, Problems};

use super::version::VersionFilter;
use crate::error::IngestError;
use crate::source::{InputDigest, Progress, Source};

/// Any of the three files.
#[derive(Clone, Debug)]
pub enum PanoptesConfig {
    /// `Extractor_config_workflow_…yaml`.
    Extractors(ExtractorConfig),
    /// `Reducer_config_workflow_…yaml`.
    Reducers(ReducerConfig),
    /// `Task_labels_workflow_…yaml`: texts by key.
    TaskLabels(BTreeMap<String, String>),
}

/// What to extract from which classifications.
#[derive(Clone, Debug, Default)]
pub struct ExtractorConfig {
    /// Only rows of this workflow; `None` takes all.
    pub workflow_id: Option<String>,
    /// Only rows of these versions.
    pub versions: VersionFilter,
    /// Extractors in the order of the file.
    pub extractors: Vec<ExtractorEntry>,
}

/// One extractor with the tasks that it reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExtractorEntry {
    /// As in the file: `question_extractor`, `shape_extractor_circle`…
    pub name: String,
    /// The tasks.
    pub tasks: Vec<ExtractorTask>,
}

/// One task of an extractor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExtractorTask {
    /// Task key.
    pub task: String,
    /// Shape, for `shape_extractor`.
    pub shape: Option<String>,
    /// Tool indices; `None` takes all.
    pub tools: Option<Vec<u64>>,
    /// Extractors of the questions about each mark, by `T0_tool1` (or `T0_toolIndex1_subtask0`).
    pub details: BTreeMap<String, Vec<Option<String>>>,
    /// All other keywords (`recursive`, `pluck`, `dot_freq`…).
    pub other: Map<String, Value>,
}

/// Reducers with their parameters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReducerConfig {
    /// In the order of the file; the original allows one.
    pub reducers: Vec<ReducerEntry>,
}

/// One reducer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReducerEntry {
    /// `question_reducer`…
    pub name: String,
    /// Its parameters as they stand.
    pub parameters: Map<String, Value>,
}

impl ReducerEntry {
    /// A parameter that is switched on: `true`, or text that says so.
    #[must_use]
    pub fn is_on(&self, parameter: &str) -> bool {
        match self.parameters.get(parameter) {
            Some(Value::Bool(on)) => *on,
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
            _ => false,
        }
    }
}

/// Reads a configuration file.
///
/// # Errors
/// Where the file cannot be read, is no YAML, or is none of the three kinds.
pub fn read_config(
    path: &Path,
    progress: &Progress,
) -> Result<(PanoptesConfig, Problems, InputDigest), IngestError> {
    let mut source = Source::open(path, progress)?;
    let mut bytes = Vec::new();
    source.read_to_end(&mut bytes).map_err(|e| IngestError::io("reading", path, e))?;
    let digest = source.digest()?;
    let text = String::from_utf8_lossy(&bytes);
    let mut problems = Problems::default();
    let config = parse(&text, &mut problems)
        .map_err(|what| IngestError::Format { what, path: path.to_owned() })?;
    Ok((config, problems, digest))
}

fn parse(text: &str, problems: &mut Problems) -> Result<PanoptesConfig, String> {
    let yaml: Yaml = serde_yaml_ng::from_str(text).map_err(|e| format!("not YAML ({e})"))?;
    // The parser drops tags of this form in silence, which is safe and should still be said.
    if text.contains("!!python") {
        problems.add(0, "", ProblemKind::Suspicious, "a !!python tag is not followed");
    }
    let Value::Object(root) = to_json(&yaml, problems) else {
        return Err("not a panoptes_aggregation configuration (a YAML mapping)".to_owned());
    };
    if let Some(extractors) = root.get("extractor_config") {
        let (workflow_id, versions) = selection(text, problems)?;
        let extractors = entries(extractors, problems);
        return Ok(PanoptesConfig::Extractors(ExtractorConfig { workflow_id, versions, extractors }));
    }
    if let Some(reducers) = root.get("reducer_config") {
        return Ok(PanoptesConfig::Reducers(ReducerConfig {
            reducers: reducer_entries(reducers, problems),
        }));
    }
    let labels: BTreeMap<String, Option<String>> = serde_yaml_ng::from_str(text)
        .map_err(|_| "neither extractor_config nor reducer_config".to_owned())?;
    let labels = labels.into_iter().map(|(key, label)| (key, label.unwrap_or_default()));
    Ok(PanoptesConfig::TaskLabels(labels.collect()))
}

// Scalars are taken as their text: a version 2.10 that somebody wrote without quotes is a number to YAML
// and would come out as 2.1.
#[derive(Deserialize)]
struct Single {
    workflow_id: Option<String>,
    workflow_version: Option<String>,
}

#[derive(Deserialize)]
struct Ranged {
    workflow_id: Option<String>,
    workflow_version: Range,
}

#[derive(Deserialize)]
struct Range {
    min: Option<String>,
    max: Option<String>,
}

fn selection(text: &str, problems: &mut Problems) -> Result<(Option<String>, VersionFilter), String> {
    let (id, filter) = if let Ok(one) = serde_yaml_ng::from_str::<Single>(text) {
        let filter =
            one.workflow_version.as_deref().map_or(Ok(VersionFilter::default()), VersionFilter::only);
        (one.workflow_id, filter)
    } else {
        let range: Ranged = serde_yaml_ng::from_str(text)
            .map_err(|e| format!("workflow_version is neither a version nor min and max ({e})"))?;
        let Range { min, max } = range.workflow_version;
        (range.workflow_id, VersionFilter::range(min.as_deref(), max.as_deref()))
    };
    if id.is_none() {
        let detail = "no workflow_id; the rows of all workflows are taken";
        problems.add(0, "workflow_id", ProblemKind::EmptyCell, detail);
    }
    Ok((id, filter.map_err(|e| e.to_string())?))
}

fn entries(config: &Value, problems: &mut Problems) -> Vec<ExtractorEntry> {
    let Value::Object(map) = config else {
        problems.add(0, "extractor_config", ProblemKind::OddValue, "not a mapping of extractors");
        return Vec::new();
    };
    map.iter()
        .map(|(name, tasks)| {
            // A mapping (or one task key) where a list should be: one task.
            let list = match tasks {
                Value::Array(list) => list.as_slice(),
                one => std::slice::from_ref(one),
            };
            let tasks = list.iter().filter_map(|task| extractor_task(name, task, problems)).collect();
            ExtractorEntry { name: name.clone(), tasks }
        })
        .collect()
}

fn extractor_task(name: &str, task: &Value, problems: &mut Problems) -> Option<ExtractorTask> {
    match task {
        Value::String(task) => Some(ExtractorTask { task: task.clone(), ..ExtractorTask::default() }),
        Value::Object(keywords) => Some(task_of(name, keywords, problems)),
        Value::Null => None,
        _ => {
            problems.add(0, name, ProblemKind::OddValue, "a task is a mapping such as {task: T0}");
            None
        }
    }
}

fn task_of(name: &str, keywords: &Map<String, Value>, problems: &mut Problems) -> ExtractorTask {
    let mut task = ExtractorTask {
        shape: name.strip_prefix("shape_extractor_").map(str::to_owned),
        ..ExtractorTask::default()
    };
    for (keyword, value) in keywords {
        match keyword.as_str() {
            "task" => task.task = scalar(value),
            "shape" => task.shape = Some(scalar(value)),
            "tools" => task.tools = Some(tools(value)),
            "details" => task.details = details(value),
            _ => {
                task.other.insert(keyword.clone(), value.clone());
            }
        }
    }
    if task.task.is_empty() {
        problems.add(0, name, ProblemKind::EmptyCell, "no task; all tasks are read");
        "all".clone_into(&mut task.task);
    }
    task
}

fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn tools(value: &Value) -> Vec<u64> {
    match value {
        Value::Array(list) => list.iter().filter_map(Value::as_u64).collect(),
        one => one.as_u64().into_iter().collect(),
    }
}

fn details(value: &Value) -> BTreeMap<String, Vec<Option<String>>> {
    let name = |v: &Value| v.as_str().map(str::to_owned);
    let list = |v: &Value| match v {
        Value::Array(list) => list.iter().map(name).collect(),
        one => vec![name(one)],
    };
    value.as_object().into_iter().flatten().map(|(key, v)| (key.clone(), list(v))).collect()
}

fn reducer_entries(config: &Value, problems: &mut Problems) -> Vec<ReducerEntry> {
    let Value::Object(map) = config else {
        problems.add(0, "reducer_config", ProblemKind::OddValue, "not a mapping of reducers");
        return Vec::new();
    };
    if map.len() > 1 {
        let detail = "panoptes_aggregation allows one reducer per file; all are read here";
        problems.add(0, "reducer_config", ProblemKind::Suspicious, detail);
    }
    map.iter()
        .map(|(name, parameters)| ReducerEntry {
            name: name.clone(),
            parameters: parameters.as_object().cloned().unwrap_or_default(),
        })
        .collect()
}

/// YAML as JSON: keys become text, tags are dropped and listed.
fn to_json(yaml: &Yaml, problems: &mut Problems) -> Value {
    match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(b) => Value::Bool(*b),
        Yaml::Number(n) => n
            .as_u64()
            .map(Value::from)
            .or_else(|| n.as_i64().map(Value::from))
            .or_else(|| n.as_f64().map(Value::from))
            .unwrap_or_default(),
        Yaml::String(text) => Value::String(text.clone()),
        Yaml::Sequence(list) => list.iter().map(|v| to_json(v, problems)).collect(),
        Yaml::Mapping(map) => Value::Object(
            map.iter().map(|(k, v)| (scalar(&to_json(k, problems)), to_json(v, problems))).collect(),
        ),
        Yaml::Tagged(tagged) => {
            let detail = format!("the YAML tag {} is not followed", tagged.tag);
            problems.add(0, "", ProblemKind::Suspicious, detail);
            Value::Null
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extractors(text: &str) -> (ExtractorConfig, Problems) {
        let mut problems = Problems::default();
        match parse(text, &mut problems) {
            Ok(PanoptesConfig::Extractors(config)) => (config, problems),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn versions_without_quotes_keep_their_digits() {
        let (config, _) = extractors("workflow_id: 7\nworkflow_version: 2.10\nextractor_config: {}\n");
        assert_eq!(config.workflow_id.as_deref(), Some("7"));
        assert!(config.versions.accepts("2.10") && !config.versions.accepts("2.1"));
        let text = "workflow_id: 7\nworkflow_version: {min: 44, max: 57.30}\nextractor_config: {}\n";
        let (config, _) = extractors(text);
        assert!(config.versions.accepts("57.30") && !config.versions.accepts("57.31"));
    }

    #[test]
    fn lists_mappings_and_names_are_all_read() {
        let (config, problems) = extractors(
            "workflow_id: 1\nextractor_config:\n  question_extractor: {task: T0}\n  survey_extractor: T2\n  \
             shape_extractor_circle:\n  - task: T0\n    tools: [0, 1]\n    details: {T0_tool0: [question_extractor, null]}\n  \
             my_extractor: [{task: T1, dot_freq: line}]\n",
        );
        let [question, survey, circle, mine] = &config.extractors[..] else { panic!("{config:?}") };
        assert_eq!((question.tasks[0].task.as_str(), survey.tasks[0].task.as_str()), ("T0", "T2"));
        assert_eq!(circle.tasks[0].shape.as_deref(), Some("circle"));
        assert_eq!(circle.tasks[0].details["T0_tool0"], [Some("question_extractor".to_owned()), None]);
        assert_eq!(mine.tasks[0].other["dot_freq"], "line");
        assert_eq!(problems.total(), 0);
    }

    #[test]
    fn nothing_is_executed_and_nonsense_is_an_error() {
        let mut problems = Problems::default();
        for tag in ["!!python/object/apply:os.system", "!run"] {
            let text = format!("reducer_config: {{question_reducer: {{pairs: {tag} ['x']}}}}");
            let Ok(PanoptesConfig::Reducers(config)) = parse(&text, &mut problems) else { panic!() };
            assert!(!config.reducers[0].is_on("pairs"));
        }
        assert_eq!(problems.count(ProblemKind::Suspicious), 2);
        for bad in ["", "- 1", "{", "a: [1]", "a: &x [*x]"] {
            assert!(parse(bad, &mut problems).is_err(), "{bad}");
        }
        let Ok(PanoptesConfig::TaskLabels(labels)) =
            parse("T0.question: Yes\nT1.help: null\n", &mut problems)
        else {
            panic!()
        };
        assert_eq!((labels["T0.question"].as_str(), labels["T1.help"].as_str()), ("Yes", ""));
    }
}
