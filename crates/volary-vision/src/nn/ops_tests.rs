//! Our convolutions against Burn's own, against finite differences, and against themselves on any number of
//! threads.

use burn::tensor::{Device, Distribution, Tensor, TensorData};
use proptest::prelude::*;

use super::super::kernels::Finish;
use super::{Layer, composed, run};

const FINISHES: [Finish; 4] = [Finish::Plain, Finish::Relu, Finish::Leaky, Finish::LeakyNorm];

/// A batch, weights and a bias that belong together.
#[derive(Clone, Debug)]
struct Case {
    x: TensorData,
    weight: TensorData,
    bias: TensorData,
    layer: Layer,
}

fn numbers(n: usize) -> impl Strategy<Value = Vec<f32>> {
    proptest::collection::vec(-1.0_f32..1.0, n)
}

fn cases() -> impl Strategy<Value = Case> {
    let window = prop_oneof![
        4 => Just((4_usize, 2_usize, 1_usize)),
        3 => Just((5, 2, 2)),
        1 => Just((1, 1, 0)),
        2 => Just((3, 1, 1)),
        2 => (1_usize..5, 1_usize..4).prop_flat_map(|(k, s)| (Just(k), Just(s), 0..k)),
    ];
    (
        window,
        1_usize..4,
        1_usize..5,
        1_usize..5,
        1_usize..10,
        1_usize..10,
        any::<bool>(),
        0_usize..4,
        0_usize..3,
    )
        .prop_filter("the kernel fits", |((k, _, p), _, _, _, h, w, transposed, ..)| {
            *transposed || (h + 2 * p >= *k && w + 2 * p >= *k)
        })
        .prop_filter("something comes out", |((k, s, p), _, _, _, h, w, transposed, ..)| {
            !transposed || ((h - 1) * s + k > 2 * p && (w - 1) * s + k > 2 * p)
        })
        .prop_flat_map(|((k, s, p), batch, n_in, n_out, h, w, transposed, finish, rest)| {
            let (first, second) = if transposed { (n_in, n_out) } else { (n_out, n_in) };
            let rest = if transposed { rest % s } else { 0 };
            let layer = Layer { transposed, stride: s, padding: p, rest, finish: FINISHES[finish] };
            let x =
                numbers(batch * n_in * h * w).prop_map(move |v| TensorData::new(v, [batch, n_in, h, w]));
            let weight = numbers(first * second * k * k)
                .prop_map(move |v| TensorData::new(v, [first, second, k, k]));
            let bias = numbers(n_out).prop_map(move |v| TensorData::new(v, [n_out]));
            (x, weight, bias).prop_map(move |(x, weight, bias)| Case { x, weight, bias, layer })
        })
}

type Run = fn(Tensor<4>, Tensor<4>, Tensor<1>, Layer) -> Tensor<4>;

/// What a layer gives, and the gradients of a weighted sum of it.
fn outcome(case: &Case, run: Run) -> [Vec<f32>; 4] {
    let device = Device::flex().autodiff();
    let x = Tensor::<4>::from_data(case.x.clone(), &device).require_grad();
    let weight = Tensor::<4>::from_data(case.weight.clone(), &device).require_grad();
    let bias = Tensor::<1>::from_data(case.bias.clone(), &device).require_grad();
    let y = run(x.clone(), weight.clone(), bias.clone(), case.layer);
    let grads = (y.clone() * uneven(&y, &device)).sum().backward();
    [
        y.into_data().try_to_vec().unwrap(),
        x.grad(&grads).unwrap().into_data().try_to_vec().unwrap(),
        weight.grad(&grads).unwrap().into_data().try_to_vec().unwrap(),
        bias.grad(&grads).unwrap().into_data().try_to_vec().unwrap(),
    ]
}

/// Weights of the sum that differ from number to number, so that no two gradients can hide in each other.
fn uneven(y: &Tensor<4>, device: &Device) -> Tensor<4> {
    let n = y.shape().num_elements();
    let values: Vec<f32> = (0..n).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
    Tensor::from_data(TensorData::new(values, y.shape()), device)
}

fn close(ours: &[f32], theirs: &[f32], tolerance: f32) -> Result<(), TestCaseError> {
    prop_assert_eq!(ours.len(), theirs.len());
    let scale = theirs.iter().fold(1.0_f32, |m, v| m.max(v.abs()));
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        prop_assert!((a - b).abs() <= tolerance * scale, "{i}: {a} is not {b}");
    }
    Ok(())
}

/// Whether a norm would blow rounding up: a plane that hardly varies has a deviation near that of ε.
fn is_steep(case: &Case) -> bool {
    let device = Device::flex();
    let [x, weight] = [&case.x, &case.weight].map(|data| Tensor::<4>::from_data(data.clone(), &device));
    let bias = Tensor::<1>::from_data(case.bias.clone(), &device);
    let a = composed(x, weight, bias, Layer { finish: Finish::Leaky, ..case.layer });
    let [batch, channels, height, width] = a.dims();
    let flat = a.reshape([batch, channels, height * width]);
    let spread = (flat.clone() - flat.mean_dim(2)).square().mean_dim(2).sqrt().min();
    height * width > 1 && spread.into_scalar::<f32>() < 0.05
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]
    #[test]
    fn a_layer_is_what_burn_says_it_is(case in cases()) {
        prop_assume!(case.layer.finish != Finish::LeakyNorm || !is_steep(&case));
        let (ours, theirs) = (outcome(&case, run), outcome(&case, composed));
        for (ours, theirs) in ours.iter().zip(&theirs) {
            close(ours, theirs, 1e-4)?;
        }
    }
}

