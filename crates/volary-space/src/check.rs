//! Columns are checked once, where they come in.

use crate::error::SpaceError;

pub(crate) fn check_length(
    what: &'static str,
    actual: usize,
    expected: usize,
) -> Result<(), SpaceError> {
    if actual == expected { Ok(()) } else { Err(SpaceError::Length { what, actual, expected }) }
}

pub(crate) fn check_share(what: &'static str, values: &[f64]) -> Result<(), SpaceError> {
    check_range(what, values, 0.0, 1.0)
}

pub(crate) fn check_range(
    what: &'static str,
    values: &[f64],
    low: f64,
    high: f64,
) -> Result<(), SpaceError> {
    match values.iter().position(|v| !(low..=high).contains(v)) {
        None => Ok(()),
        Some(row) => Err(SpaceError::Range { what, row, value: values[row], low, high }),
    }
}
