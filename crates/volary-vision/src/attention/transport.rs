//! The earth mover's distance between two maps on a small grid: the least work that turns one into the
//! other, in cells (Rubner, Tomasi & Guibas 2000, doi:10.1023/A:1026543900054).
//!
//! Solved exactly as a minimum-cost flow by shortest augmenting paths with potentials. Both maps are scaled to a
//! mass of one. Meant for grids of a few dozen cells: the time grows with the fourth power of the side or so.

use super::grid::Grid;

/// Mass below this is dust that rounding has left over.
const DUST: f64 = 1e-12;

/// The distance in cells; `None` when a map holds nothing, something below zero, or isn't of the other's size.
pub(super) fn earth_movers_distance(p: &Grid, q: &Grid) -> Option<f64> {
    if (p.height, p.width) != (q.height, q.width) {
        return None;
    }
    let (mut supply, mut demand) = (masses(p)?, masses(q)?);
    // What lies in the same place stays there: with a distance for a cost, moving it never pays.
    for (s, d) in supply.iter_mut().zip(&mut demand) {
        let stays = s.min(*d);
        (*s, *d) = (*s - stays, *d - stays);
    }
    let places = |mass: &[f64]| -> Vec<(usize, f64)> {
        mass.iter().copied().enumerate().filter(|(_, m)| *m > DUST).collect()
    };
    Some(least_work(&places(&supply), &places(&demand), p.width))
}

fn masses(map: &Grid) -> Option<Vec<f64>> {
    let total: f64 = map.values.iter().map(|v| f64::from(*v)).sum();
    let sound = map.values.iter().all(|v| *v >= 0.0) && total.is_finite() && total > 0.0;
    sound.then(|| map.values.iter().map(|v| f64::from(*v) / total).collect())
}

fn distance(a: usize, b: usize, width: usize) -> f64 {
    let [(ya, xa), (yb, xb)] = [a, b].map(|i| ((i / width) as f64, (i % width) as f64));
    (ya - yb).hypot(xa - xb)
}

/// Ships everything from the sources to the sinks. Nodes are the sources, then the sinks.
fn least_work(sources: &[(usize, f64)], sinks: &[(usize, f64)], width: usize) -> f64 {
    let (n, m) = (sources.len(), sinks.len());
    let cost: Vec<f64> = sources
        .iter()
        .flat_map(|(a, _)| sinks.iter().map(move |(b, _)| distance(*a, *b, width)))
        .collect();
    let mut flow = vec![0.0; n * m];
    let mut left: Vec<f64> = sources.iter().map(|s| s.1).collect();
    let mut wanted: Vec<f64> = sinks.iter().map(|s| s.1).collect();
    let mut potential = vec![0.0; n + m];
    // Each round empties a source, fills a sink or takes back a shipment whole; the bound only guards
    // against rounding that would go on for ever.
    for _ in 0..8 * (n + m) * (n + m).max(1) {
        let Some((path, end)) = shortest_path(&cost, &flow, &left, &wanted, &mut potential, m) else {
            break;
        };
        // Walk back from the sink: shipments forwards, shipments taken back.
        let (mut amount, mut node) = (wanted[end - n], end);
        while let Some(before) = path[node] {
            if before >= n {
                amount = f64::min(amount, flow[node * m + before - n]);
            }
            node = before;
        }
        amount = amount.min(left[node]);
        left[node] -= amount;
        wanted[end - n] -= amount;
        node = end;
        while let Some(before) = path[node] {
            if before < n {
                flow[before * m + node - n] += amount;
            } else {
                flow[node * m + before - n] -= amount;
            }
            node = before;
        }
    }
    flow.iter().zip(&cost).map(|(f, c)| f * c).sum()
}

