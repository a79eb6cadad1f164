use super::*;
use crate::draws;
use crate::shapes::Measure;
use proptest::prelude::*;
use volary_core::drawn::{DrawnMark, DrawnRow};
use volary_core::seed::{self, Rng};

/// A crowd at work: who drew what on which subject.
#[derive(Default)]
struct Board {
    drawn: Drawn,
}

impl Board {
    fn row(&mut self, subject: &str, volunteer: &str, mark: Option<DrawnMark>) {
        let n = self.drawn.rows.len() as u64 + 1;
        let pool = &mut self.drawn.pool;
        let [workflow, task, subject, volunteer_key] =
            ["7", "T0", subject, volunteer].map(|t| pool.intern(t));
        // One classification of a volunteer and subject.
        let classification = pool.intern(&format!("{volunteer}-{}", pool.text(subject).to_owned()));
        self.drawn.rows.push(DrawnRow {
            workflow,
            task,
            subject,
            volunteer: volunteer_key,
            classification,
            created_ms: Some(5),
            row: n,
            mark,
        });
    }

    fn draw(&mut self, subject: &str, volunteer: &str, form: Form, numbers: &[f64]) {
        let index = self.drawn.rows.len() as u32;
        let mark = DrawnMark {
            index,
            frame: 0,
            tool: Some(0),
            tool_label: None,
            form,
            numbers: numbers.to_vec(),
            points: Vec::new(),
        };
        self.row(subject, volunteer, Some(mark));
    }

    fn outline(&mut self, subject: &str, volunteer: &str, points: &[(f64, f64)]) {
        self.draw(subject, volunteer, Form::Outline, &[]);
        let last = self.drawn.rows.last_mut().unwrap();
        last.mark.as_mut().unwrap().points = points.to_vec();
    }

    fn find(&self, params: &ShapeParams) -> ShapeConsensus {
        shapes(&self.drawn, params, &|_, _| None)
    }
}

fn params() -> ShapeParams {
    ShapeParams::default()
}

#[test]
fn three_of_four_drew_one_circle() {
    let mut board = Board::default();
    for (who, x) in [("a", 10.0), ("b", 11.0), ("c", 12.0)] {
        board.draw("s", who, Form::Circle, &[x, 20.0, 5.0]);
    }
    board.row("s", "d", None);
    let found = board.find(&params());
    let [group] = &found.groups[..] else { panic!("{found:?}") };
    assert_eq!((group.n_seen, group.clusters.len()), (4, 1));
    let cluster = &group.clusters[0];
    assert_eq!((cluster.n_volunteers, cluster.share), (3, 0.75));
    assert_eq!(cluster.share_interval, crate::interval::jeffreys(3.0, 4.0, 0.95));
    let x = cluster.values[0];
    assert_eq!((x.value, x.sd), (11.0, Some(1.0)));
    // Student's t with two degrees of freedom at 97.5 %: 4.302653.
    assert!((x.interval.unwrap().high - 11.0 - 4.302_652_729_911 / 3.0_f64.sqrt()).abs() < 1e-9);
    assert_eq!(cluster.values[2].sd, Some(0.0));
    assert!(cluster.iou_mean.unwrap() > 0.7);
}

#[test]
fn two_vortices_side_by_side_stay_two() {
    let mut board = Board::default();
    for who in ["a", "b", "c", "d"] {
        board.draw("s", who, Form::Circle, &[10.0, 10.0, 5.0]);
        board.draw("s", who, Form::Circle, &[11.5, 10.0, 5.0]);
    }
    let found = board.find(&params());
    let clusters = &found.groups[0].clusters;
    assert_eq!(clusters.iter().map(|c| c.n_volunteers).collect::<Vec<_>>(), [4, 4]);
    // The original makes one of them, with twice as many marks as volunteers.
    let all = params().counting(Members::EveryMark, Repeats::First);
    let clusters = &board.find(&all).groups[0].clusters;
    assert_eq!((clusters.len(), clusters[0].n_marks, clusters[0].n_volunteers), (1, 8, 4));
}