fn random(shape: [usize; 4], seed: u64) -> TensorData {
    let device = Device::flex();
    device.seed(seed);
    Tensor::<4>::random(shape, Distribution::Uniform(-1.0, 1.0), &device).into_data()
}

fn case(transposed: bool, finish: Finish, batch: usize, channels: [usize; 2], size: usize) -> Case {
    let [n_in, n_out] = channels;
    let weight = if transposed { [n_in, n_out, 4, 4] } else { [n_out, n_in, 4, 4] };
    let bias: Vec<f32> = (0..n_out).map(|i| (i as f32 - 1.0) / 10.0).collect();
    Case {
        x: random([batch, n_in, size, size], 1),
        weight: random(weight, 2),
        bias: TensorData::new(bias, [n_out]),
        layer: Layer { transposed, stride: 2, padding: 1, rest: 0, finish },
    }
}

#[test]
fn layers_of_the_networks_own_size_are_what_burn_says_they_are() {
    for (transposed, channels, size) in
        [(false, [3, 32], 24), (false, [24, 40], 12), (true, [40, 24], 6)]
    {
        let case = case(transposed, Finish::LeakyNorm, 35, channels, size);
        let (ours, theirs) = (outcome(&case, run), outcome(&case, composed));
        for (ours, theirs) in ours.iter().zip(&theirs) {
            close(ours, theirs, 1e-4).unwrap();
        }
    }
}

/// `f(v + h) - f(v - h)` over `2 h`, for the sum that [`outcome`] differentiates.
fn slope(case: &Case, change: impl Fn(&mut Case, f32)) -> f32 {
    const STEP: f32 = 1e-2;
    let value = |step: f32| {
        let mut case = case.clone();
        change(&mut case, step);
        let y = outcome(&case, run);
        let weights = (0..y[0].len()).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0);
        y[0].iter().zip(weights).map(|(y, w)| f64::from(y * w)).sum::<f64>()
    };
    ((value(STEP) - value(-STEP)) / f64::from(2.0 * STEP)) as f32
}

fn shift(data: &mut TensorData, at: usize, step: f32) {
    data.as_mut_slice::<f32>().unwrap()[at] += step;
}

#[test]
fn gradients_are_the_slopes_of_what_a_layer_gives() {
    for (transposed, finish) in
        [(false, Finish::Plain), (true, Finish::Plain), (false, Finish::LeakyNorm)]
    {
        let case = case(transposed, finish, 2, [3, 2], 6);
        let [_, dx, d_weight, d_bias] = outcome(&case, run);
        // A leaky ReLU has a kink, and a norm a bend: a difference of two points only comes near.
        let tolerance = if finish == Finish::Plain { 2e-3 } else { 0.1 };
        for at in [0, 17, 50, dx.len() - 1] {
            let found = slope(&case, |case, step| shift(&mut case.x, at, step));
            assert!((found - dx[at]).abs() < tolerance * dx[at].abs().max(1.0), "{found} {}", dx[at]);
        }
        for at in [0, 31, d_weight.len() - 1] {
            let found = slope(&case, |case, step| shift(&mut case.weight, at, step));
            assert!(
                (found - d_weight[at]).abs() < tolerance * d_weight[at].abs().max(1.0),
                "{found} {}",
                d_weight[at]
            );
        }
        let found = slope(&case, |case, step| shift(&mut case.bias, 1, step));
        assert!(
            (found - d_bias[1]).abs() < tolerance * d_bias[1].abs().max(1.0),
            "{found} {}",
            d_bias[1]
        );
    }
}

#[test]
fn the_bytes_are_the_same_on_any_number_of_threads() {
    for transposed in [false, true] {
        let case = case(transposed, Finish::LeakyNorm, 37, [5, 7], 6);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| outcome(&case, run))
                .map(|v| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>())
        };
        let one = on(1);
        for threads in [2, 3, 8] {
            assert_eq!(on(threads), one, "{threads} threads");
        }
    }
}

#[test]
fn a_turned_picture_is_read_where_it_lies() {
    let case = case(false, Finish::Leaky, 2, [3, 4], 8);
    let device = Device::flex();
    let turned = |run: Run| {
        let x = Tensor::<4>::from_data(case.x.clone(), &device).swap_dims(2, 3).flip([2]);
        let weight = Tensor::from_data(case.weight.clone(), &device);
        let bias = Tensor::from_data(case.bias.clone(), &device);
        run(x, weight, bias, case.layer).into_data().try_to_vec::<f32>().unwrap()
    };
    close(&turned(run), &turned(composed), 1e-5).unwrap();
}
