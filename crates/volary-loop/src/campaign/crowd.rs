//! Everything about a campaign that does not depend on the desk.

use std::f64::consts::TAU;

use rand::RngExt as _;
use volary_core::seed::stream;

use super::CampaignParams;
use crate::draws::{exponential, normal};
use crate::hash::mixed_share;

/// The answer "bogus".
pub const BOGUS: usize = 0;
/// The answer "real".
pub const REAL: usize = 1;

const MS_PER_HOUR: f64 = 3_600_000.0;

/// How volunteers answer.
///
/// The chance of the right answer is that given here, moved in logits by how good the volunteer and how hard the
/// subject is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Skill {
    /// P("real" | real).
    pub p_real: f64,
    /// P("real" | bogus).
    pub p_bogus: f64,
    /// Standard deviation between volunteers, in logits.
    pub volunteer_sd: f64,
    /// Standard deviation between subjects, in logits; what makes voters agree in error.
    pub subject_sd: f64,
}

impl Default for Skill {
    fn default() -> Self {
        Self { p_real: 0.88, p_bogus: 0.12, volunteer_sd: 0.6, subject_sd: 0.6 }
    }
}

pub(super) struct Subject {
    pub(super) at_ms: i64,
    pub(super) is_real: bool,
    ease: f64,
}

/// A moment at which a volunteer has time for a subject.
pub(super) struct Slot {
    pub(super) at_ms: i64,
    pub(super) volunteer: u32,
    /// When the vote arrives.
    pub(super) done_ms: i64,
}

pub(super) struct Script {
    pub(super) subjects: Vec<Subject>,
    pub(super) slots: Vec<Slot>,
    ability: Vec<f64>,
    skill: Skill,
    pub(super) seed: u64,
}

impl Script {
    pub(super) fn new(params: &CampaignParams) -> Self {
        let start = params.start_ms;
        let at_ms = |hours: f64| start + (hours * MS_PER_HOUR) as i64;
        let skill = params.skill;
        let mut rng = stream(params.seed, "campaign subjects");
        let mut subjects = Vec::new();
        let mut hours = 0.0;
        loop {
            hours += exponential(&mut rng) / params.subjects_per_hour;
            if hours >= params.hours {
                break;
            }
            let is_real = rng.random::<f64>() < params.share_real;
            let ease = skill.subject_sd * normal(&mut rng);
            subjects.push(Subject { at_ms: at_ms(hours), is_real, ease });
        }
        let mut rng = stream(params.seed, "campaign volunteers");
        let mut ability = Vec::with_capacity(params.n_volunteers);
        // Sums of activity, to draw in proportion to it.
        let mut until = Vec::with_capacity(params.n_volunteers);
        let mut total = 0.0;
        for _ in 0..params.n_volunteers {
            ability.push(skill.volunteer_sd * normal(&mut rng));
            total += (params.activity_sd * normal(&mut rng)).exp();
            until.push(total);
        }
        let mut rng = stream(params.seed, "campaign slots");
        let mean = params.by_hour.iter().sum::<f64>() / 24.0;
        let most = params.by_hour.iter().copied().fold(0.0, f64::max);
        let first_hour = start as f64 / MS_PER_HOUR;
        let mut slots = Vec::new();
        let mut hours = 0.0;
        loop {
            // Thinning: moments at the highest rate of the day, of which an hour keeps its share.
            hours += exponential(&mut rng) / (params.votes_per_hour * most / mean);
            if hours >= params.hours + params.hours_after {
                break;
            }
            let hour = (first_hour + hours).rem_euclid(24.0) as usize % 24;
            let is_kept = rng.random::<f64>() < params.by_hour[hour] / most;
            let drawn = rng.random::<f64>() * total;
            let delay_s = params.delay_median_s * (params.delay_sd * normal(&mut rng)).exp();
            if !is_kept {
                continue;
            }
            let volunteer = until.partition_point(|u| *u <= drawn).min(until.len() - 1) as u32;
            let at_ms = at_ms(hours);
            // Nobody keeps a subject for longer than a year.
            let done_ms = at_ms + (delay_s * 1_000.0).min(3.2e10) as i64;
            slots.push(Slot { at_ms, volunteer, done_ms });
        }
        Self { subjects, slots, ability, skill, seed: params.seed }
    }

    /// What a volunteer says to a subject, whoever asks and whenever.
    pub(super) fn answer(&self, volunteer: u32, subject: u32) -> usize {
        let of = &self.subjects[subject as usize];
        let p_right = if of.is_real { self.skill.p_real } else { 1.0 - self.skill.p_bogus };
        let moved = self.ability[volunteer as usize] + of.ease;
        // Certainty stays certain.
        let p_right = match p_right {
            p if p <= 0.0 || p >= 1.0 || moved == 0.0 => p,
            p => 1.0 / (1.0 + (1.0 - p) / p * (-moved).exp()),
        };
        let parts = [self.seed, u64::from(volunteer), u64::from(subject), TAU.to_bits()];
        let is_right = mixed_share(&parts) < p_right;
        if is_right == of.is_real { REAL } else { BOGUS }
    }
}
