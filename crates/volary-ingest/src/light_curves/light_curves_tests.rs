use std::path::PathBuf;

use super::*;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn none() -> Progress {
    Progress::default()
}

/// Written by astropy 8.0.2: 40 stamps, the first and the eighth time NaN, five flux values NaN.
const ASTROPY: &str = "astropy-8.0.2-kplr011662732_llc.fits";

#[test]
fn a_fits_file_by_astropy_reads_as_it_was_written() {
    let (curves, problems, digest) = read_whole(&data(ASTROPY), &none()).unwrap();
    let curve = &curves[0];
    assert_eq!((curve.star.as_str(), curve.quarter.as_str()), ("11662732", "5"));
    assert_eq!((problems.total(), digest.n_bytes % 2880), (0, 0));
    assert_eq!((curve.time_days.len(), curve.flux.len()), (40, 40));
    // The numbers that astropy printed.
    assert_eq!((curve.time_days[1], curve.time_days[39]), (130.020434, 130.796926));
    assert_eq!((curve.flux[1], curve.flux[39]), (1000.8414916992188, 1000.9638061523438));
    let missing = |column: &[f64]| column.iter().filter(|x| x.is_nan()).count();
    assert_eq!((missing(&curve.time_days), missing(&curve.flux)), (2, 5));
    let stamps = curve.stamps();
    assert_eq!(stamps.range_days(), (130.020434, 130.796926), "the first stamp is NaN");
    assert!((stamps.step_days().unwrap() - 0.020434).abs() < 1e-12);
    assert_eq!(stamps.n_with_data(0.0, 1e9), Some(33));
}

#[test]
fn what_we_write_we_read() {
    let folder = tempfile::tempdir().unwrap();
    let curve = LightCurve {
        star: "757076".to_owned(),
        quarter: "12".to_owned(),
        subject: "000757076-q12_llc".to_owned(),
        time_days: (0..100).map(|i| 500.0 + 0.02 * f64::from(i)).collect(),
        flux: (0..100).map(|i| if i % 9 == 4 { f64::NAN } else { 1000.0 + f64::from(i) }).collect(),
    };
    let same = |a: &[f64], b: &[f64]| {
        a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-8 || a.is_nan() && b.is_nan())
    };
    for name in ["000757076-q12_llc.fits", "000757076-q12_llc.csv"] {
        let path = folder.path().join(name);
        if name.ends_with("fits") { write_fits(&path, &curve) } else { write_csv(&path, &curve) }
            .unwrap();
        let (curves, problems, _) = read_whole(&path, &none()).unwrap();
        assert_eq!((curves.len(), problems.total()), (1, 0), "{name}");
        assert!(
            same(&curves[0].time_days, &curve.time_days) && same(&curves[0].flux, &curve.flux),
            "{name}"
        );
        assert_eq!((&curves[0].star, &curves[0].quarter), (&curve.star, &curve.quarter));
    }
    let files = read_light_curves(folder.path(), &none()).unwrap();
    assert_eq!((files.n_files, files.table.stamps.len(), files.n_unreadable), (2, 2, 0));
    assert_eq!(files.table.star, ["757076", "757076"]);
    assert_eq!(files.table.stamps[0], files.table.stamps[1], "CSV and FITS say the same");
    assert_eq!(files.quarters, ["12", "12"]);
}

fn csv(text: &str) -> ReadFile {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kplr004820550_q3.csv");
    std::fs::write(&path, text).unwrap();
    read_whole(&path, &none()).unwrap()
}

#[test]
fn csv_light_curves_with_every_kind_of_trouble() {
    let (curves, problems, _) = csv("time,flux\nnan,1\n2,\n1,3\ninf,1\n4,x\n5,inf\n6,7\n");
    let curve = &curves[0];
    assert_eq!((curve.star.as_str(), curve.subject.as_str()), ("4820550", "kplr004820550_q3"));
    // Two infinities and the x are no numbers; 2 before 1 is out of order.
    assert_eq!(problems.count(ProblemKind::NotANumber), 3);
    assert_eq!(problems.count(ProblemKind::Suspicious), 1);
    let Stamps::Listed { with_data_days, range_days, .. } = curve.stamps() else { panic!("listed") };
    assert_eq!((with_data_days, range_days), (vec![1.0, 6.0], (1.0, 6.0)));
}

