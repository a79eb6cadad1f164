//! `volary optout`: who said "do not use what I did".

mod in_store;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Subcommand;
use volary_ingest::volunteer;
use volary_release::key::ReleaseKey;
use volary_release::optout::{Entry, OptOuts, State};
use volary_release::package;
use volary_release::settings::Settings;
use volary_release::verify::{Against, Check, verify};

use crate::session::Session;

/// Keep the list of volunteers who opted out, by key and never by name.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary optout add --user \"Some Body\"
  volary optout back --user \"Some Body\" --list optouts.toml
  volary optout list
  volary optout where --user \"Some Body\" --project .")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Opt somebody out.
    #[command(after_help = "Examples:
  volary optout add --user \"Some Body\" --channel email
  volary optout add --user \"Some Body\" --store live.db")]
    Add(Change),
    /// Opt somebody in again.
    Back(Change),
    /// Show how many are out, and their keys.
    List(List),
    Where(Where),
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
    #[command(flatten)]
    here: in_store::Here,
}

/// Say where somebody's votes went: every file, model and release of a project; nothing is changed.
///
/// A run left them out only where the list that it was given held them, which --list can say of each record. With
/// --package their pseudonym is looked for in a package, too; the key of its pseudonyms is needed for that.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary optout where --user \"Some Body\" --project .
  volary optout where --user \"Some Body\" --package cats-1.0 --key cats-1.0.key --settings release.toml")]
struct Where {
    /// The volunteer's `user_name`; it goes into no file.
    #[arg(long, value_name = "NAME")]
    user: String,
    /// The project's folder.
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// A package to look into.
    #[arg(long, value_name = "DIR", requires = "key", requires = "settings")]
    package: Option<PathBuf>,
    /// The key of its pseudonyms.
    #[arg(long, value_name = "FILE", requires = "package")]
    key: Option<PathBuf>,
    /// Its release.toml.
    #[arg(long, value_name = "TOML", requires = "package")]
    settings: Option<PathBuf>,
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
        What::Where(args) => return ask(args, session),
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
    let key = key_of(&change.user)?;
    let today = || volary_ingest::time::format_ms(session.now_ms()).chars().take(10).collect();
    let at = change.at.clone().unwrap_or_else(today);
    let in_store = change.here.tell(&change.user, state == State::Out, session.now_ms())?;
    log.seal()?;
    let changed = log.add(Entry { volunteer: key, state, at, channel: change.channel.clone() })?;
    log.write(path)?;
    session.summary.note(match (changed, state) {
        (false, _) => "nothing to change",
        (true, State::Out) => {
            "opted out: `volary rebuild --without-optouts --project .` names what was made with the person's \
             votes, and with --again makes it without them; until then `volary release --optouts` refuses \
             consensus, skill, gold and models that may hold them. A release that is out stays as it is"
        }
        (true, State::In) => "opted in again",
    });
    if let Some(n) = in_store {
        session.summary.count("n_ids", "user ids told to the store", n);
    }
    session.summary.value("changed", changed);
    session.finish(None)
}

fn key_of(user: &str) -> Result<String> {
    let (key, logged_in) = volunteer::key(user);
    if !logged_in {
        bail!("somebody who was not logged in cannot be told from others, and so cannot opt out");
    }
    Ok(key)
}

fn ask(args: &Where, mut session: Session) -> Result<ExitCode> {
    let key = key_of(&args.user)?;
    let list = &args.list.list;
    let log = if list.exists() { OptOuts::read(list)? } else { OptOuts::default() };
    session.summary.line(
        "is_out",
        "opted out",
        if log.is_out(&key) { "yes" } else { "no" },
        log.is_out(&key),
    );
    super::rebuild::project::ask(&args.project, &log, &key, &mut session)?;
    if let (Some(package), Some(release_key), Some(settings)) =
        (&args.package, &args.key, &args.settings)
    {
        let tokens =
            package::pseudonyms(&Settings::read(settings)?, &ReleaseKey::read(release_key, package)?)?;
        let mut asked = OptOuts::default();
        let at = "1970-01-01".to_owned();
        asked.add(Entry { volunteer: key, state: State::Out, at, channel: String::new() })?;
        let against = Against { optouts: Some((&asked, &tokens)), ..Against::default() };
        let found = verify(package, &against, &session.progress)?;
        let is_in = found.findings.iter().any(|finding| finding.check == Check::OptOuts);
        let shown = if is_in { "yes" } else { "no" };
        session.summary.line("is_in_package", "a pseudonym of theirs is in the package", shown, is_in);
    }
    session.finish(None)
}
