//! Marks for the mark pipeline: Planet Hunters rows at the speed of the disk, or the `marks` table that
//! `extract` wrote.
//!
//! The same rules as [`crate::planet_hunters`] (which makes extracts of every column), but straight into
//! [`Marks`]: blocks of rows are parsed on all threads, only the columns that are needed, and every text
//! is interned once a block. Light-curve ids, starts and simulations come along where the table has them.

use std::path::Path;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use volary_core::marks::{Marks, MarksBuilder, NONE, order_key};
use volary_core::{Pool, ProblemKind, Symbol};

use crate::columns::{VolunteerColumn, find};
use crate::error::IngestError;
use crate::pipeline::ordered;
use crate::planet_hunters::{Bounds, Columns, bound};
use crate::records::{Block, Blocks, Fields, Header, RecordOptions, Records, clean_text};
use crate::report::{ReadReport, Tally};
use crate::source::Progress;
use crate::tables::{Cells, TableFormat, for_each_batch};
use crate::time::parse_ms;
use crate::volunteer;

/// Marks and the account of their input.
#[derive(Debug)]
pub struct ReadMarks {
    /// The marks.
    pub marks: Marks,
    /// What became of the rows; `None` for a table of ours, which has been through a reader before.
    pub report: Option<ReadReport>,
}

/// Which rows of a `marks` table are wanted; an empty list wants all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MarkFilter {
    /// Workflow ids.
    pub workflows: Vec<String>,
    /// Task keys.
    pub tasks: Vec<String>,
}

/// Reads marks from Planet Hunters rows (CSV, also gzipped) or from a `marks` table of `extract`, of which
/// `filter` says which rows.
///
/// Of Planet Hunters rows: reversed bounds are swapped and listed; a row with one bound only, with
/// infinite bounds or with bounds that are no numbers is left out and listed, but its view counts.
///
/// # Errors
/// Where the file cannot be read or a column is missing, or a filter is set for rows that have neither
/// workflow nor task.
pub fn read_marks(
    path: &Path,
    filter: &MarkFilter,
    threads: usize,
    progress: &Progress,
) -> Result<ReadMarks, IngestError> {
    if is_table_of_ours(path)? {
        return Ok(ReadMarks { marks: read_table(path, filter, progress)?, report: None });
    }
    if *filter != MarkFilter::default() {
        let what = "Planet Hunters rows have no workflows and tasks to choose from".to_owned();
        return Err(IngestError::Format { what, path: path.to_owned() });
    }
    let mut blocks = Blocks::open(path, RecordOptions::default(), progress)?;
    let header = blocks.header().clone();
    let columns = Columns::find(&header, path)?;
    let more = More::find(&header);
    let mut gather = Gather::new(columns.user);
    ordered(
        threads,
        || blocks.next_block(),
        |block| parse(&block, &header, &columns, &more),
        |sheet| {
            gather.take(&sheet);
            Ok::<(), IngestError>(())
        },
    )?;
    let digest = blocks.digest()?;
    let tally = gather.tally;
    let report = ReadReport {
        rows_read: gather.rows_read,
        rows_used: tally.used,
        left_out: tally.left_out,
        problems: tally.problems,
        digest,
    };
    Ok(ReadMarks { marks: gather.builder.finish(), report: Some(report) })
}

/// Columns that only the mark pipeline reads.
struct More {
    star: Option<usize>,
    start: Option<usize>,
    simulation: Option<usize>,
    is_synthetic: Option<usize>,
}

impl More {
    fn find(header: &Header) -> Self {
        Self {
            star: find(header, &["kepler_id", "star", "kic", "tic_id"]),
            start: find(header, &["start_time", "start_days"]),
            simulation: find(header, &["synthetic_id", "syntheticid", "simulation", "simulation_id"]),
            is_synthetic: find(header, &["synthetic"]),
        }
    }
}

/// One row, its texts as symbols of the block.
#[derive(Clone, Copy)]
struct Row {
    row: u64,
    key: u128,
    subject: Symbol,
    user: Symbol,
    created_ms: i64,
    // NaN for a view without a mark.
    x_min: f64,
    x_max: f64,
    // Whether the row's bounds were unusable: then it says only that somebody looked.
    is_unusable: bool,
}

