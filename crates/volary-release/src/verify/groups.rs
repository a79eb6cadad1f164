//! Groups and promises: does the package keep what its privacy report says, and does that say enough?

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use volary_ingest::Progress;
use volary_ingest::tables::for_each_batch;

use super::metadata::Described;
use super::{Check, Verified};
use crate::attack::{ATTACKS, JOIN, View};
use crate::calendar::Resolution;
use crate::error::ReleaseError;
use crate::kanon::smallest_group;
use crate::settings::Settings;
use crate::tier::{QUASI_IDENTIFIERS, SENSITIVE, Tier};

/// Where the promises stand.
const REPORT: &str = "privacy_report.json";
const VOTES: &str = "data/votes.parquet";
const VOLUNTEERS: &str = "data/volunteers.parquet";

/// Whether the package promises what the settings ask for; whether it keeps its promises is the other checks'.
pub(super) fn promises(described: &Described, settings: &Settings, out: &mut Verified) {
    let least = &settings.privacy;
    let mut find = |what: String| out.find(Check::Groups, REPORT, what);
    for (name, asked) in [
        ("k", u64::from(least.k)),
        ("l", u64::from(least.l)),
        ("min_volunteers", u64::from(least.min_volunteers)),
        ("min_classifications", least.min_classifications),
    ] {
        match described.privacy[name].as_u64() {
            Some(said) if said >= asked => {}
            Some(said) => find(format!("{name} is {said}, and the settings ask for {asked}")),
            None => find(format!("no {name}, and the settings ask for {asked}")),
        }
    }
    if let Some(tier) = described.tier.filter(|tier| *tier > settings.tier) {
        find(format!("tier {tier:?}, and the settings ask for {:?}", settings.tier));
    }
    let time = described.privacy["protection"]["time"].as_str().and_then(Resolution::of);
    if time.is_none_or(|time| time < least.time) {
        let said = time.map_or("not told", Resolution::name);
        find(format!("times are by {said}, and the settings ask for {}", least.time.name()));
    }
    if let Some(epsilon) = described.privacy["noise"]["epsilon"].as_f64() {
        let asked = settings.noise.as_ref().map_or(0.0, |noise| noise.epsilon);
        if epsilon > asked {
            find(format!("noise of ε {epsilon}, and the settings ask for {asked}"));
        }
    }
    for attack in described.privacy["attacks"].as_array().into_iter().flatten() {
        let name = attack["attack"].as_str().unwrap_or_default();
        let bound = if name == JOIN {
            least.most_joined(attack["n_targets"].as_u64().unwrap_or(0))
        } else {
            least.most_found
        };
        if attack["most_found"].as_u64().is_none_or(|most| most > bound) {
            find(format!(
                "the attack {name:?} may find {}, and the settings allow {bound}",
                attack["most_found"]
            ));
        }
    }
}

/// Whether the data are as safe as the report says.
pub(super) fn check(
    package: &Path,
    described: &Described,
    out: &mut Verified,
    progress: &Progress,
) -> Result<(), ReleaseError> {
    let Some(tier) = described.tier else { return Ok(()) };
    let promised = |name: &str| described.privacy[name].as_u64().unwrap_or(0);
    if promised("k") < 2 || promised("l") < 1 {
        out.find(Check::Groups, REPORT, "no k of 2 or more is promised");
    }
    let has_votes = package.join(VOTES).exists();
    attacks(described, tier, has_votes, out);
    // What is wrong with the table has been said.
    let Ok(view) = View::open(package, progress) else { return Ok(()) };
    let least = promised("min_volunteers").max(2) as usize;
    let n_few = view
        .rows
        .chunk_by(|a, b| a.subject == b.subject)
        .filter(|rows| rows.chunk_by(|a, b| a.who == b.who).count() < least)
        .count();
    if n_few > 0 {
        let what = format!("{n_few} subjects with the votes of fewer than {least} people");
        out.find(Check::Groups, VOTES, what);
    }
    if tier == Tier::B && view.activity().iter().any(|n| *n > 1) {
        let what = "a pseudonym on several subjects, which tier B does not have";
        out.find(Check::Groups, VOTES, what);
    }
    if tier < Tier::C || !has_votes {
        return Ok(());
    }
    if !package.join(VOLUNTEERS).exists() {
        out.find(
            Check::Structure,
            VOLUNTEERS,
            "votes are linked, and the table of volunteers is missing",
        );
        return Ok(());
    }
    volunteers(package, described, tier, &view, out, progress);
    Ok(())
}

