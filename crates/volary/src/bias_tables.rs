//! Error rates by slice as a table.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use arrow_array::builder::{BooleanBuilder, Float64Builder, StringBuilder, UInt64Builder};
use arrow_array::{ArrayRef, RecordBatch};
use volary_core::schema;
use volary_crowd::bias::{Condition, SliceRate};
use volary_ingest::tables::write_table;

/// One row per slice and error of the crowd or the model.
pub(crate) fn write_bias(path: &Path, rows: &[(&str, &SliceRate)]) -> Result<u64> {
    let mut texts: [StringBuilder; 6] = Default::default();
    let mut edges: [Float64Builder; 4] = Default::default();
    let mut counts: [UInt64Builder; 4] = Default::default();
    let mut numbers: [Float64Builder; 9] = Default::default();
    let mut flagged = BooleanBuilder::new();
    for (who, r) in rows {
        texts[0].append_value(who);
        texts[1].append_value(r.wrong.as_str());
        for side in 0..2 {
            let (column, low, high, label) = match r.conditions.get(side) {
                Some(Condition::Range { column, low, high }) => {
                    (Some(column), Some(*low), Some(*high), None)
                }
                Some(Condition::Is { column, label }) => (Some(column), None, None, Some(label)),
                None => (None, None, None, None),
            };
            texts[2 + 2 * side].append_option(column);
            texts[3 + 2 * side].append_option(label);
            edges[2 * side].append_option(low);
            edges[2 * side + 1].append_option(high);
        }
        for (column, n) in counts.iter_mut().zip([r.k, r.n, r.rest.0, r.rest.1]) {
            column.append_value(n);
        }
        let values = [
            r.rate,
            r.interval.low,
            r.interval.high,
            r.shrunk,
            r.difference,
            r.difference_interval.low,
            r.difference_interval.high,
            r.p,
            r.q,
        ];
        numbers.iter_mut().zip(values).for_each(|(column, x)| column.append_value(x));
        flagged.append_value(r.is_flagged);
    }
    let [who, wrong, x, x_label, y, y_label] = texts.map(|mut c| Arc::new(c.finish()) as ArrayRef);
    let [x_low, x_high, y_low, y_high] = edges.map(|mut c| Arc::new(c.finish()) as ArrayRef);
    let mut columns = vec![who, wrong, x, x_low, x_high, x_label, y, y_low, y_high, y_label];
    columns.extend(counts.map(|mut c| Arc::new(c.finish()) as ArrayRef));
    columns.extend(numbers.map(|mut c| Arc::new(c.finish()) as ArrayRef));
    columns.push(Arc::new(flagged.finish()));
    write_table(path, &RecordBatch::try_new(schema::bias(), columns)?)?;
    Ok(rows.len() as u64)
}
