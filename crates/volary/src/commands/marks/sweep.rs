//! `volary marks sweep`: what tolerance, duration cutoff and score floor change.

use std::process::ExitCode;

use anyhow::Result;
use volary_crowd::marks::sweep::{SweepGrid, best, sweep};
use volary_crowd::marks::{MarkParams, ballots, build, couple, silent, weigh};

use super::Job;
use super::evaluate::{known_signals, write_figures};
use super::input;
use super::options::record;
use super::stages::Place;
use crate::mark_tables::write_sweep;
use crate::report::marks::MarksInput;
use crate::session::{Session, run_json_for};

/// Try tolerances, duration cutoffs and score floors, in parallel.
///
/// For every pair of tolerance and cutoff the whole pipeline runs anew; recovery, precision and
/// false-positive rate are given at every score floor (figures 17 to 20 and 23 of the paper).
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  volary marks sweep classifications.csv --signals signals.csv --tolerances 0.8,1.2 -o sweep")]
pub(crate) struct Args {
    #[command(flatten)]
    job: Job,
    /// Real transits that are known.
    #[arg(long, value_name = "TABLE")]
    truth: Option<std::path::PathBuf>,
    /// Midpoint tolerances, days [default: 0.4 to 1.4 by 0.2].
    #[arg(long, value_name = "DAYS,…", value_delimiter = ',')]
    tolerances: Vec<f64>,
    /// Duration cutoffs, days [default: 0.15,0.5,1,2,3,4].
    #[arg(long, value_name = "DAYS,…", value_delimiter = ',')]
    cutoffs: Vec<f64>,
    /// Score floors [default: 0.0 to 0.9 by 0.1].
    #[arg(long, value_name = "SCORE,…", value_delimiter = ',')]
    floors: Vec<f64>,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let params = args.job.constants.params(session.global.seed)?;
    let place = Place::new(&args.job.output, &args.job.inputs.to)?;
    session.summary.value("constants", record(&params));
    let read = input::read(&args.job.classifications, &args.job.inputs, params.repeats, &mut session)?;
    let known = known_signals(&args.job.inputs, args.truth.as_deref(), &read.marks, &mut session)?;
    let or = |given: &Vec<f64>, usual: Vec<f64>| if given.is_empty() { usual } else { given.clone() };
    let usual = SweepGrid { level: params.level, ..SweepGrid::default() };
    let grid = SweepGrid {
        tolerances_days: or(&args.tolerances, usual.tolerances_days),
        cutoffs_days: or(&args.cutoffs, usual.cutoffs_days),
        floors: or(&args.floors, usual.floors),
        level: usual.level,
    };
    let started = std::time::Instant::now();
    let seeds = weigh(&read.marks, &read.signals, &params)?.weights.seed;
    let sign = session.working("one pair of constants after the other");
    let rows = sweep(&grid, &known, |tolerance_days, cutoff_days| -> Result<_> {
        // The rule for votes goes with the rule for features.
        let vote_tolerance_days = tolerance_days;
        let params = MarkParams { tolerance_days, vote_tolerance_days, cutoff_days, ..params.clone() };
        let features = build(&read.marks, &read.curves, &params, None)?.features;
        let ballots = ballots(&read.marks, &features, &params);
        let coupled = couple(&features, &ballots, &seeds, &params, None, &mut silent);
        Ok((features, coupled.score))
    })?;
    drop(sign);
    session.summary.value("sweep_s", started.elapsed().as_secs_f64());
    session.rows("sweep", write_sweep(&place.path("sweep"), &rows)?);
    let summary = &mut session.summary;
    summary.count("n_pairs", "pairs of constants", rows.len() as u64);
    if let Some(best) = best(&rows) {
        let shown = format!("tolerance {} d, cutoff {} d", best.tolerance_days, best.cutoff_days);
        summary.line("best", "best average precision", &shown, best.all.average_precision_reached);
    }
    let input = MarksInput { sweep: &rows, tolerance: params.converged_at, ..MarksInput::default() };
    write_figures(&args.job.output, "Marks: the sweep", &input)?;
    session.finish(Some(&run_json_for(&args.job.output)))
}