/// The report of the attacks: there where it must be, of attacks that there are, within its bounds.
fn attacks(described: &Described, tier: Tier, has_votes: bool, out: &mut Verified) {
    let mut find = |what: String| out.find(Check::Groups, REPORT, what);
    let all = described.privacy["attacks"].as_array();
    let name = |attack: &serde_json::Value| attack["attack"].as_str().unwrap_or_default().to_owned();
    let made: BTreeSet<String> = all.into_iter().flatten().map(name).collect();
    if tier >= Tier::C && has_votes {
        // Tier D holds against nobody who knows how much somebody did.
        let needed: &[&str] =
            if tier == Tier::C { &["dictionary", "singling out"] } else { &["dictionary"] };
        for attack in needed.iter().filter(|attack| !made.contains(**attack)) {
            find(format!(
                "tier {tier:?} leaves with the report of its attacks only, and {attack:?} is not there"
            ));
        }
    }
    for attack in all.into_iter().flatten() {
        let name = name(attack);
        let number = |field: &str| attack[field].as_u64();
        if !ATTACKS.contains(&name.as_str()) {
            find(format!("no attack is called {name:?}"));
        }
        let (Some(targets), Some(found), Some(most)) =
            (number("n_targets"), number("n_found"), number("most_found"))
        else {
            find(format!("the attack {name:?} is without its numbers"));
            continue;
        };
        if found > most {
            find(format!("the attack {name:?} found {found}, above its bound {most}"));
        }
        if found > targets {
            find(format!("the attack {name:?} found {found} of {targets}"));
        }
    }
}

/// Groups of volunteers, and as many votes of each as the table tells.
fn volunteers(
    package: &Path,
    described: &Described,
    tier: Tier,
    view: &View,
    out: &mut Verified,
    progress: &Progress,
) {
    let promised = |name: &str| described.privacy[name].as_u64().unwrap_or(0);
    let mut rows = Vec::new();
    let mut activity: HashMap<String, String> = HashMap::new();
    let read = for_each_batch(&package.join(VOLUNTEERS), &["volunteer"], progress, |cells| {
        for row in 0..cells.n_rows() {
            let text = |name: &str| cells.text(name, row).unwrap_or_default().into_owned();
            rows.push((QUASI_IDENTIFIERS.map(text).to_vec(), text(SENSITIVE)));
            activity.insert(text("volunteer"), text("activity"));
        }
        Ok(())
    });
    if read.is_err() {
        return;
    }
    let smallest = smallest_group(&rows);
    let told = &described.privacy["protection"]["k_anonymity"];
    let is_told = told["smallest_group"].as_u64() == smallest.map(|(smallest, _)| smallest as u64)
        && told["fewest_sensitive"].as_u64() == smallest.map(|(_, fewest)| fewest as u64);
    if !is_told {
        out.find(Check::Groups, REPORT, "other groups of volunteers than their table has");
    }
    if let Some((smallest, fewest)) = smallest {
        let (k, l) = (promised("k"), promised("l"));
        if (smallest as u64) < k {
            out.find(
                Check::Groups,
                VOLUNTEERS,
                format!("a group of {smallest} volunteers, and k is {k}"),
            );
        }
        if (fewest as u64) < l {
            let what = format!("a group with {fewest} different deciles of skill, and l is {l}");
            out.find(Check::Groups, VOLUNTEERS, what);
        }
    }
    if tier == Tier::C {
        let timed = view.rows.iter().filter(|row| view.when(row).is_some());
        let n_timed = timed.filter(|row| !activity.contains_key(view.person(row.who))).count();
        if n_timed > 0 {
            let what =
                format!("{n_timed} votes with a time whose pseudonym is not in the table of volunteers");
            out.find(Check::Groups, VOTES, what);
        }
        let of_several = view.pseudonyms().zip(view.activity()).filter(|(_, n)| *n > 1);
        let is_wrong = |(pseudonym, n): &(&str, u64)| {
            let told = activity.get(*pseudonym).map(|a| a.trim_end_matches('+').parse::<u64>());
            !matches!(told, Some(Ok(most)) if *n <= most)
        };
        let n_wrong = of_several.filter(is_wrong).count();
        if n_wrong > 0 {
            let what =
                format!("{n_wrong} pseudonyms with more votes than the table of volunteers tells");
            out.find(Check::Groups, VOTES, what);
        }
    }
}
