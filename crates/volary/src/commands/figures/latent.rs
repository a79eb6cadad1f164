//! Latent maps of two or three axes: a panel per filter and colour, tags as marks (figures 4, 5, S13 and S14 of
//! Mantha et al. 2024).

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use volary_space::slice::Table as _;

use super::{save, two};
use crate::commands::tags::tags_of_subjects;
use crate::report::pictures::{Marks, Panel, Places, View, map};
use crate::session::Session;
use crate::whole_table::WholeTable;

/// Tags that are marked where none is named.
const N_TAGS: usize = 6;
/// Kinds of marks that can be told apart.
const MOST_TAGS: usize = 12;

/// A map of two or three axes: a row per filter, a column per colour, and one more panel where tags are marks.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary figures latent map.csv --with scores.csv --colour anomaly_score --colour image_score \\
      --colour feature_score -o latent.svg
  volary figures latent map.csv --with scores.csv --with chosen.csv --colour weighted_fraction --range 0,0.5 \\
      --where \"percentile < 68\" --where \"percentile between 68 and 99\" --where \"percentile >= 99\" -o by_score.svg
  volary figures latent map.csv --tags tags_subjects.csv --tag merger --tag lens -o tags.svg")]
pub(super) struct Latent {
    /// Table of coordinates, a row per subject, as `volary map --dimensions 3` writes it.
    #[arg(value_name = "MAP")]
    map: PathBuf,
    /// Its columns; the third is left out where there is none.
    #[arg(long, value_delimiter = ',', value_name = "X,Y,Z", default_value = "x,y,z")]
    axes: Vec<String>,
    /// Another table, joined by subject_id. May be repeated.
    #[arg(long, value_name = "TABLE")]
    with: Vec<PathBuf>,
    /// Column that colours the points. May be repeated.
    #[arg(long, value_name = "COLUMN")]
    colour: Vec<String>,
    /// Values with the darkest and the lightest colour, one for each --colour or one for all [default: the 5th and
    /// the 95th percentile].
    #[arg(long, value_name = "LOW,HIGH", allow_hyphen_values = true)]
    range: Vec<String>,
    /// A row of panels about what this filter selects (see `volary slice --help`). May be repeated.
    #[arg(long = "where", value_name = "FILTER")]
    about: Vec<String>,
    /// Tags of subjects, as `volary tags` writes to FILE_subjects.
    #[arg(long, value_name = "TABLE")]
    tags: Option<PathBuf>,
    /// Tag to mark [default: the six with most subjects on the map]. May be repeated.
    #[arg(long, value_name = "TAG", requires = "tags")]
    tag: Vec<String>,
    /// From where three axes are seen, degrees: around the third, and above the plane of the others.
    #[arg(long, value_name = "AZIMUTH,ELEVATION", default_value = "-60,30", allow_hyphen_values = true)]
    view: String,
    /// File to write (.svg or .png).
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

impl Latent {
    pub(super) fn run(&self, session: &mut Session) -> Result<PathBuf> {
        if self.colour.is_empty() && self.tags.is_none() {
            bail!("name what to show on the map: --colour COLUMN, or --tags TABLE");
        }
        let table = WholeTable::read(&self.map, &self.with, session)?;
        let places = self.places(&table)?;
        let mut panels = Vec::new();
        let ranges = self.ranges(&table)?;
        let filters: Vec<Option<&str>> = if self.about.is_empty() {
            vec![None]
        } else {
            self.about.iter().map(|text| Some(text.as_str())).collect()
        };
        for filter in filters {
            let (name, shown) = match filter {
                None => (String::new(), None),
                Some(text) => {
                    let (_, slice) = table.select(text)?;
                    let shown = (0..table.ids.len()).map(|row| slice.mask.contains(row)).collect();
                    (format!("{text} ({})", slice.mask.count()), Some(shown))
                }
            };
            for (column, range) in self.colour.iter().zip(&ranges) {
                let title = match (name.as_str(), self.colour.len()) {
                    ("", _) => column.clone(),
                    (name, 1) => name.to_owned(),
                    (name, _) => format!("{column}: {name}"),
                };
                panels.push(Panel {
                    name: title,
                    values: table.numbers("--colour", column)?.to_vec(),
                    range: *range,
                    shown: shown.clone(),
                    marks: Vec::new(),
                });
            }
        }
        if let Some(path) = &self.tags {
            let marks = self.marks(path, &table, session)?;
            panels.push(Panel { name: "tags".to_owned(), marks, ..Panel::default() });
        }
        session.summary.count("n_points", "points", table.ids.len() as u64);
        let n_columns =
            if self.about.is_empty() || self.colour.len() == 1 { 3 } else { self.colour.len() };
        save(&map(&places, &panels, n_columns, "latent map of subjects")?, &self.output)
    }

