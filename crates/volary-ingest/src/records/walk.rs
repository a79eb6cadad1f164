//! The records of a small table one by one, as text.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use memchr::memchr;
use volary_core::spreadsheet::plain;
use volary_core::{ProblemKind, Problems};

use super::blocks::{Block, Blocks, RecordOptions};
use super::header::{Header, require};
use crate::error::IngestError;
use crate::source::{InputDigest, Progress};

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
            let Some(span) = self.block.records.get(self.next).copied() else {
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
            let (row, names) = (span.row, &self.blocks.header().names);
            let fields = self.block.fields(&span);
            if fields.count() != names.len() {
                let detail = format!("{} fields, the header has {}", fields.count(), names.len());
                self.problems.add(row, "", ProblemKind::WrongFieldCount, detail);
                self.n_left_out += 1;
                continue;
            }
            let mut record = Record { row, fields: Vec::with_capacity(names.len()) };
            for (i, name) in names.iter().enumerate() {
                fields.write(i, &mut self.scratch);
                let text = clean_text(&self.scratch, row, name, &mut self.problems);
                record.fields.push(match self.blocks.is_exact() {
                    true => text.into_owned(),
                    false => plain(&text).to_owned(),
                });
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
    use crate::source::Source;
    use proptest::prelude::*;

    fn blocks(bytes: &[u8], max_record_bytes: usize) -> Result<Blocks, IngestError> {
        let progress = Progress::default();
        let path = Path::new("test.csv");
        let reader = Box::new(std::io::Cursor::new(bytes.to_vec()));
        let options =
            RecordOptions { delimiter: Some(b','), max_record_bytes, ..RecordOptions::default() };
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
            rows.extend(block.records.iter().map(|span| span.row));
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
