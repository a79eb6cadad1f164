//! A model folder, read for its card, and whether its files agree with each other.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::evaluation::{self, Row};
use crate::cost::{COST_FILE, Ledger};
use crate::error::ReleaseError;
use crate::lineage::{Artefact, Lineage, Run, Standing, checksum};

/// The record of the training.
pub const RECORD_FILE: &str = "run.json";
/// The file of the runs that a model's inputs went through.
pub const LINEAGE_FILE: &str = "lineage.json";
/// The file of a search for settings, where the model came out of one.
pub const SEARCH_FILE: &str = "search.json";
/// A header of weights is not longer than this.
const MOST_HEADER_BYTES: u64 = 100_000_000;
/// What the record and the settings both say.
const SAID_TWICE: [&str; 6] =
    ["n_train", "n_stop", "n_held_out", "n_epochs", "labels_blake3", "classes"];

/// The weights in one file, by its header (safetensors).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Weights {
    pub(super) file: String,
    pub(super) blake3: String,
    pub(super) n_bytes: u64,
    pub(super) n_tensors: u64,
    pub(super) n_numbers: u64,
    /// Their types, `F32`.
    pub(super) types: Vec<String>,
}

/// A model folder.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    pub(super) config: Value,
    pub(super) metrics: Value,
    pub(super) record: Value,
    /// The search that it came out of; null where there was none.
    pub(super) search: Value,
    pub(super) run: Run,
    pub(super) weights: Vec<Weights>,
    pub(super) costs: Ledger,
    pub(super) lineage: Vec<Run>,
    /// Checksums of the files that a card names, by their names.
    pub(super) hashes: BTreeMap<&'static str, String>,
    /// Files that training says it wrote and that are here, with the checksums that they have now.
    now: Vec<(String, String)>,
}

