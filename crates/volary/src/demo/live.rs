//! The demo live: subjects arrive, simulated volunteers ask what to look at and vote, the rules fire, the
//! learner learns, and all of it is served.
//!
//! The volunteers go through the same queue and the same store as anybody's would; only their eyes are
//! simulated. Everything but the times comes from the seed.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use rand::RngExt as _;
use volary_core::seed::{Rng, stream};
use volary_live::learning::{Embeddings, LearningParams};
use volary_live::store::{Options, Place};
use volary_live::{Actor, Event, Key, Kind, Live, Policy};
use volary_loop::pool::Mixture;
use volary_web::{Choosing, Queue as _, Server, Settings};

use crate::commands::{ingest, serve};
use crate::page_jobs;
use crate::page_project::PageArgs;
use crate::session::Session;

/// Candidates of the night.
const N_SUBJECTS: usize = 240;
/// Every so many-th has a known truth.
const KNOWN_EVERY: usize = 12;
/// Share of real ones.
const SHARE_REAL: f64 = 0.25;
const N_VOLUNTEERS: usize = 60;
const DIMENSION: usize = 8;
/// Between two votes.
const PAUSE: Duration = Duration::from_millis(25);

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Night {
    pub(crate) n_votes: u64,
    pub(crate) n_alerts: u64,
    /// Alerts on subjects that are bogus.
    pub(crate) n_false: u64,
    /// Real subjects that retired without an alert.
    pub(crate) n_missed: u64,
    pub(crate) n_retired: u64,
}

/// The sky of one night.
struct Sky {
    is_real: HashMap<String, bool>,
    embeddings: Embeddings,
    events: Vec<Event>,
}

/// Serves the demo until Ctrl-C, until everything has retired, or after `most_votes`.
pub(crate) async fn run(
    folder: &Path,
    mut settings: Settings,
    most_votes: Option<u64>,
    session: &mut Session,
) -> Result<Night> {
    let seed = session.global.seed;
    let sky = sky(seed);
    let page = PageArgs::of(folder);
    let project = page.read(session)?;
    settings.runner = page_jobs::runner(&page, session)?;
    let left_out = project.left_out.clone();
    settings.project = Arc::new(project);
    let first_token = serve::first_token(&settings.tokens)?;
    let place = Place::File(folder.join("live.db"));
    let live = Live::open(&place, Options::default()).await?;
    let policy = Policy::kilonova_seekers("volary-demo", "T0", "real");
    let key = |id: &str| Key { source: "demo".to_owned(), id: id.to_owned() };
    let policy = Event { key: key("policy"), at_ms: 0, kind: Kind::Policy { policy: Box::new(policy) } };
    live.submit(vec![policy]).await?;
    live.submit(sky.events.clone()).await?;
    let learner = Some((sky.embeddings.clone(), LearningParams::default()));
    let queue = Choosing::start(&live, Mixture::default(), seed, learner).await?;
    let server = Server::start_with(live.clone(), settings, Arc::clone(&queue) as _).await?;
    serve::greet(
        &format!("the demo ({})", folder.display()),
        &server,
        first_token.as_deref(),
        &left_out,
    );
    let printer = (!session.global.json).then(|| ingest::print_effects(&live));
    let voted = vote(&live, &queue, &sky, most_votes, session).await;
    server.stop().await;
    // It holds the store, and the printer ends only when nobody does.
    drop(queue);
    let night = summed_up(&live, &sky, voted?).await?;
    live.close().await?;
    if let Some(printer) = printer {
        printer.await?;
    }
    Ok(night)
}

