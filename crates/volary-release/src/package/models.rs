//! Models on their way into a package: each with a card made anew, from what its folder says, under the policy
//! and the known biases of this very release.
//!
//! A model leaves without the list of subjects that it was split by and without its checkpoint; of the record of
//! its run leaves what a card needs, and nothing of this machine, so that [`check`] can write the card of a package
//! anew and hold it against the one that is there. Where people opted out, every run that it stands on
//! and that read votes must have left out each of them: its `lineage.json` says so, which `volary card` writes.

use std::path::{Path, PathBuf};

use volary_ingest::output::write_whole;

use super::manifest::FileEntry;
use crate::bias::Registry;
use crate::card::{
    CARD_FILE, Folder, LINEAGE_FILE, Prose, RECORD_FILE, SEARCH_FILE, Said, card, differences,
};
use crate::cost::COST_FILE;
use crate::error::ReleaseError;
use crate::lineage::Standing;
use crate::optout::OptOuts;
use crate::policy::Policy;

/// The files of a model in a package, those that each has first; weights beside them.
pub(crate) const MODEL_FILES: [&str; 7] =
    [CARD_FILE, RECORD_FILE, "config.json", "metrics.json", COST_FILE, LINEAGE_FILE, SEARCH_FILE];
/// How many of these each has.
pub(crate) const N_NEEDED: usize = 4;

/// Copies models into the folder of a package.
///
/// # Errors
/// [`ReleaseError::Refused`] for a model without a whole card, or one that may have learned from people who
/// opted out; and where files cannot be read or written.
pub(crate) fn copy(
    models: &[PathBuf],
    package: &Path,
    biases: &Registry,
    policy: Option<&Policy>,
    optouts: &OptOuts,
) -> Result<Vec<FileEntry>, ReleaseError> {
    let mut entries = Vec::new();
    let Some(policy) = policy else {
        return match models {
            [] => Ok(entries),
            _ => {
                let what = "a model leaves with its card, and what only you can say of it stands in the policy: give \
                            a policy.toml with [card]";
                Err(ReleaseError::Refused(what.to_owned()))
            }
        };
    };
    for path in models {
        let folder = Folder::read(path)?;
        let refuse = |what: String| ReleaseError::Refused(format!("{}: {what}", path.display()));
        if !optouts.out().is_empty() {
            let why = match folder.standing(|run| optouts.all_left_out(run.optouts.as_deref())) {
                Standing::Without => None,
                Standing::Unknown => Some(String::new()),
                Standing::With(command) => {
                    Some(format!(" (`volary {command}` was not told of all of them)"))
                }
            };
            if why.is_some() && !path.join(LINEAGE_FILE).is_file() {
                return Err(refuse(format!(
                    "people opted out, and nothing says that this model learned without them: there is no \
                     {LINEAGE_FILE}; write its card first: `volary card {}`; it keeps there the runs that the model \
                     stands on, if their run.json are in the project (--project), or else make the model again",
                    path.display()
                )));
            }
            if let Some(why) = why {
                return Err(refuse(format!(
                    "people opted out, and nothing says that this model learned without them{why}; make it again \
                     (`volary rebuild --without-optouts`) and then its card"
                )));
            }
        }
        let place = format!("models/{}", slug(&folder.id()));
        let there = package.join(&place);
        if there.exists() {
            return Err(refuse("this model was given twice; name it once".to_owned()));
        }
        let record = format!("{:#}\n", folder.record_for_others());
        write_whole(&there.join(RECORD_FILE), record.as_bytes())?;
        let mut files = vec![RECORD_FILE];
        let weights: Vec<&str> = folder.weight_files().collect();
        for file in MODEL_FILES[2..].iter().chain(&weights).filter(|file| path.join(file).is_file()) {
            let bytes = std::fs::read(path.join(file)).map_err(ReleaseError::reading(path))?;
            write_whole(&there.join(file), &bytes)?;
            files.push(file);
        }
        // Of the files that are here now, and so the card that whoever has the package can make.
        let prose = Prose::of(policy, folder.kind())?;
        let said = Said { prose: Some((&prose, &policy.version)), biases: Some(biases) };
        let text = card(&Folder::read(&there)?, &said)?;
        write_whole(&there.join(CARD_FILE), text.as_bytes())?;
        entries.push(FileEntry::of(package, &format!("{place}/{CARD_FILE}"), "Model card")?);
        for file in files {
            let is_weights = weights.contains(&file);
            let about =
                if is_weights { "Weights of a model" } else { "What a model is, and what it cost" };
            entries.push(FileEntry::of(package, &format!("{place}/{file}"), about)?);
        }
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

/// How the card of a model in a package differs from what its folder, the policy and the known biases there say.
///
/// # Errors
/// Where no card can be made of them.
pub(crate) fn check(
    model: &Path,
    biases: &Registry,
    policy: &Policy,
) -> Result<Vec<String>, ReleaseError> {
    let folder = Folder::read(model)?;
    let prose = Prose::of(policy, folder.kind())?;
    let said = Said { prose: Some((&prose, &policy.version)), biases: Some(biases) };
    differences(&folder, &said, &model.join(CARD_FILE))
}

/// Words of a model's folder that are ours: its settings, what it cost and on which machine, the words of every
/// card. A slice or a file may be called anything.
pub(crate) fn words(folder: &Path) -> String {
    let mut words = crate::card::words();
    for file in ["config.json", COST_FILE] {
        if let Ok(text) = std::fs::read_to_string(folder.join(file)) {
            words.push('\n');
            words.push_str(&text);
        }
    }
    words
}

/// An id as a folder.
fn slug(id: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' };
    id.chars().map(fit).collect()
}
