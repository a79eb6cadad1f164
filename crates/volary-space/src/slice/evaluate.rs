//! An expression held against a table: types first, then rows.

use super::columns::{Column, Kind, Table};
use super::error::{FilterError, Reason};
use super::{Filter, Form, Literal, Mask, Name, Node, Op, Operand, Span};

/// The rows that an expression selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Rows where it is true.
    pub mask: Mask,
    /// Rows where it is neither true nor false, since values are missing.
    pub n_unknown: usize,
}

impl Filter {
    /// Holds the expression against a table's columns without looking at the rows.
    ///
    /// # Errors
    /// [`Reason::NoSuchColumn`], [`Reason::Type`].
    pub fn check(&self, table: &dyn Table) -> Result<(), FilterError> {
        check(&self.root, table)
    }

    /// Selects rows.
    ///
    /// # Errors
    /// As [`Filter::check`].
    pub fn select(&self, table: &dyn Table) -> Result<Slice, FilterError> {
        self.check(table)?;
        let truth = truth(&self.root, table)?;
        let mask = Mask::of(table.n_rows(), |row| truth.get(row) == Some(&Some(true)));
        Ok(Slice { mask, n_unknown: truth.iter().filter(|t| t.is_none()).count() })
    }

    /// The columns that are asked for, by the table's own names; those it does not have are left out.
    #[must_use]
    pub fn columns(&self, table: &dyn Table) -> Vec<String> {
        let mut names = Vec::new();
        walk(&self.root, &mut |name| {
            if let Some(found) = name.resolve(table) {
                names.push(found);
            }
        });
        names.sort();
        names.dedup();
        names
    }
}

fn walk(node: &Node, see: &mut dyn FnMut(&Name)) {
    match &node.form {
        Form::And(parts) | Form::Or(parts) => parts.iter().for_each(|part| walk(part, see)),
        Form::Not(inner) => walk(inner, see),
        Form::Compare { column, with: Operand::Column(other), .. } => {
            see(column);
            see(other);
        }
        Form::Compare { column, .. }
        | Form::Between { column, .. }
        | Form::In { column, .. }
        | Form::Contains { column, .. }
        | Form::Has { column, .. }
        | Form::Missing { column }
        | Form::Flag { column } => see(column),
    }
}

impl Name {
    /// Names under which a table may have the column, the best first.
    fn candidates(&self) -> Vec<String> {
        let Some(measure) = &self.measure else { return vec![self.name.clone()] };
        let mut names = vec![format!("{measure}({})", self.name), format!("{measure}_{}", self.name)];
        // A bare table of consensus values has one column a class.
        if measure == "consensus" {
            names.push(self.name.clone());
        }
        names
    }

    fn resolve(&self, table: &dyn Table) -> Option<String> {
        self.candidates().into_iter().find(|name| table.column(name).is_some())
    }

    fn find<'t>(&self, table: &'t dyn Table) -> Result<&'t Column, FilterError> {
        let found = self.candidates().into_iter().find_map(|name| table.column(&name));
        found.ok_or_else(|| {
            let names = table.names();
            let hint = hint(&self.candidates(), &names);
            FilterError::new(self.at, Reason::NoSuchColumn { name: self.to_string(), hint })
        })
    }
}

/// "Did you mean", or the columns there are.
fn hint(wanted: &[String], names: &[&str]) -> String {
    let near = |name: &&&str| {
        let distance = |w: &String| edit_distance(&w.to_lowercase(), &name.to_lowercase());
        wanted.iter().map(distance).min().unwrap_or(usize::MAX)
    };
    let best = names.iter().min_by_key(near);
    match best.map(|name| (name, near(&name))) {
        Some((name, distance)) if distance <= 2.max(name.chars().count() / 4) => {
            format!("; did you mean {name:?}?")
        }
        Some(_) => {
            /// Names listed at most.
            const LISTED: usize = 12;
            let listed: Vec<String> = names.iter().take(LISTED).map(|n| format!("{n:?}")).collect();
            let more = if names.len() > LISTED { " and others" } else { "" };
            format!("; there are {}{more}", listed.join(", "))
        }
        None => "; the table has no columns to filter by".to_owned(),
    }
}

