//! The slice language: which rows of a table? One small, typed language for command line, API and page.
//!
//! ```text
//! consensus(vortex) between 0.3 and 0.7 and consensus(bands) > 0.7
//! kind in ('spiral', 'ring') or not (n_votes < 5 or "chosen fraction" is missing)
//! ```
//!
//! | form | true where |
//! |---|---|
//! | `x < 3`, `<=`, `=`, `!=`, `>=`, `>` | the comparison holds; with a number, a text in single quotes, `true`, `false` or another column |
//! | `x between 0.3 and 0.7` | 0.3 ≤ x ≤ 0.7 |
//! | `x in (1, 2)`, `x in ('a', 'b')` | x is one of them |
//! | `kind contains 'merg'` | the text holds the other, capitals or not |
//! | `tags has 'ring'` | one of the texts between `;` is the other, capitals and a `#` before it or not; `tags contains 'ring'` holds of `ringed` too |
//! | `x is missing` | there is no value (a number that is NaN has none) |
//! | `flag` | a column of true and false holds true |
//! | `not`, `and`, `or`, `( )` | as usual, in this order of binding; also `not in`, `not between`, `is not missing` |
//!
//! A column is named as it is, or in double quotes where the name has blanks or is a word of the language.
//! `consensus(vortex)` is the column `consensus(vortex)`, or else `consensus_vortex`, or else `vortex`;
//! `predicted(vortex)` and any other word likewise, without the last.
//!
//! **Missing values.** A comparison with a missing value is neither true nor false but unknown (Kleene's
//! strong logic, as in SQL): `not` unknown is unknown, `and` is false if one side is, `or` is true if one
//! side is. A slice holds the rows where the expression is *true*; [`Slice::n_unknown`] counts those that
//! cannot be decided, so that nothing gets lost in silence.
//!
//! The language always ends: no loops, no functions, no patterns; nesting is bounded ([`MAX_DEPTH`]) and
//! so is the length ([`MAX_CHARS`]). It is a filter, not a calculator: sums and products of columns belong
//! into a column.

mod columns;
mod error;
mod evaluate;
mod lexer;
mod mask;
mod parser;
mod print;
pub mod region;

pub use columns::{Column, Columns, Kind, Table};
pub use error::{FilterError, Reason};
pub use evaluate::Slice;
pub use mask::Mask;
pub use region::Region;

/// Nested parentheses and `not`s at most.
pub const MAX_DEPTH: usize = 64;
/// Characters of an expression at most.
pub const MAX_CHARS: usize = 20_000;

/// An expression, read but not yet held against a table.
///
/// Printing gives the canonical form: reading it again gives the same expression.
///
/// ```
/// use volary_space::slice::Filter;
/// let filter: Filter = "(a>=.5 AND b <> 'x')".parse()?;
/// assert_eq!(filter.to_string(), "a >= 0.5 and b != 'x'");
/// # Ok::<(), volary_space::slice::FilterError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    pub(crate) root: Node,
}

/// A part of an expression and where it stands in the text.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: Span,
    pub(crate) form: Form,
}

/// Where a part stands does not make it another.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.form == other.form
    }
}

/// What a part says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Form {
    /// Two or more, none of them an `And` itself.
    And(Vec<Node>),
    /// Two or more, none of them an `Or` itself.
    Or(Vec<Node>),
    Not(Box<Node>),
    Compare {
        column: Name,
        op: Op,
        with: Operand,
    },
    Between {
        column: Name,
        low: f64,
        high: f64,
    },
    In {
        column: Name,
        values: Vec<Literal>,
    },
    Contains {
        column: Name,
        text: String,
    },
    Has {
        column: Name,
        text: String,
    },
    Missing {
        column: Name,
    },
    Flag {
        column: Name,
    },
}

/// The name of a column and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(crate) at: Span,
    /// `consensus` of `consensus(vortex)`.
    pub(crate) measure: Option<String>,
    pub(crate) name: String,
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.measure == other.measure && self.name == other.name
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    Column(Name),
    Literal(Literal),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Number(f64),
    Text(String),
    Boolean(bool),
}

/// Characters `start..end` of the text, counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl std::str::FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        parser::parse(text)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
