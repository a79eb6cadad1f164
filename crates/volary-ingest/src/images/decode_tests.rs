use proptest::prelude::*;

use super::*;
use crate::images::golden::{bytes, distance, numbers, path};

/// Small images are wanted here.
fn limits() -> Limits {
    Limits { min_side_px: 1, ..Limits::default() }
}

fn read(name: &str) -> Decoded {
    decode(&bytes(name), &limits()).unwrap_or_else(|f| panic!("{name}: {f}"))
}

fn fault_of(bytes: &[u8]) -> Fault {
    decode(bytes, &limits()).unwrap_err()
}

/// All values, plane by plane; of bytes 0 to 255.
fn values(raster: &Raster) -> Vec<f32> {
    match raster {
        Raster::Planes { planes, .. } => planes.concat(),
        Raster::Bytes { channels, values, .. } => {
            let plane = |c| values.iter().skip(c).step_by(*channels).map(|v| f32::from(*v));
            (0..*channels).flat_map(plane).collect()
        }
    }
}

fn is_physical(raster: &Raster) -> bool {
    matches!(raster, Raster::Planes { is_unit: false, .. })
}

#[test]
fn png_of_every_kind_is_what_pillow_reads() {
    for (name, golden, scale) in [
        ("palette.png", "palette", 1.0),
        ("one_bit.png", "one_bit", 1.0),
        ("animated.png", "animated", 1.0),
        ("rgb16.png", "rgb16", 65535.0),
    ] {
        let ours: Vec<f32> = values(&read(name).raster).iter().map(|v| v * scale).collect();
        assert!(distance(&ours, &numbers(golden)) < 0.01, "{name}");
    }
    assert_eq!(read("animated.png").notes[0].detail, "an animated PNG; its first picture is used");
    let grey16 = read("grey16.png").raster;
    assert_eq!((grey16.channels(), grey16.size()), (1, (9, 10)));
}

#[test]
fn transparent_pixels_lie_over_black() {
    let (clear, opaque) = (read("clear.png"), read("rgb.png"));
    assert_eq!(clear.notes[0].detail, "2 pixels are transparent; laid over black");
    let (Raster::Bytes { values: clear, .. }, Raster::Bytes { values: opaque, .. }) =
        (clear.raster, opaque.raster)
    else {
        panic!("eight bits are bytes")
    };
    let at = |x: usize, y: usize| 3 * (37 * y + x);
    assert_eq!(clear[at(6, 4)..at(7, 4)], [0, 0, 0]);
    for c in 0..3 {
        let fifth = (f64::from(opaque[at(5, 3) + c]) / 5.0).round();
        assert_eq!(f64::from(clear[at(5, 3) + c]), fifth);
    }
    assert_eq!(clear[..at(5, 3)], opaque[..at(5, 3)]);
}

#[test]
fn jpeg_of_every_kind_is_what_pillow_reads() {
    let jpeg = values(&read("rgb.jpg").raster);
    // Two decoders may differ in the last bit of a conversion.
    assert!(distance(&jpeg, &numbers("jpeg")) <= 3.0);
    assert_eq!(values(&read("progressive.jpg").raster), jpeg);
    assert_eq!(read("grey.jpg").raster.channels(), 1);
    let cmyk = values(&read("cmyk.jpg").raster);
    let rgb = values(&read("rgb.png").raster);
    let rgb: Vec<f64> = rgb.into_iter().map(f64::from).collect();
    let mean =
        cmyk.iter().zip(&rgb).map(|(a, b)| (f64::from(*a) - b).abs()).sum::<f64>() / rgb.len() as f64;
    assert!(mean < 12.0, "CMYK is the same picture: {mean}");
    // The camera lay on its side: what is left in the file is at the top.
    let turned = read("turned.jpg").raster;
    assert_eq!(turned.size(), (29, 37));
    let turned = values(&turned);
    assert_eq!(turned[28], jpeg[0]);
}

#[test]
fn fits_images_are_what_astropy_reads() {
    let same = |name: &str, golden: &str| {
        let read = read(name);
        assert!(is_physical(&read.raster));
        let (ours, theirs) = (values(&read.raster), numbers(golden));
        let real: Vec<f64> = theirs.iter().copied().filter(|v| v.is_finite()).collect();
        let ours: Vec<f32> =
            ours.iter().zip(&theirs).filter(|(_, t)| t.is_finite()).map(|(o, _)| *o).collect();
        assert!(distance(&ours, &real) < 1e-4, "{name}");
        read
    };
    let scaled = same("scaled.fits", "scaled");
    let note = |n| format!("{n} pixel values are NaN, blank or infinite; filled with the median");
    assert_eq!(scaled.notes[0].detail, note(1));
    assert_eq!(scaled.raster.size(), (12, 9));
    assert_eq!(same("extension.fits", "extension").notes[0].detail, note(2));
    let cube = same("cube.fits", "cube_fits");
    assert_eq!((cube.raster.channels(), cube.notes.len()), (3, 0));
    assert_eq!(
        fault_of(&bytes("table.fits")).detail,
        "the FITS file holds no image; name one that does"
    );
    assert_eq!(
        fault_of(&bytes("packed.fits")).detail,
        "the FITS image is compressed; unpack it with funpack"
    );
}

