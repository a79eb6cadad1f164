//! The images of `tests/data/images`, and what other programs make of them (`make.py` there).

use std::path::{Path, PathBuf};

use serde_json::Value;

pub(super) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/images").join(name)
}

pub(super) fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

/// Numbers by name; NaN for what is no number.
pub(super) fn numbers(name: &str) -> Vec<f64> {
    let golden: Value = serde_json::from_slice(&bytes("golden.json")).unwrap();
    let list = golden[name].as_array().unwrap();
    list.iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect()
}

/// The largest difference, for lists of one length.
pub(super) fn distance(ours: &[f32], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    ours.iter().zip(theirs).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max)
}
