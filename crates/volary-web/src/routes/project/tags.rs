//! What subjects are called: tags of Talk, and those that were given in the page.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{computed, table_of};
use crate::app::Shared;
use crate::extract::{Id, Reader};
use crate::problem::Problem;
use crate::project::{Project, TAG};
use crate::reply::Reply;

/// Rows that are named of one tag at most.
const MAX_ROWS: usize = 5_000;
/// Tags that are listed at most, the most frequent first.
const MAX_TAGS: usize = 200;

/// A tag.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TagView {
    name: String,
    /// Subjects of the table that it was given.
    n: usize,
    /// Their rows, the first 5000.
    rows: Vec<u32>,
}

/// The tags of a table's subjects.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TagsView {
    /// The most frequent first, 200 at most.
    tags: Vec<TagView>,
    /// All of them.
    n_tags: usize,
}

/// Tags of a subject, in the order of their names.
pub(crate) fn tags_of(project: &Project, subject: &str) -> Vec<String> {
    let mut out: BTreeSet<String> =
        project.tags.get(subject).into_iter().flatten().map(|tag| tag.to_lowercase()).collect();
    let labels = project.labels.as_ref().map(|labels| labels.current()).unwrap_or_default();
    let given = labels.iter().filter(|l| l.subject_id == subject);
    out.extend(given.filter_map(|l| Some(l.question.strip_prefix(TAG)?.to_owned())));
    out.into_iter().collect()
}

/// What subjects are called
///
/// Tags of Talk (`volary tags` in the project's folder) and those that were given in the page, with the rows of this
/// table that have them.
#[utoipa::path(get, path = "/api/v1/tables/{id}/tags", tag = "project", security(("token" = ["read"])),
    params(("id" = String, Path)), responses((status = 200, body = TagsView),
    (status = 404, body = crate::problem::ProblemDocument)))]
pub(crate) async fn tags(State(app): State<Shared>, _: Reader, Id(id): Id) -> Result<Reply, Problem> {
    let of = table_of(&app, &id)?;
    let view = move || {
        let (project, table) = (&of.project, of.table());
        let mut rows: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
        for (subject, tags) in project.called() {
            let Some(row) = table.row_of(&subject) else { continue };
            tags.into_iter().for_each(|tag| _ = rows.entry(tag).or_default().insert(row as u32));
        }
        let n_tags = rows.len();
        let mut tags: Vec<TagView> = rows
            .into_iter()
            .map(|(name, rows)| TagView {
                name,
                n: rows.len(),
                rows: rows.into_iter().take(MAX_ROWS).collect(),
            })
            .collect();
        tags.sort_by(|a, b| b.n.cmp(&a.n).then_with(|| a.name.cmp(&b.name)));
        tags.truncate(MAX_TAGS);
        TagsView { tags, n_tags }
    };
    Ok(Reply::new(&computed(view).await?))
}
