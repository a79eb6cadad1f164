//! The votes of a project as the page counts them anew, and those who cast them as numbers: read, and without who they
//! are.
//!
//! What counts is what the settings say, so that the page's numbers are those of `volary consensus` and
//! `volary retire` under the same settings. Nothing is counted here.

use std::path::Path;

use anyhow::{Result, anyhow};
use volary_core::truth::Truth;
use volary_crowd::skill::model::Pick;
use volary_ingest::tables::{for_each_batch, read_votes_without};
use volary_ingest::volunteer::{Without, is_anonymous};
use volary_release::optout::OptOuts;
use volary_web::project::{Electorate, ElectorateParts, Person, SkillMethod, Standing};

use crate::analysis::read_truth;
use crate::input::{find_votes, read_workflow_export};
use crate::session::Session;
use crate::settings::{ConsensusSettings, Settings};
use crate::skill;

/// Ways of weighing by skill that the page offers: those that are quick on many votes.
const METHODS: [&str; 4] = ["dawid-skene", "ibcc", "wawa", "iwmv"];

/// Reads the votes of a folder of extracts.
pub(crate) fn read(
    folder: &Path,
    settings: &Settings,
    out: Option<&OptOuts>,
    session: &mut Session,
) -> Result<Electorate> {
    let table = find_votes(folder)?;
    session.input_file(&table)?;
    let workflows = read_workflow_export(settings.input.workflows.as_deref(), session)?;
    let without = settings.rows.without()?;
    let (votes, _) = read_votes_without(&table, workflows.as_deref(), &without, &session.progress)?;
    let gone = gone(out);
    let standing = |key: &String| Standing { is_anonymous: is_anonymous(key), is_out: gone.has(key) };
    let people = votes.volunteers.iter().map(standing).collect();
    let consensus = &settings.consensus;
    let params = consensus.params()?;
    let mut known = |path: &Option<std::path::PathBuf>| -> Option<Truth> {
        let truth = read_truth(path.as_deref()?, session).ok()?;
        (!truth.is_empty()).then_some(truth)
    };
    let (truth, gold) = (known(&settings.input.truth), known(&consensus.gold));
    let methods = methods(consensus, session.global.seed, params.level())?;
    let repeats = consensus.repeats()?;
    Ok(Electorate::new(ElectorateParts { votes, people, repeats, params, truth, gold, methods }))
}

/// The volunteers as numbers, those who opted out left out: what `volary run` wrote of them.
pub(crate) fn people(
    folder: &Path,
    out: Option<&OptOuts>,
    session: &mut Session,
) -> Result<Vec<Person>> {
    let (gone, mut people) = (gone(out), Vec::new());
    let path = folder.join("consensus/consensus_volunteers.parquet");
    if !path.is_file() {
        return Ok(people);
    }
    for_each_batch(&path, &["n_classifications"], &session.progress, |cells| {
        for row in 0..cells.n_rows() {
            let number = |name: &str| cells.text(name, row).and_then(|text| text.parse::<f64>().ok());
            let key = cells.text("volunteer", row).unwrap_or_default();
            if gone.has(&key) {
                continue;
            }
            people.push(Person {
                n_classifications: number("n_classifications").unwrap_or(0.0) as u64,
                n_compared: number("n_compared").unwrap_or(0.0) as u64,
                agreement: number("agreement").unwrap_or(f64::NAN),
                first_ms: cells.time_ms("first_at", row),
                last_ms: cells.time_ms("last_at", row),
                is_anonymous: is_anonymous(&key),
            });
        }
        Ok(())
    })?;
    Ok(people)
}

/// Those who opted out, by key.
fn gone(out: Option<&OptOuts>) -> Without {
    out.map(OptOuts::without).unwrap_or_default()
}

/// The project's own model first, where it has one.
fn methods(settings: &ConsensusSettings, seed: u64, level: f64) -> Result<Vec<SkillMethod>> {
    let own = settings.method.clone().filter(|name| name != "fraction" && name != "auto");
    let others = METHODS.into_iter().filter(|name| own.as_deref() != Some(name)).map(|name| {
        let of = ConsensusSettings { method: Some(name.to_owned()), ..ConsensusSettings::default() };
        (name.to_owned(), of)
    });
    let first = own.clone().map(|name| (name, settings.clone()));
    first
        .into_iter()
        .chain(others)
        .map(|(name, settings)| match skill::pick(&settings, seed, level)? {
            Some(Pick::Fixed(model)) => Ok(SkillMethod { name, model }),
            _ => Err(anyhow!("the method {name} is no model; take it out of volary.toml")),
        })
        .collect()
}
