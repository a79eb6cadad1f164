//! Gold among other labels (synthetic objects, catalogues, experts) at a stated share.
//!
//! A subject has one label: where two sources have it, the first one named wins, and where they say different
//! things that is told. All gold is kept. Of the others as many are drawn as the share allows, each source in
//! proportion; where there are too few, gold weighs less instead, so that the share holds by weight. The share
//! by count and the share by weight are both told.

use rand::seq::SliceRandom as _;
use std::collections::BTreeMap;
use volary_core::seed::stream;

use crate::error::CrowdError;

/// Labels of one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Subject and label, each subject once.
    pub labels: BTreeMap<String, String>,
}

/// Two sources that disagree on a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The subject.
    pub subject: String,
    /// The source that won, by its place, and its label.
    pub kept: (usize, String),
    /// The other.
    pub dropped: (usize, String),
}

/// What was mixed.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    /// Subjects by the place of their source, sorted.
    pub chosen: Vec<Vec<String>>,
    /// Weight of a label of each source.
    pub weights: Vec<f64>,
    /// Share of gold by count, by weight.
    pub shares: (f64, f64),
    /// Where sources disagree.
    pub conflicts: Vec<Conflict>,
}

/// Mixes gold (the first source) with the others at a share of `share`.
///
/// # Errors
/// [`CrowdError::Share`] for a share that is not between 0 and 1.
pub fn mix(sources: &[Source], share: f64, seed: u64) -> Result<Mixture, CrowdError> {
    if !(share > 0.0 && share < 1.0) {
        let must = "a share between 0 and 1";
        return Err(CrowdError::Share { what: "the share of gold", must, value: share });
    }
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    let mut conflicts = Vec::new();
    let mut chosen: Vec<Vec<String>> = vec![Vec::new(); sources.len()];
    for (at, source) in sources.iter().enumerate() {
        for (subject, label) in &source.labels {
            match known.get(subject.as_str()) {
                None => {
                    known.insert(subject, at);
                    chosen[at].push(subject.clone());
                }
                Some(&first) => {
                    let kept = &sources[first].labels[subject];
                    if kept != label {
                        conflicts.push(Conflict {
                            subject: subject.clone(),
                            kept: (first, kept.clone()),
                            dropped: (at, label.clone()),
                        });
                    }
                }
            }
        }
    }
    let n_gold = chosen.first().map_or(0, Vec::len);
    let n_others: usize = chosen.iter().skip(1).map(Vec::len).sum();
    let wanted = n_gold as f64 * (1.0 - share) / share;
    let mut weights = vec![1.0; sources.len()];
    if n_others as f64 > wanted {
        let quotas = proportional(&chosen[1..], wanted.round() as usize);
        for ((subjects, quota), source) in chosen.iter_mut().skip(1).zip(quotas).zip(&sources[1..]) {
            subjects.shuffle(&mut stream(seed, &format!("mix/{}", source.name)));
            subjects.truncate(quota);
            subjects.sort_unstable();
        }
    } else if n_gold > 0 && n_others > 0 {
        weights[0] = n_others as f64 / wanted;
    }
    let n_others: usize = chosen.iter().skip(1).map(Vec::len).sum();
    let of = |gold: f64| {
        let all = gold + n_others as f64;
        if all > 0.0 { gold / all } else { 0.0 }
    };
    let shares = (of(n_gold as f64), of(n_gold as f64 * weights.first().copied().unwrap_or(1.0)));
    Ok(Mixture { chosen, weights, shares, conflicts })
}

