//! What a predicate and a region select, counted: for the page, which draws it, and nobody else's numbers.

use data_encoding::BASE64;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use volary_space::slice::region::{Op, Region, Shape};
use volary_space::slice::{Column, Columns, Filter, FilterError, Kind, Mask, Table as _};

use super::Project;
use super::table::Table;
use crate::problem::{Fault, Problem};

/// Columns that are counted at once.
pub(crate) const MAX_HISTOGRAMS: usize = 32;

/// A polygon.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShapeBody {
    /// Whether it adds to the selection or takes from it.
    op: OpBody,
    /// Its corners `[x, y]` in the units of the columns, three or more.
    points: Vec<[f64; 2]>,
}

/// What a shape does.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OpBody {
    /// Inside is selected.
    Add,
    /// Inside is not.
    Remove,
}

/// Shapes on the plot of two columns; of two the later one decides.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegionBody {
    /// The column of the horizontal axis.
    x: String,
    /// The column of the vertical axis.
    y: String,
    /// The shapes.
    shapes: Vec<ShapeBody>,
}

/// Which rows are meant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Which {
    /// An expression of the slice language.
    pub(crate) filter: Option<String>,
    pub(crate) region: Option<RegionBody>,
}

/// The rows that are meant.
pub(crate) struct Chosen {
    /// Of the filter.
    pub(crate) passing: Mask,
    /// Of filter and region.
    pub(crate) selected: Mask,
    pub(crate) n_unknown: usize,
    /// The filter in its canonical form.
    pub(crate) canonical: Option<String>,
}

/// The column that says what a subject is called, its tags with `;` between them, as `volary tags` writes it. It is
/// none of the table's: people give tags while it is shown.
const TAGS: &str = "tags";

/// The columns of a table, and the tags of its subjects where a filter asks for them.
struct Named<'t> {
    columns: &'t Columns,
    tags: Option<Column>,
}

impl<'t> Named<'t> {
    fn new(project: &Project, table: &'t Table, filter: &str) -> Self {
        let columns = table.columns();
        // A table that brings tags of its own is believed; for others they are put together when they are wanted.
        let is_wanted = columns.column(TAGS).is_none() && filter.contains(TAGS);
        let tags = is_wanted.then(|| {
            let called = project.called();
            let joined =
                |id: &String| Some(called.get(id)?.iter().cloned().collect::<Vec<_>>().join(";"));
            let texts: Vec<Option<String>> = table.ids().iter().map(joined).collect();
            Column::text(texts.iter().map(Option::as_deref))
        });
        Self { columns, tags }
    }
}

impl volary_space::slice::Table for Named<'_> {
    fn n_rows(&self) -> usize {
        self.columns.n_rows()
    }

    fn column(&self, name: &str) -> Option<&Column> {
        self.columns.column(name).or_else(|| self.tags.as_ref().filter(|_| name == TAGS))
    }

    fn names(&self) -> Vec<&str> {
        self.columns.names().into_iter().chain(self.tags.as_ref().map(|_| TAGS)).collect()
    }
}

impl Which {
    pub(crate) fn choose(&self, project: &Project, table: &Table) -> Result<Chosen, Problem> {
        let n_rows = table.n_rows();
        let text = self.filter.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let (passing, n_unknown, canonical) = match text {
            None => (Mask::of(n_rows, |_| true), 0, None),
            Some(text) => {
                let filter: Filter = text.parse().map_err(|e| refused(&e))?;
                let named = Named::new(project, table, text);
                let slice = filter.select(&named).map_err(|e| refused(&e))?;
                (slice.mask, slice.n_unknown, Some(filter.to_string()))
            }
        };
        let selected = match &self.region {
            None => passing.clone(),
            Some(body) => {
                let wrong = |error: volary_space::slice::region::RegionError| {
                    Problem::unprocessable(error.to_string())
                        .kind("region", "The region cannot be followed")
                };
                let region = body.to_region().map_err(wrong)?;
                region.select(table.columns()).map_err(wrong)?.and(&passing)
            }
        };
        Ok(Chosen { passing, selected, n_unknown, canonical })
    }
}

impl RegionBody {
    fn to_region(&self) -> Result<Region, volary_space::slice::region::RegionError> {
        let shape = |shape: &ShapeBody| Shape {
            op: match shape.op {
                OpBody::Add => Op::Add,
                OpBody::Remove => Op::Remove,
            },
            corners: shape.points.clone(),
        };
        Region::new(&self.x, &self.y, self.shapes.iter().map(shape).collect())
    }
}

fn refused(error: &FilterError) -> Problem {
    let at = error.characters();
    let fault = Fault {
        pointer: "/filter".to_owned(),
        code: format!("characters:{}-{}", at.start, at.end),
        message: error.to_string(),
    };
    Problem::bad_request(error.to_string())
        .kind("filter-syntax", "The filter cannot be followed")
        .with(vec![fault])
}

