//! The data themselves: allowed tables, allowed columns, allowed cells; opt-outs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::path::Path;

use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rayon::slice::ParallelSliceMut as _;
use volary_core::spreadsheet::is_formula;
use volary_ingest::tables::for_each_batch;
use volary_ingest::{Progress, volunteer};

use super::metadata::Described;
use super::tables::key_of;
use super::{Check, Verified};
use crate::attack::View;
use crate::calendar::{Resolution, bucket_span};
use crate::error::ReleaseError;
use crate::lineage::checksum;
use crate::optout::OptOuts;
use crate::package::KINDS;
use crate::pseudonym::{Bearer, Pseudonyms, is_pseudonym};
use crate::tables::{write_csv, write_votable};
use crate::tier::{Column, Kind, Table, Tier};

const NOT_THE_SAME: &str = "not what the Parquet beside it says";

/// Looks at every table.
pub(crate) fn check(
    package: &Path,
    described: &Described,
    files: &BTreeMap<String, u64>,
    out: &mut Verified,
    progress: &Progress,
) -> Result<(), ReleaseError> {
    let Some(tier) = described.tier else { return Ok(()) };
    for table in Table::ALL {
        let name = |extension: &str| format!("data/{}.{extension}", table.name());
        let is_there = ["parquet", "csv", "vot"].map(|e| files.contains_key(&name(e)));
        if is_there == [false; 3] {
            continue;
        }
        let Some(columns) = table.columns(tier) else {
            out.find(Check::Schema, &name("parquet"), "a table that does not leave in this tier");
            continue;
        };
        if !is_there[0] || !is_there[1] {
            out.find(Check::Structure, &name("parquet"), "a table must be there as Parquet and as CSV");
            continue;
        }
        let (in_parquet, is_ours) = parquet(package, &name("parquet"), columns, out)?;
        if is_ours {
            parquet_cells(package, table, columns, described, out, progress)?;
            let write = |from: &Path, to: &Path| write_votable(from, table, columns, to);
            if is_there[2] && !is_made_of(package, &name("vot"), &name("parquet"), write)? {
                out.find(Check::Schema, &name("vot"), NOT_THE_SAME);
            }
        }
        let write = |from: &Path, to: &Path| write_csv(from, columns, to);
        let in_csv = if is_ours && is_made_of(package, &name("csv"), &name("parquet"), write)? {
            in_parquet
        } else {
            out.find(Check::Schema, &name("csv"), NOT_THE_SAME);
            csv(package, &name("csv"), columns, described, out)?
        };
        if in_parquet != in_csv {
            let what = format!("{in_csv} rows in CSV and {in_parquet} in Parquet");
            out.find(Check::Metadata, &name("csv"), what);
        }
        if described.rows.get(&name("csv")).is_some_and(|rows| *rows != in_parquet) {
            let what = "another number of rows than datapackage.json says";
            out.find(Check::Metadata, &name("csv"), what);
        }
    }
    if files.contains_key("data/counts.parquet") {
        rare_answers(package, described, out, progress);
    }
    Ok(())
}

fn parquet(
    package: &Path,
    file: &str,
    columns: &[Column],
    out: &mut Verified,
) -> Result<(u64, bool), ReleaseError> {
    let path = package.join(file);
    let opened = File::open(&path).map_err(ReleaseError::reading(&path))?;
    let Ok(builder) = ParquetRecordBatchReaderBuilder::try_new(opened) else {
        out.find(Check::Schema, file, "cannot be read as Parquet");
        return Ok((0, false));
    };
    let found: Vec<(String, DataType)> =
        builder.schema().fields().iter().map(|f| (f.name().clone(), f.data_type().clone())).collect();
    let allowed: Vec<(String, DataType)> =
        columns.iter().map(|c| (c.name.to_owned(), c.kind.arrow())).collect();
    if found != allowed {
        for (name, _) in found.iter().filter(|f| !allowed.contains(f)) {
            out.find(
                Check::Schema,
                file,
                format!("the column {name:?} may not leave, or not of this type"),
            );
        }
        for (name, _) in allowed.iter().filter(|f| !found.contains(f)) {
            out.find(Check::Schema, file, format!("the column {name:?} is missing"));
        }
        if found.len() == allowed.len() && found.iter().all(|f| allowed.contains(f)) {
            out.find(Check::Schema, file, "columns in another order");
        }
    }
    let n_rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    Ok((n_rows, found == allowed))
}

