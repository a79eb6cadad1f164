//! `volary manifest`: subject manifests before they are uploaded.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use volary_ingest::manifest::check_manifest;

use crate::session::Session;

/// Check subject manifests before they are uploaded.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    Check(Check),
}

/// Prefixes, media, feedback columns, training settings, and the misspellings that the platform ignores
/// without a word.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary manifest check manifest.csv
  volary manifest check --strict manifest.tsv workflow.json")]
struct Check {
    /// Manifests (CSV or TSV), or a workflow's configuration (JSON).
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let What::Check(args) = &args.what;
    for path in &args.files {
        let found = check_manifest(path, &session.progress)?;
        session.summary.note(&path.display().to_string());
        session.report(found.report);
        session.summary.line(
            "media_columns",
            "  media columns",
            &found.media_columns.join(", "),
            found.media_columns.clone(),
        );
        session.summary.count("n_training", "  training subjects", found.n_training);
        session.summary.count("n_with_feedback", "  with feedback", found.n_with_feedback);
    }
    if session.problems.total() == 0 {
        session.summary.note("no problems");
    }
    session.finish(None)
}
