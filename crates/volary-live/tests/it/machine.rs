//! A state machine: whatever is done to a store, in whatever order, it is the memory engine made durable.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use proptest::prelude::*;
use volary_live::replay::{Memory, Taken};
use volary_live::store::{Options, Place};
use volary_live::{Event, Kind, Live, Outcome, Policy};

use crate::databases::wait;
use crate::history::{event, history};
use crate::sets::conditions;

/// What is done.
#[derive(Clone, Debug)]
enum Step {
    /// New events, in one call.
    Submit(Vec<Event>),
    /// The last events again, as a source does that lost the answer.
    Again(usize),
    /// The process is killed: the files are as they lie there.
    Crash,
    /// Closed and opened.
    Reopen,
    /// A backup is made under way, and life goes on from it.
    Restore,
    /// The clock jumps by so many milliseconds.
    Clock(i64),
    /// Everything derived is made anew.
    Rebuild,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let rules = any::<bool>().prop_map(|asks| {
        let mut policy = Policy::default();
        if asks {
            policy.rules.extend(conditions());
        }
        event(1_000_000 + u64::from(asks), 20, Kind::Policy { policy: Box::new(policy) })
    });
    let other = prop_oneof![
        3 => (1..20_usize).prop_map(Step::Again),
        2 => Just(Step::Crash),
        1 => Just(Step::Reopen),
        1 => Just(Step::Restore),
        2 => (-50_000..50_000_i64).prop_map(Step::Clock),
        1 => Just(Step::Rebuild),
        1 => rules.prop_map(|rules| Step::Submit(vec![rules])),
    ];
    (history(), proptest::collection::vec((1..8_usize, other), 1..12)).prop_map(|(drawn, others)| {
        let mut events = drawn.into_iter().map(|(event, _)| event);
        let mut steps = Vec::new();
        for (n, other) in others {
            steps.push(Step::Submit(events.by_ref().take(n).collect()));
            steps.push(other);
        }
        steps.push(Step::Submit(events.collect()));
        steps
    })
}

/// The store, its model, and where it lies.
struct World {
    folder: tempfile::TempDir,
    n_files: u32,
    path: PathBuf,
    clock: Arc<AtomicI64>,
    live: Option<Live>,
    memory: Memory,
    sent: Vec<Event>,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("0.db");
        let clock = Arc::new(AtomicI64::new(1_000));
        let (memory, sent) = (Memory::default(), Vec::new());
        let mut world = Self { folder, n_files: 0, path, clock, live: None, memory, sent };
        world.open().await;
        world
    }

    async fn open(&mut self) {
        let clock = Arc::clone(&self.clock);
        let now_ms = Arc::new(move || clock.load(Ordering::Relaxed));
        let options = Options { now_ms, max_books: 2, max_batch: 64 };
        let place = Place::File(self.path.clone());
        self.live = Some(Live::open(&place, options).await.expect("opens"));
    }

    fn live(&self) -> &Live {
        self.live.as_ref().expect("open between the steps")
    }

    fn new_file(&mut self) -> PathBuf {
        self.n_files += 1;
        self.folder.path().join(format!("{}.db", self.n_files))
    }

    async fn submit(&mut self, events: Vec<Event>) {
        let now_ms = self.clock.load(Ordering::Relaxed);
        let outcomes = self.live().submit(events.clone()).await.expect("written");
        for (event, outcome) in events.into_iter().zip(outcomes) {
            let expected = self.memory.offer(event.clone(), now_ms);
            let same = matches!(
                (&outcome, &expected),
                (Outcome::New(_), Taken::New)
                    | (Outcome::Duplicate, Taken::Duplicate)
                    | (Outcome::Conflict, Taken::Conflict)
            );
            assert!(same, "{outcome:?} and {expected:?} for {event:?}");
            self.sent.push(event);
        }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Submit(events) => self.submit(events).await,
            Step::Again(n) => {
                let again = self.sent[self.sent.len().saturating_sub(n)..].to_vec();
                self.submit(again).await;
            }
            Step::Crash => {
                let to = self.new_file();
                copy_as_it_lies(&self.path, &to);
                self.path = to;
                self.live = None;
                self.open().await;
            }
            Step::Reopen => {
                self.live.take().expect("open").close().await.expect("closes");
                self.open().await;
            }
            Step::Restore => {
                let to = self.new_file();
                self.live().back_up(&to).await.expect("copied");
                self.live.take().expect("open").close().await.expect("closes");
                self.path = to;
                self.open().await;
            }
            Step::Clock(by) => {
                self.clock.fetch_add(by, Ordering::Relaxed);
            }
            Step::Rebuild => {
                let hash = self.live().state_hash().await.expect("read");
                assert_eq!(self.live().rebuild().await.expect("rebuilt"), hash);
            }
        }
    }

    async fn check(&self) {
        let expected: Vec<String> = self.memory.summaries().iter().map(|s| s.to_json()).collect();
        assert_eq!(self.live().summaries().await.expect("read"), expected);
        let alerts = self.live().alerts(0, 1_000).await.expect("read");
        assert_eq!(alerts, self.memory.alerts().cloned().collect::<Vec<_>>());
        let told = self.live().told_after(0, 10_000).await.expect("read");
        let expected: Vec<String> = self.memory.effects().iter().map(|e| e.to_json()).collect();
        assert_eq!(told.into_iter().map(|told| told.body).collect::<Vec<_>>(), expected);
    }
}

/// The files of a store as a killed process leaves them.
pub(crate) fn copy_as_it_lies(from: &Path, to: &Path) {
    for end in ["", "-wal"] {
        let name = |path: &Path| PathBuf::from(format!("{}{end}", path.display()));
        if name(from).exists() {
            std::fs::copy(name(from), name(to)).expect("copied");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_the_store_is_its_model(steps in steps()) {
        wait(async {
            let mut world = World::new().await;
            for step in steps {
                world.step(step).await;
                world.check().await;
            }
            world.step(Step::Rebuild).await;
            world.check().await;
        });
    }
}
