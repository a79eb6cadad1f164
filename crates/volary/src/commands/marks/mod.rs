//! `volary marks`: from ranges that volunteers drew on light curves to scored features.

mod evaluate;
mod examples;
mod follow;
mod input;
mod options;
mod outcome;
mod stages;
mod sweep;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Subcommand;

use self::options::Quantities;
pub(crate) use self::options::{Constants, Inputs};
pub(crate) use self::outcome::Outcome;
pub(crate) use self::stages::Place;
use crate::session::Session;

/// From ranges that volunteers drew on light curves to scored features (SATCHEL, and better).
///
/// Reads Planet Hunters rows or the `marks` table of `volary extract` and writes into DIR: metafeatures
/// with scores and intervals, their members, weights of the volunteers, completeness of the injected
/// signals, the iterations, and, where signals are known, an evaluation with figures. Each stage is a
/// command of its own too.
#[derive(Clone, Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Examples:
  volary simulate lightcurves -o sky --scale 0.01
  volary marks sky/classifications.csv --signals sky/signals.csv --truth sky/truth.csv -o marks
  volary marks mdwarf-classifs.csv --signals syntheticdata.csv --profile paper -o marks
  volary marks extracts --light-curves fits --model bayes -o marks --to csv
  volary marks evaluate marks --truth known.csv -o evaluation
  volary marks sweep sky/classifications.csv --signals sky/signals.csv -o sweep
  volary marks follow sky/classifications.csv --signals sky/signals.csv --new new.ndjson -o live")]
pub(crate) struct Args {
    #[command(subcommand)]
    stage: Option<Stage>,
    /// Planet Hunters rows (CSV), a `marks` table that `volary extract` wrote, or the folder it is in.
    #[arg(value_name = "CLASSIFICATIONS", required = true)]
    classifications: Option<PathBuf>,
    /// Folder to write.
    #[arg(short, long, value_name = "DIR", required = true)]
    output: Option<PathBuf>,
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    constants: Constants,
    #[command(flatten)]
    more: More,
}

#[derive(Clone, Debug, Subcommand)]
enum Stage {
    Build(Build),
    Weigh(Weigh),
    Score(Box<Whole>),
    Evaluate(evaluate::Args),
    Sweep(Box<sweep::Args>),
    Follow(Box<follow::Args>),
}

/// What every stage takes.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Job {
    /// Planet Hunters rows (CSV), a `marks` table that `volary extract` wrote, or the folder it is in.
    #[arg(value_name = "CLASSIFICATIONS")]
    pub(crate) classifications: PathBuf,
    /// Folder to write.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) inputs: Inputs,
    #[command(flatten)]
    pub(crate) constants: Constants,
}

/// Everything: build, weigh, score, evaluate. As `score`, it takes seed weights from elsewhere too.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  volary marks score classifications.csv --seeds weights.csv --no-coupling -o scores")]
pub(crate) struct Whole {
    #[command(flatten)]
    pub(crate) job: Job,
    #[command(flatten)]
    pub(crate) more: More,
}

/// What only the whole run takes.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "The run")]
pub(crate) struct More {
    /// Real transits that are known: subject_id, xmin, xmax. They judge and do not teach.
    #[arg(long, value_name = "TABLE")]
    pub(crate) truth: Option<PathBuf>,
    /// satchel: scores only; bayes: a probability of being real too.
    #[arg(long, default_value = "satchel", value_name = "NAME")]
    pub(crate) model: String,
    #[command(flatten)]
    pub(crate) quantities: Quantities,
    /// Keep weights and scores of every iteration.
    #[arg(long)]
    pub(crate) keep_iterations: bool,
    /// Seed weights (volunteer or user_name, weight) instead of those from simulations.
    #[arg(long, value_name = "TABLE")]
    pub(crate) seeds: Option<PathBuf>,
    /// Order of the subjects (subject_id), by which the released code numbers its features.
    #[arg(long, value_name = "TABLE")]
    pub(crate) subject_order: Option<PathBuf>,
    /// Order of the volunteers (volunteer, username), in which the released code normalises.
    #[arg(long, value_name = "TABLE")]
    pub(crate) volunteer_order: Option<PathBuf>,
    /// No report and no figures.
    #[arg(long)]
    pub(crate) no_figures: bool,
}

/// Group marks into features.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  volary marks build classifications.csv --gaps gaps.csv --grouping twins -o features")]
pub(crate) struct Build {
    #[command(flatten)]
    pub(crate) job: Job,
}

/// Weigh volunteers by the simulations they saw.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  volary marks weigh classifications.csv --signals signals.csv --viewers-per-simulation 10 -o weights")]
pub(crate) struct Weigh {
    #[command(flatten)]
    pub(crate) job: Job,
}

/// Runs it.
pub(crate) fn run(args: &Args, session: Session) -> Result<ExitCode> {
    match &args.stage {
        Some(Stage::Build(args)) => stages::build(args, session),
        Some(Stage::Weigh(args)) => stages::weigh(args, session),
        Some(Stage::Score(args)) => stages::whole(args, session),
        Some(Stage::Evaluate(args)) => evaluate::run(args, session),
        Some(Stage::Sweep(args)) => sweep::run(args, session),
        Some(Stage::Follow(args)) => follow::run(args, session),
        None => match (&args.classifications, &args.output) {
            (Some(classifications), Some(output)) => {
                let job = Job {
                    classifications: classifications.clone(),
                    output: output.clone(),
                    inputs: args.inputs.clone(),
                    constants: args.constants.clone(),
                };
                let whole = Whole { job, more: args.more.clone() };
                stages::whole(&whole, session)
            }
            // The command line is refused before it comes to this.
            _ => bail!("no classifications; see `volary marks --help`"),
        },
    }
}
