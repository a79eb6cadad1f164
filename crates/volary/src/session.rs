//! One run of one command: its options, its clock, its progress bar, its `run.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use nvml_wrapper::Nvml;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use volary_core::Problems;
use volary_ingest::report::ReadReport;
use volary_ingest::{InputDigest, Progress, output};
use volary_release::cost::{Cost, Hardware, POWERCAP, Rapl, Spent, busy_seconds};
use volary_release::policy::Policy;

use crate::progress_lines;
use crate::settings::Settings;
use crate::summary::{Summary, printable};

/// Options of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// Seed of everything random.
    #[arg(long, global = true, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Threads; 0 takes all.
    #[arg(long, global = true, default_value_t = 0)]
    pub(crate) threads: usize,
    /// Print the summary as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Settings from a file such as `volary init` writes; options on the command line go first.
    #[arg(long, global = true, value_name = "TOML")]
    pub(crate) config: Option<PathBuf>,
    /// Also write the record of the run, as --json prints it, to a file.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// Exit with 3 where the input had problems.
    #[arg(long, global = true)]
    pub(crate) strict: bool,
}

/// What a stage of a project read and wrote, and whom it left out: kept with the project, so that a run that finds the
/// stage up to date can say what the whole was made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StageFiles {
    inputs: Vec<Value>,
    outputs: Vec<Value>,
    /// Entries of the summary that say who was left out, where somebody was.
    left_out: BTreeMap<String, Value>,
}

/// What a summary says of those who opted out.
const OF_OPTOUTS: [&str; 2] = ["n_votes_opted_out", "optout_list"];

/// A command under way.
pub(crate) struct Session {
    name: &'static str,
    /// What was typed, where it is not what the process was started with.
    line: Option<Vec<String>>,
    pub(crate) global: Global,
    pub(crate) settings: Settings,
    pub(crate) progress: Progress,
    pub(crate) summary: Summary,
    pub(crate) problems: Problems,
    inputs: Vec<InputDigest>,
    outputs: Vec<PathBuf>,
    /// What the stages of a project read and wrote, also those that were up to date.
    stages: Vec<StageFiles>,
    rows: BTreeMap<String, u64>,
    /// `run.json`, once it is written.
    recorded: Option<Value>,
    /// Version of the team's policy.
    policy: Option<String>,
    meter: Meter,
    bar: Option<ProgressBar>,
    ticker: Option<std::thread::JoinHandle<()>>,
}

