//! `volary`: from volunteers' classifications to consensus you can trust.
//!
//! This file only parses the command line, runs one command and turns its outcome into an exit code:
//! 0 done, 1 failed, 2 wrong usage, 3 done but the input had problems and `--strict` was given. Each
//! command is a file in `commands/`; what commands share is in the files beside this one.

mod agreement_tables;
mod analysis;
mod bias_tables;
mod commands;
mod consensus_tables;
mod crowd_effects;
mod crowd_tables;
mod demo;
mod estimates;
mod images;
mod input;
mod live;
mod live_tables;
mod mark_tables;
mod model_metrics;
mod overwrite;
mod page_attention;
mod page_findings;
mod page_jobs;
mod page_overview;
mod page_project;
mod page_questions;
mod page_votes;
mod panoptes_clustering;
mod pictures;
mod progress_lines;
mod project;
mod question_names;
mod report;
mod retirement;
mod session;
mod settings;
mod shape_tables;
mod simulated_images;
mod skill;
mod skill_tables;
mod steps;
mod summary;
mod vector_tables;
mod whole_table;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::session::Global;

// Blocks of an export are allocated on one thread and freed on another, which the system's allocator
// answers with a system call each: reading took a quarter longer with it (bench/README.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// From volunteers' classifications to consensus you can trust: offline, on a laptop.
#[derive(Debug, Parser)]
#[command(name = "volary", version, max_term_width = 100)]
#[command(
    after_help = "Start with:\n  volary demo\n  volary init --export classifications.csv\n  volary run"
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(commands::demo::Args),
    Init(commands::init::Args),
    Run(commands::run::Args),
    Check(commands::check::Args),
    Extract(commands::extract::Args),
    Consensus(commands::consensus::Args),
    Agreement(commands::agreement::Args),
    Chosen(Box<commands::chosen::Args>),
    Bias(commands::bias::Args),
    Practice(commands::practice::Args),
    Advise(commands::advise::Args),
    Shapes(commands::shapes::Args),
    Marks(Box<commands::marks::Args>),
    Report(commands::report::Args),
    Figures(Box<commands::figures::Args>),
    Export(commands::export::Args),
    Retire(commands::retire::Args),
    Train(commands::train::Args),
    Score(commands::score::Args),
    Attention(commands::attention::Args),
    Outliers(Box<commands::outliers::Args>),
    Sample(commands::sample::Args),
    Simulate(commands::simulate::Args),
    Gold(Box<commands::gold::Args>),
    Flatten(commands::flatten::Args),
    Dedup(commands::dedup::Args),
    Reduce(commands::reduce::Args),
    Manifest(commands::manifest::Args),
    Talk(commands::talk::Args),
    Release(Box<commands::release::Args>),
    Optout(commands::optout::Args),
    Policy(commands::policy::Args),
    Card(commands::card::Args),
    Ingest(commands::ingest::Args),
    Alerts(commands::alerts::Args),
    Credit(commands::credit::Args),
    Rebuild(commands::rebuild::Args),
    Serve(Box<commands::serve::Args>),
    Confusing(commands::confusing::Args),
    Tags(Box<commands::tags::Args>),
    Select(commands::select::Args),
    Compare(Box<commands::compare::Args>),
    Clusters(commands::clusters::Args),
    Boundary(Box<commands::boundary::Args>),
    Map(commands::map::Args),
    Neighbours(commands::neighbours::Args),
    Slice(commands::slice::Args),
    Token(commands::token::Args),
    Rules(commands::rules::Args),
}

