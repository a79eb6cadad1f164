//! Tables that were made of votes before they came here: consensus, gold, skill, shapes. Out of them nobody can be
//! taken any more, so that where people opted out, the run that wrote each must have known of all of them. A table of
//! votes needs no such witness.
//!
//! Records are those that were given for provenance, and those that lie where commands leave them: beside the
//! table or one folder up (`volary run`), and beside what its run read, and so on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Inputs;
use crate::error::ReleaseError;
use crate::lineage::{Lineage, Run, Standing};
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
        let bytes = std::fs::read(path).map_err(ReleaseError::reading(path))?;
        let hash = blake3::hash(&bytes).to_hex().to_string();
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
