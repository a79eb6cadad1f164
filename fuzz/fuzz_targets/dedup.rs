#![no_main]

use libfuzzer_sys::fuzz_target;
use volary_ingest::Progress;
use volary_ingest::panoptes::dedup::{DedupOptions, dedup};

fuzz_target!(|data: &[u8]| {
    // Half of the inputs come with a good header, so that the rows are reached.
    let mut file = Vec::new();
    if data.first().is_some_and(|b| b % 2 == 0) {
        file.extend_from_slice(b"classification_id,user_name,user_id,user_ip,workflow_id,workflow_version,created_at,metadata,annotations,subject_data,subject_ids\n");
    }
    file.extend_from_slice(data);
    let folder = tempfile::tempdir().expect("a folder");
    let path = &folder.path().join("input.csv");
    std::fs::write(path, file).expect("written");
    let out = folder.path().join("out.csv");
    if dedup(path, &out, &DedupOptions::default(), &Progress::default()).is_err() {
        assert!(!out.exists(), "half an output");
    }
});
