//! Two versions of a package together: how many people left in between, and whose pseudonyms can be joined.
//!
//! Whoever knows that somebody opted out between two versions subtracts the one from the other: where few left, the
//! rows, the counts and the strokes that are gone are theirs, in tier A too. Who left is told by the keys of both
//! versions. Where there is no key of the version before (it is to be put away or destroyed), or nobody has a pseudonym
//! there, it is at the least as many as the subject lost that lost most; that many may be fewer than did leave, and
//! never more. Who drew and did not vote has no pseudonym, so shapes are asked in any case. Dates of opt-outs are not
//! asked: they may be anything.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use volary_ingest::Progress;
use volary_ingest::tables::for_each_batch;

use super::{Outcome, Truth, View, linkage, outcome};
use crate::error::ReleaseError;
use crate::pseudonym::Bearer;
use crate::settings::Privacy;
use crate::tier::Table;

/// A package, and whose its pseudonyms are.
#[derive(Debug)]
pub struct Version<'a> {
    /// Its folder.
    pub folder: &'a Path,
    /// Its votes.
    pub view: &'a View,
    /// By its key, where that is there.
    pub truth: Option<&'a Truth<'a>>,
}

impl Version<'_> {
    /// Those of these people who stand in it; nobody can say so without its key, or where nobody has a pseudonym.
    fn holds<'p>(&self, people: &[&'p str]) -> Option<BTreeSet<&'p str>> {
        let truth = self.truth.filter(|_| self.view.n_rows() > 0)?;
        let seen: HashSet<&str> = self.view.pseudonyms().collect();
        let is_in = |person: &&str| {
            let mut tokens = truth.pseudonyms.all_of(person, truth.subjects.iter().copied());
            tokens.any(|token| seen.contains(token.text(Bearer::Account).as_str()))
        };
        Some(people.iter().copied().filter(is_in).collect())
    }
}

/// Difference of two versions: where fewer than `privacy.k` people left in between, all of them are found. `out` are
/// those who are out now. Where k or more left, k is told: how many opted out would help to find them.
///
/// # Errors
/// Where the counts or shapes of a version cannot be read.
pub fn difference(
    [before, after]: [&Version<'_>; 2],
    out: &[&str],
    privacy: &Privacy,
    progress: &Progress,
) -> Result<Outcome, ReleaseError> {
    let least_that_left = |table| least_that_left(table, before.folder, after.folder, progress);
    let n_voters = match (before.holds(out), after.holds(out)) {
        (Some(stood), Some(stand)) => stood.difference(&stand).count() as u64,
        _ => least_that_left(Table::Counts)?,
    };
    let n_people = n_voters.max(least_that_left(Table::Shapes)?);
    let k = u64::from(privacy.k);
    let n_found = if n_people < k { n_people } else { 0 };
    let knows = "who opted out in between; looked for are k people, where k or more did";
    Ok(outcome("difference of versions", knows, n_people.min(k), n_found, n_found, privacy.most_found))
}

/// The most people that one subject lost to a question; one, where a subject is gone as a whole.
fn least_that_left(
    table: Table,
    before: &Path,
    after: &Path,
    progress: &Progress,
) -> Result<u64, ReleaseError> {
    let after = seen(after, table, progress)?;
    let lost = |(of, n): (&[String; 3], &u64)| match after.get(of) {
        Some(left) => n.saturating_sub(*left),
        None => 1,
    };
    Ok(seen(before, table, progress)?.iter().map(lost).max().unwrap_or(0))
}

/// How many people saw each subject with each question: workflow, task, subject.
fn seen(
    package: &Path,
    table: Table,
    progress: &Progress,
) -> Result<HashMap<[String; 3], u64>, ReleaseError> {
    let path = package.join(format!("data/{}.parquet", table.name()));
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
/// `privacy` bounds their share. Whose claims are right, the keys of both tell for `everybody` who voted; of a
/// pseudonym that is nobody's of these a claim counts as right.
#[must_use]
pub fn rejoined([before, after]: [&Version<'_>; 2], everybody: &[&str], privacy: &Privacy) -> Outcome {
    let (claims, n_all) = linkage::rejoined(before.view, after.view);
    let token =
        |of: &Version<'_>, person: &str| Some(of.truth?.pseudonyms.person(person).text(Bearer::Account));
    let truly: HashMap<String, String> = everybody
        .iter()
        .filter_map(|person| Some((token(before, person)?, token(after, person)?)))
        .collect();
    let is_right = |(old, new): &&(&str, &str)| truly.get(*old).is_none_or(|right| right == new);
    let n_found = claims.iter().filter(is_right).count() as u64;
    let most = privacy.most_joined(n_all);
    outcome(JOIN, "the rows of both versions", n_all, claims.len() as u64, n_found, most)
}
