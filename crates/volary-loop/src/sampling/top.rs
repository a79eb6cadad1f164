//! The top of a score, and a random draw from the rest.
//!
//! How Galaxy Zoo: Weird & Wonderful chose its subjects (Mantha et al. 2024, doi:10.5334/cstp.740): all of the
//! top 1 % by anomaly score, and of the others about every eighth. Scores need not lie between 0 and 1. The
//! two parts differ in the chance of being shown, and a plot of them as they are has a ridge where the score
//! passes the top's edge; weighed by 1/chance it has none.

use std::collections::{BTreeMap, BTreeSet};

use super::{Candidate, Pool, SamplingError};
use crate::hash::uniform;

/// How much to take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TopAndRest {
    /// Share of the candidates that is the top, all of which is taken; rounded up.
    pub top_share: f64,
    /// How many to draw from the others; fewer where there are fewer.
    pub n_rest: usize,
    /// Seed of the draw, and of the order of equal scores at the edge.
    pub seed: u64,
}

/// One candidate that is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct TopSelected {
    /// Its id.
    pub id: String,
    /// Its score.
    pub score: f64,
    /// Whether it is of the top.
    pub is_top: bool,
    /// The probability with which it was going to be drawn.
    pub p_included: f64,
}

/// What the draw gives.
#[derive(Clone, Debug, PartialEq)]
pub struct TopDraw {
    /// A hash of what could be drawn.
    pub frame: String,
    /// Candidates that could be drawn.
    pub n_candidates: usize,
    /// The lowest score of the top; `None` where the top is empty.
    pub top_from: Option<f64>,
    /// How many are of the top.
    pub n_top: usize,
    /// The probability of each of the others.
    pub p_rest: f64,
    /// The top, highest first, then the others in the order of their draw.
    pub selected: Vec<TopSelected>,
    /// Candidates whose score is no number.
    pub quarantined: Vec<String>,
    /// Candidates that were left out because they had been shown.
    pub excluded: Vec<String>,
}

