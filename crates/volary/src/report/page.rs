//! The page around the sections, and the tables and bars in them.

use std::fmt::Write as _;

use volary_crowd::Interval;

use super::text::{clean, cut, escape};
use super::{Block, Figure, ReportInput, Room, Section, headline};

const STYLE: &str = include_str!("style.css");

/// The whole document.
pub(super) fn page(input: &ReportInput<'_>, sections: &[Section]) -> String {
    let summary = headline::html(input);
    document(input.title, "Volary · consensus report", &summary, &method(input), sections)
}

/// A document of sections: `summary` is HTML below the title, `note` plain text in the footer.
pub(super) fn document(
    title: &str,
    eyebrow: &str,
    summary: &str,
    note: &str,
    sections: &[Section],
) -> String {
    let title = clean(title);
    let title = if title.is_empty() { "Report".to_owned() } else { cut(&title, 200) };
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"generator\" content=\"Volary {version}\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n\
         <p class=\"eyebrow\">{eyebrow}</p>\n<h1><bdi>{title}</bdi></h1>\n\
         {summary}{nav}</header>\n<main>\n",
        version = env!("CARGO_PKG_VERSION"),
        title = escape(&title),
        nav = nav(sections),
    );
    sections.iter().for_each(|section| put_section(&mut out, section));
    out.push_str("</main>\n<footer>\n<p>");
    out.push_str(&escape(&footer(note)));
    out.push_str("</p>\n</footer>\n</body>\n</html>\n");
    out
}

fn method(input: &ReportInput<'_>) -> String {
    if input.consensus.method.is_empty() {
        return String::new();
    }
    format!(" Method: {}.", clean(&input.consensus.method))
}

fn footer(note: &str) -> String {
    format!(
        "Made by Volary {}.{note} Volunteers appear only in sums and unlabelled points. This file needs \
         no network.",
        env!("CARGO_PKG_VERSION")
    )
}

fn nav(sections: &[Section]) -> String {
    if sections.is_empty() {
        return String::new();
    }
    let links: String =
        sections.iter().map(|s| format!("<a href=\"#{}\">{}</a>\n", s.id, s.title)).collect();
    format!("<nav aria-label=\"Sections\">\n{links}</nav>\n")
}

fn put_section(out: &mut String, section: &Section) {
    let (id, title) = (section.id, section.title);
    let _ = write!(out, "<section id=\"{id}\">\n<h2>{title}</h2>\n");
    if !section.lead.trim().is_empty() {
        let _ = writeln!(out, "<p class=\"lead\">{}</p>", section.lead.trim());
    }
    out.push_str("<div class=\"grid\">\n");
    for block in &section.blocks {
        match block {
            Block::Html(html) => {
                let _ = writeln!(out, "<div class=\"whole\">{html}</div>");
            }
            Block::Aside(html) => {
                let _ = writeln!(out, "<div class=\"aside\">{html}</div>");
            }
            Block::Figure(figure) => put_figure(out, figure),
        }
    }
    out.push_str("</div>\n</section>\n");
}

fn put_figure(out: &mut String, figure: &Figure) {
    let class = if figure.room == Room::Whole { " class=\"whole\"" } else { "" };
    let (name, title, caption) = (escape(&figure.name), escape(&figure.title), escape(&figure.caption));
    let _ = write!(
        out,
        "<figure id=\"figure-{name}\"{class}>\n<h4>{title}</h4>\n<div class=\"plot\">{}</div>\n\
         <figcaption>{caption}</figcaption>\n</figure>\n",
        figure.svg.trim()
    );
}

/// What stands above a table. Heads that start with `#` are of numbers.
pub(super) struct Table<'a> {
    /// In HTML.
    pub(super) title: &'a str,
    /// In plain text.
    pub(super) lead: &'a str,
    pub(super) heads: &'a [&'a str],
}

/// A table that scrolls sideways where it must; cells are HTML.
pub(super) fn table(about: &Table<'_>, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut out = format!("<div class=\"table\"><h4>{}</h4>\n", about.title);
    if !about.lead.is_empty() {
        let _ = writeln!(out, "<p>{}</p>", escape(about.lead));
    }
    let numbers: Vec<bool> = about.heads.iter().map(|h| h.starts_with('#')).collect();
    let class = |at: usize| if numbers.get(at) == Some(&true) { " class=\"n\"" } else { "" };
    out.push_str("<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr>");
    for (at, head) in about.heads.iter().enumerate() {
        let _ =
            write!(out, "<th scope=\"col\"{}>{}</th>", class(at), escape(head.trim_start_matches('#')));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for (at, cell) in row.iter().enumerate() {
            let _ = write!(out, "<td{}>{cell}</td>", class(at));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div></div>\n");
    out
}

/// A line that says how much of a long table is missing.
pub(super) fn note(n: usize, shown: usize, noun: &str) -> String {
    if n <= shown {
        return String::new();
    }
    format!(
        "<p class=\"more\">and {} more; the tables of the run hold them all</p>",
        super::text::counted((n - shown) as u64, noun)
    )
}

/// A share as a bar, with its interval where there is one. The numbers stand beside it.
pub(super) fn bar(share: f64, interval: Option<Interval>) -> String {
    let percent = |x: f64| if x.is_finite() { (x * 100.0).clamp(0.0, 100.0) } else { 0.0 };
    let mut out = format!(
        "<span class=\"bar\" aria-hidden=\"true\"><i style=\"width:{:.1}%\"></i>",
        percent(share)
    );
    if let Some(interval) = interval {
        let (low, high) = (percent(interval.low), percent(interval.high));
        let _ = write!(out, "<u style=\"left:{low:.1}%;width:{:.1}%\"></u>", high - low);
    }
    out.push_str("</span>");
    out
}
