//! The record of a run names what it read and what it wrote: every file, or the questions that volunteers ask
//! (where did my votes go?) are answered wrongly.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Place, walk};

/// One line for each command that writes tables, in an order in which each finds what it reads. The demo comes first.
const LINES: &str = "\
extract classifications.csv --workflows workflows.csv -o made/extracts
extract classifications.csv --format panoptes -o made/panoptes
reduce made/panoptes/question_extractor_extractions.csv -o made/reduced
flatten classifications.csv -o made/flat.csv
dedup classifications.csv -o made/once.csv
consensus made/extracts --truth truth.csv -o made/consensus.csv
consensus classifications.csv --extracts made/anew --method dawid-skene -o made/skilled.csv
agreement made/extracts --flags -o made/agreement.csv
retire made/extracts --truth truth.csv --orders 2 -o made/retire.csv
shapes made/extracts --figure made/drawings -o made/shapes.csv
marks build made/extracts -o made/built
marks weigh made/extracts --signals dips.csv -o made/weighed
marks score made/extracts --truth dips.csv --keep-iterations -o made/scored
marks evaluate made/scored --truth dips.csv -o made/evaluated
marks sweep made/extracts --truth dips.csv --tolerances 0.8 --cutoffs 0.5 -o made/sweep
marks follow made/extracts --new none.ndjson -o made/followed
sample made/scored/subjects.parquet --score-column n_marks --top 0.2 -o made/shown.csv
bias classifications.csv --truth truth.csv --positive Smooth --slices subjects.csv --by magnitude -o made/bias.csv
practice classifications.csv --truth truth.csv -o made/practice.csv
gold classifications.csv --task T0 --least 3 -o made/gold.csv
gold mix made/gold.csv --with planets=planets.csv --share 0.9 -o made/training.csv
chosen classifications.csv --task T1 --answer Ring --figures made/figures -o made/chosen.csv
talk comments.json tags.json -o made/talk
tags comments.json tags.json --with made/chosen.csv --chosen fraction --figures made/figures -o made/tags.csv
outliers subjects.csv --pixels --size 24 --components 6 -o made/outliers.csv
map made/outliers_embeddings.csv -o made/map.csv
neighbours made/outliers_embeddings.csv -k 3 -o made/near.csv
clusters made/map.csv --axes x,y --with made/outliers.csv --score knn --top 0.5 --smallest 2 -o made/groups.csv
slice made/outliers.csv knn>0 -o made/slice.csv
compare scorers made/outliers.csv --with made/chosen.csv --score knn --score pca --chosen fraction --figure made/s.svg -o made/scorers.csv
boundary made/outliers_embeddings.csv --with made/chosen.csv --chosen fraction --components 3 --at 0.3 --save made/taste.json --figures made/figures -o made/boundary.csv
select made/taste.json made/outliers_embeddings.csv -o made/selected.csv
train confusion subjects.csv --consensus made/consensus.csv --task T0 --classes Smooth --size 32 --channels grey --filters 4 --hidden 4 --batch 16 --epochs 1 --held-out 0.3 --replicates 20 -o made/model
score made/model subjects.csv -o made/predictions.csv
confusing made/predictions.csv --votes 10 -o made/queue.csv
attention made/model subjects.csv --overlays 2 -o made/attention
card made/model --draft
figures extremes subjects.csv --table made/outliers.csv --column knn -o made/figures/extremes.svg
figures scores made/outliers.csv --score knn --score pca -o made/scores
figures latent made/map.csv --with made/outliers.csv --colour knn -o made/figures/latent.svg
figures map made/map.csv --x x --y y --values made/outliers.csv --classes knn -o made/figures/map.svg
figures thumbnails subjects.csv --map made/map.csv --across 5 --size 24 -o made/figures/thumbnails.svg
figures neighbours subjects.csv --neighbours made/near.csv --rows 3 -o made/figures/neighbours.svg
figures groups subjects.csv --groups made/groups.csv -o made/figures/groups.svg
figures classes subjects.csv --values made/outliers.csv --classes knn -o made/figures/classes.svg
figures attention subjects.csv --maps made/attention/maps --classes Smooth -o made/figures/attention.svg
figures losses made/model/history.csv -o made/figures/losses.svg
report . -o made/today.html
export page made/copy --project .
simulate crowd -o made/crowd --subjects 5 --per-subject 3
simulate lightcurves -o made/curves --subjects 5 --volunteers 5 --classifications 10 --simulations 2
simulate images -o made/pictures --subjects 5 --size 16
release release.toml --votes made/extracts/votes.parquet --biases biases.toml --key k.key --new-key -o made/package
run .
demo .";

