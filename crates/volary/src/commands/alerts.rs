//! `volary alerts`: what the rules have found.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;
use volary_ingest::output;
use volary_live::alert::check_chain;

use crate::live::{StoreArgs, time_text, wait};
use crate::session::Session;

/// List the alerts of the live store, without the volunteers: those come by `volary credit`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary alerts
  volary alerts --after 12 -o alerts.json")]
pub(crate) struct Args {
    #[command(flatten)]
    store: StoreArgs,
    /// Only alerts after this number.
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    after: u64,
    /// Write them as JSON too.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let all = wait(async {
        let live = args.store.look().await?;
        let all = live.alerts(0, u32::MAX).await?;
        live.close().await?;
        Ok(all)
    })?;
    check_chain(&all)?;
    let alerts: Vec<_> = all.iter().filter(|alert| alert.number > args.after).collect();
    let listed: Vec<_> = alerts
        .iter()
        .map(|alert| {
            json!({
                "number": alert.number, "subject_id": alert.subject, "workflow_id": alert.workflow,
                "workflow_major": alert.major, "rule": alert.rule, "at": time_text(alert.at_ms),
                "n_votes": alert.n, "n_positive": alert.k, "p_low": alert.p_low, "p_high": alert.p_high,
                "policy": alert.policy, "event_set_hash": alert.event_set_hash, "hash": alert.hash,
            })
        })
        .collect();
    if let Some(path) = &args.output {
        output::write_whole(path, format!("{:#}\n", json!(listed)).as_bytes())?;
    }
    let row = |alert: &&volary_live::Alert| {
        vec![
            alert.number.to_string(),
            time_text(alert.at_ms),
            alert.subject.clone(),
            alert.rule.clone(),
            format!("{} of {}", alert.k, alert.n),
            format!("{:.2}–{:.2}", alert.p_low, alert.p_high),
            alert.hash[..12].to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = alerts.iter().map(row).collect();
    session.summary.count("n_alerts", "alerts", alerts.len() as u64);
    let header = ["", "when", "subject", "rule", "votes", "share of yes, 95 %", "hash"];
    session.summary.table("Alerts", &header, &rows);
    session.summary.value("alerts", listed);
    session.finish(None)
}
