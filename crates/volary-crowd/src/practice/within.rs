//! A state of a vote against the other, each person with themselves, with what goes along with it held apart: a
//! logistic regression with an intercept for each volunteer,
//!
//! ```text
//! logit P(right) = α(volunteer) + β·state + Σ γ·(smooth curves of what goes along)
//! ```
//!
//! The curves are restricted cubic splines of four knots (Harrell 2015, doi:10.1007/978-3-319-19425-7, section
//! 2.4.5), so that a share that falls with every minute is not taken for one that rises with every session. Intervals
//! and p are by the sandwich over volunteers, whose votes are not independent, and Student's t of their number less
//! one. People who are always right, or always wrong, say nothing of odds; in the difference in points, which is not
//! made of this (`points.rs`), they count.
//!
//! Intercepts are estimated and not conditioned on, which makes odds ratios too strong by about 1 in the number of a
//! person's votes (Andersen 1970): nothing, where people have dozens. Knows nothing of what states mean.

use nalgebra::{DMatrix, DVector};
use statrs::distribution::{ContinuousCDF as _, StudentsT};

use super::Effect;
use super::points::{Difference, difference};
use crate::interval::Interval;

/// The most rounds of Newton's method.
const MAX_ROUNDS: usize = 60;
/// Where the knots lie, as shares of the votes.
const KNOTS: [f64; 4] = [0.05, 0.35, 0.65, 0.95];
/// A step of an intercept is not longer than this, in logits.
const LONGEST_STEP: f64 = 3.0;

/// One vote.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vote {
    pub(super) volunteer: u32,
    pub(super) is_right: bool,
    pub(super) is_inside: bool,
}

/// The effect of the state; `along` has a column of numbers for each thing that is held apart. None where nobody has
/// votes of both states, or the state cannot be told from what goes along with it.
pub(super) fn effect(votes: &[Vote], along: &[Vec<f64>], level: f64) -> Option<Effect> {
    let mut order: Vec<usize> = (0..votes.len()).collect();
    order.sort_by_key(|&i| votes[i].volunteer);
    let mut columns: Vec<Vec<f64>> = along.iter().flat_map(|x| spline(x)).collect();
    // Last, so that its own part is what the others leave of it.
    columns.push(votes.iter().map(|v| f64::from(u8::from(v.is_inside))).collect());
    let people: Vec<Vec<usize>> = order
        .chunk_by(|a, b| votes[*a].volunteer == votes[*b].volunteer)
        .map(<[usize]>::to_vec)
        .collect();
    let points = difference(votes, &columns, &people)?;
    let mut undecided = Vec::new();
    let (mut n_strata, mut n_inside, mut n_outside) = (0, 0, 0);
    let mut is_compared = false;
    for rows in people {
        let inside = rows.iter().filter(|i| votes[**i].is_inside).count() as u64;
        let right = rows.iter().filter(|i| votes[**i].is_right).count();
        let n = rows.len() as u64;
        let has_both = inside > 0 && inside < n;
        if has_both {
            n_strata += 1;
            n_inside += inside;
            n_outside += n - inside;
        }
        if right > 0 && right < rows.len() {
            undecided.push(Person { intercept: logit(right, rows.len()), rows });
            is_compared |= has_both;
        }
    }
    if !is_compared {
        return None;
    }
    let mut model =
        Model { votes, columns: &columns, people: undecided, slopes: DVector::zeros(columns.len()) };
    model.fit()?;
    model.tell(level, points).map(|told| Effect { n_strata, n_inside, n_outside, ..told })
}

