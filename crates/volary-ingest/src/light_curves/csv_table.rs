//! Light curves as tables: a row per stamp, of one light curve or of many.

use std::collections::BTreeMap;
use std::path::Path;

use volary_core::ProblemKind;

use super::{FLUX, LightCurve, ReadFile, TIME, name_of, star_key, star_of_name, stem, tidy};
use crate::columns::{find, need};
use crate::error::IngestError;
use crate::records::{RecordOptions, Records};
use crate::report::Tally;
use crate::source::Progress;

pub(super) const STAR: [&str; 7] = ["kepler_id", "keplerid", "kic", "star", "tic_id", "ticid", "kepid"];
pub(super) const QUARTER: [&str; 3] = ["quarter", "sector", "campaign"];
pub(super) const SUBJECT: [&str; 2] = ["subject_id", "subject"];

/// Reads `time,flux`, with `kepler_id`, `quarter`, `subject_id` where the table holds several light curves.
pub(super) fn read(path: &Path, progress: &Progress) -> Result<ReadFile, IngestError> {
    const EXPECTED: &str = "a light curve (time,flux)";
    let mut records = Records::open(path, RecordOptions::default(), progress)?;
    let header = records.header().clone();
    let time = need(&header, &TIME, EXPECTED, path)?;
    let flux = need(&header, &FLUX, EXPECTED, path)?;
    let whose = [find(&header, &STAR), find(&header, &QUARTER), find(&header, &SUBJECT)];
    let mut curves: BTreeMap<[String; 3], LightCurve> = BTreeMap::new();
    let mut tally = Tally::default();
    while let Some(record) = records.next_record()? {
        let mut cell = |column: usize| {
            let text = record.get(Some(column)).trim();
            number(text).unwrap_or_else(|| {
                let name = &header.names[column];
                tally.problems.add(record.row, name, ProblemKind::NotANumber, format!("{text}; a gap"));
                f64::NAN
            })
        };
        let (t, f) = (cell(time), cell(flux));
        let key = whose.map(|column| record.get(column).to_owned());
        let curve = curves.entry(key).or_default();
        curve.time_days.push(t);
        curve.flux.push(f);
        tally.used += 1;
    }
    let name = name_of(path);
    let mut all = Vec::new();
    for ([star, quarter, subject], mut curve) in curves {
        curve.star = if star.is_empty() { star_of_name(&name) } else { star_key(&star) };
        curve.quarter = quarter;
        // A file with many stars is nobody's own light curve.
        curve.subject = match (subject.is_empty(), whose[0]) {
            (false, _) => subject,
            (true, Some(_)) => String::new(),
            (true, None) => stem(&name),
        };
        tidy(&mut curve, &name, &mut tally.problems);
        all.push(curve);
    }
    let report = tally.finish(records)?;
    Ok((all, report.problems, report.digest))
}

/// A number; NaN for an empty cell or one that says that there is none; nothing for anything else.
fn number(text: &str) -> Option<f64> {
    let is_missing =
        ["", "nan", "na", "null", "none", "--"].iter().any(|m| text.eq_ignore_ascii_case(m));
    if is_missing { Some(f64::NAN) } else { text.parse().ok() }
}
