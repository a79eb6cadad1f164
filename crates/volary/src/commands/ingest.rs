//! `volary ingest`: events into the live store, from files or standard input, once or as they come.

use std::fs::File;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use volary_live::incoming::{self, Parsed};
use volary_live::{Effect, Event, Live, Outcome, Policy};

use crate::live::{RulesArgs, StoreArgs, time_text, wait};
use crate::live_tables;
use crate::session::Session;

/// Take classifications into the live store: each once, on disk before it is counted, with alerts and
/// retirement as the rules say.
///
/// Reads Panoptes' event stream and API, Caesar's calls and extracts, and Volary's own events: one JSON
/// value, or one on each line. What was taken before is passed over, so that a file may be read again.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary ingest events.ndjson --answer 0
  volary ingest --subjects manifest.csv --media images --drawn tonight.csv
  volary ingest --follow events.ndjson --answer 0 --project kilonova-seekers
  zcat events.ndjson.gz | volary ingest - --store postgres://volary@db/live
  volary --config volary.toml ingest events.ndjson      # rules from its [live] table")]
pub(crate) struct Args {
    /// Files of events; - is standard input.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    store: StoreArgs,
    /// Tables of subjects: subject_id, and if you like validation, truth, and any facts. Panoptes' manifests
    /// are understood. No votes are read then, unless files are named.
    #[arg(long, value_name = "TABLE")]
    subjects: Vec<PathBuf>,
    /// The folder of the subjects' images: what columns image, image_2, … name must be in it.
    #[arg(long, value_name = "DIR", requires = "subjects")]
    media: Option<PathBuf>,
    /// Tables of draws, as `volary sample` writes them: what volunteers are to see, and how it was chosen.
    #[arg(long, value_name = "TABLE")]
    drawn: Vec<PathBuf>,
    /// Wait for more at the end of the file, until Ctrl-C, and print what happens as it happens.
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    rules: RulesArgs,
}

/// Lines in one transaction.
const BATCH: usize = 500;
/// Read at a time, so that a busy pipe gives whole batches.
const BUFFER_BYTES: usize = 1 << 20;
/// How long to wait for a file to grow.
const NAP: Duration = Duration::from_millis(100);
/// A value over several lines is read as a whole up to here.
const MAX_WHOLE_BYTES: u64 = 256 << 20;

#[derive(Default)]
struct Counts {
    n_new: u64,
    n_repeated: u64,
    n_conflicts: u64,
    n_refused: u64,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    if args.follow && args.files.len() > 1 {
        bail!("--follow follows one file; start one `volary ingest` for each source, or give one file");
    }
    let mut counts = Counts::default();
    let (before, after, policy) = wait(async {
        let live = args.store.open().await?;
        let before = live.counts().await?;
        args.rules.put_into(&live, &session).await?;
        let printer = (args.follow && !session.global.json).then(|| print_effects(&live));
        let mut known = Vec::new();
        for path in &args.subjects {
            known.extend(live_tables::subject_events(path, args.media.as_deref(), &mut session)?);
        }
        for path in &args.drawn {
            known.extend(live_tables::drawn_events(path, &mut session)?);
        }
        store(known, &live, &mut counts).await?;
        let has_tables = !args.subjects.is_empty() || !args.drawn.is_empty();
        let input = [PathBuf::from("-")];
        let files = if args.files.is_empty() && !has_tables { &input[..] } else { &args.files };
        for path in files {
            read(path, args.follow, &live, &mut session, &mut counts).await?;
        }
        let after = live.counts().await?;
        let policy = live.policy().await?;
        live.close().await?;
        if let Some(printer) = printer {
            printer.await.context("printing failed")?;
        }
        Ok((before, after, policy))
    })?;
    let summary = &mut session.summary;
    summary.count("n_new", "new events", counts.n_new);
    summary.count("n_repeated", "  known already", counts.n_repeated);
    summary.count("n_conflicts", "  in quarantine", counts.n_conflicts);
    summary.count("n_refused", "  refused", counts.n_refused);
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    summary.count("n_votes", "votes in the store", count(after.n_votes));
    summary.count("n_strands", "subjects with votes", count(after.n_strands));
    summary.count("n_retired", "  retired", count(after.n_retired));
    summary.count("n_alerts", "alerts", count(after.n_alerts));
    summary.count("n_new_alerts", "  new", count(after.n_alerts - before.n_alerts));
    if counts.n_conflicts > 0 {
        summary.note(
            "Events in quarantine have the id of another event with other content; the first was kept.",
        );
    }
    if after.n_votes > 0 && after.n_alerts == 0 && policy == Policy::default() {
        summary
            .note("No rule was given: the answer \"real\" of task T0 alerts. Name yours with --answer.");
    }
    session.finish(None)
}

/// Prints what is told, as it is told, until the store is closed.
pub(crate) fn print_effects(live: &Live) -> tokio::task::JoinHandle<()> {
    let mut effects = live.told();
    tokio::spawn(async move {
        use tokio::sync::broadcast::error::RecvError;
        loop {
            let line = match effects.recv().await {
                Ok(message) => told(&message.body),
                Err(RecvError::Lagged(n)) => {
                    format!("{n} messages were passed over; `volary alerts` shows all")
                }
                Err(RecvError::Closed) => return,
            };
            // A closed pipe is the reader's choice.
            let _ = writeln!(std::io::stdout().lock(), "{line}");
        }
    })
}

