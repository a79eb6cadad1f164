//! Whether a model should be trained again, and why: advice with its evidence, for a person who decides.
//!
//! Five reasons, each with a line of its own: the labels grew, the model is old and there is anything new, what
//! comes in drifts, it misses more than it did, or somebody who gave many of its labels opted out. Growth of a
//! tenth changes little of a network; age alone, with no new label, changes nothing, and is no reason.
//!
//! It starts no training and reads no clock.

use volary_crowd::interval::wilson;

/// When to advise it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetrainParams {
    /// Growth of the labels, as a share of those that it learned from.
    pub growth: f64,
    /// Days after which any growth is a reason.
    pub days: u32,
    /// Windows in a row that drift.
    pub windows: usize,
    /// Share of the positives that it misses more than before, at least, as sure as `level`.
    pub lost: f64,
    /// How sure, one-sided.
    pub level: f64,
    /// Share of the labels' votes that one person who opted out gave.
    pub opted_out: f64,
}

impl Default for RetrainParams {
    fn default() -> Self {
        Self { growth: 0.10, days: 182, windows: 3, lost: 0.01, level: 0.95, opted_out: 0.005 }
    }
}

/// Positives missed at some rate of false alarms, of all positives judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// Missed.
    pub k: u64,
    /// Judged.
    pub n: u64,
}

/// What is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Days since it was trained.
    pub days: u32,
    /// Subjects with labels then.
    pub n_labels_then: u64,
    /// Subjects with labels now.
    pub n_labels_now: u64,
    /// Whether each window drifts, oldest first.
    pub drifts: Vec<bool>,
    /// What it missed then and what it misses now, at the same rate of false alarms.
    pub missed: Option<(Missed, Missed)>,
    /// Share of the labels' votes that each person gave who opted out since.
    pub opted_out: Vec<f64>,
}

/// Why to train again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason {
    /// The labels grew by this share.
    Growth(f64),
    /// It is so many days old, and so many subjects have labels that it never saw.
    Age {
        /// Days.
        days: u32,
        /// Subjects.
        n_new: u64,
    },
    /// So many of the last windows in a row drift.
    Drift(usize),
    /// It misses more: the difference of the shares, and the least that it is.
    Lost {
        /// Difference.
        difference: f64,
        /// Lower limit.
        least: f64,
    },
    /// People who opted out gave much of it: how many, and the largest share.
    OptOut {
        /// People.
        n: usize,
        /// Largest share.
        largest: f64,
    },
}

impl Reason {
    /// Its name in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Growth(_) => "growth",
            Self::Age { .. } => "age",
            Self::Drift(_) => "drift",
            Self::Lost { .. } => "loss",
            Self::OptOut { .. } => "opt-out",
        }
    }
}

/// Every reason to train again, in the order above; none is the advice to leave it.
#[must_use]
pub fn retrain(evidence: &Evidence, params: &RetrainParams) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let n_new = evidence.n_labels_now.saturating_sub(evidence.n_labels_then);
    let growth = n_new as f64 / evidence.n_labels_then.max(1) as f64;
    if n_new > 0 && growth >= params.growth {
        reasons.push(Reason::Growth(growth));
    }
    if n_new > 0 && evidence.days >= params.days {
        reasons.push(Reason::Age { days: evidence.days, n_new });
    }
    let in_a_row = evidence.drifts.iter().rev().take_while(|drifts| **drifts).count();
    if params.windows > 0 && in_a_row >= params.windows {
        reasons.push(Reason::Drift(in_a_row));
    }
    if let Some((then, now)) = evidence.missed {
        let (difference, least) = more_missed(then, now, params.level);
        if least >= params.lost {
            reasons.push(Reason::Lost { difference, least });
        }
    }
    let much: Vec<f64> =
        evidence.opted_out.iter().copied().filter(|share| *share > params.opted_out).collect();
    if let Some(largest) = much.iter().copied().reduce(f64::max) {
        reasons.push(Reason::OptOut { n: much.len(), largest });
    }
    reasons
}

/// How much more is missed, and its one-sided lower limit (Newcombe 1998, method 10: out of Wilson's intervals).
fn more_missed(then: Missed, now: Missed, level: f64) -> (f64, f64) {
    if then.n == 0 || now.n == 0 {
        return (0.0, f64::NEG_INFINITY);
    }
    let share = |m: Missed| m.k as f64 / m.n as f64;
    // Two-sided at 2 level − 1 is one-sided at level.
    let interval = |m: Missed| wilson(m.k as f64, m.n as f64, 2.0 * level - 1.0);
    let difference = share(now) - share(then);
    let (down, up) = (share(now) - interval(now).low, interval(then).high - share(then));
    (difference, difference - down.hypot(up))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(change: impl Fn(&mut Evidence)) -> Vec<&'static str> {
        let mut evidence =
            Evidence { days: 30, n_labels_then: 1000, n_labels_now: 1050, ..Evidence::default() };
        change(&mut evidence);
        retrain(&evidence, &RetrainParams::default()).into_iter().map(Reason::as_str).collect()
    }

    #[test]
    fn each_reason_alone_none_and_all() {
        let none: [&str; 0] = [];
        assert_eq!(of(|_| ()), none);
        assert_eq!(of(|e| e.n_labels_now = 1100), ["growth"]);
        assert_eq!(of(|e| e.n_labels_now = 1099), none);
        assert_eq!(of(|e| e.days = 182), ["age"]);
        assert_eq!(of(|e| e.days = 181), none);
        // Old, and nothing new: training again would give the same.
        assert_eq!(of(|e| (e.days, e.n_labels_now) = (5000, 1000)), none);
        assert_eq!(of(|e| e.drifts = vec![false, true, true, true]), ["drift"]);
        assert_eq!(of(|e| e.drifts = vec![true, true, true, false]), none);
        assert_eq!(of(|e| e.drifts = vec![true, true]), none);
        assert_eq!(of(|e| e.opted_out = vec![0.004, 0.006]), ["opt-out"]);
        assert_eq!(of(|e| e.opted_out = vec![0.005; 10]), none);
        let missed = |then: (u64, u64), now: (u64, u64)| {
            of(|e| e.missed = Some((Missed { k: then.0, n: then.1 }, Missed { k: now.0, n: now.1 })))
        };
        assert_eq!(missed((20, 1000), (60, 1000)), ["loss"]);
        // Twice as many missed, of too few to say.
        assert_eq!(missed((1, 50), (2, 50)), none);
        assert_eq!(missed((0, 0), (50, 50)), none);
        let all = of(|e| {
            (e.days, e.n_labels_now, e.drifts, e.opted_out) = (400, 2000, vec![true; 3], vec![0.1]);
            e.missed = Some((Missed { k: 0, n: 500 }, Missed { k: 100, n: 500 }));
        });
        assert_eq!(all, ["growth", "age", "drift", "loss", "opt-out"]);
    }

    /// Newcombe 1998, table II, method 10, example (a): 56/70 − 48/80 is 0.2 from 0.0524 to 0.3339 at 95 %,
    /// two-sided; one-sided at 97.5 % that is the lower end.
    #[test]
    fn the_limit_is_newcombes() {
        let (difference, least) = more_missed(Missed { k: 48, n: 80 }, Missed { k: 56, n: 70 }, 0.975);
        assert!((difference - 0.2).abs() < 1e-12 && (least - 0.0524).abs() < 5e-5, "{least}");
    }
}
