//! Votes as flat arrays: what every consensus method reads.
//!
//! A [`Votes`] is canonical: subjects, volunteers, questions and answers are sorted by their text and
//! the rows by (question, subject, volunteer, time), so that the order of the input never matters.
//! [`VotesBuilder`] makes one. Which repeated classifications count is not decided here (see
//! `volary_crowd::repeats`).

use std::cmp::Ordering;
use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::symbol::{Pool, Symbol};

/// The answer of a volunteer who saw the question and chose nothing.
pub const NO_ANSWER: u32 = u32::MAX;

/// What kind of question a task asks, as far as its annotations show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuestionKind {
    /// Nobody answered it, so nothing shows what it is.
    Unknown,
    /// One answer of several.
    Single,
    /// Any number of answers, each a yes or no of its own.
    Multiple,
    /// A button beside another task ("Nothing here").
    Shortcut,
    /// Which species: any number of choices.
    Survey,
    /// A question asked about one survey choice; only those who made the choice saw it.
    Detail,
    /// One entry of a list, or typed.
    Dropdown,
    /// A number on a scale, kept as it was written.
    Slider,
}

impl QuestionKind {
    /// The name used in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Single => "single",
            Self::Multiple => "multiple",
            Self::Shortcut => "shortcut",
            Self::Survey => "survey",
            Self::Detail => "detail",
            Self::Dropdown => "dropdown",
            Self::Slider => "slider",
        }
    }

    /// The kind of a name used in tables.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::Unknown,
            Self::Single,
            Self::Multiple,
            Self::Shortcut,
            Self::Survey,
            Self::Detail,
            Self::Dropdown,
            Self::Slider,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == name)
    }

    /// Whether one volunteer may give several answers, so that each answer is a Bernoulli of its own.
    #[must_use]
    pub fn is_multiple(self) -> bool {
        matches!(self, Self::Multiple | Self::Survey | Self::Detail | Self::Shortcut)
    }

    /// Whether the list of answers is closed and short, so that an answer that nobody gave to a subject
    /// is worth a row (with its interval) too.
    #[must_use]
    pub fn lists_all_answers(self) -> bool {
        matches!(self, Self::Single | Self::Multiple | Self::Shortcut)
    }
}

/// A question: one task of one workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Workflow id; empty for label tables.
    pub workflow: String,
    /// Task path.
    pub task: String,
    /// Kind.
    pub kind: QuestionKind,
    /// Answers, sorted; a vote's `answer` is an index into them.
    pub answers: Vec<String>,
}

/// One vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Index into the classification columns.
    pub classification: u32,
    /// Index into [`Votes::questions`].
    pub question: u32,
    /// Index into the question's answers, or [`NO_ANSWER`].
    pub answer: u32,
}

/// Votes as flat arrays; see the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct Votes {
    /// Subject ids, sorted: numbers by value, then text.
    pub subjects: Vec<String>,
    /// Volunteer keys, sorted.
    pub volunteers: Vec<String>,
    /// Questions, sorted by workflow and task.
    pub questions: Vec<Question>,
    /// Workflow ids, sorted; [`Votes::workflow`] indexes them.
    pub workflows: Vec<String>,
    /// Per classification: index into `subjects`.
    pub subject: Vec<u32>,
    /// Per classification: index into `volunteers`.
    pub volunteer: Vec<u32>,
    /// Per classification: index into `workflows`.
    pub workflow: Vec<u32>,
    /// Per classification: milliseconds since 1970, `i64::MIN` where unknown.
    pub created_ms: Vec<i64>,
    /// Classifications in the order in which they came: by time, then by id; those of unknown time first.
    /// What depends on the order (replays, SWAP) walks this.
    pub arrival: Vec<u32>,
    /// The votes, sorted by (question, subject, classification).
    pub votes: Vec<Vote>,
}

impl Votes {
    /// How many classifications.
    #[must_use]
    pub fn n_classifications(&self) -> usize {
        self.subject.len()
    }

