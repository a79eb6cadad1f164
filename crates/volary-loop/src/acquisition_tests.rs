use proptest::prelude::*;

use super::*;
use crate::sampling::{Candidate, Spacing, horvitz_thompson};

#[test]
fn entropy_and_mutual_information_on_paper() {
    assert_eq!(entropy(&[1.0, 0.0]), 0.0);
    assert!((entropy(&[0.25; 4]) - 4.0_f64.ln()).abs() < 1e-15);
    // All passes agree that nothing is known: nothing to learn about the parameters.
    let agreed = uncertainty("s", &[0.5, 0.5, 0.5, 0.5], 2).unwrap();
    assert!((agreed.entropy - 2.0_f64.ln()).abs() < 1e-15 && agreed.mutual_information.abs() < 1e-15);
    // All passes are sure and contradict: a whole bit.
    let split = uncertainty("s", &[1.0, 0.0, 0.0, 1.0], 2).unwrap();
    assert!((split.mutual_information - 2.0_f64.ln()).abs() < 1e-15);
    assert_eq!(split.p_class, [0.5, 0.5]);
    assert_eq!(uncertainty("s", &[0.3, 0.7], 2).unwrap().mutual_information, 0.0);
}

#[test]
fn what_is_no_probability_is_refused_by_name() {
    let bad = [[0.5, f64::NAN], [1.5, -0.5], [0.2, 0.2], [f64::INFINITY, 0.0]];
    for draws in bad {
        let expected = AcquisitionError::NoProbabilities { subject: "s7".into() };
        assert_eq!(uncertainty("s7", &draws, 2), Err(expected));
    }
    assert!(matches!(uncertainty("s", &[1.0, 0.0, 1.0], 2), Err(AcquisitionError::Shape { .. })));
    assert!(uncertainty("s", &[], 2).is_err() && uncertainty("s", &[1.0], 0).is_err());
}

#[test]
fn k_center_takes_one_of_each_cluster_before_a_second_of_any() {
    // Three clusters of ten on a line, at 0, 100 and 250.
    let points: Vec<f64> = [0.0, 100.0, 250.0]
        .iter()
        .flat_map(|c| (0..10).map(move |at| c + f64::from(at) / 10.0))
        .collect();
    let taken = k_center(&points, 1, 3);
    let clusters: BTreeSet<usize> = taken.iter().map(|at| at / 10).collect();
    assert_eq!((taken[0], clusters.len()), (0, 3));
    assert_eq!(k_center(&points, 1, 99).len(), 30);
    assert_eq!(k_center(&[1.0, 1.0, 1.0], 1, 3), [0, 1, 2], "equal points are still different subjects");
    assert!(k_center(&[], 3, 4).is_empty() && k_center(&points, 0, 4).is_empty());
}

proptest! {
    #[test]
    fn mutual_information_lies_between_zero_and_the_entropy(
        raw in proptest::collection::vec(0.01..1.0_f64, 12)
    ) {
        let draws: Vec<f64> = raw.chunks(3)
            .flat_map(|row| { let s: f64 = row.iter().sum(); row.iter().map(move |v| v / s).collect::<Vec<_>>() })
            .collect();
        let u = uncertainty("s", &draws, 3).unwrap();
        prop_assert!(u.mutual_information >= 0.0 && u.mutual_information <= u.entropy + 1e-12);
        prop_assert!(u.entropy <= 3.0_f64.ln() + 1e-12);
    }

    #[test]
    fn k_center_is_at_most_twice_as_far_as_the_best(
        points in proptest::collection::vec(0.0..1.0_f64, 4..9), n in 1..4_usize
    ) {
        let radius = |centers: &[usize]| {
            points.iter()
                .map(|p| centers.iter().map(|&c| (p - points[c]).abs()).fold(f64::INFINITY, f64::min))
                .fold(0.0, f64::max)
        };
        let greedy = radius(&k_center(&points, 1, n));
        let mut best = f64::INFINITY;
        for mask in 1..1_u32 << points.len() {
            let centers: Vec<usize> = (0..points.len()).filter(|at| mask >> at & 1 == 1).collect();
            if centers.len() == n {
                best = best.min(radius(&centers));
            }
        }
        prop_assert!(greedy <= 2.0 * best + 1e-12);
    }
}

/// Id, passes, embedding.
type Row = (String, Vec<f64>, Vec<f64>);

/// `n` candidates with scores, and passes that contradict each other the more, the higher `at % 10`.
fn pool(n: usize) -> (Frame, Vec<Row>) {
    let candidates: Vec<Candidate> = (0..n)
        .map(|at| Candidate {
            id: format!("s{at:04}"),
            score: (at as f64 + 0.5) / n as f64,
            model: "m".into(),
        })
        .collect();
    let passes = (0..n)
        .map(|at| {
            let apart = (at % 10) as f64 / 20.0;
            let draws = vec![0.5 + apart, 0.5 - apart, 0.5 - apart, 0.5 + apart];
            (format!("s{at:04}"), draws, vec![(at % 7) as f64, (at / 7 % 5) as f64])
        })
        .collect();
    (Frame::new(&candidates, &BTreeSet::new(), 20, Spacing::Score).unwrap(), passes)
}

fn borrowed(passes: &[Row]) -> Vec<Passes<'_>> {
    passes.iter().map(|(subject, draws, embedding)| Passes { subject, draws, embedding }).collect()
}

fn params(usefulness: Usefulness) -> BatchParams {
    BatchParams { n: 50, n_classes: 2, probability_share: 0.2, usefulness, has_twin: true, seed: 3 }
}

