"""Simulated embeddings for the benchmarks of geometry: `space_data.py N D FILE.f32`.

Ten classes of different size on curved sheets of 12 dimensions within D, with a little noise in all of
them: what a trained network's latent vectors look like (few directions matter, neighbourhoods exist).
"""

import sys

import numpy as np


def embeddings(n, d, seed=1):
    rng = np.random.default_rng(seed)
    hidden = 12
    label = rng.choice(10, n, p=np.arange(1, 11) / 55)
    z = rng.normal(size=(n, hidden)) * np.linspace(1.5, 0.4, hidden)
    centre = rng.normal(size=(10, hidden)) * 1.5
    first = rng.normal(size=(hidden, 64)) / np.sqrt(hidden)
    second = rng.normal(size=(64, d)) / 8
    x = np.tanh((z + centre[label]) @ first) @ second + 0.02 * rng.normal(size=(n, d))
    return x.astype("<f4"), label


if __name__ == "__main__":
    x, _ = embeddings(int(sys.argv[1]), int(sys.argv[2]))
    x.tofile(sys.argv[3])
