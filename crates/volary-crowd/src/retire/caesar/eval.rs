//! Conditions evaluated over a subject's reductions.

use volary_core::caesar::{Arithmetic, CaesarConfig, Comparison, Expr, Scalar, TextTransform};

use super::reduce::{Data, get};

/// What look-ups see.
pub(super) struct Bindings<'a> {
    config: &'a CaesarConfig,
    /// The reductions, in the order of the reducers.
    data: &'a [Option<Data>],
    /// `key` and `value` within `any` and `all`.
    entry: Option<(&'a str, &'a Scalar)>,
}

impl<'a> Bindings<'a> {
    pub(super) fn new(config: &'a CaesarConfig, data: &'a [Option<Data>]) -> Self {
        Self { config, data, entry: None }
    }

    fn data(&self, reducer: &str) -> Option<&'a Data> {
        let at = self.config.reducers.iter().position(|r| r.key == reducer)?;
        self.data.get(at)?.as_ref()
    }

    fn lookup(&self, reducer: &str, key: Option<&str>, default: &Scalar) -> Result<Scalar, String> {
        if let (Some((name, value)), None) = (self.entry, key) {
            match reducer {
                "key" => return Ok(Scalar::Text(name.to_owned())),
                "value" => return Ok(value.clone()),
                _ => {}
            }
        }
        let data = self.data(reducer);
        match (data, key) {
            (Some(data), Some(key)) => Ok(get(data, key).cloned().unwrap_or_else(|| default.clone())),
            (None, _) => Ok(default.clone()),
            (Some(_), None) => Err(format!("{reducer:?} is a whole reduction: look up one of its keys")),
        }
    }

    /// True of any (or all) entries of a reduction; of none where it is not there yet.
    fn quantified(&self, reducer: &str, inner: &Expr, all: bool) -> Result<Scalar, String> {
        let Some(data) = self.data(reducer) else { return Ok(Scalar::Bool(false)) };
        for (name, value) in data {
            let within = Bindings { config: self.config, data: self.data, entry: Some((name, value)) };
            if evaluate(inner, &within)?.is_truthy() != all {
                return Ok(Scalar::Bool(!all));
            }
        }
        Ok(Scalar::Bool(all))
    }
}

/// The value of a condition, or why it has none.
pub(super) fn evaluate(expr: &Expr, bindings: &Bindings<'_>) -> Result<Scalar, String> {
    let value = |e: &Expr| evaluate(e, bindings);
    match expr {
        Expr::Const(scalar) => Ok(scalar.clone()),
        Expr::Lookup { reducer, key, default } => bindings.lookup(reducer, key.as_deref(), default),
        Expr::Compare(comparison, operands) => chain(*comparison, operands, bindings),
        Expr::Arithmetic(arithmetic, operands) => {
            let mut numbers = Vec::with_capacity(operands.len());
            for operand in operands {
                numbers.push(number(&value(operand)?)?);
            }
            Ok(numbers
                .into_iter()
                .reduce(|a, b| calculate(*arithmetic, a, b))
                .map_or(Scalar::Null, Scalar::Number))
        }
        Expr::And(operands) => {
            let mut last = Scalar::Bool(true);
            for operand in operands {
                last = value(operand)?;
                if !last.is_truthy() {
                    break;
                }
            }
            Ok(last)
        }
        Expr::Or(operands) => {
            let mut last = Scalar::Bool(false);
            for operand in operands {
                last = value(operand)?;
                if last.is_truthy() {
                    break;
                }
            }
            Ok(last)
        }
        Expr::Not(operand) => Ok(Scalar::Bool(!value(operand)?.is_truthy())),
        Expr::Any(reducer, inner) => bindings.quantified(reducer, inner, false),
        Expr::All(reducer, inner) => bindings.quantified(reducer, inner, true),
        Expr::Transform(transform, operand) => match value(operand)? {
            Scalar::Text(text) => Ok(transformed(*transform, &text)),
            other => Err(format!("{other} is no text and cannot be made into another")),
        },
    }
}

/// a < b < c, stopping at the first that does not hold.
fn chain(comparison: Comparison, operands: &[Expr], bindings: &Bindings<'_>) -> Result<Scalar, String> {
    let Some((first, rest)) = operands.split_first() else { return Ok(Scalar::Bool(false)) };
    let mut left = evaluate(first, bindings)?;
    if rest.is_empty() {
        return Ok(Scalar::Bool(left.is_truthy()));
    }
    for operand in rest {
        let right = evaluate(operand, bindings)?;
        if !holds(comparison, &left, &right)? {
            return Ok(Scalar::Bool(false));
        }
        left = right;
    }
    Ok(Scalar::Bool(left.is_truthy()))
}

fn holds(comparison: Comparison, left: &Scalar, right: &Scalar) -> Result<bool, String> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    if comparison == Comparison::Equal {
        return Ok(left == right);
    }
    let order = match (left, right) {
        (Scalar::Number(a), Scalar::Number(b)) => a.partial_cmp(b),
        (Scalar::Text(a), Scalar::Text(b)) => Some(a.cmp(b)),
        _ => return Err(format!("{left} and {right} cannot be compared")),
    };
    Ok(match comparison {
        Comparison::Less => order == Some(Less),
        Comparison::LessOrEqual => matches!(order, Some(Less | Equal)),
        Comparison::Greater => order == Some(Greater),
        Comparison::GreaterOrEqual => matches!(order, Some(Greater | Equal)),
        Comparison::Equal => order == Some(Equal),
    })
}

fn number(value: &Scalar) -> Result<f64, String> {
    match value {
        Scalar::Number(n) => Ok(*n),
        other => Err(format!("{other} is no number to calculate with")),
    }
}

fn calculate(arithmetic: Arithmetic, a: f64, b: f64) -> f64 {
    match arithmetic {
        Arithmetic::Add => a + b,
        Arithmetic::Subtract => a - b,
        Arithmetic::Multiply => a * b,
        Arithmetic::Divide => a / b,
        // The sign is the divisor's, as in Ruby.
        Arithmetic::Remainder => a - b * (a / b).floor(),
    }
}

fn transformed(transform: TextTransform, text: &str) -> Scalar {
    match transform {
        TextTransform::Upper => Scalar::Text(text.to_uppercase()),
        TextTransform::Lower => Scalar::Text(text.to_lowercase()),
        TextTransform::Int => Scalar::Number(leading_number(text, false)),
        TextTransform::Float => Scalar::Number(leading_number(text, true)),
    }
}

/// The number with which a text begins, else 0: "12 birds" is 12.
fn leading_number(text: &str, with_fraction: bool) -> f64 {
    let text = text.trim_start();
    let (mut end, mut seen_point) = (0, false);
    for (at, c) in text.char_indices() {
        let sign = at == 0 && matches!(c, '+' | '-');
        let point = with_fraction && c == '.' && !seen_point;
        if !(sign || point || c.is_ascii_digit()) {
            break;
        }
        seen_point |= point;
        end = at + c.len_utf8();
    }
    text[..end].trim_end_matches('.').parse().unwrap_or(0.0)
}
