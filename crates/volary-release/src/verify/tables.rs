//! The tables of a package held against each other: votes counted again are its counts, and its consensus is of them.
//!
//! Rows are held as numbers of 64 bits made of their text, so that ten million votes fit; two of these meet by chance
//! once in 370,000 packages of that size.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

use rayon::slice::ParallelSliceMut as _;
use volary_ingest::tables::{Cells, for_each_batch};
use volary_ingest::{IngestError, Progress};

use super::{Check, Verified};

const VOTES: &str = "data/votes.parquet";
const COUNTS: &str = "data/counts.parquet";
const CONSENSUS: &str = "data/consensus.parquet";

/// A question on a subject.
const QUESTION: [&str; 3] = ["workflow_id", "task", "subject_id"];
/// An answer to it.
const ANSWER: [&str; 4] = ["workflow_id", "task", "subject_id", "answer"];

/// Cells of a row as one number.
pub(super) fn key_of(cells: &dyn Cells, row: usize, columns: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    columns.iter().for_each(|name| cells.text(name, row).hash(&mut hasher));
    hasher.finish()
}

fn count_of(cells: &dyn Cells, row: usize, column: &str) -> u64 {
    cells.text(column, row).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// What `counts` says.
#[derive(Default)]
struct Counts {
    n_votes: HashMap<u64, u64>,
    n_seen: HashMap<u64, u64>,
    /// Answers that somebody gave to a question, whatever the subject.
    answers: HashSet<u64>,
}

/// Holds the tables that are there against each other. What cannot be read has been said.
pub(super) fn check(package: &Path, out: &mut Verified, progress: &Progress) {
    let Ok(counts) = counts(package, out, progress) else { return };
    let _ = votes(package, &counts, out, progress);
    let _ = consensus(package, &counts, out, progress);
}

fn counts(package: &Path, out: &mut Verified, progress: &Progress) -> Result<Counts, IngestError> {
    let mut counts = Counts::default();
    let mut n_two = 0_u64;
    for_each_batch(&package.join(COUNTS), &[], progress, |cells| {
        for row in 0..cells.n_rows() {
            let n_seen = count_of(cells, row, "n_seen");
            let was = counts.n_seen.insert(key_of(cells, row, &QUESTION), n_seen);
            n_two += u64::from(was.is_some_and(|was| was != n_seen));
            counts.n_votes.insert(key_of(cells, row, &ANSWER), count_of(cells, row, "n_votes"));
            counts.answers.insert(key_of(cells, row, &["workflow_id", "task", "answer"]));
        }
        Ok(())
    })?;
    if n_two > 0 {
        let what =
            format!("{n_two} rows with another n_seen than the same question on the same subject has");
        out.find(Check::Schema, COUNTS, what);
    }
    Ok(counts)
}

/// Votes counted again.
fn votes(
    package: &Path,
    counts: &Counts,
    out: &mut Verified,
    progress: &Progress,
) -> Result<(), IngestError> {
    if !package.join(VOTES).exists() {
        return Ok(());
    }
    let (mut given, mut seen) = (Vec::new(), Vec::new());
    for_each_batch(&package.join(VOTES), &[], progress, |cells| {
        for row in 0..cells.n_rows() {
            seen.push((key_of(cells, row, &QUESTION), key_of(cells, row, &["volunteer"])));
            if cells.text("answer", row).is_some() {
                given.push(key_of(cells, row, &ANSWER));
            }
        }
        Ok(())
    })?;
    given.par_sort_unstable();
    seen.par_sort_unstable();
    seen.dedup();
    let (mut n_answers, mut n_wrong) = (0, 0);
    for one in given.chunk_by(|a, b| a == b) {
        n_answers += 1;
        n_wrong += usize::from(counts.n_votes.get(&one[0]) != Some(&(one.len() as u64)));
    }
    // Counts without a vote.
    n_wrong += counts.n_votes.len().saturating_sub(n_answers);
    let by_question = seen.chunk_by(|a, b| a.0 == b.0);
    let is_other = |people: &&[(u64, u64)]| {
        counts.n_seen.get(&people[0].0).is_some_and(|n| *n != people.len() as u64)
    };
    n_wrong += by_question.filter(is_other).count();
    if n_wrong > 0 {
        let what = format!("{n_wrong} counts are not what the votes say when they are counted");
        out.find(Check::Schema, COUNTS, what);
    }
    Ok(())
}

/// The consensus says the same numbers of votes, of nothing that does not leave.
fn consensus(
    package: &Path,
    counts: &Counts,
    out: &mut Verified,
    progress: &Progress,
) -> Result<(), IngestError> {
    if !package.join(CONSENSUS).exists() {
        return Ok(());
    }
    let (mut n_other, mut n_unknown) = (0_u64, 0_u64);
    for_each_batch(&package.join(CONSENSUS), &[], progress, |cells| {
        for row in 0..cells.n_rows() {
            let n_votes = counts.n_votes.get(&key_of(cells, row, &ANSWER)).copied().unwrap_or(0);
            let n_seen = counts.n_seen.get(&key_of(cells, row, &QUESTION)).copied();
            n_other += u64::from(
                n_votes != count_of(cells, row, "n_votes")
                    || n_seen != Some(count_of(cells, row, "n_seen")),
            );
            let answer = key_of(cells, row, &["workflow_id", "task", "answer"]);
            n_unknown += u64::from(!counts.answers.contains(&answer));
        }
        Ok(())
    })?;
    for (n, what) in [
        (n_other, "rows with other numbers of votes than the counts have"),
        (n_unknown, "rows with an answer that no count is of"),
    ] {
        if n > 0 {
            out.find(Check::Schema, CONSENSUS, format!("{n} {what}"));
        }
    }
    Ok(())
}
