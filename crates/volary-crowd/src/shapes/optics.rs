//! OPTICS: marks in the order in which density reaches them, and clusters as valleys of that order.
//!
//! Ankerst, Breunig, Kriegel & Sander 1999 (doi:10.1145/304181.304187), the ξ-steep extraction of their
//! Figure 19, with the corrections of its Definitions 9 and 11 that scikit-learn makes and the predecessor
//! correction of Schubert & Gertz 2018. Labels are those of scikit-learn 1.6 (a golden test says so).
//!
//! Our own and not a library's: `petal-clustering` 0.14 cuts the order at one distance, and
//! `linfa-clustering` 0.8 stops at the order; neither finds valleys.

use volary_core::hdbscan::core_distances;

/// What is asked of OPTICS.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Optics {
    /// A mark's core distance is that to its so-manieth nearest, itself the first; at least 2.
    pub min_samples: usize,
    /// Smaller clusters are noise; at least 2.
    pub min_cluster_size: usize,
    /// How steep a wall must be: a step down to (1 − ξ) of the height before, or up from it.
    pub xi: f64,
}

/// Clusters of `n` marks; `None` is noise.
pub fn optics(n: usize, distance: &impl Fn(usize, usize) -> f64, params: &Optics) -> Vec<Option<u32>> {
    optics_by(n, distance, distance, params)
}

/// The same with one distance for the core and another for the reach: scikit-learn rounds the two
/// differently, and where distances tie, that decides.
pub(super) fn optics_by(
    n: usize,
    core: &impl Fn(usize, usize) -> f64,
    reach: &impl Fn(usize, usize) -> f64,
    params: &Optics,
) -> Vec<Option<u32>> {
    let mut labels = vec![None; n];
    if n == 0 || n < params.min_samples.max(2) || n < params.min_cluster_size {
        return labels;
    }
    let plot = Plot::new(n, core, reach, params.min_samples);
    let mut next = 0;
    // Smaller valleys come before those that hold them.
    for (start, end) in plot.valleys(params) {
        let inside = &plot.order[start..=end];
        if inside.iter().all(|&i| labels[i].is_none()) {
            inside.iter().for_each(|&i| labels[i] = Some(next));
            next += 1;
        }
    }
    labels
}

/// Marks in order, with the height at which each was reached, and from which mark.
struct Plot {
    order: Vec<usize>,
    /// Heights in order, and an infinite one behind the last.
    height: Vec<f64>,
    /// In order; `None` where a mark was not reached from another.
    from: Vec<Option<usize>>,
}

/// A wall down, and the highest place seen since.
struct Descent {
    start: usize,
    end: usize,
    highest_since: f64,
}

/// Fifteen decimals, as scikit-learn keeps them, so that equal distances stay equal.
fn rounded(x: f64) -> f64 {
    let scaled = x * 1e15;
    if scaled.is_finite() { scaled.round_ties_even() / 1e15 } else { x }
}

impl Plot {
    fn new(
        n: usize,
        core: &impl Fn(usize, usize) -> f64,
        between: &impl Fn(usize, usize) -> f64,
        min_samples: usize,
    ) -> Self {
        let core: Vec<f64> = core_distances(n, core, min_samples).into_iter().map(rounded).collect();
        let mut reach = vec![f64::INFINITY; n];
        let mut from = vec![None; n];
        let mut is_done = vec![false; n];
        let mut order = Vec::with_capacity(n);
        for _ in 0..n {
            let open = (0..n).filter(|&i| !is_done[i]);
            let lowest = open.reduce(|best, i| if reach[i] < reach[best] { i } else { best });
            let Some(current) = lowest else { break };
            is_done[current] = true;
            order.push(current);
            if core[current].is_infinite() {
                continue;
            }
            for j in (0..n).filter(|&j| !is_done[j]) {
                let through = rounded(between(current, j).max(core[current]));
                if through < reach[j] {
                    reach[j] = through;
                    from[j] = Some(current);
                }
            }
        }
        let height = order.iter().map(|&i| reach[i]).chain([f64::INFINITY]).collect();
        let from = order.iter().map(|&i| from[i]).collect();
        Self { order, height, from }
    }

