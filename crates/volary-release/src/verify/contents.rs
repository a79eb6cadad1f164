//! The data themselves: allowed tables, allowed columns, allowed cells; groups, names, opt-outs.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::path::Path;

use arrow_array::Array as _;
use arrow_array::cast::AsArray as _;
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use volary_core::spreadsheet::is_formula;
use volary_ingest::Progress;
use volary_ingest::tables::for_each_batch;

use super::metadata::Described;
use super::{Check, Verified};
use crate::attack::{JOIN, View};
use crate::calendar::bucket_span;
use crate::error::ReleaseError;
use crate::kanon::smallest_group;
use crate::lineage::checksum;
use crate::names::NameSet;
use crate::optout::OptOuts;
use crate::package::KINDS;
use crate::pseudonym::{Bearer, Pseudonyms, is_pseudonym};
use crate::settings::Privacy;
use crate::tables::write_votable;
use crate::tier::{Column, Kind, QUASI_IDENTIFIERS, SENSITIVE, Table, Tier};

/// So many findings of one kind in a file, then no more.
const MOST: usize = 5;
/// Where the promises stand.
const REPORT: &str = "privacy_report.json";

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
            parquet_cells(package, &name("parquet"), columns, described, out, progress)?;
            if is_there[2] && !is_votable_of(package, &name("vot"), &name("parquet"), table, columns)? {
                out.find(Check::Schema, &name("vot"), "not what the Parquet beside it says");
            }
        }
        let in_csv = csv(package, &name("csv"), columns, described, out)?;
        if in_parquet != in_csv {
            let what = format!("{in_csv} rows in CSV and {in_parquet} in Parquet");
            out.find(Check::Metadata, &name("csv"), what);
        }
        if described.rows.get(&name("csv")).is_some_and(|rows| *rows != in_parquet) {
            let what = "another number of rows than datapackage.json says";
            out.find(Check::Metadata, &name("csv"), what);
        }
    }
    groups(package, described, tier, out, progress)
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

/// Looks at every cell of a Parquet table, as at those of the CSV beside it.
fn parquet_cells(
    package: &Path,
    file: &str,
    columns: &[Column],
    described: &Described,
    out: &mut Verified,
    progress: &Progress,
) -> Result<(), ReleaseError> {
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    let mut wrong: BTreeMap<String, usize> = BTreeMap::new();
    let read = for_each_batch(&package.join(file), &names, progress, |cells| {
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
        out.find(Check::Schema, file, format!("cannot be read to its end: {error}"));
    }
    for (what, n) in wrong {
        out.find(Check::Schema, file, format!("{what} ({n} cells)"));
    }
    Ok(())
}

/// Whether a VOTable is the one that we write of a Parquet table, byte for byte.
fn is_votable_of(
    package: &Path,
    votable: &str,
    parquet: &str,
    table: Table,
    columns: &[Column],
) -> Result<bool, ReleaseError> {
    let folder = tempfile::tempdir().map_err(ReleaseError::writing(package))?;
    let right = folder.path().join("right.vot");
    if write_votable(&package.join(parquet), table, columns, &right).is_err() {
        // What cannot be read has been said.
        return Ok(true);
    }
    Ok(checksum(&right)? == checksum(&package.join(votable))?)
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
        "time" | "first" if cell != "unknown" && !is_bucket(cell, described.tier) => {
            Some("too exact a time")
        }
        "n_seen" => {
            let least = described.privacy["min_volunteers"].as_u64().unwrap_or(2);
            cell.parse::<u64>().is_ok_and(|n| n < least).then_some("fewer volunteers than may leave")
        }
        _ => None,
    }
}

/// Whether a time is a bucket, and in tiers below D not a single day: weeks start on Monday.
fn is_bucket(text: &str, tier: Option<Tier>) -> bool {
    let Some((first, _)) = bucket_span(text) else { return false };
    let is_day = text.len() == 10;
    // Day 0 was a Thursday.
    !is_day || tier == Some(Tier::D) || (first + 3).rem_euclid(7) == 0
}