#[test]
fn one_table_holds_many_light_curves() {
    let (curves, _, _) = csv(
        "kepler_id\tquarter\tTIME\tPDCSAP_FLUX\n0012\t1\t1\t5\n12\t2\t9\t5\n13\t1\t2\t5\n0012\t1\t2\t6\n",
    );
    let keys: Vec<_> =
        curves.iter().map(|c| (c.star.as_str(), c.quarter.as_str(), c.flux.len())).collect();
    assert_eq!(keys, [("12", "1", 2), ("12", "2", 1), ("13", "1", 1)]);
    assert!(curves.iter().all(|c| c.subject.is_empty()));
    let (curves, _, _) = csv("subject_id,time,flux\ns2,1,1\ns1,1,1\n");
    assert_eq!([&curves[0].subject, &curves[1].subject], ["s1", "s2"]);
}

#[test]
fn a_folder_with_a_broken_file_keeps_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("011662732");
    std::fs::create_dir(&inner).unwrap();
    std::fs::copy(data(ASTROPY), inner.join("a_llc.fits")).unwrap();
    std::fs::write(folder.path().join("b.fits"), b"SIMPLE  = and then nothing").unwrap();
    std::fs::write(folder.path().join("c.csv"), "x,y\n1,2\n").unwrap();
    std::fs::write(folder.path().join("d.csv"), "time,flux\nnan,1\n").unwrap();
    std::fs::write(folder.path().join("notes.txt"), "not a light curve").unwrap();
    let files = read_light_curves(folder.path(), &none()).unwrap();
    assert_eq!((files.n_files, files.n_unreadable, files.table.stamps.len()), (2, 2, 1));
    assert_eq!(files.problems.count(ProblemKind::NotANumber), 1, "no time stamp at all");
    let empty = tempfile::tempdir().unwrap();
    assert!(
        read_light_curves(empty.path(), &none()).unwrap_err().to_string().starts_with("no light curve")
    );
}

#[test]
fn a_fits_file_without_the_columns_says_which_it_has() {
    let bytes = std::fs::read(data(ASTROPY)).unwrap();
    let card = b"TTYPE1  = 'TIME ";
    let at = bytes.windows(card.len()).position(|w| w == card).unwrap();
    let mut file = bytes;
    file[at + 11..at + 15].copy_from_slice(b"TIMO");
    let error = read_fits(&file, Path::new("x.fits"), &mut Problems::default()).unwrap_err().to_string();
    assert!(
        error.contains("columns of numbers: TIMO, TIMECORR, CADENCENO, SAP_FLUX, PDCSAP_FLUX"),
        "{error}"
    );
}

#[test]
fn a_fits_file_cut_anywhere_is_read_as_far_as_it_goes_or_refused() {
    let bytes = std::fs::read(data(ASTROPY)).unwrap();
    let whole = read_fits(&bytes, Path::new("x"), &mut Problems::default()).unwrap();
    for end in (0..bytes.len()).step_by(97) {
        let mut problems = Problems::default();
        if let Ok(curve) = read_fits(&bytes[..end], Path::new("x"), &mut problems) {
            assert!(curve.time_days.len() <= whole.time_days.len());
            let is_short = curve.time_days.len() < whole.time_days.len();
            assert!(!is_short || problems.count(ProblemKind::CutOff) == 1, "{end}");
        }
    }
}

