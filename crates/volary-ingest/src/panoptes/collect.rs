//! The blocks of an export, one after the other: repeated ids, repeats by one volunteer, kinds of tasks,
//! counts. Everything that needs to have seen the rows before.
//!
//! What it holds grows with the numbers of subjects and volunteers, and by about eleven bytes with each
//! classification ([`super::seen`]), not with what the classifications say.

use std::collections::BTreeMap;
use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use volary_core::extracts::{ExternalId, Numbers, SubjectStatus, VoteRow};
use volary_core::{Extracts, Pool, ProblemKind, Problems, Symbol};

use super::offers::Offer;
use super::resolve::Kinds;
use super::row::{Sheet, left_out};
use super::seen::{SeenIds, Viewers};
use crate::error::IngestError;

/// Where the columns of an export go: a folder of tables, votes in memory, both.
pub trait ExtractSink {
    /// Takes the next classifications with all that they say.
    ///
    /// # Errors
    /// Where they cannot be written.
    fn take(&mut self, extracts: &Extracts) -> Result<(), IngestError>;

    /// Takes what earlier classifications said where its kind could not be told before. Only the rows of
    /// votes, marks, shapes and texts are new; `ordinals[i]` is the position, among all classifications
    /// taken, of `extracts.classifications[i]`.
    ///
    /// # Errors
    /// Where they cannot be written.
    fn take_late(&mut self, extracts: &Extracts, ordinals: &[u64]) -> Result<(), IngestError>;

    /// Takes an answer that could have been given, after all classifications; only with a workflow export.
    fn take_offer(&mut self, _offer: &Offer<'_>) {}
}

/// Blocks that are held back at the start, to see what kinds the tasks are.
const START_BLOCKS: usize = 16;
/// Rows of unknown kind that are held until the end; more are settled at once, as of unknown kind.
const MAX_PENDING: usize = 100_000;

/// A task's wording, and in how many annotations of which version.
pub type Wordings = BTreeMap<(String, String), BTreeMap<String, BTreeMap<String, u64>>>;

/// What the collector learnt besides the columns.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// Rows read.
    pub rows_read: u64,
    /// Rows left out, by reason.
    pub left_out: BTreeMap<String, u64>,
    /// Problems.
    pub problems: Problems,
    /// Classifications kept.
    pub n_classifications: u64,
    /// Classifications in which a volunteer met a subject again.
    pub n_repeats: u64,
    /// Those that the platform itself marked `seen_before`.
    pub n_seen_before: u64,
    /// Classifications from before the project's launch.
    pub n_beta: u64,
    /// Classifications by people who were not logged in.
    pub n_not_logged_in: u64,
    /// Classifications in gold-standard mode.
    pub n_gold: u64,
    /// Annotations that were not understood.
    pub n_unknown_annotations: u64,
    /// Different subjects.
    pub n_subjects: u64,
    /// Different volunteers (identities, for those not logged in).
    pub n_volunteers: u64,
    /// Classifications by workflow and version.
    pub versions: BTreeMap<(String, String), u64>,
    /// (workflow, task) → wording → version → annotations.
    pub wordings: Wordings,
}

/// A subject of a workflow: how many classifications, and its last known status.
#[derive(Clone, Debug)]
pub struct SubjectRow {
    /// Workflow id.
    pub workflow: String,
    /// Subject id.
    pub subject: String,
    /// Classifications in this input.
    pub n_classifications: u64,
    /// When it was retired.
    pub retired_ms: Option<i64>,
    /// Why.
    pub reason: Option<String>,
}

#[derive(Debug)]
struct SubjectState {
    workflow: Symbol,
    subject: Symbol,
    n_classifications: u64,
    retired_ms: Option<i64>,
    reason: Option<Symbol>,
    viewers: Viewers,
}

/// Takes sheets in order and passes their columns on.
pub(super) struct Collector<'s> {
    sink: &'s mut dyn ExtractSink,
    kinds: Kinds,
    start: Vec<Sheet>,
    has_started: bool,
    subjects: Subjects,
    volunteers: Pool,
    ids: SeenIds,
    text_ids: BTreeMap<String, u32>,
    pending: Extracts,
    pending_ordinals: Vec<u64>,
    collected: Collected,
}

impl<'s> Collector<'s> {
    pub(super) fn new(sink: &'s mut dyn ExtractSink, kinds: Kinds) -> Self {
        Self {
            sink,
            kinds,
            start: Vec::new(),
            has_started: false,
            subjects: Subjects::default(),
            volunteers: Pool::default(),
            ids: SeenIds::default(),
            text_ids: BTreeMap::new(),
            pending: Extracts::default(),
            pending_ordinals: Vec::new(),
            collected: Collected::default(),
        }
    }

    pub(super) fn take(&mut self, sheet: Sheet) -> Result<(), IngestError> {
        if self.has_started {
            return self.process(sheet);
        }
        self.start.push(sheet);
        if self.start.len() >= START_BLOCKS { self.begin() } else { Ok(()) }
    }

