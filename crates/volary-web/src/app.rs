//! What every handler shares.

use std::collections::{BTreeSet, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use axum::http::StatusCode;
use tokio::sync::{Semaphore, watch};
use volary_ingest::images::Folder;
use volary_live::{Event, Kind, Live};

use crate::bucket::Buckets;
use crate::jobs::{Change, Jobs, changes, is_same};
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::project::Project;
use crate::project::sheets::Kept;
use crate::queue::Queue;
use crate::settings::Settings;
use crate::signature::Verifier;
use crate::tokens::Tokens;

/// The server's state.
pub(crate) struct App {
    pub(crate) live: Live,
    pub(crate) settings: Settings,
    pub(crate) tokens: Tokens,
    pub(crate) by_token: Buckets,
    pub(crate) by_volunteer: Buckets,
    pub(crate) of_all: Buckets,
    pub(crate) metrics: Metrics,
    pub(crate) verifier: Option<Verifier>,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) exports: Arc<Semaphore>,
    /// Images that are decoded at once.
    pub(crate) decoders: Semaphore,
    /// The folder of images, if there is one.
    pub(crate) media: Option<Arc<Folder>>,
    /// What the page shows beside the store; another one when a job has made something new.
    pub(crate) project: RwLock<Arc<Project>>,
    /// How often that was.
    pub(crate) revision: AtomicU64,
    pub(crate) jobs: Jobs,
    pub(crate) thumbnails: Kept,
    /// Drawn when first needed, kept nowhere else: names of volunteers hold until the server ends.
    pub(crate) pseudonyms: OnceLock<[u8; 32]>,
    pub(crate) connections: Arc<Semaphore>,
    /// Turns true when the server stops.
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) started_ms: i64,
    /// What the `Host` header may say.
    pub(crate) hosts: BTreeSet<String>,
    /// Subjects whose truth is or was known: only votes on these are asked for a verdict, since asking
    /// stops the store's writer for a moment.
    pub(crate) validation: RwLock<HashSet<String>>,
    /// Held while somebody changes what must be as they read it: an alert, a subject's images.
    pub(crate) acting: tokio::sync::Mutex<()>,
    pub(crate) n_requests: AtomicU64,
    /// When the oldest item of the outbox was made; 0 if there is none.
    pub(crate) oldest_waiting_ms: AtomicI64,
}

/// As handlers hold it.
pub(crate) type Shared = Arc<App>;

impl App {
    pub(crate) fn now_ms(&self) -> i64 {
        (self.settings.now_ms)()
    }

    /// The key under which volunteers have names in this run.
    pub(crate) fn pseudonym_key(&self) -> Result<[u8; 32], Problem> {
        let mut drawn = [0; 32];
        getrandom::fill(&mut drawn)
            .map_err(|_| Problem::busy("the system gives no random bytes; try again"))?;
        Ok(*self.pseudonyms.get_or_init(|| drawn))
    }

    /// What the page shows. A request takes it once: the next one may find another.
    pub(crate) fn project(&self) -> Arc<Project> {
        Arc::clone(&self.project.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a project in the place of the one that is shown, whose labels it keeps; gives what is new. Whoever still
    /// answers from the old one ends with it. Where both are the same, the old one stays.
    pub(crate) fn replace_project(&self, mut project: Project) -> Vec<Change> {
        let before = self.project();
        project.labels.clone_from(&before.labels);
        project.slices.clone_from(&before.slices);
        let new = changes(&before, &project);
        // Images may have been painted anew under the same names.
        self.thumbnails.forget();
        if new.is_empty() && is_same(&before, &project) {
            return new;
        }
        *self.project.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(project);
        self.revision.fetch_add(1, Ordering::Relaxed);
        new
    }

    /// The number of a request: when the server started, and its place since.
    pub(crate) fn request_id(&self) -> String {
        let n = self.n_requests.fetch_add(1, Ordering::Relaxed);
        format!("{:x}-{n:x}", self.started_ms)
    }

    /// Remembers the validation subjects among these events; before they are stored, so that no vote
    /// slips between.
    pub(crate) fn note<'a>(&self, events: impl Iterator<Item = &'a Event>) {
        for event in events {
            if let Kind::Subject { subject, validation: true, .. } = &event.kind {
                let mut known = self.validation.write().unwrap_or_else(PoisonError::into_inner);
                known.insert(subject.clone());
            }
        }
    }

    /// Whether this is a vote that a verdict may be given on.
    pub(crate) fn is_exam(&self, event: &Event) -> bool {
        let Kind::Vote { subject, .. } = &event.kind else { return false };
        self.validation.read().unwrap_or_else(PoisonError::into_inner).contains(subject)
    }

    /// An answer to who has to wait.
    pub(crate) fn too_many(&self, wait_ms: u64, detail: &str) -> Problem {
        self.metrics.add("volary_rate_limited_total", String::new(), 1);
        Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after_s(wait_ms.div_ceil(1_000))
    }

    /// Writes a line of the log: pairs of names and values, made harmless.
    pub(crate) fn log(&self, what: &str, pairs: &[(&str, &str)]) {
        let time = jiff::Timestamp::from_millisecond(self.now_ms()).unwrap_or_default();
        let mut line = format!("{time} {what}");
        for (name, value) in pairs {
            line.push_str(&format!(" {name}={:?}", harmless(value)));
        }
        (self.settings.log)(&line);
    }
}

/// Printable ASCII as it is, everything else escaped, so that no line can be forged and no terminal driven;
/// cut at 300 characters.
pub(crate) fn harmless(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(300) {
        if c.is_ascii_graphic() || c == ' ' { out.push(c) } else { out.extend(c.escape_unicode()) }
    }
    out
}

/// Host names by which a server at `address` may be asked for.
pub(crate) fn host_names(address: SocketAddr, more: &[String]) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = more.iter().map(|name| name.to_ascii_lowercase()).collect();
    if address.ip().is_loopback() {
        names.extend(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned));
    }
    let own = if address.is_ipv6() { format!("[{}]", address.ip()) } else { address.ip().to_string() };
    names.insert(own);
    names
}