/// Dijkstra over reduced costs from every source with something left to the nearest sink that wants some:
/// the node before each, and that sink.
fn shortest_path(
    cost: &[f64],
    flow: &[f64],
    left: &[f64],
    wanted: &[f64],
    potential: &mut [f64],
    m: usize,
) -> Option<(Vec<Option<usize>>, usize)> {
    let n = left.len();
    let mut far = vec![f64::INFINITY; n + m];
    let mut before = vec![None; n + m];
    let mut done = vec![false; n + m];
    for (i, left) in left.iter().enumerate() {
        if *left > DUST {
            far[i] = 0.0;
        }
    }
    let end = loop {
        let next = (0..n + m)
            .filter(|i| !done[*i] && far[*i].is_finite())
            .min_by(|a, b| far[*a].total_cmp(&far[*b]))?;
        done[next] = true;
        if next >= n && wanted[next - n] > DUST {
            break next;
        }
        let edges: Box<dyn Iterator<Item = (usize, f64)>> = if next < n {
            Box::new((0..m).map(|j| (n + j, cost[next * m + j])))
        } else {
            let j = next - n;
            Box::new((0..n).filter(move |i| flow[i * m + j] > DUST).map(move |i| (i, -cost[i * m + j])))
        };
        for (to, price) in edges {
            let reduced = (price + potential[next] - potential[to]).max(0.0);
            if !done[to] && far[next] + reduced < far[to] {
                far[to] = far[next] + reduced;
                before[to] = Some(next);
            }
        }
    };
    let nearest = far[end];
    for (potential, far) in potential.iter_mut().zip(&far) {
        *potential += far.min(nearest);
    }
    Some((before, end))
}

#[cfg(test)]
mod tests {
    use super::earth_movers_distance;
    use crate::attention::Grid;
    use proptest::prelude::*;

    fn grid(width: usize, values: &[f32]) -> Grid {
        Grid { height: values.len() / width, width, values: values.to_vec() }
    }

    fn between(width: usize, p: &[f32], q: &[f32]) -> Option<f64> {
        earth_movers_distance(&grid(width, p), &grid(width, q))
    }

    #[test]
    fn a_single_heap_moves_as_far_as_it_has_to() {
        assert_eq!(
            between(3, &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0], &[0.0, 0.0, 0.0, 0.0, 0.0, 2.0]),
            Some(5.0_f64.sqrt())
        );
        assert_eq!(between(2, &[1.0, 1.0], &[3.0, 3.0]), Some(0.0));
        assert_eq!(between(2, &[0.0, 0.0], &[1.0, 1.0]), None);
        assert_eq!(between(2, &[f32::NAN, 0.0], &[1.0, 1.0]), None);
    }

    proptest! {
        /// On a line the distance is the area between the two running sums.
        #[test]
        fn on_a_line_it_is_the_area_between_the_running_sums(
            p in proptest::collection::vec(0.01_f32..1.0, 9), q in proptest::collection::vec(0.01_f32..1.0, 9),
        ) {
            let sums = |v: &[f32]| {
                let total: f64 = v.iter().map(|x| f64::from(*x)).sum();
                v.iter().scan(0.0, |sum, x| { *sum += f64::from(*x) / total; Some(*sum) }).collect::<Vec<_>>()
            };
            let area: f64 = sums(&p).iter().zip(sums(&q)).map(|(a, b)| (a - b).abs()).sum();
            let found = between(9, &p, &q).unwrap();
            prop_assert!((found - area).abs() < 1e-9, "{found} {area}");
        }

        #[test]
        fn it_is_a_distance(
            p in proptest::collection::vec(0.0_f32..1.0, 16), q in proptest::collection::vec(0.0_f32..1.0, 16),
            r in proptest::collection::vec(0.0_f32..1.0, 16),
        ) {
            let (pq, qp) = (between(4, &p, &q).unwrap(), between(4, &q, &p).unwrap());
            prop_assert!((pq - qp).abs() < 1e-9);
            let detour = between(4, &p, &r).unwrap() + between(4, &r, &q).unwrap();
            prop_assert!(pq <= detour + 1e-9);
            // No map is nearer than its centre of mass.
            let centre = |v: &[f32]| {
                let total: f64 = v.iter().map(|x| f64::from(*x)).sum();
                let at = |f: fn(usize) -> usize| v.iter().enumerate().map(|(i, x)| f(i) as f64 * f64::from(*x)).sum::<f64>() / total;
                (at(|i| i / 4), at(|i| i % 4))
            };
            let (a, b) = (centre(&p), centre(&q));
            prop_assert!(pq + 1e-9 >= (a.0 - b.0).hypot(a.1 - b.1));
        }
    }
}
