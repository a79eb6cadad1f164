//! Principal components: the directions along which points differ most.
//!
//! Exact: eigenvectors of the covariance matrix, summed in double precision (up to
//! [`EXACT_UP_TO`] columns unless asked otherwise). Randomised: subspace iteration from a random start
//! (Halko, Martinsson & Tropp 2011, doi:10.1137/090771806, algorithm 4.4), which reads the rows a few
//! times and never holds a d × d matrix, so that pixels of many images can be reduced from a file. Both
//! give the same signs (the largest loading of a component is positive) and the same bytes for any number
//! of threads. Variances divide by n − 1, as `scikit-learn`'s.

use std::ops::Range;

use faer::{MatRef, Side};
use volary_core::seed::stream;

use crate::blocks;
use crate::draws::normal;
use crate::error::SpaceError;
use crate::points::{Points, Rows};
use crate::product::{product, product_transposed, transposed_product};

/// Columns up to which [`Solver::Auto`] is exact.
pub const EXACT_UP_TO: usize = 512;

/// How components are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Solver {
    /// Exact for few columns, randomised for many.
    #[default]
    Auto,
    /// By the covariance matrix: time n d², memory d².
    Exact,
    /// By subspace iteration: time n d k per iteration, memory d k.
    Randomised,
}

/// What to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PcaParams {
    /// Components; fewer are kept where there are fewer rows or columns.
    pub n_components: usize,
    /// How.
    pub solver: Solver,
    /// Rounds of subspace iteration. Four are enough for components that stand out, more for a flat
    /// spectrum.
    pub n_iterations: usize,
    /// Seed of the random start.
    pub seed: u64,
}

impl PcaParams {
    /// `n_components`, everything else as usual.
    #[must_use]
    pub fn new(n_components: usize) -> Self {
        Self { n_components, solver: Solver::Auto, n_iterations: 6, seed: 0 }
    }
}

/// Principal components of some rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Pca {
    mean: Vec<f64>,
    /// Row by row, each of unit length, by falling variance.
    components: Vec<f64>,
    variances: Vec<f64>,
    total_variance: f64,
}

impl Pca {
    /// Finds the components of `rows`.
    ///
    /// # Errors
    /// [`SpaceError::NoRows`] for fewer than two rows; [`SpaceError::Setting`] for no components; whatever
    /// reading the rows gives.
    pub fn fit(rows: &dyn Rows, params: &PcaParams) -> Result<Self, SpaceError> {
        let (n, d) = (rows.n_rows(), rows.n_columns());
        if n < 2 || d == 0 {
            return Err(SpaceError::NoRows {
                what: "principal components need two rows or more: the table",
            });
        }
        if params.n_components == 0 {
            let must = "at least 1";
            return Err(SpaceError::Setting { name: "the number of components", value: 0.0, must });
        }
        let k = params.n_components.min(d).min(n - 1);
        let (mean, total_variance) = moments(rows)?;
        let exact = match params.solver {
            Solver::Auto => d <= EXACT_UP_TO,
            Solver::Exact => true,
            Solver::Randomised => false,
        };
        let (mut components, variances) = if exact {
            exact_components(rows, &mean, k)?
        } else {
            random_components(rows, &mean, k, params)?
        };
        components.chunks_exact_mut(d).for_each(fix_sign);
        Ok(Self { mean, components, variances, total_variance })
    }

    /// Components that were found earlier.
    ///
    /// # Errors
    /// [`SpaceError::Length`] unless `components` has `variances.len()` rows as long as `mean`;
    /// [`SpaceError::NotFinite`].
    pub fn from_parts(
        mean: Vec<f64>,
        components: Vec<f64>,
        variances: Vec<f64>,
        total_variance: f64,
    ) -> Result<Self, SpaceError> {
        let expected = mean.len() * variances.len();
        if components.len() != expected || expected == 0 {
            let what = "the matrix of components";
            return Err(SpaceError::Length { what, actual: components.len(), expected });
        }
        let all = mean.iter().chain(&components).chain(&variances).chain([&total_variance]);
        if let Some((at, &value)) = all.enumerate().find(|(_, v)| !v.is_finite()) {
            return Err(SpaceError::NotFinite { row: at / mean.len(), column: at % mean.len(), value });
        }
        Ok(Self { mean, components, variances, total_variance })
    }

    /// How many components.
    #[must_use]
    pub fn n_components(&self) -> usize {
        self.variances.len()
    }

