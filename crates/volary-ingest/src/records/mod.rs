//! CSV records out of bytes, in blocks, at the speed of `memchr`.
//!
//! Two layers. [`Blocks`] cuts the input into blocks of whole records without looking into them, so that
//! blocks can be parsed on several threads; [`Records`] walks the records of small files one by one.
//! The rules are RFC 4180's as the `csv` crate reads them: a quote opens a field only at its start,
//! doubled quotes stand for one, records end at a newline outside quotes, blank lines are skipped.
//! Beyond RFC 4180: a record longer than the limit is passed over without being held, and a file that
//! ends inside quotes is said to be cut off.
//!
//! Why not the `csv` crate: it reads on one thread, holds a record of any length, and takes a cut file
//! for a whole one. `bench/README.md` compares.

use std::borrow::Cow;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use memchr::{memchr, memchr2};
use volary_core::{ProblemKind, Problems};

use crate::error::IngestError;
use crate::source::{InputDigest, Progress, Source};

/// Bytes that one block aims at.
const BLOCK_BYTES: usize = 1 << 20;
/// A header longer than this is not a header.
const MAX_HEADER_BYTES: usize = 4 << 20;

/// How to cut records.
#[derive(Clone, Copy, Debug)]
pub struct RecordOptions {
    /// The byte between fields; `None` takes tab, comma, semicolon or space, by what the header shows.
    pub delimiter: Option<u8>,
    /// Records longer than this are passed over and listed.
    pub max_record_bytes: usize,
}

impl Default for RecordOptions {
    fn default() -> Self {
        Self { delimiter: None, max_record_bytes: 16 << 20 }
    }
}

/// A run of whole records.
#[derive(Debug, Default)]
pub struct Block {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Row number and position of each record, without its line end.
    pub records: Vec<(u64, Range<usize>)>,
    /// Problems met while cutting.
    pub problems: Problems,
    /// Rows passed over because they were too long.
    pub n_too_long: u64,
    /// Rows left out because the file ends within them.
    pub n_cut_off: u64,
    spare: Spare,
}

/// Buffers of blocks that are done with, for the blocks to come: fresh megabytes from the system cost a
/// fifth of the reading.
type Spare = Arc<Mutex<Vec<Vec<u8>>>>;
/// More than are ever under way at once.
const MAX_SPARE: usize = 32;

impl Drop for Block {
    fn drop(&mut self) {
        // A poisoned lock means that a thread panicked; then nobody needs the buffer.
        if let Ok(mut spare) = self.spare.lock()
            && spare.len() < MAX_SPARE
            && self.bytes.capacity() <= 4 * BLOCK_BYTES
        {
            let mut bytes = std::mem::take(&mut self.bytes);
            bytes.clear();
            spare.push(bytes);
        }
    }
}

/// The header of a table: names and where they stand.
#[derive(Clone, Debug)]
pub struct Header {
    /// Names in order, trimmed.
    pub names: Vec<String>,
    /// The byte between fields.
    pub delimiter: u8,
}

impl Header {
    /// Position of a column.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|n| n == name)
    }

    /// Position of the first of several names that is there.
    #[must_use]
    pub fn find_any(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|name| self.find(name))
    }
}

/// Where the cutter is within a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the start of a field.
    FieldStart,
    /// In a field that does not begin with a quote, or after a closing quote.
    Plain,
    /// Inside quotes.
    Quoted,
}

/// Cuts an input into blocks of whole records.
#[derive(Debug)]
pub struct Blocks {
    source: Source,
    header: Header,
    max_record_bytes: usize,
    progress: Progress,
    buffer: Vec<u8>,
    // How far `buffer` is scanned, in which state, and where the current record starts.
    scanned: usize,
    state: State,
    record_start: usize,
    // A record over the limit is being passed over: its bytes are dropped as they come.
    skipping: bool,
    next_row: u64,
    at_end: bool,
    spare: Spare,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::FieldStart => "FieldStart",
            Self::Plain => "Plain",
            Self::Quoted => "Quoted",
        })
    }
}

