//! What is new in the tables since they were read before: which columns there are, and which say something else.

use std::collections::HashMap;

use serde::Serialize;
use utoipa::ToSchema;
use volary_space::slice::{Column, Table as _};

use crate::project::{Attention, Curve, Person, Project, Table};

/// What has become of a table or a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Became {
    /// It was not there before.
    New,
    /// It says something else of some subject.
    Changed,
    /// It is there no more.
    Gone,
}

/// A table or a column that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Change {
    table: String,
    /// Absent where the table as a whole is meant: its subjects, or their vectors.
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<String>,
    became: Became,
}

/// Columns that are told at most.
const MOST: usize = 100;

/// What has changed, in the order of the tables and their columns.
pub(crate) fn changes(before: &Project, after: &Project) -> Vec<Change> {
    let mut out = Vec::new();
    let mut add = |table: &Table, column: Option<&str>, became| {
        out.push(Change { table: table.name().to_owned(), column: column.map(str::to_owned), became });
    };
    for table in &after.tables {
        let Some(old) = before.table(table.name()) else {
            add(table, None, Became::New);
            continue;
        };
        let has_rows = old.ids() == table.ids();
        if !has_rows || !same_vectors(old, table) {
            add(table, None, Became::Changed);
        }
        for (name, column) in table.columns().iter() {
            match old.columns().column(name) {
                None => add(table, Some(name), Became::New),
                // Other rows are other values; that was said of the table.
                Some(other) if has_rows && !says_the_same(other, column) => {
                    add(table, Some(name), Became::Changed)
                }
                Some(_) => {}
            }
        }
        for (name, _) in old.columns().iter() {
            if table.columns().column(name).is_none() {
                add(table, Some(name), Became::Gone);
            }
        }
    }
    for old in before.tables.iter().filter(|old| after.table(old.name()).is_none()) {
        add(old, None, Became::Gone);
    }
    out.truncate(MOST);
    out
}

/// Whether all that is shown beside the tables is as it was.
pub(crate) fn is_same(before: &Project, after: &Project) -> bool {
    before.title == after.title
        && before.images == after.images
        && before.frames == after.frames
        && same_curves(&before.curves, &after.curves)
        && same_attention(&before.attention, &after.attention)
        && same_people(&before.people, &after.people)
        && before.overview == after.overview
        && before.sheets == after.sheets
        && before.runs == after.runs
        && before.gold == after.gold
        && before.tags == after.tags
        && before.left_out == after.left_out
        && before.tables.len() == after.tables.len()
}

/// Numbers, of which one that is missing in both is the same.
fn same(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b || (a.is_nan() && b.is_nan()))
}

fn same_curves(before: &HashMap<String, Curve>, after: &HashMap<String, Curve>) -> bool {
    let features = |curve: &Curve| -> Vec<f64> {
        let all = curve.features.iter();
        all.flat_map(|f| [f.from_days, f.to_days, f.score, f.score_sd.unwrap_or(f64::NAN)]).collect()
    };
    let is_there = |(id, a): (&String, &Curve)| {
        after.get(id).is_some_and(|b| {
            same(&a.time_days, &b.time_days)
                && same(&a.flux, &b.flux)
                && same(a.marks.as_flattened(), b.marks.as_flattened())
                && same(&features(a), &features(b))
        })
    };
    before.len() == after.len() && before.iter().all(is_there)
}

fn same_attention(before: &HashMap<String, Attention>, after: &HashMap<String, Attention>) -> bool {
    let names = |map: &Attention| -> Vec<String> {
        let pairs = map.overlaps.iter().flat_map(|o| [o.class.clone(), o.other.clone()]);
        map.classes.iter().map(|(class, _)| class.clone()).chain(pairs).collect()
    };
    let numbers = |map: &Attention| -> Vec<f64> {
        let pairs = map.overlaps.iter().flat_map(|o| [o.soft_iou, o.z]);
        map.classes.iter().map(|(_, logit)| *logit).chain(pairs).collect()
    };
    let is_there = |(id, a): (&String, &Attention)| {
        after.get(id).is_some_and(|b| {
            a.panels == b.panels && names(a) == names(b) && same(&numbers(a), &numbers(b))
        })
    };
    before.len() == after.len() && before.iter().all(is_there)
}

