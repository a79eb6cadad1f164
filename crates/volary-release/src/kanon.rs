//! k-anonymity: nobody stands out by what a stranger may know about them.
//!
//! Columns that a stranger may know (quasi-identifiers: how much somebody did, since when, where, with
//! whom) are made coarse along declared ladders until few rows stand in groups of fewer than k; of those
//! the cells that set them apart are blanked; what still stands apart is withheld. Of all rungs the ones
//! that lose least are taken. Sweeney 2002, doi:10.1142/S0218488502001648; l-diversity (at least l
//! different sensitive values in a group): Machanavajjhala et al. 2007, doi:10.1145/1217299.1217302.
//!
//! Loss is that of the normalized certainty penalty (Xu et al. 2006, doi:10.1145/1150402.1150504): a cell
//! loses the share of the column's other values that it may now be, a blank or withheld cell all.
//!
//! The search over rungs is exact. Which cells to blank is chosen greedily, fewest columns first, and so
//! is minimal for one column only. k-anonymity is about these columns and no others: the set of subjects
//! that somebody classified is close to unique, which is why rows have subject-local pseudonyms.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::calendar::{Resolution, bucket_start, bucket_text};
use crate::error::ReleaseError;

/// The most columns that may be declared; a fixed number keeps a group in one small array.
pub const MAX_COLUMNS: usize = 6;
/// Sensitive values are counted in the bits of a word.
pub const MAX_SENSITIVE: usize = 64;
const BLANK: u32 = u32::MAX;
const WITHHELD: u8 = u8::MAX;

/// One quasi-identifier: a value for each row, and how it may be made coarse.
#[derive(Clone, Debug)]
pub struct Ladder {
    name: String,
    codes: Vec<u32>,
    rungs: Vec<Rung>,
    must_be_told: bool,
}

#[derive(Clone, Debug)]
struct Rung {
    name: &'static str,
    labels: Vec<String>,
    /// Label of this rung of each label of the rung below.
    from_below: Vec<u32>,
    /// Loss of a cell with this label.
    loss: Vec<f64>,
}

/// A rung above another: its name, the coarser value, its text.
struct Step<'s, T> {
    rung: &'static str,
    coarser: &'s dyn Fn(&T) -> T,
    text: &'s dyn Fn(&T) -> String,
}

