//! Reading: pages, fields, entity tags, roles, and what volunteers must not see before they vote.

use serde_json::{Value, json};

use crate::site::{Site, eight, vote};

fn with_subjects(n: usize) -> Site {
    let site = Site::start();
    let rows: Vec<Value> =
        (0..n).map(|k| json!({"id": format!("s{k:03}"), "facts": {"n": k}})).collect();
    site.post("/subjects", &site.write, &json!({ "subjects": rows })).is(201);
    site
}

#[test]
fn a_walk_through_all_pages_meets_each_row_once() {
    let site = with_subjects(25);
    let mut path = "/api/v1/subjects?page_size=10&fields=id".to_owned();
    let (mut seen, mut n_pages) = (Vec::new(), 0);
    loop {
        let page = site.ask("GET", &path, Some(&site.read), "").is(200).json();
        for subject in page["subjects"].as_array().expect("is there") {
            assert_eq!(
                subject.as_object().expect("is there").len(),
                1,
                "only the field that was asked for"
            );
            seen.push(subject["id"].as_str().expect("is there").to_owned());
        }
        n_pages += 1;
        match page["links"]["next"].as_str() {
            Some(next) => path = next.to_owned(),
            None => break,
        }
    }
    assert_eq!((seen.len(), n_pages), (25, 3));
    assert!(seen.is_sorted());
    site.get("/subjects?fields=id,__class__", &site.read).is(400);
}

#[test]
fn lists_are_capped_and_unknown_parameters_refused() {
    let site = Site::start();
    // H8.
    for query in [
        "page_size=0",
        "page_size=-1",
        "page_size=1001",
        "page_size=1e9",
        "page_size=99999999999999999999",
        "limit=-1",
        "offset=9223372036854775808",
        "sort=__class__",
        "cursor=x",
        "cursor=%00",
        "page_size=1&page_size=2",
    ] {
        for list in
            ["subjects", "classifications", "alerts", "subject_reductions", "subject_workflow_statuses"]
        {
            site.get(&format!("/{list}?{query}"), &site.read).is(400);
        }
    }
}

#[test]
fn what_is_unchanged_is_not_sent_again() {
    let site = with_subjects(1);
    let bearer = format!("Bearer {}", site.read);
    let ask = |method: &str, tag: &str| {
        let headers = [("authorization", bearer.as_str()), ("if-none-match", tag)];
        site.send(method, "/api/v1/subjects/s000", &headers, b"")
    };
    let first = ask("GET", "\"other\"").is(200);
    let tag = first.header("etag").expect("a tag").to_owned();
    assert!(tag.starts_with('"'), "a strong one");
    let head = ask("HEAD", "\"other\"").is(200);
    assert_eq!((head.header("etag"), head.text.as_str()), (Some(&*tag), ""));
    assert_eq!(head.header("content-length"), Some(&*first.text.len().to_string()));
    let again = ask("GET", &format!("\"a\", {tag}")).is(304);
    assert_eq!((again.text.as_str(), again.header("etag")), ("", Some(&*tag)));
    site.post("/classifications", &site.write, &vote(1, "s000", 1, "real")).is(201);
    ask("GET", &tag).is(200);
}

#[test]
fn caesars_names_and_shapes() {
    let site = Site::start();
    site.post("/classifications", &site.write, &eight("s")).is(201);
    site.post("/classifications", &site.write, &vote("x", "s", 99, "bogus")).is(201);
    let extracts = site.get("/extracts?subject_id=s", &site.read).is(200).json();
    let extracts = extracts["extracts"].as_array().expect("is there");
    assert_eq!(extracts.len(), 9);
    for (name, value) in [
        ("extractor_key", json!("t0")),
        ("workflow_id", json!("10")),
        ("subject_id", json!("s")),
        ("data", json!({"real": 1})),
        ("machine_data", json!(false)),
        ("user_id", Value::Null),
    ] {
        assert_eq!(extracts[0][name], value, "{name}");
    }
    let reduced = site.get("/subject_reductions?workflow_id=10", &site.read).is(200).json();
    let reduced = &reduced["subject_reductions"][0];
    assert_eq!(reduced["data"], json!({"bogus": 1, "real": 8}));
    assert_eq!(reduced["reducible"], json!({"id": "10", "type": "Workflow"}));
    assert_eq!((&reduced["reducer_key"], &reduced["subgroup"]), (&json!("t0"), &json!("_default")));
    let none = site.get("/subject_reductions?workflow_id=11", &site.read).is(200).json();
    assert_eq!(none["subject_reductions"], json!([]));
    let workflows = site.get("/workflows", &site.read).is(200).json();
    assert_eq!(workflows["workflows"][0]["id"], "10");
    assert_eq!(workflows["workflows"][0]["retirement"]["options"]["count"], 14);
    let users = site.get("/user_reductions?page_size=4", &site.admin).is(200).json();
    assert_eq!(users["user_reductions"].as_array().expect("is there").len(), 4);
    assert!(users["links"]["next"].is_string());
}

