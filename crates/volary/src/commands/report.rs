//! `volary report`: one HTML file about a project.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde_json::Value;
use volary_crowd::retire::{Rule, StudyParams};
use volary_crowd::shapes::{ShapeParams, shapes};
use volary_crowd::{AgreementParams, agreement};
use volary_ingest::Progress;
use volary_ingest::label_table::read_truth;
use volary_ingest::output::write_whole;
use volary_ingest::tables::{for_each_batch, read_shapes};

use crate::analysis::Analysis;
use crate::commands::marks::Outcome;
use crate::images::Images;
use crate::input::OPTED_OUT;
use crate::project::Project;
use crate::report::drawings::Drawings;
use crate::report::retirement::MOST_FIGURES;
use crate::report::{self, IngestSummary, MethodRow, ReportInput, SubjectProgress};
use crate::retirement::{Plan, PollStudy, studies};
use crate::session::{Session, run_json_for};

/// Write one self-contained HTML file about a project, and its figures as SVG beside it.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary report
  volary report my-project -o today.html")]
pub(crate) struct Args {
    /// The project's folder.
    #[arg(default_value = ".", value_name = "DIR")]
    folder: PathBuf,
    /// File to write [default: report.html in the project].
    #[arg(short, long, value_name = "HTML")]
    output: Option<PathBuf>,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let project = Project::open(&args.folder)?;
    let output = args.output.clone().unwrap_or_else(|| project.report());
    // Not so of the report of a whole run: steps read what that run wrote, and what is made again has an order.
    project.steps().figures().iter().try_for_each(|figure| session.input_file(&figure.path))?;
    if project.settings.input.exports.is_empty() && !project.settings.steps.is_empty() {
        write_steps(&project, &output, &mut session)?;
        session.summary.note(&format!("report: {}", output.display()));
        return session.finish(Some(&run_json_for(&output)));
    }
    let analysis = project.analyse(&mut session)?;
    let marks = project.has_marks()?.then(|| project.score_marks(&mut session)).transpose()?;
    write(&project, (&analysis, marks.as_ref()), &output, &mut session)?;
    session.summary.note(&format!("report: {}", output.display()));
    session.finish(Some(&run_json_for(&output)))
}

/// Writes the report of a project that has steps and no classifications.
pub(crate) fn write_steps(project: &Project, output: &Path, session: &mut Session) -> Result<()> {
    let title = project.settings.project.title.as_deref().unwrap_or("A project");
    let figures = project.steps().figures();
    session.summary.count("n_figures", "figures", figures.len() as u64);
    Ok(write_whole(output, report::steps::render(title, &figures).as_bytes())?)
}

/// Writes the report and its figures.
pub(crate) fn write(
    project: &Project,
    (analysis, marks): (&Analysis, Option<&Outcome>),
    output: &Path,
    session: &mut Session,
) -> Result<()> {
    let record = read_record(&project.extracts());
    let figures = project.steps().figures();
    let drawings = read_drawings(project, session)?;
    let methods = analysis.methods.iter().flat_map(|(name, evaluations)| {
        evaluations.iter().map(|e| MethodRow {
            name: name.clone(),
            question: e.question,
            evaluation: Some(e.clone()),
        })
    });
    let sign = session.working("agreement, models, retirement rules for the report");
    let agreement = agreement(
        &analysis.votes,
        &analysis.counted,
        &AgreementParams {
            confidence: analysis.params.level(),
            seed: session.global.seed,
            ..AgreementParams::default()
        },
    )?;
    let models = analysis.models_for_report(session.global.seed)?;
    let input = ReportInput {
        title: project.settings.project.title.as_deref().unwrap_or("A project"),
        votes: &analysis.votes,
        counted: &analysis.counted,
        consensus: &analysis.consensus,
        params: &analysis.params,
        volunteers: &analysis.volunteers,
        activity: &analysis.activity,
        agreement: &agreement,
        methods: &methods.collect::<Vec<_>>(),
        models: &models,
        retirement: &retirement(project, analysis, session)?,
        surveys: &analysis.surveys,
        drawings: drawings.as_ref(),
        marks: None,
        steps: &figures,
        subjects: &read_subjects(&project.extracts(), session)?,
        ingest: record.as_ref().map(ingest_summary),
        question_texts: record.as_ref().map(question_texts).unwrap_or_default(),
    };
    drop(sign);
    match marks {
        Some(marks) => {
            marks.show(|marks| draw(&ReportInput { marks: Some(marks), ..input }, output, session))
        }
        None => draw(&input, output, session),
    }
}

/// The page, and each figure by itself.
fn draw(input: &ReportInput<'_>, output: &Path, session: &mut Session) -> Result<()> {
    write_whole(output, report::render(input)?.as_bytes())?;
    let folder = output.with_file_name("figures");
    let figures = report::figures(input)?;
    for figure in &figures {
        write_whole(&folder.join(format!("{}.svg", figure.name)), figure.svg.as_bytes())?;
    }
    session.summary.count("n_figures", "figures", figures.len() as u64);
    Ok(())
}

