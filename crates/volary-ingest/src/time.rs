//! Times as exports write them: `2024-02-23 16:17:42 UTC` and ISO 8601.

use jiff::Timestamp;

/// Milliseconds since 1970 UTC; `None` for text that is no time.
#[must_use]
pub fn parse_ms(text: &str) -> Option<i64> {
    let text = text.trim();
    let Some(bare) = text.strip_suffix(" UTC") else {
        return text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond);
    };
    // The platform's own form is common enough to be worth a fixed buffer instead of an allocation.
    let mut buffer = [0_u8; 40];
    let n = bare.len();
    if n + 1 > buffer.len() {
        return None;
    }
    buffer[..n].copy_from_slice(bare.as_bytes());
    buffer[n] = b'Z';
    std::str::from_utf8(&buffer[..=n]).ok()?.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// A time as ISO 8601 with seconds, UTC.
#[must_use]
pub fn format_ms(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |t| t.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

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
