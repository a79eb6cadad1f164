//! Drift: whether scores, embeddings, votes, labels or errors are still what they were.
//!
//! Scores, embeddings, votes and labels are compared window by window with the first window, by the population
//! stability index with its finite-sample limit, scores by Kolmogorov–Smirnov too, which sees what happens within
//! a bin; errors on subjects with a known truth run through ADWIN. An alarm is a reason to look, and does nothing
//! by itself.

use std::collections::VecDeque;

use serde::Serialize;
use volary_loop::drift::adwin::AdwinParams;
use volary_loop::drift::ks::kolmogorov_smirnov;
use volary_loop::drift::watch::Window;
use volary_loop::drift::{Adwin, Source, Watch, WatchParams};

/// Alarms kept; older ones leave.
const MOST_ALARMS: usize = 1_000;

/// An alarm.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DriftAlarm {
    /// The event at which it was raised.
    pub seq: i64,
    /// What drifts: `scores`, `embedding`, `votes`, `labels`, `errors`.
    pub source: &'static str,
    /// What says so: `psi`, `ks` or `adwin`.
    pub test: &'static str,
    /// Of an embedding, the entry that is farthest beyond its limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
    /// Population stability index; distance of the distributions; the mean error since the change.
    pub value: f64,
    /// What the index would stay below by chance, 99 times in 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
    /// Chance of such a distance without drift.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// Windows in a row with this alarm; one in a hundred is expected, two in a row are not.
    pub n_in_a_row: u32,
}

/// Windows of one source, one after the other.
#[derive(Debug)]
struct Stream {
    source: Source,
    size: usize,
    n: usize,
    window: Window,
    reference: Option<(Watch, Window)>,
    n_ks_in_a_row: u32,
}

impl Stream {
    fn new(source: Source, size: usize) -> Self {
        Self { source, size, n: 0, window: Window::new(), reference: None, n_ks_in_a_row: 0 }
    }

    fn push(&mut self, seq: i64, values: &[f64]) -> Vec<DriftAlarm> {
        for (at, value) in values.iter().enumerate() {
            self.window.entry((self.source, format!("e{at}"))).or_default().push(*value);
        }
        self.n += 1;
        if self.n < self.size {
            return Vec::new();
        }
        self.n = 0;
        let window = std::mem::take(&mut self.window);
        let Some((watch, first)) = &mut self.reference else {
            self.reference = Some((Watch::new(&window, WatchParams::default()), window));
            return Vec::new();
        };
        let mut alarms = Vec::new();
        for alarm in watch.compare(&window) {
            alarms.push(DriftAlarm {
                seq,
                source: alarm.source.as_str(),
                test: "psi",
                feature: (self.source == Source::Embedding).then_some(alarm.feature),
                value: alarm.psi.value.unwrap_or(f64::INFINITY),
                limit: alarm.psi.limit,
                p_value: None,
                n_in_a_row: alarm.n_in_a_row,
            });
        }
        if self.source == Source::Scores {
            let p_false = WatchParams::default().p_false;
            let pairs = first.values().zip(window.values());
            let compared = pairs.filter_map(|(old, new)| kolmogorov_smirnov(old, new)).next();
            let found = compared.filter(|compared| compared.p_value < p_false);
            self.n_ks_in_a_row = if found.is_some() { self.n_ks_in_a_row + 1 } else { 0 };
            alarms.extend(found.map(|compared| DriftAlarm {
                seq,
                source: self.source.as_str(),
                test: "ks",
                feature: None,
                value: compared.distance,
                limit: None,
                p_value: Some(compared.p_value),
                n_in_a_row: self.n_ks_in_a_row,
            }));
        }
        alarms
    }
}

/// The watch.
#[derive(Debug)]
pub struct Drift {
    scores: Stream,
    embeddings: Stream,
    votes: Stream,
    labels: Stream,
    errors: Adwin,
    alarms: VecDeque<DriftAlarm>,
}

impl Drift {
    pub(super) fn new(window: usize) -> Self {
        let of = |source| Stream::new(source, window.max(1));
        Self {
            scores: of(Source::Scores),
            embeddings: of(Source::Embedding),
            votes: of(Source::Votes),
            labels: of(Source::Labels),
            errors: Adwin::new(AdwinParams::default()),
            alarms: VecDeque::new(),
        }
    }

    pub(super) fn score(&mut self, seq: i64, p: f64) {
        let alarms = self.scores.push(seq, &[p]);
        self.raise(alarms);
    }

    pub(super) fn embedding(&mut self, seq: i64, values: &[f64]) {
        let alarms = self.embeddings.push(seq, values);
        self.raise(alarms);
    }

    pub(super) fn vote(&mut self, seq: i64, share: f64) {
        let alarms = self.votes.push(seq, &[share]);
        self.raise(alarms);
    }

    pub(super) fn label(&mut self, seq: i64, is_real: f64) {
        let alarms = self.labels.push(seq, &[is_real]);
        self.raise(alarms);
    }

    pub(super) fn error(&mut self, seq: i64, brier: f64) {
        if self.errors.push(brier) {
            let value = self.errors.mean().unwrap_or(brier);
            self.raise(vec![DriftAlarm {
                seq,
                source: "errors",
                test: "adwin",
                feature: None,
                value,
                limit: None,
                p_value: None,
                n_in_a_row: 1,
            }]);
        }
    }

    fn raise(&mut self, alarms: Vec<DriftAlarm>) {
        self.alarms.extend(alarms);
        while self.alarms.len() > MOST_ALARMS {
            self.alarms.pop_front();
        }
        self.alarms.make_contiguous();
    }

    pub(super) fn alarms(&self) -> &[DriftAlarm] {
        self.alarms.as_slices().0
    }
}
