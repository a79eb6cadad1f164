//! `volary demo`: a whole project out of nothing.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::commands::{init, run::note_stages};
use crate::demo::{self, DemoSize};
use crate::project::Project;
use crate::session::Session;

/// Simulate a small project, run every stage and write a report: the ten-minute tour's first step.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary demo
  volary demo /tmp/tour --subjects 2000 --seed 7")]
pub(crate) struct Args {
    /// Folder to write.
    #[arg(default_value = "volary-demo", value_name = "DIR")]
    folder: PathBuf,
    /// Galaxies to simulate; a third as many light curves come with them.
    #[arg(long, default_value_t = DemoSize::default().n_subjects)]
    subjects: u32,
    /// Volunteers to simulate.
    #[arg(long, default_value_t = DemoSize::default().n_volunteers)]
    volunteers: u32,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let settings = args.folder.join("volary.toml");
    if args.folder.is_dir() && !settings.is_file() && std::fs::read_dir(&args.folder)?.next().is_some() {
        bail!("the folder is not empty and no Volary project; name another: {}", args.folder.display());
    }
    let size = DemoSize { n_subjects: args.subjects.max(1), n_volunteers: args.volunteers };
    let n = demo::write(&args.folder, size, session.global.seed)?;
    session.summary.count("n_simulated", "simulated classifications", n);
    let place = |name: &str| args.folder.join(name);
    let init = init::Args {
        folder: args.folder.clone(),
        exports: vec![place("classifications.csv")],
        workflows: Some(place("workflows.csv")),
        truth: Some(place("truth.csv")),
        marks_truth: Some(place("dips.csv")),
        light_curves: Some(place("light-curves.csv")),
        force: true,
    };
    // The account of the rows comes once, from the stage that uses them.
    let before = std::mem::take(&mut session.summary);
    init::write_settings(&init, &settings, &mut session)?;
    session.summary = before;
    session.problems = volary_core::Problems::default();
    session.forget_inputs();
    let project = Project::open(&args.folder)?;
    let stages = project.run(&mut session, true)?;
    note_stages(&stages, &mut session);
    let report = project.report();
    session.summary.note(&format!(
        "\nOpen {} in a browser. The project is in {}.",
        report.display(),
        args.folder.display()
    ));
    session.finish(Some(&place("run.json")))
}
