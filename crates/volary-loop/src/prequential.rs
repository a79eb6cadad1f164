//! Test, then train: how good the predictions were that were made before the labels were known.
//!
//! A prediction is kept from the moment it was made, with the model of that moment, until its label comes,
//! minutes or weeks later; only then is it scored, and only then may the label be learnt (delayed
//! progressive validation). Old cases count less by a fading factor, or drop out of a window (Gama,
//! Sebastião & Rodrigues 2013, doi:10.1007/s10994-012-5320-9).
//!
//! It also guards the gold subjects: what is used for evaluation is never trained on. Each update asks
//! [`Prequential::train`] first, and the two sets are disjoint whatever the order of events.
//!
//! It judges one answer against the rest: real or not. It neither predicts nor learns.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use volary_crowd::interval::{Interval, jeffreys};

/// Shares of this many sizes of a unit in the last place are treated as never 0 or 1.
const LEAST_P: f64 = 1e-15;
/// With a fading factor, cases that weigh less than this are dropped.
const LEAST_WEIGHT: f64 = 1e-6;

/// Why a step was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PrequentialError {
    /// A gold subject is not for training.
    #[error("{0} is held out for evaluation and must not be trained on")]
    Gold(String),
    /// Gold must not have been trained on.
    #[error(
        "{0} was trained on already and cannot be held out; choose a subject that no model has seen"
    )]
    Trained(String),
    /// No prediction was made before the label.
    #[error("{0} has a label and no prediction from before it; predict first, then score, then train")]
    Unpredicted(String),
    /// Training before scoring.
    #[error(
        "the prediction for {0} has not been scored yet; score it with its label before training on it"
    )]
    Unscored(String),
    /// A number that is no probability.
    #[error("the prediction for {subject} is {p}, which is no probability")]
    Probability {
        /// Of what.
        subject: String,
        /// What it is.
        p: f64,
    },
    /// A label from before its prediction.
    #[error("the label of {0} is older than its prediction; times must be those of the events")]
    Backwards(String),
    /// Settings that are none.
    #[error("{0}")]
    Settings(&'static str),
}

/// What is remembered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Memory {
    /// Each case weighs so much less than the next one: 0.999 remembers about a thousand.
    Fading(f64),
    /// The last cases, so many, all alike.
    Window(usize),
}

/// Settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrequentialParams {
    /// What is remembered.
    pub memory: Memory,
    /// Share of bogus subjects that may pass as real, for the share of real ones missed.
    pub false_positives: f64,
    /// Bins of the calibration.
    pub n_bins: usize,
    /// Level of the intervals.
    pub level: f64,
}

impl Default for PrequentialParams {
    fn default() -> Self {
        Self { memory: Memory::Window(10_000), false_positives: 0.05, n_bins: 10, level: 0.95 }
    }
}

/// A prediction that has met its label.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// The probability that was predicted.
    pub p: f64,
    /// What it turned out to be.
    pub is_real: bool,
    /// −ln of the probability of what it turned out to be.
    pub log_loss: f64,
    /// Squared distance of the probability to what it turned out to be.
    pub brier: f64,
    /// Time from the prediction to the label.
    pub delay_ms: i64,
    /// Whether it may be trained on: gold may not.
    pub is_for_training: bool,
}

/// A share with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// The share.
    pub value: f64,
    /// Jeffreys' interval, on the effective number of cases.
    pub interval: Interval,
    /// Effective number of cases: (Σw)²/Σw².
    pub n_effective: f64,
}

/// A bin of the calibration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// Predicted, on average.
    pub p_mean: f64,
    /// Real, with its interval.
    pub observed: Share,
}

/// How good the predictions were.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Cases remembered.
    pub n: usize,
    /// Effective number of cases.
    pub n_effective: f64,
    /// Mean log loss, in nats.
    pub log_loss: f64,
    /// Mean squared distance.
    pub brier: f64,
    /// Share of real subjects missed at the score where no more than the share of bogus ones passes that
    /// was asked for; none without cases of both kinds.
    pub missed: Option<Share>,
    /// That score: subjects at or above it pass.
    pub threshold: Option<f64>,
    /// Bins with cases, lowest first.
    pub calibration: Vec<Bin>,
    /// Median time from prediction to label.
    pub median_delay_ms: i64,
}

#[derive(Clone, Debug)]
struct Pending {
    p: f64,
    at_ms: i64,
    slices: Vec<String>,
}

#[derive(Clone, Debug)]
struct Case {
    scored: Scored,
    slices: Vec<String>,
}

/// The evaluation of one model.
#[derive(Clone, Debug)]
pub struct Prequential {
    params: PrequentialParams,
    pending: BTreeMap<String, Pending>,
    scored: BTreeSet<String>,
    gold: BTreeSet<String>,
    trained: BTreeSet<String>,
    cases: VecDeque<Case>,
    most: usize,
}

