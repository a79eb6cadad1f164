//! Retirement rules and how they are written: `count:14`, `agree:8:0.8`, `swap:0.99`, ….

use std::fmt;

/// What is wrong with a rule as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the retirement rule {rule:?}: {why}")]
pub struct RuleError {
    /// The rule as it was written.
    pub rule: String,
    /// What is wrong with it, and how it is written right.
    pub why: String,
}

/// What is believed about a subject's share of votes before there are any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BetaPrior {
    /// Every share is as likely as any other.
    #[default]
    Flat,
    /// Shares are spread as over all subjects, by a beta–binomial fit for each answer.
    Fitted,
}

/// SWAP as a retirement rule.
#[derive(Clone, Debug, PartialEq)]
pub struct SwapRule {
    /// Retire when an answer is at least this probable.
    pub sure: f64,
    /// Look for this answer only.
    pub answer: Option<String>,
    /// With `answer`: retire too when it is at most this probable.
    pub reject: f64,
    /// With `answer`: its probability before any vote; the others share the rest.
    pub prior: Option<f64>,
    /// Learn from every subject as far as its answer is believed, even where there is gold.
    pub self_taught: bool,
    /// Judge old votes by new skill from time to time, and open subjects again that are not sure any more.
    pub resurrect: bool,
}

/// When a subject has been asked enough.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// A number of classifications.
    Count {
        /// How many.
        n: u32,
    },
    /// At least `n` answers, and this share of them agree.
    Agree {
        /// Answers at least.
        n: u32,
        /// Share of the most frequent one.
        share: f64,
    },
    /// At least `n` times one answer, and it is this share of all (Kilonova Seekers' alerts).
    Positive {
        /// Times that the answer was given.
        n: u32,
        /// Its share.
        share: f64,
        /// Which answer.
        answer: String,
    },
    /// The first `m` answers are the same.
    First {
        /// How many.
        m: u32,
    },
    /// P(share of the leading answer > ½) passes a threshold.
    Beta {
        /// The threshold.
        sure: f64,
        /// The prior.
        prior: BetaPrior,
    },
    /// Wald's sequential test for volunteers who are all right with one probability.
    Sprt {
        /// Chance that a vote is right; wrong ones are spread evenly over the other answers.
        skill: f64,
        /// Retire when an answer is at least this probable.
        sure: f64,
    },
    /// SWAP: every volunteer has their own skill.
    Swap(SwapRule),
}

const FORMS: &str = "there are count:N, agree:N:SHARE, positive:N:SHARE:ANSWER, first:N, \
beta:SURE[:flat|fitted], sprt:SKILL:SURE and swap:SURE[:self][:resurrect][:answer=A][:reject=P][:prior=P]";

impl Rule {
    /// Reads a rule.
    ///
    /// ```
    /// use volary_crowd::retire::Rule;
    /// let rule = Rule::parse("agree:8:0.8").unwrap();
    /// assert_eq!((rule.to_string().as_str(), rule), ("agree:8:0.8", Rule::Agree { n: 8, share: 0.8 }));
    /// ```
    ///
    /// # Errors
    /// [`RuleError`] in words.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let fail = |why: String| RuleError { rule: text.to_owned(), why };
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let parts: Vec<&str> = if rest.is_empty() { Vec::new() } else { rest.split(':').collect() };
        let exactly = |n: usize| match parts.len() == n {
            true => Ok(()),
            false => Err(fail(FORMS.to_owned())),
        };
        match name.trim() {
            "count" => exactly(1).and_then(|()| Ok(Self::Count { n: whole(parts[0]).map_err(fail)? })),
            "first" => exactly(1).and_then(|()| Ok(Self::First { m: whole(parts[0]).map_err(fail)? })),
            "agree" => exactly(2).and_then(|()| {
                let n = whole(parts[0]).map_err(fail)?;
                Ok(Self::Agree { n, share: share(parts[1]).map_err(fail)? })
            }),
            "positive" if parts.len() >= 3 => {
                let n = whole(parts[0]).map_err(fail)?;
                // An answer may hold colons itself.
                let answer = parts[2..].join(":");
                Ok(Self::Positive { n, share: share(parts[1]).map_err(fail)?, answer })
            }
            "beta" if matches!(parts.len(), 1 | 2) => {
                let prior = match parts.get(1).copied() {
                    None | Some("flat") => BetaPrior::Flat,
                    Some("fitted") => BetaPrior::Fitted,
                    Some(other) => {
                        return Err(fail(format!("the prior is flat or fitted, not {other:?}")));
                    }
                };
                Ok(Self::Beta { sure: sure(parts[0]).map_err(fail)?, prior })
            }
            "sprt" => exactly(2).and_then(|()| {
                let skill = share(parts[0]).map_err(fail)?;
                if skill >= 1.0 {
                    return Err(fail("nobody is always right: the skill is below 1".to_owned()));
                }
                Ok(Self::Sprt { skill, sure: sure(parts[1]).map_err(fail)? })
            }),
            "swap" if !parts.is_empty() => Self::swap(&parts).map_err(fail),
            _ => Err(fail(FORMS.to_owned())),
        }
    }

    fn swap(parts: &[&str]) -> Result<Self, String> {
        let mut rule = SwapRule::new(sure(parts[0])?);
        for part in &parts[1..] {
            match part.split_once('=') {
                None if *part == "self" => rule.self_taught = true,
                None if *part == "resurrect" => rule.resurrect = true,
                Some(("answer", answer)) => rule.answer = Some(answer.to_owned()),
                Some(("reject", p)) => rule.reject = share(p)?,
                Some(("prior", p)) => rule.prior = Some(share(p)?).filter(|p| *p < 1.0),
                _ => return Err(format!("{part:?} is no option of swap; {FORMS}")),
            }
        }
        if rule.answer.is_none() && (rule.reject > 0.0 || rule.prior.is_some()) {
            return Err("reject= and prior= are about one answer: add answer=…".to_owned());
        }
        if rule.reject >= rule.sure {
            return Err("reject= must be below the threshold".to_owned());
        }
        Ok(Self::Swap(rule))
    }

    /// What is studied when nothing is named.
    #[must_use]
    pub fn defaults() -> Vec<Self> {
        let beta = |prior| Self::Beta { sure: 0.95, prior };
        vec![
            Self::Count { n: 5 },
            Self::Count { n: 10 },
            Self::Count { n: 14 },
            Self::First { m: 3 },
            Self::Agree { n: 8, share: 0.8 },
            beta(BetaPrior::Flat),
            beta(BetaPrior::Fitted),
            Self::Sprt { skill: 0.7, sure: 0.99 },
            Self::Swap(SwapRule::new(0.95)),
            Self::Swap(SwapRule::new(0.99)),
            Self::Swap(SwapRule::new(0.999)),
        ]
    }
}

