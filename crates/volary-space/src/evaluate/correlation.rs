//! Correlation of two columns, with bootstrap intervals: Pearson's of the values, Spearman's of the mid-ranks.

use crate::check::check_length;
use crate::error::SpaceError;
use crate::resample::{Bootstrap, Estimate, Units};

/// How two columns go together; `None` where one of them is constant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Correlation {
    /// Subjects.
    pub n: usize,
    /// Pearson's r.
    pub pearson: Option<Estimate>,
    /// Spearman's ρ, ties at their mid-rank.
    pub spearman: Option<Estimate>,
}

/// Correlates two columns over the same subjects.
///
/// # Errors
/// [`SpaceError::NoRows`]; [`SpaceError::Length`] if the columns or the units differ in length;
/// [`SpaceError::NotFinite`].
pub fn correlate(
    x: &[f64],
    y: &[f64],
    units: &Units,
    bootstrap: &Bootstrap,
) -> Result<Correlation, SpaceError> {
    if x.is_empty() {
        return Err(SpaceError::NoRows { what: "the correlation" });
    }
    check_length("the second column", y.len(), x.len())?;
    check_length("the grouping", units.len(), x.len())?;
    for (column, values) in [x, y].into_iter().enumerate() {
        if let Some(row) = values.iter().position(|v| !v.is_finite()) {
            return Err(SpaceError::NotFinite { row, column, value: values[row] });
        }
    }
    let (order_x, order_y) = (order(x), order(y));
    let found = bootstrap.run(units, |counts| {
        let (rank_x, rank_y) = (mid_ranks(x, &order_x, counts), mid_ranks(y, &order_y, counts));
        vec![pearson(x, y, counts), pearson(&rank_x, &rank_y, counts)]
    });
    let at = |i: usize| found.get(i).copied().flatten();
    Ok(Correlation { n: x.len(), pearson: at(0), spearman: at(1) })
}

fn order(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    order
}

/// Mid-ranks where subject i stands for `counts[i]` subjects (from 0, not 1: correlation cares for neither).
fn mid_ranks(values: &[f64], order: &[usize], counts: &[f64]) -> Vec<f64> {
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0.0;
    for tie in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let n: f64 = tie.iter().map(|&i| counts[i]).sum();
        tie.iter().for_each(|&i| ranks[i] = before + n / 2.0);
        before += n;
    }
    ranks
}

fn pearson(x: &[f64], y: &[f64], counts: &[f64]) -> f64 {
    let total: f64 = counts.iter().sum();
    let mean = |values: &[f64]| counts.iter().zip(values).map(|(c, v)| c * v).sum::<f64>() / total;
    let (mean_x, mean_y) = (mean(x), mean(y));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for ((x, y), c) in x.iter().zip(y).zip(counts) {
        let (dx, dy) = (x - mean_x, y - mean_y);
        xx += c * dx * dx;
        yy += c * dy * dy;
        xy += c * dx * dy;
    }
    // A column of one value leaves rounding errors behind; they are no spread.
    let flat = |sum: f64, mean: f64| sum <= total * (mean * 1e-14).powi(2);
    if flat(xx, mean_x) || flat(yy, mean_y) {
        f64::NAN
    } else {
        (xy / (xx * yy).sqrt()).clamp(-1.0, 1.0)
    }
}
