//! The simulated sky: M dwarfs with noise, spots and gaps, and the transits across them.
//!
//! Transits are central and circular: depth (Rp/R★)², whole duration P/π · asin((R★ + Rp)/a) with a from
//! Kepler's third law, M★/M☉ = R★/R☉ (lower main sequence). Strength is the signal to noise of one transit:
//! depth over the noise at its duration, no √N. Radii and periods of simulations follow the row and column
//! sums of the paper's table 2. Noise is white at 40 ppm · 10^(0.2 (Kp − 12)) per 6.5 hours; spots are two
//! sinusoids with drifting phase. What a detrended light curve would not show is left in: it is what
//! volunteers see.

use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use volary_core::marks::{NumberColumn, SignalTable, Stamps};
use volary_core::seed::{Rng, stream};

use super::simulate::SimulationParams;
use crate::draws::normal;

/// Segments of 30 days that a star has: 17 quarters of three.
pub const SEGMENTS_PER_STAR: u32 = QUARTERS * SEGMENTS;
/// Length of a segment, days.
pub const SEGMENT_DAYS: f64 = 30.0;
/// Spacing of the stamps, days (29.4 minutes).
pub const CADENCE_DAYS: f64 = 0.020_434;
/// Stamps of a quarter.
pub const CADENCES: u32 = 4296;

const QUARTERS: u32 = 17;
const SEGMENTS: u32 = 3;
const FIRST_DAYS: f64 = 131.519_322;
const QUARTER_DAYS: f64 = 88.6;
/// GM of the Sun in m³/s² (IAU 2015), its radius and that of the Earth in m.
const GM_SUN: f64 = 1.327_124_4e20;
const R_SUN_M: f64 = 6.957e8;
const R_EARTH_M: f64 = 6.378_1e6;
const DAY_S: f64 = 86_400.0;
/// First id of a simulation, as in the paper's table of signals above 1 Earth radius.
const FIRST_SIMULATION: u32 = 1413;

/// A star.
#[derive(Clone, Debug, PartialEq)]
pub struct Star {
    /// Its number.
    pub kepler_id: u32,
    /// Radius in solar radii, which is its mass in solar masses too.
    pub radius_sun: f64,
    /// Kepler magnitude.
    pub magnitude: f64,
    /// Noise in 6.5 hours, parts per million.
    pub noise_ppm: f64,
    /// Amplitude of its spots, a share of the flux.
    pub activity: f64,
    /// Rotation period, days.
    pub rotation_days: f64,
    /// Its real planet, where it has one.
    pub planet: Option<Planet>,
}

/// A planet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Planet {
    /// Radius in Earth radii.
    pub radius_earth: f64,
    /// Period, days.
    pub period_days: f64,
    /// Middle of one transit, days.
    pub transit_days: f64,
}

impl Planet {
    /// Depth of its transits, a share of the flux.
    #[must_use]
    pub fn depth(&self, star: &Star) -> f64 {
        (self.radius_earth * R_EARTH_M / (star.radius_sun * R_SUN_M)).powi(2)
    }

    /// Whole duration of its transits, days.
    #[must_use]
    pub fn duration_days(&self, star: &Star) -> f64 {
        let period_s = self.period_days * DAY_S;
        let mass = star.radius_sun;
        let a = (GM_SUN * mass * period_s * period_s / (4.0 * std::f64::consts::PI.powi(2))).cbrt();
        let across = star.radius_sun * R_SUN_M + self.radius_earth * R_EARTH_M;
        self.period_days / std::f64::consts::PI * (across / a).min(1.0).asin()
    }

    /// Signal to noise of one transit.
    #[must_use]
    pub fn snr(&self, star: &Star) -> f64 {
        let hours = self.duration_days(star) * 24.0;
        self.depth(star) / (star.noise_ppm * 1e-6 * (6.5 / hours).sqrt())
    }

