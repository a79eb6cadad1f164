//! `volary optout`: who said "do not use what I did".

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Subcommand;
use volary_ingest::volunteer;
use volary_release::optout::{Entry, OptOuts, State};

use crate::session::Session;

/// Keep the list of volunteers who opted out, by key and never by name.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary optout add --user \"Some Body\"
  volary optout back --user \"Some Body\" --list optouts.toml
  volary optout list")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Opt somebody out.
    #[command(after_help = "Example:\n  volary optout add --user \"Some Body\" --channel email")]
    Add(Change),
    /// Opt somebody in again.
    Back(Change),
    /// Show how many are out, and their keys.
    List(List),
}

#[derive(Clone, Debug, clap::Args)]
struct Change {
    /// The volunteer's `user_name`; it goes into no file.
    #[arg(long, value_name = "NAME")]
    user: String,
    /// The day that it was asked for [default: today].
    #[arg(long, value_name = "DAY")]
    at: Option<String>,
    /// How it was asked for.
    #[arg(long, default_value = "")]
    channel: String,
    #[command(flatten)]
    list: List,
}

#[derive(Clone, Debug, clap::Args)]
struct List {
    /// The list.
    #[arg(long, value_name = "TOML", default_value = "optouts.toml")]
    list: PathBuf,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let (change, state) = match &args.what {
        What::Add(change) => (change, State::Out),
        What::Back(change) => (change, State::In),
        What::List(list) => {
            let log = OptOuts::read(&list.list)?;
            let out = log.out();
            session.summary.count("n_out", "opted out", out.len() as u64);
            for (key, at) in &out {
                session.summary.note(&format!("  {key}  {at}"));
            }
            session.summary.value("out", out.keys().map(|k| (*k).to_owned()).collect::<Vec<_>>());
            return session.finish(None);
        }
    };
    let path = &change.list.list;
    let mut log = if path.exists() { OptOuts::read(path)? } else { OptOuts::default() };
    let (key, logged_in) = volunteer::key(&change.user);
    if !logged_in {
        bail!("somebody who was not logged in cannot be told from others, and so cannot opt out");
    }
    let today = || volary_ingest::time::format_ms(session.now_ms()).chars().take(10).collect();
    let at = change.at.clone().unwrap_or_else(today);
    let changed = log.add(Entry { volunteer: key, state, at, channel: change.channel.clone() })?;
    log.write(path)?;
    session.summary.note(match (changed, state) {
        (false, _) => "nothing to change",
        (true, State::Out) => {
            "opted out: the next `volary release --optouts` leaves the person out; `volary rebuild \
             --without-optouts --project .` names what must be made again"
        }
        (true, State::In) => "opted in again",
    });
    session.summary.value("changed", changed);
    session.finish(None)
}
