//! From a picture to the columns of a matrix and back (im2col and its adjoint).
//!
//! Row `(channel, ky, kx)` of the columns holds, for every position of the kernel, the pixel that lies
//! under its cell `(ky, kx)`; zeros where the kernel hangs over the edge. [`fold`] is the adjoint: every
//! pixel gets the sum of all cells that it lay under.
//!
//! The halving kernel (4 × 4, step 2, one zero around) has its own path: a row of pixels is split into
//! even and odd ones, after which every row of the columns is one straight copy.

use super::Walk;

/// Where the columns of one picture lie among those of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Length of a row of the whole matrix.
    pub(crate) stride: usize,
    /// First column of this picture.
    pub(crate) first: usize,
}

/// Writes the columns of a picture, `[channels, height, width]`, into a matrix of `patch` rows.
pub(crate) fn unfold(picture: &[f32], walk: &Walk, columns: &mut [f32], place: Place) {
    pulp::Arch::new().dispatch(|| {
        if is_halving(walk) {
            unfold_halving(picture, walk, columns, place);
        } else {
            unfold_any(picture, walk, columns, place);
        }
    });
}

/// Sums the columns back into a picture, whose former content is lost.
pub(crate) fn fold(columns: &[f32], walk: &Walk, picture: &mut [f32], place: Place) {
    pulp::Arch::new().dispatch(|| {
        if is_halving(walk) {
            fold_halving(columns, walk, picture, place);
        } else {
            fold_any(columns, walk, picture, place);
        }
    });
}

fn is_halving(walk: &Walk) -> bool {
    walk.kernel == 4
        && walk.stride == 2
        && walk.padding == 1
        && walk.height.is_multiple_of(2)
        && walk.width.is_multiple_of(2)
        && walk.height > 0
        && walk.width > 0
}

/// Positions whose cell `k` lies inside a line of `size` pixels: `first..last`, and the pixel under the first.
#[inline(always)]
fn inside(size: usize, n: usize, k: usize, walk: &Walk) -> (usize, usize, usize) {
    let first = walk.padding.saturating_sub(k).div_ceil(walk.stride).min(n);
    // position * stride + k - padding < size
    let last = (size + walk.padding).saturating_sub(k).div_ceil(walk.stride).clamp(first, n);
    (first, last, (first * walk.stride + k).saturating_sub(walk.padding))
}

#[inline(always)]
fn unfold_any(picture: &[f32], walk: &Walk, columns: &mut [f32], place: Place) {
    let (n_rows, n_columns) = (walk.rows(), walk.columns());
    let mut row = 0;
    for plane in picture.chunks_exact(walk.height * walk.width) {
        for ky in 0..walk.kernel {
            let (top, bottom, _) = inside(walk.height, n_rows, ky, walk);
            for kx in 0..walk.kernel {
                let (left, right, pixel) = inside(walk.width, n_columns, kx, walk);
                let start = row * place.stride + place.first;
                let line = &mut columns[start..start + n_rows * n_columns];
                for (y, cells) in line.chunks_exact_mut(n_columns).enumerate() {
                    if y < top || y >= bottom {
                        cells.fill(0.0);
                        continue;
                    }
                    let from =
                        &plane[(y * walk.stride + ky - walk.padding) * walk.width..][..walk.width];
                    cells[..left].fill(0.0);
                    cells[right..].fill(0.0);
                    if walk.stride == 1 {
                        cells[left..right].copy_from_slice(&from[pixel..pixel + right - left]);
                    } else {
                        for (cell, &value) in cells[left..right]
                            .iter_mut()
                            .zip(from[pixel.min(walk.width)..].iter().step_by(walk.stride))
                        {
                            *cell = value;
                        }
                    }
                }
                row += 1;
            }
        }
    }
}

#[inline(always)]
fn fold_any(columns: &[f32], walk: &Walk, picture: &mut [f32], place: Place) {
    let (n_rows, n_columns) = (walk.rows(), walk.columns());
    picture.fill(0.0);
    let mut row = 0;
    for plane in picture.chunks_exact_mut(walk.height * walk.width) {
        for ky in 0..walk.kernel {
            let (top, bottom, _) = inside(walk.height, n_rows, ky, walk);
            for kx in 0..walk.kernel {
                let (left, right, pixel) = inside(walk.width, n_columns, kx, walk);
                let start = row * place.stride + place.first;
                let line = &columns[start..start + n_rows * n_columns];
                for y in top..bottom {
                    let cells = &line[y * n_columns..][left..right];
                    let to =
                        &mut plane[(y * walk.stride + ky - walk.padding) * walk.width..][..walk.width];
                    if walk.stride == 1 {
                        for (pixel, cell) in to[pixel..].iter_mut().zip(cells) {
                            *pixel += cell;
                        }
                    } else {
                        let pixels = to[pixel.min(walk.width)..].iter_mut().step_by(walk.stride);
                        for (pixel, cell) in pixels.zip(cells) {
                            *pixel += cell;
                        }
                    }
                }
                row += 1;
            }
        }
    }
}

