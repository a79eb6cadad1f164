//! Every query against every candidate.

use rayon::prelude::*;

use super::top::{Prepared, Top, offer_block, origin};
use super::{Metric, Neighbours, Queries};
use crate::error::SpaceError;
use crate::points::Points;
use crate::slice::Mask;

/// Queries of a block: enough for the matrix product, few enough for the cache.
const QUERIES: usize = 192;
/// Candidates of a block.
const CANDIDATES: usize = 1024;

/// The `k` nearest of each query, among all points or those in `among`.
///
/// # Errors
/// [`SpaceError::NoRows`] if there is nothing to choose from; [`SpaceError::Setting`] for k = 0;
/// [`SpaceError::Width`], [`SpaceError::Range`] for queries that do not fit.
pub fn exact(
    points: &Points,
    queries: Queries<'_>,
    k: usize,
    metric: Metric,
    among: Option<&Mask>,
) -> Result<Neighbours, SpaceError> {
    queries.check(points)?;
    let rows = candidates(points, among)?;
    let k = at_most(&rows, queries, points, k)?;
    let origin = origin(points, metric);
    let prepared = Prepared::new(rows.iter().map(|&row| points.row(row as usize)), &origin, metric);
    let n_queries = queries.len(points);
    let found: Vec<Vec<(f64, u32)>> = (0..n_queries.div_ceil(QUERIES))
        .into_par_iter()
        .flat_map_iter(|block| {
            let range = block * QUERIES..((block + 1) * QUERIES).min(n_queries);
            of_block(points, queries, range, k, metric, (&rows, &prepared, &origin))
        })
        .collect();
    Ok(Neighbours::collect(k, found))
}

/// The rows to choose from.
pub(super) fn candidates(points: &Points, among: Option<&Mask>) -> Result<Vec<u32>, SpaceError> {
    if u32::try_from(points.len()).is_err() {
        let must = "below 2³² (search parts of the table one by one)";
        return Err(SpaceError::Setting {
            name: "the number of points",
            value: points.len() as f64,
            must,
        });
    }
    let all = 0..points.len() as u32;
    let rows: Vec<u32> = match among {
        None => all.collect(),
        Some(mask) => all.filter(|row| mask.contains(*row as usize)).collect(),
    };
    if rows.is_empty() {
        Err(SpaceError::NoRows { what: "the set of possible neighbours" })
    } else {
        Ok(rows)
    }
}

/// As many neighbours as every query can have.
pub(super) fn at_most(
    rows: &[u32],
    queries: Queries<'_>,
    points: &Points,
    k: usize,
) -> Result<usize, SpaceError> {
    if k == 0 {
        let must = "at least 1";
        return Err(SpaceError::Setting { name: "the number of neighbours", value: 0.0, must });
    }
    let is_among = |i: usize| queries.itself(i).is_some_and(|row| rows.binary_search(&row).is_ok());
    let others = rows.len() - usize::from((0..queries.len(points)).any(is_among));
    match others {
        0 => Err(SpaceError::NoRows { what: "the set of possible neighbours besides the query" }),
        others => Ok(k.min(others)),
    }
}

fn of_block(
    points: &Points,
    queries: Queries<'_>,
    range: std::ops::Range<usize>,
    k: usize,
    metric: Metric,
    (rows, prepared, origin): (&[u32], &Prepared, &[f64]),
) -> Vec<Vec<(f64, u32)>> {
    let block = Prepared::new(range.clone().map(|i| queries.point(i, points)), origin, metric);
    let mut tops: Vec<Top> = range
        .clone()
        .zip(&block.squares)
        .map(|(i, square)| Top::new(k, prepared.slack(square.sqrt()), queries.itself(i)))
        .collect();
    let mut products = Vec::new();
    for first in (0..prepared.len()).step_by(CANDIDATES) {
        let cut = first..(first + CANDIDATES).min(prepared.len());
        let candidates = (prepared.rows(cut.clone()), &prepared.squares[cut.clone()], &rows[cut]);
        offer_block(&mut tops, &block.values, candidates, prepared.width, &mut products);
    }
    let finish = |(top, i): (Top, usize)| top.finish(queries.point(i, points), points, metric);
    tops.into_iter().zip(range).map(finish).collect()
}
