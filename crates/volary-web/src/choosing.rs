//! What to show next, out of the streams, with the learner beside it.
//!
//! [`Choosing`] keeps a [`volary_loop::pool::Pool`] of the store's open subjects, by the stream that drew
//! each (`volary sample`; a subject that nobody drew is in the real-time stream), and follows the log. With
//! embeddings it runs the online learner, whose uncertainty orders the active stream. It changes nothing in
//! the store.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Mutex;
use volary_live::book::Card;
use volary_live::learning::{Embeddings, FollowError, Follower, Learning, LearningParams};
use volary_live::{Actor, Live, LiveError};
use volary_loop::acquisition::entropy;
use volary_loop::champion::Verdict;
use volary_loop::pool::{Item, Mixture, Pool, PoolError};
use volary_loop::prequential::Report;
use volary_loop::sampling::Stream;

use crate::queue::{Next, Queue, Status};
use crate::routes::subjects::SCORE;

/// Subjects, and events, read at a time.
const CHUNK: u32 = 1_000;
/// How long to wait when nothing is new.
const NAP: Duration = Duration::from_millis(50);
/// After an error of the store, which others report.
const LONG_NAP: Duration = Duration::from_secs(1);

/// Why it cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ChoosingError {
    /// The mixture is none.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The store or the learner.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The store.
    #[error(transparent)]
    Live(#[from] LiveError),
}

/// A queue over the streams.
pub struct Choosing {
    state: Mutex<State>,
    tickets: AtomicU64,
}

struct State {
    pool: Pool,
    cursor: i64,
    follower: Option<Follower>,
}

impl Choosing {
    /// Reads what is open, and follows the log from then on, until it is dropped. With embeddings the
    /// learner reads the whole log first, in the background.
    ///
    /// # Errors
    /// [`ChoosingError`].
    pub async fn start(
        live: &Live,
        mixture: Mixture,
        seed: u64,
        learner: Option<(Embeddings, LearningParams)>,
    ) -> Result<Arc<Self>, ChoosingError> {
        let follower = match learner {
            Some((embeddings, params)) => Some(Follower::new(live, embeddings, params).await?),
            None => None,
        };
        let cursor = live.last_seq().await?;
        let mut state = State { pool: Pool::new(mixture, seed)?, cursor, follower };
        let mut after = String::new();
        loop {
            let cards = live.cards_after(&after, CHUNK).await?;
            let Some(last) = cards.last() else { break };
            after.clone_from(&last.subject);
            let subjects: Vec<String> = cards.into_iter().map(|card| card.subject).collect();
            state.refresh(live, &subjects).await?;
        }
        let made = Arc::new(Self { state: Mutex::new(state), tickets: AtomicU64::new(0) });
        tokio::spawn(follow(Arc::downgrade(&made), live.clone()));
        Ok(made)
    }
}

async fn follow(queue: Weak<Choosing>, live: Live) {
    loop {
        let Some(queue) = queue.upgrade() else { return };
        let step = queue.state.lock().await.step(&live).await;
        drop(queue);
        match step {
            Ok(true) => tokio::task::yield_now().await,
            Ok(false) => tokio::time::sleep(NAP).await,
            Err(_) => tokio::time::sleep(LONG_NAP).await,
        }
    }
}

impl State {
    /// Reads what is new; whether anything was.
    async fn step(&mut self, live: &Live) -> Result<bool, FollowError> {
        let events = live.history(self.cursor, CHUNK).await?;
        let touched: BTreeSet<String> =
            events.iter().filter_map(|(_, subject)| subject.clone()).collect();
        let touched: Vec<String> = touched.into_iter().collect();
        self.refresh(live, &touched).await?;
        self.cursor = events.last().map_or(self.cursor, |(logged, _)| logged.seq);
        let n_learnt = match &mut self.follower {
            Some(follower) => follower.step(live).await?,
            None => 0,
        };
        Ok(!events.is_empty() || n_learnt > 0)
    }

