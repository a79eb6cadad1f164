//! Which pictures a network learns from and which it is judged by.
//!
//! Whole groups go to one side: all pictures of one object, crops that overlap, so that nothing is judged
//! by a picture whose twin was learned.

use std::collections::BTreeMap;

use rand::seq::SliceRandom as _;

use crate::error::VisionError;

/// Rows of a table of pictures, in parts that share no group. Rows are in rising order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// To learn from.
    pub train: Vec<usize>,
    /// To stop early by; empty where training does not stop early.
    pub stop: Vec<usize>,
    /// To judge by; never looked at in training.
    pub held_out: Vec<usize>,
}

impl Split {
    /// Splits rows by their groups (a subject id where every picture is a group of its own): the groups, in
    /// an order drawn from `seed`, go to the held-out part until it has its share of the rows, then to the
    /// part to stop by, and the rest is learned from. Each part whose share is not 0 gets a group, and
    /// training gets one in any case. The order of the rows makes no difference to where a group goes.
    ///
    /// # Errors
    ///
    /// [`VisionError::Setting`] for shares outside of 0 to 1, [`VisionError::TooFew`] where there are fewer
    /// groups than parts.
    pub fn new(
        groups: &[&str],
        held_out_share: f64,
        stop_share: f64,
        seed: u64,
    ) -> Result<Self, VisionError> {
        for (setting, share) in [("held-out share", held_out_share), ("stop share", stop_share)] {
            if !(0.0..1.0).contains(&share) {
                return Err(VisionError::setting(setting, share, "a share from 0 up to, not with, 1"));
            }
        }
        if held_out_share + stop_share >= 1.0 {
            let both = held_out_share + stop_share;
            return Err(VisionError::setting("held-out and stop share", both, "less than 1 in all"));
        }
        let mut rows: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (row, group) in groups.iter().enumerate() {
            rows.entry(group).or_default().push(row);
        }
        let needed = 1 + usize::from(held_out_share > 0.0) + usize::from(stop_share > 0.0);
        if rows.len() < needed {
            return Err(VisionError::TooFew { n: groups.len(), n_groups: rows.len(), needed });
        }
        let mut order: Vec<Vec<usize>> = rows.into_values().collect();
        order.shuffle(&mut volary_core::seed::stream(seed, "split"));
        // The last groups are kept for the parts that follow, so that no part stays empty.
        let mut parts = order.into_iter();
        let held_out = take(&mut parts, held_out_share, groups.len(), needed - 1);
        let stop = take(&mut parts, stop_share, groups.len(), 1);
        let mut train: Vec<usize> = parts.flatten().collect();
        train.sort_unstable();
        Ok(Self { train, stop, held_out })
    }

    /// The part of each subject, as a CSV table: `subject_id,part`.
    pub(crate) fn csv(&self, subject_ids: &[String]) -> String {
        let mut parts = vec![""; subject_ids.len()];
        let named = [("train", &self.train), ("stop", &self.stop), ("held_out", &self.held_out)];
        for (part, rows) in named {
            for row in rows {
                parts[*row] = part;
            }
        }
        let mut csv = "subject_id,part\n".to_owned();
        for (id, part) in subject_ids.iter().zip(parts) {
            let id = volary_core::spreadsheet::neutral(id);
            // A quote inside a quoted cell is doubled (RFC 4180).
            let quoted = id.contains([',', '"', '\n', '\r']);
            let id = if quoted { format!("\"{}\"", id.replace('"', "\"\"")) } else { id.into_owned() };
            csv.push_str(&format!("{id},{part}\n"));
        }
        csv
    }
}

fn take(
    groups: &mut std::vec::IntoIter<Vec<usize>>,
    share: f64,
    n_rows: usize,
    n_kept: usize,
) -> Vec<usize> {
    let wanted = (share * n_rows as f64).round().max(1.0) as usize;
    let mut part = Vec::new();
    while share > 0.0 && part.len() < wanted && groups.len() > n_kept {
        part.extend(groups.next().into_iter().flatten());
    }
    part.sort_unstable();
    part
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_row_is_in_one_part_and_no_group_straddles(
            groups in proptest::collection::vec(0_u8..40, 3..200),
            held_out in 0.0..0.6_f64,
            stop in 0.0..0.3_f64,
            seed: u64,
        ) {
            let names: Vec<String> = groups.iter().map(|g| format!("object {g}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let Ok(split) = Split::new(&names, held_out, stop, seed) else {
                // Only too few groups can be in the way.
                let n: std::collections::BTreeSet<&u8> = groups.iter().collect();
                prop_assert!(n.len() < 3);
                return Ok(());
            };
            let mut all: Vec<usize> = [&split.train, &split.stop, &split.held_out].into_iter().flatten().copied().collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..groups.len()).collect::<Vec<_>>());
            prop_assert!(!split.train.is_empty());
            prop_assert_eq!(split.stop.is_empty(), stop == 0.0);
            prop_assert_eq!(split.held_out.is_empty(), held_out == 0.0);
            let of = |part: &[usize]| -> std::collections::BTreeSet<u8> { part.iter().map(|r| groups[*r]).collect() };
            prop_assert!(of(&split.train).is_disjoint(&of(&split.held_out)));
            prop_assert!(of(&split.train).is_disjoint(&of(&split.stop)));
            prop_assert!(of(&split.stop).is_disjoint(&of(&split.held_out)));
            // The part is as large as asked for, but for the last group and the groups kept for others.
            let largest = (0..40).map(|g| groups.iter().filter(|x| **x == g).count()).max().unwrap_or(0);
            let wanted = held_out * groups.len() as f64;
            prop_assert!(split.held_out.len() as f64 <= wanted + 1.0 + largest as f64);
        }

        #[test]
        fn the_order_of_the_rows_makes_no_difference(groups in proptest::collection::vec(0_u16..500, 8..60), seed: u64) {
            let names: Vec<String> = groups.iter().map(u16::to_string).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let backwards: Vec<&str> = names.iter().rev().copied().collect();
            let held = |names: &[&str]| -> Option<std::collections::BTreeSet<String>> {
                let split = Split::new(names, 0.3, 0.0, seed).ok()?;
                Some(split.held_out.iter().map(|r| names[*r].to_owned()).collect())
            };
            prop_assert_eq!(held(&names), held(&backwards));
        }
    }

    #[test]
    fn without_groups_the_share_is_exact() {
        let names: Vec<String> = (0..1000).map(|i| i.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let split = Split::new(&names, 0.1, 0.1, 1234).unwrap();
        assert_eq!((split.train.len(), split.stop.len(), split.held_out.len()), (800, 100, 100));
        assert_eq!(split, Split::new(&names, 0.1, 0.1, 1234).unwrap());
        assert_ne!(split, Split::new(&names, 0.1, 0.1, 1235).unwrap());
    }

    #[test]
    fn one_picture_cannot_be_split() {
        let error = Split::new(&["only"], 0.1, 0.0, 1).unwrap_err().to_string();
        assert_eq!(
            error,
            "1 pictures in 1 groups cannot be split into a part to learn from and a part to judge by; give at \
             least 2 groups of pictures"
        );
        let error = Split::new(&["same", "same"], 0.1, 0.1, 1).unwrap_err().to_string();
        assert!(error.starts_with("2 pictures in 1 groups"), "{error}");
        assert!(Split::new(&["a", "b"], 1.0, 0.0, 1).is_err());
        assert!(Split::new(&["a", "b"], f64::NAN, 0.0, 1).is_err());
    }
}
