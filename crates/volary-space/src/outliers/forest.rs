//! Isolation forest (Liu, Ting & Zhou 2008, doi:10.1109/ICDM.2008.17; 2012, doi:10.1145/2133360.2133363).
//!
//! A tree cuts a sample of ψ vectors at random (a random column, a value drawn evenly between its ends) until
//! each is alone or the tree is ⌈log₂ ψ⌉ high. What is unusual is alone after few cuts. With h(x) the cuts that
//! x meets, plus c(n) where n vectors were left together, the score is 2^(−E h(x) / c(ψ)), with
//! c(n) = 2 H(n − 1) − 2 (n − 1)/n, the mean depth of an unsuccessful search in a binary tree: near 1 is
//! unusual, ½ and below is ordinary.
//!
//! Own code, since the crates that exist fix the vectors' length when they are compiled or draw without a
//! seed. Departure from the paper, as in `scikit-learn`: a column in which the vectors of a node do not differ
//! is passed over.

use rand::RngExt as _;
use rayon::prelude::*;
use volary_core::seed::{Rng, stream};

use crate::blocks;
use crate::error::SpaceError;
use crate::points::Points;

/// How to grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForestParams {
    /// Trees.
    pub n_trees: usize,
    /// Vectors that each tree sees.
    pub sample: usize,
}

impl Default for ForestParams {
    /// The paper's: 100 trees of 256 vectors.
    fn default() -> Self {
        Self { n_trees: 100, sample: 256 }
    }
}

/// A grown forest.
#[derive(Clone, Debug, PartialEq)]
pub struct Forest {
    trees: Vec<Vec<Node>>,
    /// c(ψ).
    norm: f64,
    width: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Node {
    /// Below `at` in `column` to `left`, else to the node after it.
    Cut { column: u32, at: f32, left: u32, right: u32 },
    /// Depth, and what is left together added.
    Leaf { depth: f64 },
}

impl Forest {
    /// Grows it. The same seed gives the same forest for any number of threads.
    ///
    /// # Errors
    /// [`SpaceError::Setting`] for no trees or samples below 2; [`SpaceError::NoRows`].
    pub fn fit(points: &Points, params: &ForestParams, seed: u64) -> Result<Self, SpaceError> {
        if points.len() < 2 {
            return Err(SpaceError::NoRows { what: "a forest needs two vectors or more: the table" });
        }
        if params.n_trees == 0 {
            let must = "at least 1";
            return Err(SpaceError::Setting { name: "the number of trees", value: 0.0, must });
        }
        if params.sample < 2 {
            let (value, must) = (params.sample as f64, "at least 2");
            return Err(SpaceError::Setting { name: "the vectors that a tree sees", value, must });
        }
        let sample = params.sample.min(points.len());
        let highest = (sample as f64).log2().ceil() as u32;
        let grow = |tree: usize| {
            let mut rng = stream(seed, &format!("isolation tree {tree}"));
            let mut rows = drawn(points.len(), sample, &mut rng);
            let mut tree = Tree { points, highest, nodes: Vec::new() };
            tree.grow(&mut rows, 0, &mut rng);
            tree.nodes
        };
        let trees = (0..params.n_trees).into_par_iter().map(grow).collect();
        Ok(Self { trees, norm: mean_depth(sample), width: points.width() })
    }

