//! What people call things: free tags of discussions, merged, counted, held against what was chosen.
//!
//! After Galaxy Zoo: Weird & Wonderful (Mantha et al. 2024, doi:10.5334/cstp.740): a raw tag becomes a merged
//! one by a table that the team edits ([`merge`] proposes it); of every subject with a comment, the merged
//! tags (repeats kept) and the number of comments are known. A subject has a tag if the merged tag is in its
//! list.
//!
//! Departure: people are counted beside subjects, since one person's habit is not a category; the paper has
//! 71 people make all tags, three of them 38 %. Nothing here reads texts: tags and comments come without.

pub mod merge;
mod quantile;

pub use merge::{MergeTable, Proposal, Why, propose};
pub use quantile::{Quantile, quantile};

use std::collections::{BTreeMap, BTreeSet};

/// A tag that somebody put on a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tagging<'a> {
    /// The subject.
    pub subject: &'a str,
    /// The raw tag.
    pub tag: &'a str,
    /// Who; empty where unknown.
    pub volunteer: &'a str,
}

/// A comment on a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remark<'a> {
    /// The subject.
    pub subject: &'a str,
    /// Who; empty where unknown.
    pub volunteer: &'a str,
}

/// One discussed subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discussed {
    /// Comments on it.
    pub n_comments: u64,
    /// Different people who commented on it or tagged it.
    pub n_people: u64,
    /// Its merged tags with how often each was put on it: index into [`Tags::rows`].
    pub tags: Vec<(usize, u64)>,
}

/// One merged tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagRow {
    /// The merged tag.
    pub tag: String,
    /// Raw tags that were merged into it, the most used first.
    pub raw: Vec<String>,
    /// How often it was put on a subject.
    pub n_uses: u64,
    /// Different subjects that have it.
    pub n_subjects: u64,
    /// Comments on these subjects.
    pub n_comments: u64,
    /// Different people who used it.
    pub n_people: u64,
    /// Uses by whoever used it most.
    pub n_by_one: u64,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// By subjects, the most first.
    pub rows: Vec<TagRow>,
    /// Subjects with a comment, by id.
    pub subjects: BTreeMap<String, Discussed>,
    /// Tags on subjects that nobody commented on, which count in no row.
    pub n_without_comment: u64,
    /// Different people who made the tags that count.
    pub n_people: u64,
    /// Uses by the three people who made most.
    pub n_by_three: u64,
}

impl Tags {
    /// Counts. `known`: whether a subject takes part (has a row in the vote table, say).
    #[must_use]
    pub fn count(
        taggings: &[Tagging<'_>],
        remarks: &[Remark<'_>],
        merge: &MergeTable,
        known: impl Fn(&str) -> bool,
    ) -> Self {
        let mut subjects: BTreeMap<&str, Talked<'_>> = BTreeMap::new();
        for remark in remarks.iter().filter(|r| !r.subject.is_empty() && known(r.subject)) {
            let row = subjects.entry(remark.subject).or_default();
            row.n_comments += 1;
            row.people.extend(Some(remark.volunteer).filter(|v| !v.is_empty()));
        }
        let (mut merged, mut n_without_comment) = (BTreeMap::<&str, Merging<'_>>::new(), 0);
        let mut by_person: BTreeMap<&str, u64> = BTreeMap::new();
        for tagging in taggings.iter().filter(|t| known(t.subject)) {
            let Some(Talked { people, tags, .. }) = subjects.get_mut(tagging.subject) else {
                n_without_comment += 1;
                continue;
            };
            let tag = merge.merged(tagging.tag);
            *tags.entry(tag).or_default() += 1;
            let row = merged.entry(tag).or_default();
            *row.raw.entry(tagging.tag).or_default() += 1;
            row.subjects.insert(tagging.subject);
            if !tagging.volunteer.is_empty() {
                people.insert(tagging.volunteer);
                *row.people.entry(tagging.volunteer).or_default() += 1;
                *by_person.entry(tagging.volunteer).or_default() += 1;
            }
        }
        let mut rows: Vec<TagRow> = merged
            .into_iter()
            .map(|(tag, row)| TagRow {
                tag: tag.to_owned(),
                n_uses: row.raw.values().sum(),
                n_subjects: row.subjects.len() as u64,
                n_comments: row.subjects.iter().map(|s| subjects[s].n_comments).sum(),
                n_people: row.people.len() as u64,
                n_by_one: row.people.values().copied().max().unwrap_or(0),
                raw: most_first(row.raw),
            })
            .collect();
        rows.sort_by(|a, b| b.n_subjects.cmp(&a.n_subjects).then_with(|| a.tag.cmp(&b.tag)));
        let at: BTreeMap<&str, usize> =
            rows.iter().enumerate().map(|(i, r)| (r.tag.as_str(), i)).collect();
        let of = |(id, row): (&str, Talked<'_>)| {
            let mut tags: Vec<(usize, u64)> =
                row.tags.into_iter().map(|(tag, n)| (at[tag], n)).collect();
            tags.sort_unstable();
            let (n_comments, n_people) = (row.n_comments, row.people.len() as u64);
            (id.to_owned(), Discussed { n_comments, n_people, tags })
        };
        let subjects = subjects.into_iter().map(of).collect();
        let mut most: Vec<u64> = by_person.values().copied().collect();
        most.sort_unstable_by(|a, b| b.cmp(a));
        let n_by_three = most.iter().take(3).sum();
        Self { rows, subjects, n_without_comment, n_people: most.len() as u64, n_by_three }
    }

    /// Subjects that have a tag, by id.
    pub fn subjects_with(&self, row: usize) -> impl Iterator<Item = &str> {
        let has = move |d: &Discussed| d.tags.iter().any(|(tag, _)| *tag == row);
        self.subjects.iter().filter(move |(_, d)| has(d)).map(|(id, _)| id.as_str())
    }

    /// Subjects that have any tag.
    #[must_use]
    pub fn n_tagged(&self) -> u64 {
        self.subjects.values().filter(|d| !d.tags.is_empty()).count() as u64
    }
}

/// A subject while it is counted.
#[derive(Default)]
struct Talked<'a> {
    n_comments: u64,
    people: BTreeSet<&'a str>,
    /// Merged tags and their uses.
    tags: BTreeMap<&'a str, u64>,
}

/// A merged tag while it is counted.
#[derive(Default)]
struct Merging<'a> {
    raw: BTreeMap<&'a str, u64>,
    subjects: BTreeSet<&'a str>,
    people: BTreeMap<&'a str, u64>,
}

fn most_first(counts: BTreeMap<&str, u64>) -> Vec<String> {
    let mut all: Vec<(&str, u64)> = counts.into_iter().collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    all.into_iter().map(|(tag, _)| tag.to_owned()).collect()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
