//! Polling an API that pages, fails and grows meanwhile: nothing lost, nothing twice.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use volary_web::poll::PollToken;
use volary_web::{Poll, Target};

use crate::outbox::{Got, Receiver};
use crate::site::{Site, until};

fn classification(id: u64) -> Value {
    json!({"id": id.to_string(), "annotations": [{"task": "T0", "value": 0}], "created_at": "2026-12-31T00:00:00Z",
        "metadata": {"workflow_version": "3.7"}, "links": {"project": "1", "user": id.to_string(), "workflow": "10",
        "subjects": [format!("s{}", id % 7)]}})
}

/// Panoptes' `classifications/project?last_id=`, over a growing list.
fn page(ids: &Mutex<BTreeSet<u64>>, got: &Got) -> (u16, Vec<u8>) {
    let query = got.line.split(['?', ' ']).nth(2).unwrap_or_default();
    let parameter = |name: &str| query.split('&').find_map(|p| p.strip_prefix(&format!("{name}=")));
    let (Some(last), Some(size)) = (parameter("last_id"), parameter("page_size")) else {
        return (422, vec![]);
    };
    assert_eq!(parameter("project_id"), Some("1"));
    assert_eq!(got.headers["accept"], "application/vnd.api+json; version=1");
    if got.headers.get("authorization").map(String::as_str) != Some("Bearer theirs") {
        return (401, vec![]);
    }
    let (last, size): (u64, usize) = (last.parse().expect("a number"), size.parse().expect("a number"));
    let found: Vec<Value> = ids
        .lock()
        .expect("no panic")
        .range(last + 1..)
        .take(size)
        .map(|id| classification(*id))
        .collect();
    (200, json!({"classifications": found, "meta": {}}).to_string().into_bytes())
}

fn poll(receiver: &Receiver) -> Poll {
    let base = Target::parse(&format!("http://{}/api/", receiver.address), true).expect("named");
    Poll {
        token: Some(PollToken::new("theirs\n")),
        interval: Duration::from_millis(10),
        page_size: 10,
        overlap: 5,
        ..Poll::new(base, "1")
    }
}

#[test]
fn everything_comes_once_over_failures_growth_and_restarts() {
    // Ids that cross from …999 to …1000, as text.
    let ids: Arc<Mutex<BTreeSet<u64>>> = Arc::new(Mutex::new((980..1_035).collect()));
    let (n, list) = (AtomicUsize::new(0), Arc::clone(&ids));
    let receiver = Receiver::start(Arc::new(move |_, got| {
        let n = n.fetch_add(1, Ordering::Relaxed);
        let (status, body) = page(&list, got);
        match n % 6 {
            1 => Some((503, vec![])),
            3 => None,
            // Cut off in the middle.
            4 => Some((200, body[..body.len() / 2].to_vec())),
            _ => Some((status, body)),
        }
    }));
    let source = poll(&receiver);
    let again = source.clone();
    let site = Site::with(|settings| {
        settings.polls = vec![source];
        // Waits are real here.
        settings.now_ms = Arc::new(|| jiff::Timestamp::now().as_millisecond());
    });
    let n_votes = |site: &Site| site.wait(site.live.counts()).expect("read").n_votes as usize;
    until("all are there", || n_votes(&site) == 55);
    // More, one of them with an id before the last that was read.
    ids.lock().expect("no panic").remove(&1_034);
    ids.lock().expect("no panic").extend([1_035, 1_036]);
    until("the new ones", || n_votes(&site) == 57);
    let site = site.restart(|settings| settings.polls = vec![again]);
    ids.lock().expect("no panic").extend(1_040..1_060);
    until("after a restart too", || n_votes(&site) == 77);
    let counts = site.wait(site.live.counts()).expect("read");
    assert_eq!((counts.n_events, counts.n_quarantined), (77, 0), "nothing twice, nothing in quarantine");
    assert!(site.metric("volary_polls_total{result=\"read\"}") > 0.0);
    // It went on where it was: what was read long before was not asked for again.
    let asked_again = receiver
        .got
        .lock()
        .expect("is there")
        .iter()
        .skip(1)
        .filter(|got| got.line.contains("last_id=0&"))
        .count();
    assert!(asked_again <= 6, "{asked_again} from the beginning, all before the first page was on disk");
}

#[test]
fn one_that_shows_up_behind_the_last_id_is_found() {
    let ids: Arc<Mutex<BTreeSet<u64>>> = Arc::new(Mutex::new([1, 2, 4].into()));
    let list = Arc::clone(&ids);
    let receiver = Receiver::start(Arc::new(move |_, got| Some(page(&list, got))));
    let source = poll(&receiver);
    let site = Site::with(|settings| settings.polls = vec![source]);
    let n_votes = || site.wait(site.live.counts()).expect("read").n_votes;
    until("three", || n_votes() == 3);
    ids.lock().expect("no panic").insert(3);
    until("the late one", || n_votes() == 4);
}

#[test]
fn a_wrong_token_is_said_and_nothing_moves() {
    let ids: Arc<Mutex<BTreeSet<u64>>> = Arc::new(Mutex::new([1].into()));
    let receiver = Receiver::start(Arc::new(move |_, got| Some(page(&ids, got))));
    let source = Poll { token: None, ..poll(&receiver) };
    let name = source.cursor_name();
    let site = Site::with(|settings| settings.polls = vec![source]);
    until("it failed", || site.metric("volary_polls_total{result=\"failed\"}") > 1.0);
    assert!(site.log_text().contains("it answered 401"));
    assert_eq!(site.wait(site.live.cursor(&name)).expect("read"), None);
}
