use super::super::clustering::{MarkCluster, MarkClusters, OutlineCluster};
use super::rows::tool_of;
use super::*;

/// All marks are one cluster at the first mark.
struct AllInOne;

impl Clustering for AllInOne {
    fn normalise(&self, _form: Form, numbers: &mut [f64]) {
        numbers[0] = -numbers[0];
    }

    fn marks(&self, marks: &[Vec<f64>], _job: &MarkJob) -> MarkClusters {
        let cluster = MarkCluster {
            count: marks.len(),
            average: marks[0].clone(),
            sigma: Some(0.25),
            covariance: Some([1.0, 2.0, f64::NAN]),
        };
        MarkClusters { labels: vec![Some(0); marks.len()], probabilities: None, clusters: vec![cluster] }
    }

    fn outlines(&self, outlines: &[OutlineMark], _job: &OutlineJob) -> OutlineClusters {
        let rings = outlines.iter().map(|o| o.points.clone()).collect();
        let cluster = OutlineCluster { count: outlines.len(), consensus: 1.0, rings };
        OutlineClusters {
            labels: vec![Some(Some(0)); outlines.len()],
            n_repaired: 0,
            clusters: vec![cluster],
        }
    }
}

fn row<'e>(cells: &[(&'e str, &'e str)]) -> Extracted<'e> {
    Extracted { volunteer: "v", created_ms: None, cells: cells.to_vec() }
}

fn reducer(name: &str, parameters: Value) -> Result<(ShapeReducer, Vec<String>), String> {
    shape_reducer(name, parameters.as_object().unwrap())
}

