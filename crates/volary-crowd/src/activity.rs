//! How evenly the work is spread over the volunteers.
//!
//! Gini 1912, with the jackknife standard error in closed form (every leave-one-out Gini follows from
//! sums over the sorted counts; Yitzhaki 1991, doi:10.2307/1391792). The Lorenz curve is that of the same
//! counts. Nothing here ranks people by name.

use volary_core::Votes;

use crate::repeats::Counted;
use crate::weights::totals;

/// How work is spread.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Activity {
    /// Volunteers with at least one classification that counts.
    pub n_volunteers: u64,
    /// Classifications that count.
    pub n_classifications: u64,
    /// Gini coefficient: 0 where all did the same, towards 1 where one did all.
    pub gini: Option<f64>,
    /// Its jackknife standard error.
    pub gini_se: Option<f64>,
    /// Share of the classifications by the busiest 1 % of volunteers (that number rounded up).
    pub share_of_busiest_1_percent: Option<f64>,
    /// Share by the busiest 10 %.
    pub share_of_busiest_10_percent: Option<f64>,
    /// Median classifications per volunteer.
    pub median: Option<f64>,
    /// Mean classifications per volunteer.
    pub mean: Option<f64>,
    /// Most classifications of one volunteer.
    pub max: u64,
    /// Lorenz curve, from (0, 0) to (1, 1): share of volunteers, quietest first, and of their work;
    /// at most 101 points.
    pub lorenz: Vec<(f64, f64)>,
}

/// How the classifications that count are spread.
#[must_use]
pub fn activity(votes: &Votes, counted: &Counted) -> Activity {
    activity_of(&totals(votes, counted))
}

/// How counts per volunteer are spread; volunteers without any are left out.
#[must_use]
pub fn activity_of(counts: &[u64]) -> Activity {
    let mut sorted: Vec<u64> = counts.iter().copied().filter(|&c| c > 0).collect();
    sorted.sort_unstable();
    let (Some(&max), n) = (sorted.last(), sorted.len()) else { return Activity::default() };
    let total: u64 = sorted.iter().sum();
    let (gini, gini_se) = gini(&sorted);
    let busiest = |percent: usize| {
        let top: u64 = sorted[n - (n * percent).div_ceil(100)..].iter().sum();
        Some(real(top) / real(total))
    };
    Activity {
        n_volunteers: n as u64,
        n_classifications: total,
        gini: Some(gini),
        gini_se,
        share_of_busiest_1_percent: busiest(1),
        share_of_busiest_10_percent: busiest(10),
        median: Some((real(sorted[(n - 1) / 2]) + real(sorted[n / 2])) / 2.0),
        mean: Some(real(total) / real(n as u64)),
        max,
        lorenz: lorenz(&sorted, total),
    }
}

fn real(count: u64) -> f64 {
    count as f64
}

/// Gini coefficient of sorted counts and its jackknife standard error (from two volunteers on).
fn gini(sorted: &[u64]) -> (f64, Option<f64>) {
    let n = real(sorted.len() as u64);
    let total: f64 = sorted.iter().map(|&x| real(x)).sum();
    let ranked: f64 = (1..).zip(sorted).map(|(rank, &x)| real(rank) * real(x)).sum();
    let of = |ranked: f64, n: f64, total: f64| 2.0 * ranked / (n * total) - (n + 1.0) / n;
    if sorted.len() < 2 {
        return (0.0, None);
    }
    let mut above = total;
    let without: Vec<f64> = (1..)
        .zip(sorted)
        .map(|(rank, &x)| {
            let x = real(x);
            above -= x;
            // Those above move down one rank.
            of(ranked - real(rank) * x - above, n - 1.0, total - x)
        })
        .collect();
    let mean = without.iter().sum::<f64>() / n;
    let variance = (n - 1.0) / n * without.iter().map(|g| (g - mean).powi(2)).sum::<f64>();
    (of(ranked, n, total).max(0.0), Some(variance.sqrt()))
}

