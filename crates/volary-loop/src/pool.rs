//! What a volunteer is asked next: the pool of open subjects, by stream.
//!
//! A request draws a stream by a seeded hash of its ticket, and takes from it the subject with the fewest
//! votes, then the highest priority, then the lowest id, that this volunteer has not seen. The ticket
//! decides, not the volunteer, so that nobody can be kept away from a stream.
//!
//! Costs do not grow with the pool: an update is O(log n), and a request looks at no more than
//! [`MOST_IN_ORDER`] subjects of a stream in order and then at [`MOST_ELSEWHERE`] elsewhere in it. So a
//! stream with no more subjects than that is answered exactly. In a longer one a volunteer who has seen the
//! first thousand gets a subject from further on, out of order, and one who has seen 99 of 100 misses
//! with a chance of 4 in 100,000; the next ticket looks elsewhere.
//!
//! It does not know who has seen what (the caller does), casts no votes and retires nothing. To keep
//! subjects that were handed out from being handed out too often, count those as votes in `n_votes`.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, btree_set};
use std::sync::Arc;

use crate::hash::{mix, mixed_share};
use crate::sampling::Stream;

/// Subjects of a stream that a request looks at in order.
pub const MOST_IN_ORDER: usize = 1_000;
/// Subjects that it then looks at anywhere in the stream.
pub const MOST_ELSEWHERE: usize = 1_000;

/// How requests are spread over the streams.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mixture {
    /// Weight of the real-time stream.
    pub real_time: f64,
    /// Weight of the de-biased stream.
    pub debiased: f64,
    /// Weight of the active stream.
    pub active: f64,
    /// Share of all requests that get a subject with a known answer, 0 to 1.
    pub validation_rate: f64,
}

impl Default for Mixture {
    fn default() -> Self {
        Self { real_time: 0.6, debiased: 0.25, active: 0.15, validation_rate: 0.05 }
    }
}

impl Mixture {
    fn weight(&self, stream: Stream) -> f64 {
        match stream {
            Stream::RealTime => self.real_time,
            Stream::Debiased => self.debiased,
            Stream::Active => self.active,
            Stream::Validation => 0.0,
        }
    }

    fn check(&self) -> Result<(), PoolError> {
        let weights = [self.real_time, self.debiased, self.active];
        let is_sound = weights.iter().all(|w| w.is_finite() && *w >= 0.0);
        if !is_sound || !weights.iter().sum::<f64>().is_normal() {
            return Err(PoolError::Weights);
        }
        if !(0.0..1.0).contains(&self.validation_rate) {
            return Err(PoolError::ValidationRate);
        }
        Ok(())
    }
}

/// Why a pool cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// Weights that are none.
    #[error("the weights of the streams must be finite, not negative and not all 0")]
    Weights,
    /// A rate that is none, or leaves nothing else.
    #[error(
        "the validation rate must lie between 0 and 1 (1 itself would ask nothing new); 0.05 is usual"
    )]
    ValidationRate,
}

/// A subject that is open.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its id.
    pub subject: String,
    /// The stream it is in.
    pub stream: Stream,
    /// Votes so far.
    pub n_votes: u32,
    /// Higher comes first among those with as many votes; what is no number comes last.
    pub priority: f64,
}

/// What a volunteer gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The subject.
    pub subject: String,
    /// The stream that it is from.
    pub stream: Stream,
    /// Votes so far.
    pub n_votes: u32,
}

/// The order in a stream: fewest votes, highest priority, lowest id.
type Key = (u32, Reverse<u64>, Arc<str>);

#[derive(Clone, Debug, Default)]
struct Queue {
    order: BTreeSet<Key>,
    /// The same subjects in no order, to reach any of them at once.
    anywhere: Vec<Key>,
}

#[derive(Clone, Debug)]
struct Place {
    stream: Stream,
    key: Key,
    /// Where it is in `anywhere`.
    slot: usize,
}

/// The open subjects.
#[derive(Clone, Debug)]
pub struct Pool {
    mixture: Mixture,
    seed: u64,
    queues: [Queue; 4],
    // For lookup only; nothing walks it.
    places: HashMap<Arc<str>, Place>,
}

impl Pool {
    /// An empty pool.
    ///
    /// # Errors
    /// [`PoolError`] for a mixture that is none.
    pub fn new(mixture: Mixture, seed: u64) -> Result<Self, PoolError> {
        mixture.check()?;
        Ok(Self { mixture, seed, queues: Default::default(), places: HashMap::new() })
    }

    /// A pool with the same mixture and seed and nothing in it.
    #[must_use]
    pub fn empty(&self) -> Self {
        Self {
            mixture: self.mixture,
            seed: self.seed,
            queues: Default::default(),
            places: HashMap::new(),
        }
    }

    /// Subjects in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Subjects of one stream.
    #[must_use]
    pub fn n_in(&self, stream: Stream) -> usize {
        self.queues[stream as usize].anywhere.len()
    }

    /// What is known of a subject.
    #[must_use]
    pub fn get(&self, subject: &str) -> Option<Item> {
        let place = self.places.get(subject)?;
        let (n_votes, Reverse(bits), id) = &place.key;
        let priority = priority_of(*bits);
        Some(Item { subject: id.to_string(), stream: place.stream, n_votes: *n_votes, priority })
    }

    /// Puts a subject in, or changes what is known of it.
    pub fn upsert(&mut self, item: &Item) {
        self.remove(&item.subject);
        let subject: Arc<str> = item.subject.as_str().into();
        let key: Key = (item.n_votes, Reverse(order_bits(item.priority)), subject.clone());
        let queue = &mut self.queues[item.stream as usize];
        queue.order.insert(key.clone());
        let slot = queue.anywhere.len();
        queue.anywhere.push(key.clone());
        self.places.insert(subject, Place { stream: item.stream, key, slot });
    }

