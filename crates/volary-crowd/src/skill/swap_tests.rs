use super::maths::information_bits;
use super::*;
use crate::aggregate::contract::{self, Relabel, votes_of};
use crate::interval::beta_tail;
use crate::repeats::Repeats;
use crate::simulate::{CrowdParams, simulate};
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use volary_core::truth::Truth;

fn close(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance, "{a} is not {b} within {tolerance}");
}

/// A binary engine with one subject of unknown class, one positive and one negative gold subject.
fn binary(params: &SwapParams) -> Swap {
    Swap::new(2, 3, vec![None, Some(1), Some(0)], params).unwrap()
}

#[test]
fn the_worked_example_of_space_warps() {
    // 8 of 10 on positives, 9 of 10 on negatives: S1 = 9/12, S0 = 10/12; prior 0.12.
    let params = SwapParams { prior: Some(vec![0.88, 0.12]), ..SwapParams::even_start() };
    let mut engine = binary(&params);
    for volunteer in [0, 1] {
        for i in 0..10 {
            engine.vote(1, volunteer, u32::from(i < 8)).unwrap();
            engine.vote(2, volunteer, u32::from(i == 0)).unwrap();
        }
    }
    close(engine.matrix(0)[3], 0.75, 1e-15);
    close(engine.matrix(0)[0], 10.0 / 12.0, 1e-15);
    engine.vote(0, 0, 1).unwrap();
    close(engine.posterior(0)[1], 0.09 / (0.09 + 0.88 / 6.0), 1e-12);
    close(engine.posterior(0)[1], 0.3803, 5e-5);
    engine.vote(0, 1, 0).unwrap();
    close(engine.posterior(0)[1], 0.1555, 5e-5);
}

#[test]
fn one_vote_of_a_beginner_says_nothing_unless_we_trust_them() {
    let mut even = binary(&SwapParams::even_start());
    even.vote(0, 0, 1).unwrap();
    close(even.posterior(0)[1], 0.5, 1e-15);
    let mut mild = binary(&SwapParams::default());
    mild.vote(0, 0, 1).unwrap();
    close(mild.posterior(0)[1], 2.0 / 3.0, 1e-15);
}

#[test]
fn skill_in_bits() {
    let of = |a: f64, b: f64| {
        let cells = [b, 1.0 - b, 1.0 - a, a];
        information_bits(2, |class, given| cells[class * 2 + given])
    };
    let s = |x: f64| if x > 0.0 { x * x.log2() } else { 0.0 };
    for (a, b) in [(0.5, 0.5), (1.0, 1.0), (0.0, 0.0), (0.9, 0.7), (1.0, 0.0), (0.2, 0.4)] {
        let paper = 0.5 * (s(a) + s(1.0 - a)) + 0.5 * (s(b) + s(1.0 - b))
            - s(0.5 * (a + 1.0 - b))
            - s(0.5 * (1.0 - a + b));
        close(of(a, b), paper, 1e-14);
    }
    // A random clicker has none, a perfect volunteer one bit, and so has one who is always wrong.
    assert_eq!((of(0.5, 0.5), of(1.0, 1.0), of(0.0, 0.0)), (0.0, 1.0, 1.0));
    close(information_bits(4, |a, b| f64::from(u8::from(a == b))), 2.0, 1e-15);
}

#[test]
fn contribution_is_the_sum_of_skill_when_each_vote_was_given() {
    let mut engine = binary(&SwapParams::even_start());
    let mut sum = 0.0;
    for i in 0..20 {
        sum += engine.bits(0);
        engine.vote(1 + i % 2, 0, 1 - i % 2).unwrap();
    }
    close(engine.contribution(0), sum, 1e-12);
    assert_eq!((engine.contribution(1), engine.n_cast(0)), (0.0, 20));
    assert!(engine.bits(0) > 0.5 && efficiency(&engine).unwrap() > 0.0);
    assert_eq!(efficiency(&binary(&SwapParams::default())), None);
}

