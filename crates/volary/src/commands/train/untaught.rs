//! Pictures of which nobody has said anything: what networks learn from that need no votes.

use std::path::PathBuf;

use anyhow::{Result, bail};
use serde_json::Value;
use volary_ingest::images::{Built, ImageSubject};
use volary_vision::anomaly::Lesson;

use crate::commands::train::groups;
use crate::input::subject_ids;
use crate::pictures::{PrepareArgs, SourceArgs};
use crate::session::Session;

/// Where they are.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct UntaughtArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// Only these subjects: a table with subject_id, such as the top of a table of scores.
    #[arg(long, value_name = "TABLE")]
    only: Option<PathBuf>,
    /// Column of SUBJECTS; pictures with the same value are all learned from, or none is.
    #[arg(long, value_name = "COLUMN")]
    group: Option<String>,
    #[command(flatten)]
    pictures: PrepareArgs,
}

/// The pictures, and whose they are.
pub(super) struct Untaught {
    pub(super) built: Built,
    ids: Vec<String>,
    groups: Vec<String>,
    preprocessing: Value,
}

impl UntaughtArgs {
    /// Decodes the pictures and notes what was wrong.
    pub(super) fn read(&self, session: &mut Session) -> Result<Untaught> {
        let prepare = self.pictures.settings()?;
        let mut found = self.source.find(session)?;
        if let Some(path) = &self.only {
            let wanted = subject_ids(path, session)?;
            found.subjects.retain(|subject| wanted.contains(&subject.subject_id));
            session.summary.count("n_only", "  of those asked for", found.subjects.len() as u64);
        }
        if found.subjects.is_empty() {
            let why = session.problems.examples().next().map(|p| format!(" ({})", p.detail));
            bail!(
                "no subject has an image{}; check --images and --only, and that subjects are named alike",
                why.unwrap_or_default()
            );
        }
        let built = self.source.decode(&found.subjects, &prepare, session)?;
        let used: Vec<&ImageSubject> = built.subject_idx.iter().map(|i| &found.subjects[*i]).collect();
        let ids = used.iter().map(|s| s.subject_id.clone()).collect();
        let groups = groups(self.group.as_deref(), &found, &used)?;
        let preprocessing = serde_json::to_value(&prepare)?;
        Ok(Untaught { built, ids, groups, preprocessing })
    }
}

impl Untaught {
    pub(super) fn lesson(&self) -> Lesson<'_> {
        Lesson {
            pixels: &self.built.cache,
            subject_ids: &self.ids,
            groups: &self.groups,
            preprocessing: &self.preprocessing,
        }
    }
}
