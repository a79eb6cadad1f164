#![no_main]

use libfuzzer_sys::fuzz_target;
use volary_ingest::Progress;
use volary_ingest::marks::MarkFilter;

fuzz_target!(|data: &[u8]| {
    // Half of the inputs come with a good header, so that the rows are reached.
    let mut file = Vec::new();
    if data.first().is_some_and(|b| b % 2 == 0) {
        file.extend_from_slice(b"classification_id,created_at,start_time,subject_id,user_name,kepler_id,synthetic,synthetic_id,xMinGlobal,xMaxGlobal\n");
    }
    file.extend_from_slice(data);
    let folder = tempfile::tempdir().expect("a folder");
    let path = &folder.path().join("input.csv");
    std::fs::write(path, file).expect("written");
    if let Ok(read) = volary_ingest::marks::read_marks(path, &MarkFilter::default(), 1, &Progress::default()) {
        assert!(read.report.is_none_or(|report| report.adds_up()));
        let marks = read.marks;
        assert_eq!(marks.mark_start.last().map(|&n| n as usize), Some(marks.n_marks()));
        assert!((0..marks.n_marks()).all(|m| marks.x_min_days[m] <= marks.x_max_days[m]));
    }
});
