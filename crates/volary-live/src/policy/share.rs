//! A share as a fraction of integers, so that 80 % of ten votes is eight votes and never 7.999.

use serde::{Deserialize, Serialize};

use super::PolicyError;

/// A share as numerator and denominator, in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    numerator: u64,
    denominator: u64,
}

impl Share {
    /// One half.
    pub const HALF: Self = Self { numerator: 1, denominator: 2 };
    /// 80 %.
    pub const FOUR_FIFTHS: Self = Self { numerator: 4, denominator: 5 };

    /// As a number, for what is an estimate anyway.
    #[must_use]
    pub fn value(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }

    /// `numerator` of `denominator`, between 0 and 1.
    #[must_use]
    pub fn new(numerator: u64, denominator: u64) -> Option<Self> {
        let divisor = gcd(numerator, denominator);
        (denominator > 0 && numerator <= denominator)
            .then(|| Self { numerator: numerator / divisor, denominator: denominator / divisor })
    }

    /// Reads `0.8`, `4/5`, `80%`.
    ///
    /// # Errors
    /// [`PolicyError::Share`] for anything else.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let wrong = || PolicyError::Share(text.to_owned());
        let share = text.trim();
        let found = if let Some((over, under)) = share.split_once('/') {
            over.trim().parse().ok().zip(under.trim().parse().ok()).and_then(|(o, u)| Self::new(o, u))
        } else if let Some(percent) = share.strip_suffix('%') {
            decimal(percent.trim()).and_then(|(over, under)| Self::new(over, under.checked_mul(100)?))
        } else {
            decimal(share).and_then(|(over, under)| Self::new(over, under))
        };
        found.ok_or_else(wrong)
    }

    /// Whether `k` of `n` is at least this share; exact. Nothing of nothing is not.
    #[must_use]
    pub fn reached(self, k: u64, n: u64) -> bool {
        n > 0
            && u128::from(k) * u128::from(self.denominator) >= u128::from(n) * u128::from(self.numerator)
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}

fn decimal(text: &str) -> Option<(u64, u64)> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.chars().all(|c| c.is_ascii_digit());
    if part.len() > 15 || whole.is_empty() || !digits(whole) || !digits(part) {
        return None;
    }
    let under = 10_u64.pow(u32::try_from(part.len()).ok()?);
    let over = whole.parse::<u64>().ok()?.checked_mul(under)?;
    Some((over.checked_add(if part.is_empty() { 0 } else { part.parse().ok()? })?, under))
}

impl Serialize for Share {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{}/{}", self.numerator, self.denominator))
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Text(String),
            Number(f64),
        }
        // The shortest decimal that reads back as the same float is what somebody wrote: 0.8, not 0.8000….
        let text = match Written::deserialize(from)? {
            Written::Text(text) => text,
            Written::Number(number) => number.to_string(),
        };
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}
