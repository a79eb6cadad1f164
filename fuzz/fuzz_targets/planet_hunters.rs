#![no_main]

use libfuzzer_sys::fuzz_target;
use volary_ingest::Progress;

fuzz_target!(|data: &[u8]| {
    // Half of the inputs come with a good header, so that the rows are reached.
    let mut file = Vec::new();
    if data.first().is_some_and(|b| b % 2 == 0) {
        file.extend_from_slice(b"classification_id,created_at,start_time,subject_id,user_name,xMinRelative,xMaxRelative,xMinGlobal,xMaxGlobal\n");
    }
    file.extend_from_slice(data);
    let folder = tempfile::tempdir().expect("a folder");
    let path = &folder.path().join("input.csv");
    std::fs::write(path, file).expect("written");
    let progress = &Progress::default();
    if let Ok((_, report)) = volary_ingest::planet_hunters::read_planet_hunters(path, progress) {
        assert!(report.adds_up());
    }
});
