//! `volary train confusion`: a network that learns a picture and its consensus together.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use serde_json::json;
use volary_ingest::output::write_whole;
use volary_vision::confusion::{Begin, Lesson, Likelihood, Losses, Scoring, Settings, Trained, train};
use volary_vision::training::{Descent, Ended, Plan, Progress, Rule, Schedule};
use volary_vision::{Augment, Device};

use crate::commands::train::finish;
use crate::commands::train::search::{
    At, CANDIDATES_FILE, Outcome, SEARCH_FILE, Search, SearchArgs, search,
};
use crate::commands::train::taught::TaughtArgs;
use crate::commands::train::watch::{Beginning, Costs, Watch, loss, note_losses};
use crate::model_metrics::{self, Judged};
use crate::session::Session;

/// Train a network that says why volunteers disagree.
///
/// It learns to rebuild each picture from a few numbers and to say the volunteers' consensus from the same
/// numbers, so that pictures that confuse people lie between those that do not. Writes a model folder: the
/// weights, the settings, the losses, how good it is on pictures it never saw beside two plain models, and
/// the last checkpoint. A budget in volary.toml ends it in order. Killed at any moment, it goes on with --resume and ends with the same weights.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary train confusion subjects.csv --consensus consensus.csv --task T0 -o model
  volary train confusion cutouts --consensus votes.csv --classes vortex,turbulence,bands -o model
  volary train confusion subjects.csv --consensus consensus.parquet -o model --size 96 --group object_id
  volary train confusion subjects.csv --consensus consensus.csv -o model --likelihood binomial --resume
  volary train confusion subjects.csv --consensus consensus.csv -o model --search ranges.toml --config volary.toml")]
pub(crate) struct Args {
    #[command(flatten)]
    taught: TaughtArgs,
    /// Folder of the model.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    learning: Learning,
    #[command(flatten)]
    searching: SearchArgs,
    #[command(flatten)]
    beginning: Beginning,
}

/// What is learned, and how.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Learning")]
struct Learning {
    /// bce (shares; every picture weighs the same), binomial (votes, each class a yes or no), dirichlet
    /// (votes, one answer a volunteer).
    #[arg(long, value_name = "NAME", default_value = "bce")]
    likelihood: String,
    /// Maps of the widest convolution; a multiple of 4.
    #[arg(long, value_name = "N", default_value_t = 128)]
    filters: usize,
    /// Maps between the widest convolution and the latent numbers.
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_values_t = [64, 8])]
    hidden: Vec<usize>,
    /// Weight of the classes in the loss.
    #[arg(long, value_name = "WEIGHT", default_value_t = 150.0)]
    class_weight: f64,
    /// Weights of the single classes, in the order of --classes.
    #[arg(long, value_name = "W,W", value_delimiter = ',')]
    class_weights: Option<Vec<f64>>,
    /// Weight of the latent numbers' divergence from a standard normal.
    #[arg(long, value_name = "WEIGHT", default_value_t = 0.5)]
    divergence_weight: f64,
    /// Weight of the latent numbers' change when the picture is turned; 0 is twice as fast.
    #[arg(long, value_name = "WEIGHT", default_value_t = 1.0)]
    rotation_weight: f64,
    /// Weight of the latent numbers' slope along the pixels.
    #[arg(long, value_name = "WEIGHT", default_value_t = 0.0)]
    contraction_weight: f64,
    /// Times that every picture is learned from.
    #[arg(long, value_name = "N", default_value_t = 200)]
    epochs: usize,
    /// Pictures a step.
    #[arg(long, value_name = "N", default_value_t = 64)]
    batch: usize,
    /// What is done to a picture each time that it is learned from: none, mirror (left to right), turns
    /// (mirrored and turned by quarters, for the sky).
    #[arg(long, value_name = "NAME", default_value = "none")]
    augment: String,
    /// nadam or adam.
    #[arg(long, value_name = "NAME", default_value = "nadam")]
    optimizer: String,
    /// Length of a step (learning rate).
    #[arg(long, value_name = "RATE", default_value_t = 1e-4)]
    rate: f64,
    /// The rate falls to this share of itself every five epochs.
    #[arg(long, value_name = "SHARE", default_value_t = 0.99)]
    decay: f64,
    /// Stop after so many epochs without a better loss on a part kept for that, and keep the best.
    #[arg(long, value_name = "EPOCHS")]
    patience: Option<usize>,
    /// Share of the pictures to judge by.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    held_out: f64,
    /// Share of the pictures to stop by, with --patience.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    stop_share: f64,
    /// Epochs between checkpoints.
    #[arg(long, value_name = "EPOCHS", default_value_t = 5)]
    checkpoint_every: usize,
    /// Replicates of the bootstrap behind the intervals of the metrics.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    replicates: usize,
}

