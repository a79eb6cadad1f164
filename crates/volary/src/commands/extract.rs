//! `volary extract`: exports to tables.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use volary_ingest::panoptes::ExtractSink as _;
use volary_ingest::panoptes::compat::{CompatConfig, auto_config, write_extracts};
use volary_ingest::panoptes::subjects::read_subjects;
use volary_ingest::planet_hunters::read_planet_hunters;
use volary_ingest::tables::{
    Both, ExtractWriter, TableFormat, VoteCollector, write_subject_export, write_subjects,
};

use crate::input::{InputKind, read_export};
use crate::session::{Session, run_json_for};
use crate::settings::RowSettings;
use crate::summary::printable;

/// Turn classification exports into tables: classifications, votes, marks, shapes, texts, subjects.
///
/// Everything that volunteers said gets a row; who saw a task and said nothing keeps one too. Names
/// become keys; find a person's rows by classification_id in your own export.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary extract classifications.csv.gz -o extracts
  volary extract classifications.csv --workflow 9001 --min-version 12 -o extracts --to csv
  volary extract classifications.csv --format panoptes --extractor-config Extractor_config_workflow_10_V16.55.yaml -o extracts")]
pub(crate) struct Args {
    /// Classification exports (CSV, gzipped or not; `-` for standard input), Planet Hunters rows, or
    /// subject exports (which give a table of subjects).
    #[arg(required = true, value_name = "EXPORT")]
    pub(crate) exports: Vec<PathBuf>,
    /// Folder to write.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// Format of the tables: parquet, csv, json or arrow.
    #[arg(long, default_value = "parquet", value_name = "FORMAT")]
    pub(crate) to: String,
    /// The workflow export: says what each task is, and what answer indices stand for.
    #[arg(long, value_name = "CSV")]
    pub(crate) workflows: Option<PathBuf>,
    /// A task whose answers are free text (found by itself where answers rarely repeat).
    #[arg(long = "text", value_name = "TASK")]
    pub(crate) text_tasks: Vec<String>,
    /// `volary` for our tables, `panoptes` for the files and `data.*` columns of panoptes_aggregation.
    #[arg(long, default_value = "volary", value_name = "NAME")]
    pub(crate) format: String,
    /// With `--format panoptes`: what to extract, in a YAML file of panoptes_aggregation [default: what
    /// the export holds].
    #[arg(long, value_name = "YAML")]
    pub(crate) extractor_config: Option<PathBuf>,
    /// With `--format panoptes`: last part of the names of the files.
    #[arg(long, default_value = "extractions")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) rows: RowSettings,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let rows = args.rows.clone().or(&session.settings.rows);
    let workflows = args.workflows.clone().or_else(|| session.settings.input.workflows.clone());
    session.settings.rows = rows.clone();
    let format = table_format(&args.to)?;
    match args.format.as_str() {
        "volary" => {}
        "panoptes" => {
            panoptes(args, &mut session)?;
            return session.finish(Some(&run_json_for(&args.output)));
        }
        other => bail!("no format {other:?}; there are volary and panoptes"),
    }
    match args.exports.first().map(|p| InputKind::of(p)).transpose()? {
        Some(kind @ (InputKind::PlanetHunters | InputKind::SubjectExport)) => {
            refuse_choices(args, kind)?;
            match kind {
                InputKind::PlanetHunters => {
                    planet_hunters(&args.exports, &args.output, format, &mut session)?;
                }
                _ => subject_exports(args, format, &mut session)?,
            }
        }
        _ => {
            let inputs = Inputs {
                exports: &args.exports,
                workflows: workflows.as_deref(),
                texts: &args.text_tasks,
            };
            extract(&inputs, &rows, &args.output, format, &mut session, None)?;
        }
    }
    session.finish(Some(&run_json_for(&args.output)))
}

pub(crate) fn table_format(name: &str) -> Result<TableFormat> {
    match TableFormat::ALL.into_iter().find(|f| f.extension() == name) {
        Some(format) => Ok(format),
        None => bail!("no table format {name:?}; there are parquet, csv, json, arrow"),
    }
}

/// What is read.
pub(crate) struct Inputs<'a> {
    pub(crate) exports: &'a [PathBuf],
    pub(crate) workflows: Option<&'a Path>,
    pub(crate) texts: &'a [String],
}

