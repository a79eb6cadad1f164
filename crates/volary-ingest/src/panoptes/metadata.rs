//! The `metadata` and `subject_data` cells: the few keys that decide what a classification counts for.

use serde::Deserialize;
use serde_json::Value;
use sonic_rs::LazyValue;

use super::depth::{MAX_LEVELS, is_shallow};
use crate::time;

/// What is taken from the `metadata` cell.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) started_ms: Option<i64>,
    pub(super) finished_ms: Option<i64>,
    pub(super) live: Option<bool>,
    pub(super) seen_before: bool,
    pub(super) is_second_generation: bool,
}

#[derive(Deserialize)]
struct Keys<'a> {
    #[serde(borrow, default)]
    started_at: Option<LazyValue<'a>>,
    #[serde(borrow, default)]
    finished_at: Option<LazyValue<'a>>,
    #[serde(borrow, default)]
    live_project: Option<LazyValue<'a>>,
    #[serde(borrow, default)]
    seen_before: Option<LazyValue<'a>>,
    #[serde(borrow, default)]
    classifier_version: Option<LazyValue<'a>>,
}

/// Reads the cell; an empty one says nothing.
///
/// # Errors
/// A message where the cell is not a JSON object.
pub(super) fn read_metadata(json: &str) -> Result<Metadata, String> {
    if json.trim().is_empty() {
        return Ok(Metadata::default());
    }
    if !is_shallow(json.as_bytes()) {
        return Err(format!("nested deeper than {MAX_LEVELS} levels"));
    }
    // A list would be taken for the values of the keys in order.
    if !json.trim_start().starts_with('{') {
        return Err("not a JSON object".to_owned());
    }
    let keys: Keys<'_> =
        sonic_rs::from_str(json).map_err(|e| super::annotation::first_line(&e.to_string()))?;
    let text = |v: &Option<LazyValue<'_>>| match v
        .as_ref()
        .map(|v| v.as_raw_str().trim_matches('"').to_owned())
    {
        Some(text) if text != "null" => Some(text),
        _ => None,
    };
    let time = |v: &Option<LazyValue<'_>>| {
        v.as_ref().and_then(|v| time::parse_ms(v.as_raw_str().trim_matches('"')))
    };
    let flag = |v: &Option<LazyValue<'_>>| match v.as_ref().map(LazyValue::as_raw_str) {
        Some("true") => Some(true),
        Some("false") => Some(false),
        None => None,
        _ => text(v).and_then(|t| t.to_ascii_lowercase().parse().ok()),
    };
    Ok(Metadata {
        started_ms: time(&keys.started_at),
        finished_ms: time(&keys.finished_at),
        live: flag(&keys.live_project),
        seen_before: flag(&keys.seen_before).unwrap_or(false),
        is_second_generation: text(&keys.classifier_version).is_some_and(|t| t.starts_with('2')),
    })
}

/// What the export says about a subject's retirement.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Retirement {
    pub(super) retired_ms: Option<i64>,
    pub(super) reason: Option<String>,
}

/// Reads the status out of the `subject_data` cell. A metadata key of the volunteers' project that is
/// also called `retired` overwrites the platform's; what is then not a status is ignored.
pub(super) fn read_retirement(json: &str) -> Retirement {
    // By far the most common form, and the cell may be long.
    let start: String = json.chars().take(80).filter(|c| !c.is_whitespace()).collect();
    if json.is_empty() || start.contains(r#":{"retired":null"#) {
        return Retirement::default();
    }
    let status = status_of(json);
    let status = status.as_ref().and_then(Value::as_object);
    Retirement {
        retired_ms: status.and_then(|s| s.get("retired_at")?.as_str()).and_then(time::parse_ms),
        reason: status.and_then(|s| s.get("retirement_reason")?.as_str()).map(str::to_owned),
    }
}

#[derive(Deserialize)]
struct Subject<'a> {
    #[serde(borrow, default)]
    retired: Option<LazyValue<'a>>,
}

/// The first subject's `retired` that is an object.
fn status_of(json: &str) -> Option<Value> {
    // A cell may be long, and all but one of its keys are the project's own: they are skipped, not read.
    if is_shallow(json.as_bytes())
        && let Some(found) = quick_status(json)
    {
        return found;
    }
    let Ok(Value::Object(subjects)) = serde_json::from_str::<Value>(json) else { return None };
    subjects.into_iter().find_map(|(_, mut subject)| {
        let status = subject.get_mut("retired")?.take();
        status.is_object().then_some(status)
    })
}

/// The same for a cell of the usual form; `None` where it is not.
fn quick_status(json: &str) -> Option<Option<Value>> {
    for entry in sonic_rs::to_object_iter(json) {
        let (_, subject) = entry.ok()?;
        let subject: Subject<'_> = sonic_rs::from_str(subject.as_raw_str()).ok()?;
        let raw = subject.retired.as_ref().map_or("null", LazyValue::as_raw_str);
        if raw.starts_with('{') {
            return Some(Some(serde_json::from_str(raw).ok()?));
        }
    }
    Some(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_of_both_generations() {
        let json = r#"{"session":"x","started_at":"1970-01-01T00:00:01.000Z","finished_at":null,
            "live_project":false,"seen_before":true,"classifier_version":"2.0","subject_dimensions":[null]}"#;
        let expected = Metadata {
            started_ms: Some(1000),
            finished_ms: None,
            live: Some(false),
            seen_before: true,
            is_second_generation: true,
        };
        assert_eq!(read_metadata(json).unwrap(), expected);
        assert_eq!(read_metadata("").unwrap(), Metadata::default());
        assert_eq!(read_metadata(r#"{"live_project":"True"}"#).unwrap().live, Some(true));
        assert!(read_metadata("{").is_err());
        assert!(read_metadata("[1]").is_err());
    }

    #[test]
    fn retirement_or_none() {
        let retired =
            r#"{"7":{"retired":{"retired_at":"1970-01-01T00:00:01.000Z","retirement_reason":null}}}"#;
        assert_eq!(read_retirement(retired), Retirement { retired_ms: Some(1000), reason: None });
        let second = format!(r#"{{"6":{{"retired":"no","x":[{{}}]}},{}"#, &retired[1..]);
        assert_eq!(read_retirement(&second).retired_ms, Some(1000));
        let odd = format!(r#"{{"6":3,{}"#, &retired[1..]);
        assert_eq!(read_retirement(&odd).retired_ms, Some(1000));
        for json in
            [r#"{"7":{"retired":null}}"#, r#"{"7":{"retired":"yes"}}"#, "", "{", "[]", r#"{"":3}"#]
        {
            assert_eq!(read_retirement(json), Retirement::default(), "{json}");
        }
    }
}