    fn begin(&mut self) -> Result<(), IngestError> {
        self.has_started = true;
        let start = std::mem::take(&mut self.start);
        for sheet in &start {
            self.kinds.learn(&sheet.extracts, true);
        }
        self.kinds.decide_strings();
        start.into_iter().try_for_each(|sheet| self.process(sheet))
    }

    fn process(&mut self, mut sheet: Sheet) -> Result<(), IngestError> {
        self.drop_repeated_ids(&mut sheet);
        let extracts = &mut sheet.extracts;
        self.kinds.learn(extracts, false);
        let unsettled = self.kinds.settle(extracts, false);
        self.note_rows(extracts);
        self.note_wordings(extracts);
        self.hold(extracts, &unsettled);
        let n = extracts.classifications.len() as u64;
        self.sink.take(extracts)?;
        let c = &mut self.collected;
        c.n_classifications += n;
        c.rows_read += sheet.rows_read;
        c.n_unknown_annotations += sheet.n_unknown_annotations;
        for (reason, n) in &sheet.left_out {
            *c.left_out.entry((*reason).to_owned()).or_default() += n;
        }
        c.problems.absorb(&sheet.problems);
        if self.pending.votes.len() > MAX_PENDING { self.release_pending() } else { Ok(()) }
    }

    /// The same id twice is one classification: the first row counts.
    fn drop_repeated_ids(&mut self, sheet: &mut Sheet) {
        let mut keep = vec![true; sheet.extracts.classifications.len()];
        let mut lost = Vec::new();
        for (class, keep) in sheet.extracts.classifications.iter().zip(&mut keep) {
            let print = class.fingerprint as u32;
            let before = match class.id {
                ExternalId::Number(id) => self.ids.insert(id, print),
                ExternalId::Text(symbol) => {
                    let id = sheet.extracts.text(symbol);
                    let before = self.text_ids.get(id).copied();
                    if before.is_none() {
                        self.text_ids.insert(id.to_owned(), print);
                    }
                    before
                }
            };
            let Some(before) = before else { continue };
            *keep = false;
            let id = class.id.to_text(&sheet.extracts.pool);
            lost.push((class.row, id, before == print));
        }
        for (row, id, is_equal) in lost {
            let (kind, reason) = if is_equal {
                (ProblemKind::RepeatedId, left_out::REPEATED_ID)
            } else {
                (ProblemKind::ConflictingId, left_out::CONFLICTING_ID)
            };
            sheet.problems.add(row, "classification_id", kind, format!("{id}; the first row counts"));
            sheet.leave_out(reason, 1);
        }
        sheet.extracts.retain(&keep);
    }

    fn note_rows(&mut self, extracts: &mut Extracts) {
        let Extracts { pool, classifications, statuses, .. } = extracts;
        // Subjects and volunteers repeat within a block: translate each text once.
        let mut volunteer_of: Vec<Option<Symbol>> = vec![None; pool.len()];
        let mut subject_of = vec![None; pool.len()];
        for class in classifications.iter_mut() {
            let volunteer = *volunteer_of[class.volunteer.key.index()]
                .get_or_insert_with(|| self.volunteers.intern(pool.text(class.volunteer.key)));
            let (subject, state) =
                self.subjects.get(pool, (class.workflow, class.subject), &mut subject_of);
            let volunteer = volunteer.number();
            state.n_classifications += 1;
            class.repeat = !state.viewers.insert(volunteer);
            class.numbers = Some(Numbers { subject, volunteer });
            let c = &mut self.collected;
            c.n_repeats += u64::from(class.repeat);
            c.n_seen_before += u64::from(class.seen_before);
            c.n_beta += u64::from(class.live == Some(false));
            c.n_not_logged_in += u64::from(!class.volunteer.logged_in);
            c.n_gold += u64::from(class.gold_standard);
        }
        for status in statuses.iter() {
            self.subjects.note_status(pool, status, &mut subject_of);
        }
        count_versions(pool, classifications, &mut self.collected.versions);
    }

    fn note_wordings(&mut self, extracts: &Extracts) {
        for wording in &extracts.task_texts {
            let text = |s| extracts.text(s).to_owned();
            *self
                .collected
                .wordings
                .entry((text(wording.workflow), text(wording.task)))
                .or_default()
                .entry(text(wording.text))
                .or_default()
                .entry(text(wording.version))
                .or_default() += wording.n;
        }
    }

    fn hold(&mut self, extracts: &Extracts, unsettled: &[VoteRow]) {
        for vote in unsettled {
            let class = &extracts.classifications[vote.classification as usize];
            let ordinal = self.collected.n_classifications + u64::from(vote.classification);
            if self.pending_ordinals.last() != Some(&ordinal) {
                let mut copy = class.clone();
                let pool = &mut self.pending.pool;
                let mut again = |symbol| pool.intern(extracts.text(symbol));
                copy.workflow = again(class.workflow);
                copy.version = again(class.version);
                copy.subject = again(class.subject);
                copy.volunteer.key = again(class.volunteer.key);
                copy.expert = class.expert.map(&mut again);
                if let ExternalId::Text(symbol) = class.id {
                    copy.id = ExternalId::Text(again(symbol));
                }
                self.pending.classifications.push(copy);
                self.pending_ordinals.push(ordinal);
            }
            let task = self.pending.pool.intern(extracts.text(vote.task));
            let classification =
                u32::try_from(self.pending.classifications.len() - 1).unwrap_or(u32::MAX);
            self.pending.votes.push(VoteRow { classification, task, ..*vote });
        }
    }

