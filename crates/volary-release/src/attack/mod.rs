//! Attacks on a package, with what strangers may know: can they say who is who?
//!
//! An attacker has the package and public knowledge: names (the participants page), Talk comments with
//! their times, discovery credits, profile statistics, the version before. Each attack says "this pseudonym
//! is this person"; the team, who has the key, counts how many of these claims are right. A package whose
//! count is above the declared bound is not to be published. That an attack finds nobody is evidence, not
//! proof: with n people looked for and none found, up to 3/n may still be found (95 %).
//!
//! Names become keys while they are read; no attack holds or prints one.

mod knowledge;
mod linkage;
mod versions;
mod view;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use md5::Md5;
use serde::Serialize;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

pub use knowledge::{Knowledge, Sighting};
pub(crate) use versions::JOIN;
pub use versions::{Version, difference, rejoined};
pub use view::View;

use crate::key::ReleaseKey;
use crate::pseudonym::{Linking, Pseudonyms};

/// The names of all attacks.
pub(crate) const ATTACKS: [&str; 7] = [
    "dictionary",
    "exact times",
    "Talk linkage",
    "credit intersection",
    "singling out",
    "difference of versions",
    JOIN,
];

/// What an attack achieved.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// The attack.
    pub attack: &'static str,
    /// What the attacker is taken to know.
    pub knows: &'static str,
    /// People looked for.
    pub n_targets: u64,
    /// People of whom a pseudonym was named.
    pub n_claims: u64,
    /// Of those, rightly: people found.
    pub n_found: u64,
    /// Share of the people that might be found, at most, with 95 % (Clopper–Pearson where none was found,
    /// Wilson otherwise); nothing where nobody was looked for.
    pub share_high: Option<f64>,
    /// The declared bound.
    pub most_found: u64,
}

impl Outcome {
    /// Whether the package stands this attack.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.n_found <= self.most_found
    }
}

/// The people's true pseudonyms: only the team can know them.
#[derive(Debug)]
pub struct Truth<'a> {
    pseudonyms: &'a Pseudonyms,
    subjects: Vec<&'a str>,
}

impl<'a> Truth<'a> {
    /// What the holder of the key knows of a package.
    #[must_use]
    pub fn new(pseudonyms: &'a Pseudonyms, view: &'a View) -> Self {
        Self { pseudonyms, subjects: view.subject_ids().collect() }
    }

    fn is_right(&self, person: &str, claimed: &str) -> bool {
        let token = |t: crate::pseudonym::Token| t.text(crate::pseudonym::Bearer::Account) == claimed;
        self.pseudonyms.all_of(person, self.subjects.iter().copied()).any(token)
    }
}

/// A claim of an attacker: this person is behind this pseudonym.
pub(crate) type Claims = BTreeMap<String, BTreeSet<String>>;

/// Runs every attack for which there is knowledge.
#[must_use]
pub fn run(view: &View, knowledge: &Knowledge, truth: &Truth<'_>, most_found: u64) -> Vec<Outcome> {
    let mut out = Vec::new();
    if !knowledge.people.is_empty() {
        // Whose hash stands in the package is found: nobody else has it, and no key is needed to see that.
        // Names and numbers are of the same people.
        let found = [&knowledge.people, &knowledge.ids].map(|of| dictionary(view, of).len() as u64);
        let n_found = found[0].max(found[1]);
        let n_targets = knowledge.people.len().max(knowledge.ids.len()) as u64;
        let knows = "names and ids; unkeyed and weakly keyed hashes";
        out.push(outcome("dictionary", knows, n_targets, n_found, n_found, most_found));
    }
    let mut add = |attack, knows, n_targets: usize, claims: &Claims| {
        let found = |(person, claimed): &(&String, &BTreeSet<String>)| {
            claimed.iter().any(|c| truth.is_right(person, c))
        };
        let n_found = claims.iter().filter(found).count() as u64;
        out.push(outcome(attack, knows, n_targets as u64, claims.len() as u64, n_found, most_found));
    };
    if !knowledge.talk.is_empty() {
        let people: BTreeSet<&str> = knowledge.talk.iter().map(|s| s.person.as_str()).collect();
        let claims = linkage::by_time(view, &knowledge.talk);
        add("exact times", "Talk comments, their times and subjects", people.len(), &claims);
        let claims = linkage::by_subjects(view, &knowledge.talk);
        add("Talk linkage", "subjects of Talk comments", people.len(), &claims);
    }
    if !knowledge.credits.is_empty() {
        let people: BTreeSet<&str> = knowledge.credits.iter().map(|s| s.person.as_str()).collect();
        let claims = linkage::by_subjects(view, &knowledge.credits);
        add("credit intersection", "names credited for discoveries", people.len(), &claims);
    }
    if !knowledge.totals.is_empty() {
        let claims = linkage::by_activity(view, &knowledge.totals);
        add("singling out", "how much each person did", knowledge.totals.len(), &claims);
    }
    out
}

