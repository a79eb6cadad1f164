//! Light curves in and out: CSV tables and the FITS files of Kepler and TESS, one or a folder of them.
//!
//! What the mark pipeline needs of a light curve is which of its time stamps hold data
//! ([`volary_core::marks::Stamps`]): a stamp whose time or flux is NaN, empty or infinite is a gap. A light
//! curve belongs to a star and one of its quarters, or to one subject. Only the table of gaps that somebody
//! made before is read elsewhere: [`crate::gap_table`]. No detrending, no quality flags.

mod csv_table;
mod fits;

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use volary_core::marks::{CurveTable, Stamps};
use volary_core::{ProblemKind, Problems};

use crate::error::IngestError;
use crate::output::AtomicFile;
use crate::source::{InputDigest, Progress, Source};

/// One light curve, stamp by stamp.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LightCurve {
    /// The star: a KIC or TIC number as text, without leading zeros; empty where nothing says it.
    pub star: String,
    /// Quarter or sector, as text; empty where nothing says it.
    pub quarter: String,
    /// The subject that shows it: the table's own column, else the file's name without its ending.
    pub subject: String,
    /// Time stamps in days; NaN where there is none.
    pub time_days: Vec<f64>,
    /// Flux; NaN where there is none. As long as `time_days`.
    pub flux: Vec<f64>,
}

impl LightCurve {
    /// Which of its stamps hold data.
    ///
    /// Stamps before the first finite time and after the last are not part of the light curve: so its
    /// range and its spacing are right where the first stamp is NaN (the released SATCHEL code then takes
    /// another light curve). A missing flux is a gap but keeps the range.
    #[must_use]
    pub fn stamps(&self) -> Stamps {
        let first = self.time_days.iter().position(|t| t.is_finite()).unwrap_or(0);
        let last = self.time_days.iter().rposition(|t| t.is_finite()).unwrap_or(0);
        let at = |i: usize| self.time_days.get(i).copied().unwrap_or(f64::NAN);
        let pairs = self.time_days.iter().zip(&self.flux);
        let real = pairs.filter(|(t, f)| t.is_finite() && f.is_finite()).map(|(t, _)| *t);
        let mut with_data_days: Vec<f64> = real.collect();
        with_data_days.sort_by(f64::total_cmp);
        let n = if self.time_days.is_empty() { 0 } else { last - first + 1 };
        Stamps::Listed {
            with_data_days,
            n: u32::try_from(n).unwrap_or(u32::MAX),
            range_days: (at(first).min(at(last)), at(first).max(at(last))),
        }
    }
}

/// Light curves with an account of their files.
#[derive(Clone, Debug, Default)]
pub struct LightCurveFiles {
    /// The stamps of each, by star and by subject.
    pub table: CurveTable,
    /// Quarters, one per curve.
    pub quarters: Vec<String>,
    /// Files read.
    pub n_files: u64,
    /// Files that could not be read; each is among the problems.
    pub n_unreadable: u64,
    /// What was wrong; the column of a problem is the file's name.
    pub problems: Problems,
    /// The files, for `run.json`.
    pub digests: Vec<InputDigest>,
}

/// Whether a file's name is that of a light curve.
fn is_light_curve(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    [".csv", ".tsv", ".fits", ".fit"].iter().any(|end| name.ends_with(end))
}

/// Reads one light curve file, or every one in a folder and the folders in it, in the order of their names.
///
/// A file that cannot be read is a problem, not the end, unless it is the only one asked for.
///
/// # Errors
/// Where the file or the folder cannot be read, or the folder holds no light curve.
pub fn read_light_curves(path: &Path, progress: &Progress) -> Result<LightCurveFiles, IngestError> {
    let mut files = LightCurveFiles::default();
    if !path.is_dir() {
        files.add(read_file(path, progress)?);
        return Ok(files);
    }
    let mut paths = Vec::new();
    find_files(path, &mut paths)?;
    if paths.is_empty() {
        let what = "no light curve (.csv, .fits, .fits.gz) in the folder; name another one".to_owned();
        return Err(IngestError::Format { what, path: path.to_owned() });
    }
    for (file, read) in paths.iter().zip(read_all(&paths, progress)?) {
        match read {
            Ok(read) => files.add(read),
            Err(IngestError::Stopped) => return Err(IngestError::Stopped),
            Err(error) => {
                files.n_unreadable += 1;
                files.problems.add(0, &name_of(file), ProblemKind::OddValue, error.to_string());
            }
        }
    }
    Ok(files)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn find_files(folder: &Path, out: &mut Vec<PathBuf>) -> Result<(), IngestError> {
    let io = |e| IngestError::io("reading", folder, e);
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        entries.push(entry.map_err(io)?.path());
    }
    entries.sort();
    for path in entries {
        if path.is_dir() {
            find_files(&path, out)?;
        } else if is_light_curve(&path) {
            out.push(path);
        }
    }
    Ok(())
}

