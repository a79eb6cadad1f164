//! Names that people chose, made harmless without making them other names.
//!
//! A name is shown in *display form*: composed, without controls, direction marks and invisible characters,
//! at most 100 characters long. Whether it holds an address is looked for in a *folded copy*, which nobody
//! sees. A name with an address is passed over for the next in the chain: credited name, display name,
//! login; if none is left, "(name withheld)". Each format then has its own escaping.
//!
//! Look-alike letters are left alone: a warning could be wrong, and people's alphabets are their own.

use std::cmp::Ordering;
use std::sync::OnceLock;

use icu_collator::options::CollatorOptions;
use icu_collator::{CollatorBorrowed, CollatorPreferences};
use unicode_normalization::UnicodeNormalization as _;
use unicode_segmentation::UnicodeSegmentation as _;

use crate::engine::Names;

/// Shown where no name of a person may be.
pub const WITHHELD: &str = "(name withheld)";
/// No name is shown longer, in what readers take for characters.
pub const MAX_GRAPHEMES: usize = 100;

/// What stands around words, in any script.
const BETWEEN_WORDS: &str = "(),;<>\"'|“”„‟‘’‚‛«»‹›「」『』【】〈〉《》、¿¡…†‡•";
/// Addresses that need no slashes.
const SCHEMES: [&str; 8] =
    ["javascript:", "data:", "vbscript:", "tel:", "sms:", "callto:", "skype:", "magnet:"];

/// A full stop that only has a blank behind it, as that of an abbreviation, in text without blanks.
const LOOSE: char = '\u{e000}';
/// Endings that are nobody's surname.
const ENDINGS: [&str; 7] = ["com", "net", "org", "info", "biz", "edu", "gov"];
/// An abbreviation before a surname has fewer letters (`Prof.`).
const LEAST_NAME: usize = 5;

/// Why a name is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nothing that can be seen.
    Empty,
    /// A web address.
    Link,
    /// A mail address.
    Email,
    /// An internet address in numbers.
    Address,
}

/// The name to show for a person.
#[must_use]
pub fn resolve(names: &Names) -> String {
    [&names.credited, &names.display, &names.login]
        .into_iter()
        .flatten()
        .find_map(|name| verdict(name).ok())
        .unwrap_or_else(|| WITHHELD.to_owned())
}

/// The display form of a name, or why it is not shown.
///
/// # Errors
/// The [`Reason`].
pub fn verdict(name: &str) -> Result<String, Reason> {
    let shown = display_form(name);
    if shown.is_empty() {
        return Err(Reason::Empty);
    }
    let mut found = address_in(&folded(&shown));
    // Written backwards and turned round for the eye.
    if found.is_none() && name.contains(['\u{202e}', '\u{202d}', '\u{2067}']) {
        found = address_in(&folded(&shown).chars().rev().collect::<String>());
    }
    found.map_or(Ok(shown), Err)
}

/// Composed, visible, one line, of bounded length. Doing it twice changes nothing.
#[must_use]
pub fn display_form(name: &str) -> String {
    let once = form(name);
    // Cutting and dropping can bring characters together that compose; a second pass settles them.
    let twice = form(&once);
    if twice == once { once } else { form(&twice) }
}

fn form(name: &str) -> String {
    // Far more than 100 characters need: a name of a megabyte costs no more than this.
    let start: String = name.chars().take(MAX_GRAPHEMES * 40).filter(|&c| !is_invisible(c)).collect();
    let composed: String = start.nfc().collect();
    let mut shown = String::new();
    let words = composed.split_whitespace().collect::<Vec<_>>().join(" ");
    for grapheme in words.graphemes(true).take(MAX_GRAPHEMES) {
        // A tower of accents is cut to what any script needs.
        shown.extend(grapheme.chars().take(12));
    }
    shown.trim().to_owned()
}

