use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::event::{Actor, Kind};

fn votes(parsed: &Parsed) -> Vec<&Event> {
    parsed.events.iter().filter(|e| matches!(e.kind, Kind::Vote { .. })).collect()
}

fn one(body: &str) -> Event {
    let parsed = parse(body.as_bytes());
    let problems: Vec<_> = parsed.problems.examples().collect();
    assert!(problems.is_empty(), "{problems:?}");
    votes(&parsed)[0].clone()
}

/// Workflow, version, subject, who, and answers by task.
type Told<'a> = (&'a str, &'a str, &'a str, Actor, Vec<(&'a str, Vec<&'a str>)>);

fn told(event: &Event) -> Told<'_> {
    let Kind::Vote { workflow, version, subject, actor, answers } = &event.kind else {
        panic!("no vote")
    };
    let answers =
        answers.iter().map(|(t, l)| (t.as_str(), l.iter().map(String::as_str).collect())).collect();
    (workflow, version, subject, actor.clone(), answers)
}

#[test]
fn every_shape_of_a_classification_is_read() {
    let user = || Actor::User("2".into());
    let api = one(r#"{"classifications":[{"id":"5","annotations":[{"task":"T0","value":0}],
        "metadata":{"workflow_version":"16.55"},"created_at":"2024-02-23T16:17:42.085Z",
        "links":{"project":"1","user":"2","workflow":"10","subjects":["96"]}}]}"#);
    assert_eq!(told(&api), ("10", "16.55", "96", user(), vec![("T0", vec!["0"])]));
    assert_eq!((api.key.id.as_str(), api.at_ms), ("5", 1_708_705_062_085));
    let call = one(
        r#"{"id":5,"project_id":1,"workflow_id":10,"workflow_version":"16.55","subject_id":96,
        "user_id":2,"created_at":"2024-02-23 16:17:42.085 UTC","annotations":{"T0":[{"task":"T0","value":0}]},
        "metadata":{},"subject":{"id":96,"metadata":{}}}"#,
    );
    assert_eq!(call, api, "the same classification, told by Caesar");
    let extract =
        one(r#"{"id":1001,"classification_id":5,"classification_at":"2024-02-23T16:17:42.000Z",
        "extractor_key":"t0","workflow_id":10,"subject_id":96,"user_id":null,"data":{"0":1,"1":0},
        "machine_data":false}"#);
    let unknown = Actor::Anonymous(String::new());
    assert_eq!(told(&extract), ("10", "", "96", unknown, vec![("T0", vec!["0"])]));
    let ours = api.to_json();
    assert_eq!(one(&ours), api);
    let lines = format!("{ours}\n\n{}\r\n", ours.replace("\"5\"", "\"6\""));
    assert_eq!(parse(lines.as_bytes()).events.len(), 2);
}

