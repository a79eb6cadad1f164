#![no_main]

use libfuzzer_sys::fuzz_target;
use volary_ingest::Progress;

fuzz_target!(|data: &[u8]| {
    // Half of the inputs are a condition within a good frame, so that the operators are reached.
    let file = if data.first().is_some_and(|b| b % 2 == 0) {
        let (before, after) =
            (&br#"{"rules": [{"if": "#[..], &br#", "then": [{"action": "retire_subject"}]}]}"#[..]);
        [before, &data[1..], after].concat()
    } else {
        data.to_vec()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = &folder.path().join("caesar.json");
    std::fs::write(path, file).expect("written");
    let _ = volary_ingest::caesar::read_caesar(path, &Progress::default());
});
