//! A search for settings, under a budget: every candidate is trained on the same pictures and judged on the same ones
//! that none of them learned from, and the search ends before a candidate that would pass the budget.
//!
//! The held-out pictures are cut in two, by their groups. One half chooses; the model that is kept is judged by the
//! other, which no candidate has seen: the best of many is better than it is, on what it was chosen by. Of the
//! candidates within one standard error of the best the smallest is kept (Breiman et al. 1984, the one-standard-error
//! rule). What was tried and what it cost is in `search.json`, which the card reads.
//!
//! Knows no kind of network: whoever trains one is handed in.

mod space;
mod state;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use volary_ingest::output::placed;
use volary_space::evaluate::{EvaluateParams, Positive, Predictions, entropy, evaluate};
use volary_space::{Bootstrap, Estimate};
use volary_vision::confusion::Lesson;
use volary_vision::training::{Begin, Ended, Split};

use self::space::{Keep, Space, with, words_of};
use self::state::{Done, State};
use super::watch::Costs;
use crate::model_metrics;
use crate::session::Session;

/// The file of what was tried.
pub(crate) use self::state::{CANDIDATES_FILE, SEARCH_FILE};

/// Option of the trainings that can be searched for.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Searching")]
pub(super) struct SearchArgs {
    /// Search for settings: a TOML file with `[ranges]` of the options under Learning. Half of the held-out part
    /// chooses, the other judges what is kept. A budget in volary.toml ends the search before a candidate that would
    /// pass it, by the dearest so far: the first one may, since nothing is known of it, and judging what is kept comes
    /// on top. --resume goes on.
    #[arg(long, value_name = "TOML")]
    pub(super) search: Option<PathBuf>,
}

/// What is searched, and where.
pub(super) struct Search<'a> {
    pub(super) ranges: &'a Path,
    /// The kind of network.
    pub(super) kind: &'static str,
    /// Folder of the model that is kept.
    pub(super) folder: &'a Path,
    pub(super) begin: Begin,
    pub(super) lesson: &'a Lesson<'a>,
    pub(super) held_out_share: f64,
    pub(super) replicates: usize,
}

/// Where a training is, and what it is called on the way.
pub(super) struct At<'a> {
    pub(super) folder: &'a Path,
    pub(super) begin: Begin,
    pub(super) what: &'a str,
}

/// A candidate that was trained.
pub(super) struct Outcome {
    pub(super) ended: Ended,
    pub(super) split: Split,
    /// `[held-out pictures, classes]`.
    pub(super) predicted: Vec<f64>,
    pub(super) n_weights: usize,
    pub(super) n_epochs: usize,
}

/// What came of a search.
pub(super) struct Found<L> {
    /// The settings that are kept.
    pub(super) learning: L,
    /// Whether all candidates were tried.
    pub(super) is_whole: bool,
    n_chosen_by: usize,
    seed: u64,
}

impl<L> Found<L> {
    /// The split with what the kept model is judged by as its held-out part.
    pub(super) fn judged_by(&self, lesson: &Lesson<'_>, split: &Split) -> Result<Split> {
        let (_, judged_by) = halves(lesson, split, self.seed)?;
        Ok(Split { held_out: judged_by, ..split.clone() })
    }

    /// Notes in the metrics by how many pictures it was chosen.
    pub(super) fn note(&self, metrics: &mut Value) {
        metrics["n_chosen_by"] = self.n_chosen_by.into();
    }

    /// Removes the candidates of a search that is whole; one that is not goes on from them. Says where the budget was
    /// passed all the same.
    pub(super) fn tidy(&self, folder: &Path, costs: &Costs, session: &mut Session) -> Result<()> {
        if let Some(why) = session.settings.budget.spent(&costs.total(session)) {
            session.summary.value("is_over_budget", true);
            session.summary.note(&format!(
                "note: {why}: what the first candidate takes is not known before it, and what is kept is judged after the \
                 last"
            ));
        }
        let candidates = folder.join(state::FOLDER);
        if self.is_whole && candidates.exists() {
            std::fs::remove_dir_all(&candidates)
                .with_context(|| format!("removing failed: {}", candidates.display()))?;
        }
        Ok(())
    }
}

/// Notes the candidates of a search that is not whole as files that this run wrote, whichever try of it did.
pub(super) fn place_candidates(folder: &Path) -> Result<()> {
    let mut open = vec![folder.join(state::FOLDER)];
    while let Some(next) = open.pop().filter(|next| next.is_dir()) {
        for entry in std::fs::read_dir(next)? {
            let path = entry?.path();
            if path.is_dir() { open.push(path) } else { placed(&path) }
        }
    }
    Ok(())
}

