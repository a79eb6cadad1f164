//! `release.toml`: what only the team can say about a release. All five metadata formats are filled from
//! it, so that they cannot disagree. Nothing in it is about a single volunteer.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::calendar::Resolution;
use crate::error::ReleaseError;
use crate::noise::Noise;
use crate::tier::Tier;

/// The settings of a release.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Short name of the project, `cat-project`; part of file names and of every pseudonym.
    pub project: String,
    /// Version of the data, `1.0`; part of every pseudonym.
    pub version: String,
    /// Title of the data set.
    pub title: String,
    /// What it is, in a few sentences.
    pub description: String,
    /// The day of the release, `2026-11-28`. An input, so that the same inputs give the same bytes.
    pub date: String,
    /// Licence by its SPDX name, `CC-BY-4.0`.
    pub licence: String,
    /// Who publishes it.
    pub publisher: String,
    /// The digital object identifier, `10.5281/zenodo.123`, where there is one.
    #[serde(default)]
    pub doi: Option<String>,
    /// Where it can be found.
    #[serde(default)]
    pub url: Option<String>,
    /// Words to find it by.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// The team: authors of the data set. Volunteers are thanked together, not here.
    pub creators: Vec<Creator>,
    /// What leaves: A, B, C or D.
    #[serde(default)]
    pub tier: Tier,
    /// How volunteers are protected.
    #[serde(default)]
    pub privacy: Privacy,
    /// Histograms with noise; none, where nothing is said.
    #[serde(default)]
    pub noise: Option<Noise>,
    /// What responsible use needs to know.
    pub responsible: Responsible,
}

/// An author.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Creator {
    /// Given names.
    pub given: String,
    /// Family name.
    pub family: String,
    /// ORCID, `0000-0002-1825-0097`.
    #[serde(default)]
    pub orcid: Option<String>,
    /// Institute.
    #[serde(default)]
    pub affiliation: Option<String>,
}

impl Creator {
    /// The name as it is said.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.given, self.family)
    }
}

/// How volunteers are protected.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Privacy {
    /// The smallest group of volunteers who look alike.
    pub k: u32,
    /// The fewest different skill deciles in such a group; 1 asks for nothing.
    pub l: u32,
    /// Tier C and D: how coarse the time of a vote is.
    pub time: Resolution,
    /// Tier C: volunteers with fewer classifications have subject-local pseudonyms.
    pub min_classifications: u64,
    /// Answers that fewer volunteers gave to a task, and subjects that fewer saw, do not leave.
    pub min_volunteers: u32,
    /// The name of a line of releases whose pseudonyms are the same. Nothing: no release is linked.
    pub line: Option<String>,
    /// The most people that the attacks may find, of all whom they look for.
    pub most_found: u64,
    /// The share of pseudonyms that may be joined with those of the version before by what their rows say.
    pub most_joined: f64,
    /// Tier C and D: nobody is credited in public, and nobody writes comments. Otherwise they are to be given, so that
    /// the attacks can be tried.
    pub nobody_is_public: bool,
}

impl Default for Privacy {
    fn default() -> Self {
        Self {
            k: 10,
            l: 1,
            time: Resolution::Week,
            min_classifications: 50,
            min_volunteers: 3,
            line: None,
            most_found: 0,
            most_joined: 0.1,
            nobody_is_public: false,
        }
    }
}

impl Privacy {
    /// The most of `n` pseudonyms that may be joined with those of the version before.
    #[must_use]
    pub fn most_joined(&self, n: u64) -> u64 {
        (self.most_joined * n as f64).floor() as u64
    }
}

/// What responsible use needs to know; Croissant's responsible-AI terms, and the README.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Responsible {
    /// How the data came about.
    pub collection: String,
    /// What volunteers were asked, and how they were taught.
    pub protocol: String,
    /// Where they did it.
    pub platform: String,
    /// Who they are, as far as it is known and may be said.
    pub annotators: String,
    /// What the data are for.
    pub uses: Vec<String>,
    /// What they are not for, and where they fail.
    pub limits: Vec<String>,
    /// Who keeps them, for how long, and whom to ask.
    pub maintenance: String,
    /// Machines that helped to label.
    #[serde(default)]
    pub machines: Vec<String>,
}

