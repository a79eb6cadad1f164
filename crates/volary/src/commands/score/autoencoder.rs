//! Scores of an autoencoder: how far pictures are from what is rebuilt of them.

use anyhow::Result;
use volary_core::schema;
use volary_vision::autoencoder::Model;

use crate::commands::score::journal::Scored;
use crate::commands::score::{Args, odd, pictures};
use crate::commands::train::device;
use crate::session::Session;

/// Runs it.
pub(super) fn run(args: &Args, session: &mut Session) -> Result<()> {
    let model = Model::open(&args.model, device(&args.device)?)?;
    let (subjects, built) = pictures(args, &model.config().preprocessing, session)?;
    let n_latents = model.config().shape.latents;
    let mut score = |rows: &[usize], watch: &mut dyn FnMut(usize) -> bool| {
        let scores = model.score(&built.cache, rows, args.batch, watch)?;
        Ok(Scored { n_latents, scores: vec![scores.score], embedding: scores.embedding })
    };
    let (journal, scored) = odd::scored(args, &subjects, [1, n_latents], session, &mut score)?;
    let columns = [scored.scores[0].as_slice()];
    let latents = (n_latents, scored.embedding.as_slice());
    odd::write(args, &schema::autoencoder_scores(), &subjects, &columns, latents, session)?;
    journal.remove()?;
    Ok(())
}
