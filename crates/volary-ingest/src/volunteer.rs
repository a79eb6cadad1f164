//! Volunteers' names stop here: everything behind the reader sees keys.
//!
//! A key is `v` (account) or `a` (not logged in) and 16 hexadecimal digits of the name's BLAKE3, so the
//! same person has the same key in every table, and a weight table that a team keeps by `user_name`
//! still finds its people. A key hides a name from the eye, not from somebody who has a list of names to
//! try: tables with keys are for the team, and what is published goes through `volary release`.

use std::collections::BTreeMap;

const ANONYMOUS: &str = "not-logged-in";

/// How often a key may have been taken for a name: an export that `volary dedup` wrote has keys where names were,
/// and whoever reads it makes keys of them.
const READ_AGAIN: usize = 3;

/// The key of a `user_name`, and whether the volunteer was logged in.
///
/// ```
/// let (key, logged_in) = volary_ingest::volunteer::key("not-logged-in-b644753d0e3948f81dc2");
/// assert!(key.starts_with('a') && !logged_in);
/// ```
#[must_use]
pub fn key(name: &str) -> (String, bool) {
    let logged_in = !name.starts_with(ANONYMOUS);
    let digest = blake3::hash(name.as_bytes());
    let hex = digest.to_hex();
    (format!("{}{}", if logged_in { 'v' } else { 'a' }, &hex.as_str()[..16]), logged_in)
}

/// Whether a key is that of somebody who was not logged in. Ids of label tables are nobody's key.
#[must_use]
pub fn is_anonymous(key: &str) -> bool {
    key.starts_with('a') && is_key(key)
}

/// Whether a text is a key, and no name.
#[must_use]
pub fn is_key(text: &str) -> bool {
    text.strip_prefix(['v', 'a']).is_some_and(|digits| {
        digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

/// Under which keys one person stands: their key, and the key of that key where an export without names was read,
/// and so on.
///
/// ```
/// let (ann, _) = volary_ingest::volunteer::key("ann");
/// let (again, _) = volary_ingest::volunteer::key(&ann);
/// assert!(volary_ingest::volunteer::all_keys(&ann).any(|key| key == again));
/// ```
pub fn all_keys(of: &str) -> impl Iterator<Item = String> + use<> {
    std::iter::successors(Some(of.to_owned()), |before| Some(key(before).0)).take(1 + READ_AGAIN)
}

/// Volunteers whose rows are passed over while a file is read, as if they had never been there: those who
/// opted out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Without {
    /// Every key under which somebody may stand, and the one that the list has.
    listed: BTreeMap<String, String>,
}

impl Without {
    /// By their keys.
    #[must_use]
    pub fn keys(keys: impl IntoIterator<Item = String>) -> Self {
        let mut listed: BTreeMap<String, String> =
            keys.into_iter().map(|key| (key.clone(), key)).collect();
        let all: Vec<String> = listed.keys().cloned().collect();
        for person in all {
            for again in all_keys(&person) {
                listed.entry(again).or_insert_with(|| person.clone());
            }
        }
        Self { listed }
    }

    /// Whether nobody is passed over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// Who is passed over, by the key of the list, if the volunteer of a table is. In tables whose volunteers are ids
    /// of a team's own, an id is taken for a name as well: `v…` of it is the same person. A key is nobody's name there:
    /// whoever calls themselves as another's key is another person.
    #[must_use]
    pub fn who(&self, volunteer: &str) -> Option<&str> {
        if self.is_empty() {
            return None;
        }
        let as_it_is = self.listed.get(volunteer);
        let is_own_id = as_it_is.is_none() && !is_key(volunteer);
        let found = if is_own_id { self.listed.get(key(volunteer).0.as_str()) } else { as_it_is };
        found.map(String::as_str)
    }

    /// Whether the volunteer of a table is passed over: [`Without::who`].
    #[must_use]
    pub fn has(&self, volunteer: &str) -> bool {
        self.who(volunteer).is_some()
    }

    /// Whether the volunteer of a key is, where keys are what there is: the fast way.
    #[must_use]
    pub fn has_key(&self, key: &str) -> bool {
        self.listed.contains_key(key)
    }
}

#[cfg(test)]
mod tests {
    use super::{Without, is_anonymous, key};

    #[test]
    fn who_is_passed_over() {
        let without = Without::keys([key("Zaphod").0]);
        assert!(
            without.has(&key("Zaphod").0) && without.has("Zaphod") && without.has_key(&key("Zaphod").0)
        );
        assert!(!without.has("zaphod") && !without.has_key("Zaphod") && !without.is_empty());
        assert!(!Without::default().has("Zaphod") && Without::default().is_empty());
    }

    #[test]
    fn who_stands_under_the_key_of_a_key_is_passed_over_and_whoever_is_called_as_one_passes_nobody_over()
    {
        let zaphod = key("Zaphod").0;
        let (again, thrice) = (key(&zaphod).0, key(&key(&zaphod).0).0);
        let without = Without::keys([zaphod.clone()]);
        for key in [&zaphod, &again, &thrice] {
            assert!(without.has(key) && without.has_key(key), "{key}");
            assert_eq!(without.who(key), Some(zaphod.as_str()));
        }
        assert_eq!(without.who("Zaphod"), Some(zaphod.as_str()));
        // Both are on the list: each is found under their own key.
        let both = Without::keys([zaphod.clone(), again.clone()]);
        assert_eq!(both.who(&again), Some(again.as_str()));
        // Somebody took the key for a name, and opts out: Zaphod stays.
        let other = Without::keys([again.clone()]);
        assert!(other.has(&again) && !other.has(&zaphod) && !other.has("Zaphod"));
    }

    #[test]
    fn who_was_not_logged_in() {
        assert!(is_anonymous(&key("not-logged-in-b644753d0e3948f81dc2").0));
        assert!(!is_anonymous(&key("ann").0) && !is_anonymous("ann") && !is_anonymous("a"));
    }

    #[test]
    fn keys_repeat_differ_and_hide_the_name() {
        let (a, logged_in) = key("Zaphod, B.\u{202e}");
        assert_eq!(a, key("Zaphod, B.\u{202e}").0);
        assert_ne!(a, key("zaphod, b.").0);
        assert!(logged_in && a.len() == 17 && !a.contains("Zaphod"));
    }
}
