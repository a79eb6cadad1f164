//! Score-CAM: every map of a layer becomes a mask, and a mask weighs as much as what it leaves visible is
//! worth to the class (Wang et al. 2020, arXiv:1910.01279).
//!
//! For a picture `x` and the maps `A_k` of a convolution layer: `U_k` is `A_k` enlarged to the picture
//! (bilinear, centres aligned), `M_k = (U_k − min) / (max − min)`, and the score of a mask for class `c` is
//! `s_k = f_c(x M_k) − f_c(baseline)`. The weights are a softmax of the scores over `k`, and the map is
//! `ReLU(Σ α_k U_k)`, scaled to 0 to 1. A constant map weighs nothing; a constant result is *no map*.
//!
//! One pass over the masks serves all classes, and the masks of a picture run in batches. Classes of a
//! confusion model are independent, so that `f` is a logit (or its sigmoid) and never a softmax over
//! classes: where the authors' code takes one, [`Recipe::authors`] takes the sigmoid.
//!
//! The sums differ from `Σ α_k A_k` enlarged only where ReLU comes first, because enlarging is linear. So
//! the sum is kept at the size of the layer, and the rest is done when the map is asked for.

use rayon::prelude::*;
use volary_core::pixels::PixelShape;

use super::grid::{Grid, Maps};
use super::{AttentionError, Network, ask, check_picture, sigmoid};

/// What is asked of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Score {
    /// The logit.
    Logit,
    /// The sigmoid of it.
    Sigmoid,
}

/// What a masked picture is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baseline {
    /// Nothing: the score as it is.
    None,
    /// A black picture.
    Black,
    /// Every channel at its mean.
    Mean,
    /// The picture smoothed over a sixth of its side.
    Blurred,
    /// The picture itself.
    Unmasked,
}

/// How scores become weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weighing {
    /// Softmax over the masks.
    Softmax,
    /// What is above zero, divided by its sum.
    PositiveShare,
    /// The scores themselves.
    Scores,
}

/// When a map is scaled to 0 to 1 to become a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaling {
    /// Enlarged, then scaled.
    AfterEnlarging,
    /// Scaled, then enlarged.
    BeforeEnlarging,
}

/// Where the sum is cut off at zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Summed {
    /// At the size of the layer, before it is enlarged (`A_k` are summed).
    AtTheLayer,
    /// At the size of the picture (`U_k` are summed).
    Enlarged,
}

/// The steps that published implementations do differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// When maps are scaled.
    pub scaling: Scaling,
    /// What the network is asked.
    pub score: Score,
    /// What it is compared with.
    pub baseline: Baseline,
    /// How scores become weights.
    pub weighing: Weighing,
    /// Which maps are summed.
    pub summed: Summed,
}

impl Recipe {
    /// For classes that don't exclude each other; the default.
    #[must_use]
    pub const fn independent() -> Self {
        Self {
            scaling: Scaling::AfterEnlarging,
            score: Score::Logit,
            baseline: Baseline::Black,
            weighing: Weighing::Softmax,
            summed: Summed::Enlarged,
        }
    }

    /// As the paper has it (Wang et al. 2020).
    #[must_use]
    pub const fn paper() -> Self {
        Self { summed: Summed::AtTheLayer, ..Self::independent() }
    }

    /// As the authors' code has it (haofanwang/Score-CAM), with a sigmoid for its softmax over classes.
    #[must_use]
    pub const fn authors() -> Self {
        Self {
            score: Score::Sigmoid,
            baseline: Baseline::None,
            weighing: Weighing::Scores,
            ..Self::independent()
        }
    }

    /// As torch-cam has it.
    #[must_use]
    pub const fn torch_cam() -> Self {
        Self { scaling: Scaling::BeforeEnlarging, baseline: Baseline::Unmasked, ..Self::paper() }
    }

    /// The recipe of a name: `independent`, `paper`, `authors` or `torch-cam`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "independent" => Self::independent(),
            "paper" => Self::paper(),
            "authors" => Self::authors(),
            "torch-cam" => Self::torch_cam(),
            _ => return None,
        })
    }

    /// The names that [`Recipe::named`] knows.
    pub const NAMES: [&'static str; 4] = ["independent", "paper", "authors", "torch-cam"];
}

impl Default for Recipe {
    fn default() -> Self {
        Self::independent()
    }
}

/// What a network looked at in one picture, for one class.
#[derive(Clone, Debug, PartialEq)]
pub struct Attention {
    /// Weight of every map of the layer; 0 for a constant one.
    pub weights: Vec<f32>,
    /// `Σ α_k A_k` at the size of the layer, negative numbers included.
    pub sum: Grid,
    /// Logit of the class on the whole picture.
    pub logit: f32,
    summed: Summed,
}

impl Attention {
    /// The map at a size, 0 to 1; `None` where there is none.
    #[must_use]
    pub fn map(&self, height: usize, width: usize) -> Option<Grid> {
        match self.summed {
            Summed::AtTheLayer => self.sum.clone().rectified().resized(height, width).scaled(),
            Summed::Enlarged => self.sum.resized(height, width).rectified().scaled(),
        }
    }

    /// The map at the size of the layer, 0 to 1; `None` where there is none.
    #[must_use]
    pub fn at_the_layer(&self) -> Option<Grid> {
        self.sum.clone().rectified().scaled()
    }
}

/// Pictures that are run at once: what a batch of training holds.
const BATCH: usize = 64;

