//! Times made coarse: an exact time leaves in no tier, since one Talk comment a few seconds later names
//! its author.
//!
//! Buckets nest, so that a ladder can climb them: a week belongs to the quarter and the year of its Monday.

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
    // 1970-01-01 was a Thursday.
    let monday = day - (day + 3).rem_euclid(7);
    match resolution {
        Resolution::Day => day,
        Resolution::Week => monday,
        Resolution::Quarter => {
            let start = civil(monday);
            day_number(date(start.year(), (start.month() - 1) / 3 * 3 + 1, 1))
        }
        Resolution::Year => day_number(date(civil(monday).year(), 1, 1)),
        Resolution::None => 0,
    }
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
    // The last week of a bucket runs up to six days beyond it.
    let end = start.checked_add(months.months()).ok()?;
    Some((day_number(start), day_number(end) + 5))
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

    proptest! {
        #[test]
        fn buckets_nest_and_hold_their_days(ms in -9e15 as i64..9e16 as i64) {
            let day = day_of(ms);
            let ladder = [Resolution::Day, Resolution::Week, Resolution::Quarter, Resolution::Year];
            for (fine, coarse) in ladder.iter().zip(&ladder[1..]) {
                let through = bucket_text(bucket_start(day, *fine), *coarse);
                prop_assert_eq!(through, bucket_text(day, *coarse));
            }
            if (0..2_000_000).contains(&day) {
                for resolution in [Resolution::Week, Resolution::Quarter, Resolution::Year] {
                    let (first, last) = bucket_span(&bucket_text(day, resolution)).unwrap();
                    prop_assert!(first <= day && day <= last);
                }
            }
        }
    }
}
