//! The shape reducers of `panoptes_aggregation` 5.3.1, as they compute.
//!
//! Same distances (euclidean over the parameters with degrees beside pixels, or overlap), same clusters,
//! same averages, and no rule about who drew what: for teams whose notebooks read those tables. Our own
//! consensus is [`super::consensus`].
//!
//! Where a rectangle has `x, y`, they are its top-left corner here, as in those tables. One thing is not the
//! same: with `estimate_average: false` the original searches the average shape by DIRECT, whose answer
//! depends on how far its boxes were cut; ours descends from the members and their mean (Nelder & Mead
//! 1965), shakes the best a few dozen times, and keeps the best of all.

use volary_core::Form;
use volary_core::seed::stream;

use super::angle::{angle_distance, searched_average};
use super::convex::{Convex, bounds};
use super::dbscan::dbscan;
use super::measure::{Kept, MAX_KEPT};
use super::optics::{Optics, optics, optics_by};
use volary_core::hdbscan::{Hdbscan, hdbscan};

/// How often an average shape that was found is shaken and searched from anew.
const SHAKES: u32 = 40;

/// How marks are clustered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// By density at one distance.
    Dbscan {
        /// Largest distance of neighbours.
        eps: f64,
        /// Neighbours that make a core, itself among them.
        min_samples: usize,
    },
    /// By density at all distances.
    Hdbscan(Hdbscan),
    /// By valleys of the reachability plot.
    Optics(Optics),
}

/// How far apart two marks are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Metric {
    /// The p-norm of the difference of all parameters: 1, 2, or infinity.
    Norm(f64),
    /// Euclidean, where the last parameter is a direction of this period, degrees.
    Turning(f64),
    /// The squared difference of places times (time + 1), as the temporal point reducers have it.
    TimesPlace,
    /// 1 − intersection over union.
    Overlap {
        /// What the marks are.
        form: Form,
        /// Width of a moment, for forms with a time.
        eps_t: f64,
        /// Take the most central member for the average.
        estimate: bool,
    },
}

/// One cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduced {
    /// Its number among the labels.
    pub label: u32,
    /// How many marks it has.
    pub count: usize,
    /// Its average, in the order of the parameters.
    pub average: Vec<f64>,
    /// Standard deviation by overlap, for [`Metric::Overlap`].
    pub sigma: Option<f64>,
    /// Variance of the first parameter, of the second, and their covariance; `None` for a single mark.
    pub covariance: Option<[f64; 3]>,
}

/// All marks and clusters of one tool on one frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reduction {
    /// Cluster by mark; `None` is noise.
    pub labels: Vec<Option<u32>>,
    /// How surely each belongs there; HDBSCAN only.
    pub probabilities: Option<Vec<f64>>,
    /// The clusters, by label.
    pub clusters: Vec<Reduced>,
}

/// The period of a form's last parameter, degrees, where that is a direction: of the form as drawn, or
/// with its symmetry.
#[must_use]
pub fn period(form: Form, symmetric: bool) -> Option<f64> {
    let turns = match form {
        Form::Ellipse | Form::RotatedRectangle => 2.0,
        Form::Triangle => 3.0,
        Form::Fan => 1.0,
        _ => return None,
    };
    Some(if symmetric { 360.0 / turns } else { 360.0 })
}

