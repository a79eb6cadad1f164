//! Votes in memory: straight from an export, or from the tables that `extract` wrote.

use std::collections::HashMap;
use std::path::Path;

use volary_core::extracts::ExternalId;
use volary_core::votes::{NO_ANSWER, Vote, VotesBuilder};
use volary_core::{Extracts, Pool, QuestionKind, Symbol, Votes};

use super::read::{Cells, for_each_batch};
use crate::error::IngestError;
use crate::panoptes::ExtractSink;
use crate::source::Progress;

/// Gathers the votes of an export; the k-th classification taken is the k-th of the builder.
#[derive(Debug, Default)]
pub struct VoteCollector {
    builder: VotesBuilder,
    n_classifications: u64,
}

impl VoteCollector {
    /// The votes in canonical order.
    #[must_use]
    pub fn finish(self) -> Votes {
        self.builder.finish()
    }
}

impl VoteCollector {
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
            let (workflow, subject) = (e.text(class.workflow), e.text(class.subject));
            let volunteer = e.text(class.volunteer.key);
            let (builder, time) = (&mut self.builder, class.created_ms);
            match class.id {
                ExternalId::Number(id) => {
                    builder.numbered_classification(workflow, subject, volunteer, time, id)
                }
                ExternalId::Text(id) => {
                    builder.classification(workflow, subject, volunteer, time, e.text(id))
                }
            };
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
}

/// Reads a `votes` table that `extract` wrote. Where its `classifications` table stands beside it, the
/// classifications without any vote (only drawn, say) count as views of their subject too.
///
/// # Errors
/// Where a table cannot be read or lacks a column.
pub fn read_votes(path: &Path, progress: &Progress) -> Result<Votes, IngestError> {
    let mut reader = VotesReader::default();
    let needed = ["classification_id", "subject_id", "volunteer"];
    let beside = path.with_file_name(format!(
        "classifications.{}",
        path.extension().and_then(|e| e.to_str()).unwrap_or_default()
    ));
    if beside != path && beside.is_file() {
        for_each_batch(&beside, &needed, progress, |cells| {
            for row in 0..cells.n_rows() {
                reader.classification(cells, row);
            }
            Ok(())
        })?;
        reader.next = 0;
    }
    for_each_batch(path, &[&needed[..], &["task", "answer"]].concat(), progress, |cells| {
        for row in 0..cells.n_rows() {
            let classification = reader.classification(cells, row);
            let kind = cells.text("kind", row).as_deref().and_then(QuestionKind::parse);
            let task = cells.text("task", row).unwrap_or_default();
            let answer = cells.text("answer", row);
            let kind = kind.unwrap_or(QuestionKind::Single);
            reader.builder.vote(classification, &task, kind, answer.as_deref());
        }
        Ok(())
    })?;
    Ok(reader.builder.finish())
}

/// Knows classifications by their ids. The tables of one extraction come in one order, so the one looked
/// for is nearly always the last one or the one after it.
#[derive(Default)]
struct VotesReader {
    builder: VotesBuilder,
    ids: Pool,
    next: usize,
}

impl VotesReader {
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
}
