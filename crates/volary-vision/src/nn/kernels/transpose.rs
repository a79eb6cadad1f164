//! The transposed convolution, forwards and backwards: the way back of a convolution, run forwards.

use rayon::prelude::*;

use super::conv::{Output, Wanted, fold_block, hand_out, of_block, unfold_block, whole};
use super::finish::{PlaneNorm, finish_plane, unfinish_plane};
use super::product::{Factor, product};
use super::{Finish, Gradients, Walk, block_size, blocks_per_part, room, with_scratch};

/// Runs a transposed convolution over a batch.
///
/// # Shapes
/// - `x`: `[batch, in, rows, columns]`, one number for each position of the kernel
/// - `weight`: `[in, out, kernel, kernel]`; `bias`: `[out]`
/// - gives `[batch, out, height, width]`: `walk` describes the picture that comes out
pub(crate) fn forward(x: &[f32], weight: &[f32], bias: &[f32], walk: &Walk, finish: Finish) -> Output {
    let (n_out, positions, patch, picture) =
        (bias.len(), walk.positions(), walk.patch(), walk.picture());
    let n_in = weight.len() / patch.max(1);
    let batch = x.len() / (n_in * positions).max(1);
    let mut y = vec![0.0; batch * picture];
    let mut norms = vec![PlaneNorm::default(); batch * n_out];
    if y.is_empty() {
        return Output { y, norms };
    }
    let block = block_size(positions);
    y.par_chunks_mut(block * picture)
        .zip(norms.par_chunks_mut(block * n_out))
        .zip(x.par_chunks(block * n_in * positions))
        .for_each(|((y, norms), x)| {
            let width = x.len() / n_in;
            with_scratch(|scratch| {
                let x = gather(x, n_in, positions, &mut scratch.gathered);
                let columns = room(&mut scratch.columns, patch * width);
                product(
                    columns,
                    Factor::transposed(weight, n_in, patch),
                    Factor::new(x, n_in, width),
                    false,
                );
                let u = room(&mut scratch.rows, y.len());
                fold_block(columns, walk, u, width, &mut scratch.planes);
                let plane = walk.height * walk.width;
                let planes = u.chunks_exact(plane).zip(y.chunks_exact_mut(plane)).zip(norms);
                for (i, ((u, y), norm)) in planes.enumerate() {
                    *norm = finish_plane(u, bias[i % n_out], finish, y);
                }
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
    let (n_out, positions, patch, picture) =
        (walk.channels, walk.positions(), walk.patch(), walk.picture());
    let n_in = weight.len() / patch.max(1);
    let small = n_in * positions;
    let batch = x.len() / small.max(1);
    let block = block_size(positions);
    let parts = blocks_per_part(batch.div_ceil(block)) * block;
    let mut dx = if wanted.x { vec![0.0; x.len()] } else { Vec::new() };
    let dx_parts = hand_out(&mut dx, parts * small, batch.div_ceil(parts));
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
                let spread = range.start * picture..range.end * picture;
                with_scratch(|scratch| {
                    let du = room(&mut scratch.rows, n * picture);
                    let (y, norms) = of_block(output, &spread, &planes);
                    let plane = walk.height * walk.width;
                    let rows = dy[spread].chunks_exact(plane).zip(y.chunks_exact(plane));
                    for (i, ((dy, y), du)) in rows.zip(du.chunks_exact_mut(plane)).enumerate() {
                        d_bias[i % n_out] += unfinish_plane(dy, y, norms[i], finish, du);
                    }
                    let columns = room(&mut scratch.columns, patch * width);
                    unfold_block(du, walk, columns, width, &mut scratch.planes);
                    if wanted.weight {
                        let x = &x[range.start * small..range.end * small];
                        let x = gather(x, n_in, positions, &mut scratch.gathered);
                        let columns = Factor::transposed(columns, patch, width);
                        product(&mut d_weight, Factor::new(x, n_in, width), columns, !first);
                    }
                    if wanted.x {
                        let weight = Factor::new(weight, n_in, patch);
                        let offset = (range.start - pictures.start) * small;
                        let dx = &mut dx[offset..offset + n * small];
                        let columns = Factor::new(columns, patch, width);
                        if n == 1 {
                            product(dx, weight, columns, false);
                        } else {
                            let side_by_side = room(&mut scratch.gathered, n * small);
                            product(side_by_side, weight, columns, false);
                            scatter(side_by_side, n_in, positions, dx);
                        }
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

/// From `[pictures, in, positions]` to `[in, pictures × positions]`; as it is when there is one picture.
fn gather<'a>(x: &'a [f32], n_in: usize, positions: usize, buffer: &'a mut Vec<f32>) -> &'a [f32] {
    let width = x.len() / n_in;
    if width == positions {
        return x;
    }
    let side_by_side = room(buffer, x.len());
    for (i, plane) in x.chunks_exact(positions).enumerate() {
        let (picture, channel) = (i / n_in, i % n_in);
        side_by_side[channel * width + picture * positions..][..positions].copy_from_slice(plane);
    }
    side_by_side
}

/// The way back of [`gather`].
fn scatter(side_by_side: &[f32], n_in: usize, positions: usize, x: &mut [f32]) {
    let width = x.len() / n_in;
    for (i, plane) in x.chunks_exact_mut(positions).enumerate() {
        let (picture, channel) = (i / n_in, i % n_in);
        plane.copy_from_slice(&side_by_side[channel * width + picture * positions..][..positions]);
    }
}
