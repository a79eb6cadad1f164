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
}

impl Kinds {
    /// Says outright what a task is.
    pub(super) fn tell(&mut self, workflow: &str, version: &str, task: &str, family: Family) {
        let key = self.key(workflow, version, task);
        self.told.insert(key, family);
    }

    fn key(&mut self, workflow: &str, version: &str, task: &str) -> Key {
        let major = version.split('.').next().unwrap_or_default();
        (self.pool.intern(workflow), self.pool.intern(major), self.pool.intern(task))
    }

    fn key_of(&mut self, extracts: &Extracts, classification: u32, task: Symbol) -> Key {
        let class = &extracts.classifications[classification as usize];
        self.key(extracts.text(class.workflow), extracts.text(class.version), extracts.text(task))
    }

    /// Learns from everything in `extracts` that shows its kind.
    pub(super) fn learn(&mut self, extracts: &Extracts, with_strings: bool) {
        let mut memo: Option<(u32, Symbol, Key)> = None;
        for vote in &extracts.votes {
            if vote.kind == QuestionKind::Unknown || vote.kind == QuestionKind::Detail {
                continue;
            }
            let key = match memo {
                Some((c, t, key))
                    if t == vote.task && same_version(extracts, c, vote.classification) =>
                {
                    key
                }
                _ => self.key_of(extracts, vote.classification, vote.task),
            };
            memo = Some((vote.classification, vote.task, key));
            self.count(key, Family::Vote(vote.kind));
            if with_strings
                && vote.kind == QuestionKind::Single
                && let Some(answer) = vote.answer
            {
                self.note_string(key, extracts.text(answer));
            }
        }
        for row in extracts.marks.iter().filter(|r| r.range.is_some()) {
            let key = self.key_of(extracts, row.classification, row.task);
            // A `column` mark is a shape as well; only ranges proper make a task of marks.
            self.count(key, Family::Mark);
        }
        for row in extracts.shapes.iter().filter(|r| r.mark.is_some()) {
            let key = self.key_of(extracts, row.classification, row.task);
            self.count(key, Family::Shape);
        }
        for row in extracts.texts.iter().filter(|r| r.text.is_some()) {
            let key = self.key_of(extracts, row.classification, row.task);
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
        let mut memo: Option<(u32, Symbol, Option<Family>)> = None;
        for mut vote in votes {
            let is_blank = vote.kind == QuestionKind::Unknown && vote.answer.is_none();
            if !is_blank && vote.kind != QuestionKind::Single {
                kept.push(vote);
                continue;
            }
            let family = match memo {
                Some((c, t, f)) if t == vote.task && same_version(extracts, c, vote.classification) => f,
                _ => {
                    let key = self.key_of(extracts, vote.classification, vote.task);
                    if is_last { self.find_anywhere(key) } else { self.find(key) }
                }
            };
            memo = Some((vote.classification, vote.task, family));
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
                Some(Family::Mark) => {
                    extracts.marks.push(MarkRow { classification, task, tool: None, range: None });
                }
                Some(Family::Shape) => {
                    extracts.shapes.push(ShapeRow { classification, task, mark: None })
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

fn same_version(extracts: &Extracts, a: u32, b: u32) -> bool {
    let (a, b) = (&extracts.classifications[a as usize], &extracts.classifications[b as usize]);
    a.workflow == b.workflow && a.version == b.version
}
