//! Points: rows of numbers of one length, all finite.
//!
//! [`Points`] lie in memory; [`Rows`] may also come from elsewhere, row by row, such as the pixels of a
//! cache file that does not fit into memory.

use volary_core::Pixels;

use crate::error::SpaceError;

/// Rows of numbers that can be read in any order, from several threads.
pub trait Rows: Sync {
    /// How many.
    fn n_rows(&self) -> usize;

    /// Numbers of a row.
    fn n_columns(&self) -> usize;

    /// Writes row `row` (< `n_rows`) into `into` (`n_columns` long).
    ///
    /// # Errors
    /// [`SpaceError::Pixels`] where it cannot be read, [`SpaceError::NotFinite`].
    fn read(&self, row: usize, into: &mut [f32]) -> Result<(), SpaceError>;
}

/// Points in memory, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Points {
    values: Vec<f32>,
    n_columns: usize,
}

impl Points {
    /// Points from their numbers, row by row.
    ///
    /// # Errors
    /// [`SpaceError::Ragged`] if the rows are not whole, [`SpaceError::NotFinite`] for NaN and infinity.
    pub fn new(values: Vec<f32>, n_columns: usize) -> Result<Self, SpaceError> {
        if n_columns == 0 || !values.len().is_multiple_of(n_columns) {
            return Err(SpaceError::Ragged { n_values: values.len(), n_columns });
        }
        check_finite(&values, n_columns, 0)?;
        Ok(Self { values, n_columns })
    }

    /// All of `rows`, read into memory.
    ///
    /// # Errors
    /// As [`Rows::read`].
    pub fn collect(rows: &dyn Rows) -> Result<Self, SpaceError> {
        let n_columns = rows.n_columns();
        let mut values = vec![0.0; rows.n_rows() * n_columns];
        if n_columns > 0 {
            for (row, into) in values.chunks_exact_mut(n_columns).enumerate() {
                rows.read(row, into)?;
            }
        }
        Self::new(values, n_columns)
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len() / self.n_columns
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Numbers of a point.
    #[must_use]
    pub fn width(&self) -> usize {
        self.n_columns
    }

    /// Point `row`.
    #[must_use]
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.n_columns..(row + 1) * self.n_columns]
    }

    /// All numbers, row by row.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The points of these rows, in this order.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let values = rows.iter().flat_map(|&row| self.row(row).iter().copied()).collect();
        Self { values, n_columns: self.n_columns }
    }

    /// Every point divided by its length; a zero vector stays one. Euclidean distances between such points
    /// are √(2 − 2 cos), so they rank as cosine does.
    #[must_use]
    pub fn normalised(mut self) -> Self {
        for row in self.values.chunks_exact_mut(self.n_columns) {
            let length = row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
            if length > 0.0 {
                row.iter_mut().for_each(|v| *v = (f64::from(*v) / length) as f32);
            }
        }
        self
    }
}

impl Rows for Points {
    fn n_rows(&self) -> usize {
        self.len()
    }

    fn n_columns(&self) -> usize {
        self.n_columns
    }

    fn read(&self, row: usize, into: &mut [f32]) -> Result<(), SpaceError> {
        into.copy_from_slice(self.row(row));
        Ok(())
    }
}

/// Pictures as rows: all channels, row by row, one after the other.
#[derive(Clone, Copy)]
pub struct PixelRows<'a>(pub &'a dyn Pixels);

impl Rows for PixelRows<'_> {
    fn n_rows(&self) -> usize {
        self.0.count()
    }

    fn n_columns(&self) -> usize {
        self.0.shape().values()
    }

    fn read(&self, row: usize, into: &mut [f32]) -> Result<(), SpaceError> {
        self.0.read(row, into)?;
        check_finite(into, into.len(), row)
    }
}

/// Some rows of others, in an order of their own: a split, a slice.
#[derive(Clone, Copy)]
pub struct Subset<'a> {
    all: &'a dyn Rows,
    rows: &'a [usize],
}

impl<'a> Subset<'a> {
    /// Rows `rows` of `all`.
    ///
    /// # Errors
    /// [`SpaceError::Range`] for a row that does not exist.
    pub fn new(all: &'a dyn Rows, rows: &'a [usize]) -> Result<Self, SpaceError> {
        let n = all.n_rows();
        match rows.iter().position(|row| *row >= n) {
            None => Ok(Self { all, rows }),
            Some(at) => Err(SpaceError::Range {
                what: "a row number",
                row: at,
                value: rows[at] as f64,
                low: 0.0,
                high: n.saturating_sub(1) as f64,
            }),
        }
    }
}

impl Rows for Subset<'_> {
    fn n_rows(&self) -> usize {
        self.rows.len()
    }

    fn n_columns(&self) -> usize {
        self.all.n_columns()
    }

    fn read(&self, row: usize, into: &mut [f32]) -> Result<(), SpaceError> {
        self.all.read(self.rows[row], into)
    }
}

fn check_finite(values: &[f32], n_columns: usize, first_row: usize) -> Result<(), SpaceError> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(at) => Err(SpaceError::NotFinite {
            row: first_row + at / n_columns,
            column: at % n_columns,
            value: f64::from(values[at]),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use volary_core::{PixelShape, PixelsInMemory};

    #[test]
    fn points_are_whole_and_finite() {
        assert!(matches!(
            Points::new(vec![0.0; 3], 2),
            Err(SpaceError::Ragged { n_values: 3, n_columns: 2 })
        ));
        assert!(matches!(Points::new(vec![], 0), Err(SpaceError::Ragged { .. })));
        let bad = Points::new(vec![0.0, 1.0, 2.0, f32::NAN], 2);
        assert!(matches!(bad, Err(SpaceError::NotFinite { row: 1, column: 1, .. })));
        assert!(Points::new(vec![], 3).unwrap().is_empty());
    }

    #[test]
    fn rows_of_rows() {
        let points = Points::new(vec![3.0, 4.0, 0.0, 0.0, 1.0, 0.0], 2).unwrap();
        let subset = Subset::new(&points, &[2, 0]).unwrap();
        assert_eq!(Points::collect(&subset).unwrap(), points.select(&[2, 0]));
        assert!(matches!(Subset::new(&points, &[3]), Err(SpaceError::Range { .. })));
        assert_eq!(points.normalised().values(), [0.6, 0.8, 0.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn pictures_are_rows_and_name_the_row_that_is_bad() {
        let shape = PixelShape { channels: 1, height: 1, width: 2 };
        let pictures = PixelsInMemory::new(shape, vec![0.0, 0.1, f32::INFINITY, 0.3]).unwrap();
        let rows = PixelRows(&pictures);
        let mut row = [0.0; 2];
        rows.read(0, &mut row).unwrap();
        assert_eq!(row, [0.0, 0.1]);
        assert!(matches!(rows.read(1, &mut row), Err(SpaceError::NotFinite { row: 1, column: 0, .. })));
    }
}
