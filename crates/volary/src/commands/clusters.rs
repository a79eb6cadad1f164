//! `volary clusters`: groups among the unusual, and who is odd in their own group.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, bail};
use arrow_array::UInt32Array;
use volary_core::hdbscan::Selection;
use volary_ingest::tables::{TableFormat, write_table};
use volary_space::clusters::{ClusterParams, Clusters, clusters};
use volary_space::pca::{Pca, PcaParams};

use crate::estimates::Sheet;
use crate::session::{Session, run_json_for};
use crate::summary::printable;
use crate::whole_table::WholeTable;

/// Subjects at most: the method compares them all with each other.
const MOST: usize = 50_000;
/// Groups and subjects of each that the terminal shows.
const SHOWN: (usize, usize) = (20, 4);

/// Group the most unusual subjects by what they look like, and name the odd ones of each group: the rarest of
/// the rare.
///
/// HDBSCAN on the principal components of the vectors. Writes a row per subject: its group (1 is the largest;
/// none for what belongs nowhere), how surely it belongs there, how odd it is in it (0 to 1, GLOSH) and its
/// place in the order of oddness there. `volary figures groups` shows typical and odd ones of each.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary clusters embeddings.parquet --with scores.csv --score anomaly_score --top 0.05 -o groups.csv
  volary clusters map.csv --axes x,y,z --with scores.csv --score anomaly_score --top 0.05 -o groups.csv
  volary clusters embeddings.parquet --where \"kind = 'merger'\" --smallest 8 -o groups.csv
  volary figures groups subjects.csv --groups groups.csv -o groups.svg")]
pub(crate) struct Args {
    /// Table with vectors: .parquet, .csv, .json, .arrow or .npy.
    #[arg(value_name = "TABLE")]
    table: PathBuf,
    /// Another table, joined by subject_id. May be repeated.
    #[arg(long, value_name = "TABLE")]
    with: Vec<PathBuf>,
    /// Column of a score: only the top of it is grouped.
    #[arg(long, value_name = "COLUMN", requires = "top")]
    score: Option<String>,
    /// The share that is the top.
    #[arg(long, value_name = "SHARE", requires = "score")]
    top: Option<f64>,
    /// Only subjects that this filter selects (see `volary slice --help`).
    #[arg(long = "where", value_name = "FILTER")]
    among: Option<String>,
    /// Fewest subjects of a group.
    #[arg(long, default_value_t = 15, value_name = "N")]
    smallest: usize,
    /// Subjects that make a place dense: more is smoother and leaves more of them in no group.
    #[arg(long, default_value_t = 5, value_name = "N")]
    neighbors: usize,
    /// The smallest groups that there are, and not those that stand out the longest.
    #[arg(long)]
    leaves: bool,
    /// Principal components to group by; 0 takes the vectors as they are.
    #[arg(long, default_value_t = 10, value_name = "N")]
    components: usize,
    /// Columns to group by instead of the vectors, such as the axes of a map.
    #[arg(long, value_delimiter = ',', value_name = "X,Y,Z")]
    axes: Vec<String>,
    /// Table to write: .parquet, .csv, .json or .arrow.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    TableFormat::of(&args.output)?;
    let table = WholeTable::read(&args.table, &args.with, &mut session)?;
    let (points, row_of) = if args.axes.is_empty() {
        table.points(&mut session)?
    } else {
        table.points_of("--axes", &args.axes, &mut session)?
    };
    let chosen = chosen(args, &table, &row_of)?;
    session.summary.count("n_subjects", "subjects with a vector", points.len() as u64);
    session.summary.count("n_grouped", "of them looked at", chosen.len() as u64);
    if chosen.len() > MOST {
        bail!(
            "{} subjects are more than the {MOST} that can be grouped; take fewer by --top or --where",
            chosen.len()
        );
    }
    let sign = session.working("grouping");
    let mut points = points.select(&chosen);
    if args.components > 0 && args.components < points.width() && points.len() > args.components {
        let params = PcaParams { seed: session.global.seed, ..PcaParams::new(args.components) };
        points = Pca::fit(&points, &params)?.transform(&points)?;
    }
    let selection = if args.leaves { Selection::Leaf } else { Selection::Eom };
    let params =
        ClusterParams { min_cluster_size: args.smallest, min_samples: args.neighbors, selection };
    let found = clusters(&points, &params)?;
    drop(sign);
    let ids: Vec<&str> = chosen.iter().map(|&at| table.ids[row_of[at]].as_str()).collect();
    write(args, &ids, &found, &mut session)?;
    session.finish(Some(&run_json_for(&args.output)))
}