impl Prequential {
    /// An evaluation with no cases.
    ///
    /// # Errors
    /// [`PrequentialError::Settings`].
    pub fn new(params: PrequentialParams) -> Result<Self, PrequentialError> {
        let refuse = |why| Err(PrequentialError::Settings(why));
        let most = match params.memory {
            Memory::Window(0) => {
                return refuse("a window of 0 cases remembers nothing; 10,000 is usual");
            }
            Memory::Window(most) => most,
            Memory::Fading(by) if by > 0.0 && by < 1.0 => (LEAST_WEIGHT.ln() / by.ln()).ceil() as usize,
            Memory::Fading(_) => {
                return refuse("the fading factor must lie between 0 and 1; 0.999 is usual");
            }
        };
        if !(params.false_positives > 0.0 && params.false_positives < 1.0) {
            return refuse("the share of bogus that may pass must lie between 0 and 1; 0.05 is usual");
        }
        if params.n_bins == 0 || !(params.level > 0.0 && params.level < 1.0) {
            return refuse("calibration needs a bin and a level between 0 and 1; 10 and 0.95 are usual");
        }
        Ok(Self {
            params,
            pending: BTreeMap::new(),
            scored: BTreeSet::new(),
            gold: BTreeSet::new(),
            trained: BTreeSet::new(),
            cases: VecDeque::new(),
            most: most.max(1),
        })
    }

    /// Keeps a subject for evaluation.
    ///
    /// # Errors
    /// [`PrequentialError::Trained`].
    pub fn hold_out(&mut self, subject: &str) -> Result<(), PrequentialError> {
        if self.trained.contains(subject) {
            return Err(PrequentialError::Trained(subject.to_owned()));
        }
        self.gold.insert(subject.to_owned());
        Ok(())
    }

    /// Keeps the model's probability that a subject is real, from before anybody labelled it. A second
    /// prediction for a subject without a label replaces the first.
    ///
    /// # Errors
    /// [`PrequentialError::Probability`]; [`PrequentialError::Trained`] for a subject that the model was
    /// trained on, whose prediction would flatter it.
    pub fn predict(
        &mut self,
        subject: &str,
        at_ms: i64,
        p: f64,
        slices: &[&str],
    ) -> Result<(), PrequentialError> {
        if !(0.0..=1.0).contains(&p) {
            return Err(PrequentialError::Probability { subject: subject.to_owned(), p });
        }
        if self.trained.contains(subject) {
            return Err(PrequentialError::Trained(subject.to_owned()));
        }
        let slices = slices.iter().map(|s| (*s).to_owned()).collect();
        self.pending.insert(subject.to_owned(), Pending { p, at_ms, slices });
        Ok(())
    }

    /// Predictions that wait for their label.
    #[must_use]
    pub fn n_pending(&self) -> usize {
        self.pending.len()
    }

    /// Scores the prediction for a subject, now that it is known what it is.
    ///
    /// # Errors
    /// [`PrequentialError::Unpredicted`] and [`PrequentialError::Backwards`].
    pub fn label(
        &mut self,
        subject: &str,
        at_ms: i64,
        is_real: bool,
    ) -> Result<Scored, PrequentialError> {
        let pending = self.pending.get(subject);
        let pending = pending.ok_or_else(|| PrequentialError::Unpredicted(subject.to_owned()))?;
        if at_ms < pending.at_ms {
            return Err(PrequentialError::Backwards(subject.to_owned()));
        }
        let p = pending.p;
        let p_right = if is_real { p } else { 1.0 - p };
        let scored = Scored {
            p,
            is_real,
            log_loss: -p_right.max(LEAST_P).ln(),
            brier: (1.0 - p_right).powi(2),
            delay_ms: at_ms.saturating_sub(pending.at_ms),
            is_for_training: !self.gold.contains(subject),
        };
        let slices = self.pending.remove(subject).map(|pending| pending.slices).unwrap_or_default();
        self.scored.insert(subject.to_owned());
        self.cases.push_back(Case { scored: scored.clone(), slices });
        while self.cases.len() > self.most {
            self.cases.pop_front();
        }
        Ok(scored)
    }

    /// To be asked before each update; on an error the update must not be made.
    ///
    /// # Errors
    /// [`PrequentialError::Gold`] and [`PrequentialError::Unscored`].
    pub fn train(&mut self, subject: &str) -> Result<(), PrequentialError> {
        if self.gold.contains(subject) {
            return Err(PrequentialError::Gold(subject.to_owned()));
        }
        if !self.scored.contains(subject) {
            return Err(PrequentialError::Unscored(subject.to_owned()));
        }
        self.trained.insert(subject.to_owned());
        Ok(())
    }

    /// How good the predictions were; none before the first.
    #[must_use]
    pub fn report(&self) -> Option<Report> {
        self.report_of(|_| true)
    }

    /// The same by slice.
    #[must_use]
    pub fn by_slice(&self) -> BTreeMap<String, Report> {
        let names: BTreeSet<&String> = self.cases.iter().flat_map(|case| &case.slices).collect();
        let report =
            |name: &String| Some((name.clone(), self.report_of(|case| case.slices.contains(name))?));
        names.into_iter().filter_map(report).collect()
    }

