//! `volary demo`: a whole project out of nothing.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use volary_ingest::output::write_whole;

use crate::commands::{init, run::note_stages};
use crate::demo::{self, DemoSize};
use crate::live::wait;
use crate::project::Project;
use crate::session::Session;

/// Simulate a small project, run every stage and write a report: the ten-minute tour's first step.
///
/// The stages are those of `volary run`, and so is their record.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary demo
  volary demo /tmp/tour --subjects 2000 --seed 7
  volary demo --serve                    # then open http://127.0.0.1:8420/api/v1/healthz")]
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
    /// Then show a night live: candidates arrive, simulated volunteers vote, alerts are raised, and the API
    /// serves it, until Ctrl-C or until all is done.
    #[arg(long)]
    serve: bool,
    /// Where to listen; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:8420", value_name = "ADDRESS:PORT", requires = "serve")]
    address: SocketAddr,
    /// Stop after so many votes, and cast them as fast as they can be taken.
    #[arg(long, value_name = "N", requires = "serve")]
    votes: Option<u64>,
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
        images: Some(place("images")),
        force: true,
    };
    // The account of the rows comes once, from the stage that uses them.
    let before = std::mem::take(&mut session.summary);
    init::write_settings(&init, &settings, &mut session)?;
    let text = std::fs::read_to_string(&settings)? + demo::STEPS;
    write_whole(&settings, text.as_bytes())?;
    session.summary = before;
    session.problems = volary_core::Problems::default();
    // What was simulated comes from outside, as an export does; all else can be made again, as that of any project.
    session.go_on_as("run", &[&args.folder.to_string_lossy()]);
    let project = Project::open(&args.folder)?;
    let stages = project.run(&mut session, true)?;
    note_stages(&stages, &mut session);
    let report = project.report();
    session.summary.note(&format!(
        "\nOpen {} in a browser. The project is in {}.",
        report.display(),
        args.folder.display()
    ));
    if args.serve {
        serve(args, &mut session)?;
    }
    session.finish(Some(&place("run.json")))
}

/// The night, live.
fn serve(args: &Args, session: &mut Session) -> Result<()> {
    let mut settings = volary_web::Settings::new(args.folder.join("tokens.toml"));
    settings.address = args.address;
    let night = wait(demo::live::run(&args.folder, settings, args.votes, session))?;
    let summary = &mut session.summary;
    summary.count("n_live_votes", "votes of the night", night.n_votes);
    summary.count("n_live_retired", "  candidates retired", night.n_retired);
    summary.count("n_live_alerts", "  alerts", night.n_alerts);
    summary.count("n_live_false", "    of bogus ones", night.n_false);
    summary.count("n_live_missed", "  real ones missed", night.n_missed);
    summary.note(&format!("The store is {}.", args.folder.join("live.db").display()));
    Ok(())
}