fn main() -> ExitCode {
    let mut command = Cli::command();
    let matches = command.get_matches_mut();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit());
    if let Err(error) = overwrite::protect_inputs(&command, &matches) {
        return fail(&error);
    }
    let name = cli.command.name();
    let session = match session::Session::start(name, cli.global) {
        Ok(session) => session,
        Err(error) => return fail(&error),
    };
    let result = match cli.command {
        Command::Demo(args) => commands::demo::run(&args, session),
        Command::Init(args) => commands::init::run(&args, session),
        Command::Run(args) => commands::run::run(&args, session),
        Command::Check(args) => commands::check::run(&args, session),
        Command::Extract(args) => commands::extract::run(&args, session),
        Command::Consensus(args) => commands::consensus::run(&args, session),
        Command::Agreement(args) => commands::agreement::run(&args, session),
        Command::Chosen(args) => commands::chosen::run(&args, session),
        Command::Bias(args) => commands::bias::run(&args, session),
        Command::Practice(args) => commands::practice::run(&args, session),
        Command::Advise(args) => commands::advise::run(&args, session),
        Command::Shapes(args) => commands::shapes::run(&args, session),
        Command::Marks(args) => commands::marks::run(&args, session),
        Command::Figures(args) => commands::figures::run(&args, session),
        Command::Export(args) => commands::export::run(&args, session),
        Command::Report(args) => commands::report::run(&args, session),
        Command::Retire(args) => commands::retire::run(&args, session),
        Command::Train(args) => commands::train::run(&args, session),
        Command::Score(args) => commands::score::run(&args, session),
        Command::Attention(args) => commands::attention::run(&args, session),
        Command::Outliers(args) => commands::outliers::run(&args, session),
        Command::Sample(args) => commands::sample::run(&args, session),
        Command::Simulate(args) => commands::simulate::run(&args, session),
        Command::Gold(args) => commands::gold::run(&args, session),
        Command::Flatten(args) => commands::flatten::run(&args, session),
        Command::Dedup(args) => commands::dedup::run(&args, session),
        Command::Reduce(args) => commands::reduce::run(&args, session),
        Command::Manifest(args) => commands::manifest::run(&args, session),
        Command::Talk(args) => commands::talk::run(&args, session),
        Command::Release(args) => commands::release::run(&args, session),
        Command::Optout(args) => commands::optout::run(&args, session),
        Command::Policy(args) => commands::policy::run(&args, session),
        Command::Card(args) => commands::card::run(&args, session),
        Command::Ingest(args) => commands::ingest::run(&args, session),
        Command::Alerts(args) => commands::alerts::run(&args, session),
        Command::Credit(args) => commands::credit::run(&args, session),
        Command::Rebuild(args) => commands::rebuild::run(&args, session),
        Command::Serve(args) => commands::serve::run(&args, session),
        Command::Confusing(args) => commands::confusing::run(&args, session),
        Command::Tags(args) => commands::tags::run(&args, session),
        Command::Select(args) => commands::select::run(&args, session),
        Command::Compare(args) => commands::compare::run(&args, session),
        Command::Clusters(args) => commands::clusters::run(&args, session),
        Command::Boundary(args) => commands::boundary::run(&args, session),
        Command::Map(args) => commands::map::run(&args, session),
        Command::Neighbours(args) => commands::neighbours::run(&args, session),
        Command::Slice(args) => commands::slice::run(&args, session),
        Command::Token(args) => commands::token::run(&args, session),
        Command::Rules(args) => commands::rules::run(&args, session),
    };
    match result {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

/// Whether what was typed (the program's name first or not) takes `--optouts`.
fn takes_optouts(words: &[String]) -> bool {
    let all = Cli::command();
    let mut rest = words.iter();
    let Some(mut command) = rest.find_map(|word| all.find_subcommand(word)) else { return false };
    if let Some(inner) = rest.next().and_then(|word| command.find_subcommand(word)) {
        command = inner;
    }
    command.get_arguments().any(|argument| argument.get_long() == Some("optouts"))
}

impl Command {
    fn name(&self) -> &'static str {
        match self {
            Self::Demo(_) => "demo",
            Self::Init(_) => "init",
            Self::Run(_) => "run",
            Self::Check(_) => "check",
            Self::Extract(_) => "extract",
            Self::Consensus(_) => "consensus",
            Self::Agreement(_) => "agreement",
            Self::Chosen(_) => "chosen",
            Self::Bias(_) => "bias",
            Self::Practice(_) => "practice",
            Self::Advise(_) => "advise",
            Self::Shapes(_) => "shapes",
            Self::Marks(_) => "marks",
            Self::Report(_) => "report",
            Self::Figures(_) => "figures",
            Self::Export(_) => "export",
            Self::Retire(_) => "retire",
            Self::Train(_) => "train",
            Self::Score(_) => "score",
            Self::Attention(_) => "attention",
            Self::Outliers(_) => "outliers",
            Self::Sample(_) => "sample",
            Self::Simulate(_) => "simulate",
            Self::Gold(_) => "gold",
            Self::Flatten(_) => "flatten",
            Self::Dedup(_) => "dedup",
            Self::Reduce(_) => "reduce",
            Self::Manifest(_) => "manifest",
            Self::Talk(_) => "talk",
            Self::Release(_) => "release",
            Self::Optout(_) => "optout",
            Self::Policy(_) => "policy",
            Self::Card(_) => "card",
            Self::Ingest(_) => "ingest",
            Self::Alerts(_) => "alerts",
            Self::Credit(_) => "credit",
            Self::Rebuild(_) => "rebuild",
            Self::Serve(_) => "serve",
            Self::Confusing(_) => "confusing",
            Self::Tags(_) => "tags",
            Self::Select(_) => "select",
            Self::Compare(_) => "compare",
            Self::Clusters(_) => "clusters",
            Self::Boundary(_) => "boundary",
            Self::Map(_) => "map",
            Self::Neighbours(_) => "neighbours",
            Self::Slice(_) => "slice",
            Self::Token(_) => "token",
            Self::Rules(_) => "rules",
        }
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;
    use volary_release::lineage::READS_VOTES;

    #[test]
    fn commands_that_read_votes_are_those_that_leave_people_out() {
        let all = Cli::command();
        let mut takes: Vec<&str> = all.get_subcommands().map(clap::Command::get_name).collect();
        takes.retain(|name| takes_optouts(&[(*name).to_owned()]));
        // These compare with the list, or are told by their own rules.
        takes.retain(|name| !["advise", "rebuild", "release"].contains(name));
        takes.sort_unstable();
        assert_eq!(takes, READS_VOTES);
        let takes = |line: &str| takes_optouts(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert!(takes("volary --json gold export.csv -o gold.csv") && takes("practice mix.csv"));
        assert!(takes("volary gold mix gold.csv") && !takes("volary gold verify gold.csv"));
        assert!(!takes("marks extracts") && !takes("volary"));
    }
}
