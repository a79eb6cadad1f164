use proptest::prelude::*;
use volary_core::seed::stream;

use super::super::{Condition, Values, bias};
use super::*;

fn labels(name: &str, labels: impl IntoIterator<Item = String>) -> Column {
    Column { name: name.to_owned(), values: Values::Labels(labels.into_iter().map(Some).collect()) }
}

fn vote(volunteer: u32, subject: u32, is_positive: bool, is_error: bool) -> VoteCase {
    VoteCase { volunteer, subject, case: Case { is_positive, said_positive: is_positive != is_error } }
}

fn find<'a>(rates: &'a [SliceRate], label: &str, wrong: Wrong) -> &'a SliceRate {
    let is_it = |r: &&SliceRate| {
        r.wrong == wrong && matches!(&r.conditions[0], Condition::Is { label: l, .. } if l == label)
    };
    rates.iter().find(is_it).expect("the slice")
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9 * b.abs().max(1.0), "{a} is not {b}");
}

/// `cov_cluster_2groups` of statsmodels 0.15.0 (without its correction, each sum times G/(G−1)) of OLS of the errors on
/// "in the slice": 29 people, 31 subjects, 400 votes by rule.
#[test]
fn deviations_are_those_of_statsmodels() {
    let (mut votes, mut slice) = (Vec::new(), Vec::new());
    for i in 0..400_u32 {
        let (v, s) = ((i * i + i / 13) % 29, (i * 11 + i / 7) % 31);
        let at = (v / 7 + s / 10 + i / 100) % 4;
        let limit = 1 + 2 * u32::from(at == 2) + 8 * (v % 2) + 5 * (s % 2);
        votes.push(vote(v, s, true, (i * 37 + v * 5 + s * 3) % 17 < limit));
        slice.push(at.to_string());
    }
    let rates = bias_of_votes(&votes, &[labels("c", slice)], &BiasParams::default()).unwrap();
    let it = find(&rates, "2", Wrong::FalseNegative);
    assert_eq!((it.k, it.n, it.rest), (48, 92, (127, 308)));
    close(it.difference, 0.109_401_468_097_120_12);
    close(it.difference_interval.low, -0.032_644_140_476_824_46);
    close(it.difference_interval.high, 0.251_447_076_671_064_7);
    let n = 33.577_465_293_208_476;
    let wilson = wilson(it.rate * n, n, 0.95);
    close(it.interval.low, wilson.low);
    close(it.interval.high, wilson.high);
}

/// Where each person has one vote, on a subject of its own, votes are cases: the interval is Wilson's, and the test is
/// nearly that of the cases.
#[test]
fn one_vote_each_is_a_case() {
    let errors = |at: u32| at % 10 < 2 + 2 * u32::from(at >= 300);
    let votes: Vec<VoteCase> = (0..600).map(|i| vote(i, 1000 + i, false, errors(i))).collect();
    let half = || (0..600).map(|i| if i < 300 { "early" } else { "late" }.to_owned());
    let params = BiasParams::default();
    let of_votes = bias_of_votes(&votes, &[labels("c", half())], &params).unwrap();
    let cases: Vec<Case> = votes.iter().map(|v| v.case).collect();
    let of_cases = bias(&cases, &[labels("c", half())], &params).unwrap();
    let [a, b] = [&of_votes, &of_cases].map(|all| find(all, "late", Wrong::FalsePositive));
    assert_eq!((a.k, a.n, a.rest, a.rate), (b.k, b.n, b.rest, b.rate));
    // (2n/(n − 1) − 1) p(1 − p)/n, and Student's t instead of the normal one.
    let n = 300.0 * 299.0 / 301.0 * (normal_half_width(0.95) / student_half_width(299.0, 0.95)).powi(2);
    close(a.interval.low, wilson(0.4 * n, n, 0.95).low);
    assert!((a.difference_interval.low - b.difference_interval.low).abs() < 0.003);
    assert!(a.p < 1e-6 && b.p < 1e-6 && (a.p / b.p).ln().abs() < 1.0, "{} {}", a.p, b.p);
}

/// The same people with every vote told a hundred times over are not more sure.
#[test]
fn the_same_vote_again_says_nothing_new() {
    let base = |copies: u32| -> (Vec<VoteCase>, Column) {
        let all = (0..copies).flat_map(|c| (0..60).map(move |i| (i, c)));
        let votes = all.clone().map(|(i, c)| vote(i, 100 + i * 1000 + c, true, i % 3 == 0)).collect();
        (votes, labels("c", all.map(|(i, _)| (i % 2).to_string())))
    };
    let of = |copies| {
        let (votes, column) = base(copies);
        let params = BiasParams { least: 10, ..BiasParams::default() };
        find(&bias_of_votes(&votes, &[column], &params).unwrap(), "0", Wrong::FalseNegative).clone()
    };
    let (once, often) = (of(1), of(100));
    assert_eq!((often.n, once.n), (3_000, 30));
    assert!((once.interval.width() - often.interval.width()).abs() < 0.01, "{once:?} {often:?}");
    assert!((once.p - often.p).abs() < 0.01);
}