#[test]
fn gzipped_fits_is_read_and_a_gzip_bomb_is_not() {
    use std::io::Write as _;
    let pack = |bytes: &[u8]| {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    };
    let packed = pack(&bytes("scaled.fits"));
    assert_eq!(decode(&packed, &limits()).unwrap(), read("scaled.fits"));
    assert_eq!(fault_of(&packed[..packed.len() / 2]).kind, FaultKind::CutOff);
    assert_eq!(fault_of(&pack(&packed)).detail, "gzipped twice; unpack it once");
    let small = Limits { max_file_bytes: 100_000, ..limits() };
    let bomb = decode(&pack(&vec![0; 200_000]), &small).unwrap_err();
    assert_eq!(bomb.detail, "unpacks to more than 100000 bytes");
}

#[test]
fn an_array_that_is_written_is_read() {
    let values: Vec<f32> = (0..15).map(|i| i as f32 / 15.0).collect();
    let bytes = super::super::npy_bytes(3, 5, &values).unwrap();
    assert_eq!((bytes.len() - 4 * 15) % 64, 0);
    let read = decode(&bytes, &Limits { min_side_px: 1, ..Limits::default() }).unwrap();
    let Raster::Planes { width, height, planes, .. } = read.raster else { panic!("numbers") };
    assert_eq!((width, height, planes), (5, 3, vec![values]));
    assert!(super::super::npy_bytes(3, 5, &[0.0; 14]).is_err());
}

#[test]
fn npy_arrays_are_what_numpy_wrote() {
    let rgb = read("uint8_hwc.npy").raster;
    assert_eq!(rgb, read("rgb.png").raster);
    let big: Vec<f32> = values(&read("uint16_big_chw.npy").raster).iter().map(|v| v * 65535.0).collect();
    assert!(distance(&big, &numbers("rgb16")) < 0.01);
    let fortran = read("float64_fortran.npy").raster;
    assert!(distance(&values(&fortran), &numbers("cube")) < 1e-6);
    assert_eq!((fortran.size(), is_physical(&fortran)), ((9, 8), true));
    assert_eq!(
        fault_of(&bytes("complex.npy")).detail,
        "an NPY array of type <c8; save it as float32, float64, uint8 or uint16"
    );
}

fn png_head(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend([width.to_be_bytes(), height.to_be_bytes()].concat());
    bytes.extend(b"\x08\x02\0\0\0\0\0\0\0");
    bytes
}

fn fits(cards: &[&str]) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        cards.iter().chain(&["END"]).flat_map(|c| format!("{c:<80}").into_bytes()).collect();
    bytes.resize(bytes.len().next_multiple_of(2880), b' ');
    bytes
}

fn npy(header: &str) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\0".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes
}

