//! What the protection costs the science: the answers of the majority and the shares that differ, how well they
//! meet known answers before and after (`on_gold`), and whether people can still be told apart by their skill.
//!
//! Before is the whole table of votes without those who opted out; after is what leaves.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::protect::Protection;
use crate::votes::{Count, NO_ANSWER, Votes};

/// Pairs of people are compared, so that there is an end to how many.
const MOST_PEOPLE: usize = 2000;

/// The whole report. `counts` and `n_votes` are before and after; counts are sorted.
pub(crate) fn report(
    counts: [&[Count]; 2],
    on_gold: Option<Value>,
    n_votes: [u64; 2],
    skill_ranks: Option<SkillRanks>,
) -> Value {
    let key = |count: &Count| (count.subject, count.question);
    let groups = |counts| <[Count]>::chunk_by(counts, |a, b| key(a) == key(b));
    let [before, after] = counts;
    let mut rest = groups(after).peekable();
    let (mut n, mut n_same, mut n_both, mut moved) = (0_u64, 0_u64, 0_u64, 0.0);
    for b in groups(before) {
        n += 1;
        // What leaves is a part of what was there, in the same order.
        while rest.next_if(|a| key(&a[0]) < key(&b[0])).is_some() {}
        let Some(a) = rest.next_if(|a| key(&a[0]) == key(&b[0])) else { continue };
        n_both += 1;
        n_same += u64::from(majority(b) == majority(a));
        moved += variation(b, a);
    }
    let mut report = json!({
        "n_questions": n,
        "n_majority_same": n_same,
        "n_majority_other": n_both - n_same,
        "n_not_released": n - n_both,
        "n_votes": n_votes[0],
        "n_votes_released": n_votes[1],
    });
    if n_both > 0 {
        // Half the sum of the differences of the shares, mean over questions.
        report["total_variation"] = json!(moved / n_both as f64);
    }
    if let Some(on_gold) = on_gold {
        report["on_gold"] = on_gold;
    }
    if let Some(ranks) = skill_ranks {
        report["skill_ranks"] = json!({"tau_b": ranks.tau_b, "n_volunteers": ranks.n});
    }
    report
}

/// Of equals the first: it is the same before and after.
fn majority(counts: &[Count]) -> Option<u32> {
    counts.iter().max_by_key(|c| (c.n_votes, std::cmp::Reverse(c.answer))).map(|c| c.answer)
}

fn variation(a: &[Count], b: &[Count]) -> f64 {
    let total = |of: &[Count]| of.iter().map(|c| c.n_votes).sum::<u64>().max(1) as f64;
    let mut shares: BTreeMap<u32, f64> = BTreeMap::new();
    for (of, sign) in [(a, 1.0), (b, -1.0)] {
        for count in of {
            *shares.entry(count.answer).or_default() += sign * count.n_votes as f64 / total(of);
        }
    }
    shares.values().map(|difference| difference.abs()).sum::<f64>() / 2.0
}

/// Whether the votes under a pseudonym still rank people by how often they agree with the majority.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SkillRanks {
    tau_b: f64,
    n: usize,
}

/// Ranks by all votes of each person, and by those that leave under one pseudonym.
pub(crate) fn skill_ranks(
    votes: &Votes,
    counts: &[Count],
    protection: &Protection<'_>,
) -> Option<SkillRanks> {
    let mut majority: BTreeMap<(u32, u32), (u64, u32)> = BTreeMap::new();
    for c in counts.iter().filter(|c| c.answer != NO_ANSWER) {
        let best = majority.entry((c.subject, c.question)).or_insert((c.n_votes, c.answer));
        if c.n_votes > best.0 {
            *best = (c.n_votes, c.answer);
        }
    }
    // Of each person: agreeing and all votes, before and after.
    let mut people: BTreeMap<usize, [(u64, u64); 2]> = BTreeMap::new();
    for vote in votes.rows.iter().filter(|v| v.answer != NO_ANSWER) {
        let Some(person) = vote.who.volunteer() else { continue };
        let Some((_, answer)) = majority.get(&(vote.subject, vote.question)) else { continue };
        let [before, after] = people.entry(person).or_default();
        let add = |to: &mut (u64, u64)| {
            to.0 += u64::from(*answer == vote.answer);
            to.1 += 1;
        };
        add(before);
        if protection.is_linked(vote) {
            add(after);
        }
    }
    let pairs: Vec<[f64; 2]> = people
        .into_values()
        .filter(|[_, after]| after.1 > 0)
        .map(|of| of.map(|(k, n)| k as f64 / n as f64))
        .take(MOST_PEOPLE)
        .collect();
    Some(SkillRanks { tau_b: tau_b(&pairs)?, n: pairs.len() })
}

