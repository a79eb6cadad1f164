//! The part of a workflow's configuration that decides how often training subjects are shown.

use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};
use volary_core::{ProblemKind, Problems};

use super::typo::nearest;
use super::{ManifestKind, ManifestReport};
use crate::error::IngestError;
use crate::report::ReadReport;
use crate::source::{Progress, Source};

const LISTS: [&str; 4] = [
    "training_set_ids",
    "gold_standard_sets",
    "spacewarps_training_sets",
    "planet_hunters_training_sets",
];
const MAPS: [&str; 2] = ["subject_set_chances", "subject_set_weights"];
const CHANCES: &str = "training_chances";
const DEFAULT: &str = "training_default_chance";

/// Checks a workflow configuration: the `configuration` object itself, or a workflow of the API around it.
///
/// # Errors
/// Where the file cannot be read or is no JSON object.
pub fn check_workflow_configuration(
    path: &Path,
    progress: &Progress,
) -> Result<ManifestReport, IngestError> {
    let mut source = Source::open(path, progress)?;
    let mut text = Vec::new();
    source.read_to_end(&mut text).map_err(|e| IngestError::io("reading", path, e))?;
    let format = |what: String| IngestError::Format { what, path: path.to_owned() };
    let value: Value = serde_json::from_slice(&text).map_err(|e| format(format!("not JSON ({e})")))?;
    let configuration = configuration(&value)
        .ok_or_else(|| format("not a workflow configuration, which is a JSON object".to_owned()))?;
    let mut problems = Problems::default();
    check(configuration, &mut problems);
    let report = ReadReport {
        rows_read: 1,
        rows_used: 1,
        left_out: std::collections::BTreeMap::new(),
        problems,
        digest: source.digest()?,
    };
    Ok(ManifestReport {
        kind: ManifestKind::WorkflowConfiguration,
        media_columns: Vec::new(),
        hidden_columns: Vec::new(),
        n_training: 0,
        n_with_feedback: 0,
        report,
    })
}

fn configuration(value: &Value) -> Option<&Map<String, Value>> {
    let workflow = value.get("workflows").map_or(value, |w| w.get(0).unwrap_or(w));
    workflow.get("configuration").unwrap_or(workflow).as_object()
}

fn check(configuration: &Map<String, Value>, problems: &mut Problems) {
    for (key, value) in configuration {
        if LISTS.contains(&key.as_str()) {
            check_list(key, value, problems);
        } else if MAPS.contains(&key.as_str()) {
            check_map(key, value, problems);
        } else if key == CHANCES {
            check_chances(value, problems);
        } else if key == DEFAULT {
            check_chance(DEFAULT, value, problems);
        } else if let Some(meant) = meant(key) {
            let detail = format!("the platform ignores {key}; rename it to {meant}");
            problems.add(0, key, ProblemKind::Misspelt, detail);
        }
    }
    let has = |key: &str| configuration.contains_key(key);
    if has("training_set_ids") && !has(CHANCES) && !has(DEFAULT) {
        let detail = format!("sets without {CHANCES} or {DEFAULT} are never shown; add one");
        problems.add(0, "training_set_ids", ProblemKind::Suspicious, detail);
    }
    if (has(CHANCES) || has(DEFAULT)) && !LISTS.iter().any(|key| has(key)) {
        let detail = "chances without training_set_ids show nothing; add the sets";
        problems.add(0, CHANCES, ProblemKind::Suspicious, detail);
    }
}

fn is_id(value: &Value) -> bool {
    value.is_u64()
        || value.as_str().is_some_and(|s| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit()))
}

fn check_list(key: &str, value: &Value, problems: &mut Problems) {
    match value {
        Value::Array(ids) if ids.iter().all(is_id) => {}
        _ => problems.add(0, key, ProblemKind::OddValue, "write a flat list of subject set ids: [1, 2]"),
    }
}

fn check_map(key: &str, value: &Value, problems: &mut Problems) {
    let fine = |map: &Map<String, Value>| {
        map.iter()
            .all(|(id, v)| is_id(&Value::from(id.as_str())) && v.as_f64().is_some_and(|v| v >= 0.0))
    };
    if !value.as_object().is_some_and(fine) {
        let detail = "write an object of subject set id and number: {\"1\": 0.3}";
        problems.add(0, key, ProblemKind::OddValue, detail);
    }
}

fn check_chances(value: &Value, problems: &mut Problems) {
    let Value::Array(list) = value else {
        let detail = "write a list of chances by how many subjects somebody has seen: [0.5, 0.4]";
        problems.add(0, CHANCES, ProblemKind::OddValue, detail);
        return;
    };
    if list.iter().any(Value::is_array) {
        let detail = "lists inside the list are ignored; write one flat list of chances";
        problems.add(0, CHANCES, ProblemKind::OddValue, detail);
        return;
    }
    for chance in list {
        check_chance(CHANCES, chance, problems);
    }
}

fn check_chance(key: &str, value: &Value, problems: &mut Problems) {
    match value.as_f64() {
        Some(chance) if (0.0..=1.0).contains(&chance) => {}
        Some(chance) => {
            let detail = format!("{chance} is no chance; write a number from 0 to 1");
            problems.add(0, key, ProblemKind::Suspicious, detail);
        }
        None => problems.add(0, key, ProblemKind::NotANumber, "write a number from 0 to 1"),
    }
}

/// The known key that a key was probably meant to be, in any case.
fn meant(key: &str) -> Option<&'static str> {
    let low = key.to_ascii_lowercase().replace('-', "_");
    let known = || LISTS.into_iter().chain(MAPS).chain([CHANCES, DEFAULT]);
    // The right letters in the wrong case are no known key either.
    known().find(|k| *k == low).or_else(|| nearest(&low, known()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(json: &str) -> Vec<(String, ProblemKind)> {
        let mut problems = Problems::default();
        let value: Value = serde_json::from_str(json).unwrap();
        check(configuration(&value).unwrap(), &mut problems);
        problems.examples().map(|p| (p.column.clone(), p.kind)).collect()
    }

    #[test]
    fn what_the_platform_ignores() {
        let good = r#"{"training_set_ids":[1,"2"],"training_chances":[0.5,0.4],"training_default_chance":0.05,"hide_classification_summaries":true}"#;
        assert_eq!(found(good), []);
        assert_eq!(found(&format!(r#"{{"workflows":[{{"configuration":{good}}}]}}"#)), []);
        let one = |key: &str, kind| [(key.to_owned(), kind)];
        let with = |rest: &str| {
            found(&format!(r#"{{"training_set_ids":[1],"training_default_chance":0.1,{rest}}}"#))
        };
        assert_eq!(
            with(r#""training_default_chances":0.1"#),
            one("training_default_chances", ProblemKind::Misspelt)
        );
        assert_eq!(
            with(r#""training_chances":[[0.5],[0.4]]"#),
            one("training_chances", ProblemKind::OddValue)
        );
        assert_eq!(with(r#""training_chances":[50]"#), one("training_chances", ProblemKind::Suspicious));
        assert_eq!(
            with(r#""subject_set_weights":{"a":1}"#),
            one("subject_set_weights", ProblemKind::OddValue)
        );
        assert_eq!(
            found(r#"{"training_set_ids":[1]}"#),
            one("training_set_ids", ProblemKind::Suspicious)
        );
        assert_eq!(
            found(r#"{"training_chances":[0.1]}"#),
            one("training_chances", ProblemKind::Suspicious)
        );
        assert_eq!(with(r#""Traning_Chances":[0.5]"#), one("Traning_Chances", ProblemKind::Misspelt));
    }
}