/// The same mark in one of its equivalent ways of being written: the longer axis first, the left end
/// first, the angle within one period.
pub fn normalise(form: Form, p: &mut [f64]) {
    match (form, &mut *p) {
        (Form::Ellipse, [_, _, rx, ry, angle]) => {
            *angle = if *ry <= *rx { *angle } else { *angle - 90.0 }.rem_euclid(180.0);
            (*rx, *ry) = (rx.max(*ry), rx.min(*ry));
        }
        (Form::RotatedRectangle, [x, y, w, h, angle]) => {
            if *h <= *w {
                *angle = angle.rem_euclid(180.0);
            } else {
                let delta = (*h - *w) / 2.0;
                *x -= delta;
                *y += delta;
                std::mem::swap(w, h);
                *angle = (*angle - 90.0).rem_euclid(180.0);
            }
        }
        (Form::Line, [x1, y1, x2, y2]) if *x1 > *x2 || (*x1 == *x2 && *y1 >= *y2) => {
            std::mem::swap(x1, x2);
            std::mem::swap(y1, y2);
        }
        (Form::Triangle, [_, _, _, angle]) => *angle = angle.rem_euclid(120.0),
        _ => {}
    }
}

/// Clusters marks and averages each cluster. Fewer marks than the method asks for are all noise.
#[must_use]
pub fn reduce(marks: &[Vec<f64>], method: Method, metric: Metric) -> Reduction {
    let n = marks.len();
    let distance = Distances::new(marks, metric);
    let between = |i: usize, j: usize| distance.between(i, j);
    let nothing = Reduction { labels: vec![None; n], ..Reduction::default() };
    let (labels, probabilities) = match method {
        Method::Dbscan { min_samples, .. } if n < min_samples => return nothing,
        Method::Dbscan { eps, min_samples } => {
            (dbscan(n, &between, eps, &|near| near.len() >= min_samples), None)
        }
        Method::Hdbscan(params) => {
            let found = hdbscan(n, &between, &params);
            (found.labels, Some(found.probabilities))
        }
        Method::Optics(params) if metric == Metric::Norm(2.0) => {
            let reach = |i: usize, j: usize| by_products(&marks[i], &marks[j]);
            (optics_by(n, &between, &reach, &params), None)
        }
        Method::Optics(params) => (optics(n, &between, &params), None),
    };
    let n_clusters = labels.iter().flatten().max().map_or(0, |m| m + 1);
    let clusters = (0..n_clusters).map(|label| {
        let members: Vec<usize> = (0..n).filter(|&i| labels[i] == Some(label)).collect();
        let weights = probabilities.as_ref().map(|p| members.iter().map(|&i| p[i]).collect());
        average(marks, &members, &distance, label, weights)
    });
    let clusters = clusters.collect();
    Reduction { labels, probabilities, clusters }
}

fn average(
    marks: &[Vec<f64>],
    members: &[usize],
    distance: &Distances<'_>,
    label: u32,
    weights: Option<Vec<f64>>,
) -> Reduced {
    let chosen: Vec<&[f64]> = members.iter().map(|&i| marks[i].as_slice()).collect();
    let (average, sigma) = match distance.metric {
        Metric::Overlap { form, eps_t, estimate } => {
            let (average, sigma) = distance.average(&chosen, members, form, eps_t, estimate);
            (average, Some(sigma))
        }
        Metric::Turning(period) => {
            let mut average = mean(&chosen);
            if let Some(last) = average.last_mut() {
                let angles: Vec<f64> = chosen.iter().filter_map(|m| m.last().copied()).collect();
                *last = searched_average(&angles, period);
            }
            (average, None)
        }
        _ => (mean(&chosen), None),
    };
    let covariance = covariance(&chosen, weights.as_deref());
    Reduced { label, count: members.len(), average, sigma, covariance }
}

fn mean(marks: &[&[f64]]) -> Vec<f64> {
    let n = marks.len() as f64;
    let width = marks.first().map_or(0, |m| m.len());
    (0..width).map(|p| marks.iter().map(|m| m[p]).sum::<f64>() / n).collect()
}

