//! What volunteers said about subjects whose truth is known, and how far that lets others be believed.
//!
//! An [`Exam`] is a vote that counts on a validation subject. The skill behind a vote is that of the exams
//! that lie *before* it in canonical order, so that whatever is weighed stays a function of the set of
//! events. Rates are posterior means under a flat prior, (right + 1) / (n + 2): who has seen no validation
//! subject is worth a coin's evidence, none, and a plain vote's weight, 1. No weight is ever zero.
//!
//! A volunteer's skill is private: it is shown to the person and to the team, and never ranked.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use volary_crowd::interval::{Interval, jeffreys};

use crate::event::{Actor, Answers, Order};

/// The least weight of a vote, in thousandths: all labels count.
const MIN_WEIGHT: u64 = 250;
/// The greatest; reached by nobody under these rates, and there for whoever changes them.
const MAX_WEIGHT: u64 = 4_000;

/// A vote on a subject whose truth is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exam {
    /// The workflow.
    pub workflow: String,
    /// What is true.
    #[serde(with = "shared")]
    pub truth: Arc<Answers>,
    /// What was said.
    #[serde(with = "shared")]
    pub given: Arc<Answers>,
}

/// Shared answers, written as they are.
mod shared {
    use super::{Answers, Arc, Deserialize, Serialize};

    pub(super) fn serialize<S: serde::Serializer>(of: &Arc<Answers>, to: S) -> Result<S::Ok, S::Error> {
        (**of).serialize(to)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        from: D,
    ) -> Result<Arc<Answers>, D::Error> {
        Answers::deserialize(from).map(Arc::new)
    }
}

/// An exam that came, changed or went.
#[derive(Clone, Debug, PartialEq)]
pub struct ExamChange {
    /// Whose it is.
    pub actor: Actor,
    /// The vote's place.
    pub order: Order,
    /// What it is now; `None`: it counts no more.
    pub exam: Option<Exam>,
}

/// Right and wrong in one question of yes or no.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Exams whose truth is positive.
    pub n_positive: u64,
    /// Of these, those that were called so.
    pub n_found: u64,
    /// Exams whose truth is not.
    pub n_negative: u64,
    /// Of these, those that were called positive.
    pub n_false: u64,
}

/// The exams of the people that are in memory.
#[derive(Clone, Debug, Default)]
pub struct Skills {
    of: HashMap<Actor, BTreeMap<Order, Exam>>,
}

/// One cell of a volunteer's confusion matrix.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Confusion {
    /// The workflow.
    pub workflow: String,
    /// The task.
    pub task: String,
    /// What was true; several answers stand joined by `+`, none is empty.
    pub truth: String,
    /// What was said.
    pub given: String,
    /// How often.
    pub n: u64,
    /// Exams of this truth.
    pub n_truth: u64,
    /// Jeffreys' 95 % interval of the share, low end.
    pub low: f64,
    /// High end.
    pub high: f64,
}

impl Rates {
    /// Log-odds that one vote adds for "positive".
    #[must_use]
    pub fn evidence(self, said_positive: bool) -> f64 {
        let rate = |k: u64, n: u64| (k as f64 + 1.0) / (n as f64 + 2.0);
        let found = rate(self.n_found, self.n_positive);
        let false_alarm = rate(self.n_false, self.n_negative);
        if said_positive {
            (found / false_alarm).ln()
        } else {
            ((1.0 - found) / (1.0 - false_alarm)).ln()
        }
    }

    /// Weight of a vote in thousandths: twice the balanced accuracy, held between 0.25 and 4.
    #[must_use]
    pub fn weight(self) -> u64 {
        // (found + right rejections) × 1000, each as (k + 1) / (n + 2), rounded down: integers only.
        let found = 1_000 * (self.n_found + 1) / (self.n_positive + 2);
        let rejected = 1_000 * (self.n_negative - self.n_false + 1) / (self.n_negative + 2);
        (found + rejected).clamp(MIN_WEIGHT, MAX_WEIGHT)
    }
}

impl Skills {
    /// Takes a change of somebody who is here; whoever is not will be looked up with it.
    pub fn apply(&mut self, change: &ExamChange) {
        let Some(own) = self.of.get_mut(&change.actor) else { return };
        match &change.exam {
            Some(exam) => own.insert(change.order.clone(), exam.clone()),
            None => own.remove(&change.order),
        };
    }

    /// Whether this person's exams are in memory.
    #[must_use]
    pub(crate) fn knows(&self, actor: &Actor) -> bool {
        self.of.contains_key(actor)
    }

    /// Remembers that a person has been looked up, with or without exams.
    pub(crate) fn look_up(&mut self, actor: Actor) {
        self.of.entry(actor).or_default();
    }

    pub(crate) fn n_people(&self) -> usize {
        self.of.len()
    }

    /// What a person's exams before `order` say about one question.
    pub fn rates(
        &self,
        actor: &Actor,
        before: &Order,
        workflow: &str,
        task: &str,
        is_positive: impl Fn(&str) -> bool,
    ) -> Rates {
        let mut rates = Rates::default();
        let is_nobody = matches!(actor, Actor::Anonymous(session) if session.is_empty());
        let Some(own) = self.of.get(actor).filter(|_| !is_nobody) else { return rates };
        for (_, exam) in own.range(..before) {
            let Some(truth) = exam.truth.get(task).filter(|_| exam.workflow == workflow) else {
                continue;
            };
            let said = exam.given.get(task).is_some_and(|given| given.iter().any(|a| is_positive(a)));
            if truth.iter().any(|answer| is_positive(answer)) {
                rates.n_positive += 1;
                rates.n_found += u64::from(said);
            } else {
                rates.n_negative += 1;
                rates.n_false += u64::from(said);
            }
        }
        rates
    }
}

