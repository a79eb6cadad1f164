//! What only people can say of a model: the table `[card]` of the policy, and `[card.KIND]` for one kind of
//! model over it.

use serde::Deserialize;

use crate::error::ReleaseError;
use crate::policy::Policy;

/// What only people can say.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prose {
    /// What the model is called; its folder's name, where nothing is said.
    #[serde(default)]
    pub name: Option<String>,
    /// Licence by its SPDX name.
    pub licence: String,
    /// Which question it answers, for whom.
    pub intended_use: String,
    /// What it must not be used for.
    pub out_of_scope: String,
    /// Where the data are from, who the volunteers were, who gave leave.
    pub data: String,
    /// Whom to ask.
    pub contact: String,
    /// What else limits it.
    #[serde(default)]
    pub limits: Option<String>,
    /// How to cite it.
    #[serde(default)]
    pub citation: Option<String>,
    /// Published data sets that it learned from: DOIs, or names on Hugging Face.
    #[serde(default)]
    pub datasets: Vec<String>,
    /// Words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// Licences for models: SPDX name, Hugging Face's name.
const LICENCES: [(&str, &str); 9] = [
    ("Apache-2.0", "apache-2.0"),
    ("BSD-3-Clause", "bsd-3-clause"),
    ("CC-BY-4.0", "cc-by-4.0"),
    ("CC-BY-NC-4.0", "cc-by-nc-4.0"),
    ("CC-BY-SA-4.0", "cc-by-sa-4.0"),
    ("CC0-1.0", "cc0-1.0"),
    ("GPL-3.0-only", "gpl-3.0"),
    ("MIT", "mit"),
    ("MPL-2.0", "mpl-2.0"),
];

impl Prose {
    /// What a policy says of models of a kind.
    ///
    /// # Errors
    /// [`ReleaseError::Refused`] where something is missing, empty or unknown.
    pub fn of(policy: &Policy, kind: &str) -> Result<Self, ReleaseError> {
        let refuse = |what: String| ReleaseError::Refused(format!("[card] in the policy: {what}"));
        let Some(toml::Value::Table(card)) = policy.value("card") else {
            let what =
                "it is missing; licence, intended_use, out_of_scope, data and contact stand there";
            return Err(refuse(what.to_owned()));
        };
        let is_own = |value: &toml::Value| !matches!(value, toml::Value::Table(_));
        let mut table: toml::Table =
            card.iter().filter(|(_, v)| is_own(v)).map(|(k, v)| (k.clone(), v.clone())).collect();
        if let Some(toml::Value::Table(of_kind)) = card.get(kind) {
            table.extend(of_kind.clone());
        }
        let prose: Self =
            table.try_into().map_err(|e: toml::de::Error| refuse(e.message().to_owned()))?;
        prose.check().map_err(refuse)?;
        Ok(prose)
    }

    fn check(&self) -> Result<(), String> {
        for (name, text) in [
            ("intended_use", &self.intended_use),
            ("out_of_scope", &self.out_of_scope),
            ("data", &self.data),
            ("contact", &self.contact),
        ] {
            if text.trim().is_empty() {
                return Err(format!("`{name}` is empty; nobody else can say it"));
            }
        }
        if self.licence_of_hub().is_none() {
            let all = LICENCES.map(|l| l.0).join(", ");
            return Err(format!("`licence` {:?} is not one of {all}", self.licence));
        }
        Ok(())
    }

    /// The licence as Hugging Face calls it.
    #[must_use]
    pub fn licence_of_hub(&self) -> Option<&'static str> {
        LICENCES.iter().find(|l| l.0 == self.licence).map(|l| l.1)
    }
}
