//! How right the features are: after a run, or for a folder that a run wrote.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
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
use volary_crowd::marks::{
    Bayes, Features, MarkParams, Marks, MarksBuilder, NumberColumn, Scored, SignalTable, Signals,
};
use volary_ingest::Progress;
use volary_ingest::light_curves::read_whole;
use volary_ingest::marks::{FeatureTable, read_features};
use volary_ingest::output::write_whole;
use volary_ingest::signals::read_signals;
use volary_ingest::tables::TableFormat;

use super::Whole;
use super::input::Read;
use super::options::Inputs;
use super::stages::Place;
use crate::mark_tables::{History, Recovery, write_recovery};
use crate::report::marks::{self as page, Example, MarksEvaluation, MarksInput};
use crate::session::{Session, run_json_for};
use crate::summary::percent;

/// Bootstrap samples behind the intervals of areas.
const SAMPLES: u32 = 500;
/// Bins of a quantity whose edges the paper does not give.
const BINS: usize = 10;
/// Light curves shown with their marks.
const EXAMPLES: usize = 4;
/// A segment of a light curve as volunteers see it.
const SEGMENT_DAYS: f64 = 30.0;
/// Light-curve files that are looked into whatever their names.
const FEW_FILES: usize = 8;

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
    let params = Judging { cutoff: args.score_cutoff, level: args.level, seed: session.global.seed };
    let judged = Judged::new(&features, &table.score, &known, &params)?;
    judged.note(&mut session);
    let n = judged.write(&place.path("recovery"))?;
    session.rows("recovery", n);
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
pub(crate) fn known_signals(
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

struct Judging {
    cutoff: f64,
    level: f64,
    seed: u64,
}

/// An evaluation with everything that is said of it.
struct Judged {
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
    fn new(
        features: &Features,
        score: &[f64],
        known: &Signals,
        params: &Judging,
    ) -> Result<Self, EvaluateError> {
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
        let completeness = lines.iter().find(|(name, ..)| name.eq_ignore_ascii_case("snr")).and_then(
            |(name, is_log, table)| {
                let bins = bins_of(table, *is_log);
                let fit = fit_completeness(&bins, Weighting::Binomial, Shape::Free).ok()?;
                Some((name.clone(), bins, fit))
            },
        );
        let (radius, period) = (
            known.column(&["prad", "radius", "radius_earth"]),
            known.column(&["period", "period_days"]),
        );
        let mut maps = Vec::new();
        if let (Some(radius), Some(period)) = (radius, period) {
            let x = (period.values.as_slice(), &PAPER_PERIOD_EDGES[..]);
            let y = (radius.values.as_slice(), &PAPER_RADIUS_EDGES[..]);
            let table = recovery_table(&matched, cutoff, x, y, level)?;
            maps.push((period.name.clone(), radius.name.clone(), table));
        }
        Ok(Self {
            headline: headline(&matched, cutoff, level),
            floors: floors(&matched, &PAPER_FLOORS, level),
            marked_only,
            all,
            maps,
            lines,
            completeness,
            matched,
            level,
        })
    }

    fn calibration(&self, probability: &[f64]) -> Result<Calibration, EvaluateError> {
        let of: Vec<f64> = self.matched.judged.iter().map(|j| probability[j.feature as usize]).collect();
        calibration(&self.matched, &of, self.level)
    }

    fn note(&self, session: &mut Session) {
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

    fn write(&self, path: &Path) -> Result<u64> {
        let lines = self.lines.iter().map(|(name, _, table)| (name.as_str(), None, table));
        let maps = self.maps.iter().map(|(x, y, table)| (x.as_str(), Some(y.as_str()), table));
        let all: Vec<Recovery<'_>> = lines.chain(maps).collect();
        if all.is_empty() {
            return Ok(0);
        }
        write_recovery(path, &all)
    }

    fn input<'a>(&'a self, calibrations: &'a [(String, Calibration)]) -> MarksEvaluation<'a> {
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

/// Whether a quantity spans so much that its bins are better of equal ratio.
fn is_logarithmic(column: &NumberColumn) -> bool {
    let known = || column.values.iter().copied().filter(|v| v.is_finite());
    let (low, high) = (known().fold(f64::MAX, f64::min), known().fold(f64::MIN, f64::max));
    low > 0.0 && high / low > 20.0
}

/// Writes the page and each figure by itself.
pub(crate) fn write_figures(folder: &Path, title: &str, input: &MarksInput<'_>) -> Result<()> {
    for figure in page::figures(input)? {
        write_whole(
            &folder.join("figures").join(format!("{}.svg", figure.name)),
            figure.svg.as_bytes(),
        )?;
    }
    Ok(write_whole(&folder.join("report.html"), page::render(title, input)?.as_bytes())?)
}

/// What a whole run has in hand.
pub(crate) struct Run<'a> {
    pub(crate) read: &'a Read,
    pub(crate) scored: &'a Scored,
    pub(crate) bayes: Option<&'a Bayes>,
    pub(crate) history: &'a History,
}

/// Evaluates a run where signals are known, and draws its figures.
pub(crate) fn after_run(
    run: &Run<'_>,
    args: &Whole,
    params: &MarkParams,
    session: &mut Session,
) -> Result<()> {
    let (inputs, truth) = (&args.inputs, args.more.truth.as_deref());
    let Read { marks, .. } = run.read;
    let (features, scores) = (&run.scored.built.features, &run.scored.scores);
    let known = known_signals(inputs, truth, marks, session)?;
    let place = Place::new(&args.output, &inputs.to)?;
    let judging = Judging { cutoff: SCORE_CUTOFF, level: params.level, seed: params.seed };
    let has_signals = (0..marks.n_subjects()).any(|s| !known.of(s).is_empty());
    let judged = match has_signals {
        true => Some(Judged::new(features, &scores.score, &known, &judging)?),
        false if truth.is_some() => bail!(EvaluateError::NoSignals),
        false => None,
    };
    let mut calibrations = Vec::new();
    if let Some(judged) = &judged {
        judged.note(session);
        let n = judged.write(&place.path("recovery"))?;
        session.rows("recovery", n);
        calibrations.push(("score".to_owned(), judged.calibration(&scores.score)?));
        if let Some(bayes) = run.bayes {
            calibrations.push(("probability".to_owned(), judged.calibration(&bayes.probability)?));
            note_bayes(judged, bayes, features, &known, session)?;
        }
    }
    if args.more.no_figures {
        return Ok(());
    }
    let iterations: Vec<page::Iteration<'_>> = run
        .history
        .weights
        .iter()
        .zip(&run.history.scores)
        .zip(&run.scored.coupled.log)
        .map(|((weights, scores), entry)| page::Iteration {
            weights,
            scores,
            mean_change: (entry.number > 0).then_some(entry.mean_change),
        })
        .collect();
    let shown = examples(run, &known, inputs.light_curves.as_deref());
    let examples: Vec<Example<'_>> = shown.iter().map(Shown::example).collect();
    let evaluation = judged.as_ref().map(|j| j.input(&calibrations));
    let input = MarksInput {
        marks: Some(marks),
        examples: &examples,
        iterations: &iterations,
        tolerance: params.converged_at,
        evaluation: evaluation.as_ref(),
        sweep: &[],
    };
    write_figures(&args.output, "Marks", &input)
}

/// How the probabilities compare with the scores.
fn note_bayes(
    judged: &Judged,
    bayes: &Bayes,
    features: &Features,
    known: &Signals,
    session: &mut Session,
) -> Result<()> {
    let matched = match_features(features, &bayes.probability, known, MATCH_COVER)?;
    let of = curves(&matched, Convention::All);
    let calibrated = judged.calibration(&bayes.probability)?;
    let shown = format!(
        "average precision {:.4}, Brier score {:.4}",
        of.average_precision_reached.unwrap_or(f64::NAN),
        calibrated.brier.unwrap_or(f64::NAN)
    );
    let value = json!({
        "average_precision": of.average_precision, "average_precision_reached": of.average_precision_reached,
        "roc_auc": of.roc_auc, "brier": calibrated.brier, "ece": calibrated.ece,
    });
    session.summary.line("bayes_evaluation", "probability", &shown, value);
    Ok(())
}

/// One example with its own data.
struct Shown {
    subject: String,
    time_days: Vec<f64>,
    flux: Vec<f64>,
    views: Vec<Vec<(f64, f64)>>,
    features: Vec<(f64, f64, f64, volary_crowd::Interval)>,
    signals: Vec<(f64, f64)>,
}

impl Shown {
    fn example(&self) -> Example<'_> {
        Example {
            subject: &self.subject,
            time_days: &self.time_days,
            flux: &self.flux,
            views: &self.views,
            features: &self.features,
            signals: &self.signals,
        }
    }
}

/// The subjects with the most marks: those with known signals first.
fn examples(run: &Run<'_>, known: &Signals, light_curves: Option<&Path>) -> Vec<Shown> {
    let marks = &run.read.marks;
    let (features, scores) = (&run.scored.built.features, &run.scored.scores);
    let mut order: Vec<usize> =
        (0..marks.n_subjects()).filter(|&s| !features.of(s).is_empty()).collect();
    order.sort_by_key(|&s| (known.of(s).is_empty(), std::cmp::Reverse(marks.marks_in(s).len()), s));
    let of = |s: usize| {
        let (time_days, flux) =
            light_curves.and_then(|folder| flux_of(folder, marks, s)).unwrap_or_default();
        Shown {
            subject: marks.subjects[s].clone(),
            time_days,
            flux,
            views: marks
                .views_of(s)
                .map(|v| marks.marks_of(v).map(|m| (marks.x_min_days[m], marks.x_max_days[m])).collect())
                .collect(),
            features: features
                .of(s)
                .map(|f| {
                    (features.x_min_days[f], features.x_max_days[f], scores.score[f], scores.interval[f])
                })
                .collect(),
            signals: known.of(s).map(|k| (known.x_min_days[k], known.x_max_days[k])).collect(),
        }
    };
    order.into_iter().take(EXAMPLES).map(of).collect()
}

/// Time and flux of a subject's segment, out of the files whose names hold its id or its star's (or of all,
/// where they are few).
fn flux_of(folder: &Path, marks: &Marks, subject: usize) -> Option<(Vec<f64>, Vec<f64>)> {
    let id = marks.subjects[subject].as_str();
    let star = marks.stars.get(marks.star[subject] as usize).map_or("", String::as_str);
    let range = marks.marks_in(subject);
    let start = marks.start_days[subject];
    let low = marks.x_min_days[range.clone()].iter().copied().fold(start, f64::min) - 0.5;
    let high = marks.x_max_days[range].iter().copied().fold(start + SEGMENT_DAYS, f64::max) + 0.5;
    let mut files = Vec::new();
    list_files(folder, &mut files);
    let is_named = |p: &&PathBuf| {
        let name = p.file_name().unwrap_or_default().to_string_lossy();
        name.contains(id) || (!star.is_empty() && name.contains(star))
    };
    let few = files.len() <= FEW_FILES;
    for path in files.iter().filter(|p| few || is_named(p)) {
        // What cannot be read has been listed already.
        let Ok((curves, ..)) = read_whole(path, &Progress::default()) else { continue };
        for curve in curves.iter().filter(|c| c.subject == id || (!star.is_empty() && c.star == star)) {
            let inside = |t: &f64| low <= *t && *t <= high;
            let pairs = curve.time_days.iter().zip(&curve.flux).filter(|(t, _)| inside(t));
            let (time, flux): (Vec<f64>, Vec<f64>) = pairs.map(|(t, f)| (*t, *f)).unzip();
            if !time.is_empty() {
                return Some((time, flux));
            }
        }
    }
    None
}

fn list_files(folder: &Path, out: &mut Vec<PathBuf>) {
    if !folder.is_dir() {
        out.push(folder.to_owned());
        return;
    }
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    paths.sort();
    paths.iter().for_each(|p| list_files(p, out));
}
