//! Votes in: every form, repeats, conflicts, nonsense; on both databases.

use std::sync::Arc;

use serde_json::{Value, json};
use volary_web::workflows::{Task, Workflow};

use crate::postgres::Server;
use crate::site::{NOW_MS, Site, eight, vote};

#[test]
fn every_form_is_taken() {
    let site = Site::start();
    let one = site.post("/classifications", &site.write, &vote(1, "s", 1, "real")).is(201);
    assert_eq!(one.json(), json!({"classifications": [{"id": "1", "source": "own"}]}));
    site.post("/classifications", &site.write, &json!([vote(2, "s", 2, "real")])).is(201);
    let named = json!({"classifications": [vote(3, "s", 3, "real"), vote(4, "s", 4, "bogus")]});
    site.post("/classifications", &site.write, &named).is(201);
    let panoptes = json!({"id": "5", "created_at": "2027-01-01T00:00:00Z", "annotations": [{"task": "T0", "value": 0}],
        "metadata": {"workflow_version": "3.7"}, "links": {"project": "1", "user": "5", "workflow": "10", "subjects": ["s"]}});
    let taken = site.post("/classifications", &site.write, &panoptes).is(201);
    assert_eq!(taken.json()["classifications"][0]["source"], "panoptes");
    let lines = format!("{}\n{}\n", vote(6, "s", 6, "real"), vote(7, "s", 7, "real"));
    let headers = [
        ("authorization", &*format!("Bearer {}", site.write)),
        ("content-type", "application/x-ndjson"),
    ];
    site.send("POST", "/api/v1/classifications", &headers, lines.as_bytes()).is(201);
    let counts = site.wait(site.live.counts()).expect("read");
    assert_eq!(counts.n_votes, 7);
}

fn repeats_and_conflicts(site: &Site) {
    let batch = json!([vote(1, "s", 1, "real"), vote(2, "s", 2, "real")]);
    let first = site.post("/classifications", &site.write, &batch).is(201);
    let again = site.post("/classifications", &site.write, &batch).is(200);
    assert_eq!(first.text, again.text, "a repeat gets the first answer");
    let mixed = json!([vote(1, "s", 1, "bogus"), vote(3, "s", 3, "real")]);
    let conflict = site.post("/classifications", &site.write, &mixed).is(409).json();
    assert_eq!(conflict["errors"].as_array().expect("is there").len(), 1);
    assert_eq!(conflict["errors"][0]["pointer"], "/0");
    let counts = site.wait(site.live.counts()).expect("read");
    assert_eq!((counts.n_votes, counts.n_quarantined), (3, 1), "the other one is on disk");
    // The log has what was acknowledged, after the process is gone too.
    let again = site.get("/classifications", &site.admin).is(200).json();
    assert_eq!(again["classifications"].as_array().expect("is there").len(), 3);
}

fn fifty_at_once(site: &Site) {
    let body = vote("same", "p", 1, "real");
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let posts: Vec<_> = (0..50)
            .map(|_| scope.spawn(|| site.post("/classifications", &site.write, &body).status))
            .collect();
        posts.into_iter().map(|post| post.join().expect("no panic")).collect()
    });
    assert_eq!(statuses.iter().filter(|s| **s == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|s| **s == 200).count(), 49, "{statuses:?}");
    let found = site.get("/classifications?subject_id=p", &site.read).is(200).json();
    assert_eq!(found["classifications"].as_array().expect("is there").len(), 1, "H12: one row");
}

fn retractions_and_corrections(site: &Site) {
    site.post("/classifications", &site.write, &eight("r")).is(201);
    let taken_back =
        json!({"source": "own", "id": "r1", "at_ms": NOW_MS, "kind": "retract", "of": "r-0"});
    site.post("/retractions", &site.write, &taken_back).is(201);
    site.post("/retractions", &site.write, &taken_back).is(200);
    let corrected = json!({"source": "own", "id": "c1", "at_ms": NOW_MS, "kind": "correct", "of": "r-1",
        "answers": {"T0": ["bogus"]}});
    site.post("/corrections", &site.write, &corrected).is(201);
    site.post("/corrections", &site.write, &taken_back).is(422);
    site.post("/classifications", &site.write, &taken_back).is(422);
    let reduced = site.get("/subject_reductions?subject_id=r", &site.read).is(200).json();
    let one = &reduced["subject_reductions"][0];
    assert_eq!((&one["data"], &one["n"]), (&json!({"bogus": 1, "real": 6}), &json!(7)));
    let votes = site.get("/subjects/r/votes", &site.read).is(200).json();
    let marked = |name: &str| {
        votes["votes"].as_array().expect("is there").iter().filter(|v| v[name] == true).count()
    };
    assert_eq!((marked("retracted"), marked("corrected")), (1, 1));
}

