//! Reading the sets under `../shared/data/crowd` into ballots.

use std::collections::BTreeMap;
use std::path::PathBuf;

use volary_crowd::skill::{Ballots, Columns};

/// One set: its ballots, and per item the true class where it is known.
pub(crate) struct CrowdSet {
    pub(crate) ballots: Ballots,
    pub(crate) truth: Vec<Option<u32>>,
    /// Subjects with truth and votes, and all with truth.
    pub(crate) n_truth: usize,
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/crowd").join(name)
}

fn rows(path: &std::path::Path) -> Vec<Vec<u64>> {
    let text = std::fs::read_to_string(path).unwrap();
    let row = |line: &str| line.split(',').map(|cell| cell.trim().parse().unwrap()).collect();
    text.lines().skip(1).filter(|l| !l.is_empty()).map(row).collect()
}

fn ranks(values: impl Iterator<Item = u64>) -> BTreeMap<u64, u32> {
    let mut all: Vec<u64> = values.collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter().zip(0..).collect()
}

/// Reads a set; `None`, and a line that says so, where it is absent.
pub(crate) fn read(name: &str) -> Option<CrowdSet> {
    let folder = folder(name);
    if !folder.join("labels.csv").is_file() {
        eprintln!("skipped: {} is absent", folder.display());
        return None;
    }
    let mut labels = rows(&folder.join("labels.csv"));
    labels.sort_by_key(|r| r[0]);
    let column = |at: usize| ranks(labels.iter().map(|r| r[at]));
    let (items, volunteers, classes) = (column(0), column(1), column(2));
    let ballots = Ballots::new(Columns {
        n_items: items.len(),
        n_volunteers: volunteers.len(),
        n_classes: classes.len(),
        item: labels.iter().map(|r| items[&r[0]]).collect(),
        volunteer: labels.iter().map(|r| volunteers[&r[1]]).collect(),
        label: labels.iter().map(|r| classes[&r[2]]).collect(),
        ..Columns::default()
    })
    .unwrap();
    let mut truth = vec![None; items.len()];
    let known = folder.join("truth.csv");
    let known = if known.is_file() { rows(&known) } else { Vec::new() };
    for row in &known {
        if let (Some(&item), Some(&class)) = (items.get(&row[0]), classes.get(&row[1])) {
            truth[item as usize] = Some(class);
        }
    }
    Some(CrowdSet { ballots, truth, n_truth: known.len() })
}

impl CrowdSet {
    /// How often the lowest of the best classes is the true one.
    pub(crate) fn n_correct(&self, posterior: &[f64]) -> usize {
        let k = self.ballots.n_classes();
        let best = |row: &[f64]| {
            let better = |best: usize, at: usize| if row[at] > row[best] { at } else { best };
            u32::try_from((1..k).fold(0, better)).unwrap()
        };
        let rows = posterior.chunks_exact(k).zip(&self.truth);
        rows.filter(|(row, truth)| **truth == Some(best(row))).count()
    }
}
