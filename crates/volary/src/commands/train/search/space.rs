//! What is searched: ranges of a training's options, out of a TOML file, and the candidates drawn from them.
//!
//! A list is gone through, a range is drawn from. The same file and seed give the same candidates.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::builder::{OsStr, Resettable};
use clap::{ArgAction, Command};
use rand::RngExt as _;
use serde::{Deserialize, Serialize};

/// A range that is finer than any search may not be gone through.
const MOST_CANDIDATES: usize = 10_000;
/// What must be the same for all, or they are not judged alike.
const FIXED: [&str; 5] = ["held-out", "stop-share", "checkpoint-every", "replicates", "seed"];

/// The settings of one candidate: options and values, in alphabetical order.
pub(super) type Options = BTreeMap<String, String>;

/// A file of ranges.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Space {
    /// How many are drawn; every combination of the lists, where nothing is said.
    #[serde(default)]
    candidates: Option<usize>,
    /// Which is kept.
    #[serde(default)]
    pub(super) keep: Keep,
    /// By the option's name, without its dashes.
    ranges: BTreeMap<String, Range>,
}

/// Which candidate is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Keep {
    /// The smallest of those within a standard error of the best.
    #[default]
    Smallest,
    /// The one with the least loss.
    Best,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged)]
enum Range {
    List(Vec<Value>),
    Between(Between),
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged)]
enum Value {
    Whole(i64),
    Number(f64),
    Switch(bool),
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Between {
    from: Value,
    to: Value,
    #[serde(default)]
    scale: Scale,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Scale {
    #[default]
    Linear,
    Log,
}

impl Value {
    fn text(&self) -> String {
        match self {
            Self::Whole(n) => n.to_string(),
            Self::Number(x) => x.to_string(),
            Self::Switch(is_on) => is_on.to_string(),
            Self::Text(text) => text.clone(),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Whole(n) => Some(*n as f64),
            Self::Number(x) => Some(*x),
            Self::Switch(_) | Self::Text(_) => None,
        }
    }
}

impl Between {
    /// The ends, and whether only whole numbers lie between them.
    fn ends(&self) -> Option<(f64, f64, bool)> {
        let (from, to) = (self.from.number()?, self.to.number()?);
        let is_whole = matches!((&self.from, &self.to), (Value::Whole(_), Value::Whole(_)));
        let is_possible = from.is_finite() && to.is_finite() && from < to;
        (is_possible && (self.scale == Scale::Linear || from > 0.0)).then_some((from, to, is_whole))
    }
}

impl Space {
    /// Reads it.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("reading failed: {}", path.display()))?;
        let space: Self = toml::from_str(&text)
            .map_err(|e| anyhow!("not a file of ranges ({}): {}", e.message(), path.display()))?;
        space.check().with_context(|| format!("{}", path.display()))?;
        Ok(space)
    }

    fn check(&self) -> Result<()> {
        if self.ranges.is_empty() {
            bail!("nothing to search: `[ranges]` names options, such as rate = [1e-4, 1e-3]");
        }
        for (option, range) in &self.ranges {
            if FIXED.contains(&option.as_str()) {
                bail!(
                    "`{option}` must be the same for all candidates, or they are not judged alike; take it out"
                );
            }
            match range {
                Range::List(values) if values.is_empty() => {
                    bail!("`{option}` has no values; give it some, or take it out")
                }
                Range::Between(between) if between.ends().is_none() => bail!(
                    "`{option}` is a range `from` a number `to` a larger one, above 0 on a `log` scale; correct it"
                ),
                Range::Between(_) if self.candidates.is_none() => bail!(
                    "`{option}` is a range, which has no end of values: say how many `candidates` to draw, or list its values"
                ),
                _ => {}
            }
        }
        if self.candidates.is_some_and(|n| n == 0 || n > MOST_CANDIDATES) {
            bail!("`candidates` is a number from 1 to {MOST_CANDIDATES}; correct it");
        }
        Ok(())
    }

    /// The candidates, no two alike. Of a draw there are fewer where there are no more.
    pub(super) fn candidates(&self, seed: u64) -> Result<Vec<Options>> {
        let Some(wanted) = self.candidates else { return self.every() };
        let mut rng = volary_core::seed::stream(seed, "search");
        let (mut seen, mut all) = (BTreeSet::new(), Vec::new());
        for _ in 0..wanted * 20 {
            let mut one = Options::new();
            for (option, range) in &self.ranges {
                let value = match range {
                    Range::List(values) => values[rng.random_range(0..values.len())].text(),
                    Range::Between(between) => {
                        let (from, to, is_whole) = between.ends().context("the range was checked")?;
                        let share = rng.random::<f64>();
                        let x = match between.scale {
                            Scale::Linear => from + share * (to - from),
                            Scale::Log => (from.ln() + share * (to.ln() - from.ln())).exp(),
                        };
                        // Three digits are more than a search can tell apart.
                        if is_whole { x.round().to_string() } else { rounded(x).to_string() }
                    }
                };
                one.insert(option.clone(), value);
            }
            if seen.insert(one.clone()) {
                all.push(one);
            }
            if all.len() == wanted {
                break;
            }
        }
        Ok(all)
    }

    /// Every combination of the lists; the last option changes fastest.
    fn every(&self) -> Result<Vec<Options>> {
        let mut all = vec![Options::new()];
        for (option, range) in &self.ranges {
            let Range::List(values) = range else { continue };
            if all.len().saturating_mul(values.len()) > MOST_CANDIDATES {
                bail!("more than {MOST_CANDIDATES} combinations; say how many `candidates` to draw");
            }
            let with = |one: &Options, value: &Value| {
                let mut more = one.clone();
                more.insert(option.clone(), value.text());
                more
            };
            all = all
                .iter()
                .flat_map(|one| values.iter().map(|v| with(one, v)).collect::<Vec<_>>())
                .collect();
        }
        let mut seen = BTreeSet::new();
        all.retain(|one| seen.insert(one.clone()));
        Ok(all)
    }

    /// The options that are searched.
    pub(super) fn options(&self) -> impl Iterator<Item = &String> {
        self.ranges.keys()
    }
}

/// To three digits.
fn rounded(x: f64) -> f64 {
    format!("{x:.2e}").parse().unwrap_or(x)
}

/// The options of a command with those of a candidate in their place, checked as the command line is.
pub(super) fn with<L: clap::Args + Clone>(base: &L, options: &Options) -> Result<L> {
    let command = Command::new("candidate").no_binary_name(true).disable_help_flag(true);
    let command = L::augment_args_for_update(command).mut_args(|arg| {
        // What a candidate does not name stays as the command line has it, defaults and all.
        let arg = arg.default_value(Resettable::<OsStr>::Reset).required(false);
        match arg.get_action() {
            ArgAction::SetTrue => {
                arg.action(ArgAction::Set).num_args(1).value_parser(clap::value_parser!(bool))
            }
            _ => arg,
        }
    });
    let words = options.iter().map(|(option, value)| format!("--{option}={value}"));
    let matches = command.try_get_matches_from(words).map_err(|error| {
        let text = error.render().to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        anyhow!("candidate {}: {first}; `[ranges]` takes the options under Learning", words_of(options))
    })?;
    let mut with = base.clone();
    with.update_from_arg_matches(&matches)
        .map_err(|e| anyhow!("candidate {}: {e}", words_of(options)))?;
    Ok(with)
}

/// A candidate in words.
pub(super) fn words_of(options: &Options) -> String {
    options.iter().map(|(option, value)| format!("{option} {value}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq, clap::Args)]
    struct Learning {
        #[arg(long, value_delimiter = ',', num_args = 1.., default_values_t = [16, 32])]
        filters: Vec<usize>,
        #[arg(long, default_value_t = 0.5)]
        rate: f64,
        #[arg(long)]
        hard: bool,
        #[arg(long)]
        patience: Option<usize>,
    }

    fn space(text: &str) -> Result<Space> {
        let space: Space = toml::from_str(text)?;
        space.check()?;
        Ok(space)
    }

    #[test]
    fn every_combination_or_so_many_drawn() {
        let lists =
            space("[ranges]\nrate = [0.1, 0.2]\nfilters = [\"4,8\", \"8,16\", \"4,8\"]\n").unwrap();
        let all = lists.candidates(1).unwrap();
        let said: Vec<String> = all.iter().map(words_of).collect();
        assert_eq!(
            said,
            [
                "filters 4,8, rate 0.1",
                "filters 4,8, rate 0.2",
                "filters 8,16, rate 0.1",
                "filters 8,16, rate 0.2"
            ]
        );
        let drawn = space(
            "candidates = 50\n[ranges]\nrate = { from = 1e-5, to = 0.1, scale = \"log\" }\ndense = { from = 8, to = 64 }\nhard = [true, false]\n",
        )
        .unwrap();
        let all = drawn.candidates(1).unwrap();
        assert_eq!(all, drawn.candidates(1).unwrap());
        assert_ne!(all, drawn.candidates(2).unwrap());
        assert_eq!(all.len(), 50);
        let rates: Vec<f64> = all.iter().map(|c| c["rate"].parse().unwrap()).collect();
        assert!(rates.iter().all(|r| (1e-5..=0.1).contains(r)));
        // On a log scale half of them lie below the middle of the logarithms.
        let below = rates.iter().filter(|r| **r < 1e-3).count();
        assert!((12..=38).contains(&below), "{below}");
        assert!(all.iter().all(|c| (8..=64).contains(&c["dense"].parse::<u32>().unwrap())));
        // No more than there are.
        let few = space("candidates = 9\n[ranges]\nhard = [true, false]\n").unwrap();
        assert_eq!(few.candidates(1).unwrap().len(), 2);
    }

    #[test]
    fn what_a_candidate_does_not_name_stays() {
        let base = Learning { filters: vec![4, 8], rate: 0.25, hard: true, patience: Some(3) };
        let one = |pairs: &[(&str, &str)]| -> Options {
            pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
        };
        assert_eq!(with(&base, &one(&[])).unwrap(), base);
        let other = with(&base, &one(&[("rate", "1e-3"), ("filters", "2,3")])).unwrap();
        assert_eq!(other, Learning { filters: vec![2, 3], rate: 1e-3, ..base.clone() });
        let soft = with(&base, &one(&[("hard", "false")])).unwrap();
        assert_eq!(soft, Learning { hard: false, ..base.clone() });
        for (pair, words) in [
            (("ratee", "1"), "unexpected argument '--ratee'"),
            (("rate", "fast"), "invalid value 'fast'"),
        ] {
            let error = with(&base, &one(&[pair])).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn what_is_no_search_is_said() {
        for (text, words) in [
            ("[ranges]\n", "nothing to search"),
            ("[ranges]\nrate = []\n", "has no values"),
            ("[ranges]\nrate = { from = 1, to = 2 }\n", "say how many `candidates`"),
            ("candidates = 2\n[ranges]\nrate = { from = 2, to = 1 }\n", "a larger one"),
            ("candidates = 2\n[ranges]\nrate = { from = 0, to = 1, scale = \"log\" }\n", "above 0"),
            ("candidates = 0\n[ranges]\nrate = [1]\n", "a number from 1"),
            ("[ranges]\nheld-out = [0.1, 0.2]\n", "must be the same"),
        ] {
            let error = space(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
        assert!(space("other = 1\n[ranges]\nrate = [1]\n").is_err());
        let many = (0..101).map(|i| i.to_string()).collect::<Vec<_>>().join(", ");
        let many = space(&format!("[ranges]\na = [{many}]\nb = [{many}]\n")).unwrap();
        assert!(many.candidates(1).unwrap_err().to_string().contains("combinations"));
    }
}
