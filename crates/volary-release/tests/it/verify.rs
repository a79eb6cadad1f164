//! A package that is right is found right; each way of being wrong is found, by the check that is for it.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sha2::{Digest as _, Sha256};
use volary_ingest::Progress;
use volary_ingest::volunteer::key;
use volary_release::bias::Registry;
use volary_release::calendar::Resolution;
use volary_release::optout::{Entry, OptOuts, State};
use volary_release::package::pseudonyms;
use volary_release::settings::{Privacy, Settings};
use volary_release::tier::Tier;
use volary_release::verify::{Against, Check, Verified, verify};

use crate::support::{Project, consensus_of, csv_rows, files, name, names, release_key, settings};

fn look(package: &Path) -> Verified {
    let names = names();
    let against = Against { names: Some(&names), ..Against::default() };
    verify(package, &against, &Progress::default()).unwrap()
}

#[test]
fn every_tier_holds() {
    let project = Project::new();
    let registry = Registry::read(project.inputs.biases.as_ref().unwrap()).unwrap();
    let names = names();
    for tier in [Tier::A, Tier::B, Tier::C, Tier::D] {
        let package = project.package(tier);
        let tokens = pseudonyms(&settings(tier), &release_key()).unwrap();
        let against = Against {
            names: Some(&names),
            optouts: Some((&OptOuts::default(), &tokens)),
            biases: Some(&registry),
            settings: Some(&settings(tier)),
        };
        let verified = verify(&package, &against, &Progress::default()).unwrap();
        assert!(verified.holds(), "{tier:?}: {:#?}", verified.findings);
        // In tier A there is nobody to look for.
        assert_eq!(verified.not_checked.len(), usize::from(tier == Tier::A), "{verified:?}");
        assert_eq!(verified.names, Some((names.len() as u64, 0, 0)));
    }
}

#[test]
fn what_was_not_looked_at_is_said() {
    let project = Project::new();
    let package = project.package(Tier::A);
    let verified = verify(&package, &Against::default(), &Progress::default()).unwrap();
    assert_eq!(verified.not_checked.len(), 4);
    assert!(verify(&project.path("none"), &Against::default(), &Progress::default()).is_err());
    // A folder that is something else is told once, and not file by file.
    std::fs::create_dir_all(project.path("other/deep")).unwrap();
    std::fs::write(project.path("other/deep/votes.csv"), "a,b\n").unwrap();
    let other = verify(&project.path("other"), &Against::default(), &Progress::default());
    let message = other.unwrap_err().to_string();
    assert!(message.contains("no package: neither datapackage.json nor SHA256SUMS"), "{message}");
}

/// A package that keeps its own promises, and promises less than the settings ask for.
#[test]
fn promises_are_held_against_the_settings() {
    let project = Project::new();
    let package = project.package(Tier::C);
    let made = settings(Tier::C);
    let what = |change: &dyn Fn(&mut Settings)| -> Vec<String> {
        let mut asked = made.clone();
        change(&mut asked);
        let against = Against { settings: Some(&asked), ..Against::default() };
        let verified = verify(&package, &against, &Progress::default()).unwrap();
        assert!(verified.findings.iter().all(|f| f.check == Check::Groups), "{verified:?}");
        verified.findings.into_iter().map(|f| f.what).collect()
    };
    assert_eq!(what(&|_| {}), [""; 0]);
    assert_eq!(what(&|asked| asked.privacy.k = 11), ["k is 10, and the settings ask for 11"]);
    assert!(what(&|asked| asked.privacy.l += 1)[0].starts_with("l is "));
    assert!(what(&|asked| asked.privacy.min_volunteers += 1)[0].starts_with("min_volunteers is "));
    assert!(what(&|asked| asked.privacy.min_classifications += 1)[0].starts_with("min_classifications"));
    assert!(what(&|asked| asked.tier = Tier::B)[0].starts_with("tier C"));
    assert!(what(&|asked| asked.privacy.time = Resolution::None)[0].starts_with("times are by "));
    // Less is enough.
    let less = |asked: &mut Settings| {
        asked.tier = Tier::D;
        asked.privacy = Privacy { k: 2, min_volunteers: 2, ..asked.privacy.clone() };
    };
    assert_eq!(what(&less), [""; 0]);
    // A report without its promises promises nothing.
    let report = package.join("privacy_report.json");
    let text = std::fs::read_to_string(&report).unwrap();
    let mut report_of: serde_json::Value = serde_json::from_str(&text).unwrap();
    report_of.as_object_mut().unwrap().remove("min_volunteers");
    std::fs::write(&report, report_of.to_string()).unwrap();
    sum_again(&package);
    let against = Against { settings: Some(&made), ..Against::default() };
    let verified = verify(&package, &against, &Progress::default()).unwrap();
    assert!(verified.findings.iter().any(|f| f.what.starts_with("no min_volunteers")), "{verified:?}");
}

