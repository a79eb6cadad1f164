//! The reducers of marks against the tables that `panoptes_aggregation` 5.3.1 made, through the binary.
//!
//! Compared are all cells; clusters up to their numbering, which is told from where the marks are, and
//! outlines as outlines: where a ring begins, which way it runs and whether it says a point twice is not
//! compared.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use volary_ingest::panoptes::compat::parse_cell;

use crate::support::{Place, read_csv, shared};

type Table = BTreeMap<(String, String, String), Value>;

/// Subject, task, column → value; absent and empty are one.
fn cells(path: &Path) -> Table {
    let mut table = Table::new();
    let mut seen = BTreeMap::<(String, String), usize>::new();
    for row in read_csv(path) {
        let place = (row["subject_id"].clone(), row["task"].clone());
        let n = *seen.entry(place.clone()).and_modify(|n| *n += 1).or_insert(0_usize);
        assert_eq!(n, 0, "one row a subject and task");
        for (column, cell) in row.iter().filter(|(_, cell)| !cell.is_empty()) {
            let Some(name) = column.strip_prefix("data.").filter(|n| *n != "aggregation_version") else {
                continue;
            };
            table.insert((place.0.clone(), place.1.clone(), name.to_owned()), value(cell));
        }
    }
    table
}

fn value(cell: &str) -> Value {
    if let Some(value) = parse_cell(cell) {
        return value;
    }
    match cell {
        "True" | "true" => Value::Bool(true),
        "False" | "false" => Value::Bool(false),
        text => text.parse::<f64>().map_or_else(|_| Value::from(text), Value::from),
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) if a.contains_key("ring") && b.contains_key("ring") => {
            let numbers = |v: &Value| -> Vec<f64> {
                v.as_array().unwrap().iter().filter_map(Value::as_f64).collect()
            };
            let (a, b) = (numbers(&a["ring"]), numbers(&b["ring"]));
            a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 1e-6 * a.abs().max(1.0))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| same(v, w)))
        }
        _ => a == b,
    }
}

/// Whether a column holds the x of outlines; its other half is then the column of y.
fn outline(column: &str) -> Option<String> {
    let of_outlines = column.ends_with("clusters_x") || column.ends_with("contours_x");
    of_outlines.then(|| format!("{}y", &column[..column.len() - 1]))
}

/// Area, centroid and bounds of every ring, nested as the rings are; `None` for lists of plain numbers.
fn rings(x: &Value, y: &Value) -> Option<Value> {
    let (xs, ys) = (x.as_array()?, y.as_array()?);
    if xs.len() != ys.len() {
        return None;
    }
    let is_ring = |v: &[Value]| !v.is_empty() && v.iter().all(Value::is_number);
    if !is_ring(xs) {
        return xs.iter().zip(ys).map(|(x, y)| rings(x, y).or_else(|| both_null(x, y))).collect();
    }
    let numbers = |v: &[Value]| v.iter().filter_map(Value::as_f64).collect::<Vec<f64>>();
    let (xs, ys) = (numbers(xs), numbers(ys));
    let (mut area, mut cx, mut cy) = (0.0, 0.0, 0.0);
    for i in 0..xs.len() {
        let j = (i + 1) % xs.len();
        let cross = xs[i] * ys[j] - xs[j] * ys[i];
        area += cross / 2.0;
        cx += (xs[i] + xs[j]) * cross / 6.0;
        cy += (ys[i] + ys[j]) * cross / 6.0;
    }
    let ends = |v: &[f64]| {
        [
            v.iter().copied().fold(f64::INFINITY, f64::min),
            v.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        ]
    };
    let [x0, x1] = ends(&xs);
    let [y0, y1] = ends(&ys);
    let size = ((x1 - x0) * (y1 - y0)).max(1.0);
    let shape =
        [area.abs() / size, cx / area / (x1 - x0 + 1.0), cy / area / (y1 - y0 + 1.0), x0, x1, y0, y1];
    Some(serde_json::json!({ "ring": shape }))
}

fn both_null(x: &Value, y: &Value) -> Option<Value> {
    (x.is_null() && y.is_null()).then_some(Value::Null)
}

/// Cells with outlines written as what they enclose.
fn enclosed<K: Ord + Clone>(
    cells: &BTreeMap<K, Value>,
    column: impl Fn(&K) -> &str,
    with: impl Fn(&K, String) -> K,
) -> BTreeMap<K, Value> {
    let mut out = cells.clone();
    for (key, x) in cells {
        let Some(other) = outline(column(key)).map(|y| with(key, y)) else { continue };
        if let Some(shapes) = cells.get(&other).and_then(|y| rings(x, y)) {
            out.insert(key.clone(), shapes);
            out.remove(&other);
        }
    }
    out
}

