//! Brightness to numbers between 0 and 1, as `astropy.visualization` does it (`PercentileInterval`,
//! `LinearStretch`, `AsinhStretch`, `LogStretch`, `make_lupton_rgb`). Golden values of astropy 8.0.2 are
//! among the tests.

use super::settings::Stretch;

/// Stretches planes in place; all of them together, so that colours are kept. Says `true` where all values
/// are the same, so that there is nothing to see: all become 0.
pub(super) fn apply(stretch: Stretch, planes: &mut [Vec<f32>]) -> bool {
    let (low_percent, high_percent) = match stretch {
        Stretch::AsStored => {
            planes.iter_mut().flatten().for_each(|v| *v = v.clamp(0.0, 1.0));
            return false;
        }
        Stretch::Lupton { minimum, stretch, q } => {
            lupton(planes, minimum, stretch, q);
            return false;
        }
        Stretch::Linear { low_percent, high_percent }
        | Stretch::Asinh { low_percent, high_percent, .. }
        | Stretch::Log { low_percent, high_percent, .. } => (low_percent, high_percent),
    };
    let mut sorted: Vec<f32> = planes.iter().flatten().copied().collect();
    let low = percentile(&mut sorted, low_percent);
    let high = percentile(&mut sorted, high_percent);
    let range = high - low;
    // The difference of two values can be beyond what a number holds, or nothing.
    if !(range > 0.0 && range.is_finite()) {
        planes.iter_mut().flatten().for_each(|v| *v = 0.0);
        return true;
    }
    let unit = |v: f32| ((f64::from(v) - low) / range).clamp(0.0, 1.0);
    let values = planes.iter_mut().flatten();
    match stretch {
        Stretch::Asinh { a, .. } => {
            let scale = (1.0 / a).asinh();
            values.for_each(|v| *v = ((unit(*v) / a).asinh() / scale) as f32);
        }
        Stretch::Log { a, .. } => {
            let scale = a.ln_1p();
            values.for_each(|v| *v = ((a * unit(*v)).ln_1p() / scale) as f32);
        }
        _ => values.for_each(|v| *v = unit(*v) as f32),
    }
    false
}

/// The value below which `percent` of the values lie, linear between the two nearest (numpy's default). The
/// values are finite; their order changes.
fn percentile(values: &mut [f32], percent: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else { return 0.0 };
    let place = percent / 100.0 * last as f64;
    let below = (place.floor() as usize).min(last);
    let (_, &mut lower, above) = values.select_nth_unstable_by(below, f32::total_cmp);
    let lower = f64::from(lower);
    let upper = above.iter().copied().min_by(f32::total_cmp).map_or(lower, f64::from);
    lower + (upper - lower) * (place - below as f64)
}

/// Lupton et al. 2004, section 2, with the scaling of astropy: the slope of the curve at a tenth of
/// `stretch` is that of a linear one. Where a channel passes 1 all three are divided by it, so that the
/// colour stays.
fn lupton(planes: &mut [Vec<f32>], minimum: f64, stretch: f64, q: f64) {
    let [red, green, blue] = planes else { return };
    const FRACTION: f64 = 0.1;
    // As astropy: no Q at all is a small one.
    let q = if q < f64::from(f32::EPSILON) { 0.1 } else { q };
    let slope = FRACTION / (FRACTION * q).asinh();
    let soften = q / stretch;
    for ((red, green), blue) in red.iter_mut().zip(green).zip(blue) {
        let rgb = [&*red, &*green, &*blue].map(|v| f64::from(*v) - minimum);
        let intensity = rgb.iter().sum::<f64>() / 3.0;
        let factor =
            if intensity <= 0.0 { 0.0 } else { (intensity * soften).asinh() * slope / intensity };
        let rgb = rgb.map(|v| (v * factor).max(0.0));
        let largest = rgb.iter().copied().fold(1.0, f64::max);
        [*red, *green, *blue] = rgb.map(|v| (v / largest) as f32);
    }
}

#[cfg(test)]
#[path = "stretch_tests.rs"]
mod tests;
