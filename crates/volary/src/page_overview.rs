//! A project at a glance: how much there is, what is retired and why, day by day. Counting of rows that are there, no
//! statistics.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use volary_ingest::tables::for_each_batch;
use volary_web::project::Overview;

use crate::session::Session;

/// Reads the extracts of a project, those that there are.
pub(crate) fn read(folder: &Path, session: &mut Session) -> Result<Overview> {
    let mut overview = Overview::default();
    let path = folder.join("extracts/classifications.parquet");
    if path.is_file() {
        let (mut n, mut by_day) = (0, BTreeMap::<String, u64>::new());
        for_each_batch(&path, &[], &session.progress, |cells| {
            n += cells.n_rows() as u64;
            for row in 0..cells.n_rows() {
                if let Some(day) = cells.time_ms("created_at", row).and_then(day) {
                    *by_day.entry(day).or_default() += 1;
                }
            }
            Ok(())
        })?;
        (overview.n_classifications, overview.by_day) = (Some(n), by_day);
    }
    let path = folder.join("extracts/subjects.parquet");
    if path.is_file() {
        let (mut n, mut by_reason) = (0, BTreeMap::<String, u64>::new());
        let by_day = &mut overview.retired_by_day;
        for_each_batch(&path, &["subject_id"], &session.progress, |cells| {
            n += cells.n_rows() as u64;
            for row in 0..cells.n_rows() {
                let reason = cells.text("retirement_reason", row);
                let retired_ms = cells.time_ms("retired_at", row);
                if reason.is_some() || retired_ms.is_some() {
                    let reason = reason.filter(|r| !r.is_empty()).unwrap_or("other".into()).into_owned();
                    if let Some(day) = retired_ms.and_then(day) {
                        *by_day.entry(day).or_default().entry(reason.clone()).or_default() += 1;
                    }
                    *by_reason.entry(reason).or_default() += 1;
                }
            }
            Ok(())
        })?;
        overview.n_subjects = Some(n);
        overview.n_retired = Some(by_reason.values().sum());
        overview.retired_by_reason = by_reason;
    }
    Ok(overview)
}

fn day(ms: i64) -> Option<String> {
    let time = jiff::Timestamp::from_millisecond(ms).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).date().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_utc() {
        assert_eq!(day(1_800_000_000_000).as_deref(), Some("2027-01-15"));
        assert_eq!(day(i64::MAX), None);
    }
}
