//! What the live commands share: where the store is, opening it, running its asynchronous half.

use anyhow::{Context as _, Result};
use volary_live::store::{Options, Place};
use volary_live::{Event, Key, Kind, Live, Policy};

use crate::session::Session;

/// Where the events are.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct StoreArgs {
    /// The store: a SQLite file, made if it is not there, or postgres://USER@HOST/DATABASE.
    #[arg(
        long,
        value_name = "FILE|URL",
        help = "The store: a SQLite file, made if it is not there, or \
        postgres://USER@HOST/DATABASE [default: live.db]"
    )]
    store: Option<String>,
}

impl StoreArgs {
    /// A store of this name.
    pub(crate) fn of(store: &str) -> Self {
        Self { store: Some(store.to_owned()) }
    }

    fn place(&self) -> Place {
        Place::parse(self.store.as_deref().unwrap_or("live.db"))
    }

    /// The same, in a folder where nobody named a store.
    pub(crate) fn inside(&self, folder: &std::path::Path) -> Self {
        let inside = || folder.join("live.db").to_string_lossy().into_owned();
        Self { store: Some(self.store.clone().unwrap_or_else(inside)) }
    }

    /// Opens it, or makes it.
    pub(crate) async fn open(&self) -> Result<Live> {
        Ok(Live::open(&self.place(), Options::default()).await?)
    }

    /// Opens it only if it is there: a command that wants one makes no empty store out of a typing error.
    pub(crate) async fn open_existing(&self) -> Result<Live> {
        self.check_there()?;
        self.open().await
    }

    /// Opens it to look, also while `volary ingest --follow` writes to it.
    pub(crate) async fn look(&self) -> Result<Live> {
        self.check_there()?;
        Ok(Live::look(&self.place()).await?)
    }

    fn check_there(&self) -> Result<()> {
        if let Place::File(path) = self.place() {
            let what = || format!("no store is there; `volary ingest` makes one: {}", path.display());
            std::fs::metadata(&path).with_context(what)?;
        }
        Ok(())
    }
}

impl std::fmt::Display for StoreArgs {
    /// Without the password of a URL.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.place().fmt(f)
    }
}

/// Rules given on the command line, or else by the settings.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct RulesArgs {
    /// The answer that speaks for an alert: with it, the rules are at least 8 votes for it, at least 80 %
    /// agreement, and retirement at 14. Rules of one's own go into the settings file, under `[live]`.
    #[arg(long, value_name = "ANSWER")]
    answer: Option<String>,
    /// The task that --answer is of.
    #[arg(long, default_value = "T0", value_name = "TASK")]
    task: String,
    /// The project's name, which credit draws and reports carry.
    #[arg(long, default_value = "", value_name = "NAME")]
    project: String,
}

impl RulesArgs {
    /// Puts the rules that are asked for into the log, unless they are in force already.
    pub(crate) async fn put_into(&self, live: &Live, session: &Session) -> Result<()> {
        let wanted = match (&self.answer, &session.settings.live) {
            (Some(answer), _) => Policy::kilonova_seekers(&self.project, &self.task, answer),
            (None, Some(policy)) => policy.clone(),
            (None, None) => return Ok(()),
        };
        wanted.check()?;
        let present = live.policy().await?;
        if present == wanted {
            return Ok(());
        }
        let at_ms = session.now_ms();
        let key = Key { source: "volary".into(), id: format!("policy/{}/{at_ms}", wanted.version()) };
        let event = Event { key, at_ms, kind: Kind::Policy { policy: Box::new(wanted) } };
        live.submit(vec![event]).await?;
        Ok(())
    }
}

/// Runs the asynchronous part of a command.
pub(crate) fn wait<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.context("starting the store's thread failed")?.block_on(future)
}

/// A time as people read it.
pub(crate) fn time_text(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |time| time.to_string())
}
