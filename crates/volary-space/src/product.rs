//! Matrix products on row-major slices, one thread each (the caller cuts the work): a thin shell over
//! `faer`.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// `a · b`: `a` is m × k, `b` is k × n.
pub(crate) fn product(a: &[f64], b: &[f64], (m, k, n): (usize, usize, usize)) -> Vec<f64> {
    let mut out = vec![0.0; m * n];
    let into = MatMut::from_row_major_slice_mut(&mut out, m, n);
    let (a, b) = (MatRef::from_row_major_slice(a, m, k), MatRef::from_row_major_slice(b, k, n));
    matmul(into, Accum::Replace, a, b, 1.0, Par::Seq);
    out
}

/// `a · bᵀ`: `a` is m × k, `b` is n × k.
pub(crate) fn product_transposed(a: &[f64], b: &[f64], (m, k, n): (usize, usize, usize)) -> Vec<f64> {
    let mut out = vec![0.0; m * n];
    let into = MatMut::from_row_major_slice_mut(&mut out, m, n);
    let (a, b) = (MatRef::from_row_major_slice(a, m, k), MatRef::from_row_major_slice(b, n, k));
    matmul(into, Accum::Replace, a, b.transpose(), 1.0, Par::Seq);
    out
}

/// `aᵀ · b`: `a` is k × m, `b` is k × n.
pub(crate) fn transposed_product(a: &[f64], b: &[f64], (m, k, n): (usize, usize, usize)) -> Vec<f64> {
    let mut out = vec![0.0; m * n];
    let into = MatMut::from_row_major_slice_mut(&mut out, m, n);
    let (a, b) = (MatRef::from_row_major_slice(a, k, m), MatRef::from_row_major_slice(b, k, n));
    matmul(into, Accum::Replace, a.transpose(), b, 1.0, Par::Seq);
    out
}

/// `a · bᵀ` in single precision, into `out`: `a` is m × k, `b` is n × k.
pub(crate) fn products_f32(a: &[f32], b: &[f32], (m, k, n): (usize, usize, usize), out: &mut [f32]) {
    let into = MatMut::from_row_major_slice_mut(out, m, n);
    let (a, b) = (MatRef::from_row_major_slice(a, m, k), MatRef::from_row_major_slice(b, n, k));
    matmul(into, Accum::Replace, a, b.transpose(), 1.0, Par::Seq);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_on_paper() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 0.0, 2.0, 1.0, 0.0, 1.0]);
        assert_eq!(product(&a, &b, (2, 3, 2)), [5.0, 5.0, 14.0, 11.0]);
        assert_eq!(product_transposed(&a, &b, (2, 3, 2)), [7.0, 4.0, 16.0, 10.0]);
        assert_eq!(
            transposed_product(&a, &b, (3, 2, 3)),
            [5.0, 0.0, 6.0, 7.0, 0.0, 9.0, 9.0, 0.0, 12.0]
        );
    }
}
