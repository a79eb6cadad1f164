use super::*;
use crate::images::golden::{bytes, distance, numbers};
use crate::images::settings::Limits;

fn picture(name: &str, settings: &Settings) -> (Vec<f32>, Vec<Fault>) {
    let decoded = decode(&bytes(name), &Limits::default()).unwrap();
    let (picture, notes) = prepare(decoded, settings).unwrap_or_else(|f| panic!("{name}: {f}"));
    (picture.into_floats(), notes)
}

fn sized(resize: Resize) -> Settings {
    Settings { resize, ..Settings::default() }
}

#[test]
fn sizes_are_those_of_pillow() {
    let scaled = |values: Vec<f32>| values.iter().map(|v| v * 255.0).collect::<Vec<f32>>();
    // Both compute in whole numbers with weights rounded in their own way: one step of 255 at most, and
    // less than a fifth of one on average.
    let same = |ours: Vec<f32>, golden: &str| {
        let (ours, theirs) = (scaled(ours), numbers(golden));
        let sum: f64 = ours.iter().zip(&theirs).map(|(a, b)| (f64::from(*a) - b).abs()).sum();
        assert!(distance(&ours, &theirs) < 1.01, "{golden}");
        assert!(sum / (ours.len() as f64) < 0.2, "{golden}: {}", sum / ours.len() as f64);
    };
    let (square, notes) = picture("rgb.png", &sized(Resize::ShortSide { size_px: 12 }));
    assert!(notes.is_empty());
    same(square, "short_side_12");
    let (exact, _) = picture("rgb.png", &sized(Resize::Exact { width_px: 50, height_px: 9 }));
    same(exact, "exact_50x9");
    let whole = Resize::Exact { width_px: 37, height_px: 29 };
    let grey = Settings { channels: Channels::Grey, ..sized(whole) };
    same(picture("rgb.png", &grey).0, "grey");
}

#[test]
fn floats_are_made_smaller_as_pillow_does() {
    let linear = Stretch::Linear { low_percent: 0.0, high_percent: 100.0 };
    let resize = Resize::Exact { width_px: 11, height_px: 13 };
    let settings = Settings { stretch: linear, channels: Channels::Grey, ..sized(resize) };
    let (ours, _) = picture("float32.npy", &settings);
    let theirs = numbers("float_11x13");
    let low = theirs.iter().copied().fold(f64::INFINITY, f64::min);
    let high = theirs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let theirs: Vec<f64> = theirs.iter().map(|v| (v - low) / (high - low)).collect();
    assert!(distance(&ours, &theirs) < 1e-5);
}

#[test]
fn a_box_is_cut_where_it_was_asked_for() {
    let crop = Crop::Box { x_px: 4, y_px: 2, width_px: 10, height_px: 8 };
    let settings = Settings { crop, ..sized(Resize::Exact { width_px: 10, height_px: 8 }) };
    let (part, _) = picture("rgb.png", &settings);
    let (whole, _) = picture("rgb.png", &sized(Resize::Exact { width_px: 37, height_px: 29 }));
    let at = |c: usize, y: usize, x: usize| whole[c * 29 * 37 + (y + 2) * 37 + x + 4];
    for (i, v) in part.iter().enumerate() {
        assert_eq!(*v, at(i / 80, i / 10 % 8, i % 10));
    }
    let centre = Settings { crop: Crop::Centre { width_px: 9, height_px: 9 }, ..settings };
    let centre = Settings { resize: Resize::ShortSide { size_px: 9 }, ..centre };
    let (middle, _) = picture("rgb.png", &centre);
    assert_eq!(middle[0], whole[10 * 37 + 14]);
}

/// A stretch of what was averaged, not an average of what was stretched: a star of one pixel keeps its light.
#[test]
fn it_is_made_smaller_before_it_is_stretched() {
    let mut plane = vec![0.0; 64 * 64];
    plane[20 * 64 + 20] = 1000.0;
    let raster = Raster::Planes { width: 64, height: 64, planes: vec![plane], is_unit: false };
    let stretch = Stretch::Asinh { low_percent: 0.0, high_percent: 100.0, a: 0.1 };
    let settings =
        Settings { stretch, channels: Channels::Grey, ..sized(Resize::ShortSide { size_px: 16 }) };
    let (picture, _) = prepare(Decoded { raster, notes: Vec::new() }, &settings).unwrap();
    assert_eq!(picture.into_floats().into_iter().fold(0.0, f32::max), 1.0);
}

#[test]
fn channels_are_chosen_or_missed() {
    let stretch = Stretch::Linear { low_percent: 0.0, high_percent: 100.0 };
    let resize = Resize::Exact { width_px: 9, height_px: 8 };
    let with = |channels| Settings { channels, stretch, ..sized(resize) };
    let (all, _) = picture("cube.fits", &with(Channels::Rgb));
    let (turned, _) = picture("cube.fits", &with(Channels::Chosen(vec![2, 1, 0])));
    assert_eq!(all[..72], turned[144..]);
    let (four, _) = picture("cube.fits", &with(Channels::Chosen(vec![2, 1, 0, 0])));
    assert_eq!(four.len(), 4 * 72);
    let decoded = decode(&bytes("cube.fits"), &Limits::default()).unwrap();
    let fault = prepare(decoded.clone(), &with(Channels::Chosen(vec![3]))).unwrap_err();
    assert_eq!(fault.detail, "3 channels; channel 3 (counted from 0) is not among them");
    let fault = prepare(decoded, &Settings { resize, ..Settings::default() }).unwrap_err();
    assert_eq!(fault.detail, "measured values beyond 0 to 1 need a stretch; choose one, such as asinh");
    let (grey, _) = picture("grey16.png", &sized(resize));
    assert_eq!(grey[..72], grey[72..144], "grey three times");
}

#[test]
fn what_does_not_fit_is_said() {
    let crop = Crop::Box { x_px: 30, y_px: 0, width_px: 10, height_px: 10 };
    let decoded = decode(&bytes("rgb.png"), &Limits::default()).unwrap();
    let fault = prepare(decoded, &Settings { crop, ..Settings::default() }).unwrap_err();
    assert_eq!(fault.detail, "37 × 29 pixels; the crop 30,0,10x10 does not fit into them");
    // A long strip costs nothing.
    let strip = Raster::Bytes { width: 1_000_000, height: 8, channels: 1, values: vec![9; 8_000_000] };
    let (strip, _) =
        prepare(Decoded { raster: strip, notes: Vec::new() }, &Settings::default()).unwrap();
    assert_eq!(strip, Prepared::Bytes(vec![9; 3 * 96 * 96]));
}
