//! The votes that a release is made of: read once, without those who opted out, in few bytes each.
//!
//! What a release does not need is never kept: no id of a classification, no time finer than a day. Rare
//! answers go here, too: an answer box may hold a name, and an answer that two people gave points at them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use rayon::slice::ParallelSliceMut as _;
use volary_core::Pool;
use volary_ingest::tables::{Cells, for_each_batch};
use volary_ingest::volunteer::{Without, is_anonymous};
use volary_ingest::{IngestError, Progress};

use crate::calendar::day_of;
use crate::error::ReleaseError;
use crate::names::NameSet;
use crate::optout::OptOuts;
use crate::pseudonym::{Pseudonyms, Token};

/// No answer: seen, and nothing said, or nothing that leaves.
pub(crate) const NO_ANSWER: u32 = u32::MAX;
/// No time.
pub(crate) const NO_DAY: i32 = i32::MIN;
const ANONYMOUS: u32 = 1 << 31;

/// Who voted: a volunteer, or a classification of nobody known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Who(u32);

impl Who {
    /// The volunteer's place among the volunteers.
    pub(crate) fn volunteer(self) -> Option<usize> {
        (self.0 & ANONYMOUS == 0).then_some(self.0 as usize)
    }

    fn anonymous(self) -> usize {
        (self.0 & !ANONYMOUS) as usize
    }
}

/// One vote; numbers are places in the lists of [`Votes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Vote {
    pub(crate) subject: u32,
    pub(crate) question: u32,
    pub(crate) who: Who,
    pub(crate) answer: u32,
    pub(crate) day: i32,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Question {
    pub(crate) workflow: String,
    pub(crate) task: String,
    pub(crate) kind: String,
}

impl Question {
    /// Whether volunteers typed its answers, or might have.
    pub(crate) fn is_typed(&self) -> bool {
        matches!(self.kind.as_str(), "dropdown" | "unknown")
    }
}

/// All votes that may count, sorted by subject, question, voter and answer.
#[derive(Debug, Default)]
pub(crate) struct Votes {
    pub(crate) subjects: Vec<String>,
    pub(crate) questions: Vec<Question>,
    pub(crate) answers: Vec<String>,
    pub(crate) volunteers: Vec<String>,
    pub(crate) rows: Vec<Vote>,
    anonymous: Vec<Token>,
    /// Rows that are not here, by reason.
    pub(crate) left_out: BTreeMap<&'static str, u64>,
    /// People of the opt-out list who had voted, by key.
    pub(crate) opted_out: BTreeSet<String>,
}

/// How often an answer was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Count {
    pub(crate) subject: u32,
    pub(crate) question: u32,
    pub(crate) answer: u32,
    pub(crate) n_seen: u64,
    pub(crate) n_votes: u64,
}

const NEEDED: [&str; 6] =
    ["classification_id", "workflow_id", "subject_id", "volunteer", "task", "answer"];

#[derive(Default)]
struct Reader {
    subjects: Pool,
    questions: Vec<Question>,
    by_text: HashMap<(String, String), u32>,
    answers: Pool,
    volunteers: Pool,
    out: Votes,
    last_question: Option<(String, String, u32)>,
}

impl Votes {
    /// Reads a table of votes as `volary extract` writes it.
    pub(crate) fn read(
        path: &Path,
        optouts: &OptOuts,
        pseudonyms: &Pseudonyms,
        progress: &Progress,
    ) -> Result<Self, ReleaseError> {
        let mut reader = Reader::default();
        let out_now = optouts.without();
        for_each_batch(path, &NEEDED, progress, |cells| {
            for row in 0..cells.n_rows() {
                reader
                    .take(cells, row, &out_now, pseudonyms)
                    .map_err(|what| IngestError::Format { what, path: path.to_owned() })?;
            }
            Ok(())
        })?;
        Ok(reader.finish())
    }

    /// The pseudonym of one classification of somebody who was not logged in.
    pub(crate) fn anonymous_token(&self, who: Who) -> Token {
        self.anonymous[who.anonymous()]
    }

    /// The rows of each subject and question.
    pub(crate) fn by_question(&self) -> impl Iterator<Item = &[Vote]> {
        self.rows.chunk_by(|a, b| (a.subject, a.question) == (b.subject, b.question))
    }

    /// All counts, sorted.
    pub(crate) fn counts(&self) -> Vec<Count> {
        let mut counts = Vec::new();
        for rows in self.by_question() {
            let n_seen = rows.chunk_by(|a, b| a.who == b.who).count() as u64;
            let mut said: Vec<(u32, Who)> = rows.iter().map(|v| (v.answer, v.who)).collect();
            said.sort_unstable();
            said.dedup();
            for votes in said.chunk_by(|a, b| a.0 == b.0).filter(|votes| votes[0].0 != NO_ANSWER) {
                counts.push(Count {
                    subject: rows[0].subject,
                    question: rows[0].question,
                    answer: votes[0].0,
                    n_seen,
                    n_votes: votes.len() as u64,
                });
            }
        }
        counts
    }

