//! Extractions to reductions: groups by subject and task, settles repeats, hands each group to a reducer.
//!
//! The original's `-F first|last|all` does nothing (all three count every row); here it does. Reads
//! extractions of ours and of `panoptes_aggregation`.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use volary_core::{Pool, ProblemKind, Symbol};

use super::super::config::{ReducerConfig, ReducerEntry};
use super::clustering::Clustering;
use super::reducers::{Extracted, Reduced, Reducer};
use super::shapes::{self, Account, ShapeReducer};
use super::table::{TableFile, Writer};
use super::{AGGREGATION_VERSION, file_stem};
use crate::error::IngestError;
use crate::records::{Header, Record, RecordOptions, Records};
use crate::report::{ReadReport, Tally};
use crate::source::Progress;
use crate::{time, volunteer};

/// Which of one volunteer's classifications of one subject count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RepeatRule {
    /// The first, by time and then by id.
    #[default]
    First,
    /// The last.
    Last,
    /// All: what the original does whatever it is told.
    All,
}

/// What became of an extraction.
#[derive(Clone, Debug)]
pub struct ReductionReport {
    /// Rows read, used and left out, and all problems.
    pub input: ReadReport,
    /// The tables: one per reducer that there is.
    pub files: Vec<TableFile>,
}

/// Writes `<reducer>_<name>.csv` into `out_dir` for every reducer of the configuration. A reducer that
/// is not here is a problem in the report, and writes nothing. Reducers of marks need something that
/// clusters; without it they are a problem too.
///
/// # Errors
/// Where the extraction cannot be read, a table cannot be written, or `name` is no file name.
pub fn write_reductions(
    extract_csv: &Path,
    config: &ReducerConfig,
    out_dir: &Path,
    name: &str,
    repeats: RepeatRule,
    clustering: Option<&dyn Clustering>,
    progress: &Progress,
) -> Result<ReductionReport, IngestError> {
    let stem = file_stem(name)?;
    let options = RecordOptions { is_exact: false, ..RecordOptions::export() };
    let mut records = Records::open(extract_csv, options, progress)?;
    records.require(["subject_id", "task"], "an extraction of panoptes_aggregation")?;
    let mut tally = Tally::default();
    let mut extraction = Extraction::new(records.header());
    while let Some(record) = records.next_record()? {
        extraction.take(&record);
    }
    extraction.settle(repeats, &mut tally);
    let mut files = Vec::new();
    for entry in &config.reducers {
        let Some(reducer) = reducer_of(entry, clustering, &mut tally) else { continue };
        let path = out_dir.join(format!("{}_{stem}.csv", entry.name));
        files.push(extraction.write(&entry.name, &reducer, &path, &mut tally)?);
    }
    Ok(ReductionReport { input: tally.finish(records)?, files })
}

/// Reducers of the original that are not here, and why.
const NOT_HERE: [(&str, &str); 8] = [
    ("text_reducer", "it aligns texts"),
    ("poly_line_text_reducer", "it aligns texts"),
    ("optics_line_text_reducer", "it aligns texts"),
    ("sw_variant_reducer", "it belongs to one project"),
    ("subject_difficulty_reducer", "it needs the feedback, which no extraction here has"),
    ("user_skill_reducer", "it needs the feedback; `volary consensus` has skills with intervals"),
    ("tess_reducer_column", "it needs the users' skills, which no table has"),
    ("tess_gold_standard_reducer", "it needs the feedback, which no extraction here has"),
];

/// A reducer ready for work.
enum Chosen<'c> {
    Answers(Reducer),
    Marks(Box<ShapeReducer>, &'c dyn Clustering),
}

fn reducer_of<'c>(
    entry: &ReducerEntry,
    clustering: Option<&'c dyn Clustering>,
    tally: &mut Tally,
) -> Option<Chosen<'c>> {
    let mut refuse = |kind, why: &str| {
        let name: String = entry.name.chars().take(60).collect();
        tally.problems.add(0, "reducer_config", kind, format!("{name}: {why}"));
        None
    };
    if shapes::NAMES.contains(&entry.name.as_str()) {
        let Some(clustering) = clustering else {
            return refuse(ProblemKind::UnknownTask, "nothing here clusters marks");
        };
        let (reducer, left) = match shapes::shape_reducer(&entry.name, &entry.parameters) {
            Ok(found) => found,
            Err(why) => return refuse(ProblemKind::OddValue, &why),
        };
        for parameter in left {
            not_followed(&entry.name, &parameter, tally);
        }
        return Some(Chosen::Marks(Box::new(reducer), clustering));
    }
    let number =
        |name: &str| entry.parameters.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0);
    let n = usize::try_from(number("n")).unwrap_or(usize::MAX);
    let (pairs, track) = (entry.is_on("pairs"), entry.is_on("track_user_ids"));
    let (reducer, known): (_, &[&str]) = match entry.name.as_str() {
        "question_reducer" | "shortcut_reducer" => {
            (Reducer::Question { pairs, track }, &["pairs", "track_user_ids"])
        }
        "question_consensus_reducer" => (Reducer::Consensus { pairs }, &["pairs"]),
        "survey_reducer" => (Reducer::Survey, &[]),
        "dropdown_reducer" => (Reducer::Dropdown, &[]),
        "slider_reducer" => (Reducer::Slider, &[]),
        "first_n_true_reducer" => (Reducer::First { n, wanted: true }, &["n"]),
        "first_n_false_reducer" => (Reducer::First { n, wanted: false }, &["n"]),
        name => match NOT_HERE.iter().find(|(known, _)| *known == name) {
            Some((_, why)) => return refuse(ProblemKind::UnknownTask, &format!("not here; {why}")),
            None => return refuse(ProblemKind::Misspelt, "no such reducer here"),
        },
    };
    for parameter in entry.parameters.keys().filter(|p| !known.contains(&p.as_str())) {
        not_followed(&entry.name, parameter, tally);
    }
    Some(Chosen::Answers(reducer))
}

