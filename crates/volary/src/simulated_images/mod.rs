//! An image project that never was: pictures drawn from a known truth, and volunteers who tick what they see.
//!
//! The confusion is planted. In *two-feature* subjects two classes are really there. In *lookalikes* one class
//! is there and its clouds are turned so that they pass for a vortex: about half the volunteers tick it. *Faint*
//! vortices are ticked by half as well, with nothing else to see. So a network that tells why volunteers disagree
//! can be asked whether it found what was planted. Pure functions of their parameters; no files here.

mod galaxies;
mod jupiter;
mod noise;
mod votes;

use rand::RngExt as _;
use volary_core::seed::{Rng, stream};

use self::galaxies::Galaxy;
use self::jupiter::Jupiter;

pub(crate) use self::galaxies::Shape;
pub(crate) use self::votes::{Vote, votes};

/// What the pictures are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scene {
    /// Pieces of Jupiter: vortices, turbulence, bands.
    Jupiter,
    /// Galaxies, odd ones among them.
    Galaxies,
}

impl Scene {
    /// The answers to tick.
    pub(crate) fn classes(self) -> [&'static str; 3] {
        match self {
            Self::Jupiter => ["vortex", "turbulence", "bands"],
            Self::Galaxies => ["smooth", "features", "odd"],
        }
    }
}

/// How large the project is, and how much confusion is planted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImageParams {
    pub(crate) scene: Scene,
    pub(crate) n_subjects: u32,
    pub(crate) size_px: u32,
    /// Share of subjects with two features (Jupiter), or of odd galaxies.
    pub(crate) two_features: f64,
    /// Share of lookalikes (Jupiter).
    pub(crate) lookalikes: f64,
    /// Share of faint ones.
    pub(crate) faint: f64,
    /// Share of subjects that show the place of the one before, a little moved.
    pub(crate) copies: f64,
    pub(crate) n_volunteers: u32,
    pub(crate) votes_per_subject: u32,
    pub(crate) seed: u64,
}

/// A subject: what is there, and how many would tick each class.
#[derive(Clone, Debug)]
pub(crate) struct SimulatedSubject {
    /// The place; copies have the same.
    pub(crate) group: u32,
    /// What it is, in a word.
    pub(crate) kind: &'static str,
    /// How much of each class is really there, 0 to 1.
    pub(crate) truth: [f64; 3],
    /// Chance that a usual volunteer ticks each class.
    pub(crate) p_tick: [f64; 3],
    /// Moved by so much, in half widths.
    shift: (f64, f64),
    sight: Sight,
    noise_seed: u64,
}

#[derive(Clone, Debug)]
enum Sight {
    Jupiter(Jupiter),
    Galaxy(Galaxy),
}

/// Draws the subjects. The same parameters give the same subjects; each has a stream of its own, so that more
/// of them do not change the first.
pub(crate) fn subjects(params: &ImageParams) -> Vec<SimulatedSubject> {
    let mut all: Vec<SimulatedSubject> = Vec::new();
    for i in 0..params.n_subjects {
        let mut rng = stream(params.seed, &format!("simulated image {i}"));
        let is_copy = rng.random::<f64>() < params.copies;
        let noise_seed = rng.random();
        let subject = match all.last().filter(|_| is_copy) {
            Some(before) => {
                let mut moved = before.clone();
                moved.shift.0 += rng.random_range(-0.15..0.15);
                moved.shift.1 += rng.random_range(-0.15..0.15);
                SimulatedSubject { noise_seed, ..moved }
            }
            None => match params.scene {
                Scene::Jupiter => jupiter(&mut rng, params, i, noise_seed),
                Scene::Galaxies => galaxy(&mut rng, params, i, noise_seed),
            },
        };
        all.push(subject);
    }
    all
}

/// Between what a few tick by mistake and what nearly all tick.
fn clearly(strength: f64) -> f64 {
    0.04 + 0.92 * strength
}

fn jupiter(rng: &mut Rng, params: &ImageParams, group: u32, noise_seed: u64) -> SimulatedSubject {
    let (strong, weak) = (rng.random_range(0.85..1.0), rng.random_range(0.05..0.25));
    let kind =
        choose(rng, params, &["two", "lookalike", "faint"], &["vortex", "turbulence", "bands", "plain"]);
    // Half of the confusion is with turbulence, half with bands.
    let turbulent = rng.random::<bool>();
    let (bands, turbulence) = match kind {
        "turbulence" => (weak, strong),
        "bands" => (strong, weak / 3.0),
        "two" | "lookalike" if turbulent => (weak, strong),
        "two" | "lookalike" => (strong, weak / 3.0),
        _ => (weak, weak),
    };
    let mut scene = Jupiter::draw(rng, bands, turbulence);
    let mut truth = [0.0, turbulence, bands];
    let mut p_tick = truth.map(clearly);
    match kind {
        "vortex" | "two" => {
            scene.add_vortex(rng, strong);
            truth[0] = strong;
            p_tick[0] = clearly(strong);
        }
        "lookalike" => {
            // The more the clouds are turned the more they look like a vortex; nothing of its own colour.
            let likeness = rng.random_range(0.0..1.0);
            scene.add_vortex(rng, 0.04);
            scene.vortices[0].turns = scene.vortices[0].turns.signum() * (0.18 + 0.3 * likeness);
            p_tick[0] = 0.3 + 0.4 * likeness;
        }
        "faint" => {
            let strength = rng.random_range(0.08..0.28);
            scene.add_vortex(rng, strength);
            truth[0] = strength;
            p_tick[0] = 0.3 + 0.4 * (strength - 0.08) / 0.20;
        }
        "plain" => {
            scene.is_blurred = rng.random();
        }
        _ => {}
    }
    let kind = match (kind, turbulent) {
        ("two", true) => "vortex_and_turbulence",
        ("two", false) => "vortex_and_bands",
        ("lookalike", true) => "turbulence_like_vortex",
        ("lookalike", false) => "bands_like_vortex",
        ("faint", _) => "faint_vortex",
        (kind, _) => kind,
    };
    let sight = Sight::Jupiter(scene);
    SimulatedSubject { group, kind, truth, p_tick, shift: (0.0, 0.0), sight, noise_seed }
}