fn reduce(name: &str, parameters: Value, rows: &[Extracted<'_>]) -> (Vec<Reduced>, Account) {
    let mut account = Account::default();
    let found = reducer(name, parameters).unwrap().0.reduce(rows, &AllInOne, &mut account);
    (found, account)
}

#[test]
fn tools_by_their_columns() {
    assert_eq!(tool_of("T0_tool1_x"), Some("T0_tool1"));
    assert_eq!(tool_of("T0_toolIndex12_pathX"), Some("T0_toolIndex12"));
    assert_eq!(tool_of("init_tool0_details"), Some("init_tool0"));
    assert_eq!(tool_of("T0_toolIndex0_subtask0"), Some("T0_toolIndex0"));
    for other in ["gold_standard", "T0_tool_x", "T0_toolIndex", "_tool"] {
        assert_eq!(tool_of(other), None, "{other}");
    }
}

#[test]
fn what_cannot_be_done_is_refused_in_a_sentence() {
    for (name, parameters, word) in [
        ("shape_reducer_dbscan", json!({}), "there is no shape"),
        ("shape_reducer_dbscan", json!({"shape": "blob"}), "there is no shape"),
        ("shape_reducer_dbscan", json!({"shape": "point", "metric_type": "IoU"}), "has no area"),
        ("shape_reducer_dbscan", json!({"shape": "circle", "metric_type": "cosine"}), "metric_type"),
        ("shape_reducer_dbscan", json!({"shape": "circle", "eps": 0}), "eps"),
        ("shape_reducer_dbscan", json!({"shape": "circle", "min_samples": 0}), "min_samples"),
        ("shape_reducer_optics", json!({"shape": "circle", "xi": 2}), "xi"),
        ("shape_reducer_optics", json!({"shape": "circle", "min_samples": 1}), "at least 2"),
        ("point_reducer_hdbscan", json!({"min_cluster_size": 1}), "at least 2"),
        ("point_reducer_hdbscan", json!({"cluster_selection_method": "best"}), "eom or leaf"),
        ("point_reducer_dbscan", json!({"metric": "cosine"}), "cosine"),
        ("polygon_reducer", json!({"average_type": "mean"}), "average_type"),
    ] {
        let why = reducer(name, parameters.clone()).unwrap_err();
        assert!(why.contains(word), "{name} {parameters}: {why}");
    }
}

#[test]
fn parameters_are_read_as_the_original_reads_them() {
    let given =
        json!({"shape": "circle", "eps": "12", "min_samples": 2, "algorithm": "brute", "colour": 1});
    let (found, left) = reducer("shape_reducer_dbscan", given).unwrap();
    assert_eq!(left, ["colour"]);
    let Kind::Marks { job, at_least, .. } = found.kind else { panic!() };
    assert_eq!(job.method, Method::Dbscan { eps: 12.0, min_samples: 2 });
    assert_eq!(at_least, 2);
    let iou = json!({"shape": "ellipse", "metric_type": "IoU", "estimate_average": true, "eps_t": 1});
    let Kind::Marks { job, .. } = reducer("shape_reducer_hdbscan", iou).unwrap().0.kind else {
        panic!()
    };
    let expected = MarkMetric::Overlap { form: Form::Ellipse, eps_t: 1.0, estimate: true };
    assert_eq!(job.metric, expected);
    let metric = |p: Value| match reducer("point_reducer", p).unwrap().0.kind {
        Kind::Marks { job, .. } => job.metric,
        Kind::Outlines { .. } => panic!(),
    };
    assert_eq!(metric(json!({"metric": "manhattan"})), MarkMetric::Norm(1.0));
    assert_eq!(metric(json!({"metric": "minkowski", "p": 3})), MarkMetric::Norm(3.0));
}

#[test]
fn marks_columns_and_answers() {
    let rows = [
        row(&[
            ("frame0.T0_tool0_x", "[1.0, nan]"),
            ("frame0.T0_tool0_y", "[2.0, 5.0]"),
            ("frame0.T0_tool0_details", "[[{'0': 1}], [{'1': 1}]]"),
            ("frame1.T0_tool0_x", "[]"),
        ]),
        row(&[
            ("frame0.T0_tool0_x", "[3]"),
            ("frame0.T0_tool0_y", "[4]"),
            ("frame0.T0_tool0_details", "[[{'0': 1}]]"),
        ]),
    ];
    let details = json!({"min_samples": 1, "details": {"T0_tool0": ["question_reducer"]}});
    let (found, account) = reduce("point_reducer_dbscan", details, &rows[1..]);
    assert_eq!(account.n_bad, 0);
    let cell = |name: &str| found[0].get(name).map_or("", String::as_str);
    assert_eq!(cell("frame0.T0_tool0_points_x"), "[3.0]");
    assert_eq!(cell("frame0.T0_tool0_cluster_labels"), "[0]");
    assert_eq!(cell("frame0.T0_tool0_clusters_var_x_y"), "[null]");
    assert_eq!(cell("frame0.T0_tool0_clusters_details"), r#"[[{"0":1}]]"#);
    // A number that is none takes its mark away; fewer marks than asked for are noise.
    let (found, account) = reduce("point_reducer_dbscan", json!({}), &rows);
    assert_eq!(account.n_bad, 1);
    assert_eq!(found[0]["frame0.T0_tool0_points_y"], "[2.0,4.0]");
    assert_eq!(found[0]["frame0.T0_tool0_cluster_labels"], "[-1,-1]");
    assert!(!found[0].keys().any(|k| k.starts_with("frame1")));
    let (found, _) = reduce("point_reducer_hdbscan", json!({}), &rows);
    assert_eq!(found[0]["frame0.T0_tool0_cluster_probabilities"], "[0.0,0.0]");
}

#[test]
fn a_reducer_of_answers_that_is_not_here_is_named() {
    let rows = [row(&[
        ("frame0.T0_tool0_x", "[1]"),
        ("frame0.T0_tool0_y", "[1]"),
        ("frame0.T0_tool0_details", "[[{'text': 'a'}]]"),
    ])];
    let details = json!({"min_samples": 1, "details": {"T0_tool0": ["text_reducer"]}});
    let (found, account) = reduce("point_reducer_dbscan", details, &rows);
    assert_eq!(found[0]["frame0.T0_tool0_clusters_details"], "[[null]]");
    assert!(account.messages.iter().any(|m| m.contains("text_reducer")));
}

#[test]
fn the_second_generation_names_each_question() {
    let rows = [row(&[
        ("frame0.T0_toolIndex0_x", "[1, 5]"),
        ("frame0.T0_toolIndex0_y", "[1, 5]"),
        ("frame0.T0_toolIndex0_subtask0", r#"[{"yes":1},{"no":1}]"#),
        ("classifier_version", "2.0"),
    ])];
    let details = json!({"shape": "point", "min_samples": 1, "details": {"T0_toolIndex0_subtask0": "question_reducer"}});
    let (found, _) = reduce("shape_reducer_dbscan", details, &rows);
    assert_eq!(found[0]["frame0.T0_toolIndex0_subtask0"], r#"[{"yes":1},{"no":1}]"#);
    assert_eq!(found[0]["frame0.T0_toolIndex0_subtask0_clusters"], r#"[{"no":1,"yes":1}]"#);
    assert_eq!(found[0]["classifier_version"], "2.0");
}

#[test]
fn outlines_thresholds_and_annotations() {
    let rows = [
        row(&[
            ("frame0.T0_toolIndex1_pathX", "[[0, 1, 1]]"),
            ("frame0.T0_toolIndex1_pathY", "[[0, 0, 1]]"),
        ]),
        row(&[]),
    ];
    let (found, _) = reduce("polygon_reducer", json!({"collab": true, "step_key": "S3"}), &rows);
    assert_eq!(found[0]["threshold"], "[0.5]");
    assert_eq!(found[0]["parameters.average_type"], "median");
    let data: Value = serde_json::from_str(&found[0]["data"]).unwrap();
    assert_eq!((&data[0]["stepKey"], &data[0]["toolIndex"]), (&json!("S3"), &json!(1)));
    assert_eq!(data[0]["pathX"], json!([0.0, 1.0, 1.0]));
    let (found, _) = reduce("polygon_reducer", json!({"min_threshold": 0.5}), &rows);
    assert!(!found[0].contains_key("threshold") && !found[0].contains_key("data"));
    let (found, _) = reduce("polygon_reducer_contours", json!({}), &rows);
    assert_eq!(found[0]["frame0.T0_toolIndex1_number_of_contours"], "1");
    let (found, account) = reduce(
        "polygon_reducer",
        json!({}),
        &[row(&[("frame0.T0_tool0_pathX", "[[0, 1]]"), ("frame0.T0_tool0_pathY", "[[0]]")])],
    );
    assert_eq!((account.n_bad, found.len()), (1, 1));
}
