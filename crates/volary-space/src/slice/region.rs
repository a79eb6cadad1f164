//! A region of a plot of two columns: polygons that add to a selection or take from it.
//!
//! What a lasso draws means the same on every screen, on the server and on the command line, because it is
//! in the columns' own units. A point is inside by the non-zero winding rule; of two shapes the later one
//! decides. A row whose x or y is missing is in no region.

use super::{Column, Mask, Table};

/// Corners of all shapes together at most.
pub const MAX_CORNERS: usize = 20_000;
/// Bands in which a point looks for edges.
const BANDS: usize = 128;

/// What a shape does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// What is inside is selected.
    Add,
    /// What is inside is not.
    Remove,
}

/// A polygon, closed from its last corner to its first.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// What it does.
    pub op: Op,
    /// Its corners, in the units of the two columns.
    pub corners: Vec<[f64; 2]>,
}

/// Shapes on the plot of two columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    x: String,
    y: String,
    shapes: Vec<Shape>,
}

/// Why a region selects nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RegionError {
    /// Too few corners.
    #[error("shape {shape} has {n} corners, a polygon has 3 or more; draw it again")]
    TooFew {
        /// Which one, counted from 1.
        shape: usize,
        /// Its corners.
        n: usize,
    },
    /// Too many of them.
    #[error("the region has {n} corners, {MAX_CORNERS} are allowed; simplify it")]
    TooMany {
        /// Corners of all shapes.
        n: usize,
    },
    /// NaN or infinity.
    #[error("corner {corner} of shape {shape} is no pair of finite numbers; write it as [x, y]")]
    NotFinite {
        /// Which shape, counted from 1.
        shape: usize,
        /// Which corner, counted from 1.
        corner: usize,
    },
    /// No such column, or none of numbers.
    #[error("there is no column of numbers {0:?} for an axis; name one that the table has")]
    Axis(String),
}

impl Region {
    /// A region of the plot of column `y` over column `x`.
    ///
    /// # Errors
    /// [`RegionError`] for polygons that are none.
    pub fn new(x: &str, y: &str, shapes: Vec<Shape>) -> Result<Self, RegionError> {
        let n: usize = shapes.iter().map(|shape| shape.corners.len()).sum();
        if n > MAX_CORNERS {
            return Err(RegionError::TooMany { n });
        }
        for (at, shape) in shapes.iter().enumerate() {
            if shape.corners.len() < 3 {
                return Err(RegionError::TooFew { shape: at + 1, n: shape.corners.len() });
            }
            if let Some(corner) = shape.corners.iter().position(|c| !c.iter().all(|v| v.is_finite())) {
                return Err(RegionError::NotFinite { shape: at + 1, corner: corner + 1 });
            }
        }
        Ok(Self { x: x.to_owned(), y: y.to_owned(), shapes })
    }

    /// The rows inside.
    ///
    /// # Errors
    /// [`RegionError::Axis`].
    pub fn select(&self, table: &dyn Table) -> Result<Mask, RegionError> {
        let axis = |name: &String| match table.column(name) {
            Some(Column::Number(values)) => Ok(values),
            _ => Err(RegionError::Axis(name.clone())),
        };
        let (x, y) = (axis(&self.x)?, axis(&self.y)?);
        let banded: Vec<(Op, Banded)> =
            self.shapes.iter().map(|shape| (shape.op, Banded::new(&shape.corners))).collect();
        let is_in = |row: usize| {
            let last = banded.iter().rev().find(|(_, shape)| shape.contains(x[row], y[row]));
            last.is_some_and(|(op, _)| *op == Op::Add)
        };
        Ok(Mask::of(table.n_rows(), is_in))
    }
}

/// A polygon whose edges are found by their height: a point meets those of its band only.
struct Banded {
    low: [f64; 2],
    high: [f64; 2],
    /// Edges by band, from one corner to the next.
    bands: Vec<Vec<([f64; 2], [f64; 2])>>,
}

impl Banded {
    fn new(corners: &[[f64; 2]]) -> Self {
        let bound = |axis: usize, pick: fn(f64, f64) -> f64, start: f64| {
            corners.iter().map(|c| c[axis]).fold(start, pick)
        };
        let low = [0, 1].map(|axis| bound(axis, f64::min, f64::INFINITY));
        let high = [0, 1].map(|axis| bound(axis, f64::max, f64::NEG_INFINITY));
        let mut made = Self { low, high, bands: vec![Vec::new(); BANDS] };
        for (at, &a) in corners.iter().enumerate() {
            let b = corners[(at + 1) % corners.len()];
            let (from, to) = (made.band(a[1].min(b[1])), made.band(a[1].max(b[1])));
            for band in &mut made.bands[from..=to] {
                band.push((a, b));
            }
        }
        made
    }

    /// Increases with y, so that an edge is in the band of each of its points.
    fn band(&self, y: f64) -> usize {
        let share = (y - self.low[1]) / (self.high[1] - self.low[1]);
        // NaN (no height at all) and what lies below become 0.
        ((share * BANDS as f64) as usize).min(BANDS - 1)
    }

