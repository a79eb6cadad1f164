//! A difference in points, each person with themselves, with what goes along with it held apart: a linear regression
//! with an intercept for each volunteer,
//!
//! ```text
//! P(right) = α(volunteer) + δ·state + Σ γ·(smooth curves of what goes along)
//! ```
//!
//! Without anything that goes along, δ is the common difference of Mantel & Haenszel: each person's own difference,
//! with the weight n₁n₀/(n₁+n₀). It is a mean over people and not a model of any of them, so that it holds the planted
//! difference where it is the same in points for all as well as where it is the same in odds; odds ratios turned into
//! points do not. The deviation is by the sandwich over volunteers (Liang & Zeger 1986, doi:10.1093/biomet/73.1.13),
//! times G/(G−1) for G people. Knows nothing of odds.

use nalgebra::{DMatrix, DVector};

use super::within::{Vote, ridged};

/// A difference, its deviation, and how many people it is of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Difference {
    pub(super) points: f64,
    pub(super) sd: f64,
    pub(super) n_people: usize,
}

/// The difference that the last of `columns` makes, the others held apart. `people` are the rows of each person. None
/// where it cannot be told from the others.
pub(super) fn difference(
    votes: &[Vote],
    columns: &[Vec<f64>],
    people: &[Vec<usize>],
) -> Option<Difference> {
    let (n, last) = (columns.len(), columns.len().checked_sub(1)?);
    let is_right = |row: usize| f64::from(u8::from(votes[row].is_right));
    let (mut squares, mut slope) = (DMatrix::zeros(n, n), DVector::zeros(n));
    let around = |rows: &[usize], of: &dyn Fn(usize) -> f64| {
        rows.iter().map(|row| of(*row)).sum::<f64>() / rows.len() as f64
    };
    let means: Vec<Vec<f64>> = people
        .iter()
        .map(|rows| columns.iter().map(|c| around(rows, &|row| c[row])).collect())
        .collect();
    let from_own = |row: usize, means: &[f64]| {
        DVector::from_iterator(n, columns.iter().zip(means).map(|(c, mean)| c[row] - mean))
    };
    for (rows, means) in people.iter().zip(&means) {
        for &row in rows {
            let x = from_own(row, means);
            slope.axpy(is_right(row), &x, 1.0);
            squares.ger(1.0, &x, &x, 1.0);
        }
    }
    let whole = squares[(last, last)];
    let factor = ridged(squares).cholesky()?;
    // What the others leave of the state: nothing, where it is one of them.
    if factor.l()[(last, last)].powi(2) < 1e-7 * whole {
        return None;
    }
    let slopes = factor.solve(&slope);
    let mut meat = DMatrix::<f64>::zeros(n, n);
    for (rows, means) in people.iter().zip(&means) {
        let mean = around(rows, &is_right);
        let mut own = DVector::zeros(n);
        for &row in rows {
            let x = from_own(row, means);
            let rest = is_right(row) - mean - x.dot(&slopes);
            own.axpy(rest, &x, 1.0);
        }
        meat.ger(1.0, &own, &own, 1.0);
    }
    let n_people = people.len();
    if n_people < 2 {
        return None;
    }
    let bread = factor.inverse();
    let variance = (&bread * meat * &bread)[(last, last)] * n_people as f64 / (n_people - 1) as f64;
    Some(Difference { points: slopes[last], sd: variance.max(0.0).sqrt(), n_people })
}
