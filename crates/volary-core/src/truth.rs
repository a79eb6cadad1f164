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

    /// What remains where `known` says nothing of the same subject and task (or of every task).
    #[must_use]
    pub fn without(&self, known: &Self) -> Self {
        let mut tasks_of = BTreeMap::<&str, Vec<&str>>::new();
        for (task, subject, _) in known.iter() {
            tasks_of.entry(subject).or_default().push(task);
        }
        let is_known = |task: &str, subject: &str| {
            let tasks = tasks_of.get(subject).into_iter().flatten();
            tasks.into_iter().any(|known| known.is_empty() || task.is_empty() || *known == task)
        };
        let rest = self.answers.iter().filter(|((task, subject), _)| !is_known(task, subject));
        Self { answers: rest.map(|(key, answers)| (key.clone(), answers.clone())).collect() }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_left_out_by_task_and_by_subject() {
        let of = |rows: &[(&str, &str)]| {
            let mut truth = Truth::default();
            rows.iter().for_each(|(task, subject)| truth.add(task, subject, "yes"));
            truth
        };
        let truth = of(&[("T0", "1"), ("T0", "2"), ("T1", "1"), ("", "3"), ("", "4")]);
        let rest = truth.without(&of(&[("T0", "1"), ("T0", "3"), ("", "9")]));
        assert_eq!(rest, of(&[("T0", "2"), ("T1", "1"), ("", "4")]));
        assert_eq!(truth.without(&of(&[("", "1")])), of(&[("T0", "2"), ("", "3"), ("", "4")]));
        assert_eq!(truth.without(&Truth::default()), truth);
    }
}