/// Commands that are in no line, and why.
const NOT_HERE: [(&str, &str); 28] = [
    ("init", "writes settings, which hold no votes"),
    ("check", "writes no file"),
    ("advise", "writes no file"),
    ("manifest check", "writes no file"),
    ("gold verify", "writes no file"),
    ("release verify", "writes no file"),
    ("release attack", "writes no file"),
    ("optout add", "writes the list, which is no product"),
    ("optout back", "writes the list"),
    ("optout list", "writes no file"),
    ("optout where", "writes no file"),
    ("policy diff", "writes no file"),
    ("simulate campaign", "writes no file"),
    ("ingest", "writes the live store, which has its own log"),
    ("alerts", "of the live store"),
    ("credit", "of the live store, and lists of those who want to be named"),
    ("rebuild", "of the live store, or runs commands that have records"),
    ("serve", "writes what people do on the page"),
    ("token make", "writes tokens"),
    ("token list", "writes no file"),
    ("token revoke", "writes tokens"),
    ("rules test", "writes no file"),
    ("train classifier", "ends as `train confusion` does"),
    ("train autoencoder", "ends as `train confusion` does"),
    ("train anomaly", "ends as `train confusion` does"),
    ("figures confusing", "ends as the other figures do"),
    ("figures network", "ends as the other figures do"),
    ("export", "has subcommands only"),
];

/// Files that no record names, and why.
const NO_PRODUCT: [(&str, &str); 5] = [
    (".volary", "what a project keeps for itself"),
    ("volary-cache", "decoded pictures, made again where they are gone"),
    ("card.md", "says what the record says, and is written from it"),
    ("lineage.json", "is made of records"),
    ("k.key", "a secret"),
];

fn fixtures(place: &Place) {
    let write = |name: &str, text: &str| place.write(name, text);
    write("planets.csv", "subject_id,answer\nx1,Smooth\nx2,Star or artefact\n");
    write("none.ndjson", "");
    write("release.toml", crate::release::SETTINGS);
    write("biases.toml", "");
    let at = "2023-04-12T14:24:37.018Z";
    let of = |n: usize, more: Value| {
        let mut row =
            json!({"subject_id": (90_000_000 + n % 20).to_string(), "user": n % 7, "created_at": at});
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        row
    };
    let comments: Vec<Value> =
        (0..60).map(|n| of(n, json!({"comment": n, "focus_type": "Subject", "n_chars": 9}))).collect();
    let tags: Vec<Value> =
        (0..60).map(|n| of(n, json!({"tag": n, "name": "ring", "taggable_type": "Subject"}))).collect();
    write("comments.json", &json!(comments).to_string());
    write("tags.json", &json!(tags).to_string());
}

fn hash(path: &Path) -> String {
    blake3::hash(&std::fs::read(path).unwrap()).to_hex().to_string()
}

fn paths(record: &Value, list: &str) -> Vec<String> {
    let all = record[list].as_array().unwrap().iter();
    all.map(|file| file["path"].as_str().unwrap().to_owned()).collect()
}

