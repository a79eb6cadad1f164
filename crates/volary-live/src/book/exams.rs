//! Which of a validation subject's votes are exams, and what changes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Book;
use super::strand::Strand;
use crate::canon::Ballot;
use crate::event::{Actor, Answers, Kind, Logged, Order};
use crate::skill::{Exam, ExamChange};

impl Book {
    pub(super) fn is_exam(&self) -> bool {
        self.validation && !self.truth.is_empty()
    }

    /// The exams that its votes are, in canonical order.
    pub(super) fn exams(&self) -> BTreeMap<Order, (Actor, Exam)> {
        let mut exams = BTreeMap::new();
        if !self.is_exam() {
            return exams;
        }
        for (key, strand) in &self.strands {
            for ballot in strand.tally.prefix(&strand.ballots, strand.tally.n_members()) {
                let (actor, order, exam) = exam(&key.workflow, ballot, &self.truth);
                exams.insert(order, (actor, exam));
            }
        }
        exams
    }

    /// The same before an event that may change them; a vote at the end of its strand does not.
    pub(super) fn exams_before(&self, logged: &Logged) -> BTreeMap<Order, (Actor, Exam)> {
        let order = logged.order();
        let is_last = |strand: &Strand| strand.ballots.last().is_none_or(|b| b.order < order);
        match &logged.event.kind {
            Kind::Drawn { .. } | Kind::Retirement { .. } | Kind::TeamReport { .. } => BTreeMap::new(),
            Kind::Vote { .. } if self.strands.values().all(is_last) => BTreeMap::new(),
            _ => self.exams(),
        }
    }
}

pub(super) fn exam(workflow: &str, ballot: &Ballot, truth: &Arc<Answers>) -> (Actor, Order, Exam) {
    let (truth, given) = (Arc::clone(truth), Arc::clone(&ballot.answers));
    let exam = Exam { workflow: workflow.to_owned(), truth, given };
    (ballot.actor.clone(), ballot.order.clone(), exam)
}

pub(super) fn exam_changes(
    was: BTreeMap<Order, (Actor, Exam)>,
    mut now: BTreeMap<Order, (Actor, Exam)>,
) -> Vec<ExamChange> {
    let mut changes = Vec::new();
    for (order, (actor, before)) in was {
        match now.remove(&order) {
            Some((_, exam)) if exam == before => {}
            after => changes.push(ExamChange { actor, order, exam: after.map(|(_, exam)| exam) }),
        }
    }
    let new = |(order, (actor, exam))| ExamChange { actor, order, exam: Some(exam) };
    changes.extend(now.into_iter().map(new));
    changes
}
