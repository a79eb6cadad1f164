use proptest::prelude::*;

use super::*;

fn table(a: &Anonymised, n_columns: usize, sensitive: &[u8]) -> Vec<(Vec<String>, String)> {
    (0..sensitive.len())
        .filter(|&row| a.leaves(row))
        .map(|row| {
            let cells = (0..n_columns).map(|c| a.label(c, row).unwrap_or("").to_owned()).collect();
            (cells, sensitive[row].to_string())
        })
        .collect()
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|v| (*v).to_owned()).collect()
}

#[test]
fn on_paper_two_countries_stay_and_a_lonely_one_is_blank_or_withheld() {
    let values = texts(&["de", "de", "de", "fr", "fr", "fr", "is"]);
    let a = anonymise(vec![Ladder::told("country", &values)], &[0; 7], Demand { k: 3, l: 1 }).unwrap();
    assert_eq!(a.label(0, 0), Some("de"));
    assert_eq!(a.label(0, 5), Some("fr"));
    assert!(!a.leaves(6) && a.label(0, 6).is_none());
    assert_eq!((a.report.n_withheld, a.report.smallest_group), (1, Some(3)));
    // Three lonely ones are a group of their own, blank.
    let values = texts(&["de", "de", "de", "fr", "fr", "fr", "is", "it", "at"]);
    let a = anonymise(vec![Ladder::told("country", &values)], &[0; 9], Demand { k: 3, l: 1 }).unwrap();
    assert!((6..9).all(|row| a.leaves(row) && a.label(0, row).is_none()));
    assert_eq!(a.report.columns[0].n_blank, 3);
    assert!((a.report.loss - 3.0 / 9.0).abs() < 1e-12);
}

#[test]
fn the_person_with_12345_classifications_does_not_stand_out() {
    let mut counts: Vec<u64> = (0..200).map(|i| 1 + i % 90).collect();
    counts.push(12_345);
    let ladder = Ladder::counts("n_classifications", &counts);
    let a = anonymise(vec![ladder], &[0; 201], Demand { k: 10, l: 1 }).unwrap();
    assert!(!a.leaves(200) || a.label(0, 200).is_none());
}

#[test]
fn diversity_is_kept_too() {
    let values = texts(&["a", "a", "a", "b", "b", "b", "c", "c", "c"]);
    let sensitive = [1, 1, 1, 1, 2, 3, 4, 4, 4];
    let demand = Demand { k: 3, l: 2 };
    let a = anonymise(vec![Ladder::told("group", &values)], &sensitive, demand).unwrap();
    let (k, l) = smallest_group(&table(&a, 1, &sensitive)).unwrap();
    assert!(k >= 3 && l >= 2, "{:?}", a.report);
    assert_eq!(a.label(0, 3), Some("b"));
    assert_eq!(a.label(0, 0), None);
}

#[test]
fn floors_and_the_top_of_them() {
    let cases = [(0, 0), (1, 1), (4, 2), (7, 5), (49, 20), (50, 50), (999, 500), (12_345, 10_000)];
    for (count, floor) in cases.into_iter().chain([(99_999_999, 10_000)]) {
        assert_eq!(floor_of(count), floor, "{count}");
    }
    let mut floors = vec![50, 50, 50, 100, 100, 10_000, 5000];
    lower_the_top(&mut floors, 3);
    assert_eq!(floors, [50, 50, 50, 100, 100, 100, 100]);
    let mut few = vec![50, 10_000];
    lower_the_top(&mut few, 3);
    assert_eq!(few, [50, 50]);
}

#[test]
fn edges() {
    let none = anonymise(vec![Ladder::counts("n", &[])], &[], Demand { k: 10, l: 1 }).unwrap();
    assert_eq!((none.report.smallest_group, none.report.n_withheld), (None, 0));
    let alone = anonymise(vec![Ladder::counts("n", &[5])], &[0], Demand { k: 2, l: 1 }).unwrap();
    assert!(!alone.leaves(0));
    let same = anonymise(vec![Ladder::counts("n", &[7; 50])], &[0; 50], Demand { k: 50, l: 1 }).unwrap();
    assert_eq!((same.report.loss, same.label(0, 0)), (0.0, Some("1-9")));
    let no_column = anonymise(vec![], &[0; 5], Demand { k: 5, l: 1 }).unwrap();
    assert_eq!(no_column.report.smallest_group, Some(5));
    assert!(!anonymise(vec![], &[0; 4], Demand { k: 5, l: 1 }).unwrap().leaves(0));
    assert!(anonymise(vec![], &[64], Demand { k: 1, l: 1 }).is_err());
    assert!(anonymise(vec![], &[0], Demand { k: 0, l: 1 }).is_err());
    assert!(anonymise(vec![Ladder::counts("n", &[1])], &[], Demand { k: 1, l: 1 }).is_err());
}

