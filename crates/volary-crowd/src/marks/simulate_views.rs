//! What the simulated volunteers mark.
//!
//! A signal is marked with the chance of the volunteer at its strength; the mark's middle wobbles, its width
//! is the signal's or the narrowest that the page let people draw: 15 of 964 pixels, 0.467 d without zoom,
//! and never wider than 200, 6.22 d. Then there are lures (turns of spots, edges of gaps), which several
//! volunteers mark at the same place, and stray marks, which they do not. Marks of one view never overlap:
//! the page forbade it.

use rand::RngExt as _;
use rayon::prelude::*;
use volary_core::marks::Stamps;
use volary_core::seed::{Rng, stream};

use super::simulate::SimulationParams;
use super::simulate_people::{Deck, People, Person, burst};
use super::simulate_sky::{SEGMENT_DAYS, Sky, SkySignal};
use crate::draws::normal;

/// Narrowest mark without zoom, days.
pub const NARROWEST_DAYS: f64 = 15.0 / 964.0 * SEGMENT_DAYS;
/// Widest mark, days.
pub const WIDEST_DAYS: f64 = 200.0 / 964.0 * SEGMENT_DAYS;
/// "No signal" in [`Views::signal`].
pub const NO_SIGNAL: u32 = u32::MAX;

/// 2014-10-20T00:00:00Z, in milliseconds: about when the M dwarfs were shown.
const START_MS: i64 = 1_413_763_200_000;
/// Three years of classifying.
const SPAN_MS: f64 = 3.0 * 365.25 * 86_400_000.0;
/// Subjects that one piece of work covers; fixed, so that threads change nothing.
const CHUNK: usize = 256;

/// Views in the order of time, with their marks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Views {
    /// Per view: subject.
    pub subject: Vec<u32>,
    /// Per view: volunteer.
    pub volunteer: Vec<u32>,
    /// Per view: milliseconds since 1970.
    pub created_ms: Vec<i64>,
    /// Where each view's marks begin: one entry more than views.
    pub mark_start: Vec<u32>,
    /// Per mark: left end, days.
    pub x_min_days: Vec<f64>,
    /// Per mark: right end, days.
    pub x_max_days: Vec<f64>,
    /// Per mark: the signal that it was drawn for (index into the sky's), or [`NO_SIGNAL`].
    pub signal: Vec<u32>,
}

impl Views {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.subject.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.subject.is_empty()
    }

    /// The marks of a view.
    #[must_use]
    pub fn marks_of(&self, view: usize) -> std::ops::Range<usize> {
        self.mark_start[view] as usize..self.mark_start[view + 1] as usize
    }

    /// Rows of the table: one per mark, one for a view without.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        (0..self.len()).map(|view| self.marks_of(view).len().max(1)).sum()
    }
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    x_min: f64,
    x_max: f64,
    signal: u32,
}

struct View {
    subject: u32,
    volunteer: u32,
    created_ms: i64,
    marks: Vec<Mark>,
}

pub(super) fn mark(params: &SimulationParams, sky: &Sky, people: &People, deck: &Deck) -> Views {
    let n_chunks = sky.subjects.len().div_ceil(CHUNK);
    let chunks: Vec<Vec<View>> = (0..n_chunks)
        .into_par_iter()
        .map(|chunk| {
            let rng = &mut stream(params.seed, &format!("light curves: views {chunk}"));
            let subjects = chunk * CHUNK..((chunk + 1) * CHUNK).min(sky.subjects.len());
            subjects.flat_map(|subject| mark_subject(rng, sky, people, deck, subject)).collect()
        })
        .collect();
    let mut views: Vec<View> = chunks.into_iter().flatten().collect();
    views.par_sort_by_key(|v| (v.created_ms, v.subject, v.volunteer));
    if let Some(n_rows) = params.n_rows {
        settle_rows(params, sky, &mut views, i64::from(n_rows));
    }
    flatten(&views)
}

