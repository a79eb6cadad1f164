//! A small world for the tests of this folder: volunteers of known skill, signals of known strength,
//! strays, and spots that deceive many. Rougher than the simulator, and independent of it.

use rand::RngExt as _;
use volary_core::marks::{Marks, MarksBuilder, NumberColumn, SignalTable, Signals};
use volary_core::seed::{Rng, stream};

use crate::draws::normal;

/// What to make.
#[derive(Clone, Copy)]
pub(crate) struct SmallWorld {
    pub(crate) n_volunteers: usize,
    pub(crate) n_subjects: usize,
    pub(crate) voters: usize,
    /// Standard deviation of the volunteers' skills (log odds).
    pub(crate) spread: f64,
    pub(crate) seed: u64,
}

impl Default for SmallWorld {
    fn default() -> Self {
        Self { n_volunteers: 120, n_subjects: 600, voters: 11, spread: 1.2, seed: 5 }
    }
}

/// Marks with everything that is known of them.
pub(crate) struct World {
    pub(crate) marks: Marks,
    /// Signals of the simulated half of the subjects.
    pub(crate) simulated: Signals,
    /// Signals of the other half, which the methods do not see.
    pub(crate) hidden: Signals,
    /// Per volunteer: log odds of finding a signal of strength 8, and of marking a stray per view.
    pub(crate) skill: Vec<(f64, f64)>,
}

struct Thing {
    mid: f64,
    half_width: f64,
    /// Log odds that somebody of skill 0 marks it.
    pull: f64,
    is_signal: bool,
}

impl SmallWorld {
    pub(crate) fn make(&self) -> World {
        let rng = &mut stream(self.seed, "small world");
        let skill: Vec<(f64, f64)> = (0..self.n_volunteers)
            .map(|_| (1.0 + self.spread * normal(rng), -1.8 + self.spread * normal(rng)))
            .collect();
        let mut builder = MarksBuilder::default();
        let (mut simulated, mut hidden) = (SignalTable::default(), SignalTable::default());
        let mut strengths = [Vec::new(), Vec::new()];
        for v in 0..self.n_volunteers {
            builder.volunteer(&format!("v{v:04}"));
        }
        for s in 0..self.n_subjects {
            let id = format!("s{s:05}");
            let is_simulation = s % 2 == 0;
            let has_signals = is_simulation || rng.random::<f64>() < 0.5;
            let things = things(rng, has_signals);
            for (thing, strength) in things.iter().filter(|t| t.0.is_signal) {
                let table = if is_simulation { &mut simulated } else { &mut hidden };
                table.id.push(format!("{id}_{}", table.id.len()));
                table.simulation.push(String::new());
                table.subject.push(id.clone());
                table.x_min_days.push(thing.mid - thing.half_width);
                table.x_max_days.push(thing.mid + thing.half_width);
                strengths[usize::from(!is_simulation)].push(*strength);
            }
            let mut chosen: Vec<usize> = Vec::new();
            while chosen.len() < self.voters.min(self.n_volunteers) {
                // Activity falls with the index: the first tenth does half of the work.
                let v = (rng.random::<f64>().powi(3) * self.n_volunteers as f64) as usize;
                if !chosen.contains(&v) {
                    chosen.push(v);
                }
            }
            for v in chosen {
                let view = builder.view(&id, &format!("v{v:04}"), None, (s * 1000 + v) as u128);
                for (a, b) in drawn(rng, &things, skill[v]) {
                    builder.mark(view, a, b);
                }
            }
        }
        let marks = builder.finish();
        let [of_simulated, of_hidden] = strengths;
        let snr = |values| vec![NumberColumn { name: "snr".into(), values }];
        (simulated.columns, hidden.columns) = (snr(of_simulated), snr(of_hidden));
        World { simulated: simulated.join(&marks), hidden: hidden.join(&marks), marks, skill }
    }
}

