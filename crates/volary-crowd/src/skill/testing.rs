//! Crowds for the tests of the models: simulated ones with all that is true of them.

use crate::simulate::{CrowdParams, SimulatedCrowd, simulate};
use crate::skill::ballots::{Ballots, Columns};

/// Ballots of a simulated crowd, in which item and volunteer numbers are the simulation's.
pub(crate) fn ballots(crowd: &SimulatedCrowd) -> Ballots {
    let size = |column: &[u32]| column.iter().max().map_or(0, |&m| m as usize + 1);
    Ballots::new(Columns {
        n_items: crowd.true_class.len(),
        n_volunteers: (crowd.confusion.len() / (crowd.n_classes * crowd.n_classes) as usize)
            .max(size(&crowd.volunteer)),
        n_classes: crowd.n_classes as usize,
        item: crowd.subject.clone(),
        volunteer: crowd.volunteer.clone(),
        label: crowd.answer.clone(),
        ..Columns::default()
    })
    .unwrap()
}

/// A crowd whose errors are those of the Dawid–Skene model: no difficulty.
pub(crate) fn honest(n_subjects: u32, n_volunteers: u32, n_classes: u32, seed: u64) -> SimulatedCrowd {
    simulate(&CrowdParams {
        n_subjects,
        n_volunteers,
        n_classes,
        votes_per_subject: 8.0,
        difficulty: 0.0,
        activity_exponent: 0.8,
        skill: 0.75,
        concentration: 8.0,
        seed,
        ..CrowdParams::default()
    })
    .unwrap()
}

/// Ballots of rows (item, volunteer, label).
pub(crate) fn rows(rows: &[(u32, u32, u32)], n_classes: usize) -> Ballots {
    let mut rows = rows.to_vec();
    rows.sort_unstable();
    let size = |at: fn(&(u32, u32, u32)) -> u32| rows.iter().map(at).max().map_or(0, |m| m as usize + 1);
    Ballots::new(Columns {
        n_items: size(|r| r.0),
        n_volunteers: size(|r| r.1),
        n_classes,
        item: rows.iter().map(|r| r.0).collect(),
        volunteer: rows.iter().map(|r| r.1).collect(),
        label: rows.iter().map(|r| r.2).collect(),
        ..Columns::default()
    })
    .unwrap()
}

/// Share of items whose best class is the true one.
pub(crate) fn accuracy(posterior: &[f64], truth: &[u32]) -> f64 {
    let k = posterior.len() / truth.len();
    let right = posterior.chunks_exact(k).zip(truth);
    let right = right.filter(|(row, t)| crate::skill::dawid_skene::top(row) == **t as usize).count();
    right as f64 / truth.len() as f64
}

/// Pearson's correlation.
pub(crate) fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len() as f64;
    let (mx, my) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let cov: f64 = x.iter().zip(y).map(|(a, b)| (a - mx) * (b - my)).sum();
    let var = |v: &[f64], m: f64| v.iter().map(|a| (a - m).powi(2)).sum::<f64>();
    cov / (var(x, mx) * var(y, my)).sqrt()
}

/// Runs `f` on so many threads.
pub(crate) fn on_threads<T: Send>(n: usize, f: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(f)
}
