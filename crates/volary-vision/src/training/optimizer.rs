//! Adam and NAdam, step by step as PyTorch takes them.
//!
//! Adam: Kingma & Ba 2015, arXiv:1412.6980. NAdam: Dozat 2016, with the momentum schedule of PyTorch's
//! `torch.optim.NAdam` (momentum decay 0.004). Burn's own Adam rounds `1 - beta` to single precision and adds
//! its epsilon elsewhere, and it has no NAdam; here the scalars are double, as PyTorch's are. Moments have
//! names and go into a checkpoint as the weights do.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::error::VisionError;
use crate::weights::{Names, Tensors, Values, values};

/// How fast NAdam's momentum grows to its full value (PyTorch's `momentum_decay`).
const MOMENTUM_DECAY: f64 = 0.004;

/// How a gradient becomes a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// Adam with a look ahead along its momentum.
    Nadam,
    /// Adam.
    Adam,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Nadam, Self::Adam];

    /// The name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nadam => "nadam",
            Self::Adam => "adam",
        }
    }

    /// The rule of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == name)
    }
}

/// The settings of an optimizer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Descent {
    /// The rule.
    pub rule: Rule,
    /// Decay of the mean of the gradients, a step.
    pub beta_1: f64,
    /// Decay of the mean of their squares, a step.
    pub beta_2: f64,
    /// Added to the root of the mean square.
    pub epsilon: f64,
}

impl Descent {
    /// PyTorch's defaults for a rule.
    #[must_use]
    pub const fn new(rule: Rule) -> Self {
        Self { rule, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8 }
    }
}

/// An optimizer and what it remembers of past gradients.
#[derive(Clone, Debug)]
pub(crate) struct Optimizer {
    descent: Descent,
    steps: u32,
    /// The product of NAdam's momenta so far; single precision, since PyTorch keeps it in a tensor.
    momenta: f32,
    /// Mean of the gradients and of their squares, by the name of the weights.
    moments: BTreeMap<String, [Tensor<1>; 2]>,
}

impl Optimizer {
    pub(crate) fn new(descent: Descent) -> Self {
        Self { descent, steps: 0, momenta: 1.0, moments: BTreeMap::new() }
    }

    /// Takes one step of length `rate` down `gradients`. Weights that have no gradient stay.
    pub(crate) fn step<M: Module>(&mut self, network: M, gradients: &mut Gradients, rate: f64) -> M {
        self.steps += 1;
        let step = self.coefficients(rate);
        let names = Names::default();
        network.map(&mut Stepper {
            descent: self.descent,
            step,
            moments: &mut self.moments,
            gradients,
            names,
        })
    }

    /// Steps taken.
    pub(crate) fn steps(&self) -> usize {
        self.steps as usize
    }

    fn coefficients(&mut self, rate: f64) -> Step {
        let Descent { rule, beta_1, beta_2, .. } = self.descent;
        let steps = f64::from(self.steps);
        let correction_2 = 1.0 - beta_2.powf(steps);
        match rule {
            Rule::Adam => Step { correction_2, gradient: 0.0, mean: rate / (1.0 - beta_1.powf(steps)) },
            Rule::Nadam => {
                let momentum = |n: f64| beta_1 * (1.0 - 0.5 * 0.96_f64.powf(n * MOMENTUM_DECAY));
                let (now, next) = (momentum(steps), momentum(steps + 1.0));
                self.momenta *= now as f32;
                let momenta = f64::from(self.momenta);
                Step {
                    correction_2,
                    gradient: rate * (1.0 - now) / (1.0 - momenta),
                    mean: rate * next / (1.0 - momenta * next),
                }
            }
        }
    }

