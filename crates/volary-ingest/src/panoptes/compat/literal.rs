//! Cells of extraction and reduction tables as data: JSON as we write it, or the Python literals of
//! `panoptes_aggregation` (`[1.0, nan]`, `{'a': 1}`, `np.float64(nan)`).
//!
//! The original hands such cells to Python's `eval`, so that what a volunteer typed can run. Here they
//! are read by a small parser that knows lists, mappings, text, numbers and four words; anything else
//! is plain text.

use serde_json::{Map, Number, Value};

/// Nested deeper than this is no table of ours.
const MAX_DEPTH: u32 = 64;

/// The value of a cell that holds a list or a mapping; `None` where it is plain text (or empty).
///
/// ```
/// use volary_ingest::panoptes::compat::parse_cell;
/// assert_eq!(parse_cell("[{'a': 1}, nan]").unwrap().to_string(), r#"[{"a":1},null]"#);
/// assert_eq!(parse_cell("__import__('os').system('true')"), None);
/// ```
#[must_use]
pub fn parse_cell(cell: &str) -> Option<Value> {
    let text = cell.trim();
    if !text.starts_with(['[', '{']) {
        return None;
    }
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    reader.spaces();
    (reader.at == text.len()).then_some(value)
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, expected: &str) -> bool {
        let is_there = self.rest().starts_with(expected);
        self.at += if is_there { expected.len() } else { 0 };
        is_there
    }

    fn spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn value(&mut self, depth: u32) -> Option<Value> {
        self.spaces();
        if depth > MAX_DEPTH {
            return None;
        }
        match self.peek()? {
            '[' => self.list(depth),
            '{' => self.mapping(depth),
            '\'' | '"' => self.string().map(Value::String),
            _ => self.word(),
        }
    }

    fn list(&mut self, depth: u32) -> Option<Value> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.spaces();
            if self.take("]") {
                return Some(Value::Array(items));
            }
            items.push(self.value(depth + 1)?);
            self.spaces();
            if !self.take(",") {
                return self.take("]").then_some(Value::Array(items));
            }
        }
    }

    fn mapping(&mut self, depth: u32) -> Option<Value> {
        self.at += 1;
        let mut map = Map::new();
        loop {
            self.spaces();
            if self.take("}") {
                return Some(Value::Object(map));
            }
            let key = match self.value(depth + 1)? {
                Value::String(key) => key,
                other => other.to_string(),
            };
            self.spaces();
            if !self.take(":") {
                return None;
            }
            let value = self.value(depth + 1)?;
            map.insert(key, value);
            self.spaces();
            if !self.take(",") {
                return self.take("}").then_some(Value::Object(map));
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        let quote = self.peek()?;
        self.at += 1;
        let mut out = String::new();
        loop {
            let c = self.peek()?;
            self.at += c.len_utf8();
            match c {
                _ if c == quote => return Some(out),
                '\\' => out.push(self.escape()?),
                _ => out.push(c),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        match c {
            'n' => Some('\n'),
            't' => Some('\t'),
            'r' => Some('\r'),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'x' => self.code_point(2),
            'U' => self.code_point(8),
            'u' => self.utf16_unit(),
            other => Some(other),
        }
    }

    fn hex(&mut self, digits: usize) -> Option<u32> {
        let code = u32::from_str_radix(self.rest().get(..digits)?, 16).ok()?;
        self.at += digits;
        Some(code)
    }

    fn code_point(&mut self, digits: usize) -> Option<char> {
        char::from_u32(self.hex(digits)?)
    }

    /// JSON writes what lies beyond U+FFFF as two halves.
    fn utf16_unit(&mut self) -> Option<char> {
        let high = self.hex(4)?;
        if !(0xd800..0xdc00).contains(&high) {
            return char::from_u32(high);
        }
        if !self.take("\\u") {
            return None;
        }
        let low = self.hex(4)?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
        char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + low)
    }

    fn word(&mut self) -> Option<Value> {
        for (word, value) in [
            ("np.float64(nan)", Value::Null),
            ("None", Value::Null),
            ("null", Value::Null),
            ("nan", Value::Null),
            ("NaN", Value::Null),
            ("True", Value::Bool(true)),
            ("true", Value::Bool(true)),
            ("False", Value::Bool(false)),
            ("false", Value::Bool(false)),
        ] {
            if self.take(word) {
                return Some(value);
            }
        }
        let is_wrapped = self.take("np.float64(") || self.take("np.int64(");
        let n = self.rest().bytes().take_while(|b| b"+-.0123456789eE".contains(b)).count();
        let text = &self.text[self.at..self.at + n];
        let number = match text.parse::<i64>() {
            Ok(n) => Value::from(n),
            Err(_) => text.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number)?,
        };
        self.at += n;
        (!is_wrapped || self.take(")")).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::parse_cell;

    #[test]
    fn both_notations_are_read() {
        for (cell, json) in [
            (r#"[{"text":"a\"b\n","gold":false}]"#, r#"[{"text":"a\"b\n","gold":false}]"#),
            (
                "[[{'0': 1, '6': 1}], [nan, np.float64(nan), 900111]]",
                r#"[[{"0":1,"6":1}],[null,null,900111]]"#,
            ),
            ("['it\\'s', \"it's\", True, None, -1.5e-3,]", r#"["it's","it's",true,null,-0.0015]"#),
            (r#"["\ud83d\ude00", "\u00e9"]"#, r#"["😀","é"]"#),
            ("[np.float64(2.5), np.int64(3)]", "[2.5,3]"),
            ("{}", "{}"),
        ] {
            assert_eq!(parse_cell(cell).map(|v| v.to_string()).as_deref(), Some(json), "{cell}");
        }
    }

    #[test]
    fn nothing_else_is_taken_for_data() {
        for cell in [
            "",
            "text",
            "[1",
            "[1]x",
            "[6*7]",
            "[x for x in (1,)]",
            "{'a'}",
            "{1:}",
            "[\"",
            "['\\",
            "[\"\\ud800\"]",
            "[1 2]",
            "[é",
        ] {
            assert_eq!(parse_cell(cell), None, "{cell}");
        }
        assert_eq!(parse_cell(&"[".repeat(100_000)), None);
    }
}
