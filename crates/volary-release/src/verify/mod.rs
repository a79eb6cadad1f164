//! Looks at a package with a stranger's eyes: is it whole, does it say what it holds, does it hold what it
//! may, and nothing else?
//!
//! Nothing is taken from how a package was made; any folder may be looked at. What is wrong is a list of
//! findings, and a package with one is not to be published. What could not be looked at for want of a key, a
//! list of names or a registry is said, too.

mod cards;
mod contents;
mod groups;
mod json;
mod metadata;
mod names;
mod structure;
mod tables;

use std::path::Path;

use serde::Serialize;
use volary_ingest::Progress;

use crate::bias::Registry;
use crate::error::ReleaseError;
use crate::names::NameSet;
use crate::optout::OptOuts;
use crate::pseudonym::Pseudonyms;
use crate::settings::Settings;

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    /// Files that are missing, too many, or oddly named.
    Structure,
    /// Bytes that are not those of the checksum.
    Checksums,
    /// Metadata that are broken, or contradict each other or the data.
    Metadata,
    /// Tables, columns or cells that may not leave.
    Schema,
    /// Groups that are too small.
    Groups,
    /// A volunteer's name.
    Names,
    /// Somebody who opted out.
    OptOuts,
    /// A known bias that is not told.
    Biases,
}

impl Check {
    /// All checks, in the order in which they are made.
    pub const ALL: [Self; 8] = [
        Self::Structure,
        Self::Checksums,
        Self::Metadata,
        Self::Schema,
        Self::Groups,
        Self::Names,
        Self::OptOuts,
        Self::Biases,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Structure => "structure",
            Self::Checksums => "checksums",
            Self::Metadata => "metadata",
            Self::Schema => "schema",
            Self::Groups => "groups",
            Self::Names => "names",
            Self::OptOuts => "opt-outs",
            Self::Biases => "biases",
        }
    }
}

/// Something wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// What it is about.
    pub check: Check,
    /// The file, within the package.
    pub file: String,
    /// What is wrong. Never the name that was found: findings are shown.
    pub what: String,
}

/// What to hold a package against.
#[derive(Debug, Default)]
pub struct Against<'a> {
    /// Names of the volunteers.
    pub names: Option<&'a [String]>,
    /// The opt-out list, and the pseudonyms of the release to look for.
    pub optouts: Option<(&'a OptOuts, &'a Pseudonyms)>,
    /// The registry whose open entries must be told.
    pub biases: Option<&'a Registry>,
    /// What must be promised at the least. Without them the package is held against its own promises.
    pub settings: Option<&'a Settings>,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verified {
    /// What is wrong, by check and file.
    pub findings: Vec<Finding>,
    /// What was not looked at, and what it needs.
    pub not_checked: Vec<&'static str>,
    /// Files.
    pub n_files: u64,
    /// Bytes.
    pub n_bytes: u64,
    /// Names looked for; of those too short or common to be told apart.
    pub names: Option<(u64, u64, u64)>,
}

impl Verified {
    /// Whether the package may be published, as far as this can say.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.findings.is_empty()
    }

    fn find(&mut self, check: Check, file: &str, what: impl Into<String>) {
        self.findings.push(Finding { check, file: file.to_owned(), what: what.into() });
    }
}

/// Where names stand in a package: in any byte of any file, in the text of Parquet files, in file names.
pub(crate) fn names_within(package: &Path, set: &NameSet) -> Result<Vec<Finding>, ReleaseError> {
    let mut out = Verified::default();
    let files = structure::walk(package, &mut out)?;
    let mut found = Verified::default();
    names::check(package, &files, set, &mut found)?;
    Ok(found.findings)
}

/// Verifies a package.
///
/// # Errors
/// Where the folder cannot be read at all, or has nothing of a package. What is wrong with one is no error but a finding.
pub fn verify(
    package: &Path,
    against: &Against<'_>,
    progress: &Progress,
) -> Result<Verified, ReleaseError> {
    if !package.is_dir() {
        return Err(ReleaseError::package(package, "not a folder; a package is one"));
    }
    if !["datapackage.json", "SHA256SUMS"].iter().any(|name| package.join(name).exists()) {
        let what = "no package: neither datapackage.json nor SHA256SUMS is in it; give the folder that `volary release` wrote";
        return Err(ReleaseError::package(package, what));
    }
    let mut out = Verified::default();
    let files = structure::walk(package, &mut out)?;
    let sums = structure::sums(package, &files, &mut out)?;
    let described = metadata::check(package, &files, &sums, &mut out)?;
    contents::check(package, &described, &files, &mut out, progress)?;
    tables::check(package, &mut out, progress);
    groups::check(package, &described, &mut out, progress)?;
    cards::check(package, &files, &described, &mut out);
    match against.names {
        Some(names) => {
            let set = NameSet::new(names.iter().map(String::as_str), &names::ours(package, &described))?;
            out.names = Some((set.n_names, set.n_short, set.n_common));
            if set.n_names == 0 {
                out.not_checked
                    .push("names: none of those that were given can be told apart from other words");
            }
            names::check(package, &files, &set, &mut out)?;
        }
        None => out.not_checked.push("names: needs the list of names, --names FILE"),
    }
    match against.optouts {
        Some((optouts, pseudonyms)) => {
            contents::optouts(package, optouts, pseudonyms, &mut out, progress)?
        }
        None => out.not_checked.push("opt-outs: needs the list and the key, --optouts FILE --key FILE"),
    }
    match against.settings {
        Some(settings) => groups::promises(&described, settings, &mut out),
        None => out.not_checked.push(
            "whether enough is promised (tier, time, k, l, min_volunteers, min_classifications, noise, most_found, most_joined): needs your settings, --settings FILE",
        ),
    }
    match against.biases {
        Some(registry) => metadata::biases(package, registry, &mut out)?,
        None => out.not_checked.push("biases: needs the registry, --biases FILE"),
    }
    out.findings.sort();
    out.findings.dedup();
    Ok(out)
}