/// As `numpy.cov` with `aweights`.
fn covariance(marks: &[&[f64]], weights: Option<&[f64]>) -> Option<[f64; 3]> {
    if marks.len() < 2 || marks[0].len() < 2 {
        return None;
    }
    let weight = |i: usize| weights.map_or(1.0, |w| w[i]);
    let total: f64 = (0..marks.len()).map(weight).sum();
    let squares: f64 = (0..marks.len()).map(|i| weight(i) * weight(i)).sum();
    let centre = |p: usize| (0..marks.len()).map(|i| weight(i) * marks[i][p]).sum::<f64>() / total;
    let middle = [centre(0), centre(1)];
    let rest = total - squares / total;
    let moment = |a: usize, b: usize| {
        let term = |i: usize| weight(i) * (marks[i][a] - middle[a]) * (marks[i][b] - middle[b]);
        (0..marks.len()).map(term).sum::<f64>() / rest
    };
    let found = [moment(0, 0), moment(1, 1), moment(0, 1)];
    found.iter().all(|x| x.is_finite()).then_some(found)
}

/// Distances of marks, with their polygons at hand where they are compared by overlap.
struct Distances<'m> {
    marks: &'m [Vec<f64>],
    metric: Metric,
    polygons: Vec<Convex>,
    /// Overlaps, which take longest and are asked for again and again.
    kept: Option<Kept>,
}

impl<'m> Distances<'m> {
    fn new(marks: &'m [Vec<f64>], metric: Metric) -> Self {
        let polygons = match metric {
            Metric::Overlap { form, .. } => marks.iter().map(|m| polygon(form, m)).collect(),
            _ => Vec::new(),
        };
        let mut this = Self { marks, metric, polygons, kept: None };
        if matches!(metric, Metric::Overlap { .. }) && marks.len() <= MAX_KEPT {
            this.kept = Some(Kept::new(marks.len(), &|i, j| this.compute(i, j)));
        }
        this
    }

    fn between(&self, i: usize, j: usize) -> f64 {
        match &self.kept {
            Some(kept) => kept.get(i, j),
            None => self.compute(i, j),
        }
    }

    fn compute(&self, i: usize, j: usize) -> f64 {
        let (a, b) = (self.marks[i].as_slice(), self.marks[j].as_slice());
        match self.metric {
            Metric::Norm(p) => norm(a.iter().zip(b).map(|(x, y)| x - y), p),
            Metric::Turning(period) => {
                let last = a.len() - 1;
                let straight = a[..last].iter().zip(b).map(|(x, y)| x - y);
                norm(straight.chain([angle_distance(a[last], b[last], period)]), 2.0)
            }
            Metric::TimesPlace => match (a, b) {
                (&[x1, y1, t1], &[x2, y2, t2]) => {
                    (x1 * (t1 + 1.0) - x2 * (t2 + 1.0)).powi(2)
                        + (y1 * (t1 + 1.0) - y2 * (t2 + 1.0)).powi(2)
                }
                _ => f64::INFINITY,
            },
            Metric::Overlap { form, eps_t, .. } => {
                let moments = times(form, a, b, eps_t);
                apart(&self.polygons[i], &self.polygons[j], moments)
            }
        }
    }

