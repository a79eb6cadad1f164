//! What kind of file is it, and how is it read into votes?

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use volary_core::Votes;
use volary_ingest::panoptes::version::Version;
use volary_ingest::panoptes::workflows::{Workflows, read_workflows};
use volary_ingest::panoptes::{ExportOptions, ExportReport, ExtractSink, read_exports};
use volary_ingest::records::{Blocks, RecordOptions};
use volary_ingest::tables::{TableFormat, VoteCollector, for_each_batch, read_votes_without};
use volary_ingest::{Progress, label_table};
use volary_release::optout::OptOuts;

use crate::session::Session;
use crate::settings::RowSettings;
use crate::summary::{Summary, printable};

/// The kinds of input that Volary recognises by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InputKind {
    /// A Zooniverse classification export.
    Export,
    /// A `votes` table that `extract` wrote.
    VotesTable,
    /// One row per label.
    LabelTable,
    /// One row per subject with counts.
    CountTable,
    /// Planet Hunters' rows, one a mark.
    PlanetHunters,
    /// A Zooniverse workflow export.
    WorkflowExport,
    /// A Zooniverse subject export.
    SubjectExport,
    /// Talk comments or tags.
    Talk,
    /// Weights by volunteer.
    WeightTable,
    /// True answers by subject.
    TruthTable,
    /// Known signals on light curves.
    Signals,
    /// Gaps of light curves, as spans of days.
    Gaps,
    /// A machine's scores by subject and answer.
    Scores,
    /// A subject manifest.
    Manifest,
}

impl InputKind {
    /// In words.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Export => "Zooniverse classification export",
            Self::VotesTable => "votes table",
            Self::LabelTable => "label table",
            Self::CountTable => "count table",
            Self::PlanetHunters => "Planet Hunters rows",
            Self::WorkflowExport => "Zooniverse workflow export",
            Self::SubjectExport => "Zooniverse subject export",
            Self::Talk => "Talk export",
            Self::WeightTable => "weight table",
            Self::TruthTable => "table of true answers",
            Self::Signals => "table of known signals",
            Self::Gaps => "table of gaps",
            Self::Scores => "table of scores",
            Self::Manifest => "subject manifest",
        }
    }

    /// Looks at a file's name and header.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            // Standard input cannot be looked at twice.
            return Ok(Self::Export);
        }
        let name = path.to_string_lossy().to_ascii_lowercase();
        if name.ends_with(".tar.gz") || name.ends_with(".json") {
            return Ok(Self::Talk);
        }
        if matches!(TableFormat::of(path), Ok(TableFormat::Parquet | TableFormat::Arrow)) {
            return Ok(Self::VotesTable);
        }
        let blocks = Blocks::open(path, RecordOptions::default(), &Progress::default())?;
        let header = blocks.header();
        let has = |name: &str| header.find(name).is_some();
        let has_any = |names: &[&str]| header.find_any(names).is_some();
        Ok(if has("annotations") && has_any(&["subject_ids", "subject_id"]) {
            Self::Export
        } else if has("strings") && has("tasks") {
            Self::WorkflowExport
        } else if has("locations") && has("metadata") {
            Self::SubjectExport
        } else if has("classification_id") && has("volunteer") && has("answer") && has("task") {
            Self::VotesTable
        } else if has_any(&["xMinGlobal", "xMinRelative", "xmin"])
            && has_any(&["user_name", "user", "username", "worker", "volunteer"])
        {
            Self::PlanetHunters
        } else if has_any(&["synxmin", "xmin", "x_min_days"]) {
            Self::Signals
        } else if has_any(&["gap_start", "gap_start_days"]) {
            Self::Gaps
        } else if has_any(&["selected_count", "n_votes", "n_selected", "selected"]) {
            Self::CountTable
        } else if has_any(&["worker", "volunteer", "annotator", "user_name", "user"])
            && has_any(&["label", "answer"])
        {
            Self::LabelTable
        } else if has_any(&["worker", "volunteer", "user_name", "annotator"]) && has("weight") {
            Self::WeightTable
        } else if has_any(&["subject_id", "subject"]) && has("score") {
            Self::Scores
        } else if has_any(&["subject_id", "subject", "task"])
            && has_any(&["gold", "label", "answer", "T0"])
        {
            Self::TruthTable
        } else {
            Self::Manifest
        })
    }
}

