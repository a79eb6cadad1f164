//! Every planted quantity is found again in what comes out.

use super::*;
use proptest::prelude::*;

fn with(effects: Effects) -> CrowdParams {
    CrowdParams { effects, seed: 3, ..CrowdParams::default() }
}

/// Volunteers who are all alike, on easy subjects.
fn alike(n_subjects: u32, n_classes: u32, effects: Effects) -> CrowdParams {
    CrowdParams { n_subjects, n_classes, concentration: 1e9, difficulty: 0.0, ..with(effects) }
}

/// Whether `share` of `n` is as far from `p` as chance allows.
fn near(share: f64, p: f64, n: f64) -> bool {
    (share - p).abs() < 4.5 * (p * (1.0 - p) / n).sqrt() + 1e-6
}

fn share_of(
    crowd: &SimulatedCrowd,
    keep: impl Fn(usize) -> bool,
    is: impl Fn(usize) -> bool,
) -> (f64, f64) {
    let kept: Vec<usize> = (0..crowd.n_votes()).filter(|i| keep(*i)).collect();
    let n = kept.len() as f64;
    (kept.iter().filter(|i| is(**i)).count() as f64 / n, n)
}

fn truth_of(crowd: &SimulatedCrowd, vote: usize) -> u32 {
    crowd.true_class[crowd.subject[vote] as usize]
}

/// Per vote: votes of the same volunteer before it, and those of them since a gap of 30 minutes; told from
/// the times alone.
fn places(crowd: &SimulatedCrowd) -> Vec<(u32, u32)> {
    let mut order: Vec<usize> = (0..crowd.n_votes()).collect();
    order.sort_by_key(|&i| (crowd.volunteer[i], crowd.created_ms[i], i));
    let mut places = vec![(0, 0); order.len()];
    for pair in order.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        if crowd.volunteer[a] == crowd.volunteer[b] {
            let rested = crowd.created_ms[b] - crowd.created_ms[a] > 30 * 60 * 1000;
            places[b] = (places[a].0 + 1, if rested { 0 } else { places[a].1 + 1 });
        }
    }
    places
}

/// Slopes and their standard errors of a logistic regression with a known offset, by Newton's method.
fn slopes(x: &[[f64; 2]], offset: &[f64], y: &[bool]) -> ([f64; 2], [f64; 2]) {
    let mut b = [0.0, 0.0];
    let mut covariance = [0.0; 2];
    for _ in 0..30 {
        let (mut g, mut h) = ([0.0; 2], [[0.0; 2]; 2]);
        for ((x, o), y) in x.iter().zip(offset).zip(y) {
            let p = 1.0 / (1.0 + (-(o + b[0] * x[0] + b[1] * x[1])).exp());
            let miss = f64::from(u8::from(*y)) - p;
            for ((g, row), own) in g.iter_mut().zip(&mut h).zip(x) {
                *g += miss * own;
                row.iter_mut().zip(x).for_each(|(h, other)| *h += p * (1.0 - p) * own * other);
            }
        }
        let det = h[0][0] * h[1][1] - h[0][1] * h[1][0];
        b[0] += (h[1][1] * g[0] - h[0][1] * g[1]) / det;
        b[1] += (h[0][0] * g[1] - h[1][0] * g[0]) / det;
        covariance = [h[1][1] / det, h[0][0] / det];
    }
    (b, covariance.map(f64::sqrt))
}

#[test]
fn learning_and_fatigue_are_found_again_by_regression() {
    let effects = Effects {
        learning: Spread { mean: 0.35, sd: 0.0 },
        fatigue: Spread { mean: -0.04, sd: 0.0 },
        session_votes: 25.0,
        ..Effects::default()
    };
    let params = CrowdParams {
        n_subjects: 8_000,
        n_classes: 3,
        skill: 0.6,
        difficulty: 0.2,
        effects,
        seed: 5,
        ..CrowdParams::default()
    };
    let crowd = simulate(&params).unwrap();
    let (mut x, mut offset, mut y) = (Vec::new(), Vec::new(), Vec::new());
    for (i, (before, in_session)) in places(&crowd).into_iter().enumerate() {
        let (truth, v) = (truth_of(&crowd, i) as usize, crowd.volunteer[i] as usize);
        let d = crowd.difficulty[crowd.subject[i] as usize];
        let p = (1.0 - d) * crowd.confusion[(v * 3 + truth) * 3 + truth] + d / 3.0;
        if p <= 0.0 || p >= 1.0 {
            continue;
        }
        x.push([f64::from(before + 1).ln(), f64::from(in_session)]);
        offset.push((p / (1.0 - p)).ln());
        y.push(crowd.answer[i] as usize == truth);
    }
    let (b, se) = slopes(&x, &offset, &y);
    assert!((b[0] - 0.35).abs() < 4.0 * se[0] && se[0] < 0.01, "learning {} ± {}", b[0], se[0]);
    assert!((b[1] + 0.04).abs() < 4.0 * se[1] && se[1] < 0.003, "fatigue {} ± {}", b[1], se[1]);
}

