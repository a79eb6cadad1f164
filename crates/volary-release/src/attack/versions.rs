//! Two versions of a package together: how many people left in between, and whose pseudonyms can be joined.
//!
//! Whoever knows that somebody opted out between two versions subtracts the one from the other: where few left, the
//! rows and the counts that are gone are theirs, in tier A too. Who left is told by the keys of both versions. Where
//! there is no key of the version before (it is to be put away or destroyed), or nobody has a pseudonym there, it is at
//! the least as many as the subject lost that lost most; that many may be fewer than did leave, and never more. Dates
//! of opt-outs are not asked: they may be anything.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use volary_ingest::Progress;
use volary_ingest::tables::for_each_batch;

use super::{Outcome, Truth, View, linkage, outcome};
use crate::error::ReleaseError;
use crate::pseudonym::Bearer;
use crate::settings::Privacy;

/// A package, and whose its pseudonyms are.
#[derive(Debug)]
pub struct Version<'a> {
    /// Its folder.
    pub folder: &'a Path,
    /// Its votes.
    pub view: &'a View,
    /// By its key.
    pub truth: &'a Truth<'a>,
}

/// So many people who are not out are tried, to see whether a key is that of the version before: each has a pseudonym
/// for every subject, and with another key none of them is there.
const MOST_TRIED: usize = 20;

impl Version<'_> {
    /// Those of these people who stand in it.
    fn holds<'p>(&self, people: impl IntoIterator<Item = &'p str>) -> BTreeSet<&'p str> {
        let seen: HashSet<&str> = self.view.pseudonyms().collect();
        let is_in = |person: &&str| {
            let mut tokens = self.truth.pseudonyms.all_of(person, self.truth.subjects.iter().copied());
            tokens.any(|token| seen.contains(token.text(Bearer::Account).as_str()))
        };
        people.into_iter().filter(is_in).collect()
    }
}

/// Difference of two versions: where fewer than `privacy.k` people left in between, all of them are found. `out` are
/// those who are out now; by `others`, some who are not, it is seen whether the key is that of the version before.
///
/// # Errors
/// Where the counts of a version cannot be read.
pub fn difference<'p>(
    [before, after]: [&Version<'_>; 2],
    out: &[&str],
    others: impl IntoIterator<Item = &'p str>,
    privacy: &Privacy,
    progress: &Progress,
) -> Result<Outcome, ReleaseError> {
    let stood = before.holds(out.iter().copied());
    let is_its_key = !stood.is_empty() || !before.holds(others.into_iter().take(MOST_TRIED)).is_empty();
    let n_people = if is_its_key {
        stood.difference(&after.holds(out.iter().copied())).count() as u64
    } else {
        least_that_left(before.folder, after.folder, progress)?
    };
    let n_found = if n_people < u64::from(privacy.k) { n_people } else { 0 };
    let knows = "who opted out in between";
    Ok(outcome("difference of versions", knows, n_people, n_found, n_found, privacy.most_found))
}

/// The most people that one subject lost to a question; one, where a subject is gone as a whole.
fn least_that_left(before: &Path, after: &Path, progress: &Progress) -> Result<u64, ReleaseError> {
    let after = seen(after, progress)?;
    let lost = |(of, n): (&[String; 3], &u64)| match after.get(of) {
        Some(left) => n.saturating_sub(*left),
        None => 1,
    };
    Ok(seen(before, progress)?.iter().map(lost).max().unwrap_or(0))
}

/// How many people saw each subject with each question: workflow, task, subject.
fn seen(package: &Path, progress: &Progress) -> Result<HashMap<[String; 3], u64>, ReleaseError> {
    let path = package.join("data/counts.parquet");
    let mut seen = HashMap::new();
    if !path.exists() {
        return Ok(seen);
    }
    let columns = ["workflow_id", "task", "subject_id", "n_seen"];
    for_each_batch(&path, &columns, progress, |cells| {
        for row in 0..cells.n_rows() {
            let text = |name: &str| cells.text(name, row).unwrap_or_default().into_owned();
            let n = text("n_seen").parse().unwrap_or(0);
            seen.insert(["workflow_id", "task", "subject_id"].map(text), n);
        }
        Ok(())
    })?;
    Ok(seen)
}

/// The attack that joins two versions: its bound is a share.
pub(crate) const JOIN: &str = "join of versions";

/// Pseudonyms of two versions that can be joined by what their rows say, of those that stand on two subjects or more;
/// `privacy` bounds their share.
#[must_use]
pub fn rejoined(before: &View, after: &View, privacy: &Privacy) -> Outcome {
    let (n_joined, n_all) = linkage::rejoined(before, after);
    let most = privacy.most_joined(n_all);
    outcome(JOIN, "the rows of both versions", n_all, n_joined, n_joined, most)
}
