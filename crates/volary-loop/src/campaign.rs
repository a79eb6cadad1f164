//! A simulated campaign: subjects arrive, volunteers vote when they have time, rules fire.
//!
//! What decides on the votes is a [`Desk`]: the real engine, a rule, anything. [`compare`] runs two of them on
//! one and the same crowd (common random numbers): the same subjects arrive, the same volunteers come at the
//! same moments and take as long, and a volunteer gives the same answer to a subject whichever
//! desk it is asked for. So differences are those of the rules, and their intervals are much narrower than those of
//! either figure.
//!
//! Intervals treat subjects as independent. They share volunteers, though: with few volunteers, or
//! skills that differ much, run several seeds and look at the spread.
//!
//! Subjects are served by [`crate::pool::Pool`], fewest votes first, where a vote counts from the moment
//! the subject is handed out. No model takes part.

mod crowd;
pub mod desk;
pub mod report;
mod run;

pub use crowd::{BOGUS, REAL, Skill};
pub use desk::{Decision, Desk, Threshold};
pub use report::{Comparison, Estimate, Figures};
pub use run::{Fate, Run};

/// Why there is no campaign.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CampaignError {
    /// A setting that is none.
    #[error("{name} is {value}; {wanted}")]
    Setting {
        /// Which.
        name: &'static str,
        /// What it is.
        value: f64,
        /// What it should be.
        wanted: &'static str,
    },
    /// More than fits.
    #[error(
        "about {0:.0} subjects and votes would be simulated, more than 50 million; shorten the campaign"
    )]
    TooLarge(f64),
}

/// The campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct CampaignParams {
    /// How long subjects arrive.
    pub hours: f64,
    /// How long volunteers go on after the last one.
    pub hours_after: f64,
    /// Subjects that arrive per hour, at random moments.
    pub subjects_per_hour: f64,
    /// Share of them that is real.
    pub share_real: f64,
    /// Volunteers.
    pub n_volunteers: usize,
    /// Votes they have time for per hour, on average over the day.
    pub votes_per_hour: f64,
    /// How active volunteers are by the hour of the day (UTC), relative to each other.
    pub by_hour: [f64; 24],
    /// Spread of ln(activity) between volunteers: 0 is none, 1.5 is usual (the busiest tenth does most).
    pub activity_sd: f64,
    /// How they answer.
    pub skill: Skill,
    /// Median time from seeing a subject to the vote's arrival.
    pub delay_median_s: f64,
    /// Spread of its logarithm: 1 is usual.
    pub delay_sd: f64,
    /// When it begins.
    pub start_ms: i64,
    /// Level of the intervals.
    pub level: f64,
    /// Seed.
    pub seed: u64,
}

impl Default for CampaignParams {
    fn default() -> Self {
        // Evening in Europe and America.
        let by_hour = [
            1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.5, 0.6, 0.8, 0.9, 1.0, 1.0, 1.1, 1.1, 1.1, 1.2, 1.3, 1.4,
            1.5, 1.6, 1.6, 1.5, 1.3, 1.1,
        ];
        Self {
            hours: 72.0,
            hours_after: 24.0,
            subjects_per_hour: 40.0,
            share_real: 0.1,
            n_volunteers: 400,
            votes_per_hour: 600.0,
            by_hour,
            activity_sd: 1.5,
            skill: Skill::default(),
            delay_median_s: 12.0,
            delay_sd: 1.0,
            start_ms: 0,
            level: 0.95,
            seed: 1,
        }
    }
}

impl CampaignParams {
    fn check(&self) -> Result<(), CampaignError> {
        let refuse = |name, value, wanted| Err(CampaignError::Setting { name, value, wanted });
        let positive = [
            ("the length of the campaign", self.hours),
            ("the number of subjects per hour", self.subjects_per_hour),
            ("the number of votes per hour", self.votes_per_hour),
            ("the number of volunteers", self.n_volunteers as f64),
            ("the median delay", self.delay_median_s),
        ];
        let not_negative = [
            ("the time after the campaign", self.hours_after),
            ("the spread of activity", self.activity_sd),
            ("the spread of delays", self.delay_sd),
            ("the spread of volunteers", self.skill.volunteer_sd),
            ("the spread of subjects", self.skill.subject_sd),
        ];
        let shares = [
            ("the share of real subjects", self.share_real),
            ("the share of real answers to real subjects", self.skill.p_real),
            ("the share of real answers to bogus subjects", self.skill.p_bogus),
        ];
        for (name, value) in positive {
            if !(value > 0.0 && value.is_finite()) {
                return refuse(name, value, "give a positive number");
            }
        }
        for (name, value) in not_negative {
            if !(value >= 0.0 && value.is_finite()) {
                return refuse(name, value, "give 0 or a positive number");
            }
        }
        for (name, value) in shares {
            if !(0.0..=1.0).contains(&value) {
                return refuse(name, value, "give a share between 0 and 1");
            }
        }
        if !(self.level > 0.0 && self.level < 1.0) {
            return refuse("the level", self.level, "give a share between 0 and 1; 0.95 is usual");
        }
        let by_hour: f64 = self.by_hour.iter().sum();
        if self.by_hour.iter().any(|w| !w.is_finite() || *w < 0.0) || !by_hour.is_normal() {
            return refuse(
                "the activity by hour",
                by_hour,
                "give 24 weights, not negative and not all 0",
            );
        }
        let n =
            self.hours * self.subjects_per_hour + (self.hours + self.hours_after) * self.votes_per_hour;
        if n + self.n_volunteers as f64 > 5e7 || self.start_ms.unsigned_abs() > 1 << 53 {
            return Err(CampaignError::TooLarge(n));
        }
        Ok(())
    }
}

/// One campaign at one desk.
///
/// # Errors
/// [`CampaignError`].
pub fn campaign(params: &CampaignParams, desk: &mut dyn Desk) -> Result<Run, CampaignError> {
    params.check()?;
    Ok(run::run(&crowd::Script::new(params), desk))
}

/// The same campaign at two desks, and what differs.
///
/// # Errors
/// [`CampaignError`].
pub fn compare(
    params: &CampaignParams,
    first: &mut dyn Desk,
    second: &mut dyn Desk,
) -> Result<Comparison, CampaignError> {
    params.check()?;
    let script = crowd::Script::new(params);
    let (first, second) = (run::run(&script, first), run::run(&script, second));
    Ok(report::comparison(&first, &second, params.level))
}

#[cfg(test)]
#[path = "campaign_tests.rs"]
mod tests;
