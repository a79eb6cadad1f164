//! One record's fields: a view of its bytes, and how quotes come off.
//!
//! Where fields end was found when the record was cut out ([`super::scan`]); nothing is searched twice.

use std::borrow::Cow;

use memchr::memchr;

use super::scan::{LANES, Scanner, parity, positions};

/// The fields of one record.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'b> {
    /// What holds the record, and often more than it.
    bytes: &'b [u8],
    start: usize,
    end: usize,
    /// Where all fields but the last end.
    ends: &'b [u32],
}

impl<'b> Fields<'b> {
    pub(super) fn new(bytes: &'b [u8], (start, end): (usize, usize), ends: &'b [u32]) -> Self {
        Self { bytes, start, end, ends }
    }

    /// Splits a record that stands by itself, without its line end; `ends` is a place to keep positions.
    pub(super) fn split(line: &'b [u8], delimiter: u8, ends: &'b mut Vec<u32>) -> Self {
        ends.clear();
        Scanner::new(delimiter).scan(line, 0, ends);
        ends.retain(|&at| line[at as usize] == delimiter);
        Self { bytes: line, start: 0, end: line.len(), ends }
    }

    /// The whole record, without its line end.
    #[must_use]
    pub fn line(&self) -> &'b [u8] {
        &self.bytes[self.start..self.end]
    }

    /// How many fields there are: at least one.
    #[must_use]
    pub fn count(&self) -> usize {
        self.ends.len() + 1
    }

    /// A field as it stands in the file, quotes and all; empty where there is none.
    #[must_use]
    pub fn raw(&self, index: usize) -> &'b [u8] {
        if index > self.ends.len() {
            return &[];
        }
        let start = index.checked_sub(1).map_or(self.start, |before| self.ends[before] as usize + 1);
        let end = self.ends.get(index).map_or(self.end, |&end| end as usize);
        &self.bytes[start..end]
    }

    /// A field's content without its quotes.
    #[must_use]
    pub fn bytes(&self, index: usize) -> Cow<'b, [u8]> {
        let raw = self.raw(index);
        let Some(inner) = raw.strip_prefix(b"\"") else { return Cow::Borrowed(raw) };
        match memchr(b'"', inner) {
            None => Cow::Borrowed(inner),
            Some(close) if close + 1 == inner.len() => Cow::Borrowed(&inner[..close]),
            Some(_) => {
                let mut out = Vec::new();
                unquote(inner, &mut out);
                Cow::Owned(out)
            }
        }
    }

    /// A field's content, written over `out` (for reuse of its memory).
    pub fn write(&self, index: usize, out: &mut Vec<u8>) {
        let raw = self.raw(index);
        match raw.strip_prefix(b"\"") {
            Some(inner) => unquote(inner, out),
            None => {
                out.clear();
                out.extend_from_slice(raw);
            }
        }
    }
}

/// Writes a field over `out`, given from behind its opening quote: doubled quotes become one, the closing
/// one goes. Anything between the closing quote and the field's end is kept, as the `csv` crate does; it
/// only occurs in broken files, where it shows up in the value.
fn unquote(inner: &[u8], out: &mut Vec<u8>) {
    // Room to copy more than is wanted; what follows overwrites it.
    out.resize(inner.len() + LANES, 0);
    let (mut n, mut at, mut half) = (0, 0, false);
    // Only pieces with bytes behind them: the closing quote is left to the careful end.
    while let Some(chunk) = inner.get(at..).and_then(<[u8]>::first_chunk::<LANES>) {
        let quotes = positions(chunk, b'"');
        // Within quotes the first of two leads out, the second in again.
        let inside = parity(quotes) ^ if half { 0 } else { u64::MAX };
        let (first, second) = (quotes & !inside, quotes & inside);
        if (first << 1 | u64::from(half)) & !second != 0 {
            break;
        }
        let (mut from, mut left) = (0, second);
        while left != 0 {
            let to = left.trailing_zeros() as usize;
            n = copy(chunk, from, to, n, out);
            from = to + 1;
            left &= left - 1;
        }
        n = copy(chunk, from, LANES, n, out);
        half = first >> (LANES - 1) == 1;
        at += LANES;
    }
    out.truncate(n);
    if half {
        // The first of two is written already; the careful end begins with it.
        out.pop();
        at -= 1;
    }
    unquote_carefully(&inner[at..], out);
}

/// Copies `chunk[from..to]` to `out[n..]` and returns the new `n`. Short pieces are copied in one go of a
/// fixed length, since they are nearly all there are.
#[inline]
fn copy(chunk: &[u8; LANES], from: usize, to: usize, n: usize, out: &mut [u8]) -> usize {
    const SHORT: usize = 16;
    if to - from <= SHORT && from + SHORT <= LANES {
        out[n..n + SHORT].copy_from_slice(&chunk[from..from + SHORT]);
    } else {
        out[n..n + to - from].copy_from_slice(&chunk[from..to]);
    }
    n + to - from
}

fn unquote_carefully(mut raw: &[u8], out: &mut Vec<u8>) {
    let mut has_closed = false;
    while let Some(i) = memchr(b'"', raw) {
        let is_doubled = raw.get(i + 1) == Some(&b'"');
        let is_last = i + 1 == raw.len();
        let keep = if is_last && !has_closed { i } else { i + 1 };
        out.extend_from_slice(&raw[..keep]);
        has_closed |= !is_doubled;
        raw = &raw[i + 1 + usize::from(is_doubled)..];
    }
    out.extend_from_slice(raw);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(line: &[u8]) -> Vec<Vec<u8>> {
        let mut ends = Vec::new();
        let fields = Fields::split(line, b',', &mut ends);
        let raw: Vec<&[u8]> = (0..fields.count()).map(|i| fields.raw(i)).collect();
        assert_eq!(raw.join(&b','), line);
        let mut out = Vec::new();
        (0..fields.count())
            .map(|i| {
                fields.write(i, &mut out);
                assert_eq!(out, *fields.bytes(i));
                out.clone()
            })
            .collect()
    }

    #[test]
    fn quotes_come_off_and_broken_fields_show_what_is_left() {
        for (line, expected) in [
            ("", vec![""]),
            (",", vec!["", ""]),
            (r#""a,""b""",c,"#, vec![r#"a,"b""#, "c", ""]),
            (r#""","""""#, vec!["", r#"""#]),
            (r#"5" pipe,x"#, vec![r#"5" pipe"#, "x"]),
            (r#""a"b"",c"#, vec![r#"a"b""#, "c"]),
            (r#""open"#, vec!["open"]),
        ] {
            let expected: Vec<Vec<u8>> = expected.into_iter().map(|t| t.as_bytes().to_vec()).collect();
            assert_eq!(all(line.as_bytes()), expected, "{line}");
        }
    }

    proptest! {
        // The same by way of `str::replace`, on fields long enough for the fast path.
        #[test]
        fn doubled_quotes_become_one(text in "[a\"é ,]{0,40}(a{30}[a\"]{0,3}){0,8}") {
            let line = format!("\"{}\"", text.replace('"', "\"\""));
            prop_assert_eq!(all(line.as_bytes()), vec![text.into_bytes()]);
        }

        #[test]
        fn the_fast_way_is_the_careful_way(
            inner in proptest::collection::vec(proptest::sample::select(b"abcdefg\"\"".to_vec()), 0..400)
        ) {
            let (mut fast, mut careful) = (Vec::new(), Vec::new());
            unquote(&inner, &mut fast);
            unquote_carefully(&inner, &mut careful);
            prop_assert_eq!(fast, careful);
        }
    }
}
