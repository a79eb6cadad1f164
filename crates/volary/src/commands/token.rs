//! `volary token`: who may ask `volary serve` for what.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::{Subcommand, ValueEnum};
use serde_json::json;
use volary_ingest::output::Held;
use volary_web::tokens::{Token, write_secret};
use volary_web::{Role, Tokens};

use crate::session::Session;

/// Make, list and revoke the tokens that `volary serve` takes.
///
/// A token is shown once, when it is made; the file holds its hash. A running server sees the change
/// within a second.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary token make classify-page --role write -o write.token
  volary token make dashboard --role read
  volary token list
  volary token revoke k3v9q2xa")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
    /// The file of tokens.
    #[arg(long, global = true, default_value = "tokens.toml", value_name = "FILE")]
    tokens: PathBuf,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    Make(Make),
    List(List),
    Revoke(Revoke),
}

/// Make a token and show it, this once.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  volary token make classify-page --role write -o write.token")]
struct Make {
    /// What it is for.
    name: String,
    /// What it may do: read results; write votes and subjects; admin may do everything. May be repeated.
    #[arg(long = "role", value_name = "ROLE", required = true)]
    roles: Vec<Word>,
    /// Write it to a file that only you can read, instead of showing it.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Word {
    Read,
    Write,
    Admin,
}

impl From<Word> for Role {
    fn from(word: Word) -> Self {
        match word {
            Word::Read => Self::Read,
            Word::Write => Self::Write,
            Word::Admin => Self::Admin,
        }
    }
}

/// List the tokens, without their secrets.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  volary token list")]
struct List {}

/// Take a token away.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  volary token revoke k3v9q2xa")]
struct Revoke {
    /// Its id, as `volary token list` shows it.
    id: String,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    // Of two commands at once the second reads what the first has written.
    let held = match &args.what {
        What::List(_) => None,
        What::Make(_) | What::Revoke(_) => Some(Held::new(&args.tokens)?),
    };
    let tokens = Tokens::open(held.as_ref().map_or(args.tokens.as_path(), Held::path))?;
    match &args.what {
        What::Make(make) => {
            let roles = make.roles.iter().copied().map(Role::from);
            let now = jiff::Timestamp::from_millisecond(session.now_ms()).context("the clock is off")?;
            match &make.output {
                Some(path) => {
                    let text = tokens.make(&make.name, roles, now)?;
                    write_secret(path, &format!("{text}\n"))?;
                    let shown = path.display().to_string();
                    session.summary.line("file", "the token is in", &shown, shown.clone());
                }
                None => {
                    let text = tokens.make(&make.name, roles, now)?;
                    session.summary.line("token", "shown this once", &text, text.clone());
                }
            }
        }
        What::List(List {}) => {
            let held = tokens.list();
            session.summary.count("n_tokens", "tokens", held.len() as u64);
            let words = |roles: &BTreeSet<Role>| {
                roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(" ")
            };
            let row = |token: &Arc<Token>| {
                vec![token.id.clone(), token.name.clone(), words(&token.roles), token.made.clone()]
            };
            let rows: Vec<Vec<String>> = held.iter().map(row).collect();
            session.summary.table("Tokens", &["id", "for", "roles", "made"], &rows);
            let listed: Vec<_> = held
                .iter()
                .map(|token| json!({"id": token.id, "name": token.name, "roles": token.roles, "made": token.made}))
                .collect();
            session.summary.value("tokens", listed);
        }
        What::Revoke(Revoke { id }) => {
            tokens.revoke(id)?;
            session.summary.line("revoked", "revoked", id, id.clone());
        }
    }
    session.finish(None)
}
