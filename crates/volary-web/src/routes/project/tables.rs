//! Tables: their columns as Arrow, what a predicate selects, and rows to read.

use std::collections::{BTreeMap, HashMap, HashSet};

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use volary_space::neighbours::{Metric, Queries, exact};
use volary_space::slice::{Column, Mask, Table as _};

use super::{Asked, computed, table_of};
use crate::app::Shared;
use crate::extract::{Body, Id, Params, Reader};
use crate::problem::Problem;
use crate::project::query::{self, Found, Query, RegionBody, Which, no_column};
use crate::project::{Project, Table, expert, unsure, wire};
use crate::reply::Reply;

/// Rows that are sent at once.
const MAX_ROWS: usize = 1_000;
/// Neighbours that are sent at once.
const MAX_K: usize = 200;

/// Arrow with its tag.
pub(crate) fn arrow(stream: Result<wire::Stream, impl std::fmt::Display>) -> Result<Response, Problem> {
    let stream = stream.map_err(|error| Problem::failed(format!("writing Arrow failed: {error}")))?;
    let tag = HeaderValue::from_str(&stream.etag()).expect("hexadecimal is a header value");
    let kind = HeaderValue::from_static(wire::ARROW_STREAM);
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::ETAG, tag),
        // The page sets memory aside, and sees where a stream broke off.
        (header::CONTENT_LENGTH, HeaderValue::from(stream.len())),
    ];
    Ok((headers, stream.into_body()).into_response())
}

/// A column
///
/// As an Arrow stream with one batch: numbers as 32-bit floats, or as 64-bit ones where these are needed to tell them
/// apart (missing is NaN), texts as a dictionary. Its metadata hold `n_rows`.
#[utoipa::path(get, path = "/api/v1/tables/{id}/columns/{name}", tag = "project", security(("token" = ["read"])),
    params(("id" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/vnd.apache.arrow.stream"),
    (status = 400, body = crate::problem::ProblemDocument),
    (status = 404, body = crate::problem::ProblemDocument)))]
pub(crate) async fn column(
    State(app): State<Shared>,
    _: Reader,
    Path((id, name)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let of = table_of(&app, &id)?;
    let made = computed(move || {
        let table = of.table();
        let column = table.columns().column(&name).ok_or_else(|| no_column(table, &name))?;
        Ok::<_, Problem>(wire::column(&name, column))
    });
    arrow(made.await??)
}

/// What a predicate selects
///
/// Counts, histograms and the rows as bits, of a filter and a region together. It changes nothing; it is a POST
/// because predicates outgrow a URL.
#[utoipa::path(post, path = "/api/v1/tables/{id}/query", tag = "project", security(("token" = ["read"])),
    params(("id" = String, Path)), request_body = Query, responses((status = 200, body = Found),
    (status = 400, body = crate::problem::ProblemDocument, description = "The filter is none; where, is said."),
    (status = 404, body = crate::problem::ProblemDocument),
    (status = 422, body = crate::problem::ProblemDocument)))]
pub(crate) async fn query(
    State(app): State<Shared>,
    _: Reader,
    Id(id): Id,
    body: Body,
) -> Result<Reply, Problem> {
    let of = table_of(&app, &id)?;
    let asked: Query = body.read()?;
    let answer = computed(move || query::answer(&of.project, of.table(), &asked)).await??;
    Ok(Reply::new(&answer))
}

/// Which rows are wanted, and what of them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RowsQuery {
    /// As in a query.
    filter: Option<String>,
    /// As in a query.
    region: Option<RegionBody>,
    /// These rows and no others, in this order; filter and region are not looked at then.
    rows: Option<Vec<u32>>,
    /// A column to sort by, with `-` before it the largest first; missing values come last. `random(SEED)` mixes the
    /// rows, the same way for the same seed; `unseen(QUESTION)` puts those first whose vectors lie furthest from
    /// everything that has a label on the question; `unsure(QUESTION)` or `unsure(QUESTION, SEED)` puts those first of
    /// which a learner, taught by the labels on the question, is least sure whether they would get 3 or more.
    sort: Option<String>,
    /// Rows whose subject has a label on this question come last.
    labelled_last: Option<String>,
    /// Rows to leave out at the beginning.
    #[serde(default)]
    offset: usize,
    /// Rows at most, up to 1000; 100 if absent.
    limit: Option<usize>,
    /// Columns that are wanted; all if absent.
    columns: Option<Vec<String>>,
}

