//! What people read: the cards of models, the known biases and the attacks in the README. Each is made anew of what
//! the package has for machines, and must be that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::metadata::Described;
use super::{Check, Verified, json};
use crate::bias::Registry;
use crate::package::{check_card, told_attacks};
use crate::policy::Policy;

pub(crate) fn check(
    package: &Path,
    files: &BTreeMap<String, u64>,
    described: &Described,
    out: &mut Verified,
) {
    let read = |name: &str| json::parse(&std::fs::read(package.join(name)).ok()?).ok();
    let Some(registry) = read("known_biases.json").and_then(|told| registry(&told)) else {
        out.find(Check::Biases, "known_biases.json", "it is no list of known biases");
        return;
    };
    let text = |name: &str| {
        String::from_utf8_lossy(&std::fs::read(package.join(name)).unwrap_or_default()).into_owned()
    };
    let readme = text("README.md");
    let about = read("datapackage.json").unwrap_or_default();
    let said = |name: &str| about[name].as_str().unwrap_or_default().to_owned();
    let licence = about["licenses"][0]["name"].as_str().unwrap_or_default();
    let (title, version) = (said("title"), said("version"));
    let quoted = |text: &str| Value::from(text).to_string();
    for (file, words) in [
        ("README.md", format!("# {title}\n")),
        ("README.md", format!("\nVersion {version}, ")),
        ("LICENSE", format!("\nSPDX-License-Identifier: {licence}\n")),
        ("CITATION.cff", format!("\ntitle: {}\n", quoted(&title))),
        ("CITATION.cff", format!("\nversion: {}\n", quoted(&version))),
        ("CITATION.cff", format!("\nlicense: {licence}\n")),
    ] {
        if !text(file).contains(&words) {
            let what = format!("it does not say {:?}, as datapackage.json does", words.trim());
            out.find(Check::Metadata, file, what);
        }
    }
    if !readme.contains(&format!("## Known biases\n\n{}\n## ", registry.markdown())) {
        out.find(Check::Biases, "README.md", "it tells other known biases than known_biases.json");
    }
    if !readme.contains(&told_attacks(&described.privacy)) {
        out.find(Check::Metadata, "README.md", "it tells other attacks than privacy_report.json");
    }
    let models: BTreeSet<&str> =
        files.keys().filter_map(|f| Some(f.strip_prefix("models/")?.split_once('/')?.0)).collect();
    let policy = read("policy.json").and_then(|value| Policy::of_json(&value).ok());
    for model in models {
        let card = format!("models/{model}/card.md");
        let Some(policy) = &policy else {
            out.find(Check::Metadata, &card, "a model without the policy that its card is made under");
            continue;
        };
        match check_card(&package.join("models").join(model), &registry, policy) {
            Ok(differences) => {
                for what in differences {
                    out.find(
                        Check::Metadata,
                        &card,
                        format!("not what the files beside it say: {what}"),
                    );
                }
            }
            Err(error) => {
                out.find(Check::Metadata, &card, format!("no card can be made of it: {error}"))
            }
        }
    }
}

/// The known biases, as a package has them.
fn registry(told: &Value) -> Option<Registry> {
    Some(Registry { biases: serde_json::from_value(told.get("biases")?.clone()).ok()? })
}
