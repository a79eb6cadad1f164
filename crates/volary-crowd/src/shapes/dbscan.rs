//! DBSCAN: clusters are what can be reached through crowded places.
//!
//! Ester, Kriegel, Sander & Xu 1996 (KDD-96, 226–231). A mark is a *core* where the marks within `eps` of
//! it (itself among them) weigh at least `min_weight`; cores within `eps` of each other share a cluster,
//! and whoever is within `eps` of a core belongs to it. A mark within reach of two clusters goes to the
//! one whose first core comes first, as in scikit-learn.
//!
//! Our own and not a library's, because the crates at hand (`petal-clustering` 0.14, `linfa-clustering`
//! 0.8) search a tree of vectors and take no distances, which overlap is; and because a core here may
//! ask for different *volunteers* rather than marks.

/// Clusters of `n` marks; `None` is noise. Clusters are numbered in the order of their first core.
///
/// `is_core` says whether the marks whose numbers it is given are crowd enough.
///
/// `distance` is symmetric; a distance that is not a number is no neighbourhood.
pub fn dbscan(
    n: usize,
    distance: &impl Fn(usize, usize) -> f64,
    eps: f64,
    is_core: &impl Fn(&[usize]) -> bool,
) -> Vec<Option<u32>> {
    let neighbours = |i: usize, found: &mut Vec<usize>| {
        found.clear();
        found.extend((0..n).filter(|&j| j == i || distance(i, j) <= eps));
    };
    let mut around = Vec::new();
    let cores: Vec<bool> = (0..n)
        .map(|i| {
            neighbours(i, &mut around);
            is_core(&around)
        })
        .collect();
    let mut labels = vec![None; n];
    let mut next = 0;
    let mut waiting = Vec::new();
    for first in 0..n {
        if labels[first].is_some() || !cores[first] {
            continue;
        }
        labels[first] = Some(next);
        waiting.push(first);
        while let Some(i) = waiting.pop() {
            neighbours(i, &mut around);
            for &j in around.iter().filter(|&&j| labels[j].is_none()).collect::<Vec<_>>() {
                labels[j] = Some(next);
                if cores[j] {
                    waiting.push(j);
                }
            }
        }
        next += 1;
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(points: &[f64], eps: f64, min: usize) -> Vec<Option<u32>> {
        dbscan(points.len(), &|i, j| (points[i] - points[j]).abs(), eps, &|near| near.len() >= min)
    }

    #[test]
    fn cores_borders_and_noise() {
        // 0 and 3.5 are borders of the chain 1, 2, 2.5; 9 is alone.
        let found = labels(&[0.0, 1.0, 2.0, 2.5, 3.5, 9.0], 1.0, 3);
        assert_eq!(found, [Some(0), Some(0), Some(0), Some(0), Some(0), None]);
        assert_eq!(labels(&[0.0, 1.0], 1.0, 3), [None, None]);
        assert_eq!(labels(&[], 1.0, 1), []);
        // A border within reach of two clusters goes to the first.
        let found = labels(&[0.0, 0.5, 1.0, 2.0, 3.0, 3.5, 4.0], 1.0, 4);
        assert_eq!(found, [Some(0), Some(0), Some(0), Some(0), Some(1), Some(1), Some(1)]);
    }

    #[test]
    fn what_is_not_a_number_is_nobodys_neighbour() {
        assert_eq!(labels(&[f64::NAN, 1.0, 1.0], 1.0, 2), [None, Some(0), Some(0)]);
    }
}