fn outcome(
    attack: &'static str,
    knows: &'static str,
    n_targets: u64,
    n_claims: u64,
    n_found: u64,
    most_found: u64,
) -> Outcome {
    Outcome {
        attack,
        knows,
        n_targets,
        n_claims,
        n_found,
        share_high: share_high(n_found, n_targets),
        most_found,
    }
}

fn share_high(found: u64, targets: u64) -> Option<f64> {
    if targets == 0 {
        return None;
    }
    let n = targets as f64;
    if found == 0 {
        return Some(1.0 - 0.05_f64.powf(1.0 / n));
    }
    let (p, z) = (found as f64 / n, 1.959_963_984_540_054_f64);
    let centre = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    Some(((centre + half) / (1.0 + z * z / n)).min(1.0))
}

/// Hashes that somebody might have taken for protection, of names or of the keys made from them.
fn dictionary(view: &View, people: &[knowledge::Known]) -> Claims {
    let seen: HashSet<&str> = view.pseudonyms().collect();
    let mut claims = Claims::new();
    let weak = [[0_u8; 32], *b"volaryvolaryvolaryvolaryvolaryvo", [b'0'; 32], [0xff; 32]];
    let weak: Vec<Pseudonyms> = weak
        .iter()
        .filter_map(|bytes| ReleaseKey::of_bytes(bytes))
        .filter_map(|key| Pseudonyms::new(&key, "volary", "1.0", &Linking::None).ok())
        .collect();
    for person in people {
        let mut tried: HashSet<String> = HashSet::new();
        // Volary's own key is a hash without a secret, too.
        tried.insert(person.key.clone());
        for digest in &person.digests {
            tried.extend(written(digest));
        }
        for pseudonyms in &weak {
            let token = pseudonyms.person(&person.key);
            tried.insert(token.text(crate::pseudonym::Bearer::Account));
        }
        let mut hits: Vec<String> = tried.into_iter().filter(|t| seen.contains(t.as_str())).collect();
        hits.sort_unstable();
        if !hits.is_empty() {
            claims.entry(person.key.clone()).or_default().extend(hits);
        }
    }
    claims
}

/// The unkeyed hashes of a word.
pub(crate) fn unkeyed(word: &str) -> [Vec<u8>; 4] {
    [
        Sha256::digest(word).to_vec(),
        blake3::hash(word.as_bytes()).as_bytes().to_vec(),
        Sha1::digest(word).to_vec(),
        Md5::digest(word).to_vec(),
    ]
}

/// A digest in the forms in which it is used as a pseudonym.
fn written(digest: &[u8]) -> Vec<String> {
    let hex = data_encoding::HEXLOWER.encode(digest);
    let base32 = data_encoding::BASE32_NOPAD.encode(&digest[..10]).to_lowercase();
    let mut out: Vec<String> =
        [8, 10, 12, 16, 20, 32, 40].iter().filter_map(|n| Some(hex.get(..*n)?.to_owned())).collect();
    out.push(format!("v{}", &hex[..16]));
    out.extend(["p", "q", ""].map(|letter| format!("{letter}{base32}")));
    out.push(data_encoding::BASE64.encode(digest));
    out.push(data_encoding::BASE64URL_NOPAD.encode(&digest[..12]));
    out.push(hex);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_on_what_was_not_found() {
        assert_eq!(share_high(0, 0), None);
        // The rule of three.
        assert!((share_high(0, 100).unwrap() - 0.02951).abs() < 1e-5);
        // statsmodels.stats.proportion.proportion_confint(5, 50, method="wilson")[1]
        assert!((share_high(5, 50).unwrap() - 0.21360).abs() < 1e-4);
        assert!((share_high(10, 10).unwrap() - 1.0).abs() < 1e-9);
    }
}