/// Reads exports and writes the folder of tables; gathers the votes too where they are wanted.
pub(crate) fn extract(
    inputs: &Inputs<'_>,
    rows: &RowSettings,
    folder: &Path,
    format: TableFormat,
    session: &mut Session,
    votes: Option<&mut VoteCollector>,
) -> Result<()> {
    let mut writer = ExtractWriter::new(folder, format);
    let report = match votes {
        Some(votes) => {
            let mut both = Both(&mut writer, votes);
            read_export(inputs.exports, rows, inputs.workflows, inputs.texts, session, &mut both)?
        }
        None => read_export(inputs.exports, rows, inputs.workflows, inputs.texts, session, &mut writer)?,
    };
    finish_tables(writer, folder, format, session)?;
    let subjects = folder.join(format!("subjects.{}", format.extension()));
    if !report.subjects.is_empty() {
        write_subjects(&subjects, &report.subjects)?;
        session.rows("subjects", report.subjects.len() as u64);
        session.output(&subjects);
    }
    session.summary.count("n_subjects", "subjects", report.collected.n_subjects);
    session.summary.count("n_volunteers", "volunteers", report.collected.n_volunteers);
    Ok(())
}

fn finish_tables(
    writer: ExtractWriter,
    folder: &Path,
    format: TableFormat,
    session: &mut Session,
) -> Result<()> {
    let written = writer.finish()?;
    for (path, n) in &written {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        session.summary.count(&format!("n_{name}_rows"), &format!("{name} rows"), *n);
        session.rows(&name, *n);
        session.output(path);
    }
    // A table that this run has no row for must not stay behind from the run before.
    for name in ["classifications", "votes", "marks", "shapes", "texts"] {
        let path = folder.join(format!("{name}.{}", format.extension()));
        if !written.iter().any(|(p, _)| *p == path) && path.is_file() {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Planet Hunters' rows as extracts.
pub(crate) fn planet_hunters(
    exports: &[PathBuf],
    folder: &Path,
    format: TableFormat,
    session: &mut Session,
) -> Result<()> {
    let mut writer = ExtractWriter::new(folder, format);
    for path in exports {
        let (extracts, report) = read_planet_hunters(path, &session.progress)?;
        writer.take(&extracts)?;
        session.report(report);
    }
    finish_tables(writer, folder, format, session)
}

/// Options that would choose nothing are refused, so that nobody takes their result for a choice.
fn refuse_choices(args: &Args, kind: InputKind) -> Result<()> {
    if args.rows != RowSettings::default() || !args.text_tasks.is_empty() || args.workflows.is_some() {
        bail!(
            "a {} has no workflows, versions and tasks to choose from: leave --workflow, --version, \
             --min-version, --max-version, --live-only, --optouts, --text and --workflows out",
            kind.as_str()
        );
    }
    Ok(())
}

/// Subjects with their sets, media, metadata and retirement.
fn subject_exports(args: &Args, format: TableFormat, session: &mut Session) -> Result<()> {
    let mut rows = Vec::new();
    for path in &args.exports {
        let (more, report) = read_subjects(path, &session.progress)?;
        rows.extend(more);
        session.report(report);
    }
    let path = args.output.join(format!("subjects.{}", format.extension()));
    write_subject_export(&path, &rows)?;
    session.rows("subjects", rows.len() as u64);
    session.output(&path);
    session.summary.count("n_subjects", "rows of subjects", rows.len() as u64);
    Ok(())
}

/// The files of panoptes_aggregation, for notebooks that read them.
fn panoptes(args: &Args, session: &mut Session) -> Result<()> {
    let [export] = args.exports.as_slice() else { bail!("--format panoptes takes one export") };
    let rows = &args.rows;
    let has_choice = !rows.workflow.is_empty()
        || [&rows.version, &rows.min_version, &rows.max_version].iter().any(|v| v.is_some())
        || rows.live_only
        || rows.optouts.is_some()
        || args.workflows.is_some()
        || !args.text_tasks.is_empty();
    if has_choice {
        bail!(
            "--format panoptes takes its workflow, versions and tasks from --extractor-config; for other \
             choices make a smaller export first, with `volary dedup`"
        );
    }
    let (config, problems) = match &args.extractor_config {
        Some(path) => {
            session.input_file(path)?;
            CompatConfig::read(path, &session.progress)?
        }
        None => auto_config(export, &session.progress)?,
    };
    session.problems.absorb(&problems);
    let found = write_extracts(export, &config, &args.output, &args.name, &session.progress)?;
    session.report(found.input);
    for file in found.files {
        session.table_file(&file.path, file.n_rows);
    }
    let notes = [
        ("not_extracted", "annotations not read by", found.not_extracted),
        ("marks_of_another_form", "marks of another form, by", found.marks_of_another_form),
        ("left_blank", "left blank in task", found.left_blank),
    ];
    for (key, label, counts) in notes {
        for (name, n) in &counts {
            session.summary.note(&format!("  {label} {}: {n}", printable(name)));
        }
        session.summary.value(key, serde_json::json!(counts));
    }
    Ok(())
}
