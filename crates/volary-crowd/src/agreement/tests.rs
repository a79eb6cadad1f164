use super::*;
use crate::repeats::{Repeats, counted};
use crate::simulate::multiple::{MultipleParams, simulate_multiple};
use crate::{CrowdParams, simulate};
use proptest::prelude::*;
use volary_core::votes::VotesBuilder;

type Row = (u32, u32, &'static str);

fn table(kind: QuestionKind, rows: impl IntoIterator<Item = (String, String, Option<String>)>) -> Votes {
    let mut builder = VotesBuilder::default();
    let mut known = std::collections::BTreeMap::new();
    for (subject, volunteer, answer) in rows {
        let next = known.len();
        let id = *known.entry((subject.clone(), volunteer.clone())).or_insert_with(|| {
            builder.classification("w", &subject, &volunteer, None, &next.to_string())
        });
        builder.vote(id, "T0", kind, answer.as_deref());
    }
    builder.finish()
}

fn single(rows: &[Row]) -> Votes {
    let row = |(s, v, a): &Row| (s.to_string(), v.to_string(), (!a.is_empty()).then(|| (*a).to_owned()));
    table(QuestionKind::Single, rows.iter().map(row))
}

fn measured(votes: &Votes, params: &AgreementParams) -> Vec<AgreementRow> {
    agreement(votes, &counted(votes, Repeats::First), params).unwrap()
}

fn at(level: Level) -> AgreementParams {
    AgreementParams { level: Some(level), n_replicates: 50, ..AgreementParams::default() }
}

fn value(rows: &[AgreementRow], answer: Option<u32>, measure: Measure) -> f64 {
    let row = rows.iter().find(|r| r.answer == answer && r.measure == measure).unwrap();
    row.value.unwrap_or_else(|| panic!("{measure:?}: {:?}", row.missing))
}

/// Krippendorff 2011, "Computing Krippendorff's alpha-reliability", the example with four observers and
/// missing data; a dot is missing.
fn krippendorffs_example() -> Votes {
    let observers = ["123321412...", "12332241 25.3", ".33323422 51.", "12332441 251."];
    let rows = (0..).zip(observers).flat_map(|(v, line)| {
        let answers = line.bytes().filter(|b| *b != b' ').enumerate();
        answers
            .filter(|(_, b)| *b != b'.')
            .map(move |(u, b)| (u.to_string(), format!("{v}"), Some(char::from(b).to_string())))
    });
    table(QuestionKind::Single, rows.collect::<Vec<_>>())
}

#[test]
fn krippendorffs_own_example() {
    let votes = krippendorffs_example();
    assert_eq!(votes.votes.len(), 41);
    // As printed in the paper: 0.743, 0.815, 0.849; the digits are those of `krippendorff` 0.9.0.
    for (level, expected) in [
        (Level::Nominal, 0.743421052631579),
        (Level::Ordinal, 0.8153875037548814),
        (Level::Interval, 0.8491071428571428),
    ] {
        let rows = measured(&votes, &at(level));
        let alpha = value(&rows, None, Measure::Alpha(level));
        assert!((alpha - expected).abs() < 1e-12, "{level:?}: {alpha}");
        // The subject with a single vote says nothing about agreement.
        assert_eq!((rows[0].n_subjects, rows[0].n_votes), (11, 40));
    }
}

/// A table of counts as votes: `counts[u][c]` votes for c on u, by volunteers who take turns.
fn from_counts(counts: &[Vec<u32>]) -> Votes {
    let mut rows = Vec::new();
    for (u, counts) in counts.iter().enumerate() {
        let answers = (0..).zip(counts).flat_map(|(c, n)| std::iter::repeat_n(c, *n as usize));
        rows.extend(
            (0..)
                .zip(answers)
                .map(|(v, c): (u32, u32)| (u.to_string(), v.to_string(), Some(c.to_string()))),
        );
    }
    table(QuestionKind::Single, rows)
}

/// The worked example that textbooks share: ten subjects, fourteen raters, five categories; κ = 0.210.
#[test]
fn the_textbook_example_of_fleiss_kappa() {
    let counts: Vec<Vec<u32>> = [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
    .map(|row| row.to_vec())
    .to_vec();
    let rows = measured(&from_counts(&counts), &at(Level::Nominal));
    let (kappa, pairs) =
        (value(&rows, None, Measure::FleissKappa), value(&rows, None, Measure::PairAgreement));
    // statsmodels 0.15.0, fleiss_kappa.
    assert!((kappa - 0.20993070442195522).abs() < 1e-12, "{kappa}");
    assert!((pairs - 0.378021978021978).abs() < 1e-12, "{pairs}");
}

/// The first votes of a shared set, by file order, as pandas' `drop_duplicates` keeps them.
fn real(set: &str) -> Option<Votes> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/crowd");
    let path = root.join(set).join("labels.csv");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: {} is not here", path.display());
        return None;
    };
    let mut builder = VotesBuilder::default();
    for (row, line) in text.lines().skip(1).enumerate() {
        let cells: Vec<&str> = line.split(',').collect();
        let c = builder.classification("", cells[0], cells[1], None, &row.to_string());
        builder.vote(c, "label", QuestionKind::Single, Some(cells[2]));
    }
    Some(builder.finish())
}

