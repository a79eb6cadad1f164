//! Convolutions for the processor: what a layer computes and how its gradients flow back, on plain slices.
//!
//! A convolution is one matrix product: the pixels under every position of the kernel become the columns
//! of a matrix ([`unfold`]), the weights are the other factor ([`product`]), and what follows the product
//! (bias, leaky ReLU, instance norm) is done while it is still in the cache ([`finish`]). A transposed
//! convolution is the same three steps backwards. Pictures are worked on in blocks, in parallel, and every
//! sum runs in an order that depends on the shapes alone: the same bytes for any number of threads.
//!
//! It knows nothing of Burn (`nn::ops` does) and has no kernels for a graphics card.

pub(crate) mod conv;
pub(crate) mod finish;
pub(crate) mod product;
pub(crate) mod transpose;
pub(crate) mod unfold;

use std::cell::RefCell;

/// How a square kernel walks over a picture of `channels` planes.
///
/// For a convolution the picture is what goes in; for a transposed convolution it is what comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Walk {
    /// Planes of the picture.
    pub(crate) channels: usize,
    /// Height of the picture in pixels.
    pub(crate) height: usize,
    /// Width of the picture in pixels.
    pub(crate) width: usize,
    /// Height and width of the kernel in pixels.
    pub(crate) kernel: usize,
    /// Step of the kernel in pixels.
    pub(crate) stride: usize,
    /// Zeros around the picture in pixels.
    pub(crate) padding: usize,
}

impl Walk {
    /// Rows of positions; 0 where the kernel doesn't fit.
    pub(crate) fn rows(&self) -> usize {
        positions(self.height, self.kernel, self.stride, self.padding)
    }

    /// Columns of positions; 0 where the kernel doesn't fit.
    pub(crate) fn columns(&self) -> usize {
        positions(self.width, self.kernel, self.stride, self.padding)
    }

    /// Positions of the kernel.
    pub(crate) fn positions(&self) -> usize {
        self.rows() * self.columns()
    }

    /// Numbers under the kernel at one position.
    pub(crate) fn patch(&self) -> usize {
        self.channels * self.kernel * self.kernel
    }

    /// Numbers in a picture.
    pub(crate) fn picture(&self) -> usize {
        self.channels * self.height * self.width
    }
}

fn positions(size: usize, kernel: usize, stride: usize, padding: usize) -> usize {
    (size + 2 * padding).checked_sub(kernel).map_or(0, |room| room / stride + 1)
}

/// What a layer does after its product and bias.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Finish {
    /// Nothing.
    Plain,
    /// ReLU.
    Relu,
    /// Leaky ReLU.
    Leaky,
    /// Leaky ReLU, then instance norm.
    LeakyNorm,
}

/// The gradients of a layer; those that nobody asked for are left out.
pub(crate) struct Gradients {
    /// Of the pictures that went in.
    pub(crate) x: Option<Vec<f32>>,
    /// Of the weights, laid out as they are.
    pub(crate) weight: Option<Vec<f32>>,
    /// Of the bias.
    pub(crate) bias: Vec<f32>,
}

/// Pictures in a block: enough that the product has some 128 columns, so that it runs at full speed on
/// small maps as well. A matter of the shape alone, never of the threads.
fn block_size(positions: usize) -> usize {
    128_usize.div_ceil(positions.max(1)).clamp(1, 8)
}

/// Parts in which the gradient of the weights is summed. Fixed, so that the order of the sum is.
const PARTS: usize = 16;

/// Blocks in each part, for `n` blocks.
fn blocks_per_part(n: usize) -> usize {
    n.div_ceil(PARTS).max(1)
}

/// Room that a thread keeps between blocks: asking the system for a megabyte anew for every block costs
/// as much as filling it.
#[derive(Default)]
struct Scratch {
    columns: Vec<f32>,
    rows: Vec<f32>,
    gathered: Vec<f32>,
    planes: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Lends this thread's room. Nothing that runs inside may start parallel work, which could come back here.
fn with_scratch<T>(f: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
        Ok(mut room) => f(&mut room),
        Err(_) => f(&mut Scratch::default()),
    })
}

/// The first `n` numbers of a buffer that grows and never shrinks; what they hold is left over from before.
fn room(buffer: &mut Vec<f32>, n: usize) -> &mut [f32] {
    if buffer.len() < n {
        buffer.resize(n, 0.0);
    }
    &mut buffer[..n]
}

/// Sums parts in order: `parts[0] + parts[1] + …`, element by element.
fn sum_in_order(parts: Vec<Vec<f32>>) -> Vec<f32> {
    use rayon::prelude::*;
    let mut parts = parts.into_iter();
    let Some(mut total) = parts.next() else { return Vec::new() };
    let rest: Vec<Vec<f32>> = parts.collect();
    const CHUNK: usize = 8192;
    total.par_chunks_mut(CHUNK).enumerate().for_each(|(i, chunk)| {
        for part in &rest {
            for (a, b) in chunk.iter_mut().zip(&part[i * CHUNK..]) {
                *a += b;
            }
        }
    });
    total
}