    fn places(&self, table: &WholeTable) -> Result<Places> {
        let column = |name: &str| table.numbers("--axes", name);
        match &self.axes[..] {
            [x, y] => Ok(Places::flat(column(x)?, column(y)?)),
            [x, y, z] if table.columns.column(z).is_none() && z == "z" => {
                Ok(Places::flat(column(x)?, column(y)?))
            }
            [x, y, z] => {
                let (azimuth_degrees, elevation_degrees) = two("--view", &self.view)?;
                let view = View { azimuth_degrees, elevation_degrees };
                Ok(Places::seen([column(x)?, column(y)?, column(z)?], [x, y, z], view))
            }
            _ => bail!("--axes wants two or three columns, such as x,y,z"),
        }
    }

    /// One a colour.
    fn ranges(&self, table: &WholeTable) -> Result<Vec<(f64, f64)>> {
        let n = self.colour.len();
        let given =
            self.range.iter().map(|text| two("--range", text)).collect::<Result<Vec<(f64, f64)>>>()?;
        match given[..] {
            [] => self.colour.iter().map(|name| Ok(middle(table.numbers("--colour", name)?))).collect(),
            [one] => Ok(vec![one; n]),
            _ if given.len() == n => Ok(given),
            _ => bail!(
                "--range is given {} times for {n} colours; give one for each, or one",
                given.len()
            ),
        }
    }

    fn marks(
        &self,
        path: &std::path::Path,
        table: &WholeTable,
        session: &mut Session,
    ) -> Result<Vec<Marks>> {
        let by_tag = tags_of_subjects(path, session)?;
        let at: HashMap<&str, usize> =
            table.ids.iter().enumerate().map(|(row, id)| (id.as_str(), row)).collect();
        let points = |ids: &[String]| -> Vec<usize> {
            ids.iter().filter_map(|id| at.get(id.as_str()).copied()).collect()
        };
        if self.tag.is_empty() {
            let mut all: Vec<Marks> = by_tag
                .iter()
                .map(|(name, ids)| Marks { name: name.clone(), points: points(ids) })
                .filter(|marks| !marks.points.is_empty())
                .collect();
            all.sort_by(|a, b| b.points.len().cmp(&a.points.len()).then_with(|| a.name.cmp(&b.name)));
            all.truncate(N_TAGS);
            return Ok(all);
        }
        if self.tag.len() > MOST_TAGS {
            bail!("{} tags are more than the {MOST_TAGS} marks there are; name fewer", self.tag.len());
        }
        let of = |name: &String| {
            let ids = by_tag.get(name).with_context(|| {
                format!("no subject has the tag {name:?} in {}; see its column tags", path.display())
            })?;
            Ok(Marks { name: name.clone(), points: points(ids) })
        };
        self.tag.iter().map(of).collect()
    }
}

/// The 5th and the 95th percentile.
fn middle(values: &[f64]) -> (f64, f64) {
    let mut known: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    known.sort_unstable_by(f64::total_cmp);
    let Some(last) = known.len().checked_sub(1) else { return (0.0, 1.0) };
    let at = |share: f64| known[(share * last as f64).round() as usize];
    (at(0.05), at(0.95))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_run_over_the_middle_nine_tenths() {
        let values: Vec<f64> = (0..=100).map(f64::from).chain([f64::NAN]).collect();
        assert_eq!(middle(&values), (5.0, 95.0));
        assert_eq!(middle(&[f64::NAN]), (0.0, 1.0));
    }
}
