//! Webhooks that come in: signed, or with a token; each once.

use serde_json::{Value, json};
use volary_web::{Secret, signature};

use crate::site::{Answer, NOW_MS, Site};

const NOW_S: i64 = NOW_MS / 1_000;

fn secret() -> Secret {
    Secret::new("a shared secret")
}

fn site() -> Site {
    Site::with(|settings| settings.webhook_secret = Some(secret()))
}

fn send(site: &Site, path: &str, header: &str, body: &[u8]) -> Answer {
    let headers = [("content-type", "application/json"), (signature::HEADER, header)];
    site.send("POST", &format!("/api/v1/webhooks/{path}"), &headers, body)
}

/// An event of Panoptes' stream.
fn event(id: u64) -> Value {
    json!({"source": "panoptes", "type": "classification", "version": "1.0.0", "data": {
        "id": id.to_string(), "created_at": "2027-01-01T00:00:00.000Z", "workflow_version": "3.7",
        "annotations": [{"task": "T0", "value": 0}], "metadata": {"session": "x"},
        "links": {"project": "593", "user": "1234", "workflow": "338", "subjects": ["802881"]}},
        "linked": {"subjects": [{"id": "802881", "updated_at": "2026-01-01T00:00:00Z", "metadata": {"!ra_deg": "1.5", "#secret": "CANARY"}}]}})
}

#[test]
fn h10_only_what_is_signed_afresh_comes_in_and_only_once() {
    let site = site();
    let body = event(1).to_string();
    let good = secret().sign(NOW_S, "n1", body.as_bytes());
    let refused = |header: &str, body: &str| {
        send(&site, "panoptes", header, body.as_bytes()).is(401);
    };
    refused("", &body);
    refused(&good[..good.len() - 2], &body);
    refused(&Secret::new("other").sign(NOW_S, "n1", body.as_bytes()), &body);
    refused(&good, &body.replace("\"id\":", "\"id\": "));
    refused(&secret().sign(NOW_S - 301, "n1", body.as_bytes()), &body);
    refused(&secret().sign(NOW_S + 301, "n1", body.as_bytes()), &body);
    refused(&secret().sign(NOW_S - 1, "n1", body.as_bytes()), &body);
    assert_eq!(site.wait(site.live.counts()).expect("read").n_events, 0);
    let answer = send(&site, "panoptes", &good, body.as_bytes()).is(200).json();
    assert_eq!(answer, json!({"n_new": 2, "n_duplicate": 0, "n_conflict": 0, "n_unreadable": 0}));
    refused(&good, &body);
    // The sender tries again, signing anew: nothing is doubled.
    let again = secret().sign(NOW_S, "n2", body.as_bytes());
    let answer = send(&site, "panoptes", &again, body.as_bytes()).is(200).json();
    assert_eq!(answer["n_duplicate"], 2);
    let seen = site.get("/subjects/802881", &site.admin).is(200).text;
    assert!(seen.contains("ra_deg") && !seen.contains("CANARY"), "{seen}");
    // Neither signed nor with a token.
    let bare =
        site.send("POST", "/api/v1/webhooks/panoptes", &[("content-type", "application/json")], b"{}");
    bare.is(401);
    // A signature is no token for anything else.
    let headers = [("content-type", "application/json"), (signature::HEADER, again.as_str())];
    site.send("POST", "/api/v1/classifications", &headers, body.as_bytes()).is(401);
}

#[test]
fn caesar_sends_its_token_as_a_password() {
    let site = site();
    let extract =
        json!({"id": 1001, "classification_id": 5, "classification_at": "2027-01-01T00:00:00.000Z",
        "extractor_key": "t0", "workflow_id": 10, "subject_id": 96, "user_id": 7, "data": {"0": 1},
        "machine_data": false})
        .to_string();
    let basic = |token: &str| {
        let pair = data_encoding::BASE64.encode(format!("caesar:{token}").as_bytes());
        let authorization = format!("Basic {pair}");
        let headers = [("content-type", "application/json"), ("authorization", authorization.as_str())];
        site.send("POST", "/api/v1/webhooks/caesar", &headers, extract.as_bytes())
    };
    basic("volary_x_y").is(401);
    basic(&site.read).is(403);
    assert_eq!(basic(&site.write).is(200).json()["n_new"], 1);
    let call = json!({"id": 6, "project_id": 1, "workflow_id": 10, "workflow_version": "3.7", "subject_id": 96,
        "user_id": 8, "created_at": "2027-01-01T00:00:00Z", "annotations": {"T0": [{"task": "T0", "value": 0}]}});
    assert_eq!(site.post("/webhooks/caesar", &site.write, &call).is(200).json()["n_new"], 1);
}

#[test]
fn what_can_be_read_is_taken_and_the_rest_is_counted() {
    let site = site();
    let batch = json!({"payload": [event(1), {"type": "comment", "data": {}}, event(2)]});
    let answer = site.post("/webhooks/panoptes", &site.write, &batch).is(200).json();
    assert_eq!((&answer["n_unreadable"], &answer["n_new"]), (&json!(1), &json!(3)));
    assert_eq!(site.metric("volary_incoming_problems_total"), 1.0);
    assert!(site.log_text().contains("unreadable"));
    // Our own events of other kinds do not come in by this door.
    let out = json!({"source": "a", "id": "1", "at_ms": 1, "kind": "opt_out", "user": "7", "out": true});
    site.post("/webhooks/panoptes", &site.write, &out).is(422);
    assert_eq!(site.wait(site.live.counts()).expect("read").n_events, 3);
}

#[test]
fn without_a_secret_nothing_counts_as_signed() {
    let site = Site::start();
    let body = event(1).to_string();
    let header = secret().sign(NOW_S, "n1", body.as_bytes());
    send(&site, "panoptes", &header, body.as_bytes()).is(401);
}
