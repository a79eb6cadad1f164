//! What the protection costs the science: the answers of the majority and the shares that differ, how well they
//! meet known answers before and after, and whether people can still be told apart by their skill.
//!
//! Before is the whole table of votes without those who opted out; after is what leaves.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::inputs::Gold;
use super::protect::Protection;
use crate::votes::{Count, NO_ANSWER, Votes};

/// Pairs of people are compared, so that there is an end to how many.
const MOST_PEOPLE: usize = 2000;

/// Votes of a subject's question, by answer.
type Shares = BTreeMap<(u32, u32), BTreeMap<u32, u64>>;

/// The whole report. `counts` and `n_votes` are before and after.
pub(crate) fn report(
    votes: &Votes,
    counts: [&[Count]; 2],
    gold: &[Gold],
    n_votes: [u64; 2],
    skill_ranks: Option<SkillRanks>,
) -> Value {
    let [before, after] = counts.map(shares);
    let majority = |shares: &BTreeMap<u32, u64>| -> Option<u32> {
        // Of equals the first: it is the same before and after.
        shares.iter().max_by_key(|(answer, n)| (**n, std::cmp::Reverse(**answer))).map(|(a, _)| *a)
    };
    let both = || before.iter().filter_map(|(key, b)| Some((b, after.get(key)?)));
    let n_same = both().filter(|(b, a)| majority(b) == majority(a)).count();
    let n_gone = before.keys().filter(|key| !after.contains_key(*key)).count();
    let moved: Vec<f64> = both().map(|(b, a)| variation(b, a)).collect();
    let mut report = json!({
        "n_questions": before.len(),
        "n_majority_same": n_same,
        "n_majority_other": before.len() - n_same - n_gone,
        "n_not_released": n_gone,
        "n_votes": n_votes[0],
        "n_votes_released": n_votes[1],
    });
    if !moved.is_empty() {
        // Half the sum of the differences of the shares, mean over questions.
        report["total_variation"] = json!(moved.iter().sum::<f64>() / moved.len() as f64);
    }
    if !gold.is_empty() {
        let [before, after] = [&before, &after].map(|shares| on_gold(votes, shares, &before, gold));
        report["on_gold"] = json!({"before": before, "after": after});
    }
    if let Some(ranks) = skill_ranks {
        report["skill_ranks"] = json!({"tau_b": ranks.tau_b, "n_volunteers": ranks.n});
    }
    report
}

fn shares(counts: &[Count]) -> Shares {
    let mut all = Shares::new();
    for count in counts.iter().filter(|c| c.answer != NO_ANSWER) {
        all.entry((count.subject, count.question)).or_default().insert(count.answer, count.n_votes);
    }
    all
}

fn variation(a: &BTreeMap<u32, u64>, b: &BTreeMap<u32, u64>) -> f64 {
    let total = |of: &BTreeMap<u32, u64>| of.values().sum::<u64>().max(1) as f64;
    let share =
        |of: &BTreeMap<u32, u64>, answer: &u32| of.get(answer).copied().unwrap_or(0) as f64 / total(of);
    let answers: BTreeSet<&u32> = a.keys().chain(b.keys()).collect();
    answers.into_iter().map(|answer| (share(a, answer) - share(b, answer)).abs()).sum::<f64>() / 2.0
}

/// How well the majority and the shares meet known answers. Shares are (k + ½) / (n + K/2), K being the answers
/// that the question ever had.
fn on_gold(votes: &Votes, shares: &Shares, all: &Shares, gold: &[Gold]) -> Value {
    let mut answers_of: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for ((_, question), shares) in all {
        answers_of.entry(*question).or_default().extend(shares.keys());
    }
    let mut truth: BTreeMap<(u32, u32), BTreeSet<Option<u32>>> = BTreeMap::new();
    for known in gold {
        let Some(subject) = votes.subject(&known.subject) else { continue };
        let is_meant = |q: &u32| {
            let question = &votes.questions[*q as usize];
            known.task.as_ref().is_none_or(|task| *task == question.task)
                && known.workflow.as_ref().is_none_or(|w| *w == question.workflow)
        };
        for question in answers_of.keys().filter(|q| is_meant(q)) {
            truth.entry((subject, *question)).or_default().insert(votes.answer(&known.answer));
        }
    }
    let (mut n, mut n_right, mut loss) = (0_u64, 0_u64, 0.0);
    for (key, truth) in &truth {
        let Some(shares) = shares.get(key) else { continue };
        let n_answers = answers_of.get(&key.1).map_or(1, BTreeSet::len).max(1) as f64;
        let total: u64 = shares.values().sum();
        let most = shares.values().copied().max().unwrap_or(0);
        let winners: Vec<&u32> = shares.iter().filter(|(_, k)| **k == most).map(|(a, _)| a).collect();
        // A tie is no answer.
        n_right += u64::from(winners.len() == 1 && truth.contains(&Some(*winners[0])));
        let k: u64 = truth.iter().flatten().filter_map(|a| shares.get(a)).sum();
        let p = (k as f64 + 0.5 * truth.len() as f64) / (total as f64 + 0.5 * n_answers);
        loss -= p.min(1.0).ln();
        n += 1;
    }
    if n == 0 {
        return json!({"n": 0});
    }
    json!({"n": n, "accuracy": n_right as f64 / n as f64, "log_loss": loss / n as f64})
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
        let of = |a: &[(u32, u64)], b: &[(u32, u64)]| {
            variation(&a.iter().copied().collect(), &b.iter().copied().collect())
        };
        assert!((of(&[(0, 5), (1, 5)], &[(0, 10)]) - 0.5).abs() < 1e-12);
        assert!((of(&[(0, 3)], &[(1, 3)]) - 1.0).abs() < 1e-12);
        assert!(of(&[(0, 3), (1, 6)], &[(0, 1), (1, 2)]).abs() < 1e-12);
    }
}
