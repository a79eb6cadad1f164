//! The first line of a table: names of columns, where they stand, and the byte between fields.

use std::path::Path;

use super::fields::Fields;
use crate::error::IngestError;

/// The header of a table: names and where they stand.
#[derive(Clone, Debug)]
pub struct Header {
    /// Names in order, trimmed.
    pub names: Vec<String>,
    /// The byte between fields.
    pub delimiter: u8,
}

impl Header {
    /// The names of a header line; without a delimiter, the one that it shows.
    pub(super) fn parse(line: &[u8], delimiter: Option<u8>) -> Self {
        let delimiter = delimiter.unwrap_or_else(|| guess_delimiter(line));
        let mut ends = Vec::new();
        let fields = Fields::split(line, delimiter, &mut ends);
        let names = (0..fields.count()).map(|i| {
            let name = fields.bytes(i);
            String::from_utf8_lossy(&name).trim().trim_start_matches('\u{feff}').to_owned()
        });
        Self { names: names.collect(), delimiter }
    }

    /// Position of a column.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|n| n == name)
    }

    /// Position of the first of several names that is there.
    #[must_use]
    pub fn find_any(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|name| self.find(name))
    }
}

/// Positions of columns that must be there.
///
/// # Errors
/// [`IngestError::MissingColumns`] with all that are missing.
pub fn require<const N: usize>(
    header: &Header,
    names: [&str; N],
    expected: &'static str,
    path: &Path,
) -> Result<[usize; N], IngestError> {
    let missing: Vec<&str> = names.into_iter().filter(|n| header.find(n).is_none()).collect();
    if missing.is_empty() {
        return Ok(names.map(|n| header.find(n).unwrap_or_default()));
    }
    Err(IngestError::MissingColumns {
        missing: missing.join(", "),
        found: header.names.join(", "),
        expected,
        path: path.to_owned(),
    })
}

/// Position of the newline that ends the header, if it is there; blank lines before it count as part.
pub(super) fn header_end(buffer: &[u8], at_end: bool) -> Option<usize> {
    let mut in_quotes = false;
    for (i, &byte) in buffer.iter().enumerate() {
        match byte {
            b'"' => in_quotes = !in_quotes,
            b'\n' if !in_quotes => return Some(i),
            _ => {}
        }
    }
    at_end.then_some(buffer.len())
}

fn guess_delimiter(line: &[u8]) -> u8 {
    let outside: Vec<u8> = {
        let mut in_quotes = false;
        line.iter()
            .copied()
            .filter(|&b| {
                in_quotes ^= b == b'"';
                !in_quotes
            })
            .collect()
    };
    // A tab in a header is never part of a name; a space usually is, so it comes last.
    let candidates = [b'\t', b',', b';', b' '];
    candidates.into_iter().find(|d| outside.contains(d)).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_are_guessed_from_the_header() {
        for (line, expected) in [
            ("a,b c", b','),
            ("a\tb,c", b'\t'),
            ("a\tb", b'\t'),
            ("a;b", b';'),
            ("a b", b' '),
            ("a", b','),
        ] {
            assert_eq!(guess_delimiter(line.as_bytes()), expected, "{line}");
        }
    }
}
