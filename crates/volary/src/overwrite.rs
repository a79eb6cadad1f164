//! No output takes the place of an input: what was named to be read is not written over, nor is what a folder that was
//! named to be read came with.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{ArgMatches, Command};
use volary_ingest::output::{keep, protect, will_write};
use volary_ingest::tables::TableFormat;

use crate::consensus_tables::beside;
use crate::session::run_json_for;

/// Arguments that name what is written; files that others name are read.
const WRITES: [&str; 6] = ["output", "record", "figure", "figures", "save", "participants"];
/// Arguments that name a file which the command is there to change.
const CHANGES: [&str; 1] = ["noise_ledger"];
/// The record of the run that made a folder.
const RECORD: &str = "run.json";
/// Files that a model's folder has of its training, apart from weights and checkpoints. The card is none: it is written
/// anew whenever somebody wants to.
const OF_MODEL: [&str; 8] = [
    "config.json",
    "metrics.json",
    "history.csv",
    "split.csv",
    "cost.json",
    "search.json",
    "candidates.csv",
    "lineage.json",
];
/// Tables that a folder of extracts has, in any format.
const OF_EXTRACTS: [&str; 6] = ["classifications", "votes", "marks", "shapes", "texts", "subjects"];

/// Protects every file that was named to be read, and what stands or falls with it.
///
/// # Errors
/// Where one of them is an output, too.
pub(crate) fn protect_inputs(command: &Command, matches: &ArgMatches) -> Result<()> {
    let (mut read, mut written) = (Vec::new(), Vec::new());
    named(command, matches, &mut read, &mut written);
    for path in &written {
        // Into a folder goes at least the record of the run.
        if path.is_dir() { will_write(&path.join(RECORD)) } else { will_write(path) }
    }
    let this = matches.subcommand_name().unwrap_or_default();
    for path in &read {
        if path.is_dir() {
            came_with(path, this).iter().try_for_each(|file| keep(file))?;
        } else {
            protect(path)?;
            gold_beside(path).iter().try_for_each(|file| keep(file))?;
        }
    }
    Ok(())
}

/// Files of a model's folder or of one of extracts that were there before anybody read it. What a command wrote into it
/// since may be written again.
fn came_with(folder: &Path, command: &str) -> Vec<PathBuf> {
    let (is_model, is_extracts) = (volary_vision::is_model(folder), is_extracts(folder));
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    if !is_model && !is_extracts {
        return Vec::new();
    }
    let is_of_it = |path: &PathBuf| {
        let part = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        let [name, stem, ending] = [path.file_name(), path.file_stem(), path.extension()].map(part);
        let is_table = TableFormat::ALL.iter().any(|format| format.extension() == ending);
        let of_extracts = is_table && OF_EXTRACTS.contains(&stem.as_str());
        let of_model = OF_MODEL.contains(&name.as_str()) || ending == "safetensors";
        match () {
            () if name == RECORD => is_of_another(path, command),
            // A file with a record of its own is the output of some command, and no part of the folder.
            () if run_json_for(path).is_file() => false,
            () => (is_model && of_model) || (is_extracts && of_extracts),
        }
    };
    let files = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file());
    let mut found: Vec<PathBuf> = files.filter(is_of_it).collect();
    found.sort();
    found
}

/// Whether a folder holds what `volary extract` wrote: what was said, in a table beside that of who said it. One of
/// these alone may be anybody's.
fn is_extracts(folder: &Path) -> bool {
    TableFormat::ALL.iter().any(|format| {
        let has = |name: &str| folder.join(format!("{name}.{}", format.extension())).is_file();
        has("classifications") && ["votes", "marks", "shapes", "texts"].into_iter().any(has)
    })
}

/// Whether a record is that of another command: one that does the same again may put its own record in its place.
fn is_of_another(record: &Path, command: &str) -> bool {
    let text = std::fs::read_to_string(record).unwrap_or_default();
    let record: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    record.get("command").and_then(serde_json::Value::as_str) != Some(command)
}

/// What a gold standard stands on, where the file is one: nobody could verify it without.
fn gold_beside(labels: &Path) -> Vec<PathBuf> {
    let manifest = beside(labels, "gold").with_extension("json");
    if !manifest.is_file() {
        return Vec::new();
    }
    vec![beside(labels, "soft"), beside(labels, "votes"), manifest]
}

/// Files and folders among what was typed, those to read and those to write.
fn named(command: &Command, matches: &ArgMatches, read: &mut Vec<PathBuf>, written: &mut Vec<PathBuf>) {
    for argument in command.get_arguments().filter(|argument| argument.get_action().takes_values()) {
        let name = argument.get_id().as_str();
        let Ok(Some(values)) = matches.try_get_raw(name) else { continue };
        let into = match () {
            () if WRITES.contains(&name) => &mut *written,
            () if CHANGES.contains(&name) => continue,
            () => &mut *read,
        };
        into.extend(values.flat_map(paths_in).filter(|path| path.is_file() || path.is_dir()));
    }
    if let Some((name, inner)) = matches.subcommand()
        && let Some(command) = command.find_subcommand(name)
    {
        named(command, inner, read, written);
    }
}

/// The value as a path, and that of NAME=FILE.
fn paths_in(value: &OsStr) -> impl Iterator<Item = PathBuf> + use<> {
    let of_name = value.to_str().and_then(|text| Some(PathBuf::from(text.split_once('=')?.1)));
    [Some(PathBuf::from(value)), of_name].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// An output file that this list does not know would be taken for an input, and refused when it is made again.
    #[test]
    fn every_argument_that_names_what_is_written_is_known() {
        let mut open = vec![crate::Cli::command()];
        let mut n_seen = 0;
        while let Some(command) = open.pop() {
            for argument in command.get_arguments() {
                let (name, help) = (argument.get_id().as_str(), argument.get_help());
                let help = help.map(ToString::to_string).unwrap_or_default().to_lowercase();
                let says_so = ["to write", "write the", "also write", "draw the", "keep the"];
                let of = argument.get_value_names().unwrap_or_default();
                let is_file = of.iter().any(|of| ["FILE", "SVG"].contains(&of.as_str()));
                if is_file && says_so.iter().any(|words| help.contains(words)) {
                    assert!(WRITES.contains(&name), "{} {name}: {help}", command.get_name());
                    n_seen += 1;
                }
            }
            open.extend(command.get_subcommands().cloned());
        }
        assert!(n_seen > 10, "{n_seen}");
    }
}
