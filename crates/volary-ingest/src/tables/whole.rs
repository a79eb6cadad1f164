//! Whole tables of whatever columns they have, as Arrow columns: for filters, maps and joins.
//!
//! Parquet and Arrow keep their types. A CSV or JSON column is numbers where every value is one, true and
//! false where every value is, and text otherwise; `subject_id` is always text. Vectors made elsewhere may
//! also be an NPY matrix ([`read_matrix`]).

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

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
            reader.map(|batch| batch.map_err(|e| table(e.to_string()))).collect()
        }
        TableFormat::Arrow => {
            let reader = arrow_ipc::reader::FileReader::try_new_buffered(open()?, None)
                .map_err(|e| table(e.to_string()))?;
            reader.map(|batch| batch.map_err(|e| table(e.to_string()))).collect()
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
            batch(names.into_iter().zip(cells)).map_err(table).map(|batch| vec![batch])
        }
        TableFormat::Json => {
            let rows: Vec<Value> = serde_json::from_reader(std::io::BufReader::new(open()?))
                .map_err(|e| table(format!("not a JSON list of objects: {e}")))?;
            batch(json_cells(&rows)).map_err(table).map(|batch| vec![batch])
        }
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
        let array = if name == "subject_id" { text(cells) } else { typed(cells) };
        (name, array, true)
    });
    RecordBatch::try_from_iter_with_nullable(columns).map_err(|e| e.to_string())
}

fn typed(cells: Vec<Option<String>>) -> ArrayRef {
    let number = |cell: &String| cell.trim().parse::<f64>().ok();
    let boolean = |cell: &String| match cell.trim() {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    };
    let all = |is: &dyn Fn(&String) -> bool| cells.iter().flatten().all(is);
    if all(&|cell| number(cell).is_some()) {
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
