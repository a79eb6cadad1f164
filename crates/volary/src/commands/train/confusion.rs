//! `volary train confusion`: a network that learns a picture and its consensus together.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};
use serde_json::json;
use volary_core::ProblemKind;
use volary_crowd::bias::Column;
use volary_ingest::class_table::{ClassColumns, ClassTable, read_class_table};
use volary_ingest::images::{ImageSubject, ImageSubjects};
use volary_ingest::output::write_whole;
use volary_vision::confusion::{Begin, Labels, Lesson, Likelihood, Losses, Settings, Trained, train};
use volary_vision::training::{Descent, Ended, Plan, Progress, Rule, Schedule};
use volary_vision::{Augment, Device};

use crate::commands::bias::text_column;
use crate::commands::train::watch::{Costs, Watch, begin, loss};
use crate::commands::train::{device, finish, groups};
use crate::model_metrics::{self, Judged};
use crate::pictures::{PrepareArgs, SourceArgs};
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
  volary train confusion subjects.csv --consensus consensus.csv -o model --likelihood binomial --resume")]
pub(crate) struct Args {
    #[command(flatten)]
    source: SourceArgs,
    /// What volunteers said: a consensus table, or a table with a column of votes for each class.
    #[arg(long, value_name = "TABLE")]
    consensus: PathBuf,
    /// Folder of the model.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// The task, where the table has several.
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// The classes, with commas between them [default: all answers of the table].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    classes: Vec<String>,
    /// Column of SUBJECTS; pictures with the same value are all learned from, or all judged by.
    #[arg(long, value_name = "COLUMN")]
    group: Option<String>,
    /// Columns of SUBJECTS to measure it by, slice by slice (brightness, camera…), with commas between them.
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    by: Vec<String>,
    #[command(flatten)]
    pictures: PrepareArgs,
    #[command(flatten)]
    learning: Learning,
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
    let settings = args.learning.settings(session.global.seed)?;
    let prepare = args.pictures.settings()?;
    let device = device(&args.device)?;
    let begin = begin(args.resume, args.fresh);
    let columns = ClassColumns { classes: &args.classes, task: args.task.as_deref() };
    let table = read_class_table(&args.consensus, &columns, &session.progress)?;
    session.input_file(&args.consensus)?;
    session.problems.absorb(&table.problems);
    let found = args.source.find(&mut session)?;
    let subjects = with_votes(&found, &table, &mut session)?;
    let built = args.source.decode(&subjects, &prepare, &mut session)?;
    let used: Vec<&ImageSubject> = built.subject_idx.iter().map(|i| &subjects[*i]).collect();
    let ids: Vec<String> = used.iter().map(|s| s.subject_id.clone()).collect();
    let groups = groups(args.group.as_deref(), &found, &used)?;
    let sliced = slice_columns(&args.by, &found, &used)?;
    let (labels, unchosen) = labels(&table, &ids)?.without_unchosen()?;
    for class in &unchosen {
        let detail = format!("nobody ever chose {class:?}; it is left out");
        session.problems.add(0, class, ProblemKind::Suspicious, detail);
    }
    let preprocessing = serde_json::to_value(&prepare)?;
    let lesson = Lesson {
        pixels: &built.cache,
        subject_ids: &ids,
        groups: &groups,
        labels: &labels,
        unchosen: &unchosen,
        preprocessing: &preprocessing,
    };
    if args.device != "cpu" {
        session.graphics(&args.device);
    }
    let mut costs = Costs::open(&args.output, begin)?;
    let trained = teach(args, &lesson, &settings, device, begin, &session, &mut costs)?;
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
        let judged = Judged::new(&lesson, &trained, args.learning.replicates, session.global.seed)?;
        judged.summarise(&mut session.summary);
        metrics["held_out"] = judged.json();
        metrics["slices"] = judged.slices(&lesson, &trained.split, &sliced)?.into();
    }
    write_whole(&args.output.join("metrics.json"), format!("{metrics:#}\n").as_bytes())?;
    let written = ["config.json", "weights.safetensors", "metrics.json", "history.csv", "split.csv"];
    finish(&args.output, &written, &mut costs, session)
}

