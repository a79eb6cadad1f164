//! Times of the skill models on a label table: `cargo bench -p volary-crowd --bench skill -- FILE`.
//!
//! FILE is `task,worker,label` with whole numbers, as `../shared/tools/gen_crowd.py` writes it; without
//! one a million votes are simulated. Prints wall and processor seconds of every model, and the memory
//! that the fit takes over what was there before it. What it took is written down in `bench/README.md`.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::time::Instant;

use volary_crowd::skill::dawid_skene::{DawidSkene, Variant};
use volary_crowd::skill::glad::Glad;
use volary_crowd::skill::ibcc::Ibcc;
use volary_crowd::skill::mace::Mace;
use volary_crowd::skill::running::{Rule, RunningSkill};
use volary_crowd::skill::{Ballots, Columns, Model};
use volary_crowd::{CrowdParams, simulate};

fn read(path: &str) -> Columns {
    let text = std::fs::read_to_string(path).expect("the label table can be read");
    let number = |cell: Option<&str>| cell.and_then(|c| c.trim().parse::<u32>().ok());
    let mut votes: Vec<(u32, u32, u32)> = text
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut cells = line.split(',');
            Some((number(cells.next())?, number(cells.next())?, number(cells.next())?))
        })
        .collect();
    drop(text);
    votes.sort_unstable();
    let most = |at: fn(&(u32, u32, u32)) -> u32| votes.iter().map(at).max().unwrap_or(0) as usize + 1;
    let least = votes.iter().map(|v| v.2).min().unwrap_or(0);
    Columns {
        n_items: most(|v| v.0),
        n_volunteers: most(|v| v.1),
        n_classes: most(|v| v.2) - least as usize,
        item: votes.iter().map(|v| v.0).collect(),
        volunteer: votes.iter().map(|v| v.1).collect(),
        label: votes.iter().map(|v| v.2 - least).collect(),
        ..Columns::default()
    }
}

fn simulated() -> Columns {
    let params = CrowdParams {
        n_subjects: 80_000,
        n_volunteers: 16_666,
        n_classes: 5,
        votes_per_subject: 12.5,
        min_votes: 10,
        max_votes: 15,
        ..CrowdParams::default()
    };
    let crowd = simulate(&params).expect("the parameters are in range");
    Columns {
        n_items: 80_000,
        n_volunteers: 16_666,
        n_classes: 5,
        item: crowd.subject,
        volunteer: crowd.volunteer,
        label: crowd.answer,
        ..Columns::default()
    }
}

/// A line of `/proc/self/status` in megabytes.
fn memory(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with(name));
    line.and_then(|l| l.split_whitespace().nth(1)?.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// Seconds that the threads of this process were on a processor.
fn processor_seconds() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let on_processor = |task: std::fs::DirEntry| {
        let line = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    tasks.filter_map(on_processor).sum::<f64>() / 1e9
}

/// Prints what the work took; returns the most memory held meanwhile, in megabytes.
fn timed(name: &str, work: impl FnOnce() -> String) -> f64 {
    // Sets the high-water mark of the memory back to what is held now.
    std::fs::write("/proc/self/clear_refs", "5").ok();
    let (before, cpu, wall) = (memory("VmRSS"), processor_seconds(), Instant::now());
    let what = work();
    let (wall, cpu) = (wall.elapsed().as_secs_f64(), processor_seconds() - cpu);
    let most = memory("VmHWM");
    let over = most - before;
    println!("{name:32} {wall:8.3} s wall {cpu:8.3} s processor {over:8.1} MB over the start  {what}");
    most
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let columns = arguments.first().map_or_else(simulated, |path| read(path));
    println!(
        "{} votes, {} classes; {:.0} MB held",
        columns.item.len(),
        columns.n_classes,
        memory("VmRSS")
    );
    let kept = columns.clone();
    let held = memory("VmRSS");
    let mut ballots = Ballots::default();
    let mut most = timed("arrange", || {
        ballots = Ballots::new(columns).expect("columns fit");
        format!("{} slots", ballots.n_slots())
    });
    let fixed = |variant| DawidSkene { max_rounds: 20, tolerance: 0.0, ..DawidSkene::new(variant) };
    let models = [
        ("dawid-skene ml, 20 rounds", Model::DawidSkene(fixed(Variant::Ml))),
        ("dawid-skene shrunk, 20 rounds", Model::DawidSkene(fixed(Variant::Shrunk))),
        ("ibcc, 20 rounds", Model::Ibcc(Ibcc { max_rounds: 20, tolerance: 0.0, ..Ibcc::default() })),
        ("dawid-skene one-coin, 20 rounds", Model::DawidSkene(fixed(Variant::OneCoin))),
        ("dawid-skene map, 20 rounds", Model::DawidSkene(fixed(Variant::Map))),
        ("dawid-skene hard, 20 rounds", Model::DawidSkene(fixed(Variant::Hard))),
    ];
    for (at, (name, model)) in models.into_iter().enumerate() {
        let of_fit = timed(name, || {
            format!(
                "log-likelihood {:.4}",
                model.fit(&ballots).expect("no order is needed").log_likelihood
            )
        });
        if at == 0 {
            most = most.max(of_fit);
            println!("{:32} {:.1} MB over the columns, from arranging to this fit", "", most - held);
        }
    }
    if kept.item.len() <= 2_000_000 {
        for (name, model) in
            [("glad", Model::Glad(Glad::default())), ("mace", Model::Mace(Mace::default()))]
        {
            timed(name, || {
                format!(
                    "log-likelihood {:.4}",
                    model.fit(&ballots).expect("no order is needed").log_likelihood
                )
            });
        }
    }
    drop(ballots);
    let prior = Ibcc::default().prior(kept.n_classes);
    for rule in [Rule::Mean, Rule::ExpectedLog] {
        timed(&format!("one vote at a time, {rule:?}"), || {
            let mut running = RunningSkill::new(kept.n_classes, rule, &prior, 1.0);
            let start = Instant::now();
            for ((&item, &volunteer), &label) in kept.item.iter().zip(&kept.volunteer).zip(&kept.label) {
                running.add(item as usize, volunteer, label);
            }
            format!("{:.2} µs a vote", start.elapsed().as_secs_f64() * 1e6 / kept.item.len() as f64)
        });
    }
}