    /// The number of classifications of each volunteer, and the day of the first.
    pub(crate) fn activity(&self) -> (Vec<u64>, Vec<Option<i32>>) {
        let mut counts = vec![0; self.volunteers.len()];
        let mut first: Vec<Option<i32>> = vec![None; self.volunteers.len()];
        let mut last_subject: Vec<Option<u32>> = vec![None; self.volunteers.len()];
        for vote in &self.rows {
            let Some(volunteer) = vote.who.volunteer() else { continue };
            if last_subject[volunteer] != Some(vote.subject) {
                last_subject[volunteer] = Some(vote.subject);
                counts[volunteer] += 1;
            }
            if vote.day != NO_DAY {
                first[volunteer] = Some(first[volunteer].map_or(vote.day, |day| day.min(vote.day)));
            }
        }
        (counts, first)
    }

    /// Blanks answers that fewer than `least` people gave to a question, and takes out what fewer than
    /// `least` saw. Returns how many answers (as the team's words, different ones) were blanked.
    ///
    /// What is typed may be the typist's own name, typed again and again without an account: all who were not
    /// logged in are one person there.
    pub(crate) fn take_out_rare(&mut self, least: u32) -> u64 {
        let least = least as usize;
        let typed: Vec<bool> = self.questions.iter().map(Question::is_typed).collect();
        let mut givers: HashMap<(u32, u32), Vec<Who>> = HashMap::new();
        for vote in self.rows.iter().filter(|v| v.answer != NO_ANSWER) {
            let is_typed = typed[vote.question as usize];
            let giver =
                if is_typed && vote.who.volunteer().is_none() { Who(ANONYMOUS) } else { vote.who };
            let who = givers.entry((vote.question, vote.answer)).or_default();
            if who.len() < least && !who.contains(&giver) {
                who.push(giver);
            }
        }
        let is_rare = |v: &Vote| givers.get(&(v.question, v.answer)).is_some_and(|g| g.len() < least);
        let mut n_blanked = 0;
        for vote in &mut self.rows {
            if is_rare(vote) {
                vote.answer = NO_ANSWER;
                n_blanked += 1;
            }
        }
        *self.left_out.entry("answer that few gave (the row stays, without it)").or_default() +=
            n_blanked;
        // In place: ten million rows are not held twice.
        let (mut read, mut write) = (0, 0);
        while read < self.rows.len() {
            let first = self.rows[read];
            let same = |v: &Vote| (v.subject, v.question) == (first.subject, first.question);
            let n = self.rows[read..].iter().take_while(|v| same(v)).count();
            let n_seen = self.rows[read..read + n].chunk_by(|a, b| a.who == b.who).count();
            if n_seen >= least {
                self.rows.copy_within(read..read + n, write);
                write += n;
            }
            read += n;
        }
        let n_few = (read - write) as u64;
        self.rows.truncate(write);
        *self.left_out.entry("subject that few saw").or_default() += n_few;
        let n_words = givers.iter().filter(|(_, g)| g.len() < least).count();
        n_words as u64
    }

    /// Questions whose answers volunteers type, so that an answer may be anything.
    pub(crate) fn typed(&self) -> impl Iterator<Item = &Question> {
        self.questions.iter().filter(|question| question.is_typed())
    }

    /// Blanks typed answers that hold a name, whoever and however many gave them.
    pub(crate) fn take_out_names(&mut self, names: &NameSet) {
        let holds = |answer: &String| !names.find(answer.as_bytes(), 1).is_empty();
        let held: Vec<bool> = self.answers.iter().map(holds).collect();
        let typed: Vec<bool> = self.questions.iter().map(Question::is_typed).collect();
        let mut n_blanked = 0;
        for vote in self.rows.iter_mut().filter(|v| v.answer != NO_ANSWER) {
            if typed[vote.question as usize] && held[vote.answer as usize] {
                vote.answer = NO_ANSWER;
                n_blanked += 1;
            }
        }
        if n_blanked > 0 {
            self.rows.par_sort_unstable();
            *self
                .left_out
                .entry("typed answer with a name in it (the row stays, without it)")
                .or_default() += n_blanked;
        }
    }

    /// Leaves one row of what somebody said twice to the same question of the same subject: an answer given again, or two
    /// that are both blanked.
    pub(crate) fn take_out_repeats(&mut self) {
        let n_before = self.rows.len();
        self.rows.par_sort_unstable();
        self.rows.dedup_by_key(|vote| (vote.subject, vote.question, vote.who, vote.answer));
        let n_repeats = (n_before - self.rows.len()) as u64;
        *self.left_out.entry("said a second time by the same person").or_default() += n_repeats;
    }

