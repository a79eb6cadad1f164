//! What a search has done, on disk after every candidate, so that one that was stopped goes on where it was.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use volary_ingest::output::write_whole;
use volary_ingest::tables::write_table;
use volary_release::cost::{Span, Total};
use volary_vision::confusion::CHECKPOINT;
use volary_vision::training::Begin;

use super::space::{Keep, Options};

/// What was tried, and what of it is kept.
pub(crate) const SEARCH_FILE: &str = volary_release::card::SEARCH_FILE;
/// The same as a table.
pub(crate) const CANDIDATES_FILE: &str = "candidates.csv";
/// The folder of the candidates' own folders, until the search is whole.
pub(super) const FOLDER: &str = "candidates";

/// What something took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Price {
    pub(super) wall_s: f64,
    pub(super) cpu_s: f64,
    /// By the middle estimate.
    pub(super) energy_kwh: f64,
}

impl Price {
    fn of(total: &Total) -> Self {
        Self { wall_s: total.wall_s, cpu_s: total.cpu_s, energy_kwh: total.energy_wh.mid / 1000.0 }
    }

    fn since(self, before: Self) -> Self {
        Self {
            wall_s: (self.wall_s - before.wall_s).max(0.0),
            cpu_s: (self.cpu_s - before.cpu_s).max(0.0),
            energy_kwh: (self.energy_kwh - before.energy_kwh).max(0.0),
        }
    }

    fn or_more(self, other: Self) -> Self {
        Self {
            wall_s: self.wall_s.max(other.wall_s),
            cpu_s: self.cpu_s.max(other.cpu_s),
            energy_kwh: self.energy_kwh.max(other.energy_kwh),
        }
    }

    fn total(self) -> Total {
        let wh = self.energy_kwh * 1000.0;
        let energy_wh = Span { low: wh, mid: wh, high: wh };
        Total { wall_s: self.wall_s, cpu_s: self.cpu_s, energy_wh, ..Total::default() }
    }
}

/// A candidate that is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Done {
    pub(super) options: Options,
    /// Log loss above its floor on the pictures that choose: value, low, high.
    pub(super) loss: [f64; 3],
    /// Its standard error.
    pub(super) loss_sd: f64,
    pub(super) n_weights: u64,
    pub(super) n_epochs: u64,
    pub(super) n_chosen_by: u64,
    pub(super) cost: Price,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Begun {
    number: usize,
    /// What all had taken when it was begun.
    before: Price,
}

/// The file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    format: String,
    /// A hash of what the candidates depend on.
    depends_on: String,
    n_planned: usize,
    /// Candidates by their number, from 1; null where one is not done.
    candidates: Vec<Option<Done>>,
    begun: Option<Begun>,
    /// The number of the one that is kept.
    kept: Option<usize>,
    keep: Option<Keep>,
    /// Why not all were tried.
    stopped: Option<String>,
    total: Price,
}

/// What a search has done.
pub(super) struct State {
    folder: PathBuf,
    record: Record,
}

impl State {
    /// A new one, or the one that was begun in the folder.
    pub(super) fn open(
        folder: &Path,
        begin: Begin,
        depends_on: &Value,
        n_planned: usize,
    ) -> Result<Self> {
        let path = folder.join(SEARCH_FILE);
        let depends_on = blake3::hash(depends_on.to_string().as_bytes()).to_hex().to_string();
        let has_model = ["config.json", CHECKPOINT].iter().any(|file| folder.join(file).exists());
        let advice = "begin anew with --fresh, or give another folder";
        match begin {
            Begin::Afresh => {
                for old in [path.clone(), folder.join(CHECKPOINT), folder.join("config.json")] {
                    if old.exists() {
                        std::fs::remove_file(&old)
                            .with_context(|| format!("removing failed: {}", old.display()))?;
                    }
                }
                let candidates = folder.join(FOLDER);
                if candidates.exists() {
                    std::fs::remove_dir_all(&candidates)
                        .with_context(|| format!("removing failed: {}", candidates.display()))?;
                }
            }
            Begin::New if path.exists() => {
                bail!(
                    "a search was begun here before; go on with it with --resume, {advice}: {}",
                    folder.display()
                )
            }
            _ if !path.exists() && has_model => {
                bail!(
                    "a training without a search was begun here before; {advice}: {}",
                    folder.display()
                )
            }
            Begin::Resume if path.exists() => {
                let text = std::fs::read_to_string(&path)
                    .with_context(|| format!("reading failed: {}", path.display()))?;
                let record: Record = serde_json::from_str(&text).with_context(|| {
                    format!("not the record of a search; {advice}: {}", path.display())
                })?;
                if record.depends_on != depends_on || record.candidates.len() != n_planned {
                    bail!(
                        "another search was begun here: other ranges, options, seed, labels or pictures; take those, {advice}: {}",
                        folder.display()
                    );
                }
                return Ok(Self { folder: folder.to_owned(), record });
            }
            _ => {}
        }
        let record = Record {
            format: "volary search".to_owned(),
            depends_on,
            n_planned,
            candidates: vec![None; n_planned],
            begun: None,
            kept: None,
            keep: None,
            stopped: None,
            total: Price::default(),
        };
        Ok(Self { folder: folder.to_owned(), record })
    }

