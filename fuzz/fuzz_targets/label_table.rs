#![no_main]

use libfuzzer_sys::fuzz_target;
use volary_ingest::Progress;

fuzz_target!(|data: &[u8]| {
    // Half of the inputs come with a good header, so that the rows are reached.
    let mut file = Vec::new();
    if data.first().is_some_and(|b| b % 2 == 0) {
        file.extend_from_slice(b"task,worker,label\n");
    }
    file.extend_from_slice(data);
    let folder = tempfile::tempdir().expect("a folder");
    let path = &folder.path().join("input.csv");
    std::fs::write(path, file).expect("written");
    let progress = &Progress::default();
    if let Ok(table) = volary_ingest::label_table::read_label_table(path, progress) {
        assert!(table.report.adds_up());
    }
    let _ = volary_ingest::label_table::read_truth(path, progress);
    let _ = volary_ingest::label_table::read_weights(path, progress);
    let _ = volary_ingest::label_table::read_experience(path, progress);
    let _ = volary_ingest::label_table::read_scores(path, progress);
});
