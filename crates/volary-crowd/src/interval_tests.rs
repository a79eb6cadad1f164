use super::*;
use crate::special::beta_cdf;
use proptest::prelude::*;

/// k, n, Wilson, Beta(k + ½, n − k + ½) quantiles, Clopper–Pearson, all at 0.95, and P(p > ½) under
/// Beta(k + 1, n − k + 1). From statsmodels 0.15.0 `proportion_confint` (wilson, jeffreys, beta) and
/// scipy 1.17.1 `betaincc`; −1e-17 and the like at the ends set to 0 and 1.
type Golden = (f64, f64, [f64; 2], [f64; 2], [f64; 2], f64);
#[rustfmt::skip]
const GOLDEN: [Golden; 16] = [
    (0.0, 1.0, [0.0, 0.7934506856227627], [0.0003855809807559011, 0.8532536836904249], [0.0, 0.975], 0.25),
    (1.0, 1.0, [0.2065493143772374, 1.0], [0.14674631630957513, 0.9996144190192441], [0.025, 1.0], 0.75),
    (1.0, 2.0, [0.09453120573423068, 0.9054687942657693], [0.06083027592009732, 0.9391697240799026], [0.01257911709342505, 0.9874208829065749], 0.5),
    (0.0, 3.0, [0.0, 0.5614970317550455], [0.00015063602543656843, 0.5355832430429504], [0.0, 0.7075982261787134], 0.0625),
    (2.0, 5.0, [0.11762077423264788, 0.7692757187239871], [0.09439032734434406, 0.7905833359239951], [0.052744950526316906, 0.8533672003653269], 0.34375),
    (7.0, 8.0, [0.5291118177871466, 0.9775825085499434], [0.5462806789675853, 0.9861617662096792], [0.47349032912479344, 0.9968402764687481], 0.98046875),
    (8.0, 10.0, [0.49016247153664183, 0.9433178485456247], [0.4972255035600069, 0.9559405864473692], [0.4439045376923585, 0.9747892736731666], 0.96728515625),
    (10.0, 10.0, [0.7224672001371106, 1.0], [0.7828037324907894, 0.9999521095668424], [0.6915028921812392, 1.0], 0.99951171875),
    (0.0, 14.0, [0.0, 0.21531080273763586], [3.4452671802005825e-05, 0.161553304514194], [0.0, 0.2316357616501165], 3.0517578125e-05),
    (5.0, 14.0, [0.16344731753554134, 0.612355768960926], [0.1514864312292023, 0.6154599788390229], [0.1275984298591596, 0.6486198893840083], 0.15087890625),
    (14.0, 14.0, [0.7846891972623641, 1.0], [0.838446695485806, 0.999965547328198], [0.7683642383498834, 1.0], 0.999969482421875),
    (3.0, 20.0, [0.052368745896216595, 0.36041886474075696], [0.04413134197515587, 0.348577710858454], [0.0320709371854637, 0.37892682654531396], 0.0007448196411132812),
    (20.0, 40.0, [0.35199526933465375, 0.6480047306653463], [0.34960350192086226, 0.6503964980791377], [0.33801781373723455, 0.6619821862627655], 0.5),
    (1.0, 100.0, [0.001767432064140647, 0.05448619617870533], [0.0010811017090800639, 0.045778896600723124], [0.00025314603297742064, 0.05445938539208066], 4.02319061662716e-29),
    (333.0, 777.0, [0.3942106827863783, 0.4636349800609256], [0.39409439230027055, 0.46357949616689625], [0.39345982322788753, 0.46422708449984545], 3.3610427847540726e-05),
    (999.0, 1000.0, [0.9943574414020421, 0.9998234536293739], [0.9953355411912086, 0.999892081195319], [0.9944410757201734, 0.9999746825125088], 1.0),
];

