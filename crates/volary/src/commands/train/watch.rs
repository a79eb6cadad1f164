//! A training seen from the terminal: a bar with losses, a checkpoint now and then, an ear for Ctrl-C, and an
//! account of what it costs.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use indicatif::ProgressBar;
use serde_json::json;
use volary_release::cost::{COST_FILE, Cost, Ledger, Total};
use volary_vision::Device;
use volary_vision::training::{Begin, History, Next, Progress};

use crate::commands::train::device;
use crate::pictures::bar;
use crate::session::Session;
use crate::summary::Summary;

/// So often the cost of the run is noted, and held against the budget.
const COST_EVERY: Duration = Duration::from_secs(2);
/// So often a checkpoint is written within a long epoch.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(300);

/// How a training begins, and where it runs.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Running")]
pub(super) struct Beginning {
    /// Go on with the training that was begun in the folder.
    #[arg(long, conflicts_with = "fresh")]
    resume: bool,
    /// Forget the training that was begun in the folder.
    #[arg(long)]
    fresh: bool,
    /// Where to compute: cpu, or gpu in a build that has it.
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: String,
}

impl Beginning {
    pub(super) fn begin(&self) -> Begin {
        match (self.resume, self.fresh) {
            (true, _) => Begin::Resume,
            (_, true) => Begin::Afresh,
            _ => Begin::New,
        }
    }

    /// The device; a graphics card is named in the account of the costs.
    pub(super) fn device(&self, session: &mut Session) -> Result<Device> {
        let found = device(&self.device)?;
        if found != Device::Cpu {
            session.graphics(&self.device);
        }
        Ok(found)
    }
}

/// The costs of a training's runs, kept in its folder while it runs, so that a run that is killed has cost
/// something too.
pub(super) struct Costs {
    path: PathBuf,
    before: Ledger,
    noted: Option<Instant>,
    /// What of the budget is spent.
    spent: Option<String>,
}

impl Costs {
    /// A new training begins with none; one that goes on has those of the runs before.
    pub(super) fn open(folder: &Path, begin: Begin) -> Result<Self> {
        let path = folder.join(COST_FILE);
        let before = match begin {
            Begin::Resume => Ledger::read(&path)?,
            Begin::New | Begin::Afresh => Ledger::default(),
        };
        Ok(Self { path, before, noted: None, spent: None })
    }

    pub(super) fn note(&mut self, cost: &Cost) -> Result<()> {
        self.noted = Some(Instant::now());
        // The file's own time is that of the last copy; a model's age is counted from this one.
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let cost = Cost { ended_at: Some(now), ..cost.clone() };
        Ok(self.before.with(&cost).write(&self.path)?)
    }

    /// The cost of all runs, this one as far as it is.
    pub(super) fn total(&self, session: &Session) -> Total {
        self.before.with(&session.cost()).total()
    }

    /// What of the budget was spent, where that stopped a training.
    pub(super) fn why_stopped(&mut self) -> Option<String> {
        self.spent.take()
    }

    /// Where somebody stopped it, and how to go on with it.
    pub(super) fn stopped_in(&mut self, session: &Session, what: &str) -> Result<anyhow::Error> {
        self.note(&session.cost())?;
        Ok(anyhow!("{what}stopped; go on with the same command and --resume"))
    }

    /// Why a training was stopped in an epoch, and how to go on with it.
    pub(super) fn stopped(&mut self, cost: &Cost, epoch: usize) -> Result<anyhow::Error> {
        self.note(cost)?;
        let why = self.spent.take().map_or_else(String::new, |why| format!("{why}; "));
        let raise = if why.is_empty() { "" } else { "raise it, and " };
        Ok(anyhow!("{why}stopped in epoch {epoch}; {raise}go on with the same command and --resume"))
    }

    /// Looks at the clock now and then; says whether the training may go on.
    fn watch(&mut self, session: &Session) -> bool {
        if self.noted.is_some_and(|noted| noted.elapsed() < COST_EVERY) {
            return true;
        }
        let cost = session.cost();
        // A disk that is full will be told by the checkpoint; the training is worth more than its account.
        let _ = self.note(&cost);
        self.spent = session.settings.budget.spent(&self.before.with(&cost).total());
        self.spent.is_none()
    }
}

/// Whoever watches a training, batch by batch.
pub(super) struct Watch<'a> {
    bar: ProgressBar,
    started: Instant,
    saved: Instant,
    session: &'a Session,
    costs: &'a mut Costs,
}

impl<'a> Watch<'a> {
    pub(super) fn new(session: &'a Session, costs: &'a mut Costs) -> Self {
        Self {
            bar: bar(session, 0, "{msg} {wide_bar} {pos}/{len}"),
            started: Instant::now(),
            saved: Instant::now(),
            session,
            costs,
        }
    }

    /// Shows where the training is and says what it does next. `losses` are those to show.
    pub(super) fn batch(&mut self, p: &Progress<'_>, what: &str, losses: &str) -> Next {
        let n_all = (p.n_epochs * p.n_batches) as u64;
        let n_here = ((p.epoch - 1) * p.n_batches + p.batch) as u64;
        if p.n_done == 1 {
            self.started = Instant::now();
        }
        self.bar.set_length(n_all);
        self.bar.set_position(n_here);
        // What an earlier run did says nothing of the speed of this one, and the first batch warms up.
        let n_timed = p.n_done.saturating_sub(1).max(1) as f64;
        let seconds = self.started.elapsed().as_secs_f64() / n_timed * (n_all - n_here) as f64;
        let left = indicatif::HumanDuration(Duration::from_secs_f64(seconds));
        self.bar.set_message(format!("{what}epoch {}/{}, {losses}, {left} left", p.epoch, p.n_epochs));
        if self.session.progress.is_stopped() || !self.costs.watch(self.session) {
            return Next::Stop;
        }
        if self.saved.elapsed() >= CHECKPOINT_EVERY {
            self.saved = Instant::now();
            return Next::Checkpoint;
        }
        Next::GoOn
    }

    /// A line above the bar.
    pub(super) fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

/// A loss of a training under way, by its name.
pub(super) fn loss(p: &Progress<'_>, name: &str) -> f64 {
    p.terms.iter().position(|term| *term == name).map_or(f64::NAN, |i| p.losses[i])
}

/// Notes the losses of the last epoch, on what was learned from and on what was not. Losses that weigh nothing
/// are left out.
pub(super) fn note_losses(summary: &mut Summary, whose: &str, history: &History) {
    let Some(last) = history.epochs.last() else { return };
    for (i, term) in history.terms.iter().enumerate().filter(|(i, _)| last.train[*i] != 0.0) {
        let unseen = last.unseen.get(i);
        let shown = match unseen {
            Some(unseen) => format!("{:.5} (unseen {unseen:.5})", last.train[i]),
            None => format!("{:.5}", last.train[i]),
        };
        let key = match whose {
            "loss" => format!("loss_{term}"),
            whose => format!("loss_{whose}_{term}"),
        };
        let value = json!({ "train": last.train[i], "unseen": unseen });
        summary.line(&key.replace(' ', "_"), &format!("{whose}: {term}"), &shown, value);
    }
}
