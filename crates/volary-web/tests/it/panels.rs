//! What the page shows beside its tables: findings, tags, a machine beside the volunteers, readers, orders of triage.

use serde_json::{Value, json};
use volary_space::Points;
use volary_space::boundary::{BoundaryParams, Prepared, Quantity, strata};
use volary_space::logistic::Logistic;
use volary_space::pca::{Pca, PcaParams};
use volary_space::slice::Column;
use volary_web::project::{QuestionTree, TreeAnswer, TreeQuestion};

use crate::project::{Data, N, WIDTH, data, site};
use crate::site::Site;

#[test]
fn findings_are_told_as_they_stand() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let sheets = site.get("/project/sheets", &site.read).is(200).json();
    assert_eq!(
        sheets["sheets"][0],
        json!({ "kind": "bias", "file": "bias.csv", "columns": ["x"], "rows": [[null]], "n_rows": 1 })
    );
    let runs = site.get("/project/runs", &site.read).is(200).json();
    assert_eq!(runs["runs"][0]["id"], "0123456789ab");
    let said = site.get("/project", &site.read).is(200).json();
    assert_eq!((said["n_gold"].as_u64(), said["n_tagged"].as_u64()), (Some(1), Some(2)));
    // All forty voted last on the same day.
    assert_eq!(said["overview"]["n_active"].as_u64(), Some(40));
    let outlook = &said["overview"]["outlook"];
    assert_eq!((outlook["n_left"].as_u64(), outlook["days"].as_f64()), (Some(290), Some(29.0)));
    assert!(outlook["days_low"].as_f64() < Some(29.0) && outlook["days_high"].as_f64() > Some(29.0));
}

#[test]
fn a_machine_is_held_against_the_volunteers() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let Data { columns, .. } = data();
    let numbers = |name: &str| match volary_space::slice::Table::column(&columns, name) {
        Some(Column::Number(values)) => values.to_vec(),
        _ => panic!("{name}"),
    };
    let (machine, crowd) = (numbers("x"), numbers("y"));
    let said = site
        .post("/tables/subjects/machine", &site.read, &json!({ "machine": "x", "crowd": "y" }))
        .is(200)
        .json();
    let bins = said["bins"].as_array().expect("bins");
    assert_eq!(bins.len(), 10);
    for (at, bin) in bins.iter().enumerate() {
        let own: Vec<usize> = (0..N).filter(|&row| (machine[row] * 10.0) as usize == at).collect();
        let yes = own.iter().filter(|&&row| crowd[row] > 0.5).count();
        assert_eq!(
            (bin["n"].as_u64(), bin["n_yes"].as_u64()),
            (Some(own.len() as u64), Some(yes as u64))
        );
        let share = bin["share"].as_f64().expect("some");
        assert!(bin["share_low"].as_f64() < Some(share) && bin["share_high"].as_f64() > Some(share));
    }
    let agree = (0..N).filter(|&row| (machine[row] > 0.5) == (crowd[row] > 0.5)).count();
    assert_eq!((said["n"].as_u64(), said["n_agree"].as_u64()), (Some(N as u64), Some(agree as u64)));
    site.post("/tables/subjects/machine", &site.read, &json!({ "machine": "zz", "crowd": "y" })).is(400);
}

