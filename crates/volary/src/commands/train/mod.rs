//! `volary train`: models that learn from pictures and from what volunteers said of them.

mod anomaly;
mod autoencoder;
mod classifier;
mod confusion;
mod drawn;
mod rebuilding;
mod search;
mod taught;
mod untaught;
mod watch;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};
use clap::Subcommand;
use volary_ingest::images::{ImageSubject, ImageSubjects};
use volary_ingest::output::{placed, write_whole};
use volary_release::card::{CARD_FILE, Folder, LINEAGE_FILE, Said, card};
use volary_release::cost::COST_FILE;
use volary_vision::Device;

use self::watch::Costs;
use crate::session::Session;

/// Train a model on pictures.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary train confusion subjects.csv --consensus consensus.csv -o model
  volary train classifier subjects.csv --consensus gold_soft.csv --classes real -o model
  volary train anomaly cutouts -o model --epochs 50 --batch 64
  volary train autoencoder cutouts -o model --epochs 50 --batch 64")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    Classifier(Box<classifier::Args>),
    Anomaly(Box<anomaly::Args>),
    Autoencoder(Box<autoencoder::Args>),
    Confusion(Box<confusion::Args>),
}

/// Runs it.
pub(crate) fn run(args: &Args, session: Session) -> Result<ExitCode> {
    match &args.what {
        What::Classifier(args) => classifier::run(args, session),
        What::Anomaly(args) => anomaly::run(args, session),
        What::Autoencoder(args) => autoencoder::run(args, session),
        What::Confusion(args) => confusion::run(args, session),
    }
}

/// A device by its name.
pub(crate) fn device(name: &str) -> Result<Device> {
    Device::parse(name).ok_or_else(|| {
        anyhow!("--device {name:?}; there are {}", Device::ALL.map(Device::as_str).join(", "))
    })
}

/// The group of each subject; the subject itself where no column says it.
fn groups(column: Option<&str>, found: &ImageSubjects, used: &[&ImageSubject]) -> Result<Vec<String>> {
    let Some(column) = column else { return Ok(used.iter().map(|s| s.subject_id.clone()).collect()) };
    let Some(at) = found.metadata_columns.iter().position(|name| name == column) else {
        bail!("--group {column:?}; the subjects have {}", found.metadata_columns.join(", "));
    };
    let group = |subject: &&ImageSubject| match subject.metadata[at].as_str() {
        // Subjects without a group must not become one group.
        "" => format!("subject {}", subject.subject_id),
        group => format!("group {group}"),
    };
    Ok(used.iter().map(group).collect())
}

/// Notes weights and checkpoints of a folder as files that this run wrote.
fn place_weights(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "safetensors") {
            placed(&path);
        }
    }
    Ok(())
}

/// Ends a training: its cost, its record, its card. `written` are the files of the model.
fn finish(folder: &Path, written: &[&str], costs: &mut Costs, mut session: Session) -> Result<ExitCode> {
    costs.note(&session.cost())?;
    // The lineage of a training that was here before led to other weights.
    let lineage = folder.join(LINEAGE_FILE);
    if lineage.exists() {
        std::fs::remove_file(&lineage)?;
    }
    for name in written.iter().chain([&COST_FILE]) {
        session.output(&folder.join(name));
    }
    // The networks are written by a crate that knows no records.
    place_weights(folder)?;
    search::place_candidates(folder)?;
    let record = folder.join("run.json");
    session.write_record(&record)?;
    let card = card(&Folder::read(folder)?, &Said::default())?;
    write_whole(&folder.join(CARD_FILE), card.as_bytes())?;
    session.finish(Some(&record))
}
