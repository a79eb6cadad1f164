//! How far a group of people agrees, and how sure that is when each of them has many votes.
//!
//! Votes of one person are alike, so that a thousand votes of ten people say less than a thousand votes of a
//! thousand. The share is Σk/Σn over the people; its variance is that of a ratio over clusters (Cochran 1977,
//! eq. 6.13), and its interval is Wilson's at the number of independent votes that would have this
//! variance, made smaller for the few people that it was estimated from (Korn & Graubard 1998, Survey
//! Methodology 24:193). What people agree with is decided elsewhere ([`mod@crate::volunteers`]).

use crate::interval::{Interval, normal_half_width, student_half_width, wilson};

/// A share over a group of people.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupShare {
    /// People with a vote.
    pub n_people: u64,
    /// Their votes.
    pub n: u64,
    /// Those that agree.
    pub k: u64,
    /// k/n.
    pub share: f64,
    /// Independent votes that would be as sure; between 1 and n.
    pub n_effective: f64,
    /// Wilson's interval at that number.
    pub interval: Interval,
}

/// The share of a group whose people have `(k, n)` each, at a level (0.95, say). People without votes are no
/// part of it; `None` where nobody has any.
///
/// Where all agree, or nobody does, nothing is seen of how people differ: each of them counts as one vote.
#[must_use]
pub fn group_share(people: impl IntoIterator<Item = (u64, u64)>, level: f64) -> Option<GroupShare> {
    let people: Vec<(f64, f64)> =
        people.into_iter().filter(|(_, n)| *n > 0).map(|(k, n)| (k.min(n) as f64, n as f64)).collect();
    let m = people.len() as f64;
    let (k, n) = people.iter().fold((0.0, 0.0), |(k, n), one| (k + one.0, n + one.1));
    if people.is_empty() {
        return None;
    }
    let share = k / n;
    let spread: f64 = people.iter().map(|(k, n)| (k - share * n).powi(2)).sum();
    let n_effective = if k <= 0.0 || k >= n || people.len() == 1 {
        m
    } else {
        let variance = m / (m - 1.0) * spread / (n * n);
        let few = normal_half_width(level) / student_half_width(m - 1.0, level);
        share * (1.0 - share) / variance.max(f64::MIN_POSITIVE) * few * few
    };
    let n_effective = n_effective.clamp(1.0, n);
    Some(GroupShare {
        n_people: people.len() as u64,
        n: n as u64,
        k: k as u64,
        share,
        n_effective,
        interval: wilson(share * n_effective, n_effective, level),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use volary_core::seed::stream;

    use super::*;

    #[test]
    fn one_vote_each_is_nearly_a_plain_share() {
        // Σ(k − pn)² = m p(1 − p): the variance is p(1 − p)/(m − 1).
        let people = (0..400).map(|i| (u64::from(i % 4 == 0), 1));
        let found = group_share(people, 0.95).unwrap();
        let few = (normal_half_width(0.95) / student_half_width(399.0, 0.95)).powi(2);
        assert!((found.n_effective - 399.0 * few).abs() < 1e-9, "{found:?}");
        assert_eq!((found.k, found.n, found.n_people, found.share), (100, 400, 400, 0.25));
    }

    #[test]
    fn votes_of_one_person_that_are_all_the_same_are_one_vote() {
        let many = group_share((0..40).map(|i| if i % 2 == 0 { (500, 500) } else { (0, 500) }), 0.95);
        let one = group_share((0..40).map(|i| (u64::from(i % 2 == 0), 1)), 0.95);
        let (many, one) = (many.unwrap(), one.unwrap());
        assert!((many.n_effective - one.n_effective).abs() < 1e-9);
        assert_eq!((many.n, one.n), (20_000, 40));
        assert!((many.interval.low - one.interval.low).abs() < 1e-12);
        // All agree: as sure as the people are many, and not as the votes are.
        assert_eq!(group_share((0..12).map(|_| (90, 90)), 0.95).unwrap().n_effective, 12.0);
        assert_eq!(group_share([(0, 0)], 0.95), None);
        assert_eq!(group_share([(3, 7)], 0.95).unwrap().n_effective, 1.0);
    }

    /// People differ, and some vote much: the interval holds the truth as often as it says, where that of
    /// independent votes does not.
    #[test]
    fn the_interval_holds_a_known_share() {
        let mut rng = stream(7, "groups");
        let (mut held, mut naive) = (0, 0);
        const N: u32 = 2_000;
        for _ in 0..N {
            let people: Vec<(u64, u64)> = (0..25)
                .map(|_| {
                    let p = if rng.random::<f64>() < 0.5 { 0.9 } else { 0.5 };
                    let n = 20 + (rng.random::<f64>() * 80.0) as u64;
                    ((0..n).filter(|_| rng.random::<f64>() < p).count() as u64, n)
                })
                .collect();
            let found = group_share(people.iter().copied(), 0.95).unwrap();
            held += u32::from(found.interval.contains(0.7));
            naive += u32::from(wilson(found.k as f64, found.n as f64, 0.95).contains(0.7));
        }
        let (held, naive) = (f64::from(held) / f64::from(N), f64::from(naive) / f64::from(N));
        assert!(held > 0.93 && held < 0.985, "{held}");
        assert!(naive < 0.6, "{naive}");
    }

    proptest! {
        #[test]
        fn a_share_lies_in_its_interval(people in prop::collection::vec((0_u64..50, 0_u64..50), 1..60)) {
            let people: Vec<(u64, u64)> = people.into_iter().map(|(k, n)| (k.min(n), n)).collect();
            let Some(found) = group_share(people.iter().copied(), 0.95) else {
                prop_assert!(people.iter().all(|(_, n)| *n == 0));
                return Ok(());
            };
            prop_assert!(found.interval.contains(found.share), "{found:?}");
            prop_assert!(found.n_effective >= 1.0 && found.n_effective <= found.n as f64);
            prop_assert_eq!(found.k, people.iter().map(|(k, _)| k).sum::<u64>());
        }
    }
}
