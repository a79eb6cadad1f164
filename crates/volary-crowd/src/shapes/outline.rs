//! Outlines: polygons that people drew by hand, repaired, compared and joined.
//!
//! Unions and intersections are those of `i_overlay` (the library under `geo`), taken by itself because
//! its 64-bit grid keeps every drawn coordinate to the last digit, where `geo` 0.33 rounds to 32 bits. The
//! order of corners follows GEOS, so that lists compare with those of `panoptes_aggregation`: clockwise
//! where y points up, from the first place of the first outline that is on the result.

use i_overlay::core::fill_rule::FillRule;
use i_overlay::core::overlay::{IntOverlayOptions, Overlay, ShapeType};
use i_overlay::core::overlay_rule::OverlayRule;
use i_overlay::i_float::int::point::IntPoint;

use super::convex::{bounds, signed_area};

/// A corner, px.
pub type Corner = (f64, f64);

/// A closed outline without self-crossings. Its ring does not repeat the first corner at its end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outline {
    ring: Vec<Corner>,
    holes: Vec<Vec<Corner>>,
    area: f64,
}

/// What was wrong with a drawn outline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutlineFault {
    /// A coordinate that is not a number.
    NotANumber,
    /// Fewer than three different corners, or all on one line.
    NoArea,
    /// It crosses itself; the largest piece is kept.
    Crossing,
}

/// How outlines of one subject become whole numbers: a power of two, so that nothing is lost.
#[derive(Clone, Copy, Debug)]
struct Grid {
    scale: f64,
}

type Int = IntPoint<i64>;

impl Grid {
    fn of<'r>(rings: impl Iterator<Item = &'r [Corner]>) -> Self {
        let most = rings.flatten().fold(1.0_f64, |m, &(x, y)| m.max(x.abs()).max(y.abs()));
        // Whole numbers stay below 2^60.
        Self { scale: 2.0_f64.powi(59 - most.log2().ceil() as i32) }
    }

    fn whole(self, ring: &[Corner]) -> Vec<Int> {
        let number = |x: f64| (x * self.scale).round() as i64;
        ring.iter().map(|&(x, y)| Int::new(number(x), number(y))).collect()
    }

    fn corners(self, ring: &[Int]) -> Vec<Corner> {
        ring.iter().map(|p| (p.x as f64 / self.scale, p.y as f64 / self.scale)).collect()
    }
}

impl Outline {
    /// The outline that somebody drew, closed; with what was wrong, where something was.
    ///
    /// An outline that crosses itself keeps its largest piece: what it goes round in its own main
    /// direction, as GEOS' buffer of width 0 gives it.
    ///
    /// # Errors
    /// Where nothing with an area is left.
    pub fn drawn(points: &[Corner]) -> Result<(Self, Option<OutlineFault>), OutlineFault> {
        if points.iter().any(|(x, y)| !x.is_finite() || !y.is_finite()) {
            return Err(OutlineFault::NotANumber);
        }
        let mut ring = points.to_vec();
        while ring.len() > 1 && ring.first() == ring.last() {
            ring.pop();
        }
        let grid = Grid::of(std::iter::once(&ring[..]));
        let mut whole = grid.whole(&ring);
        whole.dedup();
        if whole.len() < 3 || is_flat(&whole) {
            return Err(OutlineFault::NoArea);
        }
        if is_simple(&whole) {
            let area = signed_area(&ring).abs();
            return Ok((Self { ring, holes: Vec::new(), area }, None));
        }
        // What is gone round in the main direction counts.
        if signed_area(&ring) < 0.0 {
            whole.reverse();
        }
        let pieces = boolean(&[whole], &[], OverlayRule::Subject, FillRule::Positive);
        let mut pieces: Vec<Self> = pieces
            .iter()
            .map(|piece| Self::of_piece(piece, grid, &|r| super::ring_order::repaired(r, &ring)))
            .collect();
        match largest(&mut pieces) {
            Some(piece) if piece.area > 0.0 => Ok((piece, Some(OutlineFault::Crossing))),
            _ => Err(OutlineFault::NoArea),
        }
    }

    /// A piece whose outer ring is put into an order.
    fn of_piece(piece: &[Vec<Int>], grid: Grid, ordered: &dyn Fn(Vec<Corner>) -> Vec<Corner>) -> Self {
        let area = area_of(piece, grid);
        let rings: Vec<Vec<Corner>> = piece.iter().map(|ring| grid.corners(ring)).collect();
        let mut rings = rings.into_iter();
        let ring = rings.next().unwrap_or_default();
        Self { ring: ordered(ring), holes: rings.collect(), area }
    }

