//! Forms as convex polygons, and how much two of them overlap.
//!
//! Circles and ellipses are polygons of 64 corners, as `shapely` draws them for `panoptes_aggregation`: the
//! error of an area is 0.16 %, that of a ratio of areas far less.
//!
//! All forms with an area are convex, so that each reaches out to the right and to the left by a concave
//! function of the height, linear between corners. What two share reaches as far as the one that reaches
//! less: the overlap is the area under the lesser of both functions, exactly, in time that grows with the
//! number of corners. (Clipping one by the edges of the other, Sutherland & Hodgman 1974, grows with its
//! square, and took ten times as long for circles.)

use std::sync::LazyLock;

use volary_core::Form;

/// Corners of a circle.
const CIRCLE_CORNERS: usize = 64;

/// A convex polygon, counter-clockwise where y points up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Convex {
    corners: Vec<(f64, f64)>,
    area: f64,
    right: Side,
    left: Side,
}

impl Convex {
    /// A form as a polygon. Parameters are those of [`Form::parameters`]; `None` for a form without area.
    /// A size that is negative counts as its absolute value, except a radius: that of a circle below 0 is
    /// no circle.
    #[must_use]
    pub fn of(form: Form, p: &[f64]) -> Option<Self> {
        let corners = match (form, p) {
            (Form::Rectangle, &[x, y, w, h]) => rectangle(x, y, w, h, 0.0),
            (Form::RotatedRectangle, &[x, y, w, h, angle])
            | (Form::TemporalRotatedRectangle, &[x, y, w, h, angle, _]) => rectangle(x, y, w, h, angle),
            (Form::Circle, &[x, y, r]) => ellipse(x, y, r.max(0.0), r.max(0.0), 0.0),
            (Form::Ellipse, &[x, y, rx, ry, angle]) => ellipse(x, y, rx, ry, -angle),
            (Form::Triangle, &[x, y, r, angle]) => triangle(x, y, r, -angle),
            // A column is as high as its image, whatever that is.
            (Form::Column, &[x, w]) => rectangle(x, 0.0, w, 1.0, 0.0),
            _ => return None,
        };
        Some(Self::new(corners))
    }

    fn new(mut corners: Vec<(f64, f64)>) -> Self {
        let mut area = signed_area(&corners);
        if area < 0.0 {
            corners.reverse();
            area = -area;
        }
        let (right, left) = Side::both(&corners);
        Self { corners, area, right, left }
    }

    /// Its area, px².
    #[must_use]
    pub fn area(&self) -> f64 {
        self.area
    }

    /// Its corners.
    #[must_use]
    pub fn corners(&self) -> &[(f64, f64)] {
        &self.corners
    }

    /// The area that two share, px².
    #[must_use]
    pub fn overlap(&self, other: &Self) -> f64 {
        // What has no area, or more than can be counted, has no sides to compare.
        if !(self.area > 0.0 && other.area > 0.0) || (self.area + other.area).is_infinite() {
            return 0.0;
        }
        // To the last digit, so that a mark is at no distance from its copy.
        if self.corners == other.corners {
            return self.area;
        }
        let (Some(a), Some(b)) = (self.right.heights(), other.right.heights()) else { return 0.0 };
        let (low, high) = (a.0.max(b.0), a.1.min(b.1));
        if low > high {
            return 0.0;
        }
        let x = self.corners[0].0;
        let sides = [Pair::new(&self.right, &other.right, x), Pair::new(&self.left, &other.left, -x)];
        let Some(low) = meeting(&sides, low, high) else { return 0.0 };
        let Some(high) = meeting(&sides, high, low) else { return 0.0 };
        let area = sides[0].area(low, high) + sides[1].area(low, high);
        area.max(0.0).min(self.area).min(other.area)
    }
}

/// How far a polygon reaches to one side, as a function of the height; concave. To the left, −x counts.
#[derive(Clone, Debug, Default, PartialEq)]
struct Side(Vec<Step>);

/// From this height to the next step's.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Step {
    y: f64,
    reach: f64,
    slope: f64,
}

impl Side {
    /// The right and the left side of a counter-clockwise polygon.
    fn both(corners: &[(f64, f64)]) -> (Self, Self) {
        let n = corners.len();
        let lowest = (0..n).reduce(|a, b| if corners[b].1 < corners[a].1 { b } else { a });
        let highest = (0..n).reduce(|a, b| if corners[b].1 > corners[a].1 { b } else { a });
        let (Some(lowest), Some(highest)) = (lowest, highest) else { return <_>::default() };
        let up = (highest + n - lowest) % n;
        let right = (0..up + 1).map(|i| corners[(lowest + i) % n]);
        let left = (0..n - up + 1).map(|i| corners[(lowest + n - i) % n]);
        (Self::new(right), Self::new(left.map(|(x, y)| (-x, y))))
    }