    /// First and last place of every valley.
    fn valleys(&self, params: &Optics) -> Vec<(usize, usize)> {
        let n = self.order.len();
        let keep = 1.0 - params.xi;
        let ratio: Vec<f64> = (0..n).map(|i| self.height[i] / self.height[i + 1]).collect();
        let is_up = |i: usize| ratio[i] <= keep;
        let is_down = |i: usize| ratio[i] >= 1.0 / keep;
        let mut descents: Vec<Descent> = Vec::new();
        let mut valleys = Vec::new();
        let (mut at, mut highest) = (0, 0.0_f64);
        for steep in 0..n {
            if steep < at || !(is_up(steep) || is_down(steep)) {
                continue;
            }
            highest = self.height[at..=steep].iter().fold(highest, |h, &x| h.max(x));
            self.keep_open(&mut descents, highest, keep);
            if is_down(steep) {
                let end = extend(steep, n, params.min_samples, &is_down, &|i| ratio[i] < 1.0);
                descents.push(Descent { start: steep, end, highest_since: 0.0 });
                at = end + 1;
            } else {
                let end = extend(steep, n, params.min_samples, &is_up, &|i| ratio[i] > 1.0);
                at = end + 1;
                let found = descents.iter().filter_map(|d| self.valley(d, (steep, end), keep, params));
                let mut found: Vec<_> = found.collect();
                found.reverse();
                valleys.extend(found);
            }
            highest = self.height[at];
        }
        valleys
    }

    /// Drops descents that a later height has passed.
    fn keep_open(&self, descents: &mut Vec<Descent>, highest: f64, keep: f64) {
        if highest.is_infinite() {
            descents.clear();
        }
        descents.retain(|d| highest <= self.height[d.start] * keep);
        for d in descents {
            d.highest_since = d.highest_since.max(highest);
        }
    }

    /// The valley between a descent and an ascent, where there is one.
    fn valley(
        &self,
        down: &Descent,
        (up_start, up_end): (usize, usize),
        keep: f64,
        params: &Optics,
    ) -> Option<(usize, usize)> {
        let (mut start, mut end) = (down.start, up_end);
        let (brim_left, brim_right) = (self.height[down.start], self.height[up_end + 1]);
        if brim_right * keep < down.highest_since {
            return None;
        }
        if brim_left * keep >= brim_right {
            while self.height[start + 1] > brim_right && start < down.end {
                start += 1;
            }
        } else if brim_right * keep >= brim_left {
            while end > up_start && self.height[end - 1] > brim_left {
                end -= 1;
            }
        }
        let (start, end) = self.corrected(start, end)?;
        let is_valley =
            end - start + 1 >= params.min_cluster_size && start <= down.end && end >= up_start;
        is_valley.then_some((start, end))
    }

    /// Moves the end back to a mark that was reached from within.
    fn corrected(&self, start: usize, mut end: usize) -> Option<(usize, usize)> {
        while start < end {
            let is_within = self.from[end].is_some_and(|f| self.order[start..end].contains(&f));
            if self.height[start] > self.height[end] || is_within {
                return Some((start, end));
            }
            end -= 1;
        }
        None
    }
}

/// The last place of a wall that begins at `start`: it goes on over at most `patience` places that do not
/// rise (or fall) steeply, and ends where the slope turns.
fn extend(
    start: usize,
    n: usize,
    patience: usize,
    is_steep: &impl Fn(usize) -> bool,
    is_turned: &impl Fn(usize) -> bool,
) -> usize {
    let (mut end, mut flat) = (start, 0);
    for i in start..n {
        if is_steep(i) {
            flat = 0;
            end = i;
        } else if is_turned(i) {
            break;
        } else {
            flat += 1;
            if flat > patience {
                break;
            }
        }
    }
    end
}
