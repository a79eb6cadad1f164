//! Golden values, made by the scripts in `tests/golden` with the versions named in them.

use serde_json::Value;

/// A golden file, parsed.
pub(crate) fn evaluate() -> Value {
    serde_json::from_str(include_str!("../tests/golden/evaluate.json")).unwrap()
}

/// An array of numbers.
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

/// Whether two columns agree within `tolerance`.
#[track_caller]
pub(crate) fn assert_close(actual: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(actual.len(), expected.len());
    for (at, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!((a - e).abs() <= tolerance * (1.0 + e.abs()), "{at}: {a} where {e} is expected");
    }
}