#[test]
fn one_volunteer_five_hundred_times_is_nobody() {
    let mut board = Board::default();
    for _ in 0..500 {
        board.draw("s", "a", Form::Circle, &[10.0, 10.0, 5.0]);
    }
    for i in 0..500 {
        board.draw("s", "a", Form::Circle, &[10.0, 10.0, 5.0 + f64::from(i) * 1e-4]);
    }
    for who in ["b", "c", "d"] {
        board.draw("s", who, Form::Circle, &[40.0, 10.0, 5.0]);
    }
    for algorithm in [Algorithm::Dbscan, Algorithm::Hdbscan, Algorithm::Optics { xi: 0.15 }] {
        let found = board.find(&params().with(algorithm, Measure::Auto));
        let group = &found.groups[0];
        assert!(group.clusters.iter().all(|c| c.n_marks == c.n_volunteers), "{algorithm:?}");
        let copies = group.marks.iter().filter(|m| m.fate == Fate::Copy).count();
        assert_eq!((group.n_seen, copies), (4, 500), "{algorithm:?}");
    }
    let clusters = &board.find(&params()).groups[0].clusters;
    assert_eq!((clusters.len(), clusters[0].n_volunteers), (1, 3));
}

#[test]
fn marks_that_cannot_be_used_are_listed() {
    let mut board = Board::default();
    for who in ["a", "b", "c"] {
        board.draw("s", who, Form::Circle, &[10.0, 10.0, 5.0]);
    }
    board.draw("s", "d", Form::Circle, &[10.0, 10.0, 0.0]);
    board.draw("s", "e", Form::Circle, &[f64::NAN, 10.0, 3.0]);
    board.draw("s", "f", Form::Circle, &[f64::INFINITY, 10.0, 3.0]);
    board.draw("s", "g", Form::Circle, &[-10.0, 10.0, 3.0]);
    board.draw("s", "h", Form::Circle, &[990.0, 10.0, 3.0]);
    board.draw("s", "i", Form::Circle, &[1.0]);
    let found = shapes(&board.drawn, &params(), &|_, _| Some((640.0, 480.0)));
    assert_eq!(found.groups[0].clusters.len(), 1);
    assert_eq!(found.groups[0].n_seen, 9, "whoever drew nonsense saw it too");
    let unusable = found.groups[0].marks.iter().filter(|m| m.fate == Fate::Unusable).count();
    assert_eq!((unusable, found.problems.total()), (6, 6));
    let said: Vec<&str> = found.problems.examples().map(|p| p.detail.as_str()).collect();
    for word in ["no area", "not a number", "outside the image"] {
        assert!(said.iter().any(|s| s.contains(word)), "{said:?}");
    }
}

#[test]
fn outlines_crossing_themselves_are_repaired_and_listed() {
    let mut board = Board::default();
    let square = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)];
    for who in ["a", "b"] {
        board.outline("s", who, &square);
    }
    board.outline(
        "s",
        "c",
        &[(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (-1.0, 10.0), (1.0, 11.0), (0.0, 9.0)],
    );
    board.outline("s", "d", &[(0.0, 0.0), (1.0, 1.0), (2.0, 2.0)]);
    board.outline("s", "e", &[(0.0, 0.0), (f64::NAN, 1.0), (2.0, 0.0)]);
    let found = board.find(&params());
    let cluster = &found.groups[0].clusters[0];
    assert_eq!(cluster.n_volunteers, 3);
    let outline = cluster.outline.as_ref().unwrap();
    assert!((outline.area.value - 100.0).abs() < 3.0 && outline.median.len() >= 4);
    assert!(cluster.iou_mean.unwrap() > 0.9 && !outline.intersection.is_empty());
    assert_eq!(found.problems.total(), 3);
}

