use proptest::prelude::*;

use super::gaussian::{binary_mode, sigmoid_moments};
use super::*;
use crate::acquisition::uncertainty;
use crate::draws::normal;
use crate::{golden_lcg, lcg};

const MODEL: &str = "zoobot-3f2a";

fn params(dimension: usize, n_classes: usize, method: Method) -> LearnerParams {
    LearnerParams { embedding: MODEL.into(), dimension, n_classes, method, actor_cap: None }
}

fn learner(dimension: usize, n_classes: usize) -> Learner {
    Learner::new(params(dimension, n_classes, Method::default())).unwrap()
}

fn x(values: &[f64]) -> Embedding<'_> {
    Embedding { model: MODEL, values }
}

fn label<'a>(values: &'a [f64], p_class: &'a [f64]) -> Label<'a> {
    Label { x: x(values), p_class, weight: 1.0, actor: None }
}

fn hard(is_second: bool) -> &'static [f64] {
    if is_second { &[0.0, 1.0] } else { &[1.0, 0.0] }
}

/// The stream of `tests/golden/golden.py`.
pub(crate) fn labelled(n: usize, dimension: usize, seed: u64) -> Vec<(Vec<f64>, bool)> {
    let mut u = golden_lcg(seed);
    (0..n)
        .map(|_| {
            let x: Vec<f64> = u.by_ref().take(dimension).map(|u| 2.0 * u - 1.0).collect();
            let p = 1.0 / (1.0 + (-(3.0 * x[0] - 2.0 * x[1] + 0.5)).exp());
            let y = u.next().unwrap() < p;
            (x, y)
        })
        .collect()
}

