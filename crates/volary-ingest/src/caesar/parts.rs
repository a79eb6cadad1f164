//! Extractors, reducers and rules of a configuration, from maps by key or from lists.

use serde_json::{Map, Value};
use volary_core::caesar::{
    Effect, Extractor, ExtractorKind, Filters, Operation, Reducer, ReducerKind, RepeatedClassifications,
    SubjectRule,
};
use volary_core::{ProblemKind, Problems};

use super::expression::{expression, shown};
use super::id_text;

const EXTRACTORS: &str = "blank external question survey who pluck_field shape sqs";
const REDUCERS: &str = "consensus count stats unique_count first_extract summary_statistics external \
placeholder rectangle sqs";

/// A part with its key and where it stands. Options may stand in it or in its `config`.
struct Part<'v> {
    key: String,
    place: String,
    own: &'v Map<String, Value>,
    config: Option<&'v Map<String, Value>>,
}

impl<'v> Part<'v> {
    /// All parts of a section.
    fn all(section: &str, value: &'v Value) -> Result<Vec<Self>, String> {
        let part = |key: Option<&str>, place: String, value: &'v Value| {
            let Value::Object(own) = value else {
                return Err(format!("{place}: an object is expected, not {}", shown(value)));
            };
            let config = own.get("config").and_then(Value::as_object);
            let key = key.map(str::to_owned).or_else(|| id_text(own.get("key")?));
            let Some(key) = key else { return Err(format!("{place}: there is no `key`")) };
            Ok(Self { key, place, own, config })
        };
        match value {
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| part(Some(key), format!("{section}.{key}"), value))
                .collect(),
            Value::Array(list) => list
                .iter()
                .enumerate()
                .map(|(i, value)| part(None, format!("{section}[{i}]"), value))
                .collect(),
            other => Err(format!("{section}: a map or a list is expected, not {}", shown(other))),
        }
    }

    fn get(&self, name: &str) -> Option<&'v Value> {
        let found = self.own.get(name).or_else(|| self.config?.get(name));
        found.filter(|v| !v.is_null() && v.as_str() != Some(""))
    }

    fn text(&self, name: &str) -> Option<&'v str> {
        self.get(name).and_then(Value::as_str)
    }

    /// The kind, as `question`, `QuestionExtractor` or `Extractors::QuestionExtractor`.
    fn kind(&self, suffix: &str) -> Result<String, String> {
        let Some(kind) = self.text("type") else {
            return Err(format!("{}: there is no `type`", self.place));
        };
        let last = kind.rsplit("::").next().unwrap_or(kind);
        let stem = last.strip_suffix(suffix).unwrap_or(last);
        let mut snake = String::new();
        for (i, c) in stem.chars().enumerate() {
            if c.is_ascii_uppercase() && i > 0 {
                snake.push('_');
            }
            snake.extend(c.to_lowercase());
        }
        Ok(snake)
    }
}

/// The extractors of a section.
pub(super) fn extractors(
    section: &str,
    value: &Value,
    problems: &mut Problems,
) -> Result<Vec<Extractor>, String> {
    let mut out = Vec::new();
    for part in Part::all(section, value)? {
        let task = || part.text("task_key").unwrap_or("T0").to_owned();
        let kind = match part.kind("Extractor")?.as_str() {
            "question" => ExtractorKind::Question { task: task() },
            "survey" => ExtractorKind::Survey {
                task: task(),
                nothing_here: part.text("nothing_here_choice").map(str::to_owned),
            },
            "blank" => ExtractorKind::Blank { task: task() },
            "who" => ExtractorKind::Who,
            kind @ ("external" | "pluck_field" | "shape" | "sqs") => {
                ExtractorKind::Outside(kind.to_owned())
            }
            other => {
                return Err(format!(
                    "{}: unknown extractor {other:?}; Caesar has {EXTRACTORS}",
                    part.place
                ));
            }
        };
        if part.get("minimum_workflow_version").is_some() {
            let what = "the minimum version is not applied: use --min-version";
            problems.add(0, &part.place, ProblemKind::Suspicious, what);
        }
        out.push(Extractor { key: part.key, kind });
    }
    Ok(out)
}