/// a, b, p, then the p-quantile and the upper p-quantile of Beta(a, b), from scipy 1.17.1 `betaincinv` and
/// `betainccinv` (which stop at 2.2e-308).
#[rustfmt::skip]
const QUANTILES: [(f64, f64, f64, f64, f64); 16] = [
    (0.02, 0.03, 0.025, 9.305926515549332e-70, 1.0),
    (0.02, 0.03, 1e-6, 1.179666333311602e-289, 1.0),
    (0.57219, 5.53248, 0.025, 0.00024341255679770897, 0.3976932326265706),
    (0.57219, 5.53248, 1e-6, 5.010545623569397e-12, 0.8985190439206119),
    (0.001, 50.0, 0.025, 2.225073858507201e-308, 1.1472925385650282e-13),
    (0.001, 50.0, 1e-6, 2.225073858507201e-308, 0.09825459418838937),
    (300.5, 700.5, 0.025, 0.27220615793616126, 0.3289496539247107),
    (300.5, 700.5, 1e-6, 0.23454115651606433, 0.3715714364765269),
    (12345.5, 54321.25, 0.025, 0.18224260444347332, 0.18813982337594937),
    (12345.5, 54321.25, 1e-6, 0.17809945520244985, 0.19240103845210324),
    (400000.5, 600000.5, 0.025, 0.39904010823104946, 0.40096047062918666),
    (400000.5, 600000.5, 1e-6, 0.3976728603118448, 0.40233021900452187),
    (3.5, 1000000.5, 0.025, 8.449327547503207e-07, 8.006336075301122e-06),
    (3.5, 1000000.5, 1e-6, 3.9261731016431124e-08, 2.026067491035566e-05),
    (5e8, 5e8, 0.025, 0.49996901024840673, 0.5000309897515933),
    (5e8, 5e8, 1e-6, 0.49992484176290025, 0.5000751582370997),
];

fn close(interval: Interval, expected: [f64; 2]) {
    assert!((interval.low - expected[0]).abs() < 1e-12, "{interval:?} {expected:?}");
    assert!((interval.high - expected[1]).abs() < 1e-12, "{interval:?} {expected:?}");
}

#[test]
fn intervals_are_those_of_statsmodels() {
    for (k, n, by_score, by_posterior, exact, tail) in GOLDEN {
        close(wilson(k, n, 0.95), by_score);
        close(beta_interval(k + 0.5, n - k + 0.5, 0.95), by_posterior);
        let low = if k == 0.0 { 0.0 } else { by_posterior[0] };
        let high = if k == n { 1.0 } else { by_posterior[1] };
        close(jeffreys(k, n, 0.95), [low, high]);
        close(clopper_pearson(k, n, 0.95), exact);
        let got = beta_tail(k + 1.0, n - k + 1.0, 0.5);
        assert!((got / tail - 1.0).abs() < 1e-11, "{k} of {n}: {got} {tail}");
    }
}

#[test]
fn quantiles_are_those_of_scipy_for_any_shape() {
    for (a, b, p, lower, upper) in QUANTILES {
        let got = beta_quantile(a, b, p);
        // Where the share is below the smallest positive number, so is ours.
        let same = if lower < 1e-300 { got < 1e-300 } else { (got / lower - 1.0).abs() < 1e-10 };
        assert!(same, "{a} {b} {p}: {got} {lower}");
        let got = beta_upper_quantile(a, b, p);
        assert!((got / upper - 1.0).abs() < 1e-10, "{a} {b} {p}: {got} {upper}");
    }
}

#[test]
fn nothing_seen_is_nothing_known() {
    for interval in [wilson, jeffreys, clopper_pearson] {
        assert_eq!(interval(0.0, 0.0, 0.95), Interval::WHOLE);
    }
    assert_eq!((beta_tail(2.0, 3.0, 0.0), beta_tail(2.0, 3.0, 1.0)), (1.0, 0.0));
}

#[test]
fn a_million_votes_on_one_subject() {
    let interval = jeffreys(4e5, 1e6, 0.95);
    let half = 1.959_963_984_540_054 * (0.24_f64 / 1e6).sqrt();
    assert!((interval.width() / (2.0 * half) - 1.0).abs() < 1e-5);
    assert!((wilson(4e5, 1e6, 0.95).width() / interval.width() - 1.0).abs() < 1e-5);
}

#[test]
fn exact_intervals_cover_and_jeffreys_covers_on_average() {
    // Exact coverage at n = 20 for shares in steps of 1 %, summed over all k.
    let n = 20_u32;
    let mut mean_jeffreys = 0.0;
    for percent in 1..100_u32 {
        let p = f64::from(percent) / 100.0;
        let (mut exact, mut posterior) = (0.0, 0.0);
        for k in 0..=n {
            let chance = binomial(n, k) * p.powi(k as i32) * (1.0 - p).powi((n - k) as i32);
            let (k, n) = (f64::from(k), f64::from(n));
            exact += chance * f64::from(u8::from(clopper_pearson(k, n, 0.95).contains(p)));
            posterior += chance * f64::from(u8::from(jeffreys(k, n, 0.95).contains(p)));
        }
        assert!(exact >= 0.95, "{p}: {exact}");
        mean_jeffreys += posterior / 99.0;
    }
    assert!((mean_jeffreys - 0.95).abs() < 0.01, "{mean_jeffreys}");
}