/// α: `krippendorff` 0.9.0. κ: `statsmodels` 0.15.0 where every subject has the same number of votes, else
/// `irrCAC` 0.4.4, whose last digits are rounded by its own sums (it agrees to 1e-12 with the formula).
#[test]
fn real_sets_equal_the_published_implementations() {
    type Golden = (&'static str, [f64; 3], f64, f64);
    let golden: [Golden; 9] = [
        ("bluebirds", [0.1255005722022443; 3], 0.1252929019510456, 0.5881941320537812),
        ("rte", [0.24147876613881425; 3], 0.24138393913120565, 0.6286944444444444),
        ("temp", [0.2234134125777837; 3], 0.2232452838513445, 0.6128908128908129),
        (
            "dog",
            [0.5194178413233598, 0.8130853082838057, 0.8180091256529992],
            0.5193582822505286,
            0.6411400247831476,
        ),
        ("sp_amt", [0.7376881219894578; 3], 0.7376618881782756, 0.8688315789473684),
        (
            "web",
            [0.2104205536656979, 0.3827702421429908, 0.3868672719909051],
            0.2088798183528959,
            0.3907656041816099,
        ),
        (
            "cf",
            [0.5768366701812462, 0.5413233212916307, 0.5253762803481762],
            0.5841493332399664,
            0.6852974860882407,
        ),
        (
            "labelme",
            [0.6773569009663831, 0.8519178454445223, 0.8528304837798751],
            0.677947953556467,
            0.7205984690327075,
        ),
        ("snapshots_at_sea", [0.5517822518839501; 3], 0.5508014099423886, 0.926180180460295),
    ];
    for (set, alphas, kappa, pairs) in golden {
        let Some(votes) = real(set) else { return };
        for (level, expected) in Level::ALL.into_iter().zip(alphas) {
            let rows = measured(&votes, &AgreementParams { n_replicates: 0, ..at(level) });
            let alpha = value(&rows, None, Measure::Alpha(level));
            assert!((alpha - expected).abs() < 1e-10, "{set} {level:?}: {alpha}");
            let own = value(&rows, None, Measure::FleissKappa);
            assert!((own - kappa).abs() < 1e-10, "{set} kappa: {own}");
            let own = value(&rows, None, Measure::PairAgreement);
            assert!((own - pairs).abs() < 1e-10, "{set} pairs: {own}");
        }
    }
}

/// α of sets: `nltk` 3.10.4's `AnnotationTask`, with both distances written out (its own `masi_distance`
/// rounds ⅔ to 0.67). α of each answer: `krippendorff` 0.9.0.
#[test]
fn sets_equal_the_published_implementation() {
    let mut rows = Vec::new();
    for u in 0..20_u32 {
        for v in (0..6).filter(|v| (u + v) % 5 != 0) {
            let is_ticked =
                |a: &u32| ((u * 5 + a * 3) % 4 < 2) != (u * 7 + v * 11 + a * 13).is_multiple_of(9);
            let ticked: Vec<u32> = (0..4).filter(is_ticked).collect();
            let row = |answer: Option<String>| (u.to_string(), v.to_string(), answer);
            if ticked.is_empty() {
                rows.push(row(None));
            }
            rows.extend(ticked.iter().map(|a| row(Some(a.to_string()))));
        }
    }
    let rows = measured(&table(QuestionKind::Multiple, rows), &AgreementParams::default());
    let each = [0.5869565217391304, 0.5847902097902098, 0.5847902097902098, 0.5462440295267044];
    for (a, expected) in (0..).zip(each) {
        let alpha = value(&rows, Some(a), Measure::Alpha(Level::Nominal));
        assert!((alpha - expected).abs() < 1e-12, "{a}: {alpha}");
    }
    let jaccard = value(&rows, None, Measure::AlphaJaccard);
    assert!((jaccard - 0.4867331012126307).abs() < 1e-12, "{jaccard}");
    let masi = value(&rows, None, Measure::AlphaMasi);
    assert!((masi - 0.39407533073422196).abs() < 1e-12, "{masi}");
    assert_eq!(rows.len(), 4 * 3 + 2);
    assert!(rows.iter().all(|r| r.interval.is_some_and(|i| r.value.is_some_and(|v| i.contains(v)))));
}

fn missing(rows: &[AgreementRow], measure: Measure) -> (Option<f64>, Option<Missing>, bool) {
    let row = rows.iter().find(|r| r.measure == measure).unwrap();
    (row.value, row.missing, row.interval.is_some())
}

#[test]
fn where_agreement_has_no_meaning_it_says_why() {
    let alpha = Measure::Alpha(Level::Nominal);
    let of = |rows: &[Row]| measured(&single(rows), &at(Level::Nominal));
    assert!(of(&[]).is_empty());
    // One volunteer; one vote a subject.
    let rows = of(&[(1, 1, "a"), (2, 1, "b"), (3, 1, "a")]);
    for row in &rows {
        assert_eq!((row.value, row.missing), (None, Some(Missing::NoPairs)));
    }
    // One class.
    let rows = of(&[(1, 1, "a"), (1, 2, "a"), (2, 1, "a"), (2, 2, "a")]);
    assert_eq!(missing(&rows, alpha), (None, Some(Missing::OneAnswer), false));
    assert_eq!(missing(&rows, Measure::FleissKappa), (None, Some(Missing::OneAnswer), false));
    assert_eq!(missing(&rows, Measure::PairAgreement), (Some(1.0), Some(Missing::Unanimous), false));
    // All agree, on two classes.
    let rows = of(&[(1, 1, "a"), (1, 2, "a"), (2, 1, "b"), (2, 2, "b")]);
    assert_eq!(missing(&rows, alpha), (Some(1.0), Some(Missing::Unanimous), false));
    assert_eq!(missing(&rows, Measure::FleissKappa), (Some(1.0), Some(Missing::Unanimous), false));
    // One subject: nothing to resample, and by chance is all there is.
    let rows = of(&[(1, 1, "a"), (1, 2, "a"), (1, 3, "b")]);
    let (value, why, has_interval) = missing(&rows, alpha);
    assert!(
        value.unwrap().abs() < 1e-12 && why == Some(Missing::OneSubject) && !has_interval,
        "{value:?}"
    );
    // Blank answers are missing votes.
    let rows = of(&[(1, 1, "a"), (1, 2, ""), (2, 1, "a"), (2, 2, "b"), (3, 1, "b"), (3, 2, "b")]);
    assert_eq!((rows[0].n_subjects, rows[0].n_votes), (2, 4));
    // No replicates, no interval.
    let votes = single(&[(1, 1, "a"), (1, 2, "a"), (2, 1, "a"), (2, 2, "b")]);
    let rows = measured(&votes, &AgreementParams { n_replicates: 0, ..AgreementParams::default() });
    assert_eq!((rows[0].interval, rows[0].missing), (None, Some(Missing::FewReplicates)));
    for why in [Missing::NoPairs, Missing::OneAnswer, Missing::TooManySets, Missing::OneSubject] {
        assert!(!why.as_str().is_empty());
    }
}

#[test]
fn a_class_that_nobody_used_changes_nothing() {
    let crowd =
        simulate(&CrowdParams { n_subjects: 100, n_classes: 3, ..CrowdParams::default() }).unwrap();
    let votes = crowd.to_votes();
    let mut with_more = votes.clone();
    with_more.questions[0].answers.extend(["7".to_owned(), "9".to_owned()]);
    for level in Level::ALL {
        assert_eq!(measured(&votes, &at(level)), measured(&with_more, &at(level)), "{level:?}");
    }
}

#[test]
fn a_million_votes_on_one_subject_and_two_hundred_classes() {
    let mut patterns = Patterns::builder(Values::Ordinal(200));
    patterns.add_counts((0..200).map(|c| (c, 5_000)).collect());
    patterns.add_counts(vec![(0, 3), (199, 1)]);
    let patterns = patterns.finish();
    let alpha = patterns.measure(&patterns.n_subjects).alpha.unwrap();
    assert!(alpha.abs() < 1e-3, "{alpha}");
    let params = CrowdParams { n_subjects: 400, n_classes: 200, skill: 0.7, ..CrowdParams::default() };
    let votes = simulate(&params).unwrap().to_votes();
    let rows = measured(&votes, &at(Level::Ordinal));
    assert!(value(&rows, None, Measure::Alpha(Level::Ordinal)) > 0.2);
}

#[test]
fn too_many_sets_are_refused_with_a_reason() {
    let sets = (0..1100_u32).flat_map(|u| {
        (0..11)
            .filter(move |a| (u + 1) >> a & 1 == 1)
            .map(move |a| ((u / 2).to_string(), (u % 2).to_string(), Some(a.to_string())))
    });
    let rows = measured(&table(QuestionKind::Multiple, sets.collect::<Vec<_>>()), &at(Level::Nominal));
    assert_eq!(missing(&rows, Measure::AlphaJaccard), (None, Some(Missing::TooManySets), false));
    assert!(missing(&rows, Measure::Alpha(Level::Nominal)).0.is_some());
}

#[test]
fn levels_need_orders_and_numbers() {
    let words = single(&[
        (1, 1, "low"),
        (1, 2, "high"),
        (2, 1, "mid"),
        (2, 2, "mid"),
        (3, 1, "low"),
        (3, 2, "low"),
    ]);
    let with = |votes: &Votes, level, order: &[&str]| {
        let order = order.iter().map(|o| (*o).to_owned()).collect();
        let params = AgreementParams { order, ..at(level) };
        agreement(votes, &counted(votes, Repeats::First), &params)
    };
    let rows = with(&words, Level::Ordinal, &["low", "mid", "high"]).unwrap();
    let ordinal = value(&rows, None, Measure::Alpha(Level::Ordinal));
    // The same grades as numbers.
    let numbers =
        single(&[(1, 1, "1"), (1, 2, "3"), (2, 1, "2"), (2, 2, "2"), (3, 1, "1"), (3, 2, "1")]);
    let rows = with(&numbers, Level::Ordinal, &[]).unwrap();
    assert_eq!(ordinal, value(&rows, None, Measure::Alpha(Level::Ordinal)));
    let error = |result: Result<Vec<AgreementRow>, CrowdError>| result.unwrap_err().to_string();
    assert!(error(with(&words, Level::Ordinal, &["low", "mid"])).contains("\"high\""));
    assert!(error(with(&words, Level::Ordinal, &[])).contains("order"));
    assert!(error(with(&words, Level::Interval, &[])).contains("numbers"));
    let mixed = single(&[(1, 1, "1"), (1, 2, "many")]);
    assert!(error(with(&mixed, Level::Interval, &[])).contains("\"many\""));
    let bad = AgreementParams { confidence: 1.0, ..AgreementParams::default() };
    assert!(agreement(&words, &counted(&words, Repeats::First), &bad).is_err());
    // 2 and 2.0 are one number; without a level, sliders are intervals.
    let slider = [(1, 1, "2"), (1, 2, "2.0"), (2, 1, "5"), (2, 2, "4")]
        .map(|(s, v, a): Row| (s.to_string(), v.to_string(), Some(a.to_owned())));
    let rows = measured(&table(QuestionKind::Slider, slider), &AgreementParams::default());
    assert!(value(&rows, None, Measure::PairAgreement) == 0.5);
    assert!(value(&rows, None, Measure::Alpha(Level::Interval)) > 0.8);
    for level in Level::ALL {
        assert_eq!(Level::parse(level.as_str()), Some(level));
    }
}

#[test]
fn threads_and_runs_change_nothing_and_seeds_do() {
    let votes = simulate(&CrowdParams { n_subjects: 300, n_classes: 4, ..CrowdParams::default() })
        .unwrap()
        .to_votes();
    let params = AgreementParams { n_replicates: 200, ..AgreementParams::default() };
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| measured(&votes, &params))
    };
    assert_eq!(with(1), with(4));
    let other = measured(&votes, &AgreementParams { seed: 2, ..params.clone() });
    assert_eq!(with(1)[0].value, other[0].value);
    assert_ne!(with(1)[0].interval, other[0].interval);
}