#[test]
fn cells_have_their_beta_interval() {
    let mut engine = binary(&SwapParams::even_start());
    for i in 0..10 {
        engine.vote(1, 0, u32::from(i < 8)).unwrap();
    }
    let cell = engine.matrix_intervals(0, 0.95)[3];
    close(beta_tail(9.0, 3.0, cell.low), 0.975, 1e-9);
    close(beta_tail(9.0, 3.0, cell.high), 0.025, 1e-9);
    let bits = engine.bits_interval(0, 0.95, 2000, 1);
    assert!(bits.low <= engine.bits(0) && engine.bits(0) <= bits.high && bits.high < 1.0);
    assert_eq!(bits, engine.bits_interval(0, 0.95, 2000, 1));
    assert_eq!(engine.bits_intervals(0.95, 200, 3)[2], engine.bits_interval(2, 0.95, 200, 3));
    // Nothing is known of the third: from nothing to nearly everything.
    let unknown = engine.bits_interval(2, 0.95, 2000, 1);
    assert!(unknown.low == 0.0 && unknown.high > 0.4, "{unknown:?}");
}

#[test]
fn four_thousand_votes_do_not_underflow() {
    let mut engine = Swap::new(3, 1, vec![None], &SwapParams::default()).unwrap();
    for i in 0..4000 {
        engine.vote(0, 0, i % 2).unwrap();
    }
    let p = engine.posterior(0);
    close(p.iter().sum::<f64>(), 1.0, 1e-12);
    close(p[0], 0.5, 1e-9);
    assert!(p[2] < 1e-300);
    for _ in 0..4000 {
        engine.vote(0, 0, 1).unwrap();
    }
    assert_eq!(engine.posterior(0)[1], 1.0);
    assert!(engine.posteriors().iter().all(|p| p.is_finite()));
}

#[test]
fn thresholds_settle_and_late_votes_open_again() {
    let params = SwapParams { threshold: Some(Threshold::Any(0.9)), ..SwapParams::default() };
    let mut engine = binary(&params);
    let mut last = None;
    for _ in 0..4 {
        last = Some(engine.vote(0, 0, 1).unwrap());
    }
    // (2/3)^n against (1/3)^n: 0.889 after three votes, 0.941 after four.
    let Some(Judged { standing: Standing::Settled { answer, at_vote, probability }, .. }) = last else {
        panic!("not settled: {last:?}")
    };
    assert_eq!((answer, at_vote), (Some(1), 4));
    close(probability, 16.0 / 17.0, 1e-12);
    let late = engine.vote(0, 1, 0).unwrap();
    assert!(late.resurrected && engine.n_resurrected() == 1);
    assert_eq!(engine.standings()[0], Standing::Open);
    // A known subject never retires.
    for _ in 0..50 {
        engine.vote(1, 0, 1).unwrap();
    }
    assert_eq!(engine.standings()[1], Standing::Open);
}

#[test]
fn detection_and_rejection_of_one_answer() {
    let threshold = Threshold::Of { answer: 1, detect: 0.95, reject: 1e-2 };
    let params = SwapParams { threshold: Some(threshold), ..SwapParams::default() };
    let mut engine = Swap::new(2, 1, vec![None, None], &params).unwrap();
    for _ in 0..7 {
        engine.vote(0, 0, 1).unwrap();
        engine.vote(1, 0, 0).unwrap();
    }
    let answer = |s: usize| match engine.standings()[s] {
        Standing::Settled { answer, at_vote, .. } => Some((answer, at_vote)),
        Standing::Open => None,
    };
    assert_eq!(answer(0), Some((Some(1), 5)));
    assert_eq!(answer(1), Some((None, 7)));
}

#[test]
fn a_settled_subject_corrects_what_its_voters_learnt() {
    let threshold = Some(Threshold::Any(0.9));
    let params = SwapParams { learning: Learning::SelfTaught, threshold, ..SwapParams::default() };
    let mut engine = Swap::new(2, 4, vec![None], &params).unwrap();
    for v in 0..3 {
        engine.vote(0, v, 1).unwrap();
        // The first voter was taught that 1 is as sure as one vote makes it.
        close(engine.counts()[3], 2.0 / 3.0, 1e-12);
    }
    engine.vote(0, 3, 1).unwrap();
    assert_ne!(engine.standings()[0], Standing::Open);
    // 16/17 now, for everybody who said so; and rows still sum to what was counted.
    for v in 0..4 {
        close(engine.counts()[4 * v + 3], 16.0 / 17.0, 1e-12);
        close(engine.counts()[4 * v + 1], 1.0 / 17.0, 1e-12);
    }
    close(engine.matrix(0)[3], (2.0 + 16.0 / 17.0) / (3.0 + 16.0 / 17.0), 1e-12);
}

