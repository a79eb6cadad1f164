//! The small readers on real files: numbers here were counted by other programs (Python's csv and json).

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;
use volary_core::ProblemKind;
use volary_core::votes::NO_ANSWER;
use volary_ingest::Progress;
use volary_ingest::count_table::read_count_table;
use volary_ingest::label_table::{read_experience, read_label_table, read_truth, read_weights};
use volary_ingest::manifest::check_manifest;
use volary_ingest::panoptes::config::{PanoptesConfig, read_config};
use volary_ingest::panoptes::subjects::read_subjects;
use volary_ingest::panoptes::version::Version;
use volary_ingest::panoptes::workflows::read_workflows;
use volary_ingest::planet_hunters::read_planet_hunters;
use volary_ingest::report::ReadReport;
use volary_ingest::talk::read_talk;

use crate::shared_data;

fn progress() -> Progress {
    Progress::default()
}

fn all_used(report: &ReadReport, rows: u64) {
    assert!(report.adds_up());
    assert_eq!((report.rows_read, report.rows_used, report.problems.total()), (rows, rows, 0));
    assert_eq!(report.digest.blake3.len(), 64);
}

#[test]
fn label_tables_of_crowdsourcing_benchmarks() {
    let Some(data) = shared_data() else { return };
    for (name, rows, items, workers, repeated) in [
        ("bluebirds", 4_212, 108, 39, 0),
        ("rte", 8_000, 800, 164, 0),
        ("sp_amt", 10_000, 500, 143, 0),
        ("snapshots_at_sea", 36_131, 5_999, 527, 36_131 - 32_727),
    ] {
        let table =
            read_label_table(&data.join("crowd").join(name).join("labels.csv"), &progress()).unwrap();
        let (votes, report) = (table.votes, table.report);
        assert!(report.adds_up());
        assert_eq!(
            (report.rows_used, votes.n_classifications()),
            (rows, usize::try_from(rows).unwrap()),
            "{name}"
        );
        assert_eq!((votes.subjects.len(), votes.volunteers.len()), (items, workers), "{name}");
        assert_eq!(votes.questions[0].answers, ["0", "1"], "{name}");
        assert_eq!(report.problems.count(ProblemKind::DuplicateRow), repeated, "{name}");
        assert!(votes.votes.iter().all(|v| v.answer != NO_ANSWER), "{name}");
    }
}

#[test]
fn truth_of_benchmarks_and_of_a_real_project() {
    let Some(data) = shared_data() else { return };
    let (truth, report) = read_truth(&data.join("crowd/bluebirds/truth.csv"), &progress()).unwrap();
    all_used(&report, 108);
    assert_eq!(truth.answers("label", "0"), ["1"]);
    let gold = data.join("zooniverse/swap/supernova-hunters-gold-labels.csv");
    let (truth, report) = read_truth(&gold, &progress()).unwrap();
    all_used(&report, 222_212);
    assert_eq!((truth.len(), truth.answers("T0", "10060750")), (222_212, &["0".to_owned()][..]));
}

#[test]
fn counts_of_weird_and_wonderful() {
    let Some(data) = shared_data() else { return };
    let path = data.join("weird_wonderful/latest_consensus_aggregation_table.dat");
    let start = std::time::Instant::now();
    let table = read_count_table(&path, &progress()).unwrap();
    println!("207,589 rows in {:?}", start.elapsed());
    all_used(&table.report, 207_589);
    assert_eq!(table.n_seen.iter().sum::<u64>(), 4_055_680);
    assert_eq!(table.n_votes.iter().sum::<u64>(), 387_518);
    assert_eq!(table.n_volunteers.unwrap().iter().sum::<u64>(), 2_890_972);
    assert!(table.answers.is_none());
}

#[test]
fn planet_hunters_golden_table() {
    let Some(data) = shared_data() else { return };
    let path = data.join("planet_hunters/golden/input/mdwarf-classifs.csv");
    let (extracts, report) = read_planet_hunters(&path, &progress()).unwrap();
    all_used(&report, 3_516);
    assert_eq!(extracts.classifications.len(), 2_566);
    assert_eq!(extracts.marks.iter().filter(|m| m.range.is_some()).count(), 2_172);
    let distinct = |f: fn(&volary_core::extracts::ClassificationRow) -> usize| {
        extracts.classifications.iter().map(f).collect::<BTreeSet<_>>().len()
    };
    assert_eq!(distinct(|c| c.subject.index()), 230);
    assert_eq!(distinct(|c| c.volunteer.key.index()), 60);
    assert!(extracts.pool.get("novavega_51").is_none(), "names stay in the reader");
    let first = extracts.marks[0];
    assert_eq!(first.range, Some((563.798_412_78, 564.204_445_93)));
}

