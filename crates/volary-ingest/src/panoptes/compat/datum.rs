//! What an extractor says before all labels are known: cells whose answers become names at the end.

use std::collections::BTreeMap;

use volary_core::{Pool, ProblemKind, Problems, Symbol};

use super::slug::unique_slugs;

/// An answer's label, by number; its name is known once all labels of its question are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Label(u32);

/// A piece of a column's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// As it stands.
    Text(String),
    /// The name of an answer.
    Label(Label),
}

/// The name of a column, without `data.`.
pub(super) type Column = Vec<Part>;

/// A column whose name is known.
pub(super) fn named(name: impl Into<String>) -> Column {
    vec![Part::Text(name.into())]
}

/// The content of a cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Datum {
    /// Text as it goes into the cell; within a list, JSON.
    Text(String),
    /// How often; cells of equal name add up.
    Count(u64),
    /// The name of an answer.
    Name(Label),
    /// Answers with a count each, as a JSON object.
    Counts(Vec<Label>),
    /// A JSON list.
    List(Vec<Datum>),
}

/// All labels seen, by question.
#[derive(Debug, Default)]
pub(super) struct Labels {
    pool: Pool,
    known: BTreeMap<(Symbol, Symbol), Label>,
    in_order: Vec<(Symbol, Symbol)>,
}

impl Labels {
    /// The number of a label of the question `scope`.
    pub(super) fn intern(&mut self, scope: &str, label: &str) -> Label {
        let key = (self.pool.intern(scope), self.pool.intern(label));
        *self.known.entry(key).or_insert_with(|| {
            self.in_order.push(key);
            Label(u32::try_from(self.in_order.len() - 1).unwrap_or(u32::MAX))
        })
    }

    /// Gives every label its name; labels that would have shared one are listed.
    pub(super) fn names(&self, problems: &mut Problems) -> Names {
        let mut scopes = BTreeMap::<Symbol, Vec<Symbol>>::new();
        for (scope, label) in self.known.keys() {
            scopes.entry(*scope).or_default().push(*label);
        }
        let mut names = vec![String::new(); self.in_order.len()];
        for (scope, labels) in scopes {
            let (slugs, clashes) = unique_slugs(labels.iter().map(|l| self.pool.text(*l)));
            for clash in clashes {
                let shown: String = clash.label.chars().take(60).collect();
                let detail = format!(
                    "{}: another answer is called `{}` too, so {shown:?} is called `{}`",
                    self.pool.text(scope),
                    clash.wanted,
                    clash.got
                );
                problems.add(0, "annotations", ProblemKind::Suspicious, detail);
            }
            for label in labels {
                if let (Some(known), Some(slug)) =
                    (self.known.get(&(scope, label)), slugs.get(self.pool.text(label)))
                {
                    names[known.0 as usize].clone_from(slug);
                }
            }
        }
        Names(names)
    }
}

impl Labels {
    /// Every label with its question and its name, in order.
    pub(super) fn named<'a>(&'a self, names: &'a Names) -> Vec<[&'a str; 3]> {
        let text = |symbol| self.pool.text(symbol);
        let mut rows: Vec<[&str; 3]> = self
            .known
            .iter()
            .map(|((scope, label), number)| [text(*scope), text(*label), names.get(*number)])
            .collect();
        rows.sort_unstable();
        rows
    }
}

/// The names of all labels.
#[derive(Debug)]
pub(super) struct Names(Vec<String>);

impl Names {
    fn get(&self, label: Label) -> &str {
        self.0.get(label.0 as usize).map_or("", String::as_str)
    }

    /// The name of a column.
    pub(super) fn column(&self, column: &Column) -> String {
        let parts = column.iter().map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Label(label) => self.get(*label),
        });
        parts.collect()
    }

    /// The text of a cell.
    pub(super) fn cell(&self, datum: &Datum) -> String {
        match datum {
            Datum::Text(text) => text.clone(),
            Datum::Count(n) => n.to_string(),
            Datum::Name(label) => self.get(*label).to_owned(),
            Datum::Counts(labels) => self.counts(labels),
            Datum::List(items) => {
                let items: Vec<String> = items.iter().map(|item| self.cell(item)).collect();
                format!("[{}]", items.join(","))
            }
        }
    }

    fn counts(&self, labels: &[Label]) -> String {
        let mut counts = serde_json::Map::new();
        for &label in labels {
            let before = counts.get(self.get(label)).and_then(serde_json::Value::as_u64).unwrap_or(0);
            counts.insert(self.get(label).to_owned(), serde_json::Value::from(before + 1));
        }
        serde_json::Value::Object(counts).to_string()
    }
}
