//! What a run costs: processor time, energy, and what that energy emits, each with how it was found.
//!
//! Where the machine counts its energy (RAPL, by Linux's powercap) the count is taken. Elsewhere energy is
//! processor time × a stated power, and there are three numbers and never one: at half load, two formulas
//! in use differ by a factor of 2.4 from the formula alone (specification 7.4). CodeCarbon 3.3 is where the
//! 85 W of an unknown processor come from.
//!
//! A graphics card that counts its energy (NVML) is counted whole: nobody can say which part of it was whose.
//!
//! Not counted: memory, disks, network, a graphics card that does not count; every cost says so. No clock is read here: whoever
//! runs something says how long it took.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::ReleaseError;

/// The file of a folder's costs.
pub const COST_FILE: &str = "cost.json";
/// Where Linux shows the energy counters.
pub const POWERCAP: &str = "/sys/class/powercap";
const JOULES_PER_WH: f64 = 3600.0;
/// Shares of a thread's power at full load: low, middle, high.
const LOADS: [f64; 3] = [0.3, 0.6, 1.0];

/// What electricity is taken to cost: `[cost]` in `volary.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PowerModel {
    /// Watts of one logical processor at full load: the processor's thermal design power over its threads.
    pub watts_per_thread: f64,
    /// Power that the building takes over that of the machine.
    pub pue: f64,
    /// Grams of CO₂ equivalents a kilowatt hour. Without it nothing is said of emissions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid_g_per_kwh: Option<f64>,
    /// Where that number is from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid_source: Option<String>,
}

impl Default for PowerModel {
    /// 85 W over eight threads, in a building that takes nothing.
    fn default() -> Self {
        Self { watts_per_thread: 85.0 / 8.0, pue: 1.0, grid_g_per_kwh: None, grid_source: None }
    }
}

impl PowerModel {
    /// Whether the numbers can be.
    ///
    /// # Errors
    /// [`ReleaseError::Refused`] with what to correct.
    pub fn check(&self) -> Result<(), ReleaseError> {
        let refuse = |what: &str| Err(ReleaseError::Refused(format!("[cost] in volary.toml: {what}")));
        let is_above = |x: f64, least: f64| x.is_finite() && x >= least;
        if !is_above(self.watts_per_thread, f64::MIN_POSITIVE) {
            return refuse("`watts_per_thread` is a number above 0");
        }
        if !is_above(self.pue, 1.0) {
            return refuse("`pue` is 1 or more: a building takes no less than its machines");
        }
        match (self.grid_g_per_kwh, self.grid_source.as_deref().map(str::trim)) {
            (Some(grams), Some(source)) if is_above(grams, 0.0) && !source.is_empty() => Ok(()),
            (None, None) => Ok(()),
            _ => refuse("`grid_g_per_kwh` is a number of grams and `grid_source` says where it is from"),
        }
    }
}

/// Three estimates of one thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Not less than this.
    pub low: f64,
    /// The one to quote where one must be.
    pub mid: f64,
    /// Not more than this.
    pub high: f64,
}

impl Span {
    fn times(self, factor: f64) -> Self {
        Self { low: self.low * factor, mid: self.mid * factor, high: self.high * factor }
    }

    fn plus(self, other: Self) -> Self {
        Self { low: self.low + other.low, mid: self.mid + other.mid, high: self.high + other.high }
    }
}

/// How the energy was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Method {
    /// Counted by the processor (RAPL).
    #[serde(rename = "rapl")]
    Rapl,
    /// Processor time × a stated power.
    #[serde(rename = "model:cpu_time")]
    CpuTime,
    /// Counted by the graphics cards (NVML).
    #[serde(rename = "nvml")]
    Nvml,
}

impl Method {
    /// Its name in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rapl => "rapl",
            Self::CpuTime => "model:cpu_time",
            Self::Nvml => "nvml",
        }
    }
}

/// The machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hardware {
    /// The processor's own name.
    pub processor: String,
    /// Logical processors that this system sees.
    pub n_threads: usize,
    /// Operating system and architecture.
    pub system: String,
    /// A graphics card that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graphics: Option<String>,
}

