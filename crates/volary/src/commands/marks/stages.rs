//! The stages that make features, weights and scores.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use volary_crowd::marks::{
    Bayes, BayesParams, Ending, Given, Iteration, MarkParams, Scored, bayes, build as build_features,
    run, weigh as weigh_volunteers,
};
use volary_ingest::tables::TableFormat;

use super::evaluate;
use super::input::{self, Read};
use super::options::{Inputs, record};
use super::{Build, Weigh, Whole};
use crate::commands::extract::table_format;
use crate::mark_tables::{self as tables, History};
use crate::session::{Session, run_json_for};

/// Where tables go.
pub(crate) struct Place<'a> {
    folder: &'a Path,
    format: TableFormat,
}

impl<'a> Place<'a> {
    pub(crate) fn new(folder: &'a Path, to: &str) -> Result<Self> {
        Ok(Self { folder, format: table_format(to)? })
    }

    pub(crate) fn path(&self, table: &str) -> PathBuf {
        self.folder.join(format!("{table}.{}", self.format.extension()))
    }
}

fn prepare(
    classifications: &Path,
    inputs: &Inputs,
    params: &MarkParams,
    session: &mut Session,
) -> Result<Read> {
    session.summary.value("constants", record(params));
    input::read(classifications, inputs, params.repeats, session)
}

/// Features only.
pub(crate) fn build(args: &Build, mut session: Session) -> Result<ExitCode> {
    let params = args.constants.params(session.global.seed)?;
    let place = Place::new(&args.output, &args.inputs.to)?;
    let read = prepare(&args.classifications, &args.inputs, &params, &mut session)?;
    let built = build_features(&read.marks, &read.curves, &params, None)?;
    note_built(&built, &mut session);
    let n = tables::write_features(&place.path("metafeatures"), &read.marks, &built, None, None)?;
    session.rows("metafeatures", n);
    session.rows("members", tables::write_members(&place.path("members"), &read.marks, &built)?);
    session.rows("subjects", tables::write_subjects(&place.path("subjects"), &read.marks, &built)?);
    session.finish(Some(&run_json_for(&args.output)))
}

/// Seed weights only.
pub(crate) fn weigh(args: &Weigh, mut session: Session) -> Result<ExitCode> {
    let params = args.constants.params(session.global.seed)?;
    let place = Place::new(&args.output, &args.inputs.to)?;
    let read = prepare(&args.classifications, &args.inputs, &params, &mut session)?;
    let weighed = weigh_volunteers(&read.marks, &read.signals, &params)?;
    note_weighed(&weighed, &mut session);
    let n = tables::write_weights(&place.path("weights"), &read.marks, &weighed, None)?;
    session.rows("weights", n);
    write_signals(&place, &read, &weighed, &params, &mut session)?;
    session.finish(Some(&run_json_for(&args.output)))
}

fn write_signals(
    place: &Place<'_>,
    read: &Read,
    weighed: &volary_crowd::marks::Weighed,
    params: &MarkParams,
    session: &mut Session,
) -> Result<()> {
    if read.signals.is_empty() {
        return Ok(());
    }
    let (floor, level) = (params.completeness_floor, params.level);
    let path = place.path("completeness");
    let n = tables::write_completeness(&path, &read.signals, weighed, floor, level)?;
    session.rows("completeness", n);
    let n = tables::write_matches(&place.path("matches"), &read.marks, &read.signals, weighed)?;
    session.rows("matches", n);
    Ok(())
}

/// Everything.
pub(crate) fn whole(args: &Whole, mut session: Session) -> Result<ExitCode> {
    let params = args.constants.params(session.global.seed)?;
    let is_bayes = match args.more.model.as_str() {
        "satchel" => false,
        "bayes" => true,
        other => bail!("no model {other:?}; there are satchel, bayes"),
    };
    let place = Place::new(&args.output, &args.inputs.to)?;
    let read = prepare(&args.classifications, &args.inputs, &params, &mut session)?;
    let mut history = History::default();
    let scored = score(args, &read, &params, &mut history, &mut session)?;
    let bayes = is_bayes.then(|| judge(&read, &scored, &params, &mut session));
    write_all(&place, &read, &scored, bayes.as_ref(), &params, &mut session)?;
    if args.more.keep_iterations {
        let paths = (place.path("weights_by_iteration"), place.path("scores_by_iteration"));
        let (w, s) = tables::write_history((&paths.0, &paths.1), &read.marks, &scored, &history)?;
        session.rows("weights_by_iteration", w);
        session.rows("scores_by_iteration", s);
    }
    let run = evaluate::Run { read: &read, scored: &scored, bayes: bayes.as_ref(), history: &history };
    evaluate::after_run(&run, args, &params, &mut session)?;
    session.finish(Some(&run_json_for(&args.output)))
}

fn score(
    args: &Whole,
    read: &Read,
    params: &MarkParams,
    history: &mut History,
    session: &mut Session,
) -> Result<Scored> {
    let more = &args.more;
    let marks = &read.marks;
    let mut order = |path: &Option<PathBuf>, names: &[String]| {
        path.as_ref().map(|p| input::order(p, names, session)).transpose()
    };
    let subjects = order(&more.subject_order, &marks.subjects)?;
    let volunteers = order(&more.volunteer_order, &marks.volunteers)?;
    let without = params.weight_without_simulations.unwrap_or(1.0);
    let seeds = more.seeds.as_ref().map(|p| input::seeds(p, marks, without, session)).transpose()?;
    let given = Given {
        subject_order: subjects.as_deref(),
        volunteer_order: volunteers.as_deref(),
        seeds: seeds.as_deref(),
    };
    let keep = more.keep_iterations || !more.no_figures;
    let progress = session.progress.clone();
    let mut on_iteration = |_: &Iteration, weight: &[f64], score: &[f64]| {
        if keep {
            history.weights.push(weight.to_vec());
            history.scores.push(score.to_vec());
        }
        !progress.is_stopped()
    };
    let started = std::time::Instant::now();
    let scored = run(marks, &read.curves, &read.signals, params, given, &mut on_iteration)?;
    session.summary.value("pipeline_s", started.elapsed().as_secs_f64());
    note_built(&scored.built, session);
    note_weighed(&scored.weighed, session);
    note_coupled(&scored, session);
    Ok(scored)
}

