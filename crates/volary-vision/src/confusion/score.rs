//! A model in use: latent numbers, predicted consensus with intervals, and how well a picture is rebuilt.
//! Nothing here is random but the draws behind the intervals of the Dirichlet-multinomial, and these depend
//! on nothing but the seed.

use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;
use volary_core::Pixels;

use crate::confusion::interval::{self, Beta, Chances, Range};
use crate::confusion::labels::Labels;
use crate::confusion::levels::{Levels, Needed};
use crate::confusion::loss::CONCENTRATION_BOUND;
use crate::confusion::model::Model;
use crate::confusion::settings::Likelihood;
use crate::error::VisionError;
use crate::pictures;
use crate::random::normals;
use crate::weights;

/// How to score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scoring {
    /// Pictures at a time.
    pub batch_size: usize,
    /// Share of the distribution inside of an interval.
    pub confidence: f64,
    /// Volunteers of a fraction's interval; the typical number of the training where there is none.
    pub n_volunteers: Option<u32>,
    /// Seed of the draws behind the intervals of the Dirichlet-multinomial.
    pub seed: u64,
}

impl Default for Scoring {
    fn default() -> Self {
        Self { batch_size: 64, confidence: 0.9, n_volunteers: None, seed: 1 }
    }
}

/// A predicted consensus.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// What share of a crowd without end would choose the class, at the mean of the latent numbers.
    pub probability: f64,
    /// Lower end of its interval.
    pub probability_low: f64,
    /// Upper end of its interval.
    pub probability_high: f64,
    /// Ends of the interval of the fraction that so many volunteers would give; none where the votes were
    /// never counted.
    pub fraction_range: Option<(f64, f64)>,
}

/// Scores of pictures, in the order of their rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// Latent numbers of a picture.
    pub n_latents: usize,
    /// Classes.
    pub n_classes: usize,
    /// Means of the latent numbers, `[pictures, latents]`.
    pub embedding: Vec<f32>,
    /// Logarithms of their variances, `[pictures, latents]`.
    pub log_variance: Vec<f32>,
    /// `[pictures, classes]`.
    pub predictions: Vec<Prediction>,
    /// Sum over channels and pixels of the absolute error of the picture rebuilt from the means.
    pub reconstruction_error: Vec<f64>,
}

impl Scores {
    /// Pictures.
    #[must_use]
    pub fn n(&self) -> usize {
        self.reconstruction_error.len()
    }

    /// The predictions of a picture, a class each.
    #[must_use]
    pub fn of(&self, picture: usize) -> &[Prediction] {
        &self.predictions[picture * self.n_classes..][..self.n_classes]
    }
}

/// Draws of the latent numbers behind an interval of the Dirichlet-multinomial.
const N_DRAWS: usize = 32;