/// The reducers of a section.
pub(super) fn reducers(
    section: &str,
    value: &Value,
    problems: &mut Problems,
) -> Result<Vec<Reducer>, String> {
    let mut out = Vec::new();
    for part in Part::all(section, value)? {
        let kind = reducer_kind(&part)?;
        let by_user = match part.get("topic").map(|t| (t.as_str(), t.as_u64())) {
            None | Some((Some("reduce_by_subject"), _) | (_, Some(0))) => false,
            Some((Some("reduce_by_user"), _) | (_, Some(1))) => true,
            Some(_) => {
                return Err(format!("{}: topic is reduce_by_subject or reduce_by_user", part.place));
            }
        };
        let mode = part.get("reduction_mode").or_else(|| part.get("mode"));
        let running = match mode.map(|m| (m.as_str(), m.as_u64())) {
            None | Some((Some("default_reduction" | "default"), _) | (_, Some(0))) => false,
            Some((Some("running_reduction" | "running"), _) | (_, Some(1))) => true,
            Some(_) => {
                return Err(format!(
                    "{}: the mode is default_reduction or running_reduction",
                    part.place
                ));
            }
        };
        let filters = filters(&part, problems)?;
        let grouping = grouping(&part)?;
        out.push(Reducer { key: part.key, kind, by_user, running, filters, grouping });
    }
    Ok(out)
}

fn reducer_kind(part: &Part<'_>) -> Result<ReducerKind, String> {
    let place = &part.place;
    Ok(match part.kind("Reducer")?.as_str() {
        "consensus" => ReducerKind::Consensus,
        "count" => ReducerKind::Count,
        "stats" => ReducerKind::Stats,
        "first_extract" => ReducerKind::FirstExtract,
        "unique_count" => match part.text("field") {
            Some(field) => ReducerKind::UniqueCount { field: field.to_owned() },
            None => return Err(format!("{place}: unique_count needs a `field`")),
        },
        "summary_statistics" | "summary_stats" => summary(part)?,
        kind @ ("external" | "placeholder" | "rectangle" | "sqs") => {
            ReducerKind::Outside(kind.to_owned())
        }
        other => return Err(format!("{place}: unknown reducer {other:?}; Caesar has {REDUCERS}")),
    })
}

fn summary(part: &Part<'_>) -> Result<ReducerKind, String> {
    let place = &part.place;
    let Some(path) = part.text("summarize_field").filter(|f| !f.ends_with('.')) else {
        return Err(format!("{place}: summary_statistics needs a `summarize_field`"));
    };
    let mut pieces = path.split('.');
    let first = pieces.next().unwrap_or_default().to_owned();
    let (extractor, field) = match pieces.next() {
        Some(field) => (Some(first), field.to_owned()),
        None => (None, first),
    };
    let names: Vec<&str> = match part.get("operations") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if names.is_empty() {
        return Err(format!("{place}: summary_statistics needs `operations`"));
    }
    let operation = |name: &&str| {
        let known = Operation::ALL.iter().find(|(_, n)| n == name).map(|(o, _)| *o);
        known.ok_or_else(|| format!("{place}: unknown operation {name:?} of summary_statistics"))
    };
    let operations = names.iter().map(operation).collect::<Result<_, _>>()?;
    Ok(ReducerKind::SummaryStatistics { extractor, field, operations })
}

