#![no_main]

use libfuzzer_sys::fuzz_target;
use volary_ingest::Progress;

fuzz_target!(|data: &[u8]| {
    // A third of the inputs begin as a FITS file does, a third as a table of a light curve.
    let mut file = Vec::new();
    match data.first().map_or(0, |b| b % 3) {
        0 => {
            for card in [
                "SIMPLE  =                    T",
                "BITPIX  =                    8",
                "NAXIS   = 0",
                "END",
            ] {
                file.extend(card.bytes().chain(std::iter::repeat(b' ')).take(80));
            }
            file.resize(2880, b' ');
            for card in [
                "XTENSION= 'BINTABLE'",
                "BITPIX  = 8",
                "NAXIS   = 2",
                "NAXIS1  = 12",
                "NAXIS2  = 40",
                "PCOUNT  = 0",
                "GCOUNT  = 1",
                "TFIELDS = 2",
                "TTYPE1  = 'TIME'",
                "TFORM1  = 'D'",
                "TTYPE2  = 'FLUX'",
                "TFORM2  = 'E'",
            ] {
                file.extend(card.bytes().chain(std::iter::repeat(b' ')).take(80));
            }
        }
        1 => file.extend_from_slice(b"time,flux\n"),
        _ => {}
    }
    file.extend_from_slice(data);
    let folder = tempfile::tempdir().expect("a folder");
    let path = &folder.path().join("kplr011662732_llc.fits");
    std::fs::write(path, file).expect("written");
    let progress = &Progress::default();
    if let Ok((curves, _, _)) = volary_ingest::light_curves::read_whole(path, progress) {
        for curve in curves {
            assert_eq!(curve.time_days.len(), curve.flux.len());
            let stamps = curve.stamps();
            let _ = stamps.real_fraction(stamps.range_days().0, stamps.range_days().1);
        }
    }
    let _ = volary_ingest::light_curves::read_light_curves(folder.path(), progress);
});
