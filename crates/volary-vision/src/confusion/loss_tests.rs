use super::*;
use crate::confusion::network::Network;
use crate::confusion::settings::{Settings, Shape};
use crate::training::optimizer::Optimizer;
use crate::training::{Descent, Rule};
use crate::weights::{self, Tensors, Values};
use serde_json::Value;
use std::path::Path;

/// Losses, gradients and steps of the same network in PyTorch (`tests/golden/make.py`).
fn golden() -> Value {
    serde_json::from_str(include_str!("../../tests/golden/pytorch.json")).unwrap()
}

fn near(name: &str, ours: f64, theirs: f64, relative: f64) {
    let tolerance = relative * theirs.abs().max(1e-3);
    assert!((ours - theirs).abs() <= tolerance, "{name}: {ours}, PyTorch {theirs}");
}

fn sines(n: usize, phase: f64, scale: f64) -> Vec<f32> {
    (0..n).map(|i| (scale * (0.7 * i as f64 + phase).sin()) as f32).collect()
}

fn shape() -> Shape {
    Shape { channels: 2, height: 32, width: 32, n_classes: 3, filters: 8, hidden: vec![6, 3] }
}

/// The name that `make.py` gives a weight.
fn short(name: &str) -> &str {
    name.strip_prefix("encoder.").or_else(|| name.strip_prefix("decoder.")).unwrap_or(name)
}

fn network(device: &Device) -> Network {
    let network = Network::new(&shape(), &mut volary_core::seed::stream(1, ""), device);
    let mut tensors: Vec<(String, Values)> = weights::take(&network, "").into_iter().collect();
    tensors.sort_by(|a, b| short(&a.0).cmp(short(&b.0)));
    for (k, (_, tensor)) in tensors.iter_mut().enumerate() {
        let scale = if tensor.shape.len() > 1 { 0.3 } else { 0.1 };
        tensor.values = sines(tensor.values.len(), k as f64, scale);
    }
    weights::put(network, &tensors.into_iter().collect::<Tensors>(), "", Path::new("")).unwrap()
}

const N: usize = 4;

fn pictures(device: &Device) -> Tensor<4> {
    let wave = |i: f64| 0.5 + 0.3 * (0.7 * i).sin() + 0.2 * (0.0113 * i + 0.5).sin();
    let values: Vec<f32> = (0..N * 2 * 32 * 32).map(|i| wave(i as f64) as f32).collect();
    Tensor::from_data(TensorData::new(values, [N, 2, 32, 32]), device)
}

fn noise(device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(sines(N * 12, 2.0, 1.0), [N, 12]), device)
}

fn labels() -> Labels {
    let classes = ["a", "b", "c"].map(str::to_owned).to_vec();
    let votes = vec![5, 0, 3, 30, 10, 10, 1, 1, 2, 0, 20, 0];
    Labels::from_counts(classes, vec![8, 50, 4, 20], votes).unwrap()
}

fn votes(likelihood: Likelihood, device: &Device) -> Votes {
    let losses = Losses { likelihood, ..Losses::default() };
    Votes::new(&labels(), &[0, 1, 2, 3], &losses, 20.5, device)
}

fn latents(network: &Network, pictures: Tensor<4>, device: &Device) -> [Tensor<2>; 3] {
    let (mean, log_variance) = network.encoder.forward(pictures);
    let z = mean.clone() + (log_variance.clone() * 0.5).exp() * noise(device);
    [mean, log_variance, z]
}

fn rotation(network: &Network, pictures: &Tensor<4>, mean: &Tensor<2>) -> [Tensor<1>; 2] {
    let [a, b, c] = turned(pictures).map(|p| {
        let (turned, log_variance) = network.encoder.forward(p);
        divergence_from(turned, log_variance, mean.clone())
    });
    [a.clone() + b.clone() + c.clone(), a.min_pair(b).min_pair(c)]
}

