//! The marks in the report: what volunteers drew on light curves, what was made of it, and how right that is.
//!
//! The paper's figures (Safron et al. 2022): activity, marks over a light curve with the features found
//! (figure 5), weights and scores through the iterations, the mean change, ROC and precision–recall, recovery
//! by radius and period and by each quantity, the completeness fit, and the sweep of figures 17 to 20 and 23.
//! Whoever has the numbers hands over a [`MarksInput`]; a part that is not there is left out. Nothing is
//! computed here but bins and medians. Volunteers appear as sums and unlabelled bars.

mod activity;
mod curves;
mod iterations;
mod light_curve;
mod recovery;
mod sweep;

use volary_core::marks::Marks;
use volary_crowd::Interval;
use volary_crowd::marks::evaluate::{Headline, Matched, RecoveryTable};
use volary_crowd::marks::evaluate_curves::{AreaIntervals, Calibration, Curves};
use volary_crowd::marks::evaluate_logistic::{Completeness, CompletenessBin};
use volary_crowd::marks::sweep::SweepRow;

use super::page::{Table, document, table};
use super::text::{count, counted, decimal, percent, percent_interval};
use super::{Block, Figure, ReportError, Section};

/// Everything that can be shown; what is empty or `None` is left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct MarksInput<'a> {
    /// The views and marks.
    pub marks: Option<&'a Marks>,
    /// Light curves with their marks and features.
    pub examples: &'a [Example<'a>],
    /// The iterations, the seeds (0) first.
    pub iterations: &'a [Iteration<'a>],
    /// Mean change of a weight at which the iteration stops.
    pub tolerance: f64,
    /// Comparison with known signals.
    pub evaluation: Option<&'a MarksEvaluation<'a>>,
    /// The study of parameters.
    pub sweep: &'a [SweepRow],
}

/// A light curve, who marked what on it, and what was made of that.
#[derive(Clone, Debug)]
pub(crate) struct Example<'a> {
    /// Name of the subject.
    pub subject: &'a str,
    /// Time in days; NaN where there is none. Empty where the light curve is not at hand.
    pub time_days: &'a [f64],
    /// Flux; NaN where there is none.
    pub flux: &'a [f64],
    /// Marks of each view, (left, right) in days. A view without marks is an empty list.
    pub views: &'a [Vec<(f64, f64)>],
    /// Features: left, right, score, interval of the score.
    pub features: &'a [(f64, f64, f64, Interval)],
    /// Known signals: left, right.
    pub signals: &'a [(f64, f64)],
}

/// One iteration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Iteration<'a> {
    /// Weights of the volunteers after it.
    pub weights: &'a [f64],
    /// Scores of the features after it.
    pub scores: &'a [f64],
    /// Mean absolute change of the weights in it; `None` for the seeds.
    pub mean_change: Option<f64>,
}

/// Features compared with known signals.
#[derive(Clone, Debug)]
pub(crate) struct MarksEvaluation<'a> {
    /// Features and signals, matched.
    pub matched: &'a Matched,
    /// At the score cutoff.
    pub headline: Headline,
    /// At several score floors, rising; empty leaves the figure out.
    pub floors: &'a [Headline],
    /// Curves without the signals that nobody marked, and the intervals of their areas.
    pub marked_only: &'a (Curves, AreaIntervals),
    /// Curves with them.
    pub all: &'a (Curves, AreaIntervals),
    /// Recovery by two quantities: names of columns and rows, and the table.
    pub maps: &'a [(String, String, RecoveryTable)],
    /// Recovery by one quantity: its name, whether its bins are logarithmic, and the table.
    pub lines: &'a [(String, bool, RecoveryTable)],
    /// Completeness: name of the quantity, the bins, the fit.
    pub completeness: Option<(&'a str, &'a [CompletenessBin], &'a Completeness)>,
    /// Calibration of probabilities: names and numbers.
    pub calibrations: &'a [(String, Calibration)],
    /// Level of all intervals.
    pub level: f64,
}

/// Quantities as people call them.
fn quantity(column: &str) -> String {
    let named = match column.to_ascii_lowercase().as_str() {
        "prad" | "radius" | "radius_earth" => "planet radius (Earth radii)",
        "period" | "period_days" => "period (days)",
        "srad" => "radius of the star (solar radii)",
        "snr" => "signal to noise of one transit",
        "depth" => "depth (share of the flux)",
        "duration" | "duration_days" => "duration (days)",
        "kepmag" => "Kepler magnitude",
        "activity" => "activity of the star",
        _ => column,
    };
    named.to_owned()
}

/// The same on a logarithmic axis.
fn quantity_log(column: &str) -> String {
    let name = quantity(column);
    match name.strip_suffix(')') {
        Some(open) => format!("{open}, logarithmic)"),
        None => format!("{name} (logarithmic)"),
    }
}

