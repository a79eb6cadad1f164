//! How far apart two marks are: by overlap where they cover an area, in pixels where they do not.
//!
//! **Overlap** is 1 − intersection over union. It needs no scale, so one threshold serves small and large
//! shapes. **Euclidean** is in pixels throughout: a turn counts as the arc that the end of the longer axis
//! runs through, and a shape that can be written in two ways (an ellipse with its axes exchanged, a line
//! from its other end) is compared in the way that brings the two closest. `panoptes_aggregation` adds
//! degrees to pixels and, unless told of a symmetry, sees two ellipses a half turn apart as far apart.

use volary_core::Form;

use super::angle::angle_distance;
use super::convex::{Convex, bounds};
use super::outline::Outline;

/// Moments of a video further apart than this are not the same (the unit of the mark's own time).
const TIME_APART: f64 = 0.5;

/// Up to so many marks, distances are computed once and kept.
pub(super) const MAX_KEPT: usize = 2048;

/// How distance is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Measure {
    /// Overlap for forms with an area, pixels for the others.
    #[default]
    Auto,
    /// Pixels for all but outlines.
    Euclidean,
}

impl Measure {
    /// Whether marks of this form are compared by overlap.
    #[must_use]
    pub fn is_overlap(self, form: Form) -> bool {
        form == Form::Outline || (self == Self::Auto && form.has_area())
    }
}

/// A mark that can be compared.
#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    /// A form with parameters, and the area it covers where it covers one.
    Shape {
        /// Its parameters.
        numbers: Vec<f64>,
        /// The area.
        polygon: Option<Convex>,
    },
    /// An outline.
    Outline(Outline),
}

impl Mark {
    /// A form with its parameters; `None` where one is not a number, or where it should cover an area and
    /// covers none.
    #[must_use]
    pub fn shape(form: Form, numbers: &[f64]) -> Option<Self> {
        if numbers.len() != form.parameters().len() || numbers.iter().any(|x| !x.is_finite()) {
            return None;
        }
        let polygon = Convex::of(form, numbers);
        if polygon.as_ref().is_some_and(|p| p.area() <= 0.0) || (form == Form::Fan && numbers[2] <= 0.0)
        {
            return None;
        }
        Some(Self::Shape { numbers: numbers.to_vec(), polygon })
    }

    /// `min x, min y, max x, max y`, px; infinite where the form has no bound.
    #[must_use]
    pub fn bounds(&self, form: Form) -> (f64, f64, f64, f64) {
        match self {
            Self::Outline(outline) => outline.bounds(),
            Self::Shape { numbers: p, polygon } => match (form, &p[..]) {
                (Form::Column, &[x, w]) => (x - w / 2.0, 0.0, x + w / 2.0, f64::INFINITY),
                (Form::FullWidthLine, &[y]) => (0.0, y, f64::INFINITY, y),
                (Form::FullHeightLine, &[x]) => (x, 0.0, x, f64::INFINITY),
                (Form::Line, &[x1, y1, x2, y2]) => bounds(&[(x1, y1), (x2, y2)]),
                (Form::Fan, &[x, y, r, ..]) => (x - r, y - r, x + r, y + r),
                _ => match polygon {
                    Some(polygon) => bounds(polygon.corners()),
                    None => bounds(&[(p[0], p[1])]),
                },
            },
        }
    }

    /// The share that two have in common of what they cover together.
    #[must_use]
    pub fn iou(&self, other: &Self) -> Option<f64> {
        match (self, other) {
            (Self::Outline(a), Self::Outline(b)) => Some(1.0 - a.distance(b)),
            (Self::Shape { polygon: Some(a), .. }, Self::Shape { polygon: Some(b), .. }) => {
                let overlap = a.overlap(b);
                Some(overlap / (a.area() + b.area() - overlap))
            }
            _ => None,
        }
    }

    /// How far apart two marks of a form are.
    #[must_use]
    pub fn distance(&self, other: &Self, form: Form, measure: Measure) -> f64 {
        if let (Self::Shape { numbers: a, .. }, Self::Shape { numbers: b, .. }) = (self, other)
            && matches!(form, Form::TemporalPoint | Form::TemporalRotatedRectangle)
            && let (Some(s), Some(t)) = (a.last(), b.last())
            && (s - t).abs() > TIME_APART
        {
            return f64::INFINITY;
        }
        if measure.is_overlap(form) {
            return 1.0 - self.iou(other).unwrap_or(0.0);
        }
        match (self, other) {
            (Self::Shape { numbers: a, .. }, Self::Shape { numbers: b, .. }) => {
                let nearest = ways(form, b).into_iter().map(|b| pixels(form, a, &b));
                nearest.fold(f64::INFINITY, f64::min)
            }
            _ => f64::INFINITY,
        }
    }
}

/// The ways of writing one mark down.
fn ways(form: Form, p: &[f64]) -> Vec<Vec<f64>> {
    let mut ways = vec![p.to_vec()];
    match (form, p) {
        (Form::Line, &[x1, y1, x2, y2]) => ways.push(vec![x2, y2, x1, y1]),
        (
            Form::Ellipse | Form::RotatedRectangle | Form::TemporalRotatedRectangle,
            &[x, y, w, h, angle, ref rest @ ..],
        ) => {
            let exchanged = [x, y, h, w, (angle + 90.0).rem_euclid(180.0)];
            ways.push(exchanged.iter().chain(rest).copied().collect());
        }
        _ => {}
    }
    ways
}

