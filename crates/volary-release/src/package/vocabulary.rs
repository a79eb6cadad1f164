//! Words that stand in every package, whatever it is about: a name that is one of them cannot be told apart.

use serde_json::json;

use super::derived::Origin;
use super::manifest::{FileEntry, Manifest, TableEntry, media_type};
use super::{SUMS, metadata, readme};
use crate::bias::Registry;
use crate::package::KINDS;
use crate::settings::Settings;
use crate::tables::Written;
use crate::tier::Tier;

/// The words of every package, whatever it is about: those of its files without a project in them.
pub(crate) fn vocabulary() -> &'static str {
    static WORDS: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    WORDS.get_or_init(words_of_every_package)
}

fn words_of_every_package() -> String {
    use crate::settings::{Creator, Privacy, Responsible};
    let none = String::new;
    let settings = Settings {
        project: none(),
        version: none(),
        title: none(),
        description: none(),
        date: "2000-01-01".to_owned(),
        licence: "CC-BY-4.0".to_owned(),
        publisher: none(),
        doi: Some(none()),
        url: Some(none()),
        keywords: vec![none()],
        creators: vec![Creator {
            given: none(),
            family: none(),
            orcid: Some(none()),
            affiliation: Some(none()),
        }],
        tier: Tier::C,
        privacy: Privacy::default(),
        noise: Some(crate::noise::Noise {
            epsilon: 1.0,
            lifetime_epsilon: 1.0,
            votes: 1,
            from: None,
            to: None,
            activity: true,
            questions: Vec::new(),
        }),
        responsible: Responsible {
            collection: none(),
            protocol: none(),
            platform: none(),
            annotators: none(),
            uses: vec![none()],
            limits: vec![none()],
            maintenance: none(),
            machines: vec![none()],
        },
    };
    let entry = |path: String| FileEntry {
        media_type: media_type(&path),
        path,
        about: none(),
        n_bytes: 0,
        sha256: none(),
    };
    let tables = crate::tier::Table::ALL.into_iter().map(|table| TableEntry {
        files: ["parquet", "csv", "vot"].map(|e| entry(format!("data/{}.{e}", table.name()))).to_vec(),
        written: Written {
            table,
            columns: table.columns(Tier::C).unwrap_or_default(),
            n_rows: 0,
            files: Vec::new(),
        },
    });
    let files = json!([{"blake3": "", "name": ""}, {"of_volunteers": 1, "name": ""}]);
    let run = json!({"volary": "", "command": "", "inputs": files, "outputs": files});
    let mut m = Manifest {
        settings: &settings,
        tables: tables.collect(),
        others: Vec::new(),
        biases: &Registry::default(),
        policy_version: Some(none()),
        knows_optouts: true,
        origin: Origin { runs: vec![run], used: Vec::new() },
        privacy: json!({
            "attacks": [{"attack": "dictionary exact times Talk linkage credit intersection singling out difference join versions"}],
            "noise": "law discrete Laplace unit volunteer with an account scale epsilon of all versions week activity answer",
        }),
        votes_per_subject: 0.0,
    };
    let mut words = [readme::readme(&m), readme::licence(&m), metadata::citation(&m)].join("\n");
    for value in [
        metadata::data_package(&m),
        metadata::croissant(&m),
        metadata::datacite(&m),
        metadata::provenance(&m),
        metadata::ro_crate(&m, &[SUMS]),
    ] {
        words.push_str(&value.to_string());
    }
    for tier in [Tier::A, Tier::B, Tier::C, Tier::D] {
        words.push_str(tier.promise());
    }
    words.push_str(&KINDS.join(" "));
    // What a package says of what it was not given.
    m.knows_optouts = false;
    m.privacy["attacks"] = json!([]);
    words.push_str(&readme::readme(&m));
    words
}