#[test]
fn tags_of_talk_and_of_the_page_are_one_list_and_gold_is_told_after_an_answer() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let label = |id: &str, subject: &str, question: &str, value: &str| {
        let body = json!({ "id": id, "subject_id": subject, "question": question, "value": value });
        site.post("/labels", &site.admin, &body).is(201).json()
    };
    assert!(label("1", "s9", "tag:odd", "yes")["gold"].is_null());
    assert!(label("2", "s5", "tag:odd", "yes")["gold"].is_null(), "a tag is no answer");
    assert!(label("2b", "s5", "check:centroid", "looked")["gold"].is_null(), "a check is no answer");
    assert!(label("2c", "s5", "relevance", "5")["gold"].is_null(), "how interesting is no answer");
    let known = |token: &str| site.get("/project/subjects/s5/known", token).is(200).json();
    assert_eq!(
        known(&site.admin),
        json!({ "is_answered": false }),
        "not even whether anything is known"
    );
    let told = label("3", "s5", "class", "no");
    assert_eq!(told["gold"], json!({ "T0": "yes" }));
    let signals = json!([{ "from_days": 3.0, "to_days": 3.5, "is_injected": true }]);
    assert_eq!(told["signals"], signals);
    let all = json!({ "is_answered": true, "gold": { "T0": "yes" }, "signals": signals });
    assert_eq!(known(&site.admin), all);
    assert_eq!(known(&site.read), json!({ "is_answered": false }), "somebody else has not answered");
    assert!(label("4", "s6", "class", "no")["gold"].is_null());
    let said = site.get("/tables/subjects/tags", &site.read).is(200).json();
    assert_eq!(
        said["tags"],
        json!([
            { "name": "odd", "n": 3, "rows": [5, 7, 9] },
            { "name": "ring", "n": 1, "rows": [7] },
        ])
    );
    let one = site.get("/project/subjects/s7", &site.read).is(200).json();
    assert_eq!(one["tags"], json!(["odd", "ring"]));
    let back = json!({ "id": "5", "subject_id": "s9", "question": "tag:odd", "retracts": "1" });
    site.post("/labels", &site.admin, &back).is(201);
    let said = site.get("/tables/subjects/tags", &site.read).is(200).json();
    assert_eq!(said["tags"][0]["n"], 2);
}

#[test]
fn what_is_known_is_told_when_the_last_question_is_answered() {
    let folder = tempfile::tempdir().expect("made");
    let site = Site::with(|settings| {
        let mut project = crate::project::project(folder.path());
        let answer = |label: &str, next: Option<&str>| TreeAnswer {
            label: label.into(),
            next: next.map(str::to_owned),
        };
        let question = |name: &str, answers| TreeQuestion {
            name: name.into(),
            text: format!("{name}?"),
            answers,
            ..TreeQuestion::default()
        };
        let first = question("T0", vec![answer("yes", Some("T1")), answer("no", None)]);
        let second = question("T1", vec![answer("a", None), answer("b", None)]);
        project.questions = vec![QuestionTree {
            workflow_id: "7".into(),
            first: "T0".into(),
            questions: vec![first, second],
            ..QuestionTree::default()
        }];
        settings.project = std::sync::Arc::new(project);
    });
    let trees = site.get("/project/questions", &site.read).is(200).json();
    assert_eq!(trees["trees"][0]["questions"][0]["answers"][0], json!({ "label": "yes", "next": "T1" }));
    let give = |id: &str, question: &str, value: &str| {
        let body = json!({ "id": id, "subject_id": "s5", "question": question, "value": value });
        site.post("/labels", &site.admin, &body).is(201).json()
    };
    let known = || site.get("/project/subjects/s5/known", &site.admin).is(200).json();
    assert!(give("1", "T0", "yes")["gold"].is_null(), "T1 is still open");
    assert!(give("2", "class", "yes")["gold"].is_null(), "nobody asks this here");
    assert_eq!(known(), json!({ "is_answered": false }));
    assert_eq!(give("3", "T1", "b")["gold"], json!({ "T0": "yes" }));
    assert_eq!(known()["is_answered"], true);
    let back = json!({ "id": "4", "subject_id": "s5", "question": "T1", "retracts": "3" });
    assert!(site.post("/labels", &site.admin, &back).is(201).json()["gold"].is_null());
    assert_eq!(known(), json!({ "is_answered": false }));
    assert_eq!(give("5", "T0", "no")["gold"], json!({ "T0": "yes" }), "nothing follows this answer");
}

