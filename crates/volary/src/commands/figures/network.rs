//! The layers of an anomaly model as a picture (figure S1 of Mantha et al. 2024).

use std::path::PathBuf;

use anyhow::Result;
use volary_vision::Device;
use volary_vision::anomaly::{Model, chains};

use super::save;
use crate::report::pictures::{Block, Row, diagram};
use crate::session::Session;

/// The layers of an anomaly model: taller is more pixels, wider is more maps (figure S1).
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  volary figures network oddities -o network.svg")]
pub(super) struct Network {
    /// The model's folder.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// File to write (.svg).
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

impl Network {
    pub(super) fn run(&self, session: &mut Session) -> Result<PathBuf> {
        let model = Model::open(&self.model, Device::Cpu)?;
        let rows: Vec<Row> = chains(&model.config().shape)
            .into_iter()
            .zip(model.n_weights())
            .map(|(chain, n_weights)| Row {
                name: format!("{}: {} weights", chain.name, crate::summary::grouped(n_weights as u64)),
                boxes: chain
                    .layers
                    .into_iter()
                    .map(|l| Block {
                        name: l.name.to_owned(),
                        maps: l.maps,
                        height: l.height,
                        width: l.width,
                    })
                    .collect(),
            })
            .collect();
        session.summary.count("n_networks", "networks", rows.len() as u64);
        save(&diagram(&rows, "layers of the networks")?, &self.output)
    }
}