#[test]
fn descent_is_that_of_river() {
    let golden = crate::golden();
    assert_eq!(golden["river"], "0.26.1");
    for case in golden["logistic"].as_array().unwrap() {
        let of = |name: &str| case[name].as_f64().unwrap();
        let method = Method::Descent {
            rate: of("rate"),
            intercept_rate: of("intercept_rate"),
            l2: of("l2"),
            clip: of("clip"),
        };
        let mut learner = Learner::new(params(6, 2, method)).unwrap();
        let mut weights = golden_lcg(99);
        let mut probabilities = Vec::new();
        let mut n_clipped = 0;
        for (at, (values, y)) in (1..).zip(labelled(400, 6, 7)) {
            probabilities.push(learner.predict(&x(&values)).unwrap().p_class[1]);
            let weight = if case["is_weighted"] == true { 2.0 * weights.next().unwrap() } else { 1.0 };
            let label = Label { weight, ..label(&values, hard(y)) };
            n_clipped += u32::from(learner.learn(at, &label).unwrap().is_clipped);
        }
        assert_eq!(n_clipped > 50, case["name"] == "clipped and weighted", "{n_clipped}");
        let expected: Vec<f64> =
            case["weights"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
        for (found, expected) in learner.weights().iter().zip(expected.iter().chain([&of("intercept")]))
        {
            assert!((found - expected).abs() < 1e-9, "{}: {found} for {expected}", case["name"]);
        }
        for (at, expected) in case["probabilities"].as_array().unwrap().iter().enumerate() {
            assert!((probabilities[at * 20] - expected.as_f64().unwrap()).abs() < 1e-9);
        }
        assert!(learner.predict(&x(&[0.0; 6])).unwrap().sd.is_none());
    }
}

#[test]
fn the_mode_of_one_activation_is_where_nothing_is_higher() {
    for (mu, s2, y, c) in [
        (0.0, 1.0, 1.0, 1.0),
        (-3.0, 4.0, 1.0, 1.0),
        (5.0, 100.0, 0.0, 3.0),
        (0.2, 1e6, 0.3, 1.0),
        (0.0, 1e-6, 1.0, 2.0),
    ] {
        let log = |a: f64| {
            -(a - mu) * (a - mu) / (2.0 * s2)
                - c * (y * (-a).exp().ln_1p() + (1.0 - y) * a.exp().ln_1p())
        };
        let (mode, variance) = binary_mode(mu, s2, y, c);
        let step = 1e-4 * s2.sqrt();
        assert!(
            log(mode) >= log(mode + step) && log(mode) >= log(mode - step),
            "{mu} {s2} {y} {c}: {mode}"
        );
        let wide = 1e-2 * s2.sqrt().min(1.0);
        let curvature = (log(mode + wide) - 2.0 * log(mode) + log(mode - wide)) / (wide * wide);
        assert!((-1.0 / curvature / variance - 1.0).abs() < 1e-3, "{mu} {s2}: {variance}");
        assert!(variance <= s2);
    }
}

#[test]
fn means_over_the_posterior_are_those_of_fine_sums() {
    for mu in [-4.0, 0.0, 1.5] {
        for s in [0.01, 1.0, 3.0] {
            let (mut total, mut mean, mut square) = (0.0, 0.0, 0.0);
            for at in -90_000..=90_000 {
                let z = f64::from(at) / 1e4;
                let (density, p) = ((-0.5 * z * z).exp(), 1.0 / (1.0 + (-(mu + s * z)).exp()));
                total += density;
                mean += density * p;
                square += density * p * p;
            }
            let (mean, square) = (mean / total, square / total);
            let (found, sd) = sigmoid_moments(mu, s);
            assert!((found - mean).abs() < 1e-9, "{mu} {s}: {found} for {mean}");
            assert!((sd - (square - mean * mean).sqrt()).abs() < 1e-6, "{mu} {s}: {sd}");
        }
    }
    assert!((sigmoid_moments(0.0, 50.0).0 - 0.5).abs() < 1e-12);
}

#[test]
fn two_classes_as_softmax_move_as_the_logistic_does() {
    // Two rows with half the prior variance each: their difference has that of the single row.
    let mut one = learner(3, 2);
    let method = Method::Gaussian { l2: 2.0, keep: 1.0, most_logits: 10.0 };
    let mut two = Learner::new(params(3, 3, method)).unwrap();
    // A third class that is never likely: its intercept is far down and narrow.
    two.mean[2 * 4 + 3] = -60.0;
    let values = [0.5, -1.0, 2.0];
    one.learn(1, &label(&values, &[0.2, 0.8])).unwrap();
    two.learn(1, &label(&values, &[0.2, 0.8, 0.0])).unwrap();
    for at in 0..4 {
        let difference = two.mean[4 + at] - two.mean[at];
        assert!((difference - one.mean[at]).abs() < 1e-9, "{at}: {difference} for {}", one.mean[at]);
    }
}

#[test]
fn the_covariance_of_several_activations_is_the_inverse_of_the_curvature() {
    let mut three = learner(1, 3);
    three.learn(1, &Label { weight: 2.5, ..label(&[0.7], &[0.1, 0.6, 0.3]) }).unwrap();
    // By hand: prior variance of an activation 1 + 0.49, curvature at the mode, inverted by cofactors.
    let s2: f64 = 1.49;
    let a: Vec<f64> = (0..3).map(|row| three.mean[2 * row] * 0.7 + three.mean[2 * row + 1]).collect();
    let p = probabilities(&a);
    for (k, y) in [0.1, 0.6, 0.3].into_iter().enumerate() {
        assert!((a[k] / s2 - 2.5 * (y - p[k])).abs() < 1e-9, "the mode");
    }
    let h =
        |i: usize, j: usize| f64::from(u8::from(i == j)) * (1.0 / s2 + 2.5 * p[i]) - 2.5 * p[i] * p[j];
    let minor = |i: usize| {
        let [a, b] = match i {
            0 => [1, 2],
            1 => [0, 2],
            _ => [0, 1],
        };
        h(a, a) * h(b, b) - h(a, b) * h(b, a)
    };
    let determinant = h(0, 0) * minor(0) - h(0, 1) * (h(1, 0) * h(2, 2) - h(1, 2) * h(2, 0))
        + h(0, 2) * (h(1, 0) * h(2, 1) - h(1, 1) * h(2, 0));
    for k in 0..3 {
        let after = minor(k) / determinant;
        let expected = 1.0 + (1.0 / s2).powi(2) * (after - s2);
        assert!((three.variance[2 * k + 1] - expected).abs() < 1e-9, "the intercept's variance");
    }
}

#[test]
fn weights_are_found_again_and_the_errors_are_as_stated() {
    let mut rng = volary_core::seed::stream(6, "learner");
    let truth = [1.5, -2.0, 0.0, 0.7, 0.0, -0.4];
    let mut z = Vec::new();
    for _ in 0..20 {
        let method = Method::Gaussian { l2: 0.1, keep: 1.0, most_logits: 10.0 };
        let mut learner = Learner::new(params(5, 2, method)).unwrap();
        for at in 1..=3_000 {
            let values: Vec<f64> = (0..5).map(|_| normal(&mut rng)).collect();
            let p = sigmoid(dot(&truth[..5], &values) + truth[5]);
            let y = rand::RngExt::random::<f64>(&mut rng) < p;
            learner.learn(at, &label(&values, hard(y))).unwrap();
        }
        z.extend((0..6).map(|i| (learner.mean[i] - truth[i]) / learner.variance[i].sqrt()));
    }
    let squares = z.iter().map(|z| z * z).sum::<f64>() / z.len() as f64;
    assert!(z.iter().all(|z| z.abs() < 4.5) && (0.6..1.9).contains(&squares), "{squares} {z:?}");
}

#[test]
fn more_classes_are_found_again() {
    let mut learner = learner(2, 3);
    let mut rng = volary_core::seed::stream(6, "learner classes");
    let centres = [[2.0, 0.0], [-1.0, 1.7], [-1.0, -1.7]];
    let mut right = 0;
    for at in 1..=2_000_u64 {
        let class = (at % 3) as usize;
        let values: Vec<f64> = centres[class].iter().map(|c| c + normal(&mut rng)).collect();
        let p = learner.predict(&x(&values)).unwrap();
        assert!(
            (p.p_class.iter().sum::<f64>() - 1.0).abs() < 1e-9 && p.sd.unwrap().iter().all(|s| *s < 0.5)
        );
        let best = (0..3).max_by(|a, b| p.p_class[*a].total_cmp(&p.p_class[*b])).unwrap();
        right += u32::from(at > 1_000 && best == class);
        let mut target = [0.0; 3];
        target[class] = 1.0;
        learner.learn(at, &label(&values, &target)).unwrap();
    }
    // Nearest centre is right in 91 of 100.
    assert!(right > 880, "{right} of 1,000");
}

#[test]
fn what_cannot_be_learnt_is_refused_and_changes_nothing() {
    let mut learner = learner(2, 2);
    learner.learn(5, &label(&[0.1, 0.2], hard(true))).unwrap();
    let before = learner.to_bytes();
    let other = Embedding { model: "another", values: &[0.1, 0.2] };
    let refused = |learner: &mut Learner, at, label: &Label<'_>| learner.learn(at, label).unwrap_err();
    let l = &mut learner;
    assert!(matches!(
        refused(l, 6, &label(&[f64::NAN, 0.0], hard(true))),
        LearnerError::NotFinite { at: 0, .. }
    ));
    assert!(matches!(
        refused(l, 6, &label(&[0.0, f64::INFINITY], hard(true))),
        LearnerError::NotFinite { at: 1, .. }
    ));
    assert!(matches!(refused(l, 6, &label(&[0.0, 1e300], hard(true))), LearnerError::NotFinite { .. }));
    assert!(matches!(
        refused(l, 6, &label(&[0.0], hard(true))),
        LearnerError::Dimension { found: 1, expected: 2 }
    ));
    let foreign = Label { x: other, ..label(&[0.1, 0.2], hard(true)) };
    assert!(matches!(refused(l, 6, &foreign), LearnerError::Embedding { .. }));
    for bad in [&[0.5, 0.6][..], &[1.0], &[f64::NAN, 1.0], &[-0.5, 1.5], &[]] {
        assert!(matches!(refused(l, 6, &label(&[0.1, 0.2], bad)), LearnerError::Label { .. }));
    }
    for weight in [-1.0, f64::NAN, f64::INFINITY] {
        let bad = Label { weight, ..label(&[0.1, 0.2], hard(true)) };
        assert!(matches!(refused(l, 6, &bad), LearnerError::Weight(_)));
    }
    for at in [5, 1, 0] {
        let again = refused(l, at, &label(&[0.1, 0.2], hard(true)));
        assert_eq!(again, LearnerError::Cursor { at, cursor: 5 });
    }
    assert_eq!(learner.to_bytes(), before);
    assert!(learner.predict(&other).is_err() && learner.posterior(2, 1).probabilities(&other).is_err());
    let message = learner.predict(&x(&[0.0, f64::NAN])).unwrap_err().to_string();
    assert!(message.starts_with("entry 1 of the embedding is NaN;"), "{message}");
}

#[test]
fn settings_that_are_none_are_refused() {
    let gaussian = |l2, keep, most_logits| Method::Gaussian { l2, keep, most_logits };
    let descent = |rate, l2, clip| Method::Descent { rate, intercept_rate: 0.01, l2, clip };
    for method in [
        gaussian(0.0, 1.0, 1.0),
        gaussian(1.0, 0.0, 1.0),
        gaussian(1.0, 1.1, 1.0),
        gaussian(1.0, 1.0, f64::NAN),
        descent(0.0, 0.0, 1.0),
        descent(0.1, -1.0, 1.0),
        descent(0.1, 0.0, 0.0),
    ] {
        assert!(
            matches!(Learner::new(params(3, 2, method)), Err(LearnerError::Setting { .. })),
            "{method:?}"
        );
    }
    assert!(Learner::new(params(0, 2, Method::default())).is_err());
    assert!(Learner::new(params(3, 1, Method::default())).is_err());
    let capped = LearnerParams {
        actor_cap: Some(ActorCap { window: 0, most_weight: 1.0 }),
        ..params(3, 2, Method::default())
    };
    assert!(Learner::new(capped).is_err());
}

fn capped(most_weight: f64) -> Learner {
    let actor_cap = Some(ActorCap { window: 1_000, most_weight });
    Learner::new(LearnerParams { actor_cap, ..params(6, 2, Method::default()) }).unwrap()
}

#[test]
fn one_actor_cannot_contribute_more_than_the_cap_in_a_window() {
    let mut learner = capped(2.5);
    let values = [0.3; 6];
    let mut of = |at, actor| {
        let label = Label { actor, ..label(&values, hard(true)) };
        learner.learn(at, &label).unwrap().weight
    };
    assert_eq!(
        [of(1, Some("a")), of(2, Some("a")), of(3, Some("a")), of(4, Some("a"))],
        [1.0, 1.0, 0.5, 0.0]
    );
    assert_eq!([of(5, Some("b")), of(6, None), of(7, None)], [1.0, 1.0, 1.0]);
    assert_eq!(of(999, Some("a")), 0.0);
    assert_eq!(of(1_000, Some("a")), 1.0, "a new window");
    assert_eq!((learner.n_seen(), learner.cursor()), (7, 1_000));
}

#[test]
fn an_attacker_who_flips_labels_is_held_back_by_the_cap() {
    // One account gives 5, 20 or 50 % of the labels, all of them wrong.
    for share in [0.05, 0.2, 0.5] {
        let test = labelled(400, 6, 77);
        let loss = |learner: &Learner| {
            let of = |(values, y): &(Vec<f64>, bool)| {
                let p = learner.predict(&x(values)).unwrap().p_class[usize::from(*y)];
                -p.max(1e-12).ln()
            };
            test.iter().map(of).sum::<f64>() / test.len() as f64
        };
        let (mut free, mut held, mut clean) = (capped(1e9), capped(20.0), capped(1e9));
        let mut u = lcg(4);
        for (at, (values, y)) in (1..).zip(labelled(3_000, 6, 21)) {
            let is_attack = u.next().unwrap() < share;
            let actor = if is_attack { "mallory".to_owned() } else { format!("v{}", at % 100) };
            let label = Label { actor: Some(&actor), ..label(&values, hard(y != is_attack)) };
            free.learn(at, &label).unwrap();
            held.learn(at, &label).unwrap();
            if !is_attack {
                clean.learn(at, &label).unwrap();
            }
        }
        let (free, held, clean) = (loss(&free), loss(&held), loss(&clean));
        assert!(held < clean + 0.03, "{share}: {held} held back, {clean} clean");
        assert!(free > held && (share < 0.5 || free > 0.65), "{share}: {free} free, {held} held back");
    }
}

#[test]
fn a_million_identical_labels_and_an_hour_of_one_class() {
    let mut learner = learner(4, 2);
    let values = [0.5, -0.2, 1.0, 0.0];
    for at in 1..=1_000_000 {
        learner.learn(at, &label(&values, hard(true))).unwrap();
    }
    let p = learner.predict(&x(&values)).unwrap();
    assert!(p.p_class[1] > 0.999 && p.p_class[1] < 1.0 && p.sd.unwrap()[1] > 0.0);
    assert!(learner.variance.iter().all(|v| *v > 0.0 && *v <= 1.0));
    assert_eq!((learner.variance[3], learner.mean[3]), (1.0, 0.0), "what was never seen stays unknown");
    assert_eq!(p.n_seen, 1_000_000);
    // The other class is learnt all the same, where it looks different.
    for at in 1_000_001..=1_000_300 {
        learner.learn(at, &label(&[-0.5, 0.2, -1.0, 0.1], hard(false))).unwrap();
    }
    assert!(learner.predict(&x(&[-0.5, 0.2, -1.0, 0.1])).unwrap().p_class[0] > 0.9);
}

#[test]
fn what_forgets_follows_a_change_and_what_does_not_forget_lags() {
    let of = |keep| {
        let mut learner =
            Learner::new(params(6, 2, Method::Gaussian { l2: 1.0, keep, most_logits: 10.0 })).unwrap();
        let mut loss = 0.0;
        // After 4,000 labels they mean the opposite.
        for (at, (values, y)) in (1..).zip(labelled(5_000, 6, 5)) {
            let y = y != (at > 4_000);
            if at > 4_500 {
                loss -= learner.predict(&x(&values)).unwrap().p_class[usize::from(y)].ln() / 500.0;
            }
            learner.learn(at, &label(&values, hard(y))).unwrap();
        }
        assert!(learner.variance.iter().all(|v| *v <= 1.0), "never more than the prior");
        loss
    };
    let (forgets, keeps) = (of(0.99), of(1.0));
    assert!(forgets < 0.6 && keeps > 1.0, "{forgets} {keeps}");
}

#[test]
fn more_labels_leave_less_to_learn() {
    let mut learner = learner(6, 2);
    let values = [0.4; 6];
    let of = |learner: &Learner| {
        let posterior = learner.posterior(400, 3);
        let draws = posterior.probabilities(&x(&values)).unwrap();
        let found = uncertainty("s", &draws, 2).unwrap();
        let p = learner.predict(&x(&values)).unwrap();
        assert!((found.p_class[1] - p.p_class[1]).abs() < 0.05, "draws and integral agree");
        found.mutual_information
    };
    let before = of(&learner);
    assert_eq!(
        learner.posterior(5, 3).probabilities(&x(&values)),
        learner.posterior(5, 3).probabilities(&x(&values))
    );
    for (at, (values, y)) in (1..).zip(labelled(500, 6, 7)) {
        learner.learn(at, &label(&values, hard(y))).unwrap();
    }
    let after = of(&learner);
    assert!(before > 0.05 && after < before / 5.0, "{before} {after}");
}

#[test]
fn a_label_taken_back_is_forgotten_exactly() {
    let stream = labelled(2_000, 6, 3);
    let learn = |learner: &mut Learner, at: u64| {
        let (values, y) = &stream[at as usize - 1];
        let actor = format!("v{}", at % 7);
        learner.learn(at, &Label { actor: Some(&actor), ..label(values, hard(*y)) }).unwrap();
    };
    let (mut learner, mut checkpoints) = (capped(300.0), Checkpoints::new(50));
    for at in 1..=2_000 {
        learn(&mut learner, at);
        checkpoints.after(&learner);
    }
    assert!(checkpoints.cursors().count() < 25, "{:?}", checkpoints.cursors().collect::<Vec<_>>());
    for taken_back in [1_u64, 60, 700, 1_990] {
        let mut never = capped(300.0);
        (1..=2_000).filter(|at| *at != taken_back).for_each(|at| learn(&mut never, at));
        let mut again = checkpoints.before(taken_back).unwrap().unwrap_or_else(|| capped(300.0));
        assert!(again.cursor() < taken_back && taken_back - again.cursor() <= 2_100 - taken_back);
        let from = again.cursor() + 1;
        (from..=2_000).filter(|at| *at != taken_back).for_each(|at| learn(&mut again, at));
        assert_eq!(again.to_bytes(), never.to_bytes(), "{taken_back}");
        assert_ne!(again.to_bytes(), learner.to_bytes());
    }
    checkpoints.forget_from(700);
    assert!(checkpoints.cursors().all(|cursor| cursor < 700));
}

proptest! {
    #[test]
    fn a_replay_and_a_restart_give_the_same_bytes(
        labels in proptest::collection::vec((proptest::array::uniform3(-2.0..2.0_f64), 0.0..=1.0_f64, 0..3_usize), 1..40),
        cut in 0..40_usize,
        n_classes in 2..4_usize,
        is_descent in proptest::bool::ANY,
    ) {
        let method = if is_descent {
            Method::Descent { rate: 0.1, intercept_rate: 0.1, l2: 0.01, clip: 0.4 }
        } else {
            Method::Gaussian { l2: 0.5, keep: 0.99, most_logits: 2.0 }
        };
        let actor_cap = Some(ActorCap { window: 8, most_weight: 2.0 });
        let new = || Learner::new(LearnerParams { actor_cap, ..params(3, n_classes, method) }).unwrap();
        let (mut straight, mut broken) = (new(), new());
        for (at, (values, share, actor)) in labels.iter().enumerate() {
            let mut p_class = vec![0.0; n_classes];
            (p_class[0], p_class[n_classes - 1]) = (1.0 - share, *share);
            let actor = ["a", "b", "c"][*actor];
            let label = Label { actor: Some(actor), ..label(values, &p_class) };
            if at == cut {
                let bytes = broken.to_bytes();
                broken = Learner::from_bytes(&bytes).unwrap();
                prop_assert_eq!(broken.to_bytes(), bytes);
            }
            prop_assert_eq!(straight.learn(at as u64 + 1, &label), broken.learn(at as u64 + 1, &label));
        }
        prop_assert_eq!(straight.to_bytes(), broken.to_bytes());
        prop_assert!(straight.mean.iter().chain(&straight.variance).all(|v| v.is_finite()));
        prop_assert!(straight.variance.iter().all(|v| *v > 0.0 && *v <= 2.0));
    }

    #[test]
    fn a_damaged_snapshot_is_refused(at in 0..500_usize, bit in 0..8_u8, cut in 0..500_usize) {
        let mut learner = capped(3.0);
        for (at, (values, y)) in (1..).zip(labelled(5, 6, 7)) {
            learner.learn(at, &Label { actor: Some("a"), ..label(&values, hard(y)) }).unwrap();
        }
        let bytes = learner.to_bytes();
        let mut flipped = bytes.clone();
        let n = flipped.len();
        flipped[at % n] ^= 1 << bit;
        prop_assert!(matches!(Learner::from_bytes(&flipped), Err(LearnerError::Snapshot(_))));
        prop_assert!(Learner::from_bytes(&bytes[..cut % n]).is_err());
        let longer = [&bytes[..], &[0]].concat();
        prop_assert!(Learner::from_bytes(&longer).is_err());
    }
}

#[test]
fn a_snapshot_that_lies_about_its_size_is_refused_without_asking_for_memory() {
    let bytes = learner(2, 2).to_bytes();
    let body = bytes.len() - 32;
    for at in (16..body).step_by(8) {
        let mut forged = bytes[..body].to_vec();
        let end = (at + 8).min(body);
        forged[at..end].fill(0xff);
        let hash = blake3::hash(&forged);
        forged.extend_from_slice(hash.as_bytes());
        if let Ok(read) = Learner::from_bytes(&forged) {
            assert_eq!(read.to_bytes(), forged, "what is read is what was written");
        }
    }
}
