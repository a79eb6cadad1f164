//! What was met before: classification ids with what their rows said, and who has seen which subject.
//!
//! Both are exact, and both are small, since they are all that grows with each classification while an
//! export is read: about six bytes for an id and its fingerprint, five for a subject's volunteer. No rule
//! about repeats is made here.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashSet;

/// Ids of one run: few enough to walk through for one look-up.
const RUN: usize = 256;

/// Ids with a fingerprint each. They mostly rise from row to row, so that the next one costs a byte or two;
/// those that do not are kept apart, and merged in before they are many.
#[derive(Debug, Default)]
pub(super) struct SeenIds {
    // In order: every run's ids rise, and are below those of the next run and of `last`.
    runs: Vec<Run>,
    last: Vec<(u64, u32)>,
    strays: BTreeMap<u64, u32>,
    n: usize,
}

/// Rising ids as differences, seven bits a byte.
#[derive(Debug)]
struct Run {
    first: u64,
    steps: Box<[u8]>,
    prints: Box<[u32]>,
}

impl Run {
    fn new(ids: &[(u64, u32)]) -> Self {
        let first = ids.first().map_or(0, |&(id, _)| id);
        let mut steps = Vec::with_capacity(2 * ids.len());
        for pair in ids.windows(2) {
            let mut step = pair[1].0 - pair[0].0;
            while step >= 0x80 {
                steps.push((step & 0x7f) as u8 | 0x80);
                step >>= 7;
            }
            steps.push(step as u8);
        }
        let prints = ids.iter().map(|&(_, print)| print).collect();
        Self { first, steps: steps.into_boxed_slice(), prints }
    }

    fn iter(&self) -> impl Iterator<Item = (u64, u32)> {
        let (mut id, mut steps) = (self.first, self.steps.iter());
        self.prints.iter().enumerate().map(move |(i, &print)| {
            if i > 0 {
                let mut shift = 0;
                for &byte in steps.by_ref() {
                    id += u64::from(byte & 0x7f) << shift;
                    shift += 7;
                    if byte < 0x80 {
                        break;
                    }
                }
            }
            (id, print)
        })
    }
}

impl SeenIds {
    /// The fingerprint under which this id was seen before, if it was; otherwise it is kept with this one.
    pub(super) fn insert(&mut self, id: u64, print: u32) -> Option<u32> {
        if self.highest().is_none_or(|highest| id > highest) {
            self.append(id, print);
            self.n += 1;
            return None;
        }
        let known = self.find(id);
        if known.is_none() {
            self.strays.insert(id, print);
            self.n += 1;
            if self.strays.len() > RUN.max(self.n / 4) {
                self.merge();
            }
        }
        known
    }

    fn highest(&self) -> Option<u64> {
        // A run is sealed only when the next id comes, so that the highest is always at hand.
        self.last.last().map(|&(id, _)| id)
    }

    fn append(&mut self, id: u64, print: u32) {
        if self.last.len() == RUN {
            self.runs.push(Run::new(&self.last));
            self.last.clear();
        }
        self.last.push((id, print));
    }

    fn find(&self, id: u64) -> Option<u32> {
        if let Ok(at) = self.last.binary_search_by_key(&id, |&(known, _)| known) {
            return Some(self.last[at].1);
        }
        let at = self.runs.partition_point(|run| run.first <= id);
        let run = at.checked_sub(1).map(|at| &self.runs[at]);
        let in_run = run.and_then(|run| run.iter().find(|&(known, _)| known >= id));
        match in_run {
            Some((known, print)) if known == id => Some(print),
            _ => self.strays.get(&id).copied(),
        }
    }

    /// Puts the strays into their places.
    fn merge(&mut self) {
        let runs = std::mem::take(&mut self.runs);
        let last = std::mem::take(&mut self.last);
        let mut strays = std::mem::take(&mut self.strays).into_iter().peekable();
        // Each run goes as soon as it is read.
        let known = runs.into_iter().flat_map(|run| run.iter().collect::<Vec<_>>()).chain(last);
        for (id, print) in known {
            while let Some((stray, of_stray)) = strays.next_if(|&(stray, _)| stray < id) {
                self.append(stray, of_stray);
            }
            self.append(id, print);
        }
    }
}

