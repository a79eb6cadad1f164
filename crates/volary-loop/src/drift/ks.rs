//! The two-sample test of Kolmogorov and Smirnov: the largest distance of two distribution functions.
//!
//! The p-value is Smirnov's limit law with Stephens' correction for small samples (Stephens 1970,
//! doi:10.1111/j.2517-6161.1970.tb00821.x), within a few thousandths of the exact one from forty values each on.
//! Ties make it conservative.

/// How two samples compare.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KolmogorovSmirnov {
    /// Largest distance of the distribution functions, 0 to 1.
    pub distance: f64,
    /// Chance of such a distance, or a larger one, if both are samples of the same.
    pub p_value: f64,
}

/// Compares two samples; values that are no numbers are left out. None where a sample is empty then.
#[must_use]
pub fn kolmogorov_smirnov(a: &[f64], b: &[f64]) -> Option<KolmogorovSmirnov> {
    let sorted = |values: &[f64]| {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted
    };
    let (a, b) = (sorted(a), sorted(b));
    let (n, m) = (a.len() as f64, b.len() as f64);
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (mut i, mut j, mut distance) = (0, 0, 0.0_f64);
    while i < a.len() && j < b.len() {
        let value = a[i].min(b[j]);
        while i < a.len() && a[i] <= value {
            i += 1;
        }
        while j < b.len() && b[j] <= value {
            j += 1;
        }
        distance = distance.max((i as f64 / n - j as f64 / m).abs());
    }
    let root = (n * m / (n + m)).sqrt();
    Some(KolmogorovSmirnov { distance, p_value: upper_tail((root + 0.12 + 0.11 / root) * distance) })
}

/// P(K > x) for Kolmogorov's limit law.
fn upper_tail(x: f64) -> f64 {
    if x < 0.2 {
        // 1 − 4e-14 there, and the series below would need many terms.
        return 1.0;
    }
    let mut sum = 0.0;
    for k in 1..=100 {
        let k = f64::from(k);
        let term = (-2.0 * (k * x).powi(2)).exp();
        sum += if k % 2.0 == 1.0 { term } else { -term };
        if term < 1e-18 {
            break;
        }
    }
    (2.0 * sum).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lcg;

    #[test]
    fn distances_and_chances_are_those_of_scipy() {
        for row in crate::golden()["ks"].as_array().unwrap() {
            let of = |name: &str| row[name].as_f64().unwrap();
            let (n, m) = (of("n") as usize, of("m") as usize);
            let mut numbers = lcg((n + m) as u64);
            let a: Vec<f64> = numbers.by_ref().take(n).collect();
            let b: Vec<f64> = numbers.take(m).map(|v| v + of("shift")).collect();
            let found = kolmogorov_smirnov(&a, &b).unwrap();
            assert!((found.distance - of("d")).abs() < 1e-12, "{row}: {found:?}");
            assert!((found.p_value - of("p")).abs() < 0.03, "{row}: {found:?}");
            assert!((found.p_value / of("p")).ln().abs() < 0.5, "{row}: {found:?}");
        }
    }

    #[test]
    fn the_limit_law_on_paper() {
        // The 95 % and 99 % points, Smirnov 1948.
        assert!((upper_tail(1.358_1) - 0.05).abs() < 1e-5);
        assert!((upper_tail(1.627_6) - 0.01).abs() < 1e-5);
        assert_eq!((upper_tail(0.0), upper_tail(9.0)), (1.0, 2.0 * (-162.0_f64).exp()));
    }

    #[test]
    fn odd_samples() {
        assert_eq!(kolmogorov_smirnov(&[], &[1.0]), None);
        assert_eq!(kolmogorov_smirnov(&[f64::NAN], &[1.0]), None);
        assert_eq!(kolmogorov_smirnov(&[1.0; 5], &[1.0; 9]).unwrap().distance, 0.0);
        assert_eq!(kolmogorov_smirnov(&[1.0], &[2.0]).unwrap().distance, 1.0);
        let infinite = kolmogorov_smirnov(&[f64::NEG_INFINITY, 0.0], &[0.0, f64::INFINITY]).unwrap();
        assert_eq!(infinite.distance, 0.5);
    }

    #[test]
    fn without_a_difference_p_is_even() {
        let mut numbers = lcg(3);
        let mut below = 0;
        for _ in 0..2_000 {
            let a: Vec<f64> = numbers.by_ref().take(60).collect();
            let b: Vec<f64> = numbers.by_ref().take(80).collect();
            below += u32::from(kolmogorov_smirnov(&a, &b).unwrap().p_value < 0.05);
        }
        // The law of a discrete distance is conservative by a little.
        assert!((70..130).contains(&below), "{below} of 2,000");
    }
}