/// A person's confusion matrix out of their exams, cell by cell, for every task.
#[must_use]
pub fn confusion<'a>(exams: impl IntoIterator<Item = &'a Exam>) -> Vec<Confusion> {
    let joined = |answers: &[String]| {
        let mut sorted = answers.to_vec();
        sorted.sort();
        sorted.join("+")
    };
    let mut cells: BTreeMap<(String, String, String, String), u64> = BTreeMap::new();
    let mut rows: BTreeMap<(String, String, String), u64> = BTreeMap::new();
    for exam in exams {
        for (task, truth) in &*exam.truth {
            let given = exam.given.get(task).map_or_else(String::new, |given| joined(given));
            let row = (exam.workflow.clone(), task.clone(), joined(truth));
            *rows.entry(row.clone()).or_default() += 1;
            *cells.entry((row.0, row.1, row.2, given)).or_default() += 1;
        }
    }
    let cell = |((workflow, task, truth, given), n): ((String, String, String, String), u64)| {
        let n_truth = rows[&(workflow.clone(), task.clone(), truth.clone())];
        let Interval { low, high } = jeffreys(n as f64, n_truth as f64, 0.95);
        Confusion { workflow, task, truth, given, n, n_truth, low, high }
    };
    cells.into_iter().map(cell).collect()
}

/// Whether a vote says what is true, in every task whose truth is known.
#[must_use]
pub fn is_right(given: &Answers, truth: &Answers) -> bool {
    let same = |(task, truth): (&String, &Vec<String>)| {
        let (mut said, mut wanted) = (given.get(task).cloned().unwrap_or_default(), truth.clone());
        said.sort();
        wanted.sort();
        said == wanted
    };
    truth.iter().all(same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Key;

    fn exam(truth: &str, given: &str) -> Exam {
        let answers = |a: &str| Arc::new(Answers::from([("T0".to_owned(), vec![a.to_owned()])]));
        Exam { workflow: "w".into(), truth: answers(truth), given: answers(given) }
    }

    fn order(ms: i64) -> Order {
        (ms, Key { source: "own".into(), id: ms.to_string() })
    }

    fn skills(exams: &[(&str, &str)]) -> (Skills, Actor) {
        let (mut skills, actor) = (Skills::default(), Actor::User("7".into()));
        skills.look_up(actor.clone());
        for (at, (truth, given)) in (1..).zip(exams) {
            let exam = Some(exam(truth, given));
            skills.apply(&ExamChange { actor: actor.clone(), order: order(at), exam });
        }
        (skills, actor)
    }

    #[test]
    fn only_what_lies_before_a_vote_counts() {
        let (skills, actor) =
            skills(&[("real", "real"), ("bogus", "real"), ("real", "bogus"), ("bogus", "bogus")]);
        let at = |ms| skills.rates(&actor, &order(ms), "w", "T0", |a| a == "real");
        assert_eq!(at(1), Rates::default());
        assert_eq!(at(3), Rates { n_positive: 1, n_found: 1, n_negative: 1, n_false: 1 });
        assert_eq!(at(9), Rates { n_positive: 2, n_found: 1, n_negative: 2, n_false: 1 });
        assert_eq!(skills.rates(&actor, &order(9), "other", "T0", |a| a == "real"), Rates::default());
    }

    #[test]
    fn who_is_unknown_is_a_coin_and_a_plain_vote() {
        let none = Rates::default();
        assert_eq!((none.evidence(true), none.evidence(false), none.weight()), (0.0, 0.0, 1_000));
    }

    #[test]
    fn evidence_is_the_likelihood_ratio_and_weights_stay_above_zero() {
        let good = Rates { n_positive: 98, n_found: 98, n_negative: 98, n_false: 0 };
        assert!((good.evidence(true) - (99.0_f64 / 1.0).ln()).abs() < 1e-12);
        assert!((good.evidence(false) + good.evidence(true)).abs() < 1e-12);
        assert_eq!(good.weight(), 1_980);
        let liar = Rates { n_positive: 98, n_found: 0, n_negative: 98, n_false: 98 };
        assert!(
            (liar.evidence(true) + good.evidence(true)).abs() < 1e-12,
            "a sure liar is worth as much"
        );
        assert_eq!(liar.weight(), MIN_WEIGHT);
    }

    #[test]
    fn the_matrix_counts_every_exam_once() {
        let exams = [exam("real", "real"), exam("real", "bogus"), exam("bogus", "bogus")];
        let cells = confusion(&exams);
        let short: Vec<_> =
            cells.iter().map(|c| (c.truth.as_str(), c.given.as_str(), c.n, c.n_truth)).collect();
        assert_eq!(short, [("bogus", "bogus", 1, 1), ("real", "bogus", 1, 2), ("real", "real", 1, 2)]);
        assert!(cells.iter().all(|c| c.low < c.n as f64 / c.n_truth as f64 + 1e-12 && c.high <= 1.0));
    }

    #[test]
    fn right_is_right_in_every_task_whatever_the_order_of_the_answers() {
        let answers = |list: &[(&str, &[&str])]| -> Answers {
            let own = |(task, given): &(&str, &[&str])| {
                ((*task).to_owned(), given.iter().map(|&a| a.to_owned()).collect())
            };
            list.iter().map(own).collect()
        };
        let truth = answers(&[("T0", &["a", "b"]), ("T1", &[])]);
        assert!(is_right(&answers(&[("T0", &["b", "a"]), ("T2", &["x"])]), &truth));
        assert!(!is_right(&answers(&[("T0", &["a"])]), &truth));
        assert!(!is_right(&answers(&[("T0", &["a", "b"]), ("T1", &["x"])]), &truth));
    }
}