#[test]
fn people_learn_at_their_own_pace_and_spammers_do_not() {
    let effects = Effects {
        kinds: vec![(VolunteerKind::Plain, 0.9), (VolunteerKind::Spammer, 0.1)],
        learning: Spread { mean: 0.3, sd: 0.1 },
        ..Effects::default()
    };
    let crowd = simulate(&CrowdParams { n_volunteers: 20_000, ..with(effects) }).unwrap();
    let by_kind = |kind| {
        let own: Vec<f64> =
            (0..20_000).filter(|v| crowd.kind[*v] == kind).map(|v| crowd.learning[v]).collect();
        let mean = own.iter().sum::<f64>() / own.len() as f64;
        (mean, (own.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / own.len() as f64).sqrt())
    };
    let (mean, sd) = by_kind(VolunteerKind::Plain);
    assert!((mean - 0.3).abs() < 0.004 && (sd - 0.1).abs() < 0.003, "{mean} ± {sd}");
    assert_eq!(by_kind(VolunteerKind::Spammer), (0.0, 0.0));
}

#[test]
fn kinds_come_in_their_shares_with_their_skill() {
    let effects = Effects { kinds: VolunteerKind::mixed(), ..Effects::default() };
    let params = CrowdParams { n_volunteers: 30_000, n_classes: 5, ..with(effects) };
    let crowd = simulate(&params).unwrap();
    let right = |v: usize| (0..5).map(|k| crowd.confusion[v * 25 + k * 6]).sum::<f64>() / 5.0;
    for (kind, share) in VolunteerKind::mixed() {
        let own: Vec<usize> = (0..30_000).filter(|v| crowd.kind[*v] == kind).collect();
        let n = own.len() as f64;
        assert!(near(n / 30_000.0, share, 30_000.0), "{kind:?}: {n}");
        let mean = own.iter().map(|v| right(*v)).sum::<f64>() / n;
        let expected = match kind {
            VolunteerKind::Expert => 40.0 / 43.0,
            VolunteerKind::Typical => 0.75,
            // Two of five classes lose 35 % of their right answers.
            VolunteerKind::Confuser => 14.0 / 18.0 * (1.0 - 0.35 * 2.0 / 5.0),
            // Three quarters of the answers are looked at; a quarter of the time it is 1, one class of five.
            VolunteerKind::Optimist => 0.75 * 0.75 + 0.25 / 5.0,
            VolunteerKind::Spammer | VolunteerKind::Plain => 0.2,
        };
        assert!((mean - expected).abs() < 0.012, "{kind:?}: {mean}, not {expected}");
    }
    for row in crowd.confusion.chunks_exact(5) {
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12 && row.iter().all(|p| *p >= 0.0));
    }
}

/// Pearson's X² of truth by answer and its degrees of freedom, summed over the volunteers of one kind.
fn dependence(crowd: &SimulatedCrowd, kind: VolunteerKind) -> (f64, f64) {
    let k = crowd.n_classes as usize;
    let mut tables = vec![vec![0.0; k * k]; crowd.kind.len()];
    for i in 0..crowd.n_votes() {
        let at = truth_of(crowd, i) as usize * k + crowd.answer[i] as usize;
        tables[crowd.volunteer[i] as usize][at] += 1.0;
    }
    let (mut x2, mut degrees) = (0.0, 0.0);
    for (table, _) in tables.iter().zip(&crowd.kind).filter(|(_, own)| **own == kind) {
        let rows: Vec<f64> = table.chunks_exact(k).map(|r| r.iter().sum()).collect();
        let columns: Vec<f64> = (0..k).map(|l| (0..k).map(|t| table[t * k + l]).sum()).collect();
        let n: f64 = rows.iter().sum();
        let fit = |at: usize| rows[at / k] * columns[at % k] / n;
        if n == 0.0 || (0..k * k).any(|at| fit(at) < 5.0) {
            continue;
        }
        x2 += (0..k * k).map(|at| (table[at] - fit(at)).powi(2) / fit(at)).sum::<f64>();
        degrees += (k - 1).pow(2) as f64;
    }
    (x2, degrees)
}