fn sky(seed: u64) -> Sky {
    let mut rng = stream(seed, "demo night");
    let mut made = Sky {
        is_real: HashMap::new(),
        embeddings: Embeddings { model: "demo".to_owned(), dimension: DIMENSION, of: HashMap::new() },
        events: Vec::new(),
    };
    for at in 0..N_SUBJECTS {
        let subject = format!("candidate-{at:03}");
        let is_real = rng.random::<f64>() < SHARE_REAL;
        let side = if is_real { 0.4 } else { -0.4 };
        let noise = |rng: &mut Rng| rng.random::<f64>() + rng.random::<f64>() - 1.0;
        // What is real differs in the first two entries; the others are as they come.
        let x: Vec<f64> =
            (0..DIMENSION).map(|entry| noise(&mut rng) + if entry < 2 { side } else { 0.0 }).collect();
        let score = (0.5 + 0.3 * x[0] + 0.2 * noise(&mut rng)).clamp(0.0, 1.0);
        let is_known = at % KNOWN_EVERY == 0;
        let name = if is_real { "real" } else { "bogus" };
        let truth = [("T0".to_owned(), vec![name.to_owned()])].into_iter().filter(|_| is_known);
        let facts = [("score".to_owned(), format!("{score:.3}"))].into();
        let kind = Kind::Subject {
            subject: subject.clone(),
            validation: is_known,
            truth: truth.collect(),
            facts,
        };
        let key = Key { source: "demo".to_owned(), id: format!("subject/{subject}") };
        made.events.push(Event { key, at_ms: at as i64, kind });
        made.is_real.insert(subject.clone(), is_real);
        made.embeddings.of.insert(subject, x);
    }
    made
}

/// Volunteers come one by one, the busy ones more often, ask for a subject and say what they see.
async fn vote(
    live: &Live,
    queue: &Choosing,
    sky: &Sky,
    most_votes: Option<u64>,
    session: &Session,
) -> Result<u64> {
    let mut rng = stream(session.global.seed, "demo volunteers");
    let skills: Vec<f64> = (0..N_VOLUNTEERS).map(|_| 0.7 + 0.28 * rng.random::<f64>()).collect();
    let (mut n_votes, mut n_idle) = (0, 0);
    while !session.progress.is_stopped() && n_idle < 4 * N_VOLUNTEERS {
        if most_votes.is_some_and(|most| n_votes >= most) {
            break;
        }
        let who = (rng.random::<f64>().powi(2) * N_VOLUNTEERS as f64) as usize;
        let actor = Actor::User(format!("{}", 100 + who));
        let Some(subject) = queue.next(live, &actor, None, 1).await?.into_iter().next() else {
            // This one has seen everything that is open.
            n_idle += 1;
            continue;
        };
        n_idle = 0;
        let is_right = rng.random::<f64>() < skills[who];
        let says_real = sky.is_real.get(&subject).copied().unwrap_or(false) == is_right;
        let answer = if says_real { "real" } else { "bogus" };
        let kind = Kind::Vote {
            workflow: "night".to_owned(),
            version: "1".to_owned(),
            subject: subject.clone(),
            actor,
            answers: [("T0".to_owned(), vec![answer.to_owned()])].into(),
        };
        let key = Key { source: "demo".to_owned(), id: format!("vote/{who}/{subject}") };
        live.submit(vec![Event { key, at_ms: session.now_ms(), kind }]).await?;
        n_votes += 1;
        if most_votes.is_none() {
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(n_votes)
}

async fn summed_up(live: &Live, sky: &Sky, n_votes: u64) -> Result<Night> {
    let alerts = live.alerts(0, u32::MAX).await?;
    let is_real = |subject: &str| sky.is_real.get(subject).copied().unwrap_or(false);
    let mut night = Night { n_votes, n_alerts: alerts.len() as u64, ..Night::default() };
    night.n_false = alerts.iter().filter(|alert| !is_real(&alert.subject)).count() as u64;
    for summary in live.summaries().await? {
        let summary: serde_json::Value = serde_json::from_str(&summary)?;
        if summary["retired"].is_null() {
            continue;
        }
        night.n_retired += 1;
        let subject = summary["subject"].as_str().unwrap_or_default();
        let is_known = summary["validation"] == true;
        let has_alert = alerts.iter().any(|alert| alert.subject == subject);
        night.n_missed += u64::from(is_real(subject) && !is_known && !has_alert);
    }
    Ok(night)
}
