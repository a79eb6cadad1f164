//! Writes tables, one batch after the other.
//!
//! CSV is what people open in a spreadsheet: text that one would take for a formula stands behind an apostrophe
//! there ([`volary_core::spreadsheet`]), and is read back without it. Numbers never do.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Float32Type, Float64Type, Int64Type, TimestampMillisecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use serde_json::{Map, Value};
use volary_core::spreadsheet::neutral;

use super::TableFormat;
use crate::error::IngestError;
use crate::output::AtomicFile;
use crate::time;

enum Inner {
    Parquet(Box<ArrowWriter<AtomicFile>>),
    Csv(Box<csv::Writer<AtomicFile>>),
    Json(AtomicFile, u64),
    Arrow(Box<arrow_ipc::writer::FileWriter<AtomicFile>>),
}

/// A table under construction; appears at its place with [`TableWriter::finish`].
pub struct TableWriter {
    path: PathBuf,
    inner: Inner,
    n_rows: u64,
}

impl std::fmt::Debug for TableWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableWriter").field("path", &self.path).finish_non_exhaustive()
    }
}

impl TableWriter {
    /// Starts a table whose format the path's ending says.
    ///
    /// # Errors
    /// Where the ending is unknown or the folder cannot be written.
    pub fn create(path: &Path, schema: &Arc<Schema>) -> Result<Self, IngestError> {
        let format = TableFormat::of(path)?;
        let file = AtomicFile::create(path)?;
        let table = |e: String| IngestError::Table { what: e, path: path.to_owned() };
        let inner = match format {
            TableFormat::Parquet => {
                let writer =
                    ArrowWriter::try_new(file, schema.clone(), Some(parquet_properties(schema)));
                Inner::Parquet(Box::new(writer.map_err(|e| table(e.to_string()))?))
            }
            TableFormat::Csv => {
                let mut writer = csv::Writer::from_writer(file);
                let names = schema.fields().iter().map(|f| neutral(f.name()).into_owned());
                writer.write_record(names).map_err(|e| table(e.to_string()))?;
                Inner::Csv(Box::new(writer))
            }
            TableFormat::Json => Inner::Json(file, 0),
            TableFormat::Arrow => {
                let writer = arrow_ipc::writer::FileWriter::try_new(file, schema);
                Inner::Arrow(Box::new(writer.map_err(|e| table(e.to_string()))?))
            }
        };
        Ok(Self { path: path.to_owned(), inner, n_rows: 0 })
    }

    /// Appends a batch.
    ///
    /// # Errors
    /// Where it cannot be written (a full disk, say).
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), IngestError> {
        self.n_rows += batch.num_rows() as u64;
        let written = match &mut self.inner {
            Inner::Parquet(writer) => writer.write(batch).map_err(|e| e.to_string()),
            Inner::Csv(writer) => write_csv(writer, batch),
            Inner::Json(file, n) => write_json(file, n, batch),
            Inner::Arrow(writer) => writer.write(batch).map_err(|e| e.to_string()),
        };
        written.map_err(|what| self.failed(what))
    }

    fn failed(&self, what: String) -> IngestError {
        IngestError::Table { what: format!("writing failed: {what}"), path: self.path.clone() }
    }

    /// Ends the table, puts it in its place and returns its number of rows.
    ///
    /// # Errors
    /// Where the last bytes cannot be written.
    pub fn finish(self) -> Result<u64, IngestError> {
        let path = self.path.clone();
        let failed = |what: String| IngestError::Table {
            what: format!("writing failed: {what}"),
            path: path.clone(),
        };
        match self.inner {
            Inner::Parquet(writer) => {
                writer.into_inner().map_err(|e| failed(e.to_string()))?.commit()?;
            }
            Inner::Csv(writer) => writer.into_inner().map_err(|e| failed(e.to_string()))?.commit()?,
            Inner::Json(mut file, n) => {
                let end: &[u8] = if n == 0 { b"[]\n" } else { b"\n]\n" };
                file.write_all(end).map_err(|e| failed(e.to_string()))?;
                file.commit()?;
            }
            Inner::Arrow(writer) => {
                writer.into_inner().map_err(|e| failed(e.to_string()))?.commit()?;
            }
        }
        Ok(self.n_rows)
    }
}