impl Session {
    /// Reads the settings, sets up threads and Ctrl-C.
    pub(crate) fn start(name: &'static str, global: Global) -> Result<Self> {
        let mut settings = match &global.config {
            Some(path) => Settings::read(path)?,
            None => Settings::default(),
        };
        let policy = settings.project.policy.as_deref().map(Policy::read).transpose()?;
        if let (Some(policy), Some(live)) = (&policy, &mut settings.live) {
            live.team_policy.clone_from(&policy.version);
        }
        rayon::ThreadPoolBuilder::new()
            .num_threads(global.threads)
            .build_global()
            .context("starting threads failed")?;
        let progress = Progress::default();
        let asked = progress.clone();
        ctrlc::set_handler(move || {
            // The first Ctrl-C lets readers stop and writers clean up; the second does not wait.
            if asked.is_stopped() {
                std::process::exit(130);
            }
            asked.stop();
        })
        .context("Ctrl-C cannot be caught")?;
        Ok(Self {
            name,
            line: None,
            global,
            settings,
            progress,
            summary: Summary::default(),
            problems: Problems::default(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            stages: Vec::new(),
            rows: BTreeMap::new(),
            recorded: None,
            policy: policy.map(|policy| policy.version),
            meter: Meter::start(),
            bar: None,
            ticker: None,
        })
    }

    /// Another account of the same command, for what is read again while it runs: options, settings and Ctrl-C are
    /// the same, what it notes is its own.
    pub(crate) fn beside(&self) -> Self {
        Self {
            name: self.name,
            line: self.line.clone(),
            global: self.global.clone(),
            settings: self.settings.clone(),
            progress: self.progress.clone(),
            summary: Summary::default(),
            problems: Problems::default(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            stages: Vec::new(),
            rows: BTreeMap::new(),
            recorded: None,
            policy: self.policy.clone(),
            meter: Meter::start(),
            bar: None,
            ticker: None,
        }
    }

    /// Worker threads to use.
    pub(crate) fn threads(&self) -> usize {
        match self.global.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        }
    }

    /// The present, for "time in the future".
    pub(crate) fn now_ms(&self) -> i64 {
        jiff::Timestamp::now().as_millisecond()
    }

    /// Shows a bar of bytes read, where there is a terminal to show it on.
    pub(crate) fn show_reading(&mut self, paths: &[PathBuf]) {
        if self.global.json || !(std::io::stderr().is_terminal() || progress_lines::are_wanted()) {
            return;
        }
        let total = paths.iter().filter_map(|p| std::fs::metadata(p).ok()).map(|m| m.len()).sum();
        let style = "{msg:12} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        let bar = progress_lines::bar(total).with_message("reading");
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        let (shown, progress) = (bar.clone(), self.progress.clone());
        self.ticker = Some(std::thread::spawn(move || {
            while !shown.is_finished() {
                shown.set_position(progress.bytes());
                std::thread::sleep(Duration::from_millis(100));
            }
        }));
        self.bar = Some(bar);
    }

    /// Shows that something without a measure is under way, with the time it has taken, until what it gives
    /// is dropped.
    pub(crate) fn working(&self, what: &'static str) -> Working {
        if !std::io::stderr().is_terminal() && progress_lines::are_wanted() {
            progress_lines::say(0, 0, what);
        }
        if self.global.json || !std::io::stderr().is_terminal() {
            return Working(None);
        }
        let spinner = ProgressBar::new_spinner().with_message(what);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            spinner.set_style(style);
        }
        spinner.enable_steady_tick(Duration::from_millis(120));
        Working(Some(spinner))
    }

    /// Takes the bar away.
    pub(crate) fn end_reading(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if let Some(ticker) = self.ticker.take() {
            // The ticker cannot panic; if it did, there would be nothing to do about it.
            let _ = ticker.join();
        }
    }

    /// Goes on as another command, as if that had been typed: from here on the record is its own, and what was read and
    /// written before is no part of it.
    pub(crate) fn go_on_as(&mut self, name: &'static str, words: &[&str]) {
        let (seed, threads) = (self.global.seed.to_string(), self.global.threads.to_string());
        let mut line = vec![std::env::args().next().unwrap_or_else(|| "volary".to_owned())];
        line.push(name.to_owned());
        line.extend(words.iter().map(|word| (*word).to_owned()));
        line.extend(["--seed".to_owned(), seed, "--threads".to_owned(), threads]);
        (self.name, self.line) = (name, Some(line));
        self.inputs.clear();
        self.outputs.clear();
        // What this process put in place so far belongs to the command before.
        drop(output::take_placed());
    }

    /// Notes an input for `run.json`.
    pub(crate) fn input(&mut self, digest: InputDigest) {
        // Where it is to be written, too, that is refused when it comes to it.
        let _ = output::protect(&digest.path);
        self.inputs.push(digest);
    }

    /// Notes an input that was read by other means than a counted stream.
    pub(crate) fn input_file(&mut self, path: &Path) -> Result<()> {
        output::protect(path)?;
        let mut hasher = blake3::Hasher::new();
        let file =
            std::fs::File::open(path).with_context(|| format!("reading failed: {}", path.display()))?;
        let n_bytes = std::io::copy(&mut std::io::BufReader::new(file), &mut hasher)?;
        let blake3 = hasher.finalize().to_hex().to_string();
        self.input(InputDigest { path: path.to_owned(), n_bytes, blake3 });
        Ok(())
    }

    /// Names a file that was written, as one that whoever asked for the run wants to see: a figure of a step goes into
    /// the project's report. What is not named is in `run.json` all the same.
    pub(crate) fn output(&mut self, path: &Path) {
        self.outputs.push(path.to_owned());
    }

