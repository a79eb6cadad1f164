//! `volary train … --search`: candidates, a budget that ends a search, and one that goes on.

use serde_json::Value;

use crate::support::Place;
use crate::vision::project;

fn begin(n: usize) -> Place {
    let place = Place::new();
    project(&place, n);
    place
}

/// A training of tiny networks; what `more` names has its value from there.
fn search<'a>(output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let start =
        "train classifier subjects.csv --consensus votes.csv --classes square --size 32 --channels grey";
    let fixed = "--replicates 50 --filters 4,6 --dense 8 --batch 8 --rate 0.005 --dropout-maps 0.05 --dropout 0.2 \
                 --epochs 3 --held-out 0.4 --group object";
    let words: Vec<&str> = fixed.split_whitespace().collect();
    let kept = words.chunks(2).filter(|pair| !more.contains(&pair[0])).flatten().copied();
    start.split_whitespace().chain(kept).chain(["-o", output]).chain(more.iter().copied()).collect()
}

fn json(place: &Place, file: &str) -> Value {
    serde_json::from_str(&place.read(file)).unwrap()
}

#[test]
fn candidates_are_judged_alike_and_the_kept_one_by_what_chose_none() {
    let place = begin(60);
    place.write(
        "ranges.toml",
        "keep = \"best\"\n[ranges]\nfilters = [\"2,2\", \"4,6\"]\nrate = [1e-7, 0.005]\n",
    );
    let record = place.record(&search("model", &["--search", "ranges.toml"]));
    assert_eq!(record["summary"]["n_candidates"], 4);
    let rows = place.table("model/candidates.csv");
    assert_eq!(rows.len(), 4);
    let kept: Vec<_> = rows.iter().filter(|r| r["kept"] == "true").collect();
    assert_eq!(kept.len(), 1);
    let number =
        |row: &std::collections::BTreeMap<String, String>, name: &str| row[name].parse::<f64>().unwrap();
    let least = rows.iter().map(|r| number(r, "excess_log_loss")).fold(f64::INFINITY, f64::min);
    assert_eq!(number(kept[0], "excess_log_loss"), least);
    for row in &rows {
        let [low, value, high] =
            ["excess_log_loss_low", "excess_log_loss", "excess_log_loss_high"].map(|c| number(row, c));
        assert!(low <= value && value <= high && number(row, "wall_s") > 0.0, "{row:?}");
    }
    // The widths of the networks show in their weights.
    assert!(number(&rows[0], "n_weights") < number(&rows[2], "n_weights"));
    // Half of the held-out pictures chose, the others judge.
    let (config, metrics) = (json(&place, "model/config.json"), json(&place, "model/metrics.json"));
    let (n, chosen_by) = (&metrics["held_out"]["n"], &metrics["n_chosen_by"]);
    assert_eq!(
        n.as_u64().unwrap() + chosen_by.as_u64().unwrap(),
        config["n_held_out"].as_u64().unwrap()
    );
    assert!(n.as_u64() > Some(5) && chosen_by.as_u64() > Some(5));
    let card = place.read("model/card.md");
    assert!(
        card.contains("Out of 4 candidates of 4 planned") && card.contains("the whole search took"),
        "{card}"
    );
    assert!(!place.path("model/candidates").exists());
    place.record(&["score", "model", "subjects.csv", "-o", "scores.csv", "--passes", "4"]);

    // It is the model that those settings give without any search.
    let plain =
        place.record(&search("plain", &["--filters", &kept[0]["filters"], "--rate", &kept[0]["rate"]]));
    assert_eq!(plain["summary"]["n_epochs"], 3);
    let weights = |folder: &str| std::fs::read(place.path(folder).join("weights.safetensors")).unwrap();
    assert_eq!(weights("model"), weights("plain"));

    // A card that was made before is the same again, and a search that is done is not done twice.
    let before = place.read("model/search.json");
    place.record(&search("model", &["--search", "ranges.toml", "--resume"]));
    let candidates = |text: &str| serde_json::from_str::<Value>(text).unwrap()["candidates"].clone();
    assert_eq!(candidates(&before), candidates(&place.read("model/search.json")));
    assert_eq!(weights("model"), weights("plain"));
    // Somebody writes a better loss into it.
    let better = before.replace("\"kept\": ", "\"kept\":  ");
    place.write("model/search.json", better);
    place.volary(&["card", "model", "--draft"]).fails_with("search.json is not what training wrote");
}

