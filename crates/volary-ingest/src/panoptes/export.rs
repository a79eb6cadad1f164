//! A classification export, of any size, in one pass: blocks on all threads, columns out in order.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::collect::{Collected, Collector, ExtractSink, SubjectRow};
use super::columns::Columns;
use super::offers::offers;
use super::resolve::{Family, Kinds};
use super::row::{RowFilter, read_block};
use super::workflows::Workflows;
use crate::error::IngestError;
use crate::pipeline::ordered;
use crate::records::{Blocks, RecordOptions};
use crate::source::{InputDigest, Progress};

/// How to read an export.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// Which rows are wanted.
    pub filter: RowFilter,
    /// The workflow export, which says what tasks are and what answer indices stand for.
    pub workflows: Option<Arc<Workflows>>,
    /// Tasks whose strings are free text, where no workflow export says so.
    pub text_tasks: Vec<String>,
    /// Worker threads.
    pub threads: usize,
    /// The present, for "time in the future"; this crate does not look at a clock by itself.
    pub now_ms: i64,
    /// How to cut records.
    pub records: RecordOptions,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self {
            filter: RowFilter::default(),
            workflows: None,
            text_tasks: Vec::new(),
            threads: 1,
            now_ms: i64::MAX,
            records: RecordOptions::export(),
        }
    }
}

/// What was read, besides the columns that went to the sink.
#[derive(Clone, Debug, Default)]
pub struct ExportReport {
    /// Counts and problems over all files.
    pub collected: Collected,
    /// Subjects in order of first appearance.
    pub subjects: Vec<SubjectRow>,
    /// The inputs.
    pub inputs: Vec<InputDigest>,
}

impl ExportReport {
    /// Rows that count: `rows_read` less everything left out.
    #[must_use]
    pub fn rows_used(&self) -> u64 {
        self.collected.rows_read - self.collected.left_out.values().sum::<u64>()
    }
}

/// Reads exports one after the other into `sink`. Repeats and repeated ids are found across files.
///
/// # Errors
/// Where a file cannot be read or is no classification export, where the sink fails, or where a stop was
/// asked for. Problems inside the files are in the report.
pub fn read_exports(
    paths: &[PathBuf],
    options: &ExportOptions,
    progress: &Progress,
    sink: &mut dyn ExtractSink,
) -> Result<ExportReport, IngestError> {
    let mut kinds = Kinds::default();
    if let Some(workflows) = &options.workflows {
        tell_kinds(workflows, &mut kinds);
    }
    kinds.tell_texts(&options.text_tasks);
    let mut collector = Collector::new(sink, kinds);
    let mut inputs = Vec::new();
    for path in paths {
        inputs.push(read_one(path, options, progress, &mut collector)?);
    }
    let (collected, subjects) = collector.finish()?;
    if let Some(workflows) = &options.workflows {
        let used = collected.versions.keys().map(|(w, v)| (w.as_str(), v.as_str()));
        offers(workflows, used).iter().for_each(|offer| sink.take_offer(offer));
    }
    Ok(ExportReport { collected, subjects, inputs })
}

fn tell_kinds(workflows: &Workflows, kinds: &mut Kinds) {
    for workflow in workflows.ids() {
        for (version, tasks) in workflows.versions(workflow) {
            for (key, task) in &tasks.tasks {
                if let Some(family) = Family::of_type(&task.kind) {
                    kinds.tell(workflow, &version.to_string(), key, family);
                }
                if task.tools.iter().any(|tool| tool.kind == "column") {
                    kinds.tell_column(workflow, &version.to_string(), key);
                }
            }
        }
    }
}

fn read_one(
    path: &Path,
    options: &ExportOptions,
    progress: &Progress,
    collector: &mut Collector<'_>,
) -> Result<InputDigest, IngestError> {
    let mut blocks = Blocks::open(path, options.records, progress)?;
    let columns = Columns::find(blocks.header(), path)?;
    ordered(
        options.threads,
        || blocks.next_block(),
        |block| read_block(&block, &columns, options),
        |sheet| collector.take(sheet),
    )?;
    blocks.digest()
}