#[test]
fn readers_are_compared_and_stay_numbers() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let give = |token: &str, id: &str, subject: &str, value: &str| {
        let body = json!({ "id": id, "subject_id": subject, "question": "class", "value": value });
        site.post("/labels", token, &body).is(201);
    };
    let nobody = site.get("/labels/agreement?question=class", &site.read).is(200).json();
    assert_eq!(
        (nobody["n_readers"].as_u64(), nobody["missing"].as_str()),
        (Some(0), Some("nobody has given a label yet"))
    );
    // Twelve subjects, read twice; three times they differ. One is read once.
    for at in 0..12 {
        let first = if at % 2 == 0 { "ring" } else { "disk" };
        let second = if at < 3 { "merger" } else { first };
        give(&site.write, &format!("a{at}"), &format!("s{at}"), first);
        give(&site.admin, &format!("b{at}"), &format!("s{at}"), second);
    }
    give(&site.write, "c", "s50", "ring");
    let said = site.get("/labels/agreement?question=class", &site.read).is(200).json();
    assert_eq!(
        (said["n_readers"].as_u64(), said["n_shared"].as_u64(), said["n_same"].as_u64()),
        (Some(2), Some(12), Some(9))
    );
    assert_eq!(said["disagreements"].as_array().map(Vec::len), Some(3));
    assert_eq!(said["disagreements"][0]["subject_id"], "s0");
    // Krippendorff's α by hand: 24 values (10 ring less one, and so on), 3 of 12 pairs differ.
    let counts = [("ring", 10.0_f64), ("disk", 11.0), ("merger", 3.0)];
    let n = 24.0;
    let by_chance = 1.0 - counts.iter().map(|(_, k)| k * (k - 1.0)).sum::<f64>() / (n * (n - 1.0));
    let alpha = 1.0 - (3.0 / 12.0) / by_chance;
    assert!((said["alpha"].as_f64().expect("known") - alpha).abs() < 1e-12, "{} {alpha}", said["alpha"]);
    assert!(said["alpha_low"].as_f64() < Some(alpha) && said["alpha_high"].as_f64() > Some(alpha));
    assert!(!said.to_string().contains("\"by\""));
}

#[test]
fn rows_come_mixed_by_a_seed_unseen_first_and_labelled_last() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let ask = |body: Value| -> Vec<usize> {
        let said = site.post("/tables/subjects/rows", &site.read, &body).is(200).json();
        let rows = said["rows"].as_array().expect("rows").clone();
        rows.iter().map(|row| row["row"].as_u64().expect("a number") as usize).collect()
    };
    let one = ask(json!({ "sort": "random(7)", "limit": 1000, "columns": [] }));
    assert_eq!(one, ask(json!({ "sort": "random(7)", "limit": 1000, "columns": [] })));
    assert_ne!(one, ask(json!({ "sort": "random(8)", "limit": 1000, "columns": [] })));
    let mut sorted = one.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..N).collect::<Vec<_>>());
    for subject in ["s3", "s200"] {
        let body =
            json!({ "id": subject, "subject_id": subject, "question": "relevance", "value": "5" });
        site.post("/labels", &site.write, &body).is(201);
    }
    let last = ask(json!({ "sort": "x", "limit": 1000, "columns": [], "labelled_last": "relevance" }));
    let mut tail = last[N - 2..].to_vec();
    tail.sort_unstable();
    assert_eq!(tail, [3, 200]);
    let Data { vectors, .. } = data();
    let distance = |a: usize, b: usize| -> f32 {
        (0..WIDTH).map(|k| (vectors[a * WIDTH + k] - vectors[b * WIDTH + k]).powi(2)).sum::<f32>().sqrt()
    };
    let far = |row: usize| distance(row, 3).min(distance(row, 200));
    let unseen = ask(json!({ "sort": "unseen(relevance)", "limit": 1000, "columns": [] }));
    let mut tail = unseen[N - 2..].to_vec();
    tail.sort_unstable();
    assert_eq!(tail, [3, 200]);
    assert!(unseen[..N - 2].windows(2).all(|w| far(w[0]) >= far(w[1]) - 1e-5));
}