fn total(network: &Network, device: &Device) -> Tensor<1> {
    let pictures = pictures(device);
    let [mean, log_variance, z] = latents(network, pictures.clone(), device);
    let [sum, smallest] = rotation(network, &pictures, &mean);
    reconstruction(pictures, network.decoder.forward(z.clone()))
        + divergence(mean, log_variance) * 0.5
        + votes(Likelihood::Bce, device).loss(network.classifier.forward(z)) * 150.0
        + sum
        + smallest
}

fn number(tensor: Tensor<1>) -> f64 {
    f64::from(weights::values(tensor).values[0])
}

fn contraction(network: &Network, device: &Device) -> Tensor<1> {
    slope(&network.encoder, &pictures(device), Some(&noise(device)))
}

#[test]
fn every_loss_is_that_of_pytorch() {
    let (golden, device) = (golden(), Device::flex().autodiff());
    let network = network(&device);
    let pictures = pictures(&device);
    let [mean, log_variance, z] = latents(&network, pictures.clone(), &device);
    let logits = network.classifier.forward(z.clone());
    for (name, ours) in [("mean", &mean), ("log_variance", &log_variance), ("logits", &logits)] {
        let ours = weights::values(ours.clone()).values;
        for (ours, theirs) in ours.iter().zip(golden[name].as_array().unwrap()) {
            near(name, f64::from(*ours), theirs.as_f64().unwrap(), 1e-3);
        }
    }
    let [sum, smallest] = rotation(&network, &pictures, &mean);
    let rebuilt = network.decoder.forward(z);
    let terms = [
        ("reconstruction", reconstruction(pictures, rebuilt), 1e-5),
        ("divergence", divergence(mean, log_variance), 1e-4),
        ("bce", votes(Likelihood::Bce, &device).loss(logits.clone()), 1e-5),
        ("binomial", votes(Likelihood::Binomial, &device).loss(logits.clone()), 1e-5),
        ("dirichlet", votes(Likelihood::Dirichlet, &device).loss(logits), 1e-5),
        ("rotation", sum, 1e-4),
        ("smallest_rotation", smallest, 1e-4),
        ("contraction", contraction(&network, &device), 1e-4),
    ];
    for (name, ours, relative) in terms {
        near(name, number(ours), golden["terms"][name].as_f64().unwrap(), relative);
    }
}

/// Compares sum and absolute sum of each weight's gradient with PyTorch's.
fn compare_gradients(network: &Network, loss: &Tensor<1>, golden: &Value, relative: f64) {
    use burn::module::{Module as _, ModuleVisitor, Param};
    struct Compare<'a> {
        names: weights::Names,
        gradients: Gradients,
        golden: &'a Value,
        relative: f64,
        n: usize,
    }
    impl ModuleVisitor for Compare<'_> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.names.enter(name);
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.names.leave();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let name = self.names.here();
            let theirs = &self.golden[short(&name)];
            let [sum, absolute] = [0, 1].map(|i| theirs[i].as_f64().unwrap());
            let ours =
                param.val().grad(&self.gradients).map_or_else(Vec::new, |g| weights::values(g).values);
            let ours_sum: f64 = ours.iter().map(|v| f64::from(*v)).sum();
            let ours_absolute: f64 = ours.iter().map(|v| f64::from(v.abs())).sum();
            let scale = absolute.abs().max(1e-4);
            assert!(
                (ours_absolute - absolute).abs() <= self.relative * scale,
                "{name}: {ours_absolute}, PyTorch {absolute}"
            );
            assert!(
                (ours_sum - sum).abs() <= self.relative * scale,
                "{name}: {ours_sum}, PyTorch {sum}"
            );
            self.n += 1;
        }
    }
    let mut compare =
        Compare { names: weights::Names::default(), gradients: loss.backward(), golden, relative, n: 0 };
    network.visit(&mut compare);
    assert_eq!(compare.n, golden.as_object().unwrap().len());
}

