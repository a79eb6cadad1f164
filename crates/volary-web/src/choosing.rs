//! What to show next, out of the streams, with the learner beside it.
//!
//! [`Choosing`] keeps a [`volary_loop::pool::Pool`] of the store's open subjects, by the stream that drew
//! each (`volary sample`; a subject that nobody drew is in the real-time stream), and follows the log. With
//! embeddings it runs the online learner: when the active stream runs low, it is filled with subjects from which
//! the learner would learn most, a fifth of them drawn with known probability. What it draws is an event in
//! the log like anybody's. A certified veto puts subjects last, and hides none.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Mutex;
use volary_live::book::Card;
use volary_live::learning::{Embeddings, FollowError, Follower, Learning, LearningParams};
use volary_live::{Actor, Event, Key, Kind, Live, LiveError};
use volary_loop::acquisition::{
    AcquisitionError, BatchParams, Chosen, Passes, Usefulness, batch, entropy,
};
use volary_loop::champion::Verdict;
use volary_loop::pool::{Item, Mixture, Pool, PoolError};
use volary_loop::prequential::Report;
use volary_loop::sampling::{Candidate, Frame, Spacing, Stream};
use volary_loop::veto::{self, Veto};

use crate::queue::{Next, Queue, Status};
use crate::routes::subjects::SCORE;

/// Subjects, and events, read at a time.
const CHUNK: u32 = 1_000;
/// How long to wait when nothing is new.
const NAP: Duration = Duration::from_millis(50);
/// After an error of the store, which others report.
const LONG_NAP: Duration = Duration::from_secs(1);
/// The active stream is filled when it holds fewer subjects.
const LOW_WATER: usize = 10;
/// With so many at once.
const BATCH: usize = 40;
/// Subjects that the learner must have learnt before it may choose.
const LEAST_LEARNT: u64 = 20;
/// Models drawn from the posterior, to see where they disagree.
const N_PASSES: usize = 30;
/// Bins of the score in the part with known probability.
const N_BINS: usize = 20;
/// Votes that a vetoed subject is taken to have, in the order of the queue.
const VETOED: u64 = 1_000_000;

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
    /// When the last event was heard.
    at_ms: i64,
    follower: Option<Follower>,
    /// Open subjects that nobody drew.
    undrawn: BTreeSet<String>,
    /// Open subjects that rules moved into a workflow, by workflow; what was told up to here.
    moved: BTreeMap<String, Pool>,
    told: i64,
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
        let (pool, undrawn) = (Pool::new(mixture, seed)?, BTreeSet::new());
        let (moved, told) = (BTreeMap::new(), 0);
        let mut state = State { pool, cursor, at_ms: 0, follower, undrawn, moved, told };
        let mut after = String::new();
        loop {
            let cards = live.cards_after(&after, CHUNK).await?;
            let Some(last) = cards.last() else { break };
            after.clone_from(&last.subject);
            let subjects: Vec<String> = cards.into_iter().map(|card| card.subject).collect();
            state.refresh(live, &subjects).await?;
        }
        state.follow_moves(live).await?;
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
        if !events.is_empty() {
            self.follow_moves(live).await?;
        }
        if let Some((last, _)) = events.last() {
            (self.cursor, self.at_ms) = (last.seq, last.received_ms);
        }
        let n_learnt = match &mut self.follower {
            Some(follower) => follower.step(live).await?,
            None => 0,
        };
        let is_idle = events.is_empty() && n_learnt == 0;
        if is_idle && self.pool.n_in(Stream::Active) < LOW_WATER {
            self.draw_active(live).await?;
        }
        Ok(!is_idle)
    }

    /// Puts subjects that rules moved into the pool of their new workflow.
    async fn follow_moves(&mut self, live: &Live) -> Result<(), LiveError> {
        let (moved, told) = live.moved(self.told).await?;
        self.told = told;
        for (workflow, subjects) in moved {
            let pool = self.moved.entry(workflow).or_insert_with(|| self.pool.empty());
            for subject in &subjects {
                let (stream, n_votes, priority) = (Stream::RealTime, 0, 0.0);
                pool.upsert(&Item { subject: subject.clone(), stream, n_votes, priority });
            }
            // Some may have been done with since.
            self.refresh(live, &subjects.into_iter().collect::<Vec<_>>()).await?;
        }
        Ok(())
    }

    /// Draws subjects from which the learner would learn most, once it knows anything.
    async fn draw_active(&mut self, live: &Live) -> Result<(), FollowError> {
        let Some(follower) = &self.follower else { return Ok(()) };
        let learning = follower.learning();
        if learning.counts().n_subjects < LEAST_LEARNT || self.undrawn.len() < LOW_WATER {
            return Ok(());
        }
        // A draw that cannot be made is no reason to stop serving: the other streams go on.
        let Ok(chosen) = most_useful(learning, &self.undrawn, self.cursor) else { return Ok(()) };
        let drawn: Vec<Event> = chosen.iter().map(|one| self.drawn(one)).collect();
        if !drawn.is_empty() {
            live.submit(drawn).await?;
        }
        Ok(())
    }

    fn drawn(&self, chosen: &Chosen) -> Event {
        let subject = chosen.subject.clone();
        let id = format!("drawn/{}/{subject}", self.cursor);
        let p_included = chosen.drawn.as_ref().map(|selected| selected.p_included);
        let kind = Kind::Drawn {
            subject,
            stream: chosen.stream().as_str().to_owned(),
            p_included,
            frame: format!("{}/{}", self.cursor, chosen.arm.as_str()),
            model: "learner".to_owned(),
            seed: self.cursor.unsigned_abs(),
        };
        Event { key: Key { source: "volary".to_owned(), id }, at_ms: self.at_ms, kind }
    }

    /// Puts subjects into the pool as they are now, or takes them out.
    async fn refresh(&mut self, live: &Live, subjects: &[String]) -> Result<(), LiveError> {
        if subjects.is_empty() {
            return Ok(());
        }
        let cards = live.cards_of(subjects).await?;
        let mut votes: BTreeMap<String, (u64, bool)> = BTreeMap::new();
        for ([subject, workflow, _], body) in live.summaries_of(subjects).await? {
            let summary: Value = serde_json::from_str(&body).unwrap_or_default();
            let (n, is_retired) = (summary["n"].as_u64().unwrap_or(0), !summary["retired"].is_null());
            // What is asked of a subject that was moved has a count of its own.
            if let Some(pool) = self.moved.get_mut(&workflow)
                && let Some(item) = pool.get(&subject)
            {
                if is_retired || summary["by_hand"] == true {
                    pool.remove(&subject);
                } else {
                    pool.upsert(&Item { n_votes: u32::try_from(n).unwrap_or(u32::MAX), ..item });
                }
                continue;
            }
            let of = votes.entry(subject).or_default();
            of.0 += n;
            of.1 |= is_retired;
        }
        // Certified once for all of them: the bound is a quantile of a beta distribution.
        let veto = self.follower.as_ref().and_then(|f| f.learning().veto()?.ok());
        for (subject, card) in &cards {
            let (n_votes, is_retired) = votes.get(subject).copied().unwrap_or_default();
            let is_open = card.is_open(is_retired);
            if is_open {
                self.pool.upsert(&self.item(card, n_votes, veto.as_ref()));
            } else {
                self.pool.remove(subject);
            }
            if is_open && card.drawn.is_empty() && !card.validation {
                self.undrawn.insert(subject.clone());
            } else {
                self.undrawn.remove(subject);
            }
        }
        Ok(())
    }

    fn item(&self, card: &Card, n_votes: u64, veto: Option<&Veto>) -> Item {
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
        // Fewest votes come first: whoever is vetoed stands behind all others.
        let behind = if self.is_vetoed(card, veto) { VETOED } else { 0 };
        Item {
            subject: card.subject.clone(),
            stream,
            n_votes: u32::try_from(n_votes + behind).unwrap_or(u32::MAX),
            priority: priority.unwrap_or(0.0),
        }
    }

    fn is_vetoed(&self, card: &Card, veto: Option<&Veto>) -> bool {
        let (Some(veto), Some(follower)) = (veto, &self.follower) else { return false };
        let learning = follower.learning();
        let Some(prediction) = learning.predict(&card.subject) else { return false };
        !card.validation
            && veto.verdict(&card.subject, prediction.p_class[1]) == veto::Verdict::Deprioritise
    }
}

