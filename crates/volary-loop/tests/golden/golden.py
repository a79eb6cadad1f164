"""Writes golden.json: golden values for volary-loop, from river 0.26.1, SciPy and NumPy.

    python -m venv river && river/bin/pip install river==0.26.1 blake3 && river/bin/python golden.py > golden.json

`golden.py SHIFT` takes other streams for what is river's; `cargo xtask test` compares on those too.
"""

import json
import math
import sys

import blake3
import numpy as np
import river
import scipy
from river import drift, evaluate, linear_model, metrics, optim
from scipy import stats

SHIFT = int(sys.argv[1]) if len(sys.argv) > 1 else 0


def lcg(seed):
    """Numbers in [0, 1) that are easily made in any language."""
    state = seed
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield (state >> 11) / 2**53


def labelled(n, dimension, seed):
    """A stream of points with a label that leans on the first two coordinates."""
    u = lcg(seed + SHIFT)
    for _ in range(n):
        x = [2 * next(u) - 1 for _ in range(dimension)]
        p = 1 / (1 + math.exp(-(3 * x[0] - 2 * x[1] + 0.5)))
        yield x, next(u) < p


def logistic():
    out = []
    for name, rate, l2, clip, weighted in [
        ("plain", 0.05, 0.0, 1e12, False),
        ("ridge", 0.1, 0.01, 1e12, False),
        ("clipped and weighted", 0.2, 0.001, 0.3, True),
    ]:
        model = linear_model.LogisticRegression(
            optimizer=optim.SGD(rate), l2=l2, intercept_lr=rate / 2, clip_gradient=clip
        )
        weights = lcg(99 + SHIFT)
        probabilities = []
        for x, y in labelled(400, 6, 7):
            x = dict(enumerate(x))
            probabilities.append(model.predict_proba_one(x)[True])
            model.learn_one(x, y, w=2 * next(weights)) if weighted else model.learn_one(x, y)
        out.append(
            {
                "name": name,
                "rate": rate,
                "intercept_rate": rate / 2,
                "l2": l2,
                "clip": clip,
                "is_weighted": weighted,
                "weights": [model.weights[i] for i in range(6)],
                "intercept": model.intercept,
                "probabilities": probabilities[::20],
            }
        )
    return out


def prequential():
    """Delayed progressive validation, the label of each point coming 25 points later."""
    stream = [(dict(enumerate(x)), y) for x, y in labelled(500, 6, 8)]
    model = linear_model.LogisticRegression(optimizer=optim.SGD(0.05), intercept_lr=0.05)
    metric = evaluate.progressive_val_score(stream, model, metrics.LogLoss(), delay=25)
    return {"log_loss": metric.get(), "delay": 25, "n": 500}


def adwin():
    out = []
    for name, levels in [("a step", [(0.2, 600), (0.7, 600)]), ("three", [(0.5, 300), (0.1, 500), (0.9, 400)])]:
        for is_binary in [True, False]:
            u = lcg(11 + SHIFT)
            detector = drift.ADWIN()
            found, widths = [], []
            at = 0
            for level, n in levels:
                for _ in range(n):
                    value = float(next(u) < level) if is_binary else level + 0.2 * (next(u) - 0.5)
                    detector.update(value)
                    if detector.drift_detected:
                        found.append(at)
                    if at % 97 == 0:
                        widths.append([at, detector.width, detector.estimation, detector.variance])
                    at += 1
            out.append({"name": name, "is_binary": is_binary, "levels": levels, "found": found, "widths": widths})
    return out


def ks():
    out = []
    for n, m, shift in [(40, 50, 0.0), (40, 50, 0.2), (300, 200, 0.0), (300, 200, 0.1), (2000, 500, 0.05)]:
        u = lcg(n + m)
        a = [next(u) for _ in range(n)]
        b = [next(u) + shift for _ in range(m)]
        exact = stats.ks_2samp(a, b, method="exact")
        out.append({"n": n, "m": m, "shift": shift, "d": exact.statistic, "p": exact.pvalue})
    return out


def chi_square():
    return [[df, p, stats.chi2.ppf(p, df)] for df in [1, 4, 9, 19, 99] for p in [0.95, 0.99, 0.999]]


def stream_draw():
    """The stream draw of `sampling`, in NumPy, from the same hashes."""
    ids = [f"s{i}" for i in range(60)]
    scores = ((np.arange(60) + 0.5) / 60) ** 3
    bins = np.minimum((scores * 5).astype(int), 4)
    weight = 1 / np.bincount(bins, minlength=5)[bins]

    def uniform(name):
        digest = blake3.blake3((42).to_bytes(8, "little") + b"stream\0" + name.encode()).digest()
        return ((int.from_bytes(digest[:8], "little") >> 11) + 0.5) / 2**53

    rank = -np.log([uniform(i) for i in ids]) / weight
    order = np.argsort(rank)
    limit = rank[order[12]]
    return {
        "ids": [ids[i] for i in order[:12]],
        "p": [float(1 - math.exp(-weight[i] * limit)) for i in order[:12]],
    }


def bernstein():
    """The predictable plug-in empirical Bernstein sequence, theorem 2 of Waudby-Smith & Ramdas 2024."""
    alpha, c = 0.05, 0.5
    u = lcg(5)
    x = np.array([next(u) ** 2 for _ in range(2000)])
    t = np.arange(1, len(x) + 1)
    mean = (0.5 + np.cumsum(x)) / (t + 1)
    variance = (0.25 + np.cumsum((x - mean) ** 2)) / (t + 1)
    before_mean = np.concatenate([[0.5], mean[:-1]])
    before_variance = np.concatenate([[0.25], variance[:-1]])
    bet = np.minimum(np.sqrt(2 * np.log(2 / alpha) / (before_variance * t * np.log(1 + t))), c)
    v = 4 * (x - before_mean) ** 2
    psi = (-np.log(1 - bet) - bet) / 4
    centre = np.cumsum(bet * x) / np.cumsum(bet)
    half = (np.log(2 / alpha) + np.cumsum(v * psi)) / np.cumsum(bet)
    low, high = np.maximum.accumulate(centre - half), np.minimum.accumulate(centre + half)
    return [[int(i), max(low[i], 0.0), min(high[i], 1.0)] for i in [0, 9, 99, 499, 1999]]


print(
    json.dumps(
        {
            "shift": SHIFT,
            "river": river.__version__,
            "scipy": scipy.__version__,
            "numpy": np.__version__,
            "logistic": logistic(),
            "prequential": prequential(),
            "adwin": adwin(),
            "ks": ks(),
            "chi_square": chi_square(),
            "stream_draw": stream_draw(),
            "bernstein": bernstein(),
        },
        indent=1,
    )
)
