//! The boundary in latent space that carries people's taste to images nobody has seen.
//!
//! Principal components, then logistic regression with balanced classes (a rare class would be passed over
//! otherwise); a subject is selected where its probability is ½ or more. The label is yes where a quantity
//! (the chosen fraction, a feature score, their product) exceeds a threshold; [`sweep`] goes through many
//! thresholds and says, on subjects held out, what each selects. Precision and recall have their usual
//! names: the paper that this follows has them exchanged (Mantha et al., Galaxy Zoo: Weird & Wonderful;
//! see the book). In every row precision × selected = recall × prevalence.
//!
//! [`Prepared`] holds what all thresholds share (split, components), so that one more threshold costs one
//! regression: a page can ask for it while somebody waits. What the boundary does to groups such as tags is
//! in [`Prepared::groups`], what a lower limit on a score does in [`Prepared::by_cut`].
//!
//! A trap: where the quantity contains a score of the network that also made the vectors, better figures do
//! not mean better agreement with people.

mod cuts;
mod split;

pub use cuts::Kept;
pub use split::strata;

use self::split::{Split, drawn, keys, split_grouped, split_within};
use crate::check::check_length;
use crate::error::SpaceError;
use crate::logistic::{Logistic, LogisticParams};
use crate::pca::{Pca, PcaParams};
use crate::points::Points;
use crate::resample::{Bootstrap, Estimate, Units};

/// A subject is selected from this probability on.
pub const SELECTED_FROM: f64 = 0.5;

/// How to fit and to judge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoundaryParams {
    /// Principal components that are kept.
    pub n_components: usize,
    /// The regression.
    pub logistic: LogisticParams,
    /// Share of the subjects that are held out to judge on.
    pub held_out: f64,
    /// Seed of the split.
    pub seed: u64,
    /// Intervals.
    pub bootstrap: Bootstrap,
}

impl Default for BoundaryParams {
    /// Those of the command line.
    fn default() -> Self {
        Self {
            n_components: 25,
            logistic: LogisticParams { c: 1.0, balanced: true },
            held_out: 0.2,
            seed: 1,
            // 200 samples: as many as the sweep of a large table has time for.
            bootstrap: Bootstrap { replicates: 200, seed: 1, ..Bootstrap::default() },
        }
    }
}

/// A boundary: everything that is needed to select among new vectors.
#[derive(Clone, Debug, PartialEq)]
pub struct Boundary {
    /// Reduces vectors.
    pub pca: Pca,
    /// Tells the two sides apart.
    pub logistic: Logistic,
}

impl Boundary {
    /// The probability that each vector would be chosen (on the scale of balanced classes, if these were
    /// asked for).
    ///
    /// # Errors
    /// [`SpaceError::Width`] for vectors of another length.
    pub fn score(&self, points: &Points) -> Result<Vec<f64>, SpaceError> {
        self.logistic.predict(&self.pca.transform(points)?)
    }
}

/// A quantity whose thresholds make the labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantity {
    /// Its name.
    pub name: String,
    /// One value a subject; NaN where unknown (such subjects are left out of its labels).
    pub values: Vec<f64>,
    /// Thresholds.
    pub thresholds: Vec<f64>,
}

/// What the boundary at one threshold selects among subjects held out.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Name of the quantity.
    pub quantity: String,
    /// Threshold; yes is above it.
    pub threshold: f64,
    /// Held-out subjects that count in this row.
    pub n: usize,
    /// Share of yes.
    pub prevalence: Option<Estimate>,
    /// Share that is selected.
    pub selected: Option<Estimate>,
    /// Share of yes among the selected.
    pub precision: Option<Estimate>,
    /// Share of the selected among yes.
    pub recall: Option<Estimate>,
    /// Harmonic mean of precision and recall.
    pub f1: Option<Estimate>,
    /// The boundary; `None` where all training labels are on one side.
    pub boundary: Option<Boundary>,
}

impl Row {
    /// Whether precision × selected = recall × prevalence, to rounding; it holds wherever all are known.
    #[must_use]
    pub fn identity_holds(&self) -> bool {
        match (self.precision, self.selected, self.recall, self.prevalence) {
            (Some(p), Some(s), Some(r), Some(v)) => (p.value * s.value - r.value * v.value).abs() < 1e-9,
            _ => true,
        }
    }

    /// What it means, for a person who has to decide, for `n_images` images.
    #[must_use]
    pub fn sentence(&self, n_images: usize) -> String {
        let percent = |e: Estimate| {
            format!("{:.0} % ({:.0}–{:.0})", 100.0 * e.value, 100.0 * e.low, 100.0 * e.high)
        };
        match (self.selected, self.precision, self.recall) {
            (Some(selected), Some(precision), Some(recall)) => format!(
                "inspect {} of {n_images} images; expect {} of them to be right, and {} of all that are right to \
                 be among them",
                percent(selected),
                percent(precision),
                percent(recall)
            ),
            (Some(_), None, _) => "nothing is selected; choose a lower threshold".to_owned(),
            _ => "nothing can be said; choose a threshold with subjects on both sides".to_owned(),
        }
    }
}

