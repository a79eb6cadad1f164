//! What volunteers do in time: work in sessions, learn, tire, fall for a tempting answer, copy.
//!
//! The chance p of a right answer becomes logit⁻¹(logit p + λ·ln(1 + j) + φ·s) at the vote after j others,
//! s of them since a gap of 30 minutes (`docs/src/simulate.md`); the wrong answers share the rest as
//! before. Then, with the temptation's pull, the subject's tempting answer replaces it; then, with the
//! chance of copying, the answer that stands before it on the subject. Spammers do not look at the subject:
//! they neither learn nor tire nor are tempted. They do copy, as anybody may.

use rand::RngExt as _;
use volary_core::seed::{Rng, stream};

use super::params::{CrowdParams, VolunteerKind};
use super::people::wrong_shares;
use super::{Chances, SimulatedCrowd};
use crate::draws;

/// A longer gap between two votes of a volunteer begins a new session.
const SESSION_GAP_MS: i64 = 30 * 60 * 1000;
/// Median time per vote within a session.
const MEDIAN_VOTE_S: f64 = 10.0;
/// Spread of its logarithm.
const LOG_VOTE_SD: f64 = 0.7;

/// Which wrong answer tempts, per subject.
pub(super) fn draw_temptations(params: &CrowdParams, true_class: &[u32]) -> Vec<Option<u32>> {
    let Some(temptation) = params.effects.temptation else { return vec![None; true_class.len()] };
    let k = params.n_classes as usize;
    let rng = &mut stream(params.seed, "simulate temptation");
    let shares: Vec<Vec<f64>> =
        (0..k).map(|truth| wrong_shares(params.effects.scale, truth, k)).collect();
    let mut draw = |truth: &u32| {
        let is_tempting = rng.random::<f64>() < temptation.share;
        let wrong = draws::index(rng, shares[*truth as usize].iter().copied());
        is_tempting.then(|| u32::try_from(wrong).expect("class"))
    };
    true_class.iter().map(&mut draw).collect()
}

/// Moves the votes of each volunteer together into sessions, in the order that they had.
pub(super) fn work_in_sessions(params: &CrowdParams, volunteer: &[u32], created_ms: &mut [i64]) {
    let rng = &mut stream(params.seed, "simulate sessions");
    let order = by_time(created_ms, Some(volunteer));
    for votes in order.chunk_by(|a, b| volunteer[*a as usize] == volunteer[*b as usize]) {
        let (mut left, mut now_ms) = (0_u64, i64::MIN);
        for &vote in votes {
            let vote = vote as usize;
            if left == 0 {
                left = session_length(rng, params.effects.session_votes);
                let pause = (rng.random::<f64>() * SESSION_GAP_MS as f64) as i64;
                let rested = now_ms.saturating_add(SESSION_GAP_MS + 1 + pause);
                now_ms =
                    if now_ms == i64::MIN { created_ms[vote] } else { created_ms[vote].max(rested) };
            } else {
                let seconds = MEDIAN_VOTE_S * (LOG_VOTE_SD * draws::normal(rng)).exp();
                now_ms += ((seconds * 1000.0) as i64).min(SESSION_GAP_MS);
            }
            created_ms[vote] = now_ms;
            left -= 1;
        }
    }
}

/// Geometric with this mean, from 1.
fn session_length(rng: &mut Rng, mean: f64) -> u64 {
    if mean <= 1.0 {
        return 1;
    }
    let go_on = 1.0 - 1.0 / mean;
    1 + ((1.0 - rng.random::<f64>()).ln() / go_on.ln()) as u64
}

/// Indices of the votes in the order of time, each volunteer's together where `volunteer` is given.
fn by_time(created_ms: &[i64], volunteer: Option<&[u32]>) -> Vec<u32> {
    let mut order: Vec<u32> =
        (0..u32::try_from(created_ms.len()).expect("fewer than 2^32 votes")).collect();
    order.sort_unstable_by_key(|&i| {
        let at = i as usize;
        (volunteer.map_or(0, |v| v[at]), created_ms[at], i)
    });
    order
}

/// Where a volunteer stands in their own work.
#[derive(Clone, Copy)]
struct Work {
    n: u32,
    n_session: u32,
    last_ms: i64,
}

/// Draws the answers again, in the order of time.
pub(super) fn answer_anew(params: &CrowdParams, crowd: &mut SimulatedCrowd) {
    let effects = &params.effects;
    let rng = &mut stream(params.seed, "simulate behaviour");
    let chances = Chances::new(params);
    let mut row = vec![0.0; chances.k];
    let mut work = vec![Work { n: 0, n_session: 0, last_ms: i64::MIN }; params.n_volunteers as usize];
    let mut before: Vec<Option<u32>> = vec![None; params.n_subjects as usize];
    for i in by_time(&crowd.created_ms, None) {
        let i = i as usize;
        let (subject, volunteer) = (crowd.subject[i], crowd.volunteer[i]);
        let (s, v) = (subject as usize, volunteer as usize);
        let looks = crowd.kind[v] != VolunteerKind::Spammer;
        let work = &mut work[v];
        if crowd.created_ms[i].saturating_sub(work.last_ms) > SESSION_GAP_MS {
            work.n_session = 0;
        }
        chances.fill(crowd, (subject, volunteer), &mut row);
        if looks {
            let gain = crowd.learning[v] * f64::from(work.n).ln_1p()
                + crowd.fatigue[v] * f64::from(work.n_session);
            shift(&mut row, crowd.true_class[s] as usize, gain);
        }
        *work = Work {
            n: work.n.saturating_add(1),
            n_session: work.n_session.saturating_add(1),
            last_ms: crowd.created_ms[i],
        };
        let mut answer = u32::try_from(draws::index(rng, row.iter().copied())).expect("class");
        if let (Some(wrong), Some(temptation), true) = (crowd.tempting[s], effects.temptation, looks)
            && rng.random::<f64>() < temptation.pull
        {
            answer = wrong;
        }
        if let (Some(copied), true) = (before[s], effects.copying > 0.0)
            && rng.random::<f64>() < effects.copying
        {
            answer = copied;
        }
        before[s] = Some(answer);
        crowd.answer[i] = answer;
    }
}

/// Adds `gain` to the logit of the right answer.
fn shift(row: &mut [f64], right: usize, gain: f64) {
    let (p, wrong) = (row[right], 1.0 - row[right]);
    if gain == 0.0 || p <= 0.0 || wrong <= 0.0 {
        return;
    }
    // p·e^g / (p·e^g + wrong), without an overflow.
    let new = 1.0 / (1.0 + wrong / p * (-gain).exp());
    let factor = (1.0 - new) / wrong;
    row.iter_mut().for_each(|chance| *chance *= factor);
    row[right] = new;
}
