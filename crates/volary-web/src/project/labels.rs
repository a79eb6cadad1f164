//! Labels that people give in the page: a log that is only ever added to, on disk before it is acknowledged.
//!
//! One JSON object a line. A label is never changed: it is taken back by another line, and a new one of the
//! same person on the same subject and question stands in its place. A line has an id of its asker's; the same
//! id again is the same label, so that a request may be sent twice. A line that a crash cut off was not
//! acknowledged, and is left out.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest text of a label, in bytes.
pub(crate) const MAX_BYTES: usize = 2_000;

/// Why labels cannot be kept.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LabelError {
    /// The operating system said no.
    #[error("{action} the labels failed ({reason}); what was acknowledged is there: {path}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The system's answer.
        reason: Arc<std::io::Error>,
        /// The file.
        path: PathBuf,
    },
    /// A line that is none of ours.
    #[error("line {line} is no label ({reason}); take it out: {path}", path = path.display())]
    Line {
        /// Which, counted from 1.
        line: usize,
        /// Why not.
        reason: String,
        /// The file.
        path: PathBuf,
    },
    /// The id stands for another label.
    #[error("the id {0:?} is that of another label; use a new one")]
    Taken(String),
    /// Nothing to take back.
    #[error("no label has the id {0:?}; it may have been taken back before")]
    Unknown(String),
}

/// A line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Label {
    /// Its own id.
    pub(crate) id: String,
    /// The subject.
    pub(crate) subject_id: String,
    /// What was asked, such as `relevance`.
    pub(crate) question: String,
    /// What was said; absent in a line that takes a label back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<String>,
    /// Who, by the id of their token.
    pub(crate) by: String,
    /// When, RFC 3339.
    pub(crate) at: String,
    /// The id of the label that is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retracts: Option<String>,
}

/// The log. Clones are the same log: a project that is read anew keeps it.
#[derive(Clone, Debug)]
pub struct Labels {
    path: PathBuf,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    file: File,
    lines: Vec<Label>,
    by_id: HashMap<String, usize>,
    /// Ids of labels that were taken back.
    gone: HashSet<String>,
}

impl Labels {
    /// Opens the log, or makes it. A last line without an end is cut off.
    ///
    /// # Errors
    /// [`LabelError`].
    pub fn open(path: &Path) -> Result<Self, LabelError> {
        let io = |action, reason: std::io::Error| LabelError::Io {
            action,
            reason: Arc::new(reason),
            path: path.to_owned(),
        };
        let mut options = OpenOptions::new();
        let mut file = options
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(|e| io("opening", e))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|e| io("reading", e))?;
        let (lines, end) = parsed(&bytes, path)?;
        if end < bytes.len() {
            file.set_len(end as u64).map_err(|e| io("repairing", e))?;
        }
        file.seek(SeekFrom::Start(end as u64)).map_err(|e| io("reading", e))?;
        let by_id = lines.iter().enumerate().map(|(at, label)| (label.id.clone(), at)).collect();
        let gone = lines.iter().filter_map(|label| label.retracts.clone()).collect();
        let state = State { file, lines, by_id, gone };
        Ok(Self { path: path.to_owned(), state: Arc::new(Mutex::new(state)) })
    }

    /// Adds a line; on disk when it comes back. `false`: it was there.
    pub(crate) fn add(&self, label: Label) -> Result<bool, LabelError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = state.by_id.get(&label.id) {
            let known = &state.lines[*at];
            // Its time is that of the first request.
            let same = Label { at: known.at.clone(), ..label.clone() } == *known;
            return if same { Ok(false) } else { Err(LabelError::Taken(label.id)) };
        }
        if let Some(of) = &label.retracts
            && !state.by_id.contains_key(of)
        {
            return Err(LabelError::Unknown(of.clone()));
        }
        let mut line = serde_json::to_vec(&label).expect("text always serialises");
        line.push(b'\n');
        let io = |reason: std::io::Error| LabelError::Io {
            action: "writing",
            reason: Arc::new(reason),
            path: self.path.clone(),
        };
        let end = state.file.stream_position().map_err(io)?;
        let written = state.file.write_all(&line).and_then(|()| state.file.sync_data());
        if let Err(error) = written {
            // What was not acknowledged must not be found half written behind the next line.
            let _ = state.file.set_len(end);
            let _ = state.file.seek(SeekFrom::Start(end));
            return Err(io(error));
        }
        let at = state.lines.len();
        state.by_id.insert(label.id.clone(), at);
        state.gone.extend(label.retracts.clone());
        state.lines.push(label);
        Ok(true)
    }

    /// What holds of what one person said of a subject.
    pub(crate) fn of(&self, subject: &str, by: &str) -> Vec<Label> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let own = state.lines.iter().filter(|line| line.subject_id == subject && line.by == by);
        // A line that takes a label back may be somebody else's, and stand on another subject.
        let gone = |line: &&Label| !state.gone.contains(&line.id);
        let mut last: BTreeMap<&str, &Label> = BTreeMap::new();
        for line in own.filter(|line| line.value.is_some()).filter(gone) {
            last.insert(&line.question, line);
        }
        last.into_values().cloned().collect()
    }

    /// Everything ever said, in order.
    pub(crate) fn log(&self) -> Vec<Label> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).lines.clone()
    }

    /// The first digits of the BLAKE3 digest of the log's lines, and how many there are.
    pub(crate) fn version(&self) -> (String, usize) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut hasher = blake3::Hasher::new();
        for line in &state.lines {
            hasher.update(&serde_json::to_vec(line).expect("text always serialises"));
            hasher.update(b"\n");
        }
        (hasher.finalize().to_hex()[..12].to_owned(), state.lines.len())
    }

    /// What holds: the last label of each person on each subject and question that was not taken back, in the
    /// order of subject, question, person.
    pub(crate) fn current(&self) -> Vec<Label> {
        current(&self.state.lock().unwrap_or_else(PoisonError::into_inner).lines)
    }
}