/// Points that are looked at.
fn chosen(args: &Args, table: &WholeTable, row_of: &[usize]) -> Result<Vec<usize>> {
    let mut chosen: Vec<usize> = (0..row_of.len()).collect();
    if let Some(text) = &args.among {
        let (_, slice) = table.select(text)?;
        chosen.retain(|&at| slice.mask.contains(row_of[at]));
    }
    if let (Some(name), Some(share)) = (&args.score, args.top) {
        if !(share > 0.0 && share <= 1.0) {
            bail!("--top {share} must lie between 0 and 1; 0.05 takes the top 5 %");
        }
        let score = table.numbers("--score", name)?;
        chosen.retain(|&at| score[row_of[at]].is_finite());
        chosen.sort_by(|&a, &b| score[row_of[b]].total_cmp(&score[row_of[a]]).then(a.cmp(&b)));
        chosen.truncate((chosen.len() as f64 * share).ceil() as usize);
        chosen.sort_unstable();
    }
    if chosen.is_empty() {
        bail!("no subject is left to group; look at the filter with `volary slice`");
    }
    Ok(chosen)
}

fn write(args: &Args, ids: &[&str], found: &Clusters, session: &mut Session) -> Result<()> {
    // Group by group, the odd ones first; what belongs to none comes last.
    let group = |at: usize| found.of[at].unwrap_or(usize::MAX);
    let mut order: Vec<usize> = (0..ids.len()).collect();
    order.sort_by(|&a, &b| {
        let odder = found.oddness[b].total_cmp(&found.oddness[a]);
        group(a).cmp(&group(b)).then(odder).then(ids[a].cmp(ids[b]))
    });
    let mut place = vec![0_u32; ids.len()];
    for same in order.chunk_by(|&a, &b| group(a) == group(b)) {
        same.iter().zip(1..).for_each(|(&at, n)| place[at] = n);
    }
    let groups = order.iter().map(|&at| found.of[at].map(|g| g as u32 + 1));
    let batch = Sheet::default()
        .texts("subject_id", order.iter().map(|&at| ids[at]))
        .column("group", Arc::new(UInt32Array::from_iter(groups)))
        .numbers("membership", order.iter().map(|&at| found.probabilities[at]))
        .numbers("oddness", order.iter().map(|&at| found.oddness[at]))
        .column("place", Arc::new(UInt32Array::from_iter_values(order.iter().map(|&at| place[at]))))
        .finish()?;
    write_table(&args.output, &batch)?;
    session.table_file(&args.output, batch.num_rows() as u64);
    let n_none = found.of.iter().filter(|g| g.is_none()).count();
    let summary = &mut session.summary;
    summary.count("n_groups", "groups", found.sizes.len() as u64);
    summary.count("n_in_none", "in no group", n_none as u64);
    let odd = |group: Option<usize>| {
        let of_it = order.iter().filter(|&&at| found.of[at] == group).take(SHOWN.1);
        let texts = of_it.map(|&at| format!("{} ({:.2})", ids[at], found.oddness[at]));
        printable(&texts.collect::<Vec<_>>().join(", "))
    };
    let sizes = found.sizes.iter().enumerate().take(SHOWN.0);
    let rows: Vec<Vec<String>> = sizes
        .map(|(at, size)| vec![(at + 1).to_string(), size.to_string(), odd(Some(at))])
        .chain((n_none > 0).then(|| vec!["none".to_owned(), n_none.to_string(), odd(None)]))
        .collect();
    summary.table("Groups, and the odd ones of each", &["group", "subjects", "oddest"], &rows);
    if found.sizes.is_empty() {
        summary.note(
            "no group stands out; try a smaller --smallest, more subjects by a larger --top, or the axes of a map \
             (`volary map`, --axes x,y)",
        );
    }
    Ok(())
}
