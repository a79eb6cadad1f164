use proptest::prelude::*;
use volary_core::seed::stream;

use super::*;

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9 * b.abs().max(1.0), "{a} is not {b}");
}

#[test]
fn fisher_and_newcombe_are_those_of_the_literature() {
    let factorials = Factorials::up_to(200);
    let fisher = |one, other| factorials.fisher(one, other);
    // scipy.stats.fisher_exact([[8, 2], [1, 5]]) and of [[3, 1], [1, 3]] (the tea).
    close(fisher((8, 10), (1, 6)), 0.034_965_034_965_034_97);
    close(fisher((3, 4), (1, 4)), 0.485_714_285_714_285_7);
    close(fisher((0, 50), (0, 70)), 1.0);
    // Newcombe 1998, table II: 56/70 against 48/80.
    let share = |k: f64, n: f64| (k / n, wilson(k, n, 0.95));
    let interval = newcombe(share(56.0, 70.0), share(48.0, 80.0));
    assert!(
        (interval.low - 0.0524).abs() < 5e-5 && (interval.high - 0.3339).abs() < 5e-5,
        "{interval:?}"
    );
}

#[test]
fn the_step_up_of_benjamini_and_hochberg() {
    let cases = [Case { is_positive: false, said_positive: false }; 80];
    let labels = (0..80).map(|i| Some((i / 20).to_string())).collect();
    let columns = [Column { name: "c".to_owned(), values: Values::Labels(labels) }];
    let mut rates = bias(&cases, &columns, &BiasParams::default()).unwrap();
    assert_eq!(rates.len(), 4);
    for (rate, p) in rates.iter_mut().zip([0.01, 0.04, 0.03, 0.20]) {
        rate.p = p;
    }
    control(&mut rates, 0.05);
    let q: Vec<f64> = rates.iter().map(|r| r.q).collect();
    for (q, expected) in q.iter().zip([0.04, 0.16 / 3.0, 0.16 / 3.0, 0.2]) {
        close(*q, expected);
    }
    assert_eq!(rates.iter().filter(|r| r.is_flagged).count(), 1);
}

/// Cases with three columns; errors of 10 % everywhere, and of `planted` where the first is in its top fifth.
fn world(seed: u64, planted: f64) -> (Vec<Case>, Vec<Column>) {
    let mut rng = stream(seed, "bias test");
    let (mut cases, mut columns) = (Vec::new(), [Vec::new(), Vec::new()]);
    let mut sensor = Vec::new();
    for _ in 0..2_000 {
        let (brightness, distance) = (rng.random::<f64>(), rng.random::<f64>());
        let is_positive = rng.random::<f64>() < 0.4;
        let chance = if brightness > 0.8 && is_positive { planted } else { 0.1 };
        let is_wrong = rng.random::<f64>() < chance;
        cases.push(Case { is_positive, said_positive: is_positive != is_wrong });
        columns[0].push(brightness);
        columns[1].push(distance);
        sensor.push(Some(format!("sensor {}", rng.random_range(0..4_u8))));
    }
    let [brightness, distance] = columns.map(Values::Numbers);
    let column = |name: &str, values| Column { name: name.to_owned(), values };
    let columns = vec![
        column("brightness", brightness),
        column("distance", distance),
        column("sensor", Values::Labels(sensor)),
    ];
    (cases, columns)
}

#[test]
fn a_planted_bias_is_found_and_none_where_there_is_none() {
    let (mut n_found, mut n_false, mut n_other) = (0, 0, 0);
    for seed in 0..200 {
        let (cases, columns) = world(seed, 0.1);
        let rates = bias(&cases, &columns, &BiasParams::default()).unwrap();
        n_false += u32::from(rates.iter().any(|r| r.is_flagged));
        let (cases, columns) = world(seed, 0.3);
        let rates = bias(&cases, &columns, &BiasParams::default()).unwrap();
        let is_it = |r: &SliceRate| {
            r.wrong == Wrong::FalseNegative
                && matches!(&r.conditions[0], Condition::Range { column, low, .. } if column == "brightness" && *low > 0.75)
        };
        n_found += u32::from(rates.iter().any(|r| r.is_flagged && is_it(r) && r.difference > 0.0));
        // The other slices of brightness are better than the rest because this one is worse.
        let is_of_brightness = |r: &SliceRate| matches!(&r.conditions[0], Condition::Range { column, .. } if column == "brightness");
        n_other += u32::from(rates.iter().any(|r| r.is_flagged && !is_of_brightness(r)));
    }
    println!(
        "of 200: planted bias found {n_found}, reported where there is none {n_false}, another column beside it {n_other}"
    );
    assert!(n_found >= 190, "{n_found}");
    // 5 % with a margin of three standard errors; the exact test is conservative.
    assert!(n_false <= 19 && n_other <= 24, "{n_false} {n_other}");
}

