#![no_main]

use libfuzzer_sys::fuzz_target;
use volary_ingest::Progress;

fuzz_target!(|data: &[u8]| {
    let file = data.to_vec();
    let folder = tempfile::tempdir().expect("a folder");
    let path = &folder.path().join("input.yaml");
    std::fs::write(path, file).expect("written");
    let progress = &Progress::default();
    let _ = volary_ingest::panoptes::config::read_config(path, progress);
});
