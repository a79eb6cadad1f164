//! How right the features are: after a run, or for a folder that a run wrote.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde_json::json;
use volary_crowd::marks::evaluate::{
    EvaluateError, Headline, MATCH_COVER, Matched, PAPER_PERIOD_EDGES, PAPER_RADIUS_EDGES,
    RecoveryTable, SCORE_CUTOFF, Spacing, edges, floors, headline, match_features, recovery_by,
    recovery_table,
};
use volary_crowd::marks::evaluate_curves::{
    AreaIntervals, Calibration, Convention, Curves, area_intervals, calibration, curves,
};
use volary_crowd::marks::evaluate_logistic::{
    Completeness, CompletenessBin, Shape, Weighting, bins_of, fit_completeness,
};
use volary_crowd::marks::sweep::PAPER_FLOORS;
use volary_crowd::marks::{Features, Marks, MarksBuilder, NumberColumn, SignalTable, Signals};
use volary_ingest::Progress;
use volary_ingest::marks::{FeatureTable, read_features};
use volary_ingest::output::write_whole;
use volary_ingest::signals::read_signals;
use volary_ingest::tables::TableFormat;

use super::options::{Inputs, Quantities};
use super::stages::Place;
use crate::mark_tables::{Recovery, write_curves, write_floors, write_recovery};
use crate::report::marks::{self as page, MarksEvaluation, MarksInput};
use crate::session::{Session, run_json_for};
use crate::summary::percent;

/// Bootstrap samples behind the intervals of areas.
const SAMPLES: u32 = 500;
/// The quantity with which completeness rises, where no other is named.
const COMPLETENESS_BY: &str = "snr";
/// Bins of a quantity whose edges the paper does not give.
const BINS: usize = 10;
/// Bins along each side of a table by two quantities that were asked for.
const MAP_BINS: usize = 6;

/// Compare scored features with known signals.
///
/// Reads the folder that `volary marks` wrote. Recovery in tables, ROC and precision–recall curves in both
/// conventions, false-positive rates, and a completeness fit where the signals have strengths.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  volary marks evaluate marks --signals signals.csv --truth truth.csv -o evaluation")]
pub(crate) struct Args {
    /// Folder that `volary marks` wrote.
    #[arg(value_name = "MARKS")]
    marks: PathBuf,
    /// Injected signals.
    #[arg(long, value_name = "TABLE")]
    signals: Option<PathBuf>,
    /// Real transits that are known.
    #[arg(long, value_name = "TABLE")]
    truth: Option<PathBuf>,
    /// What to judge: score, seed_score or probability.
    #[arg(long, default_value = "score", value_name = "COLUMN")]
    column: String,
    /// Score at which a signal counts as recovered.
    #[arg(long, default_value_t = SCORE_CUTOFF, value_name = "SCORE")]
    score_cutoff: f64,
    #[command(flatten)]
    quantities: Quantities,
    /// Level of the intervals.
    #[arg(long, default_value_t = 0.95, value_name = "SHARE")]
    level: f64,
    /// Folder to write.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Format of the tables: parquet, csv, json or arrow.
    #[arg(long, default_value = "csv", value_name = "FORMAT")]
    to: String,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let place = Place::new(&args.output, &args.to)?;
    let table = |name: &str| -> Result<PathBuf> {
        let all = TableFormat::ALL.map(|f| args.marks.join(format!("{name}.{}", f.extension())));
        all.into_iter().find(|p| p.is_file()).with_context(|| {
            format!(
                "no {name} table in the folder; is it what `volary marks` wrote? {}",
                args.marks.display()
            )
        })
    };
    let (features, subjects) = (table("metafeatures")?, table("subjects")?);
    session.input_file(&features)?;
    session.input_file(&subjects)?;
    let table = read_features(&features, &subjects, &args.column, &session.progress)?;
    let (marks, features) = joined(&table);
    let known = known_tables(args.signals.as_deref(), args.truth.as_deref(), &mut session)?.join(&marks);
    let params = Judging {
        cutoff: args.score_cutoff,
        quantities: &args.quantities,
        level: args.level,
        seed: session.global.seed,
    };
    let judged = Judged::new(&features, &table.score, &known, &params)?;
    judged.note(&mut session);
    for (table, n) in judged.write(&place)? {
        session.rows(table, n);
    }
    let calibrations = match args.column.as_str() {
        "probability" => vec![("probability".to_owned(), judged.calibration(&table.score)?)],
        _ => Vec::new(),
    };
    let input = judged.input(&calibrations);
    let input = MarksInput { evaluation: Some(&input), ..MarksInput::default() };
    write_figures(&args.output, "Marks: evaluation", &input)?;
    session.finish(Some(&run_json_for(&args.output)))
}

