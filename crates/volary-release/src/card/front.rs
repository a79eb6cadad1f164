//! The front matter of a card: YAML as Hugging Face's library reads it (`license`, `model-index`,
//! `co2_eq_emissions`), and what Volary needs to find the card's sources again.

use serde_json::{Map, Value, json};

use super::evaluation;
use super::page::family;
use super::{Folder, LINEAGE_FILE, RECORD_FILE, Said};

/// Names of measures on the hub, where they have others than here.
const HUB_NAMES: [(&str, &str); 4] = [
    ("auc", "roc_auc"),
    ("mean_absolute_error", "mae"),
    ("brier", "brier_score"),
    ("top_1", "accuracy"),
];

/// The lines between `---` and `---`.
pub(super) fn front_matter(folder: &Folder, said: &Said<'_>) -> String {
    let mut front = Map::new();
    let mut put = |name: &str, value: Value| {
        front.insert(name.to_owned(), value);
    };
    let prose = said.prose.map(|(prose, _)| prose);
    if let Some(licence) = prose.and_then(super::Prose::licence_of_hub) {
        put("license", json!(licence));
    }
    put("library_name", json!("volary"));
    let mut tags = vec!["volary".to_owned(), "citizen-science".to_owned(), folder.kind().to_owned()];
    tags.extend(prose.into_iter().flat_map(|p| p.tags.iter().cloned()));
    put("tags", json!(tags));
    if let Some(prose) = prose.filter(|p| !p.datasets.is_empty()) {
        put("datasets", json!(prose.datasets));
    }
    let metrics = metrics(folder);
    if !metrics.is_empty() {
        let names: Vec<&Value> = metrics.iter().filter_map(|m| m.get("type")).collect();
        put("metrics", json!(names));
        put("model-index", model_index(folder, said, &metrics));
    }
    let total = folder.costs.total();
    if let Some(grams) = total.emissions_g {
        let hardware = folder.costs.runs.last().map(|run| run.hardware.processor.clone());
        let grid = folder.costs.runs.last().and_then(|run| run.grid.clone());
        put(
            "co2_eq_emissions",
            json!({
                "emissions": grams.mid,
                "source": format!("volary, {}; {}", methods(folder), grid.unwrap_or_default()),
                "training_type": "training",
                "hardware_used": hardware,
            }),
        );
    }
    let hash = |name: &str| folder.hashes.get(name);
    let weights: Map<String, Value> =
        folder.weights.iter().map(|w| (w.file.clone(), json!(w.blake3))).collect();
    put(
        "volary",
        json!({
            "card": 1,
            "written_by": env!("CARGO_PKG_VERSION"),
            "is_draft": said.is_draft(),
            "model": folder.id(),
            "kind": folder.kind(),
            "labels_blake3": folder.text("labels_blake3"),
            "weights_blake3": weights,
            "config_blake3": hash("config.json"),
            "metrics_blake3": hash("metrics.json"),
            "run_blake3": hash(RECORD_FILE),
            "lineage_blake3": hash(LINEAGE_FILE),
            "policy": said.prose.map(|(_, version)| version),
        }),
    );
    let mut out = String::new();
    yaml(&Value::Object(front), 0, &mut out);
    out
}

/// How the energy was found.
pub(super) fn methods(folder: &Folder) -> String {
    let methods: Vec<&str> = folder.costs.total().methods.iter().map(|m| m.as_str()).collect();
    methods.join(" and ")
}

/// Measures of the model itself, as the hub wants them.
fn metrics(folder: &Folder) -> Vec<Value> {
    let level = evaluation::interval_level(&folder.metrics);
    let mut all: Vec<Value> = Vec::new();
    for row in folder.rows().into_iter().filter(evaluation::Row::is_of_model) {
        for (name, estimate) in row.estimates {
            let Some(estimate) = estimate else { continue };
            let hub = HUB_NAMES.iter().find(|(ours, _)| *ours == name).map_or(name.as_str(), |n| n.1);
            // The first of a name is the one of all classes together.
            if all.iter().any(|m| m["type"] == hub) {
                continue;
            }
            let mut metric =
                json!({"type": hub, "name": name.replace('_', " "), "value": estimate.value});
            if let Some((low, high)) = estimate.interval {
                metric["args"] = json!({"low": low, "high": high, "level": level});
            }
            all.push(metric);
        }
    }
    all
}

fn model_index(folder: &Folder, said: &Said<'_>, metrics: &[Value]) -> Value {
    let task = family(folder.kind()).map_or("other", |f| f.task);
    let datasets = said.prose.map(|(prose, _)| prose.datasets.as_slice()).unwrap_or_default();
    let labels = folder.text("labels_blake3").unwrap_or("unknown");
    let kind = datasets.first().cloned().unwrap_or_else(|| format!("labels-{labels:.16}"));
    json!([{
        "name": name(folder, said),
        "results": [{
            "task": {"type": task, "name": folder.kind()},
            "dataset": {"type": kind, "name": "held out in training", "split": "held_out"},
            "metrics": metrics,
        }],
    }])
}

/// What the model is called.
pub(super) fn name(folder: &Folder, said: &Said<'_>) -> String {
    said.prose.and_then(|(prose, _)| prose.name.clone()).unwrap_or_else(|| folder.id())
}

/// YAML in blocks; every text is quoted as JSON does it, which YAML reads the same, whatever is in it.
fn yaml(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(object) if !object.is_empty() => {
            for (name, value) in object {
                let is_plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
                let key = if is_plain { name.clone() } else { scalar(&Value::from(name.as_str())) };
                out.push_str(&format!("{indent}{key}:"));
                below(value, depth + 1, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&format!("{indent}-"));
                below(item, depth + 1, out);
            }
        }
        value => out.push_str(&format!("{indent}{}\n", scalar(value))),
    }
}

fn below(value: &Value, depth: usize, out: &mut String) {
    let is_block = match value {
        Value::Object(object) => !object.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if is_block {
        out.push('\n');
        yaml(value, depth, out);
    } else {
        out.push_str(&format!(" {}\n", scalar(value)));
    }
}

fn scalar(value: &Value) -> String {
    // JSON leaves characters as they are that YAML does not allow in a line.
    let is_odd = |c: char| {
        c == '\u{7f}'
            || ('\u{80}'..='\u{9f}').contains(&c)
            || c == '\u{feff}'
            || matches!(c, '\u{2028}' | '\u{2029}')
    };
    let text = value.to_string();
    if !text.contains(is_odd) {
        return text;
    }
    text.chars()
        .map(|c| if is_odd(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() })
        .collect()
}