#[test]
fn a_million_volunteers() {
    let n = 1_000_000_u64;
    let mix = |i: u64, salt: u64| i.wrapping_add(salt).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    let counts: Vec<u64> = (0..n).map(|i| 1 + 40_000_000 / (1 + mix(i, 1) % 20_000_000)).collect();
    let days: Vec<Option<i32>> = (0..n).map(|i| Some(16_000 + (mix(i, 2) % 3650) as i32)).collect();
    let country: Vec<String> = (0..n).map(|i| format!("c{}", (mix(i, 3) % 90).isqrt())).collect();
    let group: Vec<String> = (0..n).map(|i| format!("g{}", (mix(i, 4) % 900).isqrt())).collect();
    let sensitive: Vec<u8> = (0..n).map(|i| (mix(i, 5) % 10) as u8).collect();
    let ladders = vec![
        Ladder::counts("n_classifications", &counts),
        Ladder::days("first", &days, Resolution::Week),
        Ladder::told("country", &country),
        Ladder::told("group", &group),
    ];
    let a = anonymise(ladders, &sensitive, Demand { k: 10, l: 2 }).unwrap();
    assert!(a.report.smallest_group.unwrap() >= 10 && a.report.fewest_sensitive.unwrap() >= 2);
}

type Rows = Vec<(u64, i32, u8, u8, u8)>;

fn rows() -> impl Strategy<Value = Rows> {
    prop::collection::vec((1..20_000_u64, 19_000..19_400_i32, 0..4_u8, 0..3_u8, 0..5_u8), 0..120)
}

/// Without a blank for the first column, where it `must_be_told`.
fn run(rows: &Rows, demand: Demand, must_be_told: bool) -> (Anonymised, Vec<u8>) {
    let first = Ladder::counts("n", &rows.iter().map(|r| r.0).collect::<Vec<_>>());
    let ladders = vec![
        if must_be_told { first.must_be_told() } else { first },
        Ladder::days("first", &rows.iter().map(|r| Some(r.1)).collect::<Vec<_>>(), Resolution::Week),
        Ladder::told("country", &rows.iter().map(|r| r.2.to_string()).collect::<Vec<_>>()),
        Ladder::told("group", &rows.iter().map(|r| r.3.to_string()).collect::<Vec<_>>()),
    ];
    let sensitive: Vec<u8> = rows.iter().map(|r| r.4).collect();
    (anonymise(ladders, &sensitive, demand).unwrap(), sensitive)
}

proptest! {
    #[test]
    fn what_leaves_is_k_anonymous_and_l_diverse(rows in rows(), k in 1..12_u32, l in 1..4_u32, must in any::<bool>()) {
        let (a, sensitive) = run(&rows, Demand { k, l }, must);
        let seen = smallest_group(&table(&a, 4, &sensitive));
        if let Some((smallest, fewest)) = seen {
            prop_assert!(smallest >= k as usize && fewest >= l as usize);
        }
        prop_assert_eq!(seen.map(|s| s.0 as u64), a.report.smallest_group);
        prop_assert_eq!(seen.map(|s| s.1 as u32), a.report.fewest_sensitive);
        let n_out = (0..rows.len()).filter(|&r| !a.leaves(r)).count() as u64;
        prop_assert_eq!(n_out, a.report.n_withheld);
        prop_assert!(!must || (0..rows.len()).all(|r| !a.leaves(r) || a.label(0, r).is_some()));
    }

    #[test]
    fn the_order_of_the_rows_changes_nothing(rows in rows(), k in 1..12_u32) {
        let mut turned = rows.clone();
        turned.reverse();
        turned.rotate_left(rows.len() / 3);
        let (a, sensitive) = run(&rows, Demand { k, l: 1 }, true);
        let (b, turned_sensitive) = run(&turned, Demand { k, l: 1 }, true);
        prop_assert_eq!(&a.report, &b.report);
        let (mut left, mut right) = (table(&a, 4, &sensitive), table(&b, 4, &turned_sensitive));
        left.sort();
        right.sort();
        prop_assert_eq!(left, right);
    }

    #[test]
    fn one_column_loses_no_cell_that_it_could_keep(values in prop::collection::vec(0..6_u8, 0..60), k in 1..8_usize) {
        let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
        let demand = Demand { k: k as u32, l: 1 };
        let a = anonymise(vec![Ladder::told("x", &texts)], &vec![0; values.len()], demand).unwrap();
        // Whatever one does, a value that fewer than k share cannot stay; every other can.
        for (row, value) in values.iter().enumerate() {
            let share = values.iter().filter(|v| *v == value).count();
            prop_assert_eq!(a.label(0, row).is_some(), share >= k);
        }
    }

    #[test]
    fn the_search_finds_what_trying_everything_finds(rows in rows(), k in 2..6_u32, must in any::<bool>()) {
        let demand = Demand { k, l: 1 };
        let (a, _) = run(&rows, demand, must);
        let ladders = a.ladders.clone();
        let base: Vec<Group> = (0..rows.len())
            .map(|r| Group { codes: codes_of(&ladders, r), n: 1, sensitive: 1 })
            .collect();
        let mut least = f64::INFINITY;
        let n_rungs: Vec<usize> = ladders.iter().map(|ladder| ladder.rungs.len()).collect();
        for mut node in 0..n_rungs.iter().product() {
            let mut levels = Vec::new();
            for n in &n_rungs {
                levels.push(node % n);
                node /= n;
            }
            let lifted = merge(base.iter().map(|g| lift(&ladders, g, &levels)).collect());
            let fates = suppress(lifted, &ladders, &levels, demand);
            least = least.min(loss_of(&fates, &ladders, &levels));
        }
        prop_assert!((a.report.loss - least).abs() < 1e-9, "{} {}", a.report.loss, least);
    }
}
