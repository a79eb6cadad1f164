use super::frame::edge;
use super::*;

fn candidate(id: &str, score: f64) -> Candidate {
    Candidate { id: id.to_owned(), score, model: "m1".to_owned() }
}

/// A bogus-heavy stream: many low scores, few high ones.
fn stream(n: usize) -> Vec<Candidate> {
    (0..n).map(|at| candidate(&at.to_string(), ((at as f64 + 0.5) / n as f64).powi(4))).collect()
}

fn none() -> BTreeSet<String> {
    BTreeSet::new()
}

fn frame(candidates: &[Candidate]) -> Frame {
    Frame::new(candidates, &none(), 20, Spacing::Score).expect("a frame")
}

fn ids(draw: &Draw) -> Vec<&str> {
    draw.selected.iter().map(|s| s.id.as_str()).collect()
}

#[test]
fn the_threshold_is_strict_and_what_is_no_score_is_quarantined() {
    let scores =
        [0.7, 0.700_000_1, 1.0, 0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.1, 1.2, -0.0];
    let candidates: Vec<Candidate> =
        scores.iter().enumerate().map(|(at, &score)| candidate(&at.to_string(), score)).collect();
    let draw = real_time(&candidates, &none(), &RealTime::default()).expect("draws");
    assert_eq!(ids(&draw), ["2", "1"]);
    assert_eq!(draw.quarantined, ["4", "5", "6", "7", "8"]);
    let narrow = [candidate("a", f64::from(0.7_f32)), candidate("b", f64::from(0.7_f32.next_up()))];
    let of = |stored| {
        real_time(&narrow, &none(), &RealTime { stored, ..RealTime::default() }).expect("draws")
    };
    assert_eq!(ids(&of(Stored::F32)), ["b"]);
    // 0.7 + one step of 32 bits is above 0.7 in 64 bits too; 0.7 itself, widened, is below it.
    assert_eq!(ids(&of(Stored::F64)), ["b"]);
    assert!(real_time(&[], &none(), &RealTime { threshold: f64::NAN, ..RealTime::default() }).is_err());
}

#[test]
fn a_cap_draws_evenly_and_says_with_what_chance() {
    let candidates = stream(2_000);
    let all = real_time(&candidates, &none(), &RealTime::default()).expect("draws");
    let max = Some(all.selected.len() / 4);
    let mut sums = 0.0;
    for seed in 0..400 {
        let params = RealTime { max, seed, ..RealTime::default() };
        let draw = real_time(&candidates, &none(), &params).expect("draws");
        assert!(draw.is_capped && draw.selected.iter().all(|s| s.p_included < 0.26));
        sums += horvitz_thompson(&draw.selected, |s| s.score);
    }
    let truth: f64 = all.selected.iter().map(|s| s.score).sum();
    assert!((sums / 400.0 / truth - 1.0).abs() < 0.005, "{}", sums / 400.0 / truth);
}

#[test]
fn two_models_never_share_a_frame() {
    let mut candidates = stream(10);
    candidates[3].model = "m2".into();
    let expected = Err(SamplingError::TwoModels("m1".into(), "m2".into()));
    assert_eq!(real_time(&candidates, &none(), &RealTime::default()), expected);
    assert!(Frame::new(&candidates, &none(), 20, Spacing::Score).is_err());
}

#[test]
fn a_frame_counts_what_has_not_been_shown() {
    let candidates = stream(100);
    let shown: BTreeSet<String> = (0..50).map(|n: usize| n.to_string()).collect();
    let frame = Frame::new(&candidates, &shown, 20, Spacing::Score).expect("a frame");
    assert_eq!((frame.n_candidates(), frame.counts.iter().sum::<usize>()), (50, 50));
    assert_eq!(frame.draw_batch(10, 1).excluded.len(), 50);
    let everything: BTreeSet<String> = candidates.iter().map(|c| c.id.clone()).collect();
    let empty = Frame::new(&candidates, &everything, 20, Spacing::Score);
    assert_eq!(empty, Err(SamplingError::Empty { excluded: 100, quarantined: 0 }));
    assert_eq!(Frame::new(&candidates, &none(), 0, Spacing::Score), Err(SamplingError::NoBins));
}

#[test]
fn edges_of_bins() {
    for (score, expected) in [(0.0, 0), (0.049_9, 0), (0.05, 1), (0.999, 19), (1.0, 19)] {
        assert_eq!(bin(score, 20, Spacing::Score), expected, "{score}");
    }
    for (score, expected) in [(0.0, 0), (0.5, 10), (1.0, 19), (1e-12, 0)] {
        assert_eq!(bin(score, 20, Spacing::Logit), expected, "{score}");
    }
}

