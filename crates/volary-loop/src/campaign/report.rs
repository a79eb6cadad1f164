//! What a campaign came to, with intervals, and what differs between two.
//!
//! Shares have Jeffreys' interval, means the normal one, quantiles the distribution-free one from order
//! statistics (its ranks from the binomial law); where there are too few values for the level, an end is infinite.
//! Differences are second minus first, taken subject by subject over those that both desks closed (for votes:
//! that both retired).

use volary_crowd::interval::{beta_tail, jeffreys, normal_half_width};

use super::run::{Fate, Run};

const MS_PER_HOUR: f64 = 3_600_000.0;

/// A figure and its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Subjects it rests on.
    pub n: u64,
}

/// What a campaign came to at one desk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Subjects that arrived.
    pub n_subjects: u64,
    /// Real ones among them.
    pub n_real: u64,
    /// Neither alerted nor retired at the end.
    pub n_open: u64,
    /// Votes that arrived.
    pub n_votes: u64,
    /// Those of them that came after retirement.
    pub n_late: u64,
    /// Moments at which a volunteer had time and there was nothing to show.
    pub n_idle: u64,
    /// Hours from arrival to alert of real subjects that were alerted: a tenth is faster.
    pub hours_to_alert_fast: Option<Estimate>,
    /// … the median.
    pub hours_to_alert: Option<Estimate>,
    /// … a tenth is slower.
    pub hours_to_alert_slow: Option<Estimate>,
    /// Votes at the alert, on average, real or not.
    pub votes_at_alert: Option<Estimate>,
    /// Votes per subject that was retired, on average, late ones included.
    pub votes_per_subject: Option<Estimate>,
    /// Share of closed bogus subjects that were alerted.
    pub false_alerts: Option<Estimate>,
    /// Share of closed real subjects that were retired without an alert.
    pub missed: Option<Estimate>,
}

/// Two desks on the same campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The first desk.
    pub first: Figures,
    /// The second.
    pub second: Figures,
    /// Median difference of the hours to the alert, over real subjects that both alerted.
    pub hours_to_alert: Option<Estimate>,
    /// Mean difference of the votes per subject.
    pub votes_per_subject: Option<Estimate>,
    /// Difference of the shares of false alerts.
    pub false_alerts: Option<Estimate>,
    /// Difference of the shares of missed real subjects.
    pub missed: Option<Estimate>,
}

impl Run {
    /// What it came to, with intervals at `level`.
    #[must_use]
    pub fn figures(&self, level: f64) -> Figures {
        let closed = || self.fates.iter().filter(|f| f.is_closed());
        let count = |is: fn(&Fate) -> bool| self.fates.iter().filter(|f| is(f)).count() as u64;
        let real = self.fates.iter().filter(|f| f.is_real);
        let mut hours: Vec<f64> = real.filter_map(hours_to_alert).collect();
        hours.sort_unstable_by(f64::total_cmp);
        // Nothing is alerted before it arrives.
        let hours_at = |q| quantile(&hours, q, level).map(|e| Estimate { low: e.low.max(0.0), ..e });
        let at_alert: Vec<f64> = self.fates.iter().filter_map(|f| f.n_at_alert.map(f64::from)).collect();
        let retired = self.fates.iter().filter(|f| is_retired(f));
        let votes: Vec<f64> = retired.map(|f| f64::from(f.n_votes)).collect();
        Figures {
            n_subjects: self.fates.len() as u64,
            n_real: count(|f| f.is_real),
            n_open: count(|f| !f.is_closed()),
            n_votes: self.fates.iter().map(|f| u64::from(f.n_votes)).sum(),
            n_late: self.fates.iter().map(|f| u64::from(f.n_late)).sum(),
            n_idle: self.n_idle,
            hours_to_alert_fast: hours_at(0.1),
            hours_to_alert: hours_at(0.5),
            hours_to_alert_slow: hours_at(0.9),
            votes_at_alert: mean(&at_alert, level),
            votes_per_subject: mean(&votes, level),
            false_alerts: share(closed().filter(|f| !f.is_real).map(is_alerted), level),
            missed: share(closed().filter(|f| f.is_real).map(|f| !is_alerted(f)), level),
        }
    }
}

