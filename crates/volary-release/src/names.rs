//! Does a name stand anywhere in these bytes? Every byte is looked at, for every name at once: four bytes are held
//! against the beginnings of all names, and only what begins like one is followed through the tree of the names
//! (Aho & Corasick 1975, doi:10.1145/360825.360855; their failure links are not needed then).
//!
//! A name is looked for as it is, in NFC, NFD and NFKC, in small and capital letters and with each word capital, and as
//! JSON, XML (`&#x27;`), CSV and addresses (`%C3%89`, `+` for a blank) would write it; so is the key that Volary makes of it. A short name must stand
//! as a word of its own: every third pseudonym has an `ann` in it. What cannot be told apart is counted, not
//! passed in silence: names of fewer than three characters or digits alone, and names that are words of the
//! package's own text (somebody is always called `galaxy`).

use std::collections::BTreeSet;
use std::io::Read as _;
use std::ops::Range;
use std::path::Path;

use aho_corasick::Anchored;
use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::nfa::contiguous::NFA;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use unicode_normalization::UnicodeNormalization as _;
use volary_ingest::Progress;
use volary_ingest::tables::{TableFormat, for_each_batch};
use volary_ingest::volunteer::key;

use crate::error::ReleaseError;
use crate::tables::xml;

/// Shorter names are not looked for, unless their characters are such as hold a word each.
const MIN_CHARS: usize = 3;
const MIN_BYTES: usize = 6;
/// Digits alone are looked for from this length on: shorter ones are counts.
const MIN_DIGITS: usize = 7;
/// In what is packed shorter forms stand by chance.
const PACKED_BYTES: usize = 8;
/// Longer forms are found within words, too.
const LONG_BYTES: usize = 14;
/// Bytes that one thread looks at at a time.
const CHUNK: usize = 4 << 20;
/// Bytes that are made small letters at a time: they stay in the nearest cache.
const WINDOW: usize = 16 << 10;

/// Names to look for.
#[derive(Debug)]
pub struct NameSet {
    forms: Option<Forms>,
    longest: usize,
    /// Names that are looked for.
    pub n_names: u64,
    /// Names that are too short to be told from anything.
    pub n_short: u64,
    /// Names that are words of the package's own text.
    pub n_common: u64,
}

/// All forms of all names, as a tree that is walked from the byte at which a name may begin.
#[derive(Debug)]
struct Forms {
    tree: NFA,
    root: StateID,
    /// For each form whether it must be a word of its own.
    is_word: Vec<bool>,
    beginnings: Beginnings,
}

/// Where a name stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// First byte.
    pub start: u64,
    /// Bytes.
    pub len: usize,
}

