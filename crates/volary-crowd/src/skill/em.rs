//! The two steps that all matrix models share: judge the items by the rows of their voters, and add up
//! the items' posteriors into the rows.
//!
//! A model differs only in how it turns the added-up rows into logs of chances. Work is cut into chunks
//! whose size does not depend on the number of threads, and partial sums are added in order: the same
//! bytes on any machine of the same arithmetic.

use std::ops::Range;

use rayon::prelude::*;

use crate::skill::ballots::{Ballots, NO_GOLD};

/// Items per piece of work.
pub(crate) const ITEMS: usize = 1 << 11;
/// Volunteers per piece of work; their slots are cut between.
const VOLUNTEERS: usize = 1 << 7;
/// Slots beyond which a piece of work is cut earlier.
const SLOTS: usize = 1 << 11;

/// Shares of the votes: where every model starts. Gold items stand at their class; items that nobody
/// voted on (a machine did) start even.
pub(crate) fn vote_shares(ballots: &Ballots) -> Vec<f64> {
    let k = ballots.n_classes();
    let person = ballots.person_slots();
    let mut posterior = vec![0.0; ballots.n_items() * k];
    if k == 0 {
        return posterior;
    }
    posterior.par_chunks_mut(ITEMS * k).enumerate().for_each(|(chunk, rows)| {
        for (at, row) in rows.chunks_exact_mut(k).enumerate() {
            let item = chunk * ITEMS + at;
            match ballots.gold(item) {
                NO_GOLD => {
                    ballots.count_into(item, row, &person);
                    let total: f64 = row.iter().sum();
                    let even = 1.0 / k as f64;
                    row.iter_mut().for_each(|p| *p = if total > 0.0 { *p / total } else { even });
                }
                gold => row[gold as usize] = 1.0,
            }
        }
    });
    posterior
}

/// Posteriors of all items from log rows `[n_slots][K]` and log prevalence; returns the log-likelihood:
/// for items without known answer log Σ_k π_k Π C, for gold ones log Π C of their class.
pub(crate) fn judge(
    ballots: &Ballots,
    log_rows: &[f64],
    log_prior: &[f64],
    posterior: &mut [f64],
) -> f64 {
    match ballots.n_classes() {
        0 => 0.0,
        1 => judge_k::<1>(ballots, log_rows, log_prior, posterior),
        2 => judge_k::<2>(ballots, log_rows, log_prior, posterior),
        3 => judge_k::<3>(ballots, log_rows, log_prior, posterior),
        4 => judge_k::<4>(ballots, log_rows, log_prior, posterior),
        5 => judge_k::<5>(ballots, log_rows, log_prior, posterior),
        6 => judge_k::<6>(ballots, log_rows, log_prior, posterior),
        k => {
            let work = posterior.par_chunks_mut(ITEMS * k).enumerate();
            let parts: Vec<f64> = work
                .map(|(chunk, rows)| {
                    let items = rows.chunks_exact_mut(k).enumerate();
                    items
                        .map(|(at, row)| {
                            judge_any(ballots, log_rows, log_prior, chunk * ITEMS + at, row)
                        })
                        .sum::<f64>()
                })
                .collect();
            parts.iter().sum()
        }
    }
}

/// The same with a number of classes that the compiler knows: half the time.
fn judge_k<const K: usize>(
    ballots: &Ballots,
    log_rows: &[f64],
    log_prior: &[f64],
    posterior: &mut [f64],
) -> f64 {
    let (rows, _) = log_rows.as_chunks::<K>();
    let prior: [f64; K] = std::array::from_fn(|k| log_prior[k]);
    let weighted = ballots.is_weighted();
    let parts: Vec<f64> = posterior
        .par_chunks_mut(ITEMS * K)
        .enumerate()
        .map(|(chunk, out)| {
            let mut total = 0.0;
            for (at, out) in out.chunks_exact_mut(K).enumerate() {
                let item = chunk * ITEMS + at;
                let mut sum = [0.0; K];
                if weighted {
                    for vote in ballots.votes_of(item) {
                        let (slot, weight) = ballots.vote(vote);
                        (0..K).for_each(|k| sum[k] += weight * rows[slot][k]);
                    }
                } else {
                    for &slot in ballots.slots_of_item(item) {
                        let row = &rows[slot as usize];
                        (0..K).for_each(|k| sum[k] += row[k]);
                    }
                }
                total += close(&mut sum, &prior, ballots.gold(item), out);
            }
            total
        })
        .collect();
    parts.iter().sum()
}

