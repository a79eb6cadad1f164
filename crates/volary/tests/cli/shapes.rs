//! `volary shapes`: what comes in, what goes out, what is refused.

use serde_json::json;

use crate::support::{Place, Row, export, shared};

/// Five volunteers circle two vortices on a subject; one of them adds a stray, one draws nothing.
fn vortices() -> String {
    let mark =
        |x: f64, y: f64, r: f64| json!({"tool": 0, "frame": 0, "x": x, "y": y, "r": r, "details": []});
    let mut rows = Vec::new();
    for (i, who) in (0..).zip(["ann", "bob", "cid", "dee", "eve"]) {
        let d = f64::from(i);
        let mut marks = vec![mark(100.0 + d, 80.0, 20.0 + d), mark(220.0 - d, 90.0 + d, 30.0)];
        if who == "ann" {
            marks.push(mark(20.0, 20.0, 8.0));
        }
        if who == "eve" {
            marks.clear();
        }
        let said = json!([{"task": "T0", "task_label": "Circle the vortices", "value": marks}]);
        rows.push(Row::new(u64::from(i as u32) + 1, who, "s1", &said));
    }
    export(&rows)
}

#[test]
fn every_way_in_gives_the_same_shapes() {
    let place = Place::new();
    place.write("e.csv", vortices());
    let record = place.record(&["shapes", "e.csv", "-o", "a.csv"]);
    assert_eq!(record["summary"]["n_shapes"], 2);
    assert_eq!(record["summary"]["n_marks"], 9);
    place.record(&["extract", "e.csv", "-o", "parquet"]);
    place.record(&["extract", "e.csv", "-o", "csv", "--to", "csv"]);
    place.record(&["extract", "e.csv", "-o", "json", "--to", "json"]);
    for input in ["parquet", "csv/shapes.csv", "json/shapes.json", "parquet/shapes.parquet"] {
        place.record(&["shapes", input, "-o", "b.csv"]);
        assert_eq!(place.read("a.csv"), place.read("b.csv"), "{input}");
        assert_eq!(place.read("a_members.csv"), place.read("b_members.csv"), "{input}");
    }
    place.record(&["shapes", "e.csv", "-o", "c.csv", "--threads", "1"]);
    assert_eq!(place.read("a.csv"), place.read("c.csv"));
    let shapes = place.table("a.csv");
    assert_eq!((shapes.len(), shapes[0]["shape"].as_str()), (2, "circle"));
    for row in &shapes {
        assert_eq!((row["n_seen"].as_str(), row["n_volunteers"].as_str()), ("5", "4"));
        let number = |c: &str| row[c].parse::<f64>().unwrap();
        assert!(number("fraction_low") < 0.8 && number("fraction_high") > 0.8);
        assert!(number("x_px_low") < number("x_px") && number("x_px") < number("x_px_high"));
        assert!(row["rx_px"].is_empty() && row["points_px"].is_empty());
    }
    let members = place.table("a_members.csv");
    let count = |fate: &str| members.iter().filter(|m| m["fate"] == fate).count();
    assert_eq!((members.len(), count("member"), count("noise")), (9, 8, 1));
}

#[test]
fn pictures_over_the_image_and_on_an_empty_frame() {
    let place = Place::new();
    place.write("e.csv", vortices());
    std::fs::create_dir(place.path("images")).unwrap();
    place.write("images/s1.gif", b"GIF89a\x40\x01\xf0\0\0\0\0");
    let record = place.record(&["shapes", "e.csv", "-o", "a.csv", "--figure", "bare"]);
    assert_eq!(record["summary"]["n_figures"], 1);
    let svg = place.read("bare/shapes_7_s1_T0_0.svg");
    assert!(svg.contains(">4/5</text>") && !svg.contains("<image") && !svg.contains("NaN"), "{svg}");
    place.record(&["shapes", "e.csv", "-o", "a.csv", "--figure", "over", "--images", "images"]);
    let svg = place.read("over/shapes_7_s1_T0_0.svg");
    assert!(
        svg.contains("href=\"data:image/gif;base64,R0lG") && svg.contains("viewBox=\"0 0 320 240\"")
    );
    // The image is 320 wide: a mark beyond it is none.
    let far = vortices().replace("220.0", "920.0").replace("219.0", "919.0").replace("218.0", "918.0");
    place.write("far.csv", far);
    let record = place.record(&["shapes", "far.csv", "-o", "b.csv", "--images", "images"]);
    assert!(record["summary"]["n_unusable"].as_u64().unwrap() >= 3, "{record}");
    let table = place.table("b_members.csv");
    assert!(table.iter().any(|m| m["fate"] == "unusable"));
}

