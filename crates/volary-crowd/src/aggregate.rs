//! What an aggregation method is, and the contract that every one of them obeys.
//!
//! [`Aggregate`] takes all votes at once; [`Running`] takes one classification after the other, as they
//! come from a live project. [`CountFractions`] and [`RunningCounts`] are the reference pair: counts per
//! answer. A new method joins the family's tests by one line, [`contract::check`], and by
//! [`contract::running_is_batch`] if it runs.

use std::collections::BTreeMap;

use volary_core::Votes;
use volary_core::votes::NO_ANSWER;

use crate::fraction::{Tally, View};
use crate::repeats::{Repeats, counted};

/// One (workflow, task, subject).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Workflow id.
    pub workflow: String,
    /// Task path.
    pub task: String,
    /// Subject id.
    pub subject: String,
}

/// A method that turns all votes into one value per subject and task.
pub trait Aggregate {
    /// What it says about one subject; answers inside go by their text.
    type Value;

    /// All values, for subjects that somebody saw.
    fn aggregate(&self, votes: &Votes) -> BTreeMap<Key, Self::Value>;
}

/// A method that takes one classification at a time.
pub trait Running {
    /// As [`Aggregate::Value`].
    type Value;

    /// Takes in a classification. Within one volunteer and subject they come in order of time.
    fn add(&mut self, classification: &Classification<'_>);

    /// All values so far.
    fn values(&self) -> BTreeMap<Key, Self::Value>;
}

/// One classification as it arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classification<'a> {
    /// Workflow id.
    pub workflow: &'a str,
    /// Subject id.
    pub subject: &'a str,
    /// Volunteer key.
    pub volunteer: &'a str,
    /// Milliseconds since 1970, `i64::MIN` where unknown.
    pub created_ms: i64,
    /// Task paths and answers; `None` for a task left blank.
    pub answers: Vec<(&'a str, Option<&'a str>)>,
}

/// How often each answer was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerCounts {
    /// Classifications that hold the task.
    pub n_seen: u32,
    /// Those that answer it.
    pub n_answered: u32,
    /// Answers given, by text.
    pub votes: BTreeMap<String, u32>,
}

impl AnswerCounts {
    /// Share of those who saw the task that gave this answer.
    #[must_use]
    pub fn fraction_of_seen(&self, answer: &str) -> Option<f64> {
        self.share(answer, self.n_seen)
    }

    /// Share of those who answered that gave this answer.
    #[must_use]
    pub fn fraction_of_answered(&self, answer: &str) -> Option<f64> {
        self.share(answer, self.n_answered)
    }

    fn share(&self, answer: &str, of: u32) -> Option<f64> {
        let votes = self.votes.get(answer).copied().unwrap_or(0);
        (of > 0).then(|| f64::from(votes) / f64::from(of))
    }

    fn change(&mut self, answers: &[Option<String>], by: i32) {
        let add = |count: &mut u32| *count = count.saturating_add_signed(by);
        add(&mut self.n_seen);
        if answers.iter().any(Option::is_some) {
            add(&mut self.n_answered);
        }
        for answer in answers.iter().flatten() {
            let count = self.votes.entry(answer.clone()).or_default();
            add(count);
            if *count == 0 {
                self.votes.remove(answer);
            }
        }
    }
}

/// Counts of answers, all at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct CountFractions {
    /// Which repeats count.
    pub repeats: Repeats,
}

impl Aggregate for CountFractions {
    type Value = AnswerCounts;

    fn aggregate(&self, votes: &Votes) -> BTreeMap<Key, AnswerCounts> {
        let counted = counted(votes, self.repeats);
        let view = View { votes, counted: &counted.counts, weights: None };
        let mut values = BTreeMap::new();
        for (index, question) in (0..).zip(&votes.questions) {
            let mut tally = Tally::new(question.answers.len());
            for (subject, group) in votes.by_subject(votes.of_question(index)) {
                tally.count(&view, group);
                if tally.n_seen == 0 {
                    continue;
                }
                let key = Key {
                    workflow: question.workflow.clone(),
                    task: question.task.clone(),
                    subject: votes.subjects[subject as usize].clone(),
                };
                let text = |&a: &u32| (question.answers[a as usize].clone(), tally.votes_for(a));
                let (n_seen, n_answered) = (tally.n_seen, tally.n_answered);
                let votes = tally.given().iter().map(text).collect();
                values.insert(key, AnswerCounts { n_seen, n_answered, votes });
            }
        }
        values
    }
}

/// A volunteer's answers to one subject, by task.
type Answers = BTreeMap<String, Vec<Option<String>>>;

/// Counts of answers, one classification at a time.
#[derive(Clone, Debug, Default)]
pub struct RunningCounts {
    repeats: Repeats,
    values: BTreeMap<Key, AnswerCounts>,
    /// What counts of each (workflow, subject, volunteer), to know repeats and to take back.
    known: BTreeMap<(String, String, String), Answers>,
}

