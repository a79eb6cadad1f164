#![no_main]

use libfuzzer_sys::fuzz_target;
use volary_ingest::Progress;
use volary_ingest::records::{RecordOptions, Records};

fuzz_target!(|data: &[u8]| {
    // The header is good, so that what follows is cut into records: on both sides of sixty-four bytes.
    let mut file = b"a,b,c\n".to_vec();
    file.extend_from_slice(data);
    let folder = tempfile::tempdir().expect("a folder");
    let path = &folder.path().join("input.csv");
    std::fs::write(path, file).expect("written");
    let options = RecordOptions { delimiter: Some(b','), max_record_bytes: 500, ..RecordOptions::default() };
    let mut records = Records::open(path, options, &Progress::default()).expect("the header is good");
    let mut used = 0;
    while let Some(record) = records.next_record().expect("the file is there") {
        assert_eq!(record.fields().len(), 3);
        used += 1;
    }
    assert_eq!(records.n_rows, used + records.n_left_out);
});
