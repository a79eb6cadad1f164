//! How fast the server takes votes, over real sockets, durably:
//!
//! ```text
//! cargo run --release -p volary-web --example web_speed -- [VOTES] [FILE or postgres://…] [learner]
//! ```
//!
//! 1. batches of 500 votes, until VOTES (1,000,000) are on disk;
//! 2. single votes over 64 connections, for ten seconds;
//! 3. at 1,000 votes a second, how long after the acknowledgement of the vote that raised an alert the
//!    alert is on the event stream.
//!
//! With `learner`, every subject of the batches has an embedding of 64 entries, and the online learner follows.
//!
//! The client runs in the same process and takes its share of the processor: it writes and reads bytes and
//! parses nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use volary_live::Live;
use volary_live::learning::{Embeddings, LearningParams};
use volary_live::store::{Options, Place};
use volary_loop::pool::Mixture;
use volary_web::{Choosing, Queue as _, Rate, Role, Server, Settings, Tokens};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH: u64 = 500;
const CONNECTIONS: u64 = 64;

/// A vote: subjects come in turn, 14 votes each, six in seven say `real`.
fn vote(n: u64, lane: &str) -> String {
    let (subject, voter) = (n / 1_400 * 100 + n % 100, n % 1_400 / 100);
    let answer = if (n / 7).is_multiple_of(7) { "bogus" } else { "real" };
    format!(
        r#"{{"source":"{lane}","id":"{n}","at_ms":1764367200000,"kind":"vote","workflow":"10","version":"3.7","subject":"{lane}{subject}","actor":{{"user":"{voter}"}},"answers":{{"T0":["{answer}"]}}}}"#
    )
}

struct Client {
    stream: BufReader<TcpStream>,
    head: String,
}

impl Client {
    async fn open(address: std::net::SocketAddr, token: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("connects");
        stream.set_nodelay(true).expect("set");
        let head = format!(
            "POST /api/v1/classifications HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n"
        );
        Self { stream: BufReader::new(stream), head }
    }

    async fn post(&mut self, body: &str) {
        let request = format!("{}content-length: {}\r\n\r\n{body}", self.head, body.len());
        self.stream.get_mut().write_all(request.as_bytes()).await.expect("sent");
        let (mut length, mut status, mut line) = (0, 0, String::new());
        loop {
            line.clear();
            self.stream.read_line(&mut line).await.expect("answers");
            if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
                status = rest[..3].parse().expect("a status");
            } else if let Some(rest) = line.strip_prefix("content-length: ") {
                length = rest.trim().parse().expect("a length");
            } else if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.expect("a body");
        assert_eq!(status, 201, "{}", String::from_utf8_lossy(&body));
    }
}

fn percentiles(mut ms: Vec<f64>) -> String {
    ms.sort_by(f64::total_cmp);
    let at = |p: f64| ms[((ms.len() - 1) as f64 * p) as usize];
    format!("p50 {:.1} ms, p99 {:.1} ms, worst {:.1} ms", at(0.5), at(0.99), at(1.0))
}

fn memory_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1_024
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(run());
}

