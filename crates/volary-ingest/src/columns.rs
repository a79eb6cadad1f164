//! Finding columns by any of the names that people give them.

use std::path::Path;

use crate::error::IngestError;
use crate::records::Header;

/// Names of a column that holds volunteers' names, which are hashed before anything else sees them.
const NAMED: [&str; 2] = ["user_name", "user"];

/// Position of the first of several names that is there, in any case.
pub(crate) fn find(header: &Header, names: &[&str]) -> Option<usize> {
    names.iter().find_map(|name| header.names.iter().position(|n| n.eq_ignore_ascii_case(name)))
}

/// The same for a column that must be there.
pub(crate) fn need(
    header: &Header,
    names: &[&str],
    expected: &'static str,
    path: &Path,
) -> Result<usize, IngestError> {
    find(header, names).ok_or_else(|| IngestError::MissingColumns {
        missing: names.join(" or "),
        found: header.names.join(", "),
        expected,
        path: path.to_owned(),
    })
}

/// A column of volunteers: keys are taken as they are, names are hashed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VolunteerColumn {
    pub(crate) at: usize,
    pub(crate) holds_names: bool,
}

impl VolunteerColumn {
    pub(crate) fn need(
        header: &Header,
        names: &[&str],
        expected: &'static str,
        path: &Path,
    ) -> Result<Self, IngestError> {
        let at = need(header, names, expected, path)?;
        let holds_names = NAMED.iter().any(|n| header.names[at].eq_ignore_ascii_case(n));
        Ok(Self { at, holds_names })
    }

    pub(crate) fn key(self, cell: &str) -> String {
        if self.holds_names { crate::volunteer::key(cell).0 } else { cell.to_owned() }
    }
}
