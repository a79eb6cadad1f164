//! What a workflow's tasks may be answered with, where that is known.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use volary_live::event::Answers;

/// A workflow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Workflow {
    /// Its tasks by their keys (`T0`).
    pub tasks: BTreeMap<String, Task>,
}

/// A task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// What may be answered, as it comes in the votes (Panoptes: indices as text). None: anything, for
    /// what people write or draw.
    #[serde(default)]
    pub answers: BTreeSet<String>,
    /// Several at once.
    #[serde(default)]
    pub multiple: bool,
}

impl Workflow {
    /// Whether these answers can be given here.
    ///
    /// # Errors
    /// A sentence that says which cannot.
    pub fn check(&self, answers: &Answers) -> Result<(), String> {
        for (name, given) in answers {
            let Some(task) = self.tasks.get(name) else {
                return Err(format!("the workflow has no task {name:?}"));
            };
            if task.answers.is_empty() {
                continue;
            }
            if let Some(unknown) = given.iter().find(|answer| !task.answers.contains(*answer)) {
                return Err(format!("task {name:?} has no answer {unknown:?}"));
            }
            if given.len() > 1 && !task.multiple {
                return Err(format!("task {name:?} takes one answer, not {}", given.len()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_of_the_workflow_pass() {
        let task = |multiple| Task { answers: ["0", "1"].map(str::to_owned).into(), multiple };
        let written = ("T2".to_owned(), Task::default());
        let tasks = [("T0".to_owned(), task(false)), ("T1".to_owned(), task(true)), written];
        let workflow = Workflow { tasks: tasks.into() };
        let given = |task: &str, answers: &[&str]| {
            let answers = answers.iter().map(|a| (*a).to_owned()).collect();
            workflow.check(&[(task.to_owned(), answers)].into())
        };
        assert_eq!(given("T0", &["1"]), Ok(()));
        assert_eq!(given("T0", &[]), Ok(()), "looked and gave no answer");
        assert_eq!(given("T1", &["0", "1"]), Ok(()));
        assert_eq!(given("T2", &["what", "they", "wrote"]), Ok(()), "no list: anything");
        assert!(given("T0", &["0", "1"]).is_err());
        assert!(given("T0", &["2"]).is_err());
        assert!(given("T9", &["0"]).is_err());
    }
}
