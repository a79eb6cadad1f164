//! The metadata: each readable by itself, all saying the same, and the same as the files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::structure::is_within;
use super::{Check, Verified, json};
use crate::bias::{Registry, State};
use crate::error::ReleaseError;
use crate::package::{KINDS, SUMS, media_type};
use crate::tier::{Kind, Table, Tier};

/// What the metadata say.
#[derive(Debug, Default)]
pub(crate) struct Described {
    pub(crate) tier: Option<Tier>,
    /// Rows of each data file.
    pub(crate) rows: BTreeMap<String, u64>,
    pub(crate) privacy: Value,
    /// The authors' names: the team's own.
    pub(crate) creators: String,
}

const JSON: [&str; 8] = [
    "datapackage.json",
    "croissant.json",
    "ro-crate-metadata.json",
    "datacite.json",
    "prov.json",
    "known_biases.json",
    "privacy_report.json",
    "policy.json",
];

/// Reads and compares all metadata.
pub(crate) fn check(
    package: &Path,
    files: &BTreeMap<String, u64>,
    sums: &BTreeMap<String, String>,
    out: &mut Verified,
) -> Result<Described, ReleaseError> {
    let mut read: BTreeMap<&str, Value> = BTreeMap::new();
    for name in JSON.into_iter().filter(|n| files.contains_key(*n)) {
        let path = package.join(name);
        let bytes = std::fs::read(&path).map_err(ReleaseError::reading(&path))?;
        match json::parse(&bytes) {
            Ok(value) => {
                read.insert(name, value);
            }
            Err(what) => out.find(Check::Metadata, name, what),
        }
    }
    for name in ["README.md", "CITATION.cff", "LICENSE"].into_iter().filter(|n| files.contains_key(*n)) {
        let path = package.join(name);
        let bytes = std::fs::read(&path).map_err(ReleaseError::reading(&path))?;
        if bytes.starts_with(b"\xef\xbb\xbf") || std::str::from_utf8(&bytes).is_err() {
            out.find(Check::Metadata, name, "not plain UTF-8");
        }
    }
    let nothing = Value::Null;
    let get = |name: &str| read.get(name).unwrap_or(&nothing);
    let (frictionless, croissant) = (get("datapackage.json"), get("croissant.json"));
    let (ro_crate, datacite) = (get("ro-crate-metadata.json"), get("datacite.json"));
    let root = entity(ro_crate, "./");
    let said = |values: [&Value; 4]| values.map(|v| v.as_str().unwrap_or_default().to_owned());
    agree(
        "title",
        &said([
            &frictionless["title"],
            &croissant["name"],
            &root["name"],
            &datacite["titles"][0]["title"],
        ]),
        out,
    );
    agree(
        "version",
        &said([&frictionless["version"], &croissant["version"], &root["version"], &datacite["version"]]),
        out,
    );
    agree(
        "description",
        &said([
            &frictionless["description"],
            &croissant["description"],
            &root["description"],
            &datacite["descriptions"][0]["description"],
        ]),
        out,
    );
    agree(
        "licence",
        &said([
            &frictionless["licenses"][0]["path"],
            &croissant["license"],
            &root["license"]["@id"],
            &datacite["rightsList"][0]["rightsUri"],
        ]),
        out,
    );
    let tier = serde_json::from_value::<Tier>(frictionless["volary:tier"].clone()).ok();
    if tier.is_none() && !frictionless.is_null() {
        out.find(Check::Metadata, "datapackage.json", "no tier that there is (volary:tier)");
    }
    let mut described =
        Described { tier, privacy: get("privacy_report.json").clone(), ..Described::default() };
    for creator in frictionless["contributors"].as_array().into_iter().flatten() {
        described.creators.push_str(creator["title"].as_str().unwrap_or_default());
        described.creators.push('\n');
    }
    if described.privacy["tier"] != frictionless["volary:tier"] {
        out.find(Check::Metadata, "privacy_report.json", "another tier than in datapackage.json");
    }
    resources(frictionless, files, sums, &mut described, out);
    distribution(croissant, files, sums, out);
    parts(ro_crate, &root, files, sums, out);
    made(get("prov.json"), files, sums, out);
    Ok(described)
}

fn agree(what: &str, said: &[String; 4], out: &mut Verified) {
    let files = ["datapackage.json", "croissant.json", "ro-crate-metadata.json", "datacite.json"];
    for (file, text) in files.iter().zip(said) {
        if text.is_empty() {
            out.find(Check::Metadata, file, format!("no {what}"));
        } else if *text != said[0] && !said[0].is_empty() {
            out.find(Check::Metadata, file, format!("another {what} than in datapackage.json"));
        }
    }
}

