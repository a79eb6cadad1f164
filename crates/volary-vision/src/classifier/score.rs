//! A classifier in use: calibrated probabilities, how sure the network is of them, and the numbers of its
//! dense layer.
//!
//! The spread is that of many passes with parts of the network left out at random (Monte Carlo dropout, Gal &
//! Ghahramani 2016, arXiv:1506.02142). What a pass leaves out is the same for all pictures, so that a score does
//! not depend on who else is scored. The mutual information (Houlsby et al. 2011, arXiv:1112.5745) is what the
//! answer would tell of the network: high where more labels would help, not where people disagree.

use rayon::prelude::*;
use volary_core::Pixels;

use crate::classifier::calibration::{Calibration, sigmoid};
use crate::classifier::model::Model;
use crate::classifier::network::Masks;
use crate::error::VisionError;
use crate::pictures;
use crate::weights;

/// How to score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scoring {
    /// Pictures at a time.
    pub batch_size: usize,
    /// Share of the passes inside of an interval.
    pub confidence: f64,
    /// Passes with parts left out; 2 or more.
    pub n_passes: usize,
    /// Seed of what they leave out.
    pub seed: u64,
}

impl Default for Scoring {
    fn default() -> Self {
        Self { batch_size: 64, confidence: 0.9, n_passes: 30, seed: 1 }
    }
}

/// What is said of a picture and a class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// Calibrated probability: of pictures with 0.8, 80 % have it.
    pub probability: f64,
    /// Lower end of the interval that holds a share of the passes.
    pub probability_low: f64,
    /// Upper end of it.
    pub probability_high: f64,
    /// Standard deviation over the passes, calibrated as the interval is.
    pub probability_sd: f64,
    /// Mutual information of answer and network, in bits, of the passes before calibration: that adds nothing to what
    /// the network knows.
    pub mutual_information_bits: f64,
}

/// Scores of pictures, in the order of their rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// Numbers of the dense layer.
    pub n_features: usize,
    /// Classes.
    pub n_classes: usize,
    /// The dense layer, `[pictures, features]`.
    pub embedding: Vec<f32>,
    /// `[pictures, classes]`.
    pub predictions: Vec<Prediction>,
}

impl Scores {
    /// Pictures.
    #[must_use]
    pub fn n(&self) -> usize {
        self.predictions.len() / self.n_classes.max(1)
    }

    /// The predictions of a picture, a class each.
    #[must_use]
    pub fn of(&self, picture: usize) -> &[Prediction] {
        &self.predictions[picture * self.n_classes..][..self.n_classes]
    }
}

/// What the passes say of pictures, before calibration.
pub(crate) struct Passes {
    n_passes: usize,
    n_classes: usize,
    /// `[pictures, classes, passes]`.
    probabilities: Vec<f64>,
    /// `[pictures, features]`.
    embedding: Vec<f32>,
}

impl Passes {
    /// Of a picture and a class.
    fn of(&self, row: usize, class: usize) -> &[f64] {
        &self.probabilities[(row * self.n_classes + class) * self.n_passes..][..self.n_passes]
    }

    /// The mean of the passes.
    pub(crate) fn mean(&self, row: usize, class: usize) -> f64 {
        self.of(row, class).iter().sum::<f64>() / self.n_passes as f64
    }
}

