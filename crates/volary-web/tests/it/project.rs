//! The project half of the API, and the page itself.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float32Type, UInt32Type};
use arrow_ipc::reader::StreamReader;
use serde_json::{Value, json};
use volary_space::Points;
use volary_space::boundary::{BoundaryParams, Prepared, Quantity, strata};
use volary_space::slice::{Column, Columns, Filter};
use volary_web::Project;
use volary_web::project::{
    Attention, Curve, Feature, Labels, MapOverlap, Overview, Person, Run, Sheet, Signal, Slices, Table,
};

use crate::site::Site;

pub(crate) const N: usize = 300;
pub(crate) const WIDTH: usize = 4;

/// The same numbers each time, between 0 and 1.
pub(crate) fn noise(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1_u32 << 31)
    }
}

pub(crate) struct Data {
    pub(crate) columns: Columns,
    pub(crate) vectors: Vec<f32>,
    pub(crate) score: Vec<f64>,
}

pub(crate) fn data() -> Data {
    let mut next = noise(7);
    let vectors: Vec<f32> = (0..N * WIDTH).map(|_| next() as f32).collect();
    let score: Vec<f64> = (0..N).map(|row| f64::from(vectors[row * WIDTH]) + 0.3 * next()).collect();
    let mut columns = Columns::default();
    let ids: Vec<String> = (0..N).map(|row| format!("s{row}")).collect();
    let mut put = |name: &str, column: Column| assert!(columns.insert(name, column), "{name}");
    put("subject_id", Column::text(ids.iter().map(|id| Some(id.as_str()))));
    put("x", Column::Number((0..N).map(|_| next()).collect()));
    put("y", Column::Number((0..N).map(|_| next()).collect()));
    put("score", Column::Number(score.clone()));
    let flux = (0..N).map(|row| if row % 10 == 3 { f64::NAN } else { row as f64 }).collect();
    put("n votes", Column::Number(flux));
    let kinds = (0..N).map(|row| (row % 7 != 0).then_some(["ring", "disk", "<b>x</b>"][row % 3]));
    put("kind", Column::text(kinds));
    put("done", Column::Boolean((0..N).map(|row| (row % 5 != 0).then_some(row % 2 == 0)).collect()));
    Data { columns, vectors, score }
}

/// A server over a project, with images: `s0` red, `s1` broken, `s2` blue.
pub(crate) fn site(folder: &tempfile::TempDir) -> Site {
    let path = folder.path().to_owned();
    Site::with(|settings| settings.project = Arc::new(project(&path)))
}

