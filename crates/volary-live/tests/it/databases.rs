//! The same suite over both databases.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use volary_live::replay::Memory;
use volary_live::store::{Heard, Options, Place};
use volary_live::{Kind, Live, LiveError, Outcome, Policy};

use crate::history::{event, history, retract, subject, vote};
use crate::postgres::Server;
use crate::sets::conditions;

pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

/// A clock that the test moves, and few books in memory.
fn options(clock: &Arc<AtomicI64>) -> Options {
    let clock = Arc::clone(clock);
    Options { now_ms: Arc::new(move || clock.load(Ordering::Relaxed)), max_books: 2, max_batch: 64 }
}

async fn open(place: &Place) -> Live {
    Live::open(place, options(&Arc::new(AtomicI64::new(1_000)))).await.expect("opens")
}

fn heard(event: volary_live::Event, received_ms: i64) -> Heard {
    Heard { received_ms: Some(received_ms), event }
}

fn each_database(suite: impl AsyncFn(&dyn Fn() -> Place)) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let n = AtomicU32::new(0);
    let file =
        || Place::File(folder.path().join(format!("live {}.db", n.fetch_add(1, Ordering::Relaxed))));
    wait(suite(&file));
    if let Some(server) = Server::start() {
        wait(suite(&|| server.database()));
    }
}

#[test]
fn a_store_is_the_memory_engine_made_durable() {
    // One function, one server: starting PostgreSQL takes longer than all that is asked of it.
    each_database(async |fresh| {
        histories_give_the_same_bytes(fresh).await;
        whoever_is_left_out_was_never_there(fresh).await;
        outcomes_and_cursors(&fresh()).await;
        what_is_told_waits_until_it_is_delivered(&fresh()).await;
        a_policy_recounts_what_is_on_disk(&fresh()).await;
        ids_are_only_text(&fresh()).await;
        parallel_posts_of_one_key_are_one_row(&fresh()).await;
        one_writer_at_a_time(&fresh()).await;
    });
}

async fn histories_give_the_same_bytes(fresh: &dyn Fn() -> Place) {
    let mut runner = TestRunner::deterministic();
    for round in 0..12_usize {
        let mut drawn = history().new_tree(&mut runner).expect("a history").current();
        // Every second one under rules that ask for everything, put in force somewhere in the middle.
        if round % 2 == 1 {
            let policy = Policy { rules: conditions(), ..Policy::default() };
            let rules = event(1_000_000, 20, Kind::Policy { policy: Box::new(policy) });
            drawn.insert(drawn.len() / 3, (rules, 20));
        }
        let mut memory = Memory::default();
        for (event, received_ms) in &drawn {
            memory.offer(event.clone(), *received_ms);
        }
        let summaries: Vec<String> = memory.summaries().iter().map(|s| s.to_json()).collect();
        let place = fresh();
        let mut live = open(&place).await;
        // In batches of varying size, some twice, with a restart in between.
        for (at, batch) in drawn.chunks(round + 1).enumerate() {
            let events: Vec<Heard> = batch.iter().map(|(e, at)| heard(e.clone(), *at)).collect();
            live.submit_heard(events.clone(), None).await.expect("written");
            if at % 3 == 0 {
                let again = live.submit_heard(events, None).await.expect("written");
                assert!(again.iter().all(|o| *o == Outcome::Duplicate), "{again:?}");
            }
            if at % 5 == 2 {
                live.close().await.expect("closes");
                live = open(&place).await;
            }
        }
        assert_eq!(live.summaries().await.expect("read"), summaries);
        let alerts = live.alerts(0, 100).await.expect("read");
        assert_eq!(alerts, memory.alerts().cloned().collect::<Vec<_>>());
        let hash = live.state_hash().await.expect("read");
        assert_eq!(live.rebuild().await.expect("rebuilt"), hash);
        assert_eq!(live.state_hash().await.expect("read"), hash);
        assert_eq!(live.summaries().await.expect("read"), summaries);
        live.close().await.expect("closes");
    }
}