    /// Corners from the lowest to the highest.
    fn new(corners: impl ExactSizeIterator<Item = (f64, f64)>) -> Self {
        let mut steps: Vec<Step> = Vec::with_capacity(corners.len());
        for (reach, y) in corners {
            match steps.last_mut() {
                Some(last) if y > last.y => last.slope = (reach - last.reach) / (y - last.y),
                // A level edge (or one that rounding bent down): its far end is the side.
                Some(last) => {
                    last.reach = last.reach.max(reach);
                    continue;
                }
                None => {}
            }
            steps.push(Step { y, reach, slope: 0.0 });
        }
        Self(steps)
    }

    /// Its lowest and its highest place.
    fn heights(&self) -> Option<(f64, f64)> {
        if self.0.len() < 2 { None } else { Some((self.0[0].y, self.0[self.0.len() - 1].y)) }
    }
}

/// The same side of two polygons.
struct Pair<'s> {
    sides: [&'s [Step]; 2],
    /// Reaches are counted from here, so that far-off polygons lose no digits.
    origin: f64,
}

impl<'s> Pair<'s> {
    fn new(a: &'s Side, b: &'s Side, origin: f64) -> Self {
        Self { sides: [&a.0, &b.0], origin }
    }

    /// The reach of one side at a height on its step `k`.
    fn reach(&self, side: usize, k: usize, y: f64) -> f64 {
        let step = &self.sides[side][k];
        (step.reach - self.origin) + step.slope * (y - step.y)
    }

    /// The lesser reach at a height and its slope, on steps that `at` is moved to: those above the height
    /// where `is_up`, else those below it.
    fn lesser(&self, at: &mut [usize; 2], y: f64, is_up: bool) -> (f64, f64) {
        let mut found = (f64::INFINITY, 0.0);
        for (side, k) in at.iter_mut().enumerate() {
            let steps = self.sides[side];
            if is_up {
                while *k + 2 < steps.len() && steps[*k + 1].y <= y {
                    *k += 1;
                }
            } else {
                while *k > 0 && steps[*k].y >= y {
                    *k -= 1;
                }
            }
            let reach = self.reach(side, *k, y);
            if reach < found.0 {
                found = (reach, steps[*k].slope);
            }
        }
        found
    }

    /// The area under the lesser reach between two heights, both within both sides.
    fn area(&self, low: f64, high: f64) -> f64 {
        let [a, b] = self.sides;
        let mut at = [0, 0];
        self.lesser(&mut at, low, true);
        let [mut i, mut j] = at;
        let mut y = low;
        let (mut from_a, mut from_b) = (self.reach(0, i, y), self.reach(1, j, y));
        let mut twice = 0.0;
        while y < high {
            let (end_a, end_b) = (a[i + 1].y, b[j + 1].y);
            let end = end_a.min(end_b).min(high);
            let (to_a, to_b) = (self.reach(0, i, end), self.reach(1, j, end));
            let (before, after) = (from_a - from_b, to_a - to_b);
            let mut band = from_a.min(from_b) + to_a.min(to_b);
            if before * after < 0.0 {
                // They cross: a triangle more than between the lesser ends.
                band -= before * after / (before - after).abs();
            }
            twice += band * (end - y);
            i += usize::from(end_a <= end);
            j += usize::from(end_b <= end);
            (y, from_a, from_b) = (end, to_a, to_b);
        }
        twice / 2.0
    }
}

