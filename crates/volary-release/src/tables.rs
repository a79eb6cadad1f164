//! The tables of a package, written column by allowed column, as Parquet, CSV and VOTable.
//!
//! Parquet and VOTable hold the text as it is; in CSV, which people open in a spreadsheet, what would be a formula
//! stands behind an apostrophe, as in every table that Volary writes ([`volary_core::spreadsheet`]).

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int64Builder, StringBuilder, UInt64Builder};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use volary_ingest::IngestError;
use volary_ingest::output::AtomicFile;
use volary_ingest::tables::TableWriter;

use crate::error::ReleaseError;
use crate::tier::{Column, Kind, Table, schema};

/// Rows of a table above which no VOTable is written: XML of ten million rows helps nobody.
pub(crate) const VOTABLE_MOST_ROWS: u64 = 1_000_000;
const BATCH: usize = 1 << 16;

/// A cell on its way out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cell<'a> {
    Text(&'a str),
    Count(u64),
    Integer(i64),
    Number(f64),
    Missing,
}

impl<'a> From<Option<&'a str>> for Cell<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Missing, Cell::Text)
    }
}

enum Builder {
    Text(StringBuilder),
    Count(UInt64Builder),
    Integer(Int64Builder),
    Number(Float64Builder),
}

/// What was written of a table.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) table: Table,
    pub(crate) columns: &'static [Column],
    pub(crate) n_rows: u64,
    /// Paths within the package, `data/votes.parquet` first.
    pub(crate) files: Vec<PathBuf>,
}

/// A table under construction, in all its formats.
pub(crate) struct Sink {
    table: Table,
    columns: &'static [Column],
    schema: Arc<Schema>,
    builders: Vec<Builder>,
    n_pending: usize,
    parquet: TableWriter,
    csv: TableWriter,
    votable: Option<VoTable>,
    files: Vec<PathBuf>,
}

impl Sink {
    /// Starts a table in the folder of a package.
    pub(crate) fn create(
        package: &Path,
        table: Table,
        columns: &'static [Column],
        n_rows_at_most: u64,
    ) -> Result<Self, ReleaseError> {
        let schema = schema(columns);
        let name = |extension: &str| PathBuf::from(format!("data/{}.{extension}", table.name()));
        let mut files = vec![name("parquet"), name("csv")];
        let parquet = TableWriter::create(&package.join(&files[0]), &schema)?;
        let csv = TableWriter::create(&package.join(&files[1]), &schema)?;
        let votable = if n_rows_at_most <= VOTABLE_MOST_ROWS {
            files.push(name("vot"));
            Some(VoTable::create(&package.join(&files[2]), table, columns)?)
        } else {
            None
        };
        let builders = columns.iter().map(|c| builder(c.kind)).collect();
        Ok(Self { table, columns, schema, builders, n_pending: 0, parquet, csv, votable, files })
    }

    /// Appends a row; cells are in the order of the columns.
    pub(crate) fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), ReleaseError> {
        debug_assert_eq!(cells.len(), self.columns.len(), "a cell for each column");
        for ((builder, cell), column) in self.builders.iter_mut().zip(cells).zip(self.columns) {
            match (builder, cell) {
                (Builder::Text(b), Cell::Text(text)) => b.append_value(text),
                (Builder::Count(b), Cell::Count(n)) => b.append_value(*n),
                (Builder::Integer(b), Cell::Integer(n)) => b.append_value(*n),
                (Builder::Number(b), Cell::Number(x)) if x.is_finite() => b.append_value(*x),
                (Builder::Text(b), _) if column.nullable => b.append_null(),
                (Builder::Text(b), _) => b.append_value(""),
                (Builder::Count(b), _) => b.append_null(),
                (Builder::Integer(b), _) => b.append_null(),
                (Builder::Number(b), _) => b.append_null(),
            }
        }
        self.n_pending += 1;
        if self.n_pending == BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), ReleaseError> {
        if self.n_pending == 0 {
            return Ok(());
        }
        self.n_pending = 0;
        let columns: Vec<ArrayRef> = self
            .builders
            .iter_mut()
            .map(|builder| match builder {
                Builder::Text(b) => Arc::new(b.finish()) as ArrayRef,
                Builder::Count(b) => Arc::new(b.finish()) as ArrayRef,
                Builder::Integer(b) => Arc::new(b.finish()) as ArrayRef,
                Builder::Number(b) => Arc::new(b.finish()) as ArrayRef,
            })
            .collect();
        let batch = RecordBatch::try_new(self.schema.clone(), columns).map_err(|e| {
            let path = PathBuf::from(format!("data/{}", self.table.name()));
            IngestError::Table { what: e.to_string(), path }
        })?;
        self.parquet.write(&batch)?;
        if let Some(votable) = &mut self.votable {
            votable.write(&batch)?;
        }
        self.csv.write(&batch)?;
        Ok(())
    }

    /// Ends the table.
    pub(crate) fn finish(mut self) -> Result<Written, ReleaseError> {
        self.flush()?;
        let n_rows = self.parquet.finish()?;
        self.csv.finish()?;
        if let Some(votable) = self.votable {
            votable.finish()?;
        }
        Ok(Written { table: self.table, columns: self.columns, n_rows, files: self.files })
    }
}

