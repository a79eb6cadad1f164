//! What is asked of a subject, and what is known of it: told to who has answered, and to nobody before.

use std::collections::{BTreeMap, HashMap};

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::computed;
use crate::app::Shared;
use crate::extract::{Id, Reader};
use crate::problem::Problem;
use crate::project::Project;
use crate::project::questions::QuestionTree;
use crate::reply::Reply;

/// The question of a label where no workflow says what is asked.
const CLASS: &str = "class";

/// The workflows' questions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TreesView {
    /// A workflow each, in the order of their ids; none where the project has no export of its workflows.
    trees: Vec<QuestionTree>,
}

/// What is asked
///
/// The questions of the project's workflows, and which of them follows which answer.
#[utoipa::path(get, path = "/api/v1/project/questions", tag = "project", security(("token" = ["read"])),
    responses((status = 200, body = TreesView)))]
pub(crate) async fn questions(State(app): State<Shared>, _: Reader) -> Reply {
    Reply::new(&TreesView { trees: app.project().questions.clone() })
}

/// Where a signal is known to lie in a light curve.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignalView {
    from_days: f64,
    to_days: f64,
    /// Put there by a simulation; else real.
    is_injected: bool,
}

/// What is known of a subject.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct KnownView {
    /// Whether the asker has answered all that is asked of the subject. Until then nothing is told, not even whether
    /// anything is known.
    is_answered: bool,
    /// Its known answers, by task; absent where none is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gold: Option<BTreeMap<String, String>>,
    /// Known signals of its light curve.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) signals: Vec<SignalView>,
}

/// What may be told of a subject to somebody: what is on disk of what they said decides.
pub(crate) fn known(project: &Project, subject: &str, by: &str) -> KnownView {
    if !has_answered(project, subject, by) {
        return KnownView::default();
    }
    let signals = project.signals.get(subject).into_iter().flatten();
    KnownView {
        is_answered: true,
        gold: project.gold.get(subject).cloned(),
        signals: signals
            .map(|s| SignalView {
                from_days: s.from_days,
                to_days: s.to_days,
                is_injected: s.is_injected,
            })
            .collect(),
    }
}

fn has_answered(project: &Project, subject: &str, by: &str) -> bool {
    let said = project.labels.as_ref().map(|labels| labels.of(subject, by)).unwrap_or_default();
    let said: HashMap<&str, &str> =
        said.iter().filter_map(|l| Some((l.question.as_str(), l.value.as_deref()?))).collect();
    let is_through =
        |tree: &QuestionTree| said.contains_key(tree.first.as_str()) && tree.open(&said).is_none();
    if project.questions.is_empty() {
        return said.contains_key(CLASS);
    }
    // What was asked of volunteers is asked; of a subject that they never saw, whatever is asked anywhere.
    let workflow = project.electorate.as_ref().and_then(|e| e.workflow(subject));
    match project.questions.iter().find(|tree| workflow == Some(tree.workflow_id.as_str())) {
        Some(tree) => is_through(tree),
        None => project.questions.iter().any(is_through),
    }
}

/// What is known of a subject
///
/// Its known answers, and where signals are known to lie in its light curve: told to whoever has answered all that is
/// asked of it, and is on disk.
#[utoipa::path(get, path = "/api/v1/project/subjects/{id}/known", tag = "project", security(("token" = ["read"])),
    params(("id" = String, Path)), responses((status = 200, body = KnownView)))]
pub(crate) async fn one(
    State(app): State<Shared>,
    Reader(asker): Reader,
    Id(id): Id,
) -> Result<Reply, Problem> {
    let by = asker.0.as_ref().map(|token| token.id.clone()).unwrap_or_default();
    Ok(Reply::new(&computed(move || known(&app.project(), &id, &by)).await?))
}