    /// Its corners; the first is not repeated.
    #[must_use]
    pub fn ring(&self) -> &[Corner] {
        &self.ring
    }

    /// Its area without its holes, px².
    #[must_use]
    pub fn area(&self) -> f64 {
        self.area
    }

    /// `min x, min y, max x, max y`, px.
    #[must_use]
    pub fn bounds(&self) -> (f64, f64, f64, f64) {
        bounds(&self.ring)
    }

    /// The same without its holes.
    #[must_use]
    pub fn without_holes(mut self) -> Self {
        let area = signed_area(&self.ring).abs();
        // GEOS fills one hole after the other, and begins one corner later each time.
        let n = self.holes.len() % self.ring.len().max(1);
        self.ring.rotate_left(n);
        Self { ring: self.ring, holes: Vec::new(), area }
    }

    /// The same, clockwise from the same corner.
    fn clockwise(&self) -> Self {
        let mut outline = self.clone();
        outline.ring.dedup();
        if signed_area(&outline.ring) > 0.0
            && let Some(rest) = outline.ring.get_mut(1..)
        {
            rest.reverse();
        }
        outline
    }

    fn rings(&self) -> impl Iterator<Item = &[Corner]> {
        std::iter::once(&self.ring[..]).chain(self.holes.iter().map(Vec::as_slice))
    }

    fn may_touch(&self, other: &Self) -> bool {
        let (a, b) = (self.bounds(), other.bounds());
        a.0 <= b.2 && b.0 <= a.2 && a.1 <= b.3 && b.1 <= a.3
    }

    /// The area that two share, px².
    #[must_use]
    pub fn overlap(&self, other: &Self) -> f64 {
        if !self.may_touch(other) {
            return 0.0;
        }
        if self == other {
            return self.area;
        }
        let (pieces, grid) = pieces(&[self], &[other], OverlayRule::Intersect);
        pieces.iter().map(|piece| area_of(piece, grid)).sum()
    }

    /// 1 − intersection over union (Jaccard 1901).
    #[must_use]
    pub fn distance(&self, other: &Self) -> f64 {
        let overlap = self.overlap(other);
        1.0 - overlap / (self.area + other.area - overlap)
    }
}

/// The pieces of a boolean operation, as whole numbers.
fn pieces(subject: &[&Outline], clip: &[&Outline], rule: OverlayRule) -> (Vec<Vec<Vec<Int>>>, Grid) {
    let grid = Grid::of(subject.iter().chain(clip).flat_map(|o| o.rings()));
    let rings = |outlines: &[&Outline]| -> Vec<Vec<Int>> {
        outlines.iter().flat_map(|o| o.oriented()).map(|r| grid.whole(&r)).collect()
    };
    (boolean(&rings(subject), &rings(clip), rule, FillRule::NonZero), grid)
}

/// The pieces of a boolean operation, in GEOS' order of corners.
fn combine(subject: &[&Outline], clip: &[&Outline], rule: OverlayRule) -> Vec<Outline> {
    let (pieces, grid) = pieces(subject, clip, rule);
    let all = subject.iter().chain(clip).flat_map(|o| o.rings());
    let sources: Vec<Vec<Corner>> = all.map(<[Corner]>::to_vec).collect();
    let ordered = |ring: Vec<Corner>| super::ring_order::joined(ring, &sources);
    pieces.iter().map(|piece| Outline::of_piece(piece, grid, &ordered)).collect()
}

/// The area of a piece without its holes, px².
fn area_of(piece: &[Vec<Int>], grid: Grid) -> f64 {
    let areas = piece.iter().map(|ring| signed_area(&grid.corners(ring)).abs());
    areas.enumerate().fold(0.0, |sum, (i, a)| if i == 0 { a } else { sum - a })
}

impl Outline {
    /// Rings with the outer one counter-clockwise and holes clockwise, so that overlapping fills add up.
    fn oriented(&self) -> Vec<Vec<Corner>> {
        let turn = |(i, ring): (usize, &[Corner])| {
            let mut ring = ring.to_vec();
            if (signed_area(&ring) < 0.0) == (i == 0) {
                ring.reverse();
            }
            ring
        };
        self.rings().enumerate().map(turn).collect()
    }
}

