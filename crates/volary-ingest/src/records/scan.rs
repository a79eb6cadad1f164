//! Where fields and records end: one pass over the bytes, sixty-four at a time.
//!
//! Langdale & Lemire 2019 (doi:10.1007/s00778-019-00578-5) find the strings of JSON by the parity of quotes;
//! the same serves CSV as long as every quote that opens stands at the start of a field or is the second of
//! a doubled one. Where one does not (`5" pipe`), those sixty-four bytes are read one by one by the rules of
//! the `csv` crate. Nothing is known here of records, rows or what a field says.

use wide::u8x64;

/// Bytes looked at together.
pub(super) const LANES: usize = 64;

/// What the scanner is in the middle of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// At the start of a field: a quote opens it.
    #[default]
    FieldStart,
    /// In a field that does not begin with a quote, or after its closing quote: quotes mean nothing.
    Plain,
    /// Inside quotes.
    Quoted,
    /// After a quote inside quotes: another one makes it a doubled one, anything else shows that it closed.
    QuoteInQuoted,
}

/// Finds delimiters and newlines outside quotes, across any number of pieces.
#[derive(Clone, Debug)]
pub(super) struct Scanner {
    delimiter: u8,
    state: State,
}

impl Scanner {
    /// A scanner at the start of a record.
    pub(super) fn new(delimiter: u8) -> Self {
        Self { delimiter, state: State::default() }
    }

    /// Whether the bytes so far end inside quotes.
    pub(super) fn is_quoted(&self) -> bool {
        self.state == State::Quoted
    }

    /// Appends the positions of delimiters and newlines outside quotes; the first of `bytes` is at `base`.
    pub(super) fn scan(&mut self, bytes: &[u8], base: u32, ends: &mut Vec<u32>) {
        let (chunks, rest) = bytes.as_chunks::<LANES>();
        let mut base = base;
        for chunk in chunks {
            if !self.regular(chunk, base, ends) {
                self.one_by_one(chunk, base, ends);
            }
            base += LANES as u32;
        }
        self.one_by_one(rest, base, ends);
    }

    /// Reads a chunk by the parity of its quotes; `false`, with nothing done, where parity does not tell.
    #[inline]
    fn regular(&mut self, chunk: &[u8; LANES], base: u32, ends: &mut Vec<u32>) -> bool {
        let (quotes, newlines) = (positions(chunk, b'"'), positions(chunk, b'\n'));
        let breaks = positions(chunk, self.delimiter) | newlines;
        let before = if self.state == State::Quoted { u64::MAX } else { 0 };
        let inside = parity(quotes) ^ before;
        let may_open_first = matches!(self.state, State::FieldStart | State::QuoteInQuoted);
        let may_open = (quotes | breaks) << 1 | u64::from(may_open_first);
        if quotes & inside & !may_open != 0 {
            return false;
        }
        let mut outside = breaks & !inside;
        while outside != 0 {
            ends.push(base + outside.trailing_zeros());
            outside &= outside - 1;
        }
        let last = 1 << (LANES - 1);
        self.state = if inside & last != 0 {
            State::Quoted
        } else if quotes & last != 0 {
            State::QuoteInQuoted
        } else if breaks & last != 0 {
            State::FieldStart
        } else {
            State::Plain
        };
        true
    }

    fn one_by_one(&mut self, bytes: &[u8], base: u32, ends: &mut Vec<u32>) {
        for (at, &byte) in (base..).zip(bytes) {
            let is_break = byte == self.delimiter || byte == b'\n';
            self.state = match self.state {
                State::FieldStart | State::QuoteInQuoted if byte == b'"' => State::Quoted,
                State::Quoted if byte == b'"' => State::QuoteInQuoted,
                State::Quoted => State::Quoted,
                _ if is_break => {
                    ends.push(at);
                    State::FieldStart
                }
                _ => State::Plain,
            };
        }
    }
}

/// Where a byte stands in a chunk, a bit for each.
#[inline]
pub(super) fn positions(chunk: &[u8; LANES], byte: u8) -> u64 {
    u8x64::from(*chunk).simd_eq(u8x64::splat(byte)).to_bitmask()
}

/// Bit i says whether an odd number of bits up to and with i are set.
#[inline]
pub(super) fn parity(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scan(bytes: &[u8], piece: usize, delimiter: u8) -> (Vec<u32>, State) {
        let (mut scanner, mut ends, mut base) = (Scanner::new(delimiter), Vec::new(), 0);
        for part in bytes.chunks(piece) {
            scanner.scan(part, base, &mut ends);
            base += part.len() as u32;
        }
        (ends, scanner.state)
    }

    proptest! {
        // One byte at a time never takes the fast path, whole pieces do.
        #[test]
        fn sixty_four_at_a_time_is_one_by_one(
            bytes in proptest::collection::vec(proptest::sample::select(b"a,\"\n\r\"b;\"".to_vec()), 0..700),
            piece in 1..300_usize,
            delimiter in proptest::sample::select(vec![b',', b';']),
        ) {
            let expected = scan(&bytes, 1, delimiter);
            prop_assert_eq!(scan(&bytes, bytes.len().max(1), delimiter), expected.clone());
            prop_assert_eq!(scan(&bytes, piece, delimiter), expected);
        }
    }

    #[test]
    fn quotes_at_the_edges_of_chunks() {
        for lead in 55..75 {
            for text in [r#""a,""b""",c"#, r#"5" pipe,"x","", """"#, r#""a"b"c,d",e"#, r#""","#] {
                let bytes = [&b"x".repeat(lead)[..], b",", text.as_bytes(), &b"z".repeat(64)].concat();
                assert_eq!(scan(&bytes, 500, b','), scan(&bytes, 1, b','), "{lead} {text}");
            }
        }
    }
}