impl NameSet {
    /// Names, and text of the team's own in which names may stand (title, authors, answers).
    ///
    /// # Errors
    /// [`ReleaseError::Refused`] where there are more names than can be looked for at once (millions).
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>, ours: &str) -> Result<Self, ReleaseError> {
        let ours = words(ours);
        let distinct: BTreeSet<&str> = names.into_iter().map(str::trim).collect();
        let mut patterns: Vec<String> = Vec::new();
        let mut is_word = Vec::new();
        let (mut n_names, mut n_short, mut n_common) = (0, 0, 0);
        for name in distinct {
            let n_chars = name.chars().count();
            let is_number = name.bytes().all(|b| b.is_ascii_digit());
            if n_chars < MIN_CHARS && name.len() < MIN_BYTES || is_number && n_chars < MIN_DIGITS {
                n_short += 1;
                continue;
            }
            let mut forms = BTreeSet::new();
            if ours.contains(&folded(name)) {
                n_common += 1;
            } else {
                n_names += 1;
                forms = forms_of(name);
            }
            forms.insert(key(name).0);
            for form in forms {
                let short = form.len() < LONG_BYTES;
                // Between letters of other scripts nothing says where a word ends.
                is_word.push(short && form.is_ascii());
                patterns.push(form);
            }
        }
        let longest = patterns.iter().map(String::len).max().unwrap_or(0);
        let forms = if patterns.is_empty() { None } else { Some(Forms::new(&patterns, is_word)?) };
        Ok(Self { forms, longest, n_names, n_short, n_common })
    }

    /// Every name in the bytes, in order; at most `most`.
    #[must_use]
    pub fn find(&self, bytes: &[u8], most: usize) -> Vec<Hit> {
        self.find_where(bytes, most, |_| true)
    }

    /// … of the hits that count.
    fn find_where(&self, bytes: &[u8], most: usize, counts: impl Fn(Hit) -> bool + Sync) -> Vec<Hit> {
        let Some(forms) = &self.forms else { return Vec::new() };
        let in_chunk = |chunk: usize| {
            let range = chunk * CHUNK..bytes.len().min((chunk + 1) * CHUNK);
            let mut hits = Vec::new();
            forms.beginnings.each(bytes, range, |start| {
                forms.each_at(bytes, start, |hit| {
                    if counts(hit) {
                        hits.push(hit);
                    }
                });
                hits.len() < most
            });
            hits
        };
        let n_chunks = bytes.len().div_ceil(CHUNK);
        let mut hits: Vec<Hit> = (0..n_chunks).into_par_iter().flat_map_iter(in_chunk).collect();
        hits.sort_unstable();
        hits.dedup();
        hits.truncate(most);
        hits
    }

    /// Every name in a file, block by block; at most `most`. In `packed` stretches, whose bytes are as good as random,
    /// only what is too long to stand there by chance counts: of ten thousand names of five letters one or two do in
    /// 300 MB.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn find_in_file(
        &self,
        path: &Path,
        packed: &[Range<u64>],
        most: usize,
    ) -> Result<Vec<Hit>, ReleaseError> {
        let mut file = std::fs::File::open(path).map_err(ReleaseError::reading(path))?;
        let mut hits: Vec<Hit> = Vec::new();
        // The end of a block is looked at again with the next, so that no name falls between two.
        let overlap = self.longest + 1;
        let mut block: Vec<u8> = Vec::new();
        let mut offset = 0_u64;
        loop {
            let n_before = block.len();
            let wanted = (8 * CHUNK) as u64;
            file.by_ref().take(wanted).read_to_end(&mut block).map_err(ReleaseError::reading(path))?;
            let is_last = ((block.len() - n_before) as u64) < wanted;
            // What begins in the first bytes was seen whole before, and with what stands before it.
            let seen = if offset == 0 { 0 } else { overlap as u64 };
            let counts = |hit: Hit| {
                let (start, stop) = (hit.start + offset, hit.start + offset + hit.len as u64);
                let by_chance = hit.len < PACKED_BYTES
                    && packed.iter().any(|packed| packed.start <= start && stop <= packed.end);
                hit.start >= seen && !by_chance
            };
            let found = self.find_where(&block, most, counts);
            hits.extend(found.into_iter().map(|h| Hit { start: h.start + offset, len: h.len }));
            if is_last || hits.len() >= most {
                hits.truncate(most);
                return Ok(hits);
            }
            let keep = block.len().saturating_sub(2 * overlap);
            offset += keep as u64;
            block.drain(..keep);
        }
    }
}

impl Forms {
    fn new(patterns: &[String], is_word: Vec<bool>) -> Result<Self, ReleaseError> {
        let refused = |e: &dyn std::fmt::Display| {
            ReleaseError::Refused(format!("too many names at once ({e}); look for them in parts"))
        };
        let tree = NFA::builder()
            .ascii_case_insensitive(true)
            .prefilter(false)
            .build(patterns)
            .map_err(|e| refused(&e))?;
        let root = tree.start_state(Anchored::Yes).map_err(|e| refused(&e))?;
        let beginnings = Beginnings::new(patterns, &is_word);
        Ok(Self { tree, root, is_word, beginnings })
    }

    /// Calls for every form that begins at `start`.
    fn each_at(&self, bytes: &[u8], start: usize, mut call: impl FnMut(Hit)) {
        let mut state = self.root;
        for (stop, byte) in (start + 1..).zip(&bytes[start..]) {
            state = self.tree.next_state(Anchored::Yes, state, *byte);
            if !self.tree.is_special(state) {
                continue;
            }
            if self.tree.is_dead(state) {
                return;
            }
            let n_forms = if self.tree.is_match(state) { self.tree.match_len(state) } else { 0 };
            for form in (0..n_forms).map(|i| self.tree.match_pattern(state, i)) {
                // The tree also tells forms that end here and began later; they are met there.
                let len = self.tree.pattern_len(form);
                let is_word = self.is_word[form.as_usize()];
                if len == stop - start && (!is_word || stands_alone(bytes, start, stop)) {
                    call(Hit { start: start as u64, len });
                }
            }
        }
    }
}