impl Hardware {
    /// The machine that this runs on, by `/proc/cpuinfo` where there is one.
    #[must_use]
    pub fn here() -> Self {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Self {
            processor: processor_name(&cpuinfo),
            n_threads: std::thread::available_parallelism().map_or(1, usize::from),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            graphics: None,
        }
    }
}

fn processor_name(cpuinfo: &str) -> String {
    let name = cpuinfo.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim().to_owned())
    });
    name.filter(|n| !n.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

/// What a run took, as whoever ran it measured it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// Seconds on the wall.
    pub wall_s: f64,
    /// Seconds of all processors, where the system says them.
    pub cpu_s: Option<f64>,
    /// The most memory it ever held.
    pub peak_memory_bytes: Option<u64>,
    /// Joules that the whole machine's processors took meanwhile, where they count them.
    pub joules: Option<f64>,
    /// Seconds that all processors together were busy meanwhile, whoever kept them so.
    pub busy_s: Option<f64>,
    /// Joules that the graphics cards took meanwhile, where they were used and count them.
    pub graphics_joules: Option<f64>,
}

/// What a run cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Seconds on the wall.
    pub wall_s: f64,
    /// Seconds of all processors.
    pub cpu_s: f64,
    /// The most memory it ever held.
    pub peak_memory_bytes: Option<u64>,
    /// The machine.
    pub hardware: Hardware,
    /// Energy in watt hours.
    pub energy_wh: Span,
    /// How that was found.
    pub method: Method,
    /// How that of the graphics cards was found, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graphics_method: Option<Method>,
    /// The same in words, with the numbers that went in.
    pub how: String,
    /// Grams of CO₂ equivalents, where the grid is stated.
    pub emissions_g: Option<Span>,
    /// Where the grid's number is from.
    pub grid: Option<String>,
    /// What is not in the energy.
    pub not_counted: Vec<String>,
    /// When the run ended, where whoever ran it says so: `2026-11-28T09:30:00Z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
}

impl Cost {
    /// The cost of what was spent.
    ///
    /// Counted joules are the machine's. The run's part of them is, at the least, its share of all time that
    /// the processors could have worked; in the middle, its share of the time that they did; at the most,
    /// all of it.
    #[must_use]
    pub fn of(spent: &Spent, hardware: &Hardware, power: &PowerModel) -> Self {
        let cpu_s = spent.cpu_s.unwrap_or(spent.wall_s).max(0.0);
        let (joules, method, how) = match spent.joules.filter(|j| j.is_finite() && *j >= 0.0) {
            Some(joules) => {
                let room_s = spent.wall_s * hardware.n_threads as f64;
                let share = |of: f64| if of > 0.0 { (cpu_s / of).min(1.0) } else { 1.0 };
                let low = share(room_s.max(cpu_s));
                let mid = spent.busy_s.map_or(low, |busy| share(busy.max(cpu_s))).max(low);
                let how = format!(
                    "{joules:.0} J counted by the processors (RAPL) × this run's share: {low:.3} of the time they \
                     could work, {mid:.3} of the time they did, or all; × PUE {}",
                    power.pue
                );
                (Span { low, mid, high: 1.0 }.times(joules), Method::Rapl, how)
            }
            None => {
                let [low, mid, high] = LOADS;
                let how = format!(
                    "{cpu_s:.1} s of processor time × {:.2} W a thread × {low}, {mid} or {high} × PUE {}",
                    power.watts_per_thread, power.pue
                );
                let joules = cpu_s * power.watts_per_thread;
                (Span { low, mid, high }.times(joules), Method::CpuTime, how)
            }
        };
        let graphics =
            spent.graphics_joules.filter(|j| hardware.graphics.is_some() && j.is_finite() && *j >= 0.0);
        let (joules, how) = match graphics {
            // At the least nothing of it: others may have used the cards.
            Some(card) => (
                joules.plus(Span { low: 0.0, mid: card, high: card }),
                format!("{how}; {card:.0} J counted by the graphics cards (NVML), all of it or nothing"),
            ),
            None => (joules, how),
        };
        let energy_wh = joules.times(power.pue / JOULES_PER_WH);
        let mut not_counted = vec!["memory".to_owned(), "disks".to_owned(), "network".to_owned()];
        if graphics.is_none() {
            not_counted.extend(hardware.graphics.as_ref().map(|card| format!("graphics card ({card})")));
        }
        Self {
            wall_s: spent.wall_s,
            cpu_s,
            peak_memory_bytes: spent.peak_memory_bytes,
            hardware: hardware.clone(),
            energy_wh,
            method,
            graphics_method: graphics.map(|_| Method::Nvml),
            how,
            emissions_g: power.grid_g_per_kwh.map(|grams| energy_wh.times(grams / 1000.0)),
            grid: power
                .grid_g_per_kwh
                .zip(power.grid_source.as_ref())
                .map(|(grams, source)| format!("{grams} g/kWh, {source}")),
            not_counted,
            ended_at: None,
        }
    }
}

