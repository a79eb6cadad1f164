//! Entropy of answers, and how well so few votes know it.
//!
//! Moments of the entropy of a Dirichlet posterior: Wolpert & Wolf 1995 (doi:10.1103/PhysRevE.52.6841),
//! written with digammas as in Archer, Park & Pillow 2014. The prior is Jeffreys', ½ per answer. The
//! entropy reported beside it is the plug-in one, of the shares as they are; only its spread is Bayesian.

use std::f64::consts::LN_2;
use std::sync::LazyLock;

use crate::special::{digamma, trigamma};

/// Pseudo-votes per answer.
const PRIOR: f64 = 0.5;
/// Twice the largest argument of the table.
const TABLE: usize = 1 << 13;

/// ψ and ψ′ at half-integers, which is where unweighted counts need them.
static POLYGAMMA: LazyLock<Vec<(f64, f64)>> = LazyLock::new(|| {
    let at = |m: usize| f64::from(u32::try_from(m).expect("small")) / 2.0;
    (0..TABLE).map(|m| if m == 0 { (0.0, 0.0) } else { (digamma(at(m)), trigamma(at(m))) }).collect()
});

fn polygamma(x: f64) -> (f64, f64) {
    let twice = 2.0 * x;
    if twice == twice.trunc() && twice > 0.0 && twice < 8192.0 {
        return POLYGAMMA[twice as usize];
    }
    (digamma(x), trigamma(x))
}

/// Shannon entropy of shares in proportion to `counts`, in bits.
#[must_use]
pub fn entropy_bits(counts: impl Iterator<Item = f64> + Clone) -> f64 {
    let total: f64 = counts.clone().sum();
    if total <= 0.0 {
        return 0.0;
    }
    let bits: f64 = counts.filter(|&c| c > 0.0).map(|c| (c / total) * (total / c).log2()).sum();
    bits.max(0.0)
}