/// Writes the checksums anew, as somebody would who wants a change not to be seen.
fn sum_again(package: &Path) {
    let lines: String = files(package)
        .into_iter()
        .filter(|(path, _)| path != "SHA256SUMS")
        .map(|(path, bytes)| {
            format!("{}  {path}\n", data_encoding::HEXLOWER.encode(&Sha256::digest(&bytes)))
        })
        .collect();
    std::fs::write(package.join("SHA256SUMS"), lines).unwrap();
}

fn edit(package: &Path, file: &str, from: &str, to: &str) {
    let path = package.join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} holds no {from}");
    std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
}

/// Breaks a package of a tier, with the checksums made right again, and expects a finding.
fn breaks(tier: Tier, check: Check, words: &str, harm: impl Fn(&Path)) {
    let project = Project::new();
    let package = project.package(tier);
    harm(&package);
    sum_again(&package);
    let verified = look(&package);
    let is_found = verified.findings.iter().any(|f| f.check == check && f.what.contains(words));
    assert!(is_found, "{words:?} in {:#?}", verified.findings);
}

#[test]
fn the_twelve_mutants_are_found() {
    let project = Project::new();
    // 1, 2, 3: a byte, a file less, a file more; the checksums as they were.
    let package = project.package(Tier::B);
    let path = package.join("data/votes.parquet");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let found = look(&package).findings;
    assert!(
        found.iter().any(|f| f.check == Check::Checksums && f.file == "data/votes.parquet"),
        "{found:#?}"
    );
    breaks(Tier::A, Check::Structure, "the file is missing", |p| {
        std::fs::remove_file(p.join("LICENSE")).unwrap();
    });
    breaks(Tier::A, Check::Metadata, "which is not there", |p| {
        std::fs::remove_file(p.join("data/gold.vot")).unwrap();
    });
    breaks(Tier::A, Check::Structure, "no package has", |p| {
        std::fs::write(p.join("data/users.csv"), "a\n").unwrap();
    });
    // 4: the number of rows.
    breaks(Tier::A, Check::Metadata, "another number of rows", |p| {
        edit(p, "datapackage.json", "\"rows\": 2", "\"rows\": 3");
    });
    // 5: the licence.
    breaks(Tier::A, Check::Metadata, "no licence", |p| {
        edit(p, "ro-crate-metadata.json", "\"license\"", "\"licenze\"");
    });
    // 6: a value that is none.
    breaks(Tier::B, Check::Schema, "not a kind of question", |p| {
        edit(p, "data/votes.csv", ",single,", ",guess,");
    });
    // 7: a key that stands twice.
    breaks(Tier::A, Check::Metadata, "stands twice", |p| {
        edit(p, "datacite.json", "\"version\": \"1.0\"", "\"version\": \"1.0\", \"version\": \"1.0\"");
    });
    // 8: a media type.
    breaks(Tier::A, Check::Metadata, "is text/csv, not", |p| {
        edit(p, "croissant.json", "\"text/csv\"", "\"text/plain\"");
    });
    // 9: a path that leads out.
    for leads_out in ["../votes.csv", "/etc/passwd", "data/../../x", "C:\\\\x", "data//counts.csv"] {
        breaks(Tier::A, Check::Metadata, "leads out of the package", |p| {
            edit(p, "datapackage.json", "\"data/counts.csv\"", &format!("\"{leads_out}\""));
        });
    }
    // 10: a byte order mark.
    breaks(Tier::A, Check::Metadata, "byte order mark", |p| {
        edit(p, "croissant.json", "{", "\u{feff}{");
    });
    breaks(Tier::A, Check::Schema, "byte order mark", |p| {
        edit(p, "data/counts.csv", "workflow_id", "\u{feff}workflow_id");
    });
    // 11: line ends of the checksums.
    let package = project.package(Tier::A);
    let sums = std::fs::read_to_string(package.join("SHA256SUMS")).unwrap();
    std::fs::write(package.join("SHA256SUMS"), sums.replace('\n', "\r\n")).unwrap();
    assert!(look(&package).findings.iter().any(|f| f.what.contains("carriage returns")));
    let bad = sums.replacen("  CITATION.cff", "  ../CITATION.cff", 1);
    std::fs::write(package.join("SHA256SUMS"), bad).unwrap();
    assert!(look(&package).findings.iter().any(|f| f.what.contains("no checksum of a file here")));
    // 12: a name that is not UTF-8.
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::ffi::OsStrExt as _;
        std::fs::write(package.join(std::ffi::OsStr::from_bytes(b"data/\xff.csv")), "x").unwrap();
        assert!(look(&package).findings.iter().any(|f| f.what.contains("not UTF-8")));
    }
    #[cfg(unix)]
    {
        let package = project.package(Tier::D);
        std::os::unix::fs::symlink("/etc/passwd", package.join("policy.link")).unwrap();
        assert!(look(&package).findings.iter().any(|f| f.what.contains("neither a file")));
    }
}

