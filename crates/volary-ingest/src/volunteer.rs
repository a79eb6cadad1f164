//! Volunteers' names stop here: everything behind the reader sees keys.
//!
//! A key is `v` (account) or `a` (not logged in) and 16 hexadecimal digits of the name's BLAKE3, so the
//! same person has the same key in every table, and a weight table that a team keeps by `user_name`
//! still finds its people. A key hides a name from the eye, not from somebody who has a list of names to
//! try: tables with keys are for the team, and what is published goes through `volary release`.

use std::collections::BTreeSet;

const ANONYMOUS: &str = "not-logged-in";

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

/// Volunteers whose rows are passed over while a file is read, as if they had never been there: those who
/// opted out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Without(BTreeSet<String>);

impl Without {
    /// By their keys.
    #[must_use]
    pub fn keys(keys: impl IntoIterator<Item = String>) -> Self {
        Self(keys.into_iter().collect())
    }

    /// Whether nobody is passed over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the volunteer of a key is. In tables whose volunteers are ids of a team's own, an id is taken
    /// for a name as well: `v…` of it is the same person.
    #[must_use]
    pub fn has(&self, volunteer: &str) -> bool {
        !self.0.is_empty() && (self.0.contains(volunteer) || self.0.contains(&key(volunteer).0))
    }

    /// Whether the volunteer of a key is, where keys are what there is: the fast way.
    #[must_use]
    pub fn has_key(&self, key: &str) -> bool {
        !self.0.is_empty() && self.0.contains(key)
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