/// What a row says of its subject beside the marks.
#[derive(Clone, Copy, PartialEq)]
struct Fact {
    subject: Symbol,
    star: Option<Symbol>,
    start_bits: u64,
    simulation: Option<Symbol>,
}

#[derive(Default)]
struct Sheet {
    pool: Pool,
    rows: Vec<Row>,
    facts: Vec<Fact>,
    tally: Tally,
    rows_read: u64,
}

struct Parser<'a> {
    header: &'a Header,
    columns: &'a Columns,
    more: &'a More,
    sheet: Sheet,
    // Per symbol of a subject: its last fact, so that only news is kept.
    last_fact: HashMap<Symbol, Fact, FixedState>,
}

fn parse(block: &Block, header: &Header, columns: &Columns, more: &More) -> Sheet {
    let mut parser = Parser {
        header,
        columns,
        more,
        sheet: Sheet::default(),
        last_fact: HashMap::with_hasher(FixedState::with_seed(0x5eed)),
    };
    let sheet = &mut parser.sheet;
    sheet.tally.problems.absorb(&block.problems);
    sheet.rows_read = block.records.len() as u64 + block.n_too_long + block.n_cut_off;
    for (reason, n) in [("row too long", block.n_too_long), ("file cut off", block.n_cut_off)] {
        if n > 0 {
            *sheet.tally.left_out.entry(reason.to_owned()).or_default() += n;
        }
    }
    sheet.rows.reserve(block.records.len());
    for span in &block.records {
        parser.row(span.row, block.fields(span));
    }
    parser.sheet
}

