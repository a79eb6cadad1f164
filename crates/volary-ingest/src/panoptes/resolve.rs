//! What kind of task is it? Settled from all annotations together, since one alone may not show it.
//!
//! `null` and `[]` are answers to any task, a string is a label or a free text, a number in quotes is a
//! label or a slider. A key of (workflow, major version, task) is what the platform promises to keep its
//! kind within; a workflow export, where given, says it outright.

use std::collections::{BTreeMap, BTreeSet};

use volary_core::extracts::{MarkRow, ShapeRow, TextRow, VoteRow};
use volary_core::{Extracts, Pool, QuestionKind, Symbol};

use super::annotation::question_kind;

/// Which table an annotation belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    /// `votes`, with the kind of question.
    Vote(QuestionKind),
    /// `texts`.
    Text,
    /// `marks`.
    Mark,
    /// `shapes`.
    Shape,
}

impl Family {
    /// The family of a task type as workflow exports name it.
    pub(super) fn of_type(task_type: &str) -> Option<Self> {
        match task_type {
            "text" | "transcription" | "textFromSubject" => Some(Self::Text),
            "dataVisAnnotation" => Some(Self::Mark),
            "drawing" | "crop" | "highlighter" | "volumetric" | "geoDrawing" => Some(Self::Shape),
            other => question_kind(other).map(Self::Vote),
        }
    }
}

type Key = (Symbol, Symbol, Symbol);
/// Keys by the symbols of one block: few, so that a walk through them beats three look-ups of text.
type BlockKeys = Vec<(Key, Key)>;
const MAX_BLOCK_KEYS: usize = 64;

/// Strings seen for a task, while it is still open whether they are labels or free text.
#[derive(Debug, Default)]
struct Strings {
    n: u64,
    n_numbers: u64,
    different: BTreeSet<Symbol>,
}

/// Free text is assumed where at least this many strings came and more than half differ.
const MIN_STRINGS: u64 = 20;
/// A slider is assumed where all strings are numbers and more than this many differ.
const SLIDER_VALUES: usize = 12;

/// The kinds of all tasks seen.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    pool: Pool,
    seen: BTreeMap<Key, BTreeMap<Family, u64>>,
    strings: BTreeMap<Key, Strings>,
    told: BTreeMap<Key, Family>,
    // Tasks whose workflow offers the `column` tool.
    columns: BTreeSet<Key>,
    texts: BTreeSet<String>,
}

impl Kinds {
    /// Says outright what a task is.
    pub(super) fn tell(&mut self, workflow: &str, version: &str, task: &str, family: Family) {
        let key = self.key(workflow, version, task);
        self.told.insert(key, family);
    }

    /// Says that one of a task's tools is the `column`, whose marks are ranges and shapes.
    pub(super) fn tell_column(&mut self, workflow: &str, version: &str, task: &str) {
        let key = self.key(workflow, version, task);
        self.columns.insert(key);
    }

    /// Whether a task's marks are ranges and shapes at once: then who drew nothing is missing from
    /// neither table.
    fn has_both(&self, key: Key) -> bool {
        let seen = |family| self.seen.get(&key).is_some_and(|counts| counts.contains_key(&family));
        self.columns.contains(&key) || (seen(Family::Mark) && seen(Family::Shape))
    }

    /// Says of task keys that they ask for free text, in every workflow.
    pub(super) fn tell_texts(&mut self, tasks: &[String]) {
        self.texts.extend(tasks.iter().cloned());
    }

    fn key(&mut self, workflow: &str, version: &str, task: &str) -> Key {
        let major = version.split('.').next().unwrap_or_default();
        (self.pool.intern(workflow), self.pool.intern(major), self.pool.intern(task))
    }

    /// The key of a row, remembered in `known` for the block at hand.
    fn key_of(
        &mut self,
        extracts: &Extracts,
        known: &mut BlockKeys,
        classification: u32,
        task: Symbol,
    ) -> Key {
        let class = &extracts.classifications[classification as usize];
        let here = (class.workflow, class.version, task);
        if let Some((_, key)) = known.iter().rev().find(|(k, _)| *k == here) {
            return *key;
        }
        let key =
            self.key(extracts.text(class.workflow), extracts.text(class.version), extracts.text(task));
        if known.len() >= MAX_BLOCK_KEYS {
            known.clear();
        }
        known.push((here, key));
        key
    }

    /// Learns from everything in `extracts` that shows its kind.
    pub(super) fn learn(&mut self, extracts: &Extracts, with_strings: bool) {
        let mut known = BlockKeys::new();
        let mut runs: Vec<(Key, QuestionKind, u64)> = Vec::new();
        for vote in &extracts.votes {
            if vote.kind == QuestionKind::Unknown || vote.kind == QuestionKind::Detail {
                continue;
            }
            let key = self.key_of(extracts, &mut known, vote.classification, vote.task);
            match runs.iter_mut().find(|(k, kind, _)| *k == key && *kind == vote.kind) {
                Some((_, _, n)) => *n += 1,
                None => runs.push((key, vote.kind, 1)),
            }
            if with_strings
                && vote.kind == QuestionKind::Single
                && let Some(answer) = vote.answer
            {
                self.note_string(key, extracts.text(answer));
            }
        }
        for (key, kind, n) in runs {
            *self.seen.entry(key).or_default().entry(Family::Vote(kind)).or_default() += n;
        }
        for row in extracts.marks.iter().filter(|r| r.range.is_some()) {
            let key = self.key_of(extracts, &mut known, row.classification, row.task);
            // A `column` mark is a shape as well; only ranges proper make a task of marks.
            self.count(key, Family::Mark);
        }
        for row in extracts.shapes.iter().filter(|r| r.mark.is_some()) {
            let key = self.key_of(extracts, &mut known, row.classification, row.task);
            self.count(key, Family::Shape);
        }
        for row in extracts.texts.iter().filter(|r| r.text.is_some()) {
            let key = self.key_of(extracts, &mut known, row.classification, row.task);
            self.count(key, Family::Text);
        }
    }

