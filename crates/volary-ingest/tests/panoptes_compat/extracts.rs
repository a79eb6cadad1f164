//! Extractions against the reference's.

use std::path::Path;

use volary_ingest::volunteer;

use crate::common::{Difference, assert_same, cells, differences, extract, shared_data, size};

/// Extracts and compares one table; returns what differs.
fn compare(export: &str, yaml: &str, table: &str, reference: &str) -> Option<Vec<Difference>> {
    let data = shared_data()?;
    let out = tempfile::tempdir().unwrap();
    extract(
        &data.join("zooniverse").join(export),
        &data.join("zooniverse_expected").join(yaml),
        out.path(),
        "x",
    );
    let expected = cells(&data.join("zooniverse_expected").join(reference), "classification_id");
    assert!(!expected.is_empty());
    Some(differences(&expected, &cells(&out.path().join(table), "classification_id")))
}

fn assert_none(found: Option<Vec<Difference>>) {
    if let Some(found) = found {
        assert!(found.is_empty(), "{}: {:#?}", found.len(), &found[..found.len().min(8)]);
    }
}

#[test]
fn superluminous_questions() {
    assert_none(compare(
        "superluminous/cls_export.csv",
        "superluminous/Extractor_config_workflow_10_V16.55.yaml",
        "question_extractor_x.csv",
        "superluminous/question_extractor_slsn.csv",
    ));
}

