//! `volary check`: read, write nothing, say what is wrong.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use volary_core::Extracts;
use volary_ingest::gap_table::read_gaps;
use volary_ingest::panoptes::ExtractSink;
use volary_ingest::signals::read_signals;
use volary_ingest::{IngestError, count_table, label_table, manifest, panoptes, planet_hunters, talk};

use crate::input::{InputKind, find_votes, read_export};
use crate::session::Session;
use crate::settings::RowSettings;

/// Read any input, write nothing, and list its problems by kind, with row and column.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary check classifications.csv
  volary check --strict workflows.csv subjects.csv manifest.csv; echo $?")]
pub(crate) struct Args {
    /// Files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    rows: RowSettings,
}

/// A sink for those who only want the problems.
struct Nothing;

impl ExtractSink for Nothing {
    fn take(&mut self, _: &Extracts) -> Result<(), IngestError> {
        Ok(())
    }

    fn take_late(&mut self, _: &Extracts, _: &[u64]) -> Result<(), IngestError> {
        Ok(())
    }
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let rows = args.rows.clone().or(&session.settings.rows);
    for path in &args.files {
        check(path, &rows, &mut session)?;
    }
    if session.problems.total() == 0 {
        session.summary.note("no problems");
    }
    session.finish(None)
}

fn check(path: &std::path::Path, rows: &RowSettings, session: &mut Session) -> Result<()> {
    let path = if path.is_dir() { find_votes(path)? } else { path.to_owned() };
    let kind = InputKind::of(&path)?;
    session.summary.note(&format!("{}: {}", path.display(), kind.as_str()));
    let progress = session.progress.clone();
    let report = match kind {
        InputKind::Export => {
            read_export(&[path], rows, None, &[], session, &mut Nothing)?;
            return Ok(());
        }
        InputKind::VotesTable => {
            let votes = volary_ingest::tables::read_votes(&path, None, &progress)?;
            session.summary.count("n_votes", "  votes", votes.n_answers_given() as u64);
            return session.input_file(&path);
        }
        InputKind::LabelTable => label_table::read_label_table(&path, &progress)?.report,
        InputKind::CountTable => count_table::read_count_table(&path, &progress)?.report,
        InputKind::PlanetHunters => planet_hunters::read_planet_hunters(&path, &progress)?.1,
        InputKind::WorkflowExport => panoptes::workflows::read_workflows(&path, &progress)?.report,
        InputKind::SubjectExport => panoptes::subjects::read_subjects(&path, &progress)?.1,
        InputKind::Talk => talk::read_talk(&path, &progress)?.report,
        InputKind::WeightTable => label_table::read_weights(&path, &progress)?.1,
        InputKind::TruthTable => label_table::read_truth(&path, &progress)?.1,
        InputKind::Signals => read_signals(&path, &progress)?.1,
        InputKind::Gaps => {
            let (_, reports) = read_gaps(&path, None, &progress)?;
            reports.into_iter().for_each(|report| session.report(report));
            return Ok(());
        }
        InputKind::Scores => label_table::read_scores(&path, &progress)?.1,
        InputKind::Manifest => manifest::check_manifest(&path, &progress)?.report,
    };
    session.report(report);
    Ok(())
}
