//! The server: listens, takes connections, starts and stops what runs beside them.
//!
//! HTTP/1.1 by `hyper` rather than `axum::serve`, because the time for a request's head, the size of its
//! head and the number of connections must be bounded.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, OnceLock, RwLock};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use volary_ingest::IngestError;
use volary_ingest::images::Folder;
use volary_live::{Live, LiveError};

use crate::app::{App, Shared, host_names};
use crate::bucket::Buckets;
use crate::jobs::Jobs;
use crate::metrics::Metrics;
use crate::project::sheets::Kept;
use crate::queue::{FewestVotes, Queue};
use crate::settings::Settings;
use crate::signature::Verifier;
use crate::tokens::{TokenError, Tokens};
use crate::{guard, outbox, poll, routes};

/// Largest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// Tables that are exported at once; each is a file as large as the table.
const MAX_EXPORTS: usize = 2;
/// Images that are decoded at once: a large one takes a whole core and some hundred megabytes.
const MAX_DECODERS: usize = 2;
/// How long open requests may go on when the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be had.
    #[error("listening on {address} failed ({reason}); choose another address or stop what uses it")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's answer.
        reason: std::io::Error,
    },
    /// The tokens cannot be read.
    #[error(transparent)]
    Tokens(#[from] TokenError),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] LiveError),
    /// The folder of images is not there.
    #[error("the folder of images cannot be opened: {0}; make it, or name another")]
    Media(IngestError),
}

impl From<IngestError> for ServeError {
    fn from(error: IngestError) -> Self {
        Self::Media(error)
    }
}

/// A server that runs until it is stopped.
pub struct Server {
    address: SocketAddr,
    page_key: Option<String>,
    app: Shared,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Server {
    /// Starts it over a store, with the plain queue.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn start(live: Live, settings: Settings) -> Result<Self, ServeError> {
        Self::start_with(live, settings, Arc::new(FewestVotes)).await
    }

    /// The same with a queue of one's own.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn start_with(
        live: Live,
        settings: Settings,
        queue: Arc<dyn Queue>,
    ) -> Result<Self, ServeError> {
        let wanted = settings.address;
        let failed = |reason| ServeError::Listen { address: wanted, reason };
        let tokens = Tokens::open(&settings.tokens)?;
        let media = settings.media.as_deref().map(Folder::open).transpose()?.map(Arc::new);
        let validation = live.validation_subjects().await?;
        let listener = TcpListener::bind(wanted).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        // Whoever sees the terminal of a server on this machine may use its page; a server that others reach
        // asks everybody for a token.
        let page_key = address.ip().is_loopback().then(|| tokens.make_page_key()).transpose()?;
        let (stop, stopped) = watch::channel(false);
        let started_ms = (settings.now_ms)();
        let verifier = settings.webhook_secret.clone();
        let app = Arc::new(App {
            live,
            tokens,
            by_token: Buckets::new(settings.rate_per_token),
            by_volunteer: Buckets::new(settings.rate_per_volunteer),
            of_all: Buckets::new(settings.rate),
            metrics: Metrics::default(),
            verifier: verifier.map(|secret| Verifier::new(secret, started_ms.div_euclid(1_000))),
            queue,
            streams: Arc::new(Semaphore::new(settings.max_streams)),
            exports: Arc::new(Semaphore::new(MAX_EXPORTS)),
            decoders: Semaphore::new(MAX_DECODERS),
            media,
            project: RwLock::new(Arc::clone(&settings.project)),
            revision: AtomicU64::new(0),
            jobs: Jobs::new(settings.runner.clone()),
            thumbnails: Kept::default(),
            pseudonyms: OnceLock::new(),
            connections: Arc::new(Semaphore::new(settings.max_connections)),
            stop: stopped,
            started_ms,
            hosts: host_names(address, &settings.hosts),
            validation: RwLock::new(validation.into_iter().collect()),
            acting: tokio::sync::Mutex::new(()),
            n_requests: AtomicU64::new(0),
            oldest_waiting_ms: AtomicI64::new(0),
            settings,
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, Arc::clone(&app)));
        if !app.settings.webhooks.is_empty() {
            tasks.spawn(outbox::send(Arc::clone(&app)));
        }
        for source in app.settings.polls.clone() {
            tasks.spawn(poll::follow(source, Arc::clone(&app)));
        }
        Ok(Self { address, page_key, app, stop, tasks })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the page is, with the key that opens it for as long as the server runs. The key stands behind `#`,
    /// which browsers keep to themselves. A server that others reach has none: its page asks for a token.
    #[must_use]
    pub fn page_url(&self) -> String {
        let key = self.page_key.as_deref().map(|key| format!("#key={key}")).unwrap_or_default();
        format!("http://{}/{key}", self.address)
    }

    /// Lets open requests finish, for a while, and stops. The store stays open: it is not ours to close.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let app = Arc::clone(&self.app);
        let jobs = tokio::task::spawn_blocking(move || app.jobs.end());
        while self.tasks.join_next().await.is_some() {}
        // A job that does not end in its time is ended by its own process.
        let _ = jobs.await;
        // Whoever still asks is cut off; what was acknowledged is on disk.
        drop(self.app);
    }
}

async fn serve(listener: TcpListener, app: Shared) {
    let router = guard::wrap(routes::router(&app), &app);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stopped(&app) => break,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, mostly; others give theirs back soon.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        match Arc::clone(&app.connections).try_acquire_owned() {
            Ok(place) => {
                let (router, app) = (router.clone(), Arc::clone(&app));
                connections.spawn(async move {
                    talk(stream, router, &app).await;
                    drop(place);
                });
            }
            Err(_) => {
                app.metrics.add("volary_connections_refused_total", String::new(), 1);
                connections.spawn(turn_away(stream));
            }
        }
    }
    drop(listener);
    let finish = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(STOP_TIMEOUT, finish).await;
}

async fn talk(stream: TcpStream, router: axum::Router, app: &Shared) {
    let _ = stream.set_nodelay(true);
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(app.settings.head_timeout)
        .max_buf_size(MAX_HEAD_BYTES)
        .half_close(false);
    let service = TowerToHyperService::new(router);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // An error here is a peer that went away or said nonsense; hyper has answered what can be answered.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stopped(app) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

async fn turn_away(mut stream: TcpStream) {
    let answer = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let write = async {
        let _ = stream.write_all(answer).await;
        let _ = stream.shutdown().await;
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), write).await;
}

/// Done when the server stops.
pub(crate) async fn stopped(app: &App) {
    // An error would mean that the server is gone, which is the same.
    let _ = app.stop.clone().wait_for(|stop| *stop).await;
}

/// Waits, or until the server stops: `false` then.
pub(crate) async fn pause(app: &App, duration: Duration) -> bool {
    tokio::select! {
        () = stopped(app) => false,
        () = tokio::time::sleep(duration) => true,
    }
}

/// Work that blocks, on a thread where it may; what panics there is an error here.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}
