//! The convolution, forwards and backwards.

use rayon::prelude::*;

use super::finish::{PlaneNorm, finish_plane, unfinish_plane};
use super::product::{Factor, product};
use super::unfold::{Place, fold, unfold};
use super::{Finish, Gradients, Walk, block_size, blocks_per_part, room, sum_in_order, with_scratch};

/// What a layer gives, and what its way back has to know.
pub(crate) struct Output {
    /// `[batch, out, rows, columns]`.
    pub(crate) y: Vec<f32>,
    /// One for every plane of `y`.
    pub(crate) norms: Vec<PlaneNorm>,
}

/// Runs a convolution over a batch.
///
/// # Shapes
/// - `x`: `[batch, channels, height, width]`, as `walk` says
/// - `weight`: `[out, channels, kernel, kernel]`; `bias`: `[out]`
pub(crate) fn forward(x: &[f32], weight: &[f32], bias: &[f32], walk: &Walk, finish: Finish) -> Output {
    let (n_out, positions, patch) = (bias.len(), walk.positions(), walk.patch());
    let batch = x.len() / walk.picture().max(1);
    let mut y = vec![0.0; batch * n_out * positions];
    let mut norms = vec![PlaneNorm::default(); batch * n_out];
    if y.is_empty() {
        return Output { y, norms };
    }
    let block = block_size(positions);
    y.par_chunks_mut(block * n_out * positions)
        .zip(norms.par_chunks_mut(block * n_out))
        .zip(x.par_chunks(block * walk.picture()))
        .for_each(|((y, norms), x)| {
            let width = y.len() / n_out;
            with_scratch(|scratch| {
                let u = room(&mut scratch.rows, n_out * width);
                {
                    let columns = room(&mut scratch.columns, patch * width);
                    unfold_block(x, walk, columns, width, &mut scratch.planes);
                    let (weight, columns) =
                        (Factor::new(weight, n_out, patch), Factor::new(columns, patch, width));
                    product(u, weight, columns, false);
                }
                finish_block(u, bias, positions, finish, y, norms);
            });
        });
    Output { y, norms }
}

/// Takes the gradient of what [`forward`] gave back to what went in.
pub(crate) fn backward(
    dy: &[f32],
    x: &[f32],
    weight: &[f32],
    output: (&[f32], &[PlaneNorm]),
    walk: &Walk,
    finish: Finish,
    wanted: Wanted,
) -> Gradients {
    let (positions, patch) = (walk.positions(), walk.patch());
    let n_out = weight.len() / patch.max(1);
    let batch = x.len() / walk.picture().max(1);
    let block = block_size(positions);
    let mut dx = if wanted.x { vec![0.0; x.len()] } else { Vec::new() };
    let parts = blocks_per_part(batch.div_ceil(block)) * block;
    let picture = walk.picture();
    // A batch of nothing has no parts, and a gradient that nobody wants has no pictures to hand out.
    let dx_parts: Vec<&mut [f32]> = hand_out(&mut dx, parts * picture, batch.div_ceil(parts));
    let sums: Vec<(Vec<f32>, Vec<f32>)> = dx_parts
        .into_par_iter()
        .enumerate()
        .map(|(part, dx)| {
            let pictures = part * parts..((part + 1) * parts).min(batch);
            let mut d_weight = if wanted.weight { vec![0.0; weight.len()] } else { Vec::new() };
            let mut d_bias = vec![0.0; n_out];
            let mut first = true;
            for start in pictures.clone().step_by(block) {
                let range = start..(start + block).min(pictures.end);
                let n = range.len();
                let width = n * positions;
                let planes = range.start * n_out..range.end * n_out;
                let spread = planes.start * positions..planes.end * positions;
                with_scratch(|scratch| {
                    let du = room(&mut scratch.rows, n_out * width);
                    let (y, norms) = of_block(output, &spread, &planes);
                    unfinish_block(&dy[spread], y, norms, positions, finish, du, &mut d_bias);
                    let columns = room(&mut scratch.columns, patch * width);
                    if wanted.weight {
                        unfold_block(
                            &x[range.start * picture..range.end * picture],
                            walk,
                            columns,
                            width,
                            &mut scratch.planes,
                        );
                        let (du, columns) =
                            (Factor::new(du, n_out, width), Factor::transposed(columns, patch, width));
                        product(&mut d_weight, du, columns, !first);
                    }
                    if wanted.x {
                        let weight = Factor::transposed(weight, n_out, patch);
                        product(columns, weight, Factor::new(du, n_out, width), false);
                        let offset = (range.start - pictures.start) * picture;
                        let dx = &mut dx[offset..offset + n * picture];
                        fold_block(columns, walk, dx, width, &mut scratch.planes);
                    }
                });
                first = false;
            }
            (d_weight, d_bias)
        })
        .collect();
    let (d_weights, d_biases): (Vec<_>, Vec<_>) = sums.into_iter().unzip();
    Gradients {
        x: wanted.x.then_some(dx),
        weight: wanted.weight.then(|| whole(d_weights, weight.len())),
        bias: whole(d_biases, n_out),
    }
}