/// The columns to slice by, of the pictures that are used.
pub(super) fn slice_columns(
    names: &[String],
    found: &ImageSubjects,
    used: &[&ImageSubject],
) -> Result<Vec<Column>> {
    let column = |name: &String| {
        let Some(at) = found.metadata_columns.iter().position(|known| known == name) else {
            bail!("--by {name:?}; the subjects have {}", found.metadata_columns.join(", "));
        };
        let cells = used.iter().map(|subject| Some(subject.metadata[at].trim().to_owned()));
        Ok(text_column(name, cells.map(|cell| cell.filter(|c| !c.is_empty())).collect()))
    };
    names.iter().map(column).collect()
}

/// The subjects that have an image and votes.
pub(super) fn with_votes(
    found: &ImageSubjects,
    table: &ClassTable,
    session: &mut Session,
) -> Result<Vec<ImageSubject>> {
    if table.subject_ids.is_empty() {
        bail!(
            "the table of votes has none for what was asked; correct --task and --classes, or leave them out"
        );
    }
    let voted: HashSet<&str> = table.subject_ids.iter().map(String::as_str).collect();
    let both: Vec<ImageSubject> =
        found.subjects.iter().filter(|s| voted.contains(s.subject_id.as_str())).cloned().collect();
    let (n_images, n_votes) = (found.subjects.len(), table.subject_ids.len());
    session.summary.count("n_with_votes", "  with votes as well", both.len() as u64);
    if both.is_empty() {
        bail!(
            "none of {n_images} subjects with an image is among the {n_votes} with votes; check that both tables \
             name subjects alike"
        );
    }
    Ok(both)
}

/// The votes of these subjects, in their order.
pub(super) fn labels(table: &ClassTable, ids: &[String]) -> Result<Labels> {
    let rows: HashMap<&str, usize> =
        table.subject_ids.iter().enumerate().map(|(row, id)| (id.as_str(), row)).collect();
    let n_classes = table.classes.len();
    let rows: Vec<usize> = ids.iter().filter_map(|id| rows.get(id.as_str()).copied()).collect();
    let values = rows.iter().flat_map(|row| &table.values[row * n_classes..][..n_classes]);
    Ok(match &table.n_seen {
        Some(n_seen) => {
            let n_seen = rows.iter().map(|row| n_seen[*row]).collect();
            Labels::from_counts(table.classes.clone(), n_seen, values.map(|n| *n as u32).collect())?
        }
        None => {
            let values: Vec<f64> = values.copied().collect();
            Labels::from_fractions(table.classes.clone(), &values)?
        }
    })
}

/// Trains with a bar, a checkpoint now and then, and an ear for Ctrl-C.
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
    let trained = train(lesson, settings, device, &args.output, begin, &mut |p: &Progress<'_>| {
        let unseen = p
            .last
            .and_then(|epoch| epoch.unseen.get(4))
            .map_or_else(String::new, |loss| format!(" (unseen {loss:.4})"));
        let [total, above] = ["total", "class above floor"].map(|name| loss(p, name));
        let losses = format!("loss {total:.1}, classes above their floor {above:.4}{unseen}");
        watch.batch(p, "", &losses)
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
    if let Some(last) = trained.history.epochs.last() {
        for (i, term) in trained.history.terms.iter().enumerate() {
            let unseen = last.unseen.get(i);
            let shown = match unseen {
                Some(unseen) => format!("{:.5} (unseen {unseen:.5})", last.train[i]),
                None => format!("{:.5}", last.train[i]),
            };
            let key = format!("loss_{}", term.replace(' ', "_"));
            let value = json!({ "train": last.train[i], "unseen": unseen });
            if last.train[i] != 0.0 {
                summary.line(&key, &format!("loss: {term}"), &shown, value);
            }
        }
    }
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