/// A row.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RowView {
    /// Its place in the table, from 0.
    row: usize,
    subject_id: String,
    has_image: bool,
    has_light_curve: bool,
    /// The workflow in which volunteers saw it last; absent where its votes were not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow_id: Option<String>,
    /// Numbers, texts, true and false; null where there is no value.
    #[schema(value_type = Object)]
    values: BTreeMap<String, Value>,
}

/// Some rows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RowsView {
    /// Rows that are meant, of which these are a part.
    n: usize,
    rows: Vec<RowView>,
}

/// The value of a column in a row.
pub(crate) fn value(column: &Column, row: usize) -> Value {
    match column {
        Column::Number(values) => json!(values.get(row).filter(|v| v.is_finite())),
        Column::Boolean(values) => json!(values.get(row).copied().flatten()),
        Column::Text { .. } => json!(column.text_at(row)),
    }
}

/// Rows to read
///
/// The rows that a predicate selects, sorted, a part at a time.
#[utoipa::path(post, path = "/api/v1/tables/{id}/rows", tag = "project", security(("token" = ["read"])),
    params(("id" = String, Path)), request_body = RowsQuery, responses((status = 200, body = RowsView),
    (status = 400, body = crate::problem::ProblemDocument),
    (status = 404, body = crate::problem::ProblemDocument),
    (status = 409, body = crate::problem::ProblemDocument, description = "Too few labels to learn from."),
    (status = 422, body = crate::problem::ProblemDocument)))]
pub(crate) async fn rows(
    State(app): State<Shared>,
    _: Reader,
    Id(id): Id,
    body: Body,
) -> Result<Reply, Problem> {
    let of = table_of(&app, &id)?;
    let asked: RowsQuery = body.read()?;
    let view = move || -> Result<RowsView, Problem> {
        let (project, table) = (&of.project, of.table());
        let limit = asked.limit.unwrap_or(100);
        if limit > MAX_ROWS || asked.rows.as_ref().is_some_and(|rows| rows.len() > MAX_ROWS) {
            return Err(Problem::unprocessable(format!(
                "{MAX_ROWS} rows at most come at once; ask in parts"
            )));
        }
        let (n, wanted) = match &asked.rows {
            Some(rows) => {
                let rows: Vec<usize> = rows.iter().map(|row| *row as usize).collect();
                if let Some(beyond) = rows.iter().find(|row| **row >= table.n_rows()) {
                    let detail = format!("there is no row {beyond}; the table has {}", table.n_rows());
                    return Err(Problem::unprocessable(detail));
                }
                (rows.len(), rows)
            }
            None => {
                let which = Which { filter: asked.filter.clone(), region: asked.region.clone() };
                let chosen = which.choose(project, table)?.selected;
                let mut sorted = match order(asked.sort.as_deref()) {
                    Order::Column(sort) => sorted(table, &chosen, sort)?,
                    Order::Random(seed) => mixed(&chosen, seed),
                    Order::Unsure(question, seed) => unsure::order(
                        table,
                        &chosen,
                        &expert::values(project.labels.as_ref(), question),
                        seed,
                    )?,
                    Order::Unseen(question) => unseen(table, &chosen, &labelled(project, question))?,
                };
                if let Some(question) = &asked.labelled_last {
                    let known = labelled(project, question);
                    sorted.sort_by_key(|row| known.contains(&table.ids()[*row]));
                }
                (sorted.len(), sorted.into_iter().skip(asked.offset).take(limit).collect())
            }
        };
        let columns: Vec<(&str, &Column)> = match &asked.columns {
            None => table.columns().iter().collect(),
            Some(names) => names
                .iter()
                .map(|name| {
                    let column = table.columns().column(name).ok_or_else(|| no_column(table, name))?;
                    Ok((name.as_str(), column))
                })
                .collect::<Result<_, Problem>>()?,
        };
        let electorate = project.electorate.as_ref();
        let workflow = |id: &str| electorate.and_then(|e| e.workflow(id)).map(str::to_owned);
        let row = |row: usize| RowView {
            row,
            subject_id: table.ids()[row].clone(),
            has_image: project.images.contains_key(&table.ids()[row]),
            has_light_curve: project.curves.contains_key(&table.ids()[row]),
            workflow_id: workflow(&table.ids()[row]),
            values: columns.iter().map(|(name, c)| ((*name).to_owned(), value(c, row))).collect(),
        };
        Ok(RowsView { n, rows: wanted.into_iter().map(row).collect() })
    };
    Ok(Reply::new(&computed(view).await??))
}