/// The files of a project by their bytes: a step may write again what is there.
fn products(place: &Place) -> BTreeSet<String> {
    let is_product = |name: &String| {
        let is_record = name.ends_with("run.json");
        let is_listed = NO_PRODUCT
            .iter()
            .any(|(part, _)| Path::new(name).components().any(|c| c.as_os_str() == *part));
        !is_record && !is_listed
    };
    place.files().into_iter().filter(is_product).collect()
}

#[test]
fn every_file_that_appears_is_in_the_record_of_the_run_that_wrote_it_and_so_is_what_was_read() {
    let place = Place::new();
    place.record(&["demo", ".", "--subjects", "60", "--volunteers", "40"]);
    fixtures(&place);
    for line in LINES.lines().filter(|line| *line != "demo .") {
        let words: Vec<&str> = line.split(' ').collect();
        let output = words.iter().position(|word| *word == "-o").map(|at| words[at + 1]);
        let before = products(&place);
        let is_file = |word: &&&str| Some(**word) != output && place.path(word).is_file();
        let read: BTreeMap<String, String> = words
            .iter()
            .filter(is_file)
            .map(|word| (hash(&place.path(word)), (*word).to_owned()))
            .collect();
        // One command's standard output is its result; its record is on standard error.
        let done = place.volary(&[&words[..], &["--json"]].concat());
        let record = match serde_json::from_str(&done.stderr) {
            Ok(record) if done.code == 0 => record,
            _ => done.record(),
        };
        // What it says on standard output is what it left beside its outputs.
        let kept = match words[..2] {
            // A run that finds all up to date lets the record of the one before stand.
            ["card" | "run", _] => None,
            ["release" | "export", _] => Some(format!("{}.run.json", output.unwrap_or("made/copy"))),
            _ => {
                let output = Path::new(output.unwrap());
                let name = output.with_extension("run.json");
                Some(match output.extension() {
                    Some(_) => name.to_string_lossy().into_owned(),
                    None => output.join("run.json").to_string_lossy().into_owned(),
                })
            }
        };
        if let Some(kept) = &kept {
            let kept: Value = serde_json::from_str(&place.read(kept)).unwrap();
            assert_eq!(paths(&kept, "outputs"), paths(&record, "outputs"), "{line}");
        }
        let outputs: BTreeSet<PathBuf> =
            paths(&record, "outputs").iter().map(|path| place.path(path)).collect();
        let is_simulated = words[0] == "simulate";
        assert!(!is_simulated || outputs.is_empty(), "where others begin: {line}");
        for new in products(&place).difference(&before).filter(|_| !is_simulated) {
            let of_package = new.starts_with("made/package/") && !new.ends_with("SHA256SUMS");
            assert!(of_package || outputs.contains(&place.path(new)), "{new} of: {line}");
        }
        for path in &outputs {
            assert!(path.is_file(), "{line}: {} is not there", path.display());
        }
        // What was named on the line and read is an input; settings and keys are none.
        let inputs: BTreeSet<&str> =
            record["inputs"].as_array().unwrap().iter().map(|f| f["blake3"].as_str().unwrap()).collect();
        for (hash, word) in read.iter().filter(|(_, word)| !word.ends_with(".key")) {
            assert!(inputs.contains(hash.as_str()), "{word} was read: {line}");
        }
    }
    // All that the demo made of what it simulated is in a record of its own, as that of a run.
    let record: Value = serde_json::from_str(&place.read("run.json")).unwrap();
    let inputs = paths(&record, "inputs");
    for name in ["classifications.csv", "truth.csv", "dips.csv"] {
        assert!(inputs.iter().any(|path| path.ends_with(name)), "{name} is where it begins: {inputs:?}");
    }
    let outputs: BTreeSet<PathBuf> =
        paths(&record, "outputs").iter().map(|path| place.path(path.trim_start_matches("./"))).collect();
    for name in
        ["extracts/votes.parquet", "consensus/consensus.parquet", "marks/members.parquet", "report.html"]
    {
        assert!(outputs.contains(&place.path(name)), "{name}: {outputs:?}");
    }
    assert!(outputs.iter().any(|path| path.ends_with("figures/lorenz_curve.svg")));
    // So that a volunteer is told of what was made of marks, and of what was made of that.
    let voters = place.table("classifications.csv");
    let voter =
        &voters.iter().find(|row| !row["user_name"].starts_with("not-logged-in")).unwrap()["user_name"];
    let told = place.record(&["optout", "where", "--user", voter])["summary"].clone();
    let touched = told["touched"].as_array().unwrap();
    let holds = |command: &str, file: &str| {
        let of = touched.iter().filter(|run| run["command"] == command);
        of.flat_map(|run| run["outputs"].as_array().unwrap()).any(|output| output == file)
    };
    for (command, file) in [
        ("marks", "subjects.parquet"),
        ("sample", "shown.csv"),
        ("shapes", "shapes_members.csv"),
        ("retire", "retire_subjects.csv"),
        ("agreement", "agreement_flags.csv"),
        ("chosen", "chosen.csv"),
        ("report", "today.html"),
        ("export", "index.html"),
        ("figures", "losses.svg"),
        ("attention", "attention.parquet"),
        ("release", "SHA256SUMS"),
        ("run", "consensus.parquet"),
    ] {
        assert!(holds(command, file), "{file} of {command}: {touched:#?}");
    }
}