impl Ladder {
    /// Values, and functions that make them coarser, each from the value of the rung below.
    fn of<T: Ord + Clone>(
        name: &str,
        values: &[T],
        bottom: &'static str,
        text: impl Fn(&T) -> String,
        steps: &[Step<'_, T>],
    ) -> Self {
        let mut distinct: Vec<&T> = values.iter().collect();
        distinct.sort_unstable();
        distinct.dedup();
        let place = |v: &T| distinct.binary_search(&v).unwrap_or_else(|at| at) as u32;
        let codes = values.iter().map(place).collect();
        let n = distinct.len();
        let mut below: Vec<T> = distinct.into_iter().cloned().collect();
        let mut covered = vec![1_usize; n];
        let mut rungs = vec![Rung {
            name: bottom,
            labels: below.iter().map(text).collect(),
            from_below: (0..n as u32).collect(),
            loss: vec![0.0; n],
        }];
        for Step { rung, coarser, text } in steps {
            let image: Vec<T> = below.iter().map(coarser).collect();
            let mut here = image.clone();
            here.sort_unstable();
            here.dedup();
            let from_below: Vec<u32> =
                image.iter().map(|v| here.binary_search(v).unwrap_or_else(|at| at) as u32).collect();
            let mut covers = vec![0; here.len()];
            for (label, count) in from_below.iter().zip(&covered) {
                covers[*label as usize] += count;
            }
            let loss = covers.iter().map(|&c: &usize| (c - 1) as f64 / (n.max(2) - 1) as f64).collect();
            rungs.push(Rung { name: rung, labels: here.iter().map(text).collect(), from_below, loss });
            (below, covered) = (here, covers);
        }
        // The last rung is "not told": for everybody the same blank.
        let top = below.len();
        rungs.push(Rung {
            name: "none",
            labels: if n == 0 { Vec::new() } else { vec![String::new()] },
            from_below: vec![0; top],
            loss: if n == 0 { Vec::new() } else { vec![1.0] },
        });
        Self { name: name.to_owned(), codes, rungs, must_be_told: false }
    }

    /// Takes the blank away: a row whose cell cannot be told is withheld.
    #[must_use]
    pub fn must_be_told(mut self) -> Self {
        if self.rungs.len() > 1 {
            self.rungs.pop();
        }
        self.must_be_told = true;
        self
    }

    /// A column that is told or not: a country, a group.
    #[must_use]
    pub fn told(name: &str, values: &[String]) -> Self {
        Self::of(name, values, "value", String::clone, &[])
    }

    /// How much somebody did: powers of ten, then of a hundred. The bands do not depend on the data, and
    /// the highest has no end, or the busiest person would be read off it.
    #[must_use]
    pub fn counts(name: &str, counts: &[u64]) -> Self {
        let bands: Vec<u8> = counts.iter().map(|&n| n.max(1).ilog10().min(4) as u8).collect();
        let fine = |b: &u8| ["1-9", "10-99", "100-999", "1000-9999", "10000+"][usize::from(*b)].into();
        let coarse = |b: &u8| ["1-99", "100-9999", "10000+"][usize::from(*b)].to_owned();
        Self::of(
            name,
            &bands,
            "five bands",
            fine,
            &[Step { rung: "three bands", coarser: &|b| b / 2, text: &coarse }],
        )
    }

    /// How much somebody did, as "at least so many": 50, 100, 200, 500, 1000… What is given must be such
    /// floors already ([`floor_of`]).
    #[must_use]
    pub fn floors(name: &str, floors: &[u64]) -> Self {
        let text = |floor: &u64| format!("{floor}+");
        let decade = |floor: &u64| 10_u64.pow((*floor).max(1).ilog10());
        let hundred = |floor: &u64| 100_u64.pow((*floor).max(1).ilog10() / 2);
        let steps = [
            Step { rung: "powers of ten", coarser: &decade, text: &text },
            Step { rung: "powers of a hundred", coarser: &hundred, text: &text },
        ];
        Self::of(name, floors, "1-2-5", text, &steps)
    }

    /// Since when somebody takes part, in days since 1970 where it is known; `finest` is the lowest rung.
    #[must_use]
    pub fn days(name: &str, days: &[Option<i32>], finest: Resolution) -> Self {
        let all = [Resolution::Day, Resolution::Week, Resolution::Quarter, Resolution::Year];
        let used: Vec<Resolution> = all.into_iter().filter(|r| *r >= finest).collect();
        let Some((&bottom, rest)) = used.split_first() else {
            return Self::of(name, &vec![(); days.len()], "none", |()| String::new(), &[]);
        };
        let start = |r: Resolution| move |d: &Option<i32>| d.map(|d| bucket_start(d, r));
        let text = |r: Resolution| {
            move |d: &Option<i32>| d.map_or_else(|| "unknown".to_owned(), |d| bucket_text(d, r))
        };
        let values: Vec<Option<i32>> = days.iter().map(start(bottom)).collect();
        let starts: Vec<_> = rest.iter().map(|&r| start(r)).collect();
        let texts: Vec<_> = rest.iter().map(|&r| text(r)).collect();
        let mut steps: Vec<Step<'_, Option<i32>>> = Vec::new();
        for ((resolution, start), text) in rest.iter().zip(&starts).zip(&texts) {
            steps.push(Step { rung: resolution.name(), coarser: start, text });
        }
        Self::of(name, &values, bottom.name(), text(bottom), &steps)
    }

    /// The column's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn at(&self, code: u32, level: usize) -> u32 {
        self.rungs[1..=level].iter().fold(code, |code, rung| rung.from_below[code as usize])
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Demand {
    /// The smallest group.
    pub k: u32,
    /// The fewest different sensitive values in a group; 1 asks for nothing.
    pub l: u32,
}

/// What came of it, for the package's privacy report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Asked for.
    pub k: u32,
    /// Asked for.
    pub l: u32,
    /// The smallest group that leaves; nothing where nobody does.
    pub smallest_group: Option<u64>,
    /// The fewest different sensitive values in a group that leaves.
    pub fewest_sensitive: Option<u32>,
    /// Groups that leave.
    pub n_groups: u64,
    /// Rows asked about.
    pub n_rows: u64,
    /// Rows that do not leave.
    pub n_withheld: u64,
    /// Column, rung that it was brought to, cells blanked.
    pub columns: Vec<ColumnReport>,
    /// Mean loss of a cell, 0 nothing, 1 everything.
    pub loss: f64,
}

/// One column of a [`Report`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnReport {
    /// The column.
    pub name: String,
    /// How coarse it leaves.
    pub rung: String,
    /// Cells blanked.
    pub n_blank: u64,
}

