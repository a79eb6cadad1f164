//! What of a project stands on the votes of people who opted out, and making it again without them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use volary_ingest::records::{RecordOptions, Records};
use volary_ingest::tables::{TableFormat, for_each_batch};
use volary_ingest::volunteer::{self, Without};
use volary_release::card::Folder;
use volary_release::lineage::{Artefact, Lineage, Run, Standing};
use volary_release::optout::OptOuts;

use crate::project::wanted_optouts;
use crate::session::Session;
use crate::settings::Settings;
use crate::takes_optouts;

/// Commands whose outputs are not made again: what was published cannot be recalled, and what is simulated is
/// nobody's.
const NEVER_AGAIN: [&str; 3] = ["release", "demo", "simulate"];

/// Runs it.
pub(super) fn run(folder: &Path, optouts: &Path, again: bool, mut session: Session) -> Result<ExitCode> {
    let list = std::path::absolute(optouts)?;
    let log = OptOuts::read(&list)?;
    let lineage = Lineage::scan(folder)?;
    let out: BTreeSet<String> = log.out().into_keys().map(str::to_owned).collect();
    let found = Touched::find(&lineage, &log, &out, &mut |_, _| {}, &session)?;
    let Touched { runs: touched, unknown, bare, models } = found;
    let elsewhere: Vec<&Run> =
        touched.iter().copied().filter(|run| is_made_again(run) && !is_of_here(run)).collect();
    let summary = &mut session.summary;
    summary.count("n_opted_out", "people who opted out", out.len() as u64);
    summary.count("n_runs", "runs on record", lineage.runs().len() as u64);
    summary.count("n_touched", "  that their votes went into", touched.len() as u64);
    tell(&touched, &list, &mut session);
    note_unknown(unknown, &mut session);
    note_models(&models, &mut session);
    tell_bare(&bare, &mut session);
    tell_elsewhere(&elsewhere, &mut session);
    tell_unnamed(folder, &touched, &list, &mut session)?;
    if !again {
        return session.finish(None);
    }
    let (mut n_made, mut failed) = (0_u64, Vec::new());
    let is_ours = |run: &&&Run| is_made_again(run) && !bare.contains(run) && !elsewhere.contains(run);
    for run in touched.iter().filter(is_ours) {
        match make(run, &list)? {
            None => n_made += 1,
            Some(why) => failed.push(why),
        }
    }
    session.summary.count("n_made", "made again", n_made);
    // What the records say now, and not what was meant.
    let lineage = Lineage::scan(folder)?;
    let left = Touched::find(&lineage, &log, &out, &mut |_, _| {}, &session)?.runs;
    let left: Vec<&Run> = left.into_iter().filter(|run| is_made_again(run)).collect();
    session.summary.count("n_left", "that still hold their votes", left.len() as u64);
    if let Some(first) = failed.first() {
        let n = failed.len();
        bail!("{n} of the commands failed, the first: {first}; correct it and run the same again");
    }
    if let Some(first) = elsewhere.first() {
        bail!(
            "{} records are of another place, as those of a copy are, and nothing was made there: {} was made in {}; \
             run it there, or make the files here anew with `volary run --force --optouts {}` or by hand",
            elsewhere.len(),
            first.place.display(),
            made_in(first),
            quoted(&[list.display().to_string()])
        );
    }
    if let Some(first) = left.first() {
        bail!(
            "{} files of runs still hold their votes, {} the first: what reads votes and takes no --optouts must \
             be given what `volary extract` or `volary dedup` wrote without them",
            left.len(),
            first.place.display()
        );
    }
    session.finish(None)
}

/// Asks where somebody's votes went, and changes nothing. `see` is shown every name in the files that were read, after
/// the column that it stands in.
pub(in crate::commands) fn ask(
    folder: &Path,
    log: &OptOuts,
    person: &str,
    see: &mut dyn FnMut(&str, &str),
    session: &mut Session,
) -> Result<()> {
    let lineage = Lineage::scan(folder)?;
    let people = BTreeSet::from([person.to_owned()]);
    let found = Touched::find(&lineage, log, &people, see, session)?;
    session.summary.count("n_runs", "runs on record", lineage.runs().len() as u64);
    session.summary.count("n_touched", "  that their votes went into", found.runs.len() as u64);
    let (mut rows, mut json) = (Vec::new(), Vec::new());
    for run in &found.runs {
        let (place, files) = (run.place.display().to_string(), names(run));
        json.push(json!({"command": run.command, "record": place, "outputs": files}));
        rows.push(vec![run.command.clone(), place, shown(&files)]);
    }
    count_products(&found.runs, session);
    session.summary.value("touched", json);
    session.summary.table("What holds their votes", &["command", "record", "files"], &rows);
    note_unknown(found.unknown, session);
    note_models(&found.models, session);
    Ok(())
}

