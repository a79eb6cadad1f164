//! The step that judges items, by products of chances instead of sums of logs.
//!
//! No logarithm of a cell and no exponential of an item is needed, and the processor, which mostly waits
//! for rows that are in no cache, reads those of several items at once. A product of many chances is less
//! than the least number: after each block of votes its exponent is set aside, class by class, which loses
//! no digit. Where a block's chances are too small even so, logs it is.

use rayon::prelude::*;

use crate::skill::ballots::{Ballots, NO_GOLD};
use crate::skill::em::{self, ITEMS, softmax};

/// Votes that are multiplied before exponents are set aside.
const BLOCK: usize = 16;
/// Below this a product may have lost digits.
const LEAST: f64 = 1e-290;

/// Posteriors of all items from rows of chances `[n_slots][K]` and the prevalence; returns the
/// log-likelihood: for items without known answer log Σ_k π_k Π C, for gold ones log Π C of their class.
///
/// Where votes have weights, or there are more classes than code was made for, the rows become logs.
pub(crate) fn judge(
    ballots: &Ballots,
    rows: &mut [f64],
    prevalence: &[f64],
    posterior: &mut [f64],
) -> f64 {
    match ballots.n_classes() {
        _ if ballots.is_weighted() => judge_logs(ballots, rows, prevalence, posterior),
        1 => judge_k::<1>(ballots, rows, prevalence, posterior),
        2 => judge_k::<2>(ballots, rows, prevalence, posterior),
        3 => judge_k::<3>(ballots, rows, prevalence, posterior),
        4 => judge_k::<4>(ballots, rows, prevalence, posterior),
        5 => judge_k::<5>(ballots, rows, prevalence, posterior),
        6 => judge_k::<6>(ballots, rows, prevalence, posterior),
        _ => judge_logs(ballots, rows, prevalence, posterior),
    }
}

/// The same by sums of logs; leaves the logs in `rows`.
pub(crate) fn judge_logs(
    ballots: &Ballots,
    rows: &mut [f64],
    prevalence: &[f64],
    posterior: &mut [f64],
) -> f64 {
    rows.par_iter_mut().with_min_len(1 << 12).for_each(|c| *c = c.ln());
    let log_prevalence: Vec<f64> = prevalence.iter().map(|p| p.ln()).collect();
    em::judge(ballots, rows, &log_prevalence, posterior)
}

fn judge_k<const K: usize>(
    ballots: &Ballots,
    rows: &[f64],
    prevalence: &[f64],
    posterior: &mut [f64],
) -> f64 {
    let (rows, _) = rows.as_chunks::<K>();
    let prevalence: [f64; K] = std::array::from_fn(|k| prevalence[k]);
    let chunks = posterior.par_chunks_mut(ITEMS * K).enumerate();
    let parts: Vec<f64> = chunks
        .map(|(chunk, out)| {
            let mut sum = SumOfLogs::default();
            for (item, out) in (chunk * ITEMS..).zip(out.as_chunks_mut::<K>().0) {
                let (slots, gold) = (ballots.slots_of_item(item), ballots.gold(item));
                if !one(rows, slots, &prevalence, gold, out, &mut sum) {
                    sum.sum += by_logs(rows, slots, &prevalence, gold, out);
                }
            }
            sum.total()
        })
        .collect();
    parts.iter().sum()
}

/// Judges one item; says no, and nothing else, where the chances are too small to be multiplied.
#[inline]
fn one<const K: usize>(
    rows: &[[f64; K]],
    slots: &[u32],
    prevalence: &[f64; K],
    gold: u32,
    out: &mut [f64; K],
    sum: &mut SumOfLogs,
) -> bool {
    let mut product = [1.0; K];
    let mut exponent = 0;
    if slots.len() <= BLOCK {
        multiply(rows, slots, &mut product);
    } else if let Some((long, of_all)) = long(rows, slots) {
        (product, exponent) = (long, of_all);
    } else {
        return false;
    }
    let total = if gold == NO_GOLD {
        (0..K).for_each(|k| product[k] *= prevalence[k]);
        product.iter().sum::<f64>()
    } else {
        product[gold as usize]
    };
    // Classes that fell below are 10^90 times less likely than the others together, and may do so.
    if !(LEAST * 1e90..=f64::MAX).contains(&total) {
        return false;
    }
    sum.add(total, exponent);
    if gold == NO_GOLD {
        let scale = 1.0 / total;
        (0..K).for_each(|k| out[k] = product[k] * scale);
    } else {
        *out = [0.0; K];
        out[gold as usize] = 1.0;
    }
    true
}

#[inline]
fn multiply<const K: usize>(rows: &[[f64; K]], slots: &[u32], product: &mut [f64; K]) {
    for &slot in slots {
        let row = &rows[slot as usize];
        (0..K).for_each(|k| product[k] *= row[k]);
    }
}

