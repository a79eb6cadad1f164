//! `volary credit`: who took part, who is named for an alert, and the text of its report.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use volary_ingest::output;
use volary_ingest::tables::for_each_batch;
use volary_live::canon::set_hash;
use volary_live::credit::draw::{self, DayKey, KEY_BYTES};
use volary_live::credit::list::{Form, name_list};
use volary_live::credit::names;
use volary_live::credit::tns::{Dialect, Team, report};
use volary_live::{Event, Key, Kind, Live, Outcome};

use crate::live::{StoreArgs, wait};
use crate::session::Session;

/// Name the volunteers: all who took part, or five of the eight behind an alert, with the text of a
/// report to the Transient Name Server. Nothing is sent.
///
/// The draw goes by a secret key of the day. Make it before the day begins (--new-key): its fingerprint
/// goes into the log, so that everybody can check later that it was not chosen to fit.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary credit --new-key key-2026-11-28.txt --day 2026-11-28
  volary credit --participants participants.html
  volary credit --participants authors.tex --of 96301451,96301452
  volary credit --alert 12 --key key-2026-11-28.txt -o report.json --team \"A. Astronomer\"")]
pub(crate) struct Args {
    #[command(flatten)]
    store: StoreArgs,
    /// Make a key, which only you can read, and commit to it in the log.
    #[arg(long, value_name = "FILE", requires = "day")]
    new_key: Option<PathBuf>,
    /// The day that the new key is for, UTC.
    #[arg(long, value_name = "YYYY-MM-DD")]
    day: Option<String>,
    /// Write the names of all who took part (.txt, .csv, .json, .tex or .html).
    #[arg(long, value_name = "FILE")]
    participants: Option<PathBuf>,
    /// Only of those with a vote that counts on these subjects, for or against: for a paper about them. Ids
    /// with commas between, or a table with subject_id.
    #[arg(long, value_name = "SUBJECT,…|TABLE", requires = "participants")]
    of: Option<String>,
    /// Draw for this alert.
    #[arg(long, value_name = "NUMBER", requires = "key")]
    alert: Option<u64>,
    /// The key of the alert's day.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Write the report of the alert, as JSON.
    #[arg(short, long, value_name = "FILE", requires = "alert")]
    output: Option<PathBuf>,
    /// The team, as it wants to be listed in the report.
    #[arg(long, default_value = "", value_name = "NAMES")]
    team: String,
    /// On whose behalf the report is.
    #[arg(long, default_value = "", value_name = "NAME")]
    collaboration: String,
    /// TNS number of the reporting group, and of the source of the data.
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    group: u32,
    /// Field names as tom_tns has them, not as SkyPortal has.
    #[arg(long)]
    tom: bool,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    if args.new_key.is_none() && args.participants.is_none() && args.alert.is_none() {
        bail!("nothing to do: give --participants FILE, --alert NUMBER or --new-key FILE");
    }
    wait(async {
        let live = match args.new_key {
            // The key comes before the day's first event, and so may come before the store.
            Some(_) => args.store.open().await?,
            None => args.store.look().await?,
        };
        if let (Some(path), Some(day)) = (&args.new_key, &args.day) {
            new_key(path, day, &live, &mut session).await?;
        }
        if let Some(path) = &args.participants {
            participants(path, args.of.as_deref(), &live, &mut session).await?;
        }
        if let (Some(number), Some(key)) = (args.alert, &args.key) {
            draw_for(args, number, key, &live, &mut session).await?;
        }
        Ok(live.close().await?)
    })?;
    session.finish(None)
}

async fn new_key(path: &Path, day: &str, live: &Live, session: &mut Session) -> Result<()> {
    let is_day = day.len() == 10 && format!("{day}T00:00:00Z").parse::<jiff::Timestamp>().is_ok();
    if !is_day {
        bail!("--day wants a day such as 2026-11-28, not {day:?}");
    }
    let people = live.people().await?;
    if people.commitment(day).is_some() {
        bail!("a key for {day} is committed already; use that one, for a second proves nothing");
    }
    let mut random = [0; KEY_BYTES * 2];
    getrandom::fill(&mut random).map_err(|e| anyhow!("the system gives no random numbers: {e}"))?;
    let (key, nonce) = random.split_at(KEY_BYTES);
    let key = DayKey::new(key.try_into()?, nonce.try_into()?);
    // The file first: a commitment whose key is lost makes the day's alerts impossible to draw.
    write_secret(path, &key.to_text())?;
    let at_ms = session.now_ms();
    let kind = Kind::Commitment { day: day.to_owned(), sha256: key.commitment() };
    let id = format!("commitment/{day}");
    let event = Event { key: Key { source: "volary".into(), id }, at_ms, kind };
    match live.submit(vec![event]).await?.first() {
        Some(Outcome::New(_)) => {}
        other => {
            bail!("the commitment was not taken ({other:?}); look at the log with `volary rebuild`")
        }
    }
    session.summary.line("commitment", "commitment", &key.commitment(), key.commitment());
    session.summary.note(&format!("Keep {} secret until the day is over.", path.display()));
    Ok(())
}