    /// Columns of the rows it was made of.
    #[must_use]
    pub fn n_columns(&self) -> usize {
        self.mean.len()
    }

    /// The mean row.
    #[must_use]
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The components, row by row, `n_components × n_columns`.
    #[must_use]
    pub fn components(&self) -> &[f64] {
        &self.components
    }

    /// Variance along each component.
    #[must_use]
    pub fn variances(&self) -> &[f64] {
        &self.variances
    }

    /// Variance of all columns together.
    #[must_use]
    pub fn total_variance(&self) -> f64 {
        self.total_variance
    }

    /// Share of the variance along each component; 0 where nothing varies.
    #[must_use]
    pub fn explained(&self) -> Vec<f64> {
        let share = |v: &f64| if self.total_variance > 0.0 { v / self.total_variance } else { 0.0 };
        self.variances.iter().map(share).collect()
    }

    /// Coordinates of rows along the components.
    ///
    /// # Errors
    /// [`SpaceError::Width`]; whatever reading the rows gives.
    pub fn transform(&self, rows: &dyn Rows) -> Result<Points, SpaceError> {
        let (d, k) = (self.width_of(rows)?, self.n_components());
        let values = blocks::join(rows.n_rows(), |range| {
            let (m, centred) = (range.len(), centred(rows, range, &self.mean)?);
            let along = product_transposed(&centred, &self.components, (m, d, k));
            Ok::<_, SpaceError>(along.into_iter().map(|v| v as f32).collect())
        })?;
        Points::new(values, k)
    }

    /// Rows again, from coordinates: what the components keep of them.
    ///
    /// # Errors
    /// [`SpaceError::Width`] unless the coordinates are as many as the components.
    pub fn inverse(&self, coordinates: &Points) -> Result<Points, SpaceError> {
        let (d, k) = (self.n_columns(), self.n_components());
        if coordinates.width() != k {
            return Err(SpaceError::Width { actual: coordinates.width(), expected: k });
        }
        let zero = vec![0.0; k];
        let values = blocks::join(coordinates.len(), |range| {
            let (m, along) = (range.len(), centred(coordinates, range, &zero)?);
            let back = product(&along, &self.components, (m, k, d));
            let shifted = back.chunks_exact(d).flat_map(|row| row.iter().zip(&self.mean));
            Ok::<_, SpaceError>(shifted.map(|(v, mean)| (v + mean) as f32).collect())
        })?;
        Points::new(values, d)
    }

    /// What the components lose of each row: its squared distance from their plane, a plain measure of how
    /// unusual it is.
    ///
    /// # Errors
    /// [`SpaceError::Width`]; whatever reading the rows gives.
    pub fn reconstruction_error(&self, rows: &dyn Rows) -> Result<Vec<f64>, SpaceError> {
        let (d, k) = (self.width_of(rows)?, self.n_components());
        blocks::join(rows.n_rows(), |range| {
            let (m, centred) = (range.len(), centred(rows, range, &self.mean)?);
            let along = product_transposed(&centred, &self.components, (m, d, k));
            let back = product(&along, &self.components, (m, k, d));
            let pairs = centred.chunks_exact(d).zip(back.chunks_exact(d));
            Ok(pairs
                .map(|(row, back)| row.iter().zip(back).map(|(a, b)| (a - b).powi(2)).sum())
                .collect())
        })
    }

    fn width_of(&self, rows: &dyn Rows) -> Result<usize, SpaceError> {
        let (actual, expected) = (rows.n_columns(), self.n_columns());
        if actual == expected { Ok(actual) } else { Err(SpaceError::Width { actual, expected }) }
    }
}

/// Mean of each column, and the variance of all together.
fn moments(rows: &dyn Rows) -> Result<(Vec<f64>, f64), SpaceError> {
    let (n, d) = (rows.n_rows(), rows.n_columns());
    let zero = vec![0.0; d];
    let mut mean = blocks::sum(n, d, |range| {
        let mut sums = vec![0.0; d];
        for row in centred(rows, range, &zero)?.chunks_exact(d) {
            sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += v);
        }
        Ok::<_, SpaceError>(sums)
    })?;
    mean.iter_mut().for_each(|sum| *sum /= n as f64);
    let squares = blocks::sum(n, 1, |range| {
        Ok::<_, SpaceError>(vec![centred(rows, range, &mean)?.iter().map(|v| v * v).sum()])
    })?;
    Ok((mean, squares.iter().sum::<f64>() / (n - 1) as f64))
}

