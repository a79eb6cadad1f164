//! Reducers of answers: counts, consensus, survey choices, dropdowns, sliders. One call, one (subject,
//! task).
//!
//! As in the original: `total_vote_count` of a survey counts choices, not classifications; the most
//! likely of equally frequent answers is the one given first. Unlike there, counts are whole numbers.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

use super::literal::parse_cell;

/// A row of an extraction, as a reducer sees it: who, and the cells that are not empty, by column.
#[derive(Clone, Debug)]
pub(super) struct Extracted<'e> {
    pub(super) volunteer: &'e str,
    pub(super) created_ms: Option<i64>,
    pub(super) cells: Vec<(&'e str, &'e str)>,
}

/// A row of a reduction: column (without `data.`) and cell.
pub(super) type Reduced = BTreeMap<String, String>;

/// What a reducer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reducer {
    /// Counts of answers, or of combinations of answers.
    Question {
        /// Count combinations.
        pairs: bool,
        /// List who gave each answer.
        track: bool,
    },
    /// The most frequent answer.
    Consensus {
        /// Of combinations.
        pairs: bool,
    },
    /// One row per choice.
    Survey,
    /// Counts for each select.
    Dropdown,
    /// Mean, median, variance.
    Slider,
    /// Whether the first `n` results are all `wanted`.
    First {
        /// How many; 0 is never so.
        n: usize,
        /// True or false.
        wanted: bool,
    },
}