#[test]
fn an_alert_stands_as_it_was_raised() {
    let site = Site::start();
    for subject in ["a", "b"] {
        site.post("/classifications", &site.write, &eight(subject)).is(201);
    }
    let alerts = site.get("/alerts", &site.read).is(200).json();
    let alerts = alerts["alerts"].as_array().expect("is there");
    assert_eq!(alerts.len(), 2);
    assert_eq!((&alerts[1]["id"], &alerts[1]["n_positive"]), (&json!("2"), &json!(8)));
    assert_eq!(alerts[1]["previous"], alerts[0]["hash"]);
    let one = site.get("/alerts/2", &site.read).is(200).json();
    let mut bare = one.clone();
    assert_eq!(bare.as_object_mut().expect("is there").remove("actions"), Some(json!([])));
    assert_eq!(bare, alerts[1]);
    let voters = site.get("/alerts/2", &site.admin).is(200).json();
    assert_eq!(voters["voters"].as_array().expect("is there").len(), 8);
    let newest = |path: &str| {
        let page = site.get(&format!("/alerts?order=newest{path}"), &site.read).is(200).json();
        let ids = page["alerts"].as_array().expect("is there").iter().map(|one| one["id"].clone());
        (ids.collect::<Vec<_>>(), page["links"]["next"].as_str().map(str::to_owned))
    };
    assert_eq!(newest("").0, [json!("2"), json!("1")]);
    let (first, next) = newest("&page_size=1");
    assert_eq!(first, [json!("2")]);
    let next = next.expect("there is another");
    let last = site.get(next.trim_start_matches("/api/v1"), &site.read).is(200).json();
    assert_eq!(
        (last["alerts"].as_array().expect("is there").len(), &last["alerts"][0]["id"]),
        (1, &json!("1"))
    );
    site.get("/alerts?order=sideways", &site.read).is(400);
    for none in ["0", "3", "-1", "x", "18446744073709551615", "99999999999999999999"] {
        site.get(&format!("/alerts/{none}"), &site.read).is(404);
    }
}

#[test]
fn a_role_sees_what_it_may() {
    let site = Site::start();
    site.post("/classifications", &site.write, &eight("s")).is(201);
    // H14.
    for path in [
        "/subjects/s/votes",
        "/alerts",
        "/classifications",
        "/events",
        "/metrics",
        "/extracts?subject_id=s",
    ] {
        site.get(path, &site.write).is(403);
    }
    for path in ["/user_reductions", "/user_reductions/1", "/log"] {
        site.get(path, &site.write).is(403);
        site.get(path, &site.read).is(403);
        site.get(path, &site.admin).is(200);
    }
    site.get("/subjects/next?volunteer=7", &site.read).is(403);
    site.post("/classifications", &site.read, &vote(1, "s", 1, "real")).is(403);
    let log = site.log_text();
    assert!(
        log.contains("/api/v1/user_reductions") && log.contains("\"403\""),
        "refusals are on record: {log}"
    );
    // Nobody but the admin can tell volunteers apart.
    for path in
        ["/classifications", "/subjects/s/votes", "/extracts?subject_id=s", "/alerts", "/subjects"]
    {
        let seen = site.get(path, &site.read).is(200).text;
        assert!(!seen.contains("user:") && !seen.contains("\"user\":"), "{path}: {seen}");
        assert!(!seen.contains("voters"), "{path}: {seen}");
    }
}

/// All texts and numbers in a value.
fn leaves(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| leaves(item, into)),
        Value::Object(object) => object.iter().for_each(|(name, item)| {
            into.push(name.clone());
            leaves(item, into);
        }),
        Value::String(text) => into.push(text.clone()),
        other => into.push(other.to_string()),
    }
}