/// Looks at every cell and row of a Parquet table.
fn parquet_cells(
    package: &Path,
    table: Table,
    columns: &[Column],
    described: &Described,
    out: &mut Verified,
    progress: &Progress,
) -> Result<(), ReleaseError> {
    let file = format!("data/{}.parquet", table.name());
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    let mut wrong: BTreeMap<String, usize> = BTreeMap::new();
    let mut keys: Vec<u64> = Vec::new();
    let read = for_each_batch(&package.join(&file), &names, progress, |cells| {
        for row in 0..cells.n_rows() {
            if let Some(key) = table.key() {
                keys.push(key_of(cells, row, key));
            }
            let number = |name: &str| cells.text(name, row).and_then(|text| text.parse::<f64>().ok());
            if let Some(what) = wrong_row(table, &number, described) {
                *wrong.entry(what.to_owned()).or_default() += 1;
            }
        }
        for column in columns {
            for row in 0..cells.n_rows() {
                let cell = cells.text(column.name, row).unwrap_or_default();
                if let Some(what) = wrong_cell(&cell, column, described, false) {
                    *wrong.entry(format!("{}: {what}", column.name)).or_default() += 1;
                }
            }
        }
        Ok(())
    });
    if let Err(error) = read {
        out.find(Check::Schema, &file, format!("cannot be read to its end: {error}"));
    }
    for (what, n) in wrong {
        out.find(Check::Schema, &file, format!("{what} ({n} cells)"));
    }
    keys.par_sort_unstable();
    let n_twice = keys.windows(2).filter(|two| two[0] == two[1]).count();
    if n_twice > 0 {
        let of = table.key().unwrap_or_default().join(", ");
        out.find(Check::Schema, &file, format!("{n_twice} rows stand a second time (the same {of})"));
    }
    Ok(())
}

/// Numbers of a row that cannot be, or that are of too few.
fn wrong_row(
    table: Table,
    number: &dyn Fn(&str) -> Option<f64>,
    described: &Described,
) -> Option<&'static str> {
    let promised = |name: &str| described.privacy[name].as_f64().unwrap_or(2.0);
    let is_more = |part: &str, whole: &str| match (number(part), number(whole)) {
        (Some(part), Some(whole)) => part > whole,
        _ => false,
    };
    let is_less = |name: &str, least: f64| number(name).is_some_and(|n| n < least);
    match table {
        Table::Counts | Table::Consensus if is_more("n_votes", "n_seen") => {
            Some("more votes than people who saw it")
        }
        Table::Counts => match (number("fraction"), number("n_votes"), number("n_seen")) {
            (Some(fraction), Some(votes), Some(seen)) if (fraction - votes / seen).abs() > 1e-9 => {
                Some("fraction is not n_votes / n_seen")
            }
            _ => None,
        },
        Table::Consensus if is_more("n_answered", "n_seen") => {
            Some("more people who answered than who saw it")
        }
        Table::Consensus
            if is_more("fraction_low", "fraction_high")
                || is_more("probability_low", "probability_high") =>
        {
            Some("an interval whose lower end is above its upper end")
        }
        Table::Shapes if is_more("n_volunteers", "n_seen") => {
            Some("more people who drew it than who saw it")
        }
        Table::Shapes if is_less("n_volunteers", promised("min_volunteers")) => {
            Some("a shape of fewer volunteers than may leave")
        }
        Table::Skill if is_less("n_volunteers", promised("k")) => {
            Some("a band of fewer than k volunteers")
        }
        _ => None,
    }
}

/// Answers that fewer votes gave to a question than may leave.
fn rare_answers(package: &Path, described: &Described, out: &mut Verified, progress: &Progress) {
    const FILE: &str = "data/counts.parquet";
    let least = described.privacy["min_volunteers"].as_u64().unwrap_or(2);
    let mut n_votes: HashMap<[String; 3], u64> = HashMap::new();
    let columns = ["workflow_id", "task", "answer", "n_votes"];
    let read = for_each_batch(&package.join(FILE), &columns, progress, |cells| {
        for row in 0..cells.n_rows() {
            let text = |name: &str| cells.text(name, row).unwrap_or_default().into_owned();
            let n = text("n_votes").parse::<u64>().unwrap_or(0);
            *n_votes.entry(["workflow_id", "task", "answer"].map(text)).or_default() += n;
        }
        Ok(())
    });
    // What cannot be read has been said.
    let n_rare = n_votes.values().filter(|n| **n < least).count();
    if read.is_ok() && n_rare > 0 {
        let what = format!("{n_rare} answers that fewer than {least} volunteers gave");
        out.find(Check::Groups, FILE, what);
    }
}

/// Whether a file is the one that we write of a Parquet table, byte for byte.
fn is_made_of(
    package: &Path,
    file: &str,
    parquet: &str,
    write: impl FnOnce(&Path, &Path) -> Result<(), ReleaseError>,
) -> Result<bool, ReleaseError> {
    let folder = tempfile::tempdir().map_err(ReleaseError::writing(package))?;
    let name = Path::new(file).file_name().unwrap_or_default();
    let right = folder.path().join(name);
    if write(&package.join(parquet), &right).is_err() {
        // What cannot be read has been said.
        return Ok(true);
    }
    Ok(checksum(&right)? == checksum(&package.join(file))?)
}