#[test]
fn a_batch_keeps_its_parts_and_nobody_comes_twice() {
    let (frame, passes) = pool(1_000);
    let acquired: BTreeSet<String> = (0..500).map(|at: usize| format!("s{:04}", at * 2 + 1)).collect();
    for (usefulness, arm) in [
        (Usefulness::Entropy, Arm::Entropy),
        (Usefulness::Bald, Arm::Bald),
        (Usefulness::Diverse { n_among: 4 }, Arm::Diverse),
    ] {
        let chosen = batch(&frame, &borrowed(&passes), &acquired, &params(usefulness)).unwrap();
        let n_of = |arm| chosen.iter().filter(|c| c.arm == arm).count();
        assert_eq!(
            (n_of(Arm::Probability), n_of(Arm::Random), n_of(arm), chosen.len()),
            (10, 20, 20, 50)
        );
        let unique: BTreeSet<&str> = chosen.iter().map(|c| c.subject.as_str()).collect();
        assert_eq!(unique.len(), 50);
        for one in &chosen {
            let is_drawn = one.arm == Arm::Probability;
            assert!(is_drawn || !acquired.contains(&one.subject), "masked");
            assert_eq!(one.drawn.is_some(), is_drawn);
            assert_eq!(one.stream() == Stream::Debiased, is_drawn);
        }
    }
    // The most contradicted ones are those that end in 8: odd ones are masked, and entropy is the same for all.
    let chosen = batch(&frame, &borrowed(&passes), &acquired, &params(Usefulness::Bald)).unwrap();
    assert!(chosen.iter().filter(|c| c.arm == Arm::Bald).all(|c| c.subject.ends_with('8')));
    let turned: Vec<_> = passes.iter().rev().cloned().collect();
    let again = batch(&frame, &borrowed(&turned), &acquired, &params(Usefulness::Bald)).unwrap();
    assert_eq!(chosen, again, "the order of the input changes nothing");
}

#[test]
fn too_little_to_measure_by_is_refused() {
    let (frame, passes) = pool(100);
    for share in [0.19, 0.0, f64::NAN, 1.1] {
        let params = BatchParams { probability_share: share, ..params(Usefulness::Bald) };
        let refused = batch(&frame, &borrowed(&passes), &BTreeSet::new(), &params);
        assert!(matches!(refused, Err(AcquisitionError::Share { .. })), "{share}");
    }
    for n in 1..60 {
        let params = BatchParams { n, has_twin: false, ..params(Usefulness::Bald) };
        let chosen = batch(&frame, &borrowed(&passes), &BTreeSet::new(), &params).unwrap();
        let drawn = chosen.iter().filter(|c| c.drawn.is_some()).count() as f64;
        assert!(drawn >= 0.2 * n as f64 && drawn < 0.2 * n as f64 + 1.0 && chosen.len() == n, "{n}");
    }
    let odd = [(passes[0].0.clone(), passes[0].1.clone(), vec![f64::NAN, 0.0])];
    let params = BatchParams { n: 4, ..params(Usefulness::Diverse { n_among: 3 }) };
    let without: BTreeSet<String> = BTreeSet::new();
    // Only where it was not drawn otherwise does its embedding matter.
    if let Err(error) = batch(&frame, &borrowed(&odd), &without, &params) {
        assert!(matches!(error, AcquisitionError::Embedding { .. }), "{error}");
    } else {
        panic!("the seed drew it; choose another");
    }
}

/// A model that is sure and wrong on a slice: the active part never goes there, the probability part shows
/// the error rate, and to measure by everything that was labelled would hide it.
#[test]
fn the_probability_part_exposes_what_the_active_part_never_visits() {
    let n = 2_000;
    let is_hidden = |at: usize| at.is_multiple_of(10);
    let candidates: Vec<Candidate> = (0..n)
        .map(|at| Candidate {
            id: at.to_string(),
            // Sure that it is bogus; a wide spread of scores elsewhere.
            score: if is_hidden(at) { 0.02 } else { ((at * 7_919) % n) as f64 / n as f64 },
            model: "m".into(),
        })
        .collect();
    let frame = Frame::new(&candidates, &BTreeSet::new(), 20, Spacing::Score).unwrap();
    let passes: Vec<Row> = (0..n)
        .map(|at| {
            let apart = if is_hidden(at) { 0.0 } else { 0.3 };
            (at.to_string(), vec![0.6 + apart, 0.4 - apart, 0.6 - apart, 0.4 + apart], Vec::new())
        })
        .collect();
    let (mut by_probability, mut by_all) = (Vec::new(), Vec::new());
    for seed in 0..200 {
        let params = BatchParams {
            n: 400,
            n_classes: 2,
            probability_share: 0.5,
            usefulness: Usefulness::Bald,
            has_twin: false,
            seed,
        };
        let chosen = batch(&frame, &borrowed(&passes), &BTreeSet::new(), &params).unwrap();
        let is_wrong = |id: &str| f64::from(u8::from(is_hidden(id.parse().unwrap())));
        assert!(
            chosen.iter().all(|c| c.arm != Arm::Bald || is_wrong(&c.subject) == 0.0),
            "never visited"
        );
        let drawn: Vec<Selected> = chosen.iter().filter_map(|c| c.drawn.clone()).collect();
        by_probability.push(horvitz_thompson(&drawn, |s| is_wrong(&s.id)) / n as f64);
        by_all.push(chosen.iter().map(|c| is_wrong(&c.subject)).sum::<f64>() / chosen.len() as f64);
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let sd = |values: &[f64]| {
        let m = mean(values);
        (values.iter().map(|v| (v - m).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
    };
    let (estimate, se) = (mean(&by_probability), sd(&by_probability) / 200.0_f64.sqrt());
    assert!((estimate - 0.1).abs() < 4.0 * se && se < 0.005, "{estimate} ± {se}");
    assert!(mean(&by_all) < 0.03, "the control that must fail: {}", mean(&by_all));
}
