//! Who voted on which feature: the input of equation 6.
//!
//! Everybody who saw a subject votes on each of its features, once, however often they saw it; yes by
//! having marked it. What "marked it" means is [`Voting`].

use rayon::prelude::*;
use volary_core::marks::{Marks, NONE};

use super::params::{MarkParams, Voting};
use super::types::{Ballots, Features, midpoint};

/// The released code's tolerance, relative to the midpoint (hundreds of days).
const RELEASED_TOLERANCE: f64 = 0.6;

/// Collects the votes on all features.
#[must_use]
pub fn ballots(marks: &Marks, features: &Features, params: &MarkParams) -> Ballots {
    let view_of = marks.view_of_marks();
    let of_subjects: Vec<(Vec<u32>, Vec<Vec<u32>>)> = (0..marks.n_subjects())
        .into_par_iter()
        .with_min_len(256)
        .map(|subject| {
            let yes =
                features.of(subject).map(|f| yes_of(marks, features, subject, f, &view_of, params));
            (voters_of(marks, subject), yes.collect())
        })
        .collect();
    let mut out = Ballots { voter_start: vec![0], yes_start: vec![0], ..Ballots::default() };
    let index = |n: usize| u32::try_from(n).unwrap_or(NONE);
    for (voters, yes) in &of_subjects {
        out.voters.extend_from_slice(voters);
        out.voter_start.push(index(out.voters.len()));
        for yes in yes {
            out.yes.extend_from_slice(yes);
            out.yes_start.push(index(out.yes.len()));
        }
    }
    out
}

/// The volunteers who saw a subject, each once.
pub(crate) fn voters_of(marks: &Marks, subject: usize) -> Vec<u32> {
    let views = marks.views_of(subject);
    // Views of a subject are sorted by volunteer.
    let mut voters = marks.view_volunteer[views].to_vec();
    voters.dedup();
    voters
}

fn yes_of(
    marks: &Marks,
    features: &Features,
    subject: usize,
    feature: usize,
    view_of: &[u32],
    params: &MarkParams,
) -> Vec<u32> {
    let of_mark = |&m: &u32| marks.view_volunteer[view_of[m as usize] as usize];
    let mut yes: Vec<u32> = match params.voting {
        // The released rule does not ask for membership.
        Voting::Released => Vec::new(),
        _ => features.members_of(feature).iter().map(of_mark).collect(),
    };
    if params.voting != Voting::Members {
        let of_feature = Bounds::new(features.x_min_days[feature], features.x_max_days[feature]);
        for view in marks.views_of(subject) {
            let says = |m: usize| {
                let mark = Bounds::new(marks.x_min_days[m], marks.x_max_days[m]);
                agree(&of_feature, &mark, params)
            };
            if marks.marks_of(view).any(says) {
                yes.push(marks.view_volunteer[view]);
            }
        }
    }
    yes.sort_unstable();
    yes.dedup();
    yes
}

pub(crate) struct Bounds {
    x_min: f64,
    x_max: f64,
    mid: f64,
}

impl Bounds {
    pub(crate) fn new(x_min: f64, x_max: f64) -> Self {
        Self { x_min, x_max, mid: midpoint(x_min, x_max) }
    }
}

pub(crate) fn agree(feature: &Bounds, mark: &Bounds, params: &MarkParams) -> bool {
    let apart = (feature.mid - mark.mid).abs();
    let overlap = feature.x_max.min(mark.x_max) - feature.x_min.max(mark.x_min);
    match params.voting {
        Voting::Members => false,
        Voting::Paper => {
            apart <= params.vote_tolerance_days
                && overlap > 0.0
                && (!params.cutoff_in_matching || mark.x_max - mark.x_min < params.cutoff_days)
        }
        Voting::Released => {
            // overlap / shorter duration ≥ 0, true for every mark that has a length.
            let shorter = (feature.x_max - feature.x_min).min(mark.x_max - mark.x_min);
            apart <= 1e-8 + RELEASED_TOLERANCE * mark.mid.abs() && overlap.max(0.0) / shorter >= 0.0
        }
    }
}
