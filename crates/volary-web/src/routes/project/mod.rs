//! The project: what tables, images, light curves and labels there are, and the numbers that the page shows.
//!
//! Read-only but for labels and saved slices. Everything is computed where the command line computes it: the filter by
//! `volary-space`'s one parser, the boundary by its library.

pub(crate) mod boundary;
pub(crate) mod findings;
pub(crate) mod known;
pub(crate) mod labels;
pub(crate) mod machine;
pub(crate) mod slices;
pub(crate) mod sprites;
pub(crate) mod subjects;
pub(crate) mod tables;
pub(crate) mod tags;
pub(crate) mod volunteers;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use volary_space::slice::Column;

use crate::app::{App, Shared};
use crate::extract::Reader;
use crate::problem::Problem;
use crate::project::crowd::K;
use crate::project::outlook::Outlook;
use crate::project::query::kind_name;
use crate::project::table::N_CATEGORIES;
use crate::project::{Overview, Person, Project, Table};
use crate::reply::Reply;
use crate::server::blocking;
use crate::tokens::Role;

/// A column of a table.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ColumnView {
    name: String,
    /// `number`, `text` or `boolean`.
    kind: &'static str,
    /// Rows without a value.
    n_missing: u64,
    /// Smallest value of a column of numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    low: Option<f64>,
    /// Largest one.
    #[serde(skip_serializing_if = "Option::is_none")]
    high: Option<f64>,
    /// Different texts, of a column of texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    n_texts: Option<usize>,
    /// Whether its texts are few enough to colour by.
    is_category: bool,
    /// The file that it was read from: a record of a run names it among what was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// The question that it is of, where it holds the shares of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    question: Option<String>,
}

/// Two columns that make a map.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MapView {
    x: String,
    y: String,
}

/// A table.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TableView {
    name: String,
    n_rows: usize,
    columns: Vec<ColumnView>,
    /// The column that it is ranked by where nobody says another; absent where it has no score.
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<&'static str>,
    /// Maps that it holds.
    maps: Vec<MapView>,
    /// Length of its vectors; absent if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    vector_length: Option<usize>,
    /// Rows whose subject has an image.
    n_images: usize,
}

/// The project as a whole.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OverviewView {
    #[serde(skip_serializing_if = "Option::is_none")]
    n_classifications: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n_subjects: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n_retired: Option<u64>,
    n_volunteers: usize,
    /// Those with an account who voted in the last fourteen days of the record; absent below ten.
    #[serde(skip_serializing_if = "Option::is_none")]
    n_active: Option<usize>,
    /// By Panoptes' words for the reason.
    retired_by_reason: BTreeMap<String, u64>,
    /// Classifications by day.
    by_day: BTreeMap<String, u64>,
    /// Subjects retired, by day and reason.
    retired_by_day: BTreeMap<String, BTreeMap<String, u64>>,
    /// When all will be retired; absent where that cannot be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    outlook: Option<Outlook>,
}

/// What the page shows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProjectView {
    title: String,
    /// The one that opens first is the first.
    tables: Vec<TableView>,
    overview: OverviewView,
    n_images: usize,
    n_light_curves: usize,
    has_votes: bool,
    /// Whether labels can be given.
    takes_labels: bool,
    /// Whether slices can be saved.
    takes_slices: bool,
    /// Whether the asker may give them, and act on alerts and steps; absent where nobody asked, as in a copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    may_write: Option<bool>,
    /// Subjects whose answer is known.
    n_gold: usize,
    /// Subjects with tags.
    n_tagged: usize,
    /// What the folder holds and cannot be shown, a sentence each.
    left_out: Vec<String>,
}

/// Texts that are few enough to be told apart by colour.
pub(crate) fn is_category(column: &Column) -> bool {
    match column {
        Column::Number(_) => false,
        Column::Boolean(_) => true,
        Column::Text { texts, codes } => texts.len() <= N_CATEGORIES || texts.len() * 20 <= codes.len(),
    }
}