/// What one file holds, all of it.
pub type ReadFile = (Vec<LightCurve>, Problems, InputDigest);
/// What one file holds, stamps only.
type Kept = (Vec<Curve>, Problems, InputDigest);

/// Reads files on all threads; the results stand in the order of the paths.
fn read_all(
    paths: &[PathBuf],
    progress: &Progress,
) -> Result<Vec<Result<Kept, IngestError>>, IngestError> {
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from).min(paths.len());
    let share = paths.len().div_ceil(n_threads.max(1));
    let work = |chunk: &[PathBuf]| -> Vec<_> { chunk.iter().map(|p| read_file(p, progress)).collect() };
    std::thread::scope(|scope| {
        let threads: Vec<_> = paths.chunks(share.max(1)).map(|c| scope.spawn(move || work(c))).collect();
        let mut all = Vec::with_capacity(paths.len());
        for thread in threads {
            all.extend(thread.join().map_err(|_| IngestError::Stopped)?);
        }
        Ok(all)
    })
}

/// A light curve of which only the stamps are kept.
struct Curve {
    star: String,
    quarter: String,
    subject: String,
    stamps: Stamps,
}

fn read_file(path: &Path, progress: &Progress) -> Result<Kept, IngestError> {
    if progress.is_stopped() {
        return Err(IngestError::Stopped);
    }
    let (curves, mut problems, digest) = read_whole(path, progress)?;
    let mut kept = Vec::new();
    for curve in curves {
        let stamps = curve.stamps();
        if stamps.range_days().0.is_nan() {
            let detail = format!("no time stamp of {} is a number; left out", curve.subject);
            problems.add(0, "TIME", ProblemKind::NotANumber, detail);
            continue;
        }
        kept.push(Curve { star: curve.star, quarter: curve.quarter, subject: curve.subject, stamps });
    }
    Ok((kept, problems, digest))
}

/// Reads one file with all its stamps: one light curve (FITS) or several (a table with a column that says
/// whose each row is).
///
/// # Errors
/// Where the file cannot be read, or has no column of times or none of flux.
pub fn read_whole(path: &Path, progress: &Progress) -> Result<ReadFile, IngestError> {
    let mut source = Source::open(path, progress)?;
    let mut head = Vec::new();
    let io = |e| IngestError::io("reading", path, e);
    source.by_ref().take(9).read_to_end(&mut head).map_err(io)?;
    if head != b"SIMPLE  =" {
        return csv_table::read(path, progress);
    }
    let mut bytes = head;
    source.read_to_end(&mut bytes).map_err(io)?;
    let digest = source.digest()?;
    let mut problems = Problems::default();
    let curve = read_fits(&bytes, path, &mut problems)?;
    Ok((vec![curve], problems, digest))
}

const TIME: [&str; 6] = ["TIME", "time_days", "t", "bjd", "bkjd", "btjd"];
const FLUX: [&str; 6] = ["PDCSAP_FLUX", "flux", "SAP_FLUX", "flux_norm", "relative_flux", "f"];

fn read_fits(bytes: &[u8], path: &Path, problems: &mut Problems) -> Result<LightCurve, IngestError> {
    let format = |what: String| IngestError::Format { what, path: path.to_owned() };
    let fits = fits::parse(bytes).map_err(|what| format(what.to_owned()))?;
    let found = fits.tables.iter().find_map(|t| Some((t, t.numbers(&TIME)?, t.numbers(&FLUX)?)));
    let Some((table, time_days, flux)) = found else {
        let names: Vec<&str> = fits.tables.iter().flat_map(fits::Table::names).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(format(format!(
            "no binary table with the columns TIME and PDCSAP_FLUX; columns of numbers: {names}"
        )));
    };
    let name = name_of(path);
    if fits.is_cut_off {
        problems.add(0, &name, ProblemKind::CutOff, "the file ends before its table does");
    }
    let text = |keys: &[&str]| table.header.text(keys).or_else(|| fits.primary.text(keys));
    let star = text(&["KEPLERID", "TICID"]).map_or_else(|| star_of_name(&name), star_key);
    let quarter = text(&["QUARTER", "SECTOR", "CAMPAIGN"]).unwrap_or_default().to_owned();
    let mut curve = LightCurve { star, quarter, subject: stem(&name), time_days, flux };
    tidy(&mut curve, &name, problems);
    Ok(curve)
}

