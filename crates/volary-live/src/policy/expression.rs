//! Conditions in CEL, the Common Expression Language: `votes("real") >= 8 && agreement("real") >= 0.8`.
//!
//! The `cel` crate parses; the tree is then checked once (names, types, answers) and evaluated here, in
//! exact fractions, because CEL's own doubles would round 0.8. The language is CEL's logic, comparisons,
//! `+ - *`, `?:` and `in`; whole and decimal numbers mix. Division is refused: CEL divides whole numbers to
//! whole numbers, which nobody means by `votes("real") / n`. What is unknown (a fact that a subject lacks)
//! is CEL's error: `false && unknown` is false, and a condition that ends unknown is not met.
//!
//! It counts no votes: [`super::Rule`] says what is counted, `canon` counts it.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use cel::common::ast::{CallExpr, Expr, LiteralValue, SourceInfo, operators};
use cel::parser::{Expression, Parser};
use serde::{Deserialize, Serialize};

use super::exact::Exact;

/// No condition is longer, in bytes.
const MAX_BYTES: usize = 2_000;
/// No condition nests deeper.
const MAX_DEPTH: u16 = 32;

/// Answers whose votes a condition asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// The task, if it is not the rule's own.
    pub task: Option<String>,
    /// A vote for any of these counts.
    pub answers: Vec<String>,
}

/// A condition, ready to be asked.
#[derive(Clone, Debug)]
pub struct Condition {
    source: String,
    counters: Vec<Counter>,
    root: Node,
    uses_skill: bool,
}

/// Why a condition cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at character {position} of the condition: {what}")]
pub struct ConditionError {
    /// Where, counted from 1.
    pub position: usize,
    /// What is wrong and what to do.
    pub what: String,
}

/// What a condition sees of a subject.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    /// Votes in the denominator.
    pub(crate) n: u64,
    /// Votes for each counter.
    pub(crate) counts: &'a [u64],
    /// Sum of all weights, in thousandths.
    pub(crate) weight: u64,
    /// Sum of the weights for each counter, in thousandths.
    pub(crate) weights: &'a [u64],
    /// Log-odds from the votes for each counter, without the prior.
    pub(crate) log_odds: &'a [f64],
    /// The probability, before any vote, that a subject is positive.
    pub(crate) prior: f64,
    /// What is known of the subject.
    pub(crate) facts: &'a BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Truth,
    Number,
    Text,
}

#[derive(Clone, Debug)]
enum Node {
    Truth(bool),
    Number(Exact),
    Text(String),
    N,
    Votes(usize),
    Agreement(usize),
    WeightedAgreement(usize),
    Probability(usize),
    Fact(String),
    NumberOf(String),
    HasFact(String),
    Not(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    If(Box<Node>, Box<Node>, Box<Node>),
    Compare(fn(Ordering) -> bool, Box<Node>, Box<Node>),
    IsIn(Box<Node>, Vec<Node>),
    Add(Box<Node>, Box<Node>),
    Times(Box<Node>, Box<Node>),
    Negative(Box<Node>),
}

#[derive(Clone, Debug, PartialEq)]
enum Value<'a> {
    Truth(bool),
    Number(Exact),
    Text(&'a str),
}

impl Condition {
    /// Reads and checks a condition.
    ///
    /// # Errors
    /// [`ConditionError`] says where and what.
    pub fn parse(source: &str) -> Result<Self, ConditionError> {
        if source.len() > MAX_BYTES {
            let what = format!("it is longer than {MAX_BYTES} bytes; split it into several rules");
            return Err(ConditionError { position: MAX_BYTES, what });
        }
        // The parser panics on none of what our fuzzing tried, but it is a large machine.
        let parser = Parser::new().max_recursion_depth(MAX_DEPTH).error_recovery_limit(4);
        let (tree, places) = parser.parse_with_source_info(source).map_err(|e| wrong(source, &e))?;
        let mut reader = Reader { source, places, counters: Vec::new(), uses_skill: false };
        let (root, kind) = reader.read(&tree)?;
        if kind != Kind::Truth {
            return Err(reader.error(&tree, "it is not true or false; compare it with something"));
        }
        let Reader { counters, uses_skill, .. } = reader;
        Ok(Self { source: source.to_owned(), counters, root, uses_skill })
    }

    /// As it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The answers whose votes it asks for, each once.
    #[must_use]
    pub fn counters(&self) -> &[Counter] {
        &self.counters
    }

