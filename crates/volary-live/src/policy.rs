//! The rules, by settings: what alerts, what retires, who counts.
//!
//! Agreement is a fraction of integers, never a float: 0.8 is read as 4/5 and compared by cross
//! multiplication. A policy's version is the hash of its content, stored with every decision.

use serde::{Deserialize, Serialize};

/// A share as numerator and denominator, in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    numerator: u64,
    denominator: u64,
}

/// Why a share or a policy cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not a share.
    #[error("{0:?} is no share between 0 and 1; write 0.8, \"4/5\" or \"80 %\"")]
    Share(String),
    /// A rule that can never be met, or always is.
    #[error("rule {rule:?}: {what}")]
    Rule {
        /// Its name.
        rule: String,
        /// What is wrong and what to do.
        what: &'static str,
    },
    /// Two rules of one name.
    #[error("two rules are named {0:?}; an alert is known by its rule's name, so rename one")]
    SameName(String),
    /// Nothing ever retires.
    #[error("retire_at is 0; give the number of votes at which a subject is done, 14 say")]
    RetireAt,
}

impl Share {
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

/// Which of a person's votes on one subject counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeats {
    /// The first.
    #[default]
    KeepFirst,
    /// The last.
    KeepLast,
    /// Each of them.
    KeepAll,
}

/// How votes without a login count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anonymous {
    /// A session is a person.
    #[default]
    OnePerSession,
    /// Each vote is a person, as in Caesar. One forger with a script is then a crowd.
    EachEvent,
    /// In the labels and towards retirement, one per session, but not in alert rules.
    NotForAlerts,
}

/// What may happen before a subject has been announced by a subject event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownSubjects {
    /// Votes count: whoever sends them has shown the subject to people.
    #[default]
    Count,
    /// Votes wait until the subject is known.
    Park,
}

/// Who is in the denominator of agreement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Denominator {
    /// All who classified, "not sure" and empty answers included.
    #[default]
    All,
    /// Those whose answer is neither neutral nor empty.
    Decided,
}

/// When a subject alerts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name; a subject alerts once per name.
    pub name: String,
    /// The workflow that it looks at; every workflow if absent.
    #[serde(default)]
    pub workflow: Option<String>,
    /// The task whose answers count.
    #[serde(default = "first_task")]
    pub task: String,
    /// The answers that speak for an alert. Several classes of "real" are one here.
    pub positive: Vec<String>,
    /// The answers that speak neither for nor against.
    #[serde(default)]
    pub neutral: Vec<String>,
    /// Fewest positive votes.
    pub min_positive: u64,
    /// Least agreement.
    pub min_agreement: Share,
    /// Who is in the denominator.
    #[serde(default)]
    pub denominator: Denominator,
    /// How sure a type must be before it is stated (0.9); no types if absent. Of `positive`, with a flat
    /// prior: the probability that the leader is really ahead of the second.
    #[serde(default)]
    pub type_sure: Option<f64>,
}

fn first_task() -> String {
    "T0".to_owned()
}

/// Everything that decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The project, for credit draws and reports.
    #[serde(default)]
    pub project: String,
    /// Votes at which a subject retires, whatever the answer.
    pub retire_at: u64,
    /// Votes at which a subject with an alert retires even if its type is not determined.
    #[serde(default)]
    pub n_max: Option<u64>,
    /// Repeats of one person.
    #[serde(default)]
    pub repeats: Repeats,
    /// Votes without a login.
    #[serde(default)]
    pub anonymous: Anonymous,
    /// Votes on subjects that nobody announced.
    #[serde(default)]
    pub unknown_subjects: UnknownSubjects,
    /// What alerts.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Rule>,
}

impl Default for Policy {
    /// Kilonova Seekers.
    fn default() -> Self {
        Self::kilonova_seekers("kilonova-seekers", "T0", "real")
    }
}

impl Policy {
    /// At least 8 votes for `positive` and at least 80 % agreement; retirement at 14.
    #[must_use]
    pub fn kilonova_seekers(project: &str, task: &str, positive: &str) -> Self {
        let rule = Rule {
            name: "alert".to_owned(),
            workflow: None,
            task: task.to_owned(),
            positive: vec![positive.to_owned()],
            neutral: Vec::new(),
            min_positive: 8,
            min_agreement: Share { numerator: 4, denominator: 5 },
            denominator: Denominator::All,
            type_sure: None,
        };
        Self {
            project: project.to_owned(),
            retire_at: 14,
            n_max: None,
            repeats: Repeats::default(),
            anonymous: Anonymous::default(),
            unknown_subjects: UnknownSubjects::default(),
            rules: vec![rule],
        }
    }

