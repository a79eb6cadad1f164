//! What the live commands share: where the store is, opening it, running its asynchronous half.

use anyhow::{Context as _, Result};
use volary_live::Live;
use volary_live::store::{Options, Place};

/// Where the events are.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct StoreArgs {
    /// The store: a SQLite file, made if it is not there, or postgres://USER@HOST/DATABASE.
    #[arg(long, default_value = "live.db", value_name = "FILE|URL")]
    store: String,
}

impl StoreArgs {
    /// Opens it, or makes it.
    pub(crate) async fn open(&self) -> Result<Live> {
        Ok(Live::open(&Place::parse(&self.store), Options::default()).await?)
    }

    /// Opens it only if it is there: a command that wants one makes no empty store out of a typing error.
    pub(crate) async fn open_existing(&self) -> Result<Live> {
        self.check_there()?;
        self.open().await
    }

    /// Opens it to look, also while `volary ingest --follow` writes to it.
    pub(crate) async fn look(&self) -> Result<Live> {
        self.check_there()?;
        Ok(Live::look(&Place::parse(&self.store)).await?)
    }

    fn check_there(&self) -> Result<()> {
        if let Place::File(path) = Place::parse(&self.store) {
            let what = || format!("no store is there; `volary ingest` makes one: {}", path.display());
            std::fs::metadata(&path).with_context(what)?;
        }
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