/// The subjects as a table of marks without marks, and the features on them.
fn joined(table: &FeatureTable) -> (Marks, Features) {
    let mut builder = MarksBuilder::default();
    for (subject, simulation) in table.subjects.iter().zip(&table.simulation) {
        let index = builder.subject(subject);
        if let Some(simulation) = simulation {
            builder.simulated(index, simulation);
        }
    }
    let marks = builder.finish();
    let mut features = Features { start: vec![0], ..Features::default() };
    // Features are in the order of subjects, as they were written.
    for subject in 0..marks.n_subjects() {
        let name = &marks.subjects[subject];
        let from = table.feature_subject.partition_point(|s| s < name);
        let to = table.feature_subject.partition_point(|s| s <= name);
        for row in from..to {
            features.id.push(table.id[row]);
            features.subject.push(u32::try_from(subject).unwrap_or(u32::MAX));
            features.x_min_days.push(table.x_min_days[row]);
            features.x_max_days.push(table.x_max_days[row]);
        }
        features.start.push(u32::try_from(features.subject.len()).unwrap_or(u32::MAX));
    }
    features.member_start = vec![0; features.len() + 1];
    (marks, features)
}

/// Injected and real signals as one table.
fn known_tables(
    signals: Option<&Path>,
    truth: Option<&Path>,
    session: &mut Session,
) -> Result<SignalTable> {
    let mut all = SignalTable::default();
    for path in [signals, truth].into_iter().flatten() {
        // Ctrl-C stops the iterations; what they gave is still judged.
        let (table, report) = read_signals(path, &Progress::default())?;
        session.problems.absorb(&report.problems);
        session.input(report.digest);
        append(&mut all, table);
    }
    Ok(all)
}

/// The same, joined to the marks of a run; the inputs are in its account already, but for the truth.
pub(super) fn known_signals(
    inputs: &Inputs,
    truth: Option<&Path>,
    marks: &Marks,
    session: &mut Session,
) -> Result<Signals> {
    let mut all = SignalTable::default();
    if let Some(path) = &inputs.signals {
        append(&mut all, read_signals(path, &Progress::default())?.0);
    }
    append(&mut all, known_tables(None, truth, session)?);
    Ok(all.join(marks))
}

/// Puts one table after another; a column that one of them lacks is unknown there.
fn append(all: &mut SignalTable, more: SignalTable) {
    let (n, n_more) = (all.len(), more.len());
    for column in &mut all.columns {
        let same = more.columns.iter().find(|c| c.name.eq_ignore_ascii_case(&column.name));
        match same {
            Some(same) => column.values.extend_from_slice(&same.values),
            None => column.values.resize(n + n_more, f64::NAN),
        }
    }
    for column in more.columns {
        if !all.columns.iter().any(|c| c.name.eq_ignore_ascii_case(&column.name)) {
            let mut values = vec![f64::NAN; n];
            values.extend(column.values);
            all.columns.push(NumberColumn { name: column.name, values });
        }
    }
    all.id.extend(more.id);
    all.simulation.extend(more.simulation);
    all.subject.extend(more.subject);
    all.x_min_days.extend(more.x_min_days);
    all.x_max_days.extend(more.x_max_days);
}

pub(super) struct Judging<'a> {
    pub(super) cutoff: f64,
    pub(super) quantities: &'a Quantities,
    pub(super) level: f64,
    pub(super) seed: u64,
}

/// An evaluation with everything that is said of it.
pub(super) struct Judged {
    matched: Matched,
    headline: Headline,
    floors: Vec<Headline>,
    marked_only: (Curves, AreaIntervals),
    all: (Curves, AreaIntervals),
    maps: Vec<(String, String, RecoveryTable)>,
    lines: Vec<(String, bool, RecoveryTable)>,
    completeness: Option<(String, Vec<CompletenessBin>, Completeness)>,
    level: f64,
}

