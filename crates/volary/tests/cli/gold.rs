//! `volary gold`: labels that can be made again from their votes, and that forget who opted out.

use serde_json::Value;

use crate::support::{Place, Row, export};

/// Thirty subjects that a dozen people saw; the higher the number, the surer is "Cat".
fn rows(absent: Option<&str>) -> Vec<Row> {
    let people: Vec<String> = ["Zaphod_B", "Trillian"]
        .map(str::to_owned)
        .into_iter()
        .chain((0..10).map(|i| format!("p{i}")))
        .collect();
    let mut all = Vec::new();
    for subject in 0..30_u64 {
        for (i, name) in people.iter().enumerate() {
            let id = subject * 100 + i as u64 + 1;
            let answer = if (i as u64 * 31 + subject * 17) % 30 < subject { "Cat" } else { "Dog" };
            // Only one person ever says this, and only on one subject.
            let answer = if name == "Zaphod_B" && subject == 3 { "=42" } else { answer };
            if absent != Some(name.as_str()) {
                all.push(Row::answer(id, name, &format!("{}", 1000 + subject), answer));
            }
        }
    }
    // Somebody who saw one subject twice; the first counts.
    all.push(Row::answer(90_000, "Trillian", "1003", "Dog"));
    all
}

const TABLES: [&str; 4] = ["", "_soft", "_votes", "_gold"];

fn all(place: &Place, name: &str, ending: &str) -> Vec<Vec<u8>> {
    let file = |part: &str| {
        let ending = if part == "_gold" { "json" } else { ending };
        std::fs::read(place.path(&format!("{name}{part}.{ending}"))).unwrap()
    };
    TABLES.map(file).into()
}

#[test]
fn labels_are_made_again_from_their_votes_and_mistakes_are_found() {
    let place = Place::new();
    place.write("export.csv", export(&rows(None)));
    for (name, more) in [
        ("gold.csv", &[][..]),
        ("model.parquet", &["--method", "dawid-skene", "--most", "11"][..]),
        ("few.csv", &["--most", "10", "--level", "0.9", "--interval", "wilson", "--seed", "5"][..]),
    ] {
        let line = ["gold", "export.csv", "--task", "T0", "-o", name];
        let record = place.record(&[&line[..], more].concat());
        assert_eq!(record["summary"]["n_subjects"], 30, "{name}");
        let hard = record["summary"]["n_hard"].as_u64().unwrap();
        assert!((5..25).contains(&hard), "{name}: {hard}");
        place.record(&["gold", "verify", name]);
    }
    let gold = place.table("gold.csv");
    let soft = place.table("gold_soft.csv");
    assert_eq!((gold.len(), soft.len()), (30, 90), "three answers, of which one was given once");
    for row in &soft {
        let number = |name: &str| row[name].parse::<f64>().unwrap();
        assert!(number("probability_low") <= number("probability_high"));
        if row["is_true"] == "true" {
            assert!(number("n_votes") >= 0.8 * 12.0 && number("probability_low") > 0.5, "{row:?}");
        }
    }
    // A label is changed by hand; a vote is.
    let text = place.read("gold.csv");
    let changed = text.replacen(",Cat,", ",Dog,", 1);
    assert_ne!(changed, text);
    place.write("gold.csv", changed);
    let run = place.volary(&["gold", "verify", "gold.csv"]);
    assert_eq!(run.code, 1);
    assert!(run.stdout.contains("not the labels that the votes give"), "{}", run.stdout);
    place.write("gold.csv", text);
    place.record(&["gold", "verify", "gold.csv"]);
    let votes = place.read("gold_votes.csv");
    place.write("gold_votes.csv", votes.replacen("Dog", "Cat", 1));
    place.volary(&["gold", "verify", "gold.csv"]).fails_with("not those that the labels were made of");
    place.volary(&["gold", "verify", "none.csv"]).fails_with("no record of how the labels were made");
}

