//! Which views count where a volunteer saw a subject more than once.
//!
//! Under `first` and `last`, a range that stands twice in one view is one mark: an export that was
//! appended to itself says nothing new.

use volary_core::marks::{Marks, NONE};

use crate::repeats::Repeats;

/// The table with the views that count, and how many repeat an earlier one (whether they count or not).
#[must_use]
pub fn counted_views(marks: Marks, rule: Repeats) -> (Marks, u64) {
    let mut keep = vec![true; marks.n_views()];
    let mut n_repeats = 0;
    for view in 1..marks.n_views() {
        let place = |v: usize| (marks.view_subject[v], marks.view_volunteer[v]);
        if place(view - 1) == place(view) {
            n_repeats += 1;
            // Views of one volunteer stand in the order of time.
            match rule {
                Repeats::First => keep[view] = false,
                Repeats::Last => keep[view - 1] = false,
                Repeats::All => {}
            }
        }
    }
    if rule == Repeats::All {
        return (marks, n_repeats);
    }
    let kept = if keep.iter().all(|&k| k) { marks } else { marks.retain_views(&keep) };
    (without_doubles(kept), n_repeats)
}

fn without_doubles(marks: Marks) -> Marks {
    let same = |a: usize, b: usize| {
        marks.x_min_days[a].total_cmp(&marks.x_min_days[b]).is_eq()
            && marks.x_max_days[a].total_cmp(&marks.x_max_days[b]).is_eq()
    };
    // Marks of a view are sorted by bounds, so equal ones are neighbours.
    let is_double =
        |view: usize, mark: usize| mark > marks.mark_start[view] as usize && same(mark - 1, mark);
    let any = (0..marks.n_views()).any(|v| marks.marks_of(v).any(|m| is_double(v, m)));
    if !any {
        return marks;
    }
    let mut out = Marks { mark_start: vec![0], ..Marks::default() };
    for view in 0..marks.n_views() {
        for mark in marks.marks_of(view).filter(|&m| !is_double(view, m)) {
            out.x_min_days.push(marks.x_min_days[mark]);
            out.x_max_days.push(marks.x_max_days[mark]);
            out.mark_rank.push(marks.mark_rank[mark]);
        }
        out.mark_start.push(u32::try_from(out.x_min_days.len()).unwrap_or(NONE));
    }
    let Marks { mark_start, x_min_days, x_max_days, mark_rank, .. } = out;
    Marks { mark_start, x_min_days, x_max_days, mark_rank, ..marks }
}