/// The result: a label, a blank or nothing for each row.
#[derive(Clone, Debug)]
pub struct Anonymised {
    ladders: Vec<Ladder>,
    levels: Vec<usize>,
    /// A bit for each blanked column, or [`WITHHELD`].
    fates: Vec<u8>,
    /// What came of it.
    pub report: Report,
}

impl Anonymised {
    /// Whether a row leaves at all.
    #[must_use]
    pub fn leaves(&self, row: usize) -> bool {
        self.fates[row] != WITHHELD
    }

    /// What leaves of a cell; `None` where it is blank or its row is withheld.
    #[must_use]
    pub fn label(&self, column: usize, row: usize) -> Option<&str> {
        if self.fates[row] & (1 << column) != 0 {
            return None;
        }
        let (ladder, level) = (&self.ladders[column], self.levels[column]);
        let label = &ladder.rungs[level].labels[ladder.at(ladder.codes[row], level) as usize];
        (!label.is_empty()).then_some(label)
    }
}

#[derive(Clone, Copy, Debug)]
struct Group {
    codes: [u32; MAX_COLUMNS],
    n: u64,
    sensitive: u64,
}

impl Group {
    fn is_safe(&self, demand: Demand) -> bool {
        self.n >= u64::from(demand.k) && self.sensitive.count_ones() >= demand.l
    }
}

/// A choice of rungs, and what becomes of each group then: a bit for each blanked column, or [`WITHHELD`].
struct Choice {
    loss: f64,
    levels: Vec<usize>,
    fates: Vec<(Group, u8)>,
}

/// Makes the rows k-anonymous. `sensitive` has a value below [`MAX_SENSITIVE`] for each row.
///
/// The result does not depend on the order of the rows. With no column declared all rows are one group.
///
/// # Errors
/// [`ReleaseError::Refused`] for k or l of zero, for columns of different lengths, too many columns or
/// sensitive values.
pub fn anonymise(
    ladders: Vec<Ladder>,
    sensitive: &[u8],
    demand: Demand,
) -> Result<Anonymised, ReleaseError> {
    let n_rows = sensitive.len();
    let refuse = |what: &str| Err(ReleaseError::Refused(what.to_owned()));
    if demand.k == 0 || demand.l == 0 {
        return refuse("k and l are at least 1");
    }
    if ladders.len() > MAX_COLUMNS {
        return refuse("more than 6 quasi-identifiers; join some, or leave them out");
    }
    if ladders.iter().any(|l| l.codes.len() != n_rows) {
        return refuse("quasi-identifiers have different numbers of rows");
    }
    if sensitive.iter().any(|&s| usize::from(s) >= MAX_SENSITIVE) {
        return refuse("more than 64 different sensitive values; make them coarser (deciles)");
    }
    let base = merge(
        (0..n_rows)
            .map(|row| Group { codes: codes_of(&ladders, row), n: 1, sensitive: 1 << sensitive[row] })
            .collect(),
    );
    let mut nodes = Vec::new();
    bounds(&ladders, base.clone(), 0, &mut vec![0; ladders.len()], demand, &mut nodes);
    nodes.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
    let mut best: Option<Choice> = None;
    for (bound, levels) in nodes {
        if best.as_ref().is_some_and(|b| bound > b.loss) {
            break;
        }
        let lifted = merge(base.iter().map(|g| lift(&ladders, g, &levels)).collect());
        let fates = suppress(lifted, &ladders, &levels, demand);
        let loss = loss_of(&fates, &ladders, &levels);
        let is_better = best.as_ref().is_none_or(|b| match loss.total_cmp(&b.loss) {
            Ordering::Less => true,
            Ordering::Equal => levels < b.levels,
            Ordering::Greater => false,
        });
        if is_better {
            best = Some(Choice { loss, levels, fates });
        }
    }
    let nothing = || Choice { loss: 0.0, levels: vec![0; ladders.len()], fates: Vec::new() };
    let Choice { loss, levels, fates } = best.unwrap_or_else(nothing);
    Ok(finish(ladders, levels, &fates, n_rows, demand, loss))
}

fn codes_of(ladders: &[Ladder], row: usize) -> [u32; MAX_COLUMNS] {
    std::array::from_fn(|c| ladders.get(c).map_or(0, |l| l.codes[row]))
}