impl Reducer {
    /// The rows for one subject and task. The second part counts cells that could not be read.
    pub(super) fn reduce(self, rows: &[Extracted<'_>]) -> (Vec<Reduced>, u64) {
        match self {
            Self::Question { pairs, track } => (vec![question(rows, pairs, track)], 0),
            Self::Consensus { pairs } => (vec![consensus(rows, pairs)], 0),
            Self::Survey => survey(rows),
            Self::Dropdown => dropdown(rows),
            Self::Slider => slider(rows),
            Self::First { n, wanted } => (vec![first(rows, n, wanted)], 0),
        }
    }
}

/// What one row counts for: each of its answers, or all of them together.
fn keys(row: &Extracted<'_>, pairs: bool) -> Vec<String> {
    // What was plucked from metadata, and what a feedback says, are no answers.
    let is_answer = |name: &str| !name.starts_with("pluck.") && !name.starts_with("feedback.");
    let mut names: Vec<String> =
        row.cells.iter().map(|c| c.0).filter(|n| is_answer(n)).map(str::to_owned).collect();
    if pairs {
        names.sort();
        return vec![names.join("+")];
    }
    names
}

fn question(rows: &[Extracted<'_>], pairs: bool, track: bool) -> Reduced {
    let mut counts = BTreeMap::<String, (u64, Vec<Value>)>::new();
    for row in rows {
        for key in keys(row, pairs) {
            let (n, who) = counts.entry(key).or_default();
            *n += 1;
            who.push(Value::from(row.volunteer));
        }
    }
    let mut reduced = Reduced::new();
    for (key, (n, who)) in counts {
        if track {
            reduced.insert(format!("user_ids_{key}"), Value::Array(who).to_string());
        }
        reduced.insert(key, n.to_string());
    }
    reduced
}

fn consensus(rows: &[Extracted<'_>], pairs: bool) -> Reduced {
    let mut counts = Vec::<(String, u64)>::new();
    for key in rows.iter().flat_map(|row| keys(row, pairs)) {
        match counts.iter_mut().find(|(known, _)| *known == key) {
            Some((_, n)) => *n += 1,
            None => counts.push((key, 1)),
        }
    }
    let total: u64 = counts.iter().map(|(_, n)| n).sum();
    // The first of equals; `max_by_key` would take the last.
    let most = counts.iter().rev().max_by_key(|(_, n)| *n);
    let Some((key, n)) = most else {
        return Reduced::from([("num_votes".to_owned(), "0".to_owned())]);
    };
    Reduced::from([
        ("most_likely".to_owned(), key.clone()),
        ("num_votes".to_owned(), n.to_string()),
        ("agreement".to_owned(), float(*n as f64 / total as f64)),
    ])
}

fn survey(rows: &[Extracted<'_>]) -> (Vec<Reduced>, u64) {
    let mut choices = Vec::<(&str, u64, BTreeMap<&str, u64>)>::new();
    let mut n_bad = 0;
    let (mut total, mut missing) = (0_u64, 0);
    for row in rows {
        let Some(&(_, choice)) = row.cells.iter().find(|(name, _)| *name == "choice") else {
            missing += 1;
            continue;
        };
        total += 1;
        let at = choices.iter().position(|(known, ..)| *known == choice).unwrap_or_else(|| {
            choices.push((choice, 0, BTreeMap::new()));
            choices.len() - 1
        });
        choices[at].1 += 1;
        for (name, cell) in row.cells.iter().filter(|(name, _)| name.starts_with("answers_")) {
            match cell.parse::<f64>() {
                Ok(n) if n >= 0.0 => *choices[at].2.entry(name).or_default() += n as u64,
                _ => n_bad += 1,
            }
        }
    }
    let reduced = choices.into_iter().map(|(choice, n, answers)| {
        let mut reduced: Reduced =
            answers.into_iter().map(|(name, n)| (name.to_owned(), n.to_string())).collect();
        reduced.insert("choice".to_owned(), choice.to_owned());
        reduced.insert("choice_count".to_owned(), n.to_string());
        reduced.insert("total_vote_count".to_owned(), total.to_string());
        reduced
    });
    (reduced.collect(), n_bad + missing)
}

fn dropdown(rows: &[Extracted<'_>]) -> (Vec<Reduced>, u64) {
    let mut selects = Vec::<BTreeMap<String, u64>>::new();
    let mut n_bad = 0;
    let mut n_read = 0_u64;
    for row in rows {
        let Some((_, cell)) = row.cells.iter().find(|(name, _)| *name == "value") else { continue };
        let Some(Value::Array(list)) = parse_cell(cell) else {
            n_bad += 1;
            continue;
        };
        n_read += 1;
        // Versions of a workflow may have more selects than others.
        selects.resize_with(selects.len().max(list.len()), BTreeMap::new);
        for (counts, answers) in selects.iter_mut().zip(&list) {
            for (answer, n) in answers.as_object().into_iter().flatten() {
                *counts.entry(answer.clone()).or_default() += n.as_f64().map_or(0, |n| n as u64);
            }
        }
    }
    if n_read == 0 {
        return (vec![Reduced::new()], n_bad);
    }
    let objects = selects.into_iter().map(|counts| {
        Value::Object(counts.into_iter().map(|(k, n)| (k, Value::from(n))).collect::<Map<_, _>>())
    });
    let value = Value::Array(objects.collect()).to_string();
    (vec![Reduced::from([("value".to_owned(), value)])], n_bad)
}

fn slider(rows: &[Extracted<'_>]) -> (Vec<Reduced>, u64) {
    let cells = rows.iter().filter_map(|r| r.cells.iter().find(|(name, _)| *name == "slider_value"));
    let parsed: Vec<Option<f64>> =
        cells.map(|(_, cell)| cell.trim().parse::<f64>().ok().filter(|v| v.is_finite())).collect();
    let n_bad = parsed.iter().filter(|v| v.is_none()).count() as u64;
    let mut values: Vec<f64> = parsed.into_iter().flatten().collect();
    if values.is_empty() {
        return (vec![Reduced::new()], n_bad);
    }
    values.sort_by(f64::total_cmp);
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let middle = values.len() / 2;
    let median = if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    };
    // The population's variance, as numpy's `var` has it.
    let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
    let stats = [("slider_mean", mean), ("slider_median", median), ("slider_var", variance)];
    (vec![stats.into_iter().map(|(name, v)| (name.to_owned(), float(v))).collect()], n_bad)
}

fn first(rows: &[Extracted<'_>], n: usize, wanted: bool) -> Reduced {
    let is_true = |row: &Extracted<'_>| {
        let cell = row.cells.iter().find(|(name, _)| *name == "result").map_or("", |c| c.1);
        cell.eq_ignore_ascii_case("true") || cell.parse::<f64>().is_ok_and(|x| x != 0.0)
    };
    let result = n > 0 && rows.len() >= n && rows[..n].iter().all(|row| is_true(row) == wanted);
    Reduced::from([("result".to_owned(), result.to_string())])
}

fn float(value: f64) -> String {
    Number::from_f64(value).map_or_else(String::new, |n| n.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<'e>(volunteer: &'e str, cells: &[(&'e str, &'e str)]) -> Extracted<'e> {
        Extracted { volunteer, created_ms: None, cells: cells.to_vec() }
    }

    fn one(reducer: Reducer, rows: &[Extracted<'_>]) -> String {
        let (reduced, n_bad) = reducer.reduce(rows);
        assert_eq!(n_bad, 0);
        format!("{reduced:?}")
    }

    #[test]
    fn pairs_track_and_consensus() {
        let rows = [row("va", &[("a", "1"), ("b", "1.0")]), row("vb", &[("b", "1")]), row("vc", &[])];
        let plain = Reducer::Question { pairs: false, track: true };
        assert_eq!(
            one(plain, &rows),
            r#"[{"a": "1", "b": "2", "user_ids_a": "[\"va\"]", "user_ids_b": "[\"va\",\"vb\"]"}]"#
        );
        let pairs = Reducer::Question { pairs: true, track: false };
        assert_eq!(one(pairs, &rows), r#"[{"": "1", "a+b": "1", "b": "1"}]"#);
        let consensus = Reducer::Consensus { pairs: false };
        assert_eq!(
            one(consensus, &rows),
            r#"[{"agreement": "0.6666666666666666", "most_likely": "b", "num_votes": "2"}]"#
        );
        // Equally frequent: the first.
        assert!(one(consensus, &rows[..1]).contains(r#""most_likely": "a""#));
        assert_eq!(one(consensus, &rows[2..]), r#"[{"num_votes": "0"}]"#);
    }

    #[test]
    fn sliders_as_numpy() {
        let rows = [
            row("a", &[("slider_value", "5")]),
            row("b", &[("slider_value", "2.5")]),
            row("c", &[("slider_value", "6")]),
            row("d", &[]),
        ];
        // numpy 2.2: mean 4.5, median 5.0, var 2.1666666666666665
        assert_eq!(
            one(Reducer::Slider, &rows),
            r#"[{"slider_mean": "4.5", "slider_median": "5.0", "slider_var": "2.1666666666666665"}]"#
        );
        let (_, n_bad) = Reducer::Slider.reduce(&[row("a", &[("slider_value", "much")])]);
        assert_eq!(n_bad, 1);
    }

    #[test]
    fn the_first_few_results() {
        let rows = [row("a", &[("result", "True")]), row("b", &[("result", "true")]), row("c", &[])];
        let ask = |n, wanted| one(Reducer::First { n, wanted }, &rows);
        assert_eq!(ask(2, true), r#"[{"result": "true"}]"#);
        for (n, wanted) in [(3, true), (0, true), (4, true), (1, false)] {
            assert_eq!(ask(n, wanted), r#"[{"result": "false"}]"#);
        }
    }

    #[test]
    fn dropdowns_add_up_by_select_in_either_notation() {
        let rows = [
            row("a", &[("value", "[{'italy': 1}, {}]")]),
            row("b", &[("value", r#"[{"italy":1},{"rome":1},{"x":1}]"#)]),
        ];
        assert_eq!(
            one(Reducer::Dropdown, &rows),
            r#"[{"value": "[{\"italy\":2},{\"rome\":1},{\"x\":1}]"}]"#
        );
        assert_eq!(one(Reducer::Dropdown, &[]), "[{}]");
    }
}
