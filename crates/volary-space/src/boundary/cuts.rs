//! A boundary seen in parts: above a lower limit of some score, and in groups such as tags.

use super::{Cell, Judged, Prepared, Quantity, Row, SELECTED_FROM};
use crate::check::check_length;
use crate::error::SpaceError;
use crate::resample::Units;

/// What a boundary keeps of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Held-out subjects of the group.
    pub n: usize,
    /// Those of them that are selected; `None` where there is no boundary.
    pub n_selected: Option<usize>,
}

impl Prepared {
    /// One boundary, judged on the held-out subjects whose `by` is at or above each of the cuts (Fig. 5c of
    /// Mantha et al. 2024). Subjects whose `by` is NaN are in no cut. All rows share the bootstrap's draws.
    ///
    /// # Errors
    /// [`SpaceError::Length`]; whatever the fit gives.
    pub fn by_cut(
        &self,
        quantity: &Quantity,
        threshold: f64,
        by: &[f64],
        cuts: &[f64],
    ) -> Result<Vec<Row>, SpaceError> {
        check_length("the quantity", quantity.values.len(), self.reduced.len())?;
        check_length("the score that is cut by", by.len(), self.reduced.len())?;
        let logistic = self.regress(quantity, threshold, None)?;
        let points = self.reduced.select(&self.held);
        let all = Judged::new(quantity, threshold, &self.held, &points, logistic.as_ref())?;
        let judged = cuts.iter().map(|cut| {
            let above = self.held.iter().zip(&all.cells);
            let cells = above.map(|(&i, cell)| if by[i] >= *cut { *cell } else { Cell::Unknown });
            Judged { quantity, threshold, cells: cells.collect(), logistic: logistic.clone() }
        });
        Ok(self.rows(judged.collect(), &Units::groups(&self.units)))
    }

    /// What the boundary of each row keeps of each group, among subjects held out; a list a row, in the
    /// order of the groups. A group is a list of rows of the points, each once.
    ///
    /// # Errors
    /// [`SpaceError::Range`] for a row that does not exist; [`SpaceError::Width`] for boundaries of other
    /// components.
    pub fn groups(&self, rows: &[Row], groups: &[Vec<usize>]) -> Result<Vec<Vec<Kept>>, SpaceError> {
        let n = self.reduced.len();
        if let Some(&row) = groups.iter().flatten().find(|&&row| row >= n) {
            let (what, value, high) = ("a row of a group", row as f64, n as f64 - 1.0);
            return Err(SpaceError::Range { what, row, value, low: 0.0, high });
        }
        let held_of = |group: &Vec<usize>| -> Vec<usize> {
            group.iter().copied().filter(|row| self.held.binary_search(row).is_ok()).collect()
        };
        let points: Vec<_> = groups.iter().map(held_of).map(|held| self.reduced.select(&held)).collect();
        let kept = |row: &Row| -> Result<Vec<Kept>, SpaceError> {
            let of = |points: &crate::Points| {
                let n = points.len();
                let Some(boundary) = &row.boundary else { return Ok(Kept { n, n_selected: None }) };
                let scores = boundary.logistic.predict(points)?;
                let n_selected = scores.iter().filter(|s| **s >= SELECTED_FROM).count();
                Ok(Kept { n, n_selected: Some(n_selected) })
            };
            points.iter().map(of).collect()
        };
        rows.iter().map(kept).collect()
    }
}
