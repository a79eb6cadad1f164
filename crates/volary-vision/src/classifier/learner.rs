//! One step of the classifier: its loss on a batch, and the change of its weights.

use std::path::Path;

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use volary_core::Pixels;

use crate::classifier::network::{Masks, Network};
use crate::classifier::settings::{Balance, Settings, Shape};
use crate::confusion::Labels;
use crate::error::VisionError;
use crate::pictures;
use crate::training::optimizer::Optimizer;
use crate::training::{Learner, Place};
use crate::weights::{self, Tensors};

/// The names of the losses.
const TERMS: [&str; 4] = ["total", "class", "class above floor", "penalty"];
/// Before the names of the network's weights in a checkpoint.
const NETWORK: &str = "network.";
/// Before the names of the optimizer's moments.
const MOMENTS: &str = "moments.";

/// What is to be said of pictures, `[pictures, classes]` row by row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Targets {
    n_classes: usize,
    values: Vec<f32>,
}

impl Targets {
    /// The shares, or yes where more than half said so.
    pub(crate) fn of(labels: &Labels, hard: bool) -> Self {
        let share = |share: &f32| if hard { f32::from(u8::from(*share > 0.5)) } else { *share };
        let values = (0..labels.n()).flat_map(|row| labels.fractions(row).iter().map(share));
        Self { n_classes: labels.classes().len(), values: values.collect() }
    }

    /// Of a picture, a class each.
    pub(crate) fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.n_classes..][..self.n_classes]
    }
}

/// What a yes and a no of each class weigh: n over twice their number, so that both weigh the same in sum and
/// a picture weighs 1 on average.
pub(crate) fn balanced(targets: &Targets, rows: &[usize]) -> Vec<[f64; 2]> {
    let n = rows.len() as f64;
    let of_class = |class: usize| {
        let n_yes: f64 = rows.iter().map(|row| f64::from(targets.row(*row)[class])).sum();
        if n_yes <= 0.0 || n_yes >= n { [1.0; 2] } else { [n / (2.0 * n_yes), n / (2.0 * (n - n_yes))] }
    };
    (0..targets.n_classes).map(of_class).collect()
}

/// The classifier in training.
pub(crate) struct ClassifierLearner<'a> {
    pixels: &'a dyn Pixels,
    targets: &'a Targets,
    /// Of yes and no, a class each.
    balance: Vec<[f64; 2]>,
    settings: &'a Settings,
    shape: &'a Shape,
    network: Network,
    optimizer: Optimizer,
    /// Of training, with gradients.
    device: Device,
}

impl<'a> ClassifierLearner<'a> {
    /// A learner with starting weights, for the pictures of `train`.
    pub(crate) fn new(
        pixels: &'a dyn Pixels,
        targets: &'a Targets,
        train: &[usize],
        shape: &'a Shape,
        settings: &'a Settings,
        device: &Device,
    ) -> Self {
        let device = device.clone().autodiff();
        let mut rng = volary_core::seed::stream(settings.seed, "starting weights");
        let balance = match settings.balance {
            Balance::Balanced => balanced(targets, train),
            Balance::None => vec![[1.0; 2]; targets.n_classes],
        };
        Self {
            pixels,
            targets,
            balance,
            settings,
            shape,
            network: Network::new(shape, &mut rng, &device),
            optimizer: Optimizer::new(settings.plan.descent),
            device,
        }
    }

    /// The network for use.
    pub(crate) fn into_network(self) -> Network {
        self.network.valid()
    }

