//! No output takes the place of an input: what was named to be read is not written over.

use std::ffi::OsStr;
use std::path::PathBuf;

use anyhow::Result;
use clap::{ArgMatches, Command};
use volary_ingest::output::{protect, will_write};

/// Arguments that name what is written; files that others name are read.
const WRITES: [&str; 6] = ["output", "record", "figure", "figures", "save", "participants"];
/// Arguments that name a file which the command is there to change.
const CHANGES: [&str; 1] = ["noise_ledger"];

/// Protects every file that was named to be read.
///
/// # Errors
/// Where one of them is an output, too.
pub(crate) fn protect_inputs(command: &Command, matches: &ArgMatches) -> Result<()> {
    let (mut read, mut written) = (Vec::new(), Vec::new());
    named(command, matches, &mut read, &mut written);
    written.iter().for_each(|path| will_write(path));
    read.iter().try_for_each(|path| protect(path))?;
    Ok(())
}

/// Files among what was typed, those to read and those to write.
fn named(command: &Command, matches: &ArgMatches, read: &mut Vec<PathBuf>, written: &mut Vec<PathBuf>) {
    for argument in command.get_arguments().filter(|argument| argument.get_action().takes_values()) {
        let name = argument.get_id().as_str();
        let Ok(Some(values)) = matches.try_get_raw(name) else { continue };
        let into = match () {
            () if WRITES.contains(&name) => &mut *written,
            () if CHANGES.contains(&name) => continue,
            () => &mut *read,
        };
        into.extend(values.flat_map(paths_in).filter(|path| path.is_file()));
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
