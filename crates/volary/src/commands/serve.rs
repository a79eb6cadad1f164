//! `volary serve`: the live store over HTTP, until Ctrl-C.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use volary_live::learning::{LearningParams, VetoParams};
use volary_live::{Live, LiveError};
use volary_loop::pool::Mixture;
use volary_web::poll::PollToken;
use volary_web::tokens::read_secret;
use volary_web::{Choosing, Poll, Role, Secret, Server, Settings, Target, Tokens, Webhook, Workflow};

use crate::input::read_workflow_export;
use crate::live::{RulesArgs, StoreArgs};
use crate::live_tables;
use crate::page_jobs;
use crate::page_project::PageArgs;
use crate::session::Session;

/// Serve a project's page and the live store over HTTP: look at everything in a browser; votes and subjects in,
/// consensus, alerts and an event stream out.
///
/// Listens on this machine only, unless told otherwise, and then prints the address of the page with a key that
/// holds until the server ends. All data need a token; `volary token` makes tokens, and the first start makes one
/// for an admin if there is none.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary serve volary-demo
  volary serve --table subjects.csv --with map.parquet
  volary serve --answer real
  volary serve --media images --workflows workflows.csv --known-subjects-only
  volary serve --embeddings embeddings.parquet --active 0.3
  volary serve --store postgres://volary@db/live --address 0.0.0.0:8420 --host volary.example.org
  volary serve --webhook https://example.org/alerts --signing-secret out.secret
  volary serve --poll https://www.zooniverse.org/api --project-id 1234 --poll-token panoptes.token

Then:
  curl http://127.0.0.1:8420/api/v1/healthz")]
pub(crate) struct Args {
    #[command(flatten)]
    page: PageArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    rules: RulesArgs,
    /// Where to listen; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:8420", value_name = "ADDRESS:PORT")]
    address: SocketAddr,
    /// A name under which others reach it, beside its address. May be repeated.
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// The file of tokens; `volary token` writes it.
    #[arg(
        long,
        value_name = "FILE",
        help = "The file of tokens; `volary token` writes it [default: tokens.toml]"
    )]
    tokens: Option<PathBuf>,
    /// Tell alerts and retirements to a URL; NAME=URL for one that rules call by its name. May be repeated.
    #[arg(long = "webhook", value_name = "[NAME=]URL")]
    webhooks: Vec<String>,
    /// A file with the secret that signs what goes out.
    #[arg(long, value_name = "FILE")]
    signing_secret: Option<PathBuf>,
    /// A file with the secret that signs webhooks which come in; without it they need a token.
    #[arg(long, value_name = "FILE")]
    webhook_secret: Option<PathBuf>,
    /// A host on this machine or network that webhooks and --poll may go to. May be repeated.
    #[arg(long = "private", value_name = "HOST")]
    private_hosts: Vec<String>,
    /// Ask a Panoptes-compatible API for new classifications.
    #[arg(long, value_name = "URL", requires = "project_id")]
    poll: Option<String>,
    /// The project to ask for.
    #[arg(long, value_name = "ID", requires = "poll")]
    project_id: Option<String>,
    /// Only this workflow of it.
    #[arg(long, value_name = "ID", requires = "poll")]
    workflow_id: Option<String>,
    /// A file with the token for that API.
    #[arg(long, value_name = "FILE", requires = "poll")]
    poll_token: Option<PathBuf>,
    /// Seconds between questions when nothing is new.
    #[arg(long, default_value_t = 30, value_name = "SECONDS", requires = "poll")]
    poll_interval: u64,
    #[command(flatten)]
    mixture: MixtureArgs,
    /// A workflow export: votes for tasks and answers that a workflow has in none of its versions are refused.
    /// Or else what `[workflows]` and `[input]` of the settings say.
    #[arg(long, value_name = "CSV")]
    workflows: Option<PathBuf>,
    /// The folder of the subjects' images (facts image, image_2, …): served as PNG, and images that are
    /// sent are kept there.
    #[arg(long, value_name = "DIR")]
    media: Option<PathBuf>,
    /// Refuse votes on subjects that nobody announced.
    #[arg(long)]
    known_subjects_only: bool,
    /// Run the online learner on these embeddings: a table with subject_id, e0, e1, …, or
    /// what `volary score` wrote (…_embeddings).
    #[arg(long, value_name = "TABLE")]
    embeddings: Option<PathBuf>,
    /// The name of what made the embeddings; a learner of another one is never mixed with it.
    #[arg(long, value_name = "NAME", default_value = "embeddings", requires = "embeddings")]
    embedding_model: String,
    /// Let the learner put bogus subjects last, once it is certified; the file holds a secret that says which
    /// of them are shown all the same, as audits.
    #[arg(long, value_name = "FILE", requires = "embeddings")]
    veto_secret: Option<PathBuf>,
    /// Last below this probability to be real.
    #[arg(long, value_name = "P", default_value_t = 0.01)]
    veto_below: f64,
    /// Largest share of real subjects that the veto may hit, with 95 % confidence; 0.01 takes 299 real
    /// subjects without a miss.
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    veto_allowed: f64,
}

