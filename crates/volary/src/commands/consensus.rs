//! `volary consensus`: votes to fractions and probabilities with intervals.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use volary_core::{QuestionKind, Votes};
use volary_ingest::tables::{TableFormat, VoteCollector};

use crate::analysis::{Analysis, read_truth};
use crate::commands::extract;
use crate::consensus_tables as tables;
use crate::input::{InputKind, read_input};
use crate::session::{Session, run_json_for};
use crate::settings::{ConsensusSettings, RowSettings};
use crate::skill_tables;
use volary_crowd::pairs;

/// Say what the crowd agreed on, and how sure that is.
///
/// Writes one row per subject and answer to FILE, and beside it FILE_subjects (one row per subject: the
/// agreed answer or `undetermined`, agreement, entropy), FILE_volunteers, and FILE_surveys and
/// FILE_pairs where the tasks have them. A model adds probabilities, and FILE_skill, FILE_confusion,
/// FILE_easiness and FILE_models; --truth adds FILE_evaluation, FILE_classes, FILE_reliability. A count table (subject, seen, selected) gives one row per
/// subject and the fitted beta–binomial.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary consensus classifications.csv -o consensus.parquet
  volary consensus classifications.csv --extracts extracts -o consensus.parquet
  volary consensus extracts -o consensus.csv --interval wilson --repeats last
  volary consensus labels.csv --truth truth.csv -o consensus.csv
  volary consensus labels.csv --method dawid-skene -o consensus.csv
  volary consensus labels.csv --method auto --gold truth.csv -o consensus.csv
  volary consensus classifications.csv --experience 100:2 -o consensus.parquet
  volary consensus counts.dat --interval beta-binomial -o consensus.parquet")]
pub(crate) struct Args {
    /// Exports, a folder of extracts, a votes table, a label table (task,worker,label), a count table.
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) input: Vec<PathBuf>,
    /// Table to write: .parquet, .csv, .json or .arrow.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// True answers (subject_id,answer or task,label): the method is judged by them.
    #[arg(long, value_name = "TABLE")]
    pub(crate) truth: Option<PathBuf>,
    /// The workflow export.
    #[arg(long, value_name = "CSV")]
    pub(crate) workflows: Option<PathBuf>,
    /// Write the tables of `volary extract` into this folder too, out of the same reading.
    #[arg(long, value_name = "DIR")]
    pub(crate) extracts: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) rows: RowSettings,
    #[command(flatten)]
    pub(crate) consensus: ConsensusSettings,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let settings = args.consensus.clone().or(&session.settings.consensus);
    settings.check()?;
    session.settings.consensus = settings.clone();
    TableFormat::of(&args.output)?;
    let is_counts = args
        .input
        .first()
        .is_some_and(|p| p.is_file() && matches!(InputKind::of(p), Ok(InputKind::CountTable)));
    if is_counts {
        crate::commands::counts::run(&args.input[0], &args.output, &settings, &mut session)?;
    } else {
        let rows = args.rows.clone().or(&session.settings.rows);
        session.settings.rows = rows.clone();
        let truth = args.truth.clone().or_else(|| session.settings.input.truth.clone());
        let truth = truth.as_ref().map(|p| read_truth(p, &mut session)).transpose()?;
        let read = read(args, &rows, &mut session)?;
        let analysis = Analysis::new(read, &settings, truth.as_ref(), &mut session)?;
        write(&analysis, &args.output, &mut session)?;
        analysis.summarise(&mut session.summary);
    }
    session.finish(Some(&run_json_for(&args.output)))
}

/// The votes of the input; the tables of an export go to disk beside.
fn read(args: &Args, rows: &RowSettings, session: &mut Session) -> Result<Votes> {
    let workflows = args.workflows.clone().or_else(|| session.settings.input.workflows.clone());
    let workflows = workflows.as_deref();
    match &args.extracts {
        Some(folder) => {
            let inputs = extract::Inputs { exports: &args.input, workflows, texts: &[] };
            let mut votes = VoteCollector::default();
            extract::extract(&inputs, rows, folder, TableFormat::Parquet, session, Some(&mut votes))?;
            Ok(votes.finish())
        }
        None => read_input(&args.input, rows, workflows, &[], session),
    }
}

/// Writes all tables of a consensus, the long one beside the others.
pub(crate) fn write(analysis: &Analysis, output: &Path, session: &mut Session) -> Result<()> {
    let votes = &analysis.votes;
    let (long, others) = rayon::join(
        || tables::write_consensus(output, votes, &analysis.consensus),
        || write_others(analysis, output),
    );
    session.rows("consensus", long?);
    session.output(output);
    for (table, n) in others? {
        session.rows(table, n);
        session.output(&tables::beside(output, table));
    }
    Ok(())
}

fn write_others(analysis: &Analysis, output: &Path) -> Result<Vec<(&'static str, u64)>> {
    let votes = &analysis.votes;
    let path = |part| tables::beside(output, part);
    let weights = analysis.weights.as_ref();
    let mut written = vec![
        ("subjects", tables::write_subjects(&path("subjects"), votes, &analysis.consensus)?),
        (
            "volunteers",
            tables::write_volunteers(&path("volunteers"), votes, &analysis.volunteers, weights)?,
        ),
    ];
    let has = |kind| votes.questions.iter().any(|q| q.kind == kind);
    if has(QuestionKind::Survey) {
        written.push(("surveys", tables::write_surveys(&path("surveys"), votes, &analysis.surveys)?));
    }
    if has(QuestionKind::Multiple) {
        let rows = pairs(votes, &analysis.counted, &analysis.params)?;
        written.push(("pairs", tables::write_pairs(&path("pairs"), votes, &rows)?));
    }
    let level = analysis.params.level();
    if let Some(model) = &analysis.model {
        let fits = &model.fits;
        written.push(("skill", skill_tables::write_skill(&path("skill"), votes, fits, level)?));
        if fits.iter().any(|f| f.fit.matrices.n_volunteers() > 0) {
            let n = skill_tables::write_confusion(&path("confusion"), votes, fits, level)?;
            written.push(("confusion", n));
        }
        if fits.iter().any(|f| !f.fit.log_easiness.is_empty()) {
            let n = skill_tables::write_easiness(&path("easiness"), votes, fits, level)?;
            written.push(("easiness", n));
        }
        if fits.iter().any(|f| f.choice.is_some()) {
            written.push(("models", skill_tables::write_models(&path("models"), votes, fits, level)?));
        }
    }
    let methods = &analysis.methods;
    if !methods.is_empty() {
        let n = skill_tables::write_evaluation(&path("evaluation"), votes, methods)?;
        written.push(("evaluation", n));
        written.push(("classes", skill_tables::write_classes(&path("classes"), votes, methods)?));
        let n = skill_tables::write_reliability(&path("reliability"), votes, methods)?;
        written.push(("reliability", n));
    }
    Ok(written)
}
