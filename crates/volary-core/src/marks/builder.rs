//! Collects views and marks in any order and makes them canonical.

use rayon::prelude::*;

use super::{Marks, NONE};
use crate::symbol::{Pool, Symbol};

/// Order of classification ids, for ties of time: 24 hexadecimal digits (object ids of the old platform)
/// by value, then whole numbers by value, then anything else by its fingerprint. Ids of one kind that
/// increase with time therefore stay in their order. Different ids have different keys (of "anything
/// else", up to a chance of 2^-127 a pair).
#[must_use]
pub fn order_key(id: &str) -> u128 {
    const NUMBER: u128 = 1 << 126;
    const OTHER: u128 = 1 << 127;
    let bytes = id.as_bytes();
    if bytes.len() == 24
        && let Ok(value) = u128::from_str_radix(id, 16)
        && bytes.iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b))
    {
        return value;
    }
    let is_canonical = bytes.len() == 1 || bytes.first().is_some_and(|&b| b != b'0');
    if is_canonical && bytes.len() <= 30 && bytes.iter().all(u8::is_ascii_digit) {
        return NUMBER | id.parse().unwrap_or(OTHER);
    }
    // FNV-1a, as in `seed`: fixed for ever.
    let fnv = |basis: u64| {
        bytes.iter().fold(basis, |key, &b| (key ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3))
    };
    let (high, low) = (fnv(0xcbf2_9ce4_8422_2325), fnv(0x6c62_272e_07bb_0142));
    OTHER | (u128::from(high) << 63) ^ u128::from(low)
}

/// Collects views in any order.
///
/// Readers that know their views (the same classification id on several rows) call [`Self::view`] once
/// and [`Self::mark`] for every range in it.
///
/// ```
/// let mut builder = volary_core::marks::MarksBuilder::default();
/// let view = builder.view("subject 7", "ann", None, 1);
/// builder.mark(view, 3.25, 3.5);
/// assert_eq!(builder.finish().n_marks(), 1);
/// ```
#[derive(Clone, Debug, Default)]
pub struct MarksBuilder {
    subjects: Pool,
    volunteers: Pool,
    simulations: Pool,
    stars: Pool,
    simulation: Vec<Option<Symbol>>,
    star: Vec<Option<Symbol>>,
    start_days: Vec<f64>,
    views: Vec<RawView>,
    marks: Vec<RawMark>,
}

#[derive(Clone, Copy, Debug)]
struct RawView {
    subject: u32,
    volunteer: u32,
    created_ms: i64,
    key: u128,
}

#[derive(Clone, Copy, Debug)]
struct RawMark {
    view: u32,
    x_min: f64,
    x_max: f64,
}

fn index(symbol: Symbol) -> u32 {
    u32::try_from(symbol.index()).unwrap_or(NONE)
}

impl MarksBuilder {
    /// The subject of an id, new or known.
    pub fn subject(&mut self, id: &str) -> u32 {
        let subject = self.subjects.intern(id);
        if subject.index() == self.simulation.len() {
            self.simulation.push(None);
            self.star.push(None);
            self.start_days.push(f64::NAN);
        }
        index(subject)
    }

    /// The volunteer of a key, new or known.
    pub fn volunteer(&mut self, key: &str) -> u32 {
        index(self.volunteers.intern(key))
    }

    /// Says that a subject shows a simulation. The smallest id wins where rows disagree.
    pub fn simulated(&mut self, subject: u32, simulation: &str) {
        let new = self.simulations.intern(simulation);
        let known = &mut self.simulation[subject as usize];
        if known.is_none_or(|k| self.simulations.text(new) < self.simulations.text(k)) {
            *known = Some(new);
        }
    }

    /// Says which star's light curve a subject shows and where its segment starts (days, NaN for
    /// unknown). The smallest wins where rows disagree.
    pub fn light_curve(&mut self, subject: u32, star: &str, start_days: f64) {
        let at = subject as usize;
        let new = self.stars.intern(star);
        if self.star[at].is_none_or(|k| self.stars.text(new) < self.stars.text(k)) {
            self.star[at] = Some(new);
        }
        self.start_days[at] = self.start_days[at].min(start_days);
    }

    /// Adds a view. `key` breaks ties of time ([`order_key`] of the classification's id).
    pub fn view(&mut self, subject: &str, volunteer: &str, created_ms: Option<i64>, key: u128) -> u32 {
        let (subject, volunteer) = (self.subject(subject), self.volunteer(volunteer));
        self.view_by_index(subject, volunteer, created_ms, key)
    }

    /// The same for a subject and a volunteer that were looked up before.
    pub fn view_by_index(
        &mut self,
        subject: u32,
        volunteer: u32,
        created_ms: Option<i64>,
        key: u128,
    ) -> u32 {
        let view = u32::try_from(self.views.len()).unwrap_or(NONE);
        let created_ms = created_ms.unwrap_or(i64::MIN);
        self.views.push(RawView { subject, volunteer, created_ms, key });
        view
    }