fn lorenz(sorted: &[u64], total: u64) -> Vec<(f64, f64)> {
    let n = sorted.len();
    let steps = n.min(100);
    let mut points = vec![(0.0, 0.0)];
    let (mut sum, mut done) = (0, 0);
    for step in 1..=steps {
        let until = n * step / steps;
        sum += sorted[done..until].iter().sum::<u64>();
        done = until;
        points.push((real(until as u64) / real(n as u64), real(sum) / real(total)));
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn gini_on_paper() {
        let gini = |counts: &[u64]| activity_of(counts).gini.unwrap();
        assert!(gini(&[5, 5, 5, 5]).abs() < 1e-15);
        assert!((gini(&[1, 3]) - 0.25).abs() < 1e-15);
        assert!((gini(&[1, 2, 3, 4]) - 0.25).abs() < 1e-15);
        assert_eq!(activity_of(&[]), Activity::default());
        assert_eq!(activity_of(&[7]).gini_se, None);
    }

    #[test]
    fn the_rest_on_paper() {
        let counts: Vec<u64> = (1..=200).collect();
        let a = activity_of(&counts);
        assert_eq!((a.n_volunteers, a.n_classifications, a.max), (200, 20_100, 200));
        assert_eq!(a.share_of_busiest_1_percent, Some(399.0 / 20_100.0));
        assert_eq!(a.median, Some(100.5));
        assert_eq!((a.lorenz.len(), a.lorenz[0], a.lorenz[100]), (101, (0.0, 0.0), (1.0, 1.0)));
        assert_eq!(a.lorenz[50], (0.5, 5050.0 / 20_100.0));
    }

    #[test]
    fn the_standard_error_covers() {
        // Exponential counts have Gini ½; 300 samples of 400.
        let mut rng = volary_core::seed::stream(3, "gini test");
        let mut covered = 0;
        for _ in 0..300 {
            let counts: Vec<u64> =
                (0..400).map(|_| (crate::draws::gamma(&mut rng, 1.0) * 1e6) as u64 + 1).collect();
            let a = activity_of(&counts);
            covered += u32::from((a.gini.unwrap() - 0.5).abs() < 1.96 * a.gini_se.unwrap());
        }
        assert!((270..=297).contains(&covered), "{covered} of 300");
    }

    proptest! {
        #[test]
        fn gini_is_half_the_mean_difference(counts in proptest::collection::vec(1..50_u64, 2..30)) {
            let n = counts.len() as f64;
            let mut sum = 0.0;
            for a in &counts {
                for b in &counts {
                    sum += (*a as f64 - *b as f64).abs();
                }
            }
            let mean = counts.iter().sum::<u64>() as f64 / n;
            let a = activity_of(&counts);
            prop_assert!((a.gini.unwrap() - sum / (2.0 * n * n * mean)).abs() < 1e-12);
            prop_assert!((0.0..1.0).contains(&a.gini.unwrap()));
            prop_assert!(a.lorenz.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 <= w[1].1));
            prop_assert!(a.lorenz.iter().all(|p| p.1 <= p.0 + 1e-12));
        }

        #[test]
        fn the_jackknife_is_the_jackknife(counts in proptest::collection::vec(1..50_u64, 3..20)) {
            let n = counts.len() as f64;
            let without: Vec<f64> = (0..counts.len())
                .map(|out| {
                    let mut rest = counts.clone();
                    rest.remove(out);
                    activity_of(&rest).gini.unwrap()
                })
                .collect();
            let mean = without.iter().sum::<f64>() / n;
            let se = ((n - 1.0) / n * without.iter().map(|g| (g - mean).powi(2)).sum::<f64>()).sqrt();
            prop_assert!((activity_of(&counts).gini_se.unwrap() - se).abs() < 1e-9);
        }
    }
}
