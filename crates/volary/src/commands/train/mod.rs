//! `volary train`: models that learn from pictures and from what volunteers said of them.

mod confusion;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

pub(crate) use self::confusion::device;
use crate::session::Session;

/// Train a model on pictures.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  volary train confusion subjects.csv --consensus consensus.csv -o model")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    Confusion(Box<confusion::Args>),
}

/// Runs it.
pub(crate) fn run(args: &Args, session: Session) -> Result<ExitCode> {
    match &args.what {
        What::Confusion(args) => confusion::run(args, session),
    }
}
