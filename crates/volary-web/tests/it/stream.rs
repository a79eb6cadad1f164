//! The event stream: live, resumed, each event once.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::site::{Site, eight, until};

/// A listener, and what it was told.
struct Listener {
    lines: BufReader<TcpStream>,
}

#[derive(Debug, Clone, PartialEq)]
struct Told {
    id: i64,
    event: String,
    data: Value,
}

impl Listener {
    fn open(site: &Site, query: &str, token: &str, last: Option<i64>) -> Self {
        let mut stream = site.connect();
        let last = last.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        let head = format!(
            "GET /api/v1/events{query} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n{last}\r\n",
            site.address
        );
        stream.write_all(head.as_bytes()).expect("is there");
        let mut listener = Self { lines: BufReader::new(stream) };
        loop {
            let line = listener.line().expect("a head");
            if line.starts_with("HTTP/1.1") {
                assert!(line.contains(" 200 "), "{line}");
            }
            if line == ": listening" {
                return listener;
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(n) if n > 0 => Some(line.trim_end().to_owned()),
            _ => None,
        }
    }

    /// The next event; comments and the sizes of chunks are passed over.
    fn next(&mut self) -> Told {
        let (mut id, mut event) = (None, None);
        loop {
            let line = self.line().expect("goes on");
            if let Some(said) = line.strip_prefix("id: ") {
                id = said.parse().ok();
            } else if let Some(said) = line.strip_prefix("event: ") {
                event = Some(said.to_owned());
            } else if let Some(said) = line.strip_prefix("data: ") {
                let data = serde_json::from_str(said).expect("JSON");
                return Told { id: id.expect("a number"), event: event.expect("a name"), data };
            }
        }
    }
}

#[test]
fn what_is_told_is_heard_at_once_by_those_who_may() {
    let site = Site::start();
    let mut team = Listener::open(&site, "", &site.read, None);
    let mut admin = Listener::open(&site, "?topics=alerts", &site.admin, None);
    let mut subjects = Listener::open(&site, "?topics=subjects", &site.read, None);
    let votes: Vec<Value> =
        (0..14).map(|n| crate::site::vote(format!("s-{n}"), "s", n, "real")).collect();
    site.post("/classifications", &site.write, &Value::from(votes)).is(201);
    let (alert, retired) = (team.next(), team.next());
    assert_eq!((alert.event.as_str(), retired.event.as_str()), ("alert.created", "subject.retired"));
    assert_eq!((alert.data["subject"].as_str(), alert.data["k"].as_u64()), (Some("s"), Some(8)));
    assert!(alert.data.get("voters").is_none(), "the team sees no volunteer: {}", alert.data);
    assert!(retired.id > alert.id);
    let seen = admin.next();
    assert_eq!((seen.id, seen.data["voters"].as_array().map(Vec::len)), (alert.id, Some(8)));
    assert_eq!(subjects.next(), retired);
    site.get("/events?topics=other", &site.read).is(400);
    let bearer = format!("Bearer {}", site.read);
    for last in ["x", "-1", "1.5", "99999999999999999999"] {
        let headers = [("authorization", bearer.as_str()), ("last-event-id", last)];
        site.send("GET", "/api/v1/events", &headers, b"").is(400);
    }
}

#[test]
fn a_listener_that_comes_back_misses_nothing_and_hears_nothing_twice() {
    let site = Site::start();
    let n_alerts = 60;
    let mut heard: Vec<i64> = Vec::new();
    let mut subjects = BTreeSet::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..n_alerts {
                site.post("/classifications", &site.write, &eight(&format!("s{n}"))).is(201);
            }
        });
        // Hangs up after a few events, again and again, at another place each time.
        let mut last = 0;
        for round in 0_usize.. {
            let mut listener = Listener::open(&site, "", &site.read, Some(last));
            for _ in 0..(round * 3 % 7 + 1).min(n_alerts - heard.len()) {
                let told = listener.next();
                last = told.id;
                heard.push(told.id);
                subjects.insert(told.data["subject"].as_str().expect("is there").to_owned());
            }
            if heard.len() == n_alerts {
                break;
            }
        }
    });
    assert!(heard.is_sorted_by(|a, b| a < b), "{heard:?}");
    assert_eq!(subjects.len(), n_alerts);
    // Again from the beginning: the same.
    let mut again = Listener::open(&site, "", &site.read, Some(0));
    let repeated: Vec<i64> = (0..n_alerts).map(|_| again.next().id).collect();
    assert_eq!(repeated, heard);
}

#[test]
fn who_comes_from_another_store_is_told_to_begin_anew() {
    let site = Site::start();
    site.post("/classifications", &site.write, &eight("old")).is(201);
    let mut first = Listener::open(&site, "", &site.read, Some(0));
    let told = first.next();
    // A number that this store gave out: it goes on from there, without a word.
    site.post("/classifications", &site.write, &eight("next")).is(201);
    let mut known = Listener::open(&site, "", &site.read, Some(told.id));
    assert_eq!(known.next().data["subject"], "next");
    // One that it did not: everything is asked for anew, and what comes then is heard, whatever its number.
    let mut other = Listener::open(&site, "", &site.read, Some(told.id + 100_000));
    let mut lines = Vec::new();
    while lines.len() < 2 {
        lines.extend(
            other.line().filter(|line| line.starts_with("event: ") || line.starts_with("data: ")),
        );
    }
    assert_eq!(lines, ["event: reset", "data: {}"]);
    site.post("/classifications", &site.write, &eight("new")).is(201);
    assert_eq!(other.next().data["subject"], "new");
}

#[test]
fn a_stream_lives_while_nothing_happens_and_streams_are_capped() {
    let site = Site::with(|settings| {
        settings.heartbeat = Duration::from_millis(20);
        settings.head_timeout = Duration::from_millis(100);
        settings.max_streams = 2;
    });
    let mut first = Listener::open(&site, "", &site.read, None);
    let second = Listener::open(&site, "", &site.read, None);
    for _ in 0..20 {
        while !first.line().expect("goes on").starts_with(": still here") {}
    }
    site.get("/events", &site.read).is(503);
    assert_eq!(site.metric("volary_event_streams"), 2.0);
    drop(second);
    until("a place is free again", || site.metric("volary_event_streams") == 1.0);
    Listener::open(&site, "", &site.read, None);
}
