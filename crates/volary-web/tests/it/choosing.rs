//! What is shown next, out of the streams, and the learner beside it; through the API, over a real store.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use volary_live::Kind;
use volary_live::learning::{Embeddings, LearningParams, VetoParams};
use volary_live::store::Place;
use volary_loop::pool::Mixture;
use volary_web::Choosing;

use crate::site::{LIMIT, Site, until, vote};

/// Thirty subjects to discover, ten of them drawn into the de-biased stream, and ten whose truth is known.
fn events() -> Vec<Value> {
    let mut events = Vec::new();
    let mut push = |id: String, kind: Value| {
        let mut event = json!({"source": "team", "id": id, "at_ms": 1});
        event.as_object_mut().expect("is there").extend(kind.as_object().expect("is there").clone());
        events.push(event);
    };
    for n in 0..30 {
        let score = format!("0.{n:02}");
        push(
            format!("s{n}"),
            json!({"kind": "subject", "subject": format!("s{n}"), "facts": {"score": score}}),
        );
    }
    for n in 0..10_u32 {
        push(
            format!("d{n}"),
            json!({"kind": "drawn", "subject": format!("s{n}"), "stream": "debiased", "p_included": 0.25}),
        );
        let truth = if n % 2 == 0 { "real" } else { "bogus" };
        push(
            format!("v{n}"),
            json!({"kind": "subject", "subject": format!("v{n}"), "validation": true, "truth": {"T0": [truth]}}),
        );
    }
    events
}

fn embeddings() -> Embeddings {
    let of = |name: &str, n: usize| {
        (format!("{name}{n}"), vec![if n.is_multiple_of(2) { 1.0 } else { -1.0 }, 0.5])
    };
    let later = (0..40).map(|n| of("n", n));
    let all = (0..30).map(|n| of("s", n)).chain((0..10).map(|n| of("v", n))).chain(later);
    Embeddings { model: "m".into(), dimension: 2, of: all.collect::<HashMap<_, _>>() }
}

fn site() -> Site {
    let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
    let place = Place::File(folder.path().join("live.db"));
    let mixture = Mixture { validation_rate: 0.2, ..Mixture::default() };
    Site::choosing(
        folder,
        place,
        |_| {},
        async |live| {
            // Five real ones without a miss are enough to certify this veto; nobody should allow so much.
            let veto = VetoParams { key: [7; 32], audit_share: 0.05, below: 0.35, allowed: 0.5 };
            let params = LearningParams { veto: Some(veto), ..LearningParams::default() };
            let learner = Some((embeddings(), params));
            Choosing::start(live, mixture, 7, learner).await.expect("starts") as _
        },
    )
}

