//! The opt-out list: who said "do not use what I did", by key and never by name.
//!
//! `optouts.toml` is a log: nothing is taken out of it, a later entry of the same person overrides an
//! earlier one, and that way somebody opts in again. The list is personal data itself, so it is written for
//! its owner alone. What an opt-out means for consensus and credit is decided elsewhere; here it means that
//! a person's rows are in no package.
//!
//! A run's record says which list it was given by a stamp: a hash of the lines that there were, under a secret
//! that only the list holds. Whoever has the list can say of each person whether that run left them out; to
//! everybody else the stamp says nothing, neither who nor how many.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use volary_ingest::volunteer::{Without, all_keys, is_anonymous};

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
    /// Of the stamps; hexadecimal.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    secret: String,
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

    /// Gives the log its secret where it has none yet: without one it has no stamps.
    ///
    /// # Errors
    /// [`ReleaseError::Refused`] where the system gives no random bytes.
    pub fn seal(&mut self) -> Result<(), ReleaseError> {
        if self.secret.is_empty() {
            let mut bytes = [0; 16];
            getrandom::fill(&mut bytes).map_err(|e| {
                ReleaseError::Refused(format!("the system gives no random bytes ({e}); try again"))
            })?;
            self.secret = data_encoding::HEXLOWER.encode(&bytes);
        }
        Ok(())
    }

    /// The stamps of the first 0, 1, 2… lines; none where there is no secret.
    fn stamps(&self) -> impl Iterator<Item = String> {
        let key =
            blake3::derive_key("volary 2026-11-29 opt-out list known to a run", self.secret.as_bytes());
        let mut hasher = blake3::Hasher::new_keyed(&key);
        let lines = self.entries.iter().map(Some).chain([None]);
        let stamps = lines.map(move |next| {
            let stamp = hasher.finalize().to_hex()[..32].to_owned();
            if let Some(entry) = next {
                hasher.update(entry.volunteer.as_bytes());
                hasher.update(match entry.state {
                    State::Out => b" out\n",
                    State::In => b" in\n",
                });
            }
            stamp
        });
        stamps.take(if self.secret.is_empty() { 0 } else { usize::MAX })
    }

    /// The stamp of the log as it is, for the record of a run that was given it.
    #[must_use]
    pub fn stamp(&self) -> Option<String> {
        self.stamps().last()
    }

    /// Whom a run left out that has this stamp; nobody, where it is not of this log.
    #[must_use]
    pub fn left_out(&self, stamp: Option<&str>) -> BTreeSet<&str> {
        let mut out = BTreeSet::new();
        let Some(n_lines) = stamp.and_then(|stamp| self.stamps().position(|own| own == stamp)) else {
            return out;
        };
        for entry in &self.entries[..n_lines] {
            match entry.state {
                State::Out => out.insert(entry.volunteer.as_str()),
                State::In => out.remove(entry.volunteer.as_str()),
            };
        }
        out
    }

    /// Whether a run that has this stamp left out everybody who is out now.
    #[must_use]
    pub fn all_left_out(&self, stamp: Option<&str>) -> bool {
        let left_out = self.left_out(stamp);
        self.out().into_keys().all(|person| left_out.contains(person))
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

    /// Every key under which somebody may stand in a table who is out now.
    #[must_use]
    pub fn all_keys(&self) -> BTreeSet<String> {
        self.out().into_keys().flat_map(all_keys).collect()
    }

    /// Everybody who is out now, as readers of tables leave them out.
    #[must_use]
    pub fn without(&self) -> Without {
        Without::keys(self.out().into_keys().map(str::to_owned))
    }
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
    use volary_ingest::volunteer::key;

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
        assert_eq!(
            log.out().into_keys().collect::<BTreeSet<_>>(),
            BTreeSet::from([key.as_str(), bob.as_str()])
        );
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("ann") && !text.contains("bob"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_stamp_says_whom_a_run_knew_of_to_whoever_has_the_list_and_nothing_to_others() {
        let mut log = OptOuts::default();
        log.add(entry("ann", State::Out, "2026-01-01")).unwrap();
        assert_eq!(log.stamp(), None, "without a secret whoever guesses a name could try it");
        assert!(!log.all_left_out(None));
        log.seal().unwrap();
        let (ann, bob) = (key("ann").0, key("bob").0);
        let one = log.stamp().unwrap();
        assert_eq!(log.left_out(Some(&one)), BTreeSet::from([ann.as_str()]));
        assert!(log.all_left_out(Some(&one)));
        log.add(entry("bob", State::Out, "2026-01-02")).unwrap();
        let two = log.stamp().unwrap();
        log.add(entry("ann", State::In, "2026-01-03")).unwrap();
        let three = log.stamp().unwrap();
        assert_eq!(log.left_out(Some(&one)), BTreeSet::from([ann.as_str()]));
        assert_eq!(log.left_out(Some(&two)), BTreeSet::from([ann.as_str(), bob.as_str()]));
        assert_eq!(log.left_out(Some(&three)), BTreeSet::from([bob.as_str()]));
        assert!(!log.all_left_out(Some(&one)) && log.all_left_out(Some(&two)));
        // What the day and the channel were is no part of it; which list it was is.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("optouts.toml");
        log.write(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap().replace("2026-01-01", "2026-01-05");
        std::fs::write(&path, text).unwrap();
        let again = OptOuts::read(&path).unwrap();
        assert_eq!(again.left_out(Some(&three)), BTreeSet::from([bob.as_str()]));
        let mut other = OptOuts { secret: String::new(), ..log.clone() };
        other.seal().unwrap();
        assert_ne!(other.stamp(), log.stamp());
        assert!(other.left_out(Some(&two)).is_empty() && log.left_out(None).is_empty());
        // Nobody is out: whoever was told nothing left out all of them.
        assert!(OptOuts::default().all_left_out(None));
    }

    #[test]
    fn a_table_with_ids_of_a_teams_own_has_the_same_people() {
        let mut log = OptOuts::default();
        log.add(entry("ann", State::Out, "2026-01-01")).unwrap();
        let out = log.without();
        let ann = key("ann").0;
        assert_eq!((out.who("ann"), out.who(&ann)), (Some(ann.as_str()), Some(ann.as_str())));
        for other in ["bob", "Ann", "", &key("bob").0, &key("not-logged-in-1").0] {
            assert_eq!(out.who(other), None, "{other}");
        }
        assert_eq!(OptOuts::default().without().who("ann"), None);
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