/// Writes a Parquet table of the package anew, with each of its batches changed; its CSV stays as it was.
fn rewrite(package: &Path, file: &str, change: impl Fn(usize, RecordBatch) -> Vec<RecordBatch>) {
    let path = package.join(file);
    let opened = std::fs::File::open(&path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(opened).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    let mut writer = ArrowWriter::try_new(Vec::new(), batches[0].schema(), None).unwrap();
    for (i, batch) in batches.into_iter().enumerate() {
        change(i, batch).iter().for_each(|batch| writer.write(batch).unwrap());
    }
    std::fs::write(path, writer.into_inner().unwrap()).unwrap();
}

/// One cell of text changed.
fn replace(batch: &RecordBatch, column: &str, row: usize, text: &str) -> RecordBatch {
    let at = batch.schema().index_of(column).unwrap();
    let with = |(here, old)| if here == row { Some(text) } else { old };
    let mut columns = batch.columns().to_vec();
    columns[at] = Arc::new(
        batch.column(at).as_string::<i32>().iter().enumerate().map(with).collect::<StringArray>(),
    );
    RecordBatch::try_new(batch.schema(), columns).unwrap()
}

/// Writes the first time of the votes' Parquet table anew, and nothing else.
fn replace_time(package: &Path, time: &str) {
    rewrite(package, "data/votes.parquet", |i, batch| match i {
        0 => vec![replace(&batch, "time", 0, time)],
        _ => vec![batch],
    });
}

#[test]
fn a_table_is_held_against_the_other_and_against_itself() {
    // CSV alone.
    breaks(Tier::A, Check::Schema, "not what the Parquet beside it says", |p| {
        edit(p, "data/counts.csv", ",Cat,", ",Dog,");
    });
    // Votes that would show what the table of volunteers hides.
    for tier in [Tier::C, Tier::D] {
        breaks(tier, Check::Structure, "the table of volunteers is missing", |p| {
            for extension in ["parquet", "csv", "vot"] {
                std::fs::remove_file(p.join(format!("data/volunteers.{extension}"))).unwrap();
            }
        });
    }
    // A row that stands twice.
    for (tier, table) in [(Tier::B, "votes"), (Tier::C, "volunteers"), (Tier::A, "counts")] {
        breaks(tier, Check::Schema, "1 rows stand a second time", |p| {
            rewrite(p, &format!("data/{table}.parquet"), |i, batch| match i {
                0 => vec![batch.slice(0, 1), batch],
                _ => vec![batch],
            });
        });
    }
    // Votes that were taken out, or changed, and counts that were not.
    breaks(Tier::B, Check::Schema, "counts are not what the votes say", |p| {
        rewrite(p, "data/votes.parquet", |i, batch| match i {
            0 => vec![batch.slice(1, batch.num_rows() - 1)],
            _ => vec![batch],
        });
    });
    breaks(Tier::B, Check::Schema, "counts are not what the votes say", |p| {
        rewrite(p, "data/votes.parquet", |_, batch| vec![replace(&batch, "answer", 0, "Zaphod")]);
    });
    // A time of somebody who is in no table of volunteers.
    breaks(Tier::C, Check::Groups, "whose pseudonym is not in the table of volunteers", |p| {
        rewrite(p, "data/votes.parquet", |_, batch| {
            let times = batch.column_by_name("time").unwrap().as_string::<i32>();
            let missing = times.iter().position(|time| time.is_none()).unwrap();
            let there = times.iter().flatten().next().unwrap();
            vec![replace(&batch, "time", missing, there)]
        });
    });
    // A report that says other than the table.
    breaks(Tier::C, Check::Groups, "other groups of volunteers", |p| {
        let report = std::fs::read_to_string(p.join("privacy_report.json")).unwrap();
        let line = report.lines().find(|line| line.contains("\"smallest_group\"")).unwrap();
        edit(p, "privacy_report.json", line, "      \"smallest_group\": 600,");
    });
    breaks(Tier::C, Check::Schema, "too exact a time", |p| {
        let report = std::fs::read_to_string(p.join("privacy_report.json")).unwrap();
        let line = report.lines().find(|line| line.trim().starts_with("\"time\":")).unwrap();
        edit(p, "privacy_report.json", line, "    \"time\": \"none\"");
    });
    breaks(Tier::C, Check::Groups, "no attack is called", |p| {
        edit(p, "privacy_report.json", "\"dictionary\"", "\"x\"");
    });
    breaks(Tier::C, Check::Groups, "\"dictionary\" is not there", |p| {
        edit(p, "privacy_report.json", "\"dictionary\"", "\"x\"");
    });
    // What people read, and what machines read.
    for (file, from, to, check, words) in [
        ("LICENSE", "CC-BY-4.0", "None", Check::Metadata, "SPDX-License-Identifier"),
        ("CITATION.cff", "version: \"1.0\"", "version: \"9\"", Check::Metadata, "version"),
        ("CITATION.cff", "title: \"Cats", "title: \"Rats", Check::Metadata, "title"),
        ("README.md", "# Cats", "# Rats", Check::Metadata, "it does not say"),
        ("README.md", "Black cats look", "Nothing looks", Check::Biases, "other known biases"),
        ("README.md", "| dictionary |", "| nothing |", Check::Metadata, "other attacks"),
        ("known_biases.json", "\"biases\"", "\"none\"", Check::Biases, "no list of known biases"),
        ("prov.json", "\"volary:sha256\"", "\"volary:md5\"", Check::Metadata, "was made"),
    ] {
        breaks(Tier::A, check, words, |p| {
            let path = p.join(file);
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{file} holds no {from}");
            std::fs::write(&path, text.replace(from, to)).unwrap();
        });
    }
}

#[test]
fn a_consensus_is_held_against_the_counts() {
    let mut project = Project::new();
    let counts = csv_rows(&project.package(Tier::A).join("data/counts.csv"));
    project.inputs.consensus = Some(project.write("consensus.csv", &consensus_of(&counts)));
    let with = |name: &str, harm: &dyn Fn(&RecordBatch) -> RecordBatch| -> Vec<String> {
        let package = project.path(name);
        project.release(&package, &settings(Tier::A)).unwrap();
        rewrite(&package, "data/consensus.parquet", |_, batch| vec![harm(&batch)]);
        look(&package).findings.into_iter().map(|finding| finding.what).collect()
    };
    let is_said = |found: &[String], words: &str| found.iter().any(|what| what.contains(words));
    let whole = with("whole", &RecordBatch::clone);
    assert!(!is_said(&whole, "counts") && !is_said(&whole, "no count"), "{whole:?}");
    let found = with("answer", &|batch| replace(batch, "answer", 0, "Jane Doe"));
    assert!(is_said(&found, "1 rows with an answer that no count is of"), "{found:?}");
    let number = |column: &'static str, array: fn(usize) -> ArrayRef| {
        move |batch: &RecordBatch| {
            let mut columns = batch.columns().to_vec();
            columns[batch.schema().index_of(column).unwrap()] = array(batch.num_rows());
            RecordBatch::try_new(batch.schema(), columns).unwrap()
        }
    };
    let found = with("seen", &number("n_seen", |n| Arc::new(UInt64Array::from(vec![999; n]))));
    assert!(is_said(&found, "rows with other numbers of votes than the counts have"), "{found:?}");
    let found = with("low", &number("fraction_low", |n| Arc::new(Float64Array::from(vec![0.9; n]))));
    assert!(is_said(&found, "whose lower end is above its upper end"), "{found:?}");
}

