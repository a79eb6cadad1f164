//! The live commands: ingest, alerts, rebuild, credit.

use serde_json::{Value, json};

use crate::support::Place;

fn vote(id: u64, subject: &str, user: u64, answer: u64) -> Value {
    json!({
        "id": id, "workflow_id": 10, "workflow_version": "3.7", "subject_id": subject, "user_id": user,
        "created_at": format!("2026-11-28T20:00:{:02}Z", id % 60),
        "annotations": [{"task": "T0", "value": answer}],
    })
}

fn lines(values: &[Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}

/// Fourteen on one subject, one of them against.
fn votes() -> Vec<Value> {
    (0..14).map(|n| vote(n, "s1", n, u64::from(n == 3))).collect()
}

fn place_with_an_alert() -> Place {
    let place = Place::new();
    place.write("events.ndjson", lines(&votes()));
    let record = place.record(&["ingest", "events.ndjson", "--answer", "0", "--project", "ks"]);
    let summary = &record["summary"];
    assert_eq!(
        (&summary["n_new"], &summary["n_alerts"], &summary["n_retired"]),
        (&json!(14), &json!(1), &json!(1))
    );
    place
}

#[test]
fn a_file_may_be_read_again_and_conflicts_are_counted() {
    let place = place_with_an_alert();
    let again = place.record(&["ingest", "events.ndjson", "--answer", "0", "--project", "ks"]);
    assert_eq!((&again["summary"]["n_new"], &again["summary"]["n_repeated"]), (&json!(0), &json!(14)));
    place.write("other.ndjson", lines(&[vote(0, "s1", 0, 1), json!({"id": 99})]));
    let other = place.record(&["ingest", "other.ndjson", "--answer", "0", "--project", "ks"]);
    assert_eq!(other["summary"]["n_conflicts"], json!(1));
    assert_eq!(other["problems"]["empty cell"], json!(1));
}

#[test]
fn one_pretty_value_is_read_as_a_whole() {
    let place = Place::new();
    place.write(
        "page.json",
        format!("{:#}", json!({"classifications": [vote(1, "s", 1, 0), vote(2, "s", 2, 0)]})),
    );
    assert_eq!(place.record(&["ingest", "page.json"])["summary"]["n_new"], json!(2));
}

#[test]
fn alerts_are_listed_without_volunteers_and_rebuilt_to_the_byte() {
    let place = place_with_an_alert();
    let record = place.record(&["alerts", "-o", "alerts.json"]);
    let alert = &record["summary"]["alerts"][0];
    assert_eq!(
        (&alert["n_votes"], &alert["n_positive"], &alert["subject_id"]),
        (&json!(9), &json!(8), &json!("s1"))
    );
    assert!(!place.read("alerts.json").contains("user"));
    let rebuilt = place.record(&["rebuild"]);
    assert_eq!(rebuilt["summary"]["is_same"], json!(true));
}

fn facts() -> String {
    let mut events = vec![json!({
        "source": "team", "id": "subject-1", "at_ms": 1, "kind": "subject", "subject": "s1",
        "facts": {
            "ra_deg": "150.25", "dec_deg": "-2.5", "discovery_time": "2026-11-28 01:02:03", "magnitude": "19.2",
            "filter": "L", "instrument": "GOTO", "internal_name": "GOTO26abc", "archival_remarks": "DSS",
        },
    })];
    events.extend((0..14).map(|user| {
        json!({
            "source": "team", "id": format!("name-{user}"), "at_ms": 1, "kind": "name", "user": user.to_string(),
            "credited": format!("Volunteer, {user}"),
        })
    }));
    lines(&events)
}

fn today() -> String {
    jiff::Timestamp::now().to_string()[..10].to_owned()
}

#[test]
fn five_are_drawn_by_the_committed_key_and_the_report_is_a_file() {
    let place = Place::new();
    // The key of the day comes first, before there is a store.
    place.record(&["credit", "--new-key", "key.txt", "--day", &today()]);
    place.write("facts.ndjson", facts());
    place.record(&["ingest", "facts.ndjson"]);
    place.write("events.ndjson", lines(&votes()));
    place.record(&["ingest", "events.ndjson", "--answer", "0", "--project", "ks"]);
    let draw = ["credit", "--alert", "1", "--key", "key.txt", "-o", "report.json"];
    let record = place.record(&draw);
    assert_eq!(
        (&record["summary"]["n_named"], &record["summary"]["came_first"]),
        (&json!(5), &json!(true))
    );
    let report: Value = serde_json::from_str(&place.read("report.json")).expect("JSON");
    let reporter = report["at_report"]["0"]["reporter"].as_str().expect("text");
    assert_eq!(reporter.matches("Volunteer ").count(), 5, "{reporter}");
    assert!(reporter.ends_with("(ks volunteers)"), "{reporter}");
    place.record(&draw);
    assert_eq!(serde_json::from_str::<Value>(&place.read("report.json")).expect("JSON"), report);
    let names = place.record(&["credit", "--participants", "people.html"]);
    assert_eq!(names["summary"]["n_names"], json!(14));
    assert!(place.read("people.html").starts_with("<li><bdi>Volunteer, 0</bdi></li>"));
}

#[test]
fn a_key_that_came_after_the_alert_proves_nothing() {
    let place = place_with_an_alert();
    place.record(&["credit", "--new-key", "key.txt", "--day", &today()]);
    place.volary(&["credit", "--alert", "1", "--key", "key.txt"]).fails_with("came after the alert");
    place
        .volary(&["credit", "--new-key", "other.txt", "--day", &today()])
        .fails_with("committed already");
    place.volary(&["credit", "--alert", "7", "--key", "key.txt"]).fails_with("no alert 7");
}

#[test]
fn what_cannot_be_done_is_one_clear_error() {
    let place = Place::new();
    place.volary(&["alerts"]).fails_with("no store is there");
    place.volary(&["rebuild", "--store", "typo.db"]).fails_with("no store is there");
    place.volary(&["ingest", "missing.ndjson"]).fails_with("missing.ndjson");
    place.write("bad.toml", "[live]\nretire_at = 0\n");
    place.write("events.ndjson", lines(&[vote(1, "s", 1, 0)]));
    place.volary(&["--config", "bad.toml", "ingest", "events.ndjson"]).fails_with("retire_at");
    let place = place_with_an_alert();
    place.volary(&["credit"]).fails_with("nothing to do");
    place.volary(&["credit", "--new-key", "k", "--day", "today"]).fails_with("2026-11-28");
    place.volary(&["credit", "--participants", "people.docx"]).fails_with(".txt");
}

#[test]
fn rules_are_tried_on_what_happened() {
    let place = place_with_an_alert();
    place.write(
        "stricter.toml",
        r#"
        [live]
        retire_at = 20
        [[live.rule]]
        name = "alert"
        when = 'votes("0") >= 10 && agreement("0") >= 0.9'
        [[live.rule]]
        name = "clear"
        when = 'votes("0") >= 12'
        then = "retire"
        reason = "consensus"
        "#,
    );
    let record = place.record(&["--config", "stricter.toml", "rules", "test", "-o", "differences.json"]);
    let summary = &record["summary"];
    assert_eq!((&summary["n_alerts_won"], &summary["n_alerts_lost"]), (&json!(0), &json!(0)));
    // The fourth vote is against: ten of eleven are 0.909. Twelve positive votes come with the thirteenth.
    let differences: Value = serde_json::from_str(&place.read("differences.json")).unwrap();
    let marks: Vec<_> = differences
        .as_array()
        .unwrap()
        .iter()
        .map(|d| (d["what"].as_str().unwrap(), d["before"]["n"].as_u64(), d["after"]["n"].as_u64()))
        .collect();
    assert_eq!(marks, [("alert alert", Some(9), Some(11)), ("retired", Some(14), Some(13))]);
    assert_eq!(place.record(&["rebuild"])["summary"]["is_same"], json!(true), "the store is untouched");

    place.write(
        "odd.toml",
        "[live]\nretire_at = 14\n[[live.rule]]\nname = \"a\"\nwhen = 'votes(real) > 1'\n",
    );
    // It shows the line and says where in it.
    let odd = place.volary(&["--config", "odd.toml", "rules", "test"]);
    assert!(odd.code == 1 && odd.stderr.contains("line 5") && odd.stderr.contains("at character 7"));
    place.volary(&["rules", "test"]).fails_with("write them under [live]");
}

#[test]
fn two_sets_of_rules_meet_the_same_crowd() {
    let place = Place::new();
    place.write(
        "strict.toml",
        "[live]\nretire_at = 20\n[[live.rule]]\nname = \"alert\"\nwhen = 'votes(\"real\") >= 12'\n",
    );
    let arguments = ["simulate", "campaign", "--hours", "24", "--against", "strict.toml"];
    let record = place.record(&arguments);
    let summary = &record["summary"];
    let figure = |of: &str, name: &str| summary[of][name]["value"].as_f64().unwrap();
    assert_eq!(summary["first"]["n_subjects"], summary["second"]["n_subjects"]);
    // Twelve votes come later than eight, and twenty are more than fourteen; by the same crowd surely so.
    assert!(figure("second", "votes_at_alert") >= 12.0 && figure("first", "votes_at_alert") < 11.0);
    assert!(summary["difference"]["hours_to_alert"]["low"].as_f64().unwrap() > 0.0);
    let more = &summary["difference"]["votes_per_subject"];
    assert!((more["value"].as_f64().unwrap() - 6.0).abs() < 1.0, "{more}");
    assert_eq!(place.record(&arguments)["summary"], *summary, "the same seed, the same campaign");
}

#[test]
fn subjects_and_draws_come_as_tables_and_the_truth_stays_inside() {
    let place = Place::new();
    place.write(
        "manifest.csv",
        "subject_id,!ra_deg,score,truth,//note\ns1,12.5,0.9,,hidden\nknown,1,0.2,1,hidden\n,1,1,,\n",
    );
    place.write(
        "tonight.csv",
        "subject_id,stream,frame,probability,seed,model\ns1,debiased,f1,0.25,7,m\ns2,debiased,f1,7,7,m\n",
    );
    let arguments = ["ingest", "--subjects", "manifest.csv", "--drawn", "tonight.csv"];
    let record = place.record(&arguments);
    assert_eq!(record["summary"]["n_new"], json!(3), "{record}");
    assert_eq!(record["problems"], json!({"empty cell": 1, "odd value": 1}));
    assert_eq!(
        place.record(&arguments)["summary"]["n_repeated"],
        json!(3),
        "the same file, nothing new"
    );
    // A validation subject never alerts, however many say so.
    let votes: Vec<Value> = (0..14).map(|n| vote(n, "known", n, 1)).collect();
    place.write("votes.ndjson", lines(&votes));
    let record = place.record(&["ingest", "votes.ndjson", "--answer", "1"]);
    assert_eq!(
        (&record["summary"]["n_retired"], &record["summary"]["n_alerts"]),
        (&json!(1), &json!(0))
    );
}

#[test]
fn the_demo_shows_a_night_live() {
    let place = Place::new();
    let arguments = [
        "demo",
        "night",
        "--subjects",
        "40",
        "--volunteers",
        "30",
        "--serve",
        "--address",
        "127.0.0.1:0",
        "--votes",
        "1200",
    ];
    let record = place.record(&arguments);
    let summary = &record["summary"];
    let count = |name: &str| summary[name].as_u64().unwrap();
    assert_eq!(count("n_live_votes"), 1_200);
    // Good volunteers, a quarter real: alerts come, and most are right.
    assert!(count("n_live_alerts") >= 5, "{summary}");
    assert!(count("n_live_false") * 4 <= count("n_live_alerts"), "{summary}");
    let listed = place.record(&["alerts", "--store", "night/live.db"]);
    assert_eq!(listed["summary"]["n_alerts"], summary["n_live_alerts"]);
    let rebuilt = place.record(&["rebuild", "--store", "night/live.db"]);
    assert_eq!(rebuilt["summary"]["is_same"], json!(true));
}

#[test]
fn a_paper_credits_all_who_looked_at_its_subjects() {
    let place = place_with_an_alert();
    let other: Vec<Value> = (0..3).map(|n| vote(100 + n, "s2", 50 + n, 1)).collect();
    let name = |user: u64, login: &str| json!({"source": "team", "id": format!("name/{user}"), "at_ms": 1, "kind": "name", "user": user.to_string(), "login": login});
    let named = [name(50, "Ada & Co_1"), name(51, "=1+1"), name(0, "zoe")];
    place.write("more.ndjson", lines(&[&other[..], &named[..]].concat()));
    place.record(&["ingest", "more.ndjson"]);
    let record = place.record(&["credit", "--participants", "two.tex", "--of", "s2,none"]);
    let summary = &record["summary"];
    assert_eq!(
        (&summary["n_subjects"], &summary["n_with_votes"], &summary["n_names"], &summary["n_withheld"]),
        (&json!(2), &json!(1), &json!(2), &json!(1))
    );
    let text = place.read("two.tex");
    assert!(text.contains("Ada \\& Co\\_1") && !text.contains("zoe"), "{text}");
    place.write("subjects.csv", "subject_id\ns1\ns2\n");
    let both = place.record(&["credit", "--participants", "both.csv", "--of", "subjects.csv"]);
    assert_eq!(both["summary"]["n_names"], json!(3));
    assert_ne!(both["summary"]["votes"], summary["votes"]);
}

#[test]
fn m1_to_m9_a_manifest_gives_its_good_rows_and_lists_the_others() {
    let place = Place::new();
    std::fs::create_dir(place.path("images")).unwrap();
    for name in ["fine.png", "twin.png"] {
        std::fs::write(place.path("images").join(name), b"\x89PNG").unwrap();
    }
    std::fs::create_dir(place.path("images/folder.png")).unwrap();
    std::fs::write(place.path("secret.png"), b"\x89PNG").unwrap();
    std::os::unix::fs::symlink("../secret.png", place.path("images/link.png")).unwrap();
    let long = "n".repeat(300);
    let mut bad = vec![
        // M1, M2, M3: images that lead out, are none, or are not there.
        "out,../secret.png,0.5,1,1,".to_owned(),
        format!("absolute,{},0.5,1,1,", place.path("secret.png").display()),
        "drive,C:\\x.png,0.5,1,1,".to_owned(),
        "host,\\\\host\\share\\x.png,0.5,1,1,".to_owned(),
        "dots,a/./../../secret.png,0.5,1,1,".to_owned(),
        "percent,..%2fsecret.png,0.5,1,1,".to_owned(),
        "link,link.png,0.5,1,1,".to_owned(),
        "folder,folder.png,0.5,1,1,".to_owned(),
        "device,CON,0.5,1,1,".to_owned(),
        "dot,fine.png.,0.5,1,1,".to_owned(),
        format!("long,{long},0.5,1,1,"),
        "case,FINE.PNG,0.5,1,1,".to_owned(),
        // M4: the same subject, another image.
        "one,twin.png,0.5,1,1,".to_owned(),
        ",fine.png,0.5,1,1,".to_owned(),
    ];
    // M5, M6.
    for score in ["NaN", "inf", "\"0,7\"", "-0.0", "1.0000001", ""] {
        bad.push(format!("score{score},fine.png,{score},1,1,").replace("score\"0,7\"", "score07"));
    }
    for (ra, dec) in [("-1", "0"), ("1e308", "0"), ("12:34:56", "0"), ("0", "90.0001")] {
        bad.push(format!("place{ra}{dec},fine.png,0.5,{ra},{dec},"));
    }
    let head = "subject_id,image,score,ra_deg,dec_deg,=cmd()\n";
    let good = "one,fine.png,0.5,360,0,<script>\none,fine.png,0.5,360,0,<script>\ntwo,twin.png,0.5,1,1,__proto__\n";
    // M9: the last row is bad, and the good ones are taken all the same.
    place.write("manifest.csv", format!("{head}{good}{}\n", bad.join("\n")));
    let record = place.record(&["ingest", "--subjects", "manifest.csv", "--media", "images"]);
    assert_eq!(record["summary"]["n_new"], 2, "{record}");
    let problems: u64 = record["problems"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(problems as usize, bad.len(), "{}", record["problems"]);
    // The same file again says nothing new.
    let again = place.record(&["ingest", "--subjects", "manifest.csv", "--media", "images"]);
    assert_eq!(again["summary"]["n_new"], 0);
    // M7: more columns than any report needs.
    let names: Vec<String> = (0..10_000).map(|n| format!("c{n}")).collect();
    let cells = vec!["1"; 10_000];
    place.write("wide.csv", format!("subject_id,{}\nw,{}\n", names.join(","), cells.join(",")));
    let wide = place.record(&["ingest", "--subjects", "wide.csv"]);
    assert_eq!(wide["summary"]["n_new"], 0, "{wide}");
}
