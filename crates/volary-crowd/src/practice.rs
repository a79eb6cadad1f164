//! Practice: whether volunteers are right more often once they have seen more, less often late in a session, and
//! more often after they were told.
//!
//! Who stays is often who was good from the beginning, so that people with many votes are better without having
//! learned anything. Each volunteer is therefore compared with themselves. Experience grows while people tire, and
//! feedback comes late, as experience does; so learning is looked at with the place in the session held apart, tiring
//! with experience held apart, feedback with both (odds: `practice/within.rs`, points: `practice/points.rs`).
//!
//! The bins of the two tables are against the first bin, a stratum a person, and nothing is held apart in them. They
//! are put together by Mantel & Haenszel (1959):
//! - the common odds ratio with the interval of Robins, Breslow & Greenland (1986, doi:10.2307/2531052);
//! - the common difference in points with the interval of Sato, Greenland & Robins (1989,
//!   doi:10.2307/2531779);
//! - the test of Cochran–Mantel–Haenszel, without correction for continuity.
//!
//! Nothing is said of any one person, and votes without a known truth or a time say nothing. It is no experiment:
//! harder subjects late in a session look like tiring.

mod points;
mod within;

use std::collections::{BTreeMap, HashSet};

use statrs::distribution::{ContinuousCDF as _, Normal};
use volary_core::Votes;
use volary_core::truth::Truth;
use volary_core::votes::{NO_ANSWER, QuestionKind};

use crate::error::CrowdError;
use crate::interval::{Interval, jeffreys};
use crate::repeats::Counted;

/// A longer gap begins a new session.
const SESSION_GAP_MS: i64 = 30 * 60_000;
/// Upper ends of the bins of experience, in classifications before the vote.
const EXPERIENCE: [u32; 6] = [10, 30, 100, 300, 1000, u32::MAX];
/// Upper ends of the bins of time, in minutes since the session began.
const MINUTES: [u32; 5] = [10, 20, 40, 80, u32::MAX];

/// A vote whose truth is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JudgedVote {
    /// Index of the volunteer.
    pub volunteer: u32,
    /// Whether it was right.
    pub is_right: bool,
    /// Classifications of the volunteer before it.
    pub n_before: u32,
    /// Minutes since the session began.
    pub session_minutes: u32,
    /// Classifications of the session before it.
    pub n_before_in_session: u32,
    /// Classifications since the last one with feedback; 1 is the next one. None where there was none.
    pub since_feedback: Option<u32>,
}

/// Where lines are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PracticeParams {
    /// Classifications after which somebody is experienced.
    pub experienced_after: u32,
    /// Minutes of a session after which somebody may be tired.
    pub tired_after_minutes: u32,
    /// Classifications in which feedback is fresh.
    pub fresh: u32,
    /// Level of the intervals.
    pub level: f64,
}

impl Default for PracticeParams {
    fn default() -> Self {
        Self { experienced_after: 50, tired_after_minutes: 30, fresh: 5, level: 0.95 }
    }
}

/// Votes of two states, right and wrong, of one stratum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stratum {
    /// In the state: right, wrong.
    pub inside: [u64; 2],
    /// Outside of it: right, wrong.
    pub outside: [u64; 2],
}

/// One state against the other, each person with themselves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// Volunteers who have votes of both states.
    pub n_strata: u64,
    /// Votes of the state in these.
    pub n_inside: u64,
    /// The other votes in these.
    pub n_outside: u64,
    /// Common odds ratio of being right; above 1 where the state helps.
    pub odds_ratio: f64,
    /// Its interval.
    pub odds_ratio_interval: Interval,
    /// Common difference of the share of right votes.
    pub difference: f64,
    /// Its interval.
    pub difference_interval: Interval,
    /// Two-sided p of no effect.
    pub p: f64,
}

/// Votes of a bin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// From this on…
    pub from: u32,
    /// … up to this, with it; `u32::MAX` where there is no end.
    pub to: u32,
    /// Votes.
    pub n: u64,
    /// Right ones.
    pub n_right: u64,
    /// Interval of their share.
    pub interval: Interval,
    /// Against the first bin, each person with themselves; none for the first bin, or where nobody has votes in
    /// both.
    pub against_first: Option<Effect>,
}

/// What practice does.
#[derive(Clone, Debug, PartialEq)]
pub struct Practice {
    /// Votes judged.
    pub n: u64,
    /// Experienced against not yet.
    pub learning: Option<Effect>,
    /// Late in a session against early.
    pub tiring: Option<Effect>,
    /// Just told against not.
    pub feedback: Option<Effect>,
    /// By classifications before the vote.
    pub by_experience: Vec<Bin>,
    /// By minutes since the session began.
    pub by_minutes: Vec<Bin>,
}

