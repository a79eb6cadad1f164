//! How good a trained model is on pictures it never saw, beside two plain models: the mean of what was
//! learned from, and a logistic regression on the principal components of the pixels.

use std::collections::BTreeSet;

use anyhow::Result;
use serde_json::{Map, Value, json};
use volary_crowd::bias::{BiasParams, Column, Values, slices};
use volary_space::evaluate::{
    self, Comparison, Distributions, EvaluateParams, Evaluation, Positive, Predictions, compare,
    correlate, distribution, entropy, evaluate,
};
use volary_space::logistic::{Logistic, LogisticParams};
use volary_space::pca::{Pca, PcaParams};
use volary_space::{Bootstrap, Estimate, PixelRows, Points, Subset, Units};
use volary_vision::confusion::{Labels, Lesson, Likelihood, Scores, Scoring, Trained};
use volary_vision::training::Split;

use crate::commands::bias::words;
use crate::summary::Summary;

/// The level of all intervals.
pub(crate) const LEVEL: f64 = 0.95;
/// Components of the plain model.
const N_COMPONENTS: usize = 50;
/// The components are found on at most so many pictures.
const MOST_PICTURES: usize = 10_000;
/// Strengths of its penalty, of which the best on a fifth of the pictures learned from is taken.
const PENALTIES: [f64; 5] = [1e-4, 1e-3, 1e-2, 1e-1, 1.0];
/// A slice needs so many pictures, or groups of pictures that belong together, to have numbers. A bootstrap
/// draws from those that are there: of a few it says next to nothing of what others would give, and of one its
/// interval has no width at all.
const LEAST_OF_A_SLICE: usize = 10;
/// What a slice with fewer says instead.
const TOO_SMALL: &str = "not enough data";

/// Predictions of one model for the held-out pictures, `[pictures, classes]` row by row.
struct Candidate {
    name: &'static str,
    shown: &'static str,
    predicted: Vec<f64>,
}

/// The three models on the held-out part.
pub(crate) struct Judged {
    classes: Vec<String>,
    n: usize,
    /// All classes in one: a row for each picture and class.
    overall: Vec<(&'static str, &'static str, Evaluation)>,
    /// Of the network against each plain model.
    gains: Vec<(&'static str, Comparison)>,
    by_class: Vec<Vec<Evaluation>>,
    /// Where the classes exclude each other: the whole distribution.
    distributions: Vec<evaluate::DistributionScore>,
    entropy: Vec<evaluate::Correlation>,
    /// What the network said, `[pictures, classes]`, and how it is measured.
    predicted: Vec<f64>,
    params: EvaluateParams,
    /// Share of the fractions that lie in their interval, with the confidence that was asked for.
    coverage: Option<(f64, f64)>,
}

impl Judged {
    /// Measures a confusion network and the plain models on the held-out part of `split`.
    pub(crate) fn new(
        lesson: &Lesson<'_>,
        trained: &Trained,
        split: &Split,
        replicates: usize,
        seed: u64,
    ) -> Result<Self> {
        let rows = &split.held_out;
        let scoring = Scoring { seed, ..Scoring::default() };
        let scores = trained.model.score(lesson.pixels, rows, &scoring, &mut |_| true)?;
        let label = fractions(lesson.labels, rows);
        let predicted = scores.predictions.iter().map(|p| p.probability).collect();
        let mut judged = Self::of(lesson, split, predicted, replicates, seed)?;
        // With intervals that were fitted to the held-out part, half by half; else as they are.
        judged.coverage = trained
            .coverage
            .map(|c| (c.share, c.confidence))
            .or_else(|| coverage(&scores, &label).map(|share| (share, scoring.confidence)));
        Ok(judged)
    }