#[test]
fn spammers_answer_independently_of_the_truth_and_others_do_not() {
    let kinds = vec![(VolunteerKind::Typical, 0.5), (VolunteerKind::Spammer, 0.5)];
    let effects = Effects { kinds, ..Effects::default() };
    let params = CrowdParams {
        n_subjects: 20_000,
        n_classes: 3,
        activity_exponent: 0.2,
        difficulty: 0.3,
        ..with(effects)
    };
    let crowd = simulate(&params).unwrap();
    let (x2, degrees) = dependence(&crowd, VolunteerKind::Spammer);
    assert!(degrees > 200.0, "{degrees}");
    assert!((x2 - degrees).abs() < 4.5 * (2.0 * degrees).sqrt(), "{x2} for {degrees}");
    let (x2, degrees) = dependence(&crowd, VolunteerKind::Typical);
    assert!(x2 > 50.0 * degrees, "{x2} for {degrees}");
}

#[test]
fn a_group_shares_its_confusion() {
    let bias = SharedBias { share: 0.3, from: 2, to: 0, strength: 0.5 };
    let crowd =
        simulate(&alike(6_000, 3, Effects { shared_bias: Some(bias), ..Effects::default() })).unwrap();
    let n = crowd.shares_bias.iter().filter(|is| **is).count() as f64;
    assert!(near(n / 200.0, 0.3, 200.0), "{n}");
    let taken = |inside: bool| {
        let keep = |i: usize| {
            truth_of(&crowd, i) == 2 && crowd.shares_bias[crowd.volunteer[i] as usize] == inside
        };
        share_of(&crowd, keep, |i| crowd.answer[i] == 0)
    };
    let (inside, n) = taken(true);
    assert!(near(inside, 0.1 + 0.4, n), "{inside} of {n}");
    let (outside, n) = taken(false);
    assert!(near(outside, 0.1, n), "{outside} of {n}");
    // The other classes are seen as everybody sees them.
    let (other, n) = share_of(&crowd, |i| truth_of(&crowd, i) == 1, |i| crowd.answer[i] == 1);
    assert!(near(other, 0.8, n), "{other} of {n}");
}

/// Share of pairs of votes on one subject that agree, over the subjects that `keep` says.
fn pair_agreement(crowd: &SimulatedCrowd, keep: impl Fn(usize) -> bool) -> f64 {
    let k = crowd.n_classes as usize;
    let mut counts = vec![0.0; crowd.true_class.len() * k];
    for i in 0..crowd.n_votes() {
        counts[crowd.subject[i] as usize * k + crowd.answer[i] as usize] += 1.0;
    }
    let (mut agree, mut pairs) = (0.0, 0.0);
    for (_, counts) in counts.chunks_exact(k).enumerate().filter(|(s, _)| keep(*s)) {
        let n: f64 = counts.iter().sum();
        agree += counts.iter().map(|c| c * (c - 1.0)).sum::<f64>();
        pairs += n * (n - 1.0);
    }
    agree / pairs
}

#[test]
fn tempting_subjects_make_errors_that_agree() {
    let temptation = Some(Temptation { share: 0.4, pull: 0.6 });
    let crowd = simulate(&alike(20_000, 4, Effects { temptation, ..Effects::default() })).unwrap();
    let tempting = crowd.tempting.iter().filter(|t| t.is_some()).count() as f64 / 20_000.0;
    assert!(near(tempting, 0.4, 20_000.0), "{tempting}");
    let of = |tempting: bool| pair_agreement(&crowd, |s| crowd.tempting[s].is_some() == tempting);
    let wrong = 0.2 / 3.0;
    let plain = 0.8 * 0.8 + 3.0 * wrong * wrong;
    assert!((of(false) - plain).abs() < 0.006, "{} not {plain}", of(false));
    let tempted =
        (0.6_f64 + 0.4 * wrong).powi(2) + (0.4_f64 * 0.8).powi(2) + 2.0 * (0.4 * wrong).powi(2);
    assert!((of(true) - tempted).abs() < 0.006, "{} not {tempted}", of(true));
    for (truth, wrong) in crowd.true_class.iter().zip(&crowd.tempting) {
        assert_ne!(Some(*truth), *wrong);
    }
}

