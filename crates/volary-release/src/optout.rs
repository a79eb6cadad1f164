//! The opt-out list: who said "do not use what I did", by key and never by name.
//!
//! `optouts.toml` is a log: nothing is taken out of it, a later entry of the same person overrides an
//! earlier one, and that way somebody opts in again. The list is personal data itself, so it is written for
//! its owner alone. What an opt-out means for consensus and credit is decided elsewhere; here it means that
//! a person's rows are in no package.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use volary_ingest::volunteer::{is_anonymous, key};

use crate::error::ReleaseError;

/// Whether somebody is out or in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Opted out.
    Out,
    /// Opted in again.
    In,
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The volunteer's key (`v` and 16 hexadecimal digits).
    pub volunteer: String,
    /// Out or in.
    pub state: State,
    /// The day, `2026-11-28`.
    pub at: String,
    /// How it was asked for: `email`, `form`…
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub channel: String,
}

/// The log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptOuts {
    #[serde(default, rename = "optout")]
    entries: Vec<Entry>,
}

impl OptOuts {
    /// Reads a log.
    ///
    /// # Errors
    /// [`ReleaseError::Settings`] where an entry holds something else than a key: a name, above all.
    pub fn read(path: &Path) -> Result<Self, ReleaseError> {
        let text = std::fs::read_to_string(path).map_err(ReleaseError::reading(path))?;
        let log: Self = toml::from_str(&text).map_err(|_| {
            // The parser's message would quote the line, and the line may hold a name.
            ReleaseError::settings(
                path,
                "not an opt-out list; make one with `volary optout add --user …`",
            )
        })?;
        for (i, entry) in log.entries.iter().enumerate() {
            check(entry).map_err(|what| {
                ReleaseError::settings(path, format!("entry {} of the opt-out list: {what}", i + 1))
            })?;
        }
        Ok(log)
    }

    /// Adds a line; a person's state that does not change adds none. Says whether it did.
    ///
    /// # Errors
    /// [`ReleaseError::Refused`] for something else than a person's key.
    pub fn add(&mut self, entry: Entry) -> Result<bool, ReleaseError> {
        check(&entry).map_err(|what| ReleaseError::Refused(what.to_owned()))?;
        let is_out = entry.state == State::Out;
        let changes = self.is_out(&entry.volunteer) != is_out;
        if changes {
            self.entries.push(entry);
        }
        Ok(changes)
    }

    /// Writes the log, for its owner alone.
    ///
    /// # Errors
    /// [`ReleaseError::Io`] where it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), ReleaseError> {
        let text = toml::to_string(self)
            .map_err(|e| ReleaseError::settings(path, format!("the list cannot be written: {e}")))?;
        let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Temporary files are their owner's, and stay so when they are renamed.
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(ReleaseError::writing(path))?;
        file.write_all(text.as_bytes()).map_err(ReleaseError::writing(path))?;
        file.as_file().sync_all().map_err(ReleaseError::writing(path))?;
        file.persist(path).map_err(|e| ReleaseError::writing(path)(e.error))?;
        Ok(())
    }

    /// Whether a person is out now.
    #[must_use]
    pub fn is_out(&self, volunteer: &str) -> bool {
        let last = self.entries.iter().rev().find(|e| e.volunteer == volunteer);
        last.is_some_and(|e| e.state == State::Out)
    }

    /// Lines of the log.
    #[must_use]
    pub fn n_entries(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Everybody who is out now, with the line (from 1) since which they are. The log only grows, so that
    /// whoever was given its first so many lines knew of them.
    #[must_use]
    pub fn out_since(&self) -> BTreeMap<&str, u64> {
        let mut out = BTreeMap::new();
        for (line, entry) in (1..).zip(&self.entries) {
            match entry.state {
                State::Out => {
                    out.entry(entry.volunteer.as_str()).or_insert(line);
                }
                State::In => {
                    out.remove(entry.volunteer.as_str());
                }
            }
        }
        out
    }

    /// Everybody who is out now, with the day, by key.
    #[must_use]
    pub fn out(&self) -> BTreeMap<&str, &str> {
        let mut out = BTreeMap::new();
        for entry in &self.entries {
            match entry.state {
                State::Out => out.insert(entry.volunteer.as_str(), entry.at.as_str()),
                State::In => out.remove(entry.volunteer.as_str()),
            };
        }
        out
    }
}

