//! Votes in memory: straight from an export, or from the tables that `extract` wrote.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use volary_core::extracts::{ExternalId, Numbers};
use volary_core::votes::{NO_ANSWER, Vote, VotesBuilder};
use volary_core::{Extracts, Pool, QuestionKind, Symbol, Votes};

use super::read::{Cells, for_each_batch};
use crate::error::IngestError;
use crate::panoptes::workflows::Workflows;
use crate::panoptes::{ExtractSink, Offer, offers};
use crate::source::Progress;
use crate::volunteer::Without;

/// Gathers the votes of an export; the k-th classification taken is the k-th of the builder.
#[derive(Debug, Default)]
pub struct VoteCollector {
    builder: VotesBuilder,
    n_classifications: u64,
    // The builder's symbols (workflow and subject; volunteer) by the input's own numbers.
    subjects: Vec<Option<[Symbol; 2]>>,
    volunteers: Vec<Option<Symbol>>,
}

/// What is known of a number, made where nothing is.
fn by_number<T: Copy>(known: &mut Vec<Option<T>>, number: u32, make: impl FnOnce() -> T) -> T {
    let at = number as usize;
    if at >= known.len() {
        known.resize(at + 1, None);
    }
    *known[at].get_or_insert_with(make)
}

impl VoteCollector {
    /// The votes in canonical order.
    #[must_use]
    pub fn finish(self) -> Votes {
        self.builder.finish()
    }
}

impl VoteCollector {
    /// The builder's symbols of workflow, subject and volunteer. With numbers the texts are looked up once
    /// in an input and not once a row, which is a miss of the cache or three each time.
    fn symbols(&mut self, texts: [&str; 3], numbers: Option<Numbers>) -> [Symbol; 3] {
        let builder = &mut self.builder;
        let Some(numbers) = numbers else { return texts.map(|text| builder.intern(text)) };
        let [workflow, subject, volunteer] = texts;
        let subject = || [workflow, subject].map(|text| builder.intern(text));
        let [workflow, subject] = by_number(&mut self.subjects, numbers.subject, subject);
        let volunteer = by_number(&mut self.volunteers, numbers.volunteer, || builder.intern(volunteer));
        [workflow, subject, volunteer]
    }

    /// Looks questions and answers up once a block, not once a vote.
    fn take_votes(&mut self, e: &Extracts, first: u32) {
        let mut questions: Vec<((Symbol, Symbol), u32)> = Vec::new();
        let mut answers: HashMap<(u32, Symbol), u32> = HashMap::new();
        for row in &e.votes {
            let workflow = e.classifications[row.classification as usize].workflow;
            let here = (workflow, row.task);
            let question = match questions.iter().find(|(known, _)| *known == here) {
                Some(&(_, question)) => question,
                None => {
                    let question = self.builder.question_of(e.text(workflow), e.text(row.task));
                    if questions.len() < MAX_QUESTIONS {
                        questions.push((here, question));
                    }
                    question
                }
            };
            let answer = match row.answer {
                None => NO_ANSWER,
                Some(label) => *answers
                    .entry((question, label))
                    .or_insert_with(|| self.builder.answer(question, e.text(label))),
            };
            let vote = Vote { classification: first + row.classification, question, answer };
            self.builder.vote_by_index(vote, row.kind);
        }
    }
}

/// Questions of a block that are remembered; a survey may have thousands, and then a walk is no gain.
const MAX_QUESTIONS: usize = 32;

impl ExtractSink for VoteCollector {
    fn take(&mut self, e: &Extracts) -> Result<(), IngestError> {
        let first = u32::try_from(self.n_classifications).unwrap_or(u32::MAX);
        for class in &e.classifications {
            let texts = [class.workflow, class.subject, class.volunteer.key].map(|s| e.text(s));
            let id = match class.id {
                ExternalId::Number(id) => id,
                ExternalId::Text(id) => {
                    let [workflow, subject, volunteer] = texts;
                    let (time, id) = (class.created_ms, e.text(id));
                    self.builder.classification(workflow, subject, volunteer, time, id);
                    continue;
                }
            };
            let who = self.symbols(texts, class.numbers);
            self.builder.interned_classification(who, class.created_ms, id);
        }
        self.n_classifications += e.classifications.len() as u64;
        self.take_votes(e, first);
        Ok(())
    }

    fn take_late(&mut self, e: &Extracts, ordinals: &[u64]) -> Result<(), IngestError> {
        for vote in &e.votes {
            let ordinal = u32::try_from(ordinals[vote.classification as usize]).unwrap_or(u32::MAX);
            let answer = vote.answer.map(|a| e.text(a));
            self.builder.vote(ordinal, e.text(vote.task), vote.kind, answer);
        }
        Ok(())
    }

    fn take_offer(&mut self, offer: &Offer<'_>) {
        offer.add_to(&mut self.builder);
    }
}

/// Reads a `votes` table that `extract` wrote. Where its `classifications` table stands beside it, the
/// classifications without any vote (only drawn, say) count as views of their subject too, and its versions
/// say which answers of `workflows` were offered. A table of that name without its columns (the export that the
/// votes are of, say) is none.
///
/// # Errors
/// Where a table cannot be read or lacks a column.
pub fn read_votes(
    path: &Path,
    workflows: Option<&Workflows>,
    progress: &Progress,
) -> Result<Votes, IngestError> {
    Ok(read_votes_without(path, workflows, &Without::default(), progress)?.0)
}