    /// The average by overlap and the standard deviation about it.
    fn average(
        &self,
        chosen: &[&[f64]],
        members: &[usize],
        form: Form,
        eps_t: f64,
        estimate: bool,
    ) -> (Vec<f64>, f64) {
        let cost = |i: usize| -> f64 {
            members.iter().filter(|&&j| j != i).map(|&j| self.between(i, j).powi(2)).sum()
        };
        let costs: Vec<f64> = members.iter().map(|&i| cost(i)).collect();
        // Of members as good as each other (two of two always are) the first, whatever rounding says.
        let better = |a: usize, b: usize| costs[b] < costs[a] * (1.0 - 1e-9);
        let best = (0..members.len()).reduce(|a, b| if better(a, b) { b } else { a });
        let Some(best) = best else { return (Vec::new(), 0.0) };
        let (mut average, mut least) = (chosen[best].to_vec(), costs[best]);
        if !estimate {
            let polygons: Vec<&Convex> = members.iter().map(|&i| &self.polygons[i]).collect();
            let total = |p: &[f64]| -> f64 {
                let here = polygon(form, p);
                let terms = polygons.iter().zip(chosen);
                terms.map(|(g, m)| apart(&here, g, times(form, p, m, eps_t)).powi(2)).sum()
            };
            let limits = limits(form, &polygons);
            // The mean of all, and up to a dozen members, since the valley has steps.
            let starts = chosen.iter().take(12).map(|m| m.to_vec()).chain([mean(chosen)]);
            for start in starts {
                let (found, cost) = descend(&total, &start, &limits);
                if cost < least * (1.0 - 1e-9) {
                    (average, least) = (found, cost);
                }
            }
            // The valley has steps where corners pass each other: shake what was found, ever less.
            let rng = &mut stream(0, "average shape");
            let mut reach = 0.4;
            for _ in 0..SHAKES {
                let shaken: Vec<f64> = average
                    .iter()
                    .zip(&limits)
                    .map(|(x, (low, high))| {
                        let width = if (high - low).is_finite() { high - low } else { 1.0 };
                        x + reach * width * crate::draws::normal(rng)
                    })
                    .collect();
                let (found, cost) = descend(&total, &shaken, &limits);
                if cost < least * (1.0 - 1e-9) {
                    (average, least) = (found, cost);
                }
                reach *= 0.9;
            }
        }
        (average, (least / (members.len() - 1).max(1) as f64).sqrt())
    }
}

fn norm(differences: impl Iterator<Item = f64>, p: f64) -> f64 {
    if p.is_infinite() {
        differences.fold(0.0, |m, d| m.max(d.abs()))
    } else if p == 2.0 {
        differences.map(|d| d * d).sum::<f64>().sqrt()
    } else if p == 1.0 {
        differences.map(f64::abs).sum()
    } else {
        differences.map(|d| d.abs().powf(p)).sum::<f64>().powf(1.0 / p)
    }
}

/// The euclidean distance as scikit-learn's `euclidean_distances` computes it: √(a·a − 2 a·b + b·b), with
/// numpy's order of sums and fused products. It is less exact than [`norm`], by 1e-13 or so; but marks lie on
/// whole pixels, so that distances tie, and then these last digits decide which mark OPTICS reaches first.
fn by_products(a: &[f64], b: &[f64]) -> f64 {
    let square = |x: &[f64]| -> f64 {
        // Four lanes, folded in half twice.
        let lane = |l: usize| x.iter().skip(l).step_by(4).map(|v| v * v).sum::<f64>();
        (lane(0) + lane(2)) + (lane(1) + lane(3))
    };
    let dot = match (a, b) {
        ([a0, a1], [b0, b1]) => a0.mul_add(*b0, a1 * b1),
        _ => a.iter().zip(b).fold(0.0, |sum, (x, y)| x.mul_add(*y, sum)),
    };
    (-2.0 * dot + square(a) + square(b)).max(0.0).sqrt()
}

/// A mark with its top-left corner as a polygon.
fn polygon(form: Form, p: &[f64]) -> Convex {
    let mut centred = p.to_vec();
    if let (Form::Rectangle | Form::RotatedRectangle, [x, y, w, h, ..]) = (form, &mut centred[..]) {
        *x += *w / 2.0;
        *y += *h / 2.0;
    }
    Convex::of(form, &centred).unwrap_or_default()
}

/// For forms with a time: the width of a moment, and how much of it two share.
fn times(form: Form, a: &[f64], b: &[f64], eps_t: f64) -> Option<(f64, f64)> {
    let (Form::TemporalRotatedRectangle, Some(s), Some(t)) = (form, a.last(), b.last()) else {
        return None;
    };
    Some((eps_t, (eps_t - (s - t).abs()).max(0.0)))
}