/// What volunteers are shown: weights of the streams.
#[derive(Clone, Debug, clap::Args)]
struct MixtureArgs {
    /// Weight of subjects that a score found, or that nobody drew.
    #[arg(long, default_value_t = 0.6, value_name = "WEIGHT")]
    real_time: f64,
    /// Weight of subjects drawn evenly over the scores (`volary sample`).
    #[arg(long, default_value_t = 0.25, value_name = "WEIGHT")]
    debiased: f64,
    /// Weight of subjects from which the learner would learn most.
    #[arg(long, default_value_t = 0.15, value_name = "WEIGHT")]
    active: f64,
    /// Share of validation subjects.
    #[arg(long, default_value_t = 0.05, value_name = "SHARE")]
    validation_rate: f64,
}

impl MixtureArgs {
    fn to_mixture(&self) -> Mixture {
        let Self { real_time, debiased, active, validation_rate } = *self;
        Mixture { real_time, debiased, active, validation_rate }
    }
}

/// Share of vetoed subjects that are shown all the same.
const AUDIT_SHARE: f64 = 0.05;
/// How often Ctrl-C and the store are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let mut settings = args.settings()?;
    settings.workflows = args.known_workflows(&mut session)?;
    let project = args.page.read(&mut session)?;
    let left_out = project.left_out.clone();
    settings.project = std::sync::Arc::new(project);
    settings.runner = page_jobs::runner(&args.page, &session)?;
    let tokens = settings.tokens.clone();
    let store = match &args.page.folder {
        Some(folder) => args.store.inside(folder),
        None => args.store.clone(),
    };
    let learner = match &args.embeddings {
        Some(path) => {
            let embeddings = live_tables::embeddings(path, &args.embedding_model, &mut session)?;
            let veto = args.veto()?;
            Some((embeddings, LearningParams { veto, ..LearningParams::default() }))
        }
        None => None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("starting the server's threads failed")?;
    let counts = runtime.block_on(async {
        let live = store.open().await?;
        args.rules.put_into(&live, &session).await?;
        let mixture = args.mixture.to_mixture();
        let queue = Choosing::start(&live, mixture, session.global.seed, learner).await?;
        let server = Server::start_with(live.clone(), settings, queue).await?;
        // Last: where the server cannot start, nobody would be shown the token.
        let first_token = first_token(&tokens)?;
        greet(&store.to_string(), &server, first_token.as_deref(), &left_out);
        let ended = until_stopped(&live, &session).await;
        server.stop().await;
        ended?;
        let counts = live.counts().await?;
        live.close().await?;
        anyhow::Ok(counts)
    })?;
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    session.summary.count("n_events", "events in the store", count(counts.n_events));
    session.summary.count("n_alerts", "alerts", count(counts.n_alerts));
    session.summary.count("n_waiting", "deliveries that wait", count(counts.n_waiting));
    session.finish(None)
}

/// Where it is and how to get in; on standard error, which is read by people.
pub(crate) fn greet(what: &str, server: &Server, first_token: Option<&str>, left_out: &[String]) {
    let address = server.address();
    let mut to = std::io::stderr().lock();
    // A closed pipe is the reader's choice.
    let _ = writeln!(to, "http://{address}/api/v1 serves {what}");
    let _ = writeln!(to, "the page: {}", server.page_url());
    for line in left_out {
        let _ = writeln!(to, "not shown: {}", crate::summary::printable(line));
    }
    let _ = match first_token {
        Some(token) => writeln!(to, "a token for an admin was made, and is shown this once: {token}"),
        None => writeln!(to, "`volary token list` shows its tokens, `volary token make` makes more"),
    };
    if !address.ip().is_loopback() {
        let _ =
            writeln!(to, "others can reach it, and http can be read on the way: put it behind https");
    }
    let _ = writeln!(to, "Ctrl-C stops it");
}

