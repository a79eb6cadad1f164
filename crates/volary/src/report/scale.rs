//! Axes: round numbers to put ticks at, and how to write them.

use super::text::count;

/// A tick.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    pub(super) value: f64,
    pub(super) label: String,
}

/// Ticks with the name of what they measure.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) name: String,
    pub(super) ticks: Vec<Tick>,
}

impl Axis {
    /// Names ticks.
    pub(super) fn new(name: impl Into<String>, ticks: Vec<Tick>) -> Self {
        Self { name: name.into(), ticks }
    }
}

/// Round numbers from `low` to `high`, about `n` of them.
pub(super) fn round_ticks(low: f64, high: f64, n: u32) -> Vec<Tick> {
    let step = round_step((high - low) / f64::from(n.max(1)));
    let digits = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
    steps(low, high, step)
        .map(|value| Tick {
            value,
            label: if step < 1.0 { format!("{value:.digits$}") } else { short(value) },
        })
        .collect()
}

/// The same in percent: 0.2 is "20%".
pub(super) fn percent_ticks(low: f64, high: f64, n: u32) -> Vec<Tick> {
    let step = round_step((high - low) / f64::from(n.max(1)));
    let digits = usize::from(step < 0.01);
    steps(low, high, step)
        .map(|value| Tick { value, label: format!("{:.digits$}%", value * 100.0) })
        .collect()
}

/// Ticks for whole numbers from 0: never a half.
pub(super) fn count_ticks(high: f64, n: u32) -> Vec<Tick> {
    let step = round_step(high / f64::from(n.max(1))).max(1.0);
    steps(0.0, high, step).map(|value| Tick { value, label: short(value) }).collect()
}

/// Powers of ten (with 2 and 5 between them on short axes) of an axis in log10.
pub(super) fn log_ticks(low: f64, high: f64) -> Vec<Tick> {
    let between: &[f64] = match high - low {
        decades if decades > 4.2 => &[1.0],
        decades if decades > 2.2 => &[1.0, 3.0],
        _ => &[1.0, 2.0, 5.0],
    };
    let mut ticks = Vec::new();
    for power in low.floor() as i32..=high.ceil() as i32 {
        for times in between {
            let number = times * 10_f64.powi(power);
            let value = number.log10();
            if value >= low - 1e-9 && value <= high + 1e-9 {
                ticks.push(Tick { value, label: short(number) });
            }
        }
    }
    ticks
}

/// The end of an axis that starts at 0 and leaves a little air above `most`.
pub(super) fn above(most: f64) -> f64 {
    if most > 0.0 { most * 1.06 } else { 1.0 }
}

fn steps(low: f64, high: f64, step: f64) -> impl Iterator<Item = f64> {
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last.min(first + 50)).map(move |i| i as f64 * step)
}

/// The next of 1, 2, 5, 10, … from a size on.
fn round_step(size: f64) -> f64 {
    if !(size.is_finite() && size > 0.0) {
        return 1.0;
    }
    let power = 10_f64.powf(size.log10().floor());
    let round = [1.0, 2.0, 5.0, 10.0].into_iter().find(|r| r * power >= size * (1.0 - 1e-9));
    round.unwrap_or(10.0) * power
}

/// A round number in few characters: 1,500 stays, 20000 is 20k, 3e6 is 3M.
pub(super) fn short(value: f64) -> String {
    let unit = |divisor: f64, name: &str| {
        let digits = usize::from((value / divisor).fract().abs() > 1e-9);
        format!("{:.digits$}{name}", value / divisor)
    };
    match value.abs() {
        v if v >= 1e6 => unit(1e6, "M"),
        v if v >= 1e4 => unit(1e3, "k"),
        v if v.fract() < 1e-9 && value >= 0.0 => count(value as u64),
        _ => format!("{value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|t| t.label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(labels(&round_ticks(0.0, 1.0, 5)), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&percent_ticks(0.83, 0.95, 3)), ["85%", "90%", "95%"]);
        assert_eq!(labels(&count_ticks(2.0, 5)), ["0", "1", "2"]);
        assert_eq!(labels(&count_ticks(26_500.0, 3)), ["0", "10k", "20k"]);
        assert_eq!(labels(&log_ticks(0.0, 2.0)), ["1", "2", "5", "10", "20", "50", "100"]);
        assert_eq!(labels(&log_ticks(0.0, 3.0)), ["1", "3", "10", "30", "100", "300", "1,000"]);
        assert_eq!(round_ticks(1.0, 1.0, 5).len(), 1);
        assert_eq!((short(1_500_000.0).as_str(), short(15_000.0).as_str()), ("1.5M", "15k"));
    }
}