/// The first height on the way `from` → `to` at which right and left have something between them.
///
/// Newton's method: a concave function lies under its tangents, so that no step goes too far, and each
/// leads to another pair of edges or to the place.
fn meeting(sides: &[Pair<'_>; 2], from: f64, to: f64) -> Option<f64> {
    let is_up = from <= to;
    let mut at = sides.each_ref().map(|pair| pair.sides.map(|s| if is_up { 0 } else { s.len() - 2 }));
    let mut y = from;
    let most = sides.iter().flat_map(|pair| pair.sides).map(<[Step]>::len).sum::<usize>() + 16;
    for _ in 0..most {
        let (right, right_slope) = sides[0].lesser(&mut at[0], y, is_up);
        let (left, left_slope) = sides[1].lesser(&mut at[1], y, is_up);
        let (width, slope) = (right + left, right_slope + left_slope);
        if width >= 0.0 {
            return Some(y);
        }
        let next = y - width / slope;
        // It narrows from here on, or is too narrow up to the end.
        if is_up {
            y = next.max(y.next_up());
            if slope <= 0.0 || y > to {
                return None;
            }
        } else {
            y = next.min(y.next_down());
            if slope >= 0.0 || y < to {
                return None;
            }
        }
    }
    Some(y)
}

/// `min x, min y, max x, max y`.
pub(super) fn bounds(corners: &[(f64, f64)]) -> (f64, f64, f64, f64) {
    let start = (f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY);
    corners.iter().fold(start, |b, &(x, y)| (b.0.min(x), b.1.min(y), b.2.max(x), b.3.max(y)))
}

/// Twice-summed shoelace about the first corner, so that far-off coordinates lose no digits.
pub(super) fn signed_area(corners: &[(f64, f64)]) -> f64 {
    let Some(&(x0, y0)) = corners.first() else { return 0.0 };
    let cross = |a: (f64, f64), b: (f64, f64)| (a.0 - x0) * (b.1 - y0) - (b.0 - x0) * (a.1 - y0);
    corners.windows(2).map(|w| cross(w[0], w[1])).sum::<f64>() / 2.0
}

fn turned(x: f64, y: f64, angle_deg: f64, points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let (sin, cos) = angle_deg.to_radians().sin_cos();
    points.map(|(dx, dy)| (x + cos * dx - sin * dy, y + sin * dx + cos * dy)).collect()
}

fn rectangle(x: f64, y: f64, width: f64, height: f64, angle_deg: f64) -> Vec<(f64, f64)> {
    let (w, h) = (width / 2.0, height / 2.0);
    turned(x, y, angle_deg, [(-w, -h), (w, -h), (w, h), (-w, h)].into_iter())
}

fn ellipse(x: f64, y: f64, rx: f64, ry: f64, angle_deg: f64) -> Vec<(f64, f64)> {
    turned(x, y, angle_deg, UNIT_CIRCLE.iter().map(|(sin, cos)| (rx * cos, ry * sin)))
}

/// (sin, cos) of the corners of a circle.
static UNIT_CIRCLE: LazyLock<[(f64, f64); CIRCLE_CORNERS]> = LazyLock::new(|| {
    let step = std::f64::consts::TAU / CIRCLE_CORNERS as f64;
    std::array::from_fn(|i| (step * i as f64).sin_cos())
});

fn triangle(x: f64, y: f64, r: f64, angle_deg: f64) -> Vec<(f64, f64)> {
    let half = r * 3.0_f64.sqrt() / 2.0;
    turned(x, y, angle_deg, [(0.0, -r), (half, r / 2.0), (-half, r / 2.0)].into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "{a} is not {b}");
    }

    #[test]
    fn areas_and_overlaps_on_paper() {
        let of = |form, p: &[f64]| Convex::of(form, p).unwrap();
        let square = of(Form::Rectangle, &[0.0, 0.0, 2.0, 2.0]);
        close(square.area(), 4.0);
        close(square.overlap(&of(Form::Rectangle, &[1.0, 1.0, 2.0, 2.0])), 1.0);
        close(square.overlap(&of(Form::Rectangle, &[9.0, 9.0, -2.0, 2.0])), 0.0);
        // A square turned by 45° shares with itself a regular octagon of in-radius 1: 8 (√2 − 1).
        let turned = of(Form::RotatedRectangle, &[0.0, 0.0, 2.0, 2.0, 45.0]);
        close(square.overlap(&turned), 8.0 * (2.0_f64.sqrt() - 1.0));
        // 64 corners: n/2 sin(2π/n) r².
        let circle = of(Form::Circle, &[5.0, 5.0, 3.0]);
        close(circle.area(), 32.0 * (std::f64::consts::TAU / 64.0).sin() * 9.0);
        close(circle.overlap(&circle), circle.area());
        close(of(Form::Triangle, &[100.0, 0.0, 2.0, 10.0]).area(), 3.0 * 3.0_f64.sqrt());
        close(of(Form::Ellipse, &[0.0, 0.0, 4.0, 1.0, 30.0]).area(), circle.area() / 9.0 * 4.0);
        close(of(Form::Circle, &[0.0, 0.0, -1.0]).area(), 0.0);
        assert_eq!(Convex::of(Form::Point, &[0.0, 0.0]), None);
    }

    #[test]
    fn polygons_that_touch_hold_or_miss_each_other() {
        let of = |form, p: &[f64]| Convex::of(form, p).unwrap();
        let square = of(Form::Rectangle, &[0.0, 0.0, 2.0, 2.0]);
        // Side by side, one above the other, at a corner, and within.
        for (x, y) in [(2.0, 0.0), (0.0, -2.0), (2.0, 2.0), (2.5, 0.0), (0.0, 2.5)] {
            assert_eq!(square.overlap(&of(Form::Rectangle, &[x, y, 2.0, 2.0])), 0.0, "{x} {y}");
        }
        assert_eq!(square.overlap(&of(Form::Rectangle, &[0.5, 0.5, 0.5, 0.5])), 0.25);
        assert_eq!(of(Form::Rectangle, &[0.5, 0.5, 0.5, 0.5]).overlap(&square), 0.25);
        // A cross, and the tip of a diamond in a corner: a quarter turned square of side 1.
        close(square.overlap(&of(Form::Rectangle, &[0.0, 0.0, 9.0, 0.5])), 1.0);
        let diamond = of(Form::RotatedRectangle, &[2.0, 0.0, 2.0_f64.sqrt(), 2.0_f64.sqrt(), 45.0]);
        close(square.overlap(&diamond), 0.0);
        let diamond = of(Form::RotatedRectangle, &[1.5, 0.0, 2.0_f64.sqrt(), 2.0_f64.sqrt(), 45.0]);
        close(square.overlap(&diamond), 0.25);
        // Boxes whose heights meet but that lie apart, and a level edge that rounding tilts.
        let tilted = |x, angle| of(Form::RotatedRectangle, &[x, 0.0, 100.0, 2.0, angle]);
        close(tilted(0.0, 1e-14).overlap(&tilted(60.0, -1e-14)), 80.0);
        close(tilted(0.0, 45.0).overlap(&tilted(10.0, 45.0)), 0.0);
    }

    proptest::proptest! {
        #[test]
        fn the_overlap_is_what_clipping_leaves(
            a in (0.0..50.0, 0.0..50.0, 0.1..60.0, 0.1..60.0, 0.0..360.0),
            b in (0.0..50.0, 0.0..50.0, 0.1..60.0, 0.1..60.0, 0.0..360.0),
            (form_a, form_b) in (0..4_usize, 0..4_usize),
            far in proptest::sample::select(vec![0.0, 1e4]),
        ) {
            let of = |form: usize, p: (f64, f64, f64, f64, f64)| {
                let (x, y) = (p.0 + far, p.1 - far);
                match form {
                    0 => Convex::of(Form::Circle, &[x, y, p.2]),
                    1 => Convex::of(Form::Ellipse, &[x, y, p.2, p.3, p.4]),
                    2 => Convex::of(Form::RotatedRectangle, &[x, y, p.2, p.3, p.4]),
                    _ => Convex::of(Form::Triangle, &[x, y, p.2, p.4]),
                }
                .unwrap()
            };
            let (a, b) = (of(form_a, a), of(form_b, b));
            let (found, turned) = (a.overlap(&b), b.overlap(&a));
            let slack = 1e-9 * (1.0 + far / 100.0);
            proptest::prop_assert!((found - clipped(&a, &b)).abs() < slack, "{found} {a:?} {b:?}");
            proptest::prop_assert!((found - turned).abs() < slack);
        }
    }

    /// Sutherland & Hodgman: what is left of one polygon when it is cut along each edge of the other.
    fn clipped(a: &Convex, b: &Convex) -> f64 {
        let mut inside = a.corners.clone();
        for (i, &from) in b.corners.iter().enumerate() {
            let to = b.corners[(i + 1) % b.corners.len()];
            let side =
                |p: (f64, f64)| (to.0 - from.0) * (p.1 - from.1) - (to.1 - from.1) * (p.0 - from.0);
            let mut kept = Vec::new();
            for (j, &p) in inside.iter().enumerate() {
                let q = inside[(j + 1) % inside.len()];
                let (sp, sq) = (side(p), side(q));
                if sp >= 0.0 {
                    kept.push(p);
                }
                if sp * sq < 0.0 {
                    let t = sp / (sp - sq);
                    kept.push((p.0 + t * (q.0 - p.0), p.1 + t * (q.1 - p.1)));
                }
            }
            inside = kept;
        }
        signed_area(&inside).max(0.0)
    }
}