    /// Scores between 0 and 1.
    ///
    /// # Errors
    /// [`SpaceError::Width`].
    pub fn score(&self, points: &Points) -> Result<Vec<f64>, SpaceError> {
        if points.width() != self.width {
            return Err(SpaceError::Width { actual: points.width(), expected: self.width });
        }
        blocks::join(points.len(), |rows| {
            let score = |row: usize| {
                let depth: f64 = self.trees.iter().map(|tree| depth(tree, points.row(row))).sum();
                (-depth / self.trees.len() as f64 / self.norm).exp2()
            };
            Ok(rows.map(score).collect())
        })
    }
}

/// c(n): the mean depth at which one of n vectors is alone.
#[must_use]
pub fn mean_depth(n: usize) -> f64 {
    if n < 2 {
        return 0.0;
    }
    let harmonic: f64 = (1..n).rev().map(|i| 1.0 / i as f64).sum();
    2.0 * harmonic - 2.0 * (n as f64 - 1.0) / n as f64
}

/// Different rows, by the first steps of Fisher and Yates.
fn drawn(n: usize, sample: usize, rng: &mut Rng) -> Vec<usize> {
    let mut moved = std::collections::BTreeMap::new();
    (0..sample)
        .map(|at| {
            let pick = rng.random_range(at..n);
            let here = moved.get(&at).copied().unwrap_or(at);
            let there = moved.insert(pick, here).unwrap_or(pick);
            if pick == at { here } else { there }
        })
        .collect()
}

struct Tree<'p> {
    points: &'p Points,
    highest: u32,
    nodes: Vec<Node>,
}

impl Tree<'_> {
    /// Grows the node of these rows and all below it; gives its place.
    fn grow(&mut self, rows: &mut [usize], depth: u32, rng: &mut Rng) -> u32 {
        let place = self.nodes.len() as u32;
        self.nodes.push(Node::Leaf { depth: f64::from(depth) + mean_depth(rows.len()) });
        if depth >= self.highest || rows.len() < 2 {
            return place;
        }
        let Some((column, at)) = self.cut(rows, rng) else { return place };
        let is_left = |row: usize| self.points.row(row)[column] < at;
        let mut n_left = 0;
        for i in 0..rows.len() {
            if is_left(rows[i]) {
                rows.swap(i, n_left);
                n_left += 1;
            }
        }
        let (low, high) = rows.split_at_mut(n_left);
        let left = self.grow(low, depth + 1, rng);
        let right = self.grow(high, depth + 1, rng);
        self.nodes[place as usize] = Node::Cut { column: column as u32, at, left, right };
        place
    }

    /// A column in which they differ and a value that leaves some on both sides; `None` for equal vectors.
    fn cut(&self, rows: &[usize], rng: &mut Rng) -> Option<(usize, f32)> {
        let ends = |column: usize| {
            rows.iter()
                .map(|&row| self.points.row(row)[column])
                .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
        };
        let width = self.points.width();
        // Most columns differ: a few tries find one without looking at all of them.
        let mut tries = (0..8).map(|_| rng.random_range(0..width));
        let lucky = tries.find(|&column| ends(column).0 < ends(column).1);
        let column = match lucky {
            Some(column) => column,
            None => {
                let differ: Vec<usize> = (0..width).filter(|&c| ends(c).0 < ends(c).1).collect();
                *differ.get(rng.random_range(0..differ.len().max(1)))?
            }
        };
        let (low, high) = ends(column);
        // In (low, high]: whatever is below goes left, so both sides have some.
        let at = low + (high - low) * (1.0 - rng.random::<f32>());
        Some((column, if at > low { at.min(high) } else { high }))
    }
}