/// Things in one light curve, with the strength of the signals.
fn things(rng: &mut Rng, has_signals: bool) -> Vec<(Thing, f64)> {
    let mut out = Vec::new();
    let n_signals = if has_signals { 1 + rng.random_range(0..2_usize) } else { 0 };
    for _ in 0..n_signals {
        let strength = (2.0 + 0.6 * normal(rng)).exp();
        let half_width = 0.03 + 0.15 * rng.random::<f64>();
        let pull = 2.0 * (strength / 8.0).ln();
        out.push((Thing { mid: place(rng), half_width, pull, is_signal: true }, strength));
    }
    for _ in 0..rng.random_range(0..3_usize) {
        let pull = -1.0 + 0.7 * normal(rng);
        out.push((Thing { mid: place(rng), half_width: 0.2, pull, is_signal: false }, 0.0));
    }
    out
}

fn place(rng: &mut Rng) -> f64 {
    1.0 + 28.0 * rng.random::<f64>()
}

fn drawn(rng: &mut Rng, things: &[(Thing, f64)], (a, b): (f64, f64)) -> Vec<(f64, f64)> {
    let mut marks = Vec::new();
    for (thing, _) in things {
        let log_odds = thing.pull + if thing.is_signal { a } else { b };
        if rng.random::<f64>() < 1.0 / (1.0 + (-log_odds).exp()) {
            marks.push(range(rng, thing.mid, thing.half_width));
        }
    }
    while rng.random::<f64>() < 0.6 / (1.0 + (-b).exp()) {
        let mid = 30.0 * rng.random::<f64>();
        marks.push(range(rng, mid, 0.2));
    }
    marks
}

/// A range drawn over something: a little wider, and a little off.
fn range(rng: &mut Rng, mid: f64, half_width: f64) -> (f64, f64) {
    let width = (2.0 * half_width * (1.2 + 0.3 * normal(rng).abs())).max(0.3);
    let mid = mid + 0.2 * width * normal(rng);
    (mid - width / 2.0, mid + width / 2.0)
}

/// Per feature of a subject of `signals`' table: (score, whether it is real). Real is a feature that covers
/// at least half of a signal.
pub(crate) fn judged(world: &World, features: &super::Features, score: &[f64]) -> Vec<(f64, bool)> {
    let hidden = &world.hidden;
    (0..features.len())
        .filter(|&f| world.simulated.of(features.subject[f] as usize).is_empty())
        .map(|f| {
            let real = hidden.of(features.subject[f] as usize).any(|s| {
                let (a, b) = (hidden.x_min_days[s], hidden.x_max_days[s]);
                let overlap = b.min(features.x_max_days[f]) - a.max(features.x_min_days[f]);
                overlap >= 0.5 * (b - a)
            });
            (score[f], real)
        })
        .collect()
}

/// Average precision: the mean, over the real ones, of the precision at their score; ties as one step.
pub(crate) fn average_precision(judged: &[(f64, bool)]) -> f64 {
    let mut sorted = judged.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let n_real = sorted.iter().filter(|j| j.1).count() as f64;
    let (mut n, mut real, mut sum) = (0.0, 0.0, 0.0);
    for tie in sorted.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let new = tie.iter().filter(|j| j.1).count() as f64;
        n += tie.len() as f64;
        real += new;
        sum += new * real / n;
    }
    sum / n_real
}

/// Mean squared distance of score and truth.
pub(crate) fn brier(judged: &[(f64, bool)]) -> f64 {
    let square = |&(score, real): &(f64, bool)| (score - f64::from(u8::from(real))).powi(2);
    judged.iter().map(square).sum::<f64>() / judged.len() as f64
}

/// Spearman's rank correlation.
pub(crate) fn rank_correlation(x: &[f64], y: &[f64]) -> f64 {
    let ranks = |v: &[f64]| -> Vec<f64> {
        let rank = |a: f64| {
            let below = v.iter().filter(|b| **b < a).count() as f64;
            let equal = v.iter().filter(|b| b.total_cmp(&a).is_eq()).count() as f64;
            below + 0.5 * (equal - 1.0)
        };
        v.iter().map(|&a| rank(a)).collect()
    };
    let (x, y) = (ranks(x), ranks(y));
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (mx, my) = (mean(&x), mean(&y));
    let sum =
        |f: &dyn Fn(f64, f64) -> f64| x.iter().zip(&y).map(|(a, b)| f(a - mx, b - my)).sum::<f64>();
    sum(&|a, b| a * b) / (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt()
}
