//! What one volunteer does, against what the others did on the same subjects.
//!
//! Relation: with p_u(c) the share of the others who said c on u, A = mean of p_u(own answer). Dealing the
//! own answers at random to the own subjects gives its mean and variance exactly (Hoeffding 1951,
//! doi:10.1214/aoms/1177729446), whatever the favourites of the volunteer or the crowd.

use super::view::{Seen, View};

/// A longer gap is a break.
const BREAK_MS: i64 = 30 * 60 * 1000;
/// From the median absolute deviation to a standard deviation.
const MAD_TO_SD: f64 = 1.4826;
/// Paces differ by this much at least, in the logarithm.
const LEAST_PACE_SD: f64 = 0.2;
/// A median errs by so many standard deviations over √n.
const MEDIAN_ERROR: f64 = 1.2533;

/// The own answer on a subject, and the others' share of each answer there.
type OnSubject = (usize, Vec<(usize, f64)>);

/// The habits of one volunteer.
#[derive(Clone, Debug, Default)]
pub(super) struct Habits {
    /// Votes on subjects with other votes.
    pub(super) n: f64,
    pub(super) entropy_bits: f64,
    pub(super) entropy_others_bits: f64,
    pub(super) agreement: f64,
    pub(super) dealt: f64,
    pub(super) dealt_sd: f64,
    pub(super) top_share: f64,
    pub(super) top_z: f64,
    pub(super) longest_run: u32,
    pub(super) longest_run_p: f64,
    pub(super) seconds_per_vote: Option<f64>,
    /// Error of its logarithm.
    pub(super) log_seconds_se: f64,
    pub(super) n_gaps: usize,
}

/// Looks at a volunteer.
pub(super) fn of(view: &View, volunteer: u32) -> Habits {
    let shared: Vec<(u32, Seen)> = view.of(volunteer).filter(|(u, _)| view.on(*u).len() > 1).collect();
    let mut habits = Habits { n: shared.len() as f64, longest_run_p: 1.0, ..Habits::default() };
    let mut in_time: Vec<Seen> = view.of(volunteer).map(|(_, seen)| seen).collect();
    in_time.retain(|seen| seen.created_ms != i64::MIN);
    in_time.sort_by_key(|seen| (seen.created_ms, seen.value));
    runs(&in_time, view.n_values(), &mut habits);
    pace(&in_time, &mut habits);
    if !shared.is_empty() {
        relation(view, &shared, &mut habits);
    }
    habits
}

fn relation(view: &View, shared: &[(u32, Seen)], habits: &mut Habits) {
    let n = habits.n;
    let mut own: Vec<f64> = vec![0.0; view.n_values()];
    shared.iter().for_each(|(_, seen)| own[seen.value as usize] += 1.0);
    // Others' share of each value, by subject, and summed.
    let mut others: Vec<f64> = vec![0.0; view.n_values()];
    let shares = |(subject, seen): &(u32, Seen)| {
        let rest = view.on(*subject).len() as f64 - 1.0;
        let share = move |&(value, count): &(u32, u32)| {
            let mine = if value == seen.value { 1.0 } else { 0.0 };
            (value as usize, (f64::from(count) - mine) / rest)
        };
        (seen.value as usize, view.counts(*subject).iter().map(share).collect::<Vec<_>>())
    };
    let rows: Vec<OnSubject> = shared.iter().map(shares).collect();
    let (mut agreement, mut top_variance) = (0.0, 0.0);
    let top = (0..own.len()).max_by(|a, b| own[*a].total_cmp(&own[*b]).then(b.cmp(a))).unwrap_or(0);
    for (value, shares) in &rows {
        for (c, share) in shares {
            others[*c] += share;
            agreement += if c == value { *share } else { 0.0 };
            top_variance += if *c == top { share * (1.0 - share) } else { 0.0 };
        }
    }
    habits.agreement = agreement / n;
    habits.dealt = own.iter().zip(&others).map(|(a, b)| a * b).sum::<f64>() / (n * n);
    habits.dealt_sd = dealt_variance(&rows, &own, &others, n).max(0.0).sqrt() / n;
    habits.entropy_bits = entropy_bits(&own);
    habits.entropy_others_bits = entropy_bits(&others);
    habits.top_share = own[top] / n;
    // One vote of variance, so that unanimous others do not make every difference infinite.
    habits.top_z = (own[top] - others[top]) / (top_variance + 1.0).sqrt();
}