impl Judged {
    pub(super) fn new(
        features: &Features,
        score: &[f64],
        known: &Signals,
        params: &Judging<'_>,
    ) -> Result<Self> {
        let matched = match_features(features, score, known, MATCH_COVER)?;
        let (cutoff, level) = (params.cutoff, params.level);
        let areas = |convention| {
            let intervals = area_intervals(&matched, convention, SAMPLES, level, params.seed);
            (curves(&matched, convention), intervals)
        };
        let (marked_only, all) = (areas(Convention::MarkedOnly), areas(Convention::All));
        let mut lines = Vec::new();
        // Ids are numbers too, but no quantities.
        let is_id = |c: &&NumberColumn| c.name.to_ascii_lowercase().ends_with("id");
        for column in known.columns.iter().filter(|c| !is_id(c)) {
            let is_log = is_logarithmic(column);
            let spacing = if is_log { Spacing::Logarithmic } else { Spacing::Linear };
            let edges = edges(&column.values, BINS, spacing);
            if edges.len() >= 2 {
                let table = recovery_by(&matched, cutoff, (&column.values, &edges), level)?;
                lines.push((column.name.clone(), is_log, table));
            }
        }
        let completeness = completeness(&matched, known, params)?;
        Ok(Self {
            headline: headline(&matched, cutoff, level),
            floors: floors(&matched, &PAPER_FLOORS, level),
            marked_only,
            all,
            maps: maps(&matched, known, params)?,
            lines,
            completeness,
            matched,
            level,
        })
    }

    pub(super) fn calibration(&self, probability: &[f64]) -> Result<Calibration, EvaluateError> {
        let of: Vec<f64> = self.matched.judged.iter().map(|j| probability[j.feature as usize]).collect();
        calibration(&self.matched, &of, self.level)
    }

    pub(super) fn note(&self, session: &mut Session) {
        let summary = &mut session.summary;
        let h = &self.headline;
        let share = |s: &volary_crowd::marks::evaluate::Share| {
            format!("{}  ({} of {})", percent(s.share(), s.interval.low, s.interval.high), s.k, s.n)
        };
        let recovered = h.recovered.share();
        summary.line("recovered", "signals recovered", &share(&h.recovered), recovered);
        summary.line("reachable", "  reachable", &share(&h.reachable), h.reachable.share());
        summary.line("precision", "precision", &share(&h.precision), h.precision.share());
        let rate = h.false_positive_rate.share();
        summary.line("false_positive_rate", "false-positive rate", &share(&h.false_positive_rate), rate);
        let pieces = h.features_per_signal;
        summary.line("features_per_signal", "features per signal", &format!("{pieces:.3}"), pieces);
        let kinds = [("marked_only", &self.marked_only), ("all", &self.all)];
        let mut rows = Vec::new();
        for (name, (curves, intervals)) in kinds {
            let area = |value: Option<f64>, i: Option<volary_crowd::Interval>| {
                let value = value.map_or_else(|| "–".to_owned(), |v| format!("{v:.4}"));
                i.map_or(value.clone(), |i| format!("{value} ({:.3}–{:.3})", i.low, i.high))
            };
            rows.push(vec![
                if name == "all" { "all signals" } else { "marked signals" }.to_owned(),
                area(curves.roc_auc, Some(intervals.roc_auc)),
                area(curves.average_precision, Some(intervals.average_precision)),
                area(curves.pr_auc, None),
                format!("{:.3}", curves.max_recall),
            ]);
            summary.value(
                &format!("curves_{name}"),
                json!({
                    "roc_auc": curves.roc_auc, "pr_auc": curves.pr_auc,
                    "average_precision": curves.average_precision,
                    "average_precision_reached": curves.average_precision_reached,
                    "max_recall": curves.max_recall,
                    "positives": curves.n_positive, "negatives": curves.n_negative,
                    "roc_auc_interval": [intervals.roc_auc.low, intervals.roc_auc.high],
                    "average_precision_interval":
                        [intervals.average_precision.low, intervals.average_precision.high],
                }),
            );
        }
        let header = ["positives", "ROC area", "average precision", "PR area", "largest recall"];
        summary.table("Curves", &header, &rows);
        if let Some((name, _, fit)) = &self.completeness {
            let shown = format!(
                "B = {:.3} ± {:.3}, Q = {:.3} ± {:.3}, ν = {:.3} ± {:.3}",
                fit.b, fit.b_error, fit.q, fit.q_error, fit.nu, fit.nu_error
            );
            let value = json!({
                "by": name, "b": fit.b, "b_error": fit.b_error, "q": fit.q, "q_error": fit.q_error,
                "nu": fit.nu, "nu_error": fit.nu_error, "shape_undecided": fit.shape_undecided,
            });
            summary.line("completeness_fit", "completeness fit", &shown, value);
        }
    }

    /// Writes `recovery`, `curves` and `floors`; returns their numbers of rows.
    pub(super) fn write(&self, place: &Place<'_>) -> Result<Vec<(&'static str, u64)>> {
        let lines = self.lines.iter().map(|(name, _, table)| (name.as_str(), None, table));
        let maps = self.maps.iter().map(|(x, y, table)| (x.as_str(), Some(y.as_str()), table));
        let recovery: Vec<Recovery<'_>> = lines.chain(maps).collect();
        let both = [("marked signals", &self.marked_only.0), ("all signals", &self.all.0)];
        let mut written = vec![
            ("curves", write_curves(&place.path("curves"), both, self.level)?),
            ("floors", write_floors(&place.path("floors"), &self.floors)?),
        ];
        if !recovery.is_empty() {
            written.push(("recovery", write_recovery(&place.path("recovery"), &recovery)?));
        }
        Ok(written)
    }