/// The product of more than one block of votes, and the power of two that it is to be multiplied by.
fn long<const K: usize>(rows: &[[f64; K]], slots: &[u32]) -> Option<([f64; K], i32)> {
    let mut product = [1.0; K];
    let mut exponents = [0; K];
    for block in slots.chunks(BLOCK) {
        multiply(rows, block, &mut product);
        for (p, exponent) in product.iter_mut().zip(&mut exponents) {
            if !(LEAST..=f64::MAX).contains(p) {
                return None;
            }
            *exponent += exponent_of(*p);
            *p *= power_of_two(-exponent_of(*p));
        }
    }
    let most = exponents.into_iter().max()?;
    (0..K).for_each(|k| product[k] *= power_of_two(exponents[k] - most));
    Some((product, most))
}

/// The exponent of a positive number that is neither tiny nor infinite.
fn exponent_of(x: f64) -> i32 {
    (x.to_bits() >> 52) as i32 - 1023
}

/// 2^e; 0 where that is tiny.
fn power_of_two(e: i32) -> f64 {
    if e < -1022 { 0.0 } else { f64::from_bits(((e + 1023) as u64) << 52) }
}

#[cold]
fn by_logs<const K: usize>(
    rows: &[[f64; K]],
    slots: &[u32],
    prevalence: &[f64; K],
    gold: u32,
    out: &mut [f64; K],
) -> f64 {
    let mut logs = [0.0; K];
    for &slot in slots {
        (0..K).for_each(|k| logs[k] += rows[slot as usize][k].ln());
    }
    if gold != NO_GOLD {
        *out = [0.0; K];
        out[gold as usize] = 1.0;
        return logs[gold as usize];
    }
    (0..K).for_each(|k| logs[k] += prevalence[k].ln());
    softmax(&logs, out)
}

/// A sum of logs, of which few are taken: factors are multiplied as long as there is room.
struct SumOfLogs {
    product: f64,
    exponent: i64,
    sum: f64,
}

impl Default for SumOfLogs {
    fn default() -> Self {
        Self { product: 1.0, exponent: 0, sum: 0.0 }
    }
}

impl SumOfLogs {
    /// Adds log(x · 2^exponent).
    #[inline]
    fn add(&mut self, x: f64, exponent: i32) {
        let product = self.product * x;
        self.exponent += i64::from(exponent);
        if product > 1e-280 && product < 1e280 {
            self.product = product;
        } else {
            self.sum += self.product.ln();
            self.product = x;
        }
    }

    fn total(&self) -> f64 {
        self.sum + self.product.ln() + self.exponent as f64 * std::f64::consts::LN_2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skill::ballots::Columns;
    use proptest::prelude::*;

    /// Each volunteer votes once on each item; rows by volunteer.
    fn agree(rows: &[[f64; 3]], n_items: usize, gold: u32) {
        let n = rows.len();
        let ballots = Ballots::new(Columns {
            n_items,
            n_volunteers: n,
            n_classes: 3,
            item: (0..n_items * n).map(|at| (at / n) as u32).collect(),
            volunteer: (0..n_items * n).map(|at| (at % n) as u32).collect(),
            label: vec![0; n_items * n],
            ..Columns::default()
        })
        .unwrap();
        let ballots = ballots.with_gold(vec![gold; n_items]).unwrap();
        let prevalence = [0.2, 0.3, 0.5];
        let mut flat: Vec<f64> = rows.as_flattened().to_vec();
        let (mut found, mut expected) = (vec![0.0; n_items * 3], vec![0.0; n_items * 3]);
        let found_sum = judge(&ballots, &mut flat, &prevalence, &mut found);
        let sum = judge_logs(&ballots, &mut flat, &prevalence, &mut expected);
        let is_close = |a: f64, b: f64| a == b || (a - b).abs() <= 1e-12 * b.abs().max(1.0);
        assert!(is_close(found_sum, sum), "{found_sum} is not {sum}");
        for (a, b) in found.iter().zip(&expected) {
            assert!((a - b).abs() <= 1e-11, "{found:?} is not {expected:?}");
        }
    }

    #[test]
    fn neither_many_votes_nor_small_chances_are_lost() {
        for gold in [NO_GOLD, 0, 2] {
            for n in [0, 1, BLOCK, BLOCK + 1, 40, 5000] {
                agree(&vec![[0.2, 0.1, 0.3]; n], 3, gold);
                agree(&vec![[1e-15, 1e-9, 1e-18]; n], 3, gold);
                agree(&vec![[1e-100, 1e-99, 1e-102]; n], 3, gold);
            }
            // A class that falls far behind and comes back.
            let mut rows = vec![[0.9, 1e-17, 0.5]; 64];
            rows.extend([[1e-17, 0.9, 0.5]; 64]);
            agree(&rows, 2, gold);
            agree(&[[f64::MIN_POSITIVE, 1.0, 0.1], [1.0, f64::MIN_POSITIVE, 0.1]], 2, gold);
        }
        agree(&[[0.0, 0.5, 0.5]], 1, NO_GOLD);
        agree(&[[0.0; 3]], 1, NO_GOLD);
    }

    proptest! {
        #[test]
        fn products_are_what_logs_give(
            chances in prop::collection::vec(prop::array::uniform3(-30.0..0.0_f64), 0..60),
            gold in prop::sample::select(vec![NO_GOLD, 1]),
        ) {
            let rows: Vec<[f64; 3]> = chances.iter().map(|c| c.map(f64::exp)).collect();
            agree(&rows, 2, gold);
        }
    }
}
