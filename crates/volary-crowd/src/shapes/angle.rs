//! Directions: how far apart two are, and where many of them point.
//!
//! A direction of period P (180° for an ellipse, 120° for a triangle) is stretched to a full turn, averaged
//! as a vector, and shrunk back (Mardia & Jupp 2000, *Directional Statistics*, 2.2 and 3.6). The spread is
//! the standard deviation of the deviations from that mean, which is what it is for a straight line where
//! directions agree; its interval is Student's. Where they don't agree at all (Rayleigh's test at 5 %),
//! there is no mean direction, and the interval is the whole period.

/// The deviation of `angle` from `from`, in (−period/2, period/2].
#[must_use]
pub fn deviation(angle: f64, from: f64, period: f64) -> f64 {
    let d = (angle - from).rem_euclid(period);
    if d > period / 2.0 { d - period } else { d }
}

/// The smaller way between two directions, in 0..=period/2.
#[must_use]
pub fn angle_distance(a: f64, b: f64, period: f64) -> f64 {
    let d = (a.rem_euclid(period) - b.rem_euclid(period)).abs();
    d.min(period - d)
}

/// The mean direction in [0, period), and the length of the mean vector, 0 (none) to 1 (all the same).
///
/// `None` where there are no angles.
#[must_use]
pub fn mean_direction(angles: &[f64], period: f64) -> Option<(f64, f64)> {
    if angles.is_empty() {
        return None;
    }
    let turn = std::f64::consts::TAU / period;
    let (sin, cos) = angles.iter().fold((0.0, 0.0), |(s, c), a| {
        let (sin, cos) = (a * turn).sin_cos();
        (s + sin, c + cos)
    });
    let length = sin.hypot(cos) / angles.len() as f64;
    let mean = (sin.atan2(cos) / turn).rem_euclid(period);
    Some((if mean >= period { 0.0 } else { mean }, length.min(1.0)))
}

/// Whether directions agree at all: Rayleigh's test at 5 %, with the small-sample correction of
/// Mardia & Jupp (6.3.5).
#[must_use]
pub fn agree(n: usize, length: f64) -> bool {
    let n = n as f64;
    let s = (1.0 - 1.0 / (2.0 * n)) * 2.0 * n * length * length + n * length.powi(4) / 2.0;
    // The 5 % point of χ² with two degrees of freedom.
    s > -2.0 * 0.05_f64.ln()
}

/// The average as `panoptes_aggregation` 5.3 finds it: the least sum of squared distances, searched from 0
/// to the period by Brent's bounded method (Forsythe, Malcolm & Moler 1977), rounded to 0.001°.
///
/// It may stop in a local minimum where directions lie on both sides of 0; [`mean_direction`] does not.
#[must_use]
pub fn searched_average(angles: &[f64], period: f64) -> f64 {
    let cost = |x: f64| angles.iter().map(|&a| angle_distance(x, a, period).powi(2)).sum::<f64>();
    let best = bounded_minimum(&cost, 0.0, period, 1e-5, 500);
    ((best * 1000.0).round_ties_even() / 1000.0).rem_euclid(period)
}

/// Brent's method between bounds: golden sections, and parabolas where they help.
pub(super) fn bounded_minimum(
    cost: &impl Fn(f64) -> f64,
    low: f64,
    high: f64,
    tolerance: f64,
    max_steps: u32,
) -> f64 {
    let golden = 0.5 * (3.0 - 5.0_f64.sqrt());
    let root_eps = 2.2e-16_f64.sqrt();
    let (mut a, mut b) = (low, high);
    let mut best = a + golden * (b - a);
    let (mut second, mut third) = (best, best);
    let (mut last, mut before) = (0.0_f64, 0.0_f64);
    let mut f_best = cost(best);
    let (mut f_second, mut f_third) = (f_best, f_best);
    let sign = |x: f64| if x < 0.0 { -1.0 } else { 1.0 };
    for _ in 1..max_steps {
        let middle = 0.5 * (a + b);
        let step_min = root_eps * best.abs() + tolerance / 3.0;
        let close = 2.0 * step_min;
        if (best - middle).abs() <= close - 0.5 * (b - a) {
            break;
        }
        let mut is_golden = true;
        if before.abs() > step_min {
            let r = (best - second) * (f_best - f_third);
            let q = (best - third) * (f_best - f_second);
            let mut p = (best - third) * q - (best - second) * r;
            let mut q = 2.0 * (q - r);
            if q > 0.0 {
                p = -p;
            }
            q = q.abs();
            let earlier = std::mem::replace(&mut before, last);
            if p.abs() < (0.5 * q * earlier).abs() && p > q * (a - best) && p < q * (b - best) {
                last = p / q;
                let x = best + last;
                if x - a < close || b - x < close {
                    last = step_min * sign(middle - best);
                }
                is_golden = false;
            }
        }
        if is_golden {
            before = if best >= middle { a - best } else { b - best };
            last = golden * before;
        }
        let x = best + sign(last) * last.abs().max(step_min);
        let f = cost(x);
        if f <= f_best {
            if x >= best {
                a = best
            } else {
                b = best
            }
            (third, f_third) = (second, f_second);
            (second, f_second) = (best, f_best);
            (best, f_best) = (x, f);
        } else {
            if x < best {
                a = x
            } else {
                b = x
            }
            if f <= f_second || second == best {
                (third, f_third) = (second, f_second);
                (second, f_second) = (x, f);
            } else if f <= f_third || third == best || third == second {
                (third, f_third) = (x, f);
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_across_zero() {
        assert_eq!(angle_distance(350.0, 10.0, 360.0), 20.0);
        assert_eq!(angle_distance(-10.0, 370.0, 360.0), 20.0);
        assert_eq!(angle_distance(175.0, 5.0, 180.0), 10.0);
        assert!((deviation(5.0, 175.0, 180.0) - 10.0).abs() < 1e-12);
        assert!((deviation(175.0, 5.0, 180.0) + 10.0).abs() < 1e-12);
        let (mean, length) = mean_direction(&[175.0, 5.0, 0.0], 180.0).unwrap();
        assert!(mean.min(180.0 - mean) < 1e-9 && length > 0.98, "{mean} {length}");
        assert_eq!(mean_direction(&[], 180.0), None);
    }

    #[test]
    fn opposite_directions_have_no_mean() {
        let spread: Vec<f64> = (0..12).map(|i| f64::from(i) * 30.0).collect();
        let (_, length) = mean_direction(&spread, 360.0).unwrap();
        assert!(!agree(12, length));
        let (_, length) = mean_direction(&[1.0, 2.0, 3.0], 360.0).unwrap();
        assert!(agree(3, length));
    }
}
