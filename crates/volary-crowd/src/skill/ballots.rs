//! One question's votes as the flat arrays that every skill model iterates over.
//!
//! The cells that matter are few: a volunteer who used two of two hundred answers has two *slots*,
//! (volunteer, label) pairs that occur, and a model keeps one row of `n_classes` numbers per slot and
//! none for labels that the volunteer never gave. Votes are held twice: by item as slot numbers (for the
//! step that judges items) and by slot as item numbers (for the step that judges volunteers), both in a
//! fixed order, so that sums do not depend on threads.
//!
//! No model lives here, and nothing here knows what the labels mean.

use std::ops::Range;

use volary_core::Votes;
use volary_core::votes::NO_ANSWER;

use crate::error::CrowdError;
use crate::repeats::Counted;
use crate::weights::Weights;

/// An item without a known answer.
pub const NO_GOLD: u32 = u32::MAX;

/// Votes in columns, sorted by item; [`Ballots::new`] takes them in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    /// Items, with votes or without.
    pub n_items: usize,
    /// Volunteers.
    pub n_volunteers: usize,
    /// Classes; labels lie below this (but see [`Columns::n_labels`]).
    pub n_classes: usize,
    /// Per volunteer: how many labels it has, where that is not `n_classes` (a machine, whose labels are
    /// bins of its score); empty where all have `n_classes`.
    pub n_labels: Vec<u32>,
    /// Per vote: item, ascending.
    pub item: Vec<u32>,
    /// Per vote: volunteer.
    pub volunteer: Vec<u32>,
    /// Per vote: label.
    pub label: Vec<u32>,
    /// Per vote: a positive weight; empty where every vote weighs the same.
    pub weight: Vec<f64>,
}

/// The votes of one question; see the module's documentation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ballots {
    n_classes: usize,
    n_labels: Vec<u32>,
    item_start: Vec<u32>,
    vote_slot: Vec<u32>,
    vote_weight: Vec<f64>,
    volunteer_start: Vec<u32>,
    slot_label: Vec<u32>,
    slot_start: Vec<u32>,
    slot_item: Vec<u32>,
    slot_weight: Vec<f64>,
    gold: Vec<u32>,
}

/// Running totals of counts, one longer than the counts.
fn starts(counts: impl ExactSizeIterator<Item = u32>) -> Vec<u32> {
    let mut total = 0;
    let mut starts = Vec::with_capacity(counts.len() + 1);
    starts.push(0);
    for count in counts {
        total += count;
        starts.push(total);
    }
    starts
}

fn count(column: &[u32], size: usize) -> Vec<u32> {
    let mut counts = vec![0; size];
    for &at in column {
        counts[at as usize] += 1;
    }
    counts
}

impl Ballots {
    /// Arranges votes.
    ///
    /// # Errors
    /// [`CrowdError::Ballots`] where the columns do not fit each other: other lengths, items out of
    /// order, an index beyond its number, a weight that is not positive.
    pub fn new(columns: Columns) -> Result<Self, CrowdError> {
        columns.check()?;
        let Columns { n_items, n_volunteers, n_classes, n_labels, item, volunteer, label, weight } =
            columns;
        let item_start = starts(count(&item, n_items).into_iter());
        // Votes by volunteer, in the order of items within one.
        let by_volunteer = starts(count(&volunteer, n_volunteers).into_iter());
        let mut next = by_volunteer.clone();
        let mut order = vec![0_u32; item.len()];
        for (vote, &v) in (0..).zip(&volunteer) {
            let at = &mut next[v as usize];
            order[*at as usize] = vote;
            *at += 1;
        }
        drop(volunteer);
        let mut this = Self {
            n_classes,
            n_labels,
            vote_slot: vec![0; item.len()],
            volunteer_start: vec![0],
            slot_start: vec![0],
            slot_weight: Vec::with_capacity(weight.len()),
            gold: vec![NO_GOLD; n_items],
            item_start,
            ..Self::default()
        };
        for w in 0..n_volunteers {
            let own = &mut order[by_volunteer[w] as usize..by_volunteer[w + 1] as usize];
            // A stable order by label leaves the items ascending in each slot.
            own.sort_by_key(|&vote| label[vote as usize]);
            for same in own.chunk_by(|&a, &b| label[a as usize] == label[b as usize]) {
                let slot = u32::try_from(this.slot_label.len()).expect("no more slots than votes");
                this.slot_label.push(label[same[0] as usize]);
                for &vote in same {
                    this.vote_slot[vote as usize] = slot;
                    if !weight.is_empty() {
                        this.slot_weight.push(weight[vote as usize]);
                    }
                }
                let end = this.slot_start[slot as usize] + u32::try_from(same.len()).expect("u32 votes");
                this.slot_start.push(end);
            }
            this.volunteer_start.push(u32::try_from(this.slot_label.len()).expect("u32 slots"));
        }
        for vote in &mut order {
            *vote = item[*vote as usize];
        }
        this.slot_item = order;
        this.vote_weight = weight;
        Ok(this)
    }