    /// Number of votes that name an answer.
    #[must_use]
    pub fn n_answers_given(&self) -> usize {
        self.votes.iter().filter(|v| v.answer != NO_ANSWER).count()
    }

    /// The range of [`Votes::votes`] that belongs to one question.
    #[must_use]
    pub fn of_question(&self, question: u32) -> &[Vote] {
        let start = self.votes.partition_point(|v| v.question < question);
        let end = self.votes.partition_point(|v| v.question <= question);
        &self.votes[start..end]
    }

    /// Splits one question's votes by subject: `(subject, votes)` in order of subject.
    pub fn by_subject<'a>(&'a self, votes: &'a [Vote]) -> impl Iterator<Item = (u32, &'a [Vote])> {
        votes
            .chunk_by(|a, b| self.subject_of(*a) == self.subject_of(*b))
            .map(|group| (self.subject_of(group[0]), group))
    }

    /// The subject of a vote.
    #[must_use]
    pub fn subject_of(&self, vote: Vote) -> u32 {
        self.subject[vote.classification as usize]
    }

    /// The volunteer of a vote.
    #[must_use]
    pub fn volunteer_of(&self, vote: Vote) -> u32 {
        self.volunteer[vote.classification as usize]
    }
}

/// Order of ids: whole numbers by value, everything else after them by text.
#[must_use]
pub fn compare_ids(a: &str, b: &str) -> Ordering {
    let number = |s: &str| {
        (!s.is_empty() && s.bytes().all(|c| c.is_ascii_digit())).then(|| s.trim_start_matches('0').len())
    };
    match (number(a), number(b)) {
        (Some(x), Some(y)) => x
            .cmp(&y)
            .then_with(|| a.trim_start_matches('0').cmp(b.trim_start_matches('0')))
            .then_with(|| a.cmp(b)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

/// Collects votes in any order and makes them canonical.
///
/// ```
/// use volary_core::votes::{QuestionKind, VotesBuilder};
/// let mut builder = VotesBuilder::default();
/// let c = builder.classification("", "subject 7", "ann", None, "1");
/// builder.vote(c, "T0", QuestionKind::Single, Some("Yes"));
/// let votes = builder.finish();
/// assert_eq!(votes.questions[0].answers, ["Yes"]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct VotesBuilder {
    pool: Pool,
    subject: Vec<Symbol>,
    volunteer: Vec<Symbol>,
    workflow: Vec<Symbol>,
    created_ms: Vec<i64>,
    // Ids that are whole numbers; the others are in `text_ids` and stand here as the highest.
    ids: Vec<u64>,
    text_ids: BTreeMap<u32, Symbol>,
    votes: Vec<Vote>,
    questions: Vec<(Symbol, Symbol)>,
    question_kinds: Vec<QuestionKind>,
    question_answers: Vec<Pool>,
    question_index: BTreeMap<(Symbol, Symbol), u32>,
    last_question: Option<((Symbol, Symbol), u32)>,
}

impl VotesBuilder {
    /// Adds a classification and returns its index. `id` breaks ties of time (smaller is earlier).
    ///
    /// # Panics
    /// When there are more than 2^32 classifications.
    pub fn classification(
        &mut self,
        workflow: &str,
        subject: &str,
        volunteer: &str,
        created_ms: Option<i64>,
        id: &str,
    ) -> u32 {
        match id.parse() {
            Ok(number) => self.numbered_classification(workflow, subject, volunteer, created_ms, number),
            Err(_) => {
                let index =
                    self.numbered_classification(workflow, subject, volunteer, created_ms, u64::MAX);
                let id = self.pool.intern(id);
                self.text_ids.insert(index, id);
                index
            }
        }
    }

    /// The same with a whole number for an id, as the platform gives them.
    ///
    /// # Panics
    /// When there are more than 2^32 classifications.
    pub fn numbered_classification(
        &mut self,
        workflow: &str,
        subject: &str,
        volunteer: &str,
        created_ms: Option<i64>,
        id: u64,
    ) -> u32 {
        let who = [workflow, subject, volunteer].map(|text| self.pool.intern(text));
        self.interned_classification(who, created_ms, id)
    }

    /// A text for [`VotesBuilder::interned_classification`].
    pub fn intern(&mut self, text: &str) -> Symbol {
        self.pool.intern(text)
    }

    /// The same as [`VotesBuilder::numbered_classification`] where workflow, subject and volunteer were
    /// looked up before: the fast path for millions of rows.
    ///
    /// # Panics
    /// When there are more than 2^32 classifications.
    pub fn interned_classification(
        &mut self,
        [workflow, subject, volunteer]: [Symbol; 3],
        created_ms: Option<i64>,
        id: u64,
    ) -> u32 {
        let index = u32::try_from(self.subject.len()).expect("fewer than 2^32 classifications");
        self.workflow.push(workflow);
        self.subject.push(subject);
        self.volunteer.push(volunteer);
        self.created_ms.push(created_ms.unwrap_or(i64::MIN));
        self.ids.push(id);
        index
    }

    /// How many classifications there are so far.
    #[must_use]
    pub fn n_classifications(&self) -> usize {
        self.subject.len()
    }

    /// Adds one answer (or none) of a classification.
    ///
    /// # Panics
    /// When there are more than 2^32 questions.
    pub fn vote(&mut self, classification: u32, task: &str, kind: QuestionKind, answer: Option<&str>) {
        let workflow = self.workflow[classification as usize];
        let task = self.pool.intern(task);
        let question = self.question(workflow, task);
        self.see_kind(question, kind);
        let answer = answer.map_or(NO_ANSWER, |label| self.answer(question, label));
        self.votes.push(Vote { classification, question, answer });
    }

    /// The question of a task, for [`VotesBuilder::vote_by_index`].
    pub fn question_of(&mut self, workflow: &str, task: &str) -> u32 {
        let (workflow, task) = (self.pool.intern(workflow), self.pool.intern(task));
        self.question(workflow, task)
    }

    /// The answer of a question, for [`VotesBuilder::vote_by_index`].
    ///
    /// # Panics
    /// When a question has more than 2^32 answers.
    pub fn answer(&mut self, question: u32, label: &str) -> u32 {
        u32::try_from(self.question_answers[question as usize].intern(label).index()).expect("u32")
    }

    /// Adds a vote whose question and answer (or [`NO_ANSWER`]) were looked up before: the fast path for
    /// millions of votes on a few questions.
    pub fn vote_by_index(&mut self, vote: Vote, kind: QuestionKind) {
        self.see_kind(vote.question, kind);
        self.votes.push(vote);
    }

    fn see_kind(&mut self, question: u32, kind: QuestionKind) {
        let known = &mut self.question_kinds[question as usize];
        *known = merge_kinds(*known, kind);
    }

    /// Declares an answer that a question offers, so that it is listed even where nobody gave it.
    pub fn offer(&mut self, workflow: &str, task: &str, kind: QuestionKind, answer: &str) {
        let (workflow, task) = (self.pool.intern(workflow), self.pool.intern(task));
        let question = self.question(workflow, task) as usize;
        self.question_kinds[question] = merge_kinds(self.question_kinds[question], kind);
        self.question_answers[question].intern(answer);
    }

    /// The same, but only where the question has come up: a question that nobody met is not added.
    pub fn offer_where_asked(&mut self, workflow: &str, task: &str, kind: QuestionKind, answer: &str) {
        let known = self.pool.get(workflow).zip(self.pool.get(task));
        if known.is_some_and(|key| self.question_index.contains_key(&key)) {
            self.offer(workflow, task, kind, answer);
        }
    }

    fn question(&mut self, workflow: Symbol, task: Symbol) -> u32 {
        let key = (workflow, task);
        if let Some((last, index)) = self.last_question
            && last == key
        {
            return index;
        }
        let next = u32::try_from(self.questions.len()).expect("fewer than 2^32 questions");
        let index = *self.question_index.entry(key).or_insert(next);
        if index == next {
            self.questions.push(key);
            self.question_kinds.push(QuestionKind::Unknown);
            self.question_answers.push(Pool::default());
        }
        self.last_question = Some((key, index));
        index
    }

    /// A shortcut is a button that everybody sees: who did not press it keeps an empty vote.
    fn add_unpressed_shortcuts(&mut self) {
        for question in 0..self.questions.len() {
            if self.question_kinds[question] != QuestionKind::Shortcut {
                continue;
            }
            let mut pressed = vec![false; self.subject.len()];
            let of_question = |v: &&Vote| v.question as usize == question;
            self.votes
                .iter()
                .filter(of_question)
                .for_each(|v| pressed[v.classification as usize] = true);
            let workflow = self.questions[question].0;
            for (classification, pressed) in (0..).zip(pressed) {
                if !pressed && self.workflow[classification as usize] == workflow {
                    let question = u32::try_from(question).expect("u32");
                    self.votes.push(Vote { classification, question, answer: NO_ANSWER });
                }
            }
        }
    }

    /// Sorts everything into its canonical order.
    #[must_use]
    pub fn finish(mut self) -> Votes {
        self.add_unpressed_shortcuts();
        // Every column is let go as soon as its successor stands: a million classifications are felt.
        let (subjects, subject) = sorted_column(&self.pool, std::mem::take(&mut self.subject));
        let (volunteers, volunteer) = sorted_column(&self.pool, std::mem::take(&mut self.volunteer));
        let (workflows, workflow) = sorted_column(&self.pool, std::mem::take(&mut self.workflow));

        let mut by_name: Vec<usize> = (0..self.questions.len()).collect();
        by_name.sort_by(|&a, &b| {
            let ((wa, ta), (wb, tb)) = (self.questions[a], self.questions[b]);
            compare_ids(self.pool.text(wa), self.pool.text(wb))
                .then_with(|| self.pool.text(ta).cmp(self.pool.text(tb)))
        });
        let mut question_rank = vec![0; self.questions.len()];
        let mut answer_ranks = vec![Vec::new(); self.questions.len()];
        let mut questions = Vec::with_capacity(self.questions.len());
        for (rank, &old) in by_name.iter().enumerate() {
            question_rank[old] = u32::try_from(rank).expect("u32");
            let (answers, ranks) = sorted_pool(&self.question_answers[old]);
            answer_ranks[old] = ranks;
            let (w, t) = self.questions[old];
            questions.push(Question {
                workflow: self.pool.text(w).to_owned(),
                task: self.pool.text(t).to_owned(),
                kind: self.question_kinds[old],
                answers,
            });
        }

        let by_key = self.canonical_order(&workflow, &subject, &volunteer);
        let mut class_rank = vec![0_u32; by_key.len()];
        for (rank, &old) in by_key.iter().enumerate() {
            class_rank[old as usize] = u32::try_from(rank).expect("u32");
        }
        let subject = pick(&by_key, subject);
        let volunteer = pick(&by_key, volunteer);
        let workflow = pick(&by_key, workflow);
        let arrival = self.in_order_of_arrival(&by_key);
        let created_ms = pick(&by_key, self.created_ms);
        drop((self.ids, by_key));
        // In place: at ten million votes a second copy would be felt.
        let mut votes: Vec<Vote> = self
            .votes
            .into_iter()
            .map(|v| Vote {
                classification: class_rank[v.classification as usize],
                question: question_rank[v.question as usize],
                answer: match v.answer {
                    NO_ANSWER => NO_ANSWER,
                    a => answer_ranks[v.question as usize][a as usize],
                },
            })
            .collect();
        // A question is of one workflow, so that its classifications are in order of subject already.
        // Equal keys are equal votes, so that the threads cannot change the order.
        votes.par_sort_unstable_by_key(|v| {
            (u64::from(v.question) << 32 | u64::from(v.classification), v.answer)
        });
        Votes {
            subject,
            volunteer,
            workflow,
            created_ms,
            arrival,
            subjects,
            volunteers,
            questions,
            workflows,
            votes,
        }
    }

    /// Classifications by (workflow, subject, volunteer, time, id): then equal inputs give equal columns.
    fn canonical_order(&self, workflow: &[u32], subject: &[u32], volunteer: &[u32]) -> Vec<u32> {
        let mut order = counting_sort(subject, 0..u32::try_from(subject.len()).expect("u32"));
        if workflow.iter().any(|w| *w != workflow[0]) {
            order = counting_sort(workflow, order.into_iter());
        }
        let visit = |i: u32| (workflow[i as usize], subject[i as usize]);
        let time_and_id = |i: u32| (self.created_ms[i as usize], self.ids[i as usize]);
        let text = |i: u32| self.text_ids.get(&i).map(|&id| self.pool.text(id));
        order.par_chunk_by_mut(|&a, &b| visit(a) == visit(b)).for_each(|of_subject| {
            of_subject.par_sort_unstable_by(|&a, &b| {
                volunteer[a as usize]
                    .cmp(&volunteer[b as usize])
                    .then_with(|| time_and_id(a).cmp(&time_and_id(b)))
                    .then_with(|| text(a).cmp(&text(b)))
                    .then_with(|| a.cmp(&b))
            });
        });
        order
    }

    /// Ranks of classifications (positions in `by_key`) by time, then id.
    fn in_order_of_arrival(&self, by_key: &[u32]) -> Vec<u32> {
        let mut arrival: Vec<u32> = (0..u32::try_from(by_key.len()).expect("u32")).collect();
        let text = |old: u32| self.text_ids.get(&old).map(|&id| self.pool.text(id));
        arrival.par_sort_unstable_by(|&a, &b| {
            let (i, j) = (by_key[a as usize], by_key[b as usize]);
            let time_and_id = |old: u32| (self.created_ms[old as usize], self.ids[old as usize]);
            time_and_id(i)
                .cmp(&time_and_id(j))
                .then_with(|| text(i).cmp(&text(j)))
                .then_with(|| a.cmp(&b))
        });
        arrival
    }
}

/// A column in another order.
fn pick<T: Copy>(order: &[u32], column: Vec<T>) -> Vec<T> {
    let picked = order.iter().map(|&i| column[i as usize]).collect();
    drop(column);
    picked
}

/// Positions in order of their ranks; of equal ranks in the order in which they come.
fn counting_sort(ranks: &[u32], positions: impl Iterator<Item = u32>) -> Vec<u32> {
    let n_ranks = ranks.iter().max().map_or(0, |&most| most as usize + 1);
    let mut next = vec![0_u32; n_ranks + 1];
    ranks.iter().for_each(|&rank| next[rank as usize + 1] += 1);
    for rank in 1..next.len() {
        next[rank] += next[rank - 1];
    }
    let mut sorted = vec![0; ranks.len()];
    for position in positions {
        let place = &mut next[ranks[position as usize] as usize];
        sorted[*place as usize] = position;
        *place += 1;
    }
    sorted
}

/// What two looks at one question show together: a list of answers once means a list always.
fn merge_kinds(a: QuestionKind, b: QuestionKind) -> QuestionKind {
    match (a, b) {
        (QuestionKind::Unknown, other) | (other, QuestionKind::Unknown) => other,
        (QuestionKind::Single, QuestionKind::Multiple) => QuestionKind::Multiple,
        (first, _) => first,
    }
}

fn sorted_pool(pool: &Pool) -> (Vec<String>, Vec<u32>) {
    let mut order: Vec<usize> = (0..pool.len()).collect();
    let texts: Vec<&str> = pool.iter().collect();
    order.sort_by(|&a, &b| compare_ids(texts[a], texts[b]));
    let mut rank = vec![0; order.len()];
    for (new, &old) in order.iter().enumerate() {
        rank[old] = u32::try_from(new).expect("u32");
    }
    (order.iter().map(|&i| texts[i].to_owned()).collect(), rank)
}

fn sorted_column(pool: &Pool, column: Vec<Symbol>) -> (Vec<String>, Vec<u32>) {
    let mut is_used = vec![false; pool.len()];
    let mut order: Vec<Symbol> = Vec::new();
    for &symbol in &column {
        if !std::mem::replace(&mut is_used[symbol.index()], true) {
            order.push(symbol);
        }
    }
    order.par_sort_unstable_by(|&a, &b| compare_ids(pool.text(a), pool.text(b)));
    let mut rank = vec![0_u32; pool.len()];
    for (new, &symbol) in order.iter().enumerate() {
        rank[symbol.index()] = u32::try_from(new).expect("u32");
    }
    (
        order.iter().map(|&s| pool.text(s).to_owned()).collect(),
        column.into_iter().map(|s| rank[s.index()]).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_sort_as_numbers_where_they_are_numbers() {
        let mut ids = vec!["10", "9", "b", "98765432109876543210", "a", "009", ""];
        ids.sort_by(|a, b| compare_ids(a, b));
        assert_eq!(ids, ["009", "9", "10", "98765432109876543210", "", "a", "b"]);
    }

    #[test]
    fn arrival_is_by_time_then_id() {
        let mut builder = VotesBuilder::default();
        let rows = [("b", Some(20), "3"), ("a", Some(20), "12"), ("c", None, "9"), ("c", Some(5), "x")];
        for (subject, time, id) in rows {
            builder.classification("w", subject, "v", time, id);
        }
        let votes = builder.finish();
        let came: Vec<&str> = votes
            .arrival
            .iter()
            .map(|&c| votes.subjects[votes.subject[c as usize] as usize].as_str())
            .collect();
        assert_eq!(came, ["c", "c", "b", "a"]);
        assert_eq!(votes.created_ms[votes.arrival[0] as usize], i64::MIN);
    }

    #[test]
    fn kinds_are_learnt_from_what_is_seen() {
        use QuestionKind::{Multiple, Single, Unknown};
        assert_eq!(merge_kinds(Unknown, Single), Single);
        assert_eq!(merge_kinds(Multiple, Unknown), Multiple);
        assert_eq!(merge_kinds(Single, Multiple), Multiple);
        for kind in [Unknown, Single, Multiple, QuestionKind::Detail] {
            assert_eq!(QuestionKind::parse(kind.as_str()), Some(kind));
        }
    }

    proptest! {
        #[test]
        fn the_order_of_the_input_never_matters(
            rows in proptest::collection::vec((0..5_u8, 0..5_u8, 0..3_u8, 0..40_i64), 1..40),
            rotate in 0..40_usize,
        ) {
            type Row = (usize, (u8, u8, u8, i64));
            let build = |rows: &[Row]| {
                let mut builder = VotesBuilder::default();
                for (id, (subject, volunteer, answer, time)) in rows {
                    let (subject, volunteer) = (subject.to_string(), volunteer.to_string());
                    let c = builder.classification("w", &subject, &volunteer, Some(*time), &id.to_string());
                    let label = answer.to_string();
                    let answer = (*answer > 0).then_some(label.as_str());
                    builder.vote(c, "T0", QuestionKind::Single, answer);
                }
                builder.finish()
            };
            let mut numbered: Vec<_> = rows.into_iter().enumerate().collect();
            let a = build(&numbered);
            let n = numbered.len();
            numbered.rotate_left(rotate % n);
            numbered.reverse();
            let b = build(&numbered);
            prop_assert_eq!(a.votes, b.votes);
            prop_assert_eq!(a.subject, b.subject);
            prop_assert_eq!(a.volunteer, b.volunteer);
            prop_assert_eq!(a.created_ms, b.created_ms);
            prop_assert_eq!(a.arrival, b.arrival);
        }
    }
}
