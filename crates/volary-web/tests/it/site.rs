//! A server over a store in a temporary folder, with tokens, and a plain client.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use volary_live::Live;
use volary_live::store::{Options, Place};
use volary_web::{Role, Server, Settings, Tokens};

/// Some moment in 2027.
pub(crate) const NOW_MS: i64 = 1_800_000_000_000;

pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) read: String,
    pub(crate) write: String,
    pub(crate) admin: String,
    pub(crate) log: Arc<Mutex<Vec<String>>>,
    pub(crate) live: Live,
    pub(crate) clock: Arc<AtomicI64>,
    pub(crate) place: Place,
    server: Option<Server>,
    runtime: Option<tokio::runtime::Runtime>,
    folder: Arc<tempfile::TempDir>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The answer, if it has this status; where not, it says what it was.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        if status >= 400 && !self.text.is_empty() {
            assert_eq!(self.header("content-type"), Some("application/problem+json"));
            let problem = self.json();
            assert_eq!(problem["status"], status);
            for member in ["type", "title", "detail", "instance", "request_id"] {
                assert!(problem[member].is_string(), "{member} is missing in {problem}");
            }
        }
        self
    }
}

impl Site {
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    /// With settings changed.
    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let place = Place::File(folder.path().join("live.db"));
        Self::over(folder, place, change)
    }

    /// Over a store of one's own.
    pub(crate) fn over(
        folder: Arc<tempfile::TempDir>,
        place: Place,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        Self::choosing(folder, place, change, async |_| Arc::new(volary_web::queue::FewestVotes) as _)
    }

    /// With a queue of one's own.
    pub(crate) fn choosing(
        folder: Arc<tempfile::TempDir>,
        place: Place,
        change: impl FnOnce(&mut Settings),
        queue: impl AsyncFnOnce(&Live) -> Arc<dyn volary_web::Queue>,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let path = folder.path().join("tokens.toml");
        let tokens = Tokens::open(&path).expect("opens");
        let made =
            |role: Role| tokens.make(role.name(), [role], jiff::Timestamp::UNIX_EPOCH).expect("made");
        let (read, write, admin) = (made(Role::Read), made(Role::Write), made(Role::Admin));
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let clock = Arc::new(AtomicI64::new(NOW_MS));
        let mut settings = Settings::new(path);
        settings.address.set_port(0);
        settings.retry_after = Duration::from_millis(10);
        let lines = Arc::clone(&log);
        settings.log = Arc::new(move |line| lines.lock().expect("no panic").push(line.to_owned()));
        let of = Arc::clone(&clock);
        settings.now_ms = Arc::new(move || of.load(Ordering::Relaxed));
        change(&mut settings);
        let now_ms = Arc::clone(&settings.now_ms);
        let options = Options { now_ms, ..Options::default() };
        let live = runtime.block_on(Live::open(&place, options)).expect("opens");
        let queue = runtime.block_on(queue(&live));
        let started = runtime.block_on(Server::start_with(live.clone(), settings, queue));
        let server = started.expect("starts");
        let address = server.address();
        Self {
            address,
            read,
            write,
            admin,
            log,
            live,
            clock,
            place,
            server: Some(server),
            runtime: Some(runtime),
            folder,
        }
    }

    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.as_ref().expect("runs").block_on(future)
    }

    /// Stops the server and the store, and starts both again over the same files.
    pub(crate) fn restart(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        let (folder, place) = (Arc::clone(&self.folder), self.place.clone());
        self.close();
        Self::over(folder, place, change)
    }

    fn close(&mut self) {
        if let (Some(server), Some(runtime)) = (self.server.take(), self.runtime.take()) {
            runtime.block_on(server.stop());
            let _ = runtime.block_on(self.live.clone().close());
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }

    pub(crate) fn ask(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> Answer {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![];
        if let Some(bearer) = &bearer {
            headers.push(("authorization", bearer.as_str()));
        }
        if !["GET", "HEAD", "OPTIONS", "get"].contains(&method) {
            headers.push(("content-type", "application/json"));
        }
        self.send(method, path, &headers, body.as_bytes())
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> Answer {
        self.ask("GET", &format!("/api/v1{path}"), Some(token), "")
    }

    /// The body of what is no text.
    pub(crate) fn bytes(&self, path: &str, token: &str) -> Vec<u8> {
        let head = format!(
            "GET /api/v1{path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\r\n",
            self.address
        );
        let mut stream = self.connect();
        stream.write_all(head.as_bytes()).expect("sent");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("received");
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
        bytes.split_off(end + 4)
    }

    pub(crate) fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.ask("POST", &format!("/api/v1{path}"), Some(token), &body.to_string())
    }

    /// A request with these headers and no others but what HTTP needs.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let method = method.to_uppercase();
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || method == "POST" {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let bytes = [head.as_bytes(), body].concat();
        let answer = self.raw(&bytes);
        crate::contract::check(&method, path, &answer);
        answer
    }

    /// Bytes as they are; the answer until the server closes.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        // A server that refuses early may close while we still write.
        let _ = stream.write_all(bytes);
        answer(&mut stream)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("connects");
        stream.set_read_timeout(Some(LIMIT)).expect("set");
        stream.set_nodelay(true).expect("set");
        stream
    }

    pub(crate) fn log_text(&self) -> String {
        self.log.lock().expect("no panic").join("\n")
    }

    /// A counter or gauge.
    pub(crate) fn metric(&self, line: &str) -> f64 {
        let text = self.get("/metrics", &self.admin).is(200).text;
        let found = text.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(' ')?.parse().ok());
        found.unwrap_or(0.0)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.close();
    }
}

/// Reads an answer until the other side closes.
pub(crate) fn answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0);
    let pair = |line: &str| {
        line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
    };
    Answer { status, headers: lines.filter_map(pair).collect(), text: body.to_owned() }
}

/// A vote as Volary writes it.
pub(crate) fn vote(id: impl std::fmt::Display, subject: &str, user: u64, answer: &str) -> Value {
    json!({
        "source": "own", "id": id.to_string(), "at_ms": NOW_MS - 1_000, "kind": "vote", "workflow": "10",
        "version": "3.7", "subject": subject, "actor": {"user": user.to_string()},
        "answers": {"T0": [answer]},
    })
}

/// Eight votes for `real`: an alert.
pub(crate) fn eight(subject: &str) -> Value {
    json!((0..8).map(|n| vote(format!("{subject}-{n}"), subject, n, "real")).collect::<Vec<_>>())
}

/// How long something is waited for before a test gives up; machines are busy, and speed is not tested here.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// Waits until something holds.
#[track_caller]
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LIMIT, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