/// An effect, as a line for people; one that this program does not know, as it is.
fn told(body: &str) -> String {
    match serde_json::from_str::<Effect>(body) {
        Ok(effect) => sentence(&effect),
        Err(_) => body.to_owned(),
    }
}

fn sentence(effect: &Effect) -> String {
    match effect {
        Effect::Alert(alert) => format!(
            "{}  alert {}: subject {}, {} of {} votes",
            time_text(alert.at_ms),
            alert.number,
            alert.subject,
            alert.k,
            alert.n
        ),
        Effect::Retired { subject, retirement, .. } => {
            format!(
                "{}  retired: subject {subject}, {} votes",
                time_text(retirement.at_ms),
                retirement.n
            )
        }
        Effect::Webhook { subject, rule, to, .. } => {
            format!("rule {rule} was met: subject {subject}; webhook {to} will be called")
        }
        Effect::Moved { subject, rule, to, .. } => {
            format!("rule {rule} was met: subject {subject} goes to workflow {to}")
        }
        Effect::ByHand { subject, workflow, retired, reason, .. } => {
            let what = if *retired { "retired from" } else { "opened again in" };
            format!("by hand: subject {subject} {what} workflow {workflow} ({reason})")
        }
        Effect::SupportLost { subject, .. } => {
            format!("look again: subject {subject} alerted, and a vote for it was taken back")
        }
        Effect::CrossedAfterRetirement { subject, rule, .. } => {
            format!("rule {rule} was met after retirement: subject {subject}; no alert")
        }
    }
}

async fn read(
    path: &Path,
    follow: bool,
    live: &Live,
    session: &mut Session,
    counts: &mut Counts,
) -> Result<()> {
    let what = || format!("reading failed: {}", path.display());
    let is_input = path == Path::new("-");
    if is_input && std::io::stdin().is_terminal() {
        bail!("nothing to read: name a file, or pipe events into `volary ingest -`");
    }
    let source: Box<dyn Read> = if is_input {
        Box::new(std::io::stdin())
    } else {
        let mut file = File::open(path).with_context(what)?;
        if !follow && let Some(whole) = whole_value(&mut file).with_context(what)? {
            return take(incoming::parse(&whole), live, session, counts).await;
        }
        Box::new(file)
    };
    let mut file = BufReader::with_capacity(BUFFER_BYTES, source);
    let (mut line, mut number) = (Vec::new(), 0);
    let mut parsed = Parsed::default();
    loop {
        let n = file.read_until(b'\n', &mut line).with_context(what)?;
        let is_whole = line.ends_with(b"\n");
        if n > 0 && is_whole {
            number += 1;
            incoming::parse_line(&line, number, &mut parsed);
            line.clear();
        }
        let has_ended = n == 0 || !is_whole;
        // What has come from somebody who is still there must not wait for what comes next.
        let is_pause = (follow || is_input) && !file.buffer().contains(&b'\n');
        if parsed.events.len() >= BATCH || (is_pause && !parsed.events.is_empty()) {
            take(std::mem::take(&mut parsed), live, session, counts).await?;
        }
        if session.progress.is_stopped() || (has_ended && (!follow || is_input)) {
            if !follow || is_input {
                incoming::parse_line(&line, number + 1, &mut parsed);
            }
            return take(parsed, live, session, counts).await;
        }
        if has_ended {
            tokio::time::sleep(NAP).await;
        }
    }
}

/// The file, if its first line is no value by itself, so that the whole must be one; else back at its start.
fn whole_value(file: &mut File) -> std::io::Result<Option<Vec<u8>>> {
    let mut first = Vec::new();
    BufReader::new(&mut *file).take(1 << 16).read_until(b'\n', &mut first)?;
    file.seek(SeekFrom::Start(0))?;
    let is_line = serde_json::from_slice::<serde::de::IgnoredAny>(&first).is_ok();
    if is_line || file.metadata()?.len() > MAX_WHOLE_BYTES {
        return Ok(None);
    }
    let mut whole = Vec::new();
    file.read_to_end(&mut whole)?;
    Ok(Some(whole))
}

async fn take(parsed: Parsed, live: &Live, session: &mut Session, counts: &mut Counts) -> Result<()> {
    session.problems.absorb(&parsed.problems);
    store(parsed.events, live, counts).await
}

async fn store(events: Vec<Event>, live: &Live, counts: &mut Counts) -> Result<()> {
    for batch in events.chunks(BATCH) {
        for outcome in live.submit(batch.to_vec()).await? {
            match outcome {
                Outcome::New(_) => counts.n_new += 1,
                Outcome::Duplicate => counts.n_repeated += 1,
                Outcome::Conflict => counts.n_conflicts += 1,
                Outcome::Refused(_) => counts.n_refused += 1,
            }
        }
    }
    Ok(())
}