#[test]
fn what_may_not_leave_is_found() {
    breaks(Tier::B, Check::Schema, "other columns than may leave", |p| {
        edit(p, "data/votes.csv", "volunteer,kind", "user_ip,kind");
    });
    breaks(Tier::B, Check::Schema, "not a pseudonym", |p| {
        let (volunteer, _) = key(&name(3));
        let text = std::fs::read_to_string(p.join("data/votes.csv")).unwrap();
        let pseudonym = text.lines().nth(1).unwrap().split(',').nth(3).unwrap().to_owned();
        edit(p, "data/votes.csv", &pseudonym, &volunteer);
    });
    breaks(Tier::A, Check::Schema, "formula", |p| edit(p, "data/counts.csv", "'=dog()", "=dog()"));
    breaks(Tier::C, Check::Schema, "too exact a time", |p| {
        let text = std::fs::read_to_string(p.join("data/votes.csv")).unwrap();
        let time =
            text.lines().find_map(|l| l.rsplit(',').next().filter(|t| t.starts_with("202"))).unwrap();
        edit(p, "data/votes.csv", &format!(",{time}\n"), ",2024-02-23\n");
    });
    breaks(Tier::A, Check::Schema, "fewer volunteers than may leave", |p| {
        let text = std::fs::read_to_string(p.join("data/counts.csv")).unwrap();
        let line = text.lines().nth(1).unwrap();
        let (head, _) = line.rsplit_once(',').unwrap();
        edit(
            p,
            "data/counts.csv",
            line,
            &format!(
                "{}1,1,1",
                &head[..head.rfind(',').unwrap() - 1].trim_end_matches(char::is_numeric)
            ),
        );
    });
    breaks(Tier::A, Check::Groups, "no k of 2", |p| {
        edit(p, "privacy_report.json", "\"k\": 10", "\"k\": 1")
    });
    breaks(Tier::C, Check::Groups, "and k is 200", |p| {
        edit(
            p,
            "privacy_report.json",
            "\"k\": 10,\n  \"l\": 1,\n  \"min_vol",
            "\"k\": 200,\n  \"l\": 1,\n  \"min_vol",
        );
    });
    // In a Parquet table and in a VOTable as in the CSV beside them.
    let exact = |p: &Path| replace_time(p, "2023-11-14T22:13:01.001Z");
    breaks(Tier::C, Check::Schema, "time: too exact a time (1 cells)", exact);
    breaks(Tier::C, Check::Schema, "not what the Parquet beside it says", |p| {
        edit(p, "data/votes.vot", "<TR>", "<TR><!-- 22:13:01.001 -->");
    });
    // A table of another tier.
    let project = Project::new();
    let (a, b) = (project.package(Tier::A), project.package(Tier::B));
    std::fs::copy(b.join("data/votes.parquet"), a.join("data/votes.parquet")).unwrap();
    sum_again(&a);
    assert!(look(&a).findings.iter().any(|f| f.what.contains("does not leave in this tier")));
}

