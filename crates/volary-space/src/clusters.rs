//! Groups among points, and who is odd in their own group: the rarest of the rare.
//!
//! HDBSCAN (Campello, Moulavi, Zimek & Sander 2015, doi:10.1145/2733381): groups that stand out in density at
//! whatever density, and points that belong to none. The odd ones by GLOSH, of the same paper: 1 − ε(group)/ε(point),
//! ε the distance scale at which the point leaves its group and that at which the group's densest part dissolves:
//! near 0 is in the thick of it, near 1 is far out. The algorithm is `petal-clustering`'s; here groups get a fixed
//! order and the input is checked.
//!
//! Time and memory grow with the square of the points at worst: meant for thousands of anomalies, not for a survey.

use ndarray::ArrayView2;
use petal_clustering::{Fit as _, HDbscan};
use petal_neighbors::distance::Euclidean;

use crate::error::SpaceError;
use crate::points::Points;

/// How small a group may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterParams {
    /// Fewest points of a group.
    pub min_cluster: usize,
    /// Neighbours that make a place dense; larger is smoother and leaves more points in no group.
    pub min_samples: usize,
}

impl Default for ClusterParams {
    fn default() -> Self {
        Self { min_cluster: 15, min_samples: 15 }
    }
}

/// Groups of points.
#[derive(Clone, Debug, PartialEq)]
pub struct Clusters {
    /// The group of each point, 0 the largest; `None` for none.
    pub of: Vec<Option<usize>>,
    /// Points of each group.
    pub sizes: Vec<usize>,
    /// How odd each point is, 0 to 1.
    pub oddness: Vec<f64>,
}

/// Finds groups.
///
/// # Errors
/// [`SpaceError::Setting`] for groups or neighbourhoods below 2; [`SpaceError::NoRows`] for fewer points than a
/// neighbourhood.
pub fn clusters(points: &Points, params: &ClusterParams) -> Result<Clusters, SpaceError> {
    for (name, value) in [
        ("the fewest points of a group", params.min_cluster),
        ("the neighbours that make a place dense", params.min_samples),
    ] {
        if value < 2 {
            return Err(SpaceError::Setting { name, value: value as f64, must: "at least 2" });
        }
    }
    let n = points.len();
    if n < params.min_samples.max(params.min_cluster) {
        return Err(SpaceError::NoRows {
            what: "groups need at least as many points as a neighbourhood has: what is to be grouped",
        });
    }
    let values: Vec<f64> = points.values().iter().map(|v| f64::from(*v)).collect();
    let Ok(view) = ArrayView2::from_shape((n, points.width()), &values) else {
        return Err(SpaceError::Ragged { n_values: values.len(), n_columns: points.width() });
    };
    let mut method = HDbscan {
        alpha: 1.0,
        min_samples: params.min_samples,
        min_cluster_size: params.min_cluster,
        metric: Euclidean::default(),
        // The dual-tree shortcut visits ties in an order of its own.
        boruvka: false,
    };
    let (found, _, oddness) = method.fit(&view.to_owned(), None);
    let mut groups: Vec<Vec<usize>> = found.into_values().collect();
    groups.iter_mut().for_each(|group| group.sort_unstable());
    groups.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    let mut of = vec![None; n];
    for (group, rows) in groups.iter().enumerate() {
        rows.iter().for_each(|&row| of[row] = Some(group));
    }
    let oddness = oddness.into_iter().map(|v: f64| if v.is_finite() { v.clamp(0.0, 1.0) } else { 0.0 });
    Ok(Clusters { of, sizes: groups.iter().map(Vec::len).collect(), oddness: oddness.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::normal;
    use volary_core::seed::stream;

    /// Two groups of 80 and 40, one tight and one wide, and four points far from both.
    fn sky() -> Points {
        let mut rng = stream(4, "clusters test");
        let mut values = Vec::new();
        for at in 0..120 {
            let (middle, width) = if at < 80 { (0.0, 0.2) } else { (10.0, 0.8) };
            values.extend((0..3).map(|_| (middle + width * normal(&mut rng)) as f32));
        }
        values.extend([40.0, 0.0, 0.0, 0.0, 40.0, 0.0, 0.0, 0.0, 40.0, -40.0, 0.0, 0.0_f32]);
        Points::new(values, 3).unwrap()
    }

    #[test]
    fn groups_are_found_at_their_own_density_and_what_is_far_is_in_none() {
        let found = clusters(&sky(), &ClusterParams { min_cluster: 10, min_samples: 5 }).unwrap();
        assert_eq!(found.sizes.len(), 2, "{:?}", found.sizes);
        let share = |rows: std::ops::Range<usize>, group: usize| {
            let n = rows.len() as f64;
            rows.filter(|&row| found.of[row] == Some(group)).count() as f64 / n
        };
        assert!(share(0..80, 0) > 0.9 && share(80..120, 1) > 0.8, "{:?}", found.of);
        assert!(found.of[120..].iter().all(Option::is_none));
        // What is far is odder than all but the fringe of either group.
        let mut inside: Vec<f64> = found.oddness[..120].to_vec();
        inside.sort_unstable_by(f64::total_cmp);
        assert!(found.oddness[120..].iter().all(|o| *o >= inside[115]), "{:?}", found.oddness);
        assert_eq!(clusters(&sky(), &ClusterParams { min_cluster: 10, min_samples: 5 }).unwrap(), found);
    }

    #[test]
    fn bad_input_is_refused_and_equal_points_are_not() {
        let points = sky();
        assert!(clusters(&points, &ClusterParams { min_cluster: 1, min_samples: 5 }).is_err());
        assert!(clusters(&points, &ClusterParams { min_cluster: 5, min_samples: 1 }).is_err());
        let few = points.select(&[0, 1, 2]);
        assert!(matches!(clusters(&few, &ClusterParams::default()), Err(SpaceError::NoRows { .. })));
        let same = Points::new(vec![1.0; 60], 2).unwrap();
        let found = clusters(&same, &ClusterParams { min_cluster: 5, min_samples: 5 }).unwrap();
        assert!(found.of.len() == 30 && found.oddness.iter().all(|o| o.is_finite()));
    }
}
