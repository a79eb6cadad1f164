//! `volary train anomaly`: networks that learn what ordinary looks like.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use serde_json::{Value, json};
use volary_core::Pixels;
use volary_ingest::output::write_whole;
use volary_vision::Device;
use volary_vision::anomaly::{
    Gallery, GalleryKind, Lesson, Losses, Model, ScoreWeights, Settings, Stage, Trained, Watcher, train,
    warnings,
};
use volary_vision::training::{Begin, Descent, History, Plan, Progress, Rule, Schedule};

use crate::commands::train::drawn::{draw, draw_losses, gallery_name, latents, spread};
use crate::commands::train::finish;
use crate::commands::train::rebuilding::Rebuilding;
use crate::commands::train::untaught::UntaughtArgs;
use crate::commands::train::watch::{Beginning, Costs, Watch, loss, note_losses};
use crate::pictures::bar;
use crate::session::Session;

/// Train networks that find what nobody asked for.
///
/// A generator and a critic learn to make pictures like these; then an encoder learns to find, for a picture, the
/// nearest that the generator can make. What stays different is odd. Nothing but pictures is needed.
/// Writes a model folder: the weights, the settings, the losses, the last checkpoints, and in `gallery` what the
/// generator makes and what is rebuilt of held-out pictures, epoch by epoch. A budget in volary.toml ends it in
/// order. Killed at any moment, it goes on with --resume and ends with the same weights.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary train anomaly cutouts -o model --size 48 --filters 16 --batch 64 --epochs 100
  volary train anomaly subjects.csv -o model --group object_id --augment turns
  volary train anomaly subjects.csv -o rarest --only top.csv    (again, on the anomalies)")]
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

/// What is learned, and how. The defaults are the paper's, for a graphics card; the book has some for a
/// laptop.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Learning")]
struct Learning {
    #[command(flatten)]
    rebuilding: Rebuilding,
    /// Deviation of the noise on the generator's maps.
    #[arg(long, value_name = "SD", default_value_t = 0.1)]
    noise: f64,
    /// Weight of the critic's gradient penalty.
    #[arg(long, value_name = "WEIGHT", default_value_t = 10.0)]
    penalty: f64,
    /// Steps of the critic for each of the generator.
    #[arg(long, value_name = "N", default_value_t = 5)]
    critic_steps: usize,
    /// Weight of the pixels' distance.
    #[arg(long, value_name = "WEIGHT", default_value_t = 0.8)]
    image_weight: f64,
    /// Weight of the features' distance.
    #[arg(long, value_name = "WEIGHT", default_value_t = 0.2)]
    feature_weight: f64,
    /// Times that generator and critic see every picture.
    #[arg(long, value_name = "N", default_value_t = 500)]
    epochs: usize,
    /// Pictures a step of theirs.
    #[arg(long, value_name = "N", default_value_t = 1024)]
    batch: usize,
    /// Length of a step of theirs (learning rate).
    #[arg(long, value_name = "RATE", default_value_t = 1e-4)]
    rate: f64,
    /// Adam's decays for them.
    #[arg(long, value_name = "B1,B2", value_delimiter = ',', num_args = 1, default_values_t = [0.5, 0.9])]
    betas: Vec<f64>,
    /// Times that the encoder sees every picture [default: as --epochs].
    #[arg(long, value_name = "N")]
    encoder_epochs: Option<usize>,
    /// Pictures a step of the encoder's [default: 256, or --batch where that is less].
    #[arg(long, value_name = "N")]
    encoder_batch: Option<usize>,
    /// Length of a step of the encoder's.
    #[arg(long, value_name = "RATE", default_value_t = 1e-4)]
    encoder_rate: f64,
}

