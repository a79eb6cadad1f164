//! The three networks: their size, and the critic's slope against finite differences.

use burn::module::{ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use volary_core::seed::stream;

use super::*;
use crate::anomaly::adversaries::penalty;
use crate::random::normals;
use crate::weights::values;

fn shape(residual: bool) -> Shape {
    Shape { channels: 2, height: 32, width: 48, filters: 3, latents: 5, residual }
}

fn draws<const D: usize>(shape: [usize; D], name: &str, device: &Device) -> Tensor<D> {
    let numbers = normals(shape.iter().product(), &mut stream(7, name));
    Tensor::from_data(TensorData::new(numbers, shape), device)
}

#[test]
fn the_published_shape_has_the_published_numbers_of_weights() {
    let shape = Shape { channels: 3, height: 96, width: 96, filters: 64, latents: 128, residual: false };
    assert_eq!(shape.n_features(), 18_432);
    // Section 1.3 of the specification, from the parent's layers.
    assert_eq!(crate::anomaly::n_weights(&shape).unwrap(), [6_683_779, 4_324_993, 6_665_984]);
}

#[test]
fn pictures_come_out_as_they_go_in_and_only_noise_is_random() {
    let device = Device::flex();
    for residual in [false, true] {
        let shape = shape(residual);
        let mut rng = stream(1, "test");
        let networks = Networks::new(&shape, Squash::Tanh3, &mut rng, &device);
        let latents = draws([4, 5], "latents", &device);
        let [maps, height, width] = Generator::noisy(&shape);
        assert_eq!([maps, height, width], [6, 8, 12]);
        let plain = networks.generator.forward(latents.clone(), None);
        assert_eq!(plain.dims(), [4, 2, 32, 48]);
        let all = values(plain.clone()).values;
        assert!(all.iter().all(|v| (0.0..=1.0).contains(v)));
        assert_eq!(values(networks.generator.forward(latents.clone(), None)).values, all);
        let noise = draws([4, maps, height, width], "noise", &device);
        assert_ne!(values(networks.generator.forward(latents, Some(noise))).values, all);
        assert_eq!(networks.critic.features(plain.clone()).dims(), [4, shape.n_features()]);
        assert_eq!(networks.critic.forward(plain.clone()).dims(), [4, 1]);
        let found = networks.encoder.forward(plain * 1e3);
        assert!(values(found).values.iter().all(|z| z.abs() <= 3.0));
    }
}

/// The derivative of the critic along `v` times `step` on either side.
fn along(critic: &Critic, y: &Tensor<4>, v: &Tensor<4>, step: f64) -> f64 {
    let [up, down] = [step, -step].map(|h| critic.forward(y.clone() + v.clone() * h).sum());
    let difference = values(up - down).values[0];
    f64::from(difference) / (2.0 * step)
}

#[test]
fn the_slope_is_that_of_finite_differences() {
    let device = Device::flex();
    for residual in [false, true] {
        let mut rng = stream(2, "test");
        let critic = Critic::new(&shape(residual), &mut rng, &device);
        let y = draws([3, 2, 32, 48], "pictures", &device);
        let slope = critic.slope(y.clone());
        assert_eq!(slope.dims(), y.dims());
        // Straight up the slope the derivative is its length; and in a few directions of chance.
        let unit = slope.clone() / values(slope.clone().square().sum()).values[0].sqrt();
        let mut directions = vec![unit.clone()];
        for i in 0..5 {
            let chance = draws([3, 2, 32, 48], &format!("direction {i}"), &device) * 0.01;
            directions.push(unit.clone() + chance);
        }
        for v in directions {
            let exact = f64::from(values((slope.clone() * v.clone()).sum()).values[0]);
            let numeric = along(&critic, &y, &v, 0.01);
            assert!((exact - numeric).abs() < 1e-3 * exact.abs(), "{residual}: {exact} and {numeric}");
        }
    }
}

/// Weights moved by so many times their gradient.
struct Moved<'a> {
    gradients: &'a Gradients,
    by: f64,
}

impl ModuleMapper for Moved<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = param.val().grad(self.gradients) else { return param };
        param.map(|weights| Tensor::from_inner(weights.inner() + gradient * self.by).require_grad())
    }
}

/// The squared length of the gradients of all weights.
struct Length<'a> {
    gradients: &'a Gradients,
    sum: f64,
}

impl ModuleVisitor for Length<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            self.sum += values(gradient).values.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>();
        }
    }
}

#[test]
fn the_gradient_of_the_penalty_is_that_of_finite_differences() {
    let device = Device::flex().autodiff();
    for residual in [false, true] {
        let mut rng = stream(3, "test");
        let critic = Critic::new(&shape(residual), &mut rng, &device);
        let y = draws([4, 2, 32, 48], "pictures", &device);
        let gradients = penalty(&critic, y.clone()).backward();
        let mut length = Length { gradients: &gradients, sum: 0.0 };
        critic.visit(&mut length);
        assert!(length.sum > 1e-4, "{}", length.sum);
        let at = |by: f64| {
            let moved = critic.clone().map(&mut Moved { gradients: &gradients, by });
            f64::from(values(penalty(&moved, y.clone()).inner()).values[0])
        };
        // A step that moves the penalty by about a hundredth of itself.
        let step = 0.01 * at(0.0) / length.sum;
        let numeric = (at(step) - at(-step)) / (2.0 * step);
        let exact = length.sum;
        assert!((exact - numeric).abs() < 1e-3 * exact, "{residual}: {exact} and {numeric}");
    }
}

#[test]
fn a_critic_that_is_linear_has_one_slope_and_a_penalty_in_closed_form() {
    // All activations are far above zero, so that the critic is linear: any two pictures have the same slope.
    let device = Device::flex();
    let mut rng = stream(4, "test");
    let critic = Critic::new(&shape(false), &mut rng, &device);
    struct Above;
    impl ModuleMapper for Above {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|w| if D == 1 { w + 1e4 } else { w.abs() })
        }
    }
    let critic = critic.map(&mut Above);
    let y = draws([2, 2, 32, 48], "pictures", &device);
    let slope = values(critic.slope(y.clone())).values;
    let (first, second) = slope.split_at(slope.len() / 2);
    assert_eq!(first, second);
    let length = first.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>().sqrt();
    let penalty = f64::from(values(penalty(&critic, y)).values[0]);
    assert!((penalty / (length - 1.0).powi(2) - 1.0).abs() < 1e-4, "{penalty} and {length}");
}

#[test]
fn distances_are_sums_over_a_picture() {
    let device = Device::flex();
    let tensor = |v: [f32; 4]| Tensor::<2>::from_data(TensorData::new(v.to_vec(), [2, 2]), &device);
    let (a, b) = (tensor([1.0, 2.0, 3.0, 4.0]), tensor([1.0, 0.0, 6.0, 5.0]));
    use crate::anomaly::settings::Distance;
    assert_eq!(values(distance(a.clone(), b.clone(), Distance::Squares)).values, [4.0, 10.0]);
    assert_eq!(values(distance(a, b, Distance::Absolute)).values, [2.0, 4.0]);
}