fn judge_any(
    ballots: &Ballots,
    log_rows: &[f64],
    log_prior: &[f64],
    item: usize,
    out: &mut [f64],
) -> f64 {
    let k = log_prior.len();
    let mut sum = vec![0.0; k];
    for vote in ballots.votes_of(item) {
        let (slot, weight) = ballots.vote(vote);
        let row = &log_rows[slot * k..(slot + 1) * k];
        sum.iter_mut().zip(row).for_each(|(s, r)| *s += weight * r);
    }
    close(&mut sum, log_prior, ballots.gold(item), out)
}

/// From summed logs to a posterior; returns the item's part of the log-likelihood.
fn close(sum: &mut [f64], log_prior: &[f64], gold: u32, out: &mut [f64]) -> f64 {
    if gold != NO_GOLD {
        out.fill(0.0);
        out[gold as usize] = 1.0;
        return sum[gold as usize];
    }
    sum.iter_mut().zip(log_prior).for_each(|(s, p)| *s += p);
    softmax(sum, out)
}

/// exp(s − log Σ exp s) into `out`; returns log Σ exp s.
pub(crate) fn softmax(sum: &[f64], out: &mut [f64]) -> f64 {
    let top = sum.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !top.is_finite() {
        // Every class is impossible: nothing is known, and nothing may become NaN.
        out.fill(1.0 / out.len().max(1) as f64);
        return top;
    }
    let mut total = 0.0;
    for (out, s) in out.iter_mut().zip(sum) {
        *out = (s - top).exp();
        total += *out;
    }
    let scale = 1.0 / total;
    out.iter_mut().for_each(|p| *p *= scale);
    top + total.ln()
}

/// Adds the posteriors of a slot's items into its row.
pub(crate) fn add_slot(ballots: &Ballots, posterior: &[f64], slot: usize, row: &mut [f64]) {
    let k = row.len();
    row.fill(0.0);
    if ballots.is_weighted() {
        for (item, weight) in ballots.items_of(slot) {
            let q = &posterior[item * k..(item + 1) * k];
            row.iter_mut().zip(q).for_each(|(r, q)| *r += weight * q);
        }
        return;
    }
    match k {
        2 => add_slot_k::<2>(ballots, posterior, slot, row),
        3 => add_slot_k::<3>(ballots, posterior, slot, row),
        4 => add_slot_k::<4>(ballots, posterior, slot, row),
        5 => add_slot_k::<5>(ballots, posterior, slot, row),
        6 => add_slot_k::<6>(ballots, posterior, slot, row),
        _ => {
            for &item in ballots.items_of_slot(slot) {
                let q = &posterior[item as usize * k..(item as usize + 1) * k];
                row.iter_mut().zip(q).for_each(|(r, q)| *r += q);
            }
        }
    }
}

fn add_slot_k<const K: usize>(ballots: &Ballots, posterior: &[f64], slot: usize, row: &mut [f64]) {
    let (posterior, _) = posterior.as_chunks::<K>();
    let mut sum = [0.0; K];
    for &item in ballots.items_of_slot(slot) {
        let q = &posterior[item as usize];
        (0..K).for_each(|k| sum[k] += q[k]);
    }
    row.copy_from_slice(&sum);
}

