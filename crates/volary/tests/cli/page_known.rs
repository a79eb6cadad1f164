//! What is known of subjects is told to who has answered, and stands in no table before; retirement is a column.

use serde_json::{Value, json};

use crate::serve::{Served, sh};
use crate::support::Place;

/// A demo whose truth lies in its folder in every way in which it can: as truth, as gold, as injected and real signals.
fn demo(place: &Place) {
    place.record(&["demo", "p", "--subjects", "60", "--volunteers", "40"]);
    place.write("p/gold.csv", "subject_id,answer\n90000001,Smooth\n");
    let columns = "subject_id,xmin,xmax,depth";
    place.write("p/injected.csv", format!("{columns}\n91000001,3.25,3.75,0.4\n91000002,8,9,0.1\n"));
    let settings = place.read("p/volary.toml");
    let lines = |section: &str, line: &str| format!("[{section}]\n{line}\n");
    let with = |text: String, section: &str, line: &str| {
        let head = format!("[{section}]\n");
        if text.contains(&head) {
            text.replacen(&head, &lines(section, line), 1)
        } else {
            text + "\n" + &lines(section, line)
        }
    };
    let settings = with(settings, "consensus", "gold = \"gold.csv\"");
    let settings = with(settings, "marks", "signals = \"injected.csv\"");
    place.write("p/volary.toml", settings);
}

#[test]
fn what_is_known_is_no_column_and_is_told_after_the_last_answer() {
    let place = Place::new();
    demo(&place);
    let served = Served::start(&place, &["p"]);
    let key = served.key().to_owned();
    let ask = |path: &str| served.ask(&place, &key, path, "");
    let project = ask("/project");
    let columns: Vec<&str> = project["tables"]
        .as_array()
        .expect("tables")
        .iter()
        .flat_map(|table| table["columns"].as_array().expect("columns"))
        .map(|column| column["name"].as_str().expect("a name"))
        .collect();
    assert!(columns.contains(&"forest") && columns.contains(&"retirement_reason"), "{columns:?}");
    for known in ["xmin", "xmax", "depth", "answer", "simulation", "T0", "T1"] {
        assert!(!columns.contains(&known), "{known} in {columns:?}");
    }
    // The questions are the export's, named as the columns are.
    let trees = ask("/project/questions")["trees"].clone();
    let questions = |at: usize| -> Vec<(String, bool, Value)> {
        let all = trees[at]["questions"].as_array().expect("questions").iter();
        let of = |one: &Value| {
            let name = one["name"].as_str().expect("a name").to_owned();
            (name, one["is_marking"] == true, one["answers"][0]["next"].clone())
        };
        all.map(of).collect()
    };
    let galaxies =
        [("T0", false, json!("w101.T1")), ("w101.T1", false, Value::Null), ("T2", true, Value::Null)];
    assert_eq!(questions(0), galaxies.map(|(name, is, next)| (name.to_owned(), is, next)));
    assert_eq!((trees[0]["first"].as_str(), trees[0]["is_linked"].as_bool()), (Some("T0"), Some(true)));
    assert_eq!(questions(1)[0].0, "w102.T0");
    assert!(columns.contains(&"consensus(w101.T1.Ring)") && columns.contains(&"consensus(T0.Smooth)"));

    // Each subject's questions are those of the workflow in which it was seen.
    let posted = |path: &str, body: Value| {
        let more = format!("-H 'content-type: application/json' -d '{body}'");
        served.ask(&place, &key, path, &more)
    };
    for (table, workflow) in [("subjects", "101"), ("light_curves", "102")] {
        let rows = posted(&format!("/tables/{table}/rows"), json!({ "limit": 1, "columns": [] }));
        assert_eq!(rows["rows"][0]["workflow_id"], *workflow, "{rows}");
    }

    let give = |id: &str, subject: &str, question: &str, value: &str| -> Value {
        let body = json!({ "id": id, "subject_id": subject, "question": question, "value": value });
        let url = format!("{}/api/v1/labels", served.url);
        let said = sh(
            &place,
            &format!(
                "curl -s {url} -H 'Authorization: Bearer {key}' -H 'content-type: application/json' -d '{body}'"
            ),
        );
        serde_json::from_str(&said).expect("JSON")
    };
    let known = |subject: &str| ask(&format!("/project/subjects/{subject}/known"));
    assert_eq!(known("91000001"), json!({ "is_answered": false }));
    assert_eq!(
        known("91000003"),
        json!({ "is_answered": false }),
        "of one without a signal the same is said"
    );
    assert_eq!(give("1", "91000001", "w102.T0", "something")["signals"], Value::Null);
    let told = give("2", "91000001", "w102.T1", "Very")["signals"].clone();
    assert_eq!(told[0], json!({ "from_days": 3.25, "to_days": 3.75, "is_injected": true }));
    assert_eq!(known("91000001")["signals"], told);
    // It is on disk when it is told.
    assert_eq!(place.read("p/labels.jsonl").lines().count(), 2);

    // Retired are those that the command line counts.
    let filter = "retirement_reason is not missing";
    let record = place.record(&[
        "slice",
        "p/consensus/consensus.parquet",
        "--with",
        "p/extracts/subjects.parquet",
        filter,
    ]);
    let found = posted("/tables/subjects/query", json!({ "filter": filter }));
    assert_eq!(found["n_selected"], record["summary"]["n_selected"]);
    assert!(found["n_selected"].as_u64() > Some(0) && found["n_selected"] != found["n_rows"]);
}