    fn count(&mut self, key: Key, family: Family) {
        *self.seen.entry(key).or_default().entry(family).or_default() += 1;
    }

    fn note_string(&mut self, key: Key, text: &str) {
        let symbol = self.pool.intern(text);
        let strings = self.strings.entry(key).or_default();
        strings.n += 1;
        strings.n_numbers += u64::from(text.trim().parse::<f64>().is_ok());
        strings.different.insert(symbol);
    }

    /// Decides which tasks of strings are free text or sliders, after the first part of the file.
    pub(super) fn decide_strings(&mut self) {
        for (key, strings) in std::mem::take(&mut self.strings) {
            let n_different = strings.different.len();
            let family = if strings.n_numbers == strings.n && n_different > SLIDER_VALUES {
                Family::Vote(QuestionKind::Slider)
            } else if strings.n >= MIN_STRINGS && n_different as u64 * 2 > strings.n {
                Family::Text
            } else {
                continue;
            };
            self.told.entry(key).or_insert(family);
        }
    }

    /// The family of a task; `None` while nothing shows it.
    fn find(&self, key: Key) -> Option<Family> {
        if let Some(&family) = self.told.get(&key) {
            return Some(family);
        }
        if self.texts.contains(self.pool.text(key.2)) {
            return Some(Family::Text);
        }
        let most = |counts: &BTreeMap<Family, u64>| {
            // The first of equals, so that ties do not depend on anything.
            counts.iter().rev().max_by_key(|(_, n)| **n).map(|(&family, _)| family)
        };
        self.seen.get(&key).and_then(most)
    }

    /// The same, also from other versions of the workflow.
    fn find_anywhere(&self, key: Key) -> Option<Family> {
        self.find(key).or_else(|| {
            let range = (key.0, Symbol::FIRST, Symbol::FIRST)..;
            let same_workflow = self.seen.range(range).take_while(|(k, _)| k.0 == key.0);
            let mut counts = BTreeMap::<Family, u64>::new();
            for (_, families) in same_workflow.filter(|(k, _)| k.2 == key.2) {
                for (&family, n) in families {
                    *counts.entry(family).or_default() += n;
                }
            }
            counts.iter().rev().max_by_key(|(_, n)| **n).map(|(&family, _)| family)
        })
    }

    /// Puts every row into the table of its task's kind. Returns the empty votes that cannot be settled
    /// yet; with `is_last` every one is settled, if need be as a vote of unknown kind.
    pub(super) fn settle(&mut self, extracts: &mut Extracts, is_last: bool) -> Vec<VoteRow> {
        let mut unsettled = Vec::new();
        let votes = std::mem::take(&mut extracts.votes);
        let mut kept = Vec::with_capacity(votes.len());
        let mut known = BlockKeys::new();
        let mut families: Vec<(Key, Option<Family>)> = Vec::new();
        for mut vote in votes {
            let is_blank = vote.kind == QuestionKind::Unknown && vote.answer.is_none();
            if !is_blank && vote.kind != QuestionKind::Single {
                kept.push(vote);
                continue;
            }
            let key = self.key_of(extracts, &mut known, vote.classification, vote.task);
            let family = match families.iter().find(|(k, _)| *k == key) {
                Some(&(_, family)) => family,
                None => {
                    let family = if is_last { self.find_anywhere(key) } else { self.find(key) };
                    families.push((key, family));
                    family
                }
            };
            let VoteRow { classification, task, answer, .. } = vote;
            match family {
                Some(Family::Text) => {
                    extracts.texts.push(TextRow { classification, task, text: answer })
                }
                Some(Family::Vote(QuestionKind::Slider)) => {
                    vote.kind = QuestionKind::Slider;
                    kept.push(vote);
                }
                _ if !is_blank => kept.push(vote),
                Some(drawn @ (Family::Mark | Family::Shape)) => {
                    let has_both = self.has_both(key);
                    if has_both || drawn == Family::Mark {
                        extracts.marks.push(MarkRow { classification, task, tool: None, range: None });
                    }
                    if has_both || drawn == Family::Shape {
                        extracts.shapes.push(ShapeRow { classification, task, mark: None });
                    }
                }
                Some(Family::Vote(kind)) => {
                    vote.kind = kind;
                    kept.push(vote);
                }
                None if is_last => kept.push(vote),
                None => unsettled.push(vote),
            }
        }
        extracts.votes = kept;
        extracts.texts.sort_by_key(|r| r.classification);
        extracts.marks.sort_by_key(|r| r.classification);
        extracts.shapes.sort_by_key(|r| r.classification);
        unsettled
    }
}
