//! Answers as column names, the way `panoptes_aggregation` writes them (python-slugify with `-`), in two
//! points otherwise: letters of other scripts stay (`是`, not `shi`), and two answers never share a name.
//!
//! The original makes `1` of both "< 1" and "> 1" and adds their votes up in silence. Here the second, in
//! the order of the labels, becomes `1-2`, and the clash is listed. Labels that differ in nothing but
//! case and spaces are one answer (workflows are retyped between versions) and do share a name. Which of
//! two is second depends on the labels seen, so names with a number are stable within one export.

use std::collections::{BTreeMap, BTreeSet};

/// A label in the form of a column name; empty where nothing of it can stand in one.
///
/// ```
/// use volary_ingest::panoptes::compat::slugify;
/// assert_eq!(slugify("20-60%"), "20-60");
/// assert_eq!(slugify("I don't know"), "i-don-t-know");
/// assert_eq!(slugify("是"), "是");
/// ```
#[must_use]
pub fn slugify(label: &str) -> String {
    let straight = decode_entities(&label.replace('\'', "-"));
    let mut plain = String::with_capacity(straight.len());
    for c in straight.chars() {
        match latin(c) {
            Some(text) => plain.push_str(text),
            None => plain.extend(c.to_lowercase()),
        }
    }
    let chars: Vec<char> = plain.chars().filter(|c| *c != '\'').collect();
    let mut slug = String::with_capacity(plain.len());
    for (i, &c) in chars.iter().enumerate() {
        if c.is_alphanumeric() || is_joined_mark(c) {
            slug.push(c);
        } else if c == ',' && is_between_digits(&chars, i) {
            // 1,000 is one number.
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

fn is_between_digits(chars: &[char], i: usize) -> bool {
    let is_digit = |c: Option<&char>| c.is_some_and(char::is_ascii_digit);
    i > 0 && is_digit(chars.get(i - 1)) && is_digit(chars.get(i + 1))
}

/// Marks that belong to the letter before them in Indic, Thai, Arabic and Hebrew writing; without them
/// words fall apart. Not a full table: vowel signs and points of the common blocks.
fn is_joined_mark(c: char) -> bool {
    matches!(u32::from(c), 0x0591..=0x05c7 | 0x064b..=0x065f | 0x0900..=0x0903 | 0x093a..=0x094f
        | 0x0981..=0x0983 | 0x09bc..=0x09cd | 0x0b82..=0x0bcd | 0x0e31..=0x0e4e)
}

fn decode_entities(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let known = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&nbsp;", " "),
        ("&amp;", "&"),
    ];
    known.into_iter().fold(text.to_owned(), |text, (entity, c)| text.replace(entity, c))
}

/// What `unidecode` makes of the Latin letters with marks and of common signs.
fn latin(c: char) -> Option<&'static str> {
    const GROUPS: [(&str, &str); 33] = [
        ("àáâãäåāăąÀÁÂÃÄÅĀĂĄ", "a"),
        ("æÆ", "ae"),
        ("çćĉċčÇĆĈĊČ", "c"),
        ("ďđðĎĐÐ", "d"),
        ("èéêëēĕėęěÈÉÊËĒĔĖĘĚ", "e"),
        ("ĝğġģĜĞĠĢ", "g"),
        ("ĥħĤĦ", "h"),
        ("ìíîïĩīĭįıÌÍÎÏĨĪĬĮİ", "i"),
        ("ĵĴ", "j"),
        ("ķĶ", "k"),
        ("ĺļľŀłĹĻĽĿŁ", "l"),
        ("ñńņňÑŃŅŇ", "n"),
        ("òóôõöøōŏőÒÓÔÕÖØŌŎŐ", "o"),
        ("œŒ", "oe"),
        ("ŕŗřŔŖŘ", "r"),
        ("śŝşšșŚŜŞŠȘ", "s"),
        ("ß", "ss"),
        ("ţťŧțŢŤŦȚ", "t"),
        ("þÞ", "th"),
        ("ùúûüũūŭůűųÙÚÛÜŨŪŬŮŰŲ", "u"),
        ("ŵŴ", "w"),
        ("ýÿŷÝŸŶ", "y"),
        ("źżžŹŻŽ", "z"),
        ("‘’ʼ", "'"),
        ("½", "1/2"),
        ("¼", "1/4"),
        ("¾", "3/4"),
        ("°", "deg"),
        ("×", "x"),
        ("€", "eur"),
        ("²", "2"),
        ("³", "3"),
        ("¹", "1"),
    ];
    if c.is_ascii() {
        return None;
    }
    GROUPS.iter().find(|(letters, _)| letters.contains(c)).map(|(_, plain)| *plain)
}

/// What makes two labels one answer: everything but case and spaces.
fn folded(label: &str) -> String {
    label.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// A label that could not have the name it would have had.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Clash<'l> {
    pub(super) label: &'l str,
    pub(super) wanted: String,
    pub(super) got: String,
}

/// Names for the labels of one question, and the clashes between them.
pub(super) fn unique_slugs<'l>(
    labels: impl Iterator<Item = &'l str>,
) -> (BTreeMap<&'l str, String>, Vec<Clash<'l>>) {
    let labels: BTreeSet<&str> = labels.collect();
    let mut by_fold = BTreeMap::<String, String>::new();
    let mut taken = BTreeSet::new();
    let mut second = Vec::new();
    for &label in &labels {
        let base = Some(slugify(label)).filter(|s| !s.is_empty()).unwrap_or_else(|| "answer".to_owned());
        let fold = folded(label);
        if by_fold.contains_key(&fold) {
            continue;
        }
        if taken.insert(base.clone()) {
            by_fold.insert(fold, base);
        } else {
            second.push((label, fold, base));
        }
    }
    let mut clashes = Vec::new();
    for (label, fold, wanted) in second {
        // Only after every label has had a chance at its own name: "1 2" keeps `1-2`.
        if by_fold.contains_key(&fold) {
            continue;
        }
        let free = (2_u64..).map(|n| format!("{wanted}-{n}")).find(|name| !taken.contains(name));
        let Some(got) = free else { continue };
        taken.insert(got.clone());
        by_fold.insert(fold, got.clone());
        clashes.push(Clash { label, wanted, got });
    }
    let slugs = labels.iter().filter_map(|&l| Some((l, by_fold.get(&folded(l))?.clone()))).collect();
    (slugs, clashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_as_python_slugify_makes_them() {
        // The right side is the output of python-slugify with unidecode, where the label is Latin.
        for (label, slug) in [
            ("OK to study", "ok-to-study"),
            ("Silt or Mud", "silt-or-mud"),
            ("0-20%", "0-20"),
            ("1.0", "1-0"),
            ("**Bold** [x](http://a.b)", "bold-x-http-a-b"),
            ("Huasaí", "huasai"),
            ("don’t", "dont"),
            ("1,000 m", "1000-m"),
            ("NTHNGHR", "nthnghr"),
            ("a_b", "a-b"),
            ("  --x--  ", "x"),
            ("fish &amp; chips", "fish-chips"),
            ("Straße", "strasse"),
            ("?", ""),
            ("動物 1", "動物-1"),
            ("हिन्दी", "हिन्दी"),
        ] {
            assert_eq!(slugify(label), slug, "{label}");
        }
    }

    #[test]
    fn two_answers_never_share_a_name() {
        let labels = ["> 1", "< 1", "1 2", "?", "!", "Yes", "YES ", "1"];
        let (slugs, clashes) = unique_slugs(labels.into_iter());
        // In the order of the labels: "1", "1 2", "< 1", "> 1".
        assert_eq!((slugs["1"].as_str(), slugs["1 2"].as_str()), ("1", "1-2"));
        assert_eq!((slugs["< 1"].as_str(), slugs["> 1"].as_str()), ("1-3", "1-4"));
        assert_eq!((slugs["!"].as_str(), slugs["?"].as_str()), ("answer", "answer-2"));
        assert_eq!((slugs["Yes"].as_str(), slugs["YES "].as_str()), ("yes", "yes"));
        assert_eq!(clashes.len(), 3);
        let (slugs, _) = unique_slugs(["< 1", "> 1"].into_iter());
        assert_eq!((slugs["< 1"].as_str(), slugs["> 1"].as_str()), ("1", "1-2"));
    }
}
