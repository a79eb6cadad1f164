//! Show volunteers only what is confusing: which subjects can stop being shown, and the votes that saves.
//!
//! A model's prediction for a class, with its interval, is a belief about the share of volunteers who would
//! choose it: a beta distribution of that mean and spread. Votes already given update it. If all `n_votes`
//! were collected, the number of yes votes would follow the beta–binomial law; the class holds where their
//! share is above a threshold. Stopping now and taking the likelier answer errs with the probability of the
//! other one, in closed form:
//!
//! e = min(P(K > t n), P(K ≤ t n)),   K = k + BetaBinomial(n − s; α + k, β + s − k),
//!
//! with s seen so far, k of them yes. With several classes a subject errs where any of them does, taken as
//! independent. Subjects are stopped in the order of error per vote saved until the expected share of
//! changed decisions reaches what was allowed. "Error" is disagreement with what all votes *would have
//! said*, not with the truth, and it is right only as far as the model's intervals are: check them on
//! held-out subjects first ([`evaluate`](mod@crate::evaluate)).

use statrs::function::erf::erf_inv;
use statrs::function::gamma::ln_gamma;

use crate::error::SpaceError;

/// What a model believes about the share of volunteers who choose a class: Beta(α, β).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Belief {
    alpha: f64,
    beta: f64,
}

impl Belief {
    /// A belief by its mean and its concentration α + β (how many votes it is worth).
    ///
    /// # Errors
    /// [`SpaceError::Setting`] unless the mean lies from 0 to 1 and the concentration is positive.
    pub fn new(mean: f64, concentration: f64) -> Result<Self, SpaceError> {
        if !(0.0..=1.0).contains(&mean) {
            return Err(SpaceError::Setting {
                name: "a predicted share",
                value: mean,
                must: "from 0 to 1",
            });
        }
        if !(concentration > 0.0 && concentration.is_finite()) {
            let must = "a positive number";
            return Err(SpaceError::Setting { name: "a concentration", value: concentration, must });
        }
        // A share of exactly 0 or 1 is no certainty.
        let mean = mean.clamp(1e-6, 1.0 - 1e-6);
        Ok(Self { alpha: mean * concentration, beta: (1.0 - mean) * concentration })
    }

    /// A belief by its mean and an interval at `level`, taken as mean ± z standard deviations: what a
    /// network with `--likelihood` writes.
    ///
    /// # Errors
    /// [`SpaceError::Setting`] unless 0 ≤ low ≤ high ≤ 1, the mean lies from 0 to 1 and 0 < level < 1.
    pub fn from_interval(mean: f64, low: f64, high: f64, level: f64) -> Result<Self, SpaceError> {
        if !(level > 0.0 && level < 1.0) {
            return Err(SpaceError::Setting {
                name: "the level",
                value: level,
                must: "between 0 and 1",
            });
        }
        if !(0.0 <= low && low <= high && high <= 1.0) {
            let must = "two ends in order, from 0 to 1";
            return Err(SpaceError::Setting { name: "an interval", value: high - low, must });
        }
        let z = std::f64::consts::SQRT_2 * erf_inv(level);
        let deviation = ((high - low) / (2.0 * z)).max(1e-4);
        let inside = mean.clamp(1e-6, 1.0 - 1e-6);
        // No beta distribution is wider than all weight on 0 and 1.
        let concentration = (inside * (1.0 - inside) / (deviation * deviation) - 1.0).max(0.02);
        Self::new(mean, concentration)
    }

    /// P(K > bound) for K ~ BetaBinomial(n; α, β).
    fn tail(self, n: u32, bound: f64) -> f64 {
        let ln_beta = |a: f64, b: f64| ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
        let (a, b, m) = (self.alpha, self.beta, f64::from(n));
        let norm = ln_beta(a, b) - ln_gamma(m + 1.0);
        let (mut above, mut all) = (0.0, 0.0);
        for k in 0..=n {
            let k = f64::from(k);
            let ways = -ln_gamma(k + 1.0) - ln_gamma(m - k + 1.0);
            let p = (ways + ln_beta(a + k, b + m - k) - norm).exp();
            all += p;
            above += if k > bound { p } else { 0.0 };
        }
        (above / all).clamp(0.0, 1.0)
    }
}

/// A class of a subject: what the model believes, and the yes votes so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asked {
    /// The belief.
    pub belief: Belief,
    /// Volunteers who chose the class.
    pub n_yes: u32,
}

/// A subject that may stop being shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// Its classes.
    pub classes: Vec<Asked>,
    /// Volunteers who saw it.
    pub n_seen: u32,
}

/// When a subject is done, and what counts as yes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    n_votes: u32,
    threshold: f64,
}

