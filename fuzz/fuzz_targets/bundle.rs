#![no_main]

use libfuzzer_sys::fuzz_target;
use volary_ingest::bundle::{read_bundle, write_bundle};

fuzz_target!(|data: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder");
    let path = &folder.path().join("input.tar");
    std::fs::write(path, data).expect("written");
    let names = ["boundary.json", "model/config.json", "model/weights.safetensors"];
    if let Ok(found) = read_bundle(path, &names) {
        // What was read can be written, and is read again.
        let files: Vec<(&str, &[u8])> =
            names.into_iter().zip(&found).filter_map(|(n, b)| Some((n, b.as_deref()?))).collect();
        write_bundle(path, &files).expect("written");
        assert_eq!(read_bundle(path, &names).expect("read"), found);
    }
});
