//! Maps: points of many dimensions on a plane or in space, neighbours kept together (UMAP), with a place
//! for points that come later.
//!
//! McInnes, Healy & Melville 2018 (arXiv:1802.03426), with the parameters and defaults of `umap-learn`.
//! From each point's nearest neighbours a weighted graph is made (`graph`), and positions are moved so that
//! points joined in the graph attract and random others repel each other (`layout`). Coordinates mean
//! nothing by themselves: compare maps by [`quality`], never by eye or by position.
//!
//! Departures from `umap-learn`, each measured in the book: the start is the first principal components
//! instead of a spectral embedding (Kobak & Linderman 2021, doi:10.1038/s41587-020-00809-z: as good, and it
//! keeps far groups in place); moves are made block by block, so that the same seed gives the same bytes
//! for any number of threads; a new point's place depends on that point alone, not on those that come with
//! it. Why not a crate: `umap-rs` 0.4.5 draws from an unseeded generator and writes positions from several
//! threads at once, so no map comes twice, and it places no new points; `fast-umap` 1.6.0 trains a network
//! (Burn, and a GPU to be fast); `annembed` 0.1.6 needs a BLAS.

mod graph;
mod layout;
mod quality;

use crate::error::SpaceError;
use crate::neighbours::{Metric, Neighbours, Queries, exact};
use crate::pca::{Pca, PcaParams};
use crate::points::Points;

pub use quality::{MapQuality, quality};

use layout::Shape;

/// How to draw a map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UmapParams {
    /// Dimensions of the map: 2 or 3.
    pub n_dimensions: usize,
    /// Size of a neighbourhood, the point itself included. Smaller shows finer, larger coarser structure.
    pub n_neighbors: usize,
    /// How close points may lie in the map, in units of `spread`.
    pub min_dist: f64,
    /// Scale of the map.
    pub spread: f64,
    /// Rounds; `None`: 500 up to 10,000 points, 200 above.
    pub n_epochs: Option<usize>,
    /// First step length.
    pub learning_rate: f64,
    /// Random points that each move repels from.
    pub n_negative: usize,
    /// Distance between points.
    pub metric: Metric,
    /// Seed.
    pub seed: u64,
}

impl Default for UmapParams {
    fn default() -> Self {
        Self {
            n_dimensions: 2,
            n_neighbors: 15,
            min_dist: 0.1,
            spread: 1.0,
            n_epochs: None,
            learning_rate: 1.0,
            n_negative: 5,
            metric: Metric::Euclidean,
            seed: 0,
        }
    }
}

impl UmapParams {
    fn check(&self) -> Result<(), SpaceError> {
        let setting = |name, value: f64, must| Err(SpaceError::Setting { name, value, must });
        if !(2..=3).contains(&self.n_dimensions) {
            return setting("the number of dimensions", self.n_dimensions as f64, "2 or 3");
        }
        if self.n_neighbors < 2 {
            return setting("the number of neighbours", self.n_neighbors as f64, "at least 2");
        }
        if !(self.spread > 0.0 && self.spread.is_finite()) {
            return setting("the spread", self.spread, "a positive number");
        }
        if !(self.min_dist >= 0.0 && self.min_dist <= self.spread) {
            return setting("the least distance", self.min_dist, "from 0 to the spread");
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return setting("the learning rate", self.learning_rate, "a positive number");
        }
        Ok(())
    }
}

/// A map, and what is needed to place new points on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Umap {
    params: UmapParams,
    shape: Shape,
    coordinates: Points,
}

impl Umap {
    /// Neighbours that a map of these parameters wants of each of `n` points.
    #[must_use]
    pub fn n_wanted(params: &UmapParams, n: usize) -> usize {
        (params.n_neighbors - 1).min(n.saturating_sub(1)).max(1)
    }