#[test]
fn a_budget_ends_a_search_before_it_is_passed() {
    let place = begin(24);
    let rates: Vec<String> = (1..=8).map(|i| format!("{}", 0.001 * f64::from(i))).collect();
    place.write("ranges.toml", format!("[ranges]\nrate = [{}]\n", rates.join(", ")));
    place.write("one.toml", "[ranges]\nrate = [0.001]\n");
    let more = ["--epochs", "8"];
    let run = |output: &str, with: &[&str]| place.volary(&search(output, &[&more[..], with].concat()));
    run("one", &["--search", "one.toml"]).is_done();
    let one = json(&place, "one/search.json");
    let of = |value: &Value| value["cpu_s"].as_f64().unwrap();
    let (candidate_s, all_s) = (of(&one["candidates"][0]["cost"]), of(&one["total"]));
    // Room for what is not a candidate, and for three and a half of them.
    let room_s = all_s - candidate_s + 3.5 * candidate_s;
    place.write("budget.toml", format!("[budget]\ncpu_hours = {}\n", room_s / 3600.0));
    run("model", &["--search", "ranges.toml", "--config", "budget.toml"]).is_done();
    let stopped = json(&place, "model/search.json");
    let n_done =
        |of: &Value| of["candidates"].as_array().unwrap().iter().filter(|c| !c.is_null()).count();
    assert!((1..8).contains(&n_done(&stopped)), "{stopped:#}");
    let why = stopped["stopped"].as_str().unwrap();
    assert!(why.contains("cpu_hours") && why.contains("the budget"), "{why}");
    assert!(of(&stopped["total"]) <= room_s * 1.02, "{} of {room_s} s", of(&stopped["total"]));
    // There is a model all the same, and its card says that not all was tried.
    let card = place.read("model/card.md");
    assert!(card.contains(&format!("Out of {} candidates of 8 planned", n_done(&stopped))), "{card}");
    assert!(card.contains("ended before all were tried"), "{card}");
    place.record(&["score", "model", "subjects.csv", "-o", "scores.csv", "--passes", "4"]);

    // Raised, it goes on with the others, and ends where one that was never stopped ends.
    run("model", &["--search", "ranges.toml", "--resume"]).is_done();
    run("whole", &["--search", "ranges.toml"]).is_done();
    let (resumed, whole) = (json(&place, "model/search.json"), json(&place, "whole/search.json"));
    assert_eq!((n_done(&resumed), &resumed["stopped"]), (8, &Value::Null));
    for (number, before) in stopped["candidates"].as_array().unwrap().iter().enumerate() {
        assert!(before.is_null() || *before == resumed["candidates"][number], "trained again: {number}");
        assert_eq!(resumed["candidates"][number]["loss"], whole["candidates"][number]["loss"]);
    }
    assert_eq!(resumed["kept"], whole["kept"]);
    let weights = |folder: &str| std::fs::read(place.path(folder).join("weights.safetensors")).unwrap();
    assert_eq!(weights("model"), weights("whole"));

    // The first candidate may pass it, since nothing is known of it: that is kept, and told.
    let half = (all_s - candidate_s / 2.0) / 3600.0;
    place.write("half.toml", format!("[budget]\ncpu_hours = {half}\n"));
    let passed = run("half", &["--search", "ranges.toml", "--config", "half.toml"]);
    passed.is_done();
    assert_eq!(n_done(&json(&place, "half/search.json")), 1);
    assert!(passed.stdout.contains("note: the budget is spent: cpu_hours"), "{}", passed.stdout);

    // Nothing at all fits: no model, and no word of one.
    place.write("none.toml", "[budget]\ncpu_hours = 1e-9\n");
    run("none", &["--search", "ranges.toml", "--config", "none.toml"])
        .fails_with("no candidate was finished");
    assert!(!place.path("none/config.json").exists());
}

#[test]
fn what_is_no_search() {
    let place = begin(16);
    place.write("ranges.toml", "[ranges]\nrate = [0.001, 0.002]\n");
    let run = |output: &str, with: &[&str]| place.volary(&search(output, with));
    for (text, words) in [
        ("[ranges]\nratee = [1]\n", "unexpected argument '--ratee'"),
        ("[ranges]\nfilters = [\"4\"]\n", "give two, such as 16,32"),
        ("[ranges]\nheld-out = [0.1]\n", "must be the same for all candidates"),
        ("rate = 1\n", "not a file of ranges"),
    ] {
        place.write("odd.toml", text);
        run("odd", &["--search", "odd.toml"]).fails_with(words);
    }
    run("odd", &["--search", "nowhere.toml"]).fails_with("nowhere.toml");
    let small = place.volary(&[
        "train",
        "classifier",
        "subjects.csv",
        "--consensus",
        "votes.csv",
        "--size",
        "16",
        "-o",
        "s",
    ]);
    small.fails_with("20 pixels or more");
    let help = place.volary(&["train", "classifier", "--help"]).stdout;
    assert!(
        help.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .contains("`train classifier` takes 20 or more"),
        "{help}"
    );
    run("none", &["--search", "ranges.toml", "--held-out", "0"])
        .fails_with("nothing is left to choose by");
    let epochs = ["--epochs", "1", "--search", "ranges.toml"];
    run("model", &epochs).is_done();
    run("model", &epochs).fails_with("a search was begun here before");
    run("model", &["--epochs", "2", "--search", "ranges.toml", "--resume"])
        .fails_with("another search was begun here");
    run("model", &[&epochs[..], &["--fresh"]].concat()).is_done();
    // A confusion network is searched for in the same way.
    place.write("weights.toml", "[ranges]\ndivergence-weight = [0.1, 1.0]\n");
    let line = "train confusion subjects.csv --consensus votes.csv --classes square,stripes --replicates 20 --size 32 \
                --channels grey --filters 8 --hidden 6,4 --batch 8 --epochs 1 --held-out 0.4 --search weights.toml -o c";
    let record = place.record(&line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(record["summary"]["n_candidates"], 2);
}
