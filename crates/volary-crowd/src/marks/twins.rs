//! Twins: marks with exactly the same neighbours form a feature.
//!
//! The paper's rule (Safron et al. 2022, section 3.1) says that a mark matching several features joins
//! none and forms its own. Stated without an order of visits: with neighbours = all eligible marks whose
//! midpoints lie within the tolerance, marks with identical neighbourhoods belong together. In one
//! dimension a neighbourhood is a run of the sorted marks, so twins are runs too. O(m log m).
//!
//! It fragments: one stray mark within the tolerance of some members splits them. [`super::modes`] is
//! the cure; this is kept because the paper's numbers come from it.

use super::build::{Candidate, Group, mean_group};

/// Groups marks that are sorted by midpoint.
pub(crate) fn twins(sorted: &[Candidate], tolerance_days: f64) -> Vec<Group> {
    let near = |a: usize, b: usize| (sorted[a].mid - sorted[b].mid).abs() <= tolerance_days;
    let (mut low, mut high) = (0, 0);
    let mut groups = Vec::new();
    let mut start = 0;
    let mut last = None;
    for at in 0..sorted.len() {
        while !near(low, at) {
            low += 1;
        }
        high = high.max(at);
        while high + 1 < sorted.len() && near(high + 1, at) {
            high += 1;
        }
        if last.is_some_and(|l| l != (low, high)) {
            groups.push(mean_group(&sorted[start..at], 0));
            start = at;
        }
        last = Some((low, high));
    }
    if start < sorted.len() {
        groups.push(mean_group(&sorted[start..], 0));
    }
    groups
}
