//! `volary simulate lightcurves`: a Planet Hunters with known truth, written as the project's own files.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use indicatif::ProgressBar;
use rayon::prelude::*;
use volary_core::marks::{SignalTable, Stamps};
use volary_crowd::marks::simulate::{SimulatedWorld, SimulationParams, simulate};
use volary_crowd::marks::simulate_sky::Subject;
use volary_ingest::light_curves::{LightCurve, write_csv, write_fits};
use volary_ingest::output::AtomicFile;
use volary_ingest::{IngestError, volunteer};

use crate::session::{Session, run_json_for};

/// Views that one piece of the table covers.
const CHUNK: usize = 4096;
/// Pieces that are made before any is written.
const AHEAD: usize = 64;

/// Stars, transits and volunteers who mark them, in the files of Planet Hunters.
///
/// Writes `classifications.csv` (the table of the project), `signals.csv` (injected transits), `truth.csv`
/// (real ones), `cadences.csv` and `gaps.csv`, `volunteers.csv` (their true skill), and the light curves
/// where they are asked for.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary simulate lightcurves -o hunt
  volary simulate lightcurves -o paper --scale 1
  volary simulate lightcurves -o tiny --scale 0.002 --light-curves fits
  volary marks hunt/classifications.csv --signals hunt/signals.csv --truth hunt/truth.csv \\
      --gaps hunt/gaps.csv --cadences hunt/cadences.csv -o scored")]