#[test]
fn a_review_opens_what_a_spammer_closed() {
    let params =
        SwapParams { threshold: Some(Threshold::Any(0.9)), keep_votes: true, ..SwapParams::default() };
    let mut engine = Swap::new(2, 1, vec![None, Some(0), Some(1)], &params).unwrap();
    for _ in 0..4 {
        engine.vote(0, 0, 1).unwrap();
    }
    assert_ne!(engine.standings()[0], Standing::Open);
    // Then it turns out that the volunteer says 1 whatever is shown.
    for i in 0..200 {
        engine.vote(1 + i % 2, 0, 1).unwrap();
    }
    assert_eq!(engine.review(), [0]);
    assert_eq!((engine.standings()[0], engine.n_resurrected()), (Standing::Open, 1));
    assert!((engine.posterior(0)[1] - 0.5).abs() < 0.05);
    let mut forgetful = binary(&SwapParams::default());
    forgetful.vote(0, 0, 1).unwrap();
    assert!(forgetful.review().is_empty());
}

fn refuses(n_answers: usize, gold: Vec<Option<u32>>, params: &SwapParams, words: &str) {
    let error = Swap::new(n_answers, 1, gold, params).unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
}

#[test]
fn what_is_asked_wrongly_is_refused_in_words() {
    let with = |change: fn(&mut SwapParams)| {
        let mut params = SwapParams::default();
        change(&mut params);
        params
    };
    refuses(0, vec![], &SwapParams::default(), "at least one answer");
    refuses(2, vec![Some(2)], &SwapParams::default(), "gold answer 2, of 2");
    refuses(2, vec![], &with(|p| p.wrong = 0.0), "wrong answer is 0");
    refuses(2, vec![], &with(|p| p.wrong = f64::NAN), "wrong answer is NaN");
    refuses(2, vec![], &with(|p| p.right = Some(-1.0)), "right answer is -1");
    refuses(2, vec![], &with(|p| p.prior = Some(vec![1.0])), "1 entries for 2");
    refuses(2, vec![], &with(|p| p.prior = Some(vec![1.0, 0.0])), "above 0");
    refuses(2, vec![], &with(|p| p.threshold = Some(Threshold::Any(1.5))), "threshold is 1.5");
    refuses(2, vec![], &with(|p| p.leak = 1.0), "leak");
    let crossed = Threshold::Of { answer: 0, detect: 0.5, reject: 0.6 };
    let params = SwapParams { threshold: Some(crossed), ..SwapParams::default() };
    refuses(2, vec![], &params, "rejection");
    let nobody = Threshold::Of { answer: 7, detect: 0.5, reject: 0.1 };
    refuses(
        2,
        vec![],
        &SwapParams { threshold: Some(nobody), ..SwapParams::default() },
        "answer 7, of 2",
    );
    let offline =
        SwapParams { pace: Pace::Offline, learning: Learning::SelfTaught, ..SwapParams::default() };
    refuses(2, vec![], &offline, "dawid-skene");
    let mut engine = binary(&SwapParams::default());
    assert!(engine.vote(9, 0, 0).unwrap_err().to_string().contains("subject 9, of 3"));
    assert!(engine.vote(0, 9, 0).unwrap_err().to_string().contains("volunteer 9, of 3"));
    assert!(engine.vote(0, 0, 9).unwrap_err().to_string().contains("answer 9, of 2"));
    let last = SwapMethod { repeats: Repeats::Last, ..SwapMethod::default() };
    assert_eq!(SwapRunning::new(&last, &[]).unwrap_err(), SwapError::RepeatsLast);
}

#[test]
fn no_votes_one_vote_one_class() {
    let none = SwapVotes {
        n_answers: 2,
        n_volunteers: 0,
        gold: &[],
        subject: &[],
        volunteer: &[],
        answer: &[],
    };
    assert!(swap(&none, &SwapParams::default()).unwrap().posteriors().is_empty());
    let uneven = SwapVotes { subject: &[0], ..none };
    let error = swap(&uneven, &SwapParams::default()).unwrap_err().to_string();
    assert!(error.contains("1 subjects, 0 volunteers"), "{error}");
    let mut one = Swap::new(1, 1, vec![None], &SwapParams::default()).unwrap();
    one.vote(0, 0, 0).unwrap();
    one.vote(0, 0, NO_ANSWER).unwrap();
    assert_eq!((one.posterior(0), one.n_votes()), (vec![1.0], &[1][..]));
    assert_eq!((one.bits(0), one.matrix(0)), (0.0, vec![1.0]));
    assert_eq!(one.matrix_intervals(0, 0.95)[0].low, 1.0);
}

fn shared(path: &str) -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(path);
    if !found.exists() {
        eprintln!("skipped: {} is not here", found.display());
        return None;
    }
    Some(found)
}

