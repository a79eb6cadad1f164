//! The bias registry, `biases.toml`: what is known to be skewed in the data, who found it when, what was
//! done. Every release carries it; a registry without entries says that none are known, which is a claim
//! too. Finding biases is statistics and lives elsewhere.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::ReleaseError;

/// What is being done about a bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Known, nothing helps yet.
    Open,
    /// Something was done about it.
    Mitigated,
    /// Small or gone; looked at again with each release.
    Watched,
}

/// A size with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// The estimate.
    pub value: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// One known bias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bias {
    /// Short and for ever: `B-1`.
    pub id: String,
    /// What it is, in a sentence.
    pub what: String,
    /// The day it was found, `2026-11-28`.
    pub found: String,
    /// Where it can be seen: a run, a paper, a Talk thread.
    pub evidence: String,
    /// What is done about it.
    #[serde(default)]
    pub mitigation: String,
    /// How it stands.
    pub state: State,
    /// The slice of the data, as an expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    /// How large it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// The versions of the data or the model that it is in; all, where none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub affects: Vec<String>,
}

/// The registry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// In the order of the file.
    #[serde(default, rename = "bias")]
    pub biases: Vec<Bias>,
}

impl Registry {
    /// Reads a registry.
    ///
    /// # Errors
    /// [`ReleaseError::Settings`] where an entry is incomplete or contradicts itself.
    pub fn read(path: &Path) -> Result<Self, ReleaseError> {
        let text = std::fs::read_to_string(path).map_err(ReleaseError::reading(path))?;
        // The whole of what the parser says: it shows the line, and so the field.
        let registry: Self = toml::from_str(&text).map_err(|e| {
            let what = format!("not a registry of biases: {}", e.to_string().trim_end());
            ReleaseError::settings(path, what)
        })?;
        registry.check().map_err(|what| ReleaseError::settings(path, what))?;
        Ok(registry)
    }

    /// Writes it.
    ///
    /// # Errors
    /// As [`Registry::read`], and where the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), ReleaseError> {
        self.check().map_err(|what| ReleaseError::settings(path, what))?;
        let text = toml::to_string(self)
            .map_err(|e| ReleaseError::settings(path, format!("the registry cannot be written: {e}")))?;
        Ok(volary_ingest::output::write_whole(path, text.as_bytes())?)
    }

    fn check(&self) -> Result<(), String> {
        let mut ids = BTreeSet::new();
        for bias in &self.biases {
            let wrong = |what: &str| Err(format!("bias {:?}: {what}", bias.id));
            if bias.id.trim().is_empty() || !ids.insert(&bias.id) {
                return wrong("ids are not empty and stand once");
            }
            for (name, text) in [("what", &bias.what), ("evidence", &bias.evidence)] {
                if text.trim().is_empty() {
                    return wrong(&format!("`{name}` is empty; a bias without it helps nobody"));
                }
            }
            if bias.found.parse::<jiff::civil::Date>().is_err() {
                return wrong("`found` is not a day such as 2026-11-28");
            }
            if bias.state == State::Mitigated && bias.mitigation.trim().is_empty() {
                return wrong("it is mitigated, so `mitigation` says how");
            }
            if bias.effect.is_some_and(|e| !(e.low <= e.value && e.value <= e.high)) {
                return wrong("the effect is not within its interval");
            }
        }
        Ok(())
    }

    /// The section of a README.
    #[must_use]
    pub fn markdown(&self) -> String {
        if self.biases.is_empty() {
            return "None are known. That is a statement about what was looked for, not a promise.\n"
                .into();
        }
        let mut out = String::new();
        for bias in &self.biases {
            let state = match bias.state {
                State::Open => "open",
                State::Mitigated => "mitigated",
                State::Watched => "watched",
            };
            out.push_str(&format!(
                "### {} ({state}, found {})\n\n{}\n\n",
                bias.id, bias.found, bias.what
            ));
            let mut line = |name: &str, text: &str| {
                if !text.is_empty() {
                    out.push_str(&format!("- {name}: {text}\n"));
                }
            };
            if let Some(slice) = &bias.slice {
                line("Slice", &format!("`{slice}`"));
            }
            if let Some(e) = &bias.effect {
                line("Effect", &format!("{} ({} to {})", e.value, e.low, e.high));
            }
            line("Evidence", &bias.evidence);
            let none = "none yet".to_owned();
            line("Mitigation", if bias.mitigation.is_empty() { &none } else { &bias.mitigation });
            line("In", &bias.affects.join(", "));
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = r#"
[[bias]]
id = "B-1"
what = "Cosmic rays are over-represented among positives."
found = "2024-03-01"
evidence = "run 12"
mitigation = "Sub-frames are shown."
state = "mitigated"
effect = { value = 0.1, low = 0.05, high = 0.15 }

[[bias]]
id = "B-2"
what = "False positives near bright galaxies."
found = "2024-09-01"
evidence = "slice table of 2024-09"
state = "open"
slice = "host_mag < 15"
affects = ["Gen 2"]
"#;

    fn read(text: &str) -> Result<Registry, ReleaseError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("biases.toml");
        std::fs::write(&path, text).unwrap();
        Registry::read(&path)
    }

    #[test]
    fn a_registry_goes_round_and_is_told() {
        let registry = read(TWO).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("biases.toml");
        registry.write(&path).unwrap();
        assert_eq!(Registry::read(&path).unwrap(), registry);
        let told = registry.markdown();
        for words in
            ["### B-2 (open, found 2024-09-01)", "`host_mag < 15`", "none yet", "0.1 (0.05 to 0.15)"]
        {
            assert!(told.contains(words), "{told}");
        }
        assert!(Registry::default().markdown().starts_with("None are known."));
    }

    #[test]
    fn half_an_entry_is_refused() {
        let cases = [
            (TWO.replace("B-2", "B-1"), "stand once"),
            (TWO.replace("slice table of 2024-09", " "), "evidence"),
            (TWO.replace("2024-09-01", "autumn"), "not a day"),
            (TWO.replace("Sub-frames are shown.", ""), "says how"),
            (TWO.replace("value = 0.1", "value = 0.3"), "within its interval"),
            (TWO.replace("state = \"open\"", "state = \"fine\""), "unknown variant"),
            (TWO.replace("slice =", "slyce ="), "unknown field"),
        ];
        for (text, words) in cases {
            let message = read(&text).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn what_is_of_the_wrong_type_is_told_by_line_and_field() {
        let cases = [
            (TWO.replace("\"2024-09-01\"", "2024-09-01"), "line 14, ", "found = 2024-09-01"),
            (TWO.replace("value = 0.1", "value = \"0.1\""), "line 9, ", "effect = { value = \"0.1\""),
            (TWO.replace("affects = [\"Gen 2\"]", "affects = 2"), "line 18, ", "affects = 2"),
        ];
        for (text, line, field) in cases {
            let message = read(&text).unwrap_err().to_string();
            assert!(message.contains(line) && message.contains(field), "{message}");
            assert!(message.ends_with("biases.toml"), "{message}");
        }
    }

    /// The book shows a registry that can be read.
    #[test]
    fn the_example_of_the_book_is_a_registry() {
        let book = include_str!("../../../docs/src/release.md");
        let examples: Vec<&str> = book
            .split("```toml\n")
            .skip(1)
            .filter_map(|rest| rest.split("```").next())
            .filter(|example| example.contains("[[bias]]"))
            .collect();
        assert_eq!(examples.len(), 1);
        let registry = read(examples[0]).unwrap();
        assert!(registry.biases.iter().any(|bias| bias.effect.is_some() && bias.slice.is_some()));
    }
}
