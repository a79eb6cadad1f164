//! Volunteers who look at the pictures: each is a little more, or less, ready to tick than the next.

use rand::RngExt as _;
use volary_core::seed::stream;

use super::{ImageParams, SimulatedSubject};

/// One visit: who saw what, and which classes were ticked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Vote {
    pub(crate) subject: u32,
    pub(crate) volunteer: u32,
    pub(crate) ticked: [bool; 3],
}

/// How unlike volunteers are in readiness (standard deviation of the logit).
const SPREAD: f64 = 0.4;

/// All visits, in the order of time; nobody sees a subject twice.
pub(crate) fn votes(params: &ImageParams, subjects: &[SimulatedSubject]) -> Vec<Vote> {
    let n_people = params.n_volunteers.max(params.votes_per_subject);
    let mut rng = stream(params.seed, "image volunteers");
    // The sum of twelve even draws is close to normal, with a standard deviation of 1.
    let readiness: Vec<f64> = (0..n_people)
        .map(|_| SPREAD * ((0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0))
        .collect();
    let mut rng = stream(params.seed, "image votes");
    let mut all = Vec::new();
    let mut people: Vec<u32> = (0..n_people).collect();
    for (subject, about) in (0..).zip(subjects) {
        // As many votes as asked for, give or take a fifth.
        let spread = params.votes_per_subject / 5;
        let n = rng.random_range(params.votes_per_subject - spread..=params.votes_per_subject + spread);
        let n = n.clamp(1, n_people) as usize;
        for place in 0..n {
            let other = rng.random_range(place..people.len());
            people.swap(place, other);
        }
        for &volunteer in &people[..n] {
            let ticked = about.p_tick.map(|p| {
                let logit = (p / (1.0 - p)).ln() + readiness[volunteer as usize];
                rng.random::<f64>() < 1.0 / (1.0 + (-logit).exp())
            });
            all.push(Vote { subject, volunteer, ticked });
        }
    }
    for place in 0..all.len() {
        let other = rng.random_range(place..all.len());
        all.swap(place, other);
    }
    all
}
