//! The options of `volary marks`, and the constants that they make.

use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};
use serde_json::{Value, json};
use volary_crowd::Repeats;
use volary_crowd::marks::{Decay, Grouping, MarkParams, Matching, Profile, Voting};

/// What every stage reads, beside the classifications.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Input and output")]
pub(crate) struct Inputs {
    /// Injected signals: syntheticid or subject_id, signalid, synxmin, synxmax, and any numbers (snr,
    /// prad, period…).
    #[arg(long, value_name = "TABLE")]
    pub(crate) signals: Option<PathBuf>,
    /// Gaps of the light curves: spans of days (gap_start,gap_end), or indices with --cadences.
    #[arg(long, value_name = "TABLE", conflicts_with = "light_curves")]
    pub(crate) gaps: Option<PathBuf>,
    /// Cadences that the indices of --gaps count: kepler_id,quarter,t_first,dt,n_cadences.
    #[arg(long, value_name = "TABLE", requires = "gaps")]
    pub(crate) cadences: Option<PathBuf>,
    /// Light curves (CSV or FITS) whose missing flux makes the gaps.
    #[arg(long, value_name = "DIR")]
    pub(crate) light_curves: Option<PathBuf>,
    /// Of a `marks` table: only this workflow (may be given several times).
    #[arg(long = "workflow", value_name = "ID")]
    pub(crate) workflows: Vec<String>,
    /// Of a `marks` table: only this task (may be given several times).
    #[arg(long = "task", value_name = "KEY")]
    pub(crate) tasks: Vec<String>,
    /// Format of the tables: parquet, csv, json or arrow.
    #[arg(long, default_value = "parquet", value_name = "FORMAT")]
    pub(crate) to: String,
}

/// Rules and constants; what is not given comes from the profile.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Rules and constants")]
pub(crate) struct Constants {
    /// volary (default), paper (Safron et al. 2022) or released (their code, defects and all).
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// How marks become features: modes, twins or released.
    #[arg(long, value_name = "RULE")]
    pub(crate) grouping: Option<String>,
    /// Largest distance of midpoints within a feature, days.
    #[arg(long, value_name = "DAYS")]
    pub(crate) tolerance: Option<f64>,
    /// Marks at least this wide are left out, days.
    #[arg(long, value_name = "DAYS")]
    pub(crate) cutoff: Option<f64>,
    /// Marks of which a smaller share holds data are left out.
    #[arg(long, value_name = "SHARE")]
    pub(crate) min_real: Option<f64>,
    /// How marks are matched to signals: closest, paper or released.
    #[arg(long, value_name = "RULE")]
    pub(crate) matching: Option<String>,
    /// Largest distance of midpoints of a mark and a signal, days.
    #[arg(long, value_name = "DAYS")]
    pub(crate) match_tolerance: Option<f64>,
    /// Leave marks wider than the cutoff out of matching and voting too.
    #[arg(long)]
    pub(crate) cutoff_everywhere: bool,
    /// A match is a hit where it covers more than this share of the signal.
    #[arg(long, value_name = "SHARE")]
    pub(crate) hit_cover: Option<f64>,
    /// Smallest completeness in the upweight 1/completeness − 1.
    #[arg(long, value_name = "SHARE")]
    pub(crate) completeness_floor: Option<f64>,
    /// What the k-th hit of a view is worth: tail, cut, none, or own coefficients `a,b,c` (cut) or
    /// `a,b,c,tail` of f(k) = a − b·exp(c·k).
    #[arg(long, value_name = "RULE")]
    pub(crate) decay: Option<String>,
    /// Hits are ranked from the hardest signal down (hardest) or up (easiest).
    #[arg(long, value_name = "ORDER")]
    pub(crate) first: Option<String>,
    /// Weight of volunteers who saw no simulation [default: the base weight].
    #[arg(long, value_name = "WEIGHT")]
    pub(crate) weight_without_simulations: Option<f64>,
    /// Split the views of a simulation at random, by --seed, into groups of this many viewers.
    #[arg(long, value_name = "N")]
    pub(crate) viewers_per_simulation: Option<u32>,
    /// Who says yes to a feature: members, paper or released.
    #[arg(long, value_name = "RULE")]
    pub(crate) voting: Option<String>,
    /// Largest distance of midpoints of a vote under `--voting paper`, days.
    #[arg(long, value_name = "DAYS")]
    pub(crate) vote_tolerance: Option<f64>,
    /// Seed scores only: no iteration.
    #[arg(long)]
    pub(crate) no_coupling: bool,
    /// Iterations end at this mean absolute change of the weights.
    #[arg(long, value_name = "CHANGE")]
    pub(crate) converged_at: Option<f64>,
    /// … and at this number in any case.
    #[arg(long, value_name = "N")]
    pub(crate) max_iterations: Option<u32>,
    /// Which views count where a volunteer saw a subject again: first, last or all.
    #[arg(long, value_name = "RULE")]
    pub(crate) repeats: Option<String>,
    /// Level of the intervals.
    #[arg(long, value_name = "SHARE")]
    pub(crate) level: Option<f64>,
}