fn boolean(
    subject: &[Vec<Int>],
    clip: &[Vec<Int>],
    rule: OverlayRule,
    fill: FillRule,
) -> Vec<Vec<Vec<Int>>> {
    let capacity = subject.iter().chain(clip).map(Vec::len).sum();
    let options = IntOverlayOptions::keep_all_points();
    let mut overlay = Overlay::<i64>::new_custom(capacity, options, Default::default());
    overlay.add_source(subject, ShapeType::Subject);
    overlay.add_source(clip, ShapeType::Clip);
    overlay.overlay(rule, fill)
}

fn largest(pieces: &mut Vec<Outline>) -> Option<Outline> {
    let at = (0..pieces.len()).reduce(|a, b| if pieces[b].area > pieces[a].area { b } else { a })?;
    Some(pieces.swap_remove(at))
}

/// The union of outlines: its largest piece, holes filled. `None` where there are none.
#[must_use]
pub fn union(outlines: &[&Outline]) -> Option<Outline> {
    let mut pieces = union_pieces(outlines);
    largest(&mut pieces).map(Outline::without_holes)
}

/// All pieces of a union. Pairs are joined in the order of GEOS' cascaded union (by the middle of their
/// heights, halves first), so that rings begin where its rings begin.
fn union_pieces(outlines: &[&Outline]) -> Vec<Outline> {
    let mut order: Vec<&Outline> = outlines.to_vec();
    order.sort_by(|a, b| middle(a).total_cmp(&middle(b)));
    joined(&order)
}

fn middle(outline: &Outline) -> f64 {
    let (_, y0, _, y1) = outline.bounds();
    f64::midpoint(y0, y1)
}

fn joined(outlines: &[&Outline]) -> Vec<Outline> {
    match outlines {
        [] => Vec::new(),
        [only] => vec![(*only).clone()],
        _ => {
            let (low, high) = outlines.split_at(outlines.len() / 2);
            let (low, high) = (joined(low), joined(high));
            let (low, high): (Vec<&Outline>, Vec<&Outline>) =
                (low.iter().collect(), high.iter().collect());
            let meet = |a: &&Outline| high.iter().any(|b| a.may_touch(b));
            if low.iter().any(meet) {
                combine(&low, &high, OverlayRule::Union)
            } else {
                low.into_iter().chain(high).cloned().collect()
            }
        }
    }
}

/// The intersection of all outlines: its largest piece; `None` where they share nothing.
#[must_use]
pub fn intersection(outlines: &[&Outline]) -> Option<Outline> {
    let (first, rest) = outlines.split_first()?;
    let mut pieces = vec![(*first).clone()];
    for next in rest {
        let parts: Vec<&Outline> = pieces.iter().collect();
        pieces = combine(&parts, &[next], OverlayRule::Intersect);
    }
    largest(&mut pieces)
}

/// Where at least 1, 2, 3, … outlines agree: the largest piece of each, holes filled; as many as there are
/// levels, and not more than `most`.
#[must_use]
pub fn levels(outlines: &[&Outline], most: usize) -> Vec<Outline> {
    let by_pairs = if outlines.len() <= MAX_BY_PAIRS { by_pairs(outlines, most) } else { None };
    by_pairs.unwrap_or_else(|| one_by_one(outlines, most))
}

/// Up to so many outlines, levels are built as in `panoptes_aggregation`, for the order of corners. The
/// work doubles with each outline.
const MAX_BY_PAIRS: usize = 9;

/// Intersections of pairs, of pairs of those, and so on. `None` where one falls into pieces, which the
/// original loses count of.
fn by_pairs(outlines: &[&Outline], most: usize) -> Option<Vec<Outline>> {
    let mut list: Vec<(Vec<usize>, Outline)> =
        outlines.iter().enumerate().map(|(i, o)| (vec![i], o.clockwise())).collect();
    let union_of = |list: &[(Vec<usize>, Outline)]| {
        let all: Vec<&Outline> = list.iter().map(|(_, o)| o).collect();
        union(&all)
    };
    let mut levels: Vec<Outline> = union_of(&list).into_iter().collect();
    while levels.len() < most && list.len() > 1 {
        let mut order: Vec<usize> = (0..list.len()).collect();
        order.sort_by(|&a, &b| middle(&list[a].1).total_cmp(&middle(&list[b].1)));
        let mut next: Vec<(Vec<usize>, Outline)> = Vec::new();
        for (i, (who, outline)) in list.iter().enumerate() {
            for &j in order.iter().filter(|&&j| j != i) {
                let mut both: Vec<usize> = who.iter().chain(&list[j].0).copied().collect();
                both.sort_unstable();
                both.dedup();
                let is_known = next.iter().any(|(known, _)| *known == both);
                if is_known || !outline.may_touch(&list[j].1) {
                    continue;
                }
                let mut pieces = combine(&[outline], &[&list[j].1], OverlayRule::Intersect);
                match pieces.len() {
                    0 => {}
                    1 => next.extend(pieces.pop().map(|piece| (both, piece))),
                    _ => return None,
                }
            }
        }
        levels.extend(union_of(&next));
        list = next;
    }
    Some(levels)
}