impl Folder {
    /// Reads a model folder.
    ///
    /// # Errors
    /// [`ReleaseError`] where it is no folder of a finished model, or one of its files cannot be read.
    pub fn read(path: &Path) -> Result<Self, ReleaseError> {
        if !path.join("config.json").is_file() {
            let what = "no model: there is no config.json; give the folder that `volary train` wrote";
            return Err(ReleaseError::package(path, what));
        }
        let mut hashes = BTreeMap::new();
        let mut read = |name: &'static str| -> Result<Value, ReleaseError> {
            let file = path.join(name);
            let bytes = std::fs::read(&file).map_err(ReleaseError::reading(&file))?;
            hashes.insert(name, blake3::hash(&bytes).to_hex().to_string());
            serde_json::from_slice(&bytes)
                .map_err(|e| ReleaseError::settings(&file, format!("not JSON ({e}); train again")))
        };
        let config = read("config.json")?;
        let metrics = read("metrics.json")?;
        let record = read(RECORD_FILE)?;
        let search = if path.join(SEARCH_FILE).exists() { read(SEARCH_FILE)? } else { Value::Null };
        let lineage_path = path.join(LINEAGE_FILE);
        let lineage = if lineage_path.exists() {
            let value = read(LINEAGE_FILE)?;
            let runs = value.get("runs").cloned().unwrap_or(Value::Null);
            serde_json::from_value(runs).map_err(|e| {
                let what = format!("not a lineage ({e}); remove it, and `volary card` makes it again");
                ReleaseError::settings(&lineage_path, what)
            })?
        } else {
            Vec::new()
        };
        let run = Run::of(&record, &path.join(RECORD_FILE));
        let mut now = Vec::new();
        for file in run.outputs.iter().map(|file| path.join(&file.name)).filter(|p| p.is_file()) {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            now.push((name, checksum(&file)?));
        }
        Ok(Self {
            run,
            now,
            weights: weights(path)?,
            costs: Ledger::read(&path.join(COST_FILE))?,
            path: path.to_owned(),
            config,
            metrics,
            record,
            search,
            lineage,
            hashes,
        })
    }

    /// The folder of no model.
    pub(super) fn empty() -> Self {
        Self {
            path: PathBuf::new(),
            config: Value::Null,
            metrics: Value::Null,
            record: Value::Null,
            search: Value::Null,
            run: Run::of(&Value::Null, Path::new("")),
            weights: Vec::new(),
            costs: Ledger::default(),
            lineage: Vec::new(),
            hashes: BTreeMap::new(),
            now: Vec::new(),
        }
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What kind of model it is.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("kind").unwrap_or("unknown")
    }

    /// The names of its files of weights.
    pub fn weight_files(&self) -> impl Iterator<Item = &str> {
        self.weights.iter().map(|w| w.file.as_str())
    }

    /// The record of the training for a folder that leaves: what a card says of it, and what another file says
    /// too. Without paths, the command line and the machine.
    #[must_use]
    pub fn record_for_others(&self) -> Value {
        let files = |all: &[Artefact]| -> Vec<Value> {
            all.iter().map(|f| json!({"path": f.name, "bytes": f.n_bytes, "blake3": f.blake3})).collect()
        };
        let of_record = self.record.get("summary").and_then(Value::as_object).into_iter().flatten();
        let mut summary: Map<String, Value> = of_record
            .filter(|(name, _)| SAID_TWICE.contains(&name.as_str()) || *name == "n_weights")
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        // That votes were left out, and not how many.
        if self.run.without_opted_out {
            summary.insert("n_votes_opted_out".to_owned(), Value::Null);
        }
        if let Some(stamp) = &self.run.optouts {
            summary.insert("optout_list".to_owned(), json!(stamp));
        }
        json!({
            "command": self.run.command,
            "policy": self.record.get("policy"),
            "volary": self.run.volary,
            "seed": self.run.seed,
            "inputs": files(&self.run.inputs),
            "outputs": files(&self.run.outputs),
            "summary": summary,
        })
    }

    /// Whether it was made without the people whom some of the runs that it stands on left out.
    pub fn standing(&self, left_out: impl Fn(&Run) -> bool) -> Standing {
        let runs = self.lineage.iter().chain([&self.run]).cloned().collect();
        let made = self.run.outputs.iter().map(|file| file.blake3.as_str());
        match self.run.outputs.is_empty() {
            true => Standing::Unknown,
            false => Lineage::new(runs).standing(made, left_out),
        }
    }

    /// Whether every run that it stands on and that read votes was given a list of those who had opted out. Who
    /// was on it only the list can say.
    #[must_use]
    pub fn is_without_opted_out(&self) -> bool {
        self.standing(|run| run.without_opted_out) == Standing::Without
    }

    /// The model's number: what it learned from, then what it learned.
    #[must_use]
    pub fn id(&self) -> String {
        let short = |hash: &str| hash.chars().take(8).collect::<String>();
        let labels = self.text("labels_blake3").map_or_else(|| "nolabels".to_owned(), short);
        let weights = self.weights.first().map_or_else(|| "noweights".to_owned(), |w| short(&w.blake3));
        format!("{}-{labels}-{weights}", self.kind())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.config.get(name).and_then(Value::as_str)
    }

    /// What was measured.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        evaluation::rows(&self.metrics)
    }

    /// Takes the runs that led to this model out of those of a project and keeps them in the folder, so that
    /// its card says the same wherever it is taken. Where the project knows none, what is kept stays.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn trace(&mut self, project: &Lineage) -> Result<(), ReleaseError> {
        let inputs = self.run.inputs.iter().map(|file| file.blake3.as_str());
        let found: Vec<Run> = project.ancestors(inputs).into_iter().cloned().collect();
        if found.is_empty() {
            return Ok(());
        }
        let path = self.path.join(LINEAGE_FILE);
        let text = format!("{:#}\n", json!({"format": "volary lineage", "runs": found}));
        volary_ingest::output::write_whole(&path, text.as_bytes())?;
        self.hashes.insert(LINEAGE_FILE, blake3::hash(text.as_bytes()).to_hex().to_string());
        self.lineage = found;
        Ok(())
    }

    /// Where the files of the folder say different things.
    #[must_use]
    pub fn contradictions(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.run.command != "train" {
            found.push(format!("run.json is of `volary {}` and not of a training", self.run.command));
        }
        self.other_bytes(&mut found);
        self.other_numbers(&mut found);
        self.unsound(&mut found);
        self.loose_lineage(&mut found);
        found
    }

    /// Files that are not those that training wrote.
    fn other_bytes(&self, found: &mut Vec<String>) {
        let written = |name: &str| self.run.outputs.iter().find(|file| file.name == name);
        if self.weights.is_empty() {
            found.push("there are no weights".to_owned());
        }
        let needed = ["config.json", "metrics.json"].into_iter();
        for name in needed.chain(self.weights.iter().map(|w| w.file.as_str())) {
            if written(name).is_none() {
                found.push(format!("run.json does not say that {name} was written"));
            }
        }
        // Without these a card says less than it must, and nobody would see that it does.
        for name in [COST_FILE, SEARCH_FILE] {
            if written(name).is_some() && self.now.iter().all(|(here, _)| here != name) {
                found.push(format!("{name} is gone, and run.json says that training wrote it"));
            }
        }
        for (name, hash) in &self.now {
            if written(name).is_some_and(|file| file.blake3 != *hash) {
                found.push(format!("{name} is not what training wrote (run.json has another checksum)"));
            }
        }
    }

    /// Numbers that stand twice.
    fn other_numbers(&self, found: &mut Vec<String>) {
        let mut same = |what: &str, a: Option<&Value>, b: Option<&Value>| {
            let (Some(a), Some(b)) = (a.filter(|v| !v.is_null()), b.filter(|v| !v.is_null())) else {
                return;
            };
            if a != b {
                found.push(format!("{what}: {a} and {b}"));
            }
        };
        let (config, metrics, record) = (&self.config, &self.metrics, &self.record);
        let summary = |name: &str| record.pointer(&format!("/summary/{name}"));
        same("version of Volary", config.get("volary"), record.get("volary"));
        same("seed", config.pointer("/settings/seed"), record.get("seed"));
        // Of a search a part chose, and the rest judges.
        let n_chosen_by = metrics.get("n_chosen_by").and_then(Value::as_u64).unwrap_or(0);
        let n_judged = metrics.pointer("/held_out/n").and_then(Value::as_u64);
        let n_held_out = n_judged.map(|n| Value::from(n + n_chosen_by));
        same("pictures held out", config.get("n_held_out"), n_held_out.as_ref());
        for name in SAID_TWICE {
            same(name, config.get(name), summary(name));
        }
        let n_numbers = Value::from(self.weights.iter().map(|w| w.n_numbers).sum::<u64>());
        same("number of weights", Some(&n_numbers), summary("n_weights"));
        let classes = metrics.pointer("/held_out/models/model/classes").and_then(Value::as_object);
        let measured = classes.map(|c| Value::from(c.keys().cloned().collect::<Vec<_>>()));
        same("classes", config.get("classes"), measured.as_ref());
    }

    fn unsound(&self, found: &mut Vec<String>) {
        for row in self.rows() {
            for (name, estimate) in &row.estimates {
                if estimate.is_some_and(|e| !e.is_sound()) {
                    found.push(format!("metrics.json: the interval of {name} ends before it begins"));
                }
            }
        }
    }

    /// A lineage that does not lead here.
    fn loose_lineage(&self, found: &mut Vec<String>) {
        let inputs = self.run.inputs.iter().map(|file| file.blake3.as_str());
        let reached = Lineage::new(self.lineage.clone()).ancestors(inputs).len();
        if reached != Lineage::new(self.lineage.clone()).runs().len() {
            found.push(format!("{LINEAGE_FILE} has runs that do not lead to this model"));
        }
    }
}