impl Model {
    /// Scores the pictures of `rows`; `watch` hears how many are done and says whether to go on.
    ///
    /// # Errors
    ///
    /// [`VisionError::Setting`] for pictures of another size or an impossible confidence,
    /// [`VisionError::Pixels`] where a picture cannot be read.
    pub fn score(
        &self,
        pixels: &dyn Pixels,
        rows: &[usize],
        scoring: &Scoring,
        watch: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Scores, VisionError> {
        check(self, pixels, scoring)?;
        let (n_latents, n_classes) = (self.config().shape.n_latents(), self.config().classes.len());
        let mut scores = Scores {
            n_latents,
            n_classes,
            embedding: Vec::with_capacity(rows.len() * n_latents),
            log_variance: Vec::with_capacity(rows.len() * n_latents),
            predictions: Vec::with_capacity(rows.len() * n_classes),
            reconstruction_error: Vec::with_capacity(rows.len()),
        };
        let classifier = Classifier::of(self);
        let extra_sd = self.config().extra_logit_sd.unwrap_or(0.0);
        let levels = self.config().levels.as_ref();
        let n_seen = scoring.n_volunteers.or(self.config().typical_n_seen);
        let draws =
            normals(N_DRAWS * n_latents, &mut volary_core::seed::stream(scoring.seed, "intervals"));
        for batch in rows.chunks(scoring.batch_size.max(1)) {
            let pictures = pictures::read(pixels, batch, &self.device)?;
            let (mean, log_variance) = self.network.encoder.forward(pictures.clone());
            let rebuilt = self.network.decoder.forward(mean.clone());
            let error: Tensor<2> = (pictures - rebuilt).abs().flatten(1, 3);
            let error = weights::values(error.sum_dim(1)).values;
            let (mean, log_variance) =
                (weights::values(mean).values, weights::values(log_variance).values);
            let asked = Asked { n_seen, confidence: scoring.confidence, levels };
            let predictions: Vec<Vec<Prediction>> = mean
                .par_chunks_exact(n_latents)
                .zip(log_variance.par_chunks_exact(n_latents))
                .map(|(mean, log_variance)| {
                    let latents = Latents { mean, log_variance };
                    match self.config().settings.losses.likelihood {
                        Likelihood::Bce | Likelihood::Binomial => {
                            classifier.independent(latents, extra_sd, asked)
                        }
                        Likelihood::Dirichlet => classifier.exclusive(latents, &draws, asked),
                    }
                })
                .collect();
            scores.predictions.extend(predictions.into_iter().flatten());
            scores.embedding.extend(mean);
            scores.log_variance.extend(log_variance);
            scores.reconstruction_error.extend(error.into_iter().map(f64::from));
            if !watch(scores.n()) {
                return Err(VisionError::Stopped);
            }
        }
        Ok(scores)
    }

    /// Mean and deviation of each logit of the pictures of `rows`, as the encoder has them.
    pub(crate) fn logits(
        &self,
        pixels: &dyn Pixels,
        rows: &[usize],
    ) -> Result<Vec<Vec<(f64, f64)>>, VisionError> {
        let n_latents = self.config().shape.n_latents();
        let (mean, log_variance) =
            self.network.encoder.forward(pictures::read(pixels, rows, &self.device)?);
        let (mean, log_variance) = (weights::values(mean).values, weights::values(log_variance).values);
        let classifier = Classifier::of(self);
        let latents = mean.chunks_exact(n_latents).zip(log_variance.chunks_exact(n_latents));
        let of = |(mean, log_variance)| classifier.logits(Latents { mean, log_variance });
        Ok(latents.map(of).collect())
    }

    /// What the votes of the pictures of `rows` ask of the intervals of a Dirichlet-multinomial; `None` where votes
    /// were never counted.
    pub(crate) fn exclusive_needed(
        &self,
        pixels: &dyn Pixels,
        labels: &Labels,
        rows: &[usize],
        batch_size: usize,
    ) -> Result<Option<Vec<Needed>>, VisionError> {
        let n_latents = self.config().shape.n_latents();
        let seed = Scoring::default().seed;
        let draws = normals(N_DRAWS * n_latents, &mut volary_core::seed::stream(seed, "intervals"));
        let classifier = Classifier::of(self);
        let mut needed = Vec::new();
        for batch in rows.chunks(batch_size) {
            let (mean, log_variance) =
                self.network.encoder.forward(pictures::read(pixels, batch, &self.device)?);
            let (mean, log_variance) =
                (weights::values(mean).values, weights::values(log_variance).values);
            let latents = mean.chunks_exact(n_latents).zip(log_variance.chunks_exact(n_latents));
            for (row, (mean, log_variance)) in batch.iter().zip(latents) {
                let Some((n_seen, votes)) = labels.n_seen(*row).zip(labels.n_votes(*row)) else {
                    return Ok(None);
                };
                let betas = classifier.betas(Latents { mean, log_variance }, &draws);
                needed.extend(betas.into_iter().zip(votes).map(|((probability, beta), votes)| Needed {
                    probability,
                    level: beta.chances(n_seen).level_of(*votes as usize),
                }));
            }
        }
        Ok(Some(needed))
    }

    /// What the decoder makes of latent numbers (`[pictures, latents]`, row by row): pictures, one after
    /// the other, values in 0 to 1.
    ///
    /// # Errors
    ///
    /// [`VisionError::Setting`] where the numbers do not fill whole rows.
    pub fn rebuild(&self, latents: &[f32]) -> Result<Vec<f32>, VisionError> {
        let n_latents = self.config().shape.n_latents();
        if latents.is_empty() || !latents.len().is_multiple_of(n_latents) {
            let expected = format!("rows of {n_latents} latent numbers");
            return Err(VisionError::setting("latents", latents.len(), &expected));
        }
        let shape = [latents.len() / n_latents, n_latents];
        let latents = Tensor::from_data(TensorData::new(latents.to_vec(), shape), &self.device);
        Ok(weights::values(self.network.decoder.forward(latents)).values)
    }
}

fn check(model: &Model, pixels: &dyn Pixels, scoring: &Scoring) -> Result<(), VisionError> {
    pictures::check_size(pixels.shape(), model.pixels())?;
    if !(scoring.confidence > 0.0 && scoring.confidence < 1.0) {
        return Err(VisionError::setting("confidence", scoring.confidence, "a share between 0 and 1"));
    }
    Ok(())
}

/// The distribution of a picture's latent numbers.
#[derive(Clone, Copy)]
struct Latents<'a> {
    mean: &'a [f32],
    log_variance: &'a [f32],
}