fn is_invisible(c: char) -> bool {
    (c.is_control() && !c.is_whitespace())
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Compatibility forms and letters folded, dots and signs made plain, spelled-out ones too.
fn folded(shown: &str) -> String {
    let mut text: String = shown.nfkc().flat_map(char::to_lowercase).collect();
    text = text.nfkc().map(|c| if matches!(c, '。' | '｡' | '·' | '․') { '.' } else { c }).collect();
    for (open, close) in [('[', ']'), ('(', ')'), ('{', '}'), ('<', '>')] {
        for (word, sign) in [("at", "@"), ("dot", "."), ("@", "@"), (".", ".")] {
            for spaced in [format!("{open}{word}{close}"), format!("{open} {word} {close}")] {
                text = text.replace(&format!(" {spaced} "), sign).replace(&spaced, sign);
            }
        }
    }
    text
}

fn address_in(text: &str) -> Option<Reason> {
    // "a at b dot co": only with a real ending, because "look at me" is a name.
    let spelled = text.replace(" dot ", ".");
    if spelled != text {
        let joined = spelled.replace(" at ", "@");
        let found = joined.split_whitespace().find_map(address_of_word);
        if let Some(found) = found.or_else(|| hidden_in(&joined)) {
            return Some(found);
        }
    }
    text.split(|c: char| c.is_whitespace() || BETWEEN_WORDS.contains(c))
        .find_map(address_of_word)
        .or_else(|| hidden_in(text))
}

/// An address with signs around it that no address has, or blanks in it.
fn hidden_in(text: &str) -> Option<Reason> {
    let text = without_loose_blanks(text);
    let may_stand = |c: char| c.is_alphanumeric() || "-_.".contains(c) || c == LOOSE;
    let mut pieces = text.split(|c| !may_stand(c));
    let is_host = pieces.any(|piece| {
        let mut labels = vec![(false, String::new())];
        for c in piece.trim_matches(['-', '_']).chars() {
            match (c, labels.last_mut()) {
                ('.' | LOOSE, _) => labels.push((c == LOOSE, String::new())),
                (_, Some((_, label))) => label.push(c),
                (_, None) => {}
            }
        }
        labels.split(|(_, label)| label.is_empty()).any(is_host_with_blanks)
    });
    // Of numbers in hexadecimal between other signs.
    let is_v6 = |piece: &str| piece.contains(':') && piece.parse::<std::net::Ipv6Addr>().is_ok();
    if is_host {
        Some(Reason::Link)
    } else if text.split(|c: char| !c.is_alphanumeric() && c != ':').any(is_v6) {
        Some(Reason::Address)
    } else {
        None
    }
}

/// The text without blanks around full stops and signs of mail addresses. Of a full stop that only has a blank
/// behind it one cannot tell: abbreviations have it.
fn without_loose_blanks(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let mut is_blank_before = false;
        let mut c = c;
        while c.is_whitespace() {
            is_blank_before = true;
            match rest.next() {
                Some(next) => c = next,
                None => return out,
            }
        }
        if c != '.' && c != '@' {
            out.extend(is_blank_before.then_some(' '));
            out.push(c);
            continue;
        }
        let is_blank_behind = rest.peek().is_some_and(|next| next.is_whitespace());
        while rest.next_if(|next| next.is_whitespace()).is_some() {}
        out.push(if c == '.' && is_blank_behind && !is_blank_before { LOOSE } else { c });
    }
    out
}

/// Whether labels are a host, each with whether the full stop before it was loose. `evil. com` is one, and `Dr. Ng` is
/// none, though `.ng` is an ending: an abbreviation and a surname.
fn is_host_with_blanks(labels: &[(bool, String)]) -> bool {
    let name = |labels: &[(bool, String)]| {
        labels.iter().map(|(_, label)| label.as_str()).collect::<Vec<_>>().join(".")
    };
    if labels.iter().skip(1).all(|(is_loose, _)| !is_loose) && is_numbers(&name(labels)) {
        return true;
    }
    // What comes behind a loose full stop may be the next sentence.
    let ends = (2..=labels.len()).filter(|end| labels.get(*end).is_none_or(|(is_loose, _)| *is_loose));
    ends.map(|end| &labels[..end]).any(|labels| {
        let host = name(labels);
        let n_ending = psl::suffix_str(&host).map_or(1, |suffix| suffix.split('.').count());
        let first = labels.len().saturating_sub(n_ending).max(1);
        let (is_loose, ending) = &labels[first];
        let is_abbreviation = labels[first - 1].1.chars().count() < LEAST_NAME;
        is_host(&host)
            && (!is_loose || n_ending > 1 || !is_abbreviation || ENDINGS.contains(&ending.as_str()))
    })
}

