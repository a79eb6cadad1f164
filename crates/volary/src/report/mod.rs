//! The report: one HTML file that shows what the crowd said, how sure that is, and who the crowd is.
//!
//! Self-contained: no network, no script, figures as inline SVG. Everything that comes from a cell is
//! escaped ([`text`]); volunteers appear as sums and unlabelled points, never as a list of people. The
//! figures carry plain colours, so that each also stands alone as a file; the page recolours them for
//! dark screens (`style.css`). Nothing is computed here that a table of the run does not hold as well,
//! except medians and bins.

mod agreement;
pub(crate) mod anomaly;
mod answers;
mod chart;
pub(crate) mod clusters;
mod confusing;
pub(crate) mod drawings;
mod headline;
mod ingest;
pub(crate) mod marks;
mod methods;
mod models;
mod page;
mod people;
pub(crate) mod pictures;
mod progress;
mod questions;
mod reliability;
pub(crate) mod retirement;
mod scale;
pub(crate) mod steps;
mod surveys;
mod text;
mod time;
mod widths;

use std::collections::BTreeMap;

pub(crate) use models::ModelReport;
use volary_core::Votes;
use volary_crowd::{
    Activity, AgreementRow, Consensus, Counted, Evaluation, FractionParams, SurveyRow, Volunteers,
};

use crate::retirement::PollStudy;
use crate::steps::StepFigure;

/// What the report shows.
#[derive(Clone, Debug)]
pub(crate) struct ReportInput<'a> {
    /// Heading of the page.
    pub title: &'a str,
    /// The votes.
    pub votes: &'a Votes,
    /// Which classifications count.
    pub counted: &'a Counted,
    /// What the main method says.
    pub consensus: &'a Consensus,
    /// Kind and level of the intervals.
    pub params: &'a FractionParams,
    /// The volunteers, of whom only aggregates are shown.
    pub volunteers: &'a Volunteers,
    /// How the work is spread.
    pub activity: &'a Activity,
    /// How much more than by chance the votes agree.
    pub agreement: &'a [AgreementRow],
    /// Methods compared with known answers.
    pub methods: &'a [MethodRow],
    /// Models of skill.
    pub models: &'a [ModelReport],
    /// What retirement rules would have done.
    pub retirement: &'a [PollStudy],
    /// Agreed choices of survey tasks.
    pub surveys: &'a [SurveyRow],
    /// What was drawn, where something was.
    pub drawings: Option<&'a drawings::Drawings>,
    /// Ranges on light curves, scored, where some were marked.
    pub marks: Option<&'a marks::MarksInput<'a>>,
    /// What the steps of volary.toml drew.
    pub steps: &'a [StepFigure],
    /// How far each subject is.
    pub subjects: &'a [SubjectProgress],
    /// What became of the rows of the input.
    pub ingest: Option<IngestSummary>,
    /// What the volunteers were asked, by (workflow, task), where known.
    pub question_texts: BTreeMap<(String, String), String>,
}

/// One method on one question.
#[derive(Clone, Debug)]
pub(crate) struct MethodRow {
    /// Name of the method.
    pub name: String,
    /// Index into the questions.
    pub question: u32,
    /// How right it is; `None` where it gave no result.
    pub evaluation: Option<Evaluation>,
}

/// How far one subject is in one workflow.
#[derive(Clone, Debug)]
pub(crate) struct SubjectProgress {
    /// Workflow id.
    pub workflow: String,
    /// Subject id.
    #[expect(dead_code, reason = "identifies the row; the report shows only sums")]
    pub subject: String,
    /// Classifications that it has.
    pub n_classifications: u64,
    /// When it was retired, in milliseconds since 1970.
    pub retired_ms: Option<i64>,
    /// Why it was retired.
    pub reason: Option<String>,
}

impl SubjectProgress {
    /// Whether the subject is retired: a time or a reason says so.
    fn is_retired(&self) -> bool {
        self.retired_ms.is_some() || self.reason.as_ref().is_some_and(|r| !r.trim().is_empty())
    }
}

/// What became of the rows of the input.
#[derive(Clone, Debug, Default)]
pub(crate) struct IngestSummary {
    /// Rows in the input.
    pub rows_read: u64,
    /// Rows that went into the votes.
    pub rows_used: u64,
    /// Rows that did not, by reason.
    pub left_out: Vec<(String, u64)>,
    /// Classifications that repeat an earlier one.
    pub n_repeats: u64,
    /// Classifications by volunteers who were not logged in.
    pub n_not_logged_in: u64,
    /// Classifications made in beta tests or on workflows that were not live.
    pub n_beta: u64,
    /// Classifications per (workflow, version).
    pub versions: Vec<(String, String, u64)>,
    /// Problems: kind, how many, an example.
    pub problems: Vec<(String, u64, String)>,
}

/// One figure of the report.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// File name without extension, unique in the report.
    pub name: String,
    /// Heading.
    pub title: String,
    /// The picture: a whole SVG document.
    pub svg: String,
    /// What to read off it, in plain text.
    pub caption: String,
    /// How much room it takes on the page.
    pub room: Room,
}

/// How much room a figure takes on a wide screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// Half the line.
    Half,
    /// The whole line.
    Whole,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    /// A figure could not be drawn.
    #[error("figure cannot be drawn: {0}")]
    Draw(String),
}

/// A part of the page.
struct Section {
    id: &'static str,
    title: &'static str,
    /// One or two sentences in HTML.
    lead: String,
    blocks: Vec<Block>,
}

/// A piece of a section.
enum Block {
    Figure(Figure),
    /// HTML as wide as the page.
    Html(String),
    /// HTML beside a figure of half a line.
    Aside(String),
}

/// The whole page.
///
/// # Errors
/// [`ReportError::Draw`] when a figure cannot be drawn.
pub(crate) fn render(input: &ReportInput<'_>) -> Result<String, ReportError> {
    Ok(page::page(input, &sections(input)?))
}

/// The figures alone, in the order of the page.
///
/// # Errors
/// [`ReportError::Draw`] when a figure cannot be drawn.
pub(crate) fn figures(input: &ReportInput<'_>) -> Result<Vec<Figure>, ReportError> {
    let blocks = sections(input)?.into_iter().flat_map(|s| s.blocks);
    Ok(blocks
        .filter_map(|block| match block {
            Block::Figure(figure) => Some(figure),
            Block::Html(_) | Block::Aside(_) => None,
        })
        .collect())
}

fn sections(input: &ReportInput<'_>) -> Result<Vec<Section>, ReportError> {
    let all = [
        progress::section(input)?,
        answers::section(input)?,
        confusing::section(input),
        agreement::section(input)?,
        people::section(input)?,
        models::section(input)?,
        methods::section(input)?,
        retirement::section(input)?,
        surveys::section(input),
        drawings::section(input),
        input.marks.map(marks::section).transpose()?.flatten(),
        steps::section(input.steps),
        ingest::section(input),
    ];
    Ok(all.into_iter().flatten().collect())
}

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