/// `start_time` plus the relative bounds is the global bounds, so both ways give the same marks.
#[test]
fn planet_hunters_relative_bounds_agree_with_global_ones() {
    let Some(data) = shared_data() else { return };
    let path = data.join("planet_hunters/golden/input/mdwarf-classifs.csv");
    let mut reader = csv::Reader::from_path(&path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let relative = folder.path().join("relative.csv");
    let mut writer = csv::Writer::from_path(&relative).unwrap();
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let keep: Vec<usize> = (0..header.len()).filter(|&i| !header[i].ends_with("Global")).collect();
    writer.write_record(keep.iter().map(|&i| &header[i])).unwrap();
    for record in reader.records() {
        let record = record.unwrap();
        writer.write_record(keep.iter().map(|&i| &record[i])).unwrap();
    }
    writer.flush().unwrap();
    let (global, _) = read_planet_hunters(&path, &progress()).unwrap();
    let (shifted, _) = read_planet_hunters(&relative, &progress()).unwrap();
    assert_eq!(global.marks.len(), shifted.marks.len());
    for (a, b) in global.marks.iter().zip(&shifted.marks) {
        match (a.range, b.range) {
            (Some(a), Some(b)) => assert!((a.0 - b.0).abs() < 1e-9 && (a.1 - b.1).abs() < 1e-9),
            (a, b) => assert_eq!(a, b),
        }
    }
}

#[test]
fn workflows_of_superluminous() {
    let Some(data) = shared_data() else { return };
    let workflows =
        read_workflows(&data.join("zooniverse/superluminous/wf_export.csv"), &progress()).unwrap();
    assert!(workflows.report.adds_up());
    assert_eq!(workflows.report.rows_used, 6);
    let versions: Vec<String> = workflows.versions("10").map(|(v, _)| v.to_string()).collect();
    assert_eq!(versions, ["14.52", "14.53", "14.54", "14.55", "15.55", "16.55"]);
    let tasks = workflows.tasks("10", "16.55").unwrap();
    assert_eq!((tasks.name.as_str(), tasks.retirement_count), ("Superluminous Supernovae", Some(10)));
    let question = &tasks.tasks["T1"];
    assert_eq!(question.answers, ["Yes", "No"]);
    assert_eq!(question.text, "Is the cross-hair in the image close to a faint, fuzzy galaxy?");
    assert!(Version::parse("16.55") > Version::parse("16.6"), "versions are two whole numbers");
}

#[test]
fn subjects_of_both_generations() {
    let Some(data) = shared_data() else { return };
    let new = data.join("zooniverse/cat_project/cat-project-subjects.csv");
    let (rows, report) = read_subjects(&new, &progress()).unwrap();
    all_used(&report, 30);
    assert_eq!((rows[0].subject_id.as_str(), rows[0].workflow_id.as_str()), ("458021", "28090"));
    assert!(rows.iter().all(|r| r.locations.len() == 1 && r.classifications_count.is_some()));
    let old = data.join("zooniverse/subjects/prn-ecuador-2016-subjects.csv");
    let (rows, report) = read_subjects(&old, &progress()).unwrap();
    all_used(&report, 3_835);
    assert_eq!(rows.len(), 3_835);
    assert!(rows.iter().all(|r| r.locations.len() == 2));
    let of = |workflow: &str| rows.iter().filter(|r| r.workflow_id == workflow).count();
    assert_eq!((of("1778"), of("1810"), of("")), (1_277, 1_023, 1_535));
    assert!(rows.iter().filter(|r| r.workflow_id == "1778").all(|r| r.classifications_count.is_some()));
}

#[test]
fn talk_exports() {
    let Some(data) = shared_data() else { return };
    let path = data.join("zooniverse/talk/project-764-tags_2016-01-15.json");
    let talk = read_talk(&path, &progress()).unwrap();
    assert!(talk.report.adds_up());
    assert_eq!((talk.report.rows_read, talk.report.rows_used, talk.tags.len()), (5_126, 5_124, 5_124));
    let different = |f: fn(&volary_ingest::talk::TagRow) -> &str| {
        talk.tags.iter().map(f).collect::<BTreeSet<_>>().len()
    };
    assert_eq!(different(|t| &t.tag), 245);
    assert_eq!(different(|t| &t.volunteer), 283);
    assert!(talk.tags.iter().all(|t| t.volunteer.len() == 17 && t.created_ms.is_some()));
    let tags = read_talk(&data.join("weird_wonderful/tags_stripped.json"), &progress()).unwrap();
    assert_eq!((tags.report.rows_read, tags.tags.len()), (3_193, 3_183));
    let comments = read_talk(&data.join("weird_wonderful/comments_stripped.json"), &progress()).unwrap();
    assert_eq!((comments.comments.len(), comments.report.rows_used), (4_915, 4_915));
    assert_eq!(comments.comments.iter().filter(|c| c.subject_id.is_empty()).count(), 140);
    assert_eq!(comments.comments.iter().filter_map(|c| c.n_chars).sum::<u64>(), 559_251);
}

#[test]
fn every_configuration_of_panoptes_aggregation() {
    let Some(data) = shared_data() else { return };
    let mut n = 0;
    for folder in ["zooniverse", "zooniverse_expected"] {
        for path in yaml_files(&data.join(folder)) {
            let (config, problems, _) = read_config(&path, &progress()).unwrap();
            assert_eq!(problems.total(), 0, "{}", path.display());
            let name = path.file_name().unwrap().to_string_lossy().to_lowercase();
            match config {
                PanoptesConfig::Extractors(c) => {
                    assert!(c.workflow_id.is_some() && !c.extractors.is_empty(), "{name}");
                    assert!(c.extractors.iter().all(|e| !e.tasks.is_empty()), "{name}");
                    assert!(!c.versions.takes_all(), "{name}");
                }
                PanoptesConfig::Reducers(c) => assert_eq!(c.reducers.len(), 1, "{name}"),
                PanoptesConfig::TaskLabels(labels) => assert_eq!(labels["T0.answers.0.label"], "Yes"),
            }
            n += 1;
        }
    }
    println!("{n} files");
    assert!(n >= 20);
    let andromeda = data.join("zooniverse_expected/drawing/x_andromeda.yaml");
    let (PanoptesConfig::Extractors(config), ..) = read_config(&andromeda, &progress()).unwrap() else {
        panic!("extractors")
    };
    assert!(config.versions.accepts("44.19") && config.versions.accepts("57.37"));
    assert!(!config.versions.accepts("57.38") && !config.versions.accepts("43.99"));
    assert_eq!(config.extractors[0].tasks[0].tools, Some(vec![0, 1]));
}

fn yaml_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(yaml_files(&path));
        } else if path.extension().is_some_and(|e| e == "yaml") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A table that is no manifest still gets a useful answer: it names no media.