    /// Measures what a network said (`[pictures, classes]`) and the plain models on the held-out part.
    pub(crate) fn of(
        lesson: &Lesson<'_>,
        split: &Split,
        predicted: Vec<f64>,
        replicates: usize,
        seed: u64,
    ) -> Result<Self> {
        let rows = &split.held_out;
        let labels = lesson.labels;
        let n_classes = labels.classes().len();
        let label: Vec<f64> = fractions(labels, rows);
        let train = fractions(labels, &split.train);
        let prior = means(&train, n_classes);
        let candidates = [
            Candidate { name: "model", shown: "this network", predicted: predicted.clone() },
            Candidate {
                name: "prior",
                shown: "class means",
                predicted: rows.iter().flat_map(|_| prior.iter().copied()).collect(),
            },
            Candidate {
                name: "pca_logistic",
                shown: "PCA + logistic",
                predicted: plain(lesson, split, &train, n_classes)?,
            },
        ];
        let groups = group_numbers(lesson.groups, rows);
        let params = EvaluateParams {
            positive: Positive::Above(0.5),
            bootstrap: Bootstrap::new(replicates, LEVEL, seed)?,
            ..EvaluateParams::default()
        };
        // In one sum over classes, the classes of a picture are drawn together.
        let groups_of_cells: Vec<u32> =
            groups.iter().flat_map(|group| std::iter::repeat_n(*group, n_classes)).collect();
        let mut overall = Vec::new();
        for of in &candidates {
            let predictions = Predictions::new(&of.predicted, &label)?.grouped(&groups_of_cells)?;
            overall.push((of.name, of.shown, evaluate(&predictions, &params)?));
        }
        let network = Predictions::new(&candidates[0].predicted, &label)?.grouped(&groups_of_cells)?;
        let mut gains = Vec::new();
        for of in &candidates[1..] {
            gains.push((of.name, compare(&network, &of.predicted, &params)?));
        }
        let mut by_class = Vec::new();
        for class in 0..n_classes {
            let label = column(&label, class, n_classes);
            let mut evaluations = Vec::new();
            for of in &candidates {
                let predicted = column(&of.predicted, class, n_classes);
                let predictions = Predictions::new(&predicted, &label)?.grouped(&groups)?;
                evaluations.push(evaluate(&predictions, &params)?);
            }
            by_class.push(evaluations);
        }
        let units = Units::groups(&groups);
        let exclude = labels.check(Likelihood::Dirichlet).is_ok();
        let (mut distributions, mut entropies) = (Vec::new(), Vec::new());
        for of in &candidates {
            let shares =
                if exclude { normalised(&of.predicted, n_classes) } else { of.predicted.clone() };
            if exclude {
                let of = Distributions::new(&shares, &label, n_classes)?;
                distributions.push(distribution(&of, &units, &params.bootstrap)?);
            }
            let spread = |values: &[f64]| spreads(values, n_classes, exclude);
            entropies.push(correlate(&spread(&shares), &spread(&label), &units, &params.bootstrap)?);
        }
        Ok(Self {
            classes: labels.classes().to_vec(),
            n: rows.len(),
            overall,
            gains,
            by_class,
            distributions,
            entropy: entropies,
            predicted,
            params,
            coverage: None,
        })
    }

    /// The network on the slices of the held-out part. The columns have a value for each picture of the
    /// lesson. A slice of too few stands there without numbers.
    pub(crate) fn slices(
        &self,
        lesson: &Lesson<'_>,
        split: &Split,
        columns: &[Column],
    ) -> Result<Vec<Value>> {
        let label = fractions(lesson.labels, &split.held_out);
        let groups = group_numbers(lesson.groups, &split.held_out);
        let n_classes = self.classes.len();
        let mut all = Vec::new();
        for column in columns {
            let held_out = Column {
                name: column.name.clone(),
                values: match &column.values {
                    Values::Numbers(v) => {
                        Values::Numbers(split.held_out.iter().map(|r| v[*r]).collect())
                    }
                    Values::Labels(v) => {
                        Values::Labels(split.held_out.iter().map(|r| v[*r].clone()).collect())
                    }
                },
            };
            let slices = slices(&held_out, BiasParams::default().n_bins);
            for (at, condition) in slices.conditions.iter().enumerate() {
                let rows: Vec<usize> =
                    (0..self.n).filter(|row| slices.of_case[*row] == Some(at)).collect();
                let mut slice =
                    json!({"slice": words(std::slice::from_ref(condition)), "n": rows.len()});
                let cells = |values: &[f64]| -> Vec<f64> {
                    rows.iter().flat_map(|r| values[r * n_classes..][..n_classes].to_vec()).collect()
                };
                let of_cells: Vec<u32> =
                    rows.iter().flat_map(|r| std::iter::repeat_n(groups[*r], n_classes)).collect();
                let (said, was) = (cells(&self.predicted), cells(&label));
                let n_groups = rows.iter().map(|row| groups[*row]).collect::<BTreeSet<u32>>().len();
                let found = match n_groups < LEAST_OF_A_SLICE {
                    true => {
                        slice["note"] = json!(TOO_SMALL);
                        None
                    }
                    false => Some(evaluate(
                        &Predictions::new(&said, &was)?.grouped(&of_cells)?,
                        &self.params,
                    )?),
                };
                let of =
                    |pick: fn(&Evaluation) -> Option<Estimate>| estimate(found.as_ref().and_then(pick));
                slice["excess_log_loss"] = of(|e| e.excess_log_loss);
                slice["mean_absolute_error"] = of(|e| e.mean_absolute_error);
                slice["calibration_error"] = of(|e| e.calibration_error);
                slice["auc"] = of(|e| e.auc);
                all.push(slice);
            }
        }
        Ok(all)
    }