impl RunningCounts {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(repeats: Repeats) -> Self {
        Self { repeats, ..Self::default() }
    }

    fn change(&mut self, workflow: &str, subject: &str, answers: &Answers, by: i32) {
        for (task, given) in answers {
            let key =
                Key { workflow: workflow.to_owned(), task: task.clone(), subject: subject.to_owned() };
            let value = self.values.entry(key.clone()).or_default();
            value.change(given, by);
            if value.n_seen == 0 {
                self.values.remove(&key);
            }
        }
    }
}

impl Running for RunningCounts {
    type Value = AnswerCounts;

    fn add(&mut self, classification: &Classification<'_>) {
        let Classification { workflow, subject, volunteer, .. } = *classification;
        let mut answers = Answers::new();
        for (task, answer) in &classification.answers {
            let given = answers.entry((*task).to_owned()).or_default();
            let answer = answer.map(str::to_owned);
            if !given.contains(&answer) {
                given.push(answer);
            }
        }
        let visit = (workflow.to_owned(), subject.to_owned(), volunteer.to_owned());
        match (self.repeats, self.known.get(&visit).cloned()) {
            (Repeats::First, Some(_)) => return,
            (Repeats::Last, Some(before)) => self.change(workflow, subject, &before, -1),
            (Repeats::All, _) | (_, None) => {}
        }
        self.change(workflow, subject, &answers, 1);
        if self.repeats != Repeats::All {
            self.known.insert(visit, answers);
        }
    }

    fn values(&self) -> BTreeMap<Key, AnswerCounts> {
        self.values.clone()
    }
}

/// Feeds all votes to a running method in the order of time.
pub fn replay(votes: &Votes, running: &mut impl Running) {
    let mut answers: Vec<Vec<(&str, Option<&str>)>> = vec![Vec::new(); votes.n_classifications()];
    for vote in &votes.votes {
        let question = &votes.questions[vote.question as usize];
        let answer = (vote.answer != NO_ANSWER).then(|| question.answers[vote.answer as usize].as_str());
        answers[vote.classification as usize].push((&question.task, answer));
    }
    for i in votes.arrival.iter().map(|&i| i as usize) {
        running.add(&Classification {
            workflow: &votes.workflows[votes.workflow[i] as usize],
            subject: &votes.subjects[votes.subject[i] as usize],
            volunteer: &votes.volunteers[votes.volunteer[i] as usize],
            created_ms: votes.created_ms[i],
            answers: std::mem::take(&mut answers[i]),
        });
    }
}

pub mod contract {
    //! Tests that every aggregation method passes; they panic where one does not.

    use std::collections::BTreeMap;
    use std::fmt::Debug;

    use volary_core::Votes;
    use volary_core::votes::{QuestionKind, VotesBuilder};

    use super::{Aggregate, AnswerCounts, Key, Running, replay};

    /// One classification of a single-answer question: subject, volunteer, answer, time.
    pub type Row = (u32, u32, Option<u32>, i64);

    /// Values whose answers can be renamed.
    pub trait Relabel {
        /// Renames every answer.
        #[must_use]
        fn relabel(&self, rename: &dyn Fn(&str) -> String) -> Self;
    }

    impl Relabel for AnswerCounts {
        fn relabel(&self, rename: &dyn Fn(&str) -> String) -> Self {
            let votes = self.votes.iter().map(|(answer, n)| (rename(answer), *n)).collect();
            Self { votes, ..self.clone() }
        }
    }

    /// Votes of rows, whose ids follow the order of `rows`.
    #[must_use]
    pub fn votes_of(rows: &[Row]) -> Votes {
        let numbered: Vec<(usize, Row)> = rows.iter().copied().enumerate().collect();
        votes_of_numbered(&numbered, &|answer| format!("answer {answer}"))
    }

    fn votes_of_numbered(rows: &[(usize, Row)], label: &dyn Fn(u32) -> String) -> Votes {
        let mut builder = VotesBuilder::default();
        for (id, (subject, volunteer, answer, time)) in rows {
            let (subject, volunteer) = (subject.to_string(), volunteer.to_string());
            let c = builder.classification("w", &subject, &volunteer, Some(*time), &id.to_string());
            builder.vote(c, "T0", QuestionKind::Single, answer.map(label).as_deref());
        }
        builder.finish()
    }

    /// The whole contract for one set of rows.
    pub fn check<A>(method: &A, rows: &[Row])
    where
        A: Aggregate,
        A::Value: Relabel + PartialEq + Debug,
    {
        order_invariance(method, rows);
        relabelling(method, rows);
        duplicates_change_nothing(method, rows);
        empty(method);
        many_votes(method);
    }

