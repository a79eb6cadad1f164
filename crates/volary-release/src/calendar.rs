//! Times made coarse: an exact time leaves in no tier, since one Talk comment a few seconds later names
//! its author.
//!
//! Buckets nest, so that a ladder can climb them: a week belongs to the quarter and the year of its Monday.
//! A quarter and a year therefore begin with their first Monday.

use jiff::civil::{Date, date};
use jiff::{Span, ToSpan as _};

const MS_PER_DAY: i64 = 86_400_000;

/// How coarse a time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resolution {
    /// A calendar day, UTC. Not for the public.
    Day,
    /// A week, by its Monday.
    Week,
    /// A quarter.
    Quarter,
    /// A year.
    Year,
    /// No time at all.
    None,
}

impl Resolution {
    /// By its name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        [Self::Day, Self::Week, Self::Quarter, Self::Year, Self::None]
            .into_iter()
            .find(|r| r.name() == name)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Quarter => "quarter",
            Self::Year => "year",
            Self::None => "none",
        }
    }
}

/// Days since 1970 of a time in milliseconds.
#[must_use]
pub fn day_of(ms: i64) -> i32 {
    // Times beyond the calendar's ends are somebody's clock gone wrong; they stay at the ends.
    i32::try_from(ms.div_euclid(MS_PER_DAY)).unwrap_or(i32::MAX).clamp(-700_000, 2_900_000)
}

/// The first day, since 1970, of the bucket that a day is in.
#[must_use]
pub fn bucket_start(day: i32, resolution: Resolution) -> i32 {
    let monday = monday_before(day);
    match resolution {
        Resolution::Day => day,
        Resolution::Week => monday,
        Resolution::Quarter => {
            let start = civil(monday);
            first_monday(date(start.year(), (start.month() - 1) / 3 * 3 + 1, 1))
        }
        Resolution::Year => first_monday(date(civil(monday).year(), 1, 1)),
        Resolution::None => 0,
    }
}

/// The Monday of a day's week: the day itself or up to six days before it.
fn monday_before(day: i32) -> i32 {
    // 1970-01-01 was a Thursday.
    day - (day + 3).rem_euclid(7)
}

/// The first Monday on or after a date.
fn first_monday(of: Date) -> i32 {
    monday_before(day_number(of) + 6)
}

/// The bucket of a day as text: `2024-02-19`, `2024-Q1`, `2024`, or nothing.
#[must_use]
pub fn bucket_text(day: i32, resolution: Resolution) -> String {
    let start = civil(bucket_start(day, resolution));
    match resolution {
        Resolution::Day | Resolution::Week => start.to_string(),
        Resolution::Quarter => format!("{}-Q{}", start.year(), (start.month() - 1) / 3 + 1),
        Resolution::Year => start.year().to_string(),
        Resolution::None => String::new(),
    }
}

fn civil(day: i32) -> Date {
    date(1970, 1, 1).saturating_add(Span::new().days(day))
}

fn day_number(of: Date) -> i32 {
    (of - date(1970, 1, 1)).get_days()
}

/// The first and the last day of a bucket written as [`bucket_text`] writes it.
#[must_use]
pub fn bucket_span(text: &str) -> Option<(i32, i32)> {
    if let Ok(monday) = text.parse::<Date>() {
        let start = day_number(monday);
        return Some((start, start + 6));
    }
    let (year, quarter) = match text.split_once("-Q") {
        Some((year, quarter)) => (year, Some(quarter.parse::<i8>().ok()?)),
        None => (text, None),
    };
    let year: i16 = year.parse().ok()?;
    let (month, months) = match quarter {
        Some(q) if (1..=4).contains(&q) => (3 * q - 2, 3),
        Some(_) => return None,
        None => (1, 12),
    };
    let start = Date::new(year, month, 1).ok()?;
    let end = start.checked_add(months.months()).ok()?;
    Some((first_monday(start), first_monday(end) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_days() {
        let day = day_of(1_708_704_995_085); // 2024-02-23, a Friday
        assert_eq!(bucket_text(day, Resolution::Day), "2024-02-23");
        assert_eq!(bucket_text(day, Resolution::Week), "2024-02-19");
        assert_eq!(bucket_text(day, Resolution::Quarter), "2024-Q1");
        assert_eq!(bucket_text(day, Resolution::Year), "2024");
        assert_eq!(bucket_text(day, Resolution::None), "");
        // 1 January 2023 was a Sunday: its week, quarter and year are those of Monday 26 December.
        let sunday = day_number(date(2023, 1, 1));
        assert_eq!(bucket_text(sunday, Resolution::Week), "2022-12-26");
        assert_eq!(bucket_text(sunday, Resolution::Quarter), "2022-Q4");
        assert_eq!(bucket_text(sunday, Resolution::Year), "2022");
    }

    /// What every day must obey: its buckets nest, each says where it begins, and each holds its day.
    fn check_day(day: i32) -> Result<(), TestCaseError> {
        let ladder = [Resolution::Day, Resolution::Week, Resolution::Quarter, Resolution::Year];
        for (fine, coarse) in ladder.iter().zip(&ladder[1..]) {
            let through = bucket_start(bucket_start(day, *fine), *coarse);
            prop_assert_eq!(through, bucket_start(day, *coarse));
            prop_assert_eq!(bucket_text(through, *coarse), bucket_text(day, *coarse));
        }
        for resolution in [Resolution::Week, Resolution::Quarter, Resolution::Year] {
            if let Some((first, last)) = bucket_span(&bucket_text(day, resolution)) {
                prop_assert_eq!(first, bucket_start(day, resolution));
                prop_assert!(first <= day && day <= last);
                prop_assert!(
                    bucket_start(last, resolution) == first
                        && bucket_start(last + 1, resolution) != first
                );
            } else {
                // Beyond the calendar's ends there is no text to read back.
                prop_assert!(!(0..2_900_000).contains(&day));
            }
        }
        Ok(())
    }

    #[test]
    fn every_day_of_a_century_keeps_the_rules() {
        for day in day_number(date(1950, 1, 1))..day_number(date(2050, 1, 1)) {
            check_day(day).unwrap();
        }
    }

    proptest! {
        #[test]
        fn buckets_nest_and_hold_their_days(day in -700_000_i32..2_900_000) {
            check_day(day)?;
        }

        #[test]
        fn a_clock_gone_wrong_stays_within_the_calendar(ms: i64) {
            check_day(day_of(ms))?;
        }
    }
}