/// The queue follows the log by itself; a test waits until it has.
fn learner_until(site: &Site, is_so: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + LIMIT;
    loop {
        let status = site.get("/learner", &site.read).is(200).json();
        if is_so(&status) {
            return status;
        }
        assert!(Instant::now() < deadline, "{status}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn next(site: &Site, volunteer: &str, n: usize) -> Vec<String> {
    let path = format!("/subjects/next?volunteer={volunteer}&n={n}");
    let answer = site.get(&path, &site.write).is(200);
    assert!(!answer.text.contains("truth") && !answer.text.contains("score"), "{}", answer.text);
    let listed = answer.json()["subjects"].as_array().expect("is there").clone();
    listed.iter().map(|s| s["id"].as_str().expect("is there").to_owned()).collect()
}

#[test]
fn volunteers_get_each_subject_once_and_the_known_at_their_rate() {
    let site = site();
    site.post("/log", &site.admin, &json!(events())).is(200);
    let status = learner_until(&site, |s| s["open_subjects"]["validation"] == 10);
    assert_eq!(
        status["open_subjects"],
        json!({"real-time": 20, "debiased": 10, "active": 0, "validation": 10})
    );
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let (mut id, mut n_known) = (0, 0);
    loop {
        let subjects = next(&site, "7", 4);
        if subjects.is_empty() {
            break;
        }
        for subject in subjects {
            n_known += u32::from(subject.starts_with('v'));
            id += 1;
            site.post("/classifications", &site.write, &vote(id, &subject, 7, "real")).is(201);
            assert!(seen.insert(subject.clone()), "{subject} twice");
        }
    }
    // All that can be discovered; of the known about one in five, as long as there is something else.
    assert_eq!(seen.iter().filter(|s| s.starts_with('s')).count(), 30);
    assert!((2..=10).contains(&n_known), "{n_known}");
}

#[test]
fn what_is_done_leaves_and_what_is_learnt_shows() {
    let site = site();
    site.post("/log", &site.admin, &json!(events())).is(200);
    learner_until(&site, |s| s["open_subjects"]["real-time"] == 20);
    let mut votes = Vec::new();
    for n in 0..30 {
        for user in 0..14 {
            let answer = if n % 2 == 0 { "real" } else { "bogus" };
            votes.push(vote(n * 100 + user, &format!("s{n}"), user, answer));
        }
    }
    for n in 0..10 {
        votes.push(vote(90_000 + n, &format!("v{n}"), 1, "real"));
    }
    site.post("/classifications", &site.write, &json!(votes)).is(201);
    let status = learner_until(&site, |s| s["learner"]["counts"]["n_gold"] == 10);
    assert_eq!(status["open_subjects"]["real-time"], 0, "all have retired: {status}");
    let counts = &status["learner"]["counts"];
    assert_eq!((&counts["n_subjects"], &counts["n_votes"]), (&json!(30), &json!(420)));
    let gold = &status["learner"]["evaluation"]["gold"];
    assert!(gold["n"] == 10 && gold["brier"].as_f64().expect("is there") < 0.25, "{gold}");
    assert_eq!(status["learner"]["in_use"], "safe");

    assert_eq!(status["learner"]["veto"], "in use", "{status}");
    // New subjects come: some are drawn because the learner would learn from them, and the log says so.
    let subject = |n: u64| json!({"source": "team", "id": format!("n{n}"), "at_ms": 3, "kind": "subject", "subject": format!("n{n}")});
    let later: Vec<Value> = (0..40).map(subject).collect();
    site.post("/log", &site.admin, &json!(later)).is(200);
    learner_until(&site, |s| s["open_subjects"]["active"].as_u64() > Some(10));
    let drawn = site.wait(site.live.log(0, 10_000)).expect("read");
    let own: Vec<&Kind> = drawn
        .iter()
        .filter(|l| l.event.kind_name() == "drawn" && l.event.key.source == "volary")
        .map(|l| &l.event.kind)
        .collect();
    let with_probability = own.iter().filter(|kind| match kind {
        Kind::Drawn { stream, p_included, .. } => {
            assert_eq!(p_included.is_some(), stream == "debiased", "{kind:?}");
            p_included.is_some()
        }
        _ => false,
    });
    let n_probability = with_probability.count();
    assert!(
        n_probability * 5 >= own.len() && n_probability < own.len(),
        "{n_probability} of {}",
        own.len()
    );
    // The vetoed come last, and they come.
    let shown: Vec<String> = next(&site, "99", 60).into_iter().filter(|s| s.starts_with('n')).collect();
    assert_eq!(shown.len(), 40);
    let mean_place = |is_even: bool| {
        let of = |s: &str| s[1..].parse::<u32>().unwrap().is_multiple_of(2) == is_even;
        let places: Vec<f64> =
            (0_u32..).zip(&shown).filter(|(_, s)| of(s)).map(|(at, _)| f64::from(at)).collect();
        places.iter().sum::<f64>() / places.len() as f64
    };
    assert!(mean_place(true) + 8.0 < mean_place(false), "{shown:?}");

    // Who opts out is forgotten, by reading everything again.
    let out =
        json!({"source": "team", "id": "out", "at_ms": 2, "kind": "opt_out", "user": "3", "out": true});
    site.post("/log", &site.admin, &out).is(200);
    let status = learner_until(&site, |s| s["learner"]["counts"]["n_opted_out"] == 30);
    assert_eq!(
        learner_until(&site, |s| s["learner"]["counts"]["n_votes"] == 390)["learner"]["in_use"],
        "safe"
    );
    assert!(status["learner"]["alarms"].is_array());
}

#[test]
fn a_rule_seeds_the_next_workflow() {
    let site = site();
    let rule =
        json!({"name": "circle it", "when": "votes(\"real\") >= 2", "then": "move", "to": "draw"});
    let policy = json!({"source": "team", "id": "rules", "at_ms": 1, "kind": "policy",
        "policy": {"retire_at": 3, "rule": [rule]}});
    site.post("/log", &site.admin, &policy).is(200);
    site.post("/log", &site.admin, &json!(events())).is(200);
    learner_until(&site, |s| s["open_subjects"]["real-time"] == 20);
    let in_draw = |volunteer: u64| {
        let path = format!("/subjects/next?volunteer={volunteer}&workflow_id=draw&n=60");
        site.get(&path, &site.write).is(200).json()["subjects"].as_array().unwrap().clone()
    };
    assert!(in_draw(9).len() >= 30, "before anything was moved, all that is open");
    for user in 1..4 {
        site.post("/classifications", &site.write, &vote(user, "s7", user, "real")).is(201);
    }
    until("one is left to be drawn", || in_draw(1).len() == 1);
    // Whoever saw it in the first workflow may well circle it in the second, once.
    assert_eq!(in_draw(1)[0]["id"], "s7");
    let circled = |id: u64, user: u64| {
        let mut drawn = vote(id, "s7", user, "circle");
        drawn["workflow"] = json!("draw");
        drawn
    };
    site.post("/classifications", &site.write, &circled(100, 1)).is(201);
    assert!(in_draw(1).is_empty() && in_draw(2).len() == 1);
    for user in 2..4 {
        site.post("/classifications", &site.write, &circled(100 + user, user)).is(201);
    }
    until("it has retired there", || in_draw(8).is_empty());
}
