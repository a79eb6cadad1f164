//! `volary train autoencoder`: a network that rebuilds ordinary pictures, and others badly.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};
use volary_core::Pixels;
use volary_ingest::output::write_whole;
use volary_vision::Device;
use volary_vision::autoencoder::{
    Gallery, GalleryKind, Lesson, Model, Settings, Trained, Watcher, train,
};
use volary_vision::training::{Begin, Descent, Ended, Plan, Progress, Rule, Schedule};

use crate::commands::train::drawn::{draw, draw_losses, gallery_name, latents, spread};
use crate::commands::train::finish;
use crate::commands::train::rebuilding::Rebuilding;
use crate::commands::train::untaught::UntaughtArgs;
use crate::commands::train::watch::{Beginning, Costs, Watch, loss, note_losses};
use crate::pictures::bar;
use crate::session::Session;

/// Train a network that rebuilds pictures, for those that it cannot rebuild.
///
/// An encoder makes a few numbers of each picture and a decoder the picture again of the numbers, both learning
/// together. What differs from the ordinary is rebuilt badly. Nothing but pictures is needed, and it takes a fraction
/// of the time of `volary train anomaly`, with whose scores `volary compare scorers` compares its own.
/// Writes a model folder: the weights, the settings, the losses, the last checkpoint, and in `gallery` what is rebuilt
/// of held-out pictures, epoch by epoch. A budget in volary.toml ends it in order. Killed at any moment, it goes on
/// with --resume and ends with the same weights.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary train autoencoder cutouts -o model --size 48 --filters 16 --latents 64 --batch 32 --rate 4e-4 --epochs 60
  volary train autoencoder subjects.csv -o model --group object_id --augment turns --patience 10
  volary train autoencoder subjects.csv -o rarest --only top.csv    (again, on the anomalies)")]
pub(crate) struct Args {
    #[command(flatten)]
    untaught: UntaughtArgs,
    /// Folder of the model.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    learning: Learning,
    /// Epochs between pictures to look at; 0 for none.
    #[arg(long, value_name = "EPOCHS", default_value_t = 10)]
    gallery_every: usize,
    #[command(flatten)]
    beginning: Beginning,
}

/// What is learned, and how. The defaults are those of the anomaly model's encoder, for a graphics card; the book has
/// some for a laptop.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Learning")]
struct Learning {
    #[command(flatten)]
    rebuilding: Rebuilding,
    /// Times that every picture is learned from.
    #[arg(long, value_name = "N", default_value_t = 500)]
    epochs: usize,
    /// Pictures a step.
    #[arg(long, value_name = "N", default_value_t = 256)]
    batch: usize,
    /// Length of a step (learning rate).
    #[arg(long, value_name = "RATE", default_value_t = 1e-4)]
    rate: f64,
    /// The rate falls to this share of itself every five epochs.
    #[arg(long, value_name = "SHARE", default_value_t = 1.0)]
    decay: f64,
    /// Stop after so many epochs without a better loss on a part kept for that, and keep the best.
    #[arg(long, value_name = "EPOCHS")]
    patience: Option<usize>,
    /// Share of the pictures to stop by, with --patience.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    stop_share: f64,
}