    /// Whether it asks for the volunteers' skill.
    #[must_use]
    pub fn uses_skill(&self) -> bool {
        self.uses_skill
    }

    /// Whether it is met.
    pub(crate) fn is_met(&self, seen: &Seen<'_>) -> bool {
        self.root.value(seen) == Some(Value::Truth(true))
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Serialize for Condition {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.source)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

fn wrong(source: &str, errors: &cel::ParseErrors) -> ConditionError {
    let first = errors.errors.first();
    let (line, column) = first.map_or((1, 1), |e| e.pos);
    let before: usize = source.split_inclusive('\n').take(line.max(1) as usize - 1).map(str::len).sum();
    let what = first.map_or("not CEL", |e| e.msg.as_str());
    ConditionError { position: before + column.max(1) as usize, what: format!("{what}; mend it") }
}

struct Reader<'a> {
    source: &'a str,
    places: SourceInfo,
    counters: Vec<Counter>,
    uses_skill: bool,
}

impl Reader<'_> {
    fn error(&self, at: &Expression, what: &str) -> ConditionError {
        let start = self.places.offset_for(at.id).map_or(0, |(start, _)| start as usize);
        ConditionError { position: start.min(self.source.len()) + 1, what: what.to_owned() }
    }

    fn read(&mut self, at: &Expression) -> Result<(Node, Kind), ConditionError> {
        match &at.expr {
            Expr::Literal(literal) => self.literal(at, literal),
            Expr::Ident(name) if name == "n" => Ok((Node::N, Kind::Number)),
            Expr::Ident(name) => Err(self.error(
                at,
                &format!("nothing is called {name:?}; there are n, votes(), agreement(), weighted_agreement(), probability(), fact(), number(), has_fact(); an answer stands in quotes"),
            )),
            Expr::Call(call) if call.target.is_some() => {
                Err(self.error(at, "values have no functions of their own; write votes(\"real\")"))
            }
            Expr::Call(call) => self.call(at, call),
            _ => Err(self.error(at, "lists, maps, fields and macros are no part of a rule; leave it out")),
        }
    }

    fn literal(&self, at: &Expression, literal: &LiteralValue) -> Result<(Node, Kind), ConditionError> {
        let number = |text: String| {
            let read = Exact::parse(&text).map(|number| (Node::Number(number), Kind::Number));
            read.ok_or_else(|| self.error(at, "a number with more digits than are exact; shorten it"))
        };
        match literal {
            LiteralValue::Boolean(truth) => Ok((Node::Truth(*truth.inner()), Kind::Truth)),
            LiteralValue::String(text) => Ok((Node::Text(text.inner().to_owned()), Kind::Text)),
            LiteralValue::Int(whole) => number(whole.inner().to_string()),
            LiteralValue::UInt(whole) => number(whole.inner().to_string()),
            // The shortest decimal that reads back as the same double is what somebody wrote.
            LiteralValue::Double(decimal) => number(decimal.inner().to_string()),
            LiteralValue::Bytes(_) | LiteralValue::Null => {
                Err(self.error(at, "bytes and null are no part of a rule; leave it out"))
            }
        }
    }

