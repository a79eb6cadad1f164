//! `volary optout`: who said "do not use what I did".

mod in_store;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Subcommand;
use volary_ingest::output::Held;
use volary_ingest::volunteer;
use volary_release::key::ReleaseKey;
use volary_release::names::read_names;
use volary_release::optout::{Entry, OptOuts, State};
use volary_release::package;
use volary_release::settings::Settings;
use volary_release::verify::{Against, Check, verify};

use super::rebuild::project;
use crate::project::wanted_optouts;
use crate::session::Session;
use crate::summary::printable;

/// Keep the list of volunteers who opted out, by key and never by name.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary optout add --user \"Some Body\" --project .
  volary optout back --user \"Some Body\" --list optouts.toml
  volary optout back --volunteer v0123456789abcdef
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
  volary optout add --user \"Some Body\" --channel email --project .
  volary optout add --user \"Some Body\" --names classifications.csv
  volary optout add --user \"Some Body\" --store live.db")]
    Add(Change),
    /// Opt somebody in again.
    Back(Change),
    /// Show how many are out, and their keys.
    List(List),
    Where(Where),
}

/// Whose wish it is.
#[derive(Clone, Debug, clap::Args)]
struct Who {
    /// The volunteer's `user_name`; it goes into no file. A key, as `optout list` shows it, is taken for that person's,
    /// unless what was looked at has it for a user_name.
    #[arg(
        long,
        value_name = "NAME",
        required_unless_present = "volunteer",
        conflicts_with = "volunteer"
    )]
    user: Option<String>,
    /// The volunteer's key, as `optout list` and tables (`volunteer`) show it, and never a name.
    #[arg(long, value_name = "KEY")]
    volunteer: Option<String>,
}

#[derive(Clone, Debug, clap::Args)]
struct Change {
    #[command(flatten)]
    who: Who,
    /// The day that it was asked for [default: today].
    #[arg(long, value_name = "DAY")]
    at: Option<String>,
    /// The project's folder: says where nobody of that name has voted, and which names differ in capitals and blanks only.
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    /// The same of an export, or of a list with a name on each line.
    #[arg(long, value_name = "FILE")]
    names: Option<PathBuf>,
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
    #[command(flatten)]
    who: Who,
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
    let key = change.who.key()?;
    let today = || volary_ingest::time::format_ms(session.now_ms()).chars().take(10).collect();
    let at = change.at.clone().unwrap_or_else(today);
    // Where a file to look the name up in cannot be read, nothing is changed.
    look_up(change, &mut session)?;
    // Held until it is written: of two commands at once the second adds to what the first has written.
    let held = Held::new(&change.list.list)?;
    let path = held.path();
    let mut log = if path.exists() { OptOuts::read(path)? } else { OptOuts::default() };
    let here = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let unnamed = match &change.project {
        Some(folder) => wanted_optouts(folder, path)?,
        // Nobody asked about what lies beside the list, and what is wrong with it stops nothing.
        None => wanted_optouts(here, path).unwrap_or(None),
    };
    let in_store =
        change.here.tell(change.who.user.as_deref(), state == State::Out, session.now_ms())?;
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
    if let Some(what) = unnamed.filter(|_| state == State::Out) {
        session.summary.note(&what);
    }
    if let Some(n) = in_store {
        session.summary.count("n_ids", "user ids told to the store", n);
    }
    session.summary.value("changed", changed);
    session.finish(None)
}

impl Who {
    /// What was typed.
    fn text(&self) -> &str {
        self.user.as_deref().or(self.volunteer.as_deref()).unwrap_or_default()
    }

    /// The key of a name; a key is one already.
    fn key(&self) -> Result<String> {
        let text = self.text();
        if text.trim().is_empty() {
            bail!("--user is empty; give the name as it stands in the export");
        }
        if self.volunteer.is_some() && !volunteer::is_key(text) {
            bail!("--volunteer takes a key, as `volary optout list` shows it; give a name with --user");
        }
        let (key, logged_in) = match volunteer::is_key(text) {
            true => (text.to_owned(), !volunteer::is_anonymous(text)),
            false => volunteer::key(text),
        };
        if !logged_in {
            bail!("somebody who was not logged in cannot be told from others, and so cannot opt out");
        }
        Ok(key)
    }
}

