//! `volary figures`: figures that show images, one by one.

mod groups;
mod latent;
mod network;
mod shown;
mod tables;
mod unusual;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use rand::seq::SliceRandom as _;
use volary_core::seed::stream;
use volary_ingest::images::{Limits, Raster, decode, read_file};
use volary_ingest::output::write_whole;

use self::groups::Groups;
use self::latent::Latent;
use self::network::Network;
use self::shown::{Images, Shown, cell};
use self::tables::Table;
use self::unusual::{Extremes, Scores};
use crate::pictures::map_file;
use crate::report::pictures::{
    Cell, Losses, Panel, Picture, Places, SheetRow, losses, map, sheet, thumbnails,
};
use crate::session::{Session, run_json_for};

/// Figures that show images: sheets of examples, maps, attention, losses.
///
/// Each is one SVG file (or PNG, without text, where the name ends in .png).
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary figures classes subjects.csv --values votes.csv --classes vortex,turbulence,bands -o classes.svg
  volary figures confusing subjects.csv --values votes.csv --classes vortex,turbulence,bands -o confusing.svg
  volary figures map umap.csv --x x --y y --values votes.csv --classes vortex,bands -o map.svg
  volary figures thumbnails subjects.csv --map umap.csv --x x --y y -o map.png
  volary figures losses model/history.csv -o losses.svg
  volary figures extremes subjects.csv --table scores.csv --column anomaly_score -o unusual.svg
  volary figures scores scores.csv --score pca --score knn -o figures
  volary figures latent map.csv --with scores.csv --colour anomaly_score -o latent.svg
  volary figures groups subjects.csv --groups groups.csv -o groups.svg
  volary figures network oddities -o network.svg")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    Classes(Classes),
    Confusing(Confusing),
    Map(Map),
    Thumbnails(Thumbnails),
    Neighbours(Neighbours),
    Attention(Attention),
    Losses(LossCurves),
    Scores(Scores),
    Extremes(Extremes),
    Latent(Latent),
    Groups(Groups),
    Network(Network),
}

/// Votes, fractions or predictions by class, a row per subject.
#[derive(Clone, Debug, clap::Args)]
struct Values {
    /// Table with a column per class; votes are divided by its column n_votes, n_seen or n_classifications.
    #[arg(long, value_name = "TABLE")]
    values: PathBuf,
    /// The columns.
    #[arg(long, value_delimiter = ',', required = true)]
    classes: Vec<String>,
}