/// Whether the package promises what the settings ask for; whether it keeps its promises is the other checks'.
pub(super) fn promises(described: &Described, least: &Privacy, out: &mut Verified) {
    let mut check = |name: &str, asked: u32| {
        let what = match described.privacy[name].as_u64() {
            Some(said) if said >= u64::from(asked) => return,
            Some(said) => format!("{name} is {said}, and the settings ask for {asked}"),
            None => format!("no {name}, and the settings ask for {asked}"),
        };
        out.find(Check::Groups, REPORT, what);
    };
    check("k", least.k);
    check("l", least.l);
    check("min_volunteers", least.min_volunteers);
    for attack in described.privacy["attacks"].as_array().into_iter().flatten() {
        let name = attack["attack"].as_str().unwrap_or_default();
        let bound = if name == JOIN {
            least.most_joined(attack["n_targets"].as_u64().unwrap_or(0))
        } else {
            least.most_found
        };
        if attack["most_found"].as_u64().is_none_or(|most| most > bound) {
            let what = format!(
                "the attack {name:?} may find {}, and the settings allow {bound}",
                attack["most_found"]
            );
            out.find(Check::Groups, REPORT, what);
        }
    }
}

fn groups(
    package: &Path,
    described: &Described,
    tier: Tier,
    out: &mut Verified,
    progress: &Progress,
) -> Result<(), ReleaseError> {
    let k = described.privacy["k"].as_u64().unwrap_or(0);
    let l = described.privacy["l"].as_u64().unwrap_or(0);
    if k < 2 || l < 1 {
        out.find(Check::Groups, REPORT, "no k of 2 or more is promised");
    }
    let attacks = described.privacy["attacks"].as_array();
    if tier >= Tier::C
        && attacks.is_none_or(Vec::is_empty)
        && package.join("data/votes.parquet").exists()
    {
        let what =
            format!("tier {tier:?} leaves with the report of its attacks only, and there is none");
        out.find(Check::Groups, REPORT, what);
    }
    for attack in attacks.into_iter().flatten() {
        let number = |name: &str| attack[name].as_u64();
        let (Some(found), Some(most)) = (number("n_found"), number("most_found")) else {
            out.find(Check::Groups, REPORT, "an attack without its numbers");
            continue;
        };
        if found > most {
            let name = attack["attack"].as_str().unwrap_or_default();
            out.find(
                Check::Groups,
                REPORT,
                format!("the attack {name:?} found {found}, above its bound {most}"),
            );
        }
    }
    let path = package.join("data/volunteers.parquet");
    let view = match View::open(package, progress) {
        Ok(view) => view,
        // What is wrong with the table has been said.
        Err(_) => return Ok(()),
    };
    if tier == Tier::B && view.activity().iter().any(|n| *n > 1) {
        out.find(
            Check::Groups,
            "data/votes.parquet",
            "a pseudonym on several subjects, which tier B does not have",
        );
    }
    if tier < Tier::C || !path.exists() {
        return Ok(());
    }
    let mut rows = Vec::new();
    let mut activity: HashMap<String, String> = HashMap::new();
    let read = for_each_batch(&path, &["volunteer"], progress, |cells| {
        for row in 0..cells.n_rows() {
            let text = |name: &str| cells.text(name, row).unwrap_or_default().into_owned();
            rows.push((QUASI_IDENTIFIERS.map(text).to_vec(), text(SENSITIVE)));
            activity.insert(text("volunteer"), text("activity"));
        }
        Ok(())
    });
    const TABLE: &str = "data/volunteers.parquet";
    if read.is_err() {
        return Ok(());
    }
    if let Some((smallest, fewest)) = smallest_group(&rows) {
        if (smallest as u64) < k {
            out.find(Check::Groups, TABLE, format!("a group of {smallest} volunteers, and k is {k}"));
        }
        if (fewest as u64) < l {
            out.find(
                Check::Groups,
                TABLE,
                format!("a group with {fewest} different deciles of skill, and l is {l}"),
            );
        }
    }
    if tier == Tier::C {
        let mut n_wrong = 0;
        for (pseudonym, n) in view.pseudonyms().zip(view.activity()).filter(|(_, n)| *n > 1) {
            let told = activity.get(pseudonym).map(|a| a.trim_end_matches('+').parse::<u64>());
            if !matches!(told, Some(Ok(most)) if n <= most) {
                n_wrong += 1;
            }
        }
        if n_wrong > 0 {
            let what =
                format!("{n_wrong} pseudonyms with more votes than the table of volunteers tells");
            out.find(Check::Groups, "data/votes.parquet", what);
        }
    }
    Ok(())
}