/// Reads votes from exports, a folder of extracts, a votes table or a label table.
pub(crate) fn read_input(
    paths: &[PathBuf],
    rows: &RowSettings,
    workflows: Option<&Path>,
    text_tasks: &[String],
    session: &mut Session,
) -> Result<Votes> {
    let Some(first) = paths.first() else { bail!("no input") };
    if first.is_dir() {
        return read_votes_table(&find_votes(first)?, rows, workflows, session);
    }
    match InputKind::of(first)? {
        InputKind::Export => {
            let mut sink = VoteCollector::default();
            read_export(paths, rows, workflows, text_tasks, session, &mut sink)?;
            Ok(sink.finish())
        }
        InputKind::VotesTable => read_votes_table(first, rows, workflows, session),
        InputKind::LabelTable => {
            let without = rows.without()?;
            let table = label_table::read_label_table_without(first, &without, &session.progress)?;
            let n: u64 =
                table.report.left_out.iter().filter(|(r, _)| *r == OPTED_OUT).map(|(_, n)| *n).sum();
            note_opted_out(rows, n, session);
            session.report(table.report);
            Ok(table.votes)
        }
        other => bail!(
            "this looks like a {}, which has no votes; `volary consensus` reads classification exports, \
             folders and tables that `volary extract` wrote, and label tables (task,worker,label): {}",
            other.as_str(),
            first.display()
        ),
    }
}

/// Why rows of those who opted out are left out, in the readers' accounts.
pub(crate) const OPTED_OUT: &str = "opted out";

/// Says that people opted out, where a list of them was given.
pub(crate) fn note_opted_out(rows: &RowSettings, n: u64, session: &mut Session) {
    if let Some(path) = &rows.optouts {
        session.summary.value("n_votes_opted_out", n);
        // The list was read before; its stamp says whom this run knew of, to whoever has the list.
        if let Ok(log) = OptOuts::read(path) {
            session.summary.value("optout_list", log.stamp());
        }
    }
}

fn read_votes_table(
    table: &Path,
    rows: &RowSettings,
    workflows: Option<&Path>,
    session: &mut Session,
) -> Result<Votes> {
    session.input_file(table)?;
    let workflows = read_workflow_export(workflows, session)?;
    let (votes, n_left_out) =
        read_votes_without(table, workflows.as_deref(), &rows.without()?, &session.progress)?;
    if n_left_out > 0 {
        session.summary.left_out([(OPTED_OUT, n_left_out)].into_iter());
    }
    note_opted_out(rows, n_left_out, session);
    Ok(votes)
}

/// The votes table of a folder of extracts.
pub(crate) fn find_votes(folder: &Path) -> Result<PathBuf> {
    let candidates = TableFormat::ALL.map(|f| folder.join(format!("votes.{}", f.extension())));
    candidates.into_iter().find(|p| p.is_file()).with_context(|| {
        format!(
            "no votes table in the folder; make one with `volary extract EXPORT -o {0}`: {0}",
            folder.display()
        )
    })
}

/// The subjects that a table names.
pub(crate) fn subject_ids(path: &Path, session: &mut Session) -> Result<BTreeSet<String>> {
    session.input_file(path)?;
    let mut ids = BTreeSet::new();
    for_each_batch(path, &["subject_id"], &session.progress, |batch| {
        let text = |row| batch.text("subject_id", row).map(|id| id.trim().to_owned());
        ids.extend((0..batch.n_rows()).filter_map(text));
        Ok(())
    })?;
    Ok(ids)
}

