//! `volary release`: the data package, its verification, and attacks on it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Subcommand;
use serde_json::json;
use volary_release::attack::{self, Knowledge, Outcome, Truth, Version, View};
use volary_release::bias::Registry;
use volary_release::card::Folder;
use volary_release::key::ReleaseKey;
use volary_release::names::{read_ids, read_names};
use volary_release::optout::OptOuts;
use volary_release::package::{self, Inputs};
use volary_release::settings::Settings;
use volary_release::verify::{Against, verify};

use crate::session::Session;
use crate::summary::grouped;

/// Make a data package that gives the data to the world and the names to nobody.
///
/// What is in it: counts, consensus, gold standard, skill together; from tier B on votes under pseudonyms.
/// Parquet, CSV, VOTable; Croissant, RO-Crate, Frictionless, DataCite, CITATION.cff, PROV; checksums.
#[derive(Clone, Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Examples:
  volary release release.toml --votes extracts/votes.parquet --biases biases.toml --key cats.key --new-key -o cats-1.0
  volary release verify cats-1.0 --names classifications.csv
  volary release attack cats-1.0 --settings release.toml --key cats.key --names classifications.csv")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    make: Make,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    Verify(Verify),
    Attack(Attack),
}

/// What a package is made of. What it needs is an `Option` for the parser's sake: a subcommand goes without.
#[derive(Clone, Debug, clap::Args)]
struct Make {
    /// What only the team can say: title, authors, licence, tier (docs: "Publish your data").
    #[arg(value_name = "release.toml", required = true)]
    settings: Option<PathBuf>,
    /// Folder to write; it must not be there yet.
    #[arg(short, long, value_name = "DIR", required = true)]
    output: Option<PathBuf>,
    /// Votes, as `volary extract` writes them.
    #[arg(long, value_name = "FILE", required_unless_present = "shapes")]
    votes: Option<PathBuf>,
    /// Shapes that several drew, as `volary shapes` writes them.
    #[arg(long, value_name = "FILE")]
    shapes: Option<PathBuf>,
    /// Who drew them (FILE_members): needed where somebody opted out; not released.
    #[arg(long, value_name = "FILE")]
    shapes_members: Option<PathBuf>,
    /// Known biases; an empty file says that none are known.
    #[arg(long, value_name = "TOML", required = true)]
    biases: Option<PathBuf>,
    /// The key of the pseudonyms: a file that only you can read, outside the package.
    #[arg(long, value_name = "FILE", required = true)]
    key: Option<PathBuf>,
    /// Make the key. Where the release is refused, it goes again.
    #[arg(long)]
    new_key: bool,
    /// Consensus of the same votes, as `volary consensus` writes it.
    #[arg(long, value_name = "FILE")]
    consensus: Option<PathBuf>,
    /// Volunteers, as `volary consensus` writes them (skill).
    #[arg(long, value_name = "FILE")]
    volunteers: Option<PathBuf>,
    /// Known answers: subject_id,answer.
    #[arg(long, value_name = "FILE")]
    gold: Option<PathBuf>,
    /// No volunteer gave these answers. Else, where people opted out, the run.json of `volary gold` must show that
    /// they were made without them.
    #[arg(long, requires = "gold")]
    gold_of_experts: bool,
    /// A table of subjects (subject_id): what the protection costs is told by slices of its columns, too, on the
    /// known answers.
    #[arg(long, value_name = "FILE", requires = "gold", requires = "by")]
    slices: Option<PathBuf>,
    /// Those columns, with commas between them.
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', requires = "slices")]
    by: Vec<String>,
    /// volunteer,country,group where they are known (tier C).
    #[arg(long, value_name = "FILE")]
    people: Option<PathBuf>,
    /// Who opted out.
    #[arg(long, value_name = "TOML")]
    optouts: Option<PathBuf>,
    /// The team's policy; its version is stamped on the package [default: the `policy` of volary.toml].
    #[arg(long, value_name = "TOML")]
    policy: Option<PathBuf>,
    /// run.json files that the data went through (provenance).
    #[arg(long = "run", value_name = "JSON")]
    runs: Vec<PathBuf>,
    /// Subjects with public credit or Talk comments: subject_id.
    #[arg(long, value_name = "FILE")]
    public_subjects: Option<PathBuf>,
    /// The ledger of noise (`[noise]` in release.toml): what all versions have spent. Made if it is not there.
    #[arg(long, value_name = "TOML")]
    noise_ledger: Option<PathBuf>,
    /// Folders of models that leave with the data, each with its card.
    #[arg(long = "model", value_name = "DIR")]
    models: Vec<PathBuf>,
    /// The package of the version before: checks that the difference names nobody.
    #[arg(long, value_name = "DIR")]
    previous: Option<PathBuf>,
    /// The key of the version before, where it is another one and still there: with it those who left are counted,
    /// without it at the least those whom one subject lost.
    #[arg(long, value_name = "FILE", requires = "previous")]
    previous_key: Option<PathBuf>,
    #[command(flatten)]
    knows: Knows,
}

