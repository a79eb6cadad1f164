//! How deep does it nest? Asked before any JSON of a cell is parsed, since a parser that calls itself for
//! each level runs out of stack on a cell of a hundred thousand brackets.

/// Levels that are parsed; real cells have fewer than ten.
pub(super) const MAX_LEVELS: usize = 120;

/// Whether a JSON text nests no deeper than [`MAX_LEVELS`].
pub(super) fn is_shallow(json: &[u8]) -> bool {
    // A text with few opening brackets, which is nearly every one, cannot nest deeply.
    memchr::memchr2_iter(b'[', b'{', json).nth(MAX_LEVELS).is_none() || levels(json) <= MAX_LEVELS
}

fn levels(json: &[u8]) -> usize {
    let (mut level, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for &byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                level += 1;
                deepest = deepest.max(level);
            }
            b']' | b'}' => level = level.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_outside_strings() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(is_shallow(nested(MAX_LEVELS).as_bytes()));
        assert!(!is_shallow(nested(MAX_LEVELS + 1).as_bytes()));
        assert!(is_shallow("[{},".repeat(10).as_bytes()));
        assert!(is_shallow(format!("[{}]", "{},".repeat(5000)).as_bytes()));
        assert!(is_shallow(format!("\"{}\\\"{}\"", "[".repeat(500), "[".repeat(500)).as_bytes()));
        assert!(!is_shallow("{\"a\":".repeat(1000).as_bytes()));
    }
}
