//! `volary run`: what `volary.toml` says, stage by stage.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::project::Project;
use crate::session::Session;

/// Carry out volary.toml: extract, consensus, its own steps, report; stages that are up to date are left out.
///
/// --only runs one of its steps and nothing else; the report takes up what it drew at the next whole run.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary run
  volary run my-project --force
  volary run my-project --only 2            # the second of its steps
  volary run --only \"map embeddings.csv -o map.csv\"")]
pub(crate) struct Args {
    /// The project's folder.
    #[arg(default_value = ".", value_name = "DIR")]
    folder: PathBuf,
    /// Run only this step: its number, or its line as volary.toml has it.
    #[arg(long, value_name = "STEP")]
    only: Option<String>,
    /// Stop, as at Ctrl-C, for each line on standard input and at its end: for a server that starts this in a process
    /// group of its own and may go away.
    #[arg(long, requires = "only")]
    while_stdin: bool,
    /// Run every stage, up to date or not; with --only, the step.
    #[arg(long)]
    force: bool,
    /// Leave out volunteers who opted out, whatever volary.toml says.
    #[arg(long, value_name = "TOML")]
    optouts: Option<PathBuf>,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    if args.while_stdin {
        stop_with_stdin()?;
    }
    let mut project = Project::open(&args.folder)?;
    if let Some(path) = &args.optouts {
        project.settings.rows.optouts = Some(std::path::absolute(path)?);
    }
    if let Some(wanted) = &args.only {
        let steps = project.run_only(&mut session, wanted, args.force)?;
        note_stages(&steps, &mut session);
        // The record of a whole run stays; the step has its own.
        return session.finish(None);
    }
    let stages = project.run(&mut session, args.force)?;
    note_stages(&stages, &mut session);
    session.summary.note(&format!("report: {}", project.report().display()));
    // Where nothing was done, what is there was made by the run before, and its record says from what.
    let record = args.folder.join("run.json");
    let is_said = record.is_file() && stages.iter().all(|(_, ran)| !ran);
    session.finish((!is_said).then_some(record.as_path()))
}

/// Between the first request to stop, the second, and the end of all patience, when nobody waits any more.
#[cfg(unix)]
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// Signals this process and what it has started, as a terminal does at Ctrl-C, for each line on standard input; and
/// when that ends, as often as it takes.
#[cfg(unix)]
fn stop_with_stdin() -> Result<()> {
    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::{getpgrp, getpid};
    let group = getpgrp();
    if group != getpid() {
        bail!(
            "--while-stdin would signal a whole process group that is not this command's own; start it in its own"
        );
    }
    std::thread::spawn(move || {
        // Signals to a group that is one's own arrive.
        let signal = |signal: Signal| _ = killpg(group, signal);
        std::io::stdin().lines().map_while(Result::ok).for_each(|_| signal(Signal::SIGINT));
        signal(Signal::SIGINT);
        std::thread::sleep(PATIENCE);
        signal(Signal::SIGINT);
        std::thread::sleep(PATIENCE);
        signal(Signal::SIGKILL);
    });
    Ok(())
}

#[cfg(not(unix))]
fn stop_with_stdin() -> Result<()> {
    bail!("--while-stdin works on Unix only; leave it out, and stop the command with Ctrl-C")
}

/// Says which stages ran.
pub(crate) fn note_stages(stages: &[(String, bool)], session: &mut Session) {
    for (name, ran) in stages {
        let state = if *ran { "done" } else { "up to date" };
        let key = format!("stage_{}", name.replace(' ', "_"));
        session.summary.line(&key, &format!("stage {name}"), state, state);
    }
}
