//! Volunteers: what kind each one is, and the chances of what they answer.
//!
//! Kinds and their numbers follow the generator that the benchmark crowds were made with
//! (`bench/README.md`); plain volunteers are Dawid & Skene's with Dirichlet rows.

use rand::RngExt as _;
use volary_core::seed::{Rng, stream};

use super::params::{CrowdParams, Effects, Scale, Spread, VolunteerKind};
use crate::draws;

/// Concentration of the wrong answers of the kinds that are not plain.
const WRONG_SHAPE: f64 = 1.5;
/// Concentration of a spammer's answers: most have favourites.
const SPAM_SHAPE: f64 = 0.7;
/// Part of the right answers that a confuser gives to the other class.
const MIXED_UP: f64 = 0.35;
/// How often an optimist says [`GOOD`] without looking.
const OPTIMISM: f64 = 0.25;
/// What an optimist hopes for.
const GOOD: usize = 1;

/// All volunteers, one entry each.
pub(super) struct People {
    pub(super) kind: Vec<VolunteerKind>,
    /// `[volunteer][true][answer]` flattened.
    pub(super) confusion: Vec<f64>,
    pub(super) shares_bias: Vec<bool>,
    pub(super) learning: Vec<f64>,
    pub(super) fatigue: Vec<f64>,
}

/// Draws the volunteers.
pub(super) fn draw(params: &CrowdParams) -> People {
    let (k, n) = (params.n_classes as usize, params.n_volunteers as usize);
    let effects = &params.effects;
    let kind = draw_kinds(params);
    let mean = mean_confusion(params);
    let rng = &mut stream(params.seed, "simulate volunteers");
    let mut confusion = vec![0.0; n * k * k];
    for (matrix, kind) in confusion.chunks_exact_mut(k * k).zip(&kind) {
        draw_matrix(rng, params, &mean, *kind, matrix);
    }
    let shares_bias = share_bias(params, &kind, &mut confusion);
    let own = |spread: Spread, name: &str| -> Vec<f64> {
        if spread.is_none() {
            return vec![0.0; n];
        }
        let rng = &mut stream(params.seed, name);
        let draw = |kind: &VolunteerKind| {
            let value = spread.mean + spread.sd * draws::normal(rng);
            if *kind == VolunteerKind::Spammer { 0.0 } else { value }
        };
        kind.iter().map(draw).collect()
    };
    let learning = own(effects.learning, "simulate learning");
    let fatigue = own(effects.fatigue, "simulate fatigue");
    People { kind, confusion, shares_bias, learning, fatigue }
}

pub(super) fn draw_kinds(params: &CrowdParams) -> Vec<VolunteerKind> {
    let kinds = &params.effects.kinds;
    let rng = &mut stream(params.seed, "simulate kinds");
    let draw = |_| match kinds.len() {
        0 => VolunteerKind::Plain,
        _ => kinds[draws::index(rng, kinds.iter().map(|(_, share)| *share))].0,
    };
    (0..params.n_volunteers).map(draw).collect()
}

/// How the wrong answers to class `truth` share what is left, by answer; 0 for the right one.
pub(super) fn wrong_shares(scale: Scale, truth: usize, k: usize) -> Vec<f64> {
    let weight = |l: usize| match scale {
        _ if l == truth => 0.0,
        Scale::Nominal => 1.0,
        Scale::Ordinal => 0.5_f64.powi(i32::try_from(l.abs_diff(truth)).unwrap_or(i32::MAX)),
    };
    let total: f64 = (0..k).map(weight).sum();
    (0..k).map(|l| weight(l) / total).collect()
}

/// A matrix with `right` on its diagonal, the rest shared as the scale says.
pub(super) fn even_matrix(scale: Scale, right: f64, k: usize) -> Vec<f64> {
    let row = |truth: usize| {
        let cell =
            move |(l, share): (usize, f64)| if l == truth { right } else { (1.0 - right) * share };
        wrong_shares(scale, truth, k).into_iter().enumerate().map(cell)
    };
    (0..k).flat_map(row).collect()
}

