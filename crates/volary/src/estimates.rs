//! Estimates as columns: a value and the ends of its interval, wherever a table shows a share.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use serde_json::{Value, json};
use volary_space::Estimate;

use crate::summary::percent;

/// Columns of a table, in order.
#[derive(Default)]
pub(crate) struct Sheet {
    columns: Vec<(String, ArrayRef)>,
}

impl Sheet {
    /// A column of any kind.
    pub(crate) fn column(mut self, name: &str, values: ArrayRef) -> Self {
        self.columns.push((name.to_owned(), values));
        self
    }

    /// A column of texts.
    pub(crate) fn texts<'t>(self, name: &str, values: impl Iterator<Item = &'t str>) -> Self {
        self.column(name, Arc::new(StringArray::from_iter_values(values)))
    }

    /// A column of numbers; what is none is missing.
    pub(crate) fn numbers(self, name: &str, values: impl Iterator<Item = f64>) -> Self {
        let known = values.map(|v| v.is_finite().then_some(v));
        self.column(name, Arc::new(Float64Array::from_iter(known)))
    }

    /// Three columns: NAME, NAME_low, NAME_high.
    pub(crate) fn estimates(self, name: &str, values: &[Option<Estimate>]) -> Self {
        let of =
            |part: fn(&Estimate) -> f64| values.iter().map(move |e| e.as_ref().map_or(f64::NAN, part));
        self.numbers(name, of(|e| e.value))
            .numbers(&format!("{name}_low"), of(|e| e.low))
            .numbers(&format!("{name}_high"), of(|e| e.high))
    }

    /// The table.
    pub(crate) fn finish(self) -> Result<RecordBatch, arrow_schema::ArrowError> {
        RecordBatch::try_from_iter(self.columns)
    }
}

/// In percent, for people.
pub(crate) fn shown(estimate: Option<Estimate>) -> String {
    estimate.map_or_else(|| "–".to_owned(), |e| percent(e.value, e.low, e.high))
}

/// With three decimals, for people.
pub(crate) fn decimals(estimate: Option<Estimate>) -> String {
    estimate.map_or_else(|| "–".to_owned(), |e| format!("{:.3} ({:.3}–{:.3})", e.value, e.low, e.high))
}

/// For machines; `null` where it is not known.
pub(crate) fn as_json(estimate: Option<Estimate>) -> Value {
    let number = |v: f64| if v.is_finite() { json!(v) } else { Value::Null };
    estimate.map_or(
        Value::Null,
        |e| json!({"value": number(e.value), "low": number(e.low), "high": number(e.high)}),
    )
}

/// Numbers of a list such as `0.1,0.5`, or of a range such as `300:3000:300` (from, to, step; both ends).
pub(crate) fn number_list(option: &str, text: &str) -> anyhow::Result<Vec<f64>> {
    let wrong =
        || anyhow::anyhow!("{option} {text:?} is no list of numbers; write 0.1,0.5,0.9 or 300:3000:300");
    let number =
        |part: &str| part.trim().parse::<f64>().ok().filter(|v| v.is_finite()).ok_or_else(wrong);
    let parts: Vec<&str> = text.split(':').collect();
    let numbers: Vec<f64> = match parts[..] {
        [from, to, step] => {
            let (from, to, step) = (number(from)?, number(to)?, number(step)?);
            let n = ((to - from) / step + 1e-9).floor();
            if !(step > 0.0 && (0.0..10_000.0).contains(&n)) {
                return Err(wrong());
            }
            // Written with as many digits as a person would: 0.1 + 2 × 0.1 is not 0.30000000000000004.
            (0..=n as u32).map(|i| ((from + f64::from(i) * step) * 1e9).round() / 1e9).collect()
        }
        [list] => list.split(',').map(number).collect::<anyhow::Result<Vec<f64>>>()?,
        _ => return Err(wrong()),
    };
    if numbers.is_empty() { Err(wrong()) } else { Ok(numbers) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Array as _;

    #[test]
    fn lists_and_ranges() {
        let list = |text| number_list("--at", text).unwrap();
        assert_eq!(list("0.1:0.5:0.1"), [0.1, 0.2, 0.3, 0.4, 0.5]);
        assert_eq!(list("300:3000:900"), [300.0, 1200.0, 2100.0, 3000.0]);
        assert_eq!(list(" 0.5, 7"), [0.5, 7.0]);
        for bad in ["", "a", "1,", "1:2", "1:2:0", "2:1:1", "0:1e9:1", "1:2:nan", "inf"] {
            let error = number_list("--at", bad).unwrap_err().to_string();
            assert!(error.starts_with("--at ") && error.contains("write 0.1"), "{bad}: {error}");
        }
    }

    #[test]
    fn missing_estimates_are_missing() {
        let e = Estimate { value: 0.5, low: f64::NAN, high: 0.75 };
        let batch = Sheet::default().estimates("recall", &[Some(e), None]).finish().unwrap();
        assert_eq!((batch.num_columns(), batch.num_rows()), (3, 2));
        assert_eq!(batch.column(0).null_count() + batch.column(1).null_count(), 3);
        assert_eq!(as_json(Some(e)), json!({"value": 0.5, "low": null, "high": 0.75}));
        assert_eq!((shown(None).as_str(), as_json(None)), ("–", Value::Null));
        assert_eq!(
            decimals(Some(Estimate { value: 0.5, low: 0.25, high: 0.75 })),
            "0.500 (0.250–0.750)"
        );
    }
}