/// A map for every class, in the classes' order.
///
/// # Errors
/// [`AttentionError`] for an unknown layer, a picture of the wrong size, or a network that fails.
pub fn score_cam(
    network: &dyn Network,
    picture: &[f32],
    layer: &str,
    recipe: Recipe,
) -> Result<Vec<Attention>, AttentionError> {
    check_picture(network, picture)?;
    let maps = network.maps(picture, layer)?;
    let masks = masks(&maps, network.shape(), recipe.scaling);
    let used: Vec<usize> = (0..maps.n).filter(|k| masks[*k].is_some()).collect();
    let classes = network.n_classes();
    let own = ask(network, picture, 1)?;
    let base = baseline(network, picture, recipe.baseline)?;
    let mut logits = Vec::with_capacity(used.len() * classes);
    for chunk in used.chunks(BATCH) {
        logits.extend(ask(network, &masked(picture, &masks, chunk), chunk.len())?);
    }
    let f = |logit: f32| if recipe.score == Score::Sigmoid { sigmoid(logit) } else { logit };
    Ok((0..classes)
        .map(|class| {
            let base = base.as_ref().map_or(0.0, |base| f(base[class]));
            let scores: Vec<f32> =
                (0..used.len()).map(|i| f(logits[i * classes + class]) - base).collect();
            let mut weights = vec![0.0; maps.n];
            for (k, weight) in used.iter().zip(weigh(&scores, recipe.weighing)) {
                weights[*k] = weight;
            }
            let sum = sum(&maps, &weights);
            Attention { weights, sum, logit: own[class], summed: recipe.summed }
        })
        .collect())
}

/// A mask of every map that isn't constant, at the size of the picture.
fn masks(maps: &Maps, shape: PixelShape, scaling: Scaling) -> Vec<Option<Grid>> {
    let all: Vec<Grid> = maps.iter().collect();
    all.into_par_iter()
        .map(|map| match scaling {
            Scaling::AfterEnlarging => map.resized(shape.height, shape.width).scaled(),
            Scaling::BeforeEnlarging => Some(map.scaled()?.resized(shape.height, shape.width)),
        })
        .collect()
}

/// The picture under each mask of a chunk, one after the other.
fn masked(picture: &[f32], masks: &[Option<Grid>], chunk: &[usize]) -> Vec<f32> {
    let mut out = vec![0.0; chunk.len() * picture.len()];
    out.par_chunks_mut(picture.len().max(1)).zip(chunk).for_each(|(out, k)| {
        let Some(mask) = &masks[*k] else { return };
        let plane = mask.values.len();
        for (out, channel) in out.chunks_exact_mut(plane).zip(picture.chunks_exact(plane)) {
            for ((out, x), m) in out.iter_mut().zip(channel).zip(&mask.values) {
                *out = x * m;
            }
        }
    });
    out
}

/// The logits of what masked pictures are compared with.
fn baseline(
    network: &dyn Network,
    picture: &[f32],
    baseline: Baseline,
) -> Result<Option<Vec<f32>>, AttentionError> {
    let other = match baseline {
        Baseline::None => return Ok(None),
        other => blank(picture, network.shape(), other),
    };
    ask(network, &other, 1).map(Some)
}

/// A picture in which there is nothing to see.
pub(crate) fn blank(picture: &[f32], shape: PixelShape, baseline: Baseline) -> Vec<f32> {
    let plane = (shape.height * shape.width).max(1);
    match baseline {
        Baseline::None | Baseline::Unmasked => picture.to_vec(),
        Baseline::Black => vec![0.0; picture.len()],
        Baseline::Mean => picture
            .chunks_exact(plane)
            .flat_map(|c| std::iter::repeat_n(c.iter().sum::<f32>() / plane as f32, plane))
            .collect(),
        // Six fields a side, averaged and enlarged again: smooth, and the same on every machine.
        Baseline::Blurred => picture
            .chunks_exact(plane)
            .flat_map(|channel| {
                let grid = Grid { height: shape.height, width: shape.width, values: channel.to_vec() };
                grid.pooled(shape.height.min(6), shape.width.min(6))
                    .resized(shape.height, shape.width)
                    .values
            })
            .collect(),
    }
}

fn weigh(scores: &[f32], weighing: Weighing) -> Vec<f32> {
    match weighing {
        Weighing::Scores => scores.to_vec(),
        Weighing::PositiveShare => {
            let sum: f32 = scores.iter().map(|s| s.max(0.0)).sum();
            scores.iter().map(|s| if sum > 0.0 { s.max(0.0) / sum } else { 0.0 }).collect()
        }
        Weighing::Softmax => {
            let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let powers: Vec<f32> = scores.iter().map(|s| (s - highest).exp()).collect();
            let sum: f32 = powers.iter().sum();
            powers.iter().map(|p| p / sum).collect()
        }
    }
}

/// `Σ α_k A_k`.
fn sum(maps: &Maps, weights: &[f32]) -> Grid {
    let mut total = vec![0.0_f64; maps.height * maps.width];
    for (map, weight) in maps.iter().zip(weights) {
        if *weight == 0.0 {
            continue;
        }
        for (total, value) in total.iter_mut().zip(&map.values) {
            *total += f64::from(*weight) * f64::from(*value);
        }
    }
    let values = total.into_iter().map(|v| v as f32).collect();
    Grid { height: maps.height, width: maps.width, values }
}

#[cfg(test)]
#[path = "cam_tests.rs"]
mod tests;