fn numbers(path: &Path) -> Vec<Vec<f64>> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().skip(1).map(|l| l.split(',').map(|c| c.parse().unwrap()).collect()).collect()
}

type Demo = (Vec<(u32, u32, u32)>, Vec<Option<u32>>);

/// kSWAP's demo, whose users meet subjects again on purpose: (subject, user, answer), gold by subject.
fn kswap_demo() -> Option<Demo> {
    let classifications = shared("zooniverse/swap/kswap-demo-classifications.csv")?;
    let gold = numbers(&shared("zooniverse/swap/kswap-demo-gold-labels.csv")?);
    let text = std::fs::read_to_string(classifications).unwrap();
    let rows = text.lines().skip(1).map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        let answer = line.split(r#"""value"": """#).nth(1).unwrap().chars().next().unwrap();
        let subject = cells[cells.len() - 1].parse().unwrap();
        (subject, cells[1].parse().unwrap(), answer.to_digit(10).unwrap())
    });
    Some((rows.collect(), gold.iter().map(|g| Some(g[1] as u32)).collect()))
}

/// The reference outputs (an independent implementation, see the README beside them): posteriors and
/// skills to 1e-9, and its count of right answers.
#[test]
fn the_kswap_references() {
    let Some((rows, gold)) = kswap_demo() else { return };
    let column = |pick: fn(&(u32, u32, u32)) -> u32| rows.iter().map(pick).collect::<Vec<u32>>();
    let (subject, volunteer, answer) = (column(|r| r.0), column(|r| r.1), column(|r| r.2));
    let votes = SwapVotes {
        n_answers: 3,
        n_volunteers: 5,
        gold: &gold,
        subject: &subject,
        volunteer: &volunteer,
        answer: &answer,
    };
    for (pace, pace_name, n_right) in
        [(Pace::Online, "online", [67, 66]), (Pace::Offline, "offline", [78, 77])]
    {
        for (at, (denominator, denominator_name)) in
            [(Denominator::TwoGamma, "denom2"), (Denominator::Row, "denomk")].into_iter().enumerate()
        {
            let params = SwapParams { pace, denominator, leak: 1e-9, ..SwapParams::even_start() };
            let engine = swap(&votes, &params).unwrap();
            let name = format!("zooniverse_expected/swap/kswap3_{pace_name}_{denominator_name}");
            let expected = numbers(&shared(&format!("{name}_subjects.csv")).unwrap());
            assert_eq!(expected.len(), 100);
            let mut right = 0;
            for row in &expected {
                let p = engine.posterior(row[0] as u32);
                assert_eq!(f64::from(engine.n_votes()[row[0] as usize]), row[2]);
                (0..3).for_each(|k| close(p[k], row[3 + k], 1e-9));
                right += usize::from((0..3).all(|k| p[k] <= p[row[1] as usize]));
            }
            assert_eq!(right, n_right[at], "{name}");
            for row in numbers(&shared(&format!("{name}_users.csv")).unwrap()) {
                let matrix = engine.matrix(row[0] as u32);
                (0..9).for_each(|c| close(matrix[c], row[2 + c], 1e-9));
                assert_eq!(engine.n_cast(row[0] as u32) as f64, row[1]);
            }
            let path = trajectory(&votes, &params, 7).unwrap();
            assert_eq!((path.len(), path.last()), (10, Some(&engine.posterior(7))));
        }
    }
}

impl Relabel for Swapped {
    fn relabel(&self, rename: &dyn Fn(&str) -> String) -> Self {
        let probability = self.probability.iter().map(|(a, p)| (rename(a), *p)).collect();
        Self { probability, ..self.clone() }
    }
}

fn self_taught() -> SwapMethod {
    let params = SwapParams { learning: Learning::SelfTaught, ..SwapParams::default() };
    SwapMethod { params, ..SwapMethod::default() }
}

fn with_gold() -> SwapMethod {
    let mut gold = Truth::default();
    gold.add("T0", "1", "answer 0");
    gold.add("T0", "2", "answer 1");
    SwapMethod { gold, ..SwapMethod::default() }
}

