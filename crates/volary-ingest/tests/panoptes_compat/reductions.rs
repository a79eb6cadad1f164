//! Reductions against the reference's.

use std::path::Path;

use serde_json::Value;
use volary_ingest::Progress;
use volary_ingest::panoptes::compat::{RepeatRule, write_reductions};
use volary_ingest::panoptes::config::ReducerConfig;

use crate::common::{Difference, cells, differences, extract, reduce, reducers, shared_data};

/// Extracts, reduces and compares; then reduces the reference's own extraction and compares again.
fn compare(
    export: &str,
    yaml: &str,
    table: &str,
    red: &str,
    reference: [&str; 2],
) -> Option<Vec<Difference>> {
    let data = shared_data()?;
    let expected = data.join("zooniverse_expected");
    let out = tempfile::tempdir().unwrap();
    extract(&data.join("zooniverse").join(export), &expected.join(yaml), out.path(), "x");
    let ours = reduce(&out.path().join(table), &expected.join(red), out.path(), "x");
    let goal = cells(&expected.join(reference[1]), "subject_id");
    assert!(!goal.is_empty());
    let theirs = reduce(&expected.join(reference[0]), &expected.join(red), out.path(), "theirs");
    let from_theirs = differences(&goal, &cells(&theirs, "subject_id"));
    let from_theirs: Vec<_> = from_theirs.iter().filter(|d| !d.2.starts_with("user_ids_")).collect();
    assert!(from_theirs.is_empty(), "{from_theirs:#?}");
    Some(differences(&goal, &cells(&ours, "subject_id")))
}

fn assert_none(found: Option<Vec<Difference>>) {
    if let Some(found) = found {
        assert!(found.is_empty(), "{}: {:#?}", found.len(), &found[..found.len().min(8)]);
    }
}

const SLSN: &str = "superluminous/cls_export.csv";
const SLSN_YAML: &str = "superluminous/Extractor_config_workflow_10_V16.55.yaml";
const SLSN_TABLE: &str = "superluminous/question_extractor_slsn.csv";
const QUESTIONS: &str = "question_extractor_x.csv";

#[test]
fn superluminous_counts() {
    let red = "superluminous/Reducer_config_workflow_10_V16.55_question_extractor.yaml";
    let reference = [SLSN_TABLE, "superluminous/question_reducer_slsn.csv"];
    assert_none(compare(SLSN, SLSN_YAML, QUESTIONS, red, reference));
}

#[test]
fn superluminous_consensus() {
    let reference = [SLSN_TABLE, "superluminous/question_consensus_reducer_slsn.csv"];
    assert_none(compare(SLSN, SLSN_YAML, QUESTIONS, "superluminous/red_consensus.yaml", reference));
}

/// Pairs agree; `user_ids_…` hold keys, where the reference has ids (none here, so `nan`).
#[test]
fn superluminous_pairs_and_who_gave_them() {
    let reference = [SLSN_TABLE, "superluminous/question_reducer_slsn_pairs.csv"];
    let red = "superluminous/red_pairs_track.yaml";
    let Some(found) = compare(SLSN, SLSN_YAML, QUESTIONS, red, reference) else { return };
    assert_eq!(found.len(), 14);
    for (_, _, column, theirs, ours) in found {
        assert!(column.starts_with("user_ids_"), "{column}");
        assert_eq!(theirs, "[null]");
        let keys: Vec<String> = serde_json::from_str(&ours).unwrap();
        assert!(keys.len() == 1 && keys[0].len() == 17 && keys[0].starts_with('a'), "{ours}");
    }
}

#[test]
fn survey_4994() {
    assert_none(compare(
        "survey/survey-classifications_4994.csv",
        "survey/x_4994.yaml",
        "survey_extractor_x.csv",
        "survey/red_survey.yaml",
        ["survey/survey_extractor_4994.csv", "survey/survey_reducer_4994.csv"],
    ));
}