impl Blocks {
    /// Opens a table and reads its header.
    ///
    /// # Errors
    /// Where the file cannot be read, is empty, or its first line is no header.
    pub fn open(path: &Path, options: RecordOptions, progress: &Progress) -> Result<Self, IngestError> {
        Self::new(Source::open(path, progress)?, options, progress)
    }

    /// The same from an open source.
    ///
    /// # Errors
    /// As [`Blocks::open`].
    pub fn new(
        source: Source,
        options: RecordOptions,
        progress: &Progress,
    ) -> Result<Self, IngestError> {
        let mut blocks = Self {
            source,
            header: Header { names: Vec::new(), delimiter: options.delimiter.unwrap_or(b',') },
            max_record_bytes: options.max_record_bytes,
            progress: progress.clone(),
            buffer: Vec::new(),
            scanned: 0,
            state: State::FieldStart,
            record_start: 0,
            skipping: false,
            next_row: 1,
            at_end: false,
            spare: Spare::default(),
        };
        blocks.read_header(options.delimiter)?;
        Ok(blocks)
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The path of the input.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// Reads to the end and returns the input's checksum.
    ///
    /// # Errors
    /// Where the rest cannot be read.
    pub fn digest(self) -> Result<InputDigest, IngestError> {
        self.source.digest()
    }

    fn read_header(&mut self, delimiter: Option<u8>) -> Result<(), IngestError> {
        let path = self.source.path().to_owned();
        let line_end = loop {
            // The header may itself hold quoted newlines; delimiters inside quotes do not count.
            if let Some(end) = header_end(&self.buffer, self.at_end) {
                break end;
            }
            if self.at_end {
                break self.buffer.len();
            }
            if self.buffer.len() > MAX_HEADER_BYTES {
                return Err(IngestError::HeaderTooLong { limit: MAX_HEADER_BYTES, path });
            }
            self.fill()?;
        };
        let line = trim_line_end(&self.buffer[..line_end]);
        if line.iter().all(u8::is_ascii_whitespace) {
            return Err(IngestError::Empty { path });
        }
        if memchr(b'\r', line).is_some() && memchr(b'"', line).is_none() {
            return Err(IngestError::OldMacLineEnds { path });
        }
        let delimiter = delimiter.unwrap_or_else(|| guess_delimiter(line));
        let mut fields = Fields::default();
        fields.split(line, delimiter);
        let names = (0..fields.len()).map(|i| {
            String::from_utf8_lossy(&fields.bytes(line, i))
                .trim()
                .trim_start_matches('\u{feff}')
                .to_owned()
        });
        self.header = Header { names: names.collect(), delimiter };
        self.buffer.drain(..(line_end + 1).min(self.buffer.len()));
        Ok(())
    }

    fn fill(&mut self) -> Result<(), IngestError> {
        if self.progress.is_stopped() {
            return Err(IngestError::Stopped);
        }
        let before = self.buffer.len();
        let path = self.source.path().to_owned();
        self.source
            .by_ref()
            .take(BLOCK_BYTES as u64)
            .read_to_end(&mut self.buffer)
            .map_err(|e| IngestError::io("reading", &path, e))?;
        self.at_end = self.buffer.len() == before;
        Ok(())
    }

    /// The next run of whole records; `None` at the end.
    ///
    /// # Errors
    /// Where the file cannot be read, or a stop was asked for.
    pub fn next_block(&mut self) -> Result<Option<Block>, IngestError> {
        let mut block = Block::default();
        block.spare = self.spare.clone();
        loop {
            self.scan(&mut block);
            if !block.records.is_empty() || block.n_too_long > 0 {
                let mut rest = self.spare.lock().ok().and_then(|mut s| s.pop()).unwrap_or_default();
                // Room for the next block at once: growing it step by step would copy it several times.
                rest.reserve(self.buffer.len() - self.record_start + BLOCK_BYTES + 64);
                rest.extend_from_slice(&self.buffer[self.record_start..]);
                self.buffer.truncate(self.record_start);
                block.bytes = std::mem::replace(&mut self.buffer, rest);
                self.scanned -= self.record_start;
                self.record_start = 0;
                return Ok(Some(block));
            }
            if self.at_end {
                return Ok(self.finish(block));
            }
            self.buffer.drain(..self.record_start);
            self.scanned -= self.record_start;
            self.record_start = 0;
            self.fill()?;
        }
    }

    /// What stands after the last newline: a last record without one, or a piece of a cut one.
    fn finish(&mut self, mut block: Block) -> Option<Block> {
        let rest = std::mem::take(&mut self.buffer);
        let is_quoted = self.state == State::Quoted;
        (self.scanned, self.record_start, self.state) = (0, 0, State::FieldStart);
        if self.skipping {
            self.skipping = false;
            self.too_long(&mut block);
            return Some(block);
        }
        let line = trim_line_end(&rest).len();
        if line == 0 {
            return None;
        }
        let row = self.next_row;
        self.next_row += 1;
        if is_quoted {
            let detail = "the file ends inside a quoted field; download the export again";
            block.problems.add(row, "", ProblemKind::CutOff, detail);
            block.n_cut_off = 1;
        } else {
            block.records.push((row, 0..line));
        }
        block.bytes = rest;
        Some(block)
    }

    fn too_long(&mut self, block: &mut Block) {
        let detail = format!("longer than {} bytes; passed over", self.max_record_bytes);
        block.problems.add(self.next_row, "", ProblemKind::RowTooLong, detail);
        block.n_too_long += 1;
        self.next_row += 1;
    }

    /// Finds record ends in what has been read and not scanned.
    fn scan(&mut self, block: &mut Block) {
        let delimiter = self.header.delimiter;
        let mut at = self.scanned;
        let n = self.buffer.len();
        while at < n {
            match self.state {
                State::FieldStart if self.buffer[at] == b'"' => {
                    self.state = State::Quoted;
                    at += 1;
                }
                State::FieldStart => self.state = State::Plain,
                State::Plain => match memchr2(delimiter, b'\n', &self.buffer[at..]) {
                    None => at = n,
                    Some(i) if self.buffer[at + i] == b'\n' => {
                        at += i + 1;
                        self.state = State::FieldStart;
                        self.end_record(at, block);
                    }
                    Some(i) => {
                        at += i + 1;
                        self.state = State::FieldStart;
                    }
                },
                State::Quoted => match memchr(b'"', &self.buffer[at..]) {
                    None => at = n,
                    // A quote at the very end may be half of a doubled one: wait for more, unless the
                    // file ends here.
                    Some(i) if at + i + 1 == n && !self.at_end => {
                        at += i;
                        break;
                    }
                    Some(i) if self.buffer.get(at + i + 1) == Some(&b'"') => at += i + 2,
                    Some(i) => {
                        at += i + 1;
                        self.state = State::Plain;
                    }
                },
            }
        }
        self.scanned = at;
        if self.scanned - self.record_start > self.max_record_bytes {
            self.skipping = true;
        }
        if self.skipping {
            // Keep only what is not scanned yet (at most half of a doubled quote).
            self.record_start = self.scanned;
        }
    }

    fn end_record(&mut self, end: usize, block: &mut Block) {
        let range = self.record_start..end;
        self.record_start = end;
        if std::mem::take(&mut self.skipping) || range.len() > self.max_record_bytes {
            self.too_long(block);
            return;
        }
        let line = trim_line_end(&self.buffer[range.clone()]).len();
        if line > 0 {
            block.records.push((self.next_row, range.start..range.start + line));
            self.next_row += 1;
        }
    }
}

fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Position of the newline that ends the header, if it is there; blank lines before it count as part.
fn header_end(buffer: &[u8], at_end: bool) -> Option<usize> {
    let mut in_quotes = false;
    for (i, &byte) in buffer.iter().enumerate() {
        match byte {
            b'"' => in_quotes = !in_quotes,
            b'\n' if !in_quotes => return Some(i),
            _ => {}
        }
    }
    at_end.then_some(buffer.len())
}

fn guess_delimiter(line: &[u8]) -> u8 {
    let outside: Vec<u8> = {
        let mut in_quotes = false;
        line.iter()
            .copied()
            .filter(|&b| {
                in_quotes ^= b == b'"';
                !in_quotes
            })
            .collect()
    };
    // A tab in a header is never part of a name; a space usually is, so it comes last.
    let candidates = [b'\t', b',', b';', b' '];
    candidates.into_iter().find(|d| outside.contains(d)).unwrap_or(b',')
}

/// The fields of one record, as positions; reused from record to record.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    // Start, end, and whether there are doubled quotes inside.
    spans: Vec<(usize, usize, bool)>,
}

