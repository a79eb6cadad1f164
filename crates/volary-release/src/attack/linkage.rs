//! The attacks that join rows with what is known of people. Each is the plain version of what an attacker
//! with patience would do: sets of candidates, intersections, elimination.

use std::collections::{BTreeMap, BTreeSet};

use super::view::{Row, View};
use super::{Claims, Sighting};

/// A comment is written within this long after the vote.
const COMMENT_WITHIN_MS: i64 = 60_000;

/// Who voted on what a person commented, at a time that fits the comment's.
pub(crate) fn by_time(view: &View, talk: &[Sighting]) -> Claims {
    let fits = |row: &Row, comment: &Sighting| match (view.when(row), comment.time_ms) {
        (Some((first, last)), Some(at)) => first <= at && at <= last + COMMENT_WITHIN_MS,
        _ => false,
    };
    eliminate(view, &candidates(view, talk, fits))
}

/// Who voted on all that a person is known to have seen.
pub(crate) fn by_subjects(view: &View, sightings: &[Sighting]) -> Claims {
    let fits = |row: &Row, sighting: &Sighting| match &sighting.answer {
        Some(answer) => view.answers.get(answer).map(volary_core::Symbol::number) == row.answer(),
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

/// What is claimed of two versions: pseudonym before, pseudonym after.
pub(crate) type Joined<'v> = Vec<(&'v str, &'v str)>;

/// So much better than the second must the best candidate be.
const BEST_BY: f64 = 1.5;

/// Pseudonyms before that share more rows with one pseudonym after than with any other, two subjects at least; and
/// how many before stand on two subjects. A version may lack rows of the other, and have others: of the rows of two
/// pseudonyms it counts how many are the same, as the cosine of the two sets.
pub(crate) fn rejoined<'v>(before: &'v View, after: &'v View) -> (Joined<'v>, u64) {
    let (n_before, n_after) = (before.activity(), after.activity());
    // Subjects and sayings of the version before, as the other numbers them.
    let same = |from: &volary_core::Pool, to: &volary_core::Pool| -> Vec<Option<u32>> {
        from.iter().map(|text| to.get(text).map(volary_core::Symbol::number)).collect()
    };
    let subjects = same(&before.subjects, &after.subjects);
    let sayings = same(&before.said, &after.said);
    // Rows of a view are sorted by subject.
    let mut starts = vec![0_usize; after.subjects.len() + 1];
    for row in &after.rows {
        starts[row.subject as usize + 1] += 1;
    }
    for i in 1..starts.len() {
        starts[i] += starts[i - 1];
    }
    let mut own: Vec<&Row> = before.rows.iter().filter(|row| n_before[row.who as usize] > 1).collect();
    own.sort_by_key(|row| (row.who, row.subject, row.said));
    let mut shared = vec![0_u32; after.people.len()];
    let (mut claims, mut n_all) = (Vec::new(), 0);
    for rows in own.chunk_by(|a, b| a.who == b.who) {
        n_all += 1;
        let mut seen: Vec<u32> = Vec::new();
        for row in rows {
            let Some(subject) = subjects[row.subject as usize] else { continue };
            let Some(said) = sayings[row.said as usize] else { continue };
            for other in &after.rows[starts[subject as usize]..starts[subject as usize + 1]] {
                if other.said == said && n_after[other.who as usize] > 1 {
                    if shared[other.who as usize] == 0 {
                        seen.push(other.who);
                    }
                    shared[other.who as usize] += 1;
                }
            }
        }
        let mut best = (0.0, 0, 0_u32);
        let mut second = 0.0_f64;
        for who in seen {
            let n = std::mem::take(&mut shared[who as usize]);
            let score = f64::from(n) / (n_after[who as usize] as f64).sqrt();
            if score > best.0 {
                (second, best) = (best.0, (score, who, n));
            } else {
                second = second.max(score);
            }
        }
        if best.2 > 1 && best.0 >= BEST_BY * second {
            claims.push((before.person(rows[0].who), after.person(best.1)));
        }
    }
    (claims, n_all)
}
