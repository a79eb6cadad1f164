//! Tables of vectors beside other results: `FILE_embeddings`, a row a subject, e0, e1, … They are read by
//! `whole_table`; nothing is computed here.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use arrow_array::{ArrayRef, Float32Array, StringArray};
use volary_core::schema;

use crate::consensus_tables::{beside, write_batches};
use crate::session::Session;

/// Rows of a batch, which holds all columns of them.
const ROWS: usize = 1024;

/// Writes vectors of `width` numbers each, one after the other in `values`, beside `output`.
pub(crate) fn write_embeddings(
    output: &Path,
    ids: &[&str],
    width: usize,
    values: &[f32],
    session: &mut Session,
) -> Result<()> {
    let rows: Vec<usize> = (0..ids.len()).collect();
    let batches = rows.chunks(ROWS).map(|rows| {
        let here = rows.iter().map(|row| ids[*row]);
        let mut columns = vec![Arc::new(StringArray::from_iter_values(here)) as ArrayRef];
        columns.extend((0..width).map(|i| {
            let column = rows.iter().map(|row| values[row * width + i]);
            Arc::new(Float32Array::from_iter_values(column)) as ArrayRef
        }));
        columns
    });
    let path = beside(output, "embeddings");
    let n = write_batches(&path, &schema::embeddings(width), batches)?;
    session.table_file(&path, n);
    Ok(())
}