impl Fields {
    /// Splits a record (without its line end).
    pub fn split(&mut self, line: &[u8], delimiter: u8) {
        self.spans.clear();
        let mut at = 0;
        loop {
            let next = if line.get(at) == Some(&b'"') {
                self.quoted(line, at, delimiter)
            } else {
                let end = memchr(delimiter, &line[at..]).map_or(line.len(), |i| at + i);
                self.spans.push((at, end, false));
                end
            };
            if next >= line.len() {
                break;
            }
            at = next + 1;
        }
    }

    fn quoted(&mut self, line: &[u8], at: usize, delimiter: u8) -> usize {
        let (start, mut scan, mut doubled) = (at + 1, at + 1, false);
        let close = loop {
            match memchr(b'"', &line[scan..]) {
                None => break line.len(),
                Some(i) if line.get(scan + i + 1) == Some(&b'"') => {
                    doubled = true;
                    scan += i + 2;
                }
                Some(i) => break scan + i,
            }
        };
        // Anything between the closing quote and the delimiter is kept, as the `csv` crate does; it only
        // occurs in broken files, where it shows up in the value.
        let end = memchr(delimiter, &line[close.min(line.len())..]).map_or(line.len(), |i| close + i);
        if end > close + 1 {
            self.spans.push((start, end, true));
        } else {
            self.spans.push((start, close, doubled));
        }
        end
    }

