//! One question's votes by subject and by volunteer, as flat arrays.

use std::collections::BTreeMap;

use volary_core::Votes;
use volary_core::votes::{NO_ANSWER, Vote};

use crate::repeats::Counted;

/// One vote.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) volunteer: u32,
    pub(super) value: u32,
    pub(super) created_ms: i64,
}

/// The votes of one question.
pub(super) struct View {
    /// All votes, by subject.
    votes: Vec<Seen>,
    /// Where each subject's votes begin, and the end.
    starts: Vec<usize>,
    /// (value, count) by subject.
    counts: Vec<Vec<(u32, u32)>>,
    /// Per volunteer: (subject, place in `votes`).
    of_volunteer: Vec<Vec<(u32, u32)>>,
    n_values: usize,
    /// Share of each value among all votes.
    pub(super) shares: Vec<f64>,
}

impl View {
    pub(super) fn new(votes: &Votes, counted: &Counted, question: u32) -> Self {
        let several = votes.questions[question as usize].kind.is_multiple();
        let own: Vec<Vote> = votes
            .of_question(question)
            .iter()
            .copied()
            .filter(|v| counted.counts[v.classification as usize])
            .filter(|v| several || v.answer != NO_ANSWER)
            .collect();
        // A set of answers is a value; of a question with one answer the sets have one.
        let sets: Vec<(u32, Vec<u32>)> = own
            .chunk_by(|a, b| a.classification == b.classification)
            .map(|group| {
                let set = group.iter().map(|v| v.answer).filter(|a| *a != NO_ANSWER).collect();
                (group[0].classification, set)
            })
            .collect();
        let mut index: BTreeMap<&[u32], u32> = sets.iter().map(|(_, set)| (set.as_slice(), 0)).collect();
        for (next, value) in (0..).zip(index.values_mut()) {
            *value = next;
        }
        let mut view = Self {
            votes: Vec::with_capacity(sets.len()),
            starts: vec![0],
            counts: Vec::new(),
            of_volunteer: vec![Vec::new(); votes.volunteers.len()],
            n_values: index.len(),
            shares: vec![0.0; index.len()],
        };
        let subject = |(classification, _): &(u32, Vec<u32>)| votes.subject[*classification as usize];
        for group in sets.chunk_by(|a, b| subject(a) == subject(b)) {
            view.add_subject(group.iter().map(|(classification, set)| Seen {
                volunteer: votes.volunteer[*classification as usize],
                value: index[set.as_slice()],
                created_ms: votes.created_ms[*classification as usize],
            }));
        }
        let total = view.votes.len().max(1) as f64;
        for seen in &view.votes {
            view.shares[seen.value as usize] += 1.0 / total;
        }
        view
    }

    fn add_subject(&mut self, votes: impl Iterator<Item = Seen>) {
        let subject = u32::try_from(self.counts.len()).expect("subjects are u32");
        let start = self.votes.len();
        self.votes.extend(votes);
        let mut counts: Vec<(u32, u32)> = Vec::new();
        for (at, seen) in self.votes.iter().enumerate().skip(start) {
            let place = u32::try_from(at).expect("votes are u32");
            self.of_volunteer[seen.volunteer as usize].push((subject, place));
            match counts.iter_mut().find(|(value, _)| *value == seen.value) {
                Some((_, n)) => *n += 1,
                None => counts.push((seen.value, 1)),
            }
        }
        self.counts.push(counts);
        self.starts.push(self.votes.len());
    }

    pub(super) fn n_volunteers(&self) -> usize {
        self.of_volunteer.len()
    }

    pub(super) fn n_values(&self) -> usize {
        self.n_values
    }

    /// Volunteers with a vote.
    pub(super) fn present(&self) -> Vec<u32> {
        (0..).zip(&self.of_volunteer).filter(|(_, votes)| !votes.is_empty()).map(|(v, _)| v).collect()
    }

    /// A volunteer's votes, with their subjects.
    pub(super) fn of(&self, volunteer: u32) -> impl Iterator<Item = (u32, Seen)> + '_ {
        let own = &self.of_volunteer[volunteer as usize];
        own.iter().map(|(subject, place)| (*subject, self.votes[*place as usize]))
    }

    /// How many votes a volunteer has.
    pub(super) fn n_of(&self, volunteer: u32) -> usize {
        self.of_volunteer[volunteer as usize].len()
    }

    /// A subject's votes.
    pub(super) fn on(&self, subject: u32) -> &[Seen] {
        &self.votes[self.starts[subject as usize]..self.starts[subject as usize + 1]]
    }

    /// (value, count) of a subject.
    pub(super) fn counts(&self, subject: u32) -> &[(u32, u32)] {
        &self.counts[subject as usize]
    }

    /// Votes of a subject for a value.
    pub(super) fn count(&self, subject: u32, value: u32) -> f64 {
        self.counts(subject).iter().find(|(v, _)| *v == value).map_or(0.0, |(_, n)| f64::from(*n))
    }
}