    /// Middles of its transits in a span of time.
    fn transits(&self, from: f64, to: f64) -> impl Iterator<Item = f64> {
        let (first, period) = (self.transit_days, self.period_days);
        let start = ((from - first) / period).ceil();
        let n = ((to - first) / period).floor() - start;
        (0..=(n.clamp(-1.0, 1e6) as i64)).map(move |i| first + (start + i as f64) * period)
    }
}

/// A subject: a segment of a light curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// 24 hexadecimal digits.
    pub id: String,
    /// Index into the stars.
    pub star: u32,
    /// Quarter, 1 to 17.
    pub quarter: u32,
    /// Segment, 1 to 3.
    pub segment: u32,
    /// Id of the simulation, where it is one.
    pub simulation: Option<u32>,
    /// The injected planet, where it is one.
    pub injected: Option<Planet>,
    /// Signals: a run of [`Sky::signals`].
    pub signals: (u32, u32),
}

/// A transit in a subject.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SkySignal {
    /// Index into the subjects.
    pub subject: u32,
    /// First moment, days.
    pub x_min_days: f64,
    /// Last moment, days.
    pub x_max_days: f64,
    /// The planet.
    pub planet: Planet,
    /// Signal to noise of this transit.
    pub snr: f64,
    /// The same of what the gaps leave of it.
    pub seen_snr: f64,
}

/// Everything there is to see.
#[derive(Clone, Debug, PartialEq)]
pub struct Sky {
    /// The stars.
    pub stars: Vec<Star>,
    /// The subjects: real ones by star and time, then simulations.
    pub subjects: Vec<Subject>,
    /// The signals, by subject and time.
    pub signals: Vec<SkySignal>,
    seed: u64,
}

impl Sky {
    pub(super) fn new(params: &SimulationParams) -> Self {
        let rng = &mut stream(params.seed, "light curves: stars");
        let mut stars: Vec<Star> = (0..params.n_stars).map(|_| star(rng)).collect();
        // Numbers differ, and rise as the Kepler catalogue's do.
        let mut number = 757_076;
        for star in &mut stars {
            number += 1 + rng.random_range(0..7_000_u32);
            star.kepler_id = number;
            if rng.random::<f64>() < params.planet_share {
                star.planet = Some(real_planet(rng, star));
            }
        }
        let mut sky = Self { stars, subjects: Vec::new(), signals: Vec::new(), seed: params.seed };
        sky.choose_segments(params);
        sky.inject(params);
        sky.find_signals();
        sky
    }

    /// Real subjects: distinct segments, drawn at random.
    fn choose_segments(&mut self, params: &SimulationParams) {
        let rng = &mut stream(params.seed, "light curves: segments");
        let mut all: Vec<u32> = (0..params.n_stars * SEGMENTS_PER_STAR).collect();
        all.shuffle(rng);
        all.truncate((params.n_subjects - params.n_simulations) as usize);
        all.sort_unstable();
        for (at, place) in all.into_iter().enumerate() {
            let (star, rest) = (place / SEGMENTS_PER_STAR, place % SEGMENTS_PER_STAR);
            self.subjects.push(Subject {
                id: subject_id(params.seed, at as u64),
                star,
                quarter: rest / SEGMENTS + 1,
                segment: rest % SEGMENTS + 1,
                simulation: None,
                injected: None,
                signals: (0, 0),
            });
        }
    }

    /// Simulations: segments of stars without a planet, each with a planet of its own.
    fn inject(&mut self, params: &SimulationParams) {
        let rng = &mut stream(params.seed, "light curves: simulations");
        let hosts: Vec<u32> =
            (0..params.n_stars).filter(|&s| self.stars[s as usize].planet.is_none()).collect();
        for i in 0..params.n_simulations {
            // Where every star has a planet, its own stays out of the simulated light curve.
            let n = hosts.len().max(1);
            let star = hosts.get(rng.random_range(0..n)).copied().unwrap_or(0);
            let mut subject = Subject {
                id: subject_id(params.seed, self.subjects.len() as u64),
                star,
                quarter: rng.random_range(1..=QUARTERS),
                segment: rng.random_range(1..=SEGMENTS),
                simulation: Some(FIRST_SIMULATION + i),
                injected: None,
                signals: (0, 0),
            };
            let start = self.start_days(&subject);
            subject.injected = Some(Planet {
                radius_earth: between(rng, &RADII),
                period_days: simulated_period(rng),
                transit_days: start + SEGMENT_DAYS * (0.02 + 0.96 * rng.random::<f64>()),
            });
            self.subjects.push(subject);
        }
    }