    /// The order of the input never matters.
    ///
    /// # Panics
    /// When it does.
    pub fn order_invariance<A: Aggregate<Value: PartialEq + Debug>>(method: &A, rows: &[Row]) {
        let label = |answer: u32| format!("answer {answer}");
        let mut numbered: Vec<(usize, Row)> = rows.iter().copied().enumerate().collect();
        let forward = method.aggregate(&votes_of_numbered(&numbered, &label));
        numbered.reverse();
        numbered.rotate_left(rows.len() / 3);
        assert_eq!(forward, method.aggregate(&votes_of_numbered(&numbered, &label)), "order matters");
    }

    /// Other names for the answers give the same values under those names.
    ///
    /// # Panics
    /// When they do not.
    pub fn relabelling<A>(method: &A, rows: &[Row])
    where
        A: Aggregate,
        A::Value: Relabel + PartialEq + Debug,
    {
        // The new names sort the other way round.
        let rename = |old: &str| match old.strip_prefix("answer ").and_then(|n| n.parse::<u32>().ok()) {
            Some(n) => format!("reply {:010}", u32::MAX - n),
            None => old.to_owned(),
        };
        let numbered: Vec<(usize, Row)> = rows.iter().copied().enumerate().collect();
        let expected: BTreeMap<Key, A::Value> = method
            .aggregate(&votes_of(rows))
            .into_iter()
            .map(|(key, value)| (key, value.relabel(&rename)))
            .collect();
        let label = |answer: u32| rename(&format!("answer {answer}"));
        let renamed = method.aggregate(&votes_of_numbered(&numbered, &label));
        assert_eq!(expected, renamed, "names of answers matter");
    }

    /// Every classification sent twice counts once, for methods that count the first.
    ///
    /// # Panics
    /// When it does not.
    pub fn duplicates_change_nothing<A: Aggregate<Value: PartialEq + Debug>>(method: &A, rows: &[Row]) {
        let twice: Vec<Row> = rows.iter().chain(rows).copied().collect();
        let once = method.aggregate(&votes_of(rows));
        assert_eq!(once, method.aggregate(&votes_of(&twice)), "duplicates count");
    }

    /// No votes, no values.
    ///
    /// # Panics
    /// When there are some.
    pub fn empty<A: Aggregate>(method: &A) {
        assert!(method.aggregate(&Votes::default()).is_empty(), "values from nothing");
    }

    /// A subject with very many votes is one value.
    ///
    /// # Panics
    /// When it is not.
    pub fn many_votes<A: Aggregate<Value: PartialEq + Debug>>(method: &A) {
        let rows: Vec<Row> = (0..20_000).map(|v| (0, v, Some(v % 3), i64::from(v))).collect();
        assert_eq!(method.aggregate(&votes_of(&rows)).len(), 1, "one subject, one value");
    }

    /// Replaying a batch gives the batch's answer.
    ///
    /// # Panics
    /// When it does not.
    pub fn running_is_batch<V: PartialEq + Debug>(
        method: &impl Aggregate<Value = V>,
        mut running: impl Running<Value = V>,
        rows: &[Row],
    ) {
        let votes = votes_of(rows);
        replay(&votes, &mut running);
        assert_eq!(method.aggregate(&votes), running.values(), "running differs from batch");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows() -> impl Strategy<Value = Vec<contract::Row>> {
        let row = (0..4_u32, 0..5_u32, proptest::option::of(0..3_u32), 0..30_i64);
        proptest::collection::vec(row, 0..50)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn counting_obeys_the_contract(rows in rows()) {
            contract::order_invariance(&CountFractions::default(), &rows);
            contract::relabelling(&CountFractions::default(), &rows);
            contract::duplicates_change_nothing(&CountFractions::default(), &rows);
        }

        #[test]
        fn running_counts_are_batch_counts(rows in rows()) {
            for repeats in Repeats::ALL {
                let running = RunningCounts::new(repeats);
                contract::running_is_batch(&CountFractions { repeats }, running, &rows);
            }
        }
    }

    #[test]
    fn the_whole_contract_in_one_line() {
        contract::check(
            &CountFractions::default(),
            &[(1, 1, Some(0), 5), (1, 2, Some(1), 4), (2, 1, None, 3)],
        );
    }

    #[test]
    fn shares_by_text() {
        let votes = contract::votes_of(&[(1, 1, Some(7), 1), (1, 2, None, 2), (1, 3, Some(8), 3)]);
        let values = CountFractions::default().aggregate(&votes);
        let value = values.values().next().unwrap();
        assert_eq!(value.fraction_of_seen("answer 7"), Some(1.0 / 3.0));
        assert_eq!(value.fraction_of_answered("answer 7"), Some(0.5));
        assert_eq!(AnswerCounts::default().fraction_of_seen("answer 7"), None);
    }
}