/// Votes on questions with one answer whose truth is known, with what was before them. `told` are the subjects
/// after which a volunteer sees the answer.
#[must_use]
pub fn judged(votes: &Votes, counted: &Counted, truth: &Truth, told: &HashSet<&str>) -> Vec<JudgedVote> {
    #[derive(Clone, Copy, Default)]
    struct Past {
        n: u32,
        since_feedback: Option<u32>,
        session_start_ms: i64,
        n_in_session: u32,
        last_ms: i64,
    }
    let mut past = vec![Past::default(); votes.volunteers.len()];
    let mut at = vec![None; votes.n_classifications()];
    for &c in &votes.arrival {
        let (v, ms) = (votes.volunteer[c as usize] as usize, votes.created_ms[c as usize]);
        if ms == i64::MIN {
            continue;
        }
        let p = &mut past[v];
        if p.n == 0 || ms - p.last_ms > SESSION_GAP_MS {
            (p.session_start_ms, p.n_in_session) = (ms, 0);
        }
        p.since_feedback = p.since_feedback.map(|n| n.saturating_add(1));
        at[c as usize] = Some(JudgedVote {
            volunteer: v as u32,
            is_right: false,
            n_before: p.n,
            session_minutes: u32::try_from((ms - p.session_start_ms) / 60_000).unwrap_or(u32::MAX),
            n_before_in_session: p.n_in_session,
            since_feedback: p.since_feedback,
        });
        p.n = p.n.saturating_add(1);
        p.n_in_session = p.n_in_session.saturating_add(1);
        p.last_ms = ms;
        if told.contains(votes.subjects[votes.subject[c as usize] as usize].as_str()) {
            p.since_feedback = Some(0);
        }
    }
    let one_answer = |q: u32| {
        matches!(votes.questions[q as usize].kind, QuestionKind::Single | QuestionKind::Dropdown)
    };
    let of_vote = |vote: &volary_core::votes::Vote| {
        if vote.answer == NO_ANSWER
            || !one_answer(vote.question)
            || !counted.counts[vote.classification as usize]
        {
            return None;
        }
        let question = &votes.questions[vote.question as usize];
        let subject = &votes.subjects[votes.subject[vote.classification as usize] as usize];
        let right = truth.answers(&question.task, subject);
        let before = at[vote.classification as usize]?;
        let said = &question.answers[vote.answer as usize];
        (!right.is_empty()).then(|| JudgedVote { is_right: right.contains(said), ..before })
    };
    votes.votes.iter().filter_map(of_vote).collect()
}

/// What practice does to being right.
///
/// # Errors
/// [`CrowdError::Level`] for a level outside of 0 to 1.
pub fn practice(judged: &[JudgedVote], params: &PracticeParams) -> Result<Practice, CrowdError> {
    if !(params.level > 0.0 && params.level < 1.0) {
        return Err(CrowdError::Level { level: params.level });
    }
    let person = |v: &JudgedVote| (v.volunteer, 0);
    let column = |of: &dyn Fn(&JudgedVote) -> f64| judged.iter().map(of).collect::<Vec<f64>>();
    // People soon know most of what they will: experience counts by its logarithm.
    let experience = column(&|v| (1.0 + f64::from(v.n_before)).ln());
    let place = column(&|v| f64::from(v.n_before_in_session));
    let minutes = column(&|v| f64::from(v.session_minutes));
    let effect = |state: &dyn Fn(&JudgedVote) -> bool, along: &[Vec<f64>]| {
        let vote = |v: &JudgedVote| within::Vote {
            volunteer: v.volunteer,
            is_right: v.is_right,
            is_inside: state(v),
        };
        within::effect(&judged.iter().map(vote).collect::<Vec<_>>(), along, params.level)
    };
    let bin_of = |ends: &[u32], x: u32| ends.iter().position(|end| x <= *end).unwrap_or(0) as u32;
    let bins = |ends: &[u32], of: fn(&JudgedVote) -> u32| -> Vec<Bin> {
        (0..ends.len() as u32)
            .map(|i| {
                let here = judged.iter().filter(|v| bin_of(ends, of(v)) == i);
                let (n, n_right) = here.fold((0, 0), |(n, k), v| (n + 1, k + u64::from(v.is_right)));
                let both: Vec<JudgedVote> =
                    judged.iter().filter(|v| [0, i].contains(&bin_of(ends, of(v)))).copied().collect();
                let state = |v: &JudgedVote| bin_of(ends, of(v)) == i;
                Bin {
                    from: if i == 0 { 0 } else { ends[i as usize - 1] + 1 },
                    to: ends[i as usize],
                    n,
                    n_right,
                    interval: jeffreys(n_right as f64, n as f64, params.level),
                    against_first: (i > 0)
                        .then(|| of_state(&both, &state, &person, params.level))
                        .flatten(),
                }
            })
            .collect()
    };
    Ok(Practice {
        n: judged.len() as u64,
        learning: effect(&|v| v.n_before >= params.experienced_after, &[place.clone(), minutes.clone()]),
        tiring: effect(
            &|v| v.session_minutes >= params.tired_after_minutes,
            std::slice::from_ref(&experience),
        ),
        feedback: effect(
            &|v| v.since_feedback.is_some_and(|n| n <= params.fresh),
            &[experience.clone(), place, minutes],
        ),
        by_experience: bins(&EXPERIENCE, |v| v.n_before),
        by_minutes: bins(&MINUTES, |v| v.session_minutes),
    })
}