/// Examples of each class: subjects of which nearly all volunteers say so (figure 1).
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  volary figures classes subjects.csv --values votes.csv --classes vortex,turbulence,bands -o classes.svg")]
struct Classes {
    #[command(flatten)]
    images: Images,
    #[command(flatten)]
    values: Values,
    /// Value from which on a subject is an example.
    #[arg(long, default_value_t = 0.7)]
    from: f64,
    /// Examples of each.
    #[arg(long, default_value_t = 8)]
    columns: usize,
    /// File to write (.svg or .png).
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Subjects that confuse about the first class, in the order of each other class (figure 2).
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  volary figures confusing subjects.csv --values votes.csv --classes vortex,turbulence,bands -o confusing.svg")]
struct Confusing {
    #[command(flatten)]
    images: Images,
    #[command(flatten)]
    values: Values,
    /// Values of the first class between which a subject is confusing.
    #[arg(long, value_name = "LOW,HIGH", default_value = "0.3,0.7")]
    between: String,
    /// Images of each row.
    #[arg(long, default_value_t = 8)]
    columns: usize,
    /// File to write (.svg or .png).
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// A map of points, a panel per column of values (figures 3 and 7).
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  volary figures map umap.csv --x x --y y --values predictions.csv --classes vortex,bands -o map.svg")]
struct Map {
    /// Table of coordinates, a row per subject.
    #[arg(value_name = "MAP")]
    map: PathBuf,
    /// Its column of x.
    #[arg(long, default_value = "x")]
    x: String,
    /// Its column of y.
    #[arg(long, default_value = "y")]
    y: String,
    #[command(flatten)]
    values: Values,
    /// Values with the darkest and the lightest colour.
    #[arg(long, value_name = "LOW,HIGH", default_value = "0,1")]
    range: String,
    /// Panels in a row.
    #[arg(long, default_value_t = 3)]
    columns: usize,
    /// File to write (.svg or .png).
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// A map made of the images themselves, without overlap (figures 8 and 9).
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  volary figures thumbnails subjects.csv --map umap.csv --x x --y y --across 24 -o thumbnails.png")]
struct Thumbnails {
    #[command(flatten)]
    images: Images,
    /// Table of coordinates, a row per subject.
    #[arg(long, value_name = "TABLE")]
    map: PathBuf,
    /// Its column of x.
    #[arg(long, default_value = "x")]
    x: String,
    /// Its column of y.
    #[arg(long, default_value = "y")]
    y: String,
    /// Images across.
    #[arg(long, default_value_t = 24)]
    across: usize,
    /// File to write (.svg or .png).
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Subjects and their nearest, a row each (figure 6).
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  volary figures neighbours subjects.csv --neighbours neighbours.csv -o neighbours.svg")]
struct Neighbours {
    #[command(flatten)]
    images: Images,
    /// Table of pairs, nearest first: subject_id, neighbour_id, and distance where it is known.
    #[arg(long, value_name = "TABLE")]
    neighbours: PathBuf,
    /// Subjects to show; all where none is named.
    #[arg(long, value_delimiter = ',')]
    queries: Vec<String>,
    /// Neighbours of each.
    #[arg(long, default_value_t = 5)]
    columns: usize,
    /// Rows at most.
    #[arg(long, default_value_t = 12)]
    rows: usize,
    /// File to write (.svg or .png).
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Images with attention laid over, a column per class (figures 4 and 5).
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  volary figures attention subjects.csv --maps attention/maps --classes vortex,turbulence,bands -o attention.svg")]
struct Attention {
    #[command(flatten)]
    images: Images,
    /// Folder of maps, SUBJECT_CLASS.npy with values from 0 to 1: `maps` of what `volary attention` wrote.
    #[arg(long, value_name = "DIR")]
    maps: PathBuf,
    /// Classes, a column each.
    #[arg(long, value_delimiter = ',', required = true)]
    classes: Vec<String>,
    /// Subjects to show; those with a map of the first class where none is named.
    #[arg(long, value_delimiter = ',')]
    queries: Vec<String>,
    /// Rows at most.
    #[arg(long, default_value_t = 8)]
    rows: usize,
    /// File to write (.svg or .png).
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Losses by epoch, training and validation in one chart each.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  volary figures losses model/history.csv -o losses.svg")]
struct LossCurves {
    /// Table with the columns epoch, train_… and unseen_….
    #[arg(value_name = "HISTORY")]
    history: PathBuf,
    /// File to write (.svg).
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let output = match &args.what {
        What::Classes(args) => args.run(&mut session)?,
        What::Confusing(args) => args.run(&mut session)?,
        What::Map(args) => args.run(&mut session)?,
        What::Thumbnails(args) => args.run(&mut session)?,
        What::Neighbours(args) => args.run(&mut session)?,
        What::Attention(args) => args.run(&mut session)?,
        What::Losses(args) => args.run(&mut session)?,
        What::Scores(args) => args.run(&mut session)?,
        What::Extremes(args) => args.run(&mut session)?,
        What::Latent(args) => args.run(&mut session)?,
        What::Groups(args) => args.run(&mut session)?,
        What::Network(args) => args.run(&mut session)?,
    };
    session.output(&output);
    session.summary.note(&format!("figure: {}", output.display()));
    session.finish(Some(&run_json_for(&output)))
}

/// Writes what the name's ending asks for.
fn save(picture: &Picture, output: &Path) -> Result<PathBuf> {
    let ending = output.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    match ending.as_str() {
        "svg" => write_whole(output, picture.svg.as_bytes())?,
        "png" if !picture.png.is_empty() => write_whole(output, &picture.png)?,
        "png" => bail!("this figure has only lines and text; name a file that ends in .svg"),
        _ => bail!("the figure's name must end in .svg or .png: {}", output.display()),
    }
    Ok(output.to_owned())
}

fn two(what: &str, text: &str) -> Result<(f64, f64)> {
    let parse = || {
        let (low, high) = text.split_once(',')?;
        Some((low.trim().parse().ok()?, high.trim().parse().ok()?))
    };
    parse().with_context(|| format!("{what} wants two numbers such as 0.3,0.7, not {text}"))
}

impl Classes {
    fn run(&self, session: &mut Session) -> Result<PathBuf> {
        let table = Table::open(&self.values.values, session)?;
        let columns = table.fractions(&self.values.classes)?;
        let mut shown = Shown::open(&self.images, session)?;
        let mut rng = stream(session.global.seed, "examples of classes");
        let mut rows = Vec::new();
        for (class, values) in self.values.classes.iter().zip(&columns) {
            // Examples are drawn and not the most extreme ones: those are seldom typical.
            let mut good: Vec<usize> = (0..values.len()).filter(|&i| values[i] >= self.from).collect();
            good.retain(|&i| shown.at.contains_key(&table.subject_ids[i]));
            good.shuffle(&mut rng);
            good.truncate(self.columns);
            let cells = good.iter().filter_map(|&i| {
                let id = &table.subject_ids[i];
                cell(&mut shown, id, format!("{:.2} · {id}", values[i]))
            });
            rows.push(SheetRow { label: class.clone(), cells: cells.collect() });
        }
        let pictures = shown.pictures(session)?;
        save(&sheet(&pictures, &rows, self.images.size, "examples of each class")?, &self.output)
    }
}

impl Confusing {
    fn run(&self, session: &mut Session) -> Result<PathBuf> {
        let (low, high) = two("--between", &self.between)?;
        let table = Table::open(&self.values.values, session)?;
        let columns = table.fractions(&self.values.classes)?;
        let mut shown = Shown::open(&self.images, session)?;
        let [first, others @ ..] = &columns[..] else { bail!("--classes wants at least two classes") };
        let mut confusing: Vec<usize> =
            (0..first.len()).filter(|&i| (low..=high).contains(&first[i])).collect();
        confusing.retain(|&i| shown.at.contains_key(&table.subject_ids[i]));
        session.summary.count("n_confusing", "confusing subjects", confusing.len() as u64);
        let mut rows = Vec::new();
        for (class, values) in self.values.classes[1..].iter().zip(others) {
            let mut ordered = confusing.clone();
            ordered.retain(|&i| values[i].is_finite());
            ordered.sort_by(|&a, &b| values[a].total_cmp(&values[b]).then(a.cmp(&b)));
            let cells = spread(&ordered, self.columns).into_iter().filter_map(|i| {
                let caption = format!("{:.2} · {:.2}", first[i], values[i]);
                cell(&mut shown, &table.subject_ids[i], caption)
            });
            rows.push(SheetRow { label: format!("rising {class}"), cells: cells.collect() });
        }
        let pictures = shown.pictures(session)?;
        let alt = format!("confusing {}: by rising consensus of other classes", self.values.classes[0]);
        save(&sheet(&pictures, &rows, self.images.size, &alt)?, &self.output)
    }
}

/// So many of a list, evenly spread, first and last among them.
fn spread(list: &[usize], n: usize) -> Vec<usize> {
    if list.len() <= n || n < 2 {
        return list.iter().copied().take(n).collect();
    }
    (0..n).map(|i| list[i * (list.len() - 1) / (n - 1)]).collect()
}

impl Map {
    fn run(&self, session: &mut Session) -> Result<PathBuf> {
        let points = Table::open(&self.map, session)?;
        let (x, y) = (points.numbers(&self.x)?, points.numbers(&self.y)?);
        let table = Table::open(&self.values.values, session)?;
        let at: BTreeMap<&str, usize> =
            table.subject_ids.iter().enumerate().map(|(i, id)| (id.as_str(), i)).collect();
        let range = two("--range", &self.range)?;
        let columns = table.fractions(&self.values.classes)?;
        let panels: Vec<Panel> = self
            .values
            .classes
            .iter()
            .zip(&columns)
            .map(|(name, values)| {
                let value = |id: &String| at.get(id.as_str()).map_or(f64::NAN, |&i| values[i]);
                Panel {
                    name: name.clone(),
                    values: points.subject_ids.iter().map(value).collect(),
                    range,
                    ..Panel::default()
                }
            })
            .collect();
        session.summary.count("n_points", "points", x.len() as u64);
        save(
            &map(&Places::flat(&x, &y), &panels, self.columns, "map of subjects, coloured by value")?,
            &self.output,
        )
    }
}

impl Thumbnails {
    fn run(&self, session: &mut Session) -> Result<PathBuf> {
        if !(1..=200).contains(&self.across) {
            bail!("--across is between 1 and 200");
        }
        let points = Table::open(&self.map, session)?;
        let (all_x, all_y) = (points.numbers(&self.x)?, points.numbers(&self.y)?);
        let mut shown = Shown::open(&self.images, session)?;
        let known: Vec<usize> =
            (0..all_x.len()).filter(|&i| shown.at.contains_key(&points.subject_ids[i])).collect();
        let of = |all: &[f64]| known.iter().map(|&i| all[i]).collect::<Vec<f64>>();
        let (x, y) = (of(&all_x), of(&all_y));
        // Only the images that have a cell are decoded: they are chosen here as they are when drawn.
        let chosen = crate::report::pictures::chosen((&x, &y), self.across);
        let mut rows = vec![0; known.len()];
        for &(_, _, point) in &chosen {
            rows[point] = shown.place(&points.subject_ids[known[point]]).unwrap_or(0);
        }
        let pictures = shown.pictures(session)?;
        let alt = "map of subjects, each its image";
        let (picture, _) =
            thumbnails(&pictures, &rows, (&x, &y), self.images.size.min(64), self.across, alt)?;
        save(&picture, &self.output)
    }
}

impl Neighbours {
    fn run(&self, session: &mut Session) -> Result<PathBuf> {
        let table = Table::open(&self.neighbours, session)?;
        let neighbours = table.texts("neighbour_id")?;
        let distances = table.numbers("distance").ok();
        let mut shown = Shown::open(&self.images, session)?;
        let mut order: Vec<&str> = Vec::new();
        let mut pairs: BTreeMap<&str, Vec<(&str, f64)>> = BTreeMap::new();
        for (i, (id, neighbour)) in table.subject_ids.iter().zip(&neighbours).enumerate() {
            let list = pairs.entry(id).or_default();
            if list.is_empty() {
                order.push(id);
            }
            list.push((neighbour, distances.as_ref().map_or(f64::NAN, |d| d[i])));
        }
        let asked = |id: &&&str| self.queries.is_empty() || self.queries.iter().any(|q| q == *id);
        let mut rows = Vec::new();
        for id in order.iter().filter(asked).take(self.rows) {
            let mut cells: Vec<Cell> = cell(&mut shown, id, (*id).to_owned()).into_iter().collect();
            for (neighbour, distance) in pairs[id].iter().take(self.columns) {
                let caption = if distance.is_finite() {
                    format!("{distance:.2}")
                } else {
                    (*neighbour).to_owned()
                };
                cells.extend(cell(&mut shown, neighbour, caption));
            }
            rows.push(SheetRow { label: "query and nearest".to_owned(), cells });
        }
        let pictures = shown.pictures(session)?;
        save(&sheet(&pictures, &rows, self.images.size, "subjects and their nearest")?, &self.output)
    }
}

impl Attention {
    fn run(&self, session: &mut Session) -> Result<PathBuf> {
        let mut shown = Shown::open(&self.images, session)?;
        let file = |id: &str, class: &str| self.maps.join(map_file(id, class));
        let queries: Vec<String> = if self.queries.is_empty() {
            let ids = shown.found.subjects.iter().map(|s| &s.subject_id);
            ids.filter(|id| file(id, &self.classes[0]).is_file()).take(self.rows).cloned().collect()
        } else {
            self.queries.iter().take(self.rows).cloned().collect()
        };
        let mut rows = Vec::new();
        for id in &queries {
            let mut cells: Vec<Cell> = cell(&mut shown, id, id.clone()).into_iter().collect();
            for class in &self.classes {
                let attention = attention(&file(id, class), session);
                let caption =
                    if attention.is_some() { class.clone() } else { format!("{class}: no map") };
                cells.extend(cell(&mut shown, id, caption).map(|c| Cell { attention, ..c }));
            }
            rows.push(SheetRow { label: String::new(), cells });
        }
        let pictures = shown.pictures(session)?;
        let alt = "images with the attention of each class laid over";
        save(&sheet(&pictures, &rows, self.images.size, alt)?, &self.output)
    }
}

/// A map of attention; what cannot be read is listed.
fn attention(path: &Path, session: &mut Session) -> Option<(Vec<f32>, (usize, usize))> {
    let limits = Limits { min_side_px: 1, ..Limits::default() };
    let read = read_file(path, &limits).and_then(|bytes| decode(&bytes, &limits));
    match read.map(|d| d.raster) {
        Ok(Raster::Planes { width, height, planes, .. }) => {
            Some((planes.into_iter().next()?, (width, height)))
        }
        Ok(Raster::Bytes { width, height, channels, values }) => {
            let first = values.iter().step_by(channels).map(|v| f32::from(*v) / 255.0).collect();
            Some((first, (width, height)))
        }
        Err(fault) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            session.problems.add(0, &name, fault.problem(), fault.detail.clone());
            None
        }
    }
}

impl LossCurves {
    fn run(&self, session: &mut Session) -> Result<PathBuf> {
        let table = Table::open(&self.history, session)?;
        let epochs = table.numbers("epoch")?;
        let points = |name: &str| -> Vec<(f64, f64)> {
            let values = table.numbers(name).unwrap_or_default();
            epochs.iter().copied().zip(values).filter(|p| p.1.is_finite()).collect()
        };
        let terms =
            table.names().into_iter().filter_map(|n| n.strip_prefix("train_").map(str::to_owned));
        let all: Vec<Losses> = terms
            .map(|term| Losses {
                training: points(&format!("train_{term}")),
                validation: points(&format!("unseen_{term}")),
                name: term.replace('_', " "),
            })
            .collect();
        save(&losses(&all, "losses by epoch")?, &self.output)
    }
}
