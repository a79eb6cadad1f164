//! The canonical form of an expression: one blank between words, no parenthesis that is not needed.

use std::fmt::{Display, Formatter, Result};

use super::lexer::{continues_name, starts_name};
use super::parser::is_word_of_language;
use super::{Filter, Form, Literal, Name, Node, Operand};

impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.root.fmt(f)
    }
}

impl Display for Node {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.form {
            Form::Or(parts) => join(f, parts, " or "),
            Form::And(parts) => join(f, parts, " and "),
            Form::Not(inner) => match &inner.form {
                Form::And(_) | Form::Or(_) => write!(f, "not ({inner})"),
                Form::Between { .. }
                | Form::In { .. }
                | Form::Contains { .. }
                | Form::Has { .. }
                | Form::Missing { .. } => simple(f, inner, true),
                _ => write!(f, "not {inner}"),
            },
            _ => simple(f, self, false),
        }
    }
}

fn join(f: &mut Formatter<'_>, parts: &[Node], word: &str) -> Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            f.write_str(word)?;
        }
        // `and` binds closer than `or`, so an `and` under an `or` needs no parentheses.
        if matches!(part.form, Form::Or(_)) { write!(f, "({part})")? } else { write!(f, "{part}")? }
    }
    Ok(())
}

fn simple(f: &mut Formatter<'_>, node: &Node, is_negated: bool) -> Result {
    let not = if is_negated { " not" } else { "" };
    match &node.form {
        Form::Compare { column, op, with: Operand::Column(other) } => {
            write!(f, "{column} {} {other}", op.as_str())
        }
        Form::Compare { column, op, with: Operand::Literal(value) } => {
            write!(f, "{column} {} {value}", op.as_str())
        }
        Form::Between { column, low, high } => {
            write!(f, "{column}{not} between {} and {}", Number(*low), Number(*high))
        }
        Form::In { column, values } => {
            write!(f, "{column}{not} in (")?;
            for (at, value) in values.iter().enumerate() {
                write!(f, "{}{value}", if at > 0 { ", " } else { "" })?;
            }
            f.write_str(")")
        }
        Form::Contains { column, text } => write!(f, "{column}{not} contains {}", Quoted(text, '\'')),
        Form::Has { column, text } => write!(f, "{column}{not} has {}", Quoted(text, '\'')),
        Form::Missing { column } => write!(f, "{column} is{not} missing"),
        Form::Flag { column } => write!(f, "{column}"),
        Form::And(_) | Form::Or(_) | Form::Not(_) => write!(f, "{node}"),
    }
}

impl Display for Name {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.measure {
            Some(measure) => write!(f, "{measure}({})", Bare(&self.name)),
            None => Bare(&self.name).fmt(f),
        }
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Number(number) => Number(*number).fmt(f),
            Self::Text(text) => Quoted(text, '\'').fmt(f),
            Self::Boolean(value) => value.fmt(f),
        }
    }
}

/// A number that reads as the same number again.
struct Number(f64);

impl Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let size = self.0.abs();
        if size == 0.0 || (1e-5..1e16).contains(&size) {
            self.0.fmt(f)
        } else {
            write!(f, "{:e}", self.0)
        }
    }
}

/// A name, in double quotes where it needs them.
struct Bare<'a>(&'a str);

impl Display for Bare<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let plain = self.0.chars().next().is_some_and(starts_name) && self.0.chars().all(continues_name);
        if plain && !is_word_of_language(self.0) {
            f.write_str(self.0)
        } else {
            Quoted(self.0, '"').fmt(f)
        }
    }
}

struct Quoted<'a>(&'a str, char);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self(text, quote) = self;
        let doubled = text.replace(*quote, &format!("{quote}{quote}"));
        write!(f, "{quote}{doubled}{quote}")
    }
}