/// Four columns, one of which has nothing to do with anything; errors of 10 %, and of `planted` where three
/// conditions hold together.
fn deep_world(seed: u64, planted: f64) -> (Vec<Case>, Vec<Column>) {
    let mut rng = stream(seed, "deep bias test");
    let (mut cases, mut numbers, mut sensor) = (Vec::new(), [const { Vec::new() }; 3], Vec::new());
    for _ in 0..12_000 {
        let [brightness, distance, seeing] = [(); 3].map(|()| rng.random::<f64>());
        let which = rng.random_range(0..4_u8);
        let is_positive = rng.random::<f64>() < 0.4;
        let is_there = brightness > 0.8 && distance < 0.2 && which == 0 && is_positive;
        let is_wrong = rng.random::<f64>() < if is_there { planted } else { 0.1 };
        cases.push(Case { is_positive, said_positive: is_positive != is_wrong });
        for (column, x) in numbers.iter_mut().zip([brightness, distance, seeing]) {
            column.push(x);
        }
        sensor.push(Some(format!("sensor {which}")));
    }
    let names = ["brightness", "distance", "seeing"];
    let column = |name: &str, values| Column { name: name.to_owned(), values };
    let mut columns: Vec<Column> =
        names.into_iter().zip(numbers).map(|(name, x)| column(name, Values::Numbers(x))).collect();
    columns.push(column("sensor", Values::Labels(sensor)));
    (cases, columns)
}

#[test]
fn three_conditions_together_are_found_and_none_where_there_are_none() {
    const N: u64 = 100;
    let params = BiasParams { together: 3, ..BiasParams::default() };
    let (mut n_found, mut n_false, mut n_other, mut n_first) = (0, 0, 0, 0);
    for seed in 0..N {
        let (cases, columns) = deep_world(seed, 0.1);
        let rates = bias(&cases, &columns, &params).unwrap();
        n_false += u32::from(rates.iter().any(|r| r.is_flagged));
        let (cases, columns) = deep_world(seed, 0.45);
        let rates = bias(&cases, &columns, &params).unwrap();
        let is_it = |r: &SliceRate| {
            let holds = |c: &Condition| match c {
                Condition::Range { column, low, .. } if column == "brightness" => *low > 0.75,
                Condition::Range { column, high, .. } if column == "distance" => *high < 0.25,
                Condition::Is { label, .. } => label == "sensor 0",
                Condition::Range { .. } => false,
            };
            r.wrong == Wrong::FalseNegative && r.conditions.len() == 3 && r.conditions.iter().all(holds)
        };
        n_found += u32::from(rates.iter().any(|r| r.is_flagged && is_it(r)));
        n_first += u32::from(rates.first().is_some_and(is_it));
        // Not what lies in it by chance.
        let has_seeing = |r: &SliceRate| r.conditions.iter().any(|c| c.column() == "seeing");
        n_other += u32::from(rates.iter().any(|r| r.is_flagged && has_seeing(r)));
    }
    println!(
        "of {N}: planted triple found {n_found} (as the worst {n_first}), reported where there is none {n_false}, a column that has nothing to do with it {n_other}"
    );
    // 74 and 92: of 48 subjects with 45 % instead of 10 %, one in four sets shows too little after all that was looked at.
    assert!(n_found >= 65 && n_first >= 80, "{n_found} {n_first}");
    // 5 % with a margin of three standard errors; the exact test is conservative.
    assert!(n_false <= 11 && n_other <= 11, "{n_false} {n_other}");
}

/// Sums over a column are those of a plain count.
#[test]
fn what_shares_all_conditions_but_one() {
    let (cases, columns) = deep_world(1, 0.3);
    let single: Vec<Slices> = columns.iter().map(|c| slices(c, 3)).collect();
    let family: Family<'_> = vec![&single[0], &single[3], &single[1]];
    let table = Table::of(&cases, &family, Wrong::FalsePositive);
    let sums = table.sums();
    for (column, sums) in sums.iter().enumerate() {
        for (cell, sum) in sums.iter().enumerate() {
            let places = table.places(cell);
            let mut n = 0;
            for (row, case) in cases.iter().enumerate().filter(|(_, c)| !c.is_positive) {
                let same = |c: usize| c == column || family[c].of_case[row] == Some(places[c]);
                n += u64::from((0..3).all(same) && case.said_positive);
            }
            assert_eq!(sum.0, n);
        }
    }
}