fn filters(part: &Part<'_>, problems: &mut Problems) -> Result<Filters, String> {
    let mut filters = Filters::default();
    let Some(given) = part.get("filters") else { return Ok(filters) };
    let place = format!("{}.filters", part.place);
    let Value::Object(given) = given else {
        return Err(format!("{place}: an object is expected, not {}", shown(given)));
    };
    for (name, value) in given.iter().filter(|(_, v)| !v.is_null() && v.as_str() != Some("")) {
        let unknown = || Err(format!("{place}.{name}: unknown value {}", shown(value)));
        match (name.as_str(), value.as_str()) {
            ("repeated_classifications", Some("keep_first")) => {}
            ("repeated_classifications", Some("keep_last")) => {
                filters.repeated = RepeatedClassifications::KeepLast;
            }
            ("repeated_classifications", Some("keep_all")) => {
                filters.repeated = RepeatedClassifications::KeepAll;
            }
            ("empty_extracts", Some("keep_all")) | ("training_behavior", Some("ignore_training")) => {}
            ("empty_extracts", Some("ignore_empty")) => filters.ignore_empty = true,
            ("training_behavior", Some(kind @ ("training_only" | "experiment_only"))) => {
                let what =
                    format!("{kind} is not applied: votes do not say which subjects are for training");
                problems.add(0, &place, ProblemKind::Suspicious, what);
            }
            ("extractor_keys", Some(one)) => filters.extractor_keys = vec![one.to_owned()],
            ("extractor_keys", None) => match value.as_array() {
                Some(list) => {
                    filters.extractor_keys =
                        list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
                }
                None => return unknown(),
            },
            ("from" | "to", _) => {
                let number = value.as_i64().or_else(|| value.as_str()?.trim().parse().ok());
                let Some(number) = number else { return unknown() };
                if name == "from" { filters.from = number } else { filters.to = number }
            }
            ("repeated_classifications" | "empty_extracts" | "training_behavior", _) => {
                return unknown();
            }
            _ => problems.add(0, &place, ProblemKind::Misspelt, format!("{name}: Caesar ignores it")),
        }
    }
    Ok(filters)
}

fn grouping(part: &Part<'_>) -> Result<Option<(String, String)>, String> {
    let field = match part.get("grouping") {
        None => return Ok(None),
        Some(Value::Object(map)) if map.is_empty() => return Ok(None),
        Some(Value::Object(map)) => map.get("field_name").and_then(Value::as_str),
        Some(other) => other.as_str(),
    };
    match field.and_then(|f| f.split_once('.')) {
        Some((extractor, field)) => Ok(Some((extractor.to_owned(), field.to_owned()))),
        None => Err(format!("{}: grouping is by `extractor.field`", part.place)),
    }
}

/// The rules of a section, in their order.
pub(super) fn rules(section: &str, value: &Value) -> Result<Vec<SubjectRule>, String> {
    let Value::Array(list) = value else {
        return Err(format!("{section}: a list of rules is expected, not {}", shown(value)));
    };
    let mut out = Vec::new();
    for (i, rule) in list.iter().enumerate() {
        let place = format!("{section}[{i}]");
        let Value::Object(rule) = rule else {
            return Err(format!("{place}: an object is expected, not {}", shown(rule)));
        };
        let condition = ["condition", "if"].into_iter().find_map(|k| Some((k, rule.get(k)?)));
        let Some((key, condition)) = condition else {
            return Err(format!("{place}: there is no `condition` (or `if`)"));
        };
        // REST clients send the condition as text.
        let parsed;
        let condition = match condition {
            Value::String(text) => {
                parsed = serde_json::from_str::<Value>(text)
                    .map_err(|e| format!("{place}.{key}: not JSON: {e}"))?;
                &parsed
            }
            other => other,
        };
        let condition = expression(condition, &format!("{place}.{key}"))?;
        let name = rule.get("name").and_then(Value::as_str).filter(|n| !n.trim().is_empty());
        out.push(SubjectRule {
            name: name.map_or_else(|| place.clone(), str::to_owned),
            condition,
            effects: effects(rule, &place)?,
        });
    }
    Ok(out)
}

fn effects(rule: &Map<String, Value>, place: &str) -> Result<Vec<Effect>, String> {
    let names = ["subject_rule_effects", "effects", "then"];
    let Some(list) = names.into_iter().find_map(|k| rule.get(k)?.as_array()) else {
        return Ok(Vec::new());
    };
    let mut out = Vec::new();
    for (i, effect) in list.iter().enumerate() {
        let Some(action) = effect.get("action").and_then(Value::as_str) else {
            return Err(format!("{place}: effect {i} has no `action`"));
        };
        let reason = || {
            let own = effect.get("reason").or_else(|| effect.get("config")?.get("reason"));
            own.and_then(Value::as_str).unwrap_or("other").to_owned()
        };
        out.push(match action {
            "retire_subject" => Effect::Retire { reason: reason() },
            "add_subject_to_set"
            | "add_subject_to_collection"
            | "external"
            | "external_with_basic_auth"
            | "promote_user" => Effect::Other { action: action.to_owned() },
            other => {
                return Err(format!("{place}: unknown effect {other:?}"));
            }
        });
    }
    Ok(out)
}
