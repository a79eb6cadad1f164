//! Tables that were made of votes before they came here: consensus, gold, skill, shapes. Out of them nobody can be
//! taken any more, so that where people opted out, the run that wrote each must have known of all of them. A table of
//! votes needs no such witness.
//!
//! Records are those that were given for provenance, and those that lie where commands leave them: beside the
//! table or one folder up (`volary run`), and beside what its run read, and so on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Inputs;
use crate::card::Folder;
use crate::error::ReleaseError;
use crate::lineage::{Artefact, Lineage, Run, Standing, checksum};
use crate::optout::OptOuts;

/// Folders whose records are looked at; a chain is shorter.
const MOST_FOLDERS: usize = 1_000;

/// Refuses tables that may hold votes of people who opted out.
///
/// # Errors
/// [`ReleaseError::Refused`] for such a table; and where one cannot be read.
pub(crate) fn made_without(inputs: &Inputs, optouts: &OptOuts) -> Result<(), ReleaseError> {
    if optouts.out().is_empty() {
        return Ok(());
    }
    let tables = [
        // Its votes are counted again; what a model made of skill, or of gold, is not.
        ("--consensus", &inputs.consensus, "run `volary consensus --optouts` again"),
        ("--volunteers", &inputs.volunteers, "run `volary consensus --optouts` again"),
        (
            "--gold",
            &inputs.gold,
            "run `volary gold --optouts` again, or say --gold-of-experts where no volunteer gave these answers",
        ),
        // The table of their members is looked at too; whether it is theirs only the record says.
        ("--shapes", &inputs.shapes, "run `volary shapes --optouts` again"),
    ];
    for (option, path, remedy) in tables {
        let Some(path) = path else { continue };
        let hash = checksum(path)?;
        let standing = records(path, &inputs.runs)
            .standing([hash.as_str()], |run| optouts.all_left_out(run.optouts.as_deref()));
        let why = match standing {
            Standing::Without => continue,
            Standing::Unknown if option == "--gold" && inputs.is_gold_of_experts => continue,
            Standing::Unknown => {
                "no record of a run beside it says that it was made without them".to_owned()
            }
            Standing::With(command) => format!("`volary {command}` was not told of all of them"),
        };
        return Err(ReleaseError::Refused(format!(
            "people opted out, and {option} {} may hold their votes ({why}); {remedy}",
            path.display()
        )));
    }
    Ok(())
}

/// What `prov.json` tells of where a package comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Runs, with what each read and wrote: those that were given, then those on record that made what is released.
    pub(crate) runs: Vec<Value>,
    /// What the release itself read of what they wrote.
    pub(crate) used: Vec<Value>,
}

/// Runs and files as `prov.json` tells them: a file is its name and its checksum. Where people opted out, that of a
/// file with rows of volunteers is not told, since it was taken with theirs in it; a number stands for it.
///
/// # Errors
/// [`ReleaseError`] where a record that was given, or what is released, cannot be read.
pub(crate) fn origin(inputs: &Inputs) -> Result<Origin, ReleaseError> {
    let rows = [&inputs.votes, &inputs.shapes_members];
    let tables = [&inputs.shapes, &inputs.consensus, &inputs.volunteers, &inputs.gold];
    let mut read: Vec<PathBuf> = rows.into_iter().chain(tables).flatten().cloned().collect();
    for model in &inputs.models {
        read.extend(Folder::read(model)?.weight_files().map(|file| model.join(file)));
    }
    let hashes =
        read.iter().map(|path| checksum(path)).collect::<Result<Vec<String>, ReleaseError>>()?;
    let mut runs: Vec<Run> = inputs.runs.iter().map(|path| Run::read(path)).collect::<Result<_, _>>()?;
    // The first of what is read are the tables of rows.
    let n_rows = rows.into_iter().flatten().count();
    let mut hidden: BTreeSet<String> = hashes[..n_rows].iter().cloned().collect();
    for (path, hash) in read.iter().zip(&hashes) {
        let lineage = records(path, &inputs.runs);
        for run in lineage.ancestors([hash.as_str()]) {
            let is_it = |known: &&Run| {
                (&known.command, &known.inputs, &known.outputs)
                    == (&run.command, &run.inputs, &run.outputs)
            };
            if !runs.iter().any(|known| is_it(&known)) {
                runs.push(run.clone());
            }
        }
    }
    let lineage = Lineage::new(runs.clone());
    hidden.extend(lineage.of_volunteers().map(str::to_owned));
    if inputs.optouts.is_none() {
        hidden.clear();
    }
    // Of what a run wrote only that is told that led here: not its report, nor tables that stay at home.
    let used_by_runs = runs.iter().flat_map(|run| &run.inputs).map(|file| file.blake3.clone());
    let leads_on: BTreeSet<String> = used_by_runs.chain(hashes.iter().cloned()).collect();
    for run in &mut runs {
        run.outputs.retain(|file| leads_on.contains(&file.blake3));
    }
    let made: BTreeSet<String> =
        runs.iter().flat_map(|run| &run.outputs).map(|file| file.blake3.clone()).collect();
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let mut told = |name: &str, hash: &str| {
        if !hidden.contains(hash) {
            return json!({"name": name, "blake3": hash});
        }
        let next = numbers.len() + 1;
        json!({"name": name, "of_volunteers": *numbers.entry(hash.to_owned()).or_insert(next)})
    };
    let mut files = |all: &[Artefact]| -> Vec<Value> {
        all.iter().map(|file| told(&file.name, &file.blake3)).collect()
    };
    let runs = runs.iter().map(|run| {
        json!({"command": run.command, "volary": run.volary, "seed": run.seed,
               "inputs": files(&run.inputs), "outputs": files(&run.outputs)})
    });
    let runs: Vec<Value> = runs.collect();
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // What no run on record wrote is told by the package's own tables; the order of its rows makes no difference.
    let is_made = |(_, hash): &(&PathBuf, &String)| made.contains(hash.as_str());
    let used = read.iter().zip(&hashes).filter(is_made);
    let used = used.map(|(path, hash)| told(&name(path), hash)).collect();
    Ok(Origin { runs, used })
}

/// The records of a table.
fn records(table: &Path, given: &[PathBuf]) -> Lineage {
    let mut runs: Vec<Run> = given.iter().filter_map(|path| Run::read(path).ok()).collect();
    let folder_of = |path: &Path| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        folder.unwrap_or(Path::new(".")).to_owned()
    };
    let read_from = |run: &Run| run.inputs.iter().map(|file| folder_of(&file.path)).collect::<Vec<_>>();
    let folder = folder_of(&std::path::absolute(table).unwrap_or_else(|_| table.to_owned()));
    let mut open: Vec<PathBuf> = folder.ancestors().take(2).map(Path::to_owned).collect();
    open.extend(runs.iter().flat_map(read_from));
    let mut seen = BTreeSet::new();
    while let Some(folder) = open.pop() {
        if seen.len() > MOST_FOLDERS || !seen.insert(folder.clone()) {
            continue;
        }
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if (name == "run.json" || name.ends_with(".run.json"))
                && let Ok(run) = Run::read(&path)
            {
                open.extend(read_from(&run));
                runs.push(run);
            }
        }
    }
    Lineage::new(runs)
}
