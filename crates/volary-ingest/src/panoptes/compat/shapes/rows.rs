//! The extraction's rows of one subject and task, taken apart by frame and column.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Account;
use crate::panoptes::compat::literal::parse_cell;
use crate::panoptes::compat::reducers::Extracted;

/// One frame of one row: numbers, outlines and answers by column.
pub(super) type Frame<'e> = BTreeMap<&'e str, Value>;

/// The rows of a subject and task, by frame.
pub(super) struct Rows<'e> {
    /// By row: its frames.
    pub(super) frames: Vec<BTreeMap<&'e str, Frame<'e>>>,
    pub(super) is_second: Option<bool>,
}

impl<'e> Rows<'e> {
    pub(super) fn read(rows: &[Extracted<'e>], by_frame: bool, account: &mut Account) -> Self {
        let mut n_second = 0;
        let mut frames = Vec::with_capacity(rows.len());
        for row in rows {
            let mut here = BTreeMap::<&str, Frame<'_>>::new();
            for &(name, cell) in &row.cells {
                if name == "classifier_version" {
                    n_second += usize::from(!cell.starts_with('1'));
                    continue;
                }
                let (frame, column) = match name.split_once('.') {
                    Some((frame, column)) if by_frame && frame.starts_with("frame") => (frame, column),
                    _ if !by_frame => ("", name),
                    _ => continue,
                };
                match parse_cell(cell) {
                    Some(value) => {
                        here.entry(frame).or_default().insert(column, value);
                    }
                    None if tool_of(column).is_some() => account.n_bad += 1,
                    None => {}
                }
            }
            frames.push(here);
        }
        let is_second = match n_second {
            0 => Some(false),
            n if n == rows.len() => Some(true),
            // Both generations in one: the original leaves the marks' own questions alone.
            _ => None,
        };
        Self { frames, is_second }
    }

    /// Frames and tools, in order.
    pub(super) fn tools(&self) -> BTreeMap<&'e str, BTreeSet<&'e str>> {
        let mut tools = BTreeMap::<&str, BTreeSet<&str>>::new();
        for (&frame, columns) in self.frames.iter().flatten() {
            let known = tools.entry(frame).or_default();
            known.extend(columns.keys().filter_map(|&column| tool_of(column)));
        }
        tools
    }

    pub(super) fn cell(&self, row: usize, frame: &str, column: &str) -> Option<&Value> {
        self.frames[row].get(frame)?.get(column)
    }

    pub(super) fn list(&self, row: usize, frame: &str, column: &str) -> &[Value] {
        self.cell(row, frame, column).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

/// `T0_toolIndex1` of `T0_toolIndex1_x`.
pub(super) fn tool_of(column: &str) -> Option<&str> {
    let at = column.find("_tool")? + "_tool".len();
    let rest = &column[at..];
    let at = at + if rest.starts_with("Index") { "Index".len() } else { 0 };
    let digits = column[at..].bytes().take_while(u8::is_ascii_digit).count();
    (digits > 0).then(|| &column[..at + digits])
}
