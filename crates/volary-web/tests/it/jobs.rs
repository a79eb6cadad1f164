//! Steps that are run from the page: who may, one at a time, stopped as by Ctrl-C, ended with the server, and what
//! they made is seen.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use volary_space::slice::{Column, Columns};
use volary_web::jobs::{Done, Standing, Step};
use volary_web::project::{Labels, Table};
use volary_web::{Project, Runner};

use crate::site::{Site, until};

/// Steps that are scripts of a shell. What they write into `value` is the one number of the project.
struct Scripts {
    folder: PathBuf,
    all: Vec<(&'static str, &'static str)>,
    /// How often it was asked how the steps stand.
    n_looks: Arc<AtomicUsize>,
}

impl Runner for Scripts {
    fn steps(&self) -> Result<Vec<Step>, String> {
        self.n_looks.fetch_add(1, Ordering::Relaxed);
        if self.folder.join("broken").exists() {
            return Err("volary.toml: a quote is not closed; close it".to_owned());
        }
        let step = |(line, _): &(&str, &str)| Step {
            line: (*line).to_owned(),
            command: line.split(' ').next().unwrap_or_default().to_owned(),
            standing: Standing::NotDone,
            took_s: None,
        };
        Ok(self.all.iter().map(step).collect())
    }

    fn process(&self, line: &str, is_again: bool) -> Result<Command, String> {
        let (_, script) = self.all.iter().find(|(known, _)| *known == line).ok_or("no step")?;
        let mut command = Command::new("sh");
        command
            .args(["-c", script])
            .env("AGAIN", if is_again { "again" } else { "first" })
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Ok(command)
    }

    fn done(&self, line: &str) -> Option<Done> {
        let (n, of) = line.strip_prefix("@ ")?.split_once(' ')?;
        Some(Done { n: n.parse().ok()?, of: of.parse().ok()?, what: "counting".to_owned() })
    }

    fn read(&self) -> Result<Project, String> {
        if self.folder.join("unreadable").exists() {
            return Err("scores.csv: it is no table".to_owned());
        }
        Ok(project(&self.folder))
    }
}

/// One subject with the number that stands in `value`, and a score where there is one.
fn project(folder: &Path) -> Project {
    let number =
        |name: &str| std::fs::read_to_string(folder.join(name)).ok()?.trim().parse::<f64>().ok();
    let mut columns = Columns::default();
    assert!(columns.insert("value", Column::Number(vec![number("value").unwrap_or(0.0)])));
    if let Some(score) = number("score") {
        assert!(columns.insert("score", Column::Number(vec![score])));
    }
    let table = Table::new("subjects", vec!["a".to_owned()], columns, None).expect("fits");
    Project { tables: vec![table], ..Project::default() }
}

const STEPS: [(&str, &str); 6] = [
    (
        "score all",
        "echo begun $AGAIN; echo '@ 3 4' >&2; echo 5 > value; echo 7 > score; printf 'a\\033[31mb\\n'",
    ),
    ("train model", "echo waits; read asked; echo \"heard $asked\"; exit 1"),
    ("train deaf", "echo waits; read asked; read again; echo \"heard $asked $again\"; exit 130"),
    ("map broken", "echo no such file >&2; exit 3"),
    ("train until", "read asked || echo the server has gone > gone; exit 1"),
    ("figures many", "i=0; while [ $i -lt 1500 ]; do echo line $i; i=$((i + 1)); done"),
];

fn site(folder: &Path) -> Site {
    counted(folder).0
}

/// With the number of looks at the steps.
fn counted(folder: &Path) -> (Site, Arc<AtomicUsize>) {
    let (folder, n_looks) = (folder.to_owned(), Arc::<AtomicUsize>::default());
    let counter = Arc::clone(&n_looks);
    let site = Site::with(move |settings| {
        let labels = Some(Labels::open(&folder.join("labels.jsonl")).expect("opens"));
        settings.project = Arc::new(Project { labels, ..project(&folder) });
        settings.runner = Some(Arc::new(Scripts { folder, all: STEPS.to_vec(), n_looks: counter }));
    });
    (site, n_looks)
}

