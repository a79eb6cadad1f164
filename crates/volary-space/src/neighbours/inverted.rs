//! Approximate neighbours: points sorted into lists by the nearest of many centres; a query looks through
//! the lists of its nearest centres only (Jégou, Douze & Schmid 2011, doi:10.1109/TPAMI.2010.57, without
//! their compression).
//!
//! Why not a graph index: `hnsw_rs` and `usearch` insert in parallel, so that their answers change with the
//! threads, and their recall has to be found by trying (their speed was not measured here). Here the recall
//! at every number of lists is known for a sample of queries before the search begins, since for each true
//! neighbour one sees in which list it lies.

use rand::seq::index::sample;
use rayon::prelude::*;
use volary_core::seed::stream;

use super::exact::{at_most, candidates, exact};
use super::top::{Prepared, Top, offer_block, origin};
use super::{Metric, Neighbours, Queries, recall};
use crate::error::SpaceError;
use crate::points::Points;
use crate::product::products_f32;
use crate::resample::{Bootstrap, Estimate};
use crate::slice::Mask;

/// Points of a list, on average.
const PER_LIST: usize = 192;
/// Points per centre that the centres are found from.
const SAMPLE_PER_CENTRE: usize = 40;
/// Rounds of Lloyd's algorithm.
const ROUNDS: usize = 6;
/// Rows of a block of products.
const BLOCK: usize = 512;

/// What is asked of an approximate search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ApproximateParams {
    /// Share of the true neighbours that must be found.
    pub recall: f64,
    /// Queries that the recall is measured on.
    pub n_probed: usize,
    /// Seed of the centres and of the sample.
    pub seed: u64,
}

impl Default for ApproximateParams {
    fn default() -> Self {
        Self { recall: 0.98, n_probed: 400, seed: 0 }
    }
}

/// Neighbours, and how many of the true ones are among them.
#[derive(Clone, Debug, PartialEq)]
pub struct Approximate {
    /// The neighbours.
    pub neighbours: Neighbours,
    /// Recall on the sampled queries, with its interval over queries; 1 where the search was exact.
    pub recall: Option<Estimate>,
    /// Lists that each query looked through; 0 where the search was exact, because too many would have
    /// been needed.
    pub n_lists_searched: usize,
    /// Lists there are.
    pub n_lists: usize,
}

/// The `k` nearest of every point but itself, with the recall asked for: by lists where that is cheaper
/// than the exact search, and exactly where it is not.
///
/// # Errors
/// As [`exact`]; [`SpaceError::Setting`] for a recall outside (0, 1].
pub fn approximate(
    points: &Points,
    k: usize,
    metric: Metric,
    params: &ApproximateParams,
) -> Result<Approximate, SpaceError> {
    if !(params.recall > 0.0 && params.recall <= 1.0) {
        let must = "above 0 and at most 1";
        return Err(SpaceError::Setting { name: "the recall", value: params.recall, must });
    }
    let index = Index::new(points, metric, None, params.seed)?;
    let mut rng = stream(params.seed, "recall");
    let chosen = params.n_probed.clamp(1, points.len());
    let probed: Vec<usize> = sample(&mut rng, points.len(), chosen).into_iter().collect();
    let truth = exact(points, Queries::Rows(&probed), k, metric, None)?;
    let n_lists_searched = index.lists_for(&probed, &truth, params.recall);
    // Below a third of the lists the saving is worth the trouble.
    if n_lists_searched * 3 >= index.n_lists() {
        let neighbours = exact(points, Queries::All, k, metric, None)?;
        return Ok(Approximate {
            neighbours,
            recall: None,
            n_lists_searched: 0,
            n_lists: index.n_lists(),
        });
    }
    let neighbours = index.search(Queries::All, k, n_lists_searched)?;
    let bootstrap = Bootstrap::new(500, 0.95, params.seed)?;
    let recall = recall(&truth, |i| neighbours.rows(probed[i]), &bootstrap);
    Ok(Approximate { neighbours, recall, n_lists_searched, n_lists: index.n_lists() })
}

/// Points sorted into lists.
pub struct Index<'p> {
    points: &'p Points,
    metric: Metric,
    origin: Vec<f64>,
    /// The points, list by list.
    sorted: Prepared,
    /// The row of each.
    rows: Vec<u32>,
    /// Where each list starts, and the end.
    starts: Vec<usize>,
    centres: Prepared,
    /// The list of each row; the largest number for rows that may not be found.
    list_of: Vec<u32>,
}

