//! Workflow versions: two whole numbers with a dot between them. `2.10` is ten minor versions after
//! `2.0`, not the same as `2.1`; spreadsheets and data frames that read it as a decimal lose that.

use std::fmt;

/// A workflow version: `major` counts changes of the tasks, `minor` changes of the texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Changes of the tasks.
    pub major: u64,
    /// Changes of the texts.
    pub minor: u64,
}

impl Version {
    /// Reads `16.55`, or `16` as `16.0`.
    ///
    /// ```
    /// use volary_ingest::panoptes::version::Version;
    /// assert!(Version::parse("2.10") > Version::parse("2.9"));
    /// assert_eq!(Version::parse("two"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (major, minor) = Bound::parse(text).map(|b| (b.major, b.minor))?;
        Some(Self { major, minor: minor.unwrap_or(0) })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A version whose minor number may be left open: `16` means every `16.x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bound {
    major: u64,
    minor: Option<u64>,
}

impl Bound {
    fn parse(text: &str) -> Option<Self> {
        let number = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            if digits { part.parse::<u64>().ok() } else { None }
        };
        match text.trim().split_once('.') {
            Some((major, minor)) => Some(Self { major: number(major)?, minor: Some(number(minor)?) }),
            None => Some(Self { major: number(text.trim())?, minor: None }),
        }
    }

    fn lowest(self) -> Version {
        Version { major: self.major, minor: self.minor.unwrap_or(0) }
    }

    fn highest(self) -> Version {
        Version { major: self.major, minor: self.minor.unwrap_or(u64::MAX) }
    }
}

/// Which workflow versions to take; the default takes all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VersionFilter {
    min: Option<Version>,
    max: Option<Version>,
}

/// A version that is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a workflow version is a whole number or two with a dot (16 or 16.55), not {0:?}")]
pub struct BadVersion(pub String);

impl VersionFilter {
    /// Only this version: `16.55`, or `16` for all minor versions of 16.
    ///
    /// # Errors
    /// [`BadVersion`] for anything else.
    pub fn only(text: &str) -> Result<Self, BadVersion> {
        Self::range(Some(text), Some(text))
    }

    /// From `min` to `max`, both included; `44` as `max` includes every `44.x`.
    ///
    /// # Errors
    /// [`BadVersion`] for anything that is no version.
    pub fn range(min: Option<&str>, max: Option<&str>) -> Result<Self, BadVersion> {
        let bound = |text: Option<&str>| {
            text.map(|t| Bound::parse(t).ok_or_else(|| BadVersion(t.to_owned()))).transpose()
        };
        Ok(Self { min: bound(min)?.map(Bound::lowest), max: bound(max)?.map(Bound::highest) })
    }

    /// Whether every version is taken.
    #[must_use]
    pub fn takes_all(self) -> bool {
        self.min.is_none() && self.max.is_none()
    }

    /// Whether a row with this version is taken. Text that is no version is taken only where all are.
    #[must_use]
    pub fn accepts(&self, version: &str) -> bool {
        if self.takes_all() {
            return true;
        }
        Version::parse(version)
            .is_some_and(|v| self.min.is_none_or(|min| v >= min) && self.max.is_none_or(|max| v <= max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_two_numbers_and_never_decimals() {
        assert_ne!(Version::parse("2.10"), Version::parse("2.1"));
        assert!(Version::parse("2.10") > Version::parse("2.9"));
        assert_eq!(Version::parse("16"), Some(Version { major: 16, minor: 0 }));
        assert_eq!(Version::parse("16.55").map(|v| v.to_string()).as_deref(), Some("16.55"));
        for text in ["", "a", "1.", ".1", "1.2.3", "-1.2", "1e3", "99999999999999999999.1", "+1"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }

    #[test]
    fn filters() {
        let check = |filter: VersionFilter, yes: &[&str], no: &[&str]| {
            assert!(yes.iter().all(|v| filter.accepts(v)), "{filter:?} {yes:?}");
            assert!(!no.iter().any(|v| filter.accepts(v)), "{filter:?} {no:?}");
        };
        let only = |t| VersionFilter::only(t).unwrap();
        let range = |a, b| VersionFilter::range(a, b).unwrap();
        check(only("16.55"), &["16.55"], &["16.5", "16.550", "17.55", ""]);
        check(only("16"), &["16.0", "16.999", "16"], &["15.9", "17.0"]);
        check(only("2.1"), &["2.1"], &["2.10"]);
        check(
            range(Some("44"), Some("57.37")),
            &["44.0", "50.1", "57.37"],
            &["43.9", "57.38", "57.100"],
        );
        check(range(Some("306"), Some("307")), &["306.76", "307.77"], &["308.0"]);
        check(range(Some("100"), None), &["100.0", "200.1"], &["75.2"]);
        check(VersionFilter::default(), &["1.1", "", "nonsense"], &[]);
        assert_eq!(VersionFilter::only("x"), Err(BadVersion("x".to_owned())));
    }
}
