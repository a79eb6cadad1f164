//! Who comes to a subject: different volunteers, the busy ones more often.

use rand::RngExt as _;
use volary_core::seed::Rng;

/// Draws different volunteers for each subject, the busy ones more often.
pub(super) struct Lottery {
    /// Walker's alias table: (chance to stay, where else).
    alias: Vec<(f64, u32)>,
    weights: Vec<f64>,
    /// Per volunteer: the last round they were drawn in.
    drawn: Vec<u32>,
    round: u32,
}

impl Lottery {
    pub(super) fn new(n: u32, exponent: f64) -> Self {
        let weights: Vec<f64> = (1..=n).map(|i| f64::from(i).powf(-exponent)).collect();
        Self { alias: alias_table(&weights), weights, drawn: vec![0; n as usize], round: 0 }
    }

    pub(super) fn draw(&mut self, rng: &mut Rng, n: usize) -> Vec<u32> {
        self.round += 1;
        let mut chosen = Vec::with_capacity(n);
        // Rejection is quick unless most are wanted or a few get nearly all draws.
        let mut tries = if 4 * n > self.weights.len() { 0 } else { 50 * n };
        while chosen.len() < n && tries > 0 {
            tries -= 1;
            let at = rng.random_range(0..self.alias.len());
            let (stay, other) = self.alias[at];
            let at = if rng.random::<f64>() < stay { at } else { other as usize };
            if self.drawn[at] != self.round {
                self.drawn[at] = self.round;
                chosen.push(u32::try_from(at).expect("volunteers are u32"));
            }
        }
        if chosen.len() < n {
            self.fill(rng, n, &mut chosen);
        }
        chosen
    }

    /// Efraimidis & Spirakis 2006: the largest ln(U)/w are a weighted draw without replacement.
    fn fill(&mut self, rng: &mut Rng, n: usize, chosen: &mut Vec<u32>) {
        let mut keys: Vec<(f64, u32)> = (0..)
            .zip(&self.weights)
            .zip(&self.drawn)
            .filter(|(_, drawn)| **drawn != self.round)
            .map(|((at, weight), _)| ((1.0 - rng.random::<f64>()).ln() / weight, at))
            .collect();
        keys.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, at) in keys.into_iter().take(n - chosen.len()) {
            chosen.push(at);
        }
    }
}

/// Walker 1977: any discrete law from two uniform draws.
fn alias_table(weights: &[f64]) -> Vec<(f64, u32)> {
    let total: f64 = weights.iter().sum();
    let mut scaled: Vec<f64> = weights.iter().map(|w| w / total * weights.len() as f64).collect();
    let mut table: Vec<(f64, u32)> = (0..).take(weights.len()).map(|at| (1.0, at)).collect();
    let (mut small, mut large): (Vec<usize>, Vec<usize>) =
        (0..weights.len()).partition(|&i| scaled[i] < 1.0);
    while let (Some(s), Some(&l)) = (small.pop(), large.last()) {
        table[s] = (scaled[s], u32::try_from(l).expect("volunteers are u32"));
        scaled[l] -= 1.0 - scaled[s];
        if scaled[l] < 1.0 {
            large.pop();
            small.push(l);
        }
    }
    table
}
