//! What is wrong with an expression, and where.

use super::Span;

/// Why an expression cannot be read, or does not fit the table.
///
/// One sentence with the position (characters, counted from 1) and the next step;
/// [`FilterError::pointed`] draws it under the text.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("at character {}: {reason}", at.start + 1)]
pub struct FilterError {
    pub(crate) at: Span,
    /// What is wrong.
    pub reason: Reason,
}

impl FilterError {
    pub(crate) fn new(at: Span, reason: Reason) -> Self {
        Self { at, reason }
    }

    /// The characters that are meant, counted from 0; the end is not among them.
    #[must_use]
    pub fn characters(&self) -> std::ops::Range<usize> {
        self.at.start..self.at.end
    }

    /// The part of the text around the place with a mark under it, on two lines.
    #[must_use]
    pub fn pointed(&self, text: &str) -> String {
        /// Characters shown before and after the place.
        const AROUND: usize = 40;
        let first = self.at.start.saturating_sub(AROUND);
        let clean = |c: char| if c.is_control() { ' ' } else { c };
        let shown: String = text.chars().skip(first).take(2 * AROUND).map(clean).collect();
        let left = " ".repeat(self.at.start - first);
        let length = (self.at.end.saturating_sub(self.at.start)).clamp(1, AROUND);
        format!("{shown}\n{left}{}", "^".repeat(length))
    }
}

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// Nothing but blanks.
    #[error("the filter is empty; write a condition such as `n_votes >= 5`")]
    Empty,
    /// Longer than [`super::MAX_CHARS`].
    #[error(
        "the filter has {n_chars} characters, {} are allowed; use `in (…)`, or a column that marks the rows",
        super::MAX_CHARS
    )]
    TooLong {
        /// Its length.
        n_chars: usize,
    },
    /// Nested deeper than [`super::MAX_DEPTH`].
    #[error(
        "the filter is nested more than {} deep; take out parentheses that are not needed",
        super::MAX_DEPTH
    )]
    TooDeep,
    /// A character with no meaning here.
    #[error(
        "{character:?} has no meaning here; put column names with such characters in double quotes, texts in single ones"
    )]
    Character {
        /// The character.
        character: char,
    },
    /// A quote without its end.
    #[error("this quote is never closed; add {quote} at the end of the {what}")]
    OpenQuote {
        /// Which quote.
        quote: char,
        /// What it opens.
        what: &'static str,
    },
    /// A number that cannot be read.
    #[error("{text:?} is no number; write numbers as 0.5, -3 or 1e6")]
    Number {
        /// What stands there.
        text: String,
    },
    /// Something else was needed.
    #[error("{found} where {expected} is needed{hint}")]
    Expected {
        /// What was needed.
        expected: &'static str,
        /// What stands there.
        found: String,
        /// What to do, or nothing.
        hint: String,
    },
    /// Text after the end of the expression.
    #[error("{found} after a whole condition; join conditions with `and` or `or`")]
    Rest {
        /// What stands there.
        found: String,
    },
    /// Two comparisons in a row.
    #[error("two comparisons in a row; write `x between 0.3 and 0.7`, or join two with `and`")]
    Chained,
    /// Two values compared with each other.
    #[error(
        "two values are compared with each other; one side must be a column (names in double quotes or none, texts in single quotes)"
    )]
    NoColumn,
    /// Bounds in the wrong order.
    #[error("nothing lies between {low} and {high}; write the smaller bound first")]
    Bounds {
        /// The first.
        low: f64,
        /// The second.
        high: f64,
    },
    /// No such column.
    #[error("there is no column {name:?}{hint}")]
    NoSuchColumn {
        /// Its name.
        name: String,
        /// What may have been meant.
        hint: String,
    },
    /// A column of another kind.
    #[error("column {column:?} holds {actual}, not {expected}; {hint}")]
    Type {
        /// Its name.
        column: String,
        /// What it holds.
        actual: &'static str,
        /// What the expression takes it for.
        expected: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// Values of different kinds in one list.
    #[error("a list holds numbers or texts, not both; make them all alike")]
    MixedList,
}