fn mean_confusion(params: &CrowdParams) -> Vec<f64> {
    let Effects { mean_confusion, scale, .. } = &params.effects;
    if !mean_confusion.is_empty() {
        return mean_confusion.clone();
    }
    let k = params.n_classes as usize;
    match scale {
        Scale::Ordinal => even_matrix(*scale, params.skill, k),
        Scale::Nominal => {
            // Written out, so that a default crowd stays the same to the last bit.
            let wrong = (1.0 - params.skill) / f64::from(params.n_classes - 1);
            (0..k * k).map(|at| if at / k == at % k { params.skill } else { wrong }).collect()
        }
    }
}

fn draw_matrix(
    rng: &mut Rng,
    params: &CrowdParams,
    mean: &[f64],
    kind: VolunteerKind,
    matrix: &mut [f64],
) {
    let k = params.n_classes as usize;
    let (a, b) = match kind {
        VolunteerKind::Plain => {
            for (row, mean) in matrix.chunks_exact_mut(k).zip(mean.chunks_exact(k)) {
                draws::dirichlet(rng, mean.iter().map(|m| params.concentration * m), row);
            }
            return;
        }
        VolunteerKind::Spammer => {
            let (first, rest) = matrix.split_at_mut(k);
            draws::dirichlet(rng, (0..k).map(|_| SPAM_SHAPE), first);
            rest.chunks_exact_mut(k).for_each(|row| row.copy_from_slice(first));
            return;
        }
        VolunteerKind::Expert => (40.0, 3.0),
        VolunteerKind::Typical | VolunteerKind::Optimist => (12.0, 4.0),
        VolunteerKind::Confuser => (14.0, 4.0),
    };
    let right = draws::beta(rng, a, b);
    let scale = params.effects.scale;
    for (truth, row) in matrix.chunks_exact_mut(k).enumerate() {
        let shares = wrong_shares(scale, truth, k);
        let shapes = shares.iter().map(|s| WRONG_SHAPE * (k - 1) as f64 * s);
        let mut wrong = vec![0.0; k - 1];
        draws::dirichlet(rng, shapes.filter(|s| *s > 0.0).collect::<Vec<_>>().into_iter(), &mut wrong);
        let mut wrong = wrong.into_iter();
        for (l, cell) in row.iter_mut().enumerate() {
            *cell = if l == truth { right } else { (1.0 - right) * wrong.next().unwrap_or(0.0) };
        }
    }
    match kind {
        VolunteerKind::Confuser => {
            let i = rng.random_range(0..k);
            let j = (i + rng.random_range(1..k)) % k;
            move_part(matrix, k, (i, j), MIXED_UP);
            move_part(matrix, k, (j, i), MIXED_UP);
        }
        VolunteerKind::Optimist => {
            for row in matrix.chunks_exact_mut(k) {
                row.iter_mut().for_each(|cell| *cell *= 1.0 - OPTIMISM);
                row[GOOD] += OPTIMISM;
            }
        }
        _ => {}
    }
}

/// Moves a part of the right answers to `from` over to `to`.
fn move_part(matrix: &mut [f64], k: usize, (from, to): (usize, usize), part: f64) {
    let moved = part * matrix[from * k + from];
    matrix[from * k + from] -= moved;
    matrix[from * k + to] += moved;
}

fn share_bias(params: &CrowdParams, kind: &[VolunteerKind], confusion: &mut [f64]) -> Vec<bool> {
    let Some(bias) = params.effects.shared_bias else { return vec![false; kind.len()] };
    let k = params.n_classes as usize;
    let rng = &mut stream(params.seed, "simulate bias");
    let mut shares = Vec::with_capacity(kind.len());
    for (matrix, kind) in confusion.chunks_exact_mut(k * k).zip(kind) {
        let is_in = rng.random::<f64>() < bias.share && *kind != VolunteerKind::Spammer;
        if is_in {
            move_part(matrix, k, (bias.from as usize, bias.to as usize), bias.strength);
        }
        shares.push(is_in);
    }
    shares
}