/// So many of each as its part of all (largest remainders, the first source first where they are the same).
fn proportional(sources: &[Vec<String>], total: usize) -> Vec<usize> {
    let all: usize = sources.iter().map(Vec::len).sum();
    let exact = |n: usize| n as f64 * total as f64 / all.max(1) as f64;
    let mut quotas: Vec<usize> = sources.iter().map(|s| exact(s.len()).floor() as usize).collect();
    let mut order: Vec<usize> = (0..sources.len()).collect();
    let rest = |i: usize| exact(sources[i].len()).fract();
    order.sort_by(|&a, &b| rest(b).total_cmp(&rest(a)).then(a.cmp(&b)));
    let missing = total.min(all).saturating_sub(quotas.iter().sum());
    for &i in order.iter().cycle().take(missing.min(all)) {
        quotas[i] = (quotas[i] + 1).min(sources[i].len());
    }
    quotas
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn source(name: &str, labels: &[(&str, &str)]) -> Source {
        let labels = labels.iter().map(|(s, l)| ((*s).to_owned(), (*l).to_owned())).collect();
        Source { name: name.to_owned(), labels }
    }

    fn many(name: &str, n: usize) -> Source {
        let labels = (0..n).map(|i| (format!("{name}{i}"), "x".to_owned())).collect();
        Source { name: name.to_owned(), labels }
    }

    #[test]
    fn a_tenth_of_gold() {
        let mixed = mix(&[many("gold", 20), many("planet", 300), many("star", 100)], 0.1, 1).unwrap();
        let n: Vec<usize> = mixed.chosen.iter().map(Vec::len).collect();
        assert_eq!(n, [20, 135, 45], "180 others, three to one");
        assert_eq!((mixed.shares, mixed.weights), ((0.1, 0.1), vec![1.0; 3]));
        // Too few others: the share holds by weight.
        let mixed = mix(&[many("gold", 20), many("planet", 90)], 0.1, 1).unwrap();
        assert_eq!(mixed.weights, [0.5, 1.0]);
        assert!((mixed.shares.0 - 20.0 / 110.0).abs() < 1e-15 && (mixed.shares.1 - 0.1).abs() < 1e-15);
    }

    #[test]
    fn the_first_source_wins_and_disagreement_is_told() {
        let gold = source("gold", &[("a", "Yes"), ("b", "No")]);
        let expert = source("expert", &[("a", "No"), ("b", "No"), ("c", "Yes")]);
        let mixed = mix(&[gold, expert], 0.5, 1).unwrap();
        assert_eq!(mixed.chosen, [vec!["a", "b"], vec!["c"]]);
        let conflict = Conflict {
            subject: "a".to_owned(),
            kept: (0, "Yes".to_owned()),
            dropped: (1, "No".to_owned()),
        };
        assert_eq!(mixed.conflicts, [conflict]);
    }

    #[test]
    fn shares_that_are_none_and_sources_that_are_empty() {
        for share in [0.0, 1.0, -0.1, f64::NAN] {
            assert!(mix(&[many("gold", 1)], share, 1).is_err());
        }
        assert_eq!(mix(&[], 0.1, 1).unwrap().shares, (0.0, 0.0));
        assert_eq!(mix(&[many("gold", 3)], 0.1, 1).unwrap().shares, (1.0, 1.0));
        let none = mix(&[many("gold", 0), many("star", 5)], 0.1, 1).unwrap();
        assert_eq!(none.chosen[1].len(), 0, "a tenth of nothing is gold");
    }

    proptest! {
        #[test]
        fn the_share_holds_by_weight_and_nobody_stands_twice(
            n_gold in 1_usize..40, n in proptest::collection::vec(0_usize..60, 1..4), share in 0.05..0.95_f64, seed: u64,
        ) {
            let mut sources = vec![many("gold", n_gold)];
            sources.extend(n.iter().enumerate().map(|(i, n)| many(&format!("s{i}-"), *n)));
            let mixed = mix(&sources, share, seed).unwrap();
            prop_assert_eq!(mixed.chosen[0].len(), n_gold);
            let n_others: usize = mixed.chosen[1..].iter().map(Vec::len).sum();
            if n_others > 0 {
                let gold = n_gold as f64 * mixed.weights[0];
                // Whole subjects: half of one more or less.
                let (more, less) = (gold / (gold + n_others as f64 - 0.5), gold / (gold + n_others as f64 + 0.5));
                prop_assert!(less - 1e-9 <= share && share <= more + 1e-9, "{} {}", share, mixed.shares.1);
            }
            for (chosen, source) in mixed.chosen.iter().zip(&sources) {
                prop_assert!(chosen.windows(2).all(|w| w[0] < w[1]));
                prop_assert!(chosen.iter().all(|s| source.labels.contains_key(s)));
            }
            prop_assert_eq!(mix(&sources, share, seed).unwrap(), mixed);
        }
    }
}
