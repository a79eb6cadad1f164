//! What people do by hand, and what a vote on a validation subject is told.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::site::{Answer, Site, eight, vote};

#[test]
fn a_vote_is_told_whether_it_was_right_and_only_then() {
    let site = Site::start();
    let rows = json!([{"id": "v", "truth": {"T0": ["real"]}}, {"id": "o"}]);
    site.post("/subjects", &site.write, &rows).is(201);
    let right = site.post("/classifications", &site.write, &vote(1, "v", 1, "real")).is(201);
    let feedback = json!({"right": true, "truth": {"T0": ["real"]}});
    assert_eq!(right.json()["classifications"][0]["feedback"], feedback);
    let again = site.post("/classifications", &site.write, &vote(1, "v", 1, "real")).is(200);
    assert_eq!(again.text, right.text, "the same when it is asked again");
    let batch = json!([vote(2, "v", 2, "bogus"), vote(3, "o", 2, "bogus")]);
    let told = site.post("/classifications", &site.write, &batch).is(201).json();
    assert_eq!(told["classifications"][0]["feedback"]["right"], false);
    assert!(told["classifications"][1].get("feedback").is_none());
    let skill = site.get("/user_reductions/user:2", &site.admin).is(200).json();
    let cell = &skill["confusion"][0];
    assert_eq!(
        (&cell["truth"], &cell["given"], &cell["n"]),
        (&json!("real"), &json!("bogus"), &json!(1))
    );
    assert!(cell["p_low"].as_f64() > Some(0.1) && cell["p_high"].as_f64() <= Some(1.0), "{cell}");
    // Saying that one was right changes nothing.
    let mut forged = vote(4, "v", 4, "bogus");
    forged["success"] = json!(true);
    forged["feedback"] = json!({"right": true});
    let told = site.post("/classifications", &site.write, &forged).is(201).json();
    assert_eq!(told["classifications"][0]["feedback"]["right"], false);
    // After a restart too.
    let site = site.restart(|_| {});
    let again = site.post("/classifications", &site.write, &vote(1, "v", 1, "real")).is(200);
    assert_eq!(again.text, right.text);
    // A validation subject raises no alert.
    site.post("/classifications", &site.write, &eight("v")).is(201);
    assert_eq!(site.get("/alerts", &site.read).is(200).json()["alerts"], json!([]));
}

fn status(site: &Site, subject: &str) -> Value {
    let path = format!("/subject_workflow_statuses?subject_id={subject}");
    site.get(&path, &site.read).is(200).json()["subject_workflow_statuses"][0].clone()
}

#[test]
fn subjects_are_retired_and_opened_by_hand_in_panoptes_words() {
    let site = Site::start();
    site.post("/subjects", &site.write, &json!([{"id": "5"}, {"id": "6"}])).is(201);
    site.post("/classifications", &site.write, &vote(1, "5", 1, "real")).is(201);
    let next = || -> Vec<String> {
        let found = site.get("/subjects/next?volunteer=99", &site.write).is(200).json();
        let ids = found["subjects"].as_array().expect("is there").iter();
        ids.map(|subject| subject["id"].as_str().expect("is there").to_owned()).collect()
    };
    assert_eq!(next(), ["6", "5"]);
    let body = json!({"subject_ids": [5, "6"], "retirement_reason": "blank"});
    site.post("/workflows/10/retired_subjects", &site.write, &body).is(403);
    let done = site.post("/workflows/10/retired_subjects", &site.admin, &body);
    assert_eq!((done.status, done.text.as_str()), (204, ""));
    assert!(next().is_empty());
    for subject in ["5", "6"] {
        let status = status(&site, subject);
        assert_eq!(status["retirement_reason"], "nothing_here", "{status}");
        assert!(status["retired_at"].is_string());
    }
    let wrong = json!({"subject_ids": ["5"], "retirement_reason": "boredom"});
    site.post("/workflows/10/retired_subjects", &site.admin, &wrong).is(422);
    let unknown = json!({"subject_ids": ["5", "7"]});
    site.post("/workflows/10/retired_subjects", &site.admin, &unknown).is(404);
    site.clock.fetch_add(1, Ordering::Relaxed);
    let open = json!({"subject_ids": ["5"]});
    site.post("/workflows/10/unretire_subjects", &site.admin, &open).is(204);
    assert_eq!(next(), ["5"]);
    assert_eq!(status(&site, "5")["retired_at"], Value::Null);
    assert_eq!(status(&site, "6")["retirement_reason"], "nothing_here");
    // Opened by hand, it stays open whatever the votes do.
    for n in 0..14 {
        site.post("/classifications", &site.write, &vote(100 + n, "5", 100 + n, "bogus")).is(201);
    }
    assert_eq!((status(&site, "5")["retired_at"].clone(), next()), (Value::Null, vec!["5".to_owned()]));
}