    /// Holds the answers of some items fixed: a class per item, or [`NO_GOLD`].
    ///
    /// # Errors
    /// [`CrowdError::Ballots`] where the length is not the number of items or a class is unknown.
    pub fn with_gold(mut self, gold: Vec<u32>) -> Result<Self, CrowdError> {
        let bad = |what| Err(CrowdError::Ballots { what });
        if gold.len() != self.n_items() {
            return bad("one gold entry per item is needed");
        }
        if gold.iter().any(|&g| g != NO_GOLD && g as usize >= self.n_classes) {
            return bad("a gold class lies beyond the classes");
        }
        self.gold = gold;
        Ok(self)
    }

    /// Classes.
    #[must_use]
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// Items.
    #[must_use]
    pub fn n_items(&self) -> usize {
        self.gold.len()
    }

    /// Volunteers, those without votes included.
    #[must_use]
    pub fn n_volunteers(&self) -> usize {
        self.volunteer_start.len().saturating_sub(1)
    }

    /// Votes.
    #[must_use]
    pub fn n_votes(&self) -> usize {
        self.vote_slot.len()
    }

    /// (volunteer, label) pairs that occur.
    #[must_use]
    pub fn n_slots(&self) -> usize {
        self.slot_label.len()
    }

    /// How many labels a volunteer has to choose from.
    #[must_use]
    pub fn n_labels(&self, volunteer: usize) -> usize {
        self.n_labels.get(volunteer).map_or(self.n_classes, |&n| n as usize)
    }

    /// Whether a volunteer's labels are the classes (and not the bins of a machine's score).
    #[must_use]
    pub fn is_person(&self, volunteer: usize) -> bool {
        self.n_labels.is_empty() || self.n_labels[volunteer] as usize == self.n_classes
    }

    /// The known class of an item, or [`NO_GOLD`].
    #[must_use]
    pub fn gold(&self, item: usize) -> u32 {
        self.gold[item]
    }

    /// The known class of every item, or [`NO_GOLD`].
    #[must_use]
    pub fn golds(&self) -> &[u32] {
        &self.gold
    }

    /// Whether votes have weights.
    #[must_use]
    pub fn is_weighted(&self) -> bool {
        !self.vote_weight.is_empty()
    }

    /// The votes of an item, as a range for [`Ballots::vote`].
    #[must_use]
    pub fn votes_of(&self, item: usize) -> Range<usize> {
        self.item_start[item] as usize..self.item_start[item + 1] as usize
    }

    /// (slot, weight) of a vote.
    #[must_use]
    pub fn vote(&self, vote: usize) -> (usize, f64) {
        let weight = if self.vote_weight.is_empty() { 1.0 } else { self.vote_weight[vote] };
        (self.vote_slot[vote] as usize, weight)
    }

    /// Slot numbers of an item's votes: the fast path where votes have no weights.
    #[must_use]
    pub(crate) fn slots_of_item(&self, item: usize) -> &[u32] {
        &self.vote_slot[self.votes_of(item)]
    }

    /// The slots of a volunteer.
    #[must_use]
    pub fn slots_of(&self, volunteer: usize) -> Range<usize> {
        self.volunteer_start[volunteer] as usize..self.volunteer_start[volunteer + 1] as usize
    }

    /// The label of a slot.
    #[must_use]
    pub fn label(&self, slot: usize) -> usize {
        self.slot_label[slot] as usize
    }