impl Rule {
    /// A subject is done after `n_votes` votes; a class holds where its share is above `threshold`.
    ///
    /// # Errors
    /// [`SpaceError::Setting`] unless there is a vote to save and 0 ≤ threshold < 1.
    pub fn new(n_votes: u32, threshold: f64) -> Result<Self, SpaceError> {
        /// More votes than any project asks for; bounds the sums.
        const MOST_VOTES: u32 = 10_000;
        if !(1..=MOST_VOTES).contains(&n_votes) {
            let must = "from 1 to 10,000";
            return Err(SpaceError::Setting {
                name: "the number of votes",
                value: n_votes.into(),
                must,
            });
        }
        if !(0.0..1.0).contains(&threshold) {
            let must = "at least 0 and below 1";
            return Err(SpaceError::Setting { name: "the threshold", value: threshold, must });
        }
        Ok(Self { n_votes, threshold })
    }

    /// The chance that all votes would change the decision, if it were taken now.
    ///
    /// # Errors
    /// [`SpaceError::Setting`] for more yes votes than votes.
    pub fn error_if_stopped(&self, subject: &Pending) -> Result<f64, SpaceError> {
        let mut right = 1.0;
        for asked in &subject.classes {
            if asked.n_yes > subject.n_seen {
                let must = "at most the number of votes";
                return Err(SpaceError::Setting {
                    name: "a count of yes votes",
                    value: asked.n_yes.into(),
                    must,
                });
            }
            let left = self.n_votes.saturating_sub(subject.n_seen);
            let total = self.n_votes.max(subject.n_seen);
            let (yes, no) = (f64::from(asked.n_yes), f64::from(subject.n_seen - asked.n_yes));
            let belief = Belief { alpha: asked.belief.alpha + yes, beta: asked.belief.beta + no };
            let p_yes = belief.tail(left, self.threshold * f64::from(total) - yes);
            right *= p_yes.max(1.0 - p_yes);
        }
        Ok(1.0 - right)
    }
}

/// One subject of a plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Planned {
    /// Which subject, as an index into the list.
    pub subject: usize,
    /// The chance that stopping now changes its decision.
    pub error: f64,
    /// Votes still to come.
    pub n_left: u32,
    /// Whether it can stop.
    pub stops: bool,
}

/// What a plan costs and saves when the first so many subjects stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Saving {
    /// Subjects that stop.
    pub n_stopped: usize,
    /// Votes that need not be given.
    pub votes_saved: u64,
    /// Expected share of all subjects whose decision changes.
    pub expected_error: f64,
    /// Its standard deviation, subjects being independent.
    pub error_sd: f64,
}

/// Who is shown next, and what that saves.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// All subjects with votes to come, most confusing first; those that can stop come last.
    pub ranked: Vec<Planned>,
    /// Votes to come if nobody stops.
    pub votes_left: u64,
    /// The plan at the error allowed.
    pub chosen: Saving,
    /// Savings against error, from nobody to everybody.
    pub curve: Vec<Saving>,
}

/// Plans who can stop, so that at most `max_error` of all subjects are expected to be decided otherwise.
///
/// # Errors
/// [`SpaceError::NoRows`]; [`SpaceError::Setting`] for an error outside 0 to 1 or counts that do not fit.
pub fn plan(subjects: &[Pending], rule: &Rule, max_error: f64) -> Result<Plan, SpaceError> {
    if subjects.is_empty() {
        return Err(SpaceError::NoRows { what: "the list of subjects" });
    }
    if !(0.0..=1.0).contains(&max_error) {
        return Err(SpaceError::Setting { name: "the error", value: max_error, must: "from 0 to 1" });
    }
    let mut ranked = Vec::new();
    for (subject, pending) in subjects.iter().enumerate() {
        let n_left = rule.n_votes.saturating_sub(pending.n_seen);
        if n_left > 0 {
            let error = rule.error_if_stopped(pending)?;
            ranked.push(Planned { subject, error, n_left, stops: false });
        }
    }
    // Most error per vote saved first; from behind, the cheapest savings.
    let price = |p: &Planned| p.error / f64::from(p.n_left);
    ranked.sort_by(|a, b| price(b).total_cmp(&price(a)).then(a.subject.cmp(&b.subject)));
    let n = subjects.len() as f64;
    let (mut errors, mut variance, mut votes_saved) = (0.0, 0.0, 0);
    let mut curve = vec![Saving { n_stopped: 0, votes_saved: 0, expected_error: 0.0, error_sd: 0.0 }];
    for (n_stopped, planned) in (1..).zip(ranked.iter_mut().rev()) {
        errors += planned.error;
        variance += planned.error * (1.0 - planned.error);
        votes_saved += u64::from(planned.n_left);
        planned.stops = errors / n <= max_error;
        let (expected_error, error_sd) = (errors / n, variance.sqrt() / n);
        curve.push(Saving { n_stopped, votes_saved, expected_error, error_sd });
    }
    let n_stopped = ranked.iter().filter(|p| p.stops).count();
    Ok(Plan { votes_left: votes_saved, chosen: curve[n_stopped], curve, ranked })
}

#[cfg(test)]
#[path = "savings_tests.rs"]
mod tests;