/// Infinite cells become NaN; stamps that go back in time are put in order. Both are listed.
fn tidy(curve: &mut LightCurve, name: &str, problems: &mut Problems) {
    for cell in curve.time_days.iter_mut().chain(&mut curve.flux) {
        if cell.is_infinite() {
            *cell = f64::NAN;
            problems.add(0, name, ProblemKind::NotANumber, "an infinite cell is a gap");
        }
    }
    let finite: Vec<f64> = curve.time_days.iter().copied().filter(|t| t.is_finite()).collect();
    if finite.windows(2).all(|w| w[0] <= w[1]) {
        return;
    }
    problems.add(0, name, ProblemKind::Suspicious, "times go back; put in order");
    let mut pairs: Vec<(f64, f64)> =
        curve.time_days.iter().copied().zip(curve.flux.iter().copied()).collect();
    // Stamps without a time have no place in an order; they stay gaps at the end.
    pairs.sort_by(|a, b| a.0.is_nan().cmp(&b.0.is_nan()).then(a.0.total_cmp(&b.0)));
    (curve.time_days, curve.flux) = pairs.into_iter().unzip();
}

/// The file's name without its ending.
fn stem(name: &str) -> String {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned()
}

/// The first run of four digits or more: `kplr011662732-2009131105131_llc.fits` is 11662732.
fn star_of_name(name: &str) -> String {
    let runs = name.split(|c: char| !c.is_ascii_digit());
    runs.into_iter().find(|r| r.len() >= 4).map(star_key).unwrap_or_default()
}

fn star_key(star: &str) -> String {
    let star = star.trim();
    // pandas turns a column of numbers with gaps into floats.
    let star = star.strip_suffix(".0").unwrap_or(star);
    let trimmed = star.trim_start_matches('0');
    if trimmed.is_empty() { star.to_owned() } else { trimmed.to_owned() }
}

impl LightCurveFiles {
    fn add(&mut self, (curves, problems, digest): Kept) {
        self.n_files += 1;
        self.problems.absorb(&problems);
        self.digests.push(digest);
        for curve in curves {
            self.table.star.push(curve.star);
            self.table.subject.push(curve.subject);
            self.table.stamps.push(curve.stamps);
            self.quarters.push(curve.quarter);
        }
    }
}

/// Writes a light curve as a FITS file with the columns of the Kepler archive.
///
/// # Errors
/// Where the file cannot be written.
pub fn write_fits(path: &Path, curve: &LightCurve) -> Result<(), IngestError> {
    let mut file = AtomicFile::create(path)?;
    fits::write(&mut file, &curve.star, &curve.quarter, &curve.time_days, &curve.flux)
        .map_err(|e| IngestError::io("writing", path, e))?;
    file.commit()
}

/// Writes a light curve as CSV: `time_days,flux`, with empty cells for what is missing.
///
/// # Errors
/// Where the file cannot be written.
pub fn write_csv(path: &Path, curve: &LightCurve) -> Result<(), IngestError> {
    let mut text = String::from("kepler_id,quarter,time_days,flux\n");
    let cell =
        |x: f64, digits: usize| if x.is_finite() { format!("{x:.digits$}") } else { String::new() };
    for (time, flux) in curve.time_days.iter().zip(&curve.flux) {
        let row = format!("{},{},{},{}\n", curve.star, curve.quarter, cell(*time, 8), cell(*flux, 4));
        text.push_str(&row);
    }
    let mut file = AtomicFile::create(path)?;
    file.write_all(text.as_bytes()).map_err(|e| IngestError::io("writing", path, e))?;
    file.commit()
}

#[cfg(test)]
#[path = "light_curves_tests.rs"]
mod tests;
