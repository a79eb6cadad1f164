//! `volary rebuild`: everything that is derived, anew from the log; and without those who opted out.

pub(super) mod project;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use volary_live::Live;
use volary_live::store::{Options, Place};

use crate::live::{StoreArgs, wait};
use crate::session::Session;

/// Make everything that is derived anew, and say whether anything came out differently; or make it without
/// those who opted out, as if they had never voted.
///
/// Of the live store: tallies and alerts anew from its log. With --without-optouts and -o, a new store from the
/// log without those who opted out in it; the store itself stays, since consensus and credit in use go on. With
/// --without-optouts and --project, every file of a project that votes of the people on the list went into:
/// what must be made again is named, models and releases first, and --again makes it.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary rebuild
  volary rebuild --store postgres://volary@db/live
  volary rebuild --without-optouts -o without.db
  volary rebuild --without-optouts --project .
  volary rebuild --without-optouts --project . --optouts optouts.toml --again")]
pub(crate) struct Args {
    #[command(flatten)]
    store: StoreArgs,
    /// Without those who opted out: needs -o or --project.
    #[arg(long)]
    without_optouts: bool,
    /// The new store: a SQLite file that is not there yet, or postgres://USER@HOST/DATABASE.
    #[arg(short, long, value_name = "FILE|URL", requires = "without_optouts")]
    output: Option<String>,
    /// The project's folder.
    #[arg(
        long,
        value_name = "DIR",
        requires = "without_optouts",
        conflicts_with_all = ["output", "store"]
    )]
    project: Option<PathBuf>,
    /// Who opted out.
    #[arg(long, value_name = "TOML", default_value = "optouts.toml", requires = "project")]
    optouts: PathBuf,
    /// Run what must be made again, in order. Releases are never made again: a new version is.
    #[arg(long, requires = "project")]
    again: bool,
}

/// Runs it.
pub(crate) fn run(args: &Args, session: Session) -> Result<ExitCode> {
    match (&args.project, &args.output) {
        (Some(folder), _) => project::run(folder, &args.optouts, args.again, session),
        (None, Some(output)) => without(&args.store, output, session),
        (None, None) if args.without_optouts => {
            bail!(
                "--without-optouts of what? -o NEW.db makes a live store, --project DIR a project's files"
            )
        }
        (None, None) => anew(&args.store, session),
    }
}

fn anew(store: &StoreArgs, mut session: Session) -> Result<ExitCode> {
    let (before, after, counts) = wait(async {
        let live = store.open_existing().await?;
        let before = live.state_hash().await?;
        let after = live.rebuild().await?;
        let counts = live.counts().await?;
        live.close().await?;
        Ok((before, after, counts))
    })?;
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

fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

fn without(store: &StoreArgs, output: &str, mut session: Session) -> Result<ExitCode> {
    let place = Place::parse(output);
    if matches!(&place, Place::File(path) if path.exists()) {
        bail!("there is something already; give the new store another name: {output}");
    }
    let (n_people, copied, [before, after], [counts, now]) = wait(async {
        let live = store.look().await?;
        let out: std::collections::BTreeSet<String> =
            live.people().await?.opted_out().map(str::to_owned).collect();
        let other = Live::open(&place, Options::default()).await?;
        let copied = live.copy_without(&out, &other).await?;
        let hashes = [live.state_hash().await?, other.state_hash().await?];
        let counts = [live.counts().await?, other.counts().await?];
        live.close().await?;
        other.close().await?;
        Ok((out.len() as u64, copied, hashes, counts))
    })?;
    let summary = &mut session.summary;
    summary.count("n_opted_out", "people who opted out", n_people);
    summary.count("n_events", "events", copied.n_kept);
    summary.count("n_left_out", "  left out", copied.n_left_out);
    let change = |key: &str, label: &str, before: i64, now: i64, session: &mut Session| {
        let shown = format!("{} (with them {})", count(now), count(before));
        session.summary.line(key, label, &shown, count(now));
    };
    change("n_strands", "subjects with votes", counts.n_strands, now.n_strands, &mut session);
    change("n_alerts", "alerts", counts.n_alerts, now.n_alerts, &mut session);
    session.summary.line("state", "state", &after, after.clone());
    session.summary.value("is_same", before == after);
    session
        .summary
        .note(&format!("written to {output}; what was announced from {store} stays announced"));
    session.finish(None)
}
