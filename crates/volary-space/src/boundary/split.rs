//! Who is learned from and who is held out.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::BoundaryParams;
use crate::error::SpaceError;
use crate::points::Points;

/// The place of each value among all different ones, the lowest first; what is not known has a stratum of its
/// own. The yes at any threshold is then the union of the upper strata, so that one split serves all thresholds.
#[must_use]
pub fn strata(values: &[f64]) -> Vec<u32> {
    // 0 and −0 are one value.
    let value = |v: &f64| v + 0.0;
    let mut known: Vec<f64> = values.iter().map(value).filter(|v| !v.is_nan()).collect();
    known.sort_unstable_by(f64::total_cmp);
    known.dedup();
    let of = |v: &f64| match v.is_nan() {
        true => u32::MAX,
        false => known.partition_point(|k| *k < value(v)) as u32,
    };
    values.iter().map(of).collect()
}

/// Rows to train on and rows held out, both in order.
pub(super) type Split = (Vec<usize>, Vec<usize>);

/// A number for each point that follows nothing but its vector and the seed. What is drawn by it does not depend on
/// the order of the rows: a page and a command line hold out the same subjects, though their tables have another
/// order.
pub(super) fn keys(points: &Points, seed: u64) -> Vec<u64> {
    // The finalizer of splitmix64 (Steele, Lea & Flood 2014), number after number.
    let mixed = |state: u64, value: u64| {
        let mut z = (state ^ value).wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    let key = |row: usize| {
        points.row(row).iter().fold(mixed(0, seed), |state, v| mixed(state, u64::from(v.to_bits())))
    };
    (0..points.len()).into_par_iter().map(key).collect()
}

fn n_held_out(n: usize, params: &BoundaryParams) -> Result<usize, SpaceError> {
    let n_held = (n as f64 * params.held_out).round() as usize;
    if !(params.held_out > 0.0 && params.held_out < 1.0) || n_held == 0 || n_held + 2 > n {
        let must = "between 0 and 1, and such that subjects are left on both sides";
        return Err(SpaceError::Setting { name: "the share held out", value: params.held_out, must });
    }
    Ok(n_held)
}

/// Every so-manieth of the rows in the order of their strata, and of their keys within each: a systematic draw.
pub(super) fn split_within(
    strata: &[u32],
    keys: &[u64],
    params: &BoundaryParams,
) -> Result<Split, SpaceError> {
    let n = strata.len();
    let n_held = n_held_out(n, params)?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_key(|&row| (strata[row], keys[row], row));
    // n_held rows at even distances; the middle of the first distance starts.
    let is_held = |at: usize| {
        let passed = |at: usize| (2 * at * n_held + n) / (2 * n);
        passed(at + 1) > passed(at)
    };
    let (mut train, mut held) = (Vec::with_capacity(n - n_held), Vec::with_capacity(n_held));
    for (at, row) in order.into_iter().enumerate() {
        if is_held(at) { held.push(row) } else { train.push(row) }
    }
    held.sort_unstable();
    train.sort_unstable();
    Ok((train, held))
}

/// The same for groups: each is on one side as a whole, of the highest stratum that a member is of, and has the
/// lowest key of its members.
pub(super) fn split_grouped(
    strata: &[u32],
    keys: &[u64],
    groups: &[u32],
    params: &BoundaryParams,
) -> Result<Split, SpaceError> {
    let mut of_group: BTreeMap<u32, (u32, u64)> = BTreeMap::new();
    for ((stratum, key), group) in strata.iter().zip(keys).zip(groups) {
        let (highest, lowest) = of_group.entry(*group).or_insert((*stratum, *key));
        // The last number is that of members of whom the quantity is not known.
        if *highest == u32::MAX || (*stratum != u32::MAX && *stratum > *highest) {
            *highest = *stratum;
        }
        *lowest = (*lowest).min(*key);
    }
    let names: Vec<u32> = of_group.keys().copied().collect();
    let (strata, keys): (Vec<u32>, Vec<u64>) = of_group.into_values().unzip();
    let (_, held) = split_within(&strata, &keys, params)?;
    let is_held = |row: &usize| {
        let at = names.binary_search(&groups[*row]);
        at.is_ok_and(|at| held.binary_search(&at).is_ok())
    };
    let (held, train) = (0..groups.len()).partition(is_held);
    Ok((train, held))
}

/// What intervals are drawn over, numbered in the order of the keys: each of the rows for itself, or all of a group.
pub(super) fn drawn(rows: &[usize], keys: &[u64], groups: Option<&[u32]>) -> Vec<u32> {
    let group = |row: usize| groups.map_or(row as u64, |groups| u64::from(groups[row]));
    let mut lowest: BTreeMap<u64, u64> = BTreeMap::new();
    for &row in rows {
        let key = lowest.entry(group(row)).or_insert(keys[row]);
        *key = (*key).min(keys[row]);
    }
    let mut order: Vec<(u64, u64)> = lowest.into_iter().map(|(group, key)| (key, group)).collect();
    order.sort_unstable();
    let number: BTreeMap<u64, u32> = order.into_iter().map(|(_, group)| group).zip(0..).collect();
    rows.iter().map(|&row| number[&group(row)]).collect()
}
