//! `volary practice` and `volary advise` from the outside.

use serde_json::Value;

use crate::support::{Place, Row, export};
use crate::vision::{project, train};

/// A simulated crowd that learns and tires is found to do so; one that does not, is not.
#[test]
fn learning_and_tiring_are_found_in_a_simulated_crowd() {
    let place = Place::new();
    let simulate = |folder: &str, more: &[&str]| {
        let base = "--subjects 1500 --per-subject 12 --volunteers 60 --session-votes 80";
        let line: Vec<&str> = ["simulate", "crowd", "-o", folder]
            .into_iter()
            .chain(base.split_whitespace())
            .chain(more.iter().copied())
            .collect();
        place.record(&line);
        let (labels, truth) = (format!("{folder}/labels.csv"), format!("{folder}/truth.csv"));
        place.record(&["practice", &labels, "--truth", &truth, "--tired-after", "3", "-o", "p.csv"])
    };
    let found = simulate("some", &["--learning", "0.5", "--fatigue", "-0.03"]);
    let of = |record: &Value, what: &str, number: &str| {
        record["summary"][what][number].as_f64().unwrap_or_else(|| panic!("{what}: {record:#}"))
    };
    assert!(of(&found, "learning", "odds_ratio") > 1.0 && of(&found, "learning", "p") < 0.01);
    assert!(of(&found, "tiring", "odds_ratio") < 1.0 && of(&found, "tiring", "p") < 0.01);
    assert!(found["summary"]["feedback"].is_null(), "nobody was told anything");
    let rows = place.table("p.csv");
    assert_eq!(rows.len(), 3 + 6 + 5);
    assert_eq!((rows[0]["what"].as_str(), rows[3]["what"].as_str()), ("learning", "experience"));
    let none = simulate("none", &[]);
    assert!(of(&none, "learning", "p") > 0.001 && of(&none, "tiring", "p") > 0.001, "{none:#}");
    // Without times there is nothing to say.
    place.write("plain.csv", "task,worker,label\ns1,a,yes\n");
    place.write("truth.csv", "subject_id,answer\ns1,yes\n");
    place
        .volary(&["practice", "plain.csv", "--truth", "truth.csv", "-o", "x.csv"])
        .fails_with("no vote has both a time and a known truth");
}