    /// Adds a marked range to a view. Reversed bounds are swapped; a bound that is no finite number
    /// adds nothing (readers list both).
    pub fn mark(&mut self, view: u32, x_min_days: f64, x_max_days: f64) {
        if x_min_days.is_finite() && x_max_days.is_finite() {
            let (x_min, x_max) = (x_min_days.min(x_max_days), x_min_days.max(x_max_days));
            self.marks.push(RawMark { view, x_min, x_max });
        }
    }

    /// How many views there are so far.
    #[must_use]
    pub fn n_views(&self) -> usize {
        self.views.len()
    }

    /// The table.
    #[must_use]
    pub fn finish(self) -> Marks {
        let (subjects, subject_at) = sorted(&self.subjects);
        let (volunteers, volunteer_at) = sorted(&self.volunteers);
        let (simulations, simulation_at) = sorted(&self.simulations);
        let (stars, star_at) = sorted(&self.stars);
        let mut marks = Marks {
            simulation: vec![NONE; subjects.len()],
            star: vec![NONE; subjects.len()],
            start_days: vec![f64::NAN; subjects.len()],
            subjects,
            volunteers,
            simulations,
            stars,
            ..Marks::default()
        };
        for (raw, &at) in subject_at.iter().enumerate() {
            let at = at as usize;
            marks.simulation[at] = self.simulation[raw].map_or(NONE, |s| simulation_at[s.index()]);
            marks.star[at] = self.star[raw].map_or(NONE, |s| star_at[s.index()]);
            marks.start_days[at] = self.start_days[raw];
        }
        let order = self.place_views(&mut marks, &subject_at, &volunteer_at);
        self.place_marks(&mut marks, &order);
        marks
    }

    /// Fills the view columns; gives the raw index of each view in its new order.
    fn place_views(&self, marks: &mut Marks, subject_at: &[u32], volunteer_at: &[u32]) -> Vec<u32> {
        // First by subject, by counting; then each subject's few views by the rest.
        let at = |view: &RawView| subject_at[view.subject as usize] as usize;
        let mut start = vec![0_u32; marks.subjects.len() + 1];
        for view in &self.views {
            start[at(view) + 1] += 1;
        }
        for subject in 0..marks.subjects.len() {
            start[subject + 1] += start[subject];
        }
        let mut next = start.clone();
        let mut order = vec![0_u32; self.views.len()];
        for (raw, view) in self.views.iter().enumerate() {
            let slot = &mut next[at(view)];
            order[*slot as usize] = u32::try_from(raw).unwrap_or(NONE);
            *slot += 1;
        }
        for bounds in start.windows(2) {
            order[bounds[0] as usize..bounds[1] as usize].sort_unstable_by_key(|&raw| {
                let view = &self.views[raw as usize];
                // The rank at the end decides only between rows that say the same of who and when.
                (volunteer_at[view.volunteer as usize], view.created_ms, view.key, raw)
            });
        }
        for &raw in &order {
            let view = &self.views[raw as usize];
            marks.view_subject.push(subject_at[view.subject as usize]);
            marks.view_volunteer.push(volunteer_at[view.volunteer as usize]);
            marks.view_created_ms.push(view.created_ms);
        }
        marks.view_start = start;
        marks.view_rank.clone_from(&order);
        order
    }

    fn place_marks(&self, marks: &mut Marks, order: &[u32]) {
        // Counting sort by view keeps the marks of a view in their rows' order; then by bounds.
        let mut place = vec![0_u32; order.len()];
        for (at, &raw) in order.iter().enumerate() {
            place[raw as usize] = u32::try_from(at).unwrap_or(NONE);
        }
        let mut start = vec![0_u32; order.len() + 1];
        for mark in &self.marks {
            start[place[mark.view as usize] as usize + 1] += 1;
        }
        for view in 0..order.len() {
            start[view + 1] += start[view];
        }
        let mut next = start.clone();
        let mut ranks = vec![0_u32; self.marks.len()];
        for (rank, mark) in self.marks.iter().enumerate() {
            let slot = &mut next[place[mark.view as usize] as usize];
            ranks[*slot as usize] = u32::try_from(rank).unwrap_or(NONE);
            *slot += 1;
        }
        for bounds in start.windows(2) {
            ranks[bounds[0] as usize..bounds[1] as usize].sort_by(|&a, &b| {
                let (a, b) = (&self.marks[a as usize], &self.marks[b as usize]);
                a.x_min.total_cmp(&b.x_min).then(a.x_max.total_cmp(&b.x_max))
            });
        }
        let of = |rank: &u32| &self.marks[*rank as usize];
        marks.x_min_days = ranks.iter().map(|r| of(r).x_min).collect();
        marks.x_max_days = ranks.iter().map(|r| of(r).x_max).collect();
        marks.mark_start = start;
        marks.mark_rank = ranks;
    }
}

/// The strings of a pool in ascending order, and the place of each symbol in that order.
fn sorted(pool: &Pool) -> (Vec<String>, Vec<u32>) {
    let mut texts: Vec<(&str, usize)> = pool.iter().zip(0..).collect();
    texts.par_sort_unstable();
    let mut at = vec![0; texts.len()];
    for (place, &(_, raw)) in texts.iter().enumerate() {
        at[raw] = u32::try_from(place).unwrap_or(NONE);
    }
    (texts.into_iter().map(|(text, _)| text.to_owned()).collect(), at)
}