    /// (item, weight) of every vote of a slot.
    pub fn items_of(&self, slot: usize) -> impl Iterator<Item = (usize, f64)> {
        let range = self.slot_start[slot] as usize..self.slot_start[slot + 1] as usize;
        let weights: &[f64] =
            if self.slot_weight.is_empty() { &[] } else { &self.slot_weight[range.clone()] };
        let items = self.slot_item[range].iter();
        items.enumerate().map(|(at, &item)| (item as usize, weights.get(at).copied().unwrap_or(1.0)))
    }

    /// Item numbers of a slot's votes: the fast path where votes have no weights.
    #[must_use]
    pub(crate) fn items_of_slot(&self, slot: usize) -> &[u32] {
        &self.slot_item[self.slot_start[slot] as usize..self.slot_start[slot + 1] as usize]
    }

    /// The volunteer of every slot.
    #[must_use]
    pub fn volunteer_of_slots(&self) -> Vec<u32> {
        let mut owners = vec![0; self.n_slots()];
        for w in 0..self.n_volunteers() {
            owners[self.slots_of(w)].fill(u32::try_from(w).expect("u32 volunteers"));
        }
        owners
    }

    /// Votes of a volunteer.
    #[must_use]
    pub fn n_votes_of(&self, volunteer: usize) -> usize {
        let slots = self.slots_of(volunteer);
        (self.slot_start[slots.end] - self.slot_start[slots.start]) as usize
    }

    /// Sum of the weights of a volunteer's votes.
    #[must_use]
    pub fn weight_of(&self, volunteer: usize) -> f64 {
        if self.slot_weight.is_empty() {
            return self.n_votes_of(volunteer) as f64;
        }
        self.slots_of(volunteer).flat_map(|slot| self.items_of(slot)).map(|(_, w)| w).sum()
    }

    /// Votes (by weight) per class of an item, people's only, added into `counts` of length `n_classes`.
    pub fn count_into(&self, item: usize, counts: &mut [f64], is_person_slot: &[bool]) {
        for vote in self.votes_of(item) {
            let (slot, weight) = self.vote(vote);
            if is_person_slot.is_empty() || is_person_slot[slot] {
                counts[self.label(slot)] += weight;
            }
        }
    }

    /// Per slot whether a person owns it; empty where all do.
    #[must_use]
    pub fn person_slots(&self) -> Vec<bool> {
        if self.n_labels.is_empty() {
            return Vec::new();
        }
        let mut person = vec![true; self.n_slots()];
        for w in (0..self.n_volunteers()).filter(|&w| !self.is_person(w)) {
            person[self.slots_of(w)].fill(false);
        }
        person
    }

    /// The columns again (by item, then slot order of the votes).
    #[must_use]
    pub fn columns(&self) -> Columns {
        let owners = self.volunteer_of_slots();
        let mut columns = Columns {
            n_items: self.n_items(),
            n_volunteers: self.n_volunteers(),
            n_classes: self.n_classes,
            n_labels: self.n_labels.clone(),
            weight: self.vote_weight.clone(),
            ..Columns::default()
        };
        for item in 0..self.n_items() {
            for &slot in self.slots_of_item(item) {
                columns.item.push(u32::try_from(item).expect("u32 items"));
                columns.volunteer.push(owners[slot as usize]);
                columns.label.push(self.slot_label[slot as usize]);
            }
        }
        columns
    }
}

impl Columns {
    fn check(&self) -> Result<(), CrowdError> {
        let n = self.item.len();
        let must = |ok: bool, what| if ok { Ok(()) } else { Err(CrowdError::Ballots { what }) };
        must(self.volunteer.len() == n && self.label.len() == n, "columns of one length are needed")?;
        must(u32::try_from(n).is_ok(), "there are more than 2^32 votes")?;
        must(self.weight.is_empty() || self.weight.len() == n, "one weight per vote is needed")?;
        must(self.item.is_sorted(), "votes must come sorted by item")?;
        must(
            self.item.last().is_none_or(|&i| (i as usize) < self.n_items),
            "an item lies beyond the items",
        )?;
        let own = self.n_labels.len();
        must(own == 0 || own == self.n_volunteers, "one number of labels per volunteer is needed")?;
        let labels = |v: u32| self.n_labels.get(v as usize).map_or(self.n_classes, |&n| n as usize);
        let fits = |(&v, &l): (&u32, &u32)| (v as usize) < self.n_volunteers && (l as usize) < labels(v);
        must(self.volunteer.iter().zip(&self.label).all(fits), "a volunteer or label is out of range")?;
        must(self.weight.iter().all(|&w| crate::error::is_weight(w)), "a weight is not positive")
    }
}