/// One outline after the other: the work grows with the square of their number.
fn one_by_one(outlines: &[&Outline], most: usize) -> Vec<Outline> {
    // `reached[k]` is where at least k + 1 of the outlines so far agree.
    let mut reached: Vec<Vec<Outline>> = Vec::new();
    for outline in outlines {
        for k in (0..=reached.len().min(most.saturating_sub(1))).rev() {
            let gained = if k == 0 {
                vec![(*outline).clone()]
            } else {
                let below: Vec<&Outline> = reached[k - 1].iter().collect();
                combine(&below, &[outline], OverlayRule::Intersect)
            };
            if gained.is_empty() {
                continue;
            }
            if k == reached.len() {
                reached.push(gained);
            } else {
                let all: Vec<&Outline> = reached[k].iter().chain(&gained).collect();
                reached[k] = union_pieces(&all);
            }
        }
    }
    reached
        .into_iter()
        .filter_map(|mut pieces| largest(&mut pieces).map(Outline::without_holes))
        .collect()
}

/// Twice the area of a triangle, exactly.
fn cross(a: Int, b: Int, c: Int) -> i128 {
    let d = |p: Int| (i128::from(p.x) - i128::from(a.x), i128::from(p.y) - i128::from(a.y));
    let ((bx, by), (cx, cy)) = (d(b), d(c));
    bx * cy - by * cx
}

fn is_flat(ring: &[Int]) -> bool {
    let Some(&far) = ring.iter().find(|&&p| p != ring[0]) else { return true };
    ring.iter().all(|&p| cross(ring[0], far, p) == 0)
}

fn is_between(a: Int, b: Int, p: Int) -> bool {
    p.x >= a.x.min(b.x) && p.x <= a.x.max(b.x) && p.y >= a.y.min(b.y) && p.y <= a.y.max(b.y)
}

/// Whether two segments share a point.
fn touch(a: Int, b: Int, c: Int, d: Int) -> bool {
    if a.x.max(b.x) < c.x.min(d.x)
        || c.x.max(d.x) < a.x.min(b.x)
        || a.y.max(b.y) < c.y.min(d.y)
        || c.y.max(d.y) < a.y.min(b.y)
    {
        return false;
    }
    let (s1, s2) = (cross(a, b, c).signum(), cross(a, b, d).signum());
    let (s3, s4) = (cross(c, d, a).signum(), cross(c, d, b).signum());
    (s1 != s2 && s3 != s4)
        || (s1 == 0 && is_between(a, b, c))
        || (s2 == 0 && is_between(a, b, d))
        || (s3 == 0 && is_between(c, d, a))
        || (s4 == 0 && is_between(c, d, b))
}

/// Whether a closed ring without repeated corners in a row neither crosses nor touches itself. Segments
/// are swept from left to right.
fn is_simple(ring: &[Int]) -> bool {
    let n = ring.len();
    let segment = |i: usize| (ring[i], ring[(i + 1) % n]);
    for i in 0..n {
        let ((a, b), (_, c)) = (segment(i), segment((i + 1) % n));
        // Going back over the segment just drawn.
        let ahead = (i128::from(b.x) - i128::from(a.x)) * (i128::from(c.x) - i128::from(b.x))
            + (i128::from(b.y) - i128::from(a.y)) * (i128::from(c.y) - i128::from(b.y));
        if cross(a, b, c) == 0 && ahead < 0 {
            return false;
        }
    }
    let left = |i: usize| segment(i).0.x.min(segment(i).1.x);
    let right = |i: usize| segment(i).0.x.max(segment(i).1.x);
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_key(|&i| left(i));
    let mut open: Vec<usize> = Vec::new();
    for &i in &order {
        open.retain(|&j| right(j) >= left(i));
        for &j in &open {
            let is_next = (i + 1) % n == j || (j + 1) % n == i;
            let ((a, b), (c, d)) = (segment(i), segment(j));
            if !is_next && touch(a, b, c, d) {
                return false;
            }
        }
        open.push(i);
    }
    true
}

#[cfg(test)]
#[path = "outline_tests.rs"]
mod tests;
