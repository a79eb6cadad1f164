//! `volary run`: what `volary.toml` says, stage by stage.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::project::Project;
use crate::session::Session;

/// Carry out volary.toml: extract, consensus, its own steps, report; stages that are up to date are left out.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary run
  volary run my-project --force")]
pub(crate) struct Args {
    /// The project's folder.
    #[arg(default_value = ".", value_name = "DIR")]
    folder: PathBuf,
    /// Run every stage, up to date or not.
    #[arg(long)]
    force: bool,
    /// Leave out volunteers who opted out, whatever volary.toml says.
    #[arg(long, value_name = "TOML")]
    optouts: Option<PathBuf>,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let mut project = Project::open(&args.folder)?;
    if let Some(path) = &args.optouts {
        project.settings.rows.optouts = Some(std::path::absolute(path)?);
    }
    let stages = project.run(&mut session, args.force)?;
    note_stages(&stages, &mut session);
    session.summary.note(&format!("report: {}", project.report().display()));
    // Where nothing was done, what is there was made by the run before, and its record says from what.
    let record = args.folder.join("run.json");
    let is_said = record.is_file() && stages.iter().all(|(_, ran)| !ran);
    session.finish((!is_said).then_some(record.as_path()))
}

/// Says which stages ran.
pub(crate) fn note_stages(stages: &[(String, bool)], session: &mut Session) {
    for (name, ran) in stages {
        let state = if *ran { "done" } else { "up to date" };
        let key = format!("stage_{}", name.replace(' ', "_"));
        session.summary.line(&key, &format!("stage {name}"), state, state);
    }
}
