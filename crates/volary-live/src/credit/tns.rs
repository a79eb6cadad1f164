//! The text of a report to the Transient Name Server: prepared, never sent.
//!
//! Two dialects are in use (SkyPortal's and tom_tns'); both come from one struct. There is no field for a
//! discoverer: volunteers stand in `reporter`, which is free text, and the votes in `remarks`. A report
//! without a non-detection before the detection must say that the older data are archival.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::names::for_report;
use crate::alert::Alert;

/// Whose field names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// SkyPortal, ALeRCE, AMPEL, DESIRT.
    #[default]
    SkyPortal,
    /// tom_tns.
    TomTns,
}

/// What is the same in all reports of a team.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Team {
    /// "Kilonova Seekers".
    pub project: String,
    /// The people of the team, as they want to be listed.
    pub members: String,
    /// On whose behalf; empty for nobody's.
    pub collaboration: String,
    /// TNS number of the reporting group.
    pub reporting_group: u32,
    /// TNS number of the source of the data.
    pub data_source: u32,
    /// TNS kind: 0 other, 1 possible supernova, 2 nova, 3 AGN, 4 nuclear, 5 fast radio burst.
    pub at_type: u32,
}

/// Why a report cannot be prepared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// Facts that TNS wants are not known.
    #[error("subject {subject} lacks {missing}; add these facts to its subject event")]
    Missing {
        /// The subject.
        subject: String,
        /// Which facts.
        missing: String,
    },
    /// A fact that is no number, or none that can be.
    #[error("subject {subject}: {fact} is {value:?}, which is no number that can be reported")]
    Number {
        /// The subject.
        subject: String,
        /// Which fact.
        fact: &'static str,
        /// What it says.
        value: String,
    },
}

/// Facts without which there is no report.
const NEEDED: [&str; 7] =
    ["ra_deg", "dec_deg", "discovery_time", "magnitude", "filter", "instrument", "internal_name"];

/// The report of an alert as JSON. `named`: the names to credit; `facts`: of the subject, as text.
///
/// # Errors
/// [`ReportError`] lists what is missing.
pub fn report(
    alert: &Alert,
    named: &[String],
    facts: &BTreeMap<String, String>,
    team: &Team,
    dialect: Dialect,
) -> Result<String, ReportError> {
    let has = |fact: &&str| facts.get(*fact).is_some_and(|value| !value.trim().is_empty());
    let mut missing: Vec<&str> = NEEDED.into_iter().filter(|fact| !has(fact)).collect();
    let is_archival = has(&"archival_remarks");
    if !is_archival {
        let limits = ["non_detection_time", "limiting_magnitude"];
        missing.extend(limits.into_iter().filter(|fact| !has(fact)));
    }
    if !missing.is_empty() {
        let (subject, missing) = (alert.subject.clone(), missing.join(", "));
        return Err(ReportError::Missing { subject, missing });
    }
    let text = |fact: &str| facts.get(fact).map(|value| value.trim().to_owned()).unwrap_or_default();
    let number = |fact: &'static str, low: f64, high: f64| {
        let value = text(fact);
        match value.parse::<f64>() {
            Ok(number) if number >= low && number <= high => Ok(number),
            _ => Err(ReportError::Number { subject: alert.subject.clone(), fact, value }),
        }
    };
    let (ra, dec) = (number("ra_deg", 0.0, 360.0)?, number("dec_deg", -90.0, 90.0)?);
    let magnitude = number("magnitude", -30.0, 40.0)?;
    let is_tom = dialect == Dialect::TomTns;
    let named_as = |usual: &'static str, tom: &'static str| if is_tom { tom } else { usual };

    let mut flux = Map::new();
    flux.insert("obsdate".into(), json!(text("discovery_time")));
    flux.insert("flux".into(), json!(magnitude));
    flux.insert(named_as("flux_units", "flux_unitid").into(), json!("1"));
    flux.insert(named_as("filter_value", "filterid").into(), json!(text("filter")));
    flux.insert(named_as("instrument_value", "instrumentid").into(), json!(text("instrument")));
    let mut limit = Map::new();
    if is_archival {
        limit.insert("archiveid".into(), json!("0"));
        limit.insert("archival_remarks".into(), json!(text("archival_remarks")));
    } else {
        limit.insert("obsdate".into(), json!(text("non_detection_time")));
        limit.insert("limiting_flux".into(), json!(number("limiting_magnitude", -30.0, 40.0)?));
        limit.insert(named_as("flux_units", "flux_unitid").into(), json!("1"));
        limit.insert(named_as("filter_value", "filterid").into(), json!(text("filter")));
        limit.insert(named_as("instrument_value", "instrumentid").into(), json!(text("instrument")));
    }
    let mut at = Map::new();
    // TNS writes 0 for a full turn.
    at.insert("ra".into(), json!({"value": if ra >= 360.0 { 0.0 } else { ra }}));
    at.insert("dec".into(), json!({"value": dec}));
    at.insert(named_as("reporting_group_id", "reporting_groupid").into(), json!(team.reporting_group));
    at.insert(
        named_as("discovery_data_source_id", "data_source_groupid").into(),
        json!(team.data_source),
    );
    at.insert("reporter".into(), json!(reporter(named, team)));
    at.insert("discovery_datetime".into(), json!(text("discovery_time")));
    at.insert("at_type".into(), json!(team.at_type));
    at.insert("internal_name".into(), json!(text("internal_name")));
    at.insert("remarks".into(), json!(remarks(alert)));
    at.insert("non_detection".into(), Value::Object(limit));
    at.insert("photometry".into(), json!({"photometry_group": {"0": flux}}));
    let report = json!({"at_report": {"0": at}});
    Ok(serde_json::to_string_pretty(&report).expect("text and finite numbers always serialise") + "\n")
}

