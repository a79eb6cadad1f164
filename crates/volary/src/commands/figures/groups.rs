//! Groups of subjects as rows of images: typical ones, then the odd ones (the rarest of the rare).

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, bail};

use super::shown::{Images, Shown, cell};
use super::{save, tables::Table};
use crate::report::pictures::{SheetRow, sheet};
use crate::session::Session;

/// Groups of subjects, a row each: typical ones, then those that are odd in it.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  volary figures groups subjects.csv --groups groups.csv --typical 4 --odd 4 -o groups.svg")]
pub(super) struct Groups {
    #[command(flatten)]
    images: Images,
    /// Table with subject_id, group and oddness, as `volary clusters` writes it.
    #[arg(long, value_name = "TABLE")]
    groups: PathBuf,
    /// Typical subjects of each.
    #[arg(long, value_name = "N", default_value_t = 4)]
    typical: usize,
    /// Odd ones of each.
    #[arg(long, value_name = "N", default_value_t = 4)]
    odd: usize,
    /// Groups at most.
    #[arg(long, value_name = "N", default_value_t = 12)]
    rows: usize,
    /// File to write (.svg or .png).
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

impl Groups {
    pub(super) fn run(&self, session: &mut Session) -> Result<PathBuf> {
        let table = Table::open(&self.groups, session)?;
        let (groups, oddness) = (table.numbers("group")?, table.numbers("oddness")?);
        let mut shown = Shown::open(&self.images, session)?;
        // Those of no group stand last.
        let mut members: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for row in 0..groups.len() {
            if oddness[row].is_finite() && shown.at.contains_key(&table.subject_ids[row]) {
                let group = if groups[row] >= 0.0 { groups[row] as u64 } else { u64::MAX };
                members.entry(group).or_default().push(row);
            }
        }
        if members.is_empty() {
            bail!("no subject has both an image and a group; compare the tables' columns subject_id");
        }
        let mut rows = Vec::new();
        for (group, mut of_it) in members.into_iter().take(self.rows.max(1)) {
            of_it.sort_by(|&a, &b| oddness[a].total_cmp(&oddness[b]).then(a.cmp(&b)));
            let n = of_it.len();
            let n_typical = self.typical.min(n);
            let n_odd = self.odd.min(n - n_typical);
            let chosen = of_it[..n_typical].iter().chain(&of_it[n - n_odd..]);
            let cells = chosen
                .filter_map(|&row| {
                    cell(&mut shown, &table.subject_ids[row], format!("{:.2}", oddness[row]))
                })
                .collect();
            let name =
                if group == u64::MAX { "in no group".to_owned() } else { format!("group {group}") };
            rows.push(SheetRow { label: format!("{name} ({n})"), cells });
        }
        let pictures = shown.pictures(session)?;
        let alt = "groups of subjects: typical ones, then odd ones, with their oddness";
        save(&sheet(&pictures, &rows, self.images.size, alt)?, &self.output)
    }
}