/// A block of rows minus the mean.
fn centred(rows: &dyn Rows, range: Range<usize>, mean: &[f64]) -> Result<Vec<f64>, SpaceError> {
    let mut row = vec![0.0_f32; mean.len()];
    let mut out = Vec::with_capacity(range.len() * mean.len());
    for at in range {
        rows.read(at, &mut row)?;
        out.extend(row.iter().zip(mean).map(|(v, mean)| f64::from(*v) - mean));
    }
    Ok(out)
}

fn exact_components(
    rows: &dyn Rows,
    mean: &[f64],
    k: usize,
) -> Result<(Vec<f64>, Vec<f64>), SpaceError> {
    let (n, d) = (rows.n_rows(), mean.len());
    let mut covariance = blocks::sum(n, d * d, |range| {
        let (m, centred) = (range.len(), centred(rows, range, mean)?);
        Ok::<_, SpaceError>(transposed_product(&centred, &centred, (d, m, d)))
    })?;
    covariance.iter_mut().for_each(|v| *v /= (n - 1) as f64);
    let (vectors, values) = eigen(&covariance, d)?;
    Ok((vectors.into_iter().take(k).flatten().collect(), values.into_iter().take(k).collect()))
}

/// Eigenvectors and eigenvalues of a symmetric matrix, by falling eigenvalue (none below 0).
fn eigen(matrix: &[f64], d: usize) -> Result<(Vec<Vec<f64>>, Vec<f64>), SpaceError> {
    let found = MatRef::from_row_major_slice(matrix, d, d)
        .self_adjoint_eigen(Side::Lower)
        .map_err(|_| SpaceError::NotConverged { what: "eigenvalue decomposition" })?;
    let (vectors, values) = (found.U(), found.S().column_vector());
    let falling = || (0..d).rev();
    Ok((
        falling().map(|j| (0..d).map(|i| vectors[(i, j)]).collect()).collect(),
        falling().map(|j| values[j].max(0.0)).collect(),
    ))
}

/// Subspace iteration on the covariance matrix, which is never formed: Y ← orth(Xᵀ (X Y)).
fn random_components(
    rows: &dyn Rows,
    mean: &[f64],
    k: usize,
    params: &PcaParams,
) -> Result<(Vec<f64>, Vec<f64>), SpaceError> {
    let (n, d) = (rows.n_rows(), mean.len());
    // A few directions more than wanted hold what would otherwise leak into the wanted ones.
    let wide = (k + 10.max(k / 2)).min(d).min(n);
    let mut rng = stream(params.seed, "pca");
    let mut basis: Vec<f64> = (0..d * wide).map(|_| normal(&mut rng)).collect();
    basis = orthonormal(&basis, d, wide);
    let through = |basis: &[f64]| {
        blocks::sum(n, d * wide, |range| {
            let (m, centred) = (range.len(), centred(rows, range, mean)?);
            let along = product(&centred, basis, (m, d, wide));
            Ok::<_, SpaceError>(transposed_product(&centred, &along, (d, m, wide)))
        })
    };
    for _ in 0..params.n_iterations.max(1) {
        basis = orthonormal(&through(&basis)?, d, wide);
    }
    // Within the subspace the problem is small and exact (Rayleigh & Ritz).
    let image = through(&basis)?;
    let mut small = transposed_product(&basis, &image, (wide, d, wide));
    small.iter_mut().for_each(|v| *v /= (n - 1) as f64);
    let (vectors, values) = eigen(&small, wide)?;
    let chosen: Vec<f64> = vectors.into_iter().take(k).flatten().collect();
    let components = product_transposed(&chosen, &basis, (k, wide, d));
    Ok((components, values.into_iter().take(k).collect()))
}

/// An orthonormal basis of the columns of a d × k matrix, by Householder reflections.
fn orthonormal(matrix: &[f64], d: usize, k: usize) -> Vec<f64> {
    let q = MatRef::from_row_major_slice(matrix, d, k).qr().compute_thin_Q();
    (0..d).flat_map(|i| (0..k).map(move |j| (i, j))).map(|at| q[at]).collect()
}

/// Turns a component so that its largest loading is positive (the first of equals).
fn fix_sign(component: &mut [f64]) {
    let largest = component.iter().fold(0.0, |a: f64, b| if b.abs() > a.abs() { *b } else { a });
    if largest < 0.0 {
        component.iter_mut().for_each(|v| *v = -*v);
    }
}

#[cfg(test)]
#[path = "pca_tests.rs"]
mod tests;
