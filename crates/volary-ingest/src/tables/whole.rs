//! Whole tables of whatever columns they have, as Arrow columns: for filters, maps and joins.
//!
//! Parquet and Arrow keep their types. A CSV or JSON column is numbers where every value is one (or says that
//! there is none, such as `NA`), true and false where every value is, and text otherwise. `subject_id` is always text, and so is a column of whole numbers
//! that a double does not hold to the last digit (the ids of sky surveys have 17 to 19). Vectors made elsewhere
//! may also be an NPY matrix ([`read_matrix`]).

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    ArrowPrimitiveType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use volary_core::is_missing;

use super::TableFormat;
use crate::error::IngestError;
use crate::records::{RecordOptions, Records};
use crate::source::Progress;

/// Reads a table, all columns, batch by batch of rows.
///
/// # Errors
/// Where it cannot be read or the name says no format.
pub fn read_whole(path: &Path, progress: &Progress) -> Result<Vec<RecordBatch>, IngestError> {
    let table = |what: String| IngestError::Table { what, path: path.to_owned() };
    let open = || File::open(path).map_err(|e| IngestError::io("reading", path, e));
    match TableFormat::of(path)? {
        TableFormat::Parquet => {
            let builder =
                ParquetRecordBatchReaderBuilder::try_new(open()?).map_err(|e| table(e.to_string()))?;
            let reader = builder.with_batch_size(1 << 16).build().map_err(|e| table(e.to_string()))?;
            let batches = reader.collect::<Result<Vec<_>, _>>().map_err(|e| table(e.to_string()))?;
            to_the_digit(batches).map_err(table)
        }
        TableFormat::Arrow => {
            let reader = arrow_ipc::reader::FileReader::try_new_buffered(open()?, None)
                .map_err(|e| table(e.to_string()))?;
            let batches = reader.collect::<Result<Vec<_>, _>>().map_err(|e| table(e.to_string()))?;
            to_the_digit(batches).map_err(table)
        }
        TableFormat::Csv => {
            let mut records = Records::open(path, RecordOptions::default(), progress)?;
            let names = records.header().names.clone();
            let mut cells: Vec<Vec<Option<String>>> = vec![Vec::new(); names.len()];
            while let Some(record) = records.next_record()? {
                for (column, cell) in cells.iter_mut().zip(record.fields()) {
                    column.push((!cell.is_empty()).then(|| cell.clone()));
                }
            }
            progress.pass_over(path, &records.problems);
            batch(names.into_iter().zip(cells)).map_err(table).map(|batch| vec![batch])
        }
        TableFormat::Json => {
            let rows: Vec<Value> = serde_json::from_reader(std::io::BufReader::new(open()?))
                .map_err(|e| table(format!("not a JSON list of objects: {e}")))?;
            batch(json_cells(&rows)).map_err(table).map(|batch| vec![batch])
        }
    }
}

/// Whole numbers up to this are doubles to the last digit.
const EXACT: u64 = 1 << 53;