/// An export is called classifications.csv as a table of extracts is; it is none, wherever the votes lie.
#[test]
fn votes_are_read_beside_the_export_that_they_are_of() {
    let place = Place::new();
    place.write("classifications.csv", export(&rows(None)));
    place.record(&["gold", "classifications.csv", "-o", "gold.csv"]);
    place.record(&["gold", "classifications.csv", "-o", "away/gold.csv"]);
    place.record(&["consensus", "away/gold_votes.csv", "-o", "away/c.csv"]);
    let expected = place.read("away/c.csv");
    place.write("labels.csv", place.read("gold_votes.csv"));
    for input in ["gold_votes.csv", "labels.csv"] {
        place.record(&["consensus", input, "-o", "c.csv"]);
        assert_eq!(place.read("c.csv"), expected, "{input}");
    }
    // Beside extracts, whose classifications have other numbers: nobody is counted twice.
    place.record(&["extract", "classifications.csv", "-o", "extracts", "--to", "csv"]);
    place.record(&["gold", "classifications.csv", "-o", "extracts/gold.csv"]);
    place.record(&["consensus", "extracts/gold_votes.csv", "-o", "c.csv"]);
    assert_eq!(place.read("c.csv"), expected);
}

#[test]
fn whoever_opted_out_has_never_been_there() {
    let place = Place::new();
    place.write("export.csv", export(&rows(None)));
    place.write("never.csv", export(&rows(Some("Zaphod_B"))));
    place.record(&["optout", "add", "--user", "Zaphod_B", "--at", "2026-11-01"]);
    place.record(&["extract", "export.csv", "-o", "extracts", "--to", "csv"]);
    place.record(&["gold", "never.csv", "-o", "never/gold.csv"]);
    let expected = all(&place, "never/gold", "csv");
    for (input, folder) in [("export.csv", "one"), ("extracts", "two"), ("extracts/votes.csv", "three")]
    {
        let output = format!("{folder}/gold.csv");
        let record = place.record(&["gold", input, "--optouts", "optouts.toml", "-o", &output]);
        assert_eq!(record["summary"]["n_votes_opted_out"], 30, "{input}");
        assert!(all(&place, &format!("{folder}/gold"), "csv") == expected, "{input}");
    }
    // The same of the consensus to train on, and of extracts; and by way of the settings.
    place.write("volary.toml", "[rows]\noptouts = \"optouts.toml\"\n");
    for (command, output) in [("consensus", "c.csv"), ("extract", "x")] {
        let made = |input: &str, place_of: &str, more: &[&str]| {
            let output = format!("{place_of}/{output}");
            place.record(&[&[command, input, "-o", &output, "--seed", "3"][..], more].concat());
        };
        made("never.csv", "right", if command == "extract" { &["--to", "csv"] } else { &[] });
        let more = ["--config", "volary.toml", "--to", "csv"];
        made("export.csv", "given", if command == "extract" { &more } else { &more[..2] });
    }
    for file in ["c.csv", "c_volunteers.csv", "c_subjects.csv", "x/votes.csv", "x/subjects.csv"] {
        assert_eq!(place.read(&format!("given/{file}")), place.read(&format!("right/{file}")), "{file}");
    }
    // The list's checksum would let others guess at who is on it.
    assert!(!place.read("given/c.run.json").contains("\"optouts.toml\",\n      \"bytes\""));
    place.record(&["dedup", "export.csv", "--optouts", "optouts.toml", "-o", "once.csv"]);
    place.record(&["dedup", "never.csv", "-o", "right.csv"]);
    assert_eq!(place.read("once.csv"), place.read("right.csv"));
    place.write("labels.csv", "task,worker,label\na,Zaphod_B,x\na,Ford,y\n");
    let record = place.record(&["consensus", "labels.csv", "--optouts", "optouts.toml", "-o", "l.csv"]);
    assert_eq!(record["summary"]["left_out"]["opted out"], 1);
}