impl Settings {
    /// Reads and checks `release.toml`.
    ///
    /// # Errors
    /// [`ReleaseError::Settings`] for what is missing, unknown or says no sense.
    pub fn read(path: &Path) -> Result<Self, ReleaseError> {
        let text = std::fs::read_to_string(path).map_err(ReleaseError::reading(path))?;
        Self::parse(&text).map_err(|what| ReleaseError::settings(path, what))
    }

    /// As [`Settings::read`], from text.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let settings: Self = toml::from_str(text).map_err(|e| e.message().to_owned())?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), String> {
        let is_slug = |text: &str| {
            !text.is_empty()
                && text.len() <= 64
                && !text.starts_with('.')
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        if !is_slug(&self.project) || !is_slug(&self.version) {
            return Err("`project` and `version` are letters, digits, `-`, `_` and `.` only".to_owned());
        }
        let r = &self.responsible;
        for (name, text) in [
            ("title", &self.title),
            ("description", &self.description),
            ("publisher", &self.publisher),
            ("responsible.collection", &r.collection),
            ("responsible.protocol", &r.protocol),
            ("responsible.platform", &r.platform),
            ("responsible.annotators", &r.annotators),
            ("responsible.maintenance", &r.maintenance),
        ] {
            if text.trim().is_empty() {
                return Err(format!("`{name}` is empty; nobody else can say it"));
            }
        }
        let is_day = self.date.len() == 10 && self.date.parse::<jiff::civil::Date>().is_ok();
        if !is_day {
            return Err("`date` is not a day such as 2026-11-28".to_owned());
        }
        if licence_url(&self.licence).is_none() {
            return Err(format!(
                "`licence` {:?} is not one of {}",
                self.licence,
                LICENCES.map(|l| l.0).join(", ")
            ));
        }
        if self.creators.is_empty() {
            return Err("`[[creators]]` is missing; a data set has an author".to_owned());
        }
        for creator in &self.creators {
            if creator.given.trim().is_empty() || creator.family.trim().is_empty() {
                return Err("every creator has a `given` and a `family` name".to_owned());
            }
            if creator.orcid.as_deref().is_some_and(|o| !is_orcid(o)) {
                return Err(format!("the ORCID of {} has a digit wrong", creator.name()));
            }
        }
        if self.doi.as_deref().is_some_and(|d| !d.starts_with("10.") || !d.contains('/')) {
            return Err("`doi` starts with `10.` and has no `https://`".to_owned());
        }
        if self.privacy.k < 2 || self.privacy.l < 1 || self.privacy.min_volunteers < 2 {
            return Err("`k` and `min_volunteers` are at least 2, `l` at least 1".to_owned());
        }
        if !(0.0..=1.0).contains(&self.privacy.most_joined) {
            return Err("`most_joined` is a share, from 0 to 1".to_owned());
        }
        if self.privacy.time < Resolution::Week && self.tier != Tier::D {
            return Err("days leave in tier D only; say `time = \"week\"`".to_owned());
        }
        if let Some(noise) = &self.noise {
            noise.check()?;
        }
        if r.uses.is_empty() || r.limits.is_empty() {
            return Err("`responsible.uses` and `responsible.limits` need a line each".to_owned());
        }
        Ok(())
    }

    /// Where the licence can be read.
    #[must_use]
    pub fn licence_url(&self) -> &'static str {
        licence_url(&self.licence).unwrap_or_default()
    }

    /// The licence in words.
    #[must_use]
    pub fn licence_name(&self) -> &'static str {
        LICENCES.iter().find(|l| l.0 == self.licence).map_or("", |l| l.1)
    }
}

