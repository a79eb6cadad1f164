//! Convolutions as operations of Burn: our kernels on the processor, Burn's own operations elsewhere.
//!
//! Burn 0.22 lets a crate add operations to its backends and their gradients to its tape
//! (`backend_extension`). Here that is done for `flex`, the processor; on a graphics card the same layer is
//! composed of Burn's operations, which are fast there. The caller never sees which of the two ran.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients as Tape;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, DispatchDevice, Flex, backend_extension};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{DType, Shape, Tensor, TensorData, module};

use super::kernels::conv::Wanted;
use super::kernels::finish::PlaneNorm;
use super::kernels::{Finish, Gradients, Walk, conv, transpose};
use super::{instance_norm, leaky_relu};

/// A convolution or its transpose, and what follows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layer {
    /// Transposed?
    pub(crate) transposed: bool,
    /// Step of the kernel in pixels.
    pub(crate) stride: usize,
    /// Zeros around the input in pixels (transposed: taken off the output).
    pub(crate) padding: usize,
    /// Transposed: pixels that come out below and right beyond those that the kernel reaches last.
    pub(crate) rest: usize,
    /// What follows.
    pub(crate) finish: Finish,
}

/// Runs a layer with a square kernel. `[batch, in, height, width]` to `[batch, out, height', width']`.
pub(crate) fn run(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, layer: Layer) -> Tensor<4> {
    if on_the_processor(&x) && layer.walk(x.dims(), weight.dims()).is_some() {
        let y = <Dispatch as Convolutions>::convolution(
            x.into_dispatch(),
            weight.into_dispatch(),
            bias.into_dispatch(),
            layer,
        );
        return Tensor::from_dispatch(y);
    }
    composed(x, weight, bias, layer)
}

/// The same layer by Burn's own operations.
pub(crate) fn composed(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, layer: Layer) -> Tensor<4> {
    let Layer { stride, padding, rest, .. } = layer;
    let u = if layer.transposed {
        let options = ConvTransposeOptions::new([stride; 2], [padding; 2], [rest; 2], [1, 1], 1);
        module::conv_transpose2d(x, weight, Some(bias), options)
    } else {
        module::conv2d(x, weight, Some(bias), ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1))
    };
    match layer.finish {
        Finish::Plain => u,
        Finish::Relu => burn::tensor::activation::relu(u),
        Finish::Leaky => leaky_relu(u),
        Finish::LeakyNorm => instance_norm(leaky_relu(u)),
    }
}

fn on_the_processor(x: &Tensor<4>) -> bool {
    let device = x.device();
    let flex = match device.as_dispatch() {
        DispatchDevice::Flex(_) => true,
        DispatchDevice::Autodiff(device) => matches!(device.clone().inner(), DispatchDevice::Flex(_)),
        #[cfg_attr(
            not(feature = "gpu"),
            expect(
                unreachable_patterns,
                reason = "a graphics card is a device only with the feature `gpu`"
            )
        )]
        _ => false,
    };
    flex && x.dtype() == DType::F32
}

impl Layer {
    /// How the kernel walks; `None` where the shapes don't fit each other, which Burn's own operation then
    /// says in its own words.
    fn walk(&self, x: [usize; 4], weight: [usize; 4]) -> Option<Walk> {
        let ([_, n_in, height, width], [first, second, kernel, kernel_width]) = (x, weight);
        if kernel != kernel_width || kernel == 0 || self.stride == 0 || self.padding >= kernel {
            return None;
        }
        let walk = if self.transposed {
            let grown = |n: usize| {
                (n.checked_sub(1)? * self.stride + kernel + self.rest).checked_sub(2 * self.padding)
            };
            Walk {
                channels: second,
                height: grown(height)?,
                width: grown(width)?,
                kernel,
                stride: self.stride,
                padding: self.padding,
            }
        } else {
            Walk { channels: second, height, width, kernel, stride: self.stride, padding: self.padding }
        };
        let fits = if self.transposed {
            n_in == first && walk.rows() == height && walk.columns() == width
        } else {
            n_in == second && walk.positions() > 0
        };
        (fits && walk.picture() > 0 && first > 0).then_some(walk)
    }
}