/// The votes of one question, or of one answer of a question with several, with what its numbers mean.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Panel {
    /// Index into the questions.
    pub question: u32,
    /// For questions with several answers: the answer whose yes (class 1) or no (class 0) this is.
    pub answer: Option<u32>,
    /// Per class: the question's answer; for yes or no, empty.
    pub classes: Vec<u32>,
    /// Per item: the subject.
    pub subjects: Vec<u32>,
    /// Per volunteer: index into the volunteers of the votes.
    pub volunteers: Vec<u32>,
    /// The votes.
    pub ballots: Ballots,
}

/// What a question's subjects are known to be: sorted (subject, answer).
pub type GoldAnswers = [(u32, u32)];

impl Panel {
    /// The votes on a question with one answer; blanks are left out.
    ///
    /// The classes are the answers that somebody gave or that are known of a gold subject: an answer that
    /// nobody ever gave cannot be told from the others by any model.
    ///
    /// # Errors
    /// [`CrowdError::Ballots`] as [`Ballots::new`].
    pub fn of_question(
        votes: &Votes,
        counted: &Counted,
        question: u32,
        gold: &GoldAnswers,
        weights: Option<&Weights>,
    ) -> Result<Self, CrowdError> {
        let n_answers = votes.questions[question as usize].answers.len();
        let mut raw = Raw::default();
        for &vote in votes.of_question(question) {
            if vote.answer != NO_ANSWER && counted.counts[vote.classification as usize] {
                raw.add(votes, vote.classification, vote.answer, weights);
            }
        }
        let mut used = vec![false; n_answers];
        raw.label.iter().for_each(|&l| used[l as usize] = true);
        gold.iter().for_each(|&(_, l)| used[l as usize] = true);
        let classes: Vec<u32> = (0..).zip(&used).filter(|(_, used)| **used).map(|(a, _)| a).collect();
        let mut class_of = vec![NO_GOLD; n_answers];
        for (class, &answer) in (0..).zip(&classes) {
            class_of[answer as usize] = class;
        }
        raw.label.iter_mut().for_each(|l| *l = class_of[*l as usize]);
        let n_classes = classes.len();
        raw.into_panel(votes, question, (None, classes, n_classes), |subject| {
            gold.binary_search_by_key(&subject, |g| g.0)
                .map_or(NO_GOLD, |at| class_of[gold[at].1 as usize])
        })
    }

    /// The yes (1) and no (0) of everyone who saw a question with several answers, about one of them.
    ///
    /// `gold` holds a row per known subject and true answer, and [`NO_ANSWER`] for a known subject of
    /// which none is true.
    ///
    /// # Errors
    /// [`CrowdError::Ballots`] as [`Ballots::new`].
    pub fn of_answer(
        votes: &Votes,
        counted: &Counted,
        (question, answer): (u32, u32),
        gold: &GoldAnswers,
        weights: Option<&Weights>,
    ) -> Result<Self, CrowdError> {
        let mut raw = Raw::default();
        let own = votes.of_question(question);
        for group in own.chunk_by(|a, b| a.classification == b.classification) {
            if counted.counts[group[0].classification as usize] {
                let yes = group.iter().any(|v| v.answer == answer);
                raw.add(votes, group[0].classification, u32::from(yes), weights);
            }
        }
        raw.into_panel(votes, question, (Some(answer), Vec::new(), 2), |subject| {
            let start = gold.partition_point(|g| g.0 < subject);
            let end = gold.partition_point(|g| g.0 <= subject);
            let known = &gold[start..end];
            if known.is_empty() { NO_GOLD } else { u32::from(known.iter().any(|g| g.1 == answer)) }
        })
    }
}

/// Votes before their subjects and volunteers are renumbered.
#[derive(Default)]
struct Raw {
    subject: Vec<u32>,
    volunteer: Vec<u32>,
    label: Vec<u32>,
    weight: Vec<f64>,
}

impl Raw {
    fn add(&mut self, votes: &Votes, classification: u32, label: u32, weights: Option<&Weights>) {
        let at = classification as usize;
        // The same answer twice in one classification is one vote.
        self.subject.push(votes.subject[at]);
        self.volunteer.push(votes.volunteer[at]);
        self.label.push(label);
        if let Some(weights) = weights {
            self.weight.push(weights.per_classification[at]);
        }
    }

