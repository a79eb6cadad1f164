//! Drift: whether scores, votes, labels or errors are still what they were.
//!
//! Scores, votes and labels are compared window by window with the first window, by the population
//! stability index with its finite-sample limit; errors on subjects with a known truth run through ADWIN.
//! An alarm is a reason to look, and does nothing by itself.

use std::collections::VecDeque;

use serde::Serialize;
use volary_loop::drift::adwin::AdwinParams;
use volary_loop::drift::{Adwin, Psi, Reference};

/// Bins of a comparison.
const N_BINS: usize = 10;
/// Chance of a false alarm per window.
const P_FALSE: f64 = 0.01;
/// Alarms kept; older ones leave.
const MOST_ALARMS: usize = 1_000;

/// An alarm.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DriftAlarm {
    /// The event at which it was raised.
    pub seq: i64,
    /// What drifts: `scores`, `votes`, `labels`, `errors`.
    pub source: &'static str,
    /// Population stability index; for errors, the mean error since the change.
    pub value: f64,
    /// What it would stay below by chance, 99 times in 100; none for errors.
    pub limit: Option<f64>,
}

/// Values of one source.
#[derive(Debug)]
struct Feature {
    source: &'static str,
    size: usize,
    values: Vec<f64>,
    reference: Option<Reference>,
}

impl Feature {
    fn new(source: &'static str, size: usize) -> Self {
        Self { source, size, values: Vec::new(), reference: None }
    }

    fn push(&mut self, seq: i64, value: f64) -> Option<DriftAlarm> {
        self.values.push(value);
        if self.values.len() < self.size {
            return None;
        }
        let window = std::mem::take(&mut self.values);
        let Some(reference) = &self.reference else {
            self.reference = Some(Reference::new(&window, N_BINS));
            return None;
        };
        let psi: Psi = reference.compare(&window, P_FALSE);
        let value = psi.value.filter(|_| psi.is_alarm())?;
        Some(DriftAlarm { seq, source: self.source, value, limit: psi.limit })
    }
}

/// The watch.
#[derive(Debug)]
pub struct Drift {
    scores: Feature,
    votes: Feature,
    labels: Feature,
    errors: Adwin,
    alarms: VecDeque<DriftAlarm>,
}

impl Drift {
    pub(super) fn new(window: usize) -> Self {
        let size = window.max(1);
        Self {
            scores: Feature::new("scores", size),
            votes: Feature::new("votes", size),
            labels: Feature::new("labels", size),
            errors: Adwin::new(AdwinParams::default()),
            alarms: VecDeque::new(),
        }
    }

    pub(super) fn score(&mut self, seq: i64, p: f64) {
        let alarm = self.scores.push(seq, p);
        self.raise(alarm);
    }

    pub(super) fn vote(&mut self, seq: i64, share: f64) {
        let alarm = self.votes.push(seq, share);
        self.raise(alarm);
    }

    pub(super) fn label(&mut self, seq: i64, is_real: f64) {
        let alarm = self.labels.push(seq, is_real);
        self.raise(alarm);
    }

    pub(super) fn error(&mut self, seq: i64, brier: f64) {
        if self.errors.push(brier) {
            let value = self.errors.mean().unwrap_or(brier);
            self.raise(Some(DriftAlarm { seq, source: "errors", value, limit: None }));
        }
    }

    fn raise(&mut self, alarm: Option<DriftAlarm>) {
        self.alarms.extend(alarm);
        while self.alarms.len() > MOST_ALARMS {
            self.alarms.pop_front();
        }
        self.alarms.make_contiguous();
    }

    pub(super) fn alarms(&self) -> &[DriftAlarm] {
        self.alarms.as_slices().0
    }
}