pub(crate) struct Args {
    /// Folder to write.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Size: 1 is the paper's (1,252,539 classifications by 31,781 volunteers).
    #[arg(long, default_value_t = 0.01)]
    scale: f64,
    /// Classifications [default: by --scale].
    #[arg(long)]
    classifications: Option<u32>,
    /// Volunteers [default: by --scale].
    #[arg(long)]
    volunteers: Option<u32>,
    /// Subjects, simulations among them [default: by --scale].
    #[arg(long)]
    subjects: Option<u32>,
    /// Subjects with injected transits [default: by --scale].
    #[arg(long)]
    simulations: Option<u32>,
    /// Stars [default: by --scale].
    #[arg(long)]
    stars: Option<u32>,
    /// Signal to noise of which the usual volunteer finds half.
    #[arg(long, default_value_t = SimulationParams::paper().median_snr)]
    median_snr: f64,
    /// How unlike volunteers are in skill; 0 makes them alike.
    #[arg(long, default_value_t = SimulationParams::paper().skill_sigma)]
    skill_spread: f64,
    /// Stray marks in a view, on average.
    #[arg(long, default_value_t = SimulationParams::paper().stray_marks)]
    stray_marks: f64,
    /// Write the light curves too: csv or fits (34 kB and 70 kB each; thousands of them).
    #[arg(long, value_name = "FORMAT")]
    light_curves: Option<LightCurveFormat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum LightCurveFormat {
    Csv,
    Fits,
}

fn params(args: &Args, seed: u64) -> SimulationParams {
    let scaled = SimulationParams::scaled(args.scale);
    let is_scaled = [args.classifications, args.volunteers, args.subjects, args.simulations]
        .iter()
        .all(Option::is_none);
    let is_usual = args.stray_marks.total_cmp(&scaled.stray_marks).is_eq()
        && args.skill_spread.total_cmp(&scaled.skill_sigma).is_eq();
    SimulationParams {
        n_classifications: args.classifications.unwrap_or(scaled.n_classifications),
        n_volunteers: args.volunteers.unwrap_or(scaled.n_volunteers),
        n_subjects: args.subjects.unwrap_or(scaled.n_subjects),
        n_simulations: args.simulations.unwrap_or(scaled.n_simulations),
        n_stars: args.stars.unwrap_or(scaled.n_stars),
        median_snr: args.median_snr,
        skill_sigma: args.skill_spread,
        stray_marks: args.stray_marks,
        // The paper's number of rows belongs to its crowd.
        n_rows: scaled.n_rows.filter(|_| is_scaled && is_usual),
        seed,
        ..scaled
    }
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let params = params(args, session.global.seed);
    let world = simulate(&params)?;
    let path = |name: &str| args.output.join(name);
    let n_rows = write_classifications(&path("classifications.csv"), &world, &session)?;
    let (injected, real) = (world.signal_table(true), world.signal_table(false));
    write_signals(&path("signals.csv"), &injected)?;
    write_truth(&path("truth.csv"), &real, &world)?;
    write_gaps(&args.output, &world)?;
    write_volunteers(&path("volunteers.csv"), &world)?;
    let summary = &mut session.summary;
    summary.count("n_classifications", "classifications", world.views.len() as u64);
    summary.count("n_rows", "rows", n_rows);
    summary.count("n_marks", "marks", world.views.x_min_days.len() as u64);
    summary.count("n_volunteers", "volunteers", world.people.rows.len() as u64);
    summary.count("n_subjects", "subjects", world.sky.subjects.len() as u64);
    summary.count("n_simulations", "  simulations", u64::from(params.n_simulations));
    summary.count("n_signals", "injected transits", injected.len() as u64);
    summary.count("n_real", "real transits", real.len() as u64);
    if let Some(format) = args.light_curves {
        let n = write_light_curves(&path("light_curves"), &world, format, &session)?;
        session.summary.count("n_light_curves", "light curves", n);
    }
    session.summary.note(&format!("written to {}", args.output.display()));
    session.finish(Some(&run_json_for(&args.output)))
}

const HEADER: &str = "classification_id,created_at,data_location,quarter,start_time,subject_id,user_name,\
kepler_id,synthetic,synthetic_id,kepler_type,xMinRelative,xMaxRelative,xMinGlobal,xMaxGlobal\n";

/// What all rows of a subject say: before the name, after it, and where the segment starts.
fn cells_of(world: &SimulatedWorld, subject: &Subject) -> (String, String, f64) {
    let star = world.sky.stars[subject.star as usize].kepler_id;
    let start = fixed(world.sky.start_days(subject));
    let place = format!("{}-{}", subject.quarter, subject.segment);
    match subject.simulation {
        Some(id) => (
            format!("subjects/{star}_synth-{id}.json,{place},{start},{},", subject.id),
            format!(",{star},true,{id},k1_synthetic,"),
            start,
        ),
        None => (
            format!("subjects/{star}_{place}.json,{place},{start},{},", subject.id),
            format!(",{star},false,,k1,"),
            start,
        ),
    }
}

/// Six decimals, as the table has them.
fn fixed(days: f64) -> f64 {
    (days * 1e6).round() / 1e6
}

fn write_classifications(path: &Path, world: &SimulatedWorld, session: &Session) -> Result<u64> {
    let cells: Vec<_> = world.sky.subjects.iter().map(|s| cells_of(world, s)).collect();
    let mut file = AtomicFile::create(path)?;
    file.write_all(HEADER.as_bytes())?;
    let n = world.views.len();
    let starts: Vec<usize> = (0..n).step_by(CHUNK).collect();
    let mut n_rows = 0;
    for ahead in starts.chunks(AHEAD) {
        let made: Vec<(Vec<u8>, u64)> =
            ahead.par_iter().map(|&from| rows(world, &cells, from..(from + CHUNK).min(n))).collect();
        for (bytes, rows) in made {
            file.write_all(&bytes)?;
            n_rows += rows;
        }
        if session.progress.is_stopped() {
            return Err(IngestError::Stopped.into());
        }
    }
    file.commit()?;
    Ok(n_rows)
}

fn rows(
    world: &SimulatedWorld,
    cells: &[(String, String, f64)],
    range: std::ops::Range<usize>,
) -> (Vec<u8>, u64) {
    let (views, mut out, mut n) = (&world.views, Vec::with_capacity(range.len() * 300), 0);
    let mut lead = Vec::with_capacity(300);
    for view in range {
        let (before, after, start) = &cells[views.subject[view] as usize];
        let name = &world.people.rows[views.volunteer[view] as usize].name;
        let created = views.created_ms[view];
        lead.clear();
        // Ids rise with time, as those of the platform do.
        put_hex(&mut lead, (created / 1000) as u64, 8);
        put_hex(&mut lead, view as u64, 16);
        lead.push(b',');
        put_time(&mut lead, created);
        for text in [",", before, name, after] {
            lead.extend_from_slice(text.as_bytes());
        }
        let marks = views.marks_of(view);
        if marks.is_empty() {
            out.extend_from_slice(&lead);
            out.extend_from_slice(b"nan,nan,nan,nan\n");
            n += 1;
        }
        for mark in marks {
            let (x_min, x_max) = (views.x_min_days[mark], views.x_max_days[mark]);
            out.extend_from_slice(&lead);
            for (x, end) in [(x_min - start, b','), (x_max - start, b','), (x_min, b','), (x_max, b'\n')]
            {
                put_days(&mut out, x);
                out.push(end);
            }
            n += 1;
        }
    }
    (out, n)
}

fn put_hex(out: &mut Vec<u8>, value: u64, digits: u32) {
    for place in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(value >> (4 * place) & 15) as usize]);
    }
}