pub(crate) fn project(folder: &std::path::Path) -> Project {
    let Data { columns, vectors, .. } = data();
    let ids: Vec<String> = (0..N).map(|row| format!("s{row}")).collect();
    let table = Table::new("subjects", ids, columns, Some((vectors, WIDTH))).expect("fits");
    let mut project = Project { title: "A project".into(), tables: vec![table], ..Project::default() };
    let picture = |rgb: [u8; 3]| {
        image::RgbImage::from_pixel(32, 32, image::Rgb(rgb)).save(folder.join("p.png")).expect("saved");
        std::fs::read(folder.join("p.png")).expect("there")
    };
    for (name, bytes) in
        [("s0", picture([250, 0, 0])), ("s1", b"\x89PNG no".to_vec()), ("s2", picture([0, 0, 250]))]
    {
        let path = folder.join(format!("{name}.png"));
        std::fs::write(&path, bytes).expect("written");
        project.images.insert(name.to_owned(), path);
    }
    project.frames = [("s0".to_owned(), vec![("template".to_owned(), folder.join("s2.png"))])].into();
    let time_days: Vec<f64> = (0..50_000).map(|i| f64::from(i) / 48.0).collect();
    let mut flux = vec![1.0; time_days.len()];
    (flux[777], flux[40_000]) = (0.5, f64::NAN);
    let features = vec![Feature { from_days: 16.0, to_days: 16.4, score: 0.9, score_sd: Some(0.1) }];
    project.curves.insert("s0".into(), Curve { time_days, flux, marks: vec![[16.0, 16.5]], features });
    project.electorate = Some(crate::people::electorate(crate::people::parts()));
    project.people = (1..=40)
        .map(|n| Person {
            n_classifications: n * n,
            n_compared: n * n,
            agreement: 0.8,
            first_ms: Some(0),
            last_ms: Some(0),
            is_anonymous: false,
        })
        .collect();
    project.overview = Overview {
        n_classifications: Some(4_000),
        n_subjects: Some(N as u64),
        n_retired: Some(10),
        retired_by_reason: [("consensus".to_owned(), 10)].into(),
        by_day: [("2027-01-15".to_owned(), 4_000)].into(),
        retired_by_day: [("2027-01-15".to_owned(), [("consensus".to_owned(), 10)].into())].into(),
    };
    let signal = Signal { from_days: 3.0, to_days: 3.5, is_injected: true };
    project.signals = [("s5".to_owned(), vec![signal])].into();
    project.gold = [("s5".to_owned(), [("T0".to_owned(), "yes".to_owned())].into())].into();
    project.tags = [
        ("s7".to_owned(), vec!["Odd".to_owned(), "ring".to_owned()]),
        ("gone".to_owned(), vec!["odd".to_owned()]),
    ]
    .into();
    project.sheets = vec![Sheet {
        kind: "bias".into(),
        file: "bias.csv".into(),
        columns: vec!["x".into()],
        rows: vec![vec![None]],
        n_rows: 1,
    }];
    project.runs = vec![Run {
        id: "0123456789ab".into(),
        file: "run.json".into(),
        command: "run".into(),
        ..Run::default()
    }];
    project.labels = Some(Labels::open(&folder.join("labels.jsonl")).expect("opens"));
    project.slices = Some(Slices::open(&folder.join("slices.json")).expect("opens"));
    project.n_opted_out = 2;
    let overlap =
        |soft_iou: f64| MapOverlap { class: "ring".into(), other: "disk".into(), soft_iou, z: 0.0 };
    project.attention = [("s0", 0.2), ("s1", 0.3), ("s2", 0.4), ("s3", f64::NAN)]
        .into_iter()
        .map(|(id, iou)| {
            (id.to_owned(), Attention { overlaps: vec![overlap(iou)], ..Attention::default() })
        })
        .collect();
    project
}

#[test]
fn what_there_is_is_told_and_without_a_project_nothing_is() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let said = site.get("/project", &site.read).is(200).json();
    assert_eq!((said["title"].as_str(), said["n_images"].as_u64()), (Some("A project"), Some(3)));
    let table = &said["tables"][0];
    assert_eq!((table["n_rows"].as_u64(), table["vector_length"].as_u64()), (Some(300), Some(4)));
    assert_eq!(table["maps"], json!([{ "x": "x", "y": "y" }]));
    let column = |name: &str| -> Value {
        let all = table["columns"].as_array().expect("columns");
        all.iter().find(|c| c["name"] == name).expect(name).clone()
    };
    assert_eq!(
        (column("n votes")["n_missing"].as_u64(), column("n votes")["high"].as_f64()),
        (Some(30), Some(299.0))
    );
    assert_eq!(column("kind")["is_category"], true);
    assert_eq!(column("subject_id")["is_category"], false);
    let bare = Site::start();
    let nothing = bare.get("/project", &bare.read).is(200).json();
    assert_eq!(nothing["tables"], json!([]));
    let answer = bare.get("/tables/subjects/columns/x", &bare.read).is(404).json();
    assert!(answer["detail"].as_str().is_some_and(|d| d.contains("volary serve DIR")), "{answer}");
}

