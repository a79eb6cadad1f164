//! The product of two matrices on one thread. The work is `matrixmultiply`'s, by way of `ndarray`, whose
//! interface is safe; it uses AVX-512, AVX2 or NEON where the machine has them.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};

/// A factor: `rows × columns` numbers row by row, read as they lie or turned over.
#[derive(Clone, Copy)]
pub(crate) struct Factor<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    turned: bool,
}

impl<'a> Factor<'a> {
    /// A matrix as it lies.
    pub(crate) fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self { values, rows, columns, turned: false }
    }

    /// The transpose of a matrix that lies as `rows × columns`.
    pub(crate) fn transposed(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self { values, rows, columns, turned: true }
    }

    fn view(&self) -> ArrayView2<'a, f32> {
        let view = ArrayView2::from_shape((self.rows, self.columns), self.values)
            .expect("a factor has as many numbers as its shape");
        if self.turned { view.reversed_axes() } else { view }
    }
}

/// `out = a b`, or `out += a b` when `add`. `out` lies row by row.
///
/// # Panics
/// If a length doesn't fit its shape, or the shapes don't fit each other.
pub(crate) fn product(out: &mut [f32], a: Factor<'_>, b: Factor<'_>, add: bool) {
    let (a, b) = (a.view(), b.view());
    let mut out = ArrayViewMut2::from_shape((a.nrows(), b.ncols()), out)
        .expect("a product has as many rows as the left factor and as many columns as the right");
    general_mat_mul(1.0, &a, &b, if add { 1.0 } else { 0.0 }, &mut out);
}
