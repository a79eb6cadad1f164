//! Figures that the project's own steps wrote, as images that cannot do anything: whatever stands in such a file
//! is shown and never run.

use std::path::Path;

use super::page::document;
use super::text::escape;
use super::{Block, Section};
use crate::images::base64;
use crate::steps::StepFigure;

/// The section of these figures; none where there are none.
pub(super) fn section(figures: &[StepFigure]) -> Option<Section> {
    let shown: Vec<Block> = figures.iter().filter_map(shown).map(Block::Html).collect();
    (!shown.is_empty()).then(|| Section {
        id: "steps",
        title: "Figures of the steps",
        lead: "What the steps of volary.toml drew, in their order.".to_owned(),
        blocks: shown,
    })
}

/// A report of steps alone, where a project has no classifications.
pub(crate) fn render(title: &str, figures: &[StepFigure]) -> String {
    let sections: Vec<Section> = section(figures).into_iter().collect();
    document(title, "Volary · report", "", "", &sections)
}

fn shown(figure: &StepFigure) -> Option<String> {
    let bytes = std::fs::read(&figure.path).ok()?;
    let kind = if figure.path.extension()? == "svg" { "svg+xml" } else { "png" };
    let name = name(&figure.path);
    Some(format!(
        "<figure><h3>{}</h3><img src=\"data:image/{kind};base64,{}\" alt=\"{}\" style=\"display:block;max-width:100%;max-height:30rem;margin:auto;background:#fff\">\
         <figcaption><code>volary {}</code></figcaption></figure>",
        escape(&name),
        base64(&bytes),
        escape(&name),
        escape(&figure.line),
    ))
}

/// A file's name as a heading.
fn name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().replace(['_', '-'], " ")
}