/// Euclidean distance in pixels of two marks as they are written.
fn pixels(form: Form, a: &[f64], b: &[f64]) -> f64 {
    if let (Form::Line, &[x1, y1, x2, y2], &[u1, v1, u2, v2]) = (form, a, b) {
        let square = (x1 - u1).powi(2) + (y1 - v1).powi(2) + (x2 - u2).powi(2) + (y2 - v2).powi(2);
        return (square / 2.0).sqrt();
    }
    let arm = |p: &[f64]| match (form, p) {
        (Form::RotatedRectangle | Form::TemporalRotatedRectangle, &[_, _, w, h, ..]) => {
            w.abs().max(h.abs()) / 2.0
        }
        (Form::Ellipse, &[_, _, rx, ry, ..]) => rx.abs().max(ry.abs()),
        (Form::Triangle | Form::Fan, &[_, _, r, ..]) => r.abs(),
        _ => 0.0,
    };
    let arm = f64::midpoint(arm(a), arm(b));
    let term = |(i, (x, y)): (usize, (&f64, &f64))| match (form.kind(i), form.parameters()[i]) {
        (volary_core::ParameterKind::Time, _) => 0.0,
        (volary_core::ParameterKind::Angle(period), _) => {
            arm * angle_distance(*x, *y, period).to_radians()
        }
        (_, "spread_deg") => arm * (x - y).to_radians(),
        _ => x - y,
    };
    a.iter().zip(b).enumerate().map(term).map(|d| d * d).sum::<f64>().sqrt()
}

/// `p` written with the longer axis first, and a line from its left end.
pub(super) fn canonical(form: Form, p: &[f64]) -> Vec<f64> {
    let is_first = |way: &[f64]| match (form, way) {
        (Form::Line, &[x1, y1, x2, y2]) => (x1, y1) <= (x2, y2),
        (Form::Ellipse | Form::RotatedRectangle | Form::TemporalRotatedRectangle, &[_, _, w, h, ..]) => {
            w >= h
        }
        _ => true,
    };
    ways(form, p).into_iter().find(|way| is_first(way)).unwrap_or_else(|| p.to_vec())
}

/// `p` written in the way closest to `reference`, angles within half a period of the reference's.
pub(super) fn aligned(form: Form, p: &[f64], reference: &[f64]) -> Vec<f64> {
    let cost = |way: &[f64]| pixels(form, reference, way);
    let best = ways(form, p).into_iter().reduce(|a, b| if cost(&b) < cost(&a) { b } else { a });
    best.unwrap_or_default()
}

/// Distances of all pairs, the lower half of the table.
pub(super) struct Kept(Vec<f64>);

impl Kept {
    pub(super) fn new(n: usize, compute: &impl Fn(usize, usize) -> f64) -> Self {
        let mut far = Vec::with_capacity(n * n.saturating_sub(1) / 2);
        for i in 0..n {
            far.extend((0..i).map(|j| compute(i, j)));
        }
        Self(far)
    }

    pub(super) fn get(&self, i: usize, j: usize) -> f64 {
        match i.cmp(&j) {
            std::cmp::Ordering::Equal => 0.0,
            std::cmp::Ordering::Greater => self.0[i * (i - 1) / 2 + j],
            std::cmp::Ordering::Less => self.0[j * (j - 1) / 2 + i],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apart(form: Form, measure: Measure, a: &[f64], b: &[f64]) -> f64 {
        let mark = |p| Mark::shape(form, p).unwrap();
        mark(a).distance(&mark(b), form, measure)
    }

    #[test]
    fn one_shape_written_two_ways_is_one_shape() {
        for measure in [Measure::Auto, Measure::Euclidean] {
            let ellipse =
                apart(Form::Ellipse, measure, &[5.0, 5.0, 8.0, 3.0, 20.0], &[5.0, 5.0, 3.0, 8.0, 290.0]);
            assert!(ellipse < 1e-9, "{ellipse}");
            let turned = [[1.0, 1.0, 6.0, 2.0, 170.0], [1.0, 1.0, 6.0, 2.0, -10.0]];
            assert!(apart(Form::RotatedRectangle, measure, &turned[0], &turned[1]) < 1e-9);
        }
        assert_eq!(apart(Form::Line, Measure::Auto, &[0.0, 0.0, 9.0, 9.0], &[9.0, 9.0, 0.0, 0.0]), 0.0);
    }

    #[test]
    fn pixels_on_paper() {
        assert_eq!(apart(Form::Point, Measure::Auto, &[0.0, 0.0], &[3.0, 4.0]), 5.0);
        assert_eq!(
            apart(Form::Line, Measure::Auto, &[0.0, 0.0, 10.0, 0.0], &[0.0, 2.0, 10.0, 2.0]),
            2.0
        );
        let fan = apart(
            Form::Fan,
            Measure::Auto,
            &[0.0, 0.0, 10.0, 30.0, 350.0],
            &[0.0, 0.0, 10.0, 30.0, 10.0],
        );
        assert!((fan - 10.0 * 20.0_f64.to_radians()).abs() < 1e-9);
        assert_eq!(apart(Form::Column, Measure::Auto, &[5.0, 2.0], &[6.0, 2.0]), 1.0 - 1.0 / 3.0);
        assert_eq!(
            apart(Form::TemporalPoint, Measure::Auto, &[0.0, 0.0, 1.0], &[0.0, 0.0, 9.0]),
            f64::INFINITY
        );
    }

    #[test]
    fn what_is_no_mark() {
        assert_eq!(Mark::shape(Form::Circle, &[1.0, 1.0, 0.0]), None);
        assert_eq!(Mark::shape(Form::Rectangle, &[1.0, 1.0, 0.0, 5.0]), None);
        assert_eq!(Mark::shape(Form::Point, &[f64::NAN, 1.0]), None);
        assert_eq!(Mark::shape(Form::Point, &[1.0]), None);
    }
}
