#![no_main]

use libfuzzer_sys::fuzz_target;
use volary_ingest::Progress;

fuzz_target!(|data: &[u8]| {
    // The first byte says which format; half of the CSV files come with a good header.
    let which = data.first().copied().unwrap_or(0);
    let (ending, header): (&str, &[u8]) = match which % 5 {
        0 => ("parquet", b""),
        1 => ("json", b""),
        2 => ("arrow", b""),
        3 => ("csv", b"classification_id,workflow_id,subject_id,volunteer,created_at,repeat,task,kind,answer\n"),
        _ => ("csv", b""),
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = &folder.path().join("votes").with_extension(ending);
    std::fs::write(path, [header, data.get(1..).unwrap_or_default()].concat()).expect("written");
    let _ = volary_ingest::tables::read_votes(path, None, &Progress::default());
});