#[test]
fn copies_agree_with_the_vote_before_them() {
    let params = alike(10_000, 3, Effects { copying: 0.3, ..Effects::default() });
    let crowd = simulate(&params).unwrap();
    let mut order: Vec<usize> = (0..crowd.n_votes()).collect();
    order.sort_by_key(|&i| (crowd.subject[i], crowd.created_ms[i], i));
    let (mut agree, mut n) = (0.0, 0.0);
    for pair in order.windows(2).filter(|p| crowd.subject[p[0]] == crowd.subject[p[1]]) {
        n += 1.0;
        agree += f64::from(u8::from(crowd.answer[pair[0]] == crowd.answer[pair[1]]));
    }
    let by_chance = 0.8 * 0.8 + 2.0 * 0.1 * 0.1;
    let expected = 0.3 + 0.7 * by_chance;
    assert!((agree / n - expected).abs() < 0.008, "{} not {expected}", agree / n);
    // Copying changes who agrees with whom, not how often people are right.
    let (right, n) = share_of(&crowd, |_| true, |i| crowd.answer[i] == truth_of(&crowd, i));
    assert!((right - 0.8).abs() < 9.0 * (0.16 / n).sqrt(), "{right}");
}

#[test]
fn hopeless_subjects_and_given_matrices() {
    let effects = Effects { hopeless_skill: Some(0.4), ..Effects::default() };
    let params = CrowdParams { difficulty: 1.0, n_classes: 4, n_subjects: 3_000, ..with(effects) };
    let crowd = simulate(&params).unwrap();
    let (right, n) = share_of(&crowd, |_| true, |i| crowd.answer[i] == truth_of(&crowd, i));
    assert!(near(right, 0.4, n), "{right} of {n}");

    let mean_confusion = vec![0.95, 0.05, 0.3, 0.7];
    let crowd = simulate(&alike(3_000, 2, Effects { mean_confusion, ..Effects::default() })).unwrap();
    for (truth, expected) in [(0, 0.05), (1, 0.7)] {
        let (ones, n) = share_of(&crowd, |i| truth_of(&crowd, i) == truth, |i| crowd.answer[i] == 1);
        assert!(near(ones, expected, n), "class {truth}: {ones} of {n}");
    }
}

#[test]
fn grades_are_missed_by_one_more_often_than_by_two() {
    let kinds = [Vec::new(), vec![(VolunteerKind::Typical, 1.0)]];
    for kinds in kinds {
        let effects = Effects { scale: Scale::Ordinal, kinds, ..Effects::default() };
        let params =
            CrowdParams { n_classes: 5, n_subjects: 20_000, n_volunteers: 2_000, ..with(effects) };
        let crowd = simulate(&params).unwrap();
        // From the lowest grade: 1, 2, 3, 4 off in proportion to 8, 4, 2, 1.
        let of = |l: usize| (0..2_000).map(|v| crowd.confusion[v * 25 + l]).sum::<f64>();
        for l in 1..4 {
            assert!((of(l) / of(l + 1) - 2.0).abs() < 0.3, "{l}: {}", of(l) / of(l + 1));
        }
    }
}

#[test]
fn gold_is_a_share_and_true_and_changes_no_vote() {
    let params = with(Effects { gold_share: 0.25, ..Effects::default() });
    let crowd = simulate(&params).unwrap();
    let (gold, truth) = (crowd.gold(), crowd.truth());
    assert!(near(gold.len() as f64 / 1000.0, 0.25, 1000.0), "{}", gold.len());
    for (task, subject, answers) in gold.iter() {
        assert_eq!(truth.answers(task, subject), answers);
    }
    let plain = simulate(&with(Effects::default())).unwrap();
    assert_eq!((&plain.answer, &plain.created_ms), (&crowd.answer, &crowd.created_ms));
    assert!(plain.gold().is_empty() && !plain.is_gold.contains(&true));
}

