//! Models on their way into a package: each with a card made anew, from what its folder says, under the policy
//! and the known biases of this very release.
//!
//! A model leaves without the list of subjects that it was split by, without its checkpoint and without the
//! record of its run, which holds paths of this machine. Where people opted out, every run that it stands on
//! and that read votes must have left out each of them: its `lineage.json` says so, which `volary card` writes.

use std::path::{Path, PathBuf};

use volary_ingest::output::write_whole;

use super::manifest::FileEntry;
use crate::bias::Registry;
use crate::card::{CARD_FILE, Folder, LINEAGE_FILE, Prose, SEARCH_FILE, Said, card};
use crate::cost::COST_FILE;
use crate::error::ReleaseError;
use crate::lineage::Standing;
use crate::optout::OptOuts;
use crate::policy::Policy;

/// The files of a model in a package; weights beside them.
pub(crate) const MODEL_FILES: [&str; 6] =
    [CARD_FILE, "config.json", "metrics.json", COST_FILE, LINEAGE_FILE, SEARCH_FILE];

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
            if let Some(why) = why {
                return Err(refuse(format!(
                    "people opted out, and nothing says that this model learned without them{why}; make it again \
                     (`volary rebuild --without-optouts`) and then its card"
                )));
            }
        }
        let prose = Prose::of(policy, folder.kind())?;
        let said = Said { prose: Some((&prose, &policy.version)), biases: Some(biases) };
        let text = card(&folder, &said)?;
        let place = format!("models/{}", slug(&folder.id()));
        if package.join(&place).exists() {
            return Err(refuse("this model was given twice; name it once".to_owned()));
        }
        write_whole(&package.join(&place).join(CARD_FILE), text.as_bytes())?;
        entries.push(FileEntry::of(package, &format!("{place}/{CARD_FILE}"), "Model card")?);
        let weights = folder.weight_files().map(|file| (file, "Weights of a model"));
        let files = MODEL_FILES[1..].iter().map(|file| (*file, "What a model is, and what it cost"));
        for (file, about) in files.chain(weights) {
            if !path.join(file).is_file() {
                continue;
            }
            let bytes = std::fs::read(path.join(file)).map_err(ReleaseError::reading(path))?;
            write_whole(&package.join(&place).join(file), &bytes)?;
            entries.push(FileEntry::of(package, &format!("{place}/{file}"), about)?);
        }
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
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