#[test]
fn before_the_vote_nothing_gives_the_answer_away() {
    let site = Site::start();
    let facts = json!({"ra_deg": 1.5, "image": "https://example.org/1.png", "#hidden": "CANARY",
        "gold_label": "CANARY", "ML Score": "CANARY", "#feedback_1_answer": "CANARY"});
    let row = |id: &str, truth: Value| json!({"id": id, "facts": facts, "scores": {"model-7": 0.123_456}, "truth": truth});
    site.post(
        "/subjects",
        &site.write,
        &json!([row("v", json!({"T0": ["CANARY"]})), row("o", json!({}))]),
    )
    .is(201);
    // Others have voted on both.
    for subject in ["v", "o"] {
        site.post("/classifications", &site.write, &eight(subject)).is(201);
    }
    let mut shapes = Vec::new();
    for path in ["/subjects/v", "/subjects/o", "/subjects/next?volunteer=99"] {
        let answer = site.get(path, &site.write).is(200);
        let mut seen = Vec::new();
        leaves(&answer.json(), &mut seen);
        for text in &seen {
            assert!(!text.contains("CANARY") && !text.contains("123456"), "{path}: {text}");
            assert!(
                !["8", "real", "score", "summaries", "validation", "truth"].contains(&&**text),
                "{path}: {text}"
            );
        }
        for (name, value) in &answer.headers {
            assert!(!value.contains("CANARY"), "{name}: {value}");
        }
        shapes.push(answer);
    }
    let next = shapes[2].json();
    let ids: Vec<&str> = next["subjects"]
        .as_array()
        .expect("is there")
        .iter()
        .map(|s| s["id"].as_str().expect("is there"))
        .collect();
    assert_eq!(ids, ["o", "v"], "both kinds are handed out");
    // A validation subject and another one of the same facts differ in their id and in nothing else.
    assert_eq!(shapes[0].text.replace("\"v\"", "\"o\""), shapes[1].text);
    let names = |answer: &crate::site::Answer| {
        let names: Vec<String> = answer.headers.iter().map(|(name, _)| name.clone()).collect();
        names
    };
    assert_eq!(names(&shapes[0]), names(&shapes[1]));
    // The team sees scores and votes, and the truth not even then.
    let seen = site.get("/subjects/v", &site.read).is(200).text;
    assert!(seen.contains("0.123456") && seen.contains("\"n\":8"), "{seen}");
    assert!(!seen.contains("\"T0\":[\"CANARY\"]"), "{seen}");
    for path in ["/subjects/v", "/subjects", "/subject_reductions?subject_id=v"] {
        let seen = site.get(path, &site.admin).is(200).json();
        assert!(!seen.to_string().contains("truth"), "{path}");
    }
}

#[test]
fn nobody_gets_a_subject_twice() {
    let site = with_subjects(3);
    let next = |n: u32| -> Vec<String> {
        let found = site.get(&format!("/subjects/next?volunteer=7&n={n}"), &site.write).is(200).json();
        let ids = found["subjects"].as_array().expect("is there").iter();
        ids.map(|subject| subject["id"].as_str().expect("is there").to_owned()).collect()
    };
    assert_eq!(next(10), ["s000", "s001", "s002"]);
    site.post("/classifications", &site.write, &vote(1, "s001", 7, "real")).is(201);
    assert_eq!(next(10), ["s000", "s002"], "not the one that was seen");
    site.post("/classifications", &site.write, &vote(2, "s000", 8, "real")).is(201);
    assert_eq!(next(10), ["s002", "s000"], "fewest votes first");
    for n in 0..14 {
        site.post("/classifications", &site.write, &vote(100 + n, "s002", 100 + n, "bogus")).is(201);
    }
    assert_eq!(next(1), ["s000"], "not the one that retired");
    site.get("/subjects/next?volunteer=7&n=0", &site.write).is(400);
    site.get("/subjects/next?volunteer=7&n=101", &site.write).is(400);
    site.get("/subjects/next", &site.write).is(400);
}

#[test]
fn a_row_of_a_manifest_is_an_event_once() {
    let site = Site::start();
    let row = json!({"id": "s", "facts": {"ra_deg": 1.5, "name": "AT 2027a"}, "scores": {"m": 0.5}});
    let first = site.post("/subjects", &site.write, &row).is(201);
    assert_eq!(site.post("/subjects", &site.write, &row).is(200).text, first.text);
    // Later: what is said at the same moment has no order that means anything.
    site.clock.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let other = json!({"id": "s", "facts": {"ra_deg": 2.5}});
    site.post("/subjects", &site.write, &other).is(201);
    let seen = site.get("/subjects/s", &site.read).is(200).json();
    assert_eq!((&seen["facts"], &seen["scores"]), (&json!({"ra_deg": "2.5"}), &json!({})));
    let counts = site.wait(site.live.counts()).expect("read");
    assert_eq!((counts.n_events, counts.n_quarantined), (2, 0));
    for wrong in [
        json!({"id": ""}),
        json!({"id": "a\u{1}"}),
        json!({"id": "a", "fact": {}}),
        json!({"id": "a", "facts": {"x": [1]}}),
        json!({"id": "a", "facts": {"score:m": "1"}}),
        json!({"id": "a", "at": "yesterday"}),
        json!([{"id": "a"}, {}]),
        json!("a"),
        json!({"subjects": {"id": "a"}}),
        json!({"subjects": [], "id": "a"}),
    ] {
        site.post("/subjects", &site.write, &wrong).is(422);
    }
    let wrong = json!([{"id": "a"}, {"id": "b", "fact": {}}]);
    let problem = site.post("/subjects", &site.write, &wrong).is(422).json();
    assert_eq!(problem["errors"][0]["pointer"], "/1");
    assert!(problem["errors"][0]["message"].as_str().expect("a text").contains("unknown field `fact`"));
    assert_eq!(site.wait(site.live.counts()).expect("read").n_events, 2);
}

