//! Asks a Panoptes-compatible API for classifications since the last id.
//!
//! The last id is written in the same transaction as the classifications, so that a crash loses none. Ids
//! are handed out before classifications become visible, so one may show up behind a later one; each round
//! therefore begins a little before the last id, and what is known already is passed over.

use std::time::Duration;

use volary_live::store::Heard;
use volary_live::{Event, Kind, LiveError, incoming};

use crate::app::{App, Shared};
use crate::outgoing::Target;
use crate::routes::classifications::count;
use crate::server::{blocking, pause};

/// Largest page in bytes.
const MAX_PAGE_BYTES: u64 = 32 << 20;
/// Longest wait after failures, as a multiple of the first.
const MAX_FACTOR: u32 = 256;

/// An API to ask.
#[derive(Clone, Debug)]
pub struct Poll {
    /// Its base, `https://www.zooniverse.org/api`.
    pub base: Target,
    /// The project.
    pub project: String,
    /// Only this workflow.
    pub workflow: Option<String>,
    /// Sent as a bearer token.
    pub token: Option<PollToken>,
    /// How long to wait when nothing is new.
    pub interval: Duration,
    /// How many ids before the last one to ask again.
    pub overlap: u64,
    /// Classifications a page; Panoptes gives at most 100.
    pub page_size: u32,
}

/// A token that does not print.
#[derive(Clone)]
pub struct PollToken(String);

impl PollToken {
    /// Of a text, without the blanks around it.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }
}

impl std::fmt::Debug for PollToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PollToken(…)")
    }
}

impl Poll {
    /// Of a project, with the usual settings: every 30 seconds, 100 a page, 100 ids again.
    #[must_use]
    pub fn new(base: Target, project: &str) -> Self {
        Self {
            base,
            project: project.to_owned(),
            workflow: None,
            token: None,
            interval: Duration::from_secs(30),
            overlap: 100,
            page_size: 100,
        }
    }

    /// Under which name its last id is kept.
    #[must_use]
    pub fn cursor_name(&self) -> String {
        let workflow = self.workflow.as_deref().unwrap_or("all");
        format!("poll/{}/{}/{workflow}", self.base.host(), self.project)
    }

    fn url(&self, last_id: u64) -> String {
        let base = self.base.url().trim_end_matches('/');
        let workflow = self.workflow.as_ref().map(|id| format!("&workflow_id={id}")).unwrap_or_default();
        let (project, page_size) = (&self.project, self.page_size);
        format!(
            "{base}/classifications/project?project_id={project}{workflow}&last_id={last_id}&page_size={page_size}"
        )
    }
}

/// Follows a source until the server stops.
pub(crate) async fn follow(source: Poll, app: Shared) {
    let mut n_failed = 0_u32;
    loop {
        let wait = match catch_up(&source, &app).await {
            Ok(()) => {
                n_failed = 0;
                source.interval
            }
            Err(why) => {
                app.metrics.add("volary_polls_total", "result=\"failed\"".to_owned(), 1);
                app.log("poll failed", &[("host", source.base.host()), ("why", &why)]);
                let factor = 2_u32.saturating_pow(n_failed).min(MAX_FACTOR);
                n_failed += 1;
                app.settings.retry_after.saturating_mul(factor)
            }
        };
        if !pause(&app, wait).await {
            return;
        }
    }
}

/// Reads page after page until one brings nothing new.
async fn catch_up(source: &Poll, app: &App) -> Result<(), String> {
    let name = source.cursor_name();
    let stored = app.live.cursor(&name).await.map_err(|error| error.to_string())?;
    let mut last: u64 = stored
        .as_deref()
        .map_or(Ok(0), str::parse)
        .map_err(|_| format!("the stored last id {stored:?} is no number"))?;
    let mut from = last.saturating_sub(source.overlap);
    loop {
        if *app.stop.borrow() {
            return Ok(());
        }
        let body = page(source, from).await?;
        let highest = highest_id(&body)?;
        app.metrics.add("volary_polls_total", "result=\"read\"".to_owned(), 1);
        let Some(highest) = highest.filter(|id| *id > from) else { return Ok(()) };
        from = highest;
        last = last.max(highest);
        take(app, &body, (name.clone(), last.to_string())).await.map_err(|error| error.to_string())?;
    }
}

async fn page(source: &Poll, from: u64) -> Result<Vec<u8>, String> {
    let (agent, url, token) = (source.base.agent(), source.url(from), source.token.clone());
    let asked = blocking(move || {
        let mut request = agent.get(&url).header("accept", "application/vnd.api+json; version=1");
        if let Some(PollToken(token)) = &token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut response = request.call().map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(format!("it answered {status}"));
        }
        let body = response.body_mut().with_config().limit(MAX_PAGE_BYTES).read_to_vec();
        body.map_err(|error| error.to_string())
    });
    asked.await.unwrap_or_else(|| Err("the request broke off".to_owned()))
}

/// The numerically highest id of a page, whose ids are text (…999 comes before …1000).
fn highest_id(body: &[u8]) -> Result<Option<u64>, String> {
    let value: serde_json::Value =
        serde_json::from_slice(body).map_err(|error| format!("the page is no JSON ({error})"))?;
    let list = value.get("classifications").and_then(serde_json::Value::as_array);
    let list = list.ok_or("the page has no list of classifications")?;
    let mut highest = None;
    for item in list {
        let id = match item.get("id") {
            Some(serde_json::Value::String(text)) => text.parse().ok(),
            Some(serde_json::Value::Number(number)) => number.as_u64(),
            _ => None,
        };
        let id: u64 = id.ok_or("a classification has no number for its id")?;
        highest = highest.max(Some(id));
    }
    Ok(highest)
}

async fn take(app: &App, body: &[u8], cursor: (String, String)) -> Result<(), LiveError> {
    let parsed = incoming::parse(body);
    let n_problems = parsed.problems.total();
    if n_problems > 0 {
        app.metrics.add("volary_incoming_problems_total", String::new(), n_problems);
        let first = parsed.problems.examples().next().map(|p| p.detail.clone()).unwrap_or_default();
        app.log("unreadable", &[("n", &n_problems.to_string()), ("first", &first)]);
    }
    let is_told = |event: &Event| matches!(event.kind, Kind::Vote { .. } | Kind::Subject { .. });
    let told = parsed.events.into_iter().filter(is_told);
    let events: Vec<Heard> = told.map(|event| Heard { received_ms: None, event }).collect();
    app.note(events.iter().map(|heard| &heard.event));
    let outcomes = app.live.submit_heard(events, Some(cursor)).await?;
    count(app, &outcomes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_compared_as_numbers() {
        let page = |ids: &str| highest_id(format!("{{\"classifications\":[{ids}]}}").as_bytes());
        assert_eq!(page(r#"{"id":"999"},{"id":"1000"}"#), Ok(Some(1000)));
        assert_eq!(page(r#"{"id":7}"#), Ok(Some(7)));
        assert_eq!(page(""), Ok(None));
        assert!(page(r#"{"id":"x"}"#).is_err());
        assert!(highest_id(b"{\"classifications\":[{\"id\":\"1\"").is_err(), "cut off");
        assert!(highest_id(b"{}").is_err());
    }
}
