//! A package's votes as an attacker reads them: by column name, trusting nothing of how they were made.

use std::collections::BTreeMap;
use std::path::Path;

use volary_core::Pool;
use volary_ingest::Progress;
use volary_ingest::tables::for_each_batch;

use crate::calendar::bucket_span;
use crate::error::ReleaseError;

const MS_PER_DAY: i64 = 86_400_000;

/// No answer, or no time.
const NONE: u32 = u32::MAX;

/// One row: places in the pools and among the times; ten million are held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) subject: u32,
    pub(crate) who: u32,
    /// Question and answer together.
    pub(crate) said: u32,
    answer: u32,
    when: u32,
}

impl Row {
    pub(crate) fn answer(&self) -> Option<u32> {
        (self.answer != NONE).then_some(self.answer)
    }
}

/// The votes of a package, or none.
#[derive(Debug, Default)]
pub struct View {
    pub(crate) subjects: Pool,
    pub(crate) people: Pool,
    pub(crate) answers: Pool,
    pub(crate) said: Pool,
    /// Sorted by subject and pseudonym.
    pub(crate) rows: Vec<Row>,
    /// First and last millisecond of each time.
    spans: Vec<(i64, i64)>,
}

impl View {
    /// Reads the votes of a package; a package without votes has nothing to attack.
    ///
    /// # Errors
    /// Where the table is there and cannot be read.
    pub fn open(package: &Path, progress: &Progress) -> Result<Self, ReleaseError> {
        let path = package.join("data/votes.parquet");
        if path.exists() { Self::read(&path, progress) } else { Ok(Self::default()) }
    }

    /// Reads one table of votes: `subject_id`, `volunteer`, `answer`, and `time` (coarse) or `created_at`
    /// (exact) where there is one.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn read(path: &Path, progress: &Progress) -> Result<Self, ReleaseError> {
        let mut view = Self::default();
        let mut known: BTreeMap<String, Option<(i64, i64)>> = BTreeMap::new();
        let mut places: BTreeMap<(i64, i64), u32> = BTreeMap::new();
        for_each_batch(path, &["subject_id", "volunteer"], progress, |cells| {
            for row in 0..cells.n_rows() {
                let (Some(subject), Some(who)) =
                    (cells.text("subject_id", row), cells.text("volunteer", row))
                else {
                    continue;
                };
                let answer = cells.text("answer", row);
                let task = cells.text("task", row).unwrap_or_default();
                let said = said(&task, answer.as_deref());
                let when = match cells.time_ms("created_at", row) {
                    Some(ms) => Some((ms, ms)),
                    None => cells.text("time", row).and_then(|text| {
                        let days = |t: &str| {
                            let (first, last) = bucket_span(t)?;
                            Some((i64::from(first) * MS_PER_DAY, (i64::from(last) + 1) * MS_PER_DAY - 1))
                        };
                        *known.entry(text.into_owned()).or_insert_with_key(|t| days(t))
                    }),
                };
                let when = when.map(|span| {
                    *places.entry(span).or_insert_with(|| {
                        view.spans.push(span);
                        view.spans.len() as u32 - 1
                    })
                });
                view.rows.push(Row {
                    subject: view.subjects.intern(&subject).number(),
                    who: view.people.intern(&who).number(),
                    said: view.said.intern(&said).number(),
                    answer: answer.map_or(NONE, |a| view.answers.intern(&a).number()),
                    when: when.unwrap_or(NONE),
                });
            }
            Ok(())
        })?;
        view.rows.sort_by_key(|r| (r.subject, r.who, r.said));
        Ok(view)
    }

    /// Every pseudonym, once.
    pub fn pseudonyms(&self) -> impl Iterator<Item = &str> {
        self.people.iter()
    }

    /// Every subject, once.
    pub fn subject_ids(&self) -> impl Iterator<Item = &str> {
        self.subjects.iter()
    }

    /// First and last millisecond of a row's time.
    pub(crate) fn when(&self, row: &Row) -> Option<(i64, i64)> {
        self.spans.get(row.when as usize).copied()
    }

    /// Rows.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.rows.len()
    }

    /// The rows of a subject.
    pub(crate) fn of_subject(&self, id: &str) -> &[Row] {
        let Some(subject) = self.subjects.get(id).map(volary_core::Symbol::number) else { return &[] };
        let start = self.rows.partition_point(|r| r.subject < subject);
        let len = self.rows[start..].partition_point(|r| r.subject == subject);
        &self.rows[start..start + len]
    }

    pub(crate) fn person(&self, who: u32) -> &str {
        self.people.at(who as usize).unwrap_or_default()
    }

    /// On how many subjects each pseudonym stands.
    pub(crate) fn activity(&self) -> Vec<u64> {
        let mut counts = vec![0; self.people.len()];
        for rows in self.rows.chunk_by(|a, b| (a.subject, a.who) == (b.subject, b.who)) {
            counts[rows[0].who as usize] += 1;
        }
        counts
    }
}

/// What a row says, as one text.
fn said(task: &str, answer: Option<&str>) -> String {
    format!("{task}\u{1f}{}", answer.unwrap_or_default())
}
