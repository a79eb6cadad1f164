//! The discrete Laplace law, exactly: whole numbers and coin flips, no rounding anywhere (Canonne, Kamath &
//! Steinke 2020, arXiv:2004.00010, algorithms 1 and 2).
//!
//! Laplace noise of floating-point numbers tells by its lowest bits what it was added to (Mironov 2012,
//! doi:10.1145/2382196.2382264). Here nothing is a floating-point number but the half width that is told.

use rand::Rng;

/// An exact positive number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    /// Above the line.
    pub num: u64,
    /// Below it.
    pub den: u64,
}

impl Ratio {
    /// A decimal with up to six digits after the point, above 0 and up to 1000, as it was written.
    #[must_use]
    pub fn of(x: f64) -> Option<Self> {
        const DEN: u64 = 1_000_000;
        if !(x > 0.0 && x <= 1000.0) {
            return None;
        }
        let num = (x * DEN as f64).round();
        let is_exact = (num / DEN as f64 - x).abs() <= f64::EPSILON * x;
        (num >= 1.0 && is_exact).then(|| Self { num: num as u64, den: DEN }.reduced())
    }

    fn reduced(self) -> Self {
        let (mut a, mut b) = (self.num, self.den);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        Self { num: self.num / a, den: self.den / a }
    }
}

/// The scale of discrete Laplace noise, t / s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Above the line.
    pub t: u64,
    /// Below it.
    pub s: u64,
}

impl Scale {
    /// For a histogram to which a person adds up to `sensitivity`, where `n` histograms share `epsilon`: then
    /// one costs ε/n, and the scale is sensitivity · n / ε. `None` where that is no number for us.
    #[must_use]
    pub fn of(sensitivity: u64, n: u64, epsilon: Ratio) -> Option<Self> {
        let t = sensitivity.checked_mul(n)?.checked_mul(epsilon.den)?;
        let scale = Ratio { num: t, den: epsilon.num }.reduced();
        let is_fit = scale.num > 0 && scale.den > 0 && scale.num < 1 << 60 && scale.den < 1 << 60;
        is_fit.then_some(Self { t: scale.num, s: scale.den })
    }

    /// ε of a histogram to which a person adds up to `sensitivity`.
    #[must_use]
    pub fn epsilon(self, sensitivity: u64) -> f64 {
        sensitivity as f64 * self.s as f64 / self.t as f64
    }

    /// The chance of `y`.
    #[must_use]
    pub fn chance(self, y: i64) -> f64 {
        let rate = self.s as f64 / self.t as f64;
        (rate / 2.0).tanh() * (-rate * y.unsigned_abs() as f64).exp()
    }

    /// The smallest w such that noise is from −w to w with a chance of at least `level`.
    #[must_use]
    pub fn half_width(self, level: f64) -> u64 {
        let rate = self.s as f64 / self.t as f64;
        // P(|Y| > w) = 2 q^(w+1) / (1 + q), with q = e^−rate.
        let q = (-rate).exp();
        let beyond = (1.0 - level) * (1.0 + q) / 2.0;
        let w = (beyond.ln() / -rate - 1.0).ceil();
        if w > 0.0 { w as u64 } else { 0 }
    }
}

/// A draw from the discrete Laplace law: P(y) ∝ exp(−|y| s / t).
pub fn discrete_laplace(scale: Scale, rng: &mut impl Rng) -> i64 {
    let Scale { t, s } = scale;
    loop {
        let u = below(t, rng);
        if !flip_exp(u, t, rng) {
            continue;
        }
        let mut v = 0_u128;
        while flip_exp(1, 1, rng) {
            v += 1;
        }
        let x = u128::from(u) + u128::from(t) * v;
        let y = i64::try_from(x / u128::from(s)).unwrap_or(i64::MAX);
        let is_negative = below(2, rng) == 1;
        // 0 has one sign.
        if !(is_negative && y == 0) {
            return if is_negative { -y } else { y };
        }
    }
}

/// Heads with a chance of exp(−num/den), where num ≤ den.
fn flip_exp(num: u64, den: u64, rng: &mut impl Rng) -> bool {
    let mut k = 1_u64;
    // Heads with a chance of γ/k, k = 1, 2, …: how often there are heads is odd or even as the series of e^−γ.
    while flip(num, u128::from(den) * u128::from(k), rng) {
        k += 1;
    }
    k % 2 == 1
}

/// Heads with a chance of num/den.
fn flip(num: u64, den: u128, rng: &mut impl Rng) -> bool {
    match u64::try_from(den) {
        Ok(den) => below(den, rng) < num,
        // The series of a long run of heads: as good as never, and still exact.
        Err(_) => below_wide(den, rng) < u128::from(num),
    }
}

/// A whole number below `n`, each with the same chance: draws that do not fit are drawn again.
fn below(n: u64, rng: &mut impl Rng) -> u64 {
    let bits = 64 - (n - 1).leading_zeros();
    let mask = if bits == 64 { u64::MAX } else { (1_u64 << bits) - 1 };
    loop {
        let drawn = rng.next_u64() & mask;
        if drawn < n {
            return drawn;
        }
    }
}

fn below_wide(n: u128, rng: &mut impl Rng) -> u128 {
    let bits = 128 - (n - 1).leading_zeros();
    let mask = if bits == 128 { u128::MAX } else { (1_u128 << bits) - 1 };
    loop {
        let drawn = (u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64())) & mask;
        if drawn < n {
            return drawn;
        }
    }
}
