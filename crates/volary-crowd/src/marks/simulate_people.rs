//! The simulated volunteers: how well they see, how they mark, how much they do, and what they are shown.

use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use volary_core::seed::{Rng, stream};

use super::simulate::SimulationParams;
use super::simulate_sky::{Sky, mix};
use crate::draws::{beta, gamma, normal};

/// One volunteer, with everything that is true of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// Name as the table has it; those who were not logged in begin with `not-logged-in-`.
    pub name: String,
    /// Chance to mark a signal that is deep beyond doubt.
    pub completeness: f64,
    /// Signal to noise at which that chance is halved.
    pub half_snr: f64,
    /// Mean number of stray marks in a view.
    pub stray_marks: f64,
    /// Chance to mark something that only looks like a signal (a spot's turn, the edge of a gap).
    pub lured: f64,
    /// How wide marks are, a factor; 1 is usual.
    pub wide: f64,
    /// Chance to zoom in before marking, which lets a mark be narrower than 0.47 d.
    pub zooms: f64,
    /// Classifications.
    pub n_views: u32,
    /// Whether simulations are shown to this volunteer.
    pub sees_simulations: bool,
}

impl Person {
    /// Chance to mark a signal of this strength.
    #[must_use]
    pub fn finds(&self, snr: f64) -> f64 {
        if snr <= 0.0 {
            return 0.0;
        }
        self.completeness / (1.0 + (-((snr / self.half_snr).ln()) / STEEPNESS).exp())
    }
}

/// Width of the rise of a volunteer's chance, in ln(signal to noise).
const STEEPNESS: f64 = 0.35;

/// All volunteers.
#[derive(Clone, Debug, PartialEq)]
pub struct People {
    /// One row each, in no order that means anything.
    pub rows: Vec<Person>,
}

impl People {
    pub(super) fn new(params: &SimulationParams) -> Self {
        let rng = &mut stream(params.seed, "light curves: people");
        let mut rows: Vec<Person> = (0..params.n_volunteers).map(|at| person(rng, params, at)).collect();
        share_work(rng, params, &mut rows);
        Self { rows }
    }
}

fn person(rng: &mut Rng, params: &SimulationParams, at: u32) -> Person {
    let kind: f64 = rng.random();
    let skill = params.skill_sigma;
    // Two of three wobbles follow the skill, so that people who see well also stray less.
    let (eye, care) = (normal(rng), normal(rng));
    // Without spread in skill all are alike in what they find, not in how they draw.
    let alike = skill == 0.0;
    let mut person = Person {
        name: name(rng, at),
        completeness: if alike { 0.93 } else { beta(rng, 14.0, 1.05).clamp(0.05, 0.995) },
        half_snr: params.median_snr * (skill * eye).exp(),
        stray_marks: params.stray_marks * (skill * (0.9 * eye + 2.0 * care) - 2.4 * skill * skill).exp(),
        lured: if alike { 0.1 } else { beta(rng, 1.2, 9.0) },
        wide: (0.3 * normal(rng)).exp(),
        zooms: beta(rng, 0.5, 1.5),
        n_views: 1,
        sees_simulations: rng.random::<f64>() < params.shown_simulations,
    };
    // Some mark everything, some nothing.
    if !alike && kind < 0.01 {
        person.stray_marks = 5.0;
        person.lured = 0.9;
    } else if !alike && kind < 0.06 {
        (person.completeness, person.stray_marks, person.lured) = (0.02, 0.005, 0.002);
    }
    person
}

const FIRST: [&str; 16] = [
    "nova", "rigel", "vega", "orion", "luna", "titan", "zeta", "lyra", "io", "altair", "ceres", "mira",
    "deneb", "phobos", "carina", "hydra",
];
const LAST: [&str; 12] = [
    "gazer", "hunter", "_fan", "pulsar", "watch", "seeker", "99", "light", "comet", "star", "finder",
    "eye",
];

/// Names differ, since the last part counts.
fn name(rng: &mut Rng, at: u32) -> String {
    if rng.random::<f64>() < 0.5 {
        return format!("not-logged-in-{:016x}{:016x}", mix(u64::from(at) + 1), u64::from(at));
    }
    let (first, last) = (FIRST[rng.random_range(0..FIRST.len())], LAST[rng.random_range(0..LAST.len())]);
    format!("{first}{last}_{at}")
}

