//! `volary rebuild`: everything that is derived, anew from the log.

use std::process::ExitCode;

use anyhow::Result;

use crate::live::{StoreArgs, wait};
use crate::session::Session;

/// Make tallies and alerts of the live store anew from its log of events, and say whether anything came
/// out differently.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary rebuild
  volary rebuild --store postgres://volary@db/live")]
pub(crate) struct Args {
    #[command(flatten)]
    store: StoreArgs,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let (before, after, counts) = wait(async {
        let live = args.store.open_existing().await?;
        let before = live.state_hash().await?;
        let after = live.rebuild().await?;
        let counts = live.counts().await?;
        live.close().await?;
        Ok((before, after, counts))
    })?;
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    session.summary.count("n_events", "events", count(counts.n_events));
    session.summary.count("n_strands", "subjects with votes", count(counts.n_strands));
    session.summary.count("n_alerts", "alerts", count(counts.n_alerts));
    session.summary.line("state", "state", &after, after.clone());
    session.summary.value("is_same", before == after);
    session.summary.note(if before == after {
        "The same as before, to the byte."
    } else {
        "It differs from what was there: the tables had been changed by hand, or by another version."
    });
    session.finish(None)
}
