//! Groups among points, and who is odd in their own group: the rarest of the rare.
//!
//! [`volary_core::hdbscan`] on Euclidean distances: groups that stand out in density, at whatever density, and
//! points that belong to none. Here groups get a fixed order, the largest first, and the input is checked. Every
//! pair of points is compared: meant for the thousands that a score picked out, not for a survey.

use rayon::prelude::*;
use volary_core::hdbscan::{Hdbscan, Selection, hdbscan_by};

use crate::error::SpaceError;
use crate::neighbours::{Metric, Queries, exact};
use crate::points::Points;

/// How small a group may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterParams {
    /// Fewest points of a group, at least 2.
    pub min_cluster_size: usize,
    /// Points, itself counted, that make a place dense; larger is smoother and leaves more points in no group.
    pub min_samples: usize,
    /// Whether groups are the smallest that there are (`Leaf`), or those that stand out the longest.
    pub selection: Selection,
}

impl Default for ClusterParams {
    fn default() -> Self {
        Self { min_cluster_size: 15, min_samples: 5, selection: Selection::Eom }
    }
}

/// Groups of points.
#[derive(Clone, Debug, PartialEq)]
pub struct Clusters {
    /// The group of each point, 0 the largest; `None` for none.
    pub of: Vec<Option<usize>>,
    /// Points of each group.
    pub sizes: Vec<usize>,
    /// How surely each point belongs to its group, 0 to 1.
    pub probabilities: Vec<f64>,
    /// How odd each point is where it is, 0 to 1 (GLOSH).
    pub oddness: Vec<f64>,
}

/// Finds groups.
///
/// # Errors
/// [`SpaceError::Setting`] for groups below 2 or a neighbourhood below 1; [`SpaceError::NoRows`] for fewer points
/// than a group or a neighbourhood has.
pub fn clusters(points: &Points, params: &ClusterParams) -> Result<Clusters, SpaceError> {
    for (name, value, least, must) in [
        ("the fewest points of a group", params.min_cluster_size, 2, "at least 2"),
        ("the points that make a place dense", params.min_samples, 1, "at least 1"),
    ] {
        if value < least {
            return Err(SpaceError::Setting { name, value: value as f64, must });
        }
    }
    let n = points.len();
    if n < params.min_samples.max(params.min_cluster_size) {
        return Err(SpaceError::NoRows {
            what: "fewer points than a group is asked to have: the set to group (ask for smaller groups)",
        });
    }
    let distance = |i: usize, j: usize| apart(points.row(i), points.row(j));
    let core = core_distances(points, params.min_samples)?;
    let found = hdbscan_by(
        &core,
        &distance,
        &Hdbscan {
            min_cluster_size: params.min_cluster_size,
            min_samples: params.min_samples,
            selection: params.selection,
            allow_single_cluster: false,
        },
    );
    let n_groups = found.labels.iter().flatten().max().map_or(0, |last| *last as usize + 1);
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); n_groups];
    for (point, label) in found.labels.iter().enumerate() {
        if let Some(label) = label {
            members[*label as usize].push(point);
        }
    }
    members.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    let mut of = vec![None; n];
    for (group, points) in members.iter().enumerate() {
        points.iter().for_each(|&point| of[point] = Some(group));
    }
    Ok(Clusters {
        of,
        sizes: members.iter().map(Vec::len).collect(),
        probabilities: found.probabilities,
        oddness: found.oddness,
    })
}

fn apart(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
}

/// By blocks of products, and then in double precision, as the distances of the tree are.
fn core_distances(points: &Points, min_samples: usize) -> Result<Vec<f64>, SpaceError> {
    if min_samples < 2 {
        return Ok(vec![0.0; points.len()]);
    }
    let near = exact(points, Queries::All, min_samples - 1, Metric::Euclidean, None)?;
    let core = |i: usize| {
        let distances = near.rows(i).iter().map(|&j| apart(points.row(i), points.row(j as usize)));
        distances.fold(0.0, f64::max)
    };
    Ok((0..points.len()).into_par_iter().map(core).collect())
}

#[cfg(test)]
#[path = "clusters_tests.rs"]
mod tests;
