//! One step of the confusion model: its losses on a batch, and the change of its weights.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use volary_core::Pixels;

use crate::confusion::labels::Labels;
use crate::confusion::loss::{self, Votes};
use crate::confusion::network::Network;
use crate::confusion::settings::{Losses, Settings, Shape};
use crate::error::VisionError;
use crate::pictures;
use crate::random::normals;
use crate::training::optimizer::Optimizer;
use crate::training::{Learner, Place};
use crate::weights::{self, Tensors};

/// The names of the losses.
pub(crate) const TERMS: [&str; 8] = [
    "total",
    "reconstruction",
    "divergence",
    "class",
    "class above floor",
    "rotation",
    "smallest rotation",
    "contraction",
];

/// The confusion model in training.
pub(crate) struct ConfusionLearner<'a> {
    pixels: &'a dyn Pixels,
    labels: &'a Labels,
    losses: Losses,
    mean_n_seen: f64,
    seed: u64,
    network: Network,
    optimizer: Optimizer,
    /// Of training, with gradients.
    device: Device,
}

/// The losses of a batch, in the order of [`TERMS`].
struct Terms {
    tensors: Vec<Option<Tensor<1>>>,
    /// Of the classes.
    floor: f64,
}

impl Terms {
    /// Their values, with one wait for the device.
    fn values(&self) -> Vec<f64> {
        let computed: Vec<Tensor<1>> =
            self.tensors.iter().flatten().map(|t| t.clone().inner()).collect();
        let mut computed = weights::values(Tensor::cat(computed, 0)).values.into_iter().map(f64::from);
        let mut values: Vec<f64> = self
            .tensors
            .iter()
            .map(|t| if t.is_some() { computed.next().unwrap_or(0.0) } else { 0.0 })
            .collect();
        // Computed last, so that it is the difference of what is written.
        values.insert(4, values[3] - self.floor);
        values
    }
}

impl<'a> ConfusionLearner<'a> {
    /// A learner with starting weights. `mean_n_seen` is the mean votes of a picture learned from.
    pub(crate) fn new(
        pixels: &'a dyn Pixels,
        labels: &'a Labels,
        mean_n_seen: f64,
        shape: &Shape,
        settings: &Settings,
        device: &Device,
    ) -> Self {
        let device = device.clone().autodiff();
        let mut rng = volary_core::seed::stream(settings.seed, "starting weights");
        Self {
            pixels,
            labels,
            losses: settings.losses.clone(),
            mean_n_seen,
            seed: settings.seed,
            network: Network::new(shape, &mut rng, &device),
            optimizer: Optimizer::new(settings.plan.descent),
            device,
        }
    }

    /// The network for use.
    pub(crate) fn into_network(self) -> Network {
        self.network.valid()
    }

    /// The losses on a batch; `place` draws the noise of training, none is use.
    fn losses(
        &self,
        network: &Network,
        rows: &[usize],
        place: Option<Place>,
        device: &Device,
    ) -> Result<Terms, VisionError> {
        let pictures = pictures::read(self.pixels, rows, device)?;
        let votes = Votes::new(self.labels, rows, &self.losses, self.mean_n_seen, device);
        let (mean, log_variance) = network.encoder.forward(pictures.clone());
        let noise = place.map(|Place { epoch, batch }| {
            let stream = format!("noise of epoch {epoch}, batch {batch}");
            let [n, n_latents] = mean.dims();
            let noise = normals(n * n_latents, &mut volary_core::seed::stream(self.seed, &stream));
            Tensor::<2>::from_data(TensorData::new(noise, [n, n_latents]), device)
        });
        let latents = loss::sampled(mean.clone(), log_variance.clone(), noise.as_ref());
        let reconstruction =
            loss::reconstruction(pictures.clone(), network.decoder.forward(latents.clone()));
        let divergence = loss::divergence(mean.clone(), log_variance);
        let class = votes.loss(network.classifier.forward(latents));
        let mut total = reconstruction.clone()
            + divergence.clone() * self.losses.divergence
            + class.clone() * self.losses.class;
        let mut rotation = None;
        if self.losses.rotation > 0.0 {
            let [a, b, c] = loss::turned(&pictures).map(|picture| {
                let (turned, log_variance) = network.encoder.forward(picture);
                loss::divergence_from(turned, log_variance, mean.clone())
            });
            let sum = a.clone() + b.clone() + c.clone();
            let smallest = a.min_pair(b).min_pair(c);
            total = total + (sum.clone() + smallest.clone()) * self.losses.rotation;
            rotation = Some((sum, smallest));
        }
        // The slope needs gradients even to be looked at; in use it is left out.
        let contraction = (self.losses.contraction > 0.0 && device.is_autodiff())
            .then(|| loss::slope(&network.encoder, &pictures, noise.as_ref()));
        if let Some(contraction) = &contraction {
            total = total + contraction.clone() * self.losses.contraction;
        }
        let (rotation, smallest) = rotation.unzip();
        let tensors = vec![
            Some(total),
            Some(reconstruction),
            Some(divergence),
            Some(class),
            rotation,
            smallest,
            contraction,
        ];
        Ok(Terms { tensors, floor: votes.floor })
    }
}

/// Before the names of the network's weights in a checkpoint.
const NETWORK: &str = "network.";
/// Before the names of the optimizer's moments.
const MOMENTS: &str = "moments.";

impl Learner for ConfusionLearner<'_> {
    fn terms(&self) -> &'static [&'static str] {
        &TERMS
    }

    fn step(&mut self, rows: &[usize], rate: f64, place: Place) -> Result<Vec<f64>, VisionError> {
        let terms = self.losses(&self.network, rows, Some(place), &self.device)?;
        let values = terms.values();
        if values.iter().all(|value| value.is_finite())
            && let Some(Some(total)) = terms.tensors.into_iter().next()
        {
            let mut gradients = total.backward();
            self.network = self.optimizer.step(self.network.clone(), &mut gradients, rate);
        }
        Ok(values)
    }

    fn judge(&self, rows: &[usize]) -> Result<Vec<f64>, VisionError> {
        let device = self.device.clone().inner();
        Ok(self.losses(&self.network.valid(), rows, None, &device)?.values())
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

    fn advice(&self, term: &str) -> String {
        match term {
            "class" | "class above floor" => {
                "go on with --resume and a lower --rate, or begin with --fresh and a lower --class-weight"
            }
            "contraction" => {
                "go on with --resume and a lower --rate, or begin with --fresh and a lower --contraction-weight"
            }
            _ => "go on with --resume, or begin with --fresh, and a lower --rate (a tenth is a good try)",
        }
        .to_owned()
    }
}
