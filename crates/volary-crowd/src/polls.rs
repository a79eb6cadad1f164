//! Votes one question at a time, in the order in which they came: what order-dependent methods read.
//!
//! A question with one answer is one [`Poll`] over its answers. A question with several answers is a poll
//! of `no` and `yes` for each of its answers, because each is a Bernoulli of its own; whoever saw the
//! question and did not choose the answer said `no`. Classifications that do not count (see
//! [`mod@crate::repeats`]) are left out. Nothing is estimated here.

use std::collections::BTreeMap;

use volary_core::Votes;
use volary_core::truth::Truth;
use volary_core::votes::{Question, QuestionKind, Vote, compare_ids};

use crate::repeats::Counted;

/// The labels of a poll about one answer of several.
pub const NO_YES: [&str; 2] = ["no", "yes"];

/// One volunteer's say on one subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ballot {
    /// Index into the classification columns of [`Votes`].
    pub classification: u32,
    /// Index into [`Poll::subjects`].
    pub subject: u32,
    /// Index into [`Votes::volunteers`].
    pub volunteer: u32,
    /// Index into [`Poll::labels`], or [`volary_core::votes::NO_ANSWER`] for who saw the
    /// question and gave none.
    pub answer: u32,
}

/// One question, or one answer of a question with several, as ballots in the order in which they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// Index into [`Votes::questions`].
    pub question: u32,
    /// The answer that the poll is about, where a question takes several.
    pub about: Option<u32>,
    /// What can be said: the question's answers, or [`NO_YES`].
    pub labels: Vec<String>,
    /// Indices into [`Votes::subjects`] of the subjects that somebody saw, ascending.
    pub subjects: Vec<u32>,
    /// Ballots by time, then id.
    pub ballots: Vec<Ballot>,
    /// Classifications whose time is unknown; their order is by id.
    pub n_untimed: u64,
}

/// Known answers of a poll's subjects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Per subject of the poll: index into its labels, where known.
    pub answers: Vec<Option<u32>>,
    /// Subjects with several true answers where only one can hold; they count as unknown.
    pub n_contradicting: u64,
    /// Subjects whose true answer nobody could give.
    pub n_unknown_answers: u64,
    /// Subjects with a known answer that nobody saw.
    pub n_unseen: u64,
}

impl Known {
    /// How many subjects have a known answer.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.answers.iter().flatten().count() as u64
    }
}

/// Which questions make polls: those about a closed or short list of which somebody chose something.
pub(crate) fn is_polled(question: &Question) -> bool {
    let is_open =
        matches!(question.kind, QuestionKind::Unknown | QuestionKind::Detail | QuestionKind::Slider);
    !is_open && !question.answers.is_empty()
}

/// All polls of the votes, by question and answer. Sliders, details of a survey choice and questions that
/// nobody answered make none.
#[must_use]
pub fn polls(votes: &Votes, counted: &Counted) -> Vec<Poll> {
    let mut rank = vec![0_u32; votes.n_classifications()];
    for (at, &c) in (0..).zip(&votes.arrival) {
        rank[c as usize] = at;
    }
    let mut polls = Vec::new();
    for (index, question) in (0..).zip(&votes.questions) {
        if !is_polled(question) {
            continue;
        }
        let mut cast: Vec<Vote> = votes
            .of_question(index)
            .iter()
            .copied()
            .filter(|v| counted.counts[v.classification as usize])
            .collect();
        cast.sort_by_key(|v| (rank[v.classification as usize], v.answer));
        let Some(scene) = Scene::new(votes, index, question, &cast) else { continue };
        if question.kind.is_multiple() {
            let answers = 0..u32::try_from(question.answers.len()).expect("u32");
            polls.extend(answers.map(|answer| scene.about(answer)));
        } else {
            polls.push(scene.of_one());
        }
    }
    polls
}

/// One question's votes in order.
struct Scene<'a> {
    votes: &'a Votes,
    index: u32,
    question: &'a Question,
    cast: &'a [Vote],
    subjects: Vec<u32>,
    n_untimed: u64,
}

impl<'a> Scene<'a> {
    fn new(votes: &'a Votes, index: u32, question: &'a Question, cast: &'a [Vote]) -> Option<Self> {
        let mut subjects: Vec<u32> = cast.iter().map(|v| votes.subject_of(*v)).collect();
        subjects.sort_unstable();
        subjects.dedup();
        let untimed = |c: &&[Vote]| votes.created_ms[c[0].classification as usize] == i64::MIN;
        let n_untimed = by_classification(cast).filter(untimed).count() as u64;
        (!subjects.is_empty()).then_some(Self { votes, index, question, cast, subjects, n_untimed })
    }

    fn of_one(&self) -> Poll {
        // An old export may hold two answers of one volunteer; the first is the answer.
        let ballots = by_classification(self.cast).map(|group| self.ballot(group, group[0].answer));
        self.poll(None, self.question.answers.clone(), ballots.collect())
    }