/// Shows every name in what a project reads: the exports that volary.toml names, and what runs on record read and none
/// wrote. Gives how many files there were to look at.
pub(in crate::commands) fn each_voter(
    folder: &Path,
    see: &mut dyn FnMut(&str, &str),
    session: &Session,
) -> Result<usize> {
    let lineage = Lineage::scan(folder)?;
    let mut paths: BTreeSet<PathBuf> =
        roots(&lineage).into_iter().map(|file| file.path.clone()).collect();
    let settings = folder.join("volary.toml");
    if settings.is_file() {
        paths.extend(Settings::read(&settings)?.input.exports);
    }
    let whole = |path: &PathBuf| std::fs::canonicalize(path).ok();
    let paths: BTreeSet<PathBuf> = paths.iter().filter_map(whole).collect();
    paths.iter().try_for_each(|path| each_name(path, session, see))?;
    Ok(paths.len())
}

/// What runs read and none wrote.
fn roots(lineage: &Lineage) -> Vec<&Artefact> {
    let outputs = lineage.runs().iter().flat_map(|run| &run.outputs);
    let made: BTreeSet<&str> = outputs.map(|file| file.blake3.as_str()).collect();
    let mut roots: Vec<&Artefact> = lineage.runs().iter().flat_map(|run| &run.inputs).collect();
    roots.retain(|file| !made.contains(file.blake3.as_str()));
    roots.sort_unstable_by(|a, b| a.blake3.cmp(&b.blake3));
    roots.dedup_by(|a, b| a.blake3 == b.blake3);
    roots
}

/// What was published cannot be recalled, and what is simulated is nobody's.
fn is_made_again(run: &Run) -> bool {
    !NEVER_AGAIN.contains(&run.command.as_str())
}

/// Whether a run that is made again writes where its record lies now. Of a copy of a project it would change the
/// project that was copied.
fn is_of_here(run: &Run) -> bool {
    let (Some(folder), Ok(place)) = (&run.folder, std::fs::canonicalize(&run.place)) else {
        // What cannot be told is told where it would be run.
        return true;
    };
    let here = place.parent().unwrap_or(&place);
    // What is gone lay where the last folder of its path that is there lies.
    let whole = |path: &Path| path.ancestors().find_map(|part| std::fs::canonicalize(part).ok());
    let lies_here = |path: &Path| whole(path).is_some_and(|path| path.starts_with(here));
    let words = &run.command_line;
    let asked = words.windows(2).filter(|pair| pair[0] == "--record").map(|pair| pair[1].as_str());
    let asked = asked.chain(words.iter().filter_map(|word| word.strip_prefix("--record=")));
    let is_asked = asked.map(|path| whole(&folder.join(path))).any(|path| path.as_ref() == Some(&place));
    let is_beside = run.outputs.iter().any(|file| lies_here(&file.path));
    is_asked
        || is_beside
        || (run.outputs.is_empty() && whole(folder).is_some_and(|f| here.starts_with(f)))
}

fn made_in(run: &Run) -> String {
    run.folder.as_ref().map_or_else(String::new, |folder| folder.display().to_string())
}

fn tell_elsewhere(elsewhere: &[&Run], session: &mut Session) {
    let places: Vec<String> = elsewhere.iter().map(|run| run.place.display().to_string()).collect();
    for (run, place) in elsewhere.iter().zip(&places) {
        session.summary.note(&format!("{place}: this record is of {}; run it there", made_in(run)));
    }
    session.summary.value("elsewhere", places);
}