    /// Does a stage of a project and gives what it read and wrote.
    pub(crate) fn stage(&mut self, work: impl FnOnce(&mut Self) -> Result<()>) -> Result<StageFiles> {
        let inputs = std::mem::take(&mut self.inputs);
        let outputs = std::mem::take(&mut self.outputs);
        let placed = output::take_placed();
        let done = work(self);
        let summary = self.summary.json();
        let said = |name: &&str| Some(((*name).to_owned(), summary.get(*name)?.clone()));
        let files = StageFiles {
            inputs: self.read(),
            outputs: self.written(),
            left_out: OF_OPTOUTS.iter().filter_map(said).collect(),
        };
        self.inputs.splice(..0, inputs);
        self.outputs.splice(..0, outputs);
        placed.iter().for_each(|path| output::placed(path));
        done.map(|()| files)
    }

    /// Takes into the record what a stage read and wrote, in this run or before.
    pub(crate) fn stage_files(&mut self, files: StageFiles) {
        for (name, value) in &files.left_out {
            if self.summary.json().get(name).is_none() {
                self.summary.value(name, value.clone());
            }
        }
        self.stages.push(files);
    }

    /// Every file that this run has read so far, with its checksum.
    fn read(&self) -> Vec<Value> {
        let file = |i: &InputDigest| json!({"path": i.path.display().to_string(), "bytes": i.n_bytes, "blake3": i.blake3});
        self.inputs.iter().map(file).collect()
    }

    /// What the record says was read, and what was written. Of stages, what one wrote and the next read is no input of
    /// the whole; nor is what it read an output, where the bytes are the same.
    fn files(&self) -> [Vec<Value>; 2] {
        let of = |files: &[Value]| -> BTreeSet<String> {
            files.iter().filter_map(|file| Some(file["blake3"].as_str()?.to_owned())).collect()
        };
        let mut inputs = self.read();
        let mut outputs = self.written();
        if self.stages.is_empty() {
            return [inputs, outputs];
        }
        let mut seen: BTreeSet<String> = outputs.iter().map(|file| file["path"].to_string()).collect();
        let between: BTreeSet<String> =
            self.stages.iter().flat_map(|stage| of(&stage.outputs)).collect();
        for stage in &self.stages {
            outputs.extend(
                stage.outputs.iter().filter(|file| seen.insert(file["path"].to_string())).cloned(),
            );
            inputs.extend(stage.inputs.iter().cloned());
        }
        let mut seen = BTreeSet::new();
        inputs.retain(|file| {
            file["blake3"].as_str().is_none_or(|hash| !between.contains(hash))
                && seen.insert(file.to_string())
        });
        let begun = of(&inputs);
        outputs.retain(|file| file["blake3"].as_str().is_none_or(|hash| !begun.contains(hash)));
        [inputs, outputs]
    }

    /// Every file that this run has written so far, with its checksum: those that were named, then all that were put in
    /// place. Records are none, nor is what a project keeps for itself. A simulation names none: what it writes is where
    /// others begin, as an export is.
    fn written(&self) -> Vec<Value> {
        let mut seen = BTreeSet::new();
        if self.name == "simulate" {
            return Vec::new();
        }
        // What lies deeper comes later: of files of one name the first is the one that is meant.
        let mut placed: Vec<PathBuf> = output::all_placed().into_iter().collect();
        placed.sort_by_key(|path| path.components().count());
        let all = self.outputs.iter().cloned().chain(placed);
        let new = all.filter(|path| {
            std::path::absolute(path).is_ok_and(|whole| self.is_product(&whole) && seen.insert(whole))
        });
        new.filter_map(|path| digest(&path)).collect()
    }

    fn is_product(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_record = name == "run.json" || name.ends_with(".run.json");
        let is_asked = self
            .global
            .record
            .as_deref()
            .is_some_and(|record| std::path::absolute(record).is_ok_and(|record| record == path));
        let is_kept = path.components().any(|part| part.as_os_str() == ".volary");
        !is_record && !is_asked && !is_kept
    }