/// What an attacker is taken to know.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "What strangers know (for attacks)")]
struct Knows {
    /// Names: an export (user_name), or a line each.
    #[arg(long, value_name = "FILE")]
    names: Option<PathBuf>,
    /// Talk comments: user_name or volunteer, subject_id, created_at.
    #[arg(long, value_name = "FILE")]
    talk: Option<PathBuf>,
    /// Credits for discoveries: user_name or volunteer, subject_id, answer.
    #[arg(long, value_name = "FILE")]
    credits: Option<PathBuf>,
    /// How much each did: user_name or volunteer, n_classifications.
    #[arg(long, value_name = "FILE")]
    totals: Option<PathBuf>,
}

/// Check a package: checksums, metadata, columns, groups, names, opt-outs, biases.
///
/// Any folder may be checked, also one that others made. Exit code 1 where something is wrong.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary release verify cats-1.0
  volary release verify cats-1.0 --names classifications.csv --biases biases.toml
  volary release verify cats-1.0 --optouts optouts.toml --key cats.key --settings release.toml")]
struct Verify {
    /// The package.
    #[arg(value_name = "DIR")]
    package: PathBuf,
    /// Names that must not be in it: an export (user_name), or a line each.
    #[arg(long, value_name = "FILE")]
    names: Option<PathBuf>,
    /// Who must not be in it.
    #[arg(long, value_name = "TOML", requires = "key", requires = "settings")]
    optouts: Option<PathBuf>,
    /// The key of the package's pseudonyms.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The release.toml of the package: whether as much is promised as it asks for.
    #[arg(long, value_name = "TOML")]
    settings: Option<PathBuf>,
    /// The registry whose biases must be told.
    #[arg(long, value_name = "TOML")]
    biases: Option<PathBuf>,
}

/// Attack a package with what strangers may know, and count who is found.
///
/// Exit code 1 where more people are found than the settings allow.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  volary release attack cats-1.0 --settings release.toml --key cats.key --names classifications.csv --talk talk/comments.csv")]
struct Attack {
    /// The package.
    #[arg(value_name = "DIR")]
    package: PathBuf,
    /// The release.toml of the package.
    #[arg(long, value_name = "TOML")]
    settings: PathBuf,
    /// The key of the package's pseudonyms: only with it claims can be told right or wrong.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The package of the version before: joins the two, and looks at what is gone.
    #[arg(long, value_name = "DIR")]
    previous: Option<PathBuf>,
    /// Who opted out: whether the difference of the two versions is theirs.
    #[arg(long, value_name = "TOML", requires = "previous")]
    optouts: Option<PathBuf>,
    /// The key of the version before, where it is another one.
    #[arg(long, value_name = "FILE", requires = "previous")]
    previous_key: Option<PathBuf>,
    #[command(flatten)]
    knows: Knows,
}

/// Runs it.
pub(crate) fn run(args: &Args, session: Session) -> Result<ExitCode> {
    match &args.what {
        Some(What::Verify(args)) => run_verify(args, session),
        Some(What::Attack(args)) => run_attack(args, session),
        None => run_make(&args.make, session),
    }
}

fn knowledge(knows: &Knows, session: &Session) -> Result<Knowledge> {
    let progress = &session.progress;
    let mut knowledge = Knowledge::default();
    if let Some(path) = &knows.names {
        let names = read_names(path, progress)?;
        knowledge.know_names(names.iter().map(String::as_str));
        let ids = read_ids(path, progress)?;
        knowledge.know_ids(ids.iter().map(String::as_str));
    }
    if let Some(path) = &knows.talk {
        knowledge.talk = Knowledge::read_sightings(path, progress)?;
    }
    if let Some(path) = &knows.credits {
        knowledge.credits = Knowledge::read_sightings(path, progress)?;
    }
    if let Some(path) = &knows.totals {
        knowledge.totals = Knowledge::read_totals(path, progress)?;
    }
    Ok(knowledge)
}