/// Variance of Σ_i a(i, deal(i)) with a(i, c) = p_u_i(c): Σ_ij (a_ij − a_i. − a_.j + a_..)² / (n − 1).
fn dealt_variance(rows: &[OnSubject], own: &[f64], others: &[f64], n: f64) -> f64 {
    if n < 2.0 {
        return 0.0;
    }
    let used: Vec<usize> = (0..own.len()).filter(|c| own[*c] > 0.0).collect();
    let grand = own.iter().zip(others).map(|(a, b)| a * b).sum::<f64>() / (n * n);
    // Σ_j over dealt answers of (others' mean of that answer)², once for subjects that show none of them.
    let base = |c: usize| grand - others[c] / n;
    let mut sum = 0.0;
    let total_base: f64 = used.iter().map(|c| own[*c] * base(*c).powi(2)).sum();
    let mean_base: f64 = used.iter().map(|c| own[*c] * base(*c)).sum();
    for (_, shares) in rows {
        let row_mean = shares.iter().map(|(c, share)| own[*c] * share).sum::<f64>() / n;
        // With a_ic = 0 for all c first, then corrected for those that the subject shows.
        let mut square = total_base - 2.0 * row_mean * mean_base + n * row_mean * row_mean;
        for (c, share) in shares.iter().filter(|(c, _)| own[*c] > 0.0) {
            let without = base(*c) - row_mean;
            square += own[*c] * ((without + share).powi(2) - without.powi(2));
        }
        sum += square;
    }
    sum / (n - 1.0)
}

fn entropy_bits(weights: &[f64]) -> f64 {
    let total: f64 = weights.iter().sum();
    let term = |w: &f64| if *w > 0.0 { -(w / total) * (w / total).log2() } else { 0.0 };
    weights.iter().map(term).sum()
}

/// The longest run, and a bound on its chance: the expected number of windows of that length with one
/// answer, in a random order of the same answers.
fn runs(in_time: &[Seen], n_values: usize, habits: &mut Habits) {
    let mut counts = vec![0_usize; n_values];
    in_time.iter().for_each(|seen| counts[seen.value as usize] += 1);
    let n = in_time.len();
    for run in in_time.chunk_by(|a, b| a.value == b.value) {
        let length = run.len();
        if length < habits.longest_run as usize {
            continue;
        }
        let of_value = counts[run[0].value as usize];
        let windows = (n - length + 1) as f64;
        let log_chance: f64 = (0..length).map(|i| ((of_value - i) as f64 / (n - i) as f64).ln()).sum();
        let bound = (windows * log_chance.exp()).min(1.0);
        let longer = length > habits.longest_run as usize;
        habits.longest_run_p = if longer { bound } else { habits.longest_run_p.min(bound) };
        habits.longest_run = u32::try_from(length).unwrap_or(u32::MAX);
    }
}

fn pace(in_time: &[Seen], habits: &mut Habits) {
    let gaps = in_time.windows(2).map(|w| w[1].created_ms.saturating_sub(w[0].created_ms));
    let mut gaps: Vec<i64> = gaps.filter(|gap| *gap <= BREAK_MS).collect();
    gaps.sort_unstable();
    habits.n_gaps = gaps.len();
    let Some(median) = gaps.get(gaps.len() / 2).map(|ms| *ms as f64 / 1000.0) else { return };
    let apart = |ms: &i64| (log_seconds(*ms as f64 / 1000.0) - log_seconds(median)).abs();
    let mut apart: Vec<f64> = gaps.iter().map(apart).collect();
    habits.seconds_per_vote = Some(median);
    habits.log_seconds_se = MEDIAN_ERROR * MAD_TO_SD * middle(&mut apart) / (gaps.len() as f64).sqrt();
}