/// By which columns of the signals the features are judged.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Quantities {
    /// Recovery by two columns of the signals at once (may be given several times) [default: period by
    /// radius].
    #[arg(long = "by", value_name = "X,Y", value_parser = pair)]
    pub(crate) by: Vec<(String, String)>,
    /// Fit completeness by this column of the signals [default: snr].
    #[arg(long, value_name = "COLUMN")]
    pub(crate) completeness_by: Option<String>,
}

fn pair(text: &str) -> Result<(String, String)> {
    match text.split_once(',') {
        Some((x, y)) if !x.trim().is_empty() && !y.trim().is_empty() => {
            Ok((x.trim().to_owned(), y.trim().to_owned()))
        }
        _ => bail!("two columns with a comma between them are wanted, such as snr,kepmag"),
    }
}

/// A name out of a list.
fn named<T: Copy>(option: &str, name: &str, all: &[(&'static str, T)]) -> Result<T> {
    match all.iter().find(|(known, _)| *known == name) {
        Some(&(_, value)) => Ok(value),
        None => {
            let names: Vec<&str> = all.iter().map(|(known, _)| *known).collect();
            Err(anyhow!("no {option} {name:?}; there are {}", names.join(", ")))
        }
    }
}

const MATCHINGS: [(&str, Matching); 3] =
    [("closest", Matching::Closest), ("paper", Matching::Paper), ("released", Matching::Released)];
const VOTINGS: [(&str, Voting); 3] =
    [("members", Voting::Members), ("paper", Voting::Paper), ("released", Voting::Released)];

fn decay(text: &str) -> Result<Decay> {
    let (a, b, c) = (1.03, 0.03, 1.07);
    match text {
        "tail" => return Ok(Decay::default()),
        "cut" => return Ok(Decay::Cut { a, b, c }),
        "none" => return Ok(Decay::None),
        _ => {}
    }
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|n| n.trim().parse::<f64>()).collect();
    match numbers.as_deref() {
        Ok(&[a, b, c]) if [a, b, c].iter().all(|n| n.is_finite()) => Ok(Decay::Cut { a, b, c }),
        Ok(&[a, b, c, tail]) if [a, b, c, tail].iter().all(|n| n.is_finite()) => {
            Ok(Decay::Tail { a, b, c, tail })
        }
        _ => bail!("no decay {text:?}; there are tail, cut, none, or numbers a,b,c or a,b,c,tail"),
    }
}

impl Constants {
    /// The constants of the profile with those that are given in their places.
    pub(crate) fn params(&self, seed: u64) -> Result<MarkParams> {
        let names: Vec<(&str, Profile)> = Profile::ALL.map(|p| (p.as_str(), p)).to_vec();
        let profile = named("profile", self.profile.as_deref().unwrap_or("volary"), &names)?;
        let mut params = MarkParams { seed, ..MarkParams::of(profile) };
        if let Some(name) = &self.grouping {
            let names: Vec<(&str, Grouping)> = Grouping::ALL.map(|g| (g.as_str(), g)).to_vec();
            params.grouping = named("grouping", name, &names)?;
        }
        if let Some(name) = &self.matching {
            params.matching = named("matching", name, &MATCHINGS)?;
        }
        if let Some(name) = &self.voting {
            params.voting = named("voting", name, &VOTINGS)?;
        }
        if let Some(name) = &self.first {
            params.hardest_first =
                named("order of hits", name, &[("hardest", true), ("easiest", false)])?;
        }
        if let Some(name) = &self.repeats {
            let names: Vec<(&str, Repeats)> = Repeats::ALL.map(|r| (r.as_str(), r)).to_vec();
            params.repeats = named("rule for repeats", name, &names)?;
        }
        if let Some(text) = &self.decay {
            params.decay = decay(text)?;
        }
        let numbers = [
            (self.tolerance, &mut params.tolerance_days),
            (self.cutoff, &mut params.cutoff_days),
            (self.min_real, &mut params.min_real_fraction),
            (self.match_tolerance, &mut params.match_tolerance_days),
            (self.hit_cover, &mut params.hit_cover),
            (self.completeness_floor, &mut params.completeness_floor),
            (self.vote_tolerance, &mut params.vote_tolerance_days),
            (self.converged_at, &mut params.converged_at),
            (self.level, &mut params.level),
        ];
        for (given, constant) in numbers {
            *constant = given.unwrap_or(*constant);
        }
        params.weight_without_simulations =
            self.weight_without_simulations.or(params.weight_without_simulations);
        params.viewers_per_simulation = self.viewers_per_simulation.or(params.viewers_per_simulation);
        params.max_iterations = self.max_iterations.unwrap_or(params.max_iterations);
        params.cutoff_in_matching |= self.cutoff_everywhere;
        params.couple &= !self.no_coupling;
        params.check()?;
        Ok(params)
    }
}

/// All constants in force, for `run.json`.
pub(crate) fn record(params: &MarkParams) -> Value {
    let name =
        |all: &[(&'static str, Matching)]| all.iter().find(|m| m.1 == params.matching).map(|m| m.0);
    let decay = match params.decay {
        Decay::Tail { a, b, c, tail } => json!({"a": a, "b": b, "c": c, "tail": tail}),
        Decay::Cut { a, b, c } => json!({"a": a, "b": b, "c": c}),
        Decay::None => json!("none"),
    };
    json!({
        "repeats": params.repeats.as_str(),
        "grouping": params.grouping.as_str(),
        "tolerance_days": params.tolerance_days,
        "cutoff_days": params.cutoff_days,
        "min_real_fraction": params.min_real_fraction,
        "matching": name(&MATCHINGS),
        "match_tolerance_days": params.match_tolerance_days,
        "cutoff_everywhere": params.cutoff_in_matching,
        "hit_cover": params.hit_cover,
        "completeness_floor": params.completeness_floor,
        "decay": decay,
        "hardest_first": params.hardest_first,
        "weight_without_simulations": params.weight_without_simulations,
        "viewers_per_simulation": params.viewers_per_simulation,
        "voting": VOTINGS.iter().find(|v| v.1 == params.voting).map(|v| v.0),
        "vote_tolerance_days": params.vote_tolerance_days,
        "coupled": params.couple,
        "converged_at": params.converged_at,
        "max_iterations": params.max_iterations,
        "released_loop": params.released_loop,
        "level": params.level,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_go_over_the_profile() {
        let given =
            Constants { profile: Some("paper".into()), tolerance: Some(0.8), ..Constants::default() };
        let params = given.params(3).unwrap();
        let expected = MarkParams { tolerance_days: 0.8, seed: 3, ..MarkParams::of(Profile::Paper) };
        assert_eq!(params, expected);
        assert_eq!(decay("1,0.1,1").unwrap(), Decay::Cut { a: 1.0, b: 0.1, c: 1.0 });
        assert_eq!(decay("1.03,0.03,1.07,1.5").unwrap(), Decay::default());
        for bad in ["fast", "1,2", "1,2,inf"] {
            assert!(decay(bad).is_err(), "{bad}");
        }
        let unknown = Constants { grouping: Some("guess".into()), ..Constants::default() };
        assert!(unknown.params(1).unwrap_err().to_string().contains("modes, twins, released"));
    }
}