impl Model {
    /// Scores the pictures of `rows`; `watch` hears how many are done and says whether to go on.
    ///
    /// # Errors
    ///
    /// [`VisionError::Setting`] for pictures of another size or an impossible setting,
    /// [`VisionError::Pixels`] where a picture cannot be read.
    pub fn score(
        &self,
        pixels: &dyn Pixels,
        rows: &[usize],
        scoring: &Scoring,
        watch: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Scores, VisionError> {
        check(self, pixels, scoring)?;
        let passes = self.passes(pixels, rows, scoring, watch)?;
        let n_classes = self.config.classes.len();
        let predictions = (0..rows.len() * n_classes)
            .into_par_iter()
            .map(|i| {
                let (row, class) = (i / n_classes, i % n_classes);
                let calibration = self.config.calibration[class].unwrap_or(Calibration::NONE);
                predicted(passes.of(row, class), calibration, scoring.confidence)
            })
            .collect();
        Ok(Scores {
            n_features: self.config.shape.dense,
            n_classes,
            embedding: passes.embedding,
            predictions,
        })
    }

    pub(crate) fn passes(
        &self,
        pixels: &dyn Pixels,
        rows: &[usize],
        scoring: &Scoring,
        watch: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Passes, VisionError> {
        let (shape, dropout) = (&self.config.shape, self.config.settings.dropout);
        let (n_passes, n_classes) = (scoring.n_passes, shape.n_classes);
        let masks: Vec<Masks> = (0..n_passes)
            .map(|pass| {
                let mut rng =
                    volary_core::seed::stream(scoring.seed, &format!("dropout of pass {pass}"));
                Masks::draw(1, shape, dropout, &mut rng, &self.device)
            })
            .collect();
        let mut found = Passes {
            n_passes,
            n_classes,
            probabilities: vec![0.0; rows.len() * n_classes * n_passes],
            embedding: Vec::with_capacity(rows.len() * shape.dense),
        };
        let mut done = 0;
        for batch in rows.chunks(scoring.batch_size.max(1)) {
            let maps = self.network.first(pictures::read(pixels, batch, &self.device)?);
            let whole = self.network.rest(maps.clone(), None);
            found.embedding.extend(weights::values(whole.features).values);
            for (pass, masks) in masks.iter().enumerate() {
                let logits = weights::values(self.network.rest(maps.clone(), Some(masks)).logits).values;
                for (cell, logit) in logits.into_iter().enumerate() {
                    found.probabilities[(done * n_classes + cell) * n_passes + pass] =
                        sigmoid(f64::from(logit));
                }
            }
            done += batch.len();
            if !watch(done) {
                return Err(VisionError::Stopped);
            }
        }
        Ok(found)
    }
}

fn check(model: &Model, pixels: &dyn Pixels, scoring: &Scoring) -> Result<(), VisionError> {
    pictures::check_size(pixels.shape(), model.pixels())?;
    if !(scoring.confidence > 0.0 && scoring.confidence < 1.0) {
        return Err(VisionError::setting("confidence", scoring.confidence, "a share between 0 and 1"));
    }
    if !(2..=10_000).contains(&scoring.n_passes) {
        return Err(VisionError::setting("passes", scoring.n_passes, "2 to 10,000"));
    }
    Ok(())
}

fn predicted(passes: &[f64], calibration: Calibration, confidence: f64) -> Prediction {
    let n = passes.len() as f64;
    let mean = passes.iter().sum::<f64>() / n;
    let within = passes.iter().map(|p| bits(*p)).sum::<f64>() / n;
    let mut calibrated: Vec<f64> = passes.iter().map(|p| calibration.of(*p)).collect();
    calibrated.sort_by(f64::total_cmp);
    let centre = calibrated.iter().sum::<f64>() / n;
    let squares: f64 = calibrated.iter().map(|p| (p - centre).powi(2)).sum();
    let probability = calibration.of(mean);
    let [low, high] =
        [1.0 - confidence, 1.0 + confidence].map(|twice| quantile(&calibrated, twice / 2.0));
    Prediction {
        probability,
        // The mean of the passes may lie outside where a few passes are of another mind.
        probability_low: low.min(probability),
        probability_high: high.max(probability),
        probability_sd: (squares / (n - 1.0)).sqrt(),
        mutual_information_bits: (bits(mean) - within).max(0.0),
    }
}

/// Entropy of a yes or no.
fn bits(p: f64) -> f64 {
    let of = |p: f64| if p > 0.0 { -p * p.log2() } else { 0.0 };
    of(p) + of(1.0 - p)
}

/// Of sorted numbers, between two neighbours in proportion (Hyndman & Fan's type 7, NumPy's default).
fn quantile(sorted: &[f64], at: f64) -> f64 {
    let place = at * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_of_two_minds_tell_a_bit_and_of_one_mind_nothing() {
        let of = |passes: &[f64]| predicted(passes, Calibration::NONE, 0.5);
        let torn = of(&[0.0, 1.0, 0.0, 1.0]);
        assert!((torn.mutual_information_bits - 1.0).abs() < 1e-12);
        assert!((torn.probability - 0.5).abs() < 1e-12);
        assert!((torn.probability_sd - (4.0_f64 * 0.25 / 3.0).sqrt()).abs() < 1e-12);
        // People who disagree are no doubt of the network's.
        let agreed = of(&[0.5; 4]);
        assert!(agreed.mutual_information_bits == 0.0 && agreed.probability_sd == 0.0);
        // Houlsby's equation on paper: H(0.3) − (H(0.2) + H(0.4)) / 2.
        let some = of(&[0.2, 0.4]);
        assert!(
            (some.mutual_information_bits - (0.881_290_9 - (0.721_928_1 + 0.970_950_6) / 2.0)).abs()
                < 1e-6
        );
        // NumPy: quantile([0.1, 0.2, 0.4, 0.8], [0.25, 0.75]) = 0.175, 0.5.
        let some = of(&[0.8, 0.1, 0.4, 0.2]);
        assert!(
            (some.probability_low - 0.175).abs() < 1e-12 && (some.probability_high - 0.5).abs() < 1e-12
        );
    }

    #[test]
    fn calibration_moves_probability_and_interval_and_not_what_is_known() {
        let passes = [0.2, 0.3, 0.4];
        let shifted = predicted(&passes, Calibration { slope: 2.0, intercept: 1.0 }, 0.9);
        let plain = predicted(&passes, Calibration::NONE, 0.9);
        assert_eq!(shifted.mutual_information_bits, plain.mutual_information_bits);
        let logit = |p: f64| (p / (1.0 - p)).ln();
        assert!((logit(shifted.probability) - 2.0 * logit(0.3) - 1.0).abs() < 1e-9);
        assert!(
            shifted.probability_low <= shifted.probability
                && shifted.probability <= shifted.probability_high
        );
    }
}
