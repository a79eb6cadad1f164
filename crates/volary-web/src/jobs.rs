//! Jobs: steps of the project that are run from the page, one at a time, each in a process of its own.
//!
//! What can be run is what the project's team wrote down: a [`Runner`] names it, and makes the process. Here it is
//! started, listened to, stopped, and, where it ended well, followed by a look at the project anew. No command, no
//! argument and no path ever comes from a request: a request names a step by a digest of its line.
//!
//! This is no scheduler: nothing waits, nothing is tried again, and when the server ends, so does what it runs.

mod changes;
mod process;

use std::collections::VecDeque;
use std::process::{ChildStdin, Command};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use serde::Serialize;
use tokio::sync::broadcast;
use utoipa::ToSchema;

pub(crate) use changes::{Change, changes, is_same};

use crate::app::Shared;
use crate::problem::Problem;
use crate::project::Project;
use crate::routes::time;

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// What it reads is what it was made from, and what it wrote is there.
    UpToDate,
    /// It was done, and something has changed since.
    OutOfDate,
    /// It was never done, or not to its end.
    NotDone,
}

/// A step that the project's team wrote down.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The line, as it would be typed after `volary`.
    pub line: String,
    /// Its command and subcommand.
    pub command: String,
    /// How it stands.
    pub standing: Standing,
    /// How long it took when it was done, s.
    pub took_s: Option<f64>,
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Done {
    /// Parts that are done.
    pub n: u64,
    /// Of how many; 0 where nobody knows.
    pub of: u64,
    /// What is under way.
    pub what: String,
}

/// Whoever knows the steps and can run them. Sentences of its errors are shown in the page.
pub trait Runner: Send + Sync {
    /// The steps as they stand now, in their order.
    ///
    /// # Errors
    /// A sentence: they cannot be read.
    fn steps(&self) -> Result<Vec<Step>, String>;

    /// The process that runs one of them, with its three streams piped. A line on its standard input asks it to
    /// stop, as Ctrl-C would; a second one, not to wait. When its standard input ends, the server has gone, and it
    /// stops by itself, with all that it has started.
    ///
    /// # Errors
    /// A sentence: it cannot be made.
    fn process(&self, line: &str, is_again: bool) -> Result<Command, String>;

    /// What a line of its output says of how far it is; such a line is not shown.
    fn done(&self, line: &str) -> Option<Done>;

    /// Reads the project anew, without labels: those are the server's.
    ///
    /// # Errors
    /// A sentence: it cannot be read.
    fn read(&self) -> Result<Project, String>;
}

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JobState {
    /// It runs.
    Running,
    /// It was asked to stop.
    Stopping,
    /// It ended well, and the project is read anew.
    Reading,
    /// It ended well.
    Done,
    /// It ended with an error.
    Failed,
    /// It was stopped; a training goes on from there.
    Stopped,
}

impl JobState {
    fn has_ended(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Stopped)
    }
}

/// Lines of a job that are kept.
const MOST_LINES: usize = 1_000;
/// Characters of a line.
const MOST_CHARACTERS: usize = 400;
/// Lines that a list of jobs shows of each.
const LISTED_LINES: usize = 40;
/// Jobs that are remembered.
const MOST_JOBS: usize = 20;
/// How long the end of a job is waited for when the server ends. The process gives up before that.
const END_TIMEOUT: Duration = Duration::from_secs(14);

struct Job {
    id: String,
    line: String,
    state: JobState,
    started_ms: i64,
    ended_ms: Option<i64>,
    code: Option<i32>,
    done: Option<Done>,
    log: VecDeque<String>,
    n_lines: usize,
    problem: Option<String>,
    changes: Vec<Change>,
    /// Closed when it has ended, and when the server ends.
    stdin: Option<ChildStdin>,
    /// Something is new that nobody was told yet.
    is_untold: bool,
}

/// A job as the page gets it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct JobView {
    id: String,
    /// The step's id, as in the list of steps.
    step_id: String,
    /// Its line in `volary.toml`.
    line: String,
    state: JobState,
    started_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    /// Exit code of the process; absent while it runs, and where a signal ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i32>,
    /// How far it is, where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    done: Option<Done>,
    /// Lines that it has written.
    n_lines: usize,
    /// The last of them; for who may run steps.
    log: Vec<String>,
    /// What went wrong when the project was read anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// What is new in the project's tables since.
    changes: Vec<Change>,
}

