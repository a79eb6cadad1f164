//! How good a model is, read out of a `metrics.json` whose writer is not known here.
//!
//! What the file may hold, whatever the family of models:
//! - an *estimate* is an object `{"value": …, "low": …, "high": …}`, or `null` where there is none; its
//!   ends are an interval at `interval_level`;
//! - an object with estimates is a row, named by where it stands: `held_out/models/model/all_classes`. Below
//!   `models`, `model` is the model itself and other names are what it is compared with; below `classes`
//!   stand single classes;
//! - `reliability` is a list of bins: `low`, `high`, `n`, `mean_predicted` and the estimate `mean_label`;
//! - `slices` is a list of objects: `slice` (in words), `n`, and estimates, or a `note` why there are none;
//! - `calibration_notes` is a list of sentences;
//! - numbers of their own right in `held_out` (`n`, a coverage) are told as they are.

use serde_json::{Map, Value};

/// A number with its interval; `None` where it could not be had.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Its interval, where there is one.
    pub interval: Option<(f64, f64)>,
}

impl Estimate {
    fn of(value: &Value) -> Option<Self> {
        let object = value.as_object()?;
        let number = |name: &str| object.get(name).and_then(Value::as_f64);
        let interval = number("low").zip(number("high"));
        Some(Self { value: number("value")?, interval })
    }

    /// Whether the value lies in its interval. An estimate without one says nothing wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.interval.is_none_or(|(low, high)| low <= high)
    }

    /// With four digits.
    #[must_use]
    pub fn text(&self) -> String {
        match self.interval {
            Some((low, high)) => format!("{:.4} ({low:.4}–{high:.4})", self.value),
            None => format!("{:.4}", self.value),
        }
    }
}

/// A named estimate.
pub type Named = (String, Option<Estimate>);

/// Estimates that stand together.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Where they stand.
    pub path: Vec<String>,
    /// In the order of the file.
    pub estimates: Vec<Named>,
}

impl Row {
    /// Whether they are of the model itself, all of it together.
    #[must_use]
    pub fn is_of_model(&self) -> bool {
        let of = self.path.windows(2).find(|w| w[0] == "models").map(|w| w[1].as_str());
        of.is_none_or(|name| name == "model") && !self.is_of_class() && !self.is_difference()
    }

    fn is_of_class(&self) -> bool {
        self.path.iter().any(|part| part == "classes")
    }

    fn is_difference(&self) -> bool {
        self.path.iter().any(|part| part.ends_with("_minus"))
    }

    /// Whether a card tells it: single classes of what the model is compared with are too much.
    fn is_told(&self) -> bool {
        let of = self.path.windows(2).find(|w| w[0] == "models").map(|w| w[1].as_str());
        !(self.is_of_class() && of.is_some_and(|name| name != "model"))
    }

    fn name(&self) -> String {
        let parts = self.path.iter().map(String::as_str);
        let parts: Vec<&str> =
            parts.filter(|p| !["held_out", "models", "classes"].contains(p)).collect();
        match parts.as_slice() {
            [] => "all".to_owned(),
            parts => parts.join(" · ").replace('_', " "),
        }
    }
}

/// Rows that measure the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Names of what is measured.
    pub columns: Vec<String>,
    /// Name of a row, and its estimates in the order of the columns.
    pub rows: Vec<(String, Vec<Option<Estimate>>)>,
}

/// A bin of a reliability table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// Predictions above this…
    pub low: f64,
    /// … and up to this.
    pub high: f64,
    /// How many there are.
    pub n: u64,
    /// Their mean.
    pub mean_predicted: Option<f64>,
    /// What was true of them.
    pub mean_label: Option<Estimate>,
}

/// A part of what was held out.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// In words.
    pub slice: String,
    /// Subjects in it.
    pub n: u64,
    /// What was measured on them.
    pub estimates: Vec<Named>,
    /// Why nothing was: "not enough data".
    pub note: Option<String>,
}