/// What rows are sorted by.
enum Order<'a> {
    /// A column, or nothing.
    Column(Option<&'a str>),
    /// A seed.
    Random(u64),
    /// The distance to what has a label on a question.
    Unseen(&'a str),
    /// What a learner, taught by the labels on a question, is least sure of; with the seed of its components.
    Unsure(&'a str, u64),
}

fn order(sort: Option<&str>) -> Order<'_> {
    let inside = |name: &str| sort?.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
    if let Some(inside) = inside("unsure") {
        let with_seed =
            inside.rsplit_once(',').and_then(|(q, seed)| Some((q.trim(), seed.trim().parse().ok()?)));
        let (question, seed) = with_seed.unwrap_or((inside, unsure::SEED));
        return Order::Unsure(question, seed);
    }
    match (inside("random").and_then(|seed| seed.parse().ok()), inside("unseen")) {
        (Some(seed), _) => Order::Random(seed),
        (None, Some(question)) => Order::Unseen(question),
        (None, None) => Order::Column(sort),
    }
}

/// Subjects with a label on a question.
fn labelled(project: &Project, question: &str) -> HashSet<String> {
    let labels = project.labels.as_ref().map(|labels| labels.current()).unwrap_or_default();
    labels.into_iter().filter(|l| l.question == question).map(|l| l.subject_id).collect()
}

/// Rows in an order that only the seed decides: each by the digest of both.
fn mixed(mask: &Mask, seed: u64) -> Vec<usize> {
    let digest = |row: &usize| {
        *blake3::hash(&[seed.to_le_bytes(), (*row as u64).to_le_bytes()].concat()).as_bytes()
    };
    let mut rows: Vec<([u8; 32], usize)> = mask.rows().map(|row| (digest(&row), row)).collect();
    rows.sort_unstable();
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Rows by their distance to the nearest labelled one, the furthest first; those that are labelled, and those without
/// a vector, come last.
fn unseen(table: &Table, mask: &Mask, known: &HashSet<String>) -> Result<Vec<usize>, Problem> {
    let no_vectors = || {
        let detail = "the table has no vectors to tell what is different; sort by a column, or join vectors with \
                      `volary serve --with`";
        Problem::unprocessable(detail)
    };
    let vectors = table.vectors().ok_or_else(no_vectors)?;
    let is_known = |row: usize| known.contains(&table.ids()[row]);
    let among = Mask::of(vectors.rows.len(), |point| is_known(vectors.rows[point]));
    let rows: Vec<usize> = mask.rows().collect();
    if among.count() == 0 {
        return Ok(rows);
    }
    let (points, asked): (Vec<usize>, Vec<usize>) = rows
        .iter()
        .filter(|row| !is_known(**row))
        .filter_map(|&row| Some((vectors.point_of(row)?, row)))
        .unzip();
    let mut distance: HashMap<usize, f32> = HashMap::new();
    if !points.is_empty() {
        let found = exact(&vectors.points, Queries::Rows(&points), 1, Metric::Euclidean, Some(&among));
        let found = found.map_err(|error| Problem::unprocessable(error.to_string()))?;
        distance.extend(asked.iter().enumerate().map(|(at, row)| (*row, found.distances(at)[0])));
    }
    let of = |row: &usize| distance.get(row).copied().unwrap_or(f32::NEG_INFINITY);
    let mut out = rows;
    out.sort_by(|a, b| of(b).total_cmp(&of(a)));
    Ok(out)
}

/// Rows of a mask by a column; equal ones, and those without a value, in the order of the table.
fn sorted(table: &Table, mask: &Mask, sort: Option<&str>) -> Result<Vec<usize>, Problem> {
    let mut rows: Vec<usize> = mask.rows().collect();
    let Some(sort) = sort else { return Ok(rows) };
    let (name, is_down) = sort.strip_prefix('-').map_or((sort, false), |name| (name, true));
    match table.columns().column(name).ok_or_else(|| no_column(table, name))? {
        Column::Number(values) => rows.sort_by(|a, b| {
            let (a, b) = (values[*a], values[*b]);
            let order = if is_down { b.total_cmp(&a) } else { a.total_cmp(&b) };
            a.is_nan().cmp(&b.is_nan()).then(order)
        }),
        column @ Column::Text { .. } => {
            let key = |row: usize| column.text_at(row);
            rows.sort_by(|a, b| {
                let (a, b) = (key(*a), key(*b));
                a.is_none().cmp(&b.is_none()).then(if is_down { b.cmp(&a) } else { a.cmp(&b) })
            });
        }
        Column::Boolean(values) => rows.sort_by_key(|row| match values[*row] {
            None => 2,
            Some(value) => u8::from(value != is_down),
        }),
    }
    Ok(rows)
}

/// Whose neighbours.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct NeighbourParams {
    /// The subject.
    subject_id: String,
    /// How many, up to 200; 12 if absent.
    k: Option<usize>,
    /// Only among the rows that this filter selects.
    filter: Option<String>,
}

/// A neighbour.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NeighbourView {
    row: usize,
    subject_id: String,
    has_image: bool,
    /// Euclidean, in the space of the vectors.
    distance: f64,
}

