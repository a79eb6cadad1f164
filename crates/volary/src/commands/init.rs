//! `volary init`: a commented `volary.toml` from what an export holds.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use volary_core::Votes;
use volary_core::votes::NO_ANSWER;
use volary_ingest::output::write_whole;
use volary_ingest::panoptes::ExportReport;
use volary_ingest::tables::VoteCollector;

use crate::input::{InputKind, read_export, read_input};
use crate::project::OPTOUTS;
use crate::session::Session;
use crate::settings::RowSettings;
use crate::summary::{grouped, printable};

/// Write a commented volary.toml with the workflows, tasks and answers that an export holds.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary init --export classifications.csv
  volary init --export classifications.csv --workflows workflows.csv --truth gold.csv my-project
  volary run my-project")]
pub(crate) struct Args {
    /// The project's folder.
    #[arg(default_value = ".", value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Classification export (may be given several times), Planet Hunters rows, or a label table.
    #[arg(long = "export", required = true, value_name = "CSV")]
    pub(crate) exports: Vec<PathBuf>,
    /// Workflow export.
    #[arg(long, value_name = "CSV")]
    pub(crate) workflows: Option<PathBuf>,
    /// True answers.
    #[arg(long, value_name = "TABLE")]
    pub(crate) truth: Option<PathBuf>,
    /// Known signals on light curves (subject_id, xmin, xmax): features made of marked ranges are judged.
    #[arg(long, value_name = "TABLE")]
    pub(crate) marks_truth: Option<PathBuf>,
    /// Light curves (CSV or FITS) that the ranges were marked on.
    #[arg(long, value_name = "PATH")]
    pub(crate) light_curves: Option<PathBuf>,
    /// A folder of the subjects' images: `SUBJECT.png` and the like.
    #[arg(long, value_name = "DIR")]
    pub(crate) images: Option<PathBuf>,
    /// Overwrite an existing volary.toml.
    #[arg(long)]
    pub(crate) force: bool,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let target = args.folder.join("volary.toml");
    write_settings(args, &target, &mut session)?;
    session.summary.note(&format!(
        "\nwritten: {0}\nnext: look at it, then `volary run {1}`",
        target.display(),
        args.folder.display()
    ));
    session.finish(None)
}

/// Reads the exports and writes the settings file.
pub(crate) fn write_settings(args: &Args, target: &Path, session: &mut Session) -> Result<()> {
    if target.exists() && !args.force {
        bail!("there is one already; --force overwrites it: {}", target.display());
    }
    let rows = RowSettings::default();
    let kind = args.exports.first().map(|p| InputKind::of(p)).transpose()?;
    let (votes, report) = match kind {
        Some(InputKind::LabelTable) => {
            let votes = read_input(&args.exports, &rows, None, &[], session)?;
            (votes, ExportReport::default())
        }
        // Their marks are read by the stages; there is no task to list.
        Some(InputKind::PlanetHunters) => Default::default(),
        _ => {
            let mut sink = VoteCollector::default();
            let workflows = args.workflows.as_deref();
            let report = read_export(&args.exports, &rows, workflows, &[], session, &mut sink)?;
            (sink.finish(), report)
        }
    };
    let text = settings_text(args, &votes, &report)?;
    write_whole(target, text.as_bytes())?;
    Ok(())
}

