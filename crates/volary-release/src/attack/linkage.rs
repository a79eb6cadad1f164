//! The attacks that join rows with what is known of people. Each is the plain version of what an attacker
//! with patience would do: sets of candidates, intersections, elimination.

use std::collections::{BTreeMap, BTreeSet};

use super::view::{Row, View};
use super::{Claims, Sighting};

/// A comment is written within this long after the vote.
const COMMENT_WITHIN_MS: i64 = 60_000;

/// Who voted on what a person commented, at a time that fits the comment's.
pub(crate) fn by_time(view: &View, talk: &[Sighting]) -> Claims {
    let fits = |row: &Row, comment: &Sighting| match (row.when, comment.time_ms) {
        (Some((first, last)), Some(at)) => first <= at && at <= last + COMMENT_WITHIN_MS,
        _ => false,
    };
    eliminate(view, &candidates(view, talk, fits))
}

/// Who voted on all that a person is known to have seen.
pub(crate) fn by_subjects(view: &View, sightings: &[Sighting]) -> Claims {
    let fits = |row: &Row, sighting: &Sighting| match &sighting.answer {
        Some(answer) => view.answers.get(answer).map(volary_core::Symbol::number) == row.answer,
        None => true,
    };
    eliminate(view, &candidates(view, sightings, fits))
}

/// For each person the pseudonyms that fit, one set for every sighting.
fn candidates(
    view: &View,
    sightings: &[Sighting],
    fits: impl Fn(&Row, &Sighting) -> bool,
) -> BTreeMap<String, Vec<BTreeSet<u32>>> {
    let mut all: BTreeMap<String, Vec<BTreeSet<u32>>> = BTreeMap::new();
    for sighting in sightings {
        let rows = view.of_subject(&sighting.subject);
        let set: BTreeSet<u32> = rows.iter().filter(|r| fits(r, sighting)).map(|r| r.who).collect();
        // An empty set says that this sighting helps nobody: the person did not vote there, or was left out.
        if !set.is_empty() {
            all.entry(sighting.person.clone()).or_default().push(set);
        }
    }
    all
}

/// Intersects each person's sets; where nothing is in all of them, pseudonyms differ between subjects and
/// each set is worked by itself. Whoever is pinned is taken out of everybody else's sets, until nothing
/// changes.
fn eliminate(view: &View, all: &BTreeMap<String, Vec<BTreeSet<u32>>>) -> Claims {
    let mut open: Vec<(&String, BTreeSet<u32>)> = Vec::new();
    for (person, sets) in all {
        let mut shared = sets[0].clone();
        for set in &sets[1..] {
            shared.retain(|who| set.contains(who));
        }
        if shared.is_empty() {
            open.extend(sets.iter().map(|set| (person, set.clone())));
        } else {
            open.push((person, shared));
        }
    }
    let mut owner: BTreeMap<u32, &String> = BTreeMap::new();
    loop {
        let pinned: Vec<(u32, &String)> = open
            .iter()
            .filter(|(_, set)| set.len() == 1)
            .filter_map(|(person, set)| Some((*set.first()?, *person)))
            .collect();
        let n_before = owner.len();
        for (who, person) in pinned {
            owner.entry(who).or_insert(person);
        }
        if owner.len() == n_before {
            break;
        }
        for (person, set) in &mut open {
            set.retain(|who| owner.get(who).is_none_or(|p| p == person));
        }
    }
    let mut claims = Claims::new();
    for (who, person) in owner {
        claims.entry(person.clone()).or_default().insert(view.person(who).to_owned());
    }
    claims
}

/// Who did about as much as a person is known to have done, where both are alone in that. A tenth less is
/// still about as much, since a release may lack rows.
pub(crate) fn by_activity(view: &View, totals: &[(String, u64)]) -> Claims {
    let mut seen: Vec<(u64, u32)> = view.activity().into_iter().zip(0..).collect();
    seen.sort_unstable();
    let mut known: Vec<u64> = totals.iter().map(|t| t.1).collect();
    known.sort_unstable();
    let between = |sorted: &[u64], low: u64, high: u64| {
        sorted.partition_point(|n| *n <= high) - sorted.partition_point(|n| *n < low)
    };
    let mut claims = Claims::new();
    for (person, n) in totals {
        let low = n - n / 10;
        let start = seen.partition_point(|s| s.0 < low);
        let end = seen.partition_point(|s| s.0 <= *n);
        let exact = seen.partition_point(|s| s.0 < *n);
        let is_alone = end - start == 1 && between(&known, low, n + n / 10) == 1;
        let is_exact = end - exact == 1 && between(&known, *n, *n) == 1;
        let at = if is_exact { exact } else { start };
        if is_alone || is_exact {
            claims.entry(person.clone()).or_default().insert(view.person(seen[at].1).to_owned());
        }
    }
    claims
}

/// Pseudonyms before that have the very rows of exactly one pseudonym after, two subjects at least; and
/// all pseudonyms before that stand on two subjects.
pub(crate) fn rejoined(before: &View, after: &View) -> (u64, u64) {
    let prints = |view: &View| -> BTreeMap<[u8; 32], u64> {
        let mut rows: Vec<(u32, &str, &str)> = view
            .rows
            .iter()
            .map(|r| {
                let subject = view.subjects.at(r.subject as usize).unwrap_or_default();
                (r.who, subject, view.said.at(r.said as usize).unwrap_or_default())
            })
            .collect();
        rows.sort_unstable();
        let mut prints = BTreeMap::new();
        for own in rows.chunk_by(|a, b| a.0 == b.0) {
            if own[0].1 == own[own.len() - 1].1 {
                continue;
            }
            let mut hasher = blake3::Hasher::new();
            for (_, subject, said) in own {
                for part in [subject, said] {
                    hasher.update(&(part.len() as u64).to_le_bytes());
                    hasher.update(part.as_bytes());
                }
            }
            *prints.entry(*hasher.finalize().as_bytes()).or_default() += 1;
        }
        prints
    };
    let (before, after) = (prints(before), prints(after));
    let unique = |(print, n): &(&[u8; 32], &u64)| **n == 1 && after.get(*print) == Some(&1);
    (before.iter().filter(unique).count() as u64, before.values().sum())
}