fn write_secret(path: &Path, text: &str) -> Result<()> {
    let mut options = OpenOptions::new();
    // An old key is never written over: without it, its day's draws cannot be checked.
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let what = || format!("writing the key failed: {}", path.display());
    let mut file = options.open(path).with_context(what)?;
    file.write_all(format!("{text}\n").as_bytes()).and_then(|()| file.sync_all()).with_context(what)
}

async fn participants(path: &Path, of: Option<&str>, live: &Live, session: &mut Session) -> Result<()> {
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    let form = Form::of_extension(&extension).ok_or_else(|| {
        anyhow!("name the file .txt, .csv, .json, .tex or .html, not {}", path.display())
    })?;
    let people = live.people().await?;
    let voters: Vec<String> = match of {
        Some(subjects) => voters_on(subjects, live, session).await?,
        None => live.voters().await?.into_iter().map(|(actor, _)| actor).collect(),
    };
    let users = voters.iter().filter_map(|actor| actor.strip_prefix("user:"));
    let list = name_list(users, &people);
    output::write_whole(path, list.write(form).as_bytes())?;
    session.summary.count("n_names", "names", list.names.len() as u64);
    session.summary.count("n_withheld", "  withheld", list.n_withheld);
    Ok(())
}

/// Who has a vote that counts on any of these subjects, each once; the hash of those votes goes into the
/// summary, so that the list in a paper can be made again.
async fn voters_on(subjects: &str, live: &Live, session: &mut Session) -> Result<Vec<String>> {
    let mut wanted = BTreeSet::new();
    let table = Path::new(subjects);
    if table.is_file() {
        session.input_file(table)?;
        for_each_batch(table, &["subject_id"], &session.progress, |batch| {
            let id = |row| batch.text("subject_id", row).map(|id| id.trim().to_owned());
            wanted.extend((0..batch.n_rows()).filter_map(id));
            Ok(())
        })?;
    } else {
        wanted.extend(subjects.split(',').map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()));
    }
    let (mut voters, mut votes) = (BTreeSet::new(), Vec::new());
    let mut n_known = 0;
    for subject in &wanted {
        let book = live.book(subject).await?;
        n_known += u64::from(book.counted().next().is_some());
        for ballot in book.counted() {
            voters.insert(ballot.actor.to_text());
            votes.push(ballot.order.1.clone());
        }
    }
    session.summary.count("n_subjects", "subjects", wanted.len() as u64);
    session.summary.count("n_with_votes", "  with votes", n_known);
    let hash = set_hash(votes.iter());
    session.summary.line("votes", "hash of their votes", &hash, hash.clone());
    Ok(voters.into_iter().collect())
}

async fn draw_for(
    args: &Args,
    number: u64,
    key: &Path,
    live: &Live,
    session: &mut Session,
) -> Result<()> {
    let found = live.alerts(number.saturating_sub(1), 1).await?;
    let alert = found
        .first()
        .filter(|alert| alert.number == number)
        .ok_or_else(|| anyhow!("there is no alert {number}; `volary alerts` lists them"))?;
    let text = std::fs::read_to_string(key)
        .with_context(|| format!("reading the key failed: {}", key.display()))?;
    let key = DayKey::parse(&text)?;
    let people = live.people().await?;
    draw::check(alert, &key, people.commitment(&draw::day(alert)))?;
    let book = live.book(&alert.subject).await?;
    let order = draw::order(alert, &key);
    let named: Vec<String> = draw::named(&order, |user| people.consents(user))
        .iter()
        .map(|drawn| names::resolve(&people.names(&drawn.user)))
        .collect();
    let is_first = draw::came_first(alert, book.team_report_ms());
    session.summary.count("n_named", "volunteers named", named.len() as u64);
    session.summary.value("came_first", is_first);
    for name in &named {
        session.summary.note(&format!("  {name}"));
    }
    if !is_first {
        session.summary.note("The team's own report came before this alert: no credit is due.");
    }
    if let Some(path) = &args.output {
        let team = Team {
            project: alert.project.clone(),
            members: args.team.clone(),
            collaboration: args.collaboration.clone(),
            reporting_group: args.group,
            data_source: args.group,
            at_type: 1,
        };
        let dialect = if args.tom { Dialect::TomTns } else { Dialect::SkyPortal };
        let credited: &[String] = if is_first { &named } else { &[] };
        let text = report(alert, credited, book.facts(), &team, dialect)?;
        output::write_whole(path, text.as_bytes())?;
        session.summary.note("Written, not sent. Read it before you do.");
    }
    Ok(())
}