#[test]
fn every_gradient_is_that_of_pytorch() {
    let (golden, device) = (golden(), Device::flex().autodiff());
    let network = network(&device);
    let total = total(&network, &device);
    near("total", number(total.clone().inner()), golden["total"].as_f64().unwrap(), 1e-5);
    compare_gradients(&network, &total, &golden["gradients"], 1e-3);
}

#[test]
fn the_slope_is_descended_as_if_it_were_differentiated_twice() {
    let (golden, device) = (golden(), Device::flex().autodiff());
    let network = network(&device);
    compare_gradients(&network, &contraction(&network, &device), &golden["contraction_gradients"], 1e-3);
}

#[test]
fn three_steps_of_training_are_those_of_pytorch() {
    let (golden, device) = (golden(), Device::flex().autodiff());
    let mut network = network(&device);
    let mut optimizer = Optimizer::new(Descent::new(Rule::Nadam));
    for theirs in golden["nadam_totals"].as_array().unwrap() {
        let total = total(&network, &device);
        near("total", number(total.clone().inner()), theirs.as_f64().unwrap(), 1e-4);
        network = optimizer.step(network, &mut total.backward(), 1e-3);
    }
}

/// The derivative of a loss along each of some logits, against the difference of two losses.
fn check_slope_of(loss: &dyn Fn(Tensor<2>) -> Tensor<1>, logits: &[f32]) {
    let plain = Device::flex();
    let device = plain.clone().autodiff();
    let make = |values: &[f32], device: &Device| {
        Tensor::<2>::from_data(TensorData::new(values.to_vec(), [4, 3]), device)
    };
    let x = make(logits, &device).require_grad();
    let gradients = loss(x.clone()).backward();
    let slope = weights::values(x.grad(&gradients).unwrap()).values;
    for i in 0..logits.len() {
        let step = 1e-2;
        let at = |by: f32| {
            let mut moved = logits.to_vec();
            moved[i] += by;
            number(loss(make(&moved, &device)).inner())
        };
        let difference = (at(step) - at(-step)) / (2.0 * f64::from(step));
        assert!((difference - f64::from(slope[i])).abs() < 2e-3, "{i}: {difference} and {}", slope[i]);
    }
}

#[test]
fn the_slopes_of_the_class_losses_are_their_differences() {
    let logits = sines(12, 0.4, 2.0);
    for likelihood in Likelihood::ALL {
        let device = Device::flex().autodiff();
        check_slope_of(&|x| votes(likelihood, &device).loss(x), &logits);
    }
    check_slope_of(&|x| divergence(x.clone(), x * 0.5), &logits);
}

#[test]
fn a_picture_turned_four_times_is_itself_and_a_corner_goes_round() {
    let device = Device::flex();
    let corner = Tensor::<4>::from_data([[[[1.0, 2.0], [3.0, 4.0]]]], &device);
    let numbers = |t: Tensor<4>| weights::values(t).values;
    let [quarter, half, three] = turned(&corner);
    // torch.rot90([[1, 2], [3, 4]]) is [[2, 4], [1, 3]].
    assert_eq!(numbers(quarter.clone()), [2.0, 4.0, 1.0, 3.0]);
    assert_eq!(numbers(half), [4.0, 3.0, 2.0, 1.0]);
    assert_eq!(numbers(three), [3.0, 1.0, 4.0, 2.0]);
    assert_eq!(numbers(turned(&quarter)[2].clone()), numbers(corner));
}

