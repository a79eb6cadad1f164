#![no_main]

use libfuzzer_sys::fuzz_target;
use volary_ingest::Progress;

fuzz_target!(|data: &[u8]| {
    // The bytes are the annotations cell of one row, quoted as they must be.
    let mut file = b"classification_id,user_name,workflow_id,workflow_version,annotations,subject_ids\n1,ann,7,1.1,\"".to_vec();
    for &byte in data {
        file.push(byte);
        if byte == b'"' {
            file.push(byte);
        }
    }
    file.extend_from_slice(b"\",s1\n");
    let folder = tempfile::tempdir().expect("a folder");
    let path = &folder.path().join("input.csv");
    std::fs::write(path, file).expect("written");
    let progress = &Progress::default();
    let mut votes = volary_ingest::tables::VoteCollector::default();
    let options = volary_ingest::panoptes::ExportOptions { now_ms: 0, ..Default::default() };
    let report = volary_ingest::panoptes::read_exports(&[path.to_owned()], &options, progress, &mut votes);
    let _ = (report, votes.finish());
});
