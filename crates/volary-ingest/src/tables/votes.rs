//! Votes in memory: straight from an export, or from the tables that `extract` wrote.

use std::path::Path;

use volary_core::extracts::ExternalId;
use volary_core::votes::VotesBuilder;
use volary_core::{Extracts, QuestionKind, Votes};

use super::read::for_each_batch;
use crate::error::IngestError;
use crate::panoptes::ExtractSink;
use crate::source::Progress;
use crate::time;

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
        for vote in &e.votes {
            let answer = vote.answer.map(|a| e.text(a));
            self.builder.vote(first + vote.classification, e.text(vote.task), vote.kind, answer);
        }
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
    let mut builder = VotesBuilder::default();
    let mut known = std::collections::HashMap::<String, u32>::new();
    let needed = ["classification_id", "subject_id", "volunteer"];
    let beside = path.with_file_name(format!(
        "classifications.{}",
        path.extension().and_then(|e| e.to_str()).unwrap_or_default()
    ));
    let mut add = |builder: &mut VotesBuilder, cells: &dyn super::Cells, row: usize| {
        let text = |column| cells.text(column, row).unwrap_or_default();
        let id = text("classification_id");
        let created_ms = cells.text("created_at", row).and_then(|t| time::parse_ms(&t));
        let (workflow, subject, volunteer) =
            (text("workflow_id"), text("subject_id"), text("volunteer"));
        *known
            .entry(id.clone())
            .or_insert_with(|| builder.classification(&workflow, &subject, &volunteer, created_ms, &id))
    };
    if beside != path && beside.is_file() {
        for_each_batch(&beside, &needed, progress, |cells| {
            (0..cells.n_rows()).for_each(|row| {
                add(&mut builder, cells, row);
            });
            Ok(())
        })?;
    }
    for_each_batch(path, &[&needed[..], &["task", "answer"]].concat(), progress, |cells| {
        for row in 0..cells.n_rows() {
            let classification = add(&mut builder, cells, row);
            let task = cells.text("task", row).unwrap_or_default();
            let kind = cells.text("kind", row).as_deref().and_then(QuestionKind::parse);
            let kind = kind.unwrap_or(QuestionKind::Single);
            builder.vote(classification, &task, kind, cells.text("answer", row).as_deref());
        }
        Ok(())
    })?;
    Ok(builder.finish())
}
