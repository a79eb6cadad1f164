//! Pseudonyms: who did it, without who it is.
//!
//! `p` and the base32 of the first 80 bits of HMAC-SHA-256(key, message). The message says what it is for,
//! the project, the release, where asked the subject, and the volunteer's key; every part goes in with its
//! length before it, so that no two messages read alike. An unkeyed hash would not do: all names of a
//! platform can be hashed in an hour. Of 10,000 people two share a pseudonym with a chance of 4e-17.
//!
//! Somebody who was not logged in gets `q` and a pseudonym of the single classification: two
//! classifications of a session are never linked, and neither is their address.
//!
//! Differs from specification 6.2: the parts have lengths instead of NUL between them (a subject's id may
//! hold a NUL), the project is a part, and the volunteer is the key of [`volary_ingest::volunteer`] and not
//! the numeric id, because names and ids stop at the reader.

use hmac::digest::array::Array;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use volary_ingest::volunteer::is_anonymous;

use crate::error::ReleaseError;
use crate::key::ReleaseKey;

/// The 80 bits of a pseudonym.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token([u8; 10]);

/// What a pseudonym says about its bearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bearer {
    /// Somebody with an account.
    Account,
    /// One classification of somebody who was not logged in.
    NotLoggedIn,
}

impl Token {
    /// The pseudonym as text: a letter first, so that no spreadsheet takes it for a number.
    #[must_use]
    pub fn text(self, bearer: Bearer) -> String {
        let mut text = String::with_capacity(17);
        text.push(match bearer {
            Bearer::Account => 'p',
            Bearer::NotLoggedIn => 'q',
        });
        for five in self.0.chunks_exact(5) {
            let bits = five.iter().fold(0_u64, |bits, &byte| bits << 8 | u64::from(byte));
            for place in (0..8).rev() {
                text.push(char::from(ALPHABET[(bits >> (5 * place)) as usize & 31]));
            }
        }
        text
    }
}

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Whether text has the form of a pseudonym of ours.
#[must_use]
pub fn is_pseudonym(text: &str) -> bool {
    text.strip_prefix(['p', 'q'])
        .is_some_and(|t| t.len() == 16 && t.bytes().all(|b| ALPHABET.contains(&b)))
}

/// Which releases share pseudonyms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Linking {
    /// None: the release's own id is part of every pseudonym.
    None,
    /// All releases of this line that are made with the same key, because the team wants versions of one
    /// data set to join. Anybody can join them, too.
    Line(String),
}

/// Makes the pseudonyms of one release.
#[derive(Clone)]
pub struct Pseudonyms {
    keyed: Hmac<Sha256>,
    project: String,
    scope: String,
    release: String,
}

impl std::fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pseudonyms").field("release", &self.release).finish_non_exhaustive()
    }
}

impl Pseudonyms {
    /// Pseudonyms of a release of a project.
    ///
    /// # Errors
    /// [`ReleaseError::Refused`] where the project, the release or the line has no name.
    pub fn new(
        key: &ReleaseKey,
        project: &str,
        release: &str,
        linking: &Linking,
    ) -> Result<Self, ReleaseError> {
        let scope = match linking {
            Linking::None => format!("release:{release}"),
            Linking::Line(line) => format!("line:{line}"),
        };
        if project.is_empty() || release.is_empty() || scope.ends_with(':') {
            let what =
                "a release needs a project, a version and, where it is linked, the name of its line";
            return Err(ReleaseError::Refused(what.to_owned()));
        }
        let keyed = Hmac::new(&Array::from(block_of(key.bytes())));
        Ok(Self { keyed, project: project.to_owned(), scope, release: release.to_owned() })
    }

    /// The same person everywhere in this release.
    #[must_use]
    pub fn person(&self, volunteer: &str) -> Token {
        self.token("volary/person/1", &[&self.scope, volunteer])
    }

    /// The same person on one subject; on another subject somebody else.
    #[must_use]
    pub fn on_subject(&self, subject: &str, volunteer: &str) -> Token {
        self.token("volary/subject/1", &[&self.scope, subject, volunteer])
    }

    /// One classification of somebody who was not logged in.
    ///
    /// Never linked between releases, not even on a line.
    #[must_use]
    pub fn classification(&self, classification: &str) -> Token {
        self.token("volary/classification/1", &[&self.release, classification])
    }

    /// What tells this key from all others, and nothing else: it stands in the package, so that whoever asks a package
    /// with another key, of another version or line, is told so and not that nobody is there.
    #[must_use]
    pub fn check(&self) -> String {
        self.token("volary/check/1", &[&self.scope, &self.release]).text(Bearer::Account)
    }

