//! The event stream: what is told, as it is told, and from where a listener left off.
//!
//! Each event has the number of its place in the order of telling. A listener that comes back with
//! `Last-Event-ID` gets what it missed out of the store, then what is new, each once. A listener that falls
//! behind is served out of the store too.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use utoipa::IntoParams;
use volary_live::store::Told;

use super::time;
use crate::app::{App, Shared};
use crate::extract::{Params, Reader};
use crate::problem::Problem;
use crate::server::stopped;
use crate::tokens::Role;

/// To a listener that cannot go on from where it was: it asks for everything anew.
const RESET: &str = "event: reset\ndata: {}\n\n";
const TOPICS: [&str; 3] = ["alerts", "subjects", "jobs"];
/// Events read out of the store at a time.
const CHUNK: u32 = 256;

/// What to listen to.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StreamParams {
    /// `alerts`, `subjects`, `jobs`, or several with commas; all if absent.
    topics: Option<String>,
}

#[derive(Clone, Copy)]
struct Wanted {
    alerts: bool,
    subjects: bool,
    jobs: bool,
    voters: bool,
}

/// Listen
///
/// Server-sent events: `alert.created`, `alert.updated`, `subject.retired`, `subject.updated`; and
/// `job.progress`, four times a second at most, which has no number. `Last-Event-ID` resumes; without it the stream
/// begins now. `reset` says that it cannot go on from there, and everything is to be asked for anew.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", security(("token" = ["read"])),
    params(StreamParams, ("last-event-id" = Option<String>, Header, description = "Number of the last event that was seen.")),
    responses((status = 200, body = String, content_type = "text/event-stream"),
    (status = 503, body = crate::problem::ProblemDocument, description = "Too many are listening.")))]
pub(crate) async fn stream(
    State(app): State<Shared>,
    Reader(asker): Reader,
    Params(params): Params<StreamParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let voters = asker.may(Role::Admin);
    let mut wanted = Wanted { alerts: true, subjects: true, jobs: true, voters };
    if let Some(topics) = &params.topics {
        let named: Vec<&str> = topics.split(',').map(str::trim).collect();
        if let Some(other) = named.iter().find(|name| !TOPICS.contains(name)) {
            let other: String = other.chars().take(40).collect();
            return Err(Problem::bad_request(format!(
                "there is no topic {other:?}; use {}",
                TOPICS.join(", ")
            )));
        }
        let is_named = |topic: &str| named.contains(&topic);
        (wanted.alerts, wanted.subjects, wanted.jobs) =
            (is_named("alerts"), is_named("subjects"), is_named("jobs"));
    }
    let last = match headers.get("last-event-id") {
        None => None,
        Some(said) => {
            let number = said.to_str().ok().and_then(|text| text.trim().parse::<i64>().ok());
            let wrong = || Problem::bad_request("Last-Event-ID is a number that this stream gave out");
            Some(number.filter(|n| *n >= 0).ok_or_else(wrong)?)
        }
    };
    let place = Arc::clone(&app.streams)
        .try_acquire_owned()
        .map_err(|_| Problem::busy("as many are listening as may; try again later").retry_after_s(5))?;
    app.metrics.add("volary_streams_total", String::new(), 1);
    // Before the store is asked, so that nothing falls between.
    let told = app.live.told();
    let (to, lines) = mpsc::channel(64);
    tokio::spawn(async move {
        // Ends when the listener has gone, the store has stopped or the server stops.
        let _ = tell(&app, told, last, wanted, &to).await;
        drop(place);
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    Ok((headers, Body::from_stream(ReceiverStream::new(lines))).into_response())
}

type To = mpsc::Sender<Result<String, Infallible>>;

/// The listener has gone, or there is nothing more to tell.
struct Over;

async fn tell(
    app: &App,
    mut told: broadcast::Receiver<Arc<Told>>,
    last: Option<i64>,
    wanted: Wanted,
    to: &To,
) -> Result<(), Over> {
    let mut jobs = app.jobs.told();
    send(to, ": listening\n\n".to_owned()).await?;
    let mut seen = match last {
        Some(last) if is_known(app, last).await? => catch_up(app, last, wanted, to).await?,
        // Another store, or one that begins later: what the listener has is of no use here.
        Some(_) => {
            send(to, RESET.to_owned()).await?;
            i64::MIN
        }
        None => i64::MIN,
    };
    loop {
        let heard = tokio::select! {
            () = stopped(app) => return Err(Over),
            () = to.closed() => return Err(Over),
            Ok(job) = jobs.recv(), if wanted.jobs => {
                send(to, format!("event: job.progress\ndata: {job}\n\n")).await?;
                continue;
            }
            heard = tokio::time::timeout(app.settings.heartbeat, told.recv()) => heard,
        };
        match heard {
            Err(_) => send(to, ": still here\n\n".to_owned()).await?,
            Ok(Ok(one)) if one.seq > seen => {
                seen = one.seq;
                if let Some(text) = text(&one, wanted) {
                    send(to, text).await?;
                }
            }
            Ok(Ok(_)) => {}
            Ok(Err(RecvError::Lagged(_))) if seen >= 0 => {
                seen = seen.max(catch_up(app, seen, wanted, to).await?);
            }
            Ok(Err(RecvError::Lagged(_))) => {
                send(to, RESET.to_owned()).await?;
            }
            Ok(Err(RecvError::Closed)) => return Err(Over),
        }
    }
}

/// Whether this store gave a number out: one from before it began is known, a later one that it does not hold is not.
async fn is_known(app: &App, last: i64) -> Result<bool, Over> {
    if last == 0 {
        return Ok(true);
    }
    let Ok(found) = app.live.told_after(last - 1, 1).await else { return Err(Over) };
    Ok(found.first().is_some_and(|one| one.seq == last))
}

/// Tells what came after `last`, out of the store; gives the number of the last one told.
async fn catch_up(app: &App, mut last: i64, wanted: Wanted, to: &To) -> Result<i64, Over> {
    loop {
        let Ok(missed) = app.live.told_after(last, CHUNK).await else { return Err(Over) };
        let Some(newest) = missed.last() else { return Ok(last) };
        last = newest.seq;
        for one in &missed {
            if let Some(text) = text(one, wanted) {
                send(to, text).await?;
            }
        }
    }
}

async fn send(to: &To, text: String) -> Result<(), Over> {
    to.send(Ok(text)).await.map_err(|_| Over)
}

/// An event as it goes over the wire; nothing if it is not wanted.
fn text(told: &Told, wanted: Wanted) -> Option<String> {
    let mut body: Value = serde_json::from_str(&told.body).ok()?;
    let object = body.as_object_mut()?;
    let effect = object.remove("effect")?;
    let (name, is_alert) = match effect.as_str()? {
        "alert" => ("alert.created", true),
        "support_lost" => ("alert.updated", true),
        "retired" => ("subject.retired", false),
        "by_hand" if object.get("retired") == Some(&Value::Bool(true)) => ("subject.retired", false),
        _ => ("subject.updated", false),
    };
    if !(if is_alert { wanted.alerts } else { wanted.subjects }) {
        return None;
    }
    if !wanted.voters {
        object.remove("voters");
    }
    object.insert("change".into(), effect);
    object.insert("told_at".into(), time(told.at_ms).into());
    // JSON has no line breaks, so the data is one line.
    Some(format!("id: {}\nevent: {name}\ndata: {body}\n\n", told.seq))
}
