//! Time axes in UTC: bins of a humane width and ticks where days, months and years begin.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::scale::Tick;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;

/// Widths of bins with their names.
const WIDTHS: [(i64, &str); 15] = [
    (MINUTE, "minute"),
    (5 * MINUTE, "5 minutes"),
    (15 * MINUTE, "15 minutes"),
    (HOUR, "hour"),
    (3 * HOUR, "3 hours"),
    (6 * HOUR, "6 hours"),
    (12 * HOUR, "12 hours"),
    (DAY, "day"),
    (2 * DAY, "2 days"),
    (WEEK, "week"),
    (2 * WEEK, "2 weeks"),
    (4 * WEEK, "4 weeks"),
    (13 * WEEK, "13 weeks"),
    (52 * WEEK, "52 weeks"),
    (520 * WEEK, "520 weeks"),
];
/// Most bins of a time axis.
const MOST_BINS: i64 = 100;
/// Most ticks.
const MOST_TICKS: usize = 9;

/// Equal bins of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TimeBins {
    /// Start of the first, in milliseconds since 1970.
    pub(super) start: i64,
    /// Width.
    pub(super) width: i64,
    /// Width in words.
    pub(super) name: &'static str,
    /// How many fall into each.
    pub(super) counts: Vec<u64>,
}

/// Counts times (milliseconds since 1970) in bins that start at whole hours, days or Mondays.
pub(super) fn time_bins(times: &[i64]) -> Option<TimeBins> {
    let (first, last) = (*times.iter().min()?, *times.iter().max()?);
    let fits = |width: i64| (last - first) / width < MOST_BINS;
    let &(width, name) = WIDTHS.iter().find(|(width, _)| fits(*width)).or(WIDTHS.last())?;
    // 1970 began on a Thursday; Monday was three days before.
    let shift = if width >= WEEK { 3 * DAY } else { 0 };
    let start = (first + shift).div_euclid(width) * width - shift;
    let mut counts = vec![0; usize::try_from((last - start) / width).ok()? + 1];
    for time in times {
        counts[usize::try_from((time - start) / width).ok()?] += 1;
    }
    Some(TimeBins { start, width, name, counts })
}

/// Whether a time can be shown on a calendar.
pub(super) fn is_shown(ms: i64) -> bool {
    civil(ms).is_some_and(|t| t.year() > 1900 && t.year() < 2200)
}

fn civil(ms: i64) -> Option<DateTime> {
    Timestamp::from_millisecond(ms).ok().map(|t| TimeZone::UTC.to_datetime(t))
}

/// A day in words: "14 Nov 2023".
pub(super) fn day(ms: i64) -> String {
    civil(ms).map_or_else(String::new, |t| format!("{} {} {}", t.day(), month(t.month()), t.year()))
}

/// The start of a bin in words, with the clock where the bin is shorter than a day.
pub(super) fn moment(ms: i64, width: i64) -> String {
    match civil(ms) {
        Some(t) if width < DAY => format!("{} {:02}:{:02}", day(ms), t.hour(), t.minute()),
        _ => day(ms),
    }
}

fn month(number: i8) -> &'static str {
    const NAMES: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    NAMES[usize::try_from(number - 1).unwrap_or(0) % 12]
}

/// Ticks between two times, at most [`MOST_TICKS`].
pub(super) fn time_ticks(low: i64, high: i64) -> Vec<Tick> {
    let even = [MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR];
    let days = [DAY, 2 * DAY, WEEK, 2 * WEEK];
    let count = |step: i64| ((high - low) / step) as usize;
    if let Some(step) = even.into_iter().find(|step| count(*step) < MOST_TICKS) {
        return even_ticks(low, high, step, clock_label);
    }
    if let Some(step) = days.into_iter().find(|step| count(*step) < MOST_TICKS) {
        return even_ticks(low, high, step, day_label);
    }
    let months = [1, 2, 3, 6, 12, 24, 60, 120, 600];
    let ticks = months.into_iter().map(|step| month_ticks(low, high, step));
    ticks.into_iter().find(|ticks| ticks.len() <= MOST_TICKS).unwrap_or_default()
}

