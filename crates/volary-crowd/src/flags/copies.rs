//! Pairs of volunteers who say the same more often than their subjects explain.
//!
//! For each shared subject, the chance that one says what the other said is the share of that answer among
//! all others there, with one pseudo-vote spread as the whole crowd votes, raised for those who agree with the
//! crowd more than most. The number of equal answers is then a sum of independent yes or no; Hoeffding (1963,
//! doi:10.1080/01621459.1963.10500830) bounds its upper tail by exp(−n · KL(observed ‖ expected)).

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use super::FlagParams;
use super::view::View;

/// No agreement is certain.
const MOST: f64 = 0.995;

/// The least explained other volunteer.
#[derive(Clone, Debug)]
pub(super) struct Partner {
    pub(super) volunteer: u32,
    pub(super) n_shared: u64,
    pub(super) agreement: f64,
    pub(super) expected: f64,
    /// Logarithm of the bound on the chance.
    pub(super) log_p: f64,
}

#[derive(Clone, Copy, Default)]
struct Pair {
    n: u32,
    equal: u32,
    expected: f64,
}

/// The partner of each volunteer, and how many pairs were looked at. `relative` is how much more than the
/// average each agrees with the others, at least 1.
pub(super) fn partners(
    view: &View,
    present: &[u32],
    relative: &[f64],
    params: &FlagParams,
) -> (Vec<Option<Partner>>, u64) {
    let found: Vec<(Option<Partner>, u64)> = present
        .to_vec()
        .into_par_iter()
        .map_init(
            // One row of the table of pairs at a time: memory grows with volunteers, not with pairs.
            || (vec![Pair::default(); view.n_volunteers()], Vec::new()),
            |(row, touched), volunteer| of_volunteer(view, volunteer, relative, params, row, touched),
        )
        .collect();
    let n_pairs: u64 = found.iter().map(|(_, n)| n).sum();
    (found.into_iter().map(|(partner, _)| partner).collect(), n_pairs.div_ceil(2).max(1))
}

fn of_volunteer(
    view: &View,
    volunteer: u32,
    relative: &[f64],
    params: &FlagParams,
    row: &mut [Pair],
    touched: &mut Vec<u32>,
) -> (Option<Partner>, u64) {
    let enough = params.min_shared as usize;
    if view.n_of(volunteer) < enough {
        return (None, 0);
    }
    for (subject, own) in view.of(volunteer) {
        let votes = view.on(subject);
        if votes.len() > params.max_pair_votes as usize {
            continue;
        }
        for other in votes.iter().filter(|o| o.volunteer != volunteer) {
            if view.n_of(other.volunteer) < enough {
                continue;
            }
            let likely = |value: u32| {
                let pair = [own.value, other.value].iter().filter(|v| **v == value).count() as f64;
                let others = view.count(subject, value) - pair + view.shares[value as usize];
                others / (votes.len() as f64 - 1.0)
            };
            let skill = relative[volunteer as usize].max(relative[other.volunteer as usize]);
            let chance = (likely(own.value).max(likely(other.value)) * skill).min(MOST);
            let pair = &mut row[other.volunteer as usize];
            if pair.n == 0 {
                touched.push(other.volunteer);
            }
            pair.n += 1;
            pair.equal += u32::from(own.value == other.value);
            pair.expected += chance;
        }
    }
    touched.sort_unstable();
    let (mut best, mut n_pairs): (Option<Partner>, u64) = (None, 0);
    for other in touched.drain(..) {
        let pair = std::mem::take(&mut row[other as usize]);
        if pair.n < params.min_shared {
            continue;
        }
        n_pairs += 1;
        let n = f64::from(pair.n);
        let (agreement, expected) = (f64::from(pair.equal) / n, pair.expected / n);
        let log_p = if agreement > expected { -n * divergence(agreement, expected) } else { 0.0 };
        if best.as_ref().is_none_or(|b| log_p < b.log_p) {
            let n_shared = u64::from(pair.n);
            best = Some(Partner { volunteer: other, n_shared, agreement, expected, log_p });
        }
    }
    (best, n_pairs)
}

/// Kullback and Leibler's divergence of two shares.
fn divergence(p: f64, q: f64) -> f64 {
    let term = |p: f64, q: f64| if p > 0.0 { p * (p / q).ln() } else { 0.0 };
    term(p, q) + term(1.0 - p, 1.0 - q)
}
