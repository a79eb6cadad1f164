//! A disk that is full, a database that goes away and comes back: a clear word, and nothing lost.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use volary_live::store::{Options, Place};
use volary_live::{Live, LiveError, Outcome};

use crate::databases::wait;
use crate::history::vote;
use crate::postgres::Server;

/// Set for the child: where to write.
const CHILD: &str = "VOLARY_LIVE_FULL_CHILD";

/// Not a test by itself: what the child of the test below does until its files may not grow any more.
#[test]
fn child() {
    let Ok(place) = std::env::var(CHILD) else { return };
    wait(async {
        let live = Live::open(&Place::parse(&place), Options::default()).await.expect("opens");
        for n in 0.. {
            let events = (0..50).map(|k| vote(n * 50 + k, k as i64, &format!("s{n}"), k, "real"));
            match live.submit(events.collect()).await {
                Ok(outcomes) => println!("acknowledged {}", n * 50 + outcomes.len() as u64),
                Err(error) => {
                    println!("error {error}");
                    let next = live.submit(vec![vote(u64::MAX, 1, "s", 1, "real")]).await;
                    assert!(matches!(next, Err(LiveError::Stopped)), "{next:?}");
                    return;
                }
            }
        }
    });
}

#[test]
fn a_full_disk_is_said_and_what_was_acknowledged_is_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("live.db");
    let program = std::env::current_exe().expect("this program");
    // Files may have 1,500 blocks of 512 bytes or of 1,024, as the shell counts.
    let script = "trap '' XFSZ; ulimit -f 1500; exec \"$0\" faults::child --exact --nocapture";
    let child = Command::new("sh")
        .args(["-c", script, &program.display().to_string()])
        .env(CHILD, path.display().to_string())
        .output()
        .expect("runs");
    let said = String::from_utf8_lossy(&child.stdout).into_owned();
    let mut acknowledged = said.lines().filter_map(|line| line.strip_prefix("acknowledged "));
    let acknowledged: i64 = acknowledged.next_back().expect("some fit").parse().expect("a number");
    let error = said.lines().find_map(|line| line.strip_prefix("error ")).expect("it filled up");
    assert!(error.contains("failed") && error.contains("live.db"), "{error}");
    assert!(child.status.success(), "{said}");
    wait(async { reopens(&path, acknowledged).await });
}

async fn reopens(path: &Path, acknowledged: i64) {
    let live = Live::open(&Place::File(path.to_owned()), Options::default()).await.expect("opens");
    let counts = live.counts().await.expect("read");
    assert_eq!(counts.n_votes % 50, 0, "no half a transaction");
    assert!(counts.n_votes >= acknowledged, "{} of {acknowledged}", counts.n_votes);
    let hash = live.state_hash().await.expect("read");
    assert_eq!(live.rebuild().await.expect("rebuilt"), hash);
    let more = live.submit(vec![vote(9_999_999, 1, "s", 1, "real")]).await.expect("there is room now");
    assert!(matches!(more[..], [Outcome::New(_)]));
    live.close().await.expect("closes");
}

#[test]
fn a_database_that_goes_away_comes_back_with_everything() {
    let Some(server) = Server::start() else { return };
    let place = server.database();
    wait(async {
        let live = Live::open(&place, Options::default()).await.expect("opens");
        live.submit(vec![vote(1, 1, "s", 1, "real")]).await.expect("written");
        server.stop();
        let error = live.submit(vec![vote(2, 2, "s", 2, "real")]).await.expect_err("it is gone");
        assert!(error.to_string().contains("failed"), "{error}");
        // Nothing is guessed at: the writer has stopped until the store is opened anew.
        let next = live.submit(vec![vote(3, 3, "s", 3, "real")]).await;
        assert!(matches!(next, Err(LiveError::Stopped)), "{next:?}");
        let closed = Live::open(&place, Options::default()).await;
        assert!(closed.is_err(), "nobody is there");
        server.start_again();
        let live = loop {
            match Live::open(&place, Options::default()).await {
                Ok(live) => break live,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        assert_eq!(live.counts().await.expect("read").n_votes, 1);
        // The source offers again what was never acknowledged, and everything else too.
        let again = (1..4).map(|n| vote(n, n as i64, "s", n, "real")).collect();
        let outcomes = live.submit(again).await.expect("written");
        assert_eq!(outcomes[0], Outcome::Duplicate);
        assert_eq!(live.counts().await.expect("read").n_votes, 3);
        live.close().await.expect("closes");
    });
}