#[test]
fn at_the_consensus_itself_each_class_loss_is_its_floor() {
    let device = Device::flex();
    for likelihood in [Likelihood::Bce, Likelihood::Binomial] {
        let votes = votes(likelihood, &device);
        let logit = |f: f32| (f.clamp(1e-6, 1.0 - 1e-6) / (1.0 - f.clamp(1e-6, 1.0 - 1e-6))).ln();
        let logits: Vec<f32> =
            (0..4).flat_map(|row| labels().fractions(row).to_vec()).map(logit).collect();
        let logits = Tensor::<2>::from_data(TensorData::new(logits, [4, 3]), &device);
        near(likelihood.as_str(), number(votes.loss(logits.clone())), votes.floor, 1e-4);
        assert!(number(votes.loss(logits + 0.3)) > votes.floor + 1e-3);
    }
    // A Dirichlet so concentrated at the shares that it is a point: e^9.9 × the shares.
    let votes = votes(Likelihood::Dirichlet, &device);
    let to_logit = |log_a: f32| 10.0 * (log_a / 10.0).clamp(-0.9999, 0.9999).atanh();
    let logits: Vec<f32> = (0..4)
        .flat_map(|row| labels().fractions(row).to_vec())
        .map(|f| to_logit(9.9 + f.max(1e-8).ln()))
        .collect();
    let logits = Tensor::<2>::from_data(TensorData::new(logits, [4, 3]), &device);
    let loss = number(votes.loss(logits));
    assert!(loss >= votes.floor - 1e-5 && loss < votes.floor + 5e-3, "{loss} over {}", votes.floor);
}

#[test]
fn thirty_of_fifty_weighs_ten_times_as_much_as_three_of_five() {
    let device = Device::flex().autodiff();
    let labels = Labels::from_counts(vec!["a".to_owned()], vec![5, 50], vec![3, 30]).unwrap();
    let pull = |likelihood| {
        let losses = Losses { likelihood, ..Losses::default() };
        let votes = Votes::new(&labels, &[0, 1], &losses, 27.5, &device);
        let logits = Tensor::<2>::zeros([2, 1], &device).require_grad();
        let gradients = votes.loss(logits.clone()).backward();
        let pull = weights::values(logits.grad(&gradients).unwrap()).values;
        pull[1] / pull[0]
    };
    assert!((pull(Likelihood::Bce) - 1.0).abs() < 1e-5);
    assert!((pull(Likelihood::Binomial) - 10.0).abs() < 1e-4);
}

#[test]
fn with_as_many_votes_each_the_binomial_is_the_binary_cross_entropy() {
    let device = Device::flex();
    let labels =
        Labels::from_counts(vec!["a".to_owned(), "b".to_owned()], vec![9, 9], vec![1, 2, 8, 0]).unwrap();
    let logits = Tensor::<2>::from_data([[0.4, -3.0], [60.0, -90.0]], &device);
    let loss = |likelihood| {
        let losses = Losses { likelihood, ..Losses::default() };
        number(Votes::new(&labels, &[0, 1], &losses, 9.0, &device).loss(logits.clone()))
    };
    near("binomial", loss(Likelihood::Binomial), loss(Likelihood::Bce), 1e-6);
}

#[test]
fn a_class_of_weight_zero_is_not_looked_at() {
    let device = Device::flex();
    let losses = Losses { class_weights: Some(vec![3.0, 0.0, 0.0]), ..Losses::default() };
    let votes = Votes::new(&labels(), &[0, 1, 2, 3], &losses, 20.5, &device);
    let loss = |b: f32| {
        let logits: Vec<f32> = (0..4).flat_map(|_| [0.0, b, b]).collect();
        number(votes.loss(Tensor::from_data(TensorData::new(logits, [4, 3]), &device)))
    };
    // Three times the first class alone, over three classes: log 2 for a logit of 0.
    near("weighted", loss(0.0), 2.0_f64.ln(), 1e-6);
    assert_eq!(loss(0.0).to_bits(), loss(5.0).to_bits());
    assert!(Settings { losses, ..Settings::default() }.losses.check(&shape()).is_ok());
    for wrong in [vec![1.0], vec![1.0, -1.0, 1.0], vec![0.0; 3], vec![f64::NAN; 3]] {
        let losses = Losses { class_weights: Some(wrong), ..Losses::default() };
        assert!(losses.check(&shape()).is_err());
    }
}