/// Rows I1, I2, I5, I6, I7, F1–F6 of the corpus (specs/responsible.md 8.3).
#[test]
fn what_must_be_refused_is_refused() {
    let simple = "SIMPLE  =                    T";
    let axes = |bitpix: &str, naxis: &str, width: &str, height: &str| {
        let card = |key: &str, value: &str| format!("{key:<8}= {value:>20}");
        let cards = [
            card("BITPIX", bitpix),
            card("NAXIS", naxis),
            card("NAXIS1", width),
            card("NAXIS2", height),
        ];
        fits(&[&[simple], &cards.each_ref().map(String::as_str)[..]].concat())
    };
    let animated_gif = b"GIF89a\xff\xff\xff\xff\0\0\0".to_vec();
    let wide_jpeg =
        b"\xff\xd8\xff\xc0\0\x11\x08\xff\xdc\xff\xdc\x03\x01\x11\0\x02\x11\0\x03\x11\0".to_vec();
    let mut scans = bytes("rgb.jpg");
    let scan = scans.windows(2).position(|w| w == [0xff, 0xda]).unwrap();
    let one = scans[scan..scan + 14].to_vec();
    (0..300).for_each(|_| scans.extend(&one));
    for (what, bytes, expected) in [
        ("bomb", png_head(60_000, 60_000), "60000 × 60000 pixels are more than the limit of 40000000"),
        ("no height", png_head(10, 0), "says none"),
        ("huge", png_head(0x7fff_ffff, 0x7fff_ffff), "more than the limit"),
        ("gif", animated_gif, "a GIF; save it as PNG"),
        ("html", b"<html><svg/></html>".to_vec(), "neither PNG, JPEG, FITS nor NPY"),
        ("wide jpeg", wide_jpeg, "65500 × 65500 pixels are more than the limit"),
        ("scans", scans, "301 scans"),
        ("empty", Vec::new(), "the file is empty"),
        ("short fits", fits(&[simple])[..2879].to_vec(), "without END"),
        ("9 EB", axes("8", "2", "2147483647", "2147483647"), "more than the limit"),
        (
            "overflow",
            axes("-64", "2", "9223372036854775807", "9223372036854775807"),
            "more than the limit",
        ),
        ("negative axes", axes("8", "-1", "4", "4"), "NAXIS is no number"),
        ("many axes", axes("8", "1000", "4", "4"), "holds no image"),
        ("negative width", axes("8", "2", "-4", "4"), "holds no image"),
        ("no pixels", axes("8", "2", "0", "4"), "holds no image"),
        ("odd bits", axes("7", "2", "9", "9"), "holds no image"),
        ("24 bits", axes("24", "2", "9", "9"), "BITPIX"),
        ("cut off", axes("8", "2", "90", "90"), "ends before its image does"),
        ("not simple", fits(&["SIMPLE  =                    F"]), "does not conform"),
        ("npy without", npy("{}"), "without a readable header"),
        ("npy cut", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (9, 9), }"), "ends before"),
        (
            "npy huge",
            npy("{'descr': '<f4', 'fortran_order': False, 'shape': (999999, 999999), }"),
            "the limit",
        ),
        ("npy line", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (81,), }"), "of 1 axes"),
        (
            "npy planes",
            npy("{'descr': '|u1', 'fortran_order': False, 'shape': (99, 99, 99), }"),
            "99 channels",
        ),
    ] {
        let detail = fault_of(&bytes).detail;
        assert!(detail.contains(expected), "{what}: {detail}");
    }
    let one =
        decode(&npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1), }"), &Limits::default());
    assert_eq!(one.unwrap_err().detail, "1 × 1 pixels; a side has fewer than 8, which shows nothing");
}

#[test]
fn what_is_cut_off_is_said_to_be() {
    for name in ["rgb.png", "rgb.jpg", "progressive.jpg", "cube.fits", "float32.npy", "rgb16.png"] {
        let whole = bytes(name);
        for share in [0.1, 0.5, 0.75] {
            let at = (whole.len() as f64 * share) as usize;
            let Err(fault) = decode(&whole[..at], &limits()) else { panic!("{name} cut at {share}") };
            assert_eq!(fault.kind, FaultKind::CutOff, "{name} cut at {share}: {fault}");
        }
    }
    let mut wrong = bytes("rgb.png");
    let middle = wrong.len() / 2;
    wrong[middle] ^= 1;
    assert!(decode(&wrong, &limits()).is_err(), "a checksum of PNG is wrong");
}

#[test]
fn only_ordinary_files_are_opened() {
    let folder = tempfile::tempdir().unwrap();
    let fault = |path: &Path| read_file(path, &limits()).unwrap_err();
    assert_eq!(fault(&folder.path().join("x.png")).kind, FaultKind::Missing);
    assert_eq!(fault(folder.path()).detail, "not an ordinary file");
    #[cfg(unix)]
    {
        let pipe = folder.path().join("pipe.png");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        if made.is_ok_and(|s| s.success()) {
            assert_eq!(fault(&pipe).detail, "not an ordinary file");
        }
    }
    let small = Limits { max_file_bytes: 100, ..limits() };
    assert_eq!(read_file(&path("rgb.png"), &small).unwrap_err().detail, "more than 100 bytes");
}

proptest! {
    /// Whatever is changed in a file, it is an image or a fault.
    #[test]
    fn odd_bytes_never_stop_the_reader(
        which in 0..8_usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let names = [
            "rgb.png", "palette.png", "animated.png", "rgb.jpg", "progressive.jpg", "scaled.fits", "cube.fits",
            "float64_fortran.npy",
        ];
        let mut bytes = bytes(names[which]);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(decoded) = decode(&bytes, &limits()) {
            let (width, height) = decoded.raster.size();
            prop_assert!(width * height > 0);
        }
    }
}
