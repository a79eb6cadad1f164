//! Galaxies on a dark sky, most of them ordinary: smooth ones, discs with arms, discs from the side; and the
//! odd ones, which a search for anomalies should find: mergers with tails, rings, blue cores, trails of satellites.
//!
//! Profiles are Sérsic's (1963); arms are logarithmic spirals. Brightness is linear until the end, where red,
//! green and blue get one asinh (Lupton et al. 2004).

use std::f64::consts::{PI, TAU};

use rand::RngExt as _;
use volary_core::seed::Rng;

use super::noise::Noise;

/// What is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Smooth,
    Arms,
    EdgeOn,
    Merger,
    Ring,
    BlueCore,
    Trail,
}

impl Shape {
    pub(super) const ORDINARY: [Self; 3] = [Self::Smooth, Self::Arms, Self::EdgeOn];
    pub(super) const ODD: [Self; 4] = [Self::Merger, Self::Ring, Self::BlueCore, Self::Trail];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Smooth => "smooth",
            Self::Arms => "arms",
            Self::EdgeOn => "edge_on",
            Self::Merger => "merger",
            Self::Ring => "ring",
            Self::BlueCore => "blue_core",
            Self::Trail => "trail",
        }
    }
}

/// A galaxy and what lies round it. Lengths in half widths of the image.
#[derive(Clone, Debug)]
pub(super) struct Galaxy {
    pub(super) shape: Shape,
    radius: f64,
    flatness: f64,
    angle: f64,
    phase: f64,
    winding: f64,
    /// Where the other galaxy of a merger is.
    pub(super) companion: (f64, f64),
    /// Of its light; 1 is usual.
    pub(super) brightness: f64,
    red: f64,
    stars: Vec<(f64, f64, f64)>,
    noise: Noise,
}

impl Galaxy {
    pub(super) fn draw(rng: &mut Rng, shape: Shape) -> Self {
        let flatness = match shape {
            Shape::EdgeOn => rng.random_range(0.12..0.25),
            Shape::Arms | Shape::Ring => rng.random_range(0.55..1.0),
            _ => rng.random_range(0.6..1.0),
        };
        let away: f64 = rng.random_range(0.0..TAU);
        let distance = rng.random_range(0.3..0.5);
        let n_stars = rng.random_range(0..4);
        let place = |rng: &mut Rng| rng.random_range(-1.0..1.0);
        Self {
            shape,
            radius: rng.random_range(0.22..0.4),
            flatness,
            angle: rng.random_range(0.0..PI),
            phase: rng.random_range(0.0..TAU),
            winding: rng.random_range(2.2..3.6),
            companion: (distance * away.cos(), distance * away.sin()),
            brightness: 1.0,
            red: rng.random_range(0.0..1.0),
            stars: (0..n_stars).map(|_| (place(rng), place(rng), rng.random_range(0.3..4.0))).collect(),
            noise: Noise(rng.random()),
        }
    }

    /// Red, green, blue at a place, 0 to 1.
    pub(super) fn colour(&self, x: f64, y: f64) -> [f64; 3] {
        let mut light = [0.0; 3];
        let mut add =
            |brightness: f64, colour: [f64; 3]| shine(&mut light, self.brightness * brightness, colour);
        let (yellow, blue) = ([1.15, 1.0, 0.72 - 0.15 * self.red], [0.72, 0.95, 1.2]);
        let (distance, direction) = self.polar(x, y);
        match self.shape {
            Shape::Smooth => add(bulge(distance, 1.0), yellow),
            Shape::BlueCore => {
                add(bulge(distance, 0.8), yellow);
                add(9.0 * (-(distance / 0.22).powi(2)).exp(), [0.15, 0.6, 1.7]);
            }
            Shape::EdgeOn => {
                add(disc(distance, 1.4), [0.95, 1.0, 0.95]);
                add(bulge(x.hypot(y) / (0.35 * self.radius), 0.6), yellow);
            }
            Shape::Arms => {
                add(bulge(distance / 0.45, 0.7), yellow);
                let spiral =
                    (2.0 * direction - self.winding * 2.0 * distance.max(0.05).ln() + self.phase).cos();
                let lumps = 0.6 + 0.8 * self.noise.clouds(9.0 * x, 9.0 * y, 3);
                add(disc(distance, 1.0) * (0.35 + 1.3 * (0.5 + 0.5 * spiral).powi(2) * lumps), blue);
            }
            Shape::Ring => {
                add(bulge(distance / 0.4, 0.7), yellow);
                let lumps = 0.5 + self.noise.clouds(7.0 * x, 7.0 * y, 3);
                add(2.2 * (-((distance - 1.25) / 0.17).powi(2)).exp() * lumps, blue);
            }
            Shape::Merger => {
                add(bulge(distance, 0.9), yellow);
                let (dx, dy) = (x - self.companion.0, y - self.companion.1);
                add(bulge(dx.hypot(dy) / (0.8 * self.radius), 0.8), blue);
                add(self.tail(x, y), [0.85, 0.95, 1.1]);
            }
            Shape::Trail => {
                add(bulge(distance, 0.8), yellow);
                let (sin, cos) = self.phase.sin_cos();
                let off = x * cos + y * sin - 0.5 * (self.red - 0.5);
                add(7.0 * (-(off / 0.022).powi(2)).exp(), [1.0, 1.0, 1.0]);
            }
        }
        for (sx, sy, brightness) in &self.stars {
            let r = (x - sx).hypot(y - sy);
            shine(&mut light, brightness * (-(r / 0.03).powi(2)).exp(), [1.0, 1.0, 0.95]);
        }
        stretched(light)
    }

    fn polar(&self, x: f64, y: f64) -> (f64, f64) {
        let (sin, cos) = self.angle.sin_cos();
        let (u, v) = (x * cos + y * sin, (y * cos - x * sin) / self.flatness);
        (u.hypot(v) / self.radius, v.atan2(u))
    }

    /// A bent tail from the middle past the companion.
    fn tail(&self, x: f64, y: f64) -> f64 {
        let (cx, cy) = self.companion;
        let length = cx.hypot(cy);
        let along = (x * cx + y * cy) / (length * length);
        let across = (x * -cy + y * cx) / length - 0.22 * (along * along - along);
        let width = 0.05 + 0.04 * along.abs();
        0.7 * (-(across / width).powi(2)).exp()
            * f64::from((-1.6..2.4).contains(&along))
            * (-along.abs() / 1.5).exp()
    }
}

/// Adds light of a colour.
fn shine(light: &mut [f64; 3], brightness: f64, colour: [f64; 3]) {
    light.iter_mut().zip(colour).for_each(|(l, c)| *l += brightness * c);
}

/// de Vaucouleurs' law, softened in the middle.
fn bulge(distance: f64, brightness: f64) -> f64 {
    brightness * (-7.67 * ((distance + 0.02).powf(0.25) - 1.0)).exp().min(60.0)
}

/// An exponential disc.
fn disc(distance: f64, brightness: f64) -> f64 {
    brightness * 2.5 * (-1.68 * distance).exp()
}

fn stretched(light: [f64; 3]) -> [f64; 3] {
    const SOFTENING: f64 = 6.0;
    let mean = light.iter().sum::<f64>() / 3.0 + 1e-9;
    let factor = (SOFTENING * mean / 4.0).asinh() / (SOFTENING * mean) * 1.15;
    let rgb = light.map(|l| l * factor * 1.6);
    let largest = rgb.iter().copied().fold(1.0, f64::max);
    rgb.map(|v| v / largest)
}