fn even_ticks(low: i64, high: i64, step: i64, label: fn(DateTime) -> String) -> Vec<Tick> {
    let shift = if step >= WEEK { 3 * DAY } else { 0 };
    let first = (low + shift + step - 1).div_euclid(step) * step - shift;
    let times = (0..=MOST_TICKS as i64).map(|i| first + i * step).take_while(|t| *t <= high);
    times.filter_map(|t| civil(t).map(|at| Tick { value: t as f64, label: label(at) })).collect()
}

fn clock_label(at: DateTime) -> String {
    if at.hour() == 0 && at.minute() == 0 {
        day_label(at)
    } else {
        format!("{:02}:{:02}", at.hour(), at.minute())
    }
}

fn day_label(at: DateTime) -> String {
    format!("{} {}", at.day(), month(at.month()))
}

fn month_ticks(low: i64, high: i64, step: i32) -> Vec<Tick> {
    let Some(start) = civil(low) else { return Vec::new() };
    let mut months = (i32::from(start.year()) * 12 + i32::from(start.month()) - 1) / step * step;
    let mut ticks = Vec::new();
    while ticks.len() <= MOST_TICKS {
        let (year, in_year) = (months.div_euclid(12), months.rem_euclid(12));
        let (Ok(year), Ok(in_year)) = (i16::try_from(year), i8::try_from(in_year)) else { break };
        let first = jiff::civil::Date::new(year, in_year + 1, 1).ok();
        let Some(at) = first.and_then(|d| d.to_zoned(TimeZone::UTC).ok()) else { break };
        let ms = at.timestamp().as_millisecond();
        if ms > high {
            break;
        }
        if ms >= low {
            let label =
                if step >= 12 { year.to_string() } else { format!("{} {year}", month(in_year + 1)) };
            ticks.push(Tick { value: ms as f64, label });
        }
        months += step;
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_700_000_000_000; // Tuesday, 14 November 2023, 22:13:20

    fn labels(span: i64) -> Vec<String> {
        time_ticks(START, START + span).into_iter().map(|t| t.label).collect()
    }

    #[test]
    fn ticks_are_where_a_calendar_has_them() {
        assert_eq!(labels(3 * HOUR), ["22:30", "23:00", "23:30", "15 Nov", "00:30", "01:00"]);
        assert_eq!(
            labels(4 * DAY),
            ["15 Nov", "12:00", "16 Nov", "12:00", "17 Nov", "12:00", "18 Nov", "12:00"]
        );
        assert_eq!(labels(20 * DAY), ["20 Nov", "27 Nov", "4 Dec"]);
        assert_eq!(labels(200 * DAY).first().map(String::as_str), Some("Dec 2023"));
        assert_eq!(
            labels(1500 * DAY),
            [
                "Jan 2024", "Jul 2024", "Jan 2025", "Jul 2025", "Jan 2026", "Jul 2026", "Jan 2027",
                "Jul 2027"
            ]
        );
        assert!(labels(0).is_empty());
    }

    #[test]
    fn every_time_falls_into_a_bin() {
        for span in [0, 1, HOUR, 40 * DAY, 4000 * DAY] {
            let times: Vec<i64> = (0..=100).map(|i| START + span * i / 100).collect();
            let bins = time_bins(&times).unwrap();
            assert_eq!(bins.counts.iter().sum::<u64>(), 101);
            assert!(bins.start <= START && bins.counts.len() <= 101 && bins.counts[0] > 0);
        }
        assert_eq!(time_bins(&[]), None);
        assert_eq!(day(START), "14 Nov 2023");
        assert_eq!(moment(START, HOUR), "14 Nov 2023 22:13");
        assert!(is_shown(START) && !is_shown(i64::MIN));
    }
}