fn act(site: &Site, token: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let bearer = format!("Bearer {token}");
    let mut all = vec![("authorization", bearer.as_str()), ("content-type", "application/json")];
    all.extend(headers);
    site.send("POST", "/api/v1/alerts/1/actions", &all, body.to_string().as_bytes())
}

#[test]
fn what_is_done_about_an_alert_is_added_and_never_lost() {
    let site = Site::start();
    site.post("/classifications", &site.write, &eight("s")).is(201);
    let claim = json!({"action": "claim", "who": "Ada"});
    act(&site, &site.read, &[], &claim).is(403);
    act(&site, &site.write, &[], &claim).is(403);
    let alert = site.get("/alerts/1", &site.admin).is(200);
    let tag = alert.header("etag").expect("is there").to_owned();
    let first =
        act(&site, &site.admin, &[("if-match", &tag), ("idempotency-key", "k1")], &claim).is(201);
    assert_eq!(first.json()["actions"][0]["who"], "Ada");
    assert!(site.log_text().contains("changed request="), "decisions are on record");
    // Somebody who read the alert before that is told.
    let other = json!({"action": "claim", "who": "Bo"});
    act(&site, &site.admin, &[("if-match", &tag)], &other).is(412);
    let repeat = act(&site, &site.admin, &[("idempotency-key", "k1")], &claim).is(200);
    assert_eq!(repeat.text, first.text, "a repeat adds nothing");
    act(&site, &site.admin, &[("idempotency-key", "k1")], &other).is(409);
    act(&site, &site.admin, &[], &json!({"action": "known", "note": "SN 2026xyz; <script>"})).is(201);
    act(&site, &site.admin, &[], &json!({"action": "delete"})).is(422);
    act(&site, &site.admin, &[], &json!({"act": "note"})).is(422);
    let site = site.restart(|_| {});
    let actions = site.get("/alerts/1", &site.read).is(200).json()["actions"].clone();
    let words: Vec<&str> = actions
        .as_array()
        .expect("is there")
        .iter()
        .map(|a| a["action"].as_str().expect("is there"))
        .collect();
    assert_eq!(words, ["claim", "known"]);
    site.post("/alerts/2/actions", &site.admin, &claim).is(404);
}

#[test]
fn of_two_who_act_on_what_they_read_one_gets_through() {
    let site = Site::start();
    site.post("/classifications", &site.write, &eight("s")).is(201);
    let tag = site.get("/alerts/1", &site.admin).is(200).header("etag").expect("is there").to_owned();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let claims: Vec<_> = (0..8)
            .map(|n| {
                let (site, tag) = (&site, &tag);
                scope.spawn(move || {
                    let claim = json!({"action": "claim", "who": n.to_string()});
                    act(site, &site.admin, &[("if-match", tag)], &claim).status
                })
            })
            .collect();
        claims.into_iter().map(|claim| claim.join().expect("no panic")).collect()
    });
    assert_eq!(statuses.iter().filter(|s| **s == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|s| **s == 412).count(), 7, "{statuses:?}");
}
