use super::*;
use crate::skill::testing::{accuracy, ballots, honest, on_threads, rows};

#[test]
fn the_bound_never_falls() {
    let ballots = ballots(&honest(400, 30, 3, 2));
    let bound =
        |max_rounds| Ibcc { max_rounds, tolerance: 0.0, ..Ibcc::default() }.fit(&ballots).log_likelihood;
    let bounds: Vec<f64> = (1..15).map(bound).collect();
    for pair in bounds.windows(2) {
        assert!(pair[1] >= pair[0] - 1e-8 * pair[0].abs(), "{bounds:?}");
    }
    // It bounds the evidence of one vote from below: log ½ for two equal classes and a prior that is
    // even in labels.
    let one = Ibcc { diagonal: Some(1.0), ..Ibcc::default() }.fit(&rows(&[(0, 0, 1)], 2));
    assert!(one.log_likelihood <= 0.5_f64.ln() + 1e-12, "{}", one.log_likelihood);
}

#[test]
fn one_round_by_hand() {
    // One volunteer, two items, votes 0 and 1, start at the votes. Soft counts are the identity; rows
    // Dirichlet(1 + 2, 1), prevalence Dirichlet(2, 2).
    let found = Ibcc { max_rounds: 1, ..Ibcc::default() }.fit(&rows(&[(0, 0, 0), (1, 0, 1)], 2));
    let (hit, miss) = (digamma(3.0) - digamma(4.0), digamma(1.0) - digamma(4.0));
    let expected = 1.0 / (1.0 + (miss - hit).exp());
    assert!((found.of_item(0)[0] - expected).abs() < 1e-12);
    assert!((found.of_item(1)[1] - expected).abs() < 1e-12);
}

#[test]
fn the_exponential_of_digamma_is_that() {
    for x in [0.01, 0.1, 0.5, 1.0, 1.5, 2.0, 7.3, 9.999, 10.0, 123.4, 1e6, 1e12] {
        let (found, expected) = (exp_digamma(x), digamma(x).exp());
        assert!((found / expected - 1.0).abs() < 1e-13, "{x}: {found} is not {expected}");
    }
    // exp(−γ).
    assert!((exp_digamma(1.0) - 0.561_459_483_566_885_2).abs() < 1e-15);
    assert_eq!(exp_digamma(1e-9), f64::MIN_POSITIVE);
}

#[test]
fn intervals_of_every_cell_cover() {
    let (mut hits, mut n) = (0_u32, 0_u32);
    for seed in 0..8 {
        let crowd = honest(1_200, 50, 3, 40 + seed);
        let found = Ibcc::default().fit(&ballots(&crowd));
        assert!(accuracy(&found.posterior, &crowd.true_class) > 0.94);
        for w in 0..50 {
            let dirichlet = found.matrices.dirichlet(w);
            for at in 0..9 {
                let row = &dirichlet[at / 3 * 3..at / 3 * 3 + 3];
                let cell = Matrices::cell(row, at % 3, 0.95);
                hits += u32::from(cell.interval.contains(crowd.confusion[w * 9 + at]));
                n += 1;
            }
        }
    }
    let coverage = f64::from(hits) / f64::from(n);
    eprintln!("coverage of the cells of IBCC: {coverage:.3}");
    assert!((0.90..=0.99).contains(&coverage), "{coverage}");
}

#[test]
fn edges_and_threads() {
    assert!(Ibcc::default().fit(&Ballots::default()).posterior.is_empty());
    assert_eq!(Ibcc::default().fit(&rows(&[(0, 0, 0)], 1)).posterior, [1.0]);
    let many: Vec<(u32, u32, u32)> = (0..4_000).map(|w| (0, w, u32::from(w % 3 == 0))).collect();
    let found = Ibcc::default().fit(&rows(&many, 2));
    assert!(found.of_item(0)[0] > 0.999 && found.log_likelihood.is_finite());
    let ballots = ballots(&honest(3_000, 200, 3, 5));
    let run = |n| on_threads(n, || Ibcc { max_rounds: 10, ..Ibcc::default() }.fit(&ballots));
    assert_eq!(run(1), run(3));
}
