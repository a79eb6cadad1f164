//! SWAP over whole questions: all at once ([`SwapMethod`]) or a classification at a time
//! ([`SwapRunning`]), with the same result to the last digit.
//!
//! Questions with several answers are a SWAP of `no` and `yes` for each answer. The live form must be
//! told the questions beforehand, because the number of answers sets the prior.

use std::collections::{BTreeMap, HashMap, HashSet};

use volary_core::Votes;
use volary_core::truth::Truth;
use volary_core::votes::{NO_ANSWER, Question};

use super::{Pace, Swap, SwapError, SwapParams, SwapVotes, swap};
use crate::aggregate::{Aggregate, Classification, Key, Running};
use crate::polls::{NO_YES, Poll, is_polled, polls, true_labels};
use crate::repeats::{Repeats, counted};

/// What SWAP says about one subject.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Swapped {
    /// Votes taken.
    pub n_votes: u32,
    /// Probability by answer: they sum to one, or are each that of a yes in a question with several.
    pub probability: BTreeMap<String, f64>,
}

/// SWAP over all votes.
#[derive(Clone, Debug, Default)]
pub struct SwapMethod {
    /// Parameters.
    pub params: SwapParams,
    /// Which repeats count.
    pub repeats: Repeats,
    /// Known answers.
    pub gold: Truth,
}

impl SwapMethod {
    /// Runs it on one poll.
    ///
    /// # Errors
    /// [`SwapError`], where a parameter is out of its range for this poll.
    pub fn of_poll(&self, votes: &Votes, poll: &Poll) -> Result<Swap, SwapError> {
        let gold = poll.known(votes, &self.gold).answers;
        swap_poll(poll, votes.volunteers.len(), &gold, &self.params)
    }
}

/// SWAP on one poll.
///
/// # Errors
/// [`SwapError`], where a parameter is out of its range for this poll.
pub fn swap_poll(
    poll: &Poll,
    n_volunteers: usize,
    gold: &[Option<u32>],
    params: &SwapParams,
) -> Result<Swap, SwapError> {
    let column = |pick: fn(&crate::polls::Ballot) -> u32| poll.ballots.iter().map(pick).collect();
    let (subject, volunteer, answer): (Vec<u32>, Vec<u32>, Vec<u32>) =
        (column(|b| b.subject), column(|b| b.volunteer), column(|b| b.answer));
    let votes = SwapVotes {
        n_answers: poll.labels.len(),
        n_volunteers,
        gold,
        subject: &subject,
        volunteer: &volunteer,
        answer: &answer,
    };
    swap(&votes, params)
}

impl Aggregate for SwapMethod {
    type Value = Swapped;

    /// Questions for which the parameters do not hold (a prior of another length) have no values.
    fn aggregate(&self, votes: &Votes) -> BTreeMap<Key, Swapped> {
        let mut values = BTreeMap::new();
        for poll in polls(votes, &counted(votes, self.repeats)) {
            let Ok(engine) = self.of_poll(votes, &poll) else { continue };
            let question = &votes.questions[poll.question as usize];
            for (place, &subject) in (0..).zip(&poll.subjects) {
                let key = Key {
                    workflow: question.workflow.clone(),
                    task: question.task.clone(),
                    subject: votes.subjects[subject as usize].clone(),
                };
                put(values.entry(key).or_default(), question, poll.about, &engine, place);
            }
        }
        values
    }
}

/// Adds one engine's word on a subject to its value.
fn put(value: &mut Swapped, question: &Question, about: Option<u32>, engine: &Swap, subject: u32) {
    value.n_votes = engine.n_votes()[subject as usize];
    let posterior = engine.posterior(subject);
    match about {
        Some(answer) => {
            value.probability.insert(question.answers[answer as usize].clone(), posterior[1]);
        }
        None => value.probability.extend(question.answers.iter().cloned().zip(posterior)),
    }
}

/// One poll while votes come in.
#[derive(Clone, Debug)]
struct Live {
    about: Option<u32>,
    engine: Swap,
    gold: BTreeMap<String, u32>,
    subjects: HashMap<String, u32>,
    volunteers: HashMap<String, u32>,
}

/// SWAP, a classification at a time.
#[derive(Clone, Debug)]
pub struct SwapRunning {
    questions: Vec<Question>,
    live: Vec<Vec<Live>>,
    repeats: Repeats,
    known: HashSet<(String, String, String)>,
    n_unknown: u64,
}

