//! Steps of a project, run from its page against the real server: done, stopped, ended with the server.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::serve::Served;
use crate::support::Place;
use crate::vision::write_npy;

const TOML: &str = r#"
[[steps]]
run = "slice points.csv 'x > 1' -o far.csv"

[[steps]]
run = "train anomaly cutouts -o model --epochs 100000 --size 16 --channels grey --filters 2 --latents 2 --batch 4 --gallery-every 0"

[[steps]]
run = "map nothing.csv -o map.csv"
"#;

/// A project with a step that is quick, one that is long, and one that fails.
fn project() -> Place {
    let place = Place::new();
    std::fs::create_dir_all(place.path("p/cutouts")).unwrap();
    for i in 0..8 {
        write_npy(&place.path(&format!("p/cutouts/{i}.npy")), 16, |x, y| ((x + y + i) % 5) as f32 / 5.0);
    }
    place.write("p/points.csv", "subject_id,x\na,1\nb,2\nc,3\n");
    place.write("p/volary.toml", TOML);
    place
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(120), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether a process runs that was started in a folder, other than the server.
fn runs_in(folder: &Path) -> bool {
    let folder = folder.canonicalize().unwrap();
    let of = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.ok()?.path();
        let command = std::fs::read(path.join("cmdline")).ok()?;
        (std::fs::read_link(path.join("cwd")).ok()? == folder && !command.is_empty()).then_some(())
    };
    std::fs::read_dir("/proc").unwrap().any(|entry| of(entry).is_some())
}

struct Page<'p> {
    place: &'p Place,
    served: Served,
}

impl Page<'_> {
    fn open(place: &Place) -> Page<'_> {
        Page { place, served: Served::start(place, &["p"]) }
    }

    fn get(&self, path: &str) -> Value {
        self.served.ask(self.place, self.served.key(), path, "")
    }

    fn standing(&self, number: usize) -> String {
        self.get("/jobs")["steps"][number - 1]["state"].as_str().expect("a state").to_owned()
    }

    /// Starts the step of a number; the id of the job.
    fn start(&self, number: usize) -> String {
        let step = self.get("/jobs")["steps"][number - 1]["id"].as_str().expect("an id").to_owned();
        let more = format!("-H 'Content-Type: application/json' -d '{{\"step_id\": \"{step}\"}}'");
        let job = self.served.ask(self.place, self.served.key(), "/jobs", &more);
        job["id"].as_str().unwrap_or_else(|| panic!("{job}")).to_owned()
    }

    fn job(&self, id: &str) -> Value {
        self.get(&format!("/jobs/{id}"))
    }

    fn ended(&self, id: &str) -> Value {
        until("the end of a job", || {
            ["done", "failed", "stopped"].contains(&self.job(id)["state"].as_str().unwrap_or_default())
        });
        self.job(id)
    }
}

#[test]
fn the_page_runs_a_step_stops_one_and_says_how_each_stands() {
    let place = project();
    let page = Page::open(&place);
    let first = page.get("/jobs");
    assert_eq!((&first["may_run"], &first["has_project"]), (&true.into(), &true.into()), "{first}");
    assert_eq!(page.standing(1), "not_done");
    // The page shows the new table without a restart.
    let tables = |page: &Page<'_>| page.get("/project")["tables"].to_string();
    let before = tables(&page);
    let done = page.ended(&page.start(1));
    assert_eq!((&done["state"], &done["code"]), (&"done".into(), &0.into()), "{done}");
    assert!(place.path("p/far.csv").is_file());
    assert_eq!(page.standing(1), "up_to_date");
    assert_ne!(tables(&page), before, "{done}");
    place.write("p/points.csv", "subject_id,x\na,1\nb,2\nc,3\nd,4\n");
    assert_eq!(page.standing(1), "out_of_date");

    let failed = page.ended(&page.start(3));
    assert_eq!((&failed["state"], &failed["code"]), (&"failed".into(), &1.into()), "{failed}");
    assert!(failed["log"].to_string().contains("nothing.csv"), "{failed}");

    // A training that is stopped leaves what it can go on from, and nothing that is half written.
    let long = page.start(2);
    until("progress", || page.job(&long)["done"]["n"].as_u64() > Some(0));
    let job = page.job(&long);
    assert!(job["done"]["what"].as_str().is_some_and(|what| what.contains("epoch")), "{job}");
    let stop =
        |id: &str| page.served.ask(&place, page.served.key(), &format!("/jobs/{id}"), "-X DELETE");
    assert_eq!(stop(&long)["state"], "stopping");
    let stopped = page.ended(&long);
    assert_eq!(stopped["state"], "stopped", "{stopped}");
    assert!(stopped["log"].to_string().contains("goes on from there"), "{stopped}");
    assert_eq!(page.standing(2), "not_done");
    assert!(!runs_in(&place.path("p")));
    let checkpoints = std::fs::read_dir(place.path("p/model")).unwrap().count();
    assert!(checkpoints > 0 && !place.path("p/model/config.json").exists(), "{checkpoints}");
    let again = page.start(2);
    until("progress", || page.job(&again)["done"]["n"].as_u64() > Some(0));
    let further = page.job(&again)["done"]["n"].as_u64();
    assert!(further >= job["done"]["n"].as_u64(), "it goes on: {further:?} {job}");
    // A server that ends takes it along.
    page.served.stop();
    until("the end of all", || !runs_in(&place.path("p")));
}

#[test]
fn a_server_that_is_killed_leaves_nothing_running() {
    let place = project();
    let mut page = Page::open(&place);
    let long = page.start(2);
    until("progress", || page.job(&long)["done"]["n"].as_u64() > Some(0));
    assert!(runs_in(&place.path("p")));
    page.served.child.kill().expect("is ours");
    until("the end of all", || !runs_in(&place.path("p")));
}

#[test]
fn a_token_that_only_reads_sees_no_lines_and_starts_nothing() {
    let place = project();
    place.record(&[
        "token",
        "make",
        "screen",
        "--role",
        "read",
        "-o",
        "read.token",
        "--tokens",
        "p/tokens.toml",
    ]);
    let page = Page::open(&place);
    let token = place.read("read.token").trim().to_owned();
    page.ended(&page.start(3));
    let seen = page.served.ask(&place, &token, "/jobs", "");
    assert_eq!(
        (&seen["may_run"], &seen["jobs"][0]["log"]),
        (&false.into(), &Value::Array(vec![])),
        "{seen}"
    );
    let step = seen["steps"][0]["id"].as_str().expect("an id");
    let more = format!("-H 'Content-Type: application/json' -d '{{\"step_id\": \"{step}\"}}'");
    assert_eq!(page.served.ask(&place, &token, "/jobs", &more)["status"], 403);
    assert!(!place.path("p/far.csv").exists());
    assert!(Command::new("curl").arg("--version").output().is_ok());
    page.served.stop();
}