/// Log-normal activity that sums to the number of classifications, at least one each, and nobody more
/// than a third of the subjects (while others have room).
fn share_work(rng: &mut Rng, params: &SimulationParams, people: &mut [Person]) {
    let spare = f64::from(params.n_classifications - params.n_volunteers);
    let most = (f64::from(params.n_subjects) / 3.0)
        .max(f64::from(params.n_classifications) / f64::from(params.n_volunteers));
    let mut wish: Vec<f64> =
        people.iter().map(|_| (params.activity_sigma * normal(rng)).exp()).collect();
    for _ in 0..30 {
        let total: f64 = wish.iter().sum();
        let cap = most / spare.max(1.0) * total;
        wish.iter_mut().for_each(|w| *w = w.min(cap));
    }
    let total: f64 = wish.iter().sum();
    let (mut sum, mut given) = (0.0, 0);
    for (person, wish) in people.iter_mut().zip(wish) {
        sum += wish;
        let until = (sum / total * spare).round() as u32;
        person.n_views += until - given;
        given = until;
    }
    if let Some(last) = people.last_mut() {
        // Rounding of the sum.
        last.n_views += params.n_classifications - params.n_volunteers - given;
    }
}

/// Who sees each subject.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Deck {
    /// Where each subject's viewers begin: one entry more than subjects.
    pub(super) start: Vec<u32>,
    /// Viewers.
    pub(super) viewer: Vec<u32>,
}

/// Deals views to subjects: about equally many each, simulations only to those who are shown them, nobody
/// twice to the same subject where that can be avoided.
pub(super) fn deal(params: &SimulationParams, people: &People, sky: &Sky) -> Deck {
    let rng = &mut stream(params.seed, "light curves: deal");
    let n_subjects = sky.subjects.len();
    let counts = views_per_subject(rng, params.n_classifications, n_subjects, params.n_volunteers);
    let mut start = vec![0_u32];
    for n in &counts {
        start.push(start[start.len() - 1] + n);
    }
    let first_simulation = sky.subjects.partition_point(|s| s.simulation.is_none());
    let n_real = start[first_simulation] as usize;
    let mut shown: Vec<u32> = Vec::new();
    let mut others: Vec<u32> = Vec::new();
    for (at, person) in (0..).zip(&people.rows) {
        let stubs = std::iter::repeat_n(at, person.n_views as usize);
        if person.sees_simulations { shown.extend(stubs) } else { others.extend(stubs) }
    }
    shown.shuffle(rng);
    others.shuffle(rng);
    let wanted = params.n_classifications as usize - n_real;
    // Too few of them: then others see some as well.
    let missing = wanted.saturating_sub(shown.len());
    let mut simulations: Vec<u32> = shown.drain(shown.len() - (wanted - missing)..).collect();
    simulations.extend(others.drain(others.len() - missing..));
    let mut viewer = shown;
    viewer.append(&mut others);
    viewer.shuffle(rng);
    let mut deck = Deck { start, viewer };
    deck.viewer.append(&mut simulations);
    deck.spread(rng, 0..first_simulation);
    deck.spread(rng, first_simulation..n_subjects);
    deck
}

/// Sums to `total`; each within three of the mean, at least one, at most one for each volunteer.
fn views_per_subject(rng: &mut Rng, total: u32, n_subjects: usize, most: u32) -> Vec<u32> {
    let mut counts = Vec::with_capacity(n_subjects);
    let mut before = 0;
    for at in 1..=n_subjects as u64 {
        let until = (u64::from(total) * at / n_subjects as u64) as u32;
        counts.push(until - before);
        before = until;
    }
    counts.shuffle(rng);
    for pair in counts.chunks_exact_mut(2) {
        let shift = rng.random_range(0..=3_u32).min(pair[0] - 1).min(most - pair[1].min(most));
        pair[0] -= shift;
        pair[1] += shift;
    }
    counts
}

impl Deck {
    /// Swaps views of somebody who would see a subject twice with others of the same part of the deck.
    fn spread(&mut self, rng: &mut Rng, subjects: std::ops::Range<usize>) {
        let (from, to) = (self.start[subjects.start], self.start[subjects.end]);
        for subject in subjects {
            for at in self.start[subject]..self.start[subject + 1] {
                for _ in 0..60 {
                    if !self.repeats(subject, at as usize, self.viewer[at as usize]) {
                        break;
                    }
                    let other = rng.random_range(from..to) as usize;
                    let theirs = self.start.partition_point(|s| *s as usize <= other) - 1;
                    let (mine, swapped) = (self.viewer[at as usize], self.viewer[other]);
                    if theirs != subject
                        && !self.repeats(theirs, other, mine)
                        && !self.repeats(subject, at as usize, swapped)
                    {
                        self.viewer.swap(at as usize, other);
                    }
                }
            }
        }
    }

    /// Whether `who` sees the subject in another view than `but`.
    fn repeats(&self, subject: usize, but: usize, who: u32) -> bool {
        let mine = self.start[subject] as usize..self.start[subject + 1] as usize;
        mine.into_iter().any(|at| at != but && self.viewer[at] == who)
    }
}

/// A draw around 1 that is small most of the time and large now and then.
pub(super) fn burst(rng: &mut Rng) -> f64 {
    gamma(rng, 0.4) / 0.4
}