/// Somebody among those who voted. Names that are almost theirs are shown and never recorded.
struct Search<'a> {
    name: &'a str,
    /// Under which they may stand.
    keys: BTreeSet<String>,
    folded: String,
    has_voted: bool,
    similar: BTreeSet<String>,
    /// The name looks like a key, and has not been called one.
    may_be_key: bool,
    /// Somebody has it for a name.
    is_name_too: bool,
}

impl<'a> Search<'a> {
    fn of(who: &'a Who) -> Result<Self> {
        let name = who.text();
        Ok(Self {
            name,
            keys: volunteer::all_keys(&who.key()?).collect(),
            folded: folded(name),
            has_voted: false,
            similar: BTreeSet::new(),
            may_be_key: who.volunteer.is_none() && volunteer::is_key(name),
            is_name_too: false,
        })
    }

    /// Looks at a cell; only the column `volunteer` is known to have no names.
    fn see(&mut self, column: &str, cell: &str) {
        if cell == self.name || self.keys.contains(cell) || self.keys.contains(&volunteer::key(cell).0) {
            self.has_voted = true;
            self.is_name_too |= self.may_be_key && cell == self.name && column != "volunteer";
        } else if folded(cell) == self.folded && !self.similar.contains(cell) {
            self.similar.insert(cell.to_owned());
        }
    }

    /// Refuses a text that may be two people's: who takes another's key for a name does not opt that person out.
    fn check(&self) -> Result<()> {
        if self.is_name_too {
            let name = self.name;
            bail!(
                "{name} is a key, and also somebody's user_name in what was looked at: whoever has that key and whoever \
                 is called so are two people, unless it is an export that `volary dedup` wrote, where keys stand for \
                 names. Give --volunteer {name} for the one who has the key, --volunteer {} for the one who is called so",
                volunteer::key(name).0
            );
        }
        Ok(())
    }

    fn tell(&self, session: &mut Session) {
        let summary = &mut session.summary;
        summary.line(
            "has_voted",
            "has voted",
            if self.has_voted { "yes" } else { "no" },
            self.has_voted,
        );
        summary.value("n_similar", self.similar.len());
        if !self.has_voted {
            summary.note("nobody of this name is in what was looked at: is it spelt as in the export?");
        }
        if !self.similar.is_empty() {
            let names: Vec<String> =
                self.similar.iter().map(|name| format!("{:?}", printable(name))).collect();
            summary.note(&format!("differ in capitals and blanks only: {}", names.join(", ")));
        }
    }
}

/// A name without what people get wrong when they type it.
fn folded(name: &str) -> String {
    name.split_whitespace().flat_map(str::chars).flat_map(char::to_lowercase).collect()
}

/// Says whether anybody of that name has voted, or that nobody looked.
fn look_up(change: &Change, session: &mut Session) -> Result<()> {
    let mut search = Search::of(&change.who)?;
    let mut n_files = 0;
    if let Some(folder) = &change.project {
        n_files += project::each_voter(folder, &mut |column, cell| search.see(column, cell), session)?;
        if n_files == 0 {
            session.summary.note(&format!(
                "{} has no record of a run and names no export, so that there is nothing to look the name up in",
                folder.display()
            ));
        }
    }
    if let Some(path) = &change.names {
        read_names(path, &session.progress)?.iter().for_each(|name| search.see("user_name", name));
        n_files += 1;
    }
    search.check()?;
    if n_files > 0 {
        search.tell(session);
    } else if change.project.is_none() {
        session.summary.note(
            "whether anybody of this name has voted was not looked up: --project DIR or --names EXPORT says so",
        );
    }
    Ok(())
}

fn ask(args: &Where, mut session: Session) -> Result<ExitCode> {
    let key = args.who.key()?;
    let list = &args.list.list;
    let log = if list.exists() { OptOuts::read(list)? } else { OptOuts::default() };
    session.summary.line(
        "is_out",
        "opted out",
        if log.is_out(&key) { "yes" } else { "no" },
        log.is_out(&key),
    );
    let mut search = Search::of(&args.who)?;
    let mut see = |column: &str, cell: &str| search.see(column, cell);
    project::ask(&args.project, &log, &key, &mut see, &mut session)?;
    search.check()?;
    search.tell(&mut session);
    if let (Some(package), Some(release_key), Some(settings)) =
        (&args.package, &args.key, &args.settings)
    {
        let release_key = ReleaseKey::read(release_key, package)?;
        let tokens = package::pseudonyms_of(package, &Settings::read(settings)?, &release_key)?;
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