fn step(site: &Site, line: &str) -> String {
    let all = site.get("/jobs", &site.read).is(200).json();
    let steps = all["steps"].as_array().expect("a list");
    let found =
        steps.iter().find(|step| step["line"] == line).unwrap_or_else(|| panic!("{line}: {all}"));
    found["id"].as_str().expect("a text").to_owned()
}

fn start(site: &Site, line: &str) -> String {
    let body = json!({ "step_id": step(site, line) });
    let answer = site.post("/jobs", &site.admin, &body).is(202);
    let job = answer.json();
    let id = job["id"].as_str().expect("a text").to_owned();
    assert_eq!(answer.header("location"), Some(format!("/api/v1/jobs/{id}").as_str()));
    assert_eq!((&job["line"], &job["state"]), (&json!(line), &json!("running")));
    id
}

fn job(site: &Site, id: &str) -> Value {
    site.get(&format!("/jobs/{id}"), &site.admin).is(200).json()
}

fn ended(site: &Site, id: &str) -> Value {
    until("the end of a job", || job(site, id)["code"].is_i64() && job(site, id)["state"] != "reading");
    job(site, id)
}

fn has_line(site: &Site, id: &str, line: &str) -> bool {
    job(site, id)["log"].as_array().is_some_and(|log| log.iter().any(|l| l == line))
}

fn stop(site: &Site, id: &str, token: &str) -> crate::site::Answer {
    site.ask("DELETE", &format!("/api/v1/jobs/{id}"), Some(token), "")
}

#[test]
fn a_step_is_run_and_what_it_made_is_seen_without_a_restart() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(folder.path());
    let label = json!({ "id": "1", "subject_id": "a", "question": "relevance", "value": "4" });
    site.post("/labels", &site.admin, &label).is(201);
    let column = || site.ask("GET", "/api/v1/tables/subjects/columns/value", Some(&site.read), "");
    let before = column().is(200);
    assert_eq!(before.header("volary-revision"), Some("0"));
    let done = ended(&site, &start(&site, "score all"));
    assert_eq!((&done["state"], &done["code"]), (&json!("done"), &json!(0)), "{done}");
    assert_eq!(done["log"], json!(["begun first", "a[31mb"]), "control characters are no text");
    assert_eq!(done["done"], json!({ "n": 3, "of": 4, "what": "counting" }));
    assert_eq!(
        done["changes"],
        json!([
            { "table": "subjects", "column": "score", "became": "new" },
            { "table": "subjects", "column": "value", "became": "changed" },
        ])
    );
    let after = column().is(200);
    assert_ne!(after.header("etag"), before.header("etag"));
    assert_eq!(after.header("volary-revision"), Some("1"));
    let rows = site.post("/tables/subjects/rows", &site.read, &json!({})).is(200).json();
    assert_eq!(rows["rows"][0]["values"], json!({ "score": 7.0, "value": 5.0 }));
    // The labels are those of before, and more can be given.
    let labels = |n: usize| {
        let all = site.get("/labels", &site.read).is(200).json();
        assert_eq!(all["labels"].as_array().map(Vec::len), Some(n), "{all}");
    };
    labels(1);
    let label = json!({ "id": "2", "subject_id": "b", "question": "relevance", "value": "1" });
    site.post("/labels", &site.admin, &label).is(201);
    labels(2);
    // Again: nothing is new.
    let body = json!({ "step_id": step(&site, "score all"), "again": true });
    let again = site.post("/jobs", &site.admin, &body).is(202).json();
    let again = ended(&site, again["id"].as_str().expect("a text"));
    assert_eq!((&again["log"][0], &again["changes"]), (&json!("begun again"), &json!([])));
    assert_eq!(column().is(200).header("volary-revision"), Some("1"), "nothing is new");
    assert!(site.log_text().contains("changed") && site.log_text().contains("/api/v1/jobs"));
}