#[test]
fn gold_among_other_labels_and_where_it_is_used() {
    let place = Place::new();
    place.write("export.csv", export(&rows(None)));
    place.record(&["gold", "export.csv", "-o", "gold.csv"]);
    let mut planets = "subject_id,answer\n1000,Cat\n1029,Cat\n".to_owned();
    (0..400).for_each(|i| planets.push_str(&format!("p{i},Dog\n")));
    place.write("planets.csv", planets);
    let line =
        ["gold", "mix", "gold.csv", "--with", "planets=planets.csv", "-o", "training.csv", "--share"];
    let record = place.record(&[&line[..], &["0.1"]].concat());
    let summary = &record["summary"];
    assert_eq!(summary["sources"]["gold"]["n_chosen"], 30);
    assert_eq!(summary["sources"]["planets"]["n_chosen"], 270);
    assert_eq!(summary["shares"]["count"], 0.1);
    assert_eq!(summary["n_conflicts"], 1, "1000 is a dog to the crowd");
    let table = place.table("training.csv");
    let gold = table.iter().filter(|r| r["source"] == "gold" && r["subject_id"] == "1000");
    assert_eq!(gold.map(|r| r["n_votes"].parse::<u32>().unwrap()).sum::<u32>(), 12);
    // Too few others: gold weighs less.
    let record = place.record(&[&line[..], &["0.01"]].concat());
    let weight = record["summary"]["sources"]["gold"]["weight"].as_f64().unwrap();
    assert!(weight < 1.0);
    assert!((record["summary"]["shares"]["weight"].as_f64().unwrap() - 0.01).abs() < 1e-12);
    place.volary(&[&line[..], &["1"]].concat()).fails_with("a share between 0 and 1");
    let mut odd = line;
    odd[4] = "gold=planets.csv";
    place.volary(&[&odd[..], &["0.1"]].concat()).fails_with("another name than gold");
    // One source counts once.
    place.write("other.csv", "subject_id,answer\nz1,Dog\n");
    for again in ["planets=planets.csv", "planets=other.csv", "others=./planets.csv"] {
        let more = ["0.1", "--with", again];
        place.volary(&[&line[..], &more].concat()).fails_with("is given twice");
    }
    place.record(&[&line[..], &["0.1", "--with", "others=other.csv"]].concat());
    // What somebody gave in another source goes where they opted out, whether the table has names or keys.
    place.write("named.csv", "subject_id,answer,user_name\nq1,Dog,Ford_P\nq2,Dog,p1\nq3,Dog,p1\n");
    place.record(&["optout", "add", "--user", "Ford_P"]);
    let named = ["--with", "named=named.csv", "--share", "0.1", "--optouts", "optouts.toml"];
    let record = place.record(&[&line[..line.len() - 1], &named].concat());
    assert_eq!(record["summary"]["sources"]["named"]["n"], 2, "{record:#}");
    assert_eq!(record["summary"]["n_votes_opted_out"], 1);
    assert!(record["summary"]["optout_list"].is_string());
    place.record(&["optout", "back", "--user", "Ford_P"]);
    // Hard labels hold a model fixed, judge a consensus, and leave in a package.
    place.record(&[
        "consensus",
        "export.csv",
        "--method",
        "dawid-skene",
        "--gold",
        "gold.csv",
        "-o",
        "taught.csv",
    ]);
    let record = place.record(&["consensus", "export.csv", "--truth", "gold.csv", "-o", "judged.csv"]);
    assert!(
        record["summary"].to_string().contains("accuracy")
            || place.path("judged_evaluation.csv").exists()
    );
}

#[test]
fn what_is_no_gold() {
    let place = Place::new();
    place.write("export.csv", export(&rows(None)));
    let fails = |more: &[&str], words: &str| {
        place.volary(&[&["gold", "export.csv", "-o", "g.csv"][..], more].concat()).fails_with(words);
    };
    fails(&["--task", "T9"], "no question with answers is meant");
    fails(&["--most", "5"], "--most is smaller than --least");
    fails(&["--agreement", "0.5"], "the agreement of a hard label");
    fails(&["--method", "auto"], "stated beforehand");
    fails(&["--method", "mine"], "there are fraction");
    fails(&["--repeats", "none"], "there are first, last, all");
    fails(&["--optouts", "none.toml"], "reading failed");
    assert_eq!(place.volary(&["gold"]).code, 2);
    let record = place.record(&["gold", "export.csv", "-o", "g.csv", "--least", "100"]);
    assert_eq!(record["summary"]["n_subjects"], 0);
    place.record(&["gold", "verify", "g.csv"]);
    let manifest: Value = serde_json::from_str(&place.read("g_gold.json")).unwrap();
    place.write("g_gold.json", manifest.to_string().replace("\"volary gold\"", "\"other\""));
    place.volary(&["gold", "verify", "g.csv"]).fails_with("not a record of a gold standard");
}
