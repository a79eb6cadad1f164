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
    let mut texts: [StringBuilder; 8] = Default::default();
    let mut edges: [Float64Builder; 6] = Default::default();
    let mut counts: [UInt64Builder; 4] = Default::default();
    let mut numbers: [Float64Builder; 10] = Default::default();
    let mut flagged = BooleanBuilder::new();
    for (who, r) in rows {
        texts[0].append_value(who);
        texts[1].append_value(r.wrong.as_str());
        for side in 0..3 {
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
            Some(r.rate),
            Some(r.interval.low),
            Some(r.interval.high),
            Some(r.shrunk),
            Some(r.difference),
            Some(r.difference_interval.low),
            Some(r.difference_interval.high),
            Some(r.p),
            r.p_within,
            Some(r.q),
        ];
        numbers.iter_mut().zip(values).for_each(|(column, x)| column.append_option(x));
        flagged.append_value(r.is_flagged);
    }
    let mut texts = texts.map(|mut c| Arc::new(c.finish()) as ArrayRef).into_iter();
    let mut edges = edges.map(|mut c| Arc::new(c.finish()) as ArrayRef).into_iter();
    let mut columns: Vec<ArrayRef> = texts.by_ref().take(2).collect();
    while let Some(column) = texts.next() {
        columns.push(column);
        columns.extend(edges.by_ref().take(2));
        columns.extend(texts.next());
    }
    columns.extend(counts.map(|mut c| Arc::new(c.finish()) as ArrayRef));
    columns.extend(numbers.map(|mut c| Arc::new(c.finish()) as ArrayRef));
    columns.push(Arc::new(flagged.finish()));
    write_table(path, &RecordBatch::try_new(schema::bias(), columns)?)?;
    Ok(rows.len() as u64)
}