#[test]
fn a_model_that_learnt_the_bias_and_one_that_did_not() {
    let (cases, columns) = world(3, 0.4);
    let (fair, _) = world(3, 0.1);
    let params = BiasParams::default();
    let crowd = bias(&cases, &columns, &params).unwrap();
    let of = |model: &[Case]| {
        let model = bias(model, &columns, &params).unwrap();
        inherited(&crowd, &model).iter().filter(|i| i.is_inherited && i.crowd.difference > 0.0).count()
    };
    assert!(of(&cases) >= 1);
    assert_eq!(of(&fair), 0);
}

#[test]
fn pairs_of_columns_and_small_slices() {
    let (cases, columns) = world(5, 0.1);
    let params = BiasParams { together: 2, ..BiasParams::default() };
    let rates = bias(&cases, &columns, &params).unwrap();
    assert!(rates.iter().any(|r| r.conditions.len() == 2 && r.p_within.is_some()));
    assert!(rates.iter().all(|r| (r.conditions.len() == 1) == r.p_within.is_none()));
    assert!(rates.iter().all(|r| r.n >= params.least && r.rest.1 >= params.least));
    let single = bias(&cases, &columns, &BiasParams::default()).unwrap();
    assert_eq!(rates.iter().filter(|r| r.conditions.len() == 1).count(), single.len());
    // Nothing known, one value, no cases.
    let unknown =
        vec![Column { name: "x".to_owned(), values: Values::Numbers(vec![f64::NAN; cases.len()]) }];
    assert!(bias(&cases, &unknown, &params).unwrap().is_empty());
    let same = vec![Column { name: "x".to_owned(), values: Values::Numbers(vec![1.0; cases.len()]) }];
    assert!(bias(&cases, &same, &params).unwrap().is_empty());
    assert!(bias(&[], &[], &params).unwrap().is_empty());
    assert!(
        bias(&cases, &[Column { name: "x".to_owned(), values: Values::Numbers(vec![]) }], &params)
            .is_err()
    );
    assert!(bias(&cases, &columns, &BiasParams { fdr: 0.0, ..params }).is_err());
    // One bin has no rest; a column that is named twice would count twice.
    assert!(bias(&cases, &columns, &BiasParams { n_bins: 1, ..params }).is_err());
    assert!(bias(&cases, &[columns[0].clone(), columns[0].clone()], &params).is_err());
    // What is not rated is too small, and nothing else is.
    let least = 200;
    let some = bias(&cases, &columns, &BiasParams { least, ..BiasParams::default() }).unwrap();
    let small = too_small(&cases, &columns, &BiasParams { least, ..params }).unwrap();
    let all = too_small(&cases, &columns, &BiasParams { least: u64::MAX, ..params }).unwrap();
    assert!(!small.is_empty() && !some.is_empty());
    assert_eq!(small.len() + some.len(), all.len());
    let is_rated = |one: &SmallSlice| {
        some.iter().any(|r| r.wrong == one.wrong && r.conditions == [one.condition.clone()])
    };
    assert!(small.iter().all(|one| !is_rated(one) && (one.n < least || one.n_rest < least)));
    for together in [0, 4] {
        assert!(bias(&cases, &columns, &BiasParams { together, ..params }).is_err());
    }
    // More slices than anybody looks at: said before it is begun.
    let many: Vec<Column> =
        (0..30).map(|i| Column { name: format!("x{i}"), ..columns[0].clone() }).collect();
    let error = bias(&cases, &many, &BiasParams { together: 3, ..params }).unwrap_err().to_string();
    assert!(error.contains("name fewer columns"), "{error}");
}

proptest! {
    #[test]
    fn rates_lie_in_their_intervals_and_the_order_of_cases_changes_nothing(
        rows in proptest::collection::vec((any::<bool>(), any::<bool>(), 0..5_u8), 1..300)
    ) {
        let of = |rows: &[(bool, bool, u8)]| {
            let cases: Vec<Case> = rows.iter().map(|r| Case { is_positive: r.0, said_positive: r.1 }).collect();
            let values = Values::Numbers(rows.iter().map(|r| f64::from(r.2)).collect());
            let columns = [Column { name: "x".to_owned(), values }];
            bias(&cases, &columns, &BiasParams { least: 1, ..BiasParams::default() }).unwrap()
        };
        let rates = of(&rows);
        for r in &rates {
            prop_assert!(r.interval.contains(r.rate) && (0.0..=1.0).contains(&r.p) && r.q >= r.p - 1e-12);
            prop_assert!(r.difference_interval.low <= r.difference && r.difference <= r.difference_interval.high);
        }
        let mut turned = rows.clone();
        turned.reverse();
        prop_assert_eq!(of(&turned), rates);
    }
}
