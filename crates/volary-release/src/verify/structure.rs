//! Files: those that belong there, no others, with the bytes that they had.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{Check, Verified};
use crate::error::ReleaseError;
use crate::package::{MODEL_FILES, N_NEEDED, SUMS, digest};
use crate::tier::Table;

/// Files of every package.
const REQUIRED: [&str; 11] = [
    "CITATION.cff",
    "LICENSE",
    "README.md",
    SUMS,
    "croissant.json",
    "datacite.json",
    "datapackage.json",
    "known_biases.json",
    "privacy_report.json",
    "prov.json",
    "ro-crate-metadata.json",
];
const ALLOWED: [&str; 1] = ["policy.json"];

/// The files of a package by their path within it, with `/`.
pub(crate) fn walk(package: &Path, out: &mut Verified) -> Result<BTreeMap<String, u64>, ReleaseError> {
    let mut files = BTreeMap::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let path = package.join(&folder);
        for entry in std::fs::read_dir(&path).map_err(ReleaseError::reading(&path))? {
            let entry = entry.map_err(ReleaseError::reading(&path))?;
            let kind = entry.file_type().map_err(ReleaseError::reading(&path))?;
            let Ok(name) = entry.file_name().into_string() else {
                let shown = entry.file_name().to_string_lossy().into_owned();
                out.find(Check::Structure, &folder, format!("a name that is not UTF-8: {shown:?}"));
                continue;
            };
            let within = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if kind.is_dir() {
                folders.push(within);
            } else if kind.is_file() {
                let metadata = entry.metadata().map_err(ReleaseError::reading(&path))?;
                files.insert(within, metadata.len());
            } else {
                // A link may lead anywhere; a pipe never ends.
                out.find(Check::Structure, &within, "neither a file nor a folder");
            }
        }
    }
    let allowed = allowed();
    for file in files.keys().filter(|f| !allowed.contains(*f) && !is_of_model(f)) {
        out.find(Check::Structure, file, "a file that no package has");
    }
    for model in files.keys().filter_map(|f| Some(f.strip_prefix("models/")?.split_once('/')?.0)) {
        for needed in &MODEL_FILES[..N_NEEDED] {
            let file = format!("models/{model}/{needed}");
            if !files.contains_key(&file) {
                out.find(Check::Structure, &file, "the file is missing");
            }
        }
    }
    for file in REQUIRED.iter().filter(|f| !files.contains_key(**f)) {
        out.find(Check::Structure, file, "the file is missing");
    }
    if !files.keys().any(|f| f.starts_with("data/") && f.ends_with(".parquet")) {
        out.find(Check::Structure, "data", "no table at all");
    }
    out.n_files = files.len() as u64;
    out.n_bytes = files.values().sum();
    Ok(files)
}

/// Whether it is a file of a model.
fn is_of_model(file: &str) -> bool {
    let parts: Vec<&str> = file.split('/').collect();
    let [folder, model, name] = parts.as_slice() else { return false };
    let is_slug = model.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    *folder == "models" && is_slug && (MODEL_FILES.contains(name) || name.ends_with(".safetensors"))
}

fn allowed() -> BTreeSet<String> {
    let data = Table::ALL
        .iter()
        .flat_map(|t| ["parquet", "csv", "vot"].map(|e| format!("data/{}.{e}", t.name())));
    REQUIRED.iter().chain(&ALLOWED).map(|f| (*f).to_owned()).chain(data).collect()
}

/// Whether a path of a manifest stays within the package.
pub(crate) fn is_within(path: &str) -> bool {
    !path.is_empty()
        && !path.starts_with('/')
        && !path.contains(['\\', ':', '\0'])
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

/// The checksums, read strictly and held against the files.
pub(crate) fn sums(
    package: &Path,
    files: &BTreeMap<String, u64>,
    out: &mut Verified,
) -> Result<BTreeMap<String, String>, ReleaseError> {
    let mut sums = BTreeMap::new();
    if !files.contains_key(SUMS) {
        return Ok(sums);
    }
    let path = package.join(SUMS);
    let bytes = std::fs::read(&path).map_err(ReleaseError::reading(&path))?;
    if bytes.contains(&b'\r') {
        out.find(Check::Structure, SUMS, "carriage returns; `sha256sum -c` would not read it");
    }
    let Ok(text) = String::from_utf8(bytes) else {
        out.find(Check::Structure, SUMS, "not UTF-8");
        return Ok(sums);
    };
    for (i, line) in text.lines().enumerate() {
        let is_hex = |t: &str| {
            t.len() == 64 && t.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        match line.split_once("  ") {
            Some((sum, name)) if is_hex(sum) && is_within(name) => {
                if sums.insert(name.to_owned(), sum.to_owned()).is_some() {
                    out.find(
                        Check::Structure,
                        SUMS,
                        format!("line {}: a file that stands twice", i + 1),
                    );
                }
            }
            _ => {
                out.find(Check::Structure, SUMS, format!("line {} is no checksum of a file here", i + 1))
            }
        }
    }
    for file in files.keys().filter(|f| *f != SUMS && !sums.contains_key(*f)) {
        out.find(Check::Checksums, file, "no checksum");
    }
    for (file, sum) in &sums {
        if !files.contains_key(file) {
            out.find(Check::Structure, file, "the file is missing");
            continue;
        }
        if digest(&package.join(file))?.1 != *sum {
            out.find(Check::Checksums, file, "other bytes than those of the checksum");
        }
    }
    Ok(sums)
}