/// What is asked of an interval.
#[derive(Clone, Copy)]
struct Asked<'a> {
    n_seen: Option<u32>,
    confidence: f64,
    levels: Option<&'a Levels>,
}

impl Asked<'_> {
    /// The range of the fraction, drawn at the level at which it holds as often as it should.
    fn range(self, probability: f64, chances: impl Fn(u32) -> Chances) -> Option<(f64, f64)> {
        let Self { n_seen, confidence, levels } = self;
        let level = levels.map_or(confidence, |levels| levels.nominal(probability, confidence));
        n_seen.map(|n| chances(n).range(level)).map(|range| (range.low, range.high))
    }
}

/// The linear map from latent numbers to logits, in double precision.
struct Classifier {
    /// `[classes, latents]`.
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Classifier {
    fn of(model: &Model) -> Self {
        let mut tensors = weights::take(&model.network.classifier, "");
        let mut take = |name| tensors.remove(name).map(|t| t.values).unwrap_or_default();
        Self { weight: take("weight"), bias: take("bias") }
    }

    fn rows(&self, n_latents: usize) -> impl Iterator<Item = (&[f32], f64)> {
        self.weight.chunks_exact(n_latents).zip(self.bias.iter().map(|b| f64::from(*b)))
    }

    /// Mean and deviation of each logit, which is normal as the latent numbers are.
    fn logits(&self, latents: Latents<'_>) -> Vec<(f64, f64)> {
        let Latents { mean, log_variance } = latents;
        let of_class = |(weight, bias): (&[f32], f64)| {
            let variance = |(w, v): (&f32, &f32)| f64::from(*w).powi(2) * f64::from(*v).exp();
            let variance: f64 = weight.iter().zip(log_variance).map(variance).sum();
            (bias + dot(weight, mean), variance.sqrt())
        };
        self.rows(mean.len()).map(of_class).collect()
    }

    /// Classes that are a yes or no each.
    fn independent(&self, latents: Latents<'_>, extra_sd: f64, asked: Asked<'_>) -> Vec<Prediction> {
        let of_logit = |(logit, sd): (f64, f64)| {
            let sd = sd.hypot(extra_sd);
            let Range { low, high } = interval::of_logit(logit, sd, asked.confidence);
            let probability = interval::sigmoid(logit);
            Prediction {
                probability,
                probability_low: low,
                probability_high: high,
                fraction_range: asked.range(probability, |n| Chances::of_binomial(logit, sd, n)),
            }
        };
        self.logits(latents).into_iter().map(of_logit).collect()
    }

    /// One answer of several: the logits are concentrations.
    fn exclusive(&self, latents: Latents<'_>, draws: &[f32], asked: Asked<'_>) -> Vec<Prediction> {
        let of_class = |(probability, beta): (f64, Beta)| {
            let Range { low, high } = beta.range(asked.confidence);
            Prediction {
                probability,
                probability_low: low,
                probability_high: high,
                fraction_range: asked.range(probability, |n| beta.chances(n)),
            }
        };
        self.betas(latents, draws).into_iter().map(of_class).collect()
    }

    /// The probability of each class at the mean of the latent numbers, and its distribution.
    fn betas(&self, latents: Latents<'_>, draws: &[f32]) -> Vec<(f64, Beta)> {
        let Latents { mean, log_variance } = latents;
        let concentrations = |latents: &[f32]| -> Vec<f64> {
            let logits = self.rows(mean.len()).map(|(weight, bias)| bias + dot(weight, latents));
            logits.map(|l| (CONCENTRATION_BOUND * (l / CONCENTRATION_BOUND).tanh()).exp()).collect()
        };
        let at_mean = concentrations(mean);
        let n = at_mean.len();
        // Sums over the draws of a probability, of its square, and of its variance within a draw.
        let mut sums = vec![[0.0; 3]; n];
        let n_draws = draws.len() / mean.len();
        for draw in draws.chunks_exact(mean.len()) {
            let latents: Vec<f32> = mean
                .iter()
                .zip(log_variance)
                .zip(draw)
                .map(|((mean, log_variance), draw)| mean + (log_variance / 2.0).exp() * draw)
                .collect();
            let concentrations = concentrations(&latents);
            let total: f64 = concentrations.iter().sum();
            for (sums, a) in sums.iter_mut().zip(&concentrations) {
                let p = a / total;
                sums[0] += p;
                sums[1] += p * p;
                sums[2] += p * (1.0 - p) / (total + 1.0);
            }
        }
        let total: f64 = at_mean.iter().sum();
        at_mean
            .iter()
            .zip(sums)
            .map(|(a, sums)| {
                let [p, square, within] = sums.map(|sum| sum / n_draws as f64);
                (a / total, Beta::with_moments(p, (square - p * p).max(0.0) + within))
            })
            .collect()
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}