fn binomial(n: u32, k: u32) -> f64 {
    (0..k).fold(1.0, |c, i| c * f64::from(n - i) / f64::from(i + 1))
}

#[test]
fn names_go_there_and_back() {
    for kind in IntervalKind::ALL {
        assert_eq!(IntervalKind::parse(kind.as_str()), Some(kind));
    }
    assert_eq!(IntervalKind::parse("wald"), None);
}

const ALL: [fn(f64, f64, f64) -> Interval; 3] = [wilson, jeffreys, clopper_pearson];

proptest! {
    #[test]
    fn intervals_hold_the_share_rise_with_k_mirror_and_widen(
        k in 0..200_u32, more in 0..200_u32, level in 0.5..0.999_f64,
    ) {
        let (k, n) = (f64::from(k), f64::from(k + more + 1));
        for interval in ALL {
            let at = interval(k, n, level);
            prop_assert!(at.low <= k / n + 1e-15 && k / n <= at.high + 1e-15, "{at:?}");
            prop_assert!(0.0 <= at.low && at.high <= 1.0);
            let next = interval(k + 1.0, n, level);
            prop_assert!(at.low <= next.low && at.high <= next.high);
            let mirror = interval(n - k, n, level);
            prop_assert!((at.low + mirror.high - 1.0).abs() < 1e-12);
            prop_assert!((at.high + mirror.low - 1.0).abs() < 1e-12);
            prop_assert!(interval(k, n, level + 5e-4).width() >= at.width());
        }
    }

    #[test]
    fn quantiles_invert_the_distribution(
        a in 0.05..2000.0_f64, b in 0.05..2000.0_f64, p in 0.0005..0.9995_f64,
    ) {
        let x = beta_quantile(a, b, p);
        // Close to 1 the digits of 1 − x run out, and the distribution is steep in them.
        prop_assume!(x < 1.0 - 1e-6);
        prop_assert!((beta_cdf(a, b, x) - p).abs() < 1e-9, "{x}");
        let y = beta_upper_quantile(a, b, p);
        prop_assume!(y < 1.0 - 1e-6);
        prop_assert!((beta_tail(a, b, y) - p).abs() < 1e-9, "{y}");
    }

    #[test]
    fn both_tails_make_one(a in 0.05..500.0_f64, b in 0.05..500.0_f64, x in 0.001..0.999_f64) {
        prop_assert!((beta_cdf(a, b, x) + beta_tail(a, b, x) - 1.0).abs() < 1e-13);
        prop_assert!((beta_cdf(a, b, x) - beta_tail(b, a, 1.0 - x)).abs() < 1e-12);
    }
}

/// From mpmath, as roots of its regularised incomplete beta function at 30 digits; the first is tan(0.475 π).
#[test]
fn students_half_widths() {
    for (freedom, level, t) in [
        (1.0, 0.95, 12.706_204_736_174_705),
        (4.0, 0.95, 2.776_445_105_197_794_4),
        (10.0, 0.95, 2.228_138_851_986_275),
        (10.0, 0.99, 3.169_272_672_616_951),
        (100.0, 0.95, 1.983_971_518_523_552_3),
    ] {
        let found = student_half_width(freedom, level);
        assert!((found / t - 1.0).abs() < 1e-10, "{freedom} {level}: {found} {t}");
    }
    assert!((student_half_width(1.0, 0.95) - (0.475 * std::f64::consts::PI).tan()).abs() < 1e-9);
    assert!((student_half_width(1e9, 0.95) - normal_half_width(0.95)).abs() < 1e-6);
}

/// From scipy 1.x, `2 * t.sf`; and the half width is where it is the rest of the level.
#[test]
fn students_tails() {
    for (t, freedom, p) in
        [(3.2, 22.0, 0.004_132_078_486_691_364), (12.0, 9.0, 7.699_886_222_985_653e-7)]
    {
        assert!(
            (student_p(t, freedom) / p - 1.0).abs() < 1e-9
                && student_p(t, freedom) == student_p(-t, freedom)
        );
    }
    assert!((student_p(student_half_width(7.0, 0.9), 7.0) - 0.1).abs() < 1e-12);
    assert_eq!((student_p(0.0, 3.0), student_p(f64::INFINITY, 3.0)), (1.0, 0.0));
}
