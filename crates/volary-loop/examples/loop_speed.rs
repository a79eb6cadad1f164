//! How fast the loop's parts are on this machine; the figures stand in `bench/README.md`.
//!
//! `cargo run --release -p volary-loop --example loop_speed`

use std::collections::{BTreeSet, HashSet};
use std::hint::black_box;
use std::time::Instant;

use volary_loop::campaign::{CampaignParams, Threshold, compare};
use volary_loop::learner::{Embedding, Label, Learner, LearnerParams, Method};
use volary_loop::pool::{Item, Mixture, Pool};
use volary_loop::sampling::{Candidate, Frame, Spacing, Stream};

/// Numbers in -1…1 that need no generator.
fn number(at: u64) -> f64 {
    ((at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)) >> 11) as f64
        / (1_u64 << 52) as f64
        - 1.0
}

#[expect(clippy::print_stdout, reason = "its output is the figures")]
fn report(what: &str, n: u64, start: Instant) {
    println!("{what}: {:.3} µs each, {n} of them", start.elapsed().as_secs_f64() * 1e6 / n as f64);
}

fn learner(name: &str, dimension: usize, n_classes: usize, method: Method) {
    let embedding = "e".to_owned();
    let params = LearnerParams { embedding, dimension, n_classes, method, actor_cap: None };
    let Ok(mut learner) = Learner::new(params) else { return };
    let n = 200_000;
    let xs: Vec<Vec<f64>> =
        (0..1_000).map(|at| (0..dimension as u64).map(|i| number(at * 977 + i)).collect()).collect();
    let targets: Vec<Vec<f64>> = (0..n_classes)
        .map(|class| (0..n_classes).map(|k| f64::from(u8::from(k == class))).collect())
        .collect();
    let x = |at: u64| Embedding { model: "e", values: &xs[at as usize % 1_000] };
    let start = Instant::now();
    for at in 1..=n {
        let class = usize::from(x(at).values[0] > 0.0) * (n_classes - 1);
        let label = Label { x: x(at), p_class: &targets[class], weight: 1.0, actor: None };
        black_box(learner.learn(at, &label).is_ok());
    }
    report(&format!("{name}: learn {dimension} x {n_classes}"), n, start);
    let start = Instant::now();
    for at in 0..n / 10 {
        black_box(learner.predict(&x(at)).is_ok());
    }
    report(&format!("{name}: predict"), n / 10, start);
    let start = Instant::now();
    let bytes = learner.to_bytes();
    black_box(Learner::from_bytes(&bytes).is_ok());
    report(&format!("{name}: snapshot of {} bytes, and back", bytes.len()), 1, start);
}

fn pool() {
    let Ok(mut pool) = Pool::new(Mixture { validation_rate: 0.0, ..Mixture::default() }, 1) else {
        return;
    };
    let n = 1_000_000;
    let item = |at: u64, n_votes| Item {
        subject: format!("s{at:07}"),
        stream: Stream::RealTime,
        n_votes,
        priority: number(at),
    };
    let start = Instant::now();
    (0..n).for_each(|at| pool.upsert(&item(at, 0)));
    report("pool: put in", n, start);
    let start = Instant::now();
    for ticket in 0..100_000 {
        let served = pool.next(&|_| false, 1, ticket);
        if let Some(served) = served.first() {
            let (subject, n_votes) = (served.subject.clone(), served.n_votes + 1);
            pool.upsert(&Item { subject, stream: Stream::RealTime, n_votes, priority: 0.0 });
        }
    }
    report("pool of a million: next, and one vote more", 100_000, start);
    // One who has seen the half of all subjects that comes first.
    let mut order: Vec<(u32, std::cmp::Reverse<u64>, String)> = Vec::new();
    for at in 0..n {
        let name = format!("s{at:07}");
        let Some(found) = pool.get(&name) else { continue };
        order.push((found.n_votes, std::cmp::Reverse(((found.priority + 2.0) * 1e12) as u64), name));
    }
    order.sort_unstable();
    let seen: HashSet<String> = order.into_iter().take(500_000).map(|(_, _, name)| name).collect();
    let start = Instant::now();
    for ticket in 0..10_000 {
        black_box(pool.next(&|id| seen.contains(id), 5, ticket));
    }
    report("pool of a million: next five for one who has seen the first half", 10_000, start);
}

fn draws() {
    let candidates: Vec<Candidate> = (0..200_000)
        .map(|at| Candidate { id: at.to_string(), score: number(at).abs().powi(4), model: "m".into() })
        .collect();
    let start = Instant::now();
    let Ok(frame) = Frame::new(&candidates, &BTreeSet::new(), 20, Spacing::Score) else { return };
    black_box(frame.draw_batch(2_000, 1));
    report("de-biased draw, frame included, per candidate", 200_000, start);
}

fn campaign() {
    let params = CampaignParams::default();
    let start = Instant::now();
    let found = compare(&params, &mut Threshold::kilonova_seekers(), &mut Threshold::new(5, (4, 5), 14));
    let n = found.map_or(0, |found| found.first.n_votes + found.second.n_votes);
    report("campaign of three days at two desks, per vote", n.max(1), start);
}

fn main() {
    learner("Gaussian", 64, 2, Method::default());
    learner("Gaussian", 64, 5, Method::default());
    learner("descent", 64, 2, Method::Descent { rate: 0.01, intercept_rate: 0.01, l2: 0.0, clip: 1e12 });
    pool();
    draws();
    campaign();
}