pub(super) fn comparison(first: &Run, second: &Run, level: f64) -> Comparison {
    let pairs = || first.fates.iter().zip(&second.fates).filter(|(a, b)| a.is_closed() && b.is_closed());
    let difference = |of: fn(&Fate) -> f64, is_in: fn(&Fate) -> bool| {
        let those = pairs().filter(|(a, b)| is_in(a) && is_in(b));
        let values: Vec<f64> = those.map(|(a, b)| of(b) - of(a)).collect();
        mean(&values, level)
    };
    let real = pairs().filter(|(a, _)| a.is_real);
    let mut hours: Vec<f64> =
        real.filter_map(|(a, b)| Some(hours_to_alert(b)? - hours_to_alert(a)?)).collect();
    hours.sort_unstable_by(f64::total_cmp);
    Comparison {
        first: first.figures(level),
        second: second.figures(level),
        hours_to_alert: quantile(&hours, 0.5, level),
        votes_per_subject: difference(|f| f64::from(f.n_votes), is_retired),
        false_alerts: difference(|f| f64::from(u8::from(is_alerted(f))), |f| !f.is_real),
        missed: difference(|f| f64::from(u8::from(!is_alerted(f))), |f| f.is_real),
    }
}

fn is_alerted(fate: &Fate) -> bool {
    fate.alerted_ms.is_some()
}

fn is_retired(fate: &Fate) -> bool {
    fate.retired_ms.is_some()
}

fn hours_to_alert(fate: &Fate) -> Option<f64> {
    fate.alerted_ms.map(|at| (at - fate.arrived_ms) as f64 / MS_PER_HOUR)
}

fn share(cases: impl Iterator<Item = bool>, level: f64) -> Option<Estimate> {
    let (k, n) = cases.fold((0_u64, 0_u64), |(k, n), is| (k + u64::from(is), n + 1));
    let interval = jeffreys(k as f64, n as f64, level);
    (n > 0).then(|| Estimate { value: k as f64 / n as f64, low: interval.low, high: interval.high, n })
}

fn mean(values: &[f64], level: f64) -> Option<Estimate> {
    let n = values.len() as f64;
    if values.is_empty() {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    let half = match values.len() {
        1 => f64::INFINITY,
        _ => normal_half_width(level) * (squares / (n - 1.0) / n).sqrt(),
    };
    Some(Estimate { value: mean, low: mean - half, high: mean + half, n: values.len() as u64 })
}

/// A quantile of sorted values, with an interval between two of them.
fn quantile(sorted: &[f64], q: f64, level: f64) -> Option<Estimate> {
    let n = sorted.len();
    if n == 0 {
        return None;
    }
    let tail = (1.0 - level) / 2.0;
    // P(the r-th smallest lies above the quantile) = P(fewer than r of n lie below it).
    let above = |r: usize| beta_tail(r as f64, (n - r) as f64 + 1.0, q);
    // It rises with r: the last r with little, and the first with much of it.
    let ranks: Vec<usize> = (1..=n).collect();
    let low = ranks.partition_point(|r| above(*r) <= tail);
    let high = ranks.partition_point(|r| above(*r) < 1.0 - tail);
    let at = ((q * n as f64).ceil() as usize).clamp(1, n) - 1;
    let value = match n.is_multiple_of(2) && q == 0.5 {
        true => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
        false => sorted[at],
    };
    Some(Estimate {
        value,
        low: if low == 0 { f64::NEG_INFINITY } else { sorted[low - 1] },
        high: sorted.get(high).copied().unwrap_or(f64::INFINITY),
        n: n as u64,
    })
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;

    use super::*;

    #[test]
    fn the_interval_of_a_median_on_paper() {
        // n = 10 at 95 %: the second and the ninth value, 97.9 % (Conover 1999, table A3).
        let values: Vec<f64> = (1..=10).map(f64::from).collect();
        let median = quantile(&values, 0.5, 0.95).unwrap();
        assert_eq!((median.value, median.low, median.high), (5.5, 2.0, 9.0));
        // Five values cannot give 95 %: 1 − 2/32.
        let few = quantile(&values[..5], 0.5, 0.95).unwrap();
        assert_eq!((few.value, few.low, few.high), (3.0, f64::NEG_INFINITY, f64::INFINITY));
        assert!(quantile(&[], 0.5, 0.95).is_none() && mean(&[], 0.95).is_none());
        assert_eq!(mean(&[2.0], 0.95).unwrap().high, f64::INFINITY);
        assert!(share([].into_iter(), 0.95).is_none());
    }

    #[test]
    fn quantile_intervals_cover() {
        let mut rng = volary_core::seed::stream(5, "quantiles");
        for q in [0.1, 0.5, 0.9] {
            let covered = (0..1_000)
                .filter(|_| {
                    let mut values: Vec<f64> = (0..80).map(|_| rng.random::<f64>()).collect();
                    values.sort_unstable_by(f64::total_cmp);
                    let e = quantile(&values, q, 0.95).unwrap();
                    e.low <= q && q <= e.high
                })
                .count();
            assert!((935..=990).contains(&covered), "{q}: {covered} of 1,000");
        }
    }
}
