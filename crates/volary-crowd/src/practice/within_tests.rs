use rand::RngExt as _;
use volary_core::seed::stream;

use super::*;

/// Fourteen people of thirty votes; better in the state, worse with the flag.
fn crowd() -> (Vec<Vote>, Vec<f64>) {
    let (mut votes, mut flags) = (Vec::new(), Vec::new());
    for i in 0..420_u64 {
        let volunteer = i / 30;
        let is_inside = (i * 7 + volunteer) % 3 == 0;
        let flag = (i / 2 % 2) as f64;
        let draw = (i * 2_654_435_761 % 4_294_967_296) as f64 / 4_294_967_296.0;
        let p = 0.45 + 0.02 * volunteer as f64 + if is_inside { 0.15 } else { 0.0 } - 0.1 * flag;
        votes.push(Vote { volunteer: volunteer as u32, is_right: draw < p, is_inside });
        flags.push(flag);
    }
    (votes, flags)
}

/// `statsmodels` 0.15.0: `Logit` with a dummy a person, `cov_type="cluster"` without its correction, times
/// √(14/13); the difference by `OLS` in the same way.
#[test]
fn it_is_that_of_statsmodels() {
    let (votes, flags) = crowd();
    let effect = effect(&votes, &[flags], 0.95).unwrap();
    let near =
        |ours: f64, theirs: f64| assert!((ours - theirs).abs() < 1e-6, "{ours}, statsmodels {theirs}");
    near(effect.odds_ratio, 2.062_386_477_945_98);
    near(effect.difference, 0.164_285_714_285_714);
    let t = StudentsT::new(0.0, 1.0, 13.0).unwrap().inverse_cdf(0.975);
    near((effect.odds_ratio_interval.high / effect.odds_ratio).ln() / t, 0.181_008_242_106_631);
    near((effect.difference_interval.high - effect.difference) / t, 0.039_324_904_799_019);
    assert_eq!((effect.n_strata, effect.n_inside + effect.n_outside), (14, 420));
}

/// Two people of whom one gains and one does not, symmetrical: half of all votes are right, so that by symmetry the
/// common chances are 1/2 ± 1/8, and the odds ratio is (5/3)².
#[test]
fn two_plain_tables() {
    let mut votes = Vec::new();
    let tables = [[30, 10, 10, 30], [20, 20, 20, 20]];
    for (volunteer, [a, b, c, d]) in (0..).zip(tables) {
        for (is_inside, is_right, n) in
            [(true, true, a), (true, false, b), (false, true, c), (false, false, d)]
        {
            votes.extend(vec![Vote { volunteer, is_right, is_inside }; n]);
        }
    }
    let found = effect(&votes, &[], 0.95).unwrap();
    assert!((found.odds_ratio - 25.0 / 9.0).abs() < 1e-6, "{found:?}");
    assert!((found.difference - 0.25).abs() < 1e-6, "{found:?}");
    // Somebody who is always right says nothing of odds, and halves the points.
    for is_inside in [true, false] {
        votes.extend(vec![Vote { volunteer: 7, is_right: true, is_inside }; 80]);
    }
    let more = effect(&votes, &[], 0.95).unwrap();
    assert!((more.odds_ratio - 25.0 / 9.0).abs() < 1e-6, "{more:?}");
    assert!((more.difference - 0.125).abs() < 1e-6, "{more:?}");
    assert_eq!((more.n_strata, more.n_inside), (3, 160));
}

#[test]
fn nothing_to_compare() {
    let vote = |volunteer, is_right, is_inside| Vote { volunteer, is_right, is_inside };
    assert_eq!(effect(&[], &[], 0.95), None);
    // Nobody has both states; all are right.
    let apart: Vec<Vote> = (0..40).map(|i| vote(i % 4, i % 3 == 0, i % 2 == 0)).collect();
    assert_eq!(effect(&apart, &[], 0.95), None);
    let right: Vec<Vote> = (0..40).map(|i| vote(i % 4, true, i % 3 == 0)).collect();
    assert_eq!(effect(&right, &[], 0.95), None);
    // The state is what goes along with it.
    let mut rng = stream(3, "practice within");
    let votes: Vec<Vote> = (0..400).map(|i| vote(i % 8, rng.random(), i >= 200)).collect();
    let along = votes.iter().map(|v| f64::from(u8::from(v.is_inside))).collect();
    assert_eq!(effect(&votes, &[along], 0.95), None);
}

/// Natural splines: the second differences beyond the outer knots are nothing.
#[test]
fn curves_are_straight_at_their_ends() {
    let x: Vec<f64> = (0..=200).map(f64::from).collect();
    let columns = spline(&x);
    assert_eq!(columns.len(), 3);
    for column in &columns {
        let bend = |i: usize| column[i] - 2.0 * column[i + 1] + column[i + 2];
        assert!((0..8).chain(191..199).all(|i| bend(i).abs() < 1e-9));
    }
    assert!(columns[1..].iter().all(|c| (c[100] - 2.0 * c[101] + c[102]).abs() > 1e-7));
    assert!(spline(&[1.0; 9]).is_empty() && spline(&[]).is_empty());
    assert_eq!(spline(&[0.0, 1.0, 1.0, 0.0]).len(), 1);
}