fn lift(ladders: &[Ladder], group: &Group, levels: &[usize]) -> Group {
    let mut lifted = *group;
    for (code, (ladder, &level)) in lifted.codes.iter_mut().zip(ladders.iter().zip(levels)) {
        *code = ladder.at(*code, level);
    }
    lifted
}

/// Groups of the same codes become one.
fn merge(mut groups: Vec<Group>) -> Vec<Group> {
    groups.sort_unstable_by_key(|g| g.codes);
    groups.dedup_by(|next, kept| {
        let is_same = next.codes == kept.codes;
        if is_same {
            kept.n += next.n;
            kept.sensitive |= next.sensitive;
        }
        is_same
    });
    groups
}

/// For every choice of rungs a loss that it cannot fall below. Groups roll up from rung to rung, so each
/// choice costs what its own groups are, not what the rows are.
fn bounds(
    ladders: &[Ladder],
    mut groups: Vec<Group>,
    column: usize,
    levels: &mut Vec<usize>,
    demand: Demand,
    out: &mut Vec<(f64, Vec<usize>)>,
) {
    if column == ladders.len() {
        out.push((bound(&groups, ladders, levels, demand), levels.clone()));
        return;
    }
    let n_rungs = ladders[column].rungs.len();
    for level in 0..n_rungs {
        if level > 0 {
            let rung = &ladders[column].rungs[level];
            for group in &mut groups {
                group.codes[column] = rung.from_below[group.codes[column] as usize];
            }
            groups = merge(groups);
        }
        levels[column] = level;
        bounds(ladders, groups.clone(), column + 1, levels, demand, out);
    }
    levels[column] = 0;
}

fn cell_losses(group: &Group, ladders: &[Ladder], levels: &[usize]) -> impl Iterator<Item = f64> {
    let codes = group.codes;
    let columns = ladders.iter().zip(levels).enumerate();
    columns.map(move |(c, (ladder, &level))| match codes[c] {
        BLANK => 1.0,
        code => ladder.rungs[level].loss[code as usize],
    })
}

fn bound(groups: &[Group], ladders: &[Ladder], levels: &[usize], demand: Demand) -> f64 {
    let mut loss = 0.0;
    let mut n_rows = 0;
    for group in groups {
        n_rows += group.n;
        let (mut sum, mut cheapest) = (0.0, f64::INFINITY);
        for cell in cell_losses(group, ladders, levels) {
            sum += cell;
            // A cell that is already "not told" sets nobody apart; blanking it helps nobody.
            if cell < 1.0 {
                cheapest = f64::min(cheapest, 1.0 - cell);
            }
        }
        if !group.is_safe(demand) && cheapest.is_finite() {
            sum += cheapest;
        }
        loss += group.n as f64 * sum;
    }
    mean_cell(loss, n_rows, ladders.len())
}

fn mean_cell(loss: f64, n_rows: u64, n_columns: usize) -> f64 {
    if n_rows == 0 || n_columns == 0 { 0.0 } else { loss / n_rows as f64 / n_columns as f64 }
}

/// What becomes of each group: a bit for each blanked column, or [`WITHHELD`].
fn suppress(
    groups: Vec<Group>,
    ladders: &[Ladder],
    levels: &[usize],
    demand: Demand,
) -> Vec<(Group, u8)> {
    let (safe, mut small): (Vec<Group>, Vec<Group>) =
        groups.into_iter().partition(|g| g.is_safe(demand));
    let mut out: Vec<(Group, u8)> = safe.into_iter().map(|g| (g, 0)).collect();
    let n = ladders.len();
    let may_blank = |c: usize| !ladders[c].must_be_told && levels[c] + 1 < ladders[c].rungs.len();
    let mut masks: Vec<u8> =
        (1..1_u8 << n).filter(|m| (0..n).all(|c| m & 1 << c == 0 || may_blank(c))).collect();
    masks.sort_unstable_by_key(|m| (m.count_ones(), *m));
    for mask in masks {
        if small.is_empty() {
            break;
        }
        let blanked = |group: &Group| {
            let mut blanked = *group;
            for c in (0..n).filter(|c| mask & 1 << c != 0) {
                blanked.codes[c] = BLANK;
            }
            blanked
        };
        let merged = merge(small.iter().map(blanked).collect());
        let becomes_safe = |group: &Group| {
            let at = merged.binary_search_by_key(&blanked(group).codes, |g| g.codes);
            at.is_ok_and(|at| merged[at].is_safe(demand))
        };
        let (saved, rest): (Vec<Group>, Vec<Group>) = small.iter().partition(|g| becomes_safe(g));
        out.extend(saved.into_iter().map(|g| (g, mask)));
        small = rest;
    }
    out.extend(small.into_iter().map(|g| (g, WITHHELD)));
    out
}

