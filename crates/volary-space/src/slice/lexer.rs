//! Text to words, numbers, quoted names and signs, each with its place.

use super::error::{FilterError, Reason};
use super::{MAX_CHARS, Span};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name or a word of the language.
    Word(String),
    /// A name in double quotes.
    Name(String),
    /// A text in single quotes.
    Text(String),
    Number(f64),
    /// `( ) , = != < <= > >=`
    Sign(&'static str),
    End,
}

impl Token {
    /// As it is shown in an error.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Word(word) => format!("`{word}`"),
            Self::Name(name) => format!("the name {name:?}"),
            Self::Text(text) => format!("the text {text:?}"),
            Self::Number(number) => format!("the number {number}"),
            Self::Sign(sign) => format!("`{sign}`"),
            Self::End => "the end".to_owned(),
        }
    }
}

/// Signs, the longer first; `==` and `<>` are read as what they mean.
const SIGNS: [(&str, &str); 11] = [
    ("<=", "<="),
    (">=", ">="),
    ("!=", "!="),
    ("<>", "!="),
    ("==", "="),
    ("<", "<"),
    (">", ">"),
    ("=", "="),
    ("(", "("),
    (")", ")"),
    (",", ","),
];

pub(super) fn starts_name(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

pub(super) fn continues_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.')
}

/// All tokens, an `End` last.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Span)>, FilterError> {
    let chars: Vec<char> = text.chars().take(MAX_CHARS + 1).collect();
    if chars.len() > MAX_CHARS {
        let n_chars = text.chars().count();
        return Err(FilterError::new(
            Span { start: MAX_CHARS, end: n_chars },
            Reason::TooLong { n_chars },
        ));
    }
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some(&c) = chars.get(at) {
        let start = at;
        let token = if c.is_whitespace() {
            at += 1;
            continue;
        } else if starts_name(c) {
            at += chars[at..].iter().take_while(|c| continues_name(**c)).count();
            Token::Word(chars[start..at].iter().collect())
        } else if c == '\'' || c == '"' {
            quoted(&chars, &mut at)?
        } else if c.is_ascii_digit() || matches!(c, '.' | '-' | '+') {
            number(&chars, &mut at)?
        } else {
            let follows =
                |sign: &str| sign.chars().enumerate().all(|(i, s)| chars.get(at + i) == Some(&s));
            let Some((written, sign)) = SIGNS.into_iter().find(|(written, _)| follows(written)) else {
                let span = Span { start, end: start + 1 };
                return Err(FilterError::new(span, Reason::Character { character: c }));
            };
            at += written.len();
            Token::Sign(sign)
        };
        tokens.push((token, Span { start, end: at }));
    }
    tokens.push((Token::End, Span { start: chars.len(), end: chars.len() }));
    Ok(tokens)
}

/// A quoted name or text; a doubled quote inside is one quote.
fn quoted(chars: &[char], at: &mut usize) -> Result<Token, FilterError> {
    let (start, quote) = (*at, chars[*at]);
    let mut inside = String::new();
    *at += 1;
    loop {
        match (chars.get(*at), chars.get(*at + 1)) {
            (Some(&c), Some(&next)) if c == quote && next == quote => {
                inside.push(quote);
                *at += 2;
            }
            (Some(&c), _) if c == quote => {
                *at += 1;
                return Ok(if quote == '"' { Token::Name(inside) } else { Token::Text(inside) });
            }
            (Some(&c), _) => {
                inside.push(c);
                *at += 1;
            }
            (None, _) => {
                let what = if quote == '"' { "name" } else { "text" };
                let span = Span { start, end: start + 1 };
                return Err(FilterError::new(span, Reason::OpenQuote { quote, what }));
            }
        }
    }
}

fn number(chars: &[char], at: &mut usize) -> Result<Token, FilterError> {
    let start = *at;
    while let Some(&c) = chars.get(*at) {
        let after_e = *at > start && matches!(chars[*at - 1], 'e' | 'E');
        let belongs =
            c.is_alphanumeric() || c == '.' || (matches!(c, '-' | '+') && (*at == start || after_e));
        if !belongs {
            break;
        }
        *at += 1;
    }
    let text: String = chars[start..*at].iter().collect();
    match text.parse::<f64>() {
        // `+ 0.0` makes a negative zero an ordinary one.
        Ok(number) if number.is_finite() => Ok(Token::Number(number + 0.0)),
        _ => Err(FilterError::new(Span { start, end: *at }, Reason::Number { text })),
    }
}