impl<'p> Index<'p> {
    /// Sorts all points, or those in `among`, into lists.
    ///
    /// # Errors
    /// [`SpaceError::NoRows`] if there are none.
    pub fn new(
        points: &'p Points,
        metric: Metric,
        among: Option<&Mask>,
        seed: u64,
    ) -> Result<Self, SpaceError> {
        let candidates = candidates(points, among)?;
        let origin = origin(points, metric);
        let prepared =
            Prepared::new(candidates.iter().map(|&row| points.row(row as usize)), &origin, metric);
        let n_lists = candidates.len().div_ceil(PER_LIST);
        let centres = centres(&prepared, n_lists, metric, seed);
        let nearest: Vec<u32> = nearest_centres(&prepared, &centres, 1);
        let mut order: Vec<usize> = (0..candidates.len()).collect();
        order.sort_by_key(|&at| nearest[at]);
        let mut starts = vec![0; centres.len() + 1];
        nearest.iter().for_each(|&list| starts[list as usize + 1] += 1);
        for list in 0..centres.len() {
            starts[list + 1] += starts[list];
        }
        let mut list_of = vec![u32::MAX; points.len()];
        candidates.iter().zip(&nearest).for_each(|(&row, &list)| list_of[row as usize] = list);
        let rows: Vec<u32> = order.iter().map(|&at| candidates[at]).collect();
        let sorted = Prepared::new(rows.iter().map(|&row| points.row(row as usize)), &origin, metric);
        Ok(Self { points, metric, origin, sorted, rows, starts, centres, list_of })
    }

    /// How many lists.
    #[must_use]
    pub fn n_lists(&self) -> usize {
        self.centres.len()
    }

    /// The `k` nearest of each query within the `n_lists` lists whose centres are nearest to it, and all
    /// lists where these hold fewer than `k`.
    ///
    /// # Errors
    /// As [`exact`].
    pub fn search(
        &self,
        queries: Queries<'_>,
        k: usize,
        n_lists: usize,
    ) -> Result<Neighbours, SpaceError> {
        queries.check(self.points)?;
        let mut rows = self.rows.clone();
        rows.sort_unstable();
        let k = at_most(&rows, queries, self.points, k)?;
        let n_lists = n_lists.clamp(1, self.n_lists());
        let n = queries.len(self.points);
        let query = |i: usize| queries.point(i, self.points);
        let prepared = Prepared::new((0..n).map(query), &self.origin, self.metric);
        let lists = nearest_centres(&prepared, &self.centres, n_lists);
        // Queries of one neighbourhood look through much the same lists: they go together.
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by_key(|&i| lists[i * n_lists]);
        let parts: Vec<(usize, Vec<(f64, u32)>)> = order
            .par_chunks(PER_LIST)
            .flat_map_iter(|part| self.search_part(part, queries, k, n_lists, (&prepared, &lists)))
            .collect();
        let mut found = vec![Vec::new(); n];
        parts.into_iter().for_each(|(i, nearest)| found[i] = nearest);
        let short: Vec<usize> = (0..n).filter(|&i| found[i].len() < k).collect();
        self.search_everywhere(&short, queries, k, &prepared, &mut found);
        Ok(Neighbours::collect(k, found))
    }

    fn search_part(
        &self,
        part: &[usize],
        queries: Queries<'_>,
        k: usize,
        n_lists: usize,
        (prepared, lists): (&Prepared, &[u32]),
    ) -> Vec<(usize, Vec<(f64, u32)>)> {
        let of = |i: usize| &lists[i * n_lists..(i + 1) * n_lists];
        let mut visits: Vec<(u32, usize)> = part
            .iter()
            .enumerate()
            .flat_map(|(at, &i)| of(i).iter().map(move |list| (*list, at)))
            .collect();
        visits.sort_unstable();
        let top = |&i: &usize| {
            let slack = self.sorted.slack(prepared.squares[i].sqrt());
            Some(Top::new(k, slack, queries.itself(i)))
        };
        let mut tops: Vec<Option<Top>> = part.iter().map(top).collect();
        let (mut products, mut values) = (Vec::new(), Vec::new());
        for visit in visits.chunk_by(|a, b| a.0 == b.0) {
            values.clear();
            let mut asking: Vec<Top> = Vec::with_capacity(visit.len());
            for &(_, at) in visit {
                values.extend_from_slice(prepared.rows(part[at]..part[at] + 1));
                asking.extend(tops[at].take());
            }
            self.offer_list(visit[0].0 as usize, &mut asking, &values, &mut products);
            visit.iter().zip(asking).for_each(|(&(_, at), top)| tops[at] = Some(top));
        }
        let finish = |(top, &i): (Option<Top>, &usize)| {
            let query = queries.point(i, self.points);
            Some((i, top?.finish(query, self.points, self.metric)))
        };
        tops.into_iter().zip(part).filter_map(finish).collect()
    }

    fn offer_list(&self, list: usize, tops: &mut [Top], queries: &[f32], products: &mut Vec<f32>) {
        let cut = self.starts[list]..self.starts[list + 1];
        let candidates =
            (self.sorted.rows(cut.clone()), &self.sorted.squares[cut.clone()], &self.rows[cut]);
        offer_block(tops, queries, candidates, self.sorted.width, products);
    }