fn loss_of(fates: &[(Group, u8)], ladders: &[Ladder], levels: &[usize]) -> f64 {
    let mut loss = 0.0;
    let mut n_rows = 0;
    for (group, mask) in fates {
        n_rows += group.n;
        let cells = cell_losses(group, ladders, levels).enumerate();
        let sum: f64 = cells
            .map(|(c, cell)| if *mask == WITHHELD || mask & 1 << c != 0 { 1.0 } else { cell })
            .sum();
        loss += group.n as f64 * sum;
    }
    mean_cell(loss, n_rows, ladders.len())
}

fn finish(
    ladders: Vec<Ladder>,
    levels: Vec<usize>,
    groups: &[(Group, u8)],
    n_rows: usize,
    demand: Demand,
    loss: f64,
) -> Anonymised {
    let fate: HashMap<[u32; MAX_COLUMNS], u8> = groups.iter().map(|(g, m)| (g.codes, *m)).collect();
    let fates: Vec<u8> = (0..n_rows)
        .map(|row| {
            let group = Group { codes: codes_of(&ladders, row), n: 1, sensitive: 0 };
            fate.get(&lift(&ladders, &group, &levels).codes).copied().unwrap_or(WITHHELD)
        })
        .collect();
    let mut n_blank = vec![0; ladders.len()];
    let mut published: Vec<Group> = Vec::new();
    for (group, mask) in groups.iter().filter(|(_, mask)| *mask != WITHHELD) {
        let mut shown = *group;
        for c in (0..ladders.len()).filter(|c| mask & 1 << c != 0) {
            n_blank[c] += group.n;
            shown.codes[c] = BLANK;
        }
        published.push(shown);
    }
    let columns = ladders.iter().zip(&levels).zip(n_blank);
    let published = merge(published);
    let report = Report {
        k: demand.k,
        l: demand.l,
        smallest_group: published.iter().map(|g| g.n).min(),
        fewest_sensitive: published.iter().map(|g| g.sensitive.count_ones()).min(),
        n_groups: published.len() as u64,
        n_rows: n_rows as u64,
        n_withheld: groups.iter().filter(|(_, m)| *m == WITHHELD).map(|(g, _)| g.n).sum(),
        columns: columns
            .map(|((ladder, &level), n_blank)| ColumnReport {
                name: ladder.name.clone(),
                rung: ladder.rungs[level].name.to_owned(),
                n_blank,
            })
            .collect(),
        loss,
    };
    Anonymised { ladders, levels, fates, report }
}

/// The highest of 1, 2, 5, 10, 20, 50… 10,000 that is not above a count; 0 for 0.
#[must_use]
pub fn floor_of(count: u64) -> u64 {
    if count == 0 {
        return 0;
    }
    let decade = 10_u64.pow(count.min(10_000).ilog10());
    let steps = count.min(10_000) / decade;
    decade
        * if steps >= 5 {
            5
        } else if steps >= 2 {
            2
        } else {
            1
        }
}

/// Lowers the floors of the busiest until at least k share each one: the one person with 12,345
/// classifications is among those with 5,000 and more, or wherever k are.
pub fn lower_the_top(floors: &mut [u64], k: u32) {
    let mut distinct: Vec<u64> = floors.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    for pair in distinct.windows(2).rev() {
        let (below, here) = (pair[0], pair[1]);
        let n = floors.iter().filter(|f| **f >= here).count();
        if n >= k as usize {
            break;
        }
        for floor in floors.iter_mut().filter(|f| **f >= here) {
            *floor = below;
        }
    }
}

/// The smallest group of a table as a stranger would see it, and the fewest different sensitive values in
/// one. Knows nothing of how the table was made; `None` for an empty one.
#[must_use]
pub fn smallest_group(rows: &[(Vec<String>, String)]) -> Option<(usize, usize)> {
    let mut groups: BTreeMap<&[String], BTreeMap<&str, usize>> = BTreeMap::new();
    for (cells, sensitive) in rows {
        *groups.entry(cells).or_default().entry(sensitive).or_default() += 1;
    }
    let k = groups.values().map(|g| g.values().sum()).min()?;
    let l = groups.values().map(BTreeMap::len).min()?;
    Some((k, l))
}

#[cfg(test)]
#[path = "kanon_tests.rs"]
mod tests;
