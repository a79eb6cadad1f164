//! Killed without warning: what was acknowledged is there, once, and the state is that of the log.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use volary_live::store::{Options, Place};
use volary_live::{Live, Outcome};

use crate::databases::wait;
use crate::history::vote;
use crate::postgres::Server;

/// Set for the child: where to write.
const CHILD: &str = "VOLARY_LIVE_CRASH_CHILD";
/// How often to kill; 10 here, 200 in a soak.
const ROUNDS: &str = "VOLARY_LIVE_CRASH_ROUNDS";

fn nth(n: u64) -> volary_live::Event {
    let answer = if n.is_multiple_of(9) { "bogus" } else { "real" };
    vote(n, n as i64, &format!("s{}", n / 28 * 2 + n % 2), n % 28 / 2, answer)
}

/// Not a test by itself: what the child of the tests below does until it is killed. It votes for ever,
/// and says which votes were acknowledged.
#[test]
fn child() {
    let Ok(place) = std::env::var(CHILD) else { return };
    wait(async {
        let live = loop {
            // A killed PostgreSQL client holds its lock until the server notices.
            match Live::open(&Place::parse(&place), Options::default()).await {
                Ok(live) => break live,
                Err(error) if error.to_string().contains("another volary") => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => panic!("{error}"),
            }
        };
        let mut n = live.counts().await.expect("read").n_events as u64;
        println!("ready");
        loop {
            let size = n % 7 + 1;
            let events = (n..n + size).map(nth).collect();
            let outcomes = live.submit(events).await.expect("written");
            assert!(outcomes.iter().all(|o| matches!(o, Outcome::New(_))), "{outcomes:?}");
            n += size;
            println!("acknowledged {n}");
            std::io::stdout().flush().expect("flushed");
        }
    });
}

fn kill_often(place: &Place, url: &str) {
    let rounds = std::env::var(ROUNDS).ok().and_then(|n| n.parse().ok()).unwrap_or(10_u64);
    let mut acknowledged = 0;
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["crash::child", "--exact", "--nocapture"])
            .env(CHILD, url)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut deadline = None;
        for line in lines.map_while(Result::ok) {
            if let Some(n) = line.strip_prefix("acknowledged ") {
                acknowledged = acknowledged.max(n.parse().expect("a number"));
            }
            // At another moment each time; the pipe is read to its end after the kill.
            if line.ends_with("ready") {
                deadline = Some(Instant::now() + Duration::from_millis(5 + round * 37 % 90));
            }
            if deadline.is_some_and(|at| Instant::now() > at) {
                child.kill().expect("killed");
                deadline = None;
            }
        }
        child.wait().expect("gone");
    }
    assert!(acknowledged > 0, "the child never wrote");
    wait(async {
        let live = loop {
            match Live::open(place, Options::default()).await {
                Ok(live) => break live,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        let counts = live.counts().await.expect("read");
        let n = counts.n_events as u64;
        assert!(n >= acknowledged, "lost {} acknowledged votes", acknowledged - n);
        assert_eq!(live.log(0, u32::MAX).await.expect("read").len() as u64, n);
        let hash = live.state_hash().await.expect("read");
        assert_eq!(live.rebuild().await.expect("rebuilt"), hash);
        let alerts = live.alerts(0, u32::MAX).await.expect("read");
        volary_live::alert::check_chain(&alerts).expect("the chain holds");
        // The same votes without a crash: the same subjects, and not one alert more.
        let mut memory = volary_live::replay::Memory::default();
        for logged in live.log(0, u32::MAX).await.expect("read") {
            memory.offer(logged.event, logged.received_ms);
        }
        assert_eq!(memory.alerts().cloned().collect::<Vec<_>>(), alerts);
        eprintln!("{rounds} kills: {n} votes, {acknowledged} acknowledged, {} alerts", alerts.len());
        live.close().await.expect("closes");
    });
}

#[test]
fn killed_at_any_moment_a_file_holds_what_was_acknowledged() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("live.db");
    let text = |path: &Path| path.display().to_string();
    kill_often(&Place::File(path.clone()), &text(&path));
}

#[test]
fn killed_at_any_moment_postgres_holds_what_was_acknowledged() {
    let Some(server) = Server::start() else { return };
    let place = server.database();
    let Place::Url(url) = &place else { panic!("a URL") };
    kill_often(&place, url);
}
