//! `volary retire` from the outside: rules, gold, truth, Caesar configurations, and what comes in broken.

use std::fmt::Write as _;

use serde_json::Value;

use crate::support::{Place, Row, export, shared};

/// A label table: (task, worker, label).
fn labels(rows: &[(&str, &str, &str)]) -> String {
    let mut out = "task,worker,label\n".to_owned();
    rows.iter().for_each(|(task, worker, label)| writeln!(out, "{task},{worker},{label}").unwrap());
    out
}

/// Twenty subjects with ten answers each; the odd ones are `b`, and every fourth worker is wrong.
fn crowd() -> (String, String) {
    let (mut table, mut truth) =
        ("task,worker,label,created_at\n".to_owned(), "task,label\n".to_owned());
    for worker in 0..10 {
        for task in 0..20 {
            let right = task % 2 == 1;
            let says = if worker % 4 == 3 { !right } else { right };
            let label = if says { "b" } else { "a" };
            writeln!(table, "{task},w{worker},{label},2024-01-01 {worker:02}:{task:02}:00 UTC").unwrap();
        }
    }
    for task in 0..20 {
        writeln!(truth, "{task},{}", if task % 2 == 1 { "b" } else { "a" }).unwrap();
    }
    (table, truth)
}

fn place() -> Place {
    let place = Place::new();
    let (table, truth) = crowd();
    place.write("labels.csv", table);
    place.write("truth.csv", truth);
    place
}

/// One rule's entry of the record.
fn rule<'r>(record: &'r Value, name: &str) -> &'r Value {
    let all = record["summary"]["rules"].as_array().unwrap();
    all.iter().find(|r| r["rule"] == name).unwrap_or_else(|| panic!("no {name} in {all:?}"))
}

fn problems(record: &Value) -> String {
    record["problem_examples"].to_string()
}

#[test]
fn the_usual_rules_with_truth() {
    let place = place();
    let record = place.record(&["retire", "labels.csv", "--truth", "truth.csv", "-o", "rules.csv"]);
    let table = place.table("rules.csv");
    assert_eq!(table.len(), 11);
    let count = rule(&record, "count:5");
    assert_eq!((count["mean_votes"].as_f64(), count["saved"].as_f64()), (Some(5.0), Some(0.5)));
    assert_eq!((count["accuracy"].as_f64(), count["n_truth"].as_u64()), (Some(1.0), Some(20)));
    // The fourth answer on each subject is wrong, so nobody's first three differ.
    assert_eq!(rule(&record, "first:3")["mean_votes"], 3.0);
    // Six of the first eight agree, eight of all ten.
    assert_eq!(rule(&record, "agree:8:0.8")["saved"], 0.0);
    assert_eq!(rule(&record, "agree:8:0.8")["retired"], 1.0);
    assert!(rule(&record, "swap:0.99")["mean_votes"].as_f64().unwrap() < 10.0);
    let row = &table[0];
    assert_eq!(
        (row["rule"].as_str(), row["order"].as_str(), row["task"].as_str()),
        ("count:5", "time", "label")
    );
    assert!(row["accuracy_low"].parse::<f64>().unwrap() > 0.8 && row["accuracy_sd"].is_empty());
    let subjects = place.table("rules_subjects.csv");
    assert_eq!(subjects.len(), 11 * 20);
    let first = subjects.iter().find(|r| r["rule"] == "first:3" && r["subject_id"] == "1").unwrap();
    assert_eq!((first["n_taken"].as_str(), first["n_all"].as_str()), ("3", "10"));
    assert_eq!((first["ended_by"].as_str(), first["answer"].as_str()), ("rule", "b"));
    let is_sure = |r: &&std::collections::BTreeMap<String, String>| {
        r["rule"] == "swap:0.99" && r["ended_by"] == "rule"
    };
    let swap = subjects.iter().find(is_sure).unwrap();
    // What was believed at retirement and what is believed with all votes are two numbers.
    assert!(swap["probability"].parse::<f64>().unwrap() >= 0.99 && !swap["probability_all"].is_empty());
    let svg = place.read("rules.svg");
    assert!(svg.starts_with("<svg") && svg.contains("swap:0.99") && !svg.contains("NaN"));
    assert!(place.read("rules.run.json").contains("\"retirement\": 11"));
    assert_eq!(record["summary"]["n_untimed"], 0);
}

