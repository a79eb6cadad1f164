//! What goes out: signed, at least once, to a receiver that fails at first.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use volary_web::signature::Verifier;
use volary_web::{Secret, Target, Webhook};

use crate::site::{NOW_MS, Site, eight, until};

/// What a receiver got.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// Answers each request, by its number from 0, with a status and a body; `None` hangs up.
pub(crate) type Answering = dyn Fn(usize, &Got) -> Option<(u16, Vec<u8>)> + Send + Sync;

/// A real HTTP server on a thread of its own.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    pub(crate) got: Arc<Mutex<Vec<Got>>>,
}

impl Receiver {
    pub(crate) fn start(answering: Arc<Answering>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let got: Arc<Mutex<Vec<Got>>> = Arc::default();
        let seen = Arc::clone(&got);
        let n = AtomicUsize::new(0);
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(stream);
                let mut line = String::new();
                if reader.read_line(&mut line).is_err() || line.is_empty() {
                    continue;
                }
                let mut headers = BTreeMap::new();
                loop {
                    let mut header = String::new();
                    let _ = reader.read_line(&mut header);
                    match header.trim_end().split_once(": ") {
                        Some((name, value)) => {
                            headers.insert(name.to_ascii_lowercase(), value.to_owned())
                        }
                        None => break,
                    };
                }
                let length =
                    headers.get("content-length").and_then(|n| n.parse().ok()).unwrap_or(0_usize);
                let mut body = vec![0; length];
                let _ = reader.read_exact(&mut body);
                let one = Got { line: line.trim_end().to_owned(), headers, body };
                let answer = answering(n.fetch_add(1, Ordering::Relaxed), &one);
                seen.lock().expect("no panic").push(one);
                if let Some((status, body)) = answer {
                    let head = format!(
                        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                        body.len()
                    );
                    let mut stream = reader.into_inner();
                    let _ = stream.write_all(head.as_bytes());
                    let _ = stream.write_all(&body);
                }
            }
        });
        Self { address, got }
    }

    fn target(&self) -> Target {
        Target::parse(&format!("http://{}/hook", self.address), true).expect("named")
    }
}

/// Webhooks without a name.
fn all(targets: Vec<Target>) -> Vec<Webhook> {
    targets.into_iter().map(|target| Webhook { name: None, target }).collect()
}

fn ticking(settings: &mut volary_web::Settings) {
    // Waits are real here, so the clock must move.
    settings.now_ms = Arc::new(|| jiff::Timestamp::now().as_millisecond());
}

#[test]
fn a_receiver_that_fails_first_gets_everything_signed_and_can_tell_repeats() {
    let receiver = Receiver::start(Arc::new(|n, _| match n {
        0 => Some((500, vec![])),
        1 => None,
        2 => Some((429, vec![])),
        // Taken, but the answer is lost.
        3 => None,
        _ => Some((200, b"{}".to_vec())),
    }));
    let target = receiver.target();
    let site = Site::with(|settings| {
        ticking(settings);
        settings.webhooks = all(vec![target]);
        settings.outgoing_secret = Some(Secret::new("ours"));
    });
    site.post("/classifications", &site.write, &eight("a")).is(201);
    site.post("/classifications", &site.write, &eight("b")).is(201);
    until("all is delivered", || site.wait(site.live.counts()).expect("read").n_waiting == 0);
    let got = receiver.got.lock().expect("no panic").clone();
    let mut by_key: BTreeMap<&str, Vec<&Got>> = BTreeMap::new();
    for one in &got {
        assert_eq!(one.line, "POST /hook HTTP/1.1");
        by_key.entry(&one.headers["idempotency-key"]).or_default().push(one);
        let verifier = Verifier::new(Secret::new("ours"), 0);
        let now_s = jiff::Timestamp::now().as_second();
        assert_eq!(verifier.verify(&one.headers["volary-signature"], &one.body, now_s), Ok(()));
    }
    assert_eq!(by_key.len(), 2, "two alerts");
    let mut subjects: Vec<String> = Vec::new();
    for same in by_key.values() {
        assert!(same.iter().all(|one| one.body == same[0].body), "the same on every attempt");
        let body: serde_json::Value = serde_json::from_slice(&same[0].body).expect("JSON");
        subjects.push(body["subject"].as_str().expect("a subject").to_owned());
    }
    subjects.sort();
    assert_eq!(subjects, ["a", "b"]);
    assert_eq!(got.len(), 6, "four failures and two successes");
    assert_eq!(site.metric("volary_deliveries_total{result=\"failed\"}"), 4.0);
    assert_eq!(site.metric("volary_deliveries_total{result=\"delivered\"}"), 2.0);
    assert_eq!(site.metric("volary_outbox_oldest_seconds"), 0.0);
}