    /// How many fields the record has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// A field's content without its quotes.
    #[must_use]
    pub fn bytes<'a>(&self, line: &'a [u8], index: usize) -> Cow<'a, [u8]> {
        match self.spans.get(index) {
            None => Cow::Borrowed(&[]),
            Some(&(start, end, false)) => Cow::Borrowed(&line[start..end]),
            Some(&(start, end, true)) => {
                let mut out = Vec::with_capacity(end - start);
                undouble(&line[start..end], &mut out);
                Cow::Owned(out)
            }
        }
    }

    /// A field as it stands in the file, without its quotes but with doubled ones inside.
    pub(crate) fn raw<'a>(&self, line: &'a [u8], index: usize) -> &'a [u8] {
        self.spans.get(index).map_or(&[], |&(start, end, _)| &line[start..end])
    }

    /// A field's content, written over `out` (for reuse of its memory).
    pub fn write(&self, line: &[u8], index: usize, out: &mut Vec<u8>) {
        out.clear();
        match self.spans.get(index) {
            None => {}
            Some(&(start, end, false)) => out.extend_from_slice(&line[start..end]),
            Some(&(start, end, true)) => undouble(&line[start..end], out),
        }
    }
}

fn undouble(mut raw: &[u8], out: &mut Vec<u8>) {
    while let Some(i) = memchr(b'"', raw) {
        out.extend_from_slice(&raw[..=i]);
        let skip = if raw.get(i + 1) == Some(&b'"') { i + 2 } else { i + 1 };
        raw = &raw[skip..];
    }
    out.extend_from_slice(raw);
}

/// One record of a small table, as text.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Data row, 1 for the first.
    pub row: u64,
    fields: Vec<String>,
}

impl Record {
    /// A field's text; empty where the record is too short or the column is not there.
    #[must_use]
    pub fn get(&self, column: Option<usize>) -> &str {
        column.and_then(|i| self.fields.get(i)).map_or("", String::as_str)
    }

    /// All fields.
    #[must_use]
    pub fn fields(&self) -> &[String] {
        &self.fields
    }
}

/// Walks the records of a table one by one. Rows that cannot be used are listed in
/// [`Records::problems`] and counted in [`Records::n_left_out`].
#[derive(Debug)]
pub struct Records {
    blocks: Blocks,
    block: Block,
    next: usize,
    fields: Fields,
    scratch: Vec<u8>,
    /// What was wrong so far.
    pub problems: Problems,
    /// Rows read so far, whether usable or not.
    pub n_rows: u64,
    /// Rows that had to be left out so far.
    pub n_left_out: u64,
}