/// Eight decimals. A quarter of the time of the standard formatter, which at the paper's scale is seconds.
fn put_days(out: &mut Vec<u8>, days: f64) {
    let scaled = (days * 1e8).round();
    if scaled < 0.0 {
        out.push(b'-');
    }
    let value = scaled.abs() as u64;
    put_decimal(out, value / 100_000_000, 1);
    out.push(b'.');
    put_decimal(out, value % 100_000_000, 8);
}

/// At least so many digits.
fn put_decimal(out: &mut Vec<u8>, mut value: u64, least: usize) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while value > 0 || digits.len() - at < least {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&digits[at..]);
}

/// `2014-10-21 22:33:00 UTC`.
fn put_time(out: &mut Vec<u8>, ms: i64) {
    let seconds = ms.div_euclid(1000);
    let (days, in_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400) as u64);
    let (year, month, day) = civil(days);
    put_decimal(out, year, 4);
    for (lead, value) in [
        (b'-', month),
        (b'-', day),
        (b' ', in_day / 3600),
        (b':', in_day / 60 % 60),
        (b':', in_day % 60),
    ] {
        out.push(lead);
        put_decimal(out, value, 2);
    }
    out.extend_from_slice(b" UTC");
}

/// Year, month, day of a number of days since 1970 (Hinnant's algorithm), from 1970 on.
fn civil(days: i64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let (era, of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as u64, month as u64, day as u64)
}

/// The columns of the golden case, and then the rest.
fn write_signals(path: &Path, table: &SignalTable) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
    writeln!(file, "syntheticid,signalid,synxmin,synxmax,{},subject_id", names.join(","))?;
    for i in 0..table.len() {
        write!(
            file,
            "{},{},{},{}",
            table.simulation[i], table.id[i], table.x_min_days[i], table.x_max_days[i]
        )?;
        for column in &table.columns {
            write!(file, ",{}", column.values[i])?;
        }
        writeln!(file, ",{}", table.subject[i])?;
    }
    file.commit()?;
    Ok(())
}

fn write_truth(path: &Path, table: &SignalTable, world: &SimulatedWorld) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
    writeln!(file, "subject_id,kepler_id,xmin,xmax,{},kind", names.join(","))?;
    let mut at = 0;
    for (index, subject) in world.sky.subjects.iter().enumerate() {
        if subject.simulation.is_some() {
            continue;
        }
        let star = world.sky.stars[subject.star as usize].kepler_id;
        for _ in world.sky.signals_of(index) {
            write!(file, "{},{star},{},{}", subject.id, table.x_min_days[at], table.x_max_days[at])?;
            for column in &table.columns {
                write!(file, ",{}", column.values[at])?;
            }
            writeln!(file, ",planet")?;
            at += 1;
        }
    }
    file.commit()?;
    Ok(())
}

/// Every star and quarter of which a segment is shown.
fn quarters(world: &SimulatedWorld) -> Vec<(u32, u32)> {
    let used: BTreeSet<(u32, u32)> = world.sky.subjects.iter().map(|s| (s.star, s.quarter)).collect();
    used.into_iter().collect()
}