/// What Volary adds to Burn's backends.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait Convolutions: Backend {
    /// A convolution, or its transpose, and what follows it.
    fn convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        layer: Layer,
    ) -> FloatTensor<Self>;
}

impl Convolutions for Flex {
    fn convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        layer: Layer,
    ) -> FloatTensor<Self> {
        let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
        forward(&x, &weight, bias, layer).0
    }
}

impl<C: CheckpointStrategy> Convolutions for Autodiff<Flex, C> {
    fn convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        layer: Layer,
    ) -> FloatTensor<Self> {
        let prepared =
            WayBack.prepare::<C>([x.node(), weight.node(), bias.node()]).compute_bound().stateful();
        let (x, weight) = (x.into_primitive().to_contiguous(), weight.into_primitive().to_contiguous());
        let (y, norms) = forward(&x, &weight, bias.into_primitive(), layer);
        match prepared {
            OpsKind::Tracked(prepared) => {
                let kept = match layer.finish {
                    Finish::Plain => None,
                    Finish::Relu | Finish::Leaky | Finish::LeakyNorm => Some(y.clone()),
                };
                prepared.finish(Kept { x, weight, y: kept, norms, layer }, y)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }
}

type FlexTensor = FloatTensor<Flex>;

/// What the way back has to know.
#[derive(Clone, Debug)]
struct Kept {
    x: FlexTensor,
    weight: FlexTensor,
    y: Option<FlexTensor>,
    norms: Arc<[PlaneNorm]>,
    layer: Layer,
}

#[derive(Debug)]
struct WayBack;

impl Backward<Flex, 3> for WayBack {
    type State = Kept;

    fn backward(self, ops: Ops<Kept, 3>, tape: &mut Tape, _checkpointer: &mut Checkpointer) {
        let [x_node, weight_node, bias_node] = ops.parents;
        let dy = tape.consume::<Flex>(&ops.node).to_contiguous();
        let Kept { x, weight, y, norms, layer } = ops.state;
        let walk = walk_of(&x, &weight, layer);
        let wanted = Wanted { x: x_node.is_some(), weight: weight_node.is_some() };
        let run = if layer.transposed { transpose::backward } else { conv::backward };
        let dy = numbers(&dy);
        let output = (y.as_ref().map_or(dy, numbers), &norms[..]);
        let Gradients { x: dx, weight: d_weight, bias } =
            run(dy, numbers(&x), numbers(&weight), output, &walk, layer.finish, wanted);
        if let (Some(node), Some(dx)) = (x_node, dx) {
            tape.register::<Flex>(node.id, tensor(dx, x.layout().shape().clone()));
        }
        if let (Some(node), Some(d_weight)) = (weight_node, d_weight) {
            tape.register::<Flex>(node.id, tensor(d_weight, weight.layout().shape().clone()));
        }
        if let Some(node) = bias_node {
            let shape = Shape::from([bias.len()]);
            tape.register::<Flex>(node.id, tensor(bias, shape));
        }
    }
}

fn forward(
    x: &FlexTensor,
    weight: &FlexTensor,
    bias: FlexTensor,
    layer: Layer,
) -> (FlexTensor, Arc<[PlaneNorm]>) {
    let walk = walk_of(x, weight, layer);
    let bias = bias.to_contiguous();
    let (run, [height, width]): (fn(_, _, _, _, _) -> _, _) = if layer.transposed {
        (transpose::forward, [walk.height, walk.width])
    } else {
        (conv::forward, [walk.rows(), walk.columns()])
    };
    let conv::Output { y, norms } =
        run(numbers(x), numbers(weight), numbers(&bias), &walk, layer.finish);
    let shape = Shape::from([dims(x)[0], numbers(&bias).len(), height, width]);
    (tensor(y, shape), norms.into())
}

fn walk_of(x: &FlexTensor, weight: &FlexTensor, layer: Layer) -> Walk {
    layer.walk(dims(x), dims(weight)).expect("`run` has looked at the shapes")
}

fn dims(tensor: &FlexTensor) -> [usize; 4] {
    let shape = tensor.layout().shape();
    [shape[0], shape[1], shape[2], shape[3]]
}

fn numbers(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("`run` has looked at the type, and the tensor was laid out in one piece")
}

fn tensor(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

#[cfg(test)]
#[path = "ops_tests.rs"]
mod tests;