/// Reads a workflow export.
pub(crate) fn read_workflow_export(
    path: Option<&Path>,
    session: &mut Session,
) -> Result<Option<Arc<Workflows>>> {
    let Some(path) = path else { return Ok(None) };
    let workflows = read_workflows(path, &Progress::default())?;
    session.problems.absorb(&workflows.report.problems);
    session.input(workflows.report.digest.clone());
    Ok(Some(Arc::new(workflows)))
}

/// Reads exports into a sink and puts the account into the session.
pub(crate) fn read_export(
    paths: &[PathBuf],
    rows: &RowSettings,
    workflows: Option<&Path>,
    text_tasks: &[String],
    session: &mut Session,
    sink: &mut dyn ExtractSink,
) -> Result<ExportReport> {
    let options = ExportOptions {
        filter: rows.filter()?,
        workflows: read_workflow_export(workflows, session)?,
        text_tasks: text_tasks.to_vec(),
        threads: session.threads(),
        now_ms: session.now_ms(),
        ..ExportOptions::default()
    };
    session.show_reading(paths);
    let report = read_exports(paths, &options, &session.progress, sink)?;
    session.end_reading();
    session.problems.absorb(&report.collected.problems);
    for input in &report.inputs {
        session.input(input.clone());
    }
    note_export(&report, &mut session.summary);
    let n = report.collected.left_out.iter().filter(|(r, _)| *r == OPTED_OUT).map(|(_, n)| *n).sum();
    note_opted_out(rows, n, session);
    Ok(report)
}

/// The account of an export: read, used, left out and why, which versions, what is flagged.
pub(crate) fn note_export(report: &ExportReport, summary: &mut Summary) {
    let c = &report.collected;
    summary.count("rows_read", "rows read", c.rows_read);
    summary.count("rows_used", "  used", report.rows_used());
    summary.left_out(c.left_out.iter().map(|(reason, n)| (reason.as_str(), *n)));
    let flags = [
        ("n_repeats", "  repeats (flagged)", c.n_repeats),
        ("n_seen_before", "  seen_before (platform)", c.n_seen_before),
        ("n_beta", "  before launch (beta)", c.n_beta),
        ("n_not_logged_in", "  not logged in", c.n_not_logged_in),
        ("n_gold", "  gold standard mode", c.n_gold),
        ("n_unknown_annotations", "  annotations not known", c.n_unknown_annotations),
    ];
    for (key, label, n) in flags {
        if n > 0 {
            summary.count(key, label, n);
        } else {
            summary.value(key, n);
        }
    }
    let versions: Vec<serde_json::Value> = c
        .versions
        .iter()
        .map(|((w, v), n)| serde_json::json!({"workflow": w, "version": v, "classifications": n}))
        .collect();
    summary.value("versions", versions);
    // Of several wordings the most common one stands for the task.
    let questions = c.wordings.iter().filter_map(|((workflow, task), wordings)| {
        let (text, _) = wordings.iter().max_by_key(|(_, versions)| versions.values().sum::<u64>())?;
        Some(serde_json::json!({"workflow": workflow, "task": task, "text": text}))
    });
    summary.value("questions", questions.collect::<Vec<_>>());
    let mut by_workflow = std::collections::BTreeMap::<&str, Vec<&str>>::new();
    for (workflow, version) in c.versions.keys() {
        by_workflow.entry(workflow).or_default().push(version);
    }
    for (workflow, mut versions) in by_workflow {
        versions.sort_by_key(|v| Version::parse(v));
        let ends = match versions.as_slice() {
            [""] => "no versions in the export".to_owned(),
            [only] => format!("version {only}"),
            [first, .., last] => {
                format!("{} versions, {first} to {last}, merged by task and label", versions.len())
            }
            [] => continue,
        };
        summary.note(&format!(
            "{:<26} {}",
            format!("workflow {}", printable(workflow)),
            printable(&ends)
        ));
    }
}
