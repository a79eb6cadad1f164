#!/usr/bin/env python3
"""Models of skill: Volary's and crowd-kit's, in turn, in processor time.

    cargo build --release -p volary
    python3 -m venv /tmp/kit && /tmp/kit/bin/pip install crowd-kit==1.4.2 pandas==2.2.3 numpy==1.26.4 scikit-learn==1.5.2
    /tmp/kit/bin/python bench/crowd.py --bench $(ls target/release/deps/skill-* | grep -v '\\.d') --data FOLDER

FOLDER holds `labels.csv` of `../shared/tools/gen_crowd.py`. Runs the benchmark of the models on it and on
`../shared/data/crowd/rte`, and crowd-kit's DawidSkene (20 rounds, its early stop switched off), GLAD and MACE.
"""
import argparse, pathlib, resource, subprocess, time

import pandas as pd
from crowdkit.aggregation import DawidSkene, GLAD, MACE

ROOT = pathlib.Path(__file__).resolve().parent.parent


def peer(name, model, data, truth=None):
    cpu, wall = time.process_time(), time.perf_counter()
    labels = model.fit_predict(data)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    right = "" if truth is None else f", {(labels == truth.reindex(labels.index)).sum() / len(truth):.4f} right"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"crowd-kit {name}: {cpu:.2f} s processor, {wall:.2f} s wall, {peak:.0f} MB peak{right}", flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--bench", type=pathlib.Path, required=True)
    arguments.add_argument("--data", type=pathlib.Path, required=True)
    arguments = arguments.parse_args()
    rte = ROOT.parent / "shared" / "data" / "crowd" / "rte"
    for folder in (rte, arguments.data):
        print(f"\n{folder}", flush=True)
        subprocess.run([str(arguments.bench), str(folder / "labels.csv")], check=True)
        data = pd.read_csv(folder / "labels.csv")
        truth = pd.read_csv(folder / "truth.csv").set_index("task")["label"]
        if folder == rte:
            peer("GLAD", GLAD(), data, truth)
            peer("MACE", MACE(), data, truth)
        peer("DawidSkene, 20 rounds", DawidSkene(n_iter=20, tol=float("-inf")), data, truth)


if __name__ == "__main__":
    main()
