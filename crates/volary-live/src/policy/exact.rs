//! Exact numbers: fractions of integers. What does not fit says so instead of being rounded.

use std::cmp::Ordering;

/// A fraction in lowest terms, its denominator above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exact {
    over: i128,
    under: i128,
}

/// So many digits are read after the point.
const MAX_DIGITS: usize = 15;

impl Exact {
    /// `over` / `under`; `None` where `under` is zero.
    pub(super) fn new(over: i128, under: i128) -> Option<Self> {
        let divisor = gcd(over.checked_abs()?, under.checked_abs()?);
        if under == 0 || divisor == 0 {
            return None;
        }
        let sign = under.signum();
        Some(Self { over: sign * (over / divisor), under: sign * (under / divisor) })
    }

    pub(super) fn whole(number: u64) -> Self {
        Self { over: i128::from(number), under: 1 }
    }

    /// Reads `12`, `-0.8`, `+3.50`. No exponents: `1e300` is no number of votes.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (sign, digits) = match text.as_bytes().first()? {
            b'-' => (-1, &text[1..]),
            b'+' => (1, &text[1..]),
            _ => (1, text),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let is_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if part.len() > MAX_DIGITS || whole.is_empty() || !is_digits(whole) || !is_digits(part) {
            return None;
        }
        let under = 10_i128.pow(u32::try_from(part.len()).ok()?);
        let over = whole.parse::<i128>().ok()?.checked_mul(under)?;
        let part = if part.is_empty() { 0 } else { part.parse::<i128>().ok()? };
        Self::new(sign * over.checked_add(part)?, under)
    }

    /// A probability or another estimate, to nine digits: more than votes can tell, and the same on every
    /// processor.
    pub(super) fn of_estimate(value: f64) -> Option<Self> {
        let scaled = (value * 1e9).round();
        (scaled.abs() < 1e18).then(|| Self::new(scaled as i128, 1_000_000_000)).flatten()
    }

    pub(super) fn add(self, other: Self) -> Option<Self> {
        let (left, right) = (self.over.checked_mul(other.under)?, other.over.checked_mul(self.under)?);
        Self::new(left.checked_add(right)?, self.under.checked_mul(other.under)?)
    }

    pub(super) fn times(self, other: Self) -> Option<Self> {
        Self::new(self.over.checked_mul(other.over)?, self.under.checked_mul(other.under)?)
    }

    pub(super) fn negative(self) -> Self {
        Self { over: -self.over, under: self.under }
    }

    /// `None` where even 128 bits are too few.
    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        Some(self.over.checked_mul(other.under)?.cmp(&other.over.checked_mul(self.under)?))
    }
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_number_is_none() {
        for text in
            ["", " ", "-", ".5", "1e3", "0x1", "nan", "1.2.3", "½", "1_000", "0.1234567890123456"]
        {
            assert_eq!(Exact::parse(text), None, "{text}");
        }
        assert_eq!(Exact::new(1, 0), None);
        assert_eq!(Exact::of_estimate(f64::NAN), None);
        assert_eq!(Exact::of_estimate(1e300), None);
        assert_eq!(Exact::parse("0.80"), Exact::new(4, 5));
        assert_eq!(Exact::parse(" -12 "), Exact::new(-12, 1));
        assert_eq!(Exact::of_estimate(0.8), Exact::new(4, 5));
    }

    proptest! {
        #[test]
        fn arithmetic_is_that_of_fractions(a in -999_i128..999, b in 1_i128..999, c in -999_i128..999, d in 1_i128..999) {
            let (x, y) = (Exact::new(a, b).unwrap(), Exact::new(c, d).unwrap());
            prop_assert_eq!(x.add(y).unwrap(), Exact::new(a * d + c * b, b * d).unwrap());
            prop_assert_eq!(x.times(y).unwrap(), Exact::new(a * c, b * d).unwrap());
            prop_assert_eq!(x.compare(y).unwrap(), (a * d).cmp(&(c * b)));
            prop_assert_eq!(x.add(x.negative()).unwrap(), Exact::whole(0));
        }

        #[test]
        fn huge_numbers_are_none_and_no_panic(a: i128, b: i128, c: i128, d: i128) {
            if let (Some(x), Some(y)) = (Exact::new(a, b), Exact::new(c, d)) {
                let _ = (x.add(y), x.times(y), x.compare(y), x.negative());
            }
        }
    }
}