/// Licences for data: SPDX name, name in words, address.
const LICENCES: [(&str, &str, &str); 6] = [
    (
        "CC0-1.0",
        "Creative Commons Zero v1.0 Universal",
        "https://creativecommons.org/publicdomain/zero/1.0/",
    ),
    (
        "CC-BY-4.0",
        "Creative Commons Attribution 4.0 International",
        "https://creativecommons.org/licenses/by/4.0/",
    ),
    (
        "CC-BY-SA-4.0",
        "Creative Commons Attribution Share Alike 4.0 International",
        "https://creativecommons.org/licenses/by-sa/4.0/",
    ),
    (
        "CC-BY-NC-4.0",
        "Creative Commons Attribution Non Commercial 4.0 International",
        "https://creativecommons.org/licenses/by-nc/4.0/",
    ),
    (
        "ODbL-1.0",
        "Open Data Commons Open Database License v1.0",
        "https://opendatacommons.org/licenses/odbl/1-0/",
    ),
    (
        "ODC-By-1.0",
        "Open Data Commons Attribution License v1.0",
        "https://opendatacommons.org/licenses/by/1-0/",
    ),
];

fn licence_url(name: &str) -> Option<&'static str> {
    LICENCES.iter().find(|l| l.0 == name).map(|l| l.2)
}

/// ISO 7064 11,2, as ORCID says.
fn is_orcid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let digits: Vec<u8> = text.bytes().filter(|b| *b != b'-').collect();
    if parts.len() != 4 || parts.iter().any(|p| p.len() != 4) || digits.len() != 16 {
        return false;
    }
    let mut total = 0;
    for digit in &digits[..15] {
        if !digit.is_ascii_digit() {
            return false;
        }
        total = (total + u32::from(digit - b'0')) * 2 % 11;
    }
    let last = (12 - total) % 11;
    digits[15] == if last == 10 { b'X' } else { b'0' + last as u8 }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const EXAMPLE: &str = r#"
project = "cat-project"
version = "1.0"
title = "Cats of the Cat Project"
description = "Which animal is it? Answers of volunteers to photographs."
date = "2026-11-28"
licence = "CC-BY-4.0"
publisher = "Cat Institute"
doi = "10.5072/cats"
keywords = ["cats", "citizen science"]

[[creators]]
given = "Ada"
family = "Lovelace"
orcid = "0000-0002-1825-0097"
affiliation = "Cat Institute"

[responsible]
collection = "Volunteers answered one question a photograph on a web page."
protocol = "A tutorial of three pages; a field guide."
platform = "Zooniverse"
annotators = "Anybody with a browser; nobody was asked who they are."
uses = ["To train classifiers of photographs."]
limits = ["Not for counting cats."]
maintenance = "The Cat Institute keeps it until 2036; cats@example.org answers."
"#;

    #[test]
    fn the_example_is_whole() {
        let settings = Settings::parse(EXAMPLE).unwrap();
        assert_eq!((settings.tier, settings.privacy.k), (Tier::A, 10));
        assert!(settings.licence_url().ends_with("/by/4.0/"));
    }

    #[test]
    fn what_is_missing_or_wrong_is_said() {
        let cases = [
            ("title = \"Cats of the Cat Project\"", "", "title"),
            ("\"Zooniverse\"", "\" \"", "responsible.platform"),
            ("2026-11-28", "today", "not a day"),
            ("CC-BY-4.0", "CC-BY-5.0", "is not one of"),
            ("0097", "0098", "digit wrong"),
            ("\"cat-project\"", "\"../cats\"", "letters, digits"),
            ("\"10.5072/cats\"", "\"https://doi.org/10.5072/cats\"", "starts with `10.`"),
            ("[responsible]", "[privacy]\nk = 1\n[responsible]", "at least 2"),
            ("[responsible]", "[privacy]\ntime = \"day\"\n[responsible]", "tier D only"),
            ("[responsible]", "[privacy]\ntime = \"second\"\n[responsible]", "unknown variant"),
            ("[responsible]", "[privacy]\nmost_joined = 5\n[responsible]", "from 0 to 1"),
            ("[responsible]", "[privacy]\nmost_joined = nan\n[responsible]", "from 0 to 1"),
            ("[responsible]", "[privacy]\nmost_joined = -1\n[responsible]", "from 0 to 1"),
            ("doi =", "names = 3\ndoi =", "unknown field"),
        ];
        for (from, to, words) in cases {
            assert!(EXAMPLE.contains(from), "{from}");
            let message = Settings::parse(&EXAMPLE.replacen(from, to, 1)).unwrap_err();
            assert!(message.contains(words), "{message}");
        }
    }
}
