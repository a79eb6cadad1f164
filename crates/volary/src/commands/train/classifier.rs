//! `volary train classifier`: is it there or not? A small network on cutouts, taught by gold labels.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};
use serde_json::json;
use volary_ingest::output::write_whole;
use volary_vision::Augment;
use volary_vision::classifier::{Balance, Calibration, Dropout, Scoring, Settings, Trained, train};
use volary_vision::training::{Begin, Descent, Ended, Plan, Progress, Rule, Schedule};

use crate::commands::train::finish;
use crate::commands::train::search::{
    At, CANDIDATES_FILE, Outcome, SEARCH_FILE, Search, SearchArgs, search,
};
use crate::commands::train::taught::TaughtArgs;
use crate::commands::train::watch::{Beginning, Costs, Watch, loss, note_losses};
use crate::model_metrics::{self, Judged};
use crate::session::Session;

/// Train a network that says whether something is there (real or bogus), out of gold labels.
///
/// A small network like VGG on cutouts of any number of channels. Rare answers weigh more, one part of the
/// pictures is kept to stop and to calibrate by, and another to judge by. Writes a model folder, as `volary
/// train confusion` does; `volary score` says how probable each class is, and how sure the network is of it. A
/// budget in volary.toml ends it in order. Killed at any moment, it goes on with --resume and ends with the same
/// weights.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary train classifier subjects.csv --consensus gold_soft.csv --classes real -o rb
  volary train classifier subjects.csv --consensus gold_soft.csv --classes real --group object_id --by magnitude -o rb
  volary train classifier cutouts --consensus votes.csv --classes real --augment turns --rate 3e-4 -o rb
  volary train classifier cutouts --consensus votes.csv --classes real --search ranges.toml --config volary.toml -o rb")]
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
    /// Maps of the two blocks of convolutions.
    #[arg(long, value_name = "N,N", value_delimiter = ',', num_args = 1.., default_values_t = [16, 32])]
    filters: Vec<usize>,
    /// Numbers of the dense layer.
    #[arg(long, value_name = "N", default_value_t = 256)]
    dense: usize,
    /// Share of the maps that is left out at random.
    #[arg(long, value_name = "SHARE", default_value_t = 0.25)]
    dropout_maps: f64,
    /// Share of the dense layer that is left out at random.
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    dropout: f64,
    /// Weight of the squares of the kernels in the loss.
    #[arg(long, value_name = "WEIGHT", default_value_t = 1e-4)]
    penalty: f64,
    /// balanced (yes and no weigh the same in sum) or none.
    #[arg(long, value_name = "NAME", default_value = "balanced")]
    class_weights: String,
    /// Learn a yes where more than half said so, and not the share.
    #[arg(long)]
    hard: bool,
    /// Times that every picture is learned from, at most.
    #[arg(long, value_name = "N", default_value_t = 100)]
    epochs: usize,
    /// Pictures a step.
    #[arg(long, value_name = "N", default_value_t = 64)]
    batch: usize,
    /// What is done to a picture each time that it is learned from: none, mirror (left to right), turns
    /// (mirrored and turned by quarters, for the sky).
    #[arg(long, value_name = "NAME", default_value = "none")]
    augment: String,
    /// adam or nadam.
    #[arg(long, value_name = "NAME", default_value = "adam")]
    optimizer: String,
    /// Length of a step (learning rate).
    #[arg(long, value_name = "RATE", default_value_t = 3e-5)]
    rate: f64,
    /// The rate falls to this share of itself every five epochs.
    #[arg(long, value_name = "SHARE", default_value_t = 1.0)]
    decay: f64,
    /// Stop after so many epochs without a better loss on the part kept for that; 0 never stops.
    #[arg(long, value_name = "EPOCHS", default_value_t = 10)]
    patience: usize,
    /// Share of the pictures to judge by.
    #[arg(long, value_name = "SHARE", default_value_t = 0.2)]
    held_out: f64,
    /// Share of the pictures to stop and to calibrate by.
    #[arg(long, value_name = "SHARE", default_value_t = 0.15)]
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
        let Ok(filters) = <[usize; 2]>::try_from(self.filters.as_slice()) else {
            bail!("--filters has {} numbers; give two, such as 16,32", self.filters.len());
        };
        let balance = Balance::parse(&self.class_weights).ok_or_else(|| {
            let names = Balance::ALL.map(Balance::as_str).join(", ");
            anyhow!("--class-weights {:?}; there are {names}", self.class_weights)
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
            filters,
            dense: self.dense,
            dropout: Dropout { maps: self.dropout_maps, dense: self.dropout },
            penalty: self.penalty,
            balance,
            hard: self.hard,
            augment,
            plan: Plan {
                epochs: self.epochs,
                batch_size: self.batch,
                descent: Descent::new(rule),
                schedule: Schedule { rate: self.rate, decay: self.decay, every_epochs: 5 },
                checkpoint_every_epochs: self.checkpoint_every,
                patience: (self.patience > 0).then_some(self.patience),
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
    let teach = |learning: &Learning,
                 at: &At<'_>,
                 session: &Session,
                 costs: &mut Costs|
     -> Result<Trained> {
        let settings = learning.settings(session.global.seed)?;
        let mut watch = Watch::new(session, costs);
        let trained = train(&lesson, &settings, device, at.folder, at.begin, &mut |p: &Progress<'_>| {
            let [total, above] = ["total", "class above floor"].map(|name| loss(p, name));
            watch.batch(p, at.what, &format!("loss {total:.4}, classes above their floor {above:.4}"))
        });
        watch.finish();
        Ok(trained?)
    };
    let scoring = Scoring { seed: session.global.seed, ..Scoring::default() };
    let predict = |trained: &Trained, rows: &[usize]| -> Result<Vec<f64>> {
        let scores = trained.model.score(lesson.pixels, rows, &scoring, &mut |_| true)?;
        Ok(scores.predictions.iter().map(|p| p.probability).collect())
    };
    let found = match &args.searching.search {
        None => None,
        Some(ranges) => {
            let asked = Search {
                ranges,
                kind: "classifier",
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
                let trained = teach(learning, at, session, costs)?;
                let predicted = match trained.ended {
                    Ended::Asked => Vec::new(),
                    _ => predict(&trained, &trained.split.held_out)?,
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
    let trained = teach(learning, &at, &session, &mut costs)?;
    if trained.ended == Ended::Asked {
        return Err(costs.stopped(&session.cost(), trained.history.epochs.len() + 1)?);
    }
    summarise(&trained, &mut session);
    let mut metrics = json!({
        "interval_level": model_metrics::LEVEL,
        "replicates": args.learning.replicates,
        "held_out": null,
        "slices": [],
    });
    let config = trained.model.config();
    let odd = calibration_notes(&config.classes, &config.calibration);
    if !odd.is_empty() {
        metrics["calibration_notes"] = json!(odd);
    }
    if !trained.split.held_out.is_empty() {
        let split = match &found {
            Some(found) => found.judged_by(&lesson, &trained.split)?,
            None => trained.split.clone(),
        };
        let predicted = predict(&trained, &split.held_out)?;
        let seed = session.global.seed;
        let judged = Judged::of(&lesson, &split, predicted, args.learning.replicates, seed)?;
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

fn summarise(trained: &Trained, session: &mut Session) {
    let config = trained.model.config();
    let summary = &mut session.summary;
    summary.line("classes", "classes", &config.classes.join(", "), config.classes.clone());
    summary.count("n_weights", "weights", trained.model.n_weights() as u64);
    summary.count("n_train", "pictures learned from", config.n_train as u64);
    summary.count("n_stop", "pictures stopped and calibrated by", config.n_stop as u64);
    summary.count("n_held_out", "pictures held out", config.n_held_out as u64);
    summary.count("n_epochs", "epochs", config.n_epochs as u64);
    if let Ended::Early { best_epoch } = trained.ended {
        summary.count("best_epoch", "  best", best_epoch as u64);
    }
    note_losses(summary, "loss", &trained.history);
    summary.value("labels_blake3", config.labels_blake3.clone());
    for (class, calibration) in config.classes.iter().zip(&config.calibration) {
        match calibration {
            Some(Calibration { slope, intercept }) => summary.note(&format!(
                "calibration of {class:?}: the logit × {slope:.3} {} {:.3}",
                if *intercept < 0.0 { "−" } else { "+" },
                intercept.abs()
            )),
            None => summary.note(&format!(
                "note: {class:?} is not calibrated: the pictures kept for that all have it, none has it, or the \
                 network says nothing of it"
            )),
        }
    }
    for odd in calibration_notes(&config.classes, &config.calibration) {
        summary.note(&format!("note: {odd}"));
    }
    summary.value("calibration", json!(config.calibration));
}

/// What to say of classes whose calibration is extreme; the card says it too.
fn calibration_notes(classes: &[String], calibrations: &[Option<Calibration>]) -> Vec<String> {
    let note = |(class, calibration): (&String, &Option<Calibration>)| {
        let slope = calibration.filter(|c| c.is_extreme())?.slope;
        Some(match slope > 1.0 {
            true => format!(
                "the calibration of {class:?} stretches the network's numbers {slope:.0} times: it says next to \
                 nothing, or too few pictures were kept for it (--stop-share)"
            ),
            false => format!(
                "the calibration of {class:?} presses the network's numbers to {slope:.3} of what they were: it is far \
                 too sure of itself, or too few pictures were kept for it (--stop-share)"
            ),
        })
    };
    classes.iter().zip(calibrations).filter_map(note).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extreme_calibrations_are_told_class_by_class() {
        let classes = ["a", "b", "c", "d"].map(str::to_owned);
        let of = |slope: f64| Some(Calibration { slope, intercept: 0.5 });
        let notes = calibration_notes(&classes, &[of(393.7), of(1.2), None, of(0.02)]);
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(notes[0].contains("\"a\" stretches the network's numbers 394 times"), "{}", notes[0]);
        assert!(notes[1].contains("\"d\" presses the network's numbers to 0.020"), "{}", notes[1]);
    }
}