/// Until Ctrl-C; an error if the store stops writing.
async fn until_stopped(live: &Live, session: &Session) -> Result<()> {
    let mut n = 0_u32;
    while !session.progress.is_stopped() {
        tokio::time::sleep(LOOK).await;
        n += 1;
        if n.is_multiple_of(10)
            && let Err(error @ LiveError::Stopped) = live.verdicts(&[]).await
        {
            return Err(error.into());
        }
    }
    Ok(())
}

/// A token for an admin where there is none at all.
pub(crate) fn first_token(path: &Path) -> Result<Option<String>> {
    let tokens = Tokens::open(path)?;
    if !tokens.list().is_empty() {
        return Ok(None);
    }
    Ok(Some(tokens.make("first", [Role::Admin], jiff::Timestamp::now())?))
}

impl Args {
    fn veto(&self) -> Result<Option<VetoParams>> {
        let Some(path) = &self.veto_secret else { return Ok(None) };
        let key = *blake3::hash(text_of(path)?.as_bytes()).as_bytes();
        let (below, allowed) = (self.veto_below, self.veto_allowed);
        Ok(Some(VetoParams { key, audit_share: AUDIT_SHARE, below, allowed }))
    }

    /// What may be answered: written out in the settings, or else as an export has it.
    fn known_workflows(&self, session: &mut Session) -> Result<BTreeMap<String, Workflow>> {
        let mut known = session.settings.workflows.clone();
        let path = self.workflows.clone().or_else(|| session.settings.input.workflows.clone());
        if let Some(export) = read_workflow_export(path.as_deref(), session)? {
            for id in export.ids() {
                known.entry(id.to_owned()).or_insert_with(|| live_tables::workflow(&export, id));
            }
        }
        Ok(known)
    }

    fn settings(&self) -> Result<Settings> {
        let inside =
            |name: &str| self.page.folder.as_ref().map_or_else(|| name.into(), |f| f.join(name));
        let tokens = self.tokens.clone().unwrap_or_else(|| inside("tokens.toml"));
        let mut settings = Settings::new(tokens);
        settings.address = self.address;
        settings.hosts.clone_from(&self.hosts);
        settings.media.clone_from(&self.media);
        settings.known_subjects_only = self.known_subjects_only;
        settings.webhook_secret = self.webhook_secret.as_deref().map(secret).transpose()?;
        settings.outgoing_secret = self.signing_secret.as_deref().map(secret).transpose()?;
        for webhook in &self.webhooks {
            let (name, url) = match webhook.split_once('=') {
                Some((name, url)) if !name.contains('/') => (Some(name.to_owned()), url),
                _ => (None, webhook.as_str()),
            };
            settings.webhooks.push(Webhook { name, target: self.target(url)? });
        }
        if let (Some(base), Some(project)) = (&self.poll, &self.project_id) {
            let mut poll = Poll::new(self.target(base)?, project);
            poll.workflow.clone_from(&self.workflow_id);
            poll.interval = Duration::from_secs(self.poll_interval.max(1));
            if let Some(path) = &self.poll_token {
                poll.token = Some(PollToken::new(&text_of(path)?));
            }
            settings.polls.push(poll);
        }
        Ok(settings)
    }

    fn target(&self, url: &str) -> Result<Target> {
        // The host as it is written, so that it can be looked for among those that were named.
        let target = Target::parse(url, true)?;
        let is_named = self.private_hosts.iter().any(|host| host.eq_ignore_ascii_case(target.host()));
        Ok(Target::parse(url, is_named)?)
    }
}

fn text_of(path: &Path) -> Result<String> {
    let Some(text) = read_secret(path)? else { bail!("there is no such file: {}", path.display()) };
    if text.trim().is_empty() {
        bail!("it is empty; put the secret into it: {}", path.display());
    }
    Ok(text)
}

fn secret(path: &Path) -> Result<Secret> {
    Ok(Secret::new(&text_of(path)?))
}
