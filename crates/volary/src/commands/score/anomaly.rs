//! Scores of an anomaly model: how odd pictures are, by the generator and by the critic.

use anyhow::Result;
use serde_json::json;
use volary_core::schema;
use volary_vision::anomaly::{Model, ScoreWeights};

use crate::commands::score::journal::Scored;
use crate::commands::score::{Args, odd, pictures};
use crate::commands::train::device;
use crate::session::Session;

/// Runs it.
pub(super) fn run(args: &Args, session: &mut Session) -> Result<()> {
    let model = Model::open(&args.model, device(&args.device)?)?;
    let usual = model.config().settings.losses.weights;
    let weights = ScoreWeights {
        image: args.image_weight.unwrap_or(usual.image),
        feature: args.feature_weight.unwrap_or(usual.feature),
    };
    weights.check()?;
    let (subjects, built) = pictures(args, &model.config().preprocessing, session)?;
    let n_latents = model.config().shape.latents;
    let mut score = |rows: &[usize], watch: &mut dyn FnMut(usize) -> bool| {
        let scores = model.score(&built.cache, rows, args.batch, watch)?;
        Ok(Scored {
            n_latents: scores.n_latents,
            scores: vec![scores.image, scores.feature],
            embedding: scores.embedding,
        })
    };
    let (journal, scored) = odd::scored(args, &subjects, [2, n_latents], session, &mut score)?;
    let [image, feature] = [&scored.scores[0], &scored.scores[1]];
    let anomaly: Vec<f64> = image.iter().zip(feature).map(|(i, f)| weights.score(*i, *f)).collect();
    let columns = [image.as_slice(), feature, &anomaly];
    let latents = (n_latents, scored.embedding.as_slice());
    odd::write(args, &schema::anomaly_scores(), &subjects, &columns, latents, session)?;
    journal.remove()?;
    let [image, feature] = [weights.image, weights.feature];
    session.summary.line(
        "weights",
        "anomaly score",
        &format!("{image} image score + {feature} feature score"),
        json!({ "image": image, "feature": feature }),
    );
    Ok(())
}