#[test]
fn a_file_and_a_server_of_postgres_answer_alike() {
    let check = |site: Site| {
        repeats_and_conflicts(&site);
        fifty_at_once(&site);
        retractions_and_corrections(&site);
        // Stopped and started again: all of it is there.
        let before = site.wait(site.live.state_hash()).expect("read");
        let site = site.restart(|_| {});
        assert_eq!(site.wait(site.live.state_hash()).expect("read"), before);
    };
    check(Site::start());
    if let Some(server) = Server::start() {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        check(Site::over(folder, server.database(), |_| {}));
    }
}

#[test]
fn nothing_is_stored_unless_all_can_be_read() {
    let site = Site::start();
    let refused = |body: Value, pointer: &str| {
        let problem = site.post("/classifications", &site.write, &body).is(422).json();
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    };
    refused(json!([vote(1, "s", 1, "real"), {"id": 2}]), "/1/workflow");
    refused(json!({"classifications": [{}, vote(1, "s", 1, "real")]}), "/0/id");
    refused(json!(vote(1, "", 1, "real")), "/0");
    refused(json!(7), "/0");
    refused(
        json!([vote(1, "s", 1, "real"), {"source": "a", "id": "1", "at_ms": 1, "kind": "opt_out", "user": "7", "out": true}]),
        "/1",
    );
    let policy = json!({"source": "a", "id": "p", "at_ms": 1, "kind": "policy", "policy": {"retire_at": 1, "rule": []}});
    refused(policy.clone(), "/0");
    assert_eq!(site.wait(site.live.counts()).expect("read").n_events, 0);
    // An admin may, by the log.
    site.post("/log", &site.write, &policy).is(403);
    let first = site.post("/log", &site.admin, &policy).is(200);
    assert_eq!(site.post("/log", &site.admin, &policy).is(200).text, first.text);
    assert_eq!(site.get("/policy", &site.read).is(200).json()["policy"]["retire_at"], 1);
}

#[test]
fn votes_that_cannot_be_are_told_from_those_that_come_late() {
    let task = Task { answers: ["real", "bogus"].map(str::to_owned).into(), multiple: false };
    let site = Site::with(|settings| {
        let workflow = Workflow { tasks: [("T0".to_owned(), task)].into() };
        settings.workflows.insert("10".to_owned(), workflow);
        settings.known_subjects_only = true;
    });
    // H11.
    site.post("/classifications", &site.write, &vote(1, "nowhere", 1, "real")).is(404);
    site.post("/subjects", &site.write, &json!({"id": "s"})).is(201);
    site.post("/subjects", &site.write, &json!({"id": "v", "truth": {"T0": ["real"]}})).is(201);
    site.post("/classifications", &site.write, &vote(2, "s", 1, "other")).is(422);
    let mut two = vote(3, "s", 1, "real");
    two["answers"]["T0"] = json!(["real", "bogus"]);
    site.post("/classifications", &site.write, &two).is(422);
    let mut elsewhere = vote(4, "s", 1, "real");
    elsewhere["answers"] = json!({"T7": ["real"]});
    site.post("/classifications", &site.write, &elsewhere).is(422);
    assert_eq!(site.wait(site.live.counts()).expect("read").n_votes, 0);
    site.post("/classifications", &site.write, &vote(5, "v", 1, "real")).is(201);
    for n in 0..15 {
        site.post("/classifications", &site.write, &vote(100 + n, "s", n, "bogus")).is(201);
    }
    let status = site.get("/subject_workflow_statuses?subject_id=s", &site.read).is(200).json();
    let status = &status["subject_workflow_statuses"][0];
    assert_eq!(status["classifications_count"], 15, "late votes are stored and counted");
    assert_eq!(status["retirement_reason"], "classification_count");
    assert!(status["retired_at"].as_str().expect("is there").starts_with("2027-"), "{status}");
}
