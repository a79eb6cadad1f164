//! The power fails: what was not flushed is lost, in part, in any order.
//!
//! A disk of 512-byte sectors that keeps unflushed writes aside. After each acknowledged vote the files are
//! copied; the sectors in which two copies differ are what was written between them. Before the second
//! acknowledgement the log's flush may not have come, so any subset of the sectors written to the write-ahead
//! log may be there; after it, any subset of those that a checkpoint wrote to the database. Each such disk
//! must open, hold all that was acknowledged by then, and be the state of its own log.

use std::path::{Path, PathBuf};

use rand::RngExt as _;
use volary_core::seed::{Rng, stream};
use volary_live::Live;
use volary_live::store::{Options, Place};

use crate::databases::wait;
use crate::history::vote;

const SECTOR_BYTES: usize = 512;
/// Disks to try at each of the votes.
const DISKS: usize = 4;

struct Files {
    database: Vec<u8>,
    log: Vec<u8>,
}

fn wal(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}-wal", path.display()))
}

fn read(path: &Path) -> Files {
    let log = std::fs::read(wal(path)).unwrap_or_default();
    Files { database: std::fs::read(path).expect("a database"), log }
}

/// `before`, with some of the sectors of `after`; none, all, or each by chance.
fn torn(before: &[u8], after: &[u8], share: f64, rng: &mut Rng) -> Vec<u8> {
    let mut disk = before.to_vec();
    for (at, new) in after.chunks(SECTOR_BYTES).enumerate() {
        let start = at * SECTOR_BYTES;
        if before.get(start..start + new.len()) == Some(new) || rng.random::<f64>() >= share {
            continue;
        }
        // What lies between was never written, and reads as zero.
        disk.resize(disk.len().max(start + new.len()), 0);
        disk[start..start + new.len()].copy_from_slice(new);
    }
    disk
}

async fn holds(path: &Path, n_acknowledged: i64, is_rebuilt: bool) -> i64 {
    let live = Live::open(&Place::File(path.to_owned()), Options::default()).await.expect("opens");
    let counts = live.counts().await.expect("read");
    assert!(counts.n_votes >= n_acknowledged, "{} of {n_acknowledged} votes", counts.n_votes);
    if is_rebuilt {
        let hash = live.state_hash().await.expect("read");
        assert_eq!(live.rebuild().await.expect("rebuilt"), hash);
    }
    let alerts = live.alerts(0, 1_000).await.expect("read");
    volary_live::alert::check_chain(&alerts).expect("the chain holds");
    live.close().await.expect("closes");
    counts.n_votes
}

#[test]
fn a_power_cut_loses_nothing_that_was_acknowledged() {
    wait(async {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("live.db");
        let live = Live::open(&Place::File(path.clone()), Options::default()).await.expect("opens");
        let mut rng = stream(11, "power");
        let (mut n_lost, mut n_kept, mut n_checkpoints) = (0, 0, 0);
        let mut before = read(&path);
        let mut n_acknowledged = 0;
        for round in 0..14_u64 {
            // Large batches, so that the log grows to where SQLite checkpoints it.
            let size = if round % 2 == 1 { 4_000 } else { 3 };
            let of = |n: u64| vote(round * 5_000 + n, n as i64, &format!("s{}", n % 97), n / 97, "real");
            live.submit((0..size).map(of).collect()).await.expect("written");
            let after = read(&path);
            for disk in 0..DISKS {
                // A name for each: a connection that closes late removes the log of its name, whoever owns it.
                let file = |cut: &str| folder.path().join(format!("{round}-{disk}-{cut}.db"));
                let at = file("flush");
                let share = [0.0, 1.0, 0.5, rng.random::<f64>()][disk];
                // Cut before the log was flushed: the database had not been touched yet.
                std::fs::write(&at, &before.database).expect("written");
                std::fs::write(wal(&at), torn(&before.log, &after.log, share, &mut rng))
                    .expect("written");
                let n = holds(&at, n_acknowledged, disk == 3).await;
                let is_whole = n == n_acknowledged + size as i64;
                assert!(
                    is_whole || n == n_acknowledged,
                    "half a transaction: {n} of {n_acknowledged} + {size}"
                );
                (n_kept, n_lost) = (n_kept + u64::from(is_whole), n_lost + u64::from(!is_whole));
                remove(&at);
                if after.database != before.database {
                    // Cut during the checkpoint, after the log was flushed.
                    n_checkpoints += 1;
                    let at = file("checkpoint");
                    let torn = torn(&before.database, &after.database, share, &mut rng);
                    std::fs::write(&at, torn).expect("written");
                    std::fs::write(wal(&at), &after.log).expect("written");
                    assert_eq!(
                        holds(&at, n_acknowledged, disk == 3).await,
                        n_acknowledged + size as i64
                    );
                    remove(&at);
                }
            }
            n_acknowledged += size as i64;
            before = after;
        }
        // The test has seen all three cases.
        assert!(n_lost > 20 && n_kept > 10 && n_checkpoints >= 8, "{n_lost} {n_kept} {n_checkpoints}");
        live.close().await.expect("closes");
    });
}

fn remove(path: &Path) {
    for end in ["", "-wal", "-shm", ".lock"] {
        let _ = std::fs::remove_file(format!("{}{end}", path.display()));
    }
}