    /// What it remembers, each name with `prefix` before it.
    pub(crate) fn state(&self, prefix: &str) -> Tensors {
        let mut tensors = Tensors::new();
        for (name, [mean, square]) in &self.moments {
            tensors.insert(format!("{prefix}mean.{name}"), values(mean.clone()));
            tensors.insert(format!("{prefix}square.{name}"), values(square.clone()));
        }
        // Whole numbers below 2^24 are exact in single precision; the steps are kept in two halves.
        let steps = vec![(self.steps >> 16) as f32, (self.steps & 0xffff) as f32, self.momenta];
        tensors.insert(format!("{prefix}steps"), Values { shape: vec![3], values: steps });
        tensors
    }

    /// Goes back to what it remembered; `path` is the file it comes from.
    ///
    /// # Errors
    ///
    /// [`VisionError::Model`] where a part is missing.
    pub(crate) fn restore(
        &mut self,
        tensors: &Tensors,
        prefix: &str,
        path: &Path,
        device: &Device,
    ) -> Result<(), VisionError> {
        let missing = |name: &str| {
            VisionError::model(
                path,
                format!("the optimizer's {name} is missing"),
                "begin the training anew with --fresh",
            )
        };
        let steps = tensors.get(&format!("{prefix}steps")).map(|t| t.values.as_slice());
        let Some([high, low, momenta]) = steps else { return Err(missing("count of steps")) };
        self.steps = ((*high as u32) << 16) | (*low as u32);
        self.momenta = *momenta;
        self.moments.clear();
        let means = format!("{prefix}mean.");
        for (name, mean) in tensors.range(means.clone()..).take_while(|(n, _)| n.starts_with(&means)) {
            let name = &name[means.len()..];
            let square = tensors.get(&format!("{prefix}square.{name}"));
            let square = square.filter(|s| s.shape == mean.shape).ok_or_else(|| missing(name))?;
            let tensor = |v: &Values| {
                Tensor::<1>::from_data(TensorData::new(v.values.clone(), v.shape.clone()), device)
            };
            self.moments.insert(name.to_owned(), [tensor(mean), tensor(square)]);
        }
        Ok(())
    }
}

/// The numbers of one step that are the same for all weights.
#[derive(Clone, Copy)]
struct Step {
    /// `1 - beta_2^t`.
    correction_2: f64,
    /// Factor of the gradient.
    gradient: f64,
    /// Factor of the mean of the gradients.
    mean: f64,
}

struct Stepper<'a> {
    descent: Descent,
    step: Step,
    moments: &'a mut BTreeMap<String, [Tensor<1>; 2]>,
    gradients: &'a mut Gradients,
    names: Names,
}

impl Stepper<'_> {
    /// The change of weights whose gradient is `gradient`.
    fn change(&mut self, gradient: Tensor<1>) -> Tensor<1> {
        let Descent { beta_1, beta_2, epsilon, .. } = self.descent;
        let name = self.names.here();
        let [mean, square] = self.moments.remove(&name).unwrap_or_else(|| {
            let zeros = Tensor::zeros(gradient.shape(), &gradient.device());
            [zeros.clone(), zeros]
        });
        let mean = mean.clone() + (gradient.clone() - mean) * (1.0 - beta_1);
        let square = square * beta_2 + gradient.clone().square() * (1.0 - beta_2);
        self.moments.insert(name, [mean.clone(), square.clone()]);
        let Step { correction_2, gradient: along_gradient, mean: along_mean } = self.step;
        match self.descent.rule {
            Rule::Adam => {
                let root = square.sqrt() / correction_2.sqrt() + epsilon;
                mean / root * along_mean
            }
            Rule::Nadam => {
                let root = (square / correction_2).sqrt() + epsilon;
                gradient / root.clone() * along_gradient + mean / root * along_mean
            }
        }
    }
}

impl ModuleMapper for Stepper<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.names.enter(name);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.names.leave();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = param.val().grad_remove(self.gradients) else { return param };
        let n = gradient.shape().num_elements();
        let change = self.change(gradient.reshape([n]));
        param.map(|weights| {
            let change = change.reshape(weights.shape());
            Tensor::from_inner(weights.inner() - change).require_grad()
        })
    }
}

#[cfg(test)]
#[path = "optimizer_tests.rs"]
mod tests;