#[test]
fn an_empty_table_is_an_empty_consensus() {
    let found = Board::default().find(&params());
    assert!(found.groups.is_empty() && found.problems.total() == 0);
    let mut board = Board::default();
    board.row("s", "a", None);
    assert!(board.find(&params()).groups.is_empty());
}

#[test]
fn of_repeated_classifications_one_counts() {
    let mut board = Board::default();
    for who in ["a", "b", "c"] {
        board.draw("s", who, Form::Point, &[10.0, 10.0]);
    }
    // The same volunteer again, later, elsewhere.
    board.draw("s", "a", Form::Point, &[300.0, 300.0]);
    let again = board.drawn.pool.intern("later");
    let last = board.drawn.rows.last_mut().unwrap();
    (last.classification, last.created_ms) = (again, Some(9));
    let count = |rule| {
        let found = board.find(&params().counting(Members::OnePerVolunteer, rule));
        (found.groups[0].marks.len(), found.groups[0].clusters.len(), found.groups[0].n_seen)
    };
    assert_eq!(count(Repeats::First), (3, 1, 3));
    assert_eq!(count(Repeats::Last), (3, 0, 3));
    assert_eq!(count(Repeats::All), (4, 1, 3));
}

#[test]
fn turned_shapes_are_averaged_across_zero() {
    let mut board = Board::default();
    for (who, p) in [
        ("a", [50.0, 50.0, 20.0, 8.0, 178.0]),
        ("b", [50.0, 50.0, 20.0, 8.0, 2.0]),
        ("c", [50.0, 50.0, 8.0, 20.0, 90.0]),
    ] {
        board.draw("s", who, Form::Ellipse, &p);
    }
    let cluster = &board.find(&params()).groups[0].clusters[0];
    let angle = cluster.values[4];
    assert!(angle.value.min(180.0 - angle.value) < 1e-9, "{angle:?}");
    assert!((angle.sd.unwrap() - 2.0).abs() < 1e-9);
    assert!((cluster.values[2].value - 20.0).abs() < 1e-9, "the long axis is the long axis");
    let mut board = Board::default();
    for (who, p) in
        [("a", [0.0, 0.0, 9.0, 9.0]), ("b", [9.0, 9.0, 0.0, 0.0]), ("c", [0.0, 0.0, 9.0, 9.0])]
    {
        board.draw("s", who, Form::Line, &p);
    }
    let values = board.find(&params()).groups[0].clusters[0].values.clone();
    let ends: Vec<f64> = values.iter().map(|v| v.value).collect();
    assert!(ends == [0.0, 0.0, 9.0, 9.0] || ends == [9.0, 9.0, 0.0, 0.0], "{ends:?}");
}

#[test]
fn parameters_out_of_range_are_refused() {
    let refused = |eps, iou, n| params().thresholds(eps, iou, n).is_err();
    assert!(refused(0.0, 0.5, 3) && refused(f64::NAN, 0.5, 3) && refused(5.0, 0.0, 3));
    assert!(refused(5.0, 1.0, 3) && refused(5.0, 0.5, 0) && !refused(5.0, 0.5, 1));
    assert!(params().level(1.0).is_err() && params().level(0.5).is_ok());
}

/// A simulated "circle the vortex": known vortices, twelve volunteers each, misses and stray marks.
struct Simulated {
    board: Board,
    /// By subject: centre and radius of each vortex.
    truth: Vec<Vec<[f64; 3]>>,
}

const NOISE_PX: f64 = 3.0;
const NOISE_R_PX: f64 = 2.0;