    /// Takes a subject out; whether it was in.
    pub fn remove(&mut self, subject: &str) -> bool {
        let Some(place) = self.places.remove(subject) else { return false };
        let queue = &mut self.queues[place.stream as usize];
        queue.order.remove(&place.key);
        queue.anywhere.swap_remove(place.slot);
        if let Some((_, _, moved)) = queue.anywhere.get(place.slot)
            && let Some(moved) = self.places.get_mut(moved)
        {
            moved.slot = place.slot;
        }
        true
    }

    /// The next `n` subjects for somebody who has `seen` some: fewer where there are no more, and none
    /// twice. `ticket` is the number of the request; the same one gets the same answer.
    ///
    /// Validation subjects come at their rate and never fill up for others: where nothing else is left,
    /// nothing is served.
    #[must_use]
    pub fn next(&self, seen: &dyn Fn(&str) -> bool, n: usize, ticket: u64) -> Vec<Served> {
        let mut walks = Stream::ALL.map(|stream| Walk::new(self, stream, ticket));
        let mut served = Vec::with_capacity(n.min(64));
        for position in 0..n as u64 {
            let u = |purpose| mixed_share(&[self.seed, ticket, position, purpose]);
            let ordinary = self.ordinary(&mut walks, seen, u(1));
            let Some(ordinary) = ordinary else { break };
            let validation = &mut walks[Stream::Validation as usize];
            let is_validation = u(2) < self.mixture.validation_rate && validation.peek(seen).is_some();
            let stream = if is_validation { Stream::Validation } else { ordinary };
            let Some((n_votes, _, id)) = walks[stream as usize].take(seen) else { break };
            served.push(Served { subject: id.to_string(), stream, n_votes: *n_votes });
        }
        served
    }

    /// The stream that `share` points to, among those that have something.
    fn ordinary(
        &self,
        walks: &mut [Walk<'_>; 4],
        seen: &dyn Fn(&str) -> bool,
        share: f64,
    ) -> Option<Stream> {
        let mut weights = [0.0; 4];
        let mut last = None;
        for stream in [Stream::RealTime, Stream::Debiased, Stream::Active] {
            let weight = self.mixture.weight(stream);
            if weight > 0.0 && walks[stream as usize].peek(seen).is_some() {
                weights[stream as usize] = weight;
                last = Some(stream);
            }
        }
        let mut left = share * weights.iter().sum::<f64>();
        let found = Stream::ALL.into_iter().find(|&stream| {
            let weight = weights[stream as usize];
            left -= weight;
            weight > 0.0 && left < 0.0
        });
        found.or(last)
    }
}

/// A stream as one request goes through it.
struct Walk<'a> {
    iter: btree_set::Iter<'a, Key>,
    anywhere: &'a [Key],
    n_in_order: usize,
    n_elsewhere: usize,
    start: u64,
    ready: Option<&'a Key>,
    taken: Vec<&'a str>,
}

impl<'a> Walk<'a> {
    fn new(pool: &'a Pool, stream: Stream, ticket: u64) -> Self {
        let queue = &pool.queues[stream as usize];
        let start = mix(&[pool.seed, ticket, stream as u64, 3]);
        let (iter, anywhere) = (queue.order.iter(), queue.anywhere.as_slice());
        Self { iter, anywhere, n_in_order: 0, n_elsewhere: 0, start, ready: None, taken: Vec::new() }
    }

    /// The next one unseen, without taking it.
    fn peek(&mut self, seen: &dyn Fn(&str) -> bool) -> Option<&'a Key> {
        if self.ready.is_none() {
            self.ready = self.in_order(seen).or_else(|| self.elsewhere(seen));
        }
        self.ready
    }

    fn take(&mut self, seen: &dyn Fn(&str) -> bool) -> Option<&'a Key> {
        let key = self.peek(seen)?;
        self.taken.push(&key.2);
        self.ready = None;
        Some(key)
    }

    fn in_order(&mut self, seen: &dyn Fn(&str) -> bool) -> Option<&'a Key> {
        // A stream that fits is looked at as a whole.
        let is_short = self.anywhere.len() <= MOST_IN_ORDER + MOST_ELSEWHERE;
        while is_short || self.n_in_order < MOST_IN_ORDER {
            let key = self.iter.next()?;
            if !seen(&key.2) {
                return Some(key);
            }
            self.n_in_order += 1;
        }
        None
    }

    fn elsewhere(&mut self, seen: &dyn Fn(&str) -> bool) -> Option<&'a Key> {
        let n = self.anywhere.len();
        if n <= MOST_IN_ORDER + MOST_ELSEWHERE {
            return None;
        }
        while self.n_elsewhere < MOST_ELSEWHERE {
            let at = mix(&[self.start, self.n_elsewhere as u64]) % n as u64;
            self.n_elsewhere += 1;
            let key = &self.anywhere[at as usize];
            if !self.taken.contains(&&*key.2) && !seen(&key.2) {
                return Some(key);
            }
        }
        None
    }
}

/// Bits that sort as the numbers do; no number sorts lowest.
fn order_bits(priority: f64) -> u64 {
    if priority.is_nan() {
        return 0;
    }
    // -0.0 and 0.0 are one priority.
    let bits = (priority + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn priority_of(bits: u64) -> f64 {
    match bits {
        0 => f64::NAN,
        bits if bits >> 63 == 1 => f64::from_bits(bits & !(1 << 63)),
        bits => f64::from_bits(!bits),
    }
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
