//! Recursive descent over the tokens; what is read is in [`super`].

use super::error::{FilterError, Reason};
use super::lexer::{Token, tokens};
use super::{Filter, Form, Literal, MAX_DEPTH, Name, Node, Op, Operand, Span};

/// Words of the language; a column of such a name is written in double quotes.
pub(super) const WORDS: [&str; 11] =
    ["and", "or", "not", "between", "in", "is", "missing", "contains", "has", "true", "false"];

pub(super) fn is_word_of_language(word: &str) -> bool {
    WORDS.iter().any(|w| w.eq_ignore_ascii_case(word))
}

pub(super) fn parse(text: &str) -> Result<Filter, FilterError> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0 };
    if parser.peek() == &Token::End {
        return Err(FilterError::new(Span { start: 0, end: 0 }, Reason::Empty));
    }
    let root = parser.any_of()?;
    match parser.peek() {
        Token::End => Ok(Filter { root }),
        other => Err(FilterError::new(parser.span(), Reason::Rest { found: other.shown() })),
    }
}

/// A side of a comparison.
enum Side {
    Column(Name),
    Literal(Literal),
}

struct Parser<'t> {
    tokens: &'t [(Token, Span)],
    at: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> &'t Token {
        &self.tokens[self.at].0
    }

    fn span(&self) -> Span {
        self.tokens[self.at].1
    }

    /// From a place to the end of what was read last.
    fn since(&self, start: usize) -> Span {
        Span { start, end: self.tokens[self.at.saturating_sub(1)].1.end.max(start) }
    }

    /// The next token, which is then behind; the end stays where it is.
    fn next(&mut self) -> (&'t Token, Span) {
        let (token, span) = &self.tokens[self.at];
        if token != &Token::End {
            self.at += 1;
        }
        (token, *span)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Word(w) if w.eq_ignore_ascii_case(word))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let is = self.is_word(word);
        self.at += usize::from(is);
        is
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let is = matches!(self.peek(), Token::Sign(s) if *s == sign);
        self.at += usize::from(is);
        is
    }

    fn expected(&self, expected: &'static str, hint: &str) -> FilterError {
        let found = self.peek().shown();
        FilterError::new(self.span(), Reason::Expected { expected, found, hint: hint.to_owned() })
    }

    fn any_of(&mut self) -> Result<Node, FilterError> {
        let start = self.span().start;
        let mut parts = Vec::new();
        loop {
            match self.all_of()? {
                Node { form: Form::Or(inner), .. } => parts.extend(inner),
                part => parts.push(part),
            }
            if !self.take_word("or") {
                return Ok(joined(parts, self.since(start), Form::Or));
            }
        }
    }

    fn all_of(&mut self) -> Result<Node, FilterError> {
        let start = self.span().start;
        let mut parts = Vec::new();
        loop {
            match self.not()? {
                Node { form: Form::And(inner), .. } => parts.extend(inner),
                part => parts.push(part),
            }
            if !self.take_word("and") {
                return Ok(joined(parts, self.since(start), Form::And));
            }
        }
    }

    fn deeper<T>(
        &mut self,
        at: Span,
        inside: impl FnOnce(&mut Self) -> Result<T, FilterError>,
    ) -> Result<T, FilterError> {
        if self.depth == MAX_DEPTH {
            return Err(FilterError::new(at, Reason::TooDeep));
        }
        self.depth += 1;
        let found = inside(self);
        self.depth -= 1;
        found
    }

    fn not(&mut self) -> Result<Node, FilterError> {
        let at = self.span();
        if self.take_word("not") {
            let inner = self.deeper(at, Self::not)?;
            return Ok(Node { at: self.since(at.start), form: Form::Not(Box::new(inner)) });
        }
        if self.take_sign("(") {
            let inner = self.deeper(at, Self::any_of)?;
            if !self.take_sign(")") {
                return Err(self.expected("`)`", "; close the parenthesis"));
            }
            return Ok(inner);
        }
        self.condition()
    }

    fn condition(&mut self) -> Result<Node, FilterError> {
        let start = self.span().start;
        let left = self.side()?;
        if let Some(op) = self.operator() {
            return self.comparison(start, left, op);
        }
        let column = match left {
            Side::Column(column) => column,
            Side::Literal(_) => {
                return Err(self.expected("a comparison", "; compare the value with a column"));
            }
        };
        let is_negated = self.take_word("not");
        let form = if self.take_word("between") {
            let (low, at) = self.number()?;
            if !self.take_word("and") {
                return Err(self.expected("`and`", "; write `x between 0.3 and 0.7`"));
            }
            let (high, end) = self.number()?;
            if low > high {
                let at = Span { start: at.start, end: end.end };
                return Err(FilterError::new(at, Reason::Bounds { low, high }));
            }
            Form::Between { column, low, high }
        } else if self.take_word("in") {
            Form::In { column, values: self.list()? }
        } else if self.take_word("contains") {
            Form::Contains { column, text: self.text()? }
        } else if self.take_word("has") {
            Form::Has { column, text: self.text()? }
        } else if is_negated {
            return Err(self.expected(
                "`between`, `in`, `contains` or `has`",
                "; write `not` before the condition",
            ));
        } else if self.take_word("is") {
            let is_negated = self.take_word("not");
            if !self.take_word("missing") {
                return Err(self.expected("`missing`", "; write `is missing`, or compare with `=`"));
            }
            return Ok(self.maybe_not(start, Form::Missing { column }, is_negated));
        } else {
            Form::Flag { column }
        };
        Ok(self.maybe_not(start, form, is_negated))
    }

    fn maybe_not(&self, start: usize, form: Form, is_negated: bool) -> Node {
        let at = self.since(start);
        let node = Node { at, form };
        if is_negated { Node { at, form: Form::Not(Box::new(node)) } } else { node }
    }

    fn comparison(&mut self, start: usize, left: Side, op: Op) -> Result<Node, FilterError> {
        let right = self.side()?;
        let (column, op, with) = match (left, right) {
            (Side::Column(column), Side::Column(other)) => (column, op, Operand::Column(other)),
            (Side::Column(column), Side::Literal(value)) => (column, op, Operand::Literal(value)),
            (Side::Literal(value), Side::Column(column)) => {
                (column, op.turned(), Operand::Literal(value))
            }
            (Side::Literal(_), Side::Literal(_)) => {
                return Err(FilterError::new(self.since(start), Reason::NoColumn));
            }
        };
        let at = self.span();
        if self.operator().is_some() {
            return Err(FilterError::new(at, Reason::Chained));
        }
        Ok(Node { at: self.since(start), form: Form::Compare { column, op, with } })
    }

    fn operator(&mut self) -> Option<Op> {
        let Token::Sign(sign) = self.peek() else { return None };
        let op = Op::ALL.into_iter().find(|op| op.as_str() == *sign)?;
        self.at += 1;
        Some(op)
    }

    fn side(&mut self) -> Result<Side, FilterError> {
        let at = self.span();
        Ok(match self.peek() {
            Token::Number(number) => self.literal(Literal::Number(*number)),
            Token::Text(text) => self.literal(Literal::Text(text.clone())),
            Token::Word(w) if w.eq_ignore_ascii_case("true") => self.literal(Literal::Boolean(true)),
            Token::Word(w) if w.eq_ignore_ascii_case("false") => self.literal(Literal::Boolean(false)),
            Token::Word(word) if is_word_of_language(word) => {
                return Err(
                    self.expected("a column or a value", "; put a column of this name in double quotes")
                );
            }
            Token::Name(name) => {
                self.at += 1;
                Side::Column(Name { at, measure: None, name: name.clone() })
            }
            Token::Word(word) => {
                self.at += 1;
                let (measure, name) = match self.class()? {
                    Some(class) => (Some(word.clone()), class),
                    None => (None, word.clone()),
                };
                Side::Column(Name { at: self.since(at.start), measure, name })
            }
            _ => return Err(self.expected("a column or a value", "")),
        })
    }

    fn literal(&mut self, literal: Literal) -> Side {
        self.at += 1;
        Side::Literal(literal)
    }

    /// `(vortex)` after `consensus`.
    fn class(&mut self) -> Result<Option<String>, FilterError> {
        if !self.take_sign("(") {
            return Ok(None);
        }
        let class = match self.peek() {
            Token::Word(class) | Token::Name(class) | Token::Text(class) => class.clone(),
            Token::Number(_) => return Err(self.expected("a class", "; put its name in double quotes")),
            _ => return Err(self.expected("a class", "; write `consensus(vortex)`")),
        };
        self.at += 1;
        if !self.take_sign(")") {
            let hint = "; names with blanks or signs go in double quotes: consensus(\"cloud bands\")";
            return Err(self.expected("`)`", hint));
        }
        Ok(Some(class))
    }

    fn text(&mut self) -> Result<String, FilterError> {
        match self.peek() {
            Token::Text(text) => {
                self.at += 1;
                Ok(text.clone())
            }
            _ => Err(self.expected("a text", "; put it in single quotes")),
        }
    }

    fn number(&mut self) -> Result<(f64, Span), FilterError> {
        match self.peek() {
            Token::Number(number) => Ok((*number, self.next().1)),
            _ => Err(self.expected("a number", "")),
        }
    }

    fn list(&mut self) -> Result<Vec<Literal>, FilterError> {
        if !self.take_sign("(") {
            return Err(self.expected("`(`", "; write `x in (1, 2)`"));
        }
        let mut values: Vec<Literal> = Vec::new();
        loop {
            let at = self.span();
            let value = match self.peek() {
                Token::Number(number) => Literal::Number(*number),
                Token::Text(text) => Literal::Text(text.clone()),
                _ => return Err(self.expected("a number or a text", "; put texts in single quotes")),
            };
            self.at += 1;
            let alike =
                |first: &Literal| std::mem::discriminant(first) == std::mem::discriminant(&value);
            if !values.first().is_none_or(alike) {
                return Err(FilterError::new(at, Reason::MixedList));
            }
            values.push(value);
            if self.take_sign(")") {
                return Ok(values);
            }
            if !self.take_sign(",") {
                return Err(self.expected("`,` or `)`", ""));
            }
        }
    }
}

/// One part as it is; several under one `and` or `or`.
fn joined(mut parts: Vec<Node>, at: Span, form: fn(Vec<Node>) -> Form) -> Node {
    if parts.len() == 1
        && let Some(only) = parts.pop()
    {
        return only;
    }
    Node { at, form: form(parts) }
}

impl Op {
    pub(super) const ALL: [Self; 6] = [
        Self::Less,
        Self::LessOrEqual,
        Self::Equal,
        Self::NotEqual,
        Self::GreaterOrEqual,
        Self::Greater,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::GreaterOrEqual => ">=",
            Self::Greater => ">",
        }
    }

    /// What holds with the sides exchanged.
    const fn turned(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Equal => Self::Equal,
            Self::NotEqual => Self::NotEqual,
            Self::GreaterOrEqual => Self::LessOrEqual,
            Self::Greater => Self::Less,
        }
    }
}
