//! Clustering as the reducers of marks ask for it. Statistics live in another crate, which this one does not
//! know: whoever reduces hands in something that clusters.

use volary_core::Form;

/// Clusters marks.
pub trait Clustering: Sync {
    /// A mark in its normal way of being written, for `symmetric: true`.
    fn normalise(&self, form: Form, numbers: &mut [f64]);

    /// Clusters marks by their numbers; a rectangle stands at its top-left corner.
    fn marks(&self, marks: &[Vec<f64>], job: &MarkJob) -> MarkClusters;

    /// Clusters outlines by overlap.
    fn outlines(&self, outlines: &[OutlineMark], job: &OutlineJob) -> OutlineClusters;
}

/// How marks are clustered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// `sklearn.cluster.DBSCAN`.
    Dbscan {
        /// Largest distance of neighbours.
        eps: f64,
        /// Neighbours that make a core, itself among them.
        min_samples: usize,
    },
    /// `sklearn.cluster.HDBSCAN`.
    Hdbscan {
        /// Smallest cluster.
        min_cluster_size: usize,
        /// Neighbours that make a core, itself among them.
        min_samples: usize,
        /// `cluster_selection_method: leaf` instead of `eom`.
        leaf: bool,
        /// Whether all may be one.
        allow_single_cluster: bool,
    },
    /// `sklearn.cluster.OPTICS`.
    Optics {
        /// Neighbours that make a core, itself among them.
        min_samples: usize,
        /// Smallest cluster.
        min_cluster_size: usize,
        /// Steepness of its walls.
        xi: f64,
    },
}

/// How far apart two marks are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MarkMetric {
    /// The p-norm over all numbers.
    Norm(f64),
    /// Euclidean, with directions where the form has one.
    Shape {
        /// The form.
        form: Form,
        /// With the form's symmetry.
        symmetric: bool,
    },
    /// Places times (time + 1), squared.
    TimesPlace,
    /// 1 − IoU.
    Overlap {
        /// The form.
        form: Form,
        /// Width of a moment.
        eps_t: f64,
        /// Take the most central member as the average.
        estimate: bool,
    },
}

/// What to do with marks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MarkJob {
    /// The algorithm.
    pub method: Method,
    /// The distance.
    pub metric: MarkMetric,
}

/// Clusters of marks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MarkClusters {
    /// Cluster by mark; `None` is noise.
    pub labels: Vec<Option<u32>>,
    /// Membership by mark, where the algorithm has it.
    pub probabilities: Option<Vec<f64>>,
    /// The clusters, by label.
    pub clusters: Vec<MarkCluster>,
}

/// One cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct MarkCluster {
    /// Marks in it.
    pub count: usize,
    /// Its average.
    pub average: Vec<f64>,
    /// Standard deviation by overlap.
    pub sigma: Option<f64>,
    /// Variances of x and y, and their covariance.
    pub covariance: Option<[f64; 3]>,
}

/// An outline.
#[derive(Clone, Debug, PartialEq)]
pub struct OutlineMark {
    /// Its corners.
    pub points: Vec<(f64, f64)>,
    /// Number of the row of the extraction; two outlines of one row never neighbour each other.
    pub row: usize,
    /// When it was drawn.
    pub created_ms: Option<i64>,
}

/// The average of outlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutlineAverage {
    /// The one with the least distance to the others.
    Median,
    /// All of them together.
    Union,
    /// What they share.
    Intersection,
    /// The latest.
    Last,
}

/// What to do with outlines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutlineJob {
    /// Largest 1 − IoU of neighbours.
    pub eps: f64,
    /// Neighbours that make a core, itself among them.
    pub min_samples: usize,
    /// How a cluster is averaged; `None` for its levels of agreement.
    pub average: Option<OutlineAverage>,
}

/// Clusters of outlines.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutlineClusters {
    /// Cluster by outline; the outer `None` is an outline without an area, which has no place in the tables.
    pub labels: Vec<Option<Option<u32>>>,
    /// Outlines that crossed themselves.
    pub n_repaired: u64,
    /// The clusters, by label.
    pub clusters: Vec<OutlineCluster>,
}

/// One cluster of outlines.
#[derive(Clone, Debug, PartialEq)]
pub struct OutlineCluster {
    /// Outlines in it.
    pub count: usize,
    /// Mean IoU of two of them.
    pub consensus: f64,
    /// The average, or the levels of agreement; closed, so that the last corner is the first.
    pub rings: Vec<Vec<(f64, f64)>>,
}
