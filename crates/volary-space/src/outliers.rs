//! How unusual vectors are, without a network: three plain measures that a network has to beat.
//!
//! | measure | what is unusual |
//! |---|---|
//! | [`Measure::Pca`] | what principal components lose: the squared distance from their plane |
//! | [`Measure::Knn`] | the distance to the k-th nearest vector (Ramaswamy, Rastogi & Shim 2000, doi:10.1145/335191.335437) |
//! | [`Measure::Forest`] | how few random cuts set it apart ([`forest`]) |
//!
//! Larger is more unusual; each has a scale of its own, so compare them by ranks. [`Outliers::fit`] learns
//! from ordinary vectors, [`Outliers::score`] judges others; vectors may be judged by themselves
//! ([`Outliers::score_fitted`]), where none is its own neighbour.

pub mod forest;

use crate::error::SpaceError;
use crate::neighbours::{Metric, Neighbours, Queries, exact};
use crate::outliers::forest::{Forest, ForestParams};
use crate::pca::{Pca, PcaParams};
use crate::points::Points;

/// Which measure, with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure {
    /// What so many principal components lose.
    Pca {
        /// Components.
        n_components: usize,
    },
    /// The distance to the k-th nearest.
    Knn {
        /// Which neighbour.
        k: usize,
        /// By which distance.
        metric: Metric,
    },
    /// Isolation forest.
    Forest(ForestParams),
}

impl Measure {
    /// Its name in tables and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pca { .. } => "pca",
            Self::Knn { .. } => "knn",
            Self::Forest(_) => "forest",
        }
    }
}

/// A measure that knows what is ordinary.
#[derive(Clone, Debug)]
pub struct Outliers {
    measure: Measure,
    fitted: Fitted,
}

#[derive(Clone, Debug)]
enum Fitted {
    Pca(Pca),
    Knn(Points),
    Forest(Forest),
}

impl Outliers {
    /// Learns from vectors. `seed` is that of what is drawn.
    ///
    /// # Errors
    /// [`SpaceError::NoRows`] for fewer than two vectors; [`SpaceError::Setting`].
    pub fn fit(points: &Points, measure: Measure, seed: u64) -> Result<Self, SpaceError> {
        if points.len() < 2 {
            return Err(SpaceError::NoRows { what: "two vectors or more are needed: the table" });
        }
        let fitted = match measure {
            Measure::Pca { n_components } => {
                Fitted::Pca(Pca::fit(points, &PcaParams { seed, ..PcaParams::new(n_components) })?)
            }
            Measure::Knn { k, .. } => {
                if k == 0 {
                    let must = "at least 1";
                    return Err(SpaceError::Setting { name: "the neighbour", value: 0.0, must });
                }
                Fitted::Knn(points.clone())
            }
            Measure::Forest(params) => Fitted::Forest(Forest::fit(points, &params, seed)?),
        };
        Ok(Self { measure, fitted })
    }

    /// How unusual other vectors are.
    ///
    /// # Errors
    /// [`SpaceError::Width`] for vectors of another length.
    pub fn score(&self, points: &Points) -> Result<Vec<f64>, SpaceError> {
        match (&self.fitted, self.measure) {
            (Fitted::Pca(pca), _) => pca.reconstruction_error(points),
            (Fitted::Knn(known), Measure::Knn { k, metric }) => {
                Ok(furthest(&exact(known, Queries::Others(points), k, metric, None)?))
            }
            (Fitted::Forest(forest), _) => forest.score(points),
            // A measure is fitted by its own kind only.
            (Fitted::Knn(_), _) => Ok(Vec::new()),
        }
    }

    /// How unusual the vectors are that it learned from. `points` are these.
    ///
    /// # Errors
    /// As [`Outliers::score`].
    pub fn score_fitted(&self, points: &Points) -> Result<Vec<f64>, SpaceError> {
        match (&self.fitted, self.measure) {
            (Fitted::Knn(known), Measure::Knn { k, metric }) => {
                Ok(furthest(&exact(known, Queries::All, k, metric, None)?))
            }
            _ => self.score(points),
        }
    }
}

/// The distance to the last of the neighbours.
fn furthest(found: &Neighbours) -> Vec<f64> {
    let last = |i: usize| found.distances(i).last().map_or(f64::NAN, |d| f64::from(*d));
    (0..found.len()).map(last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::normal;
    use volary_core::seed::stream;

    /// A cloud in a plane of five dimensions, and ten vectors off it, the last ones.
    fn cloud(n: usize) -> Points {
        let mut rng = stream(1, "outliers test");
        let mut values = Vec::new();
        for at in 0..n {
            let (a, b) = (normal(&mut rng), normal(&mut rng));
            let off = if at + 10 >= n { 8.0 } else { 0.0 };
            let noise: Vec<f64> = (0..3).map(|_| 0.1 * normal(&mut rng)).collect();
            values.extend([a, b, noise[0] + off, noise[1] - off, noise[2]].map(|v| v as f32));
        }
        Points::new(values, 5).unwrap()
    }

    fn all() -> [Measure; 3] {
        [
            Measure::Pca { n_components: 2 },
            Measure::Knn { k: 15, metric: Metric::Euclidean },
            Measure::Forest(ForestParams::default()),
        ]
    }

    #[test]
    fn every_measure_puts_what_is_off_the_plane_first() {
        let points = cloud(400);
        let ordinary = points.select(&(0..390).collect::<Vec<_>>());
        for measure in all() {
            let outliers = Outliers::fit(&ordinary, measure, 3).unwrap();
            let scores = outliers.score(&points).unwrap();
            let mut order: Vec<usize> = (0..400).collect();
            order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
            // A forest that knows only ordinary ones cannot tell what is far from what is at the edge.
            let n_first = if measure.as_str() == "forest" { 40 } else { 10 };
            let n_found = order[..n_first].iter().filter(|&&row| row >= 390).count();
            assert_eq!(n_found, 10, "{measure:?}: {:?}", &order[..n_first]);
        }
    }

    #[test]
    fn distances_on_paper() {
        let points = Points::new(vec![0.0, 1.0, 3.0, 7.0], 1).unwrap();
        let knn = |k| {
            let outliers =
                Outliers::fit(&points, Measure::Knn { k, metric: Metric::Euclidean }, 0).unwrap();
            (outliers.score_fitted(&points).unwrap(), outliers.score(&points).unwrap())
        };
        // By itself nobody is a neighbour of its own; as another vector it is, at distance 0.
        assert_eq!(knn(1), (vec![1.0, 1.0, 2.0, 4.0], vec![0.0; 4]));
        assert_eq!(knn(2).0, [3.0, 2.0, 3.0, 6.0]);
    }

    #[test]
    fn bad_input_is_refused() {
        let points = cloud(50);
        let one = points.select(&[0]);
        for measure in all() {
            assert!(Outliers::fit(&one, measure, 0).is_err(), "{measure:?}");
            let narrow = Points::new(vec![1.0; 8], 2).unwrap();
            let outliers = Outliers::fit(&points, measure, 0).unwrap();
            assert!(matches!(outliers.score(&narrow), Err(SpaceError::Width { .. })), "{measure:?}");
        }
        let none = Measure::Knn { k: 0, metric: Metric::Euclidean };
        assert!(Outliers::fit(&points, none, 0).is_err());
        assert!(Outliers::fit(&points, Measure::Pca { n_components: 0 }, 0).is_err());
    }
}
