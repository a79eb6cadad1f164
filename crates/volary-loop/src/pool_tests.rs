use std::cell::Cell;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn item(subject: &str, stream: Stream, n_votes: u32, priority: f64) -> Item {
    Item { subject: subject.to_owned(), stream, n_votes, priority }
}

fn pool(items: &[Item]) -> Pool {
    let mut pool = Pool::new(Mixture::default(), 5).unwrap();
    items.iter().for_each(|item| pool.upsert(item));
    pool
}

fn ids(served: &[Served]) -> Vec<&str> {
    served.iter().map(|s| s.subject.as_str()).collect()
}

#[test]
fn fewest_votes_then_priority_then_id() {
    let items = [
        item("e", Stream::RealTime, 2, 9.0),
        item("d", Stream::RealTime, 1, 0.5),
        item("c", Stream::RealTime, 1, 0.5),
        item("b", Stream::RealTime, 1, f64::NAN),
        item("a", Stream::RealTime, 1, -1.0),
        item("f", Stream::RealTime, 1, f64::INFINITY),
    ];
    assert_eq!(ids(&pool(&items).next(&|_| false, 9, 1)), ["f", "c", "d", "a", "b", "e"]);
    assert_eq!(ids(&pool(&items).next(&|id| id == "c" || id == "f", 2, 1)), ["d", "a"]);
}

#[test]
fn a_vote_moves_a_subject_back_and_a_retired_one_is_gone() {
    let mut pool = pool(&[item("a", Stream::Debiased, 0, 0.0), item("b", Stream::Debiased, 0, 0.0)]);
    assert_eq!(ids(&pool.next(&|_| false, 1, 1)), ["a"]);
    pool.upsert(&item("a", Stream::Debiased, 1, 0.0));
    assert_eq!(ids(&pool.next(&|_| false, 1, 1)), ["b"]);
    assert!(pool.remove("b") && !pool.remove("b"));
    assert_eq!((pool.len(), pool.n_in(Stream::Debiased)), (1, 1));
    pool.upsert(&item("a", Stream::Active, 1, 0.0));
    assert_eq!((pool.len(), pool.n_in(Stream::Debiased), pool.n_in(Stream::Active)), (1, 0, 1));
    assert!(pool.next(&|_| true, 5, 1).is_empty());
}

#[test]
fn streams_come_as_often_as_the_mixture_says() {
    let mixture = Mixture { real_time: 3.0, debiased: 1.0, active: 1.0, validation_rate: 0.05 };
    let mut pool = Pool::new(mixture, 11).unwrap();
    for stream in Stream::ALL {
        for at in 0..50 {
            pool.upsert(&item(&format!("{}-{at}", stream.as_str()), stream, 0, 0.0));
        }
    }
    let n = 40_000;
    let mut counts = BTreeMap::new();
    for ticket in 0..n {
        for served in pool.next(&|_| false, 1, ticket) {
            *counts.entry(served.stream).or_insert(0.0) += 1.0 / n as f64;
        }
    }
    let check = |stream, expected: f64| {
        let found: f64 = counts[&stream];
        let sd = (expected * (1.0 - expected) / n as f64).sqrt();
        assert!((found - expected).abs() < 4.0 * sd, "{stream:?}: {found} for {expected}");
    };
    check(Stream::RealTime, 0.95 * 0.6);
    check(Stream::Debiased, 0.95 * 0.2);
    check(Stream::Active, 0.95 * 0.2);
    check(Stream::Validation, 0.05);
    // Without one stream the others share its place; validation keeps its rate.
    (0..50).for_each(|at| assert!(pool.remove(&format!("real-time-{at}"))));
    let of = |stream| (0..n).filter(|&t| pool.next(&|_| false, 1, t)[0].stream == stream).count();
    let (debiased, validation) =
        (of(Stream::Debiased) as f64 / n as f64, of(Stream::Validation) as f64 / n as f64);
    assert!(
        (debiased - 0.475).abs() < 0.01 && (validation - 0.05).abs() < 0.005,
        "{debiased} {validation}"
    );
}

#[test]
fn validation_never_fills_up() {
    let items = [item("v", Stream::Validation, 0, 0.0), item("a", Stream::Active, 0, 0.0)];
    let pool = pool(&items);
    for ticket in 0..500 {
        assert!(pool.next(&|id| id == "a", 3, ticket).is_empty());
        assert!(ids(&pool.next(&|_| false, 9, ticket)).contains(&"a"));
    }
}