    /// Draws a map of points whose neighbours are known: [`Umap::n_wanted`] of each, nearest first, without
    /// the point itself.
    ///
    /// # Errors
    /// [`SpaceError::Setting`]; [`SpaceError::NoRows`] for fewer than three points; [`SpaceError::Length`]
    /// unless there are neighbours of every point.
    pub fn fit(
        points: &Points,
        neighbours: &Neighbours,
        params: &UmapParams,
    ) -> Result<Self, SpaceError> {
        params.check()?;
        if points.len() < 3 {
            return Err(SpaceError::NoRows { what: "a map needs three points or more: the table" });
        }
        if neighbours.len() != points.len() {
            let (actual, expected) = (neighbours.len(), points.len());
            return Err(SpaceError::Length { what: "the list of neighbours", actual, expected });
        }
        let shape = Shape::new(params.spread, params.min_dist);
        let edges = graph::fuzzy_union(neighbours);
        let n_epochs = params.n_epochs.unwrap_or(if points.len() <= 10_000 { 500 } else { 200 });
        let start = start(points, params)?;
        let coordinates = layout::lay_out(start, &edges, &shape, n_epochs, params);
        Ok(Self { params: *params, shape, coordinates })
    }

    /// A map that was drawn earlier, with its coordinates row by row.
    ///
    /// # Errors
    /// [`SpaceError::Setting`], [`SpaceError::Width`] unless the coordinates have the map's dimensions.
    pub fn from_parts(params: UmapParams, coordinates: Points) -> Result<Self, SpaceError> {
        params.check()?;
        if coordinates.width() != params.n_dimensions {
            let (actual, expected) = (coordinates.width(), params.n_dimensions);
            return Err(SpaceError::Width { actual, expected });
        }
        let shape = Shape::new(params.spread, params.min_dist);
        Ok(Self { params, shape, coordinates })
    }

    /// Places on the map, row by row.
    #[must_use]
    pub fn coordinates(&self) -> &Points {
        &self.coordinates
    }

    /// The parameters.
    #[must_use]
    pub fn params(&self) -> &UmapParams {
        &self.params
    }

    /// Places for new points. `points` are those the map was made of; they stay where they are.
    ///
    /// # Errors
    /// [`SpaceError::Width`]; [`SpaceError::Length`] unless `points` are as many as the map has.
    pub fn transform(&self, points: &Points, new: &Points) -> Result<Points, SpaceError> {
        if points.len() != self.coordinates.len() {
            let (actual, expected) = (points.len(), self.coordinates.len());
            return Err(SpaceError::Length { what: "the points of the map", actual, expected });
        }
        if new.is_empty() {
            return Points::new(Vec::new(), self.params.n_dimensions);
        }
        let k = self.params.n_neighbors.min(points.len());
        let neighbours = exact(points, Queries::Others(new), k, self.params.metric, None)?;
        layout::place(&self.coordinates, &neighbours, &self.shape, &self.params)
    }
}

/// Principal components, scaled to ±10 on the first as `umap-learn` scales its start, with a little noise,
/// so that equal points can part.
fn start(points: &Points, params: &UmapParams) -> Result<Points, SpaceError> {
    let d = params.n_dimensions;
    let pca = Pca::fit(points, &PcaParams { seed: params.seed, ..PcaParams::new(d) })?;
    let along = pca.transform(points)?;
    let largest = along.values().iter().fold(0.0_f32, |a, v| a.max(v.abs()));
    let scale = if largest > 0.0 { 10.0 / f64::from(largest) } else { 0.0 };
    let mut rng = volary_core::seed::stream(params.seed, "umap start");
    let mut values = Vec::with_capacity(points.len() * d);
    for row in 0..points.len() {
        for j in 0..d {
            let v = along.row(row).get(j).copied().unwrap_or_default();
            values.push((f64::from(v) * scale + 1e-4 * crate::draws::normal(&mut rng)) as f32);
        }
    }
    Points::new(values, d)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
