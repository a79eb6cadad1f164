//! A volunteer's name has no path out: everything that the binary writes or prints is searched for it.

use std::process::Command;

use serde_json::json;

use crate::support::{Place, Row, VOLARY, export, walk};

const NAMES: [&str; 3] = ["Zaphod_Beeblebrox", "Trillian, McMillan", "\u{30cf}\u{30eb}\u{30ab}"];
const ADDRESS: &str = "deadbeefcafe0123beef";

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut id = 0;
    for subject in 0..12 {
        for name in NAMES {
            id += 1;
            let mut row = Row::new(
                id,
                name,
                &format!("s{subject}"),
                &json!([
                    {"task": "T0", "task_label": "What?", "value": if id % 3 == 0 { "Yes" } else { "No" }},
                    {"task": "T1", "task_label": "Which?", "value": ["Ring", "Bar"]},
                    {"task": "T2", "task_label": "Draw", "value": [{"tool": 0, "frame": 0, "details": [], "x": 1, "y": 2}]},
                ]),
            );
            row.metadata = json!({"session": ADDRESS, "live_project": true}).to_string();
            rows.push(row);
        }
        id += 1;
        let anonymous = format!("not-logged-in-{ADDRESS}");
        rows.push(Row::answer(id, &anonymous, &format!("s{subject}"), "Yes"));
    }
    // Rows that end up in the problem list must not bring a name into it.
    let mut broken = Row::answer(id + 1, NAMES[0], "s1", "Yes");
    broken.annotations = "[".to_owned();
    broken.created = "never".to_owned();
    rows.push(broken);
    rows.push(rows[0].clone());
    rows
}

/// Planet Hunters rows, and the names in them, one to a line.
fn planets() -> (String, String) {
    let mut rows =
        String::from("classification_id,created_at,subject_id,user_name,xMinGlobal,xMaxGlobal\n");
    for (at, subject) in (0..6).enumerate() {
        for (k, name) in NAMES.iter().enumerate() {
            let (id, x) = (10 * at + k, 5.0 + 0.05 * k as f64);
            rows.push_str(&format!(
                "{id},2014-10-20 01:59:42 UTC,p{subject},\"{name}\",{x},{}\n",
                x + 0.5
            ));
        }
    }
    (rows, NAMES.map(|name| format!("\"{name}\"\n")).concat())
}

/// A Talk export whose comments are signed.
fn talk() -> String {
    let comment = |(id, name): (usize, &&str)| {
        json!({
            "comment_id": id, "comment_body": format!("#odd says nobody {id}"), "comment_focus_id": id,
            "comment_focus_type": "Subject", "comment_user_login": name, "comment_user_id": id,
            "comment_created_at": "2024-01-01T00:00:00Z", "board_id": 1, "discussion_id": 1,
        })
    };
    json!(NAMES.iter().enumerate().map(comment).collect::<Vec<_>>()).to_string()
}

#[test]
fn no_name_and_no_address_leaves_by_any_command() {
    let place = Place::new();
    place.write("export.csv", export(&rows()));
    place.write("truth.csv", "subject_id,T0\ns0,Yes\ns1,No\n");
    let (planets, people) = planets();
    place.write("planets.csv", planets);
    place.write("seeds.csv", format!("user_name,weight\n{}", people.replace('\n', ",0.5\n")));
    place.write("order.csv", format!("username\n{people}"));
    place.write("known.csv", "subject_id,xmin,xmax\np0,5,5.5\np1,5,5.5\n");
    place.write("talk.json", talk());
    std::fs::create_dir(place.path("out")).unwrap();
    let commands = [
        "check export.csv",
        "extract export.csv -o out/csv --to csv",
        "extract export.csv -o out/parquet",
        "extract export.csv -o out/json --to json --json",
        "extract export.csv --format panoptes -o out/panoptes",
        "consensus export.csv -o out/consensus.csv",
        "consensus out/csv -o out/again.json --experience log10 --json",
        "gold export.csv -o out/gold.csv --least 1 --task T0 --json",
        "gold verify out/gold.csv",
        "agreement export.csv -o out/agreement.csv --flags --json",
        "retire export.csv -o out/retire.csv --orders 2 --json",
        "flatten export.csv -o out/flat.csv",
        "dedup export.csv -o out/dedup.csv",
        "reduce out/panoptes/question_extractor_extractions.csv -o out/panoptes",
        "consensus export.csv --method dawid-skene --truth truth.csv -o out/skill.csv --json",
        "consensus export.csv --method auto -o out/auto.parquet",
        "shapes export.csv -o out/shapes.csv",
        "marks planets.csv --seeds seeds.csv --volunteer-order order.csv -o out/marks --to csv --keep-iterations",
        "marks build planets.csv -o out/built",
        "marks weigh planets.csv -o out/weighed",
        "marks score planets.csv --no-coupling -o out/scored --model bayes --json",
        "marks evaluate out/marks --truth known.csv -o out/evaluated",
        "marks sweep planets.csv --truth known.csv --tolerances 0.8,1 --cutoffs 1,2 -o out/sweep",
        "talk talk.json -o out/talk --to csv",
        "chosen export.csv --task T0 --answer Yes -o out/chosen.csv --figures out/chosen_figures --json",
        "tags talk.json -o out/tags.csv --figures out/tags_figures --json",
        "init --export export.csv out/project",
        "run out/project",
        "report out/project",
    ];
    for command in commands {
        let output =
            Command::new(VOLARY).args(command.split(' ')).current_dir(place.path(".")).output().unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        no_name_in(&output.stdout, command);
        no_name_in(&output.stderr, command);
    }
    let mut n = 0;
    walk(&place.path("out"), &mut |path| {
        n += 1;
        no_name_in(&std::fs::read(path).unwrap(), &path.display().to_string());
    });
    assert!(n > 20, "files searched: {n}");
}

fn no_name_in(bytes: &[u8], place: &str) {
    for secret in NAMES.iter().chain(&[ADDRESS]) {
        let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
        assert!(!found, "{secret} stands in {place}");
    }
}