#[test]
fn the_machine_has_its_skill_and_its_calibration() {
    let n = 40_000;
    let score = |auc: f64, sharpness: f64| {
        let machine = Some(Machine { auc, sharpness });
        let params = CrowdParams {
            prevalence: vec![0.7, 0.3],
            ..alike(n, 2, Effects { machine, ..Effects::default() })
        };
        let crowd = simulate(&params).unwrap();
        let mut rows: Vec<(f64, bool)> = crowd
            .scores
            .chunks_exact(2)
            .map(|s| s[1])
            .zip(crowd.true_class.iter().map(|c| *c == 1))
            .collect();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        rows
    };
    // AUC by ranks (Mann–Whitney).
    let auc = |rows: &[(f64, bool)]| {
        let positive = rows.iter().filter(|r| r.1).count() as f64;
        let ranks: f64 = (1..).zip(rows).filter(|(_, r)| r.1).map(|(rank, _)| f64::from(rank)).sum();
        (ranks - positive * (positive + 1.0) / 2.0) / (positive * (rows.len() as f64 - positive))
    };
    // Largest deviation of a bin's hits from its scores, in standard errors, and the mean one.
    let calibration = |rows: &[(f64, bool)]| {
        let (mut worst, mut ece) = (0.0_f64, 0.0);
        for bin in rows.chunks(2_000) {
            let hits = bin.iter().filter(|r| r.1).count() as f64;
            let expected: f64 = bin.iter().map(|r| r.0).sum();
            let sd = bin.iter().map(|r| r.0 * (1.0 - r.0)).sum::<f64>().sqrt();
            worst = worst.max((hits - expected).abs() / sd.max(0.5));
            ece += (hits - expected).abs() / f64::from(n);
        }
        (worst, ece)
    };
    for auc_asked in [0.5, 0.75, 0.95] {
        let rows = score(auc_asked, 1.0);
        assert!((auc(&rows) - auc_asked).abs() < 0.01, "{auc_asked}: {}", auc(&rows));
        assert!(calibration(&rows).0 < 4.0, "{:?}", calibration(&rows));
    }
    let (fair, sure) = (score(0.85, 1.0), score(0.85, 3.0));
    let order = |rows: &[(f64, bool)]| rows.iter().map(|r| r.1).collect::<Vec<_>>();
    assert_eq!(order(&fair), order(&sure), "sharpness keeps the order");
    assert!(calibration(&fair).1 < 0.01 && calibration(&sure).1 > 0.08, "{:?}", calibration(&sure));
}

#[test]
fn many_classes_have_pairwise_skill_and_scores_that_sum_to_one() {
    let machine = Some(Machine { auc: 0.9, sharpness: 1.0 });
    let crowd = simulate(&alike(20_000, 4, Effects { machine, ..Effects::default() })).unwrap();
    let of = |class: u32| -> Vec<f64> {
        let rows = crowd.scores.chunks_exact(4).zip(&crowd.true_class);
        rows.filter(|(_, c)| **c == class).map(|(s, _)| (s[2] / s[1]).ln()).take(2_000).collect()
    };
    let (ones, twos) = (of(1), of(2));
    let wins = ones.iter().map(|a| twos.iter().filter(|b| *b > a).count()).sum::<usize>() as f64;
    let auc = wins / (ones.len() * twos.len()) as f64;
    assert!((auc - 0.9).abs() < 0.015, "{auc}");
    assert!(crowd.scores.chunks_exact(4).all(|s| (s.iter().sum::<f64>() - 1.0).abs() < 1e-12));
}

#[test]
fn work_comes_in_sessions() {
    let effects = Effects { session_votes: 12.0, ..Effects::default() };
    let params =
        CrowdParams { n_subjects: 5_000, n_volunteers: 300, activity_exponent: 0.5, ..with(effects) };
    let crowd = simulate(&params).unwrap();
    let places = places(&crowd);
    let sessions = places.iter().filter(|(_, in_session)| *in_session == 0).count() as f64;
    let length = places.len() as f64 / sessions;
    // Each volunteer's last session is cut short.
    assert!((length / 12.0 - 1.0).abs() < 0.1, "{length}");
    // Without other effects, sessions move votes in time and change no answer.
    let plain = simulate(&CrowdParams { effects: Effects::default(), ..params }).unwrap();
    assert_eq!(plain.answer, crowd.answer);
    assert_ne!(plain.created_ms, crowd.created_ms);
}

