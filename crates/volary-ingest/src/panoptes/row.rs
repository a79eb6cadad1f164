//! One block of export rows to columns: the part that runs on every thread.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::BuildHasher as _;

use foldhash::quality::FixedState;
use volary_core::extracts::{ClassificationRow, ExternalId, SubjectStatus, Volunteer};
use volary_core::{Extracts, Pool, ProblemKind, Problems, Symbol};

use super::annotation::{Annotations, first_line};
use super::columns::Columns;
use super::export::ExportOptions;
use super::metadata::{Retirement, read_metadata, read_retirement};
use super::version::VersionFilter;
use crate::records::{Block, Fields, clean_text};
use crate::volunteer::Without;
use crate::{time, volunteer};

/// How the cell of an active subject goes on after its id, quotes doubled as they stand in the file.
const ACTIVE: &[u8] = br#":{""retired"":null,"#;

/// Which rows of an export are wanted.
#[derive(Clone, Debug, Default)]
pub struct RowFilter {
    /// Workflow ids; empty for all.
    pub workflows: Vec<String>,
    /// Workflow versions.
    pub versions: VersionFilter,
    /// Leave out rows from before the project's launch.
    pub live_only: bool,
    /// Leave out the rows of these volunteers.
    pub without: Without,
}

/// Why a row of an export does not count; the words are those of the summary.
pub(super) mod left_out {
    pub(in crate::panoptes) const TOO_LONG: &str = "row too long";
    pub(in crate::panoptes) const CUT_OFF: &str = "file cut off";
    pub(in crate::panoptes) const FIELDS: &str = "wrong number of fields";
    pub(in crate::panoptes) const WORKFLOW: &str = "another workflow";
    pub(in crate::panoptes) const VERSION: &str = "version";
    pub(in crate::panoptes) const BETA: &str = "beta";
    pub(in crate::panoptes) const OPTED_OUT: &str = "opted out";
    pub(in crate::panoptes) const BAD_JSON: &str = "bad JSON";
    pub(in crate::panoptes) const NO_SUBJECT: &str = "no subject";
    pub(in crate::panoptes) const REPEATED_ID: &str = "classification id repeated";
    pub(in crate::panoptes) const CONFLICTING_ID: &str = "classification id repeated with other content";
}

/// What one block of rows says.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub(super) extracts: Extracts,
    pub(super) problems: Problems,
    pub(super) rows_read: u64,
    pub(super) left_out: BTreeMap<&'static str, u64>,
    pub(super) n_unknown_annotations: u64,
}

impl Sheet {
    pub(super) fn leave_out(&mut self, reason: &'static str, n: u64) {
        if n > 0 {
            *self.left_out.entry(reason).or_default() += n;
        }
    }
}

/// Reads all rows of a block.
pub(super) fn read_block(block: &Block, columns: &Columns, options: &ExportOptions) -> Sheet {
    let mut sheet = Sheet { problems: block.problems.clone(), ..Sheet::default() };
    sheet.rows_read = block.records.len() as u64 + block.n_too_long + block.n_cut_off;
    sheet.leave_out(left_out::TOO_LONG, block.n_too_long);
    sheet.leave_out(left_out::CUT_OFF, block.n_cut_off);
    let mut reader = RowReader {
        columns,
        options,
        cell: Vec::new(),
        names: Pool::default(),
        volunteers: Vec::new(),
        last_workflow: None,
        last_version: None,
    };
    for span in &block.records {
        if let Err(reason) = reader.read(span.row, block.fields(span), &mut sheet) {
            sheet.leave_out(reason, 1);
        }
    }
    sheet
}

struct RowReader<'c> {
    columns: &'c Columns,
    options: &'c ExportOptions,
    cell: Vec<u8>,
    // Names met in this block, and the keys made of them: hashing each once is enough.
    names: Pool,
    volunteers: Vec<Volunteer>,
    last_workflow: Option<Symbol>,
    last_version: Option<Symbol>,
}

/// Interns a text that is mostly that of the row before.
fn intern_again(pool: &mut Pool, last: &mut Option<Symbol>, text: &str) -> Symbol {
    match *last {
        Some(symbol) if pool.text(symbol) == text => symbol,
        _ => *last.insert(pool.intern(text)),
    }
}