/// Columns of a restricted cubic spline: the number itself, and two curves that are straight beyond the outer knots.
/// Fewer where values repeat; none of a number that is always the same.
fn spline(x: &[f64]) -> Vec<Vec<f64>> {
    let mut sorted: Vec<f64> = x.iter().copied().filter(|x| x.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else { return Vec::new() };
    if first == last {
        return Vec::new();
    }
    let mut knots: Vec<f64> =
        KNOTS.map(|q| sorted[((sorted.len() - 1) as f64 * q).round() as usize]).to_vec();
    knots.dedup();
    let scale = last - first;
    let mut columns = vec![x.iter().map(|x| (x - first) / scale).collect()];
    if let [inner @ .., before, end] = knots.as_slice() {
        let cube = |x: f64| x.max(0.0).powi(3);
        for knot in inner {
            let curve = |x: &f64| {
                let tail = cube(x - before) * (end - knot) - cube(x - end) * (before - knot);
                (cube(x - knot) - tail / (end - before)) / (end - inner[0]).powi(2) / scale
            };
            columns.push(x.iter().map(curve).collect());
        }
    }
    columns
}

fn logit(right: usize, n: usize) -> f64 {
    (right as f64 / (n - right) as f64).ln()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The votes of somebody who is sometimes right.
struct Person {
    rows: Vec<usize>,
    intercept: f64,
}

struct Model<'a> {
    votes: &'a [Vote],
    columns: &'a [Vec<f64>],
    people: Vec<Person>,
    slopes: DVector<f64>,
}

/// Sums of a person's votes under the model.
struct Sums {
    weight: f64,
    rest: f64,
    weighted: DVector<f64>,
    score: DVector<f64>,
}

impl Model<'_> {
    fn linear(&self, person: &Person, row: usize) -> f64 {
        let slopes = self.slopes.iter().zip(self.columns);
        person.intercept + slopes.map(|(slope, column)| slope * column[row]).sum::<f64>()
    }

    fn log_likelihood(&self) -> f64 {
        let of_row = |person: &Person, row: usize| {
            let x = self.linear(person, row);
            let x = if self.votes[row].is_right { x } else { -x };
            // ln σ(x), without overflow.
            x.min(0.0) - (-x.abs()).exp().ln_1p()
        };
        self.people.iter().map(|p| p.rows.iter().map(|row| of_row(p, *row)).sum::<f64>()).sum()
    }

    /// Sums of a person; adds the person's part to the matrix of second derivatives.
    fn sums(&self, person: &Person, second: &mut DMatrix<f64>) -> Sums {
        let n = self.columns.len();
        let mut sums =
            Sums { weight: 0.0, rest: 0.0, weighted: DVector::zeros(n), score: DVector::zeros(n) };
        for &row in &person.rows {
            let p = sigmoid(self.linear(person, row));
            let (weight, rest) = (p * (1.0 - p), f64::from(u8::from(self.votes[row].is_right)) - p);
            sums.weight += weight;
            sums.rest += rest;
            for (i, x) in self.columns.iter().map(|c| c[row]).enumerate() {
                sums.weighted[i] += weight * x;
                sums.score[i] += rest * x;
                for (j, y) in self.columns[..=i].iter().map(|c| c[row]).enumerate() {
                    second[(i, j)] += weight * x * y;
                }
            }
        }
        sums
    }

    /// The matrix of second derivatives with the intercepts taken out, the slope, and the sums of each person.
    fn derivatives(&self) -> (DMatrix<f64>, DVector<f64>, Vec<Sums>) {
        let n = self.columns.len();
        let (mut second, mut slope) = (DMatrix::zeros(n, n), DVector::zeros(n));
        let mut all = Vec::with_capacity(self.people.len());
        for person in &self.people {
            let sums = self.sums(person, &mut second);
            for i in 0..n {
                let share = sums.weighted[i] / sums.weight;
                slope[i] += sums.score[i] - share * sums.rest;
                for j in 0..=i {
                    second[(i, j)] -= share * sums.weighted[j];
                }
            }
            all.push(sums);
        }
        second.fill_upper_triangle_with_lower_triangle();
        (second, slope, all)
    }

    /// Newton's method, a step cut in halves where it overshoots.
    fn fit(&mut self) -> Option<()> {
        let mut here = self.log_likelihood();
        for _ in 0..MAX_ROUNDS {
            let (second, slope, sums) = self.derivatives();
            let step = ridged(second).cholesky()?.solve(&slope);
            let moves: Vec<f64> = sums
                .iter()
                .map(|s| {
                    ((s.rest - s.weighted.dot(&step)) / s.weight).clamp(-LONGEST_STEP, LONGEST_STEP)
                })
                .collect();
            let mut share = 1.0;
            let before: Vec<f64> = self.people.iter().map(|p| p.intercept).collect();
            let slopes = self.slopes.clone();
            let there = loop {
                self.slopes = &slopes + &step * share;
                for ((person, from), by) in self.people.iter_mut().zip(&before).zip(&moves) {
                    person.intercept = from + share * by;
                }
                let there = self.log_likelihood();
                if there >= here - 1e-12 * here.abs() || share < 1e-6 {
                    break there;
                }
                share /= 2.0;
            };
            let is_settled = (there - here).abs() <= 1e-11 * here.abs().max(1.0);
            here = there;
            if is_settled {
                return Some(());
            }
        }
        None
    }

    /// The state's effect.
    fn tell(&self, level: f64, points: Difference) -> Option<Effect> {
        let (second, _, sums) = self.derivatives();
        let (n, last) = (self.columns.len(), self.columns.len() - 1);
        let whole = second[(last, last)];
        let bread = ridged(second).cholesky()?;
        // What the others leave of the state: nothing, where it is one of them.
        if bread.l()[(last, last)].powi(2) < 1e-7 * whole {
            return None;
        }
        let bread = bread.inverse();
        let mut meat = DMatrix::<f64>::zeros(n, n);
        for of in &sums {
            let own = &of.score - &of.weighted * (of.rest / of.weight);
            meat += &own * own.transpose();
        }
        let n_people = self.people.len() as f64;
        if n_people < 2.0 {
            return None;
        }
        let variance = &bread * meat * &bread * (n_people / (n_people - 1.0));
        let student = |n_people: f64| StudentsT::new(0.0, 1.0, n_people - 1.0).ok();
        let reach = |of: &StudentsT| of.inverse_cdf(f64::midpoint(1.0, level));
        let odds = student(n_people)?;
        let t = reach(&odds);
        let (slope, sd) = (self.slopes[last], variance[(last, last)].max(0.0).sqrt());
        let points_reach = reach(&student(points.n_people as f64)?) * points.sd;
        if !(sd > 0.0 && sd.is_finite() && slope.is_finite()) {
            return None;
        }
        Some(Effect {
            n_strata: 0,
            n_inside: 0,
            n_outside: 0,
            odds_ratio: slope.exp(),
            odds_ratio_interval: Interval { low: (slope - t * sd).exp(), high: (slope + t * sd).exp() },
            difference: points.points,
            difference_interval: Interval {
                low: (points.points - points_reach).max(-1.0),
                high: (points.points + points_reach).min(1.0),
            },
            p: 2.0 * odds.cdf(-(slope / sd).abs()),
        })
    }
}

/// With a trace of a ridge: curves that say nearly the same are no reason to give up.
pub(super) fn ridged(mut matrix: DMatrix<f64>) -> DMatrix<f64> {
    for i in 0..matrix.nrows() {
        matrix[(i, i)] += 1e-10 * matrix[(i, i)].abs() + 1e-12;
    }
    matrix
}

#[cfg(test)]
#[path = "within_tests.rs"]
mod tests;