    pub(super) fn folder_of(&self, number: usize) -> PathBuf {
        self.folder.join(FOLDER).join(format!("{:04}", number + 1))
    }

    pub(super) fn is_done(&self, number: usize) -> bool {
        self.done(number).is_some()
    }

    pub(super) fn done(&self, number: usize) -> Option<&Done> {
        self.record.candidates.get(number)?.as_ref()
    }

    pub(super) fn all_done(&self) -> impl Iterator<Item = (usize, &Done)> {
        self.record.candidates.iter().enumerate().filter_map(|(i, done)| Some((i, done.as_ref()?)))
    }

    pub(super) fn n_done(&self) -> usize {
        self.all_done().count()
    }

    pub(super) fn n_planned(&self) -> usize {
        self.record.n_planned
    }

    /// The most that one candidate took, of each kind: so much the next one is taken to need.
    pub(super) fn dearest(&self) -> Total {
        self.all_done().fold(Price::default(), |most, (_, done)| most.or_more(done.cost)).total()
    }

    pub(super) fn begin(&mut self, number: usize, total: &Total) -> Result<()> {
        // One that was stopped on the way has cost something since it was begun the first time.
        if self.record.begun.as_ref().is_none_or(|begun| begun.number != number) {
            self.record.begun = Some(Begun { number, before: Price::of(total) });
        }
        self.record.stopped = None;
        self.write()
    }

    pub(super) fn cost_since_begun(&self, total: &Total) -> Price {
        let before = self.record.begun.as_ref().map_or_else(Price::default, |begun| begun.before);
        Price::of(total).since(before)
    }

    pub(super) fn end(&mut self, number: usize, done: Done) -> Result<()> {
        self.record.candidates[number] = Some(done);
        self.record.begun = None;
        self.write()
    }

    /// The candidate to keep; none where none is done.
    pub(super) fn kept(&self, keep: Keep) -> Option<usize> {
        let by_loss = |a: &(usize, &Done), b: &(usize, &Done)| a.1.loss[0].total_cmp(&b.1.loss[0]);
        let (best, of_best) = self.all_done().min_by(by_loss)?;
        if keep == Keep::Best {
            return Some(best);
        }
        let is_as_good = |(_, done): &(usize, &Done)| done.loss[0] <= of_best.loss[0] + of_best.loss_sd;
        let small = self.all_done().filter(is_as_good);
        small
            .min_by(|a, b| a.1.n_weights.cmp(&b.1.n_weights).then(by_loss(a, b)))
            .map(|(number, _)| number)
    }

    pub(super) fn finish(
        &mut self,
        kept: usize,
        keep: Keep,
        stopped: Option<&str>,
        total: &Total,
    ) -> Result<()> {
        self.record.kept = Some(kept + 1);
        self.record.keep = Some(keep);
        self.record.stopped = stopped.map(str::to_owned);
        self.record.total = Price::of(total);
        self.write()
    }

    fn write(&self) -> Result<()> {
        let text = format!("{:#}\n", self.json());
        Ok(write_whole(&self.folder.join(SEARCH_FILE), text.as_bytes())?)
    }

    pub(super) fn json(&self) -> Value {
        json!(self.record)
    }

    /// Puts a candidate's files into the folder of the search; its configuration last, so that the folder looks like
    /// a model only once it is one.
    pub(super) fn install(&self, number: usize) -> Result<()> {
        let from = self.folder_of(number);
        if !from.exists() {
            // A search that was whole has it there already.
            return Ok(());
        }
        let failed = || format!("copying failed: {}", from.display());
        let old = self.folder.join("config.json");
        if old.exists() {
            std::fs::remove_file(&old).with_context(failed)?;
        }
        let mut files: Vec<PathBuf> = std::fs::read_dir(&from)
            .with_context(failed)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<std::io::Result<_>>()
            .with_context(failed)?;
        files.sort_by_key(|path| (path.ends_with("config.json"), path.clone()));
        for file in files.iter().filter(|path| path.is_file()) {
            let name = file.file_name().with_context(failed)?;
            std::fs::copy(file, self.folder.join(name)).with_context(failed)?;
        }
        Ok(())
    }

