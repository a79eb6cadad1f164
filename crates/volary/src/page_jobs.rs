//! The steps of a project's `volary.toml`, run for the page: this program again, as `volary run --only` would be
//! typed, in a process group of its own.
//!
//! What is run is named by its line, and `volary run` looks for that line in `volary.toml` again: what is no step
//! there cannot be run from anywhere.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use volary_web::jobs::{Done, Step};
use volary_web::{Project as Shown, Runner};

use crate::page_project::PageArgs;
use crate::progress_lines;
use crate::project::Project;
use crate::session::Session;
use crate::steps::Digests;

/// Who runs the steps of the folder that the page shows; nobody where that is no project.
pub(crate) fn runner(page: &PageArgs, session: &Session) -> Result<Option<Arc<dyn Runner>>> {
    let Some(folder) = page.folder.as_ref().filter(|folder| folder.join("volary.toml").is_file()) else {
        return Ok(None);
    };
    let steps = StepRunner {
        folder: std::path::absolute(folder)?,
        page: page.clone(),
        session: Mutex::new(session.beside()),
        digests: Mutex::default(),
    };
    Ok(Some(Arc::new(steps)))
}

struct StepRunner {
    folder: PathBuf,
    page: PageArgs,
    session: Mutex<Session>,
    digests: Mutex<Digests>,
}

/// A sentence for the page.
fn sentence(error: anyhow::Error) -> String {
    format!("{error:#}")
}

fn standings(folder: &Path, seed: u64, digests: &mut Digests) -> Result<Vec<Step>> {
    let project = Project::open(folder)?;
    project.steps().standings(&project.records(), seed, digests)
}

impl StepRunner {
    /// The account in which something is noted.
    fn session(&self) -> Session {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).beside()
    }

    fn command(&self, line: &str, is_again: bool) -> Result<Command> {
        let program = std::env::current_exe().context("the program does not know where it lies")?;
        let global = self.session().global;
        let mut command = Command::new(program);
        command
            .arg("run")
            .arg(&self.folder)
            .arg(format!("--only={line}"))
            .arg("--while-stdin")
            .args(is_again.then_some("--force"))
            .args(["--seed", &global.seed.to_string(), "--threads", &global.threads.to_string()])
            .env(progress_lines::WANTED, "1")
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt as _;
            // Ctrl-C at the server is the server's: it stops its job in its own time.
            command.process_group(0);
        }
        Ok(command)
    }
}

impl Runner for StepRunner {
    fn steps(&self) -> Result<Vec<Step>, String> {
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        standings(&self.folder, self.session().global.seed, &mut digests).map_err(sentence)
    }

    fn process(&self, line: &str, is_again: bool) -> Result<Command, String> {
        self.command(line, is_again).map_err(sentence)
    }

    fn done(&self, line: &str) -> Option<Done> {
        let (n, of, what) = progress_lines::read(line)?;
        Some(Done { n, of, what: what.to_owned() })
    }

    fn read(&self) -> Result<Shown, String> {
        self.page.read_only(&mut self.session()).map_err(sentence)
    }
}