fn not_followed(reducer: &str, parameter: &str, tally: &mut Tally) {
    let detail = format!("{reducer}: the parameter {parameter} is not followed");
    tally.problems.add(0, "reducer_config", ProblemKind::Suspicious, detail);
}

/// Where the columns of an extraction stand.
struct Columns {
    classification: Option<usize>,
    user_name: Option<usize>,
    user_id: Option<usize>,
    workflow: Option<usize>,
    task: Option<usize>,
    created_at: Option<usize>,
    subject: Option<usize>,
    version: Option<usize>,
    data: Vec<(usize, String)>,
}

/// One row of an extraction; text by number.
#[derive(Clone, Debug)]
struct Row {
    subject: Symbol,
    workflow: Symbol,
    task: Symbol,
    volunteer: Symbol,
    classification: Symbol,
    created_ms: Option<i64>,
    cells: Vec<(u32, Symbol)>,
}

struct Extraction {
    columns: Columns,
    pool: Pool,
    rows: Vec<Row>,
}

impl Extraction {
    fn new(header: &Header) -> Self {
        let find = |name| header.find(name);
        let data = header.names.iter().enumerate().filter_map(|(i, name)| {
            let name = name.strip_prefix("data.")?;
            (name != "aggregation_version").then(|| (i, name.to_owned()))
        });
        let columns = Columns {
            classification: find("classification_id"),
            user_name: find("user_name"),
            user_id: find("user_id"),
            workflow: find("workflow_id"),
            task: find("task"),
            created_at: find("created_at"),
            subject: find("subject_id"),
            version: find("data.aggregation_version"),
            data: data.collect(),
        };
        Self { columns, pool: Pool::default(), rows: Vec::new() }
    }

    fn take(&mut self, record: &Record) {
        let columns = &self.columns;
        let text = |column| record.get(column).trim();
        let name = super::rows::volunteer_name(
            record.get(columns.user_name),
            record.get(columns.user_id),
            "",
            record.row,
        );
        // Extractions of ours hold keys already; those of the original hold names.
        let is_ours = text(columns.version).starts_with("volary");
        let volunteer = if is_ours { name } else { volunteer::key(&name).0 };
        let created_ms = time::parse_ms(text(columns.created_at));
        let cells = columns.data.iter().enumerate().filter_map(|(i, (column, _))| {
            let cell = record.get(Some(*column));
            (!cell.is_empty()).then(|| (u32::try_from(i).unwrap_or(u32::MAX), self.pool.intern(cell)))
        });
        let cells = cells.collect();
        let row = Row {
            subject: self.pool.intern(text(columns.subject)),
            workflow: self.pool.intern(text(columns.workflow)),
            task: self.pool.intern(text(columns.task)),
            volunteer: self.pool.intern(&volunteer),
            classification: self.pool.intern(text(columns.classification)),
            created_ms,
            cells,
        };
        self.rows.push(row);
    }

    /// Sorts, and leaves out identical rows and repeats.
    fn settle(&mut self, repeats: RepeatRule, tally: &mut Tally) {
        let pool = &self.pool;
        let text = |symbol| pool.text(symbol);
        self.rows.sort_by(|a, b| {
            by_number(text(a.subject), text(b.subject))
                .then_with(|| by_number(text(a.workflow), text(b.workflow)))
                .then(a.created_ms.cmp(&b.created_ms))
                .then_with(|| by_number(text(a.classification), text(b.classification)))
        });
        let mut seen = BTreeSet::new();
        self.rows.retain(|row| {
            // The same choice twice in one classification, or the same row twice in the file.
            let is_new = seen.insert((
                row.subject,
                row.task,
                row.volunteer,
                row.classification,
                row.cells.clone(),
            ));
            if !is_new {
                tally.leave_out("identical row");
            }
            is_new
        });
        drop(seen);
        let mut chosen = BTreeMap::new();
        for row in &self.rows {
            let slot = chosen.entry(group_of(row)).or_insert(row.classification);
            if repeats == RepeatRule::Last {
                *slot = row.classification;
            }
        }
        self.rows.retain(|row| {
            let counts =
                repeats == RepeatRule::All || chosen.get(&group_of(row)) == Some(&row.classification);
            if !counts {
                tally.leave_out("repeat by the same volunteer");
            }
            counts
        });
        tally.used = self.rows.len() as u64;
    }

