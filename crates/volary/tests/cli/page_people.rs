//! The page of a project with people: its numbers are the command line's, opt-outs are a count, names are nowhere.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::serve::{Served, sh};
use crate::support::{Place, read_csv, walk};

/// By workflow, task and subject: the outcome and the answer.
type Answers = BTreeMap<(String, String, String), (String, String)>;

fn answers(place: &Place, name: &str) -> Answers {
    let rows = place.table(name);
    let of = |row: &BTreeMap<String, String>| {
        let get = |column: &str| row.get(column).cloned().unwrap_or_default();
        ((get("workflow_id"), get("task"), get("subject_id")), (get("outcome"), get("answer")))
    };
    rows.iter().map(of).collect()
}

#[test]
fn the_numbers_about_people_are_the_command_lines_and_nobody_is_named() {
    let place = Place::new();
    place.record(&["demo", "p", "--subjects", "90", "--volunteers", "60"]);
    let names: BTreeSet<String> = read_csv(&place.path("p/classifications.csv"))
        .into_iter()
        .filter_map(|row| row.get("user_name").cloned())
        .filter(|name| !name.starts_with("not-logged-in"))
        .collect();
    assert!(names.len() > 20, "{}", names.len());
    let out: Vec<&String> = names.iter().take(2).collect();
    for name in &out {
        place.record(&["optout", "add", "--user", name, "--list", "p/optouts.toml"]);
    }
    let served = Served::start(&place, &["p"]);
    let of = |words: &str| {
        let found = served.greeting.split(words).nth(1).and_then(|rest| rest.split('\n').next());
        found.expect("is said").to_owned()
    };
    let (key, admin) = (of("#key="), of("this once: "));
    let asked = |path: &str, token: &str| {
        let url = format!("'{}/api/v1{path}'", served.url);
        sh(&place, &format!("curl -s {url} -H 'Authorization: Bearer {token}'"))
    };
    let ask = |path: &str| -> Value { serde_json::from_str(&asked(path, &key)).expect("JSON") };

    // What if: the two consensuses of the command line, held against each other.
    let config = ["--config", "p/volary.toml"];
    let record = |arguments: &[&str]| place.record(&[arguments, &config].concat());
    record(&["consensus", "p/extracts", "-o", "equal.csv"]);
    let equal = answers(&place, "equal_subjects.csv");
    for method in ["dawid-skene", "wawa"] {
        record(&["consensus", "p/extracts", "--method", method, "-o", "skill.csv"]);
        let skill = answers(&place, "skill_subjects.csv");
        let said = ask(&format!("/volunteers/what_if?method={method}"));
        for question in said["questions"].as_array().expect("questions") {
            let task = question["task"].as_str().expect("a task");
            let workflow = question["workflow_id"].as_str().expect("a workflow");
            let of_task = || equal.iter().filter(|((w, t, _), _)| w == workflow && t == task);
            let changed: BTreeSet<&str> = of_task()
                .filter(|(key, answer)| skill[*key] != **answer)
                .map(|((_, _, subject), _)| subject.as_str())
                .collect();
            let listed = question["changed"].as_array().expect("a list").iter();
            let listed: BTreeSet<&str> =
                listed.map(|one| one["subject_id"].as_str().expect("an id")).collect();
            assert_eq!(listed, changed, "{method} {task}");
            assert_eq!(question["n_subjects"].as_u64(), Some(of_task().count() as u64));
        }
    }

    // A rule's vote is that of `volary retire`.
    record(&[
        "retire",
        "p/extracts",
        "--rule",
        "agree:5:0.8",
        "--rule",
        "swap:0.95",
        "-o",
        "retired.csv",
    ]);
    let mut n = 0;
    for row in place
        .table("retired_subjects.csv")
        .iter()
        .filter(|row| row["task"] == "T0" && row["workflow_id"] == "101")
        .take(60)
    {
        let said = ask(&format!("/project/subjects/{}/votes?rule={}", row["subject_id"], row["rule"]));
        let question =
            said["questions"].as_array().expect("questions").iter().find(|q| q["task"] == "T0");
        let ends = &question.expect("T0")["rules"][0];
        let at = (row["ended_by"] == "rule").then(|| row["n_taken"].parse::<u64>().expect("a number"));
        assert_eq!(ends["at"].as_u64(), at, "{row:?} {ends}");
        n += usize::from(at.is_some());
    }
    assert!(n > 5, "{n}");

    // Opt-outs are a count; those people are in no row.
    assert_eq!(ask("/volunteers/summary")["n_opted_out"], 2);
    assert_eq!(ask("/project/data_use")["n_opted_out"], 2);
    let rows: Value = serde_json::from_str(&asked("/volunteers?page_size=1000", &admin)).expect("JSON");
    assert_eq!(rows["n"].as_u64(), Some(names.len() as u64 - 2));
    assert!(asked("/volunteers", &key).contains("\"status\":403"));

    // No name and no key of anybody, in whatever an admin may ask for.
    let keys: BTreeSet<String> =
        place.table("equal_volunteers.csv").iter().map(|row| row["volunteer"].clone()).collect();
    assert!(keys.len() >= names.len());
    let paths = [
        "/volunteers?page_size=1000",
        "/volunteers/summary",
        "/volunteers/classes",
        "/volunteers/what_if",
        "/project",
        "/project/runs",
        "/project/sheets",
        "/project/data_use",
        "/slices",
        "/labels",
        "/project/subjects/90000003/votes",
    ];
    for path in paths {
        let said = asked(path, &admin);
        assert!(names.iter().all(|name| !said.contains(name.as_str())), "{path}");
        assert!(keys.iter().all(|key| !said.contains(key.as_str())), "{path}");
    }
    served.stop();
    place.record(&["export", "page", "copy", "--project", "p"]);
    let mut n_files = 0;
    walk(&place.path("copy"), &mut |path| {
        let bytes = std::fs::read(path).expect("read");
        let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(!holds("volunteer_0") && !keys.iter().any(|key| holds(key)), "{}", path.display());
        n_files += 1;
    });
    assert!(n_files > 10, "{n_files}");

    // A list that is none: nothing is served, since somebody on it might be told of.
    place.write("p/optouts.toml", "no list");
    place.volary(&["serve", "p"]).fails_with("not an opt-out list");
}