    fn contains(&self, x: f64, y: f64) -> bool {
        let is_near = x >= self.low[0] && x <= self.high[0] && y >= self.low[1] && y <= self.high[1];
        if !is_near {
            return false;
        }
        let mut winding = 0_i32;
        for (a, b) in &self.bands[self.band(y)] {
            let side = (b[0] - a[0]) * (y - a[1]) - (x - a[0]) * (b[1] - a[1]);
            if a[1] <= y {
                winding += i32::from(b[1] > y && side > 0.0);
            } else {
                winding -= i32::from(b[1] <= y && side < 0.0);
            }
        }
        winding != 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::slice::Columns;

    fn table(points: &[[f64; 2]]) -> Columns {
        let mut columns = Columns::default();
        for (axis, name) in ["x", "y"].into_iter().enumerate() {
            assert!(columns.insert(name, Column::Number(points.iter().map(|p| p[axis]).collect())));
        }
        columns
    }

    fn rows(shapes: Vec<Shape>, points: &[[f64; 2]]) -> Vec<usize> {
        let region = Region::new("x", "y", shapes).unwrap();
        region.select(&table(points)).unwrap().rows().collect()
    }

    fn add(corners: &[[f64; 2]]) -> Shape {
        Shape { op: Op::Add, corners: corners.to_vec() }
    }

    const SQUARE: [[f64; 2]; 4] = [[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]];

    #[test]
    fn a_star_is_filled_and_a_hole_is_taken_out() {
        // A pentagram winds twice around its middle: by the even-odd rule that would be outside.
        let star: Vec<[f64; 2]> = (0..5)
            .map(|i| f64::from(i) * 0.8 * std::f64::consts::PI)
            .map(|angle| [angle.sin(), angle.cos()])
            .collect();
        assert_eq!(rows(vec![add(&star)], &[[0.0, 0.0], [0.9, 0.9]]), [0]);
        let hole = [[1.0, 1.0], [3.0, 1.0], [3.0, 3.0], [1.0, 3.0]];
        let shapes = vec![add(&SQUARE), Shape { op: Op::Remove, corners: hole.to_vec() }];
        let points = [[0.5, 0.5], [2.0, 2.0], [9.0, 0.0], [f64::NAN, 1.0]];
        assert_eq!(rows(shapes.clone(), &points), [0]);
        let again = [shapes, vec![add(&hole)]].concat();
        assert_eq!(rows(again, &points), [0, 1], "the last one decides");
    }

    #[test]
    fn of_two_neighbours_one_has_the_border() {
        let other = SQUARE.map(|[x, y]| [x + 4.0, y]);
        let border = [[4.0, 1.0], [4.0, 2.0], [4.0, 3.9]];
        let n = rows(vec![add(&SQUARE)], &border).len() + rows(vec![add(&other)], &border).len();
        assert_eq!(n, 3);
    }

    #[test]
    fn what_is_no_region_says_so() {
        let two = Region::new("x", "y", vec![add(&SQUARE[..2])]);
        assert_eq!(two, Err(RegionError::TooFew { shape: 1, n: 2 }));
        let odd = Region::new("x", "y", vec![add(&[[0.0, 0.0], [f64::NAN, 1.0], [1.0, 1.0]])]);
        assert_eq!(odd, Err(RegionError::NotFinite { shape: 1, corner: 2 }));
        let long = Region::new("x", "y", vec![add(&vec![[0.0, 1.0]; MAX_CORNERS + 1])]);
        assert!(matches!(long, Err(RegionError::TooMany { .. })));
        let unknown = Region::new("x", "z", vec![add(&SQUARE)]).unwrap();
        assert_eq!(unknown.select(&table(&[[1.0, 1.0]])), Err(RegionError::Axis("z".into())));
    }

    /// The rule as it is written down: all edges, no bands.
    fn plain(corners: &[[f64; 2]], [x, y]: [f64; 2]) -> bool {
        let edges = corners.iter().zip(corners.iter().cycle().skip(1));
        let winding: i32 = edges
            .map(|(a, b)| {
                let side = (b[0] - a[0]) * (y - a[1]) - (x - a[0]) * (b[1] - a[1]);
                i32::from(a[1] <= y && b[1] > y && side > 0.0)
                    - i32::from(a[1] > y && b[1] <= y && side < 0.0)
            })
            .sum();
        winding != 0
    }

    proptest! {
        #[test]
        fn bands_change_nothing(
            corners in prop::collection::vec([-9_i8..9, -9_i8..9], 3..30),
            points in prop::collection::vec([-9_i8..9, -9_i8..9], 1..200),
        ) {
            let float = |p: &[i8; 2]| p.map(|v| f64::from(v) / 3.0);
            let corners: Vec<_> = corners.iter().map(float).collect();
            let points: Vec<_> = points.iter().map(float).collect();
            let found = rows(vec![add(&corners)], &points);
            let wanted: Vec<usize> = (0..points.len()).filter(|&i| plain(&corners, points[i])).collect();
            prop_assert_eq!(found, wanted);
        }
    }
}
