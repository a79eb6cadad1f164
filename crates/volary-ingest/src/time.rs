//! Times as exports write them: `2024-02-23 16:17:42 UTC` and ISO 8601.

use jiff::Timestamp;

/// Milliseconds since 1970 UTC; `None` for text that is no time.
#[must_use]
pub fn parse_ms(text: &str) -> Option<i64> {
    // An export holds three times a row in two fixed forms; the general parser takes ten times as long.
    if let Some(ms) = parse_fixed(text.as_bytes()) {
        return Some(ms);
    }
    let text = text.trim();
    match text.strip_suffix(" UTC") {
        Some(bare) => format!("{bare}Z").parse::<Timestamp>().ok(),
        None => text.parse::<Timestamp>().ok(),
    }
    .map(Timestamp::as_millisecond)
}

/// `2024-02-23 16:17:42 UTC` and `2024-02-23T16:17:42.085Z`, from 1970 on; `None` for anything else, valid
/// or not.
fn parse_fixed(text: &[u8]) -> Option<i64> {
    let number = |from: usize, to: usize| {
        text[from..to]
            .iter()
            .try_fold(0_i64, |n, c| c.is_ascii_digit().then(|| n * 10 + i64::from(c - b'0')))
    };
    let millis = match text.len() {
        23 if text.ends_with(b" UTC") && text[10] == b' ' => 0,
        24 if text[10] == b'T' && text[19] == b'.' && text[23] == b'Z' => number(20, 23)?,
        _ => return None,
    };
    if [text[4], text[7], text[13], text[16]] != *b"--::" {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
    let before = *days_before.get(usize::try_from(month - 1).ok()?)?;
    let length =
        days_before.get(usize::try_from(month).ok()?)? - before + i64::from(is_leap && month == 2);
    if year < 1970 || day < 1 || day > length || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let leap_days = |y: i64| (y - 1) / 4 - (y - 1) / 100 + (y - 1) / 400;
    let days = 365 * (year - 1970) + leap_days(year) - leap_days(1970)
        + before
        + i64::from(is_leap && month > 2)
        + day
        - 1;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + millis)
}

/// A time as ISO 8601 with seconds, UTC.
#[must_use]
pub fn format_ms(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |t| t.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_fast_path_is_the_library(
            year in 1970..2100_i64, month in 0..14_i64, day in 0..33_i64, second in 0..90_000_i64, milli in 0..1000_i64
        ) {
            let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
            let text = format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{milli:03}Z");
            let library = text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond);
            prop_assert_eq!(parse_fixed(text.as_bytes()), library);
            let spaced = format!("{year:04}-{month:02}-{day:02} {h:02}:{m:02}:{s:02} UTC");
            prop_assert_eq!(parse_ms(&spaced), library.map(|ms| ms - milli));
        }

        #[test]
        fn no_text_panics(text in ".{0,30}") {
            let _ = parse_ms(&text);
        }
    }

    #[test]
    fn both_forms_and_nonsense() {
        assert_eq!(parse_ms("1970-01-02 00:00:01 UTC"), Some(86_401_000));
        assert_eq!(parse_ms("2024-02-23T16:16:35.085Z"), Some(1_708_704_995_085));
        assert_eq!(parse_ms("1970-01-01T01:00:00+01:00"), Some(0));
        for text in ["", "yesterday", "2024-13-01 00:00:00 UTC", "2024-02-23", " UTC"] {
            assert_eq!(parse_ms(text), None, "{text}");
        }
        assert_eq!(format_ms(0), "1970-01-01T00:00:00Z");
    }
}
