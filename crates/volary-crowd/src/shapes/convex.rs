//! Forms as convex polygons, and how much two of them overlap.
//!
//! All forms with an area are convex, so clipping one by the edges of the other (Sutherland & Hodgman 1974,
//! doi:10.1145/360767.360802) gives the overlap exactly. Circles and ellipses are polygons of 64 corners,
//! as `shapely` draws them for `panoptes_aggregation`: the error of an area is 0.16 %, that of a ratio of
//! areas far less.

use volary_core::Form;

/// Corners of a circle.
const CIRCLE_CORNERS: usize = 64;

/// A convex polygon, counter-clockwise where y points up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Convex {
    corners: Vec<(f64, f64)>,
    area: f64,
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
        Self { corners, area }
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
        let (a, b) = (bounds(&self.corners), bounds(&other.corners));
        // Without an area there are no edges to clip by.
        if self.area == 0.0 || other.area == 0.0 {
            return 0.0;
        }
        if a.0 > b.2 || b.0 > a.2 || a.1 > b.3 || b.1 > a.3 {
            return 0.0;
        }
        let mut inside = self.corners.clone();
        let mut next = Vec::with_capacity(inside.len() + 1);
        for (i, &from) in other.corners.iter().enumerate() {
            let to = other.corners[(i + 1) % other.corners.len()];
            clip(&inside, from, to, &mut next);
            std::mem::swap(&mut inside, &mut next);
            if inside.is_empty() {
                return 0.0;
            }
        }
        signed_area(&inside).max(0.0)
    }
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

/// Keeps what lies to the left of the line `from` → `to`.
fn clip(corners: &[(f64, f64)], from: (f64, f64), to: (f64, f64), kept: &mut Vec<(f64, f64)>) {
    kept.clear();
    let side = |p: (f64, f64)| (to.0 - from.0) * (p.1 - from.1) - (to.1 - from.1) * (p.0 - from.0);
    for (i, &a) in corners.iter().enumerate() {
        let b = corners[(i + 1) % corners.len()];
        let (sa, sb) = (side(a), side(b));
        if sa >= 0.0 {
            kept.push(a);
        }
        if (sa > 0.0 && sb < 0.0) || (sa < 0.0 && sb > 0.0) {
            let t = sa / (sa - sb);
            kept.push((a.0 + t * (b.0 - a.0), a.1 + t * (b.1 - a.1)));
        }
    }
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
    let step = std::f64::consts::TAU / CIRCLE_CORNERS as f64;
    let corner = |i: usize| {
        let (sin, cos) = (step * i as f64).sin_cos();
        (rx * cos, ry * sin)
    };
    turned(x, y, angle_deg, (0..CIRCLE_CORNERS).map(corner))
}

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
}
