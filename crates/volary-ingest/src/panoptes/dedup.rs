//! An export without its repeats, still an export: the same columns, the same rows in the same order,
//! every cell as it was, except for what identifies people and for what a spreadsheet would take for a formula,
//! which gets an apostrophe before it (a workflow's name, or a cell that is broken anyway).
//!
//! Left out are rows whose id stood before, and a volunteer's further classifications of one subject in
//! one workflow ([`DedupOptions::repeats`] says which of them stays). `user_name` becomes a key that still
//! begins with `not-logged-in-` for people who were not logged in, `user_id` and `user_ip` become empty,
//! `session` goes out of `metadata`. A key is not the name's key of the original file's tables: reading
//! the new file makes keys of keys. Who opted out is left out all the same
//! ([`Without`](crate::volunteer::Without)).
//!
//! The file is read twice (time need not run with the order of rows, so that the first of two is known
//! only at the end); memory grows by some tens of bytes with each classification.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::BuildHasher as _;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use foldhash::quality::FixedState;
use volary_core::spreadsheet::neutral;
use volary_core::{Pool, ProblemKind, Problems};

use super::columns::Columns;
use super::compat::rows::volunteer_name;
use super::metadata::read_metadata;
use super::row::{RowFilter, left_out};
use crate::error::IngestError;
use crate::output::AtomicFile;
use crate::records::{Block, Blocks, Fields, Header, RecordOptions};
use crate::report::ReadReport;
use crate::source::{InputDigest, Progress};
use crate::{time, volunteer};

/// Which of one volunteer's classifications of one subject in one workflow stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeepRepeat {
    /// The first, by time and then by id.
    #[default]
    First,
    /// The last.
    Last,
}

/// What to keep.
#[derive(Clone, Debug, Default)]
pub struct DedupOptions {
    /// Which of several classifications stays.
    pub repeats: KeepRepeat,
    /// Rows that are not wanted at all; they are left out before repeats are looked for.
    pub filter: RowFilter,
}

/// What became of the rows.
#[derive(Clone, Debug)]
pub struct DedupReport {
    /// Rows read, kept and left out, and all problems.
    pub input: ReadReport,
    /// The new export.
    pub path: PathBuf,
}

/// Why a volunteer's row is left out.
const REPEAT: &str = "repeat by the same volunteer";

/// Writes the export without repeats and without names.
///
/// # Errors
/// Where the file cannot be read twice (standard input), is no classification export, or the new one
/// cannot be written.
pub fn dedup(
    export: &Path,
    out: &Path,
    options: &DedupOptions,
    progress: &Progress,
) -> Result<DedupReport, IngestError> {
    if export == Path::new("-") {
        let what = "the export is read twice, so it cannot be standard input".to_owned();
        return Err(IngestError::Format { what, path: export.to_owned() });
    }
    let cut = RecordOptions::export();
    let mut decisions = Decisions::new(options);
    let mut blocks = Blocks::open(export, cut, progress)?;
    let columns = Columns::find(blocks.header(), export)?;
    while let Some(block) = blocks.next_block()? {
        decisions.block(&block, &columns);
    }
    // The first pass said what was wrong; the second would say it again.
    let mut again = Blocks::open(export, cut, progress)?;
    let mut writer = Writer::create(out, again.header(), &columns)?;
    while let Some(block) = again.next_block()? {
        writer.block(&block, &mut decisions)?;
    }
    let digest = blocks.digest()?;
    if again.digest()?.blake3 != digest.blake3 {
        let what = "the file changed while it was read".to_owned();
        return Err(IngestError::Format { what, path: export.to_owned() });
    }
    writer.file.commit()?;
    Ok(DedupReport { input: decisions.report(digest), path: out.to_owned() })
}

/// The column that carries the key: names, or whatever identifies people where there are none.
fn key_column(columns: &Columns) -> Option<usize> {
    columns.user_name.or(columns.user_id).or(columns.user_ip)
}

/// A record's fields as text.
struct Cells<'l>(Fields<'l>);

impl Cells<'_> {
    fn text(&self, column: Option<usize>) -> String {
        let bytes = column.map(|c| self.0.bytes(c)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }

    fn volunteer(&self, columns: &Columns, row: u64) -> String {
        let text = |column| self.text(column);
        let (name, id, ip) = (text(columns.user_name), text(columns.user_id), text(columns.user_ip));
        volunteer_name(&name, &id, &ip, row)
    }
}

