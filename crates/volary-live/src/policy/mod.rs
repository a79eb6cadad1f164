//! The rules, by settings: what alerts, what retires, who counts.
//!
//! Agreement is a fraction of integers, never a float: 0.8 is read as 4/5 and compared by cross
//! multiplication. A policy's version is the hash of its content, behind the version of the team's `policy.toml` where
//! there is one; it is stored with every decision.

mod exact;
mod expression;
mod rule;
mod share;

use serde::{Deserialize, Serialize};

pub(crate) use self::expression::Seen;
pub use self::expression::{Condition, ConditionError, Counter};
pub use self::rule::{Rule, Then};
pub use self::share::Share;

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
    /// A prior that decides everything.
    #[error("prior must lie between 0 and 1, without the ends; 0.5 is usual")]
    Prior,
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

fn half() -> Share {
    Share::HALF
}

/// Everything that decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The project, for credit draws and reports.
    #[serde(default)]
    pub project: String,
    /// Version of the team's `policy.toml` that these rules follow; `volary` fills it in from `[project] policy`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub team_policy: String,
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
    /// The share of subjects that are positive, before any vote; for `probability()` in conditions.
    #[serde(default = "half")]
    pub prior: Share,
    /// What happens when.
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
        let rule = Rule::alert("alert", task, positive, 8, Share::FOUR_FIFTHS);
        Self {
            project: project.to_owned(),
            team_policy: String::new(),
            retire_at: 14,
            n_max: None,
            repeats: Repeats::default(),
            anonymous: Anonymous::default(),
            unknown_subjects: UnknownSubjects::default(),
            prior: Share::HALF,
            rules: vec![rule],
        }
    }

    /// Its version: that of the team's policy, and the start of the hash of its content (`2026-11:a20f956885457627`); the
    /// hash alone where the team has none.
    #[must_use]
    pub fn version(&self) -> String {
        let content = serde_json::to_vec(self).expect("plain values always serialise");
        let hash = blake3::hash(&content).to_hex()[..16].to_owned();
        if self.team_policy.is_empty() { hash } else { format!("{}:{hash}", self.team_policy) }
    }

    /// Whether a rule asks for the volunteers' skill.
    #[must_use]
    pub fn uses_skill(&self) -> bool {
        self.rules.iter().any(Rule::uses_skill)
    }

    /// Checks what the types leave open.
    ///
    /// # Errors
    /// [`PolicyError`] says which rule and what to do.
    pub fn check(&self) -> Result<(), PolicyError> {
        if self.retire_at == 0 {
            return Err(PolicyError::RetireAt);
        }
        if !(self.prior.value() > 0.0 && self.prior.value() < 1.0) {
            return Err(PolicyError::Prior);
        }
        for (at, rule) in self.rules.iter().enumerate() {
            rule.check(self.retire_at)?;
            if self.rules[..at].iter().any(|other| other.name == rule.name) {
                return Err(PolicyError::SameName(rule.name.clone()));
            }
        }
        Ok(())
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
        other.rules[0].min_positive = Some(9);
        assert_ne!(policy.version(), other.version());
        let hash = policy.version();
        let of_team = Policy { team_policy: "2026-11".to_owned(), ..policy.clone() };
        assert!(of_team.version().starts_with("2026-11:"), "{}", of_team.version());
        assert!(!of_team.version().ends_with(&hash), "another policy is another version");
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
        assert!(with(|p| p.rules[0].min_positive = Some(0)).is_err());
        assert!(with(|p| p.rules[0].min_positive = Some(15)).is_err());
        assert!(with(|p| p.rules[0].positive.clear()).is_err());
        assert!(with(|p| p.rules[0].neutral.push("real".into())).is_err());
        assert!(with(|p| p.rules.push(p.rules[0].clone())).is_err());
        assert!(with(|p| p.rules[0].type_sure = Some(f64::NAN)).is_err());
    }
}
