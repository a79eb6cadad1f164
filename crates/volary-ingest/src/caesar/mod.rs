//! A Zooniverse Caesar workflow configuration, as it is kept or sent.
//!
//! One JSON object with extractors, reducers and rules. Three shapes are in use and all are read: maps
//! by key (`extractors_config`, `reducers_config`, `rules_config` with `if` and `then`), the same without
//! `_config`, and the lists that Caesar's REST interface gives (`extractors`, `reducers`, `subject_rules`
//! with `condition` and `subject_rule_effects`). What Caesar itself would refuse is one error that names
//! the place. What Volary cannot replay, because it works through another server, is read by its name.
//! Nothing is evaluated here: see `volary_crowd::retire::caesar`.

mod expression;
mod parts;

use std::io::Read as _;
use std::path::Path;

use serde_json::{Map, Value};
use volary_core::caesar::{CaesarConfig, RulesApplied};
use volary_core::{ProblemKind, Problems};

use crate::error::IngestError;
use crate::source::{InputDigest, Progress, Source};

/// More than any configuration; a file beyond it is something else.
const MAX_BYTES: u64 = 16 << 20;

/// A configuration and what was odd about it.
#[derive(Clone, Debug)]
pub struct CaesarFile {
    /// What it says.
    pub config: CaesarConfig,
    /// Keys that Caesar ignores, options that change nothing in a replay.
    pub problems: Problems,
    /// The file, for `run.json`.
    pub digest: InputDigest,
}

/// Reads a configuration.
///
/// # Errors
/// [`IngestError::Format`] where the file is no JSON object, holds no rules, or names an operator,
/// extractor, reducer or filter that Caesar does not have; the message names the place.
pub fn read_caesar(path: &Path, progress: &Progress) -> Result<CaesarFile, IngestError> {
    let mut source = Source::open(path, progress)?;
    let mut bytes = Vec::new();
    let format = |what: String| IngestError::Format { what, path: path.to_owned() };
    source
        .by_ref()
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| IngestError::io("reading", path, e))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format(format!(
            "larger than {MAX_BYTES} bytes, so this is no Caesar configuration"
        )));
    }
    let digest = source.digest()?;
    let mut problems = Problems::default();
    let config = parse(&bytes, &mut problems).map_err(format)?;
    Ok(CaesarFile { config, problems, digest })
}

/// The configuration that some bytes hold.
fn parse(bytes: &[u8], problems: &mut Problems) -> Result<CaesarConfig, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let root: Value = serde_json::from_slice(bytes)
        .map_err(|e| format!("a Caesar configuration is one JSON object; this is not JSON: {e}"))?;
    let Value::Object(root) = root else {
        return Err(
            "a Caesar configuration is one JSON object with `reducers` and `subject_rules`".to_owned()
        );
    };
    // The REST interface and some scripts wrap it.
    let root = match root.get("workflow") {
        Some(Value::Object(inner)) => inner.clone(),
        _ => root,
    };
    let workflow = ["workflow_id", "id"].iter().find_map(|key| id_text(root.get(*key)?));
    let mut config = CaesarConfig { workflow, ..CaesarConfig::default() };
    if let Some((name, value)) = section(&root, &["extractors_config", "extractors"]) {
        config.extractors = parts::extractors(name, value, problems)?;
    }
    if let Some((name, value)) = section(&root, &["reducers_config", "reducers"]) {
        config.reducers = parts::reducers(name, value, problems)?;
    }
    let rules = section(&root, &["rules_config", "subject_rules_config", "subject_rules", "rules"]);
    let Some((name, value)) = rules else {
        return Err("no rules: a Caesar configuration has `subject_rules` (or `rules`)".to_owned());
    };
    config.rules = parts::rules(name, value)?;
    config.n_user_rules = root.get("user_rules").and_then(Value::as_array).map_or(0, Vec::len);
    config.applied = applied(&root)?;
    if config.n_user_rules > 0 {
        let what = format!("{} rules about volunteers are not replayed", config.n_user_rules);
        problems.add(0, "user_rules", ProblemKind::Suspicious, what);
    }
    Ok(config)
}

fn section<'v>(
    root: &'v Map<String, Value>,
    names: &[&'static str],
) -> Option<(&'static str, &'v Value)> {
    names.iter().find_map(|name| Some((*name, root.get(*name).filter(|v| !v.is_null())?)))
}

/// An id as text, whether it was written as a number or as a text.
fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn applied(root: &Map<String, Value>) -> Result<RulesApplied, String> {
    match root.get("rules_applied").filter(|v| !v.is_null()).map(Value::as_str) {
        None | Some(Some("all_matching_rules")) => Ok(RulesApplied::AllMatching),
        Some(Some("first_matching_rule")) => Ok(RulesApplied::FirstMatching),
        Some(other) => Err(format!(
            "rules_applied is {other:?}; there are all_matching_rules and first_matching_rule"
        )),
    }
}

#[cfg(test)]
mod tests;
