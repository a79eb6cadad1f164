//! Where the points of a map lie on paper: as they are, or three axes as seen from aside.

use super::map::order;

/// From where three axes are seen, in degrees: around the third, and above the plane of the first two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct View {
    pub(crate) azimuth_degrees: f64,
    pub(crate) elevation_degrees: f64,
}

impl Default for View {
    /// That of matplotlib 3.
    fn default() -> Self {
        Self { azimuth_degrees: -60.0, elevation_degrees: 30.0 }
    }
}

/// Points on paper, y upward, and what is drawn besides.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Places {
    pub(crate) x: Vec<f64>,
    pub(crate) y: Vec<f64>,
    /// In which order they are painted.
    pub(super) order: Vec<usize>,
    /// Edges of the box that holds them, behind them.
    pub(super) edges: Vec<[(f64, f64); 2]>,
    /// Names of axes, and where they stand.
    pub(super) names: Vec<((f64, f64), String)>,
}

impl Places {
    /// Two axes. Points are painted in an order that follows nothing.
    pub(crate) fn flat(x: &[f64], y: &[f64]) -> Self {
        Self {
            x: x.to_vec(),
            y: y.to_vec(),
            order: order(x.len()).collect(),
            edges: Vec::new(),
            names: Vec::new(),
        }
    }

    /// Three axes, each stretched to the side of a cube, without perspective; the nearest points come last.
    pub(crate) fn seen(axes: [&[f64]; 3], names: [&str; 3], view: View) -> Self {
        let unit = axes.map(to_unit);
        let (sin_a, cos_a) = view.azimuth_degrees.to_radians().sin_cos();
        let (sin_e, cos_e) = view.elevation_degrees.to_radians().sin_cos();
        let across = |[x, y, _]: [f64; 3]| -sin_a * x + cos_a * y;
        let toward = |[x, y, _]: [f64; 3]| cos_a * x + sin_a * y;
        let up = |p: [f64; 3]| -sin_e * toward(p) + cos_e * p[2];
        let near = |p: [f64; 3]| cos_e * toward(p) + sin_e * p[2];
        let points: Vec<[f64; 3]> =
            (0..axes[0].len()).map(|i| [unit[0][i], unit[1][i], unit[2][i]]).collect();
        let mut order: Vec<usize> = order(points.len()).collect();
        order.sort_by(|&a, &b| near(points[a]).total_cmp(&near(points[b])));
        let corners: Vec<[f64; 3]> = (0..8)
            .map(|at| [0, 1, 2].map(|axis| if at >> axis & 1 == 1 { 1.0 } else { -1.0 }))
            .collect();
        let nearest = (0..8).max_by(|&a: &usize, &b| near(corners[a]).total_cmp(&near(corners[b])));
        let nearest = nearest.unwrap_or(0);
        let place = |p: [f64; 3]| (across(p), up(p));
        let (mut edges, mut labels) = (Vec::new(), Vec::new());
        for (axis, name) in names.iter().enumerate() {
            for from in (0..8).filter(|at| at >> axis & 1 == 0) {
                let to = from | 1 << axis;
                // The three edges of the nearest corner would stand before the points.
                if from != nearest && to != nearest {
                    edges.push([place(corners[from]), place(corners[to])]);
                }
            }
            let (at, _) = (0..8)
                .filter(|at| at >> axis & 1 == 0)
                .map(|from| {
                    let (a, b) = (place(corners[from]), place(corners[from | 1 << axis]));
                    (((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0), a)
                })
                // The third axis is named at its left, the others below.
                .min_by(
                    |(a, _), (b, _)| if axis == 2 { a.0.total_cmp(&b.0) } else { a.1.total_cmp(&b.1) },
                )
                .unwrap_or_default();
            labels.push(((at.0 * 1.1, at.1 * 1.1), (*name).to_owned()));
        }
        Self {
            x: points.iter().map(|p| across(*p)).collect(),
            y: points.iter().map(|p| up(*p)).collect(),
            order,
            edges,
            names: labels,
        }
    }
}

/// From the lowest value at −1 to the highest at 1.
fn to_unit(values: &[f64]) -> Vec<f64> {
    let known = || values.iter().copied().filter(|v| v.is_finite());
    let (low, high) = (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
    let half = if high > low { (high - low) / 2.0 } else { 1.0 };
    values.iter().map(|v| (v - (low + high) / 2.0) / half).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_axes_seen_from_the_front_and_from_above() {
        let axes: [&[f64]; 3] = [&[0.0, 10.0, 0.0], &[0.0, 4.0, 4.0], &[0.0, 2.0, f64::NAN]];
        let names = ["x", "y", "z"];
        // From the end of the first axis the second runs to the right and the third up.
        let front = View { azimuth_degrees: 0.0, elevation_degrees: 0.0 };
        let places = Places::seen(axes, names, front);
        assert_eq!((&places.x[..2], &places.y[..2]), (&[-1.0, 1.0][..], &[-1.0, 1.0][..]));
        assert!(places.y[2].is_nan());
        // The one that is nearer, at the end of the first axis, is painted after the other.
        let at = |point: usize| places.order.iter().position(|p| *p == point).unwrap();
        assert!(at(1) > at(0));
        assert_eq!(places.edges.len(), 9);
        let above = View { azimuth_degrees: -90.0, elevation_degrees: 90.0 };
        let places = Places::seen([axes[0], axes[1], &[0.0, 2.0, 1.0]], names, above);
        for (point, (x, y)) in [(-1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)].into_iter().enumerate() {
            assert!((places.x[point] - x).abs() < 1e-12 && (places.y[point] - y).abs() < 1e-12);
        }
    }
}
