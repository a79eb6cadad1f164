//! How fast the store is, durable, on this machine; the figures stand in `bench/README.md`.
//!
//! `cargo run --release -p volary-live --example live_speed [VOTES] [FILE or postgres://…] [learner]`
//!
//! With `learner`, embeddings of 64 entries for every subject, and the online learner follows the log while
//! batches are written.

use std::sync::Arc;
use std::time::{Duration, Instant};

use volary_live::learning::{Embeddings, Follower, LearningParams};
use volary_live::store::{Options, Place};
use volary_live::{Actor, Effect, Event, Key, Kind, Live, LiveError};

// As the binary has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Events in one request.
const BATCH: u64 = 500;
/// Subjects that are shown at one time.
const OPEN_SUBJECTS: u64 = 1_000;
/// Votes a subject gets.
const VOTES_EACH: u64 = 14;

/// Vote `n` of a campaign: a window of subjects moves on as they fill up.
fn vote(n: u64) -> Event {
    let (window, within) = (n / (OPEN_SUBJECTS * VOTES_EACH), n % (OPEN_SUBJECTS * VOTES_EACH));
    let (subject, turn) = (window * OPEN_SUBJECTS + within % OPEN_SUBJECTS, within / OPEN_SUBJECTS);
    let answer = if (subject * 7 + turn * 13) % 10 < 3 { "bogus" } else { "real" };
    let user = (subject * 31 + turn * 97) % 2_000;
    let kind = Kind::Vote {
        workflow: "10".into(),
        version: "16.55".into(),
        subject: format!("{}", 96_000_000 + subject),
        actor: Actor::User(user.to_string()),
        answers: [("T0".to_owned(), vec![answer.to_owned()])].into(),
    };
    let key = Key { source: "panoptes".into(), id: (543_000_000 + n).to_string() };
    Event { key, at_ms: 1_795_900_000_000 + n as i64, kind }
}

/// Numbers that look random, 64 for each subject.
fn embeddings(n_votes: u64) -> Embeddings {
    let n_subjects = n_votes / VOTES_EACH + 2 * OPEN_SUBJECTS;
    let entry = |subject: u64, at: u64| {
        let mixed = (subject * 64 + at).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        mixed as f64 / f64::from(1 << 24) - 0.5
    };
    let row = |subject: u64| {
        (format!("{}", 96_000_000 + subject), (0..64).map(|at| entry(subject, at)).collect())
    };
    Embeddings { model: "speed".into(), dimension: 64, of: (0..n_subjects).map(row).collect() }
}

/// Follows the log until told to stop; says how far it came meanwhile.
async fn learn(live: Live, n_votes: u64, stop: tokio::sync::watch::Receiver<bool>) -> (u64, u64) {
    let made = Follower::new(&live, embeddings(n_votes), LearningParams::default()).await;
    let mut follower = made.expect("the settings are sound");
    let mut at_stop = None;
    loop {
        let n = follower.step(&live).await.expect("the store can be read");
        let counts = follower.learning().counts();
        if *stop.borrow() && at_stop.is_none() {
            at_stop = Some(counts.cursor.unsigned_abs());
        }
        match (n, at_stop) {
            (0, Some(at)) => return (at, counts.n_votes),
            (0, None) => tokio::time::sleep(Duration::from_millis(5)).await,
            _ => {}
        }
    }
}

fn memory_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1024
}