/// The key under which the volunteer of a table is out, by [`OptOuts::out`]. Where a table has a team's own ids and
/// not keys, an id is taken for a name as well: `v…` of it is the same person.
pub(crate) fn out_as<'a>(out: &BTreeMap<&'a str, &'a str>, volunteer: &str) -> Option<&'a str> {
    if out.is_empty() {
        return None;
    }
    let as_it_is = out.get_key_value(volunteer);
    let found = as_it_is.or_else(|| {
        let is_own_id = !is_key(volunteer) && !is_anonymous(volunteer);
        is_own_id.then(|| out.get_key_value(key(volunteer).0.as_str())).flatten()
    });
    found.map(|(key, _)| *key)
}

fn is_key(text: &str) -> bool {
    text.len() == 17
        && text.starts_with('v')
        && text[1..].bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn check(entry: &Entry) -> Result<(), &'static str> {
    if is_anonymous(&entry.volunteer) {
        return Err("somebody who was not logged in cannot be told from others, and so cannot opt out");
    }
    if !is_key(&entry.volunteer) {
        return Err("not a volunteer's key; `volary optout add --user …` turns a name into one");
    }
    if entry.at.parse::<jiff::civil::Date>().is_err() {
        return Err("`at` is not a day such as 2026-11-28");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, state: State, at: &str) -> Entry {
        Entry {
            volunteer: volary_ingest::volunteer::key(name).0,
            state,
            at: at.to_owned(),
            channel: String::new(),
        }
    }

    #[test]
    fn out_in_and_out_again() {
        let mut log = OptOuts::default();
        let key = entry("ann", State::Out, "2026-01-01").volunteer;
        assert!(log.add(entry("ann", State::Out, "2026-01-01")).unwrap());
        assert!(!log.add(entry("ann", State::Out, "2026-01-02")).unwrap());
        assert!(log.is_out(&key) && !log.is_out("v0"));
        assert!(log.add(entry("ann", State::In, "2026-02-01")).unwrap());
        assert!(!log.is_out(&key) && log.out().is_empty());
        log.add(entry("ann", State::Out, "2026-03-01")).unwrap();
        log.add(entry("bob", State::Out, "2026-03-02")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("optouts.toml");
        log.write(&path).unwrap();
        assert_eq!(OptOuts::read(&path).unwrap(), log);
        let bob = entry("bob", State::Out, "2026-03-02").volunteer;
        assert_eq!(log.n_entries(), 4);
        assert_eq!(log.out_since(), BTreeMap::from([(key.as_str(), 3), (bob.as_str(), 4)]));
        assert_eq!(log.out().len(), 2);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("ann") && !text.contains("bob"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_table_with_ids_of_a_teams_own_has_the_same_people() {
        let mut log = OptOuts::default();
        log.add(entry("ann", State::Out, "2026-01-01")).unwrap();
        let out = log.out();
        let ann = key("ann").0;
        assert_eq!((out_as(&out, "ann"), out_as(&out, &ann)), (Some(ann.as_str()), Some(ann.as_str())));
        for other in ["bob", "Ann", "", &key("bob").0, &key("not-logged-in-1").0] {
            assert_eq!(out_as(&out, other), None, "{other}");
        }
        assert_eq!(out_as(&BTreeMap::new(), "ann"), None);
    }

    #[test]
    fn names_sessions_and_nonsense_are_refused_and_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("optouts.toml");
        let cases = [
            "[[optout]]\nvolunteer = \"Zaphod\"\nstate = \"out\"\nat = \"2026-01-01\"\n",
            "[[optout]]\nvolunteer = \"a0123456789abcdef\"\nstate = \"out\"\nat = \"2026-01-01\"\n",
            "[[optout]]\nvolunteer = \"v0123456789abcdef\"\nstate = \"out\"\nat = \"soon\"\n",
            "[[optout]]\nvolunteer = \"v0123456789abcdef\"\nstate = \"Zaphod\"\nat = \"2026-01-01\"\n",
            "Zaphod",
        ];
        for text in cases {
            std::fs::write(&path, text).unwrap();
            let message = OptOuts::read(&path).unwrap_err().to_string();
            assert!(!message.contains("Zaphod"), "{message}");
        }
        assert!(OptOuts::default().add(entry("not-logged-in-12", State::Out, "2026-01-01")).is_err());
    }
}
