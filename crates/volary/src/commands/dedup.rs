//! `volary dedup`: an export without repeats.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use volary_ingest::panoptes::dedup::{DedupOptions, KeepRepeat, dedup};

use crate::input::{OPTED_OUT, note_opted_out};
use crate::session::{Session, run_json_for};
use crate::settings::RowSettings;

/// Write an export without repeated classifications, still an export: same columns, same order.
///
/// Names, ids and addresses of volunteers become keys; every other cell stays as it is, unless a spreadsheet would take
/// it for a formula.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary dedup classifications.csv -o once.csv
  volary dedup classifications.csv --repeats last --live-only -o once.csv")]
pub(crate) struct Args {
    /// Classification export.
    #[arg(value_name = "EXPORT")]
    export: PathBuf,
    /// CSV file to write.
    #[arg(short, long, value_name = "CSV")]
    output: PathBuf,
    /// Which of one volunteer's classifications of a subject stays: first or last.
    #[arg(long, default_value = "first", value_name = "RULE")]
    repeats: String,
    #[command(flatten)]
    rows: RowSettings,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let repeats = match args.repeats.as_str() {
        "first" => KeepRepeat::First,
        "last" => KeepRepeat::Last,
        other => bail!("--repeats {other:?}; there are first and last"),
    };
    let rows = args.rows.clone().or(&session.settings.rows);
    let filter = rows.filter()?;
    session.show_reading(std::slice::from_ref(&args.export));
    let found = dedup(&args.export, &args.output, &DedupOptions { repeats, filter }, &session.progress)?;
    let left_out = found.input.left_out.iter().filter(|(reason, _)| *reason == OPTED_OUT);
    note_opted_out(&rows, left_out.map(|(_, n)| *n).sum(), &mut session);
    session.report(found.input);
    session.output(&args.output);
    session.finish(Some(&run_json_for(&args.output)))
}