/// The labels of theirs that each label of ours stands for; `None` where marks are grouped otherwise.
fn numbering(ours: &Value, theirs: &Value) -> Option<BTreeMap<i64, i64>> {
    let labels = |v: &Value| -> Option<Vec<i64>> {
        v.as_array()?.iter().map(|l| Some(l.as_f64()? as i64)).collect()
    };
    let (ours, theirs) = (labels(ours)?, labels(theirs)?);
    if ours.len() != theirs.len() {
        return None;
    }
    let mut map = BTreeMap::new();
    for (&a, &b) in ours.iter().zip(&theirs) {
        if *map.entry(a).or_insert(b) != b || (a == -1) != (b == -1) {
            return None;
        }
    }
    let different: std::collections::BTreeSet<i64> = map.values().copied().collect();
    (different.len() == map.len()).then_some(map)
}

/// Ours with its clusters in their order.
fn renumbered(ours: &Table, theirs: &Table) -> Table {
    let mut out = ours.clone();
    for ((subject, task, column), labels) in ours {
        let Some(tool) = column.strip_suffix("cluster_labels") else { continue };
        let key = |c: &str| (subject.clone(), task.clone(), c.to_owned());
        let Some(map) = theirs.get(&key(column)).and_then(|t| numbering(labels, t)) else { continue };
        out.insert(key(column), theirs[&key(column)].clone());
        for ((s, t, c), list) in ours {
            let is_of_clusters =
                c.starts_with(tool) && (c.contains("clusters") || c.ends_with("consensus"));
            if s != subject || t != task || !is_of_clusters {
                continue;
            }
            let Value::Array(items) = list else { continue };
            let mut placed = vec![Value::Null; items.len()];
            for (ours, item) in items.iter().enumerate() {
                let at = map.get(&(ours as i64)).copied().unwrap_or(ours as i64);
                placed[usize::try_from(at).unwrap()] = item.clone();
            }
            out.insert(key(c), Value::Array(placed));
        }
    }
    out
}

/// Reduces an extraction of the reference and compares; columns for which `skip` holds are not compared.
fn compare(extraction: &str, yaml: &str, reference: &str, skip: &dyn Fn(&str) -> bool) {
    let folder = "zooniverse_expected";
    let Some(extraction) = shared(&format!("{folder}/{extraction}")) else { return };
    let yaml = shared(&format!("{folder}/{yaml}")).unwrap();
    let theirs = cells(&shared(&format!("{folder}/{reference}")).unwrap());
    let ours = cells(&reduce(&Place::new(), &extraction, &yaml));
    check(&renumbered(&ours, &theirs), &theirs, skip);
}

fn check(ours: &Table, theirs: &Table, skip: &dyn Fn(&str) -> bool) {
    let with = |key: &(String, String, String), y: String| (key.0.clone(), key.1.clone(), y);
    let (ours, theirs) = (&enclosed(ours, |k| &k.2, with), &enclosed(theirs, |k| &k.2, with));
    let keys: std::collections::BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    let differ: Vec<_> = keys
        .into_iter()
        .filter(|key| !skip(&key.2))
        .filter(|key| match (ours.get(*key), theirs.get(*key)) {
            (Some(a), Some(b)) => !same(a, b),
            _ => true,
        })
        .map(|key| (key, ours.get(key), theirs.get(key)))
        .collect();
    let shown = format!("{:#?}", &differ[..differ.len().min(3)]);
    let shown: String = shown.chars().take(4000).collect();
    assert!(differ.is_empty(), "{} of {}: {shown}", differ.len(), theirs.len());
    assert!(!theirs.is_empty());
}

fn reduce(place: &Place, extraction: &Path, yaml: &Path) -> std::path::PathBuf {
    let run = place.record(&[
        "reduce",
        extraction.to_str().unwrap(),
        "--reducer-config",
        yaml.to_str().unwrap(),
        "-F",
        "all",
        "-o",
        "out",
        "--name",
        "x",
    ]);
    let name = place.files().into_iter().find(|f| f.starts_with("out/") && f.ends_with("_x.csv"));
    place.path(&name.unwrap_or_else(|| panic!("no table: {run}")))
}

const CIRCLES: &str = "drawing/shape_extractor_circle_andromeda.csv";

#[test]
fn andromeda_circles_by_dbscan() {
    compare(
        CIRCLES,
        "drawing/red_circle_dbscan.yaml",
        "drawing/shape_reducer_dbscan_andromeda_dbscan.csv",
        &|_| false,
    );
}

#[test]
fn andromeda_circles_by_overlap() {
    compare(
        CIRCLES,
        "drawing/red_circle_iou.yaml",
        "drawing/shape_reducer_dbscan_andromeda_iou.csv",
        &|_| false,
    );
}

#[test]
fn andromeda_circles_by_hdbscan() {
    compare(
        CIRCLES,
        "drawing/red_circle_hdbscan.yaml",
        "drawing/shape_reducer_hdbscan_andromeda_hdbscan.csv",
        &|_| false,
    );
}

#[test]
fn andromeda_circles_by_optics() {
    compare(
        CIRCLES,
        "drawing/red_circle_optics.yaml",
        "drawing/shape_reducer_optics_andromeda_optics.csv",
        &|_| false,
    );
}