/// The classification that stays so far, of one volunteer and subject.
#[derive(Clone, Debug)]
struct Kept {
    created_ms: Option<i64>,
    id: Option<u64>,
    index: usize,
}

/// What happens to each row, found in the first pass.
struct Decisions<'o> {
    options: &'o DedupOptions,
    rows: Vec<Option<&'static str>>,
    ids: Pool,
    fingerprints: Vec<u64>,
    groups: Pool,
    kept: Vec<Kept>,
    problems: Problems,
    lost: BTreeMap<&'static str, u64>,
    next: usize,
}

impl<'o> Decisions<'o> {
    fn new(options: &'o DedupOptions) -> Self {
        Self {
            options,
            rows: Vec::new(),
            ids: Pool::default(),
            fingerprints: Vec::new(),
            groups: Pool::default(),
            kept: Vec::new(),
            problems: Problems::default(),
            lost: BTreeMap::new(),
            next: 0,
        }
    }

    fn block(&mut self, block: &Block, columns: &Columns) {
        self.problems.absorb(&block.problems);
        for (reason, n) in [(left_out::TOO_LONG, block.n_too_long), (left_out::CUT_OFF, block.n_cut_off)]
        {
            if n > 0 {
                *self.lost.entry(reason).or_default() += n;
            }
        }
        for span in &block.records {
            let reason = self.decide(span.row, &Cells(block.fields(span)), columns).err();
            self.rows.push(reason);
        }
    }

    fn decide(&mut self, row: u64, cells: &Cells<'_>, columns: &Columns) -> Result<(), &'static str> {
        let (count, expected) = (cells.0.count(), columns.names.len());
        if count != expected {
            let detail = format!("{count} fields, the header has {expected}");
            self.problems.add(row, "", ProblemKind::WrongFieldCount, detail);
            return Err(left_out::FIELDS);
        }
        let workflow = cells.text(columns.workflow);
        let filter = &self.options.filter;
        if !filter.workflows.is_empty() && !filter.workflows.contains(&workflow) {
            return Err(left_out::WORKFLOW);
        }
        if !filter.versions.accepts(&cells.text(columns.version)) {
            return Err(left_out::VERSION);
        }
        if filter.live_only && is_beta(&cells.text(columns.metadata)) {
            return Err(left_out::BETA);
        }
        let without = &filter.without;
        if !without.is_empty() && without.has_key(&volunteer::key(&cells.volunteer(columns, row)).0) {
            return Err(left_out::OPTED_OUT);
        }
        let id = cells.text(columns.id);
        if !id.is_empty() {
            self.id(row, &id, cells.0.line())?;
        }
        self.repeat(row, &workflow, &id, cells, columns)
    }

    /// Whether an id stood before, with the same content or with another.
    fn id(&mut self, row: u64, id: &str, line: &[u8]) -> Result<(), &'static str> {
        let fingerprint = FixedState::with_seed(1).hash_one(line);
        let known = self.ids.intern(id).index();
        let Some(&before) = self.fingerprints.get(known) else {
            self.fingerprints.push(fingerprint);
            return Ok(());
        };
        let (kind, reason) = if before == fingerprint {
            (ProblemKind::RepeatedId, left_out::REPEATED_ID)
        } else {
            (ProblemKind::ConflictingId, left_out::CONFLICTING_ID)
        };
        self.problems.add(row, "classification_id", kind, "the first row with this id stays");
        Err(reason)
    }