#[test]
fn one_runs_at_a_time_and_stops_when_it_is_asked() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(folder.path());
    let id = start(&site, "train model");
    until("a line", || has_line(&site, &id, "waits"));
    let body = json!({ "step_id": step(&site, "score all") });
    let busy = site.post("/jobs", &site.admin, &body).is(409).json();
    assert!(busy["detail"].as_str().is_some_and(|d| d.contains("`train model`")), "{busy}");
    assert_eq!(stop(&site, &id, &site.admin).is(202).json()["state"], "stopping");
    let stopped = ended(&site, &id);
    assert_eq!((&stopped["state"], &stopped["code"]), (&json!("stopped"), &json!(1)));
    assert!(has_line(&site, &id, "heard stop"), "{stopped}");
    // One that does not listen is asked again.
    let deaf = start(&site, "train deaf");
    until("a line", || has_line(&site, &deaf, "waits"));
    stop(&site, &deaf, &site.admin).is(202);
    assert_eq!(job(&site, &deaf)["state"], "stopping");
    stop(&site, &deaf, &site.admin).is(202);
    let stopped = ended(&site, &deaf);
    assert_eq!((&stopped["state"], &stopped["code"]), (&json!("stopped"), &json!(130)));
    // What has ended stays as it is.
    assert_eq!(stop(&site, &id, &site.admin).is(202).json()["state"], "stopped");
    stop(&site, "no-such", &site.admin).is(404);
    // What fails says so, and the next can be run.
    let failed = ended(&site, &start(&site, "map broken"));
    assert_eq!((&failed["state"], &failed["code"]), (&json!("failed"), &json!(3)));
    assert_eq!(failed["log"], json!(["no such file"]));
    assert!(failed["changes"] == json!([]) && failed["ended_at"].is_string());
    let many = start(&site, "figures many");
    let many = ended(&site, &many);
    let log = many["log"].as_array().expect("a list");
    assert_eq!(
        (many["n_lines"].as_u64(), log.len(), &log[999]),
        (Some(1_500), 1_000, &json!("line 1499"))
    );
    let listed = site.get("/jobs", &site.admin).is(200).json();
    assert_eq!(listed["jobs"][0]["log"].as_array().map(Vec::len), Some(40));
    assert_eq!(listed["jobs"].as_array().map(Vec::len), Some(4));
}

#[test]
fn only_who_may_read_and_write_runs_steps_and_nothing_else_can_be_run() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(folder.path());
    let body = json!({ "step_id": step(&site, "score all") });
    for token in [&site.read, &site.write] {
        site.post("/jobs", token, &body).is(403);
    }
    site.get("/jobs", &site.write).is(403);
    let id = start(&site, "train model");
    until("a line", || has_line(&site, &id, "waits"));
    for token in [&site.read, &site.write] {
        stop(&site, &id, token).is(403);
    }
    // Lines may name people: they are for who may run steps.
    let seen = site.get("/jobs", &site.read).is(200).json();
    assert_eq!((&seen["may_run"], &seen["jobs"][0]["log"]), (&json!(false), &json!([])));
    assert_eq!(site.get(&format!("/jobs/{id}"), &site.read).is(200).json()["log"], json!([]));
    assert_eq!(site.get("/jobs", &site.admin).is(200).json()["may_run"], json!(true));
    stop(&site, &id, &site.admin).is(202);
    ended(&site, &id);
    // A request names a step; it cannot say what to run.
    for wrong in [
        json!({ "step_id": "score all" }),
        json!({ "step_id": "" }),
        json!({ "step_id": "../../bin/sh" }),
        json!({ "step_id": step(&site, "score all"), "command": "rm -r ." }),
        json!({ "run": "score all" }),
        json!([]),
    ] {
        site.post("/jobs", &site.admin, &wrong).is(422);
    }
    assert!(!folder.path().join("value").exists());
    // Without a project there is nothing to run.
    let bare = Site::start();
    let nothing = bare.get("/jobs", &bare.admin).is(200).json();
    assert_eq!((&nothing["has_project"], &nothing["steps"]), (&json!(false), &json!([])));
    let refused = bare.post("/jobs", &bare.admin, &body).is(409).json();
    assert!(refused["detail"].as_str().is_some_and(|d| d.contains("volary serve DIR")), "{refused}");
}