    fn find_signals(&mut self) {
        for at in 0..self.subjects.len() {
            let subject = &self.subjects[at];
            let star = &self.stars[subject.star as usize];
            let first = self.signals.len();
            if let Some(planet) =
                if subject.simulation.is_some() { subject.injected } else { star.planet }
            {
                let half = planet.duration_days(star) / 2.0;
                let (from, to) = (self.start_days(subject), self.start_days(subject) + SEGMENT_DAYS);
                let stamps = self.stamps(subject.star, subject.quarter);
                let snr = planet.snr(star);
                let found: Vec<SkySignal> = planet
                    .transits(from + half, to - half)
                    .map(|middle| {
                        let real = stamps.real_fraction(middle - half, middle + half).clamp(0.0, 1.0);
                        SkySignal {
                            subject: u32::try_from(at).unwrap_or(u32::MAX),
                            x_min_days: middle - half,
                            x_max_days: middle + half,
                            planet,
                            snr,
                            seen_snr: snr * real.sqrt(),
                        }
                    })
                    .collect();
                self.signals.extend(found);
            }
            let to = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            self.subjects[at].signals = (to(first), to(self.signals.len()));
        }
    }

    /// Where a subject's segment starts, days.
    #[must_use]
    pub fn start_days(&self, subject: &Subject) -> f64 {
        let length = f64::from(CADENCES - 1) * CADENCE_DAYS;
        let step = (length - SEGMENT_DAYS) / f64::from(SEGMENTS - 1);
        quarter_start(subject.quarter) + f64::from(subject.segment - 1) * step
    }

    /// The signals of a subject.
    #[must_use]
    pub fn signals_of(&self, subject: usize) -> &[SkySignal] {
        let (from, to) = self.subjects[subject].signals;
        &self.signals[from as usize..to as usize]
    }

    /// The stamps of one star's quarter: two monthly downlinks of about a day, common to all stars; single
    /// lost stamps; now and then a longer loss.
    #[must_use]
    pub fn stamps(&self, star: u32, quarter: u32) -> Stamps {
        let mut missing = Vec::new();
        let common = &mut stream(self.seed, &format!("light curves: downlinks {quarter}"));
        for third in 1..SEGMENTS {
            let at = CADENCES / SEGMENTS * third + common.random_range(0..200_u32);
            missing.push((at, at + 20 + common.random_range(0..60_u32)));
        }
        let rng = &mut stream(self.seed, &format!("light curves: gaps {star} {quarter}"));
        for _ in 0..rng.random_range(8..25_u32) {
            let at = rng.random_range(1..CADENCES - 1);
            missing.push((at, at));
        }
        if rng.random::<f64>() < 0.15 {
            let at = rng.random_range(1..CADENCES - 300);
            missing.push((at, at + rng.random_range(20..250_u32)));
        }
        missing.sort_unstable();
        let mut joined: Vec<(u32, u32)> = Vec::with_capacity(missing.len());
        for run in missing {
            match joined.last_mut() {
                Some(last) if run.0 <= last.1 + 1 => last.1 = last.1.max(run.1),
                _ => joined.push(run),
            }
        }
        let first_days = quarter_start(quarter);
        Stamps::Regular { first_days, step_days: CADENCE_DAYS, n: CADENCES, missing: joined }
    }