    /// The place of a subject, by its id.
    pub(crate) fn subject(&self, id: &str) -> Option<u32> {
        self.subjects.binary_search_by(|s| s.as_str().cmp(id)).ok().map(|i| i as u32)
    }

    /// The place of a question.
    pub(crate) fn question(&self, workflow: &str, task: &str) -> Option<u32> {
        let order = |q: &Question| (q.workflow.as_str(), q.task.as_str()).cmp(&(workflow, task));
        self.questions.binary_search_by(order).ok().map(|i| i as u32)
    }

    /// The place of an answer.
    pub(crate) fn answer(&self, text: &str) -> Option<u32> {
        self.answers.binary_search_by(|s| s.as_str().cmp(text)).ok().map(|i| i as u32)
    }
}

impl Reader {
    fn leave_out(&mut self, reason: &'static str) {
        *self.out.left_out.entry(reason).or_default() += 1;
    }

    fn take(
        &mut self,
        cells: &dyn Cells,
        row: usize,
        out_now: &Without,
        pseudonyms: &Pseudonyms,
    ) -> Result<(), String> {
        let cell = |name: &str| cells.text(name, row);
        let (Some(subject), Some(volunteer)) = (cell("subject_id"), cell("volunteer")) else {
            self.leave_out("no subject or no volunteer");
            return Ok(());
        };
        if let Some(key) = out_now.who(&volunteer) {
            if !self.out.opted_out.contains(key) {
                self.out.opted_out.insert(key.to_owned());
            }
            self.leave_out("opted out");
            return Ok(());
        }
        if cell("repeat").is_some_and(|r| r.eq_ignore_ascii_case("true")) {
            self.leave_out("repeat of an earlier classification");
            return Ok(());
        }
        let who = if is_anonymous(&volunteer) {
            let Some(classification) = cell("classification_id") else {
                self.leave_out("not logged in, and no id of the classification");
                return Ok(());
            };
            let token = pseudonyms.classification(&classification);
            // Rows of one classification mostly follow each other; `finish` finds those that do not.
            if self.out.anonymous.last() != Some(&token) {
                self.out.anonymous.push(token);
            }
            ANONYMOUS | (self.out.anonymous.len() - 1) as u32
        } else {
            self.volunteers.intern(&volunteer).number()
        };
        if self.volunteers.len().max(self.out.anonymous.len()) >= ANONYMOUS as usize {
            return Err("more than two thousand million voters; release the table in parts".to_owned());
        }
        let question = self.question(
            &cell("workflow_id").unwrap_or_default(),
            &cell("task").unwrap_or_default(),
            &cell("kind").unwrap_or_else(|| "unknown".into()),
        );
        let answer = cell("answer").map_or(NO_ANSWER, |a| self.answers.intern(&a).number());
        let day = cells.time_ms("created_at", row).map_or(NO_DAY, day_of);
        let subject = self.subjects.intern(&subject).number();
        self.out.rows.push(Vote { subject, question, who: Who(who), answer, day });
        Ok(())
    }

    fn question(&mut self, workflow: &str, task: &str, kind: &str) -> u32 {
        if let Some((w, t, number)) = &self.last_question
            && w == workflow
            && t == task
        {
            let number = *number;
            self.see_kind(number, kind);
            return number;
        }
        let next = self.questions.len() as u32;
        let number = *self.by_text.entry((workflow.to_owned(), task.to_owned())).or_insert(next);
        if number == next {
            let question =
                Question { workflow: workflow.to_owned(), task: task.to_owned(), kind: kind.to_owned() };
            self.questions.push(question);
        }
        self.see_kind(number, kind);
        self.last_question = Some((workflow.to_owned(), task.to_owned(), number));
        number
    }

    /// A question is of one kind; of two the smaller text, so that the order of the rows does not matter.
    fn see_kind(&mut self, question: u32, kind: &str) {
        let known = &mut self.questions[question as usize].kind;
        if kind < known.as_str() {
            kind.clone_into(known);
        }
    }

