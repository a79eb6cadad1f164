//! The book's examples are run: every ```console block of every page and of the README, line by line.
//!
//! A line that begins with `$ ` is a command and must succeed; the lines after it are what a reader may
//! expect to see and are not compared, since numbers move. A page runs in one folder, in which
//! `classifications.csv`, `workflows.csv`, `truth.csv` (the demo's) and `labels.csv` stand ready.

use std::path::Path;
use std::process::Command;

use crate::support::{Place, VOLARY, root, walk};

fn commands(page: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut in_block = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            in_block = line.trim() == "```console";
        } else if in_block && let Some(command) = line.strip_prefix("$ ") {
            commands.push(command.to_owned());
        } else if in_block
            && let Some(last) = commands.last_mut()
            && last.ends_with('\\')
        {
            last.pop();
            last.push_str(line.trim_start());
        }
    }
    commands
}

fn run_page(path: &Path) -> usize {
    let commands = commands(&std::fs::read_to_string(path).expect("a page"));
    if commands.is_empty() {
        return 0;
    }
    let place = Place::new();
    place.record(&["demo", "ready", "--subjects", "60", "--volunteers", "30"]);
    for name in ["classifications.csv", "workflows.csv", "truth.csv"] {
        std::fs::rename(place.path("ready").join(name), place.path(name)).expect("moved");
    }
    std::fs::remove_dir_all(place.path("ready")).expect("removed");
    place.record(&["simulate", "crowd", "-o", "crowd", "--subjects", "50", "--volunteers", "20"]);
    std::fs::copy(place.path("crowd/labels.csv"), place.path("labels.csv")).expect("copied");
    let binary = Path::new(VOLARY).parent().expect("a folder");
    let path_variable = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
    for command in &commands {
        let output = Command::new("sh")
            .args(["-c", command])
            .env("PATH", &path_variable)
            .current_dir(place.path("."))
            .output()
            .expect("sh starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{}: {command}\n{said}", path.display());
    }
    commands.len()
}

#[test]
fn every_example_of_the_book_runs() {
    let mut n = 0;
    walk(&root().join("docs/src"), &mut |path| {
        if path.extension().is_some_and(|e| e == "md") {
            n += run_page(path);
        }
    });
    n += run_page(&root().join("README.md"));
    assert!(n >= 20, "the book shows its commands at work: {n}");
}

#[test]
fn every_command_has_help_with_an_example() {
    let place = Place::new();
    let help = place.volary(&["--help"]).stdout;
    let names = help.lines().skip_while(|l| !l.starts_with("Commands:")).skip(1);
    let names: Vec<&str> =
        names.take_while(|l| !l.trim().is_empty()).filter_map(|l| l.split_whitespace().next()).collect();
    let is_command = |name: &&str| {
        name.chars().all(|c| c.is_ascii_lowercase()) && place.volary(&[name, "--help"]).code == 0
    };
    let mut n = 0;
    for name in names.into_iter().filter(is_command).filter(|n| *n != "help") {
        let mut help = place.volary(&[name, "--help"]).stdout;
        for inner in ["confusion", "crowd", "lightcurves", "check", "verify", "attack", "add", "diff"] {
            if help.contains(&format!("  {inner} ")) {
                help.push_str(&place.volary(&[name, inner, "--help"]).stdout);
            }
        }
        assert!(help.contains("Example"), "`volary {name} --help` shows no example");
        n += 1;
    }
    assert!(n >= 10, "commands found: {n}");
}