#[test]
fn quotas_are_as_even_as_the_bins_allow() {
    let of = |counts: &[usize], k: usize| {
        let mut candidates = Vec::new();
        for (bin, &n) in counts.iter().enumerate() {
            let score = (bin as f64 + 0.5) / counts.len() as f64;
            candidates.extend((0..n).map(|at| candidate(&format!("{bin}-{at}"), score)));
        }
        let frame = Frame::new(&candidates, &none(), counts.len(), Spacing::Score).expect("a frame");
        let mut quotas = frame.quotas(k, 3);
        assert!(quotas.iter().zip(counts).all(|(q, n)| q <= n));
        quotas.sort_unstable();
        quotas
    };
    assert_eq!(of(&[100, 100, 100], 30), [10, 10, 10]);
    assert_eq!(of(&[100, 4, 100], 30), [4, 13, 13]);
    assert_eq!(of(&[100, 100, 100], 31), [10, 10, 11]);
    assert_eq!(of(&[100, 0, 1], 1_000), [0, 1, 100]);
    assert_eq!(of(&[5, 5], 0), [0, 0]);
}

#[test]
fn draws_are_the_same_whatever_the_order_and_each_subject_comes_once() {
    let mut candidates = stream(500);
    let straight = frame(&candidates);
    candidates.reverse();
    candidates.extend_from_within(..100);
    let turned = frame(&candidates);
    assert_eq!(straight, turned);
    assert_eq!(straight.draw_batch(50, 9), turned.draw_batch(50, 9));
    assert_eq!(straight.draw_stream(50, 9), turned.draw_stream(50, 9));
    assert_ne!(ids(&straight.draw_stream(50, 9)), ids(&straight.draw_stream(50, 10)));
    for draw in [straight.draw_batch(50, 9), straight.draw_stream(50, 9)] {
        let unique: BTreeSet<&str> = ids(&draw).into_iter().collect();
        assert_eq!((draw.selected.len(), unique.len()), (50, 50));
    }
    for draw in [straight.draw_batch(999, 9), straight.draw_stream(999, 9)] {
        assert!(draw.selected.len() == 500 && draw.selected.iter().all(|s| s.p_included >= 1.0));
    }
}

#[test]
fn a_batch_is_flat_over_the_bins_and_its_totals_are_unbiased() {
    let frame = frame(&stream(4_000));
    let draw = frame.draw_batch(200, 1);
    let mut achieved = vec![0; frame.counts.len()];
    draw.selected.iter().filter_map(|s| s.bin).for_each(|(bin, _)| achieved[bin] += 1);
    assert!(achieved.iter().all(|&n| n == 10), "{achieved:?}");
    let truth: f64 = stream(4_000).iter().map(|c| c.score.sqrt()).sum();
    check_totals(truth, |seed| frame.draw_batch(200, seed));
    // Fewer than there are bins: unbiased all the same, though noisy.
    let ratios: Vec<f64> = (0..2_000)
        .map(|seed| horvitz_thompson(&frame.draw_batch(8, seed).selected, |s| s.score.sqrt()) / truth)
        .collect();
    let (mean, se) = mean_and_error(&ratios);
    assert!((mean - 1.0).abs() < 4.0 * se && se < 0.05, "{mean} ± {se}");
}

#[test]
fn a_stream_has_unbiased_totals_and_the_naive_estimator_has_not() {
    let frame = frame(&stream(4_000));
    let truth: f64 = stream(4_000).iter().map(|c| c.score.sqrt()).sum();
    check_totals(truth, |seed| frame.draw_stream(200, seed));
    // The control that must fail: as if drawn with replacement in proportion to the weights, which bins of
    // a few dozen cannot give once a thousand are drawn.
    let all_weights: f64 = frame.counts.iter().filter(|&&n| n > 0).count() as f64;
    let naive = |draw: &Draw| -> f64 {
        let weight = |s: &Selected| 1.0 / s.bin.expect("a bin").1 as f64;
        draw.selected.iter().map(|s| s.score.sqrt() * all_weights / weight(s)).sum::<f64>() / 1_000.0
    };
    let ratios: Vec<f64> = (0..400).map(|seed| naive(&frame.draw_stream(1_000, seed)) / truth).collect();
    let (mean, se) = mean_and_error(&ratios);
    assert!((mean - 1.0).abs() > 5.0 * se, "{mean} ± {se}");
}