impl Learning {
    fn settings(&self, seed: u64) -> Result<Settings> {
        let likelihood = Likelihood::parse(&self.likelihood).ok_or_else(|| {
            let names = Likelihood::ALL.map(Likelihood::as_str).join(", ");
            anyhow!("--likelihood {:?}; there are {names}", self.likelihood)
        })?;
        let rule = Rule::parse(&self.optimizer).ok_or_else(|| {
            let names = Rule::ALL.map(Rule::as_str).join(", ");
            anyhow!("--optimizer {:?}; there are {names}", self.optimizer)
        })?;
        let augment = Augment::parse(&self.augment).ok_or_else(|| {
            let names = Augment::ALL.map(Augment::as_str).join(", ");
            anyhow!("--augment {:?}; there are {names}", self.augment)
        })?;
        Ok(Settings {
            filters: self.filters,
            hidden: self.hidden.clone(),
            losses: Losses {
                divergence: self.divergence_weight,
                class: self.class_weight,
                likelihood,
                class_weights: self.class_weights.clone(),
                rotation: self.rotation_weight,
                contraction: self.contraction_weight,
            },
            augment,
            plan: Plan {
                epochs: self.epochs,
                batch_size: self.batch,
                descent: Descent::new(rule),
                schedule: Schedule { rate: self.rate, decay: self.decay, every_epochs: 5 },
                checkpoint_every_epochs: self.checkpoint_every,
                patience: self.patience,
            },
            held_out_share: self.held_out,
            stop_share: self.stop_share,
            seed,
        })
    }
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    // What cannot be is said before pictures are read.
    args.learning.settings(session.global.seed)?;
    let device = args.beginning.device(&mut session)?;
    let begin = args.beginning.begin();
    let taught = args.taught.read(&mut session)?;
    let lesson = taught.lesson();
    let mut costs = Costs::open(&args.output, begin)?;
    let found = match &args.searching.search {
        None => None,
        Some(ranges) => {
            let asked = Search {
                ranges,
                kind: "confusion",
                folder: &args.output,
                begin,
                lesson: &lesson,
                held_out_share: args.learning.held_out,
                replicates: args.learning.replicates,
            };
            let mut train = |learning: &Learning,
                             at: &At<'_>,
                             session: &Session,
                             costs: &mut Costs|
             -> Result<Outcome> {
                let trained = teach(learning, &lesson, device, at, session, costs)?;
                let rows = &trained.split.held_out;
                let scoring = Scoring { seed: session.global.seed, ..Scoring::default() };
                let predicted = match trained.ended {
                    Ended::Asked => Vec::new(),
                    _ => {
                        let scores =
                            trained.model.score(lesson.pixels, rows, &scoring, &mut |_| true)?;
                        scores.predictions.iter().map(|p| p.probability).collect()
                    }
                };
                Ok(Outcome {
                    ended: trained.ended,
                    predicted,
                    n_weights: trained.model.n_weights(),
                    n_epochs: trained.history.epochs.len(),
                    split: trained.split,
                })
            };
            let seed = session.global.seed;
            let check = |learning: &Learning| learning.settings(seed).map(drop);
            Some(search(&asked, &args.learning, &mut session, &mut costs, &check, &mut train)?)
        }
    };
    let (learning, begin) =
        found.as_ref().map_or((&args.learning, begin), |found| (&found.learning, Begin::Resume));
    let at = At { folder: &args.output, begin, what: "" };
    let trained = teach(learning, &lesson, device, &at, &session, &mut costs)?;
    if trained.ended == Ended::Asked {
        return Err(costs.stopped(&session.cost(), trained.history.epochs.len() + 1)?);
    }
    summarise(&trained, &mut session);
    let mut metrics = json!({
        "interval_level": model_metrics::LEVEL,
        "replicates": args.learning.replicates,
        "held_out": null,
        "slices": [],
        "latents": trained.latents,
    });
    if !trained.split.held_out.is_empty() {
        let split = match &found {
            Some(found) => found.judged_by(&lesson, &trained.split)?,
            None => trained.split.clone(),
        };
        let (replicates, seed) = (args.learning.replicates, session.global.seed);
        let judged = Judged::new(&lesson, &trained, &split, replicates, seed)?;
        judged.summarise(&mut session.summary);
        metrics["held_out"] = judged.json();
        metrics["slices"] = judged.slices(&lesson, &split, &taught.sliced)?.into();
    }
    let mut written =
        vec!["config.json", "weights.safetensors", "metrics.json", "history.csv", "split.csv"];
    if let Some(found) = &found {
        found.note(&mut metrics);
        written.extend([SEARCH_FILE, CANDIDATES_FILE]);
    }
    write_whole(&args.output.join("metrics.json"), format!("{metrics:#}\n").as_bytes())?;
    if let Some(found) = &found {
        found.tidy(&args.output, &costs, &mut session)?;
    }
    finish(&args.output, &written, &mut costs, session)
}

