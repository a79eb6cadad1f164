//! Times of shape clustering: `cargo bench -p volary-crowd --bench shapes -- [SUBJECTS]`.
//!
//! The circles of `bench/shapes.py` (20 volunteers a subject, most of their marks near one of two vortices,
//! some stray), without the reading and writing of tables. Prints wall and processor seconds, and sums of
//! the results, by which two builds can be compared. What it took is written down in `bench/README.md`.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::time::Instant;

use rand::RngExt as _;
use volary_core::drawn::{DrawnMark, DrawnRow};
use volary_core::seed::{Rng, stream};
use volary_core::{Drawn, Form};
use volary_crowd::shapes::panoptes::{Method, Metric, reduce};
use volary_crowd::shapes::{Algorithm, Measure, ShapeConsensus, ShapeParams, shapes};

const MARKS_PER_SUBJECT: usize = 20;

/// Near enough normal: twelve uniform draws, whose variances sum to 1.
fn normal(rng: &mut Rng, mean: f64, sd: f64) -> f64 {
    mean + sd * ((0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0)
}

fn between(rng: &mut Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

/// The marks of one subject, volunteer by volunteer.
fn circles(rng: &mut Rng) -> Vec<Vec<f64>> {
    let left = [between(rng, 60.0, 160.0), between(rng, 60.0, 340.0), between(rng, 15.0, 40.0)];
    let right = [left[0] + 200.0, between(rng, 60.0, 340.0), between(rng, 15.0, 40.0)];
    let mut circle = || {
        if rng.random::<f64>() < 0.1 {
            return vec![between(rng, 0.0, 400.0), between(rng, 0.0, 400.0), between(rng, 5.0, 40.0)];
        }
        let [x, y, r] = if rng.random::<bool>() { left } else { right };
        vec![normal(rng, x, 4.0), normal(rng, y, 4.0), normal(rng, r, 2.0).max(1.0)]
    };
    let thousandth = |x: f64| (x * 1000.0).round() / 1000.0;
    (0..MARKS_PER_SUBJECT).map(|_| circle().into_iter().map(thousandth).collect()).collect()
}

fn drawn(subjects: &[Vec<Vec<f64>>]) -> Drawn {
    let mut drawn = Drawn::default();
    for (s, marks) in subjects.iter().enumerate() {
        for (v, numbers) in marks.iter().enumerate() {
            let n = drawn.rows.len();
            let names = ["7", "T0", &(s + 1).to_string(), &format!("v{v}"), &(n + 1).to_string()];
            let [workflow, task, subject, volunteer, classification] =
                names.map(|name| drawn.pool.intern(name));
            let mark = DrawnMark {
                index: 0,
                frame: 0,
                tool: Some(0),
                tool_label: None,
                form: Form::Circle,
                numbers: numbers.clone(),
                points: Vec::new(),
            };
            drawn.rows.push(DrawnRow {
                workflow,
                task,
                subject,
                volunteer,
                classification,
                created_ms: Some(1000 * n as i64),
                row: n as u64 + 1,
                mark: Some(mark),
            });
        }
    }
    drawn
}

/// Seconds that the threads of this process were on a processor.
fn processor_seconds() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let on_processor = |task: std::fs::DirEntry| {
        let line = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    tasks.filter_map(on_processor).sum::<f64>() / 1e9
}

fn timed(name: &str, work: impl FnOnce() -> String) {
    let (cpu, wall) = (processor_seconds(), Instant::now());
    let what = work();
    let (wall, cpu) = (wall.elapsed().as_secs_f64(), processor_seconds() - cpu);
    println!("{name:24} {wall:8.3} s wall {cpu:8.3} s processor  {what}");
}

/// What was found, in a few sums.
fn digest(found: &ShapeConsensus) -> String {
    let clusters = || found.groups.iter().flat_map(|g| &g.clusters);
    let n_marks: u32 = clusters().map(|c| c.n_marks).sum();
    let iou: f64 = clusters().filter_map(|c| c.iou_mean).sum();
    let estimates = || clusters().flat_map(|c| &c.values);
    let values: f64 = estimates().map(|e| e.value).sum();
    let widths: f64 = estimates().filter_map(|e| e.interval).map(|i| i.width()).sum();
    let shares: f64 = clusters().map(|c| c.share_interval.width()).sum();
    format!(
        "{} shapes of {n_marks} marks; sums: values {values:.6}, widths {widths:.6}, shares \
         {shares:.6}, overlaps {iou:.9}",
        clusters().count()
    )
}

fn main() {
    let asked = std::env::args().skip(1).find_map(|a| a.parse::<usize>().ok());
    let rng = &mut stream(1, "bench shapes");
    let subjects: Vec<Vec<Vec<f64>>> = (0..asked.unwrap_or(5000)).map(|_| circles(rng)).collect();
    let drawn = drawn(&subjects);
    println!("{} circles on {} subjects", drawn.rows.len(), subjects.len());
    let ways = [
        ("dbscan", Algorithm::Dbscan, Measure::Auto),
        ("dbscan, pixels", Algorithm::Dbscan, Measure::Euclidean),
        ("hdbscan", Algorithm::Hdbscan, Measure::Auto),
        ("optics", Algorithm::Optics { xi: 0.15 }, Measure::Auto),
    ];
    for (name, algorithm, measure) in ways {
        let params = ShapeParams::default().with(algorithm, measure);
        timed(name, || digest(&shapes(&drawn, &params, &|_, _| None)));
    }
    let overlap = |estimate| Metric::Overlap { form: Form::Circle, eps_t: 1.0, estimate };
    let dbscan = |eps| Method::Dbscan { eps, min_samples: 3 };
    let ways = [
        ("reduce, dbscan", dbscan(20.0), Metric::Norm(2.0), subjects.len()),
        ("reduce, iou", dbscan(0.5), overlap(true), subjects.len()),
        ("reduce, iou, searched", dbscan(0.5), overlap(false), subjects.len() / 500),
    ];
    for (name, method, metric, n) in ways {
        timed(name, || {
            let found: Vec<_> =
                subjects[..n].iter().map(|marks| reduce(marks, method, metric)).collect();
            let clusters = || found.iter().flat_map(|f| &f.clusters);
            let sigma: f64 = clusters().filter_map(|c| c.sigma).sum();
            let average: f64 = clusters().flat_map(|c| &c.average).sum();
            format!(
                "{n} subjects, {} clusters; sums: averages {average:.6}, sigmas {sigma:.9}",
                clusters().count()
            )
        });
    }
}