/// Says where a volary.toml does not know of the list: the next `volary run` would know of none.
fn tell_unnamed(folder: &Path, touched: &[&Run], list: &Path, session: &mut Session) -> Result<()> {
    let of_runs = touched.iter().filter(|run| run.command == "run").filter_map(|run| run.place.parent());
    let folders = of_runs.chain([folder]).filter_map(|folder| std::fs::canonicalize(folder).ok());
    for folder in folders.collect::<BTreeSet<PathBuf>>() {
        if let Some(what) = wanted_optouts(&folder, list)? {
            session.summary.note(&what);
        }
    }
    Ok(())
}

fn note_unknown(unknown: Vec<String>, session: &mut Session) {
    if !unknown.is_empty() {
        let names = unknown.join(", ");
        session
            .summary
            .note(&format!("no longer there or changed, and so taken to hold their votes: {names}"));
    }
    session.summary.value("unknown", unknown);
}

/// Models of which nobody can say whether the votes went into them: a release refuses them.
fn note_models(models: &[&Run], session: &mut Session) {
    let places: Vec<String> = models.iter().map(|run| run.place.display().to_string()).collect();
    if !places.is_empty() {
        session.summary.count("n_unknown_models", "models of which no record says", places.len() as u64);
        session.summary.note(&format!(
            "no record of a run says what the labels of these models were made of, and so whether their votes are in \
             them; `volary release` refuses them: make the labels again with --optouts (`volary gold`, `volary \
             consensus`), or put their run.json beside them, and train again: {}",
            places.join(", ")
        ));
    }
    session.summary.value("unknown_models", places);
}

fn tell_bare(bare: &[&Run], session: &mut Session) {
    let places: Vec<String> = bare.iter().map(|run| run.place.display().to_string()).collect();
    for (run, place) in bare.iter().zip(&places) {
        session.summary.note(&format!(
            "{place}: `volary {}` takes no --optouts; give it what `volary extract` or `volary dedup` wrote without them",
            run.command
        ));
    }
    session.summary.value("cannot", places);
}

/// What votes of some people went into.
struct Touched<'l> {
    /// The runs, in the order in which to repeat them; of those that wrote the same place the last.
    runs: Vec<&'l Run>,
    /// Files whose votes can no longer be looked at.
    unknown: Vec<String>,
    /// Runs among them that read the votes themselves and cannot leave anybody out.
    bare: Vec<&'l Run>,
    /// Trainings of which no record says what their labels were made of.
    models: Vec<&'l Run>,
}

impl<'l> Touched<'l> {
    /// What votes of these people went into. A run left somebody out whose list held them then, which only the
    /// list itself can say.
    fn find(
        lineage: &'l Lineage,
        log: &OptOuts,
        people: &BTreeSet<String>,
        see: &mut dyn FnMut(&str, &str),
        session: &Session,
    ) -> Result<Self> {
        let everybody = Without::keys(people.iter().cloned());
        let (mut held, mut unknown) = (Vec::new(), Vec::new());
        for file in roots(lineage) {
            match people_in(file, &everybody, see, session)? {
                Some(found) => held.push((file, found)),
                None => {
                    unknown.push(file.name.clone());
                    held.push((file, people.clone()));
                }
            }
        }
        let stamps: BTreeSet<Option<&str>> =
            lineage.runs().iter().map(|run| run.optouts.as_deref()).collect();
        let left_out: BTreeMap<Option<&str>, BTreeSet<&str>> =
            stamps.into_iter().map(|stamp| (stamp, log.left_out(stamp))).collect();
        let mut found: BTreeSet<&Run> = BTreeSet::new();
        for person in people {
            let theirs = held.iter().filter(|(_, people)| people.contains(person));
            let hashes = theirs.map(|(file, _)| file.blake3.as_str());
            found.extend(
                lineage
                    .touched(hashes, |run| left_out[&run.optouts.as_deref()].contains(person.as_str())),
            );
        }
        let of_people: BTreeSet<&str> = held
            .iter()
            .filter(|(_, people)| !people.is_empty())
            .map(|(file, _)| file.blake3.as_str())
            .collect();
        let runs: Vec<&Run> = lineage.in_order().into_iter().filter(|run| found.contains(run)).collect();
        let runs = last_of_each(runs);
        let reads_them =
            |run: &Run| run.inputs.iter().any(|file| of_people.contains(file.blake3.as_str()));
        let is_bare =
            |run: &Run| reads_them(run) && is_made_again(run) && !takes_optouts(&run.command_line);
        let bare = runs.iter().copied().filter(|run| is_bare(run)).collect();
        let knew_all = |run: &Run| {
            let left_out = log.left_out(run.optouts.as_deref());
            people.iter().all(|person| left_out.contains(person.as_str()))
        };
        let is_unknown = |run: &&Run| {
            !people.is_empty()
                && !found.contains(run)
                && learned_from_labels(run)
                && is_told_by_nothing(lineage, run, &knew_all)
        };
        let models = last_of_each(lineage.in_order()).into_iter().filter(is_unknown).collect();
        Ok(Self { runs, unknown, bare, models })
    }
}