    /// Names a graphics card that is used; what it takes is counted from now on, where it counts it.
    pub(crate) fn graphics(&mut self, card: &str) {
        self.meter.hardware.graphics = Some(card.to_owned());
        self.meter.cards = Cards::open();
    }

    /// What this run has cost so far.
    pub(crate) fn cost(&self) -> Cost {
        self.meter.cost(&self.settings)
    }

    /// Notes a reader's account of its input.
    pub(crate) fn report(&mut self, report: ReadReport) {
        self.end_reading();
        self.summary.count("rows_read", "rows read", report.rows_read);
        self.summary.count("rows_used", "  used", report.rows_used);
        self.summary.left_out(report.left_out.iter().map(|(reason, n)| (reason.as_str(), *n)));
        self.problems.absorb(&report.problems);
        self.input(report.digest);
    }

    /// Notes a table that was written.
    pub(crate) fn table_file(&mut self, path: &Path, n_rows: u64) {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        self.summary.count(&format!("n_{name}"), &name, n_rows);
        self.rows(&name, n_rows);
        self.output(path);
    }

    /// Notes a table's number of rows for `run.json`.
    pub(crate) fn rows(&mut self, table: &str, n: u64) {
        self.rows.insert(table.to_owned(), n);
    }

    /// The figures among the files that were named.
    fn figures(&self) -> Vec<String> {
        let is_figure = |path: &&PathBuf| {
            let ending = path.extension().unwrap_or_default();
            ending == "svg" || ending == "png"
        };
        self.outputs.iter().filter(is_figure).map(|path| path.display().to_string()).collect()
    }

    /// `run.json` as it will be written.
    pub(crate) fn record(&self) -> Value {
        let [inputs, outputs] = self.files();
        let problems: BTreeMap<&str, u64> =
            self.problems.by_kind().map(|(k, n)| (k.as_str(), n)).collect();
        let examples = self.problems.examples().map(
            |p| json!({"kind": p.kind.as_str(), "row": p.row, "column": p.column, "detail": p.detail}),
        );
        let mut record = json!({
            "volary": env!("CARGO_PKG_VERSION"),
            "command": self.name,
            "command_line": self.line.clone().unwrap_or_else(|| without_names(std::env::args())),
            "folder": std::env::current_dir().ok().map(|folder| folder.display().to_string()),
            "settings": self.settings,
            "seed": self.global.seed,
            "threads": self.threads(),
            "inputs": inputs,
            "outputs": outputs,
            "figures": self.figures(),
            "rows": self.rows,
            "summary": self.summary.json(),
            "problems": problems,
            "problem_examples": examples.collect::<Vec<_>>(),
            "wall_s": self.meter.started.elapsed().as_secs_f64(),
            "cpu_s": cpu_seconds(),
            "peak_memory_bytes": peak_memory(),
            "cost": self.cost(),
        });
        if let Some(version) = &self.policy {
            record["policy"] = json!(version);
        }
        record
    }

    /// The team's policy: the one that was named, else that of the project. The record is stamped with it.
    ///
    /// # Errors
    /// Where it cannot be read, or the project follows another one.
    pub(crate) fn policy_of(&mut self, named: Option<&Path>) -> Result<Option<PathBuf>> {
        let Some(path) = named else { return Ok(self.settings.project.policy.clone()) };
        let version = Policy::read(path)?.version;
        if let Some(of_project) = self.policy.as_ref().filter(|of_project| **of_project != version) {
            bail!(
                "--policy {} has the version {version:?}, and `policy` under [project] in volary.toml {of_project:?}: give \
                 the one that is followed, or change volary.toml",
                path.display()
            );
        }
        self.policy = Some(version);
        Ok(Some(path.to_owned()))
    }

    /// Writes `run.json` before the end, for what is made from it.
    pub(crate) fn write_record(&mut self, path: &Path) -> Result<()> {
        self.problems.absorb(&self.progress.take_passed_over());
        let record = self.record();
        output::write_whole(path, format!("{record:#}\n").as_bytes())?;
        self.recorded = Some(record);
        Ok(())
    }

