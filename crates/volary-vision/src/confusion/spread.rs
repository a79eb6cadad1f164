//! How far a predicted logit is from the crowd's, beyond what the encoder's variance says: measured on
//! pictures that were not learned from, and added to the intervals.
//!
//! The votes of a picture are taken as binomial with a logit that is normal about the predicted one, its
//! variance that of the encoder and an extra one that is the same for all pictures and classes. The extra one
//! is that under which the votes are most probable. Only for classes that are a yes or no each; a
//! Dirichlet-multinomial network says its spread itself.

use rayon::prelude::*;
use volary_core::Pixels;

use crate::confusion::interval::{self, Chances, NODES};
use crate::confusion::labels::Labels;
use crate::confusion::levels::Needed;
use crate::confusion::model::Model;
use crate::error::VisionError;

/// Fewer votes than these say nothing of a spread.
const LEAST_CELLS: usize = 20;
/// The largest extra deviation of a logit that is tried; twice this covers all probabilities.
const LARGEST: f64 = 6.0;

/// A predicted logit, and what volunteers said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cell {
    pub(crate) logit: f64,
    /// Deviation of the logit as the encoder has it.
    pub(crate) sd: f64,
    pub(crate) n_seen: u32,
    pub(crate) n_votes: u32,
}

/// The cells of pictures, class by class within a picture; `None` where votes were never counted.
pub(crate) fn cells(
    model: &Model,
    pixels: &dyn Pixels,
    labels: &Labels,
    rows: &[usize],
    batch_size: usize,
) -> Result<Option<Vec<Cell>>, VisionError> {
    let mut cells = Vec::new();
    for batch in rows.chunks(batch_size) {
        for (row, logits) in batch.iter().zip(model.logits(pixels, batch)?) {
            let Some((n_seen, votes)) = labels.n_seen(*row).zip(labels.n_votes(*row)) else {
                return Ok(None);
            };
            let of_class = |((logit, sd), n_votes): (&(f64, f64), &u32)| Cell {
                logit: *logit,
                sd: *sd,
                n_seen,
                n_votes: *n_votes,
            };
            cells.extend(logits.iter().zip(votes).map(of_class));
        }
    }
    Ok(Some(cells))
}

/// The extra deviation under which the votes are most probable; `None` for too few of them.
pub(crate) fn fit(cells: &[Cell]) -> Option<f64> {
    if cells.len() < LEAST_CELLS {
        return None;
    }
    let surprise = |extra: f64| cells.iter().map(|cell| surprise(*cell, extra)).sum::<f64>();
    // Golden-section search; the likelihood has one hill in the deviation for all that was tried.
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (0.0, LARGEST);
    let (mut a, mut b) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut at_a, mut at_b) = (surprise(a), surprise(b));
    for _ in 0..24 {
        if at_a <= at_b {
            (high, b, at_b) = (b, a, at_a);
            a = high - ratio * (high - low);
            at_a = surprise(a);
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = low + ratio * (high - low);
            at_b = surprise(b);
        }
    }
    Some(f64::midpoint(low, high))
}

/// What each cell asks of an interval with this extra deviation.
pub(crate) fn needed(cells: &[Cell], extra: f64) -> Vec<Needed> {
    let of = |cell: &Cell| Needed {
        probability: interval::sigmoid(cell.logit),
        level: Chances::of_binomial(cell.logit, cell.sd.hypot(extra), cell.n_seen)
            .level_of(cell.n_votes as usize),
    };
    cells.par_iter().map(of).collect()
}

/// Minus the log-probability of the votes, without the number of their orders.
fn surprise(cell: Cell, extra: f64) -> f64 {
    let sd = cell.sd.hypot(extra);
    let (yes, no) = (f64::from(cell.n_votes), f64::from(cell.n_seen - cell.n_votes));
    let logs: Vec<f64> = NODES
        .iter()
        .map(|node| {
            let logit = cell.logit + sd * node;
            // log sigmoid(l) and log sigmoid(-l), so that none is the logarithm of zero.
            let log_sigmoid = |l: f64| if l > 0.0 { -(-l).exp().ln_1p() } else { l - l.exp().ln_1p() };
            yes * log_sigmoid(logit) + no * log_sigmoid(-logit)
        })
        .collect();
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    -(largest + logs.iter().map(|log| (log - largest).exp()).sum::<f64>().ln())
        + (NODES.len() as f64).ln()
}

/// A fraction drawn from the model of the cells; for tests.
#[cfg(test)]
fn drawn(logit: f64, sd: f64, n_seen: u32, normal: f64, rng: &mut volary_core::seed::Rng) -> u32 {
    use rand::RngExt as _;
    let p = interval::sigmoid(logit + sd * normal);
    (0..n_seen).filter(|_| rng.random::<f64>() < p).count() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::confusion::levels;

    fn simulated(n: usize, sd: f64, extra: f64, n_seen: u32) -> Vec<Cell> {
        let mut rng = volary_core::seed::stream(8, "spread");
        let normals = crate::random::normals(2 * n, &mut rng);
        (0..n)
            .map(|i| {
                let logit = 2.0 * f64::from(normals[2 * i]);
                let normal = f64::from(normals[2 * i + 1]);
                let n_votes = drawn(logit, sd.hypot(extra), n_seen, normal, &mut rng);
                Cell { logit, sd, n_seen, n_votes }
            })
            .collect()
    }

    #[test]
    fn the_extra_deviation_is_found_again_and_with_it_intervals_hold() {
        for extra in [0.0, 0.5, 1.5] {
            let cells = simulated(3000, 0.3, extra, 40);
            let found = fit(&cells).unwrap();
            assert!((found - extra).abs() < 0.12, "{found} for {extra}");
            let share = levels::coverage(&needed(&cells, found), 3, 0.9).unwrap();
            assert!((0.88..0.96).contains(&share), "{share} for {extra}");
        }
    }

    #[test]
    fn a_few_votes_say_nothing_of_a_spread() {
        assert_eq!(fit(&simulated(19, 0.3, 0.5, 10)), None);
    }
}
