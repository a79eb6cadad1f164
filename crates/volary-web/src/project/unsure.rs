//! What a learner that was taught by the labels given so far is least sure of.
//!
//! The learner is that of a boundary: principal components of all vectors of the table, and a logistic regression
//! with balanced classes on the labelled subjects, interesting (3 or more) against not. Least sure means the largest
//! entropy of its two classes (uncertainty sampling; Lewis & Gale 1994). A single learner knows no more of its own
//! doubt. The same labels and seed give the same order.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use volary_loop::acquisition::entropy;
use volary_space::SpaceError;
use volary_space::boundary::BoundaryParams;
use volary_space::logistic::Logistic;
use volary_space::slice::Mask;

use super::Table;
use super::expert::{ENOUGH, INTERESTING_FROM};
use crate::problem::Problem;

/// The seed where none is named: that of the command line.
pub(crate) const SEED: u64 = 1;

/// Rows of a mask, the least sure first; those with a label, and those without a vector, last and in the order of the
/// table.
pub(crate) fn order(
    table: &Table,
    mask: &Mask,
    said: &BTreeMap<String, f64>,
    seed: u64,
) -> Result<Vec<usize>, Problem> {
    let wrong = |error: SpaceError| Problem::unprocessable(error.to_string());
    let no_vectors = || {
        let detail = "the table has no vectors to learn from; sort by a column, or join vectors with `volary serve \
                      --with`";
        Problem::unprocessable(detail)
    };
    let vectors = table.vectors().ok_or_else(no_vectors)?;
    let (mut known, mut labels) = (Vec::new(), Vec::new());
    for (point, row) in vectors.rows.iter().enumerate() {
        if let Some(value) = said.get(&table.ids()[*row]) {
            known.push(point);
            labels.push(f64::from(u8::from(*value >= INTERESTING_FROM)));
        }
    }
    let n_interesting = labels.iter().filter(|label| **label > 0.5).count();
    let n_other = labels.len() - n_interesting;
    if n_interesting.min(n_other) < ENOUGH {
        let detail = format!(
            "{n_interesting} subjects with a vector are labelled 3 or more, and {n_other} less; it takes {ENOUGH} of \
             either to learn from: label some of the highest, and some at random"
        );
        return Err(Problem::new(StatusCode::CONFLICT, detail)
            .kind("too-few-labels", "Too few labels to learn from"));
    }
    let reduced = table.reduced(seed).map_err(wrong)?.ok_or_else(no_vectors)?;
    let params = BoundaryParams::default().logistic;
    let logistic =
        Logistic::fit(&reduced.select(&known), &labels, None, &params, None).map_err(wrong)?;
    let p = logistic.predict(&reduced).map_err(wrong)?;
    let doubt = |row: usize| match vectors.point_of(row) {
        Some(point) if known.binary_search(&point).is_err() => entropy(&[p[point], 1.0 - p[point]]),
        _ => f64::NEG_INFINITY,
    };
    let mut rows: Vec<(f64, usize)> = mask.rows().map(|row| (doubt(row), row)).collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

#[cfg(test)]
mod tests {
    use volary_space::slice::Columns;

    use super::*;

    /// Subjects on a line: interesting on the right, the second number says nothing.
    fn table(n: usize) -> Table {
        let vectors = (0..n).flat_map(|row| {
            let x = row as f32 / (n - 1) as f32;
            [x, ((row * 37) % 17) as f32 / 170.0]
        });
        let mut columns = Columns::default();
        let number = volary_space::slice::Column::Number((0..n).map(|row| row as f64).collect());
        assert!(columns.insert("row", number));
        let ids = (0..n).map(|row| format!("s{row}")).collect();
        Table::new("t", ids, columns, Some((vectors.collect(), 2))).unwrap()
    }

    fn said(rows: impl Iterator<Item = usize>, n: usize) -> BTreeMap<String, f64> {
        rows.map(|row| (format!("s{row}"), if 2 * row > n { 4.0 } else { 1.0 })).collect()
    }

    #[test]
    fn what_lies_between_the_two_kinds_comes_first() {
        let n = 101;
        let (table, all) = (table(n), Mask::of(n, |_| true));
        let labels = said((0..n).step_by(10).filter(|row| *row != 50), n);
        let rows = order(&table, &all, &labels, SEED).unwrap();
        assert_eq!(rows.len(), n);
        // The middle is where the kinds meet: it is among the first, and the ends are not.
        let place = |row: usize| rows.iter().position(|r| *r == row).unwrap();
        assert!((0..12).all(|at| rows[at].abs_diff(50) <= 12), "{:?}", &rows[..12]);
        assert!(place(1) > 60 && place(99) > 60);
        // What has a label comes last.
        let known: Vec<usize> = (0..n).step_by(10).filter(|row| *row != 50).collect();
        assert_eq!(rows[n - known.len()..], known);
        assert_eq!(order(&table, &all, &labels, SEED).unwrap(), rows, "the same again");
        // A filter takes rows away and changes the order of none.
        let odd = order(&table, &Mask::of(n, |row| row % 2 == 1), &labels, SEED).unwrap();
        assert_eq!(odd, rows.iter().copied().filter(|row| row % 2 == 1).collect::<Vec<_>>());
    }

    #[test]
    fn too_few_labels_order_nothing() {
        let n = 40;
        let (table, all) = (table(n), Mask::of(n, |_| true));
        let four = (0..4).chain(30..38);
        let refused = order(&table, &all, &said(four, n), SEED).unwrap_err();
        assert_eq!((refused.kind, refused.status), ("too-few-labels", StatusCode::CONFLICT));
        assert!(
            refused.detail.contains("8 subjects") && refused.detail.contains("4 less"),
            "{}",
            refused.detail
        );
        let five = (0..5).chain(30..35);
        assert!(order(&table, &all, &said(five, n), SEED).is_ok());
    }
}