    fn report_of(&self, is_in: impl Fn(&Case) -> bool) -> Option<Report> {
        let by = match self.params.memory {
            Memory::Fading(by) => by,
            Memory::Window(_) => 1.0,
        };
        let mut weight = 1.0;
        let mut cases: Vec<(f64, &Scored)> = Vec::new();
        for case in self.cases.iter().rev() {
            if is_in(case) {
                cases.push((weight, &case.scored));
            }
            weight *= by;
        }
        let total: f64 = cases.iter().map(|(w, _)| w).sum();
        if cases.is_empty() {
            return None;
        }
        let mean = |of: fn(&Scored) -> f64| cases.iter().map(|(w, s)| w * of(s)).sum::<f64>() / total;
        let mut delays: Vec<i64> = cases.iter().map(|(_, s)| s.delay_ms).collect();
        delays.sort_unstable();
        let (threshold, missed) = match self.missed(&cases) {
            Some((threshold, missed)) => (Some(threshold), Some(missed)),
            None => (None, None),
        };
        Some(Report {
            n: cases.len(),
            n_effective: n_effective(cases.iter().map(|(w, _)| *w)),
            log_loss: mean(|s| s.log_loss),
            brier: mean(|s| s.brier),
            missed,
            threshold,
            calibration: self.calibration(&cases),
            median_delay_ms: delays[(delays.len() - 1) / 2],
        })
    }

    /// The lowest score at which few enough bogus ones pass, and the share of real ones below it.
    fn missed(&self, cases: &[(f64, &Scored)]) -> Option<(f64, Share)> {
        let of = |is_real| cases.iter().filter(move |(_, s)| s.is_real == is_real);
        let n_bogus: f64 = of(false).map(|(w, _)| w).sum();
        if n_bogus <= 0.0 || of(true).next().is_none() {
            return None;
        }
        let mut bogus: Vec<(f64, f64)> = of(false).map(|(w, s)| (s.p, *w)).collect();
        bogus.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        // Equal scores pass together. Above the highest bogus score nothing bogus passes.
        let (mut passed, mut lowest_kept) = (0.0, f64::INFINITY);
        let mut blocked = None;
        for same in bogus.chunk_by(|a, b| a.0 == b.0) {
            let weight: f64 = same.iter().map(|(_, w)| w).sum();
            if passed + weight > self.params.false_positives * n_bogus * (1.0 + 1e-12) {
                blocked = Some(same[0].0);
                break;
            }
            passed += weight;
            lowest_kept = same[0].0;
        }
        // Anything above the first score that may not pass does.
        let passes = |p: f64| blocked.is_none_or(|blocked| p > blocked);
        let lowest_real =
            of(true).map(|(_, s)| s.p).filter(|p| passes(*p)).fold(f64::INFINITY, f64::min);
        let threshold = lowest_kept.min(lowest_real).min(1.0);
        Some((threshold, share(of(true).map(|(w, s)| (*w, !passes(s.p))), self.params.level)))
    }

    fn calibration(&self, cases: &[(f64, &Scored)]) -> Vec<Bin> {
        let n_bins = self.params.n_bins;
        let mut bins: Vec<Vec<(f64, &Scored)>> = vec![Vec::new(); n_bins];
        for (weight, scored) in cases {
            bins[((scored.p * n_bins as f64) as usize).min(n_bins - 1)].push((*weight, scored));
        }
        let bin = |cases: &Vec<(f64, &Scored)>| {
            let total: f64 = cases.iter().map(|(w, _)| w).sum();
            let p_mean = cases.iter().map(|(w, s)| w * s.p).sum::<f64>() / total;
            let observed = share(cases.iter().map(|(w, s)| (*w, s.is_real)), self.params.level);
            Bin { p_mean, observed }
        };
        bins.iter().filter(|cases| !cases.is_empty()).map(bin).collect()
    }
}

fn n_effective(weights: impl Iterator<Item = f64>) -> f64 {
    let (sum, squares) = weights.fold((0.0, 0.0), |(sum, squares), w| (sum + w, squares + w * w));
    if squares > 0.0 { sum * sum / squares } else { 0.0 }
}

/// The weighted share of those that are, with an interval on the effective number.
fn share(cases: impl Iterator<Item = (f64, bool)> + Clone, level: f64) -> Share {
    let total: f64 = cases.clone().map(|(w, _)| w).sum();
    let those: f64 = cases.clone().filter(|(_, is)| *is).map(|(w, _)| w).sum();
    let n_effective = n_effective(cases.map(|(w, _)| w));
    let value = if total > 0.0 { those / total } else { 0.0 };
    Share { value, interval: jeffreys(value * n_effective, n_effective, level), n_effective }
}

#[cfg(test)]
#[path = "prequential_tests.rs"]
mod tests;