fn same_people(before: &[Person], after: &[Person]) -> bool {
    let agreements = |all: &[Person]| all.iter().map(|one| one.agreement).collect::<Vec<f64>>();
    let counts = |all: &[Person]| -> Vec<_> {
        all.iter()
            .map(|one| (one.n_classifications, one.n_compared, one.first_ms, one.last_ms))
            .collect()
    };
    counts(before) == counts(after) && same(&agreements(before), &agreements(after))
}

fn same_vectors(a: &Table, b: &Table) -> bool {
    match (a.vectors(), b.vectors()) {
        (None, None) => true,
        (Some(a), Some(b)) => a.rows == b.rows && a.points == b.points,
        _ => false,
    }
}

/// Whether two columns say the same; what is missing in both is the same.
fn says_the_same(a: &Column, b: &Column) -> bool {
    match (a, b) {
        (Column::Number(a), Column::Number(b)) => same(a, b),
        (Column::Boolean(a), Column::Boolean(b)) => a == b,
        (Column::Text { codes, .. }, Column::Text { codes: others, .. }) => {
            codes.len() == others.len() && (0..codes.len()).all(|row| a.text_at(row) == b.text_at(row))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use volary_space::slice::Columns;

    use super::*;
    use crate::project::Feature;

    fn project(columns: Vec<(&str, Column)>, vectors: Option<Vec<f32>>) -> Project {
        let mut all = Columns::default();
        for (name, column) in columns {
            assert!(all.insert(name, column));
        }
        let ids = vec!["a".to_owned(), "b".to_owned()];
        let table = Table::new("subjects", ids, all, vectors.map(|v| (v, 1))).unwrap();
        Project { tables: vec![table], ..Project::default() }
    }

    #[test]
    fn what_is_new_is_told_and_what_is_as_it_was_is_not() {
        let number = |a: f64, b: f64| Column::Number(vec![a, b]);
        let text = |a: &'static str| Column::text([Some(a), None].into_iter());
        let before = project(
            vec![("s", number(1.0, f64::NAN)), ("t", text("x")), ("old", number(0.0, 0.0))],
            None,
        );
        let same = project(
            vec![("s", number(1.0, f64::NAN)), ("t", text("x")), ("old", number(0.0, -0.0))],
            None,
        );
        assert_eq!(changes(&before, &same), []);
        let after = project(
            vec![("s", number(1.0, 2.0)), ("t", text("y")), ("new", number(1.0, 1.0))],
            Some(vec![1.0, 2.0]),
        );
        let told: Vec<_> = changes(&before, &after).into_iter().map(|c| (c.column, c.became)).collect();
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(
            told,
            [
                (None, Became::Changed),
                (named("new"), Became::New),
                (named("s"), Became::Changed),
                (named("t"), Became::Changed),
                (named("old"), Became::Gone),
            ]
        );
        assert!(is_same(&before, &same), "beside the tables");
        let tagged =
            Project { tags: [("a".to_owned(), vec!["odd".to_owned()])].into(), ..Project::default() };
        let gap = |score: f64| {
            let features = vec![Feature { from_days: 0.0, to_days: 1.0, score, score_sd: None }];
            let curve = Curve {
                time_days: vec![0.0, 1.0],
                flux: vec![1.0, f64::NAN],
                features,
                ..Curve::default()
            };
            let people = vec![Person { agreement: f64::NAN, ..Person::default() }];
            let attention =
                Attention { classes: vec![("ring".to_owned(), f64::NAN)], ..Attention::default() };
            Project {
                curves: [("a".to_owned(), curve)].into(),
                people,
                attention: [("a".to_owned(), attention)].into(),
                ..Project::default()
            }
        };
        assert!(is_same(&gap(0.5), &gap(0.5)), "what is missing in both is the same");
        assert!(!is_same(&gap(0.5), &gap(0.6)));
        let nothing = Project::default();
        assert!(!is_same(&nothing, &tagged) && !is_same(&nothing, &before));
        assert_eq!(changes(&nothing, &after)[0].became, Became::New);
        assert_eq!(changes(&after, &nothing)[0].became, Became::Gone);
    }
}
