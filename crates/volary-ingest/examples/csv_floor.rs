//! The floor of `bench/export.py`: the `csv` crate alone reading the same bytes, doing nothing with them.

use std::error::Error;
use std::io::Write as _;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: csv_floor FILE")?;
    let mut reader = csv::ReaderBuilder::new().buffer_capacity(1 << 20).from_path(path)?;
    let mut record = csv::ByteRecord::new();
    let (mut n_rows, mut n_bytes) = (0_u64, 0_u64);
    while reader.read_byte_record(&mut record)? {
        n_rows += 1;
        n_bytes += record.as_slice().len() as u64;
    }
    writeln!(std::io::stdout(), "{n_rows} rows, {n_bytes} bytes of fields")?;
    Ok(())
}