    fn finish(self) -> Votes {
        let Self { subjects, questions, answers, volunteers, mut out, .. } = self;
        let texts = |pool: &Pool| {
            let all: Vec<String> = pool.iter().map(str::to_owned).collect();
            ranked(all)
        };
        let (subjects, subject_rank) = texts(&subjects);
        let (answers, answer_rank) = texts(&answers);
        let (volunteers, volunteer_rank) = texts(&volunteers);
        let (questions, question_rank) = ranked(questions);
        // Ranked with copies, then each copy takes the rank of the first.
        let (mut tokens, mut token_rank) = ranked(std::mem::take(&mut out.anonymous));
        let mut unique = Vec::with_capacity(tokens.len());
        for (i, token) in tokens.iter().enumerate() {
            let is_new = i == 0 || tokens[i - 1] != *token;
            unique.push(unique.last().copied().map_or(0, |n: u32| n + u32::from(is_new)));
        }
        for rank in &mut token_rank {
            *rank = unique[*rank as usize];
        }
        tokens.dedup();
        out.anonymous = tokens;
        for vote in &mut out.rows {
            vote.subject = subject_rank[vote.subject as usize];
            vote.question = question_rank[vote.question as usize];
            if vote.answer != NO_ANSWER {
                vote.answer = answer_rank[vote.answer as usize];
            }
            if let Some(volunteer) = vote.who.volunteer() {
                vote.who = Who(volunteer_rank[volunteer]);
            } else {
                vote.who = Who(ANONYMOUS | token_rank[vote.who.anonymous()]);
            }
        }
        out.rows.shrink_to_fit();
        out.rows.par_sort_unstable();
        Votes { subjects, questions, answers, volunteers, ..out }
    }
}

/// Values sorted, and the place of each in that order.
fn ranked<T: Ord>(values: Vec<T>) -> (Vec<T>, Vec<u32>) {
    let mut order: Vec<(T, u32)> = values.into_iter().zip(0..).collect();
    order.sort_unstable();
    let mut rank = vec![0; order.len()];
    for (place, (_, was)) in order.iter().enumerate() {
        rank[*was as usize] = place as u32;
    }
    (order.into_iter().map(|(value, _)| value).collect(), rank)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use volary_ingest::volunteer::key;

    use super::*;
    use crate::key::ReleaseKey;
    use crate::pseudonym::Linking;

    /// Votes of people by their names, `not-logged-in…` among them.
    fn votes(rows: &[(&str, &str, &str, &str)]) -> Votes {
        let mut csv =
            String::from("classification_id,workflow_id,subject_id,volunteer,task,kind,answer\n");
        for (id, (subject, name, kind, answer)) in rows.iter().enumerate() {
            csv.push_str(&format!("{id},7,{subject},{},T-{kind},{kind},{answer}\n", key(name).0));
        }
        read(&csv)
    }

    fn read(csv: &str) -> Votes {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("votes.csv");
        std::fs::write(&path, csv).unwrap();
        let release_key = ReleaseKey::of_bytes(&[7; 32]).unwrap();
        let pseudonyms = Pseudonyms::new(&release_key, "p", "1", &Linking::None).unwrap();
        Votes::read(&path, &OptOuts::default(), &pseudonyms, &Progress::default()).unwrap()
    }

    fn left(votes: &Votes) -> BTreeSet<&str> {
        let answers = votes.rows.iter().filter(|v| v.answer != NO_ANSWER);
        answers.map(|v| votes.answers[v.answer as usize].as_str()).collect()
    }

    #[test]
    fn who_types_a_name_thrice_without_an_account_is_not_three_people() {
        let mut rows = Vec::new();
        for subject in ["s1", "s2", "s3", "s4"] {
            rows.push((subject, "not-logged-in-a", "dropdown", "Ford Prefect"));
            rows.push((subject, "not-logged-in-b", "single", "Yes"));
        }
        for subject in ["s1", "s2", "s3", "s4"] {
            for who in ["ann", "bob", "not-logged-in-c"] {
                rows.push((subject, who, "dropdown", "Towel"));
                rows.push((subject, who, "single", "No"));
            }
        }
        let mut votes = votes(&rows);
        assert_eq!(left(&votes), BTreeSet::from(["Ford Prefect", "Towel", "Yes", "No"]));
        votes.take_out_rare(3);
        // Of what the team lists, four classifications are four.
        assert_eq!(left(&votes), BTreeSet::from(["Towel", "Yes", "No"]));
    }

    #[test]
    fn without_a_kind_an_answer_may_be_typed() {
        let votes =
            read("classification_id,workflow_id,subject_id,volunteer,task,answer\n1,7,s1,va,T0,Ann\n");
        assert_eq!(votes.typed().count(), 1);
    }

    #[test]
    fn what_one_person_says_twice_leaves_once() {
        let mut rows =
            vec![("s1", "ann", "multiple", "Rare one"), ("s1", "ann", "multiple", "Rare two")];
        for who in ["ann", "bob", "cid", "ann"] {
            rows.push(("s1", who, "multiple", "Ring"));
        }
        let mut votes = votes(&rows);
        votes.take_out_rare(3);
        votes.take_out_repeats();
        let said: Vec<(u32, bool)> =
            votes.rows.iter().map(|v| (v.who.0, v.answer == NO_ANSWER)).collect();
        assert_eq!(said.iter().filter(|vote| vote.1).count(), 1, "{said:?}");
        assert_eq!(said.iter().filter(|vote| !vote.1).count(), 3, "{said:?}");
        assert_eq!(votes.left_out["said a second time by the same person"], 2);
    }
}
