//! The store as this crate sees it: what was told, in order, and whether votes were right.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;
use volary_live::event::Answers;
use volary_live::{Key, Live, LiveError};

/// Something that was told, with its place in the order of telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) seq: i64,
    pub(crate) id: String,
    pub(crate) at_ms: i64,
    /// The effect as JSON.
    pub(crate) body: String,
}

/// Whether a vote on a validation subject was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) right: bool,
    pub(crate) truth: Answers,
}

/// The store's announcements.
#[derive(Clone)]
pub(crate) struct View {
    told: broadcast::Sender<Arc<Told>>,
    ring: Arc<Mutex<VecDeque<Told>>>,
}

impl View {
    pub(crate) fn new(live: &Live) -> Self {
        let (told, _) = broadcast::channel(4096);
        let view = Self { told, ring: Arc::default() };
        let mut effects = live.effects();
        let own = view.clone();
        tokio::spawn(async move {
            let mut seq = 0;
            while let Ok(effect) = effects.recv().await {
                seq += 1;
                let told = Told { seq, id: effect.id(), at_ms: 0, body: effect.to_json() };
                own.ring.lock().unwrap_or_else(PoisonError::into_inner).push_back(told.clone());
                let _ = own.told.send(Arc::new(told));
            }
        });
        view
    }

    pub(crate) fn told(&self, _: &Live) -> broadcast::Receiver<Arc<Told>> {
        self.told.subscribe()
    }

    pub(crate) async fn told_after(
        &self,
        _: &Live,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<Told>, LiveError> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(ring.iter().filter(|told| told.seq > seq).take(limit as usize).cloned().collect())
    }

    pub(crate) async fn verdicts(
        &self,
        _: &Live,
        votes: &[Key],
    ) -> Result<Vec<Option<Verdict>>, LiveError> {
        Ok(vec![None; votes.len()])
    }
}