/// The energy counters of this machine's processors.
///
/// A counter runs over (after some 45 minutes at 100 W): it must be looked at more often than that.
#[derive(Debug)]
pub struct Rapl {
    counters: Vec<Counter>,
}

#[derive(Debug)]
struct Counter {
    path: PathBuf,
    /// The largest value; after it comes 0.
    range_uj: u64,
    last_uj: u64,
    total_uj: u64,
}

impl Rapl {
    /// The counters below a folder ([`POWERCAP`]); `None` where there are none, or none may be read: since
    /// 2020 Linux shows them to the superuser only.
    #[must_use]
    pub fn open(powercap: &Path) -> Option<Self> {
        let read = |path: &Path, name: &str| std::fs::read_to_string(path.join(name)).ok();
        let mut zones: Vec<PathBuf> =
            std::fs::read_dir(powercap).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
        zones.sort();
        let mut counters = Vec::new();
        for zone in zones {
            let name = read(&zone, "name").unwrap_or_default();
            // Cores and the rest are parts of their package; `psys` holds the packages once more.
            if !(name.trim().starts_with("package") || name.trim() == "dram") {
                continue;
            }
            let number = |file: &str| read(&zone, file)?.trim().parse::<u64>().ok();
            if let (Some(last_uj), Some(range_uj)) = (number("energy_uj"), number("max_energy_range_uj"))
            {
                counters.push(Counter { path: zone.join("energy_uj"), range_uj, last_uj, total_uj: 0 });
            }
        }
        (!counters.is_empty()).then_some(Self { counters })
    }

    /// Joules since it was opened; `None` where a counter can no longer be read.
    pub fn joules(&mut self) -> Option<f64> {
        let mut total_uj = 0;
        for counter in &mut self.counters {
            let now: u64 = std::fs::read_to_string(&counter.path).ok()?.trim().parse().ok()?;
            let more = if now >= counter.last_uj {
                now - counter.last_uj
            } else {
                counter.range_uj.saturating_sub(counter.last_uj) + now
            };
            counter.last_uj = now;
            counter.total_uj += more;
            total_uj += counter.total_uj;
        }
        Some(total_uj as f64 / 1e6)
    }
}

/// Seconds that all processors together were busy since the start, out of `/proc/stat`.
#[must_use]
pub fn busy_seconds(proc_stat: &str) -> Option<f64> {
    // Linux counts for users in hundredths of a second, whatever it does inside.
    const PER_SECOND: f64 = 100.0;
    let numbers: Vec<u64> = proc_stat
        .lines()
        .find_map(|line| line.strip_prefix("cpu "))?
        .split_whitespace()
        .map_while(|n| n.parse().ok())
        .collect();
    // user, nice, system, idle, iowait, irq, softirq: guests are in `user` already.
    let busy = [0, 1, 2, 5, 6].iter().map(|&i| numbers.get(i).copied()).sum::<Option<u64>>()?;
    Some(busy as f64 / PER_SECOND)
}

/// The costs of all runs that went into a folder, those that were killed as well.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// In the order in which they began.
    pub runs: Vec<Cost>,
}

/// The sum of a ledger.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Total {
    /// Runs.
    pub n_runs: usize,
    /// Seconds on the wall.
    pub wall_s: f64,
    /// Seconds of all processors.
    pub cpu_s: f64,
    /// Watt hours.
    pub energy_wh: Span,
    /// Grams of CO₂ equivalents; `None` where one of the runs had no grid.
    pub emissions_g: Option<Span>,
    /// How they were found.
    pub methods: BTreeSet<Method>,
}

