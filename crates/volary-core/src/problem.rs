//! What was wrong with an input: row, column, what. Broken input is normal input, so readers return
//! what they could read *and* these.
//!
//! Every problem is counted; of each kind only the first few are kept as examples, so that a file with
//! a million bad rows does not become a million messages.

use std::collections::BTreeMap;

/// How many examples of each kind are kept.
pub const EXAMPLES_PER_KIND: usize = 20;

/// The kinds of problem that an input can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProblemKind {
    /// A row with fewer or more fields than the header.
    WrongFieldCount,
    /// The file ends inside a quoted field.
    CutOff,
    /// A row longer than the limit; it was passed over without being held in memory.
    RowTooLong,
    /// Bytes that are not UTF-8; they were replaced by U+FFFD.
    InvalidUtf8,
    /// A NUL byte in a field.
    NulByte,
    /// JSON that does not parse.
    BadJson,
    /// A cell that should hold something and is empty.
    EmptyCell,
    /// A cell that should hold a number and does not.
    NotANumber,
    /// A time that does not parse.
    BadTime,
    /// A time after the present.
    FutureTime,
    /// A task whose annotation has no shape that is known.
    UnknownTask,
    /// An annotation whose value does not fit its task.
    OddValue,
    /// An answer index beyond the workflow's answers.
    UnknownAnswer,
    /// The same classification id again, with equal content.
    RepeatedId,
    /// The same classification id again, with other content.
    ConflictingId,
    /// One task key that asks different questions in different workflow versions.
    TaskChanged,
    /// A row that stands twice (label tables, manifests).
    DuplicateRow,
    /// A key that the platform ignores, probably misspelt.
    Misspelt,
    /// A value that is legal and probably not meant.
    Suspicious,
    /// A file that is named and not there.
    MissingFile,
    /// A path that leads out of the folder that it belongs to.
    PathLeadsOut,
    /// A second row for a subject that another row describes.
    SubjectTwice,
    /// An image that cannot be read; it is left out.
    UnreadableImage,
    /// An image that can be read and differs from what is expected.
    OddImage,
}

impl ProblemKind {
    /// The kind in words, as the summary prints it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WrongFieldCount => "wrong number of fields",
            Self::CutOff => "file cut off",
            Self::RowTooLong => "row too long",
            Self::InvalidUtf8 => "invalid UTF-8",
            Self::NulByte => "NUL byte",
            Self::BadJson => "bad JSON",
            Self::EmptyCell => "empty cell",
            Self::NotANumber => "not a number",
            Self::BadTime => "unreadable time",
            Self::FutureTime => "time in the future",
            Self::UnknownTask => "unknown task type",
            Self::OddValue => "odd value",
            Self::UnknownAnswer => "unknown answer",
            Self::RepeatedId => "classification id repeated",
            Self::ConflictingId => "classification id repeated with other content",
            Self::TaskChanged => "task changed between versions",
            Self::DuplicateRow => "duplicate row",
            Self::Misspelt => "key that the platform ignores",
            Self::Suspicious => "suspicious value",
            Self::MissingFile => "missing file",
            Self::PathLeadsOut => "path that leads out of its folder",
            Self::SubjectTwice => "second row for a subject",
            Self::UnreadableImage => "unreadable image",
            Self::OddImage => "odd image",
        }
    }
}

/// One problem: where and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Data row, 1 for the first after the header; 0 for the file as a whole.
    pub row: u64,
    /// Column name; empty for the row as a whole.
    pub column: String,
    /// The kind.
    pub kind: ProblemKind,
    /// What exactly, in words. Never holds a volunteer's name.
    pub detail: String,
}

/// Problems of one input: all counted, the first of each kind kept.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    counts: BTreeMap<ProblemKind, u64>,
    examples: BTreeMap<ProblemKind, Vec<Problem>>,
}

impl Problems {
    /// Counts a problem and keeps it if it is among the first of its kind.
    pub fn add(&mut self, row: u64, column: &str, kind: ProblemKind, detail: impl Into<String>) {
        *self.counts.entry(kind).or_default() += 1;
        let kept = self.examples.entry(kind).or_default();
        if kept.len() < EXAMPLES_PER_KIND {
            kept.push(Problem { row, column: column.to_owned(), kind, detail: detail.into() });
        }
    }

    /// Adds those of `other`; examples stay in the order of addition.
    pub fn absorb(&mut self, other: &Problems) {
        for (&kind, n) in &other.counts {
            *self.counts.entry(kind).or_default() += n;
            let kept = self.examples.entry(kind).or_default();
            let room = EXAMPLES_PER_KIND.saturating_sub(kept.len());
            kept.extend(other.examples[&kind].iter().take(room).cloned());
        }
    }

    /// The same, with the name of the file in the words: for tables that are read beside the one that is named.
    #[must_use]
    pub fn of_file(&self, file: &str) -> Self {
        let mut named = self.clone();
        for problem in named.examples.values_mut().flatten() {
            problem.detail = format!("{file}: {}", problem.detail);
        }
        named
    }

    /// How many in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// How many of one kind.
    #[must_use]
    pub fn count(&self, kind: ProblemKind) -> u64 {
        self.counts.get(&kind).copied().unwrap_or(0)
    }

    /// Counts by kind, in a fixed order.
    pub fn by_kind(&self) -> impl Iterator<Item = (ProblemKind, u64)> + '_ {
        self.counts.iter().map(|(&k, &n)| (k, n))
    }

    /// The examples kept, by kind and then in the order of addition.
    pub fn examples(&self) -> impl Iterator<Item = &Problem> {
        self.examples.values().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_the_first_are_kept() {
        let mut problems = Problems::default();
        for row in 1..=100 {
            problems.add(row, "annotations", ProblemKind::BadJson, format!("row {row}"));
        }
        let mut more = Problems::default();
        more.add(5, "", ProblemKind::CutOff, "in row 5");
        assert_eq!(more.of_file("a.csv").examples().next().unwrap().detail, "a.csv: in row 5");
        problems.absorb(&more);
        assert_eq!(problems.total(), 101);
        assert_eq!(problems.count(ProblemKind::BadJson), 100);
        assert_eq!(problems.examples().count(), EXAMPLES_PER_KIND + 1);
    }
}