#[test]
fn a_name_in_any_file_is_found_and_not_repeated() {
    let project = Project::new();
    let package = project.package(Tier::C);
    for (path, bytes) in files(&package) {
        for who in [0, 1, 2, 40] {
            let mut with = bytes.clone();
            with.extend_from_slice(format!("\n{}\n", name(who)).as_bytes());
            std::fs::write(package.join(&path), with).unwrap();
            let verified = look(&package);
            let found = verified.findings.iter().find(|f| f.check == Check::Names && f.file == path);
            assert!(found.is_some(), "{path}, {who}: {:#?}", verified.findings);
            for finding in &verified.findings {
                assert!(!finding.what.contains(&name(who)), "{finding:?}");
            }
        }
        std::fs::write(package.join(&path), &bytes).unwrap();
    }
    // Our own keys of names are no pseudonyms.
    let mut readme = std::fs::read(package.join("README.md")).unwrap();
    readme.extend_from_slice(key(&name(7)).0.as_bytes());
    std::fs::write(package.join("README.md"), readme).unwrap();
    assert!(look(&package).findings.iter().any(|f| f.check == Check::Names));
}

#[test]
fn a_name_within_compressed_parquet_is_found() {
    let mut project = Project::new();
    // A gold answer that is somebody's name.
    let gold = format!("subject_id,answer\ns0001,\"{}\"\n", name(50));
    project.inputs.gold = Some(project.write("gold.csv", &gold));
    let verified = look(&project.package(Tier::A));
    let files: Vec<&str> =
        verified.findings.iter().filter(|f| f.check == Check::Names).map(|f| f.file.as_str()).collect();
    assert!(files.contains(&"data/gold.parquet") && files.contains(&"data/gold.csv"), "{files:?}");
}