fn check_totals(truth: f64, draw: impl Fn(u64) -> Draw) {
    let ratios: Vec<f64> = (0..400)
        .map(|seed| horvitz_thompson(&draw(seed).selected, |s| s.score.sqrt()) / truth)
        .collect();
    let (mean, se) = mean_and_error(&ratios);
    assert!((mean - 1.0).abs() < 4.0 * se && se < 0.01, "{mean} ± {se}");
}

fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

#[test]
fn inclusion_is_as_often_as_stated() {
    // Bins of 2, 10 and 60; how often each is drawn, against the mean of the stated probabilities.
    let mut candidates = Vec::new();
    for (bin, n) in [2, 10, 60].into_iter().enumerate() {
        let score = (bin as f64 + 0.5) / 3.0;
        candidates.extend((0..n).map(|at| candidate(&format!("{bin}-{at}"), score)));
    }
    let frame = Frame::new(&candidates, &none(), 3, Spacing::Score).expect("a frame");
    let n_draws = 5_000;
    for is_batch in [true, false] {
        let mut drawn = [0.0; 3];
        for seed in 0..n_draws {
            let draw = if is_batch { frame.draw_batch(12, seed) } else { frame.draw_stream(12, seed) };
            for selected in draw.selected {
                // An item counts 1/p when drawn: on average the number of its bin's members.
                drawn[selected.bin.expect("a bin").0] += 1.0 / selected.p_included;
            }
        }
        for (total, expected) in drawn.iter().zip([2.0, 10.0, 60.0]) {
            let mean = total / n_draws as f64;
            assert!((mean / expected - 1.0).abs() < 0.05, "{is_batch}: {mean} for {expected}");
        }
    }
}

#[test]
fn tiny_weights_do_not_underflow() {
    // Keys of the form u^(1/w) are nearly all zero for a million candidates in a bin, so that the place in
    // the input decides; ranks in logarithms tell them apart.
    let candidates: Vec<Candidate> = (0..200_000)
        .map(|at| candidate(&at.to_string(), if at < 199_990 { 0.01 } else { 0.99 }))
        .collect();
    let draw = frame(&candidates).draw_stream(1_000, 5);
    let low: Vec<usize> = draw
        .selected
        .iter()
        .filter(|s| s.score < 0.5)
        .map(|s| s.id.parse().expect("a number"))
        .collect();
    let first_half = low.iter().filter(|&&at| at < 100_000).count() as f64 / low.len() as f64;
    assert!((first_half - 0.5).abs() < 0.08, "{first_half}");
    let powers: BTreeSet<u64> =
        (0..1_000).map(|at| uniform(5, "stream", &at.to_string()).powf(1e6).to_bits()).collect();
    assert!(powers.len() < 100, "the mutant is as bad as said: {}", powers.len());
}

#[test]
fn the_effective_size_is_the_closed_form() {
    let frame = frame(&stream(4_000));
    let weights: Vec<f64> = frame.members().map(|(_, bin)| 1.0 / frame.counts[bin] as f64).collect();
    let (sum, squares) = (weights.iter().sum::<f64>(), weights.iter().map(|w| w * w).sum::<f64>());
    assert!((frame.effective_size() - sum * sum / squares).abs() < 1e-6);
    assert!((p_in_either(0.5, 0.2) - 0.6).abs() < 1e-12);
}

#[test]
fn each_drawn_subject_carries_what_it_takes_to_draw_it_again() {
    let frame = frame(&stream(4_000));
    for draw in [frame.draw_batch(200, 7), frame.draw_stream(200, 7)] {
        let Design::Bins { rows, .. } = &draw.design else { panic!("bins") };
        for selected in &draw.selected {
            let (bin, n) = selected.bin.expect("a bin");
            assert_eq!((selected.stream, selected.seed), (Stream::Debiased, 7));
            assert_eq!((selected.frame.as_str(), selected.model.as_str()), (frame.id.as_str(), "m1"));
            assert_eq!((selected.weight, rows[bin].n_candidates), (1.0 / n as f64, n));
            assert!((rows[bin].low..rows[bin].high).contains(&selected.score));
            assert_eq!(selected.p_included, draw.design.p_included(selected.score));
        }
        assert_eq!(rows.iter().map(|row| row.achieved).sum::<usize>(), 200);
        let expected: f64 = rows.iter().map(|row| row.expected).sum();
        // A batch is exact; a stream's expectation depends on where the ranks end.
        assert!((expected - 200.0).abs() < 40.0, "{expected}");
    }
    let batch = frame.draw_batch(200, 7);
    let Design::Bins { rows, .. } = batch.design else { panic!("bins") };
    assert!(rows.iter().all(|r| r.achieved == r.quota && (r.expected - r.quota as f64).abs() < 1e-9));
}