#[test]
fn nonsense_effects_are_refused_by_name() {
    let bad = |name: &str, effects: Effects| {
        let error = simulate(&with(effects)).expect_err(name).to_string();
        assert!(error.contains(name), "{error}");
    };
    let none = Effects::default;
    bad("kinds", Effects { kinds: vec![(VolunteerKind::Expert, 0.5)], ..none() });
    bad(
        "kinds",
        Effects { kinds: vec![(VolunteerKind::Expert, 1.5), (VolunteerKind::Plain, -0.5)], ..none() },
    );
    bad("mean_confusion", Effects { mean_confusion: vec![1.0], ..none() });
    bad("mean_confusion", Effects { mean_confusion: vec![0.9, 0.2, 0.5, 0.5], ..none() });
    bad("mean_confusion", Effects { mean_confusion: vec![1.0, 0.0, 0.5, 0.5], ..none() });
    bad("hopeless_skill", Effects { hopeless_skill: Some(1.1), ..none() });
    bad("learning.mean", Effects { learning: Spread { mean: f64::NAN, sd: 0.0 }, ..none() });
    bad("fatigue.sd", Effects { fatigue: Spread { mean: 0.0, sd: -1.0 }, ..none() });
    bad("session_votes", Effects { session_votes: 0.5, ..none() });
    let bias = SharedBias { share: 0.5, from: 0, to: 1, strength: 0.5 };
    bad("shared_bias.share", Effects { shared_bias: Some(SharedBias { share: 2.0, ..bias }), ..none() });
    bad("shared_bias.from", Effects { shared_bias: Some(SharedBias { from: 2, ..bias }), ..none() });
    bad("shared_bias.to", Effects { shared_bias: Some(SharedBias { to: 0, ..bias }), ..none() });
    bad(
        "shared_bias.strength",
        Effects { shared_bias: Some(SharedBias { strength: -0.1, ..bias }), ..none() },
    );
    bad(
        "temptation.share",
        Effects { temptation: Some(Temptation { share: -1.0, pull: 0.5 }), ..none() },
    );
    bad("temptation.pull", Effects { temptation: Some(Temptation { share: 0.5, pull: 5.0 }), ..none() });
    bad("copying", Effects { copying: 1.5, ..none() });
    bad("gold_share", Effects { gold_share: f64::INFINITY, ..none() });
    bad("machine.auc", Effects { machine: Some(Machine { auc: 1.0, sharpness: 1.0 }), ..none() });
    bad("machine.sharpness", Effects { machine: Some(Machine { auc: 0.7, sharpness: 0.0 }), ..none() });
    for kind in VolunteerKind::ALL {
        assert_eq!(VolunteerKind::parse(kind.as_str()), Some(kind));
    }
    assert_eq!(VolunteerKind::parse("genius"), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_mixture_of_effects_repeats_to_the_byte(
        seed in 0..1000_u64, learning in -1.0..1.0_f64, fatigue in -0.2..0.2_f64, copying in 0.0..1.0_f64,
        sessions in 0..3_u32, share in 0.0..1.0_f64, n_classes in 2..6_u32, ordinal: bool,
    ) {
        let effects = Effects {
            kinds: VolunteerKind::mixed(),
            scale: if ordinal { Scale::Ordinal } else { Scale::Nominal },
            hopeless_skill: Some(0.4),
            learning: Spread { mean: learning, sd: 0.2 },
            fatigue: Spread { mean: fatigue, sd: 0.02 },
            session_votes: f64::from(sessions * 5),
            shared_bias: Some(SharedBias { share, from: 0, to: 1, strength: share }),
            temptation: Some(Temptation { share, pull: 0.5 }),
            copying,
            gold_share: share,
            machine: Some(Machine { auc: 0.5 + 0.49 * share, sharpness: 1.0 + share }),
            ..Effects::default()
        };
        let params = CrowdParams {
            n_subjects: 60, n_volunteers: 30, n_classes, repeat_fraction: 0.1, seed, effects, ..CrowdParams::default()
        };
        let crowd = simulate(&params).unwrap();
        prop_assert_eq!(&crowd, &simulate(&params).unwrap());
        prop_assert!(crowd.answer.iter().all(|a| *a < n_classes));
        prop_assert!(crowd.scores.iter().all(|s| s.is_finite()));
        for row in crowd.confusion.chunks_exact(n_classes as usize) {
            prop_assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
        let other = simulate(&CrowdParams { seed: seed + 1, ..params }).unwrap();
        prop_assert_ne!(&crowd.answer, &other.answer);
    }
}