fn write_gaps(folder: &Path, world: &SimulatedWorld) -> Result<()> {
    let mut cadences = AtomicFile::create(&folder.join("cadences.csv"))?;
    let mut gaps = AtomicFile::create(&folder.join("gaps.csv"))?;
    writeln!(cadences, "kepler_id,quarter,t_first,dt,n_cadences")?;
    writeln!(gaps, "kepler_id,quarter,first_nan_index,last_nan_index,gap_start,gap_end")?;
    let quarters = quarters(world);
    let stamps: Vec<Stamps> = quarters.par_iter().map(|&(s, q)| world.sky.stamps(s, q)).collect();
    for (&(star, quarter), stamps) in quarters.iter().zip(&stamps) {
        let Stamps::Regular { first_days, step_days, n, missing } = stamps else { continue };
        let id = world.sky.stars[star as usize].kepler_id;
        writeln!(cadences, "{id},{quarter},{first_days},{step_days},{n}")?;
        for &(first, last) in missing {
            let at = |i: u32| first_days + f64::from(i) * step_days;
            writeln!(gaps, "{id},{quarter},{first},{last},{},{}", at(first), at(last))?;
        }
    }
    cadences.commit()?;
    gaps.commit()?;
    Ok(())
}

fn write_volunteers(path: &Path, world: &SimulatedWorld) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    writeln!(
        file,
        "volunteer,user_name,completeness,half_snr,stray_marks,lured,sees_simulations,n_classifications"
    )?;
    for p in &world.people.rows {
        let key = volunteer::key(&p.name).0;
        writeln!(
            file,
            "{key},{},{},{},{},{},{},{}",
            p.name, p.completeness, p.half_snr, p.stray_marks, p.lured, p.sees_simulations, p.n_views
        )?;
    }
    file.commit()?;
    Ok(())
}

/// A file per star and quarter as in the Kepler archive, and one per simulation under its subject's id.
fn write_light_curves(
    folder: &Path,
    world: &SimulatedWorld,
    format: LightCurveFormat,
    session: &Session,
) -> Result<u64> {
    let mut seen = BTreeSet::new();
    let subjects = world.sky.subjects.iter();
    let wanted: Vec<&Subject> =
        subjects.filter(|s| s.simulation.is_some() || seen.insert((s.star, s.quarter))).collect();
    let n = wanted.len() as u64;
    let is_watched = !session.global.json && std::io::stderr().is_terminal();
    let bar = if is_watched { ProgressBar::new(n) } else { ProgressBar::hidden() };
    wanted.into_par_iter().try_for_each(|subject| -> Result<()> {
        if session.progress.is_stopped() {
            return Err(IngestError::Stopped.into());
        }
        let star = world.sky.stars[subject.star as usize].kepler_id;
        let end = if format == LightCurveFormat::Fits { "fits" } else { "csv" };
        let path = match subject.simulation {
            Some(_) => folder.join("simulations").join(format!("{}.{end}", subject.id)),
            None => folder
                .join(format!("{star:09}"))
                .join(format!("kplr{star:09}-q{:02}_llc.{end}", subject.quarter)),
        };
        let (time_days, flux) = world.sky.flux(subject);
        let curve = LightCurve {
            star: star.to_string(),
            quarter: subject.quarter.to_string(),
            subject: subject.id.clone(),
            time_days,
            flux,
        };
        match format {
            LightCurveFormat::Fits => write_fits(&path, &curve)?,
            LightCurveFormat::Csv => write_csv(&path, &curve)?,
        }
        bar.inc(1);
        Ok(())
    })?;
    bar.finish_and_clear();
    Ok(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(put: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        put(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_and_times_as_the_table_has_them() {
        for days in [0.0, 1.5, 544.424_514, 1_591.123_456_78, -0.000_000_01, 0.1 + 0.2, 29.999_999_999] {
            assert_eq!(text(|out| put_days(out, days)), format!("{days:.8}"), "{days}");
        }
        for ms in [0, 951_782_399_000, 951_868_800_000, 1_413_928_980_000, 4_102_444_799_000] {
            let expected = jiff::Timestamp::from_millisecond(ms)
                .unwrap()
                .strftime("%Y-%m-%d %H:%M:%S UTC")
                .to_string();
            assert_eq!(text(|out| put_time(out, ms)), expected);
        }
        assert_eq!(text(|out| put_hex(out, 0x541a, 8)), "0000541a");
    }
}
