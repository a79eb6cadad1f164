#![no_main]

use libfuzzer_sys::fuzz_target;
use volary_ingest::Progress;

fuzz_target!(|data: &[u8]| {
    // Half of the inputs come with a good header, so that the rows are reached.
    let mut file = Vec::new();
    if data.first().is_some_and(|b| b % 2 == 0) {
        file.extend_from_slice(b"classification_id,user_name,user_id,workflow_id,workflow_version,created_at,metadata,annotations,subject_ids\n");
    }
    file.extend_from_slice(data);
    let folder = tempfile::tempdir().expect("a folder");
    let path = &folder.path().join("input.csv");
    std::fs::write(path, file).expect("written");
    let progress = &Progress::default();
    let out = path.with_extension("out");
    if let Ok((config, _)) = volary_ingest::panoptes::compat::auto_config(path, progress) {
        let _ = volary_ingest::panoptes::compat::write_extracts(path, &config, &out, "x", progress);
    }
    let _ = volary_ingest::panoptes::flatten::flatten(path, &out.join("flat.csv"), progress);
});
