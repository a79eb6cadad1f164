//! `volary attention`: where in a picture a model finds each class, and whether two classes are found in the
//! same place.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, bail};
use arrow_array::{ArrayRef, BooleanArray, Float64Array, StringArray};
use volary_core::{Pixels as _, seed};
use volary_ingest::images::{ImageSubject, npy_bytes, png_bytes};
use volary_ingest::output::write_whole;
use volary_vision::attention::{
    Against, Attention, Faithfulness, FaithfulnessSettings, Overlap, OverlapSettings, Recipe,
    faithfulness, overlap, paint, score_cam,
};
use volary_vision::confusion::{DEFAULT_LAYER, Model};

use crate::commands::extract::table_format;
use crate::commands::score::preparation;
use crate::commands::train::device;
use crate::consensus_tables::{BATCH, write_batches};
use crate::input::subject_ids;
use crate::pictures::{SourceArgs, bar, map_file};
use crate::session::Session;

/// Ask a trained model what it looked at: Score-CAM for every class.
///
/// Writes into DIR `overlaps` (a row for each subject and pair of classes: how much their maps overlap, and z
/// against random shifts), `attention` (a row for each subject and class: the logit, and with --faithful
/// whether the map says the truth), in `maps` each map as numbers (NPY), and in `overlays` a PNG for each subject: the picture, then a panel for
/// each class in the classes' order, the brighter the more the class rests on it.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary attention model subjects.csv -o attention
  volary attention model cutouts -o attention --only slice.csv --layer block3 --faithful")]
pub(crate) struct Args {
    /// The folder that `volary train confusion` wrote.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    #[command(flatten)]
    source: SourceArgs,
    /// Folder to write.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Format of the tables: parquet, csv, json or arrow.
    #[arg(long, value_name = "FORMAT", default_value = "parquet")]
    to: String,
    /// Layer whose maps become masks: block1 to block4, bottleneck1 and on.
    #[arg(long, value_name = "LAYER", default_value = DEFAULT_LAYER)]
    layer: String,
    /// Steps of Score-CAM: independent, paper, authors or torch-cam; the book's page says how they differ.
    #[arg(long, value_name = "NAME", default_value = "independent")]
    variant: String,
    /// Only these subjects: a table with subject_id, such as `volary slice` writes.
    #[arg(long, value_name = "TABLE")]
    only: Option<PathBuf>,
    /// Random shifts that chance is judged by.
    #[arg(long, value_name = "N", default_value_t = 99)]
    shifts: usize,
    /// Also ask whether the maps say the truth: drop, deletion and insertion. Several times the work.
    #[arg(long)]
    faithful: bool,
    /// Pictures to draw; the rest have their rows in the tables only.
    #[arg(long, value_name = "N", default_value_t = 200)]
    overlays: usize,
    /// Where to compute: cpu, or gpu in a build that has it.
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: String,
}

/// What was found on one picture.
struct Looked<'a> {
    subject: &'a ImageSubject,
    classes: Vec<Attention>,
    faithful: Vec<Option<Faithfulness>>,
    overlaps: Vec<(usize, usize, Overlap)>,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let Some(recipe) = Recipe::named(&args.variant) else {
        bail!("there is no --variant {:?}; choose one of {}", args.variant, Recipe::NAMES.join(", "));
    };
    table_format(&args.to)?;
    let model = Model::open(&args.model, device(&args.device)?)?;
    session.input_file(&args.model.join("weights.safetensors"))?;
    let prepare = preparation(&model.config().preprocessing, &args.model)?;
    let mut found = args.source.find(&mut session)?;
    if let Some(path) = &args.only {
        let wanted = subject_ids(path, &mut session)?;
        found.subjects.retain(|subject| wanted.contains(&subject.subject_id));
    }
    if found.subjects.is_empty() {
        bail!(
            "no subject is left to look at; check --only, and that its subject_id are those of the images"
        );
    }
    let built = args.source.decode(&found.subjects, &prepare, &mut session)?;
    let bar = bar(&session, built.subject_idx.len() as u64, "looking {wide_bar} {pos}/{len} {eta}");
    let mut all = Vec::with_capacity(built.subject_idx.len());
    let mut picture = vec![0.0; model.pixels().values()];
    for (row, at) in built.subject_idx.iter().enumerate() {
        if session.progress.is_stopped() {
            bail!("stopped; nothing was written but pictures");
        }
        built.cache.read(row, &mut picture)?;
        let looked = look(args, &model, recipe, &picture, &found.subjects[*at], session.global.seed)?;
        if row < args.overlays {
            draw(args, &model, row, &picture, &looked)?;
        }
        all.push(looked);
        bar.inc(1);
    }
    bar.finish_and_clear();
    warn_if_coarse(args, &all, &mut session);
    let classes = &model.config().classes;
    write_attention(args, classes, &all, &mut session)?;
    write_overlaps(args, classes, &all, &mut session)?;
    session.summary.count("n_overlays", "pictures drawn", all.len().min(args.overlays) as u64);
    summarise(classes, &all, &mut session);
    session.finish(Some(&args.output.join("run.json")))
}