#[test]
fn columns_come_as_arrow_and_are_not_sent_twice() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let read = |name: &str| {
        let bytes = site.bytes(&format!("/tables/subjects/columns/{name}"), &site.read);
        let batches: Vec<_> = StreamReader::try_new(bytes.as_slice(), None)
            .expect("Arrow")
            .map(|b| b.expect("whole"))
            .collect();
        assert_eq!(batches.len(), 1, "one batch, so that nobody has to copy");
        batches[0].clone()
    };
    let votes = read("n%20votes");
    let votes = votes.column(0).as_primitive::<Float32Type>();
    assert!(votes.value(3).is_nan() && votes.value(299) == 299.0);
    let kinds = read("kind");
    assert!(kinds.column(0).as_dictionary::<UInt32Type>().values().len() == 3);
    let path = "/api/v1/tables/subjects/columns/x";
    let bearer = format!("Bearer {}", site.read);
    let first = site.send("GET", path, &[("authorization", &bearer)], b"").is(200);
    let tag = first.header("etag").expect("a tag").to_owned();
    let again = site.send("GET", path, &[("authorization", &bearer), ("if-none-match", &tag)], b"");
    assert_eq!((again.status, again.text.len()), (304, 0));
    let other = site.send("GET", path, &[("authorization", &bearer), ("if-none-match", "\"old\"")], b"");
    assert_eq!(other.status, 200);
    for unknown in ["zz", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "x%00"] {
        let answer = site.get(&format!("/tables/subjects/columns/{unknown}"), &site.read);
        assert_eq!(answer.status, 400, "{unknown}");
    }
    site.get("/tables/..%2Fsubjects/columns/x", &site.read).is(404);
}

#[test]
fn counts_are_those_of_the_one_parser() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let Data { columns, .. } = data();
    let triangle =
        json!({ "x": "x", "y": "y", "shapes": [{ "op": "add", "points": [[0, 0], [1, 0], [0, 1]] }] });
    for filter in
        ["score > 0.5", "kind in ('ring', '<b>x</b>') and not done", "\"n votes\" is missing or x < y"]
    {
        let parsed: Filter = filter.parse().expect("a filter");
        let slice = parsed.select(&columns).expect("fits");
        let body = json!({ "filter": filter, "region": triangle, "histograms": ["score", "kind"], "masks": true });
        let said = site.post("/tables/subjects/query", &site.read, &body).is(200).json();
        assert_eq!(said["n_passing"], slice.mask.count(), "{filter}");
        assert_eq!(said["n_unknown"], slice.n_unknown);
        let place = |row: usize, name: &str| match columns.iter().find(|(n, _)| *n == name) {
            Some((_, Column::Number(values))) => values[row],
            _ => panic!("{name}"),
        };
        let inside = slice.mask.rows().filter(|row| place(*row, "x") + place(*row, "y") < 1.0).count();
        assert_eq!(said["n_selected"], inside, "{filter}");
        let rows = site.post(
            "/tables/subjects/rows",
            &site.read,
            &json!({ "filter": filter, "region": triangle, "limit": 1000 }),
        );
        assert_eq!(rows.is(200).json()["n"], inside);
    }
    let wrong = |body: Value| site.post("/tables/subjects/query", &site.read, &body);
    let syntax = wrong(json!({ "filter": "score >> 3" })).is(400).json();
    assert_eq!(
        (syntax["type"].as_str(), syntax["errors"][0]["pointer"].as_str()),
        (Some("/problems/filter-syntax"), Some("/filter"))
    );
    let code = syntax["errors"][0]["code"].as_str().expect("a code");
    assert_eq!(code, "characters:7-8");
    let terms = (0..10_000).map(|n| format!("score = {n}")).collect::<Vec<_>>().join(" or ");
    wrong(json!({ "filter": terms })).is(400);
    let corner = |n: usize| json!({ "x": "x", "y": "y", "shapes": [{ "op": "add", "points": vec![[0.5, 0.5]; n] }] });
    wrong(json!({ "region": corner(2) })).is(422);
    wrong(json!({ "region": corner(20_001) })).is(422);
    // More values than any body may hold.
    wrong(json!({ "region": corner(100_000) })).is(400);
    wrong(json!({ "region": { "x": "kind", "y": "y", "shapes": [] } })).is(422);
    wrong(json!({ "histograms": ["no such"] })).is(400);
    wrong(json!({ "surprise": 1 })).is(422);
    site.post("/tables/others/query", &site.read, &json!({})).is(404);
    site.post("/tables/subjects/query", &site.write, &json!({})).is(403);
}