#[test]
fn difficulty_and_spam_lower_agreement_and_truth_is_not_asked() {
    let alpha = |difficulty: f64, kinds: Vec<(crate::VolunteerKind, f64)>| {
        let effects = crate::Effects { kinds, ..crate::Effects::default() };
        let params = CrowdParams { difficulty, effects, n_classes: 3, ..CrowdParams::default() };
        let rows = measured(&simulate(&params).unwrap().to_votes(), &at(Level::Nominal));
        value(&rows, None, Measure::Alpha(Level::Nominal))
    };
    let spam = vec![(crate::VolunteerKind::Plain, 0.6), (crate::VolunteerKind::Spammer, 0.4)];
    let (easy, hard, spammed) = (alpha(0.0, Vec::new()), alpha(0.5, Vec::new()), alpha(0.0, spam));
    assert!(easy > hard + 0.1 && easy > spammed + 0.1, "{easy} {hard} {spammed}");
    assert!(alpha(1.0, Vec::new()).abs() < 0.02, "guesses agree by chance");
}

#[test]
fn correlated_errors_show_in_sets() {
    let params = MultipleParams {
        crowd: CrowdParams { n_subjects: 500, n_classes: 4, ..CrowdParams::default() },
        prevalence: vec![0.4; 4],
        correlation: 0.0,
        error_correlation: 0.0,
    };
    let votes = simulate_multiple(&params).unwrap().to_votes();
    let rows = measured(&votes, &at(Level::Nominal));
    let jaccard = value(&rows, None, Measure::AlphaJaccard);
    assert!(jaccard > 0.1 && jaccard < 0.6, "{jaccard}");
}