    fn call(&mut self, at: &Expression, call: &CallExpr) -> Result<(Node, Kind), ConditionError> {
        use operators as op;
        let name = call.func_name.as_str();
        let boxed = |node| Box::new(node);
        match (name, call.args.as_slice()) {
            (op::LOGICAL_NOT, [a]) => {
                Ok((Node::Not(boxed(self.of_kind(a, Kind::Truth)?)), Kind::Truth))
            }
            (op::LOGICAL_AND, [a, b]) => {
                let (a, b) = (self.of_kind(a, Kind::Truth)?, self.of_kind(b, Kind::Truth)?);
                Ok((Node::And(boxed(a), boxed(b)), Kind::Truth))
            }
            (op::LOGICAL_OR, [a, b]) => {
                let (a, b) = (self.of_kind(a, Kind::Truth)?, self.of_kind(b, Kind::Truth)?);
                Ok((Node::Or(boxed(a), boxed(b)), Kind::Truth))
            }
            (op::CONDITIONAL, [condition, yes, no]) => {
                let condition = self.of_kind(condition, Kind::Truth)?;
                let (yes, kind) = self.read(yes)?;
                let no = self.of_kind(no, kind)?;
                Ok((Node::If(boxed(condition), boxed(yes), boxed(no)), kind))
            }
            (op::NEGATE, [a]) => {
                Ok((Node::Negative(boxed(self.of_kind(a, Kind::Number)?)), Kind::Number))
            }
            (op::ADD | op::SUBSTRACT | op::MULTIPLY, [a, b]) => {
                let (a, b) = (self.of_kind(a, Kind::Number)?, self.of_kind(b, Kind::Number)?);
                let node = match name {
                    op::ADD => Node::Add(boxed(a), boxed(b)),
                    op::SUBSTRACT => Node::Add(boxed(a), boxed(Node::Negative(boxed(b)))),
                    _ => Node::Times(boxed(a), boxed(b)),
                };
                Ok((node, Kind::Number))
            }
            (op::DIVIDE | op::MODULO, _) => Err(self.error(
                at,
                "no division: CEL would round it down; write agreement(\"real\") >= 0.8, or votes(\"real\") * 5 >= n * 4",
            )),
            (op::IN, [a, list]) => self.is_in(a, list),
            (_, [a, b]) if comparison(name).is_some() => {
                let (left, kind) = self.read(a)?;
                let right = self.of_kind(b, kind)?;
                if kind == Kind::Truth && !matches!(name, op::EQUALS | op::NOT_EQUALS) {
                    return Err(self.error(at, "true and false have no order; use ==, !=, && or ||"));
                }
                let compare = comparison(name).unwrap_or(Ordering::is_eq);
                Ok((Node::Compare(compare, boxed(left), boxed(right)), Kind::Truth))
            }
            ("votes", args) => Ok((Node::Votes(self.counter(at, args)?), Kind::Number)),
            ("agreement", args) => Ok((Node::Agreement(self.counter(at, args)?), Kind::Number)),
            ("weighted_agreement", args) => {
                self.uses_skill = true;
                Ok((Node::WeightedAgreement(self.counter(at, args)?), Kind::Number))
            }
            ("probability", args) => {
                self.uses_skill = true;
                Ok((Node::Probability(self.counter(at, args)?), Kind::Number))
            }
            ("fact", [name]) => Ok((Node::Fact(self.text(name)?), Kind::Text)),
            ("number", [name]) => Ok((Node::NumberOf(self.text(name)?), Kind::Number)),
            ("has_fact", [name]) => Ok((Node::HasFact(self.text(name)?), Kind::Truth)),
            ("fact" | "number" | "has_fact", _) => {
                Err(self.error(at, "it takes one name in quotes; write number(\"mag\")"))
            }
            _ => Err(self.error(
                at,
                &format!("no function or operator {name:?} with {} arguments; see the book's page on live rules", call.args.len()),
            )),
        }
    }

    fn of_kind(&mut self, at: &Expression, wanted: Kind) -> Result<Node, ConditionError> {
        let (node, kind) = self.read(at)?;
        let named = |kind| match kind {
            Kind::Truth => "true or false",
            Kind::Number => "a number",
            Kind::Text => "text",
        };
        if kind == wanted {
            return Ok(node);
        }
        let what = format!("this is {}, where {} is wanted", named(kind), named(wanted));
        Err(self.error(at, &what))
    }

    fn is_in(&mut self, a: &Expression, list: &Expression) -> Result<(Node, Kind), ConditionError> {
        let (node, kind) = self.read(a)?;
        let Expr::List(list) = &list.expr else {
            return Err(self.error(list, "after `in` stands a list: [\"a\", \"b\"]"));
        };
        let items = list.elements.iter().map(|item| self.of_kind(item, kind));
        let items = items.collect::<Result<Vec<_>, _>>()?;
        Ok((Node::IsIn(Box::new(node), items), Kind::Truth))
    }

    fn text(&self, at: &Expression) -> Result<String, ConditionError> {
        match &at.expr {
            Expr::Literal(LiteralValue::String(text)) if !text.inner().trim().is_empty() => {
                Ok(text.inner().to_owned())
            }
            _ => Err(self.error(at, "a name in quotes is wanted here")),
        }
    }