#[test]
fn kenya_survey() {
    assert_none(compare(
        "survey/kenya-sample.csv",
        "survey/x_kenya.yaml",
        "survey_extractor_x.csv",
        "survey/red_survey.yaml",
        ["survey/survey_extractor_kenya.csv", "survey/survey_reducer_kenya.csv"],
    ));
}

#[test]
fn kenya_shortcut() {
    assert_none(compare(
        "survey/kenya-sample.csv",
        "survey/x_kenya.yaml",
        "shortcut_extractor_x.csv",
        "survey/red_shortcut.yaml",
        ["survey/shortcut_extractor_kenya.csv", "survey/shortcut_reducer_kenya.csv"],
    ));
}

/// The null answer again: it is no vote for `None`.
#[test]
fn fossil_counts_but_for_the_column_none() {
    let Some(found) = compare(
        "questions/fossil-finder-classifications_test.csv",
        "drawing/x_fossil371.yaml",
        QUESTIONS,
        "drawing/red_question.yaml",
        ["drawing/question_extractor_fossil.csv", "drawing/question_reducer_fossil.csv"],
    ) else {
        return;
    };
    let [(subject, task, column, theirs, ours)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((subject.as_str(), task.as_str(), column.as_str()), ("910799", "T5", "None"));
    assert_eq!((theirs.as_str(), ours.as_str()), ("1.0", ""));
}

/// Rows and columns stand in the reference's order of subjects, tasks and choices.
#[test]
fn rows_stand_in_the_order_of_the_reference() {
    let Some(data) = shared_data() else { return };
    let expected = data.join("zooniverse_expected/survey");
    let out = tempfile::tempdir().unwrap();
    let ours = reduce(
        &expected.join("survey_extractor_kenya.csv"),
        &expected.join("red_survey.yaml"),
        out.path(),
        "x",
    );
    let order = |path: &Path| -> Vec<[String; 3]> {
        let mut reader = csv::Reader::from_path(path).unwrap();
        let rows = reader.records().map(|r| r.unwrap());
        rows.map(|r| [r[0].to_owned(), r[2].to_owned(), r[4].to_owned()]).collect()
    };
    assert_eq!(order(&ours), order(&expected.join("survey_reducer_kenya.csv")));
}

/// What is not here says so: texts are not aligned, and marks need something that clusters them.
#[test]
fn reducers_that_are_not_there_are_listed() {
    let Some(data) = shared_data() else { return };
    let expected = data.join("zooniverse_expected");
    let out = tempfile::tempdir().unwrap();
    for (table, red, word) in [
        ("drawing/text_extractor_t4870.csv", "drawing/red_text.yaml", "not here; it aligns texts"),
        (
            "cat_project/polygon_extractor_cat.csv",
            "cat_project/red_median.yaml",
            "nothing here clusters marks",
        ),
    ] {
        let config: ReducerConfig = reducers(&expected.join(red));
        let report = write_reductions(
            &expected.join(table),
            &config,
            out.path(),
            "x",
            RepeatRule::First,
            None,
            &Progress::default(),
        )
        .unwrap();
        assert!(report.files.is_empty(), "{red}");
        let said: Vec<_> = report.input.problems.examples().map(|p| p.detail.clone()).collect();
        assert!(said.iter().any(|d| d.ends_with(word)), "{red}: {said:?}");
    }
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 0);
}

#[test]
fn lists_in_reductions_are_json() {
    let Some(data) = shared_data() else { return };
    let expected = data.join("zooniverse_expected/superluminous");
    let out = tempfile::tempdir().unwrap();
    let path = reduce(
        &expected.join("question_extractor_slsn.csv"),
        &expected.join("red_pairs_track.yaml"),
        out.path(),
        "x",
    );
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().clone();
    for record in reader.records().map(Result::unwrap) {
        for (_, cell) in
            header.iter().zip(&record).filter(|(h, c)| h.contains("user_ids") && !c.is_empty())
        {
            assert!(serde_json::from_str::<Value>(cell).is_ok(), "{cell}");
        }
    }
}
