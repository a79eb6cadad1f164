//! `volary export`: what was made, for others: the page as a folder of files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use volary_ingest::output::write_whole;
use volary_web::project::Slices;
use volary_web::{CopyParams, write_copy};

use crate::page_project::PageArgs;
use crate::session::Session;

/// Write a copy of what was made, for others to look at.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary export page supplement
  volary export page supplement --project my-project --thumbnails-only")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum What {
    Page(Box<Page>),
}

/// Write a read-only copy of the page, for a paper's supplement: a folder that any web server shows, without
/// Volary.
///
/// It holds the project's tables, maps, thumbnails, images and light curves, and counts in the browser as the command
/// line does, and the slices that were kept, by name. It holds no votes, no marks of single volunteers, nothing about
/// volunteers, no labels, no free text; a column that is named after people is left out and named in the summary. Look
/// at it before you give it away.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary export page supplement
  volary export page supplement --project my-project --boundary chosen_fraction
  volary export page supplement --table subjects.csv --with map.parquet --images subjects.csv

Then:
  python3 -m http.server --directory supplement")]
struct Page {
    /// Folder to write; it must be empty, or hold an older copy.
    #[arg(value_name = "DIR")]
    output: PathBuf,
    /// The project's folder [default: this one, unless --table is given].
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    /// A table with one row a subject, instead of the project's consensus.
    #[arg(long, value_name = "TABLE")]
    table: Option<PathBuf>,
    /// Another table, joined to it by subject_id. May be repeated.
    #[arg(long, value_name = "TABLE")]
    with: Vec<PathBuf>,
    /// Which subject has which image: a table, a subject export, or a folder.
    #[arg(long, value_name = "TABLE|DIR")]
    images: Option<PathBuf>,
    /// A column whose selection boundary is put in. May be repeated; the first score is in anyway.
    #[arg(long, value_name = "COLUMN")]
    boundary: Vec<String>,
    /// Thumbnails only, no whole images.
    #[arg(long)]
    thumbnails_only: bool,
}

/// Runs it.
pub(crate) fn run(args: &Args, session: Session) -> Result<ExitCode> {
    match &args.what {
        What::Page(args) => page(args, session),
    }
}

fn page(args: &Page, mut session: Session) -> Result<ExitCode> {
    let folder = match (&args.project, &args.table) {
        (Some(folder), _) => Some(folder.clone()),
        (None, Some(_)) => None,
        (None, None) => Some(PathBuf::from(".")),
    };
    let shown = PageArgs::new(folder, args.table.clone(), args.with.clone(), args.images.clone());
    let known = older(&args.output)?;
    let mut project = shown.read_only(&mut session)?;
    if let Some(folder) = &shown.folder {
        project.slices = Some(Slices::open(&folder.join("slices.json"))?);
    }
    let params = CopyParams { boundaries: args.boundary.clone(), thumbnails_only: args.thumbnails_only };
    let mut written = BTreeSet::new();
    let sign = session.working("the copy");
    let done = write_copy(&project, &params, &mut |name, bytes| {
        written.insert(PathBuf::from(name));
        write_whole(&args.output.join(name), bytes).map_err(std::io::Error::other)
    })?;
    drop(sign);
    // What an older copy had and this one has not would be shown by nobody, and still be there.
    for old in known.difference(&written) {
        std::fs::remove_file(args.output.join(old))?;
    }
    session.summary.count("n_files", "files", done.n_files);
    session.summary.count("n_bytes", "bytes", done.n_bytes);
    session.summary.count("n_images", "images", done.n_images);
    session.summary.count("n_broken_images", "images that cannot be read", done.n_broken);
    for column in &done.left_out {
        session.summary.note(&format!("left out, as text or as a name of people: {column}"));
    }
    session.summary.count("n_slices", "slices that were kept", done.n_slices);
    for slice in &done.slices_left_out {
        session
            .summary
            .note(&format!("left out, since it asks for what the copy does not hold: slice {slice}"));
    }
    for line in &project.left_out {
        session.summary.note(&format!("not shown: {line}"));
    }
    session.summary.note(&format!(
        "look at it: python3 -m http.server --directory {}, then http://localhost:8000",
        args.output.display()
    ));
    let name = args.output.file_name().context("the folder has no name")?.to_string_lossy();
    // A record holds paths of this machine, so it stands beside the copy and not in it.
    let record = args.output.with_file_name(format!("{name}.run.json"));
    session.finish(Some(&record))
}

/// Files of an older copy, by name; anything else in the way is somebody's work.
fn older(folder: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    if !folder.exists() {
        return Ok(found);
    }
    let is_copy = std::fs::read_to_string(folder.join("index.html"))
        .is_ok_and(|text| text.contains("name=\"volary-mode\" content=\"copy\""));
    let mut todo = vec![folder.to_owned()];
    while let Some(next) = todo.pop() {
        for entry in std::fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                todo.push(path);
            } else if is_copy {
                let name = path.strip_prefix(folder).unwrap_or(&path).to_owned();
                let is_ours = ["assets", "data", "index.html", "icon.svg"]
                    .iter()
                    .any(|known| name.starts_with(known));
                if is_ours {
                    found.insert(name);
                }
            } else {
                bail!(
                    "the folder holds something that is no copy of the page ({}); name an empty one",
                    path.display()
                );
            }
        }
    }
    Ok(found)
}