#[test]
fn random_orders_have_a_spread_and_threads_change_nothing() {
    let place = place();
    let run = |threads: &str, out: &str| {
        place.record(&[
            "retire",
            "labels.csv",
            "--truth",
            "truth.csv",
            "--rule",
            "swap:0.99",
            "--rule",
            "swap:0.95:resurrect",
            "--rule",
            "first:3",
            "--orders",
            "6",
            "--threads",
            threads,
            "-o",
            out,
        ])
    };
    let record = run("1", "one.csv");
    run("5", "five.csv");
    assert_eq!(place.read("one.csv"), place.read("five.csv"));
    assert_eq!(place.read("one_subjects.csv"), place.read("five_subjects.csv"));
    assert_eq!(place.read("one.svg"), place.read("five.svg"));
    let table = place.table("one.csv");
    let orders: Vec<&str> = table.iter().map(|r| r["order"].as_str()).collect();
    assert_eq!(orders, ["time", "random"].repeat(3));
    let random = table.iter().find(|r| r["rule"] == "first:3" && r["order"] == "random").unwrap();
    assert_eq!(random["n_orders"], "6");
    let number = |key: &str| random[key].parse::<f64>().unwrap();
    assert!(number("mean_votes_sd") > 0.0);
    assert!(
        number("mean_votes_min") <= number("mean_votes")
            && number("mean_votes") <= number("mean_votes_max")
    );
    assert_eq!(record["summary"]["rules"].as_array().unwrap().len(), 6);
    let shown =
        place.volary(&["retire", "labels.csv", "--rule", "first:3", "--orders", "3", "-o", "again.csv"]);
    assert!(shown.stdout.contains("±") && shown.stdout.contains("order: by time"), "{}", shown.stdout);
}

#[test]
fn gold_teaches_and_is_left_out() {
    let place = place();
    place.write("gold.csv", "subject,gold\n0,a\n1,b\n2,a\n3,b\n");
    let record = place.record(&[
        "retire",
        "labels.csv",
        "--gold",
        "gold.csv",
        "--truth",
        "truth.csv",
        "--rule",
        "swap:0.99",
        "--rule",
        "swap:0.99:self",
        "-o",
        "rules.csv",
    ]);
    let one = rule(&record, "swap:0.99");
    assert_eq!((one["n_subjects"].as_u64(), one["n_truth"].as_u64()), (Some(16), Some(16)));
    assert_eq!(place.table("rules.csv")[0]["n_gold"], "4");
    assert!(
        place.table("rules_subjects.csv").iter().all(|r| r["subject_id"].parse::<u32>().unwrap() > 3)
    );
}