/// Posterior mean and standard deviation, in bits, of the entropy behind `counts` (which may be
/// effective counts), under Dirichlet(½, …, ½).
#[must_use]
pub fn entropy_posterior_bits(counts: impl Iterator<Item = f64>) -> (f64, f64) {
    // With A = Σα: E[H] = ψ(A+1) − Σ α/A ψ(α+1). For the second moment, every pair of different answers
    // gives α_i α_j (d_i d_j − ψ′(A+2)) with d = ψ(α+1) − ψ(A+2), and every answer with itself
    // α (α+1) ((ψ(α+2) − ψ(A+2))² + ψ′(α+2) − ψ′(A+2)); all over A (A+1). To sum in one pass although
    // ψ(A+2) needs the total, keep the moments of ψ(α+1) and expand.
    let (mut total, mut k) = (0.0, 0_u32);
    let (mut sum_ap, mut sum_aap, mut sum_aapp, mut sum_aa) = (0.0, 0.0, 0.0, 0.0);
    let (mut own, mut own_p, mut own_pp) = (0.0, 0.0, 0.0);
    for count in counts {
        let alpha = count + PRIOR;
        let (p1, _) = polygamma(alpha + 1.0);
        let p2 = p1 + 1.0 / (alpha + 1.0);
        let (_, t2) = polygamma(alpha + 2.0);
        total += alpha;
        k += 1;
        sum_ap += alpha * p1;
        sum_aa += alpha * alpha;
        sum_aap += alpha * alpha * p1;
        sum_aapp += alpha * alpha * p1 * p1;
        let own_weight = alpha * (alpha + 1.0);
        own += own_weight;
        own_p += own_weight * p2;
        own_pp += own_weight * (p2 * p2 + t2);
    }
    if k < 2 {
        return (0.0, 0.0);
    }
    let (pa, ta) = polygamma(total + 2.0);
    let mean = pa - 1.0 / (total + 1.0) - sum_ap / total;
    let cross = sum_ap - pa * total;
    let same = sum_aapp - 2.0 * pa * sum_aap + pa * pa * sum_aa;
    let pairs = cross * cross - same - ta * (total * total - sum_aa);
    let selves = own_pp - 2.0 * pa * own_p + (pa * pa - ta) * own;
    let second = (pairs + selves) / (total * (total + 1.0));
    (mean / LN_2, (second - mean * mean).max(0.0).sqrt() / LN_2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Mean and sd of the entropy of Dirichlet draws, in bits.
    fn monte_carlo(counts: &[f64], draws: u32) -> (f64, f64) {
        let mut rng = volary_core::seed::stream(11, "entropy test");
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..draws {
            let gammas: Vec<f64> =
                counts.iter().map(|c| crate::draws::gamma(&mut rng, c + PRIOR)).collect();
            let h = entropy_bits(gammas.iter().copied());
            sum += h;
            squares += h * h;
        }
        let n = f64::from(draws);
        (sum / n, (squares / n - (sum / n).powi(2)).sqrt())
    }

    #[test]
    fn the_closed_form_is_what_draws_give() {
        for counts in
            [vec![0.0, 0.0], vec![3.0, 1.0], vec![10.0, 0.0, 0.0], vec![2.5, 7.25, 4.0, 0.0, 1.0]]
        {
            let (mean, sd) = entropy_posterior_bits(counts.iter().copied());
            let (drawn_mean, drawn_sd) = monte_carlo(&counts, 200_000);
            // 200,000 draws know the mean to sd/450 and the sd to about 0.3 %.
            assert!((mean - drawn_mean).abs() < sd / 90.0, "{counts:?}: {mean} {drawn_mean}");
            assert!((sd / drawn_sd - 1.0).abs() < 0.015, "{counts:?}: {sd} {drawn_sd}");
        }
    }

    #[test]
    fn entropy_on_paper() {
        let check = |counts: &[f64], bits: f64| {
            assert!((entropy_bits(counts.iter().copied()) - bits).abs() < 1e-14, "{counts:?}");
        };
        check(&[1.0, 1.0], 1.0);
        check(&[5.0, 5.0, 5.0, 5.0], 2.0);
        check(&[7.0, 0.0], 0.0);
        check(&[], 0.0);
        check(&[3.0, 1.0], 2.0 - 0.75 * 3.0_f64.log2());
        assert_eq!(entropy_posterior_bits([9.0].into_iter()), (0.0, 0.0));
    }

    proptest! {
        #[test]
        fn entropy_is_bounded_and_symmetric(mut counts in proptest::collection::vec(0..30_u32, 2..7)) {
            let h = |c: &[u32]| entropy_bits(c.iter().map(|&c| f64::from(c)));
            let sd = |c: &[u32]| entropy_posterior_bits(c.iter().map(|&c| f64::from(c))).1;
            let (before, sd_before) = (h(&counts), sd(&counts));
            prop_assert!((0.0..=f64::from(u32::try_from(counts.len()).unwrap()).log2() + 1e-12).contains(&before));
            prop_assert!(sd_before.is_finite() && sd_before > 0.0);
            counts.reverse();
            prop_assert!((h(&counts) - before).abs() < 1e-12);
            prop_assert!((sd(&counts) - sd_before).abs() < 1e-9);
        }

        #[test]
        fn table_and_series_agree(m in 1..8191_u32) {
            let x = f64::from(m) / 2.0;
            prop_assert_eq!(polygamma(x), (digamma(x), trigamma(x)));
        }
    }

    #[test]
    fn many_votes_leave_little_doubt() {
        let (mean, sd) = entropy_posterior_bits([6e5, 4e5].into_iter());
        assert!((mean - entropy_bits([6e5, 4e5].into_iter())).abs() < 1e-5);
        // Delta method: sd = |log2(p/q)| sqrt(pq/n).
        let delta = (0.6_f64 / 0.4).log2() * (0.24_f64 / 1e6).sqrt();
        assert!((sd / delta - 1.0).abs() < 1e-3, "{sd} {delta}");
    }
}