/// A batch out of the subjects that nobody drew: by mutual information and distance, a fifth with known
/// probability.
fn most_useful(
    learning: &Learning,
    undrawn: &BTreeSet<String>,
    cursor: i64,
) -> Result<Vec<Chosen>, AcquisitionError> {
    let seed = cursor.unsigned_abs();
    let posterior = learning.learner(learning.in_use()).posterior(N_PASSES, seed);
    let (mut candidates, mut draws) = (Vec::new(), Vec::new());
    for subject in undrawn {
        let Some(x) = learning.embedding(subject) else { continue };
        let Ok(own) = posterior.probabilities(&x) else { continue };
        let score = own.chunks_exact(2).map(|p| p[1]).sum::<f64>() / N_PASSES as f64;
        candidates.push(Candidate { id: subject.clone(), score, model: "learner".to_owned() });
        draws.push((subject.as_str(), own, x.values));
    }
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let Ok(frame) = Frame::new(&candidates, &BTreeSet::new(), N_BINS, Spacing::Score) else {
        return Ok(Vec::new());
    };
    let passes: Vec<Passes<'_>> =
        draws.iter().map(|(subject, draws, embedding)| Passes { subject, draws, embedding }).collect();
    let params = BatchParams {
        n: BATCH.min(candidates.len()),
        n_classes: 2,
        probability_share: 0.2,
        usefulness: Usefulness::Diverse { n_among: 10 },
        has_twin: false,
        seed,
    };
    batch(&frame, &passes, &BTreeSet::new(), &params)
}

impl Queue for Choosing {
    fn next<'a>(
        &'a self,
        live: &'a Live,
        volunteer: &'a Actor,
        workflow: Option<&'a str>,
        n: u32,
    ) -> Next<'a> {
        Box::pin(async move {
            let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
            let workflow = match workflow {
                Some(workflow) if self.state.lock().await.moved.contains_key(workflow) => Some(workflow),
                _ => None,
            };
            // Without the lock: somebody who has seen much keeps nobody else waiting.
            let seen: HashSet<String> = match workflow {
                Some(workflow) => live.seen_by_in(volunteer, workflow).await?,
                None => live.seen_by(volunteer).await?,
            };
            let state = self.state.lock().await;
            let pool = workflow.and_then(|workflow| state.moved.get(workflow)).unwrap_or(&state.pool);
            let served = pool.next(&|subject| seen.contains(subject), n as usize, ticket);
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
        "veto": learning.veto().map(|veto| match veto {
            Ok(_) => "in use".to_owned(),
            Err(why) => why.to_string(),
        }),
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
