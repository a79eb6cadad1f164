//! Reads tables back, ours or anybody's: text may be any of Arrow's strings or numbers.

use std::borrow::Cow;
use std::fs::File;
use std::path::Path;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use super::TableFormat;
use crate::error::IngestError;
use crate::records::{Record, RecordOptions, Records};
use crate::source::Progress;
use crate::time;

/// The cells of one batch or record, by name.
pub trait Cells {
    /// Text of a cell; `None` where it is missing.
    fn text(&self, column: &str, row: usize) -> Option<Cow<'_, str>>;

    /// A time as milliseconds since 1970 UTC; `None` where it is missing or no time.
    fn time_ms(&self, column: &str, row: usize) -> Option<i64> {
        self.text(column, row).and_then(|text| time::parse_ms(&text))
    }

    /// How many rows there are.
    fn n_rows(&self) -> usize;

    /// The names of the columns that `row` may have.
    fn columns(&self, row: usize) -> Vec<String>;
}

/// Reads a table batch by batch, whatever its format, and hands each to `take`. Rows that cannot be used are told to
/// `progress`.
///
/// # Errors
/// Where it cannot be read, lacks one of the `needed` columns, or `take` fails.
pub fn for_each_batch(
    path: &Path,
    needed: &[&str],
    progress: &Progress,
    mut take: impl FnMut(&dyn Cells) -> Result<(), IngestError>,
) -> Result<(), IngestError> {
    let table = |e: String| IngestError::Table { what: e, path: path.to_owned() };
    let open = || File::open(path).map_err(|e| IngestError::io("reading", path, e));
    match TableFormat::of(path)? {
        TableFormat::Parquet => {
            let builder =
                ParquetRecordBatchReaderBuilder::try_new(open()?).map_err(|e| table(e.to_string()))?;
            let names: Vec<String> =
                builder.schema().fields().iter().map(|f| f.name().clone()).collect();
            check_columns(&names, needed, path)?;
            for batch in builder.with_batch_size(16_384).build().map_err(|e| table(e.to_string()))? {
                stop_if_asked(progress)?;
                take(&Columns::new(&batch.map_err(|e| table(e.to_string()))?))?;
            }
        }
        TableFormat::Arrow => {
            let reader = arrow_ipc::reader::FileReader::try_new_buffered(open()?, None)
                .map_err(|e| table(e.to_string()))?;
            let names: Vec<String> = reader.schema().fields().iter().map(|f| f.name().clone()).collect();
            check_columns(&names, needed, path)?;
            for batch in reader {
                stop_if_asked(progress)?;
                take(&Columns::new(&batch.map_err(|e| table(e.to_string()))?))?;
            }
        }
        TableFormat::Csv => {
            let mut records = Records::open(path, RecordOptions::default(), progress)?;
            check_columns(&records.header().names.clone(), needed, path)?;
            let names = records.header().names.clone();
            while let Some(record) = records.next_record()? {
                take(&CsvRow { names: &names, record })?;
            }
            progress.pass_over(path, &records.problems);
        }
        TableFormat::Json => {
            let rows: Vec<Value> = serde_json::from_reader(std::io::BufReader::new(open()?))
                .map_err(|e| table(format!("not a JSON list of objects: {e}")))?;
            take(&JsonRows(rows))?;
        }
    }
    Ok(())
}

fn stop_if_asked(progress: &Progress) -> Result<(), IngestError> {
    if progress.is_stopped() { Err(IngestError::Stopped) } else { Ok(()) }
}

fn check_columns(names: &[String], needed: &[&str], path: &Path) -> Result<(), IngestError> {
    let missing: Vec<&str> = needed.iter().copied().filter(|n| !names.iter().any(|m| m == n)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(IngestError::MissingColumns {
        missing: missing.join(", "),
        found: names.join(", "),
        expected: "a table that Volary wrote",
        path: path.to_owned(),
    })
}

/// The columns of an Arrow batch.
#[derive(Debug)]
pub struct Columns<'b> {
    batch: &'b RecordBatch,
}

impl<'b> Columns<'b> {
    /// Wraps a batch.
    #[must_use]
    pub fn new(batch: &'b RecordBatch) -> Self {
        Self { batch }
    }
}

