//! What neighbours are worth: recall of an approximate search, purity of neighbourhoods.

use super::Neighbours;
use crate::check::check_length;
use crate::error::SpaceError;
use crate::resample::{Bootstrap, Estimate, Units, mean};

/// Share of the true neighbours that another search found, with an interval over queries.
///
/// `found(i)`: rows found for query `i`. A row counts as found also where its distance ties with one left
/// out, only if it is itself among them; so the figure errs low.
pub fn recall<'f>(
    truth: &Neighbours,
    found: impl Fn(usize) -> &'f [u32],
    bootstrap: &Bootstrap,
) -> Option<Estimate> {
    let share = |i: usize| {
        let n = truth.rows(i).iter().filter(|row| found(i).contains(row)).count();
        n as f64 / truth.k() as f64
    };
    let shares: Vec<f64> = (0..truth.len()).map(share).collect();
    mean(&shares, &Units::subjects(shares.len()), bootstrap)
}

/// Purity: the mean share of neighbours that have the query's own class, with an interval.
///
/// `class_of_query[i]` and `class_of_row[row]`: what each belongs to. The interval draws queries (or groups
/// of them); neighbours of different queries overlap, which makes it a little narrow.
///
/// # Errors
/// [`SpaceError::Length`] unless there is a class for every query and every row.
pub fn purity(
    neighbours: &Neighbours,
    class_of_query: &[u32],
    class_of_row: &[u32],
    units: &Units,
    bootstrap: &Bootstrap,
) -> Result<Option<Estimate>, SpaceError> {
    check_length("the class of queries", class_of_query.len(), neighbours.len())?;
    check_length("the grouping", units.len(), neighbours.len())?;
    let mut shares = Vec::with_capacity(neighbours.len());
    for (i, class) in class_of_query.iter().enumerate() {
        let mut n_alike = 0;
        for &row in neighbours.rows(i) {
            let Some(other) = class_of_row.get(row as usize) else {
                let (actual, expected) = (class_of_row.len(), row as usize + 1);
                return Err(SpaceError::Length { what: "the class of rows", actual, expected });
            };
            n_alike += usize::from(other == class);
        }
        shares.push(n_alike as f64 / neighbours.k() as f64);
    }
    Ok(mean(&shares, units, bootstrap))
}
