#![no_main]

use libfuzzer_sys::fuzz_target;
use volary_ingest::Progress;

fuzz_target!(|data: &[u8]| {
    // Half of the inputs come with a good header, so that the rows are reached.
    let mut file = Vec::new();
    if data.first().is_some_and(|b| b % 2 == 0) {
        file.extend_from_slice(b"syntheticid,signalid,synxmin,synxmax,prad,subject_id\n");
    }
    file.extend_from_slice(data);
    let folder = tempfile::tempdir().expect("a folder");
    let path = &folder.path().join("input.csv");
    std::fs::write(path, file).expect("written");
    if let Ok((table, report)) = volary_ingest::signals::read_signals(path, &Progress::default()) {
        assert!(report.adds_up());
        assert_eq!(table.len() as u64, report.rows_used);
        assert!(table.columns.iter().all(|c| c.values.len() == table.len()));
        let bounds = table.x_min_days.iter().zip(&table.x_max_days);
        assert!(bounds.clone().all(|(a, b)| a.is_finite() && b.is_finite() && a < b));
    }
});
