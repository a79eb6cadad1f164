use super::*;
use proptest::prelude::*;

fn drawn(points: &[Corner]) -> Outline {
    Outline::drawn(points).unwrap().0
}

fn square(x: f64, y: f64, side: f64) -> Outline {
    drawn(&[(x, y), (x + side, y), (x + side, y + side), (x, y + side)])
}

#[test]
fn overlaps_on_paper() {
    let (a, b) = (square(0.0, 0.0, 2.0), square(1.0, 1.0, 2.0));
    assert_eq!((a.area(), a.overlap(&b)), (4.0, 1.0));
    assert!((a.distance(&b) - (1.0 - 1.0 / 7.0)).abs() < 1e-15);
    assert_eq!(a.distance(&a), 0.0);
    assert_eq!(a.distance(&square(9.0, 9.0, 1.0)), 1.0);
    assert_eq!(union(&[&a, &b]).unwrap().area(), 7.0);
    assert_eq!(intersection(&[&a, &b]).unwrap().area(), 1.0);
    assert_eq!(intersection(&[&a, &square(9.0, 9.0, 1.0)]), None);
    assert_eq!(union(&[]), None);
}

#[test]
fn levels_count_who_agrees() {
    // Three squares in a row, each half over the next: two agree in two places, three nowhere.
    let row = [square(0.0, 0.0, 2.0), square(1.0, 0.0, 2.0), square(2.0, 0.0, 2.0)];
    let found = levels(&[&row[0], &row[1], &row[2]], 10);
    let areas: Vec<f64> = found.iter().map(Outline::area).collect();
    assert_eq!(areas, [8.0, 4.0]);
    let same = square(0.0, 0.0, 3.0);
    assert_eq!(levels(&[&same, &same, &same], 10).len(), 3);
    assert_eq!(levels(&[&same, &same, &same], 2).len(), 2);
}

#[test]
fn both_ways_of_finding_levels_agree() {
    let blobs: Vec<Outline> = (0..6)
        .map(|i| {
            let (x, y) = (f64::from(i % 3) * 1.3, f64::from(i / 2) * 0.9);
            drawn(&[(x, y), (x + 6.0, y - 1.0), (x + 7.0, y + 5.0), (x + 1.0, y + 6.0)])
        })
        .collect();
    let all: Vec<&Outline> = blobs.iter().collect();
    let areas = |found: Vec<Outline>| found.iter().map(Outline::area).collect::<Vec<f64>>();
    let (pairs, each) = (areas(by_pairs(&all, 10).unwrap()), areas(one_by_one(&all, 10)));
    assert_eq!((pairs.len(), each.len()), (6, 6));
    for (a, b) in pairs.iter().zip(&each) {
        assert!((a - b).abs() < 1e-9, "{pairs:?} {each:?}");
    }
    assert!(pairs.windows(2).all(|w| w[0] > w[1]));
}

#[test]
fn rings_begin_where_those_of_geos_begin() {
    // shapely 2.0.7: the first three corners of the union and of the intersection of two squares.
    let (a, b) = (square(0.0, 0.0, 2.0), square(1.0, 1.0, 2.0));
    assert_eq!(union(&[&a, &b]).unwrap().ring()[..3], UNION[..3]);
    assert_eq!(intersection(&[&a, &b]).unwrap().ring()[..3], INTERSECTION[..3]);
}

#[test]
fn a_hole_is_filled_in_a_union() {
    let u = drawn(&[
        (0.0, 0.0),
        (3.0, 0.0),
        (3.0, 3.0),
        (2.0, 3.0),
        (2.0, 1.0),
        (1.0, 1.0),
        (1.0, 3.0),
        (0.0, 3.0),
    ]);
    let lid = drawn(&[(0.0, 2.5), (3.0, 2.5), (3.0, 3.5), (0.0, 3.5)]);
    assert_eq!(union(&[&u, &lid]).unwrap().area(), 10.5);
}

#[test]
fn a_bow_tie_keeps_its_larger_wing() {
    // Crosses at (1, 1): a small wing below, a large one above.
    let crossing = [(0.0, 0.0), (3.0, 3.0), (-1.0, 3.0), (2.0, 0.0)];
    let (piece, fault) = Outline::drawn(&crossing).unwrap();
    assert_eq!(fault, Some(OutlineFault::Crossing));
    assert!((piece.area() - 4.0).abs() < 1e-12, "{piece:?}");
}

#[test]
fn what_is_no_outline() {
    let fault = |points: &[Corner]| Outline::drawn(points).unwrap_err();
    assert_eq!(fault(&[]), OutlineFault::NoArea);
    assert_eq!(fault(&[(1.0, 1.0)]), OutlineFault::NoArea);
    assert_eq!(fault(&[(0.0, 0.0), (1.0, 1.0), (5.0, 5.0), (0.0, 0.0)]), OutlineFault::NoArea);
    assert_eq!(fault(&[(2.0, 2.0); 500]), OutlineFault::NoArea);
    assert_eq!(fault(&[(0.0, 0.0), (f64::NAN, 1.0), (5.0, 0.0)]), OutlineFault::NotANumber);
    assert_eq!(fault(&[(0.0, 0.0), (f64::INFINITY, 1.0), (5.0, 0.0)]), OutlineFault::NotANumber);
    // There and back again.
    assert_eq!(fault(&[(0.0, 0.0), (1.0, 0.0), (2.0, 1.0), (1.0, 0.0)]), OutlineFault::NoArea);
}

fn blob() -> impl Strategy<Value = Vec<Corner>> {
    let place = (-50.0..50.0_f64, -50.0..50.0_f64);
    let radii = proptest::collection::vec(1.0..30.0_f64, 3..12);
    (place, radii).prop_map(|((x, y), radii)| {
        let step = std::f64::consts::TAU / radii.len() as f64;
        let corner =
            |(i, r): (usize, &f64)| (x + r * (step * i as f64).cos(), y + r * (step * i as f64).sin());
        radii.iter().enumerate().map(corner).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn areas_of_union_and_overlap_add_up(a in blob(), b in blob()) {
        let (a, b) = (drawn(&a), drawn(&b));
        let overlap = a.overlap(&b);
        let pieces = union_pieces(&[&a, &b]);
        let both: f64 = pieces.iter().map(Outline::area).sum();
        prop_assert!((a.area() + b.area() - overlap - both).abs() < 1e-9);
        prop_assert!((overlap - b.overlap(&a)).abs() < 1e-9);
        let d = a.distance(&b);
        prop_assert!((-1e-12..=1.0).contains(&d), "{}", d);
    }

    #[test]
    fn any_scribble_is_repaired_or_refused(points in proptest::collection::vec((-9.0..9.0_f64, -9.0..9.0_f64), 0..25)) {
        if let Ok((outline, _)) = Outline::drawn(&points) {
            prop_assert!(outline.area() > 0.0);
            prop_assert!((outline.distance(&outline)).abs() < 1e-12);
        }
    }

    #[test]
    fn triangle_inequality_of_overlap(a in blob(), b in blob(), c in blob()) {
        let (a, b, c) = (drawn(&a), drawn(&b), drawn(&c));
        prop_assert!(a.distance(&c) <= a.distance(&b) + b.distance(&c) + 1e-9);
    }
}

const UNION: [Corner; 8] =
    [(2.0, 0.0), (0.0, 0.0), (0.0, 2.0), (1.0, 2.0), (1.0, 3.0), (3.0, 3.0), (3.0, 1.0), (2.0, 1.0)];
const INTERSECTION: [Corner; 4] = [(2.0, 2.0), (2.0, 1.0), (1.0, 1.0), (1.0, 2.0)];