/// What is asked.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    /// An expression of the slice language; absent for all rows.
    pub(crate) filter: Option<String>,
    /// A region of a plot; absent for everywhere.
    pub(crate) region: Option<RegionBody>,
    /// Columns to count, at most 32.
    #[serde(default)]
    pub(crate) histograms: Vec<String>,
    /// Whether the rows themselves are wanted.
    #[serde(default)]
    pub(crate) masks: bool,
}

/// One column, counted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Histogram {
    /// The column.
    column: String,
    /// `number`, `text` or `boolean`.
    kind: &'static str,
    /// Where the first bin begins; absent for texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    low: Option<f64>,
    /// Where the last bin ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    high: Option<f64>,
    /// The texts, the most frequent first; empty for numbers.
    categories: Vec<String>,
    /// Rows of each bin.
    all: Vec<u64>,
    /// Those that the filter passes.
    passing: Vec<u64>,
    /// Those that are in the region too.
    selected: Vec<u64>,
    /// Rows with a text that is not listed: of all, passing, selected.
    n_others: [u64; 3],
    /// Rows without a value.
    n_missing: u64,
}

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Found {
    /// The filter in its canonical form.
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<String>,
    /// Rows of the table.
    n_rows: usize,
    /// Rows that the filter passes.
    n_passing: usize,
    /// Those in the region too.
    n_selected: usize,
    /// Rows that the filter cannot decide, since values are missing.
    n_unknown: usize,
    /// The rows that the filter passes: a bit a row, the first lowest, in base64. Absent where all pass or it
    /// was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    passing: Option<String>,
    /// The rows in the region too; absent without a region.
    #[serde(skip_serializing_if = "Option::is_none")]
    selected: Option<String>,
    /// The columns, in the order asked for.
    histograms: Vec<Histogram>,
}

/// The name of a kind of column.
pub(crate) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Number => "number",
        Kind::Text => "text",
        Kind::Boolean => "boolean",
    }
}

pub(crate) fn no_column(table: &Table, name: &str) -> Problem {
    let shown: String = name.chars().take(60).collect();
    let names = table.columns().names();
    let listed = names.iter().take(12).copied().collect::<Vec<_>>().join(", ");
    Problem::bad_request(format!("the table has no column {shown:?}; there are {listed}"))
        .kind("unknown-column", "No such column")
}

/// Rows as they are sent: a bit a row, the first lowest, in base64.
pub(crate) fn encoded(mask: &Mask) -> String {
    let mut bytes: Vec<u8> = mask.words().iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.truncate(mask.n_rows().div_ceil(8));
    BASE64.encode(&bytes)
}