impl Learning {
    fn settings(&self, seed: u64) -> Result<Settings> {
        let rebuilding = &self.rebuilding;
        Ok(Settings {
            filters: rebuilding.filters,
            latents: rebuilding.latents,
            residual: rebuilding.residual,
            squash: rebuilding.squash()?,
            distance: rebuilding.distance()?,
            augment: rebuilding.augment()?,
            plan: Plan {
                epochs: self.epochs,
                batch_size: self.batch,
                descent: Descent::new(Rule::Adam),
                schedule: Schedule { rate: self.rate, decay: self.decay, every_epochs: 5 },
                checkpoint_every_epochs: rebuilding.checkpoint_every,
                patience: self.patience,
            },
            held_out_share: rebuilding.held_out,
            stop_share: self.stop_share,
            seed,
        })
    }
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let settings = args.learning.settings(session.global.seed)?;
    let device = args.beginning.device(&mut session)?;
    let begin = args.beginning.begin();
    let untaught = args.untaught.read(&mut session)?;
    let lesson = untaught.lesson();
    let mut costs = Costs::open(&args.output, begin)?;
    let trained = teach(args, &lesson, &settings, device, begin, &session, &mut costs)?;
    for warning in &trained.warnings {
        session.summary.note(&format!("note: {warning}"));
    }
    session.summary.value("warnings", trained.warnings.clone());
    let Some(model) = &trained.model else {
        return Err(costs.stopped(&session.cost(), trained.history.epochs.len() + 1)?);
    };
    summarise(model, &trained, &mut session);
    let metrics = measure(model, &trained, lesson.pixels, &session)?;
    write_whole(&args.output.join("metrics.json"), format!("{metrics:#}\n").as_bytes())?;
    draw_losses(&trained.history, "losses", &args.output)?;
    let last = match trained.ended {
        Ended::Early { best_epoch } => best_epoch,
        Ended::AllEpochs | Ended::Asked => settings.plan.epochs,
    };
    let rebuilt = gallery_name(GalleryKind::Rebuilt, last);
    let mut written = vec![
        "config.json",
        "weights.safetensors",
        "metrics.json",
        "history.csv",
        "split.csv",
        "losses.svg",
    ];
    if args.gallery_every > 0 {
        written.push(&rebuilt);
    }
    finish(&args.output, &written, &mut costs, session)
}

/// Trains with a bar, pictures to look at, a checkpoint now and then, and an ear for Ctrl-C.
fn teach(
    args: &Args,
    lesson: &Lesson<'_>,
    settings: &Settings,
    device: Device,
    begin: Begin,
    session: &Session,
    costs: &mut Costs,
) -> Result<Trained> {
    let mut watch = Watch::new(session, costs);
    let mut batch = |p: &Progress<'_>| {
        let unseen = p
            .last
            .and_then(|epoch| epoch.unseen.first())
            .map_or_else(String::new, |loss| format!(" (unseen {loss:.3})"));
        watch.batch(p, "", &format!("reconstruction {:.3}{unseen}", loss(p, "reconstruction")))
    };
    let mut problem = None;
    let mut gallery = |gallery: &Gallery| {
        // A gallery that cannot be written is told at the end; the training is worth more.
        problem = draw(gallery, &args.output).err();
    };
    let mut watcher =
        Watcher { batch: &mut batch, gallery: &mut gallery, gallery_every_epochs: args.gallery_every };
    let trained = train(lesson, settings, device, &args.output, begin, &mut watcher);
    watch.finish();
    let mut trained = trained?;
    trained.warnings.extend(problem.map(|error| format!("the gallery was not drawn: {error:#}")));
    Ok(trained)
}

fn summarise(model: &Model, trained: &Trained, session: &mut Session) {
    let summary = &mut session.summary;
    let config = model.config();
    summary.count("n_weights", "weights", model.n_weights() as u64);
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
    if let Some(explained) = trained.explained_variance {
        let shown = format!("{:.1} %", 100.0 * explained);
        summary.line("explained_variance", "of what differs, rebuilt (held out)", &shown, explained);
    }
}

/// What the scores of pictures that were not learned from look like.
fn measure(model: &Model, trained: &Trained, pixels: &dyn Pixels, session: &Session) -> Result<Value> {
    let rows = &trained.split.held_out;
    let held_out = if rows.is_empty() {
        Value::Null
    } else {
        let bar = bar(session, rows.len() as u64, "scoring {wide_bar} {pos}/{len} {eta}");
        let scores = model.score(pixels, rows, 64, &mut |n| {
            bar.set_position(n as u64);
            !session.progress.is_stopped()
        })?;
        bar.finish_and_clear();
        json!({
            "n": rows.len(),
            "explained_variance": trained.explained_variance,
            "autoencoder_score": spread(scores.score),
            "latents": latents(&scores.embedding),
        })
    };
    Ok(json!({ "held_out": held_out, "warnings": trained.warnings }))
}