#[test]
fn a_table_has_the_rows_of_the_reference_keys_for_names_and_our_version() {
    let Some(data) = shared_data() else { return };
    let out = tempfile::tempdir().unwrap();
    let (export, yaml) = (
        data.join("zooniverse/superluminous/cls_export.csv"),
        data.join("zooniverse_expected/superluminous/Extractor_config_workflow_10_V16.55.yaml"),
    );
    let report = extract(&export, &yaml, out.path(), "x.csv");
    let reference = data.join("zooniverse_expected/superluminous/question_extractor_slsn.csv");
    let path = out.path().join("question_extractor_x.csv");
    assert_eq!(size(&path), size(&reference));
    assert_eq!((report.files[0].n_rows, report.input.rows_used), (14, 7));
    let text = std::fs::read_to_string(&path).unwrap();
    let key = volunteer::key("not-logged-in-17afecb47371f266c583").0;
    assert!(!text.contains("not-logged-in") && text.contains(&format!("543695319,{key},,10,T0,")));
    let header = "classification_id,user_name,user_id,workflow_id,task,created_at,subject_id,extractor,\
                  data.no,data.yes,data.aggregation_version\n";
    assert!(text.starts_with(header), "{text}");
    assert!(text.contains(&format!(",,1,volary {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn survey_4994() {
    assert_none(compare(
        "survey/survey-classifications_4994.csv",
        "survey/x_4994.yaml",
        "survey_extractor_x.csv",
        "survey/survey_extractor_4994.csv",
    ));
}

#[test]
fn kenya_survey() {
    assert_none(compare(
        "survey/kenya-sample.csv",
        "survey/x_kenya.yaml",
        "survey_extractor_x.csv",
        "survey/survey_extractor_kenya.csv",
    ));
}

#[test]
fn kenya_shortcut() {
    assert_none(compare(
        "survey/kenya-sample.csv",
        "survey/x_kenya.yaml",
        "shortcut_extractor_x.csv",
        "survey/shortcut_extractor_kenya.csv",
    ));
}

/// The one null answer: the reference makes it an answer called `None`.
#[test]
fn fossil_questions_but_for_the_column_none() {
    let Some(found) = compare(
        "questions/fossil-finder-classifications_test.csv",
        "drawing/x_fossil371.yaml",
        "question_extractor_x.csv",
        "drawing/question_extractor_fossil.csv",
    ) else {
        return;
    };
    let [(id, task, column, theirs, ours)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((id.as_str(), task.as_str(), column.as_str()), ("2478696", "T5", "None"));
    assert_eq!((theirs.as_str(), ours.as_str()), ("1.0", ""));
}

#[test]
fn fossil_points_with_subtasks() {
    assert_none(compare(
        "questions/fossil-finder-classifications_test.csv",
        "drawing/x_fossil371.yaml",
        "point_extractor_by_frame_x.csv",
        "drawing/point_extractor_by_frame_fossil.csv",
    ));
}

const ANDROMEDA: &str = "drawing/ap-aas229-test-classifications.csv";

#[test]
fn andromeda_circles() {
    assert_none(compare(
        ANDROMEDA,
        "drawing/x_andromeda.yaml",
        "shape_extractor_circle_x.csv",
        "drawing/shape_extractor_circle_andromeda.csv",
    ));
}

#[test]
fn andromeda_ellipses() {
    assert_none(compare(
        ANDROMEDA,
        "drawing/x_andromeda.yaml",
        "shape_extractor_ellipse_x.csv",
        "drawing/shape_extractor_ellipse_andromeda.csv",
    ));
}

#[test]
fn andromeda_polygons() {
    assert_none(compare(
        ANDROMEDA,
        "drawing/x_andromeda.yaml",
        "polygon_extractor_x.csv",
        "drawing/polygon_extractor_andromeda.csv",
    ));
}

const BLOCKS: &str = "questions/building_blocks_example_classifications.csv";

#[test]
fn rectangles_with_text_subtasks_4870() {
    assert_none(compare(
        BLOCKS,
        "drawing/x_4870.yaml",
        "shape_extractor_rectangle_x.csv",
        "drawing/shape_extractor_rectangle_t4870.csv",
    ));
}

#[test]
fn texts_4870() {
    assert_none(compare(
        BLOCKS,
        "drawing/x_4870.yaml",
        "text_extractor_x.csv",
        "drawing/text_extractor_t4870.csv",
    ));
}

#[test]
fn cat_project_freehand_lines() {
    assert_none(compare(
        "cat_project/cat-project-classifications.csv",
        "cat_project/cat_project_extractor_config.yaml",
        "polygon_extractor_x.csv",
        "cat_project/polygon_extractor_cat.csv",
    ));
}

/// The same as published by the project, made with 5.1.0.
#[test]
fn cat_project_as_published() {
    let Some(data) = shared_data() else { return };
    let out = tempfile::tempdir().unwrap();
    let folder = data.join("zooniverse/cat_project");
    let yaml = folder.join("cat_project_extractor_config.yaml");
    let report = extract(&folder.join("cat-project-classifications.csv"), &yaml, out.path(), "x");
    assert_eq!((report.input.rows_read, report.input.rows_used), (153, 128));
    assert_eq!(report.input.left_out["version"], 25);
    let id = "classification_id";
    let published = cells(&folder.join("polygon_extractor_extractions.csv"), id);
    assert_same(&published, &cells(&out.path().join("polygon_extractor_x.csv"), id));
}

/// Every export that we have: nothing fails, the account adds up, and no name comes out.
#[test]
fn every_export_without_a_configuration() {
    let Some(data) = shared_data() else { return };
    for (export, n_tables) in [
        ("superluminous/cls_export.csv", 2),
        ("survey/camcat_sa.csv", 2),
        ("survey/kenya-sample.csv", 7),
        ("survey/wildcam_gorongosa_sample.csv", 2),
        (ANDROMEDA, 6),
        (BLOCKS, 0),
        ("questions/fossil-finder-classifications_test.csv", 0),
        ("cat_project/cat-project-classifications.csv", 0),
        ("swap/minion-zoo-dmc-example-classifications.csv", 2),
    ] {
        let out = tempfile::tempdir().unwrap();
        let report = crate::common::extract_auto(&data.join("zooniverse").join(export), out.path());
        let names: Vec<_> = report.files.iter().map(|f| f.path.file_name().unwrap()).collect();
        assert!(report.input.adds_up() && report.input.rows_used > 0, "{export}");
        eprintln!("{export}: {names:?} {:?} {:?}", report.not_extracted, report.marks_of_another_form);
        assert!(n_tables == 0 || names.len() == n_tables, "{export}: {names:?}");
        assert!(report.files.iter().all(|f| !has_names(&f.path)), "{export}");
    }
}

fn has_names(path: &Path) -> bool {
    let text = std::fs::read_to_string(path).unwrap();
    text.contains("volunteer_0") || text.contains("not-logged-in")
}