/// How many characters to add, drop or change (Levenshtein 1966); names are short.
fn edit_distance(a: &str, b: &str) -> usize {
    /// Longer names are compared by their beginning.
    const LONGEST: usize = 64;
    let b: Vec<char> = b.chars().take(LONGEST).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(LONGEST).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

fn check(node: &Node, table: &dyn Table) -> Result<(), FilterError> {
    match &node.form {
        Form::And(parts) | Form::Or(parts) => parts.iter().try_for_each(|part| check(part, table)),
        Form::Not(inner) => check(inner, table),
        Form::Missing { column } => column.find(table).map(|_| ()),
        Form::Flag { column } => {
            wants(column, table, Kind::Boolean, "write a comparison, such as `> 0.5` or `= 'text'`")
        }
        Form::Between { column, .. } => {
            wants(column, table, Kind::Number, "only numbers have a between")
        }
        Form::Contains { column, .. } | Form::Has { column, .. } => {
            wants(column, table, Kind::Text, "use `=` or `>` for numbers")
        }
        Form::In { column, values } => match values.first() {
            Some(Literal::Text(_)) => wants(column, table, Kind::Text, "numbers take no quotes"),
            _ => wants(column, table, Kind::Number, "put texts in single quotes"),
        },
        Form::Compare { column, op, with } => check_comparison(node.at, column, *op, with, table),
    }
}

fn check_comparison(
    at: Span,
    column: &Name,
    op: Op,
    with: &Operand,
    table: &dyn Table,
) -> Result<(), FilterError> {
    let (kind, hint) = match with {
        Operand::Literal(Literal::Number(_)) => {
            (Kind::Number, "compare texts with a text in single quotes")
        }
        Operand::Literal(Literal::Boolean(_)) => (Kind::Boolean, "compare with a number or a text"),
        Operand::Literal(Literal::Text(text)) => {
            let hint = if table.column(text).is_some() {
                "a name in single quotes is a text; use double quotes for a column"
            } else {
                "numbers take no quotes"
            };
            (Kind::Text, hint)
        }
        Operand::Column(other) => (other.find(table)?.kind(), "compare columns of one kind"),
    };
    wants(column, table, kind, hint)?;
    if kind != Kind::Number && !matches!(op, Op::Equal | Op::NotEqual) {
        let hint = "only numbers have an order; use `=`, `!=` or `in`";
        let (column, actual) = (column.to_string(), kind.as_str());
        return Err(FilterError::new(at, Reason::Type { column, actual, expected: "numbers", hint }));
    }
    Ok(())
}

fn wants(name: &Name, table: &dyn Table, kind: Kind, hint: &'static str) -> Result<(), FilterError> {
    let actual = name.find(table)?.kind();
    if actual == kind {
        return Ok(());
    }
    let (column, actual, expected) = (name.to_string(), actual.as_str(), kind.as_str());
    Err(FilterError::new(name.at, Reason::Type { column, actual, expected, hint }))
}

/// Truth of every row; `None` is unknown.
fn truth(node: &Node, table: &dyn Table) -> Result<Vec<Option<bool>>, FilterError> {
    Ok(match &node.form {
        Form::And(parts) => fold(parts, table, |a, b| match (a, b) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        })?,
        Form::Or(parts) => fold(parts, table, |a, b| match (a, b) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        })?,
        Form::Not(inner) => truth(inner, table)?.into_iter().map(|t| t.map(|t| !t)).collect(),
        Form::Compare { column, op, with } => compare(column.find(table)?, *op, with, table)?,
        Form::Between { column, low, high } => {
            numbers(column.find(table)?, |v| (*low..=*high).contains(&v))
        }
        Form::In { column, values } => match column.find(table)? {
            text @ Column::Text { .. } => {
                let is_in = |t: &str| values.iter().any(|v| matches!(v, Literal::Text(v) if v == t));
                texts(text, is_in)
            }
            other => {
                let is_in = |n: f64| values.iter().any(|v| matches!(v, Literal::Number(v) if *v == n));
                numbers(other, is_in)
            }
        },
        Form::Contains { column, text } => {
            let wanted = text.to_lowercase();
            texts(column.find(table)?, |t| t.to_lowercase().contains(&wanted))
        }
        Form::Has { column, text } => {
            // A tag is `ring`, and is shown as `#ring`.
            let bare = |one: &str| one.trim().trim_start_matches('#').to_lowercase();
            let wanted = bare(text);
            texts(column.find(table)?, |t| t.split(';').any(|one| bare(one) == wanted))
        }
        Form::Missing { column } => missing(column.find(table)?),
        Form::Flag { column } => match column.find(table)? {
            Column::Boolean(values) => values.clone(),
            other => vec![None; other.len()],
        },
    })
}