/// Whether a model learned from a table of labels, which votes may have made.
fn learned_from_labels(run: &Run) -> bool {
    let is_table =
        |word: &String| ["--consensus", "--only"].contains(&word.split('=').next().unwrap_or_default());
    run.command == "train" && run.command_line.iter().any(is_table)
}

/// Whether neither the records of the project nor those that the model's folder keeps say what it was made of: what a
/// release asks.
fn is_told_by_nothing(lineage: &Lineage, run: &Run, left_out: &dyn Fn(&Run) -> bool) -> bool {
    let made = run.outputs.iter().map(|file| file.blake3.as_str());
    if run.outputs.is_empty() || lineage.standing(made, left_out) == Standing::Unknown {
        let folder = run.place.parent().and_then(|folder| Folder::read(folder).ok());
        return folder.is_none_or(|folder| folder.standing(left_out) != Standing::Without);
    }
    false
}

/// Of runs that wrote the same places only the last stands: its record is the one that is there.
fn last_of_each(runs: Vec<&Run>) -> Vec<&Run> {
    let mut places = BTreeSet::new();
    let mut kept: Vec<&Run> = runs.into_iter().rev().filter(|run| places.insert(&run.place)).collect();
    kept.reverse();
    kept
}

/// Which of the people are in a file; `None` where it is no longer the file that was read.
fn people_in(
    file: &Artefact,
    people: &Without,
    also: &mut dyn FnMut(&str, &str),
    session: &Session,
) -> Result<Option<BTreeSet<String>>> {
    let path = &file.path;
    let Ok(read) = std::fs::File::open(path) else { return Ok(None) };
    let mut hasher = blake3::Hasher::new();
    std::io::copy(&mut std::io::BufReader::with_capacity(1 << 20, read), &mut hasher)
        .with_context(|| format!("reading failed: {}", path.display()))?;
    if hasher.finalize().to_hex().as_str() != file.blake3 {
        return Ok(None);
    }
    let mut found = BTreeSet::new();
    each_name(path, session, &mut |column, cell| {
        also(column, cell);
        // What stands for a name may be a key, in an export without names.
        for key in [cell, &volunteer::key(cell).0] {
            found.extend(people.who(key).map(str::to_owned));
        }
    })?;
    Ok(Some(found))
}

/// Shows every cell of a table that says who did something, after its column; something else than a table has none.
pub(in crate::commands) fn each_name(
    path: &Path,
    session: &Session,
    see: &mut dyn FnMut(&str, &str),
) -> Result<()> {
    const COLUMNS: [&str; 5] = ["volunteer", "user_name", "worker", "annotator", "user"];
    match TableFormat::of(path) {
        Ok(TableFormat::Parquet | TableFormat::Arrow | TableFormat::Json) => {
            let read = for_each_batch(path, &[], &session.progress, |cells| {
                for row in 0..cells.n_rows() {
                    for (column, cell) in COLUMNS.iter().filter_map(|c| Some((c, cells.text(c, row)?))) {
                        see(column, &cell);
                    }
                }
                Ok(())
            });
            // Something else than a table holds no votes.
            let _ = read;
        }
        _ => {
            let name = path.to_string_lossy().to_ascii_lowercase();
            if ![".csv", ".csv.gz", ".tsv", ".txt", ".dat"].iter().any(|end| name.ends_with(end)) {
                return Ok(());
            }
            let Ok(mut records) = Records::open(path, RecordOptions::default(), &session.progress)
            else {
                return Ok(());
            };
            let columns: Vec<(&str, usize)> =
                COLUMNS.iter().filter_map(|name| Some((*name, records.header().find(name)?))).collect();
            while let Some(record) = records.next_record()? {
                columns.iter().for_each(|(name, at)| see(name, record.get(Some(*at)).trim()));
            }
        }
    }
    Ok(())
}