fn entity(ro_crate: &Value, id: &str) -> Value {
    let graph = ro_crate["@graph"].as_array();
    graph.into_iter().flatten().find(|e| e["@id"] == id).cloned().unwrap_or_default()
}

/// What a manifest says of one file.
struct Said<'a> {
    manifest: &'static str,
    path: &'a str,
    sha256: &'a str,
    media_type: &'a str,
}

fn file_is_as_said(
    said: &Said<'_>,
    files: &BTreeMap<String, u64>,
    sums: &BTreeMap<String, String>,
    out: &mut Verified,
) {
    let Said { manifest, path, sha256, media_type: given } = *said;
    if !is_within(path) {
        out.find(Check::Metadata, manifest, format!("a path that leads out of the package: {path:?}"));
        return;
    }
    if !files.contains_key(path) {
        out.find(Check::Metadata, manifest, format!("it names {path}, which is not there"));
        return;
    }
    if sums.get(path).is_some_and(|sum| sum != sha256) && path != SUMS {
        out.find(Check::Metadata, manifest, format!("another checksum of {path} than in {SUMS}"));
    }
    let expected = media_type(path);
    let is_croissant_parquet = given == "application/x-parquet" && path.ends_with(".parquet");
    if given != expected && !(is_croissant_parquet && manifest == "croissant.json") {
        out.find(Check::Metadata, manifest, format!("{path} is {expected}, not {given:?}"));
    }
}

fn all_data_named(
    manifest: &'static str,
    named: &BTreeSet<&str>,
    files: &BTreeMap<String, u64>,
    out: &mut Verified,
) {
    for file in files.keys().filter(|f| f.starts_with("data/") && !named.contains(f.as_str())) {
        out.find(Check::Metadata, manifest, format!("it does not name {file}"));
    }
}

fn resources(
    package: &Value,
    files: &BTreeMap<String, u64>,
    sums: &BTreeMap<String, String>,
    described: &mut Described,
    out: &mut Verified,
) {
    const FILE: &str = "datapackage.json";
    let mut named = BTreeSet::new();
    for resource in package["resources"].as_array().into_iter().flatten() {
        let text = |name: &str| resource[name].as_str().unwrap_or_default();
        let path = text("path");
        if !named.insert(path) {
            out.find(Check::Metadata, FILE, format!("{path:?} stands twice"));
        }
        let sha256 = text("hash").strip_prefix("sha256:").unwrap_or_default();
        let said = Said { manifest: FILE, path, sha256, media_type: text("mediatype") };
        file_is_as_said(&said, files, sums, out);
        if files.get(path).is_some_and(|n| resource["bytes"].as_u64() != Some(*n)) {
            out.find(Check::Metadata, FILE, format!("another number of bytes than {path} has"));
        }
        if !path.ends_with(".csv") {
            continue;
        }
        match resource["rows"].as_u64() {
            Some(rows) => {
                described.rows.insert(path.to_owned(), rows);
            }
            None => out.find(Check::Metadata, FILE, format!("no number of rows of {path}")),
        }
        if let Some(tier) = described.tier {
            fields(path, &resource["schema"], tier, out);
        }
    }
    all_data_named(FILE, &named, files, out);
}

