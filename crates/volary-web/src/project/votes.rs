//! What was voted on a subject, vote by vote, without who: how the consensus came about.

use std::collections::HashMap;

/// One vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ballot {
    /// The task.
    pub task: String,
    /// The answer; `None` for one who saw the question and chose nothing.
    pub answer: Option<String>,
    /// When, if known: ms since 1970.
    pub at_ms: Option<i64>,
}

/// All votes, by subject; texts are kept once.
#[derive(Clone, Debug, Default)]
pub struct Ballots {
    texts: Vec<String>,
    known: HashMap<String, u32>,
    of: HashMap<String, Vec<(u32, u32, i64)>>,
}

/// No answer, or no time.
const NONE: u32 = u32::MAX;
const NO_TIME: i64 = i64::MAX;

impl Ballots {
    /// Adds a vote.
    pub fn add(&mut self, subject: &str, task: &str, answer: Option<&str>, at_ms: Option<i64>) {
        let (task, answer) = (self.code(task), answer.map_or(NONE, |answer| self.code(answer)));
        let vote = (task, answer, at_ms.unwrap_or(NO_TIME));
        match self.of.get_mut(subject) {
            Some(votes) => votes.push(vote),
            None => drop(self.of.insert(subject.to_owned(), vec![vote])),
        }
    }

    fn code(&mut self, text: &str) -> u32 {
        if let Some(code) = self.known.get(text) {
            return *code;
        }
        let code = u32::try_from(self.texts.len()).unwrap_or(NONE);
        self.texts.push(text.to_owned());
        self.known.insert(text.to_owned(), code);
        code
    }

    /// The votes on a subject by time, those without one last; of one moment in the order in which they were
    /// added.
    #[must_use]
    pub fn of(&self, subject: &str) -> Vec<Ballot> {
        let mut votes = self.of.get(subject).cloned().unwrap_or_default();
        votes.sort_by_key(|(_, _, at_ms)| *at_ms);
        let text = |code: u32| self.texts.get(code as usize).cloned();
        let ballot = |(task, answer, at_ms): (u32, u32, i64)| Ballot {
            task: text(task).unwrap_or_default(),
            answer: text(answer),
            at_ms: (at_ms != NO_TIME).then_some(at_ms),
        };
        votes.into_iter().map(ballot).collect()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_come_in_order_of_time() {
        let mut ballots = Ballots::default();
        ballots.add("a", "T0", Some("yes"), Some(20));
        ballots.add("a", "T0", None, None);
        ballots.add("a", "T0", Some("no"), Some(10));
        ballots.add("b", "T0", Some("no"), Some(5));
        let votes = ballots.of("a");
        let answers: Vec<Option<&str>> = votes.iter().map(|v| v.answer.as_deref()).collect();
        assert_eq!(answers, [Some("no"), Some("yes"), None]);
        assert_eq!((votes[0].at_ms, votes[2].at_ms), (Some(10), None));
        assert!(ballots.of("c").is_empty() && !ballots.is_empty());
    }
}