fn levels() -> impl Strategy<Value = Level> {
    (0..3_usize).prop_map(|i| Level::ALL[i])
}

/// Values and how they are permuted, subjects by votes.
fn votes_by_subject() -> impl Strategy<Value = Vec<Vec<u32>>> {
    proptest::collection::vec(proptest::collection::vec(0..5_u32, 0..7), 0..12)
}

fn patterns_of(subjects: &[Vec<u32>], values: Values) -> Patterns {
    let mut builder = Patterns::builder(values);
    subjects.iter().for_each(|votes| builder.add(votes.clone()));
    builder.finish()
}

fn values_of(level: Level) -> Values {
    match level {
        Level::Nominal => Values::Nominal(5),
        Level::Ordinal => Values::Ordinal(5),
        Level::Interval => Values::Interval(vec![-3.0, -1.0, 0.0, 2.5, 10.0]),
    }
}

/// α by its definition: the coincidence matrix, a distance for each pair of values.
fn by_definition(subjects: &[Vec<u32>], level: Level) -> Option<f64> {
    let mut o = [[0.0; 5]; 5];
    for votes in subjects.iter().filter(|v| v.len() > 1) {
        for (i, a) in votes.iter().enumerate() {
            for (j, b) in votes.iter().enumerate() {
                if i != j {
                    o[*a as usize][*b as usize] += 1.0 / (votes.len() - 1) as f64;
                }
            }
        }
    }
    let n_c: Vec<f64> = o.iter().map(|row| row.iter().sum()).collect();
    let n: f64 = n_c.iter().sum();
    let numbers = [-3.0, -1.0, 0.0, 2.5, 10.0_f64];
    let distance = |c: usize, k: usize| -> f64 {
        let (c, k) = (c.min(k), c.max(k));
        match level {
            Level::Nominal => f64::from(u8::from(c != k)),
            Level::Ordinal => (n_c[c..=k].iter().sum::<f64>() - (n_c[c] + n_c[k]) / 2.0).powi(2),
            Level::Interval => (numbers[c] - numbers[k]).powi(2),
        }
    };
    let pairs = || (0..5).flat_map(|c| (0..5).map(move |k| (c, k)));
    let observed: f64 = pairs().map(|(c, k)| o[c][k] * distance(c, k)).sum();
    let expected: f64 = pairs().map(|(c, k)| n_c[c] * n_c[k] * distance(c, k)).sum::<f64>() / (n - 1.0);
    (expected > 0.0).then(|| 1.0 - observed / expected)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn alpha_is_its_definition(subjects in votes_by_subject(), level in levels()) {
        let patterns = patterns_of(&subjects, values_of(level));
        let alpha = patterns.measure(&patterns.n_subjects).alpha.ok();
        match (alpha, by_definition(&subjects, level)) {
            (Some(a), Some(b)) => prop_assert!((a - b).abs() < 1e-12 * (1.0 + b.abs()), "{} {}", a, b),
            (a, b) => prop_assert_eq!(a, b),
        }
    }

    #[test]
    fn the_order_of_votes_and_subjects_changes_nothing(mut subjects in votes_by_subject(), level in levels()) {
        let before = patterns_of(&subjects, values_of(level));
        subjects.reverse();
        subjects.iter_mut().for_each(|votes| votes.reverse());
        let after = patterns_of(&subjects, values_of(level));
        let (a, b) = (before.measure(&before.n_subjects), after.measure(&after.n_subjects));
        prop_assert_eq!((a.alpha, a.kappa, a.pair_agreement), (b.alpha, b.kappa, b.pair_agreement));
    }

    /// Any names for nominal answers; the reverse order for grades; any a·x + b for numbers.
    #[test]
    fn relabelling_changes_nothing(subjects in votes_by_subject(), level in levels(), scale in 0.1..9.0_f64) {
        let rename = |c: &u32| match level {
            Level::Nominal => [3, 0, 4, 1, 2][*c as usize],
            _ => 4 - c,
        };
        let renamed: Vec<Vec<u32>> = subjects.iter().map(|v| v.iter().map(rename).collect()).collect();
        let numbers = [10.0, 2.5, 0.0, -1.0, -3.0].map(|x| 7.0 - scale * x).to_vec();
        let values = match level {
            Level::Interval => Values::Interval(numbers),
            _ => values_of(level),
        };
        let (a, b) = (patterns_of(&subjects, values_of(level)), patterns_of(&renamed, values));
        let (a, b) = (a.measure(&a.n_subjects), b.measure(&b.n_subjects));
        for (x, y) in a.as_array().into_iter().zip(b.as_array()) {
            match (x, y) {
                (Ok(x), Ok(y)) => prop_assert!((x - y).abs() < 1e-9 * (1.0 + x.abs()), "{} {}", x, y),
                (x, y) => prop_assert_eq!(x, y),
            }
        }
    }

    #[test]
    fn one_vote_at_a_time_is_all_at_once(subjects in votes_by_subject(), level in levels(), turn in 0..40_usize) {
        let mut running = match level {
            Level::Nominal => RunningAlpha::nominal(5),
            Level::Ordinal => RunningAlpha::ordinal(5),
            Level::Interval => RunningAlpha::interval(vec![-3.0, -1.0, 0.0, 2.5, 10.0]),
        };
        prop_assert_eq!(running.level(), level);
        let mut votes: Vec<(u32, u32)> =
            (0..).zip(&subjects).flat_map(|(u, votes)| votes.iter().map(move |c| (u, *c))).collect();
        let n = votes.len().max(1);
        votes.rotate_left(turn % n);
        for (u, c) in &votes {
            running.add(*u, *c);
            // A vote that comes and goes leaves nothing behind.
            running.add(u + 1, 4 - c);
            prop_assert!(running.remove(u + 1, 4 - c));
        }
        prop_assert!(!running.remove(99, 0));
        match (running.alpha(), by_definition(&subjects, level)) {
            (Ok(a), Some(b)) => prop_assert!((a - b).abs() < 1e-10 * (1.0 + b.abs()), "{} {}", a, b),
            (Ok(a), None) => prop_assert!(false, "{a} where there is none"),
            (Err(_), b) => prop_assert_eq!(b, None),
        }
    }
}