fn rows() -> impl Strategy<Value = Vec<contract::Row>> {
    let row = (0..4_u32, 0..5_u32, proptest::option::of(0..3_u32), 0..30_i64);
    proptest::collection::vec(row, 0..50)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn swap_obeys_the_contract(rows in rows()) {
        contract::order_invariance(&self_taught(), &rows);
        contract::duplicates_change_nothing(&self_taught(), &rows);
        // Renaming the answers renames the result, to the last digit; gold would have to be renamed too.
        contract::relabelling(&self_taught(), &rows);
        contract::order_invariance(&with_gold(), &rows);
    }

    #[test]
    fn running_is_the_batch(rows in rows()) {
        let votes = votes_of(&rows);
        for repeats in [Repeats::First, Repeats::All] {
            for method in [self_taught(), with_gold()] {
                let method = SwapMethod { repeats, ..method };
                let running = SwapRunning::new(&method, &votes.questions).unwrap();
                contract::running_is_batch(&method, running, &rows);
            }
        }
    }

    #[test]
    fn probabilities_sum_to_one(votes in proptest::collection::vec((0..3_u32, 0..4_u32, 0..5_u32), 0..80)) {
        let params = SwapParams { learning: Learning::SelfTaught, ..SwapParams::default() };
        let mut engine = Swap::new(5, 4, vec![None, Some(2), None], &params).unwrap();
        for (s, w, a) in votes {
            engine.vote(s, w, a).unwrap();
            let total: f64 = engine.posterior(s).iter().sum();
            prop_assert!((total - 1.0).abs() < 1e-12);
            let row: f64 = engine.matrix(w)[..5].iter().sum();
            prop_assert!((row - 1.0).abs() < 1e-12);
        }
    }
}

#[test]
fn the_whole_contract_in_one_line() {
    contract::check(&self_taught(), &[(1, 1, Some(0), 5), (1, 2, Some(1), 4), (2, 1, None, 3)]);
}

/// Known skill is found again from gold: the true cells lie in their 95 % intervals about as often as
/// the intervals say, and the answers beat the vote.
#[test]
fn known_skill_is_found_again() {
    let params = CrowdParams {
        n_subjects: 2000,
        n_volunteers: 40,
        n_classes: 3,
        votes_per_subject: 12.0,
        min_votes: 8,
        max_votes: 16,
        difficulty: 0.0,
        concentration: 6.0,
        seed: 11,
        ..CrowdParams::default()
    };
    let crowd = simulate(&params).unwrap();
    let mut order: Vec<usize> = (0..crowd.n_votes()).collect();
    order.sort_by_key(|&i| (crowd.created_ms[i], i));
    let column = |values: &[u32]| order.iter().map(|&i| values[i]).collect::<Vec<u32>>();
    let (subject, volunteer, answer) =
        (column(&crowd.subject), column(&crowd.volunteer), column(&crowd.answer));
    let gold: Vec<Option<u32>> =
        crowd.true_class.iter().enumerate().map(|(s, &k)| (s % 4 == 0).then_some(k)).collect();
    let votes = SwapVotes {
        n_answers: 3,
        n_volunteers: 40,
        gold: &gold,
        subject: &subject,
        volunteer: &volunteer,
        answer: &answer,
    };
    let engine = swap(&votes, &SwapParams { pace: Pace::Offline, ..SwapParams::even_start() }).unwrap();
    // The even prior is not how this crowd was drawn; forty votes a row outweigh it.
    let (mut inside, mut n) = (0, 0);
    for v in 0..40_u32 {
        let at = v as usize * 9;
        let cells = engine.matrix_intervals(v, 0.95);
        for row in 0..3 {
            let of_row = at + 3 * row..at + 3 * row + 3;
            if engine.counts()[of_row.clone()].iter().sum::<f64>() < 40.0 {
                continue;
            }
            let truth = crowd.confusion[of_row].iter().zip(&cells[3 * row..]);
            inside += truth.filter(|(p, cell)| cell.contains(**p)).count();
            n += 3;
        }
    }
    let cover = inside as f64 / n as f64;
    assert!(n > 60 && (0.9..=0.985).contains(&cover), "intervals cover {cover} of {n}");
    let mut right = [0, 0];
    let mut counts = vec![[0.0; 3]; 2000];
    (0..subject.len()).for_each(|i| counts[subject[i] as usize][answer[i] as usize] += 1.0);
    for s in (0..2000).filter(|s| s % 4 != 0) {
        let best = |p: &[f64]| (0..3).max_by(|&a, &b| p[a].total_cmp(&p[b])).unwrap();
        let truth = crowd.true_class[s] as usize;
        right[0] += usize::from(best(&engine.posterior(u32::try_from(s).unwrap())) == truth);
        right[1] += usize::from(best(&counts[s]) == truth);
    }
    assert!(right[0] > right[1], "swap {} of 1500, vote {}", right[0], right[1]);
}
