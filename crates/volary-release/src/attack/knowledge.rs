//! What strangers may know, read from tables: names become keys on the way in.

use std::path::Path;

use volary_ingest::Progress;
use volary_ingest::tables::for_each_batch;
use volary_ingest::volunteer::{is_key, key};

use super::unkeyed;
use crate::error::ReleaseError;

/// Somebody seen at a subject: a Talk comment, a credit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sighting {
    /// The person's key.
    pub person: String,
    /// The subject.
    pub subject: String,
    /// When, in milliseconds since 1970, where it is known.
    pub time_ms: Option<i64>,
    /// What the person is known to have answered.
    pub answer: Option<String>,
}

/// A person of the dictionary.
#[derive(Clone, Debug)]
pub struct Known {
    pub(crate) key: String,
    /// Unkeyed digests of the name (or the number) and of the key; written out only when they are tried.
    pub(crate) digests: Vec<Vec<u8>>,
}

/// All that an attacker is taken to know.
#[derive(Clone, Debug, Default)]
pub struct Knowledge {
    /// Everybody's name, hashed in every way that might have been used.
    pub people: Vec<Known>,
    /// Everybody's number on the platform, hashed likewise.
    pub ids: Vec<Known>,
    /// Talk comments.
    pub talk: Vec<Sighting>,
    /// Credits for discoveries.
    pub credits: Vec<Sighting>,
    /// How many classifications each person is known to have made, by key.
    pub totals: Vec<(String, u64)>,
}

/// Names of columns that hold a name or a key.
const PERSON: [&str; 6] = ["volunteer", "user_name", "user_login", "user", "login", "name"];

/// A name, or a key as it is.
fn key_of(text: &str) -> String {
    if is_key(text) { text.to_owned() } else { key(text).0 }
}

impl Knowledge {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
            && self.talk.is_empty()
            && self.credits.is_empty()
            && self.totals.is_empty()
    }

    /// Everybody whose name or number is known, by key.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.people.iter().chain(&self.ids).map(|known| known.key.as_str())
    }

    /// Adds the names of people: hashes of each as it is and in small letters.
    pub fn know_names<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        for name in names {
            let key = key_of(name);
            // The name itself must not be kept.
            let words = [name, &name.to_lowercase(), &key];
            let digests = words.into_iter().flat_map(unkeyed).collect();
            self.people.push(Known { key, digests });
        }
    }

    /// Adds people by their numbers on the platform, which are public and few enough to be tried one by one.
    pub fn know_ids<'n>(&mut self, ids: impl IntoIterator<Item = &'n str>) {
        for id in ids {
            self.ids.push(Known { key: key_of(id), digests: unkeyed(id).to_vec() });
        }
    }

    /// Reads sightings: `user_name` (or `volunteer`), `subject_id`, and `created_at` and `answer` where
    /// there are.
    ///
    /// # Errors
    /// Where the table cannot be read or has no column for a person or a subject.
    pub fn read_sightings(path: &Path, progress: &Progress) -> Result<Vec<Sighting>, ReleaseError> {
        let mut all = Vec::new();
        let mut has_person = false;
        for_each_batch(path, &["subject_id"], progress, |cells| {
            for row in 0..cells.n_rows() {
                let person = PERSON.iter().find_map(|c| cells.text(c, row));
                has_person |= person.is_some();
                if let (Some(person), Some(subject)) = (person, cells.text("subject_id", row)) {
                    all.push(Sighting {
                        person: key_of(&person),
                        subject: subject.into_owned(),
                        time_ms: cells.time_ms("created_at", row),
                        answer: cells.text("answer", row).map(std::borrow::Cow::into_owned),
                    });
                }
            }
            Ok(())
        })?;
        if !has_person {
            let what = format!("nobody is named; the column is one of {}", PERSON.join(", "));
            return Err(ReleaseError::settings(path, what));
        }
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }

    /// Reads how much people did: `user_name` (or `volunteer`) and `n_classifications`.
    ///
    /// # Errors
    /// Where the table cannot be read.
    pub fn read_totals(path: &Path, progress: &Progress) -> Result<Vec<(String, u64)>, ReleaseError> {
        let mut all = Vec::new();
        for_each_batch(path, &["n_classifications"], progress, |cells| {
            for row in 0..cells.n_rows() {
                let person = PERSON.iter().find_map(|c| cells.text(c, row));
                let n = cells.text("n_classifications", row).and_then(|t| t.parse().ok());
                if let (Some(person), Some(n)) = (person, n) {
                    all.push((key_of(&person), n));
                }
            }
            Ok(())
        })?;
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }
}
