//! `volary rules`: what a change of the live rules would have changed.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::json;
use volary_ingest::output;
use volary_live::book::Effect;
use volary_live::replay::{Difference, Mark, Replay, differences};
use volary_live::{Live, Policy};

use crate::live::{StoreArgs, time_text, wait};
use crate::session::Session;

/// Events read from the store at a time.
const CHUNK: u32 = 10_000;
/// Differences shown; `-o` writes all.
const N_SHOWN: usize = 20;

/// Try rules on what has already happened.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  volary --config stricter.toml rules test --store live.db")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    Test(Test),
}

/// Tell the whole log again under the rules of the settings file, beside the rules as they were, and show
/// what differs: alerts won and lost, earlier and later retirements, votes saved. Nothing is written to the
/// store.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary --config stricter.toml rules test
  volary --config stricter.toml rules test --store live.db -o differences.json")]
struct Test {
    #[command(flatten)]
    store: StoreArgs,
    /// Write every difference as JSON too.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs it.
pub(crate) fn run(args: &Args, session: Session) -> Result<ExitCode> {
    let What::Test(args) = &args.what;
    let policy = session.settings.live.clone().context(
        "no rules to try: write them under [live] in a settings file and name it with --config, before `rules`",
    )?;
    policy.check()?;
    let told = wait(async {
        let live = args.store.look().await?;
        let told = tell_again(&live, &policy, &session).await?;
        live.close().await?;
        Ok(told)
    })?;
    show(args, &policy, &told, session)
}

/// What was told under the rules as they were, and under the others.
struct BothWays {
    n_events: u64,
    before: Vec<Effect>,
    after: Vec<Effect>,
}

async fn tell_again(live: &Live, policy: &Policy, session: &Session) -> Result<BothWays> {
    let (mut as_it_was, mut changed) = (Replay::new(Policy::default()), Replay::under(policy.clone()));
    let mut both = BothWays { n_events: 0, before: Vec::new(), after: Vec::new() };
    let mut after = 0;
    while !session.progress.is_stopped() {
        let events = live.history(after, CHUNK).await?;
        let Some((last, _)) = events.last() else { break };
        after = last.seq;
        for (logged, subject) in &events {
            both.before.extend(as_it_was.take(logged, subject.as_deref()));
            both.after.extend(changed.take(logged, subject.as_deref()));
        }
        both.n_events += events.len() as u64;
    }
    Ok(both)
}

/// Votes at retirement, in the middle of all retirements.
fn median_votes(effects: &[Effect]) -> Option<u64> {
    let retired = effects.iter().filter_map(|effect| match effect {
        Effect::Retired { retirement, .. } => Some(retirement.n),
        _ => None,
    });
    let mut votes: Vec<u64> = retired.collect();
    votes.sort_unstable();
    votes.get(votes.len() / 2).copied()
}

fn n_alerts(effects: &[Effect]) -> u64 {
    effects.iter().filter(|effect| matches!(effect, Effect::Alert(_))).count() as u64
}

fn n_retired(effects: &[Effect]) -> u64 {
    effects.iter().filter(|effect| matches!(effect, Effect::Retired { .. })).count() as u64
}

fn show(args: &Test, policy: &Policy, told: &BothWays, mut session: Session) -> Result<ExitCode> {
    let all = differences(&told.before, &told.after);
    if let Some(path) = &args.output {
        output::write_whole(path, format!("{:#}\n", json!(all)).as_bytes())?;
    }
    let summary = &mut session.summary;
    summary.count("n_events", "events told again", told.n_events);
    summary.line("policy", "rules tried, version", &policy.version(), policy.version());
    let votes = |effects| median_votes(effects).map_or_else(|| "–".to_owned(), |n| n.to_string());
    let row = |name: &str, before: String, after: String| vec![name.to_owned(), before, after];
    let (before, after) = (&told.before[..], &told.after[..]);
    let is_alert = |d: &&Difference| d.what.starts_with("alert");
    let won = all.iter().filter(is_alert).filter(|d| d.before.is_none()).count();
    let lost = all.iter().filter(is_alert).filter(|d| d.after.is_none()).count();
    summary.table(
        "Told",
        &["", "as it was", "with these rules"],
        &[
            row("alerts", n_alerts(before).to_string(), n_alerts(after).to_string()),
            row("  only here", lost.to_string(), won.to_string()),
            row("retired", n_retired(before).to_string(), n_retired(after).to_string()),
            row("median votes at retirement", votes(before), votes(after)),
        ],
    );
    for (key, effects) in [("before", before), ("after", after)] {
        let numbers = json!({
            "n_alerts": n_alerts(effects), "n_retired": n_retired(effects),
            "median_votes_at_retirement": median_votes(effects),
        });
        summary.value(key, numbers);
    }
    summary.value("n_alerts_won", won as u64);
    summary.value("n_alerts_lost", lost as u64);
    summary.count("n_differences", "differences", all.len() as u64);
    let rows: Vec<Vec<String>> = all.iter().take(N_SHOWN).map(listed).collect();
    let title = if all.len() > N_SHOWN { "The first differences" } else { "Differences" };
    summary.table(title, &["subject", "what", "as it was", "with these rules"], &rows);
    summary.note(
        "Votes that were never asked for cannot be replayed: a rule that retires later sees only the votes \
         that came.",
    );
    session.finish(None)
}

fn listed(difference: &Difference) -> Vec<String> {
    let shown = |mark: &Option<Mark>| {
        let Some(mark) = mark else { return "–".to_owned() };
        let votes = match (mark.k, mark.n) {
            (Some(k), Some(n)) => format!("{k} of {n}"),
            (None, Some(n)) => format!("{n} votes"),
            _ => "yes".to_owned(),
        };
        mark.at_ms.map_or(votes.clone(), |ms| format!("{votes}, {}", time_text(ms)))
    };
    let Difference { subject, what, before, after, .. } = difference;
    vec![subject.clone(), what.clone(), shown(before), shown(after)]
}
