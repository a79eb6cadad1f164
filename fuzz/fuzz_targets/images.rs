#![no_main]

use libfuzzer_sys::fuzz_target;
use volary_ingest::images::{Channels, Limits, Raster, Resize, Settings, Storage, decode, prepare};

/// Small enough to be tried often, large enough for every branch.
const LIMITS: Limits =
    Limits { max_pixels: 1 << 18, max_file_bytes: 1 << 20, min_side_px: 1, max_planes: 8 };

fuzz_target!(|data: &[u8]| {
    // The first byte chooses how the file begins and what is made of it.
    let (choice, rest) = data.split_first().unwrap_or((&0, &[]));
    let mut file = Vec::new();
    match choice % 6 {
        0 => file.extend(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x10\0\0\0\x10\x08\x02\0\0\0\x90\x91\x68\x36"),
        1 => file.extend(b"\xff\xd8\xff"),
        2 => file.extend(b"\x93NUMPY\x01\0\x40\0{'descr': '<f4', 'fortran_order': False, 'shape': (4, 5, 3), }    "),
        3 => {
            for card in ["SIMPLE  =                    T", "BITPIX  =                  -32"] {
                file.extend(card.bytes().chain(std::iter::repeat(b' ')).take(80));
            }
        }
        4 => {
            for card in [
                "SIMPLE  =                    T",
                "BITPIX  =                   16",
                "NAXIS   = 2",
                "NAXIS1  = 9",
                "NAXIS2  = 8",
                "BLANK   = 0",
                "END",
            ] {
                file.extend(card.bytes().chain(std::iter::repeat(b' ')).take(80));
            }
            file.resize(2880, b' ');
        }
        _ => {}
    }
    file.extend_from_slice(rest);
    let Ok(decoded) = decode(&file, &LIMITS) else { return };
    let (width, height) = decoded.raster.size();
    assert!(width > 0 && height > 0 && width * height <= 1 << 18);
    if let Raster::Planes { planes, .. } = &decoded.raster {
        assert!(planes.iter().all(|p| p.len() == width * height && p.iter().all(|v| v.is_finite())));
    }
    let settings = Settings {
        resize: Resize::ShortSide { size_px: 8 },
        stretch: ["none", "linear", "asinh", "log", "lupton"][usize::from(choice / 6 % 5)]
            .parse()
            .expect("a stretch"),
        channels: if choice & 1 == 0 { Channels::Rgb } else { Channels::Chosen(vec![2, 0, 1]) },
        storage: Storage::F32,
        limits: LIMITS,
        ..Settings::default()
    };
    if let Ok((picture, _)) = prepare(decoded, &settings) {
        let values = picture.into_floats();
        assert_eq!(values.len(), settings.shape().values());
        assert!(values.iter().all(|v| (0.0..=1.0).contains(v)));
    }
});