    /// All pseudonyms of a person of whom only the key is known: everywhere, and on each of the subjects.
    /// Nobody's, of somebody who was not logged in: those are of classifications.
    pub fn all_of<'a>(
        &'a self,
        volunteer: &'a str,
        subjects: impl IntoIterator<Item = &'a str> + 'a,
    ) -> impl Iterator<Item = Token> + 'a {
        let local = subjects.into_iter().map(move |s| self.on_subject(s, volunteer));
        let tokens = std::iter::once_with(move || self.person(volunteer)).chain(local);
        tokens.take(if is_anonymous(volunteer) { 0 } else { usize::MAX })
    }

    fn token(&self, purpose: &str, parts: &[&str]) -> Token {
        let mut mac = self.keyed.clone();
        for part in [purpose, &self.project].iter().chain(parts) {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part.as_bytes());
        }
        let digest = mac.finalize().into_bytes();
        let mut token = [0; 10];
        token.copy_from_slice(&digest[..10]);
        Token(token)
    }
}

/// HMAC pads a short key with zeros to a block; done here, since the typed constructor cannot fail.
pub(crate) fn block_of(key: &[u8; 32]) -> [u8; 64] {
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn key(byte: u8) -> ReleaseKey {
        ReleaseKey::of_bytes(&[byte; 32]).unwrap()
    }

    fn release(key_byte: u8, release: &str, linking: &Linking) -> Pseudonyms {
        Pseudonyms::new(&key(key_byte), "cats", release, linking).unwrap()
    }

    #[test]
    fn the_pseudonyms_of_another_implementation() {
        // Python: hmac.new(bytes([7]*32), b"".join(len(p).to_bytes(8, "little") + p for p in parts),
        // "sha256").digest()[:10], then base64.b32encode(…).lower().
        let p = release(7, "1.0", &Linking::None);
        assert_eq!(p.person("v0123456789abcdef").text(Bearer::Account), "pnplwigy2cjozuolr");
        assert_eq!(p.on_subject("s1", "v0123456789abcdef").text(Bearer::Account), "pwmbhxgf2w4nmpxap");
        assert_eq!(p.classification("42").text(Bearer::NotLoggedIn), "qdomklhjjgx4xcbub");
    }

    #[test]
    fn releases_projects_and_keys_are_not_linked() {
        let (mut tokens, mut checks) = (BTreeSet::new(), BTreeSet::new());
        for p in [
            release(1, "1.0", &Linking::None),
            release(1, "1.1", &Linking::None),
            release(2, "1.0", &Linking::None),
            release(1, "1.2", &Linking::Line("1.0".into())),
            Pseudonyms::new(&key(1), "dogs", "1.0", &Linking::None).unwrap(),
        ] {
            for volunteer in ["v1", "v2"] {
                assert!(tokens.insert(p.person(volunteer)));
                assert!(tokens.insert(p.on_subject("s1", volunteer)));
                assert!(tokens.insert(p.on_subject("s2", volunteer)));
            }
            assert!(tokens.insert(p.classification("v1")));
            assert!(checks.insert(p.check()));
        }
        assert_eq!((tokens.len(), checks.len()), (5 * 7, 5));
    }

    #[test]
    fn a_line_links_people_and_never_sessions() {
        let line = Linking::Line("main".into());
        let (one, two) = (release(1, "1.0", &line), release(1, "1.1", &line));
        assert_eq!(one.person("v1"), two.person("v1"));
        assert_eq!(one.on_subject("s", "v1"), two.on_subject("s", "v1"));
        assert_ne!(one.classification("c"), two.classification("c"));
    }

    #[test]
    fn a_release_without_a_name_is_refused() {
        for (project, version, line) in [("", "1", "x"), ("p", "", "x"), ("p", "1", "")] {
            assert!(Pseudonyms::new(&key(1), project, version, &Linking::Line(line.into())).is_err());
        }
    }

    #[test]
    fn who_was_not_logged_in_has_no_pseudonym_as_a_person() {
        let p = release(1, "1.0", &Linking::None);
        let (account, _) = volary_ingest::volunteer::key("ann");
        let (session, _) = volary_ingest::volunteer::key("not-logged-in-1234");
        assert_eq!(p.all_of(&account, ["s1", "s2"]).count(), 3);
        assert_eq!(p.all_of(&session, ["s1", "s2"]).count(), 0);
    }

    proptest! {
        #[test]
        fn parts_do_not_run_into_each_other(a in ".{0,4}", b in ".{0,4}", c in ".{0,4}", d in ".{0,4}") {
            let p = release(1, "1.0", &Linking::None);
            prop_assert_eq!((&a, &b) == (&c, &d), p.on_subject(&a, &b) == p.on_subject(&c, &d));
        }

        #[test]
        fn text_is_base32_and_keeps_its_type_everywhere(volunteer in ".{0,8}") {
            let token = release(1, "1.0", &Linking::None).person(&volunteer);
            let text = token.text(Bearer::Account);
            let encoding = data_encoding::BASE32_NOPAD.encode(&token.0).to_lowercase();
            prop_assert_eq!(&text[1..], encoding);
            prop_assert!(is_pseudonym(&text) && text.parse::<f64>().is_err());
        }
    }
}
