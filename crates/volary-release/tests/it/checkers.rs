//! Others' programs accept our packages and refuse broken ones: `mlcroissant`, `roc-validator`,
//! `frictionless`, `cffconvert`, `datacite`, `prov`, `astropy`, `pyCANON`. They are Python packages; the
//! environment variable `VOLARY_CHECKERS` names a virtual environment that has them (`cargo xtask test` makes
//! one). Without it these tests say so and pass.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use volary_release::tier::Tier;

use crate::support::Project;

fn python() -> Option<PathBuf> {
    let found = std::env::var_os("VOLARY_CHECKERS").map(|v| Path::new(&v).join("bin/python"));
    let found = found.filter(|p| p.exists());
    if found.is_none() {
        eprintln!("skipped: VOLARY_CHECKERS names no virtual environment");
    }
    found
}

fn ask(python: &Path, package: &Path, only: &[&str]) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkers/check.py");
    let output = Command::new(python).arg(script).arg(package).args(only).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let start =
        text.find("{\n").unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(&text[start..]).unwrap()
}

#[test]
fn every_checker_accepts_every_tier() {
    let Some(python) = python() else { return };
    let project = Project::new();
    for tier in [Tier::A, Tier::B, Tier::C, Tier::D] {
        let answers = ask(&python, &project.package(tier), &[]);
        for (checker, answer) in answers.as_object().unwrap() {
            assert_eq!(answer, "ok", "{checker} on tier {tier:?}");
        }
        assert_eq!(answers.as_object().unwrap().len(), 13);
    }
}

#[test]
fn checkers_refuse_what_is_broken() {
    let Some(python) = python() else { return };
    let edit = |package: &Path, file: &str, from: &str, to: &str| {
        let path = package.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} holds no {from}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    };
    type Harm<'h> = &'h dyn Fn(&Path);
    let flip = |path: &Path| {
        let mut bytes = std::fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).unwrap();
    };
    // The twelve mutants of specification 6.5, which ours finds too (`the_twelve_mutants_are_found`).
    let cases: [(&str, Harm<'_>); 22] = [
        // 1: a byte.
        ("croissant", &|p| flip(&p.join("data/counts.parquet"))),
        ("sums", &|p| flip(&p.join("data/counts.vot"))),
        ("frictionless", &|p| edit(p, "data/counts.csv", ",0.", ",0.0")),
        // 2: a file less.
        ("ro_crate", &|p| std::fs::remove_file(p.join("data/gold.vot")).unwrap()),
        ("sums", &|p| std::fs::remove_file(p.join("LICENSE")).unwrap()),
        ("audit", &|p| std::fs::remove_file(p.join("LICENSE")).unwrap()),
        // 3: a file more.
        ("audit", &|p| std::fs::write(p.join("data/users.csv"), "a\n").unwrap()),
        // 4: the number of rows.
        ("croissant", &|p| edit(p, "datapackage.json", "\"rows\": 2", "\"rows\": 3")),
        // 5: the licence.
        ("ro_crate", &|p| edit(p, "ro-crate-metadata.json", "\"license\"", "\"licenze\"")),
        // 6: a value that is none.
        ("frictionless", &|p| edit(p, "data/counts.csv", ",0.", ",x.")),
        // 7: a key that stands twice.
        ("strict_json", &|p| {
            edit(
                p,
                "datacite.json",
                "\"version\": \"1.0\"",
                "\"version\": \"1.0\", \"version\": \"1.0\"",
            );
        }),
        // 8: a media type.
        ("croissant", &|p| {
            edit(p, "croissant.json", "\"application/x-parquet\"", "\"image/png\"");
            edit(p, "croissant.json", "\"text/csv\"", "\"image/png\"");
        }),
        // 9: a path that leads out.
        ("frictionless", &|p| edit(p, "datapackage.json", "\"data/counts.csv\"", "\"../counts.csv\"")),
        ("croissant", &|p| {
            edit(p, "croissant.json", "\"data/counts.parquet\"", "\"/data/counts.parquet\"")
        }),
        // 10: a byte order mark.
        ("strict_json", &|p| edit(p, "prov.json", "{", "\u{feff}{")),
        ("croissant", &|p| edit(p, "croissant.json", "{", "\u{feff}{")),
        // 11: line ends of the checksums, which coreutils forgives.
        ("perl_sums", &|p| {
            let sums = std::fs::read_to_string(p.join("SHA256SUMS")).unwrap();
            std::fs::write(p.join("SHA256SUMS"), sums.replace('\n', "\r\n")).unwrap();
        }),
        // 12: a name that is no UTF-8.
        ("audit", &|p| {
            use std::os::unix::ffi::OsStrExt as _;
            std::fs::write(p.join(std::ffi::OsStr::from_bytes(b"data/\xff.csv")), "x").unwrap();
        }),
        // And what each format minds by itself.
        ("cff", &|p| edit(p, "CITATION.cff", "type: dataset", "type: poem")),
        ("datacite", &|p| edit(p, "datacite.json", "\"publicationYear\"", "\"year\"")),
        ("votables", &|p| edit(p, "data/counts.vot", "datatype=\"long\"", "datatype=\"lang\"")),
        ("provenance", &|p| edit(p, "prov.json", "\"prefix\"", "\"perfix\"")),
    ];
    for (number, (checker, harm)) in cases.into_iter().enumerate() {
        let project = Project::new();
        let package = project.package(Tier::A);
        harm(&package);
        let answers = ask(&python, &package, &[checker]);
        assert_ne!(answers[checker], "ok", "case {number}, {checker}");
    }
}
