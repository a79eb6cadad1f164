use burn::module::{ModuleVisitor, Param};
use burn::tensor::Gradients;
use serde_json::Value;

use super::*;
use crate::weights::Values;

#[test]
fn yes_and_no_weigh_the_same_in_sum_and_a_picture_weighs_one() {
    let classes = vec!["real".to_owned(), "always".to_owned()];
    let shares = [1.0, 1.0, 0.0, 1.0, 0.25, 1.0, 0.0, 1.0, 0.0, 1.0];
    let labels = Labels::from_fractions(classes, &shares).unwrap();
    let targets = Targets::of(&labels, false);
    let rows: Vec<usize> = (0..5).collect();
    let weights = balanced(&targets, &rows);
    let [yes, no] = weights[0];
    // 1.25 of 5 are yes.
    assert!((yes - 2.0).abs() < 1e-12 && (no - 2.0 / 3.0).abs() < 1e-12, "{weights:?}");
    assert!((1.25 * yes - 3.75 * no).abs() < 1e-12 && (1.25 * yes + 3.75 * no - 5.0).abs() < 1e-12);
    // A class that all have has nothing to be balanced with.
    assert_eq!(weights[1], [1.0, 1.0]);
    assert_eq!(Targets::of(&labels, true).row(2), [0.0, 1.0]);
}

fn near(name: &str, ours: f64, theirs: f64, scale: f64) {
    assert!((ours - theirs).abs() <= 1e-3 * scale.max(1e-3), "{name}: {ours}, PyTorch {theirs}");
}

/// Gradients of a loss by the names of the weights, against sum and absolute sum of PyTorch's.
struct Compare<'a> {
    names: weights::Names,
    gradients: Gradients,
    golden: &'a Value,
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
        let [sum, absolute] = [0, 1].map(|i| self.golden[&name][i].as_f64().unwrap());
        let gradient = param.val().grad(&self.gradients).unwrap();
        let ours: Vec<f64> = weights::values(gradient).values.into_iter().map(f64::from).collect();
        near(&name, ours.iter().map(|v| v.abs()).sum(), absolute, absolute);
        near(&name, ours.iter().sum(), sum, absolute);
        self.n += 1;
    }
}

/// Features, logits, losses and gradients are those of the same network in PyTorch 2.15.0
/// (`tests/golden/classifier.py`), whole and with every third number left out.
#[test]
fn the_network_is_that_of_pytorch() {
    let golden: Value =
        serde_json::from_str(include_str!("../../tests/golden/classifier.json")).unwrap();
    let device = crate::Device::Cpu.open().unwrap().autodiff();
    let shape = Shape { channels: 2, height: 24, width: 30, n_classes: 2, filters: [3, 4], dense: 8 };
    let network = Network::new(&shape, &mut volary_core::seed::stream(1, ""), &device);
    let mut tensors = weights::take(&network, "");
    for (k, (_, Values { shape, values })) in tensors.iter_mut().enumerate() {
        let scale = if shape.len() > 1 { 0.3 } else { 0.1 };
        for (i, value) in values.iter_mut().enumerate() {
            *value = (scale * (0.7 * i as f64 + k as f64).sin()) as f32 + 0.05;
        }
    }
    let network = weights::put(network, &tensors, "", Path::new("")).unwrap();
    let wave = |i: f64| 0.5 + 0.3 * (0.7 * i).sin() + 0.2 * (0.0113 * i + 0.5).sin();
    let values: Vec<f32> = (0..4 * 2 * 24 * 30).map(|i| wave(f64::from(i)) as f32).collect();
    let pictures = Tensor::<4>::from_data(TensorData::new(values, [4, 2, 24, 30]), &device);
    let shares: [&[f32]; 4] = [&[1.0, 0.25], &[0.0, 0.5], &[0.0, 1.0], &[0.5, 0.75]];
    let all: Vec<f64> = shares.iter().flat_map(|row| row.iter().map(|q| f64::from(*q))).collect();
    let classes = vec!["a".to_owned(), "b".to_owned()];
    let targets = Targets::of(&Labels::from_fractions(classes, &all).unwrap(), false);
    let balance = balanced(&targets, &[0, 1, 2, 3]);
    let masks = Masks::every_third(4, &shape, &device);
    for (name, masks) in [("whole", None), ("thinned", Some(&masks))] {
        let golden = &golden[name];
        let out = network.forward(pictures.clone(), masks);
        for (what, ours) in [("features", &out.features), ("logits", &out.logits)] {
            let ours = weights::values(ours.clone()).values;
            let theirs = golden[what].as_array().unwrap();
            assert_eq!(ours.len(), theirs.len());
            for (ours, theirs) in ours.into_iter().zip(theirs) {
                let theirs = theirs.as_f64().unwrap();
                near(what, f64::from(ours), theirs, theirs.abs());
            }
        }
        let [class, unweighted] = cross_entropies(out.logits, &shares, &balance, &device);
        let penalty = network.squares() * 0.01;
        let total = class.clone() + penalty.clone();
        for (what, ours) in [("class", class), ("unweighted", unweighted), ("penalty", penalty)] {
            let theirs = golden[what].as_f64().unwrap();
            near(what, f64::from(weights::values(ours).values[0]), theirs, theirs.abs());
        }
        let gradients = total.backward();
        let names = weights::Names::default();
        let mut compare = Compare { names, gradients, golden: &golden["gradients"], n: 0 };
        network.visit(&mut compare);
        assert_eq!(compare.n, 12);
    }
}