/// Which gradients somebody asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// That of the pictures.
    pub(crate) x: bool,
    /// That of the weights.
    pub(crate) weight: bool,
}

/// `n` pieces of `length` numbers (the last may be shorter); empty ones when there is nothing to hand out.
pub(super) fn hand_out(values: &mut [f32], length: usize, n: usize) -> Vec<&mut [f32]> {
    if values.is_empty() {
        return (0..n).map(|_| Default::default()).collect();
    }
    values.chunks_mut(length.max(1)).collect()
}

/// The sum of the parts; zeros for a batch of nothing.
pub(super) fn whole(parts: Vec<Vec<f32>>, n: usize) -> Vec<f32> {
    if parts.is_empty() { vec![0.0; n] } else { sum_in_order(parts) }
}

/// The part of what a layer gave that a block needs; empty where the way back needs none of it.
pub(super) fn of_block<'a>(
    (y, norms): (&'a [f32], &'a [PlaneNorm]),
    spread: &std::ops::Range<usize>,
    planes: &std::ops::Range<usize>,
) -> (&'a [f32], &'a [PlaneNorm]) {
    (&y[spread.clone()], norms.get(planes.clone()).unwrap_or_default())
}

/// The columns of a block of pictures, side by side.
pub(super) fn unfold_block(
    x: &[f32],
    walk: &Walk,
    columns: &mut [f32],
    width: usize,
    room: &mut Vec<f32>,
) {
    for (i, picture) in x.chunks_exact(walk.picture()).enumerate() {
        unfold(picture, walk, columns, Place { stride: width, first: i * walk.positions() }, room);
    }
}

/// The adjoint of [`unfold_block`].
pub(super) fn fold_block(
    columns: &mut [f32],
    walk: &Walk,
    x: &mut [f32],
    width: usize,
    room: &mut Vec<f32>,
) {
    for (i, picture) in x.chunks_exact_mut(walk.picture()).enumerate() {
        fold(columns, walk, picture, Place { stride: width, first: i * walk.positions() }, room);
    }
}

/// Finishes a block: `u` is `[out, pictures × positions]`, `y` is `[pictures, out, positions]`.
fn finish_block(
    u: &[f32],
    bias: &[f32],
    positions: usize,
    finish: Finish,
    y: &mut [f32],
    norms: &mut [PlaneNorm],
) {
    let (n_out, width) = (bias.len(), u.len() / bias.len());
    for (i, (y, norm)) in y.chunks_exact_mut(positions).zip(norms).enumerate() {
        let (picture, channel) = (i / n_out, i % n_out);
        let u = &u[channel * width + picture * positions..][..positions];
        *norm = finish_plane(u, bias[channel], finish, y);
    }
}

/// The adjoint of [`finish_block`]; adds to the gradient of the bias.
fn unfinish_block(
    dy: &[f32],
    y: &[f32],
    norms: &[PlaneNorm],
    positions: usize,
    finish: Finish,
    du: &mut [f32],
    d_bias: &mut [f32],
) {
    let (n_out, width) = (d_bias.len(), du.len() / d_bias.len());
    for (i, (dy, y)) in dy.chunks_exact(positions).zip(y.chunks_exact(positions)).enumerate() {
        let (picture, channel) = (i / n_out, i % n_out);
        let du = &mut du[channel * width + picture * positions..][..positions];
        d_bias[channel] += unfinish_plane(dy, y, norms[i], finish, du);
    }
}