/// Line `y` of pixels lies under two lines of the kernel: `(ky, line of positions)`; `None` over the edge.
#[inline(always)]
fn lines_over(y: usize, n_rows: usize) -> [Option<(usize, usize)>; 2] {
    if y.is_multiple_of(2) {
        [Some((1, y / 2)), (y / 2).checked_sub(1).map(|row| (3, row))]
    } else {
        [(y.div_ceil(2) < n_rows).then_some((0, y.div_ceil(2))), Some((2, y / 2))]
    }
}

#[inline(always)]
fn unfold_halving(picture: &[f32], walk: &Walk, columns: &mut [f32], place: Place) {
    let (n_rows, n) = (walk.height / 2, walk.width / 2);
    for (channel, plane) in picture.chunks_exact(walk.height * walk.width).enumerate() {
        let cell = |ky: usize, kx: usize| (channel * 16 + ky * 4 + kx) * place.stride + place.first;
        for kx in 0..4 {
            columns[cell(0, kx)..][..n].fill(0.0);
            columns[cell(3, kx) + (n_rows - 1) * n..][..n].fill(0.0);
        }
        for (y, line) in plane.chunks_exact(walk.width).enumerate() {
            for (ky, row) in lines_over(y, n_rows).into_iter().flatten() {
                let to = &mut columns[cell(ky, 0) + row * n..][..n];
                to[0] = 0.0;
                for (to, pair) in to[1..].iter_mut().zip(line.chunks_exact(2)) {
                    *to = pair[1];
                }
                let to = &mut columns[cell(ky, 1) + row * n..][..n];
                for (to, pair) in to.iter_mut().zip(line.chunks_exact(2)) {
                    *to = pair[0];
                }
                let to = &mut columns[cell(ky, 2) + row * n..][..n];
                for (to, pair) in to.iter_mut().zip(line.chunks_exact(2)) {
                    *to = pair[1];
                }
                let to = &mut columns[cell(ky, 3) + row * n..][..n];
                to[n - 1] = 0.0;
                for (to, pair) in to.iter_mut().zip(line[2..].chunks_exact(2)) {
                    *to = pair[0];
                }
            }
        }
    }
}

#[inline(always)]
fn fold_halving(columns: &[f32], walk: &Walk, picture: &mut [f32], place: Place) {
    let (n_rows, n) = (walk.height / 2, walk.width / 2);
    for (channel, plane) in picture.chunks_exact_mut(walk.height * walk.width).enumerate() {
        let cell = |ky: usize, kx: usize, row: usize| {
            &columns[(channel * 16 + ky * 4 + kx) * place.stride + place.first + row * n..][..n]
        };
        for (y, line) in plane.chunks_exact_mut(walk.width).enumerate() {
            match lines_over(y, n_rows) {
                [Some((ky, row)), Some((ky_2, row_2))] => {
                    let [a, b, c, d] = [0, 1, 2, 3].map(|kx| cell(ky, kx, row));
                    let [a_2, b_2, c_2, d_2] = [0, 1, 2, 3].map(|kx| cell(ky_2, kx, row_2));
                    for (i, pair) in line.chunks_exact_mut(2).enumerate() {
                        pair[0] = b[i] + b_2[i];
                        pair[1] = c[i] + c_2[i];
                    }
                    for (i, pair) in line[2..].chunks_exact_mut(2).enumerate() {
                        pair[0] += d[i] + d_2[i];
                    }
                    for (pair, (a, a_2)) in line.chunks_exact_mut(2).zip(a[1..].iter().zip(&a_2[1..])) {
                        pair[1] += a + a_2;
                    }
                }
                [one, other] => {
                    line.fill(0.0);
                    for (ky, row) in [one, other].into_iter().flatten() {
                        let [a, b, c, d] = [0, 1, 2, 3].map(|kx| cell(ky, kx, row));
                        for (i, pair) in line.chunks_exact_mut(2).enumerate() {
                            pair[0] += b[i];
                            pair[1] += c[i];
                        }
                        for (i, pair) in line[2..].chunks_exact_mut(2).enumerate() {
                            pair[0] += d[i];
                        }
                        for (pair, a) in line.chunks_exact_mut(2).zip(&a[1..]) {
                            pair[1] += a;
                        }
                    }
                }
            }
        }
    }
}