fn of_state(
    judged: &[JudgedVote],
    state: &dyn Fn(&JudgedVote) -> bool,
    stratum: &dyn Fn(&JudgedVote) -> (u32, u32),
    level: f64,
) -> Option<Effect> {
    let mut strata: BTreeMap<(u32, u32), Stratum> = BTreeMap::new();
    for vote in judged {
        let stratum = strata.entry(stratum(vote)).or_default();
        let side = if state(vote) { &mut stratum.inside } else { &mut stratum.outside };
        side[usize::from(!vote.is_right)] += 1;
    }
    mantel_haenszel(strata.values().copied(), level)
}

/// The common effect over strata; none where none of them has votes of both states, or where all of them are
/// right, or wrong, in a way that leaves no odds.
#[must_use]
pub fn mantel_haenszel(strata: impl IntoIterator<Item = Stratum>, level: f64) -> Option<Effect> {
    let (mut n_strata, mut n_inside, mut n_outside) = (0, 0, 0);
    let (mut r, mut s, mut pr, mut ps_qr, mut qs) = (0.0, 0.0, 0.0, 0.0, 0.0);
    let (mut over, mut weight, mut sato_p, mut sato_q) = (0.0, 0.0, 0.0, 0.0);
    let (mut excess, mut variance) = (0.0, 0.0);
    for Stratum { inside, outside } in strata {
        let [a, b, c, d] = [inside[0], inside[1], outside[0], outside[1]].map(|n| n as f64);
        let (n1, n0) = (a + b, c + d);
        if n1 == 0.0 || n0 == 0.0 {
            continue;
        }
        let n = n1 + n0;
        n_strata += 1;
        n_inside += inside[0] + inside[1];
        n_outside += outside[0] + outside[1];
        let (p, q) = ((a + d) / n, (b + c) / n);
        let (ri, si) = (a * d / n, b * c / n);
        r += ri;
        s += si;
        pr += p * ri;
        ps_qr += p * si + q * ri;
        qs += q * si;
        over += (a * n0 - c * n1) / n;
        weight += n1 * n0 / n;
        sato_p += (n1 * n1 * c - n0 * n0 * a + n1 * n0 * (n0 - n1) / 2.0) / (n * n);
        sato_q += (a * (n0 - c) + c * (n1 - a)) / (2.0 * n);
        let (m1, m0) = (a + c, b + d);
        excess += a - n1 * m1 / n;
        variance += n1 * n0 * m1 * m0 / (n * n * (n - 1.0));
    }
    if weight == 0.0 || r == 0.0 || s == 0.0 || variance <= 0.0 {
        return None;
    }
    let normal = Normal::new(0.0, 1.0).ok()?;
    let z = normal.inverse_cdf(f64::midpoint(1.0, level));
    let odds_ratio = r / s;
    let log_sd = (pr / (2.0 * r * r) + ps_qr / (2.0 * r * s) + qs / (2.0 * s * s)).sqrt();
    let difference = over / weight;
    let sd = ((difference * sato_p + sato_q) / (weight * weight)).max(0.0).sqrt();
    Some(Effect {
        n_strata,
        n_inside,
        n_outside,
        odds_ratio,
        odds_ratio_interval: Interval {
            low: odds_ratio * (-z * log_sd).exp(),
            high: odds_ratio * (z * log_sd).exp(),
        },
        difference,
        difference_interval: Interval {
            low: (difference - z * sd).max(-1.0),
            high: (difference + z * sd).min(1.0),
        },
        p: 2.0 * normal.cdf(-(excess / variance.sqrt()).abs()),
    })
}

#[cfg(test)]
#[path = "practice_tests.rs"]
mod tests;
