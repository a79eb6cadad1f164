//! The layers of the three networks as a list, for whoever draws or describes them. What they compute is in
//! `network.rs`; a test holds the two together by their numbers of weights.

use crate::anomaly::settings::{N_HALVINGS, Shape};

/// What a layer gives: so many maps of so many pixels; numbers in a row are maps of one pixel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// What is done.
    pub name: &'static str,
    /// Maps.
    pub maps: usize,
    /// Height of a map in pixels.
    pub height: usize,
    /// Width of a map in pixels.
    pub width: usize,
}

/// A network: its name, and its layers from what goes in to what comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Generator, critic or encoder.
    pub name: &'static str,
    /// What goes in, then what each layer gives.
    pub layers: Vec<Layer>,
}

/// Generator, critic and encoder of a shape.
#[must_use]
pub fn chains(shape: &Shape) -> [Chain; 3] {
    let row = |name, maps| Layer { name, maps, height: 1, width: 1 };
    let grid = |name, maps, halvings: usize| Layer {
        name,
        maps,
        height: shape.height >> halvings,
        width: shape.width >> halvings,
    };
    let widths = shape.widths();
    let [up, down] = match shape.residual {
        true => ["up, residual", "conv, residual"],
        false => ["up", "conv"],
    };
    let falling = |name| (0..N_HALVINGS).map(move |at| grid(name, widths[at], at + 1));
    let picture = |name| grid(name, shape.channels, 0);
    let generator = [row("latent", shape.latents), grid("linear", widths[N_HALVINGS - 1], N_HALVINGS)]
        .into_iter()
        .chain((1..N_HALVINGS).rev().map(|at| grid(up, widths[at - 1], at)))
        .chain([picture("up, sigmoid")]);
    let critic = std::iter::once(picture("picture"))
        .chain(falling(down))
        .chain([row("features", shape.n_features()), row("linear", 1)]);
    let encoder = std::iter::once(picture("picture"))
        .chain(falling("conv"))
        .chain([row("in a row", shape.n_features()), row("linear", shape.latents)]);
    [
        Chain { name: "generator", layers: generator.collect() },
        Chain { name: "critic", layers: critic.collect() },
        Chain { name: "encoder", layers: encoder.collect() },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::n_weights;

    /// Weights that 5 × 5 convolutions and linear layers between these shapes have.
    fn counted(chain: &Chain) -> usize {
        let pairs = chain.layers.windows(2).map(|pair| {
            let (from, to) = (&pair[0], &pair[1]);
            let (n_from, n_to) = (from.maps * from.height * from.width, to.maps * to.height * to.width);
            match (from.height, to.height) {
                // The last maps, laid out in a row: nothing is learned.
                (_, 1) if n_from == n_to => 0,
                (1, _) | (_, 1) => n_from * n_to + n_to,
                _ => from.maps * to.maps * 25 + to.maps,
            }
        });
        pairs.sum()
    }

    #[test]
    fn the_list_has_as_many_weights_as_the_networks() {
        for (filters, latents, side) in [(64, 128, 96), (4, 10, 32)] {
            let shape =
                Shape { channels: 3, height: side, width: side, filters, latents, residual: false };
            assert_eq!(chains(&shape).map(|chain| counted(&chain)), n_weights(&shape).unwrap());
        }
    }
}
