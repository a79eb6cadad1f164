//! `volary serve` and `volary token`, as the book's page tells it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Place, VOLARY, root};

/// A server on a free port; told to stop when dropped.
pub(crate) struct Served {
    pub(crate) child: Child,
    pub(crate) url: String,
    pub(crate) greeting: String,
}

impl Served {
    pub(crate) fn start(place: &Place, arguments: &[&str]) -> Self {
        let mut child = Command::new(VOLARY)
            .args(["serve", "--address", "127.0.0.1:0"])
            .args(arguments)
            .current_dir(place.path("."))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut greeting = String::new();
        while !greeting.contains("Ctrl-C stops it") {
            let line = lines.next().unwrap_or_else(|| panic!("it ended: {greeting}")).expect("text");
            greeting.push_str(&line);
            greeting.push('\n');
        }
        // The rest must be read, or the server blocks on a full pipe one day.
        std::thread::spawn(move || lines.count());
        let url = greeting.split("/api/v1").next().expect("an address").to_owned();
        Self { child, url, greeting }
    }

    /// The key of its page.
    pub(crate) fn key(&self) -> &str {
        let key = self.greeting.split("#key=").nth(1).and_then(|rest| rest.split('\n').next());
        key.expect("a key")
    }

    /// What it answers to whoever has a token or the key; `more` are options of curl.
    pub(crate) fn ask(&self, place: &Place, token: &str, path: &str, more: &str) -> Value {
        let url = format!("{}/api/v1{path}", self.url);
        let said = sh(place, &format!("curl -s {url} -H 'Authorization: Bearer {token}' {more}"));
        serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}"))
    }

    /// Ctrl-C; what it says at its end.
    pub(crate) fn stop(mut self) -> String {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill starts").success());
        let started = Instant::now();
        while self.child.try_wait().expect("is ours").is_none() {
            assert!(started.elapsed() < Duration::from_secs(120), "it does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut said = String::new();
        std::io::Read::read_to_string(&mut self.child.stdout.take().expect("piped"), &mut said)
            .expect("text");
        said
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn sh(place: &Place, script: &str) -> String {
    let output = Command::new("sh")
        .args(["-c", script])
        .current_dir(place.path("."))
        .stdin(Stdio::null())
        .output()
        .expect("sh starts");
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The page's `sh` blocks that talk to the server of the page.
fn walk_through() -> Vec<String> {
    let page = std::fs::read_to_string(root().join("docs/src/serve.md")).expect("a page");
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.filter(|block| !block.starts_with("volary serve")).map(str::to_owned).collect()
}

#[test]
fn the_page_is_walked_through() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("skipped: curl is not installed");
        return;
    }
    let place = Place::new();
    for (name, role) in [("classify-page", "write"), ("screen", "read")] {
        place.record(&["token", "make", name, "--role", role, "-o", &format!("{role}.token")]);
    }
    let served = Served::start(&place, &["--answer", "real", "--project", "kilonova-seekers"]);
    assert!(served.greeting.contains("volary token") && !served.greeting.contains("volary_"));
    let blocks = walk_through();
    assert!(blocks.len() >= 6, "{}", blocks.len());
    let mut said = String::new();
    for block in &blocks {
        let block = block.replace("http://127.0.0.1:8420", &served.url);
        // A listener in the background keeps nobody waiting, and ends with the server.
        said.push_str(&sh(&place, &block.replace(".txt &", ".txt 2>&1 & sleep 1")));
    }
    for words in
        ["\"status\":\"ok\"", "\"alerts\":[{\"id\":\"1\"", "event: alert.created", "\"id\":\"8\""]
    {
        assert!(said.contains(words), "{words} is missing in\n{said}");
    }
    assert!(!said.contains("problems"), "{said}");
    assert!(!sh(&place, "cat heard.txt").contains("voters"));
    let end = served.stop();
    assert!(end.contains("alerts"), "{end}");
    // Everything is in the store.
    let alerts = place.record(&["alerts"]);
    assert_eq!(alerts["summary"]["n_alerts"], 1);
}

#[test]
fn the_first_start_makes_a_token_and_shows_it_once() {
    let place = Place::new();
    let served = Served::start(&place, &[]);
    let token = served.greeting.split("this once: ").nth(1).and_then(|rest| rest.split('\n').next());
    let token = token.expect("a token").to_owned();
    let ask = |path: &str| {
        let url = format!("{}/api/v1{path}", served.url);
        sh(&place, &format!("curl -s {url} -H 'Authorization: Bearer {token}'"))
    };
    let policy: Value = serde_json::from_str(&ask("/policy")).expect("JSON");
    assert_eq!(policy["policy"]["retire_at"], 14);
    // The store is in use, and another server says so.
    place.volary(&["serve", "--address", "127.0.0.1:0"]).fails_with("another volary writes to it");
    // Revoked, it stops working while the server runs.
    let listed = place.record(&["token", "list"]);
    let id = listed["summary"]["tokens"][0]["id"].as_str().expect("an id").to_owned();
    place.record(&["token", "revoke", &id]);
    std::thread::sleep(Duration::from_millis(1_200));
    assert!(ask("/policy").contains("unauthenticated"));
    served.stop();
}

#[test]
fn a_projects_page_is_served_with_a_key_and_its_numbers_are_the_command_lines() {
    let place = Place::new();
    place.volary(&["demo", "p", "--subjects", "60", "--volunteers", "40"]);
    let served = Served::start(&place, &["p"]);
    let key = served.greeting.split("#key=").nth(1).and_then(|rest| rest.split('\n').next());
    let key = key.expect("a key").to_owned();
    let ask = |path: &str, more: &str| {
        let url = format!("{}/api/v1{path}", served.url);
        let said = sh(&place, &format!("curl -s {url} -H 'Authorization: Bearer {key}' {more}"));
        serde_json::from_str::<Value>(&said).unwrap_or_else(|e| panic!("{e}: {said}"))
    };
    let project = ask("/project", "");
    assert_eq!((&project["title"], &project["takes_labels"]), (&"p".into(), &true.into()), "{project}");
    assert!(project["n_light_curves"].as_u64() > Some(10) && project["has_votes"] == true, "{project}");
    let filter = "n_seen >= 5 and consensus(T0.Smooth) > 0.5";
    let slice = place.record(&["slice", "p/consensus/consensus.parquet", filter]);
    let body = format!("-H 'Content-Type: application/json' -d '{{\"filter\": \"{filter}\"}}'");
    let found = ask("/tables/subjects/query", &body);
    assert_eq!(found["n_selected"], slice["summary"]["n_selected"]);
    assert!(found["n_selected"].as_u64() > Some(0), "{found}");
    assert!(ask("/volunteers/summary", "")["n_people"].as_u64() > Some(10));
    // Nobody's name is in what the page may read.
    for path in ["/project", "/volunteers/summary", "/tables/subjects/rows"] {
        let more =
            if path.ends_with("rows") { "-H 'Content-Type: application/json' -d '{}'" } else { "" };
        assert!(!ask(path, more).to_string().contains("volunteer_"), "{path}");
    }
    served.stop();
    assert!(place.path("p/labels.jsonl").exists() && place.path("p/live.db").exists());
    place.volary(&["serve", "nowhere"]).fails_with("name a project's");
}

/// As the recipes leave it: no export, tables of steps, one of them that is of no subjects; the first by its name is not
/// the one that the others are joined to.
#[test]
fn a_folder_without_a_consensus_is_shown_by_its_tables() {
    let place = Place::new();
    std::fs::create_dir(place.path("p")).expect("made");
    place.write("p/body.csv", "plane,share\n0,1\n");
    place.write("p/chosen.csv", "subject_id,fraction\na,0.5\n");
    place.write("p/scores.csv", "subject_id,anomaly_score\na,1\nb,2\nc,3\n");
    let project = |place: &Place| {
        let served = Served::start(place, &["p"]);
        let key = served.greeting.split("#key=").nth(1).and_then(|rest| rest.split('\n').next());
        let ask = format!(
            "curl -s {}/api/v1/project -H 'Authorization: Bearer {}'",
            served.url,
            key.expect("a key")
        );
        serde_json::from_str::<Value>(&sh(place, &ask)).expect("JSON")
    };
    let columns = |project: &Value| {
        let names = project["tables"][0]["columns"].as_array().expect("columns");
        names.iter().map(|c| c["name"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let shown = project(&place);
    assert_eq!(shown["tables"][0]["n_rows"], 3, "{shown}");
    let found = columns(&shown);
    assert!(found.contains(&"fraction".into()) && found.contains(&"anomaly_score".into()), "{found:?}");
    assert!(shown["left_out"].to_string().contains("body.csv"), "{shown}");
    // A table of subjects is the one that is meant, and may name their images.
    std::fs::write(place.path("p/a.png"), b"no picture").expect("written");
    place.write("p/subjects.csv", "subject_id,file\na,a.png\nb,\n");
    let shown = project(&place);
    assert_eq!((&shown["tables"][0]["n_rows"], &shown["tables"][0]["n_images"]), (&2.into(), &1.into()));
    assert!(columns(&shown).contains(&"anomaly_score".into()), "{shown}");
}

#[test]
fn the_pages_boundary_is_that_of_the_command_line() {
    let place = Place::new();
    // The page's main table has the subjects in another order than the vectors.
    let mut vectors = String::from("subject_id,z0,z1,z2\n");
    let mut chosen = Vec::new();
    for at in 0..240_u32 {
        let wave = |n: u32| (f64::from(at * n % 101) / 50.0 - 1.0) * (f64::from(at) * 0.7).cos();
        let z = [wave(17), wave(29), wave(41)];
        vectors.push_str(&format!("s{at},{:.4},{:.4},{:.4}\n", z[0], z[1], z[2]));
        let share = 1.0 / (1.0 + (-4.0 * z[0] + 2.0 * z[1] + 1.0).exp());
        chosen.push(format!("s{at},{share:.3}\n"));
    }
    chosen.reverse();
    std::fs::create_dir(place.path("p")).expect("made");
    place.write("p/chosen.csv", format!("subject_id,weighted_fraction\n{}", chosen.concat()));
    place.write("p/embeddings.csv", vectors);
    // Experts gave a third of them labels, some twice, and took one back.
    let mut labels = String::new();
    for at in (0..240_u32).step_by(3) {
        let share: f64 = chosen[239 - at as usize]
            .trim()
            .rsplit_once(',')
            .expect("a share")
            .1
            .parse()
            .expect("a number");
        let mut add = |id: &str, by: &str, rest: String| {
            labels.push_str(&format!(
                "{{\"id\":\"{id}-{at}\",\"subject_id\":\"s{at}\",\"question\":\"relevance\",\"by\":\"{by}\",\"at\":\"\"{rest}}}\n"
            ));
        };
        add("a", "one", format!(",\"value\":\"{}\"", (share * 5.0).round()));
        if at % 7 == 0 {
            add("b", "two", format!(",\"value\":\"{}\"", (share * 4.0).round()));
            add("c", "one", ",\"value\":\"unsure\"".to_owned());
        }
        if at == 42 {
            add("d", "two", ",\"retracts\":\"b-42\"".to_owned());
        }
    }
    place.write("p/labels.jsonl", labels);
    place.record(&[
        "boundary",
        "p/embeddings.csv",
        "--labels",
        "p/labels.jsonl",
        "--components",
        "3",
        "-o",
        "labels.json",
    ]);
    let sweep = [
        "boundary",
        "p/embeddings.csv",
        "--with",
        "p/chosen.csv",
        "--chosen",
        "weighted_fraction",
        "--components",
        "3",
        "--thresholds",
        "0.3,0.6",
        "-o",
        "sweep.json",
    ];
    place.record(&sweep);
    let served = Served::start(&place, &["p"]);
    let mut n_compared = 0;
    let of_labels = r#"{"quantity":"label(relevance)","thresholds":[0.5,1.5,2.5,3.5,4.5]}"#;
    let of_column = r#"{"quantity":"weighted_fraction","thresholds":[0.3,0.6],"groups":[]}"#;
    let pairs = [("sweep.json", of_column), ("labels.json", of_labels)].map(|(file, body)| {
        let rows: Vec<Value> = serde_json::from_str(&place.read(file)).expect("JSON");
        let more = format!("-H 'Content-Type: application/json' -d '{body}'");
        (rows, served.ask(&place, served.key(), "/tables/subjects/boundary", &more))
    });
    let rows = pairs.iter().flat_map(|(rows, said)| rows.iter().enumerate().map(move |row| (row, said)));
    for ((at, row), said) in rows {
        for name in ["prevalence", "selected", "precision", "recall", "f1"] {
            for (end, column) in [
                ("value", name.to_owned()),
                ("low", format!("{name}_low")),
                ("high", format!("{name}_high")),
            ] {
                let (here, there) = (said["rows"][at][name][end].as_f64(), row[&column].as_f64());
                let close = match here.zip(there) {
                    Some((a, b)) => (a - b).abs() < 1e-12,
                    // Nothing can be said where everything is on one side; both say nothing then.
                    None => here.is_none() && there.is_none(),
                };
                assert!(close, "{at} {name} {end}: {here:?} {there:?}\n{said}\n{row}");
                n_compared += u32::from(here.is_some());
            }
        }
    }
    assert!(n_compared >= 30 + 60, "{n_compared}");
    served.stop();
}

#[test]
fn answers_that_a_workflow_does_not_know_are_refused() {
    let place = Place::new();
    let settings =
        "[live]\nretire_at = 3\nrule = []\n[workflows.10.tasks.T0]\nanswers = [\"real\", \"bogus\"]\n";
    place.write("volary.toml", settings);
    place.write(
        "workflows.csv",
        "workflow_id,version,minor_version,tasks,strings\n\
         11,1,1,\"{\"\"T0\"\":{\"\"type\"\":\"\"multiple\"\",\"\"question\"\":\"\"q\"\",\"\"answers\"\":[{\"\"label\"\":\"\"a\"\"}]},\"\"T1\"\":{\"\"type\"\":\"\"text\"\"}}\",\"{\"\"a\"\":\"\"Vortex\"\"}\"\n",
    );
    let served = Served::start(&place, &["--config", "volary.toml", "--workflows", "workflows.csv"]);
    let token = served.greeting.split("this once: ").nth(1).and_then(|rest| rest.split('\n').next());
    let token = token.expect("a token").to_owned();
    let vote = |id: u32, workflow: u32, answers: &str| {
        let body = format!(
            r#"{{"source":"page","id":"{id}","at_ms":1795896000000,"kind":"vote","workflow":"{workflow}","version":"1.1","subject":"s","actor":{{"user":"7"}},"answers":{answers}}}"#
        );
        sh(
            &place,
            &format!(
                "curl -s -o /dev/null -w '%{{http_code}}' {}/api/v1/classifications -H 'Authorization: Bearer {token}' \
                 -H 'Content-Type: application/json' -d '{body}'",
                served.url
            ),
        )
    };
    assert_eq!(vote(1, 10, r#"{"T0":["real"]}"#), "201");
    assert_eq!(vote(2, 10, r#"{"T0":["reel"]}"#), "422", "[workflows] of the settings");
    assert_eq!(vote(3, 10, r#"{"T0":["real","bogus"]}"#), "422", "one answer");
    assert_eq!(vote(4, 11, r#"{"T0":["0"],"T1":["as they like"]}"#), "201", "the export knows it");
    assert_eq!(vote(5, 11, r#"{"T0":["Vortex"]}"#), "201", "by its label");
    assert_eq!(vote(6, 11, r#"{"T0":["1"]}"#), "422", "the export");
    assert_eq!(vote(7, 12, r#"{"T0":["anything"]}"#), "201", "of that workflow nothing is known");
    served.stop();
}

#[test]
fn what_cannot_be_served_is_said_in_a_sentence() {
    let place = Place::new();
    place.volary(&["serve", "--webhook", "http://example.org/"]).fails_with("use https");
    place.volary(&["serve", "--webhook", "https://127.0.0.1/"]).fails_with("private");
    place.volary(&["serve", "--webhook-secret", "none"]).fails_with("no such file");
    place.volary(&["token", "revoke", "nobody"]).fails_with("no token has the id");
    place.write("tokens.toml", "[[token]]\n");
    place.volary(&["serve"]).fails_with("chmod 600");
}
