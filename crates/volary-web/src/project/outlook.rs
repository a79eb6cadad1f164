//! When the queue will be empty, if it goes on as it went: an interval, not a day.
//!
//! Retirements of the last two weeks of the record are taken as a Poisson count; its interval is Byar's
//! approximation (Breslow & Day 1987, p. 69) of the exact one, which it misses by less than three hundredths at three
//! events, and by less than half a hundredth from ten on. Nothing here knows today's date: the record's last day is the last day.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;
use volary_crowd::interval::normal_half_width;

/// Days that are looked back on.
const WINDOW_DAYS: i64 = 14;
const LEVEL: f64 = 0.95;
/// Retirements below which nothing is said.
const LEAST: u64 = 3;

/// How long the rest will take.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Outlook {
    /// Subjects that are not retired.
    n_left: u64,
    /// Subjects that were retired in the window.
    n_retired: u64,
    /// Days of the window, up to the last day of the record.
    window_days: i64,
    /// The last day of the record.
    last_day: String,
    /// Days until all are retired.
    days: f64,
    /// Lower end of the 95 % interval.
    days_low: f64,
    /// Upper end.
    days_high: f64,
}

impl Outlook {
    /// From the days on which something was classified, and how many were retired on which day. Nothing where all are
    /// retired, or too few were to say anything.
    pub(crate) fn of(
        n_left: u64,
        classified: &BTreeMap<String, u64>,
        retired: &BTreeMap<String, BTreeMap<String, u64>>,
    ) -> Option<Self> {
        let day = |text: &String| text.parse::<jiff::civil::Date>().ok();
        let days = classified.keys().chain(retired.keys()).filter_map(day);
        let (first, last) = (days.clone().min()?, days.max()?);
        let ago = |date: jiff::civil::Date| i64::from((last - date).get_days());
        let window_days = WINDOW_DAYS.min(ago(first) + 1);
        let in_window =
            retired.iter().filter(|(text, _)| day(text).is_some_and(|d| ago(d) < window_days));
        let n_retired: u64 = in_window.flat_map(|(_, reasons)| reasons.values()).sum();
        if n_left == 0 || n_retired < LEAST {
            return None;
        }
        let (low, high) = poisson(n_retired as f64, LEVEL);
        let needed = |count: f64| n_left as f64 * window_days as f64 / count;
        Some(Self {
            n_left,
            n_retired,
            window_days,
            last_day: last.to_string(),
            days: needed(n_retired as f64),
            days_low: needed(high),
            days_high: needed(low),
        })
    }
}

/// The interval of the mean of a Poisson count, by Byar.
fn poisson(n: f64, level: f64) -> (f64, f64) {
    let z = normal_half_width(level);
    let cube = |n: f64, sign: f64| n * (1.0 - 1.0 / (9.0 * n) + sign * z / (3.0 * n.sqrt())).powi(3);
    (cube(n, -1.0), cube(n + 1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_nearly_the_exact_one() {
        // Garwood's limits (half a quantile of chi-squared): n, lower, upper; how near.
        for (n, low, high, near) in [
            (3.0, 0.618_672, 8.767_27, 0.03),
            (10.0, 4.795_39, 18.390_36, 0.005),
            (100.0, 81.363_99, 121.627_2, 0.005),
        ] {
            let (l, h) = poisson(n, 0.95);
            assert!((l / low - 1.0).abs() < near && (h / high - 1.0).abs() < near, "{n}: {l} {h}");
        }
    }

    #[test]
    fn what_goes_on_as_it_went_ends_when_it_should() {
        let days =
            |n: i8| (1..=n).map(|d| (format!("2027-01-{d:02}"), 100_u64)).collect::<BTreeMap<_, _>>();
        let retired = |n: i8, each: u64| {
            (1..=n)
                .map(|d| (format!("2027-01-{d:02}"), BTreeMap::from([("consensus".to_owned(), each)])))
                .collect::<BTreeMap<_, _>>()
        };
        // Ten a day, three hundred left: thirty days, and the weeks before the last two say nothing.
        let mut old = retired(30, 10);
        for d in 1..=16 {
            old.insert(format!("2027-01-{d:02}"), BTreeMap::from([("consensus".to_owned(), 9_000)]));
        }
        let said = Outlook::of(300, &days(30), &old).unwrap();
        assert_eq!((said.n_retired, said.window_days, said.days), (140, 14, 30.0));
        assert_eq!(said.last_day, "2027-01-30");
        assert!(said.days_low < 30.0 && said.days_high > 30.0 && said.days_high < 36.5, "{said:?}");
        // Nobody retires on the last days: they count too.
        let slower = Outlook::of(300, &days(30), &retired(23, 10)).unwrap();
        assert_eq!(slower.n_retired, 70);
        assert_eq!(Outlook::of(0, &days(30), &old), None);
        assert_eq!(Outlook::of(300, &days(30), &retired(2, 1)), None, "too few");
        assert_eq!(Outlook::of(300, &BTreeMap::new(), &BTreeMap::new()), None);
        let short = Outlook::of(10, &days(2), &retired(2, 5)).unwrap();
        assert_eq!((short.window_days, short.days), (2, 2.0));
    }
}
