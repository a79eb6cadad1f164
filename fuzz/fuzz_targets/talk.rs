#![no_main]

use libfuzzer_sys::fuzz_target;
use volary_ingest::Progress;

fuzz_target!(|data: &[u8]| {
    let file = data.to_vec();
    let folder = tempfile::tempdir().expect("a folder");
    let path = &folder.path().join("input.json");
    std::fs::write(path, file).expect("written");
    let progress = &Progress::default();
    if let Ok(talk) = volary_ingest::talk::read_talk(path, progress) {
        assert!(talk.report.adds_up());
    }
});