/// The nearest.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NeighboursView {
    /// Nearest first; the subject itself is not among them.
    neighbours: Vec<NeighbourView>,
    /// Why there are none, where the subject has no vector in this table.
    why_none: Option<&'static str>,
}

/// The nearest subjects
///
/// By the vectors of the table, exactly; a filter says who may be a neighbour (a high consensus in a class, say).
#[utoipa::path(get, path = "/api/v1/tables/{id}/neighbours", tag = "project", security(("token" = ["read"])),
    params(("id" = String, Path), NeighbourParams), responses((status = 200, body = NeighboursView),
    (status = 400, body = crate::problem::ProblemDocument),
    (status = 404, body = crate::problem::ProblemDocument, description = "No such table or subject.")))]
pub(crate) async fn neighbours(
    State(app): State<Shared>,
    _: Reader,
    Id(id): Id,
    Params(params): Params<NeighbourParams>,
) -> Result<Reply, Problem> {
    let of = table_of(&app, &id)?;
    let found = computed(move || nearest(&of, &params)).await??;
    Ok(Reply::new(&found))
}

fn nearest(of: &Asked, params: &NeighbourParams) -> Result<NeighboursView, Problem> {
    let (project, table, k) = (&of.project, of.table(), params.k.unwrap_or(12));
    if !(1..=MAX_K).contains(&k) {
        return Err(Problem::bad_request(format!("k is {k}; use 1 to {MAX_K}")));
    }
    let subject =
        table.row_of(&params.subject_id).ok_or_else(|| Problem::not_found("no such subject"))?;
    let Some((vectors, row)) = table.vectors().and_then(|v| Some((v, v.point_of(subject)?))) else {
        const WHY: &str = "the subject has no vector in this table; `volary score` makes vectors, and `volary serve \
                           --with` joins them";
        return Ok(NeighboursView { neighbours: Vec::new(), why_none: Some(WHY) });
    };
    let which = Which { filter: params.filter.clone(), region: None };
    let among = which.choose(project, table)?.passing;
    let mask = Mask::of(vectors.rows.len(), |point| among.contains(vectors.rows[point]));
    let n_others = mask.count() - usize::from(mask.contains(row));
    if n_others == 0 {
        return Ok(NeighboursView { neighbours: Vec::new(), why_none: None });
    }
    let found = exact(&vectors.points, Queries::Rows(&[row]), k, Metric::Euclidean, Some(&mask));
    let found = found.map_err(|error| Problem::unprocessable(error.to_string()))?;
    let view = |(point, distance): (&u32, &f32)| {
        let row = vectors.rows[*point as usize];
        let subject_id = table.ids()[row].clone();
        let has_image = project.images.contains_key(&subject_id);
        NeighbourView { row, subject_id, has_image, distance: f64::from(*distance) }
    };
    let neighbours = found.rows(0).iter().zip(found.distances(0)).map(view).collect();
    Ok(NeighboursView { neighbours, why_none: None })
}
