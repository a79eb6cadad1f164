//! Volunteers' names stop here: everything behind the reader sees keys.
//!
//! A key is `v` (account) or `a` (not logged in) and 16 hexadecimal digits of the name's BLAKE3, so the
//! same person has the same key in every table, and a weight table that a team keeps by `user_name`
//! still finds its people. A key hides a name from the eye, not from somebody who has a list of names to
//! try: tables with keys are for the team, and what is published goes through `volary release`.

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
    key.strip_prefix('a').is_some_and(|digits| {
        digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

#[cfg(test)]
mod tests {
    use super::{is_anonymous, key};

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