/// Lines of a log, and where the last whole one ends.
fn parsed(bytes: &[u8], path: &Path) -> Result<(Vec<Label>, usize), LabelError> {
    let end = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let mut lines = Vec::new();
    for (line, text) in bytes[..end].split(|b| *b == b'\n').enumerate() {
        if text.is_empty() {
            continue;
        }
        let label = serde_json::from_slice(text).map_err(|e| LabelError::Line {
            line: line + 1,
            reason: e.to_string(),
            path: path.to_owned(),
        });
        lines.push(label?);
    }
    Ok((lines, end))
}

/// What holds of some lines; see [`Labels::current`].
fn current(lines: &[Label]) -> Vec<Label> {
    let gone: HashSet<&str> = lines.iter().filter_map(|line| line.retracts.as_deref()).collect();
    let mut last: BTreeMap<(&str, &str, &str), &Label> = BTreeMap::new();
    for line in lines {
        if line.value.is_some() && !gone.contains(line.id.as_str()) {
            last.insert((&line.subject_id, &line.question, &line.by), line);
        }
    }
    last.into_values().cloned().collect()
}

/// What holds in a log that another process may be writing; nothing is opened for writing.
pub(crate) fn read_current(path: &Path) -> Result<Vec<Label>, LabelError> {
    let io =
        |reason| LabelError::Io { action: "reading", reason: Arc::new(reason), path: path.to_owned() };
    Ok(current(&parsed(&std::fs::read(path).map_err(io)?, path)?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(id: &str, subject: &str, value: &str) -> Label {
        Label {
            id: id.to_owned(),
            subject_id: subject.to_owned(),
            question: "relevance".to_owned(),
            value: Some(value.to_owned()),
            by: "me".to_owned(),
            at: "2027-01-15T08:00:00Z".to_owned(),
            retracts: None,
        }
    }

    fn values(labels: &Labels) -> Vec<String> {
        let shown = |l: &Label| format!("{}={}", l.subject_id, l.value.clone().unwrap_or_default());
        labels.current().iter().map(shown).collect()
    }

    #[test]
    fn what_was_acknowledged_is_there_after_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.jsonl");
        let labels = Labels::open(&path).unwrap();
        assert!(labels.add(label("1", "a", "5")).unwrap());
        assert!(labels.add(label("2", "b", "0")).unwrap());
        assert!(!labels.add(label("1", "a", "5")).unwrap(), "sent twice");
        assert!(matches!(labels.add(label("1", "a", "4")), Err(LabelError::Taken(_))));
        drop(labels);
        // A crash in the middle of a line.
        let whole = std::fs::read(&path).unwrap();
        for cut in 1..40 {
            let torn = [&whole[..], &br#"{"id":"3","subject_id":"c","question":"r"}"#[..cut]].concat();
            std::fs::write(&path, torn).unwrap();
            let labels = Labels::open(&path).unwrap();
            assert_eq!(values(&labels), ["a=5", "b=0"]);
            assert!(labels.add(label("4", "d", "1")).unwrap());
            drop(labels);
            assert_eq!(values(&Labels::open(&path).unwrap()), ["a=5", "b=0", "d=1"]);
        }
    }

    #[test]
    fn the_version_is_that_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.jsonl");
        let labels = Labels::open(&path).unwrap();
        let empty = labels.version();
        labels.add(label("1", "a", "5")).unwrap();
        labels.add(label("2", "b", "<0>")).unwrap();
        let digest = blake3::hash(&std::fs::read(&path).unwrap()).to_hex();
        assert_eq!(labels.version(), (digest[..12].to_owned(), 2));
        assert_ne!(labels.version().0, empty.0);
        assert_eq!(Labels::open(&path).unwrap().version(), labels.version());
    }

    #[test]
    fn the_last_word_holds_until_it_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.jsonl");
        let labels = Labels::open(&path).unwrap();
        let back = |id: &str, of: &str| Label {
            value: None,
            retracts: Some(of.to_owned()),
            ..label(id, "a", "")
        };
        labels.add(label("1", "a", "5")).unwrap();
        labels.add(label("2", "a", "3")).unwrap();
        assert_eq!(values(&labels), ["a=3"]);
        labels.add(back("3", "2")).unwrap();
        assert_eq!(values(&labels), ["a=5"], "what it had replaced holds again");
        assert_eq!(labels.of("a", "me")[0].id, "1");
        assert!(labels.of("a", "you").is_empty() && labels.of("b", "me").is_empty());
        labels.add(back("4", "1")).unwrap();
        assert!(values(&labels).is_empty());
        assert!(labels.of("a", "me").is_empty());
        assert!(matches!(labels.add(back("5", "9")), Err(LabelError::Unknown(_))));
        assert_eq!(labels.log().len(), 4, "nothing is ever deleted");
        std::fs::write(&path, "{}\n").unwrap();
        assert!(matches!(Labels::open(&path), Err(LabelError::Line { line: 1, .. })));
    }
}