#[test]
fn rows_are_sorted_with_missing_values_last() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let ask = |body: Value| site.post("/tables/subjects/rows", &site.read, &body);
    let ids = |said: &Value| -> Vec<String> {
        let rows = said["rows"].as_array().expect("rows");
        rows.iter().map(|row| row["subject_id"].as_str().expect("an id").to_owned()).collect()
    };
    let down = ask(json!({ "sort": "-n votes", "limit": 2, "columns": ["n votes"] })).is(200).json();
    assert_eq!(
        (down["n"].as_u64(), ids(&down)),
        (Some(300), vec!["s299".to_owned(), "s298".to_owned()])
    );
    let last = ask(json!({ "sort": "n votes", "offset": 299 })).is(200).json();
    assert_eq!(last["rows"][0]["values"]["n votes"], Value::Null);
    let text = ask(json!({ "sort": "-kind", "limit": 1 })).is(200).json();
    assert_eq!(text["rows"][0]["values"]["kind"], "ring");
    let flag = ask(json!({ "sort": "-done", "limit": 1 })).is(200).json();
    assert_eq!(flag["rows"][0]["values"]["done"], true);
    let named = ask(json!({ "rows": [2, 0], "columns": [] })).is(200).json();
    assert_eq!(ids(&named), ["s2", "s0"]);
    assert_eq!(
        (&named["rows"][0]["has_image"], &named["rows"][1]["has_light_curve"]),
        (&json!(true), &json!(true))
    );
    ask(json!({ "rows": [300] })).is(422);
    ask(json!({ "limit": 1001 })).is(422);
    ask(json!({ "sort": "nothing" })).is(400);
}

#[test]
fn neighbours_are_the_nearest_and_may_be_filtered() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let Data { vectors, .. } = data();
    let away = |row: usize| -> f32 {
        (0..WIDTH).map(|i| (vectors[row * WIDTH + i] - vectors[17 * WIDTH + i]).powi(2)).sum()
    };
    let mut order: Vec<usize> = (0..N).filter(|row| *row != 17).collect();
    order.sort_by(|a, b| away(*a).total_cmp(&away(*b)));
    let near = |query: &str| {
        let said = site
            .get(&format!("/tables/subjects/neighbours?subject_id=s17{query}"), &site.read)
            .is(200)
            .json();
        let found = said["neighbours"].as_array().expect("neighbours").clone();
        found.iter().map(|n| n["row"].as_u64().expect("a row") as usize).collect::<Vec<_>>()
    };
    assert_eq!(near("&k=9"), order[..9]);
    let rings: Vec<usize> = order.iter().copied().filter(|row| row % 3 == 0 && row % 7 != 0).collect();
    assert_eq!(near("&k=4&filter=kind%20%3D%20%27ring%27"), rings[..4]);
    assert_eq!(near("&filter=score%20%3E%2099"), [0; 0]);
    site.get("/tables/subjects/neighbours?subject_id=nobody", &site.read).is(404);
    site.get("/tables/subjects/neighbours?subject_id=s17&k=0", &site.read).is(400);
}

#[test]
fn a_subject_without_a_vector_has_no_neighbours_and_it_says_why() {
    let folder = tempfile::tempdir().expect("made");
    let bare = Table::new("bare", (0..N).map(|row| format!("s{row}")).collect(), data().columns, None);
    let path = folder.path().to_owned();
    let site = Site::with(|settings| {
        settings.project = Arc::new(Project { tables: vec![bare.expect("fits")], ..project(&path) });
    });
    let said = site.get("/tables/bare/neighbours?subject_id=s17", &site.read).is(200).json();
    assert_eq!(said["neighbours"], json!([]));
    assert!(said["why_none"].as_str().is_some_and(|why| why.contains("no vector")), "{said}");
    site.get("/tables/bare/neighbours?subject_id=nobody", &site.read).is(404);
}

