//! One column as an Arrow stream of one batch: what a page, pandas or DuckDB reads without a copy.
//!
//! Numbers go as 32-bit floats, whose 24 bits are more than a screen shows, or as 64-bit ones where a column's values
//! are too near to each other for that (Julian dates); a missing one is NaN, so that the buffer can be drawn as it is. Texts go as a dictionary: codes a row, each text once.

use std::sync::Arc;

use arrow_array::types::UInt32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Float32Array, Float64Array, PrimitiveArray, RecordBatch, StringArray,
    UInt32Array,
};
use arrow_buffer::Buffer;
use arrow_ipc::writer::StreamEncoder;
use arrow_schema::{ArrowError, DataType, Field, Schema};
use axum::body::{Body, Bytes};
use volary_space::slice::Column;

use crate::reply::etag_of;

/// The media type.
pub(crate) const ARROW_STREAM: &str = "application/vnd.apache.arrow.stream";

/// A stream in parts, one of which is the column's own memory: copied, a million numbers would take longer than all
/// else that is done to them.
pub(crate) struct Stream(Vec<Buffer>);

impl Stream {
    /// Bytes.
    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(Buffer::len).sum()
    }

    /// The entity tag.
    pub(crate) fn etag(&self) -> String {
        etag_of(self.0.iter().map(Buffer::as_slice))
    }

    /// All parts as one.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().map(Buffer::as_slice).collect::<Vec<_>>().concat()
    }

    /// To be sent.
    pub(crate) fn into_body(self) -> Body {
        let part = |buffer: Buffer| Ok::<_, std::convert::Infallible>(Bytes::from_owner(Part(buffer)));
        Body::from_stream(tokio_stream::iter(self.0.into_iter().map(part)))
    }
}

/// Memory that is sent as it is.
struct Part(Buffer);

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

/// A column's stream.
pub(crate) fn column(name: &str, column: &Column) -> Result<Stream, ArrowError> {
    let (kind, array): (DataType, ArrayRef) = match column {
        Column::Number(values) if !are_told_apart(values) => return exact(name, values),
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

/// Whether 32 bits leave steps enough between the least and the most of the values, as `column` of the page's `arrow.ts`
/// asks.
fn are_told_apart(values: &[f64]) -> bool {
    const STEPS: f64 = 65_536.0;
    let finite = values.iter().filter(|v| v.is_finite());
    let (least, most) =
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)));
    let step = least.abs().max(most.abs()) * 2_f64.powi(-23);
    most <= least || most - least >= STEPS * step
}

/// Numbers in full, for whoever compares with them instead of drawing them.
pub(crate) fn exact(name: &str, values: &[f64]) -> Result<Stream, ArrowError> {
    let array = Float64Array::from_iter_values(values.iter().copied());
    stream(name, DataType::Float64, Arc::new(array))
}

/// Vectors, one behind the other.
pub(crate) fn floats(name: &str, values: &[f32]) -> Result<Stream, ArrowError> {
    let array = Float32Array::from_iter_values(values.iter().copied());
    stream(name, DataType::Float32, Arc::new(array))
}

/// Row numbers, such as an order.
pub(crate) fn rows(name: &str, rows: &[u32]) -> Result<Stream, ArrowError> {
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

fn stream(name: &str, kind: DataType, array: ArrayRef) -> Result<Stream, ArrowError> {
    // Readers hold the number of rows against what came: a stream may break off.
    let metadata = [("n_rows".to_owned(), array.len().to_string())].into();
    let field = Field::new(name, kind, array.null_count() > 0);
    let schema = Arc::new(Schema::new(vec![field]).with_metadata(metadata));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![array])?;
    let mut encoder = StreamEncoder::try_new(&schema)?;
    let mut parts = encoder.encode(&batch)?;
    parts.extend(encoder.finish()?);
    Ok(Stream(parts))
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::{Float32Type, Float64Type};
    use arrow_array::{Array as _, RecordBatch};
    use arrow_ipc::reader::StreamReader;

    use super::*;

    fn read(stream: &Stream) -> RecordBatch {
        let bytes = stream.to_bytes();
        assert_eq!((bytes.len(), crate::reply::etag(&bytes)), (stream.len(), stream.etag()));
        let reader = StreamReader::try_new(&bytes[..], None).unwrap();
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
        // Three seconds of a night, which 32 bits would all call 2,460,000.
        let dates: Vec<f64> = (0..3).map(|s| 2_460_000.0 + f64::from(s) / 86_400.0).collect();
        let batch = read(&column("jd", &Column::Number(dates.clone())).unwrap());
        assert_eq!(batch.column(0).as_primitive::<Float64Type>().values(), &dates[..]);
        for same in [vec![2_460_000.5; 3], vec![f64::NAN, f64::INFINITY], vec![], vec![0.0, 1e300]] {
            let batch = read(&column("same", &Column::Number(same)).unwrap());
            assert!(batch.column(0).as_primitive_opt::<Float32Type>().is_some());
        }
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