#[test]
fn gold_that_cannot_be_used_is_told() {
    let place = place();
    place.write("gold.csv", "subject,gold\n0,a\n0,b\n1,b\n2,zebra\n900,a\n901,b\n");
    let record = place.record(&[
        "retire",
        "labels.csv",
        "--gold",
        "gold.csv",
        "--rule",
        "swap:0.9",
        "-o",
        "rules.csv",
    ]);
    let said = problems(&record);
    for words in [
        "1 subjects have several answers where one can hold",
        "1 subjects have an answer that nobody could give",
        "2 subjects were seen by nobody",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(rule(&record, "swap:0.9")["n_subjects"], 19);
    place.write("other.csv", "subject,gold\n900,a\n");
    let shown = place.volary(&[
        "retire",
        "labels.csv",
        "--gold",
        "other.csv",
        "--rule",
        "swap:0.9",
        "-o",
        "r.csv",
    ]);
    assert!(shown.stdout.contains("gold: none of it is about these subjects"), "{}", shown.stdout);
}

#[test]
fn what_is_asked_wrongly_is_one_clear_error() {
    let place = place();
    let fails = |arguments: &[&str], words: &str| {
        let base = ["retire", "labels.csv", "-o", "rules.csv"];
        place.volary(&[&base[..], arguments].concat()).fails_with(words);
    };
    fails(&["--rule", "sometimes"], "there are count:N");
    fails(&["--rule", "agree:8:80"], "not a share between 0 and 1");
    fails(&["--rule", "positive:8:0.8:maybe"], "the answers are a, b");
    fails(&["--rule", "swap:0.9:answer=c"], "the answers are a, b");
    fails(&["--cap", "0"], "--cap 0");
    fails(&["--level", "1.5"], "between 0 and 1");
    fails(&["--task", "T7"], "there are label");
    fails(&["--repeats", "maybe"], "first, last, all");
    fails(&["--gold", "nowhere.csv"], "nowhere.csv");
    fails(&["--caesar", "nowhere.json"], "nowhere.json");
    place.volary(&["retire", "labels.csv", "-o", "rules.txt"]).fails_with("must end in");
    assert!(!place.files().iter().any(|f| f.starts_with("rules")), "{:?}", place.files());
}

#[test]
fn empty_one_vote_one_class() {
    let place = Place::new();
    place.write("empty.csv", "");
    place.volary(&["retire", "empty.csv", "-o", "r.csv"]).fails_with("empty");
    place.write("header.csv", "task,worker,label\n");
    place.volary(&["retire", "header.csv", "-o", "r.csv"]).fails_with("nothing to retire by");
    place.write("one.csv", labels(&[("1", "ann", "yes")]));
    let record = place.record(&["retire", "one.csv", "-o", "one_rules.csv", "--orders", "2"]);
    assert_eq!(rule(&record, "count:5")["mean_votes"], 1.0);
    assert_eq!(rule(&record, "swap:0.99")["changed"], 0.0);
    place.write(
        "class.csv",
        labels(&[("1", "a", "x"), ("1", "b", "x"), ("1", "c", "x"), ("2", "a", "x")]),
    );
    let record = place.record(&["retire", "class.csv", "-o", "class_rules.csv"]);
    assert_eq!(rule(&record, "first:3")["retired"], 0.5);
    // Nobody said anything: labels that are all empty.
    place.write("silent.csv", labels(&[("1", "a", ""), ("1", "b", "")]));
    place.volary(&["retire", "silent.csv", "-o", "r.csv"]).fails_with("nothing to retire by");
}

#[test]
fn without_times_the_order_is_by_id_and_that_is_said() {
    let place = Place::new();
    // Row after row: b, b, b on subject 1 come first, whatever the workers are called.
    let rows = [("1", "z", "b"), ("1", "y", "b"), ("1", "x", "b"), ("1", "a", "a"), ("1", "b", "a")];
    place.write("labels.csv", labels(&rows));
    let shown = place.volary(&["retire", "labels.csv", "--rule", "first:3", "-o", "r.csv"]);
    assert!(shown.stdout.contains("order: by id, since no time is known"), "{}", shown.stdout);
    let subject = &place.table("r_subjects.csv")[0];
    assert_eq!((subject["n_taken"].as_str(), subject["answer"].as_str()), ("3", "b"));
}

#[test]
fn the_same_pair_twice() {
    let place = Place::new();
    place.write("labels.csv", labels(&[("1", "a", "x"), ("1", "a", "y"), ("1", "b", "y")]));
    let votes = |repeats: &str| {
        let record = place.record(&[
            "retire",
            "labels.csv",
            "--rule",
            "count:9",
            "--repeats",
            repeats,
            "-o",
            "r.csv",
        ]);
        let subject = &place.table("r_subjects.csv")[0];
        (rule(&record, "count:9")["mean_votes"].as_f64().unwrap(), subject["answer_all"].clone())
    };
    // x and y, a tie; twice y; all three.
    assert_eq!(votes("first"), (2.0, String::new()));
    assert_eq!(votes("last"), (2.0, "y".to_owned()));
    assert_eq!(votes("all"), (3.0, "y".to_owned()));
}

/// Classifications of one subject each hour, as an export: who says what of subject s1 and s2.
fn exported() -> String {
    let mut rows = Vec::new();
    for (id, (user, answer)) in [
        ("ann", "Yes"),
        ("bob", "Yes"),
        ("ann", "Yes"),
        ("not-logged-in-0123456789abcdef0123", "No"),
        ("eve", "Yes"),
        ("joe", "Yes"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = id as u64;
        rows.push(Row::answer(2 * id + 1, user, "s1", answer));
        rows.push(Row::answer(2 * id + 2, user, "s2", if id.is_multiple_of(2) { "Yes" } else { "No" }));
    }
    export(&rows)
}

const WORKFLOWS: &str = "workflow_id,display_name,version,active,classifications_count,pairwise,grouped,prioritized,\
primary_language,first_task,tutorial_subject_id,retired_set_member_subjects_count,tasks,retirement,strings,minor_version\n\
7,Test,1,true,12,false,false,false,en,T0,,0,\"{\"\"T0\"\":{\"\"type\"\":\"\"single\"\",\"\"question\"\":\"\"T0.question\"\",\
\"\"answers\"\":[{\"\"label\"\":\"\"T0.answers.0.label\"\"},{\"\"label\"\":\"\"T0.answers.1.label\"\"}]}}\",\"{}\",\
\"{\"\"T0.question\"\":\"\"What?\"\",\"\"T0.answers.0.label\"\":\"\"No\"\",\"\"T0.answers.1.label\"\":\"\"Yes\"\"}\",1\n";

const CONFIG: &str = r#"{
  "extractors_config": {"t0": {"type": "question", "task_key": "T0"}},
  "reducers_config": {
    "consensus": {"type": "consensus"},
    "stats": {"type": "stats"},
    "count": {"type": "count"}
  },
  "rules_config": [
    {"if": ["gte", ["lookup", "stats.1", 0], ["const", 3]],
     "then": [{"action": "add_subject_to_set", "subject_set_id": 1}]},
    {"if": ["and", ["gte", ["lookup", "count.classifications", 0], ["const", 4]],
                   ["gte", ["lookup", "consensus.agreement", 0], ["const", 0.75]]],
     "then": [{"action": "retire_subject", "reason": "consensus"}]},
    {"if": ["gte", ["lookup", "consensus.num_votes", 0], ["const", 99]],
     "then": [{"action": "retire_subject", "reason": "other"}]}
  ]
}"#;

#[test]
fn a_caesar_configuration_replayed() {
    let place = Place::new();
    place.write("export.csv", exported());
    place.write("workflows.csv", WORKFLOWS);
    place.write("caesar.json", CONFIG);
    let arguments = [
        "retire",
        "export.csv",
        "--caesar",
        "caesar.json",
        "--workflows",
        "workflows.csv",
        "-o",
        "c.csv",
    ];
    let record = place.record(&arguments);
    // s1: ann's second classification is a repeat, so the fourth that counts is the fifth made: Yes,
    // Yes, No, Yes is three of four. s2 is divided and stays.
    assert_eq!(record["summary"]["caesar_retired"], 0.5);
    assert_eq!(record["summary"]["caesar_median_at"], 5.0);
    assert_eq!(record["summary"]["caesar_reasons"]["consensus"], 1);
    let rules = place.table("c_caesar.csv");
    assert_eq!(rules.len(), 3);
    let cell = |rule: usize, column: &str| rules[rule][column].clone();
    assert_eq!(
        (cell(0, "n_fired"), cell(0, "n_first"), cell(0, "n_retired")),
        ("1".into(), "1".into(), "0".into())
    );
    assert_eq!(
        (cell(1, "n_fired"), cell(1, "median_at").parse::<f64>(), cell(1, "n_retired")),
        ("1".into(), Ok(5.0), "1".into())
    );
    assert_eq!((cell(2, "n_fired"), cell(2, "median_at")), ("0".into(), String::new()));
    assert_eq!(cell(0, "effects"), "add_subject_to_set");
    assert_eq!(cell(1, "effects"), "retire_subject (consensus)");
    let table = place.table("c.csv");
    assert_eq!((table.len(), table[0]["rule"].as_str()), (1, "caesar"));
    assert_eq!(table[0]["retired"], "0.5");
    let text = place.volary(&arguments).stdout;
    assert!(
        text.contains("would have retired 50.0 %") && text.contains("at a median of 5 classifications"),
        "{text}"
    );
    assert!(text.contains("consensus.num_votes counts the votes for the likeliest answer"), "{text}");
    // Rules named beside it are studied too.
    let both = place.record(&[&arguments[..], &["--rule", "count:3"]].concat());
    assert_eq!(both["summary"]["rules"].as_array().unwrap().len(), 2);
}

#[test]
fn a_caesar_configuration_that_cannot_be_replayed_is_one_clear_error() {
    let place = Place::new();
    place.write("export.csv", exported());
    place.write("workflows.csv", WORKFLOWS);
    let fails = |config: &str, words: &[&str]| {
        place.write("caesar.json", config);
        let run = place.volary(&[
            "retire",
            "export.csv",
            "--caesar",
            "caesar.json",
            "--workflows",
            "workflows.csv",
            "-o",
            "c.csv",
        ]);
        words.iter().for_each(|w| run.fails_with(w));
    };
    fails(&CONFIG.replace("\"and\"", "\"xor\""), &["rules_config[1].if", "unknown operator \"xor\""]);
    fails(
        &CONFIG.replace("\"question\"", "\"telepathy\""),
        &["extractors_config.t0", "unknown extractor \"telepathy\""],
    );
    fails(
        &CONFIG.replace("\"stats\"}", "\"magic\"}"),
        &["reducers_config.stats", "unknown reducer \"magic\""],
    );
    fails(
        &CONFIG.replace("\"count\"}", "\"external\"}"),
        &["rules_config[1]", "\"count\"", "another server"],
    );
    fails(
        &CONFIG.replace("retire_subject", "add_subject_to_set"),
        &["no rule of the configuration retires"],
    );
    fails("{", &["not JSON", "caesar.json"]);
    fails("", &["caesar.json"]);
    place.write("caesar.json", CONFIG);
    place
        .volary(&["retire", "export.csv", "--caesar", "caesar.json", "-o", "c.csv"])
        .fails_with("by its number, and the export has labels: give the workflow export");
    assert!(!place.files().iter().any(|f| f.starts_with("c.")), "{:?}", place.files());
}

#[test]
fn every_kind_of_question_of_the_demo_and_the_report() {
    let place = Place::new();
    place.record(&["demo", "demo", "--subjects", "60", "--volunteers", "30"]);
    let record = place.record(&[
        "retire",
        "demo/classifications.csv",
        "--truth",
        "demo/truth.csv",
        "--rule",
        "count:5",
        "--rule",
        "swap:0.99",
        "-o",
        "out/rules.parquet",
    ]);
    let rules = record["summary"]["rules"].as_array().unwrap();
    // T0 of 101, four answers of T1, the question of 102.
    assert_eq!(rules.len(), 2 * 6);
    assert!(rules.iter().any(|r| r["about"] == "Merger" && r["task"] == "T1"));
    assert!(place.files().iter().any(|f| f == "out/rules_figure_6.svg"), "{:?}", place.files());
    let page = place.read("demo/report.html");
    assert!(page.contains("<section id=\"retirement\">") && page.contains("figure-retirement_1"));
    assert!(place.files().iter().any(|f| f == "demo/figures/retirement_1.svg"));
    // Only one task.
    let one = place.record(&[
        "retire",
        "demo/classifications.csv",
        "--task",
        "T0",
        "--rule",
        "count:5",
        "-o",
        "out/one.csv",
    ]);
    assert_eq!(one["summary"]["rules"].as_array().unwrap().len(), 1);
}

#[test]
fn the_kswap_demo_with_its_gold() {
    let Some(classifications) = shared("zooniverse/swap/kswap-demo-classifications.csv") else { return };
    let Some(gold) = shared("zooniverse/swap/kswap-demo-gold-labels.csv") else { return };
    let place = Place::new();
    let half: String =
        std::fs::read_to_string(gold).unwrap().lines().take(51).map(|l| format!("{l}\n")).collect();
    place.write("gold.csv", half);
    let record = place.record(&[
        "retire",
        classifications.to_str().unwrap(),
        "--gold",
        "gold.csv",
        "--repeats",
        "all",
        "--rule",
        "swap:0.9",
        "--rule",
        "count:20",
        "-o",
        "r.csv",
    ]);
    let count = rule(&record, "count:20");
    assert_eq!((count["n_subjects"].as_u64(), count["mean_votes"].as_f64()), (Some(50), Some(10.0)));
    assert!(rule(&record, "swap:0.9")["mean_votes"].as_f64().unwrap() < 10.0);
}