fn builder(kind: Kind) -> Builder {
    match kind {
        Kind::Text => Builder::Text(StringBuilder::new()),
        Kind::Count => Builder::Count(UInt64Builder::new()),
        Kind::Integer => Builder::Integer(Int64Builder::new()),
        Kind::Number => Builder::Number(Float64Builder::new()),
    }
}

/// Writes the CSV of a Parquet table that was written here.
///
/// # Errors
/// Where one cannot be read, or the other not written.
pub(crate) fn write_csv(parquet: &Path, columns: &[Column], target: &Path) -> Result<(), ReleaseError> {
    let mut csv = TableWriter::create(target, &schema(columns))?;
    for_each_of(parquet, |batch| Ok(csv.write(batch)?))?;
    csv.finish()?;
    Ok(())
}

/// Writes the VOTable of a Parquet table that was written here.
///
/// # Errors
/// Where one cannot be read, or the other not written.
pub(crate) fn write_votable(
    parquet: &Path,
    table: Table,
    columns: &[Column],
    target: &Path,
) -> Result<(), ReleaseError> {
    let mut votable = VoTable::create(target, table, columns)?;
    for_each_of(parquet, |batch| votable.write(batch))?;
    votable.finish()
}

fn for_each_of(
    parquet: &Path,
    mut visit: impl FnMut(&RecordBatch) -> Result<(), ReleaseError>,
) -> Result<(), ReleaseError> {
    let unreadable = |e: String| ReleaseError::package(parquet, e);
    let file = std::fs::File::open(parquet).map_err(ReleaseError::reading(parquet))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(ParquetRecordBatchReaderBuilder::build)
        .map_err(|e| unreadable(e.to_string()))?;
    for batch in reader {
        visit(&batch.map_err(|e| unreadable(e.to_string()))?)?;
    }
    Ok(())
}

/// A VOTable (IVOA, version 1.4) as TABLEDATA: what TOPCAT and astropy read.
struct VoTable {
    path: PathBuf,
    file: AtomicFile,
}

impl VoTable {
    fn create(path: &Path, table: Table, columns: &[Column]) -> Result<Self, ReleaseError> {
        let mut file = AtomicFile::create(path)?;
        let mut head = String::from(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<VOTABLE version=\"1.4\" xmlns=\"http://www.ivoa.net/xml/VOTable/v1.3\">\n<RESOURCE type=\"results\">\n",
        );
        head.push_str(&format!(
            "<TABLE name=\"{}\">\n<DESCRIPTION>{}</DESCRIPTION>\n",
            table.name(),
            xml(table.about())
        ));
        for column in columns {
            let datatype = match column.kind {
                // Text beyond ASCII needs unicodeChar.
                Kind::Text => "datatype=\"unicodeChar\" arraysize=\"*\"",
                Kind::Count | Kind::Integer => "datatype=\"long\"",
                Kind::Number => "datatype=\"double\"",
            };
            head.push_str(&format!(
                "<FIELD name=\"{0}\" ID=\"{0}\" {datatype}><DESCRIPTION>{1}</DESCRIPTION></FIELD>\n",
                column.name,
                xml(column.about)
            ));
        }
        head.push_str("<DATA>\n<TABLEDATA>\n");
        file.write_all(head.as_bytes()).map_err(ReleaseError::writing(path))?;
        Ok(Self { path: path.to_owned(), file })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), ReleaseError> {
        let mut text = String::new();
        for row in 0..batch.num_rows() {
            text.push_str("<TR>");
            for column in batch.columns() {
                if column.is_null(row) {
                    text.push_str("<TD/>");
                    continue;
                }
                text.push_str("<TD>");
                match column.data_type() {
                    DataType::UInt64 => {
                        text.push_str(&column.as_primitive::<UInt64Type>().value(row).to_string());
                    }
                    DataType::Int64 => {
                        text.push_str(&column.as_primitive::<Int64Type>().value(row).to_string());
                    }
                    DataType::Float64 => {
                        text.push_str(&column.as_primitive::<Float64Type>().value(row).to_string());
                    }
                    _ => text.push_str(&xml(column.as_string::<i32>().value(row))),
                }
                text.push_str("</TD>");
            }
            text.push_str("</TR>\n");
        }
        self.file.write_all(text.as_bytes()).map_err(ReleaseError::writing(&self.path))
    }

    fn finish(mut self) -> Result<(), ReleaseError> {
        let end = b"</TABLEDATA>\n</DATA>\n</TABLE>\n</RESOURCE>\n</VOTABLE>\n";
        self.file.write_all(end).map_err(ReleaseError::writing(&self.path))?;
        Ok(self.file.commit()?)
    }
}

/// Text within XML: escaped, and without the characters that XML cannot hold at all.
pub(crate) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", u32::from(c))),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_holds_anything() {
        assert_eq!(xml("]]> & <b>\u{0}\n"), "]]&gt; &amp; &lt;b&gt;\u{fffd}&#10;");
    }
}