impl Records {
    /// Opens a table.
    ///
    /// # Errors
    /// As [`Blocks::open`].
    pub fn open(path: &Path, options: RecordOptions, progress: &Progress) -> Result<Self, IngestError> {
        Ok(Self::new(Blocks::open(path, options, progress)?))
    }

    /// Walks the records of blocks.
    #[must_use]
    pub fn new(blocks: Blocks) -> Self {
        Self {
            blocks,
            block: Block::default(),
            next: 0,
            fields: Fields::default(),
            scratch: Vec::new(),
            problems: Problems::default(),
            n_rows: 0,
            n_left_out: 0,
        }
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        self.blocks.header()
    }

    /// The path of the input.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.blocks.path().to_owned()
    }

    /// Positions of columns that must be there.
    ///
    /// # Errors
    /// [`IngestError::MissingColumns`] with all that are missing.
    pub fn require<const N: usize>(
        &self,
        names: [&str; N],
        expected: &'static str,
    ) -> Result<[usize; N], IngestError> {
        require(self.header(), names, expected, self.blocks.path())
    }

    /// The next usable record; `None` at the end. A record with too few or too many fields is left out,
    /// since its cells cannot be told apart.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn next_record(&mut self) -> Result<Option<Record>, IngestError> {
        loop {
            let Some((row, range)) = self.block.records.get(self.next).cloned() else {
                let Some(block) = self.blocks.next_block()? else { return Ok(None) };
                self.problems.absorb(&block.problems);
                let lost = block.n_too_long + block.n_cut_off;
                self.n_rows += lost;
                self.n_left_out += lost;
                (self.block, self.next) = (block, 0);
                continue;
            };
            self.next += 1;
            self.n_rows += 1;
            let line = &self.block.bytes[range];
            let header = self.blocks.header();
            self.fields.split(line, header.delimiter);
            if self.fields.len() != header.names.len() {
                let detail =
                    format!("{} fields, the header has {}", self.fields.len(), header.names.len());
                self.problems.add(row, "", ProblemKind::WrongFieldCount, detail);
                self.n_left_out += 1;
                continue;
            }
            let mut record = Record { row, fields: Vec::with_capacity(self.fields.len()) };
            for i in 0..self.fields.len() {
                self.fields.write(line, i, &mut self.scratch);
                let text = clean_text(&self.scratch, row, &header.names[i], &mut self.problems);
                record.fields.push(text.into_owned());
            }
            return Ok(Some(record));
        }
    }

    /// Reads to the end and returns the input's checksum.
    ///
    /// # Errors
    /// Where the rest cannot be read.
    pub fn digest(self) -> Result<InputDigest, IngestError> {
        self.blocks.digest()
    }
}

/// Positions of columns that must be there.
///
/// # Errors
/// [`IngestError::MissingColumns`] with all that are missing.
pub fn require<const N: usize>(
    header: &Header,
    names: [&str; N],
    expected: &'static str,
    path: &Path,
) -> Result<[usize; N], IngestError> {
    let missing: Vec<&str> = names.into_iter().filter(|n| header.find(n).is_none()).collect();
    if missing.is_empty() {
        return Ok(names.map(|n| header.find(n).unwrap_or_default()));
    }
    Err(IngestError::MissingColumns {
        missing: missing.join(", "),
        found: header.names.join(", "),
        expected,
        path: path.to_owned(),
    })
}

