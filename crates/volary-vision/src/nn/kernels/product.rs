//! The product of two matrices on one thread: a thin shell over `faer`, whose kernels use AVX-512 where the
//! machine has it (1.5 to 1.8 times the rate of `matrixmultiply`, which stops at AVX2).

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// A factor: `rows × columns` numbers row by row, read as they lie or turned over.
#[derive(Clone, Copy)]
pub(crate) struct Factor<'a>(MatRef<'a, f32>);

impl<'a> Factor<'a> {
    /// A matrix as it lies.
    ///
    /// # Panics
    /// If there are not as many numbers as the shape says.
    pub(crate) fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self(MatRef::from_row_major_slice(values, rows, columns))
    }

    /// The transpose of a matrix that lies as `rows × columns`.
    ///
    /// # Panics
    /// If there are not as many numbers as the shape says.
    pub(crate) fn transposed(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self(MatRef::from_row_major_slice(values, rows, columns).transpose())
    }
}

/// `out = a b`, or `out += a b` when `add`. `out` lies row by row.
///
/// # Panics
/// If the length of `out` or the shapes don't fit each other.
pub(crate) fn product(out: &mut [f32], Factor(a): Factor<'_>, Factor(b): Factor<'_>, add: bool) {
    let out = MatMut::from_row_major_slice_mut(out, a.nrows(), b.ncols());
    matmul(out, if add { Accum::Add } else { Accum::Replace }, a, b, 1.0, Par::Seq);
}