/// Pieces of work over volunteers, each with the rows of its slots.
pub(crate) fn by_volunteers<'a>(
    ballots: &Ballots,
    mut rows: &'a mut [f64],
) -> Vec<(Range<usize>, &'a mut [f64])> {
    let k = ballots.n_classes();
    let mut work = Vec::new();
    let mut start = 0;
    while start < ballots.n_volunteers() {
        let first = ballots.slots_of(start).start;
        let mut end = start + 1;
        while end < ballots.n_volunteers()
            && end - start < VOLUNTEERS
            && ballots.slots_of(end).end - first <= SLOTS
        {
            end += 1;
        }
        let (own, rest) = rows.split_at_mut((ballots.slots_of(end - 1).end - first) * k);
        work.push((start..end, own));
        (rows, start) = (rest, end);
    }
    work
}

/// Soft counts `[n_slots][K]`: how often a volunteer gave a label to items of each class.
pub(crate) fn count(ballots: &Ballots, posterior: &[f64], rows: &mut [f64]) {
    each_volunteer(ballots, rows, |w, own| {
        let k = ballots.n_classes();
        for (slot, row) in ballots.slots_of(w).zip(own.chunks_exact_mut(k)) {
            add_slot(ballots, posterior, slot, row);
        }
    });
}

/// Runs `f(volunteer, rows of their slots)` for every volunteer, in parallel.
pub(crate) fn each_volunteer(ballots: &Ballots, rows: &mut [f64], f: impl Fn(usize, &mut [f64]) + Sync) {
    let k = ballots.n_classes();
    if k == 0 {
        return;
    }
    by_volunteers(ballots, rows).into_par_iter().for_each(|(volunteers, mut rows)| {
        for w in volunteers {
            let (own, rest) = rows.split_at_mut(ballots.slots_of(w).len() * k);
            f(w, own);
            rows = rest;
        }
    });
}

/// Sum of the posteriors over items without known answer, and their number; over all items where every
/// answer is known. Gold sets are often picked for rare classes, so they say nothing of prevalence.
pub(crate) fn class_totals(ballots: &Ballots, posterior: &[f64]) -> (Vec<f64>, f64) {
    let k = ballots.n_classes();
    let all_gold = ballots.golds().iter().all(|&g| g != NO_GOLD);
    let parts: Vec<(Vec<f64>, f64)> = posterior
        .par_chunks(ITEMS * k.max(1))
        .enumerate()
        .map(|(chunk, rows)| {
            let (mut totals, mut n) = (vec![0.0; k], 0.0);
            for (at, row) in rows.chunks_exact(k.max(1)).enumerate() {
                if all_gold || ballots.gold(chunk * ITEMS + at) == NO_GOLD {
                    totals.iter_mut().zip(row).for_each(|(t, q)| *t += q);
                    n += 1.0;
                }
            }
            (totals, n)
        })
        .collect();
    let mut sums = (vec![0.0; k], 0.0);
    for (totals, n) in parts {
        sums.0.iter_mut().zip(&totals).for_each(|(s, t)| *s += t);
        sums.1 += n;
    }
    sums
}

/// The crowd's pooled counts `[true][given]`, people only.
pub(crate) fn pool(ballots: &Ballots, counts: &[f64]) -> Vec<f64> {
    let k = ballots.n_classes();
    let pieces: Vec<Range<usize>> = (0..ballots.n_volunteers())
        .step_by(VOLUNTEERS)
        .map(|start| start..(start + VOLUNTEERS).min(ballots.n_volunteers()))
        .collect();
    let parts: Vec<Vec<f64>> = pieces
        .into_par_iter()
        .map(|volunteers| {
            let mut sums = vec![0.0; k * k];
            for w in volunteers.filter(|&w| ballots.is_person(w)) {
                for slot in ballots.slots_of(w) {
                    let label = ballots.label(slot);
                    for (truth, count) in counts[slot * k..(slot + 1) * k].iter().enumerate() {
                        sums[truth * k + label] += count;
                    }
                }
            }
            sums
        })
        .collect();
    let mut sums = vec![0.0; k * k];
    for part in parts {
        sums.iter_mut().zip(&part).for_each(|(s, p)| *s += p);
    }
    sums
}

/// Whether two values of an objective are closer than `tolerance`, relative where they are large.
pub(crate) fn is_settled(before: f64, now: f64, tolerance: f64) -> bool {
    (now - before).abs() < tolerance * before.abs().max(1.0)
}
