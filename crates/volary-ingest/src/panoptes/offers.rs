//! Which answers a project's questions offer, whether anybody gave them or not.
//!
//! An export holds only what was said. That nobody of twelve said "Merger" is known only to who knows that
//! "Merger" was there to say, so it takes the workflow export. Versions that nobody classified with say
//! nothing here.

use std::collections::BTreeSet;

use volary_core::QuestionKind;
use volary_core::votes::VotesBuilder;

use super::annotation::question_kind;
use super::workflows::Workflows;

/// An answer that a task offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offer<'w> {
    /// Workflow id.
    pub workflow: &'w str,
    /// Task key.
    pub task: &'w str,
    /// What kind of question it is.
    pub kind: QuestionKind,
    /// The answer's label.
    pub answer: &'w str,
}

impl Offer<'_> {
    /// Lists the answer with a question's others, where somebody was asked that question.
    pub fn add_to(&self, builder: &mut VotesBuilder) {
        builder.offer_where_asked(self.workflow, self.task, self.kind, self.answer);
    }
}

/// The answers of all questions with a closed list, in the versions in which there are classifications
/// (`(workflow id, version)`, as the export writes them).
#[must_use]
pub fn offers<'w>(
    workflows: &'w Workflows,
    used: impl IntoIterator<Item = (&'w str, &'w str)>,
) -> BTreeSet<Offer<'w>> {
    let mut offers = BTreeSet::new();
    for (workflow, version) in used {
        let Some(stored) = workflows.tasks(workflow, version) else { continue };
        for (task, definition) in &stored.tasks {
            let Some(kind) = question_kind(&definition.kind).filter(|k| k.lists_all_answers()) else {
                continue;
            };
            let labels = definition.answers.iter().filter(|label| !label.is_empty());
            offers.extend(labels.map(|answer| Offer { workflow, task, kind, answer }));
        }
    }
    offers
}