fn run_make(args: &Make, mut session: Session) -> Result<ExitCode> {
    let (Some(settings_file), Some(output), Some(biases), Some(key_file)) =
        (&args.settings, &args.output, &args.biases, &args.key)
    else {
        // The command line is refused before it comes to this.
        bail!("nothing to release; see `volary release --help`");
    };
    let settings = Settings::read(settings_file)?;
    let policy = session.policy_of(args.policy.as_deref())?;
    let inputs = Inputs {
        votes: args.votes.clone(),
        shapes: args.shapes.clone(),
        shapes_members: args.shapes_members.clone(),
        consensus: args.consensus.clone(),
        volunteers: args.volunteers.clone(),
        gold: args.gold.clone(),
        is_gold_of_experts: args.gold_of_experts,
        slices: args.slices.clone(),
        sliced_by: args.by.clone(),
        people: args.people.clone(),
        biases: Some(biases.clone()),
        optouts: args.optouts.clone(),
        policy: policy.clone(),
        runs: args.runs.clone(),
        public_subjects: args.public_subjects.clone(),
        previous: args.previous.clone(),
        previous_key: args.previous_key.clone(),
        noise_ledger: args.noise_ledger.clone(),
        models: args.models.clone(),
        knowledge: knowledge(&args.knows, &session)?,
        names: match &args.knows.names {
            Some(path) => read_names(path, &session.progress)?,
            None => Vec::new(),
        },
    };
    let key = match args.new_key {
        true => ReleaseKey::create(key_file, output)?,
        false => ReleaseKey::read(key_file, output)?,
    };
    let built = match package::build(&settings, &inputs, &key, output, &session.progress) {
        Ok(built) => built,
        // Nothing was made with a new key, and what was typed is typed again once the fault is mended.
        Err(error) if args.new_key => {
            return Err(match key.take_back(key_file) {
                Ok(()) => error.into(),
                Err(left) => anyhow!("{error} (and the new key is still there, remove it: {left})"),
            });
        }
        Err(error) => return Err(error.into()),
    };
    // The key is no input for the record: its checksum would let others try keys.
    let one = [settings_file, biases];
    let more = [
        &args.votes,
        &args.shapes,
        &args.consensus,
        &args.volunteers,
        &args.gold,
        &args.slices,
        &args.people,
        &policy,
    ];
    for path in one.into_iter().chain(more.into_iter().flatten()).chain(&args.runs) {
        session.input_file(path)?;
    }
    // By its weights a model is known, and whoever opts out later finds the packages that it is in.
    for model in &args.models {
        for file in Folder::read(model)?.weight_files() {
            session.input_file(&model.join(file))?;
        }
    }
    session.output(&output.join("SHA256SUMS"));
    session.summary.line("tier", "tier", settings.tier.promise(), json!(settings.tier));
    for (table, n) in &built.tables {
        session.summary.count(&format!("n_{table}"), table, *n);
        session.rows(table, *n);
    }
    session.summary.left_out(built.left_out.iter().copied());
    if let Some(path) = &args.optouts {
        session.summary.value("optout_list", OptOuts::read(path)?.stamp());
    }
    session.summary.count("n_opted_out", "opted out, of those who voted", built.n_opted_out);
    session.summary.count("n_bytes", "bytes", built.n_bytes);
    session.summary.value("privacy", built.privacy.clone());
    if !built.missing.is_empty() {
        let missing = built.missing.join(", ");
        session.summary.note(&format!("not in it, since no input was given: {missing}"));
    }
    for warning in &built.warnings {
        session.summary.note(&format!("note: {warning}"));
    }
    tell_attacks(&mut session, &built.attacks);
    session.summary.note(&format!("written to {}", output.display()));
    let name = output.file_name().context("the output has no name")?.to_string_lossy().into_owned();
    // A record holds paths of this machine, so it stands beside the package and not in it.
    session.finish(Some(&output.with_file_name(format!("{name}.run.json"))))
}

fn tell_attacks(session: &mut Session, attacks: &[Outcome]) {
    let rows: Vec<Vec<String>> = attacks
        .iter()
        .map(|a| {
            vec![
                a.attack.to_owned(),
                grouped(a.n_targets),
                grouped(a.n_claims),
                grouped(a.n_found),
                a.share_high.map_or_else(String::new, |s| format!("{:.1} %", 100.0 * s)),
                grouped(a.most_found),
            ]
        })
        .collect();
    let header = ["attack", "looked for", "named", "found", "at most (95 %)", "allowed"];
    session.summary.table("Attacks", &header, &rows);
    session.summary.value("attacks", json!(attacks));
}

