//! Cells that a spreadsheet would take for a formula, written so that it does not, and read back as they were.
//!
//! CSV has no types: a program that opens it decides by the first character whether a cell is a formula, and an
//! answer, a tag or a subject's id may begin like one (`=HYPERLINK(…)`, `@SUM`, `- none -`). An apostrophe before
//! it makes it text. Numbers are no formulas and stay as they are, in whatever column they stand. [`neutral`] and
//! [`plain`] undo each other for any text, so that nothing that Volary wrote is read back as something else.
//!
//! For CSV only: Parquet, Arrow and JSON say what is text.

use std::borrow::Cow;

/// Characters that are passed over before the one that decides.
const BLANK: [char; 4] = [' ', '\u{a0}', '\u{feff}', '\u{200b}'];

/// Whether a spreadsheet may take the text for a formula or a command. A plain number is none.
#[must_use]
pub fn is_formula(text: &str) -> bool {
    let start = text.trim_start_matches(BLANK);
    let Some(first) = start.chars().next() else { return false };
    match first {
        '+' | '-' => !is_number(text),
        '=' | '@' | '|' | '%' | '\t' | '\r' | '\n' | '\0' => true,
        // The same at full width, and the minus of typography.
        '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}' | '\u{ff5c}' | '\u{ff05}' | '\u{2212}' => true,
        _ => false,
    }
}

/// Digits with a sign, a point and a power of ten; no name such as `inf`.
fn is_number(text: &str) -> bool {
    let unsigned = |text: &str| text.strip_prefix(['+', '-']).unwrap_or(text).to_owned();
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let text = unsigned(text);
    let (mantissa, power) = match text.split_once(['e', 'E']) {
        Some((mantissa, power)) => (mantissa, Some(unsigned(power))),
        None => (text.as_str(), None),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    is_digits(whole)
        && is_digits(part)
        && !(whole.is_empty() && part.is_empty())
        && power.is_none_or(|power| !power.is_empty() && is_digits(&power))
}

/// The text as a spreadsheet may see it: with an apostrophe before what would be a formula, and one more before
/// what has such apostrophes already.
#[must_use]
pub fn neutral(text: &str) -> Cow<'_, str> {
    if is_formula(text.trim_start_matches('\'')) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// What [`neutral`] made its text of; a text that it did not make stays as it is.
#[must_use]
pub fn plain(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if is_formula(rest.trim_start_matches('\'')) => rest,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_are_made_harmless_and_nothing_else_is_touched() {
        for text in [
            "=HYPERLINK(1)",
            "=x",
            "+",
            "-",
            "-1+2",
            "-inf",
            "+1 or more",
            "- none of these",
            "@SUM",
            "\t=1",
            "\r1",
            "\n=1",
            "|cmd",
            "%0A",
            " =1",
            "\u{feff}=1",
            "\u{ff1d}1",
            "\u{2212}1",
            "'=1",
        ] {
            assert_eq!(neutral(text), format!("'{text}"), "{text:?}");
        }
        for text in [
            "Yes",
            "",
            "1E5",
            "a=b",
            "'Oumuamua",
            "'",
            "p2e5",
            "-1",
            "+1",
            "-12.5",
            "-1e-5",
            "-.5",
            "3-1",
        ] {
            assert_eq!(neutral(text), text);
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(text in "['=+@|% a-c0-9.eE\t\u{feff}-]{0,8}|\\PC{0,12}") {
            prop_assert!(!is_formula(&neutral(&text)), "{:?}", neutral(&text));
            let written = neutral(&text);
            prop_assert_eq!(plain(&written), text.as_str());
        }
    }
}
