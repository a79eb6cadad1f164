//! What a workflow asks, and which question follows which answer: a subject is vetted along it.
//!
//! A question has the name that its columns have (`T0`, or `w101.T0` where several workflows have a task of that
//! name), and a label on it has this name as its question. The page walks along the tree, and so does the server, to
//! know who has answered all that is asked of a subject.

use std::collections::HashMap;

use serde::Serialize;
use utoipa::ToSchema;

/// Labels that are no answers and end what is asked of a subject.
const ENDS: [&str; 2] = ["unsure", "artefact"];

/// How a question is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuestionForm {
    /// By one answer.
    #[default]
    Single,
    /// By any number of answers, with `|` between them in the label; `none` for none.
    Multiple,
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct TreeAnswer {
    /// As the votes have it.
    pub label: String,
    /// Name of the question that follows it; absent where none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct TreeQuestion {
    /// Stands in the names of columns and in labels.
    pub name: String,
    /// What is asked.
    pub text: String,
    /// How it is answered.
    pub form: QuestionForm,
    /// Whether the workflow asks to mark or draw here; asked is only whether there is anything.
    pub is_marking: bool,
    /// The answers.
    pub answers: Vec<TreeAnswer>,
    /// Name of the question that follows, whatever is answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What a workflow asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct QuestionTree {
    /// The workflow.
    pub workflow_id: String,
    /// What it is called.
    pub title: String,
    /// Which version's questions these are.
    pub version: String,
    /// Whether the workflow says which question follows which; else they are asked in the order of their keys.
    pub is_linked: bool,
    /// Name of the question that is asked first.
    pub first: String,
    /// The questions.
    pub questions: Vec<TreeQuestion>,
    /// Keys of tasks that nobody can answer here, such as texts.
    pub left_out: Vec<String>,
}

impl QuestionTree {
    fn question(&self, name: &str) -> Option<&TreeQuestion> {
        self.questions.iter().find(|question| question.name == name)
    }

    /// The question that is asked next of somebody who has said this, by the names of questions; none where all is
    /// answered. `web/src/lib/questions.ts` walks the same way.
    pub(crate) fn open(&self, said: &HashMap<&str, &str>) -> Option<&TreeQuestion> {
        let mut at = self.question(&self.first)?;
        // A workflow that leads in a circle asks everything once.
        for _ in 0..self.questions.len() {
            let Some(value) = said.get(at.name.as_str()) else { return Some(at) };
            if ENDS.contains(value) {
                return None;
            }
            let own = at.answers.iter().find(|answer| answer.label == *value);
            let next = match at.form {
                QuestionForm::Single => own.and_then(|answer| answer.next.as_ref()).or(at.next.as_ref()),
                QuestionForm::Multiple => at.next.as_ref(),
            };
            at = self.question(next?)?;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> QuestionTree {
        let answer = |label: &str, next: Option<&str>| TreeAnswer {
            label: label.into(),
            next: next.map(Into::into),
        };
        let shape = TreeQuestion {
            name: "T0".into(),
            answers: vec![
                answer("smooth", Some("T2")),
                answer("disk", Some("T1")),
                answer("star", None),
            ],
            ..TreeQuestion::default()
        };
        let more = TreeQuestion {
            name: "T1".into(),
            form: QuestionForm::Multiple,
            answers: vec![answer("ring", None), answer("bar", None)],
            next: Some("T2".into()),
            ..TreeQuestion::default()
        };
        let round = TreeQuestion {
            name: "T2".into(),
            answers: vec![answer("yes", None), answer("again", Some("T0"))],
            ..TreeQuestion::default()
        };
        QuestionTree {
            first: "T0".into(),
            questions: vec![shape, more, round],
            ..QuestionTree::default()
        }
    }

    #[test]
    fn what_is_asked_next_follows_what_was_answered() {
        let tree = tree();
        let open = |said: &[(&'static str, &'static str)]| {
            tree.open(&said.iter().copied().collect()).map(|question| question.name.clone())
        };
        assert_eq!(open(&[]).as_deref(), Some("T0"));
        assert_eq!(open(&[("T0", "smooth")]).as_deref(), Some("T2"));
        assert_eq!(open(&[("T0", "disk")]).as_deref(), Some("T1"));
        assert_eq!(open(&[("T0", "disk"), ("T1", "ring|bar")]).as_deref(), Some("T2"));
        assert_eq!(open(&[("T0", "star")]), None);
        assert_eq!(open(&[("T0", "unsure"), ("T1", "none")]), None);
        assert_eq!(open(&[("T0", "smooth"), ("T2", "yes")]), None);
        // What does not lie on the way counts for nothing; a circle ends.
        assert_eq!(open(&[("T2", "yes")]).as_deref(), Some("T0"));
        assert_eq!(open(&[("T0", "smooth"), ("T2", "again")]), None);
    }
}