#[test]
fn who_watches_a_job_does_not_have_every_step_looked_at_again() {
    let folder = tempfile::tempdir().expect("made");
    let (site, n_looks) = counted(folder.path());
    let id = start(&site, "train model");
    site.get("/jobs", &site.admin).is(200);
    let before = n_looks.load(Ordering::Relaxed);
    for _ in 0..20 {
        let listed = site.get("/jobs", &site.admin).is(200).json();
        assert_eq!(listed["steps"].as_array().map(Vec::len), Some(STEPS.len()));
    }
    assert_eq!(n_looks.load(Ordering::Relaxed), before);
    stop(&site, &id, &site.admin).is(202);
    ended(&site, &id);
    site.get("/jobs", &site.admin).is(200);
    assert_eq!(
        n_looks.load(Ordering::Relaxed),
        before + 1,
        "when it has ended they may stand otherwise"
    );
}

#[test]
fn what_runs_ends_with_the_server() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(folder.path());
    start(&site, "train until");
    assert!(!folder.path().join("gone").exists());
    drop(site);
    assert!(folder.path().join("gone").exists(), "it was waited for");
}

#[test]
fn what_cannot_be_read_is_said_and_the_old_is_shown() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(folder.path());
    let id = step(&site, "score all");
    std::fs::write(folder.path().join("unreadable"), "").expect("written");
    let done = ended(&site, &start(&site, "score all"));
    assert_eq!(
        (&done["state"], &done["problem"]),
        (&json!("done"), &json!("scores.csv: it is no table"))
    );
    let rows = site.post("/tables/subjects/rows", &site.read, &json!({})).is(200);
    assert_eq!(rows.header("volary-revision"), Some("0"));
    assert_eq!(rows.json()["rows"][0]["values"], json!({ "value": 0.0 }));
    std::fs::write(folder.path().join("broken"), "").expect("written");
    let listed = site.get("/jobs", &site.read).is(200).json();
    assert!(listed["problem"].as_str().is_some_and(|p| p.contains("quote")), "{listed}");
    site.post("/jobs", &site.admin, &json!({ "step_id": id })).is(409);
}

#[test]
fn who_listens_hears_how_far_it_is() {
    let folder = tempfile::tempdir().expect("made");
    let site = site(folder.path());
    let listen = |topics: &str| {
        let mut stream = site.connect();
        let head = format!(
            "GET /api/v1/events?topics={topics} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\r\n",
            site.address, site.read
        );
        stream.write_all(head.as_bytes()).expect("sent");
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        assert!(lines.any(|line| line == ": listening"));
        lines
    };
    let mut jobs = listen("jobs");
    let mut alerts = listen("alerts");
    ended(&site, &start(&site, "score all"));
    let mut states = Vec::new();
    while states.last().is_none_or(|state| state != "done") {
        let line = jobs.next().expect("goes on");
        if let Some(data) = line.strip_prefix("data: ") {
            let data: Value = serde_json::from_str(data).expect("JSON");
            assert!(data.get("log").is_none() && data["step_id"] == step(&site, "score all"));
            states.push(data["state"].as_str().expect("a state").to_owned());
        }
    }
    states.dedup();
    assert_eq!(states, ["running", "reading", "done"]);
    // Who listens to something else hears nothing of it.
    let votes = crate::site::eight("s");
    site.post("/classifications", &site.write, &votes).is(201);
    let heard = alerts.find(|line| line.starts_with("event: ")).expect("goes on");
    assert_eq!(heard, "event: alert.created");
    site.get("/events?topics=weather", &site.read).is(400);
}