async fn run() {
    let mut arguments = std::env::args().skip(1);
    let n_votes = arguments.next().map_or(1_000_000, |n| n.parse().expect("a number of votes"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = arguments.next();
    let place = url.map_or(Place::File(folder.path().join("live.db")), |url| Place::parse(&url));
    let tokens = folder.path().join("tokens.toml");
    let made = Tokens::open(&tokens).expect("opens");
    let token = made.make("speed", [Role::Admin], jiff::Timestamp::UNIX_EPOCH).expect("made");
    let live = Live::open(&place, Options::default()).await.expect("opens");
    let mut settings = Settings::new(tokens);
    settings.address.set_port(0);
    let enough = Rate { per_second: 1e6, burst: 1e6 };
    (settings.rate, settings.rate_per_token) = (enough, enough);
    // Fourteen simulated people send all of it.
    settings.rate_per_volunteer = enough;
    let learner = arguments.next().filter(|word| word == "learner");
    let learner = learner.map(|_| (embeddings(n_votes), LearningParams::default()));
    let with_learner = learner.is_some();
    let queue = Choosing::start(&live, Mixture::default(), 1, learner).await.expect("starts");
    let served = Server::start_with(live.clone(), settings, Arc::clone(&queue) as _).await;
    let server = served.expect("starts");
    let address = server.address();

    batches(address, &token, n_votes).await;
    if with_learner {
        catch_up(&queue, &live).await;
    }
    singles(address, &token).await;
    alerts(address, &token).await;

    let counts = live.counts().await.expect("read");
    eprintln!("in the store: {counts:?}");
    server.stop().await;
    live.close().await.expect("closes");
}

/// Numbers that look random, 64 for each subject of the batches.
fn embeddings(n_votes: u64) -> Embeddings {
    let entry = |subject: u64, at: u64| {
        let mixed = (subject * 64 + at).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        mixed as f64 / f64::from(1 << 24) - 0.5
    };
    let row = |n: u64| (format!("b{n}"), (0..64).map(|at| entry(n, at)).collect());
    let of = (0..n_votes / 14 + 200).map(row).collect();
    Embeddings { model: "speed".into(), dimension: 64, of }
}

/// How far behind the learner is when the last batch is acknowledged, and how long it takes to be there.
async fn catch_up(queue: &Choosing, live: &Live) {
    let last = live.last_seq().await.expect("read");
    let started = Instant::now();
    let mut behind = None;
    loop {
        let status = queue.status().await.expect("it has streams");
        let counts = &status["learner"]["counts"];
        let cursor = counts["cursor"].as_i64().unwrap_or(0);
        behind.get_or_insert(last - cursor);
        if cursor >= last {
            eprintln!(
                "the learner was {} events behind, caught up in {:.1} s, learnt from {} votes",
                behind.unwrap_or(0),
                started.elapsed().as_secs_f64(),
                counts["n_votes"]
            );
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn batches(address: std::net::SocketAddr, token: &str, n_votes: u64) {
    let next = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let mut lanes = Vec::new();
    // Four at a time: one is parsed while another is written.
    for _ in 0..4 {
        let (next, mut client) = (Arc::clone(&next), Client::open(address, token).await);
        lanes.push(tokio::spawn(async move {
            loop {
                let first = next.fetch_add(BATCH, Ordering::Relaxed);
                if first >= n_votes {
                    return;
                }
                let votes: Vec<String> = (first..first + BATCH).map(|n| vote(n, "b")).collect();
                client.post(&format!("[{}]", votes.join(","))).await;
                if first % (n_votes / 5 / BATCH * BATCH).max(BATCH) == 0 {
                    eprintln!("  {first} votes, {} MiB", memory_mib());
                }
            }
        }));
    }
    for lane in lanes {
        lane.await.expect("no panic");
    }
    let seconds = started.elapsed().as_secs_f64();
    eprintln!(
        "batches of {BATCH}: {n_votes} votes in {seconds:.1} s = {:.0} a second",
        n_votes as f64 / seconds
    );
}

async fn singles(address: std::net::SocketAddr, token: &str) {
    let next = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let mut lanes = Vec::new();
    for _ in 0..CONNECTIONS {
        let (next, mut client) = (Arc::clone(&next), Client::open(address, token).await);
        lanes.push(tokio::spawn(async move {
            let mut ms = Vec::new();
            while started.elapsed() < Duration::from_secs(10) {
                let body = vote(next.fetch_add(1, Ordering::Relaxed), "s");
                let sent = Instant::now();
                client.post(&body).await;
                ms.push(sent.elapsed().as_secs_f64() * 1e3);
            }
            ms
        }));
    }
    let mut ms = Vec::new();
    for lane in lanes {
        ms.extend(lane.await.expect("no panic"));
    }
    let rate = ms.len() as f64 / started.elapsed().as_secs_f64();
    eprintln!("single votes, {CONNECTIONS} connections: {rate:.0} a second, {}", percentiles(ms));
}

/// Subjects get their eight votes one after the other; the eighth raises the alert. A client acknowledges
/// it, a listener hears of it: whichever is later counts against the acknowledgement.
async fn alerts(address: std::net::SocketAddr, token: &str) {
    let acknowledged: Arc<Mutex<std::collections::HashMap<String, Instant>>> = Arc::default();
    let mut listener = TcpStream::connect(address).await.expect("connects");
    let head = format!(
        "GET /api/v1/events?topics=alerts HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    listener.write_all(head.as_bytes()).await.expect("sent");
    let heard: Arc<Mutex<Vec<(String, Instant)>>> = Arc::default();
    let to = Arc::clone(&heard);
    let listening = tokio::spawn(async move {
        let mut lines = BufReader::new(listener).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let found = line.split("\"subject\":\"").nth(1).and_then(|rest| rest.split('"').next());
            if let Some(subject) = found {
                to.lock().await.push((subject.to_owned(), Instant::now()));
            }
        }
    });
    let (seconds, per_second, lanes) = (10_u64, 1_000_u64, 20_u64);
    let started = Instant::now();
    let mut posting = Vec::new();
    for lane in 0..lanes {
        let (acknowledged, mut client) = (Arc::clone(&acknowledged), Client::open(address, token).await);
        posting.push(tokio::spawn(async move {
            for n in 0..seconds * per_second / lanes {
                let due = started + Duration::from_micros((n * lanes + lane) * 1_000_000 / per_second);
                tokio::time::sleep_until(due.into()).await;
                let subject = format!("a{lane}-{}", n / 8);
                let body = format!(
                    r#"{{"source":"a","id":"{lane}-{n}","at_ms":1764367200000,"kind":"vote","workflow":"10","version":"3.7","subject":"{subject}","actor":{{"user":"{}"}},"answers":{{"T0":["real"]}}}}"#,
                    n % 8
                );
                client.post(&body).await;
                if n % 8 == 7 {
                    acknowledged.lock().await.insert(subject, Instant::now());
                }
            }
        }));
    }
    for lane in posting {
        lane.await.expect("no panic");
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    listening.abort();
    let acknowledged = acknowledged.lock().await;
    let heard = heard.lock().await;
    let late = |(subject, at): &(String, Instant)| {
        let then = acknowledged.get(subject)?;
        // Heard before the client had read the acknowledgement: nothing to wait for.
        Some(at.saturating_duration_since(*then).as_secs_f64() * 1e3)
    };
    let ms: Vec<f64> = heard.iter().filter_map(late).collect();
    assert_eq!(ms.len(), acknowledged.len(), "an alert for each subject");
    let n = ms.len();
    eprintln!(
        "vote acknowledged to alert on the stream, {per_second} votes a second, {n} alerts: {}",
        percentiles(ms)
    );
}
