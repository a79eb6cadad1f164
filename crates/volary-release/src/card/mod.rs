//! Model cards: what a model is, what it learned from, how good it is and what it cost, filled from the files
//! of its folder and from nothing else (Mitchell et al. 2019, doi:10.1145/3287560.3287596; front matter as
//! Hugging Face reads it).
//!
//! What only people can say (what it is for, what it must not be used for, its licence) stands in the policy,
//! which has a version. Everything else is a number or a checksum of the folder: `config.json`,
//! `metrics.json`, `run.json`, `cost.json`, `lineage.json` and the weights. So a card can be made again, and a
//! card that says something else is found out. Nothing here knows a family of models: any folder of this form
//! has a card, see [`evaluation`] for what `metrics.json` may hold.

pub mod evaluation;
mod folder;
mod front;
mod page;
mod prose;

use std::path::Path;

pub(crate) use folder::header_bytes;
pub use folder::{Folder, LINEAGE_FILE, RECORD_FILE, SEARCH_FILE};
pub use prose::Prose;

use crate::bias::Registry;
use crate::error::ReleaseError;

/// The card of a model folder.
pub const CARD_FILE: &str = "card.md";

/// What people say of a model; all of it may be missing from a draft only.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said<'a> {
    /// What only people can say, with the version of the policy that it stands in.
    pub prose: Option<(&'a Prose, &'a str)>,
    /// Known biases.
    pub biases: Option<&'a Registry>,
}

impl Said<'_> {
    /// Whether something is left for people to say.
    #[must_use]
    pub fn is_draft(&self) -> bool {
        self.prose.is_none() || self.biases.is_none()
    }
}

/// Writes a card, as text.
///
/// # Errors
/// [`ReleaseError::Refused`] where the files of the folder contradict each other, or where the card is no
/// draft and nothing was measured.
pub fn card(folder: &Folder, said: &Said<'_>) -> Result<String, ReleaseError> {
    let wrong = folder.contradictions();
    if let Some(first) = wrong.first() {
        let more = match wrong.len() - 1 {
            0 => String::new(),
            n => format!(" (and {n} more)"),
        };
        return Err(ReleaseError::Refused(format!(
            "the files of {} contradict each other: {first}{more}; train again, or take the folder as training left it",
            folder.path().display()
        )));
    }
    if !said.is_draft() && folder.rows().is_empty() {
        return Err(ReleaseError::Refused(format!(
            "{} holds no evaluation, and a card without one says nothing; train with a held-out part",
            folder.path().display()
        )));
    }
    let front = front::front_matter(folder, said);
    let page = page::page(folder, said);
    Ok(format!("---\n{front}---\n{page}"))
}

/// The words of every card, whatever it is of.
pub(crate) fn words() -> String {
    let (folder, said) = (Folder::empty(), Said::default());
    let page = page::page(&folder, &said);
    format!("{}\n{page}\n{}", front::front_matter(&folder, &said), page::words_of_some())
}

/// How a card differs from what the folder says; empty where it does not.
///
/// # Errors
/// As [`card`], and where the file cannot be read.
pub fn differences(folder: &Folder, said: &Said<'_>, path: &Path) -> Result<Vec<String>, ReleaseError> {
    let given = std::fs::read_to_string(path).map_err(ReleaseError::reading(path))?;
    let right = card(folder, said)?;
    let mut found = Vec::new();
    let (mut given_lines, mut right_lines) = (given.lines(), right.lines());
    let mut section = "front matter".to_owned();
    let mut told = String::new();
    loop {
        let (is, should) = (given_lines.next(), right_lines.next());
        if is.is_none() && should.is_none() {
            break;
        }
        if let Some(title) = should.and_then(|line| line.strip_prefix("## ")) {
            title.clone_into(&mut section);
        }
        if is != should && told != section {
            told.clone_from(&section);
            found.push(format!(
                "{section}: {:?} should be {:?}",
                clipped(is.unwrap_or("(nothing)")),
                clipped(should.unwrap_or("(nothing)"))
            ));
        }
        // A line too many or too few puts all that follows out of step; one difference says enough.
        if found.len() >= 8 {
            break;
        }
    }
    if found.is_empty() && given != right {
        found.push("other ends of lines".to_owned());
    }
    Ok(found)
}

fn clipped(line: &str) -> String {
    line.chars().take(100).collect()
}

#[cfg(test)]
#[path = "card_tests.rs"]
mod tests;
