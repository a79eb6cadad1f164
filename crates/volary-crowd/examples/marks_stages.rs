//! Times the stages of the mark pipeline and the live engine on a simulated Planet Hunters, without any
//! file: `cargo run --release -p volary-crowd --example marks_stages -- SCALE EVENTS [bayes]`. `bench/marks.py`
//! calls it.
#![expect(clippy::print_stdout, reason = "an example prints its figures")]

use std::time::Instant;

use volary_crowd::marks::simulate::{SimulationParams, simulate};
use volary_crowd::marks::{
    BayesParams, Event, LightCurves, Live, MarkParams, Profile, ballots, bayes, build, couple, weigh,
};

fn milliseconds(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1e3
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let scale: f64 = arguments.next().map_or(Ok(0.1), |s| s.parse())?;
    let n_events: usize = arguments.next().map_or(Ok(10_000), |s| s.parse())?;
    let has_bayes = arguments.next().is_some_and(|a| a == "bayes");
    let world = simulate(&SimulationParams { seed: 1, ..SimulationParams::scaled(scale) })?;
    let marks = world.to_marks();
    let signals = world.signal_table(true).join(&marks);
    let curves = LightCurves::default();
    drop(world);
    println!("views {} marks {} volunteers {}", marks.n_views(), marks.n_marks(), marks.n_volunteers());
    for profile in [Profile::Paper, Profile::Volary] {
        let params = MarkParams::of(profile);
        let started = Instant::now();
        let features = build(&marks, &curves, &params, None)?.features;
        let build_ms = milliseconds(started);
        let started = Instant::now();
        let weighed = weigh(&marks, &signals, &params)?;
        let weigh_ms = milliseconds(started);
        let started = Instant::now();
        let ballots = ballots(&marks, &features, &params);
        let vote_ms = milliseconds(started);
        let mut times = Vec::new();
        let mut last = Instant::now();
        // Thirty iterations, whether converged or not.
        let long = MarkParams { converged_at: 1e-300, max_iterations: 30, ..params.clone() };
        couple(&features, &ballots, &weighed.weights.seed, &long, None, &mut |entry, _, _| {
            if entry.number > 0 {
                times.push(milliseconds(last));
            }
            last = Instant::now();
            true
        });
        times.sort_by(f64::total_cmp);
        println!(
            "{}: {} features; build {build_ms:.1} ms, weigh {weigh_ms:.1} ms, votes {vote_ms:.1} ms, \
             one iteration {:.2} ms (median of {})",
            profile.as_str(),
            features.len(),
            times.get(times.len() / 2).copied().unwrap_or(f64::NAN),
            times.len()
        );
        if profile == Profile::Volary && has_bayes {
            let started = Instant::now();
            let judged = bayes(&marks, &signals, &features, &ballots, &weighed, &BayesParams::default());
            let (ms, n) = (milliseconds(started), judged.n_rounds);
            println!("bayes: {ms:.0} ms, {n} rounds, converged {}", judged.is_converged);
        }
    }
    live(&marks, &signals, n_events)
}

/// Keeps the last events out, then plays them.
fn live(
    marks: &volary_crowd::marks::Marks,
    signals: &volary_crowd::marks::Signals,
    n_events: usize,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut by_time: Vec<usize> = (0..marks.n_views()).collect();
    by_time.sort_by_key(|&v| (marks.view_created_ms[v], v));
    let late = &by_time[by_time.len().saturating_sub(n_events)..];
    let mut keep = vec![true; marks.n_views()];
    late.iter().for_each(|&v| keep[v] = false);
    let started = Instant::now();
    let start = marks.retain_views(&keep);
    let mut live = Live::new(&start, &LightCurves::default(), signals, &MarkParams::default())?;
    println!("live: start {:.0} ms", milliseconds(started));
    let mut times = Vec::with_capacity(late.len());
    let (mut n_subjects, mut n_waiting) = (0_u64, 0);
    for &view in late {
        let ranges = marks.marks_of(view).map(|m| (marks.x_min_days[m], marks.x_max_days[m]));
        let event = Event {
            subject: marks.view_subject[view],
            volunteer: marks.view_volunteer[view],
            marks: ranges.collect(),
        };
        let started = Instant::now();
        let change = live.classify(&event);
        times.push(milliseconds(started));
        n_subjects += u64::from(change.n_subjects);
        n_waiting = change.n_waiting;
    }
    times.sort_by(f64::total_cmp);
    let at = |q: f64| times.get(((times.len() - 1) as f64 * q) as usize).copied().unwrap_or(f64::NAN);
    println!(
        "live: {} events, median {:.3} ms, 99 % {:.3} ms, longest {:.3} ms; {:.1} subjects an event; \
         {n_waiting} volunteers wait at the end",
        times.len(),
        at(0.5),
        at(0.99),
        at(1.0),
        n_subjects as f64 / times.len().max(1) as f64
    );
    let started = Instant::now();
    let rounds = live.settle();
    println!("live: settled in {rounds} rounds, {:.0} ms", milliseconds(started));
    Ok(())
}
