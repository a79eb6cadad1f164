//! The boundary in latent space that carries people's taste to images nobody has seen.
//!
//! Principal components, then logistic regression with balanced classes (a rare class would be passed over
//! otherwise); a subject is selected where its probability is ½ or more. The label is yes where a quantity
//! (the chosen fraction, a feature score, their product) exceeds a threshold; [`sweep`] goes through many
//! thresholds and says, on subjects held out, what each selects. Precision and recall have their usual
//! names: the paper that this follows has them exchanged (Mantha et al., Galaxy Zoo: Weird & Wonderful;
//! see the book). In every row precision × selected = recall × prevalence.
//!
//! A trap: where the quantity contains a score of the network that also made the vectors, better figures do
//! not mean better agreement with people.

use rand::seq::SliceRandom as _;
use volary_core::seed::stream;

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
    fn default() -> Self {
        Self {
            n_components: 25,
            logistic: LogisticParams { c: 1.0, balanced: true },
            held_out: 0.2,
            seed: 0,
            bootstrap: Bootstrap::default(),
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
                "inspect {} of {n_images} images; expect {} of them to be chosen, and {} of the choosable to be \
                 among them",
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
    let n = points.len();
    for quantity in quantities {
        check_length("a quantity", quantity.values.len(), n)?;
    }
    if let Some(among) = among {
        check_length("the cut", among.len(), n)?;
    }
    let (train, held) = split(n, params)?;
    let pca = Pca::fit(
        &points.select(&train),
        &PcaParams { seed: params.seed, ..PcaParams::new(params.n_components) },
    )?;
    let reduced = pca.transform(points)?;
    let held: Vec<usize> = held.into_iter().filter(|&i| among.is_none_or(|a| a[i])).collect();
    let held_points = reduced.select(&held);
    let mut judged = Vec::new();
    for quantity in quantities {
        let known: Vec<usize> =
            train.iter().copied().filter(|&i| !quantity.values[i].is_nan()).collect();
        let train_points = reduced.select(&known);
        // Neighbouring thresholds have neighbouring solutions.
        let mut start: Option<Logistic> = None;
        for &threshold in &quantity.thresholds {
            let label: Vec<f64> =
                known.iter().map(|&i| f64::from(u8::from(quantity.values[i] > threshold))).collect();
            let logistic =
                match Logistic::fit(&train_points, &label, None, &params.logistic, start.as_ref()) {
                    Ok(logistic) => Some(logistic),
                    Err(SpaceError::OneClass { .. } | SpaceError::NoRows { .. }) => None,
                    Err(other) => return Err(other),
                };
            judged.push(Judged::new(quantity, threshold, &held, &held_points, logistic.as_ref())?);
            start = logistic.or(start);
        }
    }
    let units = Units::subjects(held.len());
    let found =
        params.bootstrap.run(&units, |counts| judged.iter().flat_map(|j| j.measure(counts)).collect());
    let row = |(judged, values): (Judged<'_>, &[Option<Estimate>])| Row {
        quantity: judged.quantity.name.clone(),
        threshold: judged.threshold,
        n: judged.cells.iter().filter(|c| **c != Cell::Unknown).count(),
        prevalence: values[0],
        selected: values[1],
        precision: values[2],
        recall: values[3],
        f1: values[4],
        boundary: judged.logistic.map(|logistic| Boundary { pca: pca.clone(), logistic }),
    };
    Ok(judged.into_iter().zip(found.chunks_exact(N_MEASURES)).map(row).collect())
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

/// Rows to train on and rows held out, both in order.
fn split(n: usize, params: &BoundaryParams) -> Result<(Vec<usize>, Vec<usize>), SpaceError> {
    let n_held = (n as f64 * params.held_out).round() as usize;
    if !(params.held_out > 0.0 && params.held_out < 1.0) || n_held == 0 || n_held + 2 > n {
        let must = "between 0 and 1, and such that subjects are left on both sides";
        return Err(SpaceError::Setting { name: "the share held out", value: params.held_out, must });
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut stream(params.seed, "boundary split"));
    let mut train = order.split_off(n_held);
    order.sort_unstable();
    train.sort_unstable();
    Ok((train, order))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::normal;
    use proptest::prelude::*;

    /// Vectors, and a quantity that grows along the first two directions.
    fn taste(n: usize, seed: u64) -> (Points, Vec<f64>) {
        let mut rng = stream(seed, "taste");
        let values: Vec<f64> = (0..n * 6).map(|_| normal(&mut rng)).collect();
        let quantity = values.chunks_exact(6).map(|row| {
            let z = 1.5 * row[0] - row[1] - 1.0 + 0.3 * normal(&mut rng);
            crate::logistic::sigmoid(z)
        });
        let quantity = quantity.collect();
        (Points::new(values.iter().map(|v| *v as f32).collect(), 6).unwrap(), quantity)
    }

    fn params() -> BoundaryParams {
        BoundaryParams {
            n_components: 6,
            bootstrap: Bootstrap::new(100, 0.9, 0).unwrap(),
            ..BoundaryParams::default()
        }
    }

    #[test]
    fn a_known_taste_is_found_again_and_carries_to_new_vectors() {
        let (points, values) = taste(4000, 1);
        let quantity = Quantity { name: "chosen".into(), values, thresholds: vec![0.2, 0.5, 0.8, 2.0] };
        let rows = sweep(&points, &[quantity], None, &params()).unwrap();
        for row in &rows[..3] {
            let (precision, recall) = (row.precision.unwrap(), row.recall.unwrap());
            assert!(recall.value > 0.9 && precision.value > 0.4, "{row:?}");
            assert!(row.identity_holds() && row.f1.is_some() && row.n == 800);
            assert!(recall.low <= recall.value && recall.value <= recall.high);
        }
        // Nobody is above 2: there is nothing to fit, and the row says so.
        assert_eq!((rows[3].selected, rows[3].recall, &rows[3].boundary), (None, None, &None));
        assert_eq!(rows[3].prevalence.unwrap().value, 0.0);
        assert!(rows[3].sentence(10).contains("both sides"));
        assert!(
            rows[1].sentence(5000).starts_with("inspect ")
                && rows[1].sentence(5000).contains("of 5000 images")
        );
        let (new, truth) = taste(2000, 2);
        let score = rows[1].boundary.as_ref().unwrap().score(&new).unwrap();
        let n_right = score.iter().zip(&truth).filter(|(s, t)| (**s >= 0.5) == (**t > 0.5)).count();
        assert!(n_right > 1780, "{n_right}");
    }

    #[test]
    fn counts_on_paper() {
        let quantity = Quantity {
            name: "q".into(),
            values: vec![0.0, 1.0, 1.0, 0.0, f64::NAN],
            thresholds: vec![],
        };
        let points = Points::new(vec![1.0, 1.0, -1.0, -1.0, 1.0], 1).unwrap();
        let logistic = Logistic::from_parts(vec![1.0], 0.0).unwrap();
        let judged = Judged::new(&quantity, 0.5, &[0, 1, 2, 3, 4], &points, Some(&logistic)).unwrap();
        assert_eq!(
            judged.cells,
            [Cell::Selected, Cell::Hit, Cell::Missed, Cell::Neither, Cell::Unknown]
        );
        assert_eq!(judged.measure(&[1.0, 3.0, 1.0, 0.0, 9.0]), [0.8, 0.8, 0.75, 0.75, 0.75]);
    }

    #[test]
    fn bad_input_is_refused() {
        let (points, values) = taste(20, 1);
        let quantity = Quantity { name: "q".into(), values, thresholds: vec![0.5] };
        let with = |held_out| {
            sweep(
                &points,
                std::slice::from_ref(&quantity),
                None,
                &BoundaryParams { held_out, ..params() },
            )
        };
        assert!(
            with(0.0).is_err() && with(1.0).is_err() && with(0.99).is_err() && with(f64::NAN).is_err()
        );
        let short = Quantity { values: vec![0.0], ..quantity.clone() };
        assert!(matches!(sweep(&points, &[short], None, &params()), Err(SpaceError::Length { .. })));
        assert!(matches!(
            sweep(&points, &[quantity], Some(&[true]), &params()),
            Err(SpaceError::Length { .. })
        ));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]
        #[test]
        fn the_identity_holds_in_every_row(n in 30..120_usize, seed in 0..50_u64, cut in 0.0..1.0_f64) {
            let (points, values) = taste(n, seed);
            let among: Vec<bool> = values.iter().map(|v| *v >= cut * 0.5).collect();
            let quantity = Quantity { name: "q".into(), values, thresholds: vec![0.1, 0.3, 0.6, 0.9] };
            for row in sweep(&points, &[quantity], Some(&among), &params()).unwrap() {
                prop_assert!(row.identity_holds(), "{:?}", row);
            }
        }
    }
}