/// The columns that a resource says it has are those that may leave.
fn fields(path: &str, schema: &Value, tier: Tier, out: &mut Verified) {
    let name = path.trim_start_matches("data/").trim_end_matches(".csv");
    let Some(columns) = Table::ALL.into_iter().find(|t| t.name() == name).and_then(|t| t.columns(tier))
    else {
        out.find(Check::Schema, path, "a table that does not leave in this tier");
        return;
    };
    let told: Vec<(&str, &str)> = schema["fields"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|f| (f["name"].as_str().unwrap_or_default(), f["type"].as_str().unwrap_or_default()))
        .collect();
    let kind = |k: Kind| match k {
        Kind::Text => "string",
        Kind::Count | Kind::Integer => "integer",
        Kind::Number => "number",
    };
    let expected: Vec<(&str, &str)> = columns.iter().map(|c| (c.name, kind(c.kind))).collect();
    if told != expected {
        out.find(Check::Metadata, "datapackage.json", format!("other columns of {path} than may leave"));
    }
    for field in schema["fields"].as_array().into_iter().flatten().filter(|f| f["name"] == "kind") {
        let values: Vec<&str> = field["constraints"]["enum"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if values != KINDS {
            out.find(
                Check::Metadata,
                "datapackage.json",
                format!("other kinds of questions in {path} than there are"),
            );
        }
    }
}

fn distribution(
    croissant: &Value,
    files: &BTreeMap<String, u64>,
    sums: &BTreeMap<String, String>,
    out: &mut Verified,
) {
    const FILE: &str = "croissant.json";
    let mut named = BTreeSet::new();
    for file in croissant["distribution"].as_array().into_iter().flatten() {
        let text = |name: &str| file[name].as_str().unwrap_or_default();
        let path = text("contentUrl");
        named.insert(path);
        let said =
            Said { manifest: FILE, path, sha256: text("sha256"), media_type: text("encodingFormat") };
        file_is_as_said(&said, files, sums, out);
    }
    all_data_named(FILE, &named, files, out);
    for term in ["dataBiases", "dataLimitations", "personalSensitiveInformation", "dataUseCases"] {
        let value = &croissant[format!("rai:{term}")];
        let is_empty =
            value.as_str().is_some_and(str::is_empty) || value.as_array().is_some_and(Vec::is_empty);
        if !croissant.is_null() && (value.is_null() || is_empty) {
            out.find(Check::Metadata, FILE, format!("nothing under rai:{term}"));
        }
    }
}

fn parts(
    ro_crate: &Value,
    root: &Value,
    files: &BTreeMap<String, u64>,
    sums: &BTreeMap<String, String>,
    out: &mut Verified,
) {
    const FILE: &str = "ro-crate-metadata.json";
    if ro_crate.is_null() {
        return;
    }
    let mut named = BTreeSet::new();
    for part in root["hasPart"].as_array().into_iter().flatten() {
        let path = part["@id"].as_str().unwrap_or_default();
        named.insert(path);
        let about = entity(ro_crate, path);
        let text = |name: &str| about[name].as_str().unwrap_or_default();
        let said =
            Said { manifest: FILE, path, sha256: text("sha256"), media_type: text("encodingFormat") };
        file_is_as_said(&said, files, sums, out);
    }
    for file in files.keys().filter(|f| *f != FILE && !named.contains(f.as_str())) {
        out.find(Check::Metadata, FILE, format!("it does not name {file}"));
    }
}

/// Provenance says of every data file that the release made it, by its checksum.
fn made(
    provenance: &Value,
    files: &BTreeMap<String, u64>,
    sums: &BTreeMap<String, String>,
    out: &mut Verified,
) {
    if provenance.is_null() {
        return;
    }
    let generated = provenance["wasGeneratedBy"].as_object().into_iter().flatten();
    let made: BTreeSet<&str> = generated
        .filter(|(_, made)| made["prov:activity"] == "volary:release")
        .filter_map(|(_, made)| {
            provenance["entity"][made["prov:entity"].as_str()?]["volary:sha256"].as_str()
        })
        .collect();
    for file in files.keys().filter(|file| file.starts_with("data/")) {
        if sums.get(file).is_some_and(|sum| !made.contains(sum.as_str())) {
            out.find(Check::Metadata, "prov.json", format!("it does not say that {file} was made"));
        }
    }
}

/// Every open bias of the registry is told, to machines and to people.
pub(crate) fn biases(
    package: &Path,
    registry: &Registry,
    out: &mut Verified,
) -> Result<(), ReleaseError> {
    let read = |name: &str| std::fs::read(package.join(name)).unwrap_or_default();
    let told = json::parse(&read("known_biases.json")).unwrap_or_default();
    let readme = String::from_utf8_lossy(&read("README.md")).into_owned();
    for bias in registry.biases.iter().filter(|b| b.state != State::Watched) {
        let entries = || told["biases"].as_array().into_iter().flatten();
        // Read back, so that its numbers went the same way as those of the package.
        let ours =
            serde_json::to_vec(bias).ok().and_then(|ours| json::parse(&ours).ok()).unwrap_or_default();
        if !entries().any(|entry| entry["id"] == ours["id"]) {
            out.find(Check::Biases, "known_biases.json", format!("{} is not told", bias.id));
        } else if !entries().any(|entry| *entry == ours) {
            let what = format!("{} is told otherwise than the registry has it", bias.id);
            out.find(Check::Biases, "known_biases.json", what);
        }
        if !readme.contains(&format!("### {} (", bias.id)) {
            out.find(Check::Biases, "README.md", format!("{} is not told", bias.id));
        }
    }
    Ok(())
}
