//! Drawing tasks: what the crowd drew, with pictures of a few subjects.

use std::collections::BTreeMap;

use volary_core::Drawn;
use volary_crowd::shapes::{Fate, Group, ShapeConsensus};

use super::clusters::{Backdrop, Picture, draw};
use super::page::{Table, table};
use super::text::{count, label, plain};
use super::{Block, Figure, ReportInput, Room, Section};

/// Pictures in the report.
const PICTURES: usize = 6;

/// Drawn marks and their consensus, for the report.
pub(crate) struct Drawings {
    /// Everything drawn.
    pub(crate) drawn: Drawn,
    /// What came of it.
    pub(crate) found: ShapeConsensus,
    /// The image of a subject's frame.
    pub(crate) backdrop: Backdrops,
}

/// From a subject and frame to its image, where there is one.
pub(crate) type Backdrops = Box<dyn Fn(&str, u16) -> Option<Backdrop>>;

impl std::fmt::Debug for Drawings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Drawings").field("rows", &self.drawn.rows.len()).finish_non_exhaustive()
    }
}

/// The groups of one subject, task and frame together; those with shapes first.
pub(crate) fn pictures(found: &ShapeConsensus) -> Vec<&[Group]> {
    let place = |g: &Group| (g.workflow, g.task, g.subject, g.frame);
    let mut pictures: Vec<&[Group]> = found.groups.chunk_by(|a, b| place(a) == place(b)).collect();
    pictures.sort_by_key(|groups| {
        let has_shape = groups.iter().any(|g| !g.clusters.is_empty());
        let is_usable = groups.iter().flat_map(|g| &g.marks).any(|m| m.fate != Fate::Unusable);
        (!has_shape, !is_usable)
    });
    pictures
}

/// The section; none where nobody drew anything.
pub(super) fn section(input: &ReportInput<'_>) -> Option<Section> {
    let drawings = input.drawings?;
    if drawings.found.groups.is_empty() {
        return None;
    }
    let mut blocks = vec![Block::Html(tools(drawings))];
    blocks.extend(pictures(&drawings.found).into_iter().take(PICTURES).enumerate().map(
        |(number, groups)| {
            let text = |symbol| drawings.drawn.pool.text(symbol);
            let (subject, frame) = (text(groups[0].subject), groups[0].frame);
            let backdrop = (drawings.backdrop)(subject, frame);
            let picture = Picture { drawn: &drawings.drawn, groups, backdrop: backdrop.as_ref() };
            Block::Figure(Figure {
                name: format!("drawings-{}", number + 1),
                title: format!("Subject {}", plain(subject, 60)),
                svg: draw(&picture),
                caption: caption(groups, text(groups[0].task)),
                room: Room::Half,
            })
        },
    ));
    let lead = "Marks that several volunteers drew in one place, at most one of each volunteer, become \
                one shape. Thin lines are the volunteers' marks, thick lines the consensus; the numbers \
                say how many of those who saw the task drew it. Grey marks have no company."
        .to_owned();
    Some(Section { id: "drawings", title: "Drawings", lead, blocks })
}

fn caption(groups: &[Group], task: &str) -> String {
    let n_shapes: usize = groups.iter().map(|g| g.clusters.len()).sum();
    let fates = || groups.iter().flat_map(|g| &g.marks).map(|m| m.fate);
    let members = fates().filter(|f| matches!(f, Fate::Member(_))).count();
    format!(
        "Task {}, frame {}: {} consensus shapes; {members} of {} marks are in one.",
        plain(task, 40),
        groups[0].frame,
        n_shapes,
        fates().count()
    )
}

/// One line per tool and form.
fn tools(drawings: &Drawings) -> String {
    let text = |symbol| drawings.drawn.pool.text(symbol);
    let mut lines = BTreeMap::<(&str, &str, Option<u16>, &str), Vec<&Group>>::new();
    for group in &drawings.found.groups {
        let key = (text(group.workflow), text(group.task), group.tool, group.form.as_str());
        lines.entry(key).or_default().push(group);
    }
    let rows = lines.into_iter().map(|((workflow, task, tool, form), groups)| {
        let tool_label = groups.iter().find_map(|g| g.tool_label).map(text);
        let tool = match (tool_label, tool) {
            (Some(name), _) => label(name, 60),
            (None, Some(tool)) => tool.to_string(),
            (None, None) => "–".to_owned(),
        };
        let n_shapes: usize = groups.iter().map(|g| g.clusters.len()).sum();
        let n_marks: usize = groups.iter().map(|g| g.marks.len()).sum();
        let mut shares: Vec<f64> = groups.iter().flat_map(|g| &g.clusters).map(|c| c.share).collect();
        shares.sort_by(f64::total_cmp);
        let median = shares.get(shares.len() / 2);
        let numbers = [groups.len() as u64, n_marks as u64, n_shapes as u64].map(count);
        let mut cells = vec![label(workflow, 40), label(task, 40), tool, form.to_owned()];
        cells.extend(numbers);
        cells.push(median.map_or_else(|| "–".to_owned(), |s| format!("{:.0}%", 100.0 * s)));
        cells
    });
    let about = Table {
        title: "What was drawn",
        lead: "",
        heads: &[
            "workflow",
            "task",
            "tool",
            "form",
            "#subjects",
            "#marks",
            "#consensus shapes",
            "#drawn by (median)",
        ],
    };
    table(&about, rows)
}
