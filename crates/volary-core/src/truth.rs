//! Known answers: from experts, from gold-standard subjects, from a simulation.

use std::collections::BTreeMap;

/// The true answers of some subjects, per task. A task of `""` holds for every task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    answers: BTreeMap<(String, String), Vec<String>>,
}

impl Truth {
    /// Adds a true answer of a subject; several answers of one subject are all true (multiple choice).
    pub fn add(&mut self, task: &str, subject: &str, answer: &str) {
        let answers = self.answers.entry((task.to_owned(), subject.to_owned())).or_default();
        if !answers.iter().any(|a| a == answer) {
            answers.push(answer.to_owned());
        }
    }

    /// Says that the answers of a subject are known, even if none is true (several-answer questions).
    pub fn know(&mut self, task: &str, subject: &str) {
        self.answers.entry((task.to_owned(), subject.to_owned())).or_default();
    }

    /// The true answers of a subject to a task; empty where unknown.
    #[must_use]
    pub fn answers(&self, task: &str, subject: &str) -> &[String] {
        let find = |task: &str| self.answers.get(&(task.to_owned(), subject.to_owned()));
        find(task).or_else(|| find("")).map_or(&[], Vec::as_slice)
    }

    /// How many (task, subject) pairs have a known answer.
    #[must_use]
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// All of it: (task, subject, answers), sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &[String])> {
        self.answers.iter().map(|((task, subject), a)| (task.as_str(), subject.as_str(), a.as_slice()))
    }
}