/// Ids as text, where they are whole numbers; and other whole numbers that are too long for a double.
fn to_the_digit(batches: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, String> {
    let Some(first) = batches.first() else { return Ok(batches) };
    let fields = first.schema();
    let is_text: Vec<bool> = (0..fields.fields().len())
        .map(|at| {
            let is_long = || batches.iter().any(|batch| is_long(batch.column(at).as_ref()));
            fields.field(at).data_type().is_integer()
                && (fields.field(at).name() == "subject_id" || is_long())
        })
        .collect();
    if !is_text.contains(&true) {
        return Ok(batches);
    }
    let with_text = |batch: RecordBatch| {
        let columns = fields.fields().iter().zip(batch.columns()).zip(&is_text);
        let columns = columns.map(|((field, column), is_text)| {
            let column = if *is_text { digits(column) } else { Arc::clone(column) };
            (field.name(), column, true)
        });
        RecordBatch::try_from_iter_with_nullable(columns).map_err(|e| e.to_string())
    };
    batches.into_iter().map(with_text).collect()
}

fn is_long(column: &dyn Array) -> bool {
    match column.data_type() {
        DataType::Int64 => {
            column.as_primitive::<Int64Type>().iter().flatten().any(|v| v.unsigned_abs() > EXACT)
        }
        DataType::UInt64 => column.as_primitive::<UInt64Type>().iter().flatten().any(|v| v > EXACT),
        _ => false,
    }
}

fn digits(column: &ArrayRef) -> ArrayRef {
    fn of<T: ArrowPrimitiveType<Native: ToString>>(column: &dyn Array) -> ArrayRef {
        let texts = column.as_primitive::<T>().iter().map(|v| v.map(|v| v.to_string()));
        Arc::new(texts.collect::<StringArray>())
    }
    match column.data_type() {
        DataType::Int8 => of::<Int8Type>(column),
        DataType::Int16 => of::<Int16Type>(column),
        DataType::Int32 => of::<Int32Type>(column),
        DataType::Int64 => of::<Int64Type>(column),
        DataType::UInt8 => of::<UInt8Type>(column),
        DataType::UInt16 => of::<UInt16Type>(column),
        DataType::UInt32 => of::<UInt32Type>(column),
        DataType::UInt64 => of::<UInt64Type>(column),
        _ => Arc::clone(column),
    }
}

/// The cells of objects, by name, in alphabetical order.
fn json_cells(rows: &[Value]) -> impl Iterator<Item = (String, Vec<Option<String>>)> {
    let mut cells: BTreeMap<String, Vec<Option<String>>> = BTreeMap::new();
    for (row, object) in rows.iter().enumerate() {
        for (name, value) in object.as_object().into_iter().flatten() {
            let column = cells.entry(name.clone()).or_insert_with(|| vec![None; rows.len()]);
            column[row] = match value {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            };
        }
    }
    cells.into_iter()
}

fn batch(columns: impl Iterator<Item = (String, Vec<Option<String>>)>) -> Result<RecordBatch, String> {
    let columns = columns.map(|(name, cells)| {
        let array =
            if name == "subject_id" { text(cells) } else { typed(cells, WORDS.contains(&&*name)) };
        (name, array, true)
    });
    RecordBatch::try_from_iter_with_nullable(columns).map_err(|e| e.to_string())
}

/// What people and their tasks say: `NA` among these is somebody's word.
const WORDS: [&str; 4] = ["answer", "label", "task", "about"];

fn typed(cells: Vec<Option<String>>, are_words: bool) -> ArrayRef {
    // Of a whole number every digit may count.
    let is_exact =
        |cell: &str| !cell.parse::<i128>().is_ok_and(|v| v.unsigned_abs() > u128::from(EXACT));
    let number = |cell: &String| cell.trim().parse::<f64>().ok().filter(|_| is_exact(cell.trim()));
    let boolean = |cell: &String| match cell.trim() {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    };
    let all = |is: &dyn Fn(&String) -> bool| cells.iter().flatten().all(is);
    // `NA` is how others write that a number is missing; of a column with nothing else it is the word.
    let is_number = |cell: &String| number(cell).is_some();
    let is_none = cells.iter().any(Option::is_some) && !cells.iter().flatten().any(is_number);
    let is_missing = |cell: &String| !are_words && is_missing(cell);
    if !is_none && all(&|cell| is_number(cell) || is_missing(cell)) {
        Arc::new(Float64Array::from_iter(cells.iter().map(|cell| number(cell.as_ref()?))))
    } else if all(&|cell| boolean(cell).is_some()) {
        Arc::new(BooleanArray::from_iter(cells.iter().map(|cell| boolean(cell.as_ref()?))))
    } else {
        text(cells)
    }
}

fn text(cells: Vec<Option<String>>) -> ArrayRef {
    Arc::new(StringArray::from(cells))
}

/// Reads an NPY matrix, row by row, and the number of its columns.
///
/// # Errors
/// [`IngestError::Format`] where it is none, or not of two axes.
pub fn read_matrix(path: &Path) -> Result<(Vec<f32>, usize), IngestError> {
    let bytes = std::fs::read(path).map_err(|e| IngestError::io("reading", path, e))?;
    crate::images::npy_matrix(&bytes).map_err(|what| IngestError::Format { what, path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_schema::DataType;

    fn types(batch: &RecordBatch) -> Vec<(String, DataType)> {
        batch.schema_ref().fields().iter().map(|f| (f.name().clone(), f.data_type().clone())).collect()
    }

    #[test]
    fn a_number_that_is_missing_in_words_is_missing_and_a_word_is_a_word() {
        let folder = tempfile::tempdir().unwrap();
        let csv = folder.path().join("a.csv");
        std::fs::write(
            &csv,
            "subject_id,mag,region,all,left,answer,arms\nNA,1.5,NA,NA,,1,1\n2,NA,EU,NA,,NA,None\n3,NaN,2,NA,,2,-\nx\n",
        )
        .unwrap();
        let progress = Progress::default();
        let batch = read_whole(&csv, &progress).unwrap().remove(0);
        let type_of = |name: &str| batch.column_by_name(name).unwrap().data_type().clone();
        assert_eq!(type_of("mag"), DataType::Float64);
        let mag = batch.column_by_name("mag").unwrap();
        let mag = mag.as_primitive::<arrow_array::types::Float64Type>();
        assert_eq!((mag.value(0), mag.is_null(1)), (1.5, true));
        assert_eq!(
            ["subject_id", "region", "all", "answer", "arms"].map(type_of),
            [const { DataType::Utf8 }; 5]
        );
        assert_eq!(type_of("left"), DataType::Float64);
        // The row that is cut is told, and once however often the table is read.
        read_whole(&csv, &progress).unwrap();
        let problems = progress.take_passed_over();
        assert_eq!((problems.total(), problems.examples().next().unwrap().row), (1, 4));
        assert!(problems.examples().next().unwrap().detail.starts_with("a.csv: 1 fields"));
        assert_eq!(progress.take_passed_over().total(), 0);
    }

    #[test]
    fn csv_and_json_columns_get_the_type_that_all_their_values_have() {
        let folder = tempfile::tempdir().unwrap();
        let csv = folder.path().join("a.csv");
        std::fs::write(&csv, "subject_id,n,flag,kind\n1,0.5,true,x\n2,,false,3\n3,1e3,,\n").unwrap();
        let json = folder.path().join("a.json");
        std::fs::write(
            &json,
            r#"[{"subject_id":1,"n":0.5,"flag":true,"kind":"x"},{"subject_id":2,"flag":false,"kind":"3"},{"subject_id":3,"n":1000}]"#,
        )
        .unwrap();
        for path in [csv, json] {
            let batches = read_whole(&path, &Progress::default()).unwrap();
            let batch = &batches[0];
            let mut found = types(batch);
            found.sort_by(|a, b| a.0.cmp(&b.0));
            let expected = [
                ("flag", DataType::Boolean),
                ("kind", DataType::Utf8),
                ("n", DataType::Float64),
                ("subject_id", DataType::Utf8),
            ];
            assert_eq!(found, expected.map(|(name, kind)| (name.to_owned(), kind)));
            assert_eq!((batch.num_rows(), batch.column_by_name("n").unwrap().null_count()), (3, 1));
        }
    }

    #[test]
    fn parquet_and_arrow_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let columns = [("e0", Arc::new(Float64Array::from(vec![0.5, 1.0])) as ArrayRef)];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        for name in ["a.parquet", "a.arrow"] {
            let path = folder.path().join(name);
            super::super::write_table(&path, &batch).unwrap();
            assert_eq!(read_whole(&path, &Progress::default()).unwrap()[0].columns(), batch.columns());
        }
        assert!(read_whole(Path::new("nowhere.xlsx"), &Progress::default()).is_err());
    }

    #[test]
    fn long_ids_keep_every_digit() {
        let folder = tempfile::tempdir().unwrap();
        let ids = [43_153_636_661_928_257_i64, 43_153_636_661_928_258];
        let columns = [
            ("subject_id", Arc::new(arrow_array::Int64Array::from(vec![7, 8])) as ArrayRef),
            ("object", Arc::new(arrow_array::Int64Array::from(ids.to_vec()))),
            ("n", Arc::new(arrow_array::UInt32Array::from(vec![Some(1), None]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let csv = folder.path().join("a.csv");
        std::fs::write(&csv, format!("subject_id,object,n\n7,{},1\n8,{},\n", ids[0], ids[1])).unwrap();
        let paths = ["a.parquet", "a.arrow"].map(|name| folder.path().join(name));
        paths.iter().for_each(|path| super::super::write_table(path, &batch).unwrap());
        for path in paths.iter().chain([&csv]) {
            let batches = read_whole(path, &Progress::default()).unwrap();
            let column = |name: &str| batches[0].column_by_name(name).unwrap().clone();
            assert_eq!(column("subject_id").as_string::<i32>().value(1), "8");
            assert_eq!(column("object").as_string::<i32>().value(1), "43153636661928258");
            assert!(column("n").data_type().is_numeric() && column("n").null_count() == 1);
        }
    }

    #[test]
    fn an_npy_matrix_in_either_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("z.npy");
        let npy = |order: &str, shape: &str, values: &[f32]| {
            let head = format!("{{'descr': '<f4', 'fortran_order': {order}, 'shape': {shape}, }}\n");
            let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
            bytes.extend((head.len() as u16).to_le_bytes());
            bytes.extend(head.as_bytes());
            values.iter().for_each(|v| bytes.extend(v.to_le_bytes()));
            std::fs::write(&path, bytes).unwrap();
            read_matrix(&path)
        };
        let expected = (vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3);
        assert_eq!(npy("False", "(2, 3)", &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap(), expected);
        assert_eq!(npy("True", "(2, 3)", &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]).unwrap(), expected);
        for (order, shape) in
            [("False", "(7,)"), ("False", "(3, 3)"), ("False", "(2, 0)"), ("False", "(1, 2, 3)")]
        {
            assert!(npy(order, shape, &[0.0; 6]).is_err(), "{shape}");
        }
        std::fs::write(&path, b"not numpy").unwrap();
        assert!(read_matrix(&path).is_err());
    }
}
