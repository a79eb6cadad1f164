//! Nearest neighbours of points: exact ([`exact`]) and, for large tables, approximate with a recall that is
//! measured and not promised ([`Index`], [`approximate`]).
//!
//! Both compare blocks of points by matrix products in single precision, keep what could still be among
//! the nearest, and decide in double precision. Ties go to the lower row. The same rows for any number of
//! threads. Neighbours may be asked for among some rows only ("the five nearest with vortex consensus
//! above 0.7"); a point of the table is never its own neighbour.

mod exact;
mod inverted;
mod purity;
mod top;

use crate::error::SpaceError;
use crate::points::Points;

pub use exact::exact;
pub use inverted::{Approximate, ApproximateParams, Index, approximate};
pub use purity::{purity, recall};
pub(crate) use top::{Prepared, origin};

/// How far apart two points are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metric {
    /// √Σ(x − y)².
    #[default]
    Euclidean,
    /// 1 − x·y / (‖x‖ ‖y‖); 1 from a vector of zeros.
    Cosine,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Euclidean, Self::Cosine];

    /// The metric of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.as_str() == name)
    }

    /// Its name on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Euclidean => "euclidean",
            Self::Cosine => "cosine",
        }
    }
}

/// Whose neighbours are asked for.
#[derive(Clone, Copy, Debug)]
pub enum Queries<'a> {
    /// Every point's; none is its own neighbour.
    All,
    /// Those of some rows; none is its own neighbour.
    Rows(&'a [usize]),
    /// Those of points that are not in the table.
    Others(&'a Points),
}

impl Queries<'_> {
    /// How many.
    #[must_use]
    pub fn len(&self, points: &Points) -> usize {
        match self {
            Self::All => points.len(),
            Self::Rows(rows) => rows.len(),
            Self::Others(others) => others.len(),
        }
    }

    /// Query `i`.
    fn point<'p>(&'p self, i: usize, points: &'p Points) -> &'p [f32] {
        match self {
            Self::All => points.row(i),
            Self::Rows(rows) => points.row(rows[i]),
            Self::Others(others) => others.row(i),
        }
    }

    /// The row of the table that query `i` is, which is not to be found.
    fn itself(&self, i: usize) -> Option<u32> {
        match self {
            Self::All => u32::try_from(i).ok(),
            Self::Rows(rows) => u32::try_from(rows[i]).ok(),
            Self::Others(_) => None,
        }
    }

    fn check(&self, points: &Points) -> Result<(), SpaceError> {
        match self {
            Self::All => Ok(()),
            Self::Rows(rows) => match rows.iter().position(|row| *row >= points.len()) {
                None => Ok(()),
                Some(row) => Err(SpaceError::Range {
                    what: "a row number",
                    row,
                    value: rows[row] as f64,
                    low: 0.0,
                    high: points.len().saturating_sub(1) as f64,
                }),
            },
            Self::Others(others) if others.width() == points.width() => Ok(()),
            Self::Others(others) => {
                Err(SpaceError::Width { actual: others.width(), expected: points.width() })
            }
        }
    }
}

/// The nearest rows of some queries, nearest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbours {
    k: usize,
    rows: Vec<u32>,
    distances: Vec<f32>,
}

impl Neighbours {
    fn collect(k: usize, found: Vec<Vec<(f64, u32)>>) -> Self {
        let (rows, distances) =
            found.into_iter().flatten().map(|(distance, row)| (row, distance as f32)).unzip();
        Self { k, rows, distances }
    }

    /// Neighbours of each query: as many as were asked for, or as there are.
    #[must_use]
    pub fn k(&self) -> usize {
        self.k
    }

    /// How many queries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len().checked_div(self.k).unwrap_or(0)
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Rows of the table that are nearest to query `i`.
    #[must_use]
    pub fn rows(&self, i: usize) -> &[u32] {
        &self.rows[i * self.k..(i + 1) * self.k]
    }

    /// Their distances.
    #[must_use]
    pub fn distances(&self, i: usize) -> &[f32] {
        &self.distances[i * self.k..(i + 1) * self.k]
    }
}

/// The distance itself, in double precision.
fn distance(a: &[f32], b: &[f32], metric: Metric) -> f64 {
    let pairs = || a.iter().zip(b).map(|(x, y)| (f64::from(*x), f64::from(*y)));
    match metric {
        Metric::Euclidean => pairs().map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt(),
        Metric::Cosine => {
            let (dot, aa, bb) = pairs()
                .fold((0.0, 0.0, 0.0), |(dot, aa, bb), (x, y)| (dot + x * y, aa + x * x, bb + y * y));
            if aa > 0.0 && bb > 0.0 { (1.0 - dot / (aa * bb).sqrt()).max(0.0) } else { 1.0 }
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