/// Cells of a side below which a map says nothing of where.
const COARSE_CELLS: usize = 4;

fn warn_if_coarse(args: &Args, all: &[Looked<'_>], session: &mut Session) {
    let Some(sum) = all.first().and_then(|one| one.classes.first()).map(|class| &class.sum) else {
        return;
    };
    if sum.height.min(sum.width) < COARSE_CELLS {
        session.summary.note(&format!(
            "the maps of {} have {} × {} cells, too few to say where; take a layer nearer to the picture, \
             --layer block2 say",
            args.layer, sum.height, sum.width
        ));
    }
}

fn look<'a>(
    args: &Args,
    model: &Model,
    recipe: Recipe,
    picture: &[f32],
    subject: &'a ImageSubject,
    seed: u64,
) -> Result<Looked<'a>> {
    let shape = model.pixels();
    let classes = score_cam(model, picture, &args.layer, recipe)?;
    let maps: Vec<_> = classes.iter().map(|class| class.map(shape.height, shape.width)).collect();
    // Each subject has draws of its own, whoever else is looked at.
    let mut rng = seed::stream(seed, &format!("attention/{}", subject.subject_id));
    let settings = OverlapSettings { n_shifts: args.shifts, ..OverlapSettings::default() };
    let mut overlaps = Vec::new();
    for p in 0..maps.len() {
        for q in p + 1..maps.len() {
            overlaps.push((p, q, overlap(maps[p].as_ref(), maps[q].as_ref(), settings, &mut rng)));
        }
    }
    let mut faithful = Vec::new();
    for (class, map) in maps.iter().enumerate() {
        faithful.push(if args.faithful {
            let settings = FaithfulnessSettings::default();
            faithfulness(model, picture, class, map.as_ref(), settings, &mut rng)?
        } else {
            None
        });
    }
    Ok(Looked { subject, classes, faithful, overlaps })
}

/// Screen pixels of a picture's side, at least.
const MIN_SIDE_PX: usize = 96;

fn draw(args: &Args, model: &Model, row: usize, picture: &[f32], looked: &Looked<'_>) -> Result<()> {
    let shape = model.pixels();
    let maps: Vec<_> = looked.classes.iter().map(|class| class.map(shape.height, shape.width)).collect();
    let zoom = MIN_SIDE_PX.div_ceil(shape.height.min(shape.width).max(1));
    for (class, map) in model.config().classes.iter().zip(&maps) {
        // A constant map is none.
        let Some(map) = map else { continue };
        let npy = npy_bytes(map.height, map.width, &map.values)?;
        let name = map_file(&looked.subject.subject_id, class);
        write_whole(&args.output.join("maps").join(name), &npy)?;
    }
    let painted = paint(picture, shape, &maps, zoom);
    let png = png_bytes(painted.width, painted.height, &painted.rgb)?;
    // An id may hold anything; the row keeps names apart.
    let fits = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let id: String = looked.subject.subject_id.chars().take(60).map(fits).collect();
    write_whole(&args.output.join(format!("overlays/{row:05}_{id}.png")), &png)?;
    Ok(())
}

fn numbers(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(values.collect::<Float64Array>())
}