/// Fits a boundary for one label on all points, nothing held out.
///
/// # Errors
/// As [`Pca::fit`] and [`Logistic::fit`].
pub fn fit(points: &Points, label: &[f64], params: &BoundaryParams) -> Result<Boundary, SpaceError> {
    let pca = Pca::fit(points, &PcaParams { seed: params.seed, ..PcaParams::new(params.n_components) })?;
    let logistic = Logistic::fit(&pca.transform(points)?, label, None, &params.logistic, None)?;
    Ok(Boundary { pca, logistic })
}

/// Fits one boundary a threshold on the training part and judges it on the held-out part. All rows share the
/// split and the bootstrap's draws, so that they can be compared.
///
/// `among`: held-out subjects that count (a cut by feature score, say); `None` for all.
///
/// # Errors
/// [`SpaceError::Length`], [`SpaceError::Setting`] for a share held out that leaves one part empty,
/// [`SpaceError::NoRows`]; whatever the fits give.
pub fn sweep(
    points: &Points,
    quantities: &[Quantity],
    among: Option<&[bool]>,
    params: &BoundaryParams,
) -> Result<Vec<Row>, SpaceError> {
    Prepared::new(points, params)?.sweep(quantities, among)
}

/// What all thresholds share: who is held out, and the principal components of the others.
#[derive(Clone, Debug)]
pub struct Prepared {
    params: BoundaryParams,
    pca: Pca,
    reduced: Points,
    train: Vec<usize>,
    held: Vec<usize>,
    /// What is drawn for intervals, for each of those held out.
    units: Vec<u32>,
}

impl Prepared {
    /// Splits the subjects and finds the components of the training part.
    ///
    /// # Errors
    /// [`SpaceError::Setting`] for a share held out that leaves one part empty, [`SpaceError::NoRows`].
    pub fn new(points: &Points, params: &BoundaryParams) -> Result<Self, SpaceError> {
        Self::stratified(points, &vec![0; points.len()], None, params)
    }

    /// The same with a share held out of each stratum: of the subjects above any threshold, the share that is
    /// held out is the one asked for, to one subject, if strata grow with the quantity (see [`strata`]). The
    /// paper does not say how it split; 80 to 20 within labels is the specification's proposal.
    ///
    /// Who is drawn follows the vectors and the seed, and not the order of the rows.
    ///
    /// `groups`: which object each point shows, where several may show one. An object is held out as a whole, or
    /// not; its stratum is the highest of its points; the share held out is one of objects, and intervals are drawn
    /// over objects.
    ///
    /// # Errors
    /// As [`Prepared::new`]; [`SpaceError::Length`] unless there are a stratum and a group for every point.
    pub fn stratified(
        points: &Points,
        strata: &[u32],
        groups: Option<&[u32]>,
        params: &BoundaryParams,
    ) -> Result<Self, SpaceError> {
        check_length("the stratum", strata.len(), points.len())?;
        check_length("the group", groups.map_or(points.len(), <[u32]>::len), points.len())?;
        let keys = keys(points, params.seed);
        let (train, held): Split = match groups {
            None => split_within(strata, &keys, params)?,
            Some(groups) => split_grouped(strata, &keys, groups, params)?,
        };
        let units = drawn(&held, &keys, groups);
        let pca = Pca::fit(
            &points.select(&train),
            &PcaParams { seed: params.seed, ..PcaParams::new(params.n_components) },
        )?;
        let reduced = pca.transform(points)?;
        Ok(Self { params: *params, pca, reduced, train, held, units })
    }

    /// The components.
    #[must_use]
    pub fn pca(&self) -> &Pca {
        &self.pca
    }

    /// Coordinates of all subjects along the components.
    #[must_use]
    pub fn reduced(&self) -> &Points {
        &self.reduced
    }

    /// Rows of the subjects that were trained on, in order.
    #[must_use]
    pub fn train(&self) -> &[usize] {
        &self.train
    }

    /// Rows of the subjects held out, in order.
    #[must_use]
    pub fn held(&self) -> &[usize] {
        &self.held
    }

    /// One boundary a threshold; see [`sweep`].
    ///
    /// # Errors
    /// [`SpaceError::Length`]; whatever the fits give.
    pub fn sweep(
        &self,
        quantities: &[Quantity],
        among: Option<&[bool]>,
    ) -> Result<Vec<Row>, SpaceError> {
        let n = self.reduced.len();
        for quantity in quantities {
            check_length("a quantity", quantity.values.len(), n)?;
        }
        if let Some(among) = among {
            check_length("the cut", among.len(), n)?;
        }
        let held: Vec<usize> =
            self.held.iter().copied().filter(|&i| among.is_none_or(|a| a[i])).collect();
        let held_points = self.reduced.select(&held);
        let mut judged = Vec::new();
        for quantity in quantities {
            // Neighbouring thresholds have neighbouring solutions.
            let mut start: Option<Logistic> = None;
            for &threshold in &quantity.thresholds {
                let logistic = self.regress(quantity, threshold, start.as_ref())?;
                judged.push(Judged::new(quantity, threshold, &held, &held_points, logistic.as_ref())?);
                start = logistic.or(start);
            }
        }
        let all = self.held.iter().zip(&self.units);
        let units: Vec<u32> =
            all.filter(|(i, _)| among.is_none_or(|a| a[**i])).map(|(_, unit)| *unit).collect();
        Ok(self.rows(judged, &Units::groups(&units)))
    }

