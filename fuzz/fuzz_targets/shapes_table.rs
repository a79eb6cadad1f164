#![no_main]
//! A shapes table made of odd bytes: marks or an error, never a panic.

use libfuzzer_sys::fuzz_target;
use volary_ingest::Progress;
use volary_ingest::tables::read_shapes;

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("shapes.csv");
    std::fs::write(&path, bytes).expect("written");
    let _ = read_shapes(&path, &Progress::default());
    let _ = volary_ingest::image_size::image_head(bytes);
});