impl JobView {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}

/// What is told of a job while it runs.
#[derive(Serialize)]
struct Brief<'a> {
    id: &'a str,
    step_id: String,
    state: JobState,
    n_lines: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    done: Option<&'a Done>,
}

/// The name of a step in requests: it says which line was meant, and can say nothing else.
pub(crate) fn step_id(line: &str) -> String {
    blake3::hash(line.as_bytes()).to_hex()[..16].to_owned()
}

impl Job {
    fn view(&self, n_lines: usize) -> JobView {
        let skipped = self.log.len().saturating_sub(n_lines);
        JobView {
            id: self.id.clone(),
            step_id: step_id(&self.line),
            line: self.line.clone(),
            state: self.state,
            started_at: time(self.started_ms),
            ended_at: self.ended_ms.map(time),
            code: self.code,
            done: self.done.clone(),
            n_lines: self.n_lines,
            log: self.log.iter().skip(skipped).cloned().collect(),
            problem: self.problem.clone(),
            changes: self.changes.clone(),
        }
    }

    fn brief(&self) -> String {
        let brief = Brief {
            id: &self.id,
            step_id: step_id(&self.line),
            state: self.state,
            n_lines: self.n_lines,
            code: self.code,
            done: self.done.as_ref(),
        };
        serde_json::to_string(&brief).expect("text and numbers always serialise")
    }
}

#[derive(Default)]
struct Held {
    jobs: VecDeque<Job>,
    n_started: u64,
    /// The steps as they stood when a job was looked at first, by its id: a page that watches it asks often, and to
    /// tell how steps stand takes a look at all that they read.
    steps: Option<(String, Vec<Step>)>,
    /// No job starts any more.
    is_over: bool,
}

impl Held {
    fn running(&mut self) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|job| !job.state.has_ended())
    }

    fn job(&mut self, id: &str) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|job| job.id == id)
    }
}

/// The jobs of a server.
pub(crate) struct Jobs {
    runner: Option<Arc<dyn Runner>>,
    held: Mutex<Held>,
    ended: Condvar,
    told: broadcast::Sender<Arc<str>>,
}

