//! How a question is called in the names of columns: by its task; by its workflow too (`w101.T1`) where several
//! workflows have a task of that name, which most projects have.

use std::collections::{BTreeMap, BTreeSet};

/// Tasks and the workflows that have them.
#[derive(Clone, Debug, Default)]
pub(crate) struct QuestionNames {
    workflows: BTreeMap<String, BTreeSet<String>>,
}

impl QuestionNames {
    /// Takes note of a question.
    pub(crate) fn add(&mut self, workflow: &str, task: &str) {
        if !self.workflows.get(task).is_some_and(|known| known.contains(workflow)) {
            self.workflows.entry(task.to_owned()).or_default().insert(workflow.to_owned());
        }
    }

    /// Questions.
    pub(crate) fn len(&self) -> usize {
        self.workflows.values().map(BTreeSet::len).sum()
    }

    /// What a question is called.
    pub(crate) fn of(&self, workflow: &str, task: &str) -> String {
        let is_shared = self.workflows.get(task).is_some_and(|of| of.len() > 1);
        if is_shared { format!("w{workflow}.{task}") } else { task.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workflow_is_named_where_it_must_be() {
        let mut names = QuestionNames::default();
        for (workflow, task) in [("1", "T0"), ("1", "T0"), ("1", "T1"), ("2", "T1")] {
            names.add(workflow, task);
        }
        assert_eq!(names.len(), 3);
        assert_eq!([names.of("1", "T0"), names.of("2", "T1")], ["T0", "w2.T1"]);
    }
}