impl Cells for Columns<'_> {
    fn text(&self, column: &str, row: usize) -> Option<Cow<'_, str>> {
        cell(self.batch.column_by_name(column)?.as_ref(), row)
    }

    fn time_ms(&self, column: &str, row: usize) -> Option<i64> {
        let column = self.batch.column_by_name(column)?;
        match column.data_type() {
            DataType::Timestamp(TimeUnit::Millisecond, _) if column.is_valid(row) => {
                Some(column.as_primitive::<TimestampMillisecondType>().value(row))
            }
            _ => cell(column.as_ref(), row).and_then(|text| time::parse_ms(&text)),
        }
    }

    fn n_rows(&self) -> usize {
        self.batch.num_rows()
    }

    fn columns(&self, _row: usize) -> Vec<String> {
        self.batch.schema_ref().fields().iter().map(|field| field.name().clone()).collect()
    }
}

fn cell(column: &dyn Array, row: usize) -> Option<Cow<'_, str>> {
    if column.is_null(row) {
        return None;
    }
    // pandas turns a column of ids with gaps into floats: `108.0` is 108.
    let float = |value: f64| {
        if value.is_nan() { None } else { Some(Cow::Owned(value.to_string())) }
    };
    macro_rules! number {
        ($kind:ty) => {
            Some(Cow::Owned(column.as_primitive::<$kind>().value(row).to_string()))
        };
    }
    match column.data_type() {
        DataType::Utf8 => Some(Cow::Borrowed(column.as_string::<i32>().value(row))),
        DataType::LargeUtf8 => Some(Cow::Borrowed(column.as_string::<i64>().value(row))),
        DataType::Utf8View => Some(Cow::Borrowed(column.as_string_view().value(row))),
        DataType::Boolean => {
            Some(Cow::Borrowed(if column.as_boolean().value(row) { "true" } else { "false" }))
        }
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::UInt8 => number!(UInt8Type),
        DataType::UInt16 => number!(UInt16Type),
        DataType::UInt32 => number!(UInt32Type),
        DataType::UInt64 => number!(UInt64Type),
        DataType::Float32 => float(f64::from(column.as_primitive::<Float32Type>().value(row))),
        DataType::Float64 => float(column.as_primitive::<Float64Type>().value(row)),
        DataType::Timestamp(unit, _) => Some(Cow::Owned(time::format_ms(match unit {
            TimeUnit::Second => {
                column.as_primitive::<TimestampSecondType>().value(row).saturating_mul(1000)
            }
            TimeUnit::Millisecond => column.as_primitive::<TimestampMillisecondType>().value(row),
            TimeUnit::Microsecond => column.as_primitive::<TimestampMicrosecondType>().value(row) / 1000,
            TimeUnit::Nanosecond => {
                column.as_primitive::<TimestampNanosecondType>().value(row) / 1_000_000
            }
        }))),
        DataType::Dictionary(_, _) => {
            let dictionary = column.as_any_dictionary();
            let key = *dictionary.normalized_keys().get(row)?;
            cell(dictionary.values().as_ref(), key).map(|text| Cow::Owned(text.into_owned()))
        }
        _ => None,
    }
}

/// A row of a CSV table.
pub(crate) struct CsvRow<'n> {
    pub(crate) names: &'n [String],
    pub(crate) record: Record,
}

impl Cells for CsvRow<'_> {
    fn text(&self, column: &str, _row: usize) -> Option<Cow<'_, str>> {
        let text = self.record.get(self.names.iter().position(|n| n == column));
        (!text.is_empty()).then_some(Cow::Borrowed(text))
    }

    fn n_rows(&self) -> usize {
        1
    }

    fn columns(&self, _row: usize) -> Vec<String> {
        self.names.to_vec()
    }
}

struct JsonRows(Vec<Value>);

impl Cells for JsonRows {
    fn text(&self, column: &str, row: usize) -> Option<Cow<'_, str>> {
        match self.0.get(row)?.get(column)? {
            Value::Null => None,
            Value::String(text) => Some(Cow::Borrowed(text)),
            other => Some(Cow::Owned(other.to_string())),
        }
    }

    fn n_rows(&self) -> usize {
        self.0.len()
    }

    fn columns(&self, row: usize) -> Vec<String> {
        let object = self.0.get(row).and_then(Value::as_object);
        object.into_iter().flat_map(|object| object.keys().cloned()).collect()
    }
}
