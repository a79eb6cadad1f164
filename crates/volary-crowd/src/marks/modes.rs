//! Modes: features where most volunteers agree, one mark of each.
//!
//! Our own rule. Each mark asks how many *volunteers* have a mark whose midpoint lies within its reach;
//! the mark with the most (ties: the tightest, then the leftmost) becomes a centre. The centre moves to
//! the median of those midpoints, each volunteer's nearest mark within reach of it joins, and the
//! members leave the pool. Then the next centre, until no mark is left.
//!
//! - A stray mark cannot split a feature: it is simply out of reach, or one more member.
//! - Chains do not grow: reach is measured from the centre, not from member to member.
//! - The reach follows the width: [`REACH_WIDTHS`] times the median width of the marks around, at least
//!   [`MIN_REACH_SHARE`] of the tolerance and at most the tolerance. Volunteers place wide marks loosely
//!   and narrow marks tightly.
//! - A volunteer has at most one mark in a feature. A second one with its midpoint inside the feature is
//!   the same thing said twice and left out; any other starts a feature of its own.
//! - Bounds are medians of the members' bounds, so that one wide mark does not move them.
//!
//! The order of rows and volunteers plays no part. `docs/src/marks.md` shows the simulation by which the
//! rule was made the default.

use super::build::{Candidate, Group};

/// Reach in units of the median width of the marks around.
const REACH_WIDTHS: f64 = 1.0;
/// Smallest reach as a share of the tolerance.
const MIN_REACH_SHARE: f64 = 0.25;

/// Groups marks that are sorted by midpoint.
pub(crate) fn modes(sorted: &[Candidate], tolerance_days: f64) -> Vec<Group> {
    let mut pool = Pool::new(sorted, tolerance_days);
    let mut groups = Vec::new();
    while let Some(seed) = pool.best() {
        groups.push(pool.take(seed));
    }
    groups
}

/// Marks that belong to no feature yet.
struct Pool<'a> {
    sorted: &'a [Candidate],
    tolerance: f64,
    is_free: Vec<bool>,
    reach: Vec<f64>,
    // Per free mark: volunteers within its reach, and the sum of the distances to them.
    support: Vec<(usize, f64)>,
}

impl<'a> Pool<'a> {
    fn new(sorted: &'a [Candidate], tolerance: f64) -> Self {
        let mut pool = Self {
            sorted,
            tolerance,
            is_free: vec![true; sorted.len()],
            reach: vec![0.0; sorted.len()],
            support: vec![(0, 0.0); sorted.len()],
        };
        for at in 0..sorted.len() {
            let mut widths: Vec<f64> = pool
                .within(sorted[at].mid, tolerance)
                .map(|k| sorted[k].x_max - sorted[k].x_min)
                .collect();
            let width = median(&mut widths);
            pool.reach[at] = (REACH_WIDTHS * width).clamp(MIN_REACH_SHARE * tolerance, tolerance);
        }
        for at in 0..sorted.len() {
            pool.support[at] = pool.count(at);
        }
        pool
    }

    /// Indices of marks with midpoints within `reach` of `centre`.
    fn within(&self, centre: f64, reach: f64) -> std::ops::Range<usize> {
        let low = self.sorted.partition_point(|c| c.mid < centre && centre - c.mid > reach);
        let high = self.sorted.partition_point(|c| c.mid <= centre || c.mid - centre <= reach);
        low..high.max(low)
    }

    /// Each volunteer's nearest free mark within reach of a centre: (volunteer, distance, index).
    fn nearest(&self, centre: f64, reach: f64) -> Vec<(u32, f64, usize)> {
        let mut found: Vec<(u32, f64, usize)> = self
            .within(centre, reach)
            .filter(|&k| self.is_free[k])
            .map(|k| (self.sorted[k].volunteer, (self.sorted[k].mid - centre).abs(), k))
            .collect();
        found.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(&b.2)));
        found.dedup_by_key(|f| f.0);
        found
    }

    fn count(&self, at: usize) -> (usize, f64) {
        let found = self.nearest(self.sorted[at].mid, self.reach[at]);
        // Distances are added in order of position, which relabelling the volunteers does not change.
        let mut places: Vec<usize> = found.iter().map(|f| f.2).collect();
        places.sort_unstable();
        let centre = self.sorted[at].mid;
        (found.len(), places.iter().map(|&k| (self.sorted[k].mid - centre).abs()).sum())
    }

    fn best(&self) -> Option<usize> {
        (0..self.sorted.len()).filter(|&k| self.is_free[k]).min_by(|&a, &b| {
            let (x, y) = (self.support[a], self.support[b]);
            y.0.cmp(&x.0).then(x.1.total_cmp(&y.1)).then(a.cmp(&b))
        })
    }

    fn take(&mut self, seed: usize) -> Group {
        let reach = self.reach[seed];
        let around = self.nearest(self.sorted[seed].mid, reach);
        let mut mids: Vec<f64> = around.iter().map(|f| self.sorted[f.2].mid).collect();
        let mut members = self.nearest(median(&mut mids), reach);
        if members.is_empty() {
            // The median of an even number may lie in an empty middle; the seed is always a member.
            members = around;
        }
        let mut at: Vec<usize> = members.iter().map(|f| f.2).collect();
        at.sort_unstable();
        let group = self.group(&at);
        for &k in &at {
            self.is_free[k] = false;
        }
        self.drop_doubled(&members, &group);
        let (first, last) = (self.sorted[at[0]].mid, self.sorted[at[at.len() - 1]].mid);
        let touched = self.within(midway(first, last), (last - first) / 2.0 + 2.0 * self.tolerance);
        for k in touched {
            if self.is_free[k] {
                self.support[k] = self.count(k);
            }
        }
        group
    }

    fn group(&self, at: &[usize]) -> Group {
        let mut x_min: Vec<f64> = at.iter().map(|&k| self.sorted[k].x_min).collect();
        let mut x_max: Vec<f64> = at.iter().map(|&k| self.sorted[k].x_max).collect();
        let mut members: Vec<u32> = at.iter().map(|&k| self.sorted[k].mark).collect();
        members.sort_unstable();
        Group { serial: 0, x_min: median(&mut x_min), x_max: median(&mut x_max), members }
    }

    /// A member's other marks with their midpoints inside the feature.
    fn drop_doubled(&mut self, members: &[(u32, f64, usize)], group: &Group) {
        for k in self.within(midway(group.x_min, group.x_max), (group.x_max - group.x_min) / 2.0) {
            let is_member = members.binary_search_by_key(&self.sorted[k].volunteer, |m| m.0).is_ok();
            if self.is_free[k] && is_member {
                self.is_free[k] = false;
            }
        }
    }
}

fn midway(a: f64, b: f64) -> f64 {
    (a + b) / 2.0
}

/// The median; the mean of the middle two of an even number. 0 of nothing.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => midway(values[n / 2 - 1], values[n / 2]),
    }
}