fn tell(touched: &[&Run], list: &Path, session: &mut Session) {
    let mut rows = Vec::new();
    let mut json = Vec::new();
    for run in touched {
        let (place, outputs) = (run.place.display().to_string(), names(run));
        let line = quoted(&again(run, list));
        let todo = match run.command.as_str() {
            "release" => "a new version; this one cannot be recalled".to_owned(),
            // Records of before a demo's stages had one of their own.
            "demo" => {
                "`volary run --force` in it, which gives it a record that can be repeated".to_owned()
            }
            "simulate" => "nothing: what is simulated is nobody's".to_owned(),
            _ if !is_of_here(run) => format!("this record is of {}; run it there", made_in(run)),
            _ => format!("volary {line}"),
        };
        rows.push(vec![run.command.clone(), place.clone(), todo]);
        json.push(json!({"command": run.command, "record": place, "outputs": outputs, "again": line}));
    }
    count_products(touched, session);
    let summary = &mut session.summary;
    summary.value("touched", json);
    summary.table("To be made again, in this order", &["command", "record", "by"], &rows);
}

fn names(run: &Run) -> Vec<&str> {
    run.outputs.iter().map(|file| file.name.as_str()).collect()
}

/// Names of files, as many as one reads; figures are counted.
fn shown(files: &[&str]) -> String {
    const MOST: usize = 12;
    let (figures, others): (Vec<&str>, Vec<&str>) =
        files.iter().partition(|name| name.ends_with(".svg") || name.ends_with(".png"));
    if others.is_empty() && figures.len() <= MOST {
        return figures.join(", ");
    }
    let mut text = others.iter().take(MOST).copied().collect::<Vec<&str>>().join(", ");
    if others.len() > MOST {
        text.push_str(&format!(" and {} more", others.len() - MOST));
    }
    if !figures.is_empty() {
        text.push_str(&format!(" and {} figures", figures.len()));
    }
    text
}

fn count_products(touched: &[&Run], session: &mut Session) {
    for (command, key, label) in [("train", "models", "  models"), ("release", "releases", "  releases")]
    {
        let of = touched.iter().filter(|run| run.command == command);
        let places: Vec<String> = of.map(|run| run.place.display().to_string()).collect();
        session.summary.count(&format!("n_{key}"), label, places.len() as u64);
        session.summary.value(key, places);
    }
}

/// The command line of a run, without those who opted out: whatever list it was given, this one now.
fn again(run: &Run, list: &Path) -> Vec<String> {
    let mut line: Vec<String> = run.command_line.iter().skip(1).cloned().collect();
    if takes_optouts(&run.command_line) {
        if let Some(at) = line.iter().position(|word| word == "--optouts") {
            line.drain(at..(at + 2).min(line.len()));
        }
        line.retain(|word| !word.starts_with("--optouts="));
        line.extend(["--optouts".to_owned(), list.display().to_string()]);
    }
    if run.command == "train" {
        line.retain(|word| word != "--resume" && word != "--fresh");
        line.push("--fresh".to_owned());
    }
    line
}

/// Words as a shell takes them.
fn quoted(words: &[String]) -> String {
    let all = shlex::try_join(words.iter().map(String::as_str));
    // A word with a NUL in it was never typed.
    all.unwrap_or_else(|_| words.join(" "))
}

/// Makes it again, and says why not.
fn make(run: &Run, list: &Path) -> Result<Option<String>> {
    let line = again(run, list);
    let Some(folder) = run.folder.as_ref().filter(|_| !line.is_empty()) else {
        let place = run.place.display();
        return Ok(Some(format!(
            "the record does not say where the command ran, {place}; run it by hand"
        )));
    };
    let binary = std::env::current_exe().context("this program cannot be found")?;
    let output = Command::new(binary)
        .args(&line)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .context("this program cannot be started again")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let why = said.trim().lines().last().unwrap_or_default().trim_start_matches("error: ");
        return Ok(Some(format!("volary {} ({why})", quoted(&line))));
    }
    Ok(None)
}
