//! How the server is set up. The defaults are safe on a laptop: loopback only, nothing sent to anybody.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::bucket::Rate;
use crate::jobs::Runner;
use crate::outgoing::Target;
use crate::poll::Poll;
use crate::project::Project;
use crate::signature::Secret;
use crate::workflows::Workflow;

/// Where lines of the log go: one call a line, already escaped.
pub type Log = Arc<dyn Fn(&str) + Send + Sync>;
/// The clock: milliseconds since 1970, UTC.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// A webhook that is called.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// The name by which rules call it. One with a name gets only what is for it, one without gets all
    /// that is not for another.
    pub name: Option<String>,
    /// Where it is.
    pub target: Target,
}

/// Everything that can be set.
#[derive(Clone)]
pub struct Settings {
    /// Where to listen; port 0 picks a free one.
    pub address: SocketAddr,
    /// Names under which the server is reached, beside its address; a request for another host is refused.
    pub hosts: Vec<String>,
    /// The file of tokens.
    pub tokens: PathBuf,
    /// Secret of signed webhooks that come in; without it they need a token.
    pub webhook_secret: Option<Secret>,
    /// Where alerts, retirements and what rules call for are told.
    pub webhooks: Vec<Webhook>,
    /// Signs what goes out to the webhooks.
    pub outgoing_secret: Option<Secret>,
    /// Panoptes-compatible APIs to ask for new classifications.
    pub polls: Vec<Poll>,
    /// What answers a workflow knows, by its id; votes for others are taken as they come.
    pub workflows: BTreeMap<String, Workflow>,
    /// Refuse votes on subjects that nobody announced.
    pub known_subjects_only: bool,
    /// Connections at once.
    pub max_connections: usize,
    /// Event streams at once, within these.
    pub max_streams: usize,
    /// Largest body in bytes.
    pub max_body_bytes: usize,
    /// The folder of the subjects' images; without it none are served or taken.
    pub media: Option<PathBuf>,
    /// What the page shows beside the store.
    pub project: Arc<Project>,
    /// Who runs the project's steps for the page, and reads it anew after that; without one, none are run.
    pub runner: Option<Arc<dyn Runner>>,
    /// Largest image that is taken, in bytes.
    pub max_image_bytes: usize,
    /// How long the head of a request, or the next request of a connection, may take to come.
    pub head_timeout: Duration,
    /// How long a body may take to come.
    pub body_timeout: Duration,
    /// How long an answer may take.
    pub answer_timeout: Duration,
    /// An event stream says something at least this often.
    pub heartbeat: Duration,
    /// Requests of one token.
    pub rate_per_token: Rate,
    /// Votes of one volunteer, where they are sent one by one or in lists; not those of signed webhooks,
    /// polls and the log, which bring the past of a whole project at once.
    pub rate_per_volunteer: Rate,
    /// Requests of all together.
    pub rate: Rate,
    /// First wait after a delivery or a poll failed; doubles up to 256 times this.
    pub retry_after: Duration,
    /// Where the log goes.
    pub log: Log,
    /// The clock.
    pub now_ms: Clock,
}

impl Settings {
    /// The defaults: loopback, port 8420.
    #[must_use]
    pub fn new(tokens: PathBuf) -> Self {
        Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8420),
            hosts: Vec::new(),
            tokens,
            webhook_secret: None,
            webhooks: Vec::new(),
            outgoing_secret: None,
            polls: Vec::new(),
            workflows: BTreeMap::new(),
            known_subjects_only: false,
            max_connections: 1_024,
            max_streams: 256,
            max_body_bytes: 1 << 20,
            media: None,
            project: Arc::default(),
            runner: None,
            max_image_bytes: 32 << 20,
            head_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(30),
            heartbeat: Duration::from_secs(15),
            rate_per_token: Rate { per_second: 10_000.0, burst: 20_000.0 },
            rate_per_volunteer: Rate { per_second: 50.0, burst: 2_000.0 },
            rate: Rate { per_second: 20_000.0, burst: 40_000.0 },
            retry_after: Duration::from_secs(1),
            log: Arc::new(|line| eprintln!("{line}")),
            now_ms: Arc::new(|| jiff::Timestamp::now().as_millisecond()),
        }
    }
}
