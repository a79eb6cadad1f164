//! Delivers what the store has put into its outbox, at least once.
//!
//! Each item goes to every webhook, oldest first, signed, with an `Idempotency-Key` that is the same on
//! every attempt. What fails waits, twice as long each time; a webhook that does not answer is left alone
//! meanwhile, so that it is not asked for each item. An item is done when all have taken it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use volary_live::store::Waiting;

use crate::app::{App, Shared};
use crate::outgoing::Target;
use crate::server::{blocking, pause};

/// Items looked at in one round.
const ROUND: u32 = 256;
/// How often the outbox is looked at while nothing is told.
const LOOK: Duration = Duration::from_secs(5);
/// Longest wait, as a multiple of the first.
const MAX_FACTOR: u32 = 256;

/// What is remembered between rounds; lost on a restart, after which everything is tried at once.
#[derive(Default)]
struct Memory {
    /// Webhooks that have taken an item which others have not.
    taken: BTreeMap<String, BTreeSet<usize>>,
    /// When an item may be tried again, and how often it failed.
    items: BTreeMap<String, (i64, u32)>,
    /// When a webhook may be tried again, and how often it failed in a row.
    hooks: BTreeMap<usize, (i64, u32)>,
}

/// Sends until the server stops.
pub(crate) async fn send(app: Shared) {
    let mut memory = Memory::default();
    let mut told = app.live.told();
    loop {
        let waiting = app.live.waiting(ROUND).await.unwrap_or_default();
        let ids: BTreeSet<&String> = waiting.iter().map(|item| &item.id).collect();
        memory.items.retain(|id, _| ids.contains(id));
        memory.taken.retain(|id, _| ids.contains(id));
        let mut n_done = 0;
        for item in &waiting {
            if *app.stop.borrow() {
                return;
            }
            n_done += u32::from(deliver(&app, item, &mut memory).await);
        }
        let oldest = if n_done < waiting.len() as u32 { waiting.first() } else { None };
        app.oldest_waiting_ms.store(oldest.map_or(0, |item| item.created_ms), Ordering::Relaxed);
        if n_done == ROUND {
            continue;
        }
        let wait = if oldest.is_some() { app.settings.retry_after.min(LOOK) } else { LOOK };
        let goes_on = tokio::select! {
            // Something new: look at once. A receiver that fell behind has something to look for too.
            heard = told.recv() => !matches!(heard, Err(tokio::sync::broadcast::error::RecvError::Closed))
                || pause(&app, wait).await,
            goes_on = pause(&app, wait) => goes_on,
        };
        if !goes_on {
            return;
        }
    }
}

/// Tries an item at every webhook that has not taken it; whether it is done.
async fn deliver(app: &App, item: &Waiting, memory: &mut Memory) -> bool {
    let now_ms = app.now_ms();
    if memory.items.get(&item.id).is_some_and(|(due_ms, _)| now_ms < *due_ms) {
        return false;
    }
    let hooks = called(app, item);
    for at in hooks.iter().copied() {
        let target = &app.settings.webhooks[at].target;
        let has_it = memory.taken.get(&item.id).is_some_and(|taken| taken.contains(&at));
        let is_away = memory.hooks.get(&at).is_some_and(|(due_ms, _)| now_ms < *due_ms);
        if has_it || is_away {
            continue;
        }
        let result = post(app, target, item).await;
        let word = if result.is_ok() { "delivered" } else { "failed" };
        app.metrics.add("volary_deliveries_total", format!("result=\"{word}\""), 1);
        match result {
            Ok(()) => {
                memory.hooks.remove(&at);
                memory.taken.entry(item.id.clone()).or_default().insert(at);
            }
            Err(failure) => {
                let pairs = [("host", target.host()), ("item", &item.id), ("why", &failure.why)];
                app.log("delivery failed", &pairs);
                // A webhook that answers, but not to this item, may well take the next one.
                if !failure.is_items_fault {
                    later(app, memory.hooks.entry(at).or_insert((0, 0)));
                }
            }
        }
    }
    let has_it = |at: &usize| memory.taken.get(&item.id).is_some_and(|taken| taken.contains(at));
    if !hooks.is_empty() && hooks.iter().all(has_it) {
        // If this is not written, the item is sent once more, which its key tells.
        return app.live.delivered(&item.id).await.is_ok();
    }
    later(app, memory.items.entry(item.id.clone()).or_insert((0, 0)));
    let _ = app.live.attempted(&item.id).await;
    false
}

/// Which webhooks an item is for: those of its name if a rule calls one, else those without a name.
fn called(app: &App, item: &Waiting) -> Vec<usize> {
    let webhooks = app.settings.webhooks.iter().enumerate();
    let body: serde_json::Value = serde_json::from_str(&item.body).unwrap_or_default();
    let to = body.get("to").and_then(serde_json::Value::as_str);
    let to = to.filter(|_| body.get("effect").is_some_and(|effect| effect == "webhook"));
    let named: Vec<usize> = webhooks
        .clone()
        .filter(|(_, hook)| to.is_some() && hook.name.as_deref() == to)
        .map(|(at, _)| at)
        .collect();
    if named.is_empty() {
        return webhooks.filter(|(_, hook)| hook.name.is_none()).map(|(at, _)| at).collect();
    }
    named
}

fn later(app: &App, due: &mut (i64, u32)) {
    let factor = 2_u32.saturating_pow(due.1).min(MAX_FACTOR);
    let wait = app.settings.retry_after.saturating_mul(factor);
    *due = (app.now_ms() + i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 4), due.1 + 1);
}

struct Failure {
    why: String,
    is_items_fault: bool,
}

async fn post(app: &App, target: &Target, item: &Waiting) -> Result<(), Failure> {
    let other = |why: String| Failure { why, is_items_fault: false };
    let mut nonce = [0_u8; 16];
    getrandom::fill(&mut nonce).map_err(|error| other(error.to_string()))?;
    let nonce = data_encoding::HEXLOWER.encode(&nonce);
    let body = item.body.clone();
    let t = app.now_ms().div_euclid(1_000);
    let secret = app.settings.outgoing_secret.as_ref();
    let signature = secret.map(|secret| secret.sign(t, &nonce, body.as_bytes()));
    let (agent, url) = (target.agent(), target.url().to_owned());
    // A header holds visible ASCII; the id of a subject may be anything.
    let key = blake3::hash(item.id.as_bytes()).to_hex().to_string();
    let sent = blocking(move || {
        let mut request =
            agent.post(&url).header("content-type", "application/json").header("idempotency-key", &key);
        if let Some(signature) = &signature {
            request = request.header(crate::signature::HEADER, signature);
        }
        request.send(body.as_bytes()).map(|response| response.status().as_u16())
    });
    match sent.await {
        Some(Ok(200..=299)) => Ok(()),
        Some(Ok(status)) => {
            let is_items_fault =
                (400..500).contains(&status) && ![401, 403, 404, 408, 429].contains(&status);
            Err(Failure { why: format!("it answered {status}"), is_items_fault })
        }
        Some(Err(error)) => Err(other(error.to_string())),
        None => Err(other("the request broke off".to_owned())),
    }
}
