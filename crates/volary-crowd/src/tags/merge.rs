//! Which tags mean the same: a table that a team edits, and a first proposal for it.
//!
//! The proposal joins what is spelled alike: capitals and separators (`Tidal-Tail`, `tidal_tail`), plurals
//! (`arcs`), and slips of the pen (`meger`, `gravitatational_lens`: distance 1, or 2 from ten letters on, to a
//! tag used at least five times as often; Damerau & Levenshtein's distance with neighbours exchanged). It
//! knows no meaning: that `merging` is a `merger` is for people to say. Tags of any script are treated alike;
//! plurals are those of English.

use std::collections::BTreeMap;

use crate::error::CrowdError;

/// From raw tags to merged ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergeTable {
    to: BTreeMap<String, String>,
}

impl MergeTable {
    /// A table of raw and merged tags. A tag that is in no row stays as it is, in lower case.
    ///
    /// # Errors
    /// [`CrowdError::TagMerge`] for an empty tag, or one that is to become two different ones.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, CrowdError> {
        let mut to = BTreeMap::new();
        for (raw, merged) in pairs {
            let (raw, merged) = (folded(&raw), folded(&merged));
            if raw.is_empty() || merged.is_empty() {
                return Err(CrowdError::TagMerge {
                    tag: raw,
                    why: "an empty tag stands beside it".into(),
                });
            }
            if let Some(other) = to.insert(raw.clone(), merged.clone())
                && other != merged
            {
                let why = format!("it is to become {other:?} and {merged:?}");
                return Err(CrowdError::TagMerge { tag: raw, why });
            }
        }
        Ok(Self { to })
    }

    /// What a raw tag becomes.
    #[must_use]
    pub fn merged<'a>(&'a self, raw: &'a str) -> &'a str {
        if let Some(merged) = self.to.get(raw) {
            return merged;
        }
        self.to.get(&folded(raw)).map_or(raw, String::as_str)
    }

    /// Whether it has a row for a raw tag.
    #[must_use]
    pub fn names(&self, raw: &str) -> bool {
        self.to.contains_key(&folded(raw))
    }

    /// Raw and merged tags, by the raw one.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.to.iter().map(|(raw, merged)| (raw.as_str(), merged.as_str()))
    }

    /// Rows of the table.
    #[must_use]
    pub fn len(&self) -> usize {
        self.to.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.to.is_empty()
    }
}

/// Without `#`, outer blanks and capitals.
#[must_use]
pub fn folded(tag: &str) -> String {
    tag.trim().trim_start_matches('#').trim().to_lowercase()
}

/// Why two tags are taken for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Nothing is proposed.
    Kept,
    /// Only separators differ.
    Separators,
    /// A plural.
    Plural,
    /// A slip of the pen.
    Spelling,
}

impl Why {
    /// Its name in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "",
            Self::Separators => "separators",
            Self::Plural => "plural",
            Self::Spelling => "spelling",
        }
    }
}

/// One row of the proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The raw tag.
    pub raw: String,
    /// What it is to become.
    pub merged: String,
    /// How often it was used.
    pub n_uses: u64,
    /// Why.
    pub why: Why,
}

/// How many times as often the right spelling must be used.
const OFTEN: u64 = 5;
/// Letters from which on two slips are forgiven.
const LONG: usize = 10;
/// Letters from which on one slip is forgiven: `bar` and `arc` are two words.
const SHORT: usize = 5;

/// A table for people to edit: the most used spelling of each tag stands for the others. `counts` holds raw
/// tags, folded, and how often each was used.
#[must_use]
pub fn propose(counts: &BTreeMap<String, u64>) -> Vec<Proposal> {
    // Spellings that differ in nothing but separators, and then plurals, share a key.
    let mut groups: BTreeMap<String, Vec<(&str, u64)>> = BTreeMap::new();
    for (tag, n) in counts {
        groups.entry(singular(&joined(tag))).or_default().push((tag, *n));
    }
    let total = |group: &[(&str, u64)]| group.iter().map(|(_, n)| n).sum::<u64>();
    let mut keys: Vec<(&String, u64)> = groups.iter().map(|(key, group)| (key, total(group))).collect();
    keys.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let mut proposals = Vec::new();
    for (key, n) in &keys {
        let right = keys
            .iter()
            .take_while(|(_, often)| *often >= n.saturating_mul(OFTEN))
            .find(|(other, _)| is_slip(key, other))
            .map(|(other, _)| *other);
        let name = spelling(&groups[right.unwrap_or(key)]);
        for (tag, n) in &groups[*key] {
            let why = match () {
                () if *tag == name => Why::Kept,
                () if right.is_some() => Why::Spelling,
                () if joined(tag) == joined(&name) => Why::Separators,
                () => Why::Plural,
            };
            proposals.push(Proposal { raw: (*tag).to_owned(), merged: name.clone(), n_uses: *n, why });
        }
    }
    proposals.sort_by(|a, b| b.n_uses.cmp(&a.n_uses).then_with(|| a.raw.cmp(&b.raw)));
    proposals
}

/// The most used spelling; of equals the shorter, then the first.
fn spelling(group: &[(&str, u64)]) -> String {
    let best =
        group.iter().min_by(|a, b| b.1.cmp(&a.1).then(a.0.len().cmp(&b.0.len())).then(a.0.cmp(b.0)));
    best.map_or_else(String::new, |(tag, _)| (*tag).to_owned())
}