#[test]
fn a_mixture_that_is_none_is_refused() {
    let with = |real_time, validation_rate| {
        Pool::new(Mixture { real_time, debiased: 0.0, active: 0.0, validation_rate }, 1).map(|_| ())
    };
    assert_eq!(with(0.0, 0.1), Err(PoolError::Weights));
    assert_eq!(with(-1.0, 0.1), Err(PoolError::Weights));
    assert_eq!(with(f64::NAN, 0.1), Err(PoolError::Weights));
    assert_eq!(with(1.0, 1.0), Err(PoolError::ValidationRate));
    assert_eq!(with(1.0, f64::NAN), Err(PoolError::ValidationRate));
    assert_eq!(with(1.0, 0.0), Ok(()));
}

#[test]
fn one_who_has_seen_very_many_costs_no_more() {
    let mut pool = Pool::new(Mixture { validation_rate: 0.0, ..Mixture::default() }, 3).unwrap();
    for at in 0..30_000 {
        pool.upsert(&item(&format!("{at:05}"), Stream::RealTime, 0, 0.0));
    }
    let n_looked = Cell::new(0);
    let has_seen_up_to = |limit: u32| {
        let n_looked = &n_looked;
        move |id: &str| {
            n_looked.set(n_looked.get() + 1);
            id.parse::<u32>().unwrap() < limit
        }
    };
    for ticket in 0..50 {
        n_looked.set(0);
        let served = pool.next(&has_seen_up_to(20_000), 5, ticket);
        let unique: BTreeSet<&str> = ids(&served).into_iter().collect();
        assert_eq!(unique.len(), 5);
        assert!(unique.iter().all(|id| *id >= "20000"));
        assert!(n_looked.get() <= MOST_IN_ORDER + MOST_ELSEWHERE, "{}", n_looked.get());
        // In front of the limit the order is kept.
        assert_eq!(ids(&pool.next(&has_seen_up_to(900), 2, ticket)), ["00900", "00901"]);
    }
    // One in a hundred is left, as far from the front as can be: found with all 200 tickets.
    let found = (0..200).filter(|&t| pool.next(&has_seen_up_to(29_700), 1, t).len() == 1).count();
    assert_eq!(found, 200);
    n_looked.set(0);
    assert!(pool.next(&has_seen_up_to(30_000), 5, 1).is_empty());
    assert!(n_looked.get() <= MOST_IN_ORDER + MOST_ELSEWHERE);
}

/// What is to be served, by looking at everything.
fn plain(items: &BTreeMap<String, Item>, stream: Stream, seen: &BTreeSet<String>) -> Vec<String> {
    let mut open: Vec<&Item> =
        items.values().filter(|i| i.stream == stream && !seen.contains(&i.subject)).collect();
    open.sort_by(|a, b| {
        (a.n_votes.cmp(&b.n_votes))
            .then(b.priority.total_cmp(&a.priority))
            .then_with(|| a.subject.cmp(&b.subject))
    });
    open.into_iter().map(|i| i.subject.clone()).collect()
}

proptest! {
    #[test]
    fn it_serves_what_a_plain_search_serves(
        changes in proptest::collection::vec((0..30_u32, 0..5_u8, 0..4_u32, -2..3_i32), 1..80),
        seen in proptest::collection::btree_set(0..30_u32, 0..25),
        n in 0..12_usize,
        ticket in 0..1_000_u64,
    ) {
        let mut pool = Pool::new(Mixture::default(), 8).unwrap();
        let mut items = BTreeMap::new();
        for (id, stream, n_votes, priority) in changes {
            let subject = format!("{id:02}");
            if let Some(&stream) = Stream::ALL.get(usize::from(stream)) {
                let item = item(&subject, stream, n_votes, f64::from(priority));
                pool.upsert(&item);
                prop_assert_eq!(pool.get(&subject).unwrap(), item.clone());
                items.insert(subject, item);
            } else {
                prop_assert_eq!(pool.remove(&subject), items.remove(&subject).is_some());
            }
        }
        prop_assert_eq!(pool.len(), items.len());
        let seen: BTreeSet<String> = seen.into_iter().map(|id| format!("{id:02}")).collect();
        let served = pool.next(&|id| seen.contains(id), n, ticket);
        prop_assert_eq!(&served, &pool.next(&|id| seen.contains(id), n, ticket));
        let mut n_ordinary = 0;
        for stream in Stream::ALL {
            let expected = plain(&items, stream, &seen);
            let got: Vec<String> =
                served.iter().filter(|s| s.stream == stream).map(|s| s.subject.clone()).collect();
            prop_assert_eq!(&expected[..got.len()], &got[..], "in order, and none twice");
            if stream != Stream::Validation {
                n_ordinary += expected.len();
            }
        }
        // It ends early only where nothing but validation is left.
        let got = served.iter().filter(|s| s.stream != Stream::Validation).count();
        prop_assert!(served.len() == n || got == n_ordinary);
    }
}