/// Answers.
pub(crate) fn answer(project: &Project, table: &Table, query: &Query) -> Result<Found, Problem> {
    if query.histograms.len() > MAX_HISTOGRAMS {
        let n = query.histograms.len();
        let detail =
            format!("{n} columns are asked for, {MAX_HISTOGRAMS} at once are counted; ask in parts");
        return Err(Problem::unprocessable(detail));
    }
    let which = Which { filter: query.filter.clone(), region: query.region.clone() };
    let chosen = which.choose(project, table)?;
    let has_region = query.region.is_some();
    let histogram = |name: &String| {
        let (Some(binned), Some(column)) = (table.binned(name), table.columns().column(name)) else {
            return Err(no_column(table, name));
        };
        let (passing, others_passing) = binned.count(&chosen.passing);
        let (selected, others_selected) =
            if has_region { binned.count(&chosen.selected) } else { (passing.clone(), others_passing) };
        Ok(Histogram {
            column: name.clone(),
            kind: kind_name(column.kind()),
            low: binned.range.map(|r| r.0),
            high: binned.range.map(|r| r.1),
            categories: binned.categories.clone(),
            all: binned.all.clone(),
            passing,
            selected,
            n_others: [binned.n_others, others_passing, others_selected],
            n_missing: binned.n_missing,
        })
    };
    let histograms = query.histograms.par_iter().map(histogram).collect::<Result<Vec<_>, _>>()?;
    Ok(Found {
        n_rows: table.n_rows(),
        n_passing: chosen.passing.count(),
        n_selected: chosen.selected.count(),
        n_unknown: chosen.n_unknown,
        passing: (query.masks && chosen.canonical.is_some()).then(|| encoded(&chosen.passing)),
        selected: (query.masks && has_region).then(|| encoded(&chosen.selected)),
        filter: chosen.canonical,
        histograms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(n: usize) -> Table {
        let mut columns = Columns::default();
        assert!(columns.insert("x", Column::Number((0..n).map(|v| v as f64).collect())));
        assert!(columns.insert("y", Column::Number((0..n).map(|v| (v % 10) as f64).collect())));
        let kinds = (0..n).map(|v| Some(if v % 3 == 0 { "ring" } else { "disk" }));
        assert!(columns.insert("kind", Column::text(kinds)));
        Table::new("t", (0..n).map(|v| v.to_string()).collect(), columns, None).unwrap()
    }

    fn square(to: f64) -> RegionBody {
        let points = vec![[-1.0, -1.0], [to, -1.0], [to, 99.0], [-1.0, 99.0]];
        let shapes = vec![ShapeBody { op: OpBody::Add, points }];
        RegionBody { x: "x".into(), y: "y".into(), shapes }
    }

    #[test]
    fn counts_masks_and_histograms_agree() {
        let table = table(1_001);
        let query = Query {
            filter: Some("(y >= 5) and kind = 'disk'".into()),
            region: Some(square(499.5)),
            histograms: vec!["x".into(), "kind".into()],
            masks: true,
        };
        let found = answer(&Project::default(), &table, &query).unwrap();
        let passes = |v: &usize| v % 10 >= 5 && !v.is_multiple_of(3);
        assert_eq!(found.n_passing, (0..1_001).filter(passes).count());
        assert_eq!(found.n_selected, (0..500).filter(passes).count());
        assert_eq!(found.filter.as_deref(), Some("y >= 5 and kind = 'disk'"));
        let bits = BASE64.decode(found.selected.unwrap().as_bytes()).unwrap();
        assert_eq!(bits.len(), 126);
        let rows: Vec<usize> = (0..1_001).filter(|row| bits[row / 8] >> (row % 8) & 1 == 1).collect();
        assert_eq!(rows, (0..500).filter(passes).collect::<Vec<_>>());
        let [x, kind] = <[Histogram; 2]>::try_from(found.histograms).unwrap();
        assert_eq!(x.selected.iter().sum::<u64>() as usize, found.n_selected);
        assert_eq!(x.passing.iter().sum::<u64>() as usize, found.n_passing);
        assert_eq!((x.all.iter().sum::<u64>(), x.low, x.high), (1_001, Some(0.0), Some(1_000.0)));
        assert_eq!(kind.categories, ["disk", "ring"]);
        assert_eq!(kind.passing, [found.n_passing as u64, 0]);
    }

    #[test]
    fn what_a_subject_is_called_is_a_column_that_nobody_wrote() {
        let table = table(4);
        let tags = [("1".to_owned(), vec!["Ring".to_owned(), "odd".to_owned()])].into();
        let project = Project { tags, ..Project::default() };
        let n = |filter: &str| {
            let query = Query { filter: Some(filter.into()), ..Query::default() };
            let found = answer(&project, &table, &query).unwrap();
            (found.n_passing, found.n_unknown)
        };
        assert_eq!(n("tags is not missing"), (1, 0));
        assert_eq!(n("tags = 'odd;ring'"), (1, 3));
        assert_eq!(n("tags contains 'ODD' or y > 1"), (3, 1));
        assert_eq!(n("tags has 'ring'"), (1, 3));
        assert_eq!(n("tags has 'rin'"), (0, 3));
        // Tags of the table's own are believed.
        let mut columns = table.columns().clone();
        assert!(columns.insert("tags", Column::text([None, None, Some("x"), Some("y")].into_iter())));
        let table = Table::new("t", table.ids().to_vec(), columns, None).unwrap();
        let query = Query { filter: Some("tags = 'x'".into()), ..Query::default() };
        assert_eq!(answer(&project, &table, &query).unwrap().n_passing, 1);
    }

    #[test]
    fn what_cannot_be_followed_says_where() {
        let table = table(10);
        let ask = |query: Query| answer(&Project::default(), &table, &query).unwrap_err();
        let wrong = ask(Query { filter: Some("x >= 1 and".into()), ..Query::default() });
        assert_eq!((wrong.kind, wrong.status.as_u16()), ("filter-syntax", 400));
        assert_eq!(wrong.errors[0].code, "characters:10-10");
        let unknown = ask(Query { filter: Some("zz > 1".into()), ..Query::default() });
        assert!(unknown.detail.contains("zz"), "{}", unknown.detail);
        let many = (0..10_000).map(|n| format!("x = {n}")).collect::<Vec<_>>().join(" or ");
        let long = ask(Query { filter: Some(many), ..Query::default() });
        assert_eq!(long.kind, "filter-syntax");
        let mut line = square(1.0);
        line.shapes[0].points.truncate(2);
        let line = ask(Query { region: Some(line), ..Query::default() });
        assert_eq!((line.kind, line.status.as_u16()), ("region", 422));
        let column = ask(Query { histograms: vec!["nothing".into()], ..Query::default() });
        assert_eq!(column.kind, "unknown-column");
        let columns = ask(Query { histograms: vec!["x".into(); 33], ..Query::default() });
        assert_eq!(columns.status.as_u16(), 422);
    }
}