    /// Writes the table of candidates that are done, and says how many rows it has.
    pub(super) fn write_table<'a>(
        &self,
        kept: usize,
        options: impl Iterator<Item = &'a String>,
    ) -> Result<u64> {
        let done: Vec<(usize, &Done)> = self.all_done().collect();
        let text = |of: &dyn Fn(usize, &Done) -> String| {
            Arc::new(StringArray::from_iter_values(done.iter().map(|(n, d)| of(*n, d)))) as ArrayRef
        };
        let number = |of: &dyn Fn(&Done) -> f64| {
            Arc::new(Float64Array::from_iter_values(done.iter().map(|(_, d)| of(d)))) as ArrayRef
        };
        let count = |of: &dyn Fn(usize, &Done) -> u64| {
            Arc::new(UInt64Array::from_iter_values(done.iter().map(|(n, d)| of(*n, d)))) as ArrayRef
        };
        let mut columns: Vec<(String, DataType, ArrayRef)> = Vec::new();
        let mut put = |name: &str, column: ArrayRef| {
            columns.push((name.to_owned(), column.data_type().clone(), column));
        };
        put("candidate", count(&|n, _| n as u64 + 1));
        put("kept", text(&|n, _| (n == kept).to_string()));
        for option in options {
            put(option, text(&|_, d| d.options.get(option).cloned().unwrap_or_default()));
        }
        put("excess_log_loss", number(&|d| d.loss[0]));
        put("excess_log_loss_low", number(&|d| d.loss[1]));
        put("excess_log_loss_high", number(&|d| d.loss[2]));
        put("excess_log_loss_sd", number(&|d| d.loss_sd));
        put("n_weights", count(&|_, d| d.n_weights));
        put("n_epochs", count(&|_, d| d.n_epochs));
        put("wall_s", number(&|d| d.cost.wall_s));
        put("cpu_s", number(&|d| d.cost.cpu_s));
        put("energy_kwh", number(&|d| d.cost.energy_kwh));
        let fields: Vec<Field> =
            columns.iter().map(|(name, kind, _)| Field::new(name, kind.clone(), false)).collect();
        let arrays = columns.into_iter().map(|(.., column)| column).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
        write_table(&self.folder.join(CANDIDATES_FILE), &batch)?;
        Ok(done.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(loss: f64, sd: f64, n_weights: u64) -> Done {
        let cost = Price { wall_s: loss * 10.0, cpu_s: loss * 20.0, energy_kwh: loss };
        Done {
            options: Options::new(),
            loss: [loss, loss, loss],
            loss_sd: sd,
            n_weights,
            n_epochs: 1,
            n_chosen_by: 9,
            cost,
        }
    }

    #[test]
    fn the_smallest_within_a_standard_error_of_the_best_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = State::open(folder.path(), Begin::New, &json!(1), 5).unwrap();
        assert_eq!(state.kept(Keep::Smallest), None);
        for (number, one) in
            [done(0.5, 0.1, 900), done(0.55, 0.01, 300), done(0.58, 0.2, 300), done(0.7, 0.3, 10)]
                .into_iter()
                .enumerate()
        {
            state.begin(number, &Total::default()).unwrap();
            state.end(number, one).unwrap();
        }
        // Of two as small the better one; 0.7 is too far off, however small and unsure it is.
        assert_eq!((state.kept(Keep::Smallest), state.kept(Keep::Best)), (Some(1), Some(0)));
        assert_eq!(state.dearest().wall_s, 7.0);
        let again = State::open(folder.path(), Begin::Resume, &json!(1), 5).unwrap();
        assert_eq!((again.record, state.n_done()), (state.record.clone(), 4));
        for (begin, depends_on, words) in [
            (Begin::New, json!(1), "a search was begun here before"),
            (Begin::Resume, json!(2), "another search was begun here"),
        ] {
            let error = State::open(folder.path(), begin, &depends_on, 5).err().unwrap().to_string();
            assert!(error.contains(words), "{error}");
        }
        assert_eq!(State::open(folder.path(), Begin::Afresh, &json!(2), 5).unwrap().n_done(), 0);
        std::fs::write(folder.path().join("config.json"), "{}").unwrap();
        let error = State::open(folder.path(), Begin::New, &json!(2), 5).err().unwrap().to_string();
        assert!(error.contains("without a search"), "{error}");
    }

    #[test]
    fn what_a_candidate_took_is_counted_from_its_first_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = State::open(folder.path(), Begin::New, &json!(1), 2).unwrap();
        let at = |wall_s: f64| Total { wall_s, ..Total::default() };
        state.begin(0, &at(10.0)).unwrap();
        // Stopped, and begun again in another run.
        let mut state = State::open(folder.path(), Begin::Resume, &json!(1), 2).unwrap();
        state.begin(0, &at(25.0)).unwrap();
        assert_eq!(state.cost_since_begun(&at(31.0)).wall_s, 21.0);
    }
}
