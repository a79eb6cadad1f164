#!/usr/bin/env python3
"""Geometry: Volary's and scikit-learn's and umap-learn's, in turn, on the same file, on two cores.

    cargo build --release -p volary-space --example space_speed
    python3 -m venv /tmp/space && /tmp/space/bin/pip install scikit-learn==1.9.1 umap-learn==0.5.12
    /tmp/space/bin/python bench/space.py --speed target/release/examples/space_speed [neighbours] [map] [boundary]

Data: `bench/space_data.py` (70,000 × 288; the boundary 200,000 × 128). umap-learn runs as most people run
it (no seed, so on all cores) and with `random_state=1` (one core, the same map twice); its compilation by
numba is warmed up on a small table and not counted. Trustworthiness of all maps by one function, on 2,000
points against all others.
"""
import argparse, json, os, pathlib, subprocess, tempfile, time

import numpy as np

from space_data import embeddings


def ours(speed, task, x, path, **environment):
    x.tofile(path)
    run = subprocess.run(
        [speed, task, str(len(x)), str(x.shape[1]), path],
        check=True, capture_output=True, text=True, env={**os.environ, **environment},
    )
    print(f"volary {task}: {run.stdout.strip()}", flush=True)
    return json.loads(run.stdout)


def timed(name, work):
    start = time.perf_counter()
    made = work()
    print(f"{name}: {time.perf_counter() - start:.2f} s", flush=True)
    return made


def trustworthiness(x, y, k=15, n=2000):
    """On a sample of points: one definition for all maps."""
    rng = np.random.default_rng(0)
    asked = rng.choice(len(x), n, replace=False)
    squares, penalty = (x.astype("f8") ** 2).sum(1), 0.0
    for i in asked:
        truth = squares - 2 * (x @ x[i]).astype("f8")
        drawn = ((y - y[i]) ** 2).sum(1)
        truth[i] = drawn[i] = np.inf
        near = np.argpartition(drawn, k)[:k]
        ranks = (truth[None, :] < truth[near][:, None]).sum(1) + 1
        penalty += np.maximum(0, ranks - k).sum()
    return 1 - 2 / (n * k * (2 * len(x) - 3 * k - 1)) * penalty


def neighbours(speed, folder):
    from sklearn.neighbors import NearestNeighbors

    x, _ = embeddings(70_000, 288)
    ours(speed, "neighbours", x, folder / "x.f32")
    model = NearestNeighbors(n_neighbors=15, algorithm="brute", n_jobs=2).fit(x)
    timed("scikit-learn brute force, 15 neighbours", lambda: model.kneighbors())


def maps(speed, folder):
    import umap

    x, _ = embeddings(70_000, 288)
    path = folder / "map.f32"
    ours(speed, "map", x, folder / "x.f32", MAP=str(path))
    print(f"volary: trustworthiness {trustworthiness(x, np.fromfile(path, '<f4').reshape(-1, 2)):.5f}")
    umap.UMAP(n_epochs=20).fit_transform(x[:2000])
    for name, settings in (("umap-learn", {}), ("umap-learn, random_state=1", {"random_state": 1})):
        y = timed(name, lambda: umap.UMAP(**settings).fit_transform(x))
        print(f"{name}: trustworthiness {trustworthiness(x, y):.5f}", flush=True)


def boundary(speed, folder):
    """scikit-learn on the same work, three of the ninety rows of the sweep; the time is multiplied."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score, precision_score, recall_score

    x, _ = embeddings(200_000, 128)
    ours(speed, "boundary", x, folder / "x.f32")
    rng = np.random.default_rng(0)
    order = rng.permutation(len(x))
    held, train = order[: len(x) // 5], order[len(x) // 5 :]
    share = (np.argsort(np.argsort(x[:, 0] - 0.5 * x[:, 1])) / len(x)) ** 3
    start = time.perf_counter()
    pca = PCA(25).fit(x[train])
    z = pca.transform(x)
    once = time.perf_counter() - start
    start = time.perf_counter()
    for threshold in (0.1, 0.5, 0.9):
        label = share > threshold
        model = LogisticRegression(class_weight="balanced", max_iter=1000).fit(z[train], label[train])
        chosen = model.predict(z[held])
        for _ in range(200):
            rows = rng.integers(0, len(held), len(held))
            truth, said = label[held][rows], chosen[rows]
            for score in (precision_score, recall_score, f1_score):
                score(truth, said, zero_division=0)
            said.mean(), truth.mean()
    three = time.perf_counter() - start
    print(f"scikit-learn boundary: {once:.1f} s + {three:.1f} s for 3 of 90 rows = {once + 30 * three:.0f} s", flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--speed", required=True)
    arguments.add_argument("tasks", nargs="*", default=["neighbours", "map", "boundary"])
    arguments = arguments.parse_args()
    tasks = {"neighbours": neighbours, "map": maps, "boundary": boundary}
    with tempfile.TemporaryDirectory() as folder:
        for task in arguments.tasks or tasks:
            tasks[task](arguments.speed, pathlib.Path(folder))


if __name__ == "__main__":
    main()