    /// The light curve of one star's quarter with its real planet, or of a simulation's segment with the
    /// injected one: (time in days, flux), NaN where there is none.
    #[must_use]
    pub fn flux(&self, subject: &Subject) -> (Vec<f64>, Vec<f64>) {
        let star = &self.stars[subject.star as usize];
        let name = match subject.simulation {
            Some(id) => format!("light curves: flux of simulation {id}"),
            None => format!("light curves: flux {} {}", subject.star, subject.quarter),
        };
        let rng = &mut stream(self.seed, &name);
        let planet = if subject.simulation.is_some() { subject.injected } else { star.planet };
        let Stamps::Regular { first_days, step_days, n, missing } =
            self.stamps(subject.star, subject.quarter)
        else {
            return (Vec::new(), Vec::new());
        };
        let sigma = star.noise_ppm * 1e-6 * (6.5 / 24.0 / CADENCE_DAYS).sqrt();
        let phases = [rng.random::<f64>(), rng.random::<f64>()];
        let level = 1e5 * 10_f64.powf(-0.4 * (star.magnitude - 12.0));
        let (mut times, mut fluxes) = (Vec::new(), Vec::new());
        let from = self.start_days(subject);
        let whole = subject.simulation.is_none();
        for i in 0..n {
            let time = first_days + f64::from(i) * step_days;
            let noise = sigma * normal(rng);
            if !whole && !(from..=from + SEGMENT_DAYS).contains(&time) {
                continue;
            }
            let lost = missing.iter().any(|gap| gap.0 <= i && i <= gap.1);
            let dimmed = planet.map_or(0.0, |p| dip(&p, star, time));
            let flux = level * (1.0 + spots(star, phases, time) + noise) * (1.0 - dimmed);
            times.push(if lost { f64::NAN } else { time });
            fluxes.push(if lost { f64::NAN } else { flux });
        }
        (times, fluxes)
    }

    pub(super) fn signal_table(&self, simulated: bool) -> SignalTable {
        let mut table = SignalTable::default();
        let names = ["prad", "period", "srad", "snr", "depth", "duration"];
        let mut columns: Vec<NumberColumn> =
            names.iter().map(|n| NumberColumn { name: (*n).to_owned(), values: Vec::new() }).collect();
        for (at, subject) in self.subjects.iter().enumerate() {
            if subject.simulation.is_some() != simulated {
                continue;
            }
            let star = &self.stars[subject.star as usize];
            let simulation = subject.simulation.map(|s| s.to_string()).unwrap_or_default();
            for (n, signal) in self.signals_of(at).iter().enumerate() {
                let whose = if simulated { &simulation } else { &subject.id };
                table.id.push(format!("{whose}_{n}"));
                table.simulation.push(simulation.clone());
                table.subject.push(subject.id.clone());
                table.x_min_days.push(signal.x_min_days);
                table.x_max_days.push(signal.x_max_days);
                let p = &signal.planet;
                let values = [
                    p.radius_earth,
                    p.period_days,
                    star.radius_sun,
                    signal.snr,
                    p.depth(star),
                    p.duration_days(star),
                ];
                for (column, value) in columns.iter_mut().zip(values) {
                    column.values.push(value);
                }
            }
        }
        table.columns = columns;
        table
    }
}

fn quarter_start(quarter: u32) -> f64 {
    FIRST_DAYS + f64::from(quarter - 1) * QUARTER_DAYS
}

/// Radius bins in Earth radii, by the row sums of the paper's table 2.
const RADII: [(f64, f64, f64); 8] = [
    (1.0, 2.0, 5074.0),
    (2.0, 3.0, 6361.0),
    (3.0, 4.0, 1357.0),
    (4.0, 5.0, 1486.0),
    (5.0, 6.0, 1994.0),
    (6.0, 7.0, 375.0),
    (7.0, 10.0, 996.0),
    (10.0, 12.0, 846.0),
];
/// Period bins in days, by its column sums.
const PERIODS: [(f64, f64, f64); 5] = [
    (1.5, 200.0, 9448.0),
    (200.0, 400.0, 3390.0),
    (400.0, 600.0, 2022.0),
    (600.0, 800.0, 1924.0),
    (800.0, 999.0, 1705.0),
];

