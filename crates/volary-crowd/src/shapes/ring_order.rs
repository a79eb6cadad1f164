//! The order of a ring's corners, as GEOS gives it: clockwise where y points up, from a fixed start.
//!
//! GEOS (OverlayNG) cuts the outlines into pieces at every crossing and builds the result from the first
//! piece, in the order drawn, that lies on it. If a clockwise result goes through that piece forwards, the
//! ring starts one corner after the piece's start, else one corner before its end. Two programs that follow
//! this give lists that can be compared number by number.

use super::convex::signed_area;
use super::outline::Corner;

/// A place on a source ring: the segment and how far along it.
type Place = (usize, f64);

/// The ring of a repaired outline, in the order of GEOS' buffer: clockwise, from the leftmost (then lowest)
/// of its nodes, which are its crossings and the first corner drawn.
pub(super) fn repaired(mut ring: Vec<Corner>, drawn: &[Corner]) -> Vec<Corner> {
    if signed_area(&ring) > 0.0 {
        ring.reverse();
    }
    let is_node = |c: &Corner| *c == drawn[0] || !drawn.contains(c) || places_on(drawn, *c).len() > 2;
    let nodes = (0..ring.len()).filter(|&i| is_node(&ring[i]));
    let first =
        nodes.min_by(|&a, &b| ring[a].0.total_cmp(&ring[b].0).then(ring[a].1.total_cmp(&ring[b].1)));
    if let Some(first) = first {
        ring.rotate_left(first);
    }
    ring
}

/// The ring of a union or intersection in GEOS' order. `sources` are the rings that it was made from.
pub(super) fn joined(mut ring: Vec<Corner>, sources: &[Vec<Corner>]) -> Vec<Corner> {
    if signed_area(&ring) > 0.0 {
        ring.reverse();
    }
    if let Some(start) = start(&ring, sources) {
        // GEOS leaves the first place of the first piece to the end.
        let n = ring.len();
        ring.rotate_left((start + 1) % n);
    }
    ring
}

fn start(ring: &[Corner], sources: &[Vec<Corner>]) -> Option<usize> {
    let n = ring.len();
    sources.iter().find_map(|source| {
        // Where each corner lies on this source.
        let places: Vec<Vec<Place>> = ring.iter().map(|&c| places_on(source, c)).collect();
        let runs = (0..n).filter_map(|i| {
            let next = (i + 1) % n;
            edge_on(&places[i], &places[next]).map(|(place, is_forward)| (place, i, is_forward))
        });
        let runs: Vec<(Place, usize, bool)> = runs.collect();
        let first = runs.iter().min_by(|a, b| a.0.0.cmp(&b.0.0).then(a.0.1.total_cmp(&b.0.1)))?;
        let (_, edge, is_forward) = *first;
        if is_forward {
            return Some(edge);
        }
        // Backwards: the piece ends, in the source's direction, where the ring comes onto it.
        let mut at = edge;
        for _ in 0..n {
            let before = (at + n - 1) % n;
            let goes_on = edge_on(&places[before], &places[at]).is_some_and(|(_, f)| !f);
            let is_node = is_crossing(ring[at], source, sources) || ring[at] == source[0];
            if is_node || !goes_on {
                break;
            }
            at = before;
        }
        Some(at)
    })
}

/// Whether a corner lies on another source too.
fn is_crossing(corner: Corner, source: &[Corner], sources: &[Vec<Corner>]) -> bool {
    sources
        .iter()
        .any(|other| !std::ptr::eq(other.as_slice(), source) && !places_on(other, corner).is_empty())
}

/// Every place of a ring at which a corner lies, within rounding.
fn places_on(ring: &[Corner], (x, y): Corner) -> Vec<Place> {
    let n = ring.len();
    let mut found = Vec::new();
    for i in 0..n {
        let (a, b) = (ring[i], ring[(i + 1) % n]);
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let slack = 1e-9 * (1.0 + x.abs().max(y.abs()));
        if x < a.0.min(b.0) - slack
            || x > a.0.max(b.0) + slack
            || y < a.1.min(b.1) - slack
            || y > a.1.max(b.1) + slack
        {
            continue;
        }
        let length = dx.hypot(dy);
        if length == 0.0 {
            continue;
        }
        let off = ((x - a.0) * dy - (y - a.1) * dx).abs() / length;
        if off <= slack {
            let t = ((x - a.0) * dx + (y - a.1) * dy) / (length * length);
            found.push((i, t.clamp(0.0, 1.0)));
        }
    }
    found
}

/// Whether a result edge runs along one segment of a source: where it begins in the source's direction, and
/// whether it runs that way.
fn edge_on(from: &[Place], to: &[Place]) -> Option<(Place, bool)> {
    from.iter().find_map(|&(i, s)| {
        let &(_, t) = to.iter().find(|&&(j, t)| j == i && t != s)?;
        Some(if t > s { ((i, s), true) } else { ((i, t), false) })
    })
}