/// Against a store to which nobody ever told what these people did.
async fn whoever_is_left_out_was_never_there(fresh: &dyn Fn() -> Place) {
    let mut runner = TestRunner::deterministic();
    let out: std::collections::BTreeSet<String> = ["3", "4", "5", "6", "7"].map(str::to_owned).into();
    let mut n_different = 0;
    for round in 0..8_usize {
        let mut drawn = history().new_tree(&mut runner).expect("a history").current();
        if round % 2 == 1 {
            let policy = Policy { rules: conditions(), ..Policy::default() };
            drawn.insert(0, (event(1_000_000, 0, Kind::Policy { policy: Box::new(policy) }), 0));
        }
        let name =
            Kind::Name { user: "3".into(), credited: Some("Z".into()), display: None, login: None };
        drawn.push((event(1_000_001, 20, name), 20));
        drawn.push((event(1_000_002, 20, Kind::Credit { user: "4".into(), consents: false }), 20));
        let is_out = |user: &str| out.contains(user);
        let is_vote = |event: &volary_live::Event| matches!(&event.kind, Kind::Vote { actor: volary_live::Actor::User(user), .. } if is_out(user));
        let ids: Vec<String> =
            drawn.iter().filter(|(e, _)| is_vote(e)).map(|(e, _)| e.key.id.clone()).collect();
        let never: Vec<Heard> = drawn
            .iter()
            .filter(|(e, _)| match &e.kind {
                Kind::Retract { of } | Kind::Correct { of, .. } => !ids.contains(of),
                Kind::OptOut { user, .. } | Kind::Name { user, .. } | Kind::Credit { user, .. } => {
                    !is_out(user)
                }
                _ => !is_vote(e),
            })
            .map(|(e, at)| heard(e.clone(), *at))
            .collect();
        let (all, without, right) = (open(&fresh()).await, open(&fresh()).await, open(&fresh()).await);
        let events: Vec<Heard> = drawn.iter().map(|(e, at)| heard(e.clone(), *at)).collect();
        all.submit_heard(events, None).await.expect("written");
        right.submit_heard(never.clone(), None).await.expect("written");
        let before = all.state_hash().await.expect("read");
        let copied = all.copy_without(&out, &without).await.expect("copied");
        assert_eq!(
            copied.n_kept,
            u64::try_from(right.counts().await.expect("read").n_events).expect("u64")
        );
        let hash = without.state_hash().await.expect("read");
        assert_eq!(hash, right.state_hash().await.expect("read"));
        assert_eq!(without.rebuild().await.expect("rebuilt"), hash);
        assert_eq!(without.log(0, 1_000).await.expect("read"), right.log(0, 1_000).await.expect("read"));
        assert_eq!(all.state_hash().await.expect("read"), before, "the store itself is as it was");
        n_different += usize::from(hash != before);
        let again = all.copy_without(&out, &without).await;
        assert!(matches!(again, Err(LiveError::NotEmpty(_))) || copied.n_kept == 0, "{again:?}");
        for live in [all, without, right] {
            live.close().await.expect("closes");
        }
    }
    assert!(n_different > 3, "their votes made a difference: {n_different}");
}

async fn outcomes_and_cursors(place: &Place) {
    let live = open(place).await;
    let outcomes = live
        .submit(vec![
            vote(1, 1, "s", 1, "real"),
            vote(1, 1, "s", 1, "real"),
            vote(1, 1, "s", 1, "bogus"),
            vote(2, 1, " ", 1, "real"),
            retract(3, 2, 1),
        ])
        .await
        .expect("written");
    assert_eq!(outcomes[..3], [Outcome::New(1), Outcome::Duplicate, Outcome::Conflict]);
    assert!(matches!(outcomes[3], Outcome::Refused(_)));
    assert_eq!(outcomes[4], Outcome::New(2));
    let cursor = Some(("panoptes".to_owned(), "543695319".to_owned()));
    live.submit_heard(vec![], cursor).await.expect("written");
    let counts = live.counts().await.expect("read");
    assert_eq!((counts.n_events, counts.n_votes, counts.n_quarantined), (2, 1, 1));
    assert_eq!(live.book("s").await.expect("read").tallies().next().map(|(_, t)| t.n), Some(0));
    live.close().await.expect("closes");
    let live = open(place).await;
    assert_eq!(live.cursor("panoptes").await.expect("read").as_deref(), Some("543695319"));
    assert_eq!(live.log(0, 10).await.expect("read").len(), 2);
    assert_eq!(live.voters().await.expect("read"), [("user:1".to_owned(), 1)]);
    live.close().await.expect("closes");
}