    /// For queries whose lists held too few.
    fn search_everywhere(
        &self,
        short: &[usize],
        queries: Queries<'_>,
        k: usize,
        prepared: &Prepared,
        found: &mut [Vec<(f64, u32)>],
    ) {
        let mut products = Vec::new();
        for &i in short {
            let slack = self.sorted.slack(prepared.squares[i].sqrt());
            let mut top = [Top::new(k, slack, queries.itself(i))];
            for list in 0..self.n_lists() {
                self.offer_list(list, &mut top, prepared.rows(i..i + 1), &mut products);
            }
            let query = queries.point(i, self.points);
            found[i] = top.into_iter().flat_map(|t| t.finish(query, self.points, self.metric)).collect();
        }
    }

    /// Lists to look through so that the lower end of the recall's interval over `probed` is what is
    /// wanted.
    fn lists_for(&self, probed: &[usize], truth: &Neighbours, wanted: f64) -> usize {
        let n_lists = self.n_lists();
        let query = |&i: &usize| self.points.row(i);
        let prepared = Prepared::new(probed.iter().map(query), &self.origin, self.metric);
        let order = nearest_centres(&prepared, &self.centres, n_lists);
        // found[i][p]: share of query i's neighbours in its first p + 1 lists.
        let mut mean = vec![0.0; n_lists];
        let mut square = vec![0.0; n_lists];
        for i in 0..probed.len() {
            let mut new = vec![0.0; n_lists];
            for &row in truth.rows(i) {
                let list = self.list_of[row as usize];
                let lists = &order[i * n_lists..(i + 1) * n_lists];
                if let Some(rank) = lists.iter().position(|l| *l == list) {
                    new[rank] += 1.0 / truth.k() as f64;
                }
            }
            let mut share = 0.0;
            for (p, new) in new.into_iter().enumerate() {
                share += new;
                mean[p] += share;
                square[p] += share * share;
            }
        }
        let n = probed.len() as f64;
        let is_enough = |p: &usize| {
            let (mean, square) = (mean[p - 1] / n, square[p - 1] / n);
            let error = ((square - mean * mean).max(0.0) / n).sqrt();
            mean - 1.96 * error >= wanted
        };
        (1..=n_lists).find(is_enough).unwrap_or(n_lists)
    }
}

/// Centres by Lloyd's algorithm on a sample, from random points.
fn centres(points: &Prepared, n_centres: usize, metric: Metric, seed: u64) -> Prepared {
    let mut rng = stream(seed, "centres");
    let n = points.len();
    let mut chosen: Vec<usize> =
        sample(&mut rng, n, (n_centres * SAMPLE_PER_CENTRE).min(n)).into_iter().collect();
    let row = |i: usize| points.rows(i..i + 1);
    let zero = vec![0.0; points.width];
    let mut centres = Prepared::new(chosen.iter().take(n_centres).map(|&i| row(i)), &zero, metric);
    chosen.sort_unstable();
    let sampled = Prepared::new(chosen.iter().map(|&i| row(i)), &zero, metric);
    for _ in 0..ROUNDS {
        let nearest = nearest_centres(&sampled, &centres, 1);
        let mut sums = vec![0.0_f64; n_centres * points.width];
        let mut counts = vec![0_u32; n_centres];
        for (i, &list) in nearest.iter().enumerate() {
            counts[list as usize] += 1;
            let sum = &mut sums[list as usize * points.width..(list as usize + 1) * points.width];
            sum.iter_mut().zip(sampled.rows(i..i + 1)).for_each(|(sum, v)| *sum += f64::from(*v));
        }
        // A centre without points stays where it is.
        let moved: Vec<Vec<f32>> = (0..n_centres)
            .map(|list| match counts[list] {
                0 => centres.rows(list..list + 1).to_vec(),
                count => {
                    let sum = &sums[list * points.width..(list + 1) * points.width];
                    sum.iter().map(|v| (v / f64::from(count)) as f32).collect()
                }
            })
            .collect();
        centres = Prepared::new(moved.iter().map(Vec::as_slice), &zero, metric);
    }
    centres
}

/// The `k` nearest centres of each point, nearest first.
fn nearest_centres(points: &Prepared, centres: &Prepared, k: usize) -> Vec<u32> {
    let (n, m) = (points.len(), centres.len());
    (0..n.div_ceil(BLOCK))
        .into_par_iter()
        .flat_map_iter(|block| {
            let range = block * BLOCK..((block + 1) * BLOCK).min(n);
            let mut products = vec![0.0; range.len() * m];
            products_f32(
                points.rows(range.clone()),
                &centres.values,
                (range.len(), points.width, m),
                &mut products,
            );
            let mut nearest = Vec::with_capacity(range.len() * k);
            for products in products.chunks_exact(m) {
                let values = products.iter().zip(&centres.squares).map(|(p, s)| s - 2.0 * p);
                let mut ranked: Vec<(f32, u32)> = values.zip(0..).collect();
                let by_value = |a: &(f32, u32), b: &(f32, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
                if k < m {
                    ranked.select_nth_unstable_by(k - 1, by_value);
                    ranked.truncate(k);
                }
                ranked.sort_unstable_by(by_value);
                nearest.extend(ranked.into_iter().map(|(_, list)| list));
            }
            nearest
        })
        .collect()
}