/// What invites marks in a light curve without being a signal.
struct Lure {
    middle: f64,
    width: f64,
    /// Times the volunteer's own chance.
    pull: f64,
}

fn mark_subject(rng: &mut Rng, sky: &Sky, people: &People, deck: &Deck, subject: usize) -> Vec<View> {
    let lures = lures(rng, sky, subject);
    let viewers = deck.start[subject] as usize..deck.start[subject + 1] as usize;
    let begun = rng.random::<f64>() * 0.9;
    let index = u32::try_from(subject).unwrap_or(u32::MAX);
    let view = |at: usize| {
        let volunteer = deck.viewer[at];
        // A subject is shown until it has its ten viewers, over some weeks.
        let when = begun + 0.1 * rng.random::<f64>().powi(2);
        let created_ms = START_MS + (when * SPAN_MS) as i64 / 1000 * 1000;
        let marks = mark_view(rng, sky, subject, &people.rows[volunteer as usize], &lures);
        View { subject: index, volunteer, created_ms, marks }
    };
    viewers.map(view).collect()
}

fn lures(rng: &mut Rng, sky: &Sky, subject: usize) -> Vec<Lure> {
    let about = &sky.subjects[subject];
    let star = &sky.stars[about.star as usize];
    let (from, to) = (sky.start_days(about), sky.start_days(about) + SEGMENT_DAYS);
    let mut lures = Vec::new();
    // Spots that turn fast and strongly look like dips; one of their minima now and then draws the eye.
    let strength = star.activity / (star.noise_ppm * 1e-6 * 3.6);
    let n = ((SEGMENT_DAYS / star.rotation_days) * (strength / 20.0).min(1.0)).min(8.0);
    let n = n.floor() as u32 + u32::from(rng.random::<f64>() < n.fract());
    for _ in 0..n {
        let width = (0.3 * star.rotation_days * (0.3 * normal(rng)).exp()).clamp(NARROWEST_DAYS, 4.0);
        lures.push(Lure {
            middle: from + SEGMENT_DAYS * rng.random::<f64>(),
            width,
            pull: 2.0 * rng.random::<f64>(),
        });
    }
    if let Stamps::Regular { first_days, step_days, missing, .. } = sky.stamps(about.star, about.quarter)
    {
        for (first, last) in missing.into_iter().filter(|(a, b)| b - a > 10) {
            let at = |i: u32| first_days + f64::from(i) * step_days;
            for edge in [at(first), at(last)].into_iter().filter(|t| (from..=to).contains(t)) {
                lures.push(Lure { middle: edge, width: 0.7, pull: 0.6 * rng.random::<f64>() });
            }
        }
    }
    lures
}

fn mark_view(rng: &mut Rng, sky: &Sky, subject: usize, person: &Person, lures: &[Lure]) -> Vec<Mark> {
    let from = sky.start_days(&sky.subjects[subject]);
    let mut marks: Vec<Mark> = Vec::new();
    let first = sky.subjects[subject].signals.0;
    let zoom = if rng.random::<f64>() < person.zooms { 2.0 + 6.0 * rng.random::<f64>() } else { 1.0 };
    for (signal, about) in (first..).zip(sky.signals_of(subject)) {
        if rng.random::<f64>() < person.finds(about.seen_snr) {
            let (middle, width) = drawn(rng, about, person, zoom);
            place(&mut marks, from, middle, width, signal);
        }
    }
    for lure in lures {
        if rng.random::<f64>() < (person.lured * lure.pull).min(0.97) {
            let middle = lure.middle + 0.15 * lure.width * normal(rng);
            let width = lure.width * person.wide * (0.25 * normal(rng)).exp();
            place(&mut marks, from, middle, width.max(NARROWEST_DAYS / zoom), NO_SIGNAL);
        }
    }
    let mean = person.stray_marks * burst(rng);
    for _ in 0..poisson(rng, mean) {
        let (middle, width) = stray(rng, from, person, zoom);
        place(&mut marks, from, middle, width, NO_SIGNAL);
    }
    marks
}