/// Every file of weights; checkpoints are for going on and no part of the model.
fn weights(folder: &Path) -> Result<Vec<Weights>, ReleaseError> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(ReleaseError::reading(folder))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            name.ends_with(".safetensors") && !name.starts_with("checkpoint")
        })
        .collect();
    files.sort();
    files.iter().map(|path| read_weights(path)).collect()
}

/// How long the header of a file of weights (safetensors) is, which its first eight bytes say; they are read.
pub(crate) fn header_bytes(file: &mut std::fs::File, n_bytes: u64) -> Option<u64> {
    let mut length = [0; 8];
    file.read_exact(&mut length).ok()?;
    let n_header = u64::from_le_bytes(length);
    (n_header <= MOST_HEADER_BYTES && n_header <= n_bytes.saturating_sub(8)).then_some(n_header)
}

fn read_weights(path: &Path) -> Result<Weights, ReleaseError> {
    let broken = |what: &str| ReleaseError::package(path, format!("{what}; train again"));
    let mut file = std::fs::File::open(path).map_err(ReleaseError::reading(path))?;
    let n_bytes = file.metadata().map_err(ReleaseError::reading(path))?.len();
    let mut hasher = blake3::Hasher::new();
    let n_header = header_bytes(&mut file, n_bytes).ok_or_else(|| broken("not a file of weights"))?;
    let mut header = Vec::new();
    file.by_ref().take(n_header).read_to_end(&mut header).map_err(ReleaseError::reading(path))?;
    hasher.update(&n_header.to_le_bytes());
    hasher.update(&header);
    std::io::copy(&mut file, &mut hasher).map_err(ReleaseError::reading(path))?;
    let header: Value = serde_json::from_slice(&header).map_err(|_| broken("not a file of weights"))?;
    let tensors = header.as_object().ok_or_else(|| broken("not a file of weights"))?;
    let (mut n_tensors, mut n_numbers, mut types) = (0_u64, 0_u64, Vec::new());
    for (_, tensor) in tensors.iter().filter(|(name, _)| *name != "__metadata__") {
        let shape = tensor.get("shape").and_then(Value::as_array);
        let shape = shape.ok_or_else(|| broken("weights without a shape"))?;
        let mut sides = shape.iter().map(|side| side.as_u64());
        let n = sides.try_fold(1_u64, |n, side| n.checked_mul(side?));
        n_numbers = n
            .and_then(|n| n_numbers.checked_add(n))
            .ok_or_else(|| broken("weights of an impossible shape"))?;
        n_tensors += 1;
        let kind = tensor.get("dtype").and_then(Value::as_str).unwrap_or("unknown").to_owned();
        if !types.contains(&kind) {
            types.push(kind);
        }
    }
    types.sort();
    Ok(Weights {
        file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        blake3: hasher.finalize().to_hex().to_string(),
        n_bytes,
        n_tensors,
        n_numbers,
        types,
    })
}
