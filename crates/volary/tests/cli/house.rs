//! The rules that the house keeps, read off its own files.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{root, walk};

/// Which crates of ours a crate may stand on (docs/architecture.md says why).
const MAY_DEPEND_ON: [(&str, &[&str]); 10] = [
    ("volary-core", &[]),
    ("volary-ingest", &["volary-core"]),
    ("volary-crowd", &["volary-core"]),
    ("volary-release", &["volary-core", "volary-crowd", "volary-ingest"]),
    ("volary-live", &["volary-core", "volary-crowd", "volary-loop"]),
    ("volary-loop", &["volary-core", "volary-crowd"]),
    ("volary-space", &["volary-core"]),
    ("volary-vision", &["volary-core"]),
    (
        "volary-web",
        &["volary-core", "volary-crowd", "volary-ingest", "volary-live", "volary-loop", "volary-space"],
    ),
    (
        "volary",
        &[
            "volary-core",
            "volary-ingest",
            "volary-crowd",
            "volary-release",
            "volary-live",
            "volary-loop",
            "volary-space",
            "volary-vision",
            "volary-web",
        ],
    ),
];

fn crates() -> BTreeSet<String> {
    let entries = std::fs::read_dir(root().join("crates")).unwrap();
    entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn data_runs_one_way_through_the_crates() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_DEPEND_ON.into_iter().collect();
    for name in crates() {
        let manifest =
            std::fs::read_to_string(root().join("crates").join(&name).join("Cargo.toml")).unwrap();
        let manifest: toml::Value = toml::from_str(&manifest).unwrap();
        let allowed = allowed.get(name.as_str()).unwrap_or_else(|| panic!("{name} is in no rule"));
        for dependency in manifest["dependencies"].as_table().unwrap().keys() {
            let ours = dependency.starts_with("volary");
            assert!(!ours || allowed.contains(&dependency.as_str()), "{name} depends on {dependency}");
        }
    }
}

#[test]
fn only_the_deep_models_know_burn() {
    for name in crates().into_iter().filter(|name| name != "volary-vision") {
        let manifest =
            std::fs::read_to_string(root().join("crates").join(&name).join("Cargo.toml")).unwrap();
        assert!(!manifest.contains("burn"), "{name} depends on burn");
    }
}

#[test]
fn only_the_live_store_knows_a_database() {
    for name in crates().into_iter().filter(|name| name != "volary-live") {
        let manifest =
            std::fs::read_to_string(root().join("crates").join(&name).join("Cargo.toml")).unwrap();
        assert!(!manifest.contains("sqlx"), "{name} depends on sqlx");
    }
    walk(&root().join("crates/volary-live/src"), &mut |path| {
        let is_store = path.components().any(|part| part.as_os_str() == "store");
        let text = std::fs::read_to_string(path).unwrap();
        assert!(is_store || !text.contains("sqlx"), "sqlx in {}", path.display());
    });
}

#[test]
fn core_crowd_loop_and_space_do_no_io_and_read_no_clock() {
    let banned = [
        "std::fs",
        "std::io",
        "std::net",
        "std::env",
        "SystemTime",
        "Instant::",
        "rand::rng()",
        "thread_rng",
    ];
    for name in ["volary-core", "volary-crowd", "volary-loop", "volary-space"] {
        walk(&root().join("crates").join(name).join("src"), &mut |path| {
            // Tests may read golden files and look at the time.
            if path.file_name().is_some_and(|n| n.to_string_lossy().ends_with("tests.rs")) {
                return;
            }
            let text = std::fs::read_to_string(path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for word in banned {
                assert!(!code.contains(word), "{word} in {}", path.display());
            }
        });
    }
}

/// An error is shown with its causes. One that has its cause in its own words would say it twice.
#[test]
fn no_error_says_its_cause_and_has_it_as_a_source_too() {
    let mut n_read = 0;
    for name in crates() {
        walk(&root().join("crates").join(name).join("src"), &mut |path| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            for rest in text.split("#[error(").skip(1) {
                let Some((message, variant)) = rest.split_once(")]") else { continue };
                let variant = variant.trim_start();
                // A variant ends with its line, or with its fields.
                let first = variant.lines().find(|line| !line.trim_start().starts_with("///"));
                let is_tuple = first.is_some_and(|line| !line.ends_with('{'));
                let end = if is_tuple { ",\n" } else { "\n    }" };
                let variant = variant.split(end).next().unwrap_or_default();
                let has_source = variant.contains("#[from]") || variant.contains("#[source]");
                let says_it = message.contains("{0}") && has_source;
                assert!(!says_it && !message.contains("{source}"), "{}: {message}", path.display());
                n_read += 1;
            }
        });
    }
    assert!(n_read > 200, "{n_read}");
}

#[test]
fn the_architecture_page_names_only_what_exists_and_every_crate() {
    let page = std::fs::read_to_string(root().join("docs/src/architecture.md")).unwrap();
    let mut named = BTreeSet::new();
    for piece in page.split('`').skip(1).step_by(2) {
        let is_path =
            piece.contains('/') && !piece.contains(' ') && !piece.contains(['*', '<', '{', '$']);
        if is_path && !piece.starts_with("..") && !piece.contains("::") {
            assert!(
                root().join(piece).exists(),
                "the architecture page names {piece}, which is not there"
            );
        }
        if piece.starts_with("volary") && piece.chars().all(|c| c.is_ascii_lowercase() || c == '-') {
            named.insert(piece.to_owned());
        }
    }
    for name in crates() {
        assert!(named.contains(&name), "the architecture page does not name {name}");
    }
    for name in &named {
        assert!(crates().contains(name), "the architecture page names {name}, which is not there");
    }
}

#[test]
fn every_page_of_the_book_is_in_its_summary() {
    let source = root().join("docs/src");
    let summary = std::fs::read_to_string(source.join("SUMMARY.md")).unwrap();
    walk(&source, &mut |path| {
        let name = path.strip_prefix(&source).unwrap().to_string_lossy().into_owned();
        if name.ends_with(".md") && name != "SUMMARY.md" {
            assert!(summary.contains(&format!("({name})")), "{name} is not in SUMMARY.md");
        }
    });
    for link in summary.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(source.join(link).is_file(), "SUMMARY.md names {link}, which is not there");
    }
}