#[expect(clippy::print_stdout, reason = "its output is the figures")]
async fn measure(n_votes: u64, place: Place, with_learner: bool) -> Result<(), LiveError> {
    let live = Live::open(&place, Options::default()).await?;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let learner = with_learner.then(|| tokio::spawn(learn(live.clone(), n_votes, stopped)));
    let start = Instant::now();
    let first_half = n_votes / 2 / BATCH * BATCH;
    let mut halfway_mb = 0;
    for n in (0..n_votes).step_by(BATCH as usize) {
        if n == first_half {
            halfway_mb = memory_mb();
        }
        live.submit((n..n + BATCH).map(vote).collect()).await?;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "batches of {BATCH}: {:.0} votes/s over {n_votes}; {halfway_mb} MB halfway, {} MB at the end",
        n_votes as f64 / seconds,
        memory_mb()
    );
    if let Some(learner) = learner {
        stop.send_replace(true);
        let (at, n_learnt) = learner.await.expect("no panic");
        println!(
            "the learner was at event {at} of {n_votes} when the last batch was acknowledged, and at the end \
             {:.1} s after the start; it learnt from {n_learnt} votes; {} MB",
            start.elapsed().as_secs_f64(),
            memory_mb()
        );
    }

    let clients = 64;
    let each = 200;
    let start = Instant::now();
    let posts: Vec<_> = (0..clients)
        .map(|client| {
            let live = live.clone();
            tokio::spawn(async move {
                let mut times = Vec::new();
                for at in 0..each {
                    let start = Instant::now();
                    live.submit(vec![vote(n_votes + BATCH + client * each + at)]).await?;
                    times.push(start.elapsed());
                }
                Ok::<_, LiveError>(times)
            })
        })
        .collect();
    let mut times = Vec::new();
    for post in posts {
        times.extend(post.await.expect("no panic")?);
    }
    times.sort_unstable();
    println!(
        "single votes, {clients} at a time: {:.0}/s, median {:.1} ms, p99 {:.1} ms",
        (clients * each) as f64 / start.elapsed().as_secs_f64(),
        times[times.len() / 2].as_secs_f64() * 1e3,
        times[times.len() * 99 / 100].as_secs_f64() * 1e3
    );

    let mut told = live.told();
    let offset = n_votes + 1_000_000;
    let n = 5_000;
    // When each vote was acknowledged, by its id.
    let acknowledged = Arc::new(std::sync::Mutex::new(std::collections::HashMap::new()));
    let listener = tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Ok(Ok(effect)) = tokio::time::timeout(Duration::from_secs(2), told.recv()).await {
            let effect: Effect = serde_json::from_str(&effect.body).expect("an effect");
            if let Effect::Alert(alert) = effect {
                let last = alert.voters.last().map(|voter| voter.vote.id.clone()).unwrap_or_default();
                seen.push((last, Instant::now()));
            }
        }
        seen
    });
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let mut sent = Vec::new();
    for at in 0..n {
        ticks.tick().await;
        // Twenty subjects at a time, so that alerts come all the while.
        let mut event = vote(offset + at);
        let id = event.key.id.clone();
        if let Kind::Vote { subject, actor, answers, .. } = &mut event.kind {
            *subject = format!("late{}-{}", at / 280, at % 20);
            *actor = Actor::User(at.to_string());
            answers.insert("T0".into(), vec!["real".into()]);
        }
        let (live, done) = (live.clone(), Arc::clone(&acknowledged));
        sent.push(tokio::spawn(async move {
            live.submit(vec![event]).await?;
            done.lock().expect("no panic").insert(id, Instant::now());
            Ok::<_, LiveError>(())
        }));
    }
    for one in sent {
        one.await.expect("no panic")?;
    }
    let seen = listener.await.expect("no panic");
    let delay = |(id, told): &(String, Instant)| {
        let acknowledged = acknowledged.lock().expect("no panic");
        acknowledged.get(id).map(|at| told.saturating_duration_since(*at).as_secs_f64() * 1e3)
    };
    let mut delays: Vec<f64> = seen.iter().filter_map(delay).collect();
    delays.sort_by(f64::total_cmp);
    if let Some(p99) = delays.get(delays.len() * 99 / 100) {
        println!("acknowledged → alert at 1,000 votes/s: p99 {p99:.2} ms over {} alerts", delays.len());
    }
    let n_events = live.counts().await?.n_events;
    live.close().await?;

    let start = Instant::now();
    let live = Live::open(&place, Options::default()).await?;
    live.submit(vec![vote(offset + 2_000_000)]).await?;
    println!(
        "opened and first vote on disk with {n_events} events in the log: {:.0} ms",
        start.elapsed().as_secs_f64() * 1e3
    );
    let start = Instant::now();
    live.rebuild().await?;
    println!("rebuilt: {:.0} events/s", n_events as f64 / start.elapsed().as_secs_f64());
    live.close().await
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let n_votes = arguments.next().map_or(Ok(1_000_000), |n| n.parse())?;
    let folder = tempfile::tempdir()?;
    let place = arguments
        .next()
        .map_or_else(|| Place::File(folder.path().join("live.db")), |p| Place::parse(&p));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let with_learner = arguments.next().is_some_and(|word| word == "learner");
    runtime.block_on(measure(n_votes, place, with_learner))?;
    Ok(())
}