#[test]
fn fossil_points_with_questions_of_their_own() {
    compare(
        "drawing/point_extractor_by_frame_fossil.csv",
        "drawing/red_point_sub.yaml",
        "drawing/point_reducer_dbscan_fossil.csv",
        &|_| false,
    );
}

/// Texts of marks are not aligned: `clusters_details` of `text_reducer` is null. And ours read the users'
/// ids of the details, which the extraction does not hold in our tables.
#[test]
fn rectangles_of_4870_but_for_their_texts() {
    compare(
        "drawing/shape_extractor_rectangle_t4870.csv",
        "drawing/red_rect.yaml",
        "drawing/shape_reducer_dbscan_t4870.csv",
        &|column| column.ends_with("clusters_details"),
    );
}

const CATS: &str = "cat_project/polygon_extractor_cat.csv";

#[test]
fn outlines_of_cats_by_median() {
    compare(CATS, "cat_project/red_median.yaml", "cat_project/polygon_reducer_cat_median.csv", &|_| {
        false
    });
}

#[test]
fn outlines_of_cats_by_union() {
    compare(CATS, "cat_project/red_union.yaml", "cat_project/polygon_reducer_cat_union.csv", &|_| false);
}

#[test]
fn outlines_of_cats_by_intersection() {
    compare(
        CATS,
        "cat_project/red_intersection.yaml",
        "cat_project/polygon_reducer_cat_intersection.csv",
        &|_| false,
    );
}

/// Rows of one subject come in any order in the original: they are compared as a multiset.
#[test]
fn levels_of_agreement_on_cats() {
    let folder = "zooniverse_expected/cat_project";
    let Some(extraction) = shared(&format!("{folder}/polygon_extractor_cat.csv")) else { return };
    let yaml = shared(&format!("{folder}/cat_project_reducer_contours_config.yaml")).unwrap();
    let rows = |path: &Path| -> Vec<(String, BTreeMap<String, Value>)> {
        let row = |row: BTreeMap<String, String>| {
            let cells = row.iter().filter(|(c, cell)| {
                c.starts_with("data.") && *c != "data.aggregation_version" && !cell.is_empty()
            });
            let cells = cells.map(|(c, cell)| (c.clone(), value(cell))).collect();
            (row["subject_id"].clone(), enclosed(&cells, |c: &String| c.as_str(), |_, y| y))
        };
        read_csv(path).into_iter().map(row).collect()
    };
    let ours = rows(&reduce(&Place::new(), &extraction, &yaml));
    let mut theirs = rows(&shared(&format!("{folder}/polygon_reducer_contours_cat.csv")).unwrap());
    assert_eq!(ours.len(), theirs.len());
    let mut missing = Vec::new();
    for (subject, row) in &ours {
        let like = |(s, other): &(String, BTreeMap<String, Value>)| {
            s == subject
                && row.len() == other.len()
                && row.iter().all(|(c, v)| {
                    let is_label = c.ends_with("label_for_contours");
                    other.get(c).is_some_and(|w| match (is_label, c.ends_with("cluster_labels")) {
                        (true, _) => true,
                        (_, true) => numbering(v, w).is_some(),
                        _ => same(v, w),
                    })
                })
        };
        match theirs.iter().position(like) {
            Some(at) => {
                theirs.swap_remove(at);
            }
            None => missing.push(subject),
        }
    }
    assert!(missing.is_empty() && theirs.is_empty(), "{missing:?}");
}

/// From the export to the reduction without the original in between, for the second generation too.
#[test]
fn exports_give_the_same_reductions() {
    for (export, yaml, table, red, reference) in [
        (
            "zooniverse/drawing/ap-aas229-test-classifications.csv",
            "drawing/x_andromeda.yaml",
            "shape_extractor_circle_x.csv",
            "drawing/red_circle_optics.yaml",
            "drawing/shape_reducer_optics_andromeda_optics.csv",
        ),
        (
            "zooniverse/cat_project/cat-project-classifications.csv",
            "cat_project/cat_project_extractor_config.yaml",
            "polygon_extractor_x.csv",
            "cat_project/red_median.yaml",
            "cat_project/polygon_reducer_cat_median.csv",
        ),
    ] {
        let Some(export) = shared(export) else { return };
        let expected = |name: &str| shared(&format!("zooniverse_expected/{name}")).unwrap();
        let place = Place::new();
        place.record(&[
            "extract",
            export.to_str().unwrap(),
            "--format",
            "panoptes",
            "--extractor-config",
            expected(yaml).to_str().unwrap(),
            "--name",
            "x",
            "-o",
            "extracts",
        ]);
        let ours = cells(&reduce(&place, &place.path(&format!("extracts/{table}")), &expected(red)));
        let theirs = cells(&expected(reference));
        check(&renumbered(&ours, &theirs), &theirs, &|_| false);
    }
}