fn vortices(n_subjects: usize, seed: u64) -> Simulated {
    let mut rng = seed::stream(seed, "vortices");
    let mut board = Board::default();
    let mut truth = Vec::new();
    for subject in 0..n_subjects {
        let n = 1 + subject % 3;
        // On a coarse grid, so that none hides another.
        let vortices: Vec<[f64; 3]> = (0..n)
            .map(|i| {
                let jitter = |rng: &mut Rng| rng.random_range(-8.0..8.0);
                let x = 80.0 + 120.0 * i as f64 + jitter(&mut rng);
                [x, 100.0 + jitter(&mut rng), rng.random_range(20.0..35.0)]
            })
            .collect();
        for volunteer in 0..12 {
            let (subject, who) = (subject.to_string(), format!("v{volunteer}"));
            board.row(&subject, &who, None);
            for &[x, y, r] in &vortices {
                if rng.random_bool(0.8) {
                    let noise = |rng: &mut Rng, s: f64| s * draws::normal(rng);
                    let p = [
                        x + noise(&mut rng, NOISE_PX),
                        y + noise(&mut rng, NOISE_PX),
                        r + noise(&mut rng, NOISE_R_PX),
                    ];
                    board.draw(&subject, &who, Form::Circle, &p);
                }
            }
            if rng.random_bool(0.15) {
                let p = [rng.random_range(0.0..400.0), rng.random_range(0.0..200.0), 15.0];
                board.draw(&subject, &who, Form::Circle, &p);
            }
        }
        truth.push(vortices);
    }
    Simulated { board, truth }
}

/// Known vortices are found, stray marks are not, and intervals cover what they should.
#[test]
fn known_vortices_are_found_again() {
    let simulated = vortices(400, 11);
    let found = simulated.board.find(&params());
    let pool = &simulated.board.drawn.pool;
    let (mut n_true, mut n_found, mut n_shapes) = (0, 0, 0);
    let mut covered = [0_u32; 3];
    let (mut shares_covered, mut bias) = (0, [0.0; 3]);
    for group in &found.groups {
        let truth = &simulated.truth[pool.text(group.subject).parse::<usize>().unwrap()];
        n_true += truth.len();
        n_shapes += group.clusters.len();
        for vortex in truth {
            let near = group
                .clusters
                .iter()
                .find(|c| (c.values[0].value - vortex[0]).hypot(c.values[1].value - vortex[1]) < 10.0);
            let Some(cluster) = near else { continue };
            n_found += 1;
            shares_covered += u32::from(cluster.share_interval.contains(0.8));
            for p in 0..3 {
                covered[p] += u32::from(cluster.values[p].interval.unwrap().contains(vortex[p]));
                bias[p] += cluster.values[p].value - vortex[p];
            }
        }
    }
    let share = |n: u32| f64::from(n) / f64::from(n_found);
    let coverage = covered.map(share);
    eprintln!(
        "vortices {n_true}, found {n_found}, shapes {n_shapes}, coverage {coverage:?}, of shares {}",
        share(shares_covered)
    );
    assert!(f64::from(n_found) >= 0.99 * n_true as f64, "{n_found} of {n_true}");
    assert!(n_shapes as u32 <= n_found + n_true as u32 / 100, "{n_shapes} shapes");
    // 95 % within four standard errors (799 vortices: ±3.1 %). Twelve votes at 0.8 give Jeffreys' interval an
    // exact coverage of 91.19 %.
    assert!(coverage.iter().all(|c| (0.919..=0.981).contains(c)), "{coverage:?}");
    assert!((share(shares_covered) - 0.9119).abs() < 0.04, "{}", share(shares_covered));
    for b in bias {
        assert!((b / f64::from(n_found)).abs() < 0.15, "{bias:?}");
    }
}

#[test]
fn the_other_algorithms_find_them_too() {
    let simulated = vortices(60, 5);
    let n_true: usize = simulated.truth.iter().map(Vec::len).sum();
    for (algorithm, measure) in [
        (Algorithm::Hdbscan, Measure::Auto),
        (Algorithm::Optics { xi: 0.1 }, Measure::Auto),
        (Algorithm::Dbscan, Measure::Euclidean),
    ] {
        let found = simulated.board.find(&params().with(algorithm, measure));
        let n: usize = found.groups.iter().map(|g| g.clusters.len()).sum();
        let near = (0.85 * n_true as f64..=1.15 * n_true as f64).contains(&(n as f64));
        assert!(near, "{algorithm:?} {measure:?}: {n} of {n_true}");
    }
}

