//! One column as an Arrow stream of one batch: what a page, pandas or DuckDB reads without a copy.
//!
//! Numbers go as 32-bit floats, whose 24 bits are more than a screen shows; a missing one is NaN, so that the
//! buffer can be drawn as it is. Texts go as a dictionary: codes a row, each text once.

use std::sync::Arc;

use arrow_array::types::UInt32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Float32Array, PrimitiveArray, RecordBatch, StringArray, UInt32Array,
};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema};
use volary_space::slice::Column;

/// The media type.
pub(crate) const ARROW_STREAM: &str = "application/vnd.apache.arrow.stream";

/// A column's stream.
pub(crate) fn column(name: &str, column: &Column) -> Result<Vec<u8>, ArrowError> {
    let (kind, array): (DataType, ArrayRef) = match column {
        Column::Number(values) => {
            let values = values.iter().map(|v| *v as f32);
            (DataType::Float32, Arc::new(Float32Array::from_iter_values(values)))
        }
        Column::Text { codes, texts } => {
            let texts = texts.iter().map(String::as_str).collect::<Vec<_>>();
            dictionary(codes.iter().copied(), &texts)?
        }
        Column::Boolean(values) => {
            let codes = values.iter().map(|v| v.map_or(u32::MAX, u32::from));
            dictionary(codes, &["false", "true"])?
        }
    };
    stream(name, kind, array)
}

/// Row numbers, such as an order.
pub(crate) fn rows(name: &str, rows: &[u32]) -> Result<Vec<u8>, ArrowError> {
    let array = UInt32Array::from_iter_values(rows.iter().copied());
    stream(name, DataType::UInt32, Arc::new(array))
}

fn dictionary(
    codes: impl Iterator<Item = u32>,
    texts: &[&str],
) -> Result<(DataType, ArrayRef), ArrowError> {
    let n = texts.len();
    let keys: PrimitiveArray<UInt32Type> =
        codes.map(|code| ((code as usize) < n).then_some(code)).collect();
    let values = Arc::new(StringArray::from_iter_values(texts));
    let kind = DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8));
    Ok((kind, Arc::new(DictionaryArray::try_new(keys, values)?)))
}

fn stream(name: &str, kind: DataType, array: ArrayRef) -> Result<Vec<u8>, ArrowError> {
    // Readers hold the number of rows against what came: a stream may break off.
    let metadata = [("n_rows".to_owned(), array.len().to_string())].into();
    let field = Field::new(name, kind, array.null_count() > 0);
    let schema = Arc::new(Schema::new(vec![field]).with_metadata(metadata));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![array])?;
    let mut writer = StreamWriter::try_new(Vec::new(), &schema)?;
    writer.write(&batch)?;
    writer.finish()?;
    writer.into_inner()
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::Float32Type;
    use arrow_array::{Array as _, RecordBatch};
    use arrow_ipc::reader::StreamReader;

    use super::*;

    fn read(bytes: &[u8]) -> RecordBatch {
        let reader = StreamReader::try_new(bytes, None).unwrap();
        assert!(reader.schema().metadata()["n_rows"].parse::<usize>().is_ok());
        let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
        let [only] = <[RecordBatch; 1]>::try_from(batches).unwrap();
        only
    }

    #[test]
    fn columns_come_back_with_their_missing_values() {
        let numbers = Column::Number(vec![1.5, f64::NAN, -2.0]);
        let batch = read(&column("v", &numbers).unwrap());
        let values = batch.column(0).as_primitive::<Float32Type>();
        assert!(values.value(1).is_nan() && values.null_count() == 0);
        assert_eq!((values.value(0), values.value(2)), (1.5, -2.0));
        let texts = Column::text([Some("b"), None, Some("a"), Some("b")].into_iter());
        let batch = read(&column("t", &texts).unwrap());
        let found = batch.column(0).as_dictionary::<UInt32Type>();
        let found = found.downcast_dict::<StringArray>().unwrap();
        let found: Vec<Option<&str>> = found.into_iter().collect();
        assert_eq!(found, [Some("b"), None, Some("a"), Some("b")]);
        let flags = Column::Boolean(vec![Some(true), None]);
        assert_eq!(read(&column("f", &flags).unwrap()).column(0).null_count(), 1);
        assert_eq!(read(&rows("row", &[3, 1]).unwrap()).num_rows(), 2);
    }
}
