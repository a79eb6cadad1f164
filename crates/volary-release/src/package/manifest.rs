//! What is in a package, once: titles, licence, files, checksums, numbers of rows. Every metadata format is
//! written from it, so that they cannot disagree.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::derived::Origin;
use crate::bias::Registry;
use crate::error::ReleaseError;
use crate::settings::Settings;
use crate::tables::Written;

/// A file of the package.
#[derive(Clone, Debug)]
pub(crate) struct FileEntry {
    /// `data/votes.csv`, always with `/`.
    pub(crate) path: String,
    pub(crate) media_type: &'static str,
    pub(crate) about: String,
    pub(crate) n_bytes: u64,
    pub(crate) sha256: String,
}

impl FileEntry {
    /// Looks at a file that was written.
    pub(crate) fn of(package: &Path, path: &str, about: &str) -> Result<Self, ReleaseError> {
        let (n_bytes, sha256) = digest(&package.join(path))?;
        Ok(Self {
            path: path.to_owned(),
            media_type: media_type(path),
            about: about.to_owned(),
            n_bytes,
            sha256,
        })
    }

    /// A name without folders and dots, for formats that want one.
    pub(crate) fn slug(&self) -> String {
        self.path.trim_start_matches("data/").replace(['.', '/'], "-")
    }
}

/// The media type that a file's name says.
pub(crate) fn media_type(path: &str) -> &'static str {
    match Path::new(path).extension().and_then(|e| e.to_str()).unwrap_or_default() {
        "parquet" => "application/vnd.apache.parquet",
        "csv" => "text/csv",
        "vot" => "application/x-votable+xml",
        "json" => "application/json",
        "md" => "text/markdown",
        "cff" => "text/yaml",
        "safetensors" => "application/octet-stream",
        _ => "text/plain",
    }
}

/// Bytes and SHA-256 of a file.
pub(crate) fn digest(path: &Path) -> Result<(u64, String), ReleaseError> {
    let mut file = std::fs::File::open(path).map_err(ReleaseError::reading(path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    let mut n_bytes = 0;
    loop {
        let n = file.read(&mut buffer).map_err(ReleaseError::reading(path))?;
        if n == 0 {
            return Ok((n_bytes, data_encoding::HEXLOWER.encode(&hasher.finalize())));
        }
        n_bytes += n as u64;
        hasher.update(&buffer[..n]);
    }
}

/// A table, and its files.
#[derive(Clone, Debug)]
pub(crate) struct TableEntry {
    pub(crate) written: Written,
    pub(crate) files: Vec<FileEntry>,
}

impl TableEntry {
    pub(crate) fn of(package: &Path, written: Written) -> Result<Self, ReleaseError> {
        let name = |path: &PathBuf| path.to_string_lossy().replace('\\', "/");
        let files: Result<Vec<FileEntry>, ReleaseError> = written
            .files
            .iter()
            .map(|path| FileEntry::of(package, &name(path), written.table.about()))
            .collect();
        Ok(Self { files: files?, written })
    }

    pub(crate) fn file(&self, extension: &str) -> Option<&FileEntry> {
        self.files.iter().find(|f| f.path.ends_with(extension))
    }
}

/// The manifest.
pub(crate) struct Manifest<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) tables: Vec<TableEntry>,
    /// All other files written before the metadata.
    pub(crate) others: Vec<FileEntry>,
    pub(crate) biases: &'a Registry,
    pub(crate) policy_version: Option<String>,
    /// Whether a list of those who opted out was given.
    pub(crate) knows_optouts: bool,
    /// Where it comes from.
    pub(crate) origin: Origin,
    pub(crate) privacy: Value,
    pub(crate) votes_per_subject: f64,
}

impl Manifest<'_> {
    /// All files so far: data first.
    pub(crate) fn files(&self) -> impl Iterator<Item = &FileEntry> {
        self.tables.iter().flat_map(|t| &t.files).chain(&self.others)
    }

    /// The address of the data set: its DOI where there is one.
    pub(crate) fn address(&self) -> Option<String> {
        let settings = self.settings;
        settings.doi.as_ref().map(|d| format!("https://doi.org/{d}")).or_else(|| settings.url.clone())
    }

    /// How to cite it, in a line.
    pub(crate) fn citation(&self) -> String {
        let s = self.settings;
        let authors: Vec<String> =
            s.creators.iter().map(super::super::settings::Creator::name).collect();
        let address = self.address().map_or_else(String::new, |a| format!(" {a}"));
        format!(
            "{} ({}): {}. Version {}. {}.{address}",
            authors.join(", "),
            &s.date[..4],
            s.title,
            s.version,
            s.publisher
        )
    }

    /// What is done for volunteers, in sentences.
    pub(crate) fn personal(&self) -> String {
        let p = &self.settings.privacy;
        let optouts = if self.knows_optouts {
            "Those who opted out are left out."
        } else {
            "No list of people who opted out was given."
        };
        format!(
            "{} No names, no addresses, no sessions, no free text, no exact times. Groups of volunteers have at least {} members; answers that fewer than {} volunteers gave, and subjects that fewer saw, are left out. {optouts}",
            self.settings.tier.promise(),
            p.k,
            p.min_volunteers
        )
    }
}

/// JSON as it stands in a package: indented, with a newline at its end.
pub(crate) fn json_bytes(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}