fn depth(tree: &[Node], row: &[f32]) -> f64 {
    let mut place = 0;
    loop {
        match tree[place as usize] {
            Node::Leaf { depth } => return depth,
            Node::Cut { column, at, left, right } => {
                place = if row[column as usize] < at { left } else { right };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(values: &[f32]) -> Points {
        Points::new(values.to_vec(), 1).unwrap()
    }

    #[test]
    fn mean_depths_are_those_of_the_paper() {
        assert_eq!((mean_depth(0), mean_depth(1), mean_depth(2)), (0.0, 0.0, 1.0));
        // 2 (1 + 1/2) − 2 · 2/3
        assert!((mean_depth(3) - 5.0 / 3.0).abs() < 1e-12);
        // 2 (ln 255 + γ) − 2 · 255/256, to the logarithm's error of 1/(2n).
        let harmonic = 255.0_f64.ln() + 0.577_215_664_9 + 1.0 / 510.0;
        assert!((mean_depth(256) - (2.0 * harmonic - 2.0 * 255.0 / 256.0)).abs() < 1e-5);
    }

    #[test]
    fn depths_on_paper() {
        let params = ForestParams { n_trees: 4000, sample: 256 };
        // Two vectors: one cut each, h = 1 = c(2), so 2^-1.
        let two = line(&[0.0, 1.0]);
        let scores = Forest::fit(&two, &params, 1).unwrap().score(&two).unwrap();
        assert_eq!(scores, [0.5, 0.5]);
        // Three on a line at 0, 1 and 10: the last is alone after the first cut with probability 9/10 and after
        // the second else, so E h = 1.1; 0 is alone at once with 1/10, so E h = 1.9; c(3) = 5/3.
        let three = line(&[0.0, 1.0, 10.0]);
        let scores = Forest::fit(&three, &params, 2).unwrap().score(&three).unwrap();
        for (score, depth) in scores.iter().zip([1.9, 2.0, 1.1]) {
            assert!((-score.log2() * 5.0 / 3.0 - depth).abs() < 0.02, "{scores:?}");
        }
        // Equal vectors are never apart: depth c(n), so ½.
        let same = line(&[3.0; 40]);
        let scores = Forest::fit(&same, &params, 3).unwrap().score(&same).unwrap();
        assert!(scores.iter().all(|s| (s - 0.5).abs() < 1e-9), "{scores:?}");
    }

    #[test]
    fn samples_are_of_different_rows_and_even() {
        let mut hits = [0_u32; 7];
        let mut rng = stream(5, "forest test");
        for _ in 0..7000 {
            let mut rows = drawn(7, 3, &mut rng);
            rows.iter().for_each(|&row| hits[row] += 1);
            rows.sort_unstable();
            rows.dedup();
            assert_eq!(rows.len(), 3);
        }
        assert!(hits.iter().all(|n| (2850..3150).contains(n)), "{hits:?}");
        let mut all = drawn(9, 9, &mut rng);
        all.sort_unstable();
        assert_eq!(all, (0..9).collect::<Vec<_>>());
    }

    #[test]
    fn settings_are_checked() {
        let points = line(&[0.0, 1.0, 2.0]);
        for params in [ForestParams { n_trees: 0, sample: 9 }, ForestParams { n_trees: 9, sample: 1 }] {
            assert!(Forest::fit(&points, &params, 0).is_err());
        }
        let forest = Forest::fit(&points, &ForestParams::default(), 0).unwrap();
        assert!(forest.score(&Points::new(vec![0.0; 4], 2).unwrap()).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]
        #[test]
        fn shifting_and_stretching_a_column_changes_nothing(
            values in proptest::collection::vec(-8..8_i8, 12..80), seed in 0..9_u64,
        ) {
            let n = values.len() / 2 * 2;
            let plain: Vec<f32> = values[..n].iter().map(|v| f32::from(*v)).collect();
            // Powers of two and whole numbers: exact in single precision.
            let moved: Vec<f32> =
                plain.iter().enumerate().map(|(i, v)| if i % 2 == 0 { 4.0 * v + 8.0 } else { *v }).collect();
            let params = ForestParams { n_trees: 20, sample: 16 };
            let score = |values: Vec<f32>| {
                let points = Points::new(values, 2).unwrap();
                Forest::fit(&points, &params, seed).unwrap().score(&points).unwrap()
            };
            let (a, b) = (score(plain), score(moved));
            prop_assert!(a.iter().all(|s| (0.0..=1.0).contains(s)));
            let n_apart = a.iter().zip(&b).filter(|(a, b)| (*a - *b).abs() > 0.05).count();
            prop_assert!(n_apart <= a.len() / 10, "{a:?} {b:?}");
        }
    }
}
