//! `volary flatten`: an export as one tidy table.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use volary_ingest::panoptes::flatten::flatten;

use crate::session::{Session, run_json_for};

/// Write an export as one tidy CSV: one row for each thing said, at any depth of the JSON.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary flatten classifications.csv -o flat.csv")]
pub(crate) struct Args {
    /// Classification export.
    #[arg(value_name = "EXPORT")]
    export: PathBuf,
    /// CSV file to write.
    #[arg(short, long, value_name = "CSV")]
    output: PathBuf,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    session.show_reading(std::slice::from_ref(&args.export));
    let found = flatten(&args.export, &args.output, &session.progress)?;
    session.report(found.input);
    session.summary.count("rows_written", "rows written", found.rows_written);
    session.summary.count("n_annotations", "annotations", found.n_annotations);
    session.summary.count("n_blank", "  left blank", found.n_blank);
    session.rows("flat", found.rows_written);
    session.output(&args.output);
    session.finish(Some(&run_json_for(&args.output)))
}