    /// A table of the three models, and one of the classes.
    pub(crate) fn summarise(&self, summary: &mut Summary) {
        let header = ["held out", "log loss above floor", "mean abs. error", "calibration", "AUC", "AP"];
        summary.table(&format!("On {} pictures it never saw", self.n), &header, &self.rows());
        if !self.distributions.is_empty() {
            let rows: Vec<Vec<String>> = self
                .distributions
                .iter()
                .zip(&self.overall)
                .map(|(of, (_, shown, _))| {
                    let cells = [of.excess, of.mean_absolute_error, of.total_variation, of.top_1];
                    std::iter::once((*shown).to_owned()).chain(cells.map(text)).collect()
                })
                .collect();
            let header =
                ["all classes", "log loss above floor", "mean abs. error", "variation", "top class"];
            summary.table("As one answer of several", &header, &rows);
        }
        let rows: Vec<Vec<String>> = self
            .entropy
            .iter()
            .zip(&self.overall)
            .map(|(of, (_, shown, _))| vec![(*shown).to_owned(), text(of.spearman), text(of.pearson)])
            .collect();
        let header = ["disagreement", "Spearman", "Pearson"];
        summary.table("Predicted against the volunteers' entropy", &header, &rows);
        let rows: Vec<Vec<String>> = self
            .classes
            .iter()
            .zip(&self.by_class)
            .map(|(class, of)| {
                let loss = |i: usize| text(of[i].excess_log_loss);
                vec![
                    class.clone(),
                    loss(0),
                    loss(1),
                    loss(2),
                    text(of[0].auc),
                    text(of[0].average_precision),
                ]
            })
            .collect();
        let header =
            ["log loss above floor", "this network", "class means", "PCA + logistic", "AUC", "AP"];
        summary.table("By class", &header, &rows);
        if let Some((share, confidence)) = self.coverage {
            summary.note(&format!(
                "\n{:.1} % of the volunteers' fractions lie in their {:.0} % interval",
                100.0 * share,
                100.0 * confidence
            ));
        }
        summary.value("held_out", self.json());
    }

    fn rows(&self) -> Vec<Vec<String>> {
        self.overall
            .iter()
            .map(|(_, shown, of)| {
                let cells = [
                    of.excess_log_loss,
                    of.mean_absolute_error,
                    of.calibration_error,
                    of.auc,
                    of.average_precision,
                ];
                std::iter::once((*shown).to_owned()).chain(cells.map(text)).collect()
            })
            .collect()
    }