/// A uniform draw from a bin drawn by its weight.
fn between(rng: &mut Rng, bins: &[(f64, f64, f64)]) -> f64 {
    let (low, high) = pick(rng, bins);
    low + (high - low) * rng.random::<f64>()
}

fn pick(rng: &mut Rng, bins: &[(f64, f64, f64)]) -> (f64, f64) {
    let total: f64 = bins.iter().map(|b| b.2).sum();
    let at = crate::draws::index(rng, bins.iter().map(|b| b.2 / total));
    (bins[at].0, bins[at].1)
}

/// Short periods are a little more usual than long ones within the first bin, so that a simulation shows
/// 1.2 transits on average.
fn simulated_period(rng: &mut Rng) -> f64 {
    let (low, high) = pick(rng, &PERIODS);
    let u: f64 = rng.random();
    low + (high - low) * if low < 100.0 { u.powf(1.1) } else { u }
}

fn star(rng: &mut Rng) -> Star {
    let magnitude = 16.0 - 4.7 * rng.random::<f64>().powf(2.5);
    Star {
        kepler_id: 0,
        radius_sun: 0.19 + 0.42 * rng.random::<f64>().sqrt(),
        magnitude,
        noise_ppm: 40.0 * 10_f64.powf(0.2 * (magnitude - 12.0)) * (0.15 * normal(rng)).exp(),
        activity: (0.003 * (1.0 * normal(rng)).exp()).clamp(0.0003, 0.02),
        rotation_days: (18.0 * (0.7 * normal(rng)).exp()).clamp(0.4, 80.0),
        planet: None,
    }
}

/// Real planets are found, so that they are larger and closer than simulated ones.
fn real_planet(rng: &mut Rng, star: &Star) -> Planet {
    let radius_earth =
        1.0 + 2.5 * rng.random::<f64>().powi(2) + if rng.random::<f64>() < 0.1 { 6.0 } else { 0.0 };
    let period_days = 3.0 * 40_f64.powf(rng.random::<f64>());
    let transit_days = FIRST_DAYS + period_days * rng.random::<f64>();
    let planet = Planet { radius_earth, period_days, transit_days };
    // Confirmed with many transits, none of them need be strong; but not hopeless.
    let snr = planet.snr(star);
    if snr >= 2.0 {
        planet
    } else {
        Planet { radius_earth: radius_earth * (2.0 / snr).sqrt(), ..planet }
    }
}

/// How much of the light a planet takes: a trapezium.
fn dip(planet: &Planet, star: &Star, time: f64) -> f64 {
    let phase = (time - planet.transit_days) / planet.period_days;
    let off = ((phase - phase.round()) * planet.period_days).abs();
    let half = planet.duration_days(star) / 2.0;
    if off >= half {
        return 0.0;
    }
    let ratio = planet.radius_earth * R_EARTH_M / (star.radius_sun * R_SUN_M);
    let flat = half * (1.0 - ratio) / (1.0 + ratio);
    planet.depth(star) * ((half - off) / (half - flat)).min(1.0)
}

fn spots(star: &Star, phases: [f64; 2], time: f64) -> f64 {
    let turn = std::f64::consts::TAU * time / star.rotation_days;
    let slow =
        1.0 + 0.4 * (std::f64::consts::TAU * (time / (9.0 * star.rotation_days) + phases[0])).sin();
    let first = (turn + std::f64::consts::TAU * phases[0]).sin();
    let second = 0.4 * (2.0 * turn + std::f64::consts::TAU * phases[1]).sin();
    star.activity * slow * (first + second)
}

/// 24 hexadecimal digits that look drawn and never repeat (the last eight count).
fn subject_id(seed: u64, at: u64) -> String {
    let mixed = mix(mix(seed ^ 0x5ab1_ec70) ^ at);
    // An odd factor permutes 32 bits, so that equal ids cannot be.
    let count = (at as u32).wrapping_mul(0x9e37_79b1);
    format!("{mixed:016x}{count:08x}")
}

/// The finaliser of SplitMix64.
pub(super) fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