#[test]
fn a_model_is_trained_again_for_a_reason() {
    let place = Place::new();
    project(&place, 24);
    place.record(&train("model", &["--epochs", "1", "--held-out", "0.3"]));
    let ask = |more: &[&str]| {
        let today = ["advise", "model", "--trained", "2026-05-01"];
        let record = place.record(&[&today[..], more].concat());
        let reasons = record["summary"]["reasons"].as_array().unwrap().clone();
        reasons.iter().map(|r| r["reason"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(ask(&["--today", "2026-06-01"]).is_empty());
    // Old, and nothing new.
    assert!(ask(&["--today", "2027-06-01"]).is_empty());
    let mut votes = place.read("votes.csv");
    votes.push_str("new1,T0,square,20,3\nnew2,T0,square,20,3\nnew3,T0,square,20,3\n");
    place.write("more.csv", votes);
    assert_eq!(ask(&["--today", "2026-06-01", "--labels", "more.csv"]), ["growth"]);
    assert_eq!(ask(&["--today", "2026-11-01", "--labels", "more.csv"]), ["growth", "age"]);
    let missed = ["--missed-then", "10/1000", "--missed-now", "60/1000", "--today", "2026-06-01"];
    assert_eq!(ask(&missed), ["loss"]);
    let scores = |name: &str, shift: f64| {
        let rows: String = (0..400)
            .map(|i| format!("s{i},{}\n", (f64::from(i * 37 % 400) / 400.0).powf(shift)))
            .collect();
        place.write(name, format!("subject_id,score\n{rows}"));
    };
    scores("then.csv", 1.0);
    scores("same.csv", 1.0);
    scores("other.csv", 3.0);
    let drift = |windows: [&str; 3]| {
        let mut line = vec!["--today", "2026-06-01", "--reference", "then.csv"];
        windows.iter().for_each(|w| line.extend(["--window", w]));
        ask(&line)
    };
    assert_eq!(drift(["other.csv"; 3]), ["drift"]);
    assert!(drift(["other.csv", "same.csv", "other.csv"]).is_empty());
    // Somebody who gave a fifth of the votes opts out.
    let rows: Vec<Row> = (0..20)
        .map(|i| Row::answer(i + 1, &format!("Zaphod{}", i % 5), &format!("s{i}"), "yes"))
        .collect();
    place.write("export.csv", export(&rows));
    place.record(&["extract", "export.csv", "-o", "extracts", "--to", "csv"]);
    place.record(&["optout", "add", "--user", "Zaphod3", "--at", "2026-05-10"]);
    let out = ["--today", "2026-06-01", "--votes", "extracts/votes.csv", "--optouts", "optouts.toml"];
    assert_eq!(ask(&out), ["opt-out"]);
    place.volary(&["advise", "nothing"]).fails_with("no model");
    place
        .volary(&["advise", "model", "--missed-then", "9/3", "--missed-now", "1/3"])
        .fails_with("is not so many of so many");
    place
        .volary(&["advise", "model", "--missed-then", "0/0", "--missed-now", "0/0"])
        .fails_with("is not so many of so many");
    place.volary(&["advise", "model", "--today", "1999-01-01"]).fails_with("was trained after --today");
    // What was not given was not looked at, and is not said to be as it was.
    let bare = place.record(&["advise", "model", "--trained", "2026-05-01", "--today", "2026-06-01"]);
    assert_eq!(bare["summary"]["not_looked_at"].as_array().unwrap().len(), 4);
    assert!(bare["summary"]["n_labels_now"].is_null(), "{bare}");
}

#[test]
fn labels_that_are_not_those_of_the_model_are_no_reason_to_leave_it() {
    let place = Place::new();
    project(&place, 24);
    place.record(&train("model", &["--epochs", "1", "--held-out", "0.3"]));
    let line = ["advise", "model", "--today", "2127-01-01", "--labels"];
    let ask = |more: &[&str]| place.volary(&[&line[..], more].concat());
    ask(&["votes.csv", "--task", "T7"]).fails_with("it has no task T7; give --task one that it has: T0");
    assert_eq!(ask(&["votes.csv", "--task", "T0", "--strict"]).code, 0);
    // Cut in the middle of a row, as a download is.
    let votes = place.read("votes.csv");
    let third: Vec<&str> = votes.lines().take(24).collect();
    place.write("cut.csv", format!("{}\ns8,T0,squ", third.join("\n")));
    let run = ask(&["cut.csv"]);
    run.is_done();
    assert!(run.stdout.contains("fewer than half of the 24"), "{}", run.stdout);
    assert!(!run.stdout.contains("no reason to train again"), "{}", run.stdout);
    assert_eq!(ask(&["cut.csv", "--strict"]).code, 3);
    let record = place.record(&[&line[..], &["cut.csv"]].concat());
    assert_eq!(record["summary"]["has_few_labels"], true);
    assert_eq!(record["problems"]["wrong number of fields"], 1);
    assert_eq!(record["problem_examples"][0]["row"], 24, "{record:#}");
}

#[test]
fn a_model_is_as_old_as_its_training_and_not_as_its_copy() {
    let place = Place::new();
    project(&place, 24);
    place.record(&train("model", &["--epochs", "1", "--held-out", "0.3"]));
    let age = |more: &[&str]| {
        let line = ["advise", "model", "--today", "2026-01-31"];
        let summary = place.record(&[&line[..], more].concat())["summary"].clone();
        (summary["days"].as_u64(), summary["trained_by"].as_str().map(str::to_owned))
    };
    let mut costs: Value = serde_json::from_str(&place.read("model/cost.json")).unwrap();
    let ended_at = costs["runs"][0]["ended_at"].as_str().unwrap();
    let today = place.record(&["advise", "model"]);
    assert_eq!(today["summary"]["days"], 0, "{ended_at}");
    // The file is of today, the record is of then.
    costs["runs"][0]["ended_at"] = "2026-01-01T12:00:00Z".into();
    place.write("model/cost.json", costs.to_string());
    assert_eq!(age(&[]), (Some(29), Some("record".to_owned())));
    assert_eq!(age(&["--trained", "2026-01-29"]), (Some(2), Some("option".to_owned())));
    costs["runs"][0]["ended_at"] = "yesterday".into();
    place.write("model/cost.json", costs.to_string());
    place.volary(&["advise", "model"]).fails_with("\"yesterday\" is no time; give --trained");
    // A model of before records said it.
    costs["runs"][0].as_object_mut().unwrap().remove("ended_at");
    place.write("model/cost.json", costs.to_string());
    let run = place.volary(&["advise", "model"]);
    assert!(run.stdout.contains("by the time of its weights' file"), "{}", run.stdout);
    assert!(run.stdout.contains("a copy of its folder looks new; give --trained"), "{}", run.stdout);
}