/// The commands that a help page lists.
fn listed(place: &Place, words: &[&str]) -> Vec<String> {
    let help = place.volary(&[words, &["--help"]].concat()).stdout;
    let Some((_, rest)) = help.split_once("\nCommands:\n") else { return Vec::new() };
    let lines = rest.lines().take_while(|line| !line.trim().is_empty());
    let names = lines.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    names
        .filter_map(|line| line.split(' ').next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_new_command_is_run_here_or_says_why_not() {
    let place = Place::new();
    let known: BTreeSet<&str> = NOT_HERE.iter().map(|(name, _)| *name).collect();
    let all = listed(&place, &[]);
    assert!(all.len() > 40, "{all:?}");
    for command in &all {
        let inner = listed(&place, &[command]);
        let mut names: Vec<String> = inner.iter().map(|inner| format!("{command} {inner}")).collect();
        let writes = place.volary(&[command, "--help"]).stdout.contains("--output");
        if inner.is_empty() || writes {
            names.push(command.clone());
        }
        for name in names {
            let of_line = |line: &str| line == name || line.starts_with(&format!("{name} "));
            assert!(
                LINES.lines().any(of_line) || known.contains(name.as_str()),
                "`volary {name}` is new: add a line that runs it, or the reason why it needs none"
            );
        }
    }
}

/// Only [`volary_ingest::output`] puts files in their places: what goes by it is in no record.
#[test]
fn no_command_writes_a_file_by_other_means() {
    const MEANS: [&str; 5] =
        ["fs::write(", "File::create(", "fs::copy(", ".persist(", "OpenOptions::new("];
    const MAY: [(&str, &str); 4] = [
        ("boundary/bundle.rs", "into a folder that goes with the run"),
        ("train/search/state.rs", "noted when the training ends"),
        ("commands/credit.rs", "a key, which is secret"),
        ("score/journal.rs", "goes when the scores are there"),
    ];
    walk(&crate::support::root().join("crates/volary/src"), &mut |path| {
        let text = std::fs::read_to_string(path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let is_test = path.file_stem().is_some_and(|name| name == "tests");
        let may = MAY.iter().any(|(end, _)| path.ends_with(end)) || is_test;
        let found = MEANS.iter().find(|means| code.replace("AtomicFile::create(", "").contains(**means));
        assert!(may || found.is_none(), "{found:?} in {}: its file is in no record", path.display());
    });
}