#[test]
fn answers_of_all_kinds_of_task() {
    let of = |annotations: &str| {
        let event = one(&format!(
            r#"{{"id":1,"workflow_id":1,"subject_id":1,"created_at":"2024-02-23T16:17:42Z","annotations":{annotations}}}"#
        ));
        let Kind::Vote { answers, .. } = event.kind else { panic!("no vote") };
        serde_json::to_string(&answers).expect("serialises")
    };
    assert_eq!(of(r#"[{"task":"T0","value":null}]"#), r#"{"T0":[]}"#);
    assert_eq!(of(r#"[{"task":"T0","value":[0,2]}]"#), r#"{"T0":["0","2"]}"#);
    assert_eq!(of(r#"[{"task":"T0","value":[]}]"#), r#"{"T0":[]}"#);
    assert_eq!(of(r#"[{"task":"T0","value":"Real"}]"#), r#"{"T0":["Real"]}"#);
    assert_eq!(of(r#"[{"task":"T0","value":[{"choice":"GRFF","answers":{}}]}]"#), r#"{"T0":["GRFF"]}"#);
    assert_eq!(of(r#"[{"task":"T0","value":[{"x":1,"y":2,"tool":0}]}]"#), r#"{"T0":[]}"#);
    assert_eq!(
        of(r#"[{"task":"T3","value":[{"task":"T4","value":1},{"task":"T5","value":[0]}]}]"#),
        r#"{"T3":[],"T4":["1"],"T5":["0"]}"#
    );
    assert_eq!(of("[]"), "{}");
}

#[test]
fn nothing_of_a_browser_or_an_address_is_kept() {
    let body = r#"{"id":1,"workflow_id":1,"subject_id":1,"created_at":"2024-02-23T16:17:42Z",
        "user_ip":"12.157.174.6","annotations":[{"task":"T0","value":1}],
        "metadata":{"session":"canary","user_agent":"canary","viewport":{"width":1792},"feedback":"canary"}}"#;
    let event = one(body);
    let kept = event.to_json();
    assert!(!kept.contains("canary") && !kept.contains("12.157") && !kept.contains("1792"), "{kept}");
    assert_eq!(told(&event).3, Actor::of_session(Some("canary")));
}

#[test]
fn hidden_facts_stay_hidden_and_training_subjects_are_known() {
    let body = r##"{"source":"panoptes","type":"classification","data":{"id":"1","created_at":"2024-02-23T16:17:42Z",
        "annotations":[],"links":{"workflow":"1","subjects":["7"]}},
        "linked":{"subjects":[{"id":"7","updated_at":"2024-01-01T00:00:00Z",
        "metadata":{"#feedback_1_answer":"canary","//old":"canary","!ra_deg":"1.5","#training_subject":"true"}}]}}"##;
    let parsed = parse(body.as_bytes());
    let Kind::Subject { subject, validation, facts, truth } = &parsed.events[1].kind else {
        panic!("no subject")
    };
    assert_eq!(
        (subject.as_str(), *validation, facts.len(), facts["ra_deg"].as_str()),
        ("7", true, 1, "1.5")
    );
    // The answer stays on the server, as the truth; never among the facts.
    assert_eq!(truth["T0"], ["canary"]);
    assert!(!facts.values().any(|fact| fact.contains("canary")));
}

#[test]
fn broken_records_are_reported_and_the_rest_is_read() {
    let good = r#"{"id":1,"workflow_id":1,"subject_id":1,"created_at":"2024-02-23T16:17:42Z","annotations":[]}"#;
    let lines = [
        good,
        "{",
        "7",
        "{}",
        r#"{"id":2,"workflow_id":1,"subject_id":1,"created_at":"yesterday","annotations":[]}"#,
        r#"{"id":3,"workflow_id":1,"created_at":"2024-02-23T16:17:42Z","annotations":[]}"#,
        r#"{"id":4,"workflow_id":1,"subject_id":"a\u0000b","created_at":"2024-02-23T16:17:42Z","annotations":[]}"#,
        r#"{"source":"panoptes","type":"comment","data":{}}"#,
        r#"{"kind":"vote","at_ms":1}"#,
        &"[".repeat(100_000),
        &good.replace("\"id\":1", "\"id\":9"),
    ];
    let parsed = parse(lines.join("\n").as_bytes());
    assert_eq!((parsed.events.len(), parsed.problems.total()), (2, 9));
    let rows: Vec<u64> = parsed.problems.examples().map(|p| p.row).collect();
    let mut sorted = rows.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(parse(b"").events.len(), 0);
    assert_eq!(parse(b"\xff\xfe").problems.total(), 1);
}

#[test]
fn real_events_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/zooniverse/events");
    let read = |name: &str| std::fs::read(folder.join(name)).ok().map(|body| parse(&body));
    let Some(kinesis) = read("example_kinesis_payload.json") else {
        eprintln!("skipped: {} is not here", folder.display());
        return;
    };
    let vote = votes(&kinesis)[0];
    let user = || Actor::User("900116".into());
    assert_eq!(told(vote), ("338", "1045.89", "802881", user(), vec![("T0", vec!["VHCL"])]));
    assert_eq!(kinesis.events.len(), 2, "and its subject");
    let points = read("kinesis_points.json").expect("there");
    assert_eq!(told(votes(&points)[0]).4, [("T0", vec![])], "marks are no choice");
    let stream = read("example_event_stream_serializer_classification.json").expect("there");
    assert_eq!(votes(&stream)[0].key.id, "110709");
    assert!(stream.events.iter().all(|e| !e.to_json().contains("12.157.174.6")));
    let reduction = read("reducedASMSubject.json").expect("there");
    assert_eq!((reduction.events.len(), reduction.problems.total()), (0, 1), "no classification");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn anything_may_come(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let parsed = parse(&bytes);
        prop_assert!(parsed.events.is_empty());
    }

    #[test]
    fn what_is_read_is_well_formed(value in json(), at in 0..6_usize) {
        // A good record with one field replaced by anything.
        let mut record: Value = serde_json::from_str(
            r#"{"id":1,"workflow_id":1,"subject_id":1,"user_id":3,"created_at":"2024-02-23T16:17:42Z","annotations":[]}"#
        ).expect("JSON");
        let field = ["id", "workflow_id", "subject_id", "user_id", "created_at", "annotations"][at];
        record[field] = value;
        let parsed = parse(record.to_string().as_bytes());
        prop_assert!(parsed.events.len() as u64 + parsed.problems.total() >= 1);
        for event in parsed.events {
            prop_assert_eq!(event.check(), Ok(()));
            let again: Event = serde_json::from_str(&event.to_json()).expect("comes back");
            prop_assert_eq!(again, event);
        }
    }
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(
                (prop_oneof![Just("task".to_owned()), Just("value".to_owned()), any::<String>()], inner),
                0..4
            )
            .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}