    /// Writes `run.json` beside the outputs, prints the summary and gives the exit code.
    pub(crate) fn finish(self, run_json: Option<&Path>) -> Result<ExitCode> {
        self.finish_on(run_json, &mut std::io::stdout().lock())
    }

    /// The same with the summary on `out`: for commands whose standard output is their result.
    pub(crate) fn finish_on(
        mut self,
        run_json: Option<&Path>,
        out: &mut dyn std::io::Write,
    ) -> Result<ExitCode> {
        self.end_reading();
        self.problems.absorb(&self.progress.take_passed_over());
        // Where nobody asks for it, no file is read for it.
        let is_asked = self.global.json || run_json.is_some() || self.global.record.is_some();
        let record = match self.recorded.take() {
            Some(record) => record,
            None if is_asked => self.record(),
            None => Value::Null,
        };
        if let Some(path) = run_json {
            output::write_whole(path, format!("{record:#}\n").as_bytes())?;
        }
        if let Some(path) = &self.global.record {
            output::write_whole(path, format!("{record:#}\n").as_bytes())?;
        }
        // A closed pipe (`volary … | head`) is the reader's choice and no failure.
        let _ = if self.global.json {
            writeln!(out, "{record:#}")
        } else {
            out.write_all(self.text().as_bytes())
        };
        let is_strict_failure = self.global.strict && self.problems.total() > 0;
        Ok(if is_strict_failure { ExitCode::from(3) } else { ExitCode::SUCCESS })
    }

    fn text(&mut self) -> String {
        let rows: Vec<Vec<String>> = self
            .problems
            .by_kind()
            .map(|(kind, n)| {
                let first = self.problems.examples().find(|p| p.kind == kind);
                let place = first.map_or_else(String::new, |p| match (p.row, p.column.as_str()) {
                    (0, _) => String::new(),
                    (row, "") => format!("row {row}"),
                    (row, column) => format!("row {row}, {column}"),
                });
                let detail = first.map_or_else(String::new, |p| p.detail.chars().take(160).collect());
                vec![kind.as_str().to_owned(), n.to_string(), place, printable(&detail)]
            })
            .collect();
        self.summary.table("Problems", &["what", "how often", "first", ""], &rows);
        self.summary.text().to_owned()
    }
}

/// A sign of life on the terminal; gone when dropped.
pub(crate) struct Working(Option<ProgressBar>);

impl Drop for Working {
    fn drop(&mut self) {
        if let Some(spinner) = &self.0 {
            spinner.finish_and_clear();
        }
    }
}

/// Where `run.json` belongs for an output: in a folder, or beside a file under its name.
pub(crate) fn run_json_for(output: &Path) -> PathBuf {
    if output.is_dir() || output.extension().is_none() {
        return output.join("run.json");
    }
    let stem = output.file_stem().unwrap_or_default().to_string_lossy();
    output.with_file_name(format!("{stem}.run.json"))
}

/// What a run takes, measured.
struct Meter {
    started: Instant,
    hardware: Hardware,
    /// Seconds that all processors had been busy when it started.
    busy_s: Option<f64>,
    rapl: Option<Arc<Mutex<Rapl>>>,
    cards: Option<Cards>,
}

impl Meter {
    fn start() -> Self {
        let rapl = Rapl::open(Path::new(POWERCAP)).map(|rapl| Arc::new(Mutex::new(rapl)));
        if let Some(rapl) = &rapl {
            // Counters run over and must be looked at now and then; whoever drops the meter ends this.
            let watched = Arc::downgrade(rapl);
            std::thread::spawn(move || {
                while let Some(rapl) = watched.upgrade() {
                    rapl.lock().unwrap_or_else(PoisonError::into_inner).joules();
                    drop(rapl);
                    std::thread::sleep(Duration::from_secs(60));
                }
            });
        }
        Self { started: Instant::now(), hardware: Hardware::here(), busy_s: busy(), rapl, cards: None }
    }