fn judge(read: &Read, scored: &Scored, params: &MarkParams, session: &mut Session) -> Bayes {
    let bayes = bayes(
        &read.marks,
        &read.signals,
        &scored.built.features,
        &scored.ballots,
        &scored.weighed,
        &BayesParams { level: params.level, ..BayesParams::default() },
    );
    let summary = &mut session.summary;
    let likely = bayes.probability.iter().filter(|p| **p >= 0.5).count() as u64;
    summary.count("n_probably_real", "probability ≥ 0.5", likely);
    let shown = format!("{:.2} %", 100.0 * bayes.share_real);
    summary.line("share_real", "  features that are real", &shown, bayes.share_real);
    let rounds = if bayes.is_converged { "converged" } else { "NOT converged" };
    let shown = format!("{} rounds, {rounds}", bayes.n_rounds);
    summary.line("bayes_rounds", "  learning", &shown, bayes.n_rounds);
    summary.value("bayes_converged", bayes.is_converged);
    summary.value("bayes_spread_completeness", bayes.spread_a);
    summary.value("bayes_spread_false_alarm", bayes.spread_b);
    bayes
}

fn write_all(
    place: &Place<'_>,
    read: &Read,
    scored: &Scored,
    bayes: Option<&Bayes>,
    params: &MarkParams,
    session: &mut Session,
) -> Result<()> {
    let marks = &read.marks;
    let (features, others) = rayon::join(
        || {
            let path = place.path("metafeatures");
            tables::write_features(&path, marks, &scored.built, Some(&scored.scores), bayes)
        },
        || -> Result<[u64; 4]> {
            Ok([
                tables::write_members(&place.path("members"), marks, &scored.built)?,
                tables::write_weights(&place.path("weights"), marks, &scored.weighed, bayes)?,
                tables::write_subjects(&place.path("subjects"), marks, &scored.built)?,
                tables::write_iterations(&place.path("iterations"), &scored.coupled.log)?,
            ])
        },
    );
    session.rows("metafeatures", features?);
    for (table, n) in ["members", "weights", "subjects", "iterations"].into_iter().zip(others?) {
        session.rows(table, n);
    }
    write_signals(place, read, &scored.weighed, params, session)
}

fn note_built(built: &volary_crowd::marks::Built, session: &mut Session) {
    let summary = &mut session.summary;
    let left_out = [
        ("n_too_wide", "marks too wide", built.n_too_wide),
        ("n_in_gaps", "marks in gaps", built.n_in_gaps),
        ("n_doubled", "marks said twice", built.n_doubled),
    ];
    for (key, label, n) in left_out {
        summary.count(key, label, n);
    }
    summary.count("n_metafeatures", "metafeatures", built.features.len() as u64);
}

fn note_weighed(weighed: &volary_crowd::marks::Weighed, session: &mut Session) {
    let summary = &mut session.summary;
    let weights = &weighed.weights;
    let seen = weights.n_signals.iter().filter(|n| **n > 0).count() as u64;
    summary.count("n_volunteers_with_simulations", "volunteers with simulations", seen);
    summary.line("base_weight", "base weight", &format!("{:.4}", weights.base), weights.base);
    summary.value("highest_upweight", weighed.highest_upweight);
}

fn note_coupled(scored: &Scored, session: &mut Session) {
    let (coupled, summary) = (&scored.coupled, &mut session.summary);
    let n = coupled.log.len().saturating_sub(1) as u64;
    let (ending, words) = match coupled.ending {
        Ending::Converged => ("converged", "converged"),
        Ending::TooMany => ("too many", "NOT converged: raise --max-iterations"),
        Ending::Stopped => ("stopped", "stopped after a whole iteration"),
        Ending::NotCoupled => ("not coupled", "seed scores only"),
    };
    summary.line("n_iterations", "iterations", &format!("{n}, {words}"), n);
    summary.value("ending", ending);
    if coupled.n_held > 0 {
        summary.count("n_held", "volunteers without features", coupled.n_held);
    }
    let above = scored.scores.score.iter().filter(|s| **s >= 0.5).count() as u64;
    summary.count("n_at_half", "score ≥ 0.5", above);
    let rows: Vec<Vec<String>> = coupled.log.iter().map(log_row).collect();
    let shown = if rows.len() > 12 { &rows[rows.len() - 12..] } else { &rows };
    let header = ["iteration", "mean change", "changing", "by ≥ 0.1", "mean weight", "mean score", ""];
    summary.table("Iterations", &header, shown);
}

fn log_row(entry: &Iteration) -> Vec<String> {
    let known = entry.number > 0;
    let if_known = |text: String| if known { text } else { String::new() };
    vec![
        entry.number.to_string(),
        if_known(format!("{:.6}", entry.mean_change)),
        if_known(entry.n_changing.to_string()),
        if_known(entry.n_large.to_string()),
        format!("{:.4}", entry.mean_weight),
        format!("{:.4}", entry.mean_score),
        if entry.is_damped { "damped".to_owned() } else { String::new() },
    ]
}