/// Kendall's tau-b: concordant less discordant pairs, over the root of the pairs that are not tied on each side.
fn tau_b(pairs: &[[f64; 2]]) -> Option<f64> {
    let (mut score, mut untied) = (0_i64, [0_i64; 2]);
    for (i, a) in pairs.iter().enumerate() {
        for b in &pairs[..i] {
            let [x, y] = [0, 1].map(|side| match a[side].total_cmp(&b[side]) {
                std::cmp::Ordering::Less => -1,
                std::cmp::Ordering::Equal => 0,
                std::cmp::Ordering::Greater => 1_i64,
            });
            score += x * y;
            untied[0] += x.abs();
            untied[1] += y.abs();
        }
    }
    let whole = (untied[0] as f64 * untied[1] as f64).sqrt();
    (whole > 0.0).then(|| score as f64 / whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_scipy() {
        // scipy.stats.kendalltau([1, 2, 3, 4, 5], [1, 3, 2, 5, 4]) and with ties ([1, 1, 2, 3], [1, 2, 2, 3]).
        let of =
            |x: &[f64], y: &[f64]| tau_b(&x.iter().zip(y).map(|(x, y)| [*x, *y]).collect::<Vec<_>>());
        let near = |a: Option<f64>, b: f64| assert!((a.unwrap() - b).abs() < 1e-12, "{a:?}");
        near(of(&[1.0, 2.0, 3.0, 4.0, 5.0], &[1.0, 3.0, 2.0, 5.0, 4.0]), 0.6);
        near(of(&[1.0, 1.0, 2.0, 3.0], &[1.0, 2.0, 2.0, 3.0]), 0.8);
        near(of(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), -1.0);
        assert_eq!(of(&[1.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(of(&[], &[]), None);
    }

    #[test]
    fn variation_is_half_the_sum_of_the_differences() {
        let counts = |votes: &[(u32, u64)]| -> Vec<Count> {
            let of = |&(answer, n_votes)| Count { subject: 0, question: 0, answer, n_seen: 9, n_votes };
            votes.iter().map(of).collect()
        };
        let of = |a: &[(u32, u64)], b: &[(u32, u64)]| variation(&counts(a), &counts(b));
        assert!((of(&[(0, 5), (1, 5)], &[(0, 10)]) - 0.5).abs() < 1e-12);
        assert!((of(&[(0, 3)], &[(1, 3)]) - 1.0).abs() < 1e-12);
        assert!(of(&[(0, 3), (1, 6)], &[(0, 1), (1, 2)]).abs() < 1e-12);
        assert_eq!(majority(&counts(&[(0, 3), (1, 3)])), Some(0));
    }

    #[test]
    fn questions_that_do_not_leave_are_counted() {
        let count =
            |subject, answer, n_votes| Count { subject, question: 0, answer, n_seen: 9, n_votes };
        let before = [count(0, 0, 5), count(0, 1, 4), count(1, 0, 3), count(2, 1, 2), count(2, 2, 7)];
        let after = [count(0, 0, 5), count(2, 1, 2)];
        let report = report([&before, &after], None, [21, 7], None);
        assert_eq!(report["n_questions"], 3);
        assert_eq!((&report["n_majority_same"], &report["n_majority_other"]), (&json!(1), &json!(1)));
        assert_eq!(report["n_not_released"], 1);
        assert!(
            (report["total_variation"].as_f64().unwrap() - (4.0 / 9.0 + 7.0 / 9.0) / 2.0).abs() < 1e-12
        );
    }
}
