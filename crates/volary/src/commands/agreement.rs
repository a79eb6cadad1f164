//! `volary agreement`: how much more than by chance volunteers say the same.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use volary_core::Votes;
use volary_crowd::agreement::Level;
use volary_crowd::{
    AgreementParams, AgreementRow, FlagParams, Repeats, agreement, agreement_of_counts, counted, flags,
};
use volary_ingest::count_table::read_count_table;
use volary_ingest::tables::TableFormat;

use crate::agreement_tables::{self as tables, Named};
use crate::consensus_tables::beside;
use crate::input::{InputKind, read_input};
use crate::session::{Session, run_json_for};
use crate::settings::RowSettings;

/// Measure how much more than by chance volunteers say the same.
///
/// Writes Krippendorff's alpha, Fleiss' kappa and the share of agreeing pairs per question to FILE, with
/// bootstrap intervals over subjects; of a question with several answers per answer, and alpha of the whole
/// sets. No truth is needed, and none is found: a crowd that is fooled together agrees. With --flags also
/// FILE_flags: per volunteer, hints that somebody may not look at the subjects, or copies. A hint is no
/// verdict, and no vote loses its weight by it.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary agreement classifications.csv -o agreement.csv
  volary agreement labels.csv -o agreement.csv --level ordinal --order \"none,few,many\"
  volary agreement extracts -o agreement.parquet --replicates 5000 --confidence 0.99
  volary agreement labels.csv -o agreement.csv --flags
  volary agreement counts.dat -o agreement.csv")]
pub(crate) struct Args {
    /// Exports, a folder of extracts, a votes table, a label table (task,worker,label), a count table.
    #[arg(required = true, value_name = "INPUT")]
    input: Vec<PathBuf>,
    /// Table to write: .parquet, .csv, .json or .arrow.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// What the answers are to each other: nominal, ordinal or interval [default: interval for sliders, else
    /// nominal]. Questions without numbers, and without answers in --order, stay nominal.
    #[arg(long, value_name = "LEVEL")]
    level: Option<String>,
    /// The answers in their order, with commas between them; numbers have their own.
    #[arg(long, value_name = "ANSWERS", requires = "level")]
    order: Option<String>,
    /// Bootstrap replicates; 0 for no intervals.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    replicates: u32,
    /// Level of the intervals.
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    confidence: f64,
    /// Where a volunteer met a subject more than once: first, last or all count. All pairs a volunteer with
    /// themself.
    #[arg(long, value_name = "RULE", default_value = "first")]
    repeats: String,
    /// Write FILE_flags too: volunteers whose votes look odd.
    #[arg(long)]
    flags: bool,
    /// The workflow export.
    #[arg(long, value_name = "CSV")]
    workflows: Option<PathBuf>,
    #[command(flatten)]
    rows: RowSettings,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    TableFormat::of(&args.output)?;
    let params = params(args, session.global.seed)?;
    let repeats = Repeats::parse(&args.repeats)
        .ok_or_else(|| anyhow!("--repeats {:?}; there are first, last, all", args.repeats))?;
    let is_counts = args
        .input
        .first()
        .is_some_and(|p| p.is_file() && matches!(InputKind::of(p), Ok(InputKind::CountTable)));
    if is_counts {
        if args.flags {
            return Err(anyhow!(
                "a count table does not say who voted, so --flags has nothing to look at"
            ));
        }
        of_counts(args, &params, &mut session)?;
    } else {
        let rows = args.rows.clone().or(&session.settings.rows);
        session.settings.rows = rows.clone();
        let workflows = args.workflows.clone().or_else(|| session.settings.input.workflows.clone());
        let votes = read_input(&args.input, &rows, workflows.as_deref(), &[], &mut session)?;
        let counted = counted(&votes, repeats);
        let n_counted = counted.counts.iter().filter(|c| **c).count() as u64;
        session.summary.count("n_classifications", "classifications", votes.n_classifications() as u64);
        session.summary.count("n_counted", "  counted", n_counted);
        let sign = session.working("agreement, with bootstrap intervals");
        let rows = agreement(&votes, &counted, &params)?;
        drop(sign);
        finish(args, &named(&votes, &rows), &mut session)?;
        if args.flags {
            let params = FlagParams::default();
            let rows = flags(&votes, &counted, &params);
            let n = tables::write_flags(&beside(&args.output, "flags"), &votes, &rows)?;
            session.rows("flags", n);
            tables::summarise_flags(&rows, params.min_votes, &mut session.summary);
        }
    }
    session.finish(Some(&run_json_for(&args.output)))
}

fn params(args: &Args, seed: u64) -> Result<AgreementParams> {
    let level = match args.level.as_deref() {
        None => None,
        Some(name) => Some(Level::parse(name).ok_or_else(|| {
            anyhow!("--level {name:?}; there are {}", Level::ALL.map(Level::as_str).join(", "))
        })?),
    };
    if args.order.is_some() && level != Some(Level::Ordinal) {
        return Err(anyhow!("--order is the order of grades; it needs --level ordinal"));
    }
    let order: Vec<String> =
        args.order.iter().flat_map(|o| o.split(',')).map(|a| a.trim().to_owned()).collect();
    if let Some(twice) = order.iter().enumerate().find(|(i, a)| order[..*i].contains(a)) {
        return Err(anyhow!("--order holds {:?} twice", twice.1));
    }
    Ok(AgreementParams {
        level,
        order,
        n_replicates: args.replicates,
        confidence: args.confidence,
        seed,
    })
}

fn of_counts(args: &Args, params: &AgreementParams, session: &mut Session) -> Result<()> {
    let table = read_count_table(&args.input[0], &session.progress)?;
    let mut by_answer: BTreeMap<Option<&str>, Vec<(u64, u64)>> = BTreeMap::new();
    for (i, counts) in table.n_votes.iter().copied().zip(table.n_seen.iter().copied()).enumerate() {
        let answer = table.answers.as_ref().map(|a| a[i].as_str());
        by_answer.entry(answer).or_default().push(counts);
    }
    session.report(table.report);
    let mut rows = Vec::new();
    for (answer, counts) in by_answer {
        let own = agreement_of_counts(counts, params)?;
        rows.extend(own.into_iter().map(|row| Named {
            workflow: "",
            task: "",
            kind: "multiple",
            answer,
            row,
        }));
    }
    finish(args, &rows, session)
}

fn named<'a>(votes: &'a Votes, rows: &[AgreementRow]) -> Vec<Named<'a>> {
    let named = |row: &AgreementRow| {
        let question = &votes.questions[row.question as usize];
        Named {
            workflow: &question.workflow,
            task: &question.task,
            kind: question.kind.as_str(),
            answer: row.answer.map(|a| question.answers[a as usize].as_str()),
            row: *row,
        }
    };
    rows.iter().map(named).collect()
}

fn finish(args: &Args, rows: &[Named<'_>], session: &mut Session) -> Result<()> {
    let n = tables::write(&args.output, rows)?;
    session.rows("agreement", n);
    tables::summarise(rows, &mut session.summary);
    Ok(())
}