    fn about(&self, answer: u32) -> Poll {
        let ballots = by_classification(self.cast).map(|group| {
            let chosen = group.iter().any(|v| v.answer == answer);
            self.ballot(group, u32::from(chosen))
        });
        self.poll(Some(answer), NO_YES.map(str::to_owned).to_vec(), ballots.collect())
    }

    fn ballot(&self, group: &[Vote], answer: u32) -> Ballot {
        let subject = self.votes.subject_of(group[0]);
        let subject = self.subjects.binary_search(&subject).expect("listed above");
        Ballot {
            classification: group[0].classification,
            subject: u32::try_from(subject).expect("u32"),
            volunteer: self.votes.volunteer_of(group[0]),
            answer,
        }
    }

    fn poll(&self, about: Option<u32>, labels: Vec<String>, ballots: Vec<Ballot>) -> Poll {
        Poll {
            question: self.index,
            about,
            labels,
            subjects: self.subjects.clone(),
            ballots,
            n_untimed: self.n_untimed,
        }
    }
}

fn by_classification(cast: &[Vote]) -> impl Iterator<Item = &[Vote]> {
    cast.chunk_by(|a, b| a.classification == b.classification)
}

impl Poll {
    /// Whether nothing but ids orders the ballots.
    #[must_use]
    pub fn is_untimed(&self) -> bool {
        self.n_untimed == self.ballots.len() as u64
    }

    /// Known answers of this poll's subjects.
    ///
    /// Labels match by their text. A subject that has several true answers in a question with one is a
    /// contradiction and counts as unknown. In a poll about one answer of several, a subject is known
    /// when the truth speaks about it: `yes` if the answer is among the true ones, else `no`.
    #[must_use]
    pub fn known(&self, votes: &Votes, truth: &Truth) -> Known {
        let labels = true_labels(&votes.questions[self.question as usize], self.about, truth);
        let mut known = Known {
            answers: vec![None; self.subjects.len()],
            n_contradicting: labels.n_contradicting,
            n_unknown_answers: labels.n_unknown_answers,
            n_unseen: 0,
        };
        for (subject, label) in labels.by_subject {
            let place = votes
                .subjects
                .binary_search_by(|s| compare_ids(s, subject))
                .ok()
                .and_then(|s| u32::try_from(s).ok())
                .and_then(|s| self.subjects.binary_search(&s).ok());
            match place {
                Some(place) => known.answers[place] = Some(label),
                None => known.n_unseen += 1,
            }
        }
        known
    }
}

/// What the truth says about one poll, by subject.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrueLabels<'t> {
    pub(crate) by_subject: BTreeMap<&'t str, u32>,
    pub(crate) n_contradicting: u64,
    pub(crate) n_unknown_answers: u64,
}

/// The true labels of a question, or of one answer of several.
pub(crate) fn true_labels<'t>(
    question: &Question,
    about: Option<u32>,
    truth: &'t Truth,
) -> TrueLabels<'t> {
    let mut labels = TrueLabels::default();
    for (subject, answers) in true_answers(truth, &question.task) {
        match true_label(question, about, answers) {
            Ok(label) => {
                labels.by_subject.insert(subject, label);
            }
            Err(Unusable::Contradiction) => labels.n_contradicting += 1,
            Err(Unusable::UnknownAnswer) => labels.n_unknown_answers += 1,
        }
    }
    labels
}

fn true_label(question: &Question, about: Option<u32>, answers: &[String]) -> Result<u32, Unusable> {
    let position = |answer: &String| {
        let at = question.answers.iter().position(|a| a == answer)?;
        u32::try_from(at).ok()
    };
    if let Some(about) = about {
        if answers.iter().any(|a| position(a).is_none()) {
            return Err(Unusable::UnknownAnswer);
        }
        return Ok(u32::from(answers.iter().any(|a| position(a) == Some(about))));
    }
    match answers {
        [one] => position(one).ok_or(Unusable::UnknownAnswer),
        _ => Err(Unusable::Contradiction),
    }
}

enum Unusable {
    Contradiction,
    UnknownAnswer,
}

/// What the truth says about a task: its own answers, and those for every task where it has none.
fn true_answers<'t>(truth: &'t Truth, task: &str) -> BTreeMap<&'t str, &'t [String]> {
    let mut found = BTreeMap::new();
    for wanted in ["", task] {
        for (_, subject, answers) in truth.iter().filter(|(t, ..)| *t == wanted) {
            found.insert(subject, answers);
        }
    }
    found.retain(|_, answers: &mut &[String]| !answers.is_empty() || truth_lists_tasks(truth, task));
    found
}

/// Whether an empty list of true answers means "none of them", as in a table with a column per task.
fn truth_lists_tasks(truth: &Truth, task: &str) -> bool {
    truth.iter().any(|(t, ..)| t == task)
}

#[cfg(test)]
#[path = "polls_tests.rs"]
mod tests;
