//! What a command says at its end: a few lines with numbers and intervals, small tables, notes; or the
//! same as JSON.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Map, Value};

/// A summary under construction.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    text: String,
    json: Map<String, Value>,
}

impl Summary {
    /// A line `label  value`, and the value as JSON.
    pub(crate) fn line(&mut self, key: &str, label: &str, shown: &str, value: impl Into<Value>) {
        self.text.push_str(&format!("{label:<26} {shown}\n"));
        self.json.insert(key.to_owned(), value.into());
    }

    /// A count, with thousands set apart.
    pub(crate) fn count(&mut self, key: &str, label: &str, n: u64) {
        self.line(key, label, &grouped(n), n);
    }

    /// Rows left out, by reason.
    pub(crate) fn left_out<'a>(&mut self, reasons: impl Iterator<Item = (&'a str, u64)>) {
        let mut json = Map::new();
        for (reason, n) in reasons {
            self.note(&format!("{:<26} {}", format!("  left out: {reason}"), grouped(n)));
            json.insert(reason.to_owned(), n.into());
        }
        self.value("left_out", json);
    }

    /// A value that only the JSON shows.
    pub(crate) fn value(&mut self, key: &str, value: impl Into<Value>) {
        self.json.insert(key.to_owned(), value.into());
    }

    /// A sentence.
    pub(crate) fn note(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// A table that fits the terminal.
    pub(crate) fn table(&mut self, title: &str, header: &[&str], rows: &[Vec<String>]) {
        if rows.is_empty() {
            return;
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        if table.width().is_none() {
            table.set_width(100);
        }
        table.set_header(header.iter().copied());
        table.add_rows(rows.iter().map(|row| row.iter().map(|cell| printable(cell))));
        self.text.push_str(&format!("\n{title}\n{}\n", table.trim_fmt()));
    }

    /// The summary of a part, under its own title and key.
    pub(crate) fn part(&mut self, key: &str, title: &str, part: Self) {
        self.text.push_str(&format!("\n{title}\n{}", part.text));
        self.json.insert(key.to_owned(), Value::Object(part.json));
    }

    /// The JSON so far.
    pub(crate) fn json(&self) -> &Map<String, Value> {
        &self.json
    }

    /// The text so far.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// A number with its thousands set apart by commas.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Text from a cell, safe for a terminal: no control characters, no marks that turn the direction of
/// what follows.
pub(crate) fn printable(text: &str) -> String {
    let is_harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if is_harmful(c) { ' ' } else { c }).collect()
}

/// A share with its interval, in percent; a dash for a share of nothing.
pub(crate) fn percent(share: f64, low: f64, high: f64) -> String {
    if share.is_nan() {
        return "–".to_owned();
    }
    format!("{:.1} % ({:.1}–{:.1})", 100.0 * share, 100.0 * low, 100.0 * high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_text_for_people() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(printable("a\u{202e}b\nc\u{1b}[31m是"), "a b c [31m是");
        assert_eq!(percent(0.5, 0.25, 0.75), "50.0 % (25.0–75.0)");
        assert_eq!(percent(f64::NAN, 0.0, 1.0), "–");
    }
}