/// Middle and width of a mark that is meant for a signal.
fn drawn(rng: &mut Rng, signal: &SkySignal, person: &Person, zoom: f64) -> (f64, f64) {
    let duration = signal.x_max_days - signal.x_min_days;
    let middle = (signal.x_min_days + signal.x_max_days) / 2.0 + 0.09 / zoom.sqrt() * normal(rng);
    let width = duration * 1.5 * person.wide * (0.3 * normal(rng)).exp();
    (middle, width.max(NARROWEST_DAYS / zoom * (1.0 + 0.3 * rng.random::<f64>())))
}

/// Middle and width of a mark that is meant for nothing.
fn stray(rng: &mut Rng, from: f64, person: &Person, zoom: f64) -> (f64, f64) {
    let middle = from + SEGMENT_DAYS * rng.random::<f64>();
    // One in thirty is as wide as the page allowed.
    let width = if rng.random::<f64>() < 0.033 {
        WIDEST_DAYS
    } else {
        0.7 * person.wide * (0.7 * normal(rng)).exp()
    };
    (middle, width.max(NARROWEST_DAYS / zoom))
}

/// Adds a mark where it fits: within the segment, touching no other of the view.
fn place(marks: &mut Vec<Mark>, from: f64, middle: f64, width: f64, signal: u32) {
    let width = width.min(WIDEST_DAYS);
    let (x_min, x_max) =
        ((middle - width / 2.0).max(from), (middle + width / 2.0).min(from + SEGMENT_DAYS));
    if x_max - x_min > 1e-3 && marks.iter().all(|m| x_max < m.x_min || m.x_max < x_min) {
        // The page wrote eight decimals.
        let round = |x: f64| (x * 1e8).round() / 1e8;
        marks.push(Mark { x_min: round(x_min), x_max: round(x_max), signal });
    }
}

/// Knuth's method: means are small here.
fn poisson(rng: &mut Rng, mean: f64) -> u32 {
    let limit = (-mean.min(30.0)).exp();
    let (mut n, mut product) = (0, rng.random::<f64>());
    while product > limit {
        n += 1;
        product *= rng.random::<f64>();
    }
    n
}

/// Leaves out or adds stray marks until the table has `wanted` rows, or nothing more can be done. Only views
/// with marks change, so that as many stay empty as before.
fn settle_rows(params: &SimulationParams, sky: &Sky, views: &mut [View], wanted: i64) {
    let rng = &mut stream(params.seed, "light curves: rows");
    let rows: i64 = views.iter().map(|v| v.marks.len().max(1) as i64).sum();
    let mut missing = wanted - rows;
    let n = views.len();
    let mut idle = 0;
    while missing != 0 && n > 0 && idle < 40 * n {
        let view = &mut views[rng.random_range(0..n)];
        idle += 1;
        if missing > 0 && !view.marks.is_empty() {
            let from = sky.start_days(&sky.subjects[view.subject as usize]);
            let before = view.marks.len();
            place(
                &mut view.marks,
                from,
                from + SEGMENT_DAYS * rng.random::<f64>(),
                NARROWEST_DAYS,
                NO_SIGNAL,
            );
            missing -= (view.marks.len() - before) as i64;
        } else if missing < 0
            && view.marks.len() > 1
            && let Some(at) = view.marks.iter().rposition(|m| m.signal == NO_SIGNAL)
        {
            view.marks.remove(at);
            missing += 1;
        }
    }
}

fn flatten(views: &[View]) -> Views {
    let mut out = Views { mark_start: vec![0], ..Views::default() };
    for view in views {
        out.subject.push(view.subject);
        out.volunteer.push(view.volunteer);
        out.created_ms.push(view.created_ms);
        for mark in &view.marks {
            out.x_min_days.push(mark.x_min);
            out.x_max_days.push(mark.x_max);
            out.signal.push(mark.signal);
        }
        out.mark_start.push(u32::try_from(out.x_min_days.len()).unwrap_or(u32::MAX));
    }
    out
}