#[test]
fn bad_tables_give_what_they_can() {
    let place = Place::new();
    let header = "classification_id,workflow_id,subject_id,volunteer,created_at,repeat,task,mark,frame,tool,\
                  tool_label,shape,x_px,y_px,width_px,height_px,r_px,points_px";
    // Nothing in it.
    place.write("empty.csv", format!("{header}\n"));
    let record = place.record(&["shapes", "empty.csv", "-o", "out.csv"]);
    assert_eq!(record["summary"]["n_shapes"], 0);
    assert_eq!(place.table("out.csv").len(), 0);
    assert!(place.read("out.csv").starts_with("workflow_id,task,subject_id"));
    // Zero areas, NaN, outlines that cross themselves, marks outside, 500 times the same.
    let mut rows = vec![header.to_owned()];
    let mut add = |who: &str, shape: &str, rest: &str| {
        rows.push(format!("{who}1,7,s,{who},,false,T0,0,0,0,,{shape},{rest}"));
    };
    add("va", "rectangle", "10,10,0,5,,");
    add("vb", "circle", "NaN,10,,,5,");
    add("vc", "circle", "10,x,,,5,");
    add("vd", "circle", "-50,10,,,5,");
    add("ve", "polygon", ",,,,,\"[[0,0],[3,3],[-1,3],[2,0]]\"");
    add("vf", "polygon", ",,,,,\"[[0,0],[1,1],[2,2]]\"");
    add("vg", "polygon", ",,,,,\"[[0,0],[1\"");
    add("vh", "teapot", "1,1,,,,");
    for _ in 0..500 {
        add("vi", "circle", "10,10,,,5,");
    }
    place.write("bad.csv", rows.join("\n"));
    let record = place.record(&["shapes", "bad.csv", "-o", "out.csv", "--min-volunteers", "2"]);
    assert_eq!(record["summary"]["n_shapes"], 0, "{record}");
    assert_eq!(record["summary"]["n_copy"], 499);
    assert_eq!(record["summary"]["n_unusable"], 6);
    assert!(record["problems"]["unknown task type"].as_u64() == Some(1), "{record}");
    assert_eq!(place.volary(&["shapes", "bad.csv", "-o", "out.csv", "--strict"]).code, 3);
}

#[test]
fn what_cannot_be_done_is_one_sentence() {
    let place = Place::new();
    place.write("e.csv", vortices());
    let fails = |arguments: &[&str], words: &str| {
        place.volary(&[&["shapes", "e.csv", "-o", "x.csv"], arguments].concat()).fails_with(words);
    };
    fails(&["--algorithm", "kmeans"], "dbscan, hdbscan, optics");
    fails(&["--distance", "miles"], "overlap, pixels");
    fails(&["--members", "two"], "one-per-volunteer");
    fails(&["--repeats", "some"], "first, last, all");
    fails(&["--eps", "0"], "eps is 0");
    fails(&["--min-iou", "1"], "between 0 and 1");
    fails(&["--min-volunteers", "0"], "at least 1");
    fails(&["--level", "2"], "level");
    fails(&["--images", "nowhere"], "no such folder of images");
    place.volary(&["shapes", "e.csv", "-o", "x.txt"]).fails_with("x.txt");
    place.volary(&["shapes", "nowhere", "-o", "x.csv"]).fails_with("nowhere");
    std::fs::create_dir(place.path("empty")).unwrap();
    place.volary(&["shapes", "empty", "-o", "x.csv"]).fails_with("no shapes table");
    place.write("labels.csv", "task,worker,label\n1,a,yes\n");
    place.volary(&["shapes", "labels.csv", "-o", "x.csv"]).fails_with("no drawn marks");
}

#[test]
fn reduce_knows_the_usual_reducer_of_an_extractor() {
    let place = Place::new();
    place.write("e.csv", vortices());
    place.record(&["extract", "e.csv", "--format", "panoptes", "-o", "p"]);
    let table = "p/shape_extractor_circle_extractions.csv";
    place.record(&["reduce", table, "-o", "r"]);
    let rows = place.table("r/shape_reducer_dbscan_reductions.csv");
    assert_eq!(rows[0]["data.frame0.T0_tool0_clusters_count"], "[4,4]");
}

#[test]
fn the_report_shows_what_was_drawn() {
    let place = Place::new();
    place.write("e.csv", vortices());
    place.record(&["init", "--export", "e.csv", "p"]);
    place.record(&["run", "p"]);
    let page = place.read("p/report.html");
    assert!(page.contains("id=\"drawings\"") && page.contains(">4/5</text>"));
    assert!(place.path("p/figures/drawings-1.svg").is_file());
}

/// Every drawing set of the shared data goes through, and what the volunteers agree on is found.
#[test]
fn real_drawings_go_through() {
    for (path, least) in [
        ("zooniverse/drawing/ap-aas229-test-classifications.csv", 10),
        ("zooniverse/cat_project/cat-project-classifications.csv", 30),
        ("zooniverse/questions/building_blocks_example_classifications.csv", 0),
    ] {
        let Some(path) = shared(path) else { return };
        let place = Place::new();
        for algorithm in ["dbscan", "hdbscan", "optics"] {
            let record = place.record(&[
                "shapes",
                path.to_str().unwrap(),
                "-o",
                "out.parquet",
                "--algorithm",
                algorithm,
                "--min-volunteers",
                "2",
                "--figure",
                "pictures",
            ]);
            let n = record["summary"]["n_shapes"].as_u64().unwrap();
            assert!(n >= least, "{algorithm}: {n} of {}", path.display());
        }
    }
}