fn csv(
    package: &Path,
    file: &str,
    columns: &[Column],
    described: &Described,
    out: &mut Verified,
) -> Result<u64, ReleaseError> {
    let path = package.join(file);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_path(&path)
        .map_err(|e| ReleaseError::package(&path, e.to_string()))?;
    let mut start = [0; 3];
    let head = File::open(&path).and_then(|mut f| std::io::Read::read(&mut f, &mut start));
    if head.is_ok() && start == *b"\xef\xbb\xbf" {
        out.find(Check::Schema, file, "a byte order mark");
    }
    let mut record = csv::StringRecord::new();
    let mut n_rows = 0_u64;
    let mut wrong: BTreeMap<String, usize> = BTreeMap::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {}
            Err(e) => {
                out.find(Check::Schema, file, format!("not the CSV that it should be: {e}"));
                break;
            }
        }
        if n_rows == 0 {
            if !record.iter().eq(columns.iter().map(|c| c.name)) {
                out.find(Check::Schema, file, "other columns than may leave");
                return Ok(count_rest(reader));
            }
            n_rows = 1;
            continue;
        }
        n_rows += 1;
        for (cell, column) in record.iter().zip(columns) {
            if let Some(what) = wrong_cell(cell, column, described, true) {
                *wrong.entry(format!("{}: {what}", column.name)).or_default() += 1;
            }
        }
    }
    for (what, n) in wrong {
        out.find(Check::Schema, file, format!("{what} ({n} cells)"));
    }
    Ok(n_rows.saturating_sub(1))
}

fn count_rest<R: std::io::Read>(mut reader: csv::Reader<R>) -> u64 {
    reader.byte_records().map_while(Result::ok).count() as u64
}

/// `is_sheet`: a spreadsheet may open it, and would carry out formulas.
fn wrong_cell(
    cell: &str,
    column: &Column,
    described: &Described,
    is_sheet: bool,
) -> Option<&'static str> {
    if cell.is_empty() {
        return (column.kind != Kind::Text && !column.nullable).then_some("empty");
    }
    match column.kind {
        Kind::Count if cell.parse::<u64>().is_err() => return Some("not a count"),
        Kind::Integer if cell.parse::<i64>().is_err() => return Some("not a whole number"),
        Kind::Number if cell.parse::<f64>().is_err() => return Some("not a number"),
        Kind::Text if is_sheet && is_formula(cell) => {
            return Some("a spreadsheet would take it for a formula");
        }
        _ => {}
    }
    match column.name {
        "volunteer" if !is_pseudonym(cell) => Some("not a pseudonym of ours"),
        "kind" if !KINDS.contains(&cell) => Some("not a kind of question"),
        "time" | "first" if cell != "unknown" && !is_bucket(cell, described) => Some("too exact a time"),
        name if is_share(name)
            && cell.parse::<f64>().is_ok_and(|x| !(-1e-9..=1.0 + 1e-9).contains(&x)) =>
        {
            Some("not a share between 0 and 1")
        }
        "n_seen" => {
            let least = described.privacy["min_volunteers"].as_u64().unwrap_or(2);
            cell.parse::<u64>().is_ok_and(|n| n < least).then_some("fewer volunteers than may leave")
        }
        _ => None,
    }
}

/// Columns of shares, and the ends of their intervals.
fn is_share(column: &str) -> bool {
    ["fraction", "probability", "agreement"].iter().any(|start| column.starts_with(start))
}

/// Whether a time is a bucket, no finer than the package promises, and in tiers below D not a single day: weeks start
/// on Monday.
fn is_bucket(text: &str, described: &Described) -> bool {
    let Some((first, _)) = bucket_span(text) else { return false };
    let promised = Resolution::of(described.privacy["protection"]["time"].as_str().unwrap_or("none"));
    let rung = match text.len() {
        // Day 0 was a Thursday.
        10 if (first + 3).rem_euclid(7) == 0 => Resolution::Week,
        10 => Resolution::Day,
        4 => Resolution::Year,
        _ => Resolution::Quarter,
    };
    promised.is_some_and(|promised| rung >= promised)
        && (rung > Resolution::Day || described.tier == Some(Tier::D))
}

/// Looks for the pseudonyms of those who opted out.
pub(crate) fn optouts(
    package: &Path,
    optouts: &OptOuts,
    pseudonyms: &Pseudonyms,
    out: &mut Verified,
    progress: &Progress,
) -> Result<(), ReleaseError> {
    let Ok(view) = View::open(package, progress) else { return Ok(()) };
    if !package.join("data/votes.parquet").exists() {
        out.not_checked.push(
            "opt-outs: no row is about a volunteer, so that nobody can be looked for; the records tell whose votes were counted, `volary rebuild --without-optouts`",
        );
        return Ok(());
    }
    let mut seen: BTreeSet<String> = view.pseudonyms().map(str::to_owned).collect();
    let path = package.join("data/volunteers.parquet");
    if path.exists() {
        let _ = for_each_batch(&path, &["volunteer"], progress, |cells| {
            seen.extend(
                (0..cells.n_rows()).filter_map(|r| Some(cells.text("volunteer", r)?.into_owned())),
            );
            Ok(())
        });
    }
    let n = optouts
        .out()
        .into_keys()
        .filter(|person| {
            let mut keys = volunteer::all_keys(person);
            keys.any(|key| {
                let mut tokens = pseudonyms.all_of(&key, view.subject_ids());
                tokens.any(|t| seen.contains(&t.text(Bearer::Account)))
            })
        })
        .count();
    if n > 0 {
        out.find(Check::OptOuts, "data/votes.parquet", format!("{n} people who opted out are in it"));
    }
    Ok(())
}