    fn cost(&self, settings: &Settings) -> Cost {
        let joules = self
            .rapl
            .as_ref()
            .and_then(|rapl| rapl.lock().unwrap_or_else(PoisonError::into_inner).joules());
        let spent = Spent {
            wall_s: self.started.elapsed().as_secs_f64(),
            cpu_s: cpu_seconds(),
            peak_memory_bytes: peak_memory(),
            joules,
            busy_s: busy().zip(self.busy_s).map(|(now, then)| now - then),
            graphics_joules: self.cards.as_ref().and_then(Cards::joules),
        };
        Cost::of(&spent, &self.hardware, &settings.cost)
    }
}

/// The graphics cards of this machine that count their energy (NVIDIA, since Volta).
struct Cards {
    library: Nvml,
    start_mj: u64,
}

impl Cards {
    fn open() -> Option<Self> {
        let library = Nvml::init().ok()?;
        let start_mj = Self::millijoules(&library)?;
        Some(Self { library, start_mj })
    }

    /// Of all cards, since their driver was loaded.
    fn millijoules(library: &Nvml) -> Option<u64> {
        let cards = (0..library.device_count().ok()?).map(|i| library.device_by_index(i));
        let all: Vec<u64> =
            cards.filter_map(|card| card.ok()?.total_energy_consumption().ok()).collect();
        (!all.is_empty()).then(|| all.iter().sum())
    }

    /// Since it was opened.
    fn joules(&self) -> Option<f64> {
        let now = Self::millijoules(&self.library)?;
        Some(now.saturating_sub(self.start_mj) as f64 / 1000.0)
    }
}

/// Seconds that all processors of the machine were busy since it started.
fn busy() -> Option<f64> {
    busy_seconds(&std::fs::read_to_string("/proc/stat").ok()?)
}

/// A file by its bytes; one that was not written after all is left out.
fn digest(path: &Path) -> Option<Value> {
    let mut hasher = blake3::Hasher::new();
    let file = std::fs::File::open(path).ok()?;
    let n_bytes = std::io::copy(&mut std::io::BufReader::new(file), &mut hasher).ok()?;
    let blake3 = hasher.finalize().to_hex().to_string();
    Some(json!({"path": path.display().to_string(), "bytes": n_bytes, "blake3": blake3}))
}

/// Options whose value says who somebody is.
const OF_SOMEBODY: [&str; 3] = ["--user", "--user-id", "--volunteer"];

/// What was typed, without the name, the number or the key of a person in it: a record is a file.
fn without_names(words: impl Iterator<Item = String>) -> Vec<String> {
    let mut is_name = false;
    let mut shown = Vec::new();
    for word in words {
        let next_is_name = OF_SOMEBODY.contains(&word.as_str());
        shown.push(match word.split_once('=') {
            _ if is_name => "…".to_owned(),
            Some((option, _)) if OF_SOMEBODY.contains(&option) => format!("{option}=…"),
            _ => word,
        });
        is_name = next_is_name && !is_name;
    }
    shown
}

fn cpu_seconds() -> Option<f64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
}

/// The most memory this process ever held, where the system says it.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::without_names;

    #[test]
    fn a_record_holds_no_name_that_was_typed() {
        let shown = |line: &str| without_names(line.split(' ').map(str::to_owned)).join(" ");
        assert_eq!(shown("volary optout add --user Zaphod --at x"), "volary optout add --user … --at x");
        assert_eq!(
            shown("volary optout add --user=Zaphod=B --at x"),
            "volary optout add --user=… --at x"
        );
        assert_eq!(shown("optout add --user-id 7 --user-id=8"), "optout add --user-id … --user-id=…");
        assert_eq!(shown("optout back --volunteer v01"), "optout back --volunteer …");
        // Somebody may be called like an option.
        assert_eq!(shown("optout add --user --user Zaphod"), "optout add --user … Zaphod");
        assert_eq!(shown("consensus users.csv -o --users"), "consensus users.csv -o --users");
    }
}