    fn release_pending(&mut self) -> Result<(), IngestError> {
        let mut pending = std::mem::take(&mut self.pending);
        let ordinals = std::mem::take(&mut self.pending_ordinals);
        self.kinds.settle(&mut pending, true);
        if pending.classifications.is_empty() {
            Ok(())
        } else {
            self.sink.take_late(&pending, &ordinals)
        }
    }

    /// Settles what is left and returns all counts, and the subjects in order of first appearance.
    pub(super) fn finish(mut self) -> Result<(Collected, Vec<SubjectRow>), IngestError> {
        if !self.has_started {
            self.begin()?;
        }
        self.release_pending()?;
        self.warn_of_changed_tasks();
        let mut collected = self.collected;
        collected.n_subjects = self.subjects.states.len() as u64;
        collected.n_volunteers = self.volunteers.len() as u64;
        let Subjects { pool, states, .. } = self.subjects;
        let text = |s: Symbol| pool.text(s).to_owned();
        let subjects = states.iter().map(|s| SubjectRow {
            workflow: text(s.workflow),
            subject: text(s.subject),
            n_classifications: s.n_classifications,
            retired_ms: s.retired_ms,
            reason: s.reason.map(text),
        });
        Ok((collected, subjects.collect()))
    }

    /// One key that asks different things in different versions: the votes are merged by key and label,
    /// and the user should know.
    fn warn_of_changed_tasks(&mut self) {
        for ((workflow, task), wordings) in &self.collected.wordings {
            if wordings.len() > 1 {
                let n: usize = wordings.len();
                let versions: Vec<&str> =
                    wordings.values().filter_map(|v| v.keys().next()).map(String::as_str).collect();
                let detail = format!(
                    "workflow {workflow}, task {task}: {n} wordings (first in versions {}); merged by task \
                     and label. Narrow with --version, --min-version or --max-version",
                    versions.join(", ")
                );
                self.collected.problems.add(0, "annotations", ProblemKind::TaskChanged, detail);
            }
        }
    }
}

/// The subjects of all workflows, in order of first appearance.
#[derive(Debug, Default)]
struct Subjects {
    pool: Pool,
    states: Vec<SubjectState>,
    // Positions in `states` by (workflow, subject).
    index: HashTable<u32>,
}

/// Symbols of one block's subjects to what they were last: a workflow, and a position among all subjects.
type Translation = Vec<Option<(Symbol, u32)>>;

impl Subjects {
    fn get(
        &mut self,
        pool: &Pool,
        (workflow, subject): (Symbol, Symbol),
        known: &mut Translation,
    ) -> (u32, &mut SubjectState) {
        let at = match known[subject.index()] {
            Some((of, at)) if of == workflow => at,
            _ => {
                let at = self.find(pool.text(workflow), pool.text(subject));
                known[subject.index()] = Some((workflow, at));
                at
            }
        };
        (at, &mut self.states[at as usize])
    }

    fn find(&mut self, workflow: &str, subject: &str) -> u32 {
        let (workflow, subject) = (self.pool.intern(workflow), self.pool.intern(subject));
        let states = &mut self.states;
        let hash = |w: Symbol, s: Symbol| FixedState::with_seed(3).hash_one((w, s));
        let is_it = |&at: &u32| {
            let state = &states[at as usize];
            (state.subject, state.workflow) == (subject, workflow)
        };
        let hashed = hash(workflow, subject);
        if let Some(&at) = self.index.find(hashed, is_it) {
            return at;
        }
        let next = u32::try_from(states.len()).expect("fewer than 2^32 subjects");
        self.index.insert_unique(hashed, next, |&at| {
            let state = &states[at as usize];
            hash(state.workflow, state.subject)
        });
        states.push(SubjectState {
            workflow,
            subject,
            n_classifications: 0,
            retired_ms: None,
            reason: None,
            viewers: Viewers::default(),
        });
        next
    }

    fn note_status(&mut self, pool: &Pool, status: &SubjectStatus, known: &mut Translation) {
        let reason = status.reason.map(|reason| self.pool.intern(pool.text(reason)));
        let (_, state) = self.get(pool, (status.workflow, status.subject), known);
        state.retired_ms = status.retired_ms.or(state.retired_ms);
        state.reason = reason.or(state.reason);
    }
}

fn count_versions(
    pool: &Pool,
    classifications: &[volary_core::extracts::ClassificationRow],
    versions: &mut BTreeMap<(String, String), u64>,
) {
    for run in classifications.chunk_by(|a, b| a.workflow == b.workflow && a.version == b.version) {
        let key = (pool.text(run[0].workflow).to_owned(), pool.text(run[0].version).to_owned());
        *versions.entry(key).or_default() += run.len() as u64;
    }
}