/// Words joined by one blank.
fn joined(tag: &str) -> String {
    let words = tag.split(|c: char| c.is_whitespace() || matches!(c, '_' | '-' | '.' | '/'));
    words.filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The last word in the singular.
fn singular(tag: &str) -> String {
    let stem = |from: &str, to: &str, least: usize| {
        let stem = tag.strip_suffix(from)?;
        let word = stem.rsplit(' ').next().unwrap_or_default();
        (word.chars().count() >= least).then(|| format!("{stem}{to}"))
    };
    let is_no_plural = ["ss", "us", "is", "lens"].iter().any(|end| tag.ends_with(end));
    if is_no_plural {
        return tag.to_owned();
    }
    let es = ["ches", "shes", "sses", "xes", "zes"].iter().any(|end| tag.ends_with(end));
    stem("ies", "y", 2)
        .or_else(|| if es { stem("es", "", 2) } else { None })
        .or_else(|| stem("nses", "ns", 2))
        .or_else(|| stem("s", "", 3))
        .unwrap_or_else(|| tag.to_owned())
}

fn is_slip(tag: &str, right: &str) -> bool {
    let letters = tag.chars().count().min(right.chars().count());
    // A number is a name and no word: 2-spiral and 3-spiral differ.
    let has_digit = |t: &str| t.chars().any(char::is_numeric);
    if tag == right || letters < SHORT || has_digit(tag) || has_digit(right) {
        return false;
    }
    let allowed = if letters >= LONG { 2 } else { 1 };
    tag.chars().count().abs_diff(right.chars().count()) <= allowed
        && strsim::osa_distance(tag, right) <= allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposed(counts: &[(&str, u64)]) -> BTreeMap<String, (String, Why)> {
        let counts = counts.iter().map(|(tag, n)| ((*tag).to_owned(), *n)).collect();
        propose(&counts).into_iter().map(|p| (p.raw, (p.merged, p.why))).collect()
    }

    #[test]
    fn spellings_of_one_word_are_joined_and_words_are_not() {
        let table = proposed(&[
            ("merger", 372),
            ("meger", 3),
            ("merging", 87),
            ("tidal_tail", 55),
            ("tidal-tail", 30),
            ("tidal_tails", 18),
            ("gravitational_lens", 289),
            ("gravitatational_lens", 10),
            ("gravitation_lens", 5),
            ("gravitational_lenses", 5),
            ("2-spiral", 55),
            ("3-spiral", 8),
            ("arc", 73),
            ("arcs", 10),
            ("bar", 16),
            ("галактика", 40),
            ("галаткика", 2),
        ]);
        let of = |tag: &str| (table[tag].0.as_str(), table[tag].1);
        assert_eq!(of("meger"), ("merger", Why::Spelling));
        assert_eq!(of("merging"), ("merging", Why::Kept));
        assert_eq!(of("tidal-tail"), ("tidal_tail", Why::Separators));
        assert_eq!(of("tidal_tails"), ("tidal_tail", Why::Plural));
        assert_eq!(of("gravitatational_lens"), ("gravitational_lens", Why::Spelling));
        assert_eq!(of("gravitation_lens"), ("gravitational_lens", Why::Spelling));
        assert_eq!(of("gravitational_lenses"), ("gravitational_lens", Why::Plural));
        assert_eq!(of("3-spiral"), ("3-spiral", Why::Kept));
        assert_eq!((of("arcs"), of("bar")), (("arc", Why::Plural), ("bar", Why::Kept)));
        assert_eq!(of("галаткика"), ("галактика", Why::Spelling));
    }

    #[test]
    fn singulars() {
        for (tag, one) in [
            ("galaxies", "galaxy"),
            ("lenses", "lens"),
            ("branches", "branch"),
            ("gas", "gas"),
            ("mass", "mass"),
            ("nucleus", "nucleus"),
            ("tidal tails", "tidal tail"),
            ("axis", "axis"),
        ] {
            assert_eq!(singular(tag), one);
        }
    }

    #[test]
    fn a_table_is_followed_and_checked() {
        let pairs = |rows: &[(&str, &str)]| {
            rows.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>()
        };
        let table = MergeTable::new(pairs(&[("#Merging ", "merger"), ("merge", "merger")])).unwrap();
        assert_eq!(
            (table.merged("merging"), table.merged("#MERGE"), table.len()),
            ("merger", "merger", 2)
        );
        assert_eq!(table.merged("arc"), "arc");
        let error = MergeTable::new(pairs(&[("a", "b"), ("A", "c")])).unwrap_err().to_string();
        assert!(
            error.contains("\"a\"") && error.contains("\"b\"") && error.contains("\"c\""),
            "{error}"
        );
        assert!(MergeTable::new(pairs(&[("a", " ")])).is_err());
    }

    #[test]
    fn whoever_follows_the_proposal_ends_where_it_says() {
        let counts = [("ring", 9), ("rings", 3)];
        let counts: BTreeMap<String, u64> = counts.iter().map(|(t, n)| (folded(t), *n)).collect();
        let pairs = propose(&counts).into_iter().map(|p| (p.raw, p.merged));
        let table = MergeTable::new(pairs).unwrap();
        assert!(["ring", "rings", "#Rings"].iter().all(|tag| table.merged(tag) == "ring"));
    }
}