    /// `("real")`, `(["sn", "nova"])`, `("T1", "real")`.
    fn counter(&mut self, at: &Expression, args: &[Expression]) -> Result<usize, ConditionError> {
        let (task, answers) = match args {
            [answers] => (None, answers),
            [task, answers] => (Some(self.text(task)?), answers),
            _ => {
                let what = "it takes an answer, or a task and an answer; write votes(\"real\")";
                return Err(self.error(at, what));
            }
        };
        let mut answers = match &answers.expr {
            Expr::List(list) => {
                list.elements.iter().map(|item| self.text(item)).collect::<Result<Vec<_>, _>>()?
            }
            _ => vec![self.text(answers)?],
        };
        answers.sort();
        answers.dedup();
        if answers.is_empty() {
            return Err(self.error(at, "an empty list of answers; name at least one"));
        }
        let counter = Counter { task, answers };
        let known = self.counters.iter().position(|c| *c == counter);
        Ok(known.unwrap_or_else(|| {
            self.counters.push(counter);
            self.counters.len() - 1
        }))
    }
}

fn comparison(name: &str) -> Option<fn(Ordering) -> bool> {
    Some(match name {
        operators::EQUALS => Ordering::is_eq,
        operators::NOT_EQUALS => Ordering::is_ne,
        operators::GREATER => Ordering::is_gt,
        operators::GREATER_EQUALS => Ordering::is_ge,
        operators::LESS => Ordering::is_lt,
        operators::LESS_EQUALS => Ordering::is_le,
        _ => return None,
    })
}

impl Node {
    /// `None` is CEL's error: something is not known, or too large to be exact.
    fn value<'a>(&'a self, seen: &Seen<'a>) -> Option<Value<'a>> {
        let share = |k: u64, n: u64| Exact::new(i128::from(k), i128::from(n)).map(Value::Number);
        Some(match self {
            Self::Truth(truth) => Value::Truth(*truth),
            Self::Number(number) => Value::Number(*number),
            Self::Text(text) => Value::Text(text),
            Self::N => Value::Number(Exact::whole(seen.n)),
            Self::Votes(at) => Value::Number(Exact::whole(*seen.counts.get(*at)?)),
            Self::Agreement(at) => share(*seen.counts.get(*at)?, seen.n)?,
            Self::WeightedAgreement(at) => share(*seen.weights.get(*at)?, seen.weight)?,
            Self::Probability(at) => {
                let odds = (seen.prior / (1.0 - seen.prior)).ln() + seen.log_odds.get(*at)?;
                Value::Number(Exact::of_estimate(1.0 / (1.0 + (-odds).exp()))?)
            }
            Self::Fact(name) => Value::Text(seen.facts.get(name)?),
            Self::NumberOf(name) => Value::Number(Exact::parse(seen.facts.get(name)?)?),
            Self::HasFact(name) => Value::Truth(seen.facts.contains_key(name)),
            Self::Not(a) => Value::Truth(!a.truth(seen)?),
            // One side may be unknown where the other decides.
            Self::And(a, b) => Value::Truth(match (a.truth(seen), b.truth(seen)) {
                (Some(false), _) | (_, Some(false)) => false,
                (Some(true), Some(true)) => true,
                _ => return None,
            }),
            Self::Or(a, b) => Value::Truth(match (a.truth(seen), b.truth(seen)) {
                (Some(true), _) | (_, Some(true)) => true,
                (Some(false), Some(false)) => false,
                _ => return None,
            }),
            Self::If(condition, yes, no) => {
                return if condition.truth(seen)? { yes.value(seen) } else { no.value(seen) };
            }
            Self::Compare(compare, a, b) => {
                Value::Truth(compare(match (a.value(seen)?, b.value(seen)?) {
                    (Value::Number(a), Value::Number(b)) => a.compare(b)?,
                    (Value::Text(a), Value::Text(b)) => a.cmp(b),
                    (Value::Truth(a), Value::Truth(b)) => a.cmp(&b),
                    _ => return None,
                }))
            }
            Self::IsIn(a, items) => {
                let wanted = a.value(seen)?;
                let mut found = Some(false);
                for item in items {
                    match item.value(seen) {
                        Some(value) if value == wanted => return Some(Value::Truth(true)),
                        Some(_) => {}
                        None => found = None,
                    }
                }
                Value::Truth(found?)
            }
            Self::Add(a, b) => Value::Number(a.number(seen)?.add(b.number(seen)?)?),
            Self::Times(a, b) => Value::Number(a.number(seen)?.times(b.number(seen)?)?),
            Self::Negative(a) => Value::Number(a.number(seen)?.negative()),
        })
    }

    fn truth(&self, seen: &Seen<'_>) -> Option<bool> {
        match self.value(seen)? {
            Value::Truth(truth) => Some(truth),
            _ => None,
        }
    }

    fn number(&self, seen: &Seen<'_>) -> Option<Exact> {
        match self.value(seen)? {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }
}

#[cfg(test)]
#[path = "expression_tests.rs"]
mod tests;