    /// The losses on a batch, and the one to descend; `place` draws what is left out in training.
    fn losses(
        &self,
        network: &Network,
        rows: &[usize],
        place: Option<Place>,
        device: &Device,
    ) -> Result<(Tensor<1>, Vec<f64>), VisionError> {
        let Settings { augment, dropout, seed, penalty, .. } = *self.settings;
        let stream = |what: &str, Place { epoch, batch }: Place| {
            volary_core::seed::stream(seed, &format!("{what} of epoch {epoch}, batch {batch}"))
        };
        let poses = place.map_or_else(Vec::new, |at| augment.draw(rows.len(), &mut stream("poses", at)));
        let masks = place
            .map(|at| Masks::draw(rows.len(), self.shape, dropout, &mut stream("dropout", at), device));
        let pictures = pictures::read_posed(self.pixels, rows, &poses, device)?;
        let logits = network.forward(pictures, masks.as_ref()).logits;
        let given: Vec<&[f32]> = rows.iter().map(|row| self.targets.row(*row)).collect();
        let [class, unweighted] = cross_entropies(logits, &given, &self.balance, device);
        let squares = network.squares() * penalty;
        let total = class.clone() + squares.clone();
        let all = Tensor::cat(vec![total.clone(), class, unweighted, squares], 0);
        let values = weights::values(all).values;
        let mut values: Vec<f64> = values.into_iter().map(f64::from).collect();
        let surprises = given.iter().flat_map(|row| row.iter().map(|q| f64::from(*q)));
        let floor: f64 = surprises.map(|q| surprise(q) + surprise(1.0 - q)).sum();
        values[2] -= floor / (rows.len() * self.shape.n_classes) as f64;
        Ok((total, values))
    }
}

/// The binary cross-entropy of logits `[pictures, classes]` with shares, mean over pictures and classes: each
/// yes and no with its weight, and without weights.
fn cross_entropies(
    logits: Tensor<2>,
    shares: &[&[f32]],
    balance: &[[f64; 2]],
    device: &Device,
) -> [Tensor<1>; 2] {
    let matrix = |of: fn(f64, [f64; 2]) -> f64| {
        let cells = shares.iter().flat_map(|row| row.iter().zip(balance));
        let values: Vec<f32> = cells.map(|(q, w)| of(f64::from(*q), *w) as f32).collect();
        Tensor::<2>::from_data(TensorData::new(values, logits.dims()), device)
    };
    let (yes, no) = (matrix(|q, [yes, _]| yes * q), matrix(|q, [_, no]| no * (1.0 - q)));
    let shares = matrix(|q, _| q);
    // log(1 + e^l), written so that no logit overflows it; that of −l is less by l.
    let softplus = relu(logits.clone()) + logits.clone().abs().neg().exp().log1p();
    let class = ((softplus.clone() - logits.clone()) * yes + softplus.clone() * no).mean();
    [class, (softplus - logits * shares).mean()]
}

fn surprise(p: f64) -> f64 {
    if p > 0.0 { -p * p.ln() } else { 0.0 }
}

impl Learner for ClassifierLearner<'_> {
    fn terms(&self) -> &'static [&'static str] {
        &TERMS
    }

    fn step(&mut self, rows: &[usize], rate: f64, place: Place) -> Result<Vec<f64>, VisionError> {
        let (total, values) = self.losses(&self.network, rows, Some(place), &self.device)?;
        if values.iter().all(|value| value.is_finite()) {
            let mut gradients = total.backward();
            self.network = self.optimizer.step(self.network.clone(), &mut gradients, rate);
        }
        Ok(values)
    }

    fn judge(&self, rows: &[usize]) -> Result<Vec<f64>, VisionError> {
        let device = self.device.clone().inner();
        Ok(self.losses(&self.network.valid(), rows, None, &device)?.1)
    }

    fn state(&self) -> Tensors {
        let mut state = weights::take(&self.network, NETWORK);
        state.extend(self.optimizer.state(MOMENTS));
        state
    }

    fn restore(&mut self, state: &Tensors, path: &Path) -> Result<(), VisionError> {
        self.network = weights::put(self.network.clone(), state, NETWORK, path)?;
        let device = self.device.clone().inner();
        self.optimizer.restore(state, MOMENTS, path, &device)
    }

    fn weights(&self) -> Tensors {
        weights::take(&self.network, "")
    }

    fn put_weights(&mut self, weights: &Tensors, path: &Path) -> Result<(), VisionError> {
        self.network = weights::put(self.network.clone(), weights, "", path)?;
        Ok(())
    }

    fn advice(&self, _term: &str) -> String {
        "go on with --resume, or begin with --fresh, and a lower --rate (a tenth is a good try)"
            .to_owned()
    }
}

#[cfg(test)]
#[path = "learner_tests.rs"]
mod tests;
