//! `volary card`: the model card, filled from the model's folder, and whether a card still says what is so.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use serde_json::json;
use volary_ingest::output::write_whole;
use volary_release::bias::Registry;
use volary_release::card::{CARD_FILE, Folder, Prose, Said, card, differences};
use volary_release::lineage::Lineage;
use volary_release::policy::Policy;

use crate::session::Session;

/// Write a model's card, or check one: what it learned from, how good it is, what it cost, how to load it.
///
/// Everything is read from the model's folder and, for what only people can say, from [card] in the policy;
/// nothing is written by hand. Files that contradict each other have no card. The runs that led to the model
/// are looked for beside it (--project) and kept with it. The front matter is Hugging Face's.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary card model --policy policy.toml --biases biases.toml
  volary card model --policy policy.toml --biases biases.toml -o model/README.md
  volary card model --policy policy.toml --biases biases.toml --check
  volary card model --draft")]
pub(crate) struct Args {
    /// The folder that `volary train` wrote.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// The team's policy, with a table [card]: licence, intended_use, out_of_scope, data, contact [default: the `policy` of
    /// volary.toml].
    #[arg(long, value_name = "TOML")]
    policy: Option<PathBuf>,
    /// Known biases; an empty file says that none are known.
    #[arg(long, value_name = "TOML", required_unless_present = "draft")]
    biases: Option<PathBuf>,
    /// Write what can be said without a policy or biases.
    #[arg(long)]
    draft: bool,
    /// Check the card that is there instead of writing one. Exit code 1 where it says something else.
    #[arg(long)]
    check: bool,
    /// The card [default: card.md in the folder].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Folder in which the runs before the training are looked for [default: the one that the model lies in].
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let mut folder = Folder::read(&args.model)?;
    let policy = match (&args.policy, args.draft) {
        (None, true) => None,
        (named, _) => session.policy_of(named.as_deref())?,
    };
    if policy.is_none() && !args.draft {
        bail!(
            "a card says what only people can say: give --policy, or `policy` under [project] in volary.toml and --config; \
             --draft writes the rest"
        );
    }
    let policy = policy.as_deref().map(Policy::read).transpose()?;
    let biases = args.biases.as_deref().map(Registry::read).transpose()?;
    let prose = policy.as_ref().map(|policy| Prose::of(policy, folder.kind())).transpose()?;
    let said = Said {
        prose: prose.as_ref().zip(policy.as_ref().map(|policy| policy.version.as_str())),
        biases: biases.as_ref(),
    };
    let path = args.output.clone().unwrap_or_else(|| args.model.join(CARD_FILE));
    session.summary.line("model", "model", &folder.id(), folder.id());
    if args.check {
        return check(&folder, &said, &path, session);
    }
    let project = args.project.clone().unwrap_or_else(|| around(&args.model));
    folder.trace(&Lineage::scan(&project)?)?;
    let text = card(&folder, &said)?;
    write_whole(&path, text.as_bytes())?;
    session.summary.count("n_measured", "tables of what was measured", folder.rows().len() as u64);
    session.summary.value("is_draft", said.is_draft());
    session.summary.note(&format!("written to {}", path.display()));
    session.finish(None)
}

/// The folder that a model lies in.
fn around(model: &Path) -> PathBuf {
    let whole = std::fs::canonicalize(model).unwrap_or_else(|_| model.to_owned());
    whole.parent().map_or_else(|| PathBuf::from("."), Path::to_owned)
}

fn check(folder: &Folder, said: &Said<'_>, path: &Path, mut session: Session) -> Result<ExitCode> {
    if !path.is_file() {
        bail!("there is no card; `volary card` without --check writes it: {}", path.display());
    }
    let found = differences(folder, said, path)?;
    session.summary.value("differences", json!(found));
    if found.is_empty() {
        session.summary.note("the card says what the folder says");
        return session.finish(None);
    }
    let rows: Vec<Vec<String>> = found.iter().map(|d| vec![d.clone()]).collect();
    session.summary.table("The card says something else", &["where"], &rows);
    session.finish(None)?;
    Ok(ExitCode::FAILURE)
}
