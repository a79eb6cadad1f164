//! `volary gold verify`: the labels again, from the votes that they stand on.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use volary_ingest::tables::TableFormat;

use super::labels;
use super::record::{Manifest, checksum, label_set, write_labels};
use crate::consensus_tables::beside;
use crate::session::Session;

/// Make labels again from their votes and compare: every byte. Exit code 1 where they differ.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  volary gold verify gold.csv")]
pub(super) struct Args {
    /// The table that `volary gold` wrote; the others lie beside it.
    #[arg(value_name = "FILE")]
    labels: PathBuf,
}

/// Runs it.
pub(super) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    TableFormat::of(&args.labels)?;
    let manifest = Manifest::read(&args.labels)?;
    let votes = manifest.read_votes(&args.labels, &session.progress)?;
    let made = labels(votes, &manifest.aggregator, &manifest.rule(), &mut session)?;
    let mut wrong = Vec::new();
    if label_set(&made.votes, &made.items) != manifest.label_set_blake3 {
        wrong.push("the votes give other labels than the record says".to_owned());
    }
    let folder = tempfile::tempdir().context("a temporary folder cannot be made")?;
    let name = args.labels.file_name().context("the table has no name")?;
    let again = folder.path().join(name);
    write_labels(&again, &made)?;
    for (given, right) in
        [(args.labels.clone(), again.clone()), (beside(&args.labels, "soft"), beside(&again, "soft"))]
    {
        if checksum(&given)? != checksum(&right)? {
            wrong.push(format!("not the labels that the votes give: {}", given.display()));
        }
    }
    session.summary.count("n_subjects", "subjects", made.items.len() as u64);
    session.summary.line("volary", "made with", &manifest.volary, manifest.volary.clone());
    session.summary.value("wrong", wrong.clone());
    if wrong.is_empty() {
        session.summary.note("the same labels, to the byte");
        return session.finish(None);
    }
    let rows: Vec<Vec<String>> = wrong.into_iter().map(|what| vec![what]).collect();
    session.summary.table("Wrong", &["what"], &rows);
    session.finish(None)?;
    Ok(ExitCode::FAILURE)
}