fn table_view(project: &Project, table: &Table) -> TableView {
    let view = |(name, column): (&str, &Column)| {
        let binned = table.binned(name);
        let range = binned.and_then(|b| b.range);
        ColumnView {
            name: name.to_owned(),
            kind: kind_name(column.kind()),
            n_missing: binned.map_or(0, |b| b.n_missing),
            low: range.map(|r| r.0),
            high: range.map(|r| r.1),
            n_texts: if let Column::Text { texts, .. } = column { Some(texts.len()) } else { None },
            is_category: is_category(column),
            file: table.origin(name).map(str::to_owned),
            question: table.question(name).map(str::to_owned),
        }
    };
    TableView {
        name: table.name().to_owned(),
        n_rows: table.n_rows(),
        columns: table.columns().iter().map(view).collect(),
        score: table.score(),
        maps: table.maps().into_iter().map(|[x, y]| MapView { x, y }).collect(),
        vector_length: table.vectors().map(|v| v.points.width()),
        n_images: table.ids().iter().filter(|id| project.images.contains_key(*id)).count(),
    }
}

/// What there is to look at
///
/// Tables with their columns, and how much of everything else. Empty where the server was started without a
/// project.
#[utoipa::path(get, path = "/api/v1/project", tag = "project", security(("token" = ["read"])),
    responses((status = 200, body = ProjectView)))]
pub(crate) async fn one(State(app): State<Shared>, Reader(asker): Reader) -> Result<Reply, Problem> {
    let project = app.project();
    let may_write = Some(asker.may(Role::Write));
    let view = move || ProjectView { may_write, ..project_view(&project) };
    Ok(Reply::new(&computed(view).await?))
}

/// The project as the page gets it.
pub(crate) fn project_view(project: &Project) -> ProjectView {
    let overview = &project.overview;
    ProjectView {
        title: project.title.clone(),
        tables: project.tables.iter().map(|table| table_view(project, table)).collect(),
        overview: OverviewView {
            n_classifications: overview.n_classifications,
            n_subjects: overview.n_subjects,
            n_retired: overview.n_retired,
            n_volunteers: project.people.iter().filter(|p| !p.is_anonymous).count(),
            n_active: n_active(&project.people),
            retired_by_reason: overview.retired_by_reason.clone(),
            by_day: overview.by_day.clone(),
            retired_by_day: overview.retired_by_day.clone(),
            outlook: outlook(overview),
        },
        n_images: project.images.len(),
        n_light_curves: project.curves.len(),
        has_votes: project.electorate.is_some(),
        takes_labels: project.labels.is_some(),
        takes_slices: project.slices.is_some(),
        may_write: None,
        n_gold: project.gold.len(),
        n_tagged: project.tags.len(),
        left_out: project.left_out.clone(),
    }
}

/// People who voted in the last two weeks before the last vote of all.
fn n_active(people: &[Person]) -> Option<usize> {
    const WINDOW_MS: i64 = 14 * 86_400_000;
    let last = people.iter().filter_map(|p| p.last_ms).max()?;
    let is_active = |p: &&Person| !p.is_anonymous && p.last_ms.is_some_and(|ms| ms > last - WINDOW_MS);
    Some(people.iter().filter(is_active).count()).filter(|n| *n >= K)
}

fn outlook(overview: &Overview) -> Option<Outlook> {
    let n_left = overview.n_subjects?.saturating_sub(overview.n_retired?);
    Outlook::of(n_left, &overview.by_day, &overview.retired_by_day)
}

/// Runs what computes beside the threads that answer.
pub(crate) async fn computed<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    blocking(work).await.ok_or_else(|| Problem::failed("a computation for the page failed"))
}

/// A table that is asked for, and the project that it is of: both stay as they are while an answer is made.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) project: Arc<Project>,
    at: usize,
}

impl Asked {
    pub(crate) fn table(&self) -> &Table {
        &self.project.tables[self.at]
    }
}

/// The table of a name.
pub(crate) fn table_of(app: &App, name: &str) -> Result<Asked, Problem> {
    let project = app.project();
    let tables = &project.tables;
    let at = tables.iter().position(|table| table.name() == name).ok_or_else(|| {
        let names: Vec<&str> = tables.iter().map(Table::name).collect();
        Problem::not_found(match names.as_slice() {
            [] => "this server has no project; start it as `volary serve DIR`".to_owned(),
            names => format!("there is no such table; there are {}", names.join(", ")),
        })
    })?;
    Ok(Asked { project, at })
}