fn write_attention(
    args: &Args,
    classes: &[String],
    all: &[Looked<'_>],
    session: &mut Session,
) -> Result<()> {
    let path = args.output.join("attention").with_extension(&args.to);
    let batches = all.chunks(BATCH / classes.len().max(1) + 1).map(|part| {
        let cells = || {
            part.iter().flat_map(|one| {
                one.classes.iter().zip(&one.faithful).enumerate().map(move |cell| (one, cell))
            })
        };
        let faith = |of: fn(&Faithfulness) -> f64| {
            numbers(cells().map(|(_, (_, (_, faithful)))| faithful.as_ref().map(of)))
        };
        vec![
            Arc::new(cells().map(|(one, _)| Some(&one.subject.subject_id)).collect::<StringArray>())
                as ArrayRef,
            Arc::new(cells().map(|(_, (class, _))| Some(&classes[class])).collect::<StringArray>()),
            numbers(cells().map(|(_, (_, (attention, _)))| Some(f64::from(attention.logit)))),
            Arc::new(BooleanArray::from_iter(
                cells().map(|(_, (_, (attention, _)))| Some(attention.at_the_layer().is_some())),
            )),
            faith(|f| f.confidence),
            faith(|f| f.drop),
            Arc::new(BooleanArray::from_iter(
                cells().map(|(_, (_, (_, faithful)))| faithful.as_ref().map(|f| f.rose)),
            )),
            faith(|f| f.map_order.deletion),
            faith(|f| f.map_order.insertion),
            faith(|f| f.random_order.deletion),
            faith(|f| f.random_order.insertion),
        ]
    });
    let n = write_batches(&path, &volary_core::schema::attention(), batches)?;
    session.table_file(&path, n);
    Ok(())
}

fn write_overlaps(
    args: &Args,
    classes: &[String],
    all: &[Looked<'_>],
    session: &mut Session,
) -> Result<()> {
    let path = args.output.join("overlaps").with_extension(&args.to);
    let n_pairs = all.first().map_or(1, |one| one.overlaps.len().max(1));
    let batches = all.chunks(BATCH / n_pairs + 1).map(|part| {
        let cells = || part.iter().flat_map(|one| one.overlaps.iter().map(move |pair| (one, pair)));
        let mut columns = vec![
            Arc::new(cells().map(|(one, _)| Some(&one.subject.subject_id)).collect::<StringArray>())
                as ArrayRef,
            Arc::new(cells().map(|(_, (p, ..))| Some(&classes[*p])).collect::<StringArray>()),
            Arc::new(cells().map(|(_, (_, q, _))| Some(&classes[*q])).collect::<StringArray>()),
        ];
        for at in 0..Overlap::NAMES.len() {
            columns.push(numbers(cells().map(|(_, (.., overlap))| overlap.values()[at].value)));
            columns.push(numbers(cells().map(|(_, (.., overlap))| overlap.values()[at].z())));
        }
        columns
    });
    let n = write_batches(&path, &volary_core::schema::overlaps(&Overlap::NAMES), batches)?;
    session.table_file(&path, n);
    Ok(())
}

fn summarise(classes: &[String], all: &[Looked<'_>], session: &mut Session) {
    let pairs = all.first().map_or(&[][..], |one| &one.overlaps[..]);
    let rows: Vec<Vec<String>> = pairs
        .iter()
        .enumerate()
        .map(|(pair, (p, q, _))| {
            let of = |measure: fn(&Against) -> Option<f64>| -> String {
                let values: Vec<f64> =
                    all.iter().filter_map(|one| measure(&one.overlaps[pair].2.soft_iou)).collect();
                match values.len() {
                    0 => "-".to_owned(),
                    n => format!("{:.3}", values.iter().sum::<f64>() / n as f64),
                }
            };
            let n = all.iter().filter(|one| one.overlaps[pair].2.soft_iou.value.is_some()).count();
            vec![
                classes[*p].clone(),
                classes[*q].clone(),
                n.to_string(),
                of(|a| a.value),
                of(Against::z),
            ]
        })
        .collect();
    if !rows.is_empty() {
        let header = ["class", "and class", "pictures with both maps", "mean soft IoU", "mean z"];
        session.summary.table("Overlap of the maps", &header, &rows);
    }
}