/// Draws.
///
/// # Errors
/// [`SamplingError::TopShare`], [`SamplingError::Empty`], [`SamplingError::TwoModels`].
pub fn top_and_rest(
    candidates: &[Candidate],
    shown: &BTreeSet<String>,
    params: &TopAndRest,
) -> Result<TopDraw, SamplingError> {
    if !(0.0..=1.0).contains(&params.top_share) {
        return Err(SamplingError::TopShare);
    }
    let pool = super::pool_of(candidates, shown, f64::is_finite)?;
    let frame = pool.frame_id();
    let Pool { valid, quarantined, excluded } = pool;
    if valid.is_empty() {
        let (excluded, quarantined) = (excluded.len(), quarantined.len());
        return Err(SamplingError::Empty { excluded, quarantined });
    }
    let n = valid.len();
    let n_top = ((n as f64 * params.top_share - 1e-9).ceil().max(0.0) as usize).min(n);
    let ids: BTreeMap<&str, f64> = valid.iter().map(|(id, c)| (*id, c.score)).collect();
    let mut order: Vec<(&str, f64)> = ids.into_iter().collect();
    // Equal scores at the edge: by lot, not by name.
    let lot = |id: &str| uniform(params.seed, "top", id).to_bits();
    order.sort_by_cached_key(|(id, _)| lot(id));
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut others = order.split_off(n_top);
    others.sort_by_cached_key(|(id, _)| uniform(params.seed, "rest", id).to_bits());
    let n_others = others.len();
    others.truncate(params.n_rest);
    let p_rest = if n_others > 0 { others.len() as f64 / n_others as f64 } else { 0.0 };
    let top_from = order.last().map(|(_, score)| *score);
    let select = |is_top: bool, p_included: f64| {
        move |(id, score): (&str, f64)| TopSelected { id: id.to_owned(), score, is_top, p_included }
    };
    let selected =
        order.into_iter().map(select(true, 1.0)).chain(others.into_iter().map(select(false, p_rest)));
    let selected = selected.collect();
    Ok(TopDraw { frame, n_candidates: n, top_from, n_top, p_rest, selected, quarantined, excluded })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sky(n: usize) -> Vec<Candidate> {
        let one = |i: usize| Candidate {
            id: format!("s{i}"),
            score: ((i * 37) % n) as f64 * 3.5 - 10.0,
            model: "gan".to_owned(),
        };
        (0..n).map(one).collect()
    }

    fn draw(candidates: &[Candidate], top_share: f64, n_rest: usize, seed: u64) -> TopDraw {
        top_and_rest(candidates, &BTreeSet::new(), &TopAndRest { top_share, n_rest, seed }).unwrap()
    }

    #[test]
    fn the_top_is_all_there_and_the_rest_has_its_chance() {
        let candidates = sky(1000);
        let found = draw(&candidates, 0.01, 124, 1);
        assert_eq!((found.n_top, found.selected.len(), found.n_candidates), (10, 134, 1000));
        assert!(found.selected[..10].iter().all(|s| s.is_top && s.p_included == 1.0));
        let lowest = found.top_from.unwrap();
        assert_eq!(candidates.iter().filter(|c| c.score >= lowest).count(), 10);
        assert!(found.selected[10..].iter().all(|s| !s.is_top && s.score < lowest));
        assert!((found.p_rest - 124.0 / 990.0).abs() < 1e-12);
        // The order of the input changes nothing; the seed does.
        let turned: Vec<Candidate> = candidates.iter().rev().cloned().collect();
        assert_eq!(draw(&turned, 0.01, 124, 1), found);
        assert_ne!(draw(&candidates, 0.01, 124, 2).selected, found.selected);
    }

    #[test]
    fn totals_weighed_by_the_chance_are_unbiased_and_naive_ones_are_not() {
        let candidates = sky(600);
        let truth = candidates.iter().map(|c| c.score).sum::<f64>() / 600.0;
        let (mut weighed, mut naive) = (0.0, 0.0);
        for seed in 0..400 {
            let found = draw(&candidates, 0.05, 60, seed);
            let total: f64 = found.selected.iter().map(|s| s.score / s.p_included).sum();
            weighed += total / 600.0 / 400.0;
            let mean = found.selected.iter().map(|s| s.score).sum::<f64>() / found.selected.len() as f64;
            naive += mean / 400.0;
        }
        // A draw's mean has an error of about 70, so the mean of 400 one of 3.5.
        assert!((weighed - truth).abs() < 12.0, "{weighed} {truth}");
        assert!(naive - truth > 200.0, "{naive} {truth}");
    }

    #[test]
    fn ends_and_errors() {
        let candidates = sky(20);
        let all = draw(&candidates, 1.0, 5, 0);
        assert_eq!((all.n_top, all.p_rest, all.selected.len()), (20, 0.0, 20));
        let none = draw(&candidates, 0.0, 99, 0);
        assert_eq!((none.n_top, none.top_from, none.p_rest, none.selected.len()), (0, None, 1.0, 20));
        let params = TopAndRest { top_share: 1.5, n_rest: 1, seed: 0 };
        let error = top_and_rest(&candidates, &BTreeSet::new(), &params).unwrap_err();
        assert_eq!(error, SamplingError::TopShare);
        let mut odd = sky(3);
        odd[0].score = f64::NAN;
        let shown = BTreeSet::from(["s1".to_owned()]);
        let params = TopAndRest { top_share: 0.5, n_rest: 9, seed: 0 };
        let found = top_and_rest(&odd, &shown, &params).unwrap();
        assert_eq!((found.quarantined, found.excluded), (vec!["s0".to_owned()], vec!["s1".to_owned()]));
        assert_eq!(found.selected.len(), 1);
        assert!(matches!(top_and_rest(&[], &shown, &params), Err(SamplingError::Empty { .. })));
    }
}