#[test]
fn it_says_how_it_is() {
    let site = Site::start();
    let open = |path: &str| site.ask("GET", &format!("/api/v1{path}"), None, "").is(200);
    assert_eq!(open("/healthz").json(), json!({"status": "ok", "store": true}));
    assert_eq!(open("/version").json()["name"], "volary");
    assert_eq!(open("/openapi.json").json()["openapi"], "3.1.0");
    site.post("/classifications", &site.write, &eight("s")).is(201);
    site.clock.fetch_add(60_000, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(site.metric("volary_events_total{outcome=\"new\"}"), 8.0);
    assert_eq!(site.metric("volary_outbox_oldest_seconds"), 60.0, "nobody delivers here");
    // A store that has stopped shows.
    site.wait(site.live.clone().close()).expect("closes");
    let health = site.ask("GET", "/api/v1/healthz", None, "");
    assert_eq!(health.status, 503);
    let refused = site.post("/classifications", &site.write, &vote(1, "s", 1, "real")).is(503);
    assert!(refused.header("retry-after").is_some());
}

/// The rows of a table as it is exported, with the header's names.
fn exported(site: &Site, table: &str) -> (Vec<std::collections::BTreeMap<String, String>>, i64) {
    let answer = site.get(&format!("/exports/{table}"), &site.read).is(200);
    let mut reader = csv::Reader::from_reader(answer.text.as_bytes());
    let rows = reader.deserialize().map(|row| row.expect("CSV")).collect();
    (rows, answer.header("volary-last-seq").and_then(|n| n.parse().ok()).expect("a number"))
}

#[test]
fn h18_an_export_is_of_one_moment_while_votes_come_in() {
    let site = Site::with(|settings| settings.rate_per_volunteer.burst = 1e9);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Each request votes on five subjects at once: whoever sees one moment sees them equal.
        scope.spawn(|| {
            for n in 0.. {
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                let votes: Vec<Value> =
                    (0..5).map(|s| vote(format!("{n}-{s}"), &format!("s{s}"), n, "real")).collect();
                site.post("/classifications", &site.write, &json!(votes)).is(201);
            }
        });
        crate::site::until("votes come", || exported(&site, "classifications").0.len() > 50);
        let mut n_last = 0;
        for _ in 0..10 {
            let (rows, last_seq) = exported(&site, "subject_reductions");
            let votes: Vec<u64> =
                rows.iter().map(|row| row["n_votes"].parse().expect("a number")).collect();
            assert_eq!(votes.len(), 5, "{rows:?}");
            assert!(votes.iter().all(|n| *n == votes[0]), "{votes:?}");
            assert_eq!(last_seq, 5 * votes[0] as i64, "the log and the state are of one moment");
            assert!(votes[0] >= n_last, "time does not run back");
            n_last = votes[0];
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let retracted = json!({"source": "own", "id": "r", "at_ms": crate::site::NOW_MS, "kind": "retract", "of": "0-0"});
    site.post("/retractions", &site.write, &retracted).is(201);
    let (rows, last_seq) = exported(&site, "classifications");
    assert_eq!(rows.len() as i64, last_seq);
    let (first, last) = (&rows[0], &rows[rows.len() - 1]);
    assert_eq!((first["id"].as_str(), first["subject_id"].as_str()), ("own/0-0", "s0"));
    assert_eq!(first["answers"], r#"{"T0":["real"]}"#);
    assert_eq!((last["kind"].as_str(), last["of"].as_str()), ("retract", "own/0-0"));
    assert!(!rows.iter().any(|row| row.contains_key("user")));
    site.get("/exports/people", &site.admin).is(404);
    site.get("/exports/classifications", &site.write).is(403);
}
