//! Where the columns of a classification export stand: matched by name, since their order and number vary.

use std::path::Path;

use crate::error::IngestError;
use crate::records::{Header, require};

/// Positions of the columns that anything here reads.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    /// All names, in order.
    pub(super) names: Vec<String>,
    pub(super) id: Option<usize>,
    pub(super) user_name: Option<usize>,
    pub(super) user_id: Option<usize>,
    pub(super) user_ip: Option<usize>,
    pub(super) workflow: Option<usize>,
    pub(super) version: Option<usize>,
    pub(super) created_at: Option<usize>,
    pub(super) gold_standard: Option<usize>,
    pub(super) expert: Option<usize>,
    pub(super) metadata: Option<usize>,
    pub(super) annotations: usize,
    pub(super) subject_data: Option<usize>,
    /// `subject_ids`, or `subject_id` as some scripts rename it.
    pub(super) subject_ids: usize,
}

impl Columns {
    /// # Errors
    /// [`IngestError::MissingColumns`] where the header is not that of a classification export.
    pub(super) fn find(header: &Header, path: &Path) -> Result<Self, IngestError> {
        let subject = if header.find("subject_ids").is_some() { "subject_ids" } else { "subject_id" };
        // An export with neither lacks the platform's own name.
        let subject = if header.find(subject).is_some() { subject } else { "subject_ids" };
        let expected = "a Zooniverse classification export";
        let [annotations, subject_ids] = require(header, ["annotations", subject], expected, path)?;
        let find = |name| header.find(name);
        Ok(Self {
            names: header.names.clone(),
            id: find("classification_id"),
            user_name: find("user_name"),
            user_id: find("user_id"),
            user_ip: find("user_ip"),
            workflow: find("workflow_id"),
            version: find("workflow_version"),
            created_at: find("created_at"),
            gold_standard: find("gold_standard"),
            expert: find("expert"),
            metadata: find("metadata"),
            annotations,
            subject_data: find("subject_data"),
            subject_ids,
        })
    }
}
