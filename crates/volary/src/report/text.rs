//! Words and numbers as the page shows them: escaped, cut, isolated, rounded.
//!
//! Labels may be in any script, hold markup, control characters or a novel. Every label passes through
//! [`label`] (for HTML) or [`plain`] (for captions and figures); nothing else touches raw cells.

use volary_crowd::Interval;

/// Longest text kept in a `title` attribute.
const TITLE_CHARS: usize = 400;

/// Escapes text for HTML content and quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// One line without control characters and without those that reorder what stands around them.
pub(super) fn clean(text: &str) -> String {
    let shown: String = text
        .chars()
        .filter(|c| !is_reordering(*c))
        .map(|c| if c.is_control() || is_not_xml(c) { ' ' } else { c })
        .collect();
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_reordering(c: char) -> bool {
    matches!(c, '\u{200E}' | '\u{200F}' | '\u{061C}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

fn is_not_xml(c: char) -> bool {
    matches!(c, '\u{FFFE}' | '\u{FFFF}')
}

/// Whether a character belongs to the one before it, so that no cut may fall between them.
fn is_joined(c: char) -> bool {
    matches!(c, '\u{0300}'..='\u{036F}' | '\u{0483}'..='\u{0489}' | '\u{0591}'..='\u{05C7}'
        | '\u{064B}'..='\u{065F}' | '\u{0900}'..='\u{0903}' | '\u{093A}'..='\u{094F}'
        | '\u{0E31}' | '\u{0E34}'..='\u{0E3A}' | '\u{0E47}'..='\u{0E4E}' | '\u{200D}'
        | '\u{20D0}'..='\u{20FF}' | '\u{FE00}'..='\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}')
}

/// At most `max` characters, an ellipsis among them.
pub(super) fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let chars: Vec<char> = text.chars().collect();
    let mut end = max.saturating_sub(1);
    while end > 0 && (is_joined(chars[end]) || chars[end - 1] == '\u{200D}') {
        end -= 1;
    }
    let mut out: String = chars[..end].iter().collect::<String>().trim_end().to_owned();
    out.push('…');
    out
}

/// A label in HTML: isolated from the direction of its surroundings, cut, whole in its title.
pub(super) fn label(text: &str, max: usize) -> String {
    let whole = clean(text);
    if whole.is_empty() {
        return "<bdi class=\"empty\">(empty)</bdi>".to_owned();
    }
    let shown = cut(&whole, max);
    if shown == whole {
        format!("<bdi>{}</bdi>", escape(&shown))
    } else {
        format!("<bdi title=\"{}\">{}</bdi>", escape(&cut(&whole, TITLE_CHARS)), escape(&shown))
    }
}

/// A label in plain text, isolated from the direction of its surroundings (U+2068 … U+2069).
pub(super) fn plain(text: &str, max: usize) -> String {
    let whole = clean(text);
    let shown = if whole.is_empty() { "(empty)".to_owned() } else { cut(&whole, max) };
    if shown.is_ascii() { shown } else { format!("\u{2068}{shown}\u{2069}") }
}

/// A label for a figure: cut to a width in pixels at a font size, as far as that can be guessed.
pub(super) fn fitted(text: &str, size: f64, width: f64) -> String {
    let whole = clean(text);
    let whole = if whole.is_empty() { "(empty)".to_owned() } else { whole };
    let room = width / size;
    if width_em(&whole) <= room {
        return whole;
    }
    let mut used = 0.8;
    let n = whole.chars().take_while(|c| {
        used += char_em(*c);
        used <= room
    });
    let n = n.count();
    cut(&whole, n.max(1) + 1)
}

/// A label for a figure on one line or two, broken between words where it can be.
pub(super) fn two_lines(text: &str, size: f64, width: f64) -> Vec<String> {
    let whole = clean(text);
    if width_em(&whole) * size <= width {
        return vec![fitted(&whole, size, width)];
    }
    let breaks = whole.match_indices(' ').map(|(at, _)| at);
    let last = breaks.take_while(|at| width_em(&whole[..*at]) * size <= width).last();
    match last {
        Some(at) => vec![whole[..at].to_owned(), fitted(&whole[at + 1..], size, width)],
        None => vec![fitted(&whole, size, width)],
    }
}

/// About how wide a text is, in units of its font size; errs on the wide side.
pub(super) fn width_em(text: &str) -> f64 {
    text.chars().map(char_em).sum()
}

fn char_em(c: char) -> f64 {
    match c {
        c if is_joined(c) || is_reordering(c) => 0.0,
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 0.3,
        ' ' | 't' | 'f' | 'r' | '(' | ')' | '-' => 0.38,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.92,
        'A'..='Z' => 0.7,
        c if c.is_ascii() => 0.58,
        '\u{1100}'.. => 1.05,
        _ => 0.66,
    }
}

/// 12345 as "12,345".
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count with its noun: "1 subject", "2 subjects".
pub(super) fn counted(n: u64, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(n))
}

/// A number with so many decimals; a dash where there is none.
pub(super) fn decimal(x: f64, digits: usize) -> String {
    if x.is_finite() { format!("{x:.digits$}") } else { "–".to_owned() }
}

/// The same for one that may be missing.
pub(super) fn decimal_or_dash(x: Option<f64>, digits: usize) -> String {
    x.map_or_else(|| "–".to_owned(), |x| decimal(x, digits))
}

/// A share in percent, never rounded to 0% or 100% unless it is.
pub(super) fn percent(share: f64) -> String {
    match share {
        s if !s.is_finite() => "–".to_owned(),
        s if s > 0.0 && s < 0.0005 => "<0.1%".to_owned(),
        s if s < 1.0 && s > 0.9995 => ">99.9%".to_owned(),
        s if s == 0.0 || s == 1.0 => format!("{:.0}%", s * 100.0),
        s => format!("{:.1}%", s * 100.0),
    }
}

/// An interval of shares in percent.
pub(super) fn percent_interval(interval: Interval) -> String {
    format!("{:.1}–{:.1}%", interval.low * 100.0, interval.high * 100.0)
}

/// The same without decimals, for narrow places.
pub(super) fn short_interval(interval: Interval) -> String {
    format!("{:.0}–{:.0}%", interval.low * 100.0, interval.high * 100.0)
}

/// `k` of `n` as a share; 0 of 0 is 0.
pub(super) fn share(k: u64, n: u64) -> f64 {
    if n == 0 { 0.0 } else { k as f64 / n as f64 }
}

/// "12 of 40 subjects (30.0%)".
pub(super) fn out_of(k: u64, n: u64, noun: &str) -> String {
    format!("{} of {} ({})", count(k), counted(n, noun), percent(share(k, n)))
}

/// The middle of sorted numbers.
pub(super) fn median(sorted: &[f64]) -> Option<f64> {
    quantile(sorted, 0.5)
}

/// A quantile of sorted numbers, between neighbours.
pub(super) fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let at = q * last as f64;
    let low = at.floor() as usize;
    let high = (low + 1).min(last);
    Some(sorted[low] + (sorted[high] - sorted[low]) * (at - low as f64))
}

/// So many of a list, evenly spaced, first and last among them.
pub(super) fn thinned<T>(list: &[T], most: usize) -> Vec<&T> {
    if list.len() <= most || most < 2 {
        return list.iter().collect();
    }
    (0..most).map(|i| &list[i * (list.len() - 1) / (most - 1)]).collect()
}
