//! Simpson's paradox: a slice that is worse than the rest, and better within every kind of another column (Simpson
//! 1951), as the sensor that is pointed at the faint ones.
//!
//! A flagged slice of one condition is compared within the slices of each other column, and the differences are put
//! together as Mantel & Haenszel do ([`crate::practice::mantel_haenszel`]). Where the common difference has the other
//! sign, and its interval leaves out zero, the slice is a reversal. Only what [`super::bias`] reported of one and of
//! two conditions is used; cells that held too few subjects are no part of it. Says nothing of causes.

use super::SliceRate;
use crate::interval::Interval;
use crate::practice::{Stratum, mantel_haenszel};

/// A slice whose difference turns round within the slices of another column.
#[derive(Clone, Debug, PartialEq)]
pub struct Reversal<'a> {
    /// The slice, of one condition.
    pub slice: &'a SliceRate,
    /// The other column.
    pub within: &'a str,
    /// The common difference of the error rate to the others of the same kind.
    pub difference: f64,
    /// Its interval.
    pub interval: Interval,
}

/// The reversals among rates of slices of one and of two conditions; none where there are none of two.
#[must_use]
pub fn reversals(rates: &[SliceRate], level: f64) -> Vec<Reversal<'_>> {
    let single = || rates.iter().filter(|r| r.conditions.len() == 1);
    let mut found = Vec::new();
    for slice in single().filter(|r| r.is_flagged) {
        let own = &slice.conditions[0];
        let mut columns: Vec<&str> = single().map(|r| r.conditions[0].column()).collect();
        columns.sort_unstable();
        columns.dedup();
        for within in columns.into_iter().filter(|c| *c != own.column()) {
            let kinds =
                single().filter(|r| r.wrong == slice.wrong && r.conditions[0].column() == within);
            let strata = kinds.filter_map(|kind| stratum(rates, slice, kind));
            // Of being right.
            let Some(effect) = mantel_haenszel(strata, level) else { continue };
            let interval = Interval {
                low: -effect.difference_interval.high,
                high: -effect.difference_interval.low,
            };
            let is_reversed = -effect.difference * slice.difference < 0.0 && !interval.contains(0.0);
            if is_reversed {
                found.push(Reversal { slice, within, difference: -effect.difference, interval });
            }
        }
    }
    found
}

/// The slice, and the others, of one kind.
fn stratum(rates: &[SliceRate], slice: &SliceRate, kind: &SliceRate) -> Option<Stratum> {
    let both = rates.iter().find(|r| {
        let holds = |c| r.conditions.contains(c);
        r.wrong == slice.wrong
            && r.conditions.len() == 2
            && holds(&slice.conditions[0])
            && holds(&kind.conditions[0])
    })?;
    // Subjects of the kind of which the slice's column says nothing are among the others.
    let others = (kind.k.checked_sub(both.k)?, kind.n.checked_sub(both.n)?);
    Some(Stratum { inside: [both.n - both.k, both.k], outside: [others.1 - others.0, others.0] })
}

#[cfg(test)]
mod tests {
    use super::super::{BiasParams, Case, Column, Condition, Values, Wrong, bias};
    use super::*;

    /// Charig et al. 1986 (doi:10.1136/bmj.292.6524.879), the textbook's reversal, with the stones as galaxies: sensor
    /// A fails less on the bright and less on the faint, and more in all, since it got the faint. `times` over.
    fn charig(times: u32) -> (Vec<Case>, Vec<Column>) {
        let (mut cases, mut sensor, mut kind) = (Vec::new(), Vec::new(), Vec::new());
        for (s, k, right, n) in [
            ("A", "bright", 81, 87),
            ("A", "faint", 192, 263),
            ("B", "bright", 234, 270),
            ("B", "faint", 55, 80),
        ] {
            for i in 0..n * times {
                cases.push(Case { is_positive: true, said_positive: i < right * times });
                sensor.push(Some(s.to_owned()));
                kind.push(Some(k.to_owned()));
            }
        }
        let column =
            |name: &str, labels| Column { name: name.to_owned(), values: Values::Labels(labels) };
        (cases, vec![column("sensor", sensor), column("kind", kind)])
    }

    #[test]
    fn simpsons_paradox_is_told() {
        let (cases, columns) = charig(6);
        let params = BiasParams { together: 2, ..BiasParams::default() };
        let rates = bias(&cases, &columns, &params).unwrap();
        let label = |c: &Condition| match c {
            Condition::Is { label, .. } => label.clone(),
            Condition::Range { .. } => String::new(),
        };
        let rate = |labels: &[&str]| {
            let is_it = |r: &&SliceRate| {
                r.wrong == Wrong::FalseNegative
                    && r.conditions.iter().map(label).collect::<Vec<_>>() == labels
            };
            rates.iter().find(is_it).expect("the slice")
        };
        // The reversal, as the table shows it.
        assert!(rate(&["A"]).is_flagged && rate(&["A"]).difference > 0.0);
        for kind in ["bright", "faint"] {
            assert!(rate(&["A", kind]).rate < rate(&["B", kind]).rate);
        }
        let found = reversals(&rates, 0.95);
        let of = |found: &Reversal<'_>| {
            (label(&found.slice.conditions[0]), found.within.to_owned(), found.difference < 0.0)
        };
        let mut told: Vec<_> = found.iter().map(of).collect();
        told.sort();
        let kind = "kind".to_owned();
        assert_eq!(told, [("A".to_owned(), kind.clone(), true), ("B".to_owned(), kind, false)]);
        // Mantel and Haenszel by hand.
        let a = found.iter().find(|r| label(&r.slice.conditions[0]) == "A").expect("A");
        let weight = [87.0 * 270.0 / 357.0, 263.0 * 80.0 / 343.0];
        let points = [6.0 / 87.0 - 36.0 / 270.0, 71.0 / 263.0 - 25.0 / 80.0];
        let common = (weight[0] * points[0] + weight[1] * points[1]) / (weight[0] + weight[1]);
        assert!((a.difference - common).abs() < 1e-12, "{} {common}", a.difference);
    }

    #[test]
    fn no_reversal_is_told_where_the_parts_agree_with_the_whole() {
        let (mut cases, columns) = charig(6);
        // Sensor A fails more everywhere: there is nothing to turn round.
        let Values::Labels(sensor) = &columns[0].values else { unreachable!() };
        for (i, (case, label)) in cases.iter_mut().zip(sensor).enumerate() {
            case.said_positive = !(label.as_deref() == Some("A") && i % 2 == 0);
        }
        let params = BiasParams { together: 2, ..BiasParams::default() };
        assert_eq!(reversals(&bias(&cases, &columns, &params).unwrap(), 0.95), []);
        // And nothing of two conditions, nothing to compare with.
        let (cases, columns) = charig(6);
        assert_eq!(reversals(&bias(&cases, &columns, &BiasParams::default()).unwrap(), 0.95), []);
    }
}