impl SwapRunning {
    /// Nothing counted yet, for the questions that may come.
    ///
    /// # Errors
    /// [`SwapError::RepeatsLast`], [`SwapError::OfflineRunning`], or a parameter out of its range.
    pub fn new(method: &SwapMethod, questions: &[Question]) -> Result<Self, SwapError> {
        if method.repeats == Repeats::Last {
            return Err(SwapError::RepeatsLast);
        }
        if method.params.pace == Pace::Offline {
            return Err(SwapError::OfflineRunning);
        }
        let mut live = Vec::with_capacity(questions.len());
        for question in questions {
            live.push(engines_of(method, question)?);
        }
        let questions = questions.to_vec();
        Ok(Self { questions, live, repeats: method.repeats, known: HashSet::new(), n_unknown: 0 })
    }

    /// Answers that no question has, and tasks that nobody announced; they were left out.
    #[must_use]
    pub fn n_unknown(&self) -> u64 {
        self.n_unknown
    }

    fn take(&mut self, at: usize, classification: &Classification<'_>) {
        let question = &self.questions[at];
        let mut given = Vec::new();
        for (_, answer) in classification.answers.iter().filter(|(task, _)| *task == question.task) {
            let Some(answer) = answer else { continue };
            match question.answers.iter().position(|a| a == answer) {
                Some(at) => given.push(u32::try_from(at).expect("u32")),
                None => self.n_unknown += 1,
            }
        }
        given.sort_unstable();
        for live in &mut self.live[at] {
            let answer = match live.about {
                Some(about) => u32::from(given.contains(&about)),
                None => given.first().copied().unwrap_or(NO_ANSWER),
            };
            live.vote(classification.subject, classification.volunteer, answer);
        }
    }
}

fn engines_of(method: &SwapMethod, question: &Question) -> Result<Vec<Live>, SwapError> {
    if !is_polled(question) {
        return Ok(Vec::new());
    }
    let abouts: Vec<Option<u32>> = if question.kind.is_multiple() {
        (0..u32::try_from(question.answers.len()).expect("u32")).map(Some).collect()
    } else {
        vec![None]
    };
    let live = |about: Option<u32>| {
        let k = about.map_or(question.answers.len(), |_| NO_YES.len());
        let gold = true_labels(question, about, &method.gold).by_subject;
        Ok(Live {
            about,
            engine: Swap::new(k, 0, Vec::new(), &method.params)?,
            gold: gold.into_iter().map(|(s, label)| (s.to_owned(), label)).collect(),
            subjects: HashMap::new(),
            volunteers: HashMap::new(),
        })
    };
    abouts.into_iter().map(live).collect()
}

impl Live {
    fn vote(&mut self, subject: &str, volunteer: &str, answer: u32) {
        let (engine, gold) = (&mut self.engine, &self.gold);
        let s = match self.subjects.get(subject) {
            Some(&s) => s,
            None => {
                let s = engine.add_subject(gold.get(subject).copied());
                self.subjects.insert(subject.to_owned(), s);
                s
            }
        };
        let w = match self.volunteers.get(volunteer) {
            Some(&w) => w,
            None => {
                let w = engine.add_volunteer();
                self.volunteers.insert(volunteer.to_owned(), w);
                w
            }
        };
        engine.vote(s, w, answer).expect("subject and volunteer were added, the answer is one of them");
    }
}

impl Running for SwapRunning {
    type Value = Swapped;

    fn add(&mut self, classification: &Classification<'_>) {
        let Classification { workflow, subject, volunteer, .. } = *classification;
        if self.repeats == Repeats::First {
            let visit = (workflow.to_owned(), subject.to_owned(), volunteer.to_owned());
            if !self.known.insert(visit) {
                return;
            }
        }
        for at in 0..self.questions.len() {
            let question = &self.questions[at];
            let is_asked = classification.answers.iter().any(|(task, _)| *task == question.task);
            if question.workflow == workflow && is_asked {
                self.take(at, classification);
            }
        }
        let is_known =
            |task: &str| self.questions.iter().any(|q| q.workflow == workflow && q.task == task);
        self.n_unknown +=
            classification.answers.iter().filter(|(task, _)| !is_known(task)).count() as u64;
    }

    fn values(&self) -> BTreeMap<Key, Swapped> {
        let mut values = BTreeMap::new();
        for (question, live) in self.questions.iter().zip(&self.live) {
            for live in live {
                let places: BTreeMap<&String, u32> =
                    live.subjects.iter().map(|(s, &i)| (s, i)).collect();
                for (subject, place) in places {
                    let key = Key {
                        workflow: question.workflow.clone(),
                        task: question.task.clone(),
                        subject: subject.clone(),
                    };
                    put(values.entry(key).or_default(), question, live.about, &live.engine, place);
                }
            }
        }
        values
    }
}
