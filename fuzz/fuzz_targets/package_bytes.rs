#![no_main]

use libfuzzer_sys::fuzz_target;
use volary_ingest::Progress;
use volary_release::attack::View;
use volary_release::verify::{Against, verify};

/// Where the bytes go: every kind of file that a package has.
const FILES: [&str; 9] = [
    "SHA256SUMS",
    "datapackage.json",
    "croissant.json",
    "privacy_report.json",
    "known_biases.json",
    "data/counts.csv",
    "data/votes.parquet",
    "data/volunteers.parquet",
    "models/m/card.md",
];

fuzz_target!(|data: &[u8]| {
    let (choice, rest) = data.split_first().unwrap_or((&0, &[]));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(FILES[usize::from(*choice) % FILES.len()]);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(&path, rest).expect("a file");
    let names = ["Zaphod_Beeblebrox".to_owned()];
    let against = Against { names: Some(&names), ..Against::default() };
    // No package is one file: it is found wrong, whatever the file is.
    let verified = verify(folder.path(), &against, &Progress::default()).expect("a folder can be read");
    assert!(!verified.holds());
    let _ = View::open(folder.path(), &Progress::default());
});