/// "A, B and C (Kilonova Seekers volunteers), the team, on behalf of the collaboration".
#[must_use]
pub fn reporter(named: &[String], team: &Team) -> String {
    let names: Vec<String> =
        named.iter().map(|name| for_report(name)).filter(|n| !n.is_empty()).collect();
    let mut parts = Vec::new();
    if let Some((last, before)) = names.split_last() {
        let list =
            if before.is_empty() { last.clone() } else { format!("{} and {last}", before.join(", ")) };
        let people = if before.is_empty() { "volunteer" } else { "volunteers" };
        parts.push(format!("{list} ({} {people})", team.project));
    } else {
        parts.push(format!("Volunteers of {}", team.project));
    }
    if !team.members.is_empty() {
        parts.push(team.members.clone());
    }
    if !team.collaboration.is_empty() {
        parts.push(format!("on behalf of {}", team.collaboration));
    }
    parts.join(", ")
}

fn remarks(alert: &Alert) -> String {
    let time = jiff::Timestamp::from_millisecond(alert.at_ms)
        .map_or_else(|_| "?".to_owned(), |t| t.to_string());
    format!(
        "Volunteers' consensus at {time}: {} of {} votes when the rule was met (policy {}).",
        alert.k, alert.n, alert.policy
    )
}

/// Whether two positions are one object: at most 2 arcseconds apart.
#[must_use]
pub fn is_one_object(a_deg: (f64, f64), b_deg: (f64, f64)) -> bool {
    const LIMIT_ARCSEC: f64 = 2.0;
    let (ra_a, dec_a, ra_b, dec_b) =
        (a_deg.0.to_radians(), a_deg.1.to_radians(), b_deg.0.to_radians(), b_deg.1.to_radians());
    // The haversine keeps its digits where the cosine of a small angle loses them.
    let square = |x: f64| x * x;
    let h = square(((dec_b - dec_a) / 2.0).sin())
        + dec_a.cos() * dec_b.cos() * square(((ra_b - ra_a) / 2.0).sin());
    2.0 * h.sqrt().min(1.0).asin().to_degrees() * 3600.0 <= LIMIT_ARCSEC
}

#[cfg(test)]
#[path = "tns_tests.rs"]
mod tests;