    fn write(
        &self,
        name: &str,
        reducer: &Chosen<'_>,
        path: &Path,
        tally: &mut Tally,
    ) -> Result<TableFile, IngestError> {
        let mut tasks = Vec::new();
        for row in &self.rows {
            if !tasks.contains(&row.task) {
                tasks.push(row.task);
            }
        }
        let mut reduced = Vec::new();
        let mut account = Account::default();
        for group in self.rows.chunk_by(|a, b| (a.subject, a.workflow) == (b.subject, b.workflow)) {
            for &task in &tasks {
                let of_task: Vec<Extracted<'_>> =
                    group.iter().filter(|r| r.task == task).map(|r| self.extracted(r)).collect();
                let (rows, n_bad) = match reducer {
                    Chosen::Answers(reducer) => reducer.reduce(&of_task),
                    Chosen::Marks(reducer, clustering) => {
                        let before = account.n_bad;
                        let rows = reducer.reduce(&of_task, *clustering, &mut account);
                        (rows, account.n_bad - before)
                    }
                };
                let head = [group[0].subject, group[0].workflow, task];
                reduced.extend(rows.into_iter().map(|row| (head, row)));
                for _ in 0..n_bad {
                    let detail = format!("{name} cannot read a cell of {}", self.pool.text(task));
                    tally.problems.add(0, "data", ProblemKind::OddValue, detail);
                }
            }
        }
        for _ in 0..account.n_repaired {
            let detail = "an outline that crosses itself; its largest piece is kept";
            tally.problems.add(0, "data", ProblemKind::Suspicious, detail);
        }
        for message in &account.messages {
            tally.problems.add(
                0,
                "reducer_config",
                ProblemKind::UnknownTask,
                format!("{name}: {message}"),
            );
        }
        self.write_rows(name, &reduced, path)
    }

    fn extracted(&self, row: &Row) -> Extracted<'_> {
        let name = |column: u32| self.columns.data[column as usize].1.as_str();
        let cells = row.cells.iter().map(|(column, cell)| (name(*column), self.pool.text(*cell)));
        let (volunteer, created_ms) = (self.pool.text(row.volunteer), row.created_ms);
        Extracted { volunteer, created_ms, cells: cells.collect() }
    }

    fn write_rows(
        &self,
        name: &str,
        rows: &[([Symbol; 3], Reduced)],
        path: &Path,
    ) -> Result<TableFile, IngestError> {
        const FRONT: [&str; 3] = ["choice", "total_vote_count", "choice_count"];
        let all: BTreeSet<&str> = rows.iter().flat_map(|(_, r)| r.keys()).map(String::as_str).collect();
        let front = FRONT.into_iter().filter(|name| all.contains(name));
        let columns: Vec<&str> =
            front.chain(all.iter().copied().filter(|n| !FRONT.contains(n))).collect();
        let mut writer = Writer::create(path)?;
        let fixed = ["subject_id", "workflow_id", "task", "reducer"].map(str::to_owned);
        let data = columns.iter().map(|c| format!("data.{c}"));
        let header = fixed.into_iter().chain(data).chain(["data.aggregation_version".to_owned()]);
        writer.row(header)?;
        for (head, cells) in rows {
            let head = head.iter().map(|symbol| self.pool.text(*symbol)).chain([name]);
            let cells = columns.iter().map(|column| cells.get(*column).map_or("", String::as_str));
            writer.row(head.chain(cells).chain([AGGREGATION_VERSION]))?;
        }
        writer.finish()?;
        Ok(TableFile { path: path.to_owned(), n_rows: rows.len() as u64, n_columns: columns.len() + 5 })
    }
}

/// What makes two rows repeats of each other, unless they are of one classification.
fn group_of(row: &Row) -> (Symbol, Symbol, Symbol, Symbol) {
    (row.subject, row.workflow, row.task, row.volunteer)
}

/// Numbers in their order, before words in theirs.
fn by_number(a: &str, b: &str) -> Ordering {
    match (a.parse::<u64>(), b.parse::<u64>()) {
        (Ok(x), Ok(y)) => x.cmp(&y).then_with(|| a.cmp(b)),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => a.cmp(b),
    }
}