fn fold(
    parts: &[Node],
    table: &dyn Table,
    join: fn(Option<bool>, Option<bool>) -> Option<bool>,
) -> Result<Vec<Option<bool>>, FilterError> {
    let mut all: Option<Vec<Option<bool>>> = None;
    for part in parts {
        let next = truth(part, table)?;
        all = Some(match all {
            None => next,
            Some(mut all) => {
                all.iter_mut().zip(next).for_each(|(a, b)| *a = join(*a, b));
                all
            }
        });
    }
    Ok(all.unwrap_or_default())
}

/// A condition on the numbers of a column; unknown where there is none.
fn numbers(column: &Column, holds: impl Fn(f64) -> bool) -> Vec<Option<bool>> {
    match column {
        Column::Number(values) => values.iter().map(|v| (!v.is_nan()).then(|| holds(*v))).collect(),
        other => vec![None; other.len()],
    }
}

/// A condition on the texts of a column, asked once for each different text.
fn texts(column: &Column, holds: impl Fn(&str) -> bool) -> Vec<Option<bool>> {
    match column {
        Column::Text { codes, texts } => {
            let of_text: Vec<bool> = texts.iter().map(|t| holds(t)).collect();
            codes.iter().map(|code| of_text.get(*code as usize).copied()).collect()
        }
        other => vec![None; other.len()],
    }
}

fn missing(column: &Column) -> Vec<Option<bool>> {
    match column {
        Column::Number(values) => values.iter().map(|v| Some(v.is_nan())).collect(),
        Column::Text { codes, texts } => {
            codes.iter().map(|code| Some(texts.get(*code as usize).is_none())).collect()
        }
        Column::Boolean(values) => values.iter().map(|v| Some(v.is_none())).collect(),
    }
}

fn compare(
    column: &Column,
    op: Op,
    with: &Operand,
    table: &dyn Table,
) -> Result<Vec<Option<bool>>, FilterError> {
    let is_equal = op == Op::Equal;
    Ok(match with {
        Operand::Literal(Literal::Number(n)) => numbers(column, |v| op.holds(v, *n)),
        Operand::Literal(Literal::Text(text)) => texts(column, |t| (t == text) == is_equal),
        Operand::Literal(Literal::Boolean(b)) => match column {
            Column::Boolean(values) => values.iter().map(|v| v.map(|v| (v == *b) == is_equal)).collect(),
            other => vec![None; other.len()],
        },
        Operand::Column(other) => match (column, other.find(table)?) {
            (Column::Number(a), Column::Number(b)) => {
                let pair = |(a, b): (&f64, &f64)| (!a.is_nan() && !b.is_nan()).then(|| op.holds(*a, *b));
                a.iter().zip(b).map(pair).collect()
            }
            (Column::Boolean(a), Column::Boolean(b)) => {
                a.iter().zip(b).map(|(a, b)| Some((a.as_ref()? == b.as_ref()?) == is_equal)).collect()
            }
            (a, b) => {
                (0..a.len()).map(|row| Some((a.text_at(row)? == b.text_at(row)?) == is_equal)).collect()
            }
        },
    })
}

impl Op {
    fn holds(self, a: f64, b: f64) -> bool {
        match self {
            Self::Less => a < b,
            Self::LessOrEqual => a <= b,
            Self::Equal => a == b,
            Self::NotEqual => a != b,
            Self::GreaterOrEqual => a >= b,
            Self::Greater => a > b,
        }
    }
}