impl Jobs {
    pub(crate) fn new(runner: Option<Arc<dyn Runner>>) -> Self {
        let (told, _) = broadcast::channel(64);
        Self { runner, held: Mutex::default(), ended: Condvar::new(), told }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is told of jobs from now on, as JSON.
    pub(crate) fn told(&self) -> broadcast::Receiver<Arc<str>> {
        self.told.subscribe()
    }

    /// Whether there is anything that could be run.
    pub(crate) fn has_runner(&self) -> bool {
        self.runner.is_some()
    }

    /// The steps as they stand, or stood at the first look while a job runs; none where there is no runner.
    pub(crate) fn steps(&self) -> Result<Vec<Step>, String> {
        let Some(runner) = &self.runner else { return Ok(Vec::new()) };
        let running = {
            let mut held = self.held();
            let running = held.running().map(|job| job.id.clone());
            if let (Some(id), Some((of, steps))) = (&running, &held.steps)
                && id == of
            {
                return Ok(steps.clone());
            }
            running
        };
        let steps = runner.steps()?;
        self.held().steps = running.map(|id| (id, steps.clone()));
        Ok(steps)
    }

    /// The jobs, the newest first, with the last lines of each or none.
    pub(crate) fn list(&self, with_log: bool) -> Vec<JobView> {
        let lines = if with_log { LISTED_LINES } else { 0 };
        self.held().jobs.iter().map(|job| job.view(lines)).collect()
    }

    /// One of them, with all lines that are kept.
    pub(crate) fn one(&self, id: &str, with_log: bool) -> Option<JobView> {
        let lines = if with_log { MOST_LINES } else { 0 };
        self.held().job(id).map(|job| job.view(lines))
    }

    /// Starts the step of this id. Reads files: not for a thread that answers.
    pub(crate) fn start(app: &Shared, wanted: &str, is_again: bool) -> Result<JobView, Problem> {
        let jobs = &app.jobs;
        let Some(runner) = &jobs.runner else {
            let detail = "this server has no steps to run; write them into the project's volary.toml, and start it as \
                          `volary serve DIR`";
            return Err(Problem::new(StatusCode::CONFLICT, detail));
        };
        let steps = runner.steps().map_err(|why| Problem::new(StatusCode::CONFLICT, why))?;
        let Some(step) = steps.into_iter().find(|step| step_id(&step.line) == wanted) else {
            let detail = "no step of volary.toml has this id; look at the steps again, they may have been changed";
            return Err(Problem::unprocessable(detail));
        };
        let mut held = jobs.held();
        if held.is_over {
            return Err(Problem::busy(
                "the server is stopping; start it again, and the step after that",
            ));
        }
        if let Some(other) = held.running() {
            let detail =
                format!("a step is running: `{}`; wait for its end or stop it first", other.line);
            return Err(Problem::new(StatusCode::CONFLICT, detail));
        }
        let mut command = runner.process(&step.line, is_again).map_err(Problem::failed)?;
        let mut child = command
            .spawn()
            .map_err(|error| Problem::failed(format!("the process of a step did not start: {error}")))?;
        held.n_started += 1;
        let job = Job {
            id: format!("{:x}-{}", app.started_ms, held.n_started),
            line: step.line,
            state: JobState::Running,
            started_ms: app.now_ms(),
            ended_ms: None,
            code: None,
            done: None,
            log: VecDeque::new(),
            n_lines: 0,
            problem: None,
            changes: Vec::new(),
            stdin: child.stdin.take(),
            is_untold: false,
        };
        let (view, brief) = (job.view(0), job.brief());
        held.jobs.push_front(job);
        held.jobs.truncate(MOST_JOBS);
        drop(held);
        jobs.tell(&brief);
        process::follow(app, view.id.clone(), child, Arc::clone(runner));
        Ok(view)
    }

    /// Asks a job to stop, as Ctrl-C would; a second time, not to wait. One that has ended stays as it is.
    pub(crate) fn stop(&self, id: &str) -> Option<JobView> {
        use std::io::Write as _;
        let mut held = self.held();
        let job = held.job(id)?;
        if matches!(job.state, JobState::Running | JobState::Stopping) {
            job.state = JobState::Stopping;
            if let Some(stdin) = &mut job.stdin {
                // One that has just ended reads it no more.
                let _ = stdin.write_all(b"stop\n").and_then(|()| stdin.flush());
            }
        }
        let (view, brief) = (job.view(LISTED_LINES), job.brief());
        drop(held);
        self.tell(&brief);
        Some(view)
    }

    /// Ends what runs, and starts nothing any more: the server ends. Waits a while.
    pub(crate) fn end(&self) {
        let mut held = self.held();
        held.is_over = true;
        if let Some(job) = held.running() {
            if job.state == JobState::Running {
                job.state = JobState::Stopping;
            }
            job.stdin = None;
        }
        let runs = |held: &mut Held| held.running().is_some();
        let waited = self.ended.wait_timeout_while(held, END_TIMEOUT, runs);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn tell(&self, brief: &str) {
        // An error means that nobody listens.
        let _ = self.told.send(Arc::from(brief));
    }

    /// Changes a job; whoever listens is told at once, or when there is time.
    fn with(&self, id: &str, is_urgent: bool, change: impl FnOnce(&mut Job)) {
        let mut held = self.held();
        let Some(job) = held.job(id) else { return };
        change(job);
        job.is_untold = !is_urgent;
        let brief = is_urgent.then(|| job.brief());
        let has_ended = job.state.has_ended();
        drop(held);
        if let Some(brief) = brief {
            self.tell(&brief);
        }
        if has_ended {
            self.ended.notify_all();
        }
    }

    /// Tells what is new of a job, if anything.
    fn tell_news(&self, id: &str) {
        if self.held().job(id).is_some_and(|job| job.is_untold) {
            self.with(id, true, |_| {});
        }
    }

    fn has_line(&self, id: &str, line: &str, runner: &dyn Runner) {
        if let Some(done) = runner.done(line) {
            return self.with(id, false, |job| job.done = Some(done));
        }
        // What a terminal would do with control characters, a page need not.
        let line: String =
            line.chars().filter(|c| !c.is_control() || *c == '\t').take(MOST_CHARACTERS).collect();
        self.with(id, false, |job| {
            job.n_lines += 1;
            job.log.push_back(line);
            if job.log.len() > MOST_LINES {
                job.log.pop_front();
            }
        });
    }
}