impl SwapRule {
    /// Retire when any answer is this sure.
    #[must_use]
    pub fn new(sure: f64) -> Self {
        Self { sure, answer: None, reject: 0.0, prior: None, self_taught: false, resurrect: false }
    }
}

fn whole(text: &str) -> Result<u32, String> {
    match text.trim().parse::<u32>() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err(format!("{text:?} is not a number of votes")),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(x) if x > 0.0 && x <= 1.0 => Ok(x),
        _ => Err(format!("{text:?} is not a share between 0 and 1")),
    }
}

fn sure(text: &str) -> Result<f64, String> {
    match share(text)? {
        p if p > 0.5 && p < 1.0 => Ok(p),
        p => Err(format!("a threshold of {p} is never passed or at once; it lies between 0.5 and 1")),
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count { n } => write!(f, "count:{n}"),
            Self::Agree { n, share } => write!(f, "agree:{n}:{share}"),
            Self::Positive { n, share, answer } => write!(f, "positive:{n}:{share}:{answer}"),
            Self::First { m } => write!(f, "first:{m}"),
            Self::Beta { sure, prior: BetaPrior::Flat } => write!(f, "beta:{sure}"),
            Self::Beta { sure, prior: BetaPrior::Fitted } => write!(f, "beta:{sure}:fitted"),
            Self::Sprt { skill, sure } => write!(f, "sprt:{skill}:{sure}"),
            Self::Swap(rule) => {
                write!(f, "swap:{}", rule.sure)?;
                let flags = [(rule.self_taught, ":self"), (rule.resurrect, ":resurrect")];
                for (_, name) in flags.into_iter().filter(|(on, _)| *on) {
                    f.write_str(name)?;
                }
                if let Some(answer) = &rule.answer {
                    write!(f, ":answer={answer}")?;
                }
                if rule.reject > 0.0 {
                    write!(f, ":reject={}", rule.reject)?;
                }
                rule.prior.map_or(Ok(()), |p| write!(f, ":prior={p}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_and_written() {
        for text in [
            "count:14",
            "agree:8:0.8",
            "positive:8:0.8:yes",
            "positive:8:0.8:is it: yes",
            "first:3",
            "beta:0.95",
            "beta:0.95:fitted",
            "sprt:0.7:0.99",
            "swap:0.99",
            "swap:0.99:self:resurrect",
            "swap:0.95:answer=Lens:reject=0.0000001:prior=0.0002",
        ] {
            assert_eq!(Rule::parse(text).unwrap().to_string(), text);
        }
        for rule in Rule::defaults() {
            assert_eq!(Rule::parse(&rule.to_string()).unwrap(), rule);
        }
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for (text, words) in [
            ("", "there are count:N"),
            ("sometimes", "there are count:N"),
            ("count", "there are count:N"),
            ("count:0", "not a number of votes"),
            ("count:-3", "not a number of votes"),
            ("count:5:6", "there are count:N"),
            ("agree:8:80", "not a share"),
            ("agree:8:NaN", "not a share"),
            ("beta:0.3", "between 0.5 and 1"),
            ("beta:0.95:wide", "flat or fitted"),
            ("sprt:1:0.99", "below 1"),
            ("swap:1", "between 0.5 and 1"),
            ("swap:0.9:quickly", "no option of swap"),
            ("swap:0.9:reject=0.1", "about one answer"),
            ("swap:0.9:answer=a:reject=0.95", "below the threshold"),
        ] {
            let error = Rule::parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