#[test]
fn a_real_table_as_manifest() {
    let Some(data) = shared_data() else { return };
    let report = check_manifest(&data.join("galaxies/subjects.csv"), &progress()).unwrap();
    assert!(report.report.adds_up());
    println!("media columns: {:?}", report.media_columns);
}

/// Cells that have broken somebody's reader before, in any order, under headers that promise something else.
fn odd_table() -> impl Strategy<Value = String> {
    const HEADERS: [&str; 8] = [
        "task,worker,label",
        "subject_id,T0,T1",
        "volunteer,weight",
        "subject_id,n_seen,n_votes",
        "subject,user,classification,xmin,xmax",
        "workflow_id,version,tasks,strings,minor_version",
        "subject_id,workflow_ids,metadata,locations,classifications_by_workflow,retired_in_workflow",
        "image,#training_subject,#priority,#feedback_1_id,#feedback_1_x,#feedback_1_width",
    ];
    const CELLS: [&str; 16] = [
        "",
        "1",
        "-1",
        "nan",
        "1e999",
        "2.10",
        "18446744073709551616",
        "{}",
        "[]",
        "null",
        "\"[[\"",
        "\"{\"\"T0\"\":{\"\"answers\"\":[3,null]}}\"",
        "是",
        "\u{202e}x",
        "a.jpg",
        "\"\n\"",
    ];
    let row = proptest::collection::vec(proptest::sample::select(&CELLS[..]), 1..7);
    (proptest::sample::select(&HEADERS[..]), proptest::collection::vec(row, 0..8)).prop_map(
        |(header, rows)| {
            let lines = rows.iter().map(|row| row.join(","));
            std::iter::once(header.to_owned()).chain(lines).collect::<Vec<_>>().join("\n")
        },
    )
}

proptest! {
    /// Whatever a file holds, every reader answers or says why not, and every row is accounted for.
    #[test]
    fn no_input_breaks_a_reader_or_loses_a_row(text in odd_table()) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &text).unwrap();
        let (path, progress) = (file.path(), &progress());
        let reports = [
            read_label_table(path, progress).map(|t| t.report),
            read_truth(path, progress).map(|t| t.1),
            read_weights(path, progress).map(|t| t.1),
            read_experience(path, progress).map(|t| t.1),
            read_count_table(path, progress).map(|t| t.report),
            read_planet_hunters(path, progress).map(|t| t.1),
            read_workflows(path, progress).map(|t| t.report),
            read_subjects(path, progress).map(|t| t.1),
            check_manifest(path, progress).map(|t| t.report),
            read_talk(path, progress).map(|t| t.report),
        ];
        for report in reports.into_iter().flatten() {
            prop_assert!(report.adds_up(), "{:?}", report);
        }
        let _ = read_config(path, progress);
    }
}
