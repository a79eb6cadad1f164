//! Workflow versions: `major.minor` as two whole numbers, never as one decimal (`2.10` is not `2.1`).

use std::fmt;
use std::str::FromStr;

/// A workflow version. The major number changes with the tasks, the minor with their wording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Tasks.
    pub major: u64,
    /// Wording.
    pub minor: u64,
}

/// Text that is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a workflow version such as 16.55")]
pub struct NotAVersion(pub String);

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let bad = || NotAVersion(text.to_owned());
        let (major, minor) = text.trim().split_once('.').unwrap_or((text.trim(), "0"));
        Ok(Self { major: major.parse().map_err(|_| bad())?, minor: minor.parse().map_err(|_| bad())? })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A bound as people write it: `16.55`, or `16` for the major version with all its minors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bound {
    major: u64,
    minor: Option<u64>,
}

impl Bound {
    fn parse(text: &str) -> Result<Self, NotAVersion> {
        let version: Version = text.parse()?;
        Ok(Self { major: version.major, minor: text.contains('.').then_some(version.minor) })
    }
}

/// Which workflow versions are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionFilter {
    only: Option<Bound>,
    min: Option<Bound>,
    max: Option<Bound>,
}

impl VersionFilter {
    /// From the texts of `--version`, `--min-version` and `--max-version`; bounds are inclusive, and a
    /// bare major number stands for all its minors.
    ///
    /// # Errors
    /// [`NotAVersion`] with the text that is none.
    pub fn new(only: Option<&str>, min: Option<&str>, max: Option<&str>) -> Result<Self, NotAVersion> {
        let bound = |text: Option<&str>| text.map(Bound::parse).transpose();
        Ok(Self { only: bound(only)?, min: bound(min)?, max: bound(max)? })
    }

    /// Whether every version is wanted.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a version is wanted. Text that is no version is wanted only where everything is.
    #[must_use]
    pub fn accepts(&self, text: &str) -> bool {
        if self.is_open() {
            return true;
        }
        let Ok(version) = text.parse::<Version>() else { return false };
        let is_same = |b: Bound| version.major == b.major && b.minor.is_none_or(|m| m == version.minor);
        let is_from = |b: Bound| (version.major, version.minor) >= (b.major, b.minor.unwrap_or(0));
        let is_to = |b: Bound| (version.major, version.minor) <= (b.major, b.minor.unwrap_or(u64::MAX));
        self.only.is_none_or(is_same) && self.min.is_none_or(is_from) && self.max.is_none_or(is_to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_two_numbers() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        assert!(version("2.10") > version("2.9") && version("2.10") != version("2.1"));
        assert_eq!(version("16").to_string(), "16.0");
        for text in ["", "x", "1.x", "1.2.3", "-1.2"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }

    #[test]
    fn filters_are_inclusive() {
        let filter = |only, min, max| VersionFilter::new(only, min, max).unwrap();
        assert!(filter(None, None, None).accepts("anything"));
        let check = |f: &VersionFilter, yes: &[&str], no: &[&str]| {
            yes.iter().for_each(|v| assert!(f.accepts(v), "{v}"));
            no.iter().for_each(|v| assert!(!f.accepts(v), "{v}"));
        };
        check(&filter(Some("16.55"), None, None), &["16.55"], &["16.5", "16.54", "", "x"]);
        check(&filter(Some("3"), None, None), &["3.0", "3.99"], &["30.1", "2.3"]);
        check(&filter(None, Some("44"), Some("57.37")), &["44.0", "57.37", "50.1"], &["43.9", "57.38"]);
        check(&filter(None, Some("306"), Some("307")), &["306.1", "307.77"], &["308.0"]);
    }
}
