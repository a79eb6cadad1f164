//! What did they draw: the marks of several volunteers become consensus shapes.
//!
//! | question | module |
//! |---|---|
//! | which marks are one thing, who drew it, where is it | [`consensus`] |
//! | the same as `panoptes_aggregation` computes it | [`panoptes`] |
//! | how far apart are two marks | [`mod@measure`], [`convex`], [`outline`], [`angle`] |
//! | clusters by density | [`mod@dbscan`], [`volary_core::hdbscan`], [`mod@optics`] |
//! | at most one mark of a volunteer | [`single`] |

pub mod angle;
pub mod consensus;
pub mod convex;
pub mod dbscan;
pub mod measure;
pub mod optics;
pub mod outline;
pub mod panoptes;
mod ring_order;
pub mod single;
mod summary;

pub use consensus::{Fate, Group, MarkFate, ShapeConsensus, shapes};
pub use measure::{Mark, Measure};
pub use outline::{Outline, OutlineFault};
pub use summary::{Cluster, Estimate, OutlineSummary};

use crate::error::CrowdError;
use crate::repeats::Repeats;

/// Which clusters are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Algorithm {
    /// One density everywhere.
    #[default]
    Dbscan,
    /// Every density.
    Hdbscan,
    /// Valleys of the reachability plot, with walls of this steepness.
    Optics {
        /// 0 to 1.
        xi: f64,
    },
}

/// Which marks of a volunteer may share a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Members {
    /// One; see [`single`].
    #[default]
    OnePerVolunteer,
    /// All of them, as in `panoptes_aggregation`.
    EveryMark,
}

/// What is asked of a consensus of shapes. A value that exists is valid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShapeParams {
    pub(crate) algorithm: Algorithm,
    pub(crate) measure: Measure,
    pub(crate) eps_px: f64,
    pub(crate) min_iou: f64,
    pub(crate) min_volunteers: usize,
    pub(crate) members: Members,
    pub(crate) repeats: Repeats,
    pub(crate) level: f64,
}

/// Forms without an area: neighbours are this close, px.
pub const DEFAULT_EPS_PX: f64 = 20.0;
/// Forms with an area: neighbours overlap at least so much.
pub const DEFAULT_MIN_IOU: f64 = 0.5;
/// So many volunteers make a consensus.
pub const DEFAULT_MIN_VOLUNTEERS: usize = 3;

impl Default for ShapeParams {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::Dbscan,
            measure: Measure::Auto,
            eps_px: DEFAULT_EPS_PX,
            min_iou: DEFAULT_MIN_IOU,
            min_volunteers: DEFAULT_MIN_VOLUNTEERS,
            members: Members::OnePerVolunteer,
            repeats: Repeats::First,
            level: 0.95,
        }
    }
}

impl ShapeParams {
    /// With an algorithm and a measure of distance.
    #[must_use]
    pub fn with(self, algorithm: Algorithm, measure: Measure) -> Self {
        Self { algorithm, measure, ..self }
    }

    /// With another rule about volunteers and their repeats.
    #[must_use]
    pub fn counting(self, members: Members, repeats: Repeats) -> Self {
        Self { members, repeats, ..self }
    }

    /// With other thresholds: neighbours within `eps_px` or overlapping by `min_iou`, and at least
    /// `min_volunteers` of them.
    ///
    /// # Errors
    /// Where a threshold is out of its range.
    pub fn thresholds(
        self,
        eps_px: f64,
        min_iou: f64,
        min_volunteers: usize,
    ) -> Result<Self, CrowdError> {
        let refuse = |name, value, must| Err(CrowdError::Shapes { name, value, must });
        if !(eps_px.is_finite() && eps_px > 0.0) {
            return refuse("eps", eps_px, "a positive number of pixels");
        }
        if !(min_iou > 0.0 && min_iou < 1.0) {
            return refuse("the overlap (IoU)", min_iou, "between 0 and 1");
        }
        if min_volunteers == 0 {
            return refuse("the number of volunteers", 0.0, "at least 1");
        }
        Ok(Self { eps_px, min_iou, min_volunteers, ..self })
    }

    /// With intervals at another level.
    ///
    /// # Errors
    /// Where the level is not within (0, 1).
    pub fn level(self, level: f64) -> Result<Self, CrowdError> {
        if level > 0.0 && level < 1.0 {
            Ok(Self { level, ..self })
        } else {
            Err(CrowdError::Level { level })
        }
    }
}