fn galaxy(rng: &mut Rng, params: &ImageParams, group: u32, noise_seed: u64) -> SimulatedSubject {
    let odd = choose(rng, params, &["odd", "", ""], &["ordinary"]) == "odd";
    let pick = |rng: &mut Rng, shapes: &[Shape]| shapes[rng.random_range(0..shapes.len())];
    let shape = if odd { pick(rng, &Shape::ODD) } else { pick(rng, &Shape::ORDINARY) };
    let truth = match shape {
        Shape::Smooth => [1.0, 0.0, 0.0],
        Shape::Arms | Shape::EdgeOn => [0.0, 1.0, 0.0],
        Shape::Merger | Shape::Ring => [0.0, 1.0, 1.0],
        Shape::BlueCore | Shape::Trail => [1.0, 0.0, 1.0],
    };
    // Many volunteers have not been told what is odd.
    let p_tick = [clearly(truth[0]), clearly(truth[1]), 0.03 + 0.6 * truth[2]];
    let sight = Sight::Galaxy(Galaxy::draw(rng, shape));
    SimulatedSubject { group, kind: shape.name(), truth, p_tick, shift: (0.0, 0.0), sight, noise_seed }
}

/// One galaxy of a shape, with its companion at a place (half widths from the middle) where it has one, as bright
/// as its magnitude says; 16 is bright.
pub(crate) fn one_galaxy(
    rng: &mut Rng,
    shape: Shape,
    companion: Option<(f64, f64)>,
    magnitude: f64,
) -> SimulatedSubject {
    let mut galaxy = Galaxy::draw(rng, shape);
    galaxy.companion = companion.unwrap_or(galaxy.companion);
    galaxy.brightness = 10.0_f64.powf(-0.4 * (magnitude - 16.0));
    let noise_seed = rng.random();
    SimulatedSubject {
        group: 0,
        kind: shape.name(),
        truth: [0.0; 3],
        p_tick: [0.0; 3],
        shift: (0.0, 0.0),
        sight: Sight::Galaxy(galaxy),
        noise_seed,
    }
}

/// One of the planted kinds with its share, else one of the others.
fn choose<'k>(
    rng: &mut Rng,
    params: &ImageParams,
    planted: &[&'k str; 3],
    others: &[&'k str],
) -> &'k str {
    let mut at: f64 = rng.random();
    for (kind, share) in planted.iter().zip([params.two_features, params.lookalikes, params.faint]) {
        if kind.is_empty() {
            continue;
        }
        if at < share {
            return kind;
        }
        at -= share;
    }
    others[rng.random_range(0..others.len())]
}

impl SimulatedSubject {
    /// Whether volunteers disagree about the first class (0.3 to 0.7 tick it), as planted.
    pub(crate) fn is_confusing(&self) -> bool {
        (0.3..=0.7).contains(&self.p_tick[0])
    }

    /// The picture: red, green, blue, row by row.
    pub(crate) fn picture(&self, size_px: u32) -> Vec<u8> {
        let half = f64::from(size_px) / 2.0;
        let place = |i: u32| (f64::from(i) + 0.5) / half - 1.0;
        let mut pixels = Vec::with_capacity((size_px * size_px) as usize);
        for row in 0..size_px {
            for column in 0..size_px {
                let (x, y) = (place(column) + self.shift.0, place(row) + self.shift.1);
                pixels.push(match &self.sight {
                    Sight::Jupiter(scene) => scene.colour(x, y),
                    Sight::Galaxy(galaxy) => galaxy.colour(x, y),
                });
            }
        }
        if matches!(&self.sight, Sight::Jupiter(scene) if scene.is_blurred) {
            pixels = blurred(&pixels, size_px as usize, (size_px / 12) as usize);
        }
        let mut rng = stream(self.noise_seed, "camera");
        let noise = if matches!(self.sight, Sight::Galaxy(_)) { 0.03 } else { 0.012 };
        let mut bytes = Vec::with_capacity(pixels.len() * 3);
        for value in pixels.into_iter().flatten() {
            // The sum of four even draws is near enough to normal; its standard deviation is 1/√3.
            let sum: f64 = (0..4).map(|_| rng.random::<f64>()).sum::<f64>() - 2.0;
            bytes.push(((value + noise * sum * 1.732) * 255.0).round().clamp(0.0, 255.0) as u8);
        }
        bytes
    }
}

/// Means over boxes, along rows and then along columns.
fn blurred(pixels: &[[f64; 3]], size: usize, reach: usize) -> Vec<[f64; 3]> {
    let along = |pixels: &[[f64; 3]], step: usize, other: usize| -> Vec<[f64; 3]> {
        let mut out = pixels.to_vec();
        for line in 0..size {
            for i in 0..size {
                let window = i.saturating_sub(reach)..(i + reach + 1).min(size);
                let n = window.len() as f64;
                let sum = window.fold([0.0; 3], |sum, j| {
                    let pixel = pixels[line * other + j * step];
                    std::array::from_fn(|c| sum[c] + pixel[c])
                });
                out[line * other + i * step] = sum.map(|s| s / n);
            }
        }
        out
    };
    along(&along(pixels, 1, size), size, 1)
}

#[cfg(test)]
mod tests;
