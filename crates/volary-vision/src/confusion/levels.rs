//! How wide an interval of a fraction has to be drawn so that it holds as often as it says: measured on votes
//! that were not learned from (split conformal prediction, Vovk et al. 2005, within bins of the prediction).
//!
//! A network is wrong now and then by more than any normal spread allows, and rarely where it is sure: one
//! spread for all makes every interval too wide. So the distribution of a fraction is taken as it is, and asked at
//! which *nominal level* its central interval would just have held what volunteers then said. Of these
//! levels, bin by bin, the quantile at the wanted confidence is the nominal level to draw at. For new pictures like
//! the held-out ones, the interval then holds at least as often as it says, whatever the network is worth;
//! it holds more often where votes are so alike that the narrowest interval already does.

use serde::{Deserialize, Serialize};

/// Predicted probabilities at which bins end.
const EDGES: [f64; 6] = [0.02, 0.1, 0.3, 0.7, 0.9, 0.98];
/// Levels of a bin are kept at so many steps of the confidence.
const STEPS: usize = 200;
/// A bin of fewer votes says nothing; intervals there are drawn at the confidence itself.
const LEAST_CELLS: usize = 30;
/// An interval at just the level that it needs does not hold; rounding must not decide.
const ABOVE: f64 = 1e-9;

/// What one vote asks of an interval: the predicted probability, and the nominal level at which the interval just
/// holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Needed {
    pub(crate) probability: f64,
    pub(crate) level: f64,
}

/// Nominal levels by bin of the predicted probability and by confidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Levels {
    /// For each bin, the level at each step of the confidence; empty where there were too few votes.
    bins: Vec<Vec<f64>>,
}

fn bin(probability: f64) -> usize {
    EDGES.iter().take_while(|edge| probability >= **edge).count()
}

impl Levels {
    /// The levels that these votes ask for.
    pub(crate) fn of(needed: &[Needed]) -> Self {
        let mut bins = vec![Vec::new(); EDGES.len() + 1];
        for one in needed {
            bins[bin(one.probability)].push(one.level);
        }
        Self { bins: bins.into_iter().map(quantiles).collect() }
    }

    /// The level to draw the interval at.
    pub(crate) fn nominal(&self, probability: f64, confidence: f64) -> f64 {
        let at = ((confidence * STEPS as f64) - ABOVE).ceil().clamp(0.0, STEPS as f64) as usize;
        let level = self.bins.get(bin(probability)).and_then(|levels| levels.get(at));
        level.map_or(confidence, |level| (level + ABOVE).min(1.0))
    }
}

fn quantiles(mut levels: Vec<f64>) -> Vec<f64> {
    if levels.len() < LEAST_CELLS {
        return Vec::new();
    }
    levels.sort_unstable_by(f64::total_cmp);
    let n = levels.len();
    // The one vote more is that of the picture to come: of n + 1 votes in any order it is as probably each.
    let rank = |step: usize| ((n + 1) as f64 * step as f64 / STEPS as f64 - ABOVE).ceil() as usize;
    (0..=STEPS).map(|step| if rank(step) > n { 1.0 } else { levels[rank(step).max(1) - 1] }).collect()
}

/// The share of votes that lie in their interval, where the levels are those of every other picture's votes and
/// the intervals are those of the rest, both ways. `None` for too few votes.
pub(crate) fn coverage(needed: &[Needed], n_classes: usize, confidence: f64) -> Option<f64> {
    let halves: [Vec<Needed>; 2] = [0, 1].map(|half| {
        let pictures = needed.chunks_exact(n_classes.max(1)).skip(half).step_by(2);
        pictures.flatten().copied().collect()
    });
    if halves.iter().any(|half| half.len() < LEAST_CELLS) {
        return None;
    }
    let inside = |levels: &[Needed], judged: &[Needed]| {
        let levels = Levels::of(levels);
        judged.iter().filter(|one| one.level < levels.nominal(one.probability, confidence)).count()
    };
    let n = inside(&halves[0], &halves[1]) + inside(&halves[1], &halves[0]);
    Some(n as f64 / (halves[0].len() + halves[1].len()) as f64)
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;

    use super::*;
    use crate::confusion::interval::{Chances, sigmoid};

    /// Votes of crowds whose logit is far from the predicted one now and then: a spread of 0.2, one in twenty 3.
    fn votes(n: usize, seed: u64) -> Vec<Needed> {
        let mut rng = volary_core::seed::stream(seed, "levels");
        let normals = crate::random::normals(2 * n, &mut rng);
        (0..n)
            .map(|i| {
                let logit = 2.5 * f64::from(normals[2 * i]);
                let sd = if i % 20 == 0 { 3.0 } else { 0.2 };
                let p = sigmoid(logit + sd * f64::from(normals[2 * i + 1]));
                let votes = (0..50).filter(|_| rng.random::<f64>() < p).count();
                // The network believes in one spread for all.
                let chances = Chances::of_binomial(logit, 0.7, 50);
                Needed { probability: sigmoid(logit), level: chances.level_of(votes) }
            })
            .collect()
    }

    #[test]
    fn intervals_hold_as_often_as_they_say_in_every_bin_whatever_the_spread_is() {
        let levels = Levels::of(&votes(20_000, 1));
        let fresh = votes(20_000, 2);
        for confidence in [0.5, 0.8, 0.9, 0.95] {
            let mut all = vec![(0, 0); EDGES.len() + 1];
            for one in &fresh {
                let (inside, n) = &mut all[bin(one.probability)];
                *inside += usize::from(one.level < levels.nominal(one.probability, confidence));
                *n += 1;
            }
            for (at, (inside, n)) in all.into_iter().enumerate() {
                let (share, n) = (f64::from(inside as u32) / f64::from(n), f64::from(n));
                let error = 4.0 * (confidence * (1.0 - confidence) / n).sqrt();
                assert!(share > confidence - error, "bin {at} at {confidence}: {share}");
                // In the middle, where counts are many, it holds hardly more often.
                assert!(!(2..=4).contains(&at) || share < confidence + 0.05 + error, "{at}: {share}");
            }
        }
        let share = coverage(&fresh, 1, 0.9).unwrap();
        assert!((0.895..0.95).contains(&share), "{share}");
    }

    #[test]
    fn too_few_votes_leave_an_interval_as_it_is() {
        let few = votes(LEAST_CELLS - 1, 3);
        assert_eq!(coverage(&few, 1, 0.9), None);
        assert!((Levels::of(&few).nominal(0.5, 0.9) - 0.9).abs() < 1e-12);
        // Thirty votes cannot promise 99 %: all counts are inside.
        let same = vec![Needed { probability: 0.5, level: 0.3 }; 30];
        assert!((Levels::of(&same).nominal(0.5, 0.9) - 0.3).abs() < 1e-8);
        assert!((Levels::of(&same).nominal(0.5, 0.99) - 1.0).abs() < 1e-12);
    }
}
