//! Sums over many rows, on any number of threads with the same result: blocks of a fixed size, added in
//! their order.

use std::ops::Range;

use rayon::prelude::*;

/// Rows of a block. Fixed, because the cut decides how sums are rounded.
const BLOCK: usize = 1024;
/// Blocks at work at once; bounds the memory for partial sums.
const WAVE: usize = 16;

/// Adds up `part(rows)` (each `width` long) over all blocks of `n_rows` rows.
pub(crate) fn sum<E: Send>(
    n_rows: usize,
    width: usize,
    part: impl Fn(Range<usize>) -> Result<Vec<f64>, E> + Sync,
) -> Result<Vec<f64>, E> {
    let mut total = vec![0.0; width];
    let n_blocks = n_rows.div_ceil(BLOCK);
    for first in (0..n_blocks).step_by(WAVE) {
        let wave: Vec<Result<Vec<f64>, E>> = (first..(first + WAVE).min(n_blocks))
            .into_par_iter()
            .map(|block| part(block * BLOCK..((block + 1) * BLOCK).min(n_rows)))
            .collect();
        for sums in wave {
            total.iter_mut().zip(sums?).for_each(|(total, sum)| *total += sum);
        }
    }
    Ok(total)
}

/// `part(rows)` of every block, one after the other.
pub(crate) fn join<T: Send, E: Send>(
    n_rows: usize,
    part: impl Fn(Range<usize>) -> Result<Vec<T>, E> + Sync,
) -> Result<Vec<T>, E> {
    let parts: Result<Vec<Vec<T>>, E> = (0..n_rows.div_ceil(BLOCK))
        .into_par_iter()
        .map(|block| part(block * BLOCK..((block + 1) * BLOCK).min(n_rows)))
        .collect();
    Ok(parts?.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_block() {
        for n in [0, 1, BLOCK, BLOCK * WAVE + 1, BLOCK * WAVE * 2 + 5] {
            let total: Result<Vec<f64>, ()> =
                sum(n, 2, |rows| Ok(vec![rows.len() as f64, rows.map(|r| r as f64).sum()]));
            let expected = vec![n as f64, (n as f64) * (n as f64 - 1.0) / 2.0];
            assert_eq!(total, Ok(expected.into_iter().map(|v| v + 0.0).collect()));
            let rows: Result<Vec<usize>, ()> = join(n, |rows| Ok(rows.collect()));
            assert_eq!(rows, Ok((0..n).collect()));
        }
        assert_eq!(
            sum(5000, 1, |rows| if rows.start > 0 { Err(rows.start) } else { Ok(vec![0.0]) }),
            Err(BLOCK)
        );
    }
}