#[test]
fn odd_headers_are_no_danger() {
    let bytes = std::fs::read(data(ASTROPY)).unwrap();
    let text = String::from_utf8_lossy(&bytes[..11520]).into_owned();
    let swaps = [
        ("NAXIS1  =", "NAXIS1  = 18446744073709551615"),
        ("NAXIS1  =", "NAXIS1  =                    0"),
        ("NAXIS2  =", "NAXIS2  = 18446744073709551615"),
        ("PCOUNT  =", "PCOUNT  = 18446744073709551615"),
        ("TFIELDS =", "TFIELDS =                  999"),
        ("BITPIX  =", "BITPIX  = -9223372036854775808"),
        ("TFORM1  =", "TFORM1  = '99999999999999999D'"),
        ("TFORM1  =", "TFORM1  = 'é'"),
    ];
    for (key, card) in swaps {
        let mut odd = bytes.clone();
        for (at, _) in text.match_indices(key).filter(|(at, _)| at % CARD_BYTES == 0) {
            let card: Vec<u8> = card.bytes().chain(std::iter::repeat(b' ')).take(CARD_BYTES).collect();
            odd[at..at + CARD_BYTES].copy_from_slice(&card);
        }
        // Any answer will do, as long as there is one.
        let _ = read_fits(&odd, Path::new("x"), &mut Problems::default());
    }
}

const CARD_BYTES: usize = 80;

#[test]
fn scaled_whole_numbers_and_nulls() {
    // One block of header, three rows of (J scaled, E): 8 bytes each.
    let mut primary = Vec::new();
    for card in [
        "SIMPLE  =                    T",
        "BITPIX  =                    8",
        "NAXIS   =                    0",
        "END",
    ] {
        primary.extend(card.bytes().chain(std::iter::repeat(b' ')).take(80));
    }
    primary.resize(2880, b' ');
    let cards = [
        "XTENSION= 'BINTABLE'",
        "BITPIX  = 8",
        "NAXIS   = 2",
        "NAXIS1  = 8",
        "NAXIS2  = 3",
        "PCOUNT  = 0",
        "GCOUNT  = 1",
        "TFIELDS = 2",
        "TTYPE1  = 'TIME'",
        "TFORM1  = 'J'",
        "TSCAL1  = 5.0D-1 / half days",
        "TZERO1  = 100.0",
        "TNULL1  = -1",
        "TTYPE2  = 'FLUX'",
        "TFORM2  = '1E'",
        "TICID   = 307210830",
        "END",
    ];
    let mut table = Vec::new();
    for card in cards {
        table.extend(card.bytes().chain(std::iter::repeat(b' ')).take(80));
    }
    table.resize(2880, b' ');
    for (time, flux) in [(0_i32, 1.5_f32), (-1, 2.5), (4, 3.5)] {
        table.extend(time.to_be_bytes());
        table.extend(flux.to_be_bytes());
    }
    let bytes = [primary, table].concat();
    let curve = read_fits(&bytes, Path::new("x.fits"), &mut Problems::default()).unwrap();
    assert_eq!(
        (curve.star.as_str(), curve.time_days[0], curve.time_days[2]),
        ("307210830", 100.0, 102.0)
    );
    assert!(curve.time_days[1].is_nan());
    assert_eq!(curve.flux, [1.5, 2.5, 3.5]);
}

proptest::proptest! {
    /// Bytes of a good file changed at random, mostly in its headers: an answer or an error, never a panic.
    #[test]
    fn changed_bytes_are_no_danger(
        changes in proptest::collection::vec((0..14_400_usize, proptest::prelude::any::<u8>(), 0..2_u8), 1..12)
    ) {
        const COMMON: &[u8] = b"0123456789 '=DEJKPQX-/";
        let mut bytes = std::fs::read(data(ASTROPY)).unwrap();
        let n = bytes.len();
        for (at, byte, how) in changes {
            bytes[at % n] = if how == 0 { byte } else { COMMON[usize::from(byte) % COMMON.len()] };
        }
        if let Ok(curve) = read_fits(&bytes, Path::new("x.fits"), &mut Problems::default()) {
            proptest::prop_assert_eq!(curve.time_days.len(), curve.flux.len());
            let stamps = curve.stamps();
            let _ = stamps.real_fraction(130.0, 131.0);
        }
    }
}