/// All rows, in the order of the file.
#[must_use]
pub fn rows(metrics: &Value) -> Vec<Row> {
    let mut all = Vec::new();
    walk(metrics, &mut Vec::new(), &mut |path, object| {
        let estimates = estimates(object);
        // A list's own estimates belong to their bins and slices.
        if estimates.iter().any(|(_, e)| e.is_some()) {
            all.push(Row { path: path.to_vec(), estimates });
        }
    });
    all
}

/// The estimates right in an object; `null` beside one is one that could not be had.
fn estimates(object: &Map<String, Value>) -> Vec<Named> {
    let one = |(name, value): (&String, &Value)| {
        let estimate = Estimate::of(value);
        (estimate.is_some() || value.is_null()).then(|| (name.clone(), estimate))
    };
    object.iter().filter_map(one).collect()
}

fn walk(value: &Value, path: &mut Vec<String>, visit: &mut impl FnMut(&[String], &Map<String, Value>)) {
    let Value::Object(object) = value else { return };
    if Estimate::of(value).is_some() {
        return;
    }
    for (name, value) in object {
        path.push(name.clone());
        walk(value, path, visit);
        path.pop();
    }
    // The details first: what is said of a whole model beside them is mostly an afterthought.
    visit(path, object);
}

/// The rows of a card as tables: rows that measure the same stand in one.
#[must_use]
pub fn tables(rows: &[Row]) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for row in rows.iter().filter(|row| row.is_told()) {
        let columns: Vec<String> = row.estimates.iter().map(|(name, _)| name.clone()).collect();
        let cells = (row.name(), row.estimates.iter().map(|(_, estimate)| *estimate).collect());
        match tables.iter_mut().find(|table| table.columns == columns) {
            Some(table) => table.rows.push(cells),
            None => tables.push(Table { columns, rows: vec![cells] }),
        }
    }
    tables
}

/// The reliability table of the model itself: the first one that is not of a single class.
#[must_use]
pub fn reliability(metrics: &Value) -> Vec<Bin> {
    let mut found: Vec<Bin> = Vec::new();
    walk(metrics, &mut Vec::new(), &mut |path, object| {
        let row = Row { path: path.to_vec(), estimates: Vec::new() };
        if !found.is_empty() || !row.is_of_model() {
            return;
        }
        let bins = object.get("reliability").and_then(Value::as_array).into_iter().flatten();
        found = bins
            .filter_map(|bin| {
                let number = |name: &str| bin.get(name).and_then(Value::as_f64);
                Some(Bin {
                    low: number("low")?,
                    high: number("high")?,
                    n: bin.get("n").and_then(Value::as_u64)?,
                    mean_predicted: number("mean_predicted"),
                    mean_label: bin.get("mean_label").and_then(Estimate::of),
                })
            })
            .collect();
    });
    found
}

/// All slices.
#[must_use]
pub fn slices(metrics: &Value) -> Vec<Slice> {
    let all = metrics.get("slices").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|slice| {
        Some(Slice {
            slice: slice.get("slice").and_then(Value::as_str)?.to_owned(),
            n: slice.get("n").and_then(Value::as_u64)?,
            estimates: estimates(slice.as_object()?),
            note: slice.get("note").and_then(Value::as_str).map(str::to_owned),
        })
    })
    .collect()
}

/// What is to be said of the calibration, in sentences.
#[must_use]
pub fn calibration_notes(metrics: &Value) -> Vec<&str> {
    let all = metrics.get("calibration_notes").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(Value::as_str).collect()
}

/// Numbers of their own right in `held_out`.
#[must_use]
pub fn numbers(metrics: &Value) -> Vec<(String, f64)> {
    let held_out = metrics.get("held_out").and_then(Value::as_object);
    let all = held_out.into_iter().flatten();
    all.filter_map(|(name, value)| Some((name.replace('_', " "), value.as_f64()?))).collect()
}

/// The level of the intervals.
#[must_use]
pub fn interval_level(metrics: &Value) -> Option<f64> {
    metrics.get("interval_level").and_then(Value::as_f64).filter(|l| *l > 0.0 && *l < 1.0)
}
