//! Blocks of whole records, cut without looking at what the fields say.

use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex};

use memchr::memchr;
use volary_core::spreadsheet::plain;
use volary_core::{ProblemKind, Problems};

use super::fields::Fields;
use super::header::{Header, header_end};
use super::scan::Scanner;
use crate::error::IngestError;
use crate::source::{InputDigest, Progress, Source};

/// Bytes that one block aims at.
const BLOCK_BYTES: usize = 1 << 19;
/// A header longer than this is not a header.
const MAX_HEADER_BYTES: usize = 4 << 20;
/// No limit on records is higher than this, since positions in a block are 32 bits.
const MAX_RECORD_BYTES: usize = 1 << 30;

/// How to cut records.
#[derive(Clone, Copy, Debug)]
pub struct RecordOptions {
    /// The byte between fields; `None` takes tab, comma, semicolon or space, by what the header shows.
    pub delimiter: Option<u8>,
    /// Records longer than this are passed over and listed.
    pub max_record_bytes: usize,
    /// Cells are taken as they stand, as in exports of others. Otherwise the apostrophes that Volary puts before
    /// what a spreadsheet would take for a formula are taken off ([`volary_core::spreadsheet`]).
    pub is_exact: bool,
}

impl RecordOptions {
    /// For exports of others: commas, and cells as they stand.
    #[must_use]
    pub fn export() -> Self {
        Self { delimiter: Some(b','), is_exact: true, ..Self::default() }
    }
}

impl Default for RecordOptions {
    fn default() -> Self {
        Self { delimiter: None, max_record_bytes: 16 << 20, is_exact: false }
    }
}

/// Where a record stands in its block.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Data row, 1 for the first.
    pub row: u64,
    start: u32,
    /// Without the line end.
    end: u32,
    // Which of the block's ends are between its fields.
    first_end: u32,
    n_ends: u32,
}

/// A run of whole records.
#[derive(Debug, Default)]
pub struct Block {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Its records, in order.
    pub records: Vec<Span>,
    // Where fields and records end, all records' together.
    ends: Vec<u32>,
    /// Problems met while cutting.
    pub problems: Problems,
    /// Rows passed over because they were too long.
    pub n_too_long: u64,
    /// Rows left out because the file ends within them.
    pub n_cut_off: u64,
    spare: Spare,
}

impl Block {
    /// A record's fields.
    #[must_use]
    pub fn fields(&self, span: &Span) -> Fields<'_> {
        let first = span.first_end as usize;
        let ends = &self.ends[first..first + span.n_ends as usize];
        Fields::new(&self.bytes, (span.start as usize, span.end as usize), ends)
    }

    /// What ends a record: a newline, with a carriage return before it where it has one; empty for a
    /// last record without one.
    #[must_use]
    pub fn line_end(&self, span: &Span) -> &[u8] {
        let rest = &self.bytes[span.end as usize..];
        &rest[..memchr(b'\n', rest).map_or(0, |i| i + 1)]
    }
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

/// Cuts an input into blocks of whole records.
#[derive(Debug)]
pub struct Blocks {
    source: Source,
    header: Header,
    max_record_bytes: usize,
    is_exact: bool,
    progress: Progress,
    buffer: Vec<u8>,
    scanner: Scanner,
    // How far `buffer` is scanned, and where fields and records end up to there.
    scanned: usize,
    ends: Vec<u32>,
    // Where the current record starts, and which of `ends` is its first.
    record_start: usize,
    first_end: usize,
    // A record over the limit is being passed over: its bytes are dropped as they come.
    skipping: bool,
    next_row: u64,
    at_end: bool,
    spare: Spare,
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
            max_record_bytes: options.max_record_bytes.min(MAX_RECORD_BYTES),
            is_exact: options.is_exact,
            progress: progress.clone(),
            buffer: Vec::new(),
            scanner: Scanner::new(b','),
            scanned: 0,
            ends: Vec::new(),
            record_start: 0,
            first_end: 0,
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

    /// Whether cells are taken as they stand.
    pub(super) fn is_exact(&self) -> bool {
        self.is_exact
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
        self.header = Header::parse(line, delimiter);
        if !self.is_exact {
            for name in &mut self.header.names {
                *name = plain(name).to_owned();
            }
        }
        self.scanner = Scanner::new(self.header.delimiter);
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
                let ends = self.ends.split_off(self.first_end);
                block.bytes = std::mem::replace(&mut self.buffer, rest);
                block.ends = std::mem::replace(&mut self.ends, ends);
                self.first_end = 0;
                self.shift();
                return Ok(Some(block));
            }
            if self.at_end {
                return Ok(self.finish(block));
            }
            self.buffer.drain(..self.record_start);
            self.ends.drain(..self.first_end);
            self.first_end = 0;
            self.shift();
            self.fill()?;
        }
    }

    /// The bytes before the current record are gone.
    fn shift(&mut self) {
        let by = position(self.record_start);
        self.ends.iter_mut().for_each(|end| *end -= by);
        self.scanned -= self.record_start;
        self.record_start = 0;
    }

    /// What stands after the last newline: a last record without one, or a piece of a cut one.
    fn finish(&mut self, mut block: Block) -> Option<Block> {
        let is_quoted = self.scanner.is_quoted();
        let (rest, ends) = (std::mem::take(&mut self.buffer), std::mem::take(&mut self.ends));
        self.scanner = Scanner::new(self.header.delimiter);
        (self.scanned, self.record_start, self.first_end) = (0, 0, 0);
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
            let n_ends = position(ends.len());
            block.records.push(Span { row, start: 0, end: position(line), first_end: 0, n_ends });
        }
        (block.bytes, block.ends) = (rest, ends);
        Some(block)
    }

    fn too_long(&mut self, block: &mut Block) {
        let detail = format!("longer than {} bytes; passed over", self.max_record_bytes);
        block.problems.add(self.next_row, "", ProblemKind::RowTooLong, detail);
        block.n_too_long += 1;
        self.next_row += 1;
    }

    /// Finds ends of fields and records in what has been read and not scanned.
    fn scan(&mut self, block: &mut Block) {
        let (from, known) = (self.scanned, self.ends.len());
        self.scanner.scan(&self.buffer[from..], position(from), &mut self.ends);
        self.scanned = self.buffer.len();
        for at in known..self.ends.len() {
            let end = self.ends[at] as usize;
            if self.buffer[end] == b'\n' {
                self.end_record(at, end + 1, block);
            }
        }
        if self.scanned - self.record_start > self.max_record_bytes {
            self.skipping = true;
        }
        if self.skipping {
            // Nothing of it is kept.
            self.record_start = self.scanned;
            self.ends.truncate(self.first_end);
        }
    }

    /// A record ends before `end`, at the newline that is the `at`-th of all ends.
    fn end_record(&mut self, at: usize, end: usize, block: &mut Block) {
        let (start, first_end) = (self.record_start, self.first_end);
        (self.record_start, self.first_end) = (end, at + 1);
        if std::mem::take(&mut self.skipping) || end - start > self.max_record_bytes {
            self.too_long(block);
            return;
        }
        let line = trim_line_end(&self.buffer[start..end]).len();
        if line > 0 {
            block.records.push(Span {
                row: self.next_row,
                start: position(start),
                end: position(start + line),
                first_end: position(first_end),
                n_ends: position(at - first_end),
            });
            self.next_row += 1;
        }
    }
}

/// Positions in a block are small: [`MAX_RECORD_BYTES`] and two reads' worth.
fn position(at: usize) -> u32 {
    u32::try_from(at).expect("a block is shorter than 4 GB")
}

fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
