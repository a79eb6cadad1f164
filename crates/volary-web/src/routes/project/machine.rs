//! A machine's probabilities beside what volunteers say: how often they say yes where it does.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use volary_crowd::interval::{jeffreys, wilson};

use super::{computed, table_of};
use crate::app::Shared;
use crate::extract::{Body, Id, Reader};
use crate::problem::Problem;
use crate::project::drift::{self, Drift};
use crate::project::query::{Which, no_column};
use crate::project::{Project, Table};
use crate::reply::Reply;

/// Bins of the probabilities.
const N_BINS: usize = 10;
const LEVEL: f64 = 0.95;

/// What is compared.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MachineQuery {
    /// The machine's column, 0 to 1, such as `predicted(ring)`.
    machine: String,
    /// The volunteers' column, 0 to 1, such as `consensus(ring)`.
    crowd: String,
    /// Only these rows.
    filter: Option<String>,
}

/// A range of the machine's probabilities.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MachineBin {
    low: f64,
    high: f64,
    /// Subjects.
    n: u64,
    /// Those of them for which more than half of the volunteers said yes.
    n_yes: u64,
    /// Share of yes; absent without subjects.
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<f64>,
    /// Jeffreys' interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    share_low: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    share_high: Option<f64>,
}

/// How a machine and the volunteers agree.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MachineView {
    /// Level of the intervals.
    level: f64,
    bins: Vec<MachineBin>,
    /// Subjects with both.
    n: u64,
    /// Subjects on which both say yes, or both no.
    n_agree: u64,
    /// Wilson's interval of their share.
    #[serde(skip_serializing_if = "Option::is_none")]
    agree_low: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agree_high: Option<f64>,
    /// The last week of the votes beside the weeks before it; absent where that says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<Drift>,
}

/// A machine and the volunteers
///
/// In each tenth of the machine's probabilities, the share of subjects for which more than half of the volunteers
/// said yes. Where the intervals leave the tenths, the machine is too sure, or not sure enough, or the volunteers are
/// shown other things than it learned from. Beside it whether they agree in the last week of the votes as in the weeks
/// before.
#[utoipa::path(post, path = "/api/v1/tables/{id}/machine", tag = "project", security(("token" = ["read"])),
    params(("id" = String, Path)), request_body = MachineQuery, responses((status = 200, body = MachineView),
    (status = 400, body = crate::problem::ProblemDocument),
    (status = 404, body = crate::problem::ProblemDocument)))]
pub(crate) async fn machine(
    State(app): State<Shared>,
    _: Reader,
    Id(id): Id,
    body: Body,
) -> Result<Reply, Problem> {
    let of = table_of(&app, &id)?;
    let asked: MachineQuery = body.read()?;
    Ok(Reply::new(&computed(move || compared(&of.project, of.table(), &asked)).await??))
}

fn compared(project: &Project, table: &Table, asked: &MachineQuery) -> Result<MachineView, Problem> {
    let numbers = |name: &str| table.numbers(name).ok_or_else(|| no_column(table, name));
    let (machine, crowd) = (numbers(&asked.machine)?, numbers(&asked.crowd)?);
    let which = Which { filter: asked.filter.clone(), region: None };
    let chosen = which.choose(project, table)?.selected;
    let mut counts = [(0_u64, 0_u64); N_BINS];
    let mut n_agree = 0;
    let mut dated = Vec::new();
    let last_ms = |row: usize| {
        let electorate = project.electorate.as_ref()?;
        let subject = electorate.subject(&table.ids()[row])?;
        Some(electorate.last_ms[subject as usize]).filter(|ms| *ms != i64::MIN)
    };
    for row in chosen.rows() {
        let (p, share) = (machine[row], crowd[row]);
        if !(0.0..=1.0).contains(&p) || !(0.0..=1.0).contains(&share) {
            continue;
        }
        let is_yes = share > 0.5;
        let bin = &mut counts[((p * N_BINS as f64) as usize).min(N_BINS - 1)];
        bin.0 += 1;
        bin.1 += u64::from(is_yes);
        let agrees = is_yes == (p > 0.5);
        n_agree += u64::from(agrees);
        dated.extend(last_ms(row).map(|ms| (ms, agrees)));
    }
    let bin = |(at, &(n, n_yes)): (usize, &(u64, u64))| {
        let interval = (n > 0).then(|| jeffreys(n_yes as f64, n as f64, LEVEL));
        MachineBin {
            low: at as f64 / N_BINS as f64,
            high: (at + 1) as f64 / N_BINS as f64,
            n,
            n_yes,
            share: (n > 0).then(|| n_yes as f64 / n as f64),
            share_low: interval.map(|i| i.low),
            share_high: interval.map(|i| i.high),
        }
    };
    let n: u64 = counts.iter().map(|c| c.0).sum();
    let agree = (n > 0).then(|| wilson(n_agree as f64, n as f64, LEVEL));
    Ok(MachineView {
        level: LEVEL,
        n,
        bins: counts.iter().enumerate().map(bin).collect(),
        n_agree,
        agree_low: agree.map(|i| i.low),
        agree_high: agree.map(|i| i.high),
        drift: drift::of(dated),
    })
}