/// Trains the candidates, and puts the one that is kept into the folder, where its training is done and may be gone
/// on with.
pub(super) fn search<L: clap::Args + Clone + std::fmt::Debug>(
    search: &Search<'_>,
    base: &L,
    session: &mut Session,
    costs: &mut Costs,
    check: &dyn Fn(&L) -> Result<()>,
    train: &mut dyn FnMut(&L, &At<'_>, &Session, &mut Costs) -> Result<Outcome>,
) -> Result<Found<L>> {
    let space = Space::read(search.ranges)?;
    session.input_file(search.ranges)?;
    let seed = session.global.seed;
    let candidates = space.candidates(seed)?;
    if search.held_out_share <= 0.0 {
        bail!("--held-out is 0, and nothing is left to choose by; give a share to judge by");
    }
    // All are checked before the first one costs anything.
    let settings = candidates.iter().map(|one| with(base, one)).collect::<Result<Vec<L>>>()?;
    settings.iter().try_for_each(check)?;
    let depends_on = json!({
        "kind": search.kind,
        "space": space,
        "seed": seed,
        "labels": search.lesson.labels.hash(search.lesson.subject_ids),
        "groups": search.lesson.groups,
        "preprocessing": search.lesson.preprocessing,
        "base": format!("{base:?}"),
    });
    let mut state = State::open(search.folder, search.begin, &depends_on, candidates.len())?;
    let mut stopped = None;
    for (number, options) in candidates.iter().enumerate() {
        if state.is_done(number) {
            continue;
        }
        if let Some(why) = session.settings.budget.would_pass(&costs.total(session), &state.dearest()) {
            stopped = Some(why);
            break;
        }
        state.begin(number, &costs.total(session))?;
        let folder = state.folder_of(number);
        let what = format!("candidate {} of {} ({}): ", number + 1, candidates.len(), words_of(options));
        let at = At { folder: &folder, begin: Begin::Resume, what: &what };
        let outcome = train(&settings[number], &at, session, costs)?;
        if outcome.ended == Ended::Asked {
            match costs.why_stopped() {
                // Ctrl-C: nothing is kept yet, and nothing is lost.
                None => return Err(costs.stopped_in(session, &what)?),
                Some(why) => stopped = Some(why),
            }
            break;
        }
        let chosen_by = halves(search.lesson, &outcome.split, seed)?.0;
        let (loss, sd) = loss(search, &outcome, &chosen_by, seed)?;
        let done = Done {
            options: options.clone(),
            loss: [loss.value, loss.low, loss.high],
            loss_sd: sd,
            n_weights: outcome.n_weights as u64,
            n_epochs: outcome.n_epochs as u64,
            n_chosen_by: chosen_by.len() as u64,
            cost: state.cost_since_begun(&costs.total(session)),
        };
        state.end(number, done)?;
        costs.note(&session.cost())?;
    }
    let Some(kept) = state.kept(space.keep) else {
        let why = stopped.unwrap_or_else(|| "no candidate could be trained".to_owned());
        bail!(
            "{why}; no candidate was finished, so that there is no model: raise the budget, and go on with the same command and --resume"
        );
    };
    let total = costs.total(session);
    state.finish(kept, space.keep, stopped.as_deref(), &total)?;
    state.install(kept)?;
    tell(&state, &space, kept, stopped.as_deref(), session);
    let n_chosen_by = state.done(kept).map_or(0, |done| done.n_chosen_by as usize);
    session.rows("candidates", state.write_table(kept, space.options())?);
    let learning = settings[kept].clone();
    Ok(Found { learning, is_whole: stopped.is_none(), n_chosen_by, seed })
}

/// The held-out pictures that choose, and those that judge what is chosen: no group is on both sides.
fn halves(lesson: &Lesson<'_>, split: &Split, seed: u64) -> Result<(Vec<usize>, Vec<usize>)> {
    let groups: Vec<&str> = split.held_out.iter().map(|row| lesson.groups[*row].as_str()).collect();
    let cut = Split::new(&groups, 0.5, 0.0, seed).context(
        "half of the held-out part chooses and half judges; give it two groups of pictures or more",
    )?;
    let rows = |places: &[usize]| places.iter().map(|at| split.held_out[*at]).collect();
    Ok((rows(&cut.train), rows(&cut.held_out)))
}

/// Log loss above its floor on the pictures that choose, with its interval and its standard error over groups.
fn loss(search: &Search<'_>, outcome: &Outcome, rows: &[usize], seed: u64) -> Result<(Estimate, f64)> {
    let labels = search.lesson.labels;
    let n_classes = labels.classes().len();
    let mut predicted = Vec::with_capacity(rows.len() * n_classes);
    for row in rows {
        let at =
            outcome.split.held_out.binary_search(row).ok().context("it chooses by what is held out")?;
        predicted.extend_from_slice(&outcome.predicted[at * n_classes..][..n_classes]);
    }
    let label: Vec<f64> =
        rows.iter().flat_map(|row| labels.fractions(*row).iter().map(|f| f64::from(*f))).collect();
    let groups = model_metrics::group_numbers(search.lesson.groups, rows);
    let of_cells: Vec<u32> = groups.iter().flat_map(|g| std::iter::repeat_n(*g, n_classes)).collect();
    let params = EvaluateParams {
        positive: Positive::Above(0.5),
        bootstrap: Bootstrap::new(search.replicates, model_metrics::LEVEL, seed)?,
        ..EvaluateParams::default()
    };
    let found = evaluate(&Predictions::new(&predicted, &label)?.grouped(&of_cells)?, &params)?;
    let loss = found.excess_log_loss.context("a loss of some pictures")?;
    let clip = volary_space::evaluate::CLIP;
    let excess = |(p, q): (&f64, &f64)| {
        -q * p.max(clip).ln() - (1.0 - q) * (1.0 - p).max(clip).ln() - entropy(&[*q, 1.0 - q])
    };
    let cells: Vec<f64> = predicted.iter().zip(&label).map(excess).collect();
    Ok((loss, deviation(&cells, &of_cells)))
}

/// Standard error of a mean whose cells come in groups.
fn deviation(cells: &[f64], groups: &[u32]) -> f64 {
    let n = cells.len().max(1) as f64;
    let mean = cells.iter().sum::<f64>() / n;
    let n_groups = groups.iter().max().map_or(0, |g| *g as usize + 1);
    let mut sums = vec![0.0; n_groups];
    for (cell, group) in cells.iter().zip(groups) {
        sums[*group as usize] += cell - mean;
    }
    let squares = sums.iter().map(|s| s * s).sum::<f64>();
    let few = n_groups as f64 / (n_groups as f64 - 1.0).max(1.0);
    (squares * few).sqrt() / n
}

fn tell(state: &State, space: &Space, kept: usize, stopped: Option<&str>, session: &mut Session) {
    let summary = &mut session.summary;
    summary.count("n_candidates", "candidates tried", state.n_done() as u64);
    summary.count("n_candidates_planned", "  of", state.n_planned() as u64);
    let mut shown: Vec<(usize, &Done)> = state.all_done().collect();
    shown.sort_by(|a, b| a.1.loss[0].total_cmp(&b.1.loss[0]));
    let rows: Vec<Vec<String>> = shown
        .into_iter()
        .take(12)
        .map(|(number, done)| {
            vec![
                if number == kept { "kept" } else { "" }.to_owned(),
                words_of(&done.options),
                format!("{:.4} ({:.4}–{:.4})", done.loss[0], done.loss[1], done.loss[2]),
                done.n_weights.to_string(),
                format!("{:.1}", done.cost.wall_s),
                format!("{:.2e}", done.cost.energy_kwh),
            ]
        })
        .collect();
    let header = ["", "settings", "log loss above floor", "weights", "seconds", "kWh"];
    summary.table("Candidates, by what chose", &header, &rows);
    let rule = match space.keep {
        Keep::Smallest => "kept: the smallest within one standard error of the best",
        Keep::Best => "kept: the one with the least loss",
    };
    summary.note(rule);
    if let Some(why) = stopped {
        summary.note(&format!(
            "note: the search ended after {} of {} candidates: {why}; raised, it goes on with the same command and --resume",
            state.n_done(),
            state.n_planned()
        ));
    }
    summary.value("search", state.json());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_error_of_a_mean_of_groups() {
        // Every cell a group of its own: sd/√n.
        let cells = [1.0, 2.0, 3.0, 4.0];
        let plain = deviation(&cells, &[0, 1, 2, 3]);
        assert!((plain - (5.0_f64 / 3.0).sqrt() / 2.0).abs() < 1e-12);
        // Twins say nothing more: two groups of two equal cells are two cells.
        let twins = deviation(&[1.0, 1.0, 3.0, 3.0], &[0, 0, 1, 1]);
        assert!((twins - deviation(&[1.0, 3.0], &[0, 1])).abs() < 1e-12);
        assert_eq!(deviation(&[], &[]), 0.0);
    }
}