/// The usual retirement rules over the questions with most votes.
fn retirement(project: &Project, analysis: &Analysis, session: &Session) -> Result<Vec<PollStudy>> {
    let truth = match &project.settings.input.truth {
        // The analysis has told of what is odd in it.
        Some(path) => Some(read_truth(path, &Progress::default())?.0),
        None => None,
    };
    let plan = Plan {
        rules: &Rule::defaults(),
        gold: None,
        truth: truth.as_ref(),
        params: StudyParams {
            seed: session.global.seed,
            level: analysis.params.level(),
            ..StudyParams::default()
        },
        repeats: project.settings.consensus.repeats()?,
        tasks: &[],
        caesar: None,
        most_polls: MOST_FIGURES,
    };
    Ok(studies(&analysis.votes, &plan)?.0)
}

/// What was drawn, clustered as `volary shapes` does where nothing else is asked for.
fn read_drawings(project: &Project, session: &mut Session) -> Result<Option<Drawings>> {
    let path = project.extracts().join("shapes.parquet");
    if !path.is_file() {
        return Ok(None);
    }
    session.input_file(&path)?;
    let images = project.settings.input.images.as_deref().map(Images::open).transpose()?;
    let (drawn, _) = read_shapes(&path, &Progress::default())?;
    let size = |subject: &str, frame: u16| images.as_ref()?.size(subject, frame);
    let found = shapes(&drawn, &ShapeParams::default(), &size);
    let backdrop = Box::new(move |subject: &str, frame: u16| images.as_ref()?.backdrop(subject, frame));
    Ok(Some(Drawings { drawn, found, backdrop }))
}

pub(crate) fn read_record(extracts: &Path) -> Option<Value> {
    serde_json::from_str(&std::fs::read_to_string(extracts.join("run.json")).ok()?).ok()
}

fn read_subjects(extracts: &Path, session: &mut Session) -> Result<Vec<SubjectProgress>> {
    let path = extracts.join("subjects.parquet");
    let mut rows = Vec::new();
    if !path.is_file() {
        return Ok(rows);
    }
    session.input_file(&path)?;
    for_each_batch(&path, &["subject_id", "workflow_id"], &Progress::default(), |cells| {
        for row in 0..cells.n_rows() {
            let text = |column| cells.text(column, row);
            rows.push(SubjectProgress {
                workflow: text("workflow_id").unwrap_or_default().into_owned(),
                subject: text("subject_id").unwrap_or_default().into_owned(),
                n_classifications: text("n_classifications").and_then(|n| n.parse().ok()).unwrap_or(0),
                retired_ms: cells.time_ms("retired_at", row),
                reason: text("retirement_reason").map(|t| t.into_owned()),
            });
        }
        Ok(())
    })
    .context("the subjects table cannot be read; run `volary run --force`")?;
    Ok(rows)
}

fn ingest_summary(record: &Value) -> IngestSummary {
    let summary = &record["summary"];
    let count = |key: &str| summary[key].as_u64().unwrap_or(0);
    let pairs = |value: &Value| -> Vec<(String, u64)> {
        let entries = value.as_object().into_iter().flatten();
        entries.map(|(k, n)| (k.clone(), n.as_u64().unwrap_or(0))).collect()
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let versions = summary["versions"].as_array().into_iter().flatten().map(|v| {
        (text(&v["workflow"]), text(&v["version"]), v["classifications"].as_u64().unwrap_or(0))
    });
    let example = |kind: &str| {
        let all = record["problem_examples"].as_array().into_iter().flatten();
        all.filter(|e| e["kind"] == kind).map(|e| text(&e["detail"])).next().unwrap_or_default()
    };
    let problems = pairs(&record["problems"]).into_iter().map(|(kind, n)| {
        let example = example(&kind);
        (kind, n, example)
    });
    // A report is published. How many rows were theirs would help to find those who opted out: it is of the input without
    // them.
    let (opted_out, left_out): (Vec<_>, Vec<_>) =
        pairs(&summary["left_out"]).into_iter().partition(|(reason, _)| reason == OPTED_OUT);
    let n_opted_out: u64 = opted_out.iter().map(|(_, n)| n).sum();
    IngestSummary {
        rows_read: count("rows_read").saturating_sub(n_opted_out),
        rows_used: count("rows_used"),
        left_out,
        n_repeats: count("n_repeats"),
        n_not_logged_in: count("n_not_logged_in"),
        n_beta: count("n_beta"),
        versions: versions.collect(),
        problems: problems.collect(),
    }
}

fn question_texts(record: &Value) -> BTreeMap<(String, String), String> {
    let all = record["summary"]["questions"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    all.map(|q| ((text(&q["workflow"]), text(&q["task"])), text(&q["text"]))).collect()
}