#[test]
fn a_boundary_says_which_rows_it_selects() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let body = json!({ "quantity": "score", "thresholds": [0.6], "masks": true });
    let said = site.post("/tables/subjects/boundary", &site.read, &body).is(200).json();
    let bits = data_encoding::BASE64
        .decode(said["rows"][0]["rows"].as_str().expect("rows").as_bytes())
        .expect("base64");
    let Data { vectors, score, .. } = data();
    let points = Points::new(vectors, WIDTH).expect("fits");
    let params = BoundaryParams { n_components: WIDTH, ..BoundaryParams::default() };
    let prepared = Prepared::stratified(&points, &strata(&score), None, &params).expect("enough");
    let quantity = Quantity { name: "score".into(), values: score, thresholds: vec![0.6] };
    let row = prepared.at(&quantity, 0.6).expect("fits");
    let scores = row.boundary.expect("both sides").score(&points).expect("fits");
    for (row, score) in scores.iter().enumerate() {
        assert_eq!(bits[row / 8] >> (row % 8) & 1 == 1, *score >= 0.5, "{row}");
    }
    let two = json!({ "quantity": "score", "thresholds": [0.4, 0.6], "masks": true });
    site.post("/tables/subjects/boundary", &site.read, &two).is(422);
}

#[test]
fn further_frames_are_images_too() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    assert_eq!(
        site.get("/project/subjects/s0", &site.read).is(200).json()["frames"],
        json!(["template"])
    );
    let pixel = |path: &str| {
        let bytes = site.bytes(path, &site.read);
        image::load_from_memory(&bytes).expect("a picture").to_rgb8().get_pixel(3, 3).0
    };
    assert_eq!(pixel("/project/subjects/s0/image"), [250, 0, 0]);
    assert_eq!(pixel("/project/subjects/s0/image?frame=0"), [250, 0, 0]);
    assert_eq!(pixel("/project/subjects/s0/image?frame=1"), [0, 0, 250]);
    for none in ["2", "18446744073709551615"] {
        site.get(&format!("/project/subjects/s0/image?frame={none}"), &site.read).is(404);
    }
    site.get("/project/subjects/s2/image?frame=1", &site.read).is(404);
    assert_eq!(site.get("/project/subjects/s0/image?frame=-1", &site.read).status, 400);
}

/// Gives labels on relevance: by the true score of each of these rows, from 0 to 5.
fn label(site: &Site, rows: impl Iterator<Item = usize>) -> Vec<(usize, f64)> {
    let data = data();
    let value = |row: usize| (data.score[row] / 1.3 * 5.0).round().clamp(0.0, 5.0);
    let labels: Vec<(usize, f64)> = rows.map(|row| (row, value(row))).collect();
    for (row, value) in &labels {
        let body = json!({
            "id": format!("l{row}"), "subject_id": format!("s{row}"), "question": "relevance", "value": value.to_string(),
        });
        site.post("/labels", &site.write, &body).is(201);
    }
    labels
}