/// A path as the settings file will see it: relative to its folder where it lies within.
fn placed(path: &Path, folder: &Path) -> Result<String> {
    let whole = std::path::absolute(path)?;
    let folder = std::path::absolute(folder)?;
    let shown = whole.strip_prefix(&folder).map_or(whole.clone(), Path::to_owned);
    Ok(quoted(&shown.to_string_lossy()))
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A line of a comment out of a cell: no line ends, not too long.
fn comment(text: &str) -> String {
    let line: String = printable(text).split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = line.chars().take(90).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

fn settings_text(args: &Args, votes: &Votes, report: &ExportReport) -> Result<String> {
    let mut out = String::from(
        "# Settings of a Volary project, made by `volary init`. `volary run` carries it out, stage by\n\
         # stage, and leaves out what is up to date. Every line may be changed; the command line goes first.\n\n",
    );
    let title = args
        .folder
        .canonicalize()
        .ok()
        .and_then(|p| Some(p.file_name()?.to_string_lossy().into_owned()));
    writeln!(out, "[project]\ntitle = {}\n", quoted(&title.unwrap_or_else(|| "A project".to_owned())))?;
    let exports: Result<Vec<String>> = args.exports.iter().map(|p| placed(p, &args.folder)).collect();
    writeln!(out, "[input]\nexports = [{}]", exports?.join(", "))?;
    let tables = [("workflows", &args.workflows), ("truth", &args.truth), ("images", &args.images)];
    for (key, path) in tables {
        match path {
            Some(path) => writeln!(out, "{key} = {}", placed(path, &args.folder)?)?,
            None if key == "images" => writeln!(out, "# {key} = \"{key}\"")?,
            None => writeln!(out, "# {key} = \"{key}.csv\"")?,
        }
    }
    out.push_str("\n[rows]\n# Which rows count. Found in the export:\n");
    for ((workflow, version), n) in &report.collected.versions {
        writeln!(out, "#   workflow {workflow}, version {version}: {} classifications", grouped(*n))?;
    }
    writeln!(
        out,
        "#   {} repeats, {} from before launch, {} not logged in\n# workflow = [\"…\"]\n# min_version = \"…\"\nlive_only = false",
        grouped(report.collected.n_repeats),
        grouped(report.collected.n_beta),
        grouped(report.collected.n_not_logged_in)
    )?;
    // A list that lies there is meant.
    let is_there = args.folder.join(OPTOUTS).is_file();
    writeln!(
        out,
        "# Whose votes are left out, by `volary optout add`.\n{}optouts = {}\n",
        if is_there { "" } else { "# " },
        quoted(OPTOUTS)
    )?;
    out.push_str(
        "[consensus]\nmethod = \"fraction\"\n# jeffreys, wilson, clopper-pearson or beta-binomial\ninterval = \"jeffreys\"\n\
         level = 0.95\n# Where a volunteer met a subject again: first, last or all count.\nrepeats = \"first\"\n\
         # Two votes for who has made 100 classifications or more: experience = \"100:2\"\n\n",
    );
    marks_text(&mut out, args)?;
    tasks_comment(&mut out, votes, report)?;
    Ok(out)
}

fn marks_text(out: &mut String, args: &Args) -> Result<()> {
    out.push_str(
        "# Ranges marked on light curves become scored features where there are some.\n[marks]\n",
    );
    for (key, path, example) in [
        ("truth", &args.marks_truth, "known-signals.csv"),
        ("light_curves", &args.light_curves, "light-curves"),
        ("signals", &None, "injected-signals.csv"),
    ] {
        match path {
            Some(path) => writeln!(out, "{key} = {}", placed(path, &args.folder)?)?,
            None => writeln!(out, "# {key} = {}", quoted(example))?,
        }
    }
    out.push_str(
        "# volary, paper or released\nprofile = \"volary\"\n# satchel or bayes\nmodel = \"satchel\"\n\n",
    );
    Ok(())
}

fn tasks_comment(out: &mut String, votes: &Votes, report: &ExportReport) -> Result<()> {
    out.push_str("# The tasks and answers found:\n");
    for (index, question) in (0..).zip(&votes.questions) {
        if question.kind == volary_core::QuestionKind::Detail {
            continue;
        }
        let key = (question.workflow.clone(), question.task.clone());
        let wording = report
            .collected
            .wordings
            .get(&key)
            .and_then(|w| w.iter().max_by_key(|(_, versions)| versions.values().sum::<u64>()));
        let wording = wording.map_or("", |(text, _)| text.as_str());
        writeln!(
            out,
            "#\n# workflow {}, {} ({}): {}",
            comment(&question.workflow),
            comment(&question.task),
            question.kind.as_str(),
            comment(wording)
        )?;
        let mut counts = vec![0_u64; question.answers.len()];
        for vote in votes.of_question(index).iter().filter(|v| v.answer != NO_ANSWER) {
            counts[vote.answer as usize] += 1;
        }
        let mut order: Vec<usize> = (0..counts.len()).collect();
        order.sort_by_key(|&i| (std::cmp::Reverse(counts[i]), i));
        for &i in order.iter().take(12) {
            writeln!(out, "#   {} ({})", comment(&question.answers[i]), grouped(counts[i]))?;
        }
        if order.len() > 12 {
            writeln!(out, "#   … and {} more", order.len() - 12)?;
        }
    }
    Ok(())
}