impl Parser<'_> {
    fn row(&mut self, row: u64, fields: Fields<'_>) {
        if fields.count() != self.header.names.len() {
            let detail =
                format!("{} fields, the header has {}", fields.count(), self.header.names.len());
            self.sheet.tally.problems.add(row, "", ProblemKind::WrongFieldCount, detail);
            self.sheet.tally.leave_out("malformed row");
            return;
        }
        let id = self.symbol_text(row, fields, self.columns.classification);
        let key = order_key(&id);
        let is_empty = id.is_empty();
        let subject = self.intern(row, fields, self.columns.subject);
        if is_empty || self.sheet.pool.text(subject).is_empty() {
            let reason = if is_empty { "no classification id" } else { "no subject" };
            self.sheet.tally.problems.add(row, "", ProblemKind::EmptyCell, reason);
            self.sheet.tally.leave_out(reason);
            return;
        }
        let user = self.intern(row, fields, self.columns.user.at);
        let created_ms = self.created(row, fields);
        let range = self.range(fields);
        let (x_min, x_max, is_unusable) = match range {
            Ok(Some((min, max))) => {
                let (min, max) = self.ordered(row, min, max);
                (min, max, false)
            }
            Ok(None) => (f64::NAN, f64::NAN, false),
            Err(reason) => {
                self.sheet.tally.problems.add(row, "xmin", ProblemKind::NotANumber, reason);
                self.sheet.tally.leave_out(reason);
                (f64::NAN, f64::NAN, true)
            }
        };
        self.fact(row, fields, subject);
        self.sheet.rows.push(Row { row, key, subject, user, created_ms, x_min, x_max, is_unusable });
    }

    /// A field as text; only broken bytes cost a copy.
    fn symbol_text(&mut self, row: u64, fields: Fields<'_>, at: usize) -> String {
        let bytes = fields.bytes(at);
        let column = self.header.names.get(at).map_or("", String::as_str);
        clean_text(&bytes, row, column, &mut self.sheet.tally.problems).into_owned()
    }

    fn intern(&mut self, row: u64, fields: Fields<'_>, at: usize) -> Symbol {
        let bytes = fields.bytes(at);
        let column = self.header.names.get(at).map_or("", String::as_str);
        let text = clean_text(&bytes, row, column, &mut self.sheet.tally.problems);
        self.sheet.pool.intern(&text)
    }

    fn cell(&self, fields: Fields<'_>, at: Option<usize>) -> String {
        let bytes = at.map(|at| fields.bytes(at)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }

    fn created(&mut self, row: u64, fields: Fields<'_>) -> i64 {
        let Some(at) = self.columns.created_at else { return i64::MIN };
        let bytes = fields.bytes(at);
        let text = String::from_utf8_lossy(&bytes);
        let created = parse_ms(&text);
        if created.is_none() && !text.is_empty() {
            let text = text.into_owned();
            self.sheet.tally.problems.add(row, "created_at", ProblemKind::BadTime, text);
        }
        created.unwrap_or(i64::MIN)
    }

    fn number(&self, fields: Fields<'_>, at: usize) -> Result<Option<f64>, &'static str> {
        let bytes = fields.bytes(at);
        std::str::from_utf8(&bytes).map_or(Err("bound is not a number"), bound)
    }

    fn range(&self, fields: Fields<'_>) -> Result<Option<(f64, f64)>, &'static str> {
        let (min, max, shift) = match self.columns.bounds {
            Bounds::Global(min, max) => (min, max, Ok(Some(0.0))),
            Bounds::Relative(min, max, start) => (min, max, self.number(fields, start)),
        };
        match (self.number(fields, min)?, self.number(fields, max)?) {
            (None, None) => Ok(None),
            (Some(min), Some(max)) => match shift? {
                Some(shift) => Ok(Some((min + shift, max + shift))),
                None => Err("no start_time to add to the relative bounds"),
            },
            _ => Err("only one bound"),
        }
    }

    fn ordered(&mut self, row: u64, min: f64, max: f64) -> (f64, f64) {
        let problems = &mut self.sheet.tally.problems;
        if min > max {
            let detail = format!("reversed bounds {min}..{max}; swapped");
            problems.add(row, "xmin", ProblemKind::OddValue, detail);
            return (max, min);
        }
        if min.total_cmp(&max).is_eq() {
            problems.add(row, "xmin", ProblemKind::Suspicious, "a mark of no length");
        }
        (min, max)
    }

    fn fact(&mut self, row: u64, fields: Fields<'_>, subject: Symbol) {
        let start = self.more.start.and_then(|at| self.number(fields, at).ok().flatten());
        let star = self.more.star.map(|at| self.intern(row, fields, at));
        let star = star.filter(|&s| !self.sheet.pool.text(s).is_empty());
        let simulation = self.simulation(fields);
        let start_bits = start.unwrap_or(f64::NAN).to_bits();
        let fact = Fact { subject, star, start_bits, simulation };
        if self.last_fact.insert(subject, fact) != Some(fact) {
            self.sheet.facts.push(fact);
        }
    }

    fn simulation(&mut self, fields: Fields<'_>) -> Option<Symbol> {
        let at = self.more.simulation?;
        if fields.bytes(at).is_empty() {
            return None;
        }
        let says_no = self.more.is_synthetic.is_some_and(|s| {
            let cell = self.cell(fields, Some(s));
            ["false", "f", "0", "no"].iter().any(|no| cell.eq_ignore_ascii_case(no))
        });
        let cell = self.cell(fields, Some(at));
        if says_no || cell.is_empty() || cell.eq_ignore_ascii_case("nan") {
            return None;
        }
        // pandas writes a column of whole numbers with holes as 1413.0.
        let id = cell.strip_suffix(".0").unwrap_or(&cell).to_owned();
        Some(self.sheet.pool.intern(&id))
    }
}

/// Puts blocks together, in their order.
struct Gather {
    builder: MarksBuilder,
    names: VolunteerColumn,
    tally: Tally,
    rows_read: u64,
    // Names as they stand in the file, and the volunteer of each; they go no further than this reader.
    users: Pool,
    volunteer: Vec<u32>,
    views: HashMap<u128, u32, FixedState>,
    of_view: Vec<(u32, u32)>,
    last: Option<(u128, u32)>,
}

impl Gather {
    fn new(names: VolunteerColumn) -> Self {
        Self {
            builder: MarksBuilder::default(),
            names,
            tally: Tally::default(),
            rows_read: 0,
            users: Pool::default(),
            volunteer: Vec::new(),
            views: HashMap::with_hasher(FixedState::with_seed(0x5eed)),
            of_view: Vec::new(),
            last: None,
        }
    }

    fn take(&mut self, sheet: &Sheet) {
        self.rows_read += sheet.rows_read;
        self.tally.problems.absorb(&sheet.tally.problems);
        for (reason, n) in &sheet.tally.left_out {
            *self.tally.left_out.entry(reason.clone()).or_default() += n;
        }
        let (mut subjects, mut users) = (vec![NONE; sheet.pool.len()], vec![NONE; sheet.pool.len()]);
        for fact in &sheet.facts {
            let subject = self.subject(sheet, fact.subject, &mut subjects);
            if let Some(star) = fact.star {
                let start = f64::from_bits(fact.start_bits);
                self.builder.light_curve(subject, sheet.pool.text(star), start);
            }
            if let Some(simulation) = fact.simulation {
                self.builder.simulated(subject, sheet.pool.text(simulation));
            }
        }
        for row in &sheet.rows {
            let subject = self.subject(sheet, row.subject, &mut subjects);
            let volunteer = self.user(sheet, row.user, &mut users);
            if let Some(view) = self.view(row, subject, volunteer) {
                self.tally.used += u64::from(!row.is_unusable);
                self.builder.mark(view, row.x_min, row.x_max);
            }
        }
    }

    fn subject(&mut self, sheet: &Sheet, symbol: Symbol, known: &mut [u32]) -> u32 {
        let slot = &mut known[symbol.index()];
        if *slot == NONE {
            *slot = self.builder.subject(sheet.pool.text(symbol));
        }
        *slot
    }

    fn user(&mut self, sheet: &Sheet, symbol: Symbol, known: &mut [u32]) -> u32 {
        let slot = &mut known[symbol.index()];
        if *slot == NONE {
            let name = sheet.pool.text(symbol);
            let user = self.users.intern(name).index();
            if user == self.volunteer.len() {
                let key = match self.names.holds_names {
                    true => volunteer::key(name.trim()).0,
                    false => name.to_owned(),
                };
                self.volunteer.push(self.builder.volunteer(&key));
            }
            *slot = self.volunteer[user];
        }
        *slot
    }

    fn view(&mut self, row: &Row, subject: u32, volunteer: u32) -> Option<u32> {
        let known = match self.last {
            Some((key, view)) if key == row.key => Some(view),
            _ => self.views.get(&row.key).copied(),
        };
        if let Some(view) = known {
            if self.of_view[view as usize] != (subject, volunteer) {
                let detail = "the classification id stands with another subject or volunteer before";
                self.tally.problems.add(row.row, "", ProblemKind::ConflictingId, detail);
                if !row.is_unusable {
                    self.tally.leave_out("conflicting classification id");
                }
                return None;
            }
            self.last = Some((row.key, view));
            return known;
        }
        let created = (row.created_ms != i64::MIN).then_some(row.created_ms);
        let view = self.builder.view_by_index(subject, volunteer, created, row.key);
        self.views.insert(row.key, view);
        self.of_view.push((subject, volunteer));
        self.last = Some((row.key, view));
        Some(view)
    }
}

/// Whether the file is a `marks` table that `extract` wrote.
fn is_table_of_ours(path: &Path) -> Result<bool, IngestError> {
    match TableFormat::of(path) {
        Ok(TableFormat::Csv) => {
            let blocks = Blocks::open(path, RecordOptions::default(), &Progress::default())?;
            let has = |name| blocks.header().find(name).is_some();
            Ok(has("volunteer") && has("classification_id") && has("x_min_days"))
        }
        Ok(_) => Ok(true),
        Err(_) => Ok(false),
    }
}

fn read_table(path: &Path, filter: &MarkFilter, progress: &Progress) -> Result<Marks, IngestError> {
    let needed = ["classification_id", "subject_id", "volunteer", "x_min_days", "x_max_days"];
    let mut builder = MarksBuilder::default();
    let mut views: HashMap<u128, u32, FixedState> = HashMap::with_hasher(FixedState::with_seed(0x5eed));
    for_each_batch(path, &needed, progress, |cells: &dyn Cells| {
        for row in 0..cells.n_rows() {
            let text = |column| cells.text(column, row).unwrap_or_default();
            let is_wanted = |list: &[String], column| {
                list.is_empty() || list.iter().any(|wanted| *wanted == text(column))
            };
            if !is_wanted(&filter.workflows, "workflow_id") || !is_wanted(&filter.tasks, "task") {
                continue;
            }
            let key = order_key(&text("classification_id"));
            let view = *views.entry(key).or_insert_with(|| {
                let created = cells.time_ms("created_at", row);
                builder.view(&text("subject_id"), &text("volunteer"), created, key)
            });
            let number = |column| text(column).parse::<f64>().unwrap_or(f64::NAN);
            builder.mark(view, number("x_min_days"), number("x_max_days"));
        }
        Ok(())
    })?;
    Ok(builder.finish())
}

/// Reads the order of subjects (`subject_id`) or of volunteers (`volunteer`, or `username`, `user_name`,
/// which are hashed): what the released SATCHEL code depends on.
///
/// # Errors
/// Where the file cannot be read or has no such column.
pub fn read_order(path: &Path, progress: &Progress) -> Result<(Vec<String>, ReadReport), IngestError> {
    const EXPECTED: &str = "an order of subjects (subject_id) or of volunteers (volunteer, user_name)";
    let mut records = Records::open(path, RecordOptions::default(), progress)?;
    let header = records.header();
    let subject = find(header, &["subject_id", "subject"]);
    let column = match subject {
        Some(at) => VolunteerColumn { at, holds_names: false },
        None => {
            let names = ["volunteer", "username", "user_name", "user"];
            let mut column = VolunteerColumn::need(header, &names, EXPECTED, path)?;
            column.holds_names |= header.names[column.at].eq_ignore_ascii_case("username");
            column
        }
    };
    let (mut order, mut tally) = (Vec::new(), Tally::default());
    while let Some(record) = records.next_record()? {
        let cell = record.get(Some(column.at));
        order.push(if column.holds_names { volunteer::key(cell.trim()).0 } else { cell.to_owned() });
        tally.used += 1;
    }
    Ok((order, tally.finish(records)?))
}

/// Features and subjects of a folder that `volary marks` wrote. Features are sorted by subject.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureTable {
    /// Subject ids.
    pub subjects: Vec<String>,
    /// Per subject: its simulation.
    pub simulation: Vec<Option<String>>,
    /// Per feature: its id.
    pub id: Vec<u64>,
    /// Per feature: its subject's id, ascending.
    pub feature_subject: Vec<String>,
    /// Per feature: left end, days.
    pub x_min_days: Vec<f64>,
    /// Per feature: right end, days.
    pub x_max_days: Vec<f64>,
    /// Per feature: the number asked for; NaN where it is missing.
    pub score: Vec<f64>,
}

/// Reads `metafeatures` and `subjects` back; `column` names the number to judge by.
///
/// # Errors
/// Where a table cannot be read or lacks a column.
pub fn read_features(
    features: &Path,
    subjects: &Path,
    column: &str,
    progress: &Progress,
) -> Result<FeatureTable, IngestError> {
    let mut table = FeatureTable::default();
    for_each_batch(subjects, &["subject_id"], progress, |cells: &dyn Cells| {
        for row in 0..cells.n_rows() {
            table.subjects.push(cells.text("subject_id", row).unwrap_or_default().into_owned());
            let simulation = cells.text("simulation", row).filter(|s| !s.is_empty());
            table.simulation.push(simulation.map(std::borrow::Cow::into_owned));
        }
        Ok(())
    })?;
    let mut rows: Vec<(String, f64, f64, u64, f64)> = Vec::new();
    let needed = ["feature_id", "subject_id", "x_min_days", "x_max_days", column];
    for_each_batch(features, &needed, progress, |cells: &dyn Cells| {
        for row in 0..cells.n_rows() {
            let text = |name: &str| cells.text(name, row).unwrap_or_default().into_owned();
            let number = |name: &str| text(name).parse::<f64>().unwrap_or(f64::NAN);
            let id = text("feature_id").parse().unwrap_or(0);
            let bounds = (number("x_min_days"), number("x_max_days"));
            rows.push((text("subject_id"), bounds.0, bounds.1, id, number(column)));
        }
        Ok(())
    })?;
    rows.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.3.cmp(&b.3)));
    for (subject, x_min, x_max, id, score) in rows {
        table.feature_subject.push(subject);
        table.x_min_days.push(x_min);
        table.x_max_days.push(x_max);
        table.id.push(id);
        table.score.push(score);
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> ReadMarks {
        let file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
        std::fs::write(file.path(), text).unwrap();
        read_marks(file.path(), &MarkFilter::default(), 2, &Progress::default()).unwrap()
    }

    #[test]
    fn five_columns_with_every_kind_of_trouble() {
        let ReadMarks { marks, report } = read(
            "subject,user,classification,xmin,xmax\n\
             s1,Ann,c1,1.5,2.5\ns1,Ann,c1,9,8\ns1,Bob ,c2,nan,nan\ns1,Bob,c2,,\n\
             s2,Ann,c3,4,nan\ns2,Cid,c4,5,5\ns2,Dan,c1,1,2\ns2,Eve,c5,inf,2\n,Eve,c6,1,2\n",
        );
        let report = report.unwrap();
        assert!(report.adds_up(), "{report:?}");
        assert_eq!((report.rows_read, report.rows_used), (9, 5));
        assert_eq!((marks.n_views(), marks.n_marks(), marks.n_volunteers()), (5, 3, 5));
        assert_eq!(marks.x_min_days, [1.5, 8.0, 5.0]);
        assert_eq!(report.problems.count(ProblemKind::OddValue), 1);
        assert_eq!(report.left_out["conflicting classification id"], 1);
    }

    #[test]
    fn the_whole_table_brings_stars_starts_and_simulations() {
        let ReadMarks { marks, .. } = read(
            "classification_id,created_at,start_time,subject_id,user_name,kepler_id,synthetic,synthetic_id,\
             xMinGlobal,xMaxGlobal\n\
             541a00000000000003ed0a63,2014-10-21 22:33:00 UTC,544.4,s1,null,10467978,false,,563.7,564.2\n\
             541a00000000000003ed0a64,2014-10-21 22:34:00 UTC,100.5,s2,null,77,true,1413,nan,nan\n",
        );
        assert_eq!((marks.stars.len(), marks.n_volunteers()), (2, 1));
        assert_eq!(
            (marks.simulations.as_slice(), &marks.simulation),
            (&["1413".to_owned()][..], &vec![NONE, 0])
        );
        assert_eq!(marks.start_days, [544.4, 100.5]);
        assert!(marks.view_created_ms[0] < marks.view_created_ms[1]);
    }

    proptest! {
        #[test]
        fn says_what_the_slow_reader_says(
            rows in proptest::collection::vec((0..4_u8, 0..3_u8, 0..9_u8, proptest::sample::select(vec!["1", "2.5", "nan", "", "x", "inf"]), 0..5_u8), 0..40)
        ) {
            let mut text = String::from("subject,user,classification,xmin,xmax\n");
            for (s, u, c, x, w) in &rows {
                text.push_str(&format!("s{s},u{u},c{c},{x},{}\n", f64::from(*w)));
            }
            let file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
            std::fs::write(file.path(), &text).unwrap();
            let (extracts, slow) =
                crate::planet_hunters::read_planet_hunters(file.path(), &Progress::default()).unwrap();
            let ReadMarks { marks, report } = read(&text);
            let report = report.unwrap();
            prop_assert!(report.adds_up());
            prop_assert_eq!(report.rows_read, slow.rows_read);
            prop_assert_eq!(report.rows_used, slow.rows_used);
            prop_assert_eq!(marks.n_views(), extracts.classifications.len());
            prop_assert_eq!(marks.n_marks(), extracts.marks.iter().filter(|m| m.range.is_some()).count());
        }
    }
}