/// Whether it is an internet address as programs read numbers: 127.0.0.1, 0x7f.1, 0177.0.0.1.
fn is_numbers(host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    let hexadecimal = |label: &&&str| {
        label
            .strip_prefix("0x")
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    let decimal = |label: &&&str| label.parse::<u32>().is_ok_and(|n| n < 400);
    let n_hexadecimal = labels.iter().filter(hexadecimal).count();
    let n_numbers = n_hexadecimal + labels.iter().filter(decimal).count();
    n_numbers == labels.len()
        && (labels.len() == 4 || ((2..4).contains(&labels.len()) && n_hexadecimal > 0))
}

fn address_of_word(word: &str) -> Option<Reason> {
    if word.contains("://") || word.starts_with("www.") || word.starts_with("mailto:") {
        return Some(if word.starts_with("mailto:") { Reason::Email } else { Reason::Link });
    }
    if SCHEMES.iter().any(|scheme| word.len() > scheme.len() && word.starts_with(scheme)) {
        return Some(Reason::Link);
    }
    let word = word.trim_matches(|c: char| ".!?:*_~`".contains(c));
    if let Some((local, host)) = word.split_once('@')
        && !local.is_empty()
        && host.chars().next().is_some_and(char::is_alphanumeric)
    {
        return Some(Reason::Email);
    }
    let host = word.split(['/', '?', '#']).next().unwrap_or_default();
    let bare = host.trim_matches(['[', ']']);
    if bare.parse::<std::net::Ipv6Addr>().is_ok() {
        return Some(Reason::Address);
    }
    let host = host.split(':').next().unwrap_or_default();
    if host.parse::<std::net::Ipv4Addr>().is_ok() {
        return Some(Reason::Address);
    }
    is_host(host).then_some(Reason::Link)
}

fn is_host(host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    let is_label = |label: &&str| {
        !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
    };
    if labels.len() < 2 || !labels.iter().all(is_label) {
        return false;
    }
    labels.iter().any(|label| label.starts_with("xn--"))
        || psl::suffix(host.as_bytes()).is_some_and(|suffix| suffix.is_known())
}

/// For a free-text report: a comma or parenthesis in a name would make two people of one.
#[must_use]
pub fn for_report(name: &str) -> String {
    if name == WITHHELD {
        return "name withheld".to_owned();
    }
    let plain = |c: char| match c {
        ',' | ';' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | '"' | '\\' | '|' | '&' => ' ',
        c if c.is_control() => ' ',
        c => c,
    };
    let text: String = name.chars().map(plain).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// For a spreadsheet: what would be a formula is text.
#[must_use]
pub fn for_spreadsheet(name: &str) -> String {
    let first = name.nfkc().find(|c| !c.is_whitespace());
    let is_formula = name.starts_with(['\t', '\r', '\n'])
        || first.is_some_and(|c| matches!(c, '=' | '+' | '-' | '@' | '|' | '%' | '\u{2212}'));
    if is_formula { format!("'{name}") } else { name.to_owned() }
}

/// For a page: inert, and in its own direction.
#[must_use]
pub fn for_html(name: &str) -> String {
    let mut text = String::from("<bdi>");
    for c in name.chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\'' => text.push_str("&#39;"),
            c => text.push(c),
        }
    }
    text + "</bdi>"
}

/// For a paper: every special character as itself.
#[must_use]
pub fn for_latex(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => text.extend(['\\', c]),
            '~' => text.push_str("\\textasciitilde{}"),
            '^' => text.push_str("\\textasciicircum{}"),
            '\\' => text.push_str("\\textbackslash{}"),
            c => text.push(c),
        }
    }
    text
}

/// By what [`compare`] sorts. It stands on lists, since Unicode changes its order now and then.
pub const SORTED_BY: &str = "CLDR root collation, ICU4X 2.4";

/// The order of names on a list: Unicode's root collation, then code points, so that no two names that differ
/// are the same to it (the collation takes `é` in one character and in two for equal).
#[must_use]
pub fn compare(a: &str, b: &str) -> Ordering {
    static ROOT: OnceLock<CollatorBorrowed<'static>> = OnceLock::new();
    let root = ROOT.get_or_init(|| {
        CollatorBorrowed::try_new(CollatorPreferences::default(), CollatorOptions::default())
            .expect("the root collation is compiled in")
    });
    root.compare(a, b).then_with(|| a.cmp(b))
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
