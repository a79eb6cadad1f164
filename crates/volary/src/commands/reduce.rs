//! `volary reduce`: reductions with the columns of panoptes_aggregation.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use volary_ingest::panoptes::compat::{RepeatRule, write_reductions};
use volary_ingest::panoptes::config::{PanoptesConfig, ReducerConfig, ReducerEntry, read_config};

use crate::panoptes_clustering::Crowd;
use crate::session::{Session, run_json_for};

/// Reduce extractions of panoptes_aggregation, or of `extract --format panoptes`, with its columns.
///
/// For notebooks that read `data.*` columns; `volary consensus` is the way to numbers with intervals.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  volary extract classifications.csv --format panoptes -o panoptes
  volary reduce panoptes/question_extractor_extractions.csv -o panoptes
  volary reduce panoptes/survey_extractor_extractions.csv --reducer-config Reducer.yaml -F last -o panoptes")]
pub(crate) struct Args {
    /// An extraction: `question_extractor_extractions.csv` and the like.
    #[arg(value_name = "CSV")]
    extraction: PathBuf,
    /// Folder to write.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// The reducers to run, in a YAML file of panoptes_aggregation [default: the extractor's usual one].
    #[arg(long, value_name = "YAML")]
    reducer_config: Option<PathBuf>,
    /// Last part of the names of the files.
    #[arg(long, default_value = "reductions")]
    name: String,
    /// Which of one volunteer's classifications of a subject count: first, last or all.
    #[arg(short = 'F', long = "repeats", default_value = "first", value_name = "RULE")]
    repeats: String,
}

/// Runs it.
pub(crate) fn run(args: &Args, mut session: Session) -> Result<ExitCode> {
    let repeats = match args.repeats.as_str() {
        "first" => RepeatRule::First,
        "last" => RepeatRule::Last,
        "all" => RepeatRule::All,
        other => bail!("--repeats {other:?}; there are first, last, all"),
    };
    let config = match &args.reducer_config {
        Some(path) => {
            session.input_file(path)?;
            match read_config(path, &session.progress)? {
                (PanoptesConfig::Reducers(config), problems, _) => {
                    session.problems.absorb(&problems);
                    config
                }
                _ => bail!("this YAML has no reducer_config: {}", path.display()),
            }
        }
        None => usual_reducer(&args.extraction)?,
    };
    let found = write_reductions(
        &args.extraction,
        &config,
        &args.output,
        &args.name,
        repeats,
        Some(&Crowd),
        &session.progress,
    )?;
    session.report(found.input);
    for file in found.files {
        session.table_file(&file.path, file.n_rows);
    }
    session.finish(Some(&run_json_for(&args.output)))
}

/// The reducer that the original's own configuration would name for an extractor's file.
fn usual_reducer(extraction: &Path) -> Result<ReducerConfig> {
    let name = extraction.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (extractor, rest) = name.split_once("_extractor").with_context(|| {
        format!("the name does not say the extractor; give --reducer-config: {name}")
    })?;
    let mut parameters = serde_json::Map::new();
    let name = match extractor {
        "shape" => {
            let shape = rest.split('_').nth(1).unwrap_or_default();
            parameters.insert("shape".to_owned(), shape.into());
            "shape_reducer_dbscan".to_owned()
        }
        "point" if rest.starts_with("_by_frame") => "point_reducer_dbscan".to_owned(),
        "bezier" => "polygon_reducer".to_owned(),
        other => format!("{other}_reducer"),
    };
    Ok(ReducerConfig { reducers: vec![ReducerEntry { name, parameters }] })
}