/// A level of intervals as text: "95%".
fn level_text(level: f64) -> String {
    format!("{}%", decimal(level * 100.0, usize::from((level * 100.0).fract() > 1e-9)))
}

/// All figures, in the order of the section.
///
/// # Errors
/// [`ReportError::Draw`] when a figure cannot be drawn.
pub(crate) fn figures(input: &MarksInput<'_>) -> Result<Vec<Figure>, ReportError> {
    let mut all = Vec::new();
    if let Some(marks) = input.marks {
        all.extend(activity::figures(marks)?);
    }
    for (at, example) in input.examples.iter().enumerate() {
        all.extend(light_curve::figure(example, at)?);
    }
    all.extend(iterations::figures(input)?);
    if let Some(evaluation) = input.evaluation {
        all.extend(curves::figures(evaluation)?);
        all.extend(recovery::figures(evaluation)?);
        all.extend(sweep::floors(evaluation.floors)?);
    }
    all.extend(sweep::figures(input.sweep)?);
    Ok(all)
}

/// The section of the report; none where there is nothing to show.
///
/// # Errors
/// As [`figures`].
pub(super) fn section(input: &MarksInput<'_>) -> Result<Option<Section>, ReportError> {
    let figures = figures(input)?;
    if figures.is_empty() && input.evaluation.is_none() {
        return Ok(None);
    }
    let mut blocks: Vec<Block> = Vec::new();
    if let Some(evaluation) = input.evaluation {
        blocks.push(Block::Html(numbers(evaluation)));
    }
    blocks.extend(figures.into_iter().map(Block::Figure));
    let lead =
        "Volunteers draw ranges on light curves. Ranges that mean the same make one <em>feature</em>; \
                its <em>score</em> is the weighted share of those who saw it and marked it."
            .to_owned();
    Ok(Some(Section { id: "marks", title: "Marks", lead, blocks }))
}

/// A page of its own with the section, as `volary marks` writes it.
///
/// # Errors
/// As [`figures`].
pub(crate) fn render(title: &str, input: &MarksInput<'_>) -> Result<String, ReportError> {
    let summary = input.marks.map_or_else(String::new, |marks| {
        format!(
            "<p class=\"summary\"><b>{}</b> of <b>{}</b> by <b>{}</b>, with <b>{}</b>.</p>\n",
            counted(marks.n_views() as u64, "view"),
            counted(marks.n_subjects() as u64, "light curve"),
            counted(marks.n_volunteers() as u64, "volunteer"),
            counted(marks.n_marks() as u64, "mark"),
        )
    });
    let sections: Vec<Section> = section(input)?.into_iter().collect();
    Ok(document(title, "Volary · marks on light curves", &summary, "", &sections))
}

/// The numbers at the cutoff.
fn numbers(e: &MarksEvaluation<'_>) -> String {
    let h = &e.headline;
    let share = |name: &str, s: &volary_crowd::marks::evaluate::Share, what: &str| {
        let of = format!("{} of {}", count(s.k), count(s.n));
        vec![name.to_owned(), percent(s.share()), percent_interval(s.interval), of, what.to_owned()]
    };
    let area = |name: &str, value: Option<f64>, i: Interval, what: &str| {
        let shown = value.map_or_else(|| "–".to_owned(), |v| decimal(v, 3));
        let interval = format!("{}–{}", decimal(i.low, 3), decimal(i.high, 3));
        vec![name.to_owned(), shown, interval, String::new(), what.to_owned()]
    };
    let (some, all) = (e.marked_only, e.all);
    let rows = [
        share("Recovered", &h.recovered, "signals with a matching feature at or above the cutoff"),
        share("Reachable", &h.reachable, "signals with a matching feature of any score"),
        share("Precision", &h.precision, "features at or above the cutoff that match a signal"),
        share(
            "False-positive rate",
            &h.false_positive_rate,
            "features without a signal at or above the cutoff",
        ),
        area("ROC area", some.0.roc_auc, some.1.roc_auc, "signals that nobody marked left out"),
        area("ROC area", all.0.roc_auc, all.1.roc_auc, "signals that nobody marked counted"),
        area("Average precision", some.0.average_precision, some.1.average_precision, "left out"),
        area(
            "Average precision",
            all.0.average_precision,
            all.1.average_precision,
            "counted, scored lowest",
        ),
    ];
    let level = level_text(e.level);
    let interval = format!("#{level} interval");
    let lead = format!(
        "At a score of at least {}. Only features in light curves with a known signal are judged.",
        decimal(h.cutoff, 2)
    );
    table(
        &Table {
            title: "How right the features are",
            lead: &lead,
            heads: &["Measure", "#Value", &interval, "#Count", "Of what"],
        },
        rows,
    )
}

#[cfg(test)]
mod tests;