/// Bytes of a cell as text: invalid UTF-8 and NUL bytes become U+FFFD and are listed.
pub(crate) fn clean_text<'a>(
    bytes: &'a [u8],
    row: u64,
    column: &str,
    problems: &mut Problems,
) -> Cow<'a, str> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(error) => {
            let detail = format!("byte {} of the cell; replaced by U+FFFD", error.valid_up_to() + 1);
            problems.add(row, column, ProblemKind::InvalidUtf8, detail);
            String::from_utf8_lossy(bytes)
        }
    };
    if memchr(0, text.as_bytes()).is_some() {
        problems.add(row, column, ProblemKind::NulByte, "replaced by U+FFFD");
        return Cow::Owned(text.replace('\0', "\u{fffd}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn blocks(bytes: &[u8], max_record_bytes: usize) -> Result<Blocks, IngestError> {
        let progress = Progress::default();
        let path = Path::new("test.csv");
        let reader = Box::new(std::io::Cursor::new(bytes.to_vec()));
        let options = RecordOptions { delimiter: Some(b','), max_record_bytes };
        Blocks::new(Source::from_reader(path, reader, &progress)?, options, &progress)
    }

    fn all(bytes: &[u8]) -> (Vec<Vec<String>>, Problems) {
        let mut records = Records::new(blocks(bytes, 1 << 20).unwrap());
        let mut rows = Vec::new();
        while let Some(record) = records.next_record().unwrap() {
            rows.push(record.fields().to_vec());
        }
        (rows, records.problems)
    }

    #[test]
    fn quotes_newlines_and_blank_lines() {
        let (rows, problems) = all(b"a,b\r\n1,\"x, \"\"y\"\"\nz\"\r\n\r\n2,5\" pipe\n3,");
        assert_eq!(rows, [["1", "x, \"y\"\nz"], ["2", "5\" pipe"], ["3", ""]]);
        assert_eq!(problems.total(), 0);
    }

    #[test]
    fn a_cut_file_is_noticed() {
        let (rows, problems) = all(b"a,b\n1,2\n3,\"{\"\"x");
        assert_eq!(rows, [["1", "2"]]);
        assert_eq!(problems.count(ProblemKind::CutOff), 1);
    }

    #[test]
    fn a_long_row_is_passed_over_without_being_held() {
        let mut bytes = b"a,b\n1,2\n3,\"".to_vec();
        bytes.extend(std::iter::repeat_n(b'x', 5 << 20));
        bytes.extend_from_slice(b"\"\n4,5\n");
        let mut blocks = blocks(&bytes, 1 << 16).unwrap();
        let (mut rows, mut too_long) = (Vec::new(), 0);
        while let Some(block) = blocks.next_block().unwrap() {
            rows.extend(block.records.iter().map(|(row, _)| *row));
            too_long += block.n_too_long;
            assert!(block.bytes.capacity() <= 4 << 20);
        }
        assert_eq!((rows, too_long), (vec![1, 3], 1));
    }

    #[test]
    fn empty_files_and_odd_headers_are_one_clear_error() {
        assert!(matches!(blocks(b"", 10), Err(IngestError::Empty { .. })));
        assert!(matches!(blocks(b"\n\n", 10), Err(IngestError::Empty { .. })));
        assert!(matches!(blocks(b"a,b\r1,2\r", 10), Err(IngestError::OldMacLineEnds { .. })));
        let header_only = all(b"a,b\n");
        assert_eq!(header_only.0.len(), 0);
    }

    #[test]
    fn delimiters_are_guessed_from_the_header() {
        for (line, expected) in [
            ("a,b c", b','),
            ("a\tb,c", b'\t'),
            ("a\tb", b'\t'),
            ("a;b", b';'),
            ("a b", b' '),
            ("a", b','),
        ] {
            assert_eq!(guess_delimiter(line.as_bytes()), expected, "{line}");
        }
    }

    proptest! {
        // The reference is the `csv` crate, on what it and we both take for well-formed.
        #[test]
        fn agrees_with_the_csv_crate(
            table in proptest::collection::vec(proptest::collection::vec("[a\",\r\n é]{0,6}", 3), 0..30)
        ) {
            let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
            writer.write_record(["x", "y", "z"]).unwrap();
            for row in &table {
                writer.write_record(row).unwrap();
            }
            let bytes = writer.into_inner().unwrap();
            let (rows, problems) = all(&bytes);
            prop_assert_eq!(rows, table);
            prop_assert_eq!(problems.total(), 0);
        }

        #[test]
        fn any_bytes_are_read_without_panic_and_every_row_is_counted(
            bytes in proptest::collection::vec(proptest::sample::select(b"a,\"\n\r\0\xff".to_vec()), 0..300)
        ) {
            let Ok(blocks) = blocks(&bytes, 40) else { return Ok(()) };
            let mut records = Records::new(blocks);
            let mut used = 0;
            while records.next_record().unwrap().is_some() {
                used += 1;
            }
            prop_assert_eq!(used + records.n_left_out, records.n_rows);
        }
    }
}