#[test]
fn a_learner_says_of_what_it_is_least_sure_once_it_has_labels() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let ask = |sort: &str| {
        site.post(
            "/tables/subjects/rows",
            &site.read,
            &json!({ "sort": sort, "limit": 1000, "columns": [] }),
        )
    };
    let few = ask("unsure(relevance)").is(409).json();
    assert_eq!(few["type"], "/problems/too-few-labels");
    assert!(few["detail"].as_str().is_some_and(|d| d.contains("5 of either")), "{few}");
    let labels = label(&site, (0..N).step_by(4));
    let rows = |answer: crate::site::Answer| -> Vec<usize> {
        let said = answer.is(200).json();
        let all = said["rows"].as_array().expect("a list").iter();
        all.map(|row| row["row"].as_u64().expect("a number") as usize).collect()
    };
    let found = rows(ask("unsure(relevance)"));
    // The same by the library: components of all vectors, a balanced regression on the labels, least sure first.
    let vectors = Points::new(data().vectors, WIDTH).expect("fits");
    let pca = Pca::fit(&vectors, &PcaParams { seed: 1, ..PcaParams::new(WIDTH) }).expect("fits");
    let reduced = pca.transform(&vectors).expect("fits");
    let known: Vec<usize> = labels.iter().map(|(row, _)| *row).collect();
    let yes: Vec<f64> = labels.iter().map(|(_, v)| f64::from(u8::from(*v >= 3.0))).collect();
    let params = BoundaryParams::default().logistic;
    let learner = Logistic::fit(&reduced.select(&known), &yes, None, &params, None).expect("fits");
    let p = learner.predict(&reduced).expect("fits");
    let mut wanted: Vec<usize> = (0..N).filter(|row| !known.contains(row)).collect();
    wanted.sort_by(|a, b| (p[*a] - 0.5).abs().total_cmp(&(p[*b] - 0.5).abs()));
    assert_eq!(found[..wanted.len()], wanted);
    assert_eq!(found[wanted.len()..], known);
    assert_eq!(rows(ask("unsure(relevance, 1)")), found, "1 is the seed where none is named");
    ask("unsure(class)").is(409);
    site.post(
        "/tables/subjects/rows",
        &site.read,
        &json!({ "sort": "unsure(relevance)", "filter": "x >" }),
    )
    .is(400);
}

#[test]
fn the_boundary_of_labels_is_the_librarys() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(&folder);
    let thresholds = [0.5, 1.5, 2.5, 3.5, 4.5];
    let body = json!({ "quantity": "label(relevance)", "thresholds": thresholds });
    let ask = || site.post("/tables/subjects/boundary", &site.read, &body).is(200).json();
    let nothing = ask();
    assert_eq!((nothing["n_train"].as_u64(), nothing["n_held_out"].as_u64()), (Some(0), Some(0)));
    assert!(
        nothing["rows"][2]["too_few"].as_str().is_some_and(|t| t.contains("0 labelled subjects")),
        "{nothing}"
    );
    assert!(nothing["rows"][2]["precision"].is_null());
    let labels = label(&site, (0..N).step_by(2));
    let mut values = vec![f64::NAN; N];
    labels.iter().for_each(|(row, value)| values[*row] = *value);
    let vectors = Points::new(data().vectors, WIDTH).expect("fits");
    let params = BoundaryParams { n_components: WIDTH, ..BoundaryParams::default() };
    let prepared = Prepared::stratified(&vectors, &strata(&values), None, &params).expect("fits");
    let quantity =
        Quantity { name: "label".into(), values: values.clone(), thresholds: thresholds.to_vec() };
    let rows = prepared.sweep(&[quantity], None).expect("fits");
    let said = ask();
    let mut n_compared = 0;
    for (said, row) in said["rows"].as_array().expect("a list").iter().zip(&rows) {
        for (name, estimate) in [
            ("precision", row.precision),
            ("recall", row.recall),
            ("f1", row.f1),
            ("selected", row.selected),
        ] {
            let Some(estimate) = estimate else {
                assert!(said[name].is_null(), "{said}");
                continue;
            };
            for (end, value) in
                [("value", estimate.value), ("low", estimate.low), ("high", estimate.high)]
            {
                let close = said[name][end].as_f64().is_some_and(|v| (v - value).abs() < 1e-12);
                assert!(close || value.is_nan(), "{name} {end}: {value} {said}");
                n_compared += 1;
            }
        }
    }
    assert!(n_compared >= 36, "{n_compared}");
    let n_of = |rows: &[usize]| rows.iter().filter(|row| !values[**row].is_nan()).count() as u64;
    assert_eq!(said["n_held_out"].as_u64(), Some(n_of(prepared.held())));
    assert_eq!(said["n_train"].as_u64(), Some(n_of(prepared.train())));
    assert!(said["rows"][2]["too_few"].is_null(), "{said}");
    let unknown = json!({ "quantity": "label(", "thresholds": [1.0] });
    site.post("/tables/subjects/boundary", &site.read, &unknown).is(400);
}
