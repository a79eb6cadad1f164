//! A campaign at one desk, event by event.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use super::crowd::{Script, Slot};
use super::{Decision, Desk};
use crate::pool::{Item, Mixture, Pool};
use crate::sampling::Stream;

/// What became of a subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// What it was.
    pub is_real: bool,
    /// When it arrived.
    pub arrived_ms: i64,
    /// When the desk alerted.
    pub alerted_ms: Option<i64>,
    /// Votes that had arrived then, the last one included.
    pub n_at_alert: Option<u32>,
    /// When the desk retired it.
    pub retired_ms: Option<i64>,
    /// Votes that have arrived.
    pub n_votes: u32,
    /// Those of them that came after retirement.
    pub n_late: u32,
}

impl Fate {
    /// Whether nothing more is to be decided.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.retired_ms.is_some() || self.alerted_ms.is_some()
    }
}

/// A campaign at one desk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// By subject, in order of arrival.
    pub fates: Vec<Fate>,
    /// Moments at which a volunteer had time and there was nothing left to show.
    pub n_idle: u64,
}

pub(super) fn run(script: &Script, desk: &mut dyn Desk) -> Run {
    // One stream is all there is, so that no mixture can be wrong.
    let mixture = Mixture { real_time: 1.0, debiased: 0.0, active: 0.0, validation_rate: 0.0 };
    let Ok(pool) = Pool::new(mixture, script.seed) else { return Run { fates: Vec::new(), n_idle: 0 } };
    let fates = script.subjects.iter();
    let fates = fates.map(|s| Fate { is_real: s.is_real, arrived_ms: s.at_ms, ..Fate::default() });
    let fates: Vec<Fate> = fates.collect();
    let n_out = vec![0; fates.len()];
    let mut table = Table {
        script,
        pool,
        fates,
        n_out,
        seen: HashSet::new(),
        waiting: BinaryHeap::new(),
        n_idle: 0,
    };
    let mut arrivals = script.subjects.iter().zip(0_u32..).peekable();
    for (ticket, slot) in (0_u64..).zip(&script.slots) {
        while let Some((_, subject)) = arrivals.next_if(|(s, _)| s.at_ms <= slot.at_ms) {
            table.show(subject);
        }
        table.deliver(desk, Some(slot.at_ms));
        table.serve(slot, ticket);
    }
    table.deliver(desk, None);
    Run { fates: table.fates, n_idle: table.n_idle }
}

struct Table<'a> {
    script: &'a Script,
    pool: Pool,
    fates: Vec<Fate>,
    /// How often each was handed out.
    n_out: Vec<u32>,
    // For lookup only.
    seen: HashSet<(u32, u32)>,
    /// Votes on their way: when they arrive, ticket, volunteer, subject.
    waiting: BinaryHeap<Reverse<(i64, u64, u32, u32)>>,
    n_idle: u64,
}

impl Table<'_> {
    /// Puts a subject in the pool, or back with what was handed out since.
    fn show(&mut self, subject: u32) {
        let n_votes = self.n_out[subject as usize];
        let (stream, priority) = (Stream::RealTime, 0.0);
        self.pool.upsert(&Item { subject: name(subject), stream, n_votes, priority });
    }

    /// Gives the desk the votes that have arrived by then, or all.
    fn deliver(&mut self, desk: &mut dyn Desk, until: Option<i64>) {
        while let Some(&Reverse((at_ms, _, volunteer, subject))) = self.waiting.peek() {
            if until.is_some_and(|until| at_ms > until) {
                break;
            }
            self.waiting.pop();
            let answer = self.script.answer(volunteer, subject);
            let decisions = desk.vote(&name(subject), &format!("v{volunteer:05}"), answer, at_ms);
            let fate = &mut self.fates[subject as usize];
            fate.n_votes += 1;
            fate.n_late += u32::from(fate.retired_ms.is_some());
            for decision in decisions {
                match decision {
                    Decision::Alert if fate.alerted_ms.is_none() => {
                        (fate.alerted_ms, fate.n_at_alert) = (Some(at_ms), Some(fate.n_votes));
                    }
                    Decision::Retire if fate.retired_ms.is_none() => {
                        fate.retired_ms = Some(at_ms);
                        self.pool.remove(&name(subject));
                    }
                    Decision::Alert | Decision::Retire => (),
                }
            }
        }
    }

    fn serve(&mut self, slot: &Slot, ticket: u64) {
        let seen =
            |id: &str| number(id).is_none_or(|subject| self.seen.contains(&(slot.volunteer, subject)));
        let served = self.pool.next(&seen, 1, ticket);
        let Some(subject) = served.first().and_then(|served| number(&served.subject)) else {
            self.n_idle += 1;
            return;
        };
        self.seen.insert((slot.volunteer, subject));
        self.n_out[subject as usize] += 1;
        self.show(subject);
        self.waiting.push(Reverse((slot.done_ms, ticket, slot.volunteer, subject)));
    }
}

/// Ids sort as subjects arrive.
fn name(subject: u32) -> String {
    format!("s{subject:08}")
}

fn number(name: &str) -> Option<u32> {
    name.strip_prefix('s')?.parse().ok()
}