/// The crowd's pace: median and robust standard deviation of the logarithm of seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    median: f64,
    sd: f64,
}

impl Pace {
    /// Of those with enough gaps; `None` where fewer than ten have them.
    pub(super) fn of(habits: &[Habits], min_gaps: u32) -> Option<Self> {
        let enough = habits.iter().filter(|h| h.n_gaps >= min_gaps as usize);
        let mut logs: Vec<f64> = enough.filter_map(|h| h.seconds_per_vote).map(log_seconds).collect();
        if logs.len() < 10 {
            return None;
        }
        let median = middle(&mut logs);
        let mut apart: Vec<f64> = logs.iter().map(|x| (x - median).abs()).collect();
        let sd = (MAD_TO_SD * middle(&mut apart)).max(LEAST_PACE_SD);
        Some(Self { median, sd })
    }

    /// A volunteer's pace in standard deviations, of the crowd and of its own error.
    pub(super) fn z(self, habits: &Habits) -> Option<f64> {
        let apart = log_seconds(habits.seconds_per_vote?) - self.median;
        Some(apart / self.sd.hypot(habits.log_seconds_se))
    }
}

/// Clocks that tick in seconds give gaps of 0.
fn log_seconds(seconds: f64) -> f64 {
    seconds.max(0.1).ln()
}

fn middle(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt as _;

    #[test]
    fn the_variance_of_a_random_deal_is_that_of_shuffles() {
        let rng = &mut volary_core::seed::stream(2, "deal test");
        let rows: Vec<OnSubject> = (0..25)
            .map(|_| {
                let (a, b) = (rng.random_range(0..4), rng.random_range(0..3));
                let share = rng.random::<f64>();
                (a.min(2), vec![(b, share), ((b + 1) % 3, 1.0 - share)])
            })
            .collect();
        let (mut own, mut others) = (vec![0.0; 3], vec![0.0; 3]);
        for (value, shares) in &rows {
            own[*value] += 1.0;
            shares.iter().for_each(|(c, s)| others[*c] += s);
        }
        let expected = dealt_variance(&rows, &own, &others, 25.0);
        let mut deal: Vec<usize> = rows.iter().map(|r| r.0).collect();
        let sums: Vec<f64> = (0..40_000)
            .map(|_| {
                for i in (1..deal.len()).rev() {
                    deal.swap(i, rng.random_range(0..=i));
                }
                let share = |(c, (_, shares)): (&usize, &OnSubject)| {
                    shares.iter().find(|(d, _)| d == c).map_or(0.0, |s| s.1)
                };
                deal.iter().zip(&rows).map(share).sum()
            })
            .collect();
        let mean = sums.iter().sum::<f64>() / 4e4;
        let variance = sums.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / 4e4;
        assert!((variance / expected - 1.0).abs() < 0.04, "{variance} not {expected}");
        let dealt = own.iter().zip(&others).map(|(a, b)| a * b).sum::<f64>() / 25.0;
        assert!((mean - dealt).abs() < 0.05, "{mean} not {dealt}");
    }

    #[test]
    fn runs_and_entropy() {
        let seen = |values: &[u32]| -> Vec<Seen> {
            let at = |(i, v): (usize, &u32)| Seen { volunteer: 0, value: *v, created_ms: i as i64 };
            values.iter().enumerate().map(at).collect()
        };
        let mut habits = Habits { longest_run_p: 1.0, ..Habits::default() };
        runs(&seen(&[0, 1, 1, 1, 0, 0]), 2, &mut habits);
        // Three of one kind out of three, in any of four places: 4 · (3·2·1)/(6·5·4).
        assert_eq!(habits.longest_run, 3);
        assert!((habits.longest_run_p - 0.2).abs() < 1e-12, "{}", habits.longest_run_p);
        assert_eq!(entropy_bits(&[1.0, 1.0, 0.0]), 1.0);
        assert_eq!(entropy_bits(&[0.0, 0.0]), 0.0);
    }
}