/// The same without the rows of some volunteers; also how many rows of votes these were.
///
/// # Errors
/// As [`read_votes`].
pub fn read_votes_without(
    path: &Path,
    workflows: Option<&Workflows>,
    without: &Without,
    progress: &Progress,
) -> Result<(Votes, u64), IngestError> {
    let mut reader = VotesReader::default();
    let mut n_left_out = 0;
    let is_out = |cells: &dyn Cells, row: usize| {
        !without.is_empty() && cells.text("volunteer", row).is_some_and(|v| without.has(&v))
    };
    let needed = ["classification_id", "subject_id", "volunteer"];
    let beside = path.with_file_name(format!(
        "classifications.{}",
        path.extension().and_then(|e| e.to_str()).unwrap_or_default()
    ));
    if beside != path && beside.is_file() && !is_of_gold(path) {
        let read = for_each_batch(&beside, &needed, progress, |cells| {
            for row in (0..cells.n_rows()).filter(|row| !is_out(cells, *row)) {
                reader.classification(cells, row);
                if workflows.is_some() {
                    reader.note_version(cells, row);
                }
            }
            Ok(())
        });
        match read {
            // Columns are looked at before the first row is taken.
            Err(IngestError::MissingColumns { .. }) => {}
            read => read?,
        }
        reader.next = 0;
    }
    for_each_batch(path, &[&needed[..], &["task", "answer"]].concat(), progress, |cells| {
        for row in 0..cells.n_rows() {
            if is_out(cells, row) {
                n_left_out += 1;
                continue;
            }
            let classification = reader.classification(cells, row);
            let kind = cells.text("kind", row).as_deref().and_then(QuestionKind::parse);
            let task = cells.text("task", row).unwrap_or_default();
            let answer = cells.text("answer", row);
            let kind = kind.unwrap_or(QuestionKind::Single);
            reader.builder.vote(classification, &task, kind, answer.as_deref());
        }
        Ok(())
    })?;
    if let Some(workflows) = workflows {
        let used = reader.versions.iter().map(|(w, v)| (w.as_str(), v.as_str()));
        offers(workflows, used).iter().for_each(|offer| offer.add_to(&mut reader.builder));
    }
    Ok((reader.builder.finish(), n_left_out))
}

/// Whether the votes are by their name those that `volary gold` wrote: it numbers classifications anew, so that
/// those of an extract beside it would all be counted as others.
fn is_of_gold(path: &Path) -> bool {
    path.file_stem().and_then(|stem| stem.to_str()).is_some_and(|stem| stem.ends_with("_votes"))
}

/// Knows classifications by their ids. The tables of one extraction come in one order, so the one looked
/// for is nearly always the last one or the one after it.
#[derive(Default)]
struct VotesReader {
    builder: VotesBuilder,
    ids: Pool,
    next: usize,
    versions: BTreeSet<(String, String)>,
    last_version: (String, String),
}

impl VotesReader {
    fn note_version(&mut self, cells: &dyn Cells, row: usize) {
        let text = |column| cells.text(column, row).unwrap_or_default();
        let (workflow, version) = (text("workflow_id"), text("workflow_version"));
        // Versions change a few times in a million rows.
        if (&*self.last_version.0, &*self.last_version.1) != (&*workflow, &*version) {
            self.last_version = (workflow.into_owned(), version.into_owned());
            self.versions.insert(self.last_version.clone());
        }
    }

    fn classification(&mut self, cells: &dyn Cells, row: usize) -> u32 {
        let text = |column| cells.text(column, row).unwrap_or_default();
        let id = text("classification_id");
        for at in [self.next.wrapping_sub(1), self.next] {
            if self.ids.at(at) == Some(&*id) {
                self.next = at + 1;
                return u32::try_from(at).unwrap_or(u32::MAX);
            }
        }
        let at = self.ids.intern(&id).index();
        if at == self.ids.len() - 1 && at == self.builder.n_classifications() {
            let created_ms = cells.time_ms("created_at", row);
            let (workflow, subject, volunteer) =
                (text("workflow_id"), text("subject_id"), text("volunteer"));
            self.builder.classification(&workflow, &subject, &volunteer, created_ms, &id);
        }
        self.next = at + 1;
        u32::try_from(at).unwrap_or(u32::MAX)
    }
}

/// Two sinks at once: tables on disk and votes in memory out of one reading.
#[derive(Debug)]
pub struct Both<'s, A, B>(pub &'s mut A, pub &'s mut B);

impl<A: ExtractSink, B: ExtractSink> ExtractSink for Both<'_, A, B> {
    fn take(&mut self, extracts: &Extracts) -> Result<(), IngestError> {
        self.0.take(extracts)?;
        self.1.take(extracts)
    }

    fn take_late(&mut self, extracts: &Extracts, ordinals: &[u64]) -> Result<(), IngestError> {
        self.0.take_late(extracts, ordinals)?;
        self.1.take_late(extracts, ordinals)
    }

    fn take_offer(&mut self, offer: &Offer<'_>) {
        self.0.take_offer(offer);
        self.1.take_offer(offer);
    }
}
