//! What follows the product: bias, leaky ReLU, instance norm, and their gradients, plane by plane.
//!
//! With `a = leaky(u + b)`, mean `m` and variance `v` of a plane of `a`, the norm is
//! `y = (a − m) / sqrt(v + ε)` (Ulyanov et al. 2016, arXiv:1607.08022). Backwards, with `r = 1 / sqrt(v + ε)`,
//! `da = r (dy − mean(dy) − y mean(dy y))` and `du = da` where `a > 0`, else `0.2 da`. Whether `a > 0` is
//! read off `y`: it is where `y > −m r`, so that neither `u` nor `a` has to be kept.
//!
//! A plane of a single pixel is not normalised (see `nn::instance_norm`).

use super::Finish;

const NORM_EPSILON: f32 = crate::nn::NORM_EPSILON as f32;
const LEAKY_SLOPE: f32 = crate::nn::LEAKY_SLOPE as f32;

/// What the backward pass has to know of a normalised plane.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct PlaneNorm {
    /// The value of `y` at which `a` is zero.
    pub(crate) zero: f32,
    /// `1 / sqrt(v + ε)`.
    pub(crate) inverse_deviation: f32,
}

/// Finishes one plane: `u` is the product, `y` what the layer gives.
pub(crate) fn finish_plane(u: &[f32], bias: f32, finish: Finish, y: &mut [f32]) -> PlaneNorm {
    pulp::Arch::new().dispatch(|| match finish {
        Finish::Plain => {
            for (y, u) in y.iter_mut().zip(u) {
                *y = u + bias;
            }
            PlaneNorm::default()
        }
        Finish::Relu => {
            leak(u, bias, 0.0, y);
            PlaneNorm::default()
        }
        Finish::Leaky => {
            leak(u, bias, LEAKY_SLOPE, y);
            PlaneNorm::default()
        }
        Finish::LeakyNorm => {
            leak(u, bias, LEAKY_SLOPE, y);
            if y.len() < 2 {
                return PlaneNorm { zero: 0.0, inverse_deviation: 1.0 };
            }
            let n = y.len() as f32;
            let mean = lanes(y, |a| a) / n;
            for a in y.iter_mut() {
                *a -= mean;
            }
            let variance = lanes(y, |a| a * a) / n;
            let inverse_deviation = 1.0 / (variance + NORM_EPSILON).sqrt();
            for a in y.iter_mut() {
                *a *= inverse_deviation;
            }
            PlaneNorm { zero: -mean * inverse_deviation, inverse_deviation }
        }
    })
}

/// The way back through one plane: from the gradient of `y` to that of the product. Gives the gradient of
/// the plane's bias, the sum of it.
pub(crate) fn unfinish_plane(
    dy: &[f32],
    y: &[f32],
    norm: PlaneNorm,
    finish: Finish,
    du: &mut [f32],
) -> f32 {
    pulp::Arch::new().dispatch(|| {
        match finish {
            Finish::Plain => du.copy_from_slice(dy),
            Finish::Relu => unleak(dy, y, 0.0, du),
            Finish::Leaky => unleak(dy, y, LEAKY_SLOPE, du),
            Finish::LeakyNorm => {
                let (mean, mean_along) = if y.len() < 2 {
                    (0.0, 0.0)
                } else {
                    let n = y.len() as f32;
                    (lanes(dy, |d| d) / n, lanes_2(dy, y) / n)
                };
                let PlaneNorm { zero, inverse_deviation } = norm;
                let below = LEAKY_SLOPE * inverse_deviation;
                for ((du, dy), y) in du.iter_mut().zip(dy).zip(y) {
                    let slope = if *y > zero { inverse_deviation } else { below };
                    *du = (dy - mean - y * mean_along) * slope;
                }
            }
        }
        lanes(du, |d| d)
    })
}

#[inline(always)]
fn leak(u: &[f32], bias: f32, slope: f32, y: &mut [f32]) {
    for (y, u) in y.iter_mut().zip(u) {
        let a = u + bias;
        *y = if a > 0.0 { a } else { slope * a };
    }
}

#[inline(always)]
fn unleak(dy: &[f32], y: &[f32], slope: f32, du: &mut [f32]) {
    for ((du, dy), y) in du.iter_mut().zip(dy).zip(y) {
        *du = dy * if *y > 0.0 { 1.0 } else { slope };
    }
}

const LANES: usize = 16;

/// Sum of `f` over a plane in sixteen lanes: one order of summation, and one that fits vector registers.
#[inline(always)]
fn lanes(values: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest: f32 = chunks.remainder().iter().map(|v| f(*v)).sum();
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += f(*value);
        }
    }
    halve(sums) + rest
}

/// Sum of the products of two planes, in sixteen lanes.
#[inline(always)]
fn lanes_2(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    halve(sums) + rest
}

#[inline(always)]
fn halve(mut sums: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            sums[i] += sums[i + half];
        }
        half /= 2;
    }
    sums[0]
}