/// Words that are the team's own, so that a name among them says nothing: authors, answers, questions, and
/// the words of every package.
pub(crate) fn ours(package: &Path, described: &Described) -> String {
    let mut words = described.creators.clone();
    words.push_str(crate::package::vocabulary());
    keys(&described.privacy, &mut words);
    for model in std::fs::read_dir(package.join("models")).into_iter().flatten().filter_map(Result::ok) {
        words.push('\n');
        words.push_str(&crate::package::model_words(&model.path()));
    }
    let mut seen: HashSet<String> = HashSet::new();
    let typed = described.privacy["typed"].as_array().into_iter().flatten();
    let typed: HashSet<(&str, &str)> =
        typed.filter_map(|q| Some((q[0].as_str()?, q[1].as_str()?))).collect();
    let path = package.join("data/counts.csv");
    if let Ok(mut reader) = csv::Reader::from_path(path) {
        for record in reader.records().map_while(Result::ok) {
            let of = |column: usize| record.get(column).unwrap_or_default();
            // What volunteers typed is not the team's own.
            let columns: &[usize] = if typed.contains(&(of(0), of(1))) { &[0, 1] } else { &[0, 1, 3] };
            for &column in columns {
                let text = record.get(column).unwrap_or_default();
                if !seen.contains(text) {
                    words.push('\n');
                    words.push_str(text);
                    seen.insert(text.to_owned());
                }
            }
        }
    }
    words
}

/// Keys of a report are ours; its values may be anything.
fn keys(value: &Value, words: &mut String) {
    for (key, value) in value.as_object().into_iter().flatten() {
        words.push('\n');
        words.push_str(key);
        keys(value, words);
    }
    for value in value.as_array().into_iter().flatten() {
        keys(value, words);
    }
}

/// Looks for names in every byte of every file, and in the text of Parquet files, which is compressed.
pub(crate) fn names(
    package: &Path,
    files: &BTreeMap<String, u64>,
    set: &NameSet,
    out: &mut Verified,
) -> Result<(), ReleaseError> {
    for file in files.keys() {
        if !set.find(file.as_bytes(), 1).is_empty() {
            out.find(Check::Names, file, "a volunteer's name is the name of the file");
        }
        let path = package.join(file);
        let hits = set.find_in_file(&path, MOST)?;
        if let Some(first) = hits.first() {
            let more = if hits.len() < MOST { "" } else { " or more" };
            let what =
                format!("{}{more} times a volunteer's name, first at byte {}", hits.len(), first.start);
            out.find(Check::Names, file, what);
        }
        if file.ends_with(".parquet") {
            names_in_parquet(&path, file, set, out)?;
        }
    }
    Ok(())
}

fn names_in_parquet(
    path: &Path,
    file: &str,
    set: &NameSet,
    out: &mut Verified,
) -> Result<(), ReleaseError> {
    let opened = File::open(path).map_err(ReleaseError::reading(path))?;
    // A file that cannot be read was found out before.
    let Ok(builder) = ParquetRecordBatchReaderBuilder::try_new(opened) else { return Ok(()) };
    let Ok(reader) = builder.with_batch_size(1 << 17).build() else { return Ok(()) };
    // A reader of a broken file gives the same error for ever.
    for batch in reader.map_while(Result::ok) {
        for (column, field) in batch.columns().iter().zip(batch.schema().fields()) {
            let Some(texts) = column.as_string_opt::<i32>() else { continue };
            let mut all = String::with_capacity(texts.value_data().len() + texts.len());
            for text in texts.iter().flatten() {
                all.push_str(text);
                all.push('\n');
            }
            if !set.find(all.as_bytes(), 1).is_empty() {
                out.find(
                    Check::Names,
                    file,
                    format!("a volunteer's name in the column {:?}", field.name()),
                );
                return Ok(());
            }
        }
    }
    Ok(())
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
            let mut tokens = pseudonyms.all_of(person, view.subject_ids());
            tokens.any(|t| seen.contains(&t.text(Bearer::Account)))
        })
        .count();
    if n > 0 {
        out.find(Check::OptOuts, "data/votes.parquet", format!("{n} people who opted out are in it"));
    }
    Ok(())
}