fn run_verify(args: &Verify, mut session: Session) -> Result<ExitCode> {
    let names = args.names.as_deref().map(|p| read_names(p, &session.progress)).transpose()?;
    let optouts = args.optouts.as_deref().map(OptOuts::read).transpose()?;
    let biases = args.biases.as_deref().map(Registry::read).transpose()?;
    let settings = args.settings.as_deref().map(Settings::read).transpose()?;
    let pseudonyms = match (&args.key, &settings) {
        (Some(key), Some(settings)) => {
            let key = ReleaseKey::read(key, &args.package)?;
            Some(package::pseudonyms_of(&args.package, settings, &key)?)
        }
        _ => None,
    };
    let against = Against {
        names: names.as_deref(),
        optouts: optouts.as_ref().zip(pseudonyms.as_ref()),
        biases: biases.as_ref(),
        settings: settings.as_ref(),
    };
    let verified = verify(&args.package, &against, &session.progress)?;
    session.summary.count("n_files", "files", verified.n_files);
    session.summary.count("n_bytes", "bytes", verified.n_bytes);
    if let Some((looked_for, short, common)) = verified.names {
        session.summary.count("n_names", "names looked for", looked_for);
        session.summary.count("n_names_short", "  too short to look for", short);
        session.summary.count("n_names_common", "  words of the package itself", common);
    }
    for what in &verified.not_checked {
        session.summary.note(&format!("not checked: {what}"));
    }
    let rows: Vec<Vec<String>> = verified
        .findings
        .iter()
        .map(|f| vec![f.check.name().to_owned(), f.file.clone(), f.what.clone()])
        .collect();
    session.summary.table("Wrong", &["check", "file", "what"], &rows);
    session.summary.value("findings", json!(verified.findings));
    session.summary.value("not_checked", json!(verified.not_checked));
    if verified.holds() {
        session.summary.note("nothing wrong was found");
        return session.finish(None);
    }
    session.finish(None)?;
    Ok(ExitCode::FAILURE)
}

fn run_attack(args: &Attack, mut session: Session) -> Result<ExitCode> {
    let settings = Settings::read(&args.settings)?;
    let key = ReleaseKey::read(&args.key, &args.package)?;
    let pseudonyms = package::pseudonyms_of(&args.package, &settings, &key)?;
    let knowledge = knowledge(&args.knows, &session)?;
    if knowledge.is_empty() && args.previous.is_none() {
        bail!(
            "an attacker who knows nothing finds nobody; give --names, --talk, --credits, --totals or --previous"
        );
    }
    let view = open(&args.package, &session)?;
    let truth = Truth::new(&pseudonyms, &view);
    let mut outcomes = attack::run(&view, &knowledge, &truth, settings.privacy.most_found);
    session.summary.count("n_votes", "votes in the package", view.n_rows() as u64);
    if let Some(previous) = &args.previous {
        outcomes.extend(between(args, &settings, previous, (&view, &truth), &knowledge, &session)?);
    }
    tell_attacks(&mut session, &outcomes);
    let holds = outcomes.iter().all(Outcome::holds);
    session.finish(None)?;
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What two versions say together. Who opted out in between is told by the keys of both.
fn between(
    args: &Attack,
    settings: &Settings,
    previous: &Path,
    (view, truth): (&View, &Truth<'_>),
    knowledge: &Knowledge,
    session: &Session,
) -> Result<Vec<Outcome>> {
    let before = package::Before {
        folder: previous,
        view: open(previous, session)?,
        pseudonyms: match &args.previous_key {
            Some(path) => {
                let key = ReleaseKey::read(path, previous)?;
                Some(package::pseudonyms_of(previous, settings, &key)?)
            }
            None => {
                let key = ReleaseKey::read(&args.key, previous)?;
                package::pseudonyms_if_of(previous, settings, &key)?
            }
        },
    };
    let after = Version { folder: &args.package, view, truth: Some(truth) };
    let optouts = args.optouts.as_deref().map(OptOuts::read).transpose()?.unwrap_or_default();
    let out_now = optouts.all_keys();
    let out_now: Vec<&str> = out_now.iter().map(String::as_str).collect();
    let everybody: Vec<&str> = knowledge.keys().chain(out_now.iter().copied()).collect();
    let people = package::Between { out_now: &out_now, everybody: &everybody };
    Ok(before.against(&after, &people, &settings.privacy, &session.progress)?)
}

fn open(package: &Path, session: &Session) -> Result<View> {
    if !package.is_dir() {
        bail!("not a folder; a package is one: {}", package.display());
    }
    Ok(View::open(package, &session.progress)?)
}
