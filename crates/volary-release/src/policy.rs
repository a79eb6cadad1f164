//! `policy.toml`: the team's decisions (thresholds, credit rule, sampling shares, k), with a version that
//! is stamped on whatever follows from them.
//!
//! Any keys may stand in it; what they mean is for those who read them. Here is only what must hold of all:
//! it has a version, and another decision has another version.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::ReleaseError;
use crate::settings::Settings;

/// A policy, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Its version.
    pub version: String,
    /// All else, by dotted path, as TOML writes it.
    values: BTreeMap<String, String>,
    table: toml::Table,
}

/// One decision that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Dotted path.
    pub decision: String,
    /// As it was; `None` where it is new.
    pub before: Option<String>,
    /// As it is; `None` where it is gone.
    pub after: Option<String>,
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// [`ReleaseError::Settings`] where it is no TOML or has no `version`.
    pub fn read(path: &Path) -> Result<Self, ReleaseError> {
        let text = std::fs::read_to_string(path).map_err(ReleaseError::reading(path))?;
        Self::parse(&text).map_err(|what| ReleaseError::settings(path, what))
    }

    fn parse(text: &str) -> Result<Self, String> {
        Self::of(toml::from_str(text).map_err(|e| e.message().to_owned())?)
    }

    /// What [`Policy::json`] wrote, read.
    pub(crate) fn of_json(value: &serde_json::Value) -> Result<Self, String> {
        Self::of(serde_json::from_value(value.clone()).map_err(|e| e.to_string())?)
    }

    fn of(table: toml::Table) -> Result<Self, String> {
        let version = match table.get("version") {
            Some(toml::Value::String(version)) if !version.trim().is_empty() => version.clone(),
            _ => return Err("a policy needs a line such as `version = \"2026-11\"`".to_owned()),
        };
        let mut values = BTreeMap::new();
        for (key, value) in table.iter().filter(|(key, _)| *key != "version") {
            flatten(key, value, &mut values);
        }
        Ok(Self { version, values, table })
    }

    /// As JSON, for a package.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::to_value(&self.table).unwrap_or_default()
    }

    /// A decision, by its key.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&toml::Value> {
        self.table.get(key)
    }

    /// Whether a release's settings are what the policy decided under `[release]`: `tier`, and what stands under
    /// `[privacy]` of a release.toml. What the policy does not name is the settings'.
    ///
    /// # Errors
    /// [`ReleaseError::Refused`] where they differ, or where the policy decided what no release has: the package would
    /// carry a policy that it was not made under.
    pub fn rules(&self, settings: &Settings) -> Result<(), ReleaseError> {
        let refuse = |what: String| {
            Err(ReleaseError::Refused(format!("policy {}, [release]: {what}", self.version)))
        };
        let decided = match self.value("release") {
            None => return Ok(()),
            Some(toml::Value::Table(decided)) => decided,
            Some(other) => {
                return refuse(format!("{other} is no table; write `[release]` and lines below it"));
            }
        };
        let mut set = toml::Table::try_from(&settings.privacy).map_err(|e| {
            ReleaseError::Refused(format!("the settings under [privacy] cannot be read: {e}"))
        })?;
        set.insert("tier".to_owned(), toml::Value::String(format!("{:?}", settings.tier)));
        let number =
            |value: &toml::Value| value.as_float().or_else(|| value.as_integer().map(|n| n as f64));
        for (key, wanted) in decided {
            let given = match set.get(key) {
                Some(given) => given.to_string(),
                None if key == "line" => "none".to_owned(),
                None => {
                    let known: Vec<&str> = set.keys().map(String::as_str).chain(["line"]).collect();
                    return refuse(format!(
                        "nothing of a release is called {key}; there are {}",
                        known.join(", ")
                    ));
                }
            };
            let is_same = set.get(key).is_some_and(|given| {
                wanted == given || (number(wanted).is_some() && number(wanted) == number(given))
            });
            if !is_same {
                return refuse(format!(
                    "it decided {key} = {wanted}, and release.toml has {given}; let both say the same"
                ));
            }
        }
        Ok(())
    }

    /// What differs, by decision.
    #[must_use]
    pub fn diff(&self, after: &Self) -> Vec<Change> {
        let mut keys: Vec<&String> = self.values.keys().chain(after.values.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter()
            .filter(|key| self.values.get(*key) != after.values.get(*key))
            .map(|key| Change {
                decision: key.clone(),
                before: self.values.get(key).cloned(),
                after: after.values.get(key).cloned(),
            })
            .collect()
    }

    /// Whether another policy has another version.
    ///
    /// # Errors
    /// [`ReleaseError::Refused`] where decisions differ and the version does not: what was stamped with it
    /// would be ambiguous.
    pub fn is_told_apart(&self, after: &Self) -> Result<(), ReleaseError> {
        let differ = match self.diff(after).len() {
            _ if self.version != after.version => return Ok(()),
            0 => return Ok(()),
            1 => "1 decision differs".to_owned(),
            n => format!("{n} decisions differ"),
        };
        Err(ReleaseError::Refused(format!(
            "{differ} under the same version {:?}; give the later policy a version of its own",
            self.version
        )))
    }
}

fn flatten(path: &str, value: &toml::Value, out: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(table) if !table.is_empty() => {
            for (key, value) in table {
                flatten(&format!("{path}.{key}"), value, out);
            }
        }
        value => {
            out.insert(path.to_owned(), value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed() {
        let before =
            Policy::parse("version = \"1\"\nk = 10\n[alert]\nvotes = 8\nshare = 0.8\n").unwrap();
        let after =
            Policy::parse("version = \"2\"\nk = 10\n[alert]\nshare = 0.9\nold = true\n").unwrap();
        let changes = before.diff(&after);
        before.is_told_apart(&after).unwrap();
        let told: Vec<String> = changes
            .iter()
            .map(|c| format!("{} {:?} {:?}", c.decision, c.before.as_deref(), c.after.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                "alert.old None Some(\"true\")",
                "alert.share Some(\"0.8\") Some(\"0.9\")",
                "alert.votes Some(\"8\") None"
            ]
        );
        assert!(before.diff(&before).is_empty());
        before.is_told_apart(&before).unwrap();
    }

    #[test]
    fn another_policy_needs_another_version() {
        let before = Policy::parse("version = \"1\"\nk = 10\n").unwrap();
        let silent = Policy::parse("version = \"1\"\nk = 5\n").unwrap();
        assert_eq!(before.diff(&silent).len(), 1);
        assert!(before.is_told_apart(&silent).unwrap_err().to_string().contains("same version"));
        let again = Policy::of_json(&before.json()).unwrap();
        assert_eq!(again, before);
        for text in ["k = 10", "version = 1", "version = \" \"", "version ="] {
            assert!(Policy::parse(text).is_err(), "{text}");
        }
    }
}