#[test]
fn thin_bins_come_out_below_their_share_in_a_stream_and_the_table_shows_it() {
    let mut candidates = Vec::new();
    for bin in 0..20 {
        let n = if bin >= 16 { 10 } else { 1_000 };
        let score = (f64::from(bin) + 0.5) / 20.0;
        candidates.extend((0..n).map(|at| candidate(&format!("{bin}-{at}"), score)));
    }
    let frame = frame(&candidates);
    let (mut thin, mut full) = (0, 0);
    for seed in 0..300 {
        let Design::Bins { rows, .. } = frame.draw_stream(200, seed).design else { panic!("bins") };
        thin += rows[16..].iter().map(|r| r.achieved).sum::<usize>();
        full += rows[..16].iter().map(|r| r.achieved).sum::<usize>();
    }
    let (thin, full) = (thin as f64 / 1_200.0, full as f64 / 4_800.0);
    assert!((6.0..8.5).contains(&thin) && (10.0..12.0).contains(&full), "{thin} {full}");
}

#[test]
fn edges_agree_with_bins() {
    for spacing in [Spacing::Score, Spacing::Logit] {
        for n_bins in [1, 2, 7, 20] {
            for at in 0..n_bins {
                let (low, high) = (edge(at, n_bins, spacing), edge(at + 1, n_bins, spacing));
                assert_eq!(bin((low + high) / 2.0, n_bins, spacing), at, "{spacing:?} {n_bins}");
            }
            assert_eq!((edge(0, n_bins, spacing), edge(n_bins, n_bins, spacing)), (0.0, 1.0));
        }
    }
}

#[test]
fn both_streams_together_have_unbiased_totals_and_each_one_alone_has_not() {
    let candidates = stream(2_000);
    let frame = frame(&candidates);
    let truth: f64 = candidates.iter().map(|c| c.score.sqrt()).sum();
    let (mut joined, mut alone) = (Vec::new(), Vec::new());
    for seed in 0..400 {
        let params = RealTime { max: Some(60), seed, ..RealTime::default() };
        let real_time = real_time(&candidates, &none(), &params).expect("draws");
        let debiased = frame.draw_stream(150, seed);
        let both = union(&real_time, &debiased).expect("same frame");
        let unique: BTreeSet<&str> = both.iter().map(|s| s.id.as_str()).collect();
        assert_eq!(unique.len(), both.len());
        joined.push(horvitz_thompson(&both, |s| s.score.sqrt()) / truth);
        // The control that must fail: the probability of the one stream only.
        let one_way = |s: &Selected| match s.stream {
            Stream::RealTime => real_time.design.p_included(s.score),
            _ => debiased.design.p_included(s.score),
        };
        alone.push(both.iter().map(|s| s.score.sqrt() / one_way(s)).sum::<f64>() / truth);
    }
    let (mean, se) = mean_and_error(&joined);
    assert!((mean - 1.0).abs() < 4.0 * se && se < 0.01, "{mean} ± {se}");
    let (mean, se) = mean_and_error(&alone);
    assert!((mean - 1.0).abs() > 8.0 * se, "{mean} ± {se}");
}

#[test]
fn draws_of_two_frames_are_not_united() {
    let candidates = stream(100);
    let real_time = real_time(&candidates, &none(), &RealTime::default()).expect("draws");
    let other = frame(&candidates[..99]).draw_batch(10, 1);
    assert!(matches!(union(&real_time, &other), Err(SamplingError::TwoFrames(..))));
    assert!(matches!(union(&real_time, &real_time), Err(SamplingError::TwoFrames(..))));
    let shown: BTreeSet<String> = [candidates[0].id.clone()].into();
    let later = Frame::new(&candidates, &shown, 20, Spacing::Score).expect("a frame");
    assert!(union(&real_time, &later.draw_batch(10, 1)).is_err());
}

/// Sum of squares of what came against what was to be expected, in standard deviations of its law.
fn chi_square_z(observed: &[f64], expected: f64) -> f64 {
    let chi: f64 = observed.iter().map(|o| (o - expected).powi(2) / expected).sum();
    let df = observed.len() as f64 - 1.0;
    (chi - df) / (2.0 * df).sqrt()
}

