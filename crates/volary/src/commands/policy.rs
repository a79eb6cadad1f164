//! `volary policy`: what the team decided, and what changed.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;
use volary_release::policy::Policy;

use crate::session::Session;

/// Compare versions of the team's policy.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  volary policy diff policy-2026-10.toml policy.toml")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    Diff(Diff),
}

/// Show the decisions that differ. Other decisions under the same version are an error.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  volary policy diff policy-2026-10.toml policy.toml")]
struct Diff {
    /// The policy before.
    before: PathBuf,
    /// The policy after.
    after: PathBuf,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let What::Diff(args) = &args.what;
    let (before, after) = (Policy::read(&args.before)?, Policy::read(&args.after)?);
    let changes = before.diff(&after);
    session.summary.line("before", "before", &before.version, before.version.clone());
    session.summary.line("after", "after", &after.version, after.version.clone());
    session.summary.count("n_changes", "decisions that differ", changes.len() as u64);
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "–".to_owned());
    let rows: Vec<Vec<String>> =
        changes.iter().map(|c| vec![c.decision.clone(), shown(&c.before), shown(&c.after)]).collect();
    session.summary.table("Changes", &["decision", "before", "after"], &rows);
    let list: Vec<_> = changes
        .iter()
        .map(|c| json!({"decision": c.decision, "before": c.before, "after": c.after}))
        .collect();
    session.summary.value("changes", list);
    let code = session.finish(None)?;
    // What differs was shown, so that whoever is told to give it a version of its own sees what for.
    before.is_told_apart(&after)?;
    Ok(code)
}
