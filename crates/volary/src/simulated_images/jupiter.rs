//! A piece of Jupiter: bands, folded filaments, vortices, in what proportion one likes.
//!
//! A likeness and no physics: vortices are ellipses that turn the clouds round them, with a spiral and a
//! dark collar; filaments are folded noise; bands are stripes that noise has bent.

use std::f64::consts::TAU;

use rand::RngExt as _;
use volary_core::seed::Rng;

use super::noise::Noise;

/// An ellipse that turns what is round it. Lengths in half widths of the image, (0, 0) its middle.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Vortex {
    pub(super) x: f64,
    pub(super) y: f64,
    /// Half axes.
    pub(super) a: f64,
    pub(super) b: f64,
    pub(super) angle: f64,
    /// Turns of the clouds at its middle; the sign is the direction.
    pub(super) turns: f64,
    pub(super) colour: [f64; 3],
    /// Of its own colour and collar, 0 to 1; 0 leaves the turned clouds.
    pub(super) strength: f64,
}

/// What is in the piece, each 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Jupiter {
    pub(super) bands: f64,
    pub(super) turbulence: f64,
    pub(super) vortices: Vec<Vortex>,
    pub(super) is_blurred: bool,
    /// Light and dark clouds.
    palette: [[f64; 3]; 2],
    n_bands: f64,
    phase: f64,
    tilt: f64,
    noise: Noise,
}

const PALETTES: [[[f64; 3]; 2]; 4] = [
    [[0.88, 0.82, 0.72], [0.58, 0.42, 0.31]],
    [[0.80, 0.80, 0.78], [0.45, 0.46, 0.50]],
    [[0.92, 0.86, 0.78], [0.66, 0.50, 0.38]],
    [[0.72, 0.76, 0.82], [0.34, 0.38, 0.48]],
];
/// White, red, brown, dark: the colours of the project's second question.
const COLOURS: [[f64; 3]; 4] =
    [[0.97, 0.95, 0.91], [0.80, 0.38, 0.24], [0.48, 0.29, 0.18], [0.18, 0.17, 0.20]];

impl Jupiter {
    /// A piece with bands and turbulence of these strengths and nothing else.
    pub(super) fn draw(rng: &mut Rng, bands: f64, turbulence: f64) -> Self {
        Self {
            bands,
            turbulence,
            vortices: Vec::new(),
            is_blurred: false,
            palette: PALETTES[rng.random_range(0..PALETTES.len())],
            n_bands: rng.random_range(1.6..3.2),
            phase: rng.random_range(0.0..TAU),
            tilt: rng.random_range(-0.25..0.25),
            noise: Noise(rng.random()),
        }
    }

    /// Adds a vortex somewhere; `strength` is how much of it shows.
    pub(super) fn add_vortex(&mut self, rng: &mut Rng, strength: f64) {
        let a = rng.random_range(0.22..0.5);
        let sign = if rng.random() { 1.0 } else { -1.0 };
        self.vortices.push(Vortex {
            x: rng.random_range(-0.45..0.45),
            y: rng.random_range(-0.45..0.45),
            a,
            b: a * rng.random_range(0.5..0.95),
            angle: rng.random_range(-0.4..0.4),
            turns: sign * rng.random_range(0.35..0.7) * strength.sqrt(),
            colour: COLOURS[rng.random_range(0..COLOURS.len())],
            strength,
        });
    }

    /// Red, green, blue at a place, 0 to 1.
    pub(super) fn colour(&self, x0: f64, y0: f64) -> [f64; 3] {
        let (mut x, mut y) = (x0, y0);
        for vortex in &self.vortices {
            (x, y) = vortex.turn(x, y);
        }
        let bend = 0.10 + 0.30 * self.turbulence;
        let wx = self.noise.clouds(1.7 * x + 9.0, 1.7 * y, 4) - 0.5;
        let wy = Noise(self.noise.0 ^ 0xabcd).clouds(1.7 * x, 1.7 * y + 5.0, 4) - 0.5;
        let (bx, by) = (x + 2.0 * bend * wx, y + 2.0 * bend * wy);
        let along = by * self.tilt.cos() + bx * self.tilt.sin();
        let stripe = (TAU * self.n_bands * 0.5 * along + self.phase).sin();
        let stripe = (1.8 * stripe).tanh() / 1.8_f64.tanh();
        // Clouds are drawn out along the bands.
        let mottle = Noise(self.noise.0 ^ 0x77).clouds(2.2 * bx, 5.0 * by, 5) - 0.5;
        let threads = Noise(self.noise.0 ^ 0x99).threads(1.9 * x + 3.5 * wx, 1.9 * y + 3.5 * wy, 4);
        let light = 0.55
            + 0.42 * self.bands * stripe
            + 0.25 * mottle
            + self.turbulence * (1.15 * threads - 0.42);
        let light = light.clamp(0.0, 1.15);
        let mut colour: [f64; 3] = std::array::from_fn(|c| {
            self.palette[1][c] + light * (self.palette[0][c] - self.palette[1][c])
        });
        // Filaments are whiter than the clouds they lie on.
        let white = 0.5 * self.turbulence * (threads - 0.45).max(0.0);
        colour.iter_mut().for_each(|c| *c += white * (1.0 - *c));
        for vortex in &self.vortices {
            vortex.paint(x0, y0, &mut colour);
        }
        let shade = 0.94 + 0.06 * x0 - 0.04 * y0;
        colour.map(|c| (c * shade).clamp(0.0, 1.0))
    }
}

impl Vortex {
    /// Distance from the middle in half axes, and direction.
    fn polar(&self, x: f64, y: f64) -> (f64, f64) {
        let (dx, dy) = (x - self.x, y - self.y);
        let (sin, cos) = self.angle.sin_cos();
        let (u, v) = ((dx * cos + dy * sin) / self.a, (dy * cos - dx * sin) / self.b);
        (u.hypot(v), v.atan2(u))
    }

    /// Where the clouds that are now at a place came from.
    fn turn(&self, x: f64, y: f64) -> (f64, f64) {
        let (distance, _) = self.polar(x, y);
        let angle = TAU * self.turns * (-0.7 * distance * distance).exp();
        let (sin, cos) = angle.sin_cos();
        let (dx, dy) = (x - self.x, y - self.y);
        (self.x + dx * cos - dy * sin, self.y + dx * sin + dy * cos)
    }

    fn paint(&self, x: f64, y: f64, colour: &mut [f64; 3]) {
        let (distance, direction) = self.polar(x, y);
        if distance > 2.0 {
            return;
        }
        let step = ((1.0 - distance) / 0.2 + 0.5).clamp(0.0, 1.0);
        let body = self.strength * 0.9 * step * step * (3.0 - 2.0 * step);
        let spiral = (2.0 * direction - 7.0 * self.turns.signum() * distance).cos();
        let collar = self.strength * 0.4 * (-((distance - 1.15) / 0.16).powi(2)).exp();
        for (c, own) in colour.iter_mut().zip(self.colour) {
            let own = own * (0.86 + 0.14 * spiral * distance.min(1.0));
            *c = (*c + body * (own - *c)) * (1.0 - collar);
        }
    }
}