#[test]
fn counts_are_as_expected_over_five_thousand_draws() {
    // All of a bin are alike: each comes as often as the others. A draw of q of N has a variance smaller
    // by 1 - q/N than independent draws, so that the statistic is scaled.
    let mut candidates: Vec<Candidate> = (0..60).map(|at| candidate(&format!("l{at}"), 0.1)).collect();
    candidates.extend((0..12).map(|at| candidate(&format!("h{at}"), 0.9)));
    let frame = Frame::new(&candidates, &none(), 2, Spacing::Score).expect("a frame");
    let (mut low, mut high) = ([0.0; 60], [0.0; 12]);
    for seed in 0..5_000 {
        for selected in frame.draw_batch(12, seed).selected {
            let at: usize = selected.id[1..].parse().expect("a number");
            if selected.id.starts_with('l') { low[at] += 1.0 } else { high[at] += 1.0 }
        }
    }
    for (observed, n) in [(&low[..], 60.0), (&high[..], 12.0)] {
        assert_eq!(observed.iter().sum::<f64>(), 5_000.0 * 6.0, "six from each bin, always");
        let share: f64 = 6.0 / n;
        let scaled: Vec<f64> =
            observed.iter().map(|o| (o - 30_000.0 / n) / (1.0 - share).sqrt()).collect();
        let shifted: Vec<f64> = scaled.iter().map(|d| d + 30_000.0 / n).collect();
        let z = chi_square_z(&shifted, 30_000.0 / n);
        assert!(z.abs() < 5.0, "{z}");
    }
}

/// Quantile bins, equal weights and counts of what was shown already: each would pass unseen if nothing
/// looked at the scores that come out.
#[test]
fn mutants_of_the_weights_are_not_flat() {
    let candidates = stream(4_000);
    let spread = |draw: &Draw| {
        // The share that comes from the upper half of the scores: one half if flat.
        draw.selected.iter().filter(|s| s.score >= 0.5).count() as f64 / draw.selected.len() as f64
    };
    let good = spread(&frame(&candidates).draw_batch(400, 1));
    assert!((good - 0.5).abs() < 0.01, "{good}");
    // Quantile bins are bins of equal width in the rank.
    let ranked: Vec<Candidate> =
        (0..4_000).map(|at| candidate(&at.to_string(), (f64::from(at) + 0.5) / 4_000.0)).collect();
    let quantiles = frame(&ranked);
    assert!((quantiles.effective_size() - 4_000.0).abs() < 1e-6, "all N equal: nothing is weighted");
    let back: Vec<f64> = quantiles.draw_batch(400, 1).selected.iter().map(|s| s.score.powi(4)).collect();
    let mutant = back.iter().filter(|&&score| score >= 0.5).count() as f64 / 400.0;
    assert!(mutant < 0.3, "{mutant}");
    // Weights of 1 are a frame with a single bin.
    let flat = Frame::new(&candidates, &none(), 1, Spacing::Score).expect("a frame");
    assert!(spread(&flat.draw_batch(400, 1)) < 0.3);
    // Most of the low scores were shown already: to count them all the same would starve what is left.
    let shown: BTreeSet<String> = (0..1_800).map(|at: usize| at.to_string()).collect();
    let rest = Frame::new(&candidates, &shown, 20, Spacing::Score).expect("a frame");
    let stale = frame(&candidates);
    assert!(rest.counts[0] + 1_800 == stale.counts[0] && rest.counts[1..] == stale.counts[1..]);
    let seen_of_lowest = rest.draw_batch(400, 1).selected.iter().filter(|s| s.score < 0.05).count();
    assert_eq!(seen_of_lowest, 20, "an even share");
}

/// The same draw by another implementation: `tests/golden/golden.py` (NumPy) from the same hashes.
#[test]
fn another_language_draws_the_same_stream() {
    let golden = crate::golden();
    let golden = &golden["stream_draw"];
    let candidates: Vec<Candidate> =
        (0..60).map(|at| candidate(&format!("s{at}"), ((f64::from(at) + 0.5) / 60.0).powi(3))).collect();
    let frame = Frame::new(&candidates, &none(), 5, Spacing::Score).expect("a frame");
    let draw = frame.draw_stream(12, 42);
    let expected: Vec<&str> =
        golden["ids"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
    assert_eq!(ids(&draw), expected);
    for (selected, p) in draw.selected.iter().zip(golden["p"].as_array().unwrap()) {
        assert!((selected.p_included - p.as_f64().unwrap()).abs() < 1e-12);
    }
}