impl Learning {
    fn settings(&self, seed: u64) -> Result<Settings> {
        let rebuilding = &self.rebuilding;
        let &[beta_1, beta_2] = self.betas.as_slice() else {
            bail!("--betas has {} numbers; give two, such as 0.5,0.9", self.betas.len());
        };
        let plan = |epochs, batch_size, rate, descent| Plan {
            epochs,
            batch_size,
            descent,
            schedule: Schedule { rate, decay: 1.0, every_epochs: 1 },
            checkpoint_every_epochs: rebuilding.checkpoint_every,
            patience: None,
        };
        let adam = Descent::new(Rule::Adam);
        let encoder_epochs = self.encoder_epochs.unwrap_or(self.epochs);
        let encoder_batch = self.encoder_batch.unwrap_or(self.batch.min(256));
        Ok(Settings {
            filters: rebuilding.filters,
            latents: rebuilding.latents,
            residual: rebuilding.residual,
            noise_sd: self.noise,
            squash: rebuilding.squash()?,
            losses: Losses {
                penalty: self.penalty,
                critic_steps: self.critic_steps,
                weights: ScoreWeights { image: self.image_weight, feature: self.feature_weight },
                distance: rebuilding.distance()?,
            },
            augment: rebuilding.augment()?,
            adversaries: plan(self.epochs, self.batch, self.rate, Descent { beta_1, beta_2, ..adam }),
            encoder: plan(encoder_epochs, encoder_batch, self.encoder_rate, adam),
            held_out_share: rebuilding.held_out,
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
        let epochs = trained.encoder.as_ref().unwrap_or(&trained.adversaries).epochs.len();
        return Err(costs.stopped(&session.cost(), epochs + 1)?);
    };
    summarise(model, &trained, &mut session);
    let metrics = measure(model, &trained, lesson.pixels, &session)?;
    write_whole(&args.output.join("metrics.json"), format!("{metrics:#}\n").as_bytes())?;
    for (name, history) in
        [("adversaries", Some(&trained.adversaries)), ("losses", trained.encoder.as_ref())]
    {
        if let Some(history) = history {
            draw_losses(history, name, &args.output)?;
        }
    }
    let [made, rebuilt] = [
        gallery_name(GalleryKind::Made, settings.adversaries.epochs),
        gallery_name(GalleryKind::Rebuilt, settings.encoder.epochs),
    ];
    let mut written = vec![
        "config.json",
        "weights.safetensors",
        "metrics.json",
        "history.csv",
        "adversaries.csv",
        "split.csv",
        "adversaries.svg",
        "losses.svg",
    ];
    if args.gallery_every > 0 {
        written.extend([made.as_str(), rebuilt.as_str()]);
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
    let mut warned = false;
    let mut batch = |stage: Stage, p: &Progress<'_>| {
        let is_encoder = stage == Stage::Encoder;
        if !is_encoder
            && !warned
            && let Some(last) = p.last
        {
            let terms = p.terms.iter().map(|term| (*term).to_owned()).collect();
            let found = warnings(&History { terms, epochs: vec![last.clone()] });
            // The first epochs are never good.
            if last.epoch > settings.adversaries.epochs / 4 && !found.is_empty() {
                warned = true;
                found.iter().for_each(|warning| watch.say(warning));
            }
        }
        let shown = if is_encoder { ["image", "feature"] } else { ["wasserstein distance", "variety"] };
        let shown = shown.map(|name| format!("{name} {:.3}", loss(p, name))).join(", ");
        watch.batch(p, if is_encoder { "encoder, " } else { "generator and critic, " }, &shown)
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
    let [generator, critic, encoder] = model.n_weights();
    summary.count("n_weights", "weights", (generator + critic + encoder) as u64);
    summary.count("n_weights_generator", "  of the generator", generator as u64);
    summary.count("n_weights_critic", "  of the critic", critic as u64);
    summary.count("n_weights_encoder", "  of the encoder", encoder as u64);
    summary.count("n_train", "pictures learned from", config.n_train as u64);
    summary.count("n_held_out", "pictures held out", config.n_held_out as u64);
    note_losses(summary, "adversaries", &trained.adversaries);
    if let Some(encoder) = &trained.encoder {
        note_losses(summary, "encoder", encoder);
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
        let weights = model.config().settings.losses.weights;
        json!({
            "n": rows.len(),
            "anomaly_score": spread(scores.anomaly(weights)),
            "image_score": spread(scores.image.clone()),
            "feature_score": spread(scores.feature.clone()),
            "latents": latents(&scores.embedding),
        })
    };
    Ok(json!({ "held_out": held_out, "warnings": trained.warnings }))
}