fn parquet_properties(schema: &Schema) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(1 << 16))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by(concat!("volary ", env!("CARGO_PKG_VERSION")).to_owned());
    if schema.index_of("classification_id").is_ok() {
        // Ids come in order, so that each shares most of its digits with the one before it.
        let ids = ColumnPath::from("classification_id");
        properties = properties
            .set_column_dictionary_enabled(ids.clone(), false)
            .set_column_encoding(ids, Encoding::DELTA_BYTE_ARRAY);
    }
    // Times and row numbers hardly repeat: a dictionary of them would be built and thrown away.
    for name in ["created_at", "started_at", "finished_at", "row"] {
        if schema.index_of(name).is_ok() {
            let column = ColumnPath::from(name);
            properties = properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
        }
    }
    properties.build()
}

/// Writes a whole table at once.
///
/// # Errors
/// As [`TableWriter::create`] and [`TableWriter::write`].
pub fn write_table(path: &Path, batch: &RecordBatch) -> Result<(), IngestError> {
    let mut writer = TableWriter::create(path, &batch.schema())?;
    writer.write(batch)?;
    writer.finish().map(|_| ())
}

fn write_csv(writer: &mut csv::Writer<AtomicFile>, batch: &RecordBatch) -> Result<(), String> {
    for row in 0..batch.num_rows() {
        for column in batch.columns() {
            let written = match column.as_string_opt::<i32>().filter(|texts| texts.is_valid(row)) {
                Some(texts) => writer.write_field(neutral(texts.value(row)).as_bytes()),
                None => writer.write_field(cell_text(column.as_ref(), row)?),
            };
            written.map_err(|e| e.to_string())?;
        }
        writer.write_record(None::<&[u8]>).map_err(|e| e.to_string())?;
    }
    Ok(())
}

fn write_json(file: &mut AtomicFile, n: &mut u64, batch: &RecordBatch) -> Result<(), String> {
    for row in 0..batch.num_rows() {
        let mut object = Map::new();
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            object.insert(field.name().clone(), cell_json(column.as_ref(), row)?);
        }
        let lead: &[u8] = if *n == 0 { b"[\n" } else { b",\n" };
        *n += 1;
        file.write_all(lead).map_err(|e| e.to_string())?;
        serde_json::to_writer(&mut *file, &Value::Object(object)).map_err(|e| e.to_string())?;
    }
    Ok(())
}

fn cell_json(column: &dyn Array, row: usize) -> Result<Value, String> {
    if column.is_null(row) {
        return Ok(Value::Null);
    }
    Ok(match column.data_type() {
        DataType::Boolean => Value::from(column.as_boolean().value(row)),
        DataType::Float64 => {
            // JSON has no NaN and no infinity: missing.
            let value = column.as_primitive::<Float64Type>().value(row);
            serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number)
        }
        DataType::Float32 => {
            // By way of its shortest text: 0.1 stays 0.1 and does not become 0.10000000149.
            let value = column.as_primitive::<Float32Type>().value(row).to_string().parse::<f64>();
            let number = value.ok().and_then(serde_json::Number::from_f64);
            number.map_or(Value::Null, Value::Number)
        }
        DataType::Int64 => Value::from(column.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => Value::from(column.as_primitive::<UInt8Type>().value(row)),
        DataType::UInt16 => Value::from(column.as_primitive::<UInt16Type>().value(row)),
        DataType::UInt32 => Value::from(column.as_primitive::<UInt32Type>().value(row)),
        DataType::UInt64 => Value::from(column.as_primitive::<UInt64Type>().value(row)),
        _ => Value::from(cell_text(column, row)?),
    })
}

fn cell_text(column: &dyn Array, row: usize) -> Result<String, String> {
    if column.is_null(row) {
        return Ok(String::new());
    }
    Ok(match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::Float64 => number_text(column.as_primitive::<Float64Type>().value(row)),
        DataType::Float32 => {
            let value = column.as_primitive::<Float32Type>().value(row);
            if value.is_finite() { value.to_string() } else { String::new() }
        }
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::UInt8 => column.as_primitive::<UInt8Type>().value(row).to_string(),
        DataType::UInt16 => column.as_primitive::<UInt16Type>().value(row).to_string(),
        DataType::UInt32 => column.as_primitive::<UInt32Type>().value(row).to_string(),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).to_string(),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            time::format_ms(column.as_primitive::<TimestampMillisecondType>().value(row))
        }
        other => return Err(format!("a column of type {other} has no text form")),
    })
}

/// The shortest text that reads back as the same number.
fn number_text(value: f64) -> String {
    if value.is_nan() { String::new() } else { value.to_string() }
}