    /// Its version: the start of the hash of its content.
    #[must_use]
    pub fn version(&self) -> String {
        let content = serde_json::to_vec(self).expect("plain values always serialise");
        blake3::hash(&content).to_hex()[..16].to_owned()
    }

    /// Checks what the types leave open.
    ///
    /// # Errors
    /// [`PolicyError`] says which rule and what to do.
    pub fn check(&self) -> Result<(), PolicyError> {
        if self.retire_at == 0 {
            return Err(PolicyError::RetireAt);
        }
        for (at, rule) in self.rules.iter().enumerate() {
            let wrong = |what| Err(PolicyError::Rule { rule: rule.name.clone(), what });
            if rule.name.trim().is_empty() {
                return wrong("it has no name; give it one");
            }
            if self.rules[..at].iter().any(|other| other.name == rule.name) {
                return Err(PolicyError::SameName(rule.name.clone()));
            }
            if rule.positive.is_empty() {
                return wrong("no positive answer; name at least one");
            }
            if rule.min_positive == 0 {
                return wrong(
                    "min_positive is 0, so that one vote for anything may alert; use 1 or more",
                );
            }
            if rule.min_positive > self.retire_at {
                return wrong("min_positive is beyond retire_at, so that it never alerts; lower it");
            }
            if rule.positive.iter().any(|answer| rule.neutral.contains(answer)) {
                return wrong("an answer is both positive and neutral; take it out of one list");
            }
            if rule.type_sure.is_some_and(|sure| !(sure > 0.5 && sure < 1.0)) {
                return wrong("type_sure must lie between 0.5 and 1; 0.9 is usual");
            }
        }
        Ok(())
    }
}

impl Rule {
    /// Whether it looks at votes of `workflow`.
    #[must_use]
    pub fn looks_at(&self, workflow: &str) -> bool {
        self.workflow.as_deref().is_none_or(|w| w == workflow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_exact_however_written() {
        let four_fifths = Share::new(4, 5).expect("a share");
        for text in ["0.8", "4/5", "80%", "80 %", "0.80", "8/10"] {
            assert_eq!(Share::parse(text), Ok(four_fifths), "{text}");
        }
        for text in ["", "-1", "1.1", "5/4", "0,8", "1/0", "nan", "101%", "1e-1", ".8", "0.8 of them"] {
            assert!(Share::parse(text).is_err(), "{text}");
        }
        // In floating point 0.8 × 35 is 28.000000000000004.
        assert!(
            four_fifths.reached(28, 35) && !four_fifths.reached(27, 34) && !four_fifths.reached(0, 0)
        );
        assert!(four_fifths.reached(u64::MAX, u64::MAX));
    }

    #[test]
    fn the_smallest_k_that_alerts_is_the_table_of_the_specification() {
        let share = Share::parse("80%").expect("a share");
        let smallest = |n| (8..=n).find(|&k| share.reached(k, n)).expect("all of them");
        assert_eq!((8..=14).map(smallest).collect::<Vec<_>>(), [8, 8, 8, 9, 10, 11, 12]);
    }

    #[test]
    fn a_policy_is_read_from_toml_and_its_version_is_its_content() {
        let text = r#"
            project = "kilonova-seekers"
            retire_at = 14
            [[rule]]
            name = "alert"
            positive = ["real"]
            min_positive = 8
            min_agreement = 0.8
        "#;
        let policy: Policy = toml::from_str(text).expect("reads");
        assert_eq!(policy, Policy::default());
        assert_eq!(policy.check(), Ok(()));
        let mut other = policy.clone();
        other.rules[0].min_positive = 9;
        assert_ne!(policy.version(), other.version());
        assert!(
            toml::from_str::<Policy>("retire_at = 14\nretire = 3").is_err(),
            "a misspelt key is refused"
        );
    }

    #[test]
    fn senseless_rules_are_refused() {
        let with = |change: fn(&mut Policy)| {
            let mut policy = Policy::default();
            change(&mut policy);
            policy.check()
        };
        assert!(with(|p| p.retire_at = 0).is_err());
        assert!(with(|p| p.rules[0].min_positive = 0).is_err());
        assert!(with(|p| p.rules[0].min_positive = 15).is_err());
        assert!(with(|p| p.rules[0].positive.clear()).is_err());
        assert!(with(|p| p.rules[0].neutral.push("real".into())).is_err());
        assert!(with(|p| p.rules.push(p.rules[0].clone())).is_err());
        assert!(with(|p| p.rules[0].type_sure = Some(f64::NAN)).is_err());
    }
}
