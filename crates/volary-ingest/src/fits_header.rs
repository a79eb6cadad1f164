//! The headers of FITS files (FITS 4.0, doi:10.1051/0004-6361/201015362): cards, their values, and how many
//! bytes of data follow. What the data are is read elsewhere: tables in [`crate::light_curves`], images in
//! [`crate::images`].
//!
//! Nothing is trusted, neither a size in a header nor its text: sizes saturate, and a header has a limit.

/// Headers and data come in blocks of so many bytes.
pub(crate) const BLOCK: usize = 2880;
/// A header is made of cards of so many bytes.
pub(crate) const CARD: usize = 80;
/// A header of more blocks than this is not one.
const MAX_HEADER_BLOCKS: usize = 1000;

/// One header card that holds a value.
#[derive(Clone, Debug, PartialEq)]
struct Card {
    key: String,
    value: String,
}

/// The cards of a header.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Header(Vec<Card>);

impl Header {
    /// A value as text, without quotes; the first of several names that is there.
    pub(crate) fn text(&self, keys: &[&str]) -> Option<&str> {
        let find = |key: &&str| self.0.iter().find(|c| c.key == *key).map(|c| c.value.as_str());
        keys.iter().find_map(find).filter(|v| !v.is_empty())
    }

    /// A value as a whole number that is not negative.
    pub(crate) fn whole(&self, key: &str) -> Option<u64> {
        self.text(&[key])?.parse().ok()
    }

    /// A value as a number.
    pub(crate) fn number(&self, key: &str) -> Option<f64> {
        // FITS also writes exponents with D.
        self.text(&[key])?.replace(['D', 'd'], "E").parse().ok()
    }
}

/// The header that begins at `at`, and where its data begin.
pub(crate) fn header(bytes: &[u8], at: usize) -> Option<(Header, usize)> {
    let mut cards = Vec::new();
    for block in 0..MAX_HEADER_BLOCKS {
        let start = at + block * BLOCK;
        for card in bytes.get(start..start + BLOCK)?.chunks_exact(CARD) {
            if card.starts_with(b"END     ") {
                return Some((Header(cards), start + BLOCK));
            }
            cards.extend(read_card(card));
        }
    }
    None
}

fn read_card(card: &[u8]) -> Option<Card> {
    if &card[8..10] != b"= " {
        return None;
    }
    let key = String::from_utf8_lossy(&card[..8]).trim_end().to_owned();
    let rest = String::from_utf8_lossy(&card[10..]).into_owned();
    let rest = rest.trim_start();
    let value = match rest.strip_prefix('\'') {
        Some(quoted) => read_quoted(quoted),
        None => rest.split('/').next().unwrap_or_default().trim().to_owned(),
    };
    Some(Card { key, value })
}

/// Text up to the closing quote; two quotes stand for one, blanks at the end do not count.
fn read_quoted(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\'' {
            if chars.peek() != Some(&'\'') {
                break;
            }
            chars.next();
        }
        out.push(c);
    }
    out.trim_end().to_owned()
}

/// |BITPIX|/8 · GCOUNT · (PCOUNT + NAXIS1 · …), saturating.
pub(crate) fn data_bytes(header: &Header) -> usize {
    let n_axes = header.whole("NAXIS").unwrap_or(0).min(999);
    if n_axes == 0 {
        return 0;
    }
    let bits = header.text(&["BITPIX"]).and_then(|b| b.parse::<i64>().ok()).unwrap_or(8);
    let axes = (1..=n_axes).map(|i| header.whole(&format!("NAXIS{i}")).unwrap_or(0));
    let elements = axes.fold(1_u64, u64::saturating_mul);
    let extra = header.whole("PCOUNT").unwrap_or(0);
    let groups = header.whole("GCOUNT").unwrap_or(1);
    let size =
        elements.saturating_add(extra).saturating_mul(groups).saturating_mul(bits.unsigned_abs() / 8);
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// Rounded up to whole blocks.
pub(crate) fn padded(size: usize) -> usize {
    size.div_ceil(BLOCK).saturating_mul(BLOCK)
}