/// People with skill, subjects that are hard or not, and people who stay or do not; newcomers err `planted` more.
fn world(seed: u64, planted: f64) -> (Vec<VoteCase>, Vec<Column>) {
    let mut rng = stream(seed, "votes bias test");
    let hard: Vec<f64> = (0..150).map(|_| if rng.random::<f64>() < 0.3 { 0.25 } else { 0.0 }).collect();
    let (mut votes, mut experience, mut side) = (Vec::new(), Vec::new(), Vec::new());
    for volunteer in 0..60 {
        let skill = rng.random::<f64>() * 0.2;
        let n = (15.0 * (2.5 * rng.random::<f64>()).exp()) as u32;
        for before in 0..n {
            let subject = rng.random_range(0..hard.len());
            let is_new = before < 20;
            let chance = 0.05 + skill + hard[subject] + if is_new { planted } else { 0.0 };
            votes.push(vote(volunteer, subject as u32, subject % 2 == 0, rng.random::<f64>() < chance));
            experience.push(f64::from(before));
            side.push(rng.random_range(0..3_u8).to_string());
        }
    }
    let experience = Column { name: "experience".to_owned(), values: Values::Numbers(experience) };
    (votes, vec![experience, labels("side", side)])
}

#[test]
fn newcomers_who_err_more_are_found_and_nothing_where_nobody_does() {
    const N: u32 = 200;
    let (mut n_found, mut n_false, mut n_other, mut n_naive) = (0, 0, 0, 0);
    let params = BiasParams::default();
    for seed in 0..u64::from(N) {
        let (votes, columns) = world(seed, 0.0);
        let is_any = |rates: Vec<SliceRate>| rates.iter().any(|r| r.is_flagged);
        n_false += u32::from(is_any(bias_of_votes(&votes, &columns, &params).unwrap()));
        let cases: Vec<Case> = votes.iter().map(|v| v.case).collect();
        n_naive += u32::from(is_any(bias(&cases, &columns, &params).unwrap()));
        let (votes, columns) = world(seed, 0.15);
        let rates = bias_of_votes(&votes, &columns, &params).unwrap();
        let of = |r: &SliceRate, name: &str| match &r.conditions[0] {
            Condition::Range { column, low, .. } => column == name && *low < 1.0 && r.difference > 0.0,
            Condition::Is { column, .. } => column == name,
        };
        n_found += u32::from(rates.iter().any(|r| r.is_flagged && of(r, "experience")));
        n_other += u32::from(rates.iter().any(|r| r.is_flagged && of(r, "side")));
    }
    println!(
        "of {N}: newcomers found {n_found}, reported where there is nothing {n_false} (votes as cases: {n_naive}), another column beside it {n_other}"
    );
    assert!(n_found >= 190, "{n_found}");
    assert!(n_false <= 19 && n_other <= 19, "{n_false} {n_other}");
}

#[test]
fn the_interval_holds_the_planted_difference() {
    const N: u32 = 400;
    let (mut held, mut n_small) = (0, 0);
    for seed in 0..u64::from(N) {
        let (votes, columns) = world(seed, 0.15);
        let Values::Numbers(experience) = &columns[0].values else { unreachable!() };
        let side = experience.iter().map(|n| if *n < 20.0 { "new" } else { "not" }.to_owned());
        let rates = bias_of_votes(&votes, &[labels("who", side)], &BiasParams::default()).unwrap();
        let new = find(&rates, "new", Wrong::FalseNegative);
        held += u32::from(new.difference_interval.contains(0.15));
        n_small += u32::from(new.p < 0.05);
    }
    println!("of {N}: the interval held the difference in {held}; p below 0.05 in {n_small}");
    // 95 % with a margin of three standard errors on either side.
    assert!((367..=393).contains(&held), "{held}");
}

#[test]
fn what_would_say_something_of_one_person_is_not_looked_at() {
    let votes: Vec<VoteCase> = (0..900).map(|i| vote(i % 9, i, true, i % 2 == 0)).collect();
    let column = labels("c", (0..900).map(|i| (i % 2).to_string()));
    assert!(bias_of_votes(&votes, &[column], &BiasParams::default()).unwrap().is_empty());
    let short = labels("c", ["a".to_owned()]);
    assert!(bias_of_votes(&votes, &[short], &BiasParams::default()).is_err());
}

proptest! {
    #[test]
    fn a_rate_lies_in_its_interval(
        votes in prop::collection::vec((0_u32..40, 0_u32..40, any::<bool>(), any::<bool>(), 0_u8..3), 0..400),
    ) {
        let column = labels("c", votes.iter().map(|v| v.4.to_string()));
        let cases: Vec<VoteCase> = votes.iter().map(|v| vote(v.0, v.1, v.2, v.3)).collect();
        let params = BiasParams { least: 1, ..BiasParams::default() };
        for r in bias_of_votes(&cases, &[column], &params).unwrap() {
            prop_assert!(r.interval.contains(r.rate) && (0.0..=1.0).contains(&r.shrunk), "{r:?}");
            prop_assert!(r.difference_interval.contains(r.difference), "{r:?}");
            prop_assert!((0.0..=1.0).contains(&r.p) && r.p <= r.q + 1e-12 && r.q <= 1.0, "{r:?}");
        }
    }
}
