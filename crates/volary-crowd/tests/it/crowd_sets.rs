//! Every model on every set: posteriors, likelihoods, rounds and right answers of the reference.

use volary_crowd::skill::dawid_skene::{DawidSkene, Variant};
use volary_crowd::skill::glad::Glad;
use volary_crowd::skill::ibcc::Ibcc;
use volary_crowd::skill::mace::Mace;
use volary_crowd::skill::weighted::Weighted;
use volary_crowd::skill::{Fit, Model};

use crate::golden::{GOLDEN, Golden};
use crate::sets;

fn model(method: &str) -> Option<Model> {
    let ds = |variant| DawidSkene::new(variant);
    Some(match method {
        "ds" => Model::DawidSkene(ds(Variant::Ml)),
        "ds20" => Model::DawidSkene(DawidSkene { max_rounds: 20, tolerance: 0.0, ..ds(Variant::Ml) }),
        "ds_map" => Model::DawidSkene(ds(Variant::Map)),
        "ds_pool" => Model::DawidSkene(ds(Variant::Shrunk)),
        "onecoin" => {
            Model::DawidSkene(DawidSkene { coin: (0.0, 0.0), max_rounds: 100, ..ds(Variant::OneCoin) })
        }
        "onecoin_map" => Model::DawidSkene(ds(Variant::OneCoin)),
        "ibcc" => Model::Ibcc(Ibcc::default()),
        "wawa" => Model::Weighted(Weighted { floor: None, ..Weighted::default() }),
        "iwmv" => Model::Weighted(Weighted { floor: None, iterated: true, ..Weighted::default() }),
        "glad" => Model::Glad(Glad::default()),
        "mace" => Model::Mace(Mace::default()),
        _ => return None,
    })
}

fn close(what: &str, golden: &Golden, actual: f64, expected: f64, tolerance: f64) {
    let (set, method) = (golden.set, golden.method);
    assert!((actual - expected).abs() <= tolerance, "{set} {method} {what}: {actual} for {expected}");
}

fn each(methods: &[&str], check: impl Fn(&Golden, &Fit, usize)) {
    for golden in GOLDEN.iter().filter(|g| methods.contains(&g.method)) {
        let Some(set) = sets::read(golden.set) else { return };
        assert_eq!(set.n_truth, golden.n, "{}", golden.set);
        let fit = model(golden.method).unwrap().fit(&set.ballots);
        check(golden, &fit, set.n_correct(&fit.posterior));
    }
}

#[test]
fn matrix_models_equal_the_reference() {
    each(
        &["ds", "ds20", "ds_map", "ds_pool", "onecoin", "onecoin_map", "ibcc"],
        |golden, fit, correct| {
            let n = fit.posterior.len() / golden.middle.len();
            let sum: f64 = (0_u32..).zip(&fit.posterior).map(|(i, p)| f64::from(i).sin() * p).sum();
            close("checksum", golden, sum, golden.checksum, 1e-6);
            for (p, expected) in fit.of_item(n / 2).iter().zip(golden.middle) {
                close("posterior", golden, *p, *expected, 1e-8);
            }
            assert_eq!(correct, golden.correct, "{} {}", golden.set, golden.method);
            assert!(fit.history.len().abs_diff(golden.rounds) <= 1, "{} {}", golden.set, golden.method);
            if golden.log_likelihood.is_finite() {
                let ll = golden.log_likelihood;
                close("log-likelihood", golden, fit.log_likelihood, ll, 1e-9 * ll.abs());
            }
        },
    );
}

#[test]
fn the_likelihood_never_falls() {
    for name in ["bluebirds", "cf", "dog", "labelme", "rte", "sp_amt", "temp", "web"] {
        let Some(set) = sets::read(name) else { return };
        for variant in [Variant::Ml, Variant::Map, Variant::OneCoin, Variant::Hard] {
            let fit = DawidSkene { coin: (0.0, 0.0), ..DawidSkene::new(variant) }.fit(&set.ballots);
            for pair in fit.history.windows(2) {
                // One coin's maximum-likelihood step is exact; rounding is all that may show.
                let slack = 1e-11 * pair[0].abs();
                assert!(pair[1] >= pair[0] - slack, "{name} {variant:?}: {} after {}", pair[1], pair[0]);
            }
        }
    }
}

#[test]
fn weighted_votes_and_glad_find_as_many() {
    each(&["wawa", "iwmv"], |golden, _, correct| {
        assert_eq!(correct, golden.correct, "{} {}", golden.set, golden.method);
    });
    each(&["glad"], |golden, fit, correct| {
        assert_eq!(correct, golden.correct, "{} {}", golden.set, golden.method);
        close("log-likelihood", golden, fit.log_likelihood, golden.log_likelihood, 0.05);
    });
}

#[test]
fn mace_finds_as_likely_an_answer() {
    each(&["mace"], |golden, fit, correct| {
        // Other random starts: the best of ten may be better, and may not be clearly worse.
        let per_item = (fit.log_likelihood - golden.log_likelihood) / fit.posterior.len() as f64;
        assert!(
            per_item > -2e-3,
            "{}: {} for {}",
            golden.set,
            fit.log_likelihood,
            golden.log_likelihood
        );
        let (accuracy, expected) =
            (correct as f64 / golden.n as f64, golden.correct as f64 / golden.n as f64);
        assert!(accuracy > expected - 0.01, "{}: {accuracy} for {expected}", golden.set);
    });
}
