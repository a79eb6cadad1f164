use super::*;
use crate::weights;
use burn::tensor::TensorData;

#[derive(Module, Debug)]
struct Point {
    weight: Param<Tensor<1>>,
}

const TARGET: [f32; 3] = [0.0, 1.0, 0.4];

fn start() -> Point {
    let device = Device::flex().autodiff();
    Point { weight: Param::from_tensor(Tensor::from_floats([1.0, -2.0, 0.5], &device)) }
}

/// One step down half the squared distance from the target, with a gradient that is scaled by the step.
fn step(point: Point, optimizer: &mut Optimizer, i: usize) -> Point {
    let target = Tensor::from_data(TensorData::new(TARGET.to_vec(), [3]), &point.weight.device());
    let loss = (point.weight.val() - target).square().sum() * (0.5 * (1.0 + (i as f64).sin()));
    optimizer.step(point, &mut loss.backward(), 0.01)
}

fn numbers(point: &Point) -> Vec<f32> {
    weights::take(point, "")["weight"].values.clone()
}

#[test]
fn forty_steps_are_those_of_pytorch() {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/golden/pytorch.json")).unwrap();
    for rule in Rule::ALL {
        let (mut point, mut optimizer) = (start(), Optimizer::new(Descent::new(rule)));
        for (i, theirs) in golden[rule.as_str()].as_array().unwrap().iter().enumerate() {
            point = step(point, &mut optimizer, i);
            for (ours, theirs) in numbers(&point).iter().zip(theirs.as_array().unwrap()) {
                let theirs = theirs.as_f64().unwrap();
                assert!(
                    (f64::from(*ours) - theirs).abs() < 2e-6,
                    "{rule:?}, step {i}: {ours}, PyTorch {theirs}"
                );
            }
        }
    }
}

#[test]
fn an_optimizer_goes_on_where_it_was_to_the_bit() {
    for rule in Rule::ALL {
        let run = |pause: Option<usize>| {
            let (mut point, mut optimizer) = (start(), Optimizer::new(Descent::new(rule)));
            for i in 0..10 {
                if pause == Some(i) {
                    let state = optimizer.state("x.");
                    optimizer = Optimizer::new(Descent::new(rule));
                    optimizer.restore(&state, "x.", Path::new("c"), &Device::flex()).unwrap();
                }
                point = step(point, &mut optimizer, i);
            }
            numbers(&point)
        };
        assert_eq!(run(None), run(Some(4)));
    }
}

#[test]
fn counts_of_steps_past_the_whole_numbers_of_single_precision_come_back() {
    let mut optimizer = Optimizer::new(Descent::new(Rule::Nadam));
    optimizer.steps = 0x0123_4567;
    let state = optimizer.state("");
    let mut back = Optimizer::new(Descent::new(Rule::Nadam));
    back.restore(&state, "", Path::new("c"), &Device::flex()).unwrap();
    assert_eq!(back.steps, 0x0123_4567);
}

#[test]
fn a_state_that_lacks_a_part_is_an_error() {
    let mut optimizer = Optimizer::new(Descent::new(Rule::Adam));
    step(start(), &mut optimizer, 1);
    let whole = optimizer.state("");
    assert_eq!(whole.len(), 3);
    for name in ["square.weight", "steps"] {
        let mut state = whole.clone();
        state.remove(name);
        let error = optimizer.restore(&state, "", Path::new("c"), &Device::flex()).unwrap_err();
        assert!(error.to_string().contains("is missing"), "{error}");
    }
}
