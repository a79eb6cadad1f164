//! Pictures whose classes are known: a disc of some strength, stripes of some strength, each with a crowd
//! that sees it the more often the stronger it is.

use std::path::Path;

use rand::RngExt as _;
use serde_json::Value;
use volary_core::{PixelShape, PixelsInMemory};
use volary_vision::confusion::{Begin, Labels, Lesson, Likelihood, Losses, Settings, Trained, train};
use volary_vision::training::{Descent, Next, Plan, Progress, Rule, Schedule};
use volary_vision::{Device, VisionError};

pub(crate) struct World {
    pub(crate) pixels: PixelsInMemory,
    pub(crate) labels: Labels,
    pub(crate) ids: Vec<String>,
    pub(crate) groups: Vec<String>,
    /// The probabilities of the two classes.
    pub(crate) truth: Vec<[f64; 2]>,
}

const SIDE: usize = 32;

/// `n` pictures of 32 × 32 in one channel; `n_seen` volunteers each, who may tick both classes, or one of
/// the two where `exclusive`.
pub(crate) fn world(n: usize, n_seen: u32, exclusive: bool, seed: u64) -> World {
    let mut rng = volary_core::seed::stream(seed, "world");
    let mut draw = || rng.random::<f64>();
    let (mut values, mut votes, mut truth) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..n {
        let [disc, stripes] = [draw(), draw()];
        let (x0, y0) = (10.0 + 12.0 * draw(), 10.0 + 12.0 * draw());
        for y in 0..SIDE {
            for x in 0..SIDE {
                let distance = (x as f64 - x0).hypot(y as f64 - y0);
                let in_disc = if distance < 5.0 { 0.4 * disc } else { 0.0 };
                let in_stripe = if (x / 3) % 2 == 0 { 0.25 * stripes } else { 0.0 };
                values.push((0.1 + in_disc + in_stripe + 0.15 * draw()) as f32);
            }
        }
        let chance = |strength: f64| 0.04 + 0.92 / (1.0 + (-9.0 * (strength - 0.5)).exp());
        let mut p = [chance(disc), chance(stripes)];
        if exclusive {
            p = [p[0] / (p[0] + p[1]), p[1] / (p[0] + p[1])];
        }
        let first = (0..n_seen).filter(|_| draw() < p[0]).count() as u32;
        let second = if exclusive {
            n_seen - first
        } else {
            (0..n_seen).filter(|_| draw() < p[1]).count() as u32
        };
        votes.extend([first, second]);
        truth.push(p);
    }
    let shape = PixelShape { channels: 1, height: SIDE, width: SIDE };
    let classes = vec!["disc".to_owned(), "stripes".to_owned()];
    let ids: Vec<String> = (0..n).map(|i| format!("s{i}")).collect();
    World {
        pixels: PixelsInMemory::new(shape, values).unwrap(),
        labels: Labels::from_counts(classes, vec![n_seen; n], votes).unwrap(),
        groups: ids.clone(),
        ids,
        truth,
    }
}

/// A network that learns in seconds.
pub(crate) fn tiny(epochs: usize) -> Settings {
    Settings {
        filters: 8,
        hidden: vec![8, 4],
        losses: Losses { rotation: 0.0, ..Losses::default() },
        plan: Plan {
            epochs,
            batch_size: 16,
            descent: Descent::new(Rule::Nadam),
            schedule: Schedule { rate: 3e-3, decay: 0.99, every_epochs: 5 },
            checkpoint_every_epochs: 2,
            patience: None,
        },
        held_out_share: 0.25,
        ..Settings::default()
    }
}

pub(crate) fn with(likelihood: Likelihood, settings: Settings) -> Settings {
    Settings { losses: Losses { likelihood, ..settings.losses.clone() }, ..settings }
}

pub(crate) fn learn(
    world: &World,
    settings: &Settings,
    folder: &Path,
    begin: Begin,
    watch: &mut dyn FnMut(&Progress<'_>) -> Next,
) -> Result<Trained, VisionError> {
    let lesson = Lesson {
        pixels: &world.pixels,
        subject_ids: &world.ids,
        groups: &world.groups,
        labels: &world.labels,
        unchosen: &[],
        preprocessing: &Value::Null,
    };
    train(&lesson, settings, Device::Cpu, folder, begin, watch)
}

pub(crate) fn to_the_end(world: &World, settings: &Settings, folder: &Path) -> Trained {
    learn(world, settings, folder, Begin::New, &mut |_| Next::GoOn).unwrap()
}