#[test]
fn whoever_opted_out_is_found_in_an_older_package() {
    let project = Project::new();
    for tier in [Tier::B, Tier::C] {
        let package = project.package(tier);
        let tokens = pseudonyms(&settings(tier), &release_key()).unwrap();
        let mut log = OptOuts::default();
        for who in [3, 149] {
            let (volunteer, _) = key(&name(who));
            let at = "2026-11-29".to_owned();
            log.add(Entry { volunteer, state: State::Out, at, channel: String::new() }).unwrap();
        }
        let against = Against { optouts: Some((&log, &tokens)), ..Against::default() };
        let verified = verify(&package, &against, &Progress::default()).unwrap();
        assert!(
            verified.findings.iter().any(|f| f.what.starts_with("2 people who opted out")),
            "{:?}",
            verified.findings
        );
    }
}

/// Without rows about volunteers nobody can be looked for, and "nothing wrong" would say too much.
#[test]
fn where_nobody_can_be_looked_for_that_is_said() {
    let project = Project::new();
    let package = project.package(Tier::A);
    let tokens = volary_release::package::pseudonyms(&settings(Tier::A), &release_key()).unwrap();
    let log = OptOuts::default();
    let against = Against { optouts: Some((&log, &tokens)), ..Against::default() };
    let verified = verify(&package, &against, &Progress::default()).unwrap();
    assert!(verified.holds());
    assert!(
        verified.not_checked.iter().any(|what| what.starts_with("opt-outs: no row")),
        "{verified:?}"
    );
}

/// A package in which votes are linked, and nobody tried to find anybody.
#[test]
fn a_tier_c_without_attacks_is_found() {
    breaks(Tier::C, Check::Groups, "report of its attacks only", |package| {
        let path = package.join("privacy_report.json");
        let text = std::fs::read_to_string(&path).unwrap();
        let mut report: serde_json::Value = serde_json::from_str(&text).unwrap();
        report["attacks"] = serde_json::json!([]);
        std::fs::write(&path, report.to_string()).unwrap();
    });
}

#[test]
fn a_bias_that_is_not_told_is_found() {
    let project = Project::new();
    let package = project.package(Tier::A);
    let mut registry = Registry::read(project.inputs.biases.as_ref().unwrap()).unwrap();
    let mut second = registry.biases[0].clone();
    second.id = "B-2".to_owned();
    registry.biases.push(second);
    let against = Against { biases: Some(&registry), ..Against::default() };
    let verified = verify(&package, &against, &Progress::default()).unwrap();
    let told: Vec<&str> = verified.findings.iter().map(|f| f.what.as_str()).collect();
    assert_eq!(told, ["B-2 is not told", "B-2 is not told"]);
    // The same bias, told as it stood before.
    registry.biases.truncate(1);
    registry.biases[0].mitigation.push_str(" We retrained.");
    let against = Against { biases: Some(&registry), ..Against::default() };
    let verified = verify(&package, &against, &Progress::default()).unwrap();
    let told: Vec<&str> = verified.findings.iter().map(|f| f.what.as_str()).collect();
    assert_eq!(told, ["B-1 is told otherwise than the registry has it"]);
}

#[test]
fn no_odd_byte_stops_the_verification() {
    let project = Project::new();
    let package = project.package(Tier::C);
    let whole = files(&package);
    for (path, bytes) in &whole {
        for turn in 0..3 {
            let draw = crate::support::mix(turn, bytes.len() as u64) as usize;
            let mut odd = bytes.clone();
            match turn % 3 {
                0 => odd[draw % bytes.len()] ^= 1 << (draw % 8),
                1 => odd.truncate(draw % bytes.len()),
                _ => odd.splice(draw % bytes.len()..draw % bytes.len(), [0xff; 9]).for_each(drop),
            }
            std::fs::write(package.join(path), &odd).unwrap();
            assert!(!look(&package).holds(), "{path}, {turn}");
            sum_again(&package);
            look(&package);
        }
        std::fs::write(package.join(path), bytes).unwrap();
        std::fs::write(package.join("SHA256SUMS"), &whole["SHA256SUMS"]).unwrap();
    }
    assert!(look(&package).holds());
}
