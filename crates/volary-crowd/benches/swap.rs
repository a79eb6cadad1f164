//! One vote into SWAP: `cargo bench -p volary-crowd --bench swap` (figures in bench/README.md).

use std::time::Instant;

use volary_crowd::simulate::{CrowdParams, simulate};
use volary_crowd::skill::swap::{Learning, Swap, SwapParams, Threshold};

fn main() {
    for n_classes in [2, 5, 20] {
        let params = CrowdParams {
            n_subjects: 50_000,
            n_volunteers: 10_000,
            n_classes,
            votes_per_subject: 10.0,
            min_votes: 5,
            max_votes: 15,
            seed: 1,
            ..CrowdParams::default()
        };
        let crowd = simulate(&params).expect("parameters are in their ranges");
        let mut order: Vec<usize> = (0..crowd.n_votes()).collect();
        order.sort_by_key(|&i| (crowd.created_ms[i], i));
        for learning in [Learning::Gold, Learning::SelfTaught] {
            let gold: Vec<Option<u32>> =
                crowd.true_class.iter().enumerate().map(|(s, &k)| (s % 5 == 0).then_some(k)).collect();
            let params =
                SwapParams { learning, threshold: Some(Threshold::Any(0.99)), ..SwapParams::default() };
            let mut engine =
                Swap::new(n_classes as usize, 10_000, gold, &params).expect("in their ranges");
            let start = Instant::now();
            for &i in &order {
                engine.vote(crowd.subject[i], crowd.volunteer[i], crowd.answer[i]).expect("within");
            }
            let each = start.elapsed().as_secs_f64() * 1e9 / order.len() as f64;
            eprintln!(
                "{n_classes:3} classes, {learning:?}: {each:.0} ns a vote ({} votes)",
                order.len()
            );
        }
    }
}
