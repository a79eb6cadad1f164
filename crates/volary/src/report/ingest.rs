//! What was read, what was left out and why.

use super::page::{Table, note, table};
use super::text::{count, label, out_of, percent, share};
use super::{Block, IngestSummary, ReportInput, Section};

/// Rows of each table.
const MOST_ROWS: usize = 40;

/// The section; none where the votes do not come from a file.
pub(super) fn section(input: &ReportInput<'_>) -> Option<Section> {
    let ingest = input.ingest.as_ref()?;
    let mut blocks = vec![Block::Html(rows_table(ingest))];
    if !ingest.versions.is_empty() {
        blocks.push(Block::Html(versions_table(ingest)));
    }
    if !ingest.problems.is_empty() {
        blocks.push(Block::Html(problems_table(ingest)));
    }
    let mut lead =
        format!("{} of the input were used.", out_of(ingest.rows_used, ingest.rows_read, "row"));
    if ingest.problems.is_empty() {
        lead.push_str(" No problem was found in them.");
    }
    Some(Section { id: "input", title: "What was read and left out", lead, blocks })
}

fn rows_table(ingest: &IngestSummary) -> String {
    let n = ingest.rows_read;
    let row = |name: String, k: u64| vec![name, count(k), percent(share(k, n))];
    let mut rows = vec![row("Rows read".to_owned(), n), row("Rows used".to_owned(), ingest.rows_used)];
    for (reason, k) in ingest.left_out.iter().take(MOST_ROWS) {
        rows.push(row(format!("Left out: {}", label(reason, 80)), *k));
    }
    let parts = [
        ("Classifications that repeat an earlier one", ingest.n_repeats),
        ("Classifications without login", ingest.n_not_logged_in),
        ("Classifications in beta tests", ingest.n_beta),
    ];
    rows.extend(parts.into_iter().filter(|p| p.1 > 0).map(|(name, k)| row(name.to_owned(), k)));
    table(&Table { title: "Rows", lead: "", heads: &["What", "#Rows", "#Of all read"] }, rows)
}

fn versions_table(ingest: &IngestSummary) -> String {
    let all: u64 = ingest.versions.iter().map(|v| v.2).sum();
    let rows = ingest.versions.iter().take(MOST_ROWS).map(|(workflow, version, n)| {
        vec![label(workflow, 48), label(version, 24), count(*n), percent(share(*n, all))]
    });
    let heads = ["Workflow", "Version", "#Classifications", "#Share"];
    let mut html = table(&Table { title: "Workflow versions", lead: "", heads: &heads }, rows);
    html.push_str(&note(ingest.versions.len(), MOST_ROWS, "version"));
    html
}

fn problems_table(ingest: &IngestSummary) -> String {
    let rows = ingest.problems.iter().take(MOST_ROWS).map(|(kind, n, example)| {
        vec![label(kind, 60), count(*n), format!("<code>{}</code>", label(example, 140))]
    });
    let heads = ["Problem", "#How often", "Example"];
    let mut html = table(&Table { title: "Problems", lead: "", heads: &heads }, rows);
    html.push_str(&note(ingest.problems.len(), MOST_ROWS, "kind"));
    html
}
