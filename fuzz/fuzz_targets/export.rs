#![no_main]

use libfuzzer_sys::fuzz_target;
use volary_ingest::Progress;

fuzz_target!(|data: &[u8]| {
    // Half of the inputs come with a good header, so that the rows are reached.
    let mut file = Vec::new();
    if data.first().is_some_and(|b| b % 2 == 0) {
        file.extend_from_slice(b"classification_id,user_name,workflow_id,workflow_version,created_at,metadata,annotations,subject_data,subject_ids\n");
    }
    file.extend_from_slice(data);
    let folder = tempfile::tempdir().expect("a folder");
    let path = &folder.path().join("input.csv");
    std::fs::write(path, file).expect("written");
    let progress = &Progress::default();
    let mut votes = volary_ingest::tables::VoteCollector::default();
    let options = volary_ingest::panoptes::ExportOptions { now_ms: 0, ..Default::default() };
    if let Ok(report) = volary_ingest::panoptes::read_exports(&[path.to_owned()], &options, progress, &mut votes) {
        let left_out: u64 = report.collected.left_out.values().sum();
        assert_eq!(report.collected.rows_read, report.collected.n_classifications + left_out);
        let _ = votes.finish();
    }
});