    /// Whether this row takes the place of the one that stays so far.
    fn repeat(
        &mut self,
        row: u64,
        workflow: &str,
        id: &str,
        cells: &Cells<'_>,
        columns: &Columns,
    ) -> Result<(), &'static str> {
        let subject = cells.text(Some(columns.subject_ids));
        let who = volunteer::key(&cells.volunteer(columns, row)).0;
        let n_groups = self.groups.len();
        let group = self.groups.intern(&format!("{workflow}\u{1f}{subject}\u{1f}{who}")).index();
        let created_ms = time::parse_ms(&cells.text(columns.created_at));
        let this = Kept { created_ms, id: id.parse().ok(), index: self.rows.len() };
        if group == n_groups {
            self.kept.push(this);
            return Ok(());
        }
        let known = &mut self.kept[group];
        let order = |k: &Kept| (k.created_ms, k.id, k.index);
        let is_earlier = order(&this) < order(known);
        // The later of two rows takes the place of the earlier only where the last is wanted.
        if is_earlier != (self.options.repeats == KeepRepeat::First) {
            return Err(REPEAT);
        }
        let before = std::mem::replace(known, this);
        self.rows[before.index] = Some(REPEAT);
        Ok(())
    }

    fn report(self, digest: InputDigest) -> ReadReport {
        let mut left_out: BTreeMap<String, u64> =
            self.lost.into_iter().map(|(reason, n)| (reason.to_owned(), n)).collect();
        for reason in self.rows.iter().flatten() {
            *left_out.entry((*reason).to_owned()).or_default() += 1;
        }
        let rows_used = self.rows.iter().filter(|r| r.is_none()).count() as u64;
        let rows_read = rows_used + left_out.values().sum::<u64>();
        ReadReport { rows_read, rows_used, left_out, problems: self.problems, digest }
    }
}

fn is_beta(metadata: &str) -> bool {
    read_metadata(metadata).is_ok_and(|m| m.live == Some(false))
}

/// Writes the rows that stay.
struct Writer<'c> {
    path: PathBuf,
    file: AtomicFile,
    columns: &'c Columns,
    line: Vec<u8>,
}

impl<'c> Writer<'c> {
    fn create(out: &Path, header: &Header, columns: &'c Columns) -> Result<Self, IngestError> {
        let mut writer =
            Self { path: out.to_owned(), file: AtomicFile::create(out)?, columns, line: Vec::new() };
        for (i, name) in header.names.iter().enumerate() {
            if i > 0 {
                writer.line.push(b',');
            }
            push_field(neutral(name).as_bytes(), &mut writer.line);
        }
        writer.line.push(b'\n');
        writer.flush()?;
        Ok(writer)
    }

    fn flush(&mut self) -> Result<(), IngestError> {
        let result = self.file.write_all(&self.line);
        self.line.clear();
        result.map_err(|e| IngestError::io("writing", &self.path, e))
    }

    fn block(&mut self, block: &Block, decisions: &mut Decisions<'_>) -> Result<(), IngestError> {
        for span in &block.records {
            let stays = decisions.rows.get(decisions.next).is_some_and(Option::is_none);
            decisions.next += 1;
            if !stays {
                continue;
            }
            self.row(span.row, &Cells(block.fields(span)), &mut decisions.problems);
            let has_carriage_return = block.line_end(span).starts_with(b"\r\n");
            self.line.extend_from_slice(if has_carriage_return { b"\r\n" } else { b"\n" });
            self.flush()?;
        }
        Ok(())
    }

    fn row(&mut self, row: u64, cells: &Cells<'_>, problems: &mut Problems) {
        let columns = self.columns;
        for i in 0..cells.0.count() {
            let raw = cells.0.raw(i);
            if i > 0 {
                self.line.push(b',');
            }
            if key_column(columns) == Some(i) {
                let name = pseudonym(&cells.volunteer(columns, row));
                self.line.extend_from_slice(name.as_bytes());
            } else if columns.metadata == Some(i) {
                self.metadata(row, raw, &cells.0.bytes(i), problems);
            } else if ![columns.user_id, columns.user_ip].contains(&Some(i)) {
                self.cell(raw, &cells.0.bytes(i));
            }
        }
    }

    /// A cell as it was, unless it would be a formula.
    fn cell(&mut self, raw: &[u8], text: &[u8]) {
        match neutral(&String::from_utf8_lossy(text)) {
            Cow::Owned(text) => push_field(text.as_bytes(), &mut self.line),
            Cow::Borrowed(_) => self.line.extend_from_slice(raw),
        }
    }

    fn metadata(&mut self, row: u64, raw: &[u8], text: &[u8], problems: &mut Problems) {
        if memchr::memmem::find(text, b"session").is_none() {
            return self.cell(raw, text);
        }
        match without_key(text, b"session") {
            Some(None) => self.line.extend_from_slice(raw),
            Some(Some(rest)) => push_field(&rest, &mut self.line),
            None => {
                let detail = "not readable, and it may hold a session; emptied";
                problems.add(row, "metadata", ProblemKind::BadJson, detail);
                self.line.extend_from_slice(b"{}");
            }
        }
    }
}