async fn what_is_told_waits_until_it_is_delivered(place: &Place) {
    let live = open(place).await;
    let mut told = live.told();
    live.submit((0..14).map(|n| vote(n, n as i64, "s", n, "real")).collect()).await.expect("written");
    let first = told.recv().await.expect("told");
    assert!(first.body.contains(r#""effect":"alert""#) && first.body.contains(r#""k":8"#));
    let second = told.recv().await.expect("told");
    assert!(second.body.contains(r#""effect":"retired""#) && second.seq > first.seq);
    assert_eq!(live.told_after(0, 10).await.expect("read"), [(*first).clone(), (*second).clone()]);
    assert_eq!(live.told_after(first.seq, 10).await.expect("read"), [(*second).clone()]);
    let waiting = live.waiting(10).await.expect("read");
    assert_eq!(waiting.len(), 2);
    live.attempted(&waiting[0].id).await.expect("written");
    live.delivered(&waiting[1].id).await.expect("written");
    live.rebuild().await.expect("rebuilt");
    let waiting_still = live.waiting(10).await.expect("read");
    assert_eq!(
        (waiting_still.len(), waiting_still[0].attempts),
        (1, 1),
        "rebuilding sends nothing again"
    );
    live.close().await.expect("closes");
}

async fn a_policy_recounts_what_is_on_disk(place: &Place) {
    let live = open(place).await;
    let mut events = vec![];
    for s in 0..30 {
        events.extend((0..9).map(|n| vote(s * 100 + n, n as i64, &format!("s{s}"), n, "bogus")));
    }
    live.submit(events).await.expect("written");
    let policy = Policy { retire_at: 8, ..Policy::kilonova_seekers("other", "T0", "bogus") };
    let version = policy.version();
    let outcome = live.submit(vec![event(9_999, 50, Kind::Policy { policy: Box::new(policy) })]).await;
    assert!(matches!(outcome.expect("written")[..], [Outcome::New(_)]));
    let summaries = live.summaries().await.expect("read");
    assert_eq!(summaries.len(), 30);
    assert!(
        summaries.iter().all(|s| s.contains(&version) && s.contains(r#""k":9"#)),
        "{}",
        summaries[0]
    );
    assert_eq!(live.counts().await.expect("read").n_alerts, 0, "no alerts after the event");
    let hash = live.state_hash().await.expect("read");
    assert_eq!(live.rebuild().await.expect("rebuilt"), hash);
    let bad = Policy { retire_at: 0, ..Policy::default() };
    let outcome = live.submit(vec![event(10_000, 51, Kind::Policy { policy: Box::new(bad) })]).await;
    assert!(matches!(outcome.expect("written")[..], [Outcome::Refused(_)]));
    live.close().await.expect("closes");
}

async fn ids_are_only_text(place: &Place) {
    let live = open(place).await;
    let nasty =
        ["1 OR 1=1", "'; DROP TABLE events;--", "\"", "%", "$1", "é", "e\u{301}", "李雷", "\u{1F426}"];
    let events = (0..).zip(nasty).map(|(n, s)| vote(n, 1, s, 1, s)).collect();
    live.submit(events).await.expect("written");
    live.submit(vec![vote(50, 1, "nul\u{0}", 1, "real")]).await.expect("answered");
    assert_eq!(live.counts().await.expect("read").n_strands, nasty.len() as i64);
    for subject in nasty {
        assert_eq!(
            live.book(subject).await.expect("read").tallies().next().map(|(_, t)| t.n),
            Some(1),
            "{subject}"
        );
    }
    live.close().await.expect("closes");
}

async fn parallel_posts_of_one_key_are_one_row(place: &Place) {
    let live = open(place).await;
    let posts: Vec<_> = (0..50)
        .map(|_| {
            let live = live.clone();
            tokio::spawn(
                async move { live.submit(vec![vote(1, 1, "s", 1, "real")]).await.expect("written") },
            )
        })
        .collect();
    let mut n_new = 0;
    for post in posts {
        n_new += post.await.expect("no panic").iter().filter(|o| matches!(o, Outcome::New(_))).count();
    }
    assert_eq!((n_new, live.counts().await.expect("read").n_votes), (1, 1));
    live.close().await.expect("closes");
}

async fn one_writer_at_a_time(place: &Place) {
    let live = open(place).await;
    live.submit(vec![subject(1, 1, "s", false)]).await.expect("written");
    let second = Live::open(place, Options::default()).await;
    assert!(matches!(second, Err(LiveError::Locked(_))));
    // Looking is allowed all the while, and changes nothing.
    let look = Live::look(place).await.expect("opens");
    live.submit(vec![vote(2, 2, "s", 2, "real")]).await.expect("written");
    assert_eq!(look.counts().await.expect("read").n_votes, 1);
    assert_eq!(look.book("s").await.expect("read").tallies().next().map(|(_, t)| t.n), Some(1));
    look.submit(vec![vote(3, 3, "s", 3, "real")]).await.expect_err("cannot write");
    assert_eq!(live.counts().await.expect("read").n_votes, 1);
    live.close().await.expect("closes");
    open(place).await.close().await.expect("closes");
}

#[test]
fn a_copy_made_under_load_is_one_moment() {
    wait(async {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = |name: &str| folder.path().join(name);
        let live = open(&Place::File(file("a.db"))).await;
        let writing = live.clone();
        let load = tokio::spawn(async move {
            for n in 0..400 {
                let on = format!("s{}", n % 20);
                writing.submit(vec![vote(n, n as i64, &on, n / 20, "real")]).await.expect("written");
            }
        });
        live.back_up(&file("b.db")).await.expect("copied");
        load.await.expect("no panic");
        live.close().await.expect("closes");
        let copy = open(&Place::File(file("b.db"))).await;
        let hash = copy.state_hash().await.expect("read");
        assert_eq!(copy.rebuild().await.expect("rebuilt"), hash);
        copy.close().await.expect("closes");
    });
}

#[test]
fn a_restored_log_is_the_same_state() {
    wait(async {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let first = open(&Place::File(folder.path().join("a.db"))).await;
        let drawn = history().new_tree(&mut TestRunner::deterministic()).expect("a history").current();
        first
            .submit_heard(drawn.into_iter().map(|(e, at)| heard(e, at)).collect(), None)
            .await
            .expect("written");
        let log = first.log(0, 1_000).await.expect("read");
        let second = open(&Place::File(folder.path().join("b.db"))).await;
        let events = log.into_iter().map(|l| heard(l.event, l.received_ms)).collect();
        second.submit_heard(events, None).await.expect("written");
        assert_eq!(first.state_hash().await.expect("read"), second.state_hash().await.expect("read"));
    });
}

#[test]
fn a_store_of_a_newer_volary_is_refused() {
    wait(async {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.db");
        open(&Place::File(path.clone())).await.close().await.expect("closes");
        set_schema(&path, 99).await;
        let again = Live::open(&Place::File(path), Options::default()).await;
        assert!(matches!(again, Err(LiveError::Newer { found: 99, .. })));
    });
}

async fn set_schema(path: &Path, version: i64) {
    use sqlx::Connection as _;
    let url = format!("sqlite:{}", path.display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.expect("opens");
    sqlx::query("UPDATE meta SET value = $1").bind(version).execute(&mut connection).await.expect("set");
    connection.close().await.expect("closes");
}

#[test]
fn a_failed_write_stops_the_writer_and_loses_nothing() {
    wait(async {
        use sqlx::Connection as _;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.db");
        let live = open(&Place::File(path.clone())).await;
        live.submit(vec![vote(1, 1, "s", 1, "real")]).await.expect("written");
        // A trigger stands in for a disk that is full.
        let url = format!("sqlite:{}", path.display());
        let mut other = sqlx::SqliteConnection::connect(&url).await.expect("opens");
        let full = "CREATE TRIGGER full BEFORE INSERT ON tallies BEGIN SELECT RAISE(ABORT, 'disk is full'); END";
        sqlx::query(full).execute(&mut other).await.expect("made");
        let error = live.submit(vec![vote(2, 2, "s", 2, "real")]).await.expect_err("cannot be written");
        assert!(error.to_string().contains("disk is full"), "{error}");
        let error = live.submit(vec![vote(3, 3, "s", 3, "real")]).await.expect_err("stopped");
        assert!(matches!(error, LiveError::Stopped));
        sqlx::query("DROP TRIGGER full").execute(&mut other).await.expect("dropped");
        other.close().await.expect("closes");
        drop(live);
        let live = open(&Place::File(path)).await;
        assert_eq!(live.counts().await.expect("read").n_events, 1, "all or nothing");
        let again = live.submit(vec![vote(2, 2, "s", 2, "real")]).await.expect("written");
        assert_eq!(again, [Outcome::New(2)]);
    });
}
