//! At most one mark of a volunteer in a cluster.
//!
//! Two objects side by side are one cluster to a density: each volunteer has then two marks in it. And a
//! volunteer who draws the same thing twice counts twice. Both are one mistake: a person's two marks are
//! two things. So a cluster in which somebody has more than one mark is taken apart and joined anew by
//! average linkage (Sokal & Michener 1958), closest first, never joining two marks of one volunteer (a
//! cannot-link constraint, as in Davidson & Ravi 2005, doi:10.1007/11564126_11).
//!
//! `panoptes_aggregation` has no such step; for outlines it puts two marks of one volunteer infinitely far
//! apart, which does not keep them from meeting in a chain.

use std::collections::BTreeSet;

/// A bigger cluster is not joined anew: each volunteer keeps the mark nearest to the middle one.
const MAX_JOINED: usize = 2000;

/// The parts of a cluster, each without a repeated volunteer, biggest first; within a part in order.
///
/// `volunteers[i]` is who drew `members[i]`.
pub fn one_per_volunteer(
    members: &[usize],
    volunteers: &[u32],
    distance: &impl Fn(usize, usize) -> f64,
) -> Vec<Vec<usize>> {
    let different: BTreeSet<u32> = volunteers.iter().copied().collect();
    if different.len() == members.len() {
        return vec![members.to_vec()];
    }
    let mut parts = if members.len() > MAX_JOINED {
        vec![nearest_to_middle(members, volunteers, distance)]
    } else {
        joined(members, volunteers, distance)
    };
    parts.iter_mut().for_each(|part| part.sort_unstable());
    parts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    parts
}

/// A part while it is being joined.
struct Part {
    members: Vec<usize>,
    volunteers: BTreeSet<u32>,
    /// The nearest part that it may join, by position, and how far that is.
    nearest: Option<(f64, usize)>,
}

fn joined(
    members: &[usize],
    volunteers: &[u32],
    distance: &impl Fn(usize, usize) -> f64,
) -> Vec<Vec<usize>> {
    let n = members.len();
    let mut far = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..i {
            let d = distance(members[i], members[j]);
            (far[i * n + j], far[j * n + i]) = (d, d);
        }
    }
    let mut parts: Vec<Option<Part>> = members
        .iter()
        .zip(volunteers)
        .map(|(&m, &v)| Some(Part { members: vec![m], volunteers: [v].into(), nearest: None }))
        .collect();
    for i in 0..n {
        let nearest = nearest_of(i, &parts, &far, n);
        if let Some(part) = &mut parts[i] {
            part.nearest = nearest;
        }
    }
    while let Some((a, b)) = closest_pair(&parts) {
        let (Some(mut into), Some(gone)) = (parts[a].take(), parts[b].take()) else { break };
        let (na, nb) = (into.members.len() as f64, gone.members.len() as f64);
        for k in (0..n).filter(|&k| parts[k].is_some()) {
            let d = (na * far[a * n + k] + nb * far[b * n + k]) / (na + nb);
            (far[a * n + k], far[k * n + a]) = (d, d);
        }
        into.members.extend(gone.members);
        into.volunteers.extend(gone.volunteers);
        parts[a] = Some(into);
        for k in 0..n {
            let is_stale = parts[k]
                .as_ref()
                .is_some_and(|p| k == a || p.nearest.is_some_and(|(_, to)| to == a || to == b));
            if is_stale {
                let nearest = nearest_of(k, &parts, &far, n);
                if let Some(part) = &mut parts[k] {
                    part.nearest = nearest;
                }
            }
        }
    }
    parts.into_iter().flatten().map(|part| part.members).collect()
}

fn nearest_of(i: usize, parts: &[Option<Part>], far: &[f64], n: usize) -> Option<(f64, usize)> {
    let mine = parts[i].as_ref()?;
    let may_join = |other: &Part| mine.volunteers.is_disjoint(&other.volunteers);
    (0..n)
        .filter(|&j| j != i && parts[j].as_ref().is_some_and(may_join))
        .map(|j| (far[i * n + j], j))
        .filter(|(d, _)| d.is_finite())
        .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))
}

fn closest_pair(parts: &[Option<Part>]) -> Option<(usize, usize)> {
    let candidates = parts.iter().enumerate().filter_map(|(i, part)| {
        let (d, j) = part.as_ref()?.nearest?;
        Some((d, i.min(j), i.max(j)))
    });
    candidates
        .min_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))))
        .map(|(_, a, b)| (a, b))
}

fn nearest_to_middle(
    members: &[usize],
    volunteers: &[u32],
    distance: &impl Fn(usize, usize) -> f64,
) -> Vec<usize> {
    // The middle of an even sample stands for the middle of all.
    let sample: Vec<usize> = members.iter().copied().step_by(members.len().div_ceil(100)).collect();
    let cost = |i: usize| sample.iter().map(|&j| distance(i, j)).sum::<f64>();
    let middle = sample.iter().copied().min_by(|&a, &b| cost(a).total_cmp(&cost(b)));
    let Some(middle) = middle else { return Vec::new() };
    let mut best = std::collections::BTreeMap::<u32, (f64, usize)>::new();
    for (&m, &v) in members.iter().zip(volunteers) {
        let d = distance(m, middle);
        let slot = best.entry(v).or_insert((d, m));
        if d < slot.0 {
            *slot = (d, m);
        }
    }
    best.into_values().map(|(_, m)| m).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(places: &[f64], volunteers: &[u32]) -> Vec<Vec<usize>> {
        let members: Vec<usize> = (0..places.len()).collect();
        one_per_volunteer(&members, volunteers, &|i, j| (places[i] - places[j]).abs())
    }

    #[test]
    fn two_neighbours_come_apart() {
        // Three volunteers drew both of two objects, at 0 and at 3; a fourth drew the second only.
        let places = [0.0, 3.0, 0.4, 3.3, 0.1, 2.9, 3.1];
        let found = parts(&places, &[1, 1, 2, 2, 3, 3, 4]);
        assert_eq!(found, [vec![1, 3, 5, 6], vec![0, 2, 4]]);
    }

    #[test]
    fn a_repeated_mark_stays_out() {
        let found = parts(&[0.0, 0.1, 0.2, 0.25], &[1, 2, 3, 3]);
        assert_eq!(found[0].len(), 3);
        assert_eq!(found[1].len(), 1);
    }

    #[test]
    fn nobody_repeated_nothing_changes() {
        assert_eq!(parts(&[0.0, 50.0, 100.0], &[1, 2, 3]), [vec![0, 1, 2]]);
    }

    #[test]
    fn a_crowd_of_repeats_is_bounded() {
        let n = MAX_JOINED + 500;
        let places: Vec<f64> = (0..n).map(|i| (i % 7) as f64).collect();
        let volunteers: Vec<u32> = (0..n as u32).map(|i| i % 1000).collect();
        let found = parts(&places, &volunteers);
        assert_eq!((found.len(), found[0].len()), (1, 1000));
    }
}