/// The first four bytes of all forms, small letters, as a table of bits by their hash: what is not in it is no beginning;
/// what is in it may be one. Of each hash one bit is of forms that stand anywhere and one of those that are words.
#[derive(Debug)]
struct Beginnings {
    pairs: Vec<u64>,
    shift: u32,
}

impl Beginnings {
    const ANYWHERE: u64 = 1;
    const AS_WORD: u64 = 2;

    fn new(patterns: &[String], is_word: &[bool]) -> Self {
        let mut all: Vec<([u8; 4], u64)> = Vec::new();
        for (pattern, is_word) in patterns.iter().zip(is_word) {
            let bit = if *is_word { Self::AS_WORD } else { Self::ANYWHERE };
            match *pattern.to_ascii_lowercase().as_bytes() {
                [a, b, c, d, ..] => all.push(([a, b, c, d], bit)),
                [a, b, c] => all.extend((0..=u8::MAX).map(|d| ([a, b, c, d], bit))),
                _ => debug_assert!(false, "forms have {MIN_CHARS} bytes at least"),
            }
        }
        all.sort_unstable();
        all.dedup();
        // One place in sixteen is taken at most, unless there are a million beginnings.
        let n_bits = (16 * all.len()).next_power_of_two().ilog2().clamp(12, 24);
        let mut table = Self { pairs: vec![0; 1 << (n_bits - 5)], shift: 32 - n_bits };
        for (four, bit) in all {
            let (word, shift) = table.place(four);
            table.pairs[word] |= bit << shift;
        }
        table
    }

    fn place(&self, four: [u8; 4]) -> (usize, u32) {
        let hash = u32::from_le_bytes(four).wrapping_mul(0x9e37_79b1) >> self.shift;
        ((hash >> 5) as usize, 2 * (hash & 31))
    }

    /// Calls for every place in the range at which a form may begin, until it is told to stop.
    fn each(&self, bytes: &[u8], range: Range<usize>, mut call: impl FnMut(usize) -> bool) {
        // Two bytes before and three behind belong to it; outside of everything are zeros.
        let mut small = [0_u8; WINDOW + 5];
        for from in range.clone().step_by(WINDOW) {
            let n = WINDOW.min(range.end - from);
            let (first, last) = (from.saturating_sub(2), (from + n + 3).min(bytes.len()));
            small[..2].fill(0);
            let at = first + 2 - from;
            let window = &mut small[at..at + last - first];
            window.copy_from_slice(&bytes[first..last]);
            window.make_ascii_lowercase();
            small[at + last - first..].fill(0);
            for (i, six) in small[..n + 5].windows(6).enumerate() {
                let &[escape, before, a, b, c, d] = six else { continue };
                let may_be_word = !IS_LETTER[usize::from(before)]
                    || escape == b'\\' && matches!(before, b'b' | b'f' | b'n' | b'r' | b't');
                let (word, shift) = self.place([a, b, c, d]);
                let wanted = Self::ANYWHERE | u64::from(may_be_word) << 1;
                if (self.pairs[word] >> shift) & wanted != 0 && !call(from + i) {
                    return;
                }
            }
        }
    }
}

/// What a word is made of; file names and columns glue words together with `_`.
const IS_LETTER: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = byte >= 0x80 || (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    table
};

/// Reads names: the column `user_name` (or `user_login`, `login`, `name`) of a table, an export for
/// example, or the lines of a text file. Those who were not logged in have no name.
///
/// # Errors
/// Where it cannot be read, or the table has no such column.
pub fn read_names(path: &Path, progress: &Progress) -> Result<Vec<String>, ReleaseError> {
    let mut all: BTreeSet<String> = BTreeSet::new();
    if TableFormat::of(path).is_err() {
        let text = std::fs::read_to_string(path).map_err(ReleaseError::reading(path))?;
        all.extend(text.lines().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()));
    } else {
        let columns = ["user_name", "user_login", "login", "name"];
        let (mut has_names, mut n_rows) = (false, 0);
        for_each_batch(path, &[], progress, |cells| {
            n_rows += cells.n_rows();
            for row in 0..cells.n_rows() {
                let Some(name) = columns.iter().find_map(|c| cells.text(c, row)) else { continue };
                has_names = true;
                if !all.contains(name.as_ref()) {
                    all.insert(name.into_owned());
                }
            }
            Ok(())
        })?;
        if n_rows == 0 {
            return Err(ReleaseError::settings(
                path,
                "a table without rows; give the export that the votes are of",
            ));
        }
        if !has_names {
            let what = format!("no names; the column is one of {}", columns.join(", "));
            return Err(ReleaseError::settings(path, what));
        }
    }
    if all.is_empty() {
        let what = "no names; give the export that the votes are of, or a text with a name a line";
        return Err(ReleaseError::settings(path, what));
    }
    // Where nobody was logged in, nobody has a name.
    all.retain(|name| !name.starts_with("not-logged-in"));
    Ok(all.into_iter().collect())
}