fn boards() -> impl Strategy<Value = Vec<(u8, u8, f64, f64, f64)>> {
    let mark = (0..3_u8, 0..6_u8, 0.0..60.0_f64, 0.0..60.0_f64, 1.0..15.0_f64);
    proptest::collection::vec(mark, 0..40)
}

fn board(marks: &[(u8, u8, f64, f64, f64)], shift: f64) -> Board {
    let mut board = Board::default();
    for (i, (subject, who, x, y, r)) in marks.iter().enumerate() {
        board.draw(&subject.to_string(), &format!("v{who}"), Form::Circle, &[x + shift, y + shift, *r]);
        board.drawn.rows.last_mut().unwrap().mark.as_mut().unwrap().index = i as u32;
    }
    board
}

type Shown = (String, Vec<(u32, Vec<f64>)>);

fn shown(board: &Board, params: &ShapeParams) -> Vec<Shown> {
    let found = board.find(params);
    let group = |g: &Group| {
        let cluster =
            |c: &Cluster| (c.n_volunteers, c.values.iter().map(|v| v.value).collect::<Vec<_>>());
        (board.drawn.pool.text(g.subject).to_owned(), g.clusters.iter().map(cluster).collect())
    };
    found.groups.iter().map(group).collect()
}

const ALGORITHMS: [Algorithm; 3] =
    [Algorithm::Dbscan, Algorithm::Hdbscan, Algorithm::Optics { xi: 0.15 }];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_order_of_marks_never_matters(marks in boards(), turn in 0..40_usize) {
        let mut turned = marks.clone();
        turned.reverse();
        turned.rotate_left(turn % marks.len().max(1));
        for algorithm in ALGORITHMS {
            let params = params().with(algorithm, Measure::Auto).thresholds(20.0, 0.3, 2).unwrap();
            prop_assert_eq!(shown(&board(&marks, 0.0), &params), shown(&board(&turned, 0.0), &params));
        }
    }

    #[test]
    fn moving_all_shapes_moves_the_consensus(marks in boards(), shift in 0.0..500.0_f64) {
        let params = params().thresholds(20.0, 0.3, 2).unwrap();
        let (here, there) = (shown(&board(&marks, 0.0), &params), shown(&board(&marks, shift), &params));
        for (a, b) in here.iter().zip(&there) {
            prop_assert_eq!(a.1.len(), b.1.len());
            // Clusters of equal size may change places: compare as sets, by the nearest.
            for (n, p) in &a.1 {
                let is_there = b.1.iter().any(|(m, q)| {
                    n == m && (q[0] - p[0] - shift).abs() < 1e-6 && (q[1] - p[1] - shift).abs() < 1e-6
                        && (q[2] - p[2]).abs() < 1e-6
                });
                prop_assert!(is_there, "{:?} {:?}", a, b);
            }
        }
    }

    #[test]
    fn a_volunteer_is_never_twice_in_a_shape(marks in boards()) {
        for algorithm in ALGORITHMS {
            let params = params().with(algorithm, Measure::Auto).thresholds(20.0, 0.2, 2).unwrap();
            let board = board(&marks, 0.0);
            for group in board.find(&params).groups {
                let mut seen = BTreeSet::new();
                for mark in &group.marks {
                    if let Fate::Member(cluster) = mark.fate {
                        prop_assert!(seen.insert((cluster, board.drawn.rows[mark.row].volunteer)));
                    }
                }
                for cluster in &group.clusters {
                    prop_assert_eq!(cluster.n_marks, cluster.n_volunteers);
                    prop_assert!(cluster.n_volunteers >= 2 && cluster.n_volunteers <= group.n_seen);
                }
                prop_assert_eq!(group.marks.len(), marks.iter().filter(|m| m.0.to_string() == board.drawn.pool.text(group.subject)).count());
            }
        }
    }
}
