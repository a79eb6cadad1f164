//! A whole run in memory: read, scored, judged against what is known. `volary marks` writes it down, the
//! report of a project shows it.

use anyhow::{Result, bail};
use serde_json::json;
use std::path::PathBuf;
use volary_crowd::marks::evaluate::{EvaluateError, MATCH_COVER, SCORE_CUTOFF, match_features};
use volary_crowd::marks::evaluate_curves::{Calibration, Convention, curves};
use volary_crowd::marks::{
    Bayes, BayesParams, Ending, Features, Given, Iteration, MarkParams, Scored, Signals, bayes, run,
};

use super::evaluate::{Judged, Judging, known_signals};
use super::examples::{Shown, examples};
use super::input::{self, Read};
use super::stages::{Place, note_built, note_weighed, prepare, write_signals};
use super::{More, Whole};
use crate::mark_tables::{self as tables, History};
use crate::report::marks::{self as page, Example, MarksInput};
use crate::session::Session;

/// Features with scores, and all that is known of them.
pub(crate) struct Outcome {
    read: Read,
    params: MarkParams,
    scored: Scored,
    bayes: Option<Bayes>,
    history: History,
    known: Signals,
    judged: Option<Judged>,
    calibrations: Vec<(String, Calibration)>,
    light_curves: Option<PathBuf>,
}

impl Outcome {
    /// Reads, scores and judges; tells the session.
    pub(crate) fn of(args: &Whole, session: &mut Session) -> Result<Self> {
        let params = args.job.constants.params(session.global.seed)?;
        let is_bayes = match args.more.model.as_str() {
            "satchel" => false,
            "bayes" => true,
            other => bail!("no model {other:?}; there are satchel, bayes"),
        };
        let read = prepare(&args.job.classifications, &args.job.inputs, &params, session)?;
        let mut history = History::default();
        let sign = session.working("features, weights, scores");
        let scored = score(args, &read, &params, &mut history, session)?;
        drop(sign);
        let sign = session.working("learning from features and evaluating");
        let bayes = is_bayes.then(|| judge(&read, &scored, &params, session));
        let known = known_signals(&args.job.inputs, args.more.truth.as_deref(), &read.marks, session)?;
        let mut outcome = Self {
            read,
            params,
            scored,
            bayes,
            history,
            known,
            judged: None,
            calibrations: Vec::new(),
            light_curves: args.job.inputs.light_curves.clone(),
        };
        outcome.evaluate(&args.more, session)?;
        drop(sign);
        Ok(outcome)
    }

    /// Compares with the signals that are known, where some are.
    fn evaluate(&mut self, more: &More, session: &mut Session) -> Result<()> {
        let has_signals = (0..self.read.marks.n_subjects()).any(|s| !self.known.of(s).is_empty());
        if !has_signals {
            if more.truth.is_some() {
                bail!(EvaluateError::NoSignals);
            }
            return Ok(());
        }
        let (features, score) = (&self.scored.built.features, &self.scored.scores.score);
        let judging = Judging {
            cutoff: SCORE_CUTOFF,
            quantities: &more.quantities,
            level: self.params.level,
            seed: self.params.seed,
        };
        let judged = Judged::new(features, score, &self.known, &judging)?;
        judged.note(session);
        self.calibrations.push(("score".to_owned(), judged.calibration(score)?));
        if let Some(bayes) = &self.bayes {
            self.calibrations.push(("probability".to_owned(), judged.calibration(&bayes.probability)?));
            note_bayes(&judged, bayes, features, &self.known, session)?;
        }
        self.judged = Some(judged);
        Ok(())
    }

    /// Writes the tables; returns their names and numbers of rows.
    pub(crate) fn write(
        &self,
        place: &Place<'_>,
        keep_iterations: bool,
    ) -> Result<Vec<(&'static str, u64)>> {
        let (marks, scored, bayes) = (&self.read.marks, &self.scored, self.bayes.as_ref());
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
        let mut written = vec![("metafeatures", features?)];
        written.extend(["members", "weights", "subjects", "iterations"].into_iter().zip(others?));
        written.extend(write_signals(place, &self.read, &scored.weighed, &self.params)?);
        if let Some(judged) = &self.judged {
            written.extend(judged.write(place)?);
        }
        if keep_iterations {
            let paths = (place.path("weights_by_iteration"), place.path("scores_by_iteration"));
            let (w, s) = tables::write_history((&paths.0, &paths.1), marks, scored, &self.history)?;
            written.extend([("weights_by_iteration", w), ("scores_by_iteration", s)]);
        }
        Ok(written)
    }

    /// Lends what the report shows.
    pub(crate) fn show<T>(&self, show: impl FnOnce(&MarksInput<'_>) -> T) -> T {
        let iterations = self.history.weights.iter().zip(&self.history.scores);
        let iterations: Vec<page::Iteration<'_>> = iterations
            .zip(&self.scored.coupled.log)
            .map(|((weights, scores), entry)| page::Iteration {
                weights,
                scores,
                mean_change: (entry.number > 0).then_some(entry.mean_change),
            })
            .collect();
        let marks = &self.read.marks;
        let shown = examples(marks, &self.scored, &self.known, self.light_curves.as_deref());
        let examples: Vec<Example<'_>> = shown.iter().map(Shown::example).collect();
        let evaluation = self.judged.as_ref().map(|j| j.input(&self.calibrations));
        show(&MarksInput {
            marks: Some(marks),
            examples: &examples,
            iterations: &iterations,
            tolerance: self.params.converged_at,
            evaluation: evaluation.as_ref(),
            sweep: &[],
        })
    }
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

// How the probabilities compare with the scores.
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