/// Reads the numbers that people have on the platform (`user_id`) from a table that has them; none from other files.
///
/// # Errors
/// Where the file cannot be read.
pub fn read_ids(path: &Path, progress: &Progress) -> Result<Vec<String>, ReleaseError> {
    let mut all: BTreeSet<String> = BTreeSet::new();
    if TableFormat::of(path).is_ok() {
        for_each_batch(path, &[], progress, |cells| {
            for row in 0..cells.n_rows() {
                if let Some(id) = cells.text("user_id", row).filter(|id| !all.contains(id.as_ref())) {
                    all.insert(id.into_owned());
                }
            }
            Ok(())
        })?;
    }
    Ok(all.into_iter().collect())
}

fn stands_alone(bytes: &[u8], start: usize, stop: usize) -> bool {
    let is_letter = |b: u8| IS_LETTER[usize::from(b)];
    // In JSON a line break is `\n`: the letter before a name may belong to a backslash.
    let is_escape = |i: usize| {
        let n_slashes = bytes[..i].iter().rev().take_while(|b| **b == b'\\').count();
        b"bfnrt".contains(&bytes[i]) && n_slashes % 2 == 1
    };
    let before = start.checked_sub(1).is_none_or(|i| !is_letter(bytes[i]) || is_escape(i));
    let after = bytes.get(stop).is_none_or(|b| !is_letter(*b));
    before && after
}

fn folded(text: &str) -> String {
    text.nfkc().collect::<String>().to_lowercase()
}

/// The words of a text, and the whole lines.
fn words(text: &str) -> BTreeSet<String> {
    let text = folded(text);
    let mut all: BTreeSet<String> =
        text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').map(str::to_owned).collect();
    all.extend(text.split(|c: char| !c.is_alphanumeric()).map(str::to_owned));
    all.extend(text.lines().map(|l| l.trim().to_owned()));
    all
}

/// A name in every form in which a package could hold it.
fn forms_of(name: &str) -> BTreeSet<String> {
    let mut spelt: BTreeSet<String> = BTreeSet::new();
    for form in [name.to_owned(), name.nfc().collect(), name.nfd().collect(), name.nfkc().collect()] {
        if !form.is_ascii() {
            spelt.insert(words_capital(&form));
        }
        spelt.extend([form.to_lowercase(), form.to_uppercase(), form]);
    }
    let mut all = BTreeSet::new();
    // What hardly anybody writes is looked for as the name is, and with each word capital.
    let composed: String = name.nfc().collect();
    for form in [words_capital(&composed), composed] {
        if form.contains(' ') {
            spelt.insert(form.replace(' ', "\u{a0}"));
            all.insert(percent(&form).replace("%20", "+"));
        }
        if !form.is_ascii() || form.contains(['"', '\'', '<', '>', '&']) {
            all.insert(references(&form, |c| format!("&#{};", u32::from(c))));
            all.insert(references(&form, |c| format!("&#x{:x};", u32::from(c))));
        }
    }
    for form in spelt {
        let json = serde_json::Value::from(form.as_str()).to_string();
        all.insert(json[1..json.len() - 1].to_owned());
        all.insert(xml(&form));
        all.insert(form.replace('"', "\"\""));
        if !form.is_ascii() || form.contains([' ', '"', '\'', '<', '>', '&', '%', '#', '?']) {
            all.insert(percent(&form));
        }
        if form.contains('/') {
            all.insert(form.replace('/', "\\/"));
        }
        if !form.is_ascii() {
            all.insert(escaped(&form));
        }
        all.insert(form);
    }
    // ASCII is looked for without regard to case, so that one of these is enough.
    all.into_iter()
        .filter(|form| form.len() >= MIN_CHARS)
        .map(|form| form.to_ascii_lowercase())
        .collect()
}