    /// Puts subjects into the pool as they are now, or takes them out.
    async fn refresh(&mut self, live: &Live, subjects: &[String]) -> Result<(), LiveError> {
        if subjects.is_empty() {
            return Ok(());
        }
        let cards = live.cards_of(subjects).await?;
        let mut votes: BTreeMap<String, (u64, bool)> = BTreeMap::new();
        for ([subject, ..], body) in live.summaries_of(subjects).await? {
            let summary: Value = serde_json::from_str(&body).unwrap_or_default();
            let of = votes.entry(subject).or_default();
            of.0 += summary["n"].as_u64().unwrap_or(0);
            of.1 |= !summary["retired"].is_null();
        }
        for (subject, card) in &cards {
            let (n_votes, is_retired) = votes.get(subject).copied().unwrap_or_default();
            if card.announced && is_open(card, is_retired) {
                self.pool.upsert(&self.item(card, n_votes));
            } else {
                self.pool.remove(subject);
            }
        }
        Ok(())
    }

    fn item(&self, card: &Card, n_votes: u64) -> Item {
        let drawn = card.drawn.last().map(|drawn| drawn.stream.as_str());
        let stream = match drawn {
            _ if card.validation => Stream::Validation,
            Some("debiased") => Stream::Debiased,
            Some("active") => Stream::Active,
            _ => Stream::RealTime,
        };
        // By a manifest's column, or the first of the scores that came by the API.
        let by_api =
            || card.facts.iter().find(|(name, _)| name.starts_with(SCORE)).map(|(_, score)| score);
        let score = || card.facts.get("score").or_else(by_api).and_then(|score| score.parse().ok());
        let uncertainty = || {
            let learning = self.follower.as_ref()?.learning();
            Some(entropy(&learning.predict(&card.subject)?.p_class))
        };
        let priority = if stream == Stream::Active { uncertainty() } else { score() };
        Item {
            subject: card.subject.clone(),
            stream,
            n_votes: u32::try_from(n_votes).unwrap_or(u32::MAX),
            priority: priority.unwrap_or(0.0),
        }
    }
}

/// A person's word counts more than the rules.
fn is_open(card: &Card, is_retired: bool) -> bool {
    let by_hand = |closed: bool| card.by_hand.values().any(|c| *c == closed);
    !by_hand(true) && (!is_retired || by_hand(false))
}

impl Queue for Choosing {
    fn next<'a>(&'a self, live: &'a Live, volunteer: &'a Actor, n: u32) -> Next<'a> {
        Box::pin(async move {
            let seen: HashSet<String> = live.seen_by(volunteer).await?;
            let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
            let state = self.state.lock().await;
            let served = state.pool.next(&|subject| seen.contains(subject), n as usize, ticket);
            Ok(served.into_iter().map(|served| served.subject).collect())
        })
    }

    fn status(&self) -> Status<'_> {
        Box::pin(async move {
            let state = self.state.lock().await;
            let streams: serde_json::Map<String, Value> = Stream::ALL
                .into_iter()
                .map(|stream| (stream.as_str().to_owned(), json!(state.pool.n_in(stream))))
                .collect();
            let learner = state.follower.as_ref().map(|follower| described(follower.learning()));
            Some(json!({ "open_subjects": streams, "learner": learner }))
        })
    }
}

fn described(learning: &Learning) -> Value {
    let verdict = match learning.verdict() {
        Verdict::Wait => "wait",
        Verdict::Promote => "promote",
        Verdict::Reject => "reject",
    };
    let reports: serde_json::Map<String, Value> =
        learning.reports().iter().map(|(slice, report)| (slice.clone(), reported(report))).collect();
    json!({
        "in_use": learning.in_use(),
        "challenger": verdict,
        "counts": learning.counts(),
        "evaluation": reports,
        "changes": learning.changes(),
        "alarms": learning.alarms(),
    })
}

fn reported(report: &Report) -> Value {
    let missed = report.missed.map(|missed| {
        json!({ "value": missed.value, "low": missed.interval.low, "high": missed.interval.high })
    });
    json!({
        "n": report.n, "log_loss": report.log_loss, "brier": report.brier,
        "missed_at_5_percent_false": missed, "threshold": report.threshold,
    })
}