    /// All of it.
    pub(crate) fn json(&self) -> Value {
        let mut models = Map::new();
        for (i, (name, _, overall)) in self.overall.iter().enumerate() {
            let classes: Map<String, Value> = self
                .classes
                .iter()
                .zip(&self.by_class)
                .map(|(class, of)| (class.clone(), measures(&of[i])))
                .collect();
            let mut model = json!({
                "all_classes": measures(overall),
                "classes": classes,
                "entropy_spearman": estimate(self.entropy[i].spearman),
                "entropy_pearson": estimate(self.entropy[i].pearson),
            });
            if let Some(of) = self.distributions.get(i) {
                model["distribution"] = json!({
                    "cross_entropy": estimate(of.cross_entropy),
                    "entropy_floor": estimate(of.entropy_floor),
                    "excess_log_loss": estimate(of.excess),
                    "mean_absolute_error": estimate(of.mean_absolute_error),
                    "total_variation": estimate(of.total_variation),
                    "top_1": estimate(of.top_1),
                });
            }
            models.insert((*name).to_owned(), model);
        }
        let gains: Map<String, Value> = self
            .gains
            .iter()
            .map(|(name, of)| {
                let gain = json!({
                    "log_loss": estimate(of.log_loss),
                    "mean_absolute_error": estimate(of.mean_absolute_error),
                    "brier": estimate(of.brier),
                    "calibration_error": estimate(of.calibration_error),
                    "auc": estimate(of.auc),
                    "average_precision": estimate(of.average_precision),
                });
                ((*name).to_owned(), gain)
            })
            .collect();
        json!({
            "n": self.n,
            "models": models,
            "model_minus": gains,
            "interval_confidence": self.coverage.map(|c| c.1),
            "interval_coverage": self.coverage.map(|c| c.0),
        })
    }
}

fn measures(of: &Evaluation) -> Value {
    let reliability: Vec<Value> = of
        .reliability
        .iter()
        .filter(|bin| bin.n > 0)
        .map(|bin| {
            json!({
                "low": bin.low,
                "high": bin.high,
                "n": bin.n,
                "mean_predicted": bin.mean_predicted,
                "mean_label": estimate(bin.mean_label),
            })
        })
        .collect();
    json!({
        "log_loss": estimate(of.log_loss),
        "entropy_floor": estimate(of.entropy_floor),
        "excess_log_loss": estimate(of.excess_log_loss),
        "mean_absolute_error": estimate(of.mean_absolute_error),
        "brier": estimate(of.brier),
        "calibration_error": estimate(of.calibration_error),
        "auc": estimate(of.auc),
        "average_precision": estimate(of.average_precision),
        "prevalence": estimate(of.prevalence),
        "reliability": reliability,
    })
}

fn estimate(of: Option<Estimate>) -> Value {
    // JSON has no NaN: an end of an interval that no replicate has is null.
    let number = |x: f64| if x.is_finite() { json!(x) } else { Value::Null };
    of.map_or(
        Value::Null,
        |e| json!({"value": number(e.value), "low": number(e.low), "high": number(e.high)}),
    )
}

/// A value with its interval.
fn text(of: Option<Estimate>) -> String {
    of.map_or_else(|| "–".to_owned(), |e| format!("{:.4} ({:.4}–{:.4})", e.value, e.low, e.high))
}

fn fractions(labels: &Labels, rows: &[usize]) -> Vec<f64> {
    rows.iter().flat_map(|row| labels.fractions(*row).iter().map(|f| f64::from(*f))).collect()
}

fn column(values: &[f64], class: usize, n_classes: usize) -> Vec<f64> {
    values.iter().skip(class).step_by(n_classes).copied().collect()
}

fn means(values: &[f64], n_classes: usize) -> Vec<f64> {
    let n = (values.len() / n_classes).max(1) as f64;
    (0..n_classes).map(|class| column(values, class, n_classes).iter().sum::<f64>() / n).collect()
}

/// Rows that sum to 1.
fn normalised(values: &[f64], n_classes: usize) -> Vec<f64> {
    let mut values = values.to_vec();
    for row in values.chunks_exact_mut(n_classes) {
        let sum: f64 = row.iter().sum();
        let n = row.len() as f64;
        row.iter_mut().for_each(|p| *p = if sum > 0.0 { *p / sum } else { 1.0 / n });
    }
    values
}

/// How much volunteers disagree on each picture, in nats: the entropy of their answers, or the sum of those
/// of each yes and no.
fn spreads(values: &[f64], n_classes: usize, exclude: bool) -> Vec<f64> {
    let of = |row: &[f64]| {
        if exclude { entropy(row) } else { row.iter().map(|p| entropy(&[*p, 1.0 - *p])).sum() }
    };
    values.chunks_exact(n_classes).map(of).collect()
}

/// The groups of rows, numbered from 0 in the order in which they come.
pub(crate) fn group_numbers(groups: &[String], rows: &[usize]) -> Vec<u32> {
    let mut numbers = std::collections::HashMap::new();
    rows.iter()
        .map(|row| {
            let n = numbers.len() as u32;
            *numbers.entry(groups[*row].as_str()).or_insert(n)
        })
        .collect()
}

fn coverage(scores: &Scores, label: &[f64]) -> Option<f64> {
    let inside: Option<Vec<bool>> = scores
        .predictions
        .iter()
        .zip(label)
        .map(|(p, f)| p.fraction_range.map(|(low, high)| (low - 1e-6..=high + 1e-6).contains(f)))
        .collect();
    let inside = inside?;
    Some(inside.iter().filter(|inside| **inside).count() as f64 / inside.len().max(1) as f64)
}

/// Logistic regressions on principal components of the pixels, a class each.
fn plain(lesson: &Lesson<'_>, split: &Split, train: &[f64], n_classes: usize) -> Result<Vec<f64>> {
    let pixels = PixelRows(lesson.pixels);
    let every = split.train.len().div_ceil(MOST_PICTURES);
    let some: Vec<usize> = split.train.iter().step_by(every).copied().collect();
    let pca = if some.len() < 2 {
        None
    } else {
        let few = Subset::new(&pixels, &some)?;
        Some(Pca::fit(&few, &PcaParams::new(N_COMPONENTS.min(some.len() - 1)))?)
    };
    let Some(pca) = pca else {
        let prior = means(train, n_classes);
        return Ok(split.held_out.iter().flat_map(|_| prior.iter().copied()).collect());
    };
    let scale = scales(&pca);
    let points = |rows: &[usize]| -> Result<Points> {
        let points = pca.transform(&Subset::new(&pixels, rows)?)?;
        let values = points.values().iter().zip(scale.iter().cycle()).map(|(v, s)| v * s).collect();
        Ok(Points::new(values, points.width())?)
    };
    let (learned, judged) = (points(&split.train)?, points(&split.held_out)?);
    let mut predicted = vec![0.0; split.held_out.len() * n_classes];
    for class in 0..n_classes {
        let label = column(train, class, n_classes);
        let of_class = regression(&learned, &label, &judged)?;
        for (row, p) in of_class.into_iter().enumerate() {
            predicted[row * n_classes + class] = p;
        }
    }
    Ok(predicted)
}

/// Makes each component vary by 1.
fn scales(pca: &Pca) -> Vec<f32> {
    pca.variances().iter().map(|v| if *v > 0.0 { (1.0 / v.sqrt()) as f32 } else { 0.0 }).collect()
}

/// A regression with the penalty that is best on every fifth picture learned from.
fn regression(learned: &Points, label: &[f64], judged: &Points) -> Result<Vec<f64>> {
    let is_kept = |row: &usize| row % 5 == 4;
    let (kept, rest): (Vec<usize>, Vec<usize>) = (0..learned.len()).partition(is_kept);
    let of = |rows: &[usize]| -> Vec<f64> { rows.iter().map(|row| label[*row]).collect() };
    let mean = label.iter().sum::<f64>() / label.len().max(1) as f64;
    let fit = |points: &Points, label: &[f64], c: f64| {
        Logistic::fit(points, label, None, &LogisticParams { c, ..LogisticParams::default() }, None)
    };
    let mut best: Option<(f64, f64)> = None;
    for c in PENALTIES {
        // A class that is all yes or all no in a part has no regression there.
        let Ok(found) = fit(&learned.select(&rest), &of(&rest), c) else { continue };
        let loss: f64 = found
            .predict(&learned.select(&kept))?
            .iter()
            .zip(of(&kept))
            .map(|(p, q)| {
                -q * p.max(evaluate::CLIP).ln() - (1.0 - q) * (1.0 - p).max(evaluate::CLIP).ln()
            })
            .sum();
        if best.is_none_or(|(least, _)| loss < least) {
            best = Some((loss, c));
        }
    }
    let found = best.and_then(|(_, c)| fit(learned, label, c).ok());
    Ok(match found {
        Some(found) => found.predict(judged)?,
        None => vec![mean; judged.len()],
    })
}
