//! Where the reducers of `panoptes_aggregation` meet the statistics that they ask for.

use volary_core::Form;
use volary_core::hdbscan::{Hdbscan, Selection};
use volary_crowd::shapes::optics::Optics;
use volary_crowd::shapes::outline::{Outline, intersection, levels, union};
use volary_crowd::shapes::{OutlineFault, dbscan::dbscan, panoptes};
use volary_ingest::panoptes::compat::clustering::{
    Clustering, MarkCluster, MarkClusters, MarkJob, MarkMetric, Method, OutlineAverage, OutlineCluster,
    OutlineClusters, OutlineJob, OutlineMark,
};

/// More levels than this are not drawn, as in the original.
const MAX_LEVELS: usize = 10;

/// The statistics of `volary-crowd`.
pub(crate) struct Crowd;

impl Clustering for Crowd {
    fn normalise(&self, form: Form, numbers: &mut [f64]) {
        panoptes::normalise(form, numbers);
    }

    fn marks(&self, marks: &[Vec<f64>], job: &MarkJob) -> MarkClusters {
        let found = panoptes::reduce(marks, method(job.method), metric(job.metric));
        let cluster = |c: panoptes::Reduced| MarkCluster {
            count: c.count,
            average: c.average,
            sigma: c.sigma,
            covariance: c.covariance,
        };
        MarkClusters {
            labels: found.labels,
            probabilities: found.probabilities,
            clusters: found.clusters.into_iter().map(cluster).collect(),
        }
    }

    fn outlines(&self, outlines: &[OutlineMark], job: &OutlineJob) -> OutlineClusters {
        let mut found = OutlineClusters::default();
        let mut drawn: Vec<(Outline, &OutlineMark)> = Vec::new();
        let mut place = Vec::with_capacity(outlines.len());
        for mark in outlines {
            place.push(match Outline::drawn(&mark.points) {
                Ok((outline, fault)) => {
                    found.n_repaired += u64::from(fault == Some(OutlineFault::Crossing));
                    drawn.push((outline, mark));
                    Some(drawn.len() - 1)
                }
                Err(_) => None,
            });
        }
        let distances = Distances::new(&drawn);
        let labels = if drawn.len() < job.min_samples {
            vec![None; drawn.len()]
        } else {
            let is_core = |near: &[usize]| near.len() >= job.min_samples;
            dbscan(drawn.len(), &|i, j| distances.get(i, j), job.eps, &is_core)
        };
        let n_clusters = labels.iter().flatten().max().map_or(0, |m| m + 1);
        for label in 0..n_clusters {
            let members: Vec<usize> = (0..drawn.len()).filter(|&i| labels[i] == Some(label)).collect();
            found.clusters.push(cluster(&members, &drawn, &distances, job));
        }
        found.labels = place.into_iter().map(|at| at.map(|at| labels[at])).collect();
        found
    }
}

fn method(method: Method) -> panoptes::Method {
    match method {
        Method::Dbscan { eps, min_samples } => panoptes::Method::Dbscan { eps, min_samples },
        Method::Hdbscan { min_cluster_size, min_samples, leaf, allow_single_cluster } => {
            let selection = if leaf { Selection::Leaf } else { Selection::Eom };
            panoptes::Method::Hdbscan(Hdbscan {
                min_cluster_size,
                min_samples,
                selection,
                allow_single_cluster,
            })
        }
        Method::Optics { min_samples, min_cluster_size, xi } => {
            panoptes::Method::Optics(Optics { min_samples, min_cluster_size, xi })
        }
    }
}

fn metric(metric: MarkMetric) -> panoptes::Metric {
    match metric {
        MarkMetric::Norm(p) => panoptes::Metric::Norm(p),
        MarkMetric::Shape { form, symmetric } => match panoptes::period(form, symmetric) {
            Some(period) => panoptes::Metric::Turning(period),
            None => panoptes::Metric::Norm(2.0),
        },
        MarkMetric::TimesPlace => panoptes::Metric::TimesPlace,
        MarkMetric::Overlap { form, eps_t, estimate } => {
            panoptes::Metric::Overlap { form, eps_t, estimate }
        }
    }
}

/// 1 − IoU of all pairs; two outlines of one row are infinitely far apart.
struct Distances {
    n: usize,
    far: Vec<f64>,
}

impl Distances {
    fn new(drawn: &[(Outline, &OutlineMark)]) -> Self {
        let n = drawn.len();
        let mut far = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..i {
                let d = if drawn[i].1.row == drawn[j].1.row {
                    f64::INFINITY
                } else {
                    drawn[i].0.distance(&drawn[j].0)
                };
                (far[i * n + j], far[j * n + i]) = (d, d);
            }
        }
        Self { n, far }
    }

    fn get(&self, i: usize, j: usize) -> f64 {
        self.far[i * self.n + j]
    }
}

fn cluster(
    members: &[usize],
    drawn: &[(Outline, &OutlineMark)],
    distances: &Distances,
    job: &OutlineJob,
) -> OutlineCluster {
    // Within a cluster, two of one row count as not overlapping.
    let between = |i: usize, j: usize| distances.get(i, j).min(1.0);
    let mut sum = 0.0;
    let mut n_pairs = 0_u32;
    for (at, &i) in members.iter().enumerate() {
        for &j in &members[at + 1..] {
            sum += between(i, j);
            n_pairs += 1;
        }
    }
    let consensus = if n_pairs == 0 { 1.0 } else { 1.0 - sum / f64::from(n_pairs) };
    let all: Vec<&Outline> = members.iter().map(|&i| &drawn[i].0).collect();
    let one = |outline: Option<Outline>| vec![outline.as_ref().map_or_else(Vec::new, closed)];
    let rings = match job.average {
        None => levels(&all, MAX_LEVELS).iter().map(closed).collect(),
        Some(OutlineAverage::Union) => one(union(&all)),
        Some(OutlineAverage::Intersection) => one(intersection(&all)),
        Some(OutlineAverage::Median) => {
            let cost = |i: usize| members.iter().map(|&j| between(i, j)).sum::<f64>();
            let costs: Vec<f64> = members.iter().map(|&i| cost(i)).collect();
            let best = (0..all.len()).reduce(|a, b| if costs[b] < costs[a] { b } else { a });
            one(best.map(|b| all[b].clone()))
        }
        Some(OutlineAverage::Last) => {
            let when = |at: usize| drawn[members[at]].1.created_ms;
            let last = (0..all.len()).reduce(|a, b| if when(b) > when(a) { b } else { a });
            one(last.map(|at| all[at].clone()))
        }
    };
    OutlineCluster { count: members.len(), consensus, rings }
}

/// The corners, the first again at the end.
fn closed(outline: &Outline) -> Vec<(f64, f64)> {
    let ring = outline.ring();
    ring.iter().chain(ring.first()).copied().collect()
}