#[test]
fn what_waits_is_seen_and_sent_after_a_restart_to_each_once() {
    let up = Receiver::start(Arc::new(|_, _| Some((204, vec![]))));
    let away = Receiver::start(Arc::new(|_, _| Some((503, vec![]))));
    let targets = vec![up.target(), away.target()];
    let site = Site::with(|settings| settings.webhooks = all(targets));
    site.post("/classifications", &site.write, &eight("a")).is(201);
    until("both were tried", || {
        !up.got.lock().expect("no panic").is_empty() && !away.got.lock().expect("no panic").is_empty()
    });
    site.clock.store(NOW_MS + 90_000, Ordering::Relaxed);
    assert_eq!(site.metric("volary_outbox_oldest_seconds"), 90.0, "its age is visible");
    until("tried again", || away.got.lock().expect("no panic").len() > 1);
    assert_eq!(up.got.lock().expect("no panic").len(), 1, "who has taken it is not asked again");
    let back = Receiver::start(Arc::new(|_, _| Some((200, vec![]))));
    let targets = vec![back.target()];
    let site = site.restart(|settings| settings.webhooks = all(targets));
    until("delivered", || site.wait(site.live.counts()).expect("read").n_waiting == 0);
    assert_eq!(back.got.lock().expect("no panic").len(), 1);
}

#[test]
fn nothing_is_sent_to_this_machine_unless_it_was_named() {
    let receiver = Receiver::start(Arc::new(|_, _| Some((200, vec![]))));
    for url in [
        format!("http://{}/", receiver.address),
        format!("http://localhost:{}/", receiver.address.port()),
    ] {
        Target::parse(&url, false).expect_err("private");
    }
    // A name that turns out to lie on this machine is refused when it is looked up.
    let target =
        Target::parse(&format!("https://localhost.localdomain:{}/", receiver.address.port()), false);
    let target = target.expect("looks like any other name");
    let site = Site::with(|settings| settings.webhooks = all(vec![target]));
    site.post("/classifications", &site.write, &eight("a")).is(201);
    until("tried", || site.metric("volary_deliveries_total{result=\"failed\"}") > 0.0);
    assert!(receiver.got.lock().expect("no panic").is_empty());
    assert_eq!(site.wait(site.live.counts()).expect("read").n_waiting, 1);
}

#[test]
fn redirects_are_not_followed() {
    let receiver = Receiver::start(Arc::new(|_, _| Some((302, vec![]))));
    let targets = vec![receiver.target()];
    let site = Site::with(|settings| settings.webhooks = all(targets));
    site.post("/classifications", &site.write, &eight("a")).is(201);
    until("refused", || site.metric("volary_deliveries_total{result=\"failed\"}") > 0.0);
    assert_eq!(site.wait(site.live.counts()).expect("read").n_waiting, 1);
}

#[test]
fn a_rule_calls_a_webhook_by_its_name() {
    let taking = || Receiver::start(Arc::new(|_, _| Some((200, vec![]))));
    let (brokers, team) = (taking(), taking());
    let hooks = vec![
        Webhook { name: Some("brokers".to_owned()), target: brokers.target() },
        Webhook { name: None, target: team.target() },
    ];
    let site = Site::with(|settings| settings.webhooks = hooks);
    let rule = serde_json::json!({"name": "tell", "positive": ["real"], "min_positive": 2,
        "min_agreement": "1/2", "then": "webhook", "to": "brokers"});
    let policy = serde_json::json!({"source": "a", "id": "p", "at_ms": 1, "kind": "policy",
        "policy": {"retire_at": 8, "rule": [rule]}});
    site.post("/log", &site.admin, &policy).is(200);
    site.post("/classifications", &site.write, &eight("s")).is(201);
    until("both are told", || site.wait(site.live.counts()).expect("read").n_waiting == 0);
    let effects = |of: &Receiver| -> Vec<String> {
        let got = of.got.lock().expect("no panic");
        let body = |one: &Got| serde_json::from_slice::<serde_json::Value>(&one.body).expect("JSON");
        got.iter().map(|one| body(one)["effect"].as_str().expect("a word").to_owned()).collect()
    };
    assert_eq!((effects(&brokers), effects(&team)), (vec!["webhook".into()], vec!["retired".into()]));
}