fn apart(a: &Convex, b: &Convex, moments: Option<(f64, f64)>) -> f64 {
    let (all, shared) = moments.unwrap_or((1.0, 1.0));
    let overlap = a.overlap(b) * shared;
    let union = (a.area() + b.area()) * all - overlap;
    if union <= 0.0 { f64::INFINITY } else { 1.0 - overlap / union }
}

/// Within what the average is searched: no shape smaller than a pixel, none outside all members.
fn limits(form: Form, polygons: &[&Convex]) -> Vec<(f64, f64)> {
    let corners: Vec<(f64, f64)> = polygons.iter().flat_map(|p| p.corners().iter().copied()).collect();
    let (x0, y0, x1, y1) = bounds(&corners);
    let (w, h) = ((x1 - x0).max(1.0), (y1 - y0).max(1.0));
    let mut limits = vec![(x0, x1), (y0, y1)];
    match form {
        Form::Circle => limits.push((1.0, w.max(h))),
        Form::Triangle => limits.extend([(1.0, w.max(h)), (0.0, 120.0)]),
        Form::Rectangle => limits.extend([(1.0, w), (1.0, h)]),
        Form::TemporalRotatedRectangle => {
            limits.extend([(1.0, w), (1.0, h), (0.0, 180.0), (f64::NEG_INFINITY, f64::INFINITY)]);
        }
        _ => limits.extend([(1.0, w), (1.0, h), (0.0, 180.0)]),
    }
    limits
}

/// Nelder & Mead's simplex from a start, three times, within limits.
fn descend(cost: &impl Fn(&[f64]) -> f64, start: &[f64], limits: &[(f64, f64)]) -> (Vec<f64>, f64) {
    let clamp = |p: &mut Vec<f64>| {
        p.iter_mut().zip(limits).for_each(|(x, (low, high))| *x = x.clamp(*low, *high));
    };
    let mut best = start.to_vec();
    clamp(&mut best);
    for _ in 0..3 {
        let mut simplex = vec![(cost(&best), best.clone())];
        for (i, (low, high)) in limits.iter().enumerate() {
            let width = if (high - low).is_finite() { high - low } else { 1.0 };
            let mut p = best.clone();
            p[i] += if p[i] + 0.1 * width > *high { -0.1 * width } else { 0.1 * width };
            clamp(&mut p);
            simplex.push((cost(&p), p));
        }
        for _ in 0..200 * limits.len() {
            simplex.sort_by(|a, b| a.0.total_cmp(&b.0));
            let worst = simplex.len() - 1;
            if (simplex[worst].0 - simplex[0].0).abs() <= 1e-12 {
                break;
            }
            let n = worst as f64;
            let centre: Vec<f64> = (0..limits.len())
                .map(|i| simplex[..worst].iter().map(|s| s.1[i]).sum::<f64>() / n)
                .collect();
            let along = |t: f64| {
                let mut p: Vec<f64> =
                    centre.iter().zip(&simplex[worst].1).map(|(c, w)| c + t * (w - c)).collect();
                clamp(&mut p);
                (cost(&p), p)
            };
            let reflected = along(-1.0);
            let next = if reflected.0 < simplex[0].0 {
                let further = along(-2.0);
                if further.0 < reflected.0 { further } else { reflected }
            } else if reflected.0 < simplex[worst - 1].0 {
                reflected
            } else {
                along(if reflected.0 < simplex[worst].0 { -0.5 } else { 0.5 })
            };
            if next.0 < simplex[worst].0 {
                simplex[worst] = next;
                continue;
            }
            let lowest = simplex[0].1.clone();
            for s in &mut simplex[1..] {
                s.1.iter_mut().zip(&lowest).for_each(|(x, l)| *x = f64::midpoint(*x, *l));
                s.0 = cost(&s.1);
            }
        }
        simplex.sort_by(|a, b| a.0.total_cmp(&b.0));
        best = simplex.swap_remove(0).1;
    }
    let least = cost(&best);
    (best, least)
}

#[cfg(test)]
#[path = "panoptes_tests.rs"]
mod tests;
