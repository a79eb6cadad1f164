#![no_main]

use libfuzzer_sys::fuzz_target;
use volary_ingest::Progress;
use volary_ingest::marks::{read_features, read_order};

fuzz_target!(|data: &[u8]| {
    // Half of the inputs come with a good header, so that the rows are reached.
    let mut file = Vec::new();
    if data.first().is_some_and(|b| b % 2 == 0) {
        file.extend_from_slice(b"feature_id,subject_id,x_min_days,x_max_days,score,simulation\n");
    }
    file.extend_from_slice(data);
    let folder = tempfile::tempdir().expect("a folder");
    let path = &folder.path().join("input.csv");
    std::fs::write(path, file).expect("written");
    let progress = &Progress::default();
    let _ = read_order(path, progress);
    if let Ok(table) = read_features(path, path, "score", progress) {
        assert_eq!(table.id.len(), table.score.len());
        assert!(table.feature_subject.is_sorted());
    }
});