    fn into_panel(
        self,
        votes: &Votes,
        question: u32,
        (answer, classes, n_classes): (Option<u32>, Vec<u32>, usize),
        gold: impl Fn(u32) -> u32,
    ) -> Result<Panel, CrowdError> {
        let (subjects, item) = renumber(self.subject, votes.subjects.len());
        let (volunteers, volunteer) = renumber(self.volunteer, votes.volunteers.len());
        let gold: Vec<u32> = subjects.iter().map(|&s| gold(s)).collect();
        let ballots = Ballots::new(Columns {
            n_items: subjects.len(),
            n_volunteers: volunteers.len(),
            n_classes,
            n_labels: Vec::new(),
            item,
            volunteer,
            label: self.label,
            weight: self.weight,
        })?
        .with_gold(gold)?;
        Ok(Panel { question, answer, classes, subjects, volunteers, ballots })
    }
}

/// The values that occur, ascending, and the column by their rank.
fn renumber(mut column: Vec<u32>, size: usize) -> (Vec<u32>, Vec<u32>) {
    let mut rank = vec![NO_GOLD; size];
    column.iter().for_each(|&v| rank[v as usize] = 0);
    let mut values = Vec::new();
    for (value, rank) in (0..).zip(rank.iter_mut()).filter(|(_, r)| **r == 0) {
        *rank = u32::try_from(values.len()).expect("u32");
        values.push(value);
    }
    column.iter_mut().for_each(|v| *v = rank[*v as usize]);
    (values, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Columns {
        Columns {
            n_items: 3,
            n_volunteers: 2,
            n_classes: 2,
            item: vec![0, 0, 1, 2, 2],
            volunteer: vec![1, 0, 1, 0, 1],
            label: vec![1, 0, 1, 0, 0],
            ..Columns::default()
        }
    }

    #[test]
    fn votes_stand_by_item_and_by_slot() {
        let ballots = Ballots::new(columns()).unwrap();
        assert_eq!((ballots.n_votes(), ballots.n_slots()), (5, 3));
        assert_eq!(ballots.slots_of(0), 0..1);
        assert_eq!(ballots.slots_of(1), 1..3);
        assert_eq!((0..3).map(|s| ballots.label(s)).collect::<Vec<_>>(), [0, 0, 1]);
        assert_eq!(ballots.items_of_slot(0), [0, 2]);
        assert_eq!(ballots.items_of_slot(1), [2]);
        assert_eq!(ballots.items_of_slot(2), [0, 1]);
        assert_eq!(ballots.slots_of_item(0), [2, 0]);
        assert_eq!(ballots.n_votes_of(1), 3);
        assert_eq!(ballots.columns().label, columns().label);
    }

    #[test]
    fn weights_follow_their_votes() {
        let weight = vec![0.1, 0.2, 0.3, 0.4, 0.5];
        let ballots = Ballots::new(Columns { weight, ..columns() }).unwrap();
        assert_eq!(ballots.items_of(2).collect::<Vec<_>>(), [(0, 0.1), (1, 0.3)]);
        assert_eq!(ballots.vote(4), (1, 0.5));
        assert!((ballots.weight_of(0) - 0.6).abs() < 1e-15);
    }

    #[test]
    fn columns_that_do_not_fit_are_refused() {
        let bad = [
            Columns { n_items: 2, ..columns() },
            Columns { n_volunteers: 1, ..columns() },
            Columns { n_classes: 1, ..columns() },
            Columns { item: vec![1, 0, 1, 2, 2], ..columns() },
            Columns { weight: vec![1.0; 4], ..columns() },
            Columns { weight: vec![1.0, 1.0, f64::NAN, 1.0, 1.0], ..columns() },
            Columns { label: vec![0; 4], ..columns() },
        ];
        for columns in bad {
            assert!(
                matches!(Ballots::new(columns.clone()), Err(CrowdError::Ballots { .. })),
                "{columns:?}"
            );
        }
        assert!(Ballots::new(columns()).unwrap().with_gold(vec![0, 2, NO_GOLD]).is_err());
        let empty = Ballots::new(Columns::default()).unwrap();
        assert_eq!((empty.n_items(), empty.n_volunteers(), empty.n_slots()), (0, 0, 0));
    }
}