/// Trains with a bar, a checkpoint now and then, and an ear for Ctrl-C.
fn teach(
    learning: &Learning,
    lesson: &Lesson<'_>,
    device: Device,
    at: &At<'_>,
    session: &Session,
    costs: &mut Costs,
) -> Result<Trained> {
    let settings = learning.settings(session.global.seed)?;
    let mut watch = Watch::new(session, costs);
    let trained = train(lesson, &settings, device, at.folder, at.begin, &mut |p: &Progress<'_>| {
        let unseen = p
            .last
            .and_then(|epoch| epoch.unseen.get(4))
            .map_or_else(String::new, |loss| format!(" (unseen {loss:.4})"));
        let [total, above] = ["total", "class above floor"].map(|name| loss(p, name));
        let losses = format!("loss {total:.1}, classes above their floor {above:.4}{unseen}");
        watch.batch(p, at.what, &losses)
    });
    watch.finish();
    Ok(trained?)
}

fn summarise(trained: &Trained, session: &mut Session) {
    let summary = &mut session.summary;
    let config = trained.model.config();
    summary.line("classes", "classes", &config.classes.join(", "), config.classes.clone());
    summary.count("n_weights", "weights", trained.model.n_weights() as u64);
    summary.count("n_train", "pictures learned from", config.n_train as u64);
    if config.n_stop > 0 {
        summary.count("n_stop", "pictures stopped by", config.n_stop as u64);
    }
    summary.count("n_held_out", "pictures held out", config.n_held_out as u64);
    summary.count("n_epochs", "epochs", config.n_epochs as u64);
    if let Ended::Early { best_epoch } = trained.ended {
        summary.count("best_epoch", "  best", best_epoch as u64);
    }
    note_losses(summary, "loss", &trained.history);
    summary.value("labels_blake3", config.labels_blake3.clone());
    let latents = &trained.latents;
    let used = latents.divergence.len() - latents.n_unused;
    summary.line(
        "n_latents_used",
        "latent numbers in use",
        &format!("{used} of {}", latents.divergence.len()),
        used as u64,
    );
    if let Some(warning) = latents.warning() {
        summary.note(&format!("note: {warning}"));
        summary.value("latents_warning", warning);
    }
}