impl Ledger {
    /// Reads a ledger; one that is not there is empty.
    ///
    /// # Errors
    /// [`ReleaseError`] where it is there and cannot be read.
    pub fn read(path: &Path) -> Result<Self, ReleaseError> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = std::fs::read_to_string(path).map_err(ReleaseError::reading(path))?;
        serde_json::from_str(&text)
            .map_err(|e| ReleaseError::settings(path, format!("not a list of costs ({e}); remove it")))
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), ReleaseError> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|e| ReleaseError::settings(path, format!("the costs cannot be written: {e}")))?;
        Ok(volary_ingest::output::write_whole(path, format!("{text}\n").as_bytes())?)
    }

    /// When the last run ended, where that was noted.
    #[must_use]
    pub fn ended_at(&self) -> Option<&str> {
        self.runs.last()?.ended_at.as_deref()
    }

    /// The sum, with one more run.
    #[must_use]
    pub fn with(&self, run: &Cost) -> Self {
        let mut more = self.clone();
        more.runs.push(run.clone());
        more
    }

    /// The sum of all.
    #[must_use]
    pub fn total(&self) -> Total {
        let mut total = Total { n_runs: self.runs.len(), ..Total::default() };
        let mut emissions = Some(Span::default());
        for run in &self.runs {
            total.wall_s += run.wall_s;
            total.cpu_s += run.cpu_s;
            total.energy_wh = total.energy_wh.plus(run.energy_wh);
            emissions = emissions.zip(run.emissions_g).map(|(sum, one)| sum.plus(one));
            total.methods.insert(run.method);
        }
        total.emissions_g = emissions.filter(|_| !self.runs.is_empty());
        total
    }
}

/// The most that a training or a search may take, all its runs together: `[budget]` in `volary.toml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Hours on the wall.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<f64>,
    /// Hours of all processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_hours: Option<f64>,
    /// Kilowatt hours, by the middle estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub energy_kwh: Option<f64>,
}

impl Budget {
    /// Whether the numbers can be.
    ///
    /// # Errors
    /// [`ReleaseError::Refused`] with what to correct.
    pub fn check(&self) -> Result<(), ReleaseError> {
        for (name, most, _) in self.limits(&Total::default()) {
            if most.is_some_and(|most| !(most.is_finite() && most > 0.0)) {
                let what = format!("[budget] in volary.toml: `{name}` is a number above 0, or left out");
                return Err(ReleaseError::Refused(what));
            }
        }
        Ok(())
    }

    fn limits(&self, total: &Total) -> [(&'static str, Option<f64>, f64); 3] {
        [
            ("hours", self.hours, total.wall_s / 3600.0),
            ("cpu_hours", self.cpu_hours, total.cpu_s / 3600.0),
            ("energy_kwh", self.energy_kwh, total.energy_wh.mid / 1000.0),
        ]
    }

    /// What would be passed, in words, if `more` were spent as well.
    #[must_use]
    pub fn would_pass(&self, total: &Total, more: &Total) -> Option<String> {
        let more = self.limits(more);
        self.limits(total).into_iter().zip(more).find_map(|((name, most, spent), (.., more))| {
            let most = most.filter(|most| spent >= *most || spent + more > *most)?;
            Some(format!(
                "the budget would be passed: {name} = {most} in volary.toml, {} are used, and one more may take {}",
                to_digits(spent),
                to_digits(more)
            ))
        })
    }

    /// What is spent, in words, once something is.
    #[must_use]
    pub fn spent(&self, total: &Total) -> Option<String> {
        self.limits(total).into_iter().find_map(|(name, most, spent)| {
            let most = most.filter(|most| spent >= *most)?;
            let spent = to_digits(spent);
            Some(format!("the budget is spent: {name} = {most} in volary.toml, and {spent} are used"))
        })
    }
}

/// A number to four digits, wherever they begin: a small training takes a ten-millionth of a kilowatt hour.
fn to_digits(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return x.to_string();
    }
    let places = (3 - x.abs().log10().floor() as i32).clamp(0, 15) as usize;
    let text = format!("{x:.places$}");
    if places == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
}

#[cfg(test)]
#[path = "cost_tests.rs"]
mod tests;
