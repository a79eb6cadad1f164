//! Sums, posteriors and information, in an order that renaming the classes does not change.

/// Σ, smallest first: equal for any order of the terms.
pub(super) fn ascending_sum(terms: &[f64], sorted: &mut Vec<f64>) -> f64 {
    if let [a, b] = terms {
        return a + b;
    }
    sorted.clear();
    sorted.extend_from_slice(terms);
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.iter().sum()
}

/// exp(row) normalised into `out`; returns ln Σ exp(row).
pub(super) fn softmax(row: &[f64], out: &mut [f64], sorted: &mut Vec<f64>) -> f64 {
    let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    out.iter_mut().zip(row).for_each(|(p, l)| *p = (l - most).exp());
    let total = ascending_sum(out, sorted);
    out.iter_mut().for_each(|p| *p /= total);
    most + total.ln()
}

/// Mutual information, in bits, of a class of even odds and the answer given, for rows in any scale.
///
/// For two classes this is Space Warps' ½[S(a) + S(1−a)] + ½[S(b) + S(1−b)] − S(½(a + 1 − b)) −
/// S(½(1 − a + b)) with S(x) = x log₂ x.
pub(super) fn information_bits(k: usize, cell: impl Fn(usize, usize) -> f64) -> f64 {
    let x_log_x = |x: f64| if x > 0.0 { x * x.log2() } else { 0.0 };
    let even = 1.0 / k as f64;
    let (mut bits, mut marginal) = (0.0, vec![0.0; k]);
    for class in 0..k {
        let row: f64 = (0..k).map(|given| cell(class, given)).sum();
        for (given, total) in marginal.iter_mut().enumerate() {
            // A row of zeros (draws of tiny shapes can underflow) says nothing.
            let p = if row > 0.0 { cell(class, given) / row } else { even };
            bits += even * x_log_x(p);
            *total += even * p;
        }
    }
    (bits - marginal.into_iter().map(x_log_x).sum::<f64>()).max(0.0)
}
