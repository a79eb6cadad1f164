//! An opt-out in a live store: there people are user ids, and what learns from its votes (the online learner, a new
//! store made without somebody) hears of it as an event. The list of keys is the other half; neither names anybody.

use anyhow::{Result, bail};
use volary_live::{Event, Key, Kind, Outcome};

use crate::live::{StoreArgs, wait};

/// Whose opt-out it is, and where.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Here {
    /// A live store that is to hear of it: a SQLite file, or postgres://USER@HOST/DATABASE.
    #[arg(long, value_name = "FILE|URL")]
    store: Option<String>,
    /// The volunteer's number on the platform, where the store knows no names.
    #[arg(long, value_name = "ID", requires = "store")]
    user_id: Option<String>,
}

impl Here {
    /// Tells the store; how many user ids that were, or nothing where there is no store to tell.
    pub(super) fn tell(&self, user: Option<&str>, is_out: bool, now_ms: i64) -> Result<Option<u64>> {
        let Some(store) = &self.store else { return Ok(None) };
        let args = StoreArgs::of(store);
        wait(async {
            let live = args.open_existing().await?;
            let ids: Vec<String> = match &self.user_id {
                Some(id) => vec![id.clone()],
                None if user.is_none() => {
                    bail!("{store} knows no keys; give the number on the platform with --user-id")
                }
                None => {
                    live.people().await?.called(user.unwrap_or_default()).map(str::to_owned).collect()
                }
            };
            if ids.is_empty() {
                bail!(
                    "nobody is called that in {store}; give the number on the platform with --user-id"
                );
            }
            let event = |id: &String| Event {
                key: Key { source: "volary optout".to_owned(), id: format!("{id} {now_ms}") },
                at_ms: now_ms,
                kind: Kind::OptOut { user: id.clone(), out: is_out },
            };
            let told = live.submit(ids.iter().map(event).collect()).await?;
            live.close().await?;
            if let Some(wrong) = told.iter().find(|o| !matches!(o, Outcome::New(_) | Outcome::Duplicate))
            {
                bail!("{store} did not take it ({wrong:?}); nothing was changed");
            }
            Ok(Some(ids.len() as u64))
        })
    }
}