#[test]
fn thumbnails_come_in_sheets_and_a_broken_image_is_a_placeholder() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let manifest = site.get("/sprites/subjects/manifest?x=x&y=y", &site.read).is(200).json();
    assert_eq!((manifest["n"].as_u64(), manifest["n_sheets"].as_u64()), (Some(3), Some(1)));
    let bytes = site.bytes("/sprites/subjects/rows?x=x&y=y", &site.read);
    let batch = StreamReader::try_new(bytes.as_slice(), None)
        .expect("Arrow")
        .next()
        .expect("one")
        .expect("whole");
    let order: Vec<u32> = batch.column(0).as_primitive::<UInt32Type>().values().to_vec();
    let mut sorted = order.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [0, 1, 2], "each subject with an image once");
    let look = |path: &str| {
        image::load_from_memory(&site.bytes(path, &site.read)).expect("a picture").to_rgb8()
    };
    let sheet = look("/sprites/subjects/sheets/0?x=x&y=y");
    let colour = |sheet: &image::RgbImage, cell: u32| sheet.get_pixel(cell * 64 + 32, 32).0;
    for (cell, row) in (0..).zip(&order) {
        let [red, _, blue] = colour(&sheet, cell);
        match row {
            0 => assert!(red > 200 && blue < 60, "{red} {blue}"),
            2 => assert!(red < 60 && blue > 200, "{red} {blue}"),
            _ => assert!(red.abs_diff(blue) < 12, "grey: {red} {blue}"),
        }
    }
    let chosen = look("/tables/subjects/thumbnails?rows=2,1,0");
    assert!(colour(&chosen, 0)[2] > 200 && colour(&chosen, 2)[0] > 200);
    for wrong in
        ["rows=300", "rows=", "rows=1,x", "rows=-1", &format!("rows={}", vec!["1"; 257].join(","))]
    {
        site.get(&format!("/tables/subjects/thumbnails?{wrong}"), &site.read).is(400);
    }
    site.get("/sprites/subjects/sheets/1?x=x&y=y", &site.read).is(404);
    site.get("/sprites/subjects/sheets/x?x=x&y=y", &site.read).is(400);
    site.get("/sprites/subjects/manifest?x=kind&y=y", &site.read).is(400);
}

#[test]
fn a_subject_is_told_of_in_full() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let said = site.get("/project/subjects/s0", &site.read).is(200).json();
    assert_eq!(
        (&said["has_image"], &said["next"], &said["rows"]["subjects"]),
        (&json!(true), &json!("s1"), &json!(0))
    );
    assert_eq!(said["values"]["subjects"]["kind"], Value::Null);
    assert!(said["previous"].is_null());
    let picture = image::load_from_memory(&site.bytes("/project/subjects/s0/image", &site.read))
        .expect("a picture");
    assert_eq!((picture.width(), picture.height()), (32, 32));
    site.get("/project/subjects/s1/image", &site.read).is(422);
    site.get("/project/subjects/s3/image", &site.read).is(404);
    for nobody in ["nobody", "..%2F..%2Fetc%2Fpasswd", "%2e%2e", "s0.png"] {
        site.get(&format!("/project/subjects/{nobody}"), &site.read).is(404);
        site.get(&format!("/project/subjects/{nobody}/image"), &site.read).is(404);
    }
    let curve = site.get("/project/subjects/s0/light_curve?max_points=300", &site.read).is(200).json();
    let flux = curve["flux"].as_array().expect("flux");
    assert!(flux.len() <= 300 && flux.contains(&json!(0.5)) && flux.contains(&Value::Null));
    assert_eq!(
        (&curve["is_decimated"], &curve["n_points"], &curve["marks"]),
        (&json!(true), &json!(50_000), &json!([[16.0, 16.5]]))
    );
    let part = site.get("/project/subjects/s0/light_curve?from=16&to=17", &site.read).is(200).json();
    assert_eq!(
        (&part["is_decimated"], part["time_days"].as_array().map(Vec::len)),
        (&json!(false), Some(49))
    );
    for wrong in ["from=2&to=1", "from=NaN", "max_points=0", "max_points=999999"] {
        site.get(&format!("/project/subjects/s0/light_curve?{wrong}"), &site.read).is(400);
    }
    site.get("/project/subjects/s1/light_curve", &site.read).is(404);
    let none = site.get("/project/subjects/nobody/votes", &site.read).is(200).json();
    assert_eq!(none["questions"], json!([]));
}

