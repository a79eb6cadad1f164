//! Fills the tables of a package.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use rayon::slice::ParallelSliceMut as _;
use volary_ingest::Progress;
use volary_ingest::tables::for_each_batch;

use super::inputs::Gold;
use super::protect::{COUNTRY, FIRST, GROUP, Person, Protection, Released, decile_or_none};
use crate::calendar::{Resolution, bucket_text};
use crate::error::ReleaseError;
use crate::noise::Noisy;
use crate::tables::{Cell, Sink, Written};
use crate::tier::{Kind, Table, Tier};
use crate::votes::{Count, NO_ANSWER, NO_DAY, Vote, Votes};

/// A package under construction.
pub(crate) struct Desk<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) tier: Tier,
    pub(crate) votes: &'a Votes,
}

impl Desk<'_> {
    fn sink(&self, table: Table, n_rows: usize) -> Result<Sink, ReleaseError> {
        let columns = table.columns(self.tier).ok_or_else(|| {
            ReleaseError::Refused(format!("{} do not leave in tier {:?}", table.name(), self.tier))
        })?;
        Sink::create(self.folder, table, columns, n_rows as u64)
    }

    pub(crate) fn counts(&self, counts: &[Count]) -> Result<Written, ReleaseError> {
        let mut sink = self.sink(Table::Counts, counts.len())?;
        let mut sorted: Vec<&Count> = counts.iter().collect();
        sorted.sort_unstable_by_key(|c| (c.question, c.subject, c.answer));
        for count in sorted {
            let question = &self.votes.questions[count.question as usize];
            sink.row(&[
                Cell::Text(&question.workflow),
                Cell::Text(&question.task),
                Cell::Text(&self.votes.subjects[count.subject as usize]),
                Cell::Text(&self.votes.answers[count.answer as usize]),
                Cell::Count(count.n_seen),
                Cell::Count(count.n_votes),
                Cell::Number(count.n_votes as f64 / count.n_seen as f64),
            ])?;
        }
        sink.finish()
    }

    /// The consensus, after it was found to be of these votes: `all` are the counts before rare answers
    /// went, `released` those after.
    pub(crate) fn consensus(
        &self,
        path: &Path,
        all: &[Count],
        released: &[Count],
        progress: &Progress,
    ) -> Result<Written, ReleaseError> {
        let mut rows: Vec<([u32; 3], Vec<f64>)> = Vec::new();
        let mut wrong: Option<String> = None;
        let columns = Table::Consensus.columns(self.tier).unwrap_or_default();
        let count_of = |counts: &[Count], s, q, a| {
            let at = counts.binary_search_by_key(&(s, q, a), |c| (c.subject, c.question, c.answer));
            at.ok().map(|at| counts[at].n_votes)
        };
        // A consensus has a row for every answer of a question on every subject, those that nobody gave there too:
        // an answer that does not leave must not do so with a zero.
        let leaves: HashSet<(u32, u32)> = released.iter().map(|c| (c.question, c.answer)).collect();
        let n_seen_of = |counts: &[Count], s: u32, q: u32| {
            let at = counts.partition_point(|c| (c.subject, c.question) < (s, q));
            counts.get(at).filter(|c| (c.subject, c.question) == (s, q)).map(|c| c.n_seen)
        };
        let needed = ["workflow_id", "task", "subject_id", "answer", "n_seen", "n_votes"];
        for_each_batch(path, &needed, progress, |cells| {
            for row in 0..cells.n_rows() {
                let text = |name: &str| cells.text(name, row).unwrap_or_default().into_owned();
                let [workflow, task, subject, answer] =
                    ["workflow_id", "task", "subject_id", "answer"].map(text);
                let [given, given_seen] =
                    ["n_votes", "n_seen"].map(|name| text(name).parse::<f64>().map_or(0, |n| n as u64));
                let question = self.votes.question(&workflow, &task);
                let places = (self.votes.subject(&subject), question, self.votes.answer(&answer));
                let counted = match places {
                    (Some(s), Some(q), Some(a)) => count_of(all, s, q, a).unwrap_or(0),
                    _ => 0,
                };
                if counted != given && wrong.is_none() {
                    wrong = Some(format!(
                        "the consensus is of other votes than those released: subject {subject}, {task}, {given} votes there and {counted} here; run `volary consensus` on the same votes, without those who opted out"
                    ));
                }
                let seen = places.0.zip(question).and_then(|(s, q)| n_seen_of(all, s, q));
                if seen.is_some_and(|seen| seen != given_seen) && wrong.is_none() {
                    wrong = Some(format!(
                        "the consensus is of other votes than those released: subject {subject}, {task}, seen by {given_seen} there and by {} here; run `volary consensus` on the same votes, without those who opted out",
                        seen.unwrap_or(0)
                    ));
                }
                let (Some(s), Some(q), Some(a)) = places else { continue };
                // An answer that few gave, or nobody, does not leave; nor what few saw.
                let is_rare = count_of(released, s, q, a).is_none() && counted > 0;
                if is_rare || !leaves.contains(&(q, a)) || n_seen_of(released, s, q).is_none() {
                    continue;
                }
                let numbers = columns[4..]
                    .iter()
                    .map(|c| cells.text(c.name, row).and_then(|t| t.parse().ok()).unwrap_or(f64::NAN))
                    .collect();
                rows.push(([q, s, a], numbers));
            }
            Ok(())
        })?;
        if let Some(what) = wrong {
            return Err(ReleaseError::Refused(what));
        }
        rows.sort_by_key(|row| row.0);
        if let Some(two) = rows.windows(2).find(|two| two[0].0 == two[1].0) {
            return Err(ReleaseError::Refused(format!(
                "the consensus has two rows of one answer: subject {}, {}; give the table that `volary consensus` wrote",
                self.votes.subjects[two[0].0[1] as usize], self.votes.answers[two[0].0[2] as usize]
            )));
        }
        let mut sink = self.sink(Table::Consensus, rows.len())?;
        for ([q, s, a], numbers) in &rows {
            let question = &self.votes.questions[*q as usize];
            let mut cells = vec![
                Cell::Text(&question.workflow),
                Cell::Text(&question.task),
                Cell::Text(&self.votes.subjects[*s as usize]),
                Cell::Text(&self.votes.answers[*a as usize]),
            ];
            for (number, column) in numbers.iter().zip(&columns[4..]) {
                cells.push(match column.kind {
                    Kind::Count => Cell::Count(*number as u64),
                    _ => Cell::Number(*number),
                });
            }
            sink.row(&cells)?;
        }
        sink.finish()
    }

    /// Shapes that enough people drew, by column name.
    pub(crate) fn shapes(
        &self,
        path: &Path,
        least: u32,
        progress: &Progress,
    ) -> Result<Written, ReleaseError> {
        let columns = Table::Shapes.columns(self.tier).unwrap_or_default();
        let mut rows: Vec<Vec<Option<String>>> = Vec::new();
        let needed = ["workflow_id", "task", "subject_id", "shape", "n_seen", "n_volunteers"];
        for_each_batch(path, &needed, progress, |cells| {
            for row in 0..cells.n_rows() {
                let text = |name: &str| cells.text(name, row).map(std::borrow::Cow::into_owned);
                let n: u64 = text("n_volunteers").and_then(|t| t.parse().ok()).unwrap_or(0);
                if n >= u64::from(least) {
                    rows.push(columns.iter().map(|c| text(c.name)).collect());
                }
            }
            Ok(())
        })?;
        rows.sort_unstable();
        let mut sink = self.sink(Table::Shapes, rows.len())?;
        for row in &rows {
            let cells = row.iter().zip(columns).map(|(text, column)| match (text, column.kind) {
                (None, _) => Cell::Missing,
                (Some(text), Kind::Text) => Cell::Text(text),
                (Some(text), Kind::Count) => text.parse().map_or(Cell::Missing, Cell::Count),
                (Some(text), Kind::Integer) => text.parse().map_or(Cell::Missing, Cell::Integer),
                (Some(text), Kind::Number) => text.parse().map_or(Cell::Missing, Cell::Number),
            });
            sink.row(&cells.collect::<Vec<_>>())?;
        }
        sink.finish()
    }

    pub(crate) fn gold(&self, gold: &[Gold]) -> Result<Written, ReleaseError> {
        let mut sink = self.sink(Table::Gold, gold.len())?;
        for row in gold {
            sink.row(&[
                row.workflow.as_deref().into(),
                row.task.as_deref().into(),
                Cell::Text(&row.subject),
                Cell::Text(&row.answer),
            ])?;
        }
        sink.finish()
    }

    /// Quartiles of the volunteers' agreement by band of activity; bands of fewer than k do not leave.
    pub(crate) fn skill(
        &self,
        people: &BTreeMap<String, Person>,
        k: u32,
    ) -> Result<Option<Written>, ReleaseError> {
        let (counts, _) = self.votes.activity();
        let mut bands: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
        for (volunteer, count) in self.votes.volunteers.iter().zip(counts) {
            let Some(agreement) = people.get(volunteer).and_then(|p| p.agreement) else { continue };
            if count > 0 && agreement.is_finite() {
                bands.entry(count.ilog10().min(4)).or_default().push(agreement);
            }
        }
        bands.retain(|_, shares| shares.len() >= k as usize);
        if bands.is_empty() {
            return Ok(None);
        }
        let mut sink = self.sink(Table::Skill, bands.len())?;
        for (band, mut shares) in bands {
            shares.sort_by(f64::total_cmp);
            let round = |x: f64| (x * 100.0).round() / 100.0;
            let at = |q: f64| round(shares[((shares.len() - 1) as f64 * q).round() as usize]);
            let name = ["1-9", "10-99", "100-999", "1000-9999", "10000+"][band as usize];
            sink.row(&[
                Cell::Text(name),
                Cell::Count(shares.len() as u64),
                Cell::Number(round(shares.iter().sum::<f64>() / shares.len() as f64)),
                Cell::Number(at(0.25)),
                Cell::Number(at(0.5)),
                Cell::Number(at(0.75)),
            ])?;
        }
        sink.finish().map(Some)
    }

    /// Histograms with their noise.
    pub(crate) fn histograms(&self, noisy: &Noisy) -> Result<Written, ReleaseError> {
        let n = noisy.histograms.iter().map(|(h, _)| h.bins.len()).sum();
        let mut sink = self.sink(Table::Histograms, n)?;
        for (histogram, scale) in &noisy.histograms {
            let question = histogram.question.as_ref();
            for (bin, n) in &histogram.bins {
                sink.row(&[
                    Cell::Text(histogram.name),
                    question.map(|(workflow, _)| workflow.as_str()).into(),
                    question.map(|(_, task)| task.as_str()).into(),
                    Cell::Text(bin),
                    Cell::Integer(*n),
                    Cell::Count(scale.half_width(0.95)),
                ])?;
            }
        }
        sink.finish()
    }

    pub(crate) fn votes(&self, protection: &Protection<'_>) -> Result<Written, ReleaseError> {
        let mut sink = self.sink(Table::Votes, self.votes.rows.len())?;
        let time = protection.time();
        let mut times: BTreeMap<i32, String> = BTreeMap::new();
        let mut rest = self.votes.rows.as_slice();
        while !rest.is_empty() {
            let (block, after) = rest.split_at(block_end(rest));
            rest = after;
            let mut rows: Vec<Released> = block.par_iter().map(|v| protection.release(v)).collect();
            // By subject, then by a pseudonym that the key drew: the order tells no time, no activity.
            rows.par_sort_unstable();
            for row in &rows {
                let question = &self.votes.questions[row.question as usize];
                let pseudonym = row.token.text(row.bearer);
                let answer = match row.answer {
                    NO_ANSWER => Cell::Missing,
                    answer => Cell::Text(&self.votes.answers[answer as usize]),
                };
                let mut cells = vec![
                    Cell::Text(&question.workflow),
                    Cell::Text(&question.task),
                    Cell::Text(&self.votes.subjects[row.subject as usize]),
                    Cell::Text(&pseudonym),
                    Cell::Text(&question.kind),
                    answer,
                ];
                if self.tier >= Tier::C {
                    cells.push(if row.day == NO_DAY || time == Resolution::None {
                        Cell::Missing
                    } else {
                        Cell::Text(times.entry(row.day).or_insert_with(|| bucket_text(row.day, time)))
                    });
                }
                sink.row(&cells)?;
            }
        }
        sink.finish()
    }

    pub(crate) fn volunteers(
        &self,
        protection: &Protection<'_>,
        people: &BTreeMap<String, Person>,
    ) -> Result<Written, ReleaseError> {
        let (table, rows) = protection.volunteers();
        let mut sink = self.sink(Table::Volunteers, rows.len())?;
        for (token, volunteer, row) in rows {
            let pseudonym = token.text(crate::pseudonym::Bearer::Account);
            let agreement = people.get(&self.votes.volunteers[volunteer]).and_then(|p| p.agreement);
            sink.row(&[
                Cell::Text(&pseudonym),
                table.label(super::protect::ACTIVITY, row).into(),
                table.label(FIRST, row).into(),
                table.label(COUNTRY, row).into(),
                table.label(GROUP, row).into(),
                match decile_or_none(agreement) {
                    10 => Cell::Missing,
                    decile => Cell::Count(u64::from(decile)),
                },
            ])?;
        }
        sink.finish()
    }
}

/// Votes that are pseudonymised, sorted and written together: some, up to the end of a subject.
fn block_end(rows: &[Vote]) -> usize {
    const BLOCK: usize = 1 << 17;
    let Some(last) = rows.get(BLOCK - 1) else { return rows.len() };
    BLOCK + rows[BLOCK..].iter().take_while(|v| v.subject == last.subject).count()
}
