//! From a picture to the columns of a matrix and back (im2col and its adjoint).
//!
//! Row `(channel, ky, kx)` of the columns holds, for every position of the kernel, the pixel that lies
//! under its cell `(ky, kx)`; zeros where the kernel hangs over the edge. [`fold`] is the adjoint: every
//! pixel gets the sum of all cells that it lay under.
//!
//! Where there is a position for every `stride` pixels, which is so for all layers of our networks, a plane
//! of pixels is first dealt out into `stride²` planes, one for every remainder of `y` and `x`. The pixels
//! under a cell are then one of these planes, shifted: every row of the columns is one straight copy.

use super::{Walk, room};

/// Where the columns of one picture lie among those of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Length of a row of the whole matrix.
    pub(crate) stride: usize,
    /// First column of this picture.
    pub(crate) first: usize,
}

/// Writes the columns of a picture, `[channels, height, width]`, into a matrix of `patch` rows. `room` is for
/// planes on the way.
pub(crate) fn unfold(
    picture: &[f32],
    walk: &Walk,
    columns: &mut [f32],
    place: Place,
    room: &mut Vec<f32>,
) {
    pulp::Arch::new().dispatch(|| {
        if is_even(walk) {
            unfold_even(picture, walk, columns, place, room);
        } else {
            unfold_any(picture, walk, columns, place);
        }
    });
}

/// Sums the columns back into a picture, whose former content is lost; so is that of some columns.
pub(crate) fn fold(
    columns: &mut [f32],
    walk: &Walk,
    picture: &mut [f32],
    place: Place,
    room: &mut Vec<f32>,
) {
    pulp::Arch::new().dispatch(|| {
        if is_even(walk) {
            fold_even(columns, walk, picture, place, room);
        } else {
            fold_any(columns, walk, picture, place);
        }
    });
}

/// Whether there is a position for every `stride` pixels, exactly.
fn is_even(walk: &Walk) -> bool {
    matches!(walk.stride, 1 | 2)
        && walk.height.is_multiple_of(walk.stride)
        && walk.width.is_multiple_of(walk.stride)
        && walk.rows() == walk.height / walk.stride
        && walk.columns() == walk.width / walk.stride
        && walk.positions() > 0
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

/// Line (or column) `k` of the kernel lies over the pixels with this remainder, shifted by so many positions.
#[inline(always)]
fn under(k: usize, walk: &Walk) -> (usize, isize) {
    let (offset, stride) = (k as isize - walk.padding as isize, walk.stride as isize);
    (offset.rem_euclid(stride) as usize, offset.div_euclid(stride))
}

/// A plane of remainders, shifted down and right: position `i` lies over number `i + offset` of the plane,
/// for the positions in `from..to` that are not in one of the columns `outside` of the grid.
struct Shift {
    plane: usize,
    from: usize,
    to: usize,
    offset: isize,
    outside: std::ops::Range<usize>,
}

/// The shift of cell `(ky, kx)`.
#[inline(always)]
fn shift(ky: usize, kx: usize, walk: &Walk) -> Shift {
    let (n, width) = (walk.positions(), walk.columns());
    let ((remainder_y, down), (remainder_x, right)) = (under(ky, walk), under(kx, walk));
    let offset = down * width as isize + right;
    // A shift by more than the whole plane leaves nothing of it.
    let from = ((-offset).max(0) as usize).min(n);
    let to = (n as isize - offset.max(0)).max(from as isize) as usize;
    let outside = if right < 0 {
        0..right.unsigned_abs().min(width)
    } else {
        width.saturating_sub(right as usize)..width
    };
    Shift { plane: remainder_y * walk.stride + remainder_x, from, to, offset, outside }
}

/// The numbers of a plane that lie under the positions of a shift.
#[inline(always)]
fn shifted(plane: usize, n: usize, at: &Shift) -> std::ops::Range<usize> {
    let first = plane * n + at.from.wrapping_add_signed(at.offset);
    first..first + (at.to - at.from)
}

#[inline(always)]
fn clear(cells: &mut [f32], width: usize, outside: &std::ops::Range<usize>) {
    if !outside.is_empty() {
        for line in cells.chunks_exact_mut(width) {
            line[outside.clone()].fill(0.0);
        }
    }
}

#[inline(always)]
fn unfold_even(picture: &[f32], walk: &Walk, columns: &mut [f32], place: Place, buffer: &mut Vec<f32>) {
    let (n, width) = (walk.positions(), walk.columns());
    let dealt = room(buffer, walk.height * walk.width);
    let mut row = 0;
    for plane in picture.chunks_exact(walk.height * walk.width) {
        let planes = if walk.stride == 1 {
            plane
        } else {
            deal(plane, walk, dealt);
            &*dealt
        };
        for ky in 0..walk.kernel {
            for kx in 0..walk.kernel {
                let at = shift(ky, kx, walk);
                let cells = &mut columns[row * place.stride + place.first..][..n];
                cells[..at.from].fill(0.0);
                cells[at.to..].fill(0.0);
                if at.to > at.from {
                    cells[at.from..at.to].copy_from_slice(&planes[shifted(at.plane, n, &at)]);
                }
                clear(cells, width, &at.outside);
                row += 1;
            }
        }
    }
}

#[inline(always)]
fn fold_even(
    columns: &mut [f32],
    walk: &Walk,
    picture: &mut [f32],
    place: Place,
    buffer: &mut Vec<f32>,
) {
    let (n, width) = (walk.positions(), walk.columns());
    let planes = room(buffer, walk.height * walk.width);
    let mut row = 0;
    for plane in picture.chunks_exact_mut(walk.height * walk.width) {
        planes.fill(0.0);
        for ky in 0..walk.kernel {
            for kx in 0..walk.kernel {
                let at = shift(ky, kx, walk);
                let cells = &mut columns[row * place.stride + place.first..][..n];
                clear(cells, width, &at.outside);
                if at.to > at.from {
                    let sums = &mut planes[shifted(at.plane, n, &at)];
                    for (sum, cell) in sums.iter_mut().zip(&cells[at.from..at.to]) {
                        *sum += cell;
                    }
                }
                row += 1;
            }
        }
        if walk.stride == 1 {
            plane.copy_from_slice(planes);
        } else {
            gather_in(planes, walk, plane);
        }
    }
}

/// Deals a plane out by the remainders of `y` and `x` divided by 2.
#[inline(always)]
fn deal(plane: &[f32], walk: &Walk, dealt: &mut [f32]) {
    let (n, width) = (walk.positions(), walk.columns());
    for (y, line) in plane.chunks_exact(walk.width).enumerate() {
        let (even, odd) = dealt[(y % 2) * 2 * n..][..2 * n].split_at_mut(n);
        let lines = even[y / 2 * width..][..width].iter_mut().zip(&mut odd[y / 2 * width..][..width]);
        for ((even, odd), pair) in lines.zip(line.chunks_exact(2)) {
            *even = pair[0];
            *odd = pair[1];
        }
    }
}

/// The way back of [`deal`].
#[inline(always)]
fn gather_in(dealt: &[f32], walk: &Walk, plane: &mut [f32]) {
    let (n, width) = (walk.positions(), walk.columns());
    for (y, line) in plane.chunks_exact_mut(walk.width).enumerate() {
        let (even, odd) = dealt[(y % 2) * 2 * n..][..2 * n].split_at(n);
        let lines = even[y / 2 * width..][..width].iter().zip(&odd[y / 2 * width..][..width]);
        for (pair, (even, odd)) in line.chunks_exact_mut(2).zip(lines) {
            pair[0] = *even;
            pair[1] = *odd;
        }
    }
}