#[test]
fn the_boundary_is_the_librarys_to_the_last_digit() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let Data { vectors, score, .. } = data();
    let thresholds = vec![0.4, 0.7, 0.95];
    let params = BoundaryParams { n_components: WIDTH, ..BoundaryParams::default() };
    let points = Points::new(vectors, WIDTH).expect("points");
    let prepared = Prepared::stratified(&points, &strata(&score), None, &params).expect("prepared");
    let quantity = Quantity { name: "score".into(), values: score, thresholds: thresholds.clone() };
    let wanted = prepared.sweep(&[quantity], None).expect("rows");
    let groups = json!([{ "name": "rings", "filter": "kind = 'ring'" }]);
    let body = json!({ "quantity": "score", "thresholds": thresholds, "groups": groups });
    let said = site.post("/tables/subjects/boundary", &site.read, &body).is(200).json();
    assert_eq!((said["n_train"].as_u64(), said["n_held_out"].as_u64()), (Some(240), Some(60)));
    for (row, wanted) in said["rows"].as_array().expect("rows").iter().zip(&wanted) {
        for (name, estimate) in [
            ("prevalence", wanted.prevalence),
            ("selected", wanted.selected),
            ("precision", wanted.precision),
            ("recall", wanted.recall),
            ("f1", wanted.f1),
        ] {
            let estimate = estimate.expect("known");
            for (end, value) in
                [("value", estimate.value), ("low", estimate.low), ("high", estimate.high)]
            {
                let shown = row[name][end].as_f64().expect("a number");
                assert!((shown - value).abs() < 1e-12, "{name} {end}: {shown} {value}");
            }
        }
        assert_eq!(row["sentence"], wanted.sentence(N));
        let kept = &row["groups"][0];
        assert!(kept["n_selected"].as_u64() <= kept["n"].as_u64() && kept["n"].as_u64() > Some(5));
    }
    let wrong = |body: Value| site.post("/tables/subjects/boundary", &site.read, &body);
    wrong(json!({ "quantity": "kind", "thresholds": [0.5] })).is(400);
    wrong(json!({ "quantity": "score", "thresholds": vec![0.5; 65] })).is(422);
    wrong(
        json!({ "quantity": "score", "thresholds": [0.5], "groups": [{ "name": "a", "filter": "((" }] }),
    )
    .is(400);
    let nothing = wrong(json!({ "quantity": "score", "thresholds": [99.0] })).is(200).json();
    assert!(nothing["rows"][0]["precision"].is_null(), "all labels on one side");
}

#[test]
fn volunteers_are_told_of_in_groups_only() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let said = site.get("/volunteers/summary", &site.read).is(200).json();
    assert_eq!(said["n_people"], 40);
    let groups = said["by_experience"].as_array().expect("groups");
    assert!(groups.iter().all(|g| g["n_people"].as_u64() >= Some(10)), "{said}");
    site.get("/volunteers/summary", &site.write).is(403);
}