/// More volunteers of one subject than this are looked up by hash.
const FEW: usize = 64;
/// Room is made for this many volunteers at a time.
const STEP: usize = 4;

/// Who has seen a subject: nobody to begin with.
#[derive(Debug)]
pub(super) enum Viewers {
    /// Volunteers in the order in which they came; what is not taken yet holds [`FREE`].
    Few(Box<[u32]>),
    /// The same, of a subject that very many have seen.
    Many(Box<HashSet<u32, FixedState>>),
}

/// No volunteer has this number, since it would be the last of 2^32.
const FREE: u32 = u32::MAX;

impl Default for Viewers {
    fn default() -> Self {
        Self::Few(Box::default())
    }
}

impl Viewers {
    /// Adds a volunteer; `false` where they were there before.
    pub(super) fn insert(&mut self, volunteer: u32) -> bool {
        let few = match self {
            Self::Many(many) => return many.insert(volunteer),
            Self::Few(few) => few,
        };
        if few.contains(&volunteer) {
            return false;
        }
        // Places are taken from the front, so a free one is among the last few.
        let tail = few.len().saturating_sub(STEP);
        if let Some(free) = few[tail..].iter_mut().find(|place| **place == FREE) {
            *free = volunteer;
        } else if few.len() < FEW {
            let mut more = std::mem::take(few).into_vec();
            more.reserve_exact(STEP);
            more.push(volunteer);
            more.resize(more.capacity().min(more.len() + STEP - 1), FREE);
            *few = more.into_boxed_slice();
        } else {
            let mut many = HashSet::with_hasher(FixedState::with_seed(2));
            many.extend(few.iter().copied());
            many.insert(volunteer);
            *self = Self::Many(Box::new(many));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same by the plainest means.
    fn check(rows: impl IntoIterator<Item = (u64, u32)>) -> SeenIds {
        let (mut seen, mut plain) = (SeenIds::default(), BTreeMap::new());
        for (id, print) in rows {
            assert_eq!(seen.insert(id, print), plain.get(&id).copied(), "{id}");
            plain.entry(id).or_insert(print);
        }
        assert_eq!(seen.n, plain.len());
        seen
    }

    proptest! {
        #[test]
        fn ids_in_any_order_are_remembered(
            ids in proptest::collection::vec((0..3000_u64, 0..3_u32, proptest::bool::weighted(0.02)), 0..3000),
        ) {
            check(ids.into_iter().map(|(id, print, huge)| (if huge { u64::MAX - id } else { id }, print)));
        }

        #[test]
        fn viewers_are_a_set(volunteers in proptest::collection::vec(0..200_u32, 0..400)) {
            let (mut viewers, mut plain) = (Viewers::default(), std::collections::BTreeSet::new());
            for volunteer in volunteers {
                prop_assert_eq!(viewers.insert(volunteer), plain.insert(volunteer));
            }
        }
    }

    #[test]
    fn rising_ids_cost_a_byte_or_two_each_and_others_are_merged_in() {
        let rising = check((0..100_000).map(|i| (500_000_000 + 90 * i, i as u32)));
        let steps: usize = rising.runs.iter().map(|run| run.steps.len()).sum();
        assert!(steps < 100_000 && rising.strays.is_empty());
        // Falling, and jumping about: at most a quarter stays outside the runs.
        for seen in [
            check((0..50_000).map(|i| (1_000_000 - 7 * i, 1))),
            check((0..50_000).map(|i| (i * 7919 % 50_000, i as u32))),
        ] {
            assert!(seen.strays.len() <= 12_500, "{}", seen.strays.len());
        }
    }

    #[test]
    fn a_subject_that_everybody_saw_is_as_quick_as_any() {
        let mut viewers = Viewers::default();
        // By walking through lists this would take hours.
        assert!((0..1_000_000).all(|volunteer| viewers.insert(volunteer)));
        assert!((0..1_000_000).all(|volunteer| !viewers.insert(volunteer)));
    }
}