/// The key that stands for a name; those of people who were not logged in can be told from the others.
fn pseudonym(name: &str) -> String {
    match volunteer::key(name) {
        (key, true) => key,
        (key, false) => format!("not-logged-in-{}", key.trim_start_matches('a')),
    }
}

fn push_field(text: &[u8], out: &mut Vec<u8>) {
    let plain = !text.iter().any(|b| matches!(b, b'"' | b',' | b'\n' | b'\r')) && !text.is_empty();
    if plain {
        return out.extend_from_slice(text);
    }
    out.push(b'"');
    for &byte in text {
        out.push(byte);
        if byte == b'"' {
            out.push(b'"');
        }
    }
    out.push(b'"');
}

/// A JSON object without a key of its top level, otherwise to the byte as it was. `None` where the text
/// is no object; `Some(None)` where it does not have the key.
fn without_key(json: &[u8], key: &[u8]) -> Option<Option<Vec<u8>>> {
    let mut rest: Option<Vec<u8>> = None;
    loop {
        let text = rest.as_deref().unwrap_or(json);
        match member(text, key)? {
            None => return Some(rest),
            Some(range) => rest = Some([&text[..range.start], &text[range.end..]].concat()),
        }
    }
}

/// Where a member of an object stands, with the comma that goes with it.
fn member(json: &[u8], key: &[u8]) -> Option<Option<Range<usize>>> {
    let mut at = spaces(json, 0);
    if json.get(at) != Some(&b'{') {
        return None;
    }
    let (mut found, mut comma_before) = (None, None);
    at = spaces(json, at + 1);
    while json.get(at) != Some(&b'}') {
        let start = at;
        let end_of_key = end_of_text(json, at)?;
        let is_it = json.get(start + 1..end_of_key - 1) == Some(key);
        at = spaces(json, end_of_key);
        if json.get(at) != Some(&b':') {
            return None;
        }
        let end = end_of_value(json, at + 1)?;
        let has_comma_after = json.get(end) == Some(&b',');
        at = if has_comma_after { spaces(json, end + 1) } else { end };
        if is_it && found.is_none() {
            // The last member takes the comma before it along.
            let first = if has_comma_after { start } else { comma_before.unwrap_or(start) };
            found = Some(first..at);
        }
        comma_before = has_comma_after.then_some(end);
    }
    (spaces(json, at + 1) == json.len()).then_some(found)
}

fn spaces(json: &[u8], from: usize) -> usize {
    from + json.get(from..).map_or(0, |r| r.iter().take_while(|b| b.is_ascii_whitespace()).count())
}

fn end_of_text(json: &[u8], from: usize) -> Option<usize> {
    if json.get(from) != Some(&b'"') {
        return None;
    }
    let mut at = from + 1;
    loop {
        match json.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Position of the comma or bracket that ends a value.
fn end_of_value(json: &[u8], from: usize) -> Option<usize> {
    let (mut at, mut depth) = (from, 0_usize);
    loop {
        match json.get(at)? {
            b'"' => {
                at = end_of_text(json, at)?;
                continue;
            }
            b'[' | b'{' => depth += 1,
            b',' if depth == 0 => return Some(at),
            b']' | b'}' => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return Some(at),
            },
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_and_nothing_else_changes() {
        for (json, rest) in [
            (r#"{"session":"ab","x":1}"#, Some(r#"{"x":1}"#)),
            (
                r#"{ "x" : [1, {"session":2}] , "session": "a,}b\"c" }"#,
                Some(r#"{ "x" : [1, {"session":2}] }"#),
            ),
            (r#"{"a":1,"session":null,"b":2}"#, Some(r#"{"a":1,"b":2}"#)),
            (r#"{"session":1}"#, Some("{}")),
            (r#"{"session":1,"session":2}"#, Some("{}")),
            (r#"{"a":"session"}"#, None),
        ] {
            let found = without_key(json.as_bytes(), b"session").expect(json);
            assert_eq!(found.map(|r| String::from_utf8(r).unwrap()).as_deref(), rest, "{json}");
        }
        for json in
            ["", "[]", "{", r#"{"session"}"#, r#"{"session":"#, r#"{"a":1}x"#, r#"{"a\"#, "{session:1}"]
        {
            assert_eq!(without_key(json.as_bytes(), b"session"), None, "{json}");
        }
    }
}