/// `иван петров` as `Иван Петров`.
fn words_capital(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut is_start = true;
    for c in text.chars() {
        if is_start {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        is_start = !c.is_alphanumeric();
    }
    out
}

/// As XML and HTML may write what is not plain: by numbers.
fn references(text: &str, number: impl Fn(char) -> String) -> String {
    let is_plain = |c: char| c.is_ascii() && !matches!(c, '"' | '\'' | '<' | '>' | '&');
    text.chars().map(|c| if is_plain(c) { c.to_string() } else { number(c) }).collect()
}

/// As in an address.
fn percent(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// As JSON of those who trust ASCII only.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(names: &[&str], text: &str) -> usize {
        NameSet::new(names.iter().copied(), "").unwrap().find(text.as_bytes(), 100).len()
    }

    #[test]
    fn names_in_disguise() {
        let names =
            ["Éowyn", "ann_b", "O\"Neill", "李雷", "A & B", "Zaphod", "иван петров", "x/yz", "O'Hara"];
        for text in [
            "x,Éowyn,y",
            "x,éowyn,y",
            "ÉOWYN",
            "E\u{301}owyn",
            "\\u00c9owyn",
            "%C3%89owyn",
            "ann_b",
            "ANN_B.",
            "O\\\"Neill",
            "O\"\"Neill",
            "O&quot;Neill",
            "O%22Neill",
            "李雷",
            "前李雷後",
            "A &amp; B",
            "A%20%26%20B",
            "\"zaphod\"",
            "by Zaphod.",
            "Иван Петров",
            "ИВАН ПЕТРОВ",
            "иван\u{a0}петров",
            "%D0%B8%D0%B2%D0%B0%D0%BD+%D0%BF%D0%B5%D1%82%D1%80%D0%BE%D0%B2",
            "&#1080;&#1074;&#1072;&#1085; &#1087;&#1077;&#1090;&#1088;&#1086;&#1074;",
            "&#x418;&#x432;&#x430;&#x43D; &#x41F;&#x435;&#x442;&#x440;&#x43E;&#x432;",
            "{\"url\": \"x\\/yz\"}",
            "O&#x27;Hara",
            "O&#39;Hara",
            "cutouts/img_zaphod_3.png",
            "{\"note\": \"\\nAsk\\nZaphod\\nfor\"}",
            "\"\\tZaphod\"",
            &volary_ingest::volunteer::key("Zaphod").0,
        ] {
            assert!(found(&names, text) > 0, "{text}");
        }
        for text in ["", "Eowyn", "xann_by", "ann_bc", "Neill", "李", "Zaphodian", "pzaphodabcdefgh2"] {
            assert_eq!(found(&names, text), 0, "{text}");
        }
    }

    /// Every form at every byte, the plain way.
    fn plainly(patterns: &[&str], bytes: &[u8]) -> Vec<Hit> {
        let mut hits = Vec::new();
        for start in 0..bytes.len() {
            for pattern in patterns {
                let stop = start + pattern.len();
                let is_there =
                    bytes.get(start..stop).is_some_and(|b| b.eq_ignore_ascii_case(pattern.as_bytes()));
                let is_word = pattern.len() < LONG_BYTES && pattern.is_ascii();
                if is_there && (!is_word || stands_alone(bytes, start, stop)) {
                    hits.push(Hit { start: start as u64, len: pattern.len() });
                }
            }
        }
        hits.sort_unstable();
        hits.dedup();
        hits
    }

    fn of_forms(patterns: &[&str], bytes: &[u8]) -> Vec<Hit> {
        let texts: Vec<String> = patterns.iter().map(|p| (*p).to_owned()).collect();
        let is_word = patterns.iter().map(|p| p.len() < LONG_BYTES && p.is_ascii()).collect();
        let forms = Some(Forms::new(&texts, is_word).unwrap());
        let longest = texts.iter().map(String::len).max().unwrap_or(0);
        NameSet { forms, longest, n_names: 0, n_short: 0, n_common: 0 }.find(bytes, usize::MAX)
    }

    #[test]
    fn at_the_edges_of_windows_and_of_the_bytes() {
        let patterns = ["ann", "_x_", "zaphod_beeblebrox", "李雷"];
        for pattern in patterns {
            for at in (WINDOW - 20..WINDOW + 8).chain(CHUNK - 20..CHUNK + 3).chain([0, 1, 2]) {
                for behind in [0, 1, 2, 3, 40] {
                    let mut bytes = vec![b' '; at];
                    bytes.extend(pattern.bytes());
                    bytes.extend(vec![b'.'; behind]);
                    let hits = of_forms(&patterns, &bytes);
                    assert_eq!(hits, [Hit { start: at as u64, len: pattern.len() }], "{pattern} {at}");
                }
            }
        }
    }

    #[test]
    fn a_longer_name_is_found_behind_a_shorter_one() {
        assert_eq!(found(&["ann", "ann_b"], "ann_b"), 2);
        assert_eq!(found(&["ann", "anna"], "anna"), 1);
    }

    #[test]
    fn what_is_not_looked_for_is_counted() {
        let set =
            NameSet::new(["ab", "1234", "Galaxy", "12345678", "Zaphod"], "a galaxy far away").unwrap();
        assert_eq!((set.n_names, set.n_short, set.n_common), (2, 2, 1));
        assert!(set.find(b"galaxy ab 1234", 10).is_empty());
        assert_eq!(set.find(b"12345678 zaphod", 10).len(), 2);
    }

    #[test]
    fn across_chunks_and_blocks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("big");
        let set = NameSet::new(["Zaphod_Beeblebrox", "Trillian"], "").unwrap();
        for at in [0, CHUNK - 5, CHUNK, 8 * CHUNK - 9, 8 * CHUNK, 9 * CHUNK] {
            let mut bytes = vec![b' '; 9 * CHUNK];
            let at = at.min(bytes.len() - 17);
            bytes[at..at + 17].copy_from_slice(b"zaphod_beeblebrox");
            std::fs::write(&path, &bytes).unwrap();
            let hits = set.find_in_file(&path, &[], 10).unwrap();
            assert_eq!(hits, [Hit { start: at as u64, len: 17 }], "at {at}");
        }
    }

    #[test]
    fn the_seam_of_two_blocks_makes_no_word() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seam");
        let set = NameSet::new(["ann", "zaphod_beeblebrox"], "").unwrap();
        // Wherever the second block begins, what stands before it belongs to it.
        std::fs::write(&path, "xann".repeat(9 * CHUNK / 4)).unwrap();
        assert_eq!(set.find_in_file(&path, &[], 10).unwrap(), []);
    }

    #[test]
    fn in_what_is_packed_only_long_names_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("packed");
        let set = NameSet::new(["ann_b", "zaphod_b"], "").unwrap();
        std::fs::write(&path, "ann_b ann_b ann_b zaphod_b ann_b").unwrap();
        let starts = |packed: &[Range<u64>], most| -> Vec<u64> {
            set.find_in_file(&path, packed, most).unwrap().iter().map(|h| h.start).collect()
        };
        assert_eq!(starts(&[], 10), [0, 6, 12, 18, 27]);
        // The second lies in it, the third only half; what does not count does not use up what is asked for.
        assert_eq!(starts(&[3..14, 18..32], 10), [0, 12, 18]);
        assert_eq!(starts(&[0..17, 27..32], 1), [18]);
        assert_eq!(starts(&[0..18, 18..32], 10), [18]);
    }

    proptest! {
        #[test]
        fn as_plainly(
            patterns in proptest::collection::vec(r"[aAbn_\\é]{1,4}|[ab]{13,15}", 1..12),
            text in r"([aAbBn_\\é ]|[ab]{13,15}){0,60}",
        ) {
            let patterns: Vec<&str> =
                patterns.iter().map(String::as_str).filter(|p| p.len() >= MIN_CHARS).collect();
            prop_assert_eq!(of_forms(&patterns, text.as_bytes()), plainly(&patterns, text.as_bytes()));
        }

        #[test]
        fn no_name_hides(name in "[A-Za-z\u{c0}-\u{17f}\u{3040}-\u{30ff}][A-Za-z0-9_ .\"&\u{c0}-\u{17f}]{2,20}", before in "[ -~]{0,30}", upper: bool) {
            let name = name.trim();
            prop_assume!(name.chars().count() >= MIN_CHARS);
            let written = if upper { name.to_uppercase() } else { name.to_lowercase() };
            let text = format!("{before} {written}, and so on");
            prop_assert!(found(&[name], &text) > 0);
            let json = serde_json::json!({ "a": written }).to_string();
            prop_assert!(found(&[name], &json) > 0, "{}", json);
        }
    }
}