    /// One threshold.
    ///
    /// # Errors
    /// As [`Prepared::sweep`].
    pub fn at(&self, quantity: &Quantity, threshold: f64) -> Result<Row, SpaceError> {
        let quantity = Quantity { thresholds: vec![threshold], ..quantity.clone() };
        let mut rows = self.sweep(std::slice::from_ref(&quantity), None)?;
        rows.pop().ok_or(SpaceError::NoRows { what: "the list of thresholds" })
    }

    /// The regression on the training part; `None` where all labels are on one side.
    fn regress(
        &self,
        quantity: &Quantity,
        threshold: f64,
        start: Option<&Logistic>,
    ) -> Result<Option<Logistic>, SpaceError> {
        let known: Vec<usize> =
            self.train.iter().copied().filter(|&i| !quantity.values[i].is_nan()).collect();
        let label: Vec<f64> =
            known.iter().map(|&i| f64::from(u8::from(quantity.values[i] > threshold))).collect();
        match Logistic::fit(&self.reduced.select(&known), &label, None, &self.params.logistic, start) {
            Ok(logistic) => Ok(Some(logistic)),
            Err(SpaceError::OneClass { .. } | SpaceError::NoRows { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }

    fn rows(&self, judged: Vec<Judged<'_>>, units: &Units) -> Vec<Row> {
        let found = self
            .params
            .bootstrap
            .run(units, |counts| judged.iter().flat_map(|j| j.measure(counts)).collect());
        let row = |(judged, values): (Judged<'_>, &[Option<Estimate>])| Row {
            quantity: judged.quantity.name.clone(),
            threshold: judged.threshold,
            n: judged.cells.iter().filter(|c| **c != Cell::Unknown).count(),
            prevalence: values[0],
            selected: values[1],
            precision: values[2],
            recall: values[3],
            f1: values[4],
            boundary: judged.logistic.map(|logistic| Boundary { pca: self.pca.clone(), logistic }),
        };
        judged.into_iter().zip(found.chunks_exact(N_MEASURES)).map(row).collect()
    }
}

const N_MEASURES: usize = 5;

/// A held-out subject under one threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    /// Its quantity is unknown.
    Unknown,
    /// Neither yes nor selected.
    Neither,
    /// Selected, and no.
    Selected,
    /// Yes, and not selected.
    Missed,
    /// Yes and selected.
    Hit,
}

struct Judged<'q> {
    quantity: &'q Quantity,
    threshold: f64,
    cells: Vec<Cell>,
    logistic: Option<Logistic>,
}

impl<'q> Judged<'q> {
    fn new(
        quantity: &'q Quantity,
        threshold: f64,
        held: &[usize],
        points: &Points,
        logistic: Option<&Logistic>,
    ) -> Result<Self, SpaceError> {
        let scores = logistic.map(|l| l.predict(points)).transpose()?;
        let cell = |(at, &i): (usize, &usize)| {
            let (value, is_selected) =
                (quantity.values[i], scores.as_ref().is_some_and(|s| s[at] >= SELECTED_FROM));
            match (value.is_nan(), value > threshold, is_selected) {
                (true, ..) => Cell::Unknown,
                (_, false, false) => Cell::Neither,
                (_, false, true) => Cell::Selected,
                (_, true, false) => Cell::Missed,
                (_, true, true) => Cell::Hit,
            }
        };
        let cells = held.iter().enumerate().map(cell).collect();
        Ok(Self { quantity, threshold, cells, logistic: logistic.cloned() })
    }

    /// Prevalence, selected share, precision, recall and F1.
    fn measure(&self, counts: &[f64]) -> [f64; N_MEASURES] {
        let mut sums = [0.0; 5];
        for (cell, count) in self.cells.iter().zip(counts) {
            sums[*cell as usize] += count;
        }
        let [_, neither, selected, missed, hit] = sums;
        let total = neither + selected + missed + hit;
        let prevalence = (missed + hit) / total;
        if self.logistic.is_none() {
            return [prevalence, f64::NAN, f64::NAN, f64::NAN, f64::NAN];
        }
        let f1 = 2.0 * hit / (2.0 * hit + selected + missed);
        [prevalence, (selected + hit) / total, hit / (selected + hit), hit / (missed + hit), f1]
    }
}

#[cfg(test)]
#[path = "boundary_tests.rs"]
mod tests;
