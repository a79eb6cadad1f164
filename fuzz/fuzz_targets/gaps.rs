#![no_main]

use libfuzzer_sys::fuzz_target;
use volary_ingest::Progress;

fuzz_target!(|data: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder");
    let (gaps, cadences) = (folder.path().join("gaps.csv"), folder.path().join("cadences.csv"));
    // The first byte says where the table of cadences ends and that of gaps begins.
    let at = data.first().map_or(0, |b| usize::from(*b)).min(data.len());
    let with = |header: &[u8], rest: &[u8]| [header, rest].concat();
    let first = with(b"kepler_id,quarter,t_first,dt,n_cadences\n7,1,100,0.5,20\n", &data[..at]);
    let second =
        with(b"kepler_id,quarter,first_nan_index,last_nan_index,gap_start,gap_end\n", &data[at..]);
    std::fs::write(&cadences, first).expect("written");
    std::fs::write(&gaps, second).expect("written");
    for cadences in [None, Some(cadences.as_path())] {
        let read = volary_ingest::gap_table::read_gaps(&gaps, cadences, &Progress::default());
        let Ok((table, reports)) = read else { continue };
        assert!(reports.iter().all(|r| r.adds_up()));
        for stamps in &table.stamps {
            let share = stamps.real_fraction(101.0, 104.0);
            assert!(share >= 0.0 || share.is_nan());
        }
    }
});