impl RowReader<'_> {
    /// Reads one row into the sheet, or says why it does not count.
    fn read(&mut self, row: u64, line: Fields<'_>, sheet: &mut Sheet) -> Result<(), &'static str> {
        let columns = self.columns;
        if line.count() != columns.names.len() {
            let detail = format!("{} fields, the header has {}", line.count(), columns.names.len());
            sheet.problems.add(row, "", ProblemKind::WrongFieldCount, detail);
            return Err(left_out::FIELDS);
        }
        let workflow = self.text(row, line, columns.workflow, &mut sheet.problems);
        let version = self.text(row, line, columns.version, &mut sheet.problems);
        if !self.options.filter.workflows.is_empty()
            && !self.options.filter.workflows.iter().any(|w| *w == workflow)
        {
            return Err(left_out::WORKFLOW);
        }
        if !self.options.filter.versions.accepts(&version) {
            return Err(left_out::VERSION);
        }
        let subject = self.text(row, line, Some(columns.subject_ids), &mut sheet.problems);
        if subject.is_empty() {
            sheet.problems.add(row, "subject_ids", ProblemKind::EmptyCell, "no subject");
            return Err(left_out::NO_SUBJECT);
        }
        let mut class = self.classification(row, line, &workflow, &version, &subject, sheet);
        if self.options.filter.without.has_key(sheet.extracts.text(class.volunteer.key)) {
            return Err(left_out::OPTED_OUT);
        }
        self.metadata(row, line, &mut class, &mut sheet.problems);
        if self.options.filter.live_only && class.live == Some(false) {
            return Err(left_out::BETA);
        }
        self.annotations(row, line, &class, sheet)?;
        self.status(row, line, &class, sheet);
        sheet.extracts.classifications.push(class);
        Ok(())
    }

    /// A cell as text, borrowed from the line wherever that is possible.
    fn text<'l>(
        &self,
        row: u64,
        line: Fields<'l>,
        column: Option<usize>,
        problems: &mut Problems,
    ) -> Cow<'l, str> {
        let Some(column) = column else { return Cow::Borrowed("") };
        let name = &self.columns.names[column];
        match line.bytes(column) {
            Cow::Borrowed(bytes) => match clean_text(bytes, row, name, problems) {
                Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
                Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
            },
            Cow::Owned(bytes) => Cow::Owned(clean_text(&bytes, row, name, problems).trim().to_owned()),
        }
    }

    fn classification(
        &mut self,
        row: u64,
        line: Fields<'_>,
        workflow: &str,
        version: &str,
        subject: &str,
        sheet: &mut Sheet,
    ) -> ClassificationRow {
        let columns = self.columns;
        let problems = &mut sheet.problems;
        let id = self.text(row, line, columns.id, problems);
        let created = self.text(row, line, columns.created_at, problems);
        let created_ms = self.time(row, "created_at", &created, problems);
        let gold = self.text(row, line, columns.gold_standard, problems);
        let expert = self.text(row, line, columns.expert, problems);
        let name = self.volunteer_name(row, line, problems);
        let pool = &mut sheet.extracts.pool;
        let volunteer = self.volunteer(&name, pool);
        ClassificationRow {
            row,
            // Where the export has no ids the row number serves, so that times can be ordered.
            id: if id.is_empty() { ExternalId::Number(row) } else { ExternalId::parse(&id, pool) },
            workflow: intern_again(pool, &mut self.last_workflow, workflow),
            version: intern_again(pool, &mut self.last_version, version),
            subject: pool.intern(subject),
            volunteer,
            created_ms,
            started_ms: None,
            finished_ms: None,
            gold_standard: gold.eq_ignore_ascii_case("true"),
            // `NA` is what R writes for an empty cell.
            expert: (!matches!(&*expert, "" | "NA")).then(|| pool.intern(&expert)),
            seen_before: false,
            live: None,
            classifier: 1,
            repeat: false,
            fingerprint: FixedState::with_seed(1).hash_one(line.line()),
            numbers: None,
        }
    }

    fn volunteer(&mut self, name: &str, pool: &mut Pool) -> Volunteer {
        let index = self.names.intern(name).index();
        if index == self.volunteers.len() {
            let (key, logged_in) = volunteer::key(name);
            self.volunteers.push(Volunteer { key: pool.intern(&key), logged_in });
        }
        self.volunteers[index]
    }

    /// What identifies the volunteer within this export. A name is any text, `NA` and `null` included.
    fn volunteer_name<'l>(&self, row: u64, line: Fields<'l>, problems: &mut Problems) -> Cow<'l, str> {
        let columns = self.columns;
        let name = self.text(row, line, columns.user_name, problems);
        if !name.is_empty() {
            return name;
        }
        let id = self.text(row, line, columns.user_id, problems);
        if !id.is_empty() {
            return Cow::Owned(format!("user_id {id}"));
        }
        let ip = self.text(row, line, columns.user_ip, problems);
        if !ip.is_empty() {
            return Cow::Owned(format!("not-logged-in-{ip}"));
        }
        // Nobody: two such rows must not pass for one person's repeat.
        let detail = "no user_name, user_id or user_ip; taken for a volunteer of its own";
        problems.add(row, "user_name", ProblemKind::EmptyCell, detail);
        Cow::Owned(format!("not-logged-in-row-{row}"))
    }

    fn time(&self, row: u64, column: &str, text: &str, problems: &mut Problems) -> Option<i64> {
        if text.is_empty() || text == "NA" {
            return None;
        }
        let parsed = time::parse_ms(text);
        match parsed {
            None => {
                let shown: String = text.chars().take(40).collect();
                problems.add(
                    row,
                    column,
                    ProblemKind::BadTime,
                    format!("{shown:?}; kept without a time"),
                );
            }
            Some(ms) if ms > self.options.now_ms => {
                problems.add(row, column, ProblemKind::FutureTime, format!("{text}; kept"));
            }
            Some(_) => {}
        }
        parsed
    }

    fn metadata(
        &mut self,
        row: u64,
        line: Fields<'_>,
        class: &mut ClassificationRow,
        problems: &mut Problems,
    ) {
        let Some(column) = self.columns.metadata else { return };
        line.write(column, &mut self.cell);
        let text = clean_text(&self.cell, row, "metadata", problems);
        match read_metadata(&text) {
            Ok(metadata) => {
                class.started_ms = metadata.started_ms;
                class.finished_ms = metadata.finished_ms;
                class.live = metadata.live;
                class.seen_before = metadata.seen_before;
                class.classifier = if metadata.is_second_generation { 2 } else { 1 };
            }
            // The votes are in another cell: the row still counts.
            Err(message) => {
                problems.add(row, "metadata", ProblemKind::BadJson, format!("{message}; row kept"));
            }
        }
    }

    fn annotations(
        &mut self,
        row: u64,
        line: Fields<'_>,
        class: &ClassificationRow,
        sheet: &mut Sheet,
    ) -> Result<(), &'static str> {
        line.write(self.columns.annotations, &mut self.cell);
        let text = clean_text(&self.cell, row, "annotations", &mut sheet.problems);
        let e = &sheet.extracts;
        let before = (e.votes.len(), e.marks.len(), e.shapes.len(), e.texts.len());
        let classification = u32::try_from(e.classifications.len()).unwrap_or(u32::MAX);
        let mut annotations = Annotations {
            extracts: &mut sheet.extracts,
            problems: &mut sheet.problems,
            row,
            classification,
            workflow: class.workflow,
            version: class.version,
            workflows: self.options.workflows.as_deref(),
            n_unknown: 0,
        };
        let result = annotations.read(&text);
        let n_unknown = annotations.n_unknown;
        match result {
            Ok(()) => sheet.n_unknown_annotations += n_unknown,
            Err(message) => {
                // A row counts whole or not at all.
                let e = &mut sheet.extracts;
                e.votes.truncate(before.0);
                e.marks.truncate(before.1);
                e.shapes.truncate(before.2);
                e.texts.truncate(before.3);
                sheet.problems.add(row, "annotations", ProblemKind::BadJson, first_line(&message));
                return Err(left_out::BAD_JSON);
            }
        }
        Ok(())
    }

    /// Whether the cell begins as that of a subject that is not retired, by far the most common one.
    fn is_active(line: Fields<'_>, column: usize) -> bool {
        let start = line.raw(column);
        let start = &start[..start.len().min(60)];
        start.windows(ACTIVE.len()).any(|w| w == ACTIVE)
    }

    fn status(&mut self, row: u64, line: Fields<'_>, class: &ClassificationRow, sheet: &mut Sheet) {
        let Some(column) = self.columns.subject_data else { return };
        let retirement = if Self::is_active(line, column) {
            Retirement::default()
        } else {
            line.write(column, &mut self.cell);
            read_retirement(&clean_text(&self.cell, row, "subject_data", &mut sheet.problems))
        };
        let reason = retirement.reason.map(|r| sheet.extracts.pool.intern(&r));
        sheet.extracts.statuses.push(SubjectStatus {
            subject: class.subject,
            workflow: class.workflow,
            retired_ms: retirement.retired_ms,
            reason,
        });
    }
}