#[test]
fn no_acknowledged_label_is_lost() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let label = |id: &str, value: &str| json!({ "id": id, "subject_id": "s1", "question": "shape", "value": value });
    site.post("/labels", &site.read, &label("a", "5")).is(403);
    site.post("/labels", &site.write, &label("a", "5")).is(201);
    site.post("/labels", &site.write, &label("a", "5")).is(200);
    site.post("/labels", &site.write, &label("a", "4")).is(409);
    site.post("/labels", &site.write, &label("b", "<img src=x onerror=alert(1)>")).is(201);
    site.post("/labels", &site.write, &label("c", "")).is(422);
    site.post("/labels", &site.write, &json!({ "id": "d", "subject_id": "s1", "question": "shape" }))
        .is(422);
    site.post("/labels", &site.write, &label("e", &"x".repeat(3_000))).is(422);
    let back = |id: &str, of: &str| json!({ "id": id, "subject_id": "s1", "question": "shape", "retracts": of });
    site.post("/labels", &site.write, &back("f", "zz")).is(422);
    // Of what the page asks itself, only what it can show again.
    for (question, value, status) in [
        ("relevance", "9999", 422),
        ("relevance", "very", 422),
        ("relevance", "05", 422),
        ("relevance", "unsure", 201),
        ("tag:lens;ring", "yes", 422),
        ("tag:", "yes", 422),
        ("tag:lens", "yes", 201),
    ] {
        let label = json!({ "id": format!("{question}-{value}"), "subject_id": "s2", "question": question, "value": value });
        site.post("/labels", &site.write, &label).is(status);
    }
    let value =
        |site: &Site| site.get("/labels", &site.read).is(200).json()["labels"][0]["value"].clone();
    assert_eq!(value(&site), "<img src=x onerror=alert(1)>");
    site.post("/labels", &site.write, &back("g", "b")).is(201);
    assert_eq!(value(&site), "5");
    // What is on disk at this moment is all that a killed server would have.
    let copy = folder.path().join("copy.jsonl");
    std::fs::copy(folder.path().join("labels.jsonl"), &copy).expect("copied");
    let after = Site::with(|settings| {
        let labels = Some(Labels::open(&copy).expect("opens"));
        settings.project = Arc::new(Project { labels, ..Project::default() });
    });
    assert_eq!(value(&after), "5");
    let bare = Site::start();
    bare.post("/labels", &bare.write, &label("a", "5")).is(409);
    assert_eq!(bare.get("/labels", &bare.read).is(200).json()["labels"], json!([]));
}

#[test]
fn the_page_is_for_everybody_and_shows_nothing_by_itself() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let get = |path: &str, headers: &[(&str, &str)]| site.send("GET", path, headers, b"");
    for path in ["/", "/space", "/subjects/a%2Fb", "/space?colour=x"] {
        let page = get(path, &[]).is(200);
        assert!(page.text.contains("<div id=\"app\">") && !page.text.contains("A project"), "{path}");
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(!policy.contains("unsafe") && policy.contains("default-src 'self'"), "{policy}");
        assert_eq!(page.header("cache-control"), Some("no-cache"));
    }
    let page = get("/", &[]).is(200);
    let script =
        page.text.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a script");
    let script = get(script, &[]).is(200);
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(script.header("cache-control"), Some("no-cache"), "its name does not say what is in it");
    assert!(script.header("etag").is_some());
    let tag = page.header("etag").expect("a tag").to_owned();
    assert_eq!(get("/", &[("if-none-match", &tag)]).status, 304);
    for nothing in ["/nothing", "/assets/nothing.js", "/assets/..%2Findex.html", "/index.html/", "/api"]
    {
        assert!([401, 404].contains(&get(nothing, &[]).status), "{nothing}");
    }
    assert_eq!(site.send("POST", "/", &[], b"x").status, 405);
    assert_eq!(
        site.raw(b"GET / HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n").status,
        421
    );
    // A link to it may stand anywhere; data are given to no other site's page.
    let cross = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
    get("/space", &cross).is(200);
    let bearer = format!("Bearer {}", site.read);
    get("/api/v1/project", &[cross[0], cross[1], ("authorization", &bearer)]).is(403);
    get("/", &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")]).is(403);
}
