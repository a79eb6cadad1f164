//! Conditions: arrays whose first item names the operator, `["gte", ["lookup", "c.n", 0], ["const", 5]]`.

use serde_json::Value;
use volary_core::caesar::{Arithmetic, Comparison, Expr, Scalar, TextTransform};

const OPERATORS: &str =
    "lt lte gt gte eq and or not any all const lookup + - * / % upcase downcase int float";

/// Reads a condition; `place` says where it stands.
pub(super) fn expression(value: &Value, place: &str) -> Result<Expr, String> {
    let items = match value {
        Value::Array(items) if !items.is_empty() => items,
        _ => {
            return Err(format!(
                "{place}: a condition is an array that begins with an operator, not {}",
                shown(value)
            ));
        }
    };
    let Some(operator) = items[0].as_str() else {
        return Err(format!("{place}: the first item is the operator, not {}", shown(&items[0])));
    };
    let operands = &items[1..];
    let all = || -> Result<Vec<Expr>, String> {
        (1..).zip(operands).map(|(i, o)| expression(o, &format!("{place}[{i}]"))).collect()
    };
    let needs = |n: usize| match operands.len() == n {
        true => Ok(()),
        false => Err(format!("{place}: `{operator}` takes {n} operands, not {}", operands.len())),
    };
    let one = || -> Result<Box<Expr>, String> {
        needs(1)?;
        Ok(Box::new(expression(&operands[0], &format!("{place}[1]"))?))
    };
    let within = || -> Result<(String, Box<Expr>), String> {
        needs(2)?;
        let Some(name) = operands[0].as_str() else {
            return Err(format!("{place}: `{operator}` names a reducer, not {}", shown(&operands[0])));
        };
        Ok((name.to_owned(), Box::new(expression(&operands[1], &format!("{place}[2]"))?)))
    };
    Ok(match operator {
        "lt" => Expr::Compare(Comparison::Less, all()?),
        "lte" => Expr::Compare(Comparison::LessOrEqual, all()?),
        "gt" => Expr::Compare(Comparison::Greater, all()?),
        "gte" => Expr::Compare(Comparison::GreaterOrEqual, all()?),
        "eq" => Expr::Compare(Comparison::Equal, all()?),
        "+" => Expr::Arithmetic(Arithmetic::Add, all()?),
        "-" => Expr::Arithmetic(Arithmetic::Subtract, all()?),
        "*" => Expr::Arithmetic(Arithmetic::Multiply, all()?),
        "/" => Expr::Arithmetic(Arithmetic::Divide, all()?),
        "%" => Expr::Arithmetic(Arithmetic::Remainder, all()?),
        "and" => Expr::And(all()?),
        "or" => Expr::Or(all()?),
        "not" => Expr::Not(one()?),
        "upcase" => Expr::Transform(TextTransform::Upper, one()?),
        "downcase" => Expr::Transform(TextTransform::Lower, one()?),
        "int" => Expr::Transform(TextTransform::Int, one()?),
        "float" => Expr::Transform(TextTransform::Float, one()?),
        "any" => within().map(|(name, inner)| Expr::Any(name, inner))?,
        "all" => within().map(|(name, inner)| Expr::All(name, inner))?,
        "const" => {
            needs(1)?;
            Expr::Const(scalar(&operands[0], place)?)
        }
        "lookup" => lookup(operands, place)?,
        other => {
            return Err(format!("{place}: unknown operator {other:?}; Caesar has {OPERATORS}"));
        }
    })
}

/// `["lookup", "reducer.key", default]`. Older configurations leave the default out.
fn lookup(operands: &[Value], place: &str) -> Result<Expr, String> {
    let path = match operands {
        [Value::String(path)] | [Value::String(path), _] => path,
        _ => return Err(format!("{place}: `lookup` takes a key (\"reducer.field\") and a default")),
    };
    let default = operands.get(1).map_or(Ok(Scalar::Null), |d| scalar(d, place))?;
    // As in Caesar, only the first two pieces matter.
    let mut pieces = path.split('.');
    let reducer = pieces.next().unwrap_or_default().to_owned();
    Ok(Expr::Lookup { reducer, key: pieces.next().map(str::to_owned), default })
}

fn scalar(value: &Value, place: &str) -> Result<Scalar, String> {
    Ok(match value {
        Value::Null => Scalar::Null,
        Value::Bool(b) => Scalar::Bool(*b),
        Value::Number(n) => Scalar::Number(n.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => Scalar::Text(text.clone()),
        // A condition where a value should be: `["const", ["lookup", …]]`.
        other => {
            return Err(format!(
                "{place}: a value is a number, a text, true, false or null, not {}",
                shown(other)
            ));
        }
    })
}

/// A value in an error message, cut short.
pub(super) fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
