//! The grouping of the released SATCHEL code (build-metafeatures, last commit 15 September 2021),
//! statement by statement: the order of rows matters, the gap test is floored for the first mark of a
//! group and not for the others, and one volunteer's marks may merge.
//!
//! One departure: a mark shorter than a cadence stops the released code (a division by zero); here it
//! counts where the cadence around it holds data.

use volary_core::marks::{Marks, Stamps};

use super::build::{Candidate, Group, mean_group};
use super::params::MarkParams;
use super::types::Features;

/// Groups marks that stand in the order of their rows.
pub(crate) fn groups(
    in_order: &[Candidate],
    stamps: Option<&Stamps>,
    params: &MarkParams,
) -> Vec<Group> {
    let floored: Vec<bool> =
        in_order.iter().map(|c| floored_fraction(c, stamps) >= params.min_real_fraction).collect();
    let is_narrow = |c: &Candidate| c.x_max - c.x_min < params.cutoff_days;
    let joins: Vec<bool> = in_order
        .iter()
        .map(|c| {
            let real = stamps.map_or(1.0, |s| s.real_fraction(c.x_min, c.x_max));
            is_narrow(c) && real >= params.min_real_fraction
        })
        .collect();
    let mut done = vec![false; in_order.len()];
    let neighbours = |b: usize, done: &[bool]| -> Vec<usize> {
        let is_near = |k: usize| (in_order[b].mid - in_order[k].mid).abs() <= params.tolerance_days;
        (0..in_order.len()).filter(|&k| k == b || (!done[k] && joins[k] && is_near(k))).collect()
    };
    let mut groups = Vec::new();
    for j in 0..in_order.len() {
        if !is_narrow(&in_order[j]) || done[j] || !floored[j] {
            continue;
        }
        let around = neighbours(j, &done);
        let mut group = vec![j];
        group.extend(around.iter().copied().filter(|&y| y != j && neighbours(y, &done) == around));
        for &member in &group {
            done[member] = true;
        }
        let members: Vec<Candidate> = group.iter().map(|&m| in_order[m]).collect();
        groups.push(mean_group(&members, j as u64 + 1));
    }
    groups
}

/// Stamps with data over the whole cadences that fit: real(j) / floor(duration / step).
fn floored_fraction(c: &Candidate, stamps: Option<&Stamps>) -> f64 {
    let Some(stamps) = stamps else { return 1.0 };
    let whole = stamps.step_days().map_or(0.0, |step| ((c.x_max - c.x_min) / step).floor());
    match stamps.n_with_data(c.x_min, c.x_max) {
        Some(n) if whole >= 1.0 => f64::from(n) / whole,
        _ => stamps.real_fraction(c.x_min, c.x_max),
    }
}

/// Numbers features as the released code does: every mark visited takes a number, in the order in which
/// subjects were visited and marks stand in the file; a feature has that of its first mark.
pub(crate) fn number(features: &mut Features, serials: &[u64], marks: &Marks, order: Option<&[u32]>) {
    let natural: Vec<u32>;
    let order = match order {
        Some(order) => order,
        None => {
            natural = (0..u32::try_from(marks.n_subjects()).unwrap_or(u32::MAX)).collect();
            &natural
        }
    };
    let mut before = 0;
    for &subject in order {
        let subject = subject as usize;
        for feature in features.of(subject) {
            features.id[feature] = before + serials[feature];
        }
        before += marks.marks_in(subject).len() as u64;
    }
}