    pub(super) fn input<'a>(&'a self, calibrations: &'a [(String, Calibration)]) -> MarksEvaluation<'a> {
        MarksEvaluation {
            matched: &self.matched,
            headline: self.headline,
            floors: &self.floors,
            marked_only: &self.marked_only,
            all: &self.all,
            maps: &self.maps,
            lines: &self.lines,
            completeness: self.completeness.as_ref().map(|(n, b, f)| (n.as_str(), b.as_slice(), f)),
            calibrations,
            level: self.level,
        }
    }
}

/// A column that was asked for.
fn column<'k>(known: &'k Signals, name: &str) -> Result<&'k NumberColumn> {
    known.column(&[name]).with_context(|| {
        let names: Vec<&str> = known.columns.iter().map(|c| c.name.as_str()).collect();
        format!("the signals have no column of numbers {name:?}; there are {}", names.join(", "))
    })
}

/// Tables of recovery by two quantities: those asked for, or by period and radius in the paper's bins.
fn maps(
    matched: &Matched,
    known: &Signals,
    params: &Judging<'_>,
) -> Result<Vec<(String, String, RecoveryTable)>> {
    let mut maps = Vec::new();
    let mut add = |(x, x_edges): (&NumberColumn, &[f64]), (y, y_edges): (&NumberColumn, &[f64])| {
        let (of_x, of_y) = ((x.values.as_slice(), x_edges), (y.values.as_slice(), y_edges));
        let table = recovery_table(matched, params.cutoff, of_x, of_y, params.level)?;
        maps.push((x.name.clone(), y.name.clone(), table));
        Ok::<(), EvaluateError>(())
    };
    for (x, y) in &params.quantities.by {
        let (x, y) = (column(known, x)?, column(known, y)?);
        let [x_edges, y_edges] = [x, y].map(|c| edges(&c.values, MAP_BINS, Spacing::Quantiles));
        if x_edges.len() >= 2 && y_edges.len() >= 2 {
            add((x, &x_edges), (y, &y_edges))?;
        }
    }
    let radius = known.column(&["prad", "radius", "radius_earth"]);
    let period = known.column(&["period", "period_days"]);
    if let (Some(radius), Some(period), true) = (radius, period, params.quantities.by.is_empty()) {
        add((period, &PAPER_PERIOD_EDGES), (radius, &PAPER_RADIUS_EDGES))?;
    }
    Ok(maps)
}

/// The share of signals recovered as it rises with a quantity, and the curve through it. Bins hold about
/// equal numbers, so that each says equally much; none where the quantity is not known.
fn completeness(
    matched: &Matched,
    known: &Signals,
    params: &Judging<'_>,
) -> Result<Option<(String, Vec<CompletenessBin>, Completeness)>> {
    let column = match &params.quantities.completeness_by {
        Some(name) => column(known, name)?,
        None => match known.column(&[COMPLETENESS_BY]) {
            Some(column) => column,
            None => return Ok(None),
        },
    };
    let edges = edges(&column.values, BINS, Spacing::Quantiles);
    if edges.len() < 2 {
        return Ok(None);
    }
    let table = recovery_by(matched, params.cutoff, (&column.values, &edges), params.level)?;
    let bins = bins_of(&table, is_logarithmic(column));
    let fit = fit_completeness(&bins, Weighting::Binomial, Shape::Free).ok();
    Ok(fit.map(|fit| (column.name.clone(), bins, fit)))
}

/// Whether a quantity spans so much that its bins are better of equal ratio.
fn is_logarithmic(column: &NumberColumn) -> bool {
    let known = || column.values.iter().copied().filter(|v| v.is_finite());
    let (low, high) = (known().fold(f64::MAX, f64::min), known().fold(f64::MIN, f64::max));
    low > 0.0 && high / low > 20.0
}

/// Writes the page and each figure by itself.
pub(super) fn write_figures(folder: &Path, title: &str, input: &MarksInput<'_>) -> Result<()> {
    for figure in page::figures(input)? {
        write_whole(
            &folder.join("figures").join(format!("{}.svg", figure.name)),
            figure.svg.as_bytes(),
        )?;
    }
    Ok(write_whole(&folder.join("report.html"), page::render(title, input)?.as_bytes())?)
}
